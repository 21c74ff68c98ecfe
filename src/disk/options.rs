//! How RocksDB is set up, and why.

use std::thread;
use std::time::Duration;

use rocksdb::{
    BlockBasedOptions, Cache, DBCompressionType, DBRecoveryMode, Env, InfoLogger, LogLevel, Options,
};

use super::delta;
use super::format::Family;
use crate::base::process;

/// How blocks of tables are compressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Compression {
    /// Not at all.
    None,
    /// Fast.
    Lz4,
    /// Small.
    Zstd,
}

/// How a store is opened.
#[derive(Clone, Copy, Debug)]
pub struct DiskOptions {
    /// Size in bytes of a memtable before it is written out.
    pub write_buffer: usize,
    /// Size in bytes of the cache of uncompressed blocks, which holds index and filter blocks too.
    pub block_cache: usize,
    /// Most flushes and compactions at a time.
    pub background_jobs: usize,
    /// Of tables from level 2 on.
    pub compression: Compression,
    /// Most tables that are open at a time.
    pub open_tables: u64,
}

/// Bits a key in the filters: a lookup of an absent key reads a block once in a hundred times.
const BLOOM_BITS: f64 = 10.0;
const BLOCK_SIZE: usize = 8 << 10;
/// A family takes at most this many memtables: one open, the others being written out.
const MEMTABLES: i32 = 3;
/// A table in which nearly all of so many records in a row are deletes is compacted, whatever else it holds: they are in the
/// way of walks. (What memtables hold of them is less: it would be a lot of work for each.)
const DELETES_WINDOW: usize = 1 << 16;
const DELETES_DENSE: usize = DELETES_WINDOW / 10 * 9;
/// How much is written between two gentle syncs of a table file, so that none of them is a storm.
const BYTES_PER_SYNC: u64 = 1 << 20;
/// No store has so many tables: 2 TB of them.
const PLENTY_OF_FILES: u64 = 64 << 10;
/// How many tables a store that is only read has open: they are opened as they are needed.
const FILES_TO_READ: i32 = 64;

impl DiskOptions {
    /// One cache of blocks, for all families.
    pub(super) fn cache(&self) -> Cache {
        Cache::new_lru_cache(self.block_cache)
    }

    /// What holds for the database as a whole, when it is written to.
    pub(super) fn database(&self) -> Options {
        let mut o = Options::default();
        o.set_env(&default_env());
        o.set_max_background_jobs(self.background_jobs as i32);
        // All writes come from one thread at a time: what makes concurrent writers fast only costs here.
        o.set_allow_concurrent_memtable_write(false);
        o.set_enable_write_thread_adaptive_yield(false);
        // The log holds at most what the memtables hold, so a start after a crash reads little.
        o.set_max_total_wal_size(2 * self.write_buffer as u64);
        o.set_db_write_buffer_size(2 * self.write_buffer);
        o.set_wal_recovery_mode(DBRecoveryMode::PointInTime);
        // So a log that is not the newest is known to be as long as it was when it was synced.
        o.set_track_and_verify_wals_in_manifest(true);
        o.set_avoid_unnecessary_blocking_io(true);
        o.set_bytes_per_sync(BYTES_PER_SYNC);
        o.set_keep_log_file_num(4);
        // They are most of what an empty store takes.
        o.set_max_log_file_size(512 << 10);
        o.set_stats_persist_period_sec(0);
        o.set_stats_dump_period_sec(0);
        o.set_max_open_files(match self.open_tables {
            // All are opened at the start, and checked to be the ones that they should be.
            PLENTY_OF_FILES.. => -1,
            tables => tables as i32,
        });
        o
    }

    /// For a store that is only read: nothing in its directory is touched.
    pub(super) fn database_to_read(&self) -> Options {
        let mut o = self.database();
        // Without one, RocksDB writes into a file of the directory.
        o.set_info_logger(InfoLogger::new_callback_logger(LogLevel::Fatal, |_, _| {}));
        o.set_max_open_files(FILES_TO_READ);
        o
    }

