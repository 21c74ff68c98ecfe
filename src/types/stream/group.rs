//! Groups of consumers: what each was given and has not acknowledged.
//!
//! ```text
//! group    := last:id read:varint pending:tree consumers:tree  read: 0 where it is not known, else one more
//! pending  := id:16 bytes -> consumer:varint time:varint count:varint
//! consumers := name -> number:varint
//! consumer := name:cell seen:varint active:varint pending:tree active: 0 for never, else one more
//! pending  := id:16 bytes ->                                   of a consumer: which of the group's are its own
//! ```

use std::ops::RangeInclusive;

use super::chunk::{push_id, read_id};
use super::walk::walk;
use super::{Entry, Id, Order, Span, Stream};
use crate::disk::cells::{Reader, push_cell, push_varint};
use crate::disk::format::{Malformed, RecordKey};
use crate::store::{Result, Txn, Value};
use crate::types::damage::missing;
use crate::types::tree::Tree;

/// How many IDs of a consumer are looked up together.
const BATCH: u64 = 128;

/// An entry that was given to a consumer, and is not acknowledged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Delivery {
    /// The number of the consumer.
    pub consumer: u64,
    /// When it was given last, in Unix milliseconds.
    pub time: u64,
    /// How often it was given.
    pub count: u64,
}

/// A consumer of a group.
#[derive(Clone, Debug)]
pub struct Consumer {
    number: u64,
    /// Its name, unique in the group.
    pub name: Vec<u8>,
    /// When it last asked for anything, in Unix milliseconds.
    pub seen: u64,
    /// When it last got anything.
    pub active: Option<u64>,
    /// The IDs of what it was given and has not acknowledged.
    pub(super) pending: Tree,
    stored: Option<Value>,
}

/// A group of consumers.
#[derive(Clone, Debug)]
pub struct Group {
    stream: u64,
    number: u64,
    /// The last entry that was given to any of its consumers.
    pub last: Id,
    /// How many entries it has read, if that can be told.
    pub read: Option<u64>,
    /// What was given and not acknowledged, by ID.
    pub(super) pending: Tree,
    /// The numbers of consumers, by name.
    pub(super) consumers: Tree,
    /// Consumers that were looked up: their places in here are what [`Group::find`] returns.
    loaded: Vec<Consumer>,
    /// The record, as it was read.
    stored: Option<Value>,
}

/// Which deliveries are looked for.
#[derive(Clone, Debug)]
pub struct Search {
    /// From which ID to which, both included.
    pub ids: RangeInclusive<Id>,
    /// Only those of this consumer.
    pub consumer: Option<usize>,
    /// Only those given at or before this time, in Unix milliseconds.
    pub given_by: Option<i64>,
    /// At most so many.
    pub limit: u64,
}

impl Delivery {
    fn decode(value: &[u8]) -> std::result::Result<Delivery, Malformed> {
        let mut reader = Reader(value);
        Ok(Delivery {
            consumer: reader.varint()?,
            time: reader.varint()?,
            count: reader.varint()?,
        })
    }

    fn encode(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(16);
        push_varint(&mut out, self.consumer);
        push_varint(&mut out, self.time);
        push_varint(&mut out, self.count);
        out
    }
}

/// The number of a blob, as trees have it for a value.
pub(super) fn number(value: &[u8]) -> std::result::Result<u64, Malformed> {
    Reader(value).varint()
}

fn encode_number(number: u64) -> Vec<u8> {
    let mut out = Vec::with_capacity(5);
    push_varint(&mut out, number);
    out
}

fn id_of(key: &[u8]) -> std::result::Result<Id, Malformed> {
    let bytes = key.try_into().map_err(|_| Malformed("key of a pending entry"))?;
    Ok(Id::decode(bytes))
}

fn blob(txn: &mut Txn, stream: u64, number: u64) -> Result<Value> {
    match txn.get(&RecordKey::blob(stream, number))? {
        Some(record) => Ok(record),
        None => {
            let what = Malformed("stream: a group or a consumer is missing");
            Err(missing(RecordKey::blob(stream, number), what))
        }
    }
}

/// An empty poll of a group changes nothing but when its consumer was seen.
fn put_changed(txn: &mut Txn, key: RecordKey, record: &[u8], stored: Option<&Value>) {
    if stored.is_none_or(|stored| **stored != *record) {
        txn.put(key, Value::from(record));
    }
}

