//! While a request waits for the disk, the keys of those behind it in the pipeline are fetched too: a pipeline of cold
//! reads waits about once, not once a request.

use super::table::{self, Run};
use super::{Engine, Session};
use crate::resp::{Decoder, Limits};

/// Requests looked at behind the one that waits.
const REQUESTS_AHEAD: usize = 64;

impl Session {
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
