//! The store: transactions over the hot tier, faults, commits, checkpoints, expiry, reclaim and upkeep.
//!
//! A [`Store`] belongs to the executor and never blocks. What takes time happens on its threads, which report what they
//! did; the executor handles that when it calls [`Store::end_tick`].
//!
//! Each part of the store owns its state, and is the only one to change it. What a part does to others is in `impl Store`
//! beside it:
//!
//! ```text
//! part          owns                                                            file
//! hot           records in memory, under a budget: staged, pinned or evictable  hot.rs       (read through memory.rs)
//! catalog       namespaces and counts of the numbered databases; the next id    catalog.rs  (layout.rs: of which keys)
//! faults        requests that wait for records; what is fetched and rehearsed   faults.rs, fetch.rs, rehearsal.rs, listings.rs
//! commits       the open group and the one in flight; which epochs are settled  commit.rs    (filled by staging.rs)
//! effects       what epochs cause when they are settled; a part of the commits  effects.rs, events.rs
//! asides        transactions that are set aside, and what they have read         aside.rs
//! watches       who is to be told of changes to which keys                      watches.rs
//! awaited       keys that somebody waits for, and which of them were touched     awaited.rs
//! tracking      which clients keep which keys, and are to be told                tracking.rs (prefixes.rs)
//! health        whether writes are taken, and why not                           health.rs
//! checkpoints   what only the journal has; the checkpoint under way             checkpoint.rs
//! expiry        where the search for keys past their deadline goes on           expiry.rs
//! reclaim       where the deletion of what was unlinked goes on                 reclaim.rs
//! upkeep        what is to be swept from memory and given back on disk          upkeep.rs
//! views         bodies that run over a view, and their threads                  views.rs
//! cursors       what SCAN's cursors stand for                                   cursors.rs
//! reports       what the threads did that was not handled yet                   reports.rs   (threads.rs)
//! totals        what is counted for INFO                                        figures.rs
//! ```

mod allowance;
mod aside;
mod author;
mod awaited;
mod catalog;
mod changes;
mod checkpoint;
mod commit;
pub mod cursors;
mod effects;
mod epoch;
mod events;
mod expiry;
mod faults;
mod fetch;
mod figures;
mod health;
mod hot;
pub mod keyspace;
mod layout;
mod list_keys;
mod listings;
mod memory;
mod prefixes;
mod reader;
mod reads;
mod recent;
mod reclaim;
mod rehearsal;
mod rehearsal_view;
mod reports;
mod staging;
mod stop;
#[cfg(test)]
pub mod testing;
#[cfg(test)]
mod tests;
/// The same tests over a store whose databases are divided by slots.
#[cfg(test)]
#[allow(clippy::duplicate_mod)]
#[path = "tests/mod.rs"]
mod tests_in_slots;
mod threads;
mod tracking;
mod txn;
mod upkeep;
mod value;
mod views;
mod watches;
mod work;

use std::io;
use std::path::Path;
use std::sync::Arc;

pub use allowance::{Allowance, OUT_OF_MEMORY, ViewRule};
pub use aside::Aside;
pub use awaited::{AwaitedKey, Presence};
pub use catalog::Counts;
pub use effects::{Effect, KeyChange, KeyEvent, Publication, Space};
pub use epoch::Epoch;
pub use expiry::Due;
pub use fetch::Ticket;
pub use figures::Figures;
pub use keyspace::{Entry, Key};
pub use layout::Layout;
pub use list_keys::Listing;
pub use listings::{Listed, ListedKey, Lister};
pub use reader::Reader;
pub use recent::Recent;
pub use rehearsal::Rehearsal;
pub use reports::News;
pub use staging::Suspended;
pub use stop::{Await, Damage, Result, Sought, Stop};
pub use threads::Wake;
pub use txn::{Savepoint, Txn};
pub use value::Value;
pub use views::{GivenUp, Place, Views, Wait};
pub use work::Missing;

use crate::base::events::Events;
use crate::disk::{
    Checkpoint, Creation, Disk, DiskOptions, Durability, OpenError, ReadError, View, WriteError,
};
use aside::Asides;
use awaited::Awaited;
use catalog::Catalog;
use checkpoint::Checkpoints;
use commit::Commits;
use cursors::Cursors;
use expiry::Expiry;
use faults::Faults;
use figures::Totals;
use health::Health;
use hot::Hot;
use reclaim::Reclaim;
use reports::Reports;
use threads::{Pool, Priority};
use tracking::Tracking;
use upkeep::Upkeep;
use watches::Watches;
use work::Work;

