//! An engine and its sessions in the caller's own thread, without a socket or a runtime: the caller moves the bytes, and calls
//! when it is told to.

use std::io::IoSlice;
use std::net::SocketAddr;
use std::path::Path;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use crate::config::Config;
use crate::exec::client::Peer;
use crate::exec::{Advance, Engine, Outlet, Released, Session, Status, store_options};
use crate::store::Store;

/// How many pieces of the output are taken at a time.
const SLICES: usize = 16;

/// An engine over a store of its own.
pub struct Embedded {
    engine: Engine,
}

/// A session, and the bytes that a socket would hold.
pub struct Connection {
    session: Session,
    waker: Waker,
    /// The session refers to it.
    _outlet: Rc<dyn Outlet>,
    /// Requests that have not run yet: to be filled by the caller.
    pub input: Vec<u8>,
    /// Replies that may leave: to be taken by the caller.
    pub output: Vec<u8>,
    closed: bool,
}

/// Has the connection take its turn when held replies may leave.
struct WakingOutlet(Waker);

impl Outlet for WakingOutlet {
    fn flush(&self) {
        self.0.wake_by_ref();
    }
}

impl Embedded {
    /// Opens or makes the store in a directory, under options as on a command line (`--dir` is not one of them). `wake` is
    /// called, on any thread, when [`Embedded::commit_and_release`] is to be called.
    ///
    /// # Errors
    /// An option makes no sense, or the store cannot be opened; the text says which and why.
    pub fn open(
        dir: &Path,
        options: &[&str],
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Result<Embedded, String> {
        let options = options.iter().map(Into::into);
        let arguments = ["redkeep", "--dir"].into_iter().map(Into::into);
        let arguments = arguments.chain([dir.into()]).chain(options);
        let config = Config::from_command_line(arguments).map_err(|e| e.to_string())?;
        let wake = Arc::new(wake);
        let store = Store::open(dir, &store_options(&config), wake.clone()).map_err(|e| e.to_string())?;
        Ok(Embedded {
            engine: Engine::new(store, config, Rc::new(move || wake())),
        })
    }

    /// A client that comes from `client` to `server`. `waker` is called when its connection is to take a turn.
    pub fn connect(&mut self, client: SocketAddr, server: SocketAddr, waker: Waker) -> Connection {
        let peer = Peer {
            address: client.to_string(),
            local_address: server.to_string(),
            is_unix: false,
            fd: -1,
        };
        let session = Session::new(&mut self.engine, peer);
        session.client.set_waker(&waker);
        let outlet: Rc<dyn Outlet> = Rc::new(WakingOutlet(waker.clone()));
        session.client.set_outlet(Rc::downgrade(&outlet));
        Connection {
            session,
            _outlet: outlet,
            waker,
            input: Vec::new(),
            output: Vec::new(),
            closed: false,
        }
    }

    /// Runs what is in the connection's input as far as that goes now, and puts what may leave into its output.
    pub fn turn(&mut self, connection: &mut Connection) {
        if connection.closed || connection.session.client.killed.get() {
            self.close(connection);
            return;
        }
        let Advance { consumed, status, .. } =
            connection
                .session
                .advance(&mut self.engine, &connection.input, &connection.waker);
        connection.input.drain(..consumed);
        connection.take_output();
        match status {
            Status::Yielded => connection.waker.wake_by_ref(),
            Status::Closing if connection.session.client.was_sent_all() => self.close(connection),
            Status::Closing | Status::NeedsInput(_) | Status::Waiting => {}
        }
    }

    /// Ends the connection's session, unless that has happened.
    pub fn close(&mut self, connection: &mut Connection) {
        if !connection.closed {
            connection.closed = true;
            connection.session.end(&mut self.engine);
        }
    }

    /// The end of a tick: commits what was staged, and wakes the connections whose replies may leave. Whether it is to be called
    /// once more when others had their turn.
    pub fn commit_and_release(&mut self) -> bool {
        let Released { outlets, more } = self.engine.commit_and_release();
        for outlet in outlets.iter().filter_map(Weak::upgrade) {
            outlet.flush();
        }
        more
    }

    /// Ends the engine: all that was committed is brought to its place and synced. Blocks.
    ///
    /// # Errors
    /// The disk: what was committed is in the log, and could not all be brought to its place.
    pub fn close_store(mut self) -> Result<(), String> {
        while self.commit_and_release() {}
        self.engine.store.close()
    }

    /// Regular work, to be done each [`Embedded::tick_interval`].
    pub fn tick(&mut self) {
        self.engine.tick();
    }

    /// How long after a [`Embedded::tick`] the next is due.
    pub fn tick_interval(&self) -> Duration {
        self.engine.tick_interval()
    }

    /// Regular work, to be done each second.
    pub fn tick_second(&mut self) {
        self.engine.tick_second();
    }
}

impl Connection {
    /// Whether the session has ended: nothing more comes, nothing more runs.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// Has the connection take a turn, as there is more input.
    pub fn wake(&self) {
        self.waker.wake_by_ref();
    }

    fn take_output(&mut self) {
        let mut outbox = self.session.client.outbox.borrow_mut();
        loop {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let count = outbox.ready(&mut slices);
            let before = self.output.len();
            slices[..count]
                .iter()
                .for_each(|slice| self.output.extend_from_slice(slice));
            let taken = self.output.len() - before;
            if taken == 0 {
                break;
            }
            outbox.advance(taken);
        }
    }
}
