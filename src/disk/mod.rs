//! The only user of RocksDB: opens the store, writes batches, reads records, walks ranges.
//!
//! Nothing here knows what a record means; `format` knows how each is spelled.
//!
//! | file | what it is about |
//! |---|---|
//! | `open`, `directory`, `lock`, `identity`, `log_file` | opening a store, or refusing to, and touching nothing then |
//! | `opened`, `view`, `overlay`, `read_only` | reading |
//! | `batch`, `journal`, `delta` | writing |
//! | `checkpoint`, `runs`, `marks` | bringing what the journal holds to its families |
//! | `compact` | giving back the space of what was deleted |
//! | `verify` | reading every byte |
//! | `staged` | changing a store aside, all or nothing |

mod batch;
pub mod cells;
mod checkpoint;
mod compact;
#[cfg(test)]
mod damage_tests;
pub mod delta;
mod directory;
mod error;
mod flush;
pub mod format;
mod identity;
mod journal;
mod lock;
mod log_file;
mod marks;
mod open;
mod opened;
mod options;
mod overlay;
mod read_only;
mod runs;
mod staged;
#[cfg(test)]
mod testing;
mod verify;
mod view;

use std::fs::File;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};

use rocksdb::WriteOptions;

use batch::LARGE_RECORD;
pub use batch::{Batch, Builder};
use checkpoint::Scratch;
pub use checkpoint::{Checkpoint, WRITE_BUFFERS as CHECKPOINT_WRITE_BUFFERS};
pub use directory::Creation;
pub use error::{OpenError, ReadError, WriteError};
use flush::Flush;
use format::{Family, RecordKey};
use identity::Notes;
use journal::{JournalKey, SharedPosition};
use opened::{Guard, Held, Opened};
pub use options::{Compression, DiskOptions};
pub use staged::Staged;
pub use verify::TableLevel;
#[cfg(test)]
pub use view::passed_over;
pub use view::{View, Walk};

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
    /// Until the stall ends.
    Wait,
    /// Give up at once with [`WriteError::WouldStall`].
    None,
}

/// An open store. After a failed write it has to be [reopened](Disk::reopen) before it takes writes again; while that is
/// under way nothing can be read either.
pub struct Disk {
    db: RwLock<Option<Opened>>,
    /// Held while families lack what the journal has, as the store is being opened again: who reads waits.
    lacks_journal: RwLock<()>,
    dir: PathBuf,
    /// Held as long as the store is open.
    _lock: File,
    options: DiskOptions,
    cache: rocksdb::Cache,
    /// What marks the journal's records.
    tag: [u8; 4],
    /// What is known to be on stable storage, and where that is noted.
    notes: Mutex<Notes>,
    /// The MANIFEST and its length, as seen when that was last noted.
    manifest_seen: Mutex<(u64, u64)>,
    /// The position of the last record of the journal that was written without an error.
    committed: SharedPosition,
    /// The bytes of its batch.
    last_written: AtomicUsize,
    /// All that was in the journal up to here is in its families.
    checkpointed: SharedPosition,
    /// Some families are ahead of others, as a checkpoint is under way or broke off: there is no view of that.
    is_partial: RwLock<bool>,
    /// A write or a sync failed since the store was opened.
    failed: AtomicBool,
    /// The process is about to end.
    is_ending: AtomicBool,
    scratch: Mutex<Scratch>,
    /// About how many deletes of keys the memtable has.
    deletes_in_memtable: AtomicUsize,
}

