//! A thin layer over Lua's C interface: what this module's functions need of it, with Rust's types.
//!
//! Lua raises errors by `longjmp`, which must not pass a Rust frame that has something to drop. So all Rust code that Lua
//! calls comes in two parts: the outer one ([`Lua::function`]) has nothing to drop; it calls the inner one, an ordinary
//! function, which never calls anything that raises, and tells by [`Raise`] that it has left an error value on the stack;
//! the outer one raises it. That inner code has no limit of memory is half of it (`memory.rs`), that it reads and writes
//! tables without metamethods the other half.

use mlua_sys::{self as ffi, lua_Debug, lua_State};
use std::ffi::{CStr, c_int, c_void};
use std::mem::MaybeUninit;
use std::{ptr, slice, str};

use super::memory::Memory;

/// An error value is on top of the stack, and to be raised.
#[derive(Debug)]
pub(super) struct Raise;

/// The type of a value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Type {
    None,
    Nil,
    Boolean,
    LightUserdata,
    Number,
    String,
    Table,
    Function,
    Other,
}

/// A thread of an interpreter's state. It is a plain pointer: whoever has one knows that its interpreter is alive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Lua(pub(super) *mut lua_State);

/// The registry, as an index.
pub(super) const REGISTRY: c_int = ffi::LUA_REGISTRYINDEX;
/// The table of globals, as an index.
pub(super) const GLOBALS: c_int = ffi::LUA_GLOBALSINDEX;

/// Calls a function of Lua's. All of them want a live state, which a [`Lua`] stands for; none of those used here raises
/// anything but for want of memory, which Rust code never lacks (see the top of this file).
macro_rules! lua {
    ($function:ident $(, $argument:expr)*) => {
        // SAFETY: the state is alive, and the function raises no error.
        unsafe { ffi::$function($($argument),*) }
    };
}

impl Lua {
    /// The memory of the interpreter.
    #[inline]
    pub(super) fn memory(&self) -> &Memory {
        let mut data: *mut c_void = ptr::null_mut();
        lua!(lua_getallocf, self.0, &mut data);
        // SAFETY: the state was made with it, and it lives longer than the state.
        unsafe { &*data.cast::<Memory>() }
    }

    /// How many values are on the stack.
    #[inline]
    pub(super) fn top(self) -> c_int {
        lua!(lua_gettop, self.0)
    }

    /// Takes values away, or adds nils.
    #[inline]
    pub(super) fn set_top(self, index: c_int) {
        lua!(lua_settop, self.0, index)
    }

    /// Takes so many values away.
    #[inline]
    pub(super) fn pop(self, n: c_int) {
        self.set_top(-n - 1);
    }

    /// Moves the value on top to an index.
    #[inline]
    pub(super) fn insert(self, index: c_int) {
        lua!(lua_insert, self.0, index)
    }

    /// Takes a value away from below others.
    #[inline]
    pub(super) fn remove(self, index: c_int) {
        lua!(lua_remove, self.0, index)
    }

    /// Moves the value on top over another one.
    #[inline]
    pub(super) fn replace(self, index: c_int) {
        lua!(lua_replace, self.0, index)
    }

    /// Whether there is room for so many values more.
    #[inline]
    pub(super) fn has_room(self, values: c_int) -> bool {
        lua!(lua_checkstack, self.0, values) != 0
    }

    /// Pushes nil.
    #[inline]
    pub(super) fn push_nil(self) {
        lua!(lua_pushnil, self.0)
    }

    /// Pushes a boolean.
    #[inline]
    pub(super) fn push_bool(self, value: bool) {
        lua!(lua_pushboolean, self.0, c_int::from(value))
    }

    /// Pushes a number.
    #[inline]
    pub(super) fn push_number(self, value: f64) {
        lua!(lua_pushnumber, self.0, value)
    }

    /// Pushes a string.
    #[inline]
    pub(super) fn push_bytes(self, bytes: &[u8]) {
        lua!(lua_pushlstring_, self.0, bytes.as_ptr().cast(), bytes.len())
    }

    /// The null that JSON has and Lua lacks.
    #[inline]
    pub(super) fn push_null_pointer(self) {
        lua!(lua_pushlightuserdata, self.0, ptr::null_mut())
    }

    /// Pushes the value at an index.
    #[inline]
    pub(super) fn push_copy(self, index: c_int) {
        lua!(lua_pushvalue, self.0, index)
    }

