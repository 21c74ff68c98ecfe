//! Rows of the commands on lists.

use super::*;
use crate::command::list;

/// A row of this group.
const fn row(name: &'static str, arity: i32, handler: Handler) -> Command {
    Command::data(name, arity, handler).acl(acl::LIST)
}

const PUSH_COMPLEXITY: &str = "O(1) for each element added, so O(N) to add N elements when the command is called with \
    multiple arguments.";
const TIMEOUT_SINCE_6_0: &[(&str, &str)] = &[(
    "6.0.0",
    "`timeout` is interpreted as a double instead of an integer.",
)];
const SINCE_2_4: &[(&str, &str)] = &[("2.4.0", "Accepts multiple `element` arguments.")];
const SINCE_4_0: &[(&str, &str)] = &[("4.0.0", "Accepts multiple `element` arguments.")];
const SINCE_6_2: &[(&str, &str)] = &[("6.2.0", "Added the `count` argument.")];

/// The group is filled in by [`super::COMMANDS`].
pub const ROWS: &[Command] = &[
    row("blmove", 6, list::blmove)
        .flags(WRITE | DENYOOM | BLOCKING)
        .keys(&[at(1, RW | ACCESS | DELETE), at(2, RW | INSERT)])
        .docs(
            "6.2.0",
            "Pop an element from a list, push it to another list and return it; or block until one is available",
            "O(1)",
        ),
    row("blmpop", -5, list::blmpop)
        .flags(WRITE | BLOCKING | MOVABLEKEYS)
        .keys(&[numbered(2, RW | ACCESS | DELETE)])
        .docs(
            "7.0.0",
            "Pop elements from a list, or block until one is available",
            "O(N+M) where N is the number of provided keys and M is the number of elements returned.",
        ),
    row("blpop", -3, list::blpop)
        .flags(WRITE | BLOCKING)
        .keys(&[range(1, -2, 1, RW | ACCESS | DELETE)])
        .docs(
            "2.0.0",
            "Remove and get the first element in a list, or block until one is available",
            "O(N) where N is the number of provided keys.",
        )
        .history(TIMEOUT_SINCE_6_0),
    row("brpop", -3, list::brpop)
        .flags(WRITE | BLOCKING)
        .keys(&[range(1, -2, 1, RW | ACCESS | DELETE)])
        .docs(
            "2.0.0",
            "Remove and get the last element in a list, or block until one is available",
            "O(N) where N is the number of provided keys.",
        )
        .history(TIMEOUT_SINCE_6_0),
    row("brpoplpush", 4, list::brpoplpush)
        .flags(WRITE | DENYOOM | BLOCKING)
        .keys(&[at(1, RW | ACCESS | DELETE), at(2, RW | INSERT)])
        .docs(
            "2.2.0",
            "Pop an element from a list, push it to another list and return it; or block until one is available",
            "O(1)",
        )
        .deprecated("6.2.0", "`BLMOVE` with the `RIGHT` and `LEFT` arguments")
        .history(TIMEOUT_SINCE_6_0),
    row("lindex", 3, list::lindex)
        .flags(READONLY)
        .keys(&[at(1, RO | ACCESS)])
        .docs("1.0.0", "Get an element from a list by its index", "O(log(N))"),
    row("linsert", 5, list::linsert)
        .flags(WRITE | DENYOOM)
        .keys(&[at(1, RW | INSERT)])
        .docs(
            "2.2.0",
            "Insert an element before or after another element in a list",
            "O(N) where N is the number of elements to traverse before seeing the value pivot. This means that \
                inserting somewhere on the left end on the list (head) can be considered O(1) and inserting somewhere \
                on the right end (tail) is O(N).",
        ),
    row("llen", 2, list::llen)
        .flags(READONLY | FAST)
        .keys(&[at(1, RO)])
        .docs("1.0.0", "Get the length of a list", "O(1)"),
    row("lmove", 5, list::lmove)
        .flags(WRITE | DENYOOM)
        .keys(&[at(1, RW | ACCESS | DELETE), at(2, RW | INSERT)])
        .docs(
            "6.2.0",
            "Pop an element from a list, push it to another list and return it",
            "O(1)",
        ),
    row("lmpop", -4, list::lmpop)
        .flags(WRITE | MOVABLEKEYS)
        .keys(&[numbered(1, RW | ACCESS | DELETE)])
        .docs(
            "7.0.0",
            "Pop elements from a list",
            "O(N+M) where N is the number of provided keys and M is the number of elements returned.",
        ),
    row("lpop", -2, list::lpop)
        .flags(WRITE | FAST)
        .keys(&[at(1, RW | ACCESS | DELETE)])
        .docs(
            "1.0.0",
            "Remove and get the first elements in a list",
            "O(N) where N is the number of elements returned",
        )
        .history(SINCE_6_2),
    row("lpos", -3, list::lpos)
        .flags(READONLY)
        .keys(&[at(1, RO | ACCESS)])
        .docs(
            "6.0.6",
            "Return the index of matching elements on a list",
            "O(N) where N is the number of elements in the list, for the average case. When searching for elements \
                near the head or the tail of the list, or when the MAXLEN option is provided, the command may run in \
                constant time.",
        ),
    row("lpush", -3, list::lpush)
        .flags(WRITE | DENYOOM | FAST)
        .keys(&[at(1, RW | INSERT)])
        .docs("1.0.0", "Prepend one or multiple elements to a list", PUSH_COMPLEXITY)
        .history(SINCE_2_4),
    row("lpushx", -3, list::lpushx)
        .flags(WRITE | DENYOOM | FAST)
        .keys(&[at(1, RW | INSERT)])
        .docs(
            "2.2.0",
            "Prepend an element to a list, only if the list exists",
            PUSH_COMPLEXITY,
        )
        .history(SINCE_4_0),
    row("lrange", 4, list::lrange)
        .flags(READONLY)
        .keys(&[at(1, RO | ACCESS)])
        .docs(
            "1.0.0",
            "Get a range of elements from a list",
            "O(log(S)+N) where S is the distance of start offset from the nearest end (HEAD or TAIL); and N is the \
                number of elements in the specified range.",
        ),
    row("lrem", 4, list::lrem)
        .flags(WRITE)
        .keys(&[at(1, RW | DELETE)])
        .docs(
            "1.0.0",
            "Remove elements from a list",
            "O(N+M*log(N)) where N is the length of the list and M is the number of elements removed.",
        ),
    row("lset", 4, list::lset)
        .flags(WRITE | DENYOOM)
        .keys(&[at(1, RW | UPDATE)])
        .docs(
            "1.0.0",
            "Set the value of an element in a list by its index",
            "O(log(N)) where N is the length of the list. Setting either the first or the last element of the list is \
                O(1).",
        ),
    row("ltrim", 4, list::ltrim)
        .flags(WRITE)
        .keys(&[at(1, RW | DELETE)])
        .docs(
            "1.0.0",
            "Trim a list to the specified range",
            "O(N) where N is the number of elements to be removed by the operation.",
        ),
    row("rpop", -2, list::rpop)
        .flags(WRITE | FAST)
        .keys(&[at(1, RW | ACCESS | DELETE)])
        .docs(
            "1.0.0",
            "Remove and get the last elements in a list",
            "O(N) where N is the number of elements returned",
        )
        .history(SINCE_6_2),
    row("rpoplpush", 3, list::rpoplpush)
        .flags(WRITE | DENYOOM)
        .keys(&[at(1, RW | ACCESS | DELETE), at(2, RW | INSERT)])
        .docs(
            "1.2.0",
            "Remove the last element in a list, prepend it to another list and return it",
            "O(1)",
        )
        .deprecated("6.2.0", "`LMOVE` with the `RIGHT` and `LEFT` arguments"),
    row("rpush", -3, list::rpush)
        .flags(WRITE | DENYOOM | FAST)
        .keys(&[at(1, RW | INSERT)])
        .docs("1.0.0", "Append one or multiple elements to a list", PUSH_COMPLEXITY)
        .history(SINCE_2_4),
    row("rpushx", -3, list::rpushx)
        .flags(WRITE | DENYOOM | FAST)
        .keys(&[at(1, RW | INSERT)])
        .docs(
            "2.2.0",
            "Append an element to a list, only if the list exists",
            PUSH_COMPLEXITY,
        )
        .history(SINCE_4_0),
];
