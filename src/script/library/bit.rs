//! `bit`: operations on 32 bits.

use std::ffi::c_int;

use super::super::lua::{Lua, Raise};

/// Adding it to a number leaves the whole part, modulo 2^32, in the low bits of the sum.
const SHIFT: f64 = 6_755_399_441_055_744.0;

/// Pushes its table.
pub(super) fn push(lua: Lua) {
    lua.push_table(0, 12);
    lua.set_function("tobit", |lua| give(lua, bits(lua, 1)?));
    lua.set_function("bnot", |lua| give(lua, !bits(lua, 1)?));
    lua.set_function("band", |lua| fold(lua, |a, b| a & b));
    lua.set_function("bor", |lua| fold(lua, |a, b| a | b));
    lua.set_function("bxor", |lua| fold(lua, |a, b| a ^ b));
    lua.set_function("lshift", |lua| shift(lua, |bits, n| bits << n));
    lua.set_function("rshift", |lua| shift(lua, |bits, n| bits >> n));
    lua.set_function("arshift", |lua| shift(lua, |bits, n| (bits as i32 >> n) as u32));
    lua.set_function("rol", |lua| shift(lua, u32::rotate_left));
    lua.set_function("ror", |lua| shift(lua, u32::rotate_right));
    lua.set_function("bswap", |lua| give(lua, bits(lua, 1)?.swap_bytes()));
    lua.set_function("tohex", to_hex);
}

/// An argument's whole part, modulo 2^32.
fn bits(lua: Lua, number: c_int) -> Result<u32, Raise> {
    let bits = (lua.to_number(number) + SHIFT).to_bits() as u32;
    if bits == 0 {
        lua.number_argument(number)?;
    }
    Ok(bits)
}

fn give(lua: Lua, bits: u32) -> Result<c_int, Raise> {
    lua.push_number(f64::from(bits as i32));
    Ok(1)
}

fn fold(lua: Lua, combine: impl Fn(u32, u32) -> u32) -> Result<c_int, Raise> {
    let mut result = bits(lua, 1)?;
    for number in (2..=lua.top()).rev() {
        result = combine(result, bits(lua, number)?);
    }
    give(lua, result)
}

fn shift(lua: Lua, shift: impl Fn(u32, u32) -> u32) -> Result<c_int, Raise> {
    give(lua, shift(bits(lua, 1)?, bits(lua, 2)? & 31))
}

/// So many digits, 8 at most; a negative number stands for capital letters.
fn to_hex(lua: Lua) -> Result<c_int, Raise> {
    let value = bits(lua, 1)?;
    let digits = if lua.top() < 2 { 8 } else { bits(lua, 2)? as i32 };
    let count = digits.unsigned_abs().min(8) as usize;
    let text = match digits < 0 {
        true => format!("{value:08X}"),
        false => format!("{value:08x}"),
    };
    lua.push_bytes(&text.as_bytes()[8 - count..]);
    Ok(1)
}
