//! The journal: what a commit changes is one record of it. A checkpoint brings that to its families later, all at once
//! and in order, where many changes of a record have become one.
//!
//! ```text
//! family "journal":
//!   (empty)                  -> key mark:u64 be*        up to here nothing is left of it; and the marks that families had
//!                                                       when that was written, by their numbers (not in format 1)
//!   key                      -> change+                 in the order of the commits
//!
//! key    := position:u64 be store:4 bytes               positions have no gaps; `store` says whose they are
//!         | position:u64 be                             in format 1, where they may have gaps
//!
//! change := head:u8 key:cell [value:cell]               head = number of the family * 4 + what; a delete has no value
//! what   := 0 delete | 1 put | 2 operand                an operand is one of `disk/delta.rs`
//! ```
//!
//! (`cell` as `disk/cells.rs` has it.)

use std::borrow::Cow;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use super::cells::{Reader, push_cell};
use super::delta;
use super::format::{Family, Malformed, RecordKey};

/// The place of a commit in the order of all. The first one has 1.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Position(u64);

impl Position {
    /// Before all commits.
    pub const NONE: Position = Position(0);

    /// The one with this number.
    pub fn of(number: u64) -> Position {
        Position(number)
    }

    /// Its number.
    pub fn number(self) -> u64 {
        self.0
    }

    /// The one that follows.
    pub fn next(self) -> Position {
        Position(self.0 + 1)
    }

    /// As keys and marks have it.
    pub fn to_be_bytes(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }

    /// The one that has these bytes.
    pub fn from_be_bytes(bytes: [u8; 8]) -> Position {
        Position(u64::from_be_bytes(bytes))
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A position that several threads know.
#[derive(Default, Debug)]
pub struct SharedPosition(AtomicU64);

impl SharedPosition {
    /// The position at present.
    pub fn load(&self, ordering: Ordering) -> Position {
        Position(self.0.load(ordering))
    }

    /// Changes it.
    pub fn store(&self, position: Position, ordering: Ordering) {
        self.0.store(position.0, ordering);
    }
}

/// The key of a journal record: the position of its commit, and what marks the records of its store (see `identity.rs`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct JournalKey {
    /// That of the commit.
    pub position: Position,
    /// `None` in format 1.
    pub store: Option<[u8; 4]>,
}

impl JournalKey {
    /// How many bytes it has.
    pub const LENGTH: usize = 12;

    /// Its bytes.
    pub fn encode(self) -> Vec<u8> {
        let store = self.store.iter().flatten().copied();
        self.position.to_be_bytes().into_iter().chain(store).collect()
    }

    /// The key that has these bytes.
    ///
    /// # Errors
    /// It has too few of them, or some that no key has.
    pub fn decode(key: &[u8]) -> Result<JournalKey, Malformed> {
        let bad = Malformed("position in the journal");
        let (position, store) = key.split_first_chunk().ok_or(bad)?;
        Ok(JournalKey {
            position: Position::from_be_bytes(*position),
            store: match store {
                [] => None,
                _ => Some(store.try_into().map_err(|_| bad)?),
            },
        })
    }
}

const DELETE: u8 = 0;
const PUT: u8 = 1;
const OPERAND: u8 = 2;

/// What happens to a record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum What<'a> {
    /// It is no more.
    Delete,
    /// This is its value, whatever was there.
    Put(Cow<'a, [u8]>),
    /// An operand of [`delta`] changes the value there is.
    Operand(Cow<'a, [u8]>),
}

/// What is done to one record.
#[derive(PartialEq, Eq, Debug)]
pub struct Change<'a> {
    /// The record's.
    pub family: Family,
    /// The record's key within its family.
    pub key: &'a [u8],
    /// What becomes of it.
    pub what: What<'a>,
}

/// A journal record in the making.
#[derive(Default)]
pub struct Writer {
    /// The record so far.
    pub bytes: Vec<u8>,
    /// How many changes it has so far.
    pub changes: usize,
}

impl Writer {
    /// The record is to be this value.
    pub fn put(&mut self, key: &RecordKey, value: &[u8]) {
        self.begin(key, PUT);
        push_cell(&mut self.bytes, value);
    }

    /// The record is to be changed by this operand of [`delta`].
    pub fn merge(&mut self, key: &RecordKey, operand: &[u8]) {
        self.begin(key, OPERAND);
        push_cell(&mut self.bytes, operand);
    }

    /// The record is to be no more.
    pub fn delete(&mut self, key: &RecordKey) {
        self.begin(key, DELETE);
    }

    fn begin(&mut self, key: &RecordKey, what: u8) {
        self.changes += 1;
        self.bytes.push((key.family() as u8) << 2 | what);
        push_cell(&mut self.bytes, key.key());
    }
}

/// The changes of a journal record.
pub struct Changes<'a>(Reader<'a>);

