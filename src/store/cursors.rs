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

/// Most positions remembered ...
const CURSORS: NonZeroUsize = NonZeroUsize::new(16_384).unwrap();
/// ... and most bytes of them, as names may be long. The latest stays whatever its length.
const BYTES: usize = 4 << 20;
/// Seed of the hash, fixed so that numbers outlive a restart.
const SEED: u64 = 0x7265_646b_6565_7001;
/// Clients in languages without unsigned integers read cursors too.
const CURSOR_MASK: u64 = i64::MAX as u64;

/// The positions that cursors stand for, shared with the threads that run over views.
pub struct Cursors(Mutex<Positions>);

struct Positions {
    by_cursor: LruCache<u64, Vec<u8>>,
    bytes: usize,
}

impl Positions {
    fn put(&mut self, cursor: u64, position: &[u8]) {
        self.bytes += position.len();
        if let Some((_, replaced)) = self.by_cursor.push(cursor, position.to_vec()) {
            self.bytes -= replaced.len();
        }
        while self.bytes > BYTES && self.by_cursor.len() > 1 {
            let Some((_, oldest)) = self.by_cursor.pop_lru() else {
                break;
            };
            self.bytes -= oldest.len();
        }
    }
}

impl Default for Cursors {
    fn default() -> Cursors {
        Cursors(Mutex::new(Positions {
            by_cursor: LruCache::new(CURSORS),
            bytes: 0,
        }))
    }
}

impl Cursors {
    /// The number of a position.
    pub fn remember(&self, position: &[u8]) -> u64 {
        let cursor = (FixedState::with_seed(SEED).hash_one(position) & CURSOR_MASK).max(1);
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .put(cursor, position);
        cursor
    }

    /// The position of a number, if it is remembered.
    pub fn position(&self, cursor: u64) -> Option<Vec<u8>> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .by_cursor
            .get(&cursor)
            .cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_come_back_and_have_one_number_each() {
        let cursors = Cursors::default();
        let a = cursors.remember(b"a");
        assert!(a > 0 && i64::try_from(a).is_ok());
        assert_eq!(
            (cursors.remember(b"a"), Cursors::default().remember(b"a")),
            (a, a)
        );
        assert_eq!(cursors.position(a), Some(b"a".to_vec()));
        assert_eq!(cursors.position(0), None);
    }

    #[test]
    fn long_positions_are_bounded_by_their_bytes() {
        let cursors = Cursors::default();
        let numbers: Vec<u64> = (0..100u8).map(|n| cursors.remember(&vec![n; 1 << 20])).collect();
        let kept = numbers.iter().filter(|&&n| cursors.position(n).is_some()).count();
        assert_eq!(kept, BYTES >> 20);
        let huge = cursors.remember(&vec![0; BYTES + 1]);
        assert!(cursors.position(huge).is_some());
    }
}
