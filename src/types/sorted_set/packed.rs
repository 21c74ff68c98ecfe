//! The bytes of a small sorted set: its entries by score, then by member.

use std::cmp::Ordering;
use std::ops::Range;

use crate::disk::cells::{Reader, cell_len, push_cell};
use crate::disk::format::Malformed;

/// Bytes of a score.
const SCORE: usize = 8;

/// An entry and where it is.
#[derive(Clone, Debug)]
pub struct Slot {
    /// The bytes of all of it.
    pub entry: Range<usize>,
    /// The bytes of the member.
    pub member: Range<usize>,
    /// Its score.
    pub score: f64,
}

/// The entries of a body, in order.
#[derive(Clone)]
pub struct Slots<'b> {
    body: &'b [u8],
    at: usize,
}

/// The entries of a body.
pub fn slots(body: &[u8]) -> Slots<'_> {
    Slots { body, at: 0 }
}

impl Slots<'_> {
    fn slot(&mut self) -> Result<Slot, Malformed> {
        let start = self.at;
        let mut reader = Reader(&self.body[start..]);
        let len = reader.cell()?.len();
        let score = f64::from_bits(reader.u64()?);
        self.at = self.body.len() - reader.0.len();
        let end = self.at - SCORE;
        Ok(Slot {
            entry: start..self.at,
            member: end - len..end,
            score,
        })
    }
}

impl Iterator for Slots<'_> {
    type Item = Result<Slot, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.body.len() {
            return None;
        }
        let slot = self.slot();
        if slot.is_err() {
            self.at = self.body.len();
        }
        Some(slot)
    }
}

/// The number of entries.
pub fn count(body: &[u8]) -> u64 {
    slots(body).count() as u64
}

/// The member's entry, and its rank; or else how many entries there are.
pub fn find(body: &[u8], member: &[u8]) -> Result<Result<(Slot, u64), u64>, Malformed> {
    let mut rank = 0;
    for slot in slots(body) {
        let slot = slot?;
        if body[slot.member.clone()] == *member {
            return Ok(Ok((slot, rank)));
        }
        rank += 1;
    }
    Ok(Err(rank))
}

/// The order of entries. No score is NaN.
pub fn compare(a: (f64, &[u8]), b: (f64, &[u8])) -> Ordering {
    let scores = a.0.partial_cmp(&b.0).unwrap_or(Ordering::Equal);
    scores.then_with(|| a.1.cmp(b.1))
}

/// Appends an entry.
pub fn push(body: &mut Vec<u8>, member: &[u8], score: f64) {
    push_cell(body, member);
    // As Redis keeps it in a small one: -0 is 0.
    let score = score + 0.0;
    body.extend_from_slice(&score.to_bits().to_be_bytes());
}

/// Puts an entry, of a member that is not there, in its place.
pub fn insert(body: &mut Vec<u8>, member: &[u8], score: f64) -> Result<(), Malformed> {
    let mut at = body.len();
    for slot in slots(body) {
        let slot = slot?;
        if compare((slot.score, &body[slot.member]), (score, member)) == Ordering::Greater {
            at = slot.entry.start;
            break;
        }
    }
    let end = body.len();
    let added = cell_len(member.len()) + SCORE;
    body.reserve(2 * added);
    push(body, member, score);
    body[at..].rotate_right(added);
    debug_assert_eq!(body.len(), end + added);
    Ok(())
}