    /// Pushes a table with room for so many elements and fields.
    #[inline]
    pub(super) fn push_table(self, array: usize, fields: usize) {
        // What is more than this grows as any table does.
        let small = |n: usize| n.min(1 << 20) as c_int;
        lua!(lua_createtable, self.0, small(array), small(fields))
    }

    /// Pushes a Rust function, with as many upvalues as it takes from the stack. A function has no state of its own, so
    /// `function` is never anything but a name.
    pub(super) fn push_function<F>(self, function: F, upvalues: c_int)
    where
        F: Fn(Lua) -> Result<c_int, Raise> + Copy + 'static,
    {
        lua!(lua_pushcclosure, self.0, Self::function(function), upvalues)
    }

    /// A Rust function as Lua calls it.
    fn function<F>(_: F) -> ffi::lua_CFunction
    where
        F: Fn(Lua) -> Result<c_int, Raise> + Copy + 'static,
    {
        const { assert!(size_of::<F>() == 0, "a function without state") };
        unsafe extern "C-unwind" fn enter<F>(state: *mut lua_State) -> c_int
        where
            F: Fn(Lua) -> Result<c_int, Raise> + Copy + 'static,
        {
            let lua = Lua(state);
            // SAFETY: a value without bytes may be read from anywhere that is aligned.
            let function: F = unsafe { ptr::NonNull::<F>::dangling().read() };
            match lua.memory().unbounded(|| function(lua)) {
                Ok(results) => results,
                // SAFETY: nothing in this frame waits to be dropped.
                Err(Raise) => unsafe { ffi::lua_error(state) },
            }
        }
        enter::<F>
    }

    /// Pushes a function that may call Lua and raise by itself: it must have nothing to drop while it does.
    pub(super) fn push_c_function(self, function: ffi::lua_CFunction, upvalues: c_int) {
        lua!(lua_pushcclosure, self.0, function, upvalues)
    }

    /// The type of the value at an index.
    #[inline]
    pub(super) fn type_of(self, index: c_int) -> Type {
        match lua!(lua_type, self.0, index) {
            ffi::LUA_TNONE => Type::None,
            ffi::LUA_TNIL => Type::Nil,
            ffi::LUA_TBOOLEAN => Type::Boolean,
            ffi::LUA_TLIGHTUSERDATA => Type::LightUserdata,
            ffi::LUA_TNUMBER => Type::Number,
            ffi::LUA_TSTRING => Type::String,
            ffi::LUA_TTABLE => Type::Table,
            ffi::LUA_TFUNCTION => Type::Function,
            _ => Type::Other,
        }
    }

