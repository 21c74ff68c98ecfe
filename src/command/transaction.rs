//! WATCH: what of a transaction reads data. (The rest: `exec/transaction.rs`.)

use super::Call;
use crate::resp::Reply;
use crate::store::{Result, Txn};

/// WATCH key [key ...]: EXEC is to do nothing if one of these keys has changed by then.
pub fn watch(txn: &mut Txn, call: &Call) -> Result<Reply> {
    for at in 1..call.args.len() {
        txn.watch(call.client, call.key(at))?;
    }
    Ok(Reply::Ok)
}
