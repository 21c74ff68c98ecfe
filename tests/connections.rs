//! Many connections: clients that leave, clients that are idle, and how much memory all of them may take.

use crate::support::client::encode;
use crate::support::{Client, Kind, Server, Value, heavy, wait_for};
use socket2::SockRef;
use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::thread;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);
/// With the sockets on the executor's thread, and with threads of their own.
const IO_THREADS: [&str; 2] = ["1", "2"];
const SHORT: Duration = Duration::from_millis(200);

/// A connection, and the first bytes that are sent over it.
fn sends(server: &Server, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(server.address()).expect("connected");
    stream.set_read_timeout(Some(LIMIT)).expect("a socket");
    stream.write_all(bytes).expect("sent");
    stream
}

/// What comes until the server hangs up.
fn answer(mut stream: TcpStream) -> String {
    let mut answer = String::new();
    stream
        .read_to_string(&mut answer)
        .unwrap_or_else(|e| panic!("{e} after {answer:?}"));
    answer
}

fn list(client: &mut Client) -> Vec<String> {
    let list = client.run(&["CLIENT", "LIST"]).text().expect("a text");
    list.lines().map(str::to_owned).collect()
}

/// Waits until so many connections have been accepted.
fn await_accepted(client: &mut Client, count: u64) {
    wait_for("connections to be accepted", LIMIT, || {
        (info(client, "total_connections_received") >= count).then_some(())
    });
}

fn await_clients(client: &mut Client, count: usize) {
    wait_for("connections to go", LIMIT, || {
        (list(client).len() == count).then_some(())
    });
}

/// A number in INFO.
fn info(client: &mut Client, field: &str) -> u64 {
    let text = client.run(&["INFO", "everything"]).text().expect("a text");
    let number = text
        .lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    let number = number.unwrap_or_else(|| panic!("no {field}"));
    number.parse().expect("a number")
}

/// Bytes of the server in RAM.
fn rss(server: &Server) -> u64 {
    let path = format!("/proc/{}/status", server.pid());
    let text = fs::read_to_string(path).expect("the server's status");
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    kilobytes.expect("its size").parse::<u64>().expect("a number") << 10
}

#[test]
fn a_client_that_leaves_during_a_pause_takes_its_request_along() {
    const CLIENTS: usize = 100;
    for io_threads in IO_THREADS {
        let server = Server::start(Kind::Redkeep, &["--io-threads", io_threads]);
        let mut client = server.client();
        let before = info(&mut client, "total_connections_received");
        client.ok(&["CLIENT", "PAUSE", "60000", "WRITE"]);
        for n in 0..CLIENTS {
            drop(sends(&server, &encode(&["SET", &format!("key:{n}"), "value"])));
        }
        // Some say more than one thing, and some read what they are answered.
        let pipeline = [encode(&["PING"]), encode(&["SET", "key", "v"]), encode(&["PING"])].concat();
        let half = sends(&server, &pipeline);
        half.shutdown(Shutdown::Write).expect("a socket");
        assert_eq!(answer(half), "+PONG\r\n");
        let stays = sends(&server, &pipeline);
        await_accepted(&mut client, before + CLIENTS as u64 + 2);
        await_clients(&mut client, 2);
        assert_eq!(info(&mut client, "blocked_clients"), 1);
        client.ok(&["CLIENT", "UNPAUSE"]);
        stays.shutdown(Shutdown::Write).expect("a socket");
        assert_eq!(answer(stays), "+PONG\r\n+OK\r\n+PONG\r\n");
        assert_eq!(client.run(&["KEYS", "*"]), Value::Array(vec![Value::bulk("key")]));
    }
}

#[test]
fn a_client_that_is_reset_does_not_wait_any_longer() {
    for io_threads in IO_THREADS {
        let server = Server::start(Kind::Redkeep, &["--io-threads", io_threads]);
        let mut client = server.client();
        let before = info(&mut client, "total_connections_received");
        client.ok(&["CLIENT", "PAUSE", "60000", "WRITE"]);
        for _ in 0..20 {
            let stream = sends(&server, &encode(&["SET", "key", "value"]).repeat(1000));
            // Closed so, a socket resets its connection.
            SockRef::from(&stream)
                .set_linger(Some(Duration::ZERO))
                .expect("a socket");
        }
        await_accepted(&mut client, before + 20);
        await_clients(&mut client, 1);
        client.ok(&["CLIENT", "UNPAUSE"]);
        assert_eq!(client.run(&["DBSIZE"]), Value::Integer(0));
    }
}

