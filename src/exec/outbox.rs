//! What is on its way to a client: replies to its requests, and messages from others. What reveals a write stays until that
//! write is decided; if the write is lost, the reply becomes an error, and the message is not sent.

use std::collections::VecDeque;
use std::io::IoSlice;

use crate::resp::{Blob, Protocol, Reply, Rope, encode};
use crate::store::{Epoch, Store};

/// What a request is answered that the disk's trouble keeps from being done.
pub fn disk_error(text: &str) -> String {
    format!("MISCONF Errors writing to the disk: {text}")
}

/// What waits for an epoch: the numbers of its bytes in the rope's text. Nothing that is held begins or ends with what is
/// referred to.
struct Held {
    start: u64,
    end: u64,
    epoch: Epoch,
    /// Nobody has asked for it.
    is_message: bool,
}

/// What is to be sent to one client, in order.
#[derive(Default)]
pub struct Outbox {
    rope: Rope,
    held: VecDeque<Held>,
    /// Messages that came while a reply is sent in pieces: they leave behind it. `None`: no reply is.
    behind_pieces: Option<Box<Outbox>>,
}

/// So many bytes are sent at once, and not with what waits behind them.
const MUCH: usize = 16 << 10;
/// Room for more replies that wait is given back when there are none: most connections are idle.
const KEPT_HELD: usize = 16;

impl Outbox {
    /// Adds a reply, or the rest of one, that may leave once `epoch` is settled.
    pub fn push(&mut self, reply: &Reply, protocol: Protocol, epoch: Epoch, settled: Epoch) {
        let start = self.rope.end();
        encode(reply, protocol, &mut self.rope);
        if epoch > settled {
            self.hold(start, epoch, false);
        }
        if let Some(messages) = self.behind_pieces.take() {
            self.append(&messages);
        }
    }

    /// Adds a piece of a reply that waits for nothing. [`Outbox::push`] is to come with its rest.
    pub fn push_piece(&mut self, bytes: &Rope) {
        self.behind_pieces.get_or_insert_default();
        self.rope.append(bytes);
    }

    /// Adds a message that may leave once `epoch` is settled, behind the replies that are there.
    pub fn push_message(&mut self, message: &Reply, protocol: Protocol, epoch: Epoch, settled: Epoch) {
        if let Some(messages) = &mut self.behind_pieces {
            return messages.push_message(message, protocol, epoch, settled);
        }
        let start = self.rope.end();
        encode(message, protocol, &mut self.rope);
        if epoch > settled {
            self.hold(start, epoch, true);
        }
    }

    /// As [`Outbox::push_message`], of a message that is encoded already and not empty: it is referred to.
    pub fn push_shared(&mut self, message: &Blob, epoch: Epoch, settled: Epoch) {
        if let Some(messages) = &mut self.behind_pieces {
            return messages.push_shared(message, epoch, settled);
        }
        if epoch <= settled {
            return self.rope.refer_to(message.clone());
        }
        let start = self.rope.end();
        if let [first, .., last] = **message {
            self.rope.text().push(first);
            self.rope.refer_to(message.part(1..message.len() - 1));
            self.rope.text().push(last);
        }
        self.hold(start, epoch, true);
    }

    /// Holds what was added since the rope's end was `start`.
    fn hold(&mut self, start: u64, epoch: Epoch, is_message: bool) {
        self.held.push_back(Held {
            start,
            end: self.rope.end(),
            epoch,
            is_message,
        });
    }

    /// Adds what is in another, of which nothing was sent.
    fn append(&mut self, other: &Outbox) {
        let moved = self.rope.end();
        self.rope.append(&other.rope);
        self.held.extend(other.held.iter().map(|held| Held {
            start: held.start + moved,
            end: held.end + moved,
            ..*held
        }));
    }

    /// Lets go what has been decided. Returns the epoch that the next of what is held waits for. `count_error` is told of each
    /// reply that becomes an error.
    pub fn release(&mut self, store: &Store, mut count_error: impl FnMut(&str)) -> Option<Epoch> {
        while let Some(first) = self.held.front() {
            if first.epoch > store.settled() {
                return Some(first.epoch);
            }
            match store.failure(first.epoch) {
                Some(failure) => {
                    self.lose_first_held(disk_error(&failure.text), &mut count_error);
                }
                None => {
                    self.held.pop_front();
                }
            }
        }
        None
    }

