//! Reports: what the store's threads have done, and what follows from each of them.

use std::result::Result;
use std::sync::mpsc::{self, Receiver};

use super::checkpoint::Outcome;
use super::effects::Effect;
use super::fetch::Ticket;
use super::threads::{Reporter, Wake};
use super::{Report, Store};
use crate::disk::Checkpoint;

/// The channel on which reports come in.
pub struct Reports {
    /// The end for threads, to be cloned.
    pub reporter: Reporter,
    /// What they reported.
    pub incoming: Receiver<Report>,
}

impl Reports {
    /// A new channel, whose reporters wake the executor with `wake`.
    pub fn new(wake: Wake) -> Reports {
        let (sender, incoming) = mpsc::channel();
        Reports {
            reporter: Reporter::new(sender, wake),
            incoming,
        }
    }
}

/// What [`Store::end_tick`] found: whom to wake, and what has been caused.
#[derive(Default)]
pub struct News {
    /// Requests whose records are in memory.
    pub ready: Vec<Ticket>,
    /// Epochs were decided: replies can leave.
    pub settled: bool,
    /// The log was synced, or could not be.
    pub synced: bool,
    /// What those that were not lost have caused, in order.
    pub effects: Vec<Effect>,
    /// More of what was committed is where views find it; or that cannot be at present.
    pub checkpointed: bool,
}

impl Store {
    /// Handles reports, hands faults to the fetch pool, commits what is staged, and begins what is due. Called at the end of
    /// a tick and whenever the store's threads wake the executor. `now` is Unix milliseconds.
    pub fn end_tick(&mut self, now: u64) -> News {
        let mut news = News::default();
        let before = (self.checkpointed(), self.health.is_writable());
        while let Ok(report) = self.reports.incoming.try_recv() {
            self.handle_report(report, &mut news, now);
        }
        self.faults.fetch.dispatch(&self.disk, &self.reports.reporter);
        self.seal(&mut news);
        self.begin_rehearsals();
        self.begin_listings(&mut news);
        self.begin_checkpoint();
        news.checkpointed = before != (self.checkpointed(), self.health.is_writable());
        self.sync_if_due();
        let commits = &mut self.commits;
        commits.effects.take_settled(commits.settled, &mut news.effects);
        news
    }

    /// Does what follows from a report.
    pub(super) fn handle_report(&mut self, report: Report, news: &mut News, now: u64) {
        match report {
            Report::Fetched(fetched) => {
                let records = fetched.len();
                self.faults.fetch.accept(fetched, &mut self.hot, &mut news.ready);
                self.hot.make_room(records);
            }
            Report::Rehearsed(rehearsed) => self.accept_rehearsal(rehearsed, &mut news.ready),
            Report::Listed(number, listed) => self.accept_listing(number, listed, news),
            Report::Committed { epoch, size, result } => {
                self.commits.answered();
                self.commits.wrote(epoch, size);
                self.decide(result, news);
            }
            Report::Synced { result, waits } => {
                self.commits.note_synced(result.is_ok());
                news.synced = true;
                self.note_synced(result, waits);
            }
            Report::Due(scan) => self.expiry.accept(scan, now),
            Report::ReclaimStep(step) => self.accept_reclaim(step),
            Report::Reclaimed(result) => {
                self.commits.answered();
                self.reclaim_written(result.is_ok());
            }
            Report::Prepared(checkpoint) => self.accept_checkpoint(checkpoint),
            Report::Installed(result) => {
                self.commits.answered();
                self.end_checkpoint(match result {
                    Ok(true) => Outcome::More,
                    Ok(false) => Outcome::Finished,
                    Err(why) => Outcome::Failed(why),
                });
            }
            Report::Reopened(result) => {
                self.commits.answered();
                let is_open = result.is_ok();
                self.health.reopened(result);
                if is_open {
                    self.note_journal_checkpointed();
                }
            }
            Report::Compacted(result) => self.note_compacted(result),
        }
    }

    /// The log was synced, or could not be.
    pub(super) fn note_synced(&mut self, result: Result<(), String>, waits: Option<Checkpoint>) {
        if let Err(why) = &result {
            self.health.sync_failed(why);
        }
        match (result, waits) {
            (Ok(()), Some(checkpoint)) => self.install_checkpoint(checkpoint),
            (Err(why), Some(_)) => self.end_checkpoint(Outcome::Failed(why)),
            (_, None) => {}
        }
    }
}