impl Consumer {
    /// The consumer whose record has this number; one without a record is damage.
    pub(super) fn load(txn: &mut Txn, stream: u64, number: u64) -> Result<Consumer> {
        let record = blob(txn, stream, number)?;
        let mut reader = Reader(&record);
        Ok(Consumer {
            number,
            name: reader.cell()?.to_vec(),
            seen: reader.varint()?,
            active: reader.varint()?.checked_sub(1),
            pending: Tree::decode(stream, &mut reader)?,
            stored: Some(record),
        })
    }

    /// Puts its record, if that has changed.
    pub(super) fn put(&self, txn: &mut Txn, stream: u64) {
        let mut out = Vec::with_capacity(self.name.len() + 32);
        push_cell(&mut out, &self.name);
        push_varint(&mut out, self.seen);
        push_varint(&mut out, self.active.map_or(0, |time| time.saturating_add(1)));
        self.pending.encode(&mut out);
        put_changed(
            txn,
            RecordKey::blob(stream, self.number),
            &out,
            self.stored.as_ref(),
        );
    }

    /// The copy of it under another id.
    pub(super) fn moved_to(self, pending: Tree) -> Consumer {
        Consumer {
            pending,
            stored: None,
            ..self
        }
    }

    /// How many entries were given to the consumer and not acknowledged.
    pub fn pending(&self) -> u64 {
        self.pending.len()
    }
}

impl Stream {
    /// The group of this name, if there is one. One that is listed and has no record is damage.
    pub fn group(&self, txn: &mut Txn, name: &[u8]) -> Result<Option<Group>> {
        match self.groups.get(txn, name)? {
            Some(value) => Ok(Some(Group::load(txn, self.id, number(&value)?)?)),
            None => Ok(None),
        }
    }

    /// All groups, by name.
    pub fn groups(&self, txn: &mut Txn) -> Result<Vec<(Vec<u8>, Group)>> {
        let named = numbers(txn, self.id, &self.groups)?;
        let load = |(name, number)| Ok((name, Group::load(txn, self.id, number)?));
        named.into_iter().map(load).collect()
    }

    /// Adds a group. False if there is one of this name. The stream is to be saved.
    pub fn create_group(&mut self, txn: &mut Txn, name: &[u8], last: Id, read: Option<u64>) -> Result<bool> {
        if self.groups.get(txn, name)?.is_some() {
            return Ok(false);
        }
        let group = Group {
            stream: self.id,
            number: txn.fresh_id(),
            last,
            read,
            pending: Tree::empty(self.id),
            consumers: Tree::empty(self.id),
            loaded: Vec::new(),
            stored: None,
        };
        group.put(txn);
        self.groups.put(txn, name, &encode_number(group.number))?;
        Ok(true)
    }

    /// Whether there was such a group. The stream is to be saved.
    pub fn destroy_group(&mut self, txn: &mut Txn, name: &[u8]) -> Result<bool> {
        let Some(mut group) = self.group(txn, name)? else {
            return Ok(false);
        };
        for (_, number) in numbers(txn, self.id, &group.consumers)? {
            let mut consumer = Consumer::load(txn, self.id, number)?;
            clear(txn, &mut consumer.pending)?;
            txn.delete(RecordKey::blob(self.id, number));
        }
        clear(txn, &mut group.pending)?;
        clear(txn, &mut group.consumers)?;
        txn.delete(RecordKey::blob(self.id, group.number));
        self.groups.remove(txn, name)?;
        Ok(true)
    }

    /// Gives a consumer up to `limit` entries that the group has not read, and with `keep` notes that they are pending.
    pub fn deliver(
        &self,
        txn: &mut Txn,
        group: &mut Group,
        consumer: usize,
        limit: u64,
        keep: bool,
        mut visit: impl FnMut(&Value, &Entry) -> Result<()>,
    ) -> Result<u64> {
        let Some(from) = group.last.next().filter(|_| group.last < self.last) else {
            return Ok(0);
        };
        let span = Span {
            ids: from..=Id::MAX,
            order: Order::Forward,
            limit,
        };
        let mut ids = Vec::new();
        self.range(txn, span, |record, entry| {
            self.advance(group, entry.id);
            ids.push(entry.id);
            visit(record, entry)
        })?;
        if keep {
            let time = txn.now;
            for &id in &ids {
                group.assign(txn, id, consumer, time, 1)?;
                group.loaded[consumer].active = Some(time);
            }
        }
        Ok(ids.len() as u64)
    }
}

/// Takes a tree's nodes off the disk.
fn clear(txn: &mut Txn, tree: &mut Tree) -> Result<()> {
    tree.remove_range(txn, 0..tree.len(), |_, _| Ok(()))
}

