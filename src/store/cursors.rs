//! SCAN's cursors: numbers that stand for a position in key order.
//!
//! A cursor's number is a hash of its position, so the same position has the same number, in every run. The position
//! itself is remembered here, for as long as there is room. One that is forgotten (it was abandoned long ago, or the
//! server was restarted) means the beginning: elements come twice, which SCAN allows, rather than never.

use std::hash::BuildHasher;
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

use foldhash::quality::FixedState;
use lru::LruCache;

/// Most positions remembered.
const CURSORS: NonZeroUsize = NonZeroUsize::new(16_384).unwrap();
/// Seed of the hash, fixed so that numbers outlive a restart.
const SEED: u64 = 0x7265_646b_6565_7001;
/// Clients in languages without unsigned integers read cursors too.
const CURSOR_MASK: u64 = i64::MAX as u64;

pub struct Cursors(Mutex<LruCache<u64, Vec<u8>>>);

impl Default for Cursors {
    fn default() -> Cursors {
        Cursors(Mutex::new(LruCache::new(CURSORS)))
    }
}

impl Cursors {
    /// The number of a position.
    pub fn remember(&self, position: &[u8]) -> u64 {
        let cursor = (FixedState::with_seed(SEED).hash_one(position) & CURSOR_MASK).max(1);
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .put(cursor, position.to_vec());
        cursor
    }

    /// The position of a number, if it is remembered.
    pub fn position(&self, cursor: u64) -> Option<Vec<u8>> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&cursor)
            .cloned()
    }
}
