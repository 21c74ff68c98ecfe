//! Commands over strings.

use std::ops::Range;

use super::Call;
use super::arguments::{clamp_range, integer, is_crossed};
use super::elements::{Elements, PIECE, elements, gone};
pub use super::lcs::lcs;
use super::set_options::{Expiry, SetOptions, Unit};
use super::values::{blob, bulk, length};
use crate::base::events::Events;
use crate::disk::format::Kind;
use crate::resp::{Blob, Reply, Rope, Shape, Sink};
use crate::store::{Entry, Key, Result, Stop, Txn};
use crate::types::string::{self, Part, string_entry};

/// `GET key`. Replies with the string, or null.
pub fn get(txn: &mut Txn, call: &Call) -> Result<Reply> {
    match txn.lookup_read(call.key(1))? {
        // Most are whole in their key's record, which the reply shares.
        Some(entry) if entry.header.kind == Kind::String => {
            let (record, body) = entry.into_shared();
            let value = body..record.len();
            Ok(Reply::Bulk(Blob::shared(record.into(), value)))
        }
        found => match string_entry(found)? {
            Some(entry) => read_only(txn, call, &entry),
            None => Ok(Reply::Null),
        },
    }
}

/// `SET key value [option...]`. Replies OK, or null if NX or XX kept it from being set; with GET, with what was there
/// before.
pub fn set(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let options = match call.args.len() {
        3 => SetOptions::default(),
        _ => SetOptions::of_set(call.args.skip(3))?,
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
    let kept = match &old {
        Some(entry) if options.keep_deadline => entry.header.deadline,
        _ => None,
    };
    match deadline {
        Some(deadline) => set_until(txn, key, old.as_ref(), call.arg(2), deadline)?,
        None => put(txn, key, old.as_ref(), call.arg(2), kept)?,
    }
    Ok(if options.get { before } else { Reply::Ok })
}

/// Makes a string the key's value, whatever it held.
fn put(txn: &mut Txn, key: Key, old: Option<&Entry>, value: &[u8], deadline: Option<u64>) -> Result<()> {
    string::set(txn, key, old, value, deadline)?;
    txn.notify_overwritten(key, old, Kind::String);
    txn.notify(Events::STRING, "set", key);
    Ok(())
}

/// The same with a new deadline: if that has passed already, the key is gone at once.
fn set_until(txn: &mut Txn, key: Key, old: Option<&Entry>, value: &[u8], deadline: u64) -> Result<()> {
    put(txn, key, old, value, Some(deadline))?;
    txn.notify(Events::GENERIC, "expire", key);
    if deadline <= txn.now {
        // The look-up deletes it.
        txn.lookup(key)?;
    }
    Ok(())
}

/// `SETNX key value`. Replies with 1 if the key was set, with 0 if it was there.
pub fn setnx(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let key = call.key(1);
    if txn.lookup(key)?.is_some() {
        return Ok(Reply::Int(0));
    }
    put(txn, key, None, call.arg(2), None)?;
    Ok(Reply::Int(1))
}

/// `SETEX key seconds value`. Replies OK.
pub fn setex(txn: &mut Txn, call: &Call) -> Result<Reply> {
    set_expiring(txn, call, Unit::Seconds, "setex")
}

/// `PSETEX key milliseconds value`. Replies OK.
pub fn psetex(txn: &mut Txn, call: &Call) -> Result<Reply> {
    set_expiring(txn, call, Unit::Milliseconds, "psetex")
}

fn set_expiring(txn: &mut Txn, call: &Call, unit: Unit, command: &str) -> Result<Reply> {
    let amount = call.arg(2);
    let deadline = Expiry { unit, amount }.deadline(txn.now, command)?;
    let key = call.key(1);
    let old = txn.lookup(key)?;
    set_until(txn, key, old.as_ref(), call.arg(3), deadline)?;
    Ok(Reply::Ok)
}

/// `GETSET key value`. Replies with what was there before, or null.
pub fn getset(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let key = call.key(1);
    let old = string_entry(txn.lookup_read(key)?)?;
    let before = match &old {
        Some(entry) => read(txn, entry)?,
        None => Reply::Null,
    };
    put(txn, key, old.as_ref(), call.arg(2), None)?;
    Ok(before)
}

/// `GETDEL key`. Replies with the string, which is deleted, or null.
pub fn getdel(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let key = call.key(1);
    let Some(entry) = string_entry(txn.lookup_read(key)?)? else {
        return Ok(Reply::Null);
    };
    let before = read(txn, &entry)?;
    txn.remove(key, &entry)?;
    Ok(before)
}

/// `GETEX key [deadline]`. Replies with the string, which gets the deadline, or null.
pub fn getex(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let options = SetOptions::of_getex(call.args.skip(2))?;
    let key = call.key(1);
    let Some(entry) = string_entry(txn.lookup_read(key)?)? else {
        return Ok(Reply::Null);
    };
    let deadline = options
        .expiry
        .map(|expiry| expiry.deadline(txn.now, "getex"))
        .transpose()?;
    if deadline.is_none() && !options.persist {
        txn.only_reads();
        return read_only(txn, call, &entry);
    }
    let value = read(txn, &entry)?;
    if deadline.is_some_and(|deadline| deadline <= txn.now) {
        txn.remove(key, &entry)?;
        return Ok(value);
    }
    if deadline != entry.header.deadline {
        txn.set_deadline(key, &entry, deadline)?;
    } else if deadline.is_some() {
        txn.touch(key);
    }
    if deadline.is_some() {
        txn.notify(Events::GENERIC, "expire", key);
    } else if entry.header.deadline.is_some() {
        txn.notify(Events::GENERIC, "persist", key);
    }
    Ok(value)
}

/// `MGET key...`. Replies with an array of strings, null for each key that is not there or holds something else.
pub fn mget(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let names = 1..call.args.len();
    // Over a view, each is looked up when its turn comes: all of them could be more than fits memory.
    let entries = match call.sink {
        Some(_) => None,
        None => Some(entries_to_read(txn, call)?),
    };
    elements(txn, call, Shape::Array, Some(names.len() as u64), |txn, out| {
        for i in names.clone() {
            let looked_up;
            let entry = match &entries {
                Some(entries) => &entries[i - 1],
                None => {
                    looked_up = string_if_any(txn, call.key(i))?;
                    &looked_up
                }
            };
            match entry {
                Some(entry) => push_string(txn, entry, out)?,
                None => out.push_reply(&Reply::Null)?,
            }
        }
        Ok(())
    })
}

/// The strings of all keys, ready to be read.
fn entries_to_read(txn: &mut Txn, call: &Call) -> Result<Vec<Option<Entry>>> {
    prefetch_keys(txn, call, 1, 1)?;
    let entries = (1..call.args.len()).map(|i| string_if_any(txn, call.key(i)));
    let entries: Vec<Option<Entry>> = entries.collect::<Result<_>>()?;
    let mut parts = Vec::new();
    for entry in entries.iter().flatten() {
        parts.push((entry, 0..string::len(entry)?));
    }
    string::fetch(txn, parts.into_iter())?;
    Ok(entries)
}

/// What holds no string counts as not there.
fn string_if_any(txn: &mut Txn, key: Key) -> Result<Option<Entry>> {
    let entry = txn.lookup_read(key)?;
    Ok(entry.filter(|entry| string::is_string(entry.header.kind)))
}

/// Adds the whole string, its parts as they are.
fn push_string(txn: &mut Txn, entry: &Entry, out: &mut Elements) -> Result<()> {
    if entry.header.kind == Kind::String {
        let len = string::len(entry)?;
        return out.push_bytes(string::read_range(txn, entry, 0..len)?);
    }
    let len = string::len(entry)?;
    out.begin_bulk(len)?;
    string::show(txn, entry, 0..len, |part| {
        push_part(part, &mut |blob| out.push_part(blob))
    })?;
    out.end_bulk()
}

/// `MSET key value...`. Replies OK.
pub fn mset(txn: &mut Txn, call: &Call) -> Result<Reply> {
    check_pairs(call, "mset")?;
    prefetch_keys(txn, call, 1, 2)?;
    set_pairs(txn, call)?;
    Ok(Reply::Ok)
}

/// `MSETNX key value...`. Replies with 1 if all keys were set, with 0 if one of them was there.
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
        put(txn, key, old.as_ref(), call.arg(i + 1), None)?;
    }
    Ok(())
}

