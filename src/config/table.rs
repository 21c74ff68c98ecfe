//! The one table of options: the fields of `Config`, the configuration file, the command line, CONFIG
//! GET/SET/REWRITE and the reference are all made from it.
//!
//! A row reads `field: type = kind, "name" | "alias", "default", [flags], "meaning";`. To add an option, add
//! a row; to add a way of writing values, add a kind. Defaults are written as CONFIG SET would take them.

use std::path::PathBuf;

pub use crate::base::log::Level as LogLevel;

use super::{
    kind::{
        BaseName, Choice, Directory, EmptyOnly, FilePath, Hertz, Int, Kind, Memory, MemoryOrPercent,
        MemoryShare, Named, NoOnly, Octal, OneOf, Outcome, Secret, Text, YesNo, named_enum,
    },
    special::{
        Bind, BindAddress, EventClasses, KeyspaceEvents, OomScores, OutputBufferLimits, OutputLimits,
        Percentiles, ReplicaOf, Save, SavePoint, ShutdownFlags,
    },
    user::DefaultUser,
};

/// Properties of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Flags(u8);

impl Flags {
    /// CONFIG SET always refuses, as in Redis.
    pub(super) const IMMUTABLE: Flags = Flags(1);
    /// Fixed at the start, though Redis can change it live: CONFIG SET accepts only the value it has.
    pub(super) const STARTUP: Flags = Flags(1 << 1);
    /// CONFIG SET needs `enable-protected-configs`.
    pub(super) const PROTECTED: Flags = Flags(1 << 2);
    /// Not for logs.
    pub(super) const SENSITIVE: Flags = Flags(1 << 3);
    /// Shown by CONFIG GET only under its exact name.
    pub(super) const HIDDEN: Flags = Flags(1 << 4);
    /// Accepted, stored and shown for compatibility; has no meaning here.
    pub(super) const NO_EFFECT: Flags = Flags(1 << 5);
    /// In configuration files, each further line adds to the value.
    pub(super) const ACCUMULATES: Flags = Flags(1 << 6);
    /// As `NO_EFFECT`, until what it is about is there: the row needs no other change then.
    pub(super) const NOT_YET: Flags = Flags(1 << 7);

    const fn of(flags: &[Flags]) -> Flags {
        let mut bits = 0;
        let mut index = 0;
        while index < flags.len() {
            bits |= flags[index].0;
            index += 1;
        }
        Flags(bits)
    }

    pub(super) const fn has_effect(self) -> bool {
        !self.has(Flags::NO_EFFECT) && !self.has(Flags::NOT_YET)
    }

    pub(super) const fn has(self, flag: Flags) -> bool {
        self.0 & flag.0 != 0
    }
}

/// An option.
pub(super) struct Row {
    pub(super) name: &'static str,
    /// The name it had before.
    pub(super) alias: Option<&'static str>,
    pub(super) group: &'static str,
    pub(super) default: &'static str,
    pub(super) flags: Flags,
    pub(super) meaning: &'static str,
    /// Whether the value is a list of words.
    pub(super) list: bool,
    pub(super) describe: fn() -> String,
    pub(super) set: fn(&mut Config, &[&[u8]]) -> Outcome,
    pub(super) show: fn(&Config) -> Vec<u8>,
    pub(super) lines: fn(&Config) -> Vec<String>,
}

const fn is_list<T, K: Kind<T>>(_: &K) -> bool {
    K::LIST
}

