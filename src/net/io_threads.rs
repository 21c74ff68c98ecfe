//! I/O threads (`io-threads` above 1): each moves the bytes of its share of the connections between their sockets and
//! pipes in memory, so that the executor spends no time in the network stack. What runs over a pipe is the same
//! [`Connection`](super::connection::Connection) as over a socket.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::thread;

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, copy_bidirectional_with_sizes, duplex};
use tokio::runtime::{Builder, Handle};

/// Bytes that a pipe holds in each direction, and that are moved at once.
const PIPE: usize = 64 << 10;

#[derive(Clone)]
pub struct IoThreads {
    handles: Rc<[Handle]>,
    next: Rc<Cell<usize>>,
}

impl IoThreads {
    /// Starts the threads. They end with the process.
    pub fn start(count: usize) -> io::Result<IoThreads> {
        let start_one = |n| {
            let runtime = Builder::new_current_thread().enable_io().build()?;
            let handle = runtime.handle().clone();
            thread::Builder::new()
                .name(format!("io-{n}"))
                .spawn(move || runtime.block_on(std::future::pending::<()>()))?;
            Ok(handle)
        };
        let handles = (0..count).map(start_one).collect::<io::Result<_>>()?;
        Ok(IoThreads {
            handles,
            next: Rc::default(),
        })
    }

    /// Gives a connection to the next thread, and returns the executor's end of it.
    pub fn adopt(&self, socket: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> DuplexStream {
        let at = self.next.get();
        self.next.set((at + 1) % self.handles.len());
        let (near, far) = duplex(PIPE);
        self.handles[at].spawn(pump(socket, far));
        near
    }
}

async fn pump(mut socket: impl AsyncRead + AsyncWrite + Unpin, mut pipe: DuplexStream) {
    // An error ends the connection, as its end does: the session learns of it by its pipe's end.
    let _ = copy_bidirectional_with_sizes(&mut socket, &mut pipe, PIPE, PIPE).await;
}
