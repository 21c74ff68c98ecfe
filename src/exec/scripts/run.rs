//! The runs of scripts: begun, waiting, begun anew, ended.

use std::time::Instant;

use super::host::Server;
use super::{Busy, Code, FIRST_KEY, FindProgram, Program, Running, ScriptFigures, Scripts, State};
use crate::base::log;
use crate::base::random::Random;
use crate::exec::parking::Wait;
use crate::exec::request::Ran;
use crate::exec::stats::Counted;
use crate::exec::{Engine, Session};
use crate::resp::{Args, OwnedArgs, Reply};
use crate::script::{self, Interpreter, Keep, Outcome};
use crate::store::{self, Epoch, Missing, Stop, Store, Suspended};

/// After so many beginnings that others have spoilt they wait.
const MOST_RESTARTS: u32 = 3;

impl State {
    fn new(db: usize) -> State {
        State {
            db,
            began: Instant::now(),
            has_written: false,
            ticket: None,
            counted: Counted::default(),
            restarts: 0,
            epoch: Epoch::NONE,
        }
    }
}

impl Running {
    fn new(program: Program, db: usize) -> Running {
        Running {
            program,
            run: None,
            aside: None,
            state: State::new(db),
        }
    }

    /// Ends the run that waits, if one does.
    pub(super) fn stop(&mut self, interpreter: &mut Interpreter) {
        if let Some(run) = self.run.take() {
            interpreter.abort(run);
        }
    }

    /// Gives back what it has of the store, as it begins anew or ends.
    fn let_go(&mut self, store: &mut Store) {
        if let Some(aside) = self.aside.take() {
            store.give_up(aside);
        }
        if let Some(ticket) = self.state.ticket.take() {
            store.finish(ticket);
        }
    }
}

impl Scripts {
    /// Takes the interpreter, while a script runs.
    fn take(&mut self, memory: u64) -> Result<Box<Interpreter>, Reply> {
        self.interpreter(memory)?;
        let interpreter = self.interpreter.take().expect("it was just made");
        self.figures = ScriptFigures::of(&interpreter);
        Ok(interpreter)
    }

    /// Whether SCRIPT KILL was said of a client's script.
    pub(super) fn is_killed(&self, client: u64) -> bool {
        let is_meant = |busy: &Busy| busy.client == client && busy.is_killed;
        self.busy.as_ref().is_some_and(is_meant)
    }
}

impl Drop for Scripts {
    fn drop(&mut self) {
        if let Some(mut interpreter) = self.interpreter.take() {
            for running in self.waiting.values_mut() {
                running.stop(&mut interpreter);
            }
        }
    }
}

impl Engine {
    /// The interpreter of scripts.
    ///
    /// # Errors
    /// There is no memory for one.
    pub(in crate::exec) fn interpreter(&mut self) -> Result<&mut Interpreter, Reply> {
        self.scripts.interpreter(self.config.script_memory_limit)
    }

    /// A client's script is through, or gone with it.
    fn end_script(&mut self, client: u64) {
        let scripts = &mut self.scripts;
        let was_busy = scripts.busy.take_if(|busy| busy.client == client).is_some();
        let has_held = scripts.holder.take_if(|holder| *holder == client).is_some();
        if was_busy || has_held {
            self.hide_expired_if_need_be();
            self.parking.wake_after_script();
        }
    }

    /// Keys past their deadline are hidden rather than deleted while nobody may write.
    pub(in crate::exec) fn hide_expired_if_need_be(&mut self) {
        let hides = self.pause.is_on() || self.scripts.keeps_others_from_writing();
        self.store.hide_expired(hides);
    }

    /// Drops a client's script that waits.
    pub(in crate::exec) fn forget_script(&mut self, client: u64) {
        let Some(mut running) = self.scripts.waiting.remove(&client) else {
            return;
        };
        if let Some(interpreter) = &mut self.scripts.interpreter {
            running.stop(interpreter);
        }
        running.let_go(&mut self.store);
        self.end_script(client);
    }

    /// A client's script has run for long.
    fn note_busy(&mut self, client: u64, running: &Running, args: Args) {
        if self.scripts.busy.is_none() {
            log::warning(format_args!(
                "a script has run for {} ms: others are answered BUSY, and SCRIPT KILL or FUNCTION KILL ends it if it has \
                 not written. Its SHA-1, or the function's name, is {}",
                running.state.began.elapsed().as_millis(),
                running.program.code.name()
            ));
        }
        let busy = self.scripts.busy.get_or_insert_with(|| Busy {
            client,
            has_written: false,
            is_killed: false,
            function: match &running.program.code {
                Code::Script(_) => None,
                Code::Function(wanted) => Some((wanted.name.clone(), OwnedArgs::from(args))),
            },
            began: running.state.began,
        });
        busy.has_written = running.state.has_written;
        self.hide_expired_if_need_be();
    }
}

