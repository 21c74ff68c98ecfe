//! The end of the server, as SHUTDOWN asks for it.

use std::task::{Context, Poll, Waker};

/// Whether the end was asked for, and who is to be told.
#[derive(Default)]
pub struct Shutdown {
    is_asked: bool,
    /// Wakes the task that waits for it.
    waker: Option<Waker>,
}

impl Shutdown {
    /// Has the server end.
    pub fn ask(&mut self) {
        self.is_asked = true;
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Whether the server is to end. If not, the task is woken when it is.
    pub fn poll_asked(&mut self, cx: &Context) -> Poll<()> {
        if self.is_asked {
            return Poll::Ready(());
        }
        self.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}
