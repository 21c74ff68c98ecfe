//! Changes of single entries: the leaf first, then up the path for as long as something changes there.

use std::borrow::Cow;
use std::ops::Range;

use super::node::{self, Child, Inner, Leaf, Spot, Totals, encode_inner, separator};
use super::{Bytes, Part, Tree, no_such_rank, present};
use crate::disk::cells::push_cell;
use crate::disk::delta::Known;
use crate::disk::format::RecordKey;
use crate::store::{Result, Txn, Value};
use crate::types::blob;

/// Where to go down.
#[derive(Clone, Copy)]
pub(super) enum By<'k> {
    Key(&'k [u8]),
    Rank(u64),
}

/// An inner node on the way down.
pub(super) struct Step {
    node: u64,
    record: Value,
    totals: Totals,
    /// The index of the child that was taken.
    child: usize,
    is_last: bool,
}

/// The way to a leaf, which was not read yet.
pub struct Way {
    pub(super) steps: Vec<Step>,
    pub(super) leaf: u64,
    /// How many entries the leaf has.
    pub(super) count: u64,
    /// With [`By::Rank`]: the rank in the leaf.
    rank: u64,
}

/// The way to a leaf, and the leaf.
pub(super) struct Path {
    pub way: Way,
    pub record: Value,
}

/// What a change below has made of a child.
pub(super) enum Change {
    /// It is what it was, but for its count.
    Kept,
    /// It should become one with a neighbour.
    Small,
    Gone,
    /// It is two now: node and count of the first, then the second; and whether the change was in that.
    Split((u64, u64), Child<'static>, bool),
}

/// Whether a node with these steps above it is the first or the last of its level.
fn is_first(steps: &[Step]) -> bool {
    steps.iter().all(|step| step.child == 0)
}

fn is_last(steps: &[Step]) -> bool {
    steps.iter().all(|step| step.is_last)
}

impl Tree {
    /// Gives the key this value, and says whether the key is new.
    pub fn insert(&mut self, txn: &mut Txn, key: &[u8], value: &[u8]) -> Result<bool> {
        let way = self.way_to(txn, key)?;
        self.insert_along(txn, way, key, value)
    }

    /// The way to where the key is, or belongs. `None` if there is nothing yet.
    pub fn way_to(&self, txn: &mut Txn, key: &[u8]) -> Result<Option<Way>> {
        match self.height {
            0 => Ok(None),
            _ => self.way(txn, By::Key(key)).map(Some),
        }
    }

    /// As [`Tree::insert`], the tree being as it was when the way was found.
    pub fn insert_along(
        &mut self,
        txn: &mut Txn,
        way: Option<Way>,
        key: &[u8],
        value: &[u8],
    ) -> Result<bool> {
        let Some(way) = way else {
            self.plant(txn, key, value);
            return Ok(true);
        };
        let path = self.arrive(txn, way)?;
        let spot = Leaf::new(&path.record).find(key)?;
        let is_new = spot.is_gap();
        match is_new {
            true => self.add(txn, path, spot, key, value)?,
            false => self.replace(txn, path, spot, value)?,
        }
        Ok(is_new)
    }

    /// Takes the key out, and returns the value that it had.
    pub fn remove(&mut self, txn: &mut Txn, key: &[u8]) -> Result<Option<Bytes>> {
        if self.height == 0 {
            return Ok(None);
        }
        let path = self.descend(txn, By::Key(key))?;
        let spot = Leaf::new(&path.record).find(key)?;
        if spot.is_gap() {
            return Ok(None);
        }
        let (_, value) = self.take(txn, path, spot)?;
        Ok(Some(value))
    }

    /// Puts a value, without a key, before the entry of this rank, or behind all if it is their number.
    pub fn insert_at(&mut self, txn: &mut Txn, rank: u64, value: &[u8]) -> Result<()> {
        if rank > self.len {
            return no_such_rank();
        }
        if self.height == 0 {
            self.plant(txn, b"", value);
            return Ok(());
        }
        let path = self.descend(txn, By::Rank(rank))?;
        let spot = Leaf::new(&path.record).at(path.way.rank as usize)?;
        let gap = Spot {
            entry: spot.entry.start..spot.entry.start,
            ..spot
        };
        self.add(txn, path, gap, b"", value)
    }

