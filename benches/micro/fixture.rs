//! A store in a temporary directory, driven as the executor does, and requests that are decoded already.

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};

use redkeep::command::{Call, CallLimits, Handler};
use redkeep::config::Config;
use redkeep::disk::Durability;
use redkeep::exec::{call_limits, store_options};
use redkeep::resp::{Decoder, Limits, Protocol};
use redkeep::store::{Store, StoreOptions};
use tempfile::TempDir;

use crate::common::{push_argument, write_digits};

pub const VALUE_SIZE: usize = 100;
/// Unix milliseconds, as every transaction sees them.
const NOW: u64 = 1_700_000_000_000;

/// `key:` and twelve digits.
pub fn key(number: u64) -> [u8; 16] {
    let mut key = *b"key:000000000000";
    write_digits(&mut key[4..], number);
    key
}

pub fn request(args: &[&[u8]]) -> Vec<u8> {
    let mut request = format!("*{}\r\n", args.len()).into_bytes();
    args.iter().for_each(|arg| push_argument(&mut request, arg));
    request
}

/// A command and its arguments.
pub struct Prepared {
    handler: Handler,
    request: Vec<u8>,
    decoder: Decoder,
}

impl Prepared {
    pub fn new(handler: Handler, args: &[&[u8]]) -> Prepared {
        let request = request(args);
        let mut decoder = Decoder::new();
        let width = decoder.decode(&request, &Limits::default());
        assert_eq!(width, Ok(Some(request.len())));
        Prepared {
            handler,
            request,
            decoder,
        }
    }
}

pub struct Fixture {
    store: Store,
    limits: CallLimits,
    woken: Receiver<()>,
    _dir: TempDir,
}

impl Fixture {
    pub fn new(durability: Durability) -> Fixture {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let (wake, woken) = mpsc::channel();
        let config = Config::default();
        let options = StoreOptions {
            durability,
            ..store_options(&config)
        };
        let wake = Arc::new(move || {
            // This fails only when the fixture is gone.
            let _ = wake.send(());
        });
        Fixture {
            store: Store::open(dir.path(), &options, wake).expect("a store"),
            limits: call_limits(&config),
            woken,
            _dir: dir,
        }
    }

    /// Runs a command whose records are all in memory, and applies it.
    pub fn run(&mut self, prepared: &Prepared) {
        let call = Call {
            args: prepared.decoder.args(&prepared.request),
            db: 0,
            limits: &self.limits,
            protocol: Protocol::Resp2,
            sink: None,
        };
        let mut txn = self.store.begin(NOW);
        let result = (prepared.handler)(&mut txn, &call);
        let end = txn.end();
        std::hint::black_box(result.expect("a command that succeeds"));
        self.store.stage(end);
    }

    /// Commits what is staged.
    pub fn commit(&mut self) {
        self.store.end_tick(NOW);
        while !self.store.is_idle() {
            self.woken.recv().expect("the store's threads live");
            self.store.end_tick(NOW);
        }
    }
}
