//! What scripts find in their state, and cannot change.
//!
//! Redis has patched its Lua, so that tables can be read-only. Here the globals and the libraries are **proxies** instead:
//! empty tables whose metatable (kept from scripts) reads from the real table, and refuses to write. The functions that
//! would go around a metatable (`rawset`, `rawget`, `next`, `pairs`, `setmetatable`, `getmetatable`, `table.insert`) know
//! proxies. Reading by way of a proxy costs a few nanoseconds.
//!
//! Functions that would catch an error pass on the one that ends a script (`pcall`, `xpcall`, `coroutine.resume`).

use mlua_sys::{self as ffi, lua_State};
use std::ffi::{CStr, c_int};

use super::lua::{GLOBALS, Lua, Raise, Type};
use super::proxy::{READ_ONLY, is_proxy, push_proxy, see_through};
use super::{errors, replaced};

/// What of Lua's base library scripts must not have.
const REMOVED: [&str; 7] = [
    "dofile", "getfenv", "loadfile", "newproxy", "print", "setfenv", "require",
];

/// The libraries of Lua that scripts have.
const LIBRARIES: [(&CStr, ffi::lua_CFunction); 4] = [
    (c"", ffi::luaopen_base),
    (c"table", ffi::luaopen_table),
    (c"string", ffi::luaopen_string),
    (c"math", ffi::luaopen_math),
];

/// From so many of its repetitions and captures a pattern is refused: matching recurses for each.
const MAX_PATTERN_ITEMS: usize = 10_000;

/// The first byte of compiled code.
const COMPILED: u8 = 0x1b;

/// Opens Lua's libraries in a new state, without what is not for scripts.
pub(super) fn open_libraries(lua: Lua) {
    for (name, open) in LIBRARIES {
        lua.push_c_function(open, 0);
        lua.push_bytes(name.to_bytes());
        // SAFETY: the libraries of a new state open without an error.
        unsafe { ffi::lua_call(lua.0, 1, 0) };
    }
    lua.push_copy(GLOBALS);
    for name in REMOVED {
        lua.push_nil();
        lua.set_field(name);
    }
    lua.push_c_function(pcall, 0);
    lua.set_field("pcall");
    replace(lua, "xpcall", wrapped_catcher);
    lua.set_function("rawset", raw_set);
    lua.set_function("rawget", raw_get);
    lua.set_function("next", next);
    lua.push_function(next, 0);
    lua.push_function(pairs, 1);
    lua.set_field("pairs");
    lua.set_function("setmetatable", set_metatable);
    lua.set_function("getmetatable", get_metatable);
    replace(lua, "loadstring", load_string);
    lua.raw_field(-1, "loadstring");
    lua.push_c_function(load, 1);
    lua.set_field("load");
    in_library(lua, "coroutine", |lua| {
        replace(lua, "resume", wrapped_catcher);
        lua.set_function("running", running);
    });
    in_library(lua, "table", |lua| replace(lua, "insert", insert));
    in_library(lua, "string", |lua| {
        ["find", "match", "gmatch", "gfind", "gsub"].map(|name| replace(lua, name, with_pattern))
    });
    in_library(lua, "math", |lua| {
        lua.set_function("random", replaced::math_random);
        lua.set_function("randomseed", replaced::math_randomseed);
    });
    lua.push_table(0, 1);
    lua.set_function("clock", replaced::clock);
    lua.set_field("os");
    lua.pop(1);
}

/// Does something with a library on top of the stack, the globals being there.
fn in_library<R>(lua: Lua, name: &str, change: impl FnOnce(Lua) -> R) {
    lua.raw_field(-1, name);
    change(lua);
    lua.pop(1);
}

/// Replaces a function in the table on top by one that has it as its upvalue.
fn replace(lua: Lua, name: &str, function: ffi::lua_CFunction) {
    lua.raw_field(-1, name);
    lua.push_c_function(function, 1);
    lua.set_field(name);
}

/// Makes proxies of all tables that the globals lead to, and of the globals; gives the number of the real globals.
pub(super) fn close(lua: Lua) -> c_int {
    lua.push_copy(GLOBALS);
    protect_fields(lua);
    refuse_missing(lua);
    lua.push_copy(-1);
    let globals = lua.keep();
    push_proxy(lua);
    lua.push_copy(-1);
    lua.set_field_of(-3, "_G");
    lua.replace(GLOBALS);
    lua.pop(1);
    // Strings have the real library behind them, in a metatable that scripts see as a proxy.
    lua.push_bytes(b"");
    lua.metatable(-1);
    push_proxy(lua);
    lua.set_field_of(-2, "__metatable");
    lua.pop(2);
    globals
}

