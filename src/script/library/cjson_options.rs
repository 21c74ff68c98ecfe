//! The options of `cjson`.

use std::cell::Cell;

use mlua_sys as ffi;

use super::super::lua::Lua;

/// What `encode` does with numbers that JSON has not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Invalid {
    /// An error.
    Off,
    /// They are written as C writes them.
    On,
    /// They are null.
    Null,
}

/// The options of one `cjson` table; they lie in a userdata of Lua's, and hold nothing to be dropped.
pub(super) struct Config {
    pub(super) sparse_convert: Cell<bool>,
    pub(super) sparse_ratio: Cell<i32>,
    pub(super) sparse_safe: Cell<i32>,
    pub(super) encode_max_depth: Cell<i32>,
    pub(super) decode_max_depth: Cell<i32>,
    pub(super) encode_invalid: Cell<Invalid>,
    pub(super) decode_invalid: Cell<bool>,
    pub(super) precision: Cell<i32>,
    /// It can be set and read, and changes nothing: the buffer of `encode` is not kept.
    pub(super) keep_buffer: Cell<bool>,
}

impl Config {
    /// As they are at first.
    pub(super) fn new() -> Config {
        const MAX_DEPTH: i32 = 1000;
        Config {
            sparse_convert: Cell::new(false),
            sparse_ratio: Cell::new(2),
            sparse_safe: Cell::new(10),
            encode_max_depth: Cell::new(MAX_DEPTH),
            decode_max_depth: Cell::new(MAX_DEPTH),
            encode_invalid: Cell::new(Invalid::Off),
            decode_invalid: Cell::new(true),
            precision: Cell::new(14),
            keep_buffer: Cell::new(true),
        }
    }

    /// Of the function that runs.
    pub(super) fn of<'a>(lua: Lua) -> &'a Config {
        // SAFETY: all functions of these tables have it as their first upvalue.
        unsafe { &*lua.userdata(ffi::lua_upvalueindex(1)).cast::<Config>() }
    }
}
