//! The only user of RocksDB: opens the store, writes batches, reads records, walks ranges.
//!
//! Nothing here knows what a record means; `format` knows how each is spelled.

pub mod format;
mod options;
mod view;

use std::fmt;
use std::fs;
use std::path::Path;

use rocksdb::{ColumnFamily, ColumnFamilyDescriptor, DB, WriteBatch, WriteOptions};

pub use options::{Compression, DiskOptions};
pub use view::{View, Walk};

use format::{FORMAT_VERSION, Family, RecordKey};

/// How far a write must have come before it counts as done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Durability {
    /// In the hands of the operating system: survives the death of the process.
    Written,
    /// On stable storage: survives the loss of power.
    Synced,
}

/// Whether a write may wait for a stall (memtables full, compaction behind) to end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Patience {
    Wait,
    /// Give up at once with [`WriteError::WouldStall`].
    None,
}

#[derive(Debug)]
pub enum WriteError {
    WouldStall,
    /// The text of the I/O error. Nothing of the batch will be seen by readers.
    Failed(String),
}

#[derive(Debug)]
pub enum OpenError {
    /// Another process has the store open.
    InUse(String),
    /// The directory holds something else than a store of this format.
    Foreign(String),
    Io(String),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::InUse(text) => write!(f, "the data directory is in use by another process: {text}"),
            OpenError::Foreign(text) => write!(f, "not a data directory of this version of Redkeep: {text}"),
            OpenError::Io(text) => write!(f, "the data directory cannot be opened: {text}"),
        }
    }
}

impl std::error::Error for OpenError {}

/// An error while reading: I/O, or a checksum that does not match.
#[derive(Clone, Debug)]
pub struct ReadError(pub String);

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A set of records to write, all or nothing.
#[derive(Default)]
pub struct Batch {
    inner: WriteBatch,
}

impl Batch {
    pub fn put(&mut self, disk: &Disk, key: &RecordKey, value: &[u8]) {
        self.inner.put_cf(disk.cf(key.family()), key.key(), value);
    }

    pub fn delete(&mut self, disk: &Disk, key: &RecordKey) {
        self.inner.delete_cf(disk.cf(key.family()), key.key());
    }

    /// Deletes every record of `family` with `from <= key < to`.
    pub fn delete_range(&mut self, disk: &Disk, family: Family, from: &[u8], to: &[u8]) {
        self.inner.delete_range_cf(disk.cf(family), from, to);
    }

    pub fn len(&self) -> usize {
        self.inner.len()
    }

    pub fn is_empty(&self) -> bool {
        self.inner.is_empty()
    }

    pub fn size(&self) -> usize {
        self.inner.size_in_bytes()
    }
}

/// An open store.
pub struct Disk {
    db: DB,
    cache: rocksdb::Cache,
}

impl Disk {
    /// Opens the store in `dir`, or makes one where `dir` is empty or absent.
    pub fn open(dir: &Path, options: &DiskOptions) -> Result<Disk, OpenError> {
        fs::create_dir_all(dir).map_err(|e| OpenError::Io(format!("{}: {e}", dir.display())))?;
        let fresh = !dir.join("CURRENT").exists();
        let cache = options.cache();
        let db_options = options.database();
        if !fresh {
            refuse_unknown_families(dir, &db_options)?;
        }
        let families = Family::ALL.map(|f| ColumnFamilyDescriptor::new(f.name(), options.family(f, &cache)));
        let db = DB::open_cf_descriptors(&db_options, dir, families).map_err(open_error)?;
        let disk = Disk { db, cache };
        disk.check_format(fresh)?;
        Ok(disk)
    }

    fn check_format(&self, fresh: bool) -> Result<(), OpenError> {
        let key = RecordKey::format();
        let found = self.get(&key).map_err(|e| OpenError::Io(e.0))?;
        match found {
            Some(version) if version == FORMAT_VERSION.to_be_bytes() => Ok(()),
            Some(version) => Err(OpenError::Foreign(match <[u8; 4]>::try_from(&version[..]) {
                Ok(bytes) => format!(
                    "its format is {}, this program reads format {FORMAT_VERSION}",
                    u32::from_be_bytes(bytes)
                ),
                Err(_) => "its format record is damaged".to_owned(),
            })),
            None if fresh || self.is_empty()? => {
                let mut batch = Batch::default();
                batch.put(self, &key, &FORMAT_VERSION.to_be_bytes());
                self.write(batch, Durability::Synced, Patience::Wait)
                    .map_err(|e| OpenError::Io(format!("{e:?}")))
            }
            None => Err(OpenError::Foreign("it has no format record".to_owned())),
        }
    }

