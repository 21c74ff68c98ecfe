//! Commands over whole databases: each O(1), however many keys there are.

use super::{Call, is_option, syntax_error};
use crate::base::num::parse_i64;
use crate::resp::Reply;
use crate::store::{Effect, Result, Stop, Txn};
use crate::types::keys;

/// `DBSIZE`. Replies with the number of keys in the selected database.
pub fn dbsize(txn: &mut Txn, call: &Call) -> Result<Reply> {
    Ok(Reply::Int(txn.count_keys(call.db)? as i64))
}

/// `FLUSHDB [ASYNC|SYNC]`. Drops all keys of the selected database, and replies OK.
pub fn flushdb(txn: &mut Txn, call: &Call) -> Result<Reply> {
    check_flush_mode(call)?;
    txn.flush_database(call.db)?;
    txn.cause(Effect::KeysReplaced);
    Ok(Reply::Ok)
}

/// `FLUSHALL [ASYNC|SYNC]`. Drops all keys of all databases, and replies OK.
pub fn flushall(txn: &mut Txn, call: &Call) -> Result<Reply> {
    check_flush_mode(call)?;
    for number in 0..call.limits.databases {
        txn.flush_database(number)?;
    }
    txn.cause(Effect::KeysReplaced);
    Ok(Reply::Ok)
}

/// ASYNC and SYNC are the same: space is always reclaimed in the background.
fn check_flush_mode(call: &Call) -> Result<()> {
    match call.args.len() {
        1 => Ok(()),
        2 if is_option(call.arg(1), "async") || is_option(call.arg(1), "sync") => Ok(()),
        _ => syntax_error(),
    }
}

/// `SWAPDB first second`. Exchanges what two databases hold, and replies OK.
pub fn swapdb(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let first = swapped_number(call.arg(1), "ERR invalid first DB index")?;
    let second = swapped_number(call.arg(2), "ERR invalid second DB index")?;
    let first = keys::check_database(first, call.limits.databases)?;
    let second = keys::check_database(second, call.limits.databases)?;
    if first != second {
        txn.swap_databases(first, second)?;
        txn.cause(Effect::KeysReplaced);
    }
    Ok(Reply::Ok)
}

fn swapped_number(arg: &[u8], error: &'static str) -> Result<i64> {
    match parse_i64(arg).filter(|&number| i32::try_from(number).is_ok()) {
        Some(number) => Ok(number),
        None => Stop::error(error),
    }
}
