//! `cjson.encode`.

use std::ffi::c_int;

use super::super::lua::{Lua, Raise, Type, general, whole_32};
use super::super::proxy;
use super::cjson_options::{Config, Invalid};

/// A value as a text.
pub(super) fn encode(lua: Lua) -> Result<c_int, Raise> {
    if lua.top() != 1 {
        return Err(lua.bad_argument(1, "expected 1 argument"));
    }
    let mut encoder = Encoder {
        lua,
        config: Config::of(lua),
        out: Vec::new(),
    };
    encoder.value(0)?;
    lua.push_result(&encoder.out)?;
    Ok(1)
}

struct Encoder<'a> {
    lua: Lua,
    config: &'a Config,
    out: Vec<u8>,
}

impl Encoder<'_> {
    /// Appends the value on top of the stack. It stays there.
    fn value(&mut self, depth: i32) -> Result<(), Raise> {
        let lua = self.lua;
        if !lua.memory().has_room(self.out.len()) {
            lua.push_bytes(b"not enough memory");
            return Err(Raise);
        }
        match lua.type_of(-1) {
            Type::String => self.string(-1),
            Type::Number => self.number(-1)?,
            Type::Boolean => self
                .out
                .extend_from_slice(if lua.to_bool(-1) { b"true" } else { b"false" }),
            Type::Table => {
                let depth = depth.saturating_add(1);
                if depth > self.config.encode_max_depth.get() || !lua.has_room(4) {
                    return Err(lua.raise(format!("Cannot serialise, excessive nesting ({depth})")));
                }
                proxy::see_through(lua, lua.top());
                match self.array_len()? {
                    Some(len @ 1..) => self.array(len, depth)?,
                    _ => self.object(depth)?,
                }
            }
            Type::Nil => self.out.extend_from_slice(b"null"),
            Type::LightUserdata if lua.userdata(-1).is_null() => self.out.extend_from_slice(b"null"),
            _ => return Err(self.refuse(-1, "type not supported")),
        }
        Ok(())
    }

    fn refuse(&self, index: c_int, why: &str) -> Raise {
        let kind = self.lua.type_name(index);
        self.lua.raise(format!("Cannot serialise {kind}: {why}"))
    }

    /// The highest index of the table on top, if its keys are all indices and not too far apart.
    fn array_len(&self) -> Result<Option<i32>, Raise> {
        let (lua, config) = (self.lua, self.config);
        let (mut max, mut items) = (0_i32, 0_i64);
        lua.push_nil();
        while lua.next(-2) {
            lua.pop(1);
            let key = match lua.type_of(-1) {
                Type::Number => lua.to_number(-1),
                _ => 0.0,
            };
            if key.floor() != key || key < 1.0 {
                lua.pop(1);
                return Ok(None);
            }
            if key > f64::from(max) {
                // An index that is larger than C's int becomes the smallest one.
                max = whole_32(key);
            }
            items += 1;
        }
        let ratio = i64::from(config.sparse_ratio.get());
        if ratio > 0 && i64::from(max) > items.saturating_mul(ratio) && max > config.sparse_safe.get() {
            if !config.sparse_convert.get() {
                return Err(self.refuse(-1, "excessively sparse array"));
            }
            return Ok(None);
        }
        Ok(Some(max))
    }

    fn array(&mut self, len: i32, depth: i32) -> Result<(), Raise> {
        self.out.push(b'[');
        for index in 1..=len {
            if index > 1 {
                self.out.push(b',');
            }
            self.lua.raw_get_index(-1, index);
            self.value(depth)?;
            self.lua.pop(1);
        }
        self.out.push(b']');
        Ok(())
    }

    fn object(&mut self, depth: i32) -> Result<(), Raise> {
        let lua = self.lua;
        self.out.push(b'{');
        let mut is_first = true;
        lua.push_nil();
        while lua.next(-2) {
            if !is_first {
                self.out.push(b',');
            }
            is_first = false;
            match lua.type_of(-2) {
                Type::Number => {
                    self.out.push(b'"');
                    self.number(-2)?;
                    self.out.extend_from_slice(b"\":");
                }
                Type::String => {
                    self.string(-2);
                    self.out.push(b':');
                }
                _ => return Err(self.refuse(-2, "table key must be a number or string")),
            }
            self.value(depth)?;
            lua.pop(1);
        }
        self.out.push(b'}');
        Ok(())
    }

    fn number(&mut self, index: c_int) -> Result<(), Raise> {
        let number = self.lua.to_number(index);
        if !number.is_finite() {
            match self.config.encode_invalid.get() {
                Invalid::Off => return Err(self.refuse(index, "must not be NaN or Inf")),
                Invalid::Null => {
                    self.out.extend_from_slice(b"null");
                    return Ok(());
                }
                Invalid::On if number.is_nan() => {
                    self.out.extend_from_slice(b"nan");
                    return Ok(());
                }
                Invalid::On => {}
            }
        }
        general(number, self.config.precision.get(), &mut self.out);
        Ok(())
    }

    fn string(&mut self, index: c_int) {
        let bytes = self.lua.bytes(index).unwrap_or_default();
        let out = &mut self.out;
        out.reserve(bytes.len() + 2);
        out.push(b'"');
        for byte in bytes {
            match byte {
                b'"' | b'\\' | b'/' => out.extend_from_slice(&[b'\\', *byte]),
                0x08 => out.extend_from_slice(b"\\b"),
                b'\t' => out.extend_from_slice(b"\\t"),
                b'\n' => out.extend_from_slice(b"\\n"),
                0x0c => out.extend_from_slice(b"\\f"),
                b'\r' => out.extend_from_slice(b"\\r"),
                0..0x20 | 0x7f => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
                _ => out.push(*byte),
            }
        }
        out.push(b'"');
    }
}
