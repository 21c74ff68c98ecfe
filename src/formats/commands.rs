//! A dump as commands in Redis's protocol, for `redis-cli --pipe` and for whatever takes commands.
//!
//! ```text
//! dump := ECHO begin (FUNCTION LOAD REPLACE code | SELECT number | key)* ECHO end
//! key  := SET name text [PXAT ms]
//!       | (RPUSH name element+)+ | (SADD name member+)+ | (ZADD name (score member)+)+
//!       | (HSET name (field value)+)+ (HPEXPIREAT name ms FIELDS 1 field)*
//!       | XADD name id (field value)+ ... XSETID name id ENTRIESADDED number MAXDELETEDID id group*
//!         and behind all but a string (PEXPIREAT name ms)
//! group := XGROUP CREATE name group id ENTRIESREAD number
//!          (XGROUP CREATECONSUMER name group consumer (XCLAIM name group consumer 0 id TIME ms RETRYCOUNT count FORCE JUSTID)*)*
//! ```
//!
//! The two ECHOs tell a dump that was cut off. No command says when a consumer was last seen, nor that an entry is pending that
//! was deleted: these two are lost, as they are in Redis's own AOF.

use std::collections::HashMap;
use std::io::Write;

use super::FormatError;
use crate::rdb::{CellBuffer, Counters, Item, Key, Kind, Sink, StreamId};

/// What the first command of a dump says, and the last.
pub const MARKS: [&[u8]; 2] = [b"redkeep-tool dump begins", b"redkeep-tool dump ends"];
/// A command that adds to a collection has no more arguments than this, ...
const ARGUMENTS: usize = 1024;
/// ... and ends when it has so many bytes.
const BYTES: usize = 256 << 10;

/// Writes items as commands.
pub struct Writer<W> {
    out: W,
    database: u64,
    key: Option<Open>,
    /// What the command that is being gathered has behind the key's name.
    gathered: CellBuffer,
    pending: HashMap<StreamId, (u64, u64)>,
    group: Vec<u8>,
    consumer: Vec<u8>,
}

/// The key whose value is being written.
struct Open {
    name: Vec<u8>,
    kind: Kind,
    deadline: Option<u64>,
    /// Fields with their deadlines: set when the fields are there.
    fields: Vec<(Vec<u8>, u64)>,
    has_entries: bool,
}

fn id_text(id: StreamId) -> Vec<u8> {
    format!("{}-{}", id.ms, id.seq).into_bytes()
}

fn digits(number: u64) -> Vec<u8> {
    number.to_string().into_bytes()
}

