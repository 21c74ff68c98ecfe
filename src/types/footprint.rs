//! What a value takes: the number of its records and their bytes. Of a large collection both are estimates, from what its
//! own record says and from some of its other records.

use super::buckets::Buckets;
use super::list::List;
use super::stream;
use super::string;
use super::tree::Tree;
use crate::disk::cells::Reader;
use crate::disk::format::{Kind, SEGMENT};
use crate::store::{Entry, Result, Txn};

#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Footprint {
    pub records: u64,
    pub bytes: u64,
}

impl Footprint {
    pub fn of_record(record: &[u8]) -> Footprint {
        Footprint {
            records: 1,
            bytes: record.len() as u64,
        }
    }

    /// That of `all`, this being that of `sampled`.
    pub fn scaled(self, all: u64, sampled: u64) -> Footprint {
        let scaled = |n: u64| (u128::from(n) * u128::from(all) / u128::from(sampled.max(1))) as u64;
        Footprint {
            records: scaled(self.records),
            bytes: scaled(self.bytes),
        }
    }
}

impl std::ops::Add for Footprint {
    type Output = Footprint;

    fn add(self, other: Footprint) -> Footprint {
        Footprint {
            records: self.records + other.records,
            bytes: self.bytes + other.bytes,
        }
    }
}

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
        Kind::LargeSet => Buckets::read(&mut reader)?.footprint(txn, samples)?,
        Kind::LargeHash | Kind::LargeSortedSet => {
            let table = Buckets::read(&mut reader)?;
            let tree = Tree::decode(table.id(), &mut reader)?;
            table.footprint(txn, samples)? + tree.footprint(txn, samples)?
        }
        Kind::LargeList => List::of(Some(entry))?.footprint(txn, samples)?,
        Kind::Stream => match stream::open(Some(entry))? {
            Some(stream) => stream.footprint(txn, samples)?,
            None => Footprint::default(),
        },
    };
    Ok(Footprint::of_record(record) + others)
}

/// Places spread over `0..len`: at most so many.
pub fn spread(len: u64, samples: u64) -> impl Iterator<Item = u64> {
    let samples = samples.clamp(1, len.max(1)).min(len);
    (0..samples).map(move |n| (u128::from(len) * u128::from(n) / u128::from(samples)) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_spread_and_no_more_than_there_are() {
        let places = |len, samples| spread(len, samples).collect::<Vec<_>>();
        assert!(places(0, 5).is_empty());
        assert_eq!(places(2, 5), [0, 1]);
        assert_eq!(places(10, 0), [0]);
        assert_eq!(places(100, 4), [0, 25, 50, 75]);
        assert_eq!(places(u64::MAX, 2), [0, u64::MAX / 2]);
    }
}
