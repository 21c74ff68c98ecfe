//! The only user of RocksDB: opens the store, writes batches, reads records, walks ranges.
//!
//! Nothing here knows what a record means; `format` knows how each is spelled.

pub mod cells;
mod checkpoint;
pub mod delta;
pub mod format;
mod journal;
mod options;
mod view;

use std::fmt;
use std::fs;
use std::io;
use std::ops::Deref;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError, RwLock, RwLockReadGuard};

use rocksdb::{ColumnFamily, ColumnFamilyDescriptor, DB, WriteBatch, WriteOptions};

use checkpoint::Desk;
pub use checkpoint::{Checkpoint, WRITE_BUFFERS as CHECKPOINT_WRITE_BUFFERS};
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

impl fmt::Display for WriteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            WriteError::WouldStall => f.write_str("write stall"),
            WriteError::Failed(text) => f.write_str(text),
        }
    }
}

impl From<rocksdb::Error> for ReadError {
    fn from(error: rocksdb::Error) -> ReadError {
        ReadError(error.into_string())
    }
}

impl From<rocksdb::Error> for WriteError {
    fn from(error: rocksdb::Error) -> WriteError {
        WriteError::Failed(error.into_string())
    }
}

impl From<ReadError> for WriteError {
    fn from(error: ReadError) -> WriteError {
        WriteError::Failed(error.0)
    }
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
    records: usize,
    /// Of the journal's record among them.
    position: Option<u64>,
    /// The journal's record is longer than RocksDB takes.
    too_long: bool,
}

impl Batch {
    /// How many records it changes.
    pub fn len(&self) -> usize {
        self.records
    }

    pub fn is_empty(&self) -> bool {
        self.records == 0
    }

    pub fn size(&self) -> usize {
        self.inner.size_in_bytes()
    }
}

/// A batch in the making.
pub struct Builder<'d> {
    db: Held<'d>,
    inner: WriteBatch,
    /// Where the changes of most families go, and the position that it will have.
    journal: Option<(journal::Writer, u64)>,
}

/// Longest journal record, that is most bytes of one commit: RocksDB takes no value of 4 GiB.
const MOST_JOURNAL_BYTES: usize = 4 << 30;
/// From so many bytes on, the memory of a journal record is asked for at once: whatever the last one had.
const LARGE_RECORD: usize = 1 << 20;

impl<'d> Builder<'d> {
    fn over(db: Held<'d>) -> Builder<'d> {
        Builder {
            db,
            inner: WriteBatch::new(),
            journal: None,
        }
    }

    pub fn put(&mut self, key: &RecordKey, value: &[u8]) {
        match self.journal_of(key) {
            Some(journal) => journal.put(key, value),
            None => self.inner.put_cf(self.db.cf(key.family()), key.key(), value),
        }
    }

    /// Writes what changed in a record that is there: an operand of [`delta`].
    pub fn merge(&mut self, key: &RecordKey, operand: &[u8]) {
        match self.journal_of(key) {
            Some(journal) => journal.merge(key, operand),
            None => self.inner.merge_cf(self.db.cf(key.family()), key.key(), operand),
        }
    }

    pub fn delete(&mut self, key: &RecordKey) {
        match self.journal_of(key) {
            Some(journal) => journal.delete(key),
            None => self.inner.delete_cf(self.db.cf(key.family()), key.key()),
        }
    }

    /// Deletes every record of `family` with `from <= key < to`, passing by the journal.
    pub fn delete_range(&mut self, family: Family, from: &[u8], to: &[u8]) {
        self.inner.delete_range_cf(self.db.cf(family), from, to);
    }

    fn journal_of(&mut self, key: &RecordKey) -> Option<&mut journal::Writer> {
        let (journal, _) = self.journal.as_mut()?;
        Family::JOURNALED.contains(&key.family()).then_some(journal)
    }

    pub fn len(&self) -> usize {
        self.inner.len() + self.journal.as_ref().map_or(0, |(journal, _)| journal.changes)
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn finish(mut self) -> Batch {
        let records = self.len();
        let (mut too_long, mut position) = (false, None);
        if let Some((journal, at)) = self.journal.filter(|(journal, _)| journal.changes > 0) {
            let family = self.db.cf(Family::Journal);
            position = Some(at);
            too_long = journal.bytes.len() >= MOST_JOURNAL_BYTES;
            if !too_long {
                self.inner.put_cf(family, at.to_be_bytes(), journal.bytes);
            }
        }
        Batch {
            inner: self.inner,
            records,
            position,
            too_long,
        }
    }
}

/// A [`Guard`] of one's own, or someone's: who holds one must not wait for another.
enum Held<'d> {
    Own(Guard<'d>),
    Shared(&'d Guard<'d>),
}

impl<'d> Deref for Held<'d> {
    type Target = Guard<'d>;

    fn deref(&self) -> &Guard<'d> {
        match self {
            Held::Own(guard) => guard,
            Held::Shared(guard) => guard,
        }
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
    /// The position of the next record of the journal.
    next_position: AtomicU64,
    /// The position of the last one that was written without an error.
    committed: AtomicU64,
    /// The bytes of its batch.
    last_written: AtomicUsize,
    /// All that was in the journal up to here is in its families.
    applied: AtomicU64,
    /// Some families are ahead of others, as a checkpoint is under way or broke off: there is no view of that.
    torn: RwLock<bool>,
    /// A write or a sync failed since the store was opened.
    failed: AtomicBool,
    desk: Mutex<Desk>,
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
            next_position: AtomicU64::new(1),
            committed: AtomicU64::new(0),
            last_written: AtomicUsize::new(0),
            applied: AtomicU64::new(0),
            torn: RwLock::new(false),
            failed: AtomicBool::new(false),
            desk: Mutex::default(),
        };
        disk.check_format(fresh)?;
        disk.recover()?;
        Ok(disk)
    }

