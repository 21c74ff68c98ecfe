//! Tests of the table itself.

use std::collections::HashSet;

use super::{Begin, COMMANDS, Command, Find, Found, MAX_NAME, Run, access, all, find, flag};

/// Commands of the groups string, bitmap, generic, connection and server that are not here, and why.
const ABSENT: &[(&str, &[&str])] = &[
    ("there is only the default user", &["acl"]),
    (
        "client-side caching is not there",
        &["client|caching", "client|tracking", "client|trackinginfo"],
    ),
    ("no command waits that a pause could hold", &["client|pause", "client|unpause"]),
    ("of Valkey and later Redis only", &["client|capa", "sflush"]),
    ("the dump format is a later step", &["dump", "restore", "restore-ashing", "migrate"]),
    ("needs lists, sets and sorted sets", &["sort", "sort_ro"]),
    (
        "there is no replication",
        &["wait", "waitaof", "failover", "psync", "sync", "replconf", "replicaof", "slaveof"],
    ),
    ("part of cluster resharding", &["restore-asking"]),
    ("latencies are not kept", &["latency"]),
    ("there are no modules", &["module"]),
    ("it would slow every command down for a look at all of them", &["monitor"]),
    ("art", &["lolwut"]),
    (
        "left to the allocator",
        &["memory|doctor", "memory|malloc-stats", "memory|purge"],
    ),
];

/// Every command of these groups in Redis 7.2.
const STRING: &str = "append decr decrby get getdel getex getrange getset incr incrby incrbyfloat lcs mget mset msetnx \
    psetex set setex setnx setrange strlen substr";

/// Every row, with its container if it is a subcommand.
fn rows() -> impl Iterator<Item = (Option<&'static Command>, &'static Command)> {
    COMMANDS.iter().flat_map(|command| {
        let subs = command.subcommands().iter().map(move |sub| (Some(command), sub));
        std::iter::once((None, command)).chain(subs)
    })
}
