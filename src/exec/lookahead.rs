//! Looking ahead in a pipeline, for two reasons.
//!
//! While a request waits for the disk, the keys of those behind it are fetched too: a pipeline of cold reads waits about
//! once, not once a request.
//!
//! And a lookup in a large hot tier is a chain of cache misses, which is half of a GET's time. The lookups of several
//! requests, made one right after the other, wait for memory side by side; the requests then find it in the cache.

use super::table::{self, Run};
use super::{Engine, Session};
use crate::resp::{Decoder, Limits};

/// Requests looked at behind the one that waits.
const REQUESTS_AHEAD: usize = 64;

/// Requests warmed up at a time: few enough that what they touch is still in the cache when they run.
const WARM_REQUESTS: usize = 32;

impl Session {
    /// Touches the records that the requests in `input` are likely to name: their first arguments as keys. Returns how many
    /// requests that were. Nothing depends on it but time.
    pub(super) fn warm_up(&mut self, engine: &mut Engine, input: &[u8], limits: &Limits) -> usize {
        let mut at = 0;
        let mut names = [&b""[..]; WARM_REQUESTS];
        let mut requests = 0;
        while requests < WARM_REQUESTS && at < input.len() {
            let rest = &input[at..];
            let Ok(Some(len)) = self.scout.decode(rest, limits) else {
                break;
            };
            // Inline arguments may live in the decoder, and are not worth the trouble.
            if let Some(name) = self.scout.args(rest).get(1)
                && rest.as_ptr_range().contains(&name.as_ptr())
            {
                let start = name.as_ptr() as usize - rest.as_ptr() as usize;
                names[requests] = &rest[start..start + name.len()];
            }
            self.scout.reset();
            at += len;
            requests += 1;
        }
        self.scout.reset();
        engine.store.warm_up(self.db, &names[..requests]);
        requests
    }

    pub(super) fn look_ahead(&self, engine: &mut Engine, input: &[u8], limits: &Limits) {
        let mut decoder = Decoder::new();
        let mut at = 0;
        let mut records = Vec::new();
        for _ in 0..REQUESTS_AHEAD {
            // What is not a whole request, or none at all, is dealt with when its turn comes.
            let Ok(Some(len)) = decoder.decode(&input[at..], limits) else {
                break;
            };
            let args = decoder.args(&input[at..]);
            let Some(found) = args.get(0).and_then(table::find) else {
                break;
            };
            let command = found.command;
            // From here on the database, or who may read, could be another.
            let Run::Data(_) = command.run else { break };
            if command.accepts(args.len())
                && let Some(positions) = command.key_positions(args)
            {
                let keys = positions.iter().map(|&i| &args[i]);
                records.extend(engine.store.unknown_keys(self.db, keys));
            }
            decoder.reset();
            at += len;
        }
        engine.store.read_ahead(records);
    }
}
