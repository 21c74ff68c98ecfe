//! What a transaction changes, to be read by itself and taken back in part: a log, of which the latest change of a key
//! counts.

use std::collections::HashMap;
use std::hash::Hash;

use foldhash::fast::RandomState;

/// Above this many changes they are looked up by hash.
const SCANNED: usize = 12;

/// A value as it is to be.
pub(super) struct Change<K, V> {
    /// Of which key.
    pub key: K,
    /// The value.
    pub value: V,
    /// Where in the log the change is that this one hides, if there is one.
    earlier: Option<usize>,
}

/// All changes, those hidden among them.
pub(super) struct Changes<K, V> {
    /// In order.
    pub log: Vec<Change<K, V>>,
    /// Up to here a savepoint may return: what is behind is overwritten in place.
    kept: usize,
    /// Position of the latest change of each key in `log[..indexed]`.
    index: HashMap<K, usize, RandomState>,
    indexed: usize,
}

impl<K, V> Default for Changes<K, V> {
    fn default() -> Changes<K, V> {
        Changes {
            log: Vec::new(),
            kept: 0,
            index: HashMap::default(),
            indexed: 0,
        }
    }
}

impl<K: Clone + Eq + Hash, V> Changes<K, V> {
    /// The position of the latest change of a key.
    fn position(&mut self, key: &K) -> Option<usize> {
        if self.log.len() <= SCANNED {
            return self.log.iter().rposition(|change| change.key == *key);
        }
        for at in self.indexed..self.log.len() {
            self.index.insert(self.log[at].key.clone(), at);
        }
        self.indexed = self.log.len();
        self.index.get(key).copied()
    }

    /// What a key is to be, if it was changed.
    #[inline]
    pub fn find(&mut self, key: &K) -> Option<&V> {
        if self.log.is_empty() {
            return None;
        }
        let at = self.position(key)?;
        Some(&self.log[at].value)
    }

    /// Changes a key. If that overwrote a change of it in place, returns the value there.
    pub fn push(&mut self, key: K, value: V) -> Option<&mut V> {
        let earlier = self.position(&key);
        if let Some(at) = earlier.filter(|at| *at >= self.kept) {
            let overwritten = &mut self.log[at].value;
            *overwritten = value;
            return Some(overwritten);
        }
        self.log.push(Change { key, value, earlier });
        None
    }

    /// Marks a point to which [`Changes::return_to`] can return: so many changes there are.
    pub fn mark(&mut self) -> usize {
        self.kept = self.log.len();
        self.kept
    }

    /// Takes back what came after a mark: the index follows for these alone.
    pub fn return_to(&mut self, mark: usize) {
        for at in (mark..self.indexed).rev() {
            let Change { key, earlier, .. } = &self.log[at];
            match *earlier {
                Some(earlier) => self.index.insert(key.clone(), earlier),
                None => self.index.remove(key),
            };
        }
        self.indexed = self.indexed.min(mark);
        self.log.truncate(mark);
        self.kept = self.kept.min(mark);
    }

    /// Forgets all but the allocations.
    pub fn clear(&mut self) {
        self.log.clear();
        self.index.clear();
        (self.kept, self.indexed) = (0, 0);
    }
}
