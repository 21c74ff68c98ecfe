//! Who waits for something that others have to do first: to keys for which there is nothing yet (BLPOP and its like), or for
//! the log to be synced (WAITAOF). Each has a place, by which they are served: first come, first served.
//!
//! A waiter's request has left its connection's input: it is kept here. Its session only knows that it waits.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use foldhash::fast::RandomState;

use super::Client;
use crate::command::Handler;
use crate::disk::format::Kind;
use crate::resp::{OwnedArgs, Protocol, Reply};
use crate::store::{AwaitedKey, Epoch, Presence, Sought, Ticket};

/// A client's id.
pub(super) type Id = u64;

/// One who waits.
pub(super) struct Waiter {
    /// The client, which has this as its only request.
    pub client: Rc<Client>,
    /// The number of the command's row.
    pub row: usize,
    /// The request, as it is to run.
    pub args: OwnedArgs,
    /// The protocol of the reply.
    pub protocol: Protocol,
    /// Whether anybody gets the reply.
    pub is_heard: bool,
    /// Nanoseconds that the request took so far.
    pub spent: u64,
    /// When it is answered in any case; `None`: never.
    pub deadline: Option<Instant>,
    /// What it has seen so far: the answer that there is nothing waits for that.
    pub epoch: Epoch,
    /// What it waits for.
    pub until: Until,
    /// Has its session go on.
    pub waker: Option<Waker>,
}

/// What one waits for.
pub(super) enum Until {
    /// That there is something in keys.
    Keys(KeyRequest),
    /// So many replicas, of which there are none: the timeout.
    Replicas,
    /// As `Replicas`, after the log is synced up to the waiter's epoch, if `local` is set. `replicas` are waited for, too.
    Synced { local: bool, replicas: bool },
    /// The save that runs is through.
    Saved,
}

impl Until {
    /// The ticket of the records that are fetched for it.
    pub fn ticket(&self) -> Option<Ticket> {
        match self {
            Until::Keys(request) => request.ticket,
            Until::Replicas | Until::Synced { .. } | Until::Saved => None,
        }
    }
}

/// What is special about one who waits for keys.
pub(super) struct KeyRequest {
    /// Runs the request.
    pub handler: Handler,
    /// The number of the database.
    pub db: usize,
    /// Which arguments name the keys.
    pub keys: Range<usize>,
    /// What is looked for there.
    pub sought: Sought,
    /// Of what it chooses at random.
    pub seed: u64,
    /// Names the records that are fetched for it.
    pub ticket: Option<Ticket>,
    /// In the order in which they came.
    place: u64,
}

impl KeyRequest {
    /// What is to wait for these keys; it has no place yet.
    pub fn new(handler: Handler, db: usize, keys: Range<usize>, sought: Sought, seed: u64) -> KeyRequest {
        KeyRequest {
            handler,
            db,
            keys,
            sought,
            seed,
            ticket: None,
            place: 0,
        }
    }

    /// Whether there may be something for it in a key of which this is known.
    pub fn may_want(&self, presence: Presence) -> bool {
        match (presence, self.sought) {
            (Presence::Unknown, _) | (_, Sought::StreamOrNone) => true,
            (Presence::Absent, _) => false,
            (Presence::Holds(kind), Sought::List) => matches!(kind, Kind::List | Kind::LargeList),
            (Presence::Holds(kind), Sought::SortedSet) => {
                matches!(kind, Kind::SortedSet | Kind::LargeSortedSet)
            }
            (Presence::Holds(kind), Sought::Stream) => kind == Kind::Stream,
        }
    }
}

impl Waiter {
    /// Its keys, each as often as it is named.
    fn keys(&self) -> impl Iterator<Item = AwaitedKey> {
        let (db, range) = match &self.until {
            Until::Keys(request) => (request.db, request.keys.clone()),
            Until::Replicas | Until::Synced { .. } | Until::Saved => (0, 0..0),
        };
        let args = self.args.as_args();
        range.map(move |at| AwaitedKey {
            db,
            name: args[at].into(),
        })
    }

    /// What it is answered when its time is over. `is_synced`: the log is, up to its epoch.
    pub fn nothing(&self, is_synced: bool) -> Reply {
        match self.until {
            Until::Keys(_) => Reply::NullArray,
            Until::Replicas => Reply::Int(0),
            Until::Synced { .. } => acknowledged(is_synced),
            Until::Saved => Reply::err("ERR the save is not through"),
        }
    }

    /// What it takes of memory.
    pub fn memory(&self) -> usize {
        let names = match &self.until {
            Until::Keys(request) => {
                let args = self.args.as_args();
                let names: usize = request.keys.clone().map(|at| args[at].len()).sum();
                KEPT_NAMES * names + request.keys.len() * PER_KEY
            }
            Until::Replicas | Until::Synced { .. } | Until::Saved => 0,
        };
        size_of::<Waiter>() + self.args.memory() + names
    }
}

