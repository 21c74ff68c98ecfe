//! Commands over hashes.

mod deadlines;

use super::string::{bulk, integer, length};
use super::{Call, NOT_AN_INTEGER, is_option, scan, syntax_error};
use crate::base::extfloat::ExtFloat;
use crate::base::num::parse_i64;
use crate::resp::Reply;
use crate::store::{Result, Stop, Txn};
use crate::types::hash::{Expiry, Hash, Want};
use crate::types::string::{Bytes, NOT_A_FLOAT};

pub use deadlines::*;

pub fn hset(txn: &mut Txn, call: &Call) -> Result<Reply> {
    set_pairs(txn, call, "hset").map(length)
}

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
    hash.prefetch(txn, call.args.skip(2).iter().step_by(2))?;
    let mut added = 0;
    for i in (2..call.args.len()).step_by(2) {
        let is_new = hash.set(
            txn,
            call.arg(i),
            call.arg(i + 1),
            Expiry::Clear,
            &call.limits.thresholds,
        )?;
        added += u64::from(is_new);
    }
    hash.write(txn, key)?;
    Ok(added)
}

fn wrong_arity<T>(command: &str) -> Result<T> {
    Stop::error(format!("ERR wrong number of arguments for '{command}' command"))
}

pub fn hsetnx(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let (key, field) = (call.key(1), call.arg(2));
    let mut hash = Hash::to_write(txn, key)?;
    if hash.get(txn, field)?.is_some() {
        return Ok(Reply::Int(0));
    }
    hash.set(txn, field, call.arg(3), Expiry::Clear, &call.limits.thresholds)?;
    hash.write(txn, key)?;
    Ok(Reply::Int(1))
}

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

pub fn hmget(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let fields = call.args.skip(2);
    let Some(hash) = Hash::to_read(txn, call.key(1))? else {
        return Ok(Reply::Array(vec![Reply::Null; fields.len()]));
    };
    hash.prefetch(txn, fields.iter())?;
    let values = fields.iter().map(|field| value(txn, &hash, field));
    values.collect::<Result<_>>().map(Reply::Array)
}

pub fn hgetall(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let mut pairs = Vec::new();
    if let Some(hash) = Hash::to_read(txn, call.key(1))? {
        hash.for_each(txn, Want::Values, |field, value| {
            pairs.push((bulk(field), bulk(value)))
        })?;
    }
    Ok(Reply::Map(pairs))
}

pub fn hkeys(txn: &mut Txn, call: &Call) -> Result<Reply> {
    collect(txn, call, Want::Members, |field, _| bulk(field))
}

pub fn hvals(txn: &mut Txn, call: &Call) -> Result<Reply> {
    collect(txn, call, Want::Values, |_, value| bulk(value))
}

fn collect(txn: &mut Txn, call: &Call, want: Want, choose: fn(Bytes, Bytes) -> Reply) -> Result<Reply> {
    let mut replies = Vec::new();
    if let Some(hash) = Hash::to_read(txn, call.key(1))? {
        hash.for_each(txn, want, |field, value| replies.push(choose(field, value)))?;
    }
    Ok(Reply::Array(replies))
}

pub fn hlen(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let hash = Hash::to_read(txn, call.key(1))?;
    Ok(length(hash.map_or(0, |hash| hash.len())))
}

pub fn hexists(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let found = match Hash::to_read(txn, call.key(1))? {
        Some(hash) => hash.get(txn, call.arg(2))?.is_some(),
        None => false,
    };
    Ok(Reply::Int(i64::from(found)))
}

pub fn hstrlen(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let held = match Hash::to_read(txn, call.key(1))? {
        Some(hash) => hash.get(txn, call.arg(2))?,
        None => None,
    };
    Ok(length(held.map_or(0, |held| held.value.len() as u64)))
}

