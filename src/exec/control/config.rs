//! CONFIG: the options while the server runs.

use super::{SYNTAX, help as help_lines};
use crate::base::{log, process};
use crate::config::{Config, SetError};
use crate::exec::FilePlan;
use crate::exec::{Engine, Session, call_limits, durability};

use crate::resp::{Args, Reply};

const HELP: &[&str] = &[
    "GET <pattern>",
    "    Return parameters matching the glob-like <pattern> and their values.",
    "SET <directive> <value>",
    "    Set the configuration <directive> to <value>.",
    "RESETSTAT",
    "    Reset statistics reported by the INFO command.",
    "REWRITE",
    "    Rewrite the configuration file.",
];

/// CONFIG HELP: a line about each subcommand, as simple strings.
pub fn help(_: &mut Engine, _: &mut Session, _: Args) -> Reply {
    help_lines("CONFIG", HELP)
}

/// CONFIG GET: a map of the options that any of the patterns fits, with their values as a configuration file has them.
pub fn get(engine: &mut Engine, _: &mut Session, args: Args) -> Reply {
    let patterns: Vec<&[u8]> = args.skip(2).iter().collect();
    let options = engine.config.get(&patterns).into_iter();
    Reply::Map(
        options
            .map(|(name, value)| (Reply::bulk(name), Reply::bulk(value)))
            .collect(),
    )
}

/// CONFIG SET: all of the options, or none and an error that names the first that is refused.
pub fn set(engine: &mut Engine, session: &mut Session, args: Args) -> Reply {
    if !args.len().is_multiple_of(2) {
        return Reply::err(SYNTAX);
    }
    let words: Vec<&[u8]> = args.skip(2).iter().collect();
    let (pairs, _) = words.as_chunks::<2>();
    let pairs: Vec<(&[u8], &[u8])> = pairs.iter().map(|[name, value]| (*name, *value)).collect();
    let before = engine.config.clone();
    let changed = engine.config.set_many(&pairs, session.client.is_local());
    let accepted = changed.and_then(|changed| match refused_by_system(engine, &before, &changed) {
        Some(error) => Err(error),
        None => Ok(changed),
    });
    match accepted {
        Ok(changed) => {
            for option in changed {
                put_into_effect(engine, option);
            }
            engine.limits = call_limits(&engine.config);
            Reply::Ok
        }
        Err(error) => {
            engine.config = before;
            Reply::err(format!("ERR {error}"))
        }
    }
}

/// Applies what the operating system may refuse. If it does, all is as it was before.
fn refused_by_system(engine: &mut Engine, before: &Config, changed: &[&'static str]) -> Option<SetError> {
    if changed.contains(&"maxclients") {
        let possible = FilePlan::of(process::file_limit(), engine.config.maxclients).clients;
        if possible < engine.config.maxclients {
            return Some(SetError::failed(
                "maxclients",
                format!(
                    "The operating system is not able to handle the specified number of clients, try with {possible}"
                ),
            ));
        }
    }
    let place = changed
        .iter()
        .find(|option| matches!(**option, "port" | "bind"))?;
    let text = (engine.listen)(&engine.config, before).err()?;
    log::warning(text);
    Some(SetError::failed(
        *place,
        match *place {
            "port" => "Unable to listen on this port. Check server logs.",
            _ => "Failed to bind to specified addresses.",
        },
    ))
}

/// Applies what an option's new value changes elsewhere. Options that are read where they are used need nothing here.
fn put_into_effect(engine: &mut Engine, option: &str) {
    match option {
        "appendfsync" => engine.store.set_durability(durability(engine.config.appendfsync)),
        "loglevel" => log::set_level(engine.config.loglevel),
        "script-memory-limit" => engine.scripts.set_memory_limit(engine.config.script_memory_limit),
        "notify-keyspace-events" => engine.choose_events(),
        "maxmemory" | "maxmemory-clients" => engine.apply_memory_budget(),
        "slowlog-max-len" => engine.slowlog.trim(&engine.config),
        _ => {}
    }
}

/// CONFIG RESETSTAT: what INFO counts begins anew, of the store as well.
pub fn resetstat(engine: &mut Engine, _: &mut Session, _: Args) -> Reply {
    engine.stats = Default::default();
    engine.clients.over_input.set(0);
    engine.clients.over_output.set(0);
    engine.store.reset_totals();
    Reply::Ok
}

/// CONFIG REWRITE: an error if the server was started without a configuration file, or if it cannot be written.
pub fn rewrite(engine: &mut Engine, _: &mut Session, _: Args) -> Reply {
    match engine.config.rewrite() {
        Ok(()) => Reply::Ok,
        Err(error) => Reply::err(format!("ERR {error}")),
    }
}
