//! `struct`: numbers and strings in fixed binary forms.

use std::ffi::c_int;

use super::super::errors::until_zero;
use super::super::lua::{Lua, Raise, whole_unsigned};

const MAX_INT: usize = 32;
/// What `!` alone aligns to.
const MAX_ALIGN: usize = 8;

/// Pushes its table.
pub(super) fn push(lua: Lua) {
    lua.push_table(0, 3);
    lua.set_function("pack", pack);
    lua.set_function("unpack", unpack);
    lua.set_function("size", size);
}

/// A format, read from its beginning.
struct Format<'a> {
    lua: Lua,
    rest: &'a [u8],
    is_little: bool,
    align: usize,
}

/// One option of a format, with its size; and what is to be skipped before it.
struct Item {
    option: u8,
    size: usize,
    padding: usize,
}

impl<'a> Format<'a> {
    fn new(lua: Lua) -> Result<Format<'a>, Raise> {
        let rest = until_zero(lua.bytes_argument(1)?);
        Ok(Format {
            lua,
            rest,
            is_little: cfg!(target_endian = "little"),
            align: 1,
        })
    }

    /// The next option; `position` is how far the data is.
    fn next(&mut self, position: usize) -> Result<Option<Item>, Raise> {
        let Some((option, rest)) = self.rest.split_first() else {
            return Ok(None);
        };
        self.rest = rest;
        let size = match option {
            b'B' | b'b' | b'x' => 1,
            b'H' | b'h' => 2,
            b'f' => 4,
            b'L' | b'l' | b'T' | b'd' => 8,
            b'c' => self.number(1)?,
            b'i' | b'I' => {
                let size = self.number(4)?;
                if size > MAX_INT {
                    let text = format!("integral size {size} is larger than limit of {MAX_INT}");
                    return Err(self.lua.raise(text));
                }
                size
            }
            _ => 0,
        };
        let padding = if size == 0 || *option == b'c' {
            0
        } else {
            let align = size.min(self.align);
            align.wrapping_sub(position & (align - 1)) & (align - 1)
        };
        Ok(Some(Item {
            option: *option,
            size,
            padding,
        }))
    }

    fn number(&mut self, default: usize) -> Result<usize, Raise> {
        let digits = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            return Ok(default);
        }
        let (number, rest) = self.rest.split_at(digits);
        self.rest = rest;
        let add = |value: i32, digit: &u8| value.checked_mul(10)?.checked_add(i32::from(digit - b'0'));
        let number = number.iter().try_fold(0, add);
        number
            .map(|number| number as usize)
            .ok_or_else(|| self.lua.raise("integral size overflow"))
    }

    /// An option that changes how the others are read.
    fn control(&mut self, option: u8) -> Result<(), Raise> {
        match option {
            b' ' => {}
            b'>' => self.is_little = false,
            b'<' => self.is_little = true,
            b'!' => {
                let align = self.number(MAX_ALIGN)?;
                if !align.is_power_of_two() {
                    return Err(self.lua.raise(format!("alignment {align} is not a power of 2")));
                }
                self.align = align;
            }
            other => {
                let text = [b"invalid format option '", &[other][..], b"'"].concat();
                return Err(self.lua.bad_argument(1, text));
            }
        }
        Ok(())
    }

    fn order<const N: usize>(&self, mut bytes: [u8; N]) -> [u8; N] {
        if !self.is_little {
            bytes.reverse();
        }
        bytes
    }
}

fn pack(lua: Lua) -> Result<c_int, Raise> {
    let mut format = Format::new(lua)?;
    // What an argument that lacks is taken for.
    lua.push_nil();
    let mut out = Vec::new();
    let mut argument = 1;
    let mut position = 0;
    while let Some(Item {
        option,
        mut size,
        padding,
    }) = format.next(position)?
    {
        out.resize(out.len() + padding, 0);
        match option {
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                argument += 1;
                let number = lua.number_argument(argument)?;
                let value = whole_unsigned(number);
                let mut bytes = [0; MAX_INT];
                bytes[..8].copy_from_slice(&value.to_le_bytes());
                if !format.is_little {
                    bytes[..size].reverse();
                }
                out.extend_from_slice(&bytes[..size]);
            }
            b'x' => out.push(0),
            b'f' => {
                argument += 1;
                let bytes = (lua.number_argument(argument)? as f32).to_le_bytes();
                out.extend_from_slice(&format.order(bytes));
            }
            b'd' => {
                argument += 1;
                let bytes = lua.number_argument(argument)?.to_le_bytes();
                out.extend_from_slice(&format.order(bytes));
            }
            b'c' | b's' => {
                argument += 1;
                let bytes = lua.bytes_argument(argument)?;
                if size == 0 {
                    size = bytes.len();
                }
                let Some(bytes) = bytes.get(..size) else {
                    return Err(lua.bad_argument(argument + 1, "string too short"));
                };
                out.extend_from_slice(bytes);
                if option == b's' {
                    out.push(0);
                    size += 1;
                }
            }
            other => format.control(other)?,
        }
        position += padding + size;
    }
    lua.push_result(&out)?;
    Ok(1)
}