/// The names and numbers in a tree of them; all blobs of these numbers are in memory afterwards.
pub(super) fn numbers(txn: &mut Txn, stream: u64, tree: &Tree) -> Result<Vec<(Vec<u8>, u64)>> {
    let mut named = Vec::new();
    tree.range(txn, 0..tree.len(), false, |name, value| {
        named.push((name.to_vec(), number(&value)?));
        Ok(true)
    })?;
    for (_, number) in &named {
        txn.prefetch(RecordKey::blob(stream, *number));
    }
    txn.await_prefetched()?;
    Ok(named)
}

impl Group {
    /// The group whose record has this number; one without a record is damage.
    pub(super) fn load(txn: &mut Txn, stream: u64, number: u64) -> Result<Group> {
        let record = blob(txn, stream, number)?;
        let mut reader = Reader(&record);
        Ok(Group {
            stream,
            number,
            last: read_id(&mut reader)?,
            read: reader.varint()?.checked_sub(1),
            pending: Tree::decode(stream, &mut reader)?,
            consumers: Tree::decode(stream, &mut reader)?,
            loaded: Vec::new(),
            stored: Some(record),
        })
    }

    /// Puts its own record, if that has changed, not those of its consumers.
    pub(super) fn put(&self, txn: &mut Txn) {
        let mut out = Vec::with_capacity(64);
        push_id(&mut out, self.last);
        push_varint(&mut out, self.read.map_or(0, |read| read.saturating_add(1)));
        self.pending.encode(&mut out);
        self.consumers.encode(&mut out);
        put_changed(
            txn,
            RecordKey::blob(self.stream, self.number),
            &out,
            self.stored.as_ref(),
        );
    }

    /// Writes the group, and the consumers that were looked up.
    pub fn save(&self, txn: &mut Txn) {
        self.put(txn);
        for consumer in &self.loaded {
            consumer.put(txn, self.stream);
        }
    }

    /// The copy of it under another id.
    pub(super) fn moved_to(self, stream: u64, pending: Tree, consumers: Tree) -> Group {
        Group {
            stream,
            pending,
            consumers,
            stored: None,
            ..self
        }
    }

    /// How many entries were given to consumers and not acknowledged.
    pub fn pending(&self) -> u64 {
        self.pending.len()
    }

    /// The number of consumers.
    pub fn consumer_count(&self) -> u64 {
        self.consumers.len()
    }

    /// All consumers, by name.
    pub fn consumers(&self, txn: &mut Txn) -> Result<Vec<Consumer>> {
        let named = numbers(txn, self.stream, &self.consumers)?;
        let load = |(_, number)| Consumer::load(txn, self.stream, number);
        named.into_iter().map(load).collect()
    }

    /// The place of the consumer of this name.
    pub fn find(&mut self, txn: &mut Txn, name: &[u8]) -> Result<Option<usize>> {
        match self.consumers.get(txn, name)? {
            Some(value) => Ok(Some(self.numbered(txn, number(&value)?)?)),
            None => Ok(None),
        }
    }

    /// The place of the consumer of this number.
    pub fn numbered(&mut self, txn: &mut Txn, number: u64) -> Result<usize> {
        if let Some(at) = self.loaded.iter().position(|consumer| consumer.number == number) {
            return Ok(at);
        }
        self.loaded.push(Consumer::load(txn, self.stream, number)?);
        Ok(self.loaded.len() - 1)
    }

    /// A consumer, by the place that [`Group::find`] or its like has returned.
    pub fn consumer(&mut self, at: usize) -> &mut Consumer {
        &mut self.loaded[at]
    }

    /// Adds a consumer of a name that none has, and returns its place.
    pub fn create(&mut self, txn: &mut Txn, name: &[u8]) -> Result<usize> {
        let number = txn.fresh_id();
        self.consumers.put(txn, name, &encode_number(number))?;
        self.loaded.push(Consumer {
            number,
            name: name.to_vec(),
            seen: txn.now,
            active: None,
            pending: Tree::empty(self.stream),
            stored: None,
        });
        Ok(self.loaded.len() - 1)
    }

    /// The consumer of this name, made if it is not there; it is seen now.
    pub fn see(&mut self, txn: &mut Txn, name: &[u8]) -> Result<usize> {
        let at = match self.find(txn, name)? {
            Some(at) => at,
            None => self.create(txn, name)?,
        };
        self.loaded[at].seen = txn.now;
        Ok(at)
    }

