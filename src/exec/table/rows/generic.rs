//! Rows of the commands on keys of any type.

use super::*;
use crate::command::{dump, generic, scan};
use crate::exec::control::wait;

/// A row of this group.
const fn row(name: &'static str, arity: i32, handler: Handler) -> Command {
    Command::data(name, arity, handler).acl(acl::KEYSPACE)
}

/// The group is filled in by [`super::COMMANDS`].
pub const ROWS: &[Command] = &[
    row("copy", -3, generic::copy)
        .flags(WRITE | DENYOOM)
        .keys(&[at(1, RO | ACCESS), at(2, OW | UPDATE)])
        .docs(
            "6.2.0",
            "Copy a key",
            "O(N) worst case for collections, where N is the number of nested items. O(1) for string \
                values.",
        ),
    row("del", -2, generic::del)
        .flags(WRITE)
        .keys(&[range(1, -1, 1, RM | DELETE)])
        .tips(&["request_policy:multi_shard", "response_policy:agg_sum"])
        .docs(
            "1.0.0",
            "Delete a key",
            "O(N) where N is the number of keys that will be removed. When a key to remove holds a \
                value other than a string, the individual complexity for this key is O(M) \
                where M is the number of elements in the list, set, sorted set or hash. \
                Removing a single key that holds a string value is O(1).",
        ),
    row("dump", 2, dump::dump)
        .flags(READONLY)
        .keys(&[at(1, RO | ACCESS)])
        .tips(&["nondeterministic_output"])
        .docs(
            "2.6.0",
            "Return a serialized version of the value stored at the specified key.",
            "O(1) to access the key and additional O(N*M) to serialize it, where N is the number of Redis \
                objects composing the value and M their average size. For small string values the time \
                complexity is thus O(1)+O(1*M) where M is small, so simply O(1).",
        ),
    row("exists", -2, generic::exists)
        .flags(READONLY | FAST)
        .keys(&[range(1, -1, 1, RO)])
        .tips(&["request_policy:multi_shard", "response_policy:agg_sum"])
        .docs(
            "1.0.0",
            "Determine if a key exists",
            "O(N) where N is the number of keys to check.",
        )
        .history(&[("3.0.3", "Accepts multiple `key` arguments.")]),
    row("expire", -3, generic::expire)
        .flags(WRITE | FAST)
        .keys(&[at(1, RW | UPDATE)])
        .docs("1.0.0", "Set a key's time to live in seconds", "O(1)")
        .history(&[("7.0.0", "Added options: `NX`, `XX`, `GT` and `LT`.")]),
    row("expireat", -3, generic::expireat)
        .flags(WRITE | FAST)
        .keys(&[at(1, RW | UPDATE)])
        .docs(
            "1.2.0",
            "Set the expiration for a key as a UNIX timestamp",
            "O(1)",
        )
        .history(&[("7.0.0", "Added options: `NX`, `XX`, `GT` and `LT`.")]),
    row("expiretime", 2, generic::expiretime)
        .flags(READONLY | FAST)
        .keys(&[at(1, RO | ACCESS)])
        .docs("7.0.0", "Get the expiration Unix timestamp for a key", "O(1)"),
    row("keys", 2, scan::keys)
        .flags(READONLY)
        .acl(acl::DANGEROUS)
        .tips(&["request_policy:all_shards", "nondeterministic_output_order"])
        .docs(
            "1.0.0",
            "Find all keys matching the given pattern",
            "O(N) with N being the number of keys in the database, under the assumption that the key \
                names in the database and the given pattern have limited length.",
        ),
    row("move", 3, generic::move_)
        .flags(WRITE | FAST)
        .keys(&[at(1, RW | ACCESS | UPDATE)])
        .docs("1.0.0", "Move a key to another database", "O(1)"),
    Command::container("object", OBJECT).docs(
        "2.2.3",
        "A container for object introspection commands",
        "Depends on subcommand.",
    ),
    row("persist", 2, generic::persist)
        .flags(WRITE | FAST)
        .keys(&[at(1, RW | UPDATE)])
        .docs("2.2.0", "Remove the expiration from a key", "O(1)"),
    row("pexpire", -3, generic::pexpire)
        .flags(WRITE | FAST)
        .keys(&[at(1, RW | UPDATE)])
        .docs("2.6.0", "Set a key's time to live in milliseconds", "O(1)")
        .history(&[("7.0.0", "Added options: `NX`, `XX`, `GT` and `LT`.")]),
    row("pexpireat", -3, generic::pexpireat)
        .flags(WRITE | FAST)
        .keys(&[at(1, RW | UPDATE)])
        .docs(
            "2.6.0",
            "Set the expiration for a key as a UNIX timestamp specified in milliseconds",
            "O(1)",
        )
        .history(&[("7.0.0", "Added options: `NX`, `XX`, `GT` and `LT`.")]),
    row("pexpiretime", 2, generic::pexpiretime)
        .flags(READONLY | FAST)
        .keys(&[at(1, RO | ACCESS)])
        .docs(
            "7.0.0",
            "Get the expiration Unix timestamp for a key in milliseconds",
            "O(1)",
        ),
    row("pttl", 2, generic::pttl)
        .flags(READONLY | FAST)
        .keys(&[at(1, RO | ACCESS)])
        .tips(&["nondeterministic_output"])
        .docs("2.6.0", "Get the time to live for a key in milliseconds", "O(1)")
        .history(&[("2.8.0", "Added the -2 reply.")]),
    row("randomkey", 1, scan::randomkey)
        .flags(READONLY)
        .tips(&[
            "request_policy:all_shards",
            "response_policy:special",
            "nondeterministic_output",
        ])
        .docs("1.0.0", "Return a random key from the keyspace", "O(1)"),
    row("rename", 3, generic::rename)
        .flags(WRITE)
        .keys(&[at(1, RW | ACCESS | DELETE), at(2, OW | UPDATE)])
        .docs("1.0.0", "Rename a key", "O(1)"),
    row("renamenx", 3, generic::renamenx)
        .flags(WRITE | FAST)
        .keys(&[at(1, RW | ACCESS | DELETE), at(2, OW | INSERT)])
        .docs(
            "1.0.0",
            "Rename a key, only if the new key does not exist",
            "O(1)",
        )
        .history(&[(
            "3.2.0",
            "The command no longer returns an error when source and destination names are the same.",
        )]),
    row("restore", -4, dump::restore)
        .flags(WRITE | DENYOOM)
        .acl(acl::KEYSPACE | acl::DANGEROUS)
        .keys(&[at(1, OW | UPDATE)])
        .docs(
            "2.6.0",
            "Create a key from a serialized value.",
            "O(1) to create the new key and additional O(N*M) to reconstruct the serialized value, where N \
                is the number of Redis objects composing the value and M their average size. For small \
                string values the time complexity is thus O(1)+O(1*M) where M is small, so simply O(1). \
                However for sorted set values the complexity is O(N*M*log(N)) because inserting values into \
                sorted sets is O(log(N)).",
        )
        .history(&[
            ("3.0.0", "Added the `REPLACE` modifier."),
            ("5.0.0", "Added the `ABSTTL` modifier."),
            ("5.0.0", "Added the `IDLETIME` and `FREQ` options."),
        ]),
    row("scan", -2, scan::scan)
        .flags(READONLY)
        .tips(&[
            "nondeterministic_output",
            "request_policy:special",
            "response_policy:special",
        ])
        .docs(
            "2.8.0",
            "Incrementally iterate the keys space",
            "O(1) for every call. O(N) for a complete iteration, including enough command calls for \
                the cursor to return back to 0. N is the number of elements inside the \
                collection.",
        )
        .history(&[("6.0.0", "Added the `TYPE` subcommand.")]),
    row("touch", -2, generic::touch)
        .flags(READONLY | FAST)
        .keys(&[range(1, -1, 1, RO)])
        .tips(&["request_policy:multi_shard", "response_policy:agg_sum"])
        .docs(
            "3.2.1",
            "Alters the last access time of a key(s). Returns the number of existing keys specified.",
            "O(N) where N is the number of keys that will be touched.",
        ),
    row("ttl", 2, generic::ttl)
        .flags(READONLY | FAST)
        .keys(&[at(1, RO | ACCESS)])
        .tips(&["nondeterministic_output"])
        .docs("1.0.0", "Get the time to live for a key in seconds", "O(1)")
        .history(&[("2.8.0", "Added the -2 reply.")]),
    row("type", 2, generic::type_)
        .flags(READONLY | FAST)
        .keys(&[at(1, RO)])
        .docs("1.0.0", "Determine the type stored at key", "O(1)"),
    row("unlink", -2, generic::unlink)
        .flags(WRITE | FAST)
        .keys(&[range(1, -1, 1, RM | DELETE)])
        .tips(&["request_policy:multi_shard", "response_policy:agg_sum"])
        .docs(
            "4.0.0",
            "Delete a key asynchronously in another thread. Otherwise it is just as DEL, but non \
                blocking.",
            "O(1) for each key removed regardless of its size. Then the command does O(N) work in a \
                different thread in order to reclaim memory, where N is the number of \
                allocations the deleted objects where composed of.",
        ),
    Command::control("wait", 3, wait::wait)
        .flags(BLOCKING)
        .acl(acl::CONNECTION)
        .tips(&["request_policy:all_shards", "response_policy:agg_min"])
        .docs(
            "3.0.0",
            "Wait for the synchronous replication of all the write commands sent in the context of \
                the current connection",
            "O(1)",
        ),
    Command::control("waitaof", 4, wait::waitaof)
        .flags(BLOCKING)
        .acl(acl::CONNECTION)
        .tips(&["request_policy:all_shards", "response_policy:agg_min"])
        .docs(
            "7.2.0",
            "Wait for all write commands sent in the context of the current connection to be on stable storage, here \
             or with replicas",
            "O(1)",
        ),
];