fn unpack(lua: Lua) -> Result<c_int, Raise> {
    let mut format = Format::new(lua)?;
    let data = lua.bytes_argument(2)?;
    let start = if lua.top() < 3 {
        1
    } else {
        lua.integer_argument(3)?
    };
    if start == 0 {
        return Err(lua.bad_argument(3, "offset must be 1 or greater"));
    }
    let mut position = start.wrapping_sub(1) as usize;
    let mut results = 0;
    let too_short = || lua.bad_argument(2, "data string too short");
    while let Some(Item {
        option,
        mut size,
        padding,
    }) = format.next(position)?
    {
        position = position.wrapping_add(padding);
        let within = |size: usize| data.get(position..)?.get(..size);
        let bytes = within(size).ok_or_else(too_short)?;
        if !lua.has_room(2) {
            return Err(lua.raise("stack overflow (too many results)"));
        }
        results += 1;
        match option {
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                lua.push_number(integer(bytes, format.is_little, option.is_ascii_lowercase()));
            }
            b'f' => {
                let bytes = format.order(bytes.try_into().unwrap_or_default());
                lua.push_number(f64::from(f32::from_le_bytes(bytes)));
            }
            b'd' => {
                let bytes = format.order(bytes.try_into().unwrap_or_default());
                lua.push_number(f64::from_le_bytes(bytes));
            }
            b'c' if size == 0 => {
                if results == 1 || !lua.is_number(-1) {
                    return Err(lua.raise("format 'c0' needs a previous size"));
                }
                size = whole_unsigned(lua.to_number(-1)) as usize;
                lua.pop(1);
                results -= 1;
                lua.push_bytes(within(size).ok_or_else(too_short)?);
            }
            b'c' => lua.push_bytes(bytes),
            b's' => {
                let rest = data.get(position..).unwrap_or_default();
                let Some(end) = memchr::memchr(0, rest) else {
                    return Err(lua.raise("unfinished string in data"));
                };
                lua.push_bytes(&rest[..end]);
                size = end + 1;
            }
            b'x' => results -= 1,
            other => {
                results -= 1;
                format.control(other)?;
            }
        }
        position += size;
    }
    lua.push_number((position + 1) as f64);
    Ok(results + 1)
}

/// Of more than 8 bytes count the lowest 8.
fn integer(bytes: &[u8], is_little: bool, is_signed: bool) -> f64 {
    let add = |value: u64, byte: &u8| (value << 8) | u64::from(*byte);
    let value = match is_little {
        true => bytes.iter().rev().fold(0, add),
        false => bytes.iter().fold(0, add),
    };
    if !is_signed {
        return value as f64;
    }
    let mask = u64::MAX.wrapping_shl((bytes.len() as u32 * 8).wrapping_sub(1));
    let value = if value & mask == 0 { value } else { value | mask };
    value as i64 as f64
}

fn size(lua: Lua) -> Result<c_int, Raise> {
    let mut format = Format::new(lua)?;
    let mut position = 0;
    while let Some(Item {
        option,
        size,
        padding,
    }) = format.next(position)?
    {
        match option {
            b's' => return Err(lua.bad_argument(1, "option 's' has no fixed size")),
            b'c' if size == 0 => return Err(lua.bad_argument(1, "option 'c0' has no fixed size")),
            other if !other.is_ascii_alphanumeric() => format.control(other)?,
            _ => {}
        }
        position += padding + size;
    }
    lua.push_number(position as f64);
    Ok(1)
}
