//! What a key's value takes: the number of its records and their bytes. Of a large collection both are estimates, from
//! what its own record says and from some of its other records.

use super::buckets::Buckets;
use super::footprint::Footprint;
use super::hash::Hash;
use super::list::List;
use super::set::Set;
use super::sorted_set::SortedSet;
use super::stream::Stream;
use super::string;
use super::tree::Tree;
use crate::disk::cells::Reader;
use crate::disk::format::{Kind, SEGMENT};
use crate::store::{Entry, Result, Txn};

/// What a key's value takes, `samples` records being read for each part of it whose size nothing tells.
pub fn footprint(txn: &mut Txn, entry: &Entry, samples: u64) -> Result<Footprint> {
    let (record, _) = entry.shared();
    let mut reader = Reader(entry.body());
    let others = match entry.header.kind {
        Kind::String | Kind::Hash | Kind::ExpiringHash | Kind::List | Kind::Set | Kind::SortedSet => {
            Footprint::default()
        }
        Kind::LongString => {
            let bytes = string::len(entry)?;
            Footprint {
                records: bytes.div_ceil(SEGMENT as u64),
                bytes,
            }
        }
        Kind::LargeSet => Buckets::decode(&mut reader)?.footprint(txn, samples)?,
        Kind::LargeHash | Kind::LargeSortedSet => {
            let table = Buckets::decode(&mut reader)?;
            let tree = Tree::decode(table.id(), &mut reader)?;
            table.footprint(txn, samples)? + tree.footprint(txn, samples)?
        }
        Kind::LargeList => List::open(Some(entry))?.footprint(txn, samples)?,
        Kind::Stream => match Stream::open(Some(entry))? {
            Some(stream) => stream.footprint(txn, samples)?,
            None => Footprint::default(),
        },
    };
    Ok(Footprint::of_record(record) + others)
}

/// How many elements a value has, fields of a hash that are due among them; a string is one. Its own record says it.
pub fn elements(entry: &Entry) -> Result<u64> {
    Ok(match entry.header.kind {
        Kind::String | Kind::LongString => 1,
        Kind::List | Kind::LargeList => List::open(Some(entry))?.len(),
        Kind::Hash | Kind::ExpiringHash | Kind::LargeHash => Hash::open(entry.clone())?.len(),
        Kind::Set | Kind::LargeSet => {
            Set::open(Some(entry.clone()))?.map_or(Ok(0), |set| set.cardinality())?
        }
        Kind::SortedSet | Kind::LargeSortedSet => {
            SortedSet::open(Some(entry.clone()))?.map_or(0, |set| set.len())
        }
        Kind::Stream => Stream::open(Some(entry))?.map_or(0, |stream| stream.length),
    })
}
