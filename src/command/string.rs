//! Commands over strings.

use std::ops::Range;

use super::Call;
pub use super::lcs::lcs;
use super::set_options::{Expiry, Options, Unit};
use crate::base::num::parse_i64;
use crate::resp::{Blob, Reply};
use crate::store::{Entry, Key, Result, Stop, Txn};
use crate::types::string::{self, Bytes, NOT_AN_INTEGER, string_entry};

pub fn get(txn: &mut Txn, call: &Call) -> Result<Reply> {
    match string_entry(txn.lookup_read(call.key(1))?)? {
        Some(entry) => read_only(txn, &entry),
        None => Ok(Reply::Null),
    }
}

pub fn set(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let options = match call.args.len() {
        3 => Options::default(),
        _ => Options::of_set(call.args.skip(3))?,
    };
    let key = call.key(1);
    let deadline = options
        .expiry
        .map(|expiry| expiry.deadline(txn.now, "set"))
        .transpose()?;
    let old = match options.get {
        true => string_entry(txn.lookup_read(key)?)?,
        false => txn.lookup(key)?,
    };
    let before = match &old {
        Some(entry) if options.get => read(txn, entry)?,
        _ => Reply::Null,
    };
    if options.only_if_absent && old.is_some() || options.only_if_present && old.is_none() {
        return Ok(before);
    }
    let deadline = match &old {
        Some(entry) if options.keep_deadline => entry.header.deadline,
        _ => deadline,
    };
    set_until(txn, key, old.as_ref(), call.arg(2), deadline)?;
    Ok(if options.get { before } else { Reply::Ok })
}

/// Sets the key, or drops it if the deadline has passed already.
fn set_until(
    txn: &mut Txn,
    key: Key,
    old: Option<&Entry>,
    value: &[u8],
    deadline: Option<u64>,
) -> Result<()> {
    if deadline.is_none_or(|deadline| deadline > txn.now) {
        return string::set(txn, key, old, value, deadline);
    }
    old.map_or(Ok(()), |old| txn.remove(key, old))
}

pub fn setnx(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let key = call.key(1);
    if txn.lookup(key)?.is_some() {
        return Ok(Reply::Int(0));
    }
    string::set(txn, key, None, call.arg(2), None)?;
    Ok(Reply::Int(1))
}

pub fn setex(txn: &mut Txn, call: &Call) -> Result<Reply> {
    set_expiring(txn, call, Unit::Seconds, "setex")
}

pub fn psetex(txn: &mut Txn, call: &Call) -> Result<Reply> {
    set_expiring(txn, call, Unit::Milliseconds, "psetex")
}

fn set_expiring(txn: &mut Txn, call: &Call, unit: Unit, command: &str) -> Result<Reply> {
    let amount = call.arg(2);
    let deadline = Expiry { unit, amount }.deadline(txn.now, command)?;
    let key = call.key(1);
    let old = txn.lookup(key)?;
    string::set(txn, key, old.as_ref(), call.arg(3), Some(deadline))?;
    Ok(Reply::Ok)
}

pub fn getset(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let key = call.key(1);
    let old = string_entry(txn.lookup_read(key)?)?;
    let before = match &old {
        Some(entry) => read(txn, entry)?,
        None => Reply::Null,
    };
    string::set(txn, key, old.as_ref(), call.arg(2), None)?;
    Ok(before)
}

pub fn getdel(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let key = call.key(1);
    let Some(entry) = string_entry(txn.lookup_read(key)?)? else {
        return Ok(Reply::Null);
    };
    let before = read(txn, &entry)?;
    txn.remove(key, &entry)?;
    Ok(before)
}

pub fn getex(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let options = Options::of_getex(call.args.skip(2))?;
    let key = call.key(1);
    let Some(entry) = string_entry(txn.lookup_read(key)?)? else {
        return Ok(Reply::Null);
    };
    let deadline = options
        .expiry
        .map(|expiry| expiry.deadline(txn.now, "getex"))
        .transpose()?;
    if deadline.is_none() && !options.persist {
        return read_only(txn, &entry);
    }
    let value = read(txn, &entry)?;
    if deadline.is_some_and(|deadline| deadline <= txn.now) {
        txn.remove(key, &entry)?;
    } else if deadline != entry.header.deadline {
        txn.set_deadline(key, &entry, deadline)?;
    }
    Ok(value)
}

