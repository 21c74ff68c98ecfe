//! SCRIPT: the scripts that are known, and the one that runs.

use super::help as help_lines;
use crate::command::is_option;
use crate::exec::{Engine, Session};
use crate::resp::{Args, Reply};
use crate::script::Keep;

const HELP: &[&str] = &[
    "EXISTS <sha1> [<sha1> ...]",
    "    Return information about the existence of the scripts in the script cache.",
    "FLUSH [ASYNC|SYNC]",
    "    Flush the Lua scripts cache. Very dangerous on replicas.",
    "    When called without the optional mode argument, the behavior is determined by the",
    "    lazyfree-lazy-user-flush configuration directive. Valid modes are:",
    "    * ASYNC: Asynchronously flush the scripts cache.",
    "    * SYNC: Synchronously flush the scripts cache.",
    "KILL",
    "    Kill the currently executing Lua script.",
    "LOAD <script>",
    "    Load a script into the scripts cache without executing it.",
];

/// SCRIPT HELP: a line about each subcommand, as simple strings.
pub fn help(_: &mut Engine, _: &mut Session, _: Args) -> Reply {
    help_lines("SCRIPT", HELP)
}

/// `SCRIPT LOAD script`: its SHA-1, by which it is known from now on; or why it cannot be compiled.
pub fn load(engine: &mut Engine, _: &mut Session, args: Args) -> Reply {
    let loaded = engine
        .interpreter()
        .and_then(|known| known.load(&args[2], Keep::Always));
    match loaded {
        Ok(script) => Reply::bulk(script.sha().to_vec()),
        Err(error) => error,
    }
}

/// `SCRIPT EXISTS sha1 ...`: for each, 1 if it is known.
pub fn exists(engine: &mut Engine, _: &mut Session, args: Args) -> Reply {
    let known = |sha: &[u8]| Reply::Int(i64::from(engine.scripts.contains(sha)));
    Reply::Array(args.skip(2).iter().map(known).collect())
}

/// `SCRIPT FLUSH [ASYNC|SYNC]`: forgets all of them; the mode makes no difference.
pub fn flush(engine: &mut Engine, _: &mut Session, args: Args) -> Reply {
    match (args.get(2), args.len()) {
        (None, _) => {}
        (Some(mode), 3) if is_option(mode, "async") || is_option(mode, "sync") => {}
        _ => return Reply::err("ERR SCRIPT FLUSH only support SYNC|ASYNC option"),
    }
    engine.scripts.flush();
    Reply::Ok
}

/// SCRIPT KILL: ends the script that others are answered BUSY for, unless it has written.
pub fn kill(engine: &mut Engine, _: &mut Session, _: Args) -> Reply {
    engine.scripts.kill(false).reply()
}
