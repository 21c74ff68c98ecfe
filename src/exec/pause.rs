//! CLIENT PAUSE: which requests are set aside, and until when.

use super::Engine;

/// Which requests are set aside.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Paused {
    /// Those that may change data.
    Writes,
    /// Every request, CLIENT UNPAUSE too.
    All,
}

/// The pause under way, if there is one.
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

    /// Whether a request is set aside at present; `may_write`: it might change data.
    pub fn holds(&self, may_write: bool) -> bool {
        match self.paused {
            None => false,
            Some(Paused::Writes) => may_write,
            Some(Paused::All) => true,
        }
    }

    /// Whether anything is set aside at present.
    pub fn is_on(&self) -> bool {
        self.paused.is_some()
    }
}

impl Engine {
    /// Begins a pause until this Unix time, or makes the one there is longer and stricter. Keys past their deadline are
    /// hidden meanwhile, and not deleted. In the past, it does not begin.
    pub fn pause(&mut self, paused: Paused, until_ms: u64) {
        self.pause.extend(paused, until_ms);
        self.hide_expired_if_need_be();
        self.end_pause_in_time();
    }

    /// Ends the pause if its time has come. Called each tick.
    pub(super) fn end_pause_in_time(&mut self) {
        if self.pause.is_on() && self.pause.until_ms <= self.clock.now_ms() {
            self.end_pause();
        }
    }

    /// Ends the pause, if there is one, and wakes who was set aside.
    pub fn end_pause(&mut self) {
        self.pause = Pause::default();
        self.hide_expired_if_need_be();
        // They came before those who were set aside.
        self.store.touch_put_off();
        self.serve_touched();
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
