//! Rows of the commands about transactions.

use super::*;
use crate::command::transaction::watch;
use crate::exec::control::transaction;

/// A row of this group.
const fn row(name: &'static str, arity: i32, control: Control) -> Command {
    Command::control(name, arity, control).acl(acl::TRANSACTION)
}

/// The group is filled in by [`super::COMMANDS`].
pub const ROWS: &[Command] = &[
    row("discard", 1, transaction::discard)
        .flags(NOSCRIPT | LOADING | STALE | FAST | ALLOW_BUSY)
        .docs(
            "2.0.0",
            "Discard all commands issued after MULTI",
            "O(N), when N is the number of queued commands",
        ),
    Command::exec("exec", 1)
        .acl(acl::TRANSACTION)
        .flags(NOSCRIPT | LOADING | STALE | SKIP_SLOWLOG)
        .docs(
            "1.2.0",
            "Execute all commands issued after MULTI",
            "Depends on commands in the transaction",
        ),
    row("multi", 1, transaction::multi)
        .flags(NOSCRIPT | LOADING | STALE | FAST | ALLOW_BUSY)
        .docs("1.2.0", "Mark the start of a transaction block", "O(1)"),
    row("unwatch", 1, transaction::unwatch)
        .flags(NOSCRIPT | LOADING | STALE | FAST | ALLOW_BUSY)
        .docs("2.2.0", "Forget about all watched keys", "O(1)"),
    Command::data("watch", -2, watch)
        .acl(acl::TRANSACTION)
        .flags(NOSCRIPT | LOADING | STALE | FAST | ALLOW_BUSY)
        .keys(&[range(1, -1, 1, RO)])
        .docs(
            "2.2.0",
            "Watch the given keys to determine execution of the MULTI/EXEC block",
            "O(1) for every key.",
        ),
];
