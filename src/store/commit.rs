//! The commit path: what one tick staged becomes one batch, in one write to the log, for everything that waits.
//!
//! Epochs are numbered. At most one is in flight; meanwhile the next one gathers, so the slower the disk, the more one
//! write carries. Small epochs are written by the executor itself where that cannot block; all else by the committer. The
//! log is synced beside that, on a thread of its own: what is written meanwhile does not wait for it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::Sender;

use foldhash::fast::RandomState;

use super::Done;
use super::checkpoint::Journaled;
use super::hot::{Before, Hot, Slot};
use super::threads::{Pool, Wake};
use super::value::Value;
use super::views::Interrupt;
use crate::base::random::Random;
use crate::disk::delta::Known;
use crate::disk::format::{Database, RecordKey};
use crate::disk::{Batch, Builder, Checkpoint, Disk, Durability, Patience, WriteError};

/// Up to this many bytes an epoch is written by the executor, if nothing is in flight: a handover to another thread costs
/// more than the write.
const INLINE_BYTES: usize = 64 << 10;

/// A record is written whole, rather than what changed in it, about each time that its changes have come to so many times
/// its bytes: so nobody who reads it from disk has many to apply. Chosen at random: no pattern of writes can keep it from
/// happening.
const CHANGES_PER_WHOLE: u64 = 4;
/// What a change takes beside its bytes.
const CHANGE_HEAD: usize = 16;
/// A record counts as no longer than this: or there would be very many changes of a long one to apply.
const LONG_RECORD: usize = 16 << 10;
/// Records looked up at once when a batch is built.
const LOOKUPS: usize = 16;

/// An epoch's number begins with the second in which it was opened, counted from the start of the server: so what a
/// record of the hot tier keeps of its last use tells its time, too. The rest of the number is as long as this.
const SEQUENCE_BITS: u32 = 20;
/// Seconds beyond, two years on, no longer count: numbers have to fit into 47 bits.
const LAST_SECOND: u64 = 1 << 26;

/// The second in which an epoch was opened.
pub fn second_of(number: u64) -> u64 {
    number >> SEQUENCE_BITS
}

/// A batch of more bytes is made by the committer: to copy that much would hold the executor.
const BUILT_INLINE: usize = 256 << 10;
/// What an epoch of more records held is dropped by the syncer, and its allocations are not kept: likewise.
const KEPT_RECORDS: usize = 4 << 10;

/// A record of the hot tier that an epoch writes.
pub struct Written {
    pub key: RecordKey,
    /// What it is once the epochs before are written, if memory knew it.
    pub before: Option<Before>,
    /// How the first value that the epoch gave it differs from that.
    pub known: Known,
}

/// What has been staged since the last epoch was sealed.
pub struct Epoch {
    pub number: u64,
    /// Records of the hot tier written in it, each once.
    pub records: Vec<Written>,
    /// Records that are never read one by one, so have no place in the hot tier.
    pub blind: HashMap<RecordKey, Option<Value>, RandomState>,
    pub bytes: usize,
    /// Numbers of the databases whose record changed.
    pub databases: Vec<usize>,
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
    pub records: usize,
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

impl Epoch {
    fn new(number: u64) -> Epoch {
        Epoch {
            number,
            records: Vec::new(),
            blind: HashMap::default(),
            bytes: 0,
            databases: Vec::new(),
            sync: false,
            earliest_deadline: u64::MAX,
            lowest_garbage: u64::MAX,
            written: Size::default(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.blind.is_empty() && self.databases.is_empty() && !self.sync
    }
}

/// Epochs whose writes were lost, and why.
#[derive(Clone, Debug)]
pub struct Failure {
    pub from: u64,
    pub to: u64,
    pub text: String,
}

/// How many failures are remembered for replies that still have to become errors.
const FAILURES_KEPT: usize = 1024;

pub struct Commit {
    committer: Pool,
    syncer: Pool,
    pub open: Epoch,
    pub flight: Option<Epoch>,
    /// Every epoch up to this one has been decided: committed, or failed.
    pub settled: u64,
    pub failures: Vec<Failure>,
    /// The last epoch that was committed.
    committed: u64,
    /// Epochs opened from now on have no lower number.
    lowest: u64,
    /// Jobs the committer has not answered: while there are any, nothing is written inline.
    busy: usize,
    /// Likewise the syncer.
    syncing: usize,
    pub durability: Durability,
    /// A write or a sync failed with this text; writes fail until the store was opened again.
    pub broken: Option<String>,
    pub commits: u64,
    pub inline_commits: u64,
    pub records_written: u64,
    pub bytes_written: u64,
}

/// What a commit has to know of the rest of the store.
pub struct Context<'s> {
    pub disk: &'s Arc<Disk>,
    pub hot: &'s Hot,
    pub databases: &'s [Database],
    pub done: &'s Sender<Done>,
    pub wake: &'s Wake,
}

impl Commit {
    /// `broken`: why nothing can be written to begin with.
    pub fn new(committer: Pool, syncer: Pool, durability: Durability, broken: Option<String>) -> Commit {
        Commit {
            committer,
            syncer,
            open: Epoch::new(1),
            flight: None,
            settled: 0,
            failures: Vec::new(),
            committed: 0,
            lowest: 0,
            busy: 0,
            syncing: 0,
            durability,
            broken,
            commits: 0,
            inline_commits: 0,
            records_written: 0,
            bytes_written: 0,
        }
    }

