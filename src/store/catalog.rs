//! The catalog: which numbered database has which namespace, how many keys each has, and the next free id. These are the
//! records of the `system` family that the store itself keeps.

use crate::disk::format::{Database, RecordKey};
use crate::disk::{Disk, Durability, OpenError, Patience};

use super::StartError;
use super::epoch::Epoch;
use super::value::Value;

/// Ids are reserved on disk this many at a time, so that a crash never hands one out twice.
const IDS_PER_RESERVATION: u64 = 1024;
/// No store has ever given so many: one that says so would begin again soon.
const MAX_NEXT_ID: u64 = u64::MAX / 2;

/// The numbered databases, in three versions, and the counter of ids.
///
/// A commit that fails takes the catalog back to what is on disk: `current` is what transactions see, `sealed` what the
/// epoch in flight makes of it, `durable` what the last committed epoch made of it.
pub struct Catalog {
    current: Vec<Database>,
    sealed: Vec<Database>,
    durable: Vec<Database>,
    /// The last epoch that changed a database's counts, and the last that gave one another namespace.
    counts_epoch: Epoch,
    namespaces_epoch: Epoch,
    /// No id from here on was given out; and none from `reserved_ids` on is marked as taken on disk.
    next_id: u64,
    reserved_ids: u64,
}

impl Catalog {
    /// Reads the id counter and the first `count` databases. A database without a record gets its namespace now, on disk
    /// at once: two databases must never come to share one.
    ///
    /// # Errors
    /// One of the records cannot be read or makes no sense, or a new one cannot be written.
    pub fn read(disk: &Disk, count: usize) -> Result<Catalog, StartError> {
        let damaged = |text: &dyn std::fmt::Display| StartError::Damaged(text.to_string());
        let mut next_id = match disk.get(&RecordKey::next_id()).map_err(|e| damaged(&e))? {
            None => 1,
            Some(bytes) => u64::from_be_bytes(bytes.try_into().map_err(|_| damaged(&"next-id record"))?),
        };
        if next_id > MAX_NEXT_ID {
            return Err(damaged(&"next id"));
        }
        let mut databases = Vec::with_capacity(count);
        let mut batch = disk.batch().map_err(|e| damaged(&e))?;
        for number in 0..count {
            let key = RecordKey::database(number);
            let database = match disk.get(&key).map_err(|e| damaged(&e))? {
                Some(bytes) => Database::decode(&bytes).map_err(|e| damaged(&e))?,
                None => {
                    let database = Database {
                        namespace: next_id,
                        ..Database::default()
                    };
                    next_id += 1;
                    batch.put(&key, &database.encode());
                    database
                }
            };
            databases.push(database);
        }
        if !batch.is_empty() {
            batch.put(&RecordKey::next_id(), &next_id.to_be_bytes());
            disk.write(batch.finish(), Durability::Synced, Patience::Wait)
                .map_err(|e| StartError::Open(OpenError::Io(format!("{e:?}"))))?;
        }
        Ok(Catalog {
            sealed: databases.clone(),
            durable: databases.clone(),
            current: databases,
            counts_epoch: Epoch::NONE,
            namespaces_epoch: Epoch::NONE,
            next_id,
            // Not yet on disk: the first id that is taken writes the reservation.
            reserved_ids: 0,
        })
    }

    /// All databases, by number.
    pub fn databases(&self) -> &[Database] {
        &self.current
    }

    /// Whether no database has a key.
    pub fn is_empty(&self) -> bool {
        self.current.iter().all(|db| db.keys == 0)
    }

    /// The number of the database that has the namespace now.
    pub fn number_of(&self, namespace: u64) -> Option<usize> {
        self.current.iter().position(|db| db.namespace == namespace)
    }

    /// How many keys a namespace has; none, if no database has it.
    pub fn keys_in(&self, namespace: u64) -> u64 {
        let database = self.current.iter().find(|db| db.namespace == namespace);
        database.map_or(0, |db| db.keys)
    }

    /// The last epoch that changed the counts of a database.
    pub fn counts_epoch(&self) -> Epoch {
        self.counts_epoch
    }

    /// The last epoch that gave a database another namespace.
    pub fn namespaces_epoch(&self) -> Epoch {
        self.namespaces_epoch
    }

    /// An epoch changes the record of a database.
    pub fn stage(&mut self, number: usize, database: Database, epoch: Epoch) {
        if self.current[number].namespace != database.namespace {
            self.namespaces_epoch = epoch;
        }
        self.current[number] = database;
        self.counts_epoch = epoch;
    }

    /// The next id that was not given out.
    pub fn next_id(&self) -> u64 {
        self.next_id
    }

    /// A transaction took so many ids. Returns the value of the counter's record, if that has to be written anew.
    pub fn take_ids(&mut self, count: u64) -> Option<Value> {
        self.next_id += count;
        if self.next_id <= self.reserved_ids {
            return None;
        }
        self.reserved_ids = self.next_id + IDS_PER_RESERVATION;
        Some(Value::from(&self.reserved_ids.to_be_bytes()[..]))
    }

    /// The open epoch goes into flight.
    pub fn note_sealed(&mut self) {
        self.sealed.clone_from(&self.current);
    }

    /// The epoch in flight is committed.
    pub fn note_committed(&mut self) {
        std::mem::swap(&mut self.durable, &mut self.sealed);
    }

    /// The epoch in flight and the open one are lost.
    pub fn note_lost(&mut self) {
        self.current.clone_from(&self.durable);
        // The reservation may be among what was lost.
        self.reserved_ids = 0;
    }
}
