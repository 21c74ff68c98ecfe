//! Listings: what a walk over the keys of a database finds, for transactions that cannot run over a view themselves, as
//! they have staged writes that no view shows.
//!
//! A transaction that wants to walk faults with the listing that it wants. That waits for a checkpoint of all that is
//! staged so far; then the walk is made over a view, on the view pool. From the moment it was asked for, the listing keeps
//! what is staged of the namespace's keys, so it never falls behind: where the two differ, what was staged is right. The
//! transaction that runs again finds the listing in memory, and adds what it has written itself ([`Txn::list_keys`]). It
//! stays as long as the ticket of one that waited for it. If an epoch is lost, so are all listings: they may have kept what
//! it wrote.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::epoch::Epoch;
use super::fetch::Ticket;
use super::reports::News;
use super::stop::Result;
use super::txn::{Txn, Write};
use super::value::Value;
use super::views::Place;
use super::{Report, Store};
use crate::disk::format::{Family, Header, Malformed, RecordKey, split_ordered_id};
use crate::disk::{ReadError, View};

/// What a key takes in a listing beside its name.
const KEY: usize = 64;
/// How many keys are passed before others may have their turn.
const KEYS_PER_TURN: usize = 4096;

/// Which listing it is: what is looked for, as its maker spells it, among the keys of a namespace.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Name {
    namespace: u64,
    sought: Box<[u8]>,
}

/// Looks for keys on a thread that may wait for the disk.
type Search = Box<dyn FnOnce(&mut Lister) -> std::result::Result<(), ReadError> + Send>;

/// A listing that a transaction misses.
pub(super) struct Wanted {
    name: Name,
    /// Bytes that it may have.
    most: usize,
    search: Search,
}

/// Keys that a search found, in its order.
#[derive(Default)]
pub struct Listed {
    /// Their names and headers.
    pub keys: Vec<(Box<[u8]>, Header)>,
    /// The first name that a search in order did not come to, if it did not come to the end.
    pub end: Option<Vec<u8>>,
    bytes: usize,
    /// There are more than it may have.
    is_too_much: bool,
}

/// What a search looks at, and where it puts what it finds.
pub struct Lister<'a> {
    /// The store, as far as it is checkpointed.
    pub view: &'a View<'a>,
    /// What was found.
    pub listed: Listed,
    most: usize,
    passed: usize,
    /// Others may have it now and then.
    place: Option<&'a Place>,
}

impl<'a> Lister<'a> {
    fn new(view: &'a View<'a>, most: usize, place: Option<&'a Place>) -> Lister<'a> {
        Lister {
            view,
            listed: Listed::default(),
            most,
            passed: 0,
            place,
        }
    }

    /// Notes that a key was looked at. False: the search is to end, as it has found more than it may.
    ///
    /// # Errors
    /// The store is about to be closed.
    pub fn pass(&mut self) -> std::result::Result<bool, ReadError> {
        self.passed += 1;
        if self.passed.is_multiple_of(KEYS_PER_TURN)
            && let Some(place) = self.place
            && place.take_turns().is_err()
        {
            return Err(ReadError::failed("the store is about to be closed"));
        }
        Ok(!self.listed.is_too_much)
    }

    /// Adds a key that is to be listed.
    pub fn add(&mut self, name: &[u8], header: Header) {
        self.listed.bytes += KEY + name.len();
        self.listed.is_too_much = self.listed.bytes > self.most;
        if !self.listed.is_too_much {
            self.listed.keys.push((name.into(), header));
        }
    }
}

/// A key as it is staged: deleted, or with a header.
type Staged = Option<std::result::Result<Header, Malformed>>;

fn staged(value: Option<&Value>) -> Staged {
    value.map(|record| Header::decode(record).map(|(header, _)| header))
}

/// Where a listing stands.
enum State {
    /// It begins when this epoch is checkpointed.
    Held(Epoch, usize, Search),
    Searching,
    Listed(std::result::Result<Arc<Listed>, ReadError>),
}

struct Kept {
    name: Name,
    /// For the report of its search: it may be that of one that was dropped since.
    number: u64,
    state: State,
    /// Keys of the namespace that were staged since it was asked for.
    since: BTreeMap<Box<[u8]>, Staged>,
    /// The requests that wait for it, or use it.
    tickets: Vec<Ticket>,
}

/// The listings that are wanted.
#[derive(Default)]
pub struct Listings {
    kept: Vec<Kept>,
    next: u64,
}

impl Listings {
    /// A key's record is staged.
    #[inline]
    pub fn note_write(&mut self, key: &RecordKey, value: Option<&Value>) {
        if !self.kept.is_empty() {
            self.keep_write(key, value);
        }
    }

    #[cold]
    fn keep_write(&mut self, key: &RecordKey, value: Option<&Value>) {
        let Some((namespace, name)) = key_of(key) else { return };
        let those = self.kept.iter_mut().filter(|kept| kept.name.namespace == namespace);
        for kept in those {
            kept.since.insert(name.into(), staged(value));
        }
    }

    /// `later` is of the same request as `earlier`.
    pub fn chain(&mut self, earlier: Ticket, later: Ticket) {
        let tickets = self.kept.iter_mut().flat_map(|kept| &mut kept.tickets);
        tickets
            .filter(|ticket| **ticket == earlier)
            .for_each(|ticket| *ticket = later);
    }

    /// The request is over: what nobody else wants is dropped.
    pub fn finish(&mut self, ticket: Ticket) {
        self.kept.retain_mut(|kept| {
            kept.tickets.retain(|other| *other != ticket);
            !kept.tickets.is_empty()
        });
    }

