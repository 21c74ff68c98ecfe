//! Replies longer than anybody wants in memory: right, whole, and beside other clients, also where their own client reads
//! slowly or not at all.

use crate::support::client::encode;
use crate::support::{Client, Kind, Server, Value, heavy, wait_for};
use std::collections::BTreeSet;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);

/// What is in memory of a reply on its way: what a session and its view may hold, and room for how buffers grow.
const MOST_ON_THE_WAY: u64 = 4 << 20;

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
