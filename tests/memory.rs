//! Memory: the budget holds while keys of all types come and go, and what is free goes back to the system; and a large write
//! keeps nobody waiting who adds nothing to it.
//!
//! `REDKEEP_CHURN_SECONDS=300` goes on for longer than the few seconds that show the most, with `REDKEEP_CHURN_MEMORY`
//! megabytes.

use crate::support::{Client, Kind, Rng, Server, Value, env_number, heavy, wait_for};
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(60);
const MB: u64 = 1 << 20;
const KEYS: u64 = 200_000;
const WRITERS: u64 = 3;
const BATCH: usize = 64;
/// What one transaction may stage beyond the budget: the largest that the churn makes, with room.
const ONE_TRANSACTION: u64 = 8 * MB;

/// What the files of a directory take, in bytes.
fn disk_bytes(dir: &Path) -> u64 {
    let entries = fs::read_dir(dir).expect("a directory");
    let sizes = entries.map(
        |entry| match entry.and_then(|entry| Ok((entry.file_type()?, entry))) {
            Ok((kind, entry)) if kind.is_dir() => disk_bytes(&entry.path()),
            // One that is deleted meanwhile takes nothing.
            Ok((_, entry)) => entry.metadata().map_or(0, |metadata| metadata.len()),
            Err(_) => 0,
        },
    );
    sizes.sum()
}

fn words(command: &str) -> Vec<Vec<u8>> {
    command.split(' ').map(|word| word.as_bytes().to_vec()).collect()
}

/// One command of the churn: of any type and size, of any key.
fn churn(rng: &mut Rng) -> Vec<Vec<u8>> {
    let key = rng.below(KEYS);
    let bytes = vec![b'x'; 1 << rng.below(13)];
    let number = rng.below(1000);
    let with = |command: String| [words(&command), vec![bytes.clone()]].concat();
    match rng.below(24) {
        0..=5 => with(format!("SET s{key}")),
        6..=7 => with(format!("SETEX s{key} {}", 1 + rng.below(20))),
        8 => [words(&format!("SET s{key}")), vec![vec![b'y'; 200_000]]].concat(),
        9 => with(format!("HSET h{} {number}", key % 20_000)),
        10 => with(format!("RPUSH l{}", key % 20_000)),
        11 => words(&format!("SADD t{} {number} {key}", key % 20_000)),
        12 => words(&format!("ZADD z{} {number} {key}", key % 20_000)),
        13 => with(format!("XADD x{} * field", key % 2000)),
        14 => words(&format!("EXPIRE h{} {}", key % 20_000, 1 + rng.below(10))),
        // A large collection, made at once.
        15 if rng.below(40) == 0 => {
            let members = (0..20_000).map(|n| format!("member:{key}:{n}").into_bytes());
            words(&format!("SADD big{}", key % 40))
                .into_iter()
                .chain(members)
                .collect()
        }
        15 if rng.below(10) == 0 => words(&format!("UNLINK big{}", key % 40)),
        15..=20 => words(&format!(
            "UNLINK s{key} h{} l{} t{}",
            key % 20_000,
            key % 20_000,
            number
        )),
        _ => words(&format!("GET s{key}")),
    }
}

fn write_until(server_is_done: &AtomicBool, mut client: Client, seed: u64) -> usize {
    let mut rng = Rng::new(seed);
    let mut commands = 0;
    while !server_is_done.load(Relaxed) {
        let batch: Vec<Vec<Vec<u8>>> = (0..BATCH).map(|_| churn(&mut rng)).collect();
        for reply in client.pipeline(&batch).expect("replies") {
            assert!(!reply.is_error(), "{reply:?}");
        }
        commands += BATCH;
    }
    commands
}

