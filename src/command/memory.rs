//! MEMORY USAGE: what a key takes in memory when all of it is in the hot tier.

use super::{Call, is_option, syntax_error};
use crate::base::num::parse_i64;
use crate::base::size::alloc_size;
use crate::resp::Reply;
use crate::store::{Result, Stop, Txn};
use crate::types::string;

/// Bytes that the hot tier adds to each record: its node, its place in the map, the counts in front of the bytes.
const RECORD_OVERHEAD: usize = 128;

pub fn usage(txn: &mut Txn, call: &Call) -> Result<Reply> {
    match (call.args.get(3), call.args.get(4)) {
        (None, _) => {}
        // Sizes are known exactly, so there is nothing to sample.
        (Some(option), Some(count)) if is_option(option, "samples") && call.args.len() == 5 => {
            match parse_i64(count) {
                Some(0..) => {}
                Some(_) => return syntax_error(),
                None => return Stop::error("ERR value is not an integer or out of range"),
            }
        }
        _ => return syntax_error(),
    }
    let key = call.key(2);
    let Some(entry) = txn.lookup(key)? else {
        return Ok(Reply::Null);
    };
    let (record, _) = entry.shared();
    let value = (string::len(&entry)? as usize).max(record.len());
    let usage = RECORD_OVERHEAD + alloc_size(key.name.len()) + alloc_size(value);
    Ok(Reply::Int(usage as i64))
}
