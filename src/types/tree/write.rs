//! Changes of single entries: the leaf first, then up the path for as long as something changes there.

use std::borrow::Cow;
use std::ops::Range;

use super::inner::{Child, Inner};
use super::key::separator;
use super::leaf::{Leaf, Slot};
use super::node;
use super::propagate::{Change, Step, is_first, is_last};
use super::{Bytes, Part, Tree, no_such_rank, present};
use crate::disk::cells::push_cell;
use crate::disk::format::RecordKey;
use crate::store::{Result, Txn, Value};
use crate::types::blob;
use crate::types::damage::InRecord;

/// Where to go down.
#[derive(Clone, Copy)]
pub(super) enum By<'k> {
    /// To where this key is, or belongs.
    Key(&'k [u8]),
    /// To the entry with that many before it, or to the end.
    Rank(u64),
}

/// The path from the root to a leaf, which was not read yet.
pub struct Path {
    /// The inner nodes, from the root down.
    pub(super) steps: Vec<Step>,
    /// The number of the leaf's record.
    pub(super) leaf: u64,
    /// How many entries the leaf has.
    pub(super) count: u64,
    /// With [`By::Rank`]: the rank in the leaf.
    rank: u64,
}

/// A path, and the leaf at its end.
pub(super) struct Cursor {
    /// The way down.
    pub path: Path,
    /// The leaf's record.
    pub record: Value,
}

impl Tree {
    /// Gives the key this value, and says whether the key is new.
    pub fn put(&mut self, txn: &mut Txn, key: &[u8], value: &[u8]) -> Result<bool> {
        let path = self.path_to(txn, key)?;
        self.put_along(txn, path, key, value)
    }

    /// The path to where the key is, or belongs. `None` if there is nothing yet.
    pub fn path_to(&self, txn: &mut Txn, key: &[u8]) -> Result<Option<Path>> {
        match self.height {
            0 => Ok(None),
            _ => self.path(txn, By::Key(key)).map(Some),
        }
    }

    /// As [`Tree::put`], the tree being as it was when the path was found.
    pub fn put_along(&mut self, txn: &mut Txn, path: Option<Path>, key: &[u8], value: &[u8]) -> Result<bool> {
        let Some(path) = path else {
            self.insert_first(txn, key, value);
            return Ok(true);
        };
        let cursor = self.arrive(txn, path)?;
        let slot = Leaf::new(&cursor.record).find(key);
        let slot = slot.in_record(|| self.leaf_of(&cursor.path))?;
        let is_new = slot.is_gap();
        match is_new {
            true => self.add(txn, cursor, slot, key, value)?,
            false => self.replace(txn, cursor, slot, value)?,
        }
        Ok(is_new)
    }

    /// Takes the key out, and returns the value that it had.
    pub fn remove(&mut self, txn: &mut Txn, key: &[u8]) -> Result<Option<Bytes>> {
        if self.height == 0 {
            return Ok(None);
        }
        let cursor = self.descend(txn, By::Key(key))?;
        let slot = Leaf::new(&cursor.record).find(key);
        let slot = slot.in_record(|| self.leaf_of(&cursor.path))?;
        if slot.is_gap() {
            return Ok(None);
        }
        let (_, value) = self.take(txn, cursor, slot)?;
        Ok(Some(value))
    }

    /// Puts a value, without a key, before the entry of this rank, or behind all if it is their number.
    pub fn insert_at(&mut self, txn: &mut Txn, rank: u64, value: &[u8]) -> Result<()> {
        if rank > self.len {
            return no_such_rank();
        }
        if self.height == 0 {
            self.insert_first(txn, b"", value);
            return Ok(());
        }
        let cursor = self.descend(txn, By::Rank(rank))?;
        let slot = Leaf::new(&cursor.record).at(cursor.path.rank as usize);
        let slot = slot.in_record(|| self.leaf_of(&cursor.path))?;
        let gap = Slot {
            entry: slot.entry.start..slot.entry.start,
            ..slot
        };
        self.add(txn, cursor, gap, b"", value)
    }

