//! I/O threads (`io-threads` above 1): each moves the bytes of its share of the connections between their sockets and
//! pipes in memory, so that the executor spends no time in the network stack. What runs over a pipe is the same
//! [`Connection`](super::connection::Connection) as over a socket.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::task::{Context, Poll, ready};
use std::thread;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::runtime::{Builder, Handle};
use tokio::time::timeout;

use super::pipe::{Far, Near, PIPE, pipe};

/// How long the last replies of a connection that has ended may take to leave.
const LINGER: Duration = Duration::from_secs(30);

thread_local! {
    /// What an I/O thread moves goes through here: a connection that has nothing to say holds no memory.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; PIPE].into());
}

/// The threads that move bytes; a clone is another hand on the same ones.
#[derive(Clone)]
pub struct IoThreads {
    handles: Rc<[Handle]>,
    next: Rc<Cell<usize>>,
    /// Bytes in all pipes.
    piped: Arc<AtomicUsize>,
}

impl IoThreads {
    /// Starts the threads. They end with the process. `piped` counts the bytes in their pipes.
    ///
    /// # Errors
    /// The system refuses a thread, or what its runtime needs.
    pub fn start(count: usize, piped: Arc<AtomicUsize>) -> io::Result<IoThreads> {
        let start_one = |n| {
            let runtime = Builder::new_current_thread().enable_all().build()?;
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
            piped,
        })
    }

    /// Gives a connection to the next thread, and returns the executor's end of it.
    pub fn adopt(&self, socket: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Near {
        let at = self.next.get();
        self.next.set((at + 1) % self.handles.len());
        let (near, far) = pipe(self.piped.clone());
        self.handles[at].spawn(relay(socket, far));
        near
    }
}

/// Moves bytes until the executor has ended the connection, or the socket fails, of which the session learns by its pipe.
async fn relay(mut socket: impl AsyncRead + AsyncWrite + Unpin, far: Far) {
    let mut peer_ended = false;
    let moved = poll_fn(|cx| {
        if !peer_ended && let Poll::Ready(ended) = poll_in(&mut socket, &far, cx) {
            if ended.is_err() {
                return Poll::Ready(ended);
            }
            peer_ended = true;
            far.end();
        }
        match poll_out(&mut socket, &far, cx) {
            Poll::Pending => far.poll_ended(cx).map(Ok),
            over => over,
        }
    });
    if moved.await.is_ok() {
        // Whether the peer takes the rest or not, it is over then.
        let _ = timeout(LINGER, poll_fn(|cx| poll_out(&mut socket, &far, cx))).await;
    }
}

/// Reads from the socket as long as there is something. Ready(Ok(())): the peer sends no more.
fn poll_in(socket: &mut (impl AsyncRead + Unpin), far: &Far, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
    SCRATCH.with_borrow_mut(|scratch| {
        loop {
            let room = ready!(far.poll_room(cx));
            let mut read = ReadBuf::new(&mut scratch[..room]);
            ready!(Pin::new(&mut *socket).poll_read(cx, &mut read))?;
            if read.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            far.push(read.filled());
        }
    })
}

/// Writes to the socket as long as there is something. Ready(Ok(())): the executor sends no more.
fn poll_out(socket: &mut (impl AsyncWrite + Unpin), far: &Far, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
    SCRATCH.with_borrow_mut(|scratch| {
        loop {
            let mut taken = ReadBuf::new(scratch);
            ready!(far.poll_take(cx, &mut taken));
            if taken.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            let n = ready!(Pin::new(&mut *socket).poll_write(cx, taken.filled()))?;
            if n == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            far.consume(n);
        }
    })
}
