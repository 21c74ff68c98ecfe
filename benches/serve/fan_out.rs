//! `--subscribers`: one channel, very many subscribers. How many messages reach them a second, and what each of them takes of
//! the server's memory.
//!
//! A publisher sends a batch of messages and the next when all subscribers have all of it. Both servers are measured in turn,
//! the subscribers connected anew each time: two sets of them would be more sockets than a process may have.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::common::{median, push_argument};
use crate::load::{Poller, READABLE};
use crate::server::{Client, Kind, Program, Result, Server};

const CHANNEL: &str = "news";
/// A server that says nothing for so long has failed.
const SILENCE_LIMIT: Duration = Duration::from_secs(30);
const WARM_UP_BATCHES: usize = 3;

pub struct FanOut {
    pub subscribers: usize,
    pub value_size: usize,
    pub pipelines: Vec<usize>,
    pub rounds: usize,
    pub time: Duration,
}

/// One server's figures, one of each round.
#[derive(Default)]
struct Figures {
    rates: Vec<Vec<f64>>,
    cpu: Vec<Vec<f64>>,
    /// Bytes that each subscriber takes, when they have connected first.
    memory: f64,
}

impl FanOut {
    pub fn run(&self, programs: &[Program], maxmemory: &str) -> Result<()> {
        let most = format!("{}", self.subscribers + 100);
        let mut servers = Vec::new();
        for program in programs {
            let mut program = program.clone();
            program
                .extra_args
                .extend(["--maxclients".to_owned(), most.clone()]);
            let mut server = Server::start(&program, "everysec", maxmemory)?;
            server.settle()?;
            server.pause()?;
            servers.push(server);
        }
        let mut figures: Vec<Figures> = servers.iter().map(|_| self.no_figures()).collect();
        for round in 0..self.rounds {
            for turn in 0..servers.len() {
                let index = (round + turn) % servers.len();
                servers[index].resume()?;
                self.measure(&servers[index], round, &mut figures[index])?;
                servers[index].pause()?;
            }
        }
        self.report(&servers, &figures);
        Ok(())
    }

    fn no_figures(&self) -> Figures {
        Figures {
            rates: vec![Vec::new(); self.pipelines.len()],
            cpu: vec![Vec::new(); self.pipelines.len()],
            memory: 0.0,
        }
    }

    fn measure(&self, server: &Server, round: usize, figures: &mut Figures) -> Result<()> {
        let before = server.memory("VmRSS")?;
        let mut crowd = Crowd::connect(server.address, self.subscribers)?;
        if round == 0 {
            server.settle()?;
            let taken = server.memory("VmRSS")?.saturating_sub(before);
            figures.memory = taken as f64 / self.subscribers as f64;
        }
        for (at, pipeline) in self.pipelines.iter().enumerate() {
            let mut batch = Vec::new();
            for _ in 0..*pipeline {
                batch.extend_from_slice(b"*3\r\n");
                push_argument(&mut batch, b"PUBLISH");
                push_argument(&mut batch, CHANNEL.as_bytes());
                push_argument(&mut batch, &vec![b'x'; self.value_size]);
            }
            let publish = |crowd: &mut Crowd| crowd.publish(&batch, *pipeline, self.value_size);
            for _ in 0..WARM_UP_BATCHES {
                publish(&mut crowd)?;
            }
            let (begun, cpu) = (Instant::now(), server.cpu_time()?);
            let mut delivered = 0;
            while begun.elapsed() < self.time {
                publish(&mut crowd)?;
                delivered += pipeline * self.subscribers;
            }
            let seconds = begun.elapsed().as_secs_f64();
            let cpu = server.cpu_time()? - cpu;
            figures.rates[at].push(delivered as f64 / seconds);
            figures.cpu[at].push(cpu.as_secs_f64() * 1e6 / delivered as f64);
        }
        Ok(())
    }

