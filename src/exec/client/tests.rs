//! What others send to a client.

use std::ffi::OsString;
use std::io::IoSlice;
use std::sync::atomic::AtomicUsize;
use std::task::Wake;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::*;
use crate::config::Config;
use crate::exec::{Session, store_options};
use crate::store::Store;

/// No test waits longer for a commit.
const PATIENCE: Duration = Duration::from_secs(20);

/// An engine, and how often it asked for the end of a tick.
struct Server {
    engine: Engine,
    asked: Rc<Cell<u32>>,
    _dir: TempDir,
}

/// Counts how often it was called.
#[derive(Default)]
struct Counter(AtomicUsize);

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Notes that it was to send.
#[derive(Default)]
struct Flushed(Cell<u32>);

impl Outlet for Flushed {
    fn flush(&self) {
        self.0.set(self.0.get() + 1);
    }
}

/// A session without a socket.
struct Peerless {
    session: Session,
    flushed: Rc<Flushed>,
    wakes: Arc<Counter>,
}

impl Server {
    fn new() -> Server {
        let dir = TempDir::new().unwrap();
        let arguments = ["redkeep", "--dir"].map(OsString::from).into_iter();
        let config = Config::from_command_line(arguments.chain([dir.path().into()])).unwrap();
        let store = Store::open(dir.path(), &store_options(&config), Arc::new(|| ())).unwrap();
        let asked = Rc::new(Cell::new(0));
        let asking = asked.clone();
        Server {
            engine: Engine::new(store, config, Rc::new(move || asking.set(asking.get() + 1))),
            asked,
            _dir: dir,
        }
    }

    fn connect(&mut self) -> Peerless {
        let peer = Peer {
            address: "127.0.0.1:1".to_owned(),
            local_address: "127.0.0.1:2".to_owned(),
            is_unix: false,
            fd: -1,
        };
        let session = Session::new(&mut self.engine, peer);
        let (flushed, wakes) = (Rc::<Flushed>::default(), Arc::<Counter>::default());
        let outlet: Rc<dyn Outlet> = flushed.clone();
        session.client.set_outlet(Rc::downgrade(&outlet));
        session.client.set_waker(&wakes.clone().into());
        Peerless {
            session,
            flushed,
            wakes,
        }
    }

    /// Ends ticks, with all flushes, until everything staged is settled.
    fn settle(&mut self) {
        let (began, staged) = (Instant::now(), self.engine.store.last_staged());
        loop {
            let released = self.engine.commit_and_release();
            let outlets = released.outlets.iter().filter_map(Weak::upgrade);
            outlets.for_each(|outlet| outlet.flush());
            if self.engine.store.settled() >= staged {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "the store's threads do not answer");
            std::thread::yield_now();
        }
    }
}

impl Peerless {
    /// Returns whether what may leave is sent at once.
    fn run(&mut self, server: &mut Server, requests: &str) -> bool {
        let waker = Waker::from(self.wakes.clone());
        let advance = self
            .session
            .advance(&mut server.engine, requests.as_bytes(), &waker);
        assert_eq!(advance.consumed, requests.len());
        advance.sends
    }

    /// What may leave now; it does.
    fn take(&self, server: &mut Server) -> String {
        self.session.release(&mut server.engine);
        let mut outbox = self.session.client.outbox.borrow_mut();
        let mut slices = [IoSlice::new(&[]); 64];
        let count = outbox.ready(&mut slices);
        let ready: Vec<u8> = slices[..count].iter().flat_map(|slice| slice.to_vec()).collect();
        outbox.advance(ready.len());
        String::from_utf8(ready).unwrap()
    }

    fn id(&self) -> u64 {
        self.session.client.id
    }
}

fn message(n: i64) -> Reply {
    Reply::Push(vec![Reply::Int(n)])
}

#[test]
fn a_message_leaves_at_the_end_of_the_tick_though_nothing_is_to_be_committed() {
    let mut server = Server::new();
    let (listener, other) = (server.connect(), server.connect());
    assert!(server.engine.send(listener.id(), &message(1), Epoch::NONE));
    assert!(server.engine.send(listener.id(), &message(2), Epoch::NONE));
    assert_eq!(server.asked.get(), 1);
    assert!(listener.session.client.buffers.get().output == 16);
    assert!(server.engine.clients.buffered_bytes() >= 16);
    server.settle();
    assert_eq!((listener.flushed.0.get(), other.flushed.0.get()), (1, 0));
    assert_eq!(listener.take(&mut server), "*1\r\n:1\r\n*1\r\n:2\r\n");
    server.settle();
    assert_eq!(listener.flushed.0.get(), 1);
    assert!(server.engine.send(listener.id(), &message(3), Epoch::NONE));
    server.settle();
    assert_eq!(listener.flushed.0.get(), 2);
}

