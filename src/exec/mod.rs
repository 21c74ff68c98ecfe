//! The one place a command runs.
//!
//! [`Engine`] owns the store and everything that commands about the server see. [`Session`] is one connection's state.
//! Neither knows a socket: [`Session::advance`] takes bytes in and leaves bytes in the session's [`Outbox`]; wakers tell
//! whoever moves the bytes when to come back.

mod buffers;
pub mod client;
pub mod control;
mod dispatch;
mod expire;
mod files;
mod line;
mod lookahead;
mod memory;
pub mod outbox;
mod pause;
pub mod session;
mod slowlog;
mod stats;
mod stream;
pub mod table;

use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::sync::mpsc::{self, Receiver, Sender};
use std::task::Waker;
use std::time::Duration;

use crate::base::clock::Clock;
use crate::base::log;
use crate::base::random::Random;
use crate::command::CallLimits;
use crate::config::{AppendFsync, Config};
use crate::disk::Durability;
use crate::resp::{Decoder, Reply};
use crate::store::{News, Stop, Store, Ticket};
use crate::types::thresholds::Thresholds;

pub use buffers::Room;
pub use client::{Client, Clients};
pub use expire::ActiveExpiry;
pub use files::FilePlan;
use lookahead::Foreseen;
pub use memory::{MemoryPlan, physical_memory, store_options};
pub use pause::Paused;
pub use session::{Advance, Session, Status};
pub use slowlog::SlowLog;
pub use stats::Stats;

/// Names a command that runs over a view.
pub type ViewTicket = u64;

/// News of a command over a view.
pub(crate) enum ViewNews {
    /// A piece of its reply can be taken.
    Piece(ViewTicket),
    /// What it came to.
    Done(ViewTicket, Result<Reply, Stop>),
}

/// Takes the new configuration and the old one. The error's text is for the log.
type Listen = Box<dyn FnMut(&Config, &Config) -> Result<(), String>>;

/// The executor's world.
pub struct Engine {
    pub store: Store,
    pub config: Config,
    pub clients: Clients,
    pub clock: Clock,
    pub stats: Stats,
    pub slowlog: SlowLog,
    pub identity: control::Identity,
    pub saves: control::Saves,
    pub(crate) limits: CallLimits,
    /// Requests that run when those of other connections have been read.
    foreseen: Foreseen,
    /// Whether the sockets are read here, all that have something to say one after the other.
    pub reads_before_running: bool,
    /// The pump let requests go first that had been foreseen.
    pump_waited: bool,
    /// Seeds what each session's requests choose at random.
    random: Random,
    /// Who waits for records, for an epoch, for a view.
    faulted: HashMap<Ticket, Waker>,
    held: Vec<(u64, Weak<dyn Outlet>)>,
    /// Requests that run again when an epoch is applied, by client.
    awaiting: HashMap<u64, (u64, Waker)>,
    /// Requests that run when the disk has caught up.
    line: line::Line,
    viewing: HashMap<ViewTicket, Waker>,
    viewed: HashMap<ViewTicket, Result<Reply, Stop>>,
    next_view: ViewTicket,
    view_news: Sender<ViewNews>,
    views: Receiver<ViewNews>,
    /// Has the server listen where the configuration now says, and no longer where it said before.
    listen: Listen,
    /// Asks for a pump at the end of the tick.
    wake: Rc<dyn Fn()>,
    pump_asked: bool,
    /// When the log was last told that a connection spoke another protocol.
    told_of_another_protocol_ms: Option<u64>,
    /// How the budget is shared out.
    pub(crate) plan: MemoryPlan,
    /// Bytes of client buffers that the hot tier's share takes into account.
    shared_with_clients: usize,
    /// Client buffers hold too much, and there is nobody to evict.
    nobody_can_go: bool,
    /// Reads ahead of what runs.
    scout: Decoder,
    /// Tells of what could not be read.
    damage_log: log::Seldom,
    pub expiry: ActiveExpiry,
    pub(crate) pause: pause::Pause,
    uses_huge_pages: bool,
    /// SHUTDOWN was said.
    pub shutdown: bool,
    /// Wakes the task that waits for `shutdown`.
    pub shutdown_waker: Option<Waker>,
}

/// A connection, as the engine sees it: where held replies leave.
pub trait Outlet {
    /// Sends the replies that may leave now. Returns the epoch that the next one waits for.
    fn flush(&self) -> Option<u64>;
}

/// What is left to the caller of [`Engine::pump`].
#[must_use]
pub struct Pumped {
    /// Connections that hold replies which may leave now: they borrow the engine, so they are flushed after it.
    pub released: Vec<Weak<dyn Outlet>>,
    /// There is more to do, once others had their turn.
    pub more: bool,
}

impl Engine {
    /// `wake` asks for [`Engine::pump`] to be called once what runs now is done.
    pub fn new(store: Store, config: Config, wake: Rc<dyn Fn()>) -> Engine {
        let (view_news, views) = mpsc::channel();
        let clock = Clock::new();
        let plan = MemoryPlan::of(&config);
        Engine {
            limits: call_limits(&config),
            foreseen: Foreseen::default(),
            reads_before_running: false,
            pump_waited: false,
            random: Random::new(),
            store,
            config,
            clients: Clients::default(),
            saves: control::Saves::new(clock.now_ms()),
            clock,
            stats: Stats::default(),
            slowlog: SlowLog::default(),
            identity: control::Identity::new(),
            faulted: HashMap::new(),
            held: Vec::new(),
            awaiting: HashMap::new(),
            line: line::Line::default(),
            viewing: HashMap::new(),
            viewed: HashMap::new(),
            next_view: 1,
            view_news,
            views,
            listen: Box::new(|_, _| Ok(())),
            wake,
            pump_asked: false,
            told_of_another_protocol_ms: None,
            plan,
            shared_with_clients: 0,
            nobody_can_go: false,
            scout: Decoder::new(),
            damage_log: log::Seldom::default(),
            expiry: ActiveExpiry::default(),
            pause: pause::Pause::default(),
            uses_huge_pages: false,
            shutdown: false,
            shutdown_waker: None,
        }
    }

