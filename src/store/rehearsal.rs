//! Rehearsals: what keeps the number of times that a body runs small, however many records it finds missing one by one.
//!
//! A body that faults runs again from its beginning: if each of `n` records were found missing by a run of its own, it would
//! cost n² / 2 of the executor's time. So a request that has faulted several times is **rehearsed**: its body runs on a
//! thread that may wait for the disk, over a view, and all that counts of it are the names of the records that it reads.
//! These are then fetched by the ordinary path, all together, and pinned until the request is through.
//!
//! A rehearsal behaves as a run of the executor would: its writes stay in its overlay, it hands out ids (which are nobody's),
//! it deletes what is past its deadline, and it refuses to walk ranges. But a view shows what checkpoints have brought to the
//! families, and others may write meanwhile. So it is a **hint**: where it was led astray, or broke off for any reason, the
//! request faults once more, as it would have without. Nothing depends on a rehearsal but time.
//!
//! Which of a request's faults have it rehearsed: see [`is_rehearsed`].

use std::io;

use super::epoch::Epoch;
use super::fetch::{Rehearsed, Ticket};
use super::layout::Layout;
use super::rehearsal_view::RehearsalView;
use super::threads::{Pool, Priority};
use super::txn::Txn;
use super::work::Missing;
use super::{Report, Store};
use crate::disk::Disk;
use crate::disk::format::RecordKey;

/// The first of a request's faults that has it rehearsed. What takes fewer runs without is not worth a run more.
const FIRST_REHEARSED: u32 = 3;
/// Most records that a request's first rehearsal names. Where it ends for that, the request gets so far, and its next one
/// may name twice as many, until that was doubled so often.
const MOST_NAMES: usize = 1 << 17;
const DOUBLED: u32 = 3;
/// A request that can run over a view, and wants more than this, asks for one itself if it sees that much is missing.
const MOST_NAMES_TO_READ: usize = 1 << 10;
/// At least so many threads are for rehearsals: of their own, as views may be held by slow clients, and ordinary faults
/// must not wait for either.
const LEAST_THREADS: usize = 2;

/// Whether a request is rehearsed at this fault of it, the first one being number 1. One rehearsal is nearly always enough;
/// the second waits until the families have all that was written before. If others write what the request reads and
/// faults go on, rehearsals become rare: so what they take stays in proportion to what the runs do.
fn is_rehearsed(fault: u32, ended_early: bool) -> bool {
    fault >= FIRST_REHEARSED && (fault == FIRST_REHEARSED || fault.is_power_of_two() || ended_early)
}

/// How many records the rehearsal at this fault may name.
fn most_names(fault: u32, may_use_view: bool) -> usize {
    let first = match may_use_view {
        false => MOST_NAMES,
        true => MOST_NAMES_TO_READ,
    };
    first << (fault - FIRST_REHEARSED).min(DOUBLED)
}

/// What a request would do if it ran now.
pub struct Rehearsal {
    /// Unix milliseconds, as its transactions see them.
    pub now: u64,
    /// Whether it can run over a view instead.
    pub may_use_view: bool,
    /// Runs it, with the seed that its other runs have.
    pub body: Box<dyn FnOnce(&mut Txn) + Send>,
}

type Job = Box<dyn FnOnce(&Disk) -> Report + Send>;

/// The threads for rehearsals, and those that have not begun.
pub struct Rehearsals {
    pool: Pool,
    /// Those that begin when an epoch is checkpointed.
    held: Vec<(Epoch, Job)>,
    /// How many have.
    pub begun: u64,
}

impl Rehearsals {
    /// Starts the threads, as many as these at least.
    pub fn start(threads: usize) -> io::Result<Rehearsals> {
        Ok(Rehearsals {
            pool: Pool::start("rehearsal", threads.max(LEAST_THREADS), Priority::Lower)?,
            held: Vec::new(),
            begun: 0,
        })
    }

    /// The threads.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }
}

