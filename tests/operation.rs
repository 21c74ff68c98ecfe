//! What operators do to a running server: read its log, have it listen elsewhere, stop it under load; and what it does by
//! itself: expiring many keys at once.

use crate::support::client::encode;
use crate::support::server::Setup;
use crate::support::{Client, Kind, Server, Value, heavy, wait_for};
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tempfile::TempDir;

const LIMIT: Duration = Duration::from_secs(60);

fn text(path: &Path) -> String {
    fs::read_to_string(path).expect("a readable file")
}

#[test]
fn the_log() {
    let home = TempDir::with_prefix("redkeep-log-").expect("a temporary directory");
    // The path is relative to `dir`, as in Redis.
    let setup = Setup::new(Kind::Redkeep, &["--logfile", "server.log"]).data(home.path());
    let mut server = setup.start();
    let path = home.path().join("server.log");
    let mut client = server.client();
    let ready = text(&path);
    assert!(
        ready.contains(":M ") && ready.contains(" * redkeep ") && ready.contains("on port"),
        "{ready}"
    );
    client.ok(&["DEBUG", "LOG", "first"]);
    client.ok(&["CONFIG", "SET", "loglevel", "nothing"]);
    client.ok(&["DEBUG", "LOG", "second"]);
    client.ok(&["CONFIG", "SET", "loglevel", "debug"]);
    let moved = home.path().join("server.log.1");
    fs::rename(&path, &moved).expect("renamed");
    client.ok(&["DEBUG", "LOG", "third"]);
    let (old, new) = (text(&moved), text(&path));
    assert!(
        old.contains(" # DEBUG LOG: first\n") && !old.contains("second"),
        "{old}"
    );
    assert!(new.contains(" # DEBUG LOG: third\n"), "{new}");
    server.terminate();
    assert!(text(&path).contains(") Received SIGTERM scheduling shutdown...\n"));
}

/// A value that is found in the file that holds it.
const NEEDLE: &str = "n33dle: 0123456789 abcdefghijklmnopqrstuvwxyz";

/// Changes a byte of the value in the file that holds it.
fn damage(data: &Path) {
    let files = fs::read_dir(data)
        .expect("a directory")
        .map(|entry| entry.expect("an entry").path());
    for file in files.filter(|file| file.extension().is_some_and(|name| name == "sst")) {
        let mut bytes = fs::read(&file).expect("a table");
        let place = bytes
            .windows(NEEDLE.len())
            .position(|part| part == NEEDLE.as_bytes());
        if let Some(place) = place {
            bytes[place] ^= 1;
            fs::write(&file, bytes).expect("written");
            return;
        }
    }
    panic!("the value is in no table");
}

#[test]
fn damage_that_clients_are_told_of_is_in_the_log() {
    let home = TempDir::with_prefix("redkeep-damage-").expect("a temporary directory");
    let flags = ["--logfile", "server.log", "--rocksdb-compression", "none"];
    let mut server = Setup::new(Kind::Redkeep, &flags).data(home.path()).start();
    server.client().ok(&["SET", "victim", NEEDLE]);
    server.terminate();
    damage(home.path());
    server.start_again();
    let mut client = server.client();
    for _ in 0..100 {
        let answer = client.run(&["GET", "victim"]);
        assert!(
            matches!(&answer, Value::Error(text) if text.starts_with("ERR reading from disk failed")),
            "{answer:?}"
        );
    }
    let log = text(&home.path().join("server.log"));
    let told: Vec<&str> = log
        .lines()
        .filter(|line| {
            line.contains(" # GET of the key 'victim' in database 0 failed: ERR reading from disk failed: ")
        })
        .collect();
    assert!(
        told[0].contains("(record Meta:") && told[0].contains("victim)"),
        "{told:?}"
    );
    assert!(
        (1..=20).contains(&told.len()),
        "the log is not flooded: {}",
        told.len()
    );
    // What walks ranges meets it on another thread.
    assert!(matches!(client.run(&["KEYS", "*"]), Value::Error(_)));
}

