//! The records of a tree's nodes, searched and changed as bytes.
//!
//! ```text
//! leaf    := entry*                      in the order of the keys; a tree used by position has empty keys
//! entry   := key:cell value              value as `types/blob.rs` has it
//! inner   := implied:u16 be children:u16 be count*children child*children
//! count   := big endian, 2 bytes above leaves, 4 bytes a level higher, 8 bytes above that
//!                                        how many entries are below the child; what stands there for the implied child
//!                                        (and for the root's first) says nothing
//! child   := node:varint separator:cell  every key below is at or after the separator, which is empty for the first
//! ```
//!
//! A node's total comes from above, so one child's count can be told from all others: the *implied* one. It is the child
//! that changed last, so that a run of changes below one child rewrites no count above it.

use std::borrow::Cow;
use std::ops::Range;

use crate::disk::cells::{Reader, cell_len, push_cell, push_varint};
use crate::disk::format::Malformed;
use crate::store::Value;
use crate::types::blob::Stored;

/// A leaf above this many bytes is divided ...
const LEAF_BYTES: usize = 512;
/// ... unless it has this many entries or fewer: then it may have twice as many bytes.
const FEW_ENTRIES: u64 = 16;
/// An inner node above this many bytes is divided.
pub const INNER_BYTES: usize = 1024;

const DAMAGED: Malformed = Malformed("node of a tree");
/// Bytes before the counts.
const HEAD: usize = 4;

/// Whether a node of so many bytes should look for a neighbour to become one with.
pub fn is_small(bytes: usize, level: u32) -> bool {
    bytes < if level == 0 { LEAF_BYTES } else { INNER_BYTES } / 4
}

/// The most bytes of a leaf with so many entries. A change writes a whole leaf anew, so few bytes are best where that are
/// many entries all the same.
pub fn leaf_limit(entries: u64) -> usize {
    if entries > FEW_ENTRIES {
        LEAF_BYTES
    } else {
        2 * LEAF_BYTES
    }
}

/// The most bytes of a node at this level, 0 being the leaves', with so many entries below it.
pub fn limit(level: u32, entries: u64) -> usize {
    if level == 0 {
        leaf_limit(entries)
    } else {
        INNER_BYTES
    }
}

/// How full nodes are made that are made anew, so that the next changes find room.
pub fn fill(level: u32, entries: u64) -> usize {
    limit(level, entries) * 3 / 4
}

/// An entry's place in a leaf, or where one would be.
#[derive(Clone, Debug)]
pub struct Spot {
    pub index: usize,
    /// The bytes of the whole entry: empty if there is none here.
    pub entry: Range<usize>,
    pub key: Range<usize>,
    pub value: Stored,
}

impl Spot {
    pub fn gap(index: usize, at: usize) -> Spot {
        Spot {
            index,
            entry: at..at,
            key: at..at,
            value: Stored::Inline(at..at),
        }
    }

    pub fn is_gap(&self) -> bool {
        self.entry.is_empty()
    }
}

/// The entries of a leaf, in order.
#[derive(Clone)]
pub struct Leaf<'a> {
    bytes: &'a [u8],
    at: usize,
    index: usize,
}

impl<'a> Leaf<'a> {
    pub fn new(bytes: &'a [u8]) -> Leaf<'a> {
        Leaf {
            bytes,
            at: 0,
            index: 0,
        }
    }

    fn key(&mut self) -> Result<Range<usize>, Malformed> {
        let mut reader = Reader(&self.bytes[self.at..]);
        let len = reader.cell()?.len();
        self.at = self.bytes.len() - reader.0.len();
        Ok(self.at - len..self.at)
    }

    fn value(&mut self) -> Result<Stored, Malformed> {
        let mut reader = Reader(&self.bytes[self.at..]);
        let value = Stored::read(self.bytes, &mut reader)?;
        self.at = self.bytes.len() - reader.0.len();
        Ok(value)
    }

    fn spot(&mut self) -> Result<Spot, Malformed> {
        let (from, index) = (self.at, self.index);
        let (key, value) = (self.key()?, self.value()?);
        self.index += 1;
        Ok(Spot {
            index,
            entry: from..self.at,
            key,
            value,
        })
    }

    /// The entry with this key, or the gap where it belongs.
    pub fn find(mut self, key: &[u8]) -> Result<Spot, Malformed> {
        while self.at < self.bytes.len() {
            let (from, index) = (self.at, self.index);
            let found = self.key()?;
            match self.bytes[found.clone()].cmp(key) {
                std::cmp::Ordering::Less => {
                    self.value()?;
                    self.index += 1;
                }
                std::cmp::Ordering::Equal => {
                    let value = self.value()?;
                    return Ok(Spot {
                        index,
                        entry: from..self.at,
                        key: found,
                        value,
                    });
                }
                std::cmp::Ordering::Greater => return Ok(Spot::gap(index, from)),
            }
        }
        Ok(Spot::gap(self.index, self.at))
    }

    /// The entries from this index on.
    pub fn starting_at(mut self, index: usize) -> Result<Leaf<'a>, Malformed> {
        while self.index < index {
            self.key()?;
            self.value()?;
            self.index += 1;
        }
        Ok(self)
    }

