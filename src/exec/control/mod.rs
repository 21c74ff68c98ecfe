//! Commands about the connection and the server.

pub mod client;
pub mod command;
pub mod config;
pub mod connection;
pub mod debug;
pub mod info;
pub mod memory_stats;
pub mod pause;
pub mod persistence;
pub mod pubsub;
pub mod script;
pub mod server;
pub mod slowlog;
pub mod tracking;
pub mod transaction;
pub mod wait;

use std::hash::{BuildHasher, RandomState};

use crate::command::help;
use crate::resp::Reply;

/// The Redis whose commands and semantics these are, for clients that ask.
pub const REDIS_VERSION: &str = "7.2.6";
/// Redkeep's own, from its manifest.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The error for an argument that is no integer of 64 bits.
pub const NOT_AN_INTEGER: &str = "ERR value is not an integer or out of range";
/// The error for arguments that make no sense together.
pub const SYNTAX: &str = "ERR syntax error";
/// The error for a number of which Redis keeps 32 bits.
pub const NOT_A_C_INT: &str = "ERR value is out of range, value must between -2147483648 and 2147483647";

/// Names of this run of the server.
pub struct Identity {
    /// 40 hexadecimal digits, others at each start.
    pub run_id: String,
    /// 40 hexadecimal digits; others once DEBUG CHANGE-REPL-ID was said.
    pub replication_id: String,
}

impl Identity {
    /// Names that nothing had before.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Identity {
        Identity {
            run_id: random_id(),
            replication_id: random_id(),
        }
    }
}

/// 40 random hexadecimal digits.
pub fn random_id() -> String {
    // The standard hasher's keys come from the system's random numbers.
    let random = RandomState::new();
    let mut id: String = (0..3).map(|n| format!("{:016x}", random.hash_one(n))).collect();
    id.truncate(40);
    id
}

/// When the last dump was through.
pub struct Saves {
    /// Unix time in seconds.
    pub at: u64,
    /// How many keys had been changed when it began.
    pub changed: u64,
    /// How many there were since the start.
    pub count: u64,
}

impl Saves {
    /// A server that starts counts as saved then, in Unix milliseconds.
    pub fn new(now_ms: u64) -> Saves {
        Saves {
            at: now_ms / 1000,
            changed: 0,
            count: 0,
        }
    }
}

/// Text for people: RESP3 says so.
fn text(text: String) -> Reply {
    Reply::Verbatim(*b"txt", text.into())
}
