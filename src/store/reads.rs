//! What a transaction has read of what was there before it.

use std::collections::HashSet;

use foldhash::fast::RandomState;

use crate::disk::format::RecordKey;

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

    /// Whether a record was read.
    pub fn has(&self, key: &RecordKey) -> bool {
        self.records.contains(key)
    }

    /// Whether any write may change what was read.
    pub fn has_everything(&self) -> bool {
        self.everything
    }
}
