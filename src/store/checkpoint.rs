//! When what is committed is brought from the journal to its families.
//!
//! Until then its records stay in the hot tier: so nobody reads a family where it is behind. A checkpoint begins when they
//! or the journal have become large, or when somebody waits for it: a view, that reads the families only.
//!
//! It is prepared on a thread of its own, and installed by the committer, between two commits. Before that, the log is
//! synced if need be.

use super::threads::Pool;
use super::{Done, Store};
use crate::base::log;
use crate::disk::{Checkpoint, WriteError};

/// The share of the hot tier that may wait for a checkpoint before one begins: 1/4. At twice that, clients wait.
const SHARE_OF_HOT: usize = 4;
/// In a hot tier that is very small they may be more than that, in bytes.
const LEAST_STAGED: usize = 64 << 10;

pub struct Checkpoints {
    thread: Pool,
    /// Every epoch up to this one is in its families, or failed.
    pub applied: u64,
    /// The epoch up to which the checkpoint under way is sure to go.
    running: Option<u64>,
    /// The lowest epoch that somebody waits for.
    wanted: Option<u64>,
    /// The second in which the last one began.
    begun: u64,
    /// What was committed since then, and what the one under way takes.
    journal: Journaled,
    leaving: Journaled,
    /// From so many bytes in the journal on, a checkpoint begins; at twice that, clients wait.
    journal_limit: usize,
    pub finished: u64,
    pub changes: u64,
}

/// What the journal holds of some epochs.
#[derive(Clone, Copy)]
pub struct Journaled {
    pub bytes: usize,
    /// The lowest id put to reclaim.
    pub lowest_garbage: u64,
}

const NOTHING: Journaled = Journaled {
    bytes: 0,
    lowest_garbage: u64::MAX,
};

impl Checkpoints {
    pub fn new(thread: Pool, journal_limit: usize) -> Checkpoints {
        Checkpoints {
            thread,
            applied: 0,
            running: None,
            wanted: None,
            begun: 0,
            journal: NOTHING,
            leaving: NOTHING,
            journal_limit,
            finished: 0,
            changes: 0,
        }
    }

    pub fn pool(&self) -> &Pool {
        &self.thread
    }

    pub fn is_running(&self) -> bool {
        self.running.is_some()
    }

    pub fn journal_bytes(&self) -> usize {
        self.journal.bytes
    }

    pub fn committed(&mut self, epoch: Journaled) {
        self.journal.bytes += epoch.bytes;
        self.journal.lowest_garbage = self.journal.lowest_garbage.min(epoch.lowest_garbage);
    }
}

impl Store {
    /// Every epoch up to this one is decided, and what it wrote is where views find it.
    pub fn applied(&self) -> u64 {
        self.checkpoints.applied
    }

    /// Whether [`Store::applied`] has reached an epoch. If not, a checkpoint is wanted that brings it there.
    pub fn want_applied(&mut self, epoch: u64) -> bool {
        self.note_empty_journal();
        if epoch <= self.checkpoints.applied {
            return true;
        }
        let wanted = &mut self.checkpoints.wanted;
        *wanted = Some(wanted.map_or(epoch, |lowest| lowest.min(epoch)));
        false
    }

    /// What is settled is applied if there is nothing of it in the journal: no checkpoint would come for it.
    fn note_empty_journal(&mut self) {
        if !self.checkpoints.is_running() && self.checkpoints.journal.bytes == 0 {
            self.note_applied(self.commit.settled);
        }
    }

    /// Whether so much waits for a checkpoint that clients should wait too. Not for one that cannot be.
    pub(super) fn awaits_checkpoint(&self) -> bool {
        self.commit.broken.is_none() && self.is_much_staged()
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
        if checkpoints.is_running() || self.commit.broken.is_some() || checkpoints.journal.bytes == 0 {
            return false;
        }
        checkpoints
            .wanted
            .is_some_and(|epoch| epoch <= self.commit.settled)
            || self.hot.staged() > self.staged_limit()
            || checkpoints.journal.bytes > checkpoints.journal_limit
    }