impl<W: Write> Writer<W> {
    /// Writes the first command.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn new(out: W) -> Result<Writer<W>, FormatError> {
        let mut writer = Writer {
            out,
            database: 0,
            key: None,
            gathered: CellBuffer::default(),
            pending: HashMap::new(),
            group: Vec::new(),
            consumer: Vec::new(),
        };
        writer.command(&[b"ECHO", MARKS[0]])?;
        Ok(writer)
    }

    /// Writes the last command.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn finish(mut self) -> Result<W, FormatError> {
        self.command(&[b"ECHO", MARKS[1]])?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn command(&mut self, parts: &[&[u8]]) -> Result<(), FormatError> {
        write!(self.out, "*{}\r\n", parts.len())?;
        for part in parts {
            self.part(part)?;
        }
        Ok(())
    }

    fn part(&mut self, part: &[u8]) -> Result<(), FormatError> {
        write!(self.out, "${}\r\n", part.len())?;
        self.out.write_all(part)?;
        self.out.write_all(b"\r\n")?;
        Ok(())
    }

    /// Writes the command that was gathered, if there is one.
    fn write_gathered(&mut self) -> Result<(), FormatError> {
        let cells = std::mem::take(&mut self.gathered);
        if let (Some(open), false) = (&self.key, cells.cells().is_empty()) {
            let command: &[u8] = match open.kind {
                Kind::List => b"RPUSH",
                Kind::Set => b"SADD",
                Kind::SortedSet => b"ZADD",
                _ => b"HSET",
            };
            let name = open.name.clone();
            let parts: Vec<&[u8]> = [command, &name].into_iter().chain(cells.cells().iter()).collect();
            self.command(&parts)?;
        }
        self.gathered = cells;
        self.gathered.clear();
        Ok(())
    }

    fn gather(&mut self, parts: &[&[u8]]) -> Result<(), FormatError> {
        parts.iter().for_each(|part| self.gathered.push(part));
        match self.gathered.cells().len() >= ARGUMENTS || self.gathered.bytes() >= BYTES {
            true => self.write_gathered(),
            false => Ok(()),
        }
    }

    fn begin(&mut self, key: Key) -> Result<(), FormatError> {
        if key.database != self.database {
            self.command(&[b"SELECT", &digits(key.database)])?;
            self.database = key.database;
        }
        self.key = Some(Open {
            name: key.name.to_vec(),
            kind: key.kind,
            deadline: key.deadline,
            fields: Vec::new(),
            has_entries: false,
        });
        Ok(())
    }

    fn end(&mut self) -> Result<(), FormatError> {
        self.write_gathered()?;
        let Some(open) = self.key.take() else {
            return Ok(());
        };
        for (field, deadline) in &open.fields {
            self.command(&[
                b"HPEXPIREAT",
                &open.name,
                &digits(*deadline),
                b"FIELDS",
                b"1",
                field,
            ])?;
        }
        match open.deadline {
            Some(deadline) if open.kind != Kind::String => {
                self.command(&[b"PEXPIREAT", &open.name, &digits(deadline)])
            }
            _ => Ok(()),
        }
    }

    fn text(&mut self, text: &[u8]) -> Result<(), FormatError> {
        let Some(open) = &self.key else { return Ok(()) };
        let (name, deadline) = (open.name.clone(), open.deadline.map(digits));
        match deadline {
            None => self.command(&[b"SET", &name, text]),
            Some(deadline) => self.command(&[b"SET", &name, text, b"PXAT", &deadline]),
        }
    }

    fn counters(&mut self, name: &[u8], counters: &Counters, has_entries: bool) -> Result<(), FormatError> {
        if !has_entries {
            let made = id_text(counters.last.max(StreamId { ms: 0, seq: 1 }));
            self.command(&[b"XADD", name, b"MAXLEN", b"0", &made, b"x", b"y"])?;
        }
        let (last, deleted) = (id_text(counters.last), id_text(counters.max_deleted));
        let added = digits(counters.added);
        self.command(&[
            b"XSETID",
            name,
            &last,
            b"ENTRIESADDED",
            &added,
            b"MAXDELETEDID",
            &deleted,
        ])
    }

    /// Takes what belongs to a stream.
    fn stream(&mut self, item: Item) -> Result<(), FormatError> {
        let Some(open) = &mut self.key else { return Ok(()) };
        let name = open.name.clone();
        match item {
            Item::Entry { id, cells } => {
                open.has_entries = true;
                let id = id_text(id);
                let parts: Vec<&[u8]> = [&b"XADD"[..], &name, &id]
                    .into_iter()
                    .chain(cells.iter())
                    .collect();
                self.command(&parts)
            }
            Item::Counters(counters) => {
                let has_entries = open.has_entries;
                self.counters(&name, &counters, has_entries)
            }
            Item::Group {
                name: group,
                last,
                read,
            } => {
                self.pending.clear();
                self.group = group.to_vec();
                let (last, read) = (id_text(last), read.map_or(b"-1".to_vec(), digits));
                self.command(&[b"XGROUP", b"CREATE", &name, group, &last, b"ENTRIESREAD", &read])
            }
            Item::Pending { id, time, count } => {
                self.pending.insert(id, (time, count));
                Ok(())
            }
            Item::Consumer { name: consumer, .. } => {
                self.consumer = consumer.to_vec();
                let group = self.group.clone();
                self.command(&[b"XGROUP", b"CREATECONSUMER", &name, &group, consumer])
            }
            Item::Owned(id) => {
                let (time, count) = self.pending.remove(&id).unwrap_or_default();
                let (group, consumer) = (self.group.clone(), self.consumer.clone());
                let (id, time, count) = (id_text(id), digits(time), digits(count));
                self.command(&[
                    b"XCLAIM",
                    &name,
                    &group,
                    &consumer,
                    b"0",
                    &id,
                    b"TIME",
                    &time,
                    b"RETRYCOUNT",
                    &count,
                    b"FORCE",
                    b"JUSTID",
                ])
            }
            _ => Ok(()),
        }
    }
}

impl<W: Write> Sink for Writer<W> {
    type Error = FormatError;

    fn put(&mut self, item: Item<'_>) -> Result<(), FormatError> {
        match item {
            Item::Aux { .. } | Item::Database(_) | Item::Sizes { .. } | Item::Skipped { .. } => Ok(()),
            Item::Library(code) => self.command(&[b"FUNCTION", b"LOAD", b"REPLACE", code]),
            Item::Key(key) => self.begin(key),
            Item::Text(text) => self.text(text),
            Item::Element(element) => self.gather(&[element]),
            Item::Field {
                field,
                value,
                deadline,
            } => {
                if let (Some(open), Some(deadline)) = (&mut self.key, deadline) {
                    open.fields.push((field.to_vec(), deadline));
                }
                self.gather(&[field, value])
            }
            Item::Scored { member, score } => self.gather(&[format!("{score:?}").as_bytes(), member]),
            Item::Entry { .. }
            | Item::Counters(_)
            | Item::Group { .. }
            | Item::Pending { .. }
            | Item::Consumer { .. }
            | Item::Owned(_) => self.stream(item),
            Item::End => self.end(),
        }
    }
}
