//! Sets.
//!
//! ```text
//! body of a set       := 0 cell*                   the members as they came
//!                      | integers                  while all of them are: see `types/intset.rs`
//! body of a large set := state of a table          members with empty values: see `types/buckets.rs`
//! ```
//!
//! Which of the three a set is follows Redis, so OBJECT ENCODING says what it would there: integers until there are too
//! many or another member comes, a list until there are too many or one is too long, then a table. None ever returns to
//! an earlier encoding, unless a command makes the whole value anew.

mod draft;
mod write;

use std::collections::HashSet;
use std::hash::BuildHasher;

use foldhash::fast::RandomState;

use super::WRONG_TYPE;
use super::buckets::{Buckets, Want};
use super::intset::IntSet;
use super::string::Bytes;
use crate::base::num::parse_i64;
use crate::base::random::Selection;
use crate::disk::cells::{Cells, Reader, cell_len};
use crate::disk::format::{Kind, Malformed};
use crate::store::{Entry, Result, Stop, Txn};

pub use write::{add, copy, move_member, pop, pop_many, remove, replace, write_all};

/// What the body of a set that is a list begins with; a set of integers begins with their width.
const LIST: u8 = 0;

/// A set that a key holds, to be read.
pub struct Set {
    entry: Entry,
    encoding: Encoding,
}

/// How the members are kept.
enum Encoding {
    /// All of them integers, in order, in the key's record.
    Integers,
    /// As they came, in the key's record.
    List,
    /// In a table of pages.
    Table(Buckets),
}

impl Set {
    /// Refuses an entry that is there and holds no set.
    pub fn open(found: Option<Entry>) -> Result<Option<Set>> {
        let Some(entry) = found else { return Ok(None) };
        let encoding = match entry.header.kind {
            Kind::Set if entry.body().first() == Some(&LIST) => Encoding::List,
            Kind::Set => {
                IntSet::decode(entry.body())?;
                Encoding::Integers
            }
            Kind::LargeSet => Encoding::Table(Buckets::decode(&mut Reader(entry.body()))?),
            _ => return Stop::error(WRONG_TYPE),
        };
        Ok(Some(Set { entry, encoding }))
    }

    /// The key's own record.
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// The number of members: at least one.
    pub fn cardinality(&self) -> Result<u64> {
        Ok(match &self.encoding {
            Encoding::Integers => self.integers()?.len() as u64,
            Encoding::List => self.cells().count() as u64,
            Encoding::Table(table) => table.len(),
        })
    }

