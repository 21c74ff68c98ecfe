//! `cmsgpack`: MessagePack, as an old version of its format has it (no extensions, no separate type for binary strings).

use std::ffi::c_int;

use super::super::lua::{Lua, Raise, Type, whole, whole_32};
use super::super::proxy;

/// Tables nested deeper than this become nil: one may be in itself.
const MAX_NESTING: usize = 16;

/// Pushes its table.
pub(super) fn push(lua: Lua) {
    lua.push_table(0, 8);
    lua.set_function("pack", pack);
    lua.set_function("unpack", |lua| {
        lua.bytes_argument(1)?;
        unpack(lua, 0, 0)
    });
    lua.set_function("unpack_one", |lua| {
        let offset = optional(lua, 2)?;
        lua.set_top(1);
        unpack(lua, 1, offset)
    });
    lua.set_function("unpack_limit", |lua| {
        let (limit, offset) = (lua.integer_argument(2)?, optional(lua, 3)?);
        lua.set_top(1);
        unpack(lua, limit, offset)
    });
    for (name, text) in [
        ("_NAME", "cmsgpack"),
        ("_VERSION", "lua-cmsgpack 0.4.0"),
        ("_COPYRIGHT", "Copyright (C) 2012, Salvatore Sanfilippo"),
        ("_DESCRIPTION", "MessagePack C implementation for Lua"),
    ] {
        lua.push_bytes(text.as_bytes());
        lua.set_field(name);
    }
}

fn optional(lua: Lua, number: c_int) -> Result<i64, Raise> {
    match lua.type_of(number) {
        Type::None | Type::Nil => Ok(0),
        _ => lua.integer_argument(number),
    }
}

fn pack(lua: Lua) -> Result<c_int, Raise> {
    let arguments = lua.top();
    if arguments == 0 {
        return Err(lua.bad_argument(0, "MessagePack pack needs input."));
    }
    let mut out = Vec::new();
    for number in 1..=arguments {
        lua.push_copy(number);
        pack_value(lua, 0, &mut out)?;
    }
    lua.push_result(&out)?;
    Ok(1)
}

/// Packs the value on top of the stack, and takes it away.
fn pack_value(lua: Lua, level: usize, out: &mut Vec<u8>) -> Result<(), Raise> {
    if !lua.memory().has_room(out.len()) {
        lua.push_bytes(b"not enough memory");
        return Err(Raise);
    }
    match lua.type_of(-1) {
        Type::String => pack_bytes(lua.bytes(-1).unwrap_or_default(), out),
        Type::Boolean => out.push(0xc2 + u8::from(lua.to_bool(-1))),
        Type::Number => pack_number(lua.to_number(-1), out),
        Type::Table if level < MAX_NESTING => pack_table(lua, level, out)?,
        _ => out.push(0xc0),
    }
    lua.pop(1);
    Ok(())
}

fn pack_number(number: f64, out: &mut Vec<u8>) {
    let int = whole(number);
    if int as f64 == number && number != 9_223_372_036_854_775_808.0 {
        pack_int(int, out);
    } else if f64::from(number as f32) == number {
        out.push(0xca);
        out.extend_from_slice(&(number as f32).to_be_bytes());
    } else {
        out.push(0xcb);
        out.extend_from_slice(&number.to_be_bytes());
    }
}

fn pack_int(int: i64, out: &mut Vec<u8>) {
    let mut put = |marker: u8, bytes: &[u8]| {
        out.push(marker);
        out.extend_from_slice(bytes);
    };
    match int {
        -32..=127 => put(int as u8, &[]),
        128..=0xff => put(0xcc, &(int as u8).to_be_bytes()),
        0x100..=0xffff => put(0xcd, &(int as u16).to_be_bytes()),
        0x1_0000..=0xffff_ffff => put(0xce, &(int as u32).to_be_bytes()),
        0x1_0000_0000.. => put(0xcf, &int.to_be_bytes()),
        -0x80..=-33 => put(0xd0, &(int as i8).to_be_bytes()),
        -0x8000..=-0x81 => put(0xd1, &(int as i16).to_be_bytes()),
        -0x8000_0000..=-0x8001 => put(0xd2, &(int as i32).to_be_bytes()),
        _ => put(0xd3, &int.to_be_bytes()),
    }
}

