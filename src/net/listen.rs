//! Accepting connections, from TCP and unix sockets.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixListener, UnixStream};
use tokio::task;

use super::SharedEngine;
use super::bind::{Listeners, TcpSockets};
use super::connection::Connection;
use super::input::Chunks;
use super::io_threads::IoThreads;
use crate::base::log;
use crate::exec::client::Peer;

/// How long accepting pauses when it failed: others have to end before it can succeed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

const PROTECTED: &str = "-DENIED Redis is running in protected mode because protected mode is enabled and no password \
is set for the default user. In this mode connections are only accepted from the loopback interface. If you want to \
connect from external computers to Redis you may adopt one of the following solutions: 1) Just disable protected mode \
sending the command 'CONFIG SET protected-mode no' from the loopback interface by connecting to Redis from the same \
host the server is running, however MAKE SURE Redis is not publicly accessible from internet if you do so. Use CONFIG \
REWRITE to make this change permanent. 2) Alternatively you can just disable the protected mode by editing the Redis \
configuration file, and setting the protected mode option to 'no', and then restarting the server. 3) If you started \
the server manually just for testing, restart it with the '--protected-mode no' option. 4) Set up an authentication \
password for the default user. NOTE: You only need to do one of the above things in order for the server to start \
accepting connections from the outside.\r\n";
const TOO_MANY: &str = "-ERR max number of clients reached\r\n";

/// What a task that accepts connections needs.
#[derive(Clone)]
struct Acceptor {
    engine: SharedEngine,
    chunks: Rc<Chunks>,
    io_threads: Option<IoThreads>,
}

impl Listeners {
    /// Accepts connections for as long as the runtime lives. Call on the executor's runtime.
    ///
    /// # Errors
    /// An I/O thread cannot be started, or the runtime does not take a socket.
    pub fn serve(self, engine: &SharedEngine, io_threads: usize) -> io::Result<()> {
        let io_threads = if io_threads > 1 {
            let piped = engine.borrow().clients.piped.clone();
            Some(IoThreads::start(io_threads, piped)?)
        } else {
            None
        };
        engine.borrow_mut().set_reads_before_running(io_threads.is_none());
        let acceptor = Acceptor {
            engine: engine.clone(),
            chunks: Rc::default(),
            io_threads,
        };
        let sockets = Rc::new(RefCell::new(TcpSockets::default()));
        sockets.borrow_mut().open(self.tcp)?;
        let (moved, tcp) = (sockets.clone(), acceptor.clone());
        engine
            .borrow_mut()
            .on_moved(move |new, old| moved.borrow_mut().move_to(new, old));
        task::spawn_local(async move {
            loop {
                match poll_fn(|cx| sockets.borrow_mut().poll_accept(cx)).await {
                    Ok((stream, address)) => {
                        log::verbose(format_args!("Accepted {address}"));
                        tcp.tcp(stream, address).await;
                    }
                    Err(e) => pause(&e).await,
                }
            }
        });
        if let Some((listener, path)) = self.unix {
            let listener = UnixListener::from_std(listener)?;
            task::spawn_local(async move {
                loop {
                    match listener.accept().await {
                        Ok((stream, _)) => acceptor.unix(stream, &path.0).await,
                        Err(e) => pause(&e).await,
                    }
                }
            });
        }
        Ok(())
    }
}

async fn pause(error: &io::Error) {
    log::warning(format_args!("accepting a connection failed: {error}"));
    tokio::time::sleep(ACCEPT_PAUSE).await;
}

impl Acceptor {
    async fn tcp(&self, mut stream: TcpStream, address: SocketAddr) {
        let refusal = self.refusal(Some(address.ip()));
        let prepared = self.prepare(&stream);
        match (refusal, prepared) {
            (Some(text), _) => refuse(&mut stream, text).await,
            (None, Ok(peer)) => self.serve(
                stream,
                Peer {
                    address: address.to_string(),
                    ..peer
                },
            ),
            // The peer has gone already.
            (None, Err(_)) => {}
        }
    }

    async fn unix(&self, mut stream: UnixStream, path: &Path) {
        if let Some(text) = self.refusal(None) {
            return refuse(&mut stream, text).await;
        }
        let name = format!("{}:0", path.display());
        let stream_fd = stream.as_raw_fd();
        self.serve(
            stream,
            Peer {
                address: name.clone(),
                local_address: name,
                is_unix: true,
                fd: stream_fd,
            },
        );
    }

    /// Why a connection from this address is turned away.
    fn refusal(&self, from: Option<IpAddr>) -> Option<&'static str> {
        let mut engine = self.engine.borrow_mut();
        if engine.clients.len() >= engine.config.maxclients as usize {
            engine.stats.rejected_connections += 1;
            return Some(TOO_MANY);
        }
        let open = !engine.config.protected_mode || !engine.config.is_open();
        let outside = from.is_some_and(|ip| !ip.to_canonical().is_loopback());
        (outside && !open).then_some(PROTECTED)
    }

    fn prepare(&self, stream: &TcpStream) -> io::Result<Peer> {
        stream.set_nodelay(true)?;
        let keepalive = self.engine.borrow().config.tcp_keepalive;
        if keepalive > 0 {
            let every = Duration::from_secs(keepalive.into());
            let between = Duration::from_secs(u64::from(keepalive / 3).max(1));
            let options = TcpKeepalive::new()
                .with_time(every)
                .with_interval(between)
                .with_retries(3);
            SockRef::from(stream).set_tcp_keepalive(&options)?;
        }
        let local_address = stream.local_addr()?.to_string();
        Ok(Peer {
            address: String::new(),
            local_address,
            is_unix: false,
            fd: stream.as_raw_fd(),
        })
    }

    fn serve<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(&self, stream: S, peer: Peer) {
        let (engine, chunks) = (self.engine.clone(), self.chunks.clone());
        match &self.io_threads {
            None => drop(task::spawn_local(served(Connection::new(
                stream, engine, chunks, peer,
            )))),
            Some(threads) => {
                let stream = threads.adopt(stream);
                drop(task::spawn_local(served(Connection::new(
                    stream, engine, chunks, peer,
                ))));
            }
        }
    }
}

async fn served<S: AsyncRead + AsyncWrite + Unpin>(connection: Connection<S>) {
    // An error means that the peer is gone: nobody is left to be told.
    let _ = connection.await;
}

async fn refuse(stream: &mut (impl AsyncWrite + Unpin), text: &str) {
    // The peer may be gone; either way the connection ends here.
    let _ = stream.write_all(text.as_bytes()).await;
}
