//! Rows of the commands about the server.

use super::*;
use crate::command::{debug as data, memory};
use crate::exec::control::{command, config, debug, info, memory_stats, persistence, server, slowlog};

/// The group is filled in by [`super::COMMANDS`].
pub const ROWS: &[Command] = &[
    Command::control("bgrewriteaof", 1, persistence::bgrewriteaof)
        .flags(ADMIN | NOSCRIPT | NO_ASYNC_LOADING)
        .docs("1.0.0", "Asynchronously rewrite the append-only file", "O(1)"),
    Command::control("bgsave", -1, persistence::bgsave)
        .flags(ADMIN | NOSCRIPT | NO_ASYNC_LOADING)
        .docs("1.0.0", "Asynchronously save the dataset to disk", "O(1)")
        .history(&[("3.2.2", "Added the `SCHEDULE` option.")]),
    Command::container("command", COMMAND)
        .or_alone(command::all)
        .flags(LOADING | STALE)
        .acl(acl::CONNECTION)
        .tips(&["nondeterministic_output_order"])
        .docs(
            "2.8.13",
            "Get array of Redis command details",
            "O(N) where N is the total number of Redis commands",
        ),
    Command::container("config", CONFIG).docs(
        "2.0.0",
        "A container for server configuration commands",
        "Depends on subcommand.",
    ),
    Command::container("debug", DEBUG)
        .flags(ADMIN | NOSCRIPT | LOADING | STALE | PROTECTED)
        .docs(
            "1.0.0",
            "A container for debugging commands",
            "Depends on subcommand.",
        ),
    Command::control("info", -1, info::info)
        .flags(LOADING | STALE)
        .acl(acl::DANGEROUS)
        .tips(&[
            "nondeterministic_output",
            "request_policy:all_shards",
            "response_policy:special",
        ])
        .docs("1.0.0", "Get information and statistics about the server", "O(1)")
        .history(&[("7.0.0", "Added support for taking multiple section arguments.")]),
    Command::control("lastsave", 1, persistence::lastsave)
        .flags(LOADING | STALE | FAST)
        .acl(acl::ADMIN | acl::DANGEROUS)
        .tips(&["nondeterministic_output"])
        .docs(
            "1.0.0",
            "Get the UNIX time stamp of the last successful save to disk",
            "O(1)",
        ),
    Command::container("memory", MEMORY).docs(
        "4.0.0",
        "A container for memory diagnostics commands",
        "Depends on subcommand.",
    ),
    Command::control("monitor", 1, server::monitor)
        .flags(ADMIN | NOSCRIPT | LOADING | STALE)
        .docs(
            "1.0.0",
            "Listen for all requests received by the server in real time",
            "",
        ),
    Command::control("role", 1, server::role)
        .flags(NOSCRIPT | LOADING | STALE | FAST)
        .acl(acl::ADMIN | acl::DANGEROUS)
        .docs(
            "2.8.12",
            "Return the role of the instance in the context of replication",
            "O(1)",
        ),
    Command::control("save", 1, persistence::save)
        .flags(ADMIN | NOSCRIPT | NO_ASYNC_LOADING | NO_MULTI)
        .docs(
            "1.0.0",
            "Synchronously save the dataset to disk",
            "O(N) where N is the total number of keys in all databases",
        ),
    Command::control("shutdown", -1, persistence::shutdown)
        .flags(ADMIN | NOSCRIPT | LOADING | STALE | NO_MULTI | ALLOW_BUSY)
        .docs(
            "1.0.0",
            "Synchronously save the dataset to disk and then shut down the server",
            "O(N) when saving, where N is the total number of keys in all databases when saving data, \
                otherwise O(1)",
        )
        .history(&[("7.0.0", "Added the `NOW`, `FORCE` and `ABORT` modifiers.")]),
    Command::container("slowlog", SLOWLOG).docs(
        "2.2.12",
        "A container for slow log commands",
        "Depends on subcommand.",
    ),
    Command::control("time", 1, server::time)
        .flags(LOADING | STALE | FAST)
        .tips(&["nondeterministic_output"])
        .docs("2.6.0", "Return the current server time", "O(1)"),
];

