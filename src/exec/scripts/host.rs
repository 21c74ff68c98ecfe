//! The server, as a script sees it: each command that it calls runs within the script's transaction.

use std::time::{Duration, Instant};

use super::State;
use super::program::Program;
use crate::base::log;
use crate::command::Call;
use crate::exec::control::connection::selected;
use crate::exec::monitor::add_call;
use crate::exec::parking::Wait;
use crate::exec::request::{Body, Ran, Request, Waiting};
use crate::exec::table::{self, Command, Control, Found, Run, flag};
use crate::exec::transaction::run_one;
use crate::exec::{Engine, Session};
use crate::resp::{Args, OwnedArgs, Protocol, Reply};
use crate::script::{Fault, Host, LogLevel, Pulse};
use crate::store::{Missing, Stop, Suspended};

const KILLED: &str = "ERR Script killed by user with SCRIPT KILL...";

/// So long a script may go on at a time once others are answered BUSY.
const TURN: Duration = Duration::from_millis(2);

/// The host of one run, for as long as it has the processor.
pub(in crate::exec) struct Server<'a> {
    pub engine: &'a mut Engine,
    pub session: &'a mut Session,
    pub program: &'a Program,
    /// The keys that are named.
    pub keys: Args<'a>,
    pub state: &'a mut State,
    /// The script's transaction; away while a command runs in it.
    pub txn: Option<Suspended>,
    /// Unix milliseconds, as its commands see them.
    pub now: u64,
    /// When it got the processor.
    pub since: Instant,
    /// What the call waits for that has faulted.
    pub wait: Option<Wait>,
}

impl Host for Server<'_> {
    fn call(&mut self, arguments: &[&[u8]], protocol: Protocol) -> Result<Reply, Fault> {
        let began = Instant::now();
        if self.is_late(began) {
            return Err(Fault);
        }
        let Some(args) = OwnedArgs::new(arguments) else {
            return Ok(self.refuse(None, "ERR the arguments of a command take more than 4 GiB"));
        };
        let args = args.as_args();
        let Some(found) = find(args) else {
            return Ok(self.refuse(None, "ERR Unknown Redis command called from script"));
        };
        if let Some(text) = self.objection(found.command, args) {
            return Ok(self.refuse(Some(found), text));
        }
        self.state.has_written |= found.command.may_write();
        let reply = match found.command.run {
            Run::Data(handler) => {
                let row = found.command;
                self.run_data(Body::Command { row, handler, args }, protocol)?
            }
            Run::Control(_) if found.command.name == "select" => self.select(args),
            Run::Control(control) | Run::Checkpointed(control) | Run::Container(_, Some(control)) => {
                self.run_control(control, args, protocol)
            }
            Run::Exec | Run::Scripted(_) | Run::Container(_, None) => {
                unreachable!("none of them may be called from scripts")
            }
        };
        if let Reply::Error(text) = &reply {
            self.state.counted.error(text);
        }
        let failed = matches!(reply, Reply::Error(_));
        let took = began.elapsed().as_nanos() as u64;
        add_call(
            self.engine,
            &mut self.state.lines,
            self.state.db,
            found.command,
            args,
        );
        if self.engine.tracking_clients > 0 && self.session.client.tracks_reads() {
            self.state.used.note(found.command, args);
        }
        self.state.counted.ran(found.number, took, failed);
        Ok(reply)
    }

    fn may_call(&mut self, arguments: &[&[u8]]) -> Option<bool> {
        // There is only the default user, who may do everything.
        find(OwnedArgs::new(arguments)?.as_args()).map(|_| true)
    }

    fn log(&mut self, level: LogLevel, text: &[u8]) {
        let text = String::from_utf8_lossy(text);
        match level {
            LogLevel::Debug | LogLevel::Verbose => log::verbose(text),
            LogLevel::Notice => log::notice(text),
            LogLevel::Warning => log::warning(text),
        }
    }

    /// Replicas get what is committed.
    fn set_replication(&mut self, _: u8) {}

    fn pulse(&mut self) -> Pulse {
        let threshold = self.engine.config.busy_reply_threshold;
        if threshold == 0 {
            return Pulse::GoOn;
        }
        let client = self.session.client.id;
        if self.engine.scripts.is_killed(client) {
            return Pulse::Kill(KILLED.into());
        }
        match self.state.began.elapsed().as_millis() >= u128::from(threshold) {
            true => Pulse::Pause,
            false => Pulse::GoOn,
        }
    }
}

