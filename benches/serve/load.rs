//! The load generator: one thread, non-blocking sockets, epoll.
//!
//! It has to cost less per operation than the servers it measures. Requests are encoded once per connection, and only the
//! digits of the keys change between batches; replies are counted, not decoded. A connection sends a batch of `pipeline`
//! commands, waits for all their replies, and sends the next (closed loop), or sends when its turn comes (paced).

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::common::{Random, push_argument, write_digits};
use crate::report::Histogram;
use crate::workload::Workload;

/// Keys are `PPP:` and twelve digits, as redis-benchmark's are: 16 bytes.
pub const KEY_DIGITS: usize = 12;
const MSET_KEYS: usize = 10;
const READ_BUFFER: usize = 256 * 1024;
/// A server that says nothing for so long has failed.
const SILENCE_LIMIT: Duration = Duration::from_secs(30);
/// How often a load that is told when to stop looks whether it was.
const TOLD_CHECK: Duration = Duration::from_millis(20);

/// When a load sends its last batch; it always waits for the replies.
#[derive(Clone)]
pub enum Until {
    Elapsed(Duration),
    Operations(u64),
    Told(Arc<AtomicBool>),
}

#[derive(Clone)]
pub struct Load {
    pub workload: Workload,
    pub clients: usize,
    pub pipeline: usize,
    /// Four bytes that begin each key.
    pub prefix: &'static str,
    /// Keys are drawn evenly from so many.
    pub keys: u64,
    pub value_size: usize,
    /// Batches a second over all connections; without one, each connection goes as fast as it is answered.
    pub pace: Option<u64>,
    pub seed: u64,
}

#[derive(Default)]
pub struct Outcome {
    pub operations: u64,
    pub elapsed: Duration,
    /// From the first byte of a batch until its last reply, counted for each of its operations.
    pub latency: Histogram,
    /// GETs that found nothing.
    pub absent: u64,
    pub errors: u64,
    pub first_error: Option<String>,
}

impl Load {
    pub fn run(&self, address: SocketAddr, until: &Until) -> io::Result<Outcome> {
        Run::start(self, address, until)?.finish()
    }
}

/// A batch of commands as bytes, and where in them the digits of its keys are.
struct Batch {
    bytes: Vec<u8>,
    digits: Vec<usize>,
}

impl Batch {
    fn new(load: &Load, random: &mut Random) -> Batch {
        let mut batch = Batch {
            bytes: Vec::new(),
            digits: Vec::new(),
        };
        for _ in 0..load.pipeline {
            if load.workload == Workload::MultiIncr {
                batch.push_word("MULTI");
                batch.push_command(load, random);
                batch.push_word("EXEC");
            } else {
                batch.push_command(load, random);
            }
        }
        batch
    }

    fn push_word(&mut self, word: &str) {
        self.bytes.extend_from_slice(b"*1\r\n");
        push_argument(&mut self.bytes, word.as_bytes());
    }

    fn push_command(&mut self, load: &Load, random: &mut Random) {
        let (keys, values) = match load.workload {
            Workload::Set | Workload::Publish => (1, true),
            Workload::Mset => (MSET_KEYS, true),
            _ => (1, false),
        };
        let script = load.workload.script();
        let arguments = 1 + 2 * usize::from(script.is_some()) + keys * (1 + usize::from(values));
        self.bytes
            .extend_from_slice(format!("*{arguments}\r\n").as_bytes());
        push_argument(&mut self.bytes, load.workload.command().as_bytes());
        if let Some(script) = script {
            push_argument(&mut self.bytes, script.sha.as_bytes());
            push_argument(&mut self.bytes, b"1");
        }
        for _ in 0..keys {
            let key = format!("{}{:0KEY_DIGITS$}", load.prefix, 0);
            push_argument(&mut self.bytes, key.as_bytes());
            self.digits.push(self.bytes.len() - 2 - KEY_DIGITS);
            if values {
                let mut value = vec![0; load.value_size];
                random.fill(&mut value);
                push_argument(&mut self.bytes, &value);
            }
        }
    }

    fn draw_keys(&mut self, keys: u64, random: &mut Random) {
        for &at in &self.digits {
            write_digits(&mut self.bytes[at..at + KEY_DIGITS], random.below(keys));
        }
    }
}

