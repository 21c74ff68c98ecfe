//! FUNCTION, as far as it goes without any function.

use super::help as help_lines;
use crate::command::is_option;
use crate::exec::{Engine, Session};
use crate::resp::{Args, Reply, shown};

const HELP: &[&str] = &[
    "LIST [LIBRARYNAME PATTERN] [WITHCODE]",
    "    Return general information on all the libraries.",
    "STATS",
    "    Return information about the current function running.",
    "FLUSH [ASYNC|SYNC]",
    "    Delete all the libraries.",
];

/// FUNCTION HELP: a line about each subcommand, as simple strings.
pub fn help(_: &mut Engine, _: &mut Session, _: Args) -> Reply {
    help_lines("FUNCTION", HELP)
}

/// FUNCTION FLUSH: OK, as there is nothing to delete. An error for a mode that is neither SYNC nor ASYNC.
pub fn flush(_: &mut Engine, _: &mut Session, args: Args) -> Reply {
    match (args.get(2), args.len()) {
        (None, _) => Reply::Ok,
        (Some(mode), 3) if is_option(mode, "async") || is_option(mode, "sync") => Reply::Ok,
        _ => Reply::err("ERR FUNCTION FLUSH only supports SYNC|ASYNC option"),
    }
}

/// FUNCTION LIST: an empty array. An error for an option that it does not have.
pub fn list(_: &mut Engine, _: &mut Session, args: Args) -> Reply {
    let mut at = 2;
    while let Some(option) = args.get(at) {
        if is_option(option, "withcode") {
            at += 1;
        } else if is_option(option, "libraryname") {
            if args.get(at + 1).is_none() {
                return Reply::err("ERR library name argument was not given");
            }
            at += 2;
        } else {
            return Reply::err(format!("ERR Unknown argument {}", shown(option)));
        }
    }
    Reply::Array(Vec::new())
}

/// FUNCTION STATS: a map that says that no script runs, and that there are no engines.
pub fn stats(_: &mut Engine, _: &mut Session, _: Args) -> Reply {
    Reply::Map(vec![
        (Reply::bulk("running_script"), Reply::Null),
        (Reply::bulk("engines"), Reply::Map(Vec::new())),
    ])
}
