//! Values inside a page or a node: short ones in line, long ones in a record of their own.
//!
//! ```text
//! value := (length << 1):varint byte*length            in line
//!        | (index << 1 | 1):varint length:varint       the bytes are record `index` of family "blob", under the id of
//!                                                      the collection
//! ```
//!
//! So a page stays about as long as it should be, and rewriting it when a neighbour changes costs no more than that.

use std::ops::Range;

use super::damage::missing;
use super::footprint::Footprint;
use super::string::Bytes;
use crate::disk::cells::{Reader, VARINT_MAX, push_varint};
use crate::disk::format::{Malformed, RecordKey};
use crate::store::{Result, Stop, Txn, Value};

/// Longest value that is kept in line.
pub const MAX_INLINE: usize = 512;

/// Where the bytes of a value are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stored {
    /// This part of the page that was read.
    Inline(Range<usize>),
    /// A record of its own.
    Blob {
        /// The record's number under the collection's id.
        index: u64,
        /// Of the value, in bytes.
        length: u64,
    },
}

impl Stored {
    /// Reads the value at the head of `reader`, which is at some place in `page`.
    #[inline]
    pub fn read(page: &[u8], reader: &mut Reader) -> std::result::Result<Stored, Malformed> {
        let head = reader.varint()?;
        if head & 1 == 1 {
            let length = reader.varint()?;
            return Ok(Stored::Blob {
                index: head >> 1,
                length,
            });
        }
        let length = usize::try_from(head >> 1).map_err(|_| Malformed("length of a value"))?;
        let start = page.len() - reader.0.len();
        reader.bytes(length)?;
        Ok(Stored::Inline(start..start + length))
    }

    /// Passes over the value at the head of `reader`.
    #[inline(always)]
    pub fn skip(reader: &mut Reader) -> std::result::Result<(), Malformed> {
        if let [0, rest @ ..] = reader.0 {
            // Empty, as in the orders of sorted sets.
            reader.0 = rest;
            return Ok(());
        }
        let head = reader.varint()?;
        if head & 1 == 1 {
            reader.varint()?;
            return Ok(());
        }
        reader.bytes(usize::try_from(head >> 1).unwrap_or(usize::MAX))?;
        Ok(())
    }

    /// How many bytes the value has.
    #[cfg(test)]
    pub fn len(&self) -> u64 {
        match self {
            Stored::Inline(range) => range.len() as u64,
            Stored::Blob { length, .. } => *length,
        }
    }

    /// What it takes beside its page.
    pub fn footprint(&self) -> Footprint {
        match self {
            Stored::Inline(_) => Footprint::default(),
            Stored::Blob { length, .. } => Footprint {
                records: 1,
                bytes: *length,
            },
        }
    }

    /// The value's bytes; `page` is what it was read from, `id` the collection.
    pub fn load(&self, txn: &mut Txn, id: u64, page: &Value) -> Result<Bytes> {
        match self {
            Stored::Inline(range) => Ok(Bytes::Shared(page.clone(), range.clone())),
            Stored::Blob { index, length } => {
                let value = load_blob(txn, id, *index, *length)?;
                let whole = 0..value.len();
                Ok(Bytes::Shared(value, whole))
            }
        }
    }

    /// Notes the value's record, if it has one, to be fetched. Says whether it has to be.
    pub fn prefetch(&self, txn: &mut Txn, id: u64) -> bool {
        match self {
            Stored::Inline(_) => false,
            Stored::Blob { index, length } => prefetch_blob(txn, id, *index, *length),
        }
    }

    /// Deletes the value's record, if it has one.
    pub fn delete(&self, txn: &mut Txn, id: u64) {
        if let Stored::Blob { index, .. } = self {
            txn.delete(RecordKey::blob(id, *index));
        }
    }

    /// Gives another collection a record of the same number with the same bytes. What is in line needs none.
    pub fn copy(&self, txn: &mut Txn, from: u64, to: u64) -> Result<()> {
        if let Stored::Blob { index, .. } = self {
            let Some(value) = txn.get(&RecordKey::blob(from, *index))? else {
                let what = Malformed("a blob that is referred to is not there");
                return Err(missing(RecordKey::blob(from, *index), what));
            };
            txn.put(RecordKey::blob(to, *index), value);
        }
        Ok(())
    }
}

/// Notes a value's record to be fetched; it tells its length before, so too much of it is not. Says whether it has to be.
pub fn prefetch_blob(txn: &mut Txn, id: u64, index: u64, length: u64) -> bool {
    let is_cold = txn.prefetch(RecordKey::blob(id, index));
    if is_cold {
        txn.allowance.note(usize::try_from(length).unwrap_or(usize::MAX));
    }
    is_cold
}

/// A value's record.
pub fn load_blob(txn: &mut Txn, id: u64, index: u64, length: u64) -> Result<Value> {
    let found = txn.get(&RecordKey::blob(id, index));
    if let Err(Stop::Fault) = found {
        txn.allowance.note(usize::try_from(length).unwrap_or(usize::MAX));
    }
    match found? {
        Some(value) if value.len() as u64 == length => Ok(value),
        _ => {
            let what = Malformed("a blob is not what its reference says");
            Err(missing(RecordKey::blob(id, index), what))
        }
    }
}

/// Appends the encoding of a value; a long one is put into a record of its own.
#[inline]
pub fn push(txn: &mut Txn, id: u64, value: &[u8], out: &mut Vec<u8>) {
    if value.len() <= MAX_INLINE {
        return push_inline(value, out);
    }
    let index = txn.fresh_id();
    txn.put(RecordKey::blob(id, index), Value::from(value));
    push_varint(out, index << 1 | 1);
    push_varint(out, value.len() as u64);
}

/// Appends the encoding of a value that stays in line, whatever its length.
#[inline]
pub fn push_inline(value: &[u8], out: &mut Vec<u8>) {
    out.reserve(VARINT_MAX + value.len());
    push_varint(out, (value.len() as u64) << 1);
    out.extend_from_slice(value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::TestStore;

    #[test]
    fn values_of_any_length_come_back_and_long_ones_leave_the_page() {
        let mut test = TestStore::open();
        for len in [0, 1, 63, 64, MAX_INLINE, MAX_INLINE + 1, 100_000] {
            let value = vec![b'v'; len];
            let page = test
                .run(|txn| {
                    let mut page = b"before".to_vec();
                    push(txn, 7, &value, &mut page);
                    page.extend_from_slice(b"after");
                    Ok(page)
                })
                .unwrap();
            assert!(page.len() < MAX_INLINE + 20);
            test.drop_hot();
            let page = Value::from(&page[..]);
            let mut reader = Reader(&page[6..]);
            let stored = Stored::read(&page, &mut reader).unwrap();
            assert_eq!((reader.0, stored.len()), (&b"after"[..], len as u64));
            let read = |txn: &mut Txn| Ok(stored.load(txn, 7, &page)?.to_vec());
            assert_eq!(test.run(read), Ok(value.clone()));
            test.run(|txn| stored.copy(txn, 7, 8)).unwrap();
            test.run(|txn| {
                stored.delete(txn, 7);
                Ok(())
            })
            .unwrap();
            if len > MAX_INLINE {
                assert!(test.run(read).is_err());
            }
            assert_eq!(
                test.run(|txn| Ok(stored.load(txn, 8, &page)?.to_vec())),
                Ok(value)
            );
        }
    }

    #[test]
    fn a_value_that_ends_early_is_an_error() {
        for page in [&b"\x04a"[..], b"\x03", b"", b"\xff"] {
            assert!(Stored::read(page, &mut Reader(page)).is_err());
        }
    }
}
