//! From a request to its reply: find the row, check what must hold, run the handler, apply its transaction.

use std::task::Waker;

use super::outbox::disk_error;
use super::session::{ReplyMode, State};
use super::stream::{Pouring, Unheard, stream};
use super::table::{self, Command, Control, Found, Run, flag};
use super::{Engine, Session, ViewNews, ViewTicket};
use crate::base::log;
use crate::base::random::Random;
use crate::command::{Call, CallLimits, Handler};
use crate::disk::format::RecordKey;
use crate::resp::{Args, OwnedArgs, Reply, SHOWN, Sink, c_text, shown};
use crate::store::{self, Allowance, Damage, OUT_OF_MEMORY, Rehearsal, Stop, Ticket, Txn};

/// A request that only reads is answered over a view when it has faulted so often: others write what it reads.
const MOST_FAULTS_TO_READ: u32 = 7;

/// A request of more bytes is not copied to be rehearsed.
const MOST_REHEARSED: usize = 16 << 20;

/// A request over data.
#[derive(Clone, Copy)]
struct Request<'a> {
    row: &'static Command,
    handler: Handler,
    args: Args<'a>,
    /// Unix milliseconds.
    now: u64,
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
}

impl Session {
    /// Whether the request that was set aside, if there is one, can go on.
    pub(super) fn is_awake(&mut self, engine: &mut Engine, waker: &Waker) -> bool {
        match self.state {
            State::Ready => true,
            State::Faulted(ticket) => {
                let ready = engine.store.is_ready(ticket);
                if ready {
                    // Pins stay until the request is through; those of an earlier fault of the same request go now,
                    // as this run will fault again if it still wants what they held.
                    self.state = State::Ready;
                } else {
                    engine.faulted.insert(ticket, waker.clone());
                }
                ready
            }
            State::AwaitingCheckpoint(epoch) => engine.is_applied(epoch, self.client.id, waker),
            State::Paused => {
                let over = !engine.pause.is_on();
                if over {
                    self.client.paused.set(false);
                    self.state = State::Ready;
                } else {
                    engine.pause.wake_after(self.client.id, waker);
                }
                over
            }
            State::Viewing(ticket, _) => {
                let done = engine.viewed.contains_key(&ticket);
                if !done {
                    engine.viewing.insert(ticket, waker.clone());
                }
                done
            }
        }
    }

    /// Runs one request. False: it has to wait, and runs again when the waker was called.
    pub(super) fn run_request(&mut self, engine: &mut Engine, args: Args, now: u64, waker: &Waker) -> bool {
        let Some(name) = args.get(0) else { return true };
        let Some(first) = table::find(name) else {
            if is_another_protocol(name) {
                engine.tell_of_another_protocol(&self.client.address);
                self.closing = true;
                return true;
            }
            return self.refuse_command(engine, None, unknown_command(args));
        };
        let found = match first.command.run {
            Run::Container(..) if args.len() > 1 => match first.subcommand(&args[1]) {
                Some(sub) => sub,
                None => {
                    let error = self.no_subcommand(engine, first.command, args);
                    return self.refuse_command(engine, None, error);
                }
            },
            _ => first,
        };
        let row = found.command;
        let sub = if found.number == first.number {
            ""
        } else {
            row.name
        };
        self.note_command(engine, first.command, sub);
        if let Some(error) = self.objection(engine, first.command, sub, row, args) {
            return self.refuse_command(engine, Some(found), error);
        }
        if matches!(self.state, State::Ready) && engine.pause.holds(row) {
            self.state = State::Paused;
            self.client.paused.set(true);
            engine.pause.wake_after(self.client.id, waker);
            return self.account(engine, found, args, Outcome::Waits);
        }
        if matches!(self.state, State::Ready) && !self.is_admitted(engine, row, waker) {
            return self.account(engine, found, args, Outcome::Waits);
        }
        let outcome = match row.run {
            Run::Data(handler) => {
                let request = Request {
                    row,
                    handler,
                    args,
                    now,
                };
                self.run_data(engine, request, waker)
            }
            Run::Settled(_) if !self.all_applied(engine, waker) => Outcome::Waits,
            Run::Control(control) | Run::Settled(control) | Run::Container(_, Some(control)) => {
                self.run_control(engine, control, args)
            }
            Run::Container(_, None) => {
                return self.refuse_command(engine, Some(found), wrong_arity(first.command, sub));
            }
        };
        self.account(engine, found, args, outcome)
    }

