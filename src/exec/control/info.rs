//! INFO: the server's state in Redis's sections and field names, so that monitoring tools read it, and in four sections
//! of our own: `hottier`, `fetch`, `commit` and `rocksdb`.

use std::fmt::{Display, Write};

use super::{REDIS_VERSION, VERSION, text};
use crate::base::process::{self, Memory};
use crate::exec::pubsub::Kind;
use crate::exec::table::{self, Found};
use crate::exec::{Engine, Session};
use crate::resp::{Args, Reply};
use crate::store::Figures;

/// What the sections are made from, read once for all of them.
struct Source<'e> {
    engine: &'e Engine,
    figures: Figures,
    memory: Memory,
}

struct Section {
    title: &'static str,
    /// Shown unless `all` or its name is asked for.
    by_default: bool,
    write: fn(&Source, &mut Page),
}

const fn section(title: &'static str, write: fn(&Source, &mut Page)) -> Section {
    Section {
        title,
        by_default: true,
        write,
    }
}

const fn on_demand(title: &'static str, write: fn(&Source, &mut Page)) -> Section {
    Section {
        title,
        by_default: false,
        write,
    }
}

const SECTIONS: &[Section] = &[
    section("Server", server),
    section("Clients", clients),
    section("Memory", memory),
    section("Persistence", persistence),
    section("Stats", stats),
    section("Replication", replication),
    section("CPU", cpu),
    section("Modules", |_, _| {}),
    on_demand("Commandstats", command_stats),
    section("Errorstats", error_stats),
    section("Cluster", |_, page| page.field("cluster_enabled", 0)),
    section("Keyspace", keyspace),
    section("Hottier", hot_tier),
    section("Fetch", fetch),
    section("Commit", commit),
    section("Rocksdb", rocksdb),
];

/// The lines of a reply.
#[derive(Default)]
struct Page(String);

impl Page {
    fn heading(&mut self, title: &str) {
        let gap = if self.0.is_empty() { "" } else { "\r\n" };
        self.push(format_args!("{gap}# {title}"));
    }

    fn field(&mut self, name: &str, value: impl Display) {
        self.push(format_args!("{name}:{value}"));
    }

    /// The field in bytes, and again as people read it.
    fn bytes(&mut self, name: &str, bytes: u64) {
        self.field(name, bytes);
        self.push(format_args!("{name}_human:{}", human(bytes)));
    }

    /// Fields that have the same value whatever happens, as there is nothing here that they could be about.
    fn constant(&mut self, names: &[&str], value: impl Display + Copy) {
        for name in names {
            self.field(name, value);
        }
    }

    fn push(&mut self, line: std::fmt::Arguments) {
        // Writing to a string cannot fail.
        let _ = write!(self.0, "{line}\r\n");
    }
}

/// INFO: the sections that are named, or those that are shown by default, as a text of lines `name:value`. Names of no
/// section are passed over.
pub fn info(engine: &mut Engine, _: &mut Session, args: Args) -> Reply {
    let memory = process::memory();
    engine.stats.note_memory(memory.used());
    let source = Source {
        engine,
        figures: engine.store.figures(),
        memory,
    };
    let asked: Vec<String> = args
        .iter()
        .skip(1)
        .map(|name| String::from_utf8_lossy(name).to_lowercase())
        .collect();
    let mut page = Page::default();
    for section in SECTIONS.iter().filter(|section| is_asked(section, &asked)) {
        page.heading(section.title);
        (section.write)(&source, &mut page);
    }
    text(page.0)
}

fn is_asked(section: &Section, asked: &[String]) -> bool {
    let by_name = |name: &String| match name.as_str() {
        "all" | "everything" => true,
        "default" => section.by_default,
        name => section.title.eq_ignore_ascii_case(name),
    };
    if asked.is_empty() {
        section.by_default
    } else {
        asked.iter().any(by_name)
    }
}

