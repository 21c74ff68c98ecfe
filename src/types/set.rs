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
//! an earlier form, unless a command makes the whole value anew.

use std::collections::HashSet;
use std::hash::BuildHasher;
use std::ops::{Deref, Range};

use foldhash::fast::RandomState;

use super::WRONG_TYPE;
use super::buckets::{Buckets, STATE_BYTES, Want};
use super::intset::IntSet;
use super::string::Bytes;
use super::thresholds::Thresholds;
use crate::base::num::parse_i64;
use crate::base::random::{Random, Selection};
use crate::disk::cells::{Cells, Reader, cell_len, push_cell};
use crate::disk::format::{Header, Kind, Malformed};
use crate::store::{Entry, Key, Result, Stop, Txn};

/// What the body of a set that is a list begins with; a set of integers begins with their width.
const LIST: u8 = 0;

/// A set that a key holds, to be read.
pub struct Set {
    entry: Entry,
    form: Form,
}

enum Form {
    Integers,
    List,
    Table(Buckets),
}

impl Set {
    /// Refuses an entry that is there and holds no set.
    pub fn open(found: Option<Entry>) -> Result<Option<Set>> {
        let Some(entry) = found else { return Ok(None) };
        let form = match entry.header.kind {
            Kind::Set if entry.body().first() == Some(&LIST) => Form::List,
            Kind::Set => {
                IntSet::decode(entry.body())?;
                Form::Integers
            }
            Kind::LargeSet => Form::Table(Buckets::decode(entry.body())?),
            _ => return Stop::error(WRONG_TYPE),
        };
        Ok(Some(Set { entry, form }))
    }

    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// The number of members: at least one.
    pub fn cardinality(&self) -> Result<u64> {
        Ok(match &self.form {
            Form::Integers => self.integers()?.len() as u64,
            Form::List => self.cells().count() as u64,
            Form::Table(table) => table.len(),
        })
    }