    /// The name of a value's type.
    pub(super) fn type_name(self, index: c_int) -> &'static str {
        let kind = lua!(lua_type, self.0, index);
        let name = lua!(lua_typename, self.0, kind);
        // SAFETY: the names of types are constants of Lua's, in ASCII.
        unsafe { CStr::from_ptr(name) }.to_str().unwrap_or("value")
    }

    /// Whether a value counts as true.
    #[inline]
    pub(super) fn to_bool(self, index: c_int) -> bool {
        lua!(lua_toboolean, self.0, index) != 0
    }

    /// 0 for what is no number, and no text of one.
    #[inline]
    pub(super) fn to_number(self, index: c_int) -> f64 {
        lua!(lua_tonumber, self.0, index)
    }

    /// Whether it is a number or a text of one.
    #[inline]
    pub(super) fn is_number(self, index: c_int) -> bool {
        lua!(lua_isnumber, self.0, index) != 0
    }

    /// The memory that a userdata stands for.
    #[inline]
    pub(super) fn userdata(self, index: c_int) -> *mut c_void {
        lua!(lua_touserdata, self.0, index)
    }

    /// What tells a table or a function from others.
    #[inline]
    pub(super) fn pointer(self, index: c_int) -> *const c_void {
        lua!(lua_topointer, self.0, index)
    }

    /// The bytes of a string, or the text of a number, which takes its place on the stack. They are followed by a 0 byte,
    /// and stay where they are as long as the value is on the stack or in a table.
    #[inline]
    pub(super) fn bytes<'a>(self, index: c_int) -> Option<&'a [u8]> {
        let mut len = 0;
        let bytes = lua!(lua_tolstring, self.0, index, &mut len);
        if bytes.is_null() {
            return None;
        }
        // SAFETY: so many bytes are there; callers keep the value in the state while they use them.
        Some(unsafe { slice::from_raw_parts(bytes.cast(), len) })
    }

    /// The length of a string or a table.
    #[inline]
    pub(super) fn len(self, index: c_int) -> usize {
        lua!(lua_objlen, self.0, index)
    }

    /// Replaces the key on top by its value in a table.
    #[inline]
    pub(super) fn raw_get(self, table: c_int) {
        lua!(lua_rawget_, self.0, table)
    }

    /// Pushes an element of a table.
    #[inline]
    pub(super) fn raw_get_index(self, table: c_int, index: c_int) {
        lua!(lua_rawgeti_, self.0, table, index)
    }

    /// Pushes a field of the table at a negative index.
    #[inline]
    pub(super) fn raw_field(self, table: c_int, name: &str) {
        self.push_bytes(name.as_bytes());
        self.raw_get(table - 1);
    }

    /// The key must be neither nil nor NaN.
    #[inline]
    pub(super) fn raw_set(self, table: c_int) {
        lua!(lua_rawset, self.0, table)
    }

    /// Takes the value on top into a table.
    #[inline]
    pub(super) fn raw_set_index(self, table: c_int, index: c_int) {
        lua!(lua_rawseti_, self.0, table, index)
    }

    /// Sets a field of the table below the top to the value on top.
    pub(super) fn set_field(self, name: &str) {
        self.push_bytes(name.as_bytes());
        self.insert(-2);
        self.raw_set(-3);
    }

    /// Sets a field of the table on top to a function.
    pub(super) fn set_function<F>(self, name: &str, function: F)
    where
        F: Fn(Lua) -> Result<c_int, Raise> + Copy + 'static,
    {
        self.push_function(function, 0);
        self.set_field(name);
    }

    /// From a key on top of the stack to the next key and its value; false, and without the key, at the end.
    #[inline]
    pub(super) fn next(self, table: c_int) -> bool {
        lua!(lua_next, self.0, table) != 0
    }

    /// Pushes the metatable, if there is one.
    #[inline]
    pub(super) fn metatable(self, index: c_int) -> bool {
        lua!(lua_getmetatable, self.0, index) != 0
    }

    /// Takes the table on top as the metatable of another.
    pub(super) fn set_metatable(self, index: c_int) {
        lua!(lua_setmetatable, self.0, index);
    }

    /// Whether two values are the same.
    pub(super) fn raw_equal(self, a: c_int, b: c_int) -> bool {
        lua!(lua_rawequal, self.0, a, b) != 0
    }

    /// Takes the value on top into the registry, and gives its number there.
    pub(super) fn keep(self) -> c_int {
        lua!(luaL_ref, self.0, REGISTRY)
    }

    /// Gives up what was kept under a number.
    pub(super) fn drop_kept(self, number: c_int) {
        lua!(luaL_unref, self.0, REGISTRY, number)
    }

    /// Pushes what is kept under a number.
    #[inline]
    pub(super) fn push_kept(self, number: c_int) {
        self.raw_get_index(REGISTRY, number);
    }

    /// A full collection.
    pub(super) fn collect(self) {
        lua!(lua_gc, self.0, ffi::LUA_GCCOLLECT, 0);
    }

    /// What is known of the function at this level, if there is one: 0 is the one that runs.
    pub(super) fn frame(self, level: c_int, what: &CStr) -> Option<lua_Debug> {
        let mut frame = MaybeUninit::<lua_Debug>::zeroed();
        if lua!(lua_getstack, self.0, level, frame.as_mut_ptr()) == 0 {
            return None;
        }
        lua!(lua_getinfo, self.0, what.as_ptr(), frame.as_mut_ptr());
        // SAFETY: zeroes are valid for all of its fields, and Lua has filled in more.
        Some(unsafe { frame.assume_init() })
    }

    /// Leaves a text on the stack, behind the place of who called the function that runs: "user_script:1: ".
    pub(super) fn raise(self, text: impl AsRef<[u8]>) -> Raise {
        let mut whole = self.place(1);
        whole.extend_from_slice(text.as_ref());
        self.push_bytes(&whole);
        Raise
    }

    /// The place of the function at a level: "user_script:1: ", or nothing.
    pub(super) fn place(self, level: c_int) -> Vec<u8> {
        match self.frame(level, c"Sl") {
            Some(frame) if frame.currentline > 0 => {
                // SAFETY: Lua ends it with a 0.
                let source = unsafe { CStr::from_ptr(frame.short_src.as_ptr()) };
                let mut place = source.to_bytes().to_vec();
                place.extend_from_slice(format!(":{}: ", frame.currentline).as_bytes());
                place
            }
            _ => Vec::new(),
        }
    }

    /// As `luaL_argerror`: "bad argument #1 to 'encode' (...)".
    pub(super) fn bad_argument(self, number: c_int, what: impl AsRef<[u8]>) -> Raise {
        let raise = |text: String| self.raise([text.as_bytes(), b" (", what.as_ref(), b")"].concat());
        let Some(frame) = self.frame(0, c"n") else {
            return raise(format!("bad argument #{number}"));
        };
        // SAFETY: both are null or constants of Lua's or names in the script, which runs.
        let text = |text| {
            unsafe { (text as *const std::ffi::c_char).as_ref() }.map(|text| unsafe { CStr::from_ptr(text) })
        };
        let name = text(frame.name).map_or("?".into(), |name| name.to_string_lossy());
        let is_method = text(frame.namewhat).is_some_and(|kind| kind == c"method");
        match number - c_int::from(is_method) {
            0 if is_method => raise(format!("calling '{name}' on bad self")),
            number => raise(format!("bad argument #{number} to '{name}'")),
        }
    }

    fn bad_type(self, number: c_int, expected: &str) -> Raise {
        let got = match self.type_of(number) {
            Type::None => "no value",
            _ => self.type_name(number),
        };
        self.bad_argument(number, format!("{expected} expected, got {got}"))
    }

    /// An argument that has to be a number.
    pub(super) fn number_argument(self, number: c_int) -> Result<f64, Raise> {
        let value = self.to_number(number);
        if value == 0.0 && !self.is_number(number) {
            return Err(self.bad_type(number, "number"));
        }
        Ok(value)
    }

    /// An argument that has to be a number, of which counts the whole part.
    pub(super) fn integer_argument(self, number: c_int) -> Result<i64, Raise> {
        self.number_argument(number).map(whole)
    }

    /// An argument that has to be a string or a number.
    pub(super) fn bytes_argument<'a>(self, number: c_int) -> Result<&'a [u8], Raise> {
        self.bytes(number).ok_or_else(|| self.bad_type(number, "string"))
    }

    /// Takes a string that is about to be pushed, if there is room for it.
    pub(super) fn push_result(self, bytes: &[u8]) -> Result<(), Raise> {
        if !self.memory().has_room(bytes.len()) {
            self.push_bytes(b"not enough memory");
            return Err(Raise);
        }
        self.push_bytes(bytes);
        Ok(())
    }
}

