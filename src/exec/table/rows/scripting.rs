//! Rows of the commands about scripts and functions.

use super::*;
use crate::exec::functions;

/// The group is filled in by [`super::COMMANDS`].
pub const ROWS: &[Command] = &[Command::container("function", FUNCTION).docs(
    "7.0.0",
    "A container for function commands",
    "Depends on subcommand.",
)];

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
