//! Every value, read as who asks for it would: what is damaged within is named by its key.

use std::path::Path;

use super::Report;
use crate::base::clock::unix_ms;
use crate::disk::format::Family;
use crate::rdb::{Item, Kind};
use crate::store::{Entry, Key, Reader, Stop, Txn};
use crate::types::items::{self, kind_of};
use crate::types::key_walk::{self, Selection};
use crate::types::value_footprint::elements;

/// Reads all values that are there.
///
/// # Errors
/// The store cannot be opened, or its keys cannot be walked over.
pub fn check(dir: &Path, report: &mut Report) -> Result<(), String> {
    let reader = Reader::open(dir, &super::options()).map_err(|e| e.to_string())?;
    let mut faults = Vec::new();
    for db in 0..reader.databases() {
        let walked = reader.read(unix_ms(), |txn| {
            key_walk::entries(txn, db, Selection::default(), |txn, name, entry| {
                let kind = kind_of(entry.header.kind);
                if let Err(what) = check_value(txn, Key { db, name }, entry) {
                    let (kind, name) = (kind.name(), name.escape_ascii());
                    faults.push(format!(
                        "db{db} key {name}: its {kind} cannot be read whole: {what}"
                    ));
                }
                Ok(())
            })
        });
        if let Err(stop) = walked {
            faults.push(format!("db{db}: its keys cannot all be read: {}", text_of(stop)));
        }
    }
    // What was found before says the same of a key's own record.
    faults.retain(|fault| !report.faults.contains(fault));
    report.faults.append(&mut faults);
    Ok(())
}

fn check_value(txn: &mut Txn, key: Key, entry: Entry) -> Result<(), String> {
    let counted = elements(&entry).map_err(text_of)?;
    let is_hash = kind_of(entry.header.kind) == Kind::Hash;
    let (mut found, mut last) = (0, None);
    let mut in_order = true;
    items::show(txn, key, entry, &mut |item| {
        match item {
            Item::Text(_) | Item::Element(_) | Item::Field { .. } | Item::Scored { .. } => found += 1,
            Item::Entry { id, .. } => {
                found += 1;
                in_order &= last.replace(id).is_none_or(|last| last < id);
            }
            _ => {}
        }
        Ok(())
    })
    .map_err(text_of)?;
    if !in_order {
        return Err("its entries are not in order".to_owned());
    }
    // Fields that are due are counted until they are deleted, and not shown.
    match found == counted || (is_hash && found < counted) {
        true => Ok(()),
        false => Err(format!("it counts {counted} elements, and has {found}")),
    }
}

fn text_of(stop: Stop) -> String {
    match stop {
        Stop::Error(text) => text.into_owned(),
        Stop::Damage(damage) => match damage.record {
            Some(record) => format!(
                "{} (record {} of family {})",
                damage.text,
                record.key().escape_ascii(),
                Family::name(record.family())
            ),
            None => damage.text,
        },
        stop @ (Stop::Fault | Stop::NeedsView | Stop::Await(_)) => format!("a body ends with {stop:?}"),
    }
}
