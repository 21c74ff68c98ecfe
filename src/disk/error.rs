//! What can go wrong with a store, told apart by kind.

use std::fmt;

use rocksdb::ErrorKind;

use super::format::Malformed;

#[derive(Debug)]
pub enum WriteError {
    WouldStall,
    /// The text of the I/O error. Nothing of the batch will be seen by readers.
    Failed(String),
    /// Something on disk is not what was written: the text says what. Likewise.
    Damaged(String),
}

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WriteError::WouldStall => f.write_str("write stall"),
            WriteError::Failed(text) => f.write_str(text),
            WriteError::Damaged(text) => write!(
                f,
                "{text}. The store is damaged: stop the server, and see `redkeep-tool check` and `redkeep-tool repair`"
            ),
        }
    }
}

/// An error while reading: I/O, or damage, as a checksum that does not match.
#[derive(Clone, Debug)]
pub struct ReadError(pub String, Cause);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Cause {
    Failure,
    Damage,
}

impl ReadError {
    pub fn failed(text: impl Into<String>) -> ReadError {
        ReadError(text.into(), Cause::Failure)
    }

    /// What was read is not what was written.
    pub fn damaged(text: impl Into<String>) -> ReadError {
        ReadError(text.into(), Cause::Damage)
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a store is not opened. It is left as it is.
#[derive(Debug)]
pub enum OpenError {
    /// Another process has the store open.
    InUse(String),
    /// There is none, and none is to be made.
    Absent(String),
    /// The directory holds something else than a store of this format.
    Foreign(String),
    /// Something of the store is not as it was written, or missing.
    Damaged(String),
    Io(String),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::InUse(text) => write!(f, "the data directory is in use by another process: {text}"),
            OpenError::Absent(text) => write!(f, "there is no store: {text}"),
            OpenError::Foreign(text) => write!(f, "not a data directory of this version of Redkeep: {text}"),
            OpenError::Damaged(text) => write!(
                f,
                "the data directory is damaged, and left as it is: {text}. Restore it from a backup, or see what `redkeep-tool \
                 repair` can keep"
            ),
            OpenError::Io(text) => write!(f, "the data directory cannot be opened: {text}"),
        }
    }
}

impl std::error::Error for OpenError {}

impl From<rocksdb::Error> for ReadError {
    fn from(error: rocksdb::Error) -> ReadError {
        match error.kind() {
            ErrorKind::Corruption => ReadError::damaged(error.into_string()),
            _ => ReadError::failed(error.into_string()),
        }
    }
}

impl From<Malformed> for ReadError {
    fn from(malformed: Malformed) -> ReadError {
        ReadError::damaged(malformed.to_string())
    }
}

impl From<rocksdb::Error> for WriteError {
    fn from(error: rocksdb::Error) -> WriteError {
        ReadError::from(error).into()
    }
}

impl From<ReadError> for WriteError {
    fn from(error: ReadError) -> WriteError {
        match error.1 {
            Cause::Failure => WriteError::Failed(error.0),
            Cause::Damage => WriteError::Damaged(error.0),
        }
    }
}

impl From<rocksdb::Error> for OpenError {
    fn from(error: rocksdb::Error) -> OpenError {
        ReadError::from(error).into()
    }
}

impl From<ReadError> for OpenError {
    fn from(error: ReadError) -> OpenError {
        match error.1 {
            Cause::Failure => OpenError::Io(error.0),
            Cause::Damage => OpenError::Damaged(error.0),
        }
    }
}

impl From<WriteError> for OpenError {
    fn from(error: WriteError) -> OpenError {
        match error {
            WriteError::Damaged(text) => OpenError::Damaged(text),
            error => OpenError::Io(error.to_string()),
        }
    }
}
