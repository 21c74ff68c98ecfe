//! FUNCTION: libraries of functions, as data. What a command changes is in its transaction (`types/libraries.rs`): a library
//! is compiled to see what it registers, by an interpreter of its own, and the record says it from then on.

mod known;
mod library;

pub use known::Known;
use library::{Failure, Loader};

use crate::base::glob::Pattern;
use crate::command::{Call, help as help_lines, is_option};
use crate::exec::{Engine, Session};
use crate::rdb::libraries::{self, Codes};
use crate::resp::{Args, Reply, shown};
use crate::script::Flags;
use crate::store::{Result, Stop, Txn};
use crate::types::libraries::{Function, Libraries, Library};

const HELP: &[&str] = &[
    "LOAD [REPLACE] <FUNCTION CODE>",
    "    Create a new library with the given library name and code.",
    "DELETE <LIBRARY NAME>",
    "    Delete the given library.",
    "LIST [LIBRARYNAME PATTERN] [WITHCODE]",
    "    Return general information on all the libraries:",
    "    * Library name",
    "    * The engine used to run the Library",
    "    * Functions list",
    "    * Library code (if WITHCODE is given)",
    "    It also possible to get only function that matches a pattern using LIBRARYNAME argument.",
    "STATS",
    "    Return information about the current function running:",
    "    * Function name",
    "    * Command used to run the function",
    "    * Duration in MS that the function is running",
    "    If no function is running, return nil",
    "    In addition, returns a list of available engines.",
    "KILL",
    "    Kill the current running function.",
    "FLUSH [ASYNC|SYNC]",
    "    Delete all the libraries. Both modes are the same.",
    "DUMP",
    "    Return a serialized payload representing the current libraries, can be restored using FUNCTION RESTORE command",
    "RESTORE <PAYLOAD> [FLUSH|APPEND|REPLACE]",
    "    Restore the libraries represented by the given payload, it is possible to give a restore policy to",
    "    control how to handle existing libraries (default APPEND):",
    "    * FLUSH: delete all existing libraries.",
    "    * APPEND: appends the restored libraries to the existing libraries. On collision, abort.",
    "    * REPLACE: appends the restored libraries to the existing libraries, On collision, replace the old",
    "      libraries with the new libraries (notice that even on this option there is a chance of failure",
    "      in case of functions name collision with another library).",
];

/// The one engine, as it is shown.
const ENGINE: &str = "LUA";

/// FUNCTION HELP: a line about each subcommand, as simple strings.
pub fn help(_: &mut Txn, _: &Call) -> Result<Reply> {
    Ok(help_lines("FUNCTION", HELP))
}

/// `FUNCTION LOAD [REPLACE] code`. Replies with the library's name.
pub fn load(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let last = call.args.len() - 1;
    for at in 2..last {
        if !is_option(call.arg(at), "replace") {
            return Stop::error(format!("ERR Unknown option given: {}", shown(call.arg(at))));
        }
    }
    let mut libraries = Libraries::read(txn)?;
    let loader = Loader::new().map_err(no_interpreter)?;
    let name = loader
        .add(&mut libraries, call.arg(last), last > 2, txn)
        .map_err(failed)?;
    libraries.write(txn)?;
    Ok(Reply::bulk(name.into_vec()))
}

fn no_interpreter(error: std::io::Error) -> Stop {
    Stop::Error(format!("ERR no interpreter for the library: {error}").into())
}

fn failed(failure: Failure) -> Stop {
    Stop::Error(format!("ERR {}", failure.0).into())
}

/// `FUNCTION DELETE name`. Replies OK, or with an error if there is no such library.
pub fn delete(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let mut libraries = Libraries::read(txn)?;
    if libraries.remove(call.arg(2)).is_none() {
        return Stop::error("ERR Library not found");
    }
    libraries.write(txn)?;
    Ok(Reply::Ok)
}

/// `FUNCTION FLUSH [ASYNC|SYNC]`. Deletes all libraries, and replies OK.
pub fn flush(txn: &mut Txn, call: &Call) -> Result<Reply> {
    match call.args.len() {
        2 => {}
        3 if is_option(call.arg(2), "async") || is_option(call.arg(2), "sync") => {}
        3 => return Stop::error("ERR FUNCTION FLUSH only supports SYNC|ASYNC option"),
        _ => return wrong_arguments(call),
    }
    if Libraries::record(txn)?.is_some() {
        Libraries::default().write(txn)?;
    }
    Ok(Reply::Ok)
}

fn wrong_arguments(call: &Call) -> Result<Reply> {
    Stop::error(format!(
        "ERR unknown subcommand or wrong number of arguments for '{}'. Try FUNCTION HELP.",
        shown(call.arg(1))
    ))
}

