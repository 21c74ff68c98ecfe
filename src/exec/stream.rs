//! A reply on its way from the view that makes it to the session that sends it, piece by piece.
//!
//! The maker is at most [`AHEAD`] bytes ahead of the session, and the session takes none while its client is slow to
//! read: so the maker waits for the client, and gives up its place among those who make replies for that time
//! (`store/views.rs`). The executor never waits: it takes what is there, and wakes the maker without a lock.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use crate::base::log;
use crate::resp::{Gone, Reply, Rope, Sink};
use crate::store::{self, Effect, GivenUp, Place, Recent, Wait, Wake};

/// How much may wait to be taken; a piece that is longer waits alone.
const AHEAD: usize = 128 << 10;
/// A client that takes nothing for so long loses its connection: the maker holds a thread and a snapshot for it.
const PATIENCE: Duration = Duration::from_secs(60);

/// Names a request that runs over a view.
pub type ViewTicket = u64;

/// News of a request over a view.
pub(super) enum ViewNews {
    /// A piece of its reply can be taken.
    Piece(ViewTicket),
    /// What it came to, and what it has caused beside its reply.
    Done(ViewTicket, store::Result<Reply>, Vec<Effect>),
}

/// What both ends see.
#[derive(Default)]
struct Shared {
    /// Bytes of memory of the pieces sent and not taken.
    waiting: AtomicUsize,
    /// Nobody takes any more.
    gone: AtomicBool,
}

/// What is sent.
struct Piece {
    bytes: Rope,
    /// What it counts for in [`Shared::waiting`].
    size: usize,
    maker: Thread,
}

/// The maker's end.
pub(super) struct Outflow {
    ticket: ViewTicket,
    pieces: Sender<Piece>,
    shared: Arc<Shared>,
    news: Sender<ViewNews>,
    wake: Wake,
}

/// The maker's end, while it has a place to make something in.
pub(super) struct Pouring<'p> {
    /// Where the pieces go.
    pub outflow: &'p Outflow,
    /// What it gives up while it waits for the client.
    pub place: &'p Place,
    /// What the maker has read.
    pub recent: Option<Rc<Recent>>,
}

/// For a reply that nobody is to get.
pub(super) struct Unheard;

impl Sink for Unheard {
    fn send(&self, _: Rope) -> Result<(), Gone> {
        Err(Gone)
    }
}

/// The session's end.
pub(super) struct Inflow {
    pieces: Receiver<Piece>,
    shared: Arc<Shared>,
    /// Of the last piece taken.
    maker: Option<Thread>,
}

/// Both ends of a reply. `news` has a line for each piece, and `wake` is called then, on the maker's thread.
pub(super) fn stream(ticket: ViewTicket, news: Sender<ViewNews>, wake: Wake) -> (Outflow, Inflow) {
    let (sender, receiver) = mpsc::channel();
    let shared = Arc::<Shared>::default();
    let outflow = Outflow {
        ticket,
        pieces: sender,
        shared: shared.clone(),
        news,
        wake,
    };
    let inflow = Inflow {
        pieces: receiver,
        shared,
        maker: None,
    };
    (outflow, inflow)
}

impl Outflow {
    fn has_room(&self, size: usize) -> bool {
        let waiting = self.shared.waiting.load(Ordering::Acquire);
        waiting == 0 || waiting + size <= AHEAD
    }

    fn is_gone(&self) -> bool {
        self.shared.gone.load(Ordering::Acquire)
    }

    fn send(&self, bytes: Rope, size: usize) -> Result<(), Gone> {
        self.shared.waiting.fetch_add(size, Ordering::AcqRel);
        let maker = thread::current();
        self.pieces.send(Piece { bytes, size, maker }).map_err(|_| Gone)?;
        // A closed channel means that the engine is gone; the next piece will find out.
        let _ = self.news.send(ViewNews::Piece(self.ticket));
        (self.wake)();
        Ok(())
    }
}

