//! The one place to wait: what a request can wait for, who does, and what wakes them.
//!
//! A request that cannot go on is set aside in its session with a [`Wait`], and its connection's waker is parked here. When
//! what it waits for may have come, the waker is called; at its next turn the session asks [`Engine::has_come`], and goes
//! on or is parked again. So who is woken too early only looks once more. Replies that wait for a commit are parked here,
//! too, by their connections.

use std::collections::HashMap;
use std::rc::Weak;
use std::task::Waker;

use super::line::Line;
use super::stream::{Inflow, ViewTicket};
use super::waiters::Id;
use super::{Client, Engine, Outlet};
use crate::store::{Epoch, Ticket};

/// What a request waits for.
pub(super) enum Wait {
    /// The records that it missed: then it runs again.
    Records(Ticket),
    /// This epoch is to be where views find it: then it runs over a view, or on the executor if it reads what is there.
    Checkpoint(Epoch),
    /// It runs over a view. Its reply may come from there in pieces.
    View(ViewTicket, Inflow),
    /// The end of CLIENT PAUSE: then it runs.
    Pause,
    /// The turn that goes with this place in the line of those who would add to what is staged: then it runs.
    Turn(u64),
    /// The end of another client's script, which keeps others from running: then it runs.
    Script,
    /// That others have had a turn: then its own script goes on.
    Others,
    /// The answer to a request that is with those who wait for others to do something (`exec/waiters.rs`), and no longer in
    /// the session.
    Answer {
        /// The client.
        client: Id,
        /// What the request takes of memory there.
        memory: usize,
    },
}

/// Who waits.
#[derive(Default)]
pub struct Parking {
    records: HashMap<Ticket, Waker>,
    /// With the epoch that is to be checkpointed.
    checkpoint: HashMap<Id, (Epoch, Waker)>,
    views: HashMap<ViewTicket, Waker>,
    pause: HashMap<Id, Waker>,
    script: HashMap<Id, Waker>,
    /// Those who wait for their [`Wait::Others`]: since before the last end of a tick, or after it.
    others: [HashMap<Id, Waker>; 2],
    /// Those who wait for their [`Wait::Turn`].
    pub(super) line: Line,
    /// Connections with replies that may leave once an epoch is settled.
    replies: Vec<(Epoch, Weak<dyn Outlet>)>,
}

impl Parking {
    fn park(&mut self, wait: &Wait, client: Id, waker: &Waker) {
        let waker = waker.clone();
        match *wait {
            Wait::Records(ticket) => drop(self.records.insert(ticket, waker)),
            Wait::Checkpoint(epoch) => drop(self.checkpoint.insert(client, (epoch, waker))),
            Wait::View(ticket, _) => drop(self.views.insert(ticket, waker)),
            Wait::Pause => drop(self.pause.insert(client, waker)),
            Wait::Turn(place) => self.line.wait_at(place, waker),
            Wait::Script => drop(self.script.insert(client, waker)),
            Wait::Others => drop(self.others[1].insert(client, waker)),
            // Who serves it has it.
            Wait::Answer { .. } => {}
        }
    }

    fn leave(&mut self, wait: &Wait, client: Id) {
        match *wait {
            Wait::Records(ticket) => drop(self.records.remove(&ticket)),
            Wait::Checkpoint(_) => drop(self.checkpoint.remove(&client)),
            Wait::View(ticket, _) => drop(self.views.remove(&ticket)),
            Wait::Pause => drop(self.pause.remove(&client)),
            Wait::Turn(place) => self.line.leave(place),
            Wait::Script => drop(self.script.remove(&client)),
            Wait::Others => self.others.iter_mut().for_each(|some| drop(some.remove(&client))),
            Wait::Answer { .. } => {}
        }
    }

    /// The records of a ticket are there, or cannot be read.
    pub(super) fn wake_for_records(&mut self, ticket: Ticket) {
        if let Some(waker) = self.records.remove(&ticket) {
            waker.wake();
        }
    }

