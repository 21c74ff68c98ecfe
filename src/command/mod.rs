//! One file per family of commands: parse arguments, call a type, shape the reply.

mod arguments;
pub mod bitmap;
mod blocking;
pub mod database;
pub mod debug;
mod draws;
pub mod dump;
mod elements;
pub mod generic;
pub mod geo;
mod geo_search;
pub mod hash;
pub mod hyperloglog;
mod lcs;
pub mod list;
pub mod memory;
mod places;
pub mod publish;
pub mod scan;
pub mod set;
mod set_options;
pub mod sort;
pub mod sorted_set;
pub mod stream;
pub mod string;
pub mod transaction;
mod values;

use crate::resp::{Args, Protocol, Reply, Sink};
use crate::store::{Key, Result, Space, Stop, Txn};
use crate::types::thresholds::Thresholds;

pub use blocking::milliseconds;
pub use dump::unwritable;

pub use crate::types::string::{NOT_A_FLOAT, NOT_AN_INTEGER};

/// One call of a command over data: its arguments and what of its surroundings it may see.
#[derive(Clone, Copy)]
pub struct Call<'a> {
    /// The command's name included.
    pub args: Args<'a>,
    /// The selected database.
    pub db: usize,
    /// The options that commands go by.
    pub limits: &'a CallLimits,
    /// What the client speaks: for what is encoded while it is made.
    pub protocol: Protocol,
    /// The id of the client that calls.
    pub client: u64,
    /// Whether it may end with [`Stop::Await`]: not within a transaction or a script.
    pub may_wait: bool,
    /// Where a long reply may leave while it is made: over a view only. What has left so stands, also before an error.
    pub sink: Option<&'a dyn Sink>,
    /// Who listens to channels; `None` where nothing counts but what is read.
    pub audience: Option<&'a dyn Audience>,
    /// A script has called it.
    pub is_scripted: bool,
}

impl<'a> Call<'a> {
    /// A call by nobody, of nothing yet, that stands alone: for its maker to say what is different.
    pub fn by(limits: &'a CallLimits) -> Call<'a> {
        Call {
            args: Args::default(),
            db: 0,
            limits,
            protocol: Protocol::Resp2,
            client: 0,
            may_wait: false,
            sink: None,
            audience: None,
            is_scripted: false,
        }
    }
}

/// Who listens to channels.
pub trait Audience {
    /// How many times a message to this channel would be sent: once to each subscription that it fits.
    fn count(&self, space: Space, channel: &[u8]) -> usize;
}

/// Options that commands over data go by.
#[derive(Clone, Debug)]
pub struct CallLimits {
    /// Longest string, in bytes: `proto-max-bulk-len`.
    pub max_string: u64,
    /// How many databases there are.
    pub databases: usize,
    /// Up to where small collections stay in their key's record.
    pub thresholds: Thresholds,
    /// Longest sparse HyperLogLog, in bytes: `hll-sparse-max-bytes`.
    pub hll_sparse: u64,
    /// Bytes of its own that a reply may take where it is made on the executor; one that is longer is made over a view.
    pub live_reply: usize,
    /// Bytes that a command may gather before it answers: one that only reads, until it runs over a view; ...
    pub live_gathered: usize,
    /// ... and any at all.
    pub gathered: usize,
}

/// A command over data. It may be run any number of times before its transaction is applied.
pub type Handler = fn(&mut Txn, &Call) -> Result<Reply>;

impl<'a> Call<'a> {
    /// The key that argument `i` names.
    pub fn key(&self, i: usize) -> Key<'a> {
        Key {
            db: self.db,
            name: self.arg(i),
        }
    }

    /// Argument `i`; dispatch has checked that the command's arity includes it.
    pub fn arg(&self, i: usize) -> &'a [u8] {
        self.args
            .get(i)
            .unwrap_or_else(|| unreachable!("argument {i} is beyond the arity"))
    }
}

/// Whether an argument is the given option, in any case.
pub fn is_option(arg: &[u8], option: &str) -> bool {
    arg.eq_ignore_ascii_case(option.as_bytes())
}

/// The error for arguments that make no sense together.
pub const SYNTAX: &str = "ERR syntax error";

/// Ends a command with [`SYNTAX`].
pub fn syntax_error<T>() -> Result<T> {
    Stop::error(SYNTAX)
}

/// What HELP replies: how to call the command, and the lines about its subcommands.
pub fn help(name: &str, lines: &[&'static str]) -> Reply {
    let head = format!("{name} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
    let end = ["HELP", "    Print this help."];
    let lines = lines.iter().chain(&end).map(|line| Reply::simple(*line));
    Reply::Array(std::iter::once(Reply::simple(head)).chain(lines).collect())
}