fn server(source: &Source, page: &mut Page) {
    let engine = source.engine;
    let uptime = engine.clock.started.elapsed().as_secs();
    let now = engine.clock.now_ms();
    page.field("redis_version", REDIS_VERSION);
    page.field("redkeep_version", VERSION);
    page.constant(&["redis_git_sha1"], "00000000");
    page.constant(&["redis_git_dirty", "redis_build_id"], 0);
    page.field("redis_mode", "standalone");
    page.field("os", process::system());
    page.field("arch_bits", usize::BITS);
    page.field("monotonic_clock", "POSIX clock_gettime");
    page.field("multiplexing_api", "epoll");
    page.field("process_id", std::process::id());
    page.field("process_supervised", "no");
    page.field("run_id", &engine.identity.run_id);
    page.field("tcp_port", engine.config.port);
    page.field("server_time_usec", now * 1000);
    page.field("uptime_in_seconds", uptime);
    page.field("uptime_in_days", uptime / 86_400);
    page.field("hz", engine.config.hz);
    page.field("configured_hz", engine.config.hz);
    page.field("lru_clock", (now / 1000) & 0xff_ffff);
    let executable = std::env::current_exe().unwrap_or_default();
    page.field("executable", executable.display());
    let file = engine.config.config_file.clone().unwrap_or_default();
    page.field("config_file", file.display());
    page.field("io_threads_active", u8::from(engine.config.io_threads > 1));
}

fn clients(source: &Source, page: &mut Page) {
    let clients = &source.engine.clients;
    let largest = |size: fn(&crate::exec::Client) -> usize| clients.iter().map(|c| size(c)).max();
    page.field("connected_clients", clients.len());
    page.field("cluster_connections", 0);
    page.field("maxclients", source.engine.config.maxclients);
    page.field(
        "client_recent_max_input_buffer",
        largest(|c| c.buffers.get().request + c.buffers.get().input).unwrap_or(0),
    );
    page.field(
        "client_recent_max_output_buffer",
        largest(|c| c.buffers.get().output).unwrap_or(0),
    );
    let (clients, waiters) = (source.engine.clients.iter(), &source.engine.waiters);
    let paused = clients.filter(|c| c.paused.get()).count();
    page.field("blocked_clients", paused + waiters.len());
    page.field("tracking_clients", source.engine.tracking_clients);
    page.field("pubsub_clients", source.engine.pubsub.listening());
    let (watching, watched) = source.engine.store.watching();
    page.field("watching_clients", watching);
    page.field("clients_in_timeout_table", waiters.with_deadline());
    page.field("total_watched_keys", watched);
    page.field("total_blocking_keys", waiters.keys());
    page.field("total_blocking_keys_on_nokey", waiters.keys_for_none());
}

