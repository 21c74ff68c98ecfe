//! The only user of RocksDB: opens the store, writes batches, reads records, walks ranges.
//!
//! Nothing here knows what a record means; `format` knows how each is spelled.

pub mod cells;
pub mod delta;
pub mod format;
mod options;
mod view;

use std::fmt;
use std::fs;
use std::io;
use std::ops::Deref;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock, RwLockReadGuard};

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
pub struct Batch {
    inner: WriteBatch,
}

impl Batch {
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

/// A batch in the making.
pub struct Builder<'d> {
    db: Guard<'d>,
    inner: WriteBatch,
}

impl Builder<'_> {
    pub fn put(&mut self, key: &RecordKey, value: &[u8]) {
        self.inner.put_cf(self.db.cf(key.family()), key.key(), value);
    }

    /// Writes what changed in a record that is there: an operand of [`delta`].
    pub fn merge(&mut self, key: &RecordKey, operand: &[u8]) {
        self.inner.merge_cf(self.db.cf(key.family()), key.key(), operand);
    }

    pub fn delete(&mut self, key: &RecordKey) {
        self.inner.delete_cf(self.db.cf(key.family()), key.key());
    }

    /// Deletes every record of `family` with `from <= key < to`.
    pub fn delete_range(&mut self, family: Family, from: &[u8], to: &[u8]) {
        self.inner.delete_range_cf(self.db.cf(family), from, to);
    }

    pub fn len(&self) -> usize {
        self.inner.len()
    }

    pub fn is_empty(&self) -> bool {
        self.inner.is_empty()
    }

    pub fn finish(self) -> Batch {
        Batch { inner: self.inner }
    }
}

/// The open database; held for one use.
struct Guard<'d>(RwLockReadGuard<'d, Option<DB>>);

impl Guard<'_> {
    fn cf(&self, family: Family) -> &ColumnFamily {
        // Every family is named when the store is opened, and none is dropped.
        self.cf_handle(family.name())
            .unwrap_or_else(|| unreachable!("family {family:?}"))
    }
}

impl Deref for Guard<'_> {
    type Target = DB;

    fn deref(&self) -> &DB {
        self.0
            .as_ref()
            .unwrap_or_else(|| unreachable!("a guard is made of an open database only"))
    }
}

/// An open store. After a failed write it has to be [reopened](Disk::reopen) before it takes writes again; while that is
/// under way nothing can be read either.
pub struct Disk {
    db: RwLock<Option<DB>>,
    dir: PathBuf,
    options: DiskOptions,
    cache: rocksdb::Cache,
}

/// Room beside the log that has to be there before a store that ran out of it is opened again, in bytes.
const REOPEN_ROOM: u64 = 4 << 20;

impl Disk {
    /// Opens the store in `dir`, or makes one where `dir` is empty or absent.
    pub fn open(dir: &Path, options: &DiskOptions) -> Result<Disk, OpenError> {
        fs::create_dir_all(dir).map_err(|e| OpenError::Io(format!("{}: {e}", dir.display())))?;
        let fresh = !dir.join("CURRENT").exists();
        let cache = options.cache();
        if !fresh {
            refuse_unknown_families(dir, &options.database())?;
        }
        let db = open_db(dir, options, &cache)?;
        let disk = Disk {
            db: RwLock::new(Some(db)),
            dir: dir.to_owned(),
            options: *options,
            cache,
        };
        disk.check_format(fresh)?;
        Ok(disk)
    }

    fn check_format(&self, fresh: bool) -> Result<(), OpenError> {
        let io = |e: ReadError| OpenError::Io(e.0);
        let key = RecordKey::format();
        match self.get(&key).map_err(io)? {
            Some(version) if version == FORMAT_VERSION.to_be_bytes() => Ok(()),
            Some(version) => Err(OpenError::Foreign(match <[u8; 4]>::try_from(&version[..]) {
                Ok(bytes) => format!(
                    "its format is {}, this program reads format {FORMAT_VERSION}",
                    u32::from_be_bytes(bytes)
                ),
                Err(_) => "its format record is damaged".to_owned(),
            })),
            None if fresh || self.is_empty().map_err(io)? => {
                let mut batch = self.batch().map_err(io)?;
                batch.put(&key, &FORMAT_VERSION.to_be_bytes());
                self.write(batch.finish(), Durability::Synced, Patience::Wait)
                    .map_err(|e| OpenError::Io(format!("{e:?}")))
            }
            None => Err(OpenError::Foreign("it has no format record".to_owned())),
        }
    }

    /// A crash between the making of the store and its first write leaves it without a format record, and empty.
    fn is_empty(&self) -> Result<bool, ReadError> {
        self.with_view(|view| {
            for family in Family::ALL {
                if view.walk(family, b"", None)?.next_record()?.is_some() {
                    return Ok(false);
                }
            }
            Ok(true)
        })
    }

