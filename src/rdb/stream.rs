//! Streams:
//!
//! ```text
//! stream   := nodes:length (master:string listpack:string)* length id [first:id deleted:id added:length]
//!             groups:length group* [idempotent]                             []: since version 2; idempotent since 4
//! id       := ms:length seq:length
//! group    := name:string id [read:length]                                  read: since version 2, 2^64 - 1 if not known
//!             length (raw-id time:i64 le count:length)*                     pending
//!             length consumer* [length raw-id*]                             since version 5: pending and given back
//! consumer := name:string seen:i64 le [active:i64 le] length raw-id*        active: since version 3, -1 for never
//! raw-id   := ms:u64 be seq:u64 be                                          so is a node's master ID
//! idempotent := length length length (string u64 le u64 le)* length length  producers' own IDs: passed over
//! listpack := count deleted fields field*fields 0 entry*                    the first entry, shared by the others
//! entry    := flags ms seq [fields (field value)* | value*fields] back      flags: 1 deleted, 2 fields are the first's
//! ```
//!
//! ms and seq of an entry are added to those of its node.

use std::cmp::Ordering;
use std::io::Read;

use super::error::{Broken, Fault};
use super::input::Input;
use super::item::{Counters, StreamId};
use super::packed::{Cell, Cursor};
use super::piece::{Buffers, Piece};

type Result<T> = std::result::Result<T, Fault>;

/// What stands for a count that is not known.
const UNKNOWN: u64 = u64::MAX;
const DELETED: i64 = 1;
const SAME_FIELDS: i64 = 2;

/// What comes next.
enum Part {
    Nodes(u64),
    /// Behind the counters.
    Groups(u64),
    Pending(u64),
    /// How many consumers of the group are left.
    Consumers(u64),
    /// How many IDs of this consumer, and how many consumers.
    Owned(u64, u64),
    End,
}

/// A node of which entries are left.
struct Node {
    cursor: Cursor,
    master: StreamId,
    /// The first entry's fields.
    fields: Vec<Cell>,
    live: u64,
    deleted: u64,
}

/// What is to come of a stream.
pub(super) struct Stream {
    version: u8,
    part: Part,
    node: Option<Node>,
    /// Entries so far, and the last of them.
    length: u64,
    first: StreamId,
    last: StreamId,
    counters: Counters,
    groups: u64,
}

fn id<R: Read>(input: &mut Input<R>) -> Result<StreamId> {
    let (ms, seq) = (input.number()?, input.number()?);
    Ok(StreamId { ms, seq })
}

fn raw_id<R: Read>(input: &mut Input<R>) -> Result<StreamId> {
    let (ms, seq) = (
        u64::from_be_bytes(input.array()?),
        u64::from_be_bytes(input.array()?),
    );
    Ok(StreamId { ms, seq })
}

/// A time in Unix milliseconds, or -1.
fn time<R: Read>(input: &mut Input<R>) -> Result<Option<u64>> {
    match i64::from_le_bytes(input.array()?) {
        -1 => Ok(None),
        time => Ok(Some(
            u64::try_from(time).map_err(|_| Broken("a time before all time"))?,
        )),
    }
}

impl Stream {
    /// Reads what stands before the first entry, of a stream of this version of the format.
    pub fn begin<R: Read>(version: u8, input: &mut Input<R>) -> Result<Stream> {
        Ok(Stream {
            version,
            part: Part::Nodes(input.number()?),
            node: None,
            length: 0,
            first: StreamId::default(),
            last: StreamId::default(),
            counters: Counters::default(),
            groups: 0,
        })
    }