fn memory(source: &Source, page: &mut Page) {
    let (memory, figures, config) = (source.memory, &source.figures, &source.engine.config);
    let peak = source.engine.stats.peak_memory;
    let dataset = figures.hot_bytes as u64;
    let used = memory.used();
    let overhead = used.saturating_sub(dataset);
    let percent = |part: u64, whole: u64| format!("{:.2}%", 100.0 * ratio(part, whole));
    page.bytes("used_memory", used);
    page.bytes("used_memory_rss", memory.rss);
    page.bytes("used_memory_peak", peak);
    page.field("used_memory_peak_perc", percent(used, peak));
    page.field("used_memory_overhead", overhead);
    page.field("used_memory_startup", 0);
    page.field("used_memory_dataset", dataset);
    page.field("used_memory_dataset_perc", percent(dataset, used));
    page.field("allocator_allocated", memory.allocated);
    page.field("allocator_active", memory.active);
    page.field("allocator_resident", memory.resident);
    page.bytes("total_system_memory", crate::exec::physical_memory().unwrap_or(0));
    let scripts = source.engine.scripts.figures();
    page.bytes("used_memory_lua", scripts.interpreter as u64);
    page.field("used_memory_vm_eval", scripts.interpreter);
    page.field("used_memory_scripts_eval", scripts.cache);
    page.field("number_of_cached_scripts", scripts.scripts);
    page.field("evicted_scripts", scripts.evicted);
    page.constant(&["number_of_functions"], 0);
    page.bytes("used_memory_scripts", scripts.cache as u64);
    page.bytes("maxmemory", config.maxmemory);
    page.field("maxmemory_policy", config.idle.text("maxmemory-policy"));
    let pairs = [
        ("allocator_frag", memory.active, memory.allocated),
        ("allocator_rss", memory.resident, memory.active),
        ("rss_overhead", memory.rss, memory.resident),
    ];
    for (name, more, less) in pairs {
        page.push(format_args!("{name}_ratio:{:.2}", ratio(more, less)));
        page.push(format_args!("{name}_bytes:{}", difference(more, less)));
    }
    let fragmentation = ratio(memory.rss, used);
    page.field("mem_fragmentation_ratio", format_args!("{fragmentation:.2}"));
    page.field("mem_fragmentation_bytes", difference(memory.rss, used));
    page.field("mem_clients_normal", source.engine.clients.buffered_bytes());
    page.constant(
        &["mem_clients_slaves", "mem_replication_backlog", "mem_aof_buffer"],
        0,
    );
    page.field("mem_allocator", process::allocator());
    let idle = [
        "active_defrag_running",
        "lazyfree_pending_objects",
        "lazyfreed_objects",
    ];
    page.constant(&idle, 0);
}

fn persistence(source: &Source, page: &mut Page) {
    let (saves, figures) = (&source.engine.saves, &source.figures);
    let status = if figures.last_commit_failed { "err" } else { "ok" };
    let saving = &source.engine.saving;
    let progress = saving.progress();
    page.constant(&["loading", "async_loading"], 0);
    let (written, keys) = progress
        .as_ref()
        .map_or((0, 0), |progress| (progress.written, progress.keys));
    page.field("current_save_keys_processed", written);
    page.field("current_save_keys_total", keys);
    let changed = figures.changed - saves.changed;
    page.field("rdb_changes_since_last_save", changed);
    page.field("rdb_bgsave_in_progress", u8::from(progress.is_some()));
    page.field("rdb_last_save_time", saves.at);
    page.field(
        "rdb_last_bgsave_status",
        if saving.has_failed { "err" } else { "ok" },
    );
    let seconds = |seconds: Option<u64>| seconds.map_or(-1, u64::cast_signed);
    page.field("rdb_last_bgsave_time_sec", seconds(saving.last_seconds));
    page.field(
        "rdb_current_bgsave_time_sec",
        seconds(progress.map(|progress| progress.seconds)),
    );
    page.field("rdb_saves", saves.count);
    // Every write is logged, as with an append-only file.
    page.field("aof_enabled", 1);
    page.constant(&["aof_rewrite_in_progress", "aof_rewrite_scheduled"], 0);
    let rewrites = ["aof_last_rewrite_time_sec", "aof_current_rewrite_time_sec"];
    page.constant(&rewrites, -1);
    page.field("aof_last_bgrewrite_status", "ok");
    page.field("aof_last_write_status", status);
    page.field(
        "store_error",
        source
            .engine
            .store
            .broken()
            .unwrap_or_default()
            .replace(['\r', '\n'], " "),
    );
}

