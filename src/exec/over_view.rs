//! Requests that run over a view of the store, on threads that may wait for the disk.

use std::collections::HashMap;
use std::sync::mpsc::{self, Receiver, Sender};

use super::Engine;
use super::outbox::disk_error;
use super::parking::Wait;
use super::request::{Ran, Request};
use super::stream::{Inflow, Pouring, Unheard, ViewNews, ViewTicket, stream};
use crate::resp::Reply;
use crate::store::{self, Allowance, Epoch, Stop};

/// What the executor knows of the requests over views.
pub struct ViewRequests {
    /// Of those that are through, until their sessions take them.
    results: HashMap<ViewTicket, store::Result<Reply>>,
    next: ViewTicket,
    news: Receiver<ViewNews>,
    /// For those that tell.
    tell: Sender<ViewNews>,
}

impl Default for ViewRequests {
    fn default() -> ViewRequests {
        let (tell, news) = mpsc::channel();
        ViewRequests {
            results: HashMap::new(),
            next: 1,
            news,
            tell,
        }
    }
}

impl ViewRequests {
    /// Whether the request has come to its end, and its result was not taken yet.
    pub(super) fn is_through(&self, ticket: ViewTicket) -> bool {
        self.results.contains_key(&ticket)
    }

    /// Drops the result, as nobody takes it.
    pub(super) fn forget(&mut self, ticket: ViewTicket) {
        self.results.remove(&ticket);
    }
}

impl Engine {
    /// Has a request run over a view, once all before it is where views find it.
    pub(super) fn run_over_view(&mut self, request: &Request) -> Ran {
        let epoch = self.store.last_staged();
        match self.is_where_views_find_it(epoch) {
            true => self.start_over_view(request, epoch),
            false => Ran::Waits(Wait::Checkpoint(epoch)),
        }
    }

    /// The same, now that this epoch is there, or cannot come there.
    pub(super) fn start_over_view(&mut self, request: &Request, epoch: Epoch) -> Ran {
        if let Some(text) = self.store.broken()
            && epoch > self.store.checkpointed()
        {
            return Ran::Ready(Stop::error(disk_error(text)), Epoch::NONE);
        }
        let ticket = self.views.next;
        self.views.next += 1;
        self.stats.views += 1;
        let is_heard = request.is_heard;
        let tell = self.views.tell.clone();
        let (outflow, inflow) = stream(ticket, tell.clone(), self.store.waker());
        let run = request.detached(&self.limits);
        let allowance = Allowance::at_most(self.limits.gathered);
        self.store.run_over_view(request.now, move |txn, place| {
            txn.allowance = allowance;
            let pouring = Pouring {
                outflow: &outflow,
                place,
                recent: txn.recent(),
            };
            let result = match is_heard {
                true => run(txn, Some(&pouring)),
                // It ends with the first piece.
                false => run(txn, Some(&Unheard)).or(Ok(Reply::Nothing)),
            };
            // A closed channel means that the engine is gone, and nobody waits any more.
            let _ = tell.send(ViewNews::Done(ticket, result, txn.take_effects()));
        });
        Ran::Waits(Wait::View(ticket, inflow))
    }

    /// What a request over a view has come to.
    pub(super) fn end_over_view(&mut self, ticket: ViewTicket, inflow: &Inflow) -> Ran {
        let result = self.views.results.remove(&ticket);
        match result.unwrap_or_else(|| Stop::error("ERR view lost")) {
            Err(stop) if inflow.has_begun() => Ran::CutOff(stop),
            result => Ran::Ready(result, Epoch::NONE),
        }
    }

    /// Takes in what the threads have to tell, and wakes who waits for it.
    pub(super) fn hear_of_views(&mut self) {
        while let Ok(news) = self.views.news.try_recv() {
            match news {
                ViewNews::Piece(ticket) => self.parking.wake_for_piece(ticket),
                ViewNews::Done(ticket, result, effects) => {
                    self.publish_misses(&effects);
                    if self.parking.wake_for_view(ticket) {
                        self.views.results.insert(ticket, result);
                    }
                }
            }
        }
    }
}
