//! Watched keys: who watches some is told of any change to them, at once when it is staged and not only when it is settled,
//! as whoever runs next sees it.
//!
//! A change is one that another command could see. It is found at the writes of a transaction, when it is staged: at the
//! key's own record, at a record of what it owns (a page of a large hash changes, and the key's record does not), or at the
//! database that gets another namespace (FLUSHDB, SWAPDB). A deadline that passes is a change, too, though nothing is
//! written. What writes nothing changes nothing, and neither does the delete of a key that was not there; unless it is a change
//! in Redis, as giving a key the value that it has: such a key is touched.
//!
//! While nobody watches, this costs a comparison for each transaction that writes.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::Store;
use super::epoch::Epoch;
use super::layout::Holder;
use crate::disk::format::RecordKey;

/// Names one who watches: a client.
pub type Watcher = u64;

/// A key as it was when its watcher saw it.
pub struct Watched {
    /// Who watches it.
    pub watcher: Watcher,
    /// What has the namespace that it is in.
    pub holder: Holder,
    /// Its name there.
    pub name: Vec<u8>,
    /// Its record.
    pub record: RecordKey,
    /// `None`: it was not there.
    pub found: Option<Found>,
}

/// A key that has changed to those who watch it.
pub struct Touched {
    /// What has the namespace that it is in.
    pub holder: Holder,
    /// Its name there.
    pub name: Vec<u8>,
}

/// What there was of it.
#[derive(Clone, Copy)]
pub struct Found {
    /// The id that its other records are under.
    pub id: Option<u64>,
    /// Unix milliseconds.
    pub deadline: Option<u64>,
}

/// Who watches what.
#[derive(Default)]
pub struct Watches {
    watching: HashMap<Watcher, Watching, RandomState>,
    /// Who watches the key of this record.
    by_record: HashMap<RecordKey, Vec<Watcher>, RandomState>,
    /// Who watches the key that owns this id.
    by_id: HashMap<u64, Vec<Watcher>, RandomState>,
}

#[derive(Default)]
struct Watching {
    /// None, once one of them has changed.
    keys: Vec<Watched>,
    /// The epoch that changed one of them.
    changed: Option<Epoch>,
    /// How many there were before.
    count: usize,
}

impl Watched {
    fn id(&self) -> Option<u64> {
        self.found.and_then(|found| found.id)
    }

    /// Whether a record is the key's, or one of what it owns.
    fn has(&self, record: &RecordKey) -> bool {
        self.record == *record || self.id().is_some_and(|id| record.owner() == Some(id))
    }

    fn is_due(&self, now: u64) -> bool {
        let deadline = self.found.and_then(|found| found.deadline);
        deadline.is_some_and(|deadline| deadline <= now)
    }
}

impl Watches {
    /// Whether nobody watches anything that has not changed yet.
    pub fn is_empty(&self) -> bool {
        self.by_record.is_empty()
    }

    /// From now on somebody watches a key that a transaction has looked up, and that nobody has changed since.
    pub fn add(&mut self, watched: Watched) {
        let watching = self.watching.entry(watched.watcher).or_default();
        if watching.changed.is_some() {
            return;
        }
        let (watcher, id) = (watched.watcher, watched.id());
        let watchers = self.by_record.entry(watched.record.clone()).or_default();
        if watchers.contains(&watcher) {
            return;
        }
        watchers.push(watcher);
        if let Some(id) = id {
            self.by_id.entry(id).or_default().push(watcher);
        }
        watching.keys.push(watched);
        watching.count = watching.count.max(watching.keys.len());
    }

    /// The names of all keys that are watched in these databases, some of them more than once.
    pub fn names_in(&self, databases: [usize; 2]) -> Vec<Vec<u8>> {
        let keys = self.watching.values().flat_map(|watching| &watching.keys);
        keys.filter(|watched| databases.contains(&watched.holder.db))
            .map(|watched| watched.name.clone())
            .collect()
    }

