//! Rows of the commands on sorted sets.

use super::*;
use crate::command::sorted_set;

/// A row of this group.
const fn row(name: &'static str, arity: i32, handler: Handler) -> Command {
    Command::data(name, arity, handler).acl(acl::SORTEDSET)
}

const TIMEOUT_SINCE_6_0: &[(&str, &str)] = &[(
    "6.0.0",
    "`timeout` is interpreted as a double instead of an integer.",
)];

/// The group is filled in by [`super::COMMANDS`].
pub const ROWS: &[Command] = &[
    row("bzmpop", -5, sorted_set::bzmpop)
        .flags(WRITE | BLOCKING | MOVABLEKEYS)
        .keys(&[numbered(2, RW | ACCESS | DELETE)])
        .docs(
            "7.0.0",
            "Remove and return members with scores in a sorted set, or block until one is available",
            "O(K) + O(M*log(N)) where K is the number of provided keys, N being the number of elements in the sorted set, and M being the number of elements popped.",
        ),
    row("bzpopmax", -3, sorted_set::bzpopmax)
        .flags(WRITE | BLOCKING | FAST)
        .keys(&[range(1, -2, 1, RW | ACCESS | DELETE)])
        .docs(
            "5.0.0",
            "Remove and return the member with the highest score from one or more sorted sets, or block until one is \
             available",
            "O(log(N)) with N being the number of elements in the sorted set.",
        )
        .history(TIMEOUT_SINCE_6_0),
    row("bzpopmin", -3, sorted_set::bzpopmin)
        .flags(WRITE | BLOCKING | FAST)
        .keys(&[range(1, -2, 1, RW | ACCESS | DELETE)])
        .docs(
            "5.0.0",
            "Remove and return the member with the lowest score from one or more sorted sets, or block until one is \
             available",
            "O(log(N)) with N being the number of elements in the sorted set.",
        )
        .history(TIMEOUT_SINCE_6_0),
    row("zadd", -4, sorted_set::zadd)
        .flags(WRITE | DENYOOM | FAST)
        .keys(&[at(1, RW | UPDATE)])
        .docs(
            "1.2.0",
            "Add one or more members to a sorted set, or update its score if it already exists",
            "O(log(N)) for each item added, where N is the number of elements in the sorted set.",
        )
        .history(&[
            ("2.4.0", "Accepts multiple elements."),
            ("3.0.2", "Added the `XX`, `NX`, `CH` and `INCR` options."),
            ("6.2.0", "Added the `GT` and `LT` options."),
        ]),
    row("zcard", 2, sorted_set::zcard)
        .flags(READONLY | FAST)
        .keys(&[at(1, RO)])
        .docs(
            "1.2.0",
            "Get the number of members in a sorted set",
            "O(1)",
        ),
    row("zcount", 4, sorted_set::zcount)
        .flags(READONLY | FAST)
        .keys(&[at(1, RO | ACCESS)])
        .docs(
            "2.0.0",
            "Count the members in a sorted set with scores within the given values",
            "O(log(N)) with N being the number of elements in the sorted set.",
        ),
    row("zdiff", -3, sorted_set::zdiff)
        .flags(READONLY | MOVABLEKEYS)
        .keys(&[numbered(1, RO | ACCESS)])
        .docs(
            "6.2.0",
            "Subtract multiple sorted sets",
            "O(L + (N-K)log(N)) worst case where L is the total number of elements in all the sets, N is the size of the first set, and K is the size of the result set.",
        ),
    row("zdiffstore", -4, sorted_set::zdiffstore)
        .flags(WRITE | DENYOOM | MOVABLEKEYS)
        .keys(&[at(1, OW | UPDATE), numbered(2, RO | ACCESS)])
        .docs(
            "6.2.0",
            "Subtract multiple sorted sets and store the resulting sorted set in a new key",
            "O(L + (N-K)log(N)) worst case where L is the total number of elements in all the sets, N is the size of the first set, and K is the size of the result set.",
        ),
    row("zincrby", 4, sorted_set::zincrby)
        .flags(WRITE | DENYOOM | FAST)
        .keys(&[at(1, RW | ACCESS | UPDATE)])
        .docs(
            "1.2.0",
            "Increment the score of a member in a sorted set",
            "O(log(N)) where N is the number of elements in the sorted set.",
        ),
    row("zinter", -3, sorted_set::zinter)
        .flags(READONLY | MOVABLEKEYS)
        .keys(&[numbered(1, RO | ACCESS)])
        .docs(
            "6.2.0",
            "Intersect multiple sorted sets",
            "O(N*K)+O(M*log(M)) worst case with N being the smallest input sorted set, K being the number of input sorted sets and M being the number of elements in the resulting sorted set.",
        ),
    row("zintercard", -3, sorted_set::zintercard)
        .flags(READONLY | MOVABLEKEYS)
        .keys(&[numbered(1, RO | ACCESS)])
        .docs(
            "7.0.0",
            "Intersect multiple sorted sets and return the cardinality of the result",
            "O(N*K) worst case with N being the smallest input sorted set, K being the number of input sorted sets.",
        ),
    row("zinterstore", -4, sorted_set::zinterstore)
        .flags(WRITE | DENYOOM | MOVABLEKEYS)
        .keys(&[at(1, OW | UPDATE), numbered(2, RO | ACCESS)])
        .docs(
            "2.0.0",
            "Intersect multiple sorted sets and store the resulting sorted set in a new key",
            "O(N*K)+O(M*log(M)) worst case with N being the smallest input sorted set, K being the number of input sorted sets and M being the number of elements in the resulting sorted set.",
        ),
    row("zlexcount", 4, sorted_set::zlexcount)
        .flags(READONLY | FAST)
        .keys(&[at(1, RO | ACCESS)])
        .docs(
            "2.8.9",
            "Count the number of members in a sorted set between a given lexicographical range",
            "O(log(N)) with N being the number of elements in the sorted set.",
        ),
    row("zmpop", -4, sorted_set::zmpop)
        .flags(WRITE | MOVABLEKEYS)
        .keys(&[numbered(1, RW | ACCESS | DELETE)])
        .docs(
            "7.0.0",
            "Remove and return members with scores in a sorted set",
            "O(K) + O(M*log(N)) where K is the number of provided keys, N being the number of elements in the sorted set, and M being the number of elements popped.",
        ),
    row("zmscore", -3, sorted_set::zmscore)
        .flags(READONLY | FAST)
        .keys(&[at(1, RO | ACCESS)])
        .docs(
            "6.2.0",
            "Get the score associated with the given members in a sorted set",
            "O(N) where N is the number of members being requested.",
        ),
    row("zpopmax", -2, sorted_set::zpopmax)
        .flags(WRITE | FAST)
        .keys(&[at(1, RW | ACCESS | DELETE)])
        .docs(
            "5.0.0",
            "Remove and return members with the highest scores in a sorted set",
            "O(log(N)*M) with N being the number of elements in the sorted set, and M being the number of elements popped.",
        ),
    row("zpopmin", -2, sorted_set::zpopmin)
        .flags(WRITE | FAST)
        .keys(&[at(1, RW | ACCESS | DELETE)])
        .docs(
            "5.0.0",
            "Remove and return members with the lowest scores in a sorted set",
            "O(log(N)*M) with N being the number of elements in the sorted set, and M being the number of elements popped.",
        ),
    row("zrandmember", -2, sorted_set::zrandmember)
        .flags(READONLY)
        .keys(&[at(1, RO | ACCESS)])
        .tips(&["nondeterministic_output"])
        .docs(
            "6.2.0",
            "Get one or multiple random elements from a sorted set",
            "O(N) where N is the number of elements returned",
        ),
    row("zrange", -4, sorted_set::zrange)
        .flags(READONLY)
        .keys(&[at(1, RO | ACCESS)])
        .docs(
            "1.2.0",
            "Return a range of members in a sorted set",
            "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements returned.",
        )
        .history(&[
            ("6.2.0", "Added the `REV`, `BYSCORE`, `BYLEX` and `LIMIT` options."),
        ]),
    row("zrangebylex", -4, sorted_set::zrangebylex)
        .flags(READONLY)
        .keys(&[at(1, RO | ACCESS)])
        .docs(
            "2.8.9",
            "Return a range of members in a sorted set, by lexicographical range",
            "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements being returned. If M is constant (e.g. always asking for the first 10 elements with LIMIT), you can consider it O(log(N)).",
        )
        .deprecated("6.2.0", "`ZRANGE` with the `BYLEX` argument"),
    row("zrangebyscore", -4, sorted_set::zrangebyscore)
        .flags(READONLY)
        .keys(&[at(1, RO | ACCESS)])
        .docs(
            "1.0.5",
            "Return a range of members in a sorted set, by score",
            "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements being returned. If M is constant (e.g. always asking for the first 10 elements with LIMIT), you can consider it O(log(N)).",
        )
        .deprecated("6.2.0", "`ZRANGE` with the `BYSCORE` argument")
        .history(&[
            ("2.0.0", "Added the `WITHSCORES` modifier."),
        ]),
    row("zrangestore", -5, sorted_set::zrangestore)
        .flags(WRITE | DENYOOM)
        .keys(&[at(1, OW | UPDATE), at(2, RO | ACCESS)])
        .docs(
            "6.2.0",
            "Store a range of members from sorted set into another key",
            "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements stored into the destination key.",
        ),
    row("zrank", -3, sorted_set::zrank)
        .flags(READONLY | FAST)
        .keys(&[at(1, RO | ACCESS)])
        .docs(
            "2.0.0",
            "Determine the index of a member in a sorted set",
            "O(log(N))",
        )
        .history(&[
            ("7.2.0", "Added the optional `WITHSCORE` argument."),
        ]),
    row("zrem", -3, sorted_set::zrem)
        .flags(WRITE | FAST)
        .keys(&[at(1, RW | DELETE)])
        .docs(
            "1.2.0",
            "Remove one or more members from a sorted set",
            "O(M*log(N)) with N being the number of elements in the sorted set and M the number of elements to be removed.",
        )
        .history(&[
            ("2.4.0", "Accepts multiple elements."),
        ]),
    row("zremrangebylex", 4, sorted_set::zremrangebylex)
        .flags(WRITE)
        .keys(&[at(1, RW | DELETE)])
        .docs(
            "2.8.9",
            "Remove all members in a sorted set between the given lexicographical range",
            "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements removed by the operation.",
        ),
    row("zremrangebyrank", 4, sorted_set::zremrangebyrank)
        .flags(WRITE)
        .keys(&[at(1, RW | DELETE)])
        .docs(
            "2.0.0",
            "Remove all members in a sorted set within the given indexes",
            "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements removed by the operation.",
        ),
    row("zremrangebyscore", 4, sorted_set::zremrangebyscore)
        .flags(WRITE)
        .keys(&[at(1, RW | DELETE)])
        .docs(
            "1.2.0",
            "Remove all members in a sorted set within the given scores",
            "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements removed by the operation.",
        ),
    row("zrevrange", -4, sorted_set::zrevrange)
        .flags(READONLY)
        .keys(&[at(1, RO | ACCESS)])
        .docs(
            "1.2.0",
            "Return a range of members in a sorted set, by index, with scores ordered from high to low",
            "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements returned.",
        )
        .deprecated("6.2.0", "`ZRANGE` with the `REV` argument"),
    row("zrevrangebylex", -4, sorted_set::zrevrangebylex)
        .flags(READONLY)
        .keys(&[at(1, RO | ACCESS)])
        .docs(
            "2.8.9",
            "Return a range of members in a sorted set, by lexicographical range, ordered from higher to lower strings.",
            "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements being returned. If M is constant (e.g. always asking for the first 10 elements with LIMIT), you can consider it O(log(N)).",
        )
        .deprecated("6.2.0", "`ZRANGE` with the `REV` and `BYLEX` arguments"),
    row("zrevrangebyscore", -4, sorted_set::zrevrangebyscore)
        .flags(READONLY)
        .keys(&[at(1, RO | ACCESS)])
        .docs(
            "2.2.0",
            "Return a range of members in a sorted set, by score, with scores ordered from high to low",
            "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements being returned. If M is constant (e.g. always asking for the first 10 elements with LIMIT), you can consider it O(log(N)).",
        )
        .deprecated("6.2.0", "`ZRANGE` with the `REV` and `BYSCORE` arguments")
        .history(&[
            ("2.1.6", "`min` and `max` can be exclusive."),
        ]),
    row("zrevrank", -3, sorted_set::zrevrank)
        .flags(READONLY | FAST)
        .keys(&[at(1, RO | ACCESS)])
        .docs(
            "2.0.0",
            "Determine the index of a member in a sorted set, with scores ordered from high to low",
            "O(log(N))",
        )
        .history(&[
            ("7.2.0", "Added the optional `WITHSCORE` argument."),
        ]),
    row("zscan", -3, sorted_set::zscan)
        .flags(READONLY)
        .keys(&[at(1, RO | ACCESS)])
        .tips(&["nondeterministic_output"])
        .docs(
            "2.8.0",
            "Incrementally iterate sorted sets elements and associated scores",
            "O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to return back to 0. N is the number of elements inside the collection..",
        ),
    row("zscore", 3, sorted_set::zscore)
        .flags(READONLY | FAST)
        .keys(&[at(1, RO | ACCESS)])
        .docs(
            "1.2.0",
            "Get the score associated with the given member in a sorted set",
            "O(1)",
        ),
    row("zunion", -3, sorted_set::zunion)
        .flags(READONLY | MOVABLEKEYS)
        .keys(&[numbered(1, RO | ACCESS)])
        .docs(
            "6.2.0",
            "Add multiple sorted sets",
            "O(N)+O(M*log(M)) with N being the sum of the sizes of the input sorted sets, and M being the number of elements in the resulting sorted set.",
        ),
    row("zunionstore", -4, sorted_set::zunionstore)
        .flags(WRITE | DENYOOM | MOVABLEKEYS)
        .keys(&[at(1, OW | UPDATE), numbered(2, RO | ACCESS)])
        .docs(
            "2.0.0",
            "Add multiple sorted sets and store the resulting sorted set in a new key",
            "O(N)+O(M log(M)) with N being the sum of the sizes of the input sorted sets, and M being the number of elements in the resulting sorted set.",
        ),
];
