//! A counted B+ tree: entries in the order of their keys, or of their positions alone, with O(log N) record reads to any
//! key, rank or end.
//!
//! Every node is a record in family "tree" (see `tree/node.rs` for its bytes). What is above them (the root, the height,
//! the number of entries) is the [`Tree`], which its owner keeps in the key's own record. The owner reads nodes by point
//! gets only, so what was deleted is never walked over.
//!
//! Writes at the ends are cheap: a full leaf at an end is not divided but followed by a new one, and as counts can be told
//! from the total above (see `tree/node.rs`), a run of them rewrites one leaf and the key's own record. Nodes at the ends
//! are emptied before they go; any other that gets small looks for a neighbour to become one with.
//!
//! ```text
//! tree := height:varint [root:varint entries:varint first:varint]       height 0: empty; 1: the root is a leaf;
//!                                                                       first: how many are below the root's first child
//! ```
//!
//! Nodes have numbers that nothing else has ([`Txn::fresh_id`]), so several trees can share one id.

mod build;
mod counts;
mod inner;
mod key;
mod leaf;
mod leaves;
mod node;
mod propagate;
mod range;
mod write;

use std::ops::{Deref, Range};

use super::blob::Stored;
use super::damage::{InRecord, missing};
use super::footprint::{Footprint, spread};
use super::string::Bytes;
use crate::disk::cells::{Reader, push_varint};
use crate::disk::format::{Malformed, RecordKey};
use crate::store::{Result, Stop, Txn, Value};
use counts::Totals;
use inner::Inner;
use leaf::{Leaf, Slot};
pub use write::Path;

/// More levels than any tree has that fits a disk.
const MAX_HEIGHT: u32 = 40;

/// What is above a tree's nodes, as its owner keeps it in the key's own record: see the module.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Tree {
    id: u64,
    height: u32,
    root: u64,
    len: u64,
    /// How many entries are below the root's first child, if the root has children.
    first: u64,
}

/// Bytes in a record of the tree.
#[derive(Clone, Copy)]
pub struct Part<'r> {
    record: &'r Value,
    start: usize,
    end: usize,
}

impl<'r> Part<'r> {
    /// The bytes of this range, which has to lie in the record.
    pub fn new(record: &'r Value, range: Range<usize>) -> Part<'r> {
        Part {
            record,
            start: range.start,
            end: range.end,
        }
    }

    /// Without the first `n` bytes. Panics out of range, as slices do.
    pub fn skip(self, n: usize) -> Part<'r> {
        assert!(n <= self.end - self.start);
        Part {
            start: self.start + n,
            ..self
        }
    }

    /// The bytes, sharing the record.
    pub fn to_bytes(self) -> Bytes {
        Bytes::Shared(self.record.clone(), self.start..self.end)
    }
}

impl Deref for Part<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.record[self.start..self.end]
    }
}

impl Tree {
    /// A tree without entries, its nodes to be under this id.
    pub fn empty(id: u64) -> Tree {
        Tree {
            id,
            height: 0,
            root: 0,
            len: 0,
            first: 0,
        }
    }

    /// Reads the state at the head of `state`. What ends early or is higher than any tree is damage.
    pub fn decode(id: u64, state: &mut Reader) -> Result<Tree> {
        let mut tree = Tree::empty(id);
        tree.height = u32::try_from(state.varint()?).unwrap_or(u32::MAX);
        if tree.height > MAX_HEIGHT {
            return Err(Malformed("height of a tree").into());
        }
        if tree.height > 0 {
            (tree.root, tree.len, tree.first) = (state.varint()?, state.varint()?, state.varint()?);
        }
        Ok(tree)
    }

    /// Appends the state.
    pub fn encode(&self, out: &mut Vec<u8>) {
        push_varint(out, u64::from(self.height));
        if self.height > 0 {
            push_varint(out, self.root);
            push_varint(out, self.len);
            push_varint(out, self.first);
        }
    }

