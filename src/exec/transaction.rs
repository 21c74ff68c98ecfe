//! MULTI, EXEC and WATCH: requests that are queued, and then run as one transaction.
//!
//! Commands over data share one [`Txn`]. Before each is a savepoint: one that fails is taken back alone, and the others
//! count. Where one faults, the others are run as far as they come, for what they miss; then all of it is fetched together,
//! and the queue runs again from its beginning. Nothing that it does counts, and nobody sees any of it, before a run in
//! which none has faulted: that one is staged as a whole, so an epoch has all of it or nothing.
//!
//! A command about the connection or the server (a *control*) cannot be taken back. So a queue that has one is first run
//! without its controls, until nothing faults any more; then everything runs in its order, the transaction set aside while
//! a control runs. (What such a run finds missing after all is fetched, and controls that ran keep their replies.)
//!
//! Keys that WATCH has named are kept by the store (`store/watches.rs`), which says whether one of them has changed.
//!
//! SELECT counts as neither: it says which database the commands behind it mean.

use std::time::Instant;

use super::control::connection::{self, selected};
use super::keys_used::KeysUsed;
use super::queue::{Queue, Queued};
use super::queue_run::{QueueRun, WaitingQueue};
use super::request::{Body, Ran, Request};
use super::scripts::program::FindProgram;
use super::scripts::{MOST_RESTARTS, Running};
use super::shown::Lines;
use super::table::{self, Command, Control, Found, Run};
use super::{Engine, Session};
use crate::command::{Call, Handler};
use crate::resp::{Args, Reply};
use crate::script::Done;
use crate::store::{self, Epoch, Stop, Suspended, Txn};

/// What EXEC answers if one of the requests before it was refused.
const REFUSED: &str = "EXECABORT Transaction discarded because of previous errors.";

/// Commands that are not queued.
const RUN_AT_ONCE: [&str; 5] = ["exec", "discard", "multi", "quit", "reset"];

impl QueueRun {
    /// One of its scripts is through. Returns its reply.
    fn note_script(&mut self, script: &mut Running, engine: &mut Engine, done: Done) -> Reply {
        self.epoch = self.epoch.max(script.state.epoch);
        self.called.push(std::mem::take(&mut script.state.counted));
        self.lines.append(std::mem::take(&mut script.state.lines));
        self.used.append(std::mem::take(&mut script.state.used));
        self.counted.resize(self.replies.len(), false);
        self.counted.push(done.is_counted);
        script.let_go(&mut engine.store);
        done.reply
    }
}

/// What a request of a queue is.
enum Step {
    Data(Handler),
    Select,
    Control(Control),
    Script(FindProgram),
}

impl Queued {
    fn found(&self) -> Found {
        table::numbered(self.row)
    }

    fn command(&self) -> &'static Command {
        self.found().command
    }

    fn step(&self) -> Step {
        match self.command().run {
            Run::Data(handler) => Step::Data(handler),
            Run::Control(_) if self.command().name == "select" => Step::Select,
            Run::Control(control) | Run::Checkpointed(control) | Run::Container(_, Some(control)) => {
                Step::Control(control)
            }
            Run::Scripted(find) => Step::Script(find),
            Run::Container(_, None) | Run::Exec => unreachable!("dispatch runs it at once"),
        }
    }

    /// The database that it selects, if it does.
    fn selects(&self, databases: usize) -> Option<usize> {
        match self.step() {
            Step::Select => selected(self.args.as_args(), databases).ok(),
            Step::Data(_) | Step::Control(_) | Step::Script(_) => None,
        }
    }
}

impl Queue {
    /// Whether one of its requests has the flag.
    pub fn has(&self, flag: u32) -> bool {
        self.requests.iter().any(|queued| queued.command().has(flag))
    }

    /// Whether running it may change data.
    pub fn may_write(&self) -> bool {
        self.requests.iter().any(|queued| queued.command().may_write())
    }

