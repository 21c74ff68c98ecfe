//! Streams: entries in the order of their IDs, and groups of consumers that share them out.
//!
//! ```text
//! body     := id:u64 be length:varint added:varint first:id last:id max-deleted:id
//!             index:tree groups:tree tail                      the body of the key's record
//! index    := first:16 bytes -> sealed                         chunks that take no more entries, by their first ID
//! sealed   := number:varint live:varint last:id                the chunk is the blob of that number
//! groups   := name -> number:varint                            the group is the blob of that number
//! tail     := [chunk]                                          the chunk that takes the next entry
//! blob     := chunk | group | consumer                         whichever it is, is known from where its number was
//! ```
//!
//! Chunks are `chunk.rs`, groups and consumers `group.rs`, trees `types/tree.rs`. The last chunk is in the key's own record, so
//! XADD writes one record: what it seals once in a while is its former tail. Only a chunk too large to be rewritten each
//! time is sealed at once. What is read of a group is not in the key's record, nor are groups and consumers in those of
//! others: XREADGROUP and XACK write the records of one group, one consumer, and two leaves.
//!
//! A chunk is as many entries as a node is in Redis, so that approximate trimming, which drops whole nodes, drops the same
//! entries (see `weight.rs`).

mod chunk;
mod copy;
mod entries;
mod group;
mod id;
mod lag;
mod sealed;
mod span;
mod trim;
mod walk;
mod weight;

use std::ops::Deref;

use super::WRONG_TYPE;
use super::tree::Tree;
use crate::disk::cells::{Reader, push_varint};
use crate::disk::format::{Header, Kind, RecordKey};
use crate::store::{self, Key, Result, Stop, Txn, Value};
use chunk::{Chunk, push_id, read_id};

pub use chunk::Entry;
pub use copy::copy;
pub use group::{Consumer, Delivery, Group, Search};
pub use id::{Id, NewId};
pub use span::{Order, Span};
pub use trim::{Bound, Trim};

/// A stream's own record, taken apart.
#[derive(Clone)]
pub struct Stream {
    /// What its records are under.
    pub(super) id: u64,
    /// The number of entries.
    pub length: u64,
    /// How many entries were ever added.
    pub added: u64,
    /// The first entry that is there; 0-0 if there is none.
    pub first: Id,
    /// The highest ID ever given.
    pub last: Id,
    /// The highest ID of those deleted by name; 0-0 if none was.
    pub max_deleted: Id,
    index: Tree,
    groups: Tree,
    tail: Tail,
}

/// The tail's encoding: empty if there is none.
#[derive(Clone)]
enum Tail {
    Stored(Value, usize),
    New(Vec<u8>),
}

impl Deref for Tail {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Tail::Stored(record, at) => &record[*at..],
            Tail::New(bytes) => bytes,
        }
    }
}

impl Tail {
    const NONE: Tail = Tail::New(Vec::new());

    fn chunk(&self) -> Result<Option<Chunk<'_>>> {
        if self.is_empty() {
            return Ok(None);
        }
        Ok(Some(Chunk::decode(self)?))
    }
}

impl Stream {
    /// The stream that was found, if anything was.
    pub fn open(found: Option<&store::Entry>) -> Result<Option<Stream>> {
        match found {
            Some(entry) if entry.header.kind == Kind::Stream => Ok(Some(Stream::decode(entry)?)),
            Some(_) => Stop::error(WRONG_TYPE),
            None => Ok(None),
        }
    }

    /// A stream without entries.
    pub fn create(txn: &mut Txn) -> Stream {
        let id = txn.fresh_id();
        Stream {
            id,
            length: 0,
            added: 0,
            first: Id::MIN,
            last: Id::MIN,
            max_deleted: Id::MIN,
            index: Tree::empty(id),
            groups: Tree::empty(id),
            tail: Tail::NONE,
        }
    }

    fn decode(entry: &store::Entry) -> Result<Stream> {
        let mut reader = Reader(entry.body());
        let id = reader.u64()?;
        let (length, added) = (reader.varint()?, reader.varint()?);
        let (first, last) = (read_id(&mut reader)?, read_id(&mut reader)?);
        let max_deleted = read_id(&mut reader)?;
        let (index, groups) = (Tree::decode(id, &mut reader)?, Tree::decode(id, &mut reader)?);
        let (record, _) = entry.shared();
        Ok(Stream {
            id,
            length,
            added,
            first,
            last,
            max_deleted,
            index,
            groups,
            tail: Tail::Stored(record.clone(), record.len() - reader.0.len()),
        })
    }

    /// Writes the stream's own record, `old` being what the key held.
    pub fn save(&self, txn: &mut Txn, key: Key, old: Option<&store::Entry>) -> Result<()> {
        let header = Header {
            kind: Kind::Stream,
            deadline: old.and_then(|old| old.header.deadline),
        };
        txn.write(key, old, header, &[&self.encode_head(), &self.tail])
    }

    /// All of the body but the tail.
    fn encode_head(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(128);
        out.extend_from_slice(&self.id.to_be_bytes());
        push_varint(&mut out, self.length);
        push_varint(&mut out, self.added);
        for id in [self.first, self.last, self.max_deleted] {
            push_id(&mut out, id);
        }
        self.index.encode(&mut out);
        self.groups.encode(&mut out);
        out
    }

    fn blob(&self, number: u64) -> RecordKey {
        RecordKey::blob(self.id, number)
    }

    /// What XSETID does. Redis's checks keep IDs in order, and counts possible.
    pub fn set_id(
        &mut self,
        txn: &mut Txn,
        last: Id,
        added: Option<u64>,
        max_deleted: Option<Id>,
    ) -> Result<()> {
        if last < self.max_deleted {
            return Stop::error(
                "ERR The ID specified in XSETID is smaller than current max_deleted_entry_id",
            );
        }
        if self.edge(txn, Order::Backward)?.is_some_and(|top| last < top) {
            return Stop::error("ERR The ID specified in XSETID is smaller than the target stream top item");
        }
        if added.is_some_and(|added| added < self.length) {
            return Stop::error(
                "ERR The entries_added specified in XSETID is smaller than the target stream length",
            );
        }
        self.last = last;
        self.added = added.unwrap_or(self.added);
        self.max_deleted = max_deleted.unwrap_or(self.max_deleted);
        Ok(())
    }

    /// How many chunks there are: in Redis, keys of its radix tree.
    pub fn chunks(&self) -> u64 {
        self.index.len() + u64::from(!self.tail.is_empty())
    }

    /// The number of groups.
    pub fn group_count(&self) -> u64 {
        self.groups.len()
    }
}
