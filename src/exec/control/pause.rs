//! CLIENT PAUSE and UNPAUSE.

use super::client::too_many;
use crate::base::num::parse_i64;
use crate::command::is_option;
use crate::exec::{Engine, Paused, Session};
use crate::resp::{Args, Reply};

/// CLIENT PAUSE: sets aside all requests, or those that may write, for some milliseconds from now. A pause under way
/// only becomes longer and stricter. An error if the time makes no sense.
pub fn pause(engine: &mut Engine, _: &mut Session, args: Args) -> Reply {
    let paused = match args.get(3) {
        _ if args.len() > 4 => return too_many(args),
        None => Paused::All,
        Some(mode) if is_option(mode, "all") => Paused::All,
        Some(mode) if is_option(mode, "write") => Paused::Writes,
        Some(_) => return Reply::err("ERR CLIENT PAUSE mode must be WRITE or ALL"),
    };
    let Some(timeout) = parse_i64(&args[2]) else {
        return Reply::err("ERR timeout is not an integer or out of range");
    };
    let Ok(timeout) = u64::try_from(timeout) else {
        return Reply::err("ERR timeout is negative");
    };
    let until = engine.clock.now_ms().saturating_add(timeout);
    if i64::try_from(until).is_err() {
        return Reply::err("ERR timeout is out of range");
    }
    engine.pause(paused, until);
    Reply::Ok
}

/// CLIENT UNPAUSE: requests that were set aside run now.
pub fn unpause(engine: &mut Engine, _: &mut Session, _: Args) -> Reply {
    engine.end_pause();
    Reply::Ok
}
