//! Giving back: the space of what was deleted, and the memory that went into writing it.

use std::sync::PoisonError;
use std::sync::atomic::Ordering::Relaxed;

use rocksdb::{BottommostLevelCompaction, CompactOptions};

use super::checkpoint::Scratch;
use super::format::Family;
use super::{Disk, ReadError, WriteError};

impl Disk {
    /// Writes the tables anew without what was deleted, as far as no view sees it, and the memtables out, so that memory and
    /// logs are free. Takes about as long as reading all of it. Blocks; ends early once the store is [closing](Disk::end_work).
    ///
    /// # Errors
    /// The store is closed, or a table cannot be read or written. What was written anew by then stays.
    pub fn compact(&self) -> Result<(), WriteError> {
        // Memory first: the rest takes longer.
        self.flush()?;
        *self.scratch.lock().unwrap_or_else(PoisonError::into_inner) = Scratch::default();
        self.empty_cache();
        for family in Family::ALL {
            if self.is_ending.load(Relaxed) {
                return Ok(());
            }
            self.compact_family(family)?;
        }
        self.flush()?;
        // What is in it by now is of tables that are gone.
        self.empty_cache();
        self.options.renew_threads();
        Ok(())
    }

    fn empty_cache(&self) {
        let mut cache = self.cache.clone();
        cache.set_capacity(0);
        cache.set_capacity(self.options.block_cache);
    }

    fn compact_family(&self, family: Family) -> Result<(), ReadError> {
        let mut options = CompactOptions::default();
        // What compacts by itself goes on meanwhile.
        options.set_exclusive_manual_compaction(false);
        // The lowest level, too: that is where most of it is.
        options.set_bottommost_level_compaction(BottommostLevelCompaction::ForceOptimized);
        let db = self.guard()?;
        // What goes wrong is an error of the store from then on, which the next write meets.
        db.compact_range_cf_opt(db.cf(family), None::<&[u8]>, None::<&[u8]>, &options);
        Ok(())
    }

    /// Bytes of all tables.
    pub fn table_bytes(&self) -> u64 {
        Family::ALL
            .into_iter()
            .map(|family| self.property(family, "rocksdb.total-sst-files-size"))
            .sum()
    }

    /// Ends what RocksDB does by itself and [`Disk::compact`]: for the end of the process, as nothing can be flushed after it.
    pub fn end_work(&self) {
        self.is_ending.store(true, Relaxed);
        if let Ok(db) = self.guard() {
            db.cancel_all_background_work(false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::testing::open;
    use crate::disk::{Builder, Durability, Patience, RecordKey};

    #[test]
    fn what_was_deleted_takes_no_space_once_the_tables_are_written_anew() {
        let dir = tempfile::tempdir().unwrap();
        let disk = open(dir.path());
        let write = |batch: Builder| {
            disk.write(batch.finish(), Durability::Written, Patience::Wait)
                .unwrap();
        };
        for n in 0..8000u64 {
            let mut batch = disk.batch().unwrap();
            batch.put(&RecordKey::bucket(1 + n % 8, n as u32), &[n as u8; 1000]);
            write(batch);
        }
        disk.flush().unwrap();
        let full = disk.table_bytes();
        assert!(full > 8_000_000, "{full}");
        let mut batch = disk.batch().unwrap();
        batch.delete_range(Family::Bucket, &2u64.to_be_bytes(), &9u64.to_be_bytes());
        write(batch);
        disk.compact().unwrap();
        let left = disk.table_bytes();
        assert!((1_000_000..1_200_000).contains(&left), "{left}");
        assert_eq!(disk.get(&RecordKey::bucket(1, 8)).unwrap(), Some(vec![8; 1000]));
        assert_eq!(disk.get(&RecordKey::bucket(2, 9)).unwrap(), None);
        // Nothing is left in logs either.
        let logs = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap());
        let logs = logs.filter(|entry| {
            entry
                .path()
                .extension()
                .is_some_and(|extension| extension == "log")
        });
        let logged: u64 = logs.map(|entry| entry.metadata().unwrap().len()).sum();
        assert!(logged < 10_000, "{logged}");
    }
}
