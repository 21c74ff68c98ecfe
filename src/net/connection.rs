//! One connection: moves bytes between its socket and its session.

use std::cell::RefCell;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::rc::{Rc, Weak};
use std::task::{Context, Poll};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};

use super::SharedEngine;
use crate::exec::client::Peer;
use crate::exec::{Advance, Outlet, Session, Status};

/// What is read at once, at least.
const READ_CHUNK: usize = 16 << 10;
/// What is written at once, at most: a long value is a slice of its own.
const SLICES: usize = 64;
/// An empty input buffer above this size gives its memory back.
const KEPT_INPUT: usize = 64 << 10;

/// Serves a connection to its end. A future made by hand: reading, running and writing interleave, and most turns do
/// all three once. Its task shares it with the engine, which has held replies sent without a turn of the task.
pub struct Connection<S>(Rc<RefCell<Line<S>>>);

/// A socket and its session.
struct Line<S> {
    stream: S,
    engine: SharedEngine,
    session: Session,
    input: BytesMut,
    /// What the session's last turn needs next.
    status: Status,
    /// The peer sends no more.
    end_of_input: bool,
    /// The latest epoch for which the engine was asked to have the line flushed.
    awaited: u64,
    /// The connection itself, as the engine knows it.
    outlet: Weak<dyn Outlet>,
}

impl<S: AsyncRead + AsyncWrite + Unpin + 'static> Connection<S> {
    pub fn new(stream: S, engine: SharedEngine, peer: Peer) -> Connection<S> {
        let session = Session::new(&mut engine.borrow_mut(), peer);
        Connection(Rc::new_cyclic(|line: &Weak<RefCell<Line<S>>>| {
            RefCell::new(Line {
                stream,
                engine,
                session,
                input: BytesMut::new(),
                status: Status::NeedsInput(1),
                end_of_input: false,
                awaited: 0,
                outlet: line.clone(),
            })
        }))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Line<S> {
    /// Runs what is in the input.
    fn run(&mut self, cx: &mut Context<'_>) {
        let mut engine = self.engine.borrow_mut();
        let Advance {
            consumed,
            status,
            held,
        } = self.session.advance(&mut engine, &self.input, cx.waker());
        self.input.advance(consumed);
        self.status = status;
        if let Some(epoch) = held
            && epoch > self.awaited
        {
            self.awaited = epoch;
            engine.flush_when_settled(epoch, self.outlet.clone());
        }
        if self.input.is_empty() && self.input.capacity() > KEPT_INPUT {
            self.input = BytesMut::new();
        }
        let client = &self.session.client;
        client.input_bytes.set(self.input.len());
        client.input_free.set(self.input.capacity() - self.input.len());
    }

    /// Reads once, and notes if the peer sends no more.
    fn read(&mut self, cx: &mut Context<'_>, missing: usize) -> Poll<io::Result<()>> {
        self.input.reserve(missing.max(READ_CHUNK));
        let n = std::task::ready!(pin!(self.stream.read_buf(&mut self.input)).poll(cx))?;
        let stats = &mut self.engine.borrow_mut().stats;
        stats.reads += 1;
        stats.bytes_in += n as u64;
        self.end_of_input = n == 0;
        Poll::Ready(Ok(()))
    }

    /// Writes what may leave. Ready(Ok(())): nothing of it is left.
    fn write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let stream = Pin::new(&mut self.stream);
            let n = match self.session.outbox.ready_text() {
                Some([]) => return Poll::Ready(Ok(())),
                Some(bytes) => std::task::ready!(stream.poll_write(cx, bytes))?,
                None => {
                    let mut slices = [IoSlice::new(&[]); SLICES];
                    let count = self.session.outbox.ready(&mut slices);
                    if count == 0 {
                        return Poll::Ready(Ok(()));
                    }
                    std::task::ready!(stream.poll_write_vectored(cx, &slices[..count]))?
                }
            };
            if n == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.session.outbox.advance(n);
            self.engine.borrow_mut().stats.bytes_out += n as u64;
        }
    }

    /// One turn: read, run, write, as far as each goes. Ready: the connection is over.
    fn turn(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A turn mostly begins because there is something to read.
        if let Status::NeedsInput(missing) = self.status
            && !self.end_of_input
            && let Poll::Ready(read) = self.read(cx, missing)
        {
            read?;
        }
        loop {
            self.run(cx);
            if self.session.client.killed.get() {
                return Poll::Ready(Ok(()));
            }
            let written = self.write(cx)?;
            self.session.note_output();
            match self.status {
                Status::Closing if self.session.outbox.is_empty() => return Poll::Ready(Ok(())),
                // The writable socket, a decided epoch, or the session's waker brings the next turn.
                Status::Closing | Status::Waiting => return Poll::Pending,
                Status::Yielded => {
                    if written.is_ready() && self.session.outbox.is_empty() {
                        cx.waker().wake_by_ref();
                    }
                    return Poll::Pending;
                }
                Status::NeedsInput(missing) => {
                    if self.end_of_input {
                        return if self.session.outbox.is_empty() {
                            Poll::Ready(Ok(()))
                        } else {
                            Poll::Pending
                        };
                    }
                    std::task::ready!(self.read(cx, missing))?;
                }
            }
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Future for Connection<S> {
    /// An error is the peer's going away in the middle of something: there is nobody to tell.
    type Output = io::Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut line = self.0.borrow_mut();
        line.session.client.set_waker(cx.waker());
        line.turn(cx)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Outlet for RefCell<Line<S>> {
    fn flush(&self) -> Option<u64> {
        let line = &mut *self.borrow_mut();
        let client = line.session.client.clone();
        let waker = client.waker()?;
        let next = line.session.outbox.release(&line.engine.borrow().store);
        let written = line.write(&mut Context::from_waker(&waker));
        line.session.note_output();
        let only_reads = matches!(line.status, Status::NeedsInput(_)) && !line.end_of_input;
        if !only_reads || matches!(written, Poll::Ready(Err(_))) {
            waker.wake_by_ref();
        }
        line.awaited = next.unwrap_or(line.awaited);
        next
    }
}

impl<S> Drop for Line<S> {
    fn drop(&mut self) {
        self.session.end(&mut self.engine.borrow_mut());
    }
}
