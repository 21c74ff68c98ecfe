//! Clients that wait, from the outside: what others write is given to them in the order in which they came, nothing is given
//! to who has gone, and nobody is told of what a crash takes back.
//!
//! `REDKEEP_BLOCKING_ROUNDS=20` kills the server so often; what [`turns`] reads of the environment is there.

mod turns;

use crate::support::client::encode;
use crate::support::server::Setup;
use crate::support::{Client, Kind, Rng, Server, Value, env_number, heavy, wait_for};
use std::collections::HashSet;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(30);

/// Waits until so many clients wait.
fn wait_for_waiters(client: &mut Client, count: u64) {
    wait_for("waiters", LIMIT, || {
        (client.figure("blocked_clients") == count).then_some(())
    });
}

/// A client that waits, and is the last of `count` to do so.
fn waiter<A: AsRef<[u8]>>(server: &Server, watch: &mut Client, count: u64, args: &[A]) -> Client {
    let mut client = server.client();
    client.send(&encode(args)).expect("a running server");
    wait_for_waiters(watch, count);
    client
}

fn texts(reply: &Value) -> Vec<String> {
    let text = |item: &Value| item.text().expect("a text");
    reply.items().iter().map(text).collect()
}

#[test]
fn many_who_wait_for_one_key_are_served_as_they_came_and_those_who_left_get_nothing() {
    const WAITERS: u64 = 300;
    let server = Server::start(Kind::Redkeep, &[]);
    let mut client = server.client();
    if server.is_redis() {
        return;
    }
    let mut waiters: Vec<Option<Client>> = (1..=WAITERS)
        .map(|count| Some(waiter(&server, &mut client, count, &["BLPOP", "k", "0"])))
        .collect();
    for gone in waiters.iter_mut().step_by(3) {
        *gone = None;
    }
    let mut staying: Vec<Client> = waiters.into_iter().flatten().collect();
    wait_for_waiters(&mut client, staying.len() as u64);
    let (first, rest) = (40, staying.len() - 40);
    for n in 0..first {
        assert_eq!(client.run(&["RPUSH", "k", &n.to_string()]).integer(), 1);
    }
    // And the others at once, with more than they take.
    let mut push = vec!["RPUSH".to_owned(), "k".to_owned()];
    push.extend((first..staying.len() + 10).map(|n| n.to_string()));
    assert_eq!(client.run(&push).integer(), rest as i64 + 10);
    for (n, waiter) in staying.iter_mut().enumerate() {
        let reply = waiter.receive().expect("an answer");
        assert_eq!(texts(&reply), ["k", &n.to_string()]);
    }
    assert_eq!(client.run(&["LLEN", "k"]).integer(), 10);
    for name in [
        "blocked_clients",
        "total_blocking_keys",
        "clients_in_timeout_table",
    ] {
        assert_eq!(client.figure(name), 0, "{name}");
    }
}

#[test]
fn who_waits_for_a_hundred_thousand_keys_is_served_by_any_of_them_and_takes_memory_that_is_counted() {
    const KEYS: usize = 100_000;
    let server = Server::start(Kind::Redkeep, &[]);
    let mut client = server.client();
    if server.is_redis() {
        return;
    }
    let mut args = vec!["BLPOP".to_owned()];
    args.extend((0..KEYS).map(|n| format!("key:{n}")));
    args.push("0".to_owned());
    let request = encode(&args);
    let began = Instant::now();
    for round in 0..3 {
        let mut other = server.client();
        other.ok(&["CLIENT", "SETNAME", "other"]);
        other.send(&request).expect("a running server");
        wait_for_waiters(&mut client, 1);
        assert_eq!(client.figure("total_blocking_keys"), KEYS as u64);
        let list = client.run(&["CLIENT", "LIST"]).text().expect("a text");
        let line = list
            .lines()
            .find(|line| line.contains("name=other"))
            .expect("its line");
        let field = |name: &str| {
            let value = line.split(' ').find_map(|word| word.strip_prefix(name));
            value.expect("the field").to_owned()
        };
        assert_eq!((field("flags="), field("cmd=")), ("b".into(), "blpop".into()));
        let memory: usize = field("tot-mem=").parse().expect("a number");
        assert!((5 << 20..64 << 20).contains(&memory), "{memory} bytes");
        if round == 2 {
            drop(other);
        } else {
            let key = format!("key:{}", KEYS - 1 - round);
            client.run(&["RPUSH", &key, "v"]);
            assert_eq!(texts(&other.receive().expect("an answer")), [&key, "v"]);
        }
        wait_for_waiters(&mut client, 0);
        assert_eq!(client.figure("total_blocking_keys"), 0);
    }
    assert!(began.elapsed() < LIMIT, "{:?}", began.elapsed());
}

