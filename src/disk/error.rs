//! What can go wrong with a store, told apart by kind.

use std::ffi::{CStr, c_char};

use librocksdb_sys as ffi;
use rocksdb::ErrorKind;
use thiserror::Error;

use super::format::Malformed;

/// The text that a function of RocksDB's C interface has left, if it failed.
///
/// # Safety
/// `error` is null, or what such a function has put where it was told to; that is freed here.
pub unsafe fn take_text(error: *mut c_char) -> Option<String> {
    if error.is_null() {
        return None;
    }
    // SAFETY: RocksDB ends its texts with a null byte, and has them freed by who takes them.
    unsafe {
        let text = CStr::from_ptr(error).to_string_lossy().into_owned();
        ffi::rocksdb_free(error.cast());
        Some(text)
    }
}

/// Why a batch was not written.
#[derive(Debug, Error)]
pub enum WriteError {
    /// RocksDB would have held the writer up, which did not want to wait.
    #[error("write stall")]
    WouldStall,
    /// The text of the I/O error. Nothing of the batch will be seen by readers.
    #[error("{0}")]
    Failed(String),
    /// Something on disk is not what was written: the text says what. Likewise.
    #[error(
        "{0}. The store is damaged: stop the server, and see `redkeep-tool check` and `redkeep-tool repair`"
    )]
    Damaged(String),
}

/// An error while reading: I/O, or damage, as a checksum that does not match.
#[derive(Clone, Debug, Error)]
#[error("{0}")]
pub struct ReadError(pub String, Cause);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Cause {
    Failure,
    Damage,
}

impl ReadError {
    /// The system or RocksDB could not read.
    pub fn failed(text: impl Into<String>) -> ReadError {
        ReadError(text.into(), Cause::Failure)
    }

    /// What was read is not what was written.
    pub fn damaged(text: impl Into<String>) -> ReadError {
        ReadError(text.into(), Cause::Damage)
    }
}

/// Why a store is not opened. It is left as it is.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Another process has the store open.
    #[error("the data directory is in use by another process: {0}")]
    InUse(String),
    /// There is none, and none is to be made.
    #[error("there is no store: {0}")]
    Absent(String),
    /// The directory holds something else than a store of this format.
    #[error("not a data directory of this version of Redkeep: {0}")]
    Foreign(String),
    /// Something of the store is not as it was written, or missing.
    #[error(
        "the data directory is damaged, and left as it is: {0}. Restore it from a backup, or see what `redkeep-tool repair` can \
         keep"
    )]
    Damaged(String),
    /// The system could not open it.
    #[error("the data directory cannot be opened: {0}")]
    Io(String),
}

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
