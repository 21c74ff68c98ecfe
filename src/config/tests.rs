//! Tests of the configuration as a whole. Error texts and formats are recorded from redis-server 7.

use std::{ffi::OsString, fs};

use super::file::ConfigError;
use super::table::{LogLevel, ProtectedAction};
use super::{quote::split_words, *};
use crate::base::events::Events;

mod startup;

fn get(config: &Config, pattern: &str) -> Vec<(String, String)> {
    let shown = config.get(&[pattern]).into_iter();
    shown
        .map(|(name, value)| (name, String::from_utf8(value).expect("UTF-8")))
        .collect()
}

fn value(config: &Config, name: &str) -> String {
    get(config, name).pop().expect(name).1
}

fn set(config: &mut Config, name: &str, text: &str) -> Result<Vec<&'static str>, String> {
    config
        .set_many(&[(name, text)], false)
        .map_err(|error| error.to_string())
}

fn command_line(arguments: &[&str]) -> Result<Config, ConfigError> {
    let program = ["redkeep-server"];
    Config::from_command_line(program.iter().chain(arguments).map(OsString::from))
}

/// A directory that goes away with the test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(test: &str) -> Scratch {
        let path = std::env::temp_dir().join(format!("redkeep-config-{test}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("a scratch directory");
        Scratch(path)
    }

    /// Writes a file and returns its path.
    fn file(&self, name: &str, content: &str) -> String {
        let path = self.0.join(name);
        fs::write(&path, content).expect("a scratch file");
        path.into_os_string().into_string().expect("UTF-8")
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.join(name)).expect("a scratch file")
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).expect("the scratch directory");
    }
}

#[test]
fn the_table_is_sound() {
    let mut names: Vec<&str> = ROWS.iter().flat_map(Row::names).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count, "names are unique");
    for row in ROWS {
        let mut config = Config::blank();
        row.set_text(&mut config, row.default.as_bytes()).expect(row.name);
        assert!(
            row.names()
                .all(|name| name.is_ascii() && name == name.to_ascii_lowercase())
        );
        assert!(row.meaning.ends_with('.'), "{}", row.name);
        assert!(
            !row.meaning.contains('|'),
            "{}: a bar would break the reference",
            row.name
        );
    }
    let groups: Vec<_> = ROWS
        .chunk_by(|a, b| a.group == b.group)
        .map(|rows| rows[0].group)
        .collect();
    assert!(
        groups
            .iter()
            .enumerate()
            .all(|(at, group)| !groups[..at].contains(group)),
        "{groups:?}"
    );
}

#[test]
fn every_value_reads_back_from_get_and_from_its_lines() {
    let config = Config::default();
    for row in ROWS {
        let mut copy = config.clone();
        if row.name != "replicaof" {
            row.set_text(&mut copy, &row.show(&config)).expect(row.name);
        }
        for line in row.lines(&config) {
            let words = split_words(line.as_bytes()).expect(row.name);
            copy.apply_row(row, &words).expect(row.name);
        }
        assert_eq!(copy, config, "{}", row.name);
    }
}

#[test]
fn defaults() {
    let config = Config::default();
    for (name, text) in [
        ("port", "6379"),
        ("bind", "* -::*"),
        ("protected-mode", "yes"),
        ("tcp-backlog", "511"),
        ("maxclients", "10000"),
        ("databases", "16"),
        ("maxmemory", "0"),
        ("appendfsync", "everysec"),
        ("appendonly", "yes"),
        ("save", ""),
        ("proto-max-bulk-len", "536870912"),
        (
            "client-output-buffer-limit",
            "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
        ),
        ("unixsocketperm", "0"),
        ("fetch-threads", "0"),
        ("latency-tracking-info-percentiles", "50 99 99.9"),
        ("oom-score-adj-values", "0 200 800"),
        ("shutdown-on-sigterm", "default"),
        ("replicaof", ""),
        ("list-max-ziplist-size", "-2"),
        ("proc-title-template", "{title} {listen-addr} {server-mode}"),
    ] {
        assert_eq!(value(&config, name), text, "{name}");
    }
    assert_eq!(config.port, 6379);
    assert_eq!(config.appendfsync, AppendFsync::EverySec);
    assert_eq!(config.bind[0].listen_host(), "0.0.0.0");
    assert_eq!(
        (config.bind[1].listen_host(), config.bind[1].optional),
        ("::", true)
    );
}

