//! Sorted sets.
//!
//! ```text
//! body of a sorted set       := (member:cell score)*     by score, then by member
//! body of a large sorted set := table tree               states of a table from member to score (see `types/buckets.rs`)
//!                                                        and of a tree in order (see `types/tree.rs`), under one id
//! score                      := f64 big endian           never NaN
//! key in the tree            := order:u64 be member      the score's bits so turned that they sort as it does; 0 and -0
//!                                                        have the same
//! value in the tree          := ""  |  "-"               the latter where the score is -0
//! ```
//!
//! A small sorted set becomes large when it has too many members or too long a one, and stays so.

mod combine;
mod packed;
mod range;
mod write;

use std::ops::Range;

pub use combine::{Aggregate, Operation, Source, combine, count_common};
pub use range::{LexBound, LexRange, ScoreRange};
pub use write::{Added, Condition, add, copy, pop, remove, remove_ranks, replace, write_all};

use super::WRONG_TYPE;
use super::buckets::{Buckets, Want};
use super::string::Bytes;
use super::tree::{Part, Tree};
use crate::disk::cells::Reader;
use crate::disk::format::{Kind, Malformed};
use crate::store::{Entry, Result, Stop, Txn};
use packed::Slot;

/// The value in the tree of a score that is -0.
const MINUS_ZERO: &[u8] = b"-";

/// A sorted set that a key holds, to be read.
pub struct SortedSet {
    entry: Entry,
    encoding: Encoding,
}

enum Encoding {
    Packed,
    Large(Buckets, Tree),
}

impl SortedSet {
    /// Refuses an entry that is there and holds no sorted set.
    pub fn open(found: Option<Entry>) -> Result<Option<SortedSet>> {
        let Some(entry) = found else { return Ok(None) };
        let encoding = match entry.header.kind {
            Kind::SortedSet => Encoding::Packed,
            Kind::LargeSortedSet => {
                let (table, tree) = decode_large(entry.body())?;
                Encoding::Large(table, tree)
            }
            _ => return Stop::error(WRONG_TYPE),
        };
        Ok(Some(SortedSet { entry, encoding }))
    }

    /// The key's own record.
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// The number of members.
    pub fn len(&self) -> u64 {
        match &self.encoding {
            Encoding::Packed => packed::count(self.entry.body()),
            Encoding::Large(table, _) => table.len(),
        }
    }

    /// Whether it lives in records of its own.
    pub fn is_large(&self) -> bool {
        matches!(self.encoding, Encoding::Large(..))
    }

    /// The member's score, if it is there.
    pub fn score(&self, txn: &mut Txn, member: &[u8]) -> Result<Option<f64>> {
        match &self.encoding {
            Encoding::Packed => {
                let found = packed::find(self.entry.body(), member)?;
                Ok(found.ok().map(|(slot, _)| slot.score))
            }
            Encoding::Large(table, _) => match table.get(txn, member)? {
                Some(score) => decode_score(&score).map(Some),
                None => Ok(None),
            },
        }
    }

    /// Notes what [`SortedSet::score`] will want. Says whether anything has to be fetched.
    pub fn prefetch(&self, txn: &mut Txn, member: &[u8]) -> bool {
        match &self.encoding {
            Encoding::Packed => false,
            Encoding::Large(table, _) => table.prefetch(txn, member),
        }
    }

    /// How many members come before this one, and its score.
    pub fn rank(&self, txn: &mut Txn, member: &[u8]) -> Result<Option<(u64, f64)>> {
        match &self.encoding {
            Encoding::Packed => {
                let found = packed::find(self.entry.body(), member)?;
                Ok(found.ok().map(|(slot, rank)| (rank, slot.score)))
            }
            Encoding::Large(_, tree) => {
                let Some(score) = self.score(txn, member)? else {
                    return Ok(None);
                };
                match tree.rank(txn, &tree_key(score, member))? {
                    (rank, true) => Ok(Some((rank, score))),
                    (_, false) => Err(Malformed("a member without a place in its sorted set").into()),
                }
            }
        }
    }

    /// Shows the members of these ranks and their scores, until `visit` says false.
    pub fn range(
        &self,
        txn: &mut Txn,
        ranks: Range<u64>,
        reverse: bool,
        mut visit: impl FnMut(Part, f64) -> Result<bool>,
    ) -> Result<()> {
        let (record, body) = self.entry.shared();
        match &self.encoding {
            Encoding::Packed => {
                let (from, count) = (
                    ranks.start as usize,
                    ranks.end.saturating_sub(ranks.start) as usize,
                );
                let slots = packed::slots(self.entry.body()).skip(from).take(count);
                let mut slots = slots.collect::<std::result::Result<Vec<_>, _>>()?;
                if reverse {
                    slots.reverse();
                }
                for Slot { member, score, .. } in slots {
                    if !visit(Part::new(record, body + member.start..body + member.end), score)? {
                        break;
                    }
                }
                Ok(())
            }
            Encoding::Large(_, tree) => {
                let visit = |key: Part, value: Part| {
                    let score = score_in_tree(&key, &value)?;
                    visit(key.skip(ORDER), score)
                };
                tree.range(txn, ranks, reverse, visit)
            }
        }
    }

