//! Payloads of DUMP, and the dumps that SAVE writes: Redkeep restores those of Redis and Valkey, and a Redis restores Redkeep's, with the same values.

use crate::support::server::{Setup, redis_is_installed};
use crate::support::{Client, Kind, Server, Value, wait_for};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// What servers have answered, as `tests/rdb/make.py` has written it: the last word of a line is a payload in hex.
const ANSWERS: [&str; 4] = [
    include_str!("rdb/redis-6.2.txt"),
    include_str!("rdb/redis-7.0.txt"),
    include_str!("rdb/redis-8.2.txt"),
    include_str!("rdb/valkey-9.1.txt"),
];
/// The version that Redis 7.0 writes, and the last one that it reads.
const VERSION_OF_7_0: u16 = 10;
const WRONG: &str = "ERR DUMP payload version or checksum are wrong";

fn payloads(answers: &str) -> impl Iterator<Item = Vec<u8>> {
    let hex = answers
        .lines()
        .filter_map(|line| line.rsplit_once(' '))
        .map(|(_, hex)| hex);
    hex.filter(|hex| *hex != "-").map(|hex| {
        let digits = hex.as_bytes().chunks(2);
        digits
            .map(|two| u8::from_str_radix(str::from_utf8(two).unwrap(), 16).unwrap())
            .collect()
    })
}

fn version(payload: &[u8]) -> u16 {
    u16::from_le_bytes([payload[payload.len() - 10], payload[payload.len() - 9]])
}

fn dump(client: &mut Client, key: &str) -> Vec<u8> {
    match client.run(&["DUMP", key]) {
        Value::Bulk(payload) => payload,
        other => panic!("{other:?}"),
    }
}

fn restore(client: &mut Client, key: &str, payload: &[u8]) -> Value {
    client.run(&[b"RESTORE", key.as_bytes(), b"0", payload, b"REPLACE"])
}

/// What a key holds, in the same order whoever says it.
fn held(client: &mut Client, key: &str) -> Vec<Value> {
    let kind = client.run(&["TYPE", key]).text().expect("a type");
    let mut sorted = |args: &[&str]| {
        let mut reply = client.run(args);
        reply.sort();
        reply
    };
    match &kind[..] {
        "string" => vec![client.run(&["GET", key])],
        "list" => vec![client.run(&["LRANGE", key, "0", "-1"])],
        "set" => vec![sorted(&["SMEMBERS", key])],
        "hash" => vec![sorted(&["HKEYS", key]), sorted(&["HVALS", key])],
        "zset" => vec![client.run(&["ZRANGE", key, "0", "-1"])],
        "stream" => {
            let mut all = vec![client.run(&["XRANGE", key, "-", "+"]), client.run(&["XLEN", key])];
            for group in client.run(&["XINFO", "GROUPS", key]).items() {
                all.push(group.clone());
                let name = group.items()[1].text().expect("a name");
                all.push(client.run(&["XPENDING", key, &name]));
            }
            all
        }
        other => panic!("{key} is a {other}"),
    }
}

#[test]
fn payloads_go_from_and_to_other_servers() {
    if !redis_is_installed() {
        return;
    }
    let servers = [Kind::Redkeep, Kind::Redis].map(|kind| Server::start(kind, &[]));
    let [mut ours, mut theirs] = [0, 1].map(|at: usize| servers[at].client());
    let (mut restored, mut exchanged) = (0, 0);
    for payload in ANSWERS.into_iter().flat_map(payloads) {
        assert!(restore(&mut ours, "key", &payload).is_ok(), "{payload:02x?}");
        restored += 1;
        let here = held(&mut ours, "key");
        if version(&payload) <= VERSION_OF_7_0 {
            assert!(restore(&mut theirs, "key", &payload).is_ok());
            assert_eq!(held(&mut theirs, "key"), here, "{payload:02x?}");
        }
        let dumped = dump(&mut ours, "key");
        assert!(restore(&mut ours, "again", &dumped).is_ok());
        assert_eq!(held(&mut ours, "again"), here);
        let taken = restore(&mut theirs, "from-ours", &dumped);
        if version(&dumped) > VERSION_OF_7_0 {
            // A field has a deadline, or a consumer two times.
            assert_eq!(taken, Value::Error(WRONG.to_owned()));
            continue;
        }
        assert!(taken.is_ok(), "{dumped:02x?}");
        assert_eq!(held(&mut theirs, "from-ours"), here);
        let back = dump(&mut theirs, "from-ours");
        assert!(restore(&mut ours, "back", &back).is_ok());
        assert_eq!(held(&mut ours, "back"), here);
        exchanged += 1;
    }
    assert!(restored > 120 && exchanged > 110, "{restored} {exchanged}");
}

