//! Entries dropped from a stream's beginning.

use super::chunk::Chunk;
use super::entries::Piece;
use super::sealed::Sealed;
use super::span::Order;
use super::walk::walk;
use super::{Id, Stream, Tail};
use crate::disk::format::less;
use crate::store::{Result, Txn, Value};

/// What a trimmed stream is left with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bound {
    /// At most this many entries.
    Length(u64),
    /// None below this ID.
    Id(Id),
}

/// What XTRIM and XADD are to drop.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Trim {
    /// What the stream is left with.
    pub bound: Bound,
    /// Drop whole chunks only.
    pub approximate: bool,
    /// The most entries that are dropped, if there is a limit.
    pub limit: Option<u64>,
}

/// What trimming does with a chunk.
enum Verdict {
    Drop,
    Cut,
    Stop,
}

impl Stream {
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
                    self.index.put(txn, &key, &Sealed { live, ..sealed }.encode())?;
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
        walk(&self.index, txn, ranks, Order::Forward, |key, value| {
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
