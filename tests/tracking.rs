//! Client-side caching and MONITOR, beside what transcripts show: a cache that is kept by what the server tells never shows
//! what is no more, whatever goes on.

use crate::support::client::encode;
use crate::support::server::Setup;
use crate::support::{Client, Kind, Rng, Server, Value, env_number, heavy, wait_for};
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// Strings without a deadline, ...
const STRINGS: u64 = 40;
/// ... some with one, ...
const DUE: u64 = 10;
/// ... and hashes so long that they are read over a view when they are cold.
const HASHES: u64 = 2;
const FIELDS: u64 = 5_000;

const WRITERS: u64 = 3;
/// Writes of each writer between two checks.
const WRITES: usize = 120;
const LIMIT: Duration = Duration::from_secs(30);

/// Whether a key's value may be gone at any time.
fn is_due(request: &[String]) -> bool {
    request.iter().any(|word| word.starts_with("e:"))
}

fn string(rng: &mut Rng) -> String {
    match rng.one_in(4) {
        true => format!("e:{}", rng.below(DUE)),
        false => format!("s:{}", rng.below(STRINGS)),
    }
}

fn hash(rng: &mut Rng) -> String {
    format!("h:{}", rng.below(HASHES))
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn a_read(rng: &mut Rng) -> Vec<String> {
    let field = rng.below(FIELDS).to_string();
    match rng.below(8) {
        0 if rng.one_in(4) => words(&["HGETALL", &hash(rng)]),
        0 => words(&["TYPE", &hash(rng)]),
        1 => words(&["HGET", &hash(rng), &field]),
        2 => words(&["HLEN", &hash(rng)]),
        3 => words(&["STRLEN", &string(rng)]),
        4 => words(&["MGET", &string(rng), &string(rng)]),
        _ => words(&["GET", &string(rng)]),
    }
}

/// One write, or several that are one.
fn a_write(rng: &mut Rng) -> Vec<Vec<String>> {
    let value = rng.next().to_string();
    let number = rng.below(STRINGS);
    let one = format!("s:{number}");
    let other = format!("s:{}", (number + 1 + rng.below(STRINGS - 1)) % STRINGS);
    let field = rng.below(FIELDS).to_string();
    let due = format!("e:{}", rng.below(DUE));
    let in_ms = rng.between(1, 60).to_string();
    match rng.below(20) {
        0 => vec![words(&["DEL", &one, &other])],
        1 => vec![words(&["MSET", &one, &value, &other, "x"])],
        2..=4 => vec![words(&["HSET", &hash(rng), &field, &value])],
        5 => vec![words(&["HDEL", &hash(rng), &field])],
        6..=8 => vec![words(&["SET", &due, &value, "PX", &in_ms])],
        9 => vec![words(&["COPY", &one, &other, "REPLACE"])],
        10 => vec![words(&["APPEND", &one, "y"])],
        11 => vec![
            words(&["MULTI"]),
            words(&["SET", &one, &value]),
            words(&["HSET", &hash(rng), &field, &value]),
            words(&["EXEC"]),
        ],
        12 => vec![words(&[
            "EVAL",
            "return redis.call('SET', KEYS[1], ARGV[1])",
            "1",
            &one,
            &value,
        ])],
        13 => vec![words(&["GETDEL", &one])],
        14 if rng.one_in(20) => vec![words(&["FLUSHDB"])],
        15 if rng.one_in(20) => vec![words(&["SWAPDB", "0", "1"])],
        16 if rng.one_in(4) => vec![words(&["DEBUG", "DROP-HOT"])],
        17 => vec![words(&["RENAME", &one, &other])],
        _ => vec![words(&["SET", &one, &value])],
    }
}

/// Fills a hash, in one write.
fn fill_hashes(client: &mut Client) {
    for hash in 0..HASHES {
        let mut request = words(&["HSET", &format!("h:{hash}")]);
        let fields = (0..FIELDS).flat_map(|field| [field.to_string(), format!("{field:0>20}")]);
        request.extend(fields);
        client.run(&request);
    }
}

/// A client that keeps what it has read, as the server tells.
struct Cache {
    client: Client,
    how: &'static [&'static str],
    /// What requests were answered.
    kept: HashMap<Vec<String>, Value>,
    /// How often it was told of something that it kept.
    told: usize,
}