    /// A second of the server's life begins.
    pub fn begin_second(&mut self, second: u64) {
        self.lowest = second.min(LAST_SECOND) << SEQUENCE_BITS;
        if self.is_idle() && self.open.number < self.lowest {
            // Nothing bears one of the numbers passed over.
            self.settled = self.lowest;
            self.open.number = self.lowest + 1;
        }
    }

    fn next_number(&self) -> u64 {
        self.lowest.max(self.open.number + 1)
    }

    /// Commits the open epoch if none is in flight. `Some` is the result of a commit that is over already.
    pub fn seal(&mut self, ctx: &Context) -> Option<Result<(), String>> {
        if self.open.is_empty() || self.flight.is_some() {
            return None;
        }
        let next = Epoch::new(self.next_number());
        let mut epoch = std::mem::replace(&mut self.open, next);
        let (number, durability) = (epoch.number, self.durability);
        let may_be_inline = self.is_quiet() && durability == Durability::Written && !epoch.sync;
        let durability = if epoch.sync {
            Durability::Synced
        } else {
            durability
        };
        self.commits += 1;
        if epoch.bytes > BUILT_INLINE && self.broken.is_none() {
            let draft = Draft::of(&epoch, ctx);
            self.flight = Some(epoch);
            self.submit(ctx, move |disk| {
                let batch = draft.build(disk);
                // The handles of what it was made of: there is no need for them while it is written.
                drop(draft);
                write(disk, number, batch, durability)
            });
            return None;
        }
        let batch = self.build(&epoch, ctx);
        epoch.written = batch.as_ref().map_or(Size::default(), Size::from);
        self.flight = Some(epoch);
        let mut batch = match batch {
            Ok(batch) => batch,
            Err(text) => return Some(Err(text)),
        };
        if may_be_inline && batch.size() <= INLINE_BYTES {
            let result = ctx.disk.write(batch, Durability::Written, Patience::None);
            if !matches!(result, Err(WriteError::WouldStall)) {
                self.inline_commits += 1;
                return Some(result.map_err(|e| e.to_string()));
            }
            // The batch went with the attempt; nothing has changed since it was built.
            batch = match self.flight.as_ref().map(|epoch| self.build(epoch, ctx)) {
                Some(Ok(batch)) => batch,
                Some(Err(text)) => return Some(Err(text)),
                None => return None,
            };
        }
        self.submit(ctx, move |disk| write(disk, number, Ok(batch), durability));
        None
    }

    /// The committer wrote the batch of the epoch in flight, which has this size.
    pub fn wrote(&mut self, size: Size) {
        if let Some(epoch) = &mut self.flight {
            epoch.written = size;
        }
    }

    fn build(&self, epoch: &Epoch, ctx: &Context) -> Result<Batch, String> {
        // While the store is being opened again, even building a batch would wait for it.
        match &self.broken {
            Some(text) => Err(text.clone()),
            None => build(epoch, ctx),
        }
    }

