//! Members popped from the ends, and drawn at random.

use std::collections::HashSet;

use foldhash::fast::RandomState;

use super::super::values::bulk;
use super::super::{Call, is_option, syntax_error};
use super::read;
use crate::base::num::parse_i64;
use crate::base::random::Selection;
use crate::command::blocking::{await_keys, last_timeout, seconds};
use crate::command::draws::{check_doubled, random_count};
use crate::command::elements::{
    Elements, MOST_DRAWN_LIVE, beside_others, draw_beside_others, elements, push_each,
};
use crate::resp::{Reply, Shape};
use crate::store::{Key, Result, Sought, Stop, Txn};
use crate::types::keys;
use crate::types::sorted_set::{self, SortedSet};
use crate::types::string::Bytes;

/// `ZPOPMIN key [count]`. Replies with an array of the members of the lowest scores, each with its score.
pub fn zpopmin(txn: &mut Txn, call: &Call) -> Result<Reply> {
    pop(txn, call, false)
}

/// `ZPOPMAX key [count]`. Replies with an array of the members of the highest scores, each with its score.
pub fn zpopmax(txn: &mut Txn, call: &Call) -> Result<Reply> {
    pop(txn, call, true)
}

fn pop(txn: &mut Txn, call: &Call, from_end: bool) -> Result<Reply> {
    let count = match call.args.get(2).map(parse_i64) {
        _ if call.args.len() > 3 => return syntax_error(),
        None => None,
        Some(Some(count @ 0..)) => Some(count as u64),
        Some(_) => return Stop::error("ERR value is out of range, must be positive"),
    };
    let key = call.key(1);
    let Some(set) = SortedSet::open(txn.lookup(key)?)? else {
        return Ok(Reply::Array(Vec::new()));
    };
    if count == Some(0) {
        return Ok(Reply::Array(Vec::new()));
    }
    let popped = sorted_set::pop(txn, key, &set, count.unwrap_or(1), from_end)?;
    let mut pairs = popped.into_iter().map(pair);
    if count.is_some() {
        return Ok(Reply::Pairs(pairs.collect()));
    }
    let Some((member, score)) = pairs.next() else {
        return Ok(Reply::Array(Vec::new()));
    };
    Ok(Reply::Array(vec![member, score]))
}

fn pair((member, score): (Bytes, f64)) -> (Reply, Reply) {
    (bulk(member), Reply::Double(score))
}

/// What ZMPOP and its blocking form ask for.
struct Take {
    /// How many keys there are, from argument `first` on.
    keys: usize,
    first: usize,
    from_end: bool,
    count: u64,
}

impl Take {
    /// Parses from the number of keys on, which is argument `at`.
    fn parse(call: &Call, at: usize) -> Result<Take> {
        let Some(keys @ 1..) = parse_i64(call.arg(at)) else {
            return Stop::error("ERR numkeys should be greater than 0");
        };
        let keys = usize::try_from(keys).unwrap_or(usize::MAX);
        let (first, mut at) = (at + 1, at.saturating_add(1).saturating_add(keys));
        let from_end = match call.args.get(at) {
            Some(end) if is_option(end, "min") => false,
            Some(end) if is_option(end, "max") => true,
            _ => return syntax_error(),
        };
        let mut count = None;
        at += 1;
        while let Some(option) = call.args.get(at) {
            let Some(value) = call.args.get(at + 1) else {
                return syntax_error();
            };
            if count.is_some() || !is_option(option, "count") {
                return syntax_error();
            }
            let Some(number @ 1..) = parse_i64(value) else {
                return Stop::error("ERR count should be greater than 0");
            };
            count = Some(number as u64);
            at += 2;
        }
        Ok(Take {
            keys,
            first,
            from_end,
            count: count.unwrap_or(1),
        })
    }

    /// Pops from the first key that is there: `None` if none is.
    fn run(&self, txn: &mut Txn, call: &Call) -> Result<Option<Reply>> {
        let keys = || (self.first..self.first + self.keys).map(|at| call.key(at));
        keys::prefetch(txn, keys())?;
        for key in keys() {
            let Some(set) = SortedSet::open(txn.lookup(key)?)? else {
                continue;
            };
            let popped = sorted_set::pop(txn, key, &set, self.count, self.from_end)?;
            return Ok(Some(popped_from(key, popped)));
        }
        Ok(None)
    }
}

/// A key and what was popped from it: arrays of two in either protocol.
fn popped_from(key: Key, popped: Vec<(Bytes, f64)>) -> Reply {
    let pairs = popped.into_iter().map(pair);
    let pairs = pairs.map(|(member, score)| Reply::Array(vec![member, score]));
    Reply::Array(vec![
        Reply::bulk(key.name.to_vec()),
        Reply::Array(pairs.collect()),
    ])
}

/// `ZMPOP count key... MIN|MAX [COUNT count]`. Replies with the key and an array of members with scores, or null if all
/// sets are empty.
pub fn zmpop(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let popped = Take::parse(call, 1)?.run(txn, call)?;
    Ok(popped.unwrap_or(Reply::NullArray))
}

/// `BZPOPMIN key... timeout`. Replies with the key, the member of the lowest score and that; null after the timeout.
pub fn bzpopmin(txn: &mut Txn, call: &Call) -> Result<Reply> {
    pop_or_wait(txn, call, false)
}

/// `BZPOPMAX key... timeout`. Replies with the key, the member of the highest score and that; null after the timeout.
pub fn bzpopmax(txn: &mut Txn, call: &Call) -> Result<Reply> {
    pop_or_wait(txn, call, true)
}

