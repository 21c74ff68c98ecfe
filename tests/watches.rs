//! WATCH, command by command: what is a change to whoever watches a key, with small values and with large ones, and whether
//! they are in memory or not. `watches/changes.txt` says what Redis makes of each.

use crate::support::server::redis_is_installed;
use crate::support::text::split;
use crate::support::{Client, Kind, Server, Value};

const TABLE: &str = include_str!("watches/changes.txt");

/// Elements of a small collection, and of a large one.
const SIZES: [u32; 2] = [4, 700];

/// A row of the table.
struct Row {
    watched: &'static str,
    is_change: bool,
    command: Vec<Vec<u8>>,
}

fn rows() -> Vec<Row> {
    let mut watched = "";
    let mut rows = Vec::new();
    for line in TABLE
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        if let Some(name) = line.strip_prefix("== ") {
            watched = name.trim_end_matches(" ==");
            continue;
        }
        let (mark, command) = line.split_at(2);
        rows.push(Row {
            watched,
            is_change: mark == "+ ",
            command: split(command).expect("words"),
        });
    }
    rows
}

/// `base`, and behind it what `element` makes of each number below `count`.
fn many(base: &str, count: u32, element: impl Fn(u32) -> String) -> Vec<String> {
    let elements: Vec<_> = (0..count).map(element).collect();
    vec![format!("{base} {}", elements.join(" "))]
}

/// Commands that make the key of this name, of a collection of so many elements.
fn making(name: &str, count: u32) -> Vec<String> {
    let is_large = count > SIZES[0];
    match name {
        "str" if is_large => vec![format!("SET str {}", "1".repeat(200_000))],
        "str" => vec!["SET str 10".into()],
        "num" => vec!["SET num 10".into()],
        "bm" => vec!["SET bm abc".into()],
        "ttl" => vec!["SET ttl v PXAT 5000000000000".into()],
        "h" => many("HSET h", count, |n| format!("f{n} {n}")),
        "hx" => {
            let mut commands = many("HSET hx", count, |n| format!("f{n} {n}"));
            commands.push("HPEXPIREAT hx 5000000000000 FIELDS 1 f1".into());
            commands
        }
        "s" | "s2" => many(&format!("SADD {name}"), count, |n| format!("m{n}")),
        "s3" => vec!["SADD s3 zz".into()],
        "i" => many("SADD i", count, |n| n.to_string()),
        "z" => many("ZADD z", count, |n| format!("{n} m{n}")),
        "l" => many("RPUSH l", count, |n| format!("e{n}")),
        "g" => many("GEOADD g", count, |n| format!("{}.5 10 p{n}", n % 170)),
        "x" => {
            let mut commands: Vec<_> = (1..=count).map(|n| format!("XADD x {n}-0 a b")).collect();
            commands.push("XGROUP CREATE x gr 0".into());
            commands.push("XREADGROUP GROUP gr c1 COUNT 2 STREAMS x >".into());
            commands
        }
        "pf" => {
            let mut commands = many("PFADD pf", count, |n| format!("v{n}"));
            commands.push("PFCOUNT pf".into());
            commands
        }
        "pf2" => vec!["PFADD pf2 a".into(), "PFCOUNT pf2".into()],
        "bits" if is_large => vec!["SETBIT bits 7 1".into(), "SETBIT bits 1600000 1".into()],
        "bits" => vec!["SETBIT bits 7 1".into()],
        _ => Vec::new(),
    }
}

/// Whether the command is a change to whoever watches its key. `None`: the server does not have the command.
fn is_change(server: &Server, client: &mut Client, row: &Row, count: u32, is_cold: bool) -> Option<bool> {
    let mut commands = vec!["FLUSHALL".to_owned()];
    let mut names: Vec<&str> = (row.command.iter())
        .filter_map(|word| std::str::from_utf8(word).ok())
        .chain([row.watched])
        .collect();
    names.sort_unstable();
    names.dedup();
    commands.extend(names.iter().flat_map(|name| making(name, count)));
    let commands: Vec<Vec<String>> = (commands.iter())
        .map(|line| line.split(' ').map(str::to_owned).collect())
        .collect();
    client.pipeline(&commands).expect("a running server");
    let mut watcher = server.client();
    watcher.ok(&["WATCH", row.watched]);
    if is_cold {
        server.drop_hot(client);
    }
    if matches!(client.run(&row.command), Value::Error(text) if text.starts_with("ERR unknown command")) {
        return None;
    }
    watcher.ok(&["MULTI"]);
    Some(matches!(watcher.run(&["EXEC"]), Value::NilArray))
}

fn check(server: &Server, is_cold: bool) {
    let rows = rows();
    assert!(rows.len() > 300, "the table was not read");
    let mut client = server.client();
    let mut wrong = Vec::new();
    let mut known = 0;
    for row in &rows {
        for count in SIZES {
            let Some(is_change) = is_change(server, &mut client, row, count, is_cold) else {
                continue;
            };
            known += 1;
            if is_change != row.is_change {
                let command = String::from_utf8_lossy(&row.command.join(&b' ')).into_owned();
                wrong.push(format!(
                    "{command}: a change to {} of {count}: {is_change}",
                    row.watched
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(known > rows.len(), "most commands are unknown");
}

#[test]
fn what_is_a_change_to_redis_is_one_here() {
    check(&Server::start(Kind::Redkeep, &[]), false);
}

#[test]
fn what_is_cold_changes_as_what_is_hot() {
    check(&Server::start(Kind::Redkeep, &["--maxmemory", "4mb"]), true);
}

#[test]
fn redis_says_the_same() {
    if redis_is_installed() {
        check(&Server::start(Kind::Redis, &[]), false);
    }
}