#[test]
fn a_message_leaves_in_order_behind_replies_that_are_held() {
    let mut server = Server::new();
    let (mut a, mut b) = (server.connect(), server.connect());
    a.run(&mut server, "HELLO 3\r\n");
    a.take(&mut server);
    a.run(&mut server, "SET k v\r\n");
    // This one depends on nothing, the next one on what another client is about to write.
    assert!(server.engine.send(a.id(), &message(1), Epoch::NONE));
    b.run(&mut server, "SET k w\r\n");
    let written = server.engine.store.last_staged();
    assert!(server.engine.send(a.id(), &message(2), written));
    a.run(&mut server, "PING\r\n");
    assert_eq!(a.take(&mut server), "");
    assert_eq!(b.take(&mut server), "");
    server.settle();
    assert!(a.flushed.0.get() > 0 && b.flushed.0.get() == 1);
    assert_eq!(a.take(&mut server), "+OK\r\n>1\r\n:1\r\n>1\r\n:2\r\n+PONG\r\n");
    assert_eq!(b.take(&mut server), "+OK\r\n");
}

#[test]
fn a_few_bytes_leave_with_what_waits_behind_them_for_the_end_of_the_tick() {
    let mut server = Server::new();
    let mut a = server.connect();
    assert!(a.run(&mut server, "PING\r\n"));
    assert_eq!(a.take(&mut server), "+PONG\r\n");
    assert!(!a.run(&mut server, "MULTI\r\nSET k v\r\nEXEC\r\n"));
    server.settle();
    assert_eq!(a.flushed.0.get(), 1);
    assert_eq!(a.take(&mut server), "+OK\r\n+QUEUED\r\n*1\r\n+OK\r\n");
    // Not so if they are many.
    let long = "x".repeat(20_000);
    assert!(a.run(&mut server, &format!("ECHO {long}\r\nSET k w\r\n")));
}

#[test]
fn a_client_that_is_sent_too_much_ends_and_one_that_has_gone_is_sent_nothing() {
    let mut server = Server::new();
    let (listener, mut gone) = (server.connect(), server.connect());
    server.engine.config.client_output_buffer_limit.normal.hard_bytes = 50_000;
    let long = Reply::bulk(vec![b'x'; 1000]);
    let sent = (0..1000)
        .take_while(|_| server.engine.send(listener.id(), &long, Epoch::NONE))
        .count();
    // Redis counts no reply that fits into the client itself.
    assert!((50..100).contains(&sent), "{sent}");
    assert!(listener.session.client.killed.get() && listener.wakes.0.load(Ordering::Relaxed) > 0);
    let id = gone.id();
    assert!(server.engine.send(id, &message(1), Epoch::NONE));
    gone.session.end(&mut server.engine);
    assert!(!server.engine.send(id, &message(2), Epoch::NONE));
    server.settle();
    assert_eq!(gone.flushed.0.get(), 0);
}

#[test]
fn what_a_transaction_tells_waits_for_its_commit_and_replies_behind_it_do_too() {
    let mut server = Server::new();
    let (mut listener, mut publisher) = (server.connect(), server.connect());
    listener.run(&mut server, "SUBSCRIBE a\r\n");
    listener.take(&mut server);
    publisher.run(
        &mut server,
        "MULTI\r\nSET k v\r\nPUBLISH a 1\r\nPUBLISH a 2\r\nEXEC\r\n",
    );
    listener.run(&mut server, "PING\r\n");
    assert_eq!(listener.take(&mut server), "");
    server.settle();
    let messages = ["1", "2"].map(|n| format!("*3\r\n$7\r\nmessage\r\n$1\r\na\r\n$1\r\n{n}\r\n"));
    let pong = "*2\r\n$4\r\npong\r\n$0\r\n\r\n";
    assert_eq!(listener.take(&mut server), messages.concat() + pong);
    assert!(publisher.take(&mut server).ends_with("*3\r\n+OK\r\n:1\r\n:1\r\n"));
}

#[test]
fn a_message_leaves_at_once_unless_its_sender_or_one_before_it_waits() {
    let mut server = Server::new();
    let (mut listener, mut publisher, mut other) = (server.connect(), server.connect(), server.connect());
    listener.run(&mut server, "PSUBSCRIBE *\r\n");
    listener.take(&mut server);
    let message = |n| format!("*4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$1\r\na\r\n$1\r\n{n}\r\n");
    publisher.run(&mut server, "PUBLISH a 1\r\n");
    assert_eq!(listener.take(&mut server), message(1));
    publisher.run(&mut server, "SET k v\r\nPUBLISH a 2\r\n");
    other.run(&mut server, "PUBLISH a 3\r\n");
    assert_eq!(other.take(&mut server), ":1\r\n");
    assert_eq!(listener.take(&mut server), "");
    server.settle();
    assert_eq!(listener.take(&mut server), message(2) + &message(3));
    // Nor does it overtake a write whose reply nobody wants.
    publisher.take(&mut server);
    publisher.run(&mut server, "CLIENT REPLY OFF\r\nSET k w\r\nPUBLISH a 4\r\n");
    assert_eq!(
        (publisher.take(&mut server), listener.take(&mut server)),
        Default::default()
    );
    server.settle();
    assert_eq!(listener.take(&mut server), message(4));
}
