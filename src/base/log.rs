//! The server's log: one line a message, in Redis's shape, on standard output or in a file.
//!
//! ```text
//! line = pid ":M " day " " month " " year " " hh ":" mm ":" ss "." mmm " " mark " " message
//! mark = "."  debug | "-"  verbose | "*"  notice | "#"  warning
//! ```
//!
//! What a signal handler has to say is shorter, as in Redis: `pid ":signal-handler (" unix-time ") " message`.
//!
//! One log for the process, since every layer and thread has something to say. A file is opened for each line, as in
//! Redis, so that it can be moved away at any time; messages are rare enough for that.

use std::ffi::{CString, OsStr};
use std::fmt::{self, Display, Write as _};
use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How severe a message is; as a setting, the least severe one that is logged.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Level {
    /// For who looks for a bug.
    Debug,
    /// Details that are rarely useful.
    Verbose,
    /// What an operator wants to know.
    #[default]
    Notice,
    /// What an operator has to know.
    Warning,
    /// Above every message.
    Nothing,
}

/// A longer message is cut.
const LONGEST: usize = 1024;
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

static LEAST: AtomicU8 = AtomicU8::new(Level::Notice as u8);
/// The path as signal handlers need it, too.
static FILE: OnceLock<CString> = OnceLock::new();

/// Sends what is logged from now on to a file: once in the life of the process.
///
/// # Errors
/// It cannot be opened for writing, and nothing has changed.
pub fn to_file(path: PathBuf) -> io::Result<()> {
    open(&path)?;
    let path = CString::new(path.into_os_string().into_vec())?;
    FILE.get_or_init(|| path);
    Ok(())
}

/// Logs messages from this level on.
pub fn set_level(least: Level) {
    LEAST.store(least as u8, Ordering::Relaxed);
}

/// Logs a message of level debug.
pub fn debug(message: impl Display) {
    write(Level::Debug, message);
}

/// Logs a message of level verbose.
pub fn verbose(message: impl Display) {
    write(Level::Verbose, message);
}

/// Logs a message of level notice.
pub fn notice(message: impl Display) {
    write(Level::Notice, message);
}

/// Logs a message of level warning.
pub fn warning(message: impl Display) {
    write(Level::Warning, message);
}

/// For what may happen very often: of its messages the first few of a minute are logged, and how many were not.
#[derive(Debug)]
pub struct Seldom {
    began: Instant,
    logged: u32,
    kept_back: u64,
}

impl Seldom {
    const PERIOD: Duration = Duration::from_secs(60);
    const MOST: u32 = 10;

    /// Logs a message of level warning, unless there were too many of late.
    pub fn warning(&mut self, message: impl Display) {
        if let Some(before) = self.admits(Instant::now()) {
            match before {
                0 => warning(message),
                1.. => warning(format_args!(
                    "{message} ({before} more such messages were kept back)"
                )),
            }
        }
    }

    /// Whether a message is logged now; if so, how many were not since the last one.
    fn admits(&mut self, now: Instant) -> Option<u64> {
        if now.duration_since(self.began) >= Seldom::PERIOD {
            (self.began, self.logged) = (now, 0);
        }
        if self.logged == Seldom::MOST {
            self.kept_back += 1;
            return None;
        }
        self.logged += 1;
        Some(std::mem::take(&mut self.kept_back))
    }
}

impl Default for Seldom {
    fn default() -> Seldom {
        Seldom {
            began: Instant::now(),
            logged: 0,
            kept_back: 0,
        }
    }
}

fn write(level: Level, message: impl Display) {
    if (level as u8) < LEAST.load(Ordering::Relaxed) {
        return;
    }
    let line = line(level, &message.to_string());
    // A log that cannot be written has nowhere to say so.
    let _ = match FILE.get() {
        Some(path) => open(Path::new(OsStr::from_bytes(path.to_bytes())))
            .and_then(|mut file| file.write_all(line.as_bytes())),
        None => io::stdout().write_all(line.as_bytes()),
    };
}

/// Logs a warning from a signal handler: nothing here takes memory, a lock, or more than system calls.
pub fn from_handler(message: fmt::Arguments) {
    if (Level::Warning as u8) < LEAST.load(Ordering::Relaxed) {
        return;
    }
    let mut line = Line::default();
    // SAFETY: `time` and `getpid` take nothing from here.
    let (pid, now) = unsafe { (libc::getpid(), libc::time(std::ptr::null_mut())) };
    // A line that is full is cut.
    let _ = write!(line, "{pid}:signal-handler ({now}) {message}");
    line.end();
    // SAFETY: the path and the bytes live for the calls. The interrupted code finds its errno again.
    unsafe {
        let errno = *libc::__errno_location();
        let (fd, opened) = match FILE.get() {
            Some(path) => {
                let flags = libc::O_WRONLY | libc::O_APPEND | libc::O_CREAT | libc::O_CLOEXEC;
                (libc::open(path.as_ptr(), flags, 0o666), true)
            }
            None => (libc::STDOUT_FILENO, false),
        };
        // A log that cannot be written has nowhere to say so.
        let _ = libc::write(fd, line.bytes.as_ptr().cast(), line.len);
        if opened {
            libc::close(fd);
        }
        *libc::__errno_location() = errno;
    }
}

