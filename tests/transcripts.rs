//! Transcripts: commands and the replies they get, in `tests/commands/*.txt`, run in every mode.
//!
//! - **in-process**: the library alone, sessions driven by hand without a socket;
//! - **tcp**: a Redkeep as it comes;
//! - **io threads**: one whose sockets are served by threads of their own;
//! - **cold**: one with a tiny budget whose hot tier is emptied before every command, so that every read is a
//!   fault;
//! - **restart**: one that is stopped, gently and by `kill -9` in turn, every few commands;
//! - **redis**: a real redis-server, which keeps the expectations honest.
//!
//! To write a transcript, write its commands and run the `redis` mode with `REDKEEP_TRANSCRIPTS_RECORD=1`:
//! the replies are filled in where none are written; then read them. `REDKEEP_TRANSCRIPTS=NAME` runs only
//! files whose name has NAME.

mod in_process;
mod matching;
mod runner;
mod script;

use crate::support::server::redis_is_installed;
use crate::support::{Client, Kind, Server, Value, heavy};
use in_process::InProcess;
use runner::{Outcome, Target, Wire, run};
use script::Script;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use std::{fs, io};

#[test]
fn in_process() {
    run_all(&mut InProcess::new(), false);
}

#[test]
fn tcp() {
    run_on(Server::start(Kind::Redkeep, &[]), Mode::Plain);
}

#[test]
fn io_threads() {
    run_on(Server::start(Kind::Redkeep, &["--io-threads", "3"]), Mode::Plain);
}

#[test]
fn cold() {
    run_on(Server::start(Kind::Redkeep, &["--maxmemory", "4mb"]), Mode::Cold);
}

#[test]
fn restart() {
    let _turn = heavy();
    run_on(Server::start(Kind::Redkeep, &[]), Mode::Restart);
}

