//! How a table grows and shrinks: a page divided, or two made one, with each change that asks for it.

use super::page::slots;
use super::{BYTES_PER_PAGE, Buckets, MEMBERS_PER_PAGE};
use crate::disk::delta::Known;
use crate::store::{Result, Txn, Value};
use crate::types::damage::InRecord;

/// A table is cut down when its pages hold less than this part of what they may.
const SPARSE: u64 = 2;
/// How many pages one change splits or merges at most: two, as one would only ever keep pace.
const MOVES: usize = 2;

impl Buckets {
    /// Notes the pages that will be divided or become one with another when `come` members come, or `leave` of them leave.
    pub fn prefetch_moves(&self, txn: &mut Txn, come: u64, leave: u64) {
        let average = self.weight / self.len.max(1);
        let mut table = self.clone();
        table.len = table.len.saturating_add(come);
        table.weight = table.weight.saturating_add(come.saturating_mul(average));
        let mut moves = come.saturating_mul(MOVES as u64);
        while moves > 0 && table.is_full() {
            let (old, _) = split_of(table.pages);
            if old < self.pages {
                txn.prefetch(self.record(old));
            }
            table.pages += 1;
            moves -= 1;
        }
        let mut table = self.clone();
        table.len = table.len.saturating_sub(leave);
        table.weight = table.weight.saturating_sub(leave.saturating_mul(average));
        moves = leave.saturating_mul(MOVES as u64);
        while moves > 0 && table.is_sparse() {
            table.pages -= 1;
            let (kept, last) = split_of(table.pages);
            txn.prefetch(self.record(kept));
            txn.prefetch(self.record(last));
            moves -= 1;
        }
    }

    fn is_full(&self) -> bool {
        let pages = u64::from(self.pages);
        self.pages < u32::MAX && (self.len > pages * MEMBERS_PER_PAGE || self.weight > pages * BYTES_PER_PAGE)
    }

    fn is_sparse(&self) -> bool {
        let pages = u64::from(self.pages);
        pages > 1
            && self.len * SPARSE < pages * MEMBERS_PER_PAGE
            && self.weight * SPARSE < pages * BYTES_PER_PAGE
    }

    /// Splits or merges pages until their number fits what they hold, or enough was done for one change.
    pub(super) fn fit(&mut self, txn: &mut Txn) -> Result<()> {
        for _ in 0..MOVES {
            if self.is_full() {
                self.split(txn)?;
            } else if self.is_sparse() {
                self.merge(txn)?;
            } else {
                break;
            }
        }
        Ok(())
    }

    fn split(&mut self, txn: &mut Txn) -> Result<()> {
        let (old, new) = split_of(self.pages);
        let page = self.page(txn, old)?;
        self.pages += 1;
        let (mut stays, mut goes) = (Vec::with_capacity(page.len()), Vec::with_capacity(page.len()));
        for slot in slots(&page) {
            let slot = slot.in_record(|| self.record(old))?;
            let side = match self.page_of(&page[slot.member]) == new {
                true => &mut goes,
                false => &mut stays,
            };
            side.extend_from_slice(&page[slot.entry]);
        }
        txn.put_changed(self.record(old), Value::from(&stays[..]), Known::Removals);
        txn.put(self.record(new), Value::from(&goes[..]));
        Ok(())
    }

    fn merge(&mut self, txn: &mut Txn) -> Result<()> {
        let (kept, last) = split_of(self.pages - 1);
        txn.prefetch(self.record(kept));
        txn.prefetch(self.record(last));
        txn.await_prefetched()?;
        let (before, added) = (self.page(txn, kept)?, self.page(txn, last)?);
        txn.put(self.record(kept), Value::concat(&[&before, &added]));
        txn.delete(self.record(last));
        self.pages -= 1;
        Ok(())
    }
}

/// The page that is split when there are `pages`, and the one that it gives half of its positions to.
fn split_of(pages: u32) -> (u32, u32) {
    (pages - (1 << pages.ilog2()), pages)
}
