//! MEMORY STATS and its like: where the memory goes. (MEMORY USAGE is about a key: `command::memory`.)

use super::{help as help_lines, text};
use crate::base::process;
use crate::exec::{Engine, Session};
use crate::resp::{Args, Reply};

const HELP: &[&str] = &[
    "MALLOC-STATS",
    "    Return internal statistics report from the memory allocator.",
    "PURGE",
    "    Attempt to purge dirty pages for reclamation by the allocator.",
    "STATS",
    "    Return information about the memory usage of the server.",
    "USAGE <key> [SAMPLES <count>]",
    "    Return memory in bytes used by <key> and its value. Nested values are",
    "    sampled up to <count> times (default: 5, 0 means sample all).",
];

/// MEMORY HELP: a line about each subcommand, as simple strings.
pub fn help(_: &mut Engine, _: &mut Session, _: Args) -> Reply {
    help_lines("MEMORY", HELP)
}

/// MEMORY MALLOC-STATS: the allocator's own report, as a text. An error if it gives none.
pub fn malloc_stats(_: &mut Engine, _: &mut Session, _: Args) -> Reply {
    match process::allocator_report() {
        Ok(report) => text(report),
        Err(error) => Reply::err(format!("ERR {error}")),
    }
}

/// MEMORY PURGE: what is free in the heap goes back to the system now, and not after a while.
pub fn purge(_: &mut Engine, _: &mut Session, _: Args) -> Reply {
    process::release_heap();
    Reply::Ok
}

/// Redis's fields, as far as they mean anything here, and what the store holds.
pub fn stats(engine: &mut Engine, _: &mut Session, _: Args) -> Reply {
    let memory = process::memory();
    let used = memory.used();
    engine.stats.note_memory(used);
    let figures = engine.store.figures();
    let clients = engine.clients.buffered_bytes() as u64;
    let keys: u64 = engine.store.databases().iter().map(|db| db.keys).sum();
    let int = |number: u64| Reply::Int(i64::try_from(number).unwrap_or(i64::MAX));
    let dataset = figures.hot_bytes as u64;
    let ratio = |a: u64, b: u64| Reply::Double(a as f64 / b.max(1) as f64);
    let fields = [
        ("peak.allocated", int(engine.stats.peak_memory)),
        ("total.allocated", int(used)),
        ("replication.backlog", Reply::Int(0)),
        ("clients.slaves", Reply::Int(0)),
        ("clients.normal", int(clients)),
        ("hot.tier", int(dataset)),
        ("rocksdb.memtables", int(figures.memtable_bytes)),
        ("rocksdb.block.cache", int(figures.block_cache_bytes)),
        ("overhead.total", int(used.saturating_sub(dataset))),
        ("keys.count", int(keys)),
        ("hot.records", int(figures.hot_records as u64)),
        ("dataset.bytes", int(dataset)),
        ("allocator.allocated", int(memory.allocated)),
        ("allocator.active", int(memory.active)),
        ("allocator.resident", int(memory.resident)),
        (
            "allocator-fragmentation.ratio",
            ratio(memory.active, memory.allocated),
        ),
        ("fragmentation", ratio(memory.rss, used)),
        ("fragmentation.bytes", int(memory.rss.saturating_sub(used))),
    ];
    let fields = fields.into_iter();
    Reply::Map(fields.map(|(name, value)| (Reply::bulk(name), value)).collect())
}
