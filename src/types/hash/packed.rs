//! A small hash, whole in its key's record.
//!
//! ```text
//! body of a hash           := count:varint (field:cell value:cell)*
//! body of an expiring hash := earliest:u64 be count:varint (field:cell value:cell deadline:varint)*
//! ```
//!
//! `deadline` is 0 for a field that has none, and `earliest` is as `disk/format.rs` says. A hash becomes an expiring one
//! with the first deadline in it, and stays one. Cells and varints are as in `disk/cells.rs`.

use std::ops::Range;

use super::FieldToBe;
use crate::disk::cells::{Reader, cell_len, push_cell, push_varint};
use crate::disk::format::{Kind, Malformed, less};
use crate::store::{Entry, Result};
use crate::types::string::Bytes;

/// The fields in a row: as they are on record until the first change.
pub struct Packed {
    expiring: bool,
    /// No field is due before; 0: none has a deadline.
    earliest: u64,
    count: usize,
    bytes: Bytes,
}

/// Where a field is among the bytes.
#[derive(Clone, Debug)]
pub struct Slot {
    /// Its name's bytes, in those of the fields.
    pub field: Range<usize>,
    /// Its value's bytes.
    pub value: Range<usize>,
    /// Its deadline in Unix milliseconds, if it has one.
    pub deadline: Option<u64>,
    /// From the field's cell on.
    whole: Range<usize>,
}

impl Slot {
    /// Whether its deadline has passed at `now`, in Unix milliseconds.
    pub fn is_due(&self, now: u64) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= now)
    }
}

impl Packed {
    /// One without fields.
    pub fn empty() -> Packed {
        Packed {
            expiring: false,
            earliest: 0,
            count: 0,
            bytes: Bytes::Owned(Vec::new()),
        }
    }

    /// One of these fields, no field among them twice.
    pub fn build(fields: &[FieldToBe]) -> Packed {
        let (mut bytes, expiring) = (Vec::new(), fields.iter().any(|(.., deadline)| deadline.is_some()));
        for (field, value, deadline) in fields {
            push_cell(&mut bytes, field);
            push_cell(&mut bytes, value);
            if expiring {
                push_varint(&mut bytes, deadline.unwrap_or(0));
            }
        }
        Packed {
            expiring,
            earliest: fields
                .iter()
                .filter_map(|(.., deadline)| *deadline)
                .min()
                .unwrap_or(0),
            count: fields.len(),
            bytes: Bytes::Owned(bytes),
        }
    }

    /// The hash in an entry; a body that ends early is damage.
    pub fn decode(entry: &Entry) -> Result<Packed> {
        let expiring = entry.header.kind == Kind::ExpiringHash;
        let mut reader = Reader(entry.body());
        let earliest = if expiring { reader.u64()? } else { 0 };
        let count = usize::try_from(reader.varint()?).map_err(|_| Malformed("count of a hash"))?;
        let (record, _) = entry.shared();
        let start = record.len() - reader.0.len();
        Ok(Packed {
            expiring,
            earliest,
            count,
            bytes: Bytes::Shared(record.clone(), start..record.len()),
        })
    }

    /// The kind to write it as, and what precedes the fields in its body.
    pub fn encode_head(&self) -> (Kind, Vec<u8>) {
        let mut head = Vec::with_capacity(8 + 2);
        if self.expiring {
            head.extend_from_slice(&self.earliest.to_be_bytes());
        }
        push_varint(&mut head, self.count as u64);
        let kind = if self.expiring {
            Kind::ExpiringHash
        } else {
            Kind::Hash
        };
        (kind, head)
    }

    /// The bytes of all fields, as they are or will be on record.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The number of fields, due ones included.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether a field may be due.
    pub fn may_be_due(&self, now: u64) -> bool {
        self.earliest != 0 && self.earliest <= now
    }

    /// A part of the bytes, not copied if they are still those on record.
    pub fn part(&self, range: Range<usize>) -> Bytes {
        match &self.bytes {
            Bytes::Shared(record, whole) => {
                Bytes::Shared(record.clone(), whole.start + range.start..whole.start + range.end)
            }
            Bytes::Owned(bytes) => Bytes::Owned(bytes[range].to_vec()),
        }
    }

