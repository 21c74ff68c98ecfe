//! Faults: requests that wait for records which memory does not know. What one misses is fetched; one that goes on
//! faulting is rehearsed, and all that it reads is fetched together.

use std::io;

use super::fetch::{Fetch, Ticket};
use super::rehearsal::Rehearsals;
use super::threads::{Pool, Priority};
use super::{Damage, Store};
use crate::disk::format::RecordKey;

/// Who waits for which records, what is being read for them, and what is pinned.
pub struct Faults {
    /// What is read, and who waits for that.
    pub fetch: Fetch,
    /// Behind `fetch`, as those who wait are there: without them, rehearsals end.
    pub rehearsals: Rehearsals,
}

impl Faults {
    /// Starts the fetch pool, of `threads` threads, and the threads for rehearsals.
    pub fn start(threads: usize) -> io::Result<Faults> {
        Ok(Faults {
            fetch: Fetch::new(Pool::start("fetch", threads, Priority::Lowest)?),
            rehearsals: Rehearsals::start(threads)?,
        })
    }

    /// The fetch pool and the threads for rehearsals.
    pub fn pools(&self) -> [&Pool; 2] {
        [self.fetch.pool(), self.rehearsals.pool()]
    }
}

impl Store {
    /// Asks for records on behalf of a request, which runs again when [`super::News::ready`] names the ticket.
    #[cfg(test)]
    pub fn request(&mut self, records: Vec<RecordKey>) -> Ticket {
        self.faults.fetch.request(records)
    }

    /// No more than `bytes` are to be pinned for the ticket, which was just given.
    pub fn limit(&mut self, ticket: Ticket, bytes: usize) {
        self.faults.fetch.limit(ticket, bytes);
    }

    /// Whether the ticket's records were more than may be pinned for it.
    pub fn is_too_much(&self, ticket: Ticket) -> bool {
        self.faults.fetch.is_too_much(ticket)
    }

    /// Asks for records that are likely to be wanted soon.
    pub fn read_ahead(&mut self, records: Vec<RecordKey>) {
        self.faults.fetch.read_ahead(records.into_iter());
    }

    /// Whether all that the ticket's request waits for is there, or could not be read.
    pub fn is_ready(&self, ticket: Ticket) -> bool {
        self.faults.fetch.is_ready(ticket)
    }

    /// The error met while reading for a ticket.
    pub fn read_error(&mut self, ticket: Ticket) -> Option<Damage> {
        let (record, error) = self.faults.fetch.error(ticket)?;
        Some(Damage::unreadable(&error, Some(record)))
    }

    /// The request is over or given up.
    pub fn finish(&mut self, ticket: Ticket) {
        self.faults.fetch.finish(ticket, &mut self.hot);
    }
}