#[test]
fn what_was_restored_is_there_after_a_restart() {
    let mut server = Server::start(Kind::Redkeep, &[]);
    let mut client = server.client();
    let mut all = Vec::new();
    for (at, payload) in payloads(ANSWERS[2]).enumerate() {
        let key = format!("key{at}");
        assert!(restore(&mut client, &key, &payload).is_ok());
        all.push(held(&mut client, &key));
    }
    let payload = dump(&mut client, "key0");
    let late = [b"RESTORE", &b"late"[..], b"4102444800123", &payload, b"ABSTTL"];
    assert!(client.run(&late).is_ok());
    server.restart();
    let mut client = server.client();
    for (at, before) in all.iter().enumerate() {
        assert_eq!(&held(&mut client, &format!("key{at}")), before);
    }
    assert_eq!(
        client.run(&["PEXPIRETIME", "late"]),
        Value::Integer(4_102_444_800_123)
    );
}

/// How long a save may take.
const SAVED_WITHIN: Duration = Duration::from_secs(30);

/// Restores all that 7.0 has answered; the keys.
fn fill(client: &mut Client) -> Vec<String> {
    let mut keys = Vec::new();
    for (at, payload) in payloads(ANSWERS[1]).enumerate() {
        let key = format!("key{at}");
        assert!(restore(client, &key, &payload).is_ok());
        keys.push(key);
    }
    let add: Vec<String> = (0..5000).map(|at| format!("element{at}")).collect();
    for (command, key) in [("RPUSH", "list"), ("SADD", "set")] {
        let mut args = vec![command.to_owned(), key.to_owned()];
        args.extend(add.iter().cloned());
        client.run(&args);
        keys.push(key.to_owned());
    }
    let mut args = vec!["ZADD".to_owned(), "sorted".to_owned()];
    args.extend(
        add.iter()
            .enumerate()
            .flat_map(|(at, name)| [at.to_string(), name.clone()]),
    );
    client.run(&args);
    client.ok(&["SET", "long", &"long ".repeat(200_000)]);
    client.ok(&["SET", "late", "v", "PXAT", "4102444800123"]);
    keys.extend(["sorted", "long", "late"].map(str::to_owned));
    keys
}

/// A Redis that loads a dump.
fn redis_with(dump: &Path) -> Server {
    let folder = tempfile::tempdir().expect("a directory").keep();
    fs::copy(dump, folder.join("dump.rdb")).expect("a dump");
    Setup::new(Kind::Redis, &[]).data(&folder).start()
}

#[test]
fn a_redis_loads_what_save_writes() {
    if !redis_is_installed() {
        return;
    }
    let folder = tempfile::tempdir().expect("a directory");
    let server = Setup::new(Kind::Redkeep, &[]).data(folder.path()).start();
    let mut ours = server.client();
    let keys = fill(&mut ours);
    ours.ok(&["SELECT", "3"]);
    ours.ok(&["SET", "elsewhere", "3"]);
    ours.ok(&["SELECT", "0"]);
    let loaded = ours.run(&[
        "FUNCTION",
        "LOAD",
        "#!lua name=one\nredis.register_function('one', function() return 1 end)",
    ]);
    assert!(!loaded.is_error(), "{loaded:?}");
    ours.ok(&["SAVE"]);
    let dump = folder.path().join("dump.rdb");
    assert!(fs::read(&dump).expect("a dump").starts_with(b"REDIS0010"));
    let redis = redis_with(&dump);
    let mut theirs = redis.client();
    for key in &keys {
        assert_eq!(held(&mut theirs, key), held(&mut ours, key), "{key}");
    }
    assert_eq!(
        theirs.run(&["PEXPIRETIME", "late"]),
        Value::Integer(4_102_444_800_123)
    );
    assert_eq!(theirs.run(&["DBSIZE"]), ours.run(&["DBSIZE"]));
    assert_eq!(theirs.run(&["FCALL", "one", "0"]), Value::Integer(1));
    theirs.ok(&["SELECT", "3"]);
    assert_eq!(theirs.run(&["GET", "elsewhere"]), Value::bulk("3"));
}

