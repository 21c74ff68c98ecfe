//! Wake-ups: many clients wait in BLPOP, each for a key of its own, and a few push to one key after the other. An operation
//! is a push that has reached who waits for it; its latency is from one to the other.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::common::push_argument;
use crate::load::{Outcome, Poller, READABLE};

/// A server that says nothing for so long has failed.
const SILENCE_LIMIT: Duration = Duration::from_secs(30);
/// How long the server may take until all wait.
const BEGIN: Duration = Duration::from_millis(500);
/// Longest reply to a push, and more than any to one who waits: they are read whole.
const BUFFER: usize = 64 << 10;

/// A connection, one request at a time.
struct Line {
    stream: TcpStream,
    request: Vec<u8>,
    /// Bytes of the reply that came so far.
    came: usize,
}

impl Line {
    fn open(address: SocketAddr, poller: &Poller, index: usize) -> io::Result<Line> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        poller.control(libc::EPOLL_CTL_ADD, &stream, index, READABLE)?;
        Ok(Line {
            stream,
            request: Vec::new(),
            came: 0,
        })
    }

    /// Sends its request, which a socket that waits for its reply always takes.
    fn send(&mut self) -> io::Result<()> {
        self.came = 0;
        self.stream.write_all(&self.request)
    }

    /// Reads what there is: `None` if nothing is.
    fn read<'b>(&mut self, buffer: &'b mut [u8]) -> io::Result<Option<&'b [u8]>> {
        match self.stream.read(buffer) {
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            Ok(read) => {
                self.came += read;
                Ok(Some(&buffer[..read]))
            }
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(None),
            Err(e) => Err(e),
        }
    }
}

fn request(words: &[&[u8]]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    words.iter().for_each(|word| push_argument(&mut bytes, word));
    bytes
}

fn key(number: usize) -> String {
    format!("wake:{number:011}")
}

struct Wakes {
    poller: Poller,
    waiters: Vec<Line>,
    pushers: Vec<Line>,
    /// When each waiter's key was last pushed to, if that has not come yet.
    pushed: Vec<Option<Instant>>,
    /// To whose key is pushed next.
    next: usize,
    value: Vec<u8>,
    outcome: Outcome,
}

/// Has so many wait, and so many push values of this size, for a while.
pub fn run(
    address: SocketAddr,
    (waiters, pushers): (usize, usize),
    value_size: usize,
    length: Duration,
) -> io::Result<Outcome> {
    let poller = Poller::new(waiters + pushers)?;
    let open = |index| Line::open(address, &poller, index);
    let mut wakes = Wakes {
        waiters: (0..waiters).map(open).collect::<io::Result<_>>()?,
        pushers: (waiters..waiters + pushers)
            .map(open)
            .collect::<io::Result<_>>()?,
        poller,
        pushed: vec![None; waiters],
        next: 0,
        value: vec![b'v'; value_size],
        outcome: Outcome::default(),
    };
    for (number, waiter) in wakes.waiters.iter_mut().enumerate() {
        waiter.request = request(&[b"BLPOP", key(number).as_bytes(), b"0"]);
        waiter.send()?;
    }
    thread::sleep(BEGIN);
    let begun = Instant::now();
    for pusher in 0..pushers {
        wakes.push(pusher)?;
    }
    wakes.go_on_until(begun + length)?;
    wakes.outcome.elapsed = begun.elapsed();
    Ok(wakes.outcome)
}

impl Wakes {
    /// Has a pusher push to the next key.
    fn push(&mut self, pusher: usize) -> io::Result<()> {
        let number = self.next;
        self.next = (self.next + 1) % self.waiters.len();
        let line = &mut self.pushers[pusher];
        line.request = request(&[b"RPUSH", key(number).as_bytes(), &self.value]);
        self.pushed[number].get_or_insert_with(Instant::now);
        line.send()
    }

    fn go_on_until(&mut self, end: Instant) -> io::Result<()> {
        let mut buffer = vec![0; BUFFER];
        let mut last = Instant::now();
        loop {
            let ready = self.poller.wait(Duration::from_millis(20))?;
            let now = Instant::now();
            if ready > 0 {
                last = now;
            } else if now - last > SILENCE_LIMIT {
                return Err(io::Error::new(
                    ErrorKind::TimedOut,
                    "the server stopped answering",
                ));
            }
            if now >= end {
                return Ok(());
            }
            for event in 0..ready {
                let index = self.poller.index(event);
                match index.checked_sub(self.waiters.len()) {
                    Some(pusher) => self.end_push(pusher, &mut buffer)?,
                    None => self.end_wait(index, &mut buffer)?,
                }
            }
        }
    }

    fn end_push(&mut self, pusher: usize, buffer: &mut [u8]) -> io::Result<()> {
        let Some(bytes) = self.pushers[pusher].read(buffer)? else {
            return Ok(());
        };
        if !bytes.starts_with(b":") || !bytes.ends_with(b"\r\n") {
            return Err(io::Error::other(format!(
                "not a length: {}",
                bytes.escape_ascii()
            )));
        }
        self.push(pusher)
    }

    fn end_wait(&mut self, number: usize, buffer: &mut [u8]) -> io::Result<()> {
        let waiter = &mut self.waiters[number];
        let Some(bytes) = waiter.read(buffer)? else {
            return Ok(());
        };
        if waiter.came == bytes.len() && !bytes.starts_with(b"*2\r\n") {
            return Err(io::Error::other(format!("no element: {}", bytes.escape_ascii())));
        }
        // An array of two, as requests are.
        let whole = request(&[key(number).as_bytes(), &self.value]).len();
        if waiter.came < whole {
            return Ok(());
        }
        if let Some(pushed) = self.pushed[number].take() {
            self.outcome.latency.record(pushed.elapsed(), 1);
        }
        self.outcome.operations += 1;
        waiter.send()
    }
}
