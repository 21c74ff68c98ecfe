//! Configuration files, in redis.conf's syntax: a directive per line, `#` comments, `include`, later lines
//! win.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use super::{
    Config, ROWS, Row, lookup,
    quote::{quote, split_words},
    table::Flags,
};

/// A file that includes itself is an error, not a loop.
const MAX_INCLUDES: usize = 16;
const BAD_DIRECTIVE: &str = "Bad directive or wrong number of arguments";
/// Directives that Redis 7 still reads and ignores.
const IGNORED: [&str; 3] = [
    "list-max-ziplist-entries",
    "list-max-ziplist-value",
    "lua-replicate-commands",
];
/// Directives of Redis that would be wrong to ignore.
const UNSUPPORTED: [(&str, &str); 4] = [
    ("loadmodule", "modules are not supported"),
    ("rename-command", "renaming commands is not supported"),
    ("sentinel", "Sentinel is not supported"),
    ("user", "users other than the default one are not supported"),
];

/// Where a bad directive was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    File { path: PathBuf, line: usize },
    CommandLine,
}

/// Why there is no configuration to start with.
#[derive(Debug)]
pub enum ConfigError {
    /// The command line asks for help or the version, or cannot be understood.
    Usage(clap::Error),
    Directive {
        place: Place,
        text: String,
        reason: String,
    },
    Unreadable {
        path: PathBuf,
        source: io::Error,
    },
    /// Relative paths mean nothing without it.
    NoWorkingDirectory(io::Error),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigError::Usage(usage) => usage.fmt(f),
            ConfigError::Directive {
                place: Place::File { path, line },
                text,
                reason,
            } => {
                writeln!(f, "*** FATAL CONFIG FILE ERROR ***")?;
                writeln!(
                    f,
                    "Reading the configuration file '{}', at line {line}",
                    path.display()
                )?;
                write!(f, ">>> '{text}'\n{reason}")
            }
            ConfigError::Directive {
                place: Place::CommandLine,
                text,
                reason,
            } => {
                write!(f, "*** FATAL COMMAND LINE ERROR ***\n>>> '{text}'\n{reason}")
            }
            ConfigError::Unreadable { path, source } => {
                write!(
                    f,
                    "Fatal error, can't open config file '{}': {source}",
                    path.display()
                )
            }
            ConfigError::NoWorkingDirectory(source) => {
                write!(f, "Fatal error, can't find the working directory: {source}")
            }
        }
    }
}

impl std::error::Error for ConfigError {}

impl ConfigError {
    /// Ends the process with the message: help and version are no failure.
    pub fn exit(&self) -> ! {
        if let ConfigError::Usage(usage) = self {
            usage.exit();
        }
        eprintln!("{self}");
        std::process::exit(1)
    }
}

impl Config {
    /// Applies the directives of a file on top of what is set.
    pub(super) fn load_file(&mut self, path: &Path) -> Result<(), ConfigError> {
        self.load_included(path, 0)
    }

    fn load_included(&mut self, path: &Path, depth: usize) -> Result<(), ConfigError> {
        let unreadable = |source| ConfigError::Unreadable {
            path: path.to_owned(),
            source,
        };
        let content = fs::read(path).map_err(unreadable)?;
        for (index, line) in content.split(|byte| *byte == b'\n').enumerate() {
            let line = line.trim_ascii();
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            let refuse = |reason: String| ConfigError::Directive {
                place: Place::File {
                    path: path.to_owned(),
                    line: index + 1,
                },
                text: String::from_utf8_lossy(line).into_owned(),
                reason,
            };
            let words =
                split_words(line).ok_or_else(|| refuse("Unbalanced quotes in configuration line".into()))?;
            let Some((name, arguments)) = words.split_first() else {
                continue;
            };
            match arguments {
                [included] if name.eq_ignore_ascii_case(b"include") => {
                    if depth == MAX_INCLUDES {
                        return Err(refuse("include nested too deeply".into()));
                    }
                    self.load_included(&path_of(included), depth + 1)?;
                }
                arguments => self.apply(name, arguments).map_err(refuse)?,
            }
        }
        Ok(())
    }

    fn apply(&mut self, name: &[u8], arguments: &[Vec<u8>]) -> Result<(), String> {
        if let Some((row, _)) = lookup(name) {
            return self.apply_row(row, arguments);
        }
        let name = String::from_utf8_lossy(name).to_ascii_lowercase();
        if IGNORED.contains(&name.as_str()) && arguments.len() == 1 {
            return Ok(());
        }
        if let Some((_, reason)) = UNSUPPORTED.iter().find(|(known, _)| *known == name) {
            return Err((*reason).into());
        }
        if name.starts_with("tls-") {
            return Err("TLS is not supported".into());
        }
        Err(match nearest(&name) {
            Some(known) => format!("{BAD_DIRECTIVE}. Did you mean '{known}'?"),
            None => BAD_DIRECTIVE.into(),
        })
    }

    /// Sets an option from the arguments of a directive, which spell a list as several words or as one quoted
    /// word.
    pub(super) fn apply_row(&mut self, row: &Row, arguments: &[Vec<u8>]) -> Result<(), String> {
        let words = match arguments {
            [list] if row.list && !list.is_empty() => {
                split_words(list).ok_or("Unbalanced quotes in argument")?
            }
            arguments => arguments.to_vec(),
        };
        let mut words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        let before = (row.show)(self);
        let adds = row.flags.has(Flags::ACCUMULATES)
            && !before.is_empty()
            && words.iter().any(|word| !word.is_empty());
        if adds {
            words.splice(0..0, before.split(|byte| *byte == b' '));
        }
        row.set_words(self, &words)
    }
}

fn path_of(word: &[u8]) -> PathBuf {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
    PathBuf::from(OsStr::from_bytes(word))
}

/// A directive as a line of a configuration file.
pub(super) fn directive(arguments: &[Vec<u8>]) -> String {
    arguments
        .iter()
        .map(|argument| quote(argument))
        .collect::<Vec<_>>()
        .join(" ")
}

/// The option that was probably meant.
pub(super) fn nearest(written: &str) -> Option<&'static str> {
    const MAX_LENGTH: usize = 64;
    if written.len() > MAX_LENGTH {
        return None;
    }
    let names = ROWS
        .iter()
        .filter(|row| !row.flags.has(Flags::HIDDEN))
        .flat_map(Row::names);
    let (distance, name) = names
        .map(|name| (edit_distance(written, name), name))
        .min_by_key(|(distance, _)| *distance)?;
    (distance <= 1 + name.len() / 5).then_some(name)
}

/// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`.
fn edit_distance(a: &str, b: &str) -> usize {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replace = above[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replace.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(before[j - 2] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (a, b, distance) in [
            ("", "", 0),
            ("port", "port", 0),
            ("prot", "port", 1),
            ("", "abc", 3),
            ("kitten", "sitting", 3),
            ("ab", "ba", 1),
        ] {
            assert_eq!(edit_distance(a, b), distance, "{a} {b}");
            assert_eq!(edit_distance(b, a), distance, "{b} {a}");
        }
    }

    #[test]
    fn nearest_names() {
        assert_eq!(nearest("prot"), Some("port"));
        assert_eq!(nearest("max-memory"), Some("maxmemory"));
        assert_eq!(nearest("appendfsnyc"), Some("appendfsync"));
        assert_eq!(nearest("slave-readonly"), Some("slave-read-only"));
        assert_eq!(nearest("frobnicate"), None);
        assert_eq!(nearest(&"x".repeat(100_000)), None);
    }
}
