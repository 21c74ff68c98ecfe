//! Hashes as Redis before 2.6 had them:
//!
//! ```text
//! zipmap := count:u8 (length field length free:u8 value free*)* 0xff      count: 254 where there are more
//! length := u8 below 254 | 0xfe u32 le
//! ```

use super::{Broken, Cell, slice, text};

/// What stands before the elements, in bytes.
pub const HEAD: usize = 1;
const MANY: u8 = 254;
const END: u8 = 0xff;

/// Sees that there is an end.
pub fn check_head(bytes: &[u8]) -> Result<(), Broken> {
    match bytes.last() {
        Some(&END) if bytes.len() > HEAD => Ok(()),
        _ => Err(Broken("a zipmap has no end")),
    }
}

/// Whether a place is the end, behind so many cells.
pub fn is_end(bytes: &[u8], at: usize, seen: u64) -> Result<bool, Broken> {
    if bytes.get(at) != Some(&END) {
        return Ok(false);
    }
    let fields = seen / 2;
    let is_counted = bytes[0] >= MANY || u64::from(bytes[0]) == fields;
    match at + 1 == bytes.len() && seen.is_multiple_of(2) && is_counted {
        true => Ok(true),
        false => Err(Broken("a zipmap ends where it should not")),
    }
}

/// The field or value at a place, and what comes behind it.
pub fn cell(bytes: &[u8], at: usize, is_value: bool) -> Result<(Cell, usize), Broken> {
    let [first] = slice(bytes, at)?;
    let (length, at) = match first {
        END => return Err(Broken("a zipmap ends where it should not")),
        MANY => (u32::from_le_bytes(slice(bytes, at + 1)?), at + 5),
        _ => (first.into(), at + 1),
    };
    if !is_value {
        return text(bytes, at, length as usize);
    }
    let [free] = slice(bytes, at)?;
    let (value, behind) = text(bytes, at + 1, length as usize)?;
    let (_, behind) = text(bytes, behind, free.into())?;
    Ok((value, behind))
}
