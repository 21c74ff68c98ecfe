//! WATCH, MULTI, EXEC and DISCARD over what the families make, with other connections in between; and programs that run it.
//!
//! Some keys are watched often (`w0` ...) and changed often.

use super::generate::{Args, Gen, args};
use super::program;
use crate::support::Rng;

/// How many keys of their own are watched.
const WATCHED: u64 = 4;

/// What a connection is about to do.
#[derive(Clone, Copy, PartialEq)]
enum State {
    Free,
    Watching,
    Queueing,
}

/// Where each connection is.
pub struct Transactions {
    states: Vec<State>,
}

impl Transactions {
    pub fn new(connections: u64) -> Transactions {
        Transactions {
            states: vec![State::Free; connections as usize],
        }
    }

    /// The connections are new.
    pub fn forget(&mut self) {
        self.states.fill(State::Free);
    }

    /// What a connection sends next: a command of the families mostly, and what must follow it.
    pub fn commands(&mut self, connection: usize, g: &mut Gen, course: &mut Rng) -> Vec<Args> {
        let state = &mut self.states[connection];
        let (command, next) = match *state {
            State::Free if course.one_in(40) => (watch(g), State::Watching),
            State::Free if course.one_in(100) => (args!["MULTI"], State::Queueing),
            // RESET tells the connection that it is new in every way.
            State::Free if course.one_in(1000) => (args!["RESET"], State::Free),
            State::Watching if course.one_in(8) => (args!["MULTI"], State::Queueing),
            State::Watching if course.one_in(50) => (args!["UNWATCH"], State::Free),
            State::Queueing if course.one_in(10) => (args!["EXEC"], State::Free),
            State::Queueing if course.one_in(80) => (args!["DISCARD"], State::Free),
            State::Queueing if course.one_in(100) => {
                let refused = course.pick(&["MULTI", "WATCH w0", "EXEC x", "NOSUCH", "GET"]);
                let words = refused.split(' ').map(|word| word.as_bytes().to_vec());
                (words.collect(), State::Queueing)
            }
            _ if course.one_in(12) => (change(g), *state),
            _ if course.one_in(12) => return program::commands(g),
            State::Queueing => return alike(g),
            State::Free | State::Watching => return g.commands(),
        };
        *state = next;
        vec![command]
    }
}

/// What both servers queue, or neither: Redis 7.2 gave these commands another argument.
pub fn alike(g: &mut Gen) -> Vec<Args> {
    let is_alike = |args: &Args| {
        let name = args[0].to_ascii_uppercase();
        args.len() == 3 || !matches!(&name[..], b"ZRANK" | b"ZREVRANK")
    };
    loop {
        let commands = g.commands();
        if commands.iter().all(is_alike) {
            return commands;
        }
    }
}

/// One of the keys that are watched often.
pub fn own(g: &mut Gen) -> Vec<u8> {
    format!("w{}", g.rng.below(WATCHED)).into()
}

fn watch(g: &mut Gen) -> Args {
    let name = |g: &mut Gen| if g.rng.one_in(3) { g.key() } else { own(g) };
    [args!["WATCH"], g.some(3, name)].concat()
}

/// Changes one of the keys that are watched for writes, or, in some cases, does not.
fn change(g: &mut Gen) -> Args {
    let (key, other) = (own(g), own(g));
    let number = g.rng.below(1000).to_string();
    match g.rng.below(24) {
        0 => args!["SET", key, number],
        1 => args!["SET", key, number, "NX"],
        2 => args!["SET", key, number, "XX", "GET"],
        3 => args!["DEL", key, other],
        4 => args!["GETDEL", key],
        5 => args!["INCR", key],
        6 => args!["HSET", key, number, g.value()],
        7 => args!["HDEL", key, number],
        8 => args!["SADD", key, number],
        9 => args!["SREM", key, number],
        10 => args!["ZADD", key, number, other],
        11 => args!["ZREM", key, number],
        12 => args!["RPUSH", key, number],
        13 => args!["LPOP", key],
        14 => args!["LMOVE", key, other, "LEFT", "RIGHT"],
        15 => args!["RENAME", key, other],
        16 => args!["COPY", key, other],
        17 => args!["MOVE", key, g.database()],
        18 => args!["EXPIRE", key, g.seconds_ahead().to_string()],
        19 => args!["PERSIST", key],
        20 => args!["SETRANGE", key, "0", number],
        21 => args!["SUNIONSTORE", key, other],
        22 => args!["MSET", key, number, "k1", "1"],
        _ => args!["GET", key],
    }
}
