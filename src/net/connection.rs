//! One connection: moves bytes between its socket and its session.

use std::cell::RefCell;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::rc::{Rc, Weak};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};

use super::SharedEngine;
use super::input::{Chunks, Input};
use crate::exec::client::Peer;
use crate::exec::{Advance, Outlet, Room, Session, Status};

/// While its request waits, a connection reads on to notice that its peer leaves: so many bytes in a turn. It goes on after
/// that only if the request may wait for ever, as the others end by themselves.
const READ_AHEAD: usize = 64 << 10;
/// What is written at once, at most: a long value is a slice of its own.
const SLICES: usize = 64;

/// Serves a connection to its end. A future made by hand: reading, running and writing interleave, and most turns do
/// all three once. Its task shares it with the engine, which has held replies sent without a turn of the task.
pub struct Connection<S>(Rc<RefCell<Line<S>>>);

/// A socket and its session.
struct Line<S> {
    stream: S,
    engine: SharedEngine,
    chunks: Rc<Chunks>,
    session: Session,
    input: Input,
    /// What the session's last turn needs next.
    status: Status,
    /// The peer sends no more.
    end_of_input: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin + 'static> Connection<S> {
    /// A connection with a session of its own, that holds no buffer yet.
    pub fn new(stream: S, engine: SharedEngine, chunks: Rc<Chunks>, peer: Peer) -> Connection<S> {
        let session = Session::new(&mut engine.borrow_mut(), peer);
        Connection(Rc::new_cyclic(|line: &Weak<RefCell<Line<S>>>| {
            session.client.set_outlet(line.clone());
            RefCell::new(Line {
                stream,
                engine,
                chunks,
                session,
                input: Input::default(),
                status: Status::NeedsInput(1),
                end_of_input: false,
            })
        }))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Line<S> {
    /// Runs what is in the input. Returns whether what may leave is to be sent now.
    fn run(&mut self, cx: &mut Context<'_>) -> bool {
        let mut engine = self.engine.borrow_mut();
        let ran: Advance = self.session.advance(&mut engine, self.input.rest(), cx.waker());
        self.input.consume(ran.consumed);
        self.status = ran.status;
        ran.sends
    }

    /// Reads once, and notes if the peer sends no more. Pending: the readable socket brings the next turn.
    fn read(&mut self, cx: &mut Context<'_>, missing: usize) -> Poll<io::Result<()>> {
        if !self.makes_room(missing) {
            // Once those that hold too much have gone.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let n = std::task::ready!(pin!(self.stream.read_buf(self.input.room())).poll(cx))?;
        let engine = &mut *self.engine.borrow_mut();
        engine.stats.reads += 1;
        engine.stats.bytes_in += n as u64;
        let bytes_in = &self.session.client.traffic.bytes_in;
        bytes_in.set(bytes_in.get() + n as u64);
        self.session.client.active_ms.set(engine.clock.now_ms());
        self.end_of_input = n == 0;
        Poll::Ready(Ok(()))
    }

    /// Whether there is memory now for what is read next.
    fn makes_room(&mut self, missing: usize) -> bool {
        let more = self.input.make_room(&self.chunks, missing);
        let mut engine = self.engine.borrow_mut();
        if more == 0 {
            return !engine.is_crowded();
        }
        let there = engine.ask_for_room(&self.session.client, more) == Room::There;
        if there {
            self.input.grow(&self.chunks, more);
        }
        there
    }

    /// Reads what comes behind the request that waits. Ready: the connection is not to wait any longer.
    fn read_ahead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let goes_on = self.session.may_leave_wait();
        let most = READ_AHEAD + if goes_on { self.input.len() } else { 0 };
        while !self.end_of_input && self.input.len() < most && self.engine.borrow().may_read_ahead() {
            std::task::ready!(self.read(cx, 1))?;
        }
        if self.end_of_input && self.session.leave_wait(&mut self.engine.borrow_mut()) {
            self.status = Status::Closing;
            return Poll::Ready(Ok(()));
        }
        if goes_on && self.input.len() >= most {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    /// Writes what may leave. Ready(Ok(())): nothing of it is left.
    fn write(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut outbox = self.session.client.outbox.borrow_mut();
        loop {
            let stream = Pin::new(&mut self.stream);
            let n = match outbox.ready_text() {
                Some([]) => return Poll::Ready(Ok(())),
                Some(bytes) => std::task::ready!(stream.poll_write(cx, bytes))?,
                None => {
                    let mut slices = [IoSlice::new(&[]); SLICES];
                    let count = outbox.ready(&mut slices);
                    std::task::ready!(match &slices[..count] {
                        [] => return Poll::Ready(Ok(())),
                        [only] => stream.poll_write(cx, only),
                        several => stream.poll_write_vectored(cx, several),
                    })?
                }
            };
            if n == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            outbox.advance(n);
            self.engine.borrow_mut().stats.bytes_out += n as u64;
            let bytes_out = &self.session.client.traffic.bytes_out;
            bytes_out.set(bytes_out.get() + n as u64);
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
            let sends = self.run(cx);
            if self.session.client.killed.get() {
                return Poll::Ready(Ok(()));
            }
            let written = match sends {
                true => self.write(cx)?,
                false => Poll::Ready(()),
            };
            if let Status::Waiting = self.status {
                std::task::ready!(self.read_ahead(cx))?;
            }
            match self.status {
                Status::Closing if self.session.client.was_sent_all() => return Poll::Ready(Ok(())),
                // The writable socket, a decided epoch, or the session's waker brings the next turn.
                Status::Closing | Status::Waiting => return Poll::Pending,
                Status::Yielded => {
                    // What waits behind a reply in pieces goes out with the last of them.
                    if written.is_ready() && self.session.client.outbox.borrow().len_ahead() == 0 {
                        cx.waker().wake_by_ref();
                    }
                    return Poll::Pending;
                }
                Status::NeedsInput(missing) => {
                    if self.end_of_input {
                        return if self.session.client.was_sent_all() {
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

    /// The turn is over, and may be the last for long: no more memory is kept than needed.
    fn settle(&mut self) {
        // What only waits for others to be read is run in this tick.
        let goes_on = self.status == Status::Yielded && self.session.client.was_sent_all();
        if !goes_on || self.chunks.are_scarce() {
            self.input.settle(&self.chunks);
        }
        self.note_buffers();
    }

    fn note_buffers(&self) {
        let buffers = self.session.buffers(self.input.len(), self.input.memory());
        self.engine
            .borrow_mut()
            .note_buffers(&self.session.client, buffers);
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Future for Connection<S> {
    /// An error is the peer's going away in the middle of something: there is nobody to tell.
    type Output = io::Result<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let line = &mut *self.0.borrow_mut();
        line.session.client.set_waker(cx.waker());
        let over = line.turn(cx);
        if over.is_pending() {
            line.settle();
        }
        over
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Outlet for RefCell<Line<S>> {
    fn flush(&self) {
        let line = &mut *self.borrow_mut();
        let client = line.session.client.clone();
        let Some(waker) = client.waker() else { return };
        // Whatever may leave by now has waited.
        line.session.release(&mut line.engine.borrow_mut());
        let written = line.write(&mut Context::from_waker(&waker));
        line.note_buffers();
        let only_reads = matches!(line.status, Status::NeedsInput(_)) && !line.end_of_input;
        if !only_reads || matches!(written, Poll::Ready(Err(_))) {
            waker.wake_by_ref();
        }
    }
}

impl<S> Drop for Line<S> {
    fn drop(&mut self) {
        self.input.forget(&self.chunks);
        self.session.end(&mut self.engine.borrow_mut());
    }
}
