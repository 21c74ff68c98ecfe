//! Waiters are served: what a request writes into a key that is waited for is given to who waits, before anybody else's next
//! request runs.
//!
//! A waiter's request runs again from its beginning, as a transaction of its own. So what it is given is what it would have
//! found if it came only now, and its own order of keys decides where there is something in several. That may touch other
//! keys that are waited for (BLMOVE): they are served in the same go. Its reply leaves when the epoch is settled that this
//! depends on, as all replies do; if what it was given is lost, so is that it was given.
//!
//! One whose records are not in memory keeps its place until they are, and those behind it theirs; and so do all whose requests
//! name a key that its own names. One that has run and finds
//! nothing (an entry was added that its group has read by then) waits behind all others from then on, as in Redis since 7.2.

use std::time::{Duration, Instant};

use super::dispatch::reply_to;
use super::parking::Wait;
use super::request::{Body, Ran, Request, Waiting};
use super::session::{ReplyMode, Wish};
use super::table::{self, Found};
use super::waiters::{Id, KeyRequest, Until, Waiter, acknowledged};
use super::{Engine, Session};
use crate::resp::{Args, OwnedArgs, Reply};
use crate::store::{self, Await, AwaitedKey, Epoch, Presence, Stop, Ticket};

/// Why a client does not wait any longer that has not got what it waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unblocked {
    /// As if its time were over.
    Timeout,
    /// Somebody said so: it gets an error.
    Error,
}

/// What serving a waiter came to.
enum Served {
    /// It has its answer.
    Done,
    /// There was nothing for it after all: it waits on, behind all others.
    Nothing,
    /// What there is of the key is nothing for it, or it may not run now: it waits on where it is.
    NotMeant,
    /// Its records are fetched, or those of another one that came before it.
    Fetching(Ticket),
}

impl Session {
    /// Has the client wait as its request asks for: the request is kept until it has its answer. `epoch` is what it has seen.
    pub(super) fn await_keys(
        &mut self,
        engine: &mut Engine,
        found: Found,
        request: &Request,
        wanted: Await,
        epoch: Epoch,
    ) -> Wait {
        let Body::Command { handler, args, .. } = request.body else {
            unreachable!("only commands that run alone wait for keys")
        };
        let keys = KeyRequest::new(handler, request.db, wanted.keys, wanted.sought, request.seed);
        self.end_request(engine);
        let args = with_settled(args, wanted.settled);
        let timeout = (wanted.timeout > 0).then_some(wanted.timeout);
        self.wait_until(engine, found, args, Until::Keys(keys), timeout, epoch)
    }

    /// Has the client wait until then, or so many milliseconds.
    pub(super) fn wait_until(
        &mut self,
        engine: &mut Engine,
        found: Found,
        args: OwnedArgs,
        until: Until,
        timeout: Option<u64>,
        epoch: Epoch,
    ) -> Wait {
        let deadline = timeout.and_then(|ms| Instant::now().checked_add(Duration::from_millis(ms)));
        let waiter = Box::new(Waiter {
            client: self.client.clone(),
            row: found.number,
            args,
            protocol: self.protocol,
            is_heard: self.reply_mode == ReplyMode::On,
            spent: self.request.spent,
            deadline,
            epoch,
            until,
            waker: None,
        });
        let memory = waiter.memory();
        self.client.blocked.set(true);
        self.reply_waits_for = epoch;
        let Engine { store, waiters, .. } = engine;
        waiters.add(waiter, |key| store.await_key(key));
        Wait::Answer {
            client: self.client.id,
            memory,
        }
    }

    /// Has the client wait as a command about the connection or the server asks for.
    pub(super) fn wait_as_wished(
        &mut self,
        engine: &mut Engine,
        found: Found,
        args: Args,
        wish: Wish,
    ) -> Wait {
        let Wish {
            until,
            timeout,
            epoch,
        } = wish;
        self.wait_until(engine, found, OwnedArgs::from(args), until, timeout, epoch)
    }

    /// A request is to wait for its answer. Monitors are shown it now; and of what it has found nothing in, its client is to be
    /// told, too.
    pub(super) fn note_await(&mut self, engine: &mut Engine, found: Found, args: Args) {
        if engine.tracking_clients > 0 {
            engine.track_read(&self.client, found.command, args);
        }
        if engine.monitors.is_any() {
            self.show_request(engine, found, args);
        }
    }

    /// The client has got the answer that it waited for, or its request back.
    pub(super) fn end_wait(&mut self, engine: &mut Engine) {
        self.request.wait = None;
        self.given_back = engine.waiters.given_back.remove(&self.client.id).map(Box::new);
        if self.given_back.is_some() {
            return;
        }
        self.request.spent = 0;
        self.forget_caching();
        if self.reply_mode == ReplyMode::Skip {
            self.reply_mode = ReplyMode::On;
        }
    }
}

