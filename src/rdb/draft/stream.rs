//! Streams: nodes of entries, each about as large as in a server; then counters, groups and consumers.

use super::thresholds::{STREAM_BYTES, STREAM_ENTRIES};
use super::{MISPLACED, count_first};
use crate::rdb::encode::{Encoder, push_length};
use crate::rdb::error::WriteError;
use crate::rdb::item::{CellBuffer, Cells, Counters, Item, StreamId};
use crate::rdb::packed::Builder;
use crate::rdb::spill::Spill;
use crate::rdb::target::Target;
use crate::rdb::version::type_byte;

/// What stands for a count that is not known, and for a time.
const UNKNOWN: u64 = u64::MAX;
const SAME_FIELDS: i64 = 2;

/// A node that takes entries. What stands before the first is known when the last has come.
struct Node {
    master: StreamId,
    fields: CellBuffer,
    count: u64,
    /// The entries, as a server would have them so far.
    entries: Builder,
    /// How many bytes a server takes for what stands before.
    head: usize,
}

/// Something with a name and a list of what is counted behind it.
struct Counted {
    head: Vec<u8>,
    count: u64,
    items: Spill,
}

/// A stream so far: whole nodes are in the body.
pub struct StreamDraft {
    is_72: bool,
    /// Of 7.0 if it has no consumers.
    pub(super) prefers_70: bool,
    has_consumers: bool,
    nodes: u64,
    node: Option<Node>,
    counters: Option<Counters>,
    groups: Counted,
    /// The group that is coming: its pending entries.
    group: Option<Counted>,
    consumers: Counted,
    consumer: Option<Counted>,
}

impl Counted {
    fn new(head: Vec<u8>) -> Counted {
        Counted {
            head,
            count: 0,
            items: Spill::default(),
        }
    }

    fn put(&mut self, item: impl FnOnce(&mut Vec<u8>)) -> std::io::Result<()> {
        self.count += 1;
        item(self.items.room());
        self.items.settle()
    }

    /// Appends all of it to another's items.
    fn close_into(mut self, out: &mut Spill) -> std::io::Result<()> {
        out.room().extend_from_slice(&self.head);
        push_length(out.room(), self.count);
        out.append(&mut self.items)
    }
}

fn push_id(out: &mut Vec<u8>, id: StreamId) {
    push_length(out, id.ms);
    push_length(out, id.seq);
}

fn push_raw_id(out: &mut Vec<u8>, id: StreamId) {
    out.extend_from_slice(&id.ms.to_be_bytes());
    out.extend_from_slice(&id.seq.to_be_bytes());
}

impl StreamDraft {
    /// An empty stream for a target.
    pub fn new(target: Target) -> StreamDraft {
        StreamDraft {
            is_72: target.is_72(),
            prefers_70: false,
            has_consumers: false,
            nodes: 0,
            node: None,
            counters: None,
            groups: Counted::new(Vec::new()),
            group: None,
            consumers: Counted::new(Vec::new()),
            consumer: None,
        }
    }

    /// Adds the next piece.
    pub fn put(
        &mut self,
        piece: Item<'_>,
        body: &mut Spill,
        encoder: &mut Encoder,
    ) -> Result<(), WriteError> {
        match piece {
            Item::Entry { id, cells } if self.counters.is_none() => self.entry(id, cells, body, encoder),
            Item::Counters(counters) => self.counters = Some(counters),
            Item::Group { name, last, read } => {
                self.end_group()?;
                let mut head = Vec::new();
                encoder.push_string(&mut head, name);
                push_id(&mut head, last);
                push_length(&mut head, read.unwrap_or(UNKNOWN));
                self.group = Some(Counted::new(head));
            }
            Item::Pending { id, time, count } => {
                let group = self.group.as_mut().ok_or(MISPLACED)?;
                group.put(|out| {
                    push_raw_id(out, id);
                    out.extend_from_slice(&time.to_le_bytes());
                    push_length(out, count);
                })?;
            }
            Item::Consumer { name, seen, active } => {
                self.end_consumer()?;
                self.has_consumers = true;
                let mut head = Vec::new();
                encoder.push_string(&mut head, name);
                head.extend_from_slice(&seen.to_le_bytes());
                if self.is_72 {
                    head.extend_from_slice(&active.unwrap_or(UNKNOWN).to_le_bytes());
                }
                self.consumer = Some(Counted::new(head));
            }
            Item::Owned(id) => {
                let consumer = self.consumer.as_mut().ok_or(MISPLACED)?;
                consumer.put(|out| push_raw_id(out, id))?;
            }
            _ => return Err(MISPLACED),
        }
        Ok(())
    }

