//! What the server knows of each connection, shared by its session and the registry, in which others find it: what CLIENT
//! LIST and the like tell, and what is on its way to the client, as others may send something to it.

#[cfg(test)]
mod tests;

use std::cell::{Cell, OnceCell, Ref, RefCell};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Waker;

use super::outbox::Outbox;
use super::pubsub::Subscriber;
use super::tracks::Tracks;
use super::{Engine, Outlet};
use crate::resp::{Protocol, Reply};
use crate::store::Epoch;

/// A connection, as others see it.
pub struct Client {
    /// Never 0, and never another connection's in this run of the server.
    pub id: u64,
    /// "ip:port", or the path of the unix socket and ":0".
    pub address: String,
    /// Where it came to, in the same form.
    pub local_address: String,
    /// Came over the unix socket.
    pub is_unix: bool,
    /// The number of its socket.
    pub fd: i32,
    /// What CLIENT SETNAME or HELLO said; empty: nothing.
    pub name: RefCell<Vec<u8>>,
    /// What CLIENT SETINFO LIB-NAME said; empty: nothing.
    pub library: RefCell<Vec<u8>>,
    /// What CLIENT SETINFO LIB-VER said; empty: nothing.
    pub library_version: RefCell<Vec<u8>>,
    /// Whom it has logged in as, or would be.
    pub user: RefCell<String>,
    /// The number of the selected database: the session's, for others to see.
    pub db: Cell<usize>,
    /// The session's, for others to see.
    pub protocol: Cell<Protocol>,
    /// Unix time at which it was accepted.
    pub created_ms: u64,
    /// Unix time at which bytes last came, or a request last began.
    pub active_ms: Cell<u64>,
    /// The command last run, in lower case, with its subcommand behind '|'.
    pub command: Cell<&'static str>,
    /// The subcommand last run, in lower case; empty: none.
    pub subcommand: Cell<&'static str>,
    /// CLIENT NO-EVICT is on.
    pub no_evict: Cell<bool>,
    /// CLIENT NO-TOUCH is on.
    pub no_touch: Cell<bool>,
    /// How many requests wait for EXEC; `None`: MULTI was not said.
    pub queued: Cell<Option<usize>>,
    /// CLIENT TRACKING; `None`: it is off.
    pub(super) tracks: RefCell<Option<Box<Tracks>>>,
    /// MONITOR was said.
    pub(super) monitors: Cell<bool>,
    /// What it has had done since it is connected.
    pub traffic: Traffic,
    /// What is to be sent to it.
    pub outbox: RefCell<Outbox>,
    /// Where that leaves.
    outlet: OnceCell<Weak<dyn Outlet>>,
    /// The latest epoch for which the engine was asked to have it flushed.
    pub(super) awaited: Cell<Epoch>,
    /// It is to be flushed at the end of the tick.
    is_to_be_flushed: Cell<bool>,
    /// What its buffers hold.
    pub buffers: Cell<Buffers>,
    /// What of it counts among [`Clients::buffered_bytes`].
    pub(super) counted: Cell<usize>,
    /// It held the most when there was too much: the connection ends, and its memory is as good as free.
    pub(super) evicted: Cell<bool>,
    /// It has subscribed to something.
    pub listens: Cell<bool>,
    /// What to.
    pub(super) subscriber: RefCell<Option<Rc<Subscriber>>>,
    /// Unix time from which on its output was above the soft limit, without a break.
    pub over_soft_limit_since_ms: Cell<Option<u64>>,
    /// It is gone, or the connection ends at its next turn: CLIENT KILL was said, or a limit reached.
    pub killed: Cell<bool>,
    /// Waits for records, a commit or a view.
    pub waiting: Cell<bool>,
    /// Waits for the end of CLIENT PAUSE.
    pub paused: Cell<bool>,
    /// Waits for others to do something (BLPOP and its like).
    pub blocked: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Client {
    fn new(id: u64, peer: Peer, now_ms: u64) -> Client {
        Client {
            id,
            address: peer.address,
            local_address: peer.local_address,
            is_unix: peer.is_unix,
            fd: peer.fd,
            name: RefCell::default(),
            library: RefCell::default(),
            library_version: RefCell::default(),
            user: RefCell::new("default".to_owned()),
            db: Cell::new(0),
            protocol: Cell::new(Protocol::Resp2),
            created_ms: now_ms,
            active_ms: Cell::new(now_ms),
            command: Cell::new("NULL"),
            subcommand: Cell::new(""),
            no_evict: Cell::new(false),
            no_touch: Cell::new(false),
            queued: Cell::default(),
            tracks: RefCell::default(),
            monitors: Cell::new(false),
            traffic: Traffic::default(),
            outbox: RefCell::default(),
            outlet: OnceCell::new(),
            awaited: Cell::new(Epoch::NONE),
            is_to_be_flushed: Cell::new(false),
            buffers: Cell::default(),
            counted: Cell::new(0),
            evicted: Cell::new(false),
            listens: Cell::new(false),
            subscriber: RefCell::default(),
            over_soft_limit_since_ms: Cell::new(None),
            killed: Cell::new(false),
            waiting: Cell::new(false),
            paused: Cell::new(false),
            blocked: Cell::new(false),
            waker: RefCell::default(),
        }
    }

    /// Says once where what is to be sent to it leaves.
    pub fn set_outlet(&self, outlet: Weak<dyn Outlet>) {
        // A connection has one outlet, and says so when it begins.
        let is_first = self.outlet.set(outlet).is_ok();
        debug_assert!(is_first);
    }

    /// Where what is to be sent to it leaves.
    pub(super) fn outlet(&self) -> Option<Weak<dyn Outlet>> {
        self.outlet.get().cloned()
    }

    /// Whether all was sent that is to be sent to it.
    pub fn was_sent_all(&self) -> bool {
        self.outbox.borrow().is_empty()
    }

    /// Bytes to be sent to it.
    pub(super) fn output(&self) -> usize {
        self.outbox.borrow().len()
    }

    /// Wakes the task of the connection.
    pub fn waker(&self) -> Option<Ref<'_, Waker>> {
        Ref::filter_map(self.waker.borrow(), Option::as_ref).ok()
    }