/// Where in a reply the next byte belongs. Only the kinds of reply that these commands have are known.
#[derive(Clone, Copy)]
enum ReplyState {
    Type,
    Line,
    /// Of an array: its elements follow.
    Header,
    ErrorLine,
    Length {
        value: usize,
        negative: bool,
    },
    Payload {
        left: usize,
    },
}

struct ReplyCounter {
    state: ReplyState,
    error: Vec<u8>,
}

#[derive(Default)]
struct Tally {
    replies: usize,
    absent: u64,
    errors: u64,
    first_error: Option<String>,
}

impl ReplyCounter {
    fn feed(&mut self, mut bytes: &[u8], tally: &mut Tally) -> io::Result<()> {
        while let Some((&first, rest)) = bytes.split_first() {
            match self.state {
                ReplyState::Type => {
                    self.state = match first {
                        b'+' | b':' => ReplyState::Line,
                        b'*' => ReplyState::Header,
                        b'-' => ReplyState::ErrorLine,
                        b'$' => ReplyState::Length {
                            value: 0,
                            negative: false,
                        },
                        other => return Err(bad_reply(other)),
                    };
                    bytes = rest;
                }
                ReplyState::Header => {
                    if first == b'\n' {
                        self.state = ReplyState::Type;
                    }
                    bytes = rest;
                }
                ReplyState::Line => bytes = self.feed_line(bytes, tally),
                ReplyState::ErrorLine => bytes = self.feed_error(bytes, tally),
                ReplyState::Length { value, negative } => {
                    self.state = match first {
                        b'0'..=b'9' => ReplyState::Length {
                            value: value * 10 + usize::from(first - b'0'),
                            negative,
                        },
                        b'-' => ReplyState::Length {
                            value,
                            negative: true,
                        },
                        b'\r' => self.state,
                        b'\n' if negative => {
                            tally.absent += 1;
                            tally.replies += 1;
                            ReplyState::Type
                        }
                        b'\n' => ReplyState::Payload { left: value + 2 },
                        other => return Err(bad_reply(other)),
                    };
                    bytes = rest;
                }
                ReplyState::Payload { left } => {
                    let taken = left.min(bytes.len());
                    self.state = ReplyState::Payload { left: left - taken };
                    if taken == left {
                        tally.replies += 1;
                        self.state = ReplyState::Type;
                    }
                    bytes = &bytes[taken..];
                }
            }
        }
        Ok(())
    }

    fn feed_line<'a>(&mut self, bytes: &'a [u8], tally: &mut Tally) -> &'a [u8] {
        match bytes.iter().position(|&byte| byte == b'\n') {
            Some(end) => {
                tally.replies += 1;
                self.state = ReplyState::Type;
                &bytes[end + 1..]
            }
            None => &[],
        }
    }

    fn feed_error<'a>(&mut self, bytes: &'a [u8], tally: &mut Tally) -> &'a [u8] {
        let end = bytes.iter().position(|&byte| byte == b'\n');
        self.error.extend_from_slice(&bytes[..end.unwrap_or(bytes.len())]);
        let Some(end) = end else { return &[] };
        tally.replies += 1;
        tally.errors += 1;
        let text = std::mem::take(&mut self.error);
        tally
            .first_error
            .get_or_insert_with(|| String::from_utf8_lossy(&text).trim_end().to_owned());
        self.state = ReplyState::Type;
        &bytes[end + 1..]
    }
}

fn bad_reply(byte: u8) -> io::Error {
    io::Error::new(
        ErrorKind::InvalidData,
        format!("unexpected byte {:?} in a reply", char::from(byte)),
    )
}

struct Connection {
    stream: TcpStream,
    batch: Batch,
    /// Bytes of the batch that the socket has taken.
    written: usize,
    /// Replies still to come; 0 when the connection is idle.
    awaited: usize,
    started: Instant,
    idle_since: Instant,
    replies: ReplyCounter,
}