#[test]
fn timeouts_are_kept_to_the_millisecond() {
    let server = Server::start(Kind::Redkeep, &[]);
    let mut client = server.client();
    if server.is_redis() {
        return;
    }
    let mut closest = Duration::MAX;
    for _ in 0..20 {
        let began = Instant::now();
        assert_eq!(client.run(&["BLPOP", "none", "0.0123"]), Value::NilArray);
        let took = began.elapsed();
        assert!(took >= Duration::from_millis(13), "{took:?}");
        closest = closest.min(took);
    }
    // The machine may be busy, but not all the time.
    assert!(closest < Duration::from_millis(30), "{closest:?}");
    // An earlier one than those that are waited for, and a later one.
    let mut late = waiter(&server, &mut client, 1, &["BLPOP", "none", "0.4"]);
    let mut early = waiter(&server, &mut client, 2, &["BZPOPMIN", "none", "0.05"]);
    let mut latest = waiter(&server, &mut client, 3, &["BLPOP", "none", "9e15"]);
    assert_eq!(early.receive().expect("an answer"), Value::NilArray);
    assert_eq!(late.receive().expect("an answer"), Value::NilArray);
    assert!(latest.is_silent(Duration::from_millis(20)).expect("a server"));
}

/// What waiters need may be on disk only: they get it all the same, each at its place, and what they wait for costs nothing
/// meanwhile.
#[test]
fn what_is_cold_reaches_who_waits() {
    let server = Server::start(Kind::Redkeep, &["--maxmemory", "4mb"]);
    let mut client = server.client();
    let mut push = vec!["RPUSH", "target"];
    push.extend(["element of a long list"; 5000]);
    client.run(&push);
    for n in 1..=2000 {
        client.run(&["XADD", "stream", &format!("{n}-0"), "field", "some value"]);
    }
    client.ok(&["XGROUP", "CREATE", "stream", "g", "$"]);
    // So that memory does not know of keys that are not there, either.
    let others: Vec<Vec<String>> = (0..2000)
        .map(|n| vec!["SET".into(), format!("other{n}"), "x".repeat(500)])
        .collect();
    client.pipeline(&others).expect("a running server");
    server.drop_hot(&mut client);
    let mover = ["BLMOVE", "source", "target", "LEFT", "LEFT", "0"];
    let mut first = waiter(&server, &mut client, 1, &mover);
    let mut second = waiter(&server, &mut client, 2, &["BLPOP", "nothing", "source", "0"]);
    let read = [
        "XREADGROUP",
        "GROUP",
        "g",
        "c",
        "BLOCK",
        "0",
        "STREAMS",
        "stream",
        ">",
    ];
    let mut reader = waiter(&server, &mut client, 3, &read);
    for round in 0..20 {
        server.drop_hot(&mut client);
        let faults = client.figure("faults");
        thread::sleep(Duration::from_millis(2));
        assert_eq!(client.figure("faults"), faults, "who waits reads nothing");
        let values = [format!("a{round}"), format!("b{round}")];
        client.run(&["RPUSH", "source", &values[0], &values[1]]);
        assert_eq!(
            first.receive().expect("an answer").text(),
            Some(values[0].clone())
        );
        let reply = second.receive().expect("an answer");
        assert_eq!(texts(&reply), ["source", &values[1]]);
        assert_eq!(client.run(&["EXISTS", "source"]).integer(), 0);
        server.drop_hot(&mut client);
        let id = format!("{}-0", 5000 + round);
        client.run(&["XADD", "stream", &id, "field", "new"]);
        let reply = reader.receive().expect("an answer");
        assert!(format!("{reply:?}").contains(&id), "{reply:?}");
        first.send(&encode(&mover)).expect("a running server");
        wait_for_waiters(&mut client, 1);
        second
            .send(&encode(&["BLPOP", "nothing", "source", "0"]))
            .expect("a running server");
        wait_for_waiters(&mut client, 2);
        reader.send(&encode(&read)).expect("a running server");
        wait_for_waiters(&mut client, 3);
    }
    let head = texts(&client.run(&["LRANGE", "target", "0", "2"]));
    assert_eq!(head, ["a19", "a18", "a17"]);
}