const COMMAND: &[Command] = &[
    Command::control("count", 2, command::count)
        .flags(LOADING | STALE)
        .acl(acl::CONNECTION)
        .docs("2.8.13", "Get total number of Redis commands", "O(1)"),
    Command::control("docs", -2, command::docs)
        .flags(LOADING | STALE)
        .acl(acl::CONNECTION)
        .tips(&["nondeterministic_output_order"])
        .docs(
            "7.0.0",
            "Get array of specific Redis command documentation",
            "O(N) where N is the number of commands to look up",
        ),
    Command::control("getkeys", -3, command::getkeys)
        .flags(LOADING | STALE)
        .acl(acl::CONNECTION)
        .docs(
            "2.8.13",
            "Extract keys given a full Redis command",
            "O(N) where N is the number of arguments to the command",
        ),
    Command::control("getkeysandflags", -3, command::getkeysandflags)
        .flags(LOADING | STALE)
        .acl(acl::CONNECTION)
        .docs(
            "7.0.0",
            "Extract keys and access flags given a full Redis command",
            "O(N) where N is the number of arguments to the command",
        ),
    Command::control("help", 2, command::help)
        .flags(LOADING | STALE)
        .acl(acl::CONNECTION)
        .docs(
            "5.0.0",
            "Show helpful text about the different subcommands",
            "O(1)",
        ),
    Command::control("info", -2, command::info)
        .flags(LOADING | STALE)
        .acl(acl::CONNECTION)
        .tips(&["nondeterministic_output_order"])
        .docs(
            "2.8.13",
            "Get array of specific Redis command details, or all when no argument is given.",
            "O(N) where N is the number of commands to look up",
        )
        .history(&[(
            "7.0.0",
            "Allowed to be called with no argument to get info on all commands.",
        )]),
    Command::control("list", -2, command::list)
        .flags(LOADING | STALE)
        .acl(acl::CONNECTION)
        .tips(&["nondeterministic_output_order"])
        .docs(
            "7.0.0",
            "Get an array of Redis command names",
            "O(N) where N is the total number of Redis commands",
        ),
];

const CONFIG: &[Command] = &[
    Command::control("get", -3, config::get)
        .flags(ADMIN | NOSCRIPT | LOADING | STALE)
        .docs(
            "2.0.0",
            "Get the values of configuration parameters",
            "O(N) when N is the number of configuration parameters provided",
        )
        .history(&[(
            "7.0.0",
            "Added the ability to pass multiple pattern parameters in one call",
        )]),
    Command::control("help", 2, config::help)
        .flags(LOADING | STALE)
        .docs(
            "5.0.0",
            "Show helpful text about the different subcommands",
            "O(1)",
        ),
    Command::control("resetstat", 2, config::resetstat)
        .flags(ADMIN | NOSCRIPT | LOADING | STALE)
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
        .docs("2.0.0", "Reset the stats returned by INFO", "O(1)"),
    Command::control("rewrite", 2, config::rewrite)
        .flags(ADMIN | NOSCRIPT | LOADING | STALE)
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
        .docs(
            "2.8.0",
            "Rewrite the configuration file with the in memory configuration",
            "O(1)",
        ),
    Command::control("set", -4, config::set)
        .flags(ADMIN | NOSCRIPT | LOADING | STALE)
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
        .docs(
            "2.0.0",
            "Set configuration parameters to the given values",
            "O(N) when N is the number of configuration parameters provided",
        )
        .history(&[(
            "7.0.0",
            "Added the ability to set multiple parameters in one call.",
        )]),
];

