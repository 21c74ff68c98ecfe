//! The store: transactions over the hot tier, faults, commits, checkpoints, expiry, reclaim and upkeep.
//!
//! A [`Store`] belongs to the executor and never blocks. What takes time happens on its threads, and comes back as
//! [`Done`] values when the executor calls [`Store::pump`].

mod allowance;
mod checkpoint;
mod commit;
pub mod cursors;
mod expiry;
mod fetch;
mod figures;
mod hot;
pub mod keyspace;
mod recent;
mod reclaim;
mod rehearsal;
#[cfg(test)]
pub mod testing;
#[cfg(test)]
mod tests;
mod threads;
mod txn;
mod upkeep;
mod value;
mod views;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};

pub use allowance::{Allowance, OUT_OF_MEMORY};
pub use commit::Failure;
pub use expiry::Due;
pub use fetch::Ticket;
pub use figures::Figures;
pub use keyspace::{Entry, Key};
pub use recent::Recent;
pub use rehearsal::Rehearsal;
pub use threads::Wake;
pub use txn::{Damage, Effects, Result, Savepoint, Stop, Txn};
pub use value::Value;
pub use views::{GivenUp, Place, Views, Wait};

use crate::base::log;
use crate::disk::format::{Database, Family, RecordKey};
use crate::disk::{
    Checkpoint, Creation, Disk, DiskOptions, Durability, OpenError, Patience, ReadError, View, WriteError,
};
use checkpoint::Checkpoints;
use commit::{Commit, Context, Written};
use cursors::Cursors;
use expiry::Expiry;
use fetch::{Fetch, Fetched};
use hot::Hot;
use reclaim::Reclaim;
use rehearsal::{Rehearsals, Rehearsed};
use threads::{Pool, Priority};
use txn::{Work, Write};
use upkeep::Upkeep;

/// Ids are reserved on disk this many at a time, so that a crash never hands one out twice.
const IDS_PER_RESERVATION: u64 = 1024;
/// No store has ever given so many: one that says so would begin again soon.
const MAX_NEXT_ID: u64 = u64::MAX / 2;
/// Above this many bytes in the open epoch while another is in flight, clients should wait for the disk.
const OPEN_EPOCH_LIMIT: usize = 32 << 20;

#[derive(Clone, Debug)]
pub struct StoreOptions {
    pub disk: DiskOptions,
    /// Whether a store may be made, and beside what.
    pub creation: Creation,
    pub hot_budget: usize,
    pub fetch_threads: usize,
    pub databases: usize,
    pub durability: Durability,
}

/// What the store's threads report.
enum Done {
    Fetched(Vec<Fetched>),
    Rehearsed(Rehearsed),
    Committed {
        epoch: u64,
        size: commit::Size,
        result: std::result::Result<(), String>,
    },
    Synced {
        result: std::result::Result<(), String>,
        waits: Option<Checkpoint>,
    },
    Due(expiry::Scan),
    ReclaimStep(std::result::Result<reclaim::Step, ReadError>),
    Reclaimed(std::result::Result<(), String>),
    Prepared(std::result::Result<Option<Checkpoint>, WriteError>),
    /// Whether there is more for a checkpoint to do.
    Installed(std::result::Result<bool, String>),
    /// The store was opened again, or could not be.
    Repaired(std::result::Result<(), String>),
    /// Bytes of the tables before and after, if it was worth it.
    Compacted(std::result::Result<Option<(u64, u64)>, String>),
}

/// What [`Store::pump`] found: whom to wake.
#[derive(Default)]
pub struct News {
    /// Requests whose records are in memory.
    pub ready: Vec<Ticket>,
    /// Epochs were decided: replies can leave.
    pub settled: bool,
    /// More of what was committed is where views find it; or that cannot be at present.
    pub applied: bool,
}

pub struct Store {
    disk: Arc<Disk>,
    hot: Hot,
    fetch: Fetch,
    /// Behind `fetch`, as those who wait are there: without them, rehearsals end.
    rehearsals: Rehearsals,
    commit: Commit,
    checkpoints: Checkpoints,
    expiry: Expiry,
    reclaim: Reclaim,
    upkeep: Upkeep,
    views: Views,
    cursors: Arc<Cursors>,
    databases: Vec<Database>,
    /// As of the epoch in flight, and as of the last one committed: what a failed commit returns to.
    sealed_databases: Vec<Database>,
    durable_databases: Vec<Database>,
    /// The last epoch that changed a database's counts, and the last that changed a namespace.
    databases_epoch: u64,
    namespaces_epoch: u64,
    next_id: u64,
    reserved_ids: u64,
    spare: Option<Box<Work>>,
    done: Sender<Done>,
    reports: Receiver<Done>,
    wake: Wake,
    sync_due: bool,
    /// Keys past their deadline are not there, but are not deleted either (CLIENT PAUSE).
    keeps_expired: bool,
    second: u64,
    pub totals: Effects,
    /// Keys changed since the start.
    changed: u64,
}

