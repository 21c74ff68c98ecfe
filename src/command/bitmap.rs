//! Commands over strings as arrays of bits.

use std::ops::Range;

use super::arguments::{clamp_range, integer, is_crossed};
use super::string::prefetch_keys;
use super::values::length;
use super::{Call, is_option, syntax_error};
use crate::base::num::parse_i64;
use crate::resp::Reply;
use crate::store::{Result, Stop, Txn};
use crate::types::bitfield::{self, Action, Field, Operation, Overflow};
use crate::types::bitmap;
use crate::types::string::{self, string_entry};

const BAD_OFFSET: &str = "ERR bit offset is not an integer or out of range";
const BAD_BIT: &str = "ERR bit is not an integer or out of range";
const BAD_TYPE: &str =
    "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but i64 is.";

/// `GETBIT key offset`. Replies with the bit, 0 or 1; beyond the string's end it is 0.
pub fn getbit(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let offset = bit_offset(call, call.arg(2))?;
    let bit = match string_entry(txn.lookup_read(call.key(1))?)? {
        Some(entry) => bitmap::get(txn, &entry, offset)?,
        None => false,
    };
    Ok(Reply::Int(i64::from(bit)))
}

/// `SETBIT key offset value`. Replies with the bit that was there before.
pub fn setbit(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let offset = bit_offset(call, call.arg(2))?;
    let bit = match parse_i64(call.arg(3)) {
        Some(0) => false,
        Some(1) => true,
        _ => return Stop::error(BAD_BIT),
    };
    let key = call.key(1);
    let old = string_entry(txn.lookup(key)?)?;
    let was = bitmap::set(txn, key, old.as_ref(), offset, bit)?;
    Ok(Reply::Int(i64::from(was)))
}

/// An offset in bits, below the longest string's end.
fn bit_offset(call: &Call, arg: &[u8]) -> Result<u64> {
    check_offset(call, parse_i64(arg))
}

fn check_offset(call: &Call, offset: Option<i64>) -> Result<u64> {
    match offset.and_then(|offset| u64::try_from(offset).ok()) {
        Some(offset) if string::check_length(Some(offset / 8 + 1), call.limits.max_string).is_ok() => {
            Ok(offset)
        }
        _ => Stop::error(BAD_OFFSET),
    }
}

/// Whether an argument that says what a range counts says bits.
fn counts_bits(arg: &[u8]) -> Result<bool> {
    match arg {
        _ if is_option(arg, "BIT") => Ok(true),
        _ if is_option(arg, "BYTE") => Ok(false),
        _ => syntax_error(),
    }
}

/// The bits of a range in either unit.
fn bits_of(start: i64, end: i64, len: u64, in_bits: bool) -> Range<u64> {
    if in_bits {
        return clamp_range(start, end, len * 8);
    }
    let bytes = clamp_range(start, end, len);
    bytes.start.saturating_mul(8)..bytes.end * 8
}

/// Of a key that is not there, Redis 7 does not look at the arguments.
pub fn bitcount(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let Some(entry) = string_entry(txn.lookup_read(call.key(1))?)? else {
        return Ok(Reply::Int(0));
    };
    let len = string::len(&entry)?;
    let bits = match call.args.len() {
        2 => 0..len * 8,
        4 | 5 => {
            let (start, end) = (integer(call.arg(2))?, integer(call.arg(3))?);
            if is_crossed(start, end) {
                return Ok(Reply::Int(0));
            }
            let in_bits = call.args.get(4).map_or(Ok(false), counts_bits)?;
            bits_of(start, end, len, in_bits)
        }
        _ => return syntax_error(),
    };
    Ok(length(bitmap::count(txn, &entry, bits)?))
}

/// As with BITCOUNT, the range of a key that is not there is not looked at.
pub fn bitpos(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let bit = match integer(call.arg(2))? {
        0 => false,
        1 => true,
        _ => return Stop::error("ERR The bit argument must be 1 or 0."),
    };
    let Some(entry) = string_entry(txn.lookup_read(call.key(1))?)? else {
        return Ok(Reply::Int(if bit { -1 } else { 0 }));
    };
    let len = string::len(&entry)?;
    let args = call.args.len();
    let bits = match args {
        3 => 0..len * 8,
        4..=6 => {
            let start = integer(call.arg(3))?;
            let in_bits = call.args.get(5).map_or(Ok(false), counts_bits)?;
            let end = call.args.get(4).map_or(Ok(-1), integer)?;
            bits_of(start, end, len, in_bits)
        }
        _ => return syntax_error(),
    };
    if bits.is_empty() {
        return Ok(Reply::Int(-1));
    }
    Ok(match bitmap::find(txn, &entry, bit, bits)? {
        Some(position) => length(position),
        // Where no end is given, the string is followed by zeros without end.
        None if !bit && args <= 4 => length(len * 8),
        None => Reply::Int(-1),
    })
}