impl Connection {
    fn open(address: SocketAddr, load: &Load, random: &mut Random) -> io::Result<Connection> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Connection {
            stream,
            batch: Batch::new(load, random),
            written: 0,
            awaited: 0,
            started: Instant::now(),
            idle_since: Instant::now(),
            replies: ReplyCounter {
                state: ReplyState::Type,
                error: Vec::new(),
            },
        })
    }

    /// Writes what the socket takes; true when some of the batch is left.
    fn write(&mut self) -> io::Result<bool> {
        while self.written < self.batch.bytes.len() {
            match self.stream.write(&self.batch.bytes[self.written..]) {
                Ok(taken) => self.written += taken,
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(true),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(false)
    }
}

/// An epoll instance; a connection is known by its index.
pub struct Poller {
    epoll: OwnedFd,
    pub events: Vec<libc::epoll_event>,
}

/// Something can be read.
pub const READABLE: u32 = libc::EPOLLIN as u32;
const WRITABLE: u32 = libc::EPOLLOUT as u32;

impl Poller {
    pub fn new(capacity: usize) -> io::Result<Poller> {
        // SAFETY: takes no pointer; the descriptor is checked before it gets an owner, and nobody else has it.
        let epoll = unsafe {
            let fd = libc::epoll_create1(libc::EPOLL_CLOEXEC);
            if fd < 0 {
                return Err(io::Error::last_os_error());
            }
            OwnedFd::from_raw_fd(fd)
        };
        let none = libc::epoll_event { events: 0, u64: 0 };
        Ok(Poller {
            epoll,
            events: vec![none; capacity],
        })
    }

    /// Adds a connection, or changes what is waited for of it.
    pub fn control(
        &self,
        operation: libc::c_int,
        stream: &TcpStream,
        index: usize,
        events: u32,
    ) -> io::Result<()> {
        let mut event = libc::epoll_event {
            events,
            u64: index as u64,
        };
        // SAFETY: both descriptors are open, and the event outlives the call, which only reads it.
        let result =
            unsafe { libc::epoll_ctl(self.epoll.as_raw_fd(), operation, stream.as_raw_fd(), &mut event) };
        match result {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// The index of the connection that one of the last events is of.
    pub fn index(&self, event: usize) -> usize {
        self.events[event].u64 as usize
    }

    /// Fills `events` and says how many there are; none when the time is up. Nanoseconds, for an even pace.
    pub fn wait(&mut self, limit: Duration) -> io::Result<usize> {
        let timeout = libc::timespec {
            tv_sec: limit.as_secs() as libc::time_t,
            tv_nsec: limit.subsec_nanos() as libc::c_long,
        };
        // SAFETY: the buffer holds as many events as is said, the timeout outlives the call, no signal mask is given.
        let ready = unsafe {
            libc::epoll_pwait2(
                self.epoll.as_raw_fd(),
                self.events.as_mut_ptr(),
                self.events.len() as libc::c_int,
                &timeout,
                std::ptr::null(),
            )
        };
        match usize::try_from(ready) {
            Ok(ready) => Ok(ready),
            Err(_) => match io::Error::last_os_error() {
                e if e.kind() == ErrorKind::Interrupted => Ok(0),
                e => Err(e),
            },
        }
    }
}

/// The turns of a paced load.
struct Pace {
    interval: Duration,
    next: Instant,
}

struct Run<'a> {
    load: &'a Load,
    until: &'a Until,
    poller: Poller,
    connections: Vec<Connection>,
    idle: VecDeque<usize>,
    pace: Option<Pace>,
    random: Random,
    buffer: Vec<u8>,
    begun: Instant,
    last_event: Instant,
    sent: u64,
    outcome: Outcome,
}

impl<'a> Run<'a> {
    fn start(load: &'a Load, address: SocketAddr, until: &'a Until) -> io::Result<Run<'a>> {
        let mut random = Random(load.seed);
        let poller = Poller::new(load.clients)?;
        let mut connections = Vec::with_capacity(load.clients);
        for index in 0..load.clients {
            let connection = Connection::open(address, load, &mut random)?;
            poller.control(libc::EPOLL_CTL_ADD, &connection.stream, index, READABLE)?;
            connections.push(connection);
        }
        let begun = Instant::now();
        Ok(Run {
            load,
            until,
            poller,
            connections,
            idle: (0..load.clients).collect(),
            pace: load.pace.map(|a_second| Pace {
                interval: Duration::from_secs(1) / u32::try_from(a_second.max(1)).unwrap_or(u32::MAX),
                next: begun,
            }),
            random,
            buffer: vec![0; READ_BUFFER],
            begun,
            last_event: begun,
            sent: 0,
            outcome: Outcome::default(),
        })
    }

    fn finish(mut self) -> io::Result<Outcome> {
        self.send_due(self.begun)?;
        let mut over = false;
        while !over || self.idle.len() < self.connections.len() {
            let ready = self.poller.wait(self.wait_limit(over))?;
            let now = Instant::now();
            over = over || self.is_over(now);
            if ready > 0 {
                self.last_event = now;
            } else if self.idle.len() < self.connections.len() && now - self.last_event > SILENCE_LIMIT {
                return Err(io::Error::new(
                    ErrorKind::TimedOut,
                    "the server stopped answering",
                ));
            }
            for event in 0..ready {
                let index = self.poller.index(event);
                let Some(done) = self.progress(index)? else {
                    continue;
                };
                if self.pace.is_none() && !over {
                    self.send(index, done)?;
                } else {
                    self.connections[index].idle_since = done;
                    self.idle.push_back(index);
                }
            }
            if !over {
                self.send_due(now)?;
            }
        }
        self.outcome.elapsed = self.begun.elapsed();
        Ok(self.outcome)
    }

    fn is_over(&self, now: Instant) -> bool {
        match self.until {
            Until::Elapsed(limit) => now - self.begun >= *limit,
            Until::Operations(limit) => self.sent >= *limit,
            Until::Told(stop) => stop.load(Ordering::Relaxed),
        }
    }

    fn wait_limit(&self, over: bool) -> Duration {
        let limit = match self.until {
            Until::Elapsed(limit) if !over => limit.saturating_sub(self.begun.elapsed()).min(SILENCE_LIMIT),
            Until::Told(_) => TOLD_CHECK,
            _ => SILENCE_LIMIT,
        };
        match &self.pace {
            Some(pace) if !over && !self.idle.is_empty() => {
                limit.min(pace.next.saturating_duration_since(Instant::now()))
            }
            _ => limit,
        }
    }

    /// Sends on idle connections: on all of them, or, when paced, on as many as have their turn.
    ///
    /// A turn for which no connection was free counts from when it was due: the server made it wait. One that a free
    /// connection takes late counts from now: that was the load generator.
    fn send_due(&mut self, now: Instant) -> io::Result<()> {
        while let Some(&index) = self.idle.front() {
            let started = match &mut self.pace {
                Some(pace) if pace.next > now => break,
                Some(pace) => {
                    let due = pace.next;
                    pace.next += pace.interval;
                    match self.connections[index].idle_since > due {
                        true => due,
                        false => Instant::now(),
                    }
                }
                None => Instant::now(),
            };
            self.idle.pop_front();
            self.send(index, started)?;
        }
        Ok(())
    }

    fn send(&mut self, index: usize, started: Instant) -> io::Result<()> {
        let connection = &mut self.connections[index];
        connection.batch.draw_keys(self.load.keys, &mut self.random);
        connection.written = 0;
        connection.awaited = self.load.pipeline * self.load.workload.replies();
        connection.started = started;
        self.sent += self.load.pipeline as u64;
        if connection.write()? {
            let both = READABLE | WRITABLE;
            self.poller
                .control(libc::EPOLL_CTL_MOD, &connection.stream, index, both)?;
        }
        Ok(())
    }

    /// Goes on with a connection that has room to write or something to read; the time when that ends its batch.
    fn progress(&mut self, index: usize) -> io::Result<Option<Instant>> {
        let connection = &mut self.connections[index];
        if connection.written < connection.batch.bytes.len()
            && connection.awaited > 0
            && !connection.write()?
        {
            self.poller
                .control(libc::EPOLL_CTL_MOD, &connection.stream, index, READABLE)?;
        }
        let read = match connection.stream.read(&mut self.buffer) {
            Ok(0) => {
                return Err(io::Error::new(
                    ErrorKind::UnexpectedEof,
                    "the server closed a connection",
                ));
            }
            Ok(read) => read,
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => return Ok(None),
            Err(e) => return Err(e),
        };
        let mut tally = Tally::default();
        connection.replies.feed(&self.buffer[..read], &mut tally)?;
        self.outcome.absent += tally.absent;
        self.outcome.errors += tally.errors;
        if self.outcome.first_error.is_none() {
            self.outcome.first_error = tally.first_error;
        }
        let awaited = connection.awaited.checked_sub(tally.replies);
        connection.awaited = awaited.ok_or_else(|| io::Error::other("more replies than requests"))?;
        if connection.awaited > 0 || tally.replies == 0 {
            return Ok(None);
        }
        let done = Instant::now();
        let operations = self.load.pipeline as u64;
        self.outcome.operations += operations;
        self.outcome.latency.record(done - connection.started, operations);
        Ok(Some(done))
    }
}