    fn guard(&self) -> Result<Guard<'_>, ReadError> {
        let guard = self.db.read().unwrap_or_else(PoisonError::into_inner);
        if guard.is_none() {
            return Err(ReadError(
                "the store is closed after an error on its disk".to_owned(),
            ));
        }
        Ok(Guard(guard))
    }

    /// Begins a batch.
    pub fn batch(&self) -> Result<Builder<'_>, ReadError> {
        Ok(Builder {
            db: self.guard()?,
            inner: WriteBatch::new(),
        })
    }

    pub fn write(&self, batch: Batch, to: Durability, patience: Patience) -> Result<(), WriteError> {
        let db = self.guard().map_err(|e| WriteError::Failed(e.0))?;
        let mut options = WriteOptions::default();
        options.set_sync(to == Durability::Synced);
        options.set_no_slowdown(patience == Patience::None);
        db.write_opt(batch.inner, &options).map_err(|e| match e.kind() {
            rocksdb::ErrorKind::Incomplete => WriteError::WouldStall,
            _ => WriteError::Failed(e.into_string()),
        })
    }

    /// Brings everything written so far to stable storage.
    pub fn sync(&self) -> Result<(), WriteError> {
        let db = self.guard().map_err(|e| WriteError::Failed(e.0))?;
        db.flush_wal(true)
            .map_err(|e| WriteError::Failed(e.into_string()))
    }

    /// Closes and opens the store: after a failed write RocksDB takes no more, and its log ends in a torn record, which
    /// opening cuts off. Does nothing while there is too little room for it. Everything that reads waits.
    pub fn reopen(&self) -> Result<(), OpenError> {
        self.check_room()
            .map_err(|e| OpenError::Io(format!("no room: {e}")))?;
        let mut db = self.db.write().unwrap_or_else(PoisonError::into_inner);
        *db = None;
        *db = Some(open_db(&self.dir, &self.options, &self.cache)?);
        Ok(())
    }

    /// Whether what is in the log could be written out again: opening does that.
    fn check_room(&self) -> io::Result<()> {
        let mut needed = REOPEN_ROOM;
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            if entry
                .path()
                .extension()
                .is_some_and(|extension| extension == "log")
            {
                needed += entry.metadata()?.len();
            }
        }
        let probe = tempfile::tempfile_in(&self.dir)?;
        // SAFETY: a plain system call on a descriptor that is open; the file has no name and goes with it.
        match unsafe { libc::posix_fallocate(probe.as_raw_fd(), 0, needed as libc::off_t) } {
            0 => Ok(()),
            code => Err(io::Error::from_raw_os_error(code)),
        }
    }

    /// One record.
    pub fn get(&self, key: &RecordKey) -> Result<Option<Vec<u8>>, ReadError> {
        let db = self.guard()?;
        db.get_cf(db.cf(key.family()), key.key())
            .map_err(|e| ReadError(e.into_string()))
    }

    /// Many records of one family; `keys` must be sorted. `found` is called once for each, in their order.
    pub fn multi_get<'k>(
        &self,
        family: Family,
        keys: impl Iterator<Item = &'k RecordKey>,
        mut found: impl FnMut(Result<Option<&[u8]>, ReadError>),
    ) {
        let db = match self.guard() {
            Ok(db) => db,
            Err(e) => return keys.for_each(|_| found(Err(e.clone()))),
        };
        let results = db.batched_multi_get_cf(db.cf(family), keys.map(RecordKey::key), true);
        for result in results {
            match &result {
                Ok(slice) => found(Ok(slice.as_deref())),
                Err(e) => found(Err(ReadError(e.to_string()))),
            }
        }
    }

    /// Lends the store as it is now, for reads that must agree with each other.
    pub fn with_view<T>(&self, body: impl FnOnce(&View<'_>) -> T) -> T {
        let guard = self.guard();
        body(&View::new(guard.as_ref()))
    }

    /// Writes the memtables out, so that the next start has no log to read.
    pub fn flush(&self) -> Result<(), WriteError> {
        let db = self.guard().map_err(|e| WriteError::Failed(e.0))?;
        let families = Family::ALL.map(|f| db.cf(f));
        let mut options = rocksdb::FlushOptions::default();
        options.set_wait(true);
        db.flush_cfs_opt(&families, &options)
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
        // Not worth a wait while the store is being opened again.
        let Ok(guard) = self.db.try_read() else { return 0 };
        if guard.is_none() {
            return 0;
        }
        let db = Guard(guard);
        db.property_int_value_cf(db.cf(family), name)
            .ok()
            .flatten()
            .unwrap_or(0)
    }
}

fn open_db(dir: &Path, options: &DiskOptions, cache: &rocksdb::Cache) -> Result<DB, OpenError> {
    let families = Family::ALL.map(|f| ColumnFamilyDescriptor::new(f.name(), options.family(f, cache)));
    DB::open_cf_descriptors(&options.database(), dir, families).map_err(open_error)
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
