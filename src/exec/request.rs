//! A request over data, as a value, and the loop that runs it: at once, again when the records that it missed are in
//! memory, or over a view. It ends with a reply and the epoch that this waits for, or with what the request waits for.

use super::Engine;
use super::parking::Wait;
use super::queue::Queue;
use super::table::{Command, flag};
use crate::base::random::Random;
use crate::command::{Call, CallLimits, Handler};
use crate::resp::{Args, OwnedArgs, Protocol, Reply, Sink};
use crate::store::{
    self, Allowance, Await, Epoch, Missing, OUT_OF_MEMORY, Rehearsal, Stop, Store, Ticket, Txn, ViewRule,
};

/// A request that only reads is answered over a view when it has faulted so often: others write what it reads.
const MOST_FAULTS_TO_READ: u32 = 7;

/// A request of more bytes is not copied to be rehearsed.
const MOST_REHEARSED: usize = 16 << 20;

/// A request over data. All of its runs are of the same value, but for the time.
#[derive(Clone, Copy)]
pub(super) struct Request<'a> {
    /// What it does.
    pub body: Body<'a>,
    /// The number of the database that the session had selected.
    pub db: usize,
    /// What its reply is encoded for where it is made.
    pub protocol: Protocol,
    /// Unix milliseconds.
    pub now: u64,
    /// The id of the client.
    pub client: u64,
    /// Of what it chooses at random: the same in each of its runs.
    pub seed: u64,
    /// Whether what it reads counts as used.
    pub touches: bool,
    /// Whether anybody gets its reply.
    pub is_heard: bool,
    /// Whether it may go over a view at all. A request that is part of a larger transaction may not: no view shows the
    /// writes that are staged with it.
    pub may_use_view: bool,
    /// Whether it may wait until there is something for it.
    pub waiting: Waiting,
}

/// Whether a request may wait until there is something for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Waiting {
    /// It is part of a larger transaction, and is answered that there is nothing.
    Never,
    /// What it wrote counts, and then it waits.
    May,
    /// It has waited: where there is nothing again, nothing has happened.
    Again,
}

/// What a request does.
#[derive(Clone, Copy)]
pub(super) enum Body<'a> {
    Command {
        row: &'static Command,
        handler: Handler,
        args: Args<'a>,
    },
    /// All that MULTI has queued.
    Queue(&'a Queue),
    /// The same, for what it reads to be in memory: nothing comes of it.
    Loading(&'a Queue),
}

/// What a run came to.
pub(super) enum Ran {
    /// It is through. The reply may leave once the epoch is settled.
    Ready(store::Result<Reply>, Epoch),
    /// As `Ready`; if it is an error, that was counted where it comes from.
    Counted(store::Result<Reply>, Epoch),
    /// It runs again, or goes on, when this has come.
    Waits(Wait),
    /// Its client is to wait until there is something for it, in any case after this epoch is settled.
    Awaits(Box<Await>, Epoch),
    /// It cannot be done, and some of its reply has left.
    CutOff(Stop),
}

/// Bytes that a request may gather on the executor which has this rule for views.
fn most_under(rule: ViewRule, limits: &CallLimits) -> usize {
    match rule {
        ViewRule::Always => limits.live_gathered,
        ViewRule::IfItOnlyReads | ViewRule::Never => limits.gathered,
    }
}

impl Body<'_> {
    /// Runs it once. A queue's reply is an array, each of its requests having one.
    fn run(&self, txn: &mut Txn, call: &Call) -> store::Result<Reply> {
        match self {
            Body::Command { handler, args, .. } => handler(txn, &Call { args: *args, ..*call }),
            Body::Queue(queue) | Body::Loading(queue) => queue.run(txn, call).map(Reply::Array),
        }
    }

    #[inline]
    fn has(&self, flag: u32) -> bool {
        match self {
            Body::Command { row, .. } => row.has(flag),
            Body::Queue(queue) | Body::Loading(queue) => queue.has(flag),
        }
    }

    /// Calls `named` with each of several keys that are named, and its database. `db` is selected.
    fn each_key(&self, db: usize, databases: usize, mut named: impl FnMut(usize, &[u8])) {
        match self {
            Body::Command { row, args, .. } => {
                let positions = row.key_positions(*args).unwrap_or_default();
                if positions.len() > 1 {
                    positions.into_iter().for_each(|at| named(db, &args[at]));
                }
            }
            Body::Queue(queue) | Body::Loading(queue) => queue.each_key(db, databases, named),
        }
    }

    /// Bytes of its arguments.
    fn len(&self) -> usize {
        match self {
            Body::Command { args, .. } => args.iter().map(<[u8]>::len).sum(),
            Body::Queue(queue) | Body::Loading(queue) => queue.memory(),
        }
    }
}