    /// The same, by what scripts and functions declare of themselves.
    pub fn may_write_in(&self, engine: &mut Engine) -> bool {
        let mut requests = self.requests.iter();
        requests.any(|queued| engine.may_write(queued.command(), queued.args.as_args()))
    }

    fn has_controls(&self) -> bool {
        let is_control = |queued: &Queued| matches!(queued.step(), Step::Control(_) | Step::Script(_));
        self.requests.iter().any(is_control)
    }

    /// Calls `named` with each key that its commands name, and the database of it; `db` is selected before them.
    pub fn each_key(&self, mut db: usize, databases: usize, mut named: impl FnMut(usize, &[u8])) {
        for queued in &self.requests {
            let args = queued.args.as_args();
            db = queued.selects(databases).unwrap_or(db);
            for at in queued.command().key_positions(args).unwrap_or_default() {
                named(db, &args[at]);
            }
        }
    }

    /// Runs the commands over data, one after the other; controls are left out, and answer nothing. `call` says what is
    /// selected before them. Returns their replies.
    ///
    /// # Errors
    /// A fault, if one of them faulted; then all of them were run as far as they came. What the disk has damaged.
    pub fn run(&self, txn: &mut Txn, call: &Call) -> store::Result<Vec<Reply>> {
        let mut replies = Vec::with_capacity(self.requests.len());
        let mut runs = self.runs.borrow_mut();
        runs.took.clear();
        let (mut db, mut begun) = (call.db, Instant::now());
        for queued in &self.requests {
            let args = queued.args.as_args();
            let reply = match queued.step() {
                Step::Data(handler) => run_one(txn, handler, &Call { args, db, ..*call }),
                Step::Select => Ok(select(args, call.limits.databases, &mut db)),
                Step::Control(_) | Step::Script(_) => Ok(Reply::Nothing),
            };
            match reply {
                Ok(reply) => replies.push(reply),
                // There are fewer replies than requests then.
                Err(Stop::Fault) => {}
                Err(stop) => return Err(stop),
            }
            runs.note(&mut begun);
        }
        match replies.len() == self.requests.len() {
            true => Ok(replies),
            false => Err(Stop::Fault),
        }
    }
}

/// Runs one command within a transaction: if it fails, what it wrote is taken back, and the error is its reply.
///
/// # Errors
/// A fault; what the disk has damaged.
pub(super) fn run_one(txn: &mut Txn, handler: Handler, call: &Call) -> store::Result<Reply> {
    let before = txn.savepoint();
    txn.is_unwatched = false;
    match handler(txn, call) {
        Err(Stop::Error(text)) => {
            txn.rollback_failure(before);
            Ok(Reply::Error(text))
        }
        Err(stop) => {
            txn.rollback(before);
            Err(stop)
        }
        result => result,
    }
}

fn select(args: Args, databases: usize, db: &mut usize) -> Reply {
    match selected(args, databases) {
        Ok(number) => {
            *db = number;
            Reply::Ok
        }
        Err(error) => error,
    }
}

impl Session {
    /// What a request is answered that is queued rather than run, or that cannot be run after MULTI. `None`: it runs.
    /// `is_sub`: its row is a subcommand's, which may have the name of a command.
    pub(super) fn queue(&mut self, found: Found, is_sub: bool, args: Args) -> Option<Reply> {
        let queue = self.queue.as_mut()?;
        match found.command.name {
            // It does no harm to the others.
            "watch" if !is_sub => Some(Reply::err("ERR WATCH inside MULTI is not allowed")),
            name if !is_sub && RUN_AT_ONCE.contains(&name) => None,
            _ => {
                queue.push(found.number, args);
                self.client.queued.set(Some(queue.requests.len()));
                Some(Reply::simple("QUEUED"))
            }
        }
    }

