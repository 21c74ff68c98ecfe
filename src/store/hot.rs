//! The hot tier: records in memory, known-absent ones included, under a byte budget.
//!
//! Eviction is by second chance: a hand goes round all records, takes the mark from those that were used since it last came
//! by, and evicts the others. So a hit touches no neighbour, and needs no order to be kept.
//!
//! The records are in many small tables rather than in one: each grows and shrinks by itself, so nobody ever waits until
//! all of them have moved.
//!
//! It is always right. A record that is staged (written, and not yet in its family on disk) or pinned (fetched for a
//! request that is about to run again) stays, whatever the budget says; everything else may leave.

mod slot;
mod sweep;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::epoch::Epoch;
use super::value::Value;
use crate::base::size::alloc_size;
use crate::base::warm_up::warm_up;
use crate::disk::format::{Family, RecordKey};
pub use slot::Slot;
use slot::{CLEAN, REWRITTEN, USED};
use sweep::Sweep;

/// What a record was before a write.
pub struct Before {
    /// `None`: it did not exist.
    pub value: Option<Value>,
    /// The epoch that wrote it, or that it was used in.
    pub epoch: Epoch,
    /// Its family does not have it yet.
    staged: bool,
}

/// A record, as a table has it: in a place of its own, which stays while tables grow.
struct Node {
    key: RecordKey,
    slot: Slot,
}

type Table = HashTable<Box<Node>>;

/// How many tables there are.
const TABLES: usize = 256;
/// The bits of a hash that choose the table: others than those that choose a place in it.
const TABLE_SHIFT: u32 = 40;
/// A table with more places gives back what is too much, once less than a quarter of it is in use.
const LEAST_PLACES: usize = 64;
/// Bytes of an entry besides its value and a long key: the node (key, slot), and the table's place at its average load.
const ENTRY: usize = 48 + 14;
/// An `Arc<[u8]>` keeps its two counts in front of the bytes.
const ARC_COUNTS: usize = 16;
/// What is done at once to make room, in places looked at, one that holds a record counting as so many: besides what a
/// change of one record may bring in.
const EFFORT: usize = 64 * RECORD_EFFORT;
const RECORD_EFFORT: usize = 8;
/// How many more there are for each record that was added, and how many there are at most.
const EFFORT_PER_RECORD: usize = 4 * RECORD_EFFORT;
const MOST_EFFORT: usize = 8192 * RECORD_EFFORT;
/// The share of the budget above it from which on the work is no longer left to those who come later: 1/32.
const SLACK_SHARE: usize = 32;
/// So much more is done then.
const URGENT: usize = 8;
/// Besides what is staged, less than this share of the budget is not worth looking for: 1/64.
const REST_SHARE: usize = 64;
/// How far ahead of the hand the processor loads records.
const AHEAD: usize = 8;

/// A place among all tables.
#[derive(Clone, Copy, Default)]
struct Hand {
    table: usize,
    place: usize,
}

/// Records in memory.
pub struct Hot {
    tables: Box<[Table]>,
    hasher: RandomState,
    len: usize,
    /// How many of them are known not to exist.
    absent: usize,
    bytes: usize,
    budget: usize,
    /// Every epoch up to this one is settled.
    settled: Epoch,
    /// What epochs up to this one wrote is in its family.
    checkpointed: Epoch,
    /// The bytes of records staged after this epoch, and of those staged before and not yet checkpointed.
    window: Epoch,
    staged: usize,
    leaving: usize,
    /// How many existing keys of each namespace are here: when it is all of them, what is not here does not exist.
    resident: HashMap<u64, u64, RandomState>,
    /// Where eviction goes on.
    hand: Hand,
    /// How many records it passed over since it found one that may leave, or one came to be such.
    passed_over: usize,
    sweep: Sweep,
    /// How many were evicted.
    pub evicted: u64,
}

impl Hot {
    /// An empty tier that may take `budget` bytes.
    pub fn new(budget: usize) -> Hot {
        Hot {
            tables: (0..TABLES).map(|_| Table::new()).collect(),
            hasher: RandomState::default(),
            len: 0,
            absent: 0,
            bytes: 0,
            budget,
            settled: Epoch::NONE,
            checkpointed: Epoch::NONE,
            window: Epoch::NONE,
            staged: 0,
            leaving: 0,
            resident: HashMap::default(),
            hand: Hand::default(),
            passed_over: 0,
            sweep: Sweep::default(),
            evicted: 0,
        }
    }

    /// The hash of a key, and the number of its table.
    #[inline]
    fn place_of(&self, key: &RecordKey) -> (u64, usize) {
        let hash = self.hasher.hash_one(key);
        (hash, table_of(hash))
    }

    #[inline]
    fn find_mut(&mut self, key: &RecordKey) -> Option<&mut Slot> {
        let (hash, table) = self.place_of(key);
        let node = self.tables[table].find_mut(hash, |node| node.key == *key)?;
        Some(&mut node.slot)
    }

