//! Strings: whole in their `meta` record up to [`SEGMENT`] bytes, in segments above.
//!
//! A string that grows past [`SEGMENT`] moves into segments under a fresh id, in the same transaction; from then on a
//! write to a part of it puts only the segments concerned, and a segment that is to be overwritten whole is not read.
//! Only commands that replace the value (SET and its like) make a string shorter, and they take a fresh id: so a segment
//! at or beyond the string's length never exists.
//!
//! A command that reads many cold segments would pin all of them in memory. One that may goes on over a view instead
//! ([`fetch`]); another has to have them at hand, as its transaction is one piece.

use std::ops::Range;

use super::WRONG_TYPE;
use crate::base::events::Events;
use crate::base::extfloat::ExtFloat;
use crate::base::num::parse_i64;
use crate::disk::format::{Header, Kind, LongString, RecordKey, SEGMENT};
use crate::store::{Entry, Key, Result, Stop, Txn, Value};

/// What a command answers to a text that is no 64-bit integer.
pub const NOT_AN_INTEGER: &str = "ERR value is not an integer or out of range";
/// What a command answers to a text that is no number.
pub const NOT_A_FLOAT: &str = "ERR value is not a valid float";
const TOO_LONG: &str = "ERR string exceeds maximum allowed size (proto-max-bulk-len)";

/// The most bytes that 32-bit segment indexes can name.
const MAX_LENGTH: u64 = SEGMENT as u64 * u32::MAX as u64;

static ZEROS: [u8; SEGMENT] = [0; SEGMENT];

/// A string's bytes: shared with the hot tier where they are one record, else put together.
#[derive(Clone)]
pub enum Bytes {
    /// A part of a record.
    Shared(Value, Range<usize>),
    /// Bytes of their own.
    Owned(Vec<u8>),
}

impl std::ops::Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Bytes::Shared(value, range) => &value[range.clone()],
            Bytes::Owned(bytes) => bytes,
        }
    }
}

/// Whether a key of this kind holds a string, whatever its length.
pub fn is_string(kind: Kind) -> bool {
    matches!(kind, Kind::String | Kind::LongString)
}

/// Refuses an entry that is there and holds no string.
pub fn string_entry(found: Option<Entry>) -> Result<Option<Entry>> {
    match found {
        Some(entry) if !is_string(entry.header.kind) => Stop::error(WRONG_TYPE),
        found => Ok(found),
    }
}

/// Refuses a length above the limit.
pub fn check_length(length: Option<u64>, limit: u64) -> Result<()> {
    match length {
        Some(length) if length <= limit.min(MAX_LENGTH) => Ok(()),
        _ => Stop::error(TOO_LONG),
    }
}

/// The number of bytes in the string.
pub fn len(entry: &Entry) -> Result<u64> {
    match long(entry)? {
        None => Ok(entry.body().len() as u64),
        Some(long) => Ok(long.length),
    }
}

fn long(entry: &Entry) -> Result<Option<LongString>> {
    if entry.header.kind != Kind::LongString {
        return Ok(None);
    }
    Ok(Some(LongString::decode(entry.body())?))
}

/// The segments that `range` lies in, and the part of each.
pub(super) fn pieces(range: Range<u64>) -> impl Iterator<Item = (u32, Range<usize>)> {
    let size = SEGMENT as u64;
    let beyond = if range.is_empty() {
        0
    } else {
        range.end.div_ceil(size)
    };
    let indexes = (range.start / size) as u32..beyond as u32;
    indexes.map(move |index| {
        let base = u64::from(index) * size;
        let from = range.start.max(base) - base;
        let to = range.end.min(base + size) - base;
        (index, from as usize..to as usize)
    })
}

/// The bytes on record of one segment; a string that is whole in its entry is its own first segment.
pub(super) fn segment(txn: &mut Txn, entry: &Entry, index: u32) -> Result<Bytes> {
    let Some(long) = long(entry)? else {
        let (record, body) = entry.shared();
        return Ok(match index {
            0 => Bytes::Shared(record.clone(), body..record.len()),
            _ => Bytes::Owned(Vec::new()),
        });
    };
    if index >= long.segments() {
        return Ok(Bytes::Owned(Vec::new()));
    }
    Ok(match txn.get(&RecordKey::segment(long.id, index))? {
        Some(value) => {
            let whole = 0..value.len();
            Bytes::Shared(value, whole)
        }
        None => Bytes::Owned(Vec::new()),
    })
}

/// What of `part` is on record; the rest of it is zeros.
pub(super) fn on_record(bytes: &[u8], part: &Range<usize>) -> Range<usize> {
    part.start.min(bytes.len())..part.end.min(bytes.len())
}

/// Waits until these parts of strings, which must lie in them, are in memory.
pub fn fetch<'e>(txn: &mut Txn, parts: impl Iterator<Item = (&'e Entry, Range<u64>)>) -> Result<()> {
    let mut cold = 0;
    for (entry, range) in parts {
        let Some(long) = long(entry)? else { continue };
        for (index, _) in pieces(range) {
            cold += usize::from(txn.prefetch(RecordKey::segment(long.id, index)));
            txn.wait_for(cold)?;
        }
    }
    txn.await_prefetched()
}