impl Cache {
    fn connect(server: &Server, how: &'static [&'static str]) -> Cache {
        let mut cache = Cache {
            client: server.client(),
            how,
            kept: HashMap::new(),
            told: 0,
        };
        cache.begin();
        cache
    }

    fn begin(&mut self) {
        self.kept.clear();
        self.client.run(&["HELLO", "3"]);
        self.client
            .ok(&[&["CLIENT", "TRACKING", "ON"], self.how].concat());
    }

    fn send(&mut self, request: &[impl AsRef<[u8]>]) {
        self.client.send(&encode(request)).unwrap();
    }

    /// Reads a reply. What comes before it is told of, and forgotten.
    fn receive(&mut self) -> Value {
        loop {
            match self.client.receive().unwrap() {
                Value::Push(told) => self.forget(&told),
                reply => return reply,
            }
        }
    }

    fn forget(&mut self, told: &[Value]) {
        let before = self.kept.len();
        match told {
            [Value::Bulk(kind), Value::Null] if kind == b"invalidate" => self.kept.clear(),
            [Value::Bulk(kind), Value::Array(keys)] if kind == b"invalidate" => {
                let keys: Vec<String> = keys.iter().filter_map(Value::text).collect();
                self.kept
                    .retain(|request, _| !request[1..].iter().any(|word| keys.contains(word)));
            }
            told => panic!("told {told:?}"),
        }
        self.told += before - self.kept.len();
    }

    /// What is asked before a read, for it to be tracked.
    fn preamble(&self) -> &'static [&'static str] {
        match self.how.contains(&"OPTIN") {
            true => &["CLIENT", "CACHING", "YES"],
            false => &["CLIENT", "GETNAME"],
        }
    }

    /// Sends several requests at once, and keeps what they are answered, in the order in which that comes.
    fn read_some(&mut self, rng: &mut Rng) {
        let requests: Vec<Vec<String>> = (0..1 + rng.below(8)).map(|_| a_read(rng)).collect();
        for request in &requests {
            self.send(self.preamble());
            self.send(request);
        }
        for request in requests {
            self.receive();
            let reply = self.receive();
            assert!(!reply.is_error(), "{request:?}: {reply:?}");
            self.kept.insert(request, reply);
        }
    }

    /// Reads a string, and then writes it, as one: what it has read is no more.
    fn read_and_write(&mut self, rng: &mut Rng) {
        let (key, value) = (string(rng), rng.next().to_string());
        self.send(self.preamble());
        self.receive();
        let reply = if rng.one_in(2) {
            for request in [&["MULTI"][..], &["GET", &key], &["SET", &key, &value], &["EXEC"]] {
                self.send(request);
            }
            for _ in 0..3 {
                self.receive();
            }
            self.receive().items()[0].clone()
        } else {
            let script = "local v = redis.call('GET', KEYS[1]) redis.call('SET', KEYS[1], ARGV[1]) return v";
            self.send(&["EVAL", script, "1", &key, &value]);
            self.receive()
        };
        match self.how.contains(&"NOLOOP") {
            // It is not told of what it does itself.
            true => self.kept.retain(|request, _| !request.contains(&key)),
            false => drop(self.kept.insert(words(&["GET", &key]), reply)),
        }
    }

    /// What was settled before has been told when this is answered.
    fn catch_up(&mut self) {
        self.send(&["PING"]);
        assert_eq!(self.receive().text().as_deref(), Some("PONG"));
    }

    /// The first request whose answer is kept and is another now.
    fn stale(&mut self, judge: &mut Client, seed: u64) -> Option<String> {
        let requests: Vec<_> = self.kept.keys().cloned().collect();
        let truth: Vec<_> = requests.iter().map(|request| judge.run(request)).collect();
        self.catch_up();
        for (request, truth) in requests.iter().zip(truth) {
            if let Some(kept) = self.kept.get(request)
                && sorted(kept.clone()) != sorted(truth.clone())
            {
                let found = format!(
                    "seed {seed}, {:?}: {request:?} is {truth:?}, not {kept:?}",
                    self.how
                );
                assert!(is_due(request), "{found:.300}");
                return Some(found);
            }
        }
        None
    }
}

/// Whatever the order of a hash's fields is.
fn sorted(value: Value) -> Value {
    match value {
        Value::Map(mut pairs) => {
            pairs.sort_by_cached_key(|pair| format!("{pair:?}"));
            Value::Map(pairs)
        }
        value => value,
    }
}

/// One who writes, and counts as such until it ends, however it does.
struct Writing<'a>(&'a AtomicUsize);

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Writers and readers go on beside each other.
fn play(server: &Server, caches: &mut [Cache], seed: u64) {
    let writing = AtomicUsize::new(WRITERS as usize);
    thread::scope(|scope| {
        for number in 0..WRITERS {
            let (writing, mut rng) = (Writing(&writing), Rng::new(seed * 100 + number));
            scope.spawn(move || {
                let _writing = writing;
                let mut client = server.client();
                for _ in 0..WRITES {
                    let replies = client.pipeline(&a_write(&mut rng)).unwrap();
                    let is_wrong =
                        |reply: &Value| reply.is_error() && !format!("{reply:?}").contains("no such key");
                    assert!(!replies.iter().any(is_wrong), "{replies:?}");
                }
            });
        }
        for (number, cache) in caches.iter_mut().enumerate() {
            let (writing, mut rng) = (&writing, Rng::new(seed * 100 + 50 + number as u64));
            scope.spawn(move || {
                while writing.load(Ordering::Relaxed) > 0 {
                    match rng.one_in(5) {
                        true => cache.read_and_write(&mut rng),
                        false => cache.read_some(&mut rng),
                    }
                }
            });
        }
    });
}