fn pack_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    match bytes.len() {
        len @ ..32 => out.push(0xa0 | len as u8),
        len @ ..=0xff => out.extend_from_slice(&[0xd9, len as u8]),
        len => pack_len(len, [0xda, 0xdb], out),
    }
    out.extend_from_slice(bytes);
}

/// A length of two or four bytes, each with its marker.
fn pack_len(len: usize, markers: [u8; 2], out: &mut Vec<u8>) {
    match u16::try_from(len) {
        Ok(len) => {
            out.push(markers[0]);
            out.extend_from_slice(&len.to_be_bytes());
        }
        Err(_) => {
            out.push(markers[1]);
            out.extend_from_slice(&(len as u32).to_be_bytes());
        }
    }
}

fn pack_count(count: usize, few: u8, markers: [u8; 2], out: &mut Vec<u8>) {
    match count {
        0..=15 => out.push(few | count as u8),
        _ => pack_len(count, markers, out),
    }
}

fn pack_table(lua: Lua, level: usize, out: &mut Vec<u8>) -> Result<(), Raise> {
    if !lua.has_room(4) {
        return Err(lua.raise("stack overflow (in function table_is_an_array)"));
    }
    proxy::see_through(lua, lua.top());
    let (count, is_array) = shape(lua);
    if is_array {
        pack_count(count, 0x90, [0xdc, 0xdd], out);
        for index in 1..=count {
            lua.raw_get_index(-1, index as c_int);
            pack_value(lua, level + 1, out)?;
        }
        return Ok(());
    }
    pack_count(count, 0x80, [0xde, 0xdf], out);
    lua.push_nil();
    while lua.next(-2) {
        lua.push_copy(-2);
        pack_value(lua, level + 1, out)?;
        pack_value(lua, level + 1, out)?;
    }
    Ok(())
}

/// How many fields the table on top has, and whether their keys are 1 to that number.
fn shape(lua: Lua) -> (usize, bool) {
    let (mut count, mut max, mut is_array) = (0, 0, true);
    lua.push_nil();
    while lua.next(-2) {
        lua.pop(1);
        count += 1;
        let key = match lua.type_of(-1) {
            Type::Number => lua.to_number(-1),
            _ => 0.0,
        };
        let int = whole_32(key);
        is_array &= key > 0.0 && f64::from(int) == key;
        max = max.max(int);
    }
    (count, is_array && usize::try_from(max) == Ok(count))
}

/// What is wrong with data.
enum Bad {
    /// There is too little of it.
    End,
    /// It has a byte that means nothing.
    Format,
    /// An error is on the stack.
    Raised(Raise),
}

fn unpack(lua: Lua, limit: i64, offset: i64) -> Result<c_int, Raise> {
    let data = lua.bytes_argument(1)?;
    let takes_all = limit == 0 && offset == 0;
    if offset < 0 || limit < 0 {
        let len = data.len();
        return Err(lua.raise(format!(
            "Invalid request to unpack with offset of {offset} and limit of {len}."
        )));
    }
    let Some(rest) = data.get(offset as usize..) else {
        let len = data.len();
        return Err(lua.raise(format!("Start offset {offset} greater than input length {len}.")));
    };
    let limit = if takes_all { i64::from(i32::MAX) } else { limit };
    let mut unpacker = Unpacker { lua, rest };
    let first = lua.top() + 1;
    let mut count = 0;
    while !unpacker.rest.is_empty() && i64::from(count) < limit {
        unpacker.value().map_err(|bad| match bad {
            Bad::End => lua.raise("Missing bytes in input."),
            Bad::Format => lua.raise("Bad data format in input."),
            Bad::Raised(raise) => raise,
        })?;
        count += 1;
    }
    if !takes_all {
        let left = unpacker.rest.len();
        lua.push_number(if left == 0 {
            -1.0
        } else {
            (data.len() - left) as f64
        });
        lua.insert(first);
        count += 1;
    }
    Ok(count)
}

