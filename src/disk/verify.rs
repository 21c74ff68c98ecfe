//! Reading every byte of a store's tables, and holding it against its checksum: also what no read of a record comes by, as
//! filters, and blocks whose records were deleted.

use std::ptr;

use librocksdb_sys as ffi;
use rocksdb::{AsRawPtr, DB};

use super::error::take_text;
use super::{Disk, ReadError};

/// What [`Disk::verify`] found.
#[derive(Debug)]
pub struct Verified {
    /// Tables of all families.
    pub tables: usize,
    /// What is wrong with the first of them that is damaged.
    pub fault: Option<String>,
}

impl Disk {
    /// Reads all tables. Blocks.
    ///
    /// # Errors
    /// The store is closed, or cannot say which tables it has. Damage is no error: it is in what is returned.
    pub fn verify(&self) -> Result<Verified, ReadError> {
        let db = self.guard()?;
        let tables = db.live_files()?.len();
        Ok(Verified {
            tables,
            fault: check_tables(&db),
        })
    }
}

fn check_tables(db: &DB) -> Option<String> {
    let mut error = ptr::null_mut();
    // SAFETY: the database is open for as long as it is borrowed, and `error` is where RocksDB puts a text of its own.
    unsafe {
        ffi::rocksdb_verify_checksum(db.as_raw_ptr(), &mut error);
        take_text(error)
    }
}