/// Makes it an error to read what is missing in the table on top.
pub(super) fn refuse_missing(lua: Lua) {
    lua.push_table(0, 1);
    lua.set_function("__index", missing_global);
    lua.set_metatable(-2);
}

/// Replaces the tables in the table on top by proxies.
fn protect_fields(lua: Lua) {
    let mut names: Vec<Vec<u8>> = Vec::new();
    lua.push_nil();
    while lua.next(-2) {
        if lua.type_of(-1) == Type::Table && lua.type_of(-2) == Type::String && !lua.raw_equal(-1, -3) {
            names.extend(lua.bytes(-2).map(<[u8]>::to_vec));
        }
        lua.pop(1);
    }
    for name in names {
        lua.push_bytes(&name);
        lua.push_bytes(&name);
        lua.raw_get(-3);
        push_proxy(lua);
        lua.remove(-2);
        lua.raw_set(-3);
    }
}

impl Lua {
    /// Sets a field of a table at a negative index to the value on top.
    fn set_field_of(self, table: c_int, name: &str) {
        self.push_bytes(name.as_bytes());
        self.insert(-2);
        self.raw_set(table - 1);
    }
}

fn missing_global(lua: Lua) -> Result<c_int, Raise> {
    let mut text = b"Script attempted to access nonexistent global variable '".to_vec();
    match lua.type_of(2) {
        Type::String | Type::Number => text.extend_from_slice(lua.bytes_argument(2)?),
        _ => return Err(lua.raise("Second argument to luaProtectedTableError must be a string or number")),
    }
    text.push(b'\'');
    Err(lua.raise(text))
}

/// An argument that has to be a table.
fn table_argument(lua: Lua, number: c_int) -> Result<(), Raise> {
    match lua.type_of(number) {
        Type::Table => Ok(()),
        Type::None => Err(lua.bad_argument(number, "table expected, got no value")),
        _ => Err(lua.bad_argument(number, format!("table expected, got {}", lua.type_name(number)))),
    }
}

fn any_argument(lua: Lua, number: c_int) -> Result<(), Raise> {
    match lua.type_of(number) {
        Type::None => Err(lua.bad_argument(number, "value expected")),
        _ => Ok(()),
    }
}

/// A refusal without the place: this is not Lua's own code.
fn refused(lua: Lua) -> Raise {
    lua.push_bytes(READ_ONLY.as_bytes());
    Raise
}

fn raw_set(lua: Lua) -> Result<c_int, Raise> {
    table_argument(lua, 1)?;
    any_argument(lua, 2)?;
    any_argument(lua, 3)?;
    lua.set_top(3);
    if is_proxy(lua, 1) {
        return Err(refused(lua));
    }
    match lua.type_of(2) {
        Type::Nil => return Err(raise_plainly(lua, "table index is nil")),
        Type::Number if lua.to_number(2).is_nan() => return Err(raise_plainly(lua, "table index is NaN")),
        _ => lua.raw_set(1),
    }
    Ok(1)
}

fn raise_plainly(lua: Lua, text: &str) -> Raise {
    lua.push_bytes(text.as_bytes());
    Raise
}

fn raw_get(lua: Lua) -> Result<c_int, Raise> {
    table_argument(lua, 1)?;
    any_argument(lua, 2)?;
    lua.set_top(2);
    see_through(lua, 1);
    lua.raw_get(1);
    Ok(1)
}

/// `next`: as Lua's, but it sees through proxies. It checks that there is such a key, as Lua raises an error otherwise.
fn next(lua: Lua) -> Result<c_int, Raise> {
    table_argument(lua, 1)?;
    lua.set_top(2);
    see_through(lua, 1);
    // A key that is not in the table would be Lua's own error: it is made here, so that nothing jumps over this frame.
    match try_next(lua) {
        Some(true) => Ok(2),
        Some(false) => {
            lua.push_nil();
            Ok(1)
        }
        None => Err(Raise),
    }
}

