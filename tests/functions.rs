//! Libraries of functions are data: they are there after a crash, all that one transaction made of them or nothing of it; and
//! a Redis reads what FUNCTION DUMP writes, as Redkeep reads what a Redis writes.

use crate::support::server::{Setup, redis_is_installed};
use crate::support::{Client, Kind, Rng, Server, Value, env_number, heavy, wait_for};
use std::thread;
use std::time::Duration;

const NO_DISK_WITHIN: Duration = Duration::from_secs(30);
const FILE_SIZE_LIMIT: u64 = 1 << 20;

/// A library that says its version.
fn library(name: &str, version: u64) -> String {
    format!("#!lua name={name}\nredis.register_function('{name}_version', function() return {version} end)")
}

/// What the server says of its libraries, each with its code, in an order of their own.
fn libraries(client: &mut Client) -> Vec<String> {
    let listed = client.run(&["FUNCTION", "LIST", "WITHCODE"]);
    let mut libraries: Vec<String> = listed
        .items()
        .iter()
        .map(|library| {
            let mut fields = library.items().to_vec();
            fields.iter_mut().for_each(Value::sort);
            format!("{fields:?}")
        })
        .collect();
    libraries.sort();
    libraries
}

fn dump(client: &mut Client) -> Vec<u8> {
    match client.run(&["FUNCTION", "DUMP"]) {
        Value::Bulk(payload) => payload,
        other => panic!("{other:?}"),
    }
}

fn restore(client: &mut Client, payload: &[u8], policy: &str) -> Value {
    client.run(&[b"FUNCTION", &b"RESTORE"[..], payload, policy.as_bytes()])
}

/// Short and long, what can be compressed and what cannot.
fn load_many(client: &mut Client) {
    let mut random = Rng::new(1);
    let noise: String = (0..20_000)
        .map(|_| char::from(b'a' + random.between(0, 25) as u8))
        .collect();
    let described = "redis.register_function{function_name='described', description='what it does', \
        callback=function() end, flags={'no-writes', 'allow-stale'}}";
    let long = "-- and so on\n".repeat(6_000);
    for code in [
        library("short", 1),
        format!("#!lua name=described\n{described}"),
        format!("#!lua name=noise\n-- {noise}\nredis.register_function('n', function() end)"),
        format!("#!lua name=long\n{long}redis.register_function('l', function() end)"),
        "#!LUA name=\"quoted\"\nredis.register_function('\\113', function() return '\\0\\255' end)"
            .to_owned(),
    ] {
        let loaded = client.run(&["FUNCTION", "LOAD", &code]);
        assert!(!loaded.is_error(), "{loaded:?}");
    }
}

#[test]
fn payloads_go_from_and_to_a_redis() {
    if !redis_is_installed() {
        return;
    }
    let servers = [Kind::Redkeep, Kind::Redis].map(|kind| Server::start(kind, &[]));
    let [mut ours, mut theirs] = [0, 1].map(|at: usize| servers[at].client());
    load_many(&mut ours);
    let all = libraries(&mut ours);
    assert_eq!(all.len(), 5);
    let payload = dump(&mut ours);
    assert!(restore(&mut theirs, &payload, "APPEND").is_ok());
    assert_eq!(libraries(&mut theirs), all);

    let payload = dump(&mut theirs);
    // A Redis compresses what it can.
    assert!(payload.len() < dump(&mut ours).len());
    assert!(restore(&mut ours, &payload, "APPEND").is_error());
    assert!(restore(&mut ours, &payload, "REPLACE").is_ok());
    assert_eq!(libraries(&mut ours), all);
    ours.ok(&["FUNCTION", "FLUSH"]);
    assert!(restore(&mut ours, &payload, "APPEND").is_ok());
    assert_eq!(libraries(&mut ours), all);
    for at in [0, payload.len() / 2, payload.len() - 9, payload.len() - 1] {
        let mut damaged = payload.clone();
        damaged[at] ^= 1;
        let expected = "ERR DUMP payload version or checksum are wrong";
        assert_eq!(
            restore(&mut ours, &damaged, "FLUSH"),
            Value::Error(expected.into())
        );
    }
    assert_eq!(libraries(&mut ours), all);
}