    pub fn set_at(&mut self, txn: &mut Txn, rank: u64, value: &[u8]) -> Result<()> {
        if rank >= self.len {
            return no_such_rank();
        }
        let path = self.descend(txn, By::Rank(rank))?;
        let spot = present(Leaf::new(&path.record).at(path.way.rank as usize)?)?;
        self.replace(txn, path, spot, value)
    }

    /// Takes out the entry of this rank: its key and its value.
    pub fn remove_at(&mut self, txn: &mut Txn, rank: u64) -> Result<Option<(Bytes, Bytes)>> {
        if rank >= self.len {
            return Ok(None);
        }
        let path = self.descend(txn, By::Rank(rank))?;
        let spot = present(Leaf::new(&path.record).at(path.way.rank as usize)?)?;
        self.take(txn, path, spot).map(Some)
    }

    pub fn push_front(&mut self, txn: &mut Txn, value: &[u8]) -> Result<()> {
        self.insert_at(txn, 0, value)
    }

    pub fn push_back(&mut self, txn: &mut Txn, value: &[u8]) -> Result<()> {
        self.insert_at(txn, self.len, value)
    }

    pub fn pop_front(&mut self, txn: &mut Txn) -> Result<Option<(Bytes, Bytes)>> {
        self.remove_at(txn, 0)
    }

    pub fn pop_back(&mut self, txn: &mut Txn) -> Result<Option<(Bytes, Bytes)>> {
        self.remove_at(txn, self.len.wrapping_sub(1))
    }

    /// The first entry.
    fn plant(&mut self, txn: &mut Txn, key: &[u8], value: &[u8]) {
        let leaf = self.entry(txn, key, value);
        (self.height, self.root, self.len, self.first) = (1, txn.fresh_id(), 1, 0);
        txn.put(self.record(self.root), Value::from(&leaf[..]));
    }

    pub(super) fn entry(&self, txn: &mut Txn, key: &[u8], value: &[u8]) -> Vec<u8> {
        let mut entry = Vec::with_capacity(key.len() + value.len().min(blob::MAX_INLINE) + 16);
        push_cell(&mut entry, key);
        blob::push(txn, self.id, value, &mut entry);
        entry
    }

    pub(super) fn descend(&self, txn: &mut Txn, by: By) -> Result<Path> {
        let way = self.way(txn, by)?;
        self.arrive(txn, way)
    }

