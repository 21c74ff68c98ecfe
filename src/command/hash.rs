//! Commands over hashes.

mod deadlines;

use super::arguments::integer;
use super::draws::{check_doubled, random_count};
use super::elements::{Elements, MOST_DRAWN_LIVE, beside_others, draw_beside_others, elements, push_each};
use super::values::{bulk, length};
use super::{Call, NOT_A_FLOAT, is_option, scan, syntax_error};
use crate::base::events::Events;
use crate::base::extfloat::ExtFloat;
use crate::resp::{Reply, Shape};
use crate::store::{Result, Stop, Txn};
use crate::types::hash::{Expiry, Hash, Want};

pub use deadlines::*;

/// `HSET key field value...`. Replies with the number of fields that are new.
pub fn hset(txn: &mut Txn, call: &Call) -> Result<Reply> {
    set_pairs(txn, call, "hset").map(length)
}

/// `HMSET key field value...`. Replies OK.
pub fn hmset(txn: &mut Txn, call: &Call) -> Result<Reply> {
    set_pairs(txn, call, "hmset")?;
    Ok(Reply::Ok)
}

/// Returns how many of the fields are new.
fn set_pairs(txn: &mut Txn, call: &Call, command: &str) -> Result<u64> {
    if !call.args.len().is_multiple_of(2) {
        return wrong_arity(command);
    }
    let key = call.key(1);
    let mut hash = Hash::to_write(txn, key)?;
    hash.prefetch_to_set(txn, call.args.skip(2).iter().step_by(2))?;
    let mut added = 0;
    for i in (2..call.args.len()).step_by(2) {
        let is_new = hash.put(
            txn,
            call.arg(i),
            call.arg(i + 1),
            Expiry::Clear,
            &call.limits.thresholds,
        )?;
        added += u64::from(is_new);
    }
    hash.save(txn, key)?;
    txn.notify(Events::HASH, "hset", key);
    Ok(added)
}

fn wrong_arity<T>(command: &str) -> Result<T> {
    Stop::error(format!("ERR wrong number of arguments for '{command}' command"))
}

/// `HSETNX key field value`. Replies with 1 if the field was set, with 0 if it was there.
pub fn hsetnx(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let (key, field) = (call.key(1), call.arg(2));
    let mut hash = Hash::to_write(txn, key)?;
    if hash.get(txn, field)?.is_some() {
        return Ok(Reply::Int(0));
    }
    hash.put(txn, field, call.arg(3), Expiry::Clear, &call.limits.thresholds)?;
    hash.save(txn, key)?;
    txn.notify(Events::HASH, "hset", key);
    Ok(Reply::Int(1))
}

/// `HGET key field`. Replies with the value, or null.
pub fn hget(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let Some(hash) = Hash::to_read(txn, call.key(1))? else {
        return Ok(Reply::Null);
    };
    value(txn, &hash, call.arg(2))
}

/// The field's value, or null.
fn value(txn: &mut Txn, hash: &Hash, field: &[u8]) -> Result<Reply> {
    let held = hash.get(txn, field)?;
    Ok(held.map_or(Reply::Null, |held| bulk(held.value)))
}

/// `HMGET key field...`. Replies with an array of the values, null for each field that is not there.
pub fn hmget(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let fields = call.args.skip(2);
    let Some(hash) = Hash::to_read(txn, call.key(1))? else {
        return Ok(Reply::Array(vec![Reply::Null; fields.len()]));
    };
    hash.prefetch(txn, fields.iter())?;
    elements(txn, call, Shape::Array, Some(fields.len() as u64), |txn, out| {
        push_each(
            txn,
            fields,
            |txn, field| hash.get(txn, field),
            |held| match held {
                Some(held) => out.push_bytes(held.value),
                None => out.push_reply(&Reply::Null),
            },
        )
    })
}

/// `HGETALL key`. Replies with a map of all fields and values.
pub fn hgetall(txn: &mut Txn, call: &Call) -> Result<Reply> {
    show(txn, call, Shape::Map, Want::Values, |out, field, value| {
        out.push_pair(field, value)
    })
}

/// `HKEYS key`. Replies with an array of all fields.
pub fn hkeys(txn: &mut Txn, call: &Call) -> Result<Reply> {
    show(txn, call, Shape::Array, Want::Members, |out, field, _| {
        out.push(field)
    })
}

/// `HVALS key`. Replies with an array of all values.
pub fn hvals(txn: &mut Txn, call: &Call) -> Result<Reply> {
    show(txn, call, Shape::Array, Want::Values, |out, _, value| {
        out.push(value)
    })
}

/// Adds a field, its value or both to a reply.
type Choose = fn(&mut Elements, &[u8], &[u8]) -> Result<()>;

fn show(txn: &mut Txn, call: &Call, shape: Shape, want: Want, choose: Choose) -> Result<Reply> {
    let hash = Hash::to_read(txn, call.key(1))?;
    beside_others(txn, hash.as_ref().map_or(0, Hash::len))?;
    let count = hash.as_ref().map_or(Some(0), Hash::count);
    elements(txn, call, shape, count, |txn, out| match &hash {
        Some(hash) => hash.walk(txn, want, |field, value| choose(out, field, value)),
        None => Ok(()),
    })
}

/// `HLEN key`. Replies with the number of fields, those included that are due and not deleted yet.
pub fn hlen(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let hash = Hash::to_read(txn, call.key(1))?;
    Ok(length(hash.map_or(0, |hash| hash.len())))
}

