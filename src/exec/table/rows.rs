//! The rows, a file for each group (`scripting`, `database` and `sort` are of a group that has another
//! file, or share theirs with another group).

mod bitmap;
mod connection;
mod database;
mod generic;
mod geo;
mod hash;
mod hyperloglog;
mod list;
mod pubsub;
mod scripting;
mod server;
mod set;
mod sort;
mod sorted_set;
mod stream;
mod string;
mod transactions;

use super::flags::{access::*, acl, flag::*};
use super::keys::{
    Begin, Find, KeySpec, at, behind, bitfield_access, numbered, range, set_access, sort_target, unknown,
};
use super::{Command, Control};
use crate::command::Handler;

/// The rows of each group.
const GROUPS: &[(&str, &[Command])] = &[
    ("bitmap", bitmap::ROWS),
    ("connection", connection::ROWS),
    ("generic", generic::ROWS),
    ("generic", sort::ROWS),
    ("geo", geo::ROWS),
    ("hash", hash::ROWS),
    ("hyperloglog", hyperloglog::ROWS),
    ("list", list::ROWS),
    ("pubsub", pubsub::ROWS),
    ("scripting", scripting::ROWS),
    ("server", server::ROWS),
    ("server", database::ROWS),
    ("stream", stream::ROWS),
    ("set", set::ROWS),
    ("sorted-set", sorted_set::ROWS),
    ("string", string::ROWS),
    ("transactions", transactions::ROWS),
];

const COUNT: usize = {
    let (mut count, mut group) = (0, 0);
    while group < GROUPS.len() {
        count += GROUPS[group].1.len();
        group += 1;
    }
    count
};

/// Every command.
pub static COMMANDS: [Command; COUNT] = {
    let mut all = [GROUPS[0].1[0]; COUNT];
    let (mut next, mut group) = (0, 0);
    while group < GROUPS.len() {
        let (name, rows) = GROUPS[group];
        let mut row = 0;
        while row < rows.len() {
            all[next] = rows[row];
            all[next].docs.group = name;
            next += 1;
            row += 1;
        }
        group += 1;
    }
    all
};
