//! `redkeep-tool` from the outside: what is dumped comes back, whatever the format; nothing is ever half restored; and what it only
//! reads, it does not touch.

mod broken_off;
mod formats;

use crate::support::server::Setup;
use crate::support::{Client, Kind};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// What the tool ends with when it could not do it.
const FAILED: Option<i32> = Some(2);
/// ... and when there is something to see to.
const FOUND: Option<i32> = Some(1);

/// The tool, with these arguments.
fn command<A: AsRef<std::ffi::OsStr>>(arguments: &[A]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_redkeep-tool"));
    command.args(arguments).stdin(Stdio::null());
    command
}

fn tool<A: AsRef<std::ffi::OsStr>>(arguments: &[A]) -> Output {
    command(arguments).output().expect("redkeep-tool")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Runs the tool, which must come to its end.
fn succeed<A: AsRef<std::ffi::OsStr>>(arguments: &[A]) -> String {
    let output = tool(arguments);
    assert!(output.status.success(), "{}", said(&output));
    said(&output)
}

/// What `redkeep-tool diff` prints about two sources; nothing if they are the same.
fn differences(first: &Path, second: &Path, flags: &[&str]) -> String {
    let mut arguments = vec![
        "diff".as_ref(),
        first.as_os_str(),
        second.as_os_str(),
        "-q".as_ref(),
    ];
    arguments.extend(flags.iter().map(|flag| std::ffi::OsStr::new(*flag)));
    let output = tool(&arguments);
    assert!(output.status.code() < FAILED, "{}", said(&output));
    let text = said(&output);
    assert_eq!(output.status.success(), text.is_empty(), "{text}");
    text
}

/// A word with bytes that are no text, and some that formats have to escape.
const BINARY: &[u8] = b"\xff\x00\"\\\r\n{[\xc3\xa4";

/// Runs a command that must not fail.
fn run<A: AsRef<[u8]>>(client: &mut Client, parts: &[A]) {
    let reply = client.run(parts);
    assert!(!reply.is_error(), "{reply:?}");
}

/// Fills a server with every type in every size, deadlines, groups of consumers, other databases.
fn fill(client: &mut Client, has_field_deadlines: bool) {
    for parts in [
        &[b"SET", BINARY, BINARY][..],
        &[
            b"SET",
            b"text",
            "ein Stück Text".as_bytes(),
            b"PXAT",
            b"4000000000123",
        ],
        &[b"SET", b"long", &b"0123456789".repeat(10_000)],
        &[b"SET", b"empty", b""],
    ] {
        run(client, parts);
    }
    for (name, count) in [("small", 5), ("large", 3000)] {
        fill_collections(client, name, count);
        if has_field_deadlines {
            let (key, field) = (format!("hash:{name}"), member(1));
            let parts: [&[u8]; 6] = [
                b"HPEXPIREAT",
                key.as_bytes(),
                b"4000000000456",
                b"FIELDS",
                b"1",
                &field,
            ];
            run(client, &parts);
        }
    }
    for line in [
        "ZADD scores inf a -inf b 0.1 c -0 d 1e300 e",
        "XGROUP CREATE stream:small group 1-2",
        "XGROUP CREATECONSUMER stream:small group idle",
        "XREADGROUP GROUP group busy COUNT 2 STREAMS stream:small >",
        "XDEL stream:large 3000-1 17-3",
        "XADD stream:empty 5-1 f v",
        "XDEL stream:empty 5-1",
        "PEXPIREAT list:large 4000000000789",
        "SELECT 9",
        "SET nine 9",
        "HSET user:1 name x",
        "SELECT 0",
    ] {
        run(client, &line.split(' ').collect::<Vec<_>>());
    }
    let code = "#!lua name=counting\nredis.register_function('one', function() return 1 end)";
    run(client, &["FUNCTION", "LOAD", code]);
}

/// An element of a collection.
fn member(number: usize) -> Vec<u8> {
    [BINARY, number.to_string().as_bytes()].concat()
}

/// A collection of each type with so many elements.
fn fill_collections(client: &mut Client, name: &str, count: usize) {
    let begin = |command: &str, kind: &str| vec![command.into(), format!("{kind}:{name}").into_bytes()];
    let mut all = [
        begin("RPUSH", "list"),
        begin("SADD", "set"),
        begin("SADD", "ints"),
        begin("HSET", "hash"),
        begin("ZADD", "zset"),
    ];
    for n in 0..count {
        all[0].push(member(n));
        all[1].push(member(n));
        all[2].push(format!("{}", n as i64 * 7 - 50).into_bytes());
        all[3].extend([member(n), format!("value {n}").into_bytes()]);
        all[4].extend([format!("{}.1", n * n).into_bytes(), member(n)]);
    }
    all.iter().for_each(|parts| run(client, parts));
    let stream = format!("stream:{name}");
    let add = |n: usize| {
        let id = format!("{n}-{}", n % 3 + 1).into_bytes();
        let parts: [&[u8]; 7] = [b"XADD", stream.as_bytes(), &id, b"field", BINARY, b"n", &id];
        parts.map(<[u8]>::to_vec).to_vec()
    };
    let replies = client.pipeline(&(1..=count).map(add).collect::<Vec<_>>());
    assert!(
        replies
            .expect("the server answers")
            .iter()
            .all(|reply| !reply.is_error())
    );
}

/// A directory with a filled store in `data`, which no server uses; of whose writes some are in the log only.
fn filled() -> TempDir {
    let home = TempDir::with_prefix("redkeep-tool-").expect("a temporary directory");
    let mut server = Setup::new(Kind::Redkeep, &[])
        .data(&home.path().join("data"))
        .start();
    fill(&mut server.client(), true);
    server.kill9();
    home
}

/// Starts a server over a data directory and returns how many keys each of these databases has.
fn counts(dir: &Path, databases: &[usize]) -> Vec<i64> {
    let server = Setup::new(Kind::Redkeep, &[]).data(dir).start();
    let mut client = server.client();
    let count = |db: &usize| {
        client.ok(&["SELECT", &db.to_string()]);
        client.run(&["DBSIZE"]).integer()
    };
    databases.iter().map(count).collect()
}
