//! Listings: what a walk over the keys of a database finds, for transactions that cannot run over a view themselves, as
//! they have staged writes that no view shows.
//!
//! A transaction that wants to walk faults with the listing that it wants. That waits for a checkpoint of all that is
//! staged so far; then the walk is made over a view, on the view pool. From the moment it was asked for, the listing keeps
//! what is staged of the database's keys, so it never falls behind: where the two differ, what was staged is right. The
//! transaction that runs again finds the listing in memory, and adds what it has written itself (`list_keys.rs`). It
//! stays as long as the ticket of one that waited for it. If an epoch is lost, so are all listings: they may have kept what
//! it wrote.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::epoch::Epoch;
use super::fetch::Ticket;
use super::reports::News;
use super::value::Value;
use super::views::Place;
use super::{Report, Store};
use crate::disk::format::{Family, Header, Malformed, Namespace, RecordKey, split_ordered_id};
use crate::disk::{ReadError, View};

/// What a key takes in a listing beside its name.
pub(super) const KEY: usize = 72;
/// How many keys are passed before others may have their turn.
const KEYS_PER_TURN: usize = 4096;

type Read<T> = std::result::Result<T, ReadError>;

/// The namespaces of a database that have keys, by their slots.
pub(super) type InSlots = Vec<(u16, Namespace)>;

/// Looks for keys on a thread that may wait for the disk.
pub(super) type Search = Box<dyn FnOnce(&mut Lister) -> Read<()> + Send>;

/// A listing that a transaction misses.
pub(super) struct Wanted {
    /// What is looked for, as its maker spells it.
    pub sought: Box<[u8]>,
    /// Among the keys of these.
    pub namespaces: InSlots,
    /// Bytes that it may have.
    pub most: usize,
    /// How it is made.
    pub search: Search,
}

/// A key that a search found.
pub struct ListedKey {
    /// The id of its namespace.
    pub namespace: u64,
    /// Any bytes.
    pub name: Box<[u8]>,
    /// As its record has it.
    pub header: Header,
}

/// Keys that a search found, in its order.
#[derive(Default)]
pub struct Listed {
    /// Those of a namespace follow each other.
    pub keys: Vec<ListedKey>,
    /// The slot and the name that a search in order did not come to, if it did not come to the end.
    pub end: Option<(u16, Vec<u8>)>,
    /// What it takes.
    pub(super) bytes: usize,
    /// There are more than it may have.
    pub(super) is_too_much: bool,
}

/// What a search looks at, and where it puts what it finds.
pub struct Lister<'a> {
    /// The store, as far as it is checkpointed.
    pub view: &'a View<'a>,
    /// Where to look: the namespaces of the database that have keys, by their slots.
    pub namespaces: Vec<(u16, Namespace)>,
    /// What was found.
    pub listed: Listed,
    most: usize,
    passed: usize,
    /// Others may have it now and then.
    place: Option<&'a Place>,
}

