//! Faults: records that a request waits for, read on the fetch pool, many at once, each record once.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use foldhash::fast::RandomState;

use super::Report;
use super::hot::Hot;
use super::threads::{Pool, Reporter};
use super::value::Value;
use crate::disk::format::{Family, RecordKey};
use crate::disk::{Disk, ReadError};

/// Names a request that waits for records.
pub type Ticket = u64;

/// A record as it was read, or why it could not be.
pub type Fetched = (RecordKey, Result<Option<Value>, ReadError>);

/// What came of a rehearsal.
pub struct Rehearsed {
    /// That of the request.
    pub ticket: Ticket,
    /// Each once.
    pub names: Vec<RecordKey>,
    /// It came to a limit, so there are more.
    pub ended_early: bool,
}

/// Most records in one job for the pool: larger ones would leave its other threads idle.
const RECORDS_PER_JOB: usize = 64;
/// A blob counts for so many, as it may be of any length, and what one job reads is all in memory before any of it can be
/// refused.
const RECORDS_PER_BLOB: usize = 16;

/// With room for more, what keeps track of records being read is made anew when there are none.
const KEPT_READING: usize = 4096;

struct Reading {
    /// The record was written since: what is read must not be used.
    stale: bool,
    waiters: Vec<Ticket>,
}

/// A request that waits, from one fault to the next.
struct Waiting {
    missing: usize,
    pinned: Vec<RecordKey>,
    /// Bytes of what is pinned, and how many they may be.
    bytes: usize,
    most: usize,
    /// They would have been more: some of what was read is not pinned.
    is_too_much: bool,
    error: Option<(RecordKey, ReadError)>,
    /// How often the request has faulted.
    faults: u32,
    /// While it is rehearsed: nothing is asked for before that is over.
    rehearsal: Option<Arc<()>>,
    /// The rehearsal did not name all that it would have.
    ended_early: bool,
}

impl Waiting {
    fn new() -> Waiting {
        Waiting {
            missing: 0,
            pinned: Vec::new(),
            bytes: 0,
            most: usize::MAX,
            is_too_much: false,
            error: None,
            faults: 1,
            rehearsal: None,
            ended_early: false,
        }
    }
}

/// Records that are being read, each once, and the requests that wait for them.
pub struct Fetch {
    pool: Pool,
    reading: HashMap<RecordKey, Reading, RandomState>,
    waiting: HashMap<Ticket, Waiting, RandomState>,
    queued: Vec<RecordKey>,
    next_ticket: Ticket,
    /// Records read from disk so far.
    pub fetched: u64,
}

impl Fetch {
    /// Nothing to read so far, and a pool to read with.
    pub fn new(pool: Pool) -> Fetch {
        Fetch {
            pool,
            reading: HashMap::default(),
            waiting: HashMap::default(),
            queued: Vec::new(),
            next_ticket: 1,
            fetched: 0,
        }
    }

    /// The threads that read.
    pub fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Asks for records on behalf of one request. They are read at the next [`Fetch::dispatch`].
    pub fn request(&mut self, records: Vec<RecordKey>) -> Ticket {
        let ticket = self.next_ticket();
        let mut waiting = Waiting::new();
        waiting.missing = self.ask(ticket, records);
        self.waiting.insert(ticket, waiting);
        ticket
    }

    fn next_ticket(&mut self) -> Ticket {
        self.next_ticket += 1;
        self.next_ticket - 1
    }

    /// Asks for records for a ticket that none was asked for yet. Returns how many different ones they are.
    fn ask(&mut self, ticket: Ticket, records: impl IntoIterator<Item = RecordKey>) -> usize {
        let mut asked = 0;
        for record in records {
            let reading = self.reading.entry(record.clone()).or_insert_with(|| {
                self.queued.push(record);
                Reading {
                    stale: false,
                    waiters: Vec::with_capacity(1),
                }
            });
            // Had it asked for this one before, no other would have come since.
            if reading.waiters.last() != Some(&ticket) {
                reading.waiters.push(ticket);
                asked += 1;
            }
        }
        asked
    }

