//! Every byte on disk, as a grammar above the code that encodes it.
//!
//! ```text
//! id         := n:u8 byte*n            n in 1..=8, big endian, no leading zero byte (0 is "1 00"):
//!                                      short, and in byte order it sorts by number
//! namespace  := id                     what a numbered database, or one of its slots, is called on disk; FLUSHDB takes a
//!                                      new one
//! deadline   := u64 big endian         Unix time in milliseconds
//!
//! family "default" (system):
//!   "format"                -> version:u32 be                  see FORMAT_VERSION
//!   "next-id"               -> u64 be                          every id below it may be in use
//!   "db" number:u32 be      -> held                            all of the database's keys are in one namespace
//!                            | "slots"                         each of its slots that has keys has a namespace of its own
//!   "slot" number:u32 be slot:u16 be -> held                   that of a slot, in the database with that number
//!   held                    := namespace:u64 be keys:u64 be expires:u64 be
//!   "script" sha1:40 bytes  -> reserved
//!   "functions"             -> library*                        libraries of functions, in the order of their names
//!   library                 := id:u64 be text text count:u32 be function*
//!                                                              name, code with its first line, functions
//!   function                := text flags:u8 described         name, flags as `script/shebang.rs` numbers them
//!   described               := 0 | 1 text
//!   text                    := length:u32 be byte*
//!
//! family "meta": one record a key
//!   namespace key           -> header body
//!   header                  := head:u8 [deadline]              deadline present iff head & 0x80
//!   head                    := kind in the low 7 bits: 1 = string, 2 = long string, 3 = hash, 4 = large hash,
//!                              5 = list, 6 = large list, 7 = set, 8 = large set, 9 = sorted set,
//!                              10 = large sorted set, 11 = stream, 12 = expiring hash (small; fields have deadlines)
//!   body of a string        := byte*                           the value whole, at most SEGMENT bytes
//!   body of a long string   := id:u64 be length:u64 be         its bytes are in family "segment"
//!
//!   body of a small collection := byte*                        the collection whole, as the file of its type has it
//!                                                              (`types/hash/packed.rs`, `list.rs`, `set.rs`,
//!                                                              `sorted_set.rs`); an expiring hash's begins with
//!                                                              earliest:u64 be
//!   body of a large one     := id:u64 be byte*                 its records are under its id in the three families below
//!   body of a large hash    := id:u64 be byte* earliest:u64 be the state is as in `types/hash/large.rs`
//!   earliest                := no field's deadline is before it; 0: none has one
//!   body of a stream        := id:u64 be byte*                 always by id: see `types/stream/mod.rs`, also for its blobs
//!
//! family "bucket": pages of members by hash                    see `types/buckets.rs`
//!   id:u64 be page:u32 be   -> byte*
//!
//! family "tree": nodes of counted trees                        see `types/tree.rs`
//!   id:u64 be node:u64 be   -> byte*
//!
//! family "blob": elements too long for a page or a node
//!   id:u64 be index:u64 be  -> byte*
//!
//! family "segment": the bytes of long strings
//!   id:u64 be index:u32 be  -> byte*                           bytes index*SEGMENT.. of the value, at most SEGMENT of
//!                                                              them; a byte beyond the record, or a record that is
//!                                                              not there, is zero
//!
//! family "expire": which keys have a deadline, in its order
//!   deadline namespace key  -> (empty)                         the key's own
//!                            | 1                               the `earliest` of a hash, if it comes before the key's own
//!
//! family "gc": what was unlinked and is to be reclaimed
//!   id:u64 be               -> 1 segments:u32 be               a long string's records
//!                            | 2 keys:u64 be                   a namespace and all that its keys own
//!                            | 3                               a large collection's records
//!
//! family "journal": what was committed and is not yet in its family, see `disk/journal.rs`
//!
//! every family that is journaled:
//!   (empty)                 -> position:u64 be                 what the journal has of it up to here is in it already
//! ```
//!
//! A long record that changes a little is not written anew: what changed in it is, as a merge operand (`disk/delta.rs`).

#[cfg(any(test, fuzzing))]
pub mod property;
mod record_key;

use thiserror::Error;

pub use record_key::RecordKey;

/// The layout above. A store with another number is not opened: never a guess.
pub const FORMAT_VERSION: u32 = 2;

