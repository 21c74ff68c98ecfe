//! The names of records.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use super::{Family, SLOT_KEY, ordered_id, split_ordered_id};

/// How many bytes of a record key are kept without an allocation: a hot-tier node is one cache line with it.
const INLINE: usize = 22;

/// The name of a record: its family and its key there. Most fit inline, so that the hot tier compares them without
/// following a pointer.
#[derive(Clone, PartialEq, Eq)]
pub struct RecordKey(Repr);

/// What fits inline always is: so equal keys have equal representations.
#[derive(Clone, PartialEq, Eq)]
enum Repr {
    Inline { len: u8, bytes: [u8; INLINE] },
    Heap(Box<[u8]>),
}

impl RecordKey {
    fn from_parts(family: Family, parts: [&[u8]; 3]) -> RecordKey {
        let len = 1 + parts[0].len() + parts[1].len() + parts[2].len();
        if len <= INLINE {
            let mut bytes = [0; INLINE];
            bytes[0] = family as u8;
            let mut at = 1;
            for part in parts {
                bytes[at..at + part.len()].copy_from_slice(part);
                at += part.len();
            }
            return RecordKey(Repr::Inline {
                len: len as u8,
                bytes,
            });
        }
        let mut bytes = Vec::with_capacity(len);
        bytes.push(family as u8);
        parts.iter().for_each(|part| bytes.extend_from_slice(part));
        RecordKey(Repr::Heap(bytes.into_boxed_slice()))
    }

    /// A record of those that belong to an id, by its number in big endian.
    #[inline]
    fn numbered<const N: usize>(family: Family, id: u64, number: [u8; N]) -> RecordKey {
        let mut bytes = [0; INLINE];
        bytes[0] = family as u8;
        bytes[1..9].copy_from_slice(&id.to_be_bytes());
        bytes[9..9 + N].copy_from_slice(&number);
        let len = 9 + N as u8;
        RecordKey(Repr::Inline { len, bytes })
    }

    /// A record of any family, by its key there.
    pub fn new(family: Family, key: &[u8]) -> RecordKey {
        RecordKey::from_parts(family, [key, b"", b""])
    }

    /// The record of a key.
    pub fn meta(namespace: u64, key: &[u8]) -> RecordKey {
        let (id, n) = ordered_id(namespace);
        RecordKey::from_parts(Family::Meta, [&id[..n], key, b""])
    }

    /// A segment of a long string.
    pub fn segment(id: u64, index: u32) -> RecordKey {
        RecordKey::numbered(Family::Segment, id, index.to_be_bytes())
    }

    /// A page of members.
    pub fn bucket(id: u64, page: u32) -> RecordKey {
        RecordKey::numbered(Family::Bucket, id, page.to_be_bytes())
    }

    /// A node of a tree.
    pub fn tree(id: u64, node: u64) -> RecordKey {
        RecordKey::numbered(Family::Tree, id, node.to_be_bytes())
    }

    /// A long element.
    pub fn blob(id: u64, index: u64) -> RecordKey {
        RecordKey::numbered(Family::Blob, id, index.to_be_bytes())
    }

    /// That a key, or something in it, is due.
    pub fn expire(deadline: u64, namespace: u64, key: &[u8]) -> RecordKey {
        let (id, n) = ordered_id(namespace);
        RecordKey::from_parts(Family::Expire, [&deadline.to_be_bytes(), &id[..n], key])
    }

    /// That what is under an id is to be reclaimed.
    pub fn garbage(id: u64) -> RecordKey {
        RecordKey::from_parts(Family::Gc, [&id.to_be_bytes(), b"", b""])
    }

    /// A numbered database.
    pub fn database(number: usize) -> RecordKey {
        RecordKey::from_parts(Family::System, [b"db", &(number as u32).to_be_bytes(), b""])
    }

    /// A slot of a numbered database.
    pub fn slot(database: usize, slot: u16) -> RecordKey {
        let database = (database as u32).to_be_bytes();
        RecordKey::from_parts(Family::System, [SLOT_KEY, &database, &slot.to_be_bytes()])
    }

    /// The id from which on none is in use.
    pub fn next_id() -> RecordKey {
        RecordKey::from_parts(Family::System, [b"next-id", b"", b""])
    }

    /// The libraries of functions.
    pub fn functions() -> RecordKey {
        RecordKey::from_parts(Family::System, [b"functions", b"", b""])
    }

    /// The number of the format.
    pub fn format() -> RecordKey {
        RecordKey::from_parts(Family::System, [b"format", b"", b""])
    }

    /// Family tag and key: what equality and order go by.
    pub fn tagged(&self) -> &[u8] {
        match &self.0 {
            Repr::Inline { len, bytes } => &bytes[..usize::from(*len)],
            Repr::Heap(bytes) => bytes,
        }
    }

    /// The family that it is of.
    pub fn family(&self) -> Family {
        Family::ALL[usize::from(self.tagged()[0])]
    }

    /// The key in its family, as it is on disk.
    pub fn key(&self) -> &[u8] {
        &self.tagged()[1..]
    }

    /// The namespace, for a `meta` record.
    pub fn namespace(&self) -> Option<u64> {
        match self.family() {
            Family::Meta => split_ordered_id(self.key()).map(|(id, _)| id),
            _ => None,
        }
    }

    /// The id that it is under, for a record of what a key owns.
    pub fn owner(&self) -> Option<u64> {
        match self.family() {
            Family::Segment | Family::Bucket | Family::Tree | Family::Blob => {
                self.key().first_chunk().map(|id| u64::from_be_bytes(*id))
            }
            _ => None,
        }
    }

    /// Bytes held outside the value itself.
    pub fn heap_len(&self) -> usize {
        match &self.0 {
            Repr::Inline { .. } => 0,
            Repr::Heap(bytes) => bytes.len(),
        }
    }
}

impl PartialOrd for RecordKey {
    fn partial_cmp(&self, other: &RecordKey) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for RecordKey {
    fn cmp(&self, other: &RecordKey) -> Ordering {
        self.tagged().cmp(other.tagged())
    }
}

impl Hash for RecordKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match &self.0 {
            // All of its bytes, as their number is known: faster than those that are set.
            Repr::Inline { bytes, .. } => {
                let (first, _) = bytes.split_first_chunk().unwrap_or((&[0; 16], &[]));
                let (_, last) = bytes.split_last_chunk().unwrap_or((&[], &[0; 8]));
                state.write_u128(u128::from_ne_bytes(*first));
                state.write_u64(u64::from_ne_bytes(*last));
            }
            Repr::Heap(bytes) => state.write(bytes),
        }
    }
}

impl fmt::Debug for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}:{}", self.family(), self.key().escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn record_keys_are_equal_whether_inline_or_not() {
        let long = vec![b'k'; 100];
        for key in [&b""[..], b"k", &long] {
            let a = RecordKey::meta(9, key);
            assert_eq!(a, RecordKey::new(Family::Meta, a.key()));
            assert_eq!(a.namespace(), Some(9));
            assert_eq!(split_ordered_id(a.key()), Some((9, key)));
        }
        assert_eq!(size_of::<RecordKey>(), 24);
    }
}
