//! Commands over strings.

use super::Call;
use crate::resp::{Blob, Reply};
use crate::store::{Result, Txn};
use crate::types::string::{self, Bytes};

pub fn get(txn: &mut Txn, call: &Call) -> Result<Reply> {
    match txn.lookup_read(call.key(1))? {
        Some(entry) => Ok(bulk(string::read(txn, &entry)?)),
        None => Ok(Reply::Null),
    }
}

pub fn set(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let key = call.key(1);
    let old = txn.lookup(key)?;
    string::set(txn, key, old.as_ref(), call.arg(2), None)?;
    Ok(Reply::Ok)
}

fn bulk(bytes: Bytes) -> Reply {
    Reply::Bulk(match bytes {
        Bytes::Shared(value, range) => Blob::shared(value.share(), range),
        Bytes::Owned(bytes) => Blob::from(bytes),
    })
}
