//! An inner node's record, searched and changed as bytes.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::ops::Range;

use super::counts::{Counts, Totals, count_width, read_count};
use super::key::Key;
use super::node::{DAMAGED, INNER_BYTES};
use crate::disk::cells::{Reader, cell_len, push_cell, push_varint};
use crate::disk::delta::{Known, Splice};
use crate::disk::format::Malformed;
use crate::store::Value;

/// One in so many changes makes the child where it is the implied one.
const CHANGES_PER_IMPLIED: u64 = 8;
/// Bytes before the counts.
const HEAD: usize = 4;

/// A child of an inner node.
#[derive(Clone, Debug)]
pub struct Child<'a> {
    /// The number of its record.
    pub node: u64,
    /// How many entries are below it.
    pub count: u64,
    /// No key below is before it; every key of the child before is.
    pub separator: Cow<'a, [u8]>,
}

fn push_child(out: &mut Vec<u8>, separator: &[u8], node: u64) {
    push_cell(out, separator);
    push_varint(out, node);
}

/// An inner node's record.
#[derive(Clone, Copy)]
pub struct Inner<'a> {
    /// The number of children.
    pub len: usize,
    implied: usize,
    width: usize,
    counts: &'a [u8],
    offsets: Offsets<'a>,
    children: &'a [u8],
}

/// Where in an inner node's record its children are.
#[derive(Clone, Copy)]
enum Offsets<'a> {
    Short(&'a [[u8; 2]]),
    Long(&'a [[u8; 4]]),
}

impl Offsets<'_> {
    fn get(self, index: usize) -> Option<usize> {
        match self {
            Offsets::Short(offsets) => offsets.get(index).map(|at| usize::from(u16::from_be_bytes(*at))),
            Offsets::Long(offsets) => offsets.get(index).map(|at| u32::from_be_bytes(*at) as usize),
        }
    }
}

/// How many bytes an offset takes in a record of `record` bytes.
fn offset_width(record: usize) -> usize {
    if record > usize::from(u16::MAX) { 4 } else { 2 }
}

impl<'a> Inner<'a> {
    /// The record of a node of this level, 1 being the one above leaves.
    pub fn decode(record: &'a [u8], level: u32) -> Result<Inner<'a>, Malformed> {
        let (&[a, b, c, d], rest) = record.split_first_chunk().ok_or(DAMAGED)?;
        let implied = usize::from(u16::from_be_bytes([a, b]));
        let len = usize::from(u16::from_be_bytes([c, d]));
        let width = count_width(level);
        let offset_width = offset_width(record.len());
        let (counts, rest) = rest.split_at_checked(len * width).ok_or(DAMAGED)?;
        let (offsets, children) = rest.split_at_checked(len * offset_width).ok_or(DAMAGED)?;
        if implied >= len {
            return Err(DAMAGED);
        }
        Ok(Inner {
            len,
            implied,
            width,
            counts,
            offsets: match offset_width {
                2 => Offsets::Short(offsets.as_chunks().0),
                _ => Offsets::Long(offsets.as_chunks().0),
            },
            children,
        })
    }

    /// Reads from where a child begins.
    #[inline]
    fn reader(self, index: usize) -> Result<Reader<'a>, Malformed> {
        let at = self.offsets.get(index).ok_or(DAMAGED)?;
        self.children.get(at..).map(Reader).ok_or(DAMAGED)
    }

    /// A child: its node, and its separator.
    fn child(self, index: usize) -> Result<(u64, &'a [u8]), Malformed> {
        let mut reader = self.reader(index)?;
        let separator = reader.cell()?;
        Ok((reader.varint()?, separator))
    }

    /// The child where the key is, or belongs: its index and its node.
    pub fn child_of(self, key: &[u8]) -> Result<(usize, u64), Malformed> {
        let (key, mut from, mut to) = (Key::of(key), 0, self.len);
        while to - from > 1 {
            let middle = from + (to - from) / 2;
            match Key::read(&mut self.reader(middle)?)?.cmp(&key) {
                Ordering::Greater => to = middle,
                _ => from = middle,
            }
        }
        Ok((from, self.node(from)?))
    }

