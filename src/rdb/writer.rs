//! Writes a dump from items, for a target. `reader.rs` has the grammar.

use std::io::{self, Seek, SeekFrom, Write};

use super::draft::Draft;
use super::encode::{Encoder, push_length};
use super::error::WriteError;
use super::item::{Item, Key, Sink};
use super::payload;
use super::target::Target;
use super::version::{Family, opcode};
use crate::base::crc64::{add_crc64, add_zeros, crc64};

/// How many bytes are passed on at once.
const BUFFER: usize = 256 << 10;

/// Writes a dump.
pub struct Writer<W> {
    sink: W,
    target: Target,
    /// Each key is written as the lowest version that holds it has it, and the file begins with the highest of these.
    is_lowest: bool,
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
            is_lowest: false,
            encoder: Encoder::new(),
            buffer: Vec::with_capacity(BUFFER),
            sum: 0,
            written: 0,
            database: None,
            open: None,
        };
        writer.buffer.extend_from_slice(&head(target));
        Ok(writer)
    }

    /// Begins a file of the lowest version of Redis's that holds all that is to come, which is known at its end.
    ///
    /// # Errors
    /// What the sink says.
    pub fn lowest(sink: W) -> io::Result<Writer<W>>
    where
        W: Seek,
    {
        let mut writer = Writer::new(sink, Target::Redis70)?;
        writer.is_lowest = true;
        Ok(writer)
    }

    /// Ends the file, and gives the sink back.
    ///
    /// # Errors
    /// What the sink says, or that a key is not whole.
    pub fn finish(mut self) -> Result<W, WriteError> {
        self.end()?;
        let sum = self.sum.to_le_bytes();
        self.sink.write_all(&sum)?;
        self.sink.flush()?;
        Ok(self.sink)
    }

    /// As [`Writer::finish`], of a file that [`Writer::lowest`] began.
    ///
    /// # Errors
    /// As [`Writer::finish`].
    pub fn finish_lowest(mut self) -> Result<W, WriteError>
    where
        W: Seek,
    {
        self.end()?;
        let (before, now) = (head(Target::Redis70), head(self.target));
        let behind = self.written - now.len() as u64;
        let sum = self.sum ^ add_zeros(crc64(&before) ^ crc64(&now), behind);
        self.sink.write_all(&sum.to_le_bytes())?;
        self.sink.seek(SeekFrom::Start(0))?;
        self.sink.write_all(&now)?;
        self.sink.seek(SeekFrom::End(0))?;
        self.sink.flush()?;
        Ok(self.sink)
    }

    fn end(&mut self) -> Result<(), WriteError> {
        if self.open.is_some() {
            return Err(WriteError::Misplaced("the end of a dump within a value"));
        }
        self.buffer.push(opcode::END);
        self.pass_on()?;
        Ok(())
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
            draft: match self.is_lowest {
                true => Draft::lowest(key.kind, self.target.objection(&Item::Key(*key))),
                false => Draft::new(key.kind, self.target, self.target.objection(&Item::Key(*key))),
            },
        });
    }

    fn end_key(&mut self) -> Result<(), WriteError> {
        let Some(mut open) = self.open.take() else {
            return Err(WriteError::Misplaced("the end of a value without a beginning"));
        };
        let Some(byte) = open.draft.finish(&mut self.encoder)? else {
            return Ok(());
        };
        if self.is_lowest {
            self.target = self.target.max(Target::least_for(byte));
        }
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

/// How a file begins.
fn head(target: Target) -> [u8; 9] {
    let number = target.version().number;
    let (mut head, digits) = match target.version().family {
        Family::Redis => (*b"REDIS0000", 5),
        Family::Valkey => (*b"VALKEY000", 6),
    };
    for (at, digit) in head[digits..].iter_mut().rev().enumerate() {
        *digit = b'0' + (number / 10u16.pow(at as u32) % 10) as u8;
    }
    head
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
        payload::end(&mut payload, self.target.version().number);
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
