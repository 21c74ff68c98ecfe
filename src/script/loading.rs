//! The loading of libraries: their code is run once, which registers its functions; these are called from then on.
//!
//! While a library's code runs, it sees no globals but `redis`, and of that only what registers functions and writes to the
//! log. The functions run as scripts do, but that keys and arguments are given to them, and are no globals.

use std::ffi::c_int;
use std::time::{Duration, Instant};

use super::Flags;
use super::context::Shared;
use super::function::Function;
use super::host::{Fault, Host, LogLevel, Pulse};
use super::lua::{GLOBALS, Lua, Raise, Type};
use super::proxy::push_proxy;
use super::sandbox;
use super::shebang::flag;
use crate::resp::{Protocol, Reply};

/// What the name of a library or function that is none is answered with.
pub const BAD_NAME: &str = "Library names can only contain letters, numbers, or underscores(_) and must be at least one character long";

/// What a library that runs for too long is ended with.
const TIMEOUT: &str = "ERR FUNCTION LOAD timeout";

/// Whether a library or a function may be called so.
pub fn is_name(name: &[u8]) -> bool {
    let is_allowed = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    !name.is_empty() && name.iter().all(is_allowed)
}

/// The host of a library's code while it is loaded: it calls no command, writes to the log, and ends after a while.
pub struct Loading {
    /// When it has to be through, if ever.
    until: Option<Instant>,
    log: fn(LogLevel, &[u8]),
}

impl Loading {
    /// A library that has so long; none: as long as it takes.
    pub fn new(patience: Option<Duration>, log: fn(LogLevel, &[u8])) -> Loading {
        Loading {
            until: patience.map(|patience| Instant::now() + patience),
            log,
        }
    }
}

impl Host for Loading {
    fn call(&mut self, _: &[&[u8]], _: Protocol) -> Result<Reply, Fault> {
        Ok(Reply::err("ERR a library calls no command while it is loaded"))
    }

    fn may_call(&mut self, _: &[&[u8]]) -> Option<bool> {
        None
    }

    fn log(&mut self, level: LogLevel, text: &[u8]) {
        (self.log)(level, text);
    }

    fn set_replication(&mut self, _: u8) {}

    fn pulse(&mut self) -> Pulse {
        match self.until.is_some_and(|until| Instant::now() > until) {
            true => Pulse::Kill(TIMEOUT.into()),
            false => Pulse::GoOn,
        }
    }
}

/// Makes what the code of libraries has for globals while it is loaded, and gives its number. The table `redis` of scripts
/// is among the globals still.
pub(super) fn make_globals(lua: Lua) -> c_int {
    const SHARED: [&str; 7] = [
        "log",
        "LOG_DEBUG",
        "LOG_VERBOSE",
        "LOG_NOTICE",
        "LOG_WARNING",
        "REDIS_VERSION",
        "REDIS_VERSION_NUM",
    ];
    lua.push_table(0, 1);
    lua.push_table(0, SHARED.len() + 1);
    lua.set_function("register_function", register);
    lua.push_copy(GLOBALS);
    lua.raw_field(-1, "redis");
    for name in SHARED {
        lua.raw_field(-1, name);
        lua.push_copy(-4);
        lua.insert(-2);
        lua.set_field(name);
        lua.pop(1);
    }
    lua.pop(2);
    sandbox::refuse_missing(lua);
    push_proxy(lua);
    lua.remove(-2);
    lua.set_field("redis");
    sandbox::refuse_missing(lua);
    lua.keep()
}

/// Has everything that is loaded or runs see other globals: those of this number.
pub(super) fn set_globals(lua: Lua, number: c_int) {
    lua.metatable(GLOBALS);
    lua.push_kept(number);
    lua.set_field("__index");
    lua.pop(1);
}

/// Begins the registering of functions.
pub(super) fn begin(shared: &Shared) {
    *shared.registering.borrow_mut() = Some(Vec::new());
}

/// Ends it; gives the functions.
pub(super) fn end(shared: &Shared) -> Vec<Function> {
    shared.registering.borrow_mut().take().unwrap_or_default()
}

