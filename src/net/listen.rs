//! Listeners: TCP and unix sockets, with the options that Redis has for them.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::task;

use super::SharedEngine;
use super::connection::Connection;
use crate::exec::client::Peer;

/// Bound sockets, not yet served.
pub struct Listeners {
    tcp: Vec<std::net::TcpListener>,
}

/// Binds what the configuration names.
pub fn bind(addresses: &[SocketAddr], backlog: u32) -> io::Result<Listeners> {
    let mut tcp = Vec::new();
    for address in addresses {
        let socket = Socket::new(Domain::for_address(*address), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.bind(&(*address).into())?;
        socket.listen(i32::try_from(backlog).unwrap_or(i32::MAX))?;
        socket.set_nonblocking(true)?;
        tcp.push(socket.into());
    }
    Ok(Listeners { tcp })
}

impl Listeners {
    /// Accepts connections for as long as the runtime lives. Call on the executor's `LocalSet`.
    pub fn serve(self, engine: &SharedEngine) -> io::Result<()> {
        for listener in self.tcp {
            let listener = TcpListener::from_std(listener)?;
            task::spawn_local(accept_tcp(listener, engine.clone()));
        }
        Ok(())
    }
}

async fn accept_tcp(listener: TcpListener, engine: SharedEngine) {
    loop {
        match listener.accept().await {
            Ok((stream, address)) => {
                if let Err(e) = serve_tcp(stream, address, &engine) {
                    eprintln!("redkeep: a connection from {address} was not served: {e}");
                }
            }
            Err(e) => {
                // Out of descriptors, most likely: others have to end before this can succeed.
                eprintln!("redkeep: accepting a connection failed: {e}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

fn serve_tcp(stream: TcpStream, address: SocketAddr, engine: &SharedEngine) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let keepalive = engine.borrow().config.tcp_keepalive;
    if keepalive > 0 {
        let every = Duration::from_secs(keepalive as u64);
        let options = TcpKeepalive::new()
            .with_time(every)
            .with_interval(every / 3)
            .with_retries(3);
        SockRef::from(&stream).set_tcp_keepalive(&options)?;
    }
    let peer = Peer {
        address: address.to_string(),
        local_address: stream.local_addr()?.to_string(),
        is_unix: false,
    };
    let connection = Connection::new(stream, engine.clone(), peer);
    task::spawn_local(async move {
        // The peer is gone: nobody is left to be told.
        let _ = connection.await;
    });
    Ok(())
}
