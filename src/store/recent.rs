//! What a body over a view has read last: random choices, and requests that name one thing many times, read records again
//! and again.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::value::Value;
use crate::disk::format::RecordKey;

/// When they are more bytes than this, all are forgotten.
const MOST: usize = 1 << 20;
/// What one takes beside its key and its value.
const ENTRY: usize = 100;

/// Records and their values, those that do not exist included.
#[derive(Default)]
pub struct Recent {
    records: RefCell<HashMap<RecordKey, Option<Value>, RandomState>>,
    bytes: Cell<usize>,
}

impl Recent {
    /// What was read of a record, if that is remembered.
    pub(super) fn get(&self, key: &RecordKey) -> Option<Option<Value>> {
        self.records.borrow().get(key).cloned()
    }

    /// Remembers what was read of a record.
    pub(super) fn put(&self, key: &RecordKey, value: Option<Value>) {
        let bytes = ENTRY + key.tagged().len() + value.as_ref().map_or(0, |value| value.len());
        if self.bytes.get() + bytes > MOST {
            self.clear();
        }
        if bytes <= MOST {
            self.bytes.set(self.bytes.get() + bytes);
            self.records.borrow_mut().insert(key.clone(), value);
        }
    }

    /// Gives the memory back: where others go on first.
    pub fn clear(&self) {
        self.records.take();
        self.bytes.set(0);
    }
}