/// `redis.register_function(name, callback)`, or with a table of what is known of the function.
fn register(lua: Lua) -> Result<c_int, Raise> {
    let shared = lua.shared();
    if shared.registering.borrow().is_none() {
        return Err(lua.raise_table("redis.register_function can only be called on FUNCTION LOAD command"));
    }
    let read = match lua.top() {
        1 => read_named(lua),
        2 => read_positional(lua),
        _ => Err("wrong number of arguments to redis.register_function"),
    };
    let function = read.map_err(|wrong| lua.raise_table(wrong))?;
    let mut registering = shared.registering.borrow_mut();
    let functions = registering.get_or_insert_default();
    let wrong = if !is_name(&function.name) {
        BAD_NAME
    } else if functions.iter().any(|other| other.name == function.name) {
        "Function already exists in the library"
    } else {
        functions.push(function);
        return Ok(0);
    };
    lua.drop_kept(function.number);
    Err(lua.raise_table(wrong))
}

/// A text, or a number as one.
fn text(lua: Lua, index: c_int) -> Option<Vec<u8>> {
    if !matches!(lua.type_of(index), Type::String | Type::Number) {
        return None;
    }
    lua.push_copy(index);
    let text = lua.bytes(-1).map(<[u8]>::to_vec);
    lua.pop(1);
    text
}

fn read_positional(lua: Lua) -> Result<Function, &'static str> {
    let name = text(lua, 1).ok_or("first argument to redis.register_function must be a string")?;
    if lua.type_of(2) != Type::Function {
        return Err("second argument to redis.register_function must be a function");
    }
    lua.push_copy(2);
    Ok(Function {
        name: name.into(),
        description: None,
        flags: Flags::empty(),
        number: lua.keep(),
    })
}

/// What a table has said so far. The callback is an index of the stack.
#[derive(Default)]
struct Named {
    name: Option<Vec<u8>>,
    description: Option<Vec<u8>>,
    flags: Flags,
    has_callback: bool,
}

/// Where the callback is kept while the rest of the table is read.
const CALLBACK: c_int = 2;

fn read_named(lua: Lua) -> Result<Function, &'static str> {
    if lua.type_of(1) != Type::Table {
        return Err(
            "calling redis.register_function with a single argument is only applicable to Lua table \
             (representing named arguments).",
        );
    }
    let mut named = Named::default();
    lua.push_nil();
    lua.push_nil();
    while lua.next(1) {
        let key =
            text(lua, -2).ok_or("named argument key given to redis.register_function is not a string")?;
        read_argument(lua, &key.to_ascii_lowercase(), &mut named)?;
        lua.pop(1);
    }
    let name = named
        .name
        .ok_or("redis.register_function must get a function name argument")?;
    if !named.has_callback {
        return Err("redis.register_function must get a callback argument");
    }
    lua.push_copy(CALLBACK);
    Ok(Function {
        name: name.into(),
        description: named.description.map(Vec::into_boxed_slice),
        flags: named.flags,
        number: lua.keep(),
    })
}

/// Reads one argument, on top of the stack.
fn read_argument(lua: Lua, key: &[u8], named: &mut Named) -> Result<(), &'static str> {
    match key {
        b"function_name" => {
            let wrong = "function_name argument given to redis.register_function must be a string";
            named.name = Some(text(lua, -1).ok_or(wrong)?);
        }
        b"description" => {
            let wrong = "description argument given to redis.register_function must be a string";
            named.description = Some(text(lua, -1).ok_or(wrong)?);
        }
        b"callback" => {
            if lua.type_of(-1) != Type::Function {
                return Err("callback argument given to redis.register_function must be a function");
            }
            lua.push_copy(-1);
            lua.replace(CALLBACK);
            named.has_callback = true;
        }
        b"flags" => {
            if lua.type_of(-1) != Type::Table {
                return Err(
                    "flags argument to redis.register_function must be a table representing function flags",
                );
            }
            named.flags = read_flags(lua).ok_or("unknown flag given")?;
        }
        _ => return Err("unknown argument given to redis.register_function"),
    }
    Ok(())
}

/// The flags in a list on top of the stack; none if one is no flag.
fn read_flags(lua: Lua) -> Option<Flags> {
    let mut flags = Flags::empty();
    for number in 1.. {
        lua.raw_get_index(-1, number);
        let is_end = lua.type_of(-1) == Type::Nil;
        let name = text(lua, -1);
        lua.pop(1);
        if is_end {
            break;
        }
        flags |= flag(&name?.to_ascii_lowercase())?;
    }
    Some(flags)
}
