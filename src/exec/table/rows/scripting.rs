//! Rows of the commands about scripts and functions.

use super::*;
use crate::exec::control::script;
use crate::exec::functions;
use crate::exec::scripts::program::FindProgram;
use crate::exec::scripts::{eval, fcall};

const READ_WRITTEN: &[KeySpec] = &[numbered(2, RW | ACCESS | UPDATE)];
const ONLY_READ: &[KeySpec] = &[numbered(2, RO | ACCESS)];

/// A row of those that run scripts.
const fn scripted(name: &'static str, find: FindProgram) -> Command {
    Command::scripted(name, -3, find)
        .acl(acl::SCRIPTING)
        .flags(NOSCRIPT | STALE | SKIP_MONITOR | NO_MANDATORY_KEYS | MOVABLEKEYS)
        .keys(READ_WRITTEN)
}

/// A row of those that run scripts that only read.
const fn scripted_ro(name: &'static str, find: FindProgram) -> Command {
    scripted(name, find)
        .flags(READONLY | NOSCRIPT | STALE | SKIP_MONITOR | NO_MANDATORY_KEYS | MOVABLEKEYS)
        .keys(ONLY_READ)
}

const FUNCTION_DEPENDS: &str = "Depends on the function that is executed.";
const DEPENDS: &str = "Depends on the script that is executed.";

/// The group is filled in by [`super::COMMANDS`].
pub const ROWS: &[Command] = &[
    scripted("eval", eval::eval)
        .keys(&[numbered(2, RW | ACCESS | UPDATE)
            .noted("We cannot tell how the keys will be used so we assume the worst, RW and UPDATE")])
        .docs("2.6.0", "Execute a Lua script server side", DEPENDS),
    scripted("evalsha", eval::evalsha).docs("2.6.0", "Execute a Lua script server side", DEPENDS),
    scripted_ro("evalsha_ro", eval::evalsha_ro).docs(
        "7.0.0",
        "Execute a read-only Lua script server side",
        DEPENDS,
    ),
    scripted_ro("eval_ro", eval::eval_ro)
        .keys(&[numbered(2, RO | ACCESS)
            .noted("We cannot tell how the keys will be used so we assume the worst, RO and ACCESS")])
        .docs("7.0.0", "Execute a read-only Lua script server side", DEPENDS),
    scripted("fcall", fcall::fcall)
        .keys(&[numbered(2, RW | ACCESS | UPDATE)
            .noted("We cannot tell how the keys will be used so we assume the worst, RW and UPDATE")])
        .docs("7.0.0", "Invoke a function", FUNCTION_DEPENDS),
    scripted_ro("fcall_ro", fcall::fcall_ro)
        .keys(&[numbered(2, RO | ACCESS)
            .noted("We cannot tell how the keys will be used so we assume the worst, RO and ACCESS")])
        .docs("7.0.0", "Invoke a read-only function", FUNCTION_DEPENDS),
    Command::container("function", FUNCTION).docs(
        "7.0.0",
        "A container for function commands",
        "Depends on subcommand.",
    ),
    Command::container("script", SCRIPT).docs(
        "2.6.0",
        "A container for Lua scripts management commands",
        "Depends on subcommand.",
    ),
];

const SCRIPT: &[Command] = &[
    Command::control("exists", -3, script::exists)
        .flags(NOSCRIPT)
        .acl(acl::SCRIPTING)
        .tips(&["request_policy:all_shards", "response_policy:agg_logical_and"])
        .docs(
            "2.6.0",
            "Check existence of scripts in the script cache.",
            "O(N) with N being the number of scripts to check (so checking a single script is an O(1) operation).",
        ),
    Command::control("flush", -2, script::flush)
        .flags(NOSCRIPT)
        .acl(acl::SCRIPTING)
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
        .docs(
            "2.6.0",
            "Remove all the scripts from the script cache.",
            "O(N) with N being the number of scripts in cache",
        )
        .history(&[("6.2.0", "Added the `ASYNC` and `SYNC` flushing mode modifiers.")]),
    Command::control("help", 2, script::help)
        .flags(LOADING | STALE)
        .acl(acl::SCRIPTING)
        .docs(
            "5.0.0",
            "Show helpful text about the different subcommands",
            "O(1)",
        ),
    Command::control("kill", 2, script::kill)
        .flags(NOSCRIPT | ALLOW_BUSY)
        .acl(acl::SCRIPTING)
        .tips(&["request_policy:all_shards", "response_policy:one_succeeded"])
        .docs("2.6.0", "Kill the script currently in execution.", "O(1)"),
    Command::control("load", 3, script::load)
        .flags(NOSCRIPT | STALE)
        .acl(acl::SCRIPTING)
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
        .docs(
            "2.6.0",
            "Load the specified Lua script into the script cache.",
            "O(N) with N being the length in bytes of the script body.",
        ),
];

/// Tips of what changes the libraries.
const EVERYWHERE: &[&str] = &["request_policy:all_shards", "response_policy:all_succeeded"];

/// A subcommand of FUNCTION.
const fn function(name: &'static str, arity: i32, handler: Handler) -> Command {
    Command::data(name, arity, handler)
        .flags(NOSCRIPT)
        .acl(acl::SCRIPTING)
}

const FUNCTION: &[Command] = &[
    function("delete", 3, functions::delete)
        .flags(WRITE | NOSCRIPT)
        .tips(EVERYWHERE)
        .docs("7.0.0", "Delete a function by name", "O(1)"),
    function("dump", 2, functions::dump).docs(
        "7.0.0",
        "Dump all functions into a serialized binary payload",
        "O(N) where N is the number of functions",
    ),
    function("flush", -2, functions::flush)
        .flags(WRITE | NOSCRIPT)
        .tips(EVERYWHERE)
        .docs(
            "7.0.0",
            "Deleting all functions",
            "O(N) where N is the number of functions deleted",
        ),
    function("help", 2, functions::help).flags(LOADING | STALE).docs(
        "7.0.0",
        "Show helpful text about the different subcommands",
        "O(1)",
    ),
    Command::control("kill", 2, functions::kill)
        .flags(NOSCRIPT | ALLOW_BUSY)
        .acl(acl::SCRIPTING)
        .tips(&["request_policy:all_shards", "response_policy:one_succeeded"])
        .docs("7.0.0", "Kill the function currently in execution.", "O(1)"),
    function("list", -2, functions::list)
        .tips(&["nondeterministic_output_order"])
        .docs(
            "7.0.0",
            "List information about all the functions",
            "O(N) where N is the number of functions",
        ),
    function("load", -3, functions::load)
        .flags(WRITE | DENYOOM | NOSCRIPT)
        .tips(EVERYWHERE)
        .docs(
            "7.0.0",
            "Create a function with the given arguments (name, code, description)",
            "O(1) (considering compilation time is redundant)",
        ),
    function("restore", -3, functions::restore)
        .flags(WRITE | DENYOOM | NOSCRIPT)
        .tips(EVERYWHERE)
        .docs(
            "7.0.0",
            "Restore all the functions on the given payload",
            "O(N) where N is the number of functions on the payload",
        ),
    function("stats", 2, functions::stats)
        .flags(NOSCRIPT | ALLOW_BUSY)
        .tips(&[
            "nondeterministic_output",
            "request_policy:all_shards",
            "response_policy:special",
        ])
        .docs(
            "7.0.0",
            "Return information about the function currently running (name, description, duration)",
            "O(1)",
        ),
];
