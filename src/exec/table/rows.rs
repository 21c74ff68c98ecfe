//! The rows.

use super::{Begin, Command, Find, KeySpec, Run, acl, flag};
use crate::command::string;
use crate::exec::control::connection;

const ONE: Find = Find::Range {
    last: 0,
    step: 1,
    limit: 0,
};

pub static COMMANDS: &[Command] = &[
    Command {
        name: "get",
        arity: 2,
        flags: flag::READONLY | flag::FAST,
        categories: acl::STRING,
        keys: &[KeySpec {
            flags: &["RO", "ACCESS"],
            begin: Begin::Index(1),
            find: ONE,
        }],
        group: "string",
        since: "1.0.0",
        summary: "Get the value of a key",
        complexity: "O(1)",
        tips: &[],
        run: Run::Data(string::get),
    },
    Command {
        name: "set",
        arity: -3,
        flags: flag::WRITE | flag::DENYOOM,
        categories: acl::STRING,
        keys: &[KeySpec {
            flags: &["RW", "ACCESS", "UPDATE"],
            begin: Begin::Index(1),
            find: ONE,
        }],
        group: "string",
        since: "1.0.0",
        summary: "Set the string value of a key",
        complexity: "O(1)",
        tips: &[],
        run: Run::Data(string::set),
    },
    Command {
        name: "ping",
        arity: -1,
        flags: flag::FAST,
        categories: acl::CONNECTION,
        keys: &[],
        group: "connection",
        since: "1.0.0",
        summary: "Ping the server",
        complexity: "O(1)",
        tips: &[],
        run: Run::Control(connection::ping),
    },
];