#[test]
fn redis() {
    if redis_is_installed() {
        run_on(Server::start(Kind::Redis, &[]), Mode::Plain);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Plain,
    Cold,
    Restart,
}

fn run_on(server: Server, mode: Mode) {
    let record = std::env::var_os("REDKEEP_TRANSCRIPTS_RECORD").is_some() && server.is_redis();
    let mut target = TcpTarget::new(server, mode);
    run_all(&mut target, record);
    println!("{} restarts", target.restarts);
}

fn run_all(target: &mut dyn Target, record: bool) {
    let mut failures = Vec::new();
    let mut steps = 0;
    for path in files() {
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        let text = fs::read_to_string(&path).expect("a readable transcript");
        let script = Script::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut outcome = run(&name, &script, target);
        if record {
            fs::write(&path, with_replies(&text, &outcome)).expect("a writable transcript");
        } else {
            let missing = outcome
                .unexpected
                .iter()
                .map(|(line, _)| format!("{name}:{line}: no reply is written"));
            outcome.failures.extend(missing);
        }
        steps += outcome.steps;
        failures.extend(outcome.failures);
    }
    println!("{steps} steps");
    assert!(
        failures.is_empty(),
        "{} failures\n{}",
        failures.len(),
        failures.join("\n")
    );
    assert!(steps > 0, "no transcript was run");
}

fn files() -> Vec<PathBuf> {
    let wanted = std::env::var("REDKEEP_TRANSCRIPTS").unwrap_or_default();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/commands");
    let entries = fs::read_dir(folder).expect("the folder of transcripts");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    let named = |path: &PathBuf| {
        path.file_name()
            .is_some_and(|name| name.to_string_lossy().contains(&wanted))
    };
    paths.retain(|path| path.extension().is_some_and(|e| e == "txt") && named(path));
    paths.sort();
    paths
}

fn with_replies(text: &str, outcome: &Outcome) -> String {
    let mut lines: Vec<String> = text.lines().map(String::from).collect();
    for (line, reply) in outcome.unexpected.iter().rev() {
        lines.splice(line..line, reply.iter().cloned());
    }
    lines.join("\n") + "\n"
}

/// So many commands lie between two restarts.
const RESTART_EVERY: usize = 20;

/// A server notices within this time that connections were closed.
const LEAVE_LIMIT: Duration = Duration::from_secs(10);

/// Commands that leave something on a connection or in the server which a restart loses, and which is not
/// restored here as the database and the protocol are: after one of them the server is not restarted in this
/// section.
const NOT_RESTORED: [&str; 10] = [
    "MONITOR",
    "AUTH",
    "CLIENT",
    "CONFIG",
    "DEBUG",
    "MULTI",
    "WATCH",
    "SUBSCRIBE",
    "PSUBSCRIBE",
    "SSUBSCRIBE",
];

/// A server behind sockets.
struct TcpTarget {
    server: Server,
    mode: Mode,
    /// "redis-7.0" or "redkeep".
    name: String,
    connections: BTreeMap<usize, Connection>,
    /// To look after the server without disturbing the transcript's connections.
    keeper: Option<Client>,
    since_restart: usize,
    restart_loses_state: bool,
    restarts: usize,
}

/// A connection and what is restored on it after a restart.
#[derive(Default)]
struct Connection {
    client: Option<Client>,
    database: Option<Vec<u8>>,
    protocol: Option<Vec<u8>>,
}

impl TcpTarget {
    fn new(server: Server, mode: Mode) -> TcpTarget {
        let name = if server.is_redis() {
            version(&server)
        } else {
            "redkeep".into()
        };
        TcpTarget {
            server,
            mode,
            name,
            connections: BTreeMap::new(),
            keeper: None,
            since_restart: 0,
            restart_loses_state: false,
            restarts: 0,
        }
    }

    fn keeper(&mut self) -> &mut Client {
        self.keeper.get_or_insert_with(|| self.server.client())
    }

    /// Waits until the server has noticed every connection that is closed here: what they subscribed to or
    /// waited for is gone then.
    fn await_departures(&mut self) -> Result<(), String> {
        let open = self.connections.values().filter(|it| it.client.is_some()).count() + 1;
        let deadline = Instant::now() + LEAVE_LIMIT;
        loop {
            let list = self.keeper().call(&["CLIENT", "LIST"]);
            let list = list.map_err(|error| error.to_string())?;
            let list = list
                .text()
                .ok_or_else(|| format!("CLIENT LIST answered {list:?}"))?;
            if list.lines().count() <= open {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(format!("more than {open} clients:\n{list}"));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn before_call(&mut self, args: &[Vec<u8>]) {
        match self.mode {
            Mode::Plain => {}
            Mode::Cold if self.server.is_redis() => {}
            Mode::Cold => self.keeper().ok(&["DEBUG", "DROP-HOT"]),
            Mode::Restart => {
                self.since_restart += 1;
                if self.since_restart > RESTART_EVERY && !self.restart_loses_state && !is_within_scan(args) {
                    self.restart();
                }
            }
        }
    }

    fn restart(&mut self) {
        self.keeper = None;
        self.connections
            .values_mut()
            .for_each(|connection| connection.client = None);
        self.restarts += 1;
        self.since_restart = 0;
        if self.restarts.is_multiple_of(2) {
            self.server.restart();
        } else {
            self.server.kill9();
            self.server.start_again();
        }
    }

    fn client(&mut self, number: usize) -> io::Result<&mut Client> {
        let connection = self.connections.entry(number).or_default();
        if connection.client.is_none() {
            let mut client = Client::connect(self.server.address())?;
            if let Some(protocol) = &connection.protocol {
                client.call(&[b"HELLO", &protocol[..]])?;
            }
            if let Some(database) = &connection.database {
                client.ok(&[b"SELECT", &database[..]]);
            }
            connection.client = Some(client);
        }
        Ok(connection.client.as_mut().expect("just connected"))
    }

    fn remember(&mut self, number: usize, args: &[Vec<u8>], reply: &Value) {
        let connection = self.connections.entry(number).or_default();
        let name = String::from_utf8_lossy(&args[0]).to_uppercase();
        match &name[..] {
            _ if reply.is_error() => {}
            "SELECT" => connection.database = args.get(1).cloned(),
            "HELLO" => connection.protocol = args.get(1).cloned(),
            "RESET" => (connection.database, connection.protocol) = (None, None),
            _ => {}
        }
        let more_than_protocol = name == "HELLO" && args.len() > 2;
        self.restart_loses_state |= more_than_protocol || NOT_RESTORED.contains(&&name[..]);
    }
}

impl Target for TcpTarget {
    fn has_tag(&self, tag: &str) -> bool {
        let mode = match self.mode {
            Mode::Plain => "tcp",
            Mode::Cold => "cold",
            Mode::Restart => "restart",
        };
        tag == mode || tag == self.name || (tag == "redis" && self.name.starts_with("redis-"))
    }

    fn reset(&mut self) -> Result<(), String> {
        self.connections.clear();
        self.restart_loses_state = false;
        // Left behind by a section that failed halfway, it would fail all that follow.
        self.keeper().ok(&["CONFIG", "SET", "requirepass", ""]);
        let reply = self
            .keeper()
            .call(&["FLUSHALL"])
            .map_err(|error| error.to_string())?;
        if !reply.is_ok() {
            return Err(format!("FLUSHALL answered {reply:?}"));
        }
        self.await_departures()
    }

    fn call(&mut self, number: usize, args: &[Vec<u8>]) -> Result<Value, String> {
        let exchange = |target: &mut TcpTarget| -> io::Result<Value> {
            target.before_call(args);
            target.client(number)?.call(args)
        };
        let reply = exchange(self).map_err(|error| error.to_string())?;
        self.remember(number, args, &reply);
        Ok(reply)
    }

    fn wire(&mut self, number: usize) -> Result<Box<dyn Wire + '_>, String> {
        // What the bytes say is not looked at, so nothing could be restored.
        self.restart_loses_state = true;
        let client = self.client(number).map_err(|error| error.to_string())?;
        Ok(Box::new(client))
    }

    fn disconnect(&mut self, number: usize) -> Result<(), String> {
        self.connections.remove(&number);
        self.await_departures()
    }

    fn safe(&mut self) {
        self.restart_loses_state = false;
    }
}

impl Wire for &mut Client {
    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        Client::send(self, bytes)
    }

    fn receive(&mut self) -> io::Result<Value> {
        Client::receive(self)
    }

    fn is_closed(&mut self) -> bool {
        Client::is_closed(self)
    }

    fn is_silent(&mut self, quiet: Duration) -> io::Result<bool> {
        Client::is_silent(self, quiet)
    }

    fn client_address(&self) -> io::Result<SocketAddr> {
        self.local_addr()
    }

    fn server_address(&self) -> io::Result<SocketAddr> {
        self.peer_addr()
    }
}

/// Whether this is a SCAN, HSCAN, ... that goes on from a cursor: cursors mean nothing to another run of the
/// server.
fn is_within_scan(args: &[Vec<u8>]) -> bool {
    args[0].to_ascii_uppercase().ends_with(b"SCAN") && !args.contains(&b"0".to_vec())
}

/// "redis-7.0" of a server whose version is 7.0.15.
fn version(server: &Server) -> String {
    let info = server
        .client()
        .run(&["INFO", "server"])
        .text()
        .unwrap_or_default();
    let version = info
        .lines()
        .find_map(|line| line.strip_prefix("redis_version:"))
        .unwrap_or_default();
    let short: Vec<&str> = version.split('.').take(2).collect();
    format!("redis-{}", short.join("."))
}
