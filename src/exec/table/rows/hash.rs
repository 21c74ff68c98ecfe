//! Rows of the commands on hashes.

use super::*;
use crate::command::hash;
use crate::exec::table::KeySpec;

/// A row of this group.
const fn row(name: &'static str, arity: i32, handler: Handler) -> Command {
    Command::data(name, arity, handler).acl(acl::HASH)
}

/// A row whose command shows deadlines of fields.
const fn shows_deadlines(name: &'static str, handler: Handler, summary: &'static str) -> Command {
    row(name, -5, handler)
        .flags(READONLY | FAST)
        .keys(SHOWN)
        .docs("7.4.0", summary, PER_FIELD)
}

/// A row whose command sets deadlines of fields.
const fn sets_deadlines(name: &'static str, handler: Handler, summary: &'static str) -> Command {
    row(name, -6, handler)
        .flags(WRITE | DENYOOM | FAST)
        .keys(CHANGED)
        .docs("7.4.0", summary, PER_FIELD)
}

const SHOWN: &[KeySpec] = &[at(1, RO | ACCESS)];
const CHANGED: &[KeySpec] = &[at(1, RW | UPDATE)];
const PER_FIELD: &str = "O(N) where N is the number of specified fields";
const WHOLE: &str = "O(N) where N is the size of the hash.";

