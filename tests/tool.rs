//! `redkeep-tool` from the outside: what is dumped comes back, whatever the format; nothing is ever half restored; and what it only
//! reads, it does not touch.

mod broken_off;
mod formats;

use crate::support::server::Setup;
use crate::support::{Client, Kind};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
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

fn files(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = fs::read_dir(dir)
        .expect("a directory")
        .map(|entry| entry.expect("an entry").path());
    entries
        .filter(|path| path.is_file())
        .map(|path| (path.clone(), fs::read(&path).expect("a readable file")))
        .collect()
}

/// A word with bytes that are no text, and some that formats have to escape.
const BINARY: &[u8] = b"\xff\x00\"\\\r\n{[\xc3\xa4";

/// Fills a server with every type in every size, deadlines, groups of consumers, other databases.
fn fill(client: &mut Client, has_field_deadlines: bool) {
    let run = |client: &mut Client, parts: &[&[u8]]| {
        let reply = client.run(parts);
        assert!(!reply.is_error(), "{reply:?}");
    };
    run(client, &[b"SET", BINARY, BINARY]);
    run(
        client,
        &[
            b"SET",
            b"text",
            "ein Stück Text".as_bytes(),
            b"PXAT",
            b"4000000000123",
        ],
    );
    run(client, &[b"SET", b"long", &b"0123456789".repeat(10_000)]);
    run(client, &[b"SET", b"empty", b""]);
    for (name, count) in [(&b"small"[..], 5), (b"large", 3000)] {
        let key = |kind: &[u8]| [kind, b":", name].concat();
        let members: Vec<Vec<u8>> = (0..count)
            .map(|n| [BINARY, format!("{n}").as_bytes()].concat())
            .collect();
        for members in members.chunks(500) {
            let push = |command: &[u8], key: Vec<u8>, client: &mut Client| {
                let mut parts = vec![command.to_vec(), key];
                parts.extend(members.iter().cloned());
                assert!(!client.run(&parts).is_error());
            };
            push(b"RPUSH", key(b"list"), client);
            push(b"SADD", key(b"set"), client);
            let mut hash = vec![b"HSET".to_vec(), key(b"hash")];
            let mut sorted = vec![b"ZADD".to_vec(), key(b"zset")];
            for (at, member) in members.iter().enumerate() {
                hash.extend([member.clone(), format!("value {at}").into_bytes()]);
                sorted.extend([format!("{}.1", at * at).into_bytes(), member.clone()]);
            }
            assert!(!client.run(&hash).is_error() && !client.run(&sorted).is_error());
        }
        let numbers: Vec<Vec<u8>> = (0..count)
            .map(|n| format!("{}", n * 7 - 50).into_bytes())
            .collect();
        assert!(
            !client
                .run(&[vec![b"SADD".to_vec(), key(b"ints")], numbers].concat())
                .is_error()
        );
        for n in 1..=count {
            let id = format!("{n}-{}", n % 3 + 1);
            run(
                client,
                &[
                    b"XADD",
                    &key(b"stream"),
                    id.as_bytes(),
                    b"field",
                    BINARY,
                    b"n",
                    id.as_bytes(),
                ],
            );
        }
        if has_field_deadlines {
            let at = members[1].clone();
            run(
                client,
                &[
                    b"HPEXPIREAT",
                    &key(b"hash"),
                    b"4000000000456",
                    b"FIELDS",
                    b"1",
                    &at,
                ],
            );
        }
    }
    run(
        client,
        &[
            b"ZADD", b"scores", b"inf", b"a", b"-inf", b"b", b"0.1", b"c", b"-0", b"d", b"1e300", b"e",
        ],
    );
    run(client, &[b"XGROUP", b"CREATE", b"stream:small", b"group", b"1-2"]);
    run(
        client,
        &[
            b"XGROUP",
            b"CREATECONSUMER",
            b"stream:small",
            b"group",
            b"idle one",
        ],
    );
    run(
        client,
        &[
            b"XREADGROUP",
            b"GROUP",
            b"group",
            BINARY,
            b"COUNT",
            b"2",
            b"STREAMS",
            b"stream:small",
            b">",
        ],
    );
    run(client, &[b"XDEL", b"stream:large", b"3000-1", b"17-3"]);
    run(client, &[b"XADD", b"stream:empty", b"5-1", b"f", b"v"]);
    run(client, &[b"XDEL", b"stream:empty", b"5-1"]);
    run(client, &[b"PEXPIREAT", b"list:large", b"4000000000789"]);
    run(
        client,
        &[
            b"FUNCTION",
            b"LOAD",
            b"#!lua name=counting\nredis.register_function('one', function() return 1 end)",
        ],
    );
    run(client, &[b"SELECT", b"9"]);
    run(client, &[b"SET", b"in nine", b"9"]);
    run(client, &[b"HSET", b"user:1", b"name", b"x"]);
    run(client, &[b"SELECT", b"0"]);
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