#[test]
fn get_by_pattern() {
    let config = Config::default();
    let names = |patterns: &[&str]| {
        config
            .get(patterns)
            .into_iter()
            .map(|(name, _)| name)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        names(&["slowlog*"]),
        ["slowlog-log-slower-than", "slowlog-max-len"]
    );
    assert_eq!(
        names(&["list-max-*"]),
        ["list-max-listpack-size", "list-max-ziplist-size"]
    );
    assert_eq!(names(&["SLOWLOG-max-*"]), ["slowlog-max-len"]);
    assert_eq!(
        names(&["MaxMemory", "maxmemory", "maxmemor[y]"]),
        ["MaxMemory"],
        "each once, a name as written"
    );
    assert_eq!(names(&["*of"]), ["replicaof", "slaveof"]);
    assert_eq!(names(&["nosuch", "nosuch*"]), [""; 0]);
    assert_eq!(names(&["key-load*"]), [""; 0], "hidden from patterns");
    assert_eq!(names(&["key-load-delay"]), ["key-load-delay"]);
}

#[test]
fn set_changes_and_names_what_changed() {
    let mut config = Config::default();
    assert_eq!(set(&mut config, "MAXMEMORY", "100mb"), Ok(vec!["maxmemory"]));
    assert_eq!(config.maxmemory, 100 << 20);
    assert_eq!(
        set(&mut config, "maxmemory", "104857600"),
        Ok(vec![]),
        "the same value is no change"
    );
    assert_eq!(
        set(&mut config, "hash-max-ziplist-entries", "7"),
        Ok(vec!["hash-max-listpack-entries"])
    );
    assert_eq!(config.hash_max_listpack_entries, 7);
    let changed = config.set_many(&[("maxmemory", "1"), ("timeout", "0"), ("hz", "1000")], false);
    assert_eq!(changed, Ok(vec!["maxmemory", "hz"]));
    assert_eq!(value(&config, "hz"), "500");
}

#[test]
fn set_is_all_or_nothing() {
    let mut config = Config::default();
    let before = config.clone();
    let pairs = [
        ("maxmemory", "1"),
        ("maxmemory-clients", "200%"),
        ("client-query-buffer-limit", "invalid"),
    ];
    let error = config.set_many(&pairs, false).map_err(|error| error.to_string());
    let text = "CONFIG SET failed (possibly related to argument 'maxmemory-clients') - \
        percentage argument must be less or equal to 100";
    assert_eq!(error, Err(text.into()));
    assert_eq!(config, before);
}

#[test]
fn set_checks_names_before_values() {
    let mut config = Config::default();
    let mut error = |pairs: &[(&str, &str)]| config.set_many(pairs, false).expect_err("an error").to_string();
    for (pairs, text) in [
        (
            &[("nosuch", "1")][..],
            "Unknown option or number of arguments for CONFIG SET - 'nosuch'",
        ),
        (
            &[("maxmemory", "x"), ("NoSuch", "1")],
            "Unknown option or number of arguments for CONFIG SET - 'NoSuch'",
        ),
        (
            &[("DAEMONIZE", "no"), ("nosuch", "1")],
            "CONFIG SET failed (possibly related to argument 'DAEMONIZE') - can't set immutable config",
        ),
        (
            &[("dbfilename", "x")],
            "CONFIG SET failed (possibly related to argument 'dbfilename') - can't set protected config",
        ),
        (
            &[("maxmemory", "1"), ("MAXMEMORY", "2")],
            "CONFIG SET failed (possibly related to argument 'MAXMEMORY') - duplicate parameter",
        ),
    ] {
        assert_eq!(error(pairs), text);
    }
    // Redis does not see that these are one.
    let pair = [
        ("hash-max-ziplist-entries", "1"),
        ("hash-max-listpack-entries", "2"),
    ];
    assert_eq!(
        config.set_many(&pair, false),
        Ok(vec!["hash-max-listpack-entries"; 2])
    );
    assert_eq!(config.hash_max_listpack_entries, 2);
}

