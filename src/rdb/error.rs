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

/// What goes wrong within a value.
pub(super) enum Fault {
    /// As a reader says it.
    Error(Error),
    /// Bytes in memory make no sense.
    Broken(Broken),
}

impl From<Error> for Fault {
    fn from(error: Error) -> Fault {
        Fault::Error(error)
    }
}

impl From<Broken> for Fault {
    fn from(broken: Broken) -> Fault {
        Fault::Broken(broken)
    }
}

/// Why an item is not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Whoever takes the bytes cannot.
    #[error("cannot write: {0}")]
    Io(#[from] io::Error),
    /// The target has no form for the key's value. It is told at the key's end; of the key nothing is written then, and the
    /// writer goes on with the next.
    #[error("{target} cannot hold it: {why}")]
    CannotHold {
        /// The target's name.
        target: &'static str,
        /// What it cannot hold.
        why: &'static str,
    },
    /// The items do not come in their order.
    #[error("an item is out of place: {0}")]
    Misplaced(&'static str),
}