#[test]
fn a_cache_never_shows_what_is_no_more() {
    const MODES: [&[&str]; 5] = [
        &[],
        &["OPTIN"],
        &["NOLOOP"],
        &["BCAST"],
        &["BCAST", "NOLOOP", "PREFIX", "s:", "PREFIX", "e:", "PREFIX", "h:"],
    ];
    let _alone = heavy();
    let first_seed = env_number("REDKEEP_TRACKING_SEED", 1);
    for (appendfsync, threads) in [("always", "1"), ("everysec", "2")] {
        let flags = [
            "--appendfsync",
            appendfsync,
            "--io-threads",
            threads,
            "--maxmemory",
            "4mb",
        ];
        let debug = ["--enable-debug-command", "yes", "--tracking-table-max-keys", "30"];
        let mut server = Server::start(Kind::Redkeep, &[&flags[..], &debug].concat());
        let mut caches: Vec<Cache> = MODES.iter().map(|how| Cache::connect(&server, how)).collect();
        let mut views = 0;
        for seed in first_seed..first_seed + env_number("REDKEEP_TRACKING_ROUNDS", 8) {
            fill_hashes(&mut server.client());
            play(&server, &mut caches, seed);
            let mut judge = server.client();
            judge.run(&["HELLO", "3"]);
            for cache in &mut caches {
                wait_for("keys past their deadline to be told", LIMIT, || {
                    cache.stale(&mut judge, seed).is_none().then_some(())
                });
            }
            views += judge.figure("views");
            if seed.is_multiple_of(3) {
                server.kill9();
                server.start_again();
                for cache in &mut caches {
                    cache.client = server.client();
                    cache.begin();
                }
            }
        }
        assert!(views > 0, "nothing was read over a view");
        assert!(
            caches.iter().all(|cache| cache.told > 0),
            "somebody was told nothing"
        );
    }
}

#[test]
fn a_write_that_is_lost_leaves_caches_right() {
    /// Smaller than any log that the server would begin anew by itself.
    const FILE_SIZE_LIMIT: u64 = 1 << 20;
    let setup = Setup::new(Kind::Redkeep, &["--maxmemory", "64mb"]);
    let mut server = setup.file_size_limit(FILE_SIZE_LIMIT).start();
    let mut cache = Cache::connect(&server, &[]);
    let mut writer = server.client();
    let read = words(&["GET", "k"]);
    let (mut number, mut rng) = (0, Rng::new(1));
    let kept = loop {
        number += 1;
        assert!(number < 5_000, "no write fails");
        cache.send(&read);
        let reply = cache.receive();
        cache.kept.insert(read.clone(), reply.clone());
        // What fills the log, and does not compress.
        let value = rng.bytes(4096);
        writer.run(&[&b"SET"[..], format!("fill:{number}").as_bytes(), &value]);
        let lost = writer.run(&[&b"SET"[..], b"k", &value]).is_error();
        cache.catch_up();
        assert_eq!(cache.kept.contains_key(&read), lost, "write {number}");
        if lost {
            break reply;
        }
    };
    assert_eq!(writer.run(&read), kept);
    server.lift_file_size_limit();
    wait_for("writes to be taken again", LIMIT, || {
        writer.run(&["SET", "k", "new"]).is_ok().then_some(())
    });
    cache.catch_up();
    assert!(cache.kept.is_empty(), "the next write is told");
}

#[test]
fn what_a_client_may_have_tracked_is_bounded() {
    let server = Server::start(Kind::Redkeep, &[]);
    let (mut client, mut other) = (server.client(), server.client());
    client.run(&["HELLO", "3"]);
    let mut request = words(&["CLIENT", "TRACKING", "ON", "BCAST"]);
    request.extend((0..100_000).flat_map(|n| ["PREFIX".to_owned(), format!("{n:0>6}")]));
    assert!(client.run(&request).is_error());
    assert_eq!(other.figure("tracking_total_prefixes"), 0);
    client.ok(&["CLIENT", "TRACKING", "ON"]);
    let many = (0..10_000).map(|n| format!("key:{n}"));
    client.run(&words(&["MGET"]).into_iter().chain(many).collect::<Vec<_>>());
    assert_eq!(other.figure("tracking_total_items"), 10_000);
    other.ok(&["CONFIG", "SET", "tracking-table-max-keys", "10"]);
    for _ in 0..10_000 - 10 {
        assert!(matches!(client.receive(), Ok(Value::Push(_))));
    }
    assert_eq!(other.figure("tracking_total_keys"), 10);
    drop(client);
    wait_for("nobody to track", LIMIT, || {
        let figures = ["tracking_clients", "tracking_total_keys"];
        (figures.iter().all(|name| other.figure(name) == 0)).then_some(())
    });
}

#[test]
fn a_monitor_that_does_not_read_ends_alone() {
    let server = Server::start(
        Kind::Redkeep,
        &["--maxmemory", "64mb", "--maxmemory-clients", "4mb"],
    );
    let mut monitor = server.client();
    monitor.ok(&["MONITOR"]);
    let mut client = server.client();
    let value = "v".repeat(100_000);
    wait_for("the monitor to end", LIMIT, || {
        client.ok(&["SET", "key", &value]);
        (client.figure("evicted_clients") == 1).then_some(())
    });
    assert_eq!(client.figure("connected_clients"), 1);
    client.ok(&["SET", "key", "1"]);
}