#[test]
fn what_a_peer_asked_before_its_end_is_answered_though_it_waits_for_the_disk() {
    const KEYS: usize = 500;
    let _turn = heavy();
    for io_threads in IO_THREADS {
        let flags = ["--io-threads", io_threads, "--maxmemory", "4mb"];
        let server = Server::start(Kind::Redkeep, &flags);
        let mut client = server.client();
        let name = |n| format!("key:{n:04}");
        let sets: Vec<Vec<String>> = (0..KEYS)
            .map(|n| vec!["SET".into(), name(n), "v".repeat(100)])
            .collect();
        client.pipeline(&sets).expect("replies");
        server.drop_hot(&mut client);
        let one = format!("$100\r\n{}\r\n", "v".repeat(100));
        let gets: Vec<u8> = (0..KEYS).flat_map(|n| encode(&["GET", &name(n)])).collect();
        let requests = [
            (gets, one.repeat(KEYS)),
            (encode(&["KEYS", "key:0007"]), "*1\r\n$8\r\nkey:0007\r\n".into()),
            (encode(&["APPEND", &name(9), "w"]), ":101\r\n".into()),
        ];
        for (request, expected) in requests {
            let stream = sends(&server, &request);
            stream.shutdown(Shutdown::Write).expect("a socket");
            assert!(answer(stream) == expected);
        }
    }
}

#[test]
fn a_client_that_waits_can_be_killed_and_is_not_idle() {
    for io_threads in IO_THREADS {
        let flags = ["--io-threads", io_threads, "--timeout", "1"];
        let server = Server::start(Kind::Redkeep, &flags);
        let mut client = server.client();
        client.ok(&["CLIENT", "PAUSE", "60000", "WRITE"]);
        let quiet = sends(&server, &encode(&["PING"]));
        let waits = sends(&server, &encode(&["SET", "key", "value"]));
        let mut killed = server.client();
        let id = killed.run(&["CLIENT", "ID"]).integer().to_string();
        killed.send(&encode(&["SET", "key", "value"])).expect("sent");
        wait_for("a pause", LIMIT, || {
            (info(&mut client, "blocked_clients") == 2).then_some(())
        });
        assert_eq!(client.run(&["CLIENT", "KILL", "ID", &id]), Value::Integer(1));
        assert!(killed.is_closed());
        // The quiet one is timed out; the one that waits is not quiet.
        await_clients(&mut client, 2);
        assert_eq!(answer(quiet), "+PONG\r\n");
        client.ok(&["CLIENT", "UNPAUSE"]);
        waits.shutdown(Shutdown::Write).expect("a socket");
        assert_eq!(answer(waits), "+OK\r\n");
    }
}

#[test]
fn a_request_that_comes_slowly_is_not_idle() {
    let server = Server::start(Kind::Redkeep, &["--timeout", "1"]);
    let mut slow = sends(&server, b"");
    for byte in encode(&["ECHO", "0123456789"]).chunks(5) {
        thread::sleep(SHORT * 2);
        slow.write_all(byte).expect("sent");
    }
    slow.shutdown(Shutdown::Write).expect("a socket");
    assert_eq!(answer(slow), "$10\r\n0123456789\r\n");
}

