//! The one memory budget: how `maxmemory` is shared out between the hot tier, RocksDB's memtables and block cache,
//! checkpoints, and what clients' buffers hold.

use std::fs;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use super::files::FilePlan;
use super::{Engine, durability};
use crate::base::process;
use crate::config::{self, Config, MemoryShare};
use crate::disk::{self, Compression, Creation, DiskOptions};
use crate::store::{Layout, StoreOptions};

/// Shares of the budget, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryPlan {
    /// The budget: `maxmemory`, or half of the machine's memory.
    pub total: u64,
    /// One memtable; all of them together hold twice as much at most, and a checkpoint as much again.
    pub write_buffer: u64,
    /// RocksDB's cache of blocks of tables.
    pub block_cache: u64,
    /// Hot tier and client buffers.
    pub rest: u64,
    /// What client buffers may take of the rest: if they hold more, clients are evicted.
    pub clients: usize,
}

/// What a memtable may take of the whole: 1/16.
const WRITE_BUFFER_SHARE: u64 = 16;
/// So many times that is taken in all: two memtables may be full at once, the rest is a checkpoint's.
const WRITE_BUFFERS: u64 = 2 + disk::CHECKPOINT_WRITE_BUFFERS as u64;
const BLOCK_CACHE_SHARE: u64 = 8;
/// What client buffers may take of the whole, where `maxmemory-clients` says nothing: a half.
const CLIENT_SHARE: u64 = 2;
/// And so much of any: a few requests of a usual size.
const LEAST_CLIENTS: u64 = 16 << 20;
/// Part of what is left beside RocksDB's that one reply may take on the executor, and the bounds of that.
const LIVE_REPLY_SHARE: u64 = 32;
const LIVE_REPLY: RangeInclusive<u64> = 64 << 10..=16 << 20;
/// The same of what a command that only reads may gather before it answers: above it, it does so beside the others.
const LIVE_GATHERED_SHARE: u64 = 8;
const LIVE_GATHERED: RangeInclusive<u64> = 1 << 20..=32 << 20;
/// And part of the whole that any command may gather.
const GATHERED_SHARE: u64 = 2;
const LEAST_GATHERED: u64 = 4 << 20;
/// What a body over a view that waits for its client takes beside its client's buffers: its stack, and what its walk has read
/// ahead.
const WAITING_VIEW: usize = 256 << 10;
/// The hot tier never gets less, whatever the clients hold.
const LEAST_HOT: u64 = 16 << 10;
/// Assumed where the system does not say how much memory it has.
const FALLBACK_RAM: u64 = 2 << 30;
/// More have to be asked for.
const MAX_FETCH_THREADS: usize = 8;
const LEAST_WRITE_BUFFER: u64 = 64 << 10;
/// Below this budget the heap does without huge pages, of which many are half empty.
const SMALL_BUDGET: u64 = 1 << 30;
/// Above it they are used from so many bytes on that were asked for, and no longer below half of that: what is given back
/// then would come again as huge pages otherwise.
const HUGE_PAGES_FROM: u64 = 64 << 20;

impl MemoryPlan {
    /// The shares as the configuration says, at least the least of each: so together they may be more than a tiny budget.
    pub fn of(config: &Config) -> MemoryPlan {
        let total = match config.maxmemory {
            0 => physical_memory().unwrap_or(FALLBACK_RAM) / 2,
            bytes => bytes,
        };
        let write_buffer = config
            .rocksdb_write_buffer_size
            .min(total / WRITE_BUFFER_SHARE)
            .max(LEAST_WRITE_BUFFER);
        let block_cache = match config.rocksdb_block_cache_size {
            0 => total / BLOCK_CACHE_SHARE,
            bytes => bytes,
        };
        let rest = total.saturating_sub(WRITE_BUFFERS * write_buffer + block_cache);
        let clients = match config.maxmemory_clients {
            MemoryShare::Bytes(0) | MemoryShare::Percent(0) => (total / CLIENT_SHARE).max(LEAST_CLIENTS),
            MemoryShare::Bytes(bytes) => bytes,
            MemoryShare::Percent(percent) => total / 100 * u64::from(percent),
        };
        MemoryPlan {
            total,
            write_buffer,
            block_cache,
            rest,
            clients: usize::try_from(clients).unwrap_or(usize::MAX),
        }
    }

    /// Whether the heap does without huge pages, and gives back what is free sooner.
    pub fn is_small(&self) -> bool {
        self.total < SMALL_BUDGET
    }

    /// Bytes of its own that a reply may take where it is made on the executor.
    pub fn live_reply(&self) -> usize {
        let share = self.rest / LIVE_REPLY_SHARE;
        share.clamp(*LIVE_REPLY.start(), *LIVE_REPLY.end()) as usize
    }

