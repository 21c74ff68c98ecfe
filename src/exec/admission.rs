//! What a request has to wait for before it may run: the end of CLIENT PAUSE; and while much is staged, if it would add to
//! that, its turn in the line. All others go on.

use super::parking::Wait;
use super::table::{Command, Run};
use super::{Engine, Session};

impl Session {
    /// What a request that has not begun has to wait for before it may run, if anything: the end of CLIENT PAUSE, or its turn
    /// among those who would add to what is staged.
    pub(super) fn hindrance(
        &mut self,
        engine: &mut Engine,
        row: &Command,
        came: Option<&Wait>,
    ) -> Option<Wait> {
        // EXEC adds what is in its queue.
        let may_write = match row.run {
            Run::Exec => self.queue.as_ref().is_some_and(|queue| queue.may_write()),
            _ => row.may_write(),
        };
        let is_paused = engine.pause.holds(may_write);
        self.client.paused.set(is_paused);
        if is_paused {
            return Some(Wait::Pause);
        }
        let place = match came {
            Some(Wait::Turn(place)) => Some(*place),
            _ => None,
        };
        self.turn(engine, may_write, place)
    }

    /// The turn that a request has to wait for, if it may not run now as far as memory is concerned; `place` is where it has
    /// waited so far. Who had a turn goes on until others have theirs.
    fn turn(&mut self, engine: &mut Engine, may_write: bool, place: Option<u64>) -> Option<Wait> {
        if !may_write {
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
        self.parking.line.len()
    }

    /// Has the first of the line go on, if it can.
    pub(super) fn move_line(&self) {
        if !self.store.is_congested() {
            self.parking.line.wake_first();
        }
    }
}
