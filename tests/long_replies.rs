//! Replies longer than anybody wants in memory: right, whole, and beside other clients, also where their own client reads
//! slowly or not at all.

use crate::support::client::encode;
use crate::support::server::Setup;
use crate::support::{Client, Kind, Server, Value, heavy, wait_for};
use std::collections::BTreeSet;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);

/// What is in memory of a reply on its way: what a session and its view may hold, and room for how buffers grow.
const MOST_ON_THE_WAY: u64 = 4 << 20;

const MEGABYTE: usize = 1 << 20;

fn name(n: usize) -> Vec<u8> {
    format!("member:{n:09}").into_bytes()
}

/// Gives a command that takes any number of arguments these, some at a time.
fn fill(client: &mut Client, command: &str, key: &str, args: impl Iterator<Item = Vec<u8>>) {
    let args: Vec<Vec<u8>> = args.collect();
    for some in args.chunks(2000) {
        let mut request = vec![command.as_bytes().to_vec(), key.as_bytes().to_vec()];
        request.extend_from_slice(some);
        assert!(!client.run(&request).is_error());
    }
}

fn bulks(names: impl Iterator<Item = usize>) -> BTreeSet<Vec<u8>> {
    names.map(name).collect()
}

fn sorted(reply: &Value) -> BTreeSet<Vec<u8>> {
    let items = reply.items();
    let sorted: BTreeSet<Vec<u8>> = items
        .iter()
        .map(|item| match item {
            Value::Bulk(bytes) => bytes.clone(),
            other => panic!("not a bulk: {other:?}"),
        })
        .collect();
    assert_eq!(sorted.len(), items.len(), "something came twice");
    sorted
}

#[test]
fn what_leaves_in_pieces_is_what_is_there() {
    let _turn = heavy();
    const SOME: usize = 20_000;
    // Two of them are more than is ever combined in memory.
    const MANY: usize = 150_000;
    let server = Server::start(Kind::Redkeep, &["--maxmemory", "64mb"]);
    let mut client = server.client();
    fill(&mut client, "HSET", "hash", (0..2 * SOME).map(|n| name(n / 2)));
    fill(&mut client, "RPUSH", "list", (0..SOME).map(name));
    fill(
        &mut client,
        "ZADD",
        "zset",
        (0..2 * SOME).map(|n| {
            if n % 2 == 0 {
                (n / 2).to_string().into_bytes()
            } else {
                name(n / 2)
            }
        }),
    );
    fill(&mut client, "SADD", "low", (0..MANY).map(name));
    fill(&mut client, "SADD", "high", (MANY / 3..MANY + MANY / 3).map(name));
    for protocol in ["2", "3"] {
        client.run(&["HELLO", protocol]);
        server.drop_hot(&mut client);
        let all = bulks(0..SOME);
        let pairs = match client.run(&["HGETALL", "hash"]) {
            Value::Map(pairs) => pairs,
            flat => flat
                .items()
                .chunks(2)
                .map(|pair| (pair[0].clone(), pair[1].clone()))
                .collect(),
        };
        assert!(pairs.iter().all(|(field, value)| field == value));
        let fields = pairs.into_iter().map(|(field, _)| field).collect();
        assert!(sorted(&Value::Array(fields)) == all);
        assert!(sorted(&client.run(&["HKEYS", "hash"])) == all);
        let list = client.run(&["LRANGE", "list", "0", "-1"]);
        assert!(
            list.items()
                .iter()
                .cloned()
                .eq((0..SOME).map(|n| Value::bulk(name(n))))
        );
        let scored = client.run(&["ZRANGE", "zset", "0", "-1", "REV", "WITHSCORES"]);
        let flat: Vec<&Value> = match protocol {
            "2" => scored.items().iter().collect(),
            _ => scored.items().iter().flat_map(Value::items).collect(),
        };
        assert_eq!(flat.len(), 2 * SOME);
        for (pair, n) in flat.chunks(2).zip((0..SOME).rev()) {
            let score = match protocol {
                "2" => Value::bulk(n.to_string()),
                _ => Value::Double(n.to_string()),
            };
            assert!(*pair[0] == Value::bulk(name(n)) && *pair[1] == score);
        }
        assert!(sorted(&client.run(&["SMEMBERS", "low"])) == bulks(0..MANY));
        let mut combined = |command: &str| sorted(&client.run(&[command, "low", "high"]));
        assert!(combined("SUNION") == bulks(0..MANY + MANY / 3));
        assert!(combined("SINTER") == bulks(MANY / 3..MANY));
        assert!(combined("SDIFF") == bulks(0..MANY / 3));
    }
    let named: Vec<Vec<u8>> = (0..SOME)
        .map(|n| encode(&[b"SET", &name(n)[..], b"value"]))
        .collect();
    for some in named.chunks(500) {
        client.send(&some.concat()).expect("sent");
        assert!(some.iter().all(|_| client.receive().expect("a reply").is_ok()));
    }
    assert!(sorted(&client.run(&["KEYS", "member:*"])) == bulks(0..SOME));
}

