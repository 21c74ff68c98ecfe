//! Collections as Redis before 7 had them:
//!
//! ```text
//! ziplist := bytes:u32 le tail:u32 le count:u16 le entry* 0xff     tail: where the last entry begins; count: 65535 for more
//! entry   := before data                                           before: how long the entry before is
//! before  := u8 below 254 | 0xfe u32 le
//! data    := 00LLLLLL byte* | 01LLLLLL u8 byte* | 0x80 u32 be byte*
//!          | 0xfe i8 | 0xc0 i16 | 0xf0 i24 | 0xd0 i32 | 0xe0 i64   little-endian
//!          | 1111NNNN                                              0xf1 is 0 to 0xfd is 12
//! ```

use super::{Broken, Cell, i24, slice, text};

/// What stands before the elements, in bytes.
pub const HEAD: usize = 10;
const MANY: u16 = u16::MAX;
const END: u8 = 0xff;
const LONG: u8 = 0xfe;

/// Sees that the length is as the head says.
pub fn check_head(bytes: &[u8]) -> Result<(), Broken> {
    let total = u32::from_le_bytes(slice(bytes, 0)?);
    match total as usize == bytes.len() && bytes.len() > HEAD && bytes.last() == Some(&END) {
        true => Ok(()),
        false => Err(Broken("the head of a ziplist does not fit it")),
    }
}

/// Whether a place is the end, behind so many entries, of which the last began at `before`.
pub fn is_end(bytes: &[u8], at: usize, before: usize, seen: u64) -> Result<bool, Broken> {
    if bytes.get(at) != Some(&END) {
        return Ok(false);
    }
    let tail = u32::from_le_bytes(slice(bytes, 4)?);
    let count = u16::from_le_bytes(slice(bytes, 8)?);
    let is_counted = count == MANY || u64::from(count) == seen;
    match at + 1 == bytes.len() && tail as usize == before && is_counted {
        true => Ok(true),
        false => Err(Broken("a ziplist ends where it should not")),
    }
}

/// The element at a place, and what comes behind it. The one before it began at `before`.
pub fn cell(bytes: &[u8], at: usize, before: usize) -> Result<(Cell, usize), Broken> {
    let [first] = slice(bytes, at)?;
    let (length, data) = match first {
        LONG => (u32::from_le_bytes(slice(bytes, at + 1)?) as usize, at + 5),
        _ => (first.into(), at + 1),
    };
    if length != at - before {
        return Err(Broken(
            "an entry of a ziplist tells the length of the one before wrongly",
        ));
    }
    let [encoding] = slice(bytes, data)?;
    let behind = data + 1;
    let (number, width) = match encoding {
        0x00..=0x3f => return text(bytes, behind, encoding.into()),
        0x40..=0x7f => {
            let [low] = slice(bytes, behind)?;
            return text(
                bytes,
                behind + 1,
                usize::from(encoding & 0x3f) << 8 | usize::from(low),
            );
        }
        0x80 => {
            return text(
                bytes,
                behind + 4,
                u32::from_be_bytes(slice(bytes, behind)?) as usize,
            );
        }
        0xfe => (i8::from_le_bytes(slice(bytes, behind)?).into(), 1),
        0xc0 => (i16::from_le_bytes(slice(bytes, behind)?).into(), 2),
        0xf0 => (i24(slice(bytes, behind)?), 3),
        0xd0 => (i32::from_le_bytes(slice(bytes, behind)?).into(), 4),
        0xe0 => (i64::from_le_bytes(slice(bytes, behind)?), 8),
        0xf1..=0xfd => (i64::from(encoding) - 0xf1, 0),
        _ => return Err(Broken("an entry of a ziplist has an unknown encoding")),
    };
    Ok((Cell::Number(number), behind + width))
}
