//! What every black-box test stands on: a server of its own, a client to talk to it, reproducible chance.

pub mod client;
pub mod reply;
pub mod rng;
pub mod server;
pub mod store;
pub mod text;
pub mod transaction;
pub mod value;
pub mod writer;

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub use client::Client;
pub use rng::Rng;
pub use server::{Kind, Server};
pub use value::Value;

static HEAVY: Mutex<()> = Mutex::new(());

/// Held by a test that loads the machine: test threads run in parallel, but only one of these at a time.
pub fn heavy() -> MutexGuard<'static, ()> {
    HEAVY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A number from the environment, for runs longer than the default.
pub fn env_number(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{name}={text} is not a number")),
        Err(_) => default,
    }
}

/// Asks until the answer is `Some`, or panics when `limit` has passed.
pub fn wait_for<T>(what: &str, limit: Duration, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(start.elapsed() < limit, "waited {limit:?} in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
