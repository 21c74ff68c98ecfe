//! When what is committed is brought from the journal to its families.
//!
//! Until then its records stay in the hot tier: so nobody reads a family where it is behind. A checkpoint begins when they
//! or the journal have become large, or when somebody waits for it: a view, that reads the families only.
//!
//! It is prepared on a thread of its own, and installed by the committer, between two commits. Before that, the log is
//! synced if need be.

use super::epoch::Epoch;
use super::threads::Pool;
use super::{Report, Store};
use crate::disk::{Checkpoint, WriteError};

/// The share of the hot tier that may wait for a checkpoint before one begins: 1/4. At twice that, clients wait.
const SHARE_OF_HOT: usize = 4;
/// In a hot tier that is very small they may be more than that, in bytes.
const LEAST_STAGED: usize = 64 << 10;

/// The phases of a checkpoint.
///
/// ```text
///   Idle --- is due: takes what the journal holds ---> Preparing <------------+
///    ^                                                 |   |   |              |
///    |                                                 |   |   | can be       |
///    +---- finished: there was nothing to install -----+   |   | installed    | there is more: the
///    |                                                     |   |              | next part
///    |                          the log must be synced     |   |              |
///    |                          before                     v   v              |
///    |                                               Syncing   |              |
///    |                                                  |      |              |
///    |                                           synced |      |              |
///    |                                                  v      v              |
///    +---- finished: its epochs are checkpointed ----- Installing ------------+
///    |
///    +---- failed, in any phase: the journal keeps what was taken, and the store is no longer writable
/// ```
enum Phase {
    /// None is under way.
    Idle,
    /// The checkpoint thread sorts what the journal holds.
    Preparing(Taken),
    /// The syncer syncs the log for it.
    Syncing(Taken),
    /// The committer brings what was prepared to the families.
    Installing(Taken),
}

/// What the checkpoint under way takes from the journal.
#[derive(Clone, Copy)]
struct Taken {
    /// It is sure to come to this epoch.
    up_to: Epoch,
    journal: Journaled,
}

impl Phase {
    fn taken(&self) -> Option<Taken> {
        match self {
            Phase::Idle => None,
            Phase::Preparing(taken) | Phase::Syncing(taken) | Phase::Installing(taken) => Some(*taken),
        }
    }
}

/// How a phase of a checkpoint came to an end that others see.
pub enum Outcome {
    /// A part is installed, and there is more.
    More,
    /// All is where it belongs.
    Finished,
    /// For this reason.
    Failed(String),
}

/// What only the journal has, who waits for that to change, and the checkpoint under way.
pub struct Checkpoints {
    thread: Pool,
    /// Every epoch up to this one is in its families, or failed.
    checkpointed: Epoch,
    phase: Phase,
    /// The lowest epoch that somebody waits for.
    wanted: Option<Epoch>,
    /// The second in which the last one began.
    begun: u64,
    /// What was committed since then.
    journal: Journaled,
    /// From so many bytes in the journal on, a checkpoint begins; at twice that, clients wait.
    journal_limit: usize,
    /// Checkpoints that came to their end.
    pub finished: u64,
    /// Changes that they took from the journal.
    pub changes: u64,
}

/// What the journal holds of some epochs.
#[derive(Clone, Copy)]
pub struct Journaled {
    /// Bytes of the journal records.
    pub bytes: usize,
    /// The lowest id put to reclaim.
    pub lowest_garbage: u64,
}

const NOTHING: Journaled = Journaled {
    bytes: 0,
    lowest_garbage: u64::MAX,
};

impl Checkpoints {
    /// From `journal_limit` bytes in the journal on, a checkpoint begins.
    pub fn new(thread: Pool, journal_limit: usize) -> Checkpoints {
        Checkpoints {
            thread,
            checkpointed: Epoch::NONE,
            phase: Phase::Idle,
            wanted: None,
            begun: 0,
            journal: NOTHING,
            journal_limit,
            finished: 0,
            changes: 0,
        }
    }

