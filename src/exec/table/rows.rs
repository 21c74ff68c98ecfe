//! The rows (provisional).

use super::{Begin, Command, Find, KeySpec, Run, acl, flag};
use crate::command::{bitmap, string};
use crate::exec::control::connection;

macro_rules! row {
    ($name:literal, $arity:expr, $flags:expr, $first:expr, $last:expr, $step:expr, $run:expr) => {
        Command {
            name: $name,
            arity: $arity,
            flags: $flags,
            categories: acl::STRING,
            keys: &[KeySpec {
                flags: &["RW", "ACCESS", "UPDATE"],
                begin: Begin::Index($first),
                find: Find::Range {
                    last: $last,
                    step: $step,
                    limit: 0,
                },
            }],
            group: "string",
            since: "1.0.0",
            summary: "",
            complexity: "O(1)",
            tips: &[],
            run: $run,
        }
    };
}

pub static COMMANDS: &[Command] = &[
    row!("get", 2, flag::READONLY, 1, 0, 1, Run::Data(string::get)),
    row!("set", -3, flag::WRITE, 1, 0, 1, Run::Data(string::set)),
    row!("append", 3, flag::WRITE, 1, 0, 1, Run::Data(string::append)),
    row!("decr", 2, flag::WRITE, 1, 0, 1, Run::Data(string::decr)),
    row!("decrby", 3, flag::WRITE, 1, 0, 1, Run::Data(string::decrby)),
    row!("getdel", 2, flag::WRITE, 1, 0, 1, Run::Data(string::getdel)),
    row!("getex", -2, flag::WRITE, 1, 0, 1, Run::Data(string::getex)),
    row!("getrange", 4, flag::READONLY, 1, 0, 1, Run::Data(string::getrange)),
    row!("getset", 3, flag::WRITE, 1, 0, 1, Run::Data(string::getset)),
    row!("incr", 2, flag::WRITE, 1, 0, 1, Run::Data(string::incr)),
    row!("incrby", 3, flag::WRITE, 1, 0, 1, Run::Data(string::incrby)),
    row!("incrbyfloat", 3, flag::WRITE, 1, 0, 1, Run::Data(string::incrbyfloat)),
    row!("lcs", -3, flag::READONLY, 1, 1, 1, Run::Data(string::lcs)),
    row!("mget", -2, flag::READONLY, 1, -1, 1, Run::Data(string::mget)),
    row!("mset", -3, flag::WRITE, 1, -1, 2, Run::Data(string::mset)),
    row!("msetnx", -3, flag::WRITE, 1, -1, 2, Run::Data(string::msetnx)),
    row!("psetex", 4, flag::WRITE, 1, 0, 1, Run::Data(string::psetex)),
    row!("setex", 4, flag::WRITE, 1, 0, 1, Run::Data(string::setex)),
    row!("setnx", 3, flag::WRITE, 1, 0, 1, Run::Data(string::setnx)),
    row!("setrange", 4, flag::WRITE, 1, 0, 1, Run::Data(string::setrange)),
    row!("strlen", 2, flag::READONLY, 1, 0, 1, Run::Data(string::strlen)),
    row!("substr", 4, flag::READONLY, 1, 0, 1, Run::Data(string::substr)),
    row!("bitcount", -2, flag::READONLY, 1, 0, 1, Run::Data(bitmap::bitcount)),
    row!("bitfield", -2, flag::WRITE, 1, 0, 1, Run::Data(bitmap::bitfield)),
    row!("bitfield_ro", -2, flag::READONLY, 1, 0, 1, Run::Data(bitmap::bitfield_ro)),
    row!("bitop", -4, flag::WRITE, 2, -1, 1, Run::Data(bitmap::bitop)),
    row!("bitpos", -3, flag::READONLY, 1, 0, 1, Run::Data(bitmap::bitpos)),
    row!("getbit", 3, flag::READONLY, 1, 0, 1, Run::Data(bitmap::getbit)),
    row!("setbit", 4, flag::WRITE, 1, 0, 1, Run::Data(bitmap::setbit)),
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
