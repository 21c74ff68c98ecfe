//! Commands over sets.

use super::draws::random_count;
use super::elements::{MOST_DRAWN_LIVE, beside_others, draw_beside_others, elements, push_each};
use super::values::bulk;
use super::{Call, is_option, scan, syntax_error};
use crate::base::num::parse_i64;
use crate::resp::{Args, Reply, Shape};
use crate::store::{Key, Result, Stop, Txn};
use crate::types::keys;
use crate::types::set::{self, Set};
use crate::types::set_algebra::{self, Chosen, Operation};

/// `SADD key member...`. Replies with the number of members that are new.
pub fn sadd(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let members = call.args.skip(2).iter();
    let added = set::add(txn, call.key(1), members, &call.limits.thresholds)?;
    Ok(Reply::Int(added as i64))
}

/// `SREM key member...`. Replies with the number of members that were there.
pub fn srem(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let members = call.args.skip(2).iter();
    let removed = set::remove(txn, call.key(1), members)?;
    Ok(Reply::Int(removed as i64))
}

fn read(txn: &mut Txn, key: Key) -> Result<Option<Set>> {
    Set::open(txn.lookup_read(key)?)
}

/// `SCARD key`. Replies with the number of members.
pub fn scard(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let len = read(txn, call.key(1))?.map_or(Ok(0), |set| set.cardinality())?;
    Ok(Reply::Int(len as i64))
}

/// `SISMEMBER key member`. Replies with 1 or 0.
pub fn sismember(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let is_member = match read(txn, call.key(1))? {
        Some(set) => set.contains(txn, call.arg(2))?,
        None => false,
    };
    Ok(Reply::Int(i64::from(is_member)))
}

/// `SMISMEMBER key member...`. Replies with an array of 1 or 0 for each.
pub fn smismember(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let members = call.args.skip(2);
    let Some(set) = read(txn, call.key(1))? else {
        return Ok(Reply::Array(vec![Reply::Int(0); members.len()]));
    };
    for member in members {
        set.prefetch(txn, member);
    }
    txn.await_prefetched()?;
    let is_member = |member| Ok(Reply::Int(i64::from(set.contains(txn, member)?)));
    Ok(Reply::Array(
        members.iter().map(is_member).collect::<Result<_>>()?,
    ))
}

/// `SMEMBERS key`. Replies with a set of all members.
pub fn smembers(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let set = read(txn, call.key(1))?;
    let count = set.as_ref().map_or(Ok(0), Set::cardinality)?;
    beside_others(txn, count)?;
    elements(txn, call, Shape::Set, Some(count), |txn, out| match &set {
        Some(set) => set.walk(txn, |member| out.push(member)),
        None => Ok(()),
    })
}

/// `SMOVE source destination member`. Replies with 1 if the member was moved, with 0 if it was not there.
pub fn smove(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let (from, to) = (call.key(1), call.key(2));
    keys::prefetch(txn, [from, to].into_iter())?;
    let moved = set::move_member(txn, from, to, call.arg(3), &call.limits.thresholds)?;
    Ok(Reply::Int(i64::from(moved)))
}

/// `SPOP key [count]`. Replies with a member or null; with a count, with a set of those taken out.
pub fn spop(txn: &mut Txn, call: &Call) -> Result<Reply> {
    match call.args.len() {
        2 => Ok(set::pop(txn, call.key(1))?.map_or(Reply::Null, bulk)),
        3 => {
            let count = match parse_i64(call.arg(2)) {
                Some(count @ 0..) => count as u64,
                _ => return Stop::error("ERR value is out of range, must be positive"),
            };
            let popped = set::pop_many(txn, call.key(1), count, &call.limits.thresholds)?;
            Ok(Reply::Set(popped.into_iter().map(bulk).collect()))
        }
        _ => syntax_error(),
    }
}

/// `SRANDMEMBER key [count]`. Replies with a member or null; with a count, with an array.
pub fn srandmember(txn: &mut Txn, call: &Call) -> Result<Reply> {
    match call.args.len() {
        2 => match read(txn, call.key(1))? {
            Some(set) => Ok(bulk(set.random(txn)?)),
            None => Ok(Reply::Null),
        },
        3 => {
            let count = random_count(call.arg(2))?;
            match read(txn, call.key(1))? {
                Some(set) => some_members(txn, call, &set, count),
                None => Ok(Reply::Array(Vec::new())),
            }
        }
        _ => syntax_error(),
    }
}

fn some_members(txn: &mut Txn, call: &Call, set: &Set, count: i64) -> Result<Reply> {
    if count < 0 {
        let count = count.unsigned_abs();
        draw_beside_others(txn, count)?;
        let draws = set.draws(txn, count)?;
        return elements(txn, call, Shape::Array, Some(count), |txn, out| {
            push_each(
                txn,
                0..count,
                |txn, _| draws.draw(txn),
                |member| out.push_bytes(member),
            )
        });
    }
    let len = set.cardinality()?;
    let count = len.min(count.unsigned_abs());
    if count > MOST_DRAWN_LIVE {
        beside_others(txn, len)?;
    }
    elements(txn, call, Shape::Array, Some(count), |txn, out| {
        set.sample(txn, count, |member| out.push(member))
    })
}

