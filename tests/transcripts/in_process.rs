//! Redkeep as a library: an engine and its sessions in the test's own thread, without a socket or a runtime.
//!
//! What a runtime would do is a queue of events here: wakers put sessions that can go on into it, the engine puts the end of its tick
//! there, and regular work is done when it is due.

use super::runner::{Target, Wire};
use crate::support::client::encode;
use crate::support::{Value, reply};
use redkeep::facade::embedded::{Connection, Embedded};
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::task::{Wake, Waker};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How long a reply may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// The connection that looks after the engine between sections.
const KEEPER: usize = 0;
/// What connections say their ports are.
const SERVER_PORT: u16 = 6379;
const FIRST_CLIENT_PORT: u16 = 10_000;

enum Event {
    Commit,
    Turn(usize),
}

/// Wakes one session.
struct Bell {
    number: usize,
    events: Sender<Event>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        // Once the target is dropped, there is nobody to wake.
        let _ = self.events.send(Event::Turn(self.number));
    }
}

/// A connection, and where its client is.
struct Client {
    connection: Connection,
    address: SocketAddr,
}

pub struct InProcess {
    engine: Embedded,
    clients: BTreeMap<usize, Client>,
    /// How many connections there were, for their addresses.
    connected: u16,
    events: Receiver<Event>,
    sender: Sender<Event>,
    next_tick: Instant,
    next_second: Instant,
    _dir: TempDir,
}

impl InProcess {
    pub fn new() -> InProcess {
        let dir = TempDir::with_prefix("redkeep-test-").expect("a temporary directory");
        let (sender, events) = mpsc::channel();
        let committing = sender.clone();
        // This fails only when the receiver is gone, and with it whoever could commit.
        let commit = move || drop(committing.send(Event::Commit));
        let engine = Embedded::open(dir.path(), &["--enable-debug-command", "yes"], commit);
        let now = Instant::now();
        InProcess {
            engine: engine.expect("a store"),
            clients: BTreeMap::new(),
            connected: 0,
            events,
            sender,
            next_tick: now,
            next_second: now + Duration::from_secs(1),
            _dir: dir,
        }
    }

    fn connect(&mut self, number: usize) -> &mut Client {
        self.clients.entry(number).or_insert_with(|| {
            self.connected += 1;
            let port = FIRST_CLIENT_PORT + self.connected;
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            let bell = Bell {
                number,
                events: self.sender.clone(),
            };
            let waker = Waker::from(Arc::new(bell));
            Client {
                connection: self.engine.connect(address, server_address(), waker),
                address,
            }
        })
    }

    fn turn(&mut self, number: usize) {
        // A waker may outlive its connection.
        if let Some(client) = self.clients.get_mut(&number) {
            self.engine.turn(&mut client.connection);
        }
    }

    fn work_if_due(&mut self, now: Instant) {
        if now >= self.next_tick {
            self.engine.tick();
            self.next_tick = now + self.engine.tick_interval();
        }
        if now >= self.next_second {
            self.engine.tick_second();
            self.next_second = now + Duration::from_secs(1);
        }
    }

    /// Lets everything run until `done`; false if it was not within `limit`.
    fn run_until(&mut self, limit: Duration, done: impl Fn(&InProcess) -> bool) -> bool {
        let deadline = Instant::now() + limit;
        while !done(self) {
            let now = Instant::now();
            if now >= deadline {
                return false;
            }
            self.work_if_due(now);
            let next = deadline.min(self.next_tick).min(self.next_second);
            // The sender is ours, so an error is a timeout.
            match self.events.recv_timeout(next.saturating_duration_since(now)) {
                Ok(Event::Commit) => {
                    if self.engine.commit_and_release() {
                        // The receiver is ours.
                        let _ = self.sender.send(Event::Commit);
                    }
                }
                Ok(Event::Turn(number)) => self.turn(number),
                Err(_) => {}
            }
        }
        true
    }

    fn has_output(&self, number: usize) -> bool {
        self.clients
            .get(&number)
            .is_some_and(|client| !client.connection.output.is_empty())
    }