/// `FUNCTION LIST [LIBRARYNAME pattern] [WITHCODE]`. Replies with an array of maps, one a library.
pub fn list(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let (mut pattern, mut with_code, mut at) = (None, false, 2);
    while let Some(option) = call.args.get(at) {
        if !with_code && is_option(option, "withcode") {
            with_code = true;
            at += 1;
        } else if pattern.is_none() && is_option(option, "libraryname") {
            match call.args.get(at + 1) {
                Some(given) => pattern = Some(Pattern::new(given, true)),
                None => return Stop::error("ERR library name argument was not given"),
            }
            at += 2;
        } else {
            return Stop::error(format!("ERR Unknown argument {}", shown(option)));
        }
    }
    let libraries = Libraries::read(txn)?;
    let is_wanted = |library: &&Library| {
        pattern
            .as_ref()
            .is_none_or(|pattern| pattern.matches(&library.name))
    };
    let listed = libraries.iter().filter(is_wanted);
    Ok(Reply::Array(
        listed.map(|library| listed_library(library, with_code)).collect(),
    ))
}

fn listed_library(library: &Library, with_code: bool) -> Reply {
    let functions = library.functions.iter().map(listed_function);
    let mut fields = vec![
        (Reply::bulk("library_name"), Reply::bulk(library.name.to_vec())),
        (Reply::bulk("engine"), Reply::bulk(ENGINE)),
        (Reply::bulk("functions"), Reply::Array(functions.collect())),
    ];
    if with_code {
        fields.push((Reply::bulk("library_code"), Reply::bulk(library.code.to_vec())));
    }
    Reply::Map(fields)
}

fn listed_function(function: &Function) -> Reply {
    let description = function.description.as_ref();
    let flags = Flags::from_bits_truncate(function.flags).names();
    Reply::Map(vec![
        (Reply::bulk("name"), Reply::bulk(function.name.to_vec())),
        (
            Reply::bulk("description"),
            description.map_or(Reply::Null, |text| Reply::bulk(text.to_vec())),
        ),
        (
            Reply::bulk("flags"),
            Reply::Set(flags.map(Reply::simple).collect()),
        ),
    ])
}

/// `FUNCTION STATS`. Replies with a map: what runs, and how many libraries and functions there are. (While something runs for
/// long, dispatch answers it.)
pub fn stats(txn: &mut Txn, _: &Call) -> Result<Reply> {
    let libraries = Libraries::read(txn)?;
    let (count, functions) = (libraries.iter().len(), libraries.count_functions());
    Ok(stats_reply(Reply::Null, count, functions))
}

/// The map that FUNCTION STATS answers.
pub fn stats_reply(running: Reply, libraries: usize, functions: usize) -> Reply {
    let counts = Reply::Map(vec![
        (Reply::bulk("libraries_count"), Reply::Int(libraries as i64)),
        (Reply::bulk("functions_count"), Reply::Int(functions as i64)),
    ]);
    Reply::Map(vec![
        (Reply::bulk("running_script"), running),
        (
            Reply::bulk("engines"),
            Reply::Map(vec![(Reply::bulk(ENGINE), counts)]),
        ),
    ])
}

/// FUNCTION KILL: ends the function that others are answered BUSY for, unless it has written.
pub fn kill(engine: &mut Engine, _: &mut Session, _: Args) -> Reply {
    engine.scripts.kill(true).reply()
}

/// `FUNCTION DUMP`. Replies with all libraries as a payload for FUNCTION RESTORE, here or in a Redis.
pub fn dump(txn: &mut Txn, _: &Call) -> Result<Reply> {
    let libraries = Libraries::read(txn)?;
    let codes = libraries.iter().map(|library| &*library.code);
    Ok(Reply::bulk(libraries::dump(codes)))
}

/// `FUNCTION RESTORE payload [FLUSH|APPEND|REPLACE]`. Adds the libraries of a payload, all or none, and replies OK.
pub fn restore(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let policy = match call.args.len() {
        3 => "append",
        4 => match ["append", "replace", "flush"]
            .into_iter()
            .find(|policy| is_option(call.arg(3), policy))
        {
            Some(policy) => policy,
            None => {
                return Stop::error(
                    "ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.",
                );
            }
        },
        _ => return wrong_arguments(call),
    };
    let wrong = |text: &str| Stop::Error(format!("ERR {text}").into());
    libraries::check(call.arg(2)).map_err(wrong)?;
    let there = Libraries::read(txn)?;
    let loader = Loader::new().map_err(no_interpreter)?;
    let mut restored = Libraries::default();
    for code in Codes::of(call.arg(2)) {
        let code = code.map_err(wrong)?;
        loader.add(&mut restored, &code, false, txn).map_err(failed)?;
    }
    let libraries = match policy {
        "flush" => restored,
        policy => joined(there, restored, policy == "replace")?,
    };
    libraries.write(txn)?;
    Ok(Reply::Ok)
}

/// What there is, and what comes to it.
fn joined(mut there: Libraries, restored: Libraries, replaces: bool) -> Result<Libraries> {
    for library in restored.iter() {
        if there.get(&library.name).is_some() && !replaces {
            return Stop::error(format!("ERR Library {} already exists", shown(&library.name)));
        }
        there.remove(&library.name);
    }
    for library in restored.iter() {
        if let Err(taken) = there.add(library.clone()) {
            return Stop::error(format!("ERR Function {} already exists", shown(&taken)));
        }
    }
    Ok(there)
}
