//! The server's log: one line a message, in Redis's shape, on standard output or in a file.
//!
//! ```text
//! line = pid ":M " day " " month " " year " " hh ":" mm ":" ss "." mmm " " mark " " message
//! mark = "."  debug | "-"  verbose | "*"  notice | "#"  warning
//! ```
//!
//! One log for the process, since every layer and thread has something to say. A file is opened for each line, as in
//! Redis, so that it can be moved away at any time; messages are rare enough for that.

use std::fmt::{Display, Write as _};
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// How severe a message is; as a setting, the least severe one that is logged.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Level {
    Debug,
    Verbose,
    #[default]
    Notice,
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
static FILE: OnceLock<PathBuf> = OnceLock::new();

/// Sends what is logged from now on to a file: once in the life of the process. An error if it cannot be written to.
pub fn to_file(path: PathBuf) -> io::Result<()> {
    open(&path)?;
    FILE.get_or_init(|| path);
    Ok(())
}

pub fn set_level(least: Level) {
    LEAST.store(least as u8, Ordering::Relaxed);
}

pub fn verbose(message: impl Display) {
    write(Level::Verbose, message);
}

pub fn notice(message: impl Display) {
    write(Level::Notice, message);
}

pub fn warning(message: impl Display) {
    write(Level::Warning, message);
}

fn write(level: Level, message: impl Display) {
    if (level as u8) < LEAST.load(Ordering::Relaxed) {
        return;
    }
    let line = line(level, &message.to_string());
    // A log that cannot be written has nowhere to say so.
    let _ = match FILE.get() {
        Some(path) => open(path).and_then(|mut file| file.write_all(line.as_bytes())),
        None => io::stdout().write_all(line.as_bytes()),
    };
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
    fn levels_are_in_order_of_severity() {
        assert!(Level::Debug < Level::Verbose && Level::Warning < Level::Nothing);
        assert_eq!(Level::default(), Level::Notice);
    }
}
