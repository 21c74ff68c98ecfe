//! Unions, intersections and differences of sets.

use std::collections::HashSet;
use std::ops::RangeInclusive;

use foldhash::fast::RandomState;

use super::set::Set;
use crate::store::{Result, Stop, Txn};

/// How sets are combined.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operation {
    /// Members of any of them.
    Union,
    /// Members of all of them.
    Intersection,
    /// Members of the first one that are in no other.
    Difference,
}

/// What a member takes in memory beside its bytes.
const MEMBER: usize = 48;

type Members = HashSet<Vec<u8>, RandomState>;

/// The members of what the operation makes of the sets, in no order, each once. A set that is not there is empty.
pub fn combine(txn: &mut Txn, operation: Operation, sets: &[Option<Set>]) -> Result<Vec<Vec<u8>>> {
    match operation {
        Operation::Union => union(txn, sets),
        Operation::Intersection => intersection(txn, sets, u64::MAX),
        Operation::Difference => difference(txn, sets),
    }
}

fn union(txn: &mut Txn, sets: &[Option<Set>]) -> Result<Vec<Vec<u8>>> {
    let (mut all, mut room) = (Members::default(), txn.allowance);
    for set in sets.iter().flatten() {
        set.walk(txn, |member| {
            if !all.contains(member) {
                room.take(MEMBER + member.len())?;
                all.insert(member.to_vec());
            }
            Ok(())
        })?;
    }
    txn.allowance = room;
    Ok(all.into_iter().collect())
}

/// Which of the members that [`show_combined`] looks at belong to the result, in its order: a bit each.
#[derive(Default)]
pub struct Chosen {
    bits: Vec<u64>,
    len: usize,
    /// All have been looked at.
    is_complete: bool,
}

impl Chosen {
    fn push(&mut self, chosen: bool) {
        if self.len.is_multiple_of(u64::BITS as usize) {
            self.bits.push(0);
        }
        let (word, bit) = (self.len / u64::BITS as usize, self.len % u64::BITS as usize);
        self.bits[word] |= u64::from(chosen) << bit;
        self.len += 1;
    }

    fn get(&self, at: usize) -> bool {
        let word = self.bits.get(at / u64::BITS as usize).unwrap_or(&0);
        word >> (at % u64::BITS as usize) & 1 == 1
    }
}

/// How many members are looked up together in other sets: so many that their pages lie close to each other, ...
const LOOKED_UP: RangeInclusive<usize> = 64..=1 << 15;
/// ... unless they have more bytes than this.
const LOOKED_UP_BYTES: usize = 8 << 20;

/// As [`combine`], for a body over a view: whatever the size of the sets, little of them is in memory at a time. Run once
/// more over the same view, it looks nothing up: `chosen`, which begins empty, says what came of that.
pub fn show_combined(
    txn: &mut Txn,
    operation: Operation,
    sets: &[Option<Set>],
    chosen: &mut Chosen,
    mut show: impl FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let present: Vec<&Set> = sets.iter().flatten().collect();
    let mut at = 0;
    // Shows the members of a set that all others have, if that is wanted, or none of them has.
    let mut run = |set: &Set, others: &[&Set], wanted: bool| -> Result<()> {
        let (mut cursor, mut count) = (0, *LOOKED_UP.start());
        loop {
            let (mut members, mut bytes) = (Vec::with_capacity(count), 0);
            let next = set.part(txn, cursor, count, |member| {
                bytes += member.len();
                members.push(member.to_vec());
                Ok(())
            })?;
            count = if bytes < LOOKED_UP_BYTES {
                count * 2
            } else {
                count / 2
            };
            count = count.clamp(*LOOKED_UP.start(), *LOOKED_UP.end());
            if !chosen.is_complete {
                let mut fits = vec![true; members.len()];
                for other in others {
                    let found = other.contains_each(txn, &members)?;
                    fits.iter_mut()
                        .zip(found)
                        .for_each(|(fits, found)| *fits &= found == wanted);
                }
                fits.into_iter().for_each(|fits| chosen.push(fits));
            }
            for member in &members {
                if chosen.get(at) {
                    show(member)?;
                }
                at += 1;
            }
            match next {
                Some(next) => cursor = next,
                None => return Ok(()),
            }
        }
    };
    match (operation, sets.first()) {
        (Operation::Union, _) => {
            for (at, set) in present.iter().enumerate() {
                run(set, &present[..at], false)?;
            }
        }
        (Operation::Difference, Some(Some(first))) => run(first, &present[1..], false)?,
        (Operation::Difference, _) => {}
        (Operation::Intersection, _) if present.len() < sets.len() => {}
        (Operation::Intersection, _) => {
            let sizes = present.iter().map(|set| set.cardinality());
            let sizes = sizes.collect::<Result<Vec<_>>>()?;
            let smallest = (0..present.len()).min_by_key(|at| sizes[*at]).unwrap_or(0);
            let mut others = present;
            let smallest = others.swap_remove(smallest);
            run(smallest, &others, true)?;
        }
    }
    chosen.is_complete = true;
    Ok(())
}

/// At most `limit` of the members that all sets have: those of the smallest that the others have too.
pub fn intersection(txn: &mut Txn, sets: &[Option<Set>], limit: u64) -> Result<Vec<Vec<u8>>> {
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
    let candidates = members(txn, smallest)?;
    select(txn, candidates, &others, limit, |txn, member| {
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
fn difference(txn: &mut Txn, sets: &[Option<Set>]) -> Result<Vec<Vec<u8>>> {
    let Some(Some(first)) = sets.first() else {
        return Ok(Vec::new());
    };
    let others: Vec<&Set> = sets[1..].iter().flatten().collect();
    let len = first.cardinality()?;
    let mut total = len;
    for other in &others {
        total = total.saturating_add(other.cardinality()?);
    }
    let candidates = members(txn, first)?;
    if len.saturating_mul(sets.len() as u64) / 2 <= total {
        return select(txn, candidates, &others, u64::MAX, |txn, member| {
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
        other.walk(txn, |member| {
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
            Err(Stop::Fault) => return Err(fetch(txn, &candidates[at..], sets)),
            Err(stop) => return Err(stop),
        }
        at += 1;
    }
    candidates.truncate(kept);
    Ok(candidates)
}

/// Something that a lookup wants is cold, so probably what the next ones want is too: has all of it fetched at once.
fn fetch(txn: &mut Txn, members: &[Vec<u8>], sets: &[&Set]) -> Stop {
    let mut cold = 0;
    for member in members {
        for set in sets {
            cold += usize::from(set.prefetch(txn, member));
        }
        if let Err(stop) = txn.wait_for(cold) {
            return stop;
        }
    }
    Stop::Fault
}

fn members(txn: &mut Txn, set: &Set) -> Result<Vec<Vec<u8>>> {
    let (mut members, mut room) = (Vec::new(), txn.allowance);
    set.walk(txn, |member| {
        room.take(MEMBER + member.len())?;
        members.push(member.to_vec());
        Ok(())
    })?;
    txn.allowance = room;
    Ok(members)
}