/// The oldest layout that is read, and raised to the present one: its journal's keys were shorter.
pub const OLDEST_FORMAT: u32 = 1;

/// Longest string that lives whole in its `meta` record, and the size of a long string's segments, in bytes.
pub const SEGMENT: usize = 8192;

/// A column family. The journal names it by its number.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord)]
#[repr(u8)]
pub enum Family {
    /// What the store knows of itself: its format, ids, databases.
    System = 0,
    /// One record a key.
    Meta = 1,
    /// The bytes of long strings.
    Segment = 2,
    /// Which keys have a deadline, in its order.
    Expire = 3,
    /// What was unlinked and is to be reclaimed.
    Gc = 4,
    /// Pages of members by hash.
    Bucket = 5,
    /// Nodes of counted trees.
    Tree = 6,
    /// Elements too long for a page or a node.
    Blob = 7,
    /// What was committed and is not yet in its family.
    Journal = 8,
}

impl Family {
    /// All families, each at its number.
    pub const ALL: [Family; 9] = [
        Family::System,
        Family::Meta,
        Family::Segment,
        Family::Expire,
        Family::Gc,
        Family::Bucket,
        Family::Tree,
        Family::Blob,
        Family::Journal,
    ];

    /// Whose records go to the journal first. Deadlines don't: they are looked for on disk, and nowhere else.
    pub const JOURNALED: [Family; 7] = [
        Family::Meta,
        Family::Bucket,
        Family::Tree,
        Family::Blob,
        Family::Segment,
        Family::System,
        Family::Gc,
    ];

    /// Where a large collection's records are, under its id.
    pub const OF_COLLECTIONS: [Family; 3] = [Family::Bucket, Family::Tree, Family::Blob];

    /// Its name in RocksDB.
    pub fn name(self) -> &'static str {
        match self {
            Family::System => "default",
            Family::Meta => "meta",
            Family::Segment => "segment",
            Family::Expire => "expire",
            Family::Gc => "gc",
            Family::Bucket => "bucket",
            Family::Tree => "tree",
            Family::Blob => "blob",
            Family::Journal => "journal",
        }
    }

    /// The family of a number that the journal has.
    pub fn from_number(number: u8) -> Option<Family> {
        Family::ALL.get(usize::from(number)).copied()
    }
}

/// What a key holds: the low bits of a header's first byte.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Kind {
    /// A string that is whole in its record.
    String = 1,
    /// A string in segments.
    LongString = 2,
    /// A small hash.
    Hash = 3,
    /// A hash in records of its own.
    LargeHash = 4,
    /// A small list.
    List = 5,
    /// A list in records of its own.
    LargeList = 6,
    /// A small set.
    Set = 7,
    /// A set in records of its own.
    LargeSet = 8,
    /// A small sorted set.
    SortedSet = 9,
    /// A sorted set in records of its own.
    LargeSortedSet = 10,
    /// A stream, always in records of its own.
    Stream = 11,
    /// A small hash with room for a deadline in each field.
    ExpiringHash = 12,
}

impl Kind {
    /// All kinds, in the order of their numbers, from 1 on.
    pub const ALL: [Kind; 12] = [
        Kind::String,
        Kind::LongString,
        Kind::Hash,
        Kind::LargeHash,
        Kind::List,
        Kind::LargeList,
        Kind::Set,
        Kind::LargeSet,
        Kind::SortedSet,
        Kind::LargeSortedSet,
        Kind::Stream,
        Kind::ExpiringHash,
    ];

    fn from_byte(byte: u8) -> Option<Kind> {
        Kind::ALL.get(usize::from(byte).wrapping_sub(1)).copied()
    }

    /// The name of the type, which several kinds have.
    pub fn type_name(self) -> &'static str {
        match self {
            Kind::String | Kind::LongString => "string",
            Kind::Hash | Kind::ExpiringHash | Kind::LargeHash => "hash",
            Kind::List | Kind::LargeList => "list",
            Kind::Set | Kind::LargeSet => "set",
            Kind::SortedSet | Kind::LargeSortedSet => "zset",
            Kind::Stream => "stream",
        }
    }
}

const DEADLINE_FLAG: u8 = 0x80;