#[test]
fn moving_to_another_port() {
    let server = Server::start(Kind::Redkeep, &[]);
    let mut client = server.client();
    // One that is free again, and one that stays taken.
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let port = |listener: &TcpListener| listener.local_addr().expect("its address").port().to_string();
    let (new, taken_port) = (port(&free), port(&taken));
    drop(free);
    client.ok(&["CONFIG", "SET", "port", &new, "timeout", "77"]);
    assert!(
        Client::connect(server.address()).is_err(),
        "the old port is closed"
    );
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, new.parse().expect("a port")));
    let mut moved = Client::connect(address).expect("the new port is open");
    assert_eq!(moved.run(&["PING"]), Value::Simple("PONG".into()));
    let refused = client.run(&["CONFIG", "SET", "timeout", "78", "port", &taken_port]);
    assert_eq!(
        refused,
        Value::Error(
            "ERR CONFIG SET failed (possibly related to argument 'port') - Unable to listen on this port. Check \
             server logs."
                .into()
        )
    );
    let options = client.run(&["CONFIG", "GET", "port", "timeout"]);
    assert!(
        options.items().contains(&Value::bulk(new)) && options.items().contains(&Value::bulk("77")),
        "{options:?}"
    );
    assert!(Client::connect(address).is_ok(), "the port before is open again");
    client.ok(&["CONFIG", "SET", "bind", "127.0.0.1 -::1"]);
    let refused = client.run(&["CONFIG", "SET", "bind", "192.0.2.1"]);
    assert_eq!(
        refused,
        Value::Error(
            "ERR CONFIG SET failed (possibly related to argument 'bind') - Failed to bind to specified addresses."
                .into()
        )
    );
    assert!(
        Client::connect(address).is_ok(),
        "the addresses before are open again"
    );
}

/// Ends a server that is nobody's child.
struct Daemon(i32);

impl Drop for Daemon {
    fn drop(&mut self) {
        // SAFETY: a plain call. The process has told its id, and ends by nothing else.
        unsafe { libc::kill(self.0, libc::SIGKILL) };
    }
}

#[test]
fn a_server_in_the_background_has_a_pid_file_and_a_socket_named_from_its_directory() {
    let home = TempDir::with_prefix("redkeep-daemon-").expect("a temporary directory");
    let flags = [
        "--port 0",
        "--unixsocket socket",
        "--pidfile pid",
        "--logfile log",
        "--daemonize yes",
        "--dir",
    ];
    let started = Command::new(env!("CARGO_BIN_EXE_redkeep-server"))
        .args(flags)
        .arg(home.path())
        .output()
        .expect("a server");
    assert!(
        started.status.success() && started.stdout.is_empty(),
        "{started:?}"
    );
    let pid = wait_for("the pid file", LIMIT, || {
        let text = fs::read_to_string(home.path().join("pid")).ok()?;
        text.strip_suffix('\n')?.parse().ok()
    });
    let daemon = Daemon(pid);
    let mut socket = wait_for("the server", LIMIT, || {
        UnixStream::connect(home.path().join("socket")).ok()
    });
    socket.write_all(&encode(&["SHUTDOWN"])).expect("sent");
    wait_for("the end", LIMIT, || {
        (!home.path().join("pid").exists()).then_some(())
    });
    wait_for("the last word", LIMIT, || {
        text(&home.path().join("log"))
            .ends_with("bye bye...\n")
            .then_some(())
    });
    assert!(!home.path().join("socket").exists());
    drop(daemon);
}

#[test]
fn a_service_manager_is_told_when_the_server_is_ready_and_when_it_ends() {
    let home = TempDir::with_prefix("redkeep-notify-").expect("a temporary directory");
    let path = home.path().join("notify");
    let manager = UnixDatagram::bind(&path).expect("a socket");
    manager.set_read_timeout(Some(LIMIT)).expect("a socket");
    let told = || {
        let mut message = [0; 1000];
        let len = manager.recv(&mut message).expect("a message");
        String::from_utf8_lossy(&message[..len]).into_owned()
    };
    for supervised in ["systemd", "auto"] {
        let flags = ["--supervised", supervised, "--daemonize", "yes"];
        let setup = Setup::new(Kind::Redkeep, &flags).environment("NOTIFY_SOCKET", &path);
        let mut server = setup.start();
        assert_eq!(told(), "STATUS=Ready to accept connections\nREADY=1");
        server.terminate();
        assert_eq!(told(), "STOPPING=1");
    }
}

