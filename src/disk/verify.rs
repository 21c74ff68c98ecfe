//! Reading every byte of a store's tables, and holding it against its checksum: also what no read of a record comes by, as
//! filters, and blocks whose records were deleted.

use std::collections::BTreeMap;
use std::ptr;

use librocksdb_sys as ffi;
use rocksdb::{AsRawPtr, DB};

use super::error::take_text;
use super::format::Family;
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

/// The tables of a family in a level.
#[derive(Debug)]
pub struct TableLevel {
    /// The family's name in RocksDB.
    pub family: &'static str,
    /// The level's number.
    pub level: u64,
    /// How many tables there are.
    pub tables: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What they have of records, with those that were replaced since.
    pub entries: u64,
    /// Of these, those that say that a record was deleted.
    pub deletions: u64,
}

impl Disk {
    /// How tables lie in levels, those without tables left out.
    ///
    /// # Errors
    /// The store is closed, or cannot say which tables it has.
    pub fn levels(&self) -> Result<Vec<TableLevel>, ReadError> {
        let files = self.guard()?.live_files()?;
        let mut levels: BTreeMap<(usize, i32), TableLevel> = BTreeMap::new();
        for file in files {
            let family = Family::ALL
                .iter()
                .position(|family| family.name() == file.column_family_name);
            let Some(at) = family else { continue };
            let level = levels.entry((at, file.level)).or_insert_with(|| TableLevel {
                family: Family::ALL[at].name(),
                level: u64::try_from(file.level).unwrap_or(0),
                tables: 0,
                bytes: 0,
                entries: 0,
                deletions: 0,
            });
            level.tables += 1;
            level.bytes += file.size as u64;
            level.entries += file.num_entries;
            level.deletions += file.num_deletions;
        }
        Ok(levels.into_values().collect())
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