/// `BITOP operation destination key...`. Replies with the length in bytes of what was stored.
pub fn bitop(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let operation = match call.arg(1) {
        name if is_option(name, "AND") => bitmap::Operation::And,
        name if is_option(name, "OR") => bitmap::Operation::Or,
        name if is_option(name, "XOR") => bitmap::Operation::Xor,
        name if is_option(name, "NOT") => bitmap::Operation::Not,
        _ => return syntax_error(),
    };
    if operation == bitmap::Operation::Not && call.args.len() != 4 {
        return Stop::error("ERR BITOP NOT must be called with a single source key.");
    }
    prefetch_keys(txn, call, 2, 1)?;
    let sources = (3..call.args.len())
        .map(|i| string_entry(txn.lookup_read(call.key(i))?))
        .collect::<Result<Vec<_>>>()?;
    Ok(length(bitmap::combine(txn, call.key(2), operation, &sources)?))
}

/// `BITFIELD key operation...`. Replies with an array of an integer for each operation; null for one that OVERFLOW FAIL
/// refused.
pub fn bitfield(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let operations = operations(call)?;
    run_operations(txn, call, &operations)
}

/// `BITFIELD_RO key GET encoding offset...`. Replies as BITFIELD does; an error if an operation would write.
pub fn bitfield_ro(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let operations = operations(call)?;
    if operations.iter().any(|op| op.writes()) {
        return Stop::error("ERR BITFIELD_RO only supports the GET subcommand");
    }
    run_operations(txn, call, &operations)
}

fn run_operations(txn: &mut Txn, call: &Call, operations: &[Operation]) -> Result<Reply> {
    let key = call.key(1);
    let found = match operations.iter().any(|op| op.writes()) {
        true => txn.lookup(key)?,
        false => txn.lookup_read(key)?,
    };
    let old = string_entry(found)?;
    let answers = bitfield::run(txn, key, old.as_ref(), operations)?;
    let replies = answers
        .into_iter()
        .map(|answer| answer.map_or(Reply::Null, Reply::Int));
    Ok(Reply::Array(replies.collect()))
}

fn operations(call: &Call) -> Result<Vec<Operation>> {
    let mut operations = Vec::new();
    let mut overflow = Overflow::Wrap;
    let mut rest = call.args.skip(2);
    while let Some(name) = rest.get(0) {
        if is_option(name, "OVERFLOW")
            && let Some(rule) = rest.get(1)
        {
            overflow = overflow_rule(rule)?;
            rest = rest.skip(2);
            continue;
        }
        let (is_get, is_set) = (is_option(name, "GET"), is_option(name, "SET"));
        let needed = if is_get { 3 } else { 4 };
        if rest.len() < needed || !(is_get || is_set || is_option(name, "INCRBY")) {
            return syntax_error();
        }
        let field = field(call, &rest[1], &rest[2])?;
        let action = match is_get {
            true => Action::Get,
            false if is_set => Action::Set(integer(&rest[3])?),
            false => Action::IncrBy(integer(&rest[3])?),
        };
        operations.push(Operation {
            field,
            action,
            overflow,
        });
        rest = rest.skip(needed);
    }
    Ok(operations)
}

fn overflow_rule(arg: &[u8]) -> Result<Overflow> {
    match arg {
        _ if is_option(arg, "WRAP") => Ok(Overflow::Wrap),
        _ if is_option(arg, "SAT") => Ok(Overflow::Saturate),
        _ if is_option(arg, "FAIL") => Ok(Overflow::Fail),
        _ => Stop::error("ERR Invalid OVERFLOW type specified"),
    }
}

/// A type such as `i16` or `u8`, and an offset in bits or, behind a `#`, in fields of that type.
fn field(call: &Call, kind: &[u8], offset: &[u8]) -> Result<Field> {
    let (signed, width) = match kind {
        [b'i', width @ ..] => (true, width),
        [b'u', width @ ..] => (false, width),
        _ => return Stop::error(BAD_TYPE),
    };
    let widest = if signed { 64 } else { 63 };
    let width = match parse_i64(width) {
        Some(width) if (1..=widest).contains(&width) => width,
        _ => return Stop::error(BAD_TYPE),
    };
    let offset = match offset {
        [b'#', count @ ..] => parse_i64(count).and_then(|count| count.checked_mul(width)),
        bits => parse_i64(bits),
    };
    Ok(Field {
        signed,
        width: width as u32,
        offset: check_offset(call, offset)?,
    })
}
