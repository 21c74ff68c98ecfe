//! Integers of any width in the bits of a string.
//!
//! The segments that a command's operations touch are copied, changed in memory in the operations' order, and put back
//! together.

use std::collections::BTreeMap;

use super::string;
use crate::base::events::Events;
use crate::disk::format::SEGMENT;
use crate::store::{Entry, Key, Result, Txn, Value};

/// Where an integer lies: 1 to 64 bits if signed, 1 to 63 if not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Field {
    /// Whether its highest bit is a sign.
    pub signed: bool,
    /// In bits.
    pub width: u32,
    /// In bits, from the string's start.
    pub offset: u64,
}

/// What is done to a field.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// It is read.
    Get,
    /// It gets this value; the answer is the one before.
    Set(i64),
    /// This is added to it; the answer is the sum.
    IncrBy(i64),
}

/// What becomes of a value that the field cannot hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Overflow {
    /// Its lowest bits are kept.
    Wrap,
    /// It becomes the nearest one that the field can hold.
    Saturate,
    /// Nothing is written.
    Fail,
}

/// One of the operations of a BITFIELD.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Operation {
    /// Where the integer lies.
    pub field: Field,
    /// What is done to it.
    pub action: Action,
    /// For values that do not fit.
    pub overflow: Overflow,
}

impl Field {
    /// The length of the shortest string that has all of the field.
    fn end(self) -> u64 {
        (self.offset + u64::from(self.width)).div_ceil(8)
    }

    fn segments(self) -> impl Iterator<Item = u32> {
        string::pieces(self.offset / 8..self.end()).map(|(index, _)| index)
    }

    fn bounds(self) -> (i128, i128) {
        let width = self.width;
        match self.signed {
            true => (-(1 << (width - 1)), (1 << (width - 1)) - 1),
            false => (0, (1 << width) - 1),
        }
    }

    /// What the field's bits mean.
    fn value_of(self, bits: u64) -> i64 {
        let unused = 64 - self.width;
        match self.signed {
            true => (bits << unused).cast_signed() >> unused,
            false => bits.cast_signed(),
        }
    }
}

impl Operation {
    /// Whether it may change the string.
    pub fn writes(self) -> bool {
        self.action != Action::Get
    }

    /// The new bits, if any are to be written, and what to answer.
    fn act(self, old: i64) -> (Option<u64>, Option<i64>) {
        let exact = match self.action {
            Action::Get => return (None, Some(old)),
            Action::IncrBy(increment) => i128::from(old) + i128::from(increment),
            // An unsigned field takes a negative value as Redis does, as a huge one.
            Action::Set(value) if !self.field.signed => i128::from(value.cast_unsigned()),
            Action::Set(value) => i128::from(value),
        };
        let (min, max) = self.field.bounds();
        let fits = (min..=max).contains(&exact);
        let new = match self.overflow {
            Overflow::Fail if !fits => return (None, None),
            Overflow::Saturate => exact.clamp(min, max),
            Overflow::Wrap | Overflow::Fail => exact,
        };
        let bits = new as u64 & (u64::MAX >> (64 - self.field.width));
        let answer = match self.action {
            Action::Set(_) => old,
            Action::Get | Action::IncrBy(_) => self.field.value_of(bits),
        };
        (Some(bits), Some(answer))
    }
}

/// A copy of some segments of a string.
struct Draft {
    segments: BTreeMap<u32, Segment>,
}

#[derive(Default)]
struct Segment {
    bytes: Vec<u8>,
    changed: bool,
}

impl Draft {
    fn load(txn: &mut Txn, entry: Option<&Entry>, operations: &[Operation]) -> Result<Draft> {
        let mut segments = BTreeMap::new();
        for index in operations.iter().flat_map(|op| op.field.segments()) {
            segments.entry(index).or_insert_with(Segment::default);
        }
        let Some(entry) = entry else {
            return Ok(Draft { segments });
        };
        let length = string::len(entry)?;
        let parts = segments.keys().map(|&index| {
            let base = u64::from(index) * SEGMENT as u64;
            (entry, base.min(length)..length.min(base + 1))
        });
        if !operations.iter().any(|op| op.writes()) {
            txn.only_reads();
        }
        string::fetch(txn, parts)?;
        for (&index, segment) in &mut segments {
            segment.bytes = string::segment(txn, entry, index)?.to_vec();
        }
        Ok(Draft { segments })
    }

    fn byte(&self, at: u64) -> u8 {
        let (index, at) = split(at);
        let segment = self.segments.get(&index);
        segment
            .and_then(|segment| segment.bytes.get(at))
            .copied()
            .unwrap_or(0)
    }

    fn set_byte(&mut self, at: u64, byte: u8) {
        let (index, at) = split(at);
        let segment = self.segments.entry(index).or_default();
        if segment.bytes.len() <= at {
            segment.bytes.resize(at + 1, 0);
        }
        segment.bytes[at] = byte;
        segment.changed = true;
    }

    /// The bytes that the field has a part in, as one number, and how far its lowest bit is from that number's.
    fn around(&self, field: Field) -> (u128, u64) {
        let bytes = field.offset / 8..field.end();
        let shift = field.end() * 8 - field.offset - u64::from(field.width);
        let number = bytes.fold(0, |number, at| number << 8 | u128::from(self.byte(at)));
        (number, shift)
    }