fn stats(source: &Source, page: &mut Page) {
    let (stats, figures) = (&source.engine.stats, &source.figures);
    let rates = stats.rates();
    page.field("total_connections_received", stats.connections);
    page.field("total_commands_processed", stats.commands);
    page.field("instantaneous_ops_per_sec", rates.commands as u64);
    page.field("total_net_input_bytes", stats.bytes_in);
    page.field("total_net_output_bytes", stats.bytes_out);
    page.field(
        "instantaneous_input_kbps",
        format_args!("{:.2}", rates.bytes_in / 1024.0),
    );
    page.field(
        "instantaneous_output_kbps",
        format_args!("{:.2}", rates.bytes_out / 1024.0),
    );
    page.field("rejected_connections", stats.rejected_connections);
    page.constant(&["sync_full", "sync_partial_ok", "sync_partial_err"], 0);
    page.field("expired_keys", stats.expired_keys);
    page.field("expired_subkeys", stats.expired_fields);
    page.field("expired_stale_perc", "0.00");
    page.constant(&["expired_time_cap_reached_count", "evicted_keys"], 0);
    page.field("evicted_clients", stats.evicted_clients);
    page.field("keyspace_hits", figures.hits);
    page.field("keyspace_misses", figures.misses);
    let pubsub = &source.engine.pubsub;
    page.field("pubsub_channels", pubsub.count(Kind::Channel));
    page.field("pubsub_patterns", pubsub.count(Kind::Pattern));
    page.field("pubsubshard_channels", pubsub.count(Kind::Shard));
    page.constant(&["latest_fork_usec", "total_forks", "migrate_cached_sockets"], 0);
    let (keys, items, prefixes) = source.engine.store.tracked();
    page.field("tracking_total_keys", keys);
    page.field("tracking_total_items", items);
    page.field("tracking_total_prefixes", prefixes);
    page.field("unexpected_error_replies", 0);
    page.field("total_error_replies", stats.errors);
    page.field("total_reads_processed", stats.reads);
    let clients = &source.engine.clients;
    page.field(
        "client_query_buffer_limit_disconnections",
        clients.over_input.get(),
    );
    page.field(
        "client_output_buffer_limit_disconnections",
        clients.over_output.get(),
    );
}

fn replication(source: &Source, page: &mut Page) {
    page.field("role", "master");
    page.field("connected_slaves", 0);
    page.field("master_failover_state", "no-failover");
    page.field("master_replid", &source.engine.identity.replication_id);
    page.field("master_replid2", "0".repeat(40));
    page.field("master_repl_offset", 0);
    page.field("second_repl_offset", -1);
    page.field("repl_backlog_active", 0);
    page.field(
        "repl_backlog_size",
        source.engine.config.idle.text("repl-backlog-size"),
    );
    page.constant(&["repl_backlog_first_byte_offset", "repl_backlog_histlen"], 0);
}

fn cpu(_: &Source, page: &mut Page) {
    let (process, thread) = (process::process_cpu(), process::thread_cpu());
    let times = [
        ("used_cpu_sys", process.system),
        ("used_cpu_user", process.user),
        ("used_cpu_sys_children", process.children_system),
        ("used_cpu_user_children", process.children_user),
        ("used_cpu_sys_main_thread", thread.system),
        ("used_cpu_user_main_thread", thread.user),
    ];
    for (name, seconds) in times {
        page.field(name, format_args!("{seconds:.6}"));
    }
}

fn command_stats(source: &Source, page: &mut Page) {
    for found in table::all() {
        row_stats(source, page, found, "");
        for sub in found.command.subcommands() {
            if let Some(sub) = found.subcommand(sub.name.as_bytes()) {
                row_stats(source, page, sub, found.command.name);
            }
        }
    }
}

fn row_stats(source: &Source, page: &mut Page, found: Found, container: &str) {
    let row = source.engine.stats.row(found.number);
    if row.calls + row.rejected == 0 {
        return;
    }
    let bar = if container.is_empty() { "" } else { "|" };
    let micros = row.nanoseconds / 1000;
    let each = row.nanoseconds as f64 / 1000.0 / row.calls.max(1) as f64;
    page.push(format_args!(
        "cmdstat_{container}{bar}{}:calls={},usec={micros},usec_per_call={each:.2},rejected_calls={},failed_calls={}",
        found.command.name, row.calls, row.rejected, row.failed
    ));
}

fn error_stats(source: &Source, page: &mut Page) {
    for (code, count) in source.engine.stats.error_codes() {
        page.push(format_args!("errorstat_{code}:count={count}"));
    }
}

