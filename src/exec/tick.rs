//! A tick: one turn over all connections that have something to say, and what is done once for all of them.
//!
//! 1. **Read.** Each connection moves what its socket has into its input (`net/connection.rs`).
//! 2. **Look ahead.** The first request of each is decoded, and what it is likely to touch noted, while others are still to be
//!    read; then it is loaded into the processor's caches side by side (`exec/look_ahead.rs`).
//! 3. **Run.** [`Session::advance`](super::Session::advance) runs the requests of one connection. What they write is staged in
//!    memory, their replies are held; those that cannot go on are parked (`exec/parking.rs`).
//! 4. **Commit.** [`Engine::commit_and_release`]: what is staged becomes one epoch, and goes to the log.
//! 5. **Release.** What is settled takes effect, and its replies leave; who waits for what has come is woken, and runs in the next tick.
//!
//! The last two are a task that the first write of a tick asks for, and that lets those go first that have read. News of the
//! store's threads ask for it, too. Beside ticks there is regular work, `hz` times a second and once a second.

use std::rc::{Rc, Weak};
use std::time::Duration;

use super::tracking::Broadcast;
use super::{Client, Engine, Outlet};
use crate::config::AppendFsync;
use crate::store::{Effect, Epoch, News};

/// What is left to the caller of [`Engine::commit_and_release`].
#[must_use]
pub struct Released {
    /// Connections that have something to send which may leave now: they borrow the engine, so they are flushed after it.
    pub outlets: Vec<Weak<dyn Outlet>>,
    /// There is more to do, once others had their turn.
    pub more: bool,
}

/// Asks for the end of ticks.
pub(super) struct TickEnd {
    /// Has [`Engine::commit_and_release`] called once what runs now is done.
    wake: Rc<dyn Fn()>,
    /// It will be called.
    is_asked: bool,
    /// It let requests go first that had been looked at.
    was_put_off: bool,
}

impl TickEnd {
    /// No end is asked for yet; `wake` is as in [`Engine::new`].
    pub fn new(wake: Rc<dyn Fn()>) -> TickEnd {
        TickEnd {
            wake,
            is_asked: false,
            was_put_off: false,
        }
    }

    /// Has [`Engine::commit_and_release`] called, whether or not that was asked for.
    pub fn ask(&self) {
        (self.wake)();
    }
}

impl Engine {
    /// Has the tick end with a commit, if there is anything to commit or to release.
    pub(super) fn want_commit(&mut self) {
        let has_work = self.store.has_work() || self.clients.has_to_flush() || self.pubsub.has_work();
        if !self.tick_end.is_asked && has_work {
            self.tick_end.is_asked = true;
            self.tick_end.ask();
        }
    }

    /// Has the tick end, whether there is anything to commit or not.
    pub(super) fn ask_for_tick_end(&self) {
        self.tick_end.ask();
    }

    /// The end of a tick, or news of the store's threads.
    pub fn commit_and_release(&mut self) -> Released {
        let tick_end = &mut self.tick_end;
        tick_end.was_put_off = !tick_end.was_put_off && !self.look_ahead.is_empty();
        if tick_end.was_put_off {
            // Those that were read run first. They belong to this tick: one commit is for all of it.
            return Released {
                outlets: Vec::new(),
                more: true,
            };
        }
        tick_end.is_asked = false;
        let now = self.clock.refresh();
        // What active expiry has deleted since the last request.
        self.serve_touched();
        self.tell(Epoch::NONE);
        let news = self.store.end_tick(now);
        let outlets = self.release(news);
        let more = self.expire_more()
            | self.store.upkeep()
            | self.parking.wake_after_others()
            | self.pubsub.forget_some();
        self.want_commit();
        Released { outlets, more }
    }

    /// What the epochs caused that are settled now.
    fn take_effect(&mut self, effects: Vec<Effect>) {
        let mut broadcast = Broadcast::default();
        for effect in effects {
            match effect {
                Effect::KeyExpired => self.stats.expired_keys += 1,
                Effect::FieldsExpired(fields) => self.stats.expired_fields += fields,
                Effect::KeyChanged(change) => self.tell_of_change(*change, &mut broadcast),
                Effect::KeysReplaced => self.tell_that_all_changed(),
                Effect::Published(_) | Effect::KeyEvent(_) | Effect::Addressed => {
                    unreachable!("it is told when it is staged")
                }
            }
        }
        self.send_broadcast(broadcast);
    }

    /// Wakes who waits for what has come. Returns the connections whose replies may leave.
    fn release(&mut self, news: News) -> Vec<Weak<dyn Outlet>> {
        self.take_effect(news.effects);
        for ticket in news.ready {
            if self.expiry.fetching == Some(ticket) {
                self.go_on_expiring(ticket);
                // Only now: what was fetched stays until it was used.
                self.store.finish(ticket);
            } else if !self.go_on_serving(ticket) {
                self.parking.wake_for_records(ticket);
            }
        }
        self.serve_touched();
        self.tell(Epoch::NONE);
        if news.settled || news.synced {
            self.answer_synced();
        }
        let mut outlets: Vec<Weak<dyn Outlet>> = match news.settled {
            true => self.parking.release_replies(self.store.settled()).collect(),
            false => Vec::new(),
        };
        if news.checkpointed {
            let (checkpointed, broken) = (self.store.checkpointed(), self.store.broken().is_some());
            let next = self
                .parking
                .wake_for_checkpoint(|epoch| broken || epoch <= checkpointed);
            if let Some(epoch) = next {
                self.store.want_checkpointed(epoch);
            }
        }
        self.move_line();
        self.hear_of_views();
        self.go_on_saving();
        outlets.extend(self.clients.take_to_flush());
        outlets
    }

    /// Regular work: called `hz` times a second.
    pub fn tick(&mut self) {
        let now = self.clock.refresh();
        self.stats.sample(now);
        self.store.note_second(self.clock.started.elapsed().as_secs());
        self.end_pause_in_time();
        self.end_waits_in_time();
        self.begin_expiring();
        self.store.reclaim_some();
        self.store.begin_upkeep();
        self.move_line();
        self.limit_tracking();
        self.want_commit();
    }

    /// Called each second.
    pub fn tick_second(&mut self) {
        self.store.repair();
        if self.config.appendfsync == AppendFsync::EverySec {
            self.store.sync_soon();
            self.tick_end.ask();
        }
        self.save_in_time();
        self.look_at_memory();
        self.apply_memory_budget();
        self.store.give_back();
        self.end_idle_clients();
        self.enforce_soft_limits();
    }

    /// `timeout`: ends connections that have been quiet for longer.
    fn end_idle_clients(&self) {
        let timeout = u64::from(self.config.timeout) * 1000;
        if timeout == 0 {
            return;
        }
        let now = self.clock.now_ms();
        let may_be_quiet = |client: &&Rc<Client>| client.waiting.get() || client.listens.get();
        for client in self.clients.iter().filter(|client| !may_be_quiet(client)) {
            if now.saturating_sub(client.active_ms.get()) > timeout {
                client.kill();
            }
        }
    }

    /// How long the executor may sleep between two ticks.
    pub fn tick_interval(&self) -> Duration {
        Duration::from_secs(1) / self.config.hz.max(1)
    }
}
