//! Changes within lists: single elements by their indexes, and whole ranges at the ends.

use std::ops::Range;

use super::List;
use super::end::{Element, Side, elements};
use crate::store::{Result, Txn};

impl List<'_> {
    /// Puts an element in the place of the one at an index, which has to be below [`List::len`].
    pub fn set(&mut self, txn: &mut Txn, index: u64, element: &[u8]) -> Result<()> {
        let (id, len, head) = (self.id(), self.len(), self.head.count());
        let tail = head + self.middle_len();
        let (side, number) = match &mut self.middle {
            Some(middle) if (head..tail).contains(&index) => {
                return middle.put_at(txn, index - head, element);
            }
            _ if index < head => (Side::Left, index),
            _ => (Side::Right, len - 1 - index),
        };
        let mut encoded = Vec::new();
        self.encode(txn, element, &mut encoded);
        let old = self.end(side).splice(number..number + 1, 1, &encoded)?;
        Element::decode(&old)?.delete(txn, id);
        Ok(())
    }

    /// Puts an element before the one at `index`, or behind all.
    pub fn insert(&mut self, txn: &mut Txn, index: u64, element: &[u8]) -> Result<()> {
        let (len, head) = (self.len(), self.head.count());
        let tail = head + self.middle_len();
        let (side, number) = match &mut self.middle {
            Some(middle) if head < index && index < tail => {
                return middle.insert_at(txn, index - head, element);
            }
            _ if index <= head => (Side::Left, index),
            _ => (Side::Right, len - index),
        };
        let mut encoded = Vec::new();
        self.encode(txn, element, &mut encoded);
        self.end(side).splice(number..number, 1, &encoded)?;
        Ok(())
    }

    /// Takes out the elements at these indexes, which ascend.
    pub fn remove(&mut self, txn: &mut Txn, indexes: &[u64]) -> Result<()> {
        let (id, len, head) = (self.id(), self.len(), self.head.count());
        let tail = head + self.middle_len();
        let (in_head, rest) = indexes.split_at(indexes.partition_point(|&index| index < head));
        let (in_middle, in_tail) = rest.split_at(rest.partition_point(|&index| index < tail));
        let from_right = in_tail.iter().rev().map(|index| len - 1 - index);
        self.head
            .remove(in_head.iter().copied(), |element| element.delete(txn, id))?;
        self.tail.remove(from_right, |element| element.delete(txn, id))?;
        for index in in_middle.iter().rev() {
            let Some(middle) = &mut self.middle else { break };
            middle.remove_at(txn, index - head)?;
        }
        Ok(())
    }

    /// Drops all elements but those with indexes in `kept`.
    pub fn trim(&mut self, txn: &mut Txn, kept: Range<u64>) -> Result<()> {
        let after = self.len() - kept.end;
        self.cut(txn, Side::Left, kept.start)?;
        self.cut(txn, Side::Right, after)
    }

    /// Drops `count` elements at an end; there are as many at least.
    fn cut(&mut self, txn: &mut Txn, side: Side, count: u64) -> Result<()> {
        let id = self.id();
        let end = self.end(side);
        let at_end = count.min(end.count());
        end.take(at_end, |element| {
            element.delete(txn, id);
            Ok(())
        })?;
        let in_middle = (count - at_end).min(self.middle_len());
        if let Some(middle) = self.middle.as_mut().filter(|_| in_middle > 0) {
            let ranks = match side {
                Side::Left => 0..in_middle,
                Side::Right => middle.len() - in_middle..middle.len(),
            };
            middle.remove_range(txn, ranks, |_, _| Ok(()))?;
        }
        let beyond = self.end(side.other()).split_inside(count - at_end - in_middle)?;
        for element in elements(&beyond) {
            element?.delete(txn, id);
        }
        Ok(())
    }
}