pub fn mget(txn: &mut Txn, call: &Call) -> Result<Reply> {
    prefetch_keys(txn, call, 1, 1)?;
    let mut entries = Vec::with_capacity(call.args.len() - 1);
    for i in 1..call.args.len() {
        let entry = txn.lookup_read(call.key(i))?;
        entries.push(entry.filter(|entry| string::is_string(entry.header.kind)));
    }
    let values = read_to_reply(txn, &entries)?;
    let replies = values.into_iter().map(|value| value.map_or(Reply::Null, bulk));
    Ok(Reply::Array(replies.collect()))
}

pub fn mset(txn: &mut Txn, call: &Call) -> Result<Reply> {
    check_pairs(call, "mset")?;
    prefetch_keys(txn, call, 1, 2)?;
    set_pairs(txn, call)?;
    Ok(Reply::Ok)
}

pub fn msetnx(txn: &mut Txn, call: &Call) -> Result<Reply> {
    check_pairs(call, "msetnx")?;
    prefetch_keys(txn, call, 1, 2)?;
    for i in (1..call.args.len()).step_by(2) {
        if txn.lookup(call.key(i))?.is_some() {
            return Ok(Reply::Int(0));
        }
    }
    set_pairs(txn, call)?;
    Ok(Reply::Int(1))
}

fn check_pairs(call: &Call, command: &str) -> Result<()> {
    if call.args.len().is_multiple_of(2) {
        return Stop::error(format!("ERR wrong number of arguments for '{command}' command"));
    }
    Ok(())
}

fn set_pairs(txn: &mut Txn, call: &Call) -> Result<()> {
    for i in (1..call.args.len()).step_by(2) {
        let key = call.key(i);
        let old = txn.lookup(key)?;
        string::set(txn, key, old.as_ref(), call.arg(i + 1), None)?;
    }
    Ok(())
}

pub fn append(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let (key, tail) = (call.key(1), call.arg(2));
    let old = string_entry(txn.lookup(key)?)?;
    let at = old.as_ref().map_or(Ok(0), string::len)?;
    string::check_length(at.checked_add(tail.len() as u64), call.limits.max_string)?;
    if old.is_some() && tail.is_empty() {
        return Ok(length(at));
    }
    Ok(length(string::write_at(txn, key, old.as_ref(), at, tail)?))
}

pub fn setrange(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let (key, new) = (call.key(1), call.arg(3));
    let Ok(at) = u64::try_from(integer(call.arg(2))?) else {
        return Stop::error("ERR offset is out of range");
    };
    let old = string_entry(txn.lookup(key)?)?;
    if new.is_empty() {
        return Ok(length(old.as_ref().map_or(Ok(0), string::len)?));
    }
    string::check_length(at.checked_add(new.len() as u64), call.limits.max_string)?;
    Ok(length(string::write_at(txn, key, old.as_ref(), at, new)?))
}

pub fn getrange(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let (start, end) = (integer(call.arg(2))?, integer(call.arg(3))?);
    let Some(entry) = string_entry(txn.lookup_read(call.key(1))?)? else {
        return Ok(Reply::bulk(""));
    };
    let range = clamp_range(start, end, string::len(&entry)?);
    if is_crossed(start, end) || range.is_empty() {
        return Ok(Reply::bulk(""));
    }
    string::fetch_to_read(txn, std::iter::once((&entry, range.clone())))?;
    Ok(bulk(string::read_range(txn, &entry, range)?))
}

pub fn substr(txn: &mut Txn, call: &Call) -> Result<Reply> {
    getrange(txn, call)
}

pub fn strlen(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let entry = string_entry(txn.lookup_read(call.key(1))?)?;
    Ok(length(entry.as_ref().map_or(Ok(0), string::len)?))
}

pub fn incr(txn: &mut Txn, call: &Call) -> Result<Reply> {
    string::add(txn, call.key(1), 1).map(Reply::Int)
}

