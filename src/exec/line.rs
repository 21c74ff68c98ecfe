//! The line of those who have to wait because much is staged: requests that would add to it. All others go on.
//!
//! They run in the order in which they came: the first runs as soon as the disk has caught up, and wakes the next.

use std::collections::BTreeMap;
use std::task::Waker;

use super::table::{Command, flag};
use super::{Engine, Session};

#[derive(Default)]
pub struct Line {
    waiting: BTreeMap<u64, Waker>,
    next: u64,
}

impl Line {
    /// Whether nobody is before this place, or before somebody who would come now.
    fn is_first(&self, place: Option<u64>) -> bool {
        self.waiting
            .keys()
            .next()
            .is_none_or(|first| Some(*first) == place)
    }

    fn wait_in(&mut self, place: Option<u64>, waker: &Waker) -> u64 {
        let place = place.unwrap_or(self.next);
        self.next = self.next.max(place + 1);
        self.waiting.insert(place, waker.clone());
        place
    }

    fn leave(&mut self, place: u64) {
        self.waiting.remove(&place);
        self.wake_first();
    }

    fn wake_first(&self) {
        if let Some((_, waker)) = self.waiting.first_key_value() {
            waker.wake_by_ref();
        }
    }
}

/// Whether running it may add to what is staged.
fn adds(command: &Command) -> bool {
    command.has(flag::WRITE) || command.has(flag::MAY_REPLICATE)
}

impl Session {
    /// Whether a request may run now as far as memory is concerned. If not, it is in the line. Who had its turn there goes
    /// on until others have theirs.
    pub(super) fn is_admitted(&mut self, engine: &mut Engine, command: &Command, waker: &Waker) -> bool {
        if !adds(command) {
            return true;
        }
        // What has been fetched for a request is held for it alone.
        let is_turn = self.had_turn || self.ticket.is_some() || engine.line.is_first(self.place);
        if engine.store.is_congested() || !is_turn {
            self.place = Some(engine.line.wait_in(self.place, waker));
            self.had_turn = false;
            return false;
        }
        if self.place.is_some() {
            self.had_turn = true;
            self.leave_line(engine);
        }
        true
    }

    pub(super) fn leave_line(&mut self, engine: &mut Engine) {
        if let Some(place) = self.place.take() {
            engine.line.leave(place);
        }
    }
}

impl Engine {
    /// How many requests wait in the line.
    pub(super) fn waiting_writes(&self) -> usize {
        self.line.waiting.len()
    }

    /// Has the first of the line go on, if it can.
    pub(super) fn move_line(&self) {
        if !self.store.is_congested() {
            self.line.wake_first();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_keeps_the_place_and_is_first_when_those_before_have_left() {
        let mut line = Line::default();
        let waker = Waker::noop();
        assert!(line.is_first(None));
        let places: Vec<u64> = (0..3).map(|_| line.wait_in(None, waker)).collect();
        let [a, b, c] = places[..] else { unreachable!() };
        assert!(line.is_first(Some(a)) && !line.is_first(Some(b)) && !line.is_first(None));
        assert_eq!(line.wait_in(Some(a), waker), a, "woken too early");
        line.leave(b);
        line.leave(a);
        assert!(line.is_first(Some(c)) && !line.is_first(None));
        line.leave(c);
        assert!(line.is_first(None));
    }
}
