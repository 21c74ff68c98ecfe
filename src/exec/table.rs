//! The command table: one row a command. It drives dispatch, arity checks, key extraction, COMMAND, ACL and the docs.
//!
//! A new command is one row, in the file of its group under `rows/`, and one function. A row is built from constants:
//! `data(name, arity, handler)` or `control(...)`, then what sets it apart from the plainest command.

#[cfg(test)]
mod audit;
mod flags;
mod keys;
mod rows;

use std::collections::HashMap;
use std::sync::LazyLock;

use foldhash::fast::RandomState;

use super::scripts::program::{FIRST_KEY, FindProgram};
use super::{Engine, Session};
use crate::command::Handler;
use crate::resp::{Args, Reply};

pub use flags::{access, acl, flag, names};
pub use keys::{Begin, Find, KeySpec};
pub use rows::COMMANDS;

/// A command about the connection or the server.
pub type Control = fn(&mut Engine, &mut Session, Args) -> Reply;

/// What runs a command.
#[derive(Clone, Copy)]
pub enum Run {
    /// Over data: a pure function of a transaction.
    Data(Handler),
    /// About the connection or the server.
    Control(Control),
    /// As `Control`, once everything before it is on disk where it belongs.
    Checkpointed(Control),
    /// EXEC: runs what MULTI has queued.
    Exec,
    /// EVAL and its like: runs a script over data.
    Scripted(FindProgram),
    /// Has subcommands; the control is the command without any.
    Container(&'static [Command], Option<Control>),
}

/// One row.
#[derive(Clone, Copy)]
pub struct Command {
    /// Lower case; a subcommand's is its second word.
    pub name: &'static str,
    /// Number of arguments, the name (both words of it) included; negative: at least so many.
    pub arity: i32,
    /// Or-ed constants of [`flag`].
    pub flags: u32,
    /// Or-ed constants of [`acl`], beyond those that follow from the flags.
    categories: u32,
    /// Where its keys are among the arguments; several rules find them one after the other.
    pub keys: &'static [KeySpec],
    /// Hints for cluster proxies, as COMMAND INFO gives them.
    pub tips: &'static [&'static str],
    /// What runs it, and over what.
    pub run: Run,
    /// What COMMAND DOCS tells of it.
    pub docs: Docs,
}

/// What COMMAND DOCS tells.
#[derive(Clone, Copy)]
pub struct Docs {
    /// The group of the file that the row is in; empty in subcommands, whose group is that of their container.
    pub group: &'static str,
    /// The version of Redis that had it first.
    pub since: &'static str,
    /// What it does, in a phrase.
    pub summary: &'static str,
    /// What its time grows with, as Redis's documentation puts it.
    pub complexity: &'static str,
    /// Since when there is something better, and what.
    pub deprecated: Option<(&'static str, &'static str)>,
    /// Versions and what changed in them.
    pub history: &'static [(&'static str, &'static str)],
}

impl Command {
    /// A command over data; its arity is as in [`Command::arity`], and all else is empty until it is said.
    pub const fn data(name: &'static str, arity: i32, handler: Handler) -> Command {
        Command::new(name, arity, Run::Data(handler))
    }

    /// A command about the connection or the server, likewise.
    pub const fn control(name: &'static str, arity: i32, control: Control) -> Command {
        Command::new(name, arity, Run::Control(control))
    }

    /// EXEC.
    pub const fn exec(name: &'static str, arity: i32) -> Command {
        Command::new(name, arity, Run::Exec)
    }

    /// EVAL or its like; `find` finds what it runs.
    pub const fn scripted(name: &'static str, arity: i32, find: FindProgram) -> Command {
        Command::new(name, arity, Run::Scripted(find))
    }

    /// A control that runs once everything before it is on disk where it belongs.
    pub const fn checkpointed(name: &'static str, arity: i32, control: Control) -> Command {
        Command::new(name, arity, Run::Checkpointed(control))
    }

