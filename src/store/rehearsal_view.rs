//! What a body reads from while it is rehearsed: a view, that notes which records it was asked for.

use std::collections::HashMap;
use std::sync::Weak;

use foldhash::fast::RandomState;

use super::stop::{Result, Stop};
use super::value::Value;
use crate::disk::View;
use crate::disk::format::{Namespace, RecordKey};

/// Most bytes of records that a rehearsal keeps. Those beyond are read again whenever it wants them.
const MOST_BYTES: usize = 16 << 20;

/// Where a rehearsal reads, and what it has read.
pub(super) struct RehearsalView<'s> {
    view: &'s View<'s>,
    /// The records it has named; with their values, as far as it read them.
    pub named: HashMap<RecordKey, Option<Option<Value>>, RandomState>,
    bytes: usize,
    most_names: usize,
    /// There are more than it may name.
    pub is_full: bool,
    /// The first id that it hands out.
    pub next_id: u64,
    /// Whether it deletes keys past their deadline.
    pub deletes_expired: bool,
    /// The request, while it waits.
    waiter: Weak<()>,
}

impl<'s> RehearsalView<'s> {
    /// Nothing is named so far. `waiter` is gone when the request no longer waits.
    pub fn new(
        view: &'s View<'s>,
        most_names: usize,
        next_id: u64,
        hides_only: bool,
        waiter: Weak<()>,
    ) -> RehearsalView<'s> {
        RehearsalView {
            view,
            named: HashMap::default(),
            bytes: 0,
            most_names,
            is_full: false,
            next_id,
            deletes_expired: !hides_only,
            waiter,
        }
    }

    /// Whether the request still waits for the rehearsal.
    pub fn is_awaited(&self) -> bool {
        self.waiter.strong_count() > 0
    }

    /// Names a record. Whether it is new.
    pub fn name(&mut self, key: RecordKey) -> bool {
        if self.named.contains_key(&key) {
            return false;
        }
        self.is_full |= self.named.len() >= self.most_names;
        if !self.is_full {
            self.named.insert(key, None);
        }
        true
    }

    /// A fault, once the rehearsal has come to its end before the body has.
    pub fn goes_on(&self) -> Result<()> {
        match self.is_full || !self.is_awaited() {
            true => Err(Stop::Fault),
            false => Ok(()),
        }
    }

    /// The record, as the view shows it.
    pub fn get(&mut self, key: &RecordKey) -> Result<Option<Value>> {
        if let Some(Some(value)) = self.named.get(key) {
            return Ok(value.clone());
        }
        self.name(key.clone());
        self.goes_on()?;
        let value = self.view.get(key)?.map(|bytes| Value::from(&bytes[..]));
        if self.bytes < MOST_BYTES {
            self.bytes += value.as_ref().map_or(0, |value| value.len());
            self.named.insert(key.clone(), Some(value.clone()));
        }
        Ok(value)
    }

    /// The namespace that a record of the catalog names, which is not one of those records that are fetched.
    pub fn namespace(&self, record: &RecordKey) -> Result<Namespace> {
        match self.view.get(record)? {
            Some(record) => Ok(Namespace::decode(&record)?),
            None => Ok(Namespace::default()),
        }
    }
}