    /// The member with `rank` others before it, fewer than all, and its score.
    pub fn at(&self, txn: &mut Txn, rank: u64) -> Result<(Bytes, f64)> {
        let found = match &self.encoding {
            Encoding::Packed => {
                let (record, body) = self.entry.shared();
                let slot = packed::slots(self.entry.body()).nth(rank as usize).transpose()?;
                slot.map(|Slot { member, score, .. }| {
                    let member = body + member.start..body + member.end;
                    (Bytes::Shared(record.clone(), member), score)
                })
            }
            Encoding::Large(_, tree) => match tree.at(txn, rank)? {
                Some((key, value)) => {
                    let score = score_in_tree(&key, &value)?;
                    Some((without_order(key), score))
                }
                None => None,
            },
        };
        found.ok_or_else(|| Malformed("a sorted set with fewer members than it says").into())
    }

    /// Notes what [`SortedSet::at`] will want.
    pub fn prefetch_ranks(&self, txn: &mut Txn, ranks: &[u64]) -> Result<()> {
        match &self.encoding {
            Encoding::Packed => Ok(()),
            Encoding::Large(_, tree) => tree.prefetch_ranks(txn, ranks),
        }
    }

    /// Shows about `count` members from `cursor` on, and returns where to go on: 0 at the end. A small sorted set is
    /// shown whole.
    pub fn scan(
        &self,
        txn: &mut Txn,
        cursor: u64,
        count: usize,
        mut visit: impl FnMut(&[u8], f64) -> Result<()>,
    ) -> Result<u64> {
        match &self.encoding {
            Encoding::Packed => {
                let body = self.entry.body();
                for slot in packed::slots(body) {
                    let slot = slot?;
                    visit(&body[slot.member], slot.score)?;
                }
                Ok(0)
            }
            Encoding::Large(table, _) => table.scan(txn, cursor, count, Want::Values, |member, score| {
                visit(member, decode_score(score)?)
            }),
        }
    }
}

fn decode_large(body: &[u8]) -> Result<(Buckets, Tree)> {
    let mut reader = Reader(body);
    let table = Buckets::decode(&mut reader)?;
    let tree = Tree::decode(table.id(), &mut reader)?;
    Ok((table, tree))
}

fn decode_score(bytes: &[u8]) -> Result<f64> {
    match bytes.try_into() {
        Ok(bytes) => Ok(f64::from_bits(u64::from_be_bytes(bytes))),
        Err(_) => Err(Malformed("score of a sorted set").into()),
    }
}

fn encode_score(score: f64) -> [u8; 8] {
    score.to_bits().to_be_bytes()
}

/// Bytes of a key in the tree before the member.
const ORDER: usize = 8;
const SIGN: u64 = 1 << 63;

/// A number that sorts as the score does.
fn order(score: f64) -> u64 {
    // -0 + 0 is 0.
    let bits = (score + 0.0).to_bits();
    if bits & SIGN == 0 { bits | SIGN } else { !bits }
}

fn score_of_order(order: u64) -> f64 {
    f64::from_bits(if order & SIGN == 0 { !order } else { order & !SIGN })
}

fn tree_key(score: f64, member: &[u8]) -> Vec<u8> {
    [&order(score).to_be_bytes(), member].concat()
}

/// The member in a key of the tree.
fn without_order(key: Bytes) -> Bytes {
    match key {
        Bytes::Shared(record, range) => Bytes::Shared(record, range.start + ORDER..range.end),
        Bytes::Owned(bytes) => Bytes::Owned(bytes[ORDER..].to_vec()),
    }
}

fn tree_value(score: f64) -> &'static [u8] {
    if score == 0.0 && score.is_sign_negative() {
        MINUS_ZERO
    } else {
        b""
    }
}

fn score_in_tree(key: &[u8], value: &[u8]) -> Result<f64> {
    let Some(order) = key.first_chunk() else {
        return Err(Malformed("key of a sorted set's tree").into());
    };
    match value {
        MINUS_ZERO => Ok(-0.0),
        _ => Ok(score_of_order(u64::from_be_bytes(*order))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_sort_as_scores_do_and_come_back() {
        let least = f64::from_bits(1);
        let scores = [
            f64::NEG_INFINITY,
            f64::MIN,
            -1.5,
            -least,
            0.0,
            least,
            1.0,
            f64::MAX,
            f64::INFINITY,
        ];
        assert!(scores.map(order).is_sorted());
        for score in scores {
            assert_eq!(score_of_order(order(score)), score);
        }
        assert_eq!(order(-0.0), order(0.0));
        let back = score_in_tree(&tree_key(-0.0, b"m"), tree_value(-0.0)).unwrap();
        assert!(back == 0.0 && back.is_sign_negative());
    }
}
