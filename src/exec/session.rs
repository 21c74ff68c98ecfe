//! One connection's state, and the loop that turns its bytes into replies.

use std::rc::Rc;
use std::task::Waker;

use super::Engine;
use super::client::{Buffers, Client, Peer};
use super::parking::Wait;
use super::queue::Queue;
use super::shown::Lines;
use super::waiters::Until;
use crate::base::random::Random;
use crate::resp::{Decoder, Limits, OwnedArgs, Protocol, ProtocolError, Reply};
use crate::store::{Epoch, Ticket};

/// The request that has begun and is not through, or the next one.
pub(super) struct Begun {
    /// What it waits for, if it was set aside.
    pub wait: Option<Wait>,
    /// Its place in the line of those who would add to what is staged, from when it had to wait there until it has run.
    pub place: Option<u64>,
    /// Names the records that were fetched for it: they stay in memory until it is through.
    pub ticket: Option<Ticket>,
    /// Of what it chooses at random: the same in each of its runs.
    pub seed: u64,
    /// Nanoseconds that its runs so far took.
    pub spent: u64,
}

/// What a command about the connection or the server has its client wait for, where it runs alone.
pub(super) struct Wish {
    /// What is waited for.
    pub until: Until,
    /// Milliseconds; `None`: for ever.
    pub timeout: Option<u64>,
    /// What is to be on stable storage, if that is waited for.
    pub epoch: Epoch,
}

/// CLIENT REPLY: which replies are sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReplyMode {
    /// All of them.
    On,
    /// None.
    Off,
    /// Not the one to CLIENT REPLY SKIP itself, nor the next.
    SkipNext,
    /// Not the next one.
    Skip,
}

/// One connection, as its commands see and change it.
pub struct Session {
    /// What others see of it.
    pub client: Rc<Client>,
    /// What its replies are encoded for.
    pub protocol: Protocol,
    /// The number of the selected database.
    pub db: usize,
    /// It has logged in, or need not.
    pub authenticated: bool,
    /// CLIENT REPLY.
    pub reply_mode: ReplyMode,
    /// What MULTI has begun.
    pub(super) queue: Option<Box<Queue>>,
    /// Close once the outbox is sent.
    pub closing: bool,
    /// How much of the request at hand was decoded.
    pub(super) decoder: Decoder,
    /// What lasts from one run of the request at hand to the next.
    pub(super) request: Begun,
    /// The first request has waited for those of other connections to be read: it runs in this turn.
    pub(super) has_let_others_be_read: bool,
    /// It has come to its turn in the line of those who add to what is staged, and goes on until others have theirs.
    pub(super) had_turn: bool,
    /// The epoch that the reply of a control command waits for.
    pub(super) reply_epoch: Epoch,
    /// The epoch that the last reply waits for, sent or not.
    pub(super) reply_waits_for: Epoch,
    /// What the request at hand, which runs several, has to show to monitors when it is through.
    pub(super) lines: Lines,
    /// What runs is part of a transaction: it cannot wait for others.
    pub(super) is_in_exec: bool,
    /// The latest epoch that one of its replies depended on.
    latest: Epoch,
    /// What a control command has its client wait for.
    pub(super) wish: Option<Wish>,
    /// A request that has waited for others, and comes before all that is in the input.
    pub(super) given_back: Option<Box<OwnedArgs>>,
    /// It is being run.
    pub(super) runs_given_back: bool,
}

/// What [`Session::advance`] needs next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    /// At least so many bytes more.
    NeedsInput(usize),
    /// Its waker will be called.
    Waiting,
    /// There is more to do: call again when others had their turn, or the outbox is emptier.
    Yielded,
    /// Nothing more will be read; close when the outbox is sent.
    Closing,
}

/// What [`Session::advance`] came to.
pub struct Advance {
    /// How many bytes at the head of the input are done with.
    pub consumed: usize,
    /// What it needs to go on.
    pub status: Status,
    /// What may leave is to be sent now, and not with what waits for the end of this tick.
    pub sends: bool,
}

/// Requests that one turn runs at most, so that a long pipeline doesn't keep others waiting.
const REQUESTS_PER_TURN: usize = 256;
/// Bytes of replies above which a session waits for its client to read them.
pub const OUTPUT_PAUSE: usize = 1 << 20;
/// The same where a reply comes in pieces, as those wait elsewhere.
const STREAM_PAUSE: usize = 64 << 10;

impl Session {
    /// A session for a client that was just accepted. It is counted and registered, until [`Session::end`].
    pub fn new(engine: &mut Engine, peer: Peer) -> Session {
        let now = engine.clock.refresh();
        engine.stats.connections += 1;
        Session {
            client: engine.clients.add(peer, now),
            protocol: Protocol::Resp2,
            db: 0,
            authenticated: engine.config.needs_no_login(),
            reply_mode: ReplyMode::On,
            queue: None,
            closing: false,
            decoder: Decoder::new(),
            request: Begun {
                wait: None,
                place: None,
                ticket: None,
                seed: engine.random.next_u64(),
                spent: 0,
            },
            has_let_others_be_read: false,
            had_turn: false,
            reply_epoch: Epoch::NONE,
            reply_waits_for: Epoch::NONE,
            lines: Lines::default(),
            is_in_exec: false,
            latest: Epoch::NONE,
            wish: None,
            given_back: None,
            runs_given_back: false,
        }
    }