    /// Brings what a crash left in the journal to its families.
    fn recover(&self) -> Result<(), OpenError> {
        self.find_journal_end().map_err(|e| OpenError::Io(e.0))?;
        self.apply_journal().map_err(|e| OpenError::Io(e.to_string()))
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

    /// Begins a batch that is written to its families at once.
    pub fn batch(&self) -> Result<Builder<'_>, ReadError> {
        Ok(Builder::over(Held::Own(self.guard()?)))
    }

    /// Begins a batch that goes to the journal: its records are in their families after the next checkpoint. They have so
    /// many bytes, of which less may have to be written.
    pub fn journaled_batch(&self, bytes: usize) -> Result<Builder<'_>, ReadError> {
        let position = self.next_position.fetch_add(1, Ordering::Relaxed);
        let mut journal = journal::Writer::default();
        let usual = self.last_written.load(Ordering::Relaxed);
        let expected = if bytes < LARGE_RECORD {
            bytes.min(2 * usual)
        } else {
            bytes
        };
        journal.bytes.reserve_exact(expected);
        Ok(Builder {
            journal: Some((journal, position)),
            ..self.batch()?
        })
    }

    pub fn write(&self, batch: Batch, to: Durability, patience: Patience) -> Result<(), WriteError> {
        if batch.too_long {
            let text = format!("more than {MOST_JOURNAL_BYTES} bytes are to be written at once");
            return Err(WriteError::Failed(text));
        }
        let (db, size) = (self.guard()?, batch.size());
        let mut options = WriteOptions::default();
        options.set_sync(to == Durability::Synced);
        options.set_no_slowdown(patience == Patience::None);
        db.write_opt(batch.inner, &options).map_err(|e| match e.kind() {
            rocksdb::ErrorKind::Incomplete => WriteError::WouldStall,
            _ => self.note_failure(e),
        })?;
        if let Some(position) = batch.position {
            self.committed.store(position, Ordering::Relaxed);
            self.last_written.store(size, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Brings everything written so far to stable storage.
    pub fn sync(&self) -> Result<(), WriteError> {
        let db = self.guard().map_err(|e| WriteError::Failed(e.0))?;
        db.flush_wal(true).map_err(|e| self.note_failure(e))
    }

    fn note_failure(&self, error: rocksdb::Error) -> WriteError {
        self.failed.store(true, Ordering::Relaxed);
        error.into()
    }

    /// Closes and opens the store: after a failed write RocksDB takes no more, and its log ends in a torn record, which
    /// opening cuts off. Does nothing while there is too little room for it. Everything that reads waits. No checkpoint may
    /// be under way.
    pub fn reopen(&self) -> Result<(), OpenError> {
        self.check_room()
            .map_err(|e| OpenError::Io(format!("no room: {e}")))?;
        let mut db = self.db.write().unwrap_or_else(PoisonError::into_inner);
        *db = None;
        *db = Some(open_db(&self.dir, &self.options, &self.cache)?);
        drop(db);
        self.failed.store(false, Ordering::Relaxed);
        // The log may have lost what it did not sync, or kept what it could not.
        self.applied.store(0, Ordering::Relaxed);
        self.drop_uncommitted()
            .map_err(|e| OpenError::Io(e.to_string()))?;
        self.recover()
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
                // What it holds of the journal is written twice: as it is, and brought to its families.
                needed += 2 * entry.metadata()?.len();
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
        db.get_cf(db.cf(key.family()), key.key()).map_err(ReadError::from)
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
        let mut guard = self.guard();
        let torn = self.torn.read().unwrap_or_else(PoisonError::into_inner);
        if *torn {
            guard = Err(ReadError("a checkpoint could not be finished".to_owned()));
        }
        let view = View::new(guard.as_ref());
        drop(torn);
        body(&view)
    }

    /// Writes the memtables out, so that the next start has no log to read.
    pub fn flush(&self) -> Result<(), WriteError> {
        let db = self.guard().map_err(|e| WriteError::Failed(e.0))?;
        let families = Family::ALL.map(|f| db.cf(f));
        let mut options = rocksdb::FlushOptions::default();
        options.set_wait(true);
        db.flush_cfs_opt(&families, &options).map_err(WriteError::from)
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
        self.property_of(&Guard(guard), family, name)
    }

    fn property_of(&self, db: &Guard, family: Family, name: &str) -> u64 {
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
