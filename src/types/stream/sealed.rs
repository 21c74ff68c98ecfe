//! The entries of a stream's index: chunks that take no more entries.

use super::Id;
use super::chunk::{push_id, read_id};
use crate::disk::cells::{Reader, push_varint};
use crate::disk::format::Malformed;

/// A chunk that takes no more entries.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sealed {
    /// The ID that it began with.
    pub first: Id,
    /// The last ID that it got, though its entry may be deleted.
    pub last: Id,
    /// Of the blob that holds it.
    pub number: u64,
    /// How many of its entries are not deleted.
    pub live: u64,
}

impl Sealed {
    /// An entry of the index; one that ends early is damage.
    pub fn decode(key: &[u8], value: &[u8]) -> std::result::Result<Sealed, Malformed> {
        let first = key.try_into().map_err(|_| Malformed("key of a chunk"))?;
        let mut reader = Reader(value);
        Ok(Sealed {
            first: Id::decode(first),
            number: reader.varint()?,
            live: reader.varint()?,
            last: read_id(&mut reader)?,
        })
    }

    /// Its value in the index.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(24);
        push_varint(&mut out, self.number);
        push_varint(&mut out, self.live);
        push_id(&mut out, self.last);
        out
    }
}
