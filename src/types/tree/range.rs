//! Whole ranges of ranks: read, removed, copied. Subtrees that are removed whole are unlinked, not rewritten.

use std::ops::Range;

use super::counts::Totals;
use super::inner::{Child, Inner, encode_inner};
use super::leaf::Leaf;
use super::node;
use super::{COUNTS_DIFFER, Part, Tree};
use crate::disk::format::RecordKey;
use crate::store::{Result, Stop, Txn, Value};
use crate::types::damage::InRecord;

/// How many cold nodes a command that only reads waits for: some 256 KiB of them.
const MAX_COLD_NODES: usize = 256;

/// A cut of at most this many entries is made one by one, which leaves the counts above as they are where it can.
const FEW: u64 = 8;

struct Cut<'f, F> {
    /// It reaches an end of the tree, where small nodes stay as they are.
    is_edge: bool,
    removed: &'f mut F,
}

/// What is left of a node after a cut.
struct Rest {
    count: u64,
    /// Of an inner node: the entries below its first child.
    first: u64,
    bytes: usize,
}

/// The part of `ranks` that lies in a child with `before` entries before it and `count` below it, counted from its start.
fn within(ranks: &Range<u64>, before: u64, count: u64) -> Range<u64> {
    let from = ranks.start.clamp(before, before + count) - before;
    let to = ranks.end.clamp(before, before + count) - before;
    from..to
}

/// A node, and the ranks in it that are wanted.
type Wanted = (u64, Totals, Range<u64>);

/// The children in which these ranks lie.
fn parts_of(inner: Inner, totals: Totals, ranks: &Range<u64>) -> Result<Vec<Wanted>> {
    let (first, mut before, _) = inner.child_at(ranks.start, totals)?;
    let counts = inner.counts(totals)?;
    let mut parts = Vec::new();
    for (index, node) in inner.nodes().enumerate().skip(first) {
        if before >= ranks.end {
            break;
        }
        let count = counts.get(index);
        parts.push((node?, totals.below(count), within(ranks, before, count)));
        before += count;
    }
    Ok(parts)
}

impl Tree {
    fn clamp(&self, ranks: Range<u64>) -> Range<u64> {
        let end = ranks.end.min(self.len);
        ranks.start.min(end)..end
    }

    /// Calls `visit` with the key and the value of each entry of these ranks, until it says false. For commands that only
    /// read: where many nodes are cold, the command runs over a view.
    pub fn range(
        &self,
        txn: &mut Txn,
        ranks: Range<u64>,
        reverse: bool,
        visit: impl FnMut(Part, Part) -> Result<bool>,
    ) -> Result<()> {
        self.visit(txn, ranks, reverse, visit, MAX_COLD_NODES)
    }

    /// As [`Tree::range`], for commands that also write: waits for all nodes, however many.
    pub fn range_to_write(
        &self,
        txn: &mut Txn,
        ranks: Range<u64>,
        reverse: bool,
        visit: impl FnMut(Part, Part) -> Result<bool>,
    ) -> Result<()> {
        self.visit(txn, ranks, reverse, visit, usize::MAX)
    }

    fn visit(
        &self,
        txn: &mut Txn,
        ranks: Range<u64>,
        reverse: bool,
        mut visit: impl FnMut(Part, Part) -> Result<bool>,
        max_cold: usize,
    ) -> Result<()> {
        let ranks = self.clamp(ranks);
        if ranks.is_empty() {
            return Ok(());
        }
        match self.walk(txn, self.root, self.totals(), &ranks, reverse, &mut visit) {
            Err(Stop::Fault) => {
                self.prefetch_range(txn, ranks, max_cold)?;
                Err(Stop::Fault)
            }
            done => done.map(drop),
        }
    }

    /// Notes what a read of these ranks, one by one, will want, for commands that only read.
    pub fn prefetch_ranks(&self, txn: &mut Txn, ranks: &[u64]) -> Result<()> {
        let mut cold = 0;
        for &rank in ranks {
            cold += self.prefetch_range(txn, self.clamp(rank..rank + 1), MAX_COLD_NODES)?;
            if cold > MAX_COLD_NODES {
                txn.view()?;
            }
        }
        Ok(())
    }