    fn integers(&self) -> Result<IntSet<'_>> {
        Ok(IntSet::decode(self.entry.body())?)
    }

    fn cells(&self) -> Cells<'_> {
        Cells(&self.entry.body()[1..])
    }

    pub fn contains(&self, txn: &mut Txn, member: &[u8]) -> Result<bool> {
        match &self.form {
            Form::Integers => match parse_i64(member) {
                Some(n) => Ok(self.integers()?.search(n).is_ok()),
                None => Ok(false),
            },
            Form::List => {
                for cell in self.cells() {
                    if cell? == member {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
            Form::Table(table) => table.contains(txn, member),
        }
    }

    /// As [`Set::contains`], for each of these, where no record has to be fetched.
    pub fn contains_each(&self, txn: &mut Txn, members: &[Vec<u8>]) -> Result<Vec<bool>> {
        match &self.form {
            Form::Table(table) => table.contains_each(txn, members),
            Form::Integers | Form::List => members.iter().map(|member| self.contains(txn, member)).collect(),
        }
    }

    /// Notes what [`Set::contains`] will want. Says whether anything has to be fetched.
    pub fn prefetch(&self, txn: &mut Txn, member: &[u8]) -> bool {
        match &self.form {
            Form::Table(table) => table.prefetch(txn, member),
            Form::Integers | Form::List => false,
        }
    }

    /// Notes the records that are to be divided or become one with others when so many members come, or leave.
    fn prefetch_moves(&self, txn: &mut Txn, come: u64, leave: u64) {
        if let Form::Table(table) = &self.form {
            table.prefetch_moves(txn, come, leave);
        }
    }

    /// For a command that also writes: waits until [`Set::for_each`] finds all that it reads in memory.
    pub fn fetch_all(&self, txn: &mut Txn) -> Result<()> {
        match &self.form {
            Form::Table(table) => table.fetch_all(txn, Want::Members),
            Form::Integers | Form::List => Ok(()),
        }
    }

    /// Shows every member. A command that only reads runs over a view if much of the set is cold; one that also writes
    /// calls [`Set::fetch_all`] before.
    pub fn for_each(&self, txn: &mut Txn, mut visit: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        match &self.form {
            Form::Integers => {
                let mut digits = itoa::Buffer::new();
                self.integers()?
                    .iter()
                    .try_for_each(|n| visit(digits.format(n).as_bytes()))
            }
            Form::List => {
                for cell in self.cells() {
                    visit(cell?)?;
                }
                Ok(())
            }
            Form::Table(table) => table.for_each(txn, Want::Members, |member, _| visit(member)),
        }
    }

    /// Every member. As to what is cold, see [`Set::for_each`].
    pub fn members(&self, txn: &mut Txn) -> Result<Vec<Bytes>> {
        if let Form::List = self.form {
            return self.list().collect();
        }
        let (mut members, mut room) = (Vec::new(), txn.allowance);
        self.for_each(txn, |member| {
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
        match &self.form {
            Form::Table(table) => table.part(txn, start, count, |member, _| visit(member)),
            Form::Integers | Form::List => self.for_each(txn, visit).map(|()| None),
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
        match &self.form {
            Form::Table(table) => table.scan(txn, cursor, count, Want::Members, |member, _| visit(member)),
            Form::Integers | Form::List => self.for_each(txn, visit).map(|()| 0),
        }
    }

    /// A member, all being about equally likely.
    pub fn random(&self, txn: &mut Txn) -> Result<Bytes> {
        match &self.form {
            Form::Table(table) => table.random_member(txn),
            Form::Integers => {
                let integers = self.integers()?;
                let n = integers.at(txn.random.below(integers.len() as u64) as usize);
                Ok(Bytes::Owned(digits(n)))
            }
            Form::List => {
                let rank = txn.random.below(self.cardinality()?) as usize;
                match self.list().nth(rank) {
                    Some(member) => Ok(member?),
                    None => Err(Stop::from(Malformed("a set without members"))),
                }
            }
        }
    }

    /// Where `count` members can be drawn from, each independently of the others. A command that only reads runs over a
    /// view if too much is cold.
    pub fn draws(&self, txn: &mut Txn, count: u64) -> Result<Draws<'_>> {
        if let Form::Table(table) = &self.form {
            table.fetch_random(txn, usize::try_from(count).unwrap_or(usize::MAX))?;
            return Ok(Draws::Table(table));
        }
        self.members(txn).map(Draws::All)
    }

    /// Shows so many different members, or all if there are fewer.
    pub fn sample(
        &self,
        txn: &mut Txn,
        count: u64,
        mut visit: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let len = self.cardinality()?;
        if count >= len {
            return self.for_each(txn, visit);
        }
        if let Form::Table(table) = &self.form
            && count < (len / SCARCE).min(MOST_DRAWN)
        {
            table.fetch_random(txn, count as usize)?;
            let drawn = draw_distinct(table, txn, count as usize)?;
            return drawn.iter().try_for_each(|member| visit(member));
        }
        let (mut selection, mut random) = (Selection::new(count, len), txn.random.clone());
        let result = self.for_each(txn, |member| match selection.takes_next(&mut random) {
            true => visit(member),
            false => Ok(()),
        });
        txn.random = random;
        result
    }
}

/// What members are drawn from.
pub enum Draws<'s> {
    Table(&'s Buckets),
    /// Of a small set.
    All(Vec<Bytes>),
}

impl Draws<'_> {
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

/// Makes the first `count` of the members a random choice of them all.
fn shuffle_first(members: &mut [Bytes], count: usize, random: &mut Random) {
    for at in 0..count {
        let from = at + random.below((members.len() - at) as u64) as usize;
        members.swap(at, from);
    }
}

fn digits(n: i64) -> Vec<u8> {
    itoa::Buffer::new().format(n).as_bytes().to_vec()
}

/// What Redis calls the form of a set that is not large.
pub fn small_encoding(entry: &Entry) -> &'static str {
    match entry.body().first() {
        Some(&LIST) => "listpack",
        _ => "intset",
    }
}

/// A set that is being changed or made.
enum Draft {
    Integers(Vec<u8>),
    /// The body, and the number of its cells.
    List(Vec<u8>, u64),
    Table(Buckets),
}

impl Draft {
    fn of(set: &Set) -> Result<Draft> {
        Ok(match &set.form {
            Form::Integers => Draft::Integers(set.entry.body().to_vec()),
            Form::List => Draft::List(set.entry.body().to_vec(), set.cardinality()?),
            Form::Table(table) => Draft::Table(table.clone()),
        })
    }

    /// An empty one, in the small form for about `count` members of which this is one, if there is any.
    fn new(first: &[u8], count: u64, limits: &Thresholds) -> Option<Draft> {
        if count <= limits.set_intset && parse_i64(first).is_some() {
            Some(Draft::Integers(IntSet::encode(&[])))
        } else if count <= limits.set_entries {
            Some(Draft::List(vec![LIST], 0))
        } else {
            None
        }
    }

    /// Becomes a table if so many members more may come that it would have to anyway. Whether it did.
    fn expect(&mut self, txn: &mut Txn, more: u64, limits: &Thresholds) -> Result<bool> {
        let most = match self {
            Draft::Integers(_) => limits.set_intset,
            Draft::List(..) => limits.set_entries,
            Draft::Table(_) => u64::MAX,
        };
        if more > most {
            *self = Draft::Table(self.to_table(txn)?);
        }
        Ok(more > most)
    }

    /// Adds a member. Whether it is new.
    fn add(&mut self, txn: &mut Txn, member: &[u8], limits: &Thresholds) -> Result<bool> {
        match self {
            Draft::Table(table) => return table.insert(txn, member, b""),
            Draft::Integers(body) => {
                let integers = IntSet::decode(body)?;
                if let Some(n) = parse_i64(member) {
                    let Err(rank) = integers.search(n) else {
                        return Ok(false);
                    };
                    *body = integers.with(rank, n);
                    if IntSet::decode(body)?.len() as u64 > limits.set_intset {
                        *self = Draft::Table(self.to_table(txn)?);
                    }
                    return Ok(true);
                }
                let longest = integers.iter().map(|n| digits(n).len()).max().unwrap_or(0);
                let len = integers.len() as u64;
                if fits_list(len, member.len().max(longest), limits) {
                    *self = Draft::List(self.to_list()?, len);
                }
            }
            Draft::List(body, _) => {
                for cell in Cells(&body[1..]) {
                    if cell? == member {
                        return Ok(false);
                    }
                }
            }
        }
        match self {
            Draft::List(body, len) if fits_list(*len, member.len(), limits) => {
                push_cell(body, member);
                *len += 1;
                Ok(true)
            }
            _ => {
                let mut table = self.to_table(txn)?;
                table.insert(txn, member, b"")?;
                *self = Draft::Table(table);
                Ok(true)
            }
        }
    }

    /// Takes a member out. Whether it was there.
    fn remove(&mut self, txn: &mut Txn, member: &[u8]) -> Result<bool> {
        match self {
            Draft::Table(table) => table.delete(txn, member),
            Draft::Integers(body) => {
                let integers = IntSet::decode(body)?;
                match parse_i64(member).map(|n| integers.search(n)) {
                    Some(Ok(rank)) => {
                        *body = integers.without(rank);
                        Ok(true)
                    }
                    _ => Ok(false),
                }
            }
            Draft::List(body, len) => match find_cell(body, member)? {
                Some(cell) => {
                    body.drain(cell);
                    *len -= 1;
                    Ok(true)
                }
                None => Ok(false),
            },
        }
    }

    fn len(&self) -> Result<u64> {
        Ok(match self {
            Draft::Integers(body) => IntSet::decode(body)?.len() as u64,
            Draft::List(_, len) => *len,
            Draft::Table(table) => table.len(),
        })
    }

    /// The body of a list with the same members as these integers.
    fn to_list(&self) -> Result<Vec<u8>> {
        let mut list = vec![LIST];
        if let Draft::Integers(body) = self {
            let mut digits = itoa::Buffer::new();
            for n in IntSet::decode(body)?.iter() {
                push_cell(&mut list, digits.format(n).as_bytes());
            }
        }
        Ok(list)
    }

    /// A table with the same members.
    fn to_table(&self, txn: &mut Txn) -> Result<Buckets> {
        let list = self.to_list()?;
        let body = match self {
            Draft::Table(table) => return Ok(table.clone()),
            Draft::Integers(_) => &list,
            Draft::List(body, _) => body,
        };
        let members = Cells(&body[1..])
            .map(|cell| cell.map(|member| (member, &b""[..])))
            .collect::<std::result::Result<Vec<_>, _>>()?;
        Ok(Buckets::build(txn, &members))
    }

    /// Makes this the key's value, `old` being what it held. An empty set leaves no key.
    fn write(&self, txn: &mut Txn, key: Key, old: Option<&Entry>, deadline: Option<u64>) -> Result<()> {
        if self.len()? == 0 {
            return old.map_or(Ok(()), |old| txn.remove(key, old));
        }
        let mut state = Vec::with_capacity(STATE_BYTES);
        let (kind, body) = match self {
            Draft::Integers(body) | Draft::List(body, _) => (Kind::Set, body),
            Draft::Table(table) => {
                table.encode(&mut state);
                (Kind::LargeSet, &state)
            }
        };
        txn.write(key, old, Header { kind, deadline }, &[body])
    }
}

/// Whether a list of so many members takes one more, the longest having so many bytes.
fn fits_list(len: u64, longest: usize, limits: &Thresholds) -> bool {
    len < limits.set_entries && longest as u64 <= limits.set_value
}

/// Where in the body of a list a member's cell is.
fn find_cell(body: &[u8], member: &[u8]) -> std::result::Result<Option<Range<usize>>, Malformed> {
    let mut reader = Reader(&body[1..]);
    while !reader.is_empty() {
        let start = body.len() - reader.0.len();
        if reader.cell()? == member {
            return Ok(Some(start..body.len() - reader.0.len()));
        }
    }
    Ok(None)
}

/// Adds members to the key's set, which begins with them if it is not there. How many are new.
pub fn add<'m>(
    txn: &mut Txn,
    key: Key,
    members: impl ExactSizeIterator<Item = &'m [u8]> + Clone,
    limits: &Thresholds,
) -> Result<u64> {
    let set = Set::open(txn.lookup(key)?)?;
    let Some(first) = members.clone().next() else {
        return Ok(0);
    };
    let count = members.len() as u64;
    let mut draft = match &set {
        Some(set) => Draft::of(set)?,
        None => match Draft::new(first, count, limits) {
            Some(draft) => draft,
            None => return add_new_table(txn, key, members),
        },
    };
    if let (Draft::Table(table), true) = (&draft, count > 1) {
        members.clone().for_each(|member| {
            table.prefetch(txn, member);
        });
        table.prefetch_moves(txn, count, 0);
        txn.await_prefetched()?;
    }
    let converted = draft.expect(txn, count, limits)?;
    let mut added = 0;
    for member in members {
        added += u64::from(draft.add(txn, member, limits)?);
    }
    if added > 0 || converted {
        let old = set.as_ref().map(Set::entry);
        draft.write(txn, key, old, old.and_then(|old| old.header.deadline))?;
    }
    Ok(added)
}

/// Makes a table of members, which may repeat, the value of a key that is not there. How many it has.
fn add_new_table<'m>(txn: &mut Txn, key: Key, members: impl Iterator<Item = &'m [u8]>) -> Result<u64> {
    let distinct: HashSet<&[u8], RandomState> = members.collect();
    let entries: Vec<_> = distinct.into_iter().map(|member| (member, &b""[..])).collect();
    let table = Buckets::build(txn, &entries);
    Draft::Table(table).write(txn, key, None, None)?;
    Ok(entries.len() as u64)
}

/// Takes members out of the key's set. How many were there.
pub fn remove<'m>(
    txn: &mut Txn,
    key: Key,
    members: impl ExactSizeIterator<Item = &'m [u8]> + Clone,
) -> Result<u64> {
    let Some(set) = Set::open(txn.lookup(key)?)? else {
        return Ok(0);
    };
    let mut draft = Draft::of(&set)?;
    if let (Draft::Table(table), true) = (&draft, members.len() > 1) {
        members.clone().for_each(|member| {
            table.prefetch(txn, member);
        });
        table.prefetch_moves(txn, 0, members.len() as u64);
        txn.await_prefetched()?;
    }
    let mut removed = 0;
    for member in members {
        removed += u64::from(draft.remove(txn, member)?);
    }
    if removed > 0 {
        draft.write(txn, key, Some(&set.entry), set.entry.header.deadline)?;
    }
    Ok(removed)
}