    /// The thread that prepares checkpoints.
    pub fn pool(&self) -> &Pool {
        &self.thread
    }

    /// Whether one is under way.
    pub fn is_running(&self) -> bool {
        !matches!(self.phase, Phase::Idle)
    }

    /// Bytes committed to the journal since the last one began.
    pub fn journal_bytes(&self) -> usize {
        self.journal.bytes
    }

    /// An epoch is in the journal, with this.
    pub fn committed(&mut self, epoch: Journaled) {
        self.journal.bytes += epoch.bytes;
        self.journal.lowest_garbage = self.journal.lowest_garbage.min(epoch.lowest_garbage);
    }

    /// From `Idle` to `Preparing`: takes what the journal holds.
    fn begin(&mut self, settled: Epoch, second: u64) {
        self.begun = second;
        self.phase = Phase::Preparing(Taken {
            up_to: settled,
            journal: std::mem::replace(&mut self.journal, NOTHING),
        });
    }

    /// From one phase of the checkpoint under way to another.
    fn enter(&mut self, phase: fn(Taken) -> Phase) {
        if let Some(taken) = self.phase.taken() {
            self.phase = phase(taken);
        }
    }

    /// To `Idle`, at its end. Returns the epoch it came to.
    fn finish(&mut self) -> Epoch {
        let taken = self.phase.taken();
        self.phase = Phase::Idle;
        self.finished += 1;
        taken.map_or(self.checkpointed, |taken| taken.up_to)
    }

    /// To `Idle`, as it failed: the journal keeps what it has.
    fn fail(&mut self) {
        if let Some(taken) = self.phase.taken() {
            self.committed(taken.journal);
        }
        self.phase = Phase::Idle;
    }

    fn note_checkpointed(&mut self, epoch: Epoch) {
        self.checkpointed = self.checkpointed.max(epoch);
        self.wanted = self.wanted.filter(|wanted| *wanted > self.checkpointed);
    }

    /// The lowest id put to reclaim that only the journal has.
    fn lowest_garbage(&self) -> u64 {
        let taken = self
            .phase
            .taken()
            .map_or(u64::MAX, |taken| taken.journal.lowest_garbage);
        taken.min(self.journal.lowest_garbage)
    }
}

impl Store {
    /// Every epoch up to this one is decided, and what it wrote is where views find it.
    pub fn checkpointed(&self) -> Epoch {
        self.checkpoints.checkpointed
    }

    /// Whether [`Store::checkpointed`] has reached an epoch. If not, a checkpoint is wanted that brings it there.
    pub fn want_checkpointed(&mut self, epoch: Epoch) -> bool {
        self.note_empty_journal();
        if epoch <= self.checkpoints.checkpointed {
            return true;
        }
        let wanted = &mut self.checkpoints.wanted;
        *wanted = Some(wanted.map_or(epoch, |lowest| lowest.min(epoch)));
        false
    }

    /// What is settled is checkpointed if there is nothing of it in the journal: no checkpoint would come for it.
    fn note_empty_journal(&mut self) {
        if !self.checkpoints.is_running() && self.checkpoints.journal.bytes == 0 {
            self.note_checkpointed(self.commits.settled);
        }
    }

    /// Whether so much waits for a checkpoint that clients should wait too. Not for one that cannot be.
    pub(super) fn awaits_checkpoint(&self) -> bool {
        self.health.is_writable() && self.is_much_staged()
    }

    fn is_much_staged(&self) -> bool {
        self.hot.staged() > 2 * self.staged_limit()
            || self.checkpoints.journal.bytes > 2 * self.checkpoints.journal_limit
    }

    fn staged_limit(&self) -> usize {
        (self.hot.budget() / SHARE_OF_HOT).max(LEAST_STAGED)
    }

    /// Whether there is reason to begin a checkpoint, and nothing against it.
    pub(super) fn is_checkpoint_due(&self) -> bool {
        let checkpoints = &self.checkpoints;
        if checkpoints.is_running() || !self.health.is_writable() || checkpoints.journal.bytes == 0 {
            return false;
        }
        checkpoints
            .wanted
            .is_some_and(|epoch| epoch <= self.commits.settled)
            || self.hot.staged() > self.staged_limit()
            || checkpoints.journal.bytes > checkpoints.journal_limit
    }

