//! What a transaction sees of a listing: what its search found, what is staged since, and what it has written itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::changes::Change;
use super::layout::{Holder, Layout, Namespaces};
use super::listings::{InSlots, KEY, Listed, Lister, StagedKeys, Wanted, key_of, staged};
use super::rehearsal_view::RehearsalView;
use super::stop::{Result, Stop};
use super::txn::Txn;
use crate::disk::ReadError;
use crate::disk::format::{Header, Namespace};

/// A listing as a transaction sees it.
pub struct Listing {
    /// The namespaces of the database that have keys, by their slots.
    pub namespaces: Vec<(u16, Namespace)>,
    /// What the search found, in these and maybe others.
    pub found: Arc<Listed>,
    /// What was staged since, and by the transaction itself, by namespace and name; none: deleted. This is right where it
    /// differs from what was found.
    pub staged: BTreeMap<(u64, Box<[u8]>), Option<Header>>,
}

impl Txn<'_> {
    /// What a search finds among the keys of a database, and what is staged of them. `sought` names the search: two that
    /// have one name have to find the same. It looks at the records of keys in the `meta` family, in the namespaces that it
    /// is given, and finds those past their deadline, too.
    ///
    /// # Errors
    /// [`Stop::Fault`] if it was not made yet; what went wrong when it was; an error if it is more than the
    /// transaction may gather.
    pub fn list_keys(
        &mut self,
        db: usize,
        sought: &[u8],
        search: impl FnOnce(&mut Lister) -> std::result::Result<(), ReadError> + Send + 'static,
    ) -> Result<Listing> {
        if let Some(reads) = &mut self.work.reads {
            reads.note_everything();
        }
        let namespaces = self.namespaces_with_keys(db)?;
        let (found, mut changed) = match namespaces.is_empty() {
            true => (Arc::default(), StagedKeys::new()),
            false => self.find_listing(Wanted {
                sought: sought.into(),
                namespaces: namespaces.clone(),
                most: self.allowance.left(),
                search: Box::new(search),
            })?,
        };
        for Change { key, value, .. } in &self.work.writes.log {
            if let Some((namespace, name)) = key_of(key) {
                changed.insert((namespace, name.into()), staged(value.value.as_ref()));
            }
        }
        if found.is_too_much {
            return Err(self.allowance.too_much());
        }
        let names: usize = changed.keys().map(|(_, name)| KEY + name.len()).sum();
        self.allowance.take(found.bytes + names)?;
        let mut headers = BTreeMap::new();
        for (key, header) in changed {
            headers.insert(key, header.transpose()?);
        }
        Ok(Listing {
            namespaces,
            found,
            staged: headers,
        })
    }

    fn find_listing(&mut self, wanted: Wanted) -> Result<(Arc<Listed>, StagedKeys)> {
        if let Some(rehearsal) = self.rehearsal_mut() {
            return Ok((rehearsal.list(wanted)?, StagedKeys::new()));
        }
        let Some(store) = self.live_store() else {
            unreachable!("who can walk over a view wants no listing");
        };
        let last_staged = store.last_staged();
        match store.faults.listings.find(&wanted.sought, &wanted.namespaces) {
            Some((found, since)) => {
                let listing = (found?, since.clone());
                self.work.depends = self.work.depends.max(last_staged);
                Ok(listing)
            }
            None => {
                self.work.listing = Some(wanted);
                Err(Stop::Fault)
            }
        }
    }

    /// The namespaces of a database that have keys, as the transaction sees them.
    fn namespaces_with_keys(&mut self, db: usize) -> Result<InSlots> {
        let mut all = BTreeMap::new();
        match self.rehearsal().map(RehearsalView::view) {
            Some(view) if self.layout() == Layout::Slots => {
                let mut namespaces = Namespaces::of_slots(view, Holder { db, slot: 0 }, db + 1)?;
                while let Some((holder, namespace)) = namespaces.next_one()? {
                    all.insert(holder.slot, namespace);
                }
                let changed = self.work.namespaces.log.iter();
                for Change { key, value, .. } in changed.filter(|change| change.key.db == db) {
                    all.insert(key.slot, *value);
                }
            }
            _ => {
                for holder in self.layout().holders(db) {
                    all.insert(holder.slot, self.namespace(holder)?);
                }
            }
        }
        all.retain(|_, namespace| namespace.keys > 0);
        Ok(all.into_iter().collect())
    }
}
