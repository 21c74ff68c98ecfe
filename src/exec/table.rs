//! The command table: one row a command. It drives dispatch, arity checks, key extraction, COMMAND, ACL and the docs.

mod rows;

use std::collections::HashMap;
use std::sync::LazyLock;

use foldhash::fast::RandomState;

use super::{Engine, Session};
use crate::command::Handler;
use crate::resp::{Args, Reply};

pub use rows::COMMANDS;

/// A command about the connection or the server.
pub type Control = fn(&mut Engine, &mut Session, Args) -> Reply;

#[derive(Clone, Copy)]
pub enum Run {
    /// Over data: a pure function of a transaction.
    Data(Handler),
    /// About the connection or the server.
    Control(Control),
    /// Has subcommands only.
    Container(&'static [Command]),
}

/// One row.
pub struct Command {
    /// Lower case; a subcommand's is its second word.
    pub name: &'static str,
    /// Number of arguments, the name (both words of it) included; negative: at least so many.
    pub arity: i32,
    /// Or-ed constants of [`flag`].
    pub flags: u32,
    /// Or-ed constants of [`acl`], beyond those that follow from the flags.
    pub categories: u32,
    pub keys: &'static [KeySpec],
    pub group: &'static str,
    pub since: &'static str,
    pub summary: &'static str,
    pub complexity: &'static str,
    /// Hints for cluster proxies, as COMMAND INFO gives them.
    pub tips: &'static [&'static str],
    pub run: Run,
}

/// Flags of a command, with Redis's meanings; their order is that of [`flag::NAMES`].
pub mod flag {
    pub const WRITE: u32 = 1;
    pub const READONLY: u32 = 1 << 1;
    pub const DENYOOM: u32 = 1 << 2;
    pub const ADMIN: u32 = 1 << 3;
    pub const PUBSUB: u32 = 1 << 4;
    pub const NOSCRIPT: u32 = 1 << 5;
    pub const BLOCKING: u32 = 1 << 6;
    pub const LOADING: u32 = 1 << 7;
    pub const STALE: u32 = 1 << 8;
    pub const SKIP_MONITOR: u32 = 1 << 9;
    pub const SKIP_SLOWLOG: u32 = 1 << 10;
    pub const ASKING: u32 = 1 << 11;
    pub const FAST: u32 = 1 << 12;
    pub const NO_AUTH: u32 = 1 << 13;
    pub const MAY_REPLICATE: u32 = 1 << 14;
    pub const NO_ASYNC_LOADING: u32 = 1 << 15;
    pub const NO_MULTI: u32 = 1 << 16;
    pub const MOVABLEKEYS: u32 = 1 << 17;
    pub const ALLOW_BUSY: u32 = 1 << 18;
    pub const NO_MANDATORY_KEYS: u32 = 1 << 19;

    /// The name of bit `i`, as COMMAND INFO spells it.
    pub const NAMES: [&str; 20] = [
        "write",
        "readonly",
        "denyoom",
        "admin",
        "pubsub",
        "noscript",
        "blocking",
        "loading",
        "stale",
        "skip_monitor",
        "skip_slowlog",
        "asking",
        "fast",
        "no_auth",
        "may_replicate",
        "no_async_loading",
        "no_multi",
        "movablekeys",
        "allow_busy",
        "no_mandatory_keys",
    ];
}

/// ACL categories; their order is that of [`acl::NAMES`].
pub mod acl {
    pub const KEYSPACE: u32 = 1;
    pub const READ: u32 = 1 << 1;
    pub const WRITE: u32 = 1 << 2;
    pub const SET: u32 = 1 << 3;
    pub const SORTEDSET: u32 = 1 << 4;
    pub const LIST: u32 = 1 << 5;
    pub const HASH: u32 = 1 << 6;
    pub const STRING: u32 = 1 << 7;
    pub const BITMAP: u32 = 1 << 8;
    pub const HYPERLOGLOG: u32 = 1 << 9;
    pub const GEO: u32 = 1 << 10;
    pub const STREAM: u32 = 1 << 11;
    pub const PUBSUB: u32 = 1 << 12;
    pub const ADMIN: u32 = 1 << 13;
    pub const FAST: u32 = 1 << 14;
    pub const SLOW: u32 = 1 << 15;
    pub const BLOCKING: u32 = 1 << 16;
    pub const DANGEROUS: u32 = 1 << 17;
    pub const CONNECTION: u32 = 1 << 18;
    pub const TRANSACTION: u32 = 1 << 19;
    pub const SCRIPTING: u32 = 1 << 20;