    /// What a container answers to a name that none of its subcommands has.
    fn no_subcommand(&self, engine: &Engine, command: &Command, args: Args) -> Reply {
        if !reads_its_own_subcommands(command) {
            return unknown_subcommand(command, &args[1]);
        }
        self.objection(engine, command, "", command, args)
            .unwrap_or_else(|| unknown_subcommand_or_arity(command, &args[1]))
    }

    /// Why a request must not run, if so.
    fn objection(
        &self,
        engine: &Engine,
        command: &Command,
        sub: &str,
        row: &Command,
        args: Args,
    ) -> Option<Reply> {
        let fits = row.accepts(args.len());
        let in_command = !sub.is_empty() && reads_its_own_subcommands(command);
        if !fits && !in_command {
            return Some(wrong_arity(command, sub));
        }
        let protected = row.has(flag::PROTECTED);
        if protected && !engine.config.enable_debug_command.allows(self.client.is_local()) {
            return Some(Reply::err(DEBUG_NOT_ALLOWED));
        }
        if !self.authenticated && !row.has(flag::NO_AUTH) {
            return Some(Reply::err("NOAUTH Authentication required."));
        }
        (!fits).then(|| unknown_subcommand_or_arity(command, &args[1]))
    }

    /// Counts a request once it is through, with the time of all its runs.
    fn account(&mut self, engine: &mut Engine, found: Found, args: Args, outcome: Outcome) -> bool {
        let lap = self.spent + engine.clock.end_lap();
        if let Outcome::Waits = outcome {
            self.spent = lap;
            return false;
        }
        self.spent = 0;
        let failed = !matches!(outcome, Outcome::Answered);
        engine.stats.ran(found.number, lap, failed);
        if let Outcome::Damaged(damage) = outcome {
            self.tell_of_damage(engine, found.command, args, &damage);
        }
        let now = engine.clock.now_ms();
        engine
            .slowlog
            .note(&engine.config, &self.client, found.command, args, lap, now);
        true
    }

    fn run_data(&mut self, engine: &mut Engine, request: Request, waker: &Waker) -> Outcome {
        match self.state {
            State::AwaitingCheckpoint(epoch) => {
                return self.start_view(engine, epoch, request, waker);
            }
            State::Viewing(ticket, _) => {
                let result = engine
                    .viewed
                    .remove(&ticket)
                    .unwrap_or_else(|| Stop::error("ERR view lost"));
                return match (self.end_stream(engine), result) {
                    (true, Err(stop)) => self.cut_off(engine, stop),
                    (_, result) => self.answer(engine, result, 0),
                };
            }
            State::Ready | State::Faulted(_) | State::Paused => {}
        }
        let call = Call {
            args: request.args,
            db: self.db,
            limits: &engine.limits,
            protocol: self.protocol,
            sink: None,
        };
        let mut txn = engine.store.begin(request.now);
        txn.random = Random::from_seed(self.seed);
        txn.touches = !self.client.no_touch.get();
        txn.allowance = request.live_allowance(&engine.limits);
        let result = match (request.handler)(&mut txn, &call) {
            // What it misses may be known to be more than it can have.
            Err(Stop::Fault) => Err(txn.allowance.check().err().unwrap_or(Stop::Fault)),
            result => result,
        };
        let end = txn.end();
        match result {
            Ok(reply) => {
                let epoch = engine.store.apply(end);
                self.answer(engine, Ok(reply), epoch)
            }
            Err(Stop::Fault) => {
                let missing = engine.store.abandon(end);
                let is_too_much = |ticket| engine.store.is_too_much(ticket);
                match self.ticket.is_some_and(is_too_much) {
                    true if request.may_run_over_a_view() => self.ask_for_view(engine, request, waker),
                    true => self.answer(engine, Stop::error(OUT_OF_MEMORY), 0),
                    false => self.fault(engine, request, missing, waker),
                }
            }
            Err(Stop::NeedsView) => {
                engine.store.abandon(end);
                self.ask_for_view(engine, request, waker)
            }
            Err(stop @ (Stop::Error(_) | Stop::Damage(_))) => {
                let epoch = engine.store.apply_expired(end);
                self.answer(engine, Err(stop), epoch)
            }
        }
    }