/// The header of a `meta` record, decoded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// What the key holds.
    pub kind: Kind,
    /// Unix milliseconds after which the key is gone.
    pub deadline: Option<u64>,
}

impl Header {
    /// The header and the length of its encoding.
    pub fn decode(record: &[u8]) -> Result<(Header, usize), Malformed> {
        let (&head, rest) = record.split_first().ok_or(Malformed("empty meta record"))?;
        let kind =
            Kind::from_byte(head & !DEADLINE_FLAG).ok_or(Malformed("unknown kind in a meta record"))?;
        if head & DEADLINE_FLAG == 0 {
            return Ok((Header { kind, deadline: None }, 1));
        }
        let bytes = rest
            .first_chunk()
            .ok_or(Malformed("short deadline in a meta record"))?;
        Ok((
            Header {
                kind,
                deadline: Some(u64::from_be_bytes(*bytes)),
            },
            9,
        ))
    }

    /// Writes the encoding into `out` and says how much of it was used.
    pub fn encode(self, out: &mut [u8; 9]) -> usize {
        out[0] = self.kind as u8;
        let Some(deadline) = self.deadline else { return 1 };
        out[0] |= DEADLINE_FLAG;
        out[1..].copy_from_slice(&deadline.to_be_bytes());
        9
    }
}

/// The body of a long string's `meta` record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LongString {
    /// Its segments are under this id.
    pub id: u64,
    /// Bytes.
    pub length: u64,
}

impl LongString {
    /// Reads the body of a long string.
    pub fn decode(body: &[u8]) -> Result<LongString, Malformed> {
        let (id, length) = two_u64(body).ok_or(Malformed("body of a long string"))?;
        Ok(LongString { id, length })
    }

    /// The body of a long string.
    pub fn encode(self) -> [u8; 16] {
        let mut out = [0; 16];
        out[..8].copy_from_slice(&self.id.to_be_bytes());
        out[8..].copy_from_slice(&self.length.to_be_bytes());
        out
    }

    /// How many segments its length takes.
    pub fn segments(self) -> u32 {
        self.length.div_ceil(SEGMENT as u64) as u32
    }
}

/// The id at the head of a large collection's body.
pub fn collection_id(body: &[u8]) -> Result<u64, Malformed> {
    let id = body
        .first_chunk()
        .ok_or(Malformed("body of a large collection"))?;
    Ok(u64::from_be_bytes(*id))
}

/// What a `gc` record says is to be reclaimed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Garbage {
    /// The records of a long string.
    Segments {
        /// How many there are, at most.
        count: u32,
    },
    /// A database that was emptied, and all that its keys own.
    Namespace {
        /// How many keys it has.
        keys: u64,
    },
    /// The records of a large collection.
    Collection,
}

/// What is to be reclaimed with a key whose `meta` record says so: the id, and what is under it.
pub fn owned(header: Header, body: &[u8]) -> Result<Option<(u64, Garbage)>, Malformed> {
    match header.kind {
        Kind::String | Kind::Hash | Kind::ExpiringHash | Kind::List | Kind::Set | Kind::SortedSet => Ok(None),
        Kind::LongString => {
            let long = LongString::decode(body)?;
            let count = long.segments();
            Ok(Some((long.id, Garbage::Segments { count })))
        }
        Kind::LargeHash | Kind::LargeList | Kind::LargeSet | Kind::LargeSortedSet | Kind::Stream => {
            Ok(Some((collection_id(body)?, Garbage::Collection)))
        }
    }
}

/// When a key, or something in it, is due: what family "expire" has of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Deadlines {
    /// The key's own, in Unix milliseconds.
    pub key: Option<u64>,
    /// The earliest of its fields; `None` if the key is due first, or then too. So no two of a key are the same.
    pub fields: Option<u64>,
}

/// Value of an "expire" record that is about the fields of a hash.
pub const OF_FIELDS: &[u8] = &[1];

impl Deadlines {
    /// The deadlines that a `meta` record has.
    pub fn of(header: Header, body: &[u8]) -> Result<Deadlines, Malformed> {
        let key = header.deadline;
        let fields = earliest_of_fields(header.kind, body)?;
        Ok(Deadlines {
            key,
            fields: fields.filter(|&fields| key.is_none_or(|key| fields < key)),
        })
    }
}

