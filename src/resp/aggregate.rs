//! Long aggregates: encoded while they are made, and sent while they are made where there is a [`Sink`].

use super::encode::{self, Protocol};
use super::reply::Reply;

/// What an aggregate is in either protocol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    Array,
    /// RESP2: an array.
    Set,
    /// RESP2: an array of keys and values in turn.
    Map,
    /// RESP3: an array of arrays of two. RESP2: an array of firsts and seconds in turn.
    Pairs,
}

/// An aggregate whose elements are encoded already.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregate {
    shape: Shape,
    protocol: Protocol,
    /// How many elements there are; a pair is one.
    count: u64,
    encoded: Vec<u8>,
}

impl Aggregate {
    pub fn new(shape: Shape, protocol: Protocol) -> Aggregate {
        Aggregate {
            shape,
            protocol,
            count: 0,
            encoded: Vec::new(),
        }
    }

    pub fn count(&self) -> u64 {
        self.count
    }

    /// Bytes of the elements so far.
    pub fn len(&self) -> usize {
        self.encoded.len()
    }

    pub fn is_empty(&self) -> bool {
        self.encoded.is_empty()
    }

    /// Adds a bulk to an array or a set.
    #[inline]
    pub fn push(&mut self, bytes: &[u8]) {
        self.count += 1;
        encode::bulk(bytes, &mut self.encoded);
    }

    /// Adds an element to an array or a set.
    pub fn push_reply(&mut self, element: &Reply) {
        self.count += 1;
        encode::encode(element, self.protocol, &mut self.encoded);
    }

    /// Adds two bulks, or a bulk and a double, to a map or to pairs.
    #[inline]
    pub fn push_pair(&mut self, first: &[u8], second: Second) {
        self.count += 1;
        if self.shape == Shape::Pairs && self.protocol == Protocol::Resp3 {
            encode::header(b'*', 2, &mut self.encoded);
        }
        encode::bulk(first, &mut self.encoded);
        match second {
            Second::Bulk(bytes) => encode::bulk(bytes, &mut self.encoded),
            Second::Double(value) => encode::encode(&Reply::Double(value), self.protocol, &mut self.encoded),
        }
    }

    /// Takes the elements out that were added since the last time.
    pub fn take(&mut self) -> Vec<u8> {
        let capacity = self.encoded.capacity();
        std::mem::replace(&mut self.encoded, Vec::with_capacity(capacity))
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        header(self.shape, self.protocol, self.count, out);
        out.extend_from_slice(&self.encoded);
    }
}

/// The second of a pair.
#[derive(Clone, Copy, Debug)]
pub enum Second<'a> {
    Bulk(&'a [u8]),
    Double(f64),
}

/// What comes before the elements, of which there are so many.
pub fn header(shape: Shape, protocol: Protocol, count: u64, out: &mut Vec<u8>) {
    let (marker, count) = match (shape, protocol) {
        (Shape::Array, _) | (Shape::Pairs, Protocol::Resp3) | (Shape::Set, Protocol::Resp2) => (b'*', count),
        (Shape::Set, Protocol::Resp3) => (b'~', count),
        (Shape::Map, Protocol::Resp3) => (b'%', count),
        (Shape::Map | Shape::Pairs, Protocol::Resp2) => (b'*', 2 * count),
    };
    encode::header(marker, count, out);
}

/// Where a reply leaves piece by piece while it is made.
pub trait Sink {
    /// Sends the next bytes; waits while those before are too far ahead of the client.
    fn send(&self, piece: Vec<u8>) -> Result<(), Gone>;
}

/// There is nobody who takes the reply any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gone;

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(aggregate: Aggregate) -> String {
        let mut out = Vec::new();
        encode::encode(&Reply::Aggregate(Box::new(aggregate)), Protocol::Resp2, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn each_shape_in_either_protocol_is_what_the_reply_with_the_same_elements_is() {
        let bulks = || vec![Reply::bulk("a"), Reply::bulk("b")];
        let pairs = || vec![(Reply::bulk("a"), Reply::Double(1.5))];
        for protocol in [Protocol::Resp2, Protocol::Resp3] {
            for (shape, expected) in [
                (Shape::Array, Reply::Array(bulks())),
                (Shape::Set, Reply::Set(bulks())),
                (Shape::Map, Reply::Map(pairs())),
                (Shape::Pairs, Reply::Pairs(pairs())),
            ] {
                let mut aggregate = Aggregate::new(shape, protocol);
                match shape {
                    Shape::Array | Shape::Set => {
                        aggregate.push(b"a");
                        aggregate.push_reply(&Reply::bulk("b"));
                    }
                    Shape::Map | Shape::Pairs => aggregate.push_pair(b"a", Second::Double(1.5)),
                }
                let mut out = Vec::new();
                encode::encode(&expected, protocol, &mut out);
                assert_eq!(encoded(aggregate), String::from_utf8(out).unwrap(), "{shape:?}");
            }
        }
    }

    #[test]
    fn what_was_taken_out_still_counts() {
        let mut aggregate = Aggregate::new(Shape::Array, Protocol::Resp2);
        aggregate.push(b"a");
        assert_eq!(aggregate.take(), b"$1\r\na\r\n");
        assert!(aggregate.is_empty());
        aggregate.push(b"b");
        assert_eq!((aggregate.count(), aggregate.len()), (2, 7));
    }
}
