//! Rows of the commands on strings.

use super::*;
use crate::command::string;

/// A row of this group.
const fn row(name: &'static str, arity: i32, handler: Handler) -> Command {
    Command::data(name, arity, handler).acl(acl::STRING)
}

pub const ROWS: &[Command] = &[
    row("get", 2, string::get)
        .flags(READONLY | FAST)
        .keys(&[at(1, RO | ACCESS)])
        .docs("1.0.0", "Get the value of a key", "O(1)"),
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
];