/// How a store is opened.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// Those of RocksDB.
    pub disk: DiskOptions,
    /// Whether a store may be made, and beside what.
    pub creation: Creation,
    /// Bytes of the hot tier.
    pub hot_budget: usize,
    /// Threads of the fetch pool.
    pub fetch_threads: usize,
    /// How many numbered databases there are.
    pub databases: usize,
    /// How the databases of a new store are divided. One that is there stays as it was made.
    pub layout: Layout,
    /// How durable a commit is when it counts as settled.
    pub durability: Durability,
}

/// A durable store of records, and all that goes on in it. See the page of this module for its parts.
pub struct Store {
    disk: Arc<Disk>,
    hot: Hot,
    catalog: Catalog,
    faults: Faults,
    commits: Commits,
    health: Health,
    checkpoints: Checkpoints,
    expiry: Expiry,
    reclaim: Reclaim,
    upkeep: Upkeep,
    views: Views,
    cursors: Arc<Cursors>,
    reports: Reports,
    totals: Totals,
    watches: Watches,
    awaited: Awaited,
    tracking: Tracking,
    asides: Asides,
    /// The keyspace events that somebody wants to know of.
    events: Events,
    /// What the last transaction gathered its work in, for the next one.
    spare: Option<Box<Work>>,
}

/// Why a store could not be opened.
#[derive(Debug)]
pub enum StartError {
    /// The directory cannot be used, or its files cannot.
    Open(OpenError),
    /// A record that the store itself keeps makes no sense: which one, and why.
    Damaged(String),
    /// The store's threads cannot be started.
    Threads(io::Error),
}

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            StartError::Open(e) => e.fmt(f),
            StartError::Damaged(text) => write!(f, "the data directory is damaged: {text}"),
            StartError::Threads(e) => write!(f, "threads cannot be started: {e}"),
        }
    }
}

impl std::error::Error for StartError {}

/// What a thread of the store did.
enum Report {
    /// Records were read.
    Fetched(Vec<fetch::Fetched>),
    /// A request was rehearsed.
    Rehearsed(fetch::Rehearsed),
    /// The search for a listing of this number is over.
    Listed(u64, std::result::Result<Listed, ReadError>),
    /// The epoch in flight is on disk, or lost.
    Committed {
        epoch: Epoch,
        size: commit::Size,
        result: std::result::Result<(), String>,
    },
    /// The log was synced, maybe for a checkpoint that waits for that.
    Synced {
        result: std::result::Result<(), String>,
        waits: Option<Checkpoint>,
    },
    /// The `expire` family was walked.
    Due(expiry::Scan),
    /// A step of reclaim was made, to be written.
    ReclaimStep(std::result::Result<reclaim::Step, ReadError>),
    /// A step of reclaim was written.
    Reclaimed(std::result::Result<(), String>),
    /// A checkpoint, or a part of it, can be installed; there may be nothing to do.
    Prepared(std::result::Result<Option<Checkpoint>, WriteError>),
    /// It is installed. Whether there is more for the checkpoint to do.
    Installed(std::result::Result<bool, String>),
    /// The store was opened again, or could not be.
    Reopened(std::result::Result<(), String>),
    /// Bytes of the tables before and after they were written anew, if it was worth it.
    Compacted(std::result::Result<Option<(u64, u64)>, String>),
}

impl Store {
    /// Opens the store in a directory, or makes one there if that is allowed. `wake` is called, on any thread, when there is
    /// something for [`Store::end_tick`].
    ///
    /// # Errors
    /// The directory cannot be used, what it holds is damaged, or threads cannot be started.
    pub fn open(dir: &Path, options: &StoreOptions, wake: Wake) -> std::result::Result<Store, StartError> {
        let disk = Disk::open(dir, &options.disk, &options.creation).map_err(StartError::Open)?;
        let disk = Arc::new(disk);
        let health = Health::when_opened(disk.read_only());
        let catalog = Catalog::read(&disk, options.databases, options.layout)?;
        let pool =
            |name, threads, priority| Pool::start(name, threads, priority).map_err(StartError::Threads);
        Ok(Store {
            hot: Hot::new(options.hot_budget),
            faults: Faults::start(options.fetch_threads).map_err(StartError::Threads)?,
            commits: Commits::new(
                pool("commit", 1, Priority::Equal)?,
                pool("sync", 1, Priority::Equal)?,
                options.durability,
            ),
            health,
            checkpoints: Checkpoints::new(pool("checkpoint", 1, Priority::Lower)?, options.disk.write_buffer),
            expiry: Expiry::default(),
            reclaim: Reclaim::default(),
            upkeep: Upkeep::new(
                pool("upkeep", 1, Priority::Lowest)?,
                match catalog.is_empty() {
                    true => disk.table_bytes(),
                    false => 0,
                },
            ),
            views: Views::start().map_err(StartError::Threads)?,
            cursors: Arc::default(),
            reports: Reports::new(wake),
            totals: Totals::default(),
            watches: Watches::default(),
            awaited: Awaited::default(),
            tracking: Tracking::default(),
            asides: Asides::default(),
            events: Events::empty(),
            spare: None,
            catalog,
            disk,
        })
    }

