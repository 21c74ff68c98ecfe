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

use std::hash::{BuildHasher, RandomState};
use std::ops::Range;
use std::sync::LazyLock;

use siphasher::sip::SipHasher13;

use super::blob::{self, Stored};
use super::footprint::{Footprint, spread};
use super::string::Bytes;
use crate::base::random::{Random, scaled};
use crate::disk::cells::{Reader, VARINT_MAX, cell_len, push_cell, push_varint};
use crate::disk::format::{Family, Malformed, RecordKey, less};
use crate::store::{Result, Stop, Txn, Value};

/// How many members, and how many bytes, a page holds on average before the table grows.
pub const MEMBERS_PER_PAGE: u64 = 16;
pub const BYTES_PER_PAGE: u64 = 1024;
/// Room for a table's state.
pub const STATE_BYTES: usize = 2 * 8 + 3 * VARINT_MAX;
/// How many cold records a command that only reads waits for.
const MAX_COLD: usize = 256;
/// A step of a scan ends after so many bytes of members and values, whatever it was asked for.
const MOST_SCANNED: usize = 1 << 20;
/// How many random places are tried before the next member in order is taken.
const DRAWS: usize = 128;
/// How many random places are fetched for one member: nearly always, one of them holds one.
const DRAWS_FETCHED: usize = 4;