/// `APPEND key value`. Replies with the length in bytes that the string has then.
pub fn append(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let (key, tail) = (call.key(1), call.arg(2));
    let old = string_entry(txn.lookup(key)?)?;
    let at = old.as_ref().map_or(Ok(0), string::len)?;
    string::check_length(at.checked_add(tail.len() as u64), call.limits.max_string)?;
    let len = if old.is_some() && tail.is_empty() {
        txn.touch(key);
        at
    } else {
        string::write_at(txn, key, old.as_ref(), at, tail)?
    };
    txn.notify(Events::STRING, "append", key);
    Ok(length(len))
}

/// `SETRANGE key offset value`. Replies with the length in bytes that the string has then.
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
    let len = string::write_at(txn, key, old.as_ref(), at, new)?;
    txn.notify(Events::STRING, "setrange", key);
    Ok(length(len))
}

/// `GETRANGE key start end`. Replies with a bulk string, empty beyond the end.
pub fn getrange(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let (start, end) = (integer(call.arg(2))?, integer(call.arg(3))?);
    let Some(entry) = string_entry(txn.lookup_read(call.key(1))?)? else {
        return Ok(Reply::bulk(""));
    };
    let range = clamp_range(start, end, string::len(&entry)?);
    if is_crossed(start, end) || range.is_empty() {
        return Ok(Reply::bulk(""));
    }
    show(txn, call, &entry, range)
}

