//! Looking at requests before they run, for two reasons.
//!
//! While a request waits for the disk, the keys of those behind it in a pipeline are fetched too: a pipeline of cold reads
//! waits about once, not once a request.
//!
//! And a lookup in a large hot tier is a chain of cache misses, which is half of a GET's time. The lookups of several
//! requests, made one right after the other, wait for memory side by side; the requests then find it in the cache. These
//! are requests of one pipeline, or those that several connections have sent by the beginning of a tick.

use std::ops::Range;

use super::table::{self, Command, Found, Run};
use super::{Engine, Session};
use crate::disk::format::RecordKey;
use crate::resp::{Args, Decoder, Limits};
use crate::store::{Key, Store};
use crate::types::warm;

/// Requests looked at behind the one that waits.
const REQUESTS_AHEAD: usize = 64;

/// Requests of a pipeline warmed up at a time: few enough that what they touch is still in the cache when they run.
const WARM_REQUESTS: usize = 32;

/// Requests of several connections warmed up at a time, likewise. Others behind them do without.
const REQUESTS_OF_OTHERS: usize = 128;

/// A longer argument is not taken for the name of a key or of an element.
const LONGEST_NAME: usize = 256;

/// What requests that did not run yet are likely to touch. Nothing depends on it but time.
#[derive(Default)]
pub struct LookAhead {
    /// Whether the sockets are read here, all that have something to say one after the other.
    pub(super) reads_before_running: bool,
    /// Scratch.
    decoder: Decoder,
    /// Requests of the pipeline that runs, decoded when they were warmed up: those of this range are still to run.
    decoded: Vec<Decoded>,
    to_run: Range<usize>,
    /// The records of their first arguments, as keys, each once where it comes several times in a row.
    keys: Vec<RecordKey>,
    /// Of each request: the number of its key, and where in `bytes` the name of an element is, if it may have one.
    elements: Vec<(usize, Range<usize>)>,
    bytes: Vec<u8>,
    /// Scratch: the pages with these elements.
    pages: Vec<RecordKey>,
}

/// A request, how many bytes it has, and what it is. A place for others, once it has run.
#[derive(Default)]
struct Decoded {
    decoder: Decoder,
    len: usize,
    /// Its row, if there is one.
    found: Option<Found>,
}

impl LookAhead {
    /// What is decoded of a pipeline is not run in this turn.
    pub(super) fn forget_decoded(&mut self) {
        for left in &mut self.decoded[self.to_run.clone()] {
            left.decoder.reset();
        }
        self.to_run = 0..0;
    }

    /// Puts the next request of the pipeline in place of a decoder that is done with its own, if it has been decoded. Returns
    /// how many bytes it has, and its row.
    pub(super) fn take_decoded(&mut self, decoder: &mut Decoder) -> Option<(usize, Option<Found>)> {
        let next = &mut self.decoded[self.to_run.next()?];
        std::mem::swap(decoder, &mut next.decoder);
        Some((next.len, next.found))
    }

    /// Whether no request is decoded that is still to run.
    pub(super) fn has_run_decoded(&self) -> bool {
        self.to_run.is_empty()
    }

    /// Decodes the request that begins `input`, to be run behind those that are decoded already. Returns how many bytes it has,
    /// if it is whole.
    fn decode(&mut self, input: &[u8], limits: &Limits) -> Option<usize> {
        if self.to_run.end == self.decoded.len() {
            self.decoded.push(Decoded::default());
        }
        let Decoded { decoder, len, .. } = &mut self.decoded[self.to_run.end];
        let Ok(Some(whole)) = decoder.decode(input, limits) else {
            // It is read again when its turn comes, and what is wrong with it said then.
            decoder.reset();
            return None;
        };
        *len = whole;
        self.to_run.end += 1;
        Some(whole)
    }

    /// Notes a request. Whether it is likely to touch anything.
    fn note(&mut self, store: &Store, db: usize, args: Args, command: &Command) -> bool {
        let is_name = |argument: &&[u8]| argument.len() <= LONGEST_NAME;
        let name = command.first_key().and_then(|at| args.get(at));
        let Some(name) = name.filter(is_name) else {
            return false;
        };
        let key = store.record_of(Key { db, name });
        if self.keys.last() != Some(&key) {
            self.keys.push(key);
        }
        let element = command.element(args.len()).and_then(|at| args.get(at));
        let start = self.bytes.len();
        self.bytes
            .extend_from_slice(element.filter(is_name).unwrap_or_default());
        self.elements.push((self.keys.len() - 1, start..self.bytes.len()));
        true
    }