#[test]
fn the_budget_holds_while_keys_come_and_go_and_memory_goes_back() {
    let _turn = heavy();
    let seconds = env_number("REDKEEP_CHURN_SECONDS", 5);
    let budget = env_number("REDKEEP_CHURN_MEMORY", 48) * MB;
    let data = tempfile::tempdir().expect("a temporary directory");
    let setup = crate::support::server::Setup::new(Kind::Redkeep, &["--maxmemory", &budget.to_string()]);
    let server = setup.data(data.path()).start();
    let mut client = server.client();
    let names = ["hot_bytes", "hot_budget", "used_memory", "used_memory_rss"];
    let fresh = client.figures(names)[3];
    let done = AtomicBool::new(false);
    let (mut most_rss, mut most_hot, mut most_off) = (0, 0.0f64, 0.0f64);
    thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|number| {
                let (client, done) = (server.client(), &done);
                scope.spawn(move || write_until(done, client, number + 1))
            })
            .collect();
        let end = Instant::now() + Duration::from_secs(seconds);
        while Instant::now() < end {
            let [hot, hot_budget, used, rss] = client.figures(names);
            assert!(
                hot <= hot_budget + hot_budget / 10 + ONE_TRANSACTION,
                "the hot tier has {hot} bytes, its budget is {hot_budget}"
            );
            most_rss = most_rss.max(rss);
            most_hot = most_hot.max(hot as f64 / hot_budget as f64);
            most_off = most_off.max((rss as f64 - used as f64).abs() / rss as f64);
            thread::sleep(Duration::from_millis(50));
        }
        done.store(true, Relaxed);
        let commands: usize = writers.into_iter().map(|w| w.join().expect("no panic")).sum();
        println!("{commands} commands");
    });
    println!(
        "RSS: fresh {} MB, most {} MB; hot tier: most {most_hot:.2} of its budget; used_memory: off by {:.0} % at most",
        fresh / MB,
        most_rss / MB,
        100.0 * most_off
    );
    assert!(most_off <= 0.1, "used_memory is not what is used");
    assert!(most_rss <= budget * 115 / 100 + 100 * MB, "RSS: {most_rss}");
    client.ok(&["FLUSHALL"]);
    let flushed = Instant::now();
    let (mut rss, mut disk) = (0, 0);
    let is_given_back = wait_for_or_not(|| {
        rss = client.figures(names)[3];
        disk = disk_bytes(data.path());
        rss <= fresh * 13 / 10 && disk <= 4 * MB
    });
    println!(
        "after FLUSHALL: RSS {:.1} MB (fresh {:.1}), disk {:.1} MB, in {:.0?}",
        rss as f64 / MB as f64,
        fresh as f64 / MB as f64,
        disk as f64 / MB as f64,
        flushed.elapsed()
    );
    assert!(is_given_back, "{:?}", client.run(&["INFO", "everything"]));
}

/// Whether something comes to be in time.
fn wait_for_or_not(mut is_so: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + LIMIT;
    while !is_so() {
        if Instant::now() > end {
            return false;
        }
        thread::sleep(Duration::from_millis(200));
    }
    true
}

/// The hot tier as INFO has it: records and bytes.
fn hot(client: &mut Client) -> (u64, u64) {
    let [records, bytes] = client.figures(["hot_records", "hot_bytes"]);
    (records, bytes)
}

#[test]
fn an_idle_server_over_its_budget_comes_back_to_it() {
    let _turn = heavy();
    let server = Server::start(Kind::Redkeep, &["--maxmemory", "256mb"]);
    let mut client = server.client();
    for first in (0..40_000).step_by(500) {
        let set = |n: i32| vec![b"SET".to_vec(), format!("k{n}").into_bytes(), vec![b'v'; 1000]];
        let commands: Vec<_> = (first..first + 500).map(set).collect();
        client.pipeline(&commands).expect("replies");
    }
    // All of it is used, and then nobody does anything any more.
    let gets: Vec<_> = (0..40_000).map(|n| words(&format!("GET k{n}"))).collect();
    client.pipeline(&gets).expect("replies");
    assert!(hot(&mut client).1 > 40 * MB);
    client.ok(&["CONFIG", "SET", "maxmemory", "32mb"]);
    wait_for("the budget to hold", LIMIT, || {
        let [bytes, budget] = client.figures(["hot_bytes", "hot_budget"]);
        (budget < 32 * MB && bytes <= budget).then_some(())
    });
}