impl Session {
    /// Runs a script, or goes on with it.
    pub(in crate::exec) fn run_script(
        &mut self,
        engine: &mut Engine,
        find: FindProgram,
        args: Args,
        now: u64,
    ) -> Ran {
        let waiting = match engine.scripts.waiting.is_empty() {
            true => None,
            false => engine.scripts.waiting.remove(&self.client.id),
        };
        if let Some(running) = waiting {
            return self.go_on(engine, running, args, now, true);
        }
        let running = match find(engine, args) {
            Ok(program) => Box::new(Running::new(program, self.db)),
            Err(error) => return Ran::Ready(Ok(error), Epoch::NONE),
        };
        let records = self.unknown_keys(engine, &running.program, args);
        if records.is_any() {
            engine.stats.faults += 1;
            let ticket = engine.store.retry(records, None, || None);
            self.request.ticket = Some(ticket);
            engine.scripts.waiting.insert(self.client.id, running);
            return Ran::Waits(Wait::Records(ticket));
        }
        self.go_on(engine, running, args, now, false)
    }

    /// The records of keys that are named and that memory does not know.
    fn unknown_keys(&self, engine: &Engine, program: &Program, args: Args) -> Missing {
        let names = args.skip(FIRST_KEY).first(program.keys);
        let records = names
            .iter()
            .filter_map(|name| engine.store.unknown_key(self.db, name));
        Missing::of(records.collect())
    }

    /// A transaction for a script.
    fn begin_script(&self, engine: &mut Engine, now: u64) -> Suspended {
        let mut txn = engine.store.begin(now);
        txn.random = Random::from_seed(self.request.seed);
        txn.touches = !self.client.no_touch.get();
        txn.note_reads();
        txn.suspend()
    }

    /// Goes on with a script, from where it waits or from its beginning. `has_waited`: the interpreter may be another one, or
    /// may have forgotten it.
    fn go_on(
        &mut self,
        engine: &mut Engine,
        mut running: Box<Running>,
        args: Args,
        now: u64,
        has_waited: bool,
    ) -> Ran {
        let mut interpreter = match engine.scripts.take(engine.config.script_memory_limit) {
            Ok(interpreter) => interpreter,
            Err(error) => return Ran::Ready(Ok(error), Epoch::NONE),
        };
        let aside = running.aside.take();
        let txn = aside.and_then(|aside| engine.store.take_back(aside));
        let run = match (running.run.take(), &txn) {
            (Some(run), Some(_)) => Some(run),
            (Some(run), None) => {
                interpreter.abort(run);
                self.begin_anew(engine, &mut running);
                None
            }
            (None, _) => None,
        };
        if let Code::Script(script) = &mut running.program.code
            && has_waited
            && run.is_none()
        {
            match interpreter.load(script.source(), Keep::Recent) {
                Ok(loaded) => *script = loaded,
                Err(error) => {
                    engine.scripts.interpreter = Some(interpreter);
                    return Ran::Ready(Ok(error), Epoch::NONE);
                }
            }
        }
        let txn = match (txn, &run) {
            (Some(txn), Some(_)) => txn,
            (txn, _) => {
                if let Some(txn) = txn {
                    engine.store.abandon(txn.end());
                }
                self.begin_script(engine, now)
            }
        };
        let (found, txn) = match run {
            Some(_) => (Ok(()), txn),
            None => find_function(engine, &mut running.program, txn, &mut interpreter),
        };
        if let Err(stop) = found {
            engine.scripts.interpreter = Some(interpreter);
            return self.without_function(engine, running, txn, stop);
        }
        let Running { program, state, .. } = &mut *running;
        let mut server = Server {
            engine,
            session: self,
            program,
            state,
            txn: Some(txn),
            now,
            epoch: Epoch::NONE,
            wait: None,
            missing: None,
            is_queued: false,
        };
        let outcome = match run {
            Some(run) => interpreter.resume(run, &mut server),
            None => begin(&mut interpreter, program, args, &mut server),
        };
        let Server { txn, epoch, wait, .. } = server;
        engine.scripts.interpreter = Some(interpreter);
        let txn = txn.expect("it is away only while a command runs");
        match outcome {
            Outcome::Done(done) => self.end_run(engine, &mut running, txn, epoch, done),
            Outcome::Stopped(run) => {
                running.state.epoch = running.state.epoch.max(epoch);
                if run.why() == script::Stop::Pause {
                    engine.note_busy(self.client.id, &running, args);
                }
                running.run = Some(run);
                running.aside = Some(engine.store.set_aside(txn));
                engine.scripts.waiting.insert(self.client.id, running);
                Ran::Waits(wait.unwrap_or(Wait::Others))
            }
        }
    }

    /// The function that is to run was not found, or not yet.
    fn without_function(
        &mut self,
        engine: &mut Engine,
        mut running: Box<Running>,
        txn: Suspended,
        stop: Stop,
    ) -> Ran {
        if !matches!(stop, Stop::Fault) {
            let epoch = engine.store.stage(txn.end());
            running.let_go(&mut engine.store);
            engine.end_script(self.client.id);
            return Ran::Ready(Err(stop), epoch);
        }
        let missing = engine.store.abandon(txn.end());
        let ticket = &mut self.request.ticket;
        if let Some(damage) = ticket.and_then(|ticket| engine.store.read_error(ticket)) {
            engine.end_script(self.client.id);
            return Ran::Ready(Err(Stop::Damage(Box::new(damage))), Epoch::NONE);
        }
        engine.stats.faults += 1;
        let fetched = *ticket.insert(engine.store.retry(missing, *ticket, || None));
        engine.scripts.waiting.insert(self.client.id, running);
        Ran::Waits(Wait::Records(fetched))
    }