fn pop_or_wait(txn: &mut Txn, call: &Call, from_end: bool) -> Result<Reply> {
    let timeout = last_timeout(txn, call)?;
    let names = 1..call.args.len() - 1;
    keys::prefetch(txn, names.clone().map(|at| call.key(at)))?;
    for at in names.clone() {
        let key = call.key(at);
        let Some(set) = SortedSet::open(txn.lookup(key)?)? else {
            continue;
        };
        if let Some((member, score)) = sorted_set::pop(txn, key, &set, 1, from_end)?.pop() {
            let name = Reply::bulk(key.name.to_vec());
            return Ok(Reply::Array(vec![name, bulk(member), Reply::Double(score)]));
        }
    }
    await_keys(call, names, Sought::SortedSet, timeout, Reply::NullArray)
}

/// `BZMPOP timeout count key... MIN|MAX [COUNT count]`. Replies as ZMPOP does; null after the timeout.
pub fn bzmpop(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let take = Take::parse(call, 2)?;
    let timeout = seconds(call.arg(1), txn.now)?;
    match take.run(txn, call)? {
        Some(reply) => Ok(reply),
        None => {
            let names = take.first..take.first + take.keys;
            await_keys(call, names, Sought::SortedSet, timeout, Reply::NullArray)
        }
    }
}

/// `ZRANDMEMBER key [count [WITHSCORES]]`. Replies with a member or null; with a count, with an array.
pub fn zrandmember(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let Some(arg) = call.args.get(2) else {
        let Some(set) = read(txn, call.key(1))? else {
            return Ok(Reply::Null);
        };
        let rank = txn.random.below(set.len());
        let member = members(txn, &set, &[rank])?.pop();
        return Ok(member.map_or(Reply::Null, |(member, _)| bulk(member)));
    };
    let count = random_count(arg)?;
    let with_scores = match call.args.get(3) {
        None => false,
        Some(option) if call.args.len() == 4 && is_option(option, "withscores") => true,
        Some(_) => return syntax_error(),
    };
    if with_scores {
        check_doubled(count)?;
    }
    match read(txn, call.key(1))? {
        Some(set) => some_members(txn, call, &set, count, with_scores),
        None => Ok(Reply::Array(Vec::new())),
    }
}

/// So many random members: different ones if `count` is positive, all if there are not more.
fn some_members(txn: &mut Txn, call: &Call, set: &SortedSet, count: i64, with_scores: bool) -> Result<Reply> {
    let shape = match with_scores {
        true => Shape::Pairs,
        false => Shape::Array,
    };
    let push = |out: &mut Elements, member: &[u8], score| match with_scores {
        true => out.push_scored(member, score),
        false => out.push(member),
    };
    let len = set.len();
    if count < 0 {
        let count = count.unsigned_abs();
        draw_beside_others(txn, count)?;
        let few = few(txn, set)?;
        return elements(txn, call, shape, Some(count), |txn, out| {
            let draw = |txn: &mut Txn, _| {
                let rank = txn.random.below(len);
                match few.get(rank as usize) {
                    Some(member) => Ok(member.clone()),
                    None => set.at(txn, rank),
                }
            };
            push_each(txn, 0..count, draw, |(member, score)| push(out, &member, score))
        });
    }
    let count = len.min(count.unsigned_abs());
    if count > MOST_DRAWN_LIVE {
        beside_others(txn, len)?;
    }
    elements(txn, call, shape, Some(count), |txn, out| {
        if count < (len / SCARCE).min(MOST_DRAWN_LIVE) {
            let ranks = distinct_ranks(txn, len, count);
            let drawn = members(txn, set, &ranks)?;
            return drawn
                .iter()
                .try_for_each(|(member, score)| push(out, member, *score));
        }
        let (mut selection, mut random) = (Selection::new(count, len), txn.random.clone());
        set.range(txn, 0..len, false, |member, score| {
            if selection.takes_next(&mut random) {
                push(out, &member, score)?;
            }
            Ok(true)
        })
    })
}

/// Up to this part of the members they are drawn, above it they are chosen from all.
const SCARCE: u64 = 3;

/// The members of a small sorted set; none of a large one.
fn few(txn: &mut Txn, set: &SortedSet) -> Result<Vec<(Bytes, f64)>> {
    let mut all = Vec::new();
    if !set.is_large() {
        set.range(txn, 0..set.len(), false, |member, score| {
            all.push((member.to_bytes(), score));
            Ok(true)
        })?;
    }
    Ok(all)
}

/// So many different numbers below `len`, fewer than it (Floyd's algorithm), in random order.
fn distinct_ranks(txn: &mut Txn, len: u64, count: u64) -> Vec<u64> {
    let mut seen: HashSet<u64, RandomState> = HashSet::default();
    let mut ranks: Vec<u64> = (len - count..len)
        .map(|last| {
            let drawn = txn.random.below(last + 1);
            let rank = if seen.insert(drawn) { drawn } else { last };
            seen.insert(rank);
            rank
        })
        .collect();
    for at in (1..ranks.len()).rev() {
        let other = txn.random.below(at as u64 + 1) as usize;
        ranks.swap(at, other);
    }
    ranks
}

/// The members of these ranks, in this order.
fn members(txn: &mut Txn, set: &SortedSet, ranks: &[u64]) -> Result<Vec<(Bytes, f64)>> {
    let mut members = Vec::with_capacity(ranks.len());
    for (at, &rank) in ranks.iter().enumerate() {
        match set.at(txn, rank) {
            Err(Stop::Fault) => {
                set.prefetch_ranks(txn, &ranks[at..])?;
                return Err(Stop::Fault);
            }
            member => members.push(member?),
        }
    }
    Ok(members)
}