    /// The entry at this index, or the gap at the end.
    pub fn at(self, index: usize) -> Result<Spot, Malformed> {
        let mut leaf = self.starting_at(index)?;
        let end = Spot::gap(index, leaf.at);
        leaf.next().unwrap_or(Ok(end))
    }

    /// The key of the last entry.
    pub fn last_key(self) -> Result<&'a [u8], Malformed> {
        let bytes = self.bytes;
        let last = self.last().ok_or(DAMAGED)??;
        Ok(&bytes[last.key])
    }
}

impl Iterator for Leaf<'_> {
    type Item = Result<Spot, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        (self.at < self.bytes.len()).then(|| self.spot())
    }
}

/// The shortest separator of two keys, `before` being less than `after`.
pub fn separator<'k>(before: &[u8], after: &'k [u8]) -> &'k [u8] {
    let shared = before.iter().zip(after).take_while(|(a, b)| a == b).count();
    &after[..after.len().min(shared + 1)]
}

/// A child of an inner node.
#[derive(Clone, Debug)]
pub struct Child<'a> {
    pub node: u64,
    pub count: u64,
    pub separator: Cow<'a, [u8]>,
}

/// How a node's counts are to be read: its level (1: above leaves), its entries, and, in the root, those of its first
/// child.
#[derive(Clone, Copy, Debug)]
pub struct Totals {
    pub level: u32,
    pub total: u64,
    pub first: Option<u64>,
}

impl Totals {
    /// Those of a child with so many entries.
    pub fn below(self, count: u64) -> Totals {
        Totals {
            level: self.level - 1,
            total: count,
            first: None,
        }
    }
}

fn count_width(level: u32) -> usize {
    match level {
        1 => 2,
        2 => 4,
        _ => 8,
    }
}

fn read_count(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |count, &byte| count << 8 | u64::from(byte))
}

/// An inner node's record.
#[derive(Clone, Copy)]
pub struct Inner<'a> {
    pub len: usize,
    implied: usize,
    width: usize,
    counts: &'a [u8],
    children: &'a [u8],
}

