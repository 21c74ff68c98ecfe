//! What a transaction has read of what was there before it.

use std::collections::HashSet;

use foldhash::fast::RandomState;

use crate::disk::format::RecordKey;

/// Room for more records is not kept for another transaction.
const KEPT_RECORDS: usize = 1 << 8;

/// The records that were read.
#[derive(Default)]
pub(super) struct Reads {
    records: HashSet<RecordKey, RandomState>,
    /// Counts or listings of keys were read, which any write may change.
    everything: bool,
}

impl Reads {
    /// A record was read.
    #[inline]
    pub fn note(&mut self, key: &RecordKey) {
        if !self.records.contains(key) {
            self.records.insert(key.clone());
        }
    }

    /// What was read may be changed by any write.
    pub fn note_everything(&mut self) {
        self.everything = true;
    }

    /// Forgets all but the allocation. False: that is too large to be kept.
    pub fn clear(&mut self) -> bool {
        self.records.clear();
        self.everything = false;
        self.records.capacity() <= KEPT_RECORDS
    }

    /// Whether a record was read.
    pub fn has(&self, key: &RecordKey) -> bool {
        self.records.contains(key)
    }

    /// Whether any write may change what was read.
    pub fn has_everything(&self) -> bool {
        self.everything
    }
}
