//! The table `redis`, and what else of the functions that scripts call asks the host.

use std::ffi::c_int;

use mlua_sys::{self as ffi, lua_Debug, lua_State};
use sha1::{Digest, Sha1};

use super::arguments;
use super::context::{Aborted, Stop};
use super::errors::{push_ending, until_zero};
use super::host::{LogLevel, REPL_AOF, REPL_REPLICA};
use super::lua::{GLOBALS, Lua, Raise, Type, whole_32};
use super::to_lua;
use crate::resp::{Protocol, Reply};

/// After so many instructions the use of memory is looked at,
pub(super) const INSTRUCTIONS_OF_A_HOOK: c_int = 10_000;
/// ... and after so many times that, the host is asked whether to go on.
const HOOKS_OF_A_PULSE: u32 = 10;
/// A full collection is worth its time when so large a part of the limit is taken,
const NEARLY_FULL: (usize, usize) = (3, 4);
/// ... and this part of it since the last one.
const GROWN: usize = 8;

/// Makes the tables `redis` and `server`.
pub(super) fn register(lua: Lua, version: &str) {
    lua.push_table(0, 32);
    lua.set_function("call", call);
    lua.set_function("pcall", protected_call);
    lua.set_function("log", log);
    lua.set_function("setresp", set_resp);
    lua.set_function("sha1hex", sha1_hex);
    lua.set_function("error_reply", error_reply);
    lua.set_function("status_reply", status_reply);
    lua.set_function("set_repl", set_replication);
    lua.set_function("acl_check_cmd", may_call);
    lua.set_function("replicate_commands", replicate_commands);
    lua.set_function("breakpoint", breakpoint);
    lua.set_function("debug", debug);
    let levels = ["LOG_DEBUG", "LOG_VERBOSE", "LOG_NOTICE", "LOG_WARNING"];
    let targets = [
        ("REPL_NONE", 0),
        ("REPL_AOF", REPL_AOF),
        ("REPL_SLAVE", REPL_REPLICA),
        ("REPL_REPLICA", REPL_REPLICA),
    ];
    let numbers = levels.iter().zip(0..).map(|(name, level)| (*name, level));
    for (name, value) in numbers
        .chain(targets)
        .chain([("REPL_ALL", REPL_AOF | REPL_REPLICA)])
    {
        lua.push_number(f64::from(value));
        lua.set_field(name);
    }
    lua.push_number(f64::from(version_number(version)));
    lua.set_field("REDIS_VERSION_NUM");
    lua.push_bytes(version.as_bytes());
    lua.set_field("REDIS_VERSION");
    lua.push_copy(GLOBALS);
    lua.insert(-2);
    lua.push_copy(-1);
    lua.insert(-3);
    lua.set_field("redis");
    lua.insert(-2);
    lua.set_field("server");
    lua.pop(1);
}

/// "8.2.3" is 0x00080203.
fn version_number(version: &str) -> u32 {
    version
        .split('.')
        .fold(0, |number, part| (number << 8) | part.parse::<u32>().unwrap_or(0))
}

fn call(lua: Lua) -> Result<c_int, Raise> {
    match run_command(lua)? {
        Outcome::Value => Ok(1),
        Outcome::Error => Err(Raise),
    }
}

fn protected_call(lua: Lua) -> Result<c_int, Raise> {
    run_command(lua).map(|_| 1)
}

/// What a command has left on the stack.
enum Outcome {
    Value,
    Error,
}

/// Runs the command that is on the stack, as often as it takes until what it reads is there.
fn run_command(lua: Lua) -> Result<Outcome, Raise> {
    let context = lua.context();
    if context.is_ending() {
        return Err(push_ending(lua));
    }
    loop {
        let ran = arguments::with(lua, |arguments| {
            context.host(|host| host.call(arguments, context.protocol.get()))
        });
        match ran {
            Err(refusal) => {
                lua.set_top(0);
                lua.push_error(refusal.as_bytes());
                return Ok(Outcome::Error);
            }
            Ok(Ok(reply)) => {
                lua.set_top(0);
                to_lua::push(lua, &reply, context.protocol.get());
                let is_error = matches!(reply, Reply::Error(_));
                return Ok(if is_error { Outcome::Error } else { Outcome::Value });
            }
            Ok(Err(_)) => {
                if let Err(Aborted) = context.stop(lua.memory(), Stop::Fault) {
                    return Err(push_ending(lua));
                }
            }
        }
    }
}

fn sha1_hex(lua: Lua) -> Result<c_int, Raise> {
    if lua.top() != 1 {
        return Err(lua.raise_table("wrong number of arguments"));
    }
    let text = lua.bytes(1).unwrap_or_default();
    lua.push_bytes(&hex_of(text));
    Ok(1)
}

/// The 40 digits of SHA-1.
pub(super) fn hex_of(text: &[u8]) -> [u8; 40] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut hex = [0; 40];
    for (pair, byte) in hex.chunks_exact_mut(2).zip(Sha1::digest(text)) {
        pair.copy_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
    hex
}