    /// Whether no noted request waits for others to be read.
    pub(super) fn is_empty(&self) -> bool {
        self.elements.is_empty()
    }

    /// Has the processor load it: the keys first, as they tell where elements are. What is alone can wait for itself.
    fn load_noted(&mut self, store: &Store) {
        if self.elements.len() > 1 {
            self.load(store);
        }
        self.keys.clear();
        self.elements.clear();
        self.bytes.clear();
    }

    fn load(&mut self, store: &Store) {
        store.warm_up(&self.keys);
        for of_key in self.elements.chunk_by(|(a, _), (b, _)| a == b) {
            let key = store.value_in_memory(&self.keys[of_key[0].0]);
            if let Some(table) = key.and_then(|key| warm::table(key)) {
                let names = of_key.iter().map(|(_, range)| &self.bytes[range.clone()]);
                let pages = names.filter(|name| !name.is_empty());
                self.pages.extend(pages.map(|name| table.page_with(name)));
            }
        }
        store.warm_up(&self.pages);
        self.pages.clear();
    }
}

impl Engine {
    /// From now on the sockets are read by the executor, or are not.
    pub fn set_reads_before_running(&mut self, yes: bool) {
        self.look_ahead.reads_before_running = yes;
    }

    /// The first of the requests that were noted is about to run.
    pub(super) fn warm_up_noted(&mut self) {
        self.look_ahead.load_noted(&self.store);
    }
}

impl Session {
    /// Whether the first request should wait until those of other connections have been read, too: once, and if it is
    /// worth it.
    pub(super) fn lets_others_be_read(&mut self, engine: &mut Engine, input: &[u8]) -> bool {
        let is_alone = engine.clients.len() == 1 || !engine.look_ahead.reads_before_running;
        let is_full = engine.look_ahead.elements.len() >= REQUESTS_OF_OTHERS;
        let is_going = self.closing || !self.authenticated || self.client.killed.get();
        if std::mem::take(&mut self.has_let_others_be_read)
            || is_alone
            || is_full
            || is_going
            || self.request.wait.is_some()
            || !self.client.was_sent_all()
        {
            return false;
        }
        let limits = self.limits(engine);
        // What is wrong with a request is said when it is read again, to be run.
        let Ok(Some(_)) = self.decoder.decode(input, &limits) else {
            return false;
        };
        let args = self.decoder.args(input);
        let found = args.get(0).and_then(table::find);
        let Some(Found { command, .. }) = found.filter(|found| found.command.searches_memory(args.len()))
        else {
            return false;
        };
        self.has_let_others_be_read = engine.look_ahead.note(&engine.store, self.db, args, command);
        self.has_let_others_be_read
    }

    /// Decodes the requests in `input`, and warms them up. None that are decoded are still to run.
    pub(super) fn warm_up(&self, engine: &mut Engine, input: &[u8], limits: &Limits) {
        let ahead = &mut engine.look_ahead;
        ahead.to_run = 0..0;
        let mut at = 0;
        while ahead.to_run.len() < WARM_REQUESTS
            && at < input.len()
            && let Some(len) = ahead.decode(&input[at..], limits)
        {
            // It is noted by what is decoded of it, which is lent out for that.
            let number = ahead.to_run.end - 1;
            let decoder = std::mem::take(&mut ahead.decoded[number].decoder);
            let args = decoder.args(&input[at..]);
            let found = args.get(0).and_then(table::find);
            if let Some(Found { command, .. }) = found {
                ahead.note(&engine.store, self.db, args, command);
            }
            ahead.decoded[number].found = found;
            ahead.decoded[number].decoder = decoder;
            at += len;
        }
        ahead.load_noted(&engine.store);
    }

    /// Asks for the records of requests behind one that waits: `input` begins with the first of them. What is not a whole
    /// request, or might be about another database, ends the look.
    pub(super) fn look_ahead(&self, engine: &mut Engine, input: &[u8], limits: &Limits) {
        let mut decoder = std::mem::take(&mut engine.look_ahead.decoder);
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
            let (Run::Data(_) | Run::Scripted(_)) = command.run else {
                break;
            };
            if command.accepts(args.len())
                && let Some(positions) = command.key_positions(args)
            {
                let unknown = |at| engine.store.unknown_key(self.db, &args[at]);
                records.extend(positions.into_iter().filter_map(unknown));
            }
            decoder.reset();
            at += len;
        }
        decoder.reset();
        engine.look_ahead.decoder = decoder;
        engine.store.read_ahead(records);
    }
}