#[derive(Debug)]
pub enum StartError {
    Open(OpenError),
    Damaged(String),
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

impl Store {
    pub fn open(dir: &Path, options: &StoreOptions, wake: Wake) -> std::result::Result<Store, StartError> {
        let disk = Disk::open(dir, &options.disk, &options.creation).map_err(StartError::Open)?;
        let disk = Arc::new(disk);
        let read_only = disk.read_only();
        if let Some(reason) = &read_only {
            log::warning(format_args!(
                "the store can be read only, writes are refused until that changes: {reason}"
            ));
        }
        let (databases, next_id) = read_state(&disk, options.databases)?;
        let (done, reports) = mpsc::channel();
        let pool =
            |name, threads, priority| Pool::start(name, threads, priority).map_err(StartError::Threads);
        Ok(Store {
            hot: Hot::new(options.hot_budget),
            fetch: Fetch::new(pool("fetch", options.fetch_threads, Priority::Lowest)?),
            rehearsals: Rehearsals::start(options.fetch_threads).map_err(StartError::Threads)?,
            commit: Commit::new(
                pool("commit", 1, Priority::Equal)?,
                pool("sync", 1, Priority::Equal)?,
                options.durability,
                read_only,
            ),
            checkpoints: Checkpoints::new(pool("checkpoint", 1, Priority::Lower)?, options.disk.write_buffer),
            expiry: Expiry::default(),
            reclaim: Reclaim::default(),
            upkeep: Upkeep::new(
                pool("upkeep", 1, Priority::Lowest)?,
                match databases.iter().all(|db| db.keys == 0) {
                    true => disk.table_bytes(),
                    false => 0,
                },
            ),
            views: Views::start().map_err(StartError::Threads)?,
            cursors: Arc::default(),
            sealed_databases: databases.clone(),
            durable_databases: databases.clone(),
            databases,
            databases_epoch: 0,
            namespaces_epoch: 0,
            next_id,
            // Not yet on disk: the first id that is taken writes the reservation.
            reserved_ids: 0,
            spare: None,
            done,
            reports,
            wake,
            sync_due: false,
            keeps_expired: false,
            second: 0,
            totals: Effects::default(),
            changed: 0,
            disk,
        })
    }

    /// A transaction at the given time (Unix milliseconds). Nothing it does counts until [`Store::apply`].
    pub fn begin(&mut self, now: u64) -> Txn<'_> {
        let work = self.spare.take().unwrap_or_default();
        Txn::live(self, work, now)
    }

    /// Ends a transaction without its writes, and returns the records it missed.
    pub fn abandon(&mut self, work: TxnEnd) -> Vec<RecordKey> {
        let mut work = work.0;
        let missing = std::mem::take(&mut work.missing);
        self.keep(work);
        missing
    }

    /// Ends the transaction of a body that failed: of its writes only the deletes of expired keys stay, those that came
    /// before all others. Returns the epoch that must be settled before the error may leave.
    pub fn apply_expired(&mut self, work: TxnEnd) -> u64 {
        let mut work = work.0;
        work.keep_expired();
        self.apply(TxnEnd(work))
    }

    /// Takes what a transaction did, whole. Returns the epoch that must be settled before its reply may leave.
    pub fn apply(&mut self, work: TxnEnd) -> u64 {
        let mut work = work.0;
        let mut depends = work.depends.max(self.namespaces_epoch);
        if !work.writes.log.is_empty() || !work.databases.is_empty() {
            depends = self.commit.open.number;
            self.stage(&mut work);
        }
        let effects = work.effects;
        self.totals.hits += effects.hits;
        self.totals.misses += effects.misses;
        self.totals.expired += effects.expired;
        self.totals.expired_fields += effects.expired_fields;
        self.keep(work);
        depends
    }

