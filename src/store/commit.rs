//! The commit path: what one tick staged becomes one batch, in one write to the log, for everything that waits.
//!
//! Epochs are numbered. At most one is in flight; meanwhile the next one gathers, so the slower the disk, the more one
//! write carries. Small epochs are written by the executor itself where that cannot block; all else by the committer. The
//! log is synced beside that, on a thread of its own: what is written meanwhile does not wait for it.

mod batch;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use foldhash::fast::RandomState;

use super::catalog::Catalog;
use super::checkpoint::Journaled;
use super::effects::Effects;
use super::epoch::Epoch;
use super::health::Health;
use super::hot::{Before, Hot};
use super::layout::Holder;
use super::reports::News;
use super::threads::{Pool, Reporter};
use super::value::Value;
use super::{Report, Store};
use crate::disk::delta::Known;
use crate::disk::format::{Namespace, RecordKey};
use crate::disk::{Batch, Checkpoint, Disk, Durability, Patience, WriteError};
use batch::Draft;

/// Up to this many bytes an epoch is written by the executor, if nothing is in flight: a handover to another thread costs
/// more than the write.
const INLINE_BYTES: usize = 64 << 10;

/// A batch of more bytes is made by the committer: to copy that much would hold the executor.
const BUILT_INLINE: usize = 256 << 10;
/// What an epoch of more records held is dropped by the syncer, and its allocations are not kept: likewise.
const KEPT_RECORDS: usize = 4 << 10;
/// Above this many bytes in the open group while another is in flight, clients should wait for the disk.
const OPEN_GROUP_LIMIT: usize = 32 << 20;

/// A record of the hot tier that an epoch writes.
pub struct Written {
    /// Its key.
    pub key: RecordKey,
    /// What it is once the epochs before are written, if memory knew it.
    pub before: Option<Before>,
    /// How the first value that the epoch gave it differs from that.
    pub known: Known,
}

/// What has been staged since the last epoch was sealed.
pub struct Group {
    /// Its number.
    pub epoch: Epoch,
    /// Records of the hot tier written in it, each once.
    pub records: Vec<Written>,
    /// Records that are never read one by one, so have no place in the hot tier.
    pub unread: HashMap<RecordKey, Option<Value>, RandomState>,
    /// Bytes of the keys and values staged, about.
    pub bytes: usize,
    /// What has a namespace that changed, with what it was once the epochs before are written.
    pub namespaces: Vec<(Holder, Namespace)>,
    /// It has to be on stable storage, whatever the durability, even if it is empty.
    pub sync: bool,
    /// The earliest deadline staged in it.
    pub earliest_deadline: u64,
    /// The lowest id put to reclaim in it.
    pub lowest_garbage: u64,
    /// The batch made of it.
    written: Size,
}

/// How large a batch is.
#[derive(Clone, Copy, Default)]
pub struct Size {
    /// How many records it changes.
    pub records: usize,
    /// Bytes of the batch.
    pub bytes: usize,
}

impl From<&Batch> for Size {
    fn from(batch: &Batch) -> Size {
        Size {
            records: batch.len(),
            bytes: batch.size(),
        }
    }
}

impl Group {
    fn new(epoch: Epoch) -> Group {
        Group {
            epoch,
            records: Vec::new(),
            unread: HashMap::default(),
            bytes: 0,
            namespaces: Vec::new(),
            sync: false,
            earliest_deadline: u64::MAX,
            lowest_garbage: u64::MAX,
            written: Size::default(),
        }
    }

    /// How durable its commit is, once it is sealed.
    fn durability(&self) -> Durability {
        match self.sync {
            true => Durability::Synced,
            false => Durability::Written,
        }
    }

    /// Whether there is nothing to do for it.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.unread.is_empty() && self.namespaces.is_empty() && !self.sync
    }
}

/// Epochs whose writes were lost, and why.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The first epoch.
    pub from: Epoch,
    /// The last epoch.
    pub to: Epoch,
    /// Why: for the operator and the clients.
    pub text: String,
}

