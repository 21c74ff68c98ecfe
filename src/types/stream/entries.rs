//! A stream's entries: appended, read, deleted. They are trimmed in `trim.rs`.

use super::chunk::{Chunk, ChunkLimits, Entry, MAX_OPEN};
use super::sealed::Sealed;
use super::span::{Order, Span};
use super::walk::walk;
use super::{Id, NewId, Stream, Tail};
use crate::disk::format::{Malformed, less};
use crate::store::{Result, Stop, Txn, Value};
use crate::types::damage::{InRecord, missing};
use crate::types::footprint::{Footprint, spread};
use crate::types::thresholds::Thresholds;

/// The most bytes that Redis puts in a node.
const MAX_WEIGHT: u64 = 1 << 30;
/// How many cold chunks a command that only reads waits for.
const MAX_COLD: usize = 256;

/// A chunk to be read.
pub(super) enum Piece {
    /// One of the index, in a record of its own.
    Sealed(Sealed),
    /// The last one, in the key's record.
    Tail,
}

/// The chunks where a span's entries are, as they are found.
struct Pieces<'s> {
    span: &'s Span,
    /// How many of the span's entries they hold at least.
    held: u64,
    list: Vec<Piece>,
}

impl Pieces<'_> {
    /// Whether the span needs more.
    fn add(&mut self, piece: Piece, first: Id, last: Id, live: u64) -> bool {
        self.list.push(piece);
        if self.span.ids.contains(&first) && self.span.ids.contains(&last) {
            self.held += live;
        }
        self.held < self.span.limit
    }
}

impl Stream {
    /// Adds an entry. `pairs` are fields and values in turn.
    pub fn append(
        &mut self,
        txn: &mut Txn,
        id: NewId,
        pairs: &[&[u8]],
        thresholds: &Thresholds,
    ) -> Result<Id> {
        let id = self.new_id(txn.now, id)?;
        if pairs.iter().map(|part| part.len() as u64).sum::<u64>() > MAX_WEIGHT {
            return Stop::error("ERR Elements are too large to be stored");
        }
        let limits = chunk_limits(thresholds);
        let grown = match self.tail.chunk()? {
            Some(tail) if tail.has_room(self.tail.len(), pairs, limits) => Some(tail.append(id, pairs)),
            _ => None,
        };
        self.tail = match grown {
            Some(bytes) => Tail::New(bytes),
            None => {
                self.seal(txn)?;
                Tail::New(Chunk::begin(id, pairs))
            }
        };
        if self.tail.len() > MAX_OPEN {
            self.seal(txn)?;
        }
        if self.length == 0 {
            self.first = id;
        }
        (self.length, self.added, self.last) = (self.length + 1, self.added.wrapping_add(1), id);
        Ok(id)
    }

    fn new_id(&self, now: u64, wanted: NewId) -> Result<Id> {
        let Some(next) = self.last.next() else {
            return Stop::error(
                "ERR The stream has exhausted the last possible ID, unable to add more items",
            );
        };
        let id = match wanted {
            NewId::Now if now > self.last.ms => Id { ms: now, seq: 0 },
            NewId::Now => next,
            NewId::In(ms) if ms == self.last.ms && next.ms == ms => next,
            NewId::In(ms) if ms == self.last.ms => self.last,
            NewId::In(ms) => Id { ms, seq: 0 },
            NewId::Exactly(id) => id,
        };
        if id <= self.last {
            return Stop::error(
                "ERR The ID specified in XADD is equal or smaller than the target stream top item",
            );
        }
        Ok(id)
    }

    /// Moves the tail, if there is one, to a record of its own.
    fn seal(&mut self, txn: &mut Txn) -> Result<()> {
        let Some(chunk) = self.tail.chunk()? else {
            return Ok(());
        };
        let sealed = Sealed {
            first: chunk.first,
            last: chunk.last,
            number: txn.fresh_id(),
            live: chunk.live,
        };
        txn.put(self.blob(sealed.number), Value::from(&self.tail[..]));
        self.index.put(txn, &sealed.first.encode(), &sealed.encode())?;
        self.tail = Tail::NONE;
        Ok(())
    }

