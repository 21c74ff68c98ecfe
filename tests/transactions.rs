//! MULTI and EXEC from the outside: what is cold costs what it must and lets nobody in between, what is queued is counted,
//! and a transaction that cannot be done, or is left, does nothing.

use crate::support::client::encode;
use crate::support::server::Setup;
use crate::support::{Client, Kind, Rng, Server, Value, env_number, heavy, wait_for};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

const COLD_KEYS: u64 = 1000;
const LIMIT: Duration = Duration::from_secs(30);
/// Smaller than any log the server would start anew by itself.
const FILE_SIZE_LIMIT: u64 = 1 << 20;

/// The value of a field of the client of this name, in CLIENT LIST.
fn field(client: &mut Client, name: &str, field: &str) -> Option<String> {
    let list = client.run(&["CLIENT", "LIST"]).text().expect("a text");
    let line = list
        .lines()
        .find(|line| line.split(' ').any(|word| word == format!("name={name}")))?;
    let value = line
        .split(' ')
        .find_map(|word| word.strip_prefix(&format!("{field}=")))
        .expect("the field");
    Some(value.to_owned())
}

fn words(line: &str) -> Vec<String> {
    line.split(' ').map(str::to_owned).collect()
}

/// Sends all of it in one write; the reply of EXEC.
fn transact(client: &mut Client, commands: &[Vec<String>]) -> io::Result<Value> {
    let mut bytes = encode(&["MULTI"]);
    for command in commands {
        bytes.extend(encode(command));
    }
    bytes.extend(encode(&["EXEC"]));
    client.send(&bytes)?;
    for _ in 0..=commands.len() {
        let reply = client.receive()?;
        assert!(!reply.is_error(), "{reply:?}");
    }
    client.receive()
}

fn set_keys(client: &mut Client) {
    let sets: Vec<_> = (0..COLD_KEYS)
        .map(|n| words(&format!("SET cold{n} value{n}")))
        .collect();
    client.pipeline(&sets).expect("a running server");
}

#[test]
fn many_cold_gets_are_fetched_as_an_mget_fetches_them() {
    let server = Server::start(Kind::Redkeep, &[]);
    let mut client = server.client();
    if server.is_redis() {
        return;
    }
    set_keys(&mut client);
    let gets: Vec<_> = (0..COLD_KEYS).map(|n| words(&format!("GET cold{n}"))).collect();
    let mut mget = vec!["MGET".to_owned()];
    mget.extend((0..COLD_KEYS).map(|n| format!("cold{n}")));
    let mut rounds = |run: &mut dyn FnMut(&mut Client) -> Value| {
        server.drop_hot(&mut client);
        let before = client.figure("faults");
        let reply = run(&mut client);
        (reply, client.figure("faults") - before)
    };
    let (values, of_mget) = rounds(&mut |client| client.run(&mget));
    let (replies, of_exec) = rounds(&mut |client| transact(client, &gets).expect("a running server"));
    assert_eq!(values, replies);
    assert!(of_mget > 0, "nothing was cold");
    assert_eq!(of_exec, of_mget, "rounds");
}

