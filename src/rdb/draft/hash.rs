//! Hashes: packed fields or a table, with deadlines of fields as each family has them.
//!
//! ```text
//! body of a table so far := (bytes:u32 le deadline:u64 le field:string value:string)*      deadline: 2^64 - 1 for none
//! ```

use super::thresholds::{HASH_BYTES, HASH_FIELDS};
use crate::rdb::encode::{Encoder, push_length};
use crate::rdb::error::WriteError;
use crate::rdb::item::CellBuffer;
use crate::rdb::packed::Builder;
use crate::rdb::spill::Spill;
use crate::rdb::target::Target;
use crate::rdb::version::type_byte::{self, redis, valkey};

const NONE: u64 = u64::MAX;
/// What stands before a field and its value.
const HEAD: usize = 12;

/// A hash so far: in memory while it may be packed, then in the body.
#[derive(Default)]
pub struct HashDraft {
    small: CellBuffer,
    deadlines: Vec<u64>,
    is_table: bool,
    count: u64,
    /// The least deadline of a field.
    least: Option<u64>,
}

impl HashDraft {
    /// Adds a field.
    pub fn put(
        &mut self,
        field: &[u8],
        value: &[u8],
        deadline: Option<u64>,
        body: &mut Spill,
        encoder: &mut Encoder,
    ) {
        self.count += 1;
        if let Some(deadline) = deadline {
            self.least = Some(self.least.map_or(deadline, |least| least.min(deadline)));
        }
        let deadline = deadline.unwrap_or(NONE);
        if self.is_table {
            return push_row(field, value, deadline, body.room(), encoder);
        }
        self.small.push(field);
        self.small.push(value);
        self.deadlines.push(deadline);
        if self.deadlines.len() > HASH_FIELDS || field.len().max(value.len()) > HASH_BYTES {
            self.make_table(body, encoder);
        }
    }

    fn make_table(&mut self, body: &mut Spill, encoder: &mut Encoder) {
        self.is_table = true;
        let small = std::mem::take(&mut self.small);
        let mut cells = small.cells().iter();
        for deadline in &self.deadlines {
            if let (Some(field), Some(value)) = (cells.next(), cells.next()) {
                push_row(field, value, *deadline, body.room(), encoder);
            }
        }
    }

    /// Ends the hash; the byte of its type, if it has any field.
    pub fn finish(
        &mut self,
        target: Target,
        body: &mut Spill,
        encoder: &mut Encoder,
    ) -> Result<Option<u8>, WriteError> {
        if self.count == 0 {
            return Ok(None);
        }
        // Valkey packs no hash with deadlines.
        if self.least.is_some() && target == Target::Valkey9 && !self.is_table {
            self.make_table(body, encoder);
        }
        match self.least {
            _ if self.is_table => self.finish_table(target, body),
            None => {
                let mut packed = Builder::new();
                self.small.cells().iter().for_each(|cell| packed.push(cell));
                encoder.push_string(body.room(), packed.finish());
                Ok(Some(type_byte::HASH_LISTPACK))
            }
            Some(least) => {
                body.room().extend_from_slice(&least.to_le_bytes());
                encoder.push_string(body.room(), self.by_deadline().finish());
                Ok(Some(redis::HASH_LISTPACK_DEADLINES))
            }
        }
    }

    /// Fields, values and deadlines packed as Redis 8 has them: the next to expire first.
    fn by_deadline(&self) -> Builder {
        let cells: Vec<&[u8]> = self.small.cells().iter().collect();
        let mut order: Vec<usize> = (0..self.deadlines.len()).collect();
        order.sort_by_key(|&at| self.deadlines[at]);
        let mut packed = Builder::new();
        for at in order {
            packed.push(cells[2 * at]);
            packed.push(cells[2 * at + 1]);
            packed.push_number(match self.deadlines[at] {
                NONE => 0,
                deadline => deadline as i64,
            });
        }
        packed
    }

    fn finish_table(&self, target: Target, body: &mut Spill) -> Result<Option<u8>, WriteError> {
        let mut table = Spill::default();
        let (byte, least) = match self.least {
            None => (type_byte::HASH, 0),
            Some(_) if target == Target::Valkey9 => (valkey::HASH_2, 0),
            Some(least) => {
                table.room().extend_from_slice(&least.to_le_bytes());
                (redis::HASH_DEADLINES, least)
            }
        };
        push_length(table.room(), self.count);
        let mut rest = Vec::new();
        body.drain(|piece| {
            rest.extend_from_slice(piece);
            let mut at = 0;
            while let Some((deadline, row)) = row(&rest[at..]) {
                at += HEAD + row.len();
                let room = table.room();
                match byte {
                    redis::HASH_DEADLINES => {
                        push_length(room, if deadline == NONE { 0 } else { deadline - least + 1 });
                        room.extend_from_slice(row);
                    }
                    valkey::HASH_2 => {
                        room.extend_from_slice(row);
                        // All bits set is -1, which stands for none there.
                        room.extend_from_slice(&deadline.to_le_bytes());
                    }
                    _ => room.extend_from_slice(row),
                }
                table.settle()?;
            }
            rest.drain(..at);
            Ok(())
        })?;
        *body = table;
        Ok(Some(byte))
    }
}

fn push_row(field: &[u8], value: &[u8], deadline: u64, out: &mut Vec<u8>, encoder: &mut Encoder) {
    let from = out.len();
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&deadline.to_le_bytes());
    encoder.push_string(out, field);
    encoder.push_string(out, value);
    let bytes = (out.len() - from - HEAD) as u32;
    out[from..from + 4].copy_from_slice(&bytes.to_le_bytes());
}

/// The deadline, field and value at the head of a table, if they are whole.
fn row(table: &[u8]) -> Option<(u64, &[u8])> {
    let (bytes, rest) = table.split_first_chunk()?;
    let (deadline, rest) = rest.split_first_chunk()?;
    let row = rest.get(..u32::from_le_bytes(*bytes) as usize)?;
    Some((u64::from_le_bytes(*deadline), row))
}
