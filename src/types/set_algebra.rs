//! Unions, intersections and differences of sets.

use std::collections::HashSet;

use foldhash::fast::RandomState;

use super::set::Set;
use crate::store::{Result, Stop, Txn};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operation {
    Union,
    Intersection,
    Difference,
}

/// What the command that asks does beside reading.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// Nothing: it may run over a view.
    Read,
    /// It stores the result: all that is needed comes into memory.
    Store,
}

/// How many cold records a command that only reads waits for.
const MAX_COLD: usize = 256;

type Members = HashSet<Vec<u8>, RandomState>;

/// The members of what the operation makes of the sets, in no order, each once. A set that is not there is empty.
pub fn combine(
    txn: &mut Txn,
    operation: Operation,
    sets: &[Option<Set>],
    purpose: Purpose,
) -> Result<Vec<Vec<u8>>> {
    match operation {
        Operation::Union => union(txn, sets, purpose),
        Operation::Intersection => intersection(txn, sets, u64::MAX, purpose),
        Operation::Difference => difference(txn, sets, purpose),
    }
}

fn union(txn: &mut Txn, sets: &[Option<Set>], purpose: Purpose) -> Result<Vec<Vec<u8>>> {
    let mut all = Members::default();
    for set in sets.iter().flatten() {
        prepare(txn, set, purpose)?;
        set.for_each(txn, |member| {
            if !all.contains(member) {
                all.insert(member.to_vec());
            }
            Ok(())
        })?;
    }
    Ok(all.into_iter().collect())
}

/// At most `limit` of the members that all sets have: those of the smallest that the others have too.
pub fn intersection(
    txn: &mut Txn,
    sets: &[Option<Set>],
    limit: u64,
    purpose: Purpose,
) -> Result<Vec<Vec<u8>>> {
    let mut present: Vec<(u64, &Set)> = Vec::with_capacity(sets.len());
    for set in sets {
        match set {
            Some(set) => present.push((set.cardinality()?, set)),
            None => return Ok(Vec::new()),
        }
    }
    present.sort_by_key(|(len, _)| *len);
    let mut sets = present.into_iter().map(|(_, set)| set);
    let Some(smallest) = sets.next() else {
        return Ok(Vec::new());
    };
    let others: Vec<&Set> = sets.collect();
    let candidates = members(txn, smallest, purpose)?;
    select(txn, candidates, &others, limit, purpose, |txn, member| {
        for other in &others {
            if !other.contains(txn, member)? {
                return Ok(false);
            }
        }
        Ok(true)
    })
}

/// Of Redis's two ways the one with less work: to look each member of the first set up in the others, or to go through
/// all members of the others.
fn difference(txn: &mut Txn, sets: &[Option<Set>], purpose: Purpose) -> Result<Vec<Vec<u8>>> {
    let Some(Some(first)) = sets.first() else {
        return Ok(Vec::new());
    };
    let others: Vec<&Set> = sets[1..].iter().flatten().collect();
    let len = first.cardinality()?;
    let mut total = len;
    for other in &others {
        total = total.saturating_add(other.cardinality()?);
    }
    let candidates = members(txn, first, purpose)?;
    if len.saturating_mul(sets.len() as u64) / 2 <= total {
        return select(txn, candidates, &others, u64::MAX, purpose, |txn, member| {
            for other in &others {
                if other.contains(txn, member)? {
                    return Ok(false);
                }
            }
            Ok(true)
        });
    }
    let mut left: Members = candidates.into_iter().collect();
    for other in others {
        prepare(txn, other, purpose)?;
        other.for_each(txn, |member| {
            left.remove(member);
            Ok(())
        })?;
    }
    Ok(left.into_iter().collect())
}

/// The first `limit` candidates that are wanted, `wanted` looking them up in the sets.
fn select(
    txn: &mut Txn,
    mut candidates: Vec<Vec<u8>>,
    sets: &[&Set],
    limit: u64,
    purpose: Purpose,
    wanted: impl Fn(&mut Txn, &[u8]) -> Result<bool>,
) -> Result<Vec<Vec<u8>>> {
    let (mut kept, mut at) = (0, 0);
    while at < candidates.len() && (kept as u64) < limit {
        match wanted(txn, &candidates[at]) {
            Ok(true) => {
                candidates.swap(kept, at);
                kept += 1;
            }
            Ok(false) => {}
            Err(Stop::Fault) => return Err(fetch(txn, &candidates[at..], sets, purpose)),
            Err(stop) => return Err(stop),
        }
        at += 1;
    }
    candidates.truncate(kept);
    Ok(candidates)
}

/// Something that a lookup wants is cold, so probably what the next ones want is too: has all of it fetched at once.
fn fetch(txn: &mut Txn, members: &[Vec<u8>], sets: &[&Set], purpose: Purpose) -> Stop {
    let mut cold = 0;
    for member in members {
        for set in sets {
            cold += usize::from(set.prefetch(txn, member));
        }
        if purpose == Purpose::Read && cold > MAX_COLD {
            return Stop::NeedsView;
        }
    }
    Stop::Fault
}

fn members(txn: &mut Txn, set: &Set, purpose: Purpose) -> Result<Vec<Vec<u8>>> {
    prepare(txn, set, purpose)?;
    let mut members = Vec::new();
    set.for_each(txn, |member| {
        members.push(member.to_vec());
        Ok(())
    })?;
    Ok(members)
}

fn prepare(txn: &mut Txn, set: &Set, purpose: Purpose) -> Result<()> {
    match purpose {
        Purpose::Read => Ok(()),
        Purpose::Store => set.fetch_all(txn),
    }
}