    /// One of the requests that were to be queued cannot be run: nor can the others.
    pub(super) fn refuse_queue(&mut self) {
        if let Some(queue) = &mut self.queue {
            queue.is_refused = true;
        }
    }

    /// MULTI. False: there is a queue already.
    pub(super) fn begin_queue(&mut self) -> bool {
        let begins = self.queue.is_none();
        if begins {
            self.queue = Some(Box::default());
            self.client.queued.set(Some(0));
        }
        begins
    }

    /// Forgets what was queued, and what is watched.
    pub(super) fn drop_queue(&mut self, engine: &mut Engine) {
        engine.store.unwatch(self.client.id);
        self.client.queued.set(None);
        self.queue = None;
    }

    /// Runs what was queued, or goes on with it.
    pub(super) fn exec(&mut self, engine: &mut Engine, now: u64) -> Ran {
        let Some(queue) = self.queue.take() else {
            return Ran::Ready(Stop::error("ERR EXEC without MULTI"), Epoch::NONE);
        };
        // What is watched may change while it waits for records.
        let changed = engine.store.watched_change(self.client.id, now);
        if queue.is_refused || changed.is_some() {
            self.give_up_queue_run(engine);
        }
        let ran = match (queue.is_refused, changed) {
            (true, _) => Ran::Ready(Stop::error(REFUSED), Epoch::NONE),
            (false, Some(epoch)) => Ran::Ready(Ok(Reply::NullArray), epoch),
            (false, None) => self.run_queue(engine, &queue, now),
        };
        match ran {
            Ran::Waits(_) => self.queue = Some(queue),
            _ => self.drop_queue(engine),
        }
        ran
    }

    /// Drops a run that waits in the middle.
    fn give_up_queue_run(&mut self, engine: &mut Engine) {
        if let Some(first_db) = engine.forget_script(self.client.id) {
            self.select(first_db);
        }
    }

    fn run_queue(&mut self, engine: &mut Engine, queue: &Queue, now: u64) -> Ran {
        let has_controls = queue.has_controls();
        if has_controls && !queue.runs.borrow().is_loaded {
            let request = self.request_of(Body::Loading(queue), now);
            match engine.run(&request, &mut self.request.ticket) {
                Ran::Ready(Ok(_), _) => queue.runs.borrow_mut().is_loaded = true,
                ran => return ran,
            }
        }
        let request = self.request_of(Body::Queue(queue), now);
        if has_controls {
            return self.run_with_controls(engine, queue, &request);
        }
        let mut used = KeysUsed::default();
        if engine.tracking_clients > 0 && self.client.tracks_reads() {
            let requests = queue.requests.iter();
            requests.for_each(|queued| used.note(queued.command(), queued.args.as_args()));
            engine.enter_before(&self.client, &used);
        }
        let ran = engine.run(&request, &mut self.request.ticket);
        if let Ran::Ready(Ok(Reply::Array(replies)), _) = &ran {
            let databases = engine.limits.databases;
            let mut lines = Lines::default();
            for queued in &queue.requests {
                self.select(queued.selects(databases).unwrap_or(self.db));
                let (row, args) = (queued.command(), queued.args.as_args());
                self.add_shown(engine, &mut lines, self.db, row, args);
            }
            self.lines = lines;
            self.account_for(engine, queue, replies, &[]);
        }
        if let Ran::Ready(Ok(_), epoch) = ran {
            engine.enter_behind(&self.client, &used, epoch);
        }
        ran
    }

