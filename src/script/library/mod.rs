//! The libraries that Redis gives to scripts beside Lua's own: [`cjson`], [`cmsgpack`], [`structs`], [`bit`].
//!
//! All read and write tables without metamethods, so that nothing in them raises an error by itself.

mod bit;
mod cjson;
mod cjson_decode;
mod cjson_encode;
mod cjson_options;
mod cmsgpack;
mod structs;

use super::lua::{GLOBALS, Lua};

/// Sets them as globals.
pub(super) fn register(lua: Lua) {
    lua.push_copy(GLOBALS);
    for (name, push) in [
        ("cjson", cjson::push as fn(Lua)),
        ("cmsgpack", cmsgpack::push),
        ("struct", structs::push),
        ("bit", bit::push),
    ] {
        push(lua);
        lua.set_field(name);
    }
    lua.pop(1);
}