/// No field of the key's hash is due before that; `None` if none ever is.
fn earliest_of_fields(kind: Kind, body: &[u8]) -> Result<Option<u64>, Malformed> {
    let bytes = match kind {
        Kind::ExpiringHash => body.first_chunk(),
        Kind::LargeHash => body.last_chunk(),
        _ => return Ok(None),
    };
    let earliest = u64::from_be_bytes(*bytes.ok_or(Malformed("body of a hash"))?);
    Ok(Some(earliest).filter(|&earliest| earliest != 0))
}

impl Garbage {
    /// The value of the `gc` record.
    pub fn encode(self) -> Vec<u8> {
        match self {
            Garbage::Segments { count } => [&[1][..], &count.to_be_bytes()].concat(),
            Garbage::Namespace { keys } => [&[2][..], &keys.to_be_bytes()].concat(),
            Garbage::Collection => vec![3],
        }
    }

    /// Reads the value of a `gc` record.
    pub fn decode(value: &[u8]) -> Result<Garbage, Malformed> {
        match value {
            [1, rest @ ..] if rest.len() == 4 => Ok(Garbage::Segments {
                count: u32::from_be_bytes(rest.try_into().unwrap_or_default()),
            }),
            [2, rest @ ..] if rest.len() == 8 => Ok(Garbage::Namespace {
                keys: u64::from_be_bytes(rest.try_into().unwrap_or_default()),
            }),
            [3] => Ok(Garbage::Collection),
            _ => Err(Malformed("gc record")),
        }
    }
}

/// With what the keys of records of slots begin.
const SLOT_KEY: &[u8] = b"slot";

/// The value of a numbered database's record where each of its slots has a namespace of its own.
pub const IN_SLOTS: &[u8] = b"slots";

/// The namespace of a numbered database, or of a slot, as its system record keeps it. By default there is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Namespace {
    /// What it is called on disk; 0, which none is called, for one that is not there.
    pub id: u64,
    /// How many keys it has.
    pub keys: u64,
    /// How many of them have a deadline.
    pub expires: u64,
}

impl Namespace {
    /// Whether it is one.
    pub fn is_there(self) -> bool {
        self.id != 0
    }

    /// Reads the record of what has it.
    pub fn decode(value: &[u8]) -> Result<Namespace, Malformed> {
        let bad = Malformed("database record");
        let (id, keys) = value.get(..16).and_then(two_u64).ok_or(bad)?;
        let expires = value[16..].try_into().map_err(|_| bad)?;
        Ok(Namespace {
            id,
            keys,
            expires: u64::from_be_bytes(expires),
        })
    }

    /// The record of what has it.
    pub fn encode(self) -> [u8; 24] {
        let mut out = [0; 24];
        out[..8].copy_from_slice(&self.id.to_be_bytes());
        out[8..16].copy_from_slice(&self.keys.to_be_bytes());
        out[16..].copy_from_slice(&self.expires.to_be_bytes());
        out
    }
}

fn two_u64(bytes: &[u8]) -> Option<(u64, u64)> {
    let bytes: &[u8; 16] = bytes.try_into().ok()?;
    let (a, b) = bytes.split_at(8);
    Some((
        u64::from_be_bytes(a.try_into().ok()?),
        u64::from_be_bytes(b.try_into().ok()?),
    ))
}

/// Bytes on disk that no version of Redkeep writes: damage, or a bug.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("malformed {0}")]
pub struct Malformed(pub &'static str);

/// A count from disk, less `taken` of what it counts.
pub fn less(count: u64, taken: u64) -> Result<u64, Malformed> {
    count
        .checked_sub(taken)
        .ok_or(Malformed("count: there is more than it says"))
}

/// `id` as the short, ordered form: length byte, then big endian without leading zeros.
fn ordered_id(id: u64) -> ([u8; 9], usize) {
    let skip = (id.leading_zeros() as usize / 8).min(7);
    let mut out = [0; 9];
    out[0] = (8 - skip) as u8;
    out[1..9 - skip].copy_from_slice(&id.to_be_bytes()[skip..]);
    (out, 9 - skip)
}

/// The id at the head of `bytes`, and what follows it.
pub fn split_ordered_id(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (&n, rest) = bytes.split_first()?;
    if !(1..=8).contains(&n) || rest.len() < n as usize {
        return None;
    }
    let (id, rest) = rest.split_at(n as usize);
    Some((id.iter().fold(0, |acc, &b| acc << 8 | u64::from(b)), rest))
}

/// The prefix that all `meta` keys of a namespace share.
pub fn namespace_prefix(namespace: u64) -> Vec<u8> {
    let (id, n) = ordered_id(namespace);
    id[..n].to_vec()
}

/// The smallest byte string above every string that begins with `prefix`; `None` if there is no such bound.
pub fn prefix_end(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|&b| b != 0xff)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end)
}