/// How many failures are remembered for replies that still have to become errors.
const FAILURES_KEPT: usize = 1024;

/// Epochs on their way to the log: the open one and the one in flight, and what became of those before.
pub struct Commits {
    committer: Pool,
    syncer: Pool,
    /// What is staged, to be committed next.
    pub open: Group,
    /// What is being committed.
    pub flight: Option<Group>,
    /// Every epoch up to this one has been decided: committed, or failed.
    pub settled: Epoch,
    /// What epochs caused beside that, until they are settled.
    pub effects: Effects,
    /// Failures that replies may still have to tell of, in order.
    pub failures: Vec<Failure>,
    /// The last epoch that was committed.
    committed: Epoch,
    /// The last epoch of those that are on stable storage, with all before it.
    synced: Epoch,
    /// For each sync that is asked for: the last epoch that it brings there.
    covered: VecDeque<Epoch>,
    /// Epochs opened from now on have no lower number.
    lowest: Epoch,
    /// Jobs the committer has not answered: while there are any, nothing is written inline.
    busy: usize,
    /// Likewise the syncer.
    syncing: usize,
    /// The log is to be synced, once that is not under way.
    pub sync_due: bool,
    /// The second of the server's life.
    second: u64,
    /// How durable a commit is when it counts as settled.
    pub durability: Durability,
    /// How many epochs were sealed.
    pub commits: u64,
    /// Those of them that the executor wrote itself.
    pub inline_commits: u64,
    /// Changes of records in all commits.
    pub records_written: u64,
    /// Bytes of the batches of all commits.
    pub bytes_written: u64,
}

/// What a commit has to know of the rest of the store.
pub struct Context<'s> {
    /// Where it is written.
    pub disk: &'s Arc<Disk>,
    /// Has the values of staged records.
    pub hot: &'s Hot,
    /// Has the namespaces.
    pub catalog: &'s Catalog,
    /// Says whether anything can be written.
    pub health: &'s Health,
    /// Where the committer and the syncer report to.
    pub reporter: &'s Reporter,
}

impl Commits {
    /// Commits by these two threads; none so far.
    pub fn new(committer: Pool, syncer: Pool, durability: Durability) -> Commits {
        Commits {
            committer,
            syncer,
            open: Group::new(Epoch::NONE.next()),
            flight: None,
            settled: Epoch::NONE,
            effects: Effects::default(),
            failures: Vec::new(),
            committed: Epoch::NONE,
            synced: Epoch::NONE,
            covered: VecDeque::new(),
            lowest: Epoch::NONE,
            busy: 0,
            syncing: 0,
            sync_due: false,
            second: 0,
            durability,
            commits: 0,
            inline_commits: 0,
            records_written: 0,
            bytes_written: 0,
        }
    }

    /// A second of the server's life begins.
    pub fn begin_second(&mut self, second: u64) {
        self.second = second;
        self.lowest = Epoch::before(second);
        if self.is_idle() && self.open.epoch < self.lowest {
            // Nothing bears one of the numbers passed over.
            self.settled = self.lowest;
            self.open.epoch = self.lowest.next();
        }
    }

    fn next_epoch(&self) -> Epoch {
        self.lowest.max(self.open.epoch.next())
    }

