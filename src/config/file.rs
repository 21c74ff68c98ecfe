//! Configuration files, in redis.conf's syntax: a directive per line, `#` comments, `include`, later lines
//! win.

use std::{
    ffi::OsStr,
    fs, io,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use thiserror::Error;

use super::{
    Config, Row, foreign,
    include::{INCLUDE, included},
    lookup,
    quote::{quote, split_words},
    suggest::nearest,
    table::Flags,
    user::{DefaultUser, USER},
};

/// Files that include each other, one behind the other.
const MAX_INCLUDES: usize = 16;
const BAD_DIRECTIVE: &str = "Bad directive or wrong number of arguments";

/// Where a bad directive was found.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Place {
    /// In a configuration file.
    #[error(
        "*** FATAL CONFIG FILE ERROR ***\nReading the configuration file '{}', at line {line}",
        path.display()
    )]
    File {
        /// As it was named on the command line, or by the file that includes it.
        path: PathBuf,
        /// The line's number, from 1 on.
        line: usize,
    },
    /// Among the arguments of the process.
    #[error("*** FATAL COMMAND LINE ERROR ***")]
    CommandLine,
}

/// Why there is no configuration to start with.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The command line asks for help or the version, or cannot be understood.
    #[error(transparent)]
    Usage(clap::Error),
    /// A directive that is none, or whose value is refused.
    #[error("{place}\n>>> '{text}'\n{reason}")]
    Directive {
        /// Where it stands.
        place: Place,
        /// The directive as it was written.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A configuration file that cannot be read.
    #[error("Fatal error, can't open config file '{}': {source}", path.display())]
    Unreadable {
        /// As it was named on the command line, or by the file that includes it.
        path: PathBuf,
        /// Why it cannot be read.
        source: io::Error,
    },
    /// Relative paths mean nothing without it.
    #[error("Fatal error, can't find the working directory: {0}")]
    NoWorkingDirectory(io::Error),
}

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
    ///
    /// # Errors
    /// The file, or one that it includes, cannot be read, or a directive is refused. Those before it stand.
    pub(super) fn load_file(&mut self, path: &Path) -> Result<(), ConfigError> {
        self.load_included(path, &mut Vec::new())
    }

    /// `within` are the files that are being read, each included by the one before.
    fn load_included(&mut self, path: &Path, within: &mut Vec<PathBuf>) -> Result<(), ConfigError> {
        let unreadable = |source| ConfigError::Unreadable {
            path: path.to_owned(),
            source,
        };
        let content = fs::read(path).map_err(unreadable)?;
        within.push(fs::canonicalize(path).map_err(unreadable)?);
        self.load_text(path, &content, within)?;
        within.pop();
        Ok(())
    }

    /// Applies the directives of a text. `path` says where it is from.
    ///
    /// # Errors
    /// A directive is refused, or a file that it includes. Those before it stand.
    pub(super) fn load_text(
        &mut self,
        path: &Path,
        content: &[u8],
        within: &mut Vec<PathBuf>,
    ) -> Result<(), ConfigError> {
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
            if let Some((name, arguments)) = words.split_first() {
                self.apply(name, arguments, within, &refuse)?;
            }
        }
        Ok(())
    }

    /// Applies a directive. `refuse` makes an error of the reason.
    pub(super) fn apply(
        &mut self,
        name: &[u8],
        arguments: &[Vec<u8>],
        within: &mut Vec<PathBuf>,
        refuse: &impl Fn(String) -> ConfigError,
    ) -> Result<(), ConfigError> {
        match arguments {
            [pattern] if name.eq_ignore_ascii_case(INCLUDE.as_bytes()) => {
                self.include(pattern, within, refuse)
            }
            arguments => self.apply_option(name, arguments).map_err(refuse),
        }
    }

    /// A relative path starts where the server does its work, which is `dir` as far as it is set.
    fn include(
        &mut self,
        pattern: &[u8],
        within: &mut Vec<PathBuf>,
        refuse: &impl Fn(String) -> ConfigError,
    ) -> Result<(), ConfigError> {
        let pattern = Path::new(OsStr::from_bytes(pattern));
        let pattern = match self.dir == Path::new(".") {
            true => pattern.to_owned(),
            false => self.dir.join(pattern),
        };
        for file in included(&pattern).map_err(|error| refuse(error.to_string()))? {
            if fs::canonicalize(&file).is_ok_and(|file| within.contains(&file)) {
                return Err(refuse(format!("'{}' includes itself", file.display())));
            }
            if within.len() > MAX_INCLUDES {
                return Err(refuse("include nested too deeply".into()));
            }
            self.load_included(&file, within)?;
        }
        Ok(())
    }

    fn apply_option(&mut self, name: &[u8], arguments: &[Vec<u8>]) -> Result<(), String> {
        if let Some((row, _)) = lookup(name) {
            return self.apply_row(row, arguments);
        }
        let name = String::from_utf8_lossy(name).to_ascii_lowercase();
        if name == USER {
            self.default_user = Some(DefaultUser::parse(arguments)?);
            return Ok(());
        }
        if foreign::is_idle(&name, arguments) {
            return Ok(());
        }
        if let Some(reason) = foreign::refusal(&name) {
            return Err(reason.into());
        }
        Err(match nearest(&name) {
            Some(known) if known != name => format!("{BAD_DIRECTIVE}. Did you mean '{known}'?"),
            _ => BAD_DIRECTIVE.into(),
        })
    }

    /// Sets an option from the arguments of a directive, which spell a list as several words or as one quoted
    /// word.
    ///
    /// # Errors
    /// The quotes do not match, or the option refuses the value: the text says why, and it is as it was.
    pub(super) fn apply_row(&mut self, row: &Row, arguments: &[Vec<u8>]) -> Result<(), String> {
        let words = match arguments {
            [list] if row.is_list() && !list.is_empty() => {
                split_words(list).ok_or("Unbalanced quotes in argument")?
            }
            arguments => arguments.to_vec(),
        };
        let mut words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        let before = row.show(self);
        let adds = row.flags.contains(Flags::ACCUMULATES)
            && !before.is_empty()
            && words.iter().any(|word| !word.is_empty());
        if adds {
            words.splice(0..0, before.split(|byte| *byte == b' '));
        }
        row.set_words(self, &words)
    }
}

/// A directive as a line of a configuration file.
pub(super) fn directive(arguments: &[Vec<u8>]) -> String {
    arguments
        .iter()
        .map(|argument| quote(argument))
        .collect::<Vec<_>>()
        .join(" ")
}