    fn entry(&mut self, id: StreamId, cells: Cells<'_>, body: &mut Spill, encoder: &mut Encoder) {
        let more: usize = cells.iter().map(<[u8]>::len).sum();
        if self.node.as_ref().is_some_and(|node| !node.has_room(more)) {
            self.end_node(body, encoder);
        }
        let node = self.node.get_or_insert_with(|| Node::begin(id, cells));
        node.push(id, cells);
    }

    fn end_node(&mut self, body: &mut Spill, encoder: &mut Encoder) {
        let Some(mut node) = self.node.take() else { return };
        let mut id = Vec::with_capacity(16);
        push_raw_id(&mut id, node.master);
        encoder.push_string(body.room(), &id);
        encoder.push_string(body.room(), &node.finish());
        self.nodes += 1;
    }

    fn end_consumer(&mut self) -> Result<(), WriteError> {
        if let Some(consumer) = self.consumer.take() {
            self.consumers.count += 1;
            consumer.close_into(&mut self.consumers.items)?;
        }
        Ok(())
    }

    fn end_group(&mut self) -> Result<(), WriteError> {
        self.end_consumer()?;
        if let Some(group) = self.group.take() {
            self.groups.count += 1;
            group.close_into(&mut self.groups.items)?;
            let consumers = std::mem::replace(&mut self.consumers, Counted::new(Vec::new()));
            consumers.close_into(&mut self.groups.items)?;
        }
        Ok(())
    }

    /// Ends the stream; the byte of its type.
    pub fn finish(&mut self, body: &mut Spill, encoder: &mut Encoder) -> Result<Option<u8>, WriteError> {
        self.end_node(body, encoder);
        self.end_group()?;
        let counters = self
            .counters
            .ok_or(WriteError::Misplaced("the end of a stream without counters"))?;
        count_first(body, self.nodes)?;
        let out = body.room();
        push_length(out, counters.length);
        push_id(out, counters.last);
        push_id(out, counters.first);
        push_id(out, counters.max_deleted);
        push_length(out, counters.added);
        let groups = std::mem::replace(&mut self.groups, Counted::new(Vec::new()));
        groups.close_into(body)?;
        Ok(Some(
            match self.is_72 && (self.has_consumers || !self.prefers_70) {
                true => type_byte::STREAM_3,
                false => type_byte::STREAM_2,
            },
        ))
    }
}

impl Node {
    fn begin(id: StreamId, cells: Cells<'_>) -> Node {
        let fields: CellBuffer = cells.iter().step_by(2).collect();
        let mut node = Node {
            master: id,
            fields,
            count: 1,
            entries: Builder::new(),
            head: 0,
        };
        let mut head = Builder::new();
        node.push_head(&mut head);
        node.head = head.len();
        node.count = 0;
        node
    }

    fn push_head(&self, out: &mut Builder) {
        let fields = self.fields.cells();
        out.push_number(self.count as i64);
        out.push_number(0);
        out.push_number(fields.len() as i64);
        fields.iter().for_each(|field| out.push(field));
        out.push_number(0);
    }

    fn has_room(&self, more: usize) -> bool {
        // Both have a head and an end of a listpack. A count from 128 on takes a byte more; no node has as many.
        let bytes = self.head + self.entries.len() - Builder::new().len();
        bytes + more < STREAM_BYTES && self.count < STREAM_ENTRIES
    }

    fn push(&mut self, id: StreamId, cells: Cells<'_>) {
        let out = &mut self.entries;
        let is_same = cells.iter().step_by(2).eq(self.fields.cells().iter());
        let pairs = (cells.len() / 2) as i64;
        out.push_number(if is_same { SAME_FIELDS } else { 0 });
        out.push_number(id.ms.wrapping_sub(self.master.ms) as i64);
        out.push_number(id.seq.wrapping_sub(self.master.seq) as i64);
        let parts = match is_same {
            true => {
                cells.iter().skip(1).step_by(2).for_each(|value| out.push(value));
                pairs + 3
            }
            false => {
                out.push_number(pairs);
                cells.iter().for_each(|cell| out.push(cell));
                2 * pairs + 4
            }
        };
        out.push_number(parts);
        self.count += 1;
    }

    fn finish(&mut self) -> Vec<u8> {
        let mut whole = Builder::new();
        self.push_head(&mut whole);
        whole.append(&self.entries);
        whole.finish().to_vec()
    }
}