    /// The connection is gone: gives back what the session holds of the engine.
    pub fn end(&mut self, engine: &mut Engine) {
        let id = self.client.id;
        if let Some(wait) = self.request.wait.take() {
            engine.forget(&wait, id);
        }
        engine.forget_script(id);
        engine.leave_pubsub(&self.client);
        self.end_request(engine);
        engine.store.unwatch(id);
        engine.end_tracking(&self.client);
        engine.end_monitoring(&self.client);
        engine.clients.count(&self.client, 0);
        engine.clients.remove(id);
    }

    /// The client sends no more, and does not wait for the end of CLIENT PAUSE, nor for others to do something: its request
    /// is forgotten, as in Redis. Any other one that it has sent is answered. Returns whether the connection ends therefore.
    pub fn leave_wait(&mut self, engine: &mut Engine) -> bool {
        let left = self.request.wait.take_if(|wait| may_be_left(wait));
        if let Some(wait) = &left {
            engine.forget(wait, self.client.id);
            self.client.paused.set(false);
            self.closing = true;
        }
        left.is_some()
    }

    /// Whether [`Session::leave_wait`] would forget a request.
    pub fn may_leave_wait(&self) -> bool {
        self.request.wait.as_ref().is_some_and(may_be_left)
    }

    /// What the buffers hold when the input has `input` bytes, in `input_memory` bytes of memory.
    pub fn buffers(&self, input: usize, input_memory: usize) -> Buffers {
        let request = match self.request.wait {
            Some(Wait::Answer { memory, .. }) => memory,
            _ => self.decoder.decoded(),
        };
        let outbox = self.client.outbox.borrow();
        let on_the_way = match &self.request.wait {
            Some(Wait::View(_, inflow)) => inflow.memory(),
            _ => 0,
        };
        Buffers {
            request,
            input: input.saturating_sub(request),
            input_memory: input_memory + self.decoder.memory(),
            queued: self.queue.as_ref().map_or(0, |queue| queue.memory()),
            output: outbox.len(),
            output_memory: outbox.memory() + on_the_way,
            shared: outbox.counted_elsewhere(),
            subscriptions: self.client.subscriptions_memory(),
        }
    }

    /// Runs the requests in `input`, which begins where the last call's `consumed` ended and keeps what was there.
    pub fn advance(&mut self, engine: &mut Engine, input: &[u8], waker: &Waker) -> Advance {
        if self.lets_others_be_read(engine, input) {
            return Advance {
                consumed: 0,
                status: Status::Yielded,
                sends: true,
            };
        }
        engine.warm_up_noted();
        let mut consumed = 0;
        let status = self.run_requests(engine, input, &mut consumed, waker);
        engine.look_ahead.forget_decoded();
        self.had_turn = false;
        let sends = self.release(engine);
        self.client.waiting.set(status == Status::Waiting);
        let queued = self.queue.as_ref().map_or(0, |queue| queue.input());
        self.client
            .enforce_hard_limits(engine, input.len() - consumed + queued);
        engine.want_commit();
        Advance {
            consumed,
            status,
            sends,
        }
    }

    /// Lets go the replies that have been decided. The connection is flushed when the next of them has been. Returns whether
    /// it is to send at once: a few bytes are better sent with what waits behind them for the end of this tick.
    pub fn release(&self, engine: &mut Engine) -> bool {
        let stats = &mut engine.stats;
        let mut outbox = self.client.outbox.borrow_mut();
        let Some(epoch) = outbox.release(&engine.store, |text| stats.error(text)) else {
            return true;
        };
        let sends = epoch < engine.store.open_epoch() || outbox.is_much_ready();
        engine.flush_when_settled(&self.client, epoch);
        sends
    }

    fn run_requests(
        &mut self,
        engine: &mut Engine,
        input: &[u8],
        consumed: &mut usize,
        waker: &Waker,
    ) -> Status {
        if let Some(status) = self.hindered(engine, waker) {
            return status;
        }
        if let Some(args) = self.given_back.take()
            && !self.run_given_back(engine, args, input.len(), waker)
        {
            return Status::Waiting;
        }
        if input.is_empty() && !self.closing {
            return Status::NeedsInput(1);
        }
        let now = self.begin_requests(engine, input.len());
        for _ in 0..REQUESTS_PER_TURN {
            if self.closing || self.client.killed.get() {
                return Status::Closing;
            }
            if self.client.output() > OUTPUT_PAUSE {
                return Status::Yielded;
            }
            let limits = self.limits(engine);
            let request = &input[*consumed..];
            if request.is_empty() {
                return Status::NeedsInput(1);
            }
            let (len, found) = match engine.look_ahead.take_decoded(&mut self.decoder) {
                Some(decoded) => decoded,
                None => match self.decoder.decode(request, &limits) {
                    Ok(Some(len)) => (len, Session::row_of(self.decoder.args(request))),
                    Ok(None) => return Status::NeedsInput(self.decoder.missing()),
                    Err(error) => return self.refuse(engine, error),
                },
            };
            if engine.look_ahead.has_run_decoded() {
                self.warm_up(engine, &request[len..], &limits);
            }
            // The arguments borrow from the decoder, and running a request takes the session: so it leaves for a while.
            let decoder = std::mem::take(&mut self.decoder);
            let done = self.run_request(engine, found, decoder.args(request), now, waker);
            self.decoder = decoder;
            engine.tell(self.latest);
            let is_kept_elsewhere = matches!(self.request.wait, Some(Wait::Answer { .. }));
            if !done && !is_kept_elsewhere {
                self.look_ahead(engine, &request[len..], &limits);
                return Status::Waiting;
            }
            self.decoder.reset();
            *consumed += len;
            if is_kept_elsewhere {
                return Status::Waiting;
            }
        }
        Status::Yielded
    }