/// The whole string.
pub fn read(txn: &mut Txn, entry: &Entry) -> Result<Bytes> {
    let len = len(entry)?;
    read_range(txn, entry, 0..len)
}

/// The bytes of `range`, which must lie in the string.
pub fn read_range(txn: &mut Txn, entry: &Entry, range: Range<u64>) -> Result<Bytes> {
    if entry.header.kind == Kind::String {
        let (record, body) = entry.shared();
        return Ok(Bytes::Shared(
            record.clone(),
            body + range.start as usize..body + range.end as usize,
        ));
    }
    fetch(txn, std::iter::once((entry, range.clone())))?;
    let total = (range.end - range.start) as usize;
    let mut out = Vec::new();
    for (index, part) in pieces(range) {
        let bytes = segment(txn, entry, index)?;
        let there = on_record(&bytes, &part);
        match bytes {
            Bytes::Shared(value, _) if there.len() == total => return Ok(Bytes::Shared(value, there)),
            bytes => {
                out.reserve_exact(total - out.len());
                out.extend_from_slice(&bytes[there.clone()]);
                out.resize(out.len() + part.len() - there.len(), 0);
            }
        }
    }
    Ok(Bytes::Owned(out))
}

/// A part of a string, one after the other.
pub enum Part {
    /// Bytes on record.
    Bytes(Bytes),
    /// Zeros that are on no record.
    Zeros(&'static [u8]),
}

/// Shows the bytes of `range`, which must lie in the string, part by part: nothing is copied.
pub fn show(
    txn: &mut Txn,
    entry: &Entry,
    range: Range<u64>,
    mut visit: impl FnMut(Part) -> Result<()>,
) -> Result<()> {
    fetch(txn, std::iter::once((entry, range.clone())))?;
    for (index, part) in pieces(range) {
        let bytes = segment(txn, entry, index)?;
        let there = on_record(&bytes, &part);
        let missing = part.len() - there.len();
        if !there.is_empty() {
            visit(Part::Bytes(match bytes {
                Bytes::Shared(value, whole) => {
                    Bytes::Shared(value, whole.start + there.start..whole.start + there.end)
                }
                Bytes::Owned(bytes) => Bytes::Owned(bytes[there].to_vec()),
            }))?;
        }
        if missing > 0 {
            visit(Part::Zeros(&ZEROS[..missing]))?;
        }
    }
    Ok(())
}

/// Makes `bytes` the key's value, whatever it held. `old` is what [`Txn::lookup`] found.
pub fn set(txn: &mut Txn, key: Key, old: Option<&Entry>, bytes: &[u8], deadline: Option<u64>) -> Result<()> {
    if bytes.len() <= SEGMENT {
        return txn.write(key, old, whole_header(deadline), &[bytes]);
    }
    let long = LongString {
        id: txn.fresh_id(),
        length: bytes.len() as u64,
    };
    for (index, segment) in bytes.chunks(SEGMENT).enumerate() {
        txn.put(RecordKey::segment(long.id, index as u32), Value::from(segment));
    }
    txn.write(key, old, long_header(deadline), &[&long.encode()])
}

/// As [`set`], without a deadline, of a string that is made segment by segment. What `make` leaves off at a segment's
/// end is zeros.
pub(super) fn set_segments(
    txn: &mut Txn,
    key: Key,
    old: Option<&Entry>,
    length: u64,
    mut make: impl FnMut(&mut Txn, u32) -> Result<Vec<u8>>,
) -> Result<()> {
    if length <= SEGMENT as u64 {
        let mut body = make(txn, 0)?;
        body.resize(length as usize, 0);
        return txn.write(key, old, whole_header(None), &[&body]);
    }
    let long = LongString {
        id: txn.fresh_id(),
        length,
    };
    for index in 0..long.segments() {
        let bytes = make(txn, index)?;
        if bytes.iter().any(|&byte| byte != 0) {
            txn.put(RecordKey::segment(long.id, index), Value::from(&bytes[..]));
        }
    }
    txn.write(key, old, long_header(None), &[&long.encode()])
}

fn whole_header(deadline: Option<u64>) -> Header {
    Header {
        kind: Kind::String,
        deadline,
    }
}

fn long_header(deadline: Option<u64>) -> Header {
    Header {
        kind: Kind::LongString,
        deadline,
    }
}

/// Overwrites the string from byte `at` on, zeros filling any gap before it, and returns its length. The deadline stays.
pub fn write_at(txn: &mut Txn, key: Key, old: Option<&Entry>, at: u64, bytes: &[u8]) -> Result<u64> {
    let was = old.map_or(Ok(0), len)?;
    let end = at + bytes.len() as u64;
    let length = was.max(end);
    if fits_whole(old, length) {
        let body = old.map_or(&b""[..], Entry::body);
        let parts = patch(body, at as usize, bytes);
        txn.write(key, old, whole_header(deadline(old)), &parts)?;
        return Ok(length);
    }
    let touched = || pieces(at..end).map(|(index, part)| (index, is_kept_in(was, index, &part), part));
    if let Some(long) = old.map(long).transpose()?.flatten() {
        for (index, _, _) in touched().filter(|(_, kept, _)| *kept) {
            txn.prefetch(RecordKey::segment(long.id, index));
        }
        txn.await_prefetched()?;
    }
    let mut images = Vec::new();
    let mut rest = bytes;
    for (index, kept, part) in touched() {
        let (new, later) = rest.split_at(part.len());
        rest = later;
        let before = match old {
            Some(entry) if kept => segment(txn, entry, index)?,
            _ => Bytes::Owned(Vec::new()),
        };
        images.push((index, Value::concat(&patch(&before, part.start, new))));
    }
    put_segments(txn, key, old, length, images)?;
    Ok(length)
}

/// Whether the string, with this length from now on, stays or becomes one record.
pub(super) fn fits_whole(old: Option<&Entry>, length: u64) -> bool {
    length <= SEGMENT as u64 && old.is_none_or(|entry| entry.header.kind != Kind::LongString)
}

fn deadline(old: Option<&Entry>) -> Option<u64> {
    old.and_then(|entry| entry.header.deadline)
}

/// Whether some byte of the segment outlasts a write to `part` of it, `was` being the string's length.
fn is_kept_in(was: u64, index: u32, part: &Range<usize>) -> bool {
    let base = u64::from(index) * SEGMENT as u64;
    let there = was.saturating_sub(base).min(SEGMENT as u64) as usize;
    there > 0 && (part.start > 0 || part.end < there)
}

/// `before` with `new` written over it at `at`, as parts to concatenate.
fn patch<'b>(before: &'b [u8], at: usize, new: &'b [u8]) -> [&'b [u8]; 4] {
    let kept = before.len().min(at);
    let tail = before.get(at + new.len()..).unwrap_or_default();
    [&before[..kept], &ZEROS[..at - kept], new, tail]
}

