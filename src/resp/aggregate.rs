//! Long aggregates: encoded while they are made, and sent while they are made where there is a [`Sink`].

use super::encode::{self, Out, Protocol};
use super::reply::{Blob, Reply};
use super::rope::Rope;

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
    /// RESP3: a map. RESP2: an array of arrays of a key and a value.
    NestedMap,
}

/// An aggregate whose elements are encoded already.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregate {
    shape: Shape,
    protocol: Protocol,
    /// How many elements there are; a pair is one.
    count: u64,
    encoded: Rope,
}

impl Aggregate {
    pub fn new(shape: Shape, protocol: Protocol) -> Aggregate {
        Aggregate {
            shape,
            protocol,
            count: 0,
            encoded: Rope::default(),
        }
    }

    pub fn count(&self) -> u64 {
        self.count
    }

    /// The elements so far.
    pub fn encoded(&self) -> &Rope {
        &self.encoded
    }

    /// Adds a bulk to an array or a set.
    #[inline]
    pub fn push(&mut self, bytes: &[u8]) {
        self.count += 1;
        encode::bulk(bytes, self.encoded.text());
    }

    /// As [`Aggregate::push`]; what is long is not copied.
    #[inline]
    pub fn push_blob(&mut self, blob: &Blob) {
        self.count += 1;
        encode::blob_bulk(blob, &mut self.encoded);
    }

    /// Adds a bulk of so many bytes to an array or a set: its parts follow, then [`Aggregate::end_bulk`].
    pub fn begin_bulk(&mut self, len: u64) {
        self.count += 1;
        encode::header(b'$', len, self.encoded.text());
    }

    /// Adds bytes of a bulk; they are not copied.
    pub fn push_part(&mut self, part: &Blob) {
        self.encoded.refer_to(part.clone());
    }

    pub fn end_bulk(&mut self) {
        self.encoded.text().extend_from_slice(b"\r\n");
    }

    /// Adds an element to an array or a set.
    pub fn push_reply(&mut self, element: &Reply) {
        self.count += 1;
        encode::encode(element, self.protocol, &mut self.encoded);
    }

    /// Adds two elements to a map or to pairs.
    pub fn push_entry(&mut self, (first, second): &(Reply, Reply)) {
        self.begin_pair();
        encode::encode(first, self.protocol, &mut self.encoded);
        encode::encode(second, self.protocol, &mut self.encoded);
    }

    /// Adds a key and the head of an array to a nested map. So many elements follow.
    pub fn begin_nested(&mut self, key: &[u8], len: u64) {
        self.begin_pair();
        encode::bulk(key, self.encoded.text());
        encode::header(b'*', len, self.encoded.text());
    }

    pub fn push_nested(&mut self, element: &Reply) {
        encode::encode(element, self.protocol, &mut self.encoded);
    }

    /// Adds two bulks, or a bulk and a double, to a map or to pairs.
    #[inline]
    pub fn push_pair(&mut self, first: &[u8], second: Second) {
        self.begin_pair();
        encode::bulk(first, self.encoded.text());
        self.end_pair(second);
    }

    /// As [`Aggregate::push_pair`]; what is long is not copied.
    #[inline]
    pub fn push_blob_pair(&mut self, first: &Blob, second: Second) {
        self.begin_pair();
        encode::blob_bulk(first, &mut self.encoded);
        self.end_pair(second);
    }

    #[inline]
    fn begin_pair(&mut self) {
        self.count += 1;
        let is_array = match self.shape {
            Shape::Pairs => self.protocol == Protocol::Resp3,
            Shape::NestedMap => self.protocol == Protocol::Resp2,
            Shape::Array | Shape::Set | Shape::Map => false,
        };
        if is_array {
            encode::header(b'*', 2, self.encoded.text());
        }
    }

    #[inline]
    fn end_pair(&mut self, second: Second) {
        match second {
            Second::Bulk(bytes) => encode::bulk(bytes, self.encoded.text()),
            Second::Blob(blob) => encode::blob_bulk(blob, &mut self.encoded),
            Second::Double(value) => encode::encode(&Reply::Double(value), self.protocol, &mut self.encoded),
        }
    }

    /// Takes the elements out that were added since the last time.
    pub fn take(&mut self) -> Rope {
        let bytes = self.encoded.weight();
        std::mem::replace(&mut self.encoded, Rope::with_capacity(bytes))
    }

    pub(super) fn encode(&self, out: &mut impl Out) {
        header(self.shape, self.protocol, self.count, out.text());
        out.append(&self.encoded);
    }
}

/// The second of a pair.
#[derive(Clone, Copy, Debug)]
pub enum Second<'a> {
    Bulk(&'a [u8]),
    Blob(&'a Blob),
    Double(f64),
}

/// What comes before the elements, of which there are so many.
pub fn header(shape: Shape, protocol: Protocol, count: u64, out: &mut Vec<u8>) {
    let (marker, count) = match (shape, protocol) {
        (Shape::Array, _)
        | (Shape::Pairs, Protocol::Resp3)
        | (Shape::Set | Shape::NestedMap, Protocol::Resp2) => (b'*', count),
        (Shape::Set, Protocol::Resp3) => (b'~', count),
        (Shape::Map | Shape::NestedMap, Protocol::Resp3) => (b'%', count),
        (Shape::Map | Shape::Pairs, Protocol::Resp2) => (b'*', 2 * count),
    };
    encode::header(marker, count, out);
}

/// Where a reply leaves piece by piece while it is made.
pub trait Sink {
    /// Sends the next bytes; waits while those before are too far ahead of the client.
    fn send(&self, piece: Rope) -> Result<(), Gone>;
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
                (
                    Shape::NestedMap,
                    Reply::NestedMap(vec![(Reply::bulk("a"), Reply::Array(bulks()))]),
                ),
            ] {
                let mut aggregate = Aggregate::new(shape, protocol);
                match shape {
                    Shape::Array | Shape::Set => {
                        aggregate.push(b"a");
                        aggregate.push_reply(&Reply::bulk("b"));
                    }
                    Shape::Map | Shape::Pairs => aggregate.push_pair(b"a", Second::Double(1.5)),
                    Shape::NestedMap => {
                        aggregate.begin_nested(b"a", 2);
                        bulks().iter().for_each(|bulk| aggregate.push_nested(bulk));
                    }
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
        assert_eq!(aggregate.take().to_vec(), b"$1\r\na\r\n");
        assert!(aggregate.encoded().is_empty());
        aggregate.push(b"b");
        assert_eq!((aggregate.count(), aggregate.encoded().len()), (2, 7));
    }
}