    /// The next piece; after the last, [`Piece::End`].
    pub fn next<R: Read>(&mut self, input: &mut Input<R>, buffers: &mut Buffers) -> Result<Piece> {
        loop {
            match self.part {
                Part::Nodes(left) => {
                    if let Some(piece) = self.entry(buffers)? {
                        return Ok(piece);
                    }
                    let Some(left) = left.checked_sub(1) else {
                        return self.counters(input);
                    };
                    self.part = Part::Nodes(left);
                    self.node = Some(begin_node(input, buffers)?);
                }
                Part::Groups(0) => {
                    if self.version >= 4 {
                        skip_idempotent(input)?;
                    }
                    self.part = Part::End;
                }
                Part::Groups(left) => {
                    self.groups = left - 1;
                    return self.group(input, buffers);
                }
                Part::Pending(0) => self.part = Part::Consumers(input.number()?),
                Part::Pending(left) => {
                    self.part = Part::Pending(left - 1);
                    let id = raw_id(input)?;
                    let time = time(input)?.unwrap_or(0);
                    let count = input.number()?;
                    return Ok(Piece::Pending { id, time, count });
                }
                Part::Consumers(0) => {
                    if self.version >= 5 && input.number()? > 0 {
                        return Err(Broken(
                            "a group has entries that were given back, which there is no form for",
                        )
                        .into());
                    }
                    self.part = Part::Groups(self.groups);
                }
                Part::Consumers(left) => return self.consumer(left - 1, input, buffers),
                Part::Owned(0, consumers) => self.part = Part::Consumers(consumers),
                Part::Owned(left, consumers) => {
                    self.part = Part::Owned(left - 1, consumers);
                    return Ok(Piece::Owned(raw_id(input)?));
                }
                Part::End => return Ok(Piece::End),
            }
        }
    }

    /// The next entry of the node, if any is left.
    fn entry(&mut self, buffers: &mut Buffers) -> Result<Option<Piece>> {
        while let Some(node) = &mut self.node {
            if node.live == 0 && node.deleted == 0 {
                if node.cursor.next(&buffers.packed)?.is_some() {
                    return Err(Broken("a node of a stream has more entries than it says").into());
                }
                self.node = None;
                break;
            }
            let Some(id) = next_entry(node, buffers)? else {
                continue;
            };
            if id <= self.last {
                return Err(Broken("the entries of a stream are not in order").into());
            }
            if self.length == 0 {
                self.first = id;
            }
            (self.last, self.length) = (id, self.length + 1);
            return Ok(Some(Piece::Entry(id)));
        }
        Ok(None)
    }

    fn counters<R: Read>(&mut self, input: &mut Input<R>) -> Result<Piece> {
        let (length, last) = (input.number()?, id(input)?);
        let mut counters = Counters {
            length,
            last,
            // As servers take it that know more, of a stream that tells no more.
            added: length,
            first: self.first,
            ..Counters::default()
        };
        if self.version >= 2 {
            let _first = id(input)?;
            counters.max_deleted = id(input)?;
            counters.added = input.number()?;
        }
        self.counters = counters;
        if length != self.length || last < self.last {
            return Err(Broken("a stream counts other entries than it has").into());
        }
        self.part = Part::Groups(input.number()?);
        Ok(Piece::Counters(counters))
    }

    fn group<R: Read>(&mut self, input: &mut Input<R>, buffers: &mut Buffers) -> Result<Piece> {
        input.string(&mut buffers.texts[0])?;
        let last = id(input)?;
        let read = match self.version {
            1 => self.read_up_to(last),
            _ => Some(input.number()?).filter(|read| *read != UNKNOWN),
        };
        self.part = Part::Pending(input.number()?);
        Ok(Piece::Group { last, read })
    }

    /// How many entries a group has read that does not tell, by the last that it was given; where that can be said.
    fn read_up_to(&self, last: StreamId) -> Option<u64> {
        let counters = &self.counters;
        match last.cmp(&counters.last) {
            _ if counters.added == 0 => Some(0),
            Ordering::Equal => Some(counters.added),
            Ordering::Greater => None,
            Ordering::Less if last < counters.first => Some(0),
            Ordering::Less if last == counters.first => Some(1),
            Ordering::Less => None,
        }
    }

    fn consumer<R: Read>(&mut self, left: u64, input: &mut Input<R>, buffers: &mut Buffers) -> Result<Piece> {
        input.string(&mut buffers.texts[0])?;
        let seen = time(input)?;
        // Who does not tell them apart has one time for both.
        let active = if self.version >= 3 { time(input)? } else { seen };
        self.part = Part::Owned(input.number()?, left);
        Ok(Piece::Consumer {
            seen: seen.unwrap_or(0),
            active,
        })
    }
}

