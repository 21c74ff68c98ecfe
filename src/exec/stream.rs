//! A reply on its way from the view that makes it to the session that sends it, piece by piece.
//!
//! The maker is at most [`AHEAD`] pieces ahead of the session, and the session takes none while its client is slow to
//! read: so the maker waits for the client. It does so on a thread of the view pool, which gets another one for that time.
//! The executor never waits: it takes what is there, and wakes the maker without a lock.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use super::{ViewNews, ViewTicket};
use crate::base::log;
use crate::resp::{Gone, Sink};
use crate::store::Wake;

/// How many pieces may wait to be taken.
const AHEAD: usize = 4;
/// A client that takes nothing for so long loses its connection: the maker holds a thread and a snapshot for it.
const PATIENCE: Duration = Duration::from_secs(60);

/// What both ends see.
#[derive(Default)]
struct Shared {
    /// Pieces sent and not taken.
    waiting: AtomicUsize,
    /// Nobody takes any more.
    gone: AtomicBool,
}

/// The maker's end.
pub(super) struct Outflow {
    ticket: ViewTicket,
    pieces: Sender<(Vec<u8>, Thread)>,
    shared: Arc<Shared>,
    news: Sender<ViewNews>,
    wake: Wake,
}

/// The session's end.
pub(super) struct Inflow {
    pieces: Receiver<(Vec<u8>, Thread)>,
    shared: Arc<Shared>,
    /// Of the last piece taken.
    maker: Option<Thread>,
    /// Whether the view pool has a thread more while this one's maker waits.
    pub lent: bool,
}

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
        lent: false,
    };
    (outflow, inflow)
}

impl Outflow {
    /// Waits until there is room for a piece.
    fn await_room(&self) -> Result<(), Gone> {
        let is_gone = || self.shared.gone.load(Ordering::Acquire);
        let mut seen = self.shared.waiting.load(Ordering::Acquire);
        let mut deadline = Instant::now() + PATIENCE;
        while seen >= AHEAD && !is_gone() {
            let now = Instant::now();
            if now >= deadline {
                log::notice("a client that did not read its reply for a minute is given up");
                return Err(Gone);
            }
            thread::park_timeout(deadline - now);
            let waiting = self.shared.waiting.load(Ordering::Acquire);
            if waiting < seen {
                deadline = Instant::now() + PATIENCE;
            }
            seen = waiting;
        }
        if is_gone() { Err(Gone) } else { Ok(()) }
    }
}

impl Sink for Outflow {
    fn send(&self, piece: Vec<u8>) -> Result<(), Gone> {
        self.await_room()?;
        self.shared.waiting.fetch_add(1, Ordering::AcqRel);
        self.pieces.send((piece, thread::current())).map_err(|_| Gone)?;
        // A closed channel means that the engine is gone; the next piece will find out.
        let _ = self.news.send(ViewNews::Piece(self.ticket));
        (self.wake)();
        Ok(())
    }
}

impl Inflow {
    /// The next piece, if there is one yet.
    pub fn take(&mut self) -> Option<Vec<u8>> {
        let (piece, maker) = self.pieces.try_recv().ok()?;
        self.shared.waiting.fetch_sub(1, Ordering::AcqRel);
        maker.unpark();
        self.maker = Some(maker);
        Some(piece)
    }

    /// Whether anything was taken.
    pub fn has_begun(&self) -> bool {
        self.maker.is_some()
    }

    /// Whether the maker waits for the session.
    pub fn is_full(&self) -> bool {
        self.shared.waiting.load(Ordering::Acquire) >= AHEAD
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

    fn ends() -> (Outflow, Inflow, Receiver<ViewNews>) {
        let (news, told) = mpsc::channel();
        let (outflow, inflow) = stream(7, news, Arc::new(|| ()));
        (outflow, inflow, told)
    }

    #[test]
    fn the_maker_is_a_few_pieces_ahead_and_no_more() {
        let (outflow, mut inflow, told) = ends();
        let maker = thread::spawn(move || {
            for n in 0..100 {
                outflow.send(vec![n]).unwrap();
            }
        });
        let mut taken = Vec::new();
        while taken.len() < 100 {
            assert!(matches!(told.recv(), Ok(ViewNews::Piece(7))));
            assert!(inflow.shared.waiting.load(Ordering::Acquire) <= AHEAD);
            taken.extend(inflow.take().unwrap());
        }
        maker.join().unwrap();
        assert!(taken.iter().copied().eq(0..100));
    }

    #[test]
    fn a_maker_that_waits_learns_that_nobody_takes_any_more() {
        let (outflow, mut inflow, told) = ends();
        let maker = thread::spawn(move || (0..).find(|_| outflow.send(Vec::new()).is_err()));
        for _ in 0..AHEAD {
            told.recv().unwrap();
        }
        assert!(inflow.take().is_some());
        told.recv().unwrap();
        drop(inflow);
        assert_eq!(maker.join().unwrap(), Some(AHEAD as i32 + 1));
    }
}
