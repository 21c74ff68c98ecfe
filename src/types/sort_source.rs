//! What SORT reads: the elements of a key, and what patterns find for them.

use std::ops::Range;

use super::WRONG_TYPE;
use super::hash::{self, Hash};
use super::list::{List, Side};
use super::set::Set;
use super::sort::Pattern;
use super::sorted_set::{Purpose, SortedSet};
use super::string::{self, Bytes};
use super::together::together;
use crate::disk::format::Kind;
use crate::store::{Entry, Key, Result, Stop, Txn};

/// A key that can be sorted.
pub enum Source {
    /// No key, which is as good as an empty list.
    Nothing,
    /// The entry of a list.
    List(Entry),
    /// Its members, in no order.
    Set(Set),
    /// Its members, by score.
    SortedSet(SortedSet),
}

impl Source {
    /// Refuses an entry that is there and holds nothing that can be sorted.
    pub fn open(found: Option<Entry>) -> Result<Source> {
        let Some(entry) = found else {
            return Ok(Source::Nothing);
        };
        match entry.header.kind {
            Kind::List | Kind::LargeList => Ok(Source::List(entry)),
            Kind::Set | Kind::LargeSet => {
                Set::open(Some(entry)).map(|set| set.map_or(Source::Nothing, Source::Set))
            }
            Kind::SortedSet | Kind::LargeSortedSet => {
                SortedSet::open(Some(entry)).map(|set| set.map_or(Source::Nothing, Source::SortedSet))
            }
            Kind::String
            | Kind::LongString
            | Kind::Hash
            | Kind::ExpiringHash
            | Kind::LargeHash
            | Kind::Stream => Stop::error(WRONG_TYPE),
        }
    }

    /// The number of elements.
    pub fn count(&self) -> Result<usize> {
        let len = match self {
            Source::Nothing => 0,
            Source::List(entry) => List::open(Some(entry))?.len(),
            Source::Set(set) => set.cardinality()?,
            Source::SortedSet(set) => set.len(),
        };
        usize::try_from(len).map_or_else(|_| Stop::error("ERR too many elements to sort"), Ok)
    }

    /// The elements with these numbers in the key's own order, or from its end if it is `reversed`. A set has an order
    /// that nobody chose, and no other.
    pub fn elements(
        &self,
        txn: &mut Txn,
        range: Range<usize>,
        reversed: bool,
        purpose: Purpose,
    ) -> Result<Vec<Bytes>> {
        let len = self.count()?;
        let mut room = txn.allowance;
        room.take(range.len().saturating_mul(size_of::<Bytes>()))?;
        let mut elements = Vec::with_capacity(range.len());
        let ranks = match reversed {
            false => range.start as u64..range.end as u64,
            true => (len - range.end) as u64..(len - range.start) as u64,
        };
        match self {
            Source::Nothing => {}
            Source::List(entry) => {
                let from = if reversed { Side::Right } else { Side::Left };
                let show = |_, element: &[u8]| {
                    room.take(element.len())?;
                    elements.push(Bytes::Owned(element.to_vec()));
                    Ok(true)
                };
                let list = List::open(Some(entry))?;
                match purpose {
                    Purpose::Read => list.range(txn, ranks, from, show)?,
                    Purpose::Write => list.range_to_write(txn, ranks, from, show)?,
                }
            }
            Source::Set(set) => {
                if purpose == Purpose::Write {
                    set.fetch_all(txn)?;
                }
                txn.allowance = room;
                let mut members = set.members(txn)?;
                room = txn.allowance;
                members.truncate(range.end);
                elements = members.split_off(range.start);
            }
            Source::SortedSet(set) => set.range(txn, ranks, reversed, purpose, |member, _| {
                room.take(member.len())?;
                elements.push(member.to_bytes());
                Ok(true)
            })?,
        }
        txn.allowance = room;
        Ok(elements)
    }
}

/// What a pattern finds for an element.
pub struct Wanted<'a> {
    /// Where to look.
    pub pattern: Pattern<'a>,
    /// What takes the star's place.
    pub element: &'a [u8],
}

/// What it takes in memory to look for one of them, beside what is found.
const FOUND: usize = size_of::<Option<Entry>>() + size_of::<Option<Bytes>>();

/// What the patterns find in this database. All that is cold is asked for together.
pub fn values(txn: &mut Txn, db: usize, wanted: &[Wanted], purpose: Purpose) -> Result<Vec<Option<Bytes>>> {
    let writes = purpose == Purpose::Write;
    txn.allowance.take(wanted.len().saturating_mul(FOUND))?;
    let entries = together(txn, writes, wanted, |txn, wanted| {
        let Some(name) = wanted.pattern.key(wanted.element) else {
            return Ok(None);
        };
        txn.lookup_read(Key { db, name: &name })
    })?;
    let pairs = wanted.iter().zip(&entries);
    together(txn, writes, pairs, |txn, (wanted, entry)| {
        if let Some(entry) = entry
            && string::is_string(entry.header.kind)
        {
            txn.allowance
                .take(usize::try_from(string::len(entry)?).unwrap_or(usize::MAX))?;
        }
        value_in(txn, wanted, entry.as_ref())
    })
}

/// What one pattern finds, for a body over a view.
pub fn value(txn: &mut Txn, db: usize, wanted: &Wanted) -> Result<Option<Bytes>> {
    let entry = match wanted.pattern.key(wanted.element) {
        Some(name) => txn.lookup_read(Key { db, name: &name })?,
        None => None,
    };
    value_in(txn, wanted, entry.as_ref())
}

/// What a pattern finds in the key that it names, if that is there.
fn value_in(txn: &mut Txn, wanted: &Wanted, entry: Option<&Entry>) -> Result<Option<Bytes>> {
    match (wanted.pattern, entry) {
        (Pattern::Element, _) => Ok(Some(Bytes::Owned(wanted.element.to_vec()))),
        (Pattern::Key { field: None, .. }, Some(entry)) if string::is_string(entry.header.kind) => {
            string::read(txn, entry).map(Some)
        }
        (
            Pattern::Key {
                field: Some(field), ..
            },
            Some(entry),
        ) if hash::is_hash(entry.header.kind) => {
            let held = Hash::open(entry.clone())?.get(txn, field)?;
            Ok(held.map(|held| held.value))
        }
        _ => Ok(None),
    }
}
