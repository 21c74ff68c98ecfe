//! What the store counts, for INFO.

use super::{Effects, Store};
use crate::disk::format::Family;

/// What is counted of transactions.
#[derive(Default)]
pub struct Totals {
    pub effects: Effects,
    /// Keys changed since the start.
    pub changed: u64,
}

/// The state of the store in numbers, at one moment. Those of RocksDB are sums over the families.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    pub hits: u64,
    pub misses: u64,
    pub expired: u64,
    pub expired_fields: u64,
    /// Keys changed.
    pub changed: u64,
    pub hot_records: usize,
    pub hot_bytes: usize,
    pub hot_budget: usize,
    pub hot_evicted: u64,
    pub fetched: u64,
    pub fetching: usize,
    pub rehearsals: u64,
    pub commits: u64,
    pub inline_commits: u64,
    pub records_written: u64,
    pub bytes_written: u64,
    /// Bytes staged and not yet handed to a commit.
    pub staged_bytes: usize,
    /// So much is staged that what would add to it waits.
    pub is_congested: bool,
    /// Bytes committed to the journal since the last checkpoint began.
    pub journal_bytes: usize,
    pub checkpoints: u64,
    /// Changes that checkpoints took from the journal.
    pub checkpointed_changes: u64,
    pub checkpoint_running: bool,
    pub failed_commits: usize,
    /// Whether the last commit that was decided failed.
    pub last_commit_failed: bool,
    pub reclaim_steps: u64,
    pub reclaimed_records: u64,
    /// How often the space of what was deleted was given back.
    pub compactions: u64,
    pub memtable_bytes: u64,
    pub block_cache_bytes: u64,
    pub table_bytes: u64,
    pub pending_compaction_bytes: u64,
    pub running_flushes: u64,
    pub running_compactions: u64,
    pub writes_stopped: bool,
}

impl Store {
    pub fn figures(&self) -> Figures {
        let (memtable_bytes, block_cache_bytes) = self.disk.memory();
        let sum = |name: &str| {
            Family::ALL
                .into_iter()
                .map(|family| self.disk.property(family, name))
                .sum()
        };
        // These two are about the whole database, whichever family is asked.
        let whole = |name: &str| self.disk.property(Family::Meta, name);
        Figures {
            hits: self.totals.effects.hits,
            misses: self.totals.effects.misses,
            expired: self.totals.effects.expired,
            expired_fields: self.totals.effects.expired_fields,
            changed: self.totals.changed,
            hot_records: self.hot.len(),
            hot_bytes: self.hot.bytes(),
            hot_budget: self.hot.budget(),
            hot_evicted: self.hot.evicted,
            fetched: self.faults.fetch.fetched,
            fetching: self.faults.fetch.in_flight(),
            rehearsals: self.faults.rehearsals.begun,
            commits: self.commits.commits,
            inline_commits: self.commits.inline_commits,
            records_written: self.commits.records_written,
            bytes_written: self.commits.bytes_written,
            staged_bytes: self.commits.open.bytes,
            is_congested: self.is_congested(),
            journal_bytes: self.checkpoints.journal_bytes(),
            checkpoints: self.checkpoints.finished,
            checkpointed_changes: self.checkpoints.changes,
            checkpoint_running: self.checkpoints.is_running(),
            failed_commits: self.commits.failures.len(),
            last_commit_failed: self.commits.last_failed(),
            reclaim_steps: self.reclaim.steps,
            reclaimed_records: self.reclaim.records,
            compactions: self.upkeep.compactions,
            memtable_bytes,
            block_cache_bytes,
            table_bytes: self.disk.table_bytes(),
            pending_compaction_bytes: sum("rocksdb.estimate-pending-compaction-bytes"),
            running_flushes: whole("rocksdb.num-running-flushes"),
            running_compactions: whole("rocksdb.num-running-compactions"),
            writes_stopped: whole("rocksdb.is-write-stopped") != 0,
        }
    }

    /// Keys changed so far.
    pub fn changed(&self) -> u64 {
        self.totals.changed
    }

    /// Forgets the counters that CONFIG RESETSTAT clears.
    pub fn reset_totals(&mut self) {
        self.totals.effects = Effects::default();
        self.hot.evicted = 0;
        self.faults.fetch.fetched = 0;
        self.faults.rehearsals.begun = 0;
        self.commits.reset_counters();
    }
}
