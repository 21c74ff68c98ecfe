//! A table of members, each with a value, in pages of records: what a large set or hash is made of, and how a large
//! sorted set finds a member's score.
//!
//! ```text
//! state := id:u64 be seed:u64 be members:varint weight:varint pages:varint      in the key's own record
//! page  := (member:cell value)*                                                 record `bucket(id, number)`
//! ```
//!
//! (`cell` and `varint` as `disk/cells.rs` has them, `value` as `types/blob.rs` has it.) Every page below `pages` has a
//! record, an empty one if it holds nothing, so that a record that is missing is damage and never a question to the disk.
//!
//! The table grows by **linear hashing**: one page at a time is split, in the transaction that added the member, and
//! merged again as members leave; so no command ever moves more than a few pages. A page holds about
//! [`MEMBERS_PER_PAGE`] members or [`BYTES_PER_PAGE`] bytes, whichever it reaches first; a longer member fills its page
//! alone.
//!
//! A member's **position** is 32 bits of a keyed hash (members are chosen by clients: the key keeps them from choosing
//! positions too). The page is named by the position's bits in reverse, so the pages that share the last bits of their
//! number share the first bits of their positions: every page holds one interval of positions, and a split cuts one in two.
//! A walk in order of positions is therefore not disturbed by splits and merges, and its cursor is simply the position
//! that it has come to: each member that is there from its beginning to its end is shown exactly once.

mod moves;
mod page;
mod random;
mod walk;

use std::hash::{BuildHasher, RandomState};
use std::ops::Range;
use std::sync::LazyLock;

use siphasher::sip::SipHasher13;

use super::blob::{self, Stored};
use super::damage::{InRecord, missing};
use super::footprint::{Footprint, spread};
use super::string::Bytes;
use crate::disk::cells::{Reader, VARINT_MAX, cell_len, push_cell, push_varint};
use crate::disk::format::{Malformed, RecordKey, less};
use crate::store::{Result, Stop, Txn, Value};
use page::{Slot, find, slots, weight};

pub use walk::Want;

/// How many members a page holds on average before the table grows.
pub const MEMBERS_PER_PAGE: u64 = 16;
/// How many bytes a page holds on average before the table grows.
pub const BYTES_PER_PAGE: u64 = 1024;
/// Room for a table's state.
pub const STATE_BYTES: usize = 2 * 8 + 3 * VARINT_MAX;
/// How many cold records a command that only reads waits for.
const MAX_COLD: usize = 256;

/// Seeds of tables are made from their ids with it: unknown to clients, but the same in each run of a command.
static SECRET: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// A table's state, as its owner keeps it in the key's own record: see the module.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Buckets {
    id: u64,
    seed: u64,
    len: u64,
    /// Bytes of all entries, none counting for more than a page.
    weight: u64,
    pages: u32,
}

impl Buckets {
    /// A table without members, under an id of its own.
    #[cfg(test)]
    pub fn create(txn: &mut Txn) -> Buckets {
        let table = Buckets::empty(txn, 1);
        txn.put(RecordKey::bucket(table.id, 0), Value::from(&b""[..]));
        table
    }

    fn empty(txn: &mut Txn, pages: u32) -> Buckets {
        let id = txn.fresh_id();
        Buckets {
            id,
            seed: SECRET.hash_one(id),
            len: 0,
            weight: 0,
            pages,
        }
    }

    /// A table of these members and values, no member among them twice. Each page is written once.
    pub fn build(txn: &mut Txn, entries: &[(&[u8], &[u8])]) -> Buckets {
        let weigh = |&(member, value): &(&[u8], &[u8])| {
            let value = value.len().min(blob::MAX_INLINE);
            (cell_len(member.len()) + cell_len(value)).min(BYTES_PER_PAGE as usize) as u64
        };
        let pages = (entries.len() as u64)
            .div_ceil(MEMBERS_PER_PAGE)
            .max(entries.iter().map(weigh).sum::<u64>().div_ceil(BYTES_PER_PAGE))
            .clamp(1, u64::from(u32::MAX)) as u32;
        let mut table = Buckets::empty(txn, pages);
        let mut images = vec![Vec::new(); pages as usize];
        for (member, value) in entries {
            let image = &mut images[table.page_of(member) as usize];
            let before = image.len();
            push_cell(image, member);
            blob::push(txn, table.id, value, image);
            table.len += 1;
            table.weight += weight(image.len() - before);
        }
        for (number, image) in (0..).zip(images) {
            txn.put(RecordKey::bucket(table.id, number), Value::from(&image[..]));
        }
        table
    }

