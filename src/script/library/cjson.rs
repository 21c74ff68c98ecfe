//! `cjson`: its table, and the functions that set its options.

use std::cell::Cell;
use std::ffi::c_int;

use mlua_sys as ffi;

use super::super::errors::until_zero;
use super::super::lua::{Lua, Raise, Type};
use super::cjson_options::{Config, Invalid};
use super::{cjson_decode, cjson_encode};

/// Pushes a table with options of its own.
pub(super) fn push(lua: Lua) {
    lua.push_table(0, 16);
    // SAFETY: the memory is as large and as well aligned as any.
    unsafe {
        ffi::lua_newuserdata(lua.0, size_of::<Config>())
            .cast::<Config>()
            .write(Config::new())
    };
    set(lua, "encode", cjson_encode::encode);
    set(lua, "decode", cjson_decode::decode);
    set(lua, "encode_sparse_array", encode_sparse_array);
    set(lua, "encode_max_depth", |lua| {
        max_depth(lua, |config| &config.encode_max_depth)
    });
    set(lua, "decode_max_depth", |lua| {
        max_depth(lua, |config| &config.decode_max_depth)
    });
    set(lua, "encode_number_precision", |lua| {
        let config = arguments(lua, 1)?;
        int_option(lua, 1, &config.precision, 1, 14)?;
        Ok(1)
    });
    set(lua, "encode_keep_buffer", |lua| {
        let config = arguments(lua, 1)?;
        bool_option(lua, &config.keep_buffer)?;
        Ok(1)
    });
    set(lua, "encode_invalid_numbers", encode_invalid_numbers);
    set(lua, "decode_invalid_numbers", |lua| {
        let config = arguments(lua, 1)?;
        bool_option(lua, &config.decode_invalid)?;
        Ok(1)
    });
    set(lua, "new", |lua| {
        push(lua);
        Ok(1)
    });
    lua.pop(1);
    lua.push_null_pointer();
    lua.set_field("null");
    lua.push_bytes(b"cjson");
    lua.set_field("_NAME");
    lua.push_bytes(b"2.1.0");
    lua.set_field("_VERSION");
}

/// Sets a function of the table below the options on top, which are its upvalue.
fn set(lua: Lua, name: &str, function: impl Fn(Lua) -> Result<c_int, Raise> + Copy + 'static) {
    lua.push_copy(-1);
    lua.push_function(function, 1);
    lua.insert(-2);
    // Table, function, options.
    lua.push_copy(-3);
    lua.push_copy(-3);
    lua.set_field(name);
    lua.pop(1);
    lua.remove(-2);
}

/// Checks that there are not too many arguments.
fn arguments<'a>(lua: Lua, most: c_int) -> Result<&'a Config, Raise> {
    if lua.top() > most {
        return Err(lua.bad_argument(most + 1, "found too many arguments"));
    }
    lua.set_top(most);
    Ok(Config::of(lua))
}

fn max_depth(lua: Lua, option: impl Fn(&Config) -> &Cell<i32>) -> Result<c_int, Raise> {
    let config = arguments(lua, 1)?;
    int_option(lua, 1, option(config), 1, i32::MAX)?;
    Ok(1)
}

/// Sets an option if an argument is given, and pushes what it is.
fn int_option(lua: Lua, number: c_int, option: &Cell<i32>, min: i32, max: i32) -> Result<(), Raise> {
    if lua.type_of(number) != Type::Nil {
        let value = lua.integer_argument(number)? as i32;
        if !(min..=max).contains(&value) {
            return Err(lua.bad_argument(1, format!("expected integer between {min} and {max}")));
        }
        option.set(value);
    }
    lua.push_number(f64::from(option.get()));
    Ok(())
}

/// Which of these words an argument is.
fn word(lua: Lua, number: c_int, words: &[&str]) -> Result<usize, Raise> {
    let given = lua.bytes_argument(number)?;
    words
        .iter()
        .position(|word| word.as_bytes() == given)
        .ok_or_else(|| {
            let text = [b"invalid option '", until_zero(given), b"'"].concat();
            lua.bad_argument(number, text)
        })
}

fn bool_option(lua: Lua, option: &Cell<bool>) -> Result<(), Raise> {
    match lua.type_of(1) {
        Type::Nil => {}
        Type::Boolean => option.set(lua.to_bool(1)),
        _ => option.set(word(lua, 1, &["off", "on"])? == 1),
    }
    lua.push_bool(option.get());
    Ok(())
}

fn encode_sparse_array(lua: Lua) -> Result<c_int, Raise> {
    let config = arguments(lua, 3)?;
    bool_option(lua, &config.sparse_convert)?;
    int_option(lua, 2, &config.sparse_ratio, 0, i32::MAX)?;
    int_option(lua, 3, &config.sparse_safe, 0, i32::MAX)?;
    Ok(3)
}

fn encode_invalid_numbers(lua: Lua) -> Result<c_int, Raise> {
    let config = arguments(lua, 1)?;
    let option = &config.encode_invalid;
    match lua.type_of(1) {
        Type::Nil => {}
        Type::Boolean => option.set(if lua.to_bool(1) { Invalid::On } else { Invalid::Off }),
        _ => option.set([Invalid::Off, Invalid::On, Invalid::Null][word(lua, 1, &["off", "on", "null"])?]),
    }
    match option.get() {
        Invalid::Null => lua.push_bytes(b"null"),
        other => lua.push_bool(other == Invalid::On),
    }
    Ok(1)
}
