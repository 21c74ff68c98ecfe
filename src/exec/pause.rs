//! CLIENT PAUSE: which requests are set aside, and until when.

use super::Engine;

/// Which requests are set aside.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Paused {
    Writes,
    All,
}

#[derive(Default)]
pub struct Pause {
    paused: Option<Paused>,
    until_ms: u64,
}

impl Pause {
    /// Begins a pause, or adds to the one there is: the later end and the stricter kind count.
    fn extend(&mut self, paused: Paused, until_ms: u64) {
        self.paused = self.paused.max(Some(paused));
        self.until_ms = self.until_ms.max(until_ms);
    }

    /// Whether it holds a request back; `may_write`: the request might change data.
    pub fn holds(&self, may_write: bool) -> bool {
        match self.paused {
            None => false,
            Some(Paused::Writes) => may_write,
            Some(Paused::All) => true,
        }
    }

    pub fn is_on(&self) -> bool {
        self.paused.is_some()
    }
}

impl Engine {
    pub fn pause(&mut self, paused: Paused, until_ms: u64) {
        self.pause.extend(paused, until_ms);
        self.store.hide_expired(true);
        self.end_pause_in_time();
    }

    /// Ends the pause if its time has come. Called each tick.
    pub(super) fn end_pause_in_time(&mut self) {
        if self.pause.is_on() && self.pause.until_ms <= self.clock.now_ms() {
            self.end_pause();
        }
    }

    pub fn end_pause(&mut self) {
        self.store.hide_expired(false);
        self.pause = Pause::default();
        self.parking.wake_after_pause();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_later_end_and_the_stricter_kind_count() {
        let mut pause = Pause::default();
        pause.extend(Paused::All, 100);
        pause.extend(Paused::Writes, 200);
        pause.extend(Paused::Writes, 150);
        assert_eq!((pause.paused, pause.until_ms), (Some(Paused::All), 200));
    }
}