impl Store {
    /// Sets a request aside whose run ended in a fault, until what it missed is in memory; or, if it has
    /// faulted several times, all that a rehearsal tells it to read. `earlier` is the ticket of its last fault: what that
    /// pinned stays pinned. A request need not have a rehearsal.
    pub fn retry(
        &mut self,
        missing: Missing,
        earlier: Option<Ticket>,
        rehearsal: impl FnOnce() -> Option<Rehearsal>,
    ) -> Ticket {
        let (faults, ended_early) = earlier.map_or((0, false), |earlier| self.faults.fetch.history(earlier));
        let rehearsal = match is_rehearsed(faults + 1, ended_early) {
            true => rehearsal(),
            false => None,
        };
        let ticket = match rehearsal {
            Some(rehearsal) => self.rehearse(missing.records, faults + 1, rehearsal),
            None => self.faults.fetch.request(missing.records),
        };
        if let Some(earlier) = earlier {
            self.faults.fetch.chain(earlier, ticket);
            self.faults.listings.chain(earlier, ticket);
        }
        if let Some(listing) = missing.listing {
            self.want_listing(ticket, listing);
        }
        ticket
    }

    /// How often the request with this ticket has faulted.
    pub fn faults(&self, ticket: Ticket) -> u32 {
        self.faults.fetch.history(ticket).0
    }

    fn rehearse(&mut self, missing: Vec<RecordKey>, fault: u32, rehearsal: Rehearsal) -> Ticket {
        let (ticket, waiter) = self.faults.fetch.expect_rehearsal();
        let (next_id, hides_only) = (self.catalog.next_id(), self.expiry.hides_only);
        let (cursors, layout) = (self.cursors.clone(), self.catalog.layout());
        let job = move |disk: &Disk| {
            Report::Rehearsed(disk.with_view(|view| {
                let most_names = most_names(fault, rehearsal.may_use_view);
                let view = RehearsalView::new(view, most_names, next_id, hides_only, cursors, waiter);
                run(view, layout, ticket, missing, rehearsal)
            }))
        };
        self.faults.rehearsals.begun += 1;
        let epoch = match fault {
            FIRST_REHEARSED => Epoch::NONE,
            _ => self.last_staged(),
        };
        self.faults.rehearsals.held.push((epoch, Box::new(job)));
        self.begin_rehearsals();
        ticket
    }

    /// Begins those rehearsals that need not wait for a checkpoint, or no longer.
    pub(super) fn begin_rehearsals(&mut self) {
        if let Some(epoch) = self.faults.rehearsals.held.iter().map(|(epoch, _)| *epoch).min() {
            self.want_checkpointed(epoch);
        }
        let (checkpointed, is_broken) = (self.checkpointed(), !self.health.is_writable());
        let rehearsals = &mut self.faults.rehearsals;
        for (_, job) in rehearsals
            .held
            .extract_if(.., |(epoch, _)| is_broken || *epoch <= checkpointed)
        {
            rehearsals.pool.ask(&self.disk, &self.reports.reporter, job);
        }
    }

    /// Has fetched what a rehearsal has named and memory does not know.
    pub(super) fn accept_rehearsal(&mut self, mut rehearsed: Rehearsed, ready: &mut Vec<Ticket>) {
        rehearsed.names.retain(|name| !self.is_absent(name));
        self.faults
            .fetch
            .accept_rehearsal(rehearsed, &mut self.hot, ready);
    }
}

/// Runs the body. The records that the request is known to miss are named whatever comes of that.
fn run(
    view: RehearsalView,
    layout: Layout,
    ticket: Ticket,
    missing: Vec<RecordKey>,
    rehearsal: Rehearsal,
) -> Rehearsed {
    let mut txn = Txn::rehearsing(view, layout, rehearsal.now);
    if txn.rehearsal().is_some_and(RehearsalView::is_awaited) {
        (rehearsal.body)(&mut txn);
    }
    let (mut named, ended_early) = txn
        .into_rehearsal()
        .map_or_else(Default::default, |view| (view.named, view.is_full));
    named.extend(missing.into_iter().map(|name| (name, None)));
    Rehearsed {
        ticket,
        names: named.into_keys().collect(),
        ended_early,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_goes_on_faulting_is_rehearsed_ever_more_rarely() {
        let rehearsed: Vec<u32> = (1..100).filter(|fault| is_rehearsed(*fault, false)).collect();
        assert_eq!(rehearsed, [3, 4, 8, 16, 32, 64]);
        assert!((3..100).all(|fault| is_rehearsed(fault, true)));
        assert!(!is_rehearsed(2, true));
    }
}