    /// Whether none is wanted.
    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Whether one can begin, or has failed before it could.
    pub fn has_work(&self, checkpointed: Epoch, is_broken: bool) -> bool {
        let held = self.kept.iter().filter_map(|kept| match kept.state {
            State::Held(epoch, ..) => Some(epoch),
            State::Searching | State::Listed(_) => None,
        });
        held.into_iter().any(|epoch| is_broken || epoch <= checkpointed)
    }

    fn find(&self, name: &Name) -> Option<&Kept> {
        self.kept.iter().find(|kept| kept.name == *name)
    }
}

/// The namespace and the name of a key's record.
fn key_of(key: &RecordKey) -> Option<(u64, &[u8])> {
    match key.family() {
        Family::Meta => split_ordered_id(key.key()),
        _ => None,
    }
}

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
    /// [`super::Stop::Fault`] if it was not made yet; what went wrong when it was; an error if it is more than the
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
        let (found, mut staged) = match self.view_to_search() {
            Some(view) => {
                let mut lister = Lister::new(view, most, None);
                search(&mut lister)?;
                (Arc::new(lister.listed), BTreeMap::new())
            }
            None => self.find_listing(name, most, Box::new(search))?,
        };
        for Write { key, value, .. } in &self.work.writes.log {
            if let Some((_, name)) = key_of(key).filter(|(of, _)| *of == namespace) {
                staged.insert(name.into(), self::staged(value.as_ref()));
            }
        }
        if found.is_too_much {
            return Err(self.allowance.too_much());
        }
        let names: usize = staged.keys().map(|name| KEY + name.len()).sum();
        self.allowance.take(found.bytes + names)?;
        let mut headers = BTreeMap::new();
        for (name, header) in staged {
            headers.insert(name, header.transpose()?);
        }
        Ok(Listing {
            found,
            staged: headers,
        })
    }

    fn find_listing(
        &mut self,
        name: Name,
        most: usize,
        search: Search,
    ) -> Result<(Arc<Listed>, BTreeMap<Box<[u8]>, Staged>)> {
        let Some(store) = self.live_store() else {
            unreachable!("who can walk over a view wants no listing");
        };
        let last_staged = store.last_staged();
        if let Some(kept) = store.faults.listings.find(&name)
            && let State::Listed(result) = &kept.state
        {
            let found = (result.clone()?, kept.since.clone());
            self.work.depends = self.work.depends.max(last_staged);
            return Ok(found);
        }
        self.work.listing = Some(Wanted { name, most, search });
        Err(super::Stop::Fault)
    }
}

impl Store {
    /// Has a listing made for a request that faulted.
    pub(super) fn want_listing(&mut self, ticket: Ticket, wanted: Wanted) {
        let Wanted { name, most, search } = wanted;
        let epoch = self.last_staged();
        let listings = &mut self.faults.listings;
        match listings.kept.iter_mut().find(|kept| kept.name == name) {
            Some(kept) => kept.tickets.push(ticket),
            None => {
                listings.next += 1;
                listings.kept.push(Kept {
                    name,
                    number: listings.next,
                    state: State::Held(epoch, most, search),
                    since: BTreeMap::new(),
                    tickets: vec![ticket],
                });
            }
        }
        self.faults.fetch.await_listing(ticket);
        self.want_checkpointed(epoch);
    }

    /// Begins those that need not wait for a checkpoint, or no longer. Where none can come, they have failed.
    pub(super) fn begin_listings(&mut self, news: &mut News) {
        for at in 0..self.faults.listings.kept.len() {
            let State::Held(epoch, ..) = self.faults.listings.kept[at].state else {
                continue;
            };
            let is_there = self.want_checkpointed(epoch);
            let broken = self.broken().map(ReadError::failed);
            let kept = &mut self.faults.listings.kept[at];
            match broken {
                Some(error) if !is_there => {
                    kept.state = State::Listed(Err(error));
                    self.faults.fetch.end_listing(&kept.tickets, &mut news.ready);
                }
                _ if !is_there => {}
                _ => {
                    let state = std::mem::replace(&mut kept.state, State::Searching);
                    if let State::Held(_, most, search) = state {
                        let number = kept.number;
                        self.search(number, most, search);
                    }
                }
            }
        }
    }

    fn search(&self, number: u64, most: usize, search: Search) {
        let (disk, reporter) = (self.disk.clone(), self.reports.reporter.clone());
        self.views.run(move |place| {
            let listed = disk.with_view_until(Some(place.interrupted()), |view| {
                let mut lister = Lister::new(view, most, Some(place));
                search(&mut lister).map(|()| lister.listed)
            });
            reporter.report(Report::Listed(number, listed));
        });
    }

    /// A search has come to its end.
    pub(super) fn accept_listing(
        &mut self,
        number: u64,
        listed: std::result::Result<Listed, ReadError>,
        news: &mut News,
    ) {
        let mut kept = self.faults.listings.kept.iter_mut();
        if let Some(kept) = kept.find(|kept| kept.number == number) {
            kept.state = State::Listed(listed.map(Arc::new));
            self.faults.fetch.end_listing(&kept.tickets, &mut news.ready);
        }
    }

    /// What was staged may be lost: whoever has a listing asks for another.
    pub(super) fn drop_listings(&mut self, news: &mut News) {
        for kept in std::mem::take(&mut self.faults.listings.kept) {
            if !matches!(kept.state, State::Listed(_)) {
                self.faults.fetch.end_listing(&kept.tickets, &mut news.ready);
            }
        }
    }
}
