//! Whole leaves at the ends of a tree that is used by position: for an owner that gathers entries before they go in, and
//! wants many when it takes some out.

use std::borrow::Cow;

use super::inner::Child;
use super::leaf::Leaf;
use super::propagate::Change;
use super::write::By;
use super::{Part, Tree};
use crate::store::{Result, Txn, Value};
use crate::types::string::Bytes;

impl Tree {
    /// Puts values, encoded as `types/blob.rs` has it and in this order, before or behind all entries: in leaves of their
    /// own, with at most `bytes` of values each.
    pub fn push_leaves(
        &mut self,
        txn: &mut Txn,
        behind: bool,
        mut values: &[&[u8]],
        bytes: usize,
    ) -> Result<()> {
        while !values.is_empty() {
            let mut room = bytes;
            let fits = |value: &&&[u8]| {
                let fits = room.checked_sub(value.len());
                room = fits.unwrap_or(0);
                fits.is_some()
            };
            let leaf;
            if behind {
                let count = values.iter().take_while(fits).count().max(1);
                (leaf, values) = values.split_at(count);
            } else {
                let count = values.iter().rev().take_while(fits).count().max(1);
                (values, leaf) = values.split_at(values.len() - count);
            }
            self.push_leaf(txn, behind, leaf)?;
        }
        Ok(())
    }

    fn push_leaf(&mut self, txn: &mut Txn, behind: bool, values: &[&[u8]]) -> Result<()> {
        let mut record = Vec::with_capacity(values.iter().map(|value| 1 + value.len()).sum());
        for value in values {
            // An empty key.
            record.push(0);
            record.extend_from_slice(value);
        }
        let (node, count) = (txn.fresh_id(), values.len() as u64);
        txn.put(self.record(node), Value::from(&record[..]));
        if self.height == 0 {
            (self.height, self.root, self.len, self.first) = (1, node, count, 0);
            return Ok(());
        }
        let path = self.path(txn, By::Rank(if behind { self.len } else { 0 }))?;
        let there = (path.leaf, path.count);
        let (left, right) = match behind {
            true => (there, (node, count)),
            false => ((node, count), there),
        };
        let right = Child {
            node: right.0,
            count: right.1,
            separator: Cow::Borrowed(b""),
        };
        self.propagate(
            txn,
            path.steps,
            Change::Split(left, right, behind),
            count.cast_signed(),
        )
    }

    /// Takes out the first leaf, or the last, and returns its values, encoded as they are and in their order.
    pub fn pop_leaf(&mut self, txn: &mut Txn, last: bool) -> Result<Vec<Bytes>> {
        if self.height == 0 {
            return Ok(Vec::new());
        }
        let cursor = self.descend(txn, By::Rank(if last { self.len } else { 0 }))?;
        let mut values = Vec::new();
        for slot in Leaf::new(&cursor.record) {
            let slot = slot?;
            values.push(Part::new(&cursor.record, slot.key.end..slot.entry.end).to_bytes());
        }
        txn.delete(self.record(cursor.path.leaf));
        self.propagate(txn, cursor.path.steps, Change::Gone, -(values.len() as i64))?;
        Ok(values)
    }
}