    /// Begins a checkpoint if one is due.
    pub(super) fn begin_checkpoint(&mut self) {
        if self.is_checkpoint_due() {
            let checkpoints = &mut self.checkpoints;
            checkpoints.running = Some(self.commit.settled);
            checkpoints.begun = self.second;
            checkpoints.leaving = std::mem::replace(&mut checkpoints.journal, NOTHING);
            self.hot
                .begin_window(self.commit.settled, self.commit.unsettled_bytes());
            self.prepare_checkpoint();
        } else {
            self.note_empty_journal();
        }
    }

    fn prepare_checkpoint(&self) {
        let thread = &self.checkpoints.thread;
        thread.ask(&self.disk, &self.done, &self.wake, |disk| {
            Done::Prepared(disk.prepare_checkpoint())
        });
    }

    pub(super) fn accept_checkpoint(&mut self, prepared: Result<Option<Checkpoint>, WriteError>) {
        match prepared {
            Ok(Some(checkpoint)) if checkpoint.needs_sync() => {
                let (commit, ctx) = self.commit_parts();
                commit.sync_then(&ctx, Some(checkpoint));
            }
            Ok(Some(checkpoint)) => self.install_checkpoint(checkpoint),
            Ok(None) => self.end_checkpoint(Ok(false)),
            Err(error) => self.end_checkpoint(Err(error.to_string())),
        }
    }

    pub(super) fn install_checkpoint(&mut self, checkpoint: Checkpoint) {
        self.checkpoints.changes += checkpoint.changes as u64;
        let (commit, ctx) = self.commit_parts();
        commit.submit(&ctx, move |disk| {
            let more = checkpoint.more;
            Done::Installed(disk.install(checkpoint).map(|()| more).map_err(|e| e.to_string()))
        });
    }

    /// The checkpoint under way came to its end, or to that of one part of it, or failed: then the journal keeps what it
    /// has, and no write is taken before the store was opened again, which includes a checkpoint.
    pub(super) fn end_checkpoint(&mut self, result: Result<bool, String>) {
        match result {
            Ok(true) => self.prepare_checkpoint(),
            Ok(false) => {
                let running = self.checkpoints.running.take();
                self.checkpoints.leaving = NOTHING;
                self.checkpoints.finished += 1;
                self.hot.end_window();
                self.note_applied(running.unwrap_or(self.checkpoints.applied));
                self.hot.make_room(0);
            }
            Err(text) => {
                self.checkpoints.running = None;
                let leaving = std::mem::replace(&mut self.checkpoints.leaving, NOTHING);
                self.checkpoints.committed(leaving);
                log::warning(format_args!("a checkpoint failed, writes are refused: {text}"));
                self.commit.broken.get_or_insert(text);
            }
        }
    }

    /// The store was opened again, and its journal is empty.
    pub(super) fn journal_is_applied(&mut self) {
        self.checkpoints.journal = NOTHING;
        self.hot
            .begin_window(self.commit.settled, self.commit.unsettled_bytes());
        self.hot.end_window();
        self.note_applied(self.commit.settled);
    }

    fn note_applied(&mut self, epoch: u64) {
        let checkpoints = &mut self.checkpoints;
        checkpoints.applied = checkpoints.applied.max(epoch);
        checkpoints.wanted = checkpoints.wanted.filter(|wanted| *wanted > checkpoints.applied);
        self.hot.note_applied(checkpoints.applied);
    }

    /// Reclaim sees what is applied: so now and then that has to be done for its sake.
    pub(super) fn apply_garbage(&mut self) {
        if self.checkpoints.journal.lowest_garbage < u64::MAX && self.second > self.checkpoints.begun {
            self.want_applied(self.commit.settled);
        }
    }

    /// The lowest id put to reclaim that no view can see yet.
    pub(super) fn lowest_unapplied_garbage(&self) -> u64 {
        let flight = self.commit.flight.as_ref();
        let flight = flight.map_or(u64::MAX, |flight| flight.lowest_garbage);
        let staged = flight.min(self.commit.open.lowest_garbage);
        staged
            .min(self.checkpoints.journal.lowest_garbage)
            .min(self.checkpoints.leaving.lowest_garbage)
    }
}
