//! The one place a command runs.
//!
//! [`Engine`] owns the store and everything that commands about the server see. [`Session`] is one connection's state.
//! Neither knows a socket: [`Session::advance`] takes bytes in and leaves bytes in the session's [`Outbox`]; wakers tell
//! whoever moves the bytes when to come back.

pub mod client;
pub mod control;
mod dispatch;
mod lookahead;
mod memory;
pub mod outbox;
pub mod session;
mod slowlog;
mod stats;
pub mod table;

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::task::Waker;
use std::time::Duration;

use crate::base::clock::Clock;
use crate::base::process;
use crate::base::random::Random;
use crate::command::CallLimits;
use crate::config::{AppendFsync, Config};
use crate::disk::Durability;
use crate::resp::Reply;
use crate::store::{Key, News, Stop, Store, Ticket};
use crate::types::hash;
use crate::types::thresholds::Thresholds;

pub use client::{Client, Clients};
pub use memory::{MemoryPlan, physical_memory};
pub use session::{Advance, Session, Status};
pub use slowlog::SlowLog;
pub use stats::Stats;

/// Names a command that runs over a view.
pub type ViewTicket = u64;

/// What a command over a view came to.
pub struct Viewed {
    ticket: ViewTicket,
    result: Result<Reply, Stop>,
}

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
    /// Seeds what each session's requests choose at random.
    random: Random,
    /// Who waits for records, for an epoch, for a view.
    faulted: HashMap<Ticket, Waker>,
    held: Vec<(u64, Waker)>,
    viewing: HashMap<ViewTicket, Waker>,
    viewed: HashMap<ViewTicket, Result<Reply, Stop>>,
    next_view: ViewTicket,
    views_done: Sender<Viewed>,
    views: Receiver<Viewed>,
    /// Asks for a pump at the end of the tick.
    wake: Rc<dyn Fn()>,
    pump_asked: bool,
    expiring: Option<Ticket>,
    /// When the log was last told that a connection spoke another protocol.
    told_of_another_protocol_ms: Option<u64>,
    pub active_expire: bool,
    pub shutdown: Option<control::Shutdown>,
    /// Wakes the task that waits for `shutdown`.
    pub shutdown_waker: Option<Waker>,
}

/// About how many keys and fields one tick of active expiry deletes at most.
const EXPIRED_PER_TICK: u64 = 1000;

impl Engine {
    /// `wake` asks for [`Engine::pump`] to be called once what runs now is done.
    pub fn new(store: Store, config: Config, wake: Rc<dyn Fn()>) -> Engine {
        let (views_done, views) = mpsc::channel();
        let clock = Clock::new();
        Engine {
            limits: call_limits(&config),
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
            viewing: HashMap::new(),
            viewed: HashMap::new(),
            next_view: 1,
            views_done,
            views,
            wake,
            pump_asked: false,
            expiring: None,
            told_of_another_protocol_ms: None,
            active_expire: true,
            shutdown: None,
            shutdown_waker: None,
        }
    }

    /// Has the tick end with a pump, if there is anything for it to do.
    fn want_pump(&mut self) {
        if !self.pump_asked && self.store.wants_pump() {
            self.pump_asked = true;
            (self.wake)();
        }
    }

    /// The end of a tick, or news from the store's threads: commits, starts reads, wakes who can go on.
    pub fn pump(&mut self) {
        self.pump_asked = false;
        let now = self.clock.refresh();
        let News { ready, settled } = self.store.pump(now);
        for ticket in ready {
            if self.expiring == Some(ticket) {
                self.expiring = None;
                match self.store.read_error(ticket) {
                    // The next tick tries again.
                    Some(text) => eprintln!("redkeep: reading an expired key failed: {text}"),
                    None => self.expire_due(),
                }
                // Only now: what was fetched stays until it was used.
                self.store.finish(ticket);
            } else if let Some(waker) = self.faulted.remove(&ticket) {
                waker.wake();
            }
        }
        if settled {
            let settled = self.store.settled();
            self.held.retain(|(epoch, waker)| {
                let waits = *epoch > settled;
                if !waits {
                    waker.wake_by_ref();
                }
                waits
            });
        }
        while let Ok(Viewed { ticket, result }) = self.views.try_recv() {
            if let Some(waker) = self.viewing.remove(&ticket) {
                self.viewed.insert(ticket, result);
                waker.wake();
            }
        }
        self.want_pump();
    }

    /// Regular work: called `hz` times a second.
    pub fn tick(&mut self) {
        let now = self.clock.refresh();
        self.stats.sample(now);
        if self.active_expire {
            self.store.look_for_due(now);
            self.expire_due();
        }
        self.store.reclaim_some();
        self.want_pump();
    }

    /// Called each second.
    pub fn tick_second(&mut self) {
        self.store.repair();
        if self.config.appendfsync == AppendFsync::EverySec {
            self.store.sync_soon();
            (self.wake)();
        }
        self.stats.note_memory(process::memory().allocated);
        self.apply_memory_budget();
        self.end_idle_clients();
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

    /// Deletes keys and fields that are due, by transactions like any other.
    fn expire_due(&mut self) {
        if self.expiring.is_some() {
            return;
        }
        let now = self.clock.now_ms();
        let mut missing = Vec::new();
        let (mut turns, mut expired) = (self.store.due().len(), 0);
        while turns > 0
            && expired < EXPIRED_PER_TICK
            && let Some(due) = self.store.due().pop_front()
        {
            turns -= 1;
            let Some(db) = self.store.database_of(due.namespace) else {
                continue;
            };
            let mut txn = self.store.begin(now);
            let done = hash::expire_due(&mut txn, Key { db, name: &due.name });
            let end = txn.end();
            match done {
                Ok((deleted, is_more)) => {
                    self.store.apply(end);
                    expired += deleted;
                    if is_more {
                        self.store.due().push_back(due);
                    }
                }
                Err(Stop::Fault) => {
                    missing.extend(self.store.abandon(end));
                    self.store.due().push_back(due);
                }
                Err(stop) => {
                    self.store.abandon(end);
                    eprintln!("redkeep: an expired key or field cannot be deleted: {stop:?}");
                }
            }
        }
        if !missing.is_empty() {
            self.expiring = Some(self.store.request(missing));
        }
        self.want_pump();
    }

    /// How long the executor may sleep between two ticks.
    pub fn tick_interval(&self) -> Duration {
        Duration::from_secs(1) / self.config.hz.max(1)
    }
}

/// What commands over data go by.
fn call_limits(config: &Config) -> CallLimits {
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
    }
}

/// The durability that an `appendfsync` asks of each commit.
pub fn durability(appendfsync: AppendFsync) -> Durability {
    match appendfsync {
        AppendFsync::Always => Durability::Synced,
        AppendFsync::EverySec | AppendFsync::No => Durability::Written,
    }
}