#[test]
fn startup_options_accept_the_value_they_have() {
    let mut config = Config::default();
    assert_eq!(set(&mut config, "fetch-threads", "0"), Ok(vec![]));
    assert_eq!(set(&mut config, "rocksdb-compression", "lz4"), Ok(vec![]));
    for (name, text) in [("fetch-threads", "3"), ("rocksdb-compression", "zstd")] {
        let expected =
            format!("CONFIG SET failed (possibly related to argument '{name}') - can't set immutable config");
        assert_eq!(set(&mut config, name, text), Err(expected));
    }
    assert_eq!(config, Config::default());
}

/// Redis's own test-suite does this to every option that is not immutable.
#[test]
fn every_changeable_option_accepts_the_value_it_shows() {
    let mut config = Config {
        enable_protected_configs: ProtectedAction::Yes,
        ..Config::default()
    };
    for row in ROWS.iter().filter(|row| !row.flags.contains(Flags::IMMUTABLE)) {
        for name in row.names() {
            let shown = value(&config, name);
            assert_eq!(set(&mut config, name, &shown), Ok(vec![]), "{name}");
        }
    }
}

#[test]
fn protected_options_ask_for_the_client() {
    let mut config = Config {
        enable_protected_configs: ProtectedAction::Local,
        ..Config::default()
    };
    assert!(config.set_many(&[("dbfilename", "x")], false).is_err());
    assert_eq!(
        config.set_many(&[("dbfilename", "x")], true),
        Ok(vec!["dbfilename"])
    );
}

const MEMORY: &str = "argument must be a memory value";
const INT: &str = "argument couldn't be parsed into an integer";
const SAVE: &str = "Invalid save parameters";
const CLASS: &str = "Invalid client class specified in buffer limit configuration.";
const LIMITS: &str = "Error in hard, soft or soft_seconds setting in buffer limit configuration.";

/// Options, values that they refuse, and why.
const BAD_VALUES: &[(&str, &str, &str)] = &[
    ("port", "abc", INT),
    ("port", "65536", "argument must be between 0 and 65535 inclusive"),
    ("timeout", " 1", INT),
    ("timeout", "01", INT),
    ("tcp-keepalive", "1.5", INT),
    (
        "maxclients",
        "-1",
        "argument must be between 1 and 4294967295 inclusive",
    ),
    (
        "maxclients",
        "0",
        "argument must be between 1 and 4294967295 inclusive",
    ),
    (
        "hash-max-ziplist-entries",
        "-1",
        "argument must be between 0 and 9223372036854775807 inclusive",
    ),
    (
        "slowlog-log-slower-than",
        "-2",
        "argument must be between -1 and 9223372036854775807 inclusive",
    ),
    (
        "list-max-ziplist-size",
        "3000000000",
        "argument must be between -2147483648 and 2147483647 inclusive",
    ),
    ("maxmemory", "-1", MEMORY),
    ("maxmemory", "5%", MEMORY),
    ("maxmemory", "", MEMORY),
    ("hash-max-listpack-value", "-1", MEMORY),
    (
        "proto-max-bulk-len",
        "1",
        "argument must be between 1048576 and 9223372036854775807 inclusive",
    ),
    (
        "maxmemory-clients",
        "-1",
        "argument must be a memory or percent value",
    ),
    ("appendonly", "maybe", "argument must be 'yes' or 'no'"),
    (
        "appendfsync",
        "xx",
        "argument(s) must be one of the following: everysec, always, no",
    ),
    (
        "loglevel",
        "",
        "argument(s) must be one of the following: debug, verbose, notice, warning, nothing",
    ),
    (
        "maxmemory-policy",
        "x",
        "argument(s) must be one of the following: volatile-lru, volatile-lfu, volatile-random, \
         volatile-ttl, allkeys-lru, allkeys-lfu, allkeys-random, noeviction",
    ),
    ("save", "abc", SAVE),
    ("save", "1 1 2", SAVE),
    ("save", "1  1", SAVE),
    ("save", "0 1", SAVE),
    ("client-output-buffer-limit", "wrong 1 1 1", CLASS),
    ("client-output-buffer-limit", "master 1 1 1", CLASS),
    (
        "client-output-buffer-limit",
        "normal 1 1",
        "Wrong number of arguments in buffer limit configuration.",
    ),
    ("client-output-buffer-limit", "normal 1 1 x", LIMITS),
    ("client-output-buffer-limit", "normal -1 1 1", LIMITS),
    ("oom-score-adj-values", "1 2", "wrong number of arguments"),
    (
        "oom-score-adj-values",
        "1 2 2001",
        "Invalid oom-score-adj-values, elements must be between -2000 and 2000.",
    ),
    (
        "notify-keyspace-events",
        "Q",
        "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.",
    ),
    (
        "shutdown-on-sigint",
        "",
        "argument(s) must be one of the following: default, save, nosave, now, force",
    ),
    (
        "shutdown-on-sigint",
        "save nosave",
        "shutdown options SAVE and NOSAVE can't be used simultaneously",
    ),
    (
        "latency-tracking-info-percentiles",
        "x",
        "Invalid latency-tracking-info-percentiles parameters",
    ),
    (
        "latency-tracking-info-percentiles",
        "50 101",
        "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]",
    ),
    ("dbfilename", "a/b", "dbfilename can't be a path, just a filename"),
];

