//! Scripts beside others: nobody comes in between, whatever has to be read from disk; and those that take too long.

use crate::support::client::encode;
use crate::support::{Client, Kind, Server, Value, heavy, wait_for};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(60);

/// Accounts among which amounts move, and what each has in the beginning.
const ACCOUNTS: u64 = 2000;
const AMOUNT: u64 = 100;

/// Adds up all accounts, none of which is declared.
const SUM: &str = "local sum = 0 for i = 1, ARGV[1] do sum = sum + redis.call('get', 'a:' .. i) end \
    redis.call('set', 'sum', sum) return redis.call('get', 'sum')";

fn fill(client: &mut Client, name: &str, count: u64, value: &str) {
    for first in (1..=count).step_by(1000) {
        let mut words = vec!["MSET".to_owned()];
        for n in first..(first + 1000).min(count + 1) {
            words.extend([format!("{name}:{n}"), value.to_owned()]);
        }
        client.ok(&words);
    }
}

/// Moves one from an account to another, again and again.
fn move_amounts(mut client: Client, mut seed: u64, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        let mut next = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            format!("a:{}", (seed >> 33) % ACCOUNTS + 1)
        };
        let (from, to) = (next(), next());
        client.ok(&["MULTI"]);
        client.run(&["DECR", &from]);
        client.run(&["INCR", &to]);
        assert_eq!(client.run(&["EXEC"]).items().len(), 2);
    }
}

#[test]
fn nobody_comes_in_between_while_a_script_waits_for_cold_keys() {
    const ROUNDS: usize = 8;
    let _alone = heavy();
    let server = Server::start(Kind::Redkeep, &["--enable-debug-command", "yes"]);
    let mut client = server.client();
    fill(&mut client, "a", ACCOUNTS, &AMOUNT.to_string());
    client.ok(&["SET", "hot", "1"]);
    let (stop, reads) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        for seed in 0..2 {
            let (writer, stop) = (server.client(), &stop);
            scope.spawn(move || move_amounts(writer, seed, stop));
        }
        let (mut reader, stop, reads) = (server.client(), &stop, &reads);
        scope.spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                reader.run(&["GET", "hot"]);
                reads.fetch_add(1, Ordering::Relaxed);
            }
        });
        let whole = (ACCOUNTS * AMOUNT).to_string();
        for round in 0..ROUNDS {
            server.drop_hot(&mut client);
            let (before, began) = (reads.load(Ordering::Relaxed), Instant::now());
            let script = ["EVAL", SUM, "0", &ACCOUNTS.to_string()];
            let sum = match round % 2 {
                0 => client.run(&script),
                _ => {
                    // However often it begins anew, the first reply is from before HELLO.
                    client.run(&["HELLO", "3"]);
                    client.ok(&["MULTI"]);
                    for command in [&["GET", "none"][..], &["HELLO", "2"], &["GET", "none"], &script] {
                        client.run(command);
                    }
                    let replies = client.run(&["EXEC"]);
                    let replies = replies.items();
                    assert_eq!([&replies[0], &replies[2]], [&Value::Null, &Value::Nil]);
                    replies[3].clone()
                }
            };
            assert_eq!(sum.text().as_ref(), Some(&whole), "round {round}: {sum:?}");
            assert!(began.elapsed() < LIMIT, "{:?}", began.elapsed());
            assert!(
                reads.load(Ordering::Relaxed) > before,
                "readers were kept waiting"
            );
        }
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_script_reads_cold_keys_about_as_fast_as_a_client_does() {
    const KEYS: u64 = 10_000;
    const MOST_TIMES: u32 = 3;
    let _alone = heavy();
    let server = Server::start(Kind::Redkeep, &["--enable-debug-command", "yes"]);
    let mut client = server.client();
    fill(&mut client, "a", KEYS, "1");
    server.drop_hot(&mut client);
    let began = Instant::now();
    for n in 1..=KEYS {
        assert_eq!(client.run(&["GET", &format!("a:{n}")]), Value::bulk("1"));
    }
    let one_by_one = began.elapsed();
    server.drop_hot(&mut client);
    let began = Instant::now();
    let sum = client.run(&["EVAL", SUM, "0", &KEYS.to_string()]);
    let by_script = began.elapsed();
    assert_eq!(sum, Value::bulk(KEYS.to_string()));
    println!("{KEYS} cold keys: {one_by_one:?} by GET, {by_script:?} by a script");
    assert!(
        by_script < one_by_one * MOST_TIMES,
        "{by_script:?} against {one_by_one:?}"
    );
}

/// Waits until others are told that a script is busy.
fn await_busy(client: &mut Client) {
    wait_for("a script to be busy", LIMIT, || {
        let reply = client.run(&["GET", "k"]);
        let text = format!("{reply:?}");
        text.contains("BUSY Redis is busy running a script").then_some(())
    });
}

