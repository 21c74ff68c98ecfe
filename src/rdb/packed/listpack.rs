//! Collections as Redis has them since 7, and streams since 5:
//!
//! ```text
//! listpack := bytes:u32 le count:u16 le entry* 0xff                count: 65535 for more
//! entry    := data back                                            back: how long the data is, to be read from its end
//! data     := 0NNNNNNN | 110NNNNN u8                               numbers from 0, and of 13 bits with a sign
//!           | 10LLLLLL byte* | 1110LLLL u8 byte* | 0xf0 u32 le byte*
//!           | 0xf1 i16 | 0xf2 i24 | 0xf3 i32 | 0xf4 i64            little-endian
//! back     := 0NNNNNNN 1NNNNNNN*                                   the first has the highest bits
//! ```

use super::{Broken, Cell, i24, slice, text};
use crate::base::num::parse_i64;

/// What stands before the elements, in bytes.
pub const HEAD: usize = 6;
const MANY: u16 = u16::MAX;
const END: u8 = 0xff;

/// Sees that the length is as the head says.
pub fn check_head(bytes: &[u8]) -> Result<(), Broken> {
    let total = u32::from_le_bytes(slice(bytes, 0)?);
    match total as usize == bytes.len() && bytes.len() > HEAD && bytes.last() == Some(&END) {
        true => Ok(()),
        false => Err(Broken("the head of a listpack does not fit it")),
    }
}

/// Whether a place is the end, behind so many entries.
pub fn is_end(bytes: &[u8], at: usize, seen: u64) -> Result<bool, Broken> {
    if bytes.get(at) != Some(&END) {
        return Ok(false);
    }
    let count = u16::from_le_bytes(slice(bytes, 4)?);
    match at + 1 == bytes.len() && (count == MANY || u64::from(count) == seen) {
        true => Ok(true),
        false => Err(Broken("a listpack ends where it should not")),
    }
}

/// The element at a place, and what comes behind it.
pub fn cell(bytes: &[u8], at: usize) -> Result<(Cell, usize), Broken> {
    let (cell, behind) = data(bytes, at)?;
    let (back, width) = back_length(behind - at);
    match bytes.get(behind..behind + width) == Some(&back[..width]) {
        true => Ok((cell, behind + width)),
        false => Err(Broken("an entry of a listpack tells its length wrongly")),
    }
}

fn data(bytes: &[u8], at: usize) -> Result<(Cell, usize), Broken> {
    let [first] = slice(bytes, at)?;
    let behind = at + 1;
    let (number, width) = match first {
        0x00..=0x7f => (first.into(), 0),
        0x80..=0xbf => return text(bytes, behind, usize::from(first & 0x3f)),
        0xc0..=0xdf => {
            let [low] = slice(bytes, behind)?;
            let number = i64::from(first & 0x1f) << 8 | i64::from(low);
            (
                if number < 1 << 12 {
                    number
                } else {
                    number - (1 << 13)
                },
                1,
            )
        }
        0xe0..=0xef => {
            let [low] = slice(bytes, behind)?;
            return text(
                bytes,
                behind + 1,
                usize::from(first & 0x0f) << 8 | usize::from(low),
            );
        }
        0xf0 => {
            return text(
                bytes,
                behind + 4,
                u32::from_le_bytes(slice(bytes, behind)?) as usize,
            );
        }
        0xf1 => (i16::from_le_bytes(slice(bytes, behind)?).into(), 2),
        0xf2 => (i24(slice(bytes, behind)?), 3),
        0xf3 => (i32::from_le_bytes(slice(bytes, behind)?).into(), 4),
        0xf4 => (i64::from_le_bytes(slice(bytes, behind)?), 8),
        _ => return Err(Broken("an entry of a listpack has an unknown encoding")),
    };
    Ok((Cell::Number(number), behind + width))
}

/// How an entry of this length ends, and how many bytes that takes.
fn back_length(length: usize) -> ([u8; 5], usize) {
    let width = match length {
        0..0x80 => 1,
        0x80..0x4000 => 2,
        0x4000..0x20_0000 => 3,
        0x20_0000..0x1000_0000 => 4,
        _ => 5,
    };
    let mut bytes = [0; 5];
    for (at, byte) in bytes[..width].iter_mut().enumerate() {
        let bits = (length >> (7 * (width - 1 - at))) as u8 & 0x7f;
        *byte = if at == 0 { bits } else { bits | 0x80 };
    }
    (bytes, width)
}

/// Builds one, element by element.
#[derive(Clone, Debug)]
pub struct Builder {
    bytes: Vec<u8>,
    count: u64,
}

impl Builder {
    /// An empty one.
    pub fn new() -> Builder {
        Builder {
            bytes: vec![0; HEAD],
            count: 0,
        }
    }

    /// How many bytes it will have, with its end.
    pub fn len(&self) -> usize {
        self.bytes.len() + 1
    }

    /// How many elements it has.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Adds an element: as a number if it is one.
    pub fn push(&mut self, element: &[u8]) {
        if let Some(number) = parse_i64(element) {
            return self.push_number(number);
        }
        let from = self.bytes.len();
        match element.len() {
            0..0x40 => self.bytes.push(0x80 | element.len() as u8),
            0x40..0x1000 => self
                .bytes
                .extend_from_slice(&(0xe000 | element.len() as u16).to_be_bytes()),
            _ => {
                self.bytes.push(0xf0);
                self.bytes
                    .extend_from_slice(&(element.len() as u32).to_le_bytes());
            }
        }
        self.bytes.extend_from_slice(element);
        self.end_entry(from);
    }

    /// Adds a number.
    pub fn push_number(&mut self, number: i64) {
        let from = self.bytes.len();
        let le = number.to_le_bytes();
        match number {
            0..0x80 => self.bytes.push(number as u8),
            -0x1000..0x1000 => self
                .bytes
                .extend_from_slice(&(0xc000 | number as u16 & 0x1fff).to_be_bytes()),
            -0x8000..0x8000 => self.push_wide(0xf1, &le[..2]),
            -0x80_0000..0x80_0000 => self.push_wide(0xf2, &le[..3]),
            -0x8000_0000..0x8000_0000 => self.push_wide(0xf3, &le[..4]),
            _ => self.push_wide(0xf4, &le),
        }
        self.end_entry(from);
    }

    fn push_wide(&mut self, encoding: u8, le: &[u8]) {
        self.bytes.push(encoding);
        self.bytes.extend_from_slice(le);
    }

    fn end_entry(&mut self, from: usize) {
        let (back, width) = back_length(self.bytes.len() - from);
        self.bytes.extend_from_slice(&back[..width]);
        self.count += 1;
    }

    /// All of it; then it is empty again, by [`Builder::clear`].
    pub fn finish(&mut self) -> &[u8] {
        self.bytes.push(END);
        let total = self.bytes.len() as u32;
        let count = u16::try_from(self.count).unwrap_or(MANY);
        self.bytes[..4].copy_from_slice(&total.to_le_bytes());
        self.bytes[4..HEAD].copy_from_slice(&count.to_le_bytes());
        &self.bytes
    }

    /// Adds all elements of another.
    pub fn append(&mut self, other: &Builder) {
        self.bytes.extend_from_slice(&other.bytes[HEAD..]);
        self.count += other.count;
    }

    /// Begins anew.
    pub fn clear(&mut self) {
        self.bytes.truncate(HEAD);
        self.count = 0;
    }
}
