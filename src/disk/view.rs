//! A consistent view of the store: point reads and ordered walks over one snapshot. These block on the disk, so they
//! belong to the fetch pool, never to the executor.

use rocksdb::{DB, DBRawIteratorWithThreadMode, ReadOptions, Snapshot};

use super::format::{Family, RecordKey};
use super::{Disk, ReadError};

pub struct View<'d> {
    disk: &'d Disk,
    snapshot: Snapshot<'d>,
}

impl<'d> View<'d> {
    pub(super) fn new(disk: &'d Disk) -> View<'d> {
        View {
            disk,
            snapshot: disk.db.snapshot(),
        }
    }

    pub fn get(&self, key: &RecordKey) -> Result<Option<Vec<u8>>, ReadError> {
        let family = self.disk.cf(key.family());
        self.snapshot
            .get_cf(family, key.key())
            .map_err(|e| ReadError(e.into_string()))
    }

    /// The records of `family` with `from <= key < to` (`None`: to the end), in order.
    pub fn walk(&self, family: Family, from: &[u8], to: Option<&[u8]>) -> Walk<'_> {
        let mut options = ReadOptions::default();
        if let Some(to) = to {
            options.set_iterate_upper_bound(to);
        }
        // A walk over much data must not push what others read out of the block cache.
        options.fill_cache(false);
        options.set_auto_readahead_size(true);
        let mut it = self.snapshot.raw_iterator_cf_opt(self.disk.cf(family), options);
        it.seek(from);
        Walk { it, started: false }
    }

    /// The last key of `family` with `from <= key < to`.
    pub fn last(&self, family: Family, from: &[u8], to: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        let mut options = ReadOptions::default();
        options.set_iterate_lower_bound(from);
        options.set_iterate_upper_bound(to);
        options.fill_cache(false);
        let mut it = self.snapshot.raw_iterator_cf_opt(self.disk.cf(family), options);
        it.seek_to_last();
        match it.key() {
            Some(key) => Ok(Some(key.to_vec())),
            None => it.status().map(|()| None).map_err(|e| ReadError(e.into_string())),
        }
    }
}

/// An ordered walk. Not a std iterator: what it yields borrows from it.
pub struct Walk<'v> {
    it: DBRawIteratorWithThreadMode<'v, DB>,
    started: bool,
}

impl Walk<'_> {
    /// Goes on from `key`, which must lie within the walk's bounds.
    pub fn seek(&mut self, key: &[u8]) {
        self.it.seek(key);
        self.started = false;
    }

    /// The next key and value.
    pub fn next(&mut self) -> Result<Option<(&[u8], &[u8])>, ReadError> {
        if self.started && self.it.valid() {
            self.it.next();
        }
        self.started = true;
        if !self.it.valid() {
            return self
                .it
                .status()
                .map(|()| None)
                .map_err(|e| ReadError(e.into_string()));
        }
        Ok(self.it.item())
    }
}
