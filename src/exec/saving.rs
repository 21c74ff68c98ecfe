//! SAVE and BGSAVE: all that there is, as a dump that Redis loads.
//!
//! A save waits until all that was staged before it is where views find it. Then a body over a view writes the dump, beside all
//! else: to a file of another name, which takes the dump's name when it is whole and on stable storage. So the dump is always
//! that of some moment; and who asks for one twice gets the second when the first is through.

use std::fs::{self, File};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::time::Instant;

use super::Engine;
use super::waiters::Until;
use crate::base::files::put_in_place;
use crate::base::log;
use crate::command::unwritable;
use crate::rdb::{Item, Sink, Writer};
use crate::resp::Reply;
use crate::store::{self, Epoch, Place, Stop, Txn};
use crate::types::items::export;

/// What a save is answered while another one runs.
pub const IN_PROGRESS: &str = "ERR Background save already in progress";

/// How saves go, and went.
#[derive(Default)]
pub struct Saving {
    stage: Stage,
    /// Another one is to begin when this one is through.
    is_scheduled: bool,
    /// The server is to end when it is through.
    ends_server: Option<Ending>,
    /// Whether the last one failed.
    pub has_failed: bool,
    /// How many seconds the last one took.
    pub last_seconds: Option<u64>,
}

/// How a server ends behind a save.
#[derive(Clone, Copy)]
struct Ending {
    /// Though it has failed.
    force: bool,
}

#[derive(Default)]
enum Stage {
    #[default]
    None,
    /// Until this is where views find it.
    Waits(Epoch, Asked),
    Runs(Asked, Running),
}

/// What was when it was asked for.
#[derive(Clone, Copy)]
struct Asked {
    at: Instant,
    /// How many keys had been changed.
    changed: u64,
    /// What is to be on stable storage before anybody is told.
    synced: Epoch,
}

struct Running {
    progress: Arc<AtomicU64>,
    /// How many keys there were.
    keys: u64,
    result: Receiver<Result<u64, String>>,
}

/// What INFO says of the save that runs.
pub struct Progress {
    /// For how many seconds it has been running.
    pub seconds: u64,
    /// How many keys are written.
    pub written: u64,
    /// How many there are.
    pub keys: u64,
}

impl Saving {
    /// Whether a save runs, or waits to.
    pub fn is_running(&self) -> bool {
        !matches!(self.stage, Stage::None)
    }

    /// The server is not to end with the save that runs. Whether it was.
    pub fn stay(&mut self) -> bool {
        self.ends_server.take().is_some()
    }

    /// How far the save that runs has come.
    pub fn progress(&self) -> Option<Progress> {
        let (asked, written, keys) = match &self.stage {
            Stage::None => return None,
            Stage::Waits(_, asked) => (asked, 0, 0),
            Stage::Runs(asked, running) => (asked, running.progress.load(Ordering::Relaxed), running.keys),
        };
        Some(Progress {
            seconds: asked.at.elapsed().as_secs(),
            written,
            keys,
        })
    }
}

impl Engine {
    /// Begins a save, unless one runs already. Whether it did.
    pub(super) fn begin_save(&mut self) -> bool {
        if self.saving.is_running() {
            return false;
        }
        let asked = Asked {
            at: Instant::now(),
            changed: self.store.changed(),
            synced: self.store.sync_all(),
        };
        self.saving.stage = Stage::Waits(self.store.last_staged(), asked);
        self.go_on_saving();
        true
    }

    /// Begins a save now, or when the one that runs is through.
    pub(super) fn schedule_save(&mut self) {
        if !self.begin_save() {
            self.saving.is_scheduled = true;
        }
    }

    /// The server ends when a save is through that begins now, or behind the one that runs; if it fails, only if that is forced.
    pub(super) fn save_and_end(&mut self, force: bool) {
        self.saving.ends_server = Some(Ending { force });
        self.schedule_save();
    }

    /// Goes on with a save, if what it waits for has come.
    pub(super) fn go_on_saving(&mut self) {
        match &self.saving.stage {
            Stage::None => {}
            Stage::Waits(epoch, asked) => {
                let (epoch, asked) = (*epoch, *asked);
                if self.is_where_views_find_it(epoch) {
                    self.start_saving(epoch, asked);
                }
            }
            Stage::Runs(asked, running) => {
                if let Ok(result) = running.result.try_recv() {
                    let asked = *asked;
                    self.end_save(asked, result);
                }
            }
        }
    }

    fn start_saving(&mut self, epoch: Epoch, asked: Asked) {
        if let Some(text) = self.store.broken()
            && epoch > self.store.checkpointed()
        {
            let text = text.to_owned();
            return self.end_save(asked, Err(text));
        }
        let path = self.config.in_dir(Path::new(&self.config.dbfilename));
        let progress = Arc::new(AtomicU64::new(0));
        let keys = self.store.databases().iter().map(|counts| counts.keys).sum();
        let (tell, result) = mpsc::channel();
        let (written, databases) = (progress.clone(), self.limits.databases);
        self.store.run_over_view(self.clock.now_ms(), move |txn, place| {
            let saved = save(txn, place, databases, &path, &written);
            // A closed channel means that the engine is gone, and nobody waits any more.
            let _ = tell.send(saved);
        });
        let running = Running {
            progress,
            keys,
            result,
        };
        self.saving.stage = Stage::Runs(asked, running);
    }