/// A text of limited length that takes no memory from the heap: what does not fit is cut.
pub struct Line {
    bytes: [u8; Line::LONGEST],
    len: usize,
}

impl Line {
    const LONGEST: usize = 256;

    /// The line without its end; "?" if it was cut within a character.
    pub fn text(&self) -> &str {
        str::from_utf8(&self.bytes[..self.len]).unwrap_or("?")
    }

    /// Adds the end of a line, for which there is always room.
    fn end(&mut self) {
        self.bytes[self.len] = b'\n';
        self.len += 1;
    }
}

impl Default for Line {
    fn default() -> Line {
        Line {
            bytes: [0; Line::LONGEST],
            len: 0,
        }
    }
}

impl fmt::Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = Line::LONGEST - 1 - self.len;
        let part = &text.as_bytes()[..text.floor_char_boundary(room)];
        self.bytes[self.len..][..part.len()].copy_from_slice(part);
        self.len += part.len();
        if part.len() < text.len() {
            Err(fmt::Error)
        } else {
            Ok(())
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    File::options().create(true).append(true).open(path)
}

fn line(level: Level, message: &str) -> String {
    let mark = match level {
        Level::Debug => '.',
        Level::Verbose => '-',
        Level::Notice => '*',
        Level::Warning | Level::Nothing => '#',
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let message = &message[..message.floor_char_boundary(LONGEST)];
    let mut line = format!("{}:M ", std::process::id());
    stamp(now.as_secs(), now.subsec_millis(), &mut line);
    line.extend([" ", &mark.to_string(), " ", message, "\n"]);
    line
}

/// Adds the local time.
fn stamp(seconds: u64, millis: u32, line: &mut String) {
    let seconds = libc::time_t::try_from(seconds).unwrap_or(libc::time_t::MAX);
    // SAFETY: `tm` is a C struct for which all zeros is a value, and both pointers live for the call. A year out of range
    // leaves it as it was.
    let local = unsafe {
        let mut local: libc::tm = std::mem::zeroed();
        libc::localtime_r(&seconds, &mut local);
        local
    };
    let month = usize::try_from(local.tm_mon).ok().and_then(|at| MONTHS.get(at));
    // Writing to a string cannot fail.
    let _ = write!(
        line,
        "{:02} {} {} {:02}:{:02}:{:02}.{millis:03}",
        local.tm_mday,
        month.unwrap_or(&"???"),
        1900 + local.tm_year,
        local.tm_hour,
        local.tm_min,
        local.tm_sec,
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_the_shape_of_redis() {
        let line = line(Level::Warning, "out of luck");
        let (head, rest) = line.split_once(' ').unwrap();
        assert_eq!(head, format!("{}:M", std::process::id()));
        let words: Vec<&str> = rest.trim_end().splitn(6, ' ').collect();
        let [day, month, year, time, mark, message] = words[..] else {
            panic!("{line}")
        };
        assert!(day.len() == 2 && MONTHS.contains(&month) && year.parse::<u32>().unwrap() > 2000);
        assert_eq!(
            (time.len(), mark, message),
            ("23:59:59.999".len(), "#", "out of luck")
        );
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let line = line(Level::Notice, &"ß".repeat(LONGEST));
        assert!(line.ends_with("ß\n") && line.len() < LONGEST + 64);
    }

    #[test]
    fn a_line_of_a_handler_is_cut_between_characters() {
        let mut line = Line::default();
        write!(line, "a{}", "ß".repeat(60)).expect("room");
        assert!(write!(line, "{}", "ß".repeat(Line::LONGEST)).is_err());
        assert!(line.text().starts_with("aß") && line.text().ends_with('ß'));
        line.end();
        assert!(line.len == Line::LONGEST || line.len == Line::LONGEST - 1);
        assert_eq!(line.bytes[line.len - 1], b'\n');
    }

    #[test]
    fn what_happens_very_often_is_logged_a_few_times_a_minute_and_counted() {
        let mut seldom = Seldom::default();
        let start = Instant::now();
        let logged = (0..100).filter(|_| seldom.admits(start).is_some()).count();
        assert_eq!(logged, Seldom::MOST as usize);
        assert_eq!(seldom.admits(start + Seldom::PERIOD), Some(90));
        assert_eq!(seldom.admits(start + Seldom::PERIOD), Some(0));
    }

    #[test]
    fn levels_are_in_order_of_severity() {
        assert!(Level::Debug < Level::Verbose && Level::Warning < Level::Nothing);
        assert_eq!(Level::default(), Level::Notice);
    }
}