    /// What is to be done when CONFIG SET changes where the server listens.
    pub fn on_moved(&mut self, listen: impl FnMut(&Config, &Config) -> Result<(), String> + 'static) {
        self.listen = Box::new(listen);
    }

    /// Has the tick end with a pump, if there is anything for it to do.
    fn want_pump(&mut self) {
        if !self.pump_asked && self.store.wants_pump() {
            self.pump_asked = true;
            (self.wake)();
        }
    }

    /// The end of a tick, or news from the store's threads: commits, starts reads, wakes who can go on.
    pub fn pump(&mut self) -> Pumped {
        self.pump_waited = !self.pump_waited && !self.foreseen.is_empty();
        if self.pump_waited {
            // They belong to this tick: one commit is for all of it.
            return Pumped {
                released: Vec::new(),
                more: true,
            };
        }
        self.pump_asked = false;
        let now = self.clock.refresh();
        let News {
            ready,
            settled,
            applied,
        } = self.store.pump(now);
        for ticket in ready {
            if self.expiry.fetching == Some(ticket) {
                self.go_on_expiring(ticket);
                // Only now: what was fetched stays until it was used.
                self.store.finish(ticket);
            } else if let Some(waker) = self.faulted.remove(&ticket) {
                waker.wake();
            }
        }
        let mut released = Vec::new();
        if settled {
            let settled = self.store.settled();
            let held = self.held.extract_if(.., |(epoch, _)| *epoch <= settled);
            released.extend(held.map(|(_, outlet)| outlet));
        }
        if applied {
            let (applied, broken) = (self.store.applied(), self.store.broken().is_some());
            for (_, (_, waker)) in self
                .awaiting
                .extract_if(|_, (epoch, _)| broken || *epoch <= applied)
            {
                waker.wake();
            }
            if let Some(epoch) = self.awaiting.values().map(|(epoch, _)| *epoch).min() {
                self.store.want_applied(epoch);
            }
        }
        self.move_line();
        while let Ok(news) = self.views.try_recv() {
            match news {
                ViewNews::Piece(ticket) => {
                    if let Some(waker) = self.viewing.get(&ticket) {
                        waker.wake_by_ref();
                    }
                }
                ViewNews::Done(ticket, result) => {
                    if let Some(waker) = self.viewing.remove(&ticket) {
                        self.viewed.insert(ticket, result);
                        waker.wake();
                    }
                }
            }
        }
        let more = self.expire_more() | self.store.upkeep();
        self.want_pump();
        Pumped { released, more }
    }

    /// Has a connection flushed when an epoch is settled.
    pub fn flush_when_settled(&mut self, epoch: u64, outlet: Weak<dyn Outlet>) {
        self.held.push((epoch, outlet));
    }

    /// Regular work: called `hz` times a second.
    pub fn tick(&mut self) {
        let now = self.clock.refresh();
        self.stats.sample(now);
        self.store.note_second(self.clock.started.elapsed().as_secs());
        self.end_pause_in_time();
        self.begin_expiring();
        self.store.reclaim_some();
        self.store.begin_upkeep();
        self.move_line();
        self.want_pump();
    }

    /// Called each second.
    pub fn tick_second(&mut self) {
        self.store.repair();
        if self.config.appendfsync == AppendFsync::EverySec {
            self.store.sync_soon();
            (self.wake)();
        }
        self.look_at_memory();
        self.apply_memory_budget();
        self.store.give_back();
        self.end_idle_clients();
        self.enforce_soft_limits();
    }

    /// `timeout`: ends connections that have been quiet for longer.
    fn end_idle_clients(&self) {
        let timeout = u64::from(self.config.timeout) * 1000;
        if timeout == 0 {
            return;
        }
        let now = self.clock.now_ms();
        for client in self.clients.iter().filter(|c| !c.waiting.get()) {
            if now.saturating_sub(client.active_ms.get()) > timeout {
                client.kill();
            }
        }
    }

    /// How long the executor may sleep between two ticks.
    pub fn tick_interval(&self) -> Duration {
        Duration::from_secs(1) / self.config.hz.max(1)
    }
}

/// What commands over data go by.
pub fn call_limits(config: &Config) -> CallLimits {
    let plan = MemoryPlan::of(config);
    CallLimits {
        max_string: config.proto_max_bulk_len,
        databases: config.databases as usize,
        thresholds: Thresholds {
            hash_entries: config.hash_max_listpack_entries,
            hash_value: config.hash_max_listpack_value,
            list_size: config.list_max_listpack_size,
            set_intset: config.set_max_intset_entries,
            set_entries: config.set_max_listpack_entries,
            set_value: config.set_max_listpack_value,
            sorted_set_entries: config.zset_max_listpack_entries,
            sorted_set_value: config.zset_max_listpack_value,
            stream_bytes: config.stream_node_max_bytes,
            stream_entries: config.stream_node_max_entries,
        },
        hll_sparse: config.hll_sparse_max_bytes,
        live_reply: plan.live_reply(),
        live_gathered: plan.live_gathered(),
        gathered: plan.gathered(),
    }
}

/// The durability that an `appendfsync` asks of each commit.
pub fn durability(appendfsync: AppendFsync) -> Durability {
    match appendfsync {
        AppendFsync::Always => Durability::Synced,
        AppendFsync::EverySec | AppendFsync::No => Durability::Written,
    }
}