    fn is_closed(&self, number: usize) -> bool {
        self.clients
            .get(&number)
            .is_none_or(|client| client.connection.is_closed())
    }
}

fn server_address() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, SERVER_PORT))
}

impl Drop for InProcess {
    fn drop(&mut self) {
        for client in self.clients.values_mut() {
            self.engine.close(&mut client.connection);
        }
    }
}

impl Target for InProcess {
    fn has_tag(&self, tag: &str) -> bool {
        tag == "in-process" || tag == "redkeep"
    }

    fn reset(&mut self) -> Result<(), String> {
        let numbers: Vec<usize> = self.clients.keys().copied().filter(|&n| n != KEEPER).collect();
        numbers
            .into_iter()
            .try_for_each(|number| self.disconnect(number))?;
        for command in ["CONFIG SET requirepass ''", "FLUSHALL"] {
            let args: Vec<Vec<u8>> = crate::support::text::split(command)?;
            let reply = self.call(KEEPER, &args)?;
            if !reply.is_ok() {
                return Err(format!("{command} answered {reply:?}"));
            }
        }
        Ok(())
    }

    fn call(&mut self, number: usize, args: &[Vec<u8>]) -> Result<Value, String> {
        let mut wire = self.wire(number)?;
        let reply = wire.send(&encode(args)).and_then(|()| wire.receive());
        reply.map_err(|error| error.to_string())
    }

    fn wire(&mut self, number: usize) -> Result<Box<dyn Wire + '_>, String> {
        let address = self.connect(number).address;
        Ok(Box::new(SessionWire {
            target: self,
            number,
            address,
        }))
    }

    fn disconnect(&mut self, number: usize) -> Result<(), String> {
        if let Some(mut client) = self.clients.remove(&number) {
            self.engine.close(&mut client.connection);
        }
        Ok(())
    }

    fn sleep(&mut self, time: Duration) {
        self.run_until(time, |_| false);
    }
}

/// One connection of the target.
struct SessionWire<'t> {
    target: &'t mut InProcess,
    number: usize,
    address: SocketAddr,
}

impl Wire for SessionWire<'_> {
    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let connection = &mut self.target.connect(self.number).connection;
        if connection.is_closed() {
            return Err(ErrorKind::BrokenPipe.into());
        }
        connection.input.extend_from_slice(bytes);
        connection.wake();
        Ok(())
    }

    fn receive(&mut self) -> io::Result<Value> {
        let number = self.number;
        let mut seen = 0;
        loop {
            let is_news = |connection: &Connection| connection.output.len() > seen || connection.is_closed();
            let is_news = |target: &InProcess| {
                let client = target.clients.get(&number);
                client.is_none_or(|client| is_news(&client.connection))
            };
            if !self.target.run_until(PATIENCE, is_news) {
                return Err(ErrorKind::TimedOut.into());
            }
            let connection = &mut self.target.connect(number).connection;
            let is_closed = connection.is_closed();
            let output = &mut connection.output;
            let mut rest = &output[..];
            match reply::read(&mut rest) {
                Ok(value) => {
                    let read = output.len() - rest.len();
                    output.drain(..read);
                    return Ok(value);
                }
                // A long reply comes in pieces.
                Err(e) if e.kind() == ErrorKind::UnexpectedEof && !is_closed => seen = output.len(),
                Err(e) => return Err(e),
            }
        }
    }

    fn is_closed(&mut self) -> bool {
        let number = self.number;
        let over = |target: &InProcess| target.has_output(number) || target.is_closed(number);
        self.target.run_until(PATIENCE, over) && !self.target.has_output(number)
    }

    fn is_silent(&mut self, quiet: Duration) -> io::Result<bool> {
        let number = self.number;
        Ok(!self.target.run_until(quiet, |target| target.has_output(number)))
    }

    fn client_address(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }

    fn server_address(&self) -> io::Result<SocketAddr> {
        Ok(server_address())
    }
}
