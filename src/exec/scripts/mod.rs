//! Scripts over data: what EVAL and its like run, as one transaction.
//!
//! ```text
//! row -> FindProgram: what is to be run   (eval.rs)
//!     -> Session::run_script             (run.rs)
//!     -> Interpreter::run over a Server  (host.rs)  each redis.call: a savepoint, the handler, at an error a rollback
//!          |  Fault -> the transaction is set aside, and the run waits (the first time for all keys that are named); then
//!          |           the same call again, if nobody has written what the script has read meanwhile (store/aside.rs).
//!          |           Otherwise it begins anew; when that has happened several times, others who would write wait until
//!          |           it is through.
//!          |  Pause -> it runs for long: others are answered BUSY meanwhile, and it goes on in the next turn
//!     -> Store::stage: all that it wrote, at once
//! ```
//!
//! What a script wrote before it failed stays, as in Redis; but all of it is staged together, so a crash shows all or nothing.

pub mod eval;
pub mod fcall;
mod host;
pub mod program;
mod run;

use std::collections::HashMap;
use std::time::Instant;

use foldhash::fast::RandomState;

use super::control::REDIS_VERSION;
use super::functions::Known;
use super::keys_used::KeysUsed;
use super::queue_run::{QueueRun, WaitingQueue};
use super::shown::Lines;
use super::stats::Counted;
use crate::resp::{OwnedArgs, Reply};
use crate::script::{Interpreter, Options, Run};
use crate::store::{Aside, Epoch, Ticket};
use program::Program;

/// After so many beginnings that others have spoilt they wait.
pub(super) const MOST_RESTARTS: u32 = 3;

/// A script that has begun, and waits.
pub(super) struct Running {
    pub program: Program,
    /// Where it is in its run; none before it begins, or begins anew.
    pub run: Option<Run>,
    /// Its transaction, likewise.
    pub aside: Option<Aside>,
    /// It was set aside before.
    pub has_waited: bool,
    /// How far EXEC had come, if the script is part of what it runs.
    pub of_queue: Option<Box<QueueRun>>,
    pub state: State,
}

/// What is known of a run beside that.
pub(super) struct State {
    /// The database that is selected in the script.
    pub db: usize,
    /// The database that was selected before.
    pub first_db: usize,
    /// When it has begun.
    pub began: Instant,
    /// A command that may write was run.
    pub has_written: bool,
    /// Names the records that were fetched for the call that is to be made again.
    pub ticket: Option<Ticket>,
    /// What its calls are to be counted as, once it is through.
    pub counted: Counted,
    /// How often it has begun anew, as others had written what it had read.
    pub restarts: u32,
    /// What replies of commands about the server wait for that it has called before it waited.
    pub epoch: Epoch,
    /// What monitors are to be shown, once it is through.
    pub lines: Lines,
    /// The keys that it has used, if the client is to be told of changes to them.
    pub used: KeysUsed,
}

/// What the engine knows of scripts.
#[derive(Default)]
pub struct Scripts {
    /// Made when it is needed; away while a script runs.
    interpreter: Option<Box<Interpreter>>,
    /// By client.
    waiting: HashMap<u64, Box<Running>, RandomState>,
    /// Queues that scripts are part of and that wait elsewhere, by client.
    waiting_queues: HashMap<u64, WaitingQueue, RandomState>,
    /// The client whose script has run for so long that others are told.
    busy: Option<Busy>,
    /// The client whose script has others wait who would write.
    holder: Option<u64>,
    /// As of when the interpreter was last here.
    figures: ScriptFigures,
    /// The libraries of functions.
    functions: Known,
}

/// A script that others are told of.
struct Busy {
    client: u64,
    has_written: bool,
    /// SCRIPT KILL or FUNCTION KILL was said.
    is_killed: bool,
    /// For a function: its name, and the request that called it.
    function: Option<(Box<[u8]>, OwnedArgs)>,
    /// When it has begun.
    began: Instant,
}

/// What INFO tells of scripts.
#[derive(Clone, Copy, Default)]
pub struct ScriptFigures {
    /// Bytes that the interpreter has.
    pub interpreter: usize,
    /// Bytes of the scripts that are known, beside that.
    pub cache: usize,
    /// How many are known.
    pub scripts: usize,
    /// How many of EVAL's had to leave for others.
    pub evicted: u64,
}