#[test]
fn a_client_that_does_not_read_holds_nobody_up() {
    let _turn = heavy();
    const FIELDS: usize = 20_000;
    const SLOW: usize = 5;
    let server = Server::start(Kind::Redkeep, &["--maxmemory", "64mb"]);
    let mut client = server.client();
    let value = vec![b'v'; 1000];
    fill(
        &mut client,
        "HSET",
        "hash",
        (0..2 * FIELDS).map(|n| if n % 2 == 0 { name(n / 2) } else { value.clone() }),
    );
    server.drop_hot(&mut client);
    let mut slow: Vec<Client> = (0..SLOW).map(|_| server.client()).collect();
    for client in &mut slow {
        client.send(&encode(&["HGETALL", "hash"])).expect("sent");
    }
    // Each is stuck when its client's buffer is full.
    let stuck = |list: &str| {
        let sizes = list.lines().filter(|line| line.contains("cmd=hgetall"));
        let sizes: Vec<u64> = sizes
            .filter_map(|line| line.split_once(" omem=")?.1.split(' ').next()?.parse().ok())
            .collect();
        assert!(sizes.iter().all(|size| *size < MOST_ON_THE_WAY), "{list}");
        (sizes.iter().filter(|size| **size > 0).count() == SLOW).then_some(())
    };
    wait_for("replies that are stuck", LIMIT, || {
        stuck(&client.run(&["CLIENT", "LIST"]).text().expect("a text"))
    });
    // More of them than views run at once, and yet:
    assert!(!client.run(&["SCAN", "0"]).is_error());
    assert_eq!(client.run(&["HGETALL", "hash"]).items().len(), 2 * FIELDS);
    // One goes away in the middle, one reads after all.
    drop(slow.pop());
    let reply = slow[0].receive().expect("the reply");
    assert_eq!(reply.items().len(), 2 * FIELDS);
    assert!(slow[0].run(&["PING"]).text().as_deref() == Some("PONG"));
    wait_for("the connection's end", LIMIT, || {
        let list = client.run(&["CLIENT", "LIST"]).text().expect("a text");
        (list.lines().count() == SLOW).then_some(())
    });
}

/// Sends a request whose reply nobody reads, and waits until the server has begun to answer.
fn ask(server: &Server, request: &[Vec<u8>]) -> Client {
    let mut client = server.client();
    client.send(&encode(request)).expect("sent");
    client.await_bytes().expect("the beginning of a reply");
    client
}

fn words(parts: &[&[u8]], repeated: &[u8], times: usize) -> Vec<Vec<u8>> {
    let parts = parts.iter().map(|part| part.to_vec());
    parts.chain((0..times).map(|_| repeated.to_vec())).collect()
}