    /// Runs everything in its order, or goes on with it where a script waits.
    fn run_with_controls(&mut self, engine: &mut Engine, queue: &Queue, request: &Request) -> Ran {
        let (mut run, mut suspended, mut running) = self.take_queue_run(engine, queue, request);
        let mut begun = Instant::now();
        let tracks = engine.tracking_clients > 0 && self.client.tracks_reads();
        for queued in &queue.requests[run.replies.len()..] {
            let (row, args) = (queued.command(), queued.args.as_args());
            let reply = match queued.step() {
                Step::Data(handler) => {
                    let (result, txn) = self.run_queued(engine, handler, args, suspended);
                    suspended = txn;
                    match result {
                        Ok(reply) => reply,
                        Err(Stop::Fault) => return self.wait_in_queue(engine, request, run, suspended),
                        Err(stop) => {
                            self.end_spoilt_run(engine, &run, suspended);
                            return Ran::Ready(Err(stop), Epoch::NONE);
                        }
                    }
                }
                Step::Select => connection::select(engine, self, args),
                Step::Script(find) => {
                    let script = match running.take() {
                        Some(running) => Ok(running),
                        None => find(engine, args).map(|program| Box::new(Running::new(program, self.db))),
                    };
                    match script {
                        Err(error) => {
                            run.lines.append(self.lines_of_script(engine, args));
                            error
                        }
                        Ok(mut script) => {
                            let (ran, txn) = self.run_over(engine, &mut script, suspended, args, request.now);
                            suspended = txn;
                            match ran {
                                Ok(done) => run.note_script(&mut script, engine, done),
                                Err(wait) => {
                                    queue.runs.borrow_mut().note(&mut begun);
                                    queue.runs.borrow_mut().took.pop();
                                    script.of_queue = Some(Box::new(run));
                                    engine.set_script_aside(self.client.id, script, suspended);
                                    return Ran::Waits(wait);
                                }
                            }
                        }
                    }
                }
                Step::Control(control) => {
                    engine.address_messages(&mut suspended, &mut run.addressed);
                    self.run_control_of(engine, queue, &mut run, control, args)
                }
            };
            if !matches!(row.run, Run::Scripted(_)) {
                self.add_shown(engine, &mut run.lines, self.db, row, args);
            }
            if tracks {
                run.used.note(row, args);
            }
            run.replies.push((reply, self.protocol));
            run.counted.resize(run.replies.len(), false);
            queue.runs.borrow_mut().note(&mut begun);
        }
        self.end_queue_run(engine, queue, run, suspended)
    }

    /// Runs a control, unless a run before has.
    fn run_control_of(
        &mut self,
        engine: &mut Engine,
        queue: &Queue,
        run: &mut QueueRun,
        control: Control,
        args: Args,
    ) -> Reply {
        if let Some((reply, protocol)) = run.answered.pop_front() {
            self.speak(protocol);
            return reply;
        }
        self.is_in_exec = true;
        let reply = control(engine, self, args);
        self.is_in_exec = false;
        run.epoch = run.epoch.max(std::mem::take(&mut self.reply_epoch));
        let answered = (reply.clone(), self.protocol);
        queue.runs.borrow_mut().answered.push(answered);
        reply
    }

    /// Where to go on with a queue: the state of its run, its transaction, and the script that waits; or a new one.
    fn take_queue_run(
        &mut self,
        engine: &mut Engine,
        queue: &Queue,
        request: &Request,
    ) -> (QueueRun, Suspended, Option<Box<Running>>) {
        let client = self.client.id;
        let waiting = if let Some(WaitingQueue { run, aside }) = engine.scripts.take_waiting_queue(client) {
            Some((*run, engine.store.take_back(aside), None))
        } else if let Some(mut running) = engine.scripts.take_waiting(client) {
            let run = running.of_queue.take().map(|run| *run).unwrap_or_default();
            Some((run, engine.take_back(&mut running), Some(running)))
        } else {
            None
        };
        match waiting {
            Some((run, Some(txn), running)) => return (run, txn, running),
            Some((run, None, _)) => {
                self.select(run.first_db);
                self.speak(run.first_protocol);
                let mut runs = queue.runs.borrow_mut();
                runs.restarts += 1;
                if runs.restarts >= MOST_RESTARTS {
                    engine.hold_others(client);
                }
            }
            None => {}
        }
        let mut runs = queue.runs.borrow_mut();
        runs.took.clear();
        let run = QueueRun {
            first_db: self.db,
            first_protocol: self.protocol,
            answered: runs.answered.clone().into(),
            ..QueueRun::default()
        };
        let request = Request {
            db: self.db,
            ..*request
        };
        let mut txn = request.begin(&mut engine.store, &engine.limits);
        txn.note_reads();
        (run, txn.suspend(), None)
    }