    pub(super) fn way(&self, txn: &mut Txn, by: By) -> Result<Way> {
        let (mut node, mut totals) = (self.root, self.totals());
        let mut rank = match by {
            By::Key(_) => 0,
            By::Rank(rank) => rank,
        };
        let mut steps = Vec::with_capacity(totals.level as usize);
        while totals.level > 0 {
            let record = self.node(txn, node)?;
            let inner = Inner::decode(&record, totals.level)?;
            let (child, below, count) = match by {
                By::Key(key) => {
                    let (child, below) = inner.child_of(key)?;
                    (child, below, inner.count_of(child, totals)?)
                }
                By::Rank(_) => {
                    let (child, before, count) = inner.child_at(rank, totals)?;
                    rank -= before;
                    (child, inner.node(child)?, count)
                }
            };
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
        Ok(Way {
            steps,
            leaf: node,
            count: totals.total,
            rank,
        })
    }

    fn arrive(&self, txn: &mut Txn, way: Way) -> Result<Path> {
        let record = self.node(txn, way.leaf)?;
        Ok(Path { way, record })
    }

    /// The record of the leaf.
    pub fn leaf_of(&self, way: &Way) -> RecordKey {
        self.record(way.leaf)
    }

    fn add(&mut self, txn: &mut Txn, path: Path, gap: Spot, key: &[u8], value: &[u8]) -> Result<()> {
        let entry = self.entry(txn, key, value);
        let (before, after) = path.record.split_at(gap.entry.start);
        if path.record.len() + entry.len() > node::LEAF_BYTES {
            let count = gap.index as u64;
            if after.is_empty() && is_last(&path.way.steps) {
                let last = Leaf::new(before).last_key()?;
                let right = self.new_leaf(txn, &entry, separator(last, key).to_vec());
                return self.settle(
                    txn,
                    path.way.steps,
                    Change::Split((path.way.leaf, count), right, true),
                    1,
                );
            }
            if before.is_empty() && is_first(&path.way.steps) {
                let next = &after[Leaf::new(after).at(0)?.key];
                let left = self.new_leaf(txn, &entry, Vec::new());
                let right = Child {
                    node: path.way.leaf,
                    count: path.way.count,
                    separator: Cow::Owned(separator(key, next).to_vec()),
                };
                return self.settle(
                    txn,
                    path.way.steps,
                    Change::Split((left.node, 1), right, false),
                    1,
                );
            }
        }
        let change = self.write_leaf(txn, &path, gap.entry, &entry)?;
        self.settle(txn, path.way.steps, change, 1)
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

    fn replace(&mut self, txn: &mut Txn, path: Path, spot: Spot, value: &[u8]) -> Result<()> {
        spot.value.forget(txn, self.id);
        let entry = self.entry(txn, &path.record[spot.key], value);
        let change = self.write_leaf(txn, &path, spot.entry, &entry)?;
        self.settle(txn, path.way.steps, change, 0)
    }

    fn take(&mut self, txn: &mut Txn, path: Path, spot: Spot) -> Result<(Bytes, Bytes)> {
        let key = Part::new(&path.record, spot.key).to_bytes();
        let value = spot.value.load(txn, self.id, &path.record)?;
        spot.value.forget(txn, self.id);
        let change = self.write_leaf(txn, &path, spot.entry, b"")?;
        self.settle(txn, path.way.steps, change, -1)?;
        Ok((key, value))
    }

    /// Puts a leaf's new record, in two if it is too large, some bytes of it being replaced.
    fn write_leaf(&self, txn: &mut Txn, path: &Path, replaced: Range<usize>, entry: &[u8]) -> Result<Change> {
        let (at, len) = (replaced.start, path.record.len() - replaced.len() + entry.len());
        if len == 0 {
            txn.delete(self.record(path.way.leaf));
            return Ok(Change::Gone);
        }
        if len <= node::LEAF_BYTES {
            txn.splice(self.record(path.way.leaf), &path.record, replaced, entry);
            let is_edge = is_first(&path.way.steps) || is_last(&path.way.steps);
            let small = node::is_small(len, 0) && !is_edge;
            return Ok(if small { Change::Small } else { Change::Kept });
        }
        let leaf = [&path.record[..at], entry, &path.record[replaced.end..]].concat();
        let spots: std::result::Result<Vec<Spot>, _> = Leaf::new(&leaf).collect();
        let spots = spots?;
        let middle = spots.iter().position(|spot| spot.entry.end > leaf.len() / 2);
        let cut = middle.unwrap_or(0).max(1);
        let Some(next) = spots.get(cut) else {
            txn.put(self.record(path.way.leaf), Value::from(&leaf[..]));
            return Ok(Change::Kept);
        };
        let last = &spots[cut - 1];
        let (left, right) = leaf.split_at(next.entry.start);
        let child = Child {
            node: txn.fresh_id(),
            count: (spots.len() - next.index) as u64,
            separator: Cow::Owned(separator(&leaf[last.key.clone()], &leaf[next.key.clone()]).to_vec()),
        };
        txn.put(self.record(path.way.leaf), Value::from(left));
        txn.put(self.record(child.node), Value::from(right));
        Ok(Change::Split(
            (path.way.leaf, next.index as u64),
            child,
            at >= left.len(),
        ))
    }

    /// Brings the inner nodes above a changed node up to date, `delta` being the difference in entries.
    pub(super) fn settle(
        &mut self,
        txn: &mut Txn,
        mut steps: Vec<Step>,
        mut change: Change,
        delta: i64,
    ) -> Result<()> {
        while let Some(step) = steps.pop() {
            let inner = Inner::decode(&step.record, step.totals.level)?;
            if let Change::Kept = change {
                if delta != 0 {
                    self.recount(txn, &step, inner, delta)?;
                }
                continue;
            }
            if let Change::Split(left, right, in_right) = &change
                && let Some((record, known)) =
                    inner.with_child(step.child, *left, right, *in_right, step.totals)?
            {
                if steps.is_empty() && step.child == 0 {
                    self.first = left.1;
                }
                txn.put_changed(self.record(step.node), record, known);
                change = Change::Kept;
                continue;
            }
            if let Change::Gone = change
                && let Some((record, known)) = inner.without_child(step.child, step.totals)?
            {
                if steps.is_empty() && step.child == 0 {
                    self.first = inner.count_of(1, step.totals)?;
                }
                change = self.put_inner(txn, &step, &steps, (record, known), inner.len - 1);
                continue;
            }
            let mut children = inner.children(step.totals)?;
            let mut touched = step.child;
            match change {
                Change::Kept => {}
                Change::Gone => {
                    children.remove(touched);
                    touched = touched.saturating_sub(1);
                }
                Change::Small => {
                    let count = &mut children[touched].count;
                    *count = count.wrapping_add_signed(delta);
                    touched = self.merge(txn, &mut children, touched, step.totals.level)?;
                }
                Change::Split(left, right, in_right) => {
                    (children[touched].node, children[touched].count) = left;
                    children.insert(touched + 1, right);
                    touched += usize::from(in_right);
                }
            }
            if steps.is_empty() {
                self.first = children.first().map_or(0, |child| child.count);
            }
            change = self.write_inner(txn, &step, &steps, children, touched)?;
        }
        self.len = self.len.wrapping_add_signed(delta);
        match change {
            Change::Kept => Ok(()),
            Change::Small => self.collapse(txn),
            Change::Gone => {
                *self = Tree::empty(self.id);
                Ok(())
            }
            Change::Split(left, right, in_right) => {
                self.grow(txn, left, right, in_right);
                Ok(())
            }
        }
    }

    /// A child's count is about to change, and nothing else of it.
    fn recount(&mut self, txn: &mut Txn, step: &Step, inner: Inner, delta: i64) -> Result<()> {
        if step.totals.first.is_some() && step.child == 0 {
            self.first = self.first.wrapping_add_signed(delta);
        } else if let Some((record, known)) = inner.recounted(&step.record, step.child, delta, step.totals)? {
            txn.put_changed(self.record(step.node), record, known);
        }
        Ok(())
    }

    /// Makes the child at `at` one with a neighbour, if both are small enough, and returns the index that it has then.
    pub(super) fn merge(
        &self,
        txn: &mut Txn,
        children: &mut Vec<Child>,
        at: usize,
        level: u32,
    ) -> Result<usize> {
        if children.len() < 2 {
            return Ok(at);
        }
        let (a, b) = if at + 1 < children.len() {
            (at, at + 1)
        } else {
            (at - 1, at)
        };
        let pair = [&children[a], &children[b]];
        for child in pair {
            txn.prefetch(self.record(child.node));
        }
        txn.await_prefetched()?;
        let (left, right) = (self.node(txn, pair[0].node)?, self.node(txn, pair[1].node)?);
        if left.len() + right.len() > node::fill(level - 1) {
            return Ok(at);
        }
        let merged = match level {
            1 => Value::concat(&[&left, &right]),
            _ => Value::from(&join(pair, [&left, &right], level - 1)?[..]),
        };
        txn.put(self.record(pair[0].node), merged);
        txn.delete(self.record(pair[1].node));
        children[a].count += children[b].count;
        children.remove(b);
        Ok(a)
    }

    /// Puts an inner node's children, in two nodes if they are too many. `above` are the steps above it.
    fn write_inner(
        &self,
        txn: &mut Txn,
        step: &Step,
        above: &[Step],
        mut children: Vec<Child>,
        touched: usize,
    ) -> Result<Change> {
        let level = step.totals.level;
        if children.is_empty() {
            txn.delete(self.record(step.node));
            return Ok(Change::Gone);
        }
        let record = encode_inner(&children, touched, level);
        if record.len() <= node::INNER_BYTES || children.len() < 3 {
            let record = (Value::from(&record[..]), Known::Nothing);
            return Ok(self.put_inner(txn, step, above, record, children.len()));
        }
        let cut = match touched {
            last if last + 1 == children.len() && is_last(above) => last,
            0 if is_first(above) => 1,
            _ => children.len() / 2,
        };
        let right = children.split_off(cut);
        let in_right = touched >= cut;
        let (in_left, within) = if in_right {
            (cut - 1, touched - cut)
        } else {
            (touched, 0)
        };
        let count = |children: &[Child]| children.iter().map(|child| child.count).sum::<u64>();
        let second = Child {
            node: txn.fresh_id(),
            count: count(&right),
            separator: Cow::Owned(right[0].separator.to_vec()),
        };
        let mut put = |node, children: &[Child], implied| {
            let record = encode_inner(children, implied, level);
            txn.put(self.record(node), Value::from(&record[..]));
        };
        put(step.node, &children, in_left);
        put(second.node, &right, within);
        Ok(Change::Split((step.node, count(&children)), second, in_right))
    }

    /// Puts an inner node's record, of so many children. `above` are the steps above it.
    fn put_inner(
        &self,
        txn: &mut Txn,
        step: &Step,
        above: &[Step],
        (record, known): (Value, Known),
        children: usize,
    ) -> Change {
        let is_edge = is_first(above) || is_last(above);
        let is_small = match above.is_empty() {
            true => children == 1,
            false => node::is_small(record.len(), step.totals.level) && !is_edge,
        };
        txn.put_changed(self.record(step.node), record, known);
        if is_small { Change::Small } else { Change::Kept }
    }

    /// Puts a new root above the two that the old one has become.
    fn grow(&mut self, txn: &mut Txn, left: (u64, u64), right: Child<'static>, in_right: bool) {
        self.first = left.1;
        let left = Child {
            node: left.0,
            count: left.1,
            separator: Cow::Borrowed(b""),
        };
        let root = encode_inner(&[left, right], usize::from(in_right), self.height);
        self.height += 1;
        self.root = txn.fresh_id();
        txn.put(self.record(self.root), Value::from(&root[..]));
    }

    /// Takes off roots that have one child only.
    pub(super) fn collapse(&mut self, txn: &mut Txn) -> Result<()> {
        while self.height > 1 {
            let record = self.node(txn, self.root)?;
            let inner = Inner::decode(&record, self.height - 1)?;
            if inner.len > 1 {
                break;
            }
            let only = inner.node(0)?;
            self.first = 0;
            if self.height > 2 {
                let record = self.node(txn, only)?;
                let totals = Totals {
                    level: self.height - 2,
                    total: self.len,
                    first: None,
                };
                (_, self.first) = Inner::decode(&record, totals.level)?.count(0, totals)?;
            }
            txn.delete(self.record(self.root));
            self.root = only;
            self.height -= 1;
        }
        Ok(())
    }
}

/// The record of two neighbours of this level in one.
fn join(pair: [&Child; 2], records: [&Value; 2], level: u32) -> Result<Vec<u8>> {
    let children = |at: usize| {
        let totals = Totals {
            level,
            total: pair[at].count,
            first: None,
        };
        Inner::decode(records[at], level)?.children(totals)
    };
    let (mut all, mut right) = (children(0)?, children(1)?);
    right[0].separator = Cow::Borrowed(&pair[1].separator);
    all.append(&mut right);
    Ok(encode_inner(&all, 0, level))
}