/// What SCRIPT KILL is answered.
pub enum Kill {
    /// The script ends.
    Done,
    /// Nothing runs that others are told of.
    NothingRuns,
    /// It has written.
    HasWritten,
    /// A script runs where a function is meant, or the other way.
    Other(&'static str),
}

/// What a request is answered while a script runs for long,
const BUSY: &str = "BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.";
/// ... and while a function does.
const BUSY_FUNCTION: &str =
    "BUSY Redis is busy running a script. You can only call FUNCTION KILL or SHUTDOWN NOSAVE.";

impl Scripts {
    /// The interpreter, made if there is none.
    ///
    /// # Errors
    /// There is no memory for one.
    pub fn interpreter(&mut self, memory: u64) -> Result<&mut Interpreter, Reply> {
        if self.interpreter.is_none() {
            let options = Options {
                version: REDIS_VERSION,
                memory: usize::try_from(memory).unwrap_or(usize::MAX),
            };
            let made = Interpreter::new(options)
                .map_err(|error| Reply::err(format!("ERR no interpreter for scripts: {error}")))?;
            self.interpreter = Some(Box::new(made));
        }
        Ok(self.interpreter.as_mut().expect("it was just made"))
    }

    /// Changes what scripts may take of memory.
    pub fn set_memory_limit(&mut self, bytes: u64) {
        if let Some(interpreter) = &mut self.interpreter {
            interpreter.set_memory_limit(usize::try_from(bytes).unwrap_or(usize::MAX));
        }
    }

    /// Whether a script is known.
    pub fn contains(&self, sha: &[u8]) -> bool {
        self.interpreter.as_ref().is_some_and(|known| known.contains(sha))
    }

    /// Forgets all scripts. Those that wait begin anew.
    pub fn flush(&mut self) {
        let Some(mut interpreter) = self.interpreter.take() else {
            return;
        };
        for running in self.waiting.values_mut() {
            running.stop(&mut interpreter);
        }
        self.figures = ScriptFigures::default();
    }

    /// What others are answered while a script runs for long; none: none does.
    pub fn busy(&self) -> Option<&'static str> {
        self.busy.as_ref().map(Busy::text)
    }

    /// Whether a client's request has to wait for a script of another one.
    pub(super) fn holds(&self, client: u64, may_write: bool) -> bool {
        let busy = self.busy.as_ref().is_some_and(|busy| busy.client != client);
        let held = self.holder.is_some_and(|holder| holder != client);
        busy || (may_write && held)
    }

    /// Whether nothing is to be written but by one script.
    pub(super) fn keeps_others_from_writing(&self) -> bool {
        self.busy.is_some() || self.holder.is_some()
    }

    /// SCRIPT KILL, or FUNCTION KILL.
    pub fn kill(&mut self, means_function: bool) -> Kill {
        match &mut self.busy {
            None => Kill::NothingRuns,
            Some(busy) if busy.has_written => Kill::HasWritten,
            Some(busy) if busy.function.is_some() != means_function => Kill::Other(busy.text()),
            Some(busy) => {
                busy.is_killed = true;
                Kill::Done
            }
        }
    }

    /// What INFO tells.
    pub fn figures(&self) -> ScriptFigures {
        match &self.interpreter {
            Some(interpreter) => ScriptFigures::of(interpreter),
            None => self.figures,
        }
    }
}

impl Busy {
    fn text(&self) -> &'static str {
        match self.function {
            Some(_) => BUSY_FUNCTION,
            None => BUSY,
        }
    }
}

impl Kill {
    /// What the client is told.
    pub fn reply(self) -> Reply {
        match self {
            Kill::Done => Reply::Ok,
            Kill::NothingRuns => Reply::err("NOTBUSY No scripts in execution right now."),
            Kill::HasWritten => Reply::err(
                "UNKILLABLE Sorry the script already executed write commands against the dataset. You can either wait \
                 the script termination or kill the server in a hard way using the SHUTDOWN NOSAVE command.",
            ),
            Kill::Other(text) => Reply::err(text),
        }
    }
}

impl ScriptFigures {
    fn of(interpreter: &Interpreter) -> ScriptFigures {
        ScriptFigures {
            interpreter: interpreter.memory(),
            cache: interpreter.scripts_memory(),
            scripts: interpreter.scripts(),
            evicted: interpreter.evicted_scripts(),
        }
    }
}