/// `HEXISTS key field`. Replies with 1 or 0.
pub fn hexists(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let found = match Hash::to_read(txn, call.key(1))? {
        Some(hash) => hash.get(txn, call.arg(2))?.is_some(),
        None => false,
    };
    Ok(Reply::Int(i64::from(found)))
}

/// `HSTRLEN key field`. Replies with the length of the value in bytes; 0 without the field.
pub fn hstrlen(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let held = match Hash::to_read(txn, call.key(1))? {
        Some(hash) => hash.get(txn, call.arg(2))?,
        None => None,
    };
    Ok(length(held.map_or(0, |held| held.value.len() as u64)))
}

/// `HDEL key field...`. Replies with the number of fields that were there.
pub fn hdel(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let key = call.key(1);
    let mut hash = Hash::to_write(txn, key)?;
    hash.prefetch_to_remove(txn, call.args.skip(2).iter())?;
    let mut removed = 0;
    for field in call.args.skip(2) {
        removed += u64::from(hash.remove(txn, field)?);
    }
    if removed > 0 {
        txn.notify(Events::HASH, "hdel", key);
    }
    hash.save(txn, key)?;
    Ok(length(removed))
}

/// `HINCRBY key field increment`. Replies with the sum; with an error if the value is no integer or the sum overflows.
pub fn hincrby(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let increment = integer(call.arg(3))?;
    let key = call.key(1);
    let mut hash = Hash::to_write(txn, key)?;
    let sum = hash.add(txn, call.arg(2), increment, &call.limits.thresholds)?;
    hash.save(txn, key)?;
    txn.notify(Events::HASH, "hincrby", key);
    Ok(Reply::Int(sum))
}

/// `HINCRBYFLOAT key field increment`. Replies with the sum as a bulk string; with an error if the value is no number.
pub fn hincrbyfloat(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let increment = match ExtFloat::parse(call.arg(3)) {
        None => return Stop::error(NOT_A_FLOAT),
        Some(increment) if !increment.is_finite() => return Stop::error("ERR value is NaN or Infinity"),
        Some(increment) => increment,
    };
    let key = call.key(1);
    let mut hash = Hash::to_write(txn, key)?;
    let sum = hash.add_float(txn, call.arg(2), increment, &call.limits.thresholds)?;
    hash.save(txn, key)?;
    txn.notify(Events::HASH, "hincrbyfloat", key);
    Ok(Reply::bulk(sum))
}

/// `HRANDFIELD key [count [WITHVALUES]]`. Replies with a field or null; with a count, with an array.
pub fn hrandfield(txn: &mut Txn, call: &Call) -> Result<Reply> {
    if call.args.len() == 2 {
        let Some(hash) = Hash::to_read(txn, call.key(1))? else {
            return Ok(Reply::Null);
        };
        return match hash.draws(txn, 1, Want::Members)? {
            Some(draws) => draws.draw(txn).map(|(field, _)| bulk(field)),
            None => Ok(Reply::Null),
        };
    }
    let count = random_count(call.arg(2))?;
    let want = match call.args.get(3) {
        None => Want::Members,
        Some(word) if call.args.len() == 4 && is_option(word, "withvalues") => Want::Values,
        Some(_) => return syntax_error(),
    };
    if want == Want::Values {
        check_doubled(count)?;
    }
    match Hash::to_read(txn, call.key(1))? {
        Some(hash) => some_fields(txn, call, &hash, count, want),
        None => Ok(Reply::Array(Vec::new())),
    }
}

fn some_fields(txn: &mut Txn, call: &Call, hash: &Hash, count: i64, want: Want) -> Result<Reply> {
    let shape = match want {
        Want::Members => Shape::Array,
        Want::Values => Shape::Pairs,
    };
    if count < 0 {
        let count = count.unsigned_abs();
        draw_beside_others(txn, count)?;
        let Some(draws) = hash.draws(txn, count, want)? else {
            return Ok(Reply::Array(Vec::new()));
        };
        return elements(txn, call, shape, Some(count), |txn, out| {
            let push = |(field, value)| match want {
                Want::Members => out.push_bytes(field),
                Want::Values => out.push_pair_bytes(field, value),
            };
            push_each(txn, 0..count, |txn, _| draws.draw(txn), push)
        });
    }
    if count.unsigned_abs() > MOST_DRAWN_LIVE {
        beside_others(txn, hash.len())?;
    }
    let present = hash.present(txn)?;
    let count = present.min(count.unsigned_abs());
    elements(txn, call, shape, Some(count), |txn, out| {
        hash.sample(txn, count, present, want, |field, value| match want {
            Want::Members => out.push(field),
            Want::Values => out.push_pair(field, value),
        })
    })
}

/// `HSCAN key cursor [MATCH pattern] [COUNT count] [NOVALUES]`. Replies with the next cursor and an array of fields and
/// values.
pub fn hscan(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let Some(cursor) = scan::parse_cursor(call.arg(2)) else {
        return Stop::error("ERR invalid cursor");
    };
    let mut shown = Vec::new();
    let mut next = 0;
    if let Some(hash) = Hash::to_read(txn, call.key(1))? {
        let options = scan::ScanOptions::parse(txn, call.args.skip(3), "novalues")?;
        let want = match options.no_values {
            true => Want::Members,
            false => Want::Values,
        };
        next = hash.scan(txn, cursor, options.count, want, |field, value| {
            if options.shows(field)? {
                shown.push(Reply::bulk(field.to_vec()));
                if !options.no_values {
                    shown.push(Reply::bulk(value.to_vec()));
                }
            }
            Ok(())
        })?;
    }
    Ok(Reply::Array(vec![
        Reply::bulk(next.to_string()),
        Reply::Array(shown),
    ]))
}