macro_rules! options {
    ($($group:literal { $(
        $field:ident: $type:ty = $kind:expr, $name:literal $(| $alias:literal)?, $default:literal,
        [$($flag:ident)*], $meaning:literal;
    )* })*) => {
        /// The configuration. Each field is the option of that name, with dashes for underscores unless it
        /// says otherwise.
        #[derive(Debug, Clone, PartialEq)]
        pub struct Config {
            /// Where the configuration was read from, and where CONFIG REWRITE writes it.
            pub config_file: Option<PathBuf>,
            /// As a line `user default ...` describes it, if there was one: it wins over `requirepass`.
            pub default_user: Option<DefaultUser>,
            $($(#[doc = $meaning] pub $field: $type,)*)*
        }

        impl Config {
            /// Every field empty, to be filled with the defaults.
            pub(super) fn blank() -> Config {
                Config { config_file: None, default_user: None, $($($field: <$type>::default(),)*)* }
            }
        }

        pub(super) static ROWS: &[Row] = &[$($(Row {
            name: $name,
            alias: options!(@alias $($alias)?),
            group: $group,
            default: $default,
            flags: Flags::of(&[$(Flags::$flag),*]),
            meaning: $meaning,
            list: is_list::<$type, _>(&$kind),
            describe: || Kind::<$type>::describe(&$kind),
            set: |config, words| Kind::<$type>::set(&$kind, &mut config.$field, words),
            show: |config| Kind::<$type>::show(&$kind, &config.$field),
            lines: |config| Kind::<$type>::lines(&$kind, &config.$field),
        },)*)*];
    };
    (@alias) => { None };
    (@alias $alias:literal) => { Some($alias) };
}

const INT: i64 = i32::MAX as i64;
const LONG: i64 = i64::MAX;
const BYTES: u64 = i64::MAX as u64;
const MB: u64 = 1 << 20;
/// Each takes 150 bytes of memory and is looked at by each commit: so many cost 10 MB, and 50 microseconds.
const MOST_DATABASES: i64 = 1 << 16;

named_enum! {
    /// When a write is safe enough to be acknowledged.
    AppendFsync {
        /// In the operating system's hands; on disk within a second.
        #[default]
        EverySec = "everysec",
        /// On disk.
        Always = "always",
        /// In the operating system's hands.
        No = "no",
    }
}

impl Named for LogLevel {
    const NAMES: &'static [(&'static str, LogLevel)] = &[
        ("debug", LogLevel::Debug),
        ("verbose", LogLevel::Verbose),
        ("notice", LogLevel::Notice),
        ("warning", LogLevel::Warning),
        ("nothing", LogLevel::Nothing),
    ];
}

named_enum! {
    /// Who may do something dangerous.
    ProtectedAction {
        #[default]
        No = "no",
        Yes = "yes",
        /// Connections from this machine.
        Local = "local",
    }
}

named_enum! {
    /// Who is told how the server is.
    Supervised {
        #[default]
        No = "no",
        Systemd = "systemd",
        Auto = "auto",
    }
}

impl ProtectedAction {
    pub fn allows(self, client_is_local: bool) -> bool {
        match self {
            ProtectedAction::No => false,
            ProtectedAction::Yes => true,
            ProtectedAction::Local => client_is_local,
        }
    }
}

named_enum! {
    /// How the files of the store are compressed.
    Compression {
        None = "none",
        #[default]
        Lz4 = "lz4",
        Zstd = "zstd",
    }
}

const EVICTION_POLICIES: &[&str] = &[
    "volatile-lru",
    "volatile-lfu",
    "volatile-random",
    "volatile-ttl",
    "allkeys-lru",
    "allkeys-lfu",
    "allkeys-random",
    "noeviction",
];
const SYSLOG_FACILITIES: &[&str] = &[
    "user", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
];

const NO_ACL: &str = "ACL files are not supported: the default user can be described in the configuration file, with \
    'user default ...' or 'requirepass'";
const NO_CLUSTER: &str = "cluster mode is not supported";
const NO_DEFRAG: &str = "Active defragmentation cannot be enabled: it requires a Redis server compiled with \
    a modified Jemalloc like the one shipped by default with the Redis source distribution";