/// Whoever waits for something that is fetched for another may leave: the next one gets it.
#[test]
fn who_leaves_while_its_records_are_fetched_holds_nobody_up() {
    let server = Server::start(Kind::Redkeep, &["--maxmemory", "4mb"]);
    let mut client = server.client();
    let others: Vec<Vec<String>> = (0..3000)
        .map(|n| vec!["SET".into(), format!("other{n}"), "x".repeat(500)])
        .collect();
    client.pipeline(&others).expect("a running server");
    let mut rng = Rng::new(1);
    for round in 0..40 {
        let target = format!("other{round}");
        let mover = ["BLMOVE", "source", &target, "LEFT", "LEFT", "0"];
        let leaves = waiter(&server, &mut client, 1, &mover);
        let mut stays = waiter(&server, &mut client, 2, &["BLPOP", "source", "0"]);
        server.drop_hot(&mut client);
        // It cannot be put there, so whether the first has its error by then or is gone makes no difference.
        client
            .send(&encode(&["RPUSH", "source", "v"]))
            .expect("a running server");
        thread::sleep(Duration::from_micros(rng.below(300)));
        drop(leaves);
        let reply = stays.receive().expect("an answer");
        assert_eq!(texts(&reply), ["source", "v"]);
        assert_eq!(client.receive().expect("an answer").integer(), 1);
        wait_for_waiters(&mut client, 0);
    }
}

/// Jobs go from a list to another by those who wait for them, and the server is killed: what was told is there.
#[test]
fn after_kill_9_nobody_was_told_of_what_is_not_there() {
    let _turn = heavy();
    let rounds = env_number("REDKEEP_BLOCKING_ROUNDS", 4);
    let modes = ["always", "everysec"];
    let mut server = Server::start(Kind::Redkeep, &["--appendfsync", modes[0]]);
    let mut rng = Rng::new(env_number("REDKEEP_BLOCKING_SEED", 1));
    let (mut pushed, told) = (0, Mutex::new(HashSet::new()));
    let acknowledged = Mutex::new(HashSet::new());
    for round in 0..rounds {
        let before = told.lock().unwrap().len();
        thread::scope(|scope| {
            for _ in 0..4 {
                let mut client = server.client();
                let told = &told;
                scope.spawn(move || {
                    while let Ok(reply) = client.call(&["BLMOVE", "jobs", "done", "LEFT", "RIGHT", "0"]) {
                        let job = reply.text().expect("a job");
                        assert!(told.lock().unwrap().insert(job), "a job was given twice");
                    }
                });
            }
            for pusher in 0..2 {
                let mut client = server.client();
                let (acknowledged, first) = (&acknowledged, pushed);
                scope.spawn(move || {
                    for n in first.. {
                        let job = format!("{pusher}:{n}");
                        if client.call(&["RPUSH", "jobs", &job]).is_err() {
                            return;
                        }
                        acknowledged.lock().unwrap().insert(job);
                    }
                });
            }
            thread::sleep(Duration::from_millis(rng.between(100, 500) as u64));
            server.kill9();
        });
        pushed += 1_000_000;
        server.set_flags(&["--appendfsync", modes[(round as usize + 1) % 2]]);
        server.start_again();
        let mut client = server.client();
        let done = texts(&client.run(&["LRANGE", "done", "0", "-1"]));
        let open = texts(&client.run(&["LRANGE", "jobs", "0", "-1"]));
        let all: HashSet<&String> = done.iter().chain(&open).collect();
        assert_eq!(all.len(), done.len() + open.len(), "a job is there twice");
        let done: HashSet<&String> = done.iter().collect();
        let told = told.lock().unwrap();
        assert!(told.len() > before, "round {round}: nobody was given anything");
        assert!(told.iter().all(|job| done.contains(job)), "round {round}");
        let acknowledged = acknowledged.lock().unwrap();
        assert!(acknowledged.iter().all(|job| all.contains(job)), "round {round}");
        println!(
            "round {round}: {} given, {} acknowledged",
            told.len(),
            acknowledged.len()
        );
    }
}

#[test]
fn what_the_disk_does_not_take_is_given_to_nobody() {
    let _turn = heavy();
    let setup = Setup::new(Kind::Redkeep, &["--appendfsync", "always"]);
    if setup.is_redis() {
        return;
    }
    let mut server = setup.file_size_limit(1 << 20).start();
    let mut client = server.client();
    let mut other = waiter(&server, &mut client, 1, &["BLPOP", "k", "0"]);
    let fails = |client: &mut Client| {
        let reply = client.run(&["SET", "filler", &"x".repeat(100_000)]);
        reply.is_error().then_some(())
    };
    wait_for("a full disk", LIMIT, || fails(&mut client));
    // The push fails, and so does what it has led to.
    assert!(client.run(&["RPUSH", "k", "lost"]).is_error());
    let Value::Error(text) = other.receive().expect("an answer") else {
        panic!("it was told of what is lost");
    };
    assert!(text.starts_with("MISCONF"), "{text}");
    server.lift_file_size_limit();
    wait_for("a disk with room", LIMIT, || {
        (!client.run(&["SET", "a", "1"]).is_error()).then_some(())
    });
    let mut other = waiter(&server, &mut client, 1, &["BLPOP", "k", "0"]);
    client.run(&["RPUSH", "k", "kept"]);
    assert_eq!(texts(&other.receive().expect("an answer")), ["k", "kept"]);
}

