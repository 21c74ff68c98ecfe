//! Time as commands see it: Unix milliseconds, the same for all that one turn of the executor runs.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

pub struct Clock {
    now_ms: u64,
    /// When the server was started.
    pub started: Instant,
}

impl Clock {
    #[allow(clippy::new_without_default)]
    pub fn new() -> Clock {
        Clock {
            now_ms: unix_ms(),
            started: Instant::now(),
        }
    }

    /// Reads the clock.
    pub fn refresh(&mut self) -> u64 {
        self.now_ms = unix_ms();
        self.now_ms
    }

    /// The time last read, in Unix milliseconds.
    pub fn now_ms(&self) -> u64 {
        self.now_ms
    }
}

fn unix_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| d.as_millis() as u64)
}