    /// Others have written what the script has read.
    fn begin_anew(&self, engine: &mut Engine, running: &mut Running) {
        running.let_go(&mut engine.store);
        let state = &mut running.state;
        let began = state.began;
        let restarts = state.restarts + 1;
        *state = State {
            restarts,
            began,
            ..State::new(self.db)
        };
        if restarts >= MOST_RESTARTS {
            engine.scripts.holder.get_or_insert(self.client.id);
            engine.hide_expired_if_need_be();
        }
    }

    /// All that a script wrote is staged at once, whether it has failed or not.
    fn end_run(
        &self,
        engine: &mut Engine,
        running: &mut Running,
        txn: Suspended,
        epoch: Epoch,
        done: script::Done,
    ) -> Ran {
        let staged = engine.store.stage(txn.end());
        let epoch = staged.max(epoch).max(running.state.epoch);
        engine.stats.add(&running.state.counted);
        running.let_go(&mut engine.store);
        engine.end_script(self.client.id);
        match done.is_counted {
            true => Ran::Counted(Ok(done.reply), epoch),
            false => Ran::Ready(Ok(done.reply), epoch),
        }
    }

    /// Runs a script within a larger transaction. A fault ends it, and is returned with what it misses.
    pub(in crate::exec) fn run_queued_script(
        &mut self,
        engine: &mut Engine,
        find: FindProgram,
        args: Args,
        txn: Suspended,
        now: u64,
    ) -> (Result<(Reply, bool, Epoch), Missing>, Suspended) {
        let program = find(engine, args);
        let interpreter = engine.scripts.take(engine.config.script_memory_limit);
        let (mut program, mut interpreter) = match (program, interpreter) {
            (Ok(program), Ok(interpreter)) => (program, interpreter),
            (Err(error), interpreter) => {
                engine.scripts.interpreter = interpreter.ok();
                return (Ok((error, false, Epoch::NONE)), txn);
            }
            (Ok(_), Err(error)) => return (Ok((error, false, Epoch::NONE)), txn),
        };
        let (found, txn) = find_function(engine, &mut program, txn, &mut interpreter);
        if let Err(stop) = found {
            engine.scripts.interpreter = Some(interpreter);
            return unqueued(engine, txn, stop);
        }
        let mut state = State::new(self.db);
        let mut server = Server {
            engine,
            session: self,
            program: &program,
            state: &mut state,
            txn: Some(txn),
            now,
            epoch: Epoch::NONE,
            wait: None,
            missing: None,
            is_queued: true,
        };
        let outcome = begin(&mut interpreter, &program, args, &mut server);
        let Server {
            txn, epoch, missing, ..
        } = server;
        let txn = txn.expect("it is away only while a command runs");
        let result = match outcome {
            Outcome::Done(done) => {
                engine.stats.add(&state.counted);
                Ok((done.reply, done.is_counted, epoch))
            }
            Outcome::Stopped(run) => {
                interpreter.abort(run);
                Err(missing.unwrap_or_default())
            }
        };
        engine.scripts.interpreter = Some(interpreter);
        (result, txn)
    }
}

/// Finds the function that a program calls, within its transaction.
fn find_function(
    engine: &mut Engine,
    program: &mut Program,
    txn: Suspended,
    interpreter: &mut Interpreter,
) -> (store::Result<()>, Suspended) {
    if matches!(program.code, Code::Script(_)) {
        return (Ok(()), txn);
    }
    let mut txn = engine.store.resume(txn);
    let found = engine.scripts.find_function(program, &mut txn, interpreter);
    (found, txn.suspend())
}

/// What a queued call answers whose function was not found; or what it misses.
fn unqueued(
    engine: &mut Engine,
    txn: Suspended,
    stop: Stop,
) -> (Result<(Reply, bool, Epoch), Missing>, Suspended) {
    let text = match stop {
        Stop::Error(text) => text,
        Stop::Damage(damage) => damage.text.clone().into(),
        Stop::Fault | Stop::NeedsView => {
            let mut txn = engine.store.resume(txn);
            let missing = txn.take_missing();
            return (Err(missing), txn.suspend());
        }
    };
    (Ok((Reply::Error(text), false, Epoch::NONE)), txn)
}

/// Begins a run.
fn begin(interpreter: &mut Interpreter, program: &Program, args: Args, server: &mut Server) -> Outcome {
    let rest = args.skip(FIRST_KEY);
    let keys = rest.first(program.keys).iter();
    let arguments = rest.skip(program.keys).iter();
    match &program.code {
        Code::Script(script) => interpreter.run(script, keys, arguments, server),
        Code::Function(wanted) => match &wanted.found {
            Some(function) => interpreter.run_function(function, keys, arguments, server),
            None => unreachable!("it is found before it begins"),
        },
    }
}