/// SUBSTR, an older name of GETRANGE.
pub fn substr(txn: &mut Txn, call: &Call) -> Result<Reply> {
    getrange(txn, call)
}

/// `STRLEN key`. Replies with the length in bytes, 0 without a key.
pub fn strlen(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let entry = string_entry(txn.lookup_read(call.key(1))?)?;
    Ok(length(entry.as_ref().map_or(Ok(0), string::len)?))
}

/// `INCR key`. Replies with the sum; with an error if the string is no integer or the sum overflows.
pub fn incr(txn: &mut Txn, call: &Call) -> Result<Reply> {
    string::add(txn, call.key(1), 1).map(Reply::Int)
}

/// `DECR key`. Replies with the difference; errors are INCR's.
pub fn decr(txn: &mut Txn, call: &Call) -> Result<Reply> {
    string::add(txn, call.key(1), -1).map(Reply::Int)
}

/// `INCRBY key increment`. Replies with the sum; errors are INCR's.
pub fn incrby(txn: &mut Txn, call: &Call) -> Result<Reply> {
    string::add(txn, call.key(1), integer(call.arg(2))?).map(Reply::Int)
}

/// `DECRBY key decrement`. Replies with the difference; errors are INCR's.
pub fn decrby(txn: &mut Txn, call: &Call) -> Result<Reply> {
    match integer(call.arg(2))?.checked_neg() {
        Some(increment) => string::add(txn, call.key(1), increment).map(Reply::Int),
        None => Stop::error("ERR decrement would overflow"),
    }
}

/// `INCRBYFLOAT key increment`. Replies with the sum as a bulk string; with an error if the string is no number.
pub fn incrbyfloat(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let sum = string::add_float(txn, call.key(1), call.arg(2))?;
    Ok(Reply::bulk(sum))
}

/// Fetches every `step`-th argument's key from the `first` on, with one fault.
pub(super) fn prefetch_keys(txn: &mut Txn, call: &Call, first: usize, step: usize) -> Result<()> {
    for i in (first..call.args.len()).step_by(step) {
        let key = txn.meta_key(call.key(i))?;
        txn.prefetch(key);
    }
    txn.await_prefetched()
}

/// The value, for a command that only reads.
fn read_only(txn: &mut Txn, call: &Call, entry: &Entry) -> Result<Reply> {
    let whole = 0..string::len(entry)?;
    show(txn, call, entry, whole)
}

/// A part of the value, for a command that only reads. Over a view it leaves as it is read.
fn show(txn: &mut Txn, call: &Call, entry: &Entry, range: Range<u64>) -> Result<Reply> {
    string::fetch(txn, std::iter::once((entry, range.clone())))?;
    match call.sink {
        Some(sink) if range.end - range.start > PIECE as u64 => send(txn, entry, range, sink),
        _ => read_part(txn, entry, range),
    }
}

fn send(txn: &mut Txn, entry: &Entry, range: Range<u64>, sink: &dyn Sink) -> Result<Reply> {
    let mut piece = Rope::default();
    let head = format!("${}\r\n", range.end - range.start);
    piece.text().extend_from_slice(head.as_bytes());
    string::show(txn, entry, range, |part| {
        push_part(part, &mut |blob| {
            piece.refer_to(blob.clone());
            if piece.memory() < PIECE {
                return Ok(());
            }
            sink.send(std::mem::take(&mut piece)).map_err(gone)
        })
    })?;
    piece.text().extend_from_slice(b"\r\n");
    sink.send(piece).map_err(gone)?;
    Ok(Reply::Nothing)
}

/// The value, for a command that also writes.
fn read(txn: &mut Txn, entry: &Entry) -> Result<Reply> {
    let whole = 0..string::len(entry)?;
    read_part(txn, entry, whole)
}

fn read_part(txn: &mut Txn, entry: &Entry, range: Range<u64>) -> Result<Reply> {
    if entry.header.kind == Kind::String || range.end - range.start < PIECE as u64 {
        return string::read_range(txn, entry, range).map(bulk);
    }
    let mut parts = Vec::new();
    string::show(txn, entry, range, |part| {
        push_part(part, &mut |blob| {
            parts.push(blob.clone());
            Ok(())
        })
    })?;
    Ok(Reply::Parts(parts))
}

/// Gives a part of a string on as blobs.
fn push_part(part: Part, push: &mut impl FnMut(&Blob) -> Result<()>) -> Result<()> {
    match part {
        Part::Bytes(bytes) => push(&blob(bytes)),
        Part::Zeros(zeros) => push(&Blob::Static(zeros)),
    }
}
