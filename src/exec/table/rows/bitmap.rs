//! Rows of the commands on bitmaps.

use super::*;
use crate::command::bitmap;

/// A row of this group.
const fn row(name: &'static str, arity: i32, handler: Handler) -> Command {
    Command::data(name, arity, handler).acl(acl::BITMAP)
}

/// The group is filled in by [`super::COMMANDS`].
pub const ROWS: &[Command] = &[
    row("bitcount", -2, bitmap::bitcount)
        .flags(READONLY)
        .keys(&[at(1, RO | ACCESS)])
        .docs("2.6.0", "Count set bits in a string", "O(N)")
        .history(&[("7.0.0", "Added the `BYTE|BIT` option.")]),
    row("bitfield", -2, bitmap::bitfield)
        .flags(WRITE | DENYOOM)
        .keys(&[at(1, RW | ACCESS | UPDATE | VARIABLE_FLAGS)
            .varying(bitfield_access)
            .noted("This command allows both access and modification of the key")])
        .docs(
            "3.2.0",
            "Perform arbitrary bitfield integer operations on strings",
            "O(1) for each subcommand specified",
        ),
    row("bitfield_ro", -2, bitmap::bitfield_ro)
        .flags(READONLY | FAST)
        .keys(&[at(1, RO | ACCESS)])
        .docs(
            "6.0.0",
            "Perform arbitrary bitfield integer operations on strings. Read-only variant of BITFIELD",
            "O(1) for each subcommand specified",
        ),
    row("bitop", -4, bitmap::bitop)
        .flags(WRITE | DENYOOM)
        .keys(&[at(2, OW | UPDATE), range(3, -1, 1, RO | ACCESS)])
        .docs("2.6.0", "Perform bitwise operations between strings", "O(N)"),
    row("bitpos", -3, bitmap::bitpos)
        .flags(READONLY)
        .keys(&[at(1, RO | ACCESS)])
        .docs("2.8.7", "Find first bit set or clear in a string", "O(N)")
        .history(&[("7.0.0", "Added the `BYTE|BIT` option.")]),
    row("getbit", 3, bitmap::getbit)
        .flags(READONLY | FAST)
        .keys(&[at(1, RO | ACCESS)])
        .docs(
            "2.2.0",
            "Returns the bit value at offset in the string value stored at key",
            "O(1)",
        ),
    row("setbit", 4, bitmap::setbit)
        .flags(WRITE | DENYOOM)
        .keys(&[at(1, RW | ACCESS | UPDATE)])
        .docs(
            "2.2.0",
            "Sets or clears the bit at offset in the string value stored at key",
            "O(1)",
        ),
];
