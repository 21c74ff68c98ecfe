//! Limits on the buffers of a connection: a client that reads its replies too slowly, or sends too much at once, is
//! disconnected. (Without a limit it only waits: see [`super::session::OUTPUT_PAUSE`].)

use super::{Client, Engine};
use crate::base::log;

/// Bytes of replies that no limit counts: Redis keeps so many in the client itself.
const FREE_OUTPUT: usize = 16 << 10;

impl Client {
    /// Ends the connection if more of a request, or of replies, is in memory than the configuration allows.
    pub(super) fn enforce_hard_limits(&self, engine: &Engine, input: usize, output: usize) {
        let hard = engine.config.client_output_buffer_limit.normal.hard_bytes;
        if input as u64 > engine.config.client_query_buffer_limit {
            self.end_for("that reached max query buffer length");
        } else if hard > 0 && output.saturating_sub(FREE_OUTPUT) as u64 > hard {
            self.end_for("for overcoming of output buffer limits");
        }
    }

    fn end_for(&self, reason: &str) {
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
        let limit = self.config.client_output_buffer_limit.normal;
        if limit.soft_bytes == 0 {
            return;
        }
        let now = self.clock.now_ms();
        for client in self.clients.iter() {
            let output = client.unread_bytes.get().saturating_sub(FREE_OUTPUT);
            let over = output as u64 > limit.soft_bytes;
            match client.over_soft_limit_since_ms.get() {
                _ if !over => client.over_soft_limit_since_ms.set(None),
                None => client.over_soft_limit_since_ms.set(Some(now)),
                Some(since) if now.saturating_sub(since) / 1000 > limit.soft_seconds => {
                    client.end_for("for overcoming of output buffer limits");
                }
                Some(_) => {}
            }
        }
    }
}
