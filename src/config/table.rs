//! The table of options: the fields of `Config`, the configuration file, the command line, CONFIG GET/SET/REWRITE and the
//! reference are all made from it. Those without effect are in `idle`; of those here the effect is there, or to come.
//!
//! A row reads `field: type = kind, "name" | "alias", "default", [flags], "meaning";`. To add an option, add
//! a row; to add a way of writing values, add a kind. Defaults are written as CONFIG SET would take them.

use std::path::PathBuf;

use bitflags::bitflags;

use crate::base::events::Events;
pub use crate::base::log::Level as LogLevel;

use super::{
    idle_kind::{IdleKind, IdleValues},
    kind::{
        BaseName, Choice, Directory, FilePath, Hertz, Int, Kind, Memory, MemoryOrPercent, MemoryShare, Named,
        Octal, Outcome, Secret, WRONG_ARGUMENTS, YesNo, named_enum,
    },
    special::{Bind, BindAddress, EventClasses, OutputBufferLimits, OutputLimits, Save, SavePoint},
    user::DefaultUser,
};

bitflags! {
    /// Properties of a row.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(super) struct Flags: u8 {
        /// CONFIG SET always refuses, as in Redis.
        const IMMUTABLE = 1;
        /// Fixed at the start, though Redis can change it live: CONFIG SET accepts only the value it has.
        const STARTUP = 1 << 1;
        /// CONFIG SET needs `enable-protected-configs`.
        const PROTECTED = 1 << 2;
        /// Not for logs.
        const SENSITIVE = 1 << 3;
        /// Shown by CONFIG GET only under its exact name.
        const HIDDEN = 1 << 4;
        /// Accepted, stored and shown for compatibility; has no meaning here.
        const NO_EFFECT = 1 << 5;
        /// In configuration files, each further line adds to the value.
        const ACCUMULATES = 1 << 6;
        /// As `NO_EFFECT`, until what it is about is there: the row needs no other change then.
        const NOT_YET = 1 << 7;
    }
}

impl Flags {
    /// Whether the option has an effect now.
    pub(super) const fn has_effect(self) -> bool {
        !self.intersects(Flags::NO_EFFECT.union(Flags::NOT_YET))
    }
}

/// An option.
#[derive(Clone, Copy)]
pub(super) struct Row {
    /// As in a configuration file, in lower case.
    pub(super) name: &'static str,
    /// The name it had before.
    pub(super) alias: Option<&'static str>,
    /// The heading in the reference that it is under.
    pub(super) group: &'static str,
    /// As in a configuration file.
    pub(super) default: &'static str,
    /// When and by whom it may be changed, and whether it is shown.
    pub(super) flags: Flags,
    /// What the reference says of it, in Markdown.
    pub(super) meaning: &'static str,
    /// How its value is reached.
    pub(super) access: Access,
}

/// How the value of an option is reached.
#[derive(Clone, Copy)]
pub(super) enum Access {
    /// It is a field of [`Config`].
    Field(Field),
    /// Nobody needs it but as text: see [`Config::idle`].
    Idle(&'static dyn IdleKind),
}

/// A field of [`Config`], whatever its type.
#[derive(Clone, Copy)]
pub(super) struct Field {
    /// Whether the value is a list of words.
    is_list: bool,
    describe: fn() -> String,
    set: fn(&mut Config, &[&[u8]]) -> Outcome,
    show: fn(&Config) -> Vec<u8>,
    lines: fn(&Config) -> Vec<String>,
}

impl Row {
    /// Its name, then the one it had before.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> + use<> {
        [self.name].into_iter().chain(self.alias)
    }

    /// Whether the value is a list of words.
    pub(super) fn is_list(&self) -> bool {
        match self.access {
            Access::Field(field) => field.is_list,
            Access::Idle(kind) => kind.is_list(),
        }
    }

    /// The type as the reference names it.
    pub(super) fn describe(&self) -> String {
        match self.access {
            Access::Field(field) => (field.describe)(),
            Access::Idle(kind) => kind.describe(),
        }
    }

    /// The value as CONFIG GET shows it.
    pub(super) fn show(&self, config: &Config) -> Vec<u8> {
        match self.access {
            Access::Field(field) => (field.show)(config),
            Access::Idle(_) => config.idle.shown(self.name),
        }
    }

    /// What CONFIG REWRITE writes behind the option's name, line by line.
    pub(super) fn lines(&self, config: &Config) -> Vec<String> {
        match self.access {
            Access::Field(field) => (field.lines)(config),
            Access::Idle(_) => config.idle.lines(self.name),
        }
    }

    /// Sets the value from one text, as CONFIG SET does: the words of a list are separated by single spaces.
    pub(super) fn set_text(&self, config: &mut Config, text: &[u8]) -> Outcome {
        let words: Vec<&[u8]> = match (self.is_list(), text) {
            (true, []) => Vec::new(),
            (true, text) => text.split(|byte| *byte == b' ').collect(),
            (false, text) => vec![text],
        };
        self.set_words(config, &words)
    }