/// Puts a string's new body, where it fits one record. The deadline stays.
pub(super) fn put_whole(txn: &mut Txn, key: Key, old: Option<&Entry>, body: &[u8]) -> Result<()> {
    txn.write(key, old, whole_header(deadline(old)), &[body])
}

/// Puts these segments of a string that has or gets `length` bytes, in the order of their indexes. One that was whole
/// moves into segments. The deadline stays.
pub(super) fn put_segments(
    txn: &mut Txn,
    key: Key,
    old: Option<&Entry>,
    length: u64,
    images: Vec<(u32, Value)>,
) -> Result<()> {
    let before = old.map(long).transpose()?.flatten();
    let id = before.map_or_else(|| txn.fresh_id(), |long| long.id);
    if let Some(entry) = old
        && before.is_none()
        && images.first().is_none_or(|(index, _)| *index != 0)
    {
        txn.put(RecordKey::segment(id, 0), Value::from(entry.body()));
    }
    for (index, image) in images {
        txn.put(RecordKey::segment(id, index), image);
    }
    let after = LongString { id, length };
    if before == Some(after) {
        return Ok(());
    }
    txn.write(key, old, long_header(deadline(old)), &[&after.encode()])
}

/// Adds to the integer that the string is the text of; a key that is not there counts as 0. The deadline stays.
pub fn add(txn: &mut Txn, key: Key, increment: i64) -> Result<i64> {
    let old = string_entry(txn.lookup(key)?)?;
    let value = match &old {
        None => 0,
        Some(entry) => match parse_i64(number_text(entry)) {
            Some(value) => value,
            None => return Stop::error(NOT_AN_INTEGER),
        },
    };
    let Some(sum) = value.checked_add(increment) else {
        return Stop::error("ERR increment or decrement would overflow");
    };
    let mut digits = itoa::Buffer::new();
    put_whole(txn, key, old.as_ref(), digits.format(sum).as_bytes())?;
    txn.notify(Events::STRING, "incrby", key);
    Ok(sum)
}

/// As [`add`], with long doubles; `increment` is a text too. Returns the text of the sum.
pub fn add_float(txn: &mut Txn, key: Key, increment: &[u8]) -> Result<String> {
    let old = string_entry(txn.lookup(key)?)?;
    let value = match &old {
        None => Some(ExtFloat::from_i64(0)),
        Some(entry) => ExtFloat::parse(number_text(entry)),
    };
    let (Some(value), Some(increment)) = (value, ExtFloat::parse(increment)) else {
        return Stop::error(NOT_A_FLOAT);
    };
    let sum = value.checked_add(increment).and_then(ExtFloat::to_human);
    let Some(text) = sum else {
        return Stop::error("ERR increment would produce NaN or Infinity");
    };
    put_whole(txn, key, old.as_ref(), text.as_bytes())?;
    txn.notify(Events::STRING, "incrbyfloat", key);
    Ok(text)
}

/// The text that may be a number: none that is kept in segments is.
fn number_text(entry: &Entry) -> &[u8] {
    if entry.header.kind == Kind::LongString {
        return b"";
    }
    entry.body()
}