    fn answer(&mut self, engine: &mut Engine, result: Result<Reply, Stop>, epoch: u64) -> Outcome {
        self.drop_ticket(engine);
        self.seed = Random::from_seed(self.seed).next_u64();
        let (reply, damage) = match result {
            Ok(reply) => (reply, None),
            Err(Stop::Error(text)) => (Reply::Error(text), None),
            Err(Stop::Damage(damage)) => (Reply::Error(damage.text.clone().into()), Some(damage)),
            Err(Stop::Fault | Stop::NeedsView) => {
                unreachable!("a body over a view neither faults nor asks for one")
            }
        };
        self.reply(engine, &reply, epoch);
        let outcome = outcome(engine, &reply);
        damage.map_or(outcome, Outcome::Damaged)
    }

    /// The operator has to know what clients are told of the disk.
    fn tell_of_damage(&self, engine: &mut Engine, row: &Command, args: Args, damage: &Damage) {
        let keys = row.key_positions(args).unwrap_or_default();
        let key = keys.first().map(|&at| shown(&args[at]));
        let key = key.map_or_else(String::new, |key| format!(" of the key '{key}'"));
        let record = damage.record.as_ref();
        let record = record.map_or_else(String::new, |record| format!(" (record {record:?})"));
        engine.damage_log.warning(format_args!(
            "{}{key} in database {} failed: {}{record}",
            row.name.to_ascii_uppercase(),
            self.db,
            damage.text
        ));
    }

    /// A reply that has begun to leave cannot end: so the connection does.
    fn cut_off(&mut self, engine: &mut Engine, why: Stop) -> Outcome {
        self.drop_ticket(engine);
        self.closing = true;
        match why {
            Stop::Damage(damage) => Outcome::Damaged(damage),
            why => {
                let address = &self.client.address;
                log::warning(format_args!(
                    "the connection of {address} ends within a reply: {why:?}"
                ));
                Outcome::Failed
            }
        }
    }

    /// Sets the request aside until its records are in memory: those it missed, and those of all its keys; or more, if it
    /// has faulted before.
    fn fault(
        &mut self,
        engine: &mut Engine,
        request: Request,
        mut missing: Vec<RecordKey>,
        waker: &Waker,
    ) -> Outcome {
        engine.stats.faults += 1;
        if let Some(damage) = self.ticket.and_then(|ticket| engine.store.read_error(ticket)) {
            return self.answer(engine, Err(Stop::Damage(Box::new(damage))), 0);
        }
        let Request { row, args, .. } = request;
        let faults = self.ticket.map_or(0, |ticket| engine.store.faults(ticket));
        if faults >= MOST_FAULTS_TO_READ && !row.has(flag::WRITE) {
            return self.ask_for_view(engine, request, waker);
        }
        if let Some(positions) = row.key_positions(args)
            && positions.len() > 1
        {
            let names = positions.iter().map(|&i| &args[i]);
            missing.extend(engine.store.unknown_keys(self.db, names));
        }
        let rehearsal = || self.rehearsal(&engine.limits, request);
        let ticket = engine.store.retry(missing, self.ticket, rehearsal);
        engine.store.limit(ticket, request.most_live(&engine.limits));
        self.ticket = Some(ticket);
        self.state = State::Faulted(ticket);
        engine.faulted.insert(ticket, waker.clone());
        Outcome::Waits
    }