    fn end_save(&mut self, asked: Asked, result: Result<u64, String>) {
        self.saving.stage = Stage::None;
        self.saving.last_seconds = Some(asked.at.elapsed().as_secs());
        self.saving.has_failed = result.is_err();
        match &result {
            Ok(keys) => {
                self.saves.at = self.clock.now_ms() / 1000;
                self.saves.changed = asked.changed;
                self.saves.count += 1;
                log::notice(format_args!("DB saved on disk: {keys} keys"));
            }
            Err(text) => log::warning(format_args!("Error saving DB on disk: {text}")),
        }
        if std::mem::take(&mut self.saving.is_scheduled) {
            self.begin_save();
            return;
        }
        if let Some(ending) = self.saving.ends_server.take()
            && (ending.force || result.is_ok())
        {
            // Whoever asked for that gets no answer, as in Redis.
            return self.shutdown.ask();
        }
        for id in self.waiters.waiting_for(|until| matches!(until, Until::Saved)) {
            let reply = match &result {
                Ok(_) => Ok(Reply::Ok),
                Err(text) => Stop::error(format!("ERR saving failed: {text}")),
            };
            self.answer_waiter(id, reply, asked.synced);
        }
    }

    /// `save`: begins a save if enough keys were changed since the last one, and long enough ago.
    pub(super) fn save_in_time(&mut self) {
        if self.config.save.is_empty() || self.saving.is_running() {
            return;
        }
        let passed = (self.clock.now_ms() / 1000).saturating_sub(self.saves.at);
        let changed = self.store.changed().saturating_sub(self.saves.changed);
        let mut points = self.config.save.iter();
        if let Some(point) = points.find(|point| {
            let is_over = |limit: i64, value: u64| i64::try_from(value).is_ok_and(|value| value >= limit);
            is_over(point.seconds.saturating_add(1), passed) && is_over(point.changes.max(1), changed)
        }) {
            let (changes, seconds) = (point.changes, point.seconds);
            log::notice(format_args!("{changes} changes in {seconds} seconds. Saving..."));
            self.begin_save();
        }
    }
}

/// Writes the dump. How many keys it has.
fn save(
    txn: &mut Txn,
    place: &Place,
    databases: usize,
    path: &Path,
    written: &AtomicU64,
) -> Result<u64, String> {
    let temporary = path.with_file_name(format!("temp-{}.rdb", std::process::id()));
    let made = write(txn, place, databases, &temporary, written).and_then(|keys| {
        put_in_place(&temporary, path).map_err(|error| error.to_string())?;
        Ok(keys)
    });
    if made.is_err() {
        // It may not be there at all.
        let _ = fs::remove_file(&temporary);
    }
    made
}

fn write(
    txn: &mut Txn,
    place: &Place,
    databases: usize,
    path: &Path,
    written: &AtomicU64,
) -> Result<u64, String> {
    let file = File::create(path).map_err(|error| error.to_string())?;
    let mut writer = Writer::lowest(file).map_err(|error| error.to_string())?;
    let mut keys = 0;
    let mut take = |item: Item<'_>| -> store::Result<()> {
        if let Item::Key(_) = item {
            keys += 1;
            written.store(keys, Ordering::Relaxed);
        }
        if place.take_turns().is_err() {
            return Stop::error("ERR the store is about to be closed");
        }
        writer.put(item).map_err(unwritable)
    };
    let exported = about_the_writer(txn.now, &mut take).and_then(|()| export(txn, databases, &mut take));
    match exported {
        Ok(()) => {}
        Err(Stop::Error(text)) => return Err(text.into_owned()),
        Err(Stop::Damage(damage)) => return Err(damage.text),
        Err(stop) => return Err(format!("{stop:?}")),
    }
    let file = writer.finish_lowest().map_err(|error| error.to_string())?;
    file.sync_all().map_err(|error| error.to_string())?;
    Ok(keys)
}

/// What Redis writes of itself, as far as those who read it may go by it.
fn about_the_writer(now: u64, take: &mut dyn FnMut(Item<'_>) -> store::Result<()>) -> store::Result<()> {
    let seconds = (now / 1000).to_string();
    for (name, value) in [
        ("redis-ver", super::control::REDIS_VERSION),
        ("redis-bits", "64"),
        ("ctime", &seconds),
        ("aof-base", "0"),
    ] {
        take(Item::Aux {
            name: name.as_bytes(),
            value: value.as_bytes(),
        })?;
    }
    Ok(())
}
