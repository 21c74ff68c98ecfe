//! Rows of the commands about scripts and functions.

use super::*;
use crate::exec::control::function;

/// The group is filled in by [`super::COMMANDS`].
pub const ROWS: &[Command] = &[Command::container("function", FUNCTION).docs(
    "7.0.0",
    "A container for function commands",
    "Depends on subcommand.",
)];

const FUNCTION: &[Command] = &[
    Command::control("flush", -2, function::flush)
        .flags(WRITE | NOSCRIPT)
        .acl(acl::SCRIPTING)
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"])
        .docs(
            "7.0.0",
            "Deleting all functions",
            "O(N) where N is the number of functions deleted",
        ),
    Command::control("help", 2, function::help)
        .flags(LOADING | STALE)
        .acl(acl::SCRIPTING)
        .docs(
            "7.0.0",
            "Show helpful text about the different subcommands",
            "O(1)",
        ),
    Command::control("list", -2, function::list)
        .flags(NOSCRIPT)
        .acl(acl::SCRIPTING)
        .tips(&["nondeterministic_output_order"])
        .docs(
            "7.0.0",
            "List information about all the functions",
            "O(N) where N is the number of functions",
        ),
    Command::control("stats", 2, function::stats)
        .flags(NOSCRIPT | ALLOW_BUSY)
        .acl(acl::SCRIPTING)
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