/// `HRANDFIELD h -1000 WITHVALUES` of one field of 1 MB took 765 MB, and 16,000 of them all memory there was.
#[test]
fn a_value_that_comes_many_times_takes_memory_once() {
    let _turn = heavy();
    const TIMES: usize = 16_000;
    const SOME: usize = 100;
    let server = Server::start(Kind::Redkeep, &["--maxmemory", "64mb"]);
    let mut client = server.client();
    let value = vec![b'v'; MEGABYTE];
    client.run(&[&b"HSET"[..], b"hash", b"field", &value[..]]);
    client.run(&[&b"SET"[..], b"string", &value[..]]);
    client.run(&[&b"SADD"[..], b"set", &value[..]]);
    client.run(&[&b"ZADD"[..], b"zset", b"1", &value[..]]);
    client.run(&[&b"XADD"[..], b"stream", b"1-1", b"field", &value[..]]);
    client.run(&[&b"RPUSH"[..], b"list", b"1"]);
    client.run(&[&b"SET"[..], b"at_1", &value[..]]);
    let requests = |times: usize| {
        let count = format!("-{times}").into_bytes();
        let mut streams = words(&[b"XREAD", b"STREAMS"], b"stream", times);
        streams.extend((0..times).map(|_| b"0".to_vec()));
        let gets: Vec<Vec<u8>> = (0..times)
            .flat_map(|_| [b"GET".to_vec(), b"at_*".to_vec()])
            .collect();
        vec![
            vec![
                b"HRANDFIELD".to_vec(),
                b"hash".to_vec(),
                count.clone(),
                b"WITHVALUES".to_vec(),
            ],
            words(&[b"MGET"], b"string", times),
            words(&[b"HMGET", b"hash"], b"field", times),
            vec![b"SRANDMEMBER".to_vec(), b"set".to_vec(), count.clone()],
            vec![b"ZRANDMEMBER".to_vec(), b"zset".to_vec(), count],
            streams,
            [words(&[b"SORT_RO", b"list"], b"", 0), gets].concat(),
        ]
    };
    let before = server.resident_bytes();
    for request in requests(TIMES) {
        let unread = ask(&server, &request);
        assert_eq!(client.run(&["PING"]).text().as_deref(), Some("PONG"));
        let after = server.resident_bytes();
        let name = String::from_utf8_lossy(&request[0]);
        assert!(after < before + (48 << 20), "{name}: {before} -> {after} bytes");
        drop(unread);
    }
    for request in requests(SOME) {
        let mut values = 0;
        count_values(&client.run(&request), &value, &mut values);
        assert_eq!(values, SOME, "{}", String::from_utf8_lossy(&request[0]));
    }
}

fn count_values(reply: &Value, value: &[u8], count: &mut usize) {
    match reply {
        Value::Bulk(bytes) => *count += usize::from(bytes == value),
        Value::Array(items) => items.iter().for_each(|item| count_values(item, value, count)),
        _ => {}
    }
}

/// Without a limit of its own, a client may ask for more than fits memory; with one, it is the client that goes.
#[test]
fn a_client_over_its_limit_goes_and_not_the_server() {
    let server = Server::start(Kind::Redkeep, &["--maxmemory", "64mb"]);
    let mut client = server.client();
    client.ok(&["CONFIG", "SET", "client-output-buffer-limit", "normal 10mb 0 0"]);
    client.run(&[&b"HSET"[..], b"hash", b"field", &vec![b'v'; MEGABYTE][..]]);
    let mut greedy = server.client();
    assert!(
        greedy
            .call(&["HRANDFIELD", "hash", "-1000", "WITHVALUES"])
            .is_err()
    );
    assert_eq!(client.run(&["HRANDFIELD", "hash", "-5"]).items().len(), 5);
}