    /// Deletes a consumer and what is pending with it: how many entries that was.
    pub fn remove(&mut self, txn: &mut Txn, name: &[u8]) -> Result<Option<u64>> {
        let Some(at) = self.find(txn, name)? else {
            return Ok(None);
        };
        let mut consumer = self.loaded.swap_remove(at);
        let pending = consumer.pending.len();
        let mut ids = Vec::new();
        consumer.pending.remove_range(txn, 0..pending, |id, _| {
            ids.push(id_of(&id)?);
            Ok(())
        })?;
        for id in ids {
            self.pending.remove(txn, &id.encode())?;
        }
        txn.delete(RecordKey::blob(self.stream, consumer.number));
        self.consumers.remove(txn, name)?;
        Ok(Some(pending))
    }

    /// To whom an entry was given, if it is pending.
    pub fn delivery(&self, txn: &mut Txn, id: Id) -> Result<Option<Delivery>> {
        match self.pending.get(txn, &id.encode())? {
            Some(value) => Ok(Some(Delivery::decode(&value)?)),
            None => Ok(None),
        }
    }

    /// Makes an entry pending with a consumer, whoever had it.
    pub fn assign(&mut self, txn: &mut Txn, id: Id, consumer: usize, time: u64, count: u64) -> Result<()> {
        let key = id.encode();
        let delivery = Delivery {
            consumer: self.loaded[consumer].number,
            time,
            count,
        };
        let old = self.delivery(txn, id)?.map(|old| old.consumer);
        if let Some(other) = old.filter(|old| *old != delivery.consumer) {
            let other = self.numbered(txn, other)?;
            self.loaded[other].pending.remove(txn, &key)?;
        }
        self.pending.put(txn, &key, &delivery.encode())?;
        if old != Some(delivery.consumer) {
            self.loaded[consumer].pending.put(txn, &key, b"")?;
        }
        Ok(())
    }

    /// Takes an entry off the pending ones. Whether it was one.
    pub fn acknowledge(&mut self, txn: &mut Txn, id: Id) -> Result<bool> {
        let key = id.encode();
        let Some(value) = self.pending.remove(txn, &key)? else {
            return Ok(false);
        };
        let owner = self.numbered(txn, Delivery::decode(&value)?.consumer)?;
        self.loaded[owner].pending.remove(txn, &key)?;
        Ok(true)
    }

    /// The first and the last ID that is pending.
    pub fn pending_bounds(&self, txn: &mut Txn) -> Result<Option<(Id, Id)>> {
        let first = self.pending.at(txn, 0)?;
        let last = self.pending.at(txn, self.pending.len().saturating_sub(1))?;
        match (first, last) {
            (Some((first, _)), Some((last, _))) => Ok(Some((id_of(&first)?, id_of(&last)?))),
            _ => Ok(None),
        }
    }

    /// The deliveries that the search is for, by ID.
    pub fn search(&self, txn: &mut Txn, search: &Search) -> Result<Vec<(Id, Delivery)>> {
        let (from, to) = (*search.ids.start(), *search.ids.end());
        let mut found = Vec::new();
        if from > to || search.limit == 0 {
            return Ok(found);
        }
        let fits = |delivery: &Delivery| {
            search
                .given_by
                .is_none_or(|time| delivery.time.cast_signed() <= time)
        };
        let Some(consumer) = search.consumer else {
            let (start, _) = self.pending.rank(txn, &from.encode())?;
            let ranks = start..self.pending.len();
            walk(&self.pending, txn, ranks, Order::Forward, |key, value| {
                let (id, delivery) = (id_of(&key)?, Delivery::decode(&value)?);
                if id <= to && fits(&delivery) {
                    found.push((id, delivery));
                }
                Ok(id < to && (found.len() as u64) < search.limit)
            })?;
            return Ok(found);
        };
        let own = &self.loaded[consumer].pending;
        let (mut start, _) = own.rank(txn, &from.encode())?;
        let (end, is_there) = own.rank(txn, &to.encode())?;
        let end = end + u64::from(is_there);
        while start < end {
            let mut ids = Vec::new();
            let stop = end.min(start.saturating_add(BATCH.min(search.limit)));
            own.range(txn, start..stop, false, |key, _| {
                ids.push(id_of(&key)?);
                Ok(true)
            })?;
            start = stop;
            for id in ids {
                let Some(delivery) = self.delivery(txn, id)? else {
                    return Err(Malformed("stream: a consumer's entry is not the group's").into());
                };
                if fits(&delivery) {
                    found.push((id, delivery));
                }
                if found.len() as u64 == search.limit {
                    return Ok(found);
                }
            }
        }
        Ok(found)
    }
}