#[test]
fn idle_connections_take_next_to_no_memory() {
    const CLIENTS: usize = 2000;
    const MOST_EACH: u64 = 3000;
    /// What the server takes at the same time for other reasons.
    const BESIDE: u64 = 2 << 20;
    let _turn = heavy();
    allow_files(CLIENTS as u64 + 500);
    for io_threads in IO_THREADS {
        let server = Server::start(
            Kind::Redkeep,
            &["--io-threads", io_threads, "--maxmemory", "64mb"],
        );
        let mut client = server.client();
        client.ok(&["SET", "key", &"v".repeat(10_000)]);
        // So that what is made once is there.
        let busy = |server: &Server| {
            let mut client = server.client();
            let mut requests = encode(&["ECHO", &"x".repeat(10_000)]);
            requests.extend(encode(&["MGET", "key", "key", "key", "key", "key"]));
            requests.extend(encode(&["GET", "none"]).repeat(100));
            client.send(&requests).expect("sent");
            for _ in 0..102 {
                assert!(!client.receive().expect("a reply").is_error());
            }
            client
        };
        for _ in 0..50 {
            busy(&server);
        }
        await_clients(&mut client, 1);
        let (before, before_rss) = (info(&mut client, "allocator_allocated"), rss(&server));
        let clients: Vec<Client> = (0..CLIENTS).map(|_| busy(&server)).collect();
        let each = |bytes: u64| bytes / CLIENTS as u64;
        // What was given back is counted as such a little later.
        wait_for("connections that are idle", LIMIT, || {
            let allocated = info(&mut client, "allocator_allocated").saturating_sub(before);
            println!(
                "io-threads {io_threads}: {} bytes allocated for each",
                each(allocated)
            );
            (allocated <= MOST_EACH * CLIENTS as u64 + BESIDE).then_some(())
        });
        wait_for("their memory to go back", LIMIT, || {
            let resident = rss(&server).saturating_sub(before_rss);
            println!(
                "io-threads {io_threads}: {} bytes resident for each",
                each(resident)
            );
            (resident <= MOST_EACH * CLIENTS as u64 + BESIDE).then_some(())
        });
        assert_eq!(list(&mut client).len(), clients.len() + 1);
    }
}

/// Raises this process's limit of open files.
fn allow_files(count: u64) {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: both calls get a valid rlimit of this frame.
    unsafe {
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit), 0);
        limit.rlim_cur = limit.rlim_cur.max(count.min(limit.rlim_max));
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &limit), 0);
    }
}

/// The first part of a request with an argument of so many bytes.
fn part(argument: usize, there: usize) -> Vec<u8> {
    let mut bytes = format!("*3\r\n$3\r\nSET\r\n$4\r\nhalf\r\n${argument}\r\n").into_bytes();
    bytes.resize(bytes.len() + there, b'x');
    bytes
}

#[test]
fn half_sent_requests_stay_within_the_budget() {
    const CLIENTS: usize = 300;
    const ARGUMENT: usize = 1 << 20;
    const BUDGET: u64 = 64 << 20;
    /// Of which clients' buffers may take so much.
    const CLIENT_SHARE: u64 = BUDGET / 2;
    let _turn = heavy();
    for io_threads in IO_THREADS {
        let server = Server::start(
            Kind::Redkeep,
            &["--io-threads", io_threads, "--maxmemory", "64mb"],
        );
        let mut client = server.client();
        client.ok(&["SET", "key", "value"]);
        let before = rss(&server);
        // Announcing much takes no memory.
        let small: Vec<TcpStream> = (0..CLIENTS)
            .map(|n| sends(&server, &part(200 << 20, n % 10)))
            .collect();
        wait_for("their requests to come", LIMIT, || {
            (list(&mut client).len() == CLIENTS + 1).then_some(())
        });
        assert!(info(&mut client, "mem_clients_normal") < CLIENTS as u64 * 1000);
        let mut cut = 0;
        let mut large = Vec::new();
        for _ in 0..CLIENTS {
            let mut stream = TcpStream::connect(server.address()).expect("connected");
            // It may be cut off in the middle.
            match stream.write_all(&part(ARGUMENT, ARGUMENT - 100_000)) {
                Ok(()) => large.push(stream),
                Err(_) => cut += 1,
            }
            assert_eq!(client.run(&["GET", "key"]), Value::bulk("value"));
            let held = info(&mut client, "mem_clients_normal");
            assert!(held <= CLIENT_SHARE + ARGUMENT as u64 * 2, "{held}");
        }
        // What was sent may still be on its way.
        let least_evicted = (CLIENTS - CLIENT_SHARE as usize / (ARGUMENT - 100_000)) as u64;
        wait_for("the share to be kept", LIMIT, || {
            let is_kept = info(&mut client, "mem_clients_normal") <= CLIENT_SHARE;
            (is_kept && info(&mut client, "evicted_clients") >= least_evicted).then_some(())
        });
        let grown = rss(&server).saturating_sub(before);
        assert!(grown <= BUDGET, "{grown}");
        let evicted = info(&mut client, "evicted_clients");
        let kept = list(&mut client);
        println!("io-threads {io_threads}: {evicted} evicted, {cut} while they sent; {grown} bytes more");
        assert_eq!(kept.len() as u64, 2 * CLIENTS as u64 + 1 - evicted);
        // The small ones go on.
        for (n, mut stream) in small.into_iter().enumerate().take(10) {
            stream.write_all(&vec![b'y'; 1000 + n]).expect("sent");
        }
        drop(large);
        client.ok(&["SET", "key", "another"]);
    }
}