/// The group is filled in by [`super::COMMANDS`].
pub const ROWS: &[Command] = &[
    row("hdel", -3, hash::hdel)
        .flags(WRITE | FAST)
        .keys(&[at(1, RW | DELETE)])
        .docs(
            "2.0.0",
            "Deletes one or more fields and their values from a hash. Deletes the hash if no fields remain.",
            "O(N) where N is the number of fields to be removed.",
        )
        .history(&[("2.4.0", "Accepts multiple `field` arguments.")]),
    row("hexists", 3, hash::hexists)
        .flags(READONLY | FAST)
        .keys(&[at(1, RO)])
        .docs("2.0.0", "Determines whether a field exists in a hash.", "O(1)"),
    sets_deadlines(
        "hexpire",
        hash::hexpire,
        "Sets the time to live of fields in a hash, in seconds.",
    ),
    sets_deadlines(
        "hexpireat",
        hash::hexpireat,
        "Sets the deadline of fields in a hash, as a Unix time in seconds.",
    ),
    shows_deadlines(
        "hexpiretime",
        hash::hexpiretime,
        "Returns the deadlines of fields in a hash, as Unix times in seconds.",
    ),
    row("hget", 3, hash::hget)
        .flags(READONLY | FAST)
        .keys(&[at(1, RO | ACCESS)])
        .docs("2.0.0", "Returns the value of a field in a hash.", "O(1)"),
    row("hgetall", 2, hash::hgetall)
        .flags(READONLY)
        .keys(&[at(1, RO | ACCESS)])
        .tips(&["nondeterministic_output_order"])
        .docs("2.0.0", "Returns all fields and values in a hash.", WHOLE),
    row("hgetdel", -5, hash::hgetdel)
        .flags(WRITE | FAST)
        .keys(&[at(1, RW | ACCESS | DELETE)])
        .docs(
            "8.0.0",
            "Returns the values of fields in a hash and deletes them.",
            PER_FIELD,
        ),
    row("hgetex", -5, hash::hgetex)
        .flags(WRITE | FAST)
        .keys(&[at(1, RW | ACCESS | UPDATE).noted("RW and UPDATE because it changes the TTL")])
        .docs(
            "8.0.0",
            "Returns the values of fields in a hash and optionally sets their deadline.",
            PER_FIELD,
        ),
    row("hincrby", 4, hash::hincrby)
        .flags(WRITE | DENYOOM | FAST)
        .keys(&[at(1, RW | ACCESS | UPDATE)])
        .docs(
            "2.0.0",
            "Increments the integer value of a field in a hash by a number. Uses 0 as initial value if the field \
             doesn't exist.",
            "O(1)",
        ),
    row("hincrbyfloat", 4, hash::hincrbyfloat)
        .flags(WRITE | DENYOOM | FAST)
        .keys(&[at(1, RW | ACCESS | UPDATE)])
        .docs(
            "2.6.0",
            "Increments the floating point value of a field by a number. Uses 0 as initial value if the field doesn't \
             exist.",
            "O(1)",
        ),
    row("hkeys", 2, hash::hkeys)
        .flags(READONLY)
        .keys(&[at(1, RO | ACCESS)])
        .tips(&["nondeterministic_output_order"])
        .docs("2.0.0", "Returns all fields in a hash.", WHOLE),
    row("hlen", 2, hash::hlen)
        .flags(READONLY | FAST)
        .keys(&[at(1, RO)])
        .docs("2.0.0", "Returns the number of fields in a hash.", "O(1)"),
    row("hmget", -3, hash::hmget)
        .flags(READONLY | FAST)
        .keys(&[at(1, RO | ACCESS)])
        .docs(
            "2.0.0",
            "Returns the values of given fields in a hash.",
            "O(N) where N is the number of fields being requested.",
        ),
    row("hmset", -4, hash::hmset)
        .flags(WRITE | DENYOOM | FAST)
        .keys(&[at(1, RW | UPDATE)])
        .docs(
            "2.0.0",
            "Sets the values of multiple fields.",
            "O(N) where N is the number of fields being set.",
        )
        .deprecated("4.0.0", "`HSET` with multiple field-value pairs"),
    row("hpersist", -5, hash::hpersist)
        .flags(WRITE | FAST)
        .keys(&[at(1, RW | UPDATE)])
        .docs(
            "7.4.0",
            "Removes the deadlines of fields in a hash.",
            PER_FIELD,
        ),
    sets_deadlines(
        "hpexpire",
        hash::hpexpire,
        "Sets the time to live of fields in a hash, in milliseconds.",
    ),
    sets_deadlines(
        "hpexpireat",
        hash::hpexpireat,
        "Sets the deadline of fields in a hash, as a Unix time in milliseconds.",
    ),
    shows_deadlines(
        "hpexpiretime",
        hash::hpexpiretime,
        "Returns the deadlines of fields in a hash, as Unix times in milliseconds.",
    ),
    shows_deadlines(
        "hpttl",
        hash::hpttl,
        "Returns the time to live of fields in a hash, in milliseconds.",
    )
    .tips(&["nondeterministic_output"]),
    row("hrandfield", -2, hash::hrandfield)
        .flags(READONLY)
        .keys(&[at(1, RO | ACCESS)])
        .tips(&["nondeterministic_output"])
        .docs(
            "6.2.0",
            "Returns one or more random fields from a hash.",
            "O(N) where N is the number of fields returned",
        ),
    row("hscan", -3, hash::hscan)
        .flags(READONLY)
        .keys(&[at(1, RO | ACCESS)])
        .tips(&["nondeterministic_output"])
        .docs(
            "2.8.0",
            "Iterates over fields and values of a hash.",
            "O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to \
             return back to 0. N is the number of elements inside the collection.",
        )
        .history(&[("7.4.0", "Added the `NOVALUES` option.")]),
    row("hset", -4, hash::hset)
        .flags(WRITE | DENYOOM | FAST)
        .keys(&[at(1, RW | UPDATE)])
        .docs(
            "2.0.0",
            "Creates or modifies the value of a field in a hash.",
            "O(1) for each field/value pair added, so O(N) to add N field/value pairs when the command is called with \
             multiple field/value pairs.",
        )
        .history(&[("4.0.0", "Accepts multiple `field` and `value` arguments.")]),
    row("hsetex", -6, hash::hsetex)
        .flags(WRITE | DENYOOM | FAST)
        .keys(&[at(1, RW | UPDATE)])
        .docs(
            "8.0.0",
            "Sets the values of fields in a hash, and optionally their deadline.",
            "O(N) where N is the number of fields being set.",
        ),
    row("hsetnx", 4, hash::hsetnx)
        .flags(WRITE | DENYOOM | FAST)
        .keys(&[at(1, RW | INSERT)])
        .docs(
            "2.0.0",
            "Sets the value of a field in a hash only when the field doesn't exist.",
            "O(1)",
        ),
    row("hstrlen", 3, hash::hstrlen)
        .flags(READONLY | FAST)
        .keys(&[at(1, RO)])
        .docs("3.2.0", "Returns the length of the value of a field.", "O(1)"),
    shows_deadlines(
        "httl",
        hash::httl,
        "Returns the time to live of fields in a hash, in seconds.",
    )
    .tips(&["nondeterministic_output"]),
    row("hvals", 2, hash::hvals)
        .flags(READONLY)
        .keys(&[at(1, RO | ACCESS)])
        .tips(&["nondeterministic_output_order"])
        .docs("2.0.0", "Returns all values in a hash.", WHOLE),
];
