//! Long aggregates: encoded while they are made, and sent while they are made where there is a [`Sink`].

use super::blob::Blob;
use super::rope::Rope;
use super::wire::{self, Out, Protocol};

/// What an aggregate is in either protocol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// An array in both.
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
    /// What the elements are encoded for.
    pub(super) protocol: Protocol,
    /// How many elements there are; a pair is one.
    pub(super) count: u64,
    /// The elements, without the aggregate's header.
    pub(super) encoded: Rope,
}

impl Aggregate {
    /// One without elements yet.
    pub fn new(shape: Shape, protocol: Protocol) -> Aggregate {
        Aggregate {
            shape,
            protocol,
            count: 0,
            encoded: Rope::default(),
        }
    }

    /// How many elements were added; a pair is one.
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
        wire::bulk(bytes, self.encoded.text());
    }

    /// As [`Aggregate::push`]; what is long is not copied.
    #[inline]
    pub fn push_blob(&mut self, blob: &Blob) {
        self.count += 1;
        wire::blob_bulk(blob, &mut self.encoded);
    }

    /// Adds a bulk of `len` bytes to an array or a set: its parts follow, then [`Aggregate::end_bulk`].
    pub fn begin_bulk(&mut self, len: u64) {
        self.count += 1;
        wire::header(b'$', len, self.encoded.text());
    }

    /// Adds bytes of a bulk; they are not copied.
    pub fn push_part(&mut self, part: &Blob) {
        self.encoded.refer_to(part.clone());
    }

    /// Ends the bulk that [`Aggregate::begin_bulk`] has begun.
    pub fn end_bulk(&mut self) {
        self.encoded.text().extend_from_slice(b"\r\n");
    }

    /// Adds a key and the head of an array to a nested map. `len` elements follow.
    pub fn begin_nested(&mut self, key: &[u8], len: u64) {
        self.begin_pair();
        wire::bulk(key, self.encoded.text());
        wire::header(b'*', len, self.encoded.text());
    }

    /// Adds two bulks, or a bulk and a double, to a map or to pairs.
    #[inline]
    pub fn push_pair(&mut self, first: &[u8], second: Second) {
        self.begin_pair();
        wire::bulk(first, self.encoded.text());
        self.end_pair(second);
    }

    /// As [`Aggregate::push_pair`]; what is long is not copied.
    #[inline]
    pub fn push_blob_pair(&mut self, first: &Blob, second: Second) {
        self.begin_pair();
        wire::blob_bulk(first, &mut self.encoded);
        self.end_pair(second);
    }

    /// What stands before the first of a pair.
    #[inline]
    pub(super) fn begin_pair(&mut self) {
        self.count += 1;
        let is_array = match self.shape {
            Shape::Pairs => self.protocol == Protocol::Resp3,
            Shape::NestedMap => self.protocol == Protocol::Resp2,
            Shape::Array | Shape::Set | Shape::Map => false,
        };
        if is_array {
            wire::header(b'*', 2, self.encoded.text());
        }
    }

    #[inline]
    fn end_pair(&mut self, second: Second) {
        match second {
            Second::Bulk(bytes) => wire::bulk(bytes, self.encoded.text()),
            Second::Blob(blob) => wire::blob_bulk(blob, &mut self.encoded),
            Second::Double(value) => wire::double(value, self.protocol, self.encoded.text()),
        }
    }

    /// Takes the elements out that were added since the last time.
    pub fn take(&mut self) -> Rope {
        let bytes = self.encoded.weight();
        std::mem::replace(&mut self.encoded, Rope::with_capacity(bytes))
    }

    /// Appends the header, and then the elements, shared where they are.
    pub(super) fn encode(&self, out: &mut impl Out) {
        header(self.shape, self.protocol, self.count, out.text());
        out.append(&self.encoded);
    }
}

/// The second of a pair.
#[derive(Clone, Copy, Debug)]
pub enum Second<'a> {
    /// A bulk, copied.
    Bulk(&'a [u8]),
    /// A bulk; what is long is not copied.
    Blob(&'a Blob),
    /// A double; RESP2: a bulk.
    Double(f64),
}

/// What comes before the elements, of which there are `count`; a pair is one.
pub fn header(shape: Shape, protocol: Protocol, count: u64, out: &mut Vec<u8>) {
    let (marker, count) = match (shape, protocol) {
        (Shape::Array, _)
        | (Shape::Pairs, Protocol::Resp3)
        | (Shape::Set | Shape::NestedMap, Protocol::Resp2) => (b'*', count),
        (Shape::Set, Protocol::Resp3) => (b'~', count),
        (Shape::Map | Shape::NestedMap, Protocol::Resp3) => (b'%', count),
        (Shape::Map | Shape::Pairs, Protocol::Resp2) => (b'*', 2 * count),
    };
    wire::header(marker, count, out);
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
