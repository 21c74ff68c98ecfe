//! A leaf's record, read as bytes.

use std::cmp::Ordering;
use std::ops::Range;

use super::key::Key;
use super::node::DAMAGED;
use crate::disk::cells::Reader;
use crate::disk::format::Malformed;
use crate::types::blob::Stored;

/// An entry's place in a leaf, or where one would be.
#[derive(Clone, Debug)]
pub struct Slot {
    /// How many entries of the leaf are before it.
    pub index: usize,
    /// The bytes of the whole entry: empty if there is none here.
    pub entry: Range<usize>,
    /// The bytes of the key.
    pub key: Range<usize>,
    /// Where the value is.
    pub value: Stored,
}

impl Slot {
    /// Where an entry would be: its index, and the byte where it would begin.
    pub fn gap(index: usize, at: usize) -> Slot {
        Slot {
            index,
            entry: at..at,
            key: at..at,
            value: Stored::Inline(at..at),
        }
    }

    /// Whether no entry is here.
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
    /// The entries of this record, from the first one on.
    pub fn new(bytes: &'a [u8]) -> Leaf<'a> {
        Leaf {
            bytes,
            at: 0,
            index: 0,
        }
    }

    fn slot(&mut self) -> Result<Slot, Malformed> {
        let (from, index) = (self.at, self.index);
        let mut reader = Reader(&self.bytes[from..]);
        let key = reader.cell()?.len();
        let key_end = self.bytes.len() - reader.0.len();
        let value = Stored::read(self.bytes, &mut reader)?;
        self.at = self.bytes.len() - reader.0.len();
        self.index += 1;
        Ok(Slot {
            index,
            entry: from..self.at,
            key: key_end - key..key_end,
            value,
        })
    }

    /// The entry with this key, or the gap where it belongs.
    pub fn find(mut self, key: &[u8]) -> Result<Slot, Malformed> {
        let (key, mut reader) = (Key::of(key), Reader(&self.bytes[self.at..]));
        while !reader.is_empty() {
            match Key::read(&mut reader)?.cmp(&key) {
                Ordering::Less => Stored::skip(&mut reader)?,
                Ordering::Equal => return self.slot(),
                Ordering::Greater => break,
            }
            self.at = self.bytes.len() - reader.0.len();
            self.index += 1;
        }
        Ok(Slot::gap(self.index, self.at))
    }

    /// The entries from this index on.
    pub fn starting_at(mut self, index: usize) -> Result<Leaf<'a>, Malformed> {
        let mut reader = Reader(&self.bytes[self.at..]);
        while self.index < index {
            reader.cell()?;
            Stored::skip(&mut reader)?;
            self.index += 1;
        }
        self.at = self.bytes.len() - reader.0.len();
        Ok(self)
    }

    /// The entry at this index, or the gap at the end.
    pub fn at(self, index: usize) -> Result<Slot, Malformed> {
        let mut leaf = self.starting_at(index)?;
        let end = Slot::gap(index, leaf.at);
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
    type Item = Result<Slot, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        (self.at < self.bytes.len()).then(|| self.slot())
    }
}
