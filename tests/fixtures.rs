//! Stores that earlier versions wrote, in `tests/fixtures/`: this version opens them and reads everything back.
//!
//! There is one for each `FORMAT_VERSION`, also for those column families that were added since: they are made when the store
//! is opened. `REDKEEP_WRITE_FIXTURE=1` writes the one of the present format anew; one that was released stays as it is.

use crate::support::server::Setup;
use crate::support::store::{check_store, copy_store};
use crate::support::{Client, Kind, Server, Value, wait_for};
use redkeep::facade::{FORMAT_VERSION, SEGMENT};
use std::fs;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

/// The first moment of the year 2100, in milliseconds.
const DEADLINE: &str = "4102444800000";
/// Nothing is expired or reclaimed before the server is killed.
const WRITER_FLAGS: [&str; 2] = ["--hz", "1"];
const RECLAIMED_WITHIN: Duration = Duration::from_secs(30);

#[test]
fn every_format_is_read() {
    if Setup::new(Kind::Redkeep, &[]).is_redis() {
        return;
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let current = folder.join(format!("format-{FORMAT_VERSION}"));
    if std::env::var_os("REDKEEP_WRITE_FIXTURE").is_some() {
        write(&current);
    }
    assert!(
        current.exists(),
        "REDKEEP_WRITE_FIXTURE=1 writes {}",
        current.display()
    );
    for entry in fs::read_dir(&folder).expect("the folder of fixtures") {
        let fixture = entry.expect("an entry").path();
        println!("{}", fixture.display());
        read(&fixture);
    }
}

/// Longer than a segment, and no two bytes of a segment's size apart are equal by chance.
fn long_value() -> Vec<u8> {
    (0..SEGMENT + 100).map(|i| (i % 251) as u8).collect()
}

fn all_bytes() -> Vec<u8> {
    (0..=255).collect()
}

fn run(client: &mut Client, command: &[&[u8]]) {
    let reply = client.run(command);
    assert!(!reply.is_error(), "{reply:?}");
}

/// Writes a store: its first half in tables, its second in the log.
fn write(fixture: &Path) {
    let home = TempDir::with_prefix("redkeep-fixture-").expect("a temporary directory");
    let setup = Setup::new(Kind::Redkeep, &WRITER_FLAGS).data(home.path());
    let mut server = setup.start();
    write_first_half(&mut server.client());
    server.restart();
    write_second_half(&mut server.client());
    server.kill9();
    if fixture.exists() {
        fs::remove_dir_all(fixture).expect("the old fixture");
    }
    // The rest is made anew at every start.
    copy_store(home.path(), fixture, |name| {
        name == "CURRENT"
            || name == "STORE"
            || name.starts_with("MANIFEST")
            || name.ends_with(".sst")
            || name.ends_with(".log")
    });
}

fn write_first_half(client: &mut Client) {
    let (long, bytes) = (long_value(), all_bytes());
    run(
        client,
        &[b"MSET", b"string", b"value", b"empty", b"", b"number", b"-42"],
    );
    run(
        client,
        &[
            b"MSET",
            b"binary\0\xff",
            &bytes,
            b"long",
            &long,
            b"unlinked",
            &long,
        ],
    );
    run(client, &[b"MSET", b"overwritten", b"old", b"deleted", b"v"]);
    run(client, &[b"SET", b"deadline", b"v", b"PXAT", DEADLINE.as_bytes()]);
    run(client, &[b"SELECT", b"2"]);
    run(client, &[b"SET", b"swapped", b"from 2 to 3"]);
    run(client, &[b"SELECT", b"4"]);
    run(client, &[b"MSET", b"flushed 1", b"v", b"flushed 2", b"v"]);
}

fn write_second_half(client: &mut Client) {
    run(client, &[b"SET", b"overwritten", b"new"]);
    run(
        client,
        &[b"SET", b"later deadline", b"v", b"PXAT", DEADLINE.as_bytes()],
    );
    run(client, &[b"DEL", b"deleted", b"unlinked"]);
    run(client, &[b"SET", b"expired", b"v", b"PX", b"1"]);
    run(client, &[b"SWAPDB", b"2", b"3"]);
    run(client, &[b"SELECT", b"4"]);
    run(client, &[b"FLUSHDB"]);
    run(client, &[b"SET", b"after the flush", b"v"]);
}

fn read(fixture: &Path) {
    let home = TempDir::with_prefix("redkeep-fixture-").expect("a temporary directory");
    let (for_server, for_tool) = (home.path().join("server"), home.path().join("tool"));
    for data in [&for_server, &for_tool] {
        copy_store(fixture, data, |_| true);
    }
    let report = check_store(&for_tool);
    assert!(
        !report.contains("to be reclaimed: 0\n"),
        "nothing to reclaim: {report}"
    );
    let mut server = Setup::new(Kind::Redkeep, &[]).data(&for_server).start();
    read_back(&mut server.client());
    wait_until_reclaimed(&mut server, &for_server);
    server.start_again();
    read_back(&mut server.client());
}

fn read_back(client: &mut Client) {
    let strings: [(usize, &[u8], Vec<u8>); 9] = [
        (0, b"string", b"value".to_vec()),
        (0, b"empty", b"".to_vec()),
        (0, b"number", b"-42".to_vec()),
        (0, b"binary\0\xff", all_bytes()),
        (0, b"long", long_value()),
        (0, b"overwritten", b"new".to_vec()),
        (0, b"later deadline", b"v".to_vec()),
        (3, b"swapped", b"from 2 to 3".to_vec()),
        (4, b"after the flush", b"v".to_vec()),
    ];
    for (db, key, value) in strings {
        client.ok(&["SELECT", &db.to_string()]);
        assert!(
            client.run(&[b"GET", key]) == Value::Bulk(value),
            "{}",
            key.escape_ascii()
        );
    }
    client.ok(&["SELECT", "0"]);
    for key in ["deadline", "later deadline"] {
        assert_eq!(
            client.run(&["PEXPIRETIME", key]).text().as_deref(),
            Some(DEADLINE)
        );
    }
    let gone = client.run(&["EXISTS", "deleted", "unlinked", "expired", "swapped"]);
    assert_eq!(gone, Value::Integer(0));
    for (db, keys) in [(0, 8), (1, 0), (2, 0), (3, 1), (4, 1)] {
        client.ok(&["SELECT", &db.to_string()]);
        assert_eq!(
            client.run(&["DBSIZE"]),
            Value::Integer(keys),
            "keys of database {db}"
        );
        assert_eq!(client.run(&["KEYS", "*"]).items().len() as i64, keys);
    }
}

/// Stops the server when the tool finds nothing left to reclaim.
fn wait_until_reclaimed(server: &mut Server, data: &Path) {
    wait_for("the garbage to be reclaimed", RECLAIMED_WITHIN, || {
        server.terminate();
        let report = check_store(data);
        let done = report.contains("to be reclaimed: 0\n");
        if !done {
            server.start_again();
            std::thread::sleep(Duration::from_millis(500));
        }
        done.then_some(())
    });
}
