//! Rows of the commands on sets.

use super::*;
use crate::command::set;

/// A row of this group.
const fn row(name: &'static str, arity: i32, handler: Handler) -> Command {
    Command::data(name, arity, handler).acl(acl::SET)
}

/// The group is filled in by [`super::COMMANDS`].
pub const ROWS: &[Command] = &[
    row("sadd", -3, set::sadd)
        .flags(WRITE | DENYOOM | FAST)
        .keys(&[at(1, RW | INSERT)])
        .docs("1.0.0", "Add one or more members to a set", "O(1) for each element added, so O(N) to add N elements when the command is called with multiple arguments.")
        .history(&[("2.4.0", "Accepts multiple `member` arguments.")]),
    row("scard", 2, set::scard)
        .flags(READONLY | FAST)
        .keys(&[at(1, RO)])
        .docs("1.0.0", "Get the number of members in a set", "O(1)"),
    row("sdiff", -2, set::sdiff)
        .flags(READONLY)
        .keys(&[range(1, -1, 1, RO | ACCESS)])
        .tips(&["nondeterministic_output_order"])
        .docs("1.0.0", "Subtract multiple sets", "O(N) where N is the total number of elements in all given sets."),
    row("sdiffstore", -3, set::sdiffstore)
        .flags(WRITE | DENYOOM)
        .keys(&[at(1, OW | UPDATE), range(2, -1, 1, RO | ACCESS)])
        .docs("1.0.0", "Subtract multiple sets and store the resulting set in a key", "O(N) where N is the total number of elements in all given sets."),
    row("sinter", -2, set::sinter)
        .flags(READONLY)
        .keys(&[range(1, -1, 1, RO | ACCESS)])
        .tips(&["nondeterministic_output_order"])
        .docs("1.0.0", "Intersect multiple sets", "O(N*M) worst case where N is the cardinality of the smallest set and M is the number of sets."),
    row("sintercard", -3, set::sintercard)
        .flags(READONLY | MOVABLEKEYS)
        .keys(&[numbered(1, RO | ACCESS)])
        .docs("7.0.0", "Intersect multiple sets and return the cardinality of the result", "O(N*M) worst case where N is the cardinality of the smallest set and M is the number of sets."),
    row("sinterstore", -3, set::sinterstore)
        .flags(WRITE | DENYOOM)
        .keys(&[at(1, RW | UPDATE), range(2, -1, 1, RO | ACCESS)])
        .docs("1.0.0", "Intersect multiple sets and store the resulting set in a key", "O(N*M) worst case where N is the cardinality of the smallest set and M is the number of sets."),
    row("sismember", 3, set::sismember)
        .flags(READONLY | FAST)
        .keys(&[at(1, RO)])
        .docs("1.0.0", "Determine if a given value is a member of a set", "O(1)"),
    row("smembers", 2, set::smembers)
        .flags(READONLY)
        .keys(&[at(1, RO | ACCESS)])
        .tips(&["nondeterministic_output_order"])
        .docs("1.0.0", "Get all the members in a set", "O(N) where N is the set cardinality."),
    row("smismember", -3, set::smismember)
        .flags(READONLY | FAST)
        .keys(&[at(1, RO | ACCESS)])
        .docs("6.2.0", "Returns the membership associated with the given elements for a set", "O(N) where N is the number of elements being checked for membership"),
    row("smove", 4, set::smove)
        .flags(WRITE | FAST)
        .keys(&[at(1, RW | ACCESS | DELETE), at(2, RW | INSERT)])
        .docs("1.0.0", "Move a member from one set to another", "O(1)"),
    row("spop", -2, set::spop)
        .flags(WRITE | FAST)
        .keys(&[at(1, RW | ACCESS | DELETE)])
        .tips(&["nondeterministic_output"])
        .docs("1.0.0", "Remove and return one or multiple random members from a set", "Without the count argument O(1), otherwise O(N) where N is the value of the passed count.")
        .history(&[("3.2.0", "Added the `count` argument.")]),
    row("srandmember", -2, set::srandmember)
        .flags(READONLY)
        .keys(&[at(1, RO | ACCESS)])
        .tips(&["nondeterministic_output"])
        .docs("1.0.0", "Get one or multiple random members from a set", "Without the count argument O(1), otherwise O(N) where N is the absolute value of the passed count.")
        .history(&[("2.6.0", "Added the optional `count` argument.")]),
    row("srem", -3, set::srem)
        .flags(WRITE | FAST)
        .keys(&[at(1, RW | DELETE)])
        .docs("1.0.0", "Remove one or more members from a set", "O(N) where N is the number of members to be removed.")
        .history(&[("2.4.0", "Accepts multiple `member` arguments.")]),
    row("sscan", -3, set::sscan)
        .flags(READONLY)
        .keys(&[at(1, RO | ACCESS)])
        .tips(&["nondeterministic_output"])
        .docs("2.8.0", "Incrementally iterate Set elements", "O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to return back to 0. N is the number of elements inside the collection."),
    row("sunion", -2, set::sunion)
        .flags(READONLY)
        .keys(&[range(1, -1, 1, RO | ACCESS)])
        .tips(&["nondeterministic_output_order"])
        .docs("1.0.0", "Add multiple sets", "O(N) where N is the total number of elements in all given sets."),
    row("sunionstore", -3, set::sunionstore)
        .flags(WRITE | DENYOOM)
        .keys(&[at(1, OW | UPDATE), range(2, -1, 1, RO | ACCESS)])
        .docs("1.0.0", "Add multiple sets and store the resulting set in a key", "O(N) where N is the total number of elements in all given sets."),
];
