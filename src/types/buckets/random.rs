//! Random members of a table.

use super::Buckets;
use super::page::{Slot, slots};
use crate::base::random::{Random, scaled};
use crate::disk::format::Malformed;
use crate::store::{Result, Stop, Txn, Value};
use crate::types::damage::InRecord;
use crate::types::string::Bytes;

/// How many random places are tried before the next member in order is taken.
const DRAWS: usize = 128;
/// How many random places are fetched for one member: nearly always, one of them holds one.
const DRAWS_FETCHED: usize = 4;

/// A member that was chosen.
struct Hit {
    number: u32,
    page: Value,
    slot: Slot,
}

impl Buckets {
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

    /// As [`Buckets::prefetch_random`], and waits for it.
    pub fn fetch_random(&self, txn: &mut Txn, count: usize) -> Result<()> {
        let cold = self.prefetch_random(txn, count);
        txn.wait_for(cold)?;
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
                let slot = slot.in_record(|| self.record(number))?;
                return Ok(Hit { number, page, slot });
            }
        }
        for step in 0..self.pages {
            let number = ((u64::from(number) + u64::from(step)) % u64::from(self.pages)) as u32;
            let page = self.page(txn, number)?;
            if let Some(slot) = slots(&page).next() {
                let slot = slot.in_record(|| self.record(number))?;
                return Ok(Hit { number, page, slot });
            }
        }
        Err(Stop::from(Malformed("a table whose members are not there")))
    }
}