/// `SUNION key...`. Replies with a set.
pub fn sunion(txn: &mut Txn, call: &Call) -> Result<Reply> {
    combine(txn, call, Operation::Union)
}

/// `SINTER key...`. Replies with a set.
pub fn sinter(txn: &mut Txn, call: &Call) -> Result<Reply> {
    combine(txn, call, Operation::Intersection)
}

/// `SDIFF key...`. Replies with a set.
pub fn sdiff(txn: &mut Txn, call: &Call) -> Result<Reply> {
    combine(txn, call, Operation::Difference)
}

/// `SUNIONSTORE destination key...`. Replies with the number of members stored.
pub fn sunionstore(txn: &mut Txn, call: &Call) -> Result<Reply> {
    store(txn, call, Operation::Union)
}

/// `SINTERSTORE destination key...`. Replies with the number of members stored.
pub fn sinterstore(txn: &mut Txn, call: &Call) -> Result<Reply> {
    store(txn, call, Operation::Intersection)
}

/// `SDIFFSTORE destination key...`. Replies with the number of members stored.
pub fn sdiffstore(txn: &mut Txn, call: &Call) -> Result<Reply> {
    store(txn, call, Operation::Difference)
}

fn combine(txn: &mut Txn, call: &Call, operation: Operation) -> Result<Reply> {
    let sets = open_all(txn, call, call.args.skip(1))?;
    let mut total = 0_u64;
    for set in sets.iter().flatten() {
        total = total.saturating_add(set.cardinality()?);
    }
    beside_others(txn, total)?;
    if call.sink.is_some() {
        let mut chosen = Chosen::default();
        return elements(txn, call, Shape::Set, None, |txn, out| {
            set_algebra::show_combined(txn, operation, &sets, &mut chosen, |member| out.push(member))
        });
    }
    let members = set_algebra::combine(txn, operation, &sets)?;
    elements(txn, call, Shape::Set, Some(members.len() as u64), |_, out| {
        members.iter().try_for_each(|member| out.push(member))
    })
}

fn store(txn: &mut Txn, call: &Call, operation: Operation) -> Result<Reply> {
    let sources = call.args.skip(2);
    keys::prefetch(
        txn,
        call.args.skip(1).iter().map(|name| Key { db: call.db, name }),
    )?;
    let sets = open_all(txn, call, sources)?;
    let members = set_algebra::combine(txn, operation, &sets)?;
    let event = match operation {
        Operation::Union => "sunionstore",
        Operation::Intersection => "sinterstore",
        Operation::Difference => "sdiffstore",
    };
    set::replace(txn, call.key(1), &members, &call.limits.thresholds, event)?;
    Ok(Reply::Int(members.len() as i64))
}

/// The sets of these keys; one that is not there is none.
fn open_all(txn: &mut Txn, call: &Call, names: Args) -> Result<Vec<Option<Set>>> {
    let db = call.db;
    keys::prefetch(txn, names.iter().map(|name| Key { db, name }))?;
    let mut sets = Vec::with_capacity(names.len());
    for name in names {
        let key = Key { db, name };
        sets.push(read(txn, key)?);
    }
    Ok(sets)
}

/// `SINTERCARD count key... [LIMIT limit]`. Replies with the number of common members, counted up to the limit.
pub fn sintercard(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let count = match parse_i64(call.arg(1)) {
        Some(count @ 1..) => count as u64,
        _ => return Stop::error("ERR numkeys should be greater than 0"),
    };
    let rest = call.args.skip(2);
    if count > rest.len() as u64 {
        return Stop::error("ERR Number of keys can't be greater than number of args");
    }
    let mut limit = u64::MAX;
    let mut at = 2 + count as usize;
    while at < call.args.len() {
        let Some(value) = call.args.get(at + 1).filter(|_| is_option(call.arg(at), "LIMIT")) else {
            return syntax_error();
        };
        limit = match parse_i64(value) {
            Some(0) => u64::MAX,
            Some(limit @ 1..) => limit as u64,
            _ => return Stop::error("ERR LIMIT can't be negative"),
        };
        at += 2;
    }
    let names = rest.first(count as usize);
    let sets = open_all(txn, call, names)?;
    let common = set_algebra::intersection(txn, &sets, limit)?;
    Ok(Reply::Int(common.len() as i64))
}

/// `SSCAN key cursor [MATCH pattern] [COUNT count]`. Replies with the next cursor, 0 at the end, and an array of
/// members.
pub fn sscan(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let cursor = scan::cursor(call.arg(2))?;
    let Some(set) = read(txn, call.key(1))? else {
        return Ok(scan::shown(0, Vec::new()));
    };
    let options = scan::ScanOptions::parse(txn, call.args.skip(3), "")?;
    let mut shown = Vec::new();
    let next = set.scan(txn, cursor, options.count, |member| {
        if options.shows(member)? {
            shown.push(member.to_vec());
        }
        Ok(())
    })?;
    Ok(scan::shown(next, shown))
}
