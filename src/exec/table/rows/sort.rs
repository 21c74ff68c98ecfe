//! Rows of SORT, which works on three types.

use super::*;
use crate::command::sort;

/// A row of this group.
const fn row(name: &'static str, handler: Handler) -> Command {
    Command::data(name, -2, handler).acl(acl::SET | acl::SORTEDSET | acl::LIST | acl::DANGEROUS)
}

const COMPLEXITY: &str = "O(N+M*log(M)) where N is the number of elements in the list or set to sort, and M the number of returned elements. When the elements are not sorted, complexity is O(N).";
const PATTERNS: KeySpec = unknown(RO | ACCESS, |_| None).noted(
    "For the optional BY/GET keyword. It is marked 'unknown' because the key names derive from the content of the key we sort",
);

/// The group is filled in by [`super::COMMANDS`].
pub const ROWS: &[Command] = &[
    row("sort", sort::sort)
        .flags(WRITE | DENYOOM | MOVABLEKEYS)
        .keys(&[
            at(1, RO | ACCESS),
            PATTERNS,
            unknown(OW | UPDATE, sort_target).noted(
                "For the optional STORE keyword. It is marked 'unknown' because the keyword can appear anywhere in the argument array",
            ),
        ])
        .docs("1.0.0", "Sort the elements in a list, set or sorted set", COMPLEXITY),
    row("sort_ro", sort::sort_ro)
        .flags(READONLY | MOVABLEKEYS)
        .keys(&[at(1, RO | ACCESS), PATTERNS])
        .docs(
            "7.0.0",
            "Sort the elements in a list, set or sorted set. Read-only variant of SORT.",
            COMPLEXITY,
        ),
];
