//! The hot tier: an LRU of records, known-absent ones included, under a byte budget.
//!
//! Its order is kept by second chance: a read only marks its record as used, and eviction moves marked records to the
//! warm end instead of evicting them. So a hit touches no neighbour in the order, which would be two cache misses more.
//!
//! It is always right. A record that is staged (written, and not yet in its family on disk) or pinned (fetched for a
//! request that is about to run again) stays, whatever the budget says; everything else leaves from the cold end.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use lru::LruCache;

use super::value::Value;
use crate::base::size::alloc_size;
use crate::disk::format::{Family, RecordKey};

/// A record in memory.
#[derive(Debug)]
pub struct Slot {
    /// No value: the record is known not to exist.
    pub value: Option<Value>,
    /// The last epoch that wrote it, or the one settled last when it was used after that (which tells the time); which of
    /// the two; whether that epoch wrote it more than once; how many requests pin it; and whether it was used since eviction
    /// last came by. In one word, so that a node of the map fills one cache line.
    state: u64,
}

const USED: u64 = 1;
/// The disk has it: the epoch tells of a use, not of a write.
const CLEAN: u64 = 1 << 1;
/// Its epoch wrote it more than once.
const REWRITTEN: u64 = 1 << 2;
const PIN: u64 = 1 << 3;
const PIN_BITS: u32 = 14;
const EPOCH_SHIFT: u32 = 3 + PIN_BITS;
const MAX_PINS: u64 = (1 << PIN_BITS) - 1;

impl Slot {
    fn new(value: Option<Value>, epoch: u64, pins: u32) -> Slot {
        let pins = u64::from(pins).min(MAX_PINS);
        Slot {
            value,
            state: (epoch << EPOCH_SHIFT) | (pins * PIN),
        }
    }

    pub fn epoch(&self) -> u64 {
        self.state >> EPOCH_SHIFT
    }

    /// Whether the epoch that wrote it last did so more than once.
    pub fn was_rewritten(&self) -> bool {
        self.state & REWRITTEN != 0
    }

    fn set_epoch(&mut self, epoch: u64) {
        let rest = self.state & ((1 << EPOCH_SHIFT) - 1);
        self.state = (epoch << EPOCH_SHIFT) | rest;
    }

    /// Whether an epoch after `applied` wrote it.
    fn is_staged(&self, applied: u64) -> bool {
        self.state & CLEAN == 0 && self.epoch() > applied
    }

    fn pins(&self) -> u64 {
        (self.state / PIN) & MAX_PINS
    }

    /// A count that reaches its limit sticks there: the record stays for good, which is safe.
    fn add_pins(&mut self, pins: u32) {
        let room = MAX_PINS - self.pins();
        self.state += u64::from(pins).min(room) * PIN;
    }

    fn remove_pin(&mut self) {
        if (1..MAX_PINS).contains(&self.pins()) {
            self.state -= PIN;
        }
    }
}

/// What a record was before a write.
pub struct Before {
    pub value: Option<Value>,
    /// The epoch that wrote it, or that it was used in.
    pub epoch: u64,
    /// Its family does not have it yet.
    staged: bool,
}

/// Bytes of an entry besides its value and a long key: the `lru` node (key, slot, two links), and the map's slot at its
/// average load.
const ENTRY: usize = 64 + 14;
/// An `Arc<[u8]>` keeps its two counts in front of the bytes.
const ARC_COUNTS: usize = 16;
/// How many slots that may not leave, or have been used, are passed over in one attempt to make room.
const MAX_PASSED_OVER: usize = 64;

pub struct Hot {
    map: LruCache<RecordKey, Slot, RandomState>,
    bytes: usize,
    budget: usize,
    /// Every epoch up to this one is settled.
    settled: u64,
    /// What epochs up to this one wrote is in its family.
    applied: u64,
    /// The bytes of records staged after this epoch, and of those staged before and not yet applied.
    window: u64,
    staged: usize,
    leaving: usize,
    /// How many existing keys of each namespace are here: when it is all of them, what is not here does not exist.
    resident: HashMap<u64, u64, RandomState>,
    pub evicted: u64,
}

impl Hot {
    pub fn new(budget: usize) -> Hot {
        Hot {
            map: LruCache::unbounded_with_hasher(RandomState::default()),
            bytes: 0,
            budget,
            settled: 0,
            applied: 0,
            window: 0,
            staged: 0,
            leaving: 0,
            resident: HashMap::default(),
            evicted: 0,
        }
    }

