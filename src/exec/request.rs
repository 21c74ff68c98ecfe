//! A request over data, as a value, and the loop that runs it: at once, again when the records that it missed are in
//! memory, or over a view. It ends with a reply and the epoch that this waits for, or with what the request waits for.

use super::Engine;
use super::parking::Wait;
use super::table::{Command, flag};
use crate::base::random::Random;
use crate::command::{Call, CallLimits, Handler};
use crate::disk::format::RecordKey;
use crate::resp::{Args, OwnedArgs, Protocol, Reply, Sink};
use crate::store::{self, Allowance, Epoch, OUT_OF_MEMORY, Rehearsal, Stop, Ticket, Txn};

/// A request that only reads is answered over a view when it has faulted so often: others write what it reads.
const MOST_FAULTS_TO_READ: u32 = 7;

/// A request of more bytes is not copied to be rehearsed.
const MOST_REHEARSED: usize = 16 << 20;

/// A request over data. All of its runs are of the same value, but for the time.
#[derive(Clone, Copy)]
pub(super) struct Request<'a> {
    /// The command's, or the subcommand's.
    pub row: &'static Command,
    /// What the row says that runs it.
    pub handler: Handler,
    /// The command's name included.
    pub args: Args<'a>,
    /// The number of the database that the session had selected.
    pub db: usize,
    /// What its reply is encoded for where it is made.
    pub protocol: Protocol,
    /// Unix milliseconds.
    pub now: u64,
    /// Of what it chooses at random: the same in each of its runs.
    pub seed: u64,
    /// Whether what it reads counts as used.
    pub touches: bool,
    /// Whether anybody gets its reply.
    pub is_heard: bool,
}

/// What a run came to.
pub(super) enum Ran {
    /// It is through. The reply may leave once the epoch is settled.
    Ready(store::Result<Reply>, Epoch),
    /// It runs again, or goes on, when this has come.
    Waits(Wait),
    /// It cannot be done, and some of its reply has left.
    CutOff(Stop),
}

impl Request<'_> {
    /// Whether it can go on over a view wherever it turns out to need much: it changes nothing at all.
    fn may_run_over_a_view(&self) -> bool {
        self.row.has(flag::READONLY) && !self.row.has(flag::MAY_REPLICATE)
    }

    /// Bytes that it may gather, or have pinned, on the executor.
    fn most_live(&self, limits: &CallLimits) -> usize {
        match self.may_run_over_a_view() {
            true => limits.live_gathered,
            false => limits.gathered,
        }
    }

    fn live_allowance(&self, limits: &CallLimits) -> Allowance {
        match self.may_run_over_a_view() {
            true => Allowance::or_over_a_view(self.most_live(limits)),
            false => Allowance::at_most(self.most_live(limits)),
        }
    }

    /// The request, to be run on another thread.
    pub fn detached(
        &self,
        limits: &CallLimits,
    ) -> impl FnOnce(&mut Txn, Option<&dyn Sink>) -> store::Result<Reply> + Send + use<> {
        let (args, limits) = (OwnedArgs::from(self.args), limits.clone());
        let (db, protocol, seed, handler) = (self.db, self.protocol, self.seed, self.handler);
        move |txn, sink| {
            txn.random = Random::from_seed(seed);
            let call = Call {
                args: args.as_args(),
                db,
                limits: &limits,
                protocol,
                sink,
            };
            handler(txn, &call)
        }
    }

    /// The request, to be run where nothing of it counts but what it reads.
    fn rehearsal(&self, limits: &CallLimits) -> Option<Rehearsal> {
        if self.args.iter().map(<[u8]>::len).sum::<usize>() > MOST_REHEARSED {
            return None;
        }
        let (run, allowance) = (self.detached(limits), self.live_allowance(limits));
        Some(Rehearsal {
            now: self.now,
            writes: self.row.has(flag::WRITE),
            // What it answers is nobody's.
            body: Box::new(move |txn| {
                txn.allowance = allowance;
                drop(run(txn, None));
            }),
        })
    }
}

impl Engine {
    /// Runs a request on the executor. `ticket` names the records that were fetched for it, if it has run before; they stay
    /// in memory until the ticket is finished.
    pub(super) fn run(&mut self, request: &Request, ticket: &mut Option<Ticket>) -> Ran {
        let call = Call {
            args: request.args,
            db: request.db,
            limits: &self.limits,
            protocol: request.protocol,
            sink: None,
        };
        let mut txn = self.store.begin(request.now);
        txn.random = Random::from_seed(request.seed);
        txn.touches = request.touches;
        txn.allowance = request.live_allowance(&self.limits);
        let result = match (request.handler)(&mut txn, &call) {
            // What it misses may be known to be more than it can have.
            Err(Stop::Fault) => Err(txn.allowance.check().err().unwrap_or(Stop::Fault)),
            result => result,
        };
        let end = txn.end();
        match result {
            Ok(reply) => Ran::Ready(Ok(reply), self.store.stage(end)),
            Err(Stop::Fault) => {
                let missing = self.store.abandon(end);
                self.fault(request, missing, ticket)
            }
            Err(Stop::NeedsView) => {
                self.store.abandon(end);
                self.turn_to_view(request, ticket)
            }
            Err(stop @ (Stop::Error(_) | Stop::Damage(_))) => {
                Ran::Ready(Err(stop), self.store.stage_expired(end))
            }
        }
    }

    /// Has fetched what a request missed, and the records of all its keys; or more, if it has faulted before.
    fn fault(&mut self, request: &Request, mut missing: Vec<RecordKey>, ticket: &mut Option<Ticket>) -> Ran {
        if ticket.is_some_and(|ticket| self.store.is_too_much(ticket)) {
            return match request.may_run_over_a_view() {
                true => self.turn_to_view(request, ticket),
                false => Ran::Ready(Stop::error(OUT_OF_MEMORY), Epoch::NONE),
            };
        }
        self.stats.faults += 1;
        if let Some(damage) = ticket.and_then(|ticket| self.store.read_error(ticket)) {
            return Ran::Ready(Err(Stop::Damage(Box::new(damage))), Epoch::NONE);
        }
        let Request { row, args, db, .. } = *request;
        let faults = ticket.map_or(0, |ticket| self.store.faults(ticket));
        if faults >= MOST_FAULTS_TO_READ && !row.has(flag::WRITE) {
            return self.turn_to_view(request, ticket);
        }
        if let Some(positions) = row.key_positions(args)
            && positions.len() > 1
        {
            let names = positions.iter().map(|&i| &args[i]);
            missing.extend(self.store.unknown_keys(db, names));
        }
        let rehearsal = || request.rehearsal(&self.limits);
        let fetched = self.store.retry(missing, *ticket, rehearsal);
        self.store.limit(fetched, request.most_live(&self.limits));
        *ticket = Some(fetched);
        Ran::Waits(Wait::Records(fetched))
    }

    /// What was fetched for a request is not what it will read over a view.
    fn turn_to_view(&mut self, request: &Request, ticket: &mut Option<Ticket>) -> Ran {
        if let Some(ticket) = ticket.take() {
            self.store.finish(ticket);
        }
        self.run_over_view(request)
    }
}