/// `lua_next` behind `lua_pcall`, for keys that may be wrong; none if there was an error, which is on top.
fn try_next(lua: Lua) -> Option<bool> {
    if lua.type_of(2) == Type::Nil {
        return Some(lua.next(1));
    }
    lua.push_copy(2);
    lua.raw_get(1);
    let is_there = lua.type_of(-1) != Type::Nil;
    lua.pop(1);
    if is_there {
        return Some(lua.next(1));
    }
    // Its value was set to nil meanwhile (then the key is known still), or it never was a key.
    unsafe extern "C-unwind" fn plain(state: *mut lua_State) -> c_int {
        // SAFETY: called with a table and a key; nothing is to be dropped.
        unsafe { if ffi::lua_next(state, 1) != 0 { 2 } else { 0 } }
    }
    lua.push_c_function(plain, 0);
    lua.insert(1);
    // SAFETY: errors stay in it.
    let status = unsafe { ffi::lua_pcall(lua.0, 2, ffi::LUA_MULTRET, 0) };
    (status == ffi::LUA_OK).then(|| lua.top() == 2)
}

fn pairs(lua: Lua) -> Result<c_int, Raise> {
    table_argument(lua, 1)?;
    lua.push_copy(ffi::lua_upvalueindex(1));
    lua.push_copy(1);
    lua.push_nil();
    Ok(3)
}

fn set_metatable(lua: Lua) -> Result<c_int, Raise> {
    table_argument(lua, 1)?;
    if !matches!(lua.type_of(2), Type::Nil | Type::Table) {
        return Err(lua.bad_argument(2, "nil or table expected"));
    }
    if is_proxy(lua, 1) {
        return Err(refused(lua));
    }
    if lua.metatable(1) {
        lua.raw_field(-1, "__metatable");
        if lua.type_of(-1) != Type::Nil {
            return Err(lua.raise("cannot change a protected metatable"));
        }
    }
    lua.set_top(2);
    lua.set_metatable(1);
    lua.set_top(1);
    Ok(1)
}

fn get_metatable(lua: Lua) -> Result<c_int, Raise> {
    any_argument(lua, 1)?;
    if !lua.metatable(1) {
        lua.push_nil();
        return Ok(1);
    }
    lua.raw_field(-1, "__metatable");
    if lua.type_of(-1) == Type::Nil {
        lua.pop(1);
    }
    Ok(1)
}

/// `coroutine.running`: a script begins on what it takes for the main thread.
fn running(lua: Lua) -> Result<c_int, Raise> {
    if lua == lua.context().base {
        lua.push_nil();
    } else {
        // SAFETY: a push onto the thread's own stack.
        unsafe { ffi::lua_pushthread(lua.0) };
    }
    Ok(1)
}

/// `pcall`: as Lua's, but of an error that is a table with a text, the caller gets the text.
unsafe extern "C-unwind" fn pcall(state: *mut lua_State) -> c_int {
    let lua = Lua(state);
    let arguments = lua.top();
    if arguments == 0 {
        // What comes of it in Redis.
        lua.push_bool(false);
        lua.push_bytes(b"attempt to call a boolean value");
        return 2;
    }
    lua.push_bool(true);
    lua.insert(1);
    // SAFETY: the function and its arguments are on the stack.
    let status = unsafe { ffi::lua_pcall(state, arguments - 1, ffi::LUA_MULTRET, 0) };
    if status != ffi::LUA_OK {
        raise_again_if_ending(lua);
        lua.remove(1);
        if lua.type_of(-1) == Type::Table {
            lua.raw_field(-1, "err");
            match lua.type_of(-1) {
                Type::String | Type::Number => lua.replace(-2),
                _ => {}
            }
        }
        lua.push_bool(false);
        lua.insert(1);
    }
    lua.top()
}

/// Calls the function that it has as its upvalue, which catches errors; but not the one that ends the script.
unsafe extern "C-unwind" fn wrapped_catcher(state: *mut lua_State) -> c_int {
    let results = call_original(state);
    raise_again_if_ending(Lua(state));
    results
}

/// Calls the upvalue, a function of C, as if it were called itself: with the same arguments, and in the same frame, so that
/// its errors name the caller. Callers have nothing to drop.
fn call_original(state: *mut lua_State) -> c_int {
    // SAFETY: the upvalue is one of Lua's functions, which have no upvalues themselves.
    unsafe {
        match ffi::lua_tocfunction(state, ffi::lua_upvalueindex(1)) {
            Some(original) => original(state),
            None => 0,
        }
    }
}

/// Raises the error that ends the script, if one does. Callers have nothing to drop.
pub(super) fn raise_again_if_ending(lua: Lua) {
    if lua.context().is_ending() {
        lua.memory().unbounded(|| errors::push_ending(lua));
        // SAFETY: nothing in this frame waits to be dropped.
        unsafe { ffi::lua_error(lua.0) };
    }
}

