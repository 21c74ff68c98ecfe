//! Rows of the commands on strings.

use super::*;
use crate::command::string;

/// A row of this group.
const fn row(name: &'static str, arity: i32, handler: Handler) -> Command {
    Command::data(name, arity, handler).acl(acl::STRING)
}

/// The group is filled in by [`super::COMMANDS`].
pub const ROWS: &[Command] = &[
    row("append", 3, string::append)
        .flags(WRITE | DENYOOM | FAST)
        .keys(&[at(1, RW | INSERT)])
        .docs(
            "2.0.0",
            "Append a value to a key",
            "O(1). The amortized time complexity is O(1) assuming the appended value is small and the \
                already present value is of any size, since the dynamic string library \
                used by Redis will double the free space available on every reallocation.",
        ),
    row("decr", 2, string::decr)
        .flags(WRITE | DENYOOM | FAST)
        .keys(&[at(1, RW | ACCESS | UPDATE)])
        .docs("1.0.0", "Decrement the integer value of a key by one", "O(1)"),
    row("decrby", 3, string::decrby)
        .flags(WRITE | DENYOOM | FAST)
        .keys(&[at(1, RW | ACCESS | UPDATE)])
        .docs(
            "1.0.0",
            "Decrement the integer value of a key by the given number",
            "O(1)",
        ),
    row("get", 2, string::get)
        .flags(READONLY | FAST)
        .keys(&[at(1, RO | ACCESS)])
        .docs("1.0.0", "Get the value of a key", "O(1)"),
    row("getdel", 2, string::getdel)
        .flags(WRITE | FAST)
        .keys(&[at(1, RW | ACCESS | DELETE)])
        .docs("6.2.0", "Get the value of a key and delete the key", "O(1)"),
    row("getex", -2, string::getex)
        .flags(WRITE | FAST)
        .keys(&[at(1, RW | ACCESS | UPDATE).noted("RW and UPDATE because it changes the TTL")])
        .docs(
            "6.2.0",
            "Get the value of a key and optionally set its expiration",
            "O(1)",
        ),
    row("getrange", 4, string::getrange)
        .flags(READONLY)
        .keys(&[at(1, RO | ACCESS)])
        .docs(
            "2.4.0",
            "Get a substring of the string stored at a key",
            "O(N) where N is the length of the returned string. The complexity is ultimately \
                determined by the returned length, but because creating a substring from \
                an existing string is very cheap, it can be considered O(1) for small \
                strings.",
        ),
    row("getset", 3, string::getset)
        .flags(WRITE | DENYOOM | FAST)
        .keys(&[at(1, RW | ACCESS | UPDATE)])
        .docs(
            "1.0.0",
            "Set the string value of a key and return its old value",
            "O(1)",
        )
        .deprecated("6.2.0", "`SET` with the `!GET` argument"),
    row("incr", 2, string::incr)
        .flags(WRITE | DENYOOM | FAST)
        .keys(&[at(1, RW | ACCESS | UPDATE)])
        .docs("1.0.0", "Increment the integer value of a key by one", "O(1)"),
    row("incrby", 3, string::incrby)
        .flags(WRITE | DENYOOM | FAST)
        .keys(&[at(1, RW | ACCESS | UPDATE)])
        .docs(
            "1.0.0",
            "Increment the integer value of a key by the given amount",
            "O(1)",
        ),
    row("incrbyfloat", 3, string::incrbyfloat)
        .flags(WRITE | DENYOOM | FAST)
        .keys(&[at(1, RW | ACCESS | UPDATE)])
        .docs(
            "2.6.0",
            "Increment the float value of a key by the given amount",
            "O(1)",
        ),
    row("lcs", -3, string::lcs)
        .flags(READONLY)
        .keys(&[range(1, 1, 1, RO | ACCESS)])
        .docs(
            "7.0.0",
            "Find longest common substring",
            "O(N*M) where N and M are the lengths of s1 and s2, respectively",
        ),
    row("mget", -2, string::mget)
        .flags(READONLY | FAST)
        .keys(&[range(1, -1, 1, RO | ACCESS)])
        .tips(&["request_policy:multi_shard"])
        .docs(
            "1.0.0",
            "Get the values of all the given keys",
            "O(N) where N is the number of keys to retrieve.",
        ),
    row("mset", -3, string::mset)
        .flags(WRITE | DENYOOM)
        .keys(&[range(1, -1, 2, OW | UPDATE)])
        .tips(&["request_policy:multi_shard", "response_policy:all_succeeded"])
        .docs(
            "1.0.1",
            "Set multiple keys to multiple values",
            "O(N) where N is the number of keys to set.",
        ),
    row("msetnx", -3, string::msetnx)
        .flags(WRITE | DENYOOM)
        .keys(&[range(1, -1, 2, OW | INSERT)])
        .docs(
            "1.0.1",
            "Set multiple keys to multiple values, only if none of the keys exist",
            "O(N) where N is the number of keys to set.",
        ),
    row("psetex", 4, string::psetex)
        .flags(WRITE | DENYOOM)
        .keys(&[at(1, OW | UPDATE)])
        .docs(
            "2.6.0",
            "Set the value and expiration in milliseconds of a key",
            "O(1)",
        )
        .deprecated("2.6.12", "`SET` with the `PX` argument"),
    row("set", -3, string::set)
        .flags(WRITE | DENYOOM)
        .keys(&[at(1, RW | ACCESS | UPDATE | VARIABLE_FLAGS)
            .varying(set_access)
            .noted("RW and ACCESS due to the optional `GET` argument")])
        .docs("1.0.0", "Set the string value of a key", "O(1)")
        .history(&[
            ("2.6.12", "Added the `EX`, `PX`, `NX` and `XX` options."),
            ("6.0.0", "Added the `KEEPTTL` option."),
            ("6.2.0", "Added the `GET`, `EXAT` and `PXAT` option."),
            ("7.0.0", "Allowed the `NX` and `GET` options to be used together."),
        ]),
    row("setex", 4, string::setex)
        .flags(WRITE | DENYOOM)
        .keys(&[at(1, OW | UPDATE)])
        .docs("2.0.0", "Set the value and expiration of a key", "O(1)")
        .deprecated("2.6.12", "`SET` with the `EX` argument"),
    row("setnx", 3, string::setnx)
        .flags(WRITE | DENYOOM | FAST)
        .keys(&[at(1, OW | INSERT)])
        .docs(
            "1.0.0",
            "Set the value of a key, only if the key does not exist",
            "O(1)",
        )
        .deprecated("2.6.12", "`SET` with the `NX` argument"),
    row("setrange", 4, string::setrange)
        .flags(WRITE | DENYOOM)
        .keys(&[at(1, RW | UPDATE)])
        .docs(
            "2.2.0",
            "Overwrite part of a string at key starting at the specified offset",
            "O(1), not counting the time taken to copy the new string in place. Usually, this string \
                is very small so the amortized complexity is O(1). Otherwise, complexity \
                is O(M) with M being the length of the value argument.",
        ),
    row("strlen", 2, string::strlen)
        .flags(READONLY | FAST)
        .keys(&[at(1, RO)])
        .docs("2.2.0", "Get the length of the value stored in a key", "O(1)"),
    row("substr", 4, string::substr)
        .flags(READONLY)
        .keys(&[at(1, RO | ACCESS)])
        .docs(
            "1.0.0",
            "Get a substring of the string stored at a key",
            "O(N) where N is the length of the returned string. The complexity is ultimately \
                determined by the returned length, but because creating a substring from \
                an existing string is very cheap, it can be considered O(1) for small \
                strings.",
        )
        .deprecated("2.0.0", "`GETRANGE`"),
];
