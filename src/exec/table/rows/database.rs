//! Rows of the commands on whole databases.

use super::*;
use crate::command::database;

/// A row of this group.
const fn row(name: &'static str, arity: i32, handler: Handler) -> Command {
    Command::data(name, arity, handler).acl(acl::KEYSPACE)
}

/// The group is filled in by [`super::COMMANDS`].
pub const ROWS: &[Command] = &[
    row("dbsize", 1, database::dbsize)
        .flags(READONLY | FAST)
        .tips(&["request_policy:all_shards", "response_policy:agg_sum"])
        .docs(
            "1.0.0",
            "Return the number of keys in the selected database",
            "O(1)",
        ),
    row("flushall", -1, database::flushall)
        .flags(WRITE)
        .acl(acl::DANGEROUS)
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"])
        .docs(
            "1.0.0",
            "Remove all keys from all databases",
            "O(N) where N is the total number of keys in all databases",
        )
        .history(&[
            ("4.0.0", "Added the `ASYNC` flushing mode modifier."),
            ("6.2.0", "Added the `SYNC` flushing mode modifier."),
        ]),
    row("flushdb", -1, database::flushdb)
        .flags(WRITE)
        .acl(acl::DANGEROUS)
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"])
        .docs(
            "1.0.0",
            "Remove all keys from the current database",
            "O(N) where N is the number of keys in the selected database",
        )
        .history(&[
            ("4.0.0", "Added the `ASYNC` flushing mode modifier."),
            ("6.2.0", "Added the `SYNC` flushing mode modifier."),
        ]),
    row("swapdb", 3, database::swapdb)
        .flags(WRITE | FAST)
        .acl(acl::DANGEROUS)
        .docs(
            "4.0.0",
            "Swaps two Redis databases",
            "O(N) where N is the count of clients watching or blocking on keys from both databases.",
        ),
];