    /// Where the tail is gone and others are not, the last of them is the tail again, as its node is in Redis.
    fn unseal(&mut self, txn: &mut Txn) -> Result<()> {
        let Some(at) = self.index.len().checked_sub(1).filter(|_| self.tail.is_empty()) else {
            return Ok(());
        };
        let Some((key, value)) = self.index.at(txn, at)? else {
            return Err(Malformed("index of a stream").into());
        };
        let sealed = Sealed::decode(&key, &value)?;
        let record = self.read(txn, sealed)?;
        if record.len() <= MAX_OPEN {
            txn.delete(self.blob(sealed.number));
            self.index.remove(txn, &key)?;
            self.tail = Tail::Stored(record, 0);
        }
        Ok(())
    }

    /// The record of a chunk; one that is missing is damage.
    pub(super) fn read(&self, txn: &mut Txn, sealed: Sealed) -> Result<Value> {
        match txn.get(&self.blob(sealed.number))? {
            Some(record) => Ok(record),
            None => {
                let what = Malformed("index of a stream: a chunk is missing");
                Err(missing(self.blob(sealed.number), what))
            }
        }
    }

    /// Entries, estimated from `samples` of their chunks, and the lists of chunks and of groups; not what is pending in groups.
    pub fn footprint(&self, txn: &mut Txn, samples: u64) -> Result<Footprint> {
        let (mut sampled, mut chunks) = (Footprint::default(), 0);
        for rank in spread(self.index.len(), samples) {
            if let Some((key, value)) = self.index.at(txn, rank)? {
                chunks += 1;
                sampled = sampled + Footprint::of_record(&self.read(txn, Sealed::decode(&key, &value)?)?);
            }
        }
        let sealed = sampled.scaled(self.index.len(), chunks);
        Ok(sealed + self.index.footprint(txn, samples)? + self.groups.footprint(txn, samples)?)
    }

    /// Visits entries, each with the record that holds its bytes. Returns how many there were.
    pub fn range(
        &self,
        txn: &mut Txn,
        span: Span,
        mut visit: impl FnMut(&Value, &Entry) -> Result<()>,
    ) -> Result<u64> {
        let pieces = self.pieces(txn, &span)?;
        self.fetch(txn, &pieces, span.read_only)?;
        let mut visited = 0;
        for piece in pieces {
            let (record, at) = match piece {
                Piece::Sealed(sealed) => (self.read(txn, sealed)?, 0),
                Piece::Tail => match &self.tail {
                    Tail::Stored(record, at) => (record.clone(), *at),
                    Tail::New(bytes) => (Value::from(&bytes[..]), 0),
                },
            };
            let entries = Chunk::decode(&record[at..])?.entries();
            let mut give = |entry: Entry| -> Result<bool> {
                if visited < span.limit && span.ids.contains(&entry.id) {
                    visited += 1;
                    visit(&record, &entry)?;
                }
                Ok(visited < span.limit && entry.id <= *span.ids.end())
            };
            match span.order {
                Order::Forward => {
                    for entry in entries {
                        if !give(entry?)? {
                            break;
                        }
                    }
                }
                Order::Backward => {
                    let entries = entries.collect::<std::result::Result<Vec<_>, _>>()?;
                    entries
                        .into_iter()
                        .rev()
                        .try_for_each(|entry| give(entry).map(|_| ()))?;
                }
            }
        }
        Ok(visited)
    }

    /// The chunks that hold the entries of a span, in its order, and few others.
    fn pieces(&self, txn: &mut Txn, span: &Span) -> Result<Vec<Piece>> {
        let mut pieces = Pieces {
            span,
            held: 0,
            list: Vec::new(),
        };
        if !span.ids.is_empty() && span.limit > 0 {
            match span.order {
                Order::Forward => self.pieces_forward(txn, &mut pieces)?,
                Order::Backward => self.pieces_backward(txn, &mut pieces)?,
            }
        }
        Ok(pieces.list)
    }

