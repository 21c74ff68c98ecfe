//! The line of those who have to wait because much is staged: requests that would add to it. All others go on.
//!
//! They run in the order in which they came: the first runs as soon as the disk has caught up, and wakes the next.

use std::collections::BTreeMap;
use std::task::Waker;

use super::parking::Wait;
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

    /// A place behind all others.
    fn new_place(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }

    pub fn wait_at(&mut self, place: u64, waker: Waker) {
        self.waiting.insert(place, waker);
    }

    pub fn leave(&mut self, place: u64) {
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
    /// The turn that a request has to wait for, if it may not run now as far as memory is concerned; `place` is where it has
    /// waited so far. Who had a turn goes on until others have theirs.
    pub(super) fn turn(
        &mut self,
        engine: &mut Engine,
        command: &Command,
        place: Option<u64>,
    ) -> Option<Wait> {
        if !adds(command) {
            return None;
        }
        let line = &mut engine.parking.line;
        // What has been fetched for a request is held for it alone.
        let is_turn = self.had_turn || self.request.ticket.is_some() || line.is_first(place);
        if engine.store.is_congested() || !is_turn {
            self.had_turn = false;
            return Some(Wait::Turn(place.unwrap_or_else(|| line.new_place())));
        }
        self.had_turn |= place.is_some();
        None
    }
}

impl Engine {
    /// How many requests wait in the line.
    pub(super) fn waiting_writes(&self) -> usize {
        self.parking.line.waiting.len()
    }

    /// Has the first of the line go on, if it can.
    pub(super) fn move_line(&self) {
        if !self.store.is_congested() {
            self.parking.line.wake_first();
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
        let [a, b, c] = [(); 3].map(|()| {
            let place = line.new_place();
            line.wait_at(place, waker.clone());
            place
        });
        assert!(line.is_first(Some(a)) && !line.is_first(Some(b)) && !line.is_first(None));
        // It was woken too early.
        line.wait_at(a, waker.clone());
        line.leave(b);
        line.leave(a);
        assert!(line.is_first(Some(c)) && !line.is_first(None));
        line.leave(c);
        assert!(line.is_first(None));
    }
}