    fn lose_first_held(&mut self, error: String, count_error: &mut impl FnMut(&str)) {
        let Some(lost) = self.held.pop_front() else { return };
        if lost.start == lost.end {
            return;
        }
        let mut text = Vec::new();
        if !lost.is_message {
            // What was an error before has been counted as one.
            if self.rope.byte(lost.start) != Some(b'-') {
                count_error(&error);
            }
            encode(&Reply::err(error), Protocol::Resp2, &mut text);
        }
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

    /// Whether what may be sent now is so much that it is not kept until what waits behind it may leave, too.
    pub fn is_much_ready(&self) -> bool {
        self.ready_text().is_none_or(|text| text.len() >= MUCH)
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
        self.rope.len() + self.behind_pieces.as_ref().map_or(0, |messages| messages.len())
    }

    /// Bytes not sent yet that do not wait behind the rest of a reply in pieces.
    pub fn len_ahead(&self) -> usize {
        self.rope.len()
    }

    /// Whether all was sent.
    pub fn is_empty(&self) -> bool {
        let messages = self.behind_pieces.as_ref();
        self.rope.is_empty() && messages.is_none_or(|messages| messages.is_empty())
    }

    /// Bytes of messages that it refers to: they are counted once for all outboxes.
    pub fn counted_elsewhere(&self) -> usize {
        let messages = self.behind_pieces.as_ref();
        self.rope.counted() + messages.map_or(0, |messages| messages.counted_elsewhere())
    }

    /// What it takes of memory beside that: a value that comes several times counts once.
    pub fn memory(&self) -> usize {
        let behind = self
            .behind_pieces
            .as_ref()
            .map_or(0, |messages| messages.memory());
        self.rope.capacity() + self.held.capacity() * size_of::<Held>() + behind
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;
    use std::sync::atomic::Ordering::Relaxed;

    use super::*;
    use crate::resp::Counted;

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
        outbox.lose_first_held("ERR lost".to_owned(), &mut |text: &str| {
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

    #[test]
    fn a_message_that_came_within_a_reply_leaves_behind_it() {
        let (settled, held) = (Epoch::of(5), Epoch::of(6));
        let message = |n| Reply::Push(vec![Reply::Int(n)]);
        let mut outbox = Outbox::default();
        let mut piece = Rope::default();
        piece.text().extend_from_slice(b"*2\r\n:1\r\n");
        outbox.push_message(&message(0), Protocol::Resp3, settled, settled);
        outbox.push_piece(&piece);
        outbox.push_message(&message(1), Protocol::Resp3, held, settled);
        outbox.push_message(&message(2), Protocol::Resp3, settled, settled);
        assert_eq!(ready(&outbox), b">1\r\n:0\r\n*2\r\n:1\r\n");
        assert_eq!(outbox.len(), 32);
        outbox.advance(ready(&outbox).len());
        // The rest of the reply does not wait for what waits behind it.
        assert!(outbox.len_ahead() == 0 && !outbox.is_empty());
        outbox.push(&Reply::Int(2), Protocol::Resp3, settled, settled);
        outbox.push(&Reply::Int(3), Protocol::Resp3, settled, settled);
        assert_eq!(ready(&outbox), b":2\r\n");
        outbox.advance(ready(&outbox).len());
        outbox.lose_first_held("ERR lost".to_owned(), &mut |text: &str| panic!("counted {text}"));
        assert_eq!(ready(&outbox), b">1\r\n:2\r\n:3\r\n");
    }

    #[test]
    fn messages_are_referred_to_and_lost_with_their_epoch() {
        let sum = Arc::<AtomicUsize>::default();
        let message = |text: &str| {
            let bytes = format!("<{text}>").into_bytes();
            let whole = 0..bytes.len();
            Blob::counted(Counted::new(bytes, &sum), whole)
        };
        let (settled, lost, held) = (Epoch::of(5), Epoch::of(6), Epoch::of(7));
        let (mut one, mut other) = (Outbox::default(), Outbox::default());
        let long = message(&"m".repeat(100_000));
        for outbox in [&mut one, &mut other] {
            outbox.push_shared(&long, settled, settled);
            outbox.push_shared(&message("lost"), lost, settled);
            outbox.push_shared(&message("1"), settled, settled);
            outbox.push(&Reply::Ok, Protocol::Resp2, held, settled);
            outbox.push_shared(&message("2"), held, settled);
            outbox.push_shared(&message("3"), settled, settled);
            assert!(ready(outbox) == *long);
            assert_eq!(outbox.counted_elsewhere(), long.len() + 4 + 3 + 1 + 3);
            assert!(outbox.memory() < 1000, "{}", outbox.memory());
        }
        // There is one copy of the first, and two of each of the others.
        assert_eq!(sum.load(Relaxed), long.len() + 2 * (6 + 3 + 3 + 3));
        one.advance(50_000);
        one.lose_first_held("ERR lost".to_owned(), &mut |text: &str| panic!("counted {text}"));
        assert!(ready(&one) == [&long[50_000..], b"<1>"].concat());
        one.held = VecDeque::new();
        assert!(ready(&one).ends_with(b"m><1>+OK\r\n<2><3>"));
        one.advance(one.len());
        drop((other, long));
        assert_eq!((one.counted_elsewhere(), sum.load(Relaxed)), (0, 0));
        assert!(one.is_empty() && one.memory() < 1000, "{}", one.memory());
    }
}
