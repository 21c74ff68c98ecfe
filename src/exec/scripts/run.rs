//! The runs of scripts: begun, waiting, begun anew, ended.

use std::time::Instant;

use super::host::Server;
use super::{Busy, FIRST_KEY, FindProgram, Program, Running, ScriptFigures, Scripts, State};
use crate::base::log;
use crate::base::random::Random;
use crate::exec::parking::Wait;
use crate::exec::request::Ran;
use crate::exec::stats::Counted;
use crate::exec::{Engine, Session};
use crate::resp::{Args, Reply};
use crate::script::{self, Interpreter, Keep, Outcome};
use crate::store::{Epoch, Missing, Store, Suspended};

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
    fn note_busy(&mut self, client: u64, running: &Running) {
        if self.scripts.busy.is_none() {
            log::warning(format_args!(
                "a script has run for {} ms: others are answered BUSY, and SCRIPT KILL ends it if it has not written. \
                 Its SHA-1 is {}",
                running.state.began.elapsed().as_millis(),
                String::from_utf8_lossy(running.program.script.sha())
            ));
        }
        let busy = self.scripts.busy.get_or_insert(Busy {
            client,
            has_written: false,
            is_killed: false,
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
        if has_waited && run.is_none() {
            match interpreter.load(running.program.script.source(), Keep::Recent) {
                Ok(script) => running.program.script = script,
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
                    engine.note_busy(self.client.id, &running);
                }
                running.run = Some(run);
                running.aside = Some(engine.store.set_aside(txn));
                engine.scripts.waiting.insert(self.client.id, running);
                Ran::Waits(wait.unwrap_or(Wait::Others))
            }
        }
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
        let (program, mut interpreter) = match (program, interpreter) {
            (Ok(program), Ok(interpreter)) => (program, interpreter),
            (Err(error), interpreter) => {
                engine.scripts.interpreter = interpreter.ok();
                return (Ok((error, false, Epoch::NONE)), txn);
            }
            (Ok(_), Err(error)) => return (Ok((error, false, Epoch::NONE)), txn),
        };
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

/// Begins a run.
fn begin(interpreter: &mut Interpreter, program: &Program, args: Args, server: &mut Server) -> Outcome {
    let rest = args.skip(FIRST_KEY);
    let keys = rest.first(program.keys).iter();
    let arguments = rest.skip(program.keys).iter();
    interpreter.run(&program.script, keys, arguments, server)
}