    pub const NAMES: [&str; 21] = [
        "keyspace",
        "read",
        "write",
        "set",
        "sortedset",
        "list",
        "hash",
        "string",
        "bitmap",
        "hyperloglog",
        "geo",
        "stream",
        "pubsub",
        "admin",
        "fast",
        "slow",
        "blocking",
        "dangerous",
        "connection",
        "transaction",
        "scripting",
    ];
}

/// Where some of a command's keys are, and what is done to them.
pub struct KeySpec {
    /// As COMMAND INFO spells them: "RW", "ACCESS", "UPDATE", ...
    pub flags: &'static [&'static str],
    pub begin: Begin,
    pub find: Find,
}

#[derive(Clone, Copy)]
pub enum Begin {
    Index(i32),
    /// After this word, looked for from the argument `from` on (negative: backwards from the end).
    Keyword {
        word: &'static str,
        from: i32,
    },
}

#[derive(Clone, Copy)]
pub enum Find {
    /// `last` counts from the first key; negative: from the end. `limit` 0 or 1: all of them; n: the first 1/n.
    Range { last: i32, step: i32, limit: i32 },
    /// A number of keys, at `number` from where the search begins; the keys begin at `first` from there.
    KeyNumber { number: i32, first: i32, step: i32 },
}

impl Command {
    pub fn has(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }

    pub fn accepts(&self, args: usize) -> bool {
        match usize::try_from(self.arity) {
            Ok(exact) => args == exact,
            Err(_) => args >= self.arity.unsigned_abs() as usize,
        }
    }

    /// The positions of the keys among the arguments; `None` where the arguments make no sense.
    pub fn key_positions(&self, args: Args) -> Option<Vec<usize>> {
        let mut positions = Vec::new();
        for spec in self.keys {
            spec.collect(args, &mut positions)?;
        }
        Some(positions)
    }
}

impl KeySpec {
    fn collect(&self, args: Args, out: &mut Vec<usize>) -> Option<()> {
        let Some(begin) = self.begin.position(args) else {
            return Some(());
        };
        let (first, last, step) = match self.find {
            Find::Range { last, step, limit } => {
                let end = if last >= 0 {
                    begin + last as usize
                } else if last == -1 && limit > 1 {
                    begin + (args.len() - begin) / limit as usize - 1
                } else {
                    args.len().checked_sub(last.unsigned_abs() as usize)?
                };
                (begin, end, step)
            }
            Find::KeyNumber { number, first, step } => {
                let count = crate::base::num::parse_i64(args.get(begin + number as usize)?)?;
                let count = usize::try_from(count).ok().filter(|&n| n > 0)?;
                let first = begin + first as usize;
                (
                    first,
                    first
                        .checked_add(count.checked_mul(step as usize)?)?
                        .checked_sub(step as usize)?,
                    step,
                )
            }
        };
        if last >= args.len() {
            return None;
        }
        out.extend((first..=last).step_by(step.max(1) as usize));
        Some(())
    }
}

impl Begin {
    fn position(self, args: Args) -> Option<usize> {
        match self {
            Begin::Index(i) => Some(i as usize).filter(|&i| i < args.len()),
            Begin::Keyword { word, from } => {
                let is_word = |i: &usize| args[*i].eq_ignore_ascii_case(word.as_bytes());
                let found = if from >= 0 {
                    (from as usize..args.len()).find(is_word)
                } else {
                    (1..(args.len() + 1).checked_sub(from.unsigned_abs() as usize)?)
                        .rev()
                        .find(is_word)
                };
                Some(found? + 1).filter(|&i| i < args.len())
            }
        }
    }
}

/// Longest name of a command; the audit of the table checks it.
const MAX_NAME: usize = 32;

static BY_NAME: LazyLock<HashMap<&'static [u8], usize, RandomState>> = LazyLock::new(|| {
    COMMANDS
        .iter()
        .enumerate()
        .map(|(i, command)| (command.name.as_bytes(), i))
        .collect()
});

/// The row of a command, by its name in any case, and the row's number.
pub fn find(name: &[u8]) -> Option<(usize, &'static Command)> {
    let mut lower = [0; MAX_NAME];
    let lower = lower.get_mut(..name.len())?;
    lower.copy_from_slice(name);
    lower.make_ascii_lowercase();
    let at = *BY_NAME.get(&*lower)?;
    Some((at, &COMMANDS[at]))
}

/// A container's subcommand, by its name in any case.
pub fn find_sub(subcommands: &'static [Command], name: &[u8]) -> Option<&'static Command> {
    subcommands
        .iter()
        .find(|sub| sub.name.as_bytes().eq_ignore_ascii_case(name))
}