    /// The slot, which counts as used.
    pub fn get(&mut self, key: &RecordKey) -> Option<&Slot> {
        let slot = self.map.peek_mut(key)?;
        if slot.epoch() < self.settled {
            if !slot.is_staged(self.applied) {
                slot.state |= CLEAN;
                slot.set_epoch(self.settled);
            } else if slot.epoch() > self.window {
                slot.set_epoch(self.settled);
            }
        }
        slot.state |= USED;
        Some(slot)
    }

    pub fn note_settled(&mut self, settled: u64) {
        self.settled = settled;
    }

    pub fn note_applied(&mut self, applied: u64) {
        self.applied = applied;
    }

    /// What is staged up to here begins to leave; later epochs staged so many bytes.
    pub fn begin_window(&mut self, epoch: u64, later: usize) {
        self.window = epoch;
        let staged = self.staged.min(later);
        self.leaving = self.staged - staged;
        self.staged = staged;
    }

    /// What was staged before the window is applied.
    pub fn end_window(&mut self) {
        self.leaving = 0;
    }

    /// About how many bytes are staged, that is cannot be evicted.
    pub fn staged(&self) -> usize {
        self.staged + self.leaving
    }

    /// The slot, its place in the order left as it is.
    pub fn peek(&self, key: &RecordKey) -> Option<&Slot> {
        self.map.peek(key)
    }

    /// How many existing keys of the namespace are here.
    pub fn resident(&self, namespace: u64) -> u64 {
        self.resident.get(&namespace).copied().unwrap_or(0)
    }

    /// Puts what a write staged. Returns what was there before, if memory knew.
    pub fn stage(&mut self, key: &RecordKey, value: Option<Value>, epoch: u64) -> Option<Before> {
        let added = value_size(&value);
        let Some(slot) = self.map.peek_mut(key) else {
            self.staged += ENTRY + key_size(key) + added;
            self.insert(key.clone(), Slot::new(value, epoch, 0));
            return None;
        };
        let removed = value_size(&slot.value);
        self.staged += match slot.is_staged(self.window) {
            true => added.saturating_sub(removed),
            false => ENTRY + key_size(key) + added,
        };
        let (was, is) = (slot.value.is_some(), value.is_some());
        let before = Before {
            staged: slot.is_staged(self.applied),
            epoch: slot.epoch(),
            value: std::mem::replace(&mut slot.value, value),
        };
        slot.state = match before.epoch == epoch {
            true => slot.state | USED | REWRITTEN,
            false => (slot.state | USED) & !REWRITTEN,
        };
        slot.state &= !CLEAN;
        slot.set_epoch(epoch);
        self.bytes = self.bytes + added - removed;
        self.note_presence(key, was, is);
        Some(before)
    }

    /// Takes back what a write staged whose commit failed.
    pub fn restore(&mut self, key: &RecordKey, before: Option<Before>) {
        match before {
            // Only memory has it: its family is behind.
            Some(before) if before.staged && before.epoch > self.applied => {
                self.stage(key, before.value, before.epoch);
            }
            _ => self.drop_record(key),
        }
    }

    /// Puts what was read from disk, unless the record is here already (then that is newer), pinned `pins` times.
    pub fn fill(&mut self, key: &RecordKey, value: Option<Value>, pins: u32) {
        match self.map.get_mut(key) {
            Some(slot) => slot.add_pins(pins),
            None => {
                let mut slot = Slot::new(value, self.settled, pins);
                slot.state |= CLEAN;
                self.insert(key.clone(), slot);
            }
        }
    }

    /// Pins a record that is here. Whether it is.
    pub fn pin(&mut self, key: &RecordKey) -> bool {
        let slot = self.map.peek_mut(key);
        slot.map(|slot| slot.add_pins(1)).is_some()
    }

    /// Takes one pin off, where the record still is here.
    pub fn unpin(&mut self, key: &RecordKey) {
        if let Some(slot) = self.map.peek_mut(key) {
            slot.remove_pin();
        }
    }

    /// Forgets a record, whatever its state: after a commit that failed.
    pub fn drop_record(&mut self, key: &RecordKey) {
        if let Some(slot) = self.map.pop(key) {
            self.account_removal(key, &slot);
        }
    }

    /// Evicts from the cold end until the budget holds, sparing what is staged or pinned.
    pub fn make_room(&mut self) {
        self.shrink_to(self.budget);
    }