    /// What holds for one family, when it is written to; `cache` is the one of all families.
    pub(super) fn family(&self, family: Family, cache: &Cache) -> Options {
        let mut o = self.table(family, cache);
        o.set_merge_operator("redkeep.delta", delta::merge, delta::join);
        o.set_write_buffer_size(match family {
            // It is emptied by checkpoints: what is written out of it before is written for nothing.
            Family::Journal => 2 * self.write_buffer,
            _ => self.write_buffer,
        });
        o.set_max_write_buffer_number(MEMTABLES);
        o.set_level_compaction_dynamic_level_bytes(true);
        // Twice RocksDB's: half the compactions, for a filter more to ask in a read of the disk.
        o.set_level_zero_file_num_compaction_trigger(8);
        o.set_target_file_size_base((self.write_buffer as u64).max(8 << 20));
        o.set_max_bytes_for_level_base(8 * self.write_buffer as u64);
        let lower = match self.compression {
            Compression::None => DBCompressionType::None,
            Compression::Lz4 => DBCompressionType::Lz4,
            Compression::Zstd => DBCompressionType::Zstd,
        };
        // Level 0 is rewritten soonest: compressing it would be work for nothing.
        o.set_compression_per_level(&[DBCompressionType::None, DBCompressionType::None, lower]);
        o.add_compact_on_deletion_collector_factory(DELETES_WINDOW, DELETES_DENSE, 0.0);
        o
    }

    /// How a table of the family is written that goes to level 0.
    pub(super) fn table(&self, family: Family, cache: &Cache) -> Options {
        let mut o = Options::default();
        let mut table = BlockBasedOptions::default();
        table.set_block_cache(cache);
        table.set_block_size(BLOCK_SIZE);
        table.set_cache_index_and_filter_blocks(true);
        table.set_pin_l0_filter_and_index_blocks_in_cache(true);
        table.set_format_version(6);
        if !matches!(
            family,
            Family::System | Family::Expire | Family::Gc | Family::Journal
        ) {
            table.set_bloom_filter(BLOOM_BITS, false);
        }
        o.set_block_based_table_factory(&table);
        o.set_compression_type(DBCompressionType::None);
        o
    }
}

/// How much lower than other threads' the priority of those is that compact, as niceness: they yield to all that somebody waits for.
/// Not the lowest that there is, which RocksDB would give them: writes wait for them in the end, also where other programs take
/// all processors.
const COMPACTION_NICENESS: i32 = 10;

/// How long threads of RocksDB that end are given for it.
const TO_END: Duration = Duration::from_millis(50);

impl DiskOptions {
    /// Has RocksDB's threads end and others be started when they are needed: each keeps some memory of all that it ever did.
    /// Blocks for [`TO_END`], in which nothing is flushed or compacted.
    pub(super) fn renew_threads(&self) {
        let mut env = default_env();
        env.set_low_priority_background_threads(0);
        env.set_high_priority_background_threads(0);
        thread::sleep(TO_END);
        env.set_high_priority_background_threads(self.background_jobs as i32);
        self.start_compacting_threads();
    }

    /// Starts the threads that compact. They have the priority of the thread that starts them.
    pub(super) fn start_compacting_threads(&self) {
        let (mut env, threads) = (default_env(), self.background_jobs as i32);
        let starts = move || {
            process::lower_priority(COMPACTION_NICENESS);
            env.set_low_priority_background_threads(threads);
        };
        let starter = thread::Builder::new().name("compact".to_owned()).spawn(starts);
        // Without it RocksDB starts them, with the priority of all others: slower for who waits, not wrong.
        drop(starter.map(thread::JoinHandle::join));
    }
}

/// The one environment of all stores of the process.
fn default_env() -> Env {
    Env::new().unwrap_or_else(|e| unreachable!("RocksDB's default environment: {e}"))
}
