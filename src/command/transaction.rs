//! WATCH: what of a transaction reads data. (The rest: `exec/transaction.rs`.)

use super::Call;
use crate::resp::Reply;
use crate::store::{Result, Txn};
use crate::types::keys;

/// WATCH key [key ...]: EXEC is to do nothing if one of these keys has changed by then.
pub fn watch(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let keys = || (1..call.args.len()).map(|at| call.key(at));
    keys::prefetch(txn, keys())?;
    for key in keys() {
        txn.watch(call.client, key)?;
    }
    Ok(Reply::Ok)
}
