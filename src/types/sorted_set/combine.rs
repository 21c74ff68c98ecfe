//! Unions, intersections and differences of sorted sets and sets.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::{Purpose, SortedSet, packed};
use crate::disk::format::Kind;
use crate::store::{Entry, Result, Stop, Txn};
use crate::types::WRONG_TYPE;
use crate::types::set::Set;

/// How sorted sets are combined.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operation {
    /// Members of any of them.
    Union,
    /// Members of all of them.
    Intersection,
    /// Members of the first one that are in no other.
    Difference,
}

/// What becomes of the scores of a member of several.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Aggregate {
    /// They are added.
    Sum,
    /// The lowest one counts.
    Min,
    /// The highest one counts.
    Max,
}

impl Aggregate {
    fn of(self, a: f64, b: f64) -> f64 {
        match self {
            Aggregate::Sum => number(a + b),
            Aggregate::Min if b < a => b,
            Aggregate::Max if b > a => b,
            Aggregate::Min | Aggregate::Max => a,
        }
    }
}

/// What is not a number, as infinity less infinity, counts as 0.
fn number(score: f64) -> f64 {
    if score.is_nan() { 0.0 } else { score }
}

/// What is combined.
pub enum Source {
    /// Each member with its score.
    SortedSet(SortedSet),
    /// Each member with the score 1.
    Set(Set),
    /// A key that is not there.
    Nothing,
}

/// How many cold records a command that only reads waits for.
const MAX_COLD: usize = 256;

/// What a member and its score take in memory beside its bytes.
const MEMBER: usize = 56;

type Scores = HashMap<Vec<u8>, f64, RandomState>;

impl Source {
    /// Refuses an entry that holds neither a sorted set nor a set.
    pub fn open(found: Option<Entry>) -> Result<Source> {
        let Some(entry) = found else {
            return Ok(Source::Nothing);
        };
        match entry.header.kind {
            Kind::SortedSet | Kind::LargeSortedSet => {
                Ok(SortedSet::open(Some(entry))?.map_or(Source::Nothing, Source::SortedSet))
            }
            Kind::Set | Kind::LargeSet => Ok(Set::open(Some(entry))?.map_or(Source::Nothing, Source::Set)),
            _ => Stop::error(WRONG_TYPE),
        }
    }

    fn len(&self) -> Result<u64> {
        match self {
            Source::SortedSet(set) => Ok(set.len()),
            Source::Set(set) => set.cardinality(),
            Source::Nothing => Ok(0),
        }
    }

    fn walk(
        &self,
        txn: &mut Txn,
        purpose: Purpose,
        mut visit: impl FnMut(&[u8], f64) -> Result<()>,
    ) -> Result<()> {
        match self {
            Source::SortedSet(set) => set.range(txn, 0..u64::MAX, false, purpose, |member, score| {
                visit(&member, score).map(|()| true)
            }),
            Source::Set(set) => {
                if purpose == Purpose::Write {
                    set.fetch_all(txn)?;
                }
                set.walk(txn, |member| visit(member, 1.0))
            }
            Source::Nothing => Ok(()),
        }
    }

    fn score(&self, txn: &mut Txn, member: &[u8]) -> Result<Option<f64>> {
        match self {
            Source::SortedSet(set) => set.score(txn, member),
            Source::Set(set) => Ok(set.contains(txn, member)?.then_some(1.0)),
            Source::Nothing => Ok(None),
        }
    }

    fn prefetch(&self, txn: &mut Txn, member: &[u8]) -> bool {
        match self {
            Source::SortedSet(set) => set.prefetch(txn, member),
            Source::Set(set) => set.prefetch(txn, member),
            Source::Nothing => false,
        }
    }

    fn members(&self, txn: &mut Txn, purpose: Purpose) -> Result<Vec<(Vec<u8>, f64)>> {
        let (mut members, mut room) = (Vec::new(), txn.allowance);
        self.walk(txn, purpose, |member, score| {
            room.take(MEMBER + member.len())?;
            members.push((member.to_vec(), score));
            Ok(())
        })?;
        txn.allowance = room;
        Ok(members)
    }
}

/// What the operation makes of the sources, each with its weight: members and scores in order.
pub fn combine(
    txn: &mut Txn,
    operation: Operation,
    sources: Vec<(Source, f64)>,
    aggregate: Aggregate,
    purpose: Purpose,
) -> Result<Vec<(Vec<u8>, f64)>> {
    let mut members = match operation {
        Operation::Union => union(txn, by_size(sources)?, aggregate, purpose)?,
        Operation::Intersection => {
            let sources = by_size(sources)?;
            let mut common = Vec::new();
            intersect(txn, &sources, purpose, |member, scores| {
                let score = scores.reduce(|a, b| aggregate.of(a, b)).unwrap_or(0.0);
                common.push((member.to_vec(), score));
                true
            })?;
            common
        }
        Operation::Difference => difference(txn, &sources, purpose)?,
    };
    members.sort_by(|a, b| packed::compare((a.1, &a.0), (b.1, &b.0)));
    Ok(members)
}