/// The keys that a waiter's request names, those too to which it writes.
fn named_keys(waiter: Option<&Waiter>) -> Vec<AwaitedKey> {
    let Some(waiter) = waiter else {
        return Vec::new();
    };
    let Until::Keys(KeyRequest { db, .. }) = waiter.until else {
        return Vec::new();
    };
    let args = waiter.args.as_args();
    let positions = table::numbered(waiter.row).command.key_positions(args);
    let positions = positions.unwrap_or_default().into_iter();
    positions
        .map(|at| AwaitedKey {
            db,
            name: args[at].into(),
        })
        .collect()
}

/// A copy of arguments, some of which are others.
fn with_settled(args: Args, settled: Vec<(usize, Vec<u8>)>) -> OwnedArgs {
    if settled.is_empty() {
        return OwnedArgs::from(args);
    }
    let of = |at: usize| settled.iter().find(|(settled, _)| *settled == at);
    let parts = (0..args.len()).map(|at| match of(at) {
        Some((_, id)) => &id[..],
        None => &args[at],
    });
    OwnedArgs::new(parts).unwrap_or_else(|| OwnedArgs::from(args))
}

impl Engine {
    /// Serves those who wait for keys that were touched, unless nobody may run now, or nobody may write because of a script.
    /// While CLIENT PAUSE holds writes, those are served who only read, and the keys are touched again when it ends.
    #[inline]
    pub(super) fn serve_touched(&mut self) {
        if self.store.has_touched() && !self.pause.holds(false) && !self.scripts.keeps_others_from_writing() {
            self.serve_all_touched();
        }
    }

    fn serve_all_touched(&mut self) {
        while let Some(key) = self.store.take_touched() {
            if self.pause.is_on() {
                self.store.put_off_touched(key.clone());
            }
            self.serve_key(key);
        }
        self.want_commit();
    }

    /// Serves those who wait for a key, one after the other.
    fn serve_key(&mut self, key: AwaitedKey) {
        let (mut from, end) = (0, self.waiters.end());
        let now = self.clock.now_ms();
        while let Some((id, behind)) = self.waiters.next_for(&key, from, end) {
            from = behind;
            let presence = self.store.presence(&key, now);
            if presence == Presence::Absent && !self.waiters.is_for_none(&key) {
                return;
            }
            match self.serve(id, presence, now) {
                Served::Done | Served::NotMeant => {}
                // Unless only the disk knew that it was not meant.
                Served::Nothing if self.is_meant(id, self.store.presence(&key, now)) => {
                    self.waiters.move_behind(id);
                }
                Served::Nothing => {}
                Served::Fetching(ticket) => {
                    return self
                        .waiters
                        .hold(ticket, key, |waiters| named_keys(waiters.get(id)));
                }
            }
        }
    }

    /// Whether there may be something for a waiter in a key of which this is known, and it may run.
    fn is_meant(&self, id: Id, presence: Presence) -> bool {
        let is_meant = |waiter: &Waiter| match &waiter.until {
            Until::Keys(request) => {
                let may_write = table::numbered(waiter.row).command.may_write();
                request.may_want(presence) && !waiter.client.killed.get() && !self.pause.holds(may_write)
            }
            Until::Replicas | Until::Synced { .. } | Until::Saved => false,
        };
        self.waiters.get(id).is_some_and(is_meant)
    }

    /// Runs a waiter's request again, if there may be something for it in a key of which this is known.
    fn serve(&mut self, id: Id, presence: Presence, now: u64) -> Served {
        if !self.is_meant(id, presence) {
            return Served::NotMeant;
        }
        // It might take what is another's, or find what that has yet to move.
        let waiter = self.waiters.get(id);
        let own = waiter.and_then(|waiter| waiter.until.ticket());
        if let Some(ticket) = self.waiters.held_up_by(own, || named_keys(waiter)) {
            return Served::Fetching(ticket);
        }
        let Some(mut waiter) = self.waiters.take(id) else {
            return Served::NotMeant;
        };
        let Until::Keys(keys) = &mut waiter.until else {
            return Served::NotMeant;
        };
        if let Some(ticket) = keys.ticket
            && !self.store.is_ready(ticket)
        {
            self.waiters.put_back(waiter);
            return Served::Fetching(ticket);
        }
        let request = Request {
            body: Body::Command {
                row: table::numbered(waiter.row).command,
                handler: keys.handler,
                args: waiter.args.as_args(),
            },
            db: keys.db,
            protocol: waiter.protocol,
            now,
            client: id,
            seed: keys.seed,
            touches: !waiter.client.no_touch.get(),
            is_heard: waiter.is_heard,
            may_use_view: true,
            waiting: Waiting::Again,
        };
        let began = Instant::now();
        let ran = self.run(&request, &mut keys.ticket);
        if let Ran::Awaits(..) = ran
            && let Some(ticket) = keys.ticket.take()
        {
            self.store.finish(ticket);
        }
        let ticket = keys.ticket;
        waiter.spent += began.elapsed().as_nanos() as u64;
        self.waiters.put_back(waiter);
        match ran {
            Ran::Ready(Err(Stop::NeedsView), _) => {
                self.give_back(id);
                Served::Done
            }
            Ran::Ready(result, epoch) | Ran::Counted(result, epoch) => {
                self.answer_waiter(id, result, epoch);
                Served::Done
            }
            Ran::Awaits(..) => Served::Nothing,
            Ran::Waits(_) | Ran::CutOff(_) => match ticket {
                Some(ticket) => Served::Fetching(ticket),
                None => unreachable!("it does not go over a view here"),
            },
        }
    }

