//! Pipes in memory between the executor and an I/O thread: one connection's bytes, both ways. Idle, they hold next to no
//! memory.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Bytes that a pipe holds in each direction.
pub const PIPE: usize = 64 << 10;
/// An empty buffer above this size gives its memory back.
const KEPT_CAPACITY: usize = 512;

/// Bytes on their way in one direction.
#[derive(Default)]
struct Lane {
    bytes: VecDeque<u8>,
    /// No more will come.
    ended: bool,
    /// Who waits for bytes, or for their end.
    reader: Option<Waker>,
    /// Who waits for room.
    writer: Option<Waker>,
}

#[derive(Default)]
struct Lanes {
    to_executor: Lane,
    to_socket: Lane,
    /// The socket failed: nothing more comes or goes.
    broken: bool,
}

struct Shared {
    lanes: Mutex<Lanes>,
    /// Bytes in all pipes of the server.
    total: Arc<AtomicUsize>,
}

impl Shared {
    /// Held for a copy of at most [`PIPE`] bytes.
    fn lock(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        let lanes = self.lanes.get_mut().unwrap_or_else(PoisonError::into_inner);
        let left = lanes.to_executor.bytes.len() + lanes.to_socket.bytes.len();
        self.total.fetch_sub(left, Ordering::Relaxed);
    }
}

impl Lane {
    /// What there is to take; none yet: the waker is called when there is.
    fn poll_bytes(&mut self, cx: &mut Context<'_>) -> Poll<&[u8]> {
        if self.bytes.is_empty() && !self.ended {
            self.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(self.bytes.as_slices().0)
    }

    /// Bytes were taken. Returns who is to be told that there is room.
    fn consume(&mut self, bytes: usize) -> Option<Waker> {
        self.bytes.drain(..bytes);
        if self.bytes.is_empty() && self.bytes.capacity() > KEPT_CAPACITY {
            self.bytes = VecDeque::new();
        }
        self.writer.take()
    }

    /// For how many bytes there is room; none: the waker is called when there is.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<usize> {
        match PIPE.saturating_sub(self.bytes.len()) {
            0 => {
                self.writer = Some(cx.waker().clone());
                Poll::Pending
            }
            room => Poll::Ready(room),
        }
    }

    /// Returns who is to be told that there are bytes.
    fn push(&mut self, bytes: &[u8]) -> Option<Waker> {
        self.bytes.extend(bytes);
        self.reader.take()
    }