/// How many members all sources have, counted up to `limit`.
pub fn count_common(txn: &mut Txn, sources: Vec<Source>, limit: u64) -> Result<u64> {
    let sources = by_size(sources.into_iter().map(|source| (source, 1.0)).collect())?;
    let mut count = 0;
    intersect(txn, &sources, Purpose::Read, |_, _| {
        count += 1;
        count < limit
    })?;
    Ok(count)
}

/// The smallest first: scores are added up in this order.
fn by_size(sources: Vec<(Source, f64)>) -> Result<Vec<(Source, f64)>> {
    let mut sized = Vec::with_capacity(sources.len());
    for source in sources {
        sized.push((source.0.len()?, source));
    }
    sized.sort_by_key(|(len, _)| *len);
    Ok(sized.into_iter().map(|(_, source)| source).collect())
}

fn union(
    txn: &mut Txn,
    sources: Vec<(Source, f64)>,
    aggregate: Aggregate,
    purpose: Purpose,
) -> Result<Vec<(Vec<u8>, f64)>> {
    let (mut all, mut room) = (Scores::default(), txn.allowance);
    for (source, weight) in &sources {
        source.walk(txn, purpose, |member, score| {
            let score = number(weight * score);
            match all.get_mut(member) {
                Some(sum) => *sum = aggregate.of(*sum, score),
                None => {
                    room.take(MEMBER + member.len())?;
                    all.insert(member.to_vec(), score);
                }
            }
            Ok(())
        })?;
    }
    txn.allowance = room;
    Ok(all.into_iter().collect())
}

/// Calls `found` with each member of the first source that all others have too, and with its weighted scores, until it
/// says false.
fn intersect(
    txn: &mut Txn,
    sources: &[(Source, f64)],
    purpose: Purpose,
    mut found: impl FnMut(&[u8], std::vec::IntoIter<f64>) -> bool,
) -> Result<()> {
    let Some(((first, weight), others)) = sources.split_first() else {
        return Ok(());
    };
    let candidates = first.members(txn, purpose)?;
    'candidates: for (at, (member, score)) in candidates.iter().enumerate() {
        let mut scores = Vec::with_capacity(sources.len());
        scores.push(number(weight * score));
        for (other, weight) in others {
            match other.score(txn, member) {
                // As Redis: an infinite score of weight 0 makes the whole sum 0 here, and only itself elsewhere.
                Ok(Some(score)) => scores.push(weight * score),
                Ok(None) => continue 'candidates,
                Err(Stop::Fault) => return Err(fetch(txn, &candidates[at..], others, purpose)),
                Err(stop) => return Err(stop),
            }
        }
        if !found(member, scores.into_iter()) {
            break;
        }
    }
    Ok(())
}

/// Of Redis's two ways the one with less work: to look each member of the first up in the others, or to go through all
/// members of the others.
fn difference(txn: &mut Txn, sources: &[(Source, f64)], purpose: Purpose) -> Result<Vec<(Vec<u8>, f64)>> {
    let Some(((first, _), others)) = sources.split_first() else {
        return Ok(Vec::new());
    };
    let mut total = 0u64;
    for (source, _) in sources {
        total = total.saturating_add(source.len()?);
    }
    let candidates = first.members(txn, purpose)?;
    if first.len()?.saturating_mul(sources.len() as u64) / 2 > total {
        let mut left: Scores = candidates.into_iter().collect();
        for (other, _) in others {
            other.walk(txn, purpose, |member, _| {
                left.remove(member);
                Ok(())
            })?;
        }
        return Ok(left.into_iter().collect());
    }
    let mut left = Vec::new();
    'candidates: for (at, (member, score)) in candidates.iter().enumerate() {
        for (other, _) in others {
            match other.score(txn, member) {
                Ok(Some(_)) => continue 'candidates,
                Ok(None) => {}
                Err(Stop::Fault) => return Err(fetch(txn, &candidates[at..], others, purpose)),
                Err(stop) => return Err(stop),
            }
        }
        left.push((member.clone(), *score));
    }
    Ok(left)
}

/// Something that a lookup wants is cold, so probably what the next ones want is too: has all of it fetched at once.
fn fetch(txn: &mut Txn, members: &[(Vec<u8>, f64)], others: &[(Source, f64)], purpose: Purpose) -> Stop {
    let mut cold = 0;
    for (member, _) in members {
        for (other, _) in others {
            cold += usize::from(other.prefetch(txn, member));
        }
        if purpose == Purpose::Read && cold > MAX_COLD {
            return Stop::NeedsView;
        }
    }
    Stop::Fault
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_opposite_infinities_are_zero() {
        let inf = f64::INFINITY;
        assert_eq!(Aggregate::Sum.of(inf, -inf), 0.0);
        assert_eq!(Aggregate::Sum.of(1.0, 2.0), 3.0);
        assert_eq!(Aggregate::Min.of(-inf, 2.0), -inf);
        assert_eq!(Aggregate::Max.of(-inf, 2.0), 2.0);
        assert_eq!(number(0.0 * inf), 0.0);
    }
}