options! {
    "Network" {
        port: u16 = Int(0, 65535), "port", "6379", [], "TCP port to listen on; 0 listens on none.";
        bind: Vec<BindAddress> = Bind, "bind", "* -::*", [],
            "Addresses to listen on: `*` and `::*` are all interfaces, and a `-` in front makes one \
             optional.";
        protected_mode: bool = YesNo, "protected-mode", "yes", [],
            "Without a password, refuse clients from other machines.";
        unixsocket: PathBuf = FilePath, "unixsocket", "", [IMMUTABLE], "Unix socket to listen on as well.";
        unixsocketperm: u32 = Octal, "unixsocketperm", "0", [IMMUTABLE],
            "Permissions of the unix socket; 0 leaves them to the umask.";
        tcp_backlog: u32 = Int(0, INT), "tcp-backlog", "511", [IMMUTABLE],
            "Connections that may wait to be accepted.";
        tcp_keepalive: u32 = Int(0, INT), "tcp-keepalive", "300", [],
            "Seconds between probes of an idle connection; 0 sends none.";
        timeout: u32 = Int(0, INT), "timeout", "0", [],
            "Seconds after which an idle client is disconnected; 0 never.";
        maxclients: u32 = Int(1, u32::MAX as i64), "maxclients", "10000", [], "Connections at the same time.";
        io_threads: u32 = Int(0, 128), "io-threads", "0", [IMMUTABLE],
            "Threads that read and write sockets; 0 chooses: 1 on up to 4 cores.";
    }

    "Security" {
        requirepass: Vec<u8> = Secret, "requirepass", "", [SENSITIVE],
            "Password that clients must give with AUTH.";
        enable_debug_command: ProtectedAction = Choice, "enable-debug-command", "no", [IMMUTABLE],
            "Who may use DEBUG; `local` is clients on this machine.";
        enable_protected_configs: ProtectedAction = Choice, "enable-protected-configs", "no", [IMMUTABLE],
            "Who may change protected options.";
    }

    "Server" {
        dir: PathBuf = Directory, "dir", ".", [STARTUP PROTECTED], "Directory of the store.";
        require_existing_store: bool = YesNo, "require-existing-store", "no", [STARTUP],
            "Do not start where `dir` holds no store, as it does when a disk is not mounted, rather than make one.";
        databases: u32 = Int(1, MOST_DATABASES), "databases", "16", [IMMUTABLE],
            "Databases that SELECT can choose from.";
        logfile: PathBuf = FilePath, "logfile", "", [IMMUTABLE], "File to log to; empty is standard output.";
        loglevel: LogLevel = Choice, "loglevel", "notice", [], "The least severe message that is logged.";
        pidfile: PathBuf = FilePath, "pidfile", "", [IMMUTABLE],
            "File that holds the process id while the server runs.";
        daemonize: bool = YesNo, "daemonize", "no", [IMMUTABLE],
            "Run in the background; see `pidfile` and `logfile`.";
        supervised: Supervised = Choice, "supervised", "no", [IMMUTABLE],
            "The service manager that is told when the server is ready, and when it ends; `auto` is systemd if it \
             has started the server. Then `daemonize` does not count.";
        hz: u32 = Hertz, "hz", "10", [], "How many times a second background tasks run.";
    }

    "Durability" {
        appendfsync: AppendFsync = Choice, "appendfsync", "everysec", [],
            "When a write is acknowledged: once it is fsynced (`always`), or once the operating system has \
             it, which fsyncs each second (`everysec`) or at will (`no`).";
    }

    "Memory" {
        maxmemory: u64 = Memory(0, u64::MAX), "maxmemory", "0", [],
            "Budget of hot tier, block cache, memtables and client buffers together; 0 is half of the \
             machine's RAM.";
        maxmemory_clients: MemoryShare = MemoryOrPercent, "maxmemory-clients", "0", [],
            "What the buffers of all clients may hold together, in bytes or as a percentage of `maxmemory`: \
             above it the clients with the largest are disconnected. 0 is half of `maxmemory`.";
        proto_max_bulk_len: u64 = Memory(MB, BYTES), "proto-max-bulk-len", "512mb", [],
            "Longest argument of a request.";
        client_query_buffer_limit: u64 = Memory(MB, BYTES), "client-query-buffer-limit", "1gb", [],
            "Longest request.";
        client_output_buffer_limit: OutputLimits = OutputBufferLimits,
            "client-output-buffer-limit", "normal 0 0 0 replica 256mb 64mb 60 pubsub 32mb 8mb 60", [],
            "Disconnect a client of a class when more than the hard limit waits to be sent to it, or more \
             than the soft limit for that many seconds. All clients are `normal` ones so far.";
    }

    "Storage" {
        fetch_threads: u32 = Int(0, 64), "fetch-threads", "0", [STARTUP],
            "Threads that read from disk what memory does not hold; 0 is one for every two cores.";
        rocksdb_write_buffer_size: u64 = Memory(64 << 10, 4 << 30),
            "rocksdb-write-buffer-size", "32mb", [STARTUP], "Size at which what was written goes from the journal, or a memtable, to tables.";
        rocksdb_block_cache_size: u64 = Memory(0, BYTES), "rocksdb-block-cache-size", "0", [STARTUP],
            "Cache of blocks read from disk; 0 is a share of `maxmemory`.";
        rocksdb_max_background_jobs: u32 = Int(1, 64), "rocksdb-max-background-jobs", "2", [STARTUP],
            "Flushes and compactions at the same time.";
        rocksdb_compression: Compression = Choice, "rocksdb-compression", "lz4", [STARTUP],
            "Compression of the store's files.";
    }

    "Expiry" {
        active_expire_effort: u32 = Int(1, 10), "active-expire-effort", "1", [],
            "How much time background expiry may take: 1 is little, 10 a lot.";
    }

    "Events and monitoring" {
        notify_keyspace_events: KeyspaceEvents = EventClasses, "notify-keyspace-events", "", [NOT_YET],
            "Classes of keyspace events to publish, in Redis's letters.";
        slowlog_log_slower_than: i64 = Int(-1, LONG),
            "slowlog-log-slower-than" | "commandlog-execution-slower-than", "10000", [],
            "Microseconds from which a command is logged as slow; -1 logs none.";
        slowlog_max_len: u64 = Int(0, LONG), "slowlog-max-len" | "commandlog-slow-execution-max-len", "128", [],
            "Entries the slow log keeps.";
        latency_monitor_threshold: u64 = Int(0, LONG), "latency-monitor-threshold", "0", [NOT_YET],
            "Milliseconds from which an event is recorded for LATENCY; 0 records none.";
        busy_reply_threshold: u64 = Int(0, LONG), "busy-reply-threshold" | "lua-time-limit", "5000", [NOT_YET],
            "Milliseconds after which other clients are told that a script is busy.";
        tracking_table_max_keys: u64 = Int(0, LONG), "tracking-table-max-keys", "1000000", [NOT_YET],
            "Keys that the table of client-side caching remembers.";
    }

    "Data structures" {
        hash_max_listpack_entries: u64 = Int(0, LONG),
            "hash-max-listpack-entries" | "hash-max-ziplist-entries", "512", [NOT_YET],
            "Fields up to which a hash is kept in one record.";
        hash_max_listpack_value: u64 = Memory(0, BYTES),
            "hash-max-listpack-value" | "hash-max-ziplist-value", "64", [NOT_YET],
            "Longest field or value in such a hash.";
        list_max_listpack_size: i32 = Int(i32::MIN as i64, INT),
            "list-max-listpack-size" | "list-max-ziplist-size", "-2", [NOT_YET],
            "Entries in a chunk of a list, or, from -1 to -5, a size of 4 to 64 KB.";
        set_max_intset_entries: u64 = Int(0, LONG), "set-max-intset-entries", "512", [NOT_YET],
            "Integers up to which a set of integers is kept in one record.";
        set_max_listpack_entries: u64 = Int(0, LONG), "set-max-listpack-entries", "128", [NOT_YET],
            "Members up to which a set is kept in one record.";
        set_max_listpack_value: u64 = Int(0, LONG), "set-max-listpack-value", "64", [NOT_YET],
            "Longest member in such a set.";
        zset_max_listpack_entries: u64 = Int(0, LONG),
            "zset-max-listpack-entries" | "zset-max-ziplist-entries", "128", [NOT_YET],
            "Members up to which a sorted set is kept in one record.";
        zset_max_listpack_value: u64 = Memory(0, BYTES),
            "zset-max-listpack-value" | "zset-max-ziplist-value", "64", [NOT_YET],
            "Longest member in such a sorted set.";
        hll_sparse_max_bytes: u64 = Memory(0, BYTES), "hll-sparse-max-bytes", "3000", [NOT_YET],
            "Size up to which a HyperLogLog is sparse.";
        stream_node_max_bytes: u64 = Memory(0, BYTES), "stream-node-max-bytes", "4096", [NOT_YET],
            "Bytes in a chunk of a stream; 0 is no limit.";
        stream_node_max_entries: u64 = Int(0, LONG), "stream-node-max-entries", "100", [NOT_YET],
            "Entries in a chunk of a stream; 0 is no limit.";
    }

    "Snapshots and append-only file" {
        appendonly: bool = YesNo, "appendonly", "yes", [NO_EFFECT], "Every write is always logged.";
        save: Vec<SavePoint> = Save, "save", "", [NO_EFFECT ACCUMULATES],
            "There are no snapshots to schedule.";
        dbfilename: String = BaseName { option: "dbfilename", what: "filename", may_be_empty: true },
            "dbfilename", "dump.rdb", [PROTECTED NO_EFFECT], "There is no snapshot file.";
        appendfilename: String = BaseName { option: "appendfilename", what: "filename", may_be_empty: false },
            "appendfilename", "appendonly.aof", [IMMUTABLE NO_EFFECT], "There is no append-only file.";
        appenddirname: String = BaseName { option: "appenddirname", what: "dirname", may_be_empty: false },
            "appenddirname", "appendonlydir", [IMMUTABLE NO_EFFECT], "There is no append-only file.";
        rdbcompression: bool = YesNo, "rdbcompression", "yes", [NO_EFFECT], "See `rocksdb-compression`.";
        rdbchecksum: bool = YesNo, "rdbchecksum", "yes", [IMMUTABLE NO_EFFECT],
            "The store is always checksummed.";
        rdb_save_incremental_fsync: bool = YesNo, "rdb-save-incremental-fsync", "yes", [NO_EFFECT],
            "There are no snapshots.";
        rdb_del_sync_files: bool = YesNo, "rdb-del-sync-files", "no", [NO_EFFECT], "There are no snapshots.";
        rdb_key_save_delay: i32 = Int(i32::MIN as i64, INT), "rdb-key-save-delay", "0", [HIDDEN NO_EFFECT],
            "There are no snapshots.";
        stop_writes_on_bgsave_error: bool = YesNo, "stop-writes-on-bgsave-error", "yes", [NO_EFFECT],
            "A write that cannot be stored is an error, and the next one is tried again.";
        sanitize_dump_payload: &'static str = OneOf(&["no", "yes", "clients"]),
            "sanitize-dump-payload", "no", [NO_EFFECT], "Payloads are always checked.";
        no_appendfsync_on_rewrite: bool = YesNo, "no-appendfsync-on-rewrite", "no", [NO_EFFECT],
            "There are no rewrites.";
        auto_aof_rewrite_percentage: u32 = Int(0, INT), "auto-aof-rewrite-percentage", "100", [NO_EFFECT],
            "There are no rewrites.";
        auto_aof_rewrite_min_size: u64 = Memory(0, BYTES), "auto-aof-rewrite-min-size", "64mb", [NO_EFFECT],
            "There are no rewrites.";
        aof_rewrite_incremental_fsync: bool = YesNo, "aof-rewrite-incremental-fsync", "yes", [NO_EFFECT],
            "There are no rewrites.";
        aof_load_truncated: bool = YesNo, "aof-load-truncated", "yes", [NO_EFFECT],
            "There is no append-only file.";
        aof_use_rdb_preamble: bool = YesNo, "aof-use-rdb-preamble", "yes", [NO_EFFECT],
            "There is no append-only file.";
        aof_timestamp_enabled: bool = YesNo, "aof-timestamp-enabled", "no", [NO_EFFECT],
            "There is no append-only file.";
        aof_disable_auto_gc: bool = YesNo, "aof-disable-auto-gc", "no", [HIDDEN NO_EFFECT],
            "There is no append-only file.";
        key_load_delay: i32 = Int(i32::MIN as i64, INT), "key-load-delay", "0", [HIDDEN NO_EFFECT],
            "A start loads no keys.";
        loading_process_events_interval_bytes: u32 = Int(1024, INT),
            "loading-process-events-interval-bytes", "2097152", [HIDDEN NO_EFFECT], "A start loads no keys.";
    }

    "Memory management" {
        maxmemory_policy: &'static str = OneOf(EVICTION_POLICIES),
            "maxmemory-policy", "noeviction", [NO_EFFECT], "Data is never evicted from disk.";
        maxmemory_samples: u32 = Int(1, INT), "maxmemory-samples", "5", [NO_EFFECT], "Nothing is evicted.";
        maxmemory_eviction_tenacity: u32 = Int(0, 100), "maxmemory-eviction-tenacity", "10", [NO_EFFECT],
            "Nothing is evicted.";
        lazyfree_lazy_eviction: bool = YesNo, "lazyfree-lazy-eviction", "no", [NO_EFFECT],
            "Deleting never blocks.";
        lazyfree_lazy_expire: bool = YesNo, "lazyfree-lazy-expire", "no", [NO_EFFECT],
            "Deleting never blocks.";
        lazyfree_lazy_server_del: bool = YesNo, "lazyfree-lazy-server-del", "no", [NO_EFFECT],
            "Deleting never blocks.";
        lazyfree_lazy_user_del: bool = YesNo, "lazyfree-lazy-user-del", "no", [NO_EFFECT],
            "Deleting never blocks.";
        lazyfree_lazy_user_flush: bool = YesNo, "lazyfree-lazy-user-flush", "no", [NO_EFFECT],
            "Deleting never blocks.";
        list_compress_depth: u32 = Int(0, INT), "list-compress-depth", "0", [NO_EFFECT],
            "See `rocksdb-compression`.";
        lfu_log_factor: u32 = Int(0, INT), "lfu-log-factor", "10", [NO_EFFECT], "Nothing is evicted.";
        lfu_decay_time: u32 = Int(0, INT), "lfu-decay-time", "1", [NO_EFFECT], "Nothing is evicted.";
        activerehashing: bool = YesNo, "activerehashing", "yes", [NO_EFFECT],
            "The keyspace is not a hash table.";
        activedefrag: bool = NoOnly(NO_DEFRAG), "activedefrag", "no", [NO_EFFECT],
            "There is no defragmentation.";
        active_defrag_ignore_bytes: u64 = Memory(1, BYTES),
            "active-defrag-ignore-bytes", "100mb", [NO_EFFECT], "There is no defragmentation.";
        active_defrag_threshold_lower: u32 = Int(0, 1000), "active-defrag-threshold-lower", "10", [NO_EFFECT],
            "There is no defragmentation.";
        active_defrag_threshold_upper: u32 = Int(0, 1000),
            "active-defrag-threshold-upper", "100", [NO_EFFECT], "There is no defragmentation.";
        active_defrag_cycle_min: u32 = Int(1, 99), "active-defrag-cycle-min", "1", [NO_EFFECT],
            "There is no defragmentation.";
        active_defrag_cycle_max: u32 = Int(1, 99), "active-defrag-cycle-max", "25", [NO_EFFECT],
            "There is no defragmentation.";
        active_defrag_max_scan_fields: u64 = Int(1, LONG),
            "active-defrag-max-scan-fields", "1000", [NO_EFFECT], "There is no defragmentation.";
        jemalloc_bg_thread: bool = YesNo, "jemalloc-bg-thread", "yes", [NO_EFFECT], "Left to the allocator.";
        disable_thp: bool = YesNo, "disable-thp", "yes", [IMMUTABLE NO_EFFECT],
            "Huge pages are used if `maxmemory` is at least 1 GB: nothing is forked.";
        oom_score_adj: &'static str = OneOf(&["no", "yes", "relative", "absolute"]),
            "oom-score-adj", "no", [NO_EFFECT], "Left to the service manager.";
        oom_score_adj_values: [i64; 3] = OomScores, "oom-score-adj-values", "0 200 800", [NO_EFFECT],
            "Left to the service manager.";
    }

    "Process and log" {
        syslog_enabled: bool = YesNo, "syslog-enabled", "no", [IMMUTABLE NO_EFFECT],
            "There is no logging to syslog.";
        syslog_ident: String = Text, "syslog-ident", "redkeep", [IMMUTABLE NO_EFFECT],
            "There is no logging to syslog.";
        syslog_facility: &'static str = OneOf(SYSLOG_FACILITIES),
            "syslog-facility", "local0", [IMMUTABLE NO_EFFECT], "There is no logging to syslog.";
        always_show_logo: bool = YesNo, "always-show-logo", "no", [IMMUTABLE NO_EFFECT], "There is no logo.";
        set_proc_title: bool = YesNo, "set-proc-title", "yes", [IMMUTABLE NO_EFFECT],
            "The process title stays as it is.";
        proc_title_template: String = Text,
            "proc-title-template", "{title} {listen-addr} {server-mode}", [NO_EFFECT],
            "The process title stays as it is.";
        crash_log_enabled: bool = YesNo, "crash-log-enabled", "yes", [NO_EFFECT], "A crash is always logged.";
        crash_memcheck_enabled: bool = YesNo, "crash-memcheck-enabled", "yes", [NO_EFFECT],
            "There is no memory test.";
        use_exit_on_panic: bool = YesNo, "use-exit-on-panic", "no", [HIDDEN NO_EFFECT],
            "For Redis's own tests.";
        watchdog_period: u32 = Int(0, INT), "watchdog-period", "0", [HIDDEN NO_EFFECT],
            "There is no watchdog.";
        shutdown_timeout: u32 = Int(0, INT), "shutdown-timeout", "10", [NO_EFFECT],
            "A shutdown waits for no replica.";
        shutdown_on_sigint: Vec<&'static str> = ShutdownFlags, "shutdown-on-sigint", "default", [NO_EFFECT],
            "A shutdown always keeps all data.";
        shutdown_on_sigterm: Vec<&'static str> = ShutdownFlags, "shutdown-on-sigterm", "default", [NO_EFFECT],
            "A shutdown always keeps all data.";
        ignore_warnings: String = Text, "ignore-warnings", "", [NO_EFFECT],
            "No check of the system stops the start.";
        locale_collate: String = Text, "locale-collate", "", [NO_EFFECT], "SORT compares bytes.";
        dynamic_hz: bool = YesNo, "dynamic-hz", "yes", [NO_EFFECT], "`hz` stays as it is.";
        io_threads_do_reads: bool = YesNo, "io-threads-do-reads", "no", [IMMUTABLE NO_EFFECT],
            "I/O threads always read.";
        server_cpulist: String = Text, "server_cpulist" | "server-cpulist", "", [IMMUTABLE NO_EFFECT],
            "Left to the service manager.";
        bio_cpulist: String = Text, "bio_cpulist" | "bio-cpulist", "", [IMMUTABLE NO_EFFECT], "Left to the service manager.";
        aof_rewrite_cpulist: String = Text, "aof_rewrite_cpulist" | "aof-rewrite-cpulist", "", [IMMUTABLE NO_EFFECT],
            "There are no rewrites.";
        bgsave_cpulist: String = Text, "bgsave_cpulist" | "bgsave-cpulist", "", [IMMUTABLE NO_EFFECT], "There are no snapshots.";
        socket_mark_id: u32 = Int(0, u32::MAX as i64), "socket-mark-id", "0", [IMMUTABLE NO_EFFECT],
            "Sockets are not marked.";
        bind_source_addr: String = Text, "bind-source-addr", "", [NO_EFFECT],
            "There are no outgoing connections.";
        enable_module_command: ProtectedAction = Choice, "enable-module-command", "no", [IMMUTABLE NO_EFFECT],
            "There are no modules.";
        latency_tracking: bool = YesNo, "latency-tracking", "yes", [NO_EFFECT],
            "Latencies are not kept per command.";
        latency_tracking_info_percentiles: Vec<f64> = Percentiles,
            "latency-tracking-info-percentiles", "50 99 99.9", [NO_EFFECT],
            "Latencies are not kept per command.";
        commandlog_request_larger_than: i64 = Int(-1, LONG),
            "commandlog-request-larger-than", "1048576", [NO_EFFECT], "Only slow commands are logged.";
        commandlog_large_request_max_len: u64 = Int(0, LONG),
            "commandlog-large-request-max-len", "128", [NO_EFFECT], "Only slow commands are logged.";
        commandlog_reply_larger_than: i64 = Int(-1, LONG),
            "commandlog-reply-larger-than", "1048576", [NO_EFFECT], "Only slow commands are logged.";
        commandlog_large_reply_max_len: u64 = Int(0, LONG),
            "commandlog-large-reply-max-len", "128", [NO_EFFECT], "Only slow commands are logged.";
        propagation_error_behavior: &'static str = OneOf(&["ignore", "panic", "panic-on-replicas"]),
            "propagation-error-behavior", "ignore", [NO_EFFECT], "There is no replication.";
        aclfile: String = EmptyOnly(NO_ACL), "aclfile", "", [IMMUTABLE NO_EFFECT],
            "There is only the default user.";
        acllog_max_len: u64 = Int(0, LONG), "acllog-max-len", "128", [NO_EFFECT],
            "There is only the default user.";
        acl_pubsub_default: &'static str = OneOf(&["allchannels", "resetchannels"]),
            "acl-pubsub-default", "resetchannels", [NO_EFFECT], "There is only the default user.";
    }

    "Replication" {
        replicaof: String = ReplicaOf, "replicaof" | "slaveof", "no one", [IMMUTABLE NO_EFFECT],
            "There is no replication.";
        masterauth: Vec<u8> = Secret, "masterauth" | "primaryauth", "", [SENSITIVE NO_EFFECT], "There is no replication.";
        masteruser: String = Text, "masteruser" | "primaryuser", "", [SENSITIVE NO_EFFECT], "There is no replication.";
        replica_serve_stale_data: bool = YesNo,
            "replica-serve-stale-data" | "slave-serve-stale-data", "yes", [NO_EFFECT],
            "There is no replication.";
        replica_read_only: bool = YesNo, "replica-read-only" | "slave-read-only", "yes", [NO_EFFECT],
            "There is no replication.";
        replica_lazy_flush: bool = YesNo, "replica-lazy-flush" | "slave-lazy-flush", "no", [NO_EFFECT],
            "There is no replication.";
        replica_ignore_maxmemory: bool = YesNo,
            "replica-ignore-maxmemory" | "slave-ignore-maxmemory", "yes", [NO_EFFECT],
            "There is no replication.";
        replica_ignore_disk_write_errors: bool = YesNo, "replica-ignore-disk-write-errors", "no", [NO_EFFECT],
            "There is no replication.";
        replica_priority: u32 = Int(0, INT), "replica-priority" | "slave-priority", "100", [NO_EFFECT],
            "There is no replication.";
        replica_announced: bool = YesNo, "replica-announced", "yes", [NO_EFFECT], "There is no replication.";
        replica_announce_ip: String = Text, "replica-announce-ip" | "slave-announce-ip", "", [NO_EFFECT],
            "There is no replication.";
        replica_announce_port: u16 = Int(0, 65535),
            "replica-announce-port" | "slave-announce-port", "0", [NO_EFFECT], "There is no replication.";
        min_replicas_to_write: u32 = Int(0, INT),
            "min-replicas-to-write" | "min-slaves-to-write", "0", [NO_EFFECT], "There is no replication.";
        min_replicas_max_lag: u32 = Int(0, INT),
            "min-replicas-max-lag" | "min-slaves-max-lag", "10", [NO_EFFECT], "There is no replication.";
        repl_ping_replica_period: u32 = Int(1, INT),
            "repl-ping-replica-period" | "repl-ping-slave-period", "10", [NO_EFFECT],
            "There is no replication.";
        repl_timeout: u32 = Int(1, INT), "repl-timeout", "60", [NO_EFFECT], "There is no replication.";
        repl_backlog_size: u64 = Memory(1, BYTES), "repl-backlog-size", "1mb", [NO_EFFECT],
            "There is no replication.";
        repl_backlog_ttl: u64 = Int(0, LONG), "repl-backlog-ttl", "3600", [NO_EFFECT],
            "There is no replication.";
        repl_disable_tcp_nodelay: bool = YesNo, "repl-disable-tcp-nodelay", "no", [NO_EFFECT],
            "There is no replication.";
        repl_diskless_sync: bool = YesNo, "repl-diskless-sync", "yes", [NO_EFFECT],
            "There is no replication.";
        repl_diskless_sync_delay: u32 = Int(0, INT), "repl-diskless-sync-delay", "5", [NO_EFFECT],
            "There is no replication.";
        repl_diskless_sync_max_replicas: u32 = Int(0, INT),
            "repl-diskless-sync-max-replicas", "0", [NO_EFFECT], "There is no replication.";
        repl_diskless_load: &'static str = OneOf(&["disabled", "on-empty-db", "swapdb"]),
            "repl-diskless-load", "disabled", [NO_EFFECT], "There is no replication.";
    }

    "Cluster" {
        cluster_enabled: bool = NoOnly(NO_CLUSTER), "cluster-enabled", "no", [IMMUTABLE NO_EFFECT],
            "There is no cluster mode.";
        cluster_config_file: String = Text, "cluster-config-file", "nodes.conf", [IMMUTABLE NO_EFFECT],
            "There is no cluster mode.";
        cluster_port: u16 = Int(0, 65535), "cluster-port", "0", [IMMUTABLE NO_EFFECT],
            "There is no cluster mode.";
        cluster_node_timeout: u64 = Int(0, LONG), "cluster-node-timeout", "15000", [NO_EFFECT],
            "There is no cluster mode.";
        cluster_ping_interval: u64 = Int(0, LONG), "cluster-ping-interval", "0", [HIDDEN NO_EFFECT],
            "There is no cluster mode.";
        cluster_migration_barrier: u32 = Int(0, INT), "cluster-migration-barrier", "1", [NO_EFFECT],
            "There is no cluster mode.";
        cluster_replica_validity_factor: u32 = Int(0, INT),
            "cluster-replica-validity-factor" | "cluster-slave-validity-factor", "10", [NO_EFFECT],
            "There is no cluster mode.";
        cluster_replica_no_failover: bool = YesNo,
            "cluster-replica-no-failover" | "cluster-slave-no-failover", "no", [NO_EFFECT],
            "There is no cluster mode.";
        cluster_allow_replica_migration: bool = YesNo, "cluster-allow-replica-migration", "yes", [NO_EFFECT],
            "There is no cluster mode.";
        cluster_require_full_coverage: bool = YesNo, "cluster-require-full-coverage", "yes", [NO_EFFECT],
            "There is no cluster mode.";
        cluster_allow_reads_when_down: bool = YesNo, "cluster-allow-reads-when-down", "no", [NO_EFFECT],
            "There is no cluster mode.";
        cluster_allow_pubsubshard_when_down: bool = YesNo,
            "cluster-allow-pubsubshard-when-down", "yes", [NO_EFFECT], "There is no cluster mode.";
        cluster_link_sendbuf_limit: u64 = Memory(0, u64::MAX), "cluster-link-sendbuf-limit", "0", [NO_EFFECT],
            "There is no cluster mode.";
        cluster_announce_ip: String = Text, "cluster-announce-ip", "", [NO_EFFECT],
            "There is no cluster mode.";
        cluster_announce_hostname: String = Text, "cluster-announce-hostname", "", [NO_EFFECT],
            "There is no cluster mode.";
        cluster_announce_human_nodename: String = Text, "cluster-announce-human-nodename", "", [NO_EFFECT],
            "There is no cluster mode.";
        cluster_announce_port: u16 = Int(0, 65535), "cluster-announce-port", "0", [NO_EFFECT],
            "There is no cluster mode.";
        cluster_announce_bus_port: u16 = Int(0, 65535), "cluster-announce-bus-port", "0", [NO_EFFECT],
            "There is no cluster mode.";
        cluster_announce_tls_port: u16 = Int(0, 65535), "cluster-announce-tls-port", "0", [NO_EFFECT],
            "There is no cluster mode.";
        cluster_preferred_endpoint_type: &'static str = OneOf(&["ip", "hostname", "unknown-endpoint"]),
            "cluster-preferred-endpoint-type", "ip", [NO_EFFECT], "There is no cluster mode.";
    }
}
