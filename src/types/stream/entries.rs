//! A stream's entries: appended, read, deleted, trimmed.

use std::ops::{Range, RangeInclusive};

use super::chunk::{Chunk, ChunkLimits, Entry, MAX_OPEN, push_id, read_id};
use super::{Id, NewId, Stream, Tail};
use crate::disk::cells::{Reader, push_varint};
use crate::disk::format::{Malformed, less};
use crate::store::{Result, Stop, Txn, Value};
use crate::types::footprint::{Footprint, spread};
use crate::types::thresholds::Thresholds;
use crate::types::tree::{Part, Tree};

/// The most bytes that Redis puts in a node.
const MAX_WEIGHT: u64 = 1 << 30;
/// How many cold chunks a command that only reads waits for.
const MAX_COLD: usize = 256;

/// About as many entries of a tree as a leaf has.
const FIRST_WINDOW: u64 = 32;

/// A chunk that takes no more entries.
#[derive(Clone, Copy, Debug)]
struct Sealed {
    first: Id,
    /// The last ID that it got, though its entry may be deleted.
    last: Id,
    number: u64,
    live: u64,
}

impl Sealed {
    fn decode(key: &[u8], value: &[u8]) -> std::result::Result<Sealed, Malformed> {
        let first = key.try_into().map_err(|_| Malformed("key of a chunk"))?;
        let mut reader = Reader(value);
        Ok(Sealed {
            first: Id::decode(first),
            number: reader.varint()?,
            live: reader.varint()?,
            last: read_id(&mut reader)?,
        })
    }

    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(24);
        push_varint(&mut out, self.number);
        push_varint(&mut out, self.live);
        push_id(&mut out, self.last);
        out
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    Forward,
    Backward,
}

/// Which entries are read.
#[derive(Clone, Debug)]
pub struct Span {
    pub ids: RangeInclusive<Id>,
    pub order: Order,
    /// At most so many.
    pub limit: u64,
    /// Whether the command may run over a view.
    pub read_only: bool,
}

/// What a trimmed stream is left with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bound {
    /// At most so many entries.
    Length(u64),
    /// None below this ID.
    Id(Id),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Trim {
    pub bound: Bound,
    /// Drop whole chunks only.
    pub approximate: bool,
    /// Drop at most so many entries.
    pub limit: Option<u64>,
}

/// A chunk to be read.
enum Piece {
    Sealed(Sealed),
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
        self.index.insert(txn, &sealed.first.encode(), &sealed.encode())?;
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

    fn read(&self, txn: &mut Txn, sealed: Sealed) -> Result<Value> {
        match txn.get(&self.blob(sealed.number))? {
            Some(record) => Ok(record),
            None => Err(Malformed("index of a stream: a chunk is missing").into()),
        }
    }

    /// Entries, by so many of their chunks, and the lists of chunks and of groups; not what is pending in groups.
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
    pub fn delete(&mut self, txn: &mut Txn, mut ids: Vec<Id>) -> Result<u64> {
        ids.sort_unstable();
        ids.dedup();
        let mut deleted = Vec::new();
        let in_tail = match self.tail.chunk()? {
            Some(tail) => ids.split_off(ids.partition_point(|id| *id < tail.first)),
            None => Vec::new(),
        };
        for (sealed, ids) in self.sealed_of(txn, &ids)? {
            let record = self.read(txn, sealed)?;
            let (bytes, _) = Chunk::decode(&record)?.retain(drop_of(&ids, &mut deleted))?;
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
            self.index
                .insert(txn, &key, &Sealed { live, ..sealed }.encode())?;
        }
        Ok(())
    }

    /// Drops entries from the beginning on. Returns how many.
    pub fn trim(&mut self, txn: &mut Txn, trim: Trim) -> Result<u64> {
        let before = self.length;
        if matches!(trim.bound, Bound::Length(most) if before <= most) {
            return Ok(0);
        }
        let cut = self.drop_whole(txn, trim)?;
        if !trim.approximate {
            self.drop_part(txn, cut, trim.bound)?;
        }
        if self.length < before {
            self.first = match self.length {
                0 => Id::MIN,
                _ => self.edge(txn, Order::Forward)?.unwrap_or(Id::MIN),
            };
        }
        Ok(before - self.length)
    }