    fn stage(&mut self, work: &mut Work) {
        let epoch = self.commit.open.number;
        let mut keys = 0;
        let records = work.writes.log.len();
        for write in work.writes.log.drain(..) {
            keys += u64::from(write.key.family() == Family::Meta);
            self.stage_record(write, epoch);
        }
        // Parts of a key's value, or a whole database, count as one.
        self.changed += keys.max(1);
        for (number, database) in work.databases.drain(..) {
            self.databases[number] = database;
            self.databases_epoch = epoch;
            if !self.commit.open.databases.contains(&number) {
                self.commit.open.databases.push(number);
            }
        }
        if work.renamed_spaces {
            self.namespaces_epoch = epoch;
        }
        if work.ids > 0 {
            self.take_ids(work.ids);
        }
        self.hot.make_room(records);
    }

    fn stage_record(&mut self, write: Write, epoch: u64) {
        let Write {
            key, value, known, ..
        } = write;
        let open = &mut self.commit.open;
        open.bytes += key.tagged().len() + value.as_ref().map_or(0, |value| value.len());
        match key.family() {
            Family::Meta | Family::Segment | Family::Bucket | Family::Tree | Family::Blob => {
                self.fetch.invalidate(&key);
                let is_delete = value.is_none();
                let before = self.hot.stage(&key, value, epoch);
                if is_delete && let Some(old) = before.as_ref().and_then(|before| before.value.as_ref()) {
                    self.upkeep.deleted(key.key().len() + old.len());
                }
                if before.as_ref().is_none_or(|before| before.epoch != epoch) {
                    open.records.push(Written { key, before, known });
                }
                return;
            }
            Family::Expire if value.is_some() => {
                if let Some(bytes) = key.key().first_chunk() {
                    let deadline = u64::from_be_bytes(*bytes);
                    open.earliest_deadline = open.earliest_deadline.min(deadline);
                    self.expiry.staged(deadline);
                }
            }
            Family::Gc if value.is_some() => {
                if let Some(bytes) = key.key().first_chunk() {
                    let id = u64::from_be_bytes(*bytes);
                    open.lowest_garbage = open.lowest_garbage.min(id);
                    self.reclaim.staged(id);
                }
            }
            _ => {}
        }
        open.blind.insert(key, value);
    }

    fn take_ids(&mut self, count: u64) {
        self.next_id += count;
        if self.next_id > self.reserved_ids {
            self.reserved_ids = self.next_id + IDS_PER_RESERVATION;
            let value = Value::from(&self.reserved_ids.to_be_bytes()[..]);
            self.commit.open.blind.insert(RecordKey::next_id(), Some(value));
        }
    }

    fn keep(&mut self, mut work: Box<Work>) {
        if work.is_large() {
            self.commit.discard(work);
            return;
        }
        work.writes.clear();
        work.databases.clear();
        work.missing.clear();
        work.expired = Savepoint::default();
        (work.effects, work.ids, work.depends, work.renamed_spaces) = (Effects::default(), 0, 0, false);
        self.spare = Some(work);
    }

    /// The record as memory knows it, and an epoch that is settled when the one that wrote it is; `None` if only the disk
    /// knows.
    fn recall(&mut self, key: &RecordKey, touches: bool) -> Option<(Option<Value>, u64)> {
        let found = match touches {
            true => self.hot.get(key),
            false => self.hot.peek(key),
        };
        if let Some(slot) = found {
            return Some((slot.value.clone(), slot.epoch()));
        }
        self.is_absent(key).then_some((None, 0))
    }

    /// How long ago the record was last used, as far as memory knows.
    fn idle_seconds(&self, key: &RecordKey) -> u64 {
        let used = self.hot.peek(key).map(|slot| commit::second_of(slot.epoch()));
        used.map_or(0, |second| self.second.saturating_sub(second))
    }

    /// Whether memory knows the record, which the processor is told to load.
    fn is_known(&self, key: &RecordKey) -> bool {
        let Some(slot) = self.hot.peek(key) else {
            return self.is_absent(key);
        };
        slot.value.iter().for_each(Value::warm_up);
        true
    }

    /// A key that is not in the hot tier does not exist if all keys of its namespace are there.
    fn is_absent(&self, key: &RecordKey) -> bool {
        let Some(namespace) = key.namespace() else {
            return false;
        };
        let keys = self
            .databases
            .iter()
            .find(|db| db.namespace == namespace)
            .map_or(0, |db| db.keys);
        self.hot.resident(namespace) == keys
    }

    fn next_id(&self) -> u64 {
        self.next_id
    }

    fn databases_epoch(&self) -> u64 {
        self.databases_epoch
    }