    /// Notes all nodes of these ranks that can be told to be missing, and returns their number. More than `max_cold` of
    /// them: over a view.
    fn prefetch_range(&self, txn: &mut Txn, ranks: Range<u64>, max_cold: usize) -> Result<usize> {
        let mut cold = 0;
        let mut nodes = vec![(self.root, self.totals(), ranks)];
        while let Some((node, totals, ranks)) = nodes.pop() {
            if txn.prefetch(self.record(node)) {
                cold += 1;
                if cold > max_cold {
                    txn.view()?;
                }
            } else if totals.level > 0 {
                let record = self.node(txn, node)?;
                nodes.extend(parts_of(Inner::decode(&record, totals.level)?, totals, &ranks)?);
            } else {
                let record = self.node(txn, node)?;
                for slot in Leaf::new(&record) {
                    cold += usize::from(slot?.value.prefetch(txn, self.id));
                }
                if cold > max_cold {
                    txn.view()?;
                }
            }
        }
        Ok(cold)
    }

    /// False: `visit` wants no more.
    fn walk(
        &self,
        txn: &mut Txn,
        node: u64,
        totals: Totals,
        ranks: &Range<u64>,
        reverse: bool,
        visit: &mut impl FnMut(Part, Part) -> Result<bool>,
    ) -> Result<bool> {
        let record = self.node(txn, node)?;
        if totals.level == 0 {
            let walked = self.walk_leaf(txn, &record, ranks, reverse, visit);
            return walked.in_record(|| self.record(node));
        }
        let parts = Inner::decode(&record, totals.level).map_err(Stop::from);
        let parts = parts.and_then(|inner| parts_of(inner, totals, ranks));
        let mut parts = parts.in_record(|| self.record(node))?;
        if reverse {
            parts.reverse();
        }
        for (node, totals, part) in parts {
            if !self.walk(txn, node, totals, &part, reverse, visit)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Takes out the entries of these ranks, `removed` being called with each of them in order.
    pub fn remove_range(
        &mut self,
        txn: &mut Txn,
        ranks: Range<u64>,
        mut removed: impl FnMut(Part, Part) -> Result<()>,
    ) -> Result<()> {
        let ranks = self.clamp(ranks);
        if ranks.end - ranks.start <= FEW {
            return self.remove_few(txn, ranks, removed);
        }
        let mut cut = Cut {
            is_edge: ranks.start == 0 || ranks.end == self.len,
            removed: &mut removed,
        };
        let before = txn.savepoint();
        let rest = match self.cut(txn, self.root, self.totals(), &ranks, &mut cut) {
            Err(Stop::Fault) => {
                // What else is missing can be told from the whole tree only.
                txn.rollback(before);
                self.prefetch_range(txn, ranks, usize::MAX)?;
                return Err(Stop::Fault);
            }
            done => done?,
        };
        (self.len, self.first) = (rest.count, rest.first);
        if rest.count == 0 {
            *self = Tree::empty(self.id);
            return Ok(());
        }
        self.collapse(txn)
    }

    fn remove_few(
        &mut self,
        txn: &mut Txn,
        ranks: Range<u64>,
        mut removed: impl FnMut(Part, Part) -> Result<()>,
    ) -> Result<()> {
        for _ in ranks.clone() {
            let (leaf, slot) = self.locate(txn, ranks.start)?;
            self.show(txn, &leaf, slot, &mut removed)?;
            self.remove_at(txn, ranks.start)?;
        }
        Ok(())
    }

    fn cut<F: FnMut(Part, Part) -> Result<()>>(
        &self,
        txn: &mut Txn,
        node: u64,
        totals: Totals,
        ranks: &Range<u64>,
        cut: &mut Cut<F>,
    ) -> Result<Rest> {
        let record = self.node(txn, node)?;
        if totals.level == 0 {
            let cut = self.cut_leaf(txn, node, &record, ranks, cut.removed);
            return cut.in_record(|| self.record(node));
        }
        let inner = Inner::decode(&record, totals.level).in_record(|| self.record(node))?;
        let mut children: Vec<Child> = Vec::with_capacity(inner.len);
        let (mut before, mut small) = (0, None);
        for mut child in inner.children(totals)? {
            let part = within(ranks, before, child.count);
            before += child.count;
            if part.is_empty() {
                children.push(child);
                continue;
            }
            let rest = self.cut(txn, child.node, totals.below(child.count), &part, cut)?;
            if rest.count > 0 {
                child.count = rest.count;
                if !cut.is_edge && node::is_small(rest.bytes, totals.level - 1) {
                    small = Some(children.len());
                }
                children.push(child);
            }
        }
        if children.is_empty() {
            txn.delete(self.record(node));
            return Ok(Rest {
                count: 0,
                first: 0,
                bytes: 0,
            });
        }
        if let Some(at) = small {
            self.merge(txn, &mut children, at, totals.level)?;
        }
        let record = encode_inner(&children, 0, totals.level);
        txn.put(self.record(node), Value::from(&record[..]));
        Ok(Rest {
            count: children.iter().map(|child| child.count).sum(),
            first: children[0].count,
            bytes: record.len(),
        })
    }

    fn cut_leaf(
        &self,
        txn: &mut Txn,
        node: u64,
        record: &Value,
        ranks: &Range<u64>,
        removed: &mut impl FnMut(Part, Part) -> Result<()>,
    ) -> Result<Rest> {
        let (mut from, mut to, mut count) = (record.len(), record.len(), 0);
        for slot in Leaf::new(record) {
            let slot = slot?;
            let rank = slot.index as u64;
            if rank < ranks.start {
                count += 1;
            } else if rank < ranks.end {
                from = from.min(slot.entry.start);
                let value = slot.value.clone();
                self.show(txn, record, slot, &mut *removed)?;
                value.delete(txn, self.id);
            } else {
                to = to.min(slot.entry.start);
                count += 1;
            }
        }
        let rest = Value::concat(&[&record[..from], &record[to..]]);
        let bytes = rest.len();
        match count {
            0 => txn.delete(self.record(node)),
            _ => txn.put(self.record(node), rest),
        }
        Ok(Rest {
            count,
            first: 0,
            bytes,
        })
    }

    /// A tree of its own with the same entries, its nodes to be under this id.
    pub fn copy(&self, txn: &mut Txn, id: u64) -> Result<Tree> {
        if self.height == 0 {
            return Ok(Tree::empty(id));
        }
        match self.copy_nodes(txn, id) {
            Err(Stop::Fault) => {
                self.prefetch_range(txn, 0..self.len, usize::MAX)?;
                Err(Stop::Fault)
            }
            done => done.map(|()| Tree { id, ..self.clone() }),
        }
    }

    /// Nodes keep their numbers, so their records stay as they are.
    fn copy_nodes(&self, txn: &mut Txn, id: u64) -> Result<()> {
        let mut nodes = vec![(self.root, self.totals().level)];
        while let Some((node, level)) = nodes.pop() {
            let record = self.node(txn, node)?;
            txn.put(RecordKey::tree(id, node), record.clone());
            if level > 0 {
                let inner = Inner::decode(&record, level)?;
                for child in inner.nodes() {
                    nodes.push((child?, level - 1));
                }
            } else {
                for slot in Leaf::new(&record) {
                    slot?.value.copy(txn, self.id, id)?;
                }
            }
        }
        Ok(())
    }

    fn walk_leaf(
        &self,
        txn: &mut Txn,
        record: &Value,
        ranks: &Range<u64>,
        reverse: bool,
        visit: &mut impl FnMut(Part, Part) -> Result<bool>,
    ) -> Result<bool> {
        let (from, count) = (ranks.start as usize, (ranks.end - ranks.start) as usize);
        let mut leaf = Leaf::new(record).starting_at(from)?;
        if !reverse {
            for _ in 0..count {
                let slot = leaf.next().ok_or(COUNTS_DIFFER)??;
                if !self.show(txn, record, slot, &mut *visit)? {
                    return Ok(false);
                }
            }
            return Ok(true);
        }
        let slots: std::result::Result<Vec<_>, _> = leaf.take(count).collect();
        for slot in slots?.into_iter().rev() {
            if !self.show(txn, record, slot, &mut *visit)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
