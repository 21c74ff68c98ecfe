//! Time as commands see it: Unix milliseconds, the same for all that one turn of the executor runs.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// The clock of the executor.
pub struct Clock {
    now_ms: u64,
    lap: Instant,
    /// When the server was started.
    pub started: Instant,
}

impl Clock {
    /// A clock that shows the time of now, which is also when the server started.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Clock {
        let now = Instant::now();
        Clock {
            now_ms: unix_ms(),
            lap: now,
            started: now,
        }
    }

    /// Reads the clock.
    pub fn refresh(&mut self) -> u64 {
        self.now_ms = unix_ms();
        self.now_ms
    }

    /// Begins to measure what runs now.
    pub fn start_lap(&mut self) {
        self.lap = Instant::now();
    }

    /// Nanoseconds since the last lap ended.
    pub fn end_lap(&mut self) -> u64 {
        let now = Instant::now();
        let lap = now.duration_since(self.lap).as_nanos() as u64;
        self.lap = now;
        lap
    }

    /// The time of now in Unix microseconds, whatever was read last.
    pub fn now_micros(&self) -> u64 {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |d| d.as_micros() as u64)
    }

    /// The time last read, in Unix milliseconds.
    pub fn now_ms(&self) -> u64 {
        self.now_ms
    }
}

/// The time of now in Unix milliseconds.
pub fn unix_ms() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |d| d.as_millis() as u64)
}