const OBJECT: &[Command] = &[
    row("encoding", 3, generic::object_encoding)
        .flags(READONLY)
        .keys(&[at(2, RO)])
        .tips(&["nondeterministic_output"])
        .docs("2.2.3", "Inspect the internal encoding of a Redis object", "O(1)"),
    row("freq", 3, generic::object_freq)
        .flags(READONLY)
        .keys(&[at(2, RO)])
        .tips(&["nondeterministic_output"])
        .docs(
            "4.0.0",
            "Get the logarithmic access frequency counter of a Redis object",
            "O(1)",
        ),
    row("help", 2, generic::object_help).flags(LOADING | STALE).docs(
        "6.2.0",
        "Show helpful text about the different subcommands",
        "O(1)",
    ),
    row("idletime", 3, generic::object_idletime)
        .flags(READONLY)
        .keys(&[at(2, RO)])
        .tips(&["nondeterministic_output"])
        .docs(
            "2.2.3",
            "Get the time since a Redis object was last accessed",
            "O(1)",
        ),
    row("refcount", 3, generic::object_refcount)
        .flags(READONLY)
        .keys(&[at(2, RO)])
        .tips(&["nondeterministic_output"])
        .docs(
            "2.2.3",
            "Get the number of references to the value of the key",
            "O(1)",
        ),
];
