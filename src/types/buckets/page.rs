//! The bytes of a page.

use std::ops::Range;

use super::BYTES_PER_PAGE;
use crate::disk::cells::Reader;
use crate::disk::format::Malformed;
use crate::types::blob::Stored;

/// What an entry of this many bytes counts for: no more than a page.
pub fn weight(entry: usize) -> u64 {
    (entry as u64).min(BYTES_PER_PAGE)
}

/// A member in a page, by where its bytes are.
pub struct Slot {
    /// The bytes of the member.
    pub member: Range<usize>,
    /// Where its value is.
    pub value: Stored,
    /// The bytes of both.
    pub entry: Range<usize>,
}

/// The members of a page, in the order in which they came.
pub fn slots(page: &[u8]) -> Slots<'_> {
    Slots {
        page,
        reader: Reader(page),
    }
}

/// See [`slots`].
pub struct Slots<'p> {
    page: &'p [u8],
    reader: Reader<'p>,
}

impl Slots<'_> {
    fn at(&self) -> usize {
        self.page.len() - self.reader.0.len()
    }

    fn slot(&mut self) -> std::result::Result<Slot, Malformed> {
        let start = self.at();
        let len = self.reader.cell()?.len();
        let member = self.at() - len..self.at();
        let value = Stored::read(self.page, &mut self.reader)?;
        Ok(Slot {
            member,
            value,
            entry: start..self.at(),
        })
    }
}

impl Iterator for Slots<'_> {
    type Item = std::result::Result<Slot, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.reader.is_empty() {
            return None;
        }
        let slot = self.slot();
        if slot.is_err() {
            self.reader = Reader(b"");
        }
        Some(slot)
    }
}

/// Where a member is in a page, if it is there.
pub fn find(page: &[u8], member: &[u8]) -> std::result::Result<Option<Slot>, Malformed> {
    // Members often begin alike: their ends tell most of them apart, faster than a comparison of any length.
    let end = member.last_chunk::<8>();
    let mut reader = Reader(page);
    while !reader.is_empty() {
        let slot = reader;
        let found = reader.cell()?;
        if found.len() == member.len() && found.last_chunk() == end && found == member {
            return Slots { page, reader: slot }.slot().map(Some);
        }
        Stored::skip(&mut reader)?;
    }
    Ok(None)
}
