//! A small blocking RESP2/RESP3 client: what it sends and receives is exactly what the test says.

use super::{Value, reply};
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// No reply of a healthy server takes this long, even on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a pipeline may hold before its replies are read: below the socket buffers' sizes, so neither side
/// blocks.
const PIPELINE_BYTES: usize = 32 * 1024;

pub struct Client {
    reader: BufReader<TcpStream>,
}

impl Client {
    pub fn connect(address: SocketAddr) -> io::Result<Client> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Client {
            reader: BufReader::new(stream),
        })
    }

    pub fn set_read_timeout(&self, limit: Duration) -> io::Result<()> {
        self.reader.get_ref().set_read_timeout(Some(limit))
    }

    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.reader.get_ref().local_addr()
    }

    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.reader.get_ref().peer_addr()
    }

    /// Sends one command and reads its reply.
    pub fn call<A: AsRef<[u8]>>(&mut self, args: &[A]) -> io::Result<Value> {
        self.send(&encode(args))?;
        self.receive()
    }

    /// [`call`](Client::call) where a lost connection fails the test.
    pub fn run<A: AsRef<[u8]>>(&mut self, args: &[A]) -> Value {
        self.call(args)
            .unwrap_or_else(|error| panic!("{}: {error}", name_of(args)))
    }

    /// [`run`](Client::run) for commands whose reply is OK.
    pub fn ok<A: AsRef<[u8]>>(&mut self, args: &[A]) {
        let reply = self.run(args);
        assert!(reply.is_ok(), "{} answered {reply:?}", name_of(args));
    }

    /// What INFO says under these names.
    pub fn figures<const N: usize>(&mut self, names: [&str; N]) -> [u64; N] {
        let page = self.run(&["INFO", "everything"]).text().expect("a text");
        names.map(|name| {
            let mut lines = page.lines();
            let field = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            field
                .and_then(|field| field.parse().ok())
                .unwrap_or_else(|| panic!("{name} in {page}"))
        })
    }

    /// What it says under this one.
    pub fn figure(&mut self, name: &str) -> u64 {
        let [figure] = self.figures([name]);
        figure
    }

    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.reader.get_ref().write_all(bytes)
    }

    /// Sends many commands before it reads their replies, in chunks that fit the socket buffers.
    pub fn pipeline<A: AsRef<[u8]>>(&mut self, commands: &[Vec<A>]) -> io::Result<Vec<Value>> {
        let mut replies = Vec::with_capacity(commands.len());
        let mut chunk = Vec::new();
        let mut waiting = 0;
        for command in commands {
            let bytes = encode(command);
            if chunk.len() + bytes.len() > PIPELINE_BYTES {
                self.exchange(&mut chunk, &mut waiting, &mut replies)?;
            }
            chunk.extend_from_slice(&bytes);
            waiting += 1;
        }
        self.exchange(&mut chunk, &mut waiting, &mut replies)?;
        Ok(replies)
    }

    fn exchange(
        &mut self,
        chunk: &mut Vec<u8>,
        waiting: &mut usize,
        replies: &mut Vec<Value>,
    ) -> io::Result<()> {
        self.send(chunk)?;
        chunk.clear();
        for _ in 0..std::mem::take(waiting) {
            replies.push(self.receive()?);
        }
        Ok(())
    }

    /// Reads one reply or push.
    pub fn receive(&mut self) -> io::Result<Value> {
        reply::read(&mut self.reader)
    }

    /// Waits until something can be read, and leaves it where it is.
    pub fn await_bytes(&mut self) -> io::Result<()> {
        match self.reader.fill_buf()? {
            [] => Err(ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// Whether there is something to be read by now.
    pub fn has_bytes(&mut self) -> io::Result<bool> {
        self.reader.get_ref().set_nonblocking(true)?;
        let has = match self.reader.fill_buf() {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        };
        self.reader.get_ref().set_nonblocking(false)?;
        has
    }

    /// Reads so many bytes, whatever they are.
    pub fn read_bytes(&mut self, count: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; count];
        self.reader.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// Whether the server has closed this connection, with nothing more to read.
    pub fn is_closed(&mut self) -> bool {
        match self.reader.fill_buf() {
            Ok(bytes) => bytes.is_empty(),
            Err(error) => error.kind() == ErrorKind::ConnectionReset,
        }
    }

    /// Whether nothing arrives for `quiet`.
    pub fn is_silent(&mut self, quiet: Duration) -> io::Result<bool> {
        self.set_read_timeout(quiet)?;
        let silent = match self.reader.fill_buf() {
            Ok(_) => false,
            Err(error) => matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        };
        self.set_read_timeout(PATIENCE)?;
        Ok(silent)
    }
}

/// A command as RESP writes it: an array of bulk strings.
pub fn encode<A: AsRef<[u8]>>(args: &[A]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", args.len()).into_bytes();
    for arg in args {
        let arg = arg.as_ref();
        bytes.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
        bytes.extend_from_slice(arg);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

fn name_of<A: AsRef<[u8]>>(args: &[A]) -> String {
    let shown = args
        .iter()
        .take(3)
        .map(|arg| String::from_utf8_lossy(arg.as_ref()).into_owned());
    shown.collect::<Vec<_>>().join(" ")
}

#[test]
fn every_kind_of_reply_is_read() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = Client::connect(listener.local_addr().unwrap()).unwrap();
    let wire =
        b"%1\r\n+a\r\n*2\r\n$-1\r\n_\r\n,1.5\r\n#t\r\n(12\r\n=5\r\ntxt:x\r\n~1\r\n:7\r\n>1\r\n*-1\r\n?\r\n";
    listener.accept().unwrap().0.write_all(wire).unwrap();
    let expected = [
        "[1# a => 1) (nil) 2) (null)]",
        "(double) 1.5",
        "(true)",
        "(big number) 12",
        "(verbatim txt) \"x\"",
        "1~ (integer) 7",
        "1! (nil array)",
    ];
    for text in expected {
        let shown = format!("{:?}", client.receive().unwrap());
        assert_eq!(shown.split_whitespace().collect::<Vec<_>>().join(" "), text);
    }
    assert_eq!(client.receive().unwrap_err().kind(), ErrorKind::InvalidData);
    assert!(client.is_closed());
}