    pub fn database(&self, number: usize) -> Database {
        self.databases[number]
    }

    pub fn databases(&self) -> &[Database] {
        &self.databases
    }

    /// Every epoch up to this one is decided.
    pub fn settled(&self) -> u64 {
        self.commit.settled
    }

    /// The epoch after which everything staged so far is decided.
    pub fn frontier(&self) -> u64 {
        match (&self.commit.flight, self.commit.open.is_empty()) {
            (_, false) => self.commit.open.number,
            (Some(flight), true) => flight.number,
            (None, true) => self.commit.settled,
        }
    }

    pub fn failure(&self, epoch: u64) -> Option<&Failure> {
        self.commit.failure(epoch)
    }

    /// Whether there is work for [`Store::pump`].
    pub fn wants_pump(&self) -> bool {
        let staged = !self.commit.open.is_empty() && self.commit.flight.is_none();
        self.fetch.has_queued() || staged || self.is_checkpoint_due() || self.wants_upkeep()
    }

    /// Whether so much waits for the disk that clients should wait too, rather than memory grow.
    pub fn is_congested(&self) -> bool {
        self.commit.open.bytes > OPEN_EPOCH_LIMIT || self.awaits_checkpoint()
    }

    /// Asks for records on behalf of a request, which runs again when [`News::ready`] names the ticket.
    pub fn request(&mut self, records: Vec<RecordKey>) -> Ticket {
        self.fetch.request(records)
    }

    /// No more than so many bytes are to be pinned for the ticket, which was just given.
    pub fn limit(&mut self, ticket: Ticket, bytes: usize) {
        self.fetch.limit(ticket, bytes);
    }

    /// Whether the ticket's records were more than may be pinned for it.
    pub fn is_too_much(&self, ticket: Ticket) -> bool {
        self.fetch.is_too_much(ticket)
    }

