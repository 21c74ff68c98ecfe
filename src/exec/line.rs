//! The line of those who have to wait because much is staged. They run in the order in which they came: the first runs as
//! soon as the disk has caught up, and wakes the next.

use std::collections::BTreeMap;
use std::task::Waker;

use super::Engine;

/// Who waits, by place: the lowest is first.
#[derive(Default)]
pub struct Line {
    waiting: BTreeMap<u64, Waker>,
    next: u64,
}

impl Line {
    /// Whether nobody is before this place, or before somebody who would come now.
    pub fn is_first(&self, place: Option<u64>) -> bool {
        self.waiting
            .keys()
            .next()
            .is_none_or(|first| Some(*first) == place)
    }

    /// A place behind all others.
    pub fn new_place(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Parks the waker of whoever has this place, or parks it anew.
    pub fn wait_at(&mut self, place: u64, waker: Waker) {
        self.waiting.insert(place, waker);
    }

    /// Gives up a place, waited at or not, and wakes who is first now.
    pub fn leave(&mut self, place: u64) {
        self.waiting.remove(&place);
        self.wake_first();
    }

    /// Wakes who is first, if anybody waits.
    pub fn wake_first(&self) {
        if let Some((_, waker)) = self.waiting.first_key_value() {
            waker.wake_by_ref();
        }
    }
}

impl Engine {
    /// How many requests wait in the line.
    pub(super) fn waiting_writes(&self) -> usize {
        self.parking.line.len()
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