#[test]
fn waitaof_waits_until_what_was_written_is_on_stable_storage() {
    let server = Server::start(Kind::Redkeep, &["--appendfsync", "no"]);
    let mut client = server.client();
    if server.is_redis() {
        return;
    }
    client.ok(&["SET", "a", "1"]);
    let both = |local| Value::Array(vec![Value::Integer(local), Value::Integer(0)]);
    assert_eq!(client.run(&["WAITAOF", "1", "0", "50"]), both(0));
    let mut other = waiter(&server, &mut client, 1, &["WAITAOF", "1", "0", "0"]);
    client.ok(&["CONFIG", "SET", "appendfsync", "everysec"]);
    assert_eq!(other.receive().expect("an answer"), both(1));
    client.ok(&["CONFIG", "SET", "appendfsync", "always"]);
    for n in 0..20 {
        client.ok(&["SET", "a", &n.to_string()]);
        assert_eq!(client.run(&["WAITAOF", "1", "0", "0"]), both(1));
    }
    let began = Instant::now();
    assert_eq!(client.run(&["WAITAOF", "1", "1", "30"]), both(1));
    assert!(began.elapsed() >= Duration::from_millis(30));
}

/// One who waits is no burden: what it was sent behind its request waits with it, and its end is noticed, however much that is.
#[test]
fn who_waits_with_a_pipeline_behind_it_may_leave() {
    for (flags, requests) in [(&[][..], 100), (&[], 50_000), (&["--io-threads", "3"], 50_000)] {
        let server = Server::start(Kind::Redkeep, flags);
        let mut client = server.client();
        let mut other = server.client();
        let mut bytes = encode(&["BLPOP", "k", "0"]);
        (0..requests).for_each(|_| bytes.extend(encode(&["INCR", "count"])));
        other.send(&bytes).expect("a running server");
        wait_for_waiters(&mut client, 1);
        assert_eq!(client.run(&["EXISTS", "count"]).integer(), 0);
        drop(other);
        wait_for_waiters(&mut client, 0);
        client.run(&["RPUSH", "k", "v"]);
        assert_eq!(client.run(&["LLEN", "k"]).integer(), 1);
        assert_eq!(client.run(&["EXISTS", "count"]).integer(), 0);
    }
}

/// What has come may be more than a request may gather beside others: who only reads gets it over a view, and all of it once.
#[test]
fn who_waits_to_read_gets_however_much_has_come() {
    let server = Server::start(Kind::Redkeep, &["--maxmemory", "16mb"]);
    let mut client = server.client();
    let add =
        "for i = 1, 20000 do redis.call('XADD', KEYS[1], i .. '-' .. ARGV[2], 'f', ARGV[1]) end return 1";
    let add =
        |client: &mut Client, number: &str| client.run(&["EVAL", add, "1", "s", &"x".repeat(10), number]);
    add(&mut client, "0");
    client.run(&["DEL", "s"]);
    let mut monitor = server.client();
    monitor.ok(&["MONITOR"]);
    let views = client.figure("views");
    let read = ["XREAD", "BLOCK", "0", "STREAMS", "none", "s", "0", "0"];
    let mut other = waiter(&server, &mut client, 1, &read);
    other.send(&encode(&["PING"])).expect("a running server");
    let mut third = waiter(&server, &mut client, 2, &read);
    assert_eq!(add(&mut client, "1").integer(), 1);
    for other in [&mut other, &mut third] {
        let reply = other.receive().expect("an answer");
        let stream = reply.items()[0].items();
        assert_eq!(stream[0].text().as_deref(), Some("s"));
        let entries = stream[1].items();
        assert_eq!(entries.len(), 20_000);
        assert_eq!(entries[19_999].items()[0].text().as_deref(), Some("20000-1"));
    }
    assert_eq!(
        other.receive().expect("an answer").text().as_deref(),
        Some("PONG")
    );
    assert_eq!(client.figure("views"), views + 2);
    wait_for_waiters(&mut client, 0);
    // Monitors have seen each once, when it began to wait; and it is not run again when it is through.
    client.ok(&["SET", "end", "1"]);
    let mut shown = 0;
    loop {
        let line = monitor.receive().expect("a line").text().expect("a text");
        shown += usize::from(line.contains("\"XREAD\""));
        if line.contains("\"end\"") {
            break;
        }
    }
    assert_eq!(shown, 2);
    client.run(&["XADD", "s", "30000-0", "f", "v"]);
    assert!(other.is_silent(Duration::from_millis(20)).expect("a server"));
}