/// Whatever is cold in the middle, an EXEC sees and makes one state; and others go on meanwhile.
#[test]
fn a_cold_key_in_the_middle_lets_nobody_in() {
    let server = Server::start(Kind::Redkeep, &[]);
    let mut client = server.client();
    if server.is_redis() {
        return;
    }
    set_keys(&mut client);
    let rounds = env_number("REDKEEP_COLD_ROUNDS", 100);
    let (is_over, passed_by) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        for number in 0..3 {
            let (server, is_over, passed_by) = (&server, &is_over, &passed_by);
            scope.spawn(move || {
                let mut other = server.client();
                while !is_over.load(Ordering::Relaxed) {
                    let reply = match number {
                        0 => other.run(&["INCR", "count"]),
                        1 => transact(&mut other, &[words("INCR count"), words("INCR count")])
                            .expect("a server"),
                        _ => other.run(&["GET", "hot"]),
                    };
                    assert!(!reply.is_error(), "{reply:?}");
                    passed_by.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let mut rng = Rng::new(1);
        for _ in 0..rounds {
            server.drop_hot(&mut client);
            let mut cold = || words(&format!("GET cold{}", rng.below(COLD_KEYS)));
            let commands = [
                vec![words("INCR count")],
                (0..3).map(|_| cold()).collect(),
                vec![
                    words("SADD cold:set a b"),
                    words("INCR count"),
                    words("DBSIZE"),
                    cold(),
                    words("INCR count"),
                ],
            ];
            let reply = transact(&mut client, &commands.concat()).expect("a running server");
            let replies = reply.items();
            let counts = [0, 5, 8].map(|at| replies[at].integer());
            assert_eq!([counts[0] + 1, counts[0] + 2], counts[1..], "{reply:?}");
        }
        is_over.store(true, Ordering::Relaxed);
    });
    assert!(passed_by.into_inner() > rounds, "the others were kept waiting");
}

#[test]
fn client_pause_holds_what_writes() {
    let server = Server::start(Kind::Redkeep, &[]);
    let (mut client, mut other) = (server.client(), server.client());
    client.ok(&["MULTI"]);
    client.run(&["SET", "k", "v"]);
    let mut reader = server.client();
    reader.ok(&["MULTI"]);
    reader.run(&["GET", "k"]);
    other.ok(&["CLIENT", "PAUSE", "60000", "WRITE"]);
    assert_eq!(reader.run(&["EXEC"]).items().len(), 1);
    client.send(&encode(&["EXEC"])).expect("a running server");
    // So is a write that is to be queued, as in Redis.
    reader.ok(&["MULTI"]);
    reader
        .send(&encode(&["SET", "k", "w"]))
        .expect("a running server");
    wait_for("two clients that wait", LIMIT, || {
        (other.figure("blocked_clients") == 2).then_some(())
    });
    assert_eq!(other.run(&["GET", "k"]), Value::Nil);
    other.ok(&["CLIENT", "UNPAUSE"]);
    assert!(client.receive().expect("a reply").items()[0].is_ok());
    assert_eq!(reader.receive().expect("a reply"), Value::Simple("QUEUED".into()));
    assert!(reader.run(&["EXEC"]).items()[0].is_ok());
    assert_eq!(other.run(&["GET", "k"]), Value::bulk("w"));
}

#[test]
fn what_is_queued_counts_as_the_clients_memory() {
    let server = Server::start(Kind::Redkeep, &[]);
    let (mut client, mut other) = (server.client(), server.client());
    client.ok(&["CLIENT", "SETNAME", "queues"]);
    client.ok(&["MULTI"]);
    let value = "x".repeat(100_000);
    for _ in 0..10 {
        client.run(&["SET", "k", &value]);
    }
    let of_queue = |other: &mut Client| field(other, "queues", "multi-mem").expect("the client");
    assert!(of_queue(&mut other).parse::<u64>().expect("a number") >= 1_000_000);
    assert_eq!(field(&mut other, "queues", "multi").as_deref(), Some("10"));
    client.ok(&["DISCARD"]);
    assert_eq!(of_queue(&mut other), "0");
    other.ok(&["CONFIG", "SET", "maxmemory-clients", "3mb"]);
    client.ok(&["MULTI"]);
    let ended = (0..1000).any(|_| client.call(&["SET", "k", &value]).is_err());
    assert!(ended, "a client with a queue of 100 MB stays");
    assert_eq!(other.run(&["EXISTS", "k"]).integer(), 0);
}

#[test]
fn the_limit_of_a_query_buffer_is_one_of_the_queue() {
    let server = Server::start(Kind::Redkeep, &["--client-query-buffer-limit", "1mb"]);
    let mut client = server.client();
    client.ok(&["MULTI"]);
    let value = "x".repeat(100_000);
    let queued = (0..1000)
        .take_while(|_| client.call(&["SET", "k", &value]).is_ok())
        .count();
    assert!((8..=11).contains(&queued), "{queued} requests of 100 kB");
    assert_eq!(server.client().run(&["EXISTS", "k"]).integer(), 0);
}

#[test]
fn a_hundred_thousand_commands() {
    let _turn = heavy();
    let server = Server::start(Kind::Redkeep, &[]);
    let mut client = server.client();
    client.ok(&["MULTI"]);
    let increments: Vec<_> = (0..100_000)
        .map(|n| words(&format!("INCR n{}", n % 1000)))
        .collect();
    client.pipeline(&increments).expect("a running server");
    let reply = client.run(&["EXEC"]);
    let counts = reply.items().iter().map(Value::integer);
    assert!(counts.eq((0..100_000).map(|n| n / 1000 + 1)));
    assert_eq!(client.run(&["DBSIZE"]).integer(), 1000);
}

#[test]
fn a_client_that_leaves_before_exec_has_done_nothing() {
    let server = Server::start(Kind::Redkeep, &[]);
    let mut other = server.client();
    for half in [
        &b"*1\r\n$5\r\nMULTI\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n"[..],
        b"*1\r\n$5\r\nMULTI\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n*1\r\n$4\r\nEX",
    ] {
        let mut client = server.client();
        client.ok(&["CLIENT", "SETNAME", "leaves"]);
        client.ok(&["WATCH", "k"]);
        client.send(half).expect("a running server");
        assert!(client.receive().expect("a reply").is_ok());
        assert_eq!(client.receive().expect("a reply"), Value::Simple("QUEUED".into()));
        drop(client);
        wait_for("the client to leave", LIMIT, || {
            field(&mut other, "leaves", "id").is_none().then_some(())
        });
        assert_eq!(other.run(&["EXISTS", "k"]).integer(), 0);
    }
    // One that has sent all of it has done all of it, whether it waits for the reply or not.
    let mut client = server.client();
    let all = [encode(&["MULTI"]), encode(&["SET", "k", "v"]), encode(&["EXEC"])].concat();
    client.send(&all).expect("a running server");
    drop(client);
    wait_for("the transaction", LIMIT, || {
        (other.run(&["EXISTS", "k"]).integer() == 1).then_some(())
    });
}

#[test]
fn without_room_a_transaction_is_an_error_and_does_nothing() {
    let _turn = heavy();
    let flags = ["--appendfsync", "always", "--maxmemory", "64mb"];
    let setup = Setup::new(Kind::Redkeep, &flags);
    if setup.is_redis() {
        return;
    }
    let mut server = setup.file_size_limit(FILE_SIZE_LIMIT).start();
    let mut client = server.client();
    client.ok(&["SET", "before", "1"]);
    let value = "x".repeat(1000);
    let commands = |n: u64| {
        [
            words(&format!("SET key{n} {value}")),
            words("INCR before"),
            words(&format!("RPUSH list {n}")),
        ]
    };
    let mut done = 0;
    let refusal = loop {
        let reply = transact(&mut client, &commands(done)).expect("a running server");
        match reply {
            Value::Array(_) => done += 1,
            reply => break reply,
        }
        assert!(done < 100_000, "the disk is never full");
    };
    assert!(refusal.is_error(), "{refusal:?}");
    let check = |client: &mut Client, done: u64| {
        assert_eq!(
            client.run(&["GET", "before"]),
            Value::bulk((1 + done).to_string())
        );
        assert_eq!(client.run(&["LLEN", "list"]).integer() as u64, done);
        assert_eq!(client.run(&["EXISTS", &format!("key{done}")]).integer(), 0);
    };
    check(&mut client, done);
    let only_reads = transact(&mut client, &[words("GET before"), words("LLEN list")]);
    assert_eq!(only_reads.expect("a running server").items().len(), 2);
    server.lift_file_size_limit();
    wait_for("writes", LIMIT, || {
        let reply = transact(&mut client, &commands(done)).expect("a running server");
        matches!(reply, Value::Array(_)).then_some(())
    });
    check(&mut client, done + 1);
    server.kill9();
    server.start_again();
    check(&mut server.client(), done + 1);
}

#[test]
fn what_is_too_much_for_memory_does_nothing_at_all() {
    let server = Server::start(Kind::Redkeep, &["--maxmemory", "1mb"]);
    let mut client = server.client();
    if server.is_redis() {
        return;
    }
    let members: Vec<_> = (0..100)
        .map(|n| {
            let mut add = words("SADD set");
            add.extend((0..1000).map(|m| format!("member-{n}-{m}-{}", "x".repeat(100))));
            add
        })
        .collect();
    client.pipeline(&members).expect("a running server");
    server.drop_hot(&mut client);
    let reply = transact(
        &mut client,
        &[words("INCR n"), words("SUNIONSTORE to set"), words("INCR n")],
    );
    assert!(reply.expect("a running server").is_error());
    assert_eq!(client.run(&["GET", "n"]), Value::Nil);
    assert_eq!(client.run(&["EXISTS", "to"]).integer(), 0);
    assert_eq!(client.run(&["SCARD", "set"]).integer(), 100_000);
}
