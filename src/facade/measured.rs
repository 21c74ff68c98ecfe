//! The parts that `benches/micro` measures one by one: requests decoded, replies encoded, commands run and committed.

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};

use crate::command::{Call, CallLimits, Handler};
use crate::config::Config;
use crate::disk::Durability;
use crate::exec::table::{self, Run};
use crate::exec::{call_limits, store_options};
use crate::resp::{Decoder, Limits, Protocol, Reply, encode};
use crate::store::{Store, StoreOptions};

/// Unix milliseconds, as every transaction sees them.
const NOW: u64 = 1_700_000_000_000;

/// Requests that are decoded one after the other.
pub struct Pipeline {
    requests: Vec<u8>,
    decoder: Decoder,
    limits: Limits,
}

impl Pipeline {
    /// Whole requests, as they come from a client.
    pub fn new(requests: Vec<u8>) -> Pipeline {
        Pipeline {
            requests,
            decoder: Decoder::new(),
            limits: Limits::default(),
        }
    }

    /// Decodes all of them, and looks at the second argument of each. Panics if they are not whole requests.
    pub fn decode(&mut self) {
        let mut rest = &self.requests[..];
        while let Ok(Some(width)) = self.decoder.decode(rest, &self.limits) {
            black_box(self.decoder.args(rest).get(1));
            self.decoder.reset();
            rest = &rest[width..];
        }
        assert!(rest.is_empty(), "the whole pipeline is decoded");
    }
}

/// A reply to be encoded, and the protocol it is encoded for.
pub struct Answer {
    reply: Reply,
    protocol: Protocol,
}

impl Answer {
    /// `+OK`.
    pub fn ok() -> Answer {
        Answer::resp2(Reply::Ok)
    }

    /// A number of seven digits.
    pub fn integer() -> Answer {
        Answer::resp2(Reply::Int(1_234_567))
    }

    /// One bulk string, shared as the hot tier shares what it holds.
    pub fn bulk(value: &[u8]) -> Answer {
        Answer::resp2(Reply::bulk(Arc::from(value)))
    }

    /// An array of `length` bulk strings, all the same.
    pub fn bulks(value: &[u8], length: usize) -> Answer {
        let shared: Arc<[u8]> = Arc::from(value);
        Answer::resp2(Reply::Array(vec![Reply::bulk(shared); length]))
    }

    /// A map of RESP3 from integers to `length` doubles, most of which have many digits.
    pub fn doubles(length: i64) -> Answer {
        let entry = |i| (Reply::Int(i), Reply::Double(i as f64 / 3.0));
        Answer {
            reply: Reply::Map((0..length).map(entry).collect()),
            protocol: Protocol::Resp3,
        }
    }

    /// Appends the reply's bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        encode(black_box(&self.reply), self.protocol, out);
    }

    fn resp2(reply: Reply) -> Answer {
        Answer {
            reply,
            protocol: Protocol::Resp2,
        }
    }
}

/// A command over data and its arguments, decoded already.
pub struct Prepared {
    handler: Handler,
    request: Vec<u8>,
    decoder: Decoder,
}

impl Prepared {
    /// Panics if `request` is not one whole request of a command over data.
    pub fn new(request: Vec<u8>) -> Prepared {
        let mut decoder = Decoder::new();
        let width = decoder.decode(&request, &Limits::default());
        assert_eq!(width, Ok(Some(request.len())), "one whole request");
        let name = decoder.args(&request).get(0).unwrap_or_default();
        let Some(Run::Data(handler)) = table::find(name).map(|found| found.command.run) else {
            panic!("{} is no command over data", name.escape_ascii());
        };
        Prepared {
            handler,
            request,
            decoder,
        }
    }
}

/// A store that is driven as the executor does, without sessions.
pub struct Commands {
    store: Store,
    limits: CallLimits,
    woken: Receiver<()>,
}

impl Commands {
    /// Makes a store in an empty directory. A commit is settled when it is written or, if `synced`, fsynced. Panics if the store
    /// cannot be made.
    pub fn new(dir: &Path, synced: bool) -> Commands {
        let (wake, woken) = mpsc::channel();
        let config = Config::default();
        let options = StoreOptions {
            durability: match synced {
                true => Durability::Synced,
                false => Durability::Written,
            },
            ..store_options(&config)
        };
        let wake = Arc::new(move || {
            // This fails only when the receiver is gone, and with it whoever could commit.
            let _ = wake.send(());
        });
        Commands {
            store: Store::open(dir, &options, wake).unwrap_or_else(|e| panic!("{e}")),
            limits: call_limits(&config),
            woken,
        }
    }

    /// Runs a command whose records are all in memory, and stages what it writes. Panics if it fails.
    pub fn run(&mut self, prepared: &Prepared) {
        let call = Call {
            args: prepared.decoder.args(&prepared.request),
            ..Call::by(&self.limits)
        };
        let mut txn = self.store.begin(NOW);
        let result = (prepared.handler)(&mut txn, &call);
        let end = txn.end();
        black_box(result.unwrap_or_else(|_| panic!("a command that does not succeed")));
        self.store.stage(end);
    }

    /// Commits what is staged, and waits until that is settled.
    pub fn commit(&mut self) {
        self.store.end_tick(NOW);
        while !self.store.is_idle() {
            self.woken.recv().unwrap_or_else(|e| panic!("{e}"));
            self.store.end_tick(NOW);
        }
    }
}