    /// A command that needs a subcommand, each with a row of its own.
    pub const fn container(name: &'static str, subcommands: &'static [Command]) -> Command {
        Command::new(name, -2, Run::Container(subcommands, None))
    }

    const fn new(name: &'static str, arity: i32, run: Run) -> Command {
        Command {
            name,
            arity,
            flags: 0,
            categories: 0,
            keys: &[],
            tips: &[],
            run,
            docs: Docs {
                group: "",
                since: "",
                summary: "",
                complexity: "",
                deprecated: None,
                history: &[],
            },
        }
    }

    /// The container is a command without a subcommand, too.
    pub const fn or_alone(mut self, control: Control) -> Command {
        if let Run::Container(subcommands, _) = self.run {
            self.run = Run::Container(subcommands, Some(control));
            self.arity = -1;
        }
        self
    }

    /// Or-ed constants of [`flag`]; they take the place of those there were.
    pub const fn flags(mut self, flags: u32) -> Command {
        self.flags = flags;
        self
    }

    /// Adds ACL categories; those that follow from the flags need not be named.
    pub const fn acl(mut self, categories: u32) -> Command {
        self.categories |= categories;
        self
    }

    /// Rules that find the keys, made by the functions of `table/keys.rs`.
    pub const fn keys(mut self, keys: &'static [KeySpec]) -> Command {
        self.keys = keys;
        self
    }

    /// Hints for cluster proxies, as COMMAND INFO gives them.
    pub const fn tips(mut self, tips: &'static [&'static str]) -> Command {
        self.tips = tips;
        self
    }

    /// What COMMAND DOCS tells: the version of Redis that had the command first, a phrase, and what its time grows with.
    pub const fn docs(
        mut self,
        since: &'static str,
        summary: &'static str,
        complexity: &'static str,
    ) -> Command {
        (self.docs.since, self.docs.summary, self.docs.complexity) = (since, summary, complexity);
        self
    }

    /// Since this version of Redis there is something better; `instead` is put after "replaced by".
    pub const fn deprecated(mut self, since: &'static str, instead: &'static str) -> Command {
        self.docs.deprecated = Some((since, instead));
        self
    }

    /// Versions of Redis, and what changed in each.
    pub const fn history(mut self, history: &'static [(&'static str, &'static str)]) -> Command {
        self.docs.history = history;
        self
    }

    /// Whether it has any of these flags.
    pub const fn has(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }

    /// Whether running it may change data.
    #[inline]
    pub fn may_write(&self) -> bool {
        let is_script = matches!(self.run, Run::Scripted(_)) && !self.has(flag::READONLY);
        self.has(flag::WRITE) || self.has(flag::MAY_REPLICATE) || is_script
    }

    /// Whether a request may have `args` arguments, its name included.
    pub fn accepts(&self, args: usize) -> bool {
        match usize::try_from(self.arity) {
            Ok(exact) => args == exact,
            Err(_) => args >= self.arity.unsigned_abs() as usize,
        }
    }

    /// The rows of its subcommands; none unless it is a container.
    pub fn subcommands(&self) -> &'static [Command] {
        match self.run {
            Run::Container(subcommands, _) => subcommands,
            Run::Data(_) | Run::Control(_) | Run::Checkpointed(_) | Run::Exec | Run::Scripted(_) => &[],
        }
    }

    /// Which argument is likely to name the first key that is looked up.
    pub fn first_key(&self) -> Option<usize> {
        match self.run {
            Run::Data(_) if !self.has(flag::PUBSUB) => Some(1),
            Run::Scripted(_) => Some(FIRST_KEY),
            _ => None,
        }
    }

    /// Which of `args` arguments is likely to name an element of the key's value.
    pub fn element(&self, args: usize) -> Option<usize> {
        let at = match self.categories {
            set if set & (acl::HASH | acl::SET) != 0 => 2,
            // Behind its score, maybe.
            set if set & (acl::SORTEDSET | acl::GEO) != 0 => args.checked_sub(1)?,
            _ => return None,
        };
        (2..args).contains(&at).then_some(at)
    }

    /// Whether a request of `args` arguments is likely to touch memory that those before it did not: one of many keys, or
    /// of many elements. The ends of a list, for one, are always the same.
    pub fn searches_memory(&self, args: usize) -> bool {
        const KEYS: u32 = acl::STRING | acl::BITMAP | acl::HYPERLOGLOG | acl::KEYSPACE;
        self.categories & KEYS != 0 || self.element(args).is_some()
    }

    /// The ACL categories, those that follow from the flags included.
    pub fn categories(&self) -> u32 {
        let implied = [
            (flag::WRITE, acl::WRITE),
            (flag::READONLY, acl::READ),
            (flag::ADMIN, acl::ADMIN | acl::DANGEROUS),
            (flag::PUBSUB, acl::PUBSUB),
            (flag::FAST, acl::FAST),
            (flag::BLOCKING, acl::BLOCKING),
        ];
        let speed = if self.has(flag::FAST) { 0 } else { acl::SLOW };
        implied
            .iter()
            .filter(|(flag, _)| self.has(*flag))
            .fold(self.categories | speed, |all, (_, category)| all | category)
    }
}