    /// A crash between the making of the store and its first write leaves it without a format record, and empty.
    fn is_empty(&self) -> Result<bool, OpenError> {
        for family in Family::ALL {
            let mut it = self.db.raw_iterator_cf(self.cf(family));
            it.seek_to_first();
            it.status().map_err(|e| OpenError::Io(e.to_string()))?;
            if it.valid() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn cf(&self, family: Family) -> &ColumnFamily {
        // Every family is named when the store is opened, and none is dropped.
        self.db
            .cf_handle(family.name())
            .unwrap_or_else(|| unreachable!("family {family:?}"))
    }

    pub fn write(&self, batch: Batch, to: Durability, patience: Patience) -> Result<(), WriteError> {
        let mut options = WriteOptions::default();
        options.set_sync(to == Durability::Synced);
        options.set_no_slowdown(patience == Patience::None);
        self.db
            .write_opt(batch.inner, &options)
            .map_err(|e| match e.kind() {
                rocksdb::ErrorKind::Incomplete => WriteError::WouldStall,
                _ => WriteError::Failed(e.into_string()),
            })
    }

    /// Brings everything written so far to stable storage.
    pub fn sync(&self) -> Result<(), WriteError> {
        self.db
            .flush_wal(true)
            .map_err(|e| WriteError::Failed(e.into_string()))
    }

    /// One record.
    pub fn get(&self, key: &RecordKey) -> Result<Option<Vec<u8>>, ReadError> {
        self.db
            .get_cf(self.cf(key.family()), key.key())
            .map_err(|e| ReadError(e.into_string()))
    }

    /// Many records of one family; `keys` must be sorted. `found` is called once for each, in their order.
    pub fn multi_get<'k>(
        &self,
        family: Family,
        keys: impl Iterator<Item = &'k RecordKey>,
        mut found: impl FnMut(Result<Option<&[u8]>, ReadError>),
    ) {
        let results = self
            .db
            .batched_multi_get_cf(self.cf(family), keys.map(RecordKey::key), true);
        for result in results {
            match &result {
                Ok(slice) => found(Ok(slice.as_deref())),
                Err(e) => found(Err(ReadError(e.to_string()))),
            }
        }
    }

    /// The store as it is now, for reads that must agree with each other.
    pub fn view(&self) -> View<'_> {
        View::new(self)
    }

    /// Writes the memtables out, so that the next start has no log to read.
    pub fn flush(&self) -> Result<(), WriteError> {
        let families = Family::ALL.map(|f| self.cf(f));
        let mut options = rocksdb::FlushOptions::default();
        options.set_wait(true);
        self.db
            .flush_cfs_opt(&families, &options)
            .map_err(|e| WriteError::Failed(e.into_string()))
    }

    /// Memory used by memtables and by the block cache, in bytes.
    pub fn memory(&self) -> (u64, u64) {
        let memtables = Family::ALL
            .map(|f| self.property(f, "rocksdb.cur-size-all-mem-tables"))
            .iter()
            .sum();
        (memtables, self.cache.get_usage() as u64)
    }

    /// An integer property of RocksDB, 0 where it has none of that name.
    pub fn property(&self, family: Family, name: &str) -> u64 {
        self.db
            .property_int_value_cf(self.cf(family), name)
            .ok()
            .flatten()
            .unwrap_or(0)
    }
}

fn refuse_unknown_families(dir: &Path, options: &rocksdb::Options) -> Result<(), OpenError> {
    let found = DB::list_cf(options, dir).map_err(open_error)?;
    match found
        .iter()
        .find(|name| Family::ALL.iter().all(|f| f.name() != name.as_str()))
    {
        Some(name) => Err(OpenError::Foreign(format!(
            "it has an unknown column family '{name}'"
        ))),
        None => Ok(()),
    }
}

fn open_error(error: rocksdb::Error) -> OpenError {
    let text = error.into_string();
    if text.contains("lock") || text.contains("LOCK") {
        OpenError::InUse(text)
    } else {
        OpenError::Io(text)
    }
}
