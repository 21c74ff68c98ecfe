//! Replies as long as a collection. They are encoded as they are made; and a body over a view sends them as it makes them,
//! so that their length is not what they take of memory. A reply that grows long on the executor is begun again over a
//! view.
//!
//! The protocols want the number of elements before the first of them. Where it isn't known, a body over a view goes
//! through its range twice: its view shows the same both times.

use super::Call;
use super::values::blob;
use crate::disk::format::Malformed;
use crate::resp::aggregate;
use crate::resp::{Aggregate, Blob, Gone, Reply, Rope, Second, Shape, Sink};
use crate::store::{Allowance, Result, Stop, Txn};
use crate::types::string::Bytes;

/// A reply of more elements than this is made over a view, though all be in memory: others go on meanwhile.
pub const MOST_LIVE: u64 = 1 << 18;
/// The same where each of them is drawn at random, which takes longer.
pub const MOST_DRAWN_LIVE: u64 = 1 << 14;
/// Bytes that are sent at once; a shorter reply is not sent in pieces.
pub const PIECE: usize = 32 << 10;

/// Takes the elements of a reply.
pub struct Elements<'c> {
    made: Aggregate,
    to: To<'c>,
}

enum To<'c> {
    /// All stay together, and take at most so many bytes of their own.
    Whole {
        most: usize,
        allowance: Allowance,
    },
    /// They stay together as long as they are no more than a piece. Then they are only counted.
    Trial {
        is_over: bool,
    },
    Sink(&'c dyn Sink),
}

impl Elements<'_> {
    /// An element of an array or a set.
    #[inline]
    pub fn push(&mut self, bytes: &[u8]) -> Result<()> {
        self.made.push(bytes);
        self.pass_on()
    }

    /// As [`Elements::push`]; what is long is not copied.
    #[inline]
    pub fn push_bytes(&mut self, bytes: Bytes) -> Result<()> {
        self.made.push_blob(&blob(bytes));
        self.pass_on()
    }

    /// An element of any shape.
    pub fn push_reply(&mut self, element: &Reply) -> Result<()> {
        self.made.push_reply(element);
        self.pass_on()
    }

    /// An element of `len` bytes, which follow in parts; then comes [`Elements::end_bulk`].
    pub fn begin_bulk(&mut self, len: u64) -> Result<()> {
        self.made.begin_bulk(len);
        self.pass_on()
    }

    /// A part of the element that [`Elements::begin_bulk`] began.
    pub fn push_part(&mut self, part: &Blob) -> Result<()> {
        self.made.push_part(part);
        self.pass_on()
    }

    /// Ends the element that [`Elements::begin_bulk`] began.
    pub fn end_bulk(&mut self) -> Result<()> {
        self.made.end_bulk();
        self.pass_on()
    }

    /// Of a nested map: its key, and how many elements of its array follow.
    pub fn begin_nested(&mut self, key: &[u8], len: u64) -> Result<()> {
        self.made.begin_nested(key, len);
        self.pass_on()
    }

    /// An element of the array that [`Elements::begin_nested`] began.
    pub fn push_nested(&mut self, element: &Reply) -> Result<()> {
        self.made.push_nested(element);
        self.pass_on()
    }

    /// Of a map, or of pairs.
    #[inline]
    pub fn push_pair(&mut self, first: &[u8], second: &[u8]) -> Result<()> {
        self.made.push_pair(first, Second::Bulk(second));
        self.pass_on()
    }

    /// As [`Elements::push_pair`]; what is long is not copied.
    #[inline]
    pub fn push_pair_bytes(&mut self, first: Bytes, second: Bytes) -> Result<()> {
        self.made
            .push_blob_pair(&blob(first), Second::Blob(&blob(second)));
        self.pass_on()
    }

    /// A member with its score.
    #[inline]
    pub fn push_scored(&mut self, member: &[u8], score: f64) -> Result<()> {
        self.made.push_pair(member, Second::Double(score));
        self.pass_on()
    }

    #[inline]
    fn pass_on(&mut self) -> Result<()> {
        match &mut self.to {
            To::Whole { most, .. } if self.made.encoded().weight() <= *most => Ok(()),
            To::Whole { allowance, .. } => Err(allowance.too_much()),
            _ if self.made.encoded().memory() < PIECE => Ok(()),
            To::Trial { is_over } => {
                *is_over = true;
                self.made.take();
                Ok(())
            }
            To::Sink(sink) => sink.send(self.made.take()).map_err(gone),
        }
    }
}

/// What ends a command whose client has left.
pub fn gone(_: Gone) -> Stop {
    Stop::Error("ERR the client is gone".into())
}

