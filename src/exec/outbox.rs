//! Replies on their way out. One that reveals a write stays until that write is decided; if the write is lost, the
//! reply becomes an error.

use std::collections::VecDeque;

use super::Stats;
use crate::resp::{Protocol, Reply, encode};
use crate::store::Store;

/// What a request is answered that the disk's trouble keeps from being done.
pub fn disk_error(text: &str) -> String {
    format!("MISCONF Errors writing to the disk: {text}")
}

/// A reply that waits for an epoch: its place in `bytes`.
struct Held {
    start: usize,
    end: usize,
    epoch: u64,
}

#[derive(Default)]
pub struct Outbox {
    bytes: Vec<u8>,
    /// Everything before was sent.
    sent: usize,
    held: VecDeque<Held>,
}

/// An empty buffer above this size gives its memory back: most connections are idle.
const KEPT_CAPACITY: usize = 512;
/// Likewise, of replies that wait.
const KEPT_HELD: usize = 16;
/// From so many bytes sent on, and if they are more than those to come, they are moved out of the way.
const MOST_SENT: usize = 64 << 10;

impl Outbox {
    /// Adds a reply that may leave once `epoch` is settled.
    pub fn push(&mut self, reply: &Reply, protocol: Protocol, epoch: u64, settled: u64) {
        let start = self.bytes.len();
        encode(reply, protocol, &mut self.bytes);
        if epoch > settled {
            self.held.push_back(Held {
                start,
                end: self.bytes.len(),
                epoch,
            });
        }
    }

    /// Adds bytes of a reply that waits for nothing.
    pub fn push_encoded(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Lets go what has been decided. Returns the epoch that the next held reply waits for.
    pub fn release(&mut self, store: &Store, stats: &mut Stats) -> Option<u64> {
        while let Some(first) = self.held.front() {
            if first.epoch > store.settled() {
                return Some(first.epoch);
            }
            match store.failure(first.epoch) {
                Some(failure) => {
                    self.replace_first_held(disk_error(&failure.text), stats);
                }
                None => {
                    self.held.pop_front();
                }
            }
        }
        None
    }

    fn replace_first_held(&mut self, error: String, stats: &mut Stats) {
        let Some(lost) = self.held.pop_front() else { return };
        if lost.start == lost.end {
            return;
        }
        // What was an error before has been counted as one.
        if self.bytes[lost.start] != b'-' {
            stats.error(&error);
        }
        let mut text = Vec::new();
        encode(&Reply::err(error), Protocol::Resp2, &mut text);
        self.bytes.splice(lost.start..lost.end, text.iter().copied());
        let (removed, added) = (lost.end - lost.start, text.len());
        for held in &mut self.held {
            held.start = held.start + added - removed;
            held.end = held.end + added - removed;
        }
    }

    /// What may be sent now.
    pub fn ready(&self) -> &[u8] {
        let end = self.held.front().map_or(self.bytes.len(), |held| held.start);
        &self.bytes[self.sent..end]
    }

    /// `n` bytes of [`Outbox::ready`] were sent.
    pub fn advance(&mut self, n: usize) {
        self.sent += n;
        if self.sent == self.bytes.len() {
            self.sent = 0;
            self.bytes.clear();
            if self.bytes.capacity() > KEPT_CAPACITY {
                self.bytes = Vec::new();
            }
            if self.held.is_empty() && self.held.capacity() > KEPT_HELD {
                self.held = VecDeque::new();
            }
        } else if self.sent > MOST_SENT && self.sent > self.bytes.len() / 2 {
            self.bytes.drain(..self.sent);
            for held in &mut self.held {
                held.start -= self.sent;
                held.end -= self.sent;
            }
            self.sent = 0;
        }
    }

    /// Bytes not sent yet, held ones included.
    pub fn len(&self) -> usize {
        self.bytes.len() - self.sent
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes of memory taken.
    pub fn capacity(&self) -> usize {
        self.bytes.capacity() + self.held.capacity() * size_of::<Held>()
    }
}
