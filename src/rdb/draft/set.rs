//! Sets: numbers in order, packed members, or a table.

use super::count_first;
use super::thresholds::{INTSET_MEMBERS, SET_BYTES, SET_MEMBERS};
use crate::base::num::parse_i64;
use crate::rdb::encode::Encoder;
use crate::rdb::error::WriteError;
use crate::rdb::item::CellBuffer;
use crate::rdb::packed::Builder;
use crate::rdb::spill::Spill;
use crate::rdb::target::Target;
use crate::rdb::version::type_byte;

/// A set so far: in memory while it may be packed, then in the body.
pub struct SetDraft {
    may_be_listpack: bool,
    /// The members, as long as all are numbers.
    numbers: Option<Vec<i64>>,
    small: CellBuffer,
    is_table: bool,
    count: u64,
}

impl SetDraft {
    /// An empty set for a target.
    pub fn new(target: Target) -> SetDraft {
        SetDraft {
            may_be_listpack: target.is_72(),
            numbers: Some(Vec::new()),
            small: CellBuffer::default(),
            is_table: false,
            count: 0,
        }
    }

    /// Adds a member, which has not come before.
    pub fn put(&mut self, member: &[u8], body: &mut Spill, encoder: &mut Encoder) {
        self.count += 1;
        if self.is_table {
            return encoder.push_string(body.room(), member);
        }
        self.small.push(member);
        match (&mut self.numbers, parse_i64(member)) {
            (Some(numbers), Some(number)) => numbers.push(number),
            _ => self.numbers = None,
        }
        self.may_be_listpack &= member.len() <= SET_BYTES && self.small.cells().len() <= SET_MEMBERS;
        let may_be_numbers = self.numbers.is_some() && self.small.cells().len() <= INTSET_MEMBERS;
        if !may_be_numbers && !self.may_be_listpack {
            self.is_table = true;
            for member in self.small.cells().iter() {
                encoder.push_string(body.room(), member);
            }
            self.small.clear();
        }
    }

    /// Ends the set; the byte of its type, if it has any member.
    pub fn finish(&mut self, body: &mut Spill, encoder: &mut Encoder) -> Result<Option<u8>, WriteError> {
        if self.count == 0 {
            return Ok(None);
        }
        if self.is_table {
            count_first(body, self.count)?;
            return Ok(Some(type_byte::SET));
        }
        if let Some(numbers) = &mut self.numbers {
            encoder.push_string(body.room(), &intset(numbers));
            return Ok(Some(type_byte::SET_INTSET));
        }
        let mut packed = Builder::new();
        self.small.cells().iter().for_each(|member| packed.push(member));
        encoder.push_string(body.room(), packed.finish());
        Ok(Some(type_byte::SET_LISTPACK))
    }
}

/// Numbers, in the width that the largest needs.
fn intset(numbers: &mut [i64]) -> Vec<u8> {
    numbers.sort_unstable();
    let width = numbers.iter().map(|number| match number {
        -0x8000..0x8000 => 2,
        -0x8000_0000..0x8000_0000 => 4,
        _ => 8,
    });
    let width = width.max().unwrap_or(2);
    let mut bytes = Vec::with_capacity(8 + width * numbers.len());
    bytes.extend_from_slice(&(width as u32).to_le_bytes());
    bytes.extend_from_slice(&(numbers.len() as u32).to_le_bytes());
    for number in numbers {
        bytes.extend_from_slice(&number.to_le_bytes()[..width]);
    }
    bytes
}