/// Seeds of tables are made from their ids with it: unknown to clients, but the same in each run of a command.
static SECRET: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// Whether a walk loads values, or shows each as empty.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Want {
    Members,
    Values,
}

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

    pub fn decode(state: &[u8]) -> Result<Buckets> {
        Buckets::read(&mut Reader(state))
    }

    /// Reads the state at the head of `reader`.
    pub fn read(reader: &mut Reader) -> Result<Buckets> {
        let table = Buckets {
            id: reader.u64()?,
            seed: reader.u64()?,
            len: reader.varint()?,
            weight: reader.varint()?,
            pages: u32::try_from(reader.varint()?).unwrap_or(0),
        };
        if table.pages == 0 {
            return Err(Stop::from(Malformed("number of a table's pages")));
        }
        Ok(table)
    }

    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.id.to_be_bytes());
        out.extend_from_slice(&self.seed.to_be_bytes());
        for number in [self.len, self.weight, u64::from(self.pages)] {
            push_varint(out, number);
        }
    }

    pub fn id(&self) -> u64 {
        self.id
    }

    /// The number of members.
    pub fn len(&self) -> u64 {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Estimated from so many of its pages.
    pub fn footprint(&self, txn: &mut Txn, samples: u64) -> Result<Footprint> {
        let (mut sampled, mut pages) = (Footprint::default(), 0);
        for number in spread(self.pages.into(), samples) {
            let page = self.page(txn, number as u32)?;
            pages += 1;
            sampled = sampled + Footprint::of_record(&page);
            for slot in slots(&page) {
                sampled = sampled + slot?.value.footprint();
            }
        }
        Ok(sampled.scaled(self.pages.into(), pages))
    }

    /// The number of pages: what a walk over all members reads.
    pub fn pages(&self) -> u32 {
        self.pages
    }

    /// Notes the page where this member is, or belongs. Says whether it has to be fetched.
    pub fn prefetch(&self, txn: &mut Txn, member: &[u8]) -> bool {
        txn.prefetch(self.record(self.page_of(member)))
    }

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
            let page = self.page(txn, together[0].0)?;
            for &(_, at) in together {
                found[at] = find(&page, &members[at])?.is_some();
            }
        }
        Ok(found)
    }

    pub fn get(&self, txn: &mut Txn, member: &[u8]) -> Result<Option<Bytes>> {
        let found = self.find(txn, member)?;
        self.value_of(txn, &found)
    }

    /// Where the member is: for several uses before the table changes.
    pub fn find(&self, txn: &mut Txn, member: &[u8]) -> Result<Found> {
        let number = self.page_of(member);
        let page = self.page(txn, number)?;
        let slot = find(&page, member)?;
        Ok(Found { number, page, slot })
    }

    pub fn value_of(&self, txn: &mut Txn, found: &Found) -> Result<Option<Bytes>> {
        match &found.slot {
            Some(slot) => slot.value.load(txn, self.id, &found.page).map(Some),
            None => Ok(None),
        }
    }

    /// Gives the member this value. Whether the member is new.
    pub fn insert(&mut self, txn: &mut Txn, member: &[u8], value: &[u8]) -> Result<bool> {
        let found = self.find(txn, member)?;
        self.insert_at(txn, found, member, value)
    }

    /// As [`Buckets::insert`], the member being where it was found.
    pub fn insert_at(&mut self, txn: &mut Txn, found: Found, member: &[u8], value: &[u8]) -> Result<bool> {
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
            slot.value.forget(txn, self.id);
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

    /// Takes the member out, and returns its value.
    pub fn remove(&mut self, txn: &mut Txn, member: &[u8]) -> Result<Option<Bytes>> {
        let found = self.find(txn, member)?;
        let value = self.value_of(txn, &found)?;
        self.delete_at(txn, &found)?;
        Ok(value)
    }

    /// As [`Buckets::remove`], but does not read the value. Whether the member was there.
    pub fn delete(&mut self, txn: &mut Txn, member: &[u8]) -> Result<bool> {
        let found = self.find(txn, member)?;
        self.delete_at(txn, &found)
    }

    /// As [`Buckets::delete`], the member being where it was found.
    pub fn delete_at(&mut self, txn: &mut Txn, found: &Found) -> Result<bool> {
        match &found.slot {
            Some(slot) => self.remove_slot(txn, found.number, &found.page, slot)?,
            None => return Ok(false),
        }
        Ok(true)
    }

    fn remove_slot(&mut self, txn: &mut Txn, number: u32, page: &Value, slot: &Slot) -> Result<()> {
        slot.value.forget(txn, self.id);
        txn.splice(self.record(number), page, slot.entry.clone(), b"");
        self.len = less(self.len, 1)?;
        self.weight = less(self.weight, weight(slot.entry.len()))?;
        self.fit(txn)
    }

    /// A member and its value, all members being about equally likely. The table must not be empty.
    ///
    /// A page is chosen, likelier the more positions it holds, then a place in it, and both again if there is nothing:
    /// so a member is not likelier for being alone in its page. Only in the few pages with more members than places a
    /// member comes a little less often.
    pub fn random(&self, txn: &mut Txn) -> Result<(Bytes, Bytes)> {
        let hit = self.draw(txn)?;
        let value = hit.slot.value.load(txn, self.id, &hit.page)?;
        Ok((Bytes::Shared(hit.page, hit.slot.member), value))
    }

    /// As [`Buckets::random`], without the value.
    pub fn random_member(&self, txn: &mut Txn) -> Result<Bytes> {
        let hit = self.draw(txn)?;
        Ok(Bytes::Shared(hit.page, hit.slot.member))
    }

    /// Takes a random member out.
    pub fn pop(&mut self, txn: &mut Txn) -> Result<Bytes> {
        let hit = self.draw(txn)?;
        self.remove_slot(txn, hit.number, &hit.page, &hit.slot)?;
        Ok(Bytes::Shared(hit.page, hit.slot.member))
    }

    /// Notes what the next `count` random members will want, as far as can be foreseen. Returns how many pages have to
    /// be fetched.
    pub fn prefetch_random(&self, txn: &mut Txn, count: usize) -> usize {
        let mut cold = 0;
        let draws = count.saturating_mul(DRAWS_FETCHED);
        if draws >= self.pages as usize {
            // They would come to nearly all of the pages, and the ones left out be missed one by one.
            for number in 0..self.pages {
                cold += usize::from(txn.prefetch(self.record(number)));
            }
            return cold;
        }
        let mut random = txn.random.clone();
        for _ in 0..draws {
            let number = self.draw_page(&mut random);
            random.next_u64();
            cold += usize::from(txn.prefetch(self.record(number)));
        }
        cold
    }

    /// A page, with the probability that a random position is in it.
    fn draw_page(&self, random: &mut Random) -> u32 {
        self.page_at(random.next_u64() as u32)
    }

    /// How many places [`Buckets::draw`] takes a page to have: half as many again as it has members on average. A page
    /// that was not split yet has exactly twice as many as one that was.
    fn places(&self, page: u32) -> u64 {
        let level = self.pages.ilog2();
        let average = (u128::from(self.len) >> (level + 1)) as u64;
        let interval = self.interval(page);
        (average + average / 2 + 3) * ((interval.end - interval.start) >> (31 - level))
    }

    /// As [`Buckets::prefetch_random`], for a command that only reads: it runs over a view if too much is cold.
    pub fn fetch_random(&self, txn: &mut Txn, count: usize) -> Result<()> {
        if self.prefetch_random(txn, count) > MAX_COLD {
            txn.view()?;
        }
        txn.await_prefetched()
    }

    fn draw(&self, txn: &mut Txn) -> Result<Hit> {
        let mut number = 0;
        for _ in 0..DRAWS {
            let before = txn.random.clone();
            number = self.draw_page(&mut txn.random);
            let places = self.places(number);
            let chance = txn.random.next_u64();
            let page = match self.page(txn, number) {
                Err(Stop::Fault) => {
                    txn.random = before;
                    self.prefetch_random(txn, 1);
                    return Err(Stop::Fault);
                }
                page => page?,
            };
            // Two numbers a draw whatever it finds: so prefetch_random foresees the next ones.
            let count = slots(&page).count() as u64;
            let place = scaled(chance, places.max(count));
            if let Some(slot) = slots(&page).nth(place as usize) {
                let slot = slot?;
                return Ok(Hit { number, page, slot });
            }
        }
        for step in 0..self.pages {
            let number = ((u64::from(number) + u64::from(step)) % u64::from(self.pages)) as u32;
            let page = self.page(txn, number)?;
            if let Some(slot) = slots(&page).next() {
                let slot = slot?;
                return Ok(Hit { number, page, slot });
            }
        }
        Err(Stop::from(Malformed("a table whose members are not there")))
    }

    /// Shows about `count` members from `cursor` on, 0 being the beginning, and returns where to go on: 0 at the end.
    pub fn scan(
        &self,
        txn: &mut Txn,
        cursor: u64,
        count: usize,
        want: Want,
        mut visit: impl FnMut(&[u8], &[u8]) -> Result<()>,
    ) -> Result<u64> {
        let mut from = u64::from(cursor as u32);
        self.fetch_from(txn, from, count)?;
        let (mut seen, mut visited, mut bytes) = (0, 0, 0);
        loop {
            let number = self.page_at(from as u32);
            let page = self.page(txn, number)?;
            let interval = self.interval(number);
            for slot in slots(&page) {
                let slot = slot?;
                let member = &page[slot.member.clone()];
                // A page that was merged since the cursor was made begins before it.
                if interval.start < from && u64::from(self.position(member)) < from {
                    continue;
                }
                seen += 1;
                let mut count = |member: &[u8], value: &[u8]| {
                    bytes += member.len() + value.len();
                    visit(member, value)
                };
                self.show(txn, &page, &slot, want, &mut count)
                    .inspect_err(|stop| {
                        if matches!(stop, Stop::Fault) {
                            self.prefetch_values(txn, &page);
                        }
                    })?;
            }
            visited += 1;
            from = interval.end;
            if from > u64::from(u32::MAX) {
                return Ok(0);
            }
            if seen >= count || visited >= count.saturating_mul(10) || bytes >= MOST_SCANNED {
                return Ok(from);
            }
        }
    }

    /// Fetches the pages that hold the next `count` members, on average.
    fn fetch_from(&self, txn: &mut Txn, mut from: u64, count: usize) -> Result<()> {
        let average = (self.len / u64::from(self.pages)).max(1);
        let mut cold = 0;
        for _ in 0..(count as u64).div_ceil(average).max(1) {
            let number = self.page_at(from as u32);
            cold += usize::from(txn.prefetch(self.record(number)));
            if cold > MAX_COLD {
                txn.view()?;
            }
            from = self.interval(number).end;
            if from > u64::from(u32::MAX) {
                break;
            }
        }
        txn.await_prefetched()
    }

    /// Shows every member, in the order of pages. A command that only reads runs over a view if much is cold; one that
    /// also writes calls [`Buckets::fetch_all`] before.
    pub fn for_each(
        &self,
        txn: &mut Txn,
        want: Want,
        mut visit: impl FnMut(&[u8], &[u8]) -> Result<()>,
    ) -> Result<()> {
        if let Ok((view, _)) = txn.view() {
            let (from, to) = (self.id.to_be_bytes(), (self.id + 1).to_be_bytes());
            let mut pages = view.walk(Family::Bucket, &from, Some(&to))?;
            while let Some((_, page)) = pages.next_record()? {
                let page = Value::from(page);
                self.show_page(txn, &page, want, &mut visit)?;
            }
            return Ok(());
        }
        self.fetch_pages(txn, MAX_COLD)?;
        for number in 0..self.pages {
            let page = self.page(txn, number)?;
            if let Err(stop) = self.show_page(txn, &page, want, &mut visit) {
                if matches!(stop, Stop::Fault) {
                    self.fetch_values(txn, number, MAX_COLD)?;
                }
                return Err(stop);
            }
        }
        Ok(())
    }

    /// As [`Buckets::for_each`], but from this page on, and not much more than `count` members. Returns the page to go on
    /// with; only a view keeps what is in it.
    pub fn part(
        &self,
        txn: &mut Txn,
        start: u32,
        count: usize,
        mut visit: impl FnMut(&[u8], &[u8]) -> Result<()>,
    ) -> Result<Option<u32>> {
        let mut seen = 0;
        for number in start..self.pages {
            if seen >= count {
                return Ok(Some(number));
            }
            let page = self.page(txn, number)?;
            seen += slots(&page).count();
            self.show_page(txn, &page, Want::Members, &mut visit)?;
        }
        Ok(None)
    }

    /// Waits until all that [`Buckets::for_each`] reads is in memory, whatever it is.
    pub fn fetch_all(&self, txn: &mut Txn, want: Want) -> Result<()> {
        self.fetch_pages(txn, usize::MAX)?;
        match want {
            Want::Members => Ok(()),
            Want::Values => self.fetch_values(txn, 0, usize::MAX),
        }
    }

    fn fetch_pages(&self, txn: &mut Txn, most: usize) -> Result<()> {
        let mut cold = 0;
        for number in 0..self.pages {
            cold += usize::from(txn.prefetch(self.record(number)));
            if cold > most {
                txn.view()?;
            }
        }
        txn.await_prefetched()
    }

    /// Fetches the values that have records of their own, from a page on; the pages have to be in memory.
    fn fetch_values(&self, txn: &mut Txn, from: u32, most: usize) -> Result<()> {
        let mut cold = 0;
        for number in from..self.pages {
            let page = self.page(txn, number)?;
            cold += self.prefetch_values(txn, &page);
            if cold > most {
                txn.view()?;
            }
        }
        txn.await_prefetched()
    }

    fn prefetch_values(&self, txn: &mut Txn, page: &Value) -> usize {
        let cold = slots(page)
            .flatten()
            .filter(|slot| slot.value.prefetch(txn, self.id));
        cold.count()
    }

    fn show_page(
        &self,
        txn: &mut Txn,
        page: &Value,
        want: Want,
        visit: &mut impl FnMut(&[u8], &[u8]) -> Result<()>,
    ) -> Result<()> {
        for slot in slots(page) {
            self.show(txn, page, &slot?, want, visit)?;
        }
        Ok(())
    }

    fn show(
        &self,
        txn: &mut Txn,
        page: &Value,
        slot: &Slot,
        want: Want,
        visit: &mut impl FnMut(&[u8], &[u8]) -> Result<()>,
    ) -> Result<()> {
        let member = &page[slot.member.clone()];
        match (&slot.value, want) {
            (_, Want::Members) => visit(member, b""),
            (Stored::Inline(range), Want::Values) => visit(member, &page[range.clone()]),
            (stored, Want::Values) => visit(member, &stored.load(txn, self.id, page)?),
        }
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
                slot?.value.copy(txn, self.id, copy.id)?;
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
            .ok_or_else(|| Stop::from(Malformed("a page of a table is not there")))
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

fn weight(entry: usize) -> u64 {
    (entry as u64).min(BYTES_PER_PAGE)
}

/// A member in a page, by where its bytes are.
struct Slot {
    member: Range<usize>,
    value: Stored,
    entry: Range<usize>,
}

/// Where a member is, or belongs.
pub struct Found {
    number: u32,
    page: Value,
    slot: Option<Slot>,
}

/// A member that was chosen.
struct Hit {
    number: u32,
    page: Value,
    slot: Slot,
}

fn slots(page: &[u8]) -> Slots<'_> {
    Slots {
        page,
        reader: Reader(page),
    }
}

struct Slots<'p> {
    page: &'p [u8],
    reader: Reader<'p>,
}