/// What is asked for as often as 2^62 times leaves in pieces: `SRANDMEMBER one -16777216` held the executor for seconds.
#[test]
fn random_members_without_end_hold_nobody_up() {
    let _turn = heavy();
    let mut server = Server::start(Kind::Redkeep, &["--maxmemory", "64mb"]);
    let mut client = server.client();
    client.run(&["SADD", "set", "member"]);
    client.run(&["HSET", "hash", "field", "value"]);
    client.run(&["ZADD", "zset", "1", "member"]);
    let all = (1_u64 << 62).to_string();
    let unread = [
        ["SRANDMEMBER", "set"],
        ["HRANDFIELD", "hash"],
        ["ZRANDMEMBER", "zset"],
    ]
    .map(|[command, key]| {
        let request = [command, key, &format!("-{all}")].map(|word| word.as_bytes().to_vec());
        let mut unread = server.client();
        unread.send(&encode(&request)).expect("sent");
        let head = format!("*{all}\r\n");
        assert_eq!(unread.read_bytes(head.len()).expect("a head"), head.as_bytes());
        unread
    });
    // More than are drawn while others wait, and fewer.
    for count in ["-100000", "-10"] {
        for [command, key] in [
            ["SRANDMEMBER", "set"],
            ["HRANDFIELD", "hash"],
            ["ZRANDMEMBER", "zset"],
        ] {
            let drawn = client.run(&[command, key, count]);
            assert_eq!(format!("-{}", drawn.items().len()), count);
        }
    }
    drop(unread);
    wait_for("the ends of their connections", LIMIT, || {
        let list = client.run(&["CLIENT", "LIST"]).text().expect("a text");
        (list.lines().count() == 1).then_some(())
    });
    let _ = ask(
        &server,
        &["SRANDMEMBER", "set", &format!("-{all}")].map(|word| word.as_bytes().to_vec()),
    );
    server.terminate();
}

/// What is cold and does not fit memory was all brought there and pinned, for one reply.
#[test]
fn a_reply_of_more_than_fits_memory_leaves_in_pieces() {
    let _turn = heavy();
    const KEYS: usize = 10_000;
    const LONG: usize = 60;
    let server = Server::start(Kind::Redkeep, &["--maxmemory", "32mb"]);
    let mut client = server.client();
    let value = vec![b'v'; 8000];
    for n in 0..KEYS {
        client.ok(&[b"SET", &name(n)[..], &value[..]]);
    }
    let long = vec![b'l'; MEGABYTE];
    for n in 0..LONG {
        client.run(&[&b"HSET"[..], b"hash", &name(n)[..], &long[..]]);
        client.run(&[&b"RPUSH"[..], b"list", &long[..]]);
        client.run(&[&b"SET"[..], &[&name(n)[..], b":long"].concat()[..], &long[..]]);
    }
    let named = |command: &[&[u8]], end: &[u8], count: usize| -> Vec<Vec<u8>> {
        let names = (0..count).map(|n| [&name(n)[..], end].concat());
        command.iter().map(|word| word.to_vec()).chain(names).collect()
    };
    let requests = [
        named(&[b"MGET"], b"", KEYS),
        named(&[b"MGET"], b":long", LONG),
        named(&[b"HMGET", b"hash"], b"", LONG),
        vec![b"HVALS".to_vec(), b"hash".to_vec()],
        vec![
            b"LRANGE".to_vec(),
            b"list".to_vec(),
            b"0".to_vec(),
            b"-1".to_vec(),
        ],
    ];
    for request in requests {
        server.drop_hot(&mut client);
        let before = server.resident_bytes();
        let mut unread = ask(&server, &request);
        let after = server.resident_bytes();
        let shown = String::from_utf8_lossy(&request[0]);
        assert!(after < before + (40 << 20), "{shown}: {before} -> {after} bytes");
        let reply = unread.receive().expect("a reply");
        let (count, expected) = match request.len() > KEYS {
            true => (KEYS, &value),
            false => (LONG, &long),
        };
        assert_eq!(reply.items().len(), count);
        assert!(
            reply
                .items()
                .iter()
                .all(|item| *item == Value::bulk(expected.clone())),
            "{shown}"
        );
    }
}