#[test]
fn a_script_that_runs_for_long_can_be_killed_unless_it_has_written() {
    let mut server = Server::start(Kind::Redkeep, &["--busy-reply-threshold", "100"]);
    let (mut client, mut other) = (server.client(), server.client());
    let endless = ["EVAL", "while true do end", "0"];
    let calls = ["EVAL", "while true do redis.pcall('get', 'k') end", "0"];
    for script in [endless, calls] {
        for is_queued in [false, true] {
            if is_queued {
                client.ok(&["MULTI"]);
                client.run(&["SET", "k", "1"]);
                client.run(&script);
                client.send(&encode(&["EXEC"])).expect("sent");
            } else {
                client.send(&encode(&script)).expect("sent");
            }
            await_busy(&mut other);
            assert!(other.run(&["EVAL", "return 1", "0"]).is_error());
            assert!(other.run(&["SHUTDOWN"]).is_error());
            other.ok(&["SCRIPT", "KILL"]);
            let reply = format!("{:?}", client.receive().expect("a reply"));
            assert!(
                reply.contains("Script killed by user with SCRIPT KILL"),
                "{reply}"
            );
            assert_eq!(other.run(&["EVAL", "return 1", "0"]), Value::Integer(1));
            let reply = format!("{:?}", other.run(&["SCRIPT", "KILL"]));
            assert!(reply.contains("NOTBUSY"), "{reply}");
        }
    }
    let writes = ["EVAL", "redis.call('set', 'w', '1') while true do end", "0"];
    client.send(&encode(&writes)).expect("sent");
    await_busy(&mut other);
    let reply = format!("{:?}", other.run(&["SCRIPT", "KILL"]));
    assert!(reply.contains("UNKILLABLE"), "{reply}");
    other.send(&encode(&["SHUTDOWN", "NOSAVE"])).expect("sent");
    assert!(server.wait().success());
    server.start_again();
    let mut client = server.client();
    assert_eq!(client.run(&["EXISTS", "w", "k"]), Value::Integer(1));
}

#[test]
fn a_function_that_runs_for_long_is_shown_and_can_be_killed() {
    const LIBRARY: &str = "#!lua name=long\n\
        redis.register_function('endless', function() while true do end end)\n\
        redis.register_function('writes', function() redis.call('set', 'w', '1') while true do end end)";
    let mut server = Server::start(Kind::Redkeep, &["--busy-reply-threshold", "100"]);
    let (mut client, mut other) = (server.client(), server.client());
    client.run(&["FUNCTION", "LOAD", LIBRARY]);
    let shown = |other: &mut Client| other.run(&["FUNCTION", "STATS"]).lines().join("\n");
    let call = ["FCALL", "endless", "1", "k", "argument"];
    for is_queued in [false, true] {
        if is_queued {
            client.ok(&["MULTI"]);
            client.run(&["SET", "k", "1"]);
            client.run(&call);
            client.send(&encode(&["EXEC"])).expect("sent");
        } else {
            client.send(&encode(&call)).expect("sent");
        }
        await_busy(&mut other);
        let stats = shown(&mut other);
        for text in [
            "\"name\"",
            "\"endless\"",
            "\"duration_ms\"",
            "\"FCALL\"",
            "\"argument\"",
        ] {
            assert!(stats.contains(text), "{text} in {stats}");
        }
        let reply = format!("{:?}", other.run(&["SCRIPT", "KILL"]));
        assert!(reply.contains("You can only call FUNCTION KILL"), "{reply}");
        let reply = format!("{:?}", other.run(&["FUNCTION", "DELETE", "long"]));
        assert!(reply.contains("BUSY"), "{reply}");
        other.ok(&["FUNCTION", "KILL"]);
        let reply = format!("{:?}", client.receive().expect("a reply"));
        // In these words in Redis, too.
        assert!(reply.contains("killed by user with SCRIPT KILL"), "{reply}");
        let reply = format!("{:?}", other.run(&["FUNCTION", "KILL"]));
        assert!(reply.contains("NOTBUSY"), "{reply}");
        assert!(!shown(&mut other).contains("endless"));
    }
    client
        .send(&encode(&["EVAL", "while true do end", "0"]))
        .expect("sent");
    await_busy(&mut other);
    let reply = format!("{:?}", other.run(&["FUNCTION", "KILL"]));
    assert!(reply.contains("You can only call SCRIPT KILL"), "{reply}");
    other.ok(&["SCRIPT", "KILL"]);
    assert!(client.receive().expect("a reply").is_error());
    client.send(&encode(&["FCALL", "writes", "0"])).expect("sent");
    await_busy(&mut other);
    let reply = format!("{:?}", other.run(&["FUNCTION", "KILL"]));
    assert!(reply.contains("UNKILLABLE"), "{reply}");
    other.send(&encode(&["SHUTDOWN", "NOSAVE"])).expect("sent");
    assert!(server.wait().success());
    server.start_again();
    assert_eq!(server.client().run(&["EXISTS", "w"]), Value::Integer(0));
}

/// What comes behind a script in a queue may miss records that nobody knew it would want: it waits for them, and the script is
/// not run again.
#[test]
fn a_script_in_a_queue_runs_once_though_what_follows_it_is_cold() {
    const FIELDS: u64 = 5000;
    let server = Server::start(Kind::Redkeep, &["--enable-debug-command", "yes"]);
    let mut client = server.client();
    for field in 0..FIELDS {
        client.run(&["HSET", "cold", &field.to_string(), "value"]);
    }
    server.drop_hot(&mut client);
    let script = "redis.log(redis.LOG_WARNING, 'the script runs') redis.call('rename', 'cold', 'now')";
    client.ok(&["MULTI"]);
    client.run(&["EVAL", script, "0"]);
    client.run(&["SELECT", "0"]);
    for field in [1, 2500, 4999] {
        client.run(&["HGET", "now", &field.to_string()]);
    }
    client.run(&["EVAL", "return redis.call('hget', 'now', '77')", "0"]);
    let before = server.log().matches("the script runs").count();
    let replies = client.run(&["EXEC"]);
    let value = Value::bulk("value");
    let ok = Value::Simple("OK".into());
    let expected = [Value::Nil, ok, value.clone(), value.clone(), value.clone(), value];
    assert_eq!(replies.items(), expected);
    assert_eq!(server.log().matches("the script runs").count() - before, 1);
}