    fn integers(&self) -> Result<IntSet<'_>> {
        Ok(IntSet::decode(self.entry.body())?)
    }

    fn cells(&self) -> Cells<'_> {
        Cells(&self.entry.body()[1..])
    }

    /// Whether the member is there.
    pub fn contains(&self, txn: &mut Txn, member: &[u8]) -> Result<bool> {
        match &self.encoding {
            Encoding::Integers => match parse_i64(member) {
                Some(n) => Ok(self.integers()?.search(n).is_ok()),
                None => Ok(false),
            },
            Encoding::List => {
                for cell in self.cells() {
                    if cell? == member {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Encoding::Table(table) => table.contains(txn, member),
        }
    }

    /// As [`Set::contains`], for each of these, where no record has to be fetched.
    pub fn contains_each(&self, txn: &mut Txn, members: &[Vec<u8>]) -> Result<Vec<bool>> {
        match &self.encoding {
            Encoding::Table(table) => table.contains_each(txn, members),
            Encoding::Integers | Encoding::List => {
                members.iter().map(|member| self.contains(txn, member)).collect()
            }
        }
    }

    /// Notes what [`Set::contains`] will want. Says whether anything has to be fetched.
    pub fn prefetch(&self, txn: &mut Txn, member: &[u8]) -> bool {
        match &self.encoding {
            Encoding::Table(table) => table.prefetch(txn, member),
            Encoding::Integers | Encoding::List => false,
        }
    }

    /// Notes the records that are to be divided or become one with others when `come` members come, or `leave` of them leave.
    fn prefetch_moves(&self, txn: &mut Txn, come: u64, leave: u64) {
        if let Encoding::Table(table) = &self.encoding {
            table.prefetch_moves(txn, come, leave);
        }
    }

    /// Shows every member.
    pub fn walk(&self, txn: &mut Txn, mut visit: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        match &self.encoding {
            Encoding::Integers => {
                let mut digits = itoa::Buffer::new();
                self.integers()?
                    .iter()
                    .try_for_each(|n| visit(digits.format(n).as_bytes()))
            }
            Encoding::List => {
                for cell in self.cells() {
                    visit(cell?)?;
                }
                Ok(())
            }
            Encoding::Table(table) => table.walk(txn, Want::Members, |member, _| visit(member)),
        }
    }

    /// Every member.
    pub fn members(&self, txn: &mut Txn) -> Result<Vec<Bytes>> {
        if let Encoding::List = self.encoding {
            return self.list().collect();
        }
        let (mut members, mut room) = (Vec::new(), txn.allowance);
        self.walk(txn, |member| {
            room.take(size_of::<Bytes>() + member.len())?;
            members.push(Bytes::Owned(member.to_vec()));
            Ok(())
        })?;
        txn.allowance = room;
        Ok(members)
    }

    /// The members of a list, in the record that they are in.
    fn list(&self) -> impl Iterator<Item = Result<Bytes>> {
        let (record, body) = self.entry.shared();
        let mut at = body + 1;
        self.cells().map(move |cell| {
            let len = cell?.len();
            let end = at + cell_len(len);
            at = end;
            Ok(Bytes::Shared(record.clone(), end - len..end))
        })
    }

    /// Shows about `count` members or some more, from `start` on, and says where the next ones begin: in the order in which
    /// they lie on disk, for a body over a view.
    pub fn part(
        &self,
        txn: &mut Txn,
        start: u32,
        count: usize,
        mut visit: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<Option<u32>> {
        match &self.encoding {
            Encoding::Table(table) => table.part(txn, start, count, |member, _| visit(member)),
            Encoding::Integers | Encoding::List => self.walk(txn, visit).map(|()| None),
        }
    }

    /// Shows about `count` members from `cursor` on, and returns where to go on: 0 at the end. A small set is shown whole.
    pub fn scan(
        &self,
        txn: &mut Txn,
        cursor: u64,
        count: usize,
        mut visit: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<u64> {
        match &self.encoding {
            Encoding::Table(table) => {
                table.scan(txn, cursor, count, Want::Members, |member, _| visit(member))
            }
            Encoding::Integers | Encoding::List => self.walk(txn, visit).map(|()| 0),
        }
    }

    /// A member, all being about equally likely.
    pub fn random(&self, txn: &mut Txn) -> Result<Bytes> {
        match &self.encoding {
            Encoding::Table(table) => table.random_member(txn),
            Encoding::Integers => {
                let integers = self.integers()?;
                let n = integers.at(txn.random.below(integers.len() as u64) as usize);
                Ok(Bytes::Owned(digits(n)))
            }
            Encoding::List => {
                let rank = txn.random.below(self.cardinality()?) as usize;
                match self.list().nth(rank) {
                    Some(member) => Ok(member?),
                    None => Err(Stop::from(Malformed("a set without members"))),
                }
            }
        }
    }

    /// Where `count` members can be drawn from, each independently of the others.
    pub fn draws(&self, txn: &mut Txn, count: u64) -> Result<Draws<'_>> {
        if let Encoding::Table(table) = &self.encoding {
            table.fetch_random(txn, usize::try_from(count).unwrap_or(usize::MAX))?;
            return Ok(Draws::Table(table));
        }
        self.members(txn).map(Draws::All)
    }

    /// Shows `count` different members, or all if there are fewer.
    pub fn sample(
        &self,
        txn: &mut Txn,
        count: u64,
        mut visit: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let len = self.cardinality()?;
        if count >= len {
            return self.walk(txn, visit);
        }
        if let Encoding::Table(table) = &self.encoding
            && count < (len / SCARCE).min(MOST_DRAWN)
        {
            table.fetch_random(txn, count as usize)?;
            let drawn = draw_distinct(table, txn, count as usize)?;
            return drawn.iter().try_for_each(|member| visit(member));
        }
        let (mut selection, mut random) = (Selection::new(count, len), txn.random.clone());
        let result = self.walk(txn, |member| match selection.takes_next(&mut random) {
            true => visit(member),
            false => Ok(()),
        });
        txn.random = random;
        result
    }
}

/// What members are drawn from.
pub enum Draws<'s> {
    /// Of a large set.
    Table(&'s Buckets),
    /// Of a small set.
    All(Vec<Bytes>),
}

impl Draws<'_> {
    /// A member, all being about equally likely.
    pub fn draw(&self, txn: &mut Txn) -> Result<Bytes> {
        match self {
            Draws::Table(table) => table.random_member(txn),
            Draws::All(members) => Ok(members[txn.random.below(members.len() as u64) as usize].clone()),
        }
    }
}

/// Up to this part of the members, and up to so many, they are drawn until enough different ones came; above it, all are
/// gone through.
const SCARCE: u64 = 3;
const MOST_DRAWN: u64 = 1 << 14;

fn draw_distinct(table: &Buckets, txn: &mut Txn, count: usize) -> Result<Vec<Bytes>> {
    // Where two members have one hash, it is as if the other had been drawn before.
    let hashes = RandomState::default();
    let mut seen: HashSet<u64, RandomState> = HashSet::default();
    let mut drawn = Vec::with_capacity(count);
    while drawn.len() < count {
        let member = table.random_member(txn)?;
        if seen.insert(hashes.hash_one(&member[..])) {
            drawn.push(member);
        }
    }
    Ok(drawn)
}

fn digits(n: i64) -> Vec<u8> {
    itoa::Buffer::new().format(n).as_bytes().to_vec()
}

/// What OBJECT ENCODING says of a set that is not large.
pub fn small_encoding(entry: &Entry) -> &'static str {
    match entry.body().first() {
        Some(&LIST) => "listpack",
        _ => "intset",
    }
}