struct Unpacker<'a> {
    lua: Lua,
    rest: &'a [u8],
}

impl<'a> Unpacker<'a> {
    fn take(&mut self, n: usize) -> Result<&'a [u8], Bad> {
        let (taken, rest) = self.rest.split_at_checked(n).ok_or(Bad::End)?;
        self.rest = rest;
        Ok(taken)
    }

    /// So many bytes, as a number.
    fn unsigned(&mut self, bytes: usize) -> Result<u64, Bad> {
        let add = |value: u64, byte: &u8| (value << 8) | u64::from(*byte);
        Ok(self.take(bytes)?.iter().fold(0, add))
    }

    /// Pushes the next value.
    fn value(&mut self) -> Result<(), Bad> {
        let lua = self.lua;
        if !lua.has_room(3) {
            let text =
                "stack overflow (too many return values at once; use unpack_one or unpack_limit instead.)";
            return Err(Bad::Raised(lua.raise(text)));
        }
        let marker = self.take(1)?[0];
        let low = usize::from(marker & 0xf);
        match marker {
            0xcc..=0xcf => {
                let value = self.unsigned(1 << (marker - 0xcc))?;
                lua.push_number(value as i64 as f64);
            }
            0xd0..=0xd3 => {
                let bytes = 1 << (marker - 0xd0);
                let unused = 64 - 8 * bytes as u32;
                let value = (self.unsigned(bytes)? << unused) as i64 >> unused;
                lua.push_number(value as f64);
            }
            0xc0 => lua.push_nil(),
            0xc2 | 0xc3 => lua.push_bool(marker == 0xc3),
            0xca => lua.push_number(f64::from(f32::from_bits(self.unsigned(4)? as u32))),
            0xcb => lua.push_number(f64::from_bits(self.unsigned(8)?)),
            0xd9..=0xdb => {
                let len = self.unsigned(1 << (marker - 0xd9))?;
                lua.push_bytes(self.take(len as usize)?);
            }
            0xdc | 0xdd => {
                let len = self.unsigned(2 << (marker - 0xdc))?;
                self.array(len as usize)?;
            }
            0xde | 0xdf => {
                let len = self.unsigned(2 << (marker - 0xde))?;
                self.map(len as usize)?;
            }
            0x00..=0x7f => lua.push_number(f64::from(marker)),
            0xe0..=0xff => lua.push_number(f64::from(marker as i8)),
            0xa0..=0xbf => lua.push_bytes(self.take(usize::from(marker & 0x1f))?),
            0x90..=0x9f => self.array(low)?,
            0x80..=0x8f => self.map(low)?,
            _ => return Err(Bad::Format),
        }
        Ok(())
    }

    fn array(&mut self, len: usize) -> Result<(), Bad> {
        self.lua.push_table(len.min(self.rest.len()), 0);
        for index in 1..=len {
            self.value()?;
            self.lua.raw_set_index(-2, index as c_int);
        }
        Ok(())
    }

    fn map(&mut self, len: usize) -> Result<(), Bad> {
        let lua = self.lua;
        lua.push_table(0, len.min(self.rest.len()));
        for _ in 0..len {
            self.value()?;
            self.value()?;
            let wrong = match lua.type_of(-2) {
                Type::Nil => "table index is nil",
                Type::Number if lua.to_number(-2).is_nan() => "table index is NaN",
                _ => {
                    lua.raw_set(-3);
                    continue;
                }
            };
            lua.push_bytes(wrong.as_bytes());
            return Err(Bad::Raised(Raise));
        }
        Ok(())
    }
}