#[test]
fn a_pid_file_that_cannot_be_written_is_told_and_a_file_in_the_socket_s_place_is_kept() {
    let home = TempDir::with_prefix("redkeep-files-").expect("a temporary directory");
    let flags = ["--pidfile", "no/such/directory/pid", "--logfile", "log"];
    let server = Setup::new(Kind::Redkeep, &flags).data(home.path()).start();
    assert!(text(&home.path().join("log")).contains("no/such/directory/pid cannot be written: No such file"));
    drop(server);
    let file = home.path().join("letter");
    fs::write(&file, "dear all").expect("written");
    let refused = Command::new(env!("CARGO_BIN_EXE_redkeep-server"))
        .args(["--port 0", "--unixsocket letter", "--dir"])
        .arg(home.path())
        .output()
        .expect("a server");
    assert!(!refused.status.success());
    assert_eq!(text(&file), "dear all");
}

/// The default user of a file that Redis has rewritten, on a running server.
#[test]
fn a_password_that_is_known_by_its_hash_logs_in() {
    let home = TempDir::with_prefix("redkeep-user-").expect("a temporary directory");
    let file = home.path().join("redkeep.conf");
    // Of "foo".
    let hash = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae";
    fs::write(
        &file,
        format!("user default on sanitize-payload #{hash} ~* &* +@all\n"),
    )
    .expect("written");
    let server = Server::start(
        Kind::Redkeep,
        &["--include", &file.display().to_string(), "--maxclients", "100"],
    );
    let mut client = server.client();
    assert!(matches!(client.run(&["GET", "k"]), Value::Error(text) if text.starts_with("NOAUTH")));
    assert!(matches!(client.run(&["AUTH", hash]), Value::Error(text) if text.starts_with("WRONGPASS")));
    client.ok(&["AUTH", "foo"]);
    client.ok(&["SET", "k", "v"]);
    client.ok(&["CONFIG", "SET", "requirepass", "bar"]);
    assert!(
        matches!(server.client().run(&["AUTH", "foo"]), Value::Error(text) if text.starts_with("WRONGPASS"))
    );
    assert!(matches!(
        server.client().run(&["HELLO", "2", "AUTH", "default", "bar"]),
        Value::Array(_)
    ));
    client.ok(&["CONFIG", "SET", "requirepass", ""]);
    assert_eq!(server.client().run(&["GET", "k"]), Value::bulk("v"));
}

#[test]
fn many_keys_that_expire_at_once() {
    const KEYS: usize = 200_000;
    let _turn = heavy();
    let server = Server::start(Kind::Redkeep, &[]);
    let mut client = server.client();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    let deadline = (now.as_millis() + 8000).to_string();
    for first in (0..KEYS).step_by(1000) {
        let set = |n| {
            [
                "SET".to_owned(),
                format!("key:{n}"),
                "v".to_owned(),
                "PXAT".to_owned(),
                deadline.clone(),
            ]
        };
        let commands: Vec<Vec<String>> = (first..first + 1000).map(|n| set(n).into()).collect();
        client.pipeline(&commands).expect("replies");
    }
    client.ok(&["SET", "stays", "v"]);
    // At ten thousand a second this would take twenty.
    thread::sleep(Duration::from_secs(8));
    let began = Instant::now();
    wait_for("the keys to go", LIMIT, || {
        (client.run(&["DBSIZE"]).integer() == 1).then_some(())
    });
    println!("{KEYS} keys were gone {:?} after their deadline", began.elapsed());
    assert!(began.elapsed() < Duration::from_secs(12));
    assert_eq!(client.run(&["GET", "stays"]), Value::bulk("v"));
}

#[test]
fn stopping_under_load_is_quick_and_keeps_what_was_acknowledged() {
    let _turn = heavy();
    let mut server = Server::start(Kind::Redkeep, &[]);
    let mut client = server.client();
    let writer = thread::spawn(move || {
        let mut acknowledged = 0;
        let request = encode(&["INCR", "count"]).repeat(100);
        while client.send(&request).is_ok() {
            for _ in 0..100 {
                match client.receive() {
                    Ok(Value::Integer(count)) => acknowledged = count,
                    _ => return acknowledged,
                }
            }
        }
        acknowledged
    });
    thread::sleep(Duration::from_millis(300));
    let began = Instant::now();
    server.terminate();
    assert!(began.elapsed() < Duration::from_secs(8));
    let acknowledged = writer.join().expect("a writer");
    server.start_again();
    let kept = server.client().run(&["GET", "count"]).text().expect("a count");
    assert!(kept.parse::<i64>().expect("a number") >= acknowledged && acknowledged > 0);
}

