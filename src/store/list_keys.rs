//! What a transaction sees of a listing: what its search found, what is staged since, and what it has written itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::listings::{KEY, Listed, Lister, Name, Search, StagedKeys, Wanted, key_of, staged};
use super::stop::{Result, Stop};
use super::txn::{Txn, Write};
use crate::disk::ReadError;
use crate::disk::format::Header;

/// A listing as a transaction sees it.
pub struct Listing {
    /// What the search found.
    pub found: Arc<Listed>,
    /// What of the database's keys was staged since, and by the transaction itself; none: deleted. This is right where it
    /// differs from what was found.
    pub staged: BTreeMap<Box<[u8]>, Option<Header>>,
}

impl Txn<'_> {
    /// What a search finds among the keys of a database, and what is staged of them. `sought` names the search: two that
    /// have one name have to find the same. It finds keys by their records in the `meta` family, those past their deadline
    /// included.
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
        let namespace = self.database(db)?.namespace;
        let name = Name {
            namespace,
            sought: sought.into(),
        };
        let most = self.allowance.left();
        let (found, mut changed) = match self.rehearsal_mut() {
            Some(rehearsal) => (rehearsal.list(name, most, search)?, BTreeMap::new()),
            None => self.find_listing(name, most, Box::new(search))?,
        };
        for Write { key, value, .. } in &self.work.writes.log {
            if let Some((_, name)) = key_of(key).filter(|(of, _)| *of == namespace) {
                changed.insert(name.into(), staged(value.as_ref()));
            }
        }
        if found.is_too_much {
            return Err(self.allowance.too_much());
        }
        let names: usize = changed.keys().map(|name| KEY + name.len()).sum();
        self.allowance.take(found.bytes + names)?;
        let mut headers = BTreeMap::new();
        for (name, header) in changed {
            headers.insert(name, header.transpose()?);
        }
        Ok(Listing {
            found,
            staged: headers,
        })
    }

    fn find_listing(&mut self, name: Name, most: usize, search: Search) -> Result<(Arc<Listed>, StagedKeys)> {
        let Some(store) = self.live_store() else {
            unreachable!("who can walk over a view wants no listing");
        };
        let last_staged = store.last_staged();
        match store.faults.listings.find(&name) {
            Some((found, since)) => {
                let listing = (found?, since.clone());
                self.work.depends = self.work.depends.max(last_staged);
                Ok(listing)
            }
            None => {
                self.work.listing = Some(Wanted { name, most, search });
                Err(Stop::Fault)
            }
        }
    }
}