    /// The fields, in the order in which they came.
    pub fn slots(&self) -> Slots<'_> {
        Slots {
            whole: &self.bytes,
            rest: Reader(&self.bytes),
            expiring: self.expiring,
        }
    }

    /// Where the field is, if it is there.
    pub fn find(&self, field: &[u8]) -> Result<Option<Slot>> {
        for slot in self.slots() {
            let slot = slot?;
            if self.bytes[slot.field.clone()] == *field {
                return Ok(Some(slot));
            }
        }
        Ok(None)
    }

    /// Gives the field this value and deadline; `old` is what [`Packed::find`] found.
    pub fn put(
        &mut self,
        old: Option<Slot>,
        field: &[u8],
        value: &[u8],
        deadline: Option<u64>,
    ) -> Result<()> {
        if deadline.is_some() && !self.expiring {
            self.make_room_for_deadlines()?;
            let old = self.find(field)?;
            return self.put(old, field, value, deadline);
        }
        let place = match old {
            Some(slot) => slot.whole,
            None => {
                self.count += 1;
                self.bytes.len()..self.bytes.len()
            }
        };
        let mut bytes = Vec::with_capacity(
            self.bytes.len() - place.len() + cell_len(field.len()) + cell_len(value.len()) + 10,
        );
        bytes.extend_from_slice(&self.bytes[..place.start]);
        push_cell(&mut bytes, field);
        push_cell(&mut bytes, value);
        if self.expiring {
            push_varint(&mut bytes, deadline.unwrap_or(0));
        }
        bytes.extend_from_slice(&self.bytes[place.end..]);
        self.bytes = Bytes::Owned(bytes);
        self.note(deadline);
        Ok(())
    }

    /// Takes out the field that was found here.
    pub fn remove(&mut self, slot: Slot) -> Result<()> {
        self.count = less(self.count as u64, 1)? as usize;
        let (before, after) = (&self.bytes[..slot.whole.start], &self.bytes[slot.whole.end..]);
        self.bytes = Bytes::Owned([before, after].concat());
        Ok(())
    }

    /// Drops all fields that are due, and says how many they were.
    pub fn remove_due(&mut self, now: u64) -> Result<u64> {
        let before = self.count;
        let mut kept = Vec::with_capacity(self.bytes.len());
        let (mut count, mut earliest) = (0, None::<u64>);
        for slot in self.slots() {
            let slot = slot?;
            if slot.is_due(now) {
                continue;
            }
            count += 1;
            earliest = earliest.into_iter().chain(slot.deadline).min();
            kept.extend_from_slice(&self.bytes[slot.whole]);
        }
        (self.count, self.earliest) = (count, earliest.unwrap_or(0));
        self.bytes = Bytes::Owned(kept);
        Ok((before - count) as u64)
    }

    fn note(&mut self, deadline: Option<u64>) {
        if let Some(deadline) = deadline
            && (self.earliest == 0 || deadline < self.earliest)
        {
            self.earliest = deadline;
        }
    }

    fn make_room_for_deadlines(&mut self) -> Result<()> {
        let mut bytes = Vec::with_capacity(self.bytes.len() + self.count);
        for slot in self.slots() {
            bytes.extend_from_slice(&self.bytes[slot?.whole]);
            push_varint(&mut bytes, 0);
        }
        self.bytes = Bytes::Owned(bytes);
        self.expiring = true;
        Ok(())
    }
}

/// See [`Packed::slots`].
pub struct Slots<'a> {
    whole: &'a [u8],
    rest: Reader<'a>,
    expiring: bool,
}

impl Slots<'_> {
    fn read(&mut self) -> std::result::Result<Slot, Malformed> {
        let total = self.whole.len();
        let start = total - self.rest.0.len();
        let field = self.rest.cell()?.len();
        let field_end = total - self.rest.0.len();
        let value = self.rest.cell()?.len();
        let value_end = total - self.rest.0.len();
        let deadline = if self.expiring { self.rest.varint()? } else { 0 };
        Ok(Slot {
            field: field_end - field..field_end,
            value: value_end - value..value_end,
            deadline: Some(deadline).filter(|&deadline| deadline != 0),
            whole: start..total - self.rest.0.len(),
        })
    }
}

impl Iterator for Slots<'_> {
    type Item = std::result::Result<Slot, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let slot = self.read();
        if slot.is_err() {
            self.rest = Reader(b"");
        }
        Some(slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(hash: &Packed) -> Vec<(String, String, Option<u64>)> {
        let text = |range| String::from_utf8_lossy(&hash.bytes()[range]).into_owned();
        let slots = hash.slots().map(|slot| slot.unwrap());
        slots
            .map(|slot| (text(slot.field), text(slot.value), slot.deadline))
            .collect()
    }

    fn put(hash: &mut Packed, field: &str, value: &str, deadline: Option<u64>) {
        let old = hash.find(field.as_bytes()).unwrap();
        hash.put(old, field.as_bytes(), value.as_bytes(), deadline)
            .unwrap();
    }

    fn field(field: &str, value: &str, deadline: Option<u64>) -> (String, String, Option<u64>) {
        (field.to_owned(), value.to_owned(), deadline)
    }

    #[test]
    fn fields_keep_their_places() {
        let mut hash = Packed::empty();
        put(&mut hash, "a", "1", None);
        put(&mut hash, "b", "", None);
        put(&mut hash, "", "3", None);
        put(&mut hash, "a", &"x".repeat(200), None);
        let slot = hash.find(b"b").unwrap().unwrap();
        hash.remove(slot).unwrap();
        assert_eq!(
            shown(&hash),
            [field("a", &"x".repeat(200), None), field("", "3", None)]
        );
        assert_eq!((hash.len(), hash.encode_head()), (2, (Kind::Hash, vec![2])));
    }

    #[test]
    fn the_first_deadline_makes_room_for_all() {
        let mut hash = Packed::empty();
        put(&mut hash, "a", "1", None);
        put(&mut hash, "b", "2", None);
        put(&mut hash, "a", "3", Some(1 << 40));
        put(&mut hash, "c", "4", Some(7));
        assert_eq!(
            shown(&hash),
            [
                field("a", "3", Some(1 << 40)),
                field("b", "2", None),
                field("c", "4", Some(7))
            ]
        );
        assert_eq!(hash.encode_head().1, [&7u64.to_be_bytes()[..], &[3]].concat());
        assert!(hash.may_be_due(7) && !hash.may_be_due(6));
        assert_eq!(hash.remove_due(7).unwrap(), 1);
        assert_eq!((hash.len(), hash.earliest), (2, 1 << 40));
        assert_eq!(hash.remove_due(1 << 40).unwrap(), 1);
        assert_eq!((shown(&hash).len(), hash.earliest, hash.expiring), (1, 0, true));
    }
}
