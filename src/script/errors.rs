//! Errors of scripts: tables with the fields `err`, `source`, `line` and `ignore_error_stats_update`.

use std::ffi::{CStr, c_int};

use super::lua::{Lua, Raise, Type};
use super::proxy;

/// What the table says that was raised or returned.
#[derive(Debug, Default)]
pub(super) struct ErrorInfo {
    pub(super) text: Option<Vec<u8>>,
    pub(super) source: Option<Vec<u8>>,
    pub(super) line: Option<Vec<u8>>,
    /// The command that failed has counted it.
    pub(super) is_counted: bool,
}

/// C's idea of a string: up to the first 0 byte.
pub(super) fn until_zero(bytes: &[u8]) -> &[u8] {
    memchr::memchr(0, bytes).map_or(bytes, |end| &bytes[..end])
}

/// The text that an error has in its table. After a `-` comes a code, as on the wire; without it the code is ERR.
pub(super) fn error_text(error: &[u8]) -> Vec<u8> {
    let (code, message) = match error.strip_prefix(b"-") {
        None => (&b"ERR"[..], error),
        Some(error) => match memchr::memchr(b' ', error) {
            None => (&b"ERR"[..], error),
            Some(space) => (&error[..space], &error[space + 1..]),
        },
    };
    let is_end = |byte: &u8| matches!(byte, b'\r' | b'\n');
    let start = message
        .iter()
        .position(|byte| !is_end(byte))
        .unwrap_or(message.len());
    let end = message
        .iter()
        .rposition(|byte| !is_end(byte))
        .map_or(start, |last| last + 1);
    let mut text = Vec::with_capacity(code.len() + 1 + end - start);
    text.extend_from_slice(code);
    text.push(b' ');
    text.extend_from_slice(&message[start..end]);
    text
}

impl Lua {
    /// Pushes the table of an error.
    pub(super) fn push_error(self, error: &[u8]) {
        self.push_table(0, 2);
        self.push_bytes(until_zero(&error_text(error)));
        self.set_field("err");
    }

    /// Leaves the table of an error on the stack.
    pub(super) fn raise_table(self, error: &str) -> Raise {
        self.push_error(error.as_bytes());
        Raise
    }

    /// Reads the table on top of the stack.
    pub(super) fn error_info(self) -> ErrorInfo {
        let field = |name| {
            self.raw_field(-1, name);
            let text = match self.type_of(-1) {
                Type::String | Type::Number => self.bytes(-1).map(|text| until_zero(text).to_vec()),
                _ => None,
            };
            self.pop(1);
            text
        };
        let (text, source, line) = (field("err"), field("source"), field("line"));
        self.raw_field(-1, "ignore_error_stats_update");
        let is_counted = self.type_of(-1) == Type::Boolean && self.to_bool(-1);
        self.pop(1);
        ErrorInfo {
            text,
            source,
            line,
            is_counted,
        }
    }
}

/// The handler under which scripts run: it makes a table of any error, and notes where it was raised. When that was in a
/// function that is not Lua's own, what helps is who called it.
pub(super) fn handle(lua: Lua) -> Result<c_int, Raise> {
    lua.set_top(1);
    if lua.type_of(1) != Type::Table || proxy::is_proxy(lua, 1) {
        let mut text = b"ERR ".to_vec();
        text.extend_from_slice(&shown(lua, 1));
        lua.push_table(0, 3);
        lua.push_bytes(until_zero(&text));
        lua.set_field("err");
        lua.replace(1);
    }
    let mut frame = lua.frame(1, c"Sl");
    // SAFETY: both are constants or texts of the script, which is loaded.
    let text = |text| unsafe { CStr::from_ptr(text) }.to_bytes();
    if frame.as_ref().is_some_and(|frame| text(frame.what) == b"C") {
        frame = lua.frame(2, c"Sl");
    }
    if let Some(frame) = frame {
        lua.push_bytes(text(frame.source));
        lua.set_field("source");
        lua.push_number(f64::from(frame.currentline));
        lua.set_field("line");
    }
    Ok(1)
}

/// What `tostring` makes of a value that has no metatable.
fn shown(lua: Lua, index: c_int) -> Vec<u8> {
    match lua.type_of(index) {
        Type::String | Type::Number => {
            lua.push_copy(index);
            let text = lua.bytes(-1).map(<[u8]>::to_vec).unwrap_or_default();
            lua.pop(1);
            text
        }
        Type::Nil | Type::None => b"nil".to_vec(),
        Type::Boolean => lua.to_bool(index).to_string().into_bytes(),
        _ => format!("{}: {:p}", lua.type_name(index), lua.pointer(index)).into_bytes(),
    }
}

/// Pushes the error that ends the script.
pub(super) fn push_ending(lua: Lua) -> Raise {
    let error = lua.context().ending().unwrap_or_default();
    lua.push_error(format!("-{error}").as_bytes());
    Raise
}