impl Pouring<'_> {
    /// Waits until there is room for a piece.
    fn await_room(&self, size: usize) -> Result<(), GivenUp> {
        let waiting = || self.outflow.shared.waiting.load(Ordering::Acquire);
        let mut seen = waiting();
        let mut deadline = Instant::now() + PATIENCE;
        self.place.wait_until(|| {
            let now = Instant::now();
            let left = waiting();
            if left < seen {
                deadline = now + PATIENCE;
            }
            seen = left;
            if self.outflow.has_room(size) || self.outflow.is_gone() {
                return Wait::Over;
            }
            if now >= deadline {
                log::notice("a client that did not read its reply for a minute is given up");
                return Wait::GivenUp;
            }
            Wait::AtMost(deadline - now)
        })
    }
}

impl Sink for Pouring<'_> {
    fn send(&self, piece: Rope) -> Result<(), Gone> {
        let size = piece.memory().max(1);
        let has_room = self.outflow.has_room(size);
        if let Some(recent) = &self.recent
            && (!has_room || self.place.is_turn_over())
        {
            recent.clear();
        }
        let may_go_on = match has_room {
            true => self.place.take_turns(),
            false => self.await_room(size),
        };
        match may_go_on {
            Ok(()) if !self.outflow.is_gone() => self.outflow.send(piece, size),
            _ => Err(Gone),
        }
    }
}

impl Inflow {
    /// The next piece, if there is one yet.
    pub fn take(&mut self) -> Option<Rope> {
        let Piece { bytes, size, maker } = self.pieces.try_recv().ok()?;
        self.shared.waiting.fetch_sub(size, Ordering::AcqRel);
        maker.unpark();
        self.maker = Some(maker);
        Some(bytes)
    }

    /// Whether anything was taken.
    pub fn has_begun(&self) -> bool {
        self.maker.is_some()
    }

    /// What the pieces that wait take of memory.
    pub fn memory(&self) -> usize {
        self.shared.waiting.load(Ordering::Acquire)
    }
}

impl Drop for Inflow {
    fn drop(&mut self) {
        self.shared.gone.store(true, Ordering::Release);
        while self.take().is_some() {}
        if let Some(maker) = &self.maker {
            maker.unpark();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Views;

    const PIECE: usize = AHEAD / 4;

    fn piece(n: u8) -> Rope {
        let mut rope = Rope::default();
        rope.text().resize(PIECE, n);
        rope
    }

    /// Has a thread pour pieces until there are so many, or nobody takes them; it says how many that were.
    fn pour(most: u8) -> (Inflow, Receiver<ViewNews>, Receiver<u8>) {
        let (news, told) = mpsc::channel();
        let (outflow, inflow) = stream(7, news, Arc::new(|| ()));
        let (done, poured) = mpsc::channel();
        let views = Views::start().unwrap();
        thread::spawn(move || {
            let (end, ended) = mpsc::channel();
            views.run(move |place| {
                let pouring = Pouring {
                    outflow: &outflow,
                    place,
                    recent: None,
                };
                let gone = (0..most).find(|n| pouring.send(piece(*n)).is_err());
                end.send(gone.unwrap_or(most)).unwrap();
            });
            let _ = done.send(ended.recv().unwrap());
        });
        (inflow, told, poured)
    }

    #[test]
    fn the_maker_is_a_few_pieces_ahead_and_no_more() {
        let (mut inflow, told, poured) = pour(100);
        let mut taken = Vec::new();
        while taken.len() < 100 {
            assert!(matches!(told.recv(), Ok(ViewNews::Piece(7))));
            assert!(inflow.memory() <= AHEAD);
            taken.push(inflow.take().unwrap().to_vec()[0]);
        }
        assert_eq!(poured.recv(), Ok(100));
        assert!(taken.iter().copied().eq(0..100));
    }

    #[test]
    fn a_maker_that_waits_learns_that_nobody_takes_any_more() {
        let (mut inflow, told, poured) = pour(100);
        for _ in 0..4 {
            told.recv().unwrap();
        }
        assert!(inflow.take().is_some());
        told.recv().unwrap();
        drop(inflow);
        assert_eq!(poured.recv(), Ok(5));
    }
}
