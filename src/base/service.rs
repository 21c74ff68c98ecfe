//! How the server lives with what starts it: in the background of a shell, or under a service manager.

use std::env;
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Where a service manager wants to be told how the server is.
const SOCKET: &str = "NOTIFY_SOCKET";

/// Whether systemd, or who speaks its protocol, has started the process and waits for its word.
pub fn is_notified() -> bool {
    env::var_os(SOCKET).is_some_and(|address| !address.is_empty())
}

/// Tells the service manager: "READY=1", "STOPPING=1".
///
/// # Errors
/// `NOTIFY_SOCKET` is not set, or nobody listens there.
pub fn notify(state: &str) -> io::Result<()> {
    let Some(address) = env::var_os(SOCKET) else {
        return Err(io::Error::new(
            io::ErrorKind::NotFound,
            format!("{SOCKET} is not set"),
        ));
    };
    UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &socket(&address)?)?;
    Ok(())
}

/// A path, or a name that begins with `@` and is in no directory.
fn socket(address: &OsStr) -> io::Result<SocketAddr> {
    match address.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
        _ => SocketAddr::from_pathname(address),
    }
}

/// Goes on in the background, without the terminal: the process that was started ends here, with success. Only while there
/// is no other thread.
///
/// # Errors
/// The system refuses a second process, or what it needs to be alone. Then the first goes on.
pub fn daemonize() -> io::Result<()> {
    let nothing = File::options().read(true).write(true).open("/dev/null")?;
    // SAFETY: there is one thread, so the child is as whole as the parent was. The parent leaves at once, without what runs
    // at the end of a process: that is the child's. The other calls are about descriptors that are open.
    unsafe {
        match libc::fork() {
            -1 => return Err(io::Error::last_os_error()),
            0 => {}
            _ => libc::_exit(0),
        }
        if libc::setsid() == -1 {
            return Err(io::Error::last_os_error());
        }
        for standard in [libc::STDIN_FILENO, libc::STDOUT_FILENO, libc::STDERR_FILENO] {
            if libc::dup2(nothing.as_raw_fd(), standard) == -1 {
                return Err(io::Error::last_os_error());
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_has_a_path_or_an_abstract_name() {
        let named = |text: &str| socket(OsStr::new(text)).expect("an address");
        assert_eq!(
            named("/run/notify").as_pathname().and_then(|path| path.to_str()),
            Some("/run/notify")
        );
        assert_eq!(named("@notify").as_abstract_name(), Some(&b"notify"[..]));
    }
}
