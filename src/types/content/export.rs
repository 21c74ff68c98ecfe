//! All that a store holds, as it is in a view.

use super::{kind_of, show};
use crate::disk::format::{Family, namespace_prefix, prefix_end};
use crate::rdb::{Item, Key};
use crate::store::{Entry, Result, Stop, Txn, Value};
use crate::types::libraries::Libraries;

/// Shows the libraries of functions, and all keys of so many databases that are not due, by namespace and name. For a
/// transaction over a view.
pub fn export(txn: &mut Txn, databases: usize, take: &mut dyn FnMut(Item<'_>) -> Result<()>) -> Result<()> {
    for library in Libraries::read(txn)?.iter() {
        take(Item::Library(&library.code))?;
    }
    (0..databases).try_for_each(|database| export_database(txn, database, take))
}

fn export_database(
    txn: &mut Txn,
    database: usize,
    take: &mut dyn FnMut(Item<'_>) -> Result<()>,
) -> Result<()> {
    let Some(view) = txn.view() else {
        return Stop::error("ERR what a store holds is shown over a view only");
    };
    let keys = txn.count_keys(database)?;
    if keys == 0 {
        return Ok(());
    }
    let number = database as u64;
    take(Item::Database(number))?;
    let mut namespaces = txn.namespaces(view, database, 0)?;
    let mut expiring = 0;
    while let Some((_, namespace)) = namespaces.next_one()? {
        expiring += namespace.expires;
    }
    take(Item::Sizes { keys, expiring })?;
    let mut namespaces = txn.namespaces(view, database, 0)?;
    while let Some((_, namespace)) = namespaces.next_one()? {
        let prefix = namespace_prefix(namespace.id);
        let mut walk = view.walk(Family::Meta, &prefix, prefix_end(&prefix).as_deref())?;
        while let Some((key, record)) = walk.next_record()? {
            let entry = Entry::decode(Value::from(record))?;
            let deadline = entry.header.deadline;
            if deadline.is_some_and(|deadline| deadline <= txn.now) {
                continue;
            }
            take(Item::Key(Key {
                database: number,
                name: &key[prefix.len()..],
                kind: kind_of(&entry),
                deadline,
                idle: None,
                frequency: None,
            }))?;
            show(txn, &entry, take)?;
            take(Item::End)?;
        }
    }
    Ok(())
}