#[test]
fn buffers_have_limits() {
    let server = Server::start(Kind::Redkeep, &[]);
    let mut client = server.client();
    let mut big = server.client();
    client.ok(&["SET", "k", &"x".repeat(200_000)]);
    client.ok(&["CONFIG", "SET", "client-output-buffer-limit", "normal 100000 0 0"]);
    assert!(big.call(&["GET", "k"]).is_err() && big.is_closed());
    client.ok(&["CONFIG", "SET", "client-output-buffer-limit", "normal 0 0 0"]);
    client.ok(&["CONFIG", "SET", "client-query-buffer-limit", "1mb"]);
    let mut long = server.client();
    let request = [
        b"*2\r\n$4\r\nECHO\r\n$3000000\r\n".to_vec(),
        vec![b'x'; 2_000_000],
    ]
    .concat();
    // The server may hang up in the middle.
    let _ = long.send(&request);
    assert!(long.is_closed());
    assert_eq!(client.run(&["PING"]), Value::Simple("PONG".into()));
}

#[test]
fn requests_of_many_connections_at_once() {
    const CONNECTIONS: i64 = 40;
    const ROUNDS: i64 = 50;
    for io_threads in ["1", "2"] {
        let flags = ["--set-max-listpack-entries", "0", "--io-threads", io_threads];
        let server = Server::start(Kind::Redkeep, &flags);
        all_at_once(&server, CONNECTIONS, ROUNDS);
        // What a peer asked before it said that it sends no more is answered.
        let mut peers: Vec<TcpStream> = (0..CONNECTIONS)
            .map(|_| TcpStream::connect(server.address()).expect("connected"))
            .collect();
        for peer in &mut peers {
            peer.set_read_timeout(Some(LIMIT)).expect("a socket");
            peer.write_all(&encode(&["SET", "key", "value"])).expect("sent");
            peer.shutdown(Shutdown::Write).expect("a socket");
        }
        for mut peer in peers {
            let mut answer = String::new();
            peer.read_to_string(&mut answer).expect("an answer");
            assert_eq!(answer, "+OK\r\n");
        }
    }
}

/// Has so many connections send requests at the same time, in so many rounds.
fn all_at_once(server: &Server, connections: i64, rounds: i64) {
    let mut clients: Vec<Client> = (0..connections).map(|_| server.client()).collect();
    for round in 0..rounds {
        for (client, n) in clients.iter_mut().zip(0..) {
            let member = format!("member:{round}:{n}");
            let mut bytes = encode(&["INCR", "counter"]);
            bytes.extend(encode(&["SADD", "set", &member]));
            bytes.extend(encode(&["SISMEMBER", "set", &member]));
            // The last of them comes in two parts.
            let (head, tail) = bytes.split_at(bytes.len() - 1 - n % 9);
            client.send(head).expect("sent");
            client.send(tail).expect("sent");
        }
        let mut counts: Vec<i64> = Vec::new();
        for client in &mut clients {
            counts.push(client.receive().expect("a reply").integer());
            assert_eq!(client.receive().expect("a reply"), Value::Integer(1));
            assert_eq!(client.receive().expect("a reply"), Value::Integer(1));
        }
        counts.sort_unstable();
        let first = round * connections + 1;
        assert!(
            counts.iter().copied().eq(first..first + connections),
            "each request ran once: {counts:?}"
        );
    }
}

/// The niceness of the threads of a process that have such a name.
fn niceness(pid: i32, name: &str) -> Vec<i32> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("threads");
    let stats = tasks.map(|task| text(&task.expect("a thread").path().join("stat")));
    let of_such = |stat: &String| stat.contains(&format!("({name}"));
    let niceness = |stat: String| {
        let (_, behind) = stat.rsplit_once(')').expect("a name");
        let nice = behind.split_whitespace().nth(16).expect("19 fields");
        nice.parse().expect("a number")
    };
    stats.filter(of_such).map(niceness).collect()
}

/// At the lowest priority they would come to nothing while other programs take all processors, and writes wait for them.
#[test]
fn threads_that_others_wait_for_in_the_end_yield_but_do_not_starve() {
    let server = Server::start(Kind::Redkeep, &[]);
    let executor = niceness(server.pid(), "redkeep-server")[0];
    for name in ["rocksdb:low", "fetch", "checkpoint"] {
        let nices = niceness(server.pid(), name);
        assert!(!nices.is_empty(), "no thread is called {name}");
        assert!(
            nices
                .iter()
                .all(|&nice| nice > executor && nice <= (executor + 10).min(19)),
            "{name}: {nices:?}"
        );
    }
}
