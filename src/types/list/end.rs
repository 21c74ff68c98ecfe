//! One end of a list: elements in its key's record, **the outermost first**, so that pushing and popping touch the first
//! bytes only.

use std::ops::Range;

use crate::disk::cells::Reader;
use crate::disk::format::{Malformed, RecordKey};
use crate::store::{Result, Txn};
use crate::types::blob::{self, Stored};

/// An end of a list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// Where the element of index 0 is.
    Left,
    /// Where the last element is.
    Right,
}

impl Side {
    /// The one across.
    pub fn other(self) -> Side {
        match self {
            Side::Left => Side::Right,
            Side::Right => Side::Left,
        }
    }
}

/// An element in the place where it was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element<'p> {
    /// Its bytes are in the page.
    Inline(&'p [u8]),
    /// It is the list's blob of this number, and `length` bytes long.
    Blob { index: u64, length: u64 },
}

impl<'p> Element<'p> {
    /// The element at the head of `reader`, which is at some place in `page`.
    #[inline]
    fn read(page: &'p [u8], reader: &mut Reader<'p>) -> std::result::Result<Element<'p>, Malformed> {
        Ok(match Stored::read(page, reader)? {
            Stored::Inline(range) => Element::Inline(&page[range]),
            Stored::Blob { index, length } => Element::Blob { index, length },
        })
    }

    /// Shows the element's bytes, of a list with this id.
    #[inline]
    pub fn with<T>(self, txn: &mut Txn, id: u64, look: impl FnOnce(&[u8]) -> T) -> Result<T> {
        match self {
            Element::Inline(bytes) => Ok(look(bytes)),
            Element::Blob { index, length } => Ok(look(&blob::load_blob(txn, id, index, length)?)),
        }
    }

    /// The element that is all there is in `page`.
    pub fn decode(page: &'p [u8]) -> std::result::Result<Element<'p>, Malformed> {
        Element::read(page, &mut Reader(page))
    }

    /// The element's record, if it has one.
    pub fn record(self, id: u64) -> Option<RecordKey> {
        match self {
            Element::Inline(_) => None,
            Element::Blob { index, .. } => Some(RecordKey::blob(id, index)),
        }
    }

    /// Deletes the element's record, if it has one.
    pub fn delete(self, txn: &mut Txn, id: u64) {
        if let Some(record) = self.record(id) {
            txn.delete(record);
        }
    }
}

/// The elements as `types/blob.rs` has them: first those that were added since the record was read, then what is left
/// of the record.
#[derive(Default)]
pub(super) struct End<'e> {
    count: u64,
    added: Vec<u8>,
    read: &'e [u8],
}

impl<'e> End<'e> {
    /// An end of `count` elements, encoded one behind the other in `read`.
    pub fn new(count: u64, read: &'e [u8]) -> End<'e> {
        End {
            count,
            added: Vec::new(),
            read,
        }
    }

    /// The number of elements.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// How many bytes their encodings take.
    pub fn bytes(&self) -> usize {
        self.added.len() + self.read.len()
    }

    /// The encoded elements, in two pieces.
    pub fn pieces(&self) -> [&[u8]; 2] {
        [&self.added, self.read]
    }

    /// The elements, the outermost first.
    pub fn elements(&self) -> impl Iterator<Item = std::result::Result<Element<'_>, Malformed>> {
        self.pieces().into_iter().flat_map(elements)
    }

    /// Puts encoded elements on the outside, the outermost first.
    pub fn push(&mut self, count: u64, mut encoded: Vec<u8>) {
        encoded.extend_from_slice(&self.added);
        self.added = encoded;
        self.count += count;
    }

    /// Shows the `n` outermost elements, which there have to be, and takes them off.
    pub fn take(&mut self, n: u64, mut show: impl FnMut(Element) -> Result<()>) -> Result<()> {
        let page = match self.added.is_empty() {
            true => self.read,
            false => &self.flat()[..],
        };
        let mut reader = Reader(page);
        for _ in 0..n {
            show(Element::read(page, &mut reader)?)?;
        }
        let taken = page.len() - reader.0.len();
        match self.added.is_empty() {
            true => self.read = &self.read[taken..],
            false => drop(self.added.drain(..taken)),
        }
        self.count -= n;
        Ok(())
    }

