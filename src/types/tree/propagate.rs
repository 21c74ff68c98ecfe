//! What a change of a leaf makes of the inner nodes above it, up to the root.

use std::borrow::Cow;

use super::Tree;
use super::counts::Totals;
use super::inner::{Child, Inner, encode_inner};
use super::node;
use crate::disk::delta::Known;
use crate::store::{Result, Txn, Value};
use crate::types::damage::InRecord;

/// An inner node of a path.
pub struct Step {
    /// The number of its record.
    pub node: u64,
    /// Its record, as it was before the change.
    pub record: Value,
    /// How its counts are to be read.
    pub totals: Totals,
    /// The index of the child that was taken.
    pub child: usize,
    /// Whether that is the last one.
    pub is_last: bool,
}

/// What a change below has made of a child.
pub enum Change {
    /// It is what it was, but for its count.
    Kept,
    /// It should become one with a neighbour.
    Small,
    /// It has no entries any more: the node above forgets it.
    Gone,
    /// It is two now: node and count of the first, then the second; and whether the change was in that.
    Split((u64, u64), Child<'static>, bool),
}

/// Whether a node with these steps above it is the first or the last of its level.
pub fn is_first(steps: &[Step]) -> bool {
    steps.iter().all(|step| step.child == 0)
}

/// See [`is_first`].
pub fn is_last(steps: &[Step]) -> bool {
    steps.iter().all(|step| step.is_last)
}

impl Tree {
    /// Brings the inner nodes above a changed node up to date, `delta` being the difference in entries.
    pub(super) fn propagate(
        &mut self,
        txn: &mut Txn,
        mut steps: Vec<Step>,
        mut change: Change,
        delta: i64,
    ) -> Result<()> {
        while let Some(step) = steps.pop() {
            let inner = Inner::decode(&step.record, step.totals.level);
            let inner = inner.in_record(|| self.record(step.node))?;
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
            change = self.rewrite_inner(txn, &step, &steps, (inner, change), delta)?;
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
                self.add_root(txn, left, right, in_right);
                Ok(())
            }
        }
    }

    /// Writes an inner node anew after a change of the child that the step took. `above` are the steps above it.
    fn rewrite_inner(
        &mut self,
        txn: &mut Txn,
        step: &Step,
        above: &[Step],
        (inner, change): (Inner, Change),
        delta: i64,
    ) -> Result<Change> {
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
        if above.is_empty() {
            self.first = children.first().map_or(0, |child| child.count);
        }
        self.write_inner(txn, step, above, children, touched)
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

    /// Puts an inner node's record, which has `children`. `above` are the steps above it.
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
    fn add_root(&mut self, txn: &mut Txn, left: (u64, u64), right: Child<'static>, in_right: bool) {
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
            let inner = Inner::decode(&record, self.height - 1).in_record(|| self.record(self.root))?;
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