    /// Begins a checkpoint if one is due.
    pub(super) fn begin_checkpoint(&mut self) {
        if self.is_checkpoint_due() {
            let settled = self.commits.settled;
            self.checkpoints.begin(settled, self.commits.second());
            self.hot.begin_window(settled, self.commits.unsettled_bytes());
            self.prepare_checkpoint();
        } else {
            self.note_empty_journal();
        }
    }

    fn prepare_checkpoint(&mut self) {
        self.checkpoints.enter(Phase::Preparing);
        let thread = &self.checkpoints.thread;
        thread.ask(&self.disk, &self.reports.reporter, |disk| {
            Report::Prepared(disk.prepare_checkpoint())
        });
    }

    /// The checkpoint, or a part of it, was prepared.
    pub(super) fn accept_checkpoint(&mut self, prepared: Result<Option<Checkpoint>, WriteError>) {
        match prepared {
            Ok(Some(checkpoint)) if checkpoint.needs_sync() => {
                self.checkpoints.enter(Phase::Syncing);
                let (commits, ctx) = self.commit_parts();
                commits.sync_then(&ctx, Some(checkpoint));
            }
            Ok(Some(checkpoint)) => self.install_checkpoint(checkpoint),
            Ok(None) => self.end_checkpoint(Outcome::Finished),
            Err(error) => self.end_checkpoint(Outcome::Failed(error.to_string())),
        }
    }

    /// Has the committer install what was prepared.
    pub(super) fn install_checkpoint(&mut self, checkpoint: Checkpoint) {
        self.checkpoints.enter(Phase::Installing);
        self.checkpoints.changes += checkpoint.changes as u64;
        let (commits, ctx) = self.commit_parts();
        commits.submit(&ctx, move |disk| {
            let more = checkpoint.more;
            Report::Installed(disk.install(checkpoint).map(|()| more).map_err(|e| e.to_string()))
        });
    }

    /// The checkpoint under way came to its end, or to that of one part of it, or failed: then the journal keeps what it
    /// has, and no write is taken before the store was opened again, which includes a checkpoint.
    pub(super) fn end_checkpoint(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::More => self.prepare_checkpoint(),
            Outcome::Finished => {
                let epoch = self.checkpoints.finish();
                self.hot.end_window();
                self.note_checkpointed(epoch);
                self.hot.make_room(0);
            }
            Outcome::Failed(why) => {
                self.checkpoints.fail();
                self.health.checkpoint_failed(&why);
            }
        }
    }

    /// The store was opened again, and its journal is empty.
    pub(super) fn note_journal_checkpointed(&mut self) {
        self.checkpoints.journal = NOTHING;
        self.hot
            .begin_window(self.commits.settled, self.commits.unsettled_bytes());
        self.hot.end_window();
        self.note_checkpointed(self.commits.settled);
    }

    fn note_checkpointed(&mut self, epoch: Epoch) {
        self.checkpoints.note_checkpointed(epoch);
        self.hot.note_checkpointed(self.checkpoints.checkpointed);
    }

    /// Reclaim sees what is checkpointed: so now and then that has to be done for its sake.
    pub(super) fn checkpoint_garbage(&mut self) {
        if self.checkpoints.journal.lowest_garbage < u64::MAX
            && self.commits.second() > self.checkpoints.begun
        {
            self.want_checkpointed(self.commits.settled);
        }
    }

    /// The lowest id put to reclaim that no view can see yet.
    pub(super) fn lowest_unseen_garbage(&self) -> u64 {
        let flight = self.commits.flight.as_ref();
        let flight = flight.map_or(u64::MAX, |flight| flight.lowest_garbage);
        let staged = flight.min(self.commits.open.lowest_garbage);
        staged.min(self.checkpoints.lowest_garbage())
    }
}