fn keyspace(source: &Source, page: &mut Page) {
    for (number, db) in source.engine.store.databases().iter().enumerate() {
        if db.keys > 0 {
            let (keys, expires) = (db.keys, db.expires);
            page.push(format_args!("db{number}:keys={keys},expires={expires},avg_ttl=0"));
        }
    }
}

fn hot_tier(source: &Source, page: &mut Page) {
    let figures = &source.figures;
    page.field("hot_records", figures.hot_records);
    page.bytes("hot_bytes", figures.hot_bytes as u64);
    page.bytes("hot_budget", figures.hot_budget as u64);
    page.field("hot_evicted_records", figures.hot_evicted);
}

fn fetch(source: &Source, page: &mut Page) {
    page.field("faults", source.engine.stats.faults);
    page.field("views", source.engine.stats.views);
    page.field("rehearsals", source.figures.rehearsals);
    page.field("fetched_records", source.figures.fetched);
    page.field("fetching_records", source.figures.fetching);
}

fn commit(source: &Source, page: &mut Page) {
    let figures = &source.figures;
    page.field("commits", figures.commits);
    page.field("inline_commits", figures.inline_commits);
    page.field("committed_records", figures.records_written);
    page.field("committed_bytes", figures.bytes_written);
    page.field("staged_bytes", figures.staged_bytes);
    page.field("congested", u8::from(figures.is_congested));
    page.field("waiting_writes", source.engine.waiting_writes());
    page.field("journal_bytes", figures.journal_bytes);
    page.field("checkpoints", figures.checkpoints);
    page.field("checkpointed_changes", figures.checkpointed_changes);
    page.field("checkpoint_in_progress", u8::from(figures.checkpoint_running));
    page.field("failed_commits", figures.failed_commits);
    page.field("reclaim_steps", figures.reclaim_steps);
    page.field("reclaimed_records", figures.reclaimed_records);
    page.field("space_given_back", figures.compactions);
}

fn rocksdb(source: &Source, page: &mut Page) {
    let figures = &source.figures;
    page.field("memtable_bytes", figures.memtable_bytes);
    page.field("block_cache_bytes", figures.block_cache_bytes);
    page.field("table_file_bytes", figures.table_bytes);
    page.field("pending_compaction_bytes", figures.pending_compaction_bytes);
    page.field("running_flushes", figures.running_flushes);
    page.field("running_compactions", figures.running_compactions);
    page.field("writes_stopped", u8::from(figures.writes_stopped));
}

fn ratio(a: u64, b: u64) -> f64 {
    a as f64 / b.max(1) as f64
}

fn difference(a: u64, b: u64) -> i64 {
    a as i64 - b as i64
}

/// "1.50M".
fn human(bytes: u64) -> String {
    const UNITS: [(u64, char); 5] = [
        (1 << 50, 'P'),
        (1 << 40, 'T'),
        (1 << 30, 'G'),
        (1 << 20, 'M'),
        (1 << 10, 'K'),
    ];
    match UNITS.iter().find(|(unit, _)| bytes >= *unit) {
        Some((unit, letter)) => format!("{:.2}{letter}", ratio(bytes, *unit)),
        None => format!("{bytes}B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_as_people_read_them() {
        assert_eq!(human(0), "0B");
        assert_eq!(human(1023), "1023B");
        assert_eq!(human(1536), "1.50K");
        assert_eq!(human(3 << 30), "3.00G");
    }

    #[test]
    fn sections_are_chosen_by_any_name_once() {
        let shown = |asked: &[&str]| {
            let asked: Vec<String> = asked.iter().map(|name| name.to_string()).collect();
            SECTIONS.iter().filter(|s| is_asked(s, &asked)).count()
        };
        assert_eq!(shown(&[]), SECTIONS.len() - 1);
        assert_eq!(shown(&["default"]), shown(&["default", "cpu"]));
        assert_eq!(shown(&["all"]), SECTIONS.len());
        assert_eq!(shown(&["commandstats"]), 1);
        assert_eq!(shown(&["sentinel"]), 0);
    }
}