/// Moves a member from one set to another. Whether it was there.
pub fn move_member(txn: &mut Txn, from: Key, to: Key, member: &[u8], limits: &Thresholds) -> Result<bool> {
    let Some(source) = Set::open(txn.lookup(from)?)? else {
        return Ok(false);
    };
    let target = Set::open(txn.lookup(to)?)?;
    if from == to {
        return source.contains(txn, member);
    }
    if let Some(target) = &target {
        source.prefetch(txn, member);
        source.prefetch_moves(txn, 0, 1);
        target.prefetch(txn, member);
        target.prefetch_moves(txn, 1, 0);
        txn.await_prefetched()?;
    }
    if remove(txn, from, std::iter::once(member))? == 0 {
        return Ok(false);
    }
    add(txn, to, std::iter::once(member), limits)?;
    Ok(true)
}

/// Takes a random member out of the key's set.
pub fn pop(txn: &mut Txn, key: Key) -> Result<Option<Bytes>> {
    let Some(set) = Set::open(txn.lookup(key)?)? else {
        return Ok(None);
    };
    let mut draft = Draft::of(&set)?;
    let member = if let Draft::Table(table) = &mut draft {
        table.pop(txn)?
    } else {
        let member = set.random(txn)?;
        draft.remove(txn, &member)?;
        member
    };
    draft.write(txn, key, Some(&set.entry), set.entry.header.deadline)?;
    Ok(Some(member))
}

