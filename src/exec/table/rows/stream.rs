//! Rows of the commands on streams.

use super::*;
use crate::command::stream::{self, claim, group, info, read};

/// A row of this group.
const fn row(name: &'static str, arity: i32, handler: Handler) -> Command {
    Command::data(name, arity, handler).acl(acl::STREAM)
}

/// The group is filled in by [`super::COMMANDS`].
pub const ROWS: &[Command] = &[
    row("xack", -4, group::xack)
        .flags(WRITE | FAST)
        .keys(&[at(1, RW | UPDATE)])
        .docs(
            "5.0.0",
            "Returns the number of messages that were successfully acknowledged by the consumer group member of a \
             stream.",
            "O(log N) for each message ID processed, N being the number of messages pending in the group.",
        ),
    row("xadd", -5, stream::xadd)
        .flags(WRITE | DENYOOM | FAST)
        .keys(&[at(1, RW | UPDATE).noted("UPDATE instead of INSERT because of the optional trimming feature")])
        .tips(&["nondeterministic_output"])
        .docs(
            "5.0.0",
            "Appends a new message to a stream. Creates the key if it doesn't exist.",
            "O(1) when adding a new entry, O(N) when trimming where N being the number of entries evicted.",
        )
        .history(&[
            (
                "6.2.0",
                "Added the `NOMKSTREAM` option, `MINID` trimming strategy and the `LIMIT` option.",
            ),
            ("7.0.0", "Added support for the `<ms>-*` explicit ID form."),
        ]),
    row("xautoclaim", -6, claim::xautoclaim)
        .flags(WRITE | FAST)
        .keys(&[at(1, RW | DELETE)])
        .tips(&["nondeterministic_output"])
        .docs(
            "6.2.0",
            "Changes, or acquires, ownership of messages in a consumer group, as if the messages were delivered to as \
             consumer group member.",
            "O(1) if COUNT is small.",
        )
        .history(&[(
            "7.0.0",
            "Added an element to the reply array, containing deleted entries the command cleared from the PEL",
        )]),
    row("xclaim", -6, claim::xclaim)
        .flags(WRITE | FAST)
        .keys(&[at(1, RW | UPDATE)])
        .tips(&["nondeterministic_output"])
        .docs(
            "5.0.0",
            "Changes, or acquires, ownership of a message in a consumer group, as if the message was delivered a \
             consumer group member.",
            "O(log N) with N being the number of messages in the PEL of the consumer group.",
        ),
    row("xdel", -3, stream::xdel)
        .flags(WRITE | FAST)
        .keys(&[at(1, RW | DELETE)])
        .docs(
            "5.0.0",
            "Returns the number of messages after removing them from a stream.",
            "O(log N) for each single item to delete, N being the length of the stream.",
        ),
    Command::container("xgroup", XGROUP).docs(
        "5.0.0",
        "A container for consumer groups commands.",
        "Depends on subcommand.",
    ),
    Command::container("xinfo", XINFO).docs(
        "5.0.0",
        "A container for stream introspection commands.",
        "Depends on subcommand.",
    ),
    row("xlen", 2, stream::xlen)
        .flags(READONLY | FAST)
        .keys(&[at(1, RO)])
        .docs("5.0.0", "Return the number of messages in a stream.", "O(1)"),
    row("xpending", -3, group::xpending)
        .flags(READONLY)
        .keys(&[at(1, RO | ACCESS)])
        .tips(&["nondeterministic_output"])
        .docs(
            "5.0.0",
            "Returns the information and entries from a stream consumer group's pending entries list.",
            "O(log M + N) with M being the number of pending entries and N the number of elements returned. O(M) at \
             worst when used with the IDLE filter. When the command returns just the summary, O(N) with N the number \
             of consumers.",
        )
        .history(&[("6.2.0", "Added the `IDLE` option and exclusive range intervals.")]),
    row("xrange", -4, read::xrange)
        .flags(READONLY)
        .keys(&[at(1, RO | ACCESS)])
        .docs(
            "5.0.0",
            "Returns the messages from a stream within a range of IDs.",
            "O(log M + N) with M being the length of the stream and N the number of elements being returned.",
        )
        .history(&[("6.2.0", "Added exclusive ranges.")]),
    row("xread", -4, read::xread)
        .flags(BLOCKING | READONLY | MOVABLEKEYS)
        .keys(&[streams(1)])
        .docs(
            "5.0.0",
            "Returns messages from multiple streams with IDs greater than the ones requested. Blocks until a message \
             is available otherwise.",
            "For each stream mentioned: O(log M + N) with M being its length and N the number of elements returned.",
        )
        .history(&[("7.4.0", "Added the special ID `+` for the last entry.")]),
    row("xreadgroup", -7, read::xreadgroup)
        .flags(BLOCKING | WRITE | MOVABLEKEYS)
        .keys(&[streams(4)])
        .docs(
            "5.0.0",
            "Returns new or historical messages from a stream for a consumer in a group. Blocks until a message is \
             available otherwise.",
            "For each stream mentioned: O(N log M) with N being the number of elements returned and M the number of \
             entries pending in the group.",
        ),
    row("xrevrange", -4, read::xrevrange)
        .flags(READONLY)
        .keys(&[at(1, RO | ACCESS)])
        .docs(
            "5.0.0",
            "Returns the messages from a stream within a range of IDs in reverse order.",
            "O(log M + N) with M being the length of the stream and N the number of elements returned.",
        )
        .history(&[("6.2.0", "Added exclusive ranges.")]),
    row("xsetid", -3, stream::xsetid)
        .flags(WRITE | DENYOOM | FAST)
        .keys(&[at(1, RW | UPDATE)])
        .docs("5.0.0", "An internal command for replicating stream values.", "O(1)")
        .history(&[(
            "7.0.0",
            "Added the `entries_added` and `max_deleted_entry_id` arguments.",
        )]),
    row("xtrim", -4, stream::xtrim)
        .flags(WRITE)
        .keys(&[at(1, RW | DELETE)])
        .tips(&["nondeterministic_output"])
        .docs(
            "5.0.0",
            "Deletes messages from the beginning of a stream.",
            "O(N), with N being the number of evicted entries. Constant times are very small however, since entries \
             are organized in chunks containing multiple entries that are dropped unread.",
        )
        .history(&[(
            "6.2.0",
            "Added the `MINID` trimming strategy and the `LIMIT` option.",
        )]),
];

