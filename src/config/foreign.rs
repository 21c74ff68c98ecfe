//! Directives of Redis and Valkey that are no options here: which of them may be passed over, and what is said of the
//! others.

/// Directives with one argument that Redis 7 still reads and ignores.
const IGNORED: [&str; 3] = [
    "list-max-ziplist-entries",
    "list-max-ziplist-value",
    "lua-replicate-commands",
];

const MODULES: &str = "modules are not supported";
const CLUSTER: &str = "cluster mode is not supported";
const TLS: &str = "TLS is not supported";
const RDMA: &str = "RDMA is not supported";
const LOG: &str = "the form of the log cannot be changed";
const REMOVED: &str = "this option was removed in Redis 7: leave it out";
const OF_REDIS: &str = "this option of Redis 8 has no counterpart here: leave it out";
const OF_VALKEY: &str = "this option of Valkey has no counterpart here: leave it out";

/// Directives that it would be wrong to ignore, or that only another server has a use for.
const REFUSED: [(&str, &str); 43] = [
    ("active-defrag-cycle-us", OF_VALKEY),
    ("availability-zone", OF_VALKEY),
    ("cluster-announce-client-ipv4", CLUSTER),
    ("cluster-announce-client-ipv6", CLUSTER),
    ("cluster-announce-client-port", CLUSTER),
    ("cluster-announce-client-tls-port", CLUSTER),
    ("cluster-blacklist-ttl", CLUSTER),
    ("cluster-compatibility-sample-ratio", CLUSTER),
    ("cluster-config-save-behavior", CLUSTER),
    ("cluster-databases", CLUSTER),
    ("cluster-manual-failover-timeout", CLUSTER),
    ("cluster-slot-migration-log-max-len", CLUSTER),
    ("cluster-slot-stats-enabled", CLUSTER),
    ("dual-channel-replication-enabled", "replication is not supported"),
    ("extended-redis-compatibility", OF_VALKEY),
    ("gopher-enabled", REMOVED),
    ("hash-seed", OF_VALKEY),
    ("hide-user-data-from-log", OF_REDIS),
    ("import-mode", OF_VALKEY),
    ("io-threads-always-active", OF_VALKEY),
    ("loadmodule", MODULES),
    ("log-format", LOG),
    ("log-timestamp-format", LOG),
    ("max-new-connections-per-cycle", OF_REDIS),
    ("max-new-tls-connections-per-cycle", TLS),
    ("mptcp", "multipath TCP is not supported"),
    ("prefetch-batch-max-size", OF_VALKEY),
    ("rdb-version-check", OF_VALKEY),
    ("rdma-bind", RDMA),
    ("rdma-completion-vector", RDMA),
    ("rdma-port", RDMA),
    ("rdma-rx-size", RDMA),
    ("rename-command", "renaming commands is not supported"),
    ("repl-mptcp", "replication is not supported"),
    ("replica-full-sync-buffer-limit", "replication is not supported"),
    ("sentinel", "Sentinel is not supported"),
    ("slot-migration-max-failover-repl-bytes", CLUSTER),
    (
        "unixsocketgroup",
        "the socket's group is the process's: see unixsocketperm",
    ),
    ("vm-enabled", REMOVED),
    ("vset-force-single-threaded-execution", OF_REDIS),
    ("glueoutputbuf", REMOVED),
    ("hash-max-zipmap-entries", REMOVED),
    ("hash-max-zipmap-value", REMOVED),
];
/// The same for all names that begin alike: options of TLS, and of the modules that Redis 8 comes with.
const REFUSED_PREFIXES: [(&str, &str); 5] = [
    ("tls-", TLS),
    ("search-", MODULES),
    ("bf-", MODULES),
    ("cf-", MODULES),
    ("ts-", MODULES),
];

/// Whether a directive asks for nothing that this server would do otherwise.
pub(super) fn is_idle(name: &str, arguments: &[Vec<u8>]) -> bool {
    let [argument] = arguments else { return false };
    IGNORED.contains(&name) || name == "tls-port" && argument == b"0"
}

/// Why a directive of another server is refused.
pub(super) fn refusal(name: &str) -> Option<&'static str> {
    let known = REFUSED.iter().find(|(known, _)| *known == name);
    let alike = || {
        REFUSED_PREFIXES
            .iter()
            .find(|(prefix, _)| name.starts_with(prefix))
    };
    known.or_else(alike).map(|(_, reason)| *reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, lookup};

    #[test]
    fn what_is_foreign_is_no_option() {
        for (name, _) in REFUSED {
            assert!(lookup(name.as_bytes()).is_none(), "{name}");
        }
        let shown = Config::default().get(&["*"]);
        for (prefix, _) in REFUSED_PREFIXES {
            assert!(
                shown.iter().all(|(name, _)| !name.starts_with(prefix)),
                "{prefix}"
            );
        }
    }

    #[test]
    fn without_tls_no_port_is_for_it() {
        assert!(is_idle("tls-port", &[b"0".to_vec()]));
        assert!(!is_idle("tls-port", &[b"6380".to_vec()]));
        assert_eq!(refusal("tls-port"), Some(TLS));
    }
}