/// A [`Body`] to be run on another thread.
enum Detached {
    Command(Handler, OwnedArgs),
    Queue(Box<Queue>),
}

impl From<Body<'_>> for Detached {
    fn from(body: Body<'_>) -> Detached {
        match body {
            Body::Command { handler, args, .. } => Detached::Command(handler, OwnedArgs::from(args)),
            Body::Queue(queue) | Body::Loading(queue) => Detached::Queue(Box::new(queue.clone())),
        }
    }
}

impl Request<'_> {
    /// Whether it goes on over a view if it needs much: as the flags of its row say.
    #[inline]
    fn view_rule(&self) -> ViewRule {
        let changes_nothing = self.body.has(flag::READONLY) && !self.body.has(flag::MAY_REPLICATE);
        match (self.may_use_view, changes_nothing) {
            (false, _) => ViewRule::Never,
            (true, false) => ViewRule::IfItOnlyReads,
            (true, true) => ViewRule::Always,
        }
    }

    /// Bytes that it may gather, or have pinned, on the executor.
    fn most_live(&self, limits: &CallLimits) -> usize {
        most_under(self.view_rule(), limits)
    }

    /// What it may gather where it runs on the executor.
    #[inline]
    pub fn live_allowance(&self, limits: &CallLimits) -> Allowance {
        let rule = self.view_rule();
        Allowance::at_most(most_under(rule, limits)).with_views(rule)
    }

    /// The request, to be run on another thread.
    pub fn detached(
        &self,
        limits: &CallLimits,
    ) -> impl FnOnce(&mut Txn, Option<&dyn Sink>) -> store::Result<Reply> + Send + use<> {
        let (body, limits) = (Detached::from(self.body), limits.clone());
        let (db, protocol, client, seed) = (self.db, self.protocol, self.client, self.seed);
        let may_wait = self.waiting != Waiting::Never;
        move |txn, sink| {
            txn.random = Random::from_seed(seed);
            let call = Call {
                db,
                protocol,
                client,
                may_wait,
                sink,
                ..Call::by(&limits)
            };
            match body {
                Detached::Command(handler, args) => handler(
                    txn,
                    &Call {
                        args: args.as_args(),
                        ..call
                    },
                ),
                Detached::Queue(queue) => queue.run(txn, &call).map(Reply::Array),
            }
        }
    }

    /// The request, to be run where nothing of it counts but what it reads.
    fn rehearsal(&self, limits: &CallLimits) -> Option<Rehearsal> {
        if self.body.len() > MOST_REHEARSED {
            return None;
        }
        let (run, allowance) = (self.detached(limits), self.live_allowance(limits));
        Some(Rehearsal {
            now: self.now,
            may_use_view: self.may_use_view && !self.body.has(flag::WRITE),
            // What it answers is nobody's.
            body: Box::new(move |txn| {
                txn.allowance = allowance;
                drop(run(txn, None));
            }),
        })
    }
}

impl Request<'_> {
    /// A transaction to run it in.
    #[inline]
    pub(super) fn begin<'s>(&self, store: &'s mut Store, limits: &CallLimits) -> Txn<'s> {
        let mut txn = store.begin(self.now);
        txn.random = Random::from_seed(self.seed);
        txn.touches = self.touches;
        txn.is_for(self.client);
        txn.allowance = self.live_allowance(limits);
        txn
    }
}