    /// The slot, which counts as used.
    pub fn get(&mut self, key: &RecordKey) -> Option<&Slot> {
        let (settled, checkpointed, window) = (self.settled, self.checkpointed, self.window);
        let slot = self.find_mut(key)?;
        if slot.epoch() < settled {
            if !slot.is_staged(checkpointed) {
                slot.state |= CLEAN;
                slot.set_epoch(settled);
            } else if slot.epoch() > window {
                slot.set_epoch(settled);
            }
        }
        slot.state |= USED;
        Some(slot)
    }

    /// Every epoch up to this one is settled.
    pub fn note_settled(&mut self, settled: Epoch) {
        self.settled = settled;
    }

    /// What epochs up to this one wrote is in its family.
    pub fn note_checkpointed(&mut self, checkpointed: Epoch) {
        if self.checkpointed < checkpointed {
            // What was staged may leave.
            self.passed_over = 0;
            self.sweep.note_checkpointed();
        }
        self.checkpointed = checkpointed;
    }

    /// What is staged up to here begins to leave; later epochs have staged `later` bytes.
    pub fn begin_window(&mut self, epoch: Epoch, later: usize) {
        self.window = epoch;
        let staged = self.staged.min(later);
        self.leaving = self.staged - staged;
        self.staged = staged;
    }

    /// What was staged before the window is checkpointed.
    pub fn end_window(&mut self) {
        self.leaving = 0;
    }

    /// About how many bytes are staged, that is cannot be evicted.
    pub fn staged(&self) -> usize {
        self.staged + self.leaving
    }

    /// The slot, which does not count as used.
    #[inline]
    pub fn peek(&self, key: &RecordKey) -> Option<&Slot> {
        let (hash, table) = self.place_of(key);
        let node = self.tables[table].find(hash, |node| node.key == *key)?;
        Some(&node.slot)
    }

    /// How many existing keys of the namespace are here.
    pub fn resident(&self, namespace: u64) -> u64 {
        self.resident.get(&namespace).copied().unwrap_or(0)
    }