    /// Commits the open group if none is in flight. `Some` is the result of a commit that is over already.
    pub fn seal(&mut self, ctx: &Context) -> Option<Result<(), String>> {
        if !self.wants_seal() {
            return None;
        }
        let next = Group::new(self.next_epoch());
        let mut group = std::mem::replace(&mut self.open, next);
        group.sync |= self.durability == Durability::Synced;
        self.commits += 1;
        if group.bytes > BUILT_INLINE && ctx.health.is_writable() {
            self.seal_large(ctx, group);
            return None;
        }
        let may_be_inline = self.is_quiet() && !group.sync;
        let (epoch, durability) = (group.epoch, group.durability());
        let group = self.flight.insert(group);
        let mut batch = match build(group, ctx) {
            Ok(batch) => batch,
            Err(why) => return Some(Err(why)),
        };
        group.written = Size::from(&batch);
        if may_be_inline && batch.size() <= INLINE_BYTES {
            let result = ctx.disk.write(batch, Durability::Written, Patience::None);
            if !matches!(result, Err(WriteError::WouldStall)) {
                self.inline_commits += 1;
                return Some(result.map_err(|e| e.to_string()));
            }
            // The batch went with the attempt; nothing has changed since it was built.
            batch = match build(group, ctx) {
                Ok(batch) => batch,
                Err(why) => return Some(Err(why)),
            };
        }
        self.submit(ctx, move |disk| batch::write(disk, epoch, Ok(batch), durability));
        None
    }

    /// Has the committer make the batch, too.
    fn seal_large(&mut self, ctx: &Context, group: Group) {
        let (epoch, durability) = (group.epoch, group.durability());
        let draft = Draft::of(&group, ctx);
        self.flight = Some(group);
        self.submit(ctx, move |disk| {
            let batch = draft.build(disk);
            // The handles of what it was made of: there is no need for them while it is written.
            drop(draft);
            batch::write(disk, epoch, batch, durability)
        });
    }

    /// Whether there is something to commit, and nothing in flight.
    pub fn wants_seal(&self) -> bool {
        !self.open.is_empty() && self.flight.is_none()
    }

    /// Whether more is staged than should be while another group is in flight.
    pub fn is_congested(&self) -> bool {
        self.open.bytes > OPEN_GROUP_LIMIT
    }

    /// The second of the server's life.
    pub fn second(&self) -> u64 {
        self.second
    }

    /// The committer wrote the batch of the epoch in flight, which has this size.
    pub fn wrote(&mut self, epoch: Epoch, size: Size) {
        debug_assert_eq!(self.flight.as_ref().map(|flight| flight.epoch), Some(epoch));
        if let Some(group) = &mut self.flight {
            group.written = size;
        }
    }

    /// Has the log synced, unless that is under way already: then it has to be asked for again, for what was written
    /// since that began. Whether it is done.
    pub fn sync(&mut self, ctx: &Context) -> bool {
        let begins = self.syncing == 0;
        if begins {
            self.sync_then(ctx, None);
        }
        begins
    }

    /// Has the log synced, maybe for a checkpoint that waits for it.
    pub fn sync_then(&mut self, ctx: &Context, waits: Option<Checkpoint>) {
        self.syncing += 1;
        self.covered.push_back(self.committed);
        self.syncer.ask(ctx.disk, ctx.reporter, |disk| {
            let result = disk.sync().map_err(|e| e.to_string());
            Report::Synced { result, waits }
        });
    }

    /// Writes a batch that no reply waits for.
    pub fn background(&mut self, ctx: &Context, batch: Batch) {
        self.submit(ctx, move |disk| {
            let result = disk
                .write(batch, Durability::Written, Patience::Wait)
                .map_err(|e| e.to_string());
            Report::Reclaimed(result)
        });
    }

    /// Gives the committer a job, whose report is to be told by [`Commits::answered`].
    pub fn submit(&mut self, ctx: &Context, job: impl FnOnce(&Disk) -> Report + Send + 'static) {
        self.busy += 1;
        self.committer.ask(ctx.disk, ctx.reporter, job);
    }

    /// The committer and the syncer.
    pub fn pools(&self) -> [&Pool; 2] {
        [&self.committer, &self.syncer]
    }

    /// Keeps the syncer from its jobs until it is told.
    #[cfg(test)]
    pub fn hold_syncer(&self, held: std::sync::mpsc::Receiver<()>) {
        self.syncer.run(move || held.recv().unwrap_or(()));
    }

    /// The committer answered one job.
    pub fn answered(&mut self) {
        self.busy -= 1;
    }