/// What WAITAOF answers: of this server, and of replicas, of which there are none.
pub(super) fn acknowledged(is_synced: bool) -> Reply {
    Reply::Array(vec![Reply::Int(i64::from(is_synced)), Reply::Int(0)])
}

/// How often the name of an awaited key is kept, beside the request itself.
const KEPT_NAMES: usize = 3;
/// What an awaited key takes beside its name, about.
const PER_KEY: usize = 200;

/// A key that is waited for.
struct Sign {
    number: u64,
    waiting: usize,
    /// How many of those wait also for it to be gone.
    for_none: usize,
}

/// What waits until the records of a waiter are there.
struct Held {
    /// The keys that it names, those too to which it writes.
    named: Vec<AwaitedKey>,
    /// Those of whose waiters the next ones are to be served then.
    keys: Vec<AwaitedKey>,
}

/// All who wait.
#[derive(Default)]
pub struct Waiters {
    all: HashMap<Id, Box<Waiter>, RandomState>,
    keys: HashMap<AwaitedKey, Sign, RandomState>,
    /// Who waits for a key, by its number and their places.
    lines: BTreeMap<(u64, u64), Id>,
    deadlines: BTreeSet<(Instant, Id)>,
    /// Those who wait for a sync of the log.
    for_sync: BTreeSet<Id>,
    /// By the ticket of a waiter that has records fetched.
    held: HashMap<Ticket, Held, RandomState>,
    /// The keys that these name. Two that name one key do not have records fetched at a time.
    held_names: HashMap<AwaitedKey, Ticket, RandomState>,
    /// Requests that their sessions are to run, by their clients.
    pub(super) given_back: HashMap<Id, OwnedArgs, RandomState>,
    /// The next number of a key, and the next place.
    next_key: u64,
    next_place: u64,
    /// Wakes whoever keeps the time.
    timer: Option<Waker>,
    /// The first deadline has become another since the timer was told of it.
    has_moved: bool,
}

impl Waiters {
    /// How many wait.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// How many of them wait for a time only.
    pub fn with_deadline(&self) -> usize {
        self.deadlines.len()
    }

    /// How many keys are waited for.
    pub fn keys(&self) -> usize {
        self.keys.len()
    }

    /// How many keys are waited for also to be gone.
    pub fn keys_for_none(&self) -> usize {
        self.keys.values().filter(|sign| sign.for_none > 0).count()
    }

    /// Whether a client waits.
    pub(super) fn has(&self, client: Id) -> bool {
        self.all.contains_key(&client)
    }

    /// Has a waiter's session go on by this waker, once it has its answer.
    pub(super) fn set_waker(&mut self, client: Id, waker: Waker) {
        if let Some(waiter) = self.all.get_mut(&client) {
            waiter.waker = Some(waker);
        }
    }

    /// Adds one, behind all others. Calls `awaited` with each key that nobody has waited for.
    pub(super) fn add(&mut self, mut waiter: Box<Waiter>, mut awaited: impl FnMut(AwaitedKey)) {
        let id = waiter.client.id;
        if let Until::Keys(request) = &mut waiter.until {
            request.place = self.next_place;
            self.next_place += 1;
        }
        if let Until::Keys(request) = &waiter.until {
            for key in waiter.keys() {
                if !self.keys.contains_key(&key) {
                    awaited(key.clone());
                }
                let sign = self.keys.entry(key).or_insert_with(|| {
                    self.next_key += 1;
                    Sign {
                        number: self.next_key,
                        waiting: 0,
                        for_none: 0,
                    }
                });
                // Whoever names a key twice has one place there.
                if self.lines.insert((sign.number, request.place), id).is_none() {
                    sign.waiting += 1;
                    sign.for_none += usize::from(request.sought == Sought::StreamOrNone);
                }
            }
        }
        if matches!(waiter.until, Until::Synced { local: true, .. }) {
            self.for_sync.insert(id);
        }
        if let Some(deadline) = waiter.deadline {
            self.deadlines.insert((deadline, id));
            if self.deadlines.first() == Some(&(deadline, id)) {
                self.has_moved = true;
                self.timer.take().into_iter().for_each(Waker::wake);
            }
        }
        self.all.insert(id, waiter);
    }

    /// Those who wait for such a thing.
    pub(super) fn waiting_for(&self, is_sought: impl Fn(&Until) -> bool) -> Vec<Id> {
        let those = self.all.iter().filter(|(_, waiter)| is_sought(&waiter.until));
        those.map(|(id, _)| *id).collect()
    }

    /// Takes one out. Calls `left` with each key that nobody waits for any more, and `held` with those whose other waiters
    /// have waited for its records.
    pub(super) fn remove(
        &mut self,
        client: Id,
        mut left: impl FnMut(&AwaitedKey),
        held: impl FnMut(AwaitedKey),
    ) -> Option<Box<Waiter>> {
        let waiter = self.all.remove(&client)?;
        if let Until::Keys(request) = &waiter.until {
            for key in waiter.keys() {
                let Some(sign) = self.keys.get_mut(&key) else {
                    continue;
                };
                if self.lines.remove(&(sign.number, request.place)).is_some() {
                    sign.waiting -= 1;
                    sign.for_none -= usize::from(request.sought == Sought::StreamOrNone);
                    if sign.waiting == 0 {
                        self.keys.remove(&key);
                        left(&key);
                    }
                }
            }
            if let Some(ticket) = request.ticket {
                self.take_held(ticket).into_iter().for_each(held);
            }
        }
        self.for_sync.remove(&client);
        if let Some(deadline) = waiter.deadline {
            self.deadlines.remove(&(deadline, client));
        }
        Some(waiter)
    }

