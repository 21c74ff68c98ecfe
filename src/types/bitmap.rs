//! Strings as arrays of bits, the highest bit of a byte first.
//!
//! Counting and searching go segment by segment, and over a view where many segments are cold. [`combine`] writes, so it
//! cannot: it has all its sources and its result in memory at once.

use std::ops::Range;

use super::string;
use crate::base::events::Events;
use crate::disk::format::{Kind, SEGMENT};
use crate::store::{Entry, Key, Result, Txn};

/// What BITOP does to its sources.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Operation {
    /// Bits that all of them have.
    And,
    /// Bits that any of them has.
    Or,
    /// Bits that an odd number of them have.
    Xor,
    /// Bits that the only one has not.
    Not,
}

/// How many segments a search asks for first; it doubles as it goes on.
const FIRST_WINDOW: u64 = 16;
/// Above the number of records that a body waits for which may go over a view, so that a long search goes there.
const LAST_WINDOW: u64 = 512;

/// The bit at `offset`; one beyond the string is 0.
pub fn get(txn: &mut Txn, entry: &Entry, offset: u64) -> Result<bool> {
    let byte = byte_at(txn, entry, offset / 8)?;
    Ok(byte & mask(offset) != 0)
}

/// Sets the bit and returns what it was. The string grows to have it.
pub fn set(txn: &mut Txn, key: Key, old: Option<&Entry>, offset: u64, bit: bool) -> Result<bool> {
    let at = offset / 8;
    let (length, byte) = match old {
        None => (0, 0),
        Some(entry) => (string::len(entry)?, byte_at(txn, entry, at)?),
    };
    let was = byte & mask(offset) != 0;
    if was != bit || at >= length {
        let flipped = if was != bit { mask(offset) } else { 0 };
        string::write_at(txn, key, old, at, &[byte ^ flipped])?;
        txn.notify(Events::STRING, "setbit", key);
    }
    Ok(was)
}

fn mask(offset: u64) -> u8 {
    0x80 >> (offset % 8)
}

fn byte_at(txn: &mut Txn, entry: &Entry, at: u64) -> Result<u8> {
    let segment = string::segment(txn, entry, (at / SEGMENT as u64) as u32)?;
    Ok(segment.get((at % SEGMENT as u64) as usize).copied().unwrap_or(0))
}

/// How many of these bits, which must lie in the string, are set.
pub fn count(txn: &mut Txn, entry: &Entry, bits: Range<u64>) -> Result<u64> {
    if bits.is_empty() {
        return Ok(0);
    }
    let bytes = bits.start / 8..bits.end.div_ceil(8);
    string::fetch(txn, std::iter::once((entry, bytes.clone())))?;
    // What the first and the last byte have outside the range comes off again.
    let before = byte_at(txn, entry, bytes.start)? & !(0xff >> (bits.start % 8));
    let after = byte_at(txn, entry, bytes.end - 1)? & (0xffu16 >> ((bits.end + 7) % 8 + 1)) as u8;
    let mut count = 0;
    for (index, part) in string::pieces(bytes) {
        let segment = string::segment(txn, entry, index)?;
        count += count_ones(&segment[string::on_record(&segment, &part)]);
    }
    Ok(count - u64::from(before.count_ones()) - u64::from(after.count_ones()))
}

fn count_ones(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let words: u64 = words
        .iter()
        .map(|word| u64::from(u64::from_ne_bytes(*word).count_ones()))
        .sum();
    words + rest.iter().map(|byte| u64::from(byte.count_ones())).sum::<u64>()
}