    /// A ticket for a request that is rehearsed first. The other end of what is returned is gone when it no longer waits.
    pub fn expect_rehearsal(&mut self) -> (Ticket, Weak<()>) {
        let (ticket, mut waiting) = (self.next_ticket(), Waiting::new());
        let waiter = Arc::downgrade(waiting.rehearsal.insert(Arc::new(())));
        self.waiting.insert(ticket, waiting);
        (ticket, waiter)
    }

    /// A rehearsal is over: what it has named and is in memory is pinned there, the rest asked for.
    pub fn accept_rehearsal(&mut self, rehearsed: Rehearsed, hot: &mut Hot, ready: &mut Vec<Ticket>) {
        let ticket = rehearsed.ticket;
        let Some(mut waiting) = self.waiting.remove(&ticket) else {
            return;
        };
        let (here, missing): (Vec<_>, Vec<_>) = rehearsed.names.into_iter().partition(|name| hot.pin(name));
        waiting.pinned.extend(here);
        waiting.missing = self.ask(ticket, missing);
        (waiting.rehearsal, waiting.ended_early) = (None, rehearsed.ended_early);
        if waiting.missing == 0 {
            ready.push(ticket);
        }
        self.waiting.insert(ticket, waiting);
    }

    /// How often the request has faulted, and whether its last rehearsal ended early.
    pub fn history(&self, ticket: Ticket) -> (u32, bool) {
        self.waiting
            .get(&ticket)
            .map_or((0, false), |waiting| (waiting.faults, waiting.ended_early))
    }

    /// Asks for records that nobody waits for yet.
    pub fn read_ahead(&mut self, records: impl Iterator<Item = RecordKey>) {
        for record in records {
            self.reading.entry(record.clone()).or_insert_with(|| {
                self.queued.push(record);
                Reading {
                    stale: false,
                    waiters: Vec::new(),
                }
            });
        }
    }

    /// Whether there is something for [`Fetch::dispatch`].
    pub fn has_queued(&self) -> bool {
        !self.queued.is_empty()
    }

    /// Records being read now.
    pub fn in_flight(&self) -> usize {
        self.reading.len()
    }

    /// Hands what is queued to the pool.
    pub fn dispatch(&mut self, disk: &Arc<Disk>, reporter: &Reporter) {
        if self.queued.is_empty() {
            return;
        }
        self.queued.sort_unstable();
        while !self.queued.is_empty() {
            let (mut keep, mut size) = (self.queued.len(), 0);
            while keep > 0 && size < RECORDS_PER_JOB {
                keep -= 1;
                size += match self.queued[keep].family() {
                    Family::Blob => RECORDS_PER_BLOB,
                    _ => 1,
                };
            }
            let keys = self.queued.split_off(keep);
            self.pool
                .ask(disk, reporter, |disk| Report::Fetched(read(disk, keys)));
        }
    }

    /// Takes what was read into the hot tier, pinned for those who wait. Returns the tickets that have all they need.
    pub fn accept(&mut self, fetched: Vec<Fetched>, hot: &mut Hot, ready: &mut Vec<Ticket>) {
        for (key, result) in fetched {
            self.fetched += 1;
            let Some(reading) = self.reading.remove(&key) else {
                continue;
            };
            let bytes = match &result {
                Ok(Some(value)) => value.len(),
                _ => 0,
            };
            let pins = self.make_room_for(&reading.waiters, bytes);
            let known = match &result {
                // It is more than may be pinned for anyone who wants it.
                Ok(_) if pins == 0 && !reading.waiters.is_empty() => false,
                Ok(value) if !reading.stale => {
                    hot.fill(&key, value.clone(), pins);
                    true
                }
                // It was written meanwhile: what the hot tier has is newer. Gone from there too, it is fetched again.
                Ok(_) if hot.peek(&key).is_some() => {
                    hot.fill(&key, None, pins);
                    true
                }
                _ => false,
            };
            for ticket in reading.waiters {
                let Some(waiting) = self.waiting.get_mut(&ticket) else {
                    continue;
                };
                waiting.missing -= 1;
                if known && !waiting.is_too_much {
                    waiting.pinned.push(key.clone());
                }
                if let Err(e) = &result {
                    waiting.error = Some((key.clone(), e.clone()));
                }
                if waiting.missing == 0 {
                    ready.push(ticket);
                }
            }
        }
        if self.reading.is_empty() && self.reading.capacity() > KEPT_READING {
            self.reading = HashMap::default();
        }
    }