    /// The first who waits for a key from this place on, and the place behind; none of those who came after `before`.
    pub(super) fn next_for(&self, key: &AwaitedKey, from: u64, before: u64) -> Option<(Id, u64)> {
        let number = self.keys.get(key)?.number;
        let (&(_, place), id) = self.lines.range((number, from)..(number, before)).next()?;
        Some((*id, place + 1))
    }

    /// Behind all who wait now.
    pub(super) fn end(&self) -> u64 {
        self.next_place
    }

    /// Whether somebody waits for a key to be gone.
    pub(super) fn is_for_none(&self, key: &AwaitedKey) -> bool {
        self.keys.get(key).is_some_and(|sign| sign.for_none > 0)
    }

    /// A waiter.
    pub(super) fn get(&self, client: Id) -> Option<&Waiter> {
        self.all.get(&client).map(|waiter| &**waiter)
    }

    /// Takes a waiter in hand, to be [put back](Waiters::put_back): it keeps its place.
    pub(super) fn take(&mut self, client: Id) -> Option<Box<Waiter>> {
        self.all.remove(&client)
    }

    /// Puts back a waiter that was in hand.
    pub(super) fn put_back(&mut self, waiter: Box<Waiter>) {
        self.all.insert(waiter.client.id, waiter);
    }

    /// Has a waiter wait behind all others.
    pub(super) fn move_behind(&mut self, client: Id) {
        let Some(waiter) = self.all.get_mut(&client) else {
            return;
        };
        let names: Vec<AwaitedKey> = waiter.keys().collect();
        let Until::Keys(request) = &mut waiter.until else {
            return;
        };
        let before = std::mem::replace(&mut request.place, self.next_place);
        for key in names {
            if let Some(sign) = self.keys.get(&key)
                && let Some(id) = self.lines.remove(&(sign.number, before))
            {
                self.lines.insert((sign.number, self.next_place), id);
            }
        }
        self.next_place += 1;
    }

    /// Has those who wait for a key be served once the records of this ticket are there, and all to whom one of the keys
    /// matters that are `named`.
    pub(super) fn hold(
        &mut self,
        ticket: Ticket,
        key: AwaitedKey,
        named: impl FnOnce(&Waiters) -> Vec<AwaitedKey>,
    ) {
        if !self.held.contains_key(&ticket) {
            let named = named(self);
            for name in &named {
                self.held_names.insert(name.clone(), ticket);
            }
            let keys = Vec::new();
            self.held.insert(ticket, Held { named, keys });
        }
        if let Some(held) = self.held.get_mut(&ticket)
            && !held.keys.contains(&key)
        {
            held.keys.push(key);
        }
    }

    /// The ticket of another waiter for which records are fetched, if it is about one of the keys that one names.
    pub(super) fn held_up_by(
        &self,
        own: Option<Ticket>,
        named: impl FnOnce() -> Vec<AwaitedKey>,
    ) -> Option<Ticket> {
        if self.held.is_empty() {
            return None;
        }
        let tickets = named().into_iter().filter_map(|name| self.held_names.get(&name));
        tickets.copied().find(|ticket| Some(*ticket) != own)
    }

    /// The keys that were held for a ticket.
    pub(super) fn take_held(&mut self, ticket: Ticket) -> Vec<AwaitedKey> {
        let Some(held) = self.held.remove(&ticket) else {
            return Vec::new();
        };
        for name in &held.named {
            if self.held_names.get(name) == Some(&ticket) {
                self.held_names.remove(name);
            }
        }
        held.keys
    }

    /// Those who wait for a sync of the log.
    pub(super) fn for_sync(&self) -> Vec<Id> {
        self.for_sync.iter().copied().collect()
    }

    /// One whose time is over, if there is one.
    pub(super) fn next_late(&self, now: Instant) -> Option<Id> {
        let (deadline, id) = self.deadlines.first()?;
        (*deadline <= now).then_some(*id)
    }

    /// How long it is until the first deadline.
    pub(super) fn until_first_deadline(&self) -> Option<Duration> {
        let (deadline, _) = self.deadlines.first()?;
        Some(deadline.saturating_duration_since(Instant::now()))
    }

    /// Ready when the first deadline has become an earlier one since this was asked for last.
    pub fn poll_moved(&mut self, cx: &Context) -> Poll<()> {
        if std::mem::take(&mut self.has_moved) {
            return Poll::Ready(());
        }
        self.timer = Some(cx.waker().clone());
        Poll::Pending
    }
}