    /// The request, to be run where nothing of it counts but what it reads.
    fn rehearsal(&self, limits: &CallLimits, request: Request) -> Option<Rehearsal> {
        if request.args.iter().map(<[u8]>::len).sum::<usize>() > MOST_REHEARSED {
            return None;
        }
        let (run, allowance) = (self.detached(limits, request), request.live_allowance(limits));
        Some(Rehearsal {
            now: request.now,
            writes: request.row.has(flag::WRITE),
            // What it answers is nobody's.
            body: Box::new(move |txn| {
                txn.allowance = allowance;
                drop(run(txn, None));
            }),
        })
    }

    /// The request, to be run on another thread.
    fn detached(
        &self,
        limits: &CallLimits,
        request: Request,
    ) -> impl FnOnce(&mut Txn, Option<&dyn Sink>) -> store::Result<Reply> + Send + use<> {
        let (args, limits) = (OwnedArgs::from(request.args), limits.clone());
        let (db, protocol, seed, handler) = (self.db, self.protocol, self.seed, request.handler);
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

    /// Has the request run over a view, once all before it is where views find it.
    fn ask_for_view(&mut self, engine: &mut Engine, request: Request, waker: &Waker) -> Outcome {
        // What was fetched for it is not what it will read.
        self.drop_ticket(engine);
        let epoch = engine.store.frontier();
        self.state = State::AwaitingCheckpoint(epoch);
        match engine.is_applied(epoch, self.client.id, waker) {
            true => self.start_view(engine, epoch, request, waker),
            false => Outcome::Waits,
        }
    }

    fn start_view(&mut self, engine: &mut Engine, epoch: u64, request: Request, waker: &Waker) -> Outcome {
        if let Some(text) = engine.store.broken()
            && epoch > engine.store.applied()
        {
            let error = disk_error(text);
            self.state = State::Ready;
            return self.answer(engine, Stop::error(error), 0);
        }
        let ticket = engine.next_view;
        engine.next_view += 1;
        engine.stats.views += 1;
        let is_heard = self.reply_mode == ReplyMode::On;
        let news = engine.view_news.clone();
        let (outflow, inflow) = stream(ticket, news.clone(), engine.store.waker());
        let run = self.detached(&engine.limits, request);
        let allowance = Allowance::at_most(engine.limits.gathered);
        engine.store.run_over_applied(request.now, move |txn, place| {
            txn.allowance = allowance;
            let pouring = Pouring {
                outflow: &outflow,
                place,
                recent: txn.recent(),
            };
            let result = match is_heard {
                true => run(txn, Some(&pouring)),
                // It ends with the first piece.
                false => run(txn, Some(&Unheard)).or(Ok(Reply::Nothing)),
            };
            // A closed channel means that the engine is gone, and nobody waits any more.
            let _ = news.send(ViewNews::Done(ticket, result));
        });
        self.state = State::Viewing(ticket, inflow);
        engine.viewing.insert(ticket, waker.clone());
        Outcome::Waits
    }

    fn run_control(&mut self, engine: &mut Engine, control: Control, args: Args) -> Outcome {
        let reply = control(engine, self, args);
        let epoch = std::mem::take(&mut self.reply_epoch);
        self.reply(engine, &reply, epoch);
        outcome(engine, &reply)
    }

    /// Whether everything before this request is on disk where it belongs; if not, the request waits for it.
    fn all_applied(&mut self, engine: &mut Engine, waker: &Waker) -> bool {
        if let State::AwaitingCheckpoint(_) = self.state {
            self.state = State::Ready;
            return true;
        }
        let epoch = engine.store.frontier();
        let applied = engine.is_applied(epoch, self.client.id, waker);
        if !applied {
            self.state = State::AwaitingCheckpoint(epoch);
        }
        applied
    }

    fn refuse_command(&mut self, engine: &mut Engine, row: Option<Found>, error: Reply) -> bool {
        if let Some(row) = row {
            engine.stats.rejected(row.number);
        }
        engine.clock.end_lap();
        self.reply(engine, &error, 0);
        outcome(engine, &error);
        true
    }
}

/// What running a request came to.
enum Outcome {
    /// It runs again.
    Waits,
    Answered,
    Failed,
    /// As `Failed`, for a reason that belongs in the log.
    Damaged(Box<Damage>),
}

/// The outcome that a reply tells, counted if it is an error.
fn outcome(engine: &mut Engine, reply: &Reply) -> Outcome {
    match reply {
        Reply::Error(text) => {
            engine.stats.error(text);
            Outcome::Failed
        }
        _ => Outcome::Answered,
    }
}

impl Engine {
    /// Whether an epoch is where views find it, or cannot come there at present. If not, it is asked for, and the client's
    /// waker called.
    fn is_applied(&mut self, epoch: u64, client: u64, waker: &Waker) -> bool {
        if self.store.want_applied(epoch) || self.store.broken().is_some() {
            return true;
        }
        self.awaiting.insert(client, (epoch, waker.clone()));
        self.want_pump();
        false
    }

