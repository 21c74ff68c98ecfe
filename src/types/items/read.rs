//! From what a key holds to items. Over a view this takes memory for a piece at a time, whatever the size of the value.

use super::kind_of;
use crate::disk::format::Malformed;
use crate::rdb::{CellBuffer, Counters, Item, Key as ItemKey, Kind};
use crate::store::{Entry, Key, Result, Txn};
use crate::types::hash::Hash;
use crate::types::list::{List, Side};
use crate::types::set::Set;
use crate::types::sorted_set::SortedSet;
use crate::types::stream::{Group, Id, Order, Search, Span, Stream};
use crate::types::string;

/// How many entries of a stream, or of what is pending in a group, are looked up together.
const AT_A_TIME: u64 = 1024;

/// What takes items, and may stop their coming.
type Take<'t> = dyn FnMut(Item) -> Result<()> + 't;

/// Shows a key and its value, from [`Item::Key`] to [`Item::End`]; nothing of a hash all of whose fields are due, as it is not
/// there. Whether anything was shown. `entry` is what the key holds.
///
/// # Errors
/// A fault, damage, or whatever `take` stops with.
pub fn show(txn: &mut Txn, key: Key, entry: Entry, take: &mut Take) -> Result<bool> {
    let kind = kind_of(entry.header.kind);
    let head = Item::Key(ItemKey {
        database: key.db as u64,
        name: key.name,
        kind,
        deadline: entry.header.deadline,
        idle: None,
        frequency: None,
    });
    if kind == Kind::Hash {
        return show_hash(txn, head, entry, take);
    }
    take(head)?;
    match kind {
        Kind::String => take(Item::Text(&string::read(txn, &entry)?))?,
        Kind::List => {
            let list = List::open(Some(&entry))?;
            list.range(txn, 0..list.len(), Side::Left, |_, element| {
                take(Item::Element(element)).map(|()| true)
            })?;
        }
        Kind::Set => {
            if let Some(set) = Set::open(Some(entry))? {
                set.walk(txn, |member| take(Item::Element(member)))?;
            }
        }
        Kind::SortedSet => {
            if let Some(set) = SortedSet::open(Some(entry))? {
                set.range(txn, 0..set.len(), false, |member, score| {
                    take(Item::Scored {
                        member: &member,
                        score,
                    })
                    .map(|()| true)
                })?;
            }
        }
        Kind::Stream => {
            if let Some(stream) = Stream::open(Some(&entry))? {
                show_stream(txn, &stream, take)?;
            }
        }
        Kind::Hash => {}
    }
    take(Item::End)?;
    Ok(true)
}

fn show_hash(txn: &mut Txn, head: Item, entry: Entry, take: &mut Take) -> Result<bool> {
    let mut is_there = false;
    Hash::open(entry)?.walk_held(txn, |field, value, deadline| {
        if !std::mem::replace(&mut is_there, true) {
            take(head)?;
        }
        take(Item::Field {
            field,
            value,
            deadline,
        })
    })?;
    if is_there {
        take(Item::End)?;
    }
    Ok(is_there)
}

fn show_stream(txn: &mut Txn, stream: &Stream, take: &mut Take) -> Result<()> {
    let (mut from, mut cells) = (Some(Id::MIN), CellBuffer::default());
    while let Some(first) = from.take() {
        let span = Span {
            ids: first..=Id::MAX,
            order: Order::Forward,
            limit: AT_A_TIME,
        };
        let mut last = None;
        let shown = stream.range(txn, span, |_, entry| {
            cells.clear();
            for part in entry.parts() {
                cells.push(part?);
            }
            last = Some(entry.id);
            take(Item::Entry {
                id: entry.id.into(),
                cells: cells.cells(),
            })
        })?;
        if shown == AT_A_TIME {
            from = last.and_then(Id::next);
        }
    }
    take(Item::Counters(Counters {
        length: stream.length,
        added: stream.added,
        last: stream.last.into(),
        first: stream.first.into(),
        max_deleted: stream.max_deleted.into(),
    }))?;
    for (name, mut group) in stream.groups(txn)? {
        take(Item::Group {
            name: &name,
            last: group.last.into(),
            read: group.read,
        })?;
        show_group(txn, &mut group, take)?;
    }
    Ok(())
}

fn show_group(txn: &mut Txn, group: &mut Group, take: &mut Take) -> Result<()> {
    search_all(txn, group, None, |id, time, count| {
        take(Item::Pending {
            id: id.into(),
            time,
            count,
        })
    })?;
    for consumer in group.consumers(txn)? {
        take(Item::Consumer {
            name: &consumer.name,
            seen: consumer.seen,
            active: consumer.active,
        })?;
        let Some(at) = group.find(txn, &consumer.name)? else {
            return Err(Malformed("a consumer that its group does not find").into());
        };
        search_all(txn, group, Some(at), |id, _, _| take(Item::Owned(id.into())))?;
    }
    Ok(())
}

/// Shows all that is pending, or what a consumer has of it: IDs, when each was given last, and how often.
fn search_all(
    txn: &mut Txn,
    group: &Group,
    consumer: Option<usize>,
    mut visit: impl FnMut(Id, u64, u64) -> Result<()>,
) -> Result<()> {
    let mut from = Some(Id::MIN);
    while let Some(first) = from.take() {
        let search = Search {
            ids: first..=Id::MAX,
            consumer,
            given_by: None,
            limit: AT_A_TIME,
        };
        let found = group.search(txn, &search)?;
        for (id, delivery) in &found {
            visit(*id, delivery.time, delivery.count)?;
        }
        if found.len() as u64 == AT_A_TIME {
            from = found.last().and_then(|(id, _)| id.next());
        }
    }
    Ok(())
}