const MEMORY: &[Command] = &[
    Command::control("help", 2, memory_stats::help)
        .flags(LOADING | STALE)
        .docs(
            "4.0.0",
            "Show helpful text about the different subcommands",
            "O(1)",
        ),
    Command::control("malloc-stats", 2, memory_stats::malloc_stats)
        .tips(&[
            "nondeterministic_output",
            "request_policy:all_shards",
            "response_policy:special",
        ])
        .docs(
            "4.0.0",
            "Show allocator internal stats",
            "Depends on how much memory is allocated, could be slow",
        ),
    Command::control("purge", 2, memory_stats::purge)
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"])
        .docs(
            "4.0.0",
            "Ask the allocator to release memory",
            "Depends on how much memory is allocated, could be slow",
        ),
    Command::control("stats", 2, memory_stats::stats)
        .tips(&[
            "nondeterministic_output",
            "request_policy:all_shards",
            "response_policy:special",
        ])
        .docs("4.0.0", "Show memory usage details", "O(1)"),
    Command::data("usage", -3, memory::usage)
        .flags(READONLY)
        .keys(&[at(2, RO)])
        .docs(
            "4.0.0",
            "Estimate the memory usage of a key",
            "O(N) where N is the number of samples.",
        ),
];

const SLOWLOG: &[Command] = &[
    Command::control("get", -2, slowlog::get)
        .flags(ADMIN | LOADING | STALE)
        .tips(&["request_policy:all_nodes", "nondeterministic_output"])
        .docs(
            "2.2.12",
            "Get the slow log's entries",
            "O(N) where N is the number of entries returned",
        )
        .history(&[("4.0.0", "Added client IP address, port and name to the reply.")]),
    Command::control("help", 2, slowlog::help)
        .flags(LOADING | STALE)
        .docs(
            "6.2.0",
            "Show helpful text about the different subcommands",
            "O(1)",
        ),
    Command::control("len", 2, slowlog::len)
        .flags(ADMIN | LOADING | STALE)
        .tips(&[
            "request_policy:all_nodes",
            "response_policy:agg_sum",
            "nondeterministic_output",
        ])
        .docs("2.2.12", "Get the slow log's length", "O(1)"),
    Command::control("reset", 2, slowlog::reset)
        .flags(ADMIN | LOADING | STALE)
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
        .docs(
            "2.2.12",
            "Clear all entries from the slow log",
            "O(N) where N is the number of entries in the slowlog",
        ),
];

/// A row of DEBUG.
const fn helper(row: Command, summary: &'static str) -> Command {
    row.flags(ADMIN | NOSCRIPT | LOADING | STALE | PROTECTED)
        .docs("1.0.0", summary, "")
}

const DEBUG: &[Command] = &[
    helper(
        Command::control("change-repl-id", 2, debug::change_repl_id),
        "Change the replication ids",
    ),
    helper(
        Command::checkpointed("drop-hot", 2, debug::drop_hot),
        "Evict everything that is on disk from memory",
    ),
    helper(Command::control("error", 3, debug::error), "Reply with an error"),
    helper(
        Command::control("help", 2, debug::help),
        "Show helpful text about the different subcommands",
    ),
    helper(Command::checkpointed("loadaof", 2, debug::reload), "As RELOAD"),
    helper(Command::control("log", 3, debug::log), "Write to the log"),
    helper(
        Command::data("object", 3, data::object),
        "Show where and how a key is stored",
    ),
    helper(
        Command::control("panic", -2, debug::panic),
        "Crash the server by a panic",
    ),
    helper(
        Command::control("protocol", 3, debug::protocol),
        "Reply with a value of a type of the protocol",
    ),
    helper(
        Command::control("quicklist-packed-threshold", 3, debug::quicklist_packed_threshold),
        "Do nothing: there are no quicklists",
    ),
    helper(
        Command::checkpointed("reload", -2, debug::reload),
        "Read everything from disk again",
    ),
    helper(
        Command::control("segfault", 2, debug::segfault),
        "Crash the server by a bad access to memory",
    ),
    helper(
        Command::control("set-active-expire", 3, debug::set_active_expire),
        "Switch background expiry",
    ),
    helper(
        Command::control("sleep", 3, debug::sleep),
        "Stop the server for a time",
    ),
    helper(
        Command::control("stringmatch-len", 4, debug::stringmatch_len),
        "Match a pattern",
    ),
];