    /// Evicts everything that may leave (a help for tests: the next read of each record is a fault).
    pub fn evict_all(&mut self) {
        for _ in 0..=2 * self.map.len() / MAX_PASSED_OVER {
            self.shrink_to(0);
        }
    }

    fn shrink_to(&mut self, budget: usize) {
        let mut passed_over = 0;
        while self.bytes > budget && passed_over < MAX_PASSED_OVER {
            let Some((key, slot)) = self.map.peek_lru() else {
                break;
            };
            let key = key.clone();
            if slot.is_staged(self.applied) || slot.pins() > 0 || slot.state & USED != 0 {
                passed_over += 1;
                self.map.promote(&key);
                if let Some(slot) = self.map.peek_mut(&key) {
                    slot.state &= !USED;
                }
            } else if let Some(slot) = self.map.pop(&key) {
                self.evicted += 1;
                self.account_removal(&key, &slot);
            }
        }
    }

    pub fn set_budget(&mut self, budget: usize) {
        self.budget = budget;
    }

    pub fn budget(&self) -> usize {
        self.budget
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub fn len(&self) -> usize {
        self.map.len()
    }

    fn insert(&mut self, key: RecordKey, slot: Slot) {
        self.bytes += ENTRY + key_size(&key) + value_size(&slot.value);
        self.note_presence(&key, false, slot.value.is_some());
        self.map.put(key, slot);
    }

    fn account_removal(&mut self, key: &RecordKey, slot: &Slot) {
        self.bytes -= ENTRY + key_size(key) + value_size(&slot.value);
        self.note_presence(key, slot.value.is_some(), false);
    }

    fn note_presence(&mut self, key: &RecordKey, was: bool, is: bool) {
        if was == is || key.family() != Family::Meta {
            return;
        }
        let Some(namespace) = key.namespace() else { return };
        let count = self.resident.entry(namespace).or_default();
        if is {
            *count += 1;
            return;
        }
        *count -= 1;
        if *count == 0 {
            self.resident.remove(&namespace);
        }
    }
}

fn key_size(key: &RecordKey) -> usize {
    match key.heap_len() {
        0 => 0,
        n => alloc_size(n),
    }
}

fn value_size(value: &Option<Value>) -> usize {
    value
        .as_ref()
        .map_or(0, |value| alloc_size(ARC_COUNTS + value.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u8) -> RecordKey {
        RecordKey::meta(1, &[n])
    }

    fn value() -> Option<Value> {
        Some(Value::from(&[0u8; 100][..]))
    }

    #[test]
    fn the_budget_holds_and_the_coldest_leaves_first() {
        let mut hot = Hot::new(10 * (ENTRY + alloc_size(116)));
        for n in 0..20 {
            hot.fill(&key(n), value(), 0);
            hot.get(&key(0));
            hot.make_room();
        }
        assert!(hot.bytes() <= hot.budget());
        assert_eq!(hot.len(), 10);
        assert!(hot.peek(&key(0)).is_some() && hot.peek(&key(1)).is_none());
        assert_eq!(hot.resident(1), 10);
    }

    #[test]
    fn staged_and_pinned_records_outlast_the_budget() {
        let mut hot = Hot::new(0);
        hot.stage(&key(1), value(), 5);
        hot.fill(&key(2), value(), 1);
        hot.fill(&key(3), value(), 0);
        hot.note_applied(4);
        hot.note_settled(6);
        assert!(hot.get(&key(1)).is_some());
        hot.make_room();
        assert!(hot.peek(&key(1)).is_some() && hot.peek(&key(2)).is_some() && hot.peek(&key(3)).is_none());
        hot.unpin(&key(2));
        hot.note_applied(6);
        hot.make_room();
        hot.make_room();
        assert_eq!((hot.len(), hot.bytes(), hot.resident(1)), (0, 0, 0));
    }

    #[test]
    fn what_was_fetched_never_overwrites_what_was_written() {
        let mut hot = Hot::new(1 << 20);
        hot.stage(&key(1), None, 5);
        hot.fill(&key(1), value(), 0);
        assert_eq!(hot.peek(&key(1)).and_then(|slot| slot.value.clone()), None);
        assert_eq!(hot.resident(1), 0);
    }

    #[test]
    fn the_entry_constant_covers_the_node() {
        // lru::LruEntry: key, value, prev, next.
        let node = size_of::<RecordKey>() + size_of::<Slot>() + 2 * size_of::<usize>();
        assert_eq!(node, 64);
    }
}