    /// The records of those keys of a database that only the disk knows.
    pub fn unknown_keys<'k>(&self, db: usize, names: impl Iterator<Item = &'k [u8]>) -> Vec<RecordKey> {
        names
            .map(|name| self.record_of(Key { db, name }))
            .filter(|key| !self.is_known(key))
            .collect()
    }

    /// The record of a key.
    pub fn record_of(&self, key: Key) -> RecordKey {
        RecordKey::meta(self.databases[key.db].namespace, key.name)
    }

    /// Brings what memory knows of these records into the processor's cache. Nothing but lookups is in the loop over them,
    /// so that several wait for memory at once.
    pub fn warm_up<'r>(&self, records: impl IntoIterator<Item = &'r RecordKey>) {
        for record in records {
            if let Some(value) = self.value_in_memory(record) {
                value.warm_up();
            }
        }
    }

    /// The record's value, if there is one and memory knows it; this does not count as a use.
    pub fn value_in_memory(&self, record: &RecordKey) -> Option<&Value> {
        self.hot.peek(record)?.value.as_ref()
    }

    /// Asks for records that are likely to be wanted soon.
    pub fn read_ahead(&mut self, records: Vec<RecordKey>) {
        self.fetch.read_ahead(records.into_iter());
    }

    pub fn is_ready(&self, ticket: Ticket) -> bool {
        self.fetch.is_ready(ticket)
    }

    /// The error met while reading for a ticket.
    pub fn read_error(&mut self, ticket: Ticket) -> Option<Damage> {
        let (record, error) = self.fetch.error(ticket)?;
        Some(Damage::unreadable(&error, Some(record)))
    }

    /// The request is over or given up.
    pub fn finish(&mut self, ticket: Ticket) {
        self.fetch.finish(ticket, &mut self.hot);
    }

    /// Runs a job over a view of what is applied, on a thread that may block.
    fn run_over_view(&self, job: impl FnOnce(&View<'_>) + Send + 'static) {
        let (disk, wake) = (self.disk.clone(), self.wake.clone());
        self.views.run(move |_| {
            disk.with_view(job);
            wake();
        });
    }

    /// How many bodies over views wait for clients to read.
    pub fn waiting_views(&self) -> usize {
        self.views.waiting()
    }

    /// Wakes the executor from any thread.
    pub fn waker(&self) -> Wake {
        self.wake.clone()
    }

    /// Runs a body over a transaction that reads what is applied, on a thread that may block.
    pub fn run_over_applied(&self, now: u64, body: impl FnOnce(&mut Txn<'_>, &Place) + Send + 'static) {
        let (disk, wake, cursors) = (self.disk.clone(), self.wake.clone(), self.cursors.clone());
        self.views.run(move |place| {
            disk.with_view_until(Some(place.interrupted()), |view| {
                body(&mut Txn::over_view(view, &cursors, now), place);
            });
            wake();
        });
    }

    /// Takes reports in, hands faults to the fetch pool, and commits what is staged. Called at the end of a tick and
    /// whenever the store's threads wake the executor.
    pub fn pump(&mut self, now: u64) -> News {
        let mut news = News::default();
        let before = (self.applied(), self.commit.broken.is_some());
        while let Ok(report) = self.reports.try_recv() {
            self.take_in(report, &mut news, now);
        }
        self.fetch.dispatch(&self.disk, &self.done, &self.wake);
        self.seal(&mut news);
        self.begin_rehearsals();
        self.begin_checkpoint();
        news.applied = before != (self.applied(), self.commit.broken.is_some());
        if self.sync_due && self.commit.broken.is_none() {
            let (commit, ctx) = self.commit_parts();
            self.sync_due = !commit.sync(&ctx);
        }
        news
    }

    fn seal(&mut self, news: &mut News) {
        let before = self.commit.flight.is_none();
        let (commit, ctx) = self.commit_parts();
        let over = commit.seal(&ctx);
        if before && self.commit.flight.is_some() {
            self.sealed_databases.clone_from(&self.databases);
        }
        if let Some(result) = over {
            self.decide(result, news);
        }
    }

    fn commit_parts(&mut self) -> (&mut Commit, Context<'_>) {
        let ctx = Context {
            disk: &self.disk,
            hot: &self.hot,
            databases: &self.databases,
            done: &self.done,
            wake: &self.wake,
        };
        (&mut self.commit, ctx)
    }

    fn take_in(&mut self, report: Done, news: &mut News, now: u64) {
        match report {
            Done::Fetched(fetched) => {
                let records = fetched.len();
                self.fetch.accept(fetched, &mut self.hot, &mut news.ready);
                self.hot.make_room(records);
            }
            Done::Rehearsed(rehearsed) => self.accept_rehearsal(rehearsed, &mut news.ready),
            Done::Committed { epoch, size, result } => {
                self.commit.answered();
                self.commit.wrote(size);
                debug_assert_eq!(
                    self.commit.flight.as_ref().map(|flight| flight.number),
                    Some(epoch)
                );
                self.decide(result, news);
            }
            Done::Synced { result, waits } => {
                self.commit.synced();
                self.note_synced(result, waits);
            }
            Done::Due(scan) => self.expiry.accept(scan, now),
            Done::ReclaimStep(step) => self.accept_reclaim(step),
            Done::Reclaimed(result) => {
                self.commit.answered();
                self.reclaim_written(result.is_ok());
            }
            Done::Prepared(checkpoint) => self.accept_checkpoint(checkpoint),
            Done::Installed(result) => {
                self.commit.answered();
                self.end_checkpoint(result);
            }
            Done::Repaired(result) => {
                self.commit.answered();
                match result {
                    Ok(()) => {
                        self.commit.broken = None;
                        self.journal_is_applied();
                        log::notice("the store was opened again, and takes writes");
                    }
                    Err(text) if self.commit.broken.as_ref() != Some(&text) => {
                        log::warning(format_args!("the store cannot be opened again yet: {text}"));
                        self.commit.broken = Some(text);
                    }
                    Err(_) => {}
                }
            }
            Done::Compacted(result) => self.note_compacted(result),
        }
    }

    fn note_synced(&mut self, result: std::result::Result<(), String>, waits: Option<Checkpoint>) {
        if let Err(text) = &result {
            log::warning(format_args!("the log could not be synced: {text}"));
            self.commit.broken = Some(text.clone());
        }
        match (result, waits) {
            (Ok(()), Some(checkpoint)) => self.install_checkpoint(checkpoint),
            (Err(text), Some(_)) => self.end_checkpoint(Err(text)),
            (_, None) => {}
        }
    }

    fn decide(&mut self, result: std::result::Result<(), String>, news: &mut News) {
        news.settled = true;
        match result {
            Ok(()) => {
                if let Some(epoch) = self.commit.succeeded() {
                    self.checkpoints.committed(epoch);
                }
                std::mem::swap(&mut self.durable_databases, &mut self.sealed_databases);
            }
            Err(text) => {
                if self.commit.broken.is_none() {
                    log::warning(format_args!(
                        "writes fail, their commands are answered with an error: {text}"
                    ));
                    self.commit.broken = Some(text.clone());
                }
                self.lose(text);
            }
        }
        self.hot.note_settled(self.commit.settled);
    }

    /// The epoch in flight and the open one are lost. (What the log has of them after all is dropped when the store is opened
    /// again.)
    fn lose(&mut self, text: String) {
        for Written { key, before, .. } in self.commit.failed(text) {
            self.hot.restore(&key, before);
        }
        self.databases.clone_from(&self.durable_databases);
        self.expiry.start_over();
        // The reservation may be among what was lost.
        self.reserved_ids = 0;
    }

    /// Tries to make the store writable again after a failed write. Called regularly.
    pub fn repair(&mut self) {
        if self.checkpoints.is_running() || self.upkeep.is_compacting() {
            return;
        }
        let interrupt = self.views.interrupt();
        let (commit, ctx) = self.commit_parts();
        commit.repair(&ctx, interrupt);
    }

    /// The error for which writes are refused at present.
    pub fn broken(&self) -> Option<&str> {
        self.commit.broken.as_deref()
    }

    /// Has everything up to now synced, whatever the durability. Returns the epoch that is settled when it is.
    pub fn sync_all(&mut self) -> u64 {
        self.commit.open.sync = true;
        self.commit.open.number
    }

    /// Has the log synced at the next pump (`appendfsync everysec`).
    pub fn sync_soon(&mut self) {
        self.sync_due = true;
    }

    /// How many seconds the server has been running. Called regularly.
    pub fn note_second(&mut self, second: u64) {
        self.second = second;
        self.commit.begin_second(second);
        self.hot.note_settled(self.commit.settled);
    }

    /// While set, keys past their deadline are hidden, not deleted.
    pub fn keep_expired(&mut self, keep: bool) {
        self.keeps_expired = keep;
    }

    pub fn set_durability(&mut self, durability: Durability) {
        self.commit.durability = durability;
    }

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
        self.commit.is_idle()
    }

    /// Brings all to its place: so the next start is at once. Blocks: for the end of the process.
    pub fn close(&mut self) -> std::result::Result<(), String> {
        if self.disk.read_only().is_some() {
            return Ok(());
        }
        while self.checkpoints.is_running() || !self.commit.is_quiet() {
            let Ok(report) = self.reports.recv() else { break };
            self.take_in(report, &mut News::default(), 0);
        }
        self.disk
            .sync()
            .and_then(|()| self.disk.apply_journal())
            .and_then(|()| self.disk.flush())
            .map_err(|e| e.to_string())?;
        self.disk.end_work();
        Ok(())
    }
}