    /// Remembers whom to wake for [`Client::kill`].
    pub fn set_waker(&self, waker: &Waker) {
        let mut slot = self.waker.borrow_mut();
        if !slot.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *slot = Some(waker.clone());
        }
    }

    /// Whether the client is on this machine.
    pub fn is_local(&self) -> bool {
        let ip = self.address.parse().map(|address: SocketAddr| address.ip());
        self.is_unix || ip.is_ok_and(|ip| ip.to_canonical().is_loopback())
    }

    /// Ends the connection, once it has been given the reply it is writing.
    pub fn kill(&self) {
        self.killed.set(true);
        if let Some(waker) = self.waker.borrow().as_ref() {
            waker.wake_by_ref();
        }
    }
}

/// What a client has had done.
#[derive(Default)]
pub struct Traffic {
    /// Bytes read from it.
    pub bytes_in: Cell<u64>,
    /// Bytes sent to it.
    pub bytes_out: Cell<u64>,
    /// Its requests that are through.
    pub requests: Cell<u64>,
}

/// How a connection introduces itself.
pub struct Peer {
    /// As in [`Client::address`].
    pub address: String,
    /// As in [`Client::local_address`].
    pub local_address: String,
    /// Came over the unix socket.
    pub is_unix: bool,
    /// The number of the socket.
    pub fd: i32,
}

/// What a connection's buffers hold, in bytes.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Buffers {
    /// Of the request that waits, its arguments and their lengths.
    pub request: usize,
    /// Read behind it, or of a request that is not whole yet.
    pub input: usize,
    /// Memory taken for these two.
    pub input_memory: usize,
    /// Memory of the requests that wait for EXEC.
    pub queued: usize,
    /// Replies that were not sent yet.
    pub output: usize,
    /// Memory taken for them.
    pub output_memory: usize,
    /// Bytes of messages that were not sent yet; of each there is one copy for all who get it.
    pub shared: usize,
    /// Memory of what it has subscribed to.
    pub subscriptions: usize,
}

impl Buffers {
    /// All memory that is its own. What is in a buffer that is only lent is in memory, too.
    pub fn memory(&self) -> usize {
        self.input_memory.max(self.request + self.input)
            + self.queued
            + self.output_memory
            + self.subscriptions
    }

    /// Room in the input's memory.
    pub fn input_free(&self) -> usize {
        self.input_memory.saturating_sub(self.request + self.input)
    }
}

/// All connections, by id.
#[derive(Default)]
pub struct Clients {
    by_id: BTreeMap<u64, Rc<Client>>,
    last_id: u64,
    /// Those to whom others have sent something in this tick.
    to_flush: Vec<Rc<Client>>,
    /// Bytes in the buffers of those that stay.
    staying: usize,
    /// Bytes in the buffers of those that were evicted and have not ended yet.
    leaving: usize,
    /// How many have ended for more input than they may have, ...
    pub(super) over_input: Cell<u64>,
    /// ... and for more output.
    pub(super) over_output: Cell<u64>,
    /// Bytes on their way between I/O threads and the executor.
    pub piped: Arc<AtomicUsize>,
    /// Bytes of messages that somebody has still to be sent.
    pub(super) shared: Arc<AtomicUsize>,
}

