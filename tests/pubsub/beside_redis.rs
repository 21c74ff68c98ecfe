//! Subscribers and publishers take turns at random, beside a real redis-server: each gets the same, in the same order.

use crate::support::client::encode;
use crate::support::server::redis_is_installed;
use crate::support::{Client, Kind, Rng, Server, Value, env_number, heavy};

type Args = Vec<String>;

/// Those who listen: half of them speak RESP3. The others publish.
const LISTENERS: usize = 6;
const PUBLISHERS: usize = 3;
const CLIENTS: usize = LISTENERS + PUBLISHERS;

const CHANNELS: [&str; 6] = ["a", "b", "ab", "news.art", "news.x", ""];
const PATTERNS: [&str; 7] = ["*", "a*", "news.[ab]*", "*x", "n?ws.*", "b", "\\a"];

#[test]
fn everybody_gets_what_redis_sends_them() {
    if !redis_is_installed() {
        return;
    }
    let _turn = heavy();
    let seeds = env_number("REDKEEP_DIFF_SEEDS", 3);
    let commands = env_number("REDKEEP_DIFF_COMMANDS", 20_000) as usize / 2;
    for seed in 1..=seeds {
        let flags: &[&str] = match seed % 3 {
            0 => &["--appendfsync", "always"],
            1 => &["--io-threads", "2"],
            _ => &[],
        };
        let redkeep = Server::start(Kind::Redkeep, flags);
        let redis = Server::start(Kind::Redis, &[]);
        let mut sides = [Side::connect(&redis), Side::connect(&redkeep)];
        let mut rng = Rng::new(seed);
        let (mut sent, mut compared) = (0, 0);
        while sent < commands {
            let client = rng.below(CLIENTS as u64) as usize;
            let batch = batch(&mut rng, client);
            sent += batch.len();
            let token = format!("end of {sent}");
            let [expected, actual] = sides.each_mut().map(|side| side.exchange(client, &batch, &token));
            for (of, (redis, redkeep)) in expected.iter().zip(&actual).enumerate() {
                let lines: Vec<String> = batch.iter().map(|args| args.join(" ")).collect();
                assert_eq!(
                    redis,
                    redkeep,
                    "seed {seed}: what client {of} got (first as redis-server has it) when client {client} had sent\n{}",
                    lines.join("\n")
                );
                compared += redis.len();
            }
        }
        println!("seed {seed}: {sent} requests, {compared} replies and messages");
    }
}

/// One server's clients.
struct Side {
    clients: Vec<Client>,
}

impl Side {
    fn connect(server: &Server) -> Side {
        let mut clients: Vec<Client> = (0..CLIENTS).map(|_| server.client()).collect();
        for client in clients.iter_mut().take(LISTENERS).skip(LISTENERS / 2) {
            client.run(&["HELLO", "3"]);
        }
        Side { clients }
    }

    /// Has one client send a batch. Returns what each has got by then, but for the token that shows the end of it.
    fn exchange(&mut self, from: usize, batch: &[Args], token: &str) -> Vec<Vec<String>> {
        let requests: Vec<u8> = batch.iter().flat_map(|args| encode(args)).collect();
        self.clients[from].send(&requests).expect("a running server");
        let mut got = vec![Vec::new(); CLIENTS];
        // The sender first: when it has everything, all others are to be sent what they get.
        let others = (0..CLIENTS).filter(|number| *number != from);
        for number in std::iter::once(from).chain(others) {
            let client = &mut self.clients[number];
            client.send(&encode(&["PING", token])).expect("a running server");
            let mut values = Vec::new();
            loop {
                let value = client.receive().expect("a running server");
                if is_token(&value, token) {
                    break;
                }
                values.push(value);
            }
            got[number] = in_order(values);
        }
        got
    }
}

fn is_token(value: &Value, token: &str) -> bool {
    match value {
        Value::Bulk(text) => text == token.as_bytes(),
        Value::Array(items) => items.get(1).is_some_and(|item| is_token(item, token)),
        _ => false,
    }
}

/// The values as text; those that have no order among themselves are sorted.
fn in_order(values: Vec<Value>) -> Vec<String> {
    let unordered = |value: &Value| match value {
        Value::Array(items) | Value::Push(items) => match items.first().and_then(Value::text) {
            Some(word) if word.ends_with("unsubscribe") => Some(format!("{word}, {} of them", items.len())),
            Some(word) if word == "pmessage" => Some(format!("{:?}", &items[2..])),
            _ => None,
        },
        _ => None,
    };
    let mut texts = Vec::new();
    let mut rest = values.as_slice();
    while let Some(first) = rest.first() {
        let group = unordered(first);
        let alike = |value: &&Value| group.is_some() && unordered(value) == group;
        let count = rest.iter().take_while(alike).count().max(1);
        let (run, after) = rest.split_at(count);
        let mut run: Vec<String> = run.iter().map(without_count).collect();
        run.sort();
        texts.append(&mut run);
        rest = after;
    }
    texts
}

