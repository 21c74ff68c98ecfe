//! Writes a dump from items, for a target. `reader.rs` has the grammar.

use std::io::{self, Write};

use super::draft::Draft;
use super::encode::{Encoder, push_length};
use super::item::{Item, Key, Sink};
use super::target::Target;
use super::version::{Family, opcode};
use crate::base::crc64::{add_crc64, crc64};

/// How many bytes are passed on at once.
const BUFFER: usize = 256 << 10;

/// Why an item is not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Whoever takes the bytes cannot.
    #[error("cannot write: {0}")]
    Io(#[from] io::Error),
    /// The target has no form for the key's value. It is told at the key's end; of the key nothing is written then, and the
    /// writer goes on with the next.
    #[error("{target} cannot hold it: {why}")]
    CannotHold {
        /// The target's name.
        target: &'static str,
        /// What it cannot hold.
        why: &'static str,
    },
    /// The items do not come in their order.
    #[error("an item is out of place: {0}")]
    Misplaced(&'static str),
}

/// Writes a dump.
pub struct Writer<W> {
    sink: W,
    target: Target,
    encoder: Encoder,
    buffer: Vec<u8>,
    sum: u64,
    written: u64,
    /// In which database the next key would be.
    database: Option<u64>,
    open: Option<Open>,
}

/// A key whose value is coming.
struct Open {
    /// What stands before its type.
    before: Vec<u8>,
    name: Vec<u8>,
    database: u64,
    draft: Draft,
}

impl<W: Write> Writer<W> {
    /// Begins a file.
    ///
    /// # Errors
    /// What the sink says.
    pub fn new(sink: W, target: Target) -> io::Result<Writer<W>> {
        let mut writer = Writer {
            sink,
            target,
            encoder: Encoder::new(),
            buffer: Vec::with_capacity(BUFFER),
            sum: 0,
            written: 0,
            database: None,
            open: None,
        };
        let version = target.version();
        let head = match version.family {
            Family::Redis => format!("REDIS{:04}", version.number),
            Family::Valkey => format!("VALKEY{:03}", version.number),
        };
        writer.buffer.extend_from_slice(head.as_bytes());
        Ok(writer)
    }

    /// How many bytes are written, those included that are on their way.
    pub fn position(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    /// Ends the file, and gives the sink back.
    ///
    /// # Errors
    /// What the sink says, or that a key is not whole.
    pub fn finish(mut self) -> Result<W, WriteError> {
        if self.open.is_some() {
            return Err(WriteError::Misplaced("the end of a dump within a value"));
        }
        self.buffer.push(opcode::END);
        self.pass_on()?;
        let sum = self.sum.to_le_bytes();
        self.sink.write_all(&sum)?;
        self.sink.flush()?;
        Ok(self.sink)
    }

    fn pass_on(&mut self) -> io::Result<()> {
        self.sum = add_crc64(self.sum, &self.buffer);
        self.written += self.buffer.len() as u64;
        self.sink.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }

    fn strings(&mut self, byte: u8, strings: &[&[u8]]) {
        self.buffer.push(byte);
        for string in strings {
            self.encoder.push_string(&mut self.buffer, string);
        }
    }

    fn numbers(&mut self, byte: u8, numbers: &[u64]) {
        self.buffer.push(byte);
        numbers
            .iter()
            .for_each(|number| push_length(&mut self.buffer, *number));
    }

    fn enter(&mut self, database: u64) {
        if self.database != Some(database) {
            self.numbers(opcode::DATABASE, &[database]);
            self.database = Some(database);
        }
    }

    fn begin(&mut self, key: &Key<'_>) {
        let mut before = Vec::new();
        if let Some(deadline) = key.deadline {
            before.push(opcode::EXPIRE_MS);
            before.extend_from_slice(&deadline.to_le_bytes());
        }
        if let Some(idle) = key.idle {
            before.push(opcode::IDLE);
            push_length(&mut before, idle);
        }
        if let Some(frequency) = key.frequency {
            before.extend_from_slice(&[opcode::FREQUENCY, frequency]);
        }
        self.open = Some(Open {
            before,
            name: key.name.to_vec(),
            database: key.database,
            draft: Draft::new(key.kind, self.target, self.target.objection(&Item::Key(*key))),
        });
    }

    fn end_key(&mut self) -> Result<(), WriteError> {
        let Some(mut open) = self.open.take() else {
            return Err(WriteError::Misplaced("the end of a value without a beginning"));
        };
        let Some(byte) = open.draft.finish(&mut self.encoder)? else {
            return Ok(());
        };
        self.enter(open.database);
        self.buffer.extend_from_slice(&open.before);
        self.strings(byte, &[&open.name]);
        open.draft.body().drain(|piece| {
            self.buffer.extend_from_slice(piece);
            match self.buffer.len() < BUFFER {
                true => Ok(()),
                false => self.pass_on(),
            }
        })?;
        Ok(())
    }
}

impl<W: Write> Sink for Writer<W> {
    type Error = WriteError;

    /// Writes an item. A key without pieces is none, but for a stream, and is left out.
    fn put(&mut self, item: Item<'_>) -> Result<(), WriteError> {
        match item {
            Item::End => self.end_key()?,
            _ if let Some(open) = &mut self.open => return open.draft.put(&item, &mut self.encoder),
            Item::Aux { name, value } => self.strings(opcode::AUX, &[name, value]),
            Item::Library(code) => self.strings(opcode::FUNCTION2, &[code]),
            Item::Database(database) => self.enter(database),
            Item::Sizes { keys, expiring } => self.numbers(opcode::RESIZE, &[keys, expiring]),
            Item::Skipped { .. } => {}
            Item::Key(key) => self.begin(&key),
            _ => return Err(WriteError::Misplaced("a piece of a value without a key")),
        }
        if self.buffer.len() >= BUFFER {
            self.pass_on()?;
        }
        Ok(())
    }
}

/// Makes what DUMP answers, of one key.
pub struct PayloadWriter {
    target: Target,
    encoder: Encoder,
    draft: Draft,
}

impl PayloadWriter {
    /// Begins the payload of a value of this kind.
    pub fn new(kind: super::item::Kind, target: Target) -> PayloadWriter {
        PayloadWriter {
            target,
            encoder: Encoder::new(),
            draft: Draft::new(kind, target, None),
        }
    }

    /// The payload of all that was put; none if that was nothing.
    ///
    /// # Errors
    /// What the target cannot hold.
    pub fn finish(mut self) -> Result<Option<Vec<u8>>, WriteError> {
        let Some(byte) = self.draft.finish(&mut self.encoder)? else {
            return Ok(None);
        };
        let mut payload = vec![byte];
        self.draft.body().drain(|piece| {
            payload.extend_from_slice(piece);
            Ok(())
        })?;
        payload.extend_from_slice(&self.target.version().number.to_le_bytes());
        let sum = crc64(&payload);
        payload.extend_from_slice(&sum.to_le_bytes());
        Ok(Some(payload))
    }
}

impl Sink for PayloadWriter {
    type Error = WriteError;

    fn put(&mut self, item: Item<'_>) -> Result<(), WriteError> {
        match item {
            Item::Key(_) | Item::End => Ok(()),
            piece => self.draft.put(&piece, &mut self.encoder),
        }
    }
}
