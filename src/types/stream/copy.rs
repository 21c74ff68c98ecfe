//! COPY of a stream: every record of it under another id. Numbers of blobs stay: they are unique under each id.

use super::Stream;
use super::group::{Consumer, Group, number, numbers};
use crate::disk::format::{Malformed, RecordKey};
use crate::store::{self, Key, Result, Txn};
use crate::types::damage::missing;
use crate::types::tree::Tree;

/// Gives `to` a stream of its own, equal to the one of `entry`. `replaced` is what `to` held.
pub fn copy(txn: &mut Txn, entry: &store::Entry, to: Key, replaced: Option<&store::Entry>) -> Result<()> {
    let Some(stream) = Stream::open(Some(entry))? else {
        return Ok(());
    };
    let id = txn.fresh_id();
    copy_chunks(txn, &stream, id)?;
    for (_, group) in stream.groups(txn)? {
        copy_group(txn, &stream, group, id)?;
    }
    let copy = Stream {
        id,
        index: stream.index.copy(txn, id)?,
        groups: stream.groups.copy(txn, id)?,
        ..stream
    };
    txn.write(to, replaced, entry.header, &[&copy.encode_head(), &copy.tail])
}

fn copy_chunks(txn: &mut Txn, stream: &Stream, id: u64) -> Result<()> {
    let mut chunks = Vec::new();
    stream
        .index
        .range(txn, 0..stream.index.len(), false, |_, value| {
            chunks.push(number(&value)?);
            Ok(true)
        })?;
    for &number in &chunks {
        txn.prefetch(stream.blob(number));
    }
    txn.await_prefetched()?;
    for number in chunks {
        let Some(chunk) = txn.get(&stream.blob(number))? else {
            let what = Malformed("index of a stream: a chunk is missing");
            return Err(missing(stream.blob(number), what));
        };
        txn.put(RecordKey::blob(id, number), chunk);
    }
    Ok(())
}

fn copy_group(txn: &mut Txn, stream: &Stream, group: Group, id: u64) -> Result<()> {
    for (_, number) in numbers(txn, stream.id, &group.consumers)? {
        let consumer = Consumer::load(txn, stream.id, number)?;
        let pending = consumer.pending.copy(txn, id)?;
        consumer.moved_to(pending).put(txn, id);
    }
    let copied = |txn: &mut Txn, tree: &Tree| tree.copy(txn, id);
    let (pending, consumers) = (copied(txn, &group.pending)?, copied(txn, &group.consumers)?);
    group.moved_to(id, pending, consumers).put(txn);
    Ok(())
}