    /// The children's nodes.
    pub fn nodes(self) -> impl Iterator<Item = Result<u64, Malformed>> {
        (0..self.len).map(move |index| self.node(index))
    }

    /// A child's node.
    pub fn node(self, index: usize) -> Result<u64, Malformed> {
        self.child(index).map(|(node, _)| node)
    }

    /// How many entries are below each child.
    pub fn counts(self, totals: Totals) -> Result<Counts<'a>, Malformed> {
        let mut counts = Counts {
            written: self.counts,
            width: self.width,
            known: [(self.implied, 0), (0, totals.first.unwrap_or(0))],
        };
        if totals.first.is_none() {
            counts.known[1] = counts.known[0];
        } else if self.implied == 0 {
            counts.known[0] = counts.known[1];
        }
        let others = counts.before(self.len);
        let implied = totals.total.checked_sub(others).ok_or(DAMAGED)?;
        if totals.first.is_none() {
            counts.known = [(self.implied, implied); 2];
        } else if self.implied != 0 {
            counts.known[0].1 = implied;
        }
        Ok(counts)
    }

    /// How many entries are below this child.
    pub fn count_of(self, index: usize, totals: Totals) -> Result<u64, Malformed> {
        match totals.first {
            Some(first) if index == 0 => Ok(first),
            _ if index != self.implied => Ok(read_count(&self.counts[index * self.width..][..self.width])),
            _ => Ok(self.counts(totals)?.get(index)),
        }
    }

    /// How many entries are before this child and below it.
    pub fn count(self, index: usize, totals: Totals) -> Result<(u64, u64), Malformed> {
        let counts = self.counts(totals)?;
        Ok((counts.before(index), counts.get(index)))
    }

    /// The child with the entry of this rank (the last one, for a rank at the end): its index, and how many entries are
    /// before it and below it.
    pub fn child_at(self, rank: u64, totals: Totals) -> Result<(usize, u64, u64), Malformed> {
        let counts = self.counts(totals)?;
        let mut before = 0;
        for index in 0..self.len {
            let count = counts.get(index);
            if rank < before + count || index + 1 == self.len {
                return Ok((index, before, count));
            }
            before += count;
        }
        Err(DAMAGED)
    }

    /// All children, with their counts.
    pub fn children(self, totals: Totals) -> Result<Vec<Child<'a>>, Malformed> {
        let mut children = Vec::with_capacity(self.len + 1);
        let counts = self.counts(totals)?;
        for index in 0..self.len {
            let (node, separator) = self.child(index)?;
            children.push(Child {
                node,
                separator: Cow::Borrowed(separator),
                count: counts.get(index),
            });
        }
        Ok(children)
    }

    /// The record after a change of this child's count by `delta`, these being the totals before; `None` if it is as it
    /// was.
    pub fn recounted(
        self,
        record: &[u8],
        index: usize,
        delta: i64,
        totals: Totals,
    ) -> Result<Option<(Value, Known)>, Malformed> {
        if index == self.implied || (index == 0 && totals.first.is_some()) {
            return Ok(None);
        }
        // Another implied child takes the sum of all counts: so not for each of many changes all over the node.
        let is_to_be_implied = totals.total.is_multiple_of(CHANGES_PER_IMPLIED);
        let (implied, at, count) = match is_to_be_implied {
            true => (index, self.implied, self.count_of(self.implied, totals)?),
            false => {
                let count = self.count_of(index, totals)?.checked_add_signed(delta);
                (self.implied, index, count.ok_or(DAMAGED)?)
            }
        };
        let at = HEAD + at * self.width;
        let end = at + self.width;
        let value = Value::concat(&[
            &(implied as u16).to_be_bytes(),
            &record[2..at],
            &count.to_be_bytes()[8 - self.width..],
            &record[end..],
        ]);
        let from = if is_to_be_implied { 0 } else { at };
        let splice = Splice {
            at: from,
            removed: end - from,
            added: end - from,
        };
        Ok(Some((value, Known::Splice(splice))))
    }

    /// The record with others in the place of these children, the implied one then being at `implied`. `None` if it would be
    /// too long.
    fn exchanged(
        self,
        children: Range<usize>,
        others: &[Child],
        implied: usize,
        totals: Totals,
    ) -> Result<Option<(Value, Known)>, Malformed> {
        let Offsets::Short(offsets) = self.offsets else {
            return Ok(None);
        };
        let place = |index| self.offsets.get(index).unwrap_or(self.children.len());
        let (from, to) = (place(children.start), place(children.end));
        let before = self.children.get(..from).ok_or(DAMAGED)?;
        let after = self.children.get(to.max(from)..).ok_or(DAMAGED)?;
        let mut bytes = Vec::with_capacity(64);
        let mut places = Vec::with_capacity(others.len());
        for other in others {
            places.push(from + bytes.len());
            push_child(&mut bytes, &other.separator, other.node);
        }
        let len = self.len - children.len() + others.len();
        let size = HEAD + len * (self.width + 2) + before.len() + bytes.len() + after.len();
        if size > INNER_BYTES {
            return Ok(None);
        }
        let mut head = Vec::with_capacity(size);
        head.extend_from_slice(&(implied as u16).to_be_bytes());
        head.extend_from_slice(&(len as u16).to_be_bytes());
        self.push_counts(&mut head, &children, others, totals)?;
        let counts_end = head.len();
        head.extend_from_slice(offsets[..children.start].as_flattened());
        for place in places {
            head.extend_from_slice(&(place as u16).to_be_bytes());
        }
        for offset in &offsets[children.end..] {
            let behind = usize::from(u16::from_be_bytes(*offset)).checked_sub(to);
            let place = from + bytes.len() + behind.ok_or(DAMAGED)?;
            head.extend_from_slice(&u16::try_from(place).map_err(|_| DAMAGED)?.to_be_bytes());
        }
        let old_counts_end = HEAD + self.counts.len();
        let old_head_end = old_counts_end + offsets.as_flattened().len();
        let known = Known::Parts([(old_counts_end, counts_end), (old_head_end, head.len())]);
        Ok(Some((Value::concat(&[&head, before, &bytes, after]), known)))
    }

    /// The counts as they are with others in the place of these children, none of them implied.
    fn push_counts(
        self,
        out: &mut Vec<u8>,
        children: &Range<usize>,
        others: &[Child],
        totals: Totals,
    ) -> Result<(), Malformed> {
        let (width, begin) = (self.width, out.len());
        out.extend_from_slice(&self.counts[..children.start * width]);
        for other in others {
            out.extend_from_slice(&other.count.to_be_bytes()[8 - width..]);
        }
        out.extend_from_slice(&self.counts[children.end * width..]);
        if !children.contains(&self.implied) {
            let at = match self.implied < children.start {
                true => self.implied,
                false => self.implied - children.len() + others.len(),
            };
            let count = self.counts(totals)?.get(self.implied);
            out[begin + at * width..][..width].copy_from_slice(&count.to_be_bytes()[8 - width..]);
        }
        Ok(())
    }

    /// The record with two children in the place of the one at `at`: a node with `count` entries, and another behind it.
    /// The touched one of the two is the implied one. `None` if the record would be too long.
    pub fn with_child(
        self,
        at: usize,
        (node, count): (u64, u64),
        next: &Child,
        next_is_touched: bool,
        totals: Totals,
    ) -> Result<Option<(Value, Known)>, Malformed> {
        let separator = Cow::Borrowed(self.child(at)?.1);
        let first = Child {
            node,
            count,
            separator,
        };
        let next = Child {
            separator: Cow::Borrowed(&next.separator),
            ..*next
        };
        self.exchanged(
            at..at + 1,
            &[first, next],
            at + usize::from(next_is_touched),
            totals,
        )
    }

    /// The record without the child at `at`; the one before it, or else the first, is the implied one. `None` if there is no
    /// other, or the record would be too long.
    pub fn without_child(self, at: usize, totals: Totals) -> Result<Option<(Value, Known)>, Malformed> {
        if at > 0 {
            return self.exchanged(at..at + 1, &[], at - 1, totals);
        }
        if self.len < 2 {
            return Ok(None);
        }
        let first = Child {
            node: self.node(1)?,
            count: self.count_of(1, totals)?,
            // Every key below the node is behind it.
            separator: Cow::Borrowed(b""),
        };
        self.exchanged(0..2, &[first], 0, totals)
    }
}