/// An `expire` key taken apart: deadline, namespace, key.
pub fn split_expire_key(bytes: &[u8]) -> Result<(u64, u64, &[u8]), Malformed> {
    let bad = Malformed("expire key");
    let (deadline, rest) = bytes.split_first_chunk().ok_or(bad)?;
    let (namespace, key) = split_ordered_id(rest).ok_or(bad)?;
    Ok((u64::from_be_bytes(*deadline), namespace, key))
}

/// The key of a slot's record taken apart: the number of its database, and its own.
pub fn split_slot_key(bytes: &[u8]) -> Result<(usize, u16), Malformed> {
    let bad = Malformed("slot key");
    let numbers = bytes.strip_prefix(SLOT_KEY).ok_or(bad)?;
    let (database, slot) = numbers.split_first_chunk().ok_or(bad)?;
    let slot = slot.try_into().map_err(|_| bad)?;
    Ok((u32::from_be_bytes(*database) as usize, u16::from_be_bytes(slot)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_number_and_come_back() {
        let ids = [0, 1, 255, 256, 65_535, 65_536, u64::MAX >> 8, u64::MAX];
        let encoded: Vec<_> = ids.iter().map(|&id| namespace_prefix(id)).collect();
        assert!(encoded.is_sorted());
        for (id, bytes) in ids.iter().zip(&encoded) {
            assert_eq!(split_ordered_id(bytes), Some((*id, &b""[..])));
        }
    }

    #[test]
    fn headers_come_back_and_damage_is_named() {
        for deadline in [None, Some(0), Some(u64::MAX)] {
            for kind in Kind::ALL {
                let header = Header { kind, deadline };
                let mut out = [0; 9];
                let n = header.encode(&mut out);
                assert_eq!(Header::decode(&out[..n]), Ok((header, n)));
            }
        }
        for bad in [&b""[..], b"\x00", b"\x7f", b"\x81\x00\x00"] {
            assert!(Header::decode(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn every_record_body_comes_back() {
        let long = LongString {
            id: 7,
            length: 1 << 29,
        };
        assert_eq!(LongString::decode(&long.encode()), Ok(long));
        assert_eq!(long.segments(), 65_536);
        let namespace = Namespace {
            id: 300,
            keys: 5,
            expires: 2,
        };
        assert_eq!(Namespace::decode(&namespace.encode()), Ok(namespace));
        for garbage in [
            Garbage::Segments { count: 9 },
            Garbage::Namespace { keys: 1 << 40 },
            Garbage::Collection,
        ] {
            assert_eq!(Garbage::decode(&garbage.encode()), Ok(garbage));
        }
        let body = [&9u64.to_be_bytes()[..], b"\x01", &7u64.to_be_bytes()].concat();
        for (kind, key, fields) in [
            (Kind::String, None, None),
            (Kind::ExpiringHash, None, Some(9)),
            (Kind::ExpiringHash, Some(9), None),
            (Kind::LargeHash, Some(8), Some(7)),
        ] {
            let header = Header { kind, deadline: key };
            assert_eq!(Deadlines::of(header, &body), Ok(Deadlines { key, fields }));
        }
        let key = RecordKey::expire(5, 300, b"k");
        assert_eq!(split_expire_key(key.key()), Ok((5, 300, &b"k"[..])));
        assert_eq!(split_slot_key(RecordKey::slot(3, 700).key()), Ok((3, 700)));
    }

    #[test]
    fn a_prefix_ends_where_the_next_begins() {
        assert_eq!(prefix_end(b"ab"), Some(b"ac".to_vec()));
        assert_eq!(prefix_end(b"a\xff\xff"), Some(b"b".to_vec()));
        assert_eq!(prefix_end(b"\xff"), None);
    }
}