/// The end of a transaction: what it gathered, detached from the store.
pub struct TxnEnd(Box<Work>);

impl Txn<'_> {
    pub fn end(self) -> TxnEnd {
        TxnEnd(self.into_work())
    }
}

/// Reads the id counter and the numbered databases. A database without a record gets its namespace now, on disk at
/// once: two databases must never come to share one.
fn read_state(disk: &Disk, count: usize) -> std::result::Result<(Vec<Database>, u64), StartError> {
    let damaged = |text: &dyn std::fmt::Display| StartError::Damaged(text.to_string());
    let mut next_id = match disk.get(&RecordKey::next_id()).map_err(|e| damaged(&e))? {
        None => 1,
        Some(bytes) => u64::from_be_bytes(bytes.try_into().map_err(|_| damaged(&"next-id record"))?),
    };
    if next_id > MAX_NEXT_ID {
        return Err(damaged(&"next id"));
    }
    let mut databases = Vec::with_capacity(count);
    let mut batch = disk.batch().map_err(|e| damaged(&e))?;
    for number in 0..count {
        let key = RecordKey::database(number);
        let database = match disk.get(&key).map_err(|e| damaged(&e))? {
            Some(bytes) => Database::decode(&bytes).map_err(|e| damaged(&e))?,
            None => {
                let database = Database {
                    namespace: next_id,
                    ..Database::default()
                };
                next_id += 1;
                batch.put(&key, &database.encode());
                database
            }
        };
        databases.push(database);
    }
    if !batch.is_empty() {
        batch.put(&RecordKey::next_id(), &next_id.to_be_bytes());
        disk.write(batch.finish(), Durability::Synced, Patience::Wait)
            .map_err(|e| StartError::Open(OpenError::Io(format!("{e:?}"))))?;
    }
    Ok((databases, next_id))
}
