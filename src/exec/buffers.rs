//! Limits on the buffers of connections. A client that reads its replies too slowly, or sends too much at once, is
//! disconnected; and when the buffers of all clients hold too much together, those with the largest are. (Without a limit of
//! its own a client that does not read only waits: see [`super::session::OUTPUT_PAUSE`].)

use std::cell::Cell;
use std::rc::Rc;

use super::client::Buffers;
use super::{Client, Engine};
use crate::base::log;
use crate::config::OutputLimit;

/// Bytes of replies that no limit counts: Redis keeps so many in the client itself.
const FREE_OUTPUT: usize = 16 << 10;
/// When there is too much, so large a part of the limit is made free beyond it: whoever goes is looked for once in a while
/// only.
const FREED_SHARE: usize = 16;
/// The hot tier's budget follows what clients hold when that has changed by such a share of what both have.
const BUDGET_STEP_SHARE: usize = 64;

/// What a connection may do that is to take more memory.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Room {
    /// It may go on.
    There,
    /// Others that hold too much have yet to go.
    Soon,
}

impl Client {
    /// Ends the connection if more of requests (`input` bytes), or of replies, is in memory than the configuration allows.
    pub(super) fn enforce_hard_limits(&self, engine: &Engine, input: usize) {
        match input as u64 > engine.config.client_query_buffer_limit {
            true => self.end_for(&engine.clients.over_input, "that reached max query buffer length"),
            false => self.enforce_output_limit(engine),
        }
    }

    /// Ends the connection if more is to be sent to it than the configuration allows.
    pub(super) fn enforce_output_limit(&self, engine: &Engine) {
        let hard = self.output_limit(engine).hard_bytes;
        if hard > 0 && self.output().saturating_sub(FREE_OUTPUT) as u64 > hard {
            self.end_for(
                &engine.clients.over_output,
                "for overcoming of output buffer limits",
            );
        }
    }

    /// The limit of its class.
    fn output_limit(&self, engine: &Engine) -> OutputLimit {
        let limits = &engine.config.client_output_buffer_limit;
        match self.listens.get() {
            true => limits.pubsub,
            false => limits.normal,
        }
    }

    fn end_for(&self, count: &Cell<u64>, reason: &str) {
        if self.killed.get() {
            return;
        }
        count.set(count.get() + 1);
        log::warning(format_args!(
            "Closing client {reason}: id={} addr={}",
            self.id, self.address
        ));
        self.kill();
    }
}

impl Engine {
    /// Ends connections that have had more to read than the soft limit for too long. Called each second.
    pub(super) fn enforce_soft_limits(&self) {
        let limits = self.config.client_output_buffer_limit;
        if limits.normal.soft_bytes == 0 && limits.pubsub.soft_bytes == 0 {
            return;
        }
        let now = self.clock.now_ms();
        for client in self.clients.iter() {
            let limit = client.output_limit(self);
            let output = client.buffers.get().output.saturating_sub(FREE_OUTPUT);
            let over = limit.soft_bytes > 0 && output as u64 > limit.soft_bytes;
            match client.over_soft_limit_since_ms.get() {
                _ if !over => client.over_soft_limit_since_ms.set(None),
                None => client.over_soft_limit_since_ms.set(Some(now)),
                Some(since) if now.saturating_sub(since) / 1000 > limit.soft_seconds => {
                    client.end_for(
                        &self.clients.over_output,
                        "for overcoming of output buffer limits",
                    );
                }
                Some(_) => {}
            }
        }
    }

    /// Notes what a connection's buffers hold now. If that is too much for all together, those that hold most are ended,
    /// perhaps this one.
    #[inline]
    pub fn note_buffers(&mut self, client: &Client, buffers: Buffers) {
        if client.buffers.replace(buffers) != buffers {
            self.count_buffers(client, buffers.memory());
        }
    }

    /// A connection is about to take `bytes` more.
    pub fn ask_for_room(&mut self, client: &Client, bytes: usize) -> Room {
        let before = client.counted.get();
        if !self.is_crowded() {
            self.count_buffers(client, before + bytes);
        }
        match self.is_crowded() {
            true => {
                self.clients.count(client, before);
                Room::Soon
            }
            false => Room::There,
        }
    }

    /// Whether those that were ended to make room are still there: who is about to read lets them go first.
    #[inline]
    pub fn is_crowded(&self) -> bool {
        self.clients.leaving_bytes() > 0 && self.clients.buffered_bytes() > self.shares.plan.clients
    }

    /// Whether a connection whose request waits may read what comes behind it.
    pub fn may_read_ahead(&self) -> bool {
        self.clients.buffered_bytes() <= self.shares.plan.clients / 2
    }

    fn count_buffers(&mut self, client: &Client, bytes: usize) {
        self.clients.count(client, bytes);
        if self.clients.staying_bytes() <= self.shares.plan.clients {
            self.shares.nobody_can_go = false;
        } else if !self.shares.nobody_can_go {
            self.evict_clients();
        }
        let moved = self.clients.buffered_bytes().abs_diff(self.shares.clients);
        if moved > self.shares.plan.rest as usize / BUDGET_STEP_SHARE {
            self.share_out_memory();
        }
    }

    /// Ends the connections with the largest buffers, until the others' are within the limit.
    fn evict_clients(&mut self) {
        let limit = self.shares.plan.clients;
        let goal = limit - limit / FREED_SHARE;
        let may_go = |client: &&Rc<Client>| !client.no_evict.get() && !client.killed.get();
        let mut clients: Vec<Rc<Client>> = self.clients.iter().filter(may_go).cloned().collect();
        // Messages that it is to be sent are shared, but stay as long as it does.
        let held = |client: &Client| client.counted.get() + client.buffers.get().shared;
        clients.sort_unstable_by_key(|client| held(client));
        let mut shared = 0;
        while self.clients.staying_bytes() > goal + shared
            && let Some(client) = clients.pop_if(|client| held(client) > 0)
        {
            shared += client.buffers.get().shared;
            log::notice(format_args!(
                "Evicting client: id={} addr={}: its buffers hold {} bytes, those of all clients {} of {limit}",
                client.id,
                client.address,
                held(&client),
                self.clients.staying_bytes(),
            ));
            self.clients.evict(&client);
            self.stats.evicted_clients += 1;
        }
        self.shares.nobody_can_go = self.clients.staying_bytes() > limit;
    }

    /// The limit may have changed, or who can go: evicts again if there is still too much. Called each second.
    pub(super) fn enforce_client_share(&mut self) {
        self.shares.nobody_can_go = false;
        if self.clients.staying_bytes() > self.shares.plan.clients {
            self.evict_clients();
        }
    }
}
