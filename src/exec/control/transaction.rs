//! MULTI, DISCARD and UNWATCH. (EXEC: `exec/transaction.rs`; WATCH: `command/transaction.rs`.)

use crate::exec::{Engine, Session};
use crate::resp::{Args, Reply};

/// MULTI: what follows is queued.
pub fn multi(_: &mut Engine, session: &mut Session, _: Args) -> Reply {
    match session.begin_queue() {
        true => Reply::Ok,
        false => Reply::err("ERR MULTI calls can not be nested"),
    }
}

/// DISCARD: forgets the queue.
pub fn discard(engine: &mut Engine, session: &mut Session, _: Args) -> Reply {
    if session.queue.is_none() {
        return Reply::err("ERR DISCARD without MULTI");
    }
    session.drop_queue(engine);
    Reply::Ok
}

/// UNWATCH: forgets the watched keys.
pub fn unwatch(engine: &mut Engine, session: &mut Session, _: Args) -> Reply {
    engine.store.unwatch(session.client.id);
    Reply::Ok
}
