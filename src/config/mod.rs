//! The configuration: one table of options (`table`) drives the file, the command line, CONFIG
//! GET/SET/REWRITE and the reference in `tools/reference.md`.
//!
//! ```text
//! table     the options with effect, and the struct `Config` made from them
//! idle      the options without, whose values are kept as text
//! kind      how a value of one word is spelled            special   the same for lists of words
//! quote     the words of a line
//! file      redis.conf syntax      cli       the command line, as lines of such a file
//! include   the files of a pattern user      the line of the default user
//! login     who may log in
//! foreign   directives of others   suggest   the option that was probably meant
//! rewrite   CONFIG REWRITE         reference the tables in tools/reference.md
//! ```
//!
//! Changing an option here only changes `Config`: `set_many` names what changed, and whoever owns the thing
//! that the option is about applies it.

mod cli;
mod file;
mod foreign;
mod idle;
mod idle_kind;
mod include;
mod kind;
mod login;
mod quote;
mod reference;
mod rewrite;
mod special;
mod suggest;
mod table;
mod user;

use std::path::{Path, PathBuf};

use thiserror::Error;

use self::{
    idle::IDLE,
    table::{FIELDS, Flags, Row},
};
pub use self::{
    kind::MemoryShare,
    reference::reference_markdown,
    special::{BindAddress, OutputLimit},
    table::{AppendFsync, Compression, Config, Supervised},
    user::DefaultUser,
};
use crate::base::glob::Pattern;
use crate::resp::shown;

/// All options, in the order in which they are shown.
static ROWS: &[Row] = &{
    let mut rows = [FIELDS[0]; FIELDS.len() + IDLE.len()];
    let mut at = 0;
    while at < rows.len() {
        rows[at] = if at < FIELDS.len() {
            FIELDS[at]
        } else {
            IDLE[at - FIELDS.len()]
        };
        at += 1;
    }
    rows
};

const REQUIREPASS: &str = "requirepass";
const IMMUTABLE: &str = "can't set immutable config";

/// Why CONFIG SET changed nothing; displays as Redis's error text, without the `ERR`.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SetError {
    /// There is no option of that name.
    #[error("Unknown option or number of arguments for CONFIG SET - '{0}'")]
    UnknownOption(String),
    /// A value was refused, or could not be put into effect.
    #[error("CONFIG SET failed (possibly related to argument '{option}') - {reason}")]
    Failed {
        /// The option as it was written.
        option: String,
        /// What is wrong with the value.
        reason: String,
    },
}

impl SetError {
    /// Also for an option that was set but could not be put into effect.
    pub fn failed(option: impl Into<String>, reason: impl Into<String>) -> SetError {
        SetError::Failed {
            option: option.into(),
            reason: reason.into(),
        }
    }
}

impl Default for Config {
    fn default() -> Config {
        let mut config = Config::blank();
        for row in ROWS {
            // The defaults are constants of the table, which a test checks.
            row.set_text(&mut config, row.default.as_bytes())
                .expect("a row's default is valid");
        }
        config
    }
}

impl Config {
    /// A path as the server's files are named: from `dir` on, which Redis makes its working directory.
    pub fn in_dir(&self, path: &Path) -> PathBuf {
        self.dir.join(path)
    }

