//! What MULTI queues. (What becomes of it: `exec/transaction.rs`.)

use std::cell::RefCell;
use std::time::Instant;

use crate::resp::{Args, OwnedArgs, Protocol, Reply};

/// What MULTI has begun: requests that wait for EXEC.
#[derive(Clone, Default)]
pub(super) struct Queue {
    /// In order.
    pub requests: Vec<Queued>,
    /// What they take of memory.
    bytes: usize,
    /// Bytes of their arguments.
    input: usize,
    /// One was refused: EXEC will be, too.
    pub is_refused: bool,
    /// What its runs so far have left.
    pub runs: RefCell<Runs>,
}

/// What is known of the runs of a queue so far.
#[derive(Clone, Default)]
pub(super) struct Runs {
    /// One without controls has found all that it read in memory.
    pub is_loaded: bool,
    /// What controls have answered that have run, in their order; and what the client speaks since.
    pub answered: Vec<(Reply, Protocol)>,
    /// How often a run began anew, as others had written what it had read.
    pub restarts: u32,
    /// Nanoseconds that each request took in the last run.
    pub took: Vec<u64>,
}

impl Runs {
    /// Notes what a request took that ends now, and when the next one begins.
    pub fn note(&mut self, begun: &mut Instant) {
        let ended = Instant::now();
        self.took.push(ended.duration_since(*begun).as_nanos() as u64);
        *begun = ended;
    }
}

/// One request of it.
#[derive(Clone)]
pub(super) struct Queued {
    /// The number of its row.
    pub row: usize,
    /// The command's name included.
    pub args: OwnedArgs,
}

impl Queue {
    /// Adds a request of the row with this number.
    pub fn push(&mut self, row: usize, args: Args) {
        self.input += args.iter().map(<[u8]>::len).sum::<usize>();
        let args = OwnedArgs::from(args);
        self.bytes += size_of::<Queued>() + args.memory();
        self.requests.push(Queued { row, args });
    }

    /// Bytes of the arguments of all of them.
    pub fn input(&self) -> usize {
        self.input
    }

    /// What it takes of memory, in bytes.
    pub fn memory(&self) -> usize {
        self.bytes
    }
}