/// A command that changes data needs what it takes out in memory: if that is too much, it is refused.
#[test]
fn what_a_command_takes_out_at_once_is_bounded_by_memory() {
    let server = Server::start(Kind::Redkeep, &["--maxmemory", "32mb"]);
    let mut client = server.client();
    let long = vec![b'l'; MEGABYTE];
    for _ in 0..40 {
        client.run(&[&b"RPUSH"[..], b"list", &long[..]]);
    }
    for is_cold in [false, true] {
        if is_cold {
            server.drop_hot(&mut client);
        }
        let refused = client.run(&["LPOP", "list", "40"]);
        assert_eq!(
            refused,
            Value::Error("OOM command not allowed when used memory > 'maxmemory'.".into())
        );
        assert_eq!(client.run(&["LPOP", "list", "4"]).items().len(), 4);
    }
    assert_eq!(client.run(&["LLEN", "list"]), Value::Integer(32));
}

/// With 66 clients that hardly read, nobody else's SCAN, KEYS or LRANGE was answered.
#[test]
fn slow_readers_however_many_keep_nobody_waiting() {
    let _turn = heavy();
    const SLOW: usize = 80;
    const ELEMENTS: usize = 16_000;
    let mut server = Server::start(Kind::Redkeep, &["--maxmemory", "128mb"]);
    let mut client = server.client();
    let value = vec![b'v'; 1000];
    fill(
        &mut client,
        "HSET",
        "hash",
        (0..2 * ELEMENTS).map(|n| if n % 2 == 0 { name(n / 2) } else { value.clone() }),
    );
    fill(&mut client, "RPUSH", "list", (0..ELEMENTS).map(|_| value.clone()));
    server.drop_hot(&mut client);
    let before = server.resident_bytes();
    let requests = [&["HGETALL", "hash"][..], &["LRANGE", "list", "0", "-1"]];
    let mut slow: Vec<Client> = (0..SLOW).map(|_| server.client()).collect();
    for (n, client) in slow.iter_mut().enumerate() {
        client.send(&encode(requests[n % 2])).expect("sent");
    }
    let stuck = |list: &str| list.lines().filter(|line| !line.contains(" omem=0 ")).count();
    wait_for("replies that are stuck", LIMIT, || {
        let list = client.run(&["CLIENT", "LIST"]).text().expect("a text");
        (stuck(&list) == SLOW).then_some(())
    });
    for _ in 0..3 {
        assert!(!client.run(&["SCAN", "0"]).is_error());
        assert_eq!(client.run(&["KEYS", "*"]).items().len(), 2);
        assert_eq!(client.run(requests[0]).items().len(), 2 * ELEMENTS);
        assert_eq!(client.run(requests[1]).items().len(), ELEMENTS);
    }
    let list = client.run(&["CLIENT", "LIST"]).text().expect("a text");
    assert_eq!(stuck(&list), SLOW, "{list}");
    let each = server.resident_bytes().saturating_sub(before) / SLOW as u64;
    assert!(each < MEGABYTE as u64, "{each} bytes for each of them");
    assert_eq!(slow[0].receive().expect("a reply").items().len(), 2 * ELEMENTS);
    // They hold up neither others nor the end.
    server.terminate();
}

/// The store could not be opened again, and nothing of it be read meanwhile, until the slow reader had lost patience.
#[test]
fn a_slow_reader_keeps_the_store_from_nothing() {
    let _turn = heavy();
    let flags = ["--maxmemory", "64mb", "--appendfsync", "everysec"];
    let mut server = Setup::new(Kind::Redkeep, &flags).file_size_limit(1 << 20).start();
    let mut client = server.client();
    // Few bytes on disk, many in the reply.
    client.run(&["SADD", "set", "member"]);
    let endless = ["SRANDMEMBER", "set", "-1000000000000"].map(|word| word.as_bytes().to_vec());
    let _slow = [ask(&server, &endless), ask(&server, &endless)];
    let value = vec![b'v'; 4096];
    let mut write = |n| client.run(&[b"SET", &name(n)[..], &value[..]]);
    assert!((0..5000).any(|n| write(n).is_error()));
    server.lift_file_size_limit();
    wait_for("a write that succeeds", LIMIT / 2, || {
        write(0).is_ok().then_some(())
    });
    assert!(client.run(&["KEYS", "*"]).items().len() > 1);
}
