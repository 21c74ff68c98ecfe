//! Sets of numbers:
//!
//! ```text
//! intset := width:u32 le count:u32 le number*     width: 2, 4 or 8 bytes a number, little-endian; numbers ascend
//! ```

use super::{Broken, slice};

/// What stands before the numbers, in bytes.
pub const HEAD: usize = 8;

/// Sees that the length is as the head says. The width of the numbers.
pub fn check_head(bytes: &[u8]) -> Result<u8, Broken> {
    let width = u32::from_le_bytes(slice(bytes, 0)?);
    let count = u32::from_le_bytes(slice(bytes, 4)?);
    let is_known = matches!(width, 2 | 4 | 8);
    match is_known && u64::from(width) * u64::from(count) == (bytes.len() - HEAD) as u64 {
        true => Ok(width as u8),
        false => Err(Broken("the head of a set of numbers does not fit it")),
    }
}

/// The number at a place, and what comes behind it.
pub fn number(bytes: &[u8], at: usize, width: u8) -> Result<(i64, usize), Broken> {
    let number = match width {
        2 => i16::from_le_bytes(slice(bytes, at)?).into(),
        4 => i32::from_le_bytes(slice(bytes, at)?).into(),
        _ => i64::from_le_bytes(slice(bytes, at)?),
    };
    Ok((number, at + usize::from(width)))
}