#[test]
fn bad_values_have_redis_error_texts() {
    let mut config = Config {
        enable_protected_configs: ProtectedAction::Yes,
        ..Config::default()
    };
    for (name, text, reason) in BAD_VALUES {
        let expected = format!("CONFIG SET failed (possibly related to argument '{name}') - {reason}");
        assert_eq!(set(&mut config, name, text), Err(expected), "{name} {text}");
    }
}

#[test]
fn values_are_shown_as_redis_shows_them() {
    let mut config = Config::default();
    for (name, text, shown) in [
        ("save", "3600 1 300 100", "3600 1 300 100"),
        ("save", "", ""),
        (
            "client-output-buffer-limit",
            "Slave 1k 1mb 60 pubsub 0 0 0",
            "normal 0 0 0 slave 1000 1048576 60 pubsub 0 0 0",
        ),
        (
            "client-output-buffer-limit",
            "replica 0 0 0",
            "normal 0 0 0 slave 0 0 0 pubsub 0 0 0",
        ),
        ("notify-keyspace-events", "g$lshzxetdKEm", "AKEm"),
        ("notify-keyspace-events", "ElK", "lKE"),
        ("notify-keyspace-events", "KEg$lshzxetdnocm", "AKEm"),
        ("notify-keyspace-events", "mcoEKngt", "gtnocKEm"),
        ("notify-keyspace-events", "", ""),
        ("shutdown-on-sigint", "force NOW save", "save now force"),
        ("shutdown-on-sigint", "default", "default"),
        (
            "latency-tracking-info-percentiles",
            "50 99.99 0.1234567",
            "50 99.99 0.123457",
        ),
        ("latency-tracking-info-percentiles", "", ""),
        ("maxmemory-clients", "5%", "5%"),
        ("maxmemory-clients", "1g", "1000000000"),
        ("proto-max-bulk-len", "1gB", "1073741824"),
        ("appendfsync", "ALWAYS", "always"),
        ("hz", "0", "1"),
    ] {
        set(&mut config, name, text).expect(name);
        assert_eq!(value(&config, name), shown, "{name} {text}");
    }
}

#[test]
fn keyspace_events_are_sets() {
    let mut config = Config::default();
    assert!(config.notify_keyspace_events == Events::default());
    set(&mut config, "notify-keyspace-events", "KA").expect("valid");
    let events = config.notify_keyspace_events;
    assert!(events.contains(Events::KEYSPACE) && events.contains(Events::EXPIRED));
    assert!(!events.contains(Events::KEYEVENT) && !events.contains(Events::KEY_MISS));
}

#[test]
fn sensitive_options() {
    assert!(Config::is_sensitive(b"RequirePass") && Config::is_sensitive(b"masterauth"));
    assert!(!Config::is_sensitive(b"port") && !Config::is_sensitive(b"nosuch"));
}

