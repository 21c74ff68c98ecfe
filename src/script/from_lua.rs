//! A script's values as replies.

use std::borrow::Cow;

use super::lua::{Lua, Type, whole};
use crate::resp::{Blob, Protocol, Reply};

/// How deep tables may nest; what would be deeper becomes an error in its place. The encoder of replies has a limit, too,
/// which is higher.
const MAX_DEPTH: usize = 120;

/// What a reply may take of memory for its parts, where the interpreter has no limit.
const MOST: usize = 1 << 30;

/// What a part of a reply takes beside its bytes.
const PART: usize = size_of::<Reply>();

/// A reply is too large: a table that is in itself twice has more parts than any memory holds.
struct TooLarge;

/// Makes a reply of the value on top of the stack, and takes it away. `protocol` is what the script has chosen for replies:
/// in RESP2 true is 1, and false is null.
pub(super) fn take(lua: Lua, protocol: Protocol) -> Reply {
    let limit = match lua.memory().limit() {
        0 => MOST,
        limit => limit.min(MOST),
    };
    let mut maker = Maker {
        lua,
        protocol,
        room: limit,
    };
    match maker.take(0) {
        Ok(reply) => reply,
        Err(TooLarge) => Reply::err("ERR the script's reply takes more memory than scripts may take"),
    }
}

struct Maker {
    lua: Lua,
    protocol: Protocol,
    /// Bytes that may still be taken.
    room: usize,
}

impl Maker {
    fn take(&mut self, depth: usize) -> Result<Reply, TooLarge> {
        let lua = self.lua;
        let top = lua.top();
        if depth > MAX_DEPTH || !lua.has_room(4) {
            lua.set_top(top - 1);
            return Ok(Reply::err("ERR reached lua stack limit"));
        }
        let reply = match lua.type_of(-1) {
            Type::String => self.bulk(),
            Type::Number => Ok(Reply::Int(whole(lua.to_number(-1)))),
            Type::Boolean => Ok(match (self.protocol, lua.to_bool(-1)) {
                (Protocol::Resp3, value) => Reply::Bool(value),
                (Protocol::Resp2, true) => Reply::Int(1),
                (Protocol::Resp2, false) => Reply::Null,
            }),
            Type::Table => self.table(depth),
            _ => Ok(Reply::Null),
        };
        lua.set_top(top - 1);
        self.charge(PART)?;
        reply
    }

    fn charge(&mut self, bytes: usize) -> Result<(), TooLarge> {
        self.room = self.room.checked_sub(bytes).ok_or(TooLarge)?;
        Ok(())
    }

    fn bulk(&mut self) -> Result<Reply, TooLarge> {
        let bytes = self.lua.bytes(-1).unwrap_or_default();
        self.charge(bytes.len())?;
        Ok(Reply::bulk(bytes.to_vec()))
    }

    /// The bytes of a field that is a string. It stays on the stack.
    fn string_field(&mut self, table: i32, name: &str) -> Result<Option<&'static [u8]>, TooLarge> {
        self.lua.raw_field(table, name);
        if self.lua.type_of(-1) != Type::String {
            return Ok(None);
        }
        let bytes = self.lua.bytes(-1);
        self.charge(bytes.map_or(0, <[u8]>::len))?;
        Ok(bytes)
    }

    /// A table is what its fields say, or else an array.
    fn table(&mut self, depth: usize) -> Result<Reply, TooLarge> {
        let lua = self.lua;
        let top = lua.top();
        if self.string_field(-1, "err")?.is_some() {
            lua.pop(1);
            return Ok(Reply::Error(line(
                lua.error_info().text.unwrap_or_default(),
                true,
            )));
        }
        lua.pop(1);
        if let Some(text) = self.string_field(-1, "ok")? {
            return Ok(Reply::Simple(line(
                super::errors::until_zero(text).to_vec(),
                false,
            )));
        }
        lua.pop(1);
        lua.raw_field(-1, "double");
        if lua.type_of(-1) == Type::Number {
            return Ok(Reply::Double(lua.to_number(-1)));
        }
        lua.pop(1);
        if let Some(digits) = self.string_field(-1, "big_number")? {
            return Ok(Reply::BigNumber(line(digits.to_vec(), false).into_owned()));
        }
        lua.pop(1);
        lua.raw_field(-1, "verbatim_string");
        if lua.type_of(-1) == Type::Table
            && let Some(format) = self.string_field(-1, "format")?
            && let Some(text) = self.string_field(-2, "string")?
        {
            return Ok(Reply::Verbatim(format_of(format), Blob::from(text.to_vec())));
        }
        lua.set_top(top);
        lua.raw_field(-1, "map");
        if lua.type_of(-1) == Type::Table {
            return self.map(depth);
        }
        lua.pop(1);
        lua.raw_field(-1, "set");
        if lua.type_of(-1) == Type::Table {
            return self.set(depth);
        }
        lua.pop(1);
        self.array(depth)
    }

    fn map(&mut self, depth: usize) -> Result<Reply, TooLarge> {
        let lua = self.lua;
        let mut entries = Vec::new();
        lua.push_nil();
        while lua.next(-2) {
            lua.push_copy(-2);
            let key = self.take(depth + 1)?;
            let value = self.take(depth + 1)?;
            entries.push((key, value));
        }
        Ok(Reply::Map(entries))
    }

    fn set(&mut self, depth: usize) -> Result<Reply, TooLarge> {
        let lua = self.lua;
        let mut members = Vec::new();
        lua.push_nil();
        while lua.next(-2) {
            lua.pop(1);
            lua.push_copy(-1);
            members.push(self.take(depth + 1)?);
        }
        Ok(Reply::Set(members))
    }

    /// Up to the first nil.
    fn array(&mut self, depth: usize) -> Result<Reply, TooLarge> {
        let lua = self.lua;
        let mut items = Vec::with_capacity(lua.len(-1).min(1 << 10));
        for index in 1.. {
            lua.raw_get_index(-1, index);
            if lua.type_of(-1) == Type::Nil {
                lua.pop(1);
                break;
            }
            items.push(self.take(depth + 1)?);
        }
        Ok(Reply::Array(items))
    }
}

/// A text of one line: replies have no other.
fn line(mut bytes: Vec<u8>, is_trimmed: bool) -> Cow<'static, str> {
    if is_trimmed {
        let end = bytes
            .iter()
            .rposition(|byte| !matches!(byte, b'\r' | b'\n'))
            .map_or(0, |last| last + 1);
        bytes.truncate(end);
    }
    for byte in &mut bytes {
        if matches!(byte, b'\r' | b'\n') {
            *byte = b' ';
        }
    }
    match String::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned().into(),
    }
}

/// Three bytes, whatever the script has given.
fn format_of(format: &[u8]) -> [u8; 3] {
    let mut three = [b' '; 3];
    for (place, byte) in three.iter_mut().zip(format) {
        *place = *byte;
    }
    three
}

/// The error that a run has ended with.
pub(super) fn error_reply(text: Vec<u8>) -> Reply {
    Reply::Error(line(text, true))
}
