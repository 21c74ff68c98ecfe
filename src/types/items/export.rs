//! All that a store holds, as it is in a view.

use super::show;
use crate::rdb::Item;
use crate::store::{Key, Result, Txn};
use crate::types::key_walk::{self, Selection};
use crate::types::libraries::Libraries;

/// Shows the libraries of functions, and all keys of so many databases that are not due. For a transaction over a view.
///
/// # Errors
/// Damage, or whatever `take` stops with.
pub fn export(txn: &mut Txn, databases: usize, take: &mut dyn FnMut(Item<'_>) -> Result<()>) -> Result<()> {
    for library in Libraries::read(txn)?.iter() {
        take(Item::Library(&library.code))?;
    }
    for db in 0..databases {
        let keys = txn.count_keys(db)?;
        if keys > 0 {
            take(Item::Database(db as u64))?;
            take(Item::Sizes { keys, expiring: 0 })?;
            key_walk::entries(txn, db, Selection::default(), |txn, name, entry| {
                show(txn, Key { db, name }, entry, take).map(drop)
            })?;
        }
    }
    Ok(())
}
