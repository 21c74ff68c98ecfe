//! What memory knows of records: without the disk, and without waiting for anything.

use super::Store;
use super::keyspace::Key;
use super::value::Value;
use crate::disk::format::RecordKey;

impl Store {
    /// How many seconds ago the record was last used, as far as memory knows.
    pub(super) fn idle_seconds(&self, key: &RecordKey) -> u64 {
        let used = self.hot.peek(key).map(|slot| slot.epoch().second());
        used.map_or(0, |second| self.commits.second().saturating_sub(second))
    }

    /// Whether memory knows the record, which the processor is told to load.
    pub(super) fn is_known(&self, key: &RecordKey) -> bool {
        let Some(slot) = self.hot.peek(key) else {
            return self.is_absent(key);
        };
        slot.value.iter().for_each(Value::warm_up);
        true
    }

    /// A key that is not in the hot tier does not exist if all keys of its namespace are there.
    pub(super) fn is_absent(&self, key: &RecordKey) -> bool {
        let Some(namespace) = key.namespace() else {
            return false;
        };
        self.hot.resident(namespace) == self.catalog.keys_in(namespace).unwrap_or(0)
    }

    /// The record of a key, if only the disk knows it.
    pub fn unknown_key(&self, db: usize, name: &[u8]) -> Option<RecordKey> {
        let record = self.record_of(Key { db, name });
        (!self.is_known(&record)).then_some(record)
    }

    /// The record of a key.
    pub fn record_of(&self, key: Key) -> RecordKey {
        let holder = self.catalog.layout().holder(key.db, key.name);
        RecordKey::meta(self.catalog.namespace(holder).id, key.name)
    }

    /// Brings what memory knows of these records into the processor's cache. Nothing but lookups is in the loop over them,
    /// so that several wait for memory at once.
    pub fn warm_up<'r>(&self, records: impl IntoIterator<Item = &'r RecordKey>) {
        for record in records {
            if let Some(value) = self.value_in_memory(record) {
                value.warm_up();
            }
        }
    }

    /// The record's value, if there is one and memory knows it; this does not count as a use.
    pub fn value_in_memory(&self, record: &RecordKey) -> Option<&Value> {
        self.hot.peek(record)?.value.as_ref()
    }
}