    fn report(&self, servers: &[Server], figures: &[Figures]) {
        println!(
            "\n{} subscribers of one channel, messages of {} bytes",
            self.subscribers, self.value_size
        );
        let of = |kind: Kind| {
            let at = servers.iter().position(|server| server.kind == kind)?;
            figures.get(at)
        };
        for (server, figures) in servers.iter().zip(figures) {
            for (at, pipeline) in self.pipelines.iter().enumerate() {
                println!(
                    "{:<8} P{pipeline:<3} {:>10.0} messages/s  {:>6.2} us of CPU each",
                    server.kind.name(),
                    median(&figures.rates[at]),
                    median(&figures.cpu[at]),
                );
            }
            println!(
                "{:<8} {:>6.0} bytes a subscriber",
                server.kind.name(),
                figures.memory
            );
        }
        if let (Some(redkeep), Some(redis)) = (of(Kind::Redkeep), of(Kind::Redis)) {
            for (at, pipeline) in self.pipelines.iter().enumerate() {
                let rounds = redkeep.rates[at].iter().zip(&redis.rates[at]);
                let ratios: Vec<f64> = rounds.map(|(ours, theirs)| ours / theirs).collect();
                println!(
                    "ratio P{pipeline:<3} {:.2} of the messages a second",
                    median(&ratios)
                );
            }
            println!("ratio      {:.2} of the memory", redkeep.memory / redis.memory);
        }
    }
}

/// The subscribers of one server, and who publishes.
struct Crowd {
    publisher: Client,
    address: SocketAddr,
    streams: Vec<TcpStream>,
    poller: Poller,
    sender: TcpStream,
    buffer: Vec<u8>,
}

impl Crowd {
    fn connect(address: SocketAddr, subscribers: usize) -> Result<Crowd> {
        let mut streams = Vec::with_capacity(subscribers);
        let poller = Poller::new(1024)?;
        let mut request = b"*2\r\n".to_vec();
        push_argument(&mut request, b"SUBSCRIBE");
        push_argument(&mut request, CHANNEL.as_bytes());
        let confirmed = format!("*3\r\n$9\r\nsubscribe\r\n$4\r\n{CHANNEL}\r\n:1\r\n");
        let mut buffer = vec![0; 1 << 20];
        for index in 0..subscribers {
            let mut stream = TcpStream::connect(address)?;
            stream.set_read_timeout(Some(SILENCE_LIMIT))?;
            stream.write_all(&request)?;
            stream.read_exact(&mut buffer[..confirmed.len()])?;
            if buffer[..confirmed.len()] != *confirmed.as_bytes() {
                return Err("SUBSCRIBE was not confirmed".into());
            }
            stream.set_nonblocking(true)?;
            poller.control(libc::EPOLL_CTL_ADD, &stream, index, READABLE)?;
            streams.push(stream);
        }
        let sender = TcpStream::connect(address)?;
        sender.set_nodelay(true)?;
        sender.set_read_timeout(Some(SILENCE_LIMIT))?;
        Ok(Crowd {
            publisher: Client::connect(address)?,
            address,
            streams,
            poller,
            sender,
            buffer,
        })
    }

    /// Sends a batch, and reads until everybody has all of its messages.
    fn publish(&mut self, batch: &[u8], messages: usize, value_size: usize) -> Result<()> {
        let digits = value_size.to_string().len();
        let each = "*3\r\n$7\r\nmessage\r\n$4\r\n\r\n$\r\n\r\n".len() + CHANNEL.len() + digits + value_size;
        let mut missing = self.streams.len() * messages * each;
        self.sender.write_all(batch)?;
        let mut last = Instant::now();
        while missing > 0 {
            let count = self.poller.wait(Duration::from_secs(1))?;
            for at in 0..count {
                let index = self.poller.events[at].u64 as usize;
                let read = read_some(&mut self.streams[index], &mut self.buffer)?;
                missing = missing
                    .checked_sub(read)
                    .ok_or("a subscriber got more than was sent")?;
            }
            if count > 0 {
                last = Instant::now();
            } else if last.elapsed() > SILENCE_LIMIT {
                let alive = self.publisher.command(&["PING"]).is_ok();
                return Err(format!("{} lost {missing} bytes (it answers: {alive})", self.address).into());
            }
        }
        let reply = format!(":{}\r\n", self.streams.len()).repeat(messages);
        let mut replies = vec![0; reply.len()];
        self.sender.read_exact(&mut replies)?;
        match replies == reply.as_bytes() {
            true => Ok(()),
            false => Err("PUBLISH answered another number".into()),
        }
    }
}

/// Reads what there is, up to what fits in the buffer: there is another turn for the rest. Returns how many bytes that were.
fn read_some(stream: &mut TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    match stream.read(buffer) {
        Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(0),
        read => read,
    }
}