#[test]
fn the_client_with_the_largest_buffers_is_evicted_first() {
    let server = Server::start(Kind::Redkeep, &["--maxmemory-clients", "4mb"]);
    let mut client = server.client();
    client.ok(&["CLIENT", "NO-EVICT", "ON"]);
    let mut protected = server.client();
    protected.ok(&["CLIENT", "NO-EVICT", "ON"]);
    protected.ok(&["CLIENT", "SETNAME", "protected"]);
    protected.send(&part(10 << 20, 600_000)).expect("sent");
    let mut streams = Vec::new();
    for (name, bytes) in [("small", 400_000), ("large", 1_200_000)] {
        let mut client = server.client();
        client.ok(&["CLIENT", "SETNAME", name]);
        client.send(&part(10 << 20, bytes)).expect("sent");
        wait_for("what was sent", LIMIT, || {
            let list = list(&mut server.client());
            let line = list.iter().find(|line| line.contains(name))?;
            let size =
                |field: &str| -> Option<usize> { line.split_once(field)?.1.split(' ').next()?.parse().ok() };
            (size(" qbuf=")? + size(" argv-mem=")? >= bytes).then_some(())
        });
        streams.push(client);
    }
    assert_eq!(info(&mut client, "evicted_clients"), 0);
    let mut last = server.client();
    last.ok(&["CLIENT", "SETNAME", "last"]);
    last.send(&part(10 << 20, 800_000)).expect("sent");
    assert!(streams[1].is_closed());
    assert_eq!(info(&mut client, "evicted_clients"), 1);
    assert!(server.log().contains("Evicting client: id="), "{}", server.log());
    let names = |client: &mut Client| -> Vec<String> {
        let list = list(client);
        let names = list
            .iter()
            .filter_map(|line| line.split_once(" name=")?.1.split(' ').next());
        names.filter(|name| !name.is_empty()).map(str::to_owned).collect()
    };
    assert_eq!(names(&mut client), ["protected", "small", "last"]);
    // Who may be evicted may also change.
    client.ok(&["CONFIG", "SET", "maxmemory-clients", "100%"]);
    client.ok(&["CONFIG", "SET", "maxmemory-clients", "10kb"]);
    wait_for("the others to go", LIMIT, || {
        (names(&mut client) == ["protected"]).then_some(())
    });
    client.ok(&["CONFIG", "SET", "maxmemory-clients", "0"]);
    protected
        .send(&[vec![b'x'; (10 << 20) - 600_000], b"\r\n".to_vec()].concat())
        .expect("sent");
    assert!(protected.receive().expect("a reply").is_ok());
}

#[test]
fn a_reply_that_nobody_reads_counts_too() {
    let server = Server::start(Kind::Redkeep, &["--maxmemory-clients", "4mb"]);
    let mut client = server.client();
    client.ok(&["SET", "key", &"x".repeat(3_000_001)]);
    let readers: Vec<TcpStream> = (0..8)
        .map(|_| sends(&server, &encode(&["GET", "key"]).repeat(3)))
        .collect();
    wait_for("clients to be evicted", LIMIT, || {
        (info(&mut client, "evicted_clients") > 0).then_some(())
    });
    wait_for("the limit to be kept", LIMIT, || {
        (info(&mut client, "mem_clients_normal") <= 4 << 20).then_some(())
    });
    assert_eq!(client.run(&["STRLEN", "key"]), Value::Integer(3_000_001));
    drop(readers);
}

#[test]
fn a_request_that_breaks_the_protocol_is_counted_as_an_error() {
    let server = Server::start(Kind::Redkeep, &[]);
    let mut client = server.client();
    let stream = sends(&server, b"*1\r\n!4\r\n");
    assert_eq!(answer(stream), "-ERR Protocol error: expected '$', got '!'\r\n");
    assert_eq!(info(&mut client, "total_error_replies"), 1);
}