    /// A waiter has its answer: it leaves when `epoch` is settled, and its session goes on.
    pub(super) fn answer_waiter(&mut self, id: Id, result: store::Result<Reply>, epoch: Epoch) {
        let Some(waiter) = self.drop_waiter(id) else {
            return;
        };
        let (found, args) = (table::numbered(waiter.row), waiter.args.as_args());
        let (reply, damage) = reply_to(result);
        if let Some(damage) = damage {
            self.tell_of_damage(found.command, args, waiter.client.db.get(), &damage);
        }
        let failed = matches!(reply, Reply::Error(_));
        if let Reply::Error(text) = &reply {
            self.stats.error(text);
        }
        self.count_request(&waiter.client, found, args, waiter.spent, failed);
        if self.tracking_clients > 0 {
            self.track_read(&waiter.client, found.command, args);
        }
        if waiter.is_heard {
            let mut outbox = waiter.client.outbox.borrow_mut();
            outbox.push(&reply, waiter.protocol, epoch, self.store.settled());
        }
        waiter.waker.into_iter().for_each(|waker| waker.wake());
    }

    /// There is more for a waiter than is read on the executor: its session runs its request, as any other, over a view.
    fn give_back(&mut self, id: Id) {
        let Some(waiter) = self.drop_waiter(id) else {
            return;
        };
        let Waiter { args, waker, .. } = *waiter;
        self.waiters.given_back.insert(id, args);
        waker.into_iter().for_each(|waker| waker.wake());
    }

    /// Takes a waiter out, and gives back what was done for its request.
    fn drop_waiter(&mut self, id: Id) -> Option<Box<Waiter>> {
        let mut held = Vec::new();
        let Engine { store, waiters, .. } = self;
        let waiter = waiters.remove(id, |key| store.leave_key(key), |key| held.push(key))?;
        waiter.client.blocked.set(false);
        if let Until::Keys(KeyRequest {
            ticket: Some(ticket), ..
        }) = waiter.until
        {
            store.finish(ticket);
        }
        if !held.is_empty() {
            held.into_iter().for_each(|key| store.touch_awaited(key));
            self.ask_for_tick_end();
        }
        Some(waiter)
    }

    /// A client does not wait any more, as it is gone: it takes nothing.
    pub(super) fn forget_waiter(&mut self, id: Id) {
        self.waiters.given_back.remove(&id);
        self.drop_waiter(id);
    }

    /// The records of a ticket are there, or cannot be read. Whether it was a waiter's.
    pub(super) fn go_on_serving(&mut self, ticket: Ticket) -> bool {
        let held = self.waiters.take_held(ticket);
        let is_any = !held.is_empty();
        held.into_iter().for_each(|key| self.store.touch_awaited(key));
        is_any
    }

    /// Ends the wait of a client, unless it waits for nothing.
    pub fn unblock(&mut self, id: u64, why: Unblocked) -> bool {
        let Some(waiter) = self.waiters.get(id) else {
            return false;
        };
        let result = match why {
            Unblocked::Timeout => Ok(waiter.nothing(self.is_synced(waiter.epoch))),
            Unblocked::Error => Stop::error("UNBLOCKED client unblocked via CLIENT UNBLOCK"),
        };
        let epoch = match waiter.until {
            Until::Keys(_) => waiter.epoch,
            Until::Replicas | Until::Synced { .. } | Until::Saved => Epoch::NONE,
        };
        self.answer_waiter(id, result, epoch);
        true
    }

    /// Answers those whose time is over. Returns how long it is until the next one's.
    pub fn end_waits_in_time(&mut self) -> Option<Duration> {
        self.clock.refresh();
        let now = Instant::now();
        while let Some(id) = self.waiters.next_late(now) {
            self.unblock(id, Unblocked::Timeout);
        }
        self.waiters.until_first_deadline()
    }

    /// Whether all up to an epoch is on stable storage, or lost.
    pub(super) fn is_synced(&self, epoch: Epoch) -> bool {
        self.store.synced() >= epoch || self.store.failure(epoch).is_some()
    }

    /// The log was synced: answers those who have waited for that alone.
    pub(super) fn answer_synced(&mut self) {
        for id in self.waiters.for_sync() {
            let is_through = |waiter: &Waiter| {
                matches!(waiter.until, Until::Synced { replicas: false, .. }) && self.is_synced(waiter.epoch)
            };
            if self.waiters.get(id).is_some_and(is_through) {
                self.answer_waiter(id, Ok(acknowledged(true)), Epoch::NONE);
            }
        }
    }
}