    /// Returns who is to be told.
    fn end(&mut self) -> Option<Waker> {
        self.ended = true;
        self.reader.take()
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// The executor's end: as good as the socket.
pub struct Near(Arc<Shared>);

/// The I/O thread's end.
pub struct Far(Arc<Shared>);

/// `total` counts the bytes in the pipe as long as there are any.
pub fn pipe(total: Arc<AtomicUsize>) -> (Near, Far) {
    let shared = Arc::new(Shared {
        lanes: Mutex::default(),
        total,
    });
    (Near(shared.clone()), Far(shared))
}

impl AsyncRead for Near {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut lanes = self.0.lock();
        if lanes.broken {
            return Poll::Ready(Err(ErrorKind::ConnectionReset.into()));
        }
        let bytes = std::task::ready!(lanes.to_executor.poll_bytes(cx));
        let n = bytes.len().min(buf.remaining());
        buf.put_slice(&bytes[..n]);
        let writer = lanes.to_executor.consume(n);
        drop(lanes);
        self.0.total.fetch_sub(n, Ordering::Relaxed);
        wake(writer);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Near {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut lanes = self.0.lock();
        if lanes.broken {
            return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
        }
        let room = std::task::ready!(lanes.to_socket.poll_room(cx));
        let (mut written, mut reader) = (0, None);
        for buf in bufs {
            let n = buf.len().min(room - written);
            reader = reader.or(lanes.to_socket.push(&buf[..n]));
            written += n;
        }
        self.0.total.fetch_add(written, Ordering::Relaxed);
        drop(lanes);
        wake(reader);
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let reader = self.0.lock().to_socket.end();
        wake(reader);
        Poll::Ready(Ok(()))
    }
}

impl Drop for Near {
    fn drop(&mut self) {
        let reader = self.0.lock().to_socket.end();
        wake(reader);
    }
}

impl Far {
    /// For how many bytes there is room on the way to the executor.
    pub fn poll_room(&self, cx: &mut Context<'_>) -> Poll<usize> {
        self.0.lock().to_executor.poll_room(cx)
    }

    /// Sends bytes, for which there is room, to the executor.
    pub fn push(&self, bytes: &[u8]) {
        self.0.total.fetch_add(bytes.len(), Ordering::Relaxed);
        let reader = self.0.lock().to_executor.push(bytes);
        wake(reader);
    }

    /// The peer sends no more.
    pub fn end(&self) {
        let reader = self.0.lock().to_executor.end();
        wake(reader);
    }

    /// Takes what is on the way to the socket, at most as much as `into` has room for. Nothing: no more will come.
    pub fn poll_take(&self, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<()> {
        let mut lanes = self.0.lock();
        let bytes = std::task::ready!(lanes.to_socket.poll_bytes(cx));
        into.put_slice(&bytes[..bytes.len().min(into.remaining())]);
        Poll::Ready(())
    }

    /// Whether the executor sends no more. Not yet: the waker is called when it does, or sends something.
    pub fn poll_ended(&self, cx: &mut Context<'_>) -> Poll<()> {
        let lane = &mut self.0.lock().to_socket;
        if lane.ended {
            return Poll::Ready(());
        }
        lane.reader = Some(cx.waker().clone());
        Poll::Pending
    }

    /// The first `bytes` of those taken have gone: the others will be taken again.
    pub fn consume(&self, bytes: usize) {
        let writer = self.0.lock().to_socket.consume(bytes);
        self.0.total.fetch_sub(bytes, Ordering::Relaxed);
        wake(writer);
    }
}

impl Drop for Far {
    fn drop(&mut self) {
        let mut lanes = self.0.lock();
        lanes.broken = true;
        let wakers = [lanes.to_executor.reader.take(), lanes.to_socket.writer.take()];
        drop(lanes);
        wakers.into_iter().for_each(wake);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.expect("a runtime").block_on(future)
    }

    fn take(far: &Far) -> Option<Vec<u8>> {
        let mut room = [0; 2 * PIPE];
        let mut buf = ReadBuf::new(&mut room);
        let taken = far.poll_take(&mut Context::from_waker(Waker::noop()), &mut buf);
        taken.is_ready().then(|| {
            far.consume(buf.filled().len());
            buf.filled().to_vec()
        })
    }

    #[test]
    fn bytes_go_both_ways_and_leave_no_memory() {
        block_on(async {
            let total = Arc::<AtomicUsize>::default();
            let (mut near, far) = pipe(total.clone());
            assert_eq!(take(&far), None);
            let long = [7; PIPE + 1];
            assert_eq!(near.write(&long).await.unwrap(), PIPE);
            far.push(&long[..5]);
            assert_eq!(total.load(Ordering::Relaxed), PIPE + 5);
            assert_eq!(take(&far).unwrap(), &long[..PIPE]);
            let mut read = [0; 9];
            assert_eq!(near.read(&mut read).await.unwrap(), 5);
            assert_eq!(total.load(Ordering::Relaxed), 0);
            let lanes = far.0.lock();
            assert!(lanes.to_socket.bytes.capacity() <= KEPT_CAPACITY);
            assert!(lanes.to_executor.bytes.capacity() <= KEPT_CAPACITY);
        });
    }

    #[test]
    fn an_end_is_behind_the_bytes_and_a_broken_pipe_before_them() {
        block_on(async {
            let (mut near, far) = pipe(Arc::default());
            far.push(b"last");
            far.end();
            let mut read = Vec::new();
            near.read_to_end(&mut read).await.unwrap();
            assert_eq!(read, b"last");
            near.write_all(b"answer").await.unwrap();
            drop(near);
            assert_eq!(take(&far).unwrap(), b"answer");
            assert_eq!(take(&far).unwrap(), b"");

            let total = Arc::<AtomicUsize>::default();
            let (mut near, far) = pipe(total.clone());
            far.push(b"more");
            drop(far);
            let error = near.read(&mut [0; 9]).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
            assert!(near.write(b"x").await.is_err());
            drop(near);
            assert_eq!(total.load(Ordering::Relaxed), 0);
        });
    }
}
