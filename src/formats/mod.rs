//! Formats of dumps beside Redis's own, each of a stream of items (`rdb/item.rs`): lines of JSON, and commands as Redis's
//! protocol has them. Pure codecs, that know no store; both take memory for a few pieces of a value.

pub mod commands;
pub mod json;
mod json_read;
mod json_text;
mod json_value;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;

/// Why a dump cannot be read or written.
#[derive(Debug)]
pub enum FormatError {
    /// What it is read from, or written to, fails.
    Io(io::Error),
    /// It is not in this format: where, and what is wrong.
    Malformed(String),
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FormatError::Io(e) => e.fmt(f),
            FormatError::Malformed(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for FormatError {}

impl From<io::Error> for FormatError {
    fn from(error: io::Error) -> FormatError {
        FormatError::Io(error)
    }
}
