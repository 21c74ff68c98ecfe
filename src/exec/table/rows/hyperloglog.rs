//! Rows of the commands on HyperLogLogs.

use super::*;
use crate::command::hyperloglog;

/// A row of this group.
const fn row(name: &'static str, arity: i32, handler: Handler) -> Command {
    Command::data(name, arity, handler).acl(acl::HYPERLOGLOG)
}

/// The group is filled in by [`super::COMMANDS`].
pub const ROWS: &[Command] = &[
    row("pfadd", -2, hyperloglog::pfadd)
        .flags(WRITE | DENYOOM | FAST)
        .keys(&[at(1, RW | INSERT)])
        .docs(
            "2.8.9",
            "Adds the specified elements to the specified HyperLogLog.",
            "O(1) to add every element.",
        ),
    row("pfcount", -2, hyperloglog::pfcount)
        .flags(READONLY | MAY_REPLICATE)
        .keys(&[range(1, -1, 1, RW | ACCESS)
            .noted("RW because it may change the internal representation of the key, and propagate to replicas")])
        .docs(
            "2.8.9",
            "Return the approximated cardinality of the set(s) observed by the HyperLogLog at key(s).",
            "O(1) with a very small average constant time when called with a single key. O(N) with N being the number of keys, and much bigger constant times, when called with multiple keys.",
        ),
    row("pfdebug", 3, hyperloglog::pfdebug)
        .flags(WRITE | DENYOOM | ADMIN)
        .keys(&[at(2, RW | ACCESS)])
        .docs("2.8.9", "Internal commands for debugging HyperLogLog values", "N/A"),
    row("pfmerge", -2, hyperloglog::pfmerge)
        .flags(WRITE | DENYOOM)
        .keys(&[at(1, RW | ACCESS | INSERT), range(2, -1, 1, RO | ACCESS)])
        .docs(
            "2.8.9",
            "Merge N different HyperLogLogs into a single one.",
            "O(N) to merge N HyperLogLogs, but with high constant times.",
        ),
    row("pfselftest", 1, hyperloglog::pfselftest)
        .flags(ADMIN)
        .docs("2.8.9", "An internal command for testing HyperLogLog values", "N/A"),
];
