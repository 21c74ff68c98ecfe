//! Rows of the commands about the connection.

use super::*;
use crate::exec::control::{client, connection, pause, tracking};

/// A row of this group.
const fn row(name: &'static str, arity: i32, control: Control) -> Command {
    Command::control(name, arity, control).acl(acl::CONNECTION)
}

/// The group is filled in by [`super::COMMANDS`].
pub const ROWS: &[Command] = &[
    row("auth", -2, connection::auth)
        .flags(NOSCRIPT | LOADING | STALE | FAST | NO_AUTH | ALLOW_BUSY)
        .docs(
            "1.0.0",
            "Authenticate to the server",
            "O(N) where N is the number of passwords defined for the user",
        )
        .history(&[("6.0.0", "Added ACL style (username and password).")]),
    Command::container("client", CLIENT).docs(
        "2.4.0",
        "A container for client connection commands",
        "Depends on subcommand.",
    ),
    row("echo", 2, connection::echo)
        .flags(LOADING | STALE | FAST)
        .docs("1.0.0", "Echo the given string", "O(1)"),
    row("hello", -1, connection::hello)
        .flags(NOSCRIPT | LOADING | STALE | FAST | NO_AUTH | ALLOW_BUSY)
        .docs("6.0.0", "Handshake with Redis", "O(1)")
        .history(&[(
            "6.2.0",
            "`protover` made optional; when called without arguments the command reports the current \
                connection's context.",
        )]),
    row("ping", -1, connection::ping)
        .flags(FAST | WHILE_SUBSCRIBED)
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"])
        .docs("1.0.0", "Ping the server", "O(1)"),
    row("quit", -1, connection::quit)
        .flags(NOSCRIPT | LOADING | STALE | FAST | NO_AUTH | ALLOW_BUSY | WHILE_SUBSCRIBED)
        .docs("1.0.0", "Close the connection", "O(1)")
        .deprecated("7.2.0", "just closing the connection"),
    row("reset", 1, connection::reset)
        .flags(NOSCRIPT | LOADING | STALE | FAST | NO_AUTH | ALLOW_BUSY | WHILE_SUBSCRIBED)
        .docs("6.2.0", "Reset the connection", "O(1)"),
    row("select", 2, connection::select)
        .flags(LOADING | STALE | FAST)
        .docs(
            "1.0.0",
            "Change the selected database for the current connection",
            "O(1)",
        ),
];

const CLIENT: &[Command] = &[
    row("caching", 3, tracking::caching)
        .flags(NOSCRIPT | LOADING | STALE)
        .docs(
            "6.0.0",
            "Instruct the server about tracking or not keys in the next request",
            "O(1)",
        ),
    row("getname", 2, client::getname)
        .flags(NOSCRIPT | LOADING | STALE)
        .docs("2.6.9", "Get the current connection name", "O(1)"),
    row("getredir", 2, tracking::getredir)
        .flags(NOSCRIPT | LOADING | STALE)
        .docs(
            "6.0.0",
            "Get tracking notifications redirection client ID if any",
            "O(1)",
        ),
    row("help", 2, client::help).flags(LOADING | STALE).docs(
        "5.0.0",
        "Show helpful text about the different subcommands",
        "O(1)",
    ),
    row("id", 2, client::id).flags(NOSCRIPT | LOADING | STALE).docs(
        "5.0.0",
        "Returns the client ID for the current connection",
        "O(1)",
    ),
    row("info", 2, client::info)
        .flags(NOSCRIPT | LOADING | STALE)
        .tips(&["nondeterministic_output"])
        .docs(
            "6.2.0",
            "Returns information about the current client connection.",
            "O(1)",
        ),
    row("kill", -3, client::kill)
        .flags(ADMIN | NOSCRIPT | LOADING | STALE)
        .docs(
            "2.4.0",
            "Kill the connection of a client",
            "O(N) where N is the number of client connections",
        )
        .history(&[
            ("2.8.12", "Added new filter format."),
            ("2.8.12", "`ID` option."),
            ("3.2.0", "Added `master` type in for `TYPE` option."),
            (
                "5.0.0",
                "Replaced `slave` `TYPE` with `replica`. `slave` still supported for backward \
                compatibility.",
            ),
            ("6.2.0", "`LADDR` option."),
        ]),
    row("list", -2, client::list)
        .flags(ADMIN | NOSCRIPT | LOADING | STALE)
        .tips(&["nondeterministic_output"])
        .docs(
            "2.4.0",
            "Get the list of client connections",
            "O(N) where N is the number of client connections",
        )
        .history(&[
            ("2.8.12", "Added unique client `id` field."),
            ("5.0.0", "Added optional `TYPE` filter."),
            ("6.0.0", "Added `user` field."),
            (
                "6.2.0",
                "Added `argv-mem`, `tot-mem`, `laddr` and `redir` fields and the optional `ID` filter.",
            ),
            ("7.0.0", "Added `resp`, `multi-mem`, `rbs` and `rbp` fields."),
            ("7.0.3", "Added `ssub` field."),
        ]),
    row("no-evict", 3, client::no_evict)
        .flags(ADMIN | NOSCRIPT | LOADING | STALE)
        .docs(
            "7.0.0",
            "Set client eviction mode for the current connection",
            "O(1)",
        ),
    row("no-touch", 3, client::no_touch)
        .flags(NOSCRIPT | LOADING | STALE)
        .docs(
            "7.2.0",
            "Controls whether commands sent by the client affect the LRU/LFU of accessed keys",
            "O(1)",
        ),
    row("pause", -3, pause::pause)
        .flags(ADMIN | NOSCRIPT | LOADING | STALE)
        .docs(
            "3.0.0",
            "Stop processing commands from clients for some time",
            "O(1)",
        )
        .history(&[(
            "6.2.0",
            "`CLIENT PAUSE WRITE` mode added along with the `mode` option.",
        )]),
    row("reply", 3, client::reply)
        .flags(NOSCRIPT | LOADING | STALE)
        .docs(
            "3.2.0",
            "Instruct the server whether to reply to commands",
            "O(1)",
        ),
    row("setinfo", 4, client::setinfo)
        .flags(NOSCRIPT | LOADING | STALE)
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
        .docs(
            "7.2.0",
            "Sets information specific to the client or connection",
            "O(1)",
        ),
    row("setname", 3, client::setname)
        .flags(NOSCRIPT | LOADING | STALE)
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"])
        .docs("2.6.9", "Set the current connection name", "O(1)"),
    row("tracking", -3, tracking::tracking)
        .flags(NOSCRIPT | LOADING | STALE)
        .docs(
            "6.0.0",
            "Enable or disable server assisted client side caching support",
            "O(1). Some options may introduce additional complexity.",
        ),
    row("trackinginfo", 2, tracking::trackinginfo)
        .flags(NOSCRIPT | LOADING | STALE)
        .docs(
            "6.2.0",
            "Return information about server assisted client side caching for the current connection",
            "O(1)",
        ),
    row("unblock", -3, client::unblock)
        .flags(ADMIN | NOSCRIPT | LOADING | STALE)
        .docs(
            "5.0.0",
            "Unblock a client blocked in a blocking command from a different connection",
            "O(log N) where N is the number of client connections",
        ),
    row("unpause", 2, pause::unpause)
        .flags(ADMIN | NOSCRIPT | LOADING | STALE)
        .docs(
            "6.2.0",
            "Resume processing of clients that were paused",
            "O(N) Where N is the number of paused clients",
        ),
];