    /// Puts what a write staged. Returns what was there before, if memory knew.
    pub fn stage(&mut self, key: &RecordKey, value: Option<Value>, epoch: Epoch) -> Option<Before> {
        let added = value_size(&value);
        let (window, checkpointed) = (self.window, self.checkpointed);
        let (hash, table) = self.place_of(key);
        let Some(node) = self.tables[table].find_mut(hash, |node| node.key == *key) else {
            self.staged += ENTRY + key_size(key) + added;
            self.insert(hash, key.clone(), Slot::new(value, epoch, 0));
            return None;
        };
        let slot = &mut node.slot;
        let removed = value_size(&slot.value);
        self.staged += match slot.is_staged(window) {
            true => added.saturating_sub(removed),
            false => ENTRY + key_size(key) + added,
        };
        let (was, is) = (slot.value.is_some(), value.is_some());
        let before = Before {
            staged: slot.is_staged(checkpointed),
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
        self.absent = self.absent + usize::from(!is) - usize::from(!was);
        self.note_presence(key, was, is);
        Some(before)
    }

    /// Takes back what a write staged whose commit failed.
    pub fn restore(&mut self, key: &RecordKey, before: Option<Before>) {
        match before {
            // Only memory has it: its family is behind.
            Some(before) if before.staged && before.epoch > self.checkpointed => {
                self.stage(key, before.value, before.epoch);
            }
            _ => self.drop_record(key),
        }
    }

    /// Puts what was read from disk, unless the record is here already (then that is newer), pinned `pins` times.
    pub fn fill(&mut self, key: &RecordKey, value: Option<Value>, pins: u32) {
        let settled = self.settled;
        match self.find_mut(key) {
            Some(slot) => {
                slot.state |= USED;
                slot.add_pins(pins);
            }
            None => {
                let mut slot = Slot::new(value, settled, pins);
                slot.state |= CLEAN;
                self.insert(self.hasher.hash_one(key), key.clone(), slot);
            }
        }
    }

    /// Pins a record that is here. Whether it is.
    pub fn pin(&mut self, key: &RecordKey) -> bool {
        let slot = self.find_mut(key);
        slot.map(|slot| slot.add_pins(1)).is_some()
    }

    /// Takes one pin off, where the record still is here.
    pub fn unpin(&mut self, key: &RecordKey) {
        if let Some(slot) = self.find_mut(key) {
            slot.remove_pin();
            self.passed_over = 0;
        }
    }

    /// Forgets a record, whatever its state: after a commit that failed.
    pub fn drop_record(&mut self, key: &RecordKey) {
        let (hash, table) = self.place_of(key);
        if let Ok(entry) = self.tables[table].find_entry(hash, |node| node.key == *key) {
            let (node, _) = entry.remove();
            self.account_removal(&node);
        }
    }

    /// Evicts until the budget holds, sparing what is staged or pinned: a little, as `added` records were added. What is
    /// left to do is done by [`Hot::go_on_making_room`].
    pub fn make_room(&mut self, added: usize) {
        let mut effort = EFFORT + added * EFFORT_PER_RECORD;
        if self.bytes > self.budget + self.budget / SLACK_SHARE {
            effort *= URGENT;
        }
        self.shrink_to(self.budget, effort.min(MOST_EFFORT));
    }

    /// Whether the budget does not hold though there may be something to evict.
    pub fn has_excess(&self) -> bool {
        self.bytes > self.budget && !self.is_stuck()
    }

    /// As [`Hot::make_room`], from time to time, also when nothing happens.
    pub fn go_on_making_room(&mut self, records: usize) {
        self.shrink_to(self.budget, records * RECORD_EFFORT);
    }

    /// Evicts everything that may leave (a help for tests: the next read of each record is a fault).
    pub fn evict_all(&mut self) {
        let checkpointed = self.checkpointed;
        for table in 0..TABLES {
            let leaves = |node: &mut Box<Node>| node.slot.may_leave(checkpointed);
            let left: Vec<Box<Node>> = self.tables[table].extract_if(leaves).collect();
            self.evicted += left.len() as u64;
            left.iter().for_each(|node| self.account_removal(node));
        }
    }

    /// Nothing may leave: nearly all of it is staged, or the hand came by everything and could not even take marks away, and
    /// nothing has changed.
    fn is_stuck(&self) -> bool {
        let rest = self.bytes.saturating_sub(self.staged());
        rest <= self.budget / REST_SHARE || self.passed_over > 2 * self.len
    }

    fn shrink_to(&mut self, budget: usize, mut effort: usize) {
        while self.bytes > budget && effort > 0 && !self.is_stuck() {
            effort = effort.saturating_sub(self.look_at_one());
        }
    }

    /// Looks at the place under the hand, and moves it on. Returns what that counts for.
    fn look_at_one(&mut self) -> usize {
        let Hand { table, place } = self.hand;
        let places = &mut self.tables[table];
        if places.is_empty() || place >= places.num_buckets() {
            self.leave(table);
            self.hand = Hand {
                table: (table + 1) % TABLES,
                place: 0,
            };
            return 0;
        }
        self.hand.place += 1;
        if let Some(soon) = places.get_bucket(place + AHEAD) {
            warm_up(&raw const **soon);
        }
        let Ok(mut entry) = places.get_bucket_entry(place) else {
            return 1;
        };
        let slot = &mut entry.get_mut().slot;
        if slot.may_leave(self.checkpointed) && slot.state & USED == 0 {
            let (node, _) = entry.remove();
            self.evicted += 1;
            self.passed_over = 0;
            self.account_removal(&node);
        } else {
            slot.state &= !USED;
            self.passed_over += 1;
        }
        RECORD_EFFORT
    }

    /// A table was gone through: it gives back what it has too much of.
    fn leave(&mut self, table: usize) {
        let (table, hasher) = (&mut self.tables[table], &self.hasher);
        // An empty one gives back all: a little that stays keeps the allocator from giving back what was around it.
        let least = if table.is_empty() { 0 } else { LEAST_PLACES };
        if table.capacity() > least && table.len() < table.capacity() / 4 {
            table.shrink_to(2 * table.len(), |node| hasher.hash_one(&node.key));
        }
    }

    /// Changes how many bytes it may take. [`Hot::make_room`] is to follow.
    pub fn set_budget(&mut self, budget: usize) {
        self.passed_over = 0;
        self.budget = budget;
    }

    /// How many bytes it may take.
    pub fn budget(&self) -> usize {
        self.budget
    }

    /// How many bytes it takes.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many records it has.
    pub fn len(&self) -> usize {
        self.len
    }

    fn insert(&mut self, hash: u64, key: RecordKey, mut slot: Slot) {
        self.bytes += ENTRY + key_size(&key) + value_size(&slot.value);
        self.len += 1;
        self.absent += usize::from(slot.value.is_none());
        self.note_presence(&key, false, slot.value.is_some());
        // The hand may be about to come by.
        slot.state |= USED;
        let hasher = &self.hasher;
        let node = Box::new(Node { key, slot });
        self.tables[table_of(hash)].insert_unique(hash, node, |node| hasher.hash_one(&node.key));
    }

    fn account_removal(&mut self, node: &Node) {
        let Node { key, slot } = node;
        self.bytes -= ENTRY + key_size(key) + value_size(&slot.value);
        self.len -= 1;
        self.absent -= usize::from(slot.value.is_none());
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

#[inline]
fn table_of(hash: u64) -> usize {
    (hash >> TABLE_SHIFT) as usize % TABLES
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
