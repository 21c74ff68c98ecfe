//! DEBUG's helpers that look at data.

use super::Call;
use super::generic::encoding;
use crate::resp::Reply;
use crate::store::{Result, Stop, Txn};
use crate::types::value_footprint::footprint;

/// Redis's fields, for tests that look for them. Values have no address and no count of references here.
pub fn object(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let Some(entry) = txn.lookup(call.key(2))? else {
        return Stop::error("ERR no such key");
    };
    let (len, encoding) = (footprint(txn, &entry, 1)?.bytes, encoding(&entry));
    let kind = entry.header.kind;
    Ok(Reply::simple(format!(
        "Value at:0x0 refcount:1 encoding:{encoding} serializedlength:{len} lru:0 lru_seconds_idle:0 kind:{kind:?}"
    )))
}