#[test]
fn a_background_save_shows_one_moment() {
    if !redis_is_installed() {
        return;
    }
    let folder = tempfile::tempdir().expect("a directory");
    let server = Setup::new(Kind::Redkeep, &[]).data(folder.path()).start();
    let (mut client, mut other) = (server.client(), server.client());
    fill(&mut client);
    client.ok(&["SAVE"]);
    let before = client.figure("rdb_saves");
    // Both counters are always equal to who sees all at one moment.
    let both = ["MULTI", "INCR one", "INCR other", "EXEC"].map(|line| line.split(' ').collect::<Vec<_>>());
    client.pipeline(&both).expect("an answer");
    let started = client.run(&["BGSAVE"]);
    assert_eq!(started, Value::Simple("Background saving started".to_owned()));
    wait_for("the save", SAVED_WITHIN, || {
        client.pipeline(&both).expect("an answer");
        (other.figure("rdb_saves") > before).then_some(())
    });
    assert!(client.figure("rdb_changes_since_last_save") > 0);
    assert!(client.run(&["LASTSAVE"]).integer() > 0);
    let redis = redis_with(&folder.path().join("dump.rdb"));
    let mut theirs = redis.client();
    let one = theirs.run(&["GET", "one"]);
    assert!(matches!(one, Value::Bulk(_)));
    assert_eq!(one, theirs.run(&["GET", "other"]));
}

#[test]
fn a_server_that_ends_saves_first_if_it_is_told_to() {
    let folder = tempfile::tempdir().expect("a directory");
    let mut server = Setup::new(Kind::Redkeep, &[]).data(folder.path()).start();
    let mut client = server.client();
    client.ok(&["SET", "k", "v"]);
    assert!(client.call(&["SHUTDOWN", "SAVE"]).is_err());
    assert!(server.wait().success());
    let dump = fs::read(folder.path().join("dump.rdb")).expect("a dump");
    assert!(dump.starts_with(b"REDIS0010"));
    let left = fs::read_dir(folder.path()).expect("the directory");
    let is_temporary = |name: &str| name.starts_with("temp-");
    assert!(
        !left
            .flatten()
            .any(|file| is_temporary(&file.file_name().to_string_lossy()))
    );
}

/// How often a server that loads is killed.
const KILLS: u32 = 6;

#[test]
fn a_new_store_is_filled_by_a_dump_or_not_at_all() {
    let folder = tempfile::tempdir().expect("a directory");
    let server = Setup::new(Kind::Redkeep, &[])
        .data(&folder.path().join("from"))
        .start();
    let mut client = server.client();
    let keys = fill(&mut client);
    let many: Vec<Vec<String>> = (0..30_000)
        .map(|at| {
            ["SET", &format!("many{at}"), &format!("value{at}")]
                .map(str::to_owned)
                .to_vec()
        })
        .collect();
    for commands in many.chunks(1000) {
        client.pipeline(commands).expect("an answer");
    }
    client.ok(&["SAVE"]);
    // The dump lies where the store is to be.
    let dir = folder.path().join("to");
    fs::create_dir(&dir).expect("a directory");
    fs::copy(folder.path().join("from/dump.rdb"), dir.join("dump.rdb")).expect("a dump");
    let dump = dir.join("dump.rdb");
    let dump = dump.to_str().expect("a name");
    let mut begun = 0;
    for round in 1..=KILLS {
        let mut killed = Command::new(env!("CARGO_BIN_EXE_redkeep-server"))
            .args(["--port", "0", "--load", dump, "--unixsocket"])
            .arg(folder.path().join("socket"))
            .arg("--dir")
            .arg(&dir)
            .stdout(Stdio::null())
            .spawn()
            .expect("a server");
        std::thread::sleep(Duration::from_millis(u64::from(round) * 40));
        begun += u32::from(killed.try_wait().expect("a process").is_none());
        killed.kill().expect("a process");
        killed.wait().expect("its end");
    }
    assert_eq!(begun, KILLS, "none ends by itself");
    let mut loaded = Setup::new(Kind::Redkeep, &["--load", dump]).data(&dir).start();
    let mut there = loaded.client();
    assert_eq!(there.run(&["DBSIZE"]), client.run(&["DBSIZE"]));
    for key in &keys {
        assert_eq!(held(&mut there, key), held(&mut client, key), "{key}");
    }
    // From then on the store counts, and not the dump.
    there.ok(&["SET", "many1", "changed"]);
    loaded.restart();
    assert_eq!(loaded.client().run(&["GET", "many1"]), Value::bulk("changed"));
}

#[test]
fn a_dump_that_is_damaged_is_not_loaded() {
    let folder = tempfile::tempdir().expect("a directory");
    let damaged = folder.path().join("damaged.rdb");
    let mut bytes = include_bytes!("rdb/redis-7.0.rdb").to_vec();
    bytes[5000] ^= 1;
    fs::write(&damaged, bytes).expect("a file");
    let dir = folder.path().join("data");
    let output = Command::new(env!("CARGO_BIN_EXE_redkeep-server"))
        .args(["--port", "0", "--load"])
        .arg(&damaged)
        .arg("--unixsocket")
        .arg(folder.path().join("socket"))
        .arg("--dir")
        .arg(&dir)
        .output()
        .expect("a server");
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("nothing was loaded"), "{said}");
    assert!(!dir.join("CURRENT").exists());
}