    /// Views find every epoch that `is_there`. Returns the lowest one that is still waited for.
    pub(super) fn wake_for_checkpoint(&mut self, is_there: impl Fn(Epoch) -> bool) -> Option<Epoch> {
        for (_, (_, waker)) in self.checkpoint.extract_if(|_, (epoch, _)| is_there(*epoch)) {
            waker.wake();
        }
        self.checkpoint.values().map(|(epoch, _)| *epoch).min()
    }

    /// A piece of a reply can be taken.
    pub(super) fn wake_for_piece(&self, ticket: ViewTicket) {
        if let Some(waker) = self.views.get(&ticket) {
            waker.wake_by_ref();
        }
    }

    /// A request over a view is through. Whether anybody waits for that.
    pub(super) fn wake_for_view(&mut self, ticket: ViewTicket) -> bool {
        self.views.remove(&ticket).map(Waker::wake).is_some()
    }

    /// Wakes all whom CLIENT PAUSE had set aside.
    pub(super) fn wake_after_pause(&mut self) {
        self.pause.drain().for_each(|(_, waker)| waker.wake());
    }

    /// Wakes all whom a script kept waiting.
    pub(super) fn wake_after_script(&mut self) {
        self.script.drain().for_each(|(_, waker)| waker.wake());
    }

    /// Wakes those who have waited for others from the end of one tick to that of the next. Whether there are more of them.
    pub(super) fn wake_after_others(&mut self) -> bool {
        let [earlier, later] = &mut self.others;
        earlier.drain().for_each(|(_, waker)| waker.wake());
        std::mem::swap(earlier, later);
        !earlier.is_empty()
    }

    /// Takes out the connections with replies that wait for nothing after this epoch.
    pub(super) fn release_replies(&mut self, settled: Epoch) -> impl Iterator<Item = Weak<dyn Outlet>> {
        let released = self.replies.extract_if(.., move |(epoch, _)| *epoch <= settled);
        released.map(|(_, outlet)| outlet)
    }
}

impl Engine {
    /// Whether a request that waits may go on.
    pub(super) fn has_come(&mut self, wait: &Wait) -> bool {
        match *wait {
            Wait::Records(ticket) => self.store.is_ready(ticket),
            Wait::Checkpoint(epoch) => self.is_where_views_find_it(epoch),
            Wait::View(ticket, _) => self.views.is_through(ticket),
            Wait::Pause => !self.pause.is_on(),
            Wait::Answer { client, .. } => !self.waiters.has(client),
            // It looks itself, as what counts is what it is about to do.
            Wait::Turn(_) | Wait::Script | Wait::Others => true,
        }
    }

    /// Has a client's waker called when it may be that its request can go on.
    pub(super) fn park(&mut self, wait: &Wait, client: Id, waker: &Waker) {
        self.parking.park(wait, client, waker);
        match wait {
            Wait::Checkpoint(_) => self.want_commit(),
            Wait::Others => self.ask_for_tick_end(),
            Wait::Answer { .. } => self.waiters.set_waker(client, waker.clone()),
            _ => {}
        }
    }

    /// The client does not wait any more: what was done for its request is nobody's.
    pub(super) fn forget(&mut self, wait: &Wait, client: Id) {
        self.parking.leave(wait, client);
        match *wait {
            Wait::Records(ticket) => self.store.finish(ticket),
            Wait::View(ticket, _) => self.views.forget(ticket),
            Wait::Answer { client, .. } => self.forget_waiter(client),
            Wait::Checkpoint(_) | Wait::Pause | Wait::Turn(_) | Wait::Script | Wait::Others => {}
        }
    }

    /// Whether an epoch is where views find it, or cannot come there at present. If not, that is asked for.
    pub(super) fn is_where_views_find_it(&mut self, epoch: Epoch) -> bool {
        self.store.want_checkpointed(epoch) || self.store.broken().is_some()
    }

    /// Has a connection flushed when an epoch is settled, as what is next to be sent waits for that.
    pub(super) fn flush_when_settled(&mut self, client: &Client, epoch: Epoch) {
        if epoch > client.awaited.get()
            && let Some(outlet) = client.outlet()
        {
            client.awaited.set(epoch);
            self.parking.replies.push((epoch, outlet));
        }
    }
}
