//! Small commands about the server.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::exec::{Engine, Session};
use crate::resp::{Args, Reply};

/// Seconds and microseconds. The clock is read anew: the executor's own has milliseconds only.
pub fn time(_: &mut Engine, _: &mut Session, _: Args) -> Reply {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Reply::Array(vec![
        Reply::bulk(now.as_secs().to_string()),
        Reply::bulk(now.subsec_micros().to_string()),
    ])
}

/// ROLE: always a master, at offset 0, without replicas.
pub fn role(_: &mut Engine, _: &mut Session, _: Args) -> Reply {
    Reply::Array(vec![
        Reply::bulk("master"),
        Reply::Int(0),
        Reply::Array(Vec::new()),
    ])
}

/// MONITOR: from now on the client is shown every request. Nothing is answered if it is already.
pub fn monitor(engine: &mut Engine, session: &mut Session, _: Args) -> Reply {
    if session.is_in_exec {
        return Reply::err("ERR MONITOR isn't allowed for DENY BLOCKING client");
    }
    if session.client.monitors.get() {
        return Reply::Nothing;
    }
    engine.begin_monitoring(&session.client);
    Reply::Ok
}