pub fn hdel(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let key = call.key(1);
    let mut hash = Hash::to_write(txn, key)?;
    hash.prefetch(txn, call.args.skip(2).iter())?;
    let mut removed = 0;
    for field in call.args.skip(2) {
        removed += u64::from(hash.remove(txn, field)?);
    }
    hash.write(txn, key)?;
    Ok(length(removed))
}

pub fn hincrby(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let increment = integer(call.arg(3))?;
    let key = call.key(1);
    let mut hash = Hash::to_write(txn, key)?;
    let sum = hash.add(txn, call.arg(2), increment, &call.limits.thresholds)?;
    hash.write(txn, key)?;
    Ok(Reply::Int(sum))
}

pub fn hincrbyfloat(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let increment = match ExtFloat::parse(call.arg(3)) {
        None => return Stop::error(NOT_A_FLOAT),
        Some(increment) if !increment.is_finite() => return Stop::error("ERR value is NaN or Infinity"),
        Some(increment) => increment,
    };
    let key = call.key(1);
    let mut hash = Hash::to_write(txn, key)?;
    let sum = hash.add_float(txn, call.arg(2), increment, &call.limits.thresholds)?;
    hash.write(txn, key)?;
    Ok(Reply::bulk(sum))
}

/// Above this many fields drawn with repetition a reply could outgrow memory.
const MAX_DRAWS: u64 = 1 << 24;

pub fn hrandfield(txn: &mut Txn, call: &Call) -> Result<Reply> {
    if call.args.len() == 2 {
        let drawn = match Hash::to_read(txn, call.key(1))? {
            Some(hash) => hash.draw(txn, 1)?.pop(),
            None => None,
        };
        return Ok(drawn.map_or(Reply::Null, |(field, _)| bulk(field)));
    }
    let count = parse_i64(call.arg(2));
    let with_values = match call.args.get(3) {
        None => false,
        Some(word) if call.args.len() == 4 && is_option(word, "withvalues") => true,
        Some(_) => return count.map_or_else(|| Stop::error(NOT_AN_INTEGER), |_| syntax_error()),
    };
    let count = match count {
        None => return Stop::error(NOT_AN_INTEGER),
        Some(i64::MIN) => {
            return Stop::error(format!(
                "ERR value is out of range, value must between {} and {}",
                -i64::MAX,
                i64::MAX
            ));
        }
        Some(count) => count,
    };
    let far = with_values && count.unsigned_abs() > i64::MAX.unsigned_abs() / 2;
    if far || count < 0 && count.unsigned_abs() > MAX_DRAWS {
        return Stop::error("ERR value is out of range");
    }
    let Some(hash) = Hash::to_read(txn, call.key(1))? else {
        return Ok(Reply::Array(Vec::new()));
    };
    let chosen = if count < 0 {
        hash.draw(txn, count.unsigned_abs() as usize)?
    } else {
        hash.sample(txn, usize::try_from(count).unwrap_or(usize::MAX))?
    };
    Ok(if with_values {
        Reply::Pairs(chosen.into_iter().map(|(f, v)| (bulk(f), bulk(v))).collect())
    } else {
        Reply::Array(chosen.into_iter().map(|(field, _)| bulk(field)).collect())
    })
}

pub fn hscan(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let Some(cursor) = scan::parse_cursor(call.arg(2)) else {
        return Stop::error("ERR invalid cursor");
    };
    let mut shown = Vec::new();
    let mut next = 0;
    if let Some(hash) = Hash::to_read(txn, call.key(1))? {
        let options = scan::Options::parse(call.args.skip(3), "novalues")?;
        let want = match options.no_values {
            true => Want::Members,
            false => Want::Values,
        };
        next = hash.scan(txn, cursor, options.count, want, |field, value| {
            if options.shows(&field) {
                shown.push(bulk(field));
                if !options.no_values {
                    shown.push(bulk(value));
                }
            }
        })?;
    }
    Ok(Reply::Array(vec![
        Reply::bulk(next.to_string()),
        Reply::Array(shown),
    ]))
}