    fn pieces_forward(&self, txn: &mut Txn, pieces: &mut Pieces) -> Result<()> {
        let (span, tail) = (pieces.span, self.tail.chunk()?);
        let (from, to) = (*span.ids.start(), *span.ids.end());
        let mut more = true;
        if !self.index.is_empty() && tail.is_none_or(|tail| from < tail.first) {
            let (below, found) = self.index.rank(txn, &from.encode())?;
            let start = if found { below } else { below.saturating_sub(1) };
            let ranks = start..self.index.len();
            walk(
                &self.index,
                txn,
                ranks,
                span.order,
                span.read_only,
                |key, value| {
                    let sealed = Sealed::decode(&key, &value)?;
                    more = sealed.first <= to;
                    if more && sealed.last >= from {
                        more = pieces.add(Piece::Sealed(sealed), sealed.first, sealed.last, sealed.live);
                    }
                    Ok(more)
                },
            )?;
        }
        if let Some(tail) = tail.filter(|tail| more && tail.first <= to) {
            pieces.add(Piece::Tail, tail.first, tail.last, tail.live);
        }
        Ok(())
    }

    fn pieces_backward(&self, txn: &mut Txn, pieces: &mut Pieces) -> Result<()> {
        let (span, mut more) = (pieces.span, true);
        let (from, to) = (*span.ids.start(), *span.ids.end());
        if let Some(tail) = self.tail.chunk()?.filter(|tail| tail.first <= to) {
            more = pieces.add(Piece::Tail, tail.first, tail.last, tail.live) && from < tail.first;
        }
        if more && !self.index.is_empty() {
            let (below, found) = self.index.rank(txn, &to.encode())?;
            let ranks = 0..below + u64::from(found);
            walk(
                &self.index,
                txn,
                ranks,
                span.order,
                span.read_only,
                |key, value| {
                    let sealed = Sealed::decode(&key, &value)?;
                    if sealed.last < from {
                        return Ok(false);
                    }
                    let more = pieces.add(Piece::Sealed(sealed), sealed.first, sealed.last, sealed.live);
                    Ok(more && from < sealed.first)
                },
            )?;
        }
        Ok(())
    }

    fn fetch(&self, txn: &mut Txn, pieces: &[Piece], read_only: bool) -> Result<()> {
        let mut cold = 0;
        for piece in pieces {
            if let Piece::Sealed(sealed) = piece {
                cold += usize::from(txn.prefetch(self.blob(sealed.number)));
            }
            if cold > MAX_COLD && read_only {
                txn.view()?;
            }
        }
        txn.await_prefetched()
    }

    /// Whether there is an entry of this ID.
    pub fn contains(&self, txn: &mut Txn, id: Id) -> Result<bool> {
        let span = Span {
            ids: id..=id,
            order: Order::Forward,
            limit: 1,
            read_only: false,
        };
        Ok(self.range(txn, span, |_, _| Ok(()))? > 0)
    }

    /// The entry at an end.
    pub fn edge(&self, txn: &mut Txn, order: Order) -> Result<Option<Id>> {
        let mut found = None;
        let span = Span {
            ids: Id::MIN..=Id::MAX,
            order,
            limit: 1,
            read_only: false,
        };
        self.range(txn, span, |_, entry| {
            found = Some(entry.id);
            Ok(())
        })?;
        Ok(found)
    }