    fn get(&self, field: Field) -> u64 {
        let (number, shift) = self.around(field);
        (number >> shift) as u64 & (u64::MAX >> (64 - field.width))
    }

    fn set(&mut self, field: Field, bits: u64) {
        let (number, shift) = self.around(field);
        let mask = u128::from(u64::MAX >> (64 - field.width)) << shift;
        let mut number = number & !mask | u128::from(bits) << shift;
        for at in (field.offset / 8..field.end()).rev() {
            self.set_byte(at, number as u8);
            number >>= 8;
        }
    }

    /// Writes back what changed of the string, which has `length` bytes from now on.
    fn store(mut self, txn: &mut Txn, key: Key, old: Option<&Entry>, length: u64) -> Result<()> {
        let was = old.map_or(Ok(0), string::len)?;
        if length == was && !self.segments.values().any(|segment| segment.changed) {
            return Ok(());
        }
        if string::fits_whole(old, length) {
            let mut body = self.segments.remove(&0).unwrap_or_default().bytes;
            body.resize(length as usize, 0);
            return string::put_whole(txn, key, old, &body);
        }
        let changed = self.segments.iter().filter(|(_, segment)| segment.changed);
        let images = changed.map(|(&index, segment)| (index, Value::from(&segment.bytes[..])));
        let images = images.collect();
        string::put_segments(txn, key, old, length, images)
    }
}

fn split(at: u64) -> (u32, usize) {
    ((at / SEGMENT as u64) as u32, (at % SEGMENT as u64) as usize)
}

/// Runs the operations in their order. The string first grows to have every field that is written, also where the write
/// then fails by its overflow rule. An answer of `None` says that it did.
pub fn run(
    txn: &mut Txn,
    key: Key,
    old: Option<&Entry>,
    operations: &[Operation],
) -> Result<Vec<Option<i64>>> {
    let written = operations.iter().filter(|op| op.writes());
    let length = written.map(|op| op.field.end()).max().unwrap_or(0);
    let was = old.map_or(Ok(0), string::len)?;
    let length = length.max(was);
    let mut is_told = false;
    let mut draft = Draft::load(txn, old, operations)?;
    let mut answers = Vec::with_capacity(operations.len());
    for operation in operations {
        let field = operation.field;
        let before = draft.get(field);
        let (bits, answer) = operation.act(field.value_of(before));
        // As in Redis, where all operations fail it is not told that the string has grown.
        is_told |= bits.is_some_and(|bits| length > was || bits != before);
        if let Some(bits) = bits.filter(|bits| *bits != before) {
            draft.set(field, bits);
        }
        answers.push(answer);
    }
    // Where all writes have failed, it is none to those who watch the key, as in Redis.
    let mut both = operations.iter().zip(&answers);
    txn.is_unwatched |= both.all(|(operation, answer)| !operation.writes() || answer.is_none());
    draft.store(txn, key, old, length)?;
    if is_told {
        txn.notify(Events::STRING, "setbit", key);
    }
    Ok(answers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn act(signed: bool, width: u32, overflow: Overflow, old: i64, action: Action) -> Option<i64> {
        let field = Field {
            signed,
            width,
            offset: 0,
        };
        let operation = Operation {
            field,
            action,
            overflow,
        };
        let (bits, _) = operation.act(old);
        bits.map(|bits| field.value_of(bits))
    }

    #[test]
    fn what_does_not_fit_wraps_saturates_or_fails() {
        use Overflow::{Fail, Saturate, Wrap};
        let incr = Action::IncrBy;
        assert_eq!(act(true, 8, Wrap, 127, incr(1)), Some(-128));
        assert_eq!(act(true, 8, Saturate, 127, incr(1)), Some(127));
        assert_eq!(act(true, 8, Saturate, -100, incr(-100)), Some(-128));
        assert_eq!(act(true, 8, Fail, 127, incr(1)), None);
        assert_eq!(act(false, 8, Wrap, 255, incr(2)), Some(1));
        assert_eq!(act(false, 8, Saturate, 5, incr(-6)), Some(0));
        assert_eq!(act(true, 64, Wrap, i64::MAX, incr(1)), Some(i64::MIN));
        assert_eq!(act(true, 64, Saturate, i64::MIN, incr(-1)), Some(i64::MIN));
        assert_eq!(act(false, 63, Wrap, i64::MAX, incr(1)), Some(0));
        assert_eq!(act(false, 8, Saturate, 0, Action::Set(-1)), Some(255));
        assert_eq!(act(false, 8, Fail, 0, Action::Set(-1)), None);
        assert_eq!(act(true, 1, Wrap, 0, Action::Set(1)), Some(-1));
    }

    #[test]
    fn fields_cross_segments() {
        let mut draft = Draft {
            segments: BTreeMap::new(),
        };
        for (width, offset) in [(64, SEGMENT as u64 * 8 - 33), (1, 7), (63, 3), (9, 15)] {
            let field = Field {
                signed: false,
                width,
                offset,
            };
            let bits = 0x9234_5678_9abc_def1 & (u64::MAX >> (64 - width));
            draft.set(field, bits);
            assert_eq!(draft.get(field), bits);
        }
        assert!(draft.segments[&0].changed && draft.segments[&1].changed);
    }
}
