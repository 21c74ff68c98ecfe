//! Proxies: tables that scripts read as if they were others, and cannot change (`sandbox.rs` says what for).

use std::ffi::c_int;

use super::lua::{Lua, REGISTRY, Raise};

/// The error that changing one is.
pub(super) const READ_ONLY: &str = "Attempt to modify a readonly table";

/// In a proxy's metatable: the real table.
const REAL: c_int = 1;

/// Pushes a proxy of the table on top.
pub(super) fn push_proxy(lua: Lua) {
    lua.push_table(0, 0);
    lua.push_table(1, 3);
    lua.push_copy(-3);
    lua.raw_set_index(-2, REAL);
    lua.push_copy(-3);
    lua.set_field("__index");
    lua.set_function("__newindex", refuse);
    // What `getmetatable` shows of it, read-only too.
    lua.push_table(0, 0);
    lua.push_table(0, 2);
    lua.set_function("__newindex", refuse);
    lua.push_bool(false);
    lua.set_field("__metatable");
    lua.set_metatable(-2);
    lua.set_field("__metatable");
    // The mark of a proxy: its metatable is a key in the registry.
    lua.push_copy(-1);
    lua.push_bool(true);
    lua.raw_set(REGISTRY);
    lua.set_metatable(-2);
}

/// Whether a value is a proxy.
#[inline]
pub(super) fn is_proxy(lua: Lua, index: c_int) -> bool {
    if !lua.metatable(index) {
        return false;
    }
    lua.raw_get(REGISTRY);
    let is_proxy = lua.to_bool(-1);
    lua.pop(1);
    is_proxy
}

/// Puts the real table in the place of a proxy, at a positive index.
#[inline]
pub(super) fn see_through(lua: Lua, index: c_int) {
    if is_proxy(lua, index) {
        lua.metatable(index);
        lua.raw_get_index(-1, REAL);
        lua.replace(index);
        lua.pop(1);
    }
}

fn refuse(lua: Lua) -> Result<c_int, Raise> {
    Err(lua.raise(READ_ONLY))
}
