//! The catalog: which numbered database, or which slot of it, has which namespace, how many keys each has, and the next free
//! id. These are the records of the `system` family that the store itself keeps.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::disk::format::{IN_SLOTS, Namespace, RecordKey};
use crate::disk::{Disk, Durability, OpenError, Patience, ReadError};

use super::StartError;
use super::epoch::Epoch;
use super::layout::{Holder, Layout, Namespaces};
use super::value::Value;

/// Ids are reserved on disk this many at a time, so that a crash never hands one out twice.
const IDS_PER_RESERVATION: u64 = 1024;
/// No store has ever given so many: one that says so would begin again soon.
const MAX_NEXT_ID: u64 = u64::MAX / 2;

/// What a numbered database has, in all its namespaces.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Keys.
    pub keys: u64,
    /// Those of them that have a deadline.
    pub expires: u64,
}

/// A namespace as transactions see it.
#[derive(Clone, Copy, Default)]
struct Held {
    namespace: Namespace,
    /// The last epoch that changed it.
    changed: Epoch,
}

/// The namespaces of all databases, and the counter of ids. What an epoch changes is with the epoch as it was before
/// ([`super::commit::Group`]): so one whose commit fails is taken back.
pub struct Catalog {
    layout: Layout,
    /// Of each holder, as [`Catalog::index`] numbers them.
    held: Vec<Held>,
    /// What each database has.
    databases: Vec<Counts>,
    /// Whose a namespace is, where databases have many. Where each has one, it is found faster without.
    by_id: HashMap<u64, usize, RandomState>,
    /// The last epoch that changed a namespace's counts, and the last in whose place another came.
    counts_epoch: Epoch,
    namespaces_epoch: Epoch,
    /// No id from here on was given out; and none from `reserved_ids` on is marked as taken on disk.
    next_id: u64,
    reserved_ids: u64,
}

impl Catalog {
    /// Reads the id counter and the first `count` databases. One without a record is made now, on disk at once, as those
    /// there are divided, or the first one as `layout` says: two databases must never come to share a namespace.
    ///
    /// # Errors
    /// One of the records cannot be read or makes no sense, or a new one cannot be written.
    pub fn read(disk: &Disk, count: usize, layout: Layout) -> Result<Catalog, StartError> {
        let mut next_id = match get(disk, &RecordKey::next_id())? {
            None => 1,
            Some(bytes) => u64::from_be_bytes(bytes.try_into().map_err(|_| damaged("next-id record"))?),
        };
        if next_id > MAX_NEXT_ID {
            return Err(damaged("next id"));
        }
        let layout = match get(disk, &RecordKey::database(0))? {
            None => layout,
            Some(record) if record == IN_SLOTS => Layout::Slots,
            Some(_) => Layout::One,
        };
        let mut catalog = Catalog::empty(layout, count);
        let mut batch = disk.batch().map_err(damaged)?;
        for number in 0..count {
            let key = RecordKey::database(number);
            match (layout, get(disk, &key)?) {
                (Layout::One, Some(record)) => {
                    let holder = Holder { db: number, slot: 0 };
                    catalog.restore(holder, Namespace::decode(&record).map_err(damaged)?);
                }
                (Layout::One, None) => {
                    let namespace = Namespace {
                        id: next_id,
                        ..Namespace::default()
                    };
                    next_id += 1;
                    batch.put(&key, &namespace.encode());
                    catalog.restore(Holder { db: number, slot: 0 }, namespace);
                }
                (Layout::Slots, Some(record)) if record == IN_SLOTS => {}
                (Layout::Slots, Some(_)) => return Err(damaged("database record")),
                (Layout::Slots, None) => batch.put(&key, IN_SLOTS),
            }
        }
        if layout == Layout::Slots {
            catalog.read_slots(disk)?;
        }
        if !batch.is_empty() {
            batch.put(&RecordKey::next_id(), &next_id.to_be_bytes());
            disk.write(batch.finish(), Durability::Synced, Patience::Wait)
                .map_err(|e| StartError::Open(OpenError::Io(format!("{e:?}"))))?;
        }
        catalog.next_id = next_id;
        Ok(catalog)
    }

    fn empty(layout: Layout, databases: usize) -> Catalog {
        Catalog {
            layout,
            held: vec![Held::default(); databases * usize::from(layout.width())],
            databases: vec![Counts::default(); databases],
            by_id: HashMap::default(),
            counts_epoch: Epoch::NONE,
            namespaces_epoch: Epoch::NONE,
            next_id: 1,
            // Not yet on disk: the first id that is taken writes the reservation.
            reserved_ids: 0,
        }
    }

