//! Strings: whole in their `meta` record up to [`SEGMENT`] bytes, in segments above.

use std::ops::Range;

use crate::disk::format::{Header, Kind, LongString, RecordKey, SEGMENT};
use crate::store::{Entry, Key, Result, Txn, Value};

/// A string's bytes: shared with the hot tier where they are one record, else put together.
pub enum Bytes {
    Shared(Value, Range<usize>),
    Owned(Vec<u8>),
}

impl std::ops::Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Bytes::Shared(value, range) => &value[range.clone()],
            Bytes::Owned(bytes) => bytes,
        }
    }
}

/// The number of bytes in the string.
pub fn len(entry: &Entry) -> Result<u64> {
    match entry.header.kind {
        Kind::String => Ok(entry.body().len() as u64),
        Kind::LongString => Ok(LongString::decode(entry.body())?.length),
    }
}

/// The whole string.
pub fn read(txn: &mut Txn, entry: &Entry) -> Result<Bytes> {
    let len = len(entry)?;
    read_range(txn, entry, 0..len)
}

/// The bytes of `range`, which must lie in the string.
pub fn read_range(txn: &mut Txn, entry: &Entry, range: Range<u64>) -> Result<Bytes> {
    if entry.header.kind == Kind::String {
        let (record, body) = entry.shared();
        return Ok(Bytes::Shared(
            record.clone(),
            body + range.start as usize..body + range.end as usize,
        ));
    }
    let long = LongString::decode(entry.body())?;
    let mut out = Vec::with_capacity((range.end - range.start) as usize);
    let size = SEGMENT as u64;
    let indexes = (range.start / size) as u32..range.end.div_ceil(size) as u32;
    for index in indexes.clone() {
        txn.prefetch(RecordKey::segment(long.id, index));
    }
    txn.await_prefetched()?;
    for index in indexes {
        let base = u64::from(index) * size;
        let from = range.start.max(base) - base;
        let to = (range.end.min(base + size) - base) as usize;
        let segment = txn.get(&RecordKey::segment(long.id, index))?;
        let there = segment.as_deref().unwrap_or_default();
        let there = &there[(from as usize).min(there.len())..to.min(there.len())];
        let absent = to - from as usize - there.len();
        out.extend_from_slice(there);
        out.resize(out.len() + absent, 0);
    }
    Ok(Bytes::Owned(out))
}

/// Makes `bytes` the key's value, whatever it held. `old` is what [`Txn::lookup`] found.
pub fn set(txn: &mut Txn, key: Key, old: Option<&Entry>, bytes: &[u8], deadline: Option<u64>) -> Result<()> {
    if bytes.len() <= SEGMENT {
        return txn.write(
            key,
            old,
            Header {
                kind: Kind::String,
                deadline,
            },
            &[bytes],
        );
    }
    let long = LongString {
        id: txn.fresh_id(),
        length: bytes.len() as u64,
    };
    for (index, segment) in bytes.chunks(SEGMENT).enumerate() {
        txn.put(RecordKey::segment(long.id, index as u32), Value::from(segment));
    }
    txn.write(
        key,
        old,
        Header {
            kind: Kind::LongString,
            deadline,
        },
        &[&long.encode()],
    )
}
