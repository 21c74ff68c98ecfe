//! What is wrong with what is read, and where.

use std::io;

/// Why reading ends.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Whoever gives the bytes cannot.
    #[error("cannot read: {0}")]
    Io(#[from] io::Error),
    /// It does not begin as a dump does.
    #[error("not a dump of Redis or Valkey: it does not begin with REDIS or VALKEY and a version")]
    Foreign,
    /// The bytes make no sense.
    #[error("malformed at byte {at}: {what}")]
    Malformed {
        /// How many bytes were read before it was seen.
        at: u64,
        /// What makes no sense.
        what: &'static str,
    },
    /// The bytes may make sense, but not to this reader.
    #[error("not supported, at byte {at}: {what}")]
    Unsupported {
        /// How many bytes were read before it was seen.
        at: u64,
        /// What is not known.
        what: String,
    },
    /// All was read, and the sum at the end is that of other bytes.
    #[error("the checksum at the end is wrong: the dump is damaged")]
    Checksum,
}

/// What reading gives.
pub type Result<T> = std::result::Result<T, Error>;

/// What makes no sense in bytes that are in memory; the reader adds where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Broken(pub &'static str);