impl Engine {
    /// Runs a request on the executor. `ticket` names the records that were fetched for it, if it has run before; they stay
    /// in memory until the ticket is finished.
    pub(super) fn run(&mut self, request: &Request, ticket: &mut Option<Ticket>) -> Ran {
        let call = Call {
            db: request.db,
            protocol: request.protocol,
            client: request.client,
            may_wait: request.waiting != Waiting::Never,
            audience: Some(&self.pubsub),
            ..Call::by(&self.limits)
        };
        let mut txn = request.begin(&mut self.store, &self.limits);
        let result = match request.body.run(&mut txn, &call) {
            // What it misses may be known to be more than it can have.
            Err(Stop::Fault) => Err(txn.allowance.check().err().unwrap_or(Stop::Fault)),
            result => result,
        };
        let end = txn.end();
        match result {
            Ok(reply) if matches!(request.body, Body::Loading(_)) => {
                self.store.abandon(end);
                Ran::Ready(Ok(reply), Epoch::NONE)
            }
            Ok(reply) => Ran::Ready(Ok(reply), self.store.stage(end)),
            Err(Stop::Fault) => {
                let missing = self.store.abandon(end);
                self.fault(request, missing, ticket)
            }
            Err(Stop::NeedsView) => {
                self.store.abandon(end);
                self.turn_to_view(request, ticket)
            }
            Err(Stop::Await(wanted)) if request.waiting == Waiting::Again => {
                self.store.abandon(end);
                Ran::Awaits(wanted, Epoch::NONE)
            }
            Err(Stop::Await(wanted)) => Ran::Awaits(wanted, self.store.stage(end)),
            Err(stop @ (Stop::Error(_) | Stop::Damage(_))) => {
                Ran::Ready(Err(stop), self.store.stage_expired(end))
            }
        }
    }

    /// Has fetched what a request missed, and the records of all its keys; or more, if it has faulted before.
    pub(super) fn fault(
        &mut self,
        request: &Request,
        mut missing: Missing,
        ticket: &mut Option<Ticket>,
    ) -> Ran {
        if ticket.is_some_and(|ticket| self.store.is_too_much(ticket)) {
            return match request.view_rule() {
                ViewRule::Always => self.turn_to_view(request, ticket),
                ViewRule::IfItOnlyReads | ViewRule::Never => {
                    Ran::Ready(Stop::error(OUT_OF_MEMORY), Epoch::NONE)
                }
            };
        }
        self.stats.faults += 1;
        if let Some(damage) = ticket.and_then(|ticket| self.store.read_error(ticket)) {
            return Ran::Ready(Err(Stop::Damage(Box::new(damage))), Epoch::NONE);
        }
        let faults = ticket.map_or(0, |ticket| self.store.faults(ticket));
        if faults >= MOST_FAULTS_TO_READ && request.may_use_view && !request.body.has(flag::WRITE) {
            return self.turn_to_view(request, ticket);
        }
        request
            .body
            .each_key(request.db, self.limits.databases, |db, name| {
                missing.records.extend(self.store.unknown_key(db, name));
            });
        let rehearsal = || request.rehearsal(&self.limits);
        let fetched = self.store.retry(missing, *ticket, rehearsal);
        self.store.limit(fetched, request.most_live(&self.limits));
        *ticket = Some(fetched);
        Ran::Waits(Wait::Records(fetched))
    }

    /// What was fetched for a request is not what it will read over a view. One that has waited is with its session again then.
    fn turn_to_view(&mut self, request: &Request, ticket: &mut Option<Ticket>) -> Ran {
        if let Some(ticket) = ticket.take() {
            self.store.finish(ticket);
        }
        match request.waiting {
            Waiting::Again => Ran::Ready(Err(Stop::NeedsView), Epoch::NONE),
            Waiting::Never | Waiting::May => self.run_over_view(request),
        }
    }
}