    /// Reads the state at the head of `state`. What ends early or has no pages is damage.
    pub fn decode(state: &mut Reader) -> Result<Buckets> {
        let table = Buckets {
            id: state.u64()?,
            seed: state.u64()?,
            len: state.varint()?,
            weight: state.varint()?,
            pages: u32::try_from(state.varint()?).unwrap_or(0),
        };
        if table.pages == 0 {
            return Err(Stop::from(Malformed("number of a table's pages")));
        }
        Ok(table)
    }

    /// Appends the state.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.id.to_be_bytes());
        out.extend_from_slice(&self.seed.to_be_bytes());
        for number in [self.len, self.weight, u64::from(self.pages)] {
            push_varint(out, number);
        }
    }

    /// The id that the table's records are under.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The number of members.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether it has no members.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Estimated from `samples` of its pages.
    pub fn footprint(&self, txn: &mut Txn, samples: u64) -> Result<Footprint> {
        let (mut sampled, mut pages) = (Footprint::default(), 0);
        for number in spread(self.pages.into(), samples) {
            let page = self.page(txn, number as u32)?;
            pages += 1;
            sampled = sampled + Footprint::of_record(&page);
            for slot in slots(&page) {
                let slot = slot.in_record(|| self.record(number as u32))?;
                sampled = sampled + slot.value.footprint();
            }
        }
        Ok(sampled.scaled(self.pages.into(), pages))
    }

    /// The number of pages: what a walk over all members reads.
    #[cfg(test)]
    pub fn pages(&self) -> u32 {
        self.pages
    }

    /// Notes the page where this member is, or belongs. Says whether it has to be fetched.
    pub fn prefetch(&self, txn: &mut Txn, member: &[u8]) -> bool {
        txn.prefetch(self.record(self.page_of(member)))
    }

    /// Whether the member is there.
    pub fn contains(&self, txn: &mut Txn, member: &[u8]) -> Result<bool> {
        Ok(self.find(txn, member)?.slot.is_some())
    }

    /// Which of the members are there. Each page is read once, in the order in which they lie on disk.
    pub fn contains_each(&self, txn: &mut Txn, members: &[Vec<u8>]) -> Result<Vec<bool>> {
        let mut places: Vec<(u32, usize)> = (0..)
            .zip(members)
            .map(|(at, member)| (self.page_of(member), at))
            .collect();
        places.sort_unstable();
        let mut found = vec![false; members.len()];
        for together in places.chunk_by(|(a, _), (b, _)| a == b) {
            let number = together[0].0;
            let page = self.page(txn, number)?;
            for &(_, at) in together {
                let slot = find(&page, &members[at]).in_record(|| self.record(number))?;
                found[at] = slot.is_some();
            }
        }
        Ok(found)
    }

    /// The member's value, if it is there.
    pub fn get(&self, txn: &mut Txn, member: &[u8]) -> Result<Option<Bytes>> {
        let found = self.find(txn, member)?;
        self.value_of(txn, &found)
    }

    /// Where the member is: for several uses before the table changes.
    pub fn find(&self, txn: &mut Txn, member: &[u8]) -> Result<Found> {
        let number = self.page_of(member);
        let page = self.page(txn, number)?;
        let slot = find(&page, member).in_record(|| self.record(number))?;
        Ok(Found { number, page, slot })
    }

    /// The value of what [`Buckets::find`] found, if it found anything.
    pub fn value_of(&self, txn: &mut Txn, found: &Found) -> Result<Option<Bytes>> {
        match &found.slot {
            Some(slot) => slot.value.load(txn, self.id, &found.page).map(Some),
            None => Ok(None),
        }
    }

    /// Gives the member this value. Whether the member is new.
    pub fn put(&mut self, txn: &mut Txn, member: &[u8], value: &[u8]) -> Result<bool> {
        let found = self.find(txn, member)?;
        self.put_at(txn, found, member, value)
    }

    /// As [`Buckets::put`], the member being where it was found.
    pub fn put_at(&mut self, txn: &mut Txn, found: Found, member: &[u8], value: &[u8]) -> Result<bool> {
        let Found { number, page, slot } = found;
        if let Some(Slot {
            value: Stored::Inline(old),
            ..
        }) = &slot
            && page[old.clone()] == *value
        {
            return Ok(false);
        }
        let mut entry = Vec::with_capacity(member.len() + value.len().min(blob::MAX_INLINE) + 20);
        push_cell(&mut entry, member);
        blob::push(txn, self.id, value, &mut entry);
        let added = weight(entry.len());
        if let Some(slot) = slot {
            slot.value.delete(txn, self.id);
            self.weight = less(self.weight + added, weight(slot.entry.len()))?;
            txn.splice(self.record(number), &page, slot.entry, &entry);
            self.fit(txn)?;
            return Ok(false);
        }
        txn.splice(self.record(number), &page, page.len()..page.len(), &entry);
        self.len += 1;
        self.weight += added;
        self.fit(txn)?;
        Ok(true)
    }

    /// Takes the member out. Whether it was there.
    pub fn remove(&mut self, txn: &mut Txn, member: &[u8]) -> Result<bool> {
        let found = self.find(txn, member)?;
        self.remove_at(txn, &found)
    }

    /// As [`Buckets::remove`], the member being where it was found.
    pub fn remove_at(&mut self, txn: &mut Txn, found: &Found) -> Result<bool> {
        match &found.slot {
            Some(slot) => self.remove_slot(txn, found.number, &found.page, slot)?,
            None => return Ok(false),
        }
        Ok(true)
    }

    fn remove_slot(&mut self, txn: &mut Txn, number: u32, page: &Value, slot: &Slot) -> Result<()> {
        slot.value.delete(txn, self.id);
        txn.splice(self.record(number), page, slot.entry.clone(), b"");
        self.len = less(self.len, 1)?;
        self.weight = less(self.weight, weight(slot.entry.len()))?;
        self.fit(txn)
    }

    /// A table of its own with the same members and values. All of it comes into memory.
    pub fn copy(&self, txn: &mut Txn) -> Result<Buckets> {
        self.fetch_all(txn, Want::Values)?;
        let copy = Buckets {
            id: txn.fresh_id(),
            ..self.clone()
        };
        for number in 0..self.pages {
            let page = self.page(txn, number)?;
            for slot in slots(&page) {
                let slot = slot.in_record(|| self.record(number))?;
                slot.value.copy(txn, self.id, copy.id)?;
            }
            txn.put(copy.record(number), page);
        }
        Ok(copy)
    }

    fn record(&self, number: u32) -> RecordKey {
        RecordKey::bucket(self.id, number)
    }

    /// The record of the page where a member is, or belongs.
    pub fn page_with(&self, member: &[u8]) -> RecordKey {
        self.record(self.page_of(member))
    }

    fn page(&self, txn: &mut Txn, number: u32) -> Result<Value> {
        txn.get(&self.record(number))?
            .ok_or_else(|| missing(self.record(number), Malformed("a page of a table is not there")))
    }

    fn position(&self, member: &[u8]) -> u32 {
        (SipHasher13::new_with_keys(self.seed, 0).hash(member) >> 32) as u32
    }

    fn page_of(&self, member: &[u8]) -> u32 {
        self.page_at(self.position(member))
    }

    /// The page that holds a position.
    fn page_at(&self, position: u32) -> u32 {
        let bits = position.reverse_bits();
        let level = self.pages.ilog2();
        let low = |count: u32| (u64::from(bits) & ((1 << count) - 1)) as u32;
        match low(level + 1) {
            page if page < self.pages => page,
            _ => low(level),
        }
    }

    /// The positions that a page holds.
    fn interval(&self, page: u32) -> Range<u64> {
        let level = self.pages.ilog2();
        let split = 1 << level;
        let is_split = page >= split || page < self.pages - split;
        let start = u64::from(page.reverse_bits());
        start..start + (1 << (32 - level - u32::from(is_split)))
    }
}

/// Where a member is, or belongs.
pub struct Found {
    number: u32,
    page: Value,
    slot: Option<Slot>,
}