impl Slots<'_> {
    fn at(&self) -> usize {
        self.page.len() - self.reader.0.len()
    }

    fn slot(&mut self) -> std::result::Result<Slot, Malformed> {
        let start = self.at();
        let len = self.reader.cell()?.len();
        let member = self.at() - len..self.at();
        let value = Stored::read(self.page, &mut self.reader)?;
        Ok(Slot {
            member,
            value,
            entry: start..self.at(),
        })
    }
}

impl Iterator for Slots<'_> {
    type Item = std::result::Result<Slot, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.reader.is_empty() {
            return None;
        }
        let slot = self.slot();
        if slot.is_err() {
            self.reader = Reader(b"");
        }
        Some(slot)
    }
}

fn find(page: &[u8], member: &[u8]) -> std::result::Result<Option<Slot>, Malformed> {
    // Members often begin alike: their ends tell most of them apart, faster than a comparison of any length.
    let end = member.last_chunk::<8>();
    let mut reader = Reader(page);
    while !reader.is_empty() {
        let slot = reader;
        let found = reader.cell()?;
        if found.len() == member.len() && found.last_chunk() == end && found == member {
            return Slots { page, reader: slot }.slot().map(Some);
        }
        Stored::skip(&mut reader)?;
    }
    Ok(None)
}
