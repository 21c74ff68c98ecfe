//! MULTI and DISCARD. (EXEC: `exec/transaction.rs`.)

use crate::exec::{Engine, Session};
use crate::resp::{Args, Reply};

pub fn multi(_: &mut Engine, session: &mut Session, _: Args) -> Reply {
    match session.begin_queue() {
        true => Reply::Ok,
        false => Reply::err("ERR MULTI calls can not be nested"),
    }
}

pub fn discard(_: &mut Engine, session: &mut Session, _: Args) -> Reply {
    match session.drop_queue() {
        true => Reply::Ok,
        false => Reply::err("ERR DISCARD without MULTI"),
    }
}