    /// Deletes the entries with these IDs, as far as they are there. Returns how many were.
    pub fn remove(&mut self, txn: &mut Txn, mut ids: Vec<Id>) -> Result<u64> {
        ids.sort_unstable();
        ids.dedup();
        let mut deleted = Vec::new();
        let in_tail = match self.tail.chunk()? {
            Some(tail) => ids.split_off(ids.partition_point(|id| *id < tail.first)),
            None => Vec::new(),
        };
        for (sealed, ids) in self.sealed_of(txn, &ids)? {
            let record = self.read(txn, sealed)?;
            let left = Chunk::decode(&record).and_then(|chunk| chunk.retain(drop_of(&ids, &mut deleted)));
            let (bytes, _) = left.in_record(|| self.blob(sealed.number))?;
            self.rewrite(txn, sealed, &bytes)?;
        }
        if let Some(tail) = self.tail.chunk()?.filter(|_| !in_tail.is_empty()) {
            let (bytes, removed) = tail.retain(drop_of(&in_tail, &mut deleted))?;
            if removed == tail.live {
                self.tail = Tail::NONE;
            } else if removed > 0 {
                self.tail = Tail::New(bytes);
            }
        }
        let Some(highest) = deleted.last() else {
            return Ok(0);
        };
        self.max_deleted = self.max_deleted.max(*highest);
        self.length = less(self.length, deleted.len() as u64)?;
        self.unseal(txn)?;
        if self.length == 0 || deleted[0] == self.first {
            self.first = self.edge(txn, Order::Forward)?.unwrap_or(Id::MIN);
        }
        Ok(deleted.len() as u64)
    }

    /// Fetches together what reading these entries takes.
    pub fn prefetch(&self, txn: &mut Txn, mut ids: Vec<Id>) -> Result<()> {
        ids.sort_unstable();
        self.sealed_of(txn, &ids).map(|_| ())
    }

    /// The sealed chunks where the IDs, which are sorted, may be, with those of each.
    fn sealed_of(&self, txn: &mut Txn, ids: &[Id]) -> Result<Vec<(Sealed, Vec<Id>)>> {
        let mut found: Vec<(Sealed, Vec<Id>)> = Vec::new();
        for &id in ids {
            if let Some((_, ids)) = found.last_mut().filter(|(sealed, _)| id <= sealed.last) {
                ids.push(id);
                continue;
            }
            let (below, equal) = self.index.rank(txn, &id.encode())?;
            let Some(rank) = (below + u64::from(equal)).checked_sub(1) else {
                continue;
            };
            if let Some((key, value)) = self.index.at(txn, rank)? {
                let sealed = Sealed::decode(&key, &value)?;
                if id <= sealed.last {
                    txn.prefetch(self.blob(sealed.number));
                    found.push((sealed, vec![id]));
                }
            }
        }
        txn.await_prefetched()?;
        Ok(found)
    }

    /// Puts a sealed chunk of which entries were deleted. One of which none is left goes.
    fn rewrite(&mut self, txn: &mut Txn, sealed: Sealed, bytes: &[u8]) -> Result<()> {
        let live = Chunk::decode(bytes)?.live;
        if live == sealed.live {
            return Ok(());
        }
        let key = sealed.first.encode();
        if live == 0 {
            txn.delete(self.blob(sealed.number));
            self.index.remove(txn, &key)?;
        } else {
            txn.put(self.blob(sealed.number), Value::from(bytes));
            self.index.put(txn, &key, &Sealed { live, ..sealed }.encode())?;
        }
        Ok(())
    }
}

/// Keeps all but `ids`, which are sorted, and collects what is not kept.
fn drop_of(ids: &[Id], dropped: &mut Vec<Id>) -> impl FnMut(Id) -> bool {
    |id| {
        let keep = ids.binary_search(&id).is_err();
        if !keep {
            dropped.push(id);
        }
        keep
    }
}

fn chunk_limits(thresholds: &Thresholds) -> ChunkLimits {
    let or = |limit, otherwise| if limit == 0 { otherwise } else { limit };
    ChunkLimits {
        weight: or(thresholds.stream_bytes, MAX_WEIGHT).min(MAX_WEIGHT),
        entries: or(thresholds.stream_entries, u64::MAX),
    }
}