/// `table.insert`, not into proxies.
unsafe extern "C-unwind" fn insert(state: *mut lua_State) -> c_int {
    let lua = Lua(state);
    if lua.type_of(1) == Type::Table && is_proxy(lua, 1) {
        lua.push_bytes(READ_ONLY.as_bytes());
        // SAFETY: nothing in this frame waits to be dropped.
        unsafe { ffi::lua_error(state) };
    }
    call_original(state)
}

/// The functions of strings that take a pattern, which must not be so long that matching it exhausts the stack.
unsafe extern "C-unwind" fn with_pattern(state: *mut lua_State) -> c_int {
    let lua = Lua(state);
    if lua.type_of(2) == Type::String && lua.len(2) >= MAX_PATTERN_ITEMS && has_many_items(lua.bytes(2)) {
        // SAFETY: nothing in this frame waits to be dropped.
        return unsafe { ffi::luaL_error(state, c"pattern too complex".as_ptr()) };
    }
    call_original(state)
}

fn has_many_items(pattern: Option<&[u8]>) -> bool {
    let is_item = |byte: &&u8| matches!(byte, b'*' | b'+' | b'?' | b'-' | b'(' | b')');
    pattern.is_some_and(|pattern| pattern.iter().filter(is_item).count() >= MAX_PATTERN_ITEMS)
}

/// `loadstring`: no compiled code, which could do anything to the process. It is answered like text that begins so.
unsafe extern "C-unwind" fn load_string(state: *mut lua_State) -> c_int {
    const STAND_IN: &[u8] = b"\x01";
    let lua = Lua(state);
    let is_compiled =
        lua.type_of(1) == Type::String && lua.bytes(1).is_some_and(|code| code.first() == Some(&COMPILED));
    if is_compiled {
        if lua.top() == 1 {
            lua.push_copy(1);
        }
        lua.push_bytes(STAND_IN);
        lua.replace(1);
    }
    let results = call_original(state);
    if is_compiled {
        lua.memory().unbounded(|| name_the_byte(lua));
    }
    results
}

fn name_the_byte(lua: Lua) {
    let message = String::from_utf8_lossy(lua.bytes(-1).unwrap_or_default()).replace("char(1)", "char(27)");
    lua.pop(1);
    lua.push_bytes(message.as_bytes());
}

/// `load`: gathers what its function gives, and loads it as `loadstring` (the upvalue) does.
unsafe extern "C-unwind" fn load(state: *mut lua_State) -> c_int {
    let lua = Lua(state);
    // SAFETY: nothing in this frame waits to be dropped, here and below.
    unsafe { ffi::luaL_checktype(state, 1, ffi::LUA_TFUNCTION) };
    lua.set_top(2);
    if lua.type_of(2) == Type::Nil {
        lua.push_bytes(b"=(load)");
        lua.replace(2);
    }
    lua.push_table(0, 0);
    for piece in 1.. {
        lua.push_copy(1);
        if unsafe { ffi::lua_pcall(state, 0, 1, 0) } != ffi::LUA_OK {
            raise_again_if_ending(lua);
            lua.push_nil();
            lua.insert(-2);
            return 2;
        }
        match lua.type_of(-1) {
            Type::Nil => break,
            Type::String | Type::Number if lua.bytes(-1).is_some_and(|piece| !piece.is_empty()) => {
                lua.raw_set_index(3, piece)
            }
            Type::String => break,
            _ => {
                lua.push_nil();
                lua.push_bytes(b"reader function must return a string");
                return 2;
            }
        }
    }
    lua.pop(1);
    lua.push_copy(ffi::lua_upvalueindex(1));
    if lua.memory().unbounded(|| join(lua)).is_err() {
        unsafe { ffi::lua_error(state) };
    }
    lua.push_copy(2);
    unsafe { ffi::lua_call(state, 2, ffi::LUA_MULTRET) };
    lua.top() - 3
}

/// Pushes all pieces in the table at 3 as one.
fn join(lua: Lua) -> Result<(), Raise> {
    let mut whole = Vec::new();
    for piece in 1.. {
        lua.raw_get_index(3, piece);
        let bytes = lua.bytes(-1);
        whole.extend_from_slice(bytes.unwrap_or_default());
        lua.pop(1);
        if bytes.is_none() {
            break;
        }
    }
    lua.push_result(&whole)
}

/// The error handler, as scripts see it among their globals.
pub(super) fn set_handler(lua: Lua) {
    lua.push_copy(GLOBALS);
    lua.set_function("__redis__err__handler", errors::handle);
    lua.pop(1);
}