/// The whole part of a number, as the processor makes it: what no `i64` can hold becomes the smallest one.
#[inline]
pub(super) fn whole(number: f64) -> i64 {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    if (-LIMIT..LIMIT).contains(&number) {
        number as i64
    } else {
        i64::MIN
    }
}

/// The same without a sign: what is negative wraps around.
pub(super) fn whole_unsigned(number: f64) -> u64 {
    const HALF: f64 = 9_223_372_036_854_775_808.0;
    match number >= HALF {
        true => whole(number - HALF) as u64 ^ (1 << 63),
        false => whole(number) as u64,
    }
}

/// The same of 32 bits.
#[inline]
pub(super) fn whole_32(number: f64) -> i32 {
    const LIMIT: f64 = 2_147_483_648.0;
    if number > -LIMIT - 1.0 && number < LIMIT {
        number as i32
    } else {
        i32::MIN
    }
}

/// What C's `snprintf` makes of a number with `%.*g`.
pub(super) fn general(number: f64, precision: c_int, out: &mut Vec<u8>) {
    const ROOM: usize = 64;
    let mut text = [0u8; ROOM];
    // SAFETY: the format takes an int and a double, and no text of it is as long as the buffer.
    let len = unsafe {
        libc::snprintf(
            text.as_mut_ptr().cast(),
            ROOM,
            c"%.*g".as_ptr(),
            precision,
            number,
        )
    };
    out.extend_from_slice(&text[..usize::try_from(len).unwrap_or(0).min(ROOM)]);
}
