//! Walks over the members of a table.

use super::Buckets;
use super::page::{Slot, slots};
use crate::disk::format::Family;
use crate::store::{Result, Stop, Txn, Value};
use crate::types::blob::Stored;
use crate::types::damage::InRecord;

/// A step of a scan ends after so many bytes of members and values, whatever it was asked for.
const MOST_SCANNED: usize = 1 << 20;

/// Whether a walk loads values, or shows each as empty.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Want {
    /// Values are shown as empty.
    Members,
    /// Values are loaded.
    Values,
}

impl Buckets {
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
                let slot = slot.in_record(|| self.record(number))?;
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
            txn.wait_for(cold)?;
            from = self.interval(number).end;
            if from > u64::from(u32::MAX) {
                break;
            }
        }
        txn.await_prefetched()
    }

    /// Shows every member, in the order of pages.
    pub fn walk(
        &self,
        txn: &mut Txn,
        want: Want,
        mut visit: impl FnMut(&[u8], &[u8]) -> Result<()>,
    ) -> Result<()> {
        if let Some(view) = txn.view() {
            let (from, to) = (self.id.to_be_bytes(), (self.id + 1).to_be_bytes());
            let mut pages = view.walk(Family::Bucket, &from, Some(&to))?;
            while let Some((_, page)) = pages.next_record()? {
                let page = Value::from(page);
                self.show_page(txn, &page, want, &mut visit)?;
            }
            return Ok(());
        }
        self.fetch_pages(txn)?;
        for number in 0..self.pages {
            let page = self.page(txn, number)?;
            let shown = self.show_page(txn, &page, want, &mut visit);
            if let Err(stop) = shown.in_record(|| self.record(number)) {
                if matches!(stop, Stop::Fault) {
                    self.fetch_values(txn, number)?;
                }
                return Err(stop);
            }
        }
        Ok(())
    }

    /// As [`Buckets::walk`], but from this page on, and not much more than `count` members. Returns the page to go on
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
            self.show_page(txn, &page, Want::Members, &mut visit)
                .in_record(|| self.record(number))?;
        }
        Ok(None)
    }

    /// Waits until all that [`Buckets::walk`] reads is in memory, whatever it is.
    pub fn fetch_all(&self, txn: &mut Txn, want: Want) -> Result<()> {
        self.fetch_pages(txn)?;
        match want {
            Want::Members => Ok(()),
            Want::Values => self.fetch_values(txn, 0),
        }
    }

    fn fetch_pages(&self, txn: &mut Txn) -> Result<()> {
        let mut cold = 0;
        for number in 0..self.pages {
            cold += usize::from(txn.prefetch(self.record(number)));
            txn.wait_for(cold)?;
        }
        txn.await_prefetched()
    }

    /// Fetches the values that have records of their own, from a page on; the pages have to be in memory.
    fn fetch_values(&self, txn: &mut Txn, from: u32) -> Result<()> {
        let mut cold = 0;
        for number in from..self.pages {
            let page = self.page(txn, number)?;
            cold += self.prefetch_values(txn, &page);
            txn.wait_for(cold)?;
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
}