impl<'a> Lister<'a> {
    /// Nothing was found so far. It may be so many bytes.
    pub(super) fn new(
        view: &'a View<'a>,
        namespaces: InSlots,
        most: usize,
        place: Option<&'a Place>,
    ) -> Lister<'a> {
        Lister {
            view,
            namespaces,
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
    pub fn pass(&mut self) -> Read<bool> {
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
    pub fn add(&mut self, namespace: u64, name: &[u8], header: Header) {
        self.listed.bytes += KEY + name.len();
        self.listed.is_too_much = self.listed.bytes > self.most;
        if !self.listed.is_too_much {
            self.listed.keys.push(ListedKey {
                namespace,
                name: name.into(),
                header,
            });
        }
    }
}

/// A key as it is staged: deleted, or with a header.
pub(super) type Staged = Option<std::result::Result<Header, Malformed>>;

/// Keys by the ids of their namespaces and their names.
pub(super) type StagedKeys = BTreeMap<(u64, Box<[u8]>), Staged>;

/// The state of a key whose record this is.
pub(super) fn staged(value: Option<&Value>) -> Staged {
    value.map(|record| Header::decode(record).map(|(header, _)| header))
}

/// The namespace and the name of a key's record.
pub(super) fn key_of(key: &RecordKey) -> Option<(u64, &[u8])> {
    match key.family() {
        Family::Meta => split_ordered_id(key.key()),
        _ => None,
    }
}

/// Where a listing stands.
enum State {
    /// It begins when this epoch is checkpointed.
    Held(Epoch, InSlots, Search),
    Searching,
    Listed(Read<Arc<Listed>>),
}

struct Kept {
    sought: Box<[u8]>,
    /// The ids of the namespaces that are searched, in order.
    searched: Vec<u64>,
    /// From here on they are later ones: all of their keys were staged since.
    first_later: u64,
    /// For the report of its search: it may be that of one that was dropped since.
    number: u64,
    state: State,
    /// Keys of these namespaces, and of later ones, that were staged since it was asked for.
    since: StagedKeys,
    /// Bytes that they take, and may take. Those of more are not kept.
    since_bytes: usize,
    most: usize,
    /// The requests that wait for it, or use it.
    tickets: Vec<Ticket>,
}

impl Kept {
    /// Whether it is about the keys of a namespace.
    fn covers(&self, namespace: u64) -> bool {
        namespace >= self.first_later || self.searched.binary_search(&namespace).is_ok()
    }

    fn is_for(&self, sought: &[u8], namespaces: &[(u16, Namespace)]) -> bool {
        *self.sought == *sought && namespaces.iter().all(|(_, namespace)| self.covers(namespace.id))
    }

    fn note(&mut self, namespace: u64, name: &[u8], staged: Staged) {
        if self.is_too_much() {
            return;
        }
        if self.since.insert((namespace, name.into()), staged).is_none() {
            self.since_bytes += KEY + name.len();
        }
        if self.is_too_much() {
            self.since.clear();
        }
    }

    fn is_too_much(&self) -> bool {
        self.since_bytes > self.most
    }

    /// What was found, or why nothing could be.
    fn found(&self) -> Option<Read<Arc<Listed>>> {
        match &self.state {
            State::Listed(Ok(_)) if self.is_too_much() => Some(Ok(Arc::new(Listed {
                is_too_much: true,
                ..Listed::default()
            }))),
            State::Listed(result) => Some(result.clone()),
            State::Held(..) | State::Searching => None,
        }
    }
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
        let Some((namespace, name)) = key_of(key) else {
            return;
        };
        for kept in self.kept.iter_mut().filter(|kept| kept.covers(namespace)) {
            kept.note(namespace, name, staged(value));
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
        self.kept.iter().any(|kept| match kept.state {
            State::Held(epoch, ..) => is_broken || epoch <= checkpointed,
            State::Searching | State::Listed(_) => false,
        })
    }

    /// A listing that was made, or why it could not be; and what was staged since it was asked for. The latest one, of two
    /// between which namespaces changed.
    pub(super) fn find(
        &self,
        sought: &[u8],
        namespaces: &[(u16, Namespace)],
    ) -> Option<(Read<Arc<Listed>>, &StagedKeys)> {
        let mut kept = self.kept.iter();
        let kept = kept.rfind(|kept| kept.is_for(sought, namespaces))?;
        Some((kept.found()?, &kept.since))
    }
}

impl Store {
    /// Has a listing made for a request that faulted.
    pub(super) fn want_listing(&mut self, ticket: Ticket, wanted: Wanted) {
        let (epoch, first_later) = (self.last_staged(), self.catalog.next_id());
        let listings = &mut self.faults.listings;
        let mut kept = listings.kept.iter_mut();
        match kept.rfind(|kept| kept.is_for(&wanted.sought, &wanted.namespaces)) {
            Some(kept) => kept.tickets.push(ticket),
            None => {
                let ids = wanted.namespaces.iter().map(|(_, namespace)| namespace.id);
                let mut searched: Vec<u64> = ids.collect();
                searched.sort_unstable();
                listings.next += 1;
                listings.kept.push(Kept {
                    sought: wanted.sought,
                    searched,
                    first_later,
                    number: listings.next,
                    state: State::Held(epoch, wanted.namespaces, wanted.search),
                    since: StagedKeys::new(),
                    since_bytes: 0,
                    most: wanted.most,
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
            if is_there {
                let (number, most) = (kept.number, kept.most);
                let state = std::mem::replace(&mut kept.state, State::Searching);
                if let State::Held(_, namespaces, search) = state {
                    self.search(number, namespaces, most, search);
                }
            } else if let Some(error) = broken {
                kept.state = State::Listed(Err(error));
                self.faults.fetch.end_listing(&kept.tickets, &mut news.ready);
            }
        }
    }

    fn search(&self, number: u64, namespaces: InSlots, most: usize, search: Search) {
        let (disk, reporter) = (self.disk.clone(), self.reports.reporter.clone());
        self.views.run(move |place| {
            let listed = disk.with_view_until(Some(place.interrupted()), |view| {
                let mut lister = Lister::new(view, namespaces, most, Some(place));
                search(&mut lister).map(|()| lister.listed)
            });
            reporter.report(Report::Listed(number, listed));
        });
    }

    /// A search has come to its end.
    pub(super) fn accept_listing(&mut self, number: u64, listed: Read<Listed>, news: &mut News) {
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