/// Reads the next node, up to its first entry.
fn begin_node<R: Read>(input: &mut Input<R>, buffers: &mut Buffers) -> Result<Node> {
    input.string(&mut buffers.texts[0])?;
    let Some((ms, rest)) = buffers.texts[0].split_first_chunk() else {
        return Err(Broken("a node of a stream begins with no ID").into());
    };
    let seq = rest
        .try_into()
        .map_err(|_| Broken("a node of a stream begins with no ID"))?;
    let master = StreamId {
        ms: u64::from_be_bytes(*ms),
        seq: u64::from_be_bytes(seq),
    };
    input.string(&mut buffers.packed)?;
    let mut cursor = Cursor::listpack(&buffers.packed)?;
    let (live, deleted) = (count(&mut cursor, buffers)?, count(&mut cursor, buffers)?);
    let mut fields = Vec::new();
    for _ in 0..count(&mut cursor, buffers)? {
        fields.push(cell(&mut cursor, buffers)?);
    }
    if number(&mut cursor, buffers)? != 0 || live == 0 && deleted == 0 {
        return Err(Broken("a node of a stream has no first entry").into());
    }
    Ok(Node {
        cursor,
        master,
        fields,
        live,
        deleted,
    })
}

/// Puts the next entry's fields and values into the buffer; none if it is deleted.
fn next_entry(node: &mut Node, buffers: &mut Buffers) -> Result<Option<StreamId>> {
    let cursor = &mut node.cursor;
    let flags = number(cursor, buffers)?;
    let (ms, seq) = (number(cursor, buffers)?, number(cursor, buffers)?);
    let id = StreamId {
        ms: node.master.ms.wrapping_add(ms as u64),
        seq: node.master.seq.wrapping_add(seq as u64),
    };
    let is_same = flags & SAME_FIELDS != 0;
    let fields = match is_same {
        true => node.fields.len() as u64,
        false => count(cursor, buffers)?,
    };
    buffers.cells.clear();
    for at in 0..fields {
        let field = match is_same {
            true => node.fields[at as usize],
            false => cell(cursor, buffers)?,
        };
        push(field, buffers);
        let value = cell(cursor, buffers)?;
        push(value, buffers);
    }
    let parts = 3 + if is_same { fields } else { fields * 2 + 1 };
    if number(cursor, buffers)? != parts as i64 {
        return Err(Broken("an entry of a stream tells its length wrongly").into());
    }
    let left = match flags & DELETED {
        0 => &mut node.live,
        _ => &mut node.deleted,
    };
    *left = left
        .checked_sub(1)
        .ok_or(Broken("a node of a stream has more entries than it says"))?;
    Ok((flags & DELETED == 0).then_some(id))
}

fn push(cell: Cell, buffers: &mut Buffers) {
    match cell {
        Cell::Bytes(from, to) => buffers.cells.push(&buffers.packed[from..to]),
        Cell::Number(number) => buffers.cells.push(itoa::Buffer::new().format(number).as_bytes()),
    }
}

fn cell(cursor: &mut Cursor, buffers: &Buffers) -> Result<Cell> {
    Ok(cursor
        .next(&buffers.packed)?
        .ok_or(Broken("a node of a stream ends in the middle"))?)
}

fn number(cursor: &mut Cursor, buffers: &Buffers) -> Result<i64> {
    match cell(cursor, buffers)? {
        Cell::Number(number) => Ok(number),
        Cell::Bytes(..) => Err(Broken("a text where a node of a stream has a number").into()),
    }
}

fn count(cursor: &mut Cursor, buffers: &Buffers) -> Result<u64> {
    let number = number(cursor, buffers)?;
    Ok(u64::try_from(number).map_err(|_| Broken("a node of a stream has a count below zero"))?)
}

/// What tells producers' messages apart; nothing here has a use for it.
fn skip_idempotent<R: Read>(input: &mut Input<R>) -> Result<()> {
    let (_, _) = (input.number()?, input.number()?);
    for _ in 0..input.number()? {
        input.skip_string()?;
        input.skip(16)?;
    }
    let (_, _) = (input.number()?, input.number()?);
    Ok(())
}