    /// The syncer answered one job. The log was synced, or could not be.
    pub fn note_synced(&mut self, has_succeeded: bool) {
        self.syncing -= 1;
        let covered = self.covered.pop_front().unwrap_or(Epoch::NONE);
        if has_succeeded {
            self.synced = self.synced.max(covered);
        }
    }

    /// About how many bytes are staged in epochs that are not settled.
    pub fn unsettled_bytes(&self) -> usize {
        self.open.bytes + self.flight.as_ref().map_or(0, |flight| flight.bytes)
    }

    /// Whether committer and syncer have nothing more to answer.
    pub fn is_quiet(&self) -> bool {
        self.busy == 0 && self.syncing == 0
    }

    /// The epoch after which everything staged so far is decided.
    fn last_staged(&self) -> Epoch {
        match (&self.flight, self.open.is_empty()) {
            (_, false) => self.open.epoch,
            (Some(flight), true) => flight.epoch,
            (None, true) => self.settled,
        }
    }

    /// Whether nothing is staged that is not on disk.
    pub fn is_idle(&self) -> bool {
        self.open.is_empty() && self.flight.is_none()
    }

    /// The epoch in flight is on disk.
    pub fn succeeded(&mut self) -> Option<Journaled> {
        let group = self.flight.take()?;
        (self.settled, self.committed) = (group.epoch, group.epoch);
        if group.sync {
            self.synced = group.epoch;
        }
        self.records_written += group.written.records as u64;
        self.bytes_written += group.written.bytes as u64;
        let journaled = Journaled {
            bytes: group.written.bytes,
            lowest_garbage: group.lowest_garbage,
        };
        self.recycle(group);
        Some(journaled)
    }

    /// The epoch in flight is lost, and with it the open one, which was built on it. Returns them, in the order in which they
    /// are to be taken back.
    pub fn failed(&mut self, text: String) -> impl Iterator<Item = Group> + use<> {
        let next = Group::new(self.next_epoch());
        let open = std::mem::replace(&mut self.open, next);
        let from = self.flight.as_ref().map_or(open.epoch, |flight| flight.epoch);
        let to = open.epoch;
        self.settled = to;
        self.effects.lose(from);
        let lost = [open].into_iter().chain(self.flight.take());
        if let Some(last) = self.failures.last_mut()
            && last.to > self.committed
        {
            // One trouble, not many: so that its beginning is not forgotten however long it lasts.
            (last.to, last.text) = (to, text);
            return lost;
        }
        if self.failures.len() == FAILURES_KEPT {
            self.failures.remove(0);
        }
        self.failures.push(Failure { from, to, text });
        lost
    }

    /// Whether the last epoch that was decided failed.
    pub fn last_failed(&self) -> bool {
        self.failures.last().is_some_and(|last| last.to > self.committed)
    }

    /// The failure that swallowed an epoch, if one did.
    pub fn failure(&self, epoch: Epoch) -> Option<&Failure> {
        self.failures
            .iter()
            .rev()
            .find(|f| (f.from..=f.to).contains(&epoch))
    }

    /// Keeps the allocations of an epoch that is over.
    fn recycle(&mut self, mut group: Group) {
        if group.records.capacity() > KEPT_RECORDS {
            return self.discard(group);
        }
        if self.open.records.capacity() == 0 {
            group.records.clear();
            self.open.records = group.records;
        }
    }

    /// Has something dropped that would take long.
    pub fn discard(&self, large: impl Send + 'static) {
        self.syncer.run(move || drop(large));
    }

    /// CONFIG RESETSTAT.
    pub fn reset_counters(&mut self) {
        (self.commits, self.inline_commits) = (0, 0);
        (self.records_written, self.bytes_written) = (0, 0);
    }
}

/// The batch of a group, unless nothing can be written at present.
fn build(group: &Group, ctx: &Context) -> Result<Batch, String> {
    // While the store is being opened again, even building a batch would wait for it.
    match ctx.health.reason() {
        Some(why) => Err(why.to_owned()),
        None => batch::build(group, ctx),
    }
}