    /// For how many of the tickets `bytes` more can be pinned.
    fn make_room_for(&mut self, tickets: &[Ticket], bytes: usize) -> u32 {
        let mut pins = 0;
        for ticket in tickets {
            let Some(waiting) = self.waiting.get_mut(ticket) else {
                continue;
            };
            waiting.bytes += bytes;
            waiting.is_too_much |= waiting.bytes > waiting.most;
            pins += u32::from(!waiting.is_too_much);
        }
        pins
    }

    /// No more than `bytes` are to be pinned for the ticket.
    pub fn limit(&mut self, ticket: Ticket, bytes: usize) {
        if let Some(waiting) = self.waiting.get_mut(&ticket) {
            waiting.most = bytes;
        }
    }

    /// Whether the ticket's records were more than may be pinned for it.
    pub fn is_too_much(&self, ticket: Ticket) -> bool {
        self.waiting
            .get(&ticket)
            .is_some_and(|waiting| waiting.is_too_much)
    }

    /// A record was written: a read of it under way is out of date.
    pub fn invalidate(&mut self, key: &RecordKey) {
        if !self.reading.is_empty()
            && let Some(reading) = self.reading.get_mut(key)
        {
            reading.stale = true;
        }
    }

    /// Whether all that the ticket's request waits for was read, or it waits no longer.
    pub fn is_ready(&self, ticket: Ticket) -> bool {
        self.waiting
            .get(&ticket)
            .is_none_or(|waiting| waiting.missing == 0 && waiting.rehearsal.is_none())
    }

    /// The error that reading for this ticket met, if any, and the record that could not be read.
    pub fn error(&mut self, ticket: Ticket) -> Option<(RecordKey, ReadError)> {
        self.waiting.get_mut(&ticket)?.error.take()
    }

    /// Moves the pins of `earlier` to `later`: one request that faults again still wants what it has.
    pub fn chain(&mut self, earlier: Ticket, later: Ticket) {
        let Some(earlier) = self.waiting.remove(&earlier) else {
            return;
        };
        if let Some(later) = self.waiting.get_mut(&later) {
            later.faults = earlier.faults + 1;
            later.bytes += earlier.bytes;
            let mut pinned = earlier.pinned;
            pinned.append(&mut later.pinned);
            later.pinned = pinned;
        }
    }

    /// The request is over, or given up: its pins come off.
    pub fn finish(&mut self, ticket: Ticket, hot: &mut Hot) {
        if let Some(waiting) = self.waiting.remove(&ticket) {
            waiting.pinned.iter().for_each(|key| hot.unpin(key));
        }
    }
}

/// Reads sorted keys, a family at a time.
fn read(disk: &Disk, keys: Vec<RecordKey>) -> Vec<Fetched> {
    let mut results = Vec::with_capacity(keys.len());
    for chunk in keys.chunk_by(|a, b| a.family() == b.family()) {
        let mut next = chunk.iter();
        disk.multi_get(chunk[0].family(), chunk.iter(), |found| {
            if let Some(key) = next.next() {
                results.push((key.clone(), found.map(|value| value.map(Value::from))));
            }
        });
    }
    results
}
