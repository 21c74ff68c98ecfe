//! Transactions that are set aside while others run, and what they have read: one goes on only if nobody has written any of
//! that meanwhile. So it sees one state of the data from its beginning to its end, however often it waits in between.
//!
//! What others write is looked at when it is staged, as for who watches keys. While no transaction is set aside, this costs a
//! comparison for each transaction that writes.

use super::Store;
use super::reads::Reads;
use super::staging::Suspended;
use super::txn::Txn;
use super::work::{Missing, Work};

/// A transaction that is set aside. It has to be given back: see [`Store::take_back`], [`Store::give_up`].
#[must_use]
pub struct Aside {
    number: u64,
    suspended: Suspended,
}

/// What the store knows of one.
struct Known {
    number: u64,
    reads: Box<Reads>,
    /// It has counts of keys as they are to be, or has taken ids: others must do neither.
    has_counted: bool,
    /// Somebody has written what it has read.
    is_disturbed: bool,
}

impl Known {
    /// Whether it has read something of what another transaction writes.
    fn is_met_by(&self, work: &Work) -> bool {
        let writes = work.writes.log.iter();
        self.reads.has_everything() || writes.map(|write| &write.key).any(|key| self.reads.has(key))
    }
}

/// All that are set aside.
#[derive(Default)]
pub(super) struct Asides {
    all: Vec<Known>,
    next: u64,
}

impl Asides {
    /// Whether there is none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Another transaction is about to be staged. `moves`: it gives something another namespace, so that names mean other
    /// records.
    pub fn note(&mut self, work: &Work, moves: bool) {
        let counts = !work.namespaces.log.is_empty() || work.ids > 0;
        for known in self.all.iter_mut().filter(|known| !known.is_disturbed) {
            known.is_disturbed = moves || (counts && known.has_counted) || known.is_met_by(work);
        }
    }

    /// What was staged lately is lost: whoever saw some of it saw what is no more.
    pub fn disturb_all(&mut self) {
        self.all.iter_mut().for_each(|known| known.is_disturbed = true);
    }

    fn leave(&mut self, number: u64) -> Option<Known> {
        let at = self.all.iter().position(|known| known.number == number)?;
        Some(self.all.swap_remove(at))
    }
}

impl Txn<'_> {
    /// From now on what it reads is noted, so that it can be set aside: see [`Store::set_aside`].
    pub fn note_reads(&mut self) {
        let spare = self.work.spare_reads.take();
        self.work.reads.get_or_insert_with(|| spare.unwrap_or_default());
    }

    /// What it has missed so far, which is forgotten here.
    pub fn take_missing(&mut self) -> Missing {
        Missing {
            records: std::mem::take(&mut self.work.missing),
            listing: self.work.listing.take(),
        }
    }
}

impl Store {
    /// Sets a transaction aside that has noted its reads from its beginning ([`Txn::note_reads`]).
    pub fn set_aside(&mut self, mut suspended: Suspended) -> Aside {
        let number = self.asides.next;
        self.asides.next += 1;
        let reads = suspended.work.reads.take().unwrap_or_default();
        let has_counted = !suspended.work.namespaces.log.is_empty() || suspended.work.ids > 0;
        self.asides.all.push(Known {
            number,
            reads,
            has_counted,
            is_disturbed: false,
        });
        Aside { number, suspended }
    }

    /// Goes on with a transaction that was set aside. `None`: others have written what it has read. Its work is dropped, and
    /// it has to begin anew.
    pub fn take_back(&mut self, aside: Aside) -> Option<Suspended> {
        let Aside {
            number,
            mut suspended,
        } = aside;
        match self.asides.leave(number) {
            Some(known) if !known.is_disturbed => {
                suspended.work.reads = Some(known.reads);
                Some(suspended)
            }
            _ => {
                self.abandon(suspended.end());
                None
            }
        }
    }

    /// Drops a transaction that was set aside.
    pub fn give_up(&mut self, aside: Aside) {
        self.asides.leave(aside.number);
        self.abandon(aside.suspended.end());
    }
}