    /// Once in a while: who sends such requests may send many.
    fn tell_of_another_protocol(&mut self, address: &str) {
        const QUIET_MS: u64 = 60_000;
        let now = self.clock.now_ms();
        if self
            .told_of_another_protocol_ms
            .is_none_or(|told| now.saturating_sub(told) > QUIET_MS)
        {
            self.told_of_another_protocol_ms = Some(now);
            log::warning(format_args!(
                "{address} speaks HTTP: this may be an attack through somebody's browser (cross protocol scripting). \
                 The connection is closed"
            ));
        }
    }

    /// Its result, if it is there or when it comes, is nobody's.
    pub(super) fn forget_view(&mut self, ticket: ViewTicket) {
        self.viewing.remove(&ticket);
        self.viewed.remove(&ticket);
    }

    pub(super) fn forget_fault(&mut self, ticket: Ticket) {
        self.faulted.remove(&ticket);
        self.store.finish(ticket);
    }
}

const DEBUG_NOT_ALLOWED: &str = "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", \
    you can run it from a local connection, otherwise you need to set this option in the configuration file, and then \
    restart the server.";

fn unknown_command(args: Args) -> Reply {
    let mut beginning = Vec::new();
    for arg in args.iter().skip(1) {
        if beginning.len() >= SHOWN {
            break;
        }
        let arg = c_text(arg, SHOWN - beginning.len());
        beginning.extend_from_slice(&[b"'", arg, b"' "].concat());
    }
    let beginning = String::from_utf8_lossy(&beginning);
    let name = shown(&args[0]);
    Reply::err(format!(
        "ERR unknown command '{name}', with args beginning with: {beginning}"
    ))
}

/// HTTP's, where a web page makes a browser send requests here: nothing else of such a connection may be run.
fn is_another_protocol(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"post") || name.eq_ignore_ascii_case(b"host:")
}

fn unknown_subcommand(command: &Command, name: &[u8]) -> Reply {
    let name = shown(name);
    let container = command.name.to_ascii_uppercase();
    Reply::err(format!("ERR unknown subcommand '{name}'. Try {container} HELP."))
}

/// Whether the command is no container in Redis, but one that looks at its first argument itself.
fn reads_its_own_subcommands(command: &Command) -> bool {
    command.name == "debug"
}

fn unknown_subcommand_or_arity(command: &Command, name: &[u8]) -> Reply {
    let name = shown(name);
    let container = command.name.to_ascii_uppercase();
    Reply::err(format!(
        "ERR unknown subcommand or wrong number of arguments for '{name}'. Try {container} HELP."
    ))
}

fn wrong_arity(command: &Command, sub: &str) -> Reply {
    let bar = if sub.is_empty() { "" } else { "|" };
    Reply::err(format!(
        "ERR wrong number of arguments for '{}{bar}{sub}' command",
        command.name
    ))
}