/// The one argument, a string; anything else is answered with a table that says so.
fn only_string<'a>(lua: Lua) -> Option<&'a [u8]> {
    if lua.top() != 1 || lua.type_of(1) != Type::String {
        lua.push_error(b"wrong number or type of arguments");
        return None;
    }
    lua.bytes(1)
}

fn error_reply(lua: Lua) -> Result<c_int, Raise> {
    if let Some(text) = only_string(lua) {
        let text = until_zero(text);
        let mut error = Vec::with_capacity(text.len() + 1);
        if text.first() != Some(&b'-') {
            error.push(b'-');
        }
        error.extend_from_slice(text);
        lua.push_error(&error);
    }
    Ok(1)
}

fn status_reply(lua: Lua) -> Result<c_int, Raise> {
    if only_string(lua).is_some() {
        lua.push_table(0, 1);
        lua.push_copy(1);
        lua.set_field("ok");
    }
    Ok(1)
}

fn set_replication(lua: Lua) -> Result<c_int, Raise> {
    if lua.top() != 1 {
        return Err(lua.raise_table("redis.set_repl() requires one argument."));
    }
    let targets = whole_32(lua.to_number(1));
    match u8::try_from(targets) {
        Ok(targets) if targets & !(REPL_AOF | REPL_REPLICA) == 0 => {
            lua.context().host(|host| host.set_replication(targets));
            Ok(0)
        }
        _ => {
            Err(lua
                .raise_table("Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE."))
        }
    }
}

fn may_call(lua: Lua) -> Result<c_int, Raise> {
    let context = lua.context();
    match arguments::with(lua, |arguments| context.host(|host| host.may_call(arguments))) {
        Err(refusal) => Err(lua.raise_table(refusal)),
        Ok(None) => Err(lua.raise_table("Invalid command passed to redis.acl_check_cmd()")),
        Ok(Some(may)) => {
            lua.push_bool(may);
            Ok(1)
        }
    }
}

fn log(lua: Lua) -> Result<c_int, Raise> {
    let arguments = lua.top();
    if arguments < 2 {
        return Err(lua.raise_table("redis.log() requires two arguments or more."));
    }
    if !lua.is_number(1) {
        return Err(lua.raise_table("First argument must be a number (log level)."));
    }
    let level = usize::try_from(whole_32(lua.to_number(1))).ok();
    let Some(level) = level.and_then(|level| LogLevel::ALL.get(level)) else {
        return Err(lua.raise_table("Invalid log level."));
    };
    let texts: Vec<&[u8]> = (2..=arguments).filter_map(|index| lua.bytes(index)).collect();
    lua.context().host(|host| host.log(*level, &texts.join(&b' ')));
    Ok(0)
}

fn set_resp(lua: Lua) -> Result<c_int, Raise> {
    if lua.top() != 1 {
        return Err(lua.raise_table("redis.setresp() requires one argument."));
    }
    let protocol = match whole_32(lua.to_number(1)) {
        2 => Protocol::Resp2,
        3 => Protocol::Resp3,
        _ => return Err(lua.raise_table("RESP version must be 2 or 3.")),
    };
    lua.context().protocol.set(protocol);
    Ok(0)
}

/// Scripts have been replicated by their commands for long, whatever they ask for.
fn replicate_commands(lua: Lua) -> Result<c_int, Raise> {
    lua.push_bool(true);
    Ok(1)
}

/// What Redis answers outside its debugger.
fn breakpoint(lua: Lua) -> Result<c_int, Raise> {
    lua.push_bool(false);
    Ok(1)
}

fn debug(_: Lua) -> Result<c_int, Raise> {
    Ok(0)
}

/// What Lua calls now and then while a script runs.
pub(super) unsafe extern "C-unwind" fn hook(state: *mut lua_State, _: *mut lua_Debug) {
    let lua = Lua(state);
    if lua.memory().unbounded(|| pulse(lua)).is_err() {
        // Whoever catches it meets it again with the next instruction.
        // SAFETY: nothing in this frame waits to be dropped.
        unsafe {
            ffi::lua_sethook(state, Some(hook), ffi::LUA_MASKCOUNT, 1);
            ffi::lua_error(state);
        }
    }
}

fn pulse(lua: Lua) -> Result<(), Raise> {
    let context = lua.context();
    if context.is_ending() {
        return Err(push_ending(lua));
    }
    let shared = lua.shared();
    let (used, limit) = (shared.memory.used(), shared.memory.limit());
    let (part, whole) = NEARLY_FULL;
    if limit != 0 && used > limit / whole * part && used > shared.collected.get() + limit / GROWN {
        lua.collect();
        shared.collected.set(shared.memory.used());
    }
    let hooks = shared.hooks.get().wrapping_add(1);
    shared.hooks.set(hooks);
    if !hooks.is_multiple_of(HOOKS_OF_A_PULSE) {
        return Ok(());
    }
    match context.pulse(&shared.memory) {
        Ok(()) => Ok(()),
        Err(Aborted) => Err(push_ending(lua)),
    }
}