    /// Sets the value from its words, which are several only for a list. What is refused changes nothing.
    pub(super) fn set_words(&self, config: &mut Config, words: &[&[u8]]) -> Outcome {
        if !self.is_list() && words.len() != 1 {
            return Err(WRONG_ARGUMENTS.into());
        }
        match self.access {
            Access::Field(field) => (field.set)(config, words),
            Access::Idle(kind) => config.idle.set(self.name, kind, words),
        }
    }
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
            /// What the options without effect are set to.
            pub idle: IdleValues,
            $($(#[doc = $meaning] pub $field: $type,)*)*
        }

        impl Config {
            /// Every field empty, to be filled with the defaults.
            pub(super) fn blank() -> Config {
                Config {
                    config_file: None,
                    default_user: None,
                    idle: IdleValues::default(),
                    $($($field: <$type>::default(),)*)*
                }
            }
        }

        /// The options that are fields of [`Config`].
        pub(super) static FIELDS: &[Row] = &[$($(Row {
            name: $name,
            alias: options!(@alias $($alias)?),
            group: $group,
            default: $default,
            flags: Flags::empty()$(.union(Flags::$flag))*,
            meaning: $meaning,
            access: Access::Field(Field {
                is_list: is_list::<$type, _>(&$kind),
                describe: || Kind::<$type>::describe(&$kind),
                set: |config, words| Kind::<$type>::set(&$kind, &mut config.$field, words),
                show: |config| Kind::<$type>::show(&$kind, &config.$field),
                lines: |config| Kind::<$type>::lines(&$kind, &config.$field),
            }),
        },)*)*];
    };
    (@alias) => { None };
    (@alias $alias:literal) => { Some($alias) };
}

/// The largest values that options may have.
pub(super) const INT: i64 = i32::MAX as i64;
/// Of what Redis keeps in 64 bits.
pub(super) const LONG: i64 = i64::MAX;
/// Of an amount of memory.
pub(super) const BYTES: u64 = i64::MAX as u64;
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
        /// Nobody.
        #[default]
        No = "no",
        /// Everybody.
        Yes = "yes",
        /// Connections from this machine.
        Local = "local",
    }
}

named_enum! {
    /// Who is told how the server is.
    Supervised {
        /// Nobody.
        #[default]
        No = "no",
        /// systemd.
        Systemd = "systemd",
        /// systemd, if it has started the server.
        Auto = "auto",
    }
}

impl ProtectedAction {
    /// Whether a client may do it, which is on this machine or not.
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
        /// Not at all.
        None = "none",
        /// Fast.
        #[default]
        Lz4 = "lz4",
        /// Small.
        Zstd = "zstd",
    }
}

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
        load: PathBuf = FilePath, "load", "", [IMMUTABLE],
            "What a new store is filled with before the server starts: a `dump.rdb`, the directory of an append-only file, or whatever \
             `redkeep-tool restore` takes. Where there is a store already, it does not count.";
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
        save: Vec<SavePoint> = Save, "save", "", [ACCUMULATES],
            "Pairs of seconds and changes: a dump that Redis loads is written when so many keys were changed since the last \
             one, and so long ago. What was acknowledged is safe without.";
        dbfilename: String = BaseName { option: "dbfilename", what: "filename", may_be_empty: false },
            "dbfilename", "dump.rdb", [PROTECTED], "File in `dir` that SAVE and its like write.";
    }

    "Memory" {
        maxmemory: u64 = Memory(0, u64::MAX), "maxmemory", "0", [],
            "Budget of hot tier, block cache, memtables and client buffers together; 0 is half of the \
             machine's RAM.";
        maxmemory_clients: MemoryShare = MemoryOrPercent, "maxmemory-clients", "0", [],
            "What the buffers of all clients may hold together, in bytes or as a percentage of `maxmemory`: \
             above it the clients with the largest are disconnected. 0 is half of `maxmemory`.";
        script_memory_limit: u64 = Memory(0, BYTES), "script-memory-limit", "256mb", [],
            "What all scripts together may take of memory: one that would take more ends with an error. 0 is no limit.";
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
        notify_keyspace_events: Events = EventClasses, "notify-keyspace-events", "", [],
            "Classes of keyspace events to publish, in Redis's letters.";
        slowlog_log_slower_than: i64 = Int(-1, LONG),
            "slowlog-log-slower-than" | "commandlog-execution-slower-than", "10000", [],
            "Microseconds from which a command is logged as slow; -1 logs none.";
        slowlog_max_len: u64 = Int(0, LONG), "slowlog-max-len" | "commandlog-slow-execution-max-len", "128", [],
            "Entries the slow log keeps.";
        latency_monitor_threshold: u64 = Int(0, LONG), "latency-monitor-threshold", "0", [NOT_YET],
            "Milliseconds from which an event is recorded for LATENCY; 0 records none.";
        busy_reply_threshold: u64 = Int(0, LONG), "busy-reply-threshold" | "lua-time-limit", "5000", [],
            "Milliseconds after which other clients are told that a script is busy.";
        tracking_table_max_keys: u64 = Int(0, LONG), "tracking-table-max-keys", "1000000", [],
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
}
