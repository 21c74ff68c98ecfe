//! What is dead leaves the hot tier, though there is room for it: records of collections and of databases that were
//! dropped, and what is known not to exist once nobody asks for it any more.
//!
//! A sweep goes once round all records, a little at a time. It is begun when there is enough for it to find.

use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;

use super::{Hand, Hot, Node, RECORD_EFFORT, TABLES, USED};
use crate::disk::format::{Family, RecordKey};
use crate::store::catalog::Catalog;

/// With so many of the dead waiting for the next sweep, no more should be made.
const MOST_BURIED: usize = 64 << 10;
/// Known-absent records are swept for when they are more than so many and more than this share of all, and twice as many
/// as the last sweep left.
const LEAST_ABSENT: usize = 1024;
const ABSENT_SHARE: usize = 8;

/// Where the sweep under way is, and what the next one is for.
#[derive(Default)]
pub struct Sweep {
    /// Where the sweep under way is.
    at: Option<Hand>,
    /// Ids and namespaces whose records it drops, and those for the next one.
    dead: HashSet<u64, RandomState>,
    buried: HashSet<u64, RandomState>,
    /// Those of which it found a record that was staged: they are for a sweep after that has changed.
    deferred: HashSet<u64, RandomState>,
    /// How many known-absent records the last one left that went round twice in a row: the first time only takes marks
    /// away.
    absent_left: usize,
    is_second: bool,
    /// How many records the last one left though there was nothing in the databases, as they were staged.
    left_of_nothing: usize,
}

impl Hot {
    /// Nothing has this id, or namespace, any more: its records go.
    pub fn bury(&mut self, id: u64) {
        self.sweep.buried.insert(id);
    }

    /// Whether no more should be buried before the next sweep.
    pub fn has_buried_many(&self) -> bool {
        self.sweep.buried.len() >= MOST_BURIED
    }

    /// Whether much of it is known-absent records.
    pub fn has_many_absent(&self) -> bool {
        self.absent > LEAST_ABSENT.max(self.len / ABSENT_SHARE)
    }

    /// Whether a sweep is under way.
    pub fn is_sweeping(&self) -> bool {
        self.sweep.at.is_some()
    }

    /// Whether there is something to sweep for.
    pub fn wants_sweep(&self, catalog: &Catalog) -> bool {
        let sweep = &self.sweep;
        !sweep.buried.is_empty()
            || self.has_many_absent() && self.absent > 2 * sweep.absent_left
            || self.len > sweep.left_of_nothing && catalog.is_empty()
    }

    /// Goes on with the sweep, by about `records`, or begins one.
    pub fn sweep(&mut self, catalog: &Catalog, records: usize) {
        let is_nothing = catalog.is_empty();
        let mut at = match self.sweep.at {
            Some(at) => at,
            None => {
                let sweep = &mut self.sweep;
                sweep.dead = std::mem::take(&mut sweep.buried);
                Hand::default()
            }
        };
        let mut effort = records * RECORD_EFFORT;
        while effort > 0 && at.table < TABLES {
            let table = &mut self.tables[at.table];
            if table.is_empty() || at.place >= table.num_buckets() {
                self.leave(at.table);
                at = Hand {
                    table: at.table + 1,
                    place: 0,
                };
                continue;
            }
            let place = at.place;
            at.place += 1;
            effort = effort.saturating_sub(1);
            let Ok(mut entry) = table.get_bucket_entry(place) else {
                continue;
            };
            effort = effort.saturating_sub(RECORD_EFFORT);
            let node = entry.get_mut();
            let dead = self.sweep.dead_owner(node);
            if !node.slot.may_leave(self.checkpointed) {
                self.sweep.deferred.extend(dead);
            } else if is_nothing || dead.is_some() || is_superfluous(node, &self.resident, catalog) {
                let (node, _) = entry.remove();
                self.account_removal(&node);
            }
        }
        self.sweep.at = (at.table < TABLES).then_some(at);
        if self.sweep.at.is_none() {
            let sweep = &mut self.sweep;
            sweep.dead = HashSet::default();
            sweep.absent_left = if sweep.is_second { self.absent } else { 0 };
            sweep.is_second = !sweep.is_second;
            sweep.left_of_nothing = self.len;
        }
    }
}

impl Sweep {
    /// What the last one had to leave, it need not leave any more.
    pub fn note_checkpointed(&mut self) {
        (self.left_of_nothing, self.absent_left) = (0, 0);
        self.buried.extend(self.deferred.drain());
    }

    /// The id that the record belonged to, if that is dead.
    fn dead_owner(&self, node: &Node) -> Option<u64> {
        if self.dead.is_empty() {
            return None;
        }
        owner(&node.key).filter(|id| self.dead.contains(id))
    }
}

/// Whether it is known not to exist, and nobody asked since the last sweep, or it would be known without it.
fn is_superfluous(node: &mut Node, resident: &HashMap<u64, u64, RandomState>, catalog: &Catalog) -> bool {
    if node.slot.value.is_some() {
        return false;
    }
    let was_used = node.slot.state & USED != 0;
    node.slot.state &= !USED;
    !was_used
        || node.key.namespace().is_some_and(|namespace| {
            let keys = catalog.keys_in(namespace);
            keys.is_none_or(|keys| resident.get(&namespace).copied().unwrap_or(0) == keys)
        })
}

/// The id whose record it is, or the namespace.
fn owner(key: &RecordKey) -> Option<u64> {
    match key.family() {
        Family::Meta => key.namespace(),
        Family::Segment | Family::Bucket | Family::Tree | Family::Blob => {
            key.key().first_chunk().map(|id| u64::from_be_bytes(*id))
        }
        Family::System | Family::Expire | Family::Gc | Family::Journal => None,
    }
}