#[test]
fn libraries_are_there_after_a_restart_and_a_kill() {
    let mut server = Server::start(Kind::Redkeep, &[]);
    let mut client = server.client();
    load_many(&mut client);
    let all = libraries(&mut client);
    server.drop_hot(&mut client);
    assert_eq!(libraries(&mut client), all);
    for kills in [false, true, false, true] {
        match kills {
            true => {
                server.kill9();
                server.start_again();
            }
            false => server.restart(),
        }
        let mut client = server.client();
        assert_eq!(libraries(&mut client), all);
        client.ok(&["FUNCTION", "DELETE", "noise"]);
        let payload = dump(&mut client);
        assert!(restore(&mut client, &payload, "FLUSH").is_ok());
        assert_eq!(libraries(&mut client).len(), all.len() - 1);
        client.ok(&["FUNCTION", "FLUSH"]);
        assert!(libraries(&mut client).is_empty());
        load_many(&mut client);
    }
}

#[test]
fn a_kill_leaves_all_of_a_transaction_over_libraries_or_nothing() {
    let _turn = heavy();
    let rounds = env_number("REDKEEP_CRASH_ROUNDS", 3) as usize;
    let mut course = Rng::new(env_number("REDKEEP_CRASH_SEED", 1));
    let mut server = Server::start(Kind::Redkeep, &["--maxmemory", "4mb"]);
    let mut version = 0;
    for round in 0..rounds {
        let (address, time) = (server.address(), course.between(50, 400) as u64);
        let acknowledged = thread::scope(|scope| {
            let writer = scope.spawn(move || replace_until_disconnected(address, version));
            thread::sleep(Duration::from_millis(time));
            server.kill9();
            writer.join().expect("the writer ends")
        });
        assert!(acknowledged > version, "round {round}\n{}", server.log());
        server.start_again();
        let mut client = server.client();
        let key = client.run(&["GET", "version"]);
        let found: u64 = key.text().and_then(|text| text.parse().ok()).expect("a version");
        assert!(
            found == acknowledged || found == acknowledged + 1,
            "{found}, {acknowledged}"
        );
        let codes = format!("{:?}", libraries(&mut client));
        for name in ["a", "b"] {
            let code = library(name, found);
            let body = code.split_once('\n').expect("two lines").1;
            assert!(codes.contains(body), "round {round}: {found} of {name}: {codes}");
        }
        version = found;
    }
}

/// Replaces two libraries and a key by their next versions, again and again. Returns the last one that was acknowledged.
fn replace_until_disconnected(address: std::net::SocketAddr, mut version: u64) -> u64 {
    let mut client = Client::connect(address).expect("a connection");
    loop {
        let next = version + 1;
        let replaced = |name| {
            let code = library(name, next);
            ["FUNCTION", "LOAD", "REPLACE", &code].map(str::to_owned).to_vec()
        };
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let requests = [
            words("MULTI"),
            replaced("a"),
            words(&format!("SET version {next}")),
            replaced("b"),
            words("EXEC"),
        ];
        match client.pipeline(&requests) {
            Ok(replies) => assert_eq!(replies[4].items().len(), 3, "{replies:?}"),
            Err(_) => return version,
        }
        version = next;
    }
}

#[test]
fn what_is_lost_is_taken_back() {
    let _turn = heavy();
    let server = Setup::new(Kind::Redkeep, &[])
        .file_size_limit(FILE_SIZE_LIMIT)
        .start();
    let mut client = server.client();
    load_many(&mut client);
    let all = libraries(&mut client);
    let long = "-- nearly as long as what a file may be\n".repeat(20_000);
    let code = format!("#!lua name=much\n{long}redis.register_function('m', function() end)");
    // The log is full after a few.
    let refused = wait_for("a write that fails", NO_DISK_WITHIN, || {
        let before = libraries(&mut client);
        let loaded = client.run(&["FUNCTION", "LOAD", "REPLACE", &code]);
        loaded.is_error().then_some((loaded, before))
    });
    assert!(format!("{:?}", refused.0).contains("MISCONF"), "{:?}", refused.0);
    assert_eq!(libraries(&mut client), refused.1);
    let mut there = refused.1;
    there.retain(|library| all.contains(library));
    assert_eq!(there, all);
}