    /// Gives the entry of this rank another value; an error if there is none.
    pub fn put_at(&mut self, txn: &mut Txn, rank: u64, value: &[u8]) -> Result<()> {
        if rank >= self.len {
            return no_such_rank();
        }
        let cursor = self.descend(txn, By::Rank(rank))?;
        let slot = Leaf::new(&cursor.record).at(cursor.path.rank as usize);
        let slot = slot.and_then(present).in_record(|| self.leaf_of(&cursor.path))?;
        self.replace(txn, cursor, slot, value)
    }

    /// Takes out the entry of this rank: its key and its value.
    pub fn remove_at(&mut self, txn: &mut Txn, rank: u64) -> Result<Option<(Bytes, Bytes)>> {
        if rank >= self.len {
            return Ok(None);
        }
        let cursor = self.descend(txn, By::Rank(rank))?;
        let slot = Leaf::new(&cursor.record).at(cursor.path.rank as usize);
        let slot = slot.and_then(present).in_record(|| self.leaf_of(&cursor.path))?;
        self.take(txn, cursor, slot).map(Some)
    }

    /// The first entry.
    fn insert_first(&mut self, txn: &mut Txn, key: &[u8], value: &[u8]) {
        let leaf = self.entry(txn, key, value);
        (self.height, self.root, self.len, self.first) = (1, txn.fresh_id(), 1, 0);
        txn.put(self.record(self.root), Value::from(&leaf[..]));
    }

    /// The bytes of an entry of a leaf; a long value is put into a record of its own.
    pub(super) fn entry(&self, txn: &mut Txn, key: &[u8], value: &[u8]) -> Vec<u8> {
        let mut entry = Vec::with_capacity(key.len() + value.len().min(blob::MAX_INLINE) + 16);
        push_cell(&mut entry, key);
        blob::push(txn, self.id, value, &mut entry);
        entry
    }

    /// Goes down to a leaf, and reads it.
    pub(super) fn descend(&self, txn: &mut Txn, by: By) -> Result<Cursor> {
        let path = self.path(txn, by)?;
        self.arrive(txn, path)
    }

    /// Goes down to a leaf, and leaves it unread.
    pub(super) fn path(&self, txn: &mut Txn, by: By) -> Result<Path> {
        let (mut node, mut totals) = (self.root, self.totals());
        let mut rank = match by {
            By::Key(_) => 0,
            By::Rank(rank) => rank,
        };
        let mut steps = Vec::with_capacity(totals.level as usize);
        while totals.level > 0 {
            let record = self.node(txn, node)?;
            let inner = Inner::decode(&record, totals.level).in_record(|| self.record(node))?;
            let found = match by {
                By::Key(key) => inner
                    .child_of(key)
                    .and_then(|(child, below)| Ok((child, below, 0, inner.count_of(child, totals)?))),
                By::Rank(_) => inner
                    .child_at(rank, totals)
                    .and_then(|(child, before, count)| Ok((child, inner.node(child)?, before, count))),
            };
            let (child, below, before, count) = found.in_record(|| self.record(node))?;
            rank -= before;
            let is_last = child + 1 == inner.len;
            steps.push(Step {
                node,
                record,
                totals,
                child,
                is_last,
            });
            (node, totals) = (below, totals.below(count));
        }
        Ok(Path {
            steps,
            leaf: node,
            count: totals.total,
            rank,
        })
    }

    fn arrive(&self, txn: &mut Txn, path: Path) -> Result<Cursor> {
        let record = self.node(txn, path.leaf)?;
        Ok(Cursor { path, record })
    }

    /// The record of the leaf.
    pub fn leaf_of(&self, path: &Path) -> RecordKey {
        self.record(path.leaf)
    }