#[test]
fn what_was_flushed_dropped_or_expired_leaves_memory_and_disk_though_nothing_happens() {
    const EACH: usize = 60_000;
    let _turn = heavy();
    let data = tempfile::tempdir().expect("a temporary directory");
    let setup = crate::support::server::Setup::new(Kind::Redkeep, &["--maxmemory", "128mb"]);
    let server = setup.data(data.path()).start();
    let mut client = server.client();
    let fill = |client: &mut Client, ttl: &[&str]| {
        for first in (0..EACH).step_by(1000) {
            let set = |n| {
                let mut command = words(&format!("SET key:{n}"));
                command.push(vec![b'v'; 300]);
                command.extend(ttl.iter().map(|word| word.as_bytes().to_vec()));
                command
            };
            let commands: Vec<_> = (first..first + 1000).map(set).collect();
            client.pipeline(&commands).expect("replies");
        }
        for big in 0..4 {
            for first in (0..20_000).step_by(2000) {
                let members = (first..first + 2000).map(|n| format!("member:{n}").into_bytes());
                let command = words(&format!("SADD big:{big}")).into_iter().chain(members);
                client.run(&command.collect::<Vec<_>>());
            }
        }
    };
    let check = |client: &mut Client, what: &str| {
        let mut last = (0, 0, 0);
        let is_gone = wait_for_or_not(|| {
            let (records, bytes) = hot(client);
            last = (records, bytes, disk_bytes(data.path()));
            records <= 10 && last.2 <= 4 * MB
        });
        assert!(is_gone, "{what}: {last:?}");
    };
    fill(&mut client, &[]);
    assert!(hot(&mut client).0 > EACH as u64);
    client.ok(&["FLUSHALL"]);
    check(&mut client, "flushed");
    fill(&mut client, &["PX", "3000"]);
    client.run(&words("UNLINK big:0 big:1 big:2 big:3"));
    check(&mut client, "dropped and expired");
    fill(&mut client, &[]);
    client.ok(&["SELECT", "1"]);
    client.ok(&["SET", "stays", "v"]);
    client.ok(&["SELECT", "0"]);
    client.ok(&["FLUSHDB"]);
    check(&mut client, "one database of two flushed");
}

#[test]
fn reads_and_small_talk_go_on_while_a_large_write_is_brought_to_disk() {
    let _turn = heavy();
    let server = Server::start(Kind::Redkeep, &["--maxmemory", "64mb"]);
    let mut client = server.client();
    client.ok(&["SET", "small", "v"]);
    // Writers that add more than may be staged, all the time.
    let done = AtomicBool::new(false);
    let waited = thread::scope(|scope| {
        let writers: Vec<_> = (0..4)
            .map(|number: usize| {
                let (mut client, done) = (server.client(), &done);
                scope.spawn(move || {
                    let mut rounds = 0;
                    while !done.load(Relaxed) {
                        let key = format!("large:{number}");
                        let reply = client.run(&["SETRANGE", &key, "25000000", "x"]);
                        assert_eq!(reply.integer(), 25_000_001);
                        rounds += client.run(&["BITOP", "NOT", &key, &key]).is_error() as usize;
                        rounds += 1;
                    }
                    rounds
                })
            })
            .collect();
        let end = Instant::now() + Duration::from_secs(4);
        let mut waited = 0;
        while Instant::now() < end {
            // INFO tells whether there is more staged than a write would be let pass.
            let [staged, _] = client.figures(["congested", "hot_bytes"]);
            assert_eq!(client.run(&["GET", "small"]), Value::bulk("v"));
            assert_eq!(client.run(&["PING"]), Value::Simple("PONG".into()));
            let [after, _] = client.figures(["congested", "hot_bytes"]);
            waited += usize::from(staged == 1 && after == 1);
        }
        done.store(true, Relaxed);
        for writer in writers {
            assert!(writer.join().expect("no panic") > 0, "a writer starves");
        }
        waited
    });
    assert!(waited > 0, "nothing was ever congested, or everybody waited");
    // And one that waited for its turn was served.
    client.ok(&["SET", "small", "w"]);
    assert_eq!(client.figures(["congested", "waiting_writes"]), [0, 0]);
}