impl<'a> Inner<'a> {
    pub fn decode(record: &'a [u8], level: u32) -> Result<Inner<'a>, Malformed> {
        let (&[a, b, c, d], rest) = record.split_first_chunk().ok_or(DAMAGED)?;
        let implied = usize::from(u16::from_be_bytes([a, b]));
        let len = usize::from(u16::from_be_bytes([c, d]));
        let width = count_width(level);
        let (counts, children) = rest.split_at_checked(len * width).ok_or(DAMAGED)?;
        if implied >= len {
            return Err(DAMAGED);
        }
        Ok(Inner {
            len,
            implied,
            width,
            counts,
            children,
        })
    }

    /// The child where the key is, or belongs: its index and its node.
    pub fn child_of(self, key: &[u8]) -> Result<(usize, u64), Malformed> {
        let mut reader = Reader(self.children);
        let mut found = (0, reader.varint()?);
        reader.cell()?;
        for index in 1..self.len {
            let node = reader.varint()?;
            if reader.cell()? > key {
                break;
            }
            found = (index, node);
        }
        Ok(found)
    }

    /// The children's nodes.
    pub fn nodes(self) -> impl Iterator<Item = Result<u64, Malformed>> {
        let mut reader = Reader(self.children);
        (0..self.len).map(move |_| {
            let node = reader.varint()?;
            reader.cell().map(|_| node)
        })
    }

    pub fn node(self, index: usize) -> Result<u64, Malformed> {
        self.nodes().nth(index).unwrap_or(Err(DAMAGED))
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

    pub fn children(self, totals: Totals) -> Result<Vec<Child<'a>>, Malformed> {
        let mut reader = Reader(self.children);
        let mut children = Vec::with_capacity(self.len + 1);
        let counts = self.counts(totals)?;
        for index in 0..self.len {
            children.push(Child {
                node: reader.varint()?,
                separator: Cow::Borrowed(reader.cell()?),
                count: counts.get(index),
            });
        }
        Ok(children)
    }

    /// The record with this child as the implied one, its count being about to change; `None` if nothing is to be
    /// rewritten for that.
    pub fn imply(self, record: &[u8], index: usize, totals: Totals) -> Result<Option<Value>, Malformed> {
        if index == self.implied || (index == 0 && totals.first.is_some()) {
            return Ok(None);
        }
        let count = self.counts(totals)?.get(self.implied);
        let at = HEAD + self.implied * self.width;
        Ok(Some(Value::concat(&[
            &(index as u16).to_be_bytes(),
            &record[2..at],
            &count.to_be_bytes()[8 - self.width..],
            &record[at + self.width..],
        ])))
    }
}

/// The counts of an inner node's children.
#[derive(Clone, Copy)]
pub struct Counts<'a> {
    written: &'a [u8],
    width: usize,
    /// Children whose written counts say nothing, one or two of them, and how many entries are below each.
    known: [(usize, u64); 2],
}

impl Counts<'_> {
    pub fn get(&self, index: usize) -> u64 {
        let known = self.known.iter().find(|(child, _)| *child == index);
        known.map_or_else(|| self.read(index), |(_, count)| *count)
    }

    fn read(&self, index: usize) -> u64 {
        read_count(&self.written[index * self.width..][..self.width])
    }

    /// How many entries are below the children before this one.
    pub fn before(&self, index: usize) -> u64 {
        let mut sum = sum(&self.written[..index * self.width], self.width);
        let [a, b] = self.known;
        for (child, count) in [a, b].into_iter().take(if a.0 == b.0 { 1 } else { 2 }) {
            if child < index {
                sum = sum.wrapping_sub(self.read(child)).wrapping_add(count);
            }
        }
        sum
    }
}

/// The sum of counts of this width.
fn sum(bytes: &[u8], width: usize) -> u64 {
    // Each width by itself, so that it becomes a few instructions over many counts at once.
    match width {
        2 => {
            let counts = bytes.as_chunks().0.iter();
            counts.map(|count| u64::from(u16::from_be_bytes(*count))).sum()
        }
        4 => {
            let counts = bytes.as_chunks().0.iter();
            counts.map(|count| u64::from(u32::from_be_bytes(*count))).sum()
        }
        _ => {
            let counts = bytes.as_chunks().0.iter();
            counts
                .map(|count| u64::from_be_bytes(*count))
                .fold(0, u64::wrapping_add)
        }
    }
}

/// The record of an inner node.
pub fn encode_inner(children: &[Child], implied: usize, level: u32) -> Vec<u8> {
    let width = count_width(level);
    let len = children
        .iter()
        .map(|child| child_len(child, level))
        .sum::<usize>();
    let mut out = Vec::with_capacity(HEAD + len);
    out.extend_from_slice(&(implied as u16).to_be_bytes());
    out.extend_from_slice(&(children.len() as u16).to_be_bytes());
    for child in children {
        out.extend_from_slice(&child.count.to_be_bytes()[8 - width..]);
    }
    for (index, child) in children.iter().enumerate() {
        push_varint(&mut out, child.node);
        push_cell(&mut out, if index == 0 { b"" } else { &child.separator });
    }
    out
}

/// About how many bytes a child takes in a node of this level.
pub fn child_len(child: &Child, level: u32) -> usize {
    const NODE: usize = 5;
    count_width(level) + NODE + cell_len(child.separator.len())
}
