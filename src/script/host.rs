//! What a script sees of the server: whoever runs one implements [`Host`].

use std::borrow::Cow;

use crate::resp::{Protocol, Reply};

/// The server behind a script.
pub trait Host {
    /// Runs a command. `protocol` is what the script has chosen for replies (`redis.setresp`). A reply that is an error is
    /// raised or returned as the script asks. What is wrong with the call itself (no such command, not from scripts, a write
    /// in a script that only reads) is such an error, too.
    fn call(&mut self, arguments: &[&[u8]], protocol: Protocol) -> Result<Reply, Fault>;

    /// Whether the user may run a command on such keys; none if there is no such command.
    fn may_call(&mut self, arguments: &[&[u8]]) -> Option<bool>;

    /// Writes to the server's log.
    fn log(&mut self, level: LogLevel, text: &[u8]);

    /// `redis.set_repl`: where the writes that follow are to go, as a sum of [`REPL_AOF`] and [`REPL_REPLICA`].
    fn set_replication(&mut self, targets: u8);

    /// Called now and then while the script runs without calling anything.
    fn pulse(&mut self) -> Pulse;
}

/// A command needs a record that is not in memory. The script is suspended; when it goes on, the same call is made again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fault;

/// What is to become of a script that runs for long.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Pulse {
    /// It goes on.
    GoOn,
    /// It is suspended, so that others get an answer, and goes on when it is resumed.
    Pause,
    /// It ends with this error, which it cannot catch: "ERR Script killed by user with SCRIPT KILL..."
    Kill(Cow<'static, str>),
}

/// How important a line of the log is: `redis.LOG_DEBUG` and so on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum LogLevel {
    /// 0
    Debug,
    /// 1
    Verbose,
    /// 2
    Notice,
    /// 3
    Warning,
}

/// `redis.REPL_AOF`
pub const REPL_AOF: u8 = 1;
/// `redis.REPL_REPLICA`
pub const REPL_REPLICA: u8 = 2;

impl LogLevel {
    /// By their numbers.
    pub(super) const ALL: [LogLevel; 4] = [
        LogLevel::Debug,
        LogLevel::Verbose,
        LogLevel::Notice,
        LogLevel::Warning,
    ];
}
