//! The runs of scripts: begun, waiting, begun anew, ended.

use std::time::Instant;

use super::host::Server;
use super::program::{Code, FIRST_KEY, FindProgram, Program};
use super::{Busy, MOST_RESTARTS, Running, ScriptFigures, Scripts, State};
use crate::base::log;
use crate::base::random::Random;
use crate::exec::keys_used::KeysUsed;
use crate::exec::parking::Wait;
use crate::exec::queue_run::WaitingQueue;
use crate::exec::request::Ran;
use crate::exec::shown::Lines;
use crate::exec::stats::Counted;
use crate::exec::{Engine, Session};
use crate::resp::{Args, OwnedArgs, Reply};
use crate::script::{self, Done, Interpreter, Keep, Outcome};
use crate::store::{self, Epoch, Stop, Store, Suspended};

impl State {
    fn new(db: usize) -> State {
        State {
            db,
            first_db: db,
            began: Instant::now(),
            has_written: false,
            ticket: None,
            counted: Counted::default(),
            restarts: 0,
            epoch: Epoch::NONE,
            lines: Lines::default(),
            used: KeysUsed::default(),
        }
    }
}

impl Running {
    /// One that has not begun; `db` is selected.
    pub fn new(program: Program, db: usize) -> Running {
        Running {
            program,
            run: None,
            aside: None,
            has_waited: false,
            of_queue: None,
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
    pub fn let_go(&mut self, store: &mut Store) {
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

    /// Takes out a client's script that waits, if it has one.
    pub(in crate::exec) fn take_waiting(&mut self, client: u64) -> Option<Box<Running>> {
        match self.waiting.is_empty() {
            true => None,
            false => self.waiting.remove(&client),
        }
    }

    /// A client's queue waits, between its scripts.
    pub(in crate::exec) fn set_queue_waiting(&mut self, client: u64, queue: WaitingQueue) {
        self.waiting_queues.insert(client, queue);
    }

    /// Takes it out, if there is one.
    pub(in crate::exec) fn take_waiting_queue(&mut self, client: u64) -> Option<WaitingQueue> {
        self.waiting_queues.remove(&client)
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

    /// Sets a script aside that waits, with its transaction.
    pub(in crate::exec) fn set_script_aside(
        &mut self,
        client: u64,
        mut running: Box<Running>,
        txn: Suspended,
    ) {
        running.aside = Some(self.store.set_aside(txn));
        running.has_waited = true;
        self.scripts.waiting.insert(client, running);
    }

    /// The transaction of a script that was set aside. `None`: it has not begun, or others have written what it has read,
    /// and it has to begin anew.
    pub(in crate::exec) fn take_back(&mut self, running: &mut Running) -> Option<Suspended> {
        let aside = running.aside.take()?;
        let txn = self.store.take_back(aside);
        let has_run = running.run.is_some();
        if has_run && txn.is_some() {
            return txn;
        }
        if let Some(txn) = txn {
            self.store.abandon(txn.end());
        }
        if let Some(interpreter) = &mut self.scripts.interpreter {
            running.stop(interpreter);
        }
        running.let_go(&mut self.store);
        let state = &mut running.state;
        *state = State {
            restarts: state.restarts + 1,
            began: state.began,
            ..State::new(state.first_db)
        };
        None
    }

    /// Has others wait who would write, until a client's script is through.
    pub(in crate::exec) fn hold_others(&mut self, client: u64) {
        self.scripts.holder.get_or_insert(client);
        self.hide_expired_if_need_be();
    }

    /// A client's script is through, or gone with it.
    pub(in crate::exec) fn end_script(&mut self, client: u64) {
        let scripts = &mut self.scripts;
        let was_busy = scripts.busy.take_if(|busy| busy.client == client).is_some();
        let has_held = scripts.holder.take_if(|holder| *holder == client).is_some();
        if was_busy || has_held {
            self.hide_expired_if_need_be();
            // They came before those who were set aside.
            self.serve_touched();
            self.parking.wake_after_script();
        }
    }

    /// Keys past their deadline are hidden rather than deleted while nobody may write.
    pub(in crate::exec) fn hide_expired_if_need_be(&mut self) {
        let hides = self.pause.is_on() || self.scripts.keeps_others_from_writing();
        self.store.hide_expired(hides);
    }

    /// Drops a client's script that waits, if it has one; returns which database was selected before it, or before the queue
    /// that it is of.
    pub(in crate::exec) fn forget_script(&mut self, client: u64) -> Option<usize> {
        if let Some(WaitingQueue { run, aside }) = self.scripts.take_waiting_queue(client) {
            self.store.give_up(aside);
            self.end_script(client);
            return Some(run.first_db);
        }
        let mut running = self.scripts.take_waiting(client)?;
        if let Some(interpreter) = &mut self.scripts.interpreter {
            running.stop(interpreter);
        }
        running.let_go(&mut self.store);
        self.end_script(client);
        let of_queue = running.of_queue.as_ref().map(|run| run.first_db);
        Some(of_queue.unwrap_or(running.state.first_db))
    }

    /// Whether what is to be run declares that it only reads; not so if that is not known in memory.
    pub(in crate::exec) fn only_reads(&mut self, find: FindProgram, args: Args) -> bool {
        let Ok(mut program) = find(self, args) else {
            return false;
        };
        if matches!(program.code, Code::Script(_)) {
            return program.reads_only;
        }
        let Ok(mut interpreter) = self.scripts.take(self.config.script_memory_limit) else {
            return false;
        };
        let txn = self.store.begin(self.clock.now_ms()).suspend();
        let (found, txn) = find_function(self, &mut program, txn, &mut interpreter);
        self.scripts.interpreter = Some(interpreter);
        self.store.abandon(txn.end());
        found.is_ok() && program.reads_only
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
        if let Some(running) = engine.scripts.take_waiting(self.client.id) {
            return self.go_on(engine, running, args, now);
        }
        match find(engine, args) {
            Ok(program) => self.go_on(engine, Box::new(Running::new(program, self.db)), args, now),
            Err(error) => {
                self.lines = self.lines_of_script(engine, args);
                Ran::Ready(Ok(error), Epoch::NONE)
            }
        }
    }

    /// A transaction for a script.
    fn begin_script(&self, engine: &mut Engine, now: u64) -> Suspended {
        let mut txn = engine.store.begin(now);
        txn.random = Random::from_seed(self.request.seed);
        txn.touches = !self.client.no_touch.get();
        txn.is_for(self.client.id);
        txn.note_reads();
        txn.suspend()
    }

    /// Goes on with a script, from where it waits or from its beginning.
    fn go_on(&mut self, engine: &mut Engine, mut running: Box<Running>, args: Args, now: u64) -> Ran {
        let txn = match engine.take_back(&mut running) {
            Some(txn) => txn,
            None => {
                if running.state.restarts >= MOST_RESTARTS {
                    engine.hold_others(self.client.id);
                }
                self.begin_script(engine, now)
            }
        };
        let (ran, txn) = self.run_over(engine, &mut running, txn, args, now);
        match ran {
            Ok(done) => self.end_run(engine, &mut running, txn, done),
            Err(wait) => {
                engine.set_script_aside(self.client.id, running, txn);
                Ran::Waits(wait)
            }
        }
    }

    /// Has the interpreter run a script over a transaction, from where it waits or from its beginning. The error is what it
    /// waits for.
    pub(in crate::exec) fn run_over(
        &mut self,
        engine: &mut Engine,
        running: &mut Running,
        mut txn: Suspended,
        args: Args,
        now: u64,
    ) -> (Result<Done, Wait>, Suspended) {
        let mut interpreter = match engine.scripts.take(engine.config.script_memory_limit) {
            Ok(interpreter) => interpreter,
            Err(error) => return (Ok(failed(error)), txn),
        };
        let run = running.run.take();
        if run.is_none() {
            running.state.lines = self.lines_of_script(engine, args);
            if let Code::Script(script) = &mut running.program.code
                && running.has_waited
            {
                // The interpreter may be another one, or may have forgotten it.
                match interpreter.load(script.source(), Keep::Recent) {
                    Ok(loaded) => *script = loaded,
                    Err(error) => {
                        engine.scripts.interpreter = Some(interpreter);
                        return (Ok(failed(error)), txn);
                    }
                }
            }
            let found;
            (found, txn) = find_function(engine, &mut running.program, txn, &mut interpreter);
            if let Err(stop) = found {
                engine.scripts.interpreter = Some(interpreter);
                return self.without_function(engine, txn, stop);
            }
        }
        let Running { program, state, .. } = running;
        let mut server = Server {
            engine,
            session: self,
            keys: args.skip(FIRST_KEY).first(program.keys),
            program,
            state,
            txn: Some(txn),
            now,
            since: Instant::now(),
            wait: None,
        };
        let outcome = match run {
            Some(run) => interpreter.resume(run, &mut server),
            None => begin(&mut interpreter, program, args, &mut server),
        };
        let Server { txn, wait, .. } = server;
        engine.scripts.interpreter = Some(interpreter);
        let txn = txn.expect("it is away only while a command runs");
        match outcome {
            Outcome::Done(done) => (Ok(done), txn),
            Outcome::Stopped(run) => {
                // A call that has not begun lets others have a turn.
                if run.why() == script::Stop::Pause || wait.is_none() {
                    engine.note_busy(self.client.id, running, args);
                }
                running.run = Some(run);
                (Err(wait.unwrap_or(Wait::Others)), txn)
            }
        }
    }

    /// The function that is to run was not found, or not yet.
    fn without_function(
        &mut self,
        engine: &mut Engine,
        txn: Suspended,
        stop: Stop,
    ) -> (Result<Done, Wait>, Suspended) {
        let text = match stop {
            Stop::Error(text) => text,
            Stop::Damage(damage) => damage.text.clone().into(),
            Stop::Await(_) => unreachable!("a function is there or not"),
            Stop::Fault | Stop::NeedsView => {
                let mut txn = engine.store.resume(txn);
                let missing = txn.take_missing();
                let txn = txn.suspend();
                let ticket = &mut self.request.ticket;
                if let Some(damage) = ticket.and_then(|ticket| engine.store.read_error(ticket)) {
                    return (Ok(failed(Reply::err(damage.text.clone()))), txn);
                }
                engine.stats.faults += 1;
                let fetched = *ticket.insert(engine.store.retry(missing, *ticket, || None));
                return (Err(Wait::Records(fetched)), txn);
            }
        };
        (Ok(failed(Reply::Error(text))), txn)
    }

    /// All that a script wrote is staged at once, whether it has failed or not.
    fn end_run(&mut self, engine: &mut Engine, running: &mut Running, txn: Suspended, done: Done) -> Ran {
        let state = &mut running.state;
        engine.enter_before(&self.client, &state.used);
        let epoch = engine.store.stage(txn.end()).max(state.epoch);
        engine.enter_behind(&self.client, &state.used, epoch);
        self.lines = std::mem::take(&mut state.lines);
        engine.stats.add(&running.state.counted);
        running.let_go(&mut engine.store);
        engine.end_script(self.client.id);
        match done.is_counted {
            true => Ran::Counted(Ok(done.reply), epoch),
            false => Ran::Ready(Ok(done.reply), epoch),
        }
    }
}

/// What a script comes to that cannot begin.
fn failed(reply: Reply) -> Done {
    Done {
        reply,
        failed: true,
        is_counted: false,
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
