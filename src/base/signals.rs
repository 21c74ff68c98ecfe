//! What each signal does to the server.
//!
//! Handlers run on any thread, in the middle of anything: they call only what is async-signal-safe, and take no memory.

use std::fmt::Write as _;
use std::io;
use std::os::fd::IntoRawFd;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicI32, AtomicU8, Ordering};

use libc::{c_int, c_void, siginfo_t};

use super::log::{self, Line};

/// What a signal does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Nothing.
    Ignored,
    /// The server ends in order. Before it is ready, and at a second SIGINT, it ends at once: what was acknowledged is in
    /// the log.
    Shutdown,
    /// Told in the log; then the process dies of it.
    Crash,
    /// The system's default, or what the process was started with.
    System,
}

use Effect::{Crash, Ignored, Shutdown, System};

/// The signals that a terminal, a service manager, a container runtime, logrotate or the kernel sends. SIGKILL and SIGSTOP
/// cannot be decided about; others (SIGIO, the timers') nobody sends who was not asked to.
pub const EFFECTS: [(c_int, &str, Effect); 22] = [
    // The terminal is gone, or a service manager wants the configuration read again: as in Redis, CONFIG SET is for that.
    (libc::SIGHUP, "SIGHUP", Ignored),
    (libc::SIGINT, "SIGINT", Shutdown),
    (libc::SIGTERM, "SIGTERM", Shutdown),
    // The power fails; some container runtimes ask so for the end.
    (libc::SIGPWR, "SIGPWR", Shutdown),
    // A little processor time is left.
    (libc::SIGXCPU, "SIGXCPU", Shutdown),
    // The terminal's way to a core dump.
    (libc::SIGQUIT, "SIGQUIT", System),
    // What log rotation and supervisors send to have files opened again: the log is opened for each line.
    (libc::SIGUSR1, "SIGUSR1", Ignored),
    (libc::SIGUSR2, "SIGUSR2", Ignored),
    // Writes say it.
    (libc::SIGPIPE, "SIGPIPE", Ignored),
    // A file would be larger than the limit: writes say that, too, and their clients are told.
    (libc::SIGXFSZ, "SIGXFSZ", Ignored),
    (libc::SIGALRM, "SIGALRM", Ignored),
    (libc::SIGCHLD, "SIGCHLD", System),
    (libc::SIGWINCH, "SIGWINCH", System),
    // Job control.
    (libc::SIGTSTP, "SIGTSTP", System),
    (libc::SIGTTIN, "SIGTTIN", System),
    (libc::SIGTTOU, "SIGTTOU", System),
    (libc::SIGSEGV, "SIGSEGV", Crash),
    (libc::SIGBUS, "SIGBUS", Crash),
    (libc::SIGFPE, "SIGFPE", Crash),
    (libc::SIGILL, "SIGILL", Crash),
    (libc::SIGABRT, "SIGABRT", Crash),
    // A sandbox forbids a system call.
    (libc::SIGSYS, "SIGSYS", Crash),
];

/// What the server is doing.
static STAGE: AtomicU8 = AtomicU8::new(STARTING);
const STARTING: u8 = 0;
const SERVING: u8 = 1;
const ENDING: u8 = 2;

/// Where a byte is written when the server is to end.
static ASKED: AtomicI32 = AtomicI32::new(-1);

/// Has all signals take effect as the table says.
///
/// # Errors
/// The system refuses one of them; those before it take effect.
pub fn install() -> io::Result<()> {
    for (signal, _, effect) in EFFECTS {
        let (handler, flags) = match effect {
            Ignored => (libc::SIG_IGN, 0),
            Shutdown => (asked_to_end as *const () as usize, libc::SA_RESTART),
            Crash => (crashed as *const () as usize, libc::SA_SIGINFO | libc::SA_ONSTACK),
            System => continue,
        };
        act(signal, handler, flags)?;
    }
    Ok(())
}

/// From now on the server ends in order when a signal asks for it. The stream has something to read then.
///
/// # Errors
/// The system refuses a pair of sockets, and nothing has changed.
pub fn begin_serving() -> io::Result<UnixStream> {
    let (asked, asks) = UnixStream::pair()?;
    for end in [&asked, &asks] {
        end.set_nonblocking(true)?;
    }
    ASKED.store(asks.into_raw_fd(), Ordering::SeqCst);
    STAGE.store(SERVING, Ordering::SeqCst);
    Ok(asked)
}

/// The server ends: only SIGINT is heard any more.
pub fn begin_ending() {
    STAGE.store(ENDING, Ordering::SeqCst);
}

