//! Replies as long as a collection. They are encoded as they are made; and a body over a view sends them as it makes them,
//! so that their length is not what they take of memory.
//!
//! The protocols want the number of elements before the first of them. Where it isn't known, a body over a view goes
//! through its range twice: its view shows the same both times.

use super::Call;
use crate::disk::format::Malformed;
use crate::resp::aggregate;
use crate::resp::{Aggregate, Gone, Reply, Second, Shape, Sink};
use crate::store::{Result, Stop, Txn};

/// A reply of more elements than this is made over a view, though all be in memory: others go on meanwhile.
pub const MOST_LIVE: u64 = 1 << 18;
/// Bytes that are sent at once; a shorter reply is not sent in pieces.
const PIECE: usize = 64 << 10;

/// Takes the elements of a reply.
pub struct Elements<'c> {
    made: Aggregate,
    to: To<'c>,
}

enum To<'c> {
    /// All stay together.
    Whole,
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

    pub fn push_reply(&mut self, element: &Reply) -> Result<()> {
        self.made.push_reply(element);
        self.pass_on()
    }

    /// Of a map, or of pairs.
    #[inline]
    pub fn push_pair(&mut self, first: &[u8], second: &[u8]) -> Result<()> {
        self.made.push_pair(first, Second::Bulk(second));
        self.pass_on()
    }

    #[inline]
    pub fn push_scored(&mut self, member: &[u8], score: f64) -> Result<()> {
        self.made.push_pair(member, Second::Double(score));
        self.pass_on()
    }

    #[inline]
    fn pass_on(&mut self) -> Result<()> {
        match &mut self.to {
            To::Whole => Ok(()),
            _ if self.made.len() < PIECE => Ok(()),
            To::Trial { is_over } => {
                *is_over = true;
                self.made.take();
                Ok(())
            }
            To::Sink(sink) => sink.send(self.made.take()).map_err(gone),
        }
    }
}

fn gone(_: Gone) -> Stop {
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
    let mut whole = begin(To::Whole);
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
    let mut head = Vec::new();
    aggregate::header(shape, call.protocol, count, &mut head);
    sink.send(head).map_err(gone)?;
    let mut parts = begin(To::Sink(sink));
    walk(txn, &mut parts)?;
    if parts.made.count() != count {
        return Err(Malformed("a collection has not as many elements as it says").into());
    }
    sink.send(parts.made.take()).map_err(gone)?;
    Ok(Reply::Nothing)
}

/// Goes on over a view if a reply is to have so many elements that it would keep all others waiting.
pub fn beside_others(txn: &Txn, count: u64) -> Result<()> {
    match count > MOST_LIVE {
        true => txn.view().map(|_| ()),
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
        pieces: RefCell<Vec<Vec<u8>>>,
        most: usize,
    }

    impl Sink for Client {
        fn send(&self, piece: Vec<u8>) -> std::result::Result<(), Gone> {
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
            },
            protocol: Protocol::Resp2,
            sink: Some(&client),
        };
        let mut runs = 0;
        let reply = TestStore::open().run(|txn| {
            elements(txn, &call, Shape::Array, known.then_some(n), |_, out| {
                runs += 1;
                (0..n).try_for_each(|n| out.push(&n.to_be_bytes()))
            })
        })?;
        let pieces = client.pieces.into_inner();
        let mut bytes = pieces.concat();
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