/// The record of an inner node.
pub fn encode_inner(children: &[Child], implied: usize, level: u32) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(INNER_BYTES);
    let mut offsets = Vec::with_capacity(children.len());
    for (index, child) in children.iter().enumerate() {
        offsets.push(bytes.len() as u32);
        let separator = if index == 0 { b"" } else { &child.separator[..] };
        push_child(&mut bytes, separator, child.node);
    }
    let width = count_width(level);
    let len = |offset_width| HEAD + children.len() * (width + offset_width) + bytes.len();
    let offset_width = offset_width(len(2));
    let mut out = Vec::with_capacity(len(offset_width));
    out.extend_from_slice(&(implied as u16).to_be_bytes());
    out.extend_from_slice(&(children.len() as u16).to_be_bytes());
    for child in children {
        out.extend_from_slice(&child.count.to_be_bytes()[8 - width..]);
    }
    for offset in offsets {
        out.extend_from_slice(&offset.to_be_bytes()[4 - offset_width..]);
    }
    out.extend_from_slice(&bytes);
    out
}

/// About how many bytes a child takes in a node of this level.
pub fn child_len(child: &Child, level: u32) -> usize {
    const OFFSET: usize = 2;
    const NODE: usize = 5;
    count_width(level) + OFFSET + NODE + cell_len(child.separator.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::Random;

    #[test]
    fn children_that_come_and_go_leave_the_node_that_would_be_made_anew() {
        let mut random = Random::from_seed(2);
        for round in 0..2000 {
            let level = 1 + random.below(3) as u32;
            let mut children: Vec<Child> = (0..2 + random.below(5))
                .map(|n| Child {
                    node: random.below(1 << 20),
                    count: 1 + random.below(300),
                    separator: Cow::Owned(vec![n as u8; random.below(12).min(n) as usize]),
                })
                .collect();
            children[0].separator = Cow::Borrowed(b"");
            let below = |len: usize, random: &mut Random| random.below(len as u64) as usize;
            let (at, implied) = (
                below(children.len(), &mut random),
                below(children.len(), &mut random),
            );
            let record = encode_inner(&children, implied, level);
            let is_root = random.below(2) == 0;
            let totals = |children: &[Child]| Totals {
                level,
                total: children.iter().map(|child| child.count).sum(),
                first: is_root.then_some(children[0].count),
            };
            let inner = Inner::decode(&record, level).unwrap();
            let before = totals(&children);
            let (made, known) = if round % 2 == 0 {
                children.remove(at);
                children[0].separator = Cow::Borrowed(b"");
                inner.without_child(at, before).unwrap().unwrap()
            } else {
                let next = Child {
                    node: random.below(1 << 20),
                    count: 1 + random.below(300),
                    separator: Cow::Borrowed(b"next"),
                };
                (children[at].node, children[at].count) = (random.below(1 << 20), 1 + random.below(300));
                children.insert(at + 1, next.clone());
                let left = (children[at].node, children[at].count);
                inner
                    .with_child(at, left, &next, random.below(2) == 0, before)
                    .unwrap()
                    .unwrap()
            };
            let difference = [&record[..], &made].map(|record| [record, &[0; 400]].concat());
            let mut operand = Vec::new();
            assert!(
                known
                    .operand(&difference[0], &difference[1], &mut operand)
                    .is_some()
            );
            let after = totals(&children);
            let made = Inner::decode(&made, level).unwrap().children(after).unwrap();
            let plain = |children: &[Child]| -> Vec<(u64, u64, Vec<u8>)> {
                let plain = |child: &Child| (child.node, child.count, child.separator.to_vec());
                children.iter().map(plain).collect()
            };
            assert_eq!(plain(&made), plain(&children));
        }
    }
}