/// An aggregate of what `walk` shows, which are `count` elements if that is known. `walk` may be run twice.
pub fn elements(
    txn: &mut Txn,
    call: &Call,
    shape: Shape,
    count: Option<u64>,
    mut walk: impl FnMut(&mut Txn, &mut Elements) -> Result<()>,
) -> Result<Reply> {
    let begin = |to| Elements {
        made: Aggregate::new(shape, call.protocol),
        to,
    };
    let allowance = txn.allowance;
    let mut whole = begin(To::Whole {
        most: match allowance.may_use_view() {
            true => call.limits.live_reply,
            false => allowance.left(),
        },
        allowance,
    });
    let Some(sink) = call.sink else {
        walk(txn, &mut whole)?;
        return Ok(Reply::Aggregate(Box::new(whole.made)));
    };
    let count = match count {
        Some(count) => count,
        None => {
            whole.to = To::Trial { is_over: false };
            walk(txn, &mut whole)?;
            match whole.to {
                To::Trial { is_over: true } => whole.made.count(),
                _ => return Ok(Reply::Aggregate(Box::new(whole.made))),
            }
        }
    };
    let mut head = Rope::default();
    aggregate::header(shape, call.protocol, count, head.text());
    sink.send(head).map_err(gone)?;
    let mut parts = begin(To::Sink(sink));
    walk(txn, &mut parts)?;
    if parts.made.count() != count {
        return Err(Malformed("a collection has not as many elements as it says").into());
    }
    sink.send(parts.made.take()).map_err(gone)?;
    Ok(Reply::Nothing)
}

/// Adds what is read for each item. Reads go on after one that misses a record, so that all that is missing is asked for
/// together.
pub fn push_each<I, T>(
    txn: &mut Txn,
    items: impl IntoIterator<Item = I>,
    mut read: impl FnMut(&mut Txn, I) -> Result<T>,
    mut push: impl FnMut(T) -> Result<()>,
) -> Result<()> {
    let mut missed = 0;
    for item in items {
        match read(txn, item) {
            Err(Stop::Fault) => {
                missed += 1;
                txn.wait_for(missed)?;
            }
            found if missed == 0 => push(found?)?,
            found => drop(found?),
        }
    }
    match missed {
        0 => Ok(()),
        _ => Err(Stop::Fault),
    }
}

/// Goes on over a view if a reply of `count` elements would keep all others waiting.
pub fn beside_others(txn: &Txn, count: u64) -> Result<()> {
    over_a_view_if(txn, count > MOST_LIVE)
}

/// The same of elements drawn at random.
pub fn draw_beside_others(txn: &Txn, count: u64) -> Result<()> {
    over_a_view_if(txn, count > MOST_DRAWN_LIVE)
}

fn over_a_view_if(txn: &Txn, is_long: bool) -> Result<()> {
    match is_long {
        true => txn.prefer_view(),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::command::CallLimits;
    use crate::resp::{Decoder, Limits, Protocol};
    use crate::store::testing::TestStore;

    /// A client that goes away after so many pieces.
    struct Client {
        pieces: RefCell<Vec<Rope>>,
        most: usize,
    }

    impl Sink for Client {
        fn send(&self, piece: Rope) -> std::result::Result<(), Gone> {
            let mut pieces = self.pieces.borrow_mut();
            if pieces.len() == self.most {
                return Err(Gone);
            }
            pieces.push(piece);
            Ok(())
        }
    }

    /// The numbers below `n`, as a client gets them; and how many runs and how many pieces that took.
    fn numbers(n: u64, known: bool, most: usize) -> std::result::Result<(Vec<u8>, usize, usize), String> {
        let mut decoder = Decoder::new();
        let request = b"NUMBERS\r\n";
        decoder.decode(request, &Limits::default()).unwrap();
        let client = Client {
            pieces: RefCell::default(),
            most,
        };
        let call = Call {
            args: decoder.args(request),
            db: 0,
            limits: &CallLimits {
                max_string: 0,
                databases: 0,
                thresholds: Default::default(),
                hll_sparse: 0,
                live_reply: 0,
                live_gathered: 0,
                gathered: 0,
            },
            protocol: Protocol::Resp2,
            client: 0,
            may_wait: false,
            sink: Some(&client),
            audience: None,
            is_scripted: false,
        };
        let mut runs = 0;
        let reply = TestStore::open().run(|txn| {
            elements(txn, &call, Shape::Array, known.then_some(n), |_, out| {
                runs += 1;
                (0..n).try_for_each(|n| out.push(&n.to_be_bytes()))
            })
        })?;
        let pieces = client.pieces.into_inner();
        let mut bytes: Vec<u8> = pieces.iter().flat_map(Rope::to_vec).collect();
        crate::resp::encode(&reply, Protocol::Resp2, &mut bytes);
        Ok((bytes, runs, pieces.len()))
    }

    fn expected(n: u64) -> Vec<u8> {
        let numbers = (0..n).map(|n| Reply::bulk(n.to_be_bytes().to_vec()));
        let mut bytes = Vec::new();
        crate::resp::encode(&Reply::Array(numbers.collect()), Protocol::Resp2, &mut bytes);
        bytes
    }

    #[test]
    fn a_short_reply_of_unknown_length_is_made_once_and_a_long_one_twice() {
        for (n, runs) in [(0, 1), (1, 1), (1000, 1), (100_000, 2)] {
            let (bytes, took, pieces) = numbers(n, false, usize::MAX).unwrap();
            assert!(bytes == expected(n), "{n}");
            assert_eq!((took, pieces > 1), (runs, runs == 2), "{n}");
        }
    }

    #[test]
    fn a_reply_of_known_length_is_made_once() {
        for n in [0, 1, 100_000] {
            let (bytes, runs, _) = numbers(n, true, usize::MAX).unwrap();
            assert!(bytes == expected(n) && runs == 1, "{n}");
        }
    }

    #[test]
    fn nothing_more_is_made_for_a_client_that_is_gone() {
        assert!(numbers(100_000, true, 3).is_err());
    }
}
