//! Listening sockets: binding what the configuration names, at the start and when CONFIG SET changes it.

use std::fs;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::task::{Context, Poll, Waker};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};

use crate::config::{BindAddress, Config};

/// Bound sockets, not yet served.
pub struct Listeners {
    /// One for each address and the port.
    pub(super) tcp: Vec<std::net::TcpListener>,
    /// The socket at `unixsocket`, if there is one.
    pub(super) unix: Option<(std::os::unix::net::UnixListener, UnixPath)>,
}

/// The path of a unix socket, removed when the server ends.
pub(super) struct UnixPath(pub(super) PathBuf);

impl Drop for UnixPath {
    fn drop(&mut self) {
        // Already gone is as good.
        let _ = fs::remove_file(&self.0);
    }
}

/// Binds what the configuration names. The error's text says what could not be bound.
///
/// # Errors
/// An address or the unix socket is taken or not to be had, or there is nothing to listen on. The text says which.
pub fn bind(config: &Config) -> Result<Listeners, String> {
    let tcp = bind_tcp(config)?;
    let unix = match config.unixsocket.as_os_str().is_empty() {
        true => None,
        false => {
            let path = config.in_dir(&config.unixsocket);
            let cannot = |e| {
                format!(
                    "Could not create server Unix listening socket {}: {e}",
                    path.display()
                )
            };
            Some(bind_unix(&path, config.unixsocketperm).map_err(cannot)?)
        }
    };
    if tcp.is_empty() && unix.is_none() {
        return Err("Configured to not listen anywhere, exiting.".to_owned());
    }
    Ok(Listeners { tcp, unix })
}

/// All of the addresses, or none.
fn bind_tcp(config: &Config) -> Result<Vec<std::net::TcpListener>, String> {
    let mut tcp = Vec::new();
    for address in config.bind.iter().filter(|_| config.port != 0) {
        match bind_address(address, config) {
            Ok(listeners) => tcp.extend(listeners),
            Err(e) if address.optional && e.kind() == io::ErrorKind::AddrNotAvailable => {}
            // A machine without IPv6.
            Err(e) if e.raw_os_error() == Some(libc::EAFNOSUPPORT) => {}
            Err(e) => {
                return Err(format!(
                    "Could not create server TCP listening socket {address}:{}: {e}",
                    config.port
                ));
            }
        }
    }
    Ok(tcp)
}

fn bind_address(address: &BindAddress, config: &Config) -> io::Result<Vec<std::net::TcpListener>> {
    let backlog = i32::try_from(config.tcp_backlog).unwrap_or(i32::MAX);
    let resolved = (address.listen_host(), config.port).to_socket_addrs()?;
    resolved
        .map(|address| {
            let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
            socket.set_reuse_address(true)?;
            if address.is_ipv6() {
                socket.set_only_v6(true)?;
            }
            socket.bind(&address.into())?;
            socket.listen(backlog)?;
            socket.set_nonblocking(true)?;
            Ok(socket.into())
        })
        .collect()
}

fn bind_unix(path: &Path, mode: u32) -> io::Result<(std::os::unix::net::UnixListener, UnixPath)> {
    // A socket left by a process that died is in the way, and nobody listens on it. Other files are not ours.
    let is_socket = fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket());
    if is_socket && std::os::unix::net::UnixStream::connect(path).is_err() {
        fs::remove_file(path)?;
    }
    let listener = std::os::unix::net::UnixListener::bind(path)?;
    listener.set_nonblocking(true)?;
    if mode != 0 {
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    }
    Ok((listener, UnixPath(path.to_owned())))
}

/// The TCP sockets that are listened on. The task that accepts shares them with CONFIG SET, which exchanges them.
#[derive(Default)]
pub(super) struct TcpSockets {
    open: Vec<TcpListener>,
    /// The task that accepts.
    waker: Option<Waker>,
}

impl TcpSockets {
    /// Call on a runtime.
    ///
    /// # Errors
    /// The runtime does not take a socket.
    pub(super) fn open(&mut self, bound: Vec<std::net::TcpListener>) -> io::Result<()> {
        self.open = bound
            .into_iter()
            .map(TcpListener::from_std)
            .collect::<Result<_, _>>()?;
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
        Ok(())
    }

    /// The next client of any of the addresses. The task is also woken when the addresses change.
    pub(super) fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        self.waker = Some(cx.waker().clone());
        let mut accepted = self.open.iter().map(|listener| listener.poll_accept(cx));
        accepted.find(Poll::is_ready).unwrap_or(Poll::Pending)
    }

    /// Listens where `new` says. The old sockets go first, as they may be in the way; if that fails, they come back.
    ///
    /// # Errors
    /// A new address is taken or not to be had; or, if the old ones do not come back, one of those.
    pub(super) fn move_to(&mut self, new: &Config, old: &Config) -> Result<(), String> {
        self.open.clear();
        let moved = self.listen(new);
        if moved.is_err() {
            self.listen(old)?;
        }
        moved
    }

    fn listen(&mut self, config: &Config) -> Result<(), String> {
        let bound = bind_tcp(config)?;
        self.open(bound).map_err(|e| format!("cannot listen: {e}"))
    }
}
