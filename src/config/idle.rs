//! The options without effect: those of Redis that have no meaning here.
//!
//! A row reads `"name" | "alias", kind, "default", [flags], "why";`. Values are kept as text, under the option's name.

use super::idle_kind::{
    OOM_SCORES, PERCENTILES, REPLICA_OF, SECRET, SHUTDOWN_FLAGS, TEXT, YES_NO, base_name, empty_only, int,
    memory, no_only, one_of,
};
use super::table::{Access, BYTES, Flags, INT, LONG, Row};

macro_rules! idle_options {
    ($($group:literal { $(
        $name:literal $(| $alias:literal)?, $kind:expr, $default:literal, [$($flag:ident)*], $why:literal;
    )* })*) => {
        /// The options that decide nothing here, a row each.
        pub(super) static IDLE: &[Row] = &[$($(Row {
            name: $name,
            alias: idle_options!(@alias $($alias)?),
            group: $group,
            default: $default,
            flags: Flags::empty()$(.union(Flags::$flag))*,
            meaning: $why,
            access: Access::Idle(&const { $kind }),
        },)*)*];
    };
    (@alias) => { None };
    (@alias $alias:literal) => { Some($alias) };
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

idle_options! {
    "Snapshots and append-only file" {
        "appendonly", YES_NO, "yes", [NO_EFFECT], "Every write is always logged.";
        "appendfilename", base_name("appendfilename", "filename", false), "appendonly.aof", [IMMUTABLE NO_EFFECT],
            "There is no append-only file.";
        "appenddirname", base_name("appenddirname", "dirname", false), "appendonlydir", [IMMUTABLE NO_EFFECT],
            "There is no append-only file.";
        "rdbcompression", YES_NO, "yes", [NO_EFFECT], "Dumps are always compressed.";
        "rdbchecksum", YES_NO, "yes", [IMMUTABLE NO_EFFECT], "Stores and dumps are always checksummed.";
        "rdb-save-incremental-fsync", YES_NO, "yes", [NO_EFFECT], "A dump is synced at its end.";
        "rdb-del-sync-files", YES_NO, "no", [NO_EFFECT], "There is no replication.";
        "rdb-key-save-delay", int(i32::MIN as i64, INT), "0", [HIDDEN NO_EFFECT], "For tests of Redis.";
        "stop-writes-on-bgsave-error", YES_NO, "yes", [NO_EFFECT],
            "A write that cannot be stored is an error, and the next one is tried again.";
        "sanitize-dump-payload", one_of(&["no", "yes", "clients"]), "no", [NO_EFFECT], "Payloads are always checked.";
        "no-appendfsync-on-rewrite", YES_NO, "no", [NO_EFFECT], "There are no rewrites.";
        "auto-aof-rewrite-percentage", int(0, INT), "100", [NO_EFFECT], "There are no rewrites.";
        "auto-aof-rewrite-min-size", memory(0, BYTES), "64mb", [NO_EFFECT], "There are no rewrites.";
        "aof-rewrite-incremental-fsync", YES_NO, "yes", [NO_EFFECT], "There are no rewrites.";
        "aof-load-truncated", YES_NO, "yes", [NO_EFFECT], "There is no append-only file.";
        "aof-use-rdb-preamble", YES_NO, "yes", [NO_EFFECT], "There is no append-only file.";
        "aof-timestamp-enabled", YES_NO, "no", [NO_EFFECT], "There is no append-only file.";
        "aof-disable-auto-gc", YES_NO, "no", [HIDDEN NO_EFFECT], "There is no append-only file.";
        "key-load-delay", int(i32::MIN as i64, INT), "0", [HIDDEN NO_EFFECT], "A start loads no keys.";
        "loading-process-events-interval-bytes", int(1024, INT), "2097152", [HIDDEN NO_EFFECT],
            "A start loads no keys.";
    }

    "Memory management" {
        "maxmemory-policy", one_of(EVICTION_POLICIES), "noeviction", [NO_EFFECT], "Data is never evicted from disk.";
        "maxmemory-samples", int(1, INT), "5", [NO_EFFECT], "Nothing is evicted.";
        "maxmemory-eviction-tenacity", int(0, 100), "10", [NO_EFFECT], "Nothing is evicted.";
        "lazyfree-lazy-eviction", YES_NO, "no", [NO_EFFECT], "Deleting never blocks.";
        "lazyfree-lazy-expire", YES_NO, "no", [NO_EFFECT], "Deleting never blocks.";
        "lazyfree-lazy-server-del", YES_NO, "no", [NO_EFFECT], "Deleting never blocks.";
        "lazyfree-lazy-user-del", YES_NO, "no", [NO_EFFECT], "Deleting never blocks.";
        "lazyfree-lazy-user-flush", YES_NO, "no", [NO_EFFECT], "Deleting never blocks.";
        "list-compress-depth", int(0, INT), "0", [NO_EFFECT], "See `rocksdb-compression`.";
        "lfu-log-factor", int(0, INT), "10", [NO_EFFECT], "Nothing is evicted.";
        "lfu-decay-time", int(0, INT), "1", [NO_EFFECT], "Nothing is evicted.";
        "activerehashing", YES_NO, "yes", [NO_EFFECT], "The keyspace is not a hash table.";
        "activedefrag", no_only(NO_DEFRAG), "no", [NO_EFFECT], "There is no defragmentation.";
        "active-defrag-ignore-bytes", memory(1, BYTES), "100mb", [NO_EFFECT], "There is no defragmentation.";
        "active-defrag-threshold-lower", int(0, 1000), "10", [NO_EFFECT], "There is no defragmentation.";
        "active-defrag-threshold-upper", int(0, 1000), "100", [NO_EFFECT], "There is no defragmentation.";
        "active-defrag-cycle-min", int(1, 99), "1", [NO_EFFECT], "There is no defragmentation.";
        "active-defrag-cycle-max", int(1, 99), "25", [NO_EFFECT], "There is no defragmentation.";
        "active-defrag-max-scan-fields", int(1, LONG), "1000", [NO_EFFECT], "There is no defragmentation.";
        "jemalloc-bg-thread", YES_NO, "yes", [NO_EFFECT], "Left to the allocator.";
        "disable-thp", YES_NO, "yes", [IMMUTABLE NO_EFFECT],
            "Huge pages are used if `maxmemory` is at least 1 GB: nothing is forked.";
        "oom-score-adj", one_of(&["no", "yes", "relative", "absolute"]), "no", [NO_EFFECT],
            "Left to the service manager.";
        "oom-score-adj-values", OOM_SCORES, "0 200 800", [NO_EFFECT], "Left to the service manager.";
    }

    "Process and log" {
        "syslog-enabled", YES_NO, "no", [IMMUTABLE NO_EFFECT], "There is no logging to syslog.";
        "syslog-ident", TEXT, "redkeep", [IMMUTABLE NO_EFFECT], "There is no logging to syslog.";
        "syslog-facility", one_of(SYSLOG_FACILITIES), "local0", [IMMUTABLE NO_EFFECT],
            "There is no logging to syslog.";
        "always-show-logo", YES_NO, "no", [IMMUTABLE NO_EFFECT], "There is no logo.";
        "set-proc-title", YES_NO, "yes", [IMMUTABLE NO_EFFECT], "The process title stays as it is.";
        "proc-title-template", TEXT, "{title} {listen-addr} {server-mode}", [NO_EFFECT],
            "The process title stays as it is.";
        "crash-log-enabled", YES_NO, "yes", [NO_EFFECT], "A crash is always logged.";
        "crash-memcheck-enabled", YES_NO, "yes", [NO_EFFECT], "There is no memory test.";
        "use-exit-on-panic", YES_NO, "no", [HIDDEN NO_EFFECT], "For Redis's own tests.";
        "watchdog-period", int(0, INT), "0", [HIDDEN NO_EFFECT], "There is no watchdog.";
        "shutdown-timeout", int(0, INT), "10", [NO_EFFECT], "A shutdown waits for no replica.";
        "shutdown-on-sigint", SHUTDOWN_FLAGS, "default", [NO_EFFECT], "A shutdown always keeps all data.";
        "shutdown-on-sigterm", SHUTDOWN_FLAGS, "default", [NO_EFFECT], "A shutdown always keeps all data.";
        "ignore-warnings", TEXT, "", [NO_EFFECT], "No check of the system stops the start.";
        "locale-collate", TEXT, "", [NO_EFFECT], "SORT compares bytes.";
        "dynamic-hz", YES_NO, "yes", [NO_EFFECT], "`hz` stays as it is.";
        "io-threads-do-reads", YES_NO, "no", [IMMUTABLE NO_EFFECT], "I/O threads always read.";
        "server_cpulist" | "server-cpulist", TEXT, "", [IMMUTABLE NO_EFFECT], "Left to the service manager.";
        "bio_cpulist" | "bio-cpulist", TEXT, "", [IMMUTABLE NO_EFFECT], "Left to the service manager.";
        "aof_rewrite_cpulist" | "aof-rewrite-cpulist", TEXT, "", [IMMUTABLE NO_EFFECT], "There are no rewrites.";
        "bgsave_cpulist" | "bgsave-cpulist", TEXT, "", [IMMUTABLE NO_EFFECT], "There are no snapshots.";
        "socket-mark-id", int(0, u32::MAX as i64), "0", [IMMUTABLE NO_EFFECT], "Sockets are not marked.";
        "bind-source-addr", TEXT, "", [NO_EFFECT], "There are no outgoing connections.";
        "enable-module-command", one_of(&["no", "yes", "local"]), "no", [IMMUTABLE NO_EFFECT], "There are no modules.";
        "latency-tracking", YES_NO, "yes", [NO_EFFECT], "Latencies are not kept per command.";
        "latency-tracking-info-percentiles", PERCENTILES, "50 99 99.9", [NO_EFFECT],
            "Latencies are not kept per command.";
        "commandlog-request-larger-than", int(-1, LONG), "1048576", [NO_EFFECT], "Only slow commands are logged.";
        "commandlog-large-request-max-len", int(0, LONG), "128", [NO_EFFECT], "Only slow commands are logged.";
        "commandlog-reply-larger-than", int(-1, LONG), "1048576", [NO_EFFECT], "Only slow commands are logged.";
        "commandlog-large-reply-max-len", int(0, LONG), "128", [NO_EFFECT], "Only slow commands are logged.";
        "propagation-error-behavior", one_of(&["ignore", "panic", "panic-on-replicas"]), "ignore", [NO_EFFECT],
            "There is no replication.";
        "aclfile", empty_only(NO_ACL), "", [IMMUTABLE NO_EFFECT], "There is only the default user.";
        "acllog-max-len", int(0, LONG), "128", [NO_EFFECT], "There is only the default user.";
        "acl-pubsub-default", one_of(&["allchannels", "resetchannels"]), "resetchannels", [NO_EFFECT],
            "There is only the default user.";
    }

    "Replication" {
        "replicaof" | "slaveof", REPLICA_OF, "no one", [IMMUTABLE NO_EFFECT], "There is no replication.";
        "masterauth" | "primaryauth", SECRET, "", [SENSITIVE NO_EFFECT], "There is no replication.";
        "masteruser" | "primaryuser", TEXT, "", [SENSITIVE NO_EFFECT], "There is no replication.";
        "replica-serve-stale-data" | "slave-serve-stale-data", YES_NO, "yes", [NO_EFFECT], "There is no replication.";
        "replica-read-only" | "slave-read-only", YES_NO, "yes", [NO_EFFECT], "There is no replication.";
        "replica-lazy-flush" | "slave-lazy-flush", YES_NO, "no", [NO_EFFECT], "There is no replication.";
        "replica-ignore-maxmemory" | "slave-ignore-maxmemory", YES_NO, "yes", [NO_EFFECT], "There is no replication.";
        "replica-ignore-disk-write-errors", YES_NO, "no", [NO_EFFECT], "There is no replication.";
        "replica-priority" | "slave-priority", int(0, INT), "100", [NO_EFFECT], "There is no replication.";
        "replica-announced", YES_NO, "yes", [NO_EFFECT], "There is no replication.";
        "replica-announce-ip" | "slave-announce-ip", TEXT, "", [NO_EFFECT], "There is no replication.";
        "replica-announce-port" | "slave-announce-port", int(0, 65535), "0", [NO_EFFECT], "There is no replication.";
        "min-replicas-to-write" | "min-slaves-to-write", int(0, INT), "0", [NO_EFFECT], "There is no replication.";
        "min-replicas-max-lag" | "min-slaves-max-lag", int(0, INT), "10", [NO_EFFECT], "There is no replication.";
        "repl-ping-replica-period" | "repl-ping-slave-period", int(1, INT), "10", [NO_EFFECT],
            "There is no replication.";
        "repl-timeout", int(1, INT), "60", [NO_EFFECT], "There is no replication.";
        "repl-backlog-size", memory(1, BYTES), "1mb", [NO_EFFECT], "There is no replication.";
        "repl-backlog-ttl", int(0, LONG), "3600", [NO_EFFECT], "There is no replication.";
        "repl-disable-tcp-nodelay", YES_NO, "no", [NO_EFFECT], "There is no replication.";
        "repl-diskless-sync", YES_NO, "yes", [NO_EFFECT], "There is no replication.";
        "repl-diskless-sync-delay", int(0, INT), "5", [NO_EFFECT], "There is no replication.";
        "repl-diskless-sync-max-replicas", int(0, INT), "0", [NO_EFFECT], "There is no replication.";
        "repl-diskless-load", one_of(&["disabled", "on-empty-db", "swapdb"]), "disabled", [NO_EFFECT],
            "There is no replication.";
    }

    "Cluster" {
        "cluster-enabled", no_only(NO_CLUSTER), "no", [IMMUTABLE NO_EFFECT], "There is no cluster mode.";
        "cluster-config-file", TEXT, "nodes.conf", [IMMUTABLE NO_EFFECT], "There is no cluster mode.";
        "cluster-port", int(0, 65535), "0", [IMMUTABLE NO_EFFECT], "There is no cluster mode.";
        "cluster-node-timeout", int(0, LONG), "15000", [NO_EFFECT], "There is no cluster mode.";
        "cluster-ping-interval", int(0, LONG), "0", [HIDDEN NO_EFFECT], "There is no cluster mode.";
        "cluster-migration-barrier", int(0, INT), "1", [NO_EFFECT], "There is no cluster mode.";
        "cluster-replica-validity-factor" | "cluster-slave-validity-factor", int(0, INT), "10", [NO_EFFECT],
            "There is no cluster mode.";
        "cluster-replica-no-failover" | "cluster-slave-no-failover", YES_NO, "no", [NO_EFFECT],
            "There is no cluster mode.";
        "cluster-allow-replica-migration", YES_NO, "yes", [NO_EFFECT], "There is no cluster mode.";
        "cluster-require-full-coverage", YES_NO, "yes", [NO_EFFECT], "There is no cluster mode.";
        "cluster-allow-reads-when-down", YES_NO, "no", [NO_EFFECT], "There is no cluster mode.";
        "cluster-allow-pubsubshard-when-down", YES_NO, "yes", [NO_EFFECT], "There is no cluster mode.";
        "cluster-link-sendbuf-limit", memory(0, u64::MAX), "0", [NO_EFFECT], "There is no cluster mode.";
        "cluster-announce-ip", TEXT, "", [NO_EFFECT], "There is no cluster mode.";
        "cluster-announce-hostname", TEXT, "", [NO_EFFECT], "There is no cluster mode.";
        "cluster-announce-human-nodename", TEXT, "", [NO_EFFECT], "There is no cluster mode.";
        "cluster-announce-port", int(0, 65535), "0", [NO_EFFECT], "There is no cluster mode.";
        "cluster-announce-bus-port", int(0, 65535), "0", [NO_EFFECT], "There is no cluster mode.";
        "cluster-announce-tls-port", int(0, 65535), "0", [NO_EFFECT], "There is no cluster mode.";
        "cluster-preferred-endpoint-type", one_of(&["ip", "hostname", "unknown-endpoint"]), "ip", [NO_EFFECT],
            "There is no cluster mode.";
    }
}