/// Ends the process as SIGABRT does, without a word of the signal: its reason is in the log.
pub fn abort() -> ! {
    // If it fails, there is a line more in the log.
    let _ = act(libc::SIGABRT, libc::SIG_DFL, 0);
    std::process::abort()
}

/// Sets what a signal does, and lets it in if whoever started the process kept it out.
fn act(signal: c_int, handler: usize, flags: c_int) -> io::Result<()> {
    // SAFETY: `sigaction` and `sigset_t` are C structs for which all zeros is a value, both of this frame. The handlers of
    // this module are functions of the type that the flags name, and keep to what a handler may do.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        (action.sa_sigaction, action.sa_flags) = (handler, flags);
        if libc::sigaction(signal, &action, std::ptr::null_mut()) != 0 {
            return Err(io::Error::last_os_error());
        }
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigaddset(&mut set, signal);
        match libc::pthread_sigmask(libc::SIG_UNBLOCK, &set, std::ptr::null_mut()) {
            0 => Ok(()),
            error => Err(io::Error::from_raw_os_error(error)),
        }
    }
}

fn name(signal: c_int) -> &'static str {
    let known = EFFECTS.iter().find(|(known, ..)| *known == signal);
    known.map_or("a signal", |(_, name, _)| name)
}

extern "C" fn asked_to_end(signal: c_int) {
    let name = name(signal);
    let ended = STAGE.compare_exchange(SERVING, ENDING, Ordering::SeqCst, Ordering::SeqCst);
    match ended {
        Ok(_) => {
            log::from_handler(format_args!("Received {name} scheduling shutdown..."));
            // SAFETY: the bytes live for the call. The interrupted code finds its errno again.
            unsafe {
                let errno = *libc::__errno_location();
                // The stream has room for this one byte.
                let _ = libc::write(ASKED.load(Ordering::SeqCst), b"!".as_ptr().cast::<c_void>(), 1);
                *libc::__errno_location() = errno;
            }
        }
        Err(STARTING) => {
            log::from_handler(format_args!(
                "Received {name} before the server was ready, exiting now."
            ));
            exit(0)
        }
        Err(_) if signal == libc::SIGINT => {
            log::from_handler(format_args!("You insist... exiting now."));
            exit(1)
        }
        Err(_) => {}
    }
}

/// At once: nothing is tidied up.
fn exit(code: c_int) -> ! {
    // SAFETY: it does not return.
    unsafe { libc::_exit(code) }
}

extern "C" fn crashed(signal: c_int, info: *mut siginfo_t, _: *mut c_void) {
    // SAFETY: the kernel hands the handler a valid siginfo.
    let (code, address) = unsafe { ((*info).si_code, (*info).si_addr()) };
    let mut thread = [0; THREAD_NAME];
    // SAFETY: the buffer is as long as the system call asks for.
    unsafe { libc::prctl(libc::PR_GET_NAME, thread.as_mut_ptr()) };
    let mut line = Line::default();
    // A line that is full is cut.
    let _ = write!(
        line,
        "Redkeep {} crashed by {}",
        env!("CARGO_PKG_VERSION"),
        name(signal)
    );
    // The kernel's own have positive codes; others come from a process, and have no address.
    if code > 0 && signal != libc::SIGSYS {
        let _ = write!(line, ", accessing address {address:p}");
    }
    let thread = thread.split(|byte| *byte == 0).next().unwrap_or_default();
    let thread = str::from_utf8(thread).unwrap_or("?");
    log::from_handler(format_args!("{} (code {code}, thread '{thread}')", line.text()));
    // An instruction that failed fails again, and a signal that was sent is sent again: now it ends the process.
    // If the default cannot be set, there is nothing better than to end here.
    if act(signal, libc::SIG_DFL, 0).is_err() {
        exit(128 + signal);
    }
    if code <= 0 {
        // SAFETY: a plain call. The signal comes when this handler returns.
        unsafe { libc::raise(signal) };
    }
}

/// The kernel's limit, with the zero at the end.
const THREAD_NAME: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_signal_is_in_the_table_once() {
        for (at, (signal, ..)) in EFFECTS.iter().enumerate() {
            assert!(
                !EFFECTS[..at].iter().any(|(earlier, ..)| earlier == signal),
                "{signal}"
            );
        }
        assert_eq!(
            (name(libc::SIGTERM), name(libc::SIGRTMIN())),
            ("SIGTERM", "a signal")
        );
    }
}