    fn add(&mut self, txn: &mut Txn, cursor: Cursor, gap: Slot, key: &[u8], value: &[u8]) -> Result<()> {
        let entry = self.entry(txn, key, value);
        let (before, after) = cursor.record.split_at(gap.entry.start);
        if cursor.record.len() + entry.len() > node::LEAF_BYTES {
            let count = gap.index as u64;
            if after.is_empty() && is_last(&cursor.path.steps) {
                let last = Leaf::new(before).last_key()?;
                let right = self.new_leaf(txn, &entry, separator(last, key).to_vec());
                return self.propagate(
                    txn,
                    cursor.path.steps,
                    Change::Split((cursor.path.leaf, count), right, true),
                    1,
                );
            }
            if before.is_empty() && is_first(&cursor.path.steps) {
                let next = &after[Leaf::new(after).at(0)?.key];
                let left = self.new_leaf(txn, &entry, Vec::new());
                let right = Child {
                    node: cursor.path.leaf,
                    count: cursor.path.count,
                    separator: Cow::Owned(separator(key, next).to_vec()),
                };
                return self.propagate(
                    txn,
                    cursor.path.steps,
                    Change::Split((left.node, 1), right, false),
                    1,
                );
            }
        }
        let change = self.write_leaf(txn, &cursor, gap.entry, &entry)?;
        self.propagate(txn, cursor.path.steps, change, 1)
    }

    fn new_leaf(&self, txn: &mut Txn, entry: &[u8], separator: Vec<u8>) -> Child<'static> {
        let node = txn.fresh_id();
        txn.put(self.record(node), Value::from(entry));
        Child {
            node,
            count: 1,
            separator: Cow::Owned(separator),
        }
    }

    fn replace(&mut self, txn: &mut Txn, cursor: Cursor, slot: Slot, value: &[u8]) -> Result<()> {
        slot.value.delete(txn, self.id);
        let entry = self.entry(txn, &cursor.record[slot.key], value);
        let change = self.write_leaf(txn, &cursor, slot.entry, &entry)?;
        self.propagate(txn, cursor.path.steps, change, 0)
    }

    fn take(&mut self, txn: &mut Txn, cursor: Cursor, slot: Slot) -> Result<(Bytes, Bytes)> {
        let key = Part::new(&cursor.record, slot.key).to_bytes();
        let value = slot.value.load(txn, self.id, &cursor.record)?;
        slot.value.delete(txn, self.id);
        let change = self.write_leaf(txn, &cursor, slot.entry, b"")?;
        self.propagate(txn, cursor.path.steps, change, -1)?;
        Ok((key, value))
    }

    /// Puts a leaf's new record, in two if it is too large, some bytes of it being replaced.
    fn write_leaf(
        &self,
        txn: &mut Txn,
        cursor: &Cursor,
        replaced: Range<usize>,
        entry: &[u8],
    ) -> Result<Change> {
        let (at, len) = (replaced.start, cursor.record.len() - replaced.len() + entry.len());
        if len == 0 {
            txn.delete(self.record(cursor.path.leaf));
            return Ok(Change::Gone);
        }
        if len <= node::LEAF_BYTES {
            txn.splice(self.record(cursor.path.leaf), &cursor.record, replaced, entry);
            let is_edge = is_first(&cursor.path.steps) || is_last(&cursor.path.steps);
            let small = node::is_small(len, 0) && !is_edge;
            return Ok(if small { Change::Small } else { Change::Kept });
        }
        let leaf = [&cursor.record[..at], entry, &cursor.record[replaced.end..]].concat();
        let slots: std::result::Result<Vec<Slot>, _> = Leaf::new(&leaf).collect();
        let slots = slots?;
        let middle = slots.iter().position(|slot| slot.entry.end > leaf.len() / 2);
        let cut = middle.unwrap_or(0).max(1);
        let Some(next) = slots.get(cut) else {
            txn.put(self.record(cursor.path.leaf), Value::from(&leaf[..]));
            return Ok(Change::Kept);
        };
        let last = &slots[cut - 1];
        let (left, right) = leaf.split_at(next.entry.start);
        let child = Child {
            node: txn.fresh_id(),
            count: (slots.len() - next.index) as u64,
            separator: Cow::Owned(separator(&leaf[last.key.clone()], &leaf[next.key.clone()]).to_vec()),
        };
        txn.put(self.record(cursor.path.leaf), Value::from(left));
        txn.put(self.record(child.node), Value::from(right));
        Ok(Change::Split(
            (cursor.path.leaf, next.index as u64),
            child,
            at >= left.len(),
        ))
    }
}