#[test]
fn rewriting_keeps_the_file_and_adds_what_changed() {
    let scratch = Scratch::new("rewrite");
    let path = scratch.file(
        "redkeep.conf",
        "# My server\nPort 7000\n\n\n\ntimeout 5 \nsave 900 1\n#comment\nsave 60 100\n\
         hash-max-ziplist-entries 9\n",
    );
    let mut config = command_line(&[&path]).expect("a valid file");
    let pairs = [
        ("timeout", "0"),
        ("save", "30 3"),
        ("maxmemory", "104857600"),
        ("requirepass", "a \"b\""),
        ("client-output-buffer-limit", "pubsub 1mb 0 0"),
    ];
    config.set_many(&pairs, false).expect("valid");
    config.rewrite().expect("a rewrite");
    let directory = config.dir.display();
    let expected = format!(
        "# My server\nport 7000\n\ntimeout 0\nsave 30 3\n#comment\n\nhash-max-listpack-entries 9\n\
         # Generated by CONFIG REWRITE\nrequirepass \"a \\\"b\\\"\"\ndir {directory}\nmaxmemory 100mb\n\
         client-output-buffer-limit pubsub 1mb 0 0\n"
    );
    assert_eq!(scratch.read("redkeep.conf"), expected);
    assert_eq!(command_line(&[&path]).expect("the rewritten file"), config);
    config.rewrite().expect("a second rewrite");
    assert_eq!(scratch.read("redkeep.conf"), expected, "and it changes nothing");
    assert_eq!(
        fs::read_dir(&scratch.0).expect("the directory").count(),
        1,
        "no temporary file is left"
    );
}

#[test]
fn every_option_survives_a_rewrite() {
    let scratch = Scratch::new("all");
    let path = scratch.file("redkeep.conf", "");
    let mut config = command_line(&[&path]).expect("an empty file");
    for (name, text) in [
        ("save", "3600 1 300 100"),
        ("shutdown-on-sigterm", "nosave now"),
        ("notify-keyspace-events", "AKEnoc"),
        ("latency-tracking-info-percentiles", "1.5 2"),
        ("maxmemory-clients", "5%"),
        ("oom-score-adj-values", "-1 0 1"),
        ("proc-title-template", "{title} 'x'"),
        ("hz", "50"),
    ] {
        set(&mut config, name, text).expect(name);
    }
    config.requirepass = (0..=255).collect();
    config.logfile = "/var/log/a b".into();
    config.bind.clear();
    config.unixsocketperm = 0o770;
    config.rewrite().expect("a rewrite");
    assert_eq!(command_line(&[&path]).expect("the rewritten file"), config);
}

#[test]
fn rewriting_keeps_permissions_and_reports_failure() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = Scratch::new("permissions");
    let path = scratch.file("redkeep.conf", "port 1\n");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("permissions");
    command_line(&[&path])
        .expect("valid")
        .rewrite()
        .expect("a rewrite");
    assert_eq!(
        fs::metadata(&path).expect("metadata").permissions().mode() & 0o777,
        0o600
    );

    let error = Config::default().rewrite().expect_err("no file");
    assert_eq!(error.to_string(), "The server is running without a config file");
    let nowhere = Config {
        config_file: Some("/nonexistent/redkeep.conf".into()),
        ..Config::default()
    };
    let error = nowhere.rewrite().expect_err("no folder").to_string();
    assert!(
        error.starts_with("Rewriting config file: No such file or directory"),
        "{error}"
    );
}

#[test]
fn the_reference() {
    let text = reference_markdown();
    assert!(text.contains(
        "| `port` | integer, 0 to 65535 | `6379` | live | TCP port to listen on; 0 listens on none. |\n"
    ));
    assert!(
        text.contains("| `appendfsync` | everysec, always, no | `everysec` | live |"),
        "{text}"
    );
    assert!(text.contains("`hash-max-listpack-entries`, `hash-max-ziplist-entries`"));
    assert!(text.contains("| `save` | pairs of seconds and changes | none | live |"));
    let (effective, without) = text
        .split_once("### Accepted, without effect yet")
        .expect("a heading");
    assert!(
        effective.contains("| `notify-keyspace-events` |") && !without.contains("`notify-keyspace-events`")
    );
    assert!(!text.contains("key-load-delay"), "hidden");
    let listed = ROWS
        .iter()
        .filter(|row| !row.flags.contains(Flags::HIDDEN))
        .count();
    assert_eq!(
        text.lines().filter(|line| line.starts_with("| `")).count(),
        listed
    );
}