impl<'a> Changes<'a> {
    /// All changes of a record; it is not read ahead.
    pub fn of(record: &'a [u8]) -> Changes<'a> {
        Changes(Reader(record))
    }

    /// Where in the record, which it was made of, the next change begins; `None` at the end.
    pub fn offset_in(&self, record: &[u8]) -> Option<usize> {
        Some(record.len() - self.0.0.len()).filter(|offset| *offset < record.len())
    }

    /// The key of the next change.
    #[inline]
    pub fn key(&self) -> Result<&'a [u8], Malformed> {
        let mut reader = self.0;
        reader.bytes(1)?;
        reader.cell()
    }

    /// The next change, which there has to be.
    ///
    /// # Errors
    /// The record ends within it, or it makes no sense.
    pub fn read(&mut self) -> Result<Change<'a>, Malformed> {
        let head = self.0.bytes(1)?[0];
        let family = Family::from_number(head >> 2).ok_or(Malformed("family in the journal"))?;
        let key = self.0.cell()?;
        let what = match head & 3 {
            DELETE => What::Delete,
            PUT => What::Put(Cow::Borrowed(self.0.cell()?)),
            OPERAND => What::Operand(Cow::Borrowed(self.0.cell()?)),
            _ => return Err(Malformed("change in the journal")),
        };
        Ok(Change { family, key, what })
    }
}

impl<'a> What<'a> {
    /// What it comes to if `later` follows.
    pub fn then(self, later: What<'a>) -> Result<What<'a>, Malformed> {
        let What::Operand(operand) = later else {
            return Ok(later);
        };
        match self {
            What::Delete => Err(Malformed("change of a record that is not there, in the journal")),
            What::Put(mut value) => {
                delta::apply(value.to_mut(), &operand)?;
                Ok(What::Put(value))
            }
            What::Operand(mut earlier) => {
                earlier.to_mut().extend_from_slice(&operand);
                Ok(What::Operand(earlier))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::delta::Known;

    fn read_all(record: &[u8]) -> Result<Vec<Change<'_>>, Malformed> {
        let mut changes = Changes::of(record);
        let mut all = Vec::new();
        while let Some(offset) = changes.offset_in(record) {
            let change = changes.read()?;
            assert_eq!(Changes::of(&record[offset..]).read().as_ref(), Ok(&change));
            all.push(change);
        }
        Ok(all)
    }

    #[test]
    fn what_was_written_is_read() {
        let keys = [
            RecordKey::meta(7, b"key"),
            RecordKey::tree(1, 2),
            RecordKey::garbage(9),
            RecordKey::blob(1, 2),
        ];
        let long = [7; 1000];
        let mut writer = Writer::default();
        writer.put(&keys[0], b"value");
        writer.merge(&keys[1], b"operand");
        writer.delete(&keys[2]);
        writer.put(&keys[3], &long);
        let whats = [
            What::Put(Cow::Borrowed(&b"value"[..])),
            What::Operand(Cow::Borrowed(b"operand")),
            What::Delete,
            What::Put(Cow::Borrowed(&long)),
        ];
        let read = read_all(&writer.bytes).unwrap();
        assert_eq!((read.len(), writer.changes), (4, 4));
        for ((change, key), what) in read.iter().zip(&keys).zip(whats) {
            assert_eq!(
                (change.family, change.key, &change.what),
                (key.family(), key.key(), &what)
            );
        }
    }

    #[test]
    fn damage_is_an_error() {
        let mut writer = Writer::default();
        writer.put(&RecordKey::meta(7, b"key"), b"value");
        for len in 1..writer.bytes.len() {
            assert!(read_all(&writer.bytes[..len]).is_err(), "{len}");
        }
        for head in [3, 63 << 2] {
            assert!(read_all(&[head, 0]).is_err());
        }
    }

    #[test]
    fn changes_of_a_record_in_a_row_are_one() {
        let old = vec![1; 1000];
        let (mut new, mut newer) = (old.clone(), old.clone());
        new[500] = 2;
        newer[501..600].fill(3);
        let between = |old: &[u8], new: &[u8]| {
            Known::Nothing
                .operand(old, new, &mut Vec::new())
                .unwrap()
                .to_vec()
        };
        let first = What::Operand(Cow::Owned(between(&old, &new)));
        let second = What::Operand(Cow::Owned(between(&new, &newer)));
        let both = first.clone().then(second.clone()).unwrap();
        assert!(matches!(both, What::Operand(_)));
        for steps in [vec![both], vec![first.clone(), second]] {
            let whole = steps
                .into_iter()
                .try_fold(What::Put(Cow::Borrowed(&old)), What::then);
            assert_eq!(whole, Ok(What::Put(Cow::Borrowed(&newer[..]))));
        }
        assert_eq!(first.clone().then(What::Delete), Ok(What::Delete));
        assert!(What::Delete.then(first).is_err());
    }
}