impl Clients {
    /// A new connection, under an id of its own, as yet without a name, without buffers and without a waker.
    pub fn add(&mut self, peer: Peer, now_ms: u64) -> Rc<Client> {
        self.last_id += 1;
        let client = Rc::new(Client::new(self.last_id, peer, now_ms));
        self.by_id.insert(client.id, client.clone());
        client
    }

    /// Nobody sees it any more; its session may still hold it.
    pub fn remove(&mut self, id: u64) {
        if let Some(client) = self.by_id.remove(&id) {
            client.killed.set(true);
        }
    }

    /// Has a client flushed at the end of the tick.
    fn flush_soon(&mut self, client: &Rc<Client>) {
        if !client.is_to_be_flushed.replace(true) {
            self.to_flush.push(client.clone());
        }
    }

    /// Whether anybody is to be flushed at the end of the tick.
    pub(super) fn has_to_flush(&self) -> bool {
        !self.to_flush.is_empty()
    }

    /// The outlets of those that are to be flushed at the end of the tick, which it is.
    pub(super) fn take_to_flush(&mut self) -> impl Iterator<Item = Weak<dyn Outlet>> {
        self.to_flush.drain(..).filter_map(|client| {
            client.is_to_be_flushed.set(false);
            let stays = !client.killed.get();
            stays.then(|| client.outlet()).flatten()
        })
    }

    /// The connection with this id, unless it is gone.
    pub fn get(&self, id: u64) -> Option<&Rc<Client>> {
        self.by_id.get(&id)
    }

    /// In the order of their ids, which is that in which they came.
    pub fn iter(&self) -> impl Iterator<Item = &Rc<Client>> {
        self.by_id.values()
    }

    /// Bytes in the buffers of all connections.
    pub fn buffered_bytes(&self) -> usize {
        self.staying_bytes() + self.leaving
    }

    /// Bytes in the buffers of those that were evicted and have not ended yet.
    pub fn leaving_bytes(&self) -> usize {
        self.leaving
    }

    /// Bytes in the buffers of the others, on the way to and from them, and of messages to anybody.
    pub fn staying_bytes(&self) -> usize {
        self.staying + self.piped.load(Ordering::Relaxed) + self.shared.load(Ordering::Relaxed)
    }

    /// Counts what the buffers of a connection hold now.
    pub(super) fn count(&mut self, client: &Client, bytes: usize) {
        let before = client.counted.replace(bytes);
        let sum = match client.evicted.get() {
            true => &mut self.leaving,
            false => &mut self.staying,
        };
        *sum = *sum - before + bytes;
    }

    /// From now on the connection is one of those that leave.
    pub(super) fn evict(&mut self, client: &Client) {
        let bytes = client.counted.get();
        self.staying -= bytes;
        self.leaving += bytes;
        client.evicted.set(true);
        client.kill();
    }

    /// How many are connected.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }
}

impl Engine {
    /// Sends a client something that it has not asked for, whoever's turn it is: behind all that is to be sent to it already,
    /// and once `epoch` is settled. It leaves at the end of the tick. False: there is no such client, or it is about to end.
    pub fn send(&mut self, id: u64, message: &Reply, epoch: Epoch) -> bool {
        let staying = |client: &&Rc<Client>| !client.killed.get();
        let Some(client) = self.clients.get(id).filter(staying).cloned() else {
            return false;
        };
        let (protocol, settled) = (client.protocol.get(), self.store.settled());
        self.send_with(&client, |outbox| {
            outbox.push_message(message, protocol, epoch, settled);
        });
        self.want_commit();
        true
    }

    /// Has something put into a client's outbox, and the client flushed at the end of the tick.
    pub(super) fn send_with(&mut self, client: &Rc<Client>, put: impl FnOnce(&mut Outbox)) {
        let mut buffers = client.buffers.get();
        {
            let outbox = &mut *client.outbox.borrow_mut();
            let before = outbox.memory();
            put(outbox);
            buffers.output = outbox.len();
            buffers.output_memory = (buffers.output_memory + outbox.memory()).saturating_sub(before);
            buffers.shared = outbox.counted_elsewhere();
        }
        self.note_buffers(client, buffers);
        client.enforce_output_limit(self);
        self.clients.flush_soon(client);
    }
}
