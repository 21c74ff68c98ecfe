//! Shows values piece by piece.

use super::id_there;
use crate::disk::format;
use crate::rdb::{CellBuffer, Counters, Item, Kind};
use crate::store::{Entry, Result, Txn};
use crate::types::hash::Hash;
use crate::types::list::{List, Side};
use crate::types::set::Set;
use crate::types::sorted_set::SortedSet;
use crate::types::stream::{Id, Order, Span, Stream};
use crate::types::string;

/// How many entries of a stream are looked up together.
const ENTRIES: u64 = 1024;

/// What kind of value an entry's is.
pub fn kind_of(entry: &Entry) -> Kind {
    use format::Kind as Here;
    match entry.header.kind {
        Here::String | Here::LongString => Kind::String,
        Here::List | Here::LargeList => Kind::List,
        Here::Set | Here::LargeSet => Kind::Set,
        Here::Hash | Here::ExpiringHash | Here::LargeHash => Kind::Hash,
        Here::SortedSet | Here::LargeSortedSet => Kind::SortedSet,
        Here::Stream => Kind::Stream,
    }
}

/// Shows all pieces of an entry's value, between what would be its [`Item::Key`] and its [`Item::End`]. Fields that are due
/// are not there.
pub fn show(txn: &mut Txn, entry: &Entry, take: &mut dyn FnMut(Item<'_>) -> Result<()>) -> Result<()> {
    match kind_of(entry) {
        Kind::String => take(Item::Text(&string::read(txn, entry)?)),
        Kind::List => {
            let list = List::open(Some(entry))?;
            list.range(txn, 0..list.len(), Side::Left, |_, element| {
                take(Item::Element(element))?;
                Ok(true)
            })
        }
        Kind::Set => match Set::open(Some(entry.clone()))? {
            Some(set) => set.walk(txn, |member| take(Item::Element(member))),
            None => Ok(()),
        },
        Kind::Hash => Hash::open(entry.clone())?.walk_held(txn, |field, value, deadline| {
            take(Item::Field {
                field,
                value,
                deadline,
            })
        }),
        Kind::SortedSet => match SortedSet::open(Some(entry.clone()))? {
            Some(set) => set.range(txn, 0..set.len(), false, |member, score| {
                take(Item::Scored {
                    member: &member,
                    score,
                })?;
                Ok(true)
            }),
            None => Ok(()),
        },
        Kind::Stream => match Stream::open(Some(entry))? {
            Some(stream) => show_stream(txn, &stream, take),
            None => Ok(()),
        },
    }
}

fn show_stream(txn: &mut Txn, stream: &Stream, take: &mut dyn FnMut(Item<'_>) -> Result<()>) -> Result<()> {
    let (mut from, mut cells) = (Some(Id::MIN), CellBuffer::default());
    while let Some(first) = from.take() {
        let span = Span {
            ids: first..=Id::MAX,
            order: Order::Forward,
            limit: ENTRIES,
        };
        let mut last = first;
        let shown = stream.range(txn, span, |_, entry| {
            cells.clear();
            for part in entry.parts() {
                cells.push(part?);
            }
            last = entry.id;
            take(Item::Entry {
                id: id_there(entry.id),
                cells: cells.cells(),
            })
        })?;
        from = last.next().filter(|_| shown == ENTRIES);
    }
    take(Item::Counters(Counters {
        length: stream.length,
        added: stream.added,
        last: id_there(stream.last),
        first: id_there(stream.first),
        max_deleted: id_there(stream.max_deleted),
    }))?;
    for (name, group) in stream.groups(txn)? {
        take(Item::Group {
            name: &name,
            last: id_there(group.last),
            read: group.read,
        })?;
        group.each_pending(txn, |id, delivery| {
            take(Item::Pending {
                id: id_there(id),
                time: delivery.time,
                count: delivery.count,
            })
        })?;
        for consumer in group.consumers(txn)? {
            take(Item::Consumer {
                name: &consumer.name,
                seen: consumer.seen,
                active: consumer.active,
            })?;
            consumer.each_pending(txn, |id| take(Item::Owned(id_there(id))))?;
        }
    }
    Ok(())
}
