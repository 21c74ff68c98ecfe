//! Reading lists: ranges from either side, and the positions of what is equal.

use std::ops::Range;

use super::List;
use super::end::{Element, End, Side};
use crate::store::{Result, Txn};
use crate::types::blob::prefetch_blob;

impl List<'_> {
    /// Shows the elements with indexes in `range`, with their indexes, from that side on, until one is answered with
    /// false. For commands that only read.
    pub fn range(
        &self,
        txn: &mut Txn,
        range: Range<u64>,
        from: Side,
        show: impl FnMut(u64, &[u8]) -> Result<bool>,
    ) -> Result<()> {
        self.visit(txn, range, from, false, show)
    }

    /// As [`List::range`], for commands that also write.
    pub fn range_to_write(
        &self,
        txn: &mut Txn,
        range: Range<u64>,
        from: Side,
        show: impl FnMut(u64, &[u8]) -> Result<bool>,
    ) -> Result<()> {
        self.visit(txn, range, from, true, show)
    }

    /// The element at this index, which must be one of the list.
    pub fn get(&self, txn: &mut Txn, index: u64) -> Result<Option<Vec<u8>>> {
        let head = self.head.count();
        if let Some(middle) = &self.middle
            && (head..head + middle.len()).contains(&index)
        {
            return Ok(middle.at(txn, index - head)?.map(|(_, value)| value.to_vec()));
        }
        let mut found = None;
        self.visit(txn, index..index + 1, Side::Left, false, |_, element| {
            found = Some(element.to_vec());
            Ok(false)
        })?;
        Ok(found)
    }

    /// The indexes of the first elements, from that side, that are equal to `wanted`: at most `most`. For commands that
    /// also write.
    pub fn positions(&self, txn: &mut Txn, from: Side, wanted: &[u8], most: u64) -> Result<Vec<u64>> {
        let mut found = Vec::new();
        self.visit(txn, 0..self.len(), from, true, |index, element| {
            if element == wanted {
                found.push(index);
            }
            Ok((found.len() as u64) < most)
        })?;
        Ok(found)
    }

    fn visit(
        &self,
        txn: &mut Txn,
        range: Range<u64>,
        from: Side,
        to_write: bool,
        mut show: impl FnMut(u64, &[u8]) -> Result<bool>,
    ) -> Result<()> {
        let (head, len) = (self.head.count(), self.len());
        let tail = head + self.middle_len();
        let part = |from: u64, to: u64| range.start.clamp(from, to)..range.end.clamp(from, to);
        let reverse = from == Side::Right;
        let mut go_on = true;
        let order = if reverse { [2, 1, 0] } else { [0, 1, 2] };
        for place in order {
            let part = [part(0, head), part(head, tail), part(tail, len)][place].clone();
            if part.is_empty() || !go_on {
                continue;
            }
            let mut indexes = part.clone();
            let mut show = |element: &[u8]| {
                let index = if reverse {
                    indexes.next_back()
                } else {
                    indexes.next()
                };
                go_on = show(index.unwrap_or(part.end), element)?;
                Ok(go_on)
            };
            match (place, &self.middle) {
                (0, _) => self.visit_end(txn, &self.head, part.clone(), reverse, show)?,
                (1, Some(middle)) if to_write => {
                    let ranks = part.start - head..part.end - head;
                    middle.range_to_write(txn, ranks, reverse, |_, value| show(&value))?;
                }
                (1, Some(middle)) => {
                    let ranks = part.start - head..part.end - head;
                    middle.range(txn, ranks, reverse, |_, value| show(&value))?;
                }
                _ => self.visit_end(txn, &self.tail, len - part.end..len - part.start, !reverse, show)?,
            }
        }
        Ok(())
    }

    /// Shows elements by their numbers, counted from the outside.
    fn visit_end(
        &self,
        txn: &mut Txn,
        end: &End,
        numbers: Range<u64>,
        inside_out: bool,
        mut show: impl FnMut(&[u8]) -> Result<bool>,
    ) -> Result<()> {
        let id = self.id();
        if self.middle.is_some() {
            self.prefetch_end(txn, end, &numbers)?;
        }
        end.show(numbers, inside_out, |element| element.with(txn, id, &mut show)?)
    }

    fn prefetch_end(&self, txn: &mut Txn, end: &End, numbers: &Range<u64>) -> Result<()> {
        let id = self.id();
        end.show(numbers.clone(), false, |element| {
            if let Element::Blob { index, length } = element {
                prefetch_blob(txn, id, index, length);
            }
            Ok(true)
        })?;
        txn.await_prefetched()
    }

    /// Gives the list with the other id records of its own for the long elements at the ends.
    pub(super) fn copy_blobs(&self, txn: &mut Txn, to: u64) -> Result<()> {
        let from = self.id();
        for end in [&self.head, &self.tail] {
            self.prefetch_end(txn, end, &(0..end.count()))?;
            for element in end.elements() {
                let element: Element = element?;
                if let (Some(source), Some(target)) = (element.record(from), element.record(to))
                    && let Some(value) = txn.get(&source)?
                {
                    txn.put(target, value);
                }
            }
        }
        Ok(())
    }
}