    /// A request over data has missed records: the queue goes on with it when they have come, and does nothing again that
    /// came before.
    fn wait_in_queue(
        &mut self,
        engine: &mut Engine,
        request: &Request,
        run: QueueRun,
        suspended: Suspended,
    ) -> Ran {
        let mut txn = engine.store.resume(suspended);
        let missing = txn.take_missing();
        let suspended = txn.suspend();
        let ran = engine.fault(request, missing, &mut self.request.ticket);
        match ran {
            Ran::Waits(_) => {
                let aside = engine.store.set_aside(suspended);
                let run = Box::new(run);
                engine
                    .scripts
                    .set_queue_waiting(self.client.id, WaitingQueue { run, aside });
            }
            _ => self.end_spoilt_run(engine, &run, suspended),
        }
        ran
    }

    /// A run ends without its writes.
    fn end_spoilt_run(&mut self, engine: &mut Engine, run: &QueueRun, txn: Suspended) {
        self.select(run.first_db);
        engine.store.abandon(txn.end());
        engine.end_script(self.client.id);
    }

    /// Runs a command over data within the transaction.
    fn run_queued(
        &self,
        engine: &mut Engine,
        handler: Handler,
        args: Args,
        suspended: Suspended,
    ) -> (store::Result<Reply>, Suspended) {
        let mut txn = engine.store.resume(suspended);
        let call = Call {
            args,
            db: self.db,
            protocol: self.protocol,
            client: self.client.id,
            audience: Some(&engine.pubsub),
            ..Call::by(&engine.limits)
        };
        let result = run_one(&mut txn, handler, &call);
        (result, txn.suspend())
    }

    fn end_queue_run(&mut self, engine: &mut Engine, queue: &Queue, run: QueueRun, txn: Suspended) -> Ran {
        engine.enter_before(&self.client, &run.used);
        let epoch = run.epoch.max(engine.store.stage(txn.end()));
        engine.enter_behind(&self.client, &run.used, epoch);
        self.lines = run.lines;
        engine.pubsub.addressed = run.addressed;
        engine.end_script(self.client.id);
        let spoken = |(reply, protocol)| match protocol == self.protocol {
            true => reply,
            false => Reply::Spoken(protocol, Box::new(reply)),
        };
        let replies: Vec<_> = run.replies.into_iter().map(spoken).collect();
        run.called.iter().for_each(|called| engine.stats.add(called));
        self.account_for(engine, queue, &replies, &run.counted);
        Ran::Ready(Ok(Reply::Array(replies)), epoch)
    }

    /// Counts each request of a queue that is through, and logs it if it was slow. `counted` says of some whether their
    /// error was counted where it comes from.
    fn account_for(&self, engine: &mut Engine, queue: &Queue, replies: &[Reply], counted: &[bool]) {
        let now = engine.clock.now_ms();
        let runs = queue.runs.borrow();
        let requests = queue.requests.iter().zip(replies).zip(&runs.took);
        let counted = counted.iter().copied().chain(std::iter::repeat(false));
        for (((queued, reply), &took), is_counted) in requests.zip(counted) {
            let found = queued.found();
            let has_failed = matches!(reply, Reply::Error(_));
            if let Reply::Error(text) = reply
                && !is_counted
            {
                engine.stats.error(text);
            }
            engine.stats.ran(found.number, took, has_failed);
            let (command, args) = (found.command, queued.args.as_args());
            engine
                .slowlog
                .note(&engine.config, &self.client, command, args, took, now);
        }
    }
}