    /// The id that the tree's nodes are under.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The number of entries.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether it has no entries.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    fn record(&self, node: u64) -> RecordKey {
        RecordKey::tree(self.id, node)
    }

    fn node(&self, txn: &mut Txn, node: u64) -> Result<Value> {
        match txn.get(&self.record(node))? {
            Some(record) => Ok(record),
            None => Err(missing(self.record(node), Malformed("tree: a node is missing"))),
        }
    }

    fn totals(&self) -> Totals {
        Totals {
            level: self.height.saturating_sub(1),
            total: self.len,
            first: Some(self.first),
        }
    }

    /// Notes the first node to be fetched on the way to a key.
    pub fn prefetch(&self, txn: &mut Txn, key: &[u8]) -> Result<()> {
        let mut node = self.root;
        for level in (0..self.height).rev() {
            if txn.prefetch(self.record(node)) || level == 0 {
                break;
            }
            let record = self.node(txn, node)?;
            let child = Inner::decode(&record, level).and_then(|inner| inner.child_of(key));
            (_, node) = child.in_record(|| self.record(node))?;
        }
        Ok(())
    }

    /// The leaf where a key is, or belongs: its node and its record.
    fn leaf(&self, txn: &mut Txn, key: &[u8]) -> Result<Option<(u64, Value)>> {
        if self.height == 0 {
            return Ok(None);
        }
        let mut node = self.root;
        for level in (1..self.height).rev() {
            let record = self.node(txn, node)?;
            let child = Inner::decode(&record, level).and_then(|inner| inner.child_of(key));
            (_, node) = child.in_record(|| self.record(node))?;
        }
        Ok(Some((node, self.node(txn, node)?)))
    }

    /// The key's value, if it is there.
    pub fn get(&self, txn: &mut Txn, key: &[u8]) -> Result<Option<Bytes>> {
        let Some((node, record)) = self.leaf(txn, key)? else {
            return Ok(None);
        };
        let slot = Leaf::new(&record).find(key).in_record(|| self.record(node))?;
        match slot.is_gap() {
            true => Ok(None),
            false => slot.value.load(txn, self.id, &record).map(Some),
        }
    }

    /// How many entries have a lesser key, and whether one has this key.
    pub fn rank(&self, txn: &mut Txn, key: &[u8]) -> Result<(u64, bool)> {
        if self.height == 0 {
            return Ok((0, false));
        }
        let (mut node, mut totals, mut rank) = (self.root, self.totals(), 0);
        while totals.level > 0 {
            let record = self.node(txn, node)?;
            let found = Inner::decode(&record, totals.level).and_then(|inner| {
                let (index, child) = inner.child_of(key)?;
                Ok((child, inner.count(index, totals)?))
            });
            let (child, (before, count)) = found.in_record(|| self.record(node))?;
            rank += before;
            (node, totals) = (child, totals.below(count));
        }
        let record = self.node(txn, node)?;
        let slot = Leaf::new(&record).find(key).in_record(|| self.record(node))?;
        Ok((rank + slot.index as u64, !slot.is_gap()))
    }

    /// Shows an entry of this leaf.
    fn show<T>(
        &self,
        txn: &mut Txn,
        leaf: &Value,
        slot: Slot,
        visit: impl FnOnce(Part, Part) -> Result<T>,
    ) -> Result<T> {
        let key = Part::new(leaf, slot.key);
        match slot.value {
            Stored::Inline(range) => visit(key, Part::new(leaf, range)),
            blob @ Stored::Blob { .. } => match blob.load(txn, self.id, leaf)? {
                Bytes::Shared(record, range) => visit(key, Part::new(&record, range)),
                Bytes::Owned(bytes) => visit(key, Part::new(&Value::from(&bytes[..]), 0..bytes.len())),
            },
        }
    }

    /// The leaf with the entry of this rank, and where it is there.
    fn locate(&self, txn: &mut Txn, rank: u64) -> Result<(Value, Slot)> {
        let (mut node, mut totals, mut rank) = (self.root, self.totals(), rank);
        while totals.level > 0 {
            let record = self.node(txn, node)?;
            let found = Inner::decode(&record, totals.level).and_then(|inner| {
                let (index, before, count) = inner.child_at(rank, totals)?;
                Ok((inner.node(index)?, before, count))
            });
            let (child, before, count) = found.in_record(|| self.record(node))?;
            rank -= before;
            (node, totals) = (child, totals.below(count));
        }
        let record = self.node(txn, node)?;
        let slot = Leaf::new(&record).at(rank as usize).and_then(present);
        let slot = slot.in_record(|| self.record(node))?;
        Ok((record, slot))
    }

    /// Estimated from `samples` of its leaves. Nodes above them are few.
    pub fn footprint(&self, txn: &mut Txn, samples: u64) -> Result<Footprint> {
        let (mut sampled, mut entries) = (Footprint::default(), 0);
        for rank in spread(self.len, samples) {
            let (leaf, _) = self.locate(txn, rank)?;
            sampled = sampled + Footprint::of_record(&leaf);
            for slot in Leaf::new(&leaf) {
                entries += 1;
                sampled = sampled + slot?.value.footprint();
            }
        }
        Ok(sampled.scaled(self.len, entries))
    }

    /// The key and the value of the entry with `rank` others before it.
    pub fn at(&self, txn: &mut Txn, rank: u64) -> Result<Option<(Bytes, Bytes)>> {
        if rank >= self.len {
            return Ok(None);
        }
        let (leaf, slot) = self.locate(txn, rank)?;
        let value = slot.value.load(txn, self.id, &leaf)?;
        Ok(Some((Part::new(&leaf, slot.key).to_bytes(), value)))
    }
}

const COUNTS_DIFFER: Malformed = Malformed("tree: counts and entries differ");

/// An entry that the counts say is there.
fn present(slot: Slot) -> std::result::Result<Slot, Malformed> {
    match slot.is_gap() {
        true => Err(COUNTS_DIFFER),
        false => Ok(slot),
    }
}

fn no_such_rank<T>() -> Result<T> {
    Stop::error("ERR no such position in a tree")
}