impl Server<'_> {
    /// Whether a script that others are told of has run for long again, and lets them have a turn before its next call.
    fn is_late(&self, now: Instant) -> bool {
        let scripts = &self.engine.scripts;
        scripts.busy().is_some() && now.duration_since(self.since) > TURN
    }

    /// Why a script may not call a command so, if so.
    fn objection(&self, row: &Command, args: Args) -> Option<&'static str> {
        if !row.accepts(args.len()) {
            return Some("ERR Wrong number of args calling Redis command from script");
        }
        let has_no_function = matches!(row.run, Run::Exec | Run::Scripted(_) | Run::Container(_, None));
        if row.has(flag::NOSCRIPT) || has_no_function {
            return Some("ERR This Redis command is not allowed from script");
        }
        if self.program.reads_only && row.may_write() {
            return Some("ERR Write commands are not allowed from read-only scripts.");
        }
        None
    }

    /// The error that a call is answered which does not run.
    fn refuse(&mut self, row: Option<Found>, text: &'static str) -> Reply {
        self.state.counted.error(text);
        if let Some(row) = row {
            self.state.counted.rejected(row.number);
        }
        Reply::err(text)
    }

    fn select(&mut self, args: Args) -> Reply {
        match selected(args, self.engine.limits.databases) {
            Ok(db) => {
                self.state.db = db;
                Reply::Ok
            }
            Err(error) => error,
        }
    }

    /// Runs a command about the connection or the server, with the transaction set aside.
    fn run_control(&mut self, control: Control, args: Args, protocol: Protocol) -> Reply {
        let session = &mut *self.session;
        let before = (session.db, session.protocol);
        (session.db, session.protocol) = (self.state.db, protocol);
        let reply = control(self.engine, session, args);
        self.state.epoch = self.state.epoch.max(std::mem::take(&mut session.reply_epoch));
        (session.db, session.protocol) = before;
        reply
    }

    /// A command has missed records. The first time, all keys that are named are fetched with them, and stay in memory until
    /// the request is through.
    fn fault(&mut self, request: &Request, mut missing: Missing) -> Ran {
        let engine = &mut *self.engine;
        let of_all = &mut self.session.request.ticket;
        if of_all.is_none() {
            let unknown = |name| engine.store.unknown_key(self.state.first_db, name);
            let named: Vec<_> = self.keys.iter().filter_map(unknown).collect();
            if !named.is_empty() {
                engine.stats.faults += 1;
                missing.records.extend(named);
                let ticket = engine.store.retry(missing, None, || None);
                return Ran::Waits(Wait::Records(*of_all.insert(ticket)));
            }
        }
        engine.fault(request, missing, &mut self.state.ticket)
    }

    fn run_data(&mut self, body: Body, protocol: Protocol) -> Result<Reply, Fault> {
        let Body::Command { handler, args, .. } = body else {
            unreachable!("a script calls commands")
        };
        let request = Request {
            db: self.state.db,
            protocol,
            may_use_view: false,
            waiting: Waiting::Never,
            ..self.session.request_of(body, self.now)
        };
        let engine = &mut *self.engine;
        let suspended = self.txn.take().expect("no command runs within another");
        let mut txn = engine.store.resume(suspended);
        txn.allowance = request.live_allowance(&engine.limits);
        txn.charge_events();
        let call = Call {
            args,
            db: request.db,
            protocol,
            client: request.client,
            audience: Some(&engine.pubsub),
            is_scripted: true,
            ..Call::by(&engine.limits)
        };
        let result = match run_one(&mut txn, handler, &call) {
            Err(Stop::Fault) => Err(txn.allowance.check().err().unwrap_or(Stop::Fault)),
            result => result,
        };
        let missing = txn.take_missing();
        self.txn = Some(txn.suspend());
        let result = match result {
            Err(Stop::Fault) => match self.fault(&request, missing) {
                Ran::Waits(wait) => {
                    self.wait = Some(wait);
                    return Err(Fault);
                }
                Ran::Ready(result, _) | Ran::Counted(result, _) => result,
                Ran::CutOff(stop) => Err(stop),
                Ran::Awaits(..) => unreachable!("it may not wait"),
            },
            result => result,
        };
        let engine = &mut *self.engine;
        if let Some(ticket) = self.state.ticket.take() {
            engine.store.finish(ticket);
        }
        Ok(match result {
            Ok(reply) => reply,
            Err(Stop::Error(text)) => Reply::Error(text),
            Err(Stop::Damage(damage)) => Reply::Error(damage.text.clone().into()),
            Err(Stop::Fault | Stop::NeedsView | Stop::Await(_)) => {
                unreachable!("a script's commands wait for nothing but records, and see no view")
            }
        })
    }
}

/// The row of a command; that of a container without such a subcommand is none.
fn find(args: Args) -> Option<Found> {
    let found = args.get(0).and_then(table::find)?;
    match (found.command.run, args.get(1)) {
        (Run::Container(..), Some(name)) => {
            // One that scripts may not call at all is refused as such, whatever it has.
            let whole = || found.command.has(flag::NOSCRIPT).then_some(found);
            found.subcommand(name).or_else(whole)
        }
        _ => Some(found),
    }
}