impl Disk {
    fn guard(&self) -> Result<Guard<'_>, ReadError> {
        let opened = self.db.read().unwrap_or_else(PoisonError::into_inner);
        Guard::of(opened).ok_or_else(|| ReadError::failed("the store is closed after an error on its disk"))
    }

    /// As [`Disk::guard`], for what reads records.
    fn guard_to_read(&self) -> Result<Guard<'_>, ReadError> {
        let whole = self.lacks_journal.read().unwrap_or_else(PoisonError::into_inner);
        let guard = self.guard();
        drop(whole);
        guard
    }

    /// Begins a batch that is written to its families at once.
    ///
    /// # Errors
    /// The store is closed.
    pub fn batch(&self) -> Result<Builder<'_>, ReadError> {
        Ok(Builder::over(Held::Own(self.guard()?)))
    }

    /// Begins a batch that goes to the journal: its records are in their families after the next checkpoint. They have so
    /// many bytes, of which less may have to be written. One is made after the other was written, or given up: both would have
    /// the same position.
    ///
    /// # Errors
    /// The store is closed.
    pub fn journaled_batch(&self, bytes: usize) -> Result<Builder<'_>, ReadError> {
        let key = JournalKey {
            position: self.committed.load(Ordering::Relaxed).next(),
            store: Some(self.tag),
        };
        let usual = self.last_written.load(Ordering::Relaxed);
        let expected = if bytes < LARGE_RECORD {
            bytes.min(2 * usual)
        } else {
            bytes
        };
        Ok(Builder::journaled(Held::Own(self.guard()?), key, expected))
    }

    /// Writes a batch: all of it, or nothing.
    ///
    /// # Errors
    /// [`WriteError::WouldStall`] without patience only. After an error of RocksDB the store must be [reopened](Disk::reopen).
    pub fn write(&self, batch: Batch, to: Durability, patience: Patience) -> Result<(), WriteError> {
        if batch.too_long {
            let text = format!(
                "more than {} bytes are to be written at once",
                batch::MOST_JOURNAL_BYTES
            );
            return Err(WriteError::Failed(text));
        }
        let (db, size) = (self.guard()?, batch.size());
        if let Some(reason) = db.why_only_read() {
            return Err(WriteError::Failed(reason.to_owned()));
        }
        if patience == Patience::Wait {
            db.await_compactions()
                .inspect_err(|_| self.failed.store(true, Ordering::Relaxed))?;
        }
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
            if to == Durability::Synced {
                self.note_synced(position);
            }
        }
        Ok(())
    }

    /// Brings everything written so far to stable storage.
    ///
    /// # Errors
    /// The store is closed, or the log cannot be synced: then it has to be [reopened](Disk::reopen).
    pub fn sync(&self) -> Result<(), WriteError> {
        let db = self.guard()?;
        let committed = self.committed.load(Ordering::Relaxed);
        db.flush_wal(true).map_err(|e| self.note_failure(e))?;
        drop(db);
        self.note_files();
        self.note_synced(committed);
        Ok(())
    }

    /// Why nothing can be written, if the store could only be opened for reading.
    pub fn read_only(&self) -> Option<String> {
        self.guard().ok()?.why_only_read().map(str::to_owned)
    }

    fn note_failure(&self, error: rocksdb::Error) -> WriteError {
        self.failed.store(true, Ordering::Relaxed);
        error.into()
    }

    /// One record.
    ///
    /// # Errors
    /// It cannot be read or is damaged, or the store is closed.
    pub fn get(&self, key: &RecordKey) -> Result<Option<Vec<u8>>, ReadError> {
        self.guard_to_read()?.read(key)
    }

    /// Many records of one family; `keys` must be sorted. `found` is called once for each, in their order.
    pub fn multi_get<'k>(
        &self,
        family: Family,
        keys: impl Iterator<Item = &'k RecordKey>,
        mut found: impl FnMut(Result<Option<&[u8]>, ReadError>),
    ) {
        let db = match self.guard_to_read() {
            Ok(db) => db,
            Err(e) => return keys.for_each(|_| found(Err(e.clone()))),
        };
        if db.overlay().is_some() {
            return keys.for_each(|key| match db.read(key) {
                Ok(value) => found(Ok(value.as_deref())),
                Err(e) => found(Err(e)),
            });
        }
        let results = db.batched_multi_get_cf(db.cf(family), keys.map(RecordKey::key), true);
        for result in results {
            match &result {
                Ok(slice) => found(Ok(slice.as_deref())),
                Err(e) => found(Err(e.clone().into())),
            }
        }
    }

    /// Lends the store as it is now, for reads that must agree with each other.
    pub fn with_view<T>(&self, body: impl FnOnce(&View<'_>) -> T) -> T {
        self.with_view_until(None, body)
    }

    /// As [`Disk::with_view`]; reads end with an error once `stop` is set.
    pub fn with_view_until<T>(&self, stop: Option<&AtomicBool>, body: impl FnOnce(&View<'_>) -> T) -> T {
        let mut guard = self.guard_to_read();
        let is_partial = self.is_partial.read().unwrap_or_else(PoisonError::into_inner);
        if *is_partial {
            guard = Err(ReadError::failed("a checkpoint could not be finished"));
        }
        let view = View::new(guard.as_ref(), stop);
        drop(is_partial);
        body(&view)
    }

    /// Writes the memtables out, so that the next start has no log to read.
    ///
    /// # Errors
    /// The store is closed, or a table cannot be written.
    pub fn flush(&self) -> Result<(), WriteError> {
        self.guard()?.flush_families(&Family::ALL, Flush::Ended)
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
        Guard::of(guard).map_or(0, |db| db.property(family, name))
    }
}