    /// CONFIG GET: names and values of the options that match any of the patterns, each once. Without
    /// wildcards a pattern is a name, which comes back as it was written.
    pub fn get(&self, patterns: &[impl AsRef<[u8]>]) -> Vec<(String, Vec<u8>)> {
        let mut found: Vec<(String, Vec<u8>)> = Vec::new();
        let mut add = |name: &str, row: &Row| {
            if !found.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
                found.push((name.to_owned(), row.show(self)));
            }
        };
        for pattern in patterns.iter().map(AsRef::as_ref) {
            if pattern.iter().any(|byte| matches!(byte, b'[' | b'*' | b'?')) {
                let glob = Pattern::new(pattern, true);
                let shown = ROWS.iter().filter(|row| !row.flags.contains(Flags::HIDDEN));
                let names = shown.flat_map(|row| row.names().map(move |name| (name, row)));
                names
                    .filter(|(name, _)| glob.matches(name.as_bytes()))
                    .for_each(|(name, row)| add(name, row));
            } else if let Some((row, _)) = lookup(pattern) {
                add(&String::from_utf8_lossy(pattern), row);
            }
        }
        found
    }

    /// The options that were set to something else than their default, and have no effect here.
    pub fn without_effect(&self) -> Vec<&'static str> {
        let default = Config::default();
        let idle = |row: &&Row| row.flags.contains(Flags::NO_EFFECT) && row.show(self) != row.show(&default);
        ROWS.iter().filter(idle).map(|row| row.name).collect()
    }

    /// CONFIG SET: sets all of the pairs, or nothing. Returns the names of the options whose value is now
    /// another, for the caller to put into effect.
    ///
    /// # Errors
    /// The first pair that is refused, and why.
    pub fn set_many<T: AsRef<[u8]>>(
        &mut self,
        pairs: &[(T, T)],
        client_is_local: bool,
    ) -> Result<Vec<&'static str>, SetError> {
        let chosen = self.choose(pairs, client_is_local)?;
        let mut next = self.clone();
        let mut changed = Vec::new();
        for (choice, (_, value)) in chosen.iter().zip(pairs) {
            let row = choice.row;
            row.set_text(&mut next, value.as_ref())
                .map_err(|reason| SetError::failed(choice.name, reason))?;
            if row.show(&next) == row.show(self) {
                continue;
            }
            if row.flags.contains(Flags::STARTUP) {
                return Err(SetError::failed(choice.name, IMMUTABLE));
            }
            changed.push(row.name);
        }
        if changed.contains(&REQUIREPASS)
            && let Some(user) = &mut next.default_user
        {
            user.set_password(&next.requirepass);
        }
        *self = next;
        Ok(changed)
    }

    /// Whether the values of an option must stay out of logs.
    pub fn is_sensitive(option: &[u8]) -> bool {
        lookup(option).is_some_and(|(row, _)| row.flags.contains(Flags::SENSITIVE))
    }

    /// The options of the pairs, in their order, after every check that needs no value.
    fn choose<T: AsRef<[u8]>>(
        &self,
        pairs: &[(T, T)],
        client_is_local: bool,
    ) -> Result<Vec<Choice>, SetError> {
        let mut chosen: Vec<Choice> = Vec::with_capacity(pairs.len());
        for (written, _) in pairs {
            let written = String::from_utf8_lossy(written.as_ref());
            let Some((row, name)) = lookup(written.as_bytes()) else {
                return Err(SetError::UnknownOption(shown(written.as_bytes()).into_owned()));
            };
            let protected = row.flags.contains(Flags::PROTECTED)
                && !self.enable_protected_configs.allows(client_is_local);
            if row.flags.contains(Flags::IMMUTABLE) {
                return Err(SetError::failed(written, IMMUTABLE));
            } else if protected {
                return Err(SetError::failed(written, "can't set protected config"));
            } else if chosen.iter().any(|choice| choice.name == name) {
                return Err(SetError::failed(written, "duplicate parameter"));
            }
            chosen.push(Choice { row, name });
        }
        Ok(chosen)
    }
}

/// An option that CONFIG SET was asked to set, and by which of its names.
struct Choice {
    row: &'static Row,
    name: &'static str,
}

/// The option of a name or alias in any case, and that name as the table spells it.
fn lookup(name: &[u8]) -> Option<(&'static Row, &'static str)> {
    let names = ROWS
        .iter()
        .flat_map(|row| row.names().map(move |name| (row, name)));
    names
        .into_iter()
        .find(|(_, known)| known.as_bytes().eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests;
