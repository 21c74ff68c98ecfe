//! What a key's value takes: the number of its records and their bytes. Of a large collection both are estimates, from
//! what its own record says and from some of its other records.

use super::buckets::Buckets;
use super::footprint::Footprint;
use super::list::List;
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
