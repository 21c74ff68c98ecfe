//! SLOWLOG: the requests that took long.

use super::help as help_lines;
use crate::base::num::parse_i64;
use crate::exec::slowlog::Entry;
use crate::exec::{Engine, Session};
use crate::resp::{Args, Reply, shown};

const HELP: &[&str] = &[
    "GET [<count>]",
    "    Return top <count> entries from the slowlog (default: 10, -1 mean all).",
    "    Entries are made of:",
    "    id, timestamp, time in microseconds, arguments array, client IP and port,",
    "    client name",
    "LEN",
    "    Return the length of the slowlog.",
    "RESET",
    "    Reset the slowlog.",
];

const DEFAULT_COUNT: usize = 10;

/// SLOWLOG HELP: a line about each subcommand, as simple strings.
pub fn help(_: &mut Engine, _: &mut Session, _: Args) -> Reply {
    help_lines("SLOWLOG", HELP)
}

/// SLOWLOG GET: as many entries as the argument says, 10 without one, all for -1; the newest first. Each is an array: id, Unix
/// seconds, microseconds, arguments, the client's address and its name.
pub fn get(engine: &mut Engine, _: &mut Session, args: Args) -> Reply {
    let count = match args.get(2) {
        None => DEFAULT_COUNT,
        Some(_) if args.len() > 3 => {
            let text = "unknown subcommand or wrong number of arguments for";
            return Reply::err(format!("ERR {text} '{}'. Try SLOWLOG HELP.", shown(&args[1])));
        }
        Some(count) => match parse_i64(count) {
            Some(-1) => usize::MAX,
            Some(count @ 0..) => usize::try_from(count).unwrap_or(usize::MAX),
            _ => return Reply::err("ERR count should be greater than or equal to -1"),
        },
    };
    Reply::Array(engine.slowlog.entries().take(count).map(describe).collect())
}

fn describe(entry: Entry) -> Reply {
    let int = |number: u64| Reply::Int(i64::try_from(number).unwrap_or(i64::MAX));
    Reply::Array(vec![
        int(entry.id),
        int(entry.time),
        int(entry.microseconds),
        Reply::Array(entry.args.into_iter().map(Reply::bulk).collect()),
        Reply::bulk(entry.address),
        Reply::bulk(entry.client_name),
    ])
}

/// SLOWLOG LEN: how many entries there are.
pub fn len(engine: &mut Engine, _: &mut Session, _: Args) -> Reply {
    Reply::Int(engine.slowlog.count() as i64)
}

/// SLOWLOG RESET: forgets all entries; ids go on from where they were.
pub fn reset(engine: &mut Engine, _: &mut Session, _: Args) -> Reply {
    engine.slowlog.clear();
    Reply::Ok
}