pub fn decr(txn: &mut Txn, call: &Call) -> Result<Reply> {
    string::add(txn, call.key(1), -1).map(Reply::Int)
}

pub fn incrby(txn: &mut Txn, call: &Call) -> Result<Reply> {
    string::add(txn, call.key(1), integer(call.arg(2))?).map(Reply::Int)
}

pub fn decrby(txn: &mut Txn, call: &Call) -> Result<Reply> {
    match integer(call.arg(2))?.checked_neg() {
        Some(increment) => string::add(txn, call.key(1), increment).map(Reply::Int),
        None => Stop::error("ERR decrement would overflow"),
    }
}

pub fn incrbyfloat(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let sum = string::add_float(txn, call.key(1), call.arg(2))?;
    Ok(Reply::bulk(sum))
}

pub(super) fn integer(arg: &[u8]) -> Result<i64> {
    match parse_i64(arg) {
        Some(value) => Ok(value),
        None => Stop::error(NOT_AN_INTEGER),
    }
}

/// `start..=end` as clients name it, negative numbers counting from the end, cut to what lies in `len`.
pub(super) fn clamp_range(start: i64, end: i64, len: u64) -> Range<u64> {
    let from_end = |i: i64| match u64::try_from(i) {
        Ok(i) => i,
        Err(_) => len.saturating_sub(i.unsigned_abs()),
    };
    from_end(start)..from_end(end).saturating_add(1).min(len)
}

/// Whether a range with both ends counted from the string's end is empty, whatever clamping makes of it.
pub(super) fn is_crossed(start: i64, end: i64) -> bool {
    start < 0 && end < 0 && start > end
}

/// A length, or a position: below 2^63, as all that fits on a disk.
pub(super) fn length(n: u64) -> Reply {
    Reply::Int(n.cast_signed())
}

/// Fetches every `step`-th argument's key from the `first` on, with one fault.
pub(super) fn prefetch_keys(txn: &mut Txn, call: &Call, first: usize, step: usize) -> Result<()> {
    for i in (first..call.args.len()).step_by(step) {
        let key = txn.meta_key(call.key(i))?;
        txn.prefetch(key);
    }
    txn.await_prefetched()
}

/// The values of all entries, for a command that only reads.
pub(super) fn read_to_reply(txn: &mut Txn, entries: &[Option<Entry>]) -> Result<Vec<Option<Bytes>>> {
    let mut parts = Vec::new();
    for entry in entries.iter().flatten() {
        parts.push((entry, 0..string::len(entry)?));
    }
    string::fetch_to_read(txn, parts.into_iter())?;
    entries
        .iter()
        .map(|entry| entry.as_ref().map(|entry| string::read(txn, entry)).transpose())
        .collect()
}

/// The value, for a command that only reads.
fn read_only(txn: &mut Txn, entry: &Entry) -> Result<Reply> {
    string::fetch_to_read(txn, std::iter::once((entry, 0..string::len(entry)?)))?;
    read(txn, entry)
}

/// The value, for a command that also writes.
fn read(txn: &mut Txn, entry: &Entry) -> Result<Reply> {
    string::read(txn, entry).map(bulk)
}

pub(super) fn bulk(bytes: Bytes) -> Reply {
    Reply::Bulk(match bytes {
        Bytes::Shared(value, range) => Blob::shared(value.into(), range),
        Bytes::Owned(bytes) => Blob::from(bytes),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_to_the_string() {
        for (start, end, range) in [
            (0, -1, 0..5),
            (-3, -2, 2..4),
            (-100, 1, 0..2),
            (3, 100, 3..5),
            (i64::MIN, i64::MAX, 0..5),
            (0, i64::MIN, 0..1),
        ] {
            assert_eq!(clamp_range(start, end, 5), range, "{start} {end}");
        }
        for (start, end, len) in [(3, 1, 5), (5, 9, 5), (0, -1, 0), (i64::MAX, i64::MAX, 5)] {
            assert!(clamp_range(start, end, len).is_empty(), "{start} {end} {len}");
        }
        assert!(is_crossed(-1, -2) && !is_crossed(-2, -1) && !is_crossed(1, 0));
    }
}