    /// What each database has, by number.
    pub fn databases(&self) -> &[Counts] {
        self.catalog.databases()
    }

    /// The number of the database that has the namespace now, alone or among others.
    pub fn database_of(&self, namespace: u64) -> Option<usize> {
        self.catalog.number_of(namespace)
    }

    /// Whether there is work for [`Store::end_tick`].
    pub fn has_work(&self) -> bool {
        self.faults.fetch.has_queued()
            || self
                .faults
                .listings
                .has_work(self.checkpointed(), self.broken().is_some())
            || self.commits.wants_seal()
            || self.commits.effects.may_leave(self.commits.settled)
            || self.is_checkpoint_due()
            || self.wants_upkeep()
    }

    /// Whether transactions that are staged have caused messages which were not taken yet.
    #[inline]
    pub fn has_messages(&self) -> bool {
        self.commits.effects.has_messages()
    }

    /// The messages that transactions have caused which are staged, in order, each with the epoch that is to be settled
    /// before anybody is told.
    pub fn take_messages(&mut self) -> Vec<(Epoch, Effect)> {
        self.commits.effects.take_messages()
    }

    /// Whether so much waits for the disk that clients should wait too, rather than memory grow.
    pub fn is_congested(&self) -> bool {
        self.commits.is_congested() || self.awaits_checkpoint()
    }

    /// The error for which writes are refused at present.
    pub fn broken(&self) -> Option<&str> {
        self.health.reason()
    }

    /// Runs a job over a view of what is checkpointed, on a thread that may block, and reports what came of it.
    fn walk_view(&self, job: impl FnOnce(&View<'_>) -> Report + Send + 'static) {
        let (disk, reporter) = (self.disk.clone(), self.reports.reporter.clone());
        self.views.run(move |_| reporter.report(disk.with_view(job)));
    }

    /// Runs a body over a transaction that reads what is checkpointed, on a thread that may block.
    pub fn run_over_view(&self, now: u64, body: impl FnOnce(&mut Txn<'_>, &Place) + Send + 'static) {
        let (disk, wake, cursors) = (self.disk.clone(), self.waker(), self.cursors.clone());
        let (layout, events) = (self.catalog.layout(), self.events);
        self.views.run(move |place| {
            disk.with_view_until(Some(place.interrupted()), |view| {
                let mut txn = Txn::over_view(view, &cursors, layout, now);
                txn.events = events;
                body(&mut txn, place);
            });
            wake();
        });
    }

    /// How many bodies over views wait for clients to read.
    pub fn waiting_views(&self) -> usize {
        self.views.waiting()
    }

    /// Wakes the executor from any thread.
    pub fn waker(&self) -> Wake {
        self.reports.reporter.wake().clone()
    }

    /// How many seconds the server has been running. Called regularly.
    pub fn note_second(&mut self, second: u64) {
        self.commits.begin_second(second);
        self.hot.note_settled(self.commits.settled);
    }

    /// While set, keys past their deadline are hidden, not deleted (CLIENT PAUSE).
    pub fn hide_expired(&mut self, only_hide: bool) {
        self.expiry.hides_only = only_hide;
    }

    /// Changes which keyspace events transactions tell of (`notify-keyspace-events`).
    pub fn set_events(&mut self, events: Events) {
        self.events = events.in_effect();
    }

    /// Changes how durable a commit is when it is settled (`appendfsync`).
    pub fn set_durability(&mut self, durability: Durability) {
        self.commits.durability = durability;
    }

    /// Changes how many bytes the hot tier may have.
    pub fn set_hot_budget(&mut self, bytes: usize) {
        self.hot.set_budget(bytes);
        self.hot.make_room(0);
    }

    /// Evicts everything that is on disk: a help for tests.
    pub fn drop_hot(&mut self) {
        self.hot.evict_all();
    }

    /// Whether all that was staged is on disk.
    pub fn is_idle(&self) -> bool {
        self.commits.is_idle()
    }

    /// Brings all to its place: so the next start is at once. Blocks: for the end of the process.
    ///
    /// # Errors
    /// What was committed is safe, but could not all be brought to its place.
    pub fn close(&mut self) -> std::result::Result<(), String> {
        if self.disk.read_only().is_some() {
            return Ok(());
        }
        while self.checkpoints.is_running() || !self.commits.is_quiet() {
            let Ok(report) = self.reports.incoming.recv() else {
                break;
            };
            self.handle_report(report, &mut News::default(), 0);
        }
        self.disk
            .sync()
            .and_then(|()| self.disk.checkpoint_all())
            .and_then(|()| self.disk.flush())
            .map_err(|e| e.to_string())?;
        self.disk.end_work();
        Ok(())
    }
}
