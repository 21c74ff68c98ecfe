//! What a body reads from while it is rehearsed: a view, that notes which records it was asked for.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use foldhash::fast::RandomState;

use super::cursors::Cursors;
use super::listings::{Listed, Lister, Wanted};
use super::stop::{Result, Stop};
use super::value::Value;
use crate::disk::View;
use crate::disk::format::{Namespace, RecordKey};

/// Most bytes of records that a rehearsal keeps. Those beyond are read again whenever it wants them.
const MOST_BYTES: usize = 16 << 20;

/// What was sought, and the ids of the namespaces.
type ListingName = (Box<[u8]>, Vec<u64>);

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
    /// Listings that it made.
    listings: Vec<(ListingName, Arc<Listed>)>,
    /// What SCAN's cursors stand for.
    pub cursors: Arc<Cursors>,
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
        cursors: Arc<Cursors>,
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
            listings: Vec::new(),
            cursors,
            waiter,
        }
    }

    /// The view itself, for what is not read record by record.
    pub fn view(&self) -> &'s View<'s> {
        self.view
    }

    /// What a search finds. It is made once, however often it is asked for.
    pub fn list(&mut self, wanted: Wanted) -> Result<Arc<Listed>> {
        let ids = wanted.namespaces.iter().map(|(_, namespace)| namespace.id);
        let ids: Vec<u64> = ids.collect();
        let name = (wanted.sought, ids);
        if let Some((_, found)) = self.listings.iter().find(|(made, _)| *made == name) {
            return Ok(found.clone());
        }
        let mut lister = Lister::new(self.view, wanted.namespaces, wanted.most, None);
        (wanted.search)(&mut lister)?;
        let found = Arc::new(lister.listed);
        self.listings.push((name, found.clone()));
        Ok(found)
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