impl Store {
    /// Every epoch up to this one is decided.
    pub fn settled(&self) -> Epoch {
        self.commits.settled
    }

    /// The epoch that takes what is staged now: it is sealed at the end of a tick.
    pub fn open_epoch(&self) -> Epoch {
        self.commits.open.epoch
    }

    /// The epoch after which everything staged so far is decided.
    pub fn last_staged(&self) -> Epoch {
        self.commits.last_staged()
    }

    /// Every epoch up to this one is on stable storage, or lost.
    pub fn synced(&self) -> Epoch {
        match self.commits.is_idle() && self.commits.synced == self.commits.committed {
            // Nothing bears one of the numbers behind it.
            true => self.commits.settled,
            false => self.commits.synced,
        }
    }

    /// Why the writes of an epoch were lost, if they were.
    pub fn failure(&self, epoch: Epoch) -> Option<&Failure> {
        self.commits.failure(epoch)
    }

    /// The commits, and what they have to know of the rest of the store.
    pub(super) fn commit_parts(&mut self) -> (&mut Commits, Context<'_>) {
        let ctx = Context {
            disk: &self.disk,
            hot: &self.hot,
            catalog: &self.catalog,
            health: &self.health,
            reporter: &self.reports.reporter,
        };
        (&mut self.commits, ctx)
    }

    /// Commits what is staged, if nothing is in flight.
    pub(super) fn seal(&mut self, news: &mut News) {
        let (commits, ctx) = self.commit_parts();
        if let Some(result) = commits.seal(&ctx) {
            self.decide(result, news);
        }
    }

    /// The epoch in flight is committed, or lost.
    pub(super) fn decide(&mut self, result: Result<(), String>, news: &mut News) {
        news.settled = true;
        match result {
            Ok(()) => {
                if let Some(journaled) = self.commits.succeeded() {
                    self.checkpoints.committed(journaled);
                }
            }
            Err(why) => {
                self.health.commit_failed(&why);
                self.lose(why);
                self.drop_listings(news);
            }
        }
        self.hot.note_settled(self.commits.settled);
    }

    /// The epoch in flight and the open one are lost. (What the log has of them after all is dropped when the store is opened
    /// again.)
    fn lose(&mut self, why: String) {
        for group in self.commits.failed(why) {
            for Written { key, before, .. } in group.records {
                self.hot.restore(&key, before);
            }
            for (holder, before) in group.namespaces {
                self.catalog.restore(holder, before);
            }
        }
        self.tracking.restore(self.commits.effects.take_lost());
        self.catalog.note_lost();
        self.watches.note_lost(self.commits.settled);
        self.touch_all_awaited();
        self.asides.disturb_all();
        self.expiry.start_over();
    }

    /// Has the store opened again after a failure, if nothing is under way. Called regularly.
    pub fn repair(&mut self) {
        let is_busy =
            self.checkpoints.is_running() || self.upkeep.is_compacting() || !self.commits.is_quiet();
        if is_busy || !self.health.begin_reopening() {
            return;
        }
        let views = self.views.interrupt();
        let (commits, ctx) = self.commit_parts();
        commits.submit(&ctx, move |disk| {
            let reopened = disk.reopen(|close| views.during(close));
            Report::Reopened(reopened.map_err(|e| e.to_string()))
        });
    }

    /// Has everything up to now synced, whatever the durability. Returns the epoch that is settled when it is.
    pub fn sync_all(&mut self) -> Epoch {
        self.commits.open.sync = true;
        self.commits.open.epoch
    }

    /// Has the log synced at the end of the next tick (`appendfsync everysec`).
    pub fn sync_soon(&mut self) {
        self.commits.sync_due = true;
    }

    /// Has the log synced, if that was asked for and can be.
    pub(super) fn sync_if_due(&mut self) {
        if self.commits.sync_due && self.health.is_writable() {
            let (commits, ctx) = self.commit_parts();
            commits.sync_due = !commits.sync(&ctx);
        }
    }
}