    /// Has the committer try to make the store writable again, if it is broken and nothing is under way.
    pub fn repair(&mut self, ctx: &Context, views: Interrupt) {
        if self.broken.is_some() && self.is_quiet() {
            self.submit(ctx, move |disk| {
                let reopened = disk.reopen(|close| views.during(close));
                Done::Repaired(reopened.map_err(|e| e.to_string()))
            });
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
        self.syncer.ask(ctx.disk, ctx.done, ctx.wake, |disk| {
            let result = disk.sync().map_err(|e| e.to_string());
            Done::Synced { result, waits }
        });
    }

    /// Writes a batch that no reply waits for.
    pub fn background(&mut self, ctx: &Context, batch: Batch) {
        self.submit(ctx, move |disk| {
            let result = disk
                .write(batch, Durability::Written, Patience::Wait)
                .map_err(|e| e.to_string());
            Done::Reclaimed(result)
        });
    }

    pub fn submit(&mut self, ctx: &Context, job: impl FnOnce(&Disk) -> Done + Send + 'static) {
        self.busy += 1;
        self.committer.ask(ctx.disk, ctx.done, ctx.wake, job);
    }

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

    /// The syncer answered one job.
    pub fn synced(&mut self) {
        self.syncing -= 1;
    }

    /// About how many bytes are staged in epochs that are not settled.
    pub fn unsettled_bytes(&self) -> usize {
        self.open.bytes + self.flight.as_ref().map_or(0, |flight| flight.bytes)
    }

    /// Whether committer and syncer have nothing more to answer.
    pub fn is_quiet(&self) -> bool {
        self.busy == 0 && self.syncing == 0
    }

    pub fn is_idle(&self) -> bool {
        self.open.is_empty() && self.flight.is_none()
    }

    /// The epoch in flight is on disk.
    pub fn succeeded(&mut self) -> Option<Journaled> {
        let epoch = self.flight.take()?;
        (self.settled, self.committed) = (epoch.number, epoch.number);
        self.records_written += epoch.written.records as u64;
        self.bytes_written += epoch.written.bytes as u64;
        let journaled = Journaled {
            bytes: epoch.written.bytes,
            lowest_garbage: epoch.lowest_garbage,
        };
        self.recycle(epoch);
        Some(journaled)
    }

    /// The epoch in flight is lost, and with it the open one, which was built on it. Returns their records, in the order
    /// in which they are to be taken back.
    pub fn failed(&mut self, text: String) -> Vec<Written> {
        let next = Epoch::new(self.next_number());
        let open = std::mem::replace(&mut self.open, next);
        let from = self.flight.as_ref().map_or(open.number, |flight| flight.number);
        let to = open.number;
        self.settled = to;
        let lost = [open].into_iter().chain(self.flight.take());
        let records = lost.flat_map(|epoch| epoch.records).collect();
        if let Some(last) = self.failures.last_mut()
            && last.to > self.committed
        {
            // One trouble, not many: so that its beginning is not forgotten however long it lasts.
            (last.to, last.text) = (to, text);
            return records;
        }
        if self.failures.len() == FAILURES_KEPT {
            self.failures.remove(0);
        }
        self.failures.push(Failure { from, to, text });
        records
    }

    pub fn last_failed(&self) -> bool {
        self.failures.last().is_some_and(|last| last.to > self.committed)
    }

    /// The failure that swallowed an epoch, if one did.
    pub fn failure(&self, epoch: u64) -> Option<&Failure> {
        self.failures
            .iter()
            .rev()
            .find(|f| (f.from..=f.to).contains(&epoch))
    }

    /// Keeps the allocations of an epoch that is over.
    fn recycle(&mut self, mut epoch: Epoch) {
        if epoch.records.capacity() > KEPT_RECORDS {
            return self.discard(epoch);
        }
        if self.open.records.capacity() == 0 {
            epoch.records.clear();
            self.open.records = epoch.records;
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

fn build(epoch: &Epoch, ctx: &Context) -> Result<Batch, String> {
    let mut batch = ctx.disk.journaled_batch(epoch.bytes).map_err(|e| e.0)?;
    let mut chooser = Chooser::new(epoch.number);
    for (written, slot) in written_with_slots(epoch, ctx.hot) {
        let before = written.before.as_ref().and_then(|before| before.value.as_ref());
        chooser.push(
            &mut batch,
            &written.key,
            before,
            slot.value.as_ref(),
            known(written, slot),
        );
    }
    for (key, value) in &epoch.blind {
        put_or_delete(&mut batch, key, value.as_ref());
    }
    for &number in &epoch.databases {
        batch.put(&RecordKey::database(number), &ctx.databases[number].encode());
    }
    Ok(batch.finish())
}

/// What an epoch writes, as the hot tier has it.
fn written_with_slots<'e>(epoch: &'e Epoch, hot: &'e Hot) -> impl Iterator<Item = (&'e Written, &'e Slot)> {
    epoch.records.chunks(LOOKUPS).flat_map(|records| {
        // All lookups first: so they wait for memory side by side.
        let mut slots = [const { None }; LOOKUPS];
        for (slot, Written { key, .. }) in slots.iter_mut().zip(records) {
            // Staged records are never evicted before their epoch is settled.
            *slot = hot.peek(key);
            assert!(slot.is_some(), "{key:?} was evicted while staged");
        }
        records.iter().zip(slots.into_iter().flatten())
    })
}

fn known(written: &Written, slot: &Slot) -> Known {
    match slot.was_rewritten() {
        true => Known::Nothing,
        false => written.known,
    }
}

/// What an epoch writes, for another thread to make a batch of: handles of the values, which are shared.
struct Draft {
    number: u64,
    bytes: usize,
    records: Vec<Drafted>,
    others: Vec<(RecordKey, Option<Value>)>,
}

struct Drafted {
    key: RecordKey,
    before: Option<Value>,
    value: Option<Value>,
    known: Known,
}

impl Draft {
    fn of(epoch: &Epoch, ctx: &Context) -> Draft {
        let records = written_with_slots(epoch, ctx.hot).map(|(written, slot)| Drafted {
            key: written.key.clone(),
            before: written.before.as_ref().and_then(|before| before.value.clone()),
            value: slot.value.clone(),
            known: known(written, slot),
        });
        let blind = epoch
            .blind
            .iter()
            .map(|(key, value)| (key.clone(), value.clone()));
        let databases = epoch.databases.iter().map(|&number| {
            let value = Value::from(&ctx.databases[number].encode()[..]);
            (RecordKey::database(number), Some(value))
        });
        Draft {
            number: epoch.number,
            bytes: epoch.bytes,
            records: records.collect(),
            others: blind.chain(databases).collect(),
        }
    }

    fn build(&self, disk: &Disk) -> Result<Batch, String> {
        let mut batch = disk.journaled_batch(self.bytes).map_err(|e| e.0)?;
        let mut chooser = Chooser::new(self.number);
        for record in &self.records {
            let (before, value) = (record.before.as_ref(), record.value.as_ref());
            chooser.push(&mut batch, &record.key, before, value, record.known);
        }
        for (key, value) in &self.others {
            put_or_delete(&mut batch, key, value.as_ref());
        }
        Ok(batch.finish())
    }
}

/// Chooses between writing a record whole and writing what changed in it.
struct Chooser {
    random: Random,
    operand: Vec<u8>,
}

impl Chooser {
    fn new(seed: u64) -> Chooser {
        Chooser {
            random: Random::from_seed(seed),
            operand: Vec::new(),
        }
    }

    fn push(
        &mut self,
        batch: &mut Builder,
        key: &RecordKey,
        before: Option<&Value>,
        value: Option<&Value>,
        known: Known,
    ) {
        let Chooser { random, operand } = self;
        let change = before.zip(value).and_then(|(before, value)| {
            known.operand(before, value, operand).filter(|change| {
                let most = CHANGES_PER_WHOLE * value.len().min(LONG_RECORD) as u64;
                random.below(most) >= (change.len() + CHANGE_HEAD) as u64
            })
        });
        match change {
            Some(change) => batch.merge(key, change),
            None => put_or_delete(batch, key, value),
        }
    }
}

/// Writes an epoch's batch, and waits for the disk.
fn write(disk: &Disk, epoch: u64, batch: Result<Batch, String>, durability: Durability) -> Done {
    let size = batch.as_ref().map_or(Size::default(), Size::from);
    let result = batch.and_then(|batch| {
        let written = match batch.is_empty() {
            true => disk.sync(),
            false => disk.write(batch, durability, Patience::Wait),
        };
        written.map_err(|e| e.to_string())
    });
    Done::Committed { epoch, size, result }
}

fn put_or_delete(batch: &mut Builder, key: &RecordKey, value: Option<&Value>) {
    match value {
        Some(value) => batch.put(key, value),
        None => batch.delete(key),
    }
}