/// A row, and the number of its counters: each row has one, subcommands too.
#[derive(Clone, Copy)]
pub struct Found {
    /// Its own row, if it is a subcommand.
    pub command: &'static Command,
    /// Counts rows in the order of the table, each container before its subcommands.
    pub number: usize,
}

impl Found {
    /// A subcommand, by its name in any case.
    pub fn subcommand(self, name: &[u8]) -> Option<Found> {
        let is_named = |sub: &Command| sub.name.as_bytes().eq_ignore_ascii_case(name);
        let subcommands = self.command.subcommands();
        let at = subcommands.iter().position(is_named)?;
        Some(Found {
            command: &subcommands[at],
            number: self.number + 1 + at,
        })
    }
}

/// Longest name of a command; the audit of the table checks it.
const MAX_NAME: usize = 32;

/// A name in lower case, filled up with zeros: all are hashed and compared alike, without a call.
type Name = [u64; MAX_NAME / 8];

static BY_NAME: LazyLock<HashMap<Name, Found, RandomState>> = LazyLock::new(|| {
    all()
        .filter_map(|found| Some((lower_case(found.command.name.as_bytes())?, found)))
        .collect()
});

/// `None`: it is too long for the name of a command.
fn lower_case(name: &[u8]) -> Option<Name> {
    let mut lower = [0; MAX_NAME];
    lower.get_mut(..name.len())?.copy_from_slice(name);
    lower.make_ascii_lowercase();
    let word = |bytes: &[u8; 8]| u64::from_ne_bytes(*bytes);
    Some(std::array::from_fn(|at| word(&lower.as_chunks().0[at])))
}

/// All commands that are not subcommands.
pub fn all() -> impl Iterator<Item = Found> {
    let mut next = 0;
    COMMANDS.iter().map(move |command| {
        let number = next;
        next += 1 + command.subcommands().len();
        Found { command, number }
    })
}

/// The row of a command, by its name in any case.
pub fn find(name: &[u8]) -> Option<Found> {
    BY_NAME.get(&lower_case(name)?).copied()
}

/// The row with this number.
pub fn numbered(number: usize) -> Found {
    static ALL: LazyLock<Vec<Found>> = LazyLock::new(|| {
        let with_subcommands = |found: Found| {
            let subcommands = found.command.subcommands().iter().enumerate();
            let numbered = subcommands.map(move |(at, command)| Found {
                command,
                number: found.number + 1 + at,
            });
            std::iter::once(found).chain(numbered)
        };
        all().flat_map(with_subcommands).collect()
    });
    ALL[number]
}

/// How many rows have counters of their own.
pub fn count_rows() -> usize {
    COMMANDS
        .iter()
        .map(|command| 1 + command.subcommands().len())
        .sum()
}