    /// Drops those entries of a chunk, which becomes the first one, that the bound rules out.
    fn drop_part(&mut self, txn: &mut Txn, cut: Option<Piece>, bound: Bound) -> Result<()> {
        match cut {
            Some(Piece::Sealed(sealed)) => {
                let record = self.read(txn, sealed)?;
                let (bytes, dropped) = self.without_head(Chunk::decode(&record)?, bound)?;
                if dropped > 0 {
                    // It stays though none is left, as a node does.
                    let live = less(sealed.live, dropped)?;
                    txn.put(self.blob(sealed.number), Value::from(&bytes[..]));
                    let key = sealed.first.encode();
                    self.index
                        .insert(txn, &key, &Sealed { live, ..sealed }.encode())?;
                    self.length = less(self.length, dropped)?;
                }
            }
            Some(Piece::Tail) => {
                if let Some(tail) = self.tail.chunk()? {
                    let (bytes, dropped) = self.without_head(tail, bound)?;
                    if dropped > 0 {
                        self.tail = Tail::New(bytes);
                        self.length = less(self.length, dropped)?;
                    }
                }
            }
            None => {}
        }
        Ok(())
    }

    /// Drops the chunks that may go as a whole. Returns the one behind them if it may go in part.
    fn drop_whole(&mut self, txn: &mut Txn, trim: Trim) -> Result<Option<Piece>> {
        let (mut count, mut length, mut dropped) = (0, self.length, 0);
        let mut verdict = |last: Id, live: u64| -> Result<Verdict> {
            let within = match trim.bound {
                Bound::Length(most) => length <= most,
                Bound::Id(_) => false,
            };
            if within || trim.limit.is_some_and(|limit| dropped + live > limit) {
                return Ok(Verdict::Stop);
            }
            let left = less(length, live)?;
            let goes = match trim.bound {
                Bound::Length(most) => left >= most,
                Bound::Id(least) => last < least,
            };
            if !goes {
                return Ok(Verdict::Cut);
            }
            (length, dropped) = (left, dropped + live);
            Ok(Verdict::Drop)
        };
        let mut end = None;
        let ranks = 0..self.index.len();
        walk(&self.index, txn, ranks, Order::Forward, false, |key, value| {
            let sealed = Sealed::decode(&key, &value)?;
            match verdict(sealed.last, sealed.live)? {
                Verdict::Drop => count += 1,
                Verdict::Cut => end = Some(Some(Piece::Sealed(sealed))),
                Verdict::Stop => end = Some(None),
            }
            Ok(end.is_none())
        })?;
        let mut drops_tail = false;
        if let (None, Some(tail)) = (&end, self.tail.chunk()?) {
            match verdict(tail.last, tail.live)? {
                Verdict::Drop => drops_tail = true,
                Verdict::Cut => end = Some(Some(Piece::Tail)),
                Verdict::Stop => {}
            }
        }
        if drops_tail {
            self.tail = Tail::NONE;
        }
        self.length = length;
        let mut numbers = Vec::new();
        self.index.remove_range(txn, 0..count, |key, value| {
            numbers.push(Sealed::decode(&key, &value)?.number);
            Ok(())
        })?;
        for number in numbers {
            txn.delete(self.blob(number));
        }
        Ok(end.flatten())
    }

    /// The chunk, encoded, without those of its entries that the bound rules out, and how many those are.
    fn without_head(&self, chunk: Chunk, bound: Bound) -> Result<(Vec<u8>, u64)> {
        let mut surplus = match bound {
            Bound::Length(most) => self.length.saturating_sub(most),
            Bound::Id(_) => 0,
        };
        Ok(chunk.retain(|id| match bound {
            Bound::Length(_) => match surplus.checked_sub(1) {
                Some(less) => {
                    surplus = less;
                    false
                }
                None => true,
            },
            Bound::Id(least) => id >= least,
        })?)
    }
}

/// Visits entries of a tree until `visit` says false. As it may say so early, nodes are fetched for few ranks at first, and
/// for more and more.
pub(super) fn walk(
    tree: &Tree,
    txn: &mut Txn,
    ranks: Range<u64>,
    order: Order,
    read_only: bool,
    mut visit: impl FnMut(Part, Part) -> Result<bool>,
) -> Result<()> {
    let (mut left, mut window, mut goes_on) = (ranks, FIRST_WINDOW, true);
    while goes_on && !left.is_empty() {
        let len = window.min(left.end - left.start);
        let ranks = match order {
            Order::Forward => left.start..left.start + len,
            Order::Backward => left.end - len..left.end,
        };
        let visit = |key: Part, value: Part| {
            goes_on = visit(key, value)?;
            Ok(goes_on)
        };
        let reverse = order == Order::Backward;
        match read_only {
            true => tree.range(txn, ranks.clone(), reverse, visit)?,
            false => tree.range_to_write(txn, ranks.clone(), reverse, visit)?,
        }
        match order {
            Order::Forward => left.start = ranks.end,
            Order::Backward => left.end = ranks.start,
        }
        window *= 4;
    }
    Ok(())
}

/// What trimming does with a chunk.
enum Verdict {
    Drop,
    Cut,
    Stop,
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