    /// Shows the elements whose numbers, counted from the outside, are in `range`, until one is answered with false.
    pub fn show(
        &self,
        range: Range<u64>,
        inside_out: bool,
        mut show: impl FnMut(Element) -> Result<bool>,
    ) -> Result<()> {
        let (skipped, shown) = (range.start as usize, (range.end - range.start) as usize);
        let elements = self.elements().skip(skipped).take(shown);
        if !inside_out {
            for element in elements {
                if !show(element?)? {
                    break;
                }
            }
            return Ok(());
        }
        let found = elements.collect::<std::result::Result<Vec<_>, _>>()?;
        for element in found.into_iter().rev() {
            if !show(element)? {
                break;
            }
        }
        Ok(())
    }

    /// Puts `count` encoded elements in the place of those whose numbers, counted from the outside, are in `range`, and
    /// returns those.
    pub fn splice(&mut self, range: Range<u64>, count: u64, encoded: &[u8]) -> Result<Vec<u8>> {
        let bytes = self.offset(range.start)?..self.offset(range.end)?;
        let flat = self.flat();
        let removed = flat[bytes.clone()].to_vec();
        flat.splice(bytes, encoded.iter().copied());
        self.count = self.count - (range.end - range.start) + count;
        Ok(removed)
    }

    /// Takes off the `n` innermost elements.
    pub fn split_inside(&mut self, n: u64) -> Result<Vec<u8>> {
        let at = self.offset(self.count - n)?;
        self.count -= n;
        Ok(self.flat().split_off(at))
    }

    /// Takes out the elements with these numbers, counted from the outside and ascending.
    pub fn remove(
        &mut self,
        mut numbers: impl Iterator<Item = u64>,
        mut show: impl FnMut(Element),
    ) -> Result<()> {
        let mut next = numbers.next();
        if next.is_none() {
            return Ok(());
        }
        let mut kept = Vec::with_capacity(self.bytes());
        let (mut number, mut removed) = (0, 0);
        for page in self.pieces() {
            for found in encoded_elements(page) {
                let (element, encoded) = found?;
                if next == Some(number) {
                    show(element);
                    removed += 1;
                    next = numbers.next();
                } else {
                    kept.extend_from_slice(encoded);
                }
                number += 1;
            }
        }
        self.replace(self.count - removed, kept);
        Ok(())
    }

    /// Puts encoded elements in the place of all there are.
    pub fn replace(&mut self, count: u64, encoded: Vec<u8>) {
        (self.count, self.added, self.read) = (count, encoded, &[]);
    }

    /// Where element number `n`, counted from the outside, begins.
    fn offset(&self, n: u64) -> std::result::Result<usize, Malformed> {
        if n == self.count {
            return Ok(self.bytes());
        }
        let mut left = n;
        let mut offset = 0;
        for page in self.pieces() {
            let mut reader = Reader(page);
            while left > 0 && !reader.is_empty() {
                Element::read(page, &mut reader)?;
                left -= 1;
            }
            offset += page.len() - reader.0.len();
            if left == 0 {
                break;
            }
        }
        Ok(offset)
    }

    /// All in one piece, which can be changed.
    fn flat(&mut self) -> &mut Vec<u8> {
        self.added.extend_from_slice(self.read);
        self.read = &[];
        &mut self.added
    }
}

/// The elements of a page that holds nothing else.
pub(super) fn elements(page: &[u8]) -> impl Iterator<Item = std::result::Result<Element<'_>, Malformed>> {
    encoded_elements(page).map(|found| found.map(|(element, _)| element))
}

/// The elements of a page the other way around.
pub(super) fn turned(page: &[u8]) -> Result<Vec<u8>> {
    let mut encoded = Vec::new();
    for found in encoded_elements(page) {
        encoded.push(found?.1);
    }
    encoded.reverse();
    Ok(encoded.concat())
}

/// The elements of a page that holds nothing else, and their encodings.
pub(super) fn encoded_elements(
    page: &[u8],
) -> impl Iterator<Item = std::result::Result<(Element<'_>, &[u8]), Malformed>> {
    let mut reader = Reader(page);
    std::iter::from_fn(move || {
        if reader.is_empty() {
            return None;
        }
        let before = reader.0;
        let element = Element::read(page, &mut reader);
        let len = before.len() - reader.0.len();
        if element.is_err() {
            reader = Reader(&[]);
        }
        Some(element.map(|element| (element, &before[..len])))
    })
}
