//! The one place a command runs.
//!
//! [`Engine`] owns the store and everything that commands about the server see. [`Session`] is one connection's state.
//! Neither knows a socket: [`Session::advance`] takes bytes in and leaves bytes in the client's [`outbox::Outbox`]; wakers tell
//! whoever moves the bytes when to come back.

mod buffers;
pub mod client;
pub mod control;
mod dispatch;
mod events;
mod expire;
mod files;
mod functions;
mod keys_used;
mod line;
#[cfg(test)]
mod live_forms;
mod look_ahead;
mod memory;
mod monitor;
pub mod outbox;
mod over_view;
mod parking;
mod pause;
pub mod pubsub;
mod queue;
mod queue_run;
mod request;
mod saving;
mod scripts;
mod serve;
pub mod session;
mod shown;
mod shutdown;
mod slowlog;
mod stats;
mod stream;
mod subscriptions;
pub mod table;
mod tick;
mod tracking;
mod tracks;
mod transaction;
mod waiters;

use std::rc::Rc;

use crate::base::clock::Clock;
use crate::base::log;
use crate::base::random::Random;
use crate::command::CallLimits;
use crate::config::{AppendFsync, Config};
use crate::disk::Durability;
use crate::store::Store;
use crate::types::thresholds::Thresholds;

pub use buffers::Room;
pub use client::{Client, Clients};
pub use expire::ActiveExpiry;
pub use files::FilePlan;
use look_ahead::LookAhead;
use memory::Shares;
pub use memory::{MemoryPlan, beside_the_store, physical_memory, store_options};
use over_view::ViewRequests;
use parking::Parking;
pub use pause::Paused;
use pubsub::PubSub;
use saving::Saving;
use scripts::Scripts;
pub use serve::Unblocked;
pub use session::{Advance, Session, Status};
use shown::Monitors;
pub use shutdown::Shutdown;
pub use slowlog::SlowLog;
pub use stats::Stats;
pub use tick::Released;
use tick::TickEnd;
use waiters::Waiters;

/// Takes the new configuration and the old one. The error's text is for the log.
type Listen = Box<dyn FnMut(&Config, &Config) -> Result<(), String>>;

/// The executor's world.
pub struct Engine {
    /// All data, and what goes on in it.
    pub store: Store,
    /// The options at present.
    pub config: Config,
    /// All connections.
    pub clients: Clients,
    /// The time, as commands see it.
    pub clock: Clock,
    /// What is counted for INFO.
    pub stats: Stats,
    /// The last requests that took long.
    pub slowlog: SlowLog,
    /// What this run of the server is called.
    pub identity: control::Identity,
    /// When saves were asked for.
    pub saves: control::Saves,
    /// The save that runs, and how the last one went.
    pub(crate) saving: Saving,
    /// What commands over data go by; made anew when an option changes.
    pub(crate) limits: CallLimits,
    look_ahead: LookAhead,
    /// Seeds what each session's requests choose at random.
    random: Random,
    parking: Parking,
    /// Who listens to which channels.
    pub(crate) pubsub: PubSub,
    /// Those who wait for others to do something.
    pub(crate) waiters: Waiters,
    views: ViewRequests,
    /// Has the server listen where the configuration now says, and no longer where it said before.
    listen: Listen,
    tick_end: TickEnd,
    shares: Shares,
    /// Tells of connections that spoke another protocol.
    protocol_log: log::Seldom,
    /// Tells of what could not be read.
    damage_log: log::Seldom,
    /// How far active expiry has come.
    pub expiry: ActiveExpiry,
    /// CLIENT PAUSE.
    pub(crate) pause: pause::Pause,
    /// The interpreter, and the scripts that wait.
    pub(crate) scripts: Scripts,
    /// Who is shown requests.
    pub(crate) monitors: Monitors,
    /// How many clients are told when what they keep changes.
    pub(crate) tracking_clients: usize,
    /// Whether the server is to end.
    pub shutdown: Shutdown,
}

/// A connection, as the engine sees it: where what is to be sent to a client leaves.
pub trait Outlet {
    /// Sends what may leave now.
    fn flush(&self);
}

impl Engine {
    /// `wake` has [`Engine::commit_and_release`] called once what runs now is done.
    pub fn new(store: Store, config: Config, wake: Rc<dyn Fn()>) -> Engine {
        let clock = Clock::new();
        Engine {
            limits: call_limits(&config),
            shares: Shares::new(&config),
            look_ahead: LookAhead::default(),
            random: Random::new(),
            store,
            config,
            clients: Clients::default(),
            saves: control::Saves::new(clock.now_ms()),
            saving: Saving::default(),
            clock,
            stats: Stats::default(),
            slowlog: SlowLog::default(),
            identity: control::Identity::new(),
            parking: Parking::default(),
            pubsub: PubSub::default(),
            waiters: Waiters::default(),
            views: ViewRequests::default(),
            listen: Box::new(|_, _| Ok(())),
            tick_end: TickEnd::new(wake),
            protocol_log: log::Seldom::default(),
            damage_log: log::Seldom::default(),
            expiry: ActiveExpiry::default(),
            pause: pause::Pause::default(),
            scripts: Scripts::default(),
            monitors: Monitors::default(),
            tracking_clients: 0,
            shutdown: Shutdown::default(),
        }
    }

    /// What is to be done when CONFIG SET changes where the server listens.
    pub fn on_moved(&mut self, listen: impl FnMut(&Config, &Config) -> Result<(), String> + 'static) {
        self.listen = Box::new(listen);
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