    /// Takes out what somebody watches.
    fn take_keys(&mut self, watcher: Watcher) -> Vec<Watched> {
        let watching = self.watching.get_mut(&watcher);
        let keys = watching.map(|watching| std::mem::take(&mut watching.keys));
        let keys = keys.unwrap_or_default();
        for watched in &keys {
            leave(&mut self.by_record, &watched.record, watcher);
            if let Some(id) = watched.id() {
                leave(&mut self.by_id, &id, watcher);
            }
        }
        keys
    }

    /// One of the keys that somebody watches changes, in this epoch.
    fn change(&mut self, watcher: Watcher, epoch: Epoch) {
        self.take_keys(watcher);
        if let Some(watching) = self.watching.get_mut(&watcher) {
            watching.changed.get_or_insert(epoch);
        }
    }

    /// A record is written, or deleted.
    pub fn note_write(&mut self, record: &RecordKey, is_delete: bool, epoch: Epoch) {
        let watchers = match record.owner() {
            Some(id) => self.by_id.get(&id),
            None => self.by_record.get(record),
        };
        for watcher in watchers.cloned().unwrap_or_default() {
            let changes = |watched: &Watched| watched.has(record) && (watched.found.is_some() || !is_delete);
            let watching = self.watching.get(&watcher);
            if watching.is_some_and(|watching| watching.keys.iter().any(changes)) {
                self.change(watcher, epoch);
            }
        }
    }

    /// A key has changed, its record being this one.
    pub fn note_touch(&mut self, record: &RecordKey, epoch: Epoch) {
        for watcher in self.by_record.get(record).cloned().unwrap_or_default() {
            self.change(watcher, epoch);
        }
    }

    /// A namespace is to be this holder's, another one maybe. `record_of` says what the record of a key is there, and whether
    /// it may exist.
    pub fn note_namespace(
        &mut self,
        holder: Holder,
        epoch: Epoch,
        record_of: impl Fn(&[u8]) -> (RecordKey, bool),
    ) {
        let is_here = |watching: &Watching| watching.keys.iter().any(|watched| watched.holder == holder);
        let watchers: Vec<Watcher> = self
            .watching
            .iter()
            .filter_map(|(watcher, watching)| is_here(watching).then_some(*watcher))
            .collect();
        for watcher in watchers {
            for mut watched in self.take_keys(watcher) {
                if watched.holder == holder {
                    let (record, may_exist) = record_of(&watched.name);
                    if record != watched.record && (watched.found.is_some() || may_exist) {
                        self.change(watcher, epoch);
                        break;
                    }
                    watched.record = record;
                }
                self.add(watched);
            }
        }
    }

    /// All that was staged lately is lost: whoever saw some of it saw what is no more.
    pub fn note_lost(&mut self, epoch: Epoch) {
        let watchers: Vec<Watcher> = self.watching.keys().copied().collect();
        for watcher in watchers {
            self.change(watcher, epoch);
        }
    }
}

fn leave<K: Eq + std::hash::Hash>(
    map: &mut HashMap<K, Vec<Watcher>, RandomState>,
    key: &K,
    watcher: Watcher,
) {
    if let Some(watchers) = map.get_mut(key) {
        watchers.retain(|other| *other != watcher);
        if watchers.is_empty() {
            map.remove(key);
        }
    }
}

impl Store {
    /// Whether a key that somebody watches has changed since: then, the epoch that has to be settled before anybody is told.
    pub fn watched_change(&self, watcher: Watcher, now: u64) -> Option<Epoch> {
        let watching = self.watches.watching.get(&watcher)?;
        let is_due = watching.keys.iter().any(|watched| watched.is_due(now));
        watching.changed.or(is_due.then_some(Epoch::NONE))
    }

    /// How many keys somebody watches, changed or not.
    pub fn watched(&self, watcher: Watcher) -> usize {
        let watching = self.watches.watching.get(&watcher);
        watching.map_or(0, |watching| watching.count)
    }

    /// How many watch any, and how many keys are watched that have not changed.
    pub fn watching(&self) -> (usize, usize) {
        (self.watches.watching.len(), self.watches.by_record.len())
    }

    /// Somebody watches nothing any more.
    pub fn unwatch(&mut self, watcher: Watcher) {
        self.watches.take_keys(watcher);
        self.watches.watching.remove(&watcher);
    }
}
