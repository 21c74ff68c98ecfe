//! Awaited keys: somebody waits until there is something in them. Whatever a transaction writes to one makes it *touched*,
//! when it is staged; who waits looks then whether that is what is waited for.
//!
//! What touches a key is a write of its own record: it comes to be there, is deleted, or something is added to a stream. So
//! does a database that gets another namespace (FLUSHDB, SWAPDB), and the loss of an epoch. Of what a large value owns, the
//! records may change without that; nobody waits for such changes.
//!
//! While nobody waits, this costs a comparison for each transaction that writes.

use std::collections::{HashMap, HashSet, VecDeque};

use foldhash::fast::RandomState;

use super::Store;
use super::keyspace::Key;
use super::layout::Holder;
use super::work::Work;
use crate::disk::format::{Header, Kind, RecordKey};

/// A key that somebody waits for.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct AwaitedKey {
    /// The number of its database.
    pub db: usize,
    /// Its name there.
    pub name: Box<[u8]>,
}

impl AwaitedKey {
    fn as_key(&self) -> Key<'_> {
        Key {
            db: self.db,
            name: &self.name,
        }
    }
}

/// What there is of a key, as far as memory knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Presence {
    /// Only the disk knows.
    Unknown,
    /// It is not there, or past its deadline.
    Absent,
    /// It is there, and holds this.
    Holds(Kind),
}

/// The keys that somebody waits for, and those of them that were touched.
#[derive(Default)]
pub struct Awaited {
    /// By their records. Where no namespace is there yet, keys of several databases have one in common.
    by_record: HashMap<RecordKey, Vec<Awaiting>, RandomState>,
    /// The number of the next one.
    next: u64,
    touched: Touched,
    /// Those that are to be touched again.
    put_off: Touched,
}

/// Keys that were touched, in order, each once.
#[derive(Default)]
struct Touched {
    order: VecDeque<AwaitedKey>,
    known: HashSet<AwaitedKey, RandomState>,
}

impl Touched {
    fn push(&mut self, key: AwaitedKey) {
        if self.known.insert(key.clone()) {
            self.order.push_back(key);
        }
    }

    fn pop(&mut self) -> Option<AwaitedKey> {
        let key = self.order.pop_front()?;
        self.known.remove(&key);
        Some(key)
    }
}

/// One of them.
struct Awaiting {
    key: AwaitedKey,
    holder: Holder,
    /// They are numbered as they come.
    number: u64,
}

impl Awaited {
    fn is_empty(&self) -> bool {
        self.by_record.is_empty()
    }

    /// A record of a key is written, or deleted.
    fn note_write(&mut self, record: &RecordKey) {
        let keys = self.by_record.get(record);
        let keys: Vec<AwaitedKey> = keys.into_iter().flatten().map(|one| one.key.clone()).collect();
        keys.into_iter().for_each(|key| self.touched.push(key));
    }

    /// Takes out those whose holder `is_meant`, in the order in which they came.
    fn take_of(&mut self, is_meant: impl Fn(Holder) -> bool) -> Vec<Awaiting> {
        let mut taken = Vec::new();
        self.by_record.retain(|_, some| {
            taken.extend(some.extract_if(.., |one| is_meant(one.holder)));
            !some.is_empty()
        });
        taken.sort_unstable_by_key(|one| one.number);
        taken
    }

    /// Puts one back whose record is another one maybe.
    fn put_back(&mut self, record: RecordKey, awaiting: Awaiting) {
        self.touched.push(awaiting.key.clone());
        self.by_record.entry(record).or_default().push(awaiting);
    }
}

impl Store {
    /// From now on somebody waits for a key that nobody has waited for.
    pub fn await_key(&mut self, key: AwaitedKey) {
        let holder = self.catalog.layout().holder(key.db, &key.name);
        let record = RecordKey::meta(self.catalog.namespace(holder).id, &key.name);
        let number = self.awaited.next;
        self.awaited.next += 1;
        let awaiting = Awaiting { key, holder, number };
        self.awaited.by_record.entry(record).or_default().push(awaiting);
    }

    /// Nobody waits for a key any more.
    pub fn leave_key(&mut self, key: &AwaitedKey) {
        let record = self.record_of(key.as_key());
        if let Some(some) = self.awaited.by_record.get_mut(&record) {
            some.retain(|one| one.key != *key);
            if some.is_empty() {
                self.awaited.by_record.remove(&record);
            }
        }
    }

    /// Whether awaited keys were touched that [`Store::take_touched`] has not returned yet.
    #[inline]
    pub fn has_touched(&self) -> bool {
        !self.awaited.touched.order.is_empty()
    }

    /// The next key that was touched. It may be that nobody waits for it any more.
    pub fn take_touched(&mut self) -> Option<AwaitedKey> {
        self.awaited.touched.pop()
    }

    /// Has a key count as touched.
    pub fn touch_awaited(&mut self, key: AwaitedKey) {
        self.awaited.touched.push(key);
    }

    /// Has a key count as touched from the next call of [`Store::touch_put_off`] on.
    pub fn put_off_touched(&mut self, key: AwaitedKey) {
        self.awaited.put_off.push(key);
    }

    /// Has those keys count as touched that were put off.
    pub fn touch_put_off(&mut self) {
        while let Some(key) = self.awaited.put_off.pop() {
            self.awaited.touched.push(key);
        }
    }

    /// What there is of a key at this time, without waiting for the disk, and without counting as a use.
    pub fn presence(&self, key: &AwaitedKey, now: u64) -> Presence {
        let record = self.record_of(key.as_key());
        let Some(slot) = self.hot.peek(&record) else {
            return match self.is_absent(&record) {
                true => Presence::Absent,
                false => Presence::Unknown,
            };
        };
        let Some(value) = &slot.value else {
            return Presence::Absent;
        };
        match Header::decode(value) {
            Ok((header, _)) if header.deadline.is_some_and(|deadline| deadline <= now) => Presence::Absent,
            Ok((header, _)) => Presence::Holds(header.kind),
            // Who reads it is told of the damage.
            Err(_) => Presence::Unknown,
        }
    }

    /// Looks for awaited keys in what a transaction changes that is about to be staged.
    #[inline]
    pub(super) fn touch_written(&mut self, work: &Work) {
        if !self.awaited.is_empty() {
            self.touch_all_written(work);
        }
    }

    fn touch_all_written(&mut self, work: &Work) {
        // Where records are that are written: in the namespaces as they are to be.
        let changes = &work.namespaces.log;
        if changes.iter().any(|change| self.moves(change)) {
            let ids = changes.iter().map(|change| (change.key, change.value.id));
            let ids: HashMap<Holder, u64, RandomState> = ids.collect();
            for one in self.awaited.take_of(|holder| ids.contains_key(&holder)) {
                let record = RecordKey::meta(ids[&one.holder], &one.key.name);
                self.awaited.put_back(record, one);
            }
        }
        for write in &work.writes.log {
            self.awaited.note_write(&write.key);
        }
    }

    /// What was staged lately is lost, and namespaces are what they were: any of the keys may be there again.
    pub(super) fn touch_all_awaited(&mut self) {
        for one in self.awaited.take_of(|_| true) {
            let record = self.record_of(one.key.as_key());
            self.awaited.put_back(record, one);
        }
    }
}