/// Taking out this many times what is left, a command makes a new set of what is left.
const REBUILT_BELOW: u64 = 5;

/// Takes so many random members out of the key's set, or all if there are fewer.
pub fn pop_many(txn: &mut Txn, key: Key, count: u64, limits: &Thresholds) -> Result<Vec<Bytes>> {
    let Some(set) = Set::open(txn.lookup(key)?)? else {
        return Ok(Vec::new());
    };
    if count == 0 {
        return Ok(Vec::new());
    }
    let left = set.cardinality()?.saturating_sub(count);
    let deadline = set.entry.header.deadline;
    if let Form::Table(table) = &set.form
        && left * REBUILT_BELOW > count
    {
        let mut table = table.clone();
        table.prefetch_random(txn, count as usize);
        table.prefetch_moves(txn, 0, count);
        txn.await_prefetched()?;
        txn.allowance
            .take((count as usize).saturating_mul(size_of::<Bytes>()))?;
        let popped = (0..count).map(|_| table.pop(txn)).collect::<Result<Vec<_>>>()?;
        Draft::Table(table).write(txn, key, Some(&set.entry), deadline)?;
        return Ok(popped);
    }
    set.fetch_all(txn)?;
    let mut members = set.members(txn)?;
    shuffle_first(&mut members, left as usize, &mut txn.random);
    let popped = members.split_off(left as usize);
    if left * REBUILT_BELOW > count {
        let mut draft = Draft::of(&set)?;
        for member in &popped {
            draft.remove(txn, member)?;
        }
        draft.write(txn, key, Some(&set.entry), deadline)?;
    } else {
        write_all(txn, key, Some(&set.entry), &members, deadline, limits)?;
    }
    Ok(popped)
}

