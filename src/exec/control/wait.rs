//! WAIT and WAITAOF: until others have what was written before, or stable storage has. There are no replicas.

use super::NOT_AN_INTEGER;
use crate::base::num::parse_i64;
use crate::command::milliseconds;
use crate::exec::session::Wish;
use crate::exec::waiters::{Until, acknowledged};
use crate::exec::{Engine, Session};
use crate::resp::{Args, Reply};
use crate::store::{Epoch, Stop};

/// The error for a number that is neither 0 nor 1.
const NOT_A_BIT: &str = "ERR value is out of range, value must between 0 and 1";
const NOT_POSITIVE: &str = "ERR value is out of range, must be positive";

/// `WAIT replicas timeout`. Replies with the number of replicas that have what was written before: none, at the end of the
/// timeout, or at once if none was asked for.
pub fn wait(engine: &mut Engine, session: &mut Session, args: Args) -> Reply {
    let Some(replicas) = parse_i64(&args[1]) else {
        return Reply::err(NOT_AN_INTEGER);
    };
    let timeout = match timeout(engine, &args[2]) {
        Ok(timeout) => timeout,
        Err(error) => return error,
    };
    if replicas > 0 {
        session.wish = Some(Wish {
            until: Until::Replicas,
            timeout,
            epoch: Epoch::NONE,
        });
    }
    Reply::Int(0)
}

/// `WAITAOF local replicas timeout`. Replies with an array: 1 if what was written before is on stable storage here, else 0;
/// and the number of replicas on which it is: none. Waits for as many as were asked for, up to the timeout.
pub fn waitaof(engine: &mut Engine, session: &mut Session, args: Args) -> Reply {
    let local = match parse_i64(&args[1]) {
        None => return Reply::err(NOT_AN_INTEGER),
        Some(local @ 0..=1) => local == 1,
        Some(_) => return Reply::err(NOT_A_BIT),
    };
    let replicas = match parse_i64(&args[2]) {
        None | Some(..0) => return Reply::err(NOT_POSITIVE),
        Some(replicas) => replicas > 0,
    };
    let timeout = match timeout(engine, &args[3]) {
        Ok(timeout) => timeout,
        Err(error) => return error,
    };
    let epoch = engine.store.last_staged();
    let is_synced = engine.is_synced(epoch);
    if replicas || local && !is_synced {
        session.wish = Some(Wish {
            until: Until::Synced { local, replicas },
            timeout,
            epoch,
        });
    }
    acknowledged(is_synced)
}

/// Milliseconds; `None` is for ever.
fn timeout(engine: &Engine, text: &[u8]) -> Result<Option<u64>, Reply> {
    match milliseconds(text, engine.clock.now_ms()) {
        Ok(ms) => Ok((ms > 0).then_some(ms)),
        Err(Stop::Error(text)) => Err(Reply::Error(text)),
        Err(stop) => unreachable!("a timeout is no record: {stop:?}"),
    }
}
