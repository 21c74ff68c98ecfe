//! From items to a stream: its entries, its counters, its groups.

use std::collections::HashMap;

use super::{OVERHEAD, malformed};
use crate::rdb::{CellBuffer, Counters, Item, StreamId};
use crate::store::{Entry, Key, Result, Txn};
use crate::types::stream::{Id, NewId, Stream};
use crate::types::thresholds::Thresholds;

/// Pieces of a stream that are not yet written.
#[derive(Default)]
pub struct StreamParts {
    /// Fields and values of all entries in turn.
    cells: CellBuffer,
    /// Of each entry its ID, and how many cells it has.
    entries: Vec<(StreamId, usize)>,
    counters: Option<Counters>,
    /// While more may come, that may belong to the last.
    groups: Vec<GroupParts>,
    /// The counters came: entries are over.
    is_counted: bool,
    /// Nothing more is to come.
    is_whole: bool,
    /// About how many bytes the groups take.
    group_bytes: usize,
}

struct GroupParts {
    name: Vec<u8>,
    last: StreamId,
    read: Option<u64>,
    /// When each pending entry was given last, and how often; `None` once it has an owner.
    pending: HashMap<StreamId, (u64, u64)>,
    consumers: Vec<ConsumerParts>,
}

struct ConsumerParts {
    name: Vec<u8>,
    seen: u64,
    active: Option<u64>,
    owned: Vec<StreamId>,
}

impl StreamParts {
    /// Takes the next piece.
    ///
    /// # Errors
    /// It does not belong where it came.
    pub fn take(&mut self, item: Item) -> Result<()> {
        match item {
            Item::End => self.is_whole = true,
            Item::Entry { id, cells } if !self.is_counted => {
                cells.iter().for_each(|cell| self.cells.push(cell));
                self.entries.push((id, cells.len()));
            }
            Item::Counters(counters) if !self.is_counted => {
                (self.counters, self.is_counted) = (Some(counters), true);
            }
            Item::Group { name, last, read } if self.is_counted => {
                self.group_bytes += name.len() + OVERHEAD;
                self.groups.push(GroupParts {
                    name: name.to_vec(),
                    last,
                    read,
                    pending: HashMap::new(),
                    consumers: Vec::new(),
                });
            }
            item => match self.groups.last_mut() {
                Some(group) => {
                    self.group_bytes += OVERHEAD;
                    group.take(item)?;
                }
                None => return malformed("a piece of a stream where it does not belong"),
            },
        }
        Ok(())
    }

    /// About how much memory those take that can be written.
    pub fn bytes(&self) -> usize {
        let groups = if self.groups.len() > 1 {
            self.group_bytes
        } else {
            0
        };
        self.cells.bytes() + OVERHEAD * self.cells.cells().len() + groups
    }

    /// How many groups can be written: more may belong to the last.
    fn whole_groups(&self) -> usize {
        let groups = self.groups.len();
        if self.is_whole {
            groups
        } else {
            groups.saturating_sub(1)
        }
    }

    /// What could be written is staged.
    pub fn written(&mut self) {
        self.cells.clear();
        self.entries.clear();
        self.counters = None;
        self.groups.drain(..self.whole_groups());
        self.group_bytes = 0;
    }

    /// Makes a stream of the pieces the key's value, `old` being what it held.
    pub fn create(&self, txn: &mut Txn, key: Key, old: Option<&Entry>, limits: &Thresholds) -> Result<()> {
        let stream = Stream::create(txn);
        self.append(txn, key, old, stream, limits)
    }

    /// Adds the pieces to what was written before.
    pub fn add(&self, txn: &mut Txn, key: Key, old: Option<Entry>, limits: &Thresholds) -> Result<()> {
        match Stream::open(old.as_ref())? {
            Some(stream) => self.append(txn, key, old.as_ref(), stream, limits),
            None => malformed("a stream that is gone"),
        }
    }

    fn append(
        &self,
        txn: &mut Txn,
        key: Key,
        old: Option<&Entry>,
        mut stream: Stream,
        limits: &Thresholds,
    ) -> Result<()> {
        let mut cells = self.cells.cells().iter();
        for (id, count) in &self.entries {
            let pairs: Vec<&[u8]> = cells.by_ref().take(*count).collect();
            if pairs.is_empty() || !pairs.len().is_multiple_of(2) {
                return malformed("an entry of a stream without a value to each field");
            }
            if Id::from(*id) <= stream.last {
                return malformed("entries of a stream that are not in order");
            }
            stream.append(txn, NewId::Exactly((*id).into()), &pairs, limits)?;
        }
        if let Some(counters) = &self.counters {
            if counters.length != stream.length || Id::from(counters.last) < stream.last {
                return malformed("a stream that counts others than it has");
            }
            stream.last = counters.last.into();
            stream.added = counters.added;
            stream.max_deleted = counters.max_deleted.into();
        }
        for group in &self.groups[..self.whole_groups()] {
            group.write(txn, &mut stream)?;
        }
        stream.save(txn, key, old)
    }
}

impl GroupParts {
    fn take(&mut self, item: Item) -> Result<()> {
        match (item, self.consumers.last_mut()) {
            (Item::Pending { id, time, count }, None) => {
                if self.pending.insert(id, (time, count)).is_some() {
                    return malformed("an entry that is pending twice");
                }
            }
            (Item::Consumer { name, seen, active }, _) => self.consumers.push(ConsumerParts {
                name: name.to_vec(),
                seen,
                active,
                owned: Vec::new(),
            }),
            (Item::Owned(id), Some(consumer)) => consumer.owned.push(id),
            _ => return malformed("a piece of a group where it does not belong"),
        }
        Ok(())
    }

    fn write(&self, txn: &mut Txn, stream: &mut Stream) -> Result<()> {
        if !stream.create_group(txn, &self.name, self.last.into(), self.read)? {
            return malformed("two groups of one name");
        }
        let Some(mut group) = stream.group(txn, &self.name)? else {
            return malformed("a group that is gone");
        };
        let mut assigned = 0;
        for consumer in &self.consumers {
            if group.find(txn, &consumer.name)?.is_some() {
                return malformed("two consumers of one name");
            }
            let at = group.create(txn, &consumer.name)?;
            (group.consumer(at).seen, group.consumer(at).active) = (consumer.seen, consumer.active);
            for id in &consumer.owned {
                let Some((time, count)) = self.pending.get(id) else {
                    return malformed("an entry that a consumer has and its group has not");
                };
                if group.delivery(txn, (*id).into())?.is_some() {
                    return malformed("an entry that two consumers have");
                }
                group.assign(txn, (*id).into(), at, *time, *count)?;
                assigned += 1;
            }
        }
        if assigned != self.pending.len() {
            return malformed("an entry that is pending, and no consumer has it");
        }
        group.save(txn);
        Ok(())
    }
}