const XGROUP: &[Command] = &[
    row("create", -5, group::create)
        .flags(WRITE | DENYOOM)
        .keys(&[at(2, RW | INSERT)])
        .docs(
            "5.0.0",
            "Creates a consumer group.",
            "O(log N) with N being the number of groups",
        )
        .history(&[("7.0.0", "Added the `entries_read` named argument.")]),
    row("createconsumer", 5, group::create_consumer)
        .flags(WRITE | DENYOOM)
        .keys(&[at(2, RW | INSERT)])
        .docs("6.2.0", "Creates a consumer in a consumer group.", "O(log N)"),
    row("delconsumer", 5, group::delete_consumer)
        .flags(WRITE)
        .keys(&[at(2, RW | DELETE)])
        .docs(
            "5.0.0",
            "Deletes a consumer from a consumer group.",
            "O(N log M) with N being the number of entries pending with the consumer and M with the group.",
        ),
    row("destroy", 4, group::destroy)
        .flags(WRITE)
        .keys(&[at(2, RW | DELETE)])
        .docs(
            "5.0.0",
            "Destroys a consumer group.",
            "O(N) where N is the number of entries in the group's pending entries list (PEL).",
        ),
    row("help", 2, group::help).flags(LOADING | STALE).docs(
        "5.0.0",
        "Returns helpful text about the different subcommands.",
        "O(1)",
    ),
    row("setid", -5, group::set_id)
        .flags(WRITE)
        .keys(&[at(2, RW | UPDATE)])
        .docs("5.0.0", "Sets the last-delivered ID of a consumer group.", "O(1)")
        .history(&[("7.0.0", "Added the optional `entries_read` argument.")]),
];

const XINFO: &[Command] = &[
    row("consumers", 4, info::consumers)
        .flags(READONLY)
        .keys(&[at(2, RO | ACCESS)])
        .tips(&["nondeterministic_output"])
        .docs(
            "5.0.0",
            "Returns a list of the consumers in a consumer group.",
            "O(N) with N being the number of consumers",
        )
        .history(&[("7.2.0", "Added the `inactive` field.")]),
    row("groups", 3, info::groups)
        .flags(READONLY)
        .keys(&[at(2, RO | ACCESS)])
        .docs(
            "5.0.0",
            "Returns a list of the consumer groups of a stream.",
            "O(N) with N being the number of groups",
        )
        .history(&[("7.0.0", "Added the `entries-read` and `lag` fields")]),
    row("help", 2, info::help).flags(LOADING | STALE).docs(
        "5.0.0",
        "Returns helpful text about the different subcommands.",
        "O(1)",
    ),
    row("stream", -3, info::stream)
        .flags(READONLY)
        .keys(&[at(2, RO | ACCESS)])
        .docs("5.0.0", "Returns information about a stream.", "O(1)")
        .history(&[
            ("6.0.0", "Added the `FULL` modifier."),
            (
                "7.0.0",
                "Added the `max-deleted-entry-id`, `entries-added`, `recorded-first-entry-id`, `entries-read` and `lag` \
                 fields",
            ),
            (
                "7.2.0",
                "Added the `active-time` field, and changed the meaning of `seen-time`.",
            ),
        ]),
];

/// The first half of what follows the word.
const fn streams(from: i32) -> KeySpec {
    KeySpec {
        access: RO | ACCESS,
        vary: None,
        notes: "",
        begin: Begin::Keyword {
            word: "STREAMS",
            from,
        },
        find: Find::Range {
            last: -1,
            step: 1,
            limit: 2,
        },
    }
}
