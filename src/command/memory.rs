//! MEMORY USAGE: what a key takes in memory when all of it is in the hot tier.

use super::{Call, NOT_AN_INTEGER, is_option, syntax_error};
use crate::base::num::parse_i64;
use crate::base::size::alloc_size;
use crate::resp::Reply;
use crate::store::{Result, Stop, Txn};
use crate::types::value_footprint::footprint;

/// Bytes that the hot tier adds to each record: its node, its place in the map, the counts in front of the bytes.
const RECORD_OVERHEAD: u64 = 128;
/// How many records are read of each part of a large collection, unless told.
const SAMPLES: u64 = 5;
/// ... and at most, also where Redis would read all.
const MAX_SAMPLES: u64 = 256;

/// `MEMORY USAGE key [SAMPLES count]`. Replies with a number of bytes, or null without a key.
pub fn usage(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let mut samples = SAMPLES;
    for at in (3..call.args.len()).step_by(2) {
        let (true, Some(count)) = (is_option(call.arg(at), "samples"), call.args.get(at + 1)) else {
            return syntax_error();
        };
        samples = match parse_i64(count).map(u64::try_from) {
            None => return Stop::error(NOT_AN_INTEGER),
            Some(Err(_)) => return syntax_error(),
            Some(Ok(0)) => MAX_SAMPLES,
            Some(Ok(count)) => count.min(MAX_SAMPLES),
        };
    }
    let key = call.key(2);
    let Some(entry) = txn.lookup(key)? else {
        return Ok(Reply::Null);
    };
    let value = footprint(txn, &entry, samples)?;
    let bytes = alloc_size(usize::try_from(value.bytes).unwrap_or(usize::MAX / 2)) as u64;
    let usage = RECORD_OVERHEAD * value.records + alloc_size(key.name.len()) as u64 + bytes;
    Ok(Reply::Int(usage as i64))
}
