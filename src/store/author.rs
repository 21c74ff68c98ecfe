//! Whose request a transaction is, and the keys of what it may change: for those who are to be told (`tracking.rs`).

use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;

/// Whose transaction it is, and which keys it has looked up that own records.
#[derive(Default)]
pub struct Author {
    /// The client whose request it is; 0: nobody's.
    pub client: u64,
    /// Somebody tracks keys.
    pub notes_keys: bool,
    /// Those that were past their deadline, and are deleted.
    pub expired: HashSet<Box<[u8]>, RandomState>,
    /// By the id that their records are under. Without a name: its change is noted.
    pub keys: HashMap<u64, Option<Box<[u8]>>, RandomState>,
}

impl Author {
    /// Forgets everything.
    pub fn clear(&mut self) {
        self.client = 0;
        if !self.keys.is_empty() {
            self.keys = HashMap::default();
        }
        if !self.expired.is_empty() {
            self.expired = HashSet::default();
        }
    }
}
