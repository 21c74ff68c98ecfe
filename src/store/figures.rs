//! What the store counts, for INFO.

use super::Store;
use super::effects::Lookups;
use crate::disk::format::Family;

/// What is counted of transactions.
#[derive(Default)]
pub struct Totals {
    /// Since the start, or since CONFIG RESETSTAT.
    pub lookups: Lookups,
    /// Keys changed since the start.
    pub changed: u64,
}

/// The state of the store in numbers, at one moment. Those of RocksDB are sums over the families.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    /// Lookups that found a key.
    pub hits: u64,
    /// Lookups that found none.
    pub misses: u64,
    /// Keys changed.
    pub changed: u64,
    /// Records in the hot tier.
    pub hot_records: usize,
    /// Bytes that they take.
    pub hot_bytes: usize,
    /// Bytes that they may take.
    pub hot_budget: usize,
    /// Records evicted from it.
    pub hot_evicted: u64,
    /// Records read for requests.
    pub fetched: u64,
    /// Records being read now.
    pub fetching: usize,
    /// Rehearsals begun.
    pub rehearsals: u64,
    /// Epochs sealed.
    pub commits: u64,
    /// Those of them that the executor wrote itself.
    pub inline_commits: u64,
    /// Changes of records in all commits.
    pub records_written: u64,
    /// Bytes of the batches of all commits.
    pub bytes_written: u64,
    /// Bytes staged and not yet handed to a commit.
    pub staged_bytes: usize,
    /// So much is staged that what would add to it waits.
    pub is_congested: bool,
    /// Bytes committed to the journal since the last checkpoint began.
    pub journal_bytes: usize,
    /// Checkpoints that came to their end.
    pub checkpoints: u64,
    /// Changes that checkpoints took from the journal.
    pub checkpointed_changes: u64,
    /// Whether one is under way.
    pub checkpoint_running: bool,
    /// How many failures of commits are remembered.
    pub failed_commits: usize,
    /// Whether the last commit that was decided failed.
    pub last_commit_failed: bool,
    /// Steps that reclaim made.
    pub reclaim_steps: u64,
    /// Deletes in them.
    pub reclaimed_records: u64,
    /// How often the space of what was deleted was given back.
    pub compactions: u64,
    /// Bytes of RocksDB's memtables.
    pub memtable_bytes: u64,
    /// Bytes of its block cache.
    pub block_cache_bytes: u64,
    /// Bytes of its table files.
    pub table_bytes: u64,
    /// Bytes that its compactions have before them, by estimate.
    pub pending_compaction_bytes: u64,
    /// Its flushes under way.
    pub running_flushes: u64,
    /// Its compactions under way.
    pub running_compactions: u64,
    /// Whether it takes no writes before those have caught up.
    pub writes_stopped: bool,
}

impl Store {
    /// The figures of now.
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
            hits: self.totals.lookups.hits,
            misses: self.totals.lookups.misses,
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
        self.totals.lookups = Lookups::default();
        self.hot.evicted = 0;
        self.faults.fetch.fetched = 0;
        self.faults.rehearsals.begun = 0;
        self.commits.reset_counters();
    }
}
