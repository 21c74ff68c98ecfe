//! Ranges of scores and of members, as ranks.

use std::ops::Range;

use super::{Encoding, SortedSet, order, packed};
use crate::store::{Result, Txn};

/// Scores from one to another, either end without itself if it is exclusive.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScoreRange {
    /// The lowest score.
    pub min: f64,
    /// The highest score.
    pub max: f64,
    /// Whether the lowest score itself is out.
    pub min_exclusive: bool,
    /// Whether the highest score itself is out.
    pub max_exclusive: bool,
}

impl ScoreRange {
    fn is_below(&self, score: f64) -> bool {
        score < self.min || (self.min_exclusive && score == self.min)
    }

    fn is_above(&self, score: f64) -> bool {
        score > self.max || (self.max_exclusive && score == self.max)
    }
}

/// An end of a range of members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LexBound<'a> {
    /// Before every member.
    Least,
    /// Behind every member.
    Greatest,
    /// At this member, which is in.
    Including(&'a [u8]),
    /// At this member, which is out.
    Excluding(&'a [u8]),
}

/// Members from one to another, in byte order. It has a meaning where all scores are equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LexRange<'a> {
    /// The lower end.
    pub min: LexBound<'a>,
    /// The upper end.
    pub max: LexBound<'a>,
}

impl LexRange<'_> {
    fn is_below(&self, member: &[u8]) -> bool {
        match self.min {
            LexBound::Least => false,
            LexBound::Greatest => true,
            LexBound::Including(bound) => member < bound,
            LexBound::Excluding(bound) => member <= bound,
        }
    }

    fn is_above(&self, member: &[u8]) -> bool {
        match self.max {
            LexBound::Least => true,
            LexBound::Greatest => false,
            LexBound::Including(bound) => member > bound,
            LexBound::Excluding(bound) => member >= bound,
        }
    }
}

impl SortedSet {
    /// The ranks of the members with these scores.
    pub fn ranks_by_score(&self, txn: &mut Txn, range: &ScoreRange) -> Result<Range<u64>> {
        let Encoding::Large(_, tree) = &self.encoding else {
            return self.ranks_of(|_, score| range.is_below(score), |_, score| range.is_above(score));
        };
        // No score has the order next to that of infinity.
        let from = order(range.min) + u64::from(range.min_exclusive);
        let to = order(range.max) + u64::from(!range.max_exclusive);
        if from >= to {
            return Ok(0..0);
        }
        let (from, _) = tree.rank(txn, &from.to_be_bytes())?;
        let (to, _) = tree.rank(txn, &to.to_be_bytes())?;
        Ok(from..to)
    }

    /// The ranks of these members, as far as all scores are equal. Where they are not, a small sorted set gives what
    /// Redis would; a large one, what the first score would give.
    pub fn ranks_by_lex(&self, txn: &mut Txn, range: &LexRange) -> Result<Range<u64>> {
        let Encoding::Large(_, tree) = &self.encoding else {
            return self.ranks_of(
                |member, _| range.is_below(member),
                |member, _| range.is_above(member),
            );
        };
        let Some((first, _)) = tree.at(txn, 0)? else {
            return Ok(0..0);
        };
        let score = &first[..super::ORDER];
        let mut rank = |bound: LexBound, with_bound: bool| -> Result<u64> {
            match bound {
                LexBound::Least => Ok(0),
                LexBound::Greatest => Ok(tree.len()),
                LexBound::Including(member) | LexBound::Excluding(member) => {
                    let (rank, found) = tree.rank(txn, &[score, member].concat())?;
                    Ok(rank + u64::from(found && with_bound))
                }
            }
        };
        let from = rank(range.min, matches!(range.min, LexBound::Excluding(_)))?;
        let to = rank(range.max, matches!(range.max, LexBound::Including(_)))?;
        Ok(from..to.max(from))
    }

    /// The ranks of the members of a small sorted set that are not below and come before the first that is above.
    fn ranks_of(
        &self,
        is_below: impl Fn(&[u8], f64) -> bool,
        is_above: impl Fn(&[u8], f64) -> bool,
    ) -> Result<Range<u64>> {
        let body = self.entry.body();
        let (mut rank, mut from) = (0, None);
        for slot in packed::slots(body) {
            let slot = slot?;
            let member = &body[slot.member];
            if from.is_none() && !is_below(member, slot.score) {
                from = Some(rank);
            }
            if from.is_some() && is_above(member, slot.score) {
                break;
            }
            rank += 1;
        }
        Ok(from.unwrap_or(rank)..rank)
    }
}
