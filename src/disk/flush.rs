//! Writing memtables out, and waiting for compactions: neither may last for ever where the disk has no room for what compactions
//! write.
//!
//! RocksDB has a flush wait while one more table at level 0 would slow writes down, until compactions have taken some away. Where
//! it refuses them for want of room it says no error, and the flush never returns. So flushes here do not wait for that: what
//! too many tables slow down, and stop, is writes.

use std::os::raw::c_char;
use std::ptr;
use std::thread;
use std::time::Duration;

use librocksdb_sys as ffi;
use rocksdb::{AsColumnFamilyRef, AsRawPtr};

use super::WriteError;
use super::error::take_text;
use super::format::Family;
use super::opened::Opened;

/// How often it is looked whether writes are still stopped.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Whether a flush is waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flush {
    /// Until the memtables are tables.
    Ended,
    /// It is begun, and goes on beside.
    Begun,
}

impl Opened {
    /// Writes the memtables of families out.
    ///
    /// # Errors
    /// RocksDB's: a table cannot be written.
    pub fn flush_families(&self, families: &[Family], until: Flush) -> Result<(), WriteError> {
        let mut handles: Vec<_> = families.iter().map(|&family| self.cf(family).inner()).collect();
        let mut error: *mut c_char = ptr::null_mut();
        // SAFETY: the database and its families are open as long as `self` is borrowed; the options live until they are
        // destroyed here, and the handles for the call, which is told how many there are.
        unsafe {
            let options = ffi::rocksdb_flushoptions_create();
            ffi::rocksdb_flushoptions_set_wait(options, u8::from(until == Flush::Ended));
            ffi::rocksdb_flushoptions_set_allow_write_stall(options, 1);
            let count = handles.len() as i32;
            ffi::rocksdb_flush_cfs(
                self.as_raw_ptr(),
                options,
                handles.as_mut_ptr(),
                count,
                &raw mut error,
            );
            ffi::rocksdb_flushoptions_destroy(options);
        }
        // SAFETY: it is what RocksDB left there.
        match unsafe { take_text(error) } {
            None => Ok(()),
            Some(text) if text.starts_with("Corruption") => Err(WriteError::Damaged(text)),
            Some(text) => Err(WriteError::Failed(text)),
        }
    }

    /// Waits while writes are stopped until compactions have caught up.
    ///
    /// # Errors
    /// Compactions fail meanwhile, so that might never be.
    pub fn await_compactions(&self) -> Result<(), WriteError> {
        // Both are of the database, not of a family.
        let are_stopped = || self.property(Family::Journal, "rocksdb.is-write-stopped") > 0;
        let failures = || self.property(Family::Journal, "rocksdb.background-errors");
        if !are_stopped() {
            return Ok(());
        }
        let before = failures();
        while are_stopped() {
            if failures() > before {
                let text = "No space left on device: writes wait for compactions, which have no room";
                return Err(WriteError::Failed(text.to_owned()));
            }
            thread::sleep(LOOK_AGAIN);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::testing::open;
    use crate::disk::{Disk, Durability, Patience, RecordKey};

    /// So many tables at level 0 are compacted.
    const COMPACTION: &str = "level0_file_num_compaction_trigger";

    fn set(disk: &Disk, options: &[(&str, &str)]) {
        let db = disk.guard().unwrap();
        db.set_options_cf(db.cf(Family::Bucket), options).unwrap();
    }

    fn commit(disk: &Disk, n: u32) -> Result<(), WriteError> {
        let mut batch = disk.batch()?;
        batch.put(&RecordKey::bucket(1, n), b"value");
        disk.write(batch.finish(), Durability::Written, Patience::Wait)
    }

    #[test]
    fn a_write_waits_for_compactions_that_do_come() {
        let dir = tempfile::tempdir().unwrap();
        let disk = open(dir.path());
        let slow = ("level0_slowdown_writes_trigger", "2");
        set(
            &disk,
            &[(COMPACTION, "100"), slow, ("level0_stop_writes_trigger", "3")],
        );
        for n in 0..3 {
            commit(&disk, n).unwrap();
            disk.flush().unwrap();
        }
        assert_eq!(disk.property(Family::Bucket, "rocksdb.is-write-stopped"), 1);
        thread::scope(|scope| {
            let writer = scope.spawn(|| commit(&disk, 3));
            thread::sleep(LOOK_AGAIN * 5);
            assert!(!writer.is_finished());
            set(&disk, &[(COMPACTION, "2")]);
            writer.join().unwrap().unwrap();
        });
        assert_eq!(
            disk.get(&RecordKey::bucket(1, 3)).unwrap().as_deref(),
            Some(&b"value"[..])
        );
    }
}
