//! Replies on their way out. One that reveals a write stays until that write is decided; if the write is lost, the
//! reply becomes an error.

use std::collections::VecDeque;
use std::io::IoSlice;

use crate::resp::{Protocol, Reply, Rope, encode};
use crate::store::{Epoch, Store};

/// What a request is answered that the disk's trouble keeps from being done.
pub fn disk_error(text: &str) -> String {
    format!("MISCONF Errors writing to the disk: {text}")
}

/// A reply that waits for an epoch: the numbers of its bytes in the rope's text. No reply begins or ends with what is
/// referred to.
struct Held {
    start: u64,
    end: u64,
    epoch: Epoch,
}

/// The replies of a connection that were not sent yet, in the order of its requests.
#[derive(Default)]
pub struct Outbox {
    rope: Rope,
    held: VecDeque<Held>,
}

/// Room for more replies that wait is given back when there are none: most connections are idle.
const KEPT_HELD: usize = 16;

impl Outbox {
    /// Adds a reply that may leave once `epoch` is settled.
    pub fn push(&mut self, reply: &Reply, protocol: Protocol, epoch: Epoch, settled: Epoch) {
        let start = self.rope.end();
        encode(reply, protocol, &mut self.rope);
        if epoch > settled {
            self.held.push_back(Held {
                start,
                end: self.rope.end(),
                epoch,
            });
        }
    }

    /// Adds bytes of a reply that waits for nothing.
    pub fn push_encoded(&mut self, bytes: &Rope) {
        self.rope.append(bytes);
    }

    /// Lets go what has been decided. Returns the epoch that the next held reply waits for. `count_error` is told of each reply
    /// that becomes an error.
    pub fn release(&mut self, store: &Store, mut count_error: impl FnMut(&str)) -> Option<Epoch> {
        while let Some(first) = self.held.front() {
            if first.epoch > store.settled() {
                return Some(first.epoch);
            }
            match store.failure(first.epoch) {
                Some(failure) => {
                    self.replace_first_held(disk_error(&failure.text), &mut count_error);
                }
                None => {
                    self.held.pop_front();
                }
            }
        }
        None
    }

    fn replace_first_held(&mut self, error: String, count_error: &mut impl FnMut(&str)) {
        let Some(lost) = self.held.pop_front() else { return };
        if lost.start == lost.end {
            return;
        }
        // What was an error before has been counted as one.
        if self.rope.byte(lost.start) != Some(b'-') {
            count_error(&error);
        }
        let mut text = Vec::new();
        encode(&Reply::err(error), Protocol::Resp2, &mut text);
        let moved = self.rope.replace(lost.start, lost.end, &text);
        for held in &mut self.held {
            held.start = held.start.saturating_add_signed(moved);
            held.end = held.end.saturating_add_signed(moved);
        }
    }

    /// What may be sent now: the first of it, in as many slices as there is room for. Returns their number.
    pub fn ready<'o>(&'o self, slices: &mut [IoSlice<'o>]) -> usize {
        self.rope.slices(self.end_of_ready(), slices)
    }

    /// What may be sent now, if it is in one piece.
    pub fn ready_text(&self) -> Option<&[u8]> {
        self.rope.text_until(self.end_of_ready())
    }

    fn end_of_ready(&self) -> u64 {
        self.held.front().map_or(self.rope.end(), |held| held.start)
    }

    /// `n` bytes of what is ready were sent.
    pub fn advance(&mut self, n: usize) {
        self.rope.take(n);
        if self.held.is_empty() && self.held.capacity() > KEPT_HELD {
            self.held = VecDeque::new();
        }
    }

    /// Bytes not sent yet, held ones included.
    pub fn len(&self) -> usize {
        self.rope.len()
    }

    /// Whether all was sent, and nothing is held.
    pub fn is_empty(&self) -> bool {
        self.rope.is_empty()
    }

    /// What it takes of memory: a value that comes several times counts once.
    pub fn memory(&self) -> usize {
        self.rope.capacity() + self.held.capacity() * size_of::<Held>()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::resp::Blob;

    fn ready(outbox: &Outbox) -> Vec<u8> {
        let mut slices = [IoSlice::new(&[]); 64];
        let count = outbox.ready(&mut slices);
        slices[..count].iter().flat_map(|slice| slice.to_vec()).collect()
    }

    #[test]
    fn a_held_reply_with_a_long_value_stays_or_becomes_an_error() {
        let long = Reply::bulk(Arc::<[u8]>::from(vec![b'v'; 100_000]));
        let mut encoded = Vec::new();
        encode(&long, Protocol::Resp2, &mut encoded);
        let mut outbox = Outbox::default();
        outbox.push(&long, Protocol::Resp2, Epoch::of(0), Epoch::of(5));
        outbox.push(&long, Protocol::Resp2, Epoch::of(6), Epoch::of(5));
        outbox.push(&Reply::Ok, Protocol::Resp2, Epoch::of(7), Epoch::of(5));
        assert!(ready(&outbox) == encoded);
        outbox.advance(encoded.len());
        assert!(ready(&outbox).is_empty() && outbox.len() == encoded.len() + 5);
        let mut errors = Vec::new();
        outbox.replace_first_held("ERR lost".to_owned(), &mut |text: &str| {
            errors.push(text.to_owned())
        });
        assert_eq!(errors, ["ERR lost"]);
        assert_eq!(ready(&outbox), b"-ERR lost\r\n");
        outbox.held.pop_front();
        assert_eq!(ready(&outbox), b"-ERR lost\r\n+OK\r\n");
        outbox.advance(16);
        assert!(outbox.is_empty() && outbox.memory() < 1000);
    }

    #[test]
    fn one_value_given_many_times_takes_memory_once() {
        let value = Blob::from(Arc::<[u8]>::from(vec![b'v'; 1 << 20]));
        let reply = Reply::Array(vec![Reply::Bulk(value); 16_000]);
        let mut outbox = Outbox::default();
        outbox.push(&reply, Protocol::Resp2, Epoch::of(0), Epoch::of(0));
        assert!(outbox.len() > 16_000 << 20);
        assert!(outbox.memory() < 4 << 20, "{}", outbox.memory());
    }
}