    fn read_slots(&mut self, disk: &Disk) -> Result<(), StartError> {
        let first = Holder { db: 0, slot: 0 };
        disk.with_view(|view| {
            let mut namespaces = Namespaces::of_slots(view, first, self.databases.len())?;
            while let Some((holder, namespace)) = namespaces.next_one()? {
                self.restore(holder, namespace);
            }
            Ok(())
        })
        .map_err(|e: ReadError| damaged(e))
    }

    /// How databases are divided.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// What each database has, by number.
    pub fn databases(&self) -> &[Counts] {
        &self.databases
    }

    /// Whether no database has a key.
    pub fn is_empty(&self) -> bool {
        self.databases.iter().all(|counts| counts.keys == 0)
    }

    /// The namespace that something has now.
    pub fn namespace(&self, holder: Holder) -> Namespace {
        self.held[self.index(holder)].namespace
    }

    /// The number of the database that has the namespace now, alone or among others.
    pub fn number_of(&self, id: u64) -> Option<usize> {
        self.index_of(id)
            .map(|index| index / usize::from(self.layout.width()))
    }

    /// How many keys a namespace has; `None` if it is nobody's now.
    pub fn keys_in(&self, id: u64) -> Option<u64> {
        self.index_of(id).map(|index| self.held[index].namespace.keys)
    }

    fn index(&self, holder: Holder) -> usize {
        holder.db * usize::from(self.layout.width()) + usize::from(holder.slot)
    }

    fn index_of(&self, id: u64) -> Option<usize> {
        match self.layout {
            Layout::One => self.held.iter().position(|held| held.namespace.id == id),
            Layout::Slots => self.by_id.get(&id).copied(),
        }
    }

    /// The last epoch that changed the counts of a namespace.
    pub fn counts_epoch(&self) -> Epoch {
        self.counts_epoch
    }

    /// The last epoch that gave something another namespace than it had.
    pub fn namespaces_epoch(&self) -> Epoch {
        self.namespaces_epoch
    }

    /// An epoch changes a namespace, or gives something another one. Returns what it was before the epoch, if this is the
    /// first change.
    pub fn stage(&mut self, holder: Holder, namespace: Namespace, epoch: Epoch) -> Option<Namespace> {
        let index = self.index(holder);
        let Held {
            namespace: before,
            changed,
        } = self.held[index];
        self.held[index].changed = epoch;
        self.counts_epoch = epoch;
        // One that comes where none was is either new, so nobody knows it, or somebody else's no longer.
        if before.is_there() && before.id != namespace.id {
            self.namespaces_epoch = epoch;
        }
        self.restore(holder, namespace);
        (changed != epoch).then_some(before)
    }

    /// Something has a namespace that it had before: those who changed it are lost.
    pub fn restore(&mut self, holder: Holder, namespace: Namespace) {
        let index = self.index(holder);
        let before = std::mem::replace(&mut self.held[index].namespace, namespace);
        let counts = &mut self.databases[holder.db];
        // What a damaged record says may not even add up.
        counts.keys = counts.keys.wrapping_sub(before.keys).wrapping_add(namespace.keys);
        counts.expires = counts
            .expires
            .wrapping_sub(before.expires)
            .wrapping_add(namespace.expires);
        if self.layout == Layout::Slots && before.id != namespace.id {
            // Unless that is somebody else's already.
            if self.by_id.get(&before.id) == Some(&index) {
                self.by_id.remove(&before.id);
            }
            if namespace.is_there() {
                self.by_id.insert(namespace.id, index);
            }
        }
    }

    /// The next id that was not given out.
    pub fn next_id(&self) -> u64 {
        self.next_id
    }

    /// A transaction took `count` ids. Returns the value of the counter's record, if that has to be written anew.
    pub fn take_ids(&mut self, count: u64) -> Option<Value> {
        self.next_id += count;
        if self.next_id <= self.reserved_ids {
            return None;
        }
        self.reserved_ids = self.next_id + IDS_PER_RESERVATION;
        Some(Value::from(&self.reserved_ids.to_be_bytes()[..]))
    }

    /// The epoch in flight and the open one are lost, after what they changed was restored.
    pub fn note_lost(&mut self) {
        // The reservation may be among what was lost.
        self.reserved_ids = 0;
    }
}

fn get(disk: &Disk, key: &RecordKey) -> Result<Option<Vec<u8>>, StartError> {
    disk.get(key).map_err(damaged)
}

fn damaged(what: impl std::fmt::Display) -> StartError {
    StartError::Damaged(what.to_string())
}

#[cfg(test)]
impl Catalog {
    /// Of databases that have these namespaces.
    pub fn of(namespaces: &[Namespace]) -> Catalog {
        let mut catalog = Catalog::empty(Layout::One, namespaces.len());
        for (db, namespace) in namespaces.iter().enumerate() {
            catalog.restore(Holder { db, slot: 0 }, *namespace);
        }
        catalog
    }
}