    /// Bytes that a command may gather on the executor, if it can run over a view.
    pub fn live_gathered(&self) -> usize {
        let share = self.rest / LIVE_GATHERED_SHARE;
        share.clamp(*LIVE_GATHERED.start(), *LIVE_GATHERED.end()) as usize
    }

    /// Bytes that any command may gather.
    pub fn gathered(&self) -> usize {
        (self.total / GATHERED_SHARE).max(LEAST_GATHERED) as usize
    }

    /// What is left for the hot tier beside the given bytes of client buffers.
    pub fn hot_budget(&self, clients: u64) -> usize {
        self.rest.saturating_sub(clients).max(LEAST_HOT) as usize
    }
}

/// The fetch pool leaves half of the cores to the executor and to the clients: where there are two, a second thread read no
/// more of the disk's cache, but the slowest hot reads took half as long again.
fn fetch_threads() -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    (cores / 2).clamp(1, MAX_FETCH_THREADS)
}

/// How the store is opened under this configuration.
pub fn store_options(config: &Config) -> StoreOptions {
    let plan = MemoryPlan::of(config);
    StoreOptions {
        disk: DiskOptions {
            write_buffer: plan.write_buffer as usize,
            block_cache: plan.block_cache as usize,
            background_jobs: config.rocksdb_max_background_jobs as usize,
            compression: match config.rocksdb_compression {
                config::Compression::None => Compression::None,
                config::Compression::Lz4 => Compression::Lz4,
                config::Compression::Zstd => Compression::Zstd,
            },
            open_tables: FilePlan::of(process::file_limit(), config.maxclients).tables,
        },
        creation: Creation {
            is_refused: config.require_existing_store,
            beside: beside_the_store(config),
        },
        hot_budget: plan.hot_budget(0),
        fetch_threads: match config.fetch_threads {
            0 => fetch_threads(),
            n => n as usize,
        },
        databases: config.databases as usize,
        layout: Layout::One,
        durability: durability(config.appendfsync),
    }
}

/// Files of the server's own that may be in the store's directory.
pub fn beside_the_store(config: &Config) -> Vec<PathBuf> {
    let files = [&config.logfile, &config.pidfile, &config.unixsocket, &config.load];
    files
        .into_iter()
        .filter(|file| !file.as_os_str().is_empty())
        .cloned()
        .collect()
}

/// Bytes of RAM, from `/proc/meminfo`.
pub fn physical_memory() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

/// How the budget is shared out at present.
pub(super) struct Shares {
    /// The shares as they are without clients.
    pub plan: MemoryPlan,
    /// Bytes of client buffers that the hot tier's share takes into account.
    pub clients: usize,
    /// Client buffers hold too much, and there is nobody to evict.
    pub nobody_can_go: bool,
    uses_huge_pages: bool,
}

impl Shares {
    /// As it is without clients.
    pub fn new(config: &Config) -> Shares {
        Shares {
            plan: MemoryPlan::of(config),
            clients: 0,
            nobody_can_go: false,
            uses_huge_pages: false,
        }
    }
}

impl Engine {
    /// Sees how much memory there is in use. Called each second.
    pub(super) fn look_at_memory(&mut self) {
        let memory = process::memory();
        self.stats.note_memory(memory.used());
        let from = match self.shares.uses_huge_pages {
            true => HUGE_PAGES_FROM / 2,
            false => HUGE_PAGES_FROM,
        };
        let wanted = memory.allocated >= from && !MemoryPlan::of(&self.config).is_small();
        if wanted != self.shares.uses_huge_pages {
            self.shares.uses_huge_pages = wanted;
            process::use_huge_pages(wanted);
        }
    }

    /// Gives the hot tier what `maxmemory` leaves it now. RocksDB's shares are fixed at the start.
    pub fn apply_memory_budget(&mut self) {
        self.shares.plan = MemoryPlan::of(&self.config);
        self.share_out_memory();
        self.enforce_client_share();
    }

    /// Gives the hot tier what client buffers leave it.
    pub(super) fn share_out_memory(&mut self) {
        self.shares.clients = self.clients.buffered_bytes();
        let held = self.shares.clients + self.store.waiting_views() * WAITING_VIEW;
        let hot = self.shares.plan.hot_budget(held as u64);
        self.store.set_hot_budget(hot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_add_up_to_the_whole() {
        for maxmemory in [4 << 20, 256 << 20, 8u64 << 30] {
            let config = Config {
                maxmemory,
                ..Config::default()
            };
            let plan = MemoryPlan::of(&config);
            assert_eq!(
                WRITE_BUFFERS * plan.write_buffer + plan.block_cache + plan.rest,
                maxmemory
            );
            assert!(plan.rest > maxmemory / 2, "{plan:?}");
        }
    }
}
