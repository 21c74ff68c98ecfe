//! Fields chosen at random.

use std::collections::HashSet;
use std::hash::BuildHasher;

use foldhash::fast::RandomState;

use super::large::{Large, Stored};
use super::{Encoding, Hash, Want};
use crate::base::random::Selection;
use crate::store::{Result, Txn};
use crate::types::string::Bytes;

type Pair = (Bytes, Bytes);

/// How many draws in a row may come to fields that are due, or that were drawn before.
const WASTED_DRAWS: usize = 64;
/// A sample of more than this part of a large hash, or of more fields, is taken from all of its fields.
const LARGE_PART: u64 = 3;
const MOST_DRAWN: u64 = 1 << 14;

/// What fields are drawn from, with their values if they are wanted.
pub struct Draws<'h> {
    from: From<'h>,
    want: Want,
}

enum From<'h> {
    Large(&'h Large),
    /// There are few, or few that are not due.
    All(Vec<Pair>),
}

impl Draws<'_> {
    /// A field with its value, all being about equally likely. One of them must not be due.
    pub fn draw(&self, txn: &mut Txn) -> Result<Pair> {
        match &self.from {
            From::All(all) => Ok(all[txn.random.below(all.len() as u64) as usize].clone()),
            From::Large(large) => loop {
                // There is one: each is found at last.
                if let Some(pair) = draw(large, txn, self.want, |_| true)? {
                    return Ok(pair);
                }
            },
        }
    }
}

impl Hash {
    /// What fields can be drawn from, each independently of the others, `count` times; nothing if no field is there. A
    /// command that only reads runs over a view if too much is cold.
    pub fn draws(&self, txn: &mut Txn, count: u64, want: Want) -> Result<Option<Draws<'_>>> {
        if let Encoding::Large(large) = &self.encoding {
            large
                .table
                .fetch_random(txn, usize::try_from(count).unwrap_or(usize::MAX))?;
            let before = txn.random.clone();
            let is_found = !large.has_deadlines() || draw(large, txn, want, |_| true)?.is_some();
            txn.random = before;
            if is_found {
                let from = From::Large(large);
                return Ok(Some(Draws { from, want }));
            }
        }
        let all = self.all(txn)?;
        let from = From::All(all);
        Ok(match &from {
            From::All(all) if all.is_empty() => None,
            _ => Some(Draws { from, want }),
        })
    }

    /// The number of fields that are there.
    pub fn present(&self, txn: &mut Txn) -> Result<u64> {
        if let Some(count) = self.count() {
            return Ok(count);
        }
        let mut count = 0;
        self.walk(txn, Want::Members, |_, _| {
            count += 1;
            Ok(())
        })?;
        Ok(count)
    }

    /// Shows `count` different fields, fewer than are there or all of them, which are `present`; and their values, if those
    /// are wanted.
    pub fn sample(
        &self,
        txn: &mut Txn,
        count: u64,
        present: u64,
        want: Want,
        mut show: impl FnMut(&[u8], &[u8]) -> Result<()>,
    ) -> Result<()> {
        if let Encoding::Large(large) = &self.encoding
            && count < (present / LARGE_PART).min(MOST_DRAWN)
            && let Some(drawn) = draw_distinct(large, txn, count as usize, want)?
        {
            return drawn.iter().try_for_each(|(field, value)| show(field, value));
        }
        let (mut selection, mut random) = (Selection::new(count, present), txn.random.clone());
        let result = self.walk(txn, want, |field, value| {
            match selection.takes_next(&mut random) {
                true => show(field, value),
                false => Ok(()),
            }
        });
        txn.random = random;
        result
    }

    fn all(&self, txn: &mut Txn) -> Result<Vec<Pair>> {
        let mut all = Vec::new();
        if let Encoding::Packed(packed) = &self.encoding {
            for slot in packed.slots() {
                let slot = slot?;
                if !slot.is_due(txn.now) {
                    all.push((packed.part(slot.field), packed.part(slot.value)));
                }
            }
            return Ok(all);
        }
        self.walk(txn, Want::Values, |field, value| {
            all.push((Bytes::Owned(field.to_vec()), Bytes::Owned(value.to_vec())));
            Ok(())
        })?;
        Ok(all)
    }
}

/// So many different fields, if they can be found by drawing.
fn draw_distinct(large: &Large, txn: &mut Txn, count: usize, want: Want) -> Result<Option<Vec<Pair>>> {
    large.table.fetch_random(txn, count)?;
    // Where two fields have one hash, it is as if the other had been drawn before.
    let hashes = RandomState::default();
    let mut seen: HashSet<u64, RandomState> = HashSet::default();
    let mut drawn = Vec::new();
    while drawn.len() < count {
        let is_new = |field: &[u8]| !seen.contains(&hashes.hash_one(field));
        let Some(pair) = draw(large, txn, want, is_new)? else {
            return Ok(None);
        };
        seen.insert(hashes.hash_one(&pair.0[..]));
        drawn.push(pair);
    }
    Ok(Some(drawn))
}

/// A field that is there and accepted; `None` if draws come to others only.
fn draw(large: &Large, txn: &mut Txn, want: Want, accepts: impl Fn(&[u8]) -> bool) -> Result<Option<Pair>> {
    for _ in 0..WASTED_DRAWS {
        if large.wanted(want) == Want::Members {
            let field = large.table.random_member(txn)?;
            if accepts(&field) {
                return Ok(Some((field, Bytes::Owned(Vec::new()))));
            }
            continue;
        }
        let (field, value) = large.table.random(txn)?;
        let stored = Stored::decode(value)?;
        if !stored.is_due(txn.now) && accepts(&field) {
            return Ok(Some((field, stored.value)));
        }
    }
    Ok(None)
}