/// The first of these bits, which must lie in the string, that is `bit`.
pub fn find(txn: &mut Txn, entry: &Entry, bit: bool, bits: Range<u64>) -> Result<Option<u64>> {
    let end = bits.end.div_ceil(8);
    let (mut at, mut window) = (bits.start / 8, FIRST_WINDOW);
    while at < end {
        let upto = end.min((at / SEGMENT as u64 + window) * SEGMENT as u64);
        string::fetch(txn, std::iter::once((entry, at..upto)))?;
        for (index, part) in string::pieces(at..upto) {
            let base = u64::from(index) * SEGMENT as u64 * 8;
            let from = bits.start.saturating_sub(base).max(part.start as u64 * 8) as usize;
            let segment = string::segment(txn, entry, index)?;
            if let Some(found) = find_in(&segment, part.end, from, bit) {
                return Ok(Some(base + found as u64).filter(|found| *found < bits.end));
            }
        }
        (at, window) = (upto, (window * 2).min(LAST_WINDOW));
    }
    Ok(None)
}

/// The first bit at or after `from` that is `bit`, in `bytes` followed by zeros up to `len` bytes.
fn find_in(bytes: &[u8], len: usize, from: usize, bit: bool) -> Option<usize> {
    let bytes = &bytes[..bytes.len().min(len)];
    // Turned so that what is looked for is a 1.
    let turned: u8 = if bit { 0 } else { 0xff };
    let first = from / 8;
    if let Some(byte) = bytes.get(first) {
        let byte = (byte ^ turned) & (0xff >> (from % 8));
        if byte != 0 {
            return Some(first * 8 + byte.leading_zeros() as usize);
        }
        let (words, rest) = bytes[first + 1..].as_chunks::<8>();
        let skipped = words
            .iter()
            .take_while(|word| u64::from_ne_bytes(**word) == u64::from_ne_bytes([turned; 8]))
            .count();
        let at = first + 1 + skipped * 8;
        let near = words.get(skipped).map_or(rest, |word| &word[..]);
        if let Some(i) = near.iter().position(|&byte| byte != turned) {
            return Some((at + i) * 8 + (near[i] ^ turned).leading_zeros() as usize);
        }
    }
    let zeros = from.max(bytes.len() * 8);
    (!bit && zeros < len * 8).then_some(zeros)
}

/// Makes the key what the operation makes of the sources, shorter ones followed by zeros, and returns its length. With
/// nothing but empty sources the key is dropped.
pub fn combine(txn: &mut Txn, key: Key, operation: Operation, sources: &[Option<Entry>]) -> Result<u64> {
    let mut length = 0;
    let mut parts = Vec::with_capacity(sources.len());
    for source in sources.iter().flatten() {
        let len = string::len(source)?;
        length = length.max(len);
        parts.push((source, 0..len));
    }
    string::fetch(txn, parts.into_iter())?;
    let old = txn.lookup(key)?;
    if length == 0 {
        if let Some(old) = old {
            txn.remove(key, &old)?;
        }
        return Ok(0);
    }
    string::set_segments(txn, key, old.as_ref(), length, |txn, index| {
        let base = u64::from(index) * SEGMENT as u64;
        let size = (length - base).min(SEGMENT as u64) as usize;
        let mut out = vec![0; size];
        for (i, source) in sources.iter().enumerate() {
            match source {
                None => apply(operation, i, &mut out, &[]),
                Some(entry) => apply(operation, i, &mut out, &string::segment(txn, entry, index)?),
            }
        }
        Ok(out)
    })?;
    txn.notify_overwritten(key, old.as_ref(), Kind::String);
    txn.notify(Events::STRING, "set", key);
    Ok(length)
}

/// Brings the `i`-th source into the result.
fn apply(operation: Operation, i: usize, out: &mut [u8], source: &[u8]) {
    let there = source.len().min(out.len());
    let (out, beyond) = out.split_at_mut(there);
    let pairs = out.iter_mut().zip(source);
    match operation {
        Operation::Not => {
            pairs.for_each(|(o, s)| *o = !s);
            beyond.fill(0xff);
        }
        _ if i == 0 => out.copy_from_slice(&source[..there]),
        Operation::And => {
            pairs.for_each(|(o, s)| *o &= s);
            beyond.fill(0);
        }
        Operation::Or => pairs.for_each(|(o, s)| *o |= s),
        Operation::Xor => pairs.for_each(|(o, s)| *o ^= s),
    }
}
