//! SAVE and its like: dumps that Redis loads (`exec/saving.rs`). Everything that was acknowledged is on disk already, without.

use super::SYNTAX;
use crate::base::log;
use crate::command::is_option;
use crate::exec::saving::IN_PROGRESS;
use crate::exec::session::Wish;
use crate::exec::waiters::Until;
use crate::exec::{Engine, Session};
use crate::resp::{Args, Reply};
use crate::store::Epoch;

/// Until the save that runs is through.
const SAVED: Wish = Wish {
    until: Until::Saved,
    timeout: None,
    epoch: Epoch::NONE,
};

/// SAVE: replies when the dump has its name, and everything before it is on stable storage, whatever `appendfsync` says. Others
/// go on meanwhile.
pub fn save(engine: &mut Engine, session: &mut Session, _: Args) -> Reply {
    if engine.saving.is_running() {
        return Reply::err(IN_PROGRESS);
    }
    session.wish = Some(SAVED);
    engine.begin_save();
    Reply::Ok
}

/// BGSAVE: begins a save, and says so at once. With SCHEDULE, one that runs is waited for first.
pub fn bgsave(engine: &mut Engine, _: &mut Session, args: Args) -> Reply {
    let schedule = match (args.get(1), args.len()) {
        (None, _) => false,
        (Some(option), 2) if is_option(option, "schedule") => true,
        _ => return Reply::err(SYNTAX),
    };
    if engine.begin_save() {
        return Reply::simple("Background saving started");
    }
    if !schedule {
        return Reply::err(IN_PROGRESS);
    }
    engine.schedule_save();
    Reply::simple("Background saving scheduled")
}

/// There is no append-only file to rewrite: the store compacts itself.
pub fn bgrewriteaof(_: &mut Engine, _: &mut Session, _: Args) -> Reply {
    Reply::simple("Background append only file rewriting started")
}

/// LASTSAVE: when the last dump was through, or the server started, in Unix seconds.
pub fn lastsave(engine: &mut Engine, _: &mut Session, _: Args) -> Reply {
    Reply::Int(i64::try_from(engine.saves.at).unwrap_or(i64::MAX))
}

/// NOW is about replicas, of which there are none. What is acknowledged is kept with NOSAVE as well; with SAVE, or where `save`
/// has points, a dump is written first, and the server does not end if it cannot be, unless FORCE is said too.
pub fn shutdown(engine: &mut Engine, session: &mut Session, args: Args) -> Reply {
    const OPTIONS: [&str; 5] = ["save", "nosave", "now", "force", "abort"];
    let known = |option: &[u8]| OPTIONS.iter().any(|known| is_option(option, known));
    let said = |name: &str| args.skip(1).iter().any(|option| is_option(option, name));
    let [save, nosave, now, force, abort] = OPTIONS.map(said);
    if !args.skip(1).iter().all(known) || (save && nosave) || (abort && (save || nosave || now || force)) {
        return Reply::err(SYNTAX);
    }
    if abort {
        // Asking to end and ending are one step here, but for a save between them.
        return match engine.saving.stay() {
            true => Reply::Ok,
            false => Reply::err("ERR No shutdown in progress."),
        };
    }
    if let Some(text) = engine.scripts.busy()
        && !nosave
    {
        return Reply::err(text);
    }
    log::warning("User requested shutdown...");
    let saves = save || !nosave && !engine.config.save.is_empty();
    if saves && engine.store.broken().is_some() {
        log::warning("The disk takes no writes.");
        if !force {
            return Reply::err("ERR Errors trying to SHUTDOWN. Check logs.");
        }
    } else if saves {
        session.wish = Some(SAVED);
        engine.save_and_end(force);
        return Reply::Ok;
    }
    engine.shutdown.ask();
    session.closing = true;
    Reply::Nothing
}