/// Makes a set of these members, all different, the key's value, whatever it held. No members leave no key.
pub fn replace(txn: &mut Txn, key: Key, members: &[Vec<u8>], limits: &Thresholds) -> Result<()> {
    let old = txn.lookup(key)?;
    write_all(txn, key, old.as_ref(), members, None, limits)
}

/// Writes a new set of these members, all different, in the form that it would have had they come one by one.
fn write_all<M: Deref<Target = [u8]>>(
    txn: &mut Txn,
    key: Key,
    old: Option<&Entry>,
    members: &[M],
    deadline: Option<u64>,
    limits: &Thresholds,
) -> Result<()> {
    let len = members.len() as u64;
    let members = members.iter().map(|member| &**member);
    let integers: Option<Vec<i64>> = members.clone().map(parse_i64).collect();
    let longest = members.clone().map(<[u8]>::len).max().unwrap_or(0) as u64;
    let draft = match integers {
        Some(mut integers) if len <= limits.set_intset => {
            integers.sort_unstable();
            Draft::Integers(IntSet::encode(&integers))
        }
        None if len <= limits.set_entries && longest <= limits.set_value => {
            let mut body = vec![LIST];
            members.for_each(|member| push_cell(&mut body, member));
            Draft::List(body, len)
        }
        _ => {
            let entries: Vec<_> = members.map(|member| (member, &b""[..])).collect();
            Draft::Table(Buckets::build(txn, &entries))
        }
    };
    draft.write(txn, key, old, deadline)
}

/// Gives `to` a set of its own, equal to that of `entry`. `replaced` is what `to` held.
pub fn copy(txn: &mut Txn, entry: &Entry, to: Key, replaced: Option<&Entry>) -> Result<()> {
    let table = Buckets::decode(entry.body())?.copy(txn)?;
    Draft::Table(table).write(txn, to, replaced, entry.header.deadline)
}
