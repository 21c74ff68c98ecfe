//! Replies as a script's values.

use std::ffi::c_int;

use super::lua::{Lua, Type};
use crate::base::num;
use crate::resp::{Protocol, Reply, encode};

/// Pushes a reply. A null is `false` in RESP2, and nil in RESP3.
pub(super) fn push(lua: Lua, reply: &Reply, protocol: Protocol) {
    if !lua.has_room(4) {
        // What nests that deep is cut.
        return lua.push_nil();
    }
    match reply {
        Reply::Bulk(bytes) => lua.push_bytes(bytes),
        Reply::Int(value) => lua.push_number(*value as f64),
        Reply::Ok => push_field(lua, "ok", b"OK"),
        Reply::Simple(text) => push_field(lua, "ok", text.as_bytes()),
        Reply::Error(text) => push_error(lua, text.as_bytes()),
        Reply::Null | Reply::NullArray | Reply::Nothing => push_null(lua, protocol),
        Reply::Array(items) => {
            lua.push_table(items.len(), 0);
            for (item, index) in items.iter().zip(1..) {
                push(lua, item, protocol);
                lua.raw_set_index(-2, index);
            }
        }
        other => {
            let mut bytes = Vec::new();
            encode(other, protocol, &mut bytes);
            let mut encoded = Encoded {
                rest: &bytes,
                protocol,
            };
            encoded.push(lua);
        }
    }
}

fn push_null(lua: Lua, protocol: Protocol) {
    match protocol {
        Protocol::Resp2 => lua.push_bool(false),
        Protocol::Resp3 => lua.push_nil(),
    }
}

fn push_field(lua: Lua, name: &str, bytes: &[u8]) {
    lua.push_table(0, 1);
    lua.push_bytes(bytes);
    lua.set_field(name);
}

/// The command has counted it already.
fn push_error(lua: Lua, text: &[u8]) {
    let mut error = Vec::with_capacity(text.len() + 1);
    error.push(b'-');
    error.extend_from_slice(text);
    lua.push_error(&error);
    lua.push_bool(true);
    lua.set_field("ignore_error_stats_update");
}

/// A reply as it would go to a client: the types that are rare in scripts take this way.
struct Encoded<'a> {
    rest: &'a [u8],
    protocol: Protocol,
}

impl<'a> Encoded<'a> {
    fn take(&mut self, n: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(n.min(self.rest.len()));
        self.rest = rest;
        taken
    }

    fn line(&mut self) -> &'a [u8] {
        let end = memchr::memchr(b'\r', self.rest).unwrap_or(self.rest.len());
        let line = self.take(end);
        self.take(2);
        line
    }

    /// Bytes of an announced length, without what ends them; none for the null.
    fn bulk(&mut self, line: &[u8]) -> Option<&'a [u8]> {
        let len = usize::try_from(num::parse_i64(line)?).ok()?;
        let bytes = self.take(len);
        self.take(2);
        Some(bytes)
    }

    /// Pushes the next element.
    fn push(&mut self, lua: Lua) {
        if !lua.has_room(6) {
            lua.push_nil();
            return;
        }
        let line = self.line();
        let Some((marker, line)) = line.split_first() else {
            lua.push_nil();
            return;
        };
        let number = || num::parse_i64(line).unwrap_or(0);
        match marker {
            b'$' => match self.bulk(line) {
                Some(bytes) => lua.push_bytes(bytes),
                None => push_null(lua, self.protocol),
            },
            b'*' | b'>' if line == b"-1" => push_null(lua, self.protocol),
            b'*' | b'>' => self.push_array(lua, number()),
            b':' => lua.push_number(number() as f64),
            b'+' => push_field(lua, "ok", line),
            b'-' => push_error(lua, line),
            b',' => {
                lua.push_table(0, 1);
                lua.push_number(double(line));
                lua.set_field("double");
            }
            b'#' => lua.push_bool(line == b"t"),
            b'(' => push_field(lua, "big_number", line),
            b'=' => {
                let bytes = self.bulk(line).unwrap_or_default();
                let (format, text) = bytes.split_at(bytes.len().min(4));
                lua.push_table(0, 1);
                lua.push_table(0, 2);
                lua.push_bytes(text);
                lua.set_field("string");
                lua.push_bytes(format.get(..3).unwrap_or_default());
                lua.set_field("format");
                lua.set_field("verbatim_string");
            }
            b'%' => self.push_table(lua, "map", number()),
            b'~' => self.push_table(lua, "set", number()),
            b'|' => {
                // Attributes are not for scripts.
                for _ in 0..2 * number() {
                    self.push(lua);
                    lua.pop(1);
                }
                self.push(lua);
            }
            _ => push_null(lua, Protocol::Resp3),
        }
    }

    fn push_array(&mut self, lua: Lua, len: i64) {
        lua.push_table(usize::try_from(len).unwrap_or(0), 0);
        for index in 1..=len {
            self.push(lua);
            lua.raw_set_index(-2, index as c_int);
        }
    }

    /// A map of keys to values, or a set: of its members to true.
    fn push_table(&mut self, lua: Lua, name: &str, len: i64) {
        lua.push_table(0, 1);
        lua.push_table(0, usize::try_from(len).unwrap_or(0));
        for _ in 0..len {
            self.push(lua);
            match name {
                "map" => self.push(lua),
                _ => lua.push_bool(true),
            }
            match lua.type_of(-2) {
                // No key of a table.
                Type::Nil => lua.pop(2),
                _ => lua.raw_set(-3),
            }
        }
        lua.set_field(name);
    }
}

/// The text of a double, of which there are two more than numbers in ours.
fn double(text: &[u8]) -> f64 {
    num::parse_f64(text).unwrap_or(f64::NAN)
}
