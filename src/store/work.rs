//! What a transaction gathers as it runs, and what it takes back.

use super::author::Author;
use super::changes::Changes;
use super::effects::{Effect, Lookups};
use super::epoch::Epoch;
use super::layout::Holder;
use super::listings::Wanted;
use super::reads::Reads;
use super::value::Value;
use super::watches::{Touched, Watched};
use crate::disk::delta::Known;
use crate::disk::format::{Namespace, RecordKey};

/// How far a transaction's work had come.
#[derive(Clone, Copy, Default)]
pub(super) struct Mark {
    /// Writes that there were; likewise the others.
    pub writes: usize,
    pub namespaces: usize,
    effects: usize,
    events: usize,
    lookups: Lookups,
    watched: usize,
    touched: usize,
    ids: u64,
}

/// What a transaction gathers. Kept by the store between transactions for its allocations.
#[derive(Default)]
pub(super) struct Work {
    /// Records as they are to be.
    pub writes: Writes,
    /// Namespaces as they are to be.
    pub namespaces: Changes<Holder, Namespace>,
    /// What it causes beside that, in order.
    pub effects: Vec<Effect>,
    /// Bytes that the events and messages among them take.
    pub events: usize,
    /// Its lookups so far.
    pub lookups: Lookups,
    /// Keys to be watched from its end on.
    pub watched: Vec<Watched>,
    /// Keys that have changed to those who watch them, whatever was written.
    pub touched: Vec<Touched>,
    /// Records that memory does not know.
    pub missing: Vec<RecordKey>,
    /// A listing that there is not yet.
    pub listing: Option<Wanted>,
    /// All writes up to here delete keys that were found expired.
    pub expired_to: Mark,
    /// What it has read of what was there, where that is noted.
    pub reads: Option<Box<Reads>>,
    /// What a transaction before it noted that in, emptied.
    pub spare_reads: Option<Box<Reads>>,
    /// Ids taken so far.
    pub ids: u64,
    /// The latest epoch that wrote anything this transaction has seen.
    pub depends: Epoch,
    /// For those who are to be told of changes to keys.
    pub author: Author,
}

/// What a transaction missed whose run ended in a fault.
#[derive(Default)]
pub struct Missing {
    /// Records that memory does not know.
    pub records: Vec<RecordKey>,
    /// A listing that there is not yet.
    pub(super) listing: Option<Wanted>,
}

impl Missing {
    /// Whether there is anything.
    pub fn is_any(&self) -> bool {
        !self.records.is_empty() || self.listing.is_some()
    }

    /// Adds what another one missed.
    pub fn add(&mut self, other: Missing) {
        self.records.extend(other.records);
        self.listing = self.listing.take().or(other.listing);
    }
}

/// What a transaction of more writes or wishes gathered is not kept for the next one.
const KEPT_RECORDS: usize = 1 << 10;

impl Work {
    /// Forgets all but the allocations.
    pub fn clear(&mut self) {
        self.writes.clear();
        self.namespaces.clear();
        self.missing.clear();
        self.listing = None;
        self.effects.clear();
        self.watched.clear();
        self.touched.clear();
        if let Some(mut reads) = self.reads.take()
            && reads.clear()
        {
            self.spare_reads = Some(reads);
        }
        self.expired_to = Mark::default();
        self.events = 0;
        (self.lookups, self.ids, self.depends) = (Lookups::default(), 0, Epoch::NONE);
        self.author.clear();
    }

    /// Whether its allocations are too many to be kept.
    pub fn is_large(&self) -> bool {
        let gathered = [
            self.writes.log.capacity(),
            self.namespaces.log.capacity(),
            self.missing.capacity(),
            self.effects.capacity(),
        ];
        gathered.into_iter().any(|capacity| capacity > KEPT_RECORDS)
    }

    /// How far it has come.
    pub fn mark(&mut self) -> Mark {
        Mark {
            writes: self.writes.mark(),
            namespaces: self.namespaces.mark(),
            effects: self.effects.len(),
            events: self.events,
            lookups: self.lookups,
            watched: self.watched.len(),
            touched: self.touched.len(),
            ids: self.ids,
        }
    }

    /// Takes back what came after a mark.
    pub fn return_to(&mut self, mark: Mark) {
        self.writes.return_to(mark.writes);
        self.namespaces.return_to(mark.namespaces);
        self.effects.truncate(mark.effects);
        self.events = mark.events;
        self.lookups = mark.lookups;
        self.watched.truncate(mark.watched);
        self.touched.truncate(mark.touched);
        self.ids = mark.ids;
    }

    /// As [`Work::return_to`], of what failed: what it told of all the same stays told.
    pub fn return_from_failure(&mut self, mark: Mark) {
        let mut told = match self.effects.len() > mark.effects {
            true => self.effects.split_off(mark.effects),
            false => Vec::new(),
        };
        told.retain(Effect::outlasts_failure);
        let events = match told.is_empty() {
            true => mark.events,
            // Some of them, and so no less.
            false => self.events,
        };
        self.return_to(mark);
        self.effects.append(&mut told);
        self.events = events;
    }

    /// Takes back all but the deletes of expired keys that began the transaction. They need no ids.
    pub fn retain_expiry_deletes(&mut self) {
        let expired = std::mem::take(&mut self.expired_to);
        self.return_from_failure(expired);
        self.ids = 0;
    }
}

/// A record as it is to be.
pub(super) struct ToBe {
    /// `None`: it is deleted.
    pub value: Option<Value>,
    /// How the value differs from the one before.
    pub known: Known,
    /// It is no change to those who watch the key.
    pub is_unwatched: bool,
}

/// The overlay of records.
pub(super) type Writes = Changes<RecordKey, ToBe>;