/// What is confirmed, without how many are left where names have no order; that follows from PUBSUB and from the last.
fn without_count(value: &Value) -> String {
    match value {
        Value::Array(items) | Value::Push(items) => match items.as_slice() {
            [word, name, Value::Integer(_)] if word.text().is_some_and(|word| word.contains("unsub")) => {
                format!("{word:?} {name:?}")
            }
            _ => format!("{value:?}"),
        },
        // What HELLO tells of the server and the connection.
        Value::Map(_) => "a map".to_owned(),
        _ => format!("{value:?}"),
    }
}

/// What a client sends at once.
fn batch(rng: &mut Rng, client: usize) -> Vec<Args> {
    let mut batch = Vec::new();
    for _ in 0..=rng.below(6) {
        match client < LISTENERS {
            true => listen(rng, client, &mut batch),
            false => tell(rng, &mut batch),
        }
    }
    batch
}

fn words(text: &str) -> Args {
    text.split(' ').map(str::to_owned).collect()
}

fn some(rng: &mut Rng, names: &[&str], most: u64) -> Vec<String> {
    let count = 1 + rng.below(most);
    (0..count).map(|_| (*rng.pick(names)).to_owned()).collect()
}

fn listen(rng: &mut Rng, client: usize, batch: &mut Vec<Args>) {
    let kind = *rng.pick(&["", "", "S", "P"]);
    let names: &[&str] = if kind == "P" { &PATTERNS } else { &CHANNELS };
    match rng.below(12) {
        0..4 => {
            let mut args = vec![format!("{kind}SUBSCRIBE")];
            args.extend(some(rng, names, 3));
            batch.push(args);
        }
        4..6 => {
            let mut args = vec![format!("{kind}UNSUBSCRIBE")];
            args.extend(some(rng, names, 2));
            batch.push(args);
        }
        6 => batch.push(vec![format!("{kind}UNSUBSCRIBE")]),
        7 => {
            batch.push(words("RESET"));
            if client >= LISTENERS / 2 {
                batch.push(words("HELLO 3"));
            }
        }
        8 => batch.extend(["GET k", "SET k 1", "PING", "PING x"].map(words)),
        // A reply of more than was announced would be read as the next.
        9 => batch.extend(["MULTI", "SUBSCRIBE a", "PUNSUBSCRIBE a*", "SSUBSCRIBE b", "EXEC"].map(words)),
        10 => batch.extend(["CLIENT REPLY SKIP", "SUBSCRIBE b", "CLIENT REPLY ON"].map(words)),
        _ => batch.push(words("PUBSUB NUMPAT")),
    }
}

fn tell(rng: &mut Rng, batch: &mut Vec<Args>) {
    let channel = rng.pick(&CHANNELS).to_string();
    let number = rng.below(1000).to_string();
    let publish = |word: &str, channel: &str, number: &str| {
        vec![word.to_owned(), channel.to_owned(), number.to_owned()]
    };
    let script = |text: &str| {
        vec![
            "EVAL".to_owned(),
            text.to_owned(),
            "1".to_owned(),
            channel.clone(),
            number.clone(),
        ]
    };
    match rng.below(12) {
        0..3 => batch.push(publish("PUBLISH", &channel, &number)),
        3 => batch.push(publish("SPUBLISH", &channel, &number)),
        4 => {
            batch.push(words("SET k 1"));
            batch.push(publish("PUBLISH", &channel, &number));
            batch.push(words("GET k"));
        }
        5 | 6 => {
            batch.push(words("MULTI"));
            for _ in 0..rng.below(4) {
                let channel = *rng.pick(&CHANNELS);
                batch.push(words("INCR n"));
                batch.push(publish("PUBLISH", channel, &number));
            }
            // It fails, and harms nobody.
            batch.push(words("LPUSH n 1"));
            batch.push(words(if rng.one_in(4) { "DISCARD" } else { "EXEC" }));
        }
        7 => batch.push(script(
            "redis.call('publish', KEYS[1], 'first'); redis.call('incr', 'n'); return redis.call('spublish', KEYS[1], ARGV[1])",
        )),
        8 => batch.push(script(
            "redis.call('publish', KEYS[1], ARGV[1]); redis.call('set', 'k', 'v'); return redis.call('lpush', 'k', 1)",
        )),
        9 => {
            let mut args = words("PUBSUB NUMSUB");
            args.extend(some(rng, &CHANNELS, 3));
            batch.push(args);
        }
        10 => batch.push(words("PUBSUB NUMPAT")),
        _ => {
            let mut args = words("PUBSUB SHARDNUMSUB");
            args.extend(some(rng, &CHANNELS, 2));
            batch.push(args);
        }
    }
}