    /// Runs a request that has waited for others, or goes on with it. False: it waits, for records, a view or again for others.
    fn run_given_back(
        &mut self,
        engine: &mut Engine,
        args: Box<OwnedArgs>,
        input: usize,
        waker: &Waker,
    ) -> bool {
        let now = self.begin_requests(engine, input);
        self.runs_given_back = true;
        let request = args.as_args();
        let is_through = self.run_request(engine, Session::row_of(request), request, now, waker);
        self.runs_given_back = false;
        engine.tell(self.latest);
        if !is_through && !matches!(self.request.wait, Some(Wait::Answer { .. })) {
            self.given_back = Some(args);
        }
        is_through
    }

    /// Notes how much has come, as CLIENT LIST shows the client its own line, and when the first request begins. Returns the
    /// time.
    fn begin_requests(&self, engine: &mut Engine, input: usize) -> u64 {
        let buffers = self.client.buffers.get();
        self.client.buffers.set(Buffers { input, ..buffers });
        engine.clock.start_lap();
        engine.clock.refresh()
    }

    /// Why no request can run, or go on, if so.
    fn hindered(&mut self, engine: &mut Engine, waker: &Waker) -> Option<Status> {
        if !self.take_pieces() {
            return Some(Status::Yielded);
        }
        if let Some(wait) = &self.request.wait
            && !engine.has_come(wait)
        {
            engine.park(wait, self.client.id, waker);
            return Some(Status::Waiting);
        }
        if let Some(Wait::Answer { .. }) = self.request.wait {
            self.end_wait(engine);
        }
        None
    }

    /// Takes in what there is of a reply that comes in pieces. False: there is more, but the client has to read first.
    fn take_pieces(&mut self) -> bool {
        let Some(Wait::View(_, inflow)) = &mut self.request.wait else {
            return true;
        };
        let mut outbox = self.client.outbox.borrow_mut();
        while outbox.len_ahead() <= STREAM_PAUSE {
            match inflow.take() {
                Some(piece) => outbox.push_piece(&piece),
                None => return true,
            }
        }
        false
    }

    /// What a request may be at most: much less before the client has logged in.
    pub(super) fn limits(&self, engine: &Engine) -> Limits {
        Limits {
            authenticated: self.authenticated,
            max_bulk: usize::try_from(engine.config.proto_max_bulk_len).unwrap_or(usize::MAX),
            ..Limits::default()
        }
    }

    fn refuse(&mut self, engine: &mut Engine, error: ProtocolError) -> Status {
        let reply = Reply::from(error);
        if let Reply::Error(text) = &reply {
            engine.stats.error(text);
        }
        let mut outbox = self.client.outbox.borrow_mut();
        outbox.push(&reply, self.protocol, Epoch::NONE, Epoch::NONE);
        drop(outbox);
        self.closing = true;
        Status::Closing
    }

    /// Adds a reply that may leave when `epoch` is settled, unless CLIENT REPLY says otherwise.
    pub(super) fn reply(&mut self, engine: &Engine, reply: &Reply, epoch: Epoch) {
        self.reply_waits_for = epoch;
        self.latest = self.latest.max(epoch);
        let is_sent = match self.reply_mode {
            ReplyMode::On => true,
            _ => matches!(reply, Reply::Pushes(_)),
        };
        if is_sent {
            let mut outbox = self.client.outbox.borrow_mut();
            outbox.push(reply, self.protocol, epoch, engine.store.settled());
        }
        match self.reply_mode {
            ReplyMode::On | ReplyMode::Off => {}
            ReplyMode::SkipNext => self.reply_mode = ReplyMode::Skip,
            ReplyMode::Skip => self.reply_mode = ReplyMode::On,
        }
    }

    /// The request over data is through, or given up: the next one is another.
    pub(super) fn end_request(&mut self, engine: &mut Engine) {
        if let Some(ticket) = self.request.ticket.take() {
            engine.store.finish(ticket);
        }
        self.request.seed = Random::from_seed(self.request.seed).next_u64();
    }
}

/// Whether a request that waits for this is forgotten once its client is gone: it may wait for ever.
fn may_be_left(wait: &Wait) -> bool {
    matches!(wait, Wait::Pause | Wait::Answer { .. })
}
