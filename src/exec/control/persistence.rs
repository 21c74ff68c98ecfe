//! SAVE and its like. Everything that was acknowledged is on disk already, so these only say so, or sync the log.

use super::SYNTAX;
use crate::base::log;
use crate::command::is_option;
use crate::exec::{Engine, Session};
use crate::resp::{Args, Reply};
use crate::store::Epoch;

/// Replies when everything before it is on stable storage, whatever `appendfsync` says.
pub fn save(engine: &mut Engine, session: &mut Session, _: Args) -> Reply {
    session.reply_epoch = begin_save(engine);
    Reply::Ok
}

/// BGSAVE: begins to sync the log, and says so at once. An error for an option that is not SCHEDULE.
pub fn bgsave(engine: &mut Engine, _: &mut Session, args: Args) -> Reply {
    match (args.get(1), args.len()) {
        (None, _) => {}
        (Some(option), 2) if is_option(option, "schedule") => {}
        _ => return Reply::err(SYNTAX),
    }
    begin_save(engine);
    Reply::simple("Background saving started")
}

/// There is no append-only file to rewrite: the store compacts itself.
pub fn bgrewriteaof(_: &mut Engine, _: &mut Session, _: Args) -> Reply {
    Reply::simple("Background append only file rewriting started")
}

/// LASTSAVE: when a save was last asked for, or the server started, in Unix seconds.
pub fn lastsave(engine: &mut Engine, _: &mut Session, _: Args) -> Reply {
    Reply::Int(i64::try_from(engine.saves.at).unwrap_or(i64::MAX))
}

/// Returns the epoch that is settled when the log is synced.
fn begin_save(engine: &mut Engine) -> Epoch {
    engine.saves.at = engine.clock.now_ms() / 1000;
    engine.saves.changed = engine.store.changed();
    engine.saves.count += 1;
    engine.store.sync_all()
}

/// NOW is about replicas, of which there are none. What is acknowledged is kept with NOSAVE as well; SAVE refuses to end
/// while the disk takes no writes, unless FORCE is said too.
pub fn shutdown(engine: &mut Engine, session: &mut Session, args: Args) -> Reply {
    const OPTIONS: [&str; 5] = ["save", "nosave", "now", "force", "abort"];
    let known = |option: &[u8]| OPTIONS.iter().any(|known| is_option(option, known));
    let said = |name: &str| args.skip(1).iter().any(|option| is_option(option, name));
    let [save, nosave, now, force, abort] = OPTIONS.map(said);
    if !args.skip(1).iter().all(known) || (save && nosave) || (abort && (save || nosave || now || force)) {
        return Reply::err(SYNTAX);
    }
    if abort {
        // Asking to end and ending are one step here.
        return Reply::err("ERR No shutdown in progress.");
    }
    if let Some(text) = engine.scripts.busy()
        && !nosave
    {
        return Reply::err(text);
    }
    log::warning("User requested shutdown...");
    if save && !force && engine.store.broken().is_some() {
        log::warning("The disk takes no writes, can't exit.");
        return Reply::err("ERR Errors trying to SHUTDOWN. Check logs.");
    }
    engine.shutdown.ask();
    session.closing = true;
    Reply::Nothing
}
