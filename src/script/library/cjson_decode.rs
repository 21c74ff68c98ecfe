//! `cjson.decode`.

use std::ffi::c_int;

use super::super::lua::{Lua, Raise};
use super::cjson_options::Config;

/// A text as a value.
pub(super) fn decode(lua: Lua) -> Result<c_int, Raise> {
    if lua.top() != 1 {
        return Err(lua.bad_argument(1, "expected 1 argument"));
    }
    let text = lua.bytes_argument(1)?;
    if text.len() >= 2 && (text[0] == 0 || text[1] == 0) {
        return Err(lua.raise("JSON parser does not support UTF-16 or UTF-32"));
    }
    let mut decoder = Decoder {
        lua,
        config: Config::of(lua),
        text,
        at: 0,
        depth: 0,
        string: Vec::new(),
    };
    let token = decoder.next();
    decoder.value(token)?;
    let token = decoder.next();
    match token.kind {
        Kind::End => Ok(1),
        _ => Err(decoder.unexpected("the end", token)),
    }
}

/// A piece of JSON, and where it begins.
#[derive(Clone, Copy)]
struct Token {
    kind: Kind,
    at: usize,
}

#[derive(Clone, Copy)]
enum Kind {
    ObjectBegin,
    ObjectEnd,
    ArrayBegin,
    ArrayEnd,
    /// Its text is in [`Decoder::string`].
    String,
    Number(f64),
    Boolean(bool),
    Null,
    Colon,
    Comma,
    End,
    Error(&'static str),
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::ObjectBegin => "T_OBJ_BEGIN",
            Kind::ObjectEnd => "T_OBJ_END",
            Kind::ArrayBegin => "T_ARR_BEGIN",
            Kind::ArrayEnd => "T_ARR_END",
            Kind::String => "T_STRING",
            Kind::Number(_) => "T_NUMBER",
            Kind::Boolean(_) => "T_BOOLEAN",
            Kind::Null => "T_NULL",
            Kind::Colon => "T_COLON",
            Kind::Comma => "T_COMMA",
            Kind::End => "T_END",
            Kind::Error(what) => what,
        }
    }
}

struct Decoder<'a> {
    lua: Lua,
    config: &'a Config,
    text: &'a [u8],
    at: usize,
    depth: i32,
    /// The last string, without its escapes.
    string: Vec<u8>,
}

impl Decoder<'_> {
    /// A byte of the text; behind its end there is a 0, as in C.
    fn byte(&self, at: usize) -> u8 {
        self.text.get(at).copied().unwrap_or(0)
    }

    fn rest(&self) -> &[u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn next(&mut self) -> Token {
        while matches!(self.byte(self.at), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
        let at = self.at;
        let single = match self.byte(at) {
            b'{' => Kind::ObjectBegin,
            b'}' => Kind::ObjectEnd,
            b'[' => Kind::ArrayBegin,
            b']' => Kind::ArrayEnd,
            b',' => Kind::Comma,
            b':' => Kind::Colon,
            0 => return Token { kind: Kind::End, at },
            _ => return self.longer(at),
        };
        self.at += 1;
        Token { kind: single, at }
    }

    fn longer(&mut self, at: usize) -> Token {
        const WORDS: [(&[u8], Kind); 3] = [
            (b"true", Kind::Boolean(true)),
            (b"false", Kind::Boolean(false)),
            (b"null", Kind::Null),
        ];
        let takes_invalid = self.config.decode_invalid.get();
        let first = self.byte(at);
        if first == b'"' {
            let kind = self.string_token();
            // An error is where it was found.
            let at = if matches!(kind, Kind::Error(_)) {
                self.at
            } else {
                at
            };
            return Token { kind, at };
        }
        if first == b'-' || first.is_ascii_digit() {
            if !takes_invalid && self.is_invalid_number() {
                return Token {
                    kind: Kind::Error("invalid number"),
                    at,
                };
            }
            return Token {
                kind: self.number_token(),
                at,
            };
        }
        for (word, kind) in WORDS {
            if self.rest().starts_with(word) {
                self.at += word.len();
                return Token { kind, at };
            }
        }
        if takes_invalid && matches!(first, b'i' | b'I' | b'n' | b'N' | b'+') && self.is_invalid_number() {
            return Token {
                kind: self.number_token(),
                at,
            };
        }
        Token {
            kind: Kind::Error("invalid token"),
            at,
        }
    }

    /// What C reads as a number, and JSON has not.
    fn is_invalid_number(&self) -> bool {
        let mut at = self.at;
        if self.byte(at) == b'+' {
            return true;
        }
        if self.byte(at) == b'-' {
            at += 1;
        }
        let rest = &self.text[at.min(self.text.len())..];
        match self.byte(at) {
            b'0' => {
                let second = self.byte(at + 1);
                second | 0x20 == b'x' || second.is_ascii_digit()
            }
            byte if byte <= b'9' => false,
            _ => rest
                .get(..3)
                .is_some_and(|word| word.eq_ignore_ascii_case(b"inf") || word.eq_ignore_ascii_case(b"nan")),
        }
    }

    fn number_token(&mut self) -> Kind {
        let start: *const libc::c_char = self.text[self.at..].as_ptr().cast();
        let mut end = std::ptr::null_mut();
        // SAFETY: a 0 follows the text, which is a string of Lua's.
        let number = unsafe { libc::strtod(start, &mut end) };
        let len = (end as usize).saturating_sub(start as usize);
        if len == 0 {
            return Kind::Error("invalid number");
        }
        self.at += len;
        Kind::Number(number)
    }

    fn string_token(&mut self) -> Kind {
        self.at += 1;
        self.string.clear();
        loop {
            match self.byte(self.at) {
                b'"' => {
                    self.at += 1;
                    return Kind::String;
                }
                0 => return Kind::Error("unexpected end of string"),
                b'\\' => {
                    let escaped = match self.byte(self.at + 1) {
                        byte @ (b'"' | b'\\' | b'/') => byte,
                        b'b' => 0x08,
                        b't' => b'\t',
                        b'n' => b'\n',
                        b'f' => 0x0c,
                        b'r' => b'\r',
                        b'u' => match self.unicode() {
                            Some((character, len)) => {
                                let mut utf8 = [0; 4];
                                self.string
                                    .extend_from_slice(character.encode_utf8(&mut utf8).as_bytes());
                                self.at += len;
                                continue;
                            }
                            None => return Kind::Error("invalid unicode escape code"),
                        },
                        _ => return Kind::Error("invalid escape code"),
                    };
                    self.string.push(escaped);
                    self.at += 2;
                }
                byte => {
                    self.string.push(byte);
                    self.at += 1;
                }
            }
        }
    }

    /// The character of an escape here, `\uXXXX` or two of them, and its length.
    fn unicode(&self) -> Option<(char, usize)> {
        let unit = self.hex(self.at + 2)?;
        if let Some(character) = char::from_u32(unit) {
            return Some((character, 6));
        }
        if unit & 0x400 != 0 || self.byte(self.at + 6) != b'\\' || self.byte(self.at + 7) != b'u' {
            return None;
        }
        let low = self.hex(self.at + 8)?;
        if low & 0xfc00 != 0xdc00 {
            return None;
        }
        let character = (((unit & 0x3ff) << 10) | (low & 0x3ff)) + 0x1_0000;
        char::from_u32(character).map(|character| (character, 12))
    }

    fn hex(&self, at: usize) -> Option<u32> {
        let add = |value: u32, at: usize| Some(value << 4 | char::from(self.byte(at)).to_digit(16)?);
        (at..at + 4).try_fold(0, add)
    }

    fn unexpected(&self, expected: &str, token: Token) -> Raise {
        let (found, at) = (token.kind.name(), token.at + 1);
        self.lua
            .raise(format!("Expected {expected} but found {found} at character {at}"))
    }

    /// Pushes the value that begins with a token.
    fn value(&mut self, token: Token) -> Result<(), Raise> {
        match token.kind {
            Kind::String => self.lua.push_bytes(&self.string),
            Kind::Number(number) => self.lua.push_number(number),
            Kind::Boolean(value) => self.lua.push_bool(value),
            Kind::Null => self.lua.push_null_pointer(),
            Kind::ObjectBegin => self.object()?,
            Kind::ArrayBegin => self.array()?,
            _ => return Err(self.unexpected("value", token)),
        }
        Ok(())
    }

    fn descend(&mut self) -> Result<(), Raise> {
        self.depth = self.depth.saturating_add(1);
        if self.depth > self.config.decode_max_depth.get() || !self.lua.has_room(4) {
            let (depth, at) = (self.depth, self.at);
            let text = format!("Found too many nested data structures ({depth}) at character {at}");
            return Err(self.lua.raise(text));
        }
        self.lua.push_table(0, 0);
        Ok(())
    }

    fn object(&mut self) -> Result<(), Raise> {
        self.descend()?;
        let mut token = self.next();
        if !matches!(token.kind, Kind::ObjectEnd) {
            loop {
                match token.kind {
                    Kind::String => self.lua.push_bytes(&self.string),
                    _ => return Err(self.unexpected("object key string", token)),
                }
                token = self.next();
                if !matches!(token.kind, Kind::Colon) {
                    return Err(self.unexpected("colon", token));
                }
                token = self.next();
                self.value(token)?;
                self.lua.raw_set(-3);
                token = self.next();
                match token.kind {
                    Kind::ObjectEnd => break,
                    Kind::Comma => token = self.next(),
                    _ => return Err(self.unexpected("comma or object end", token)),
                }
            }
        }
        self.depth -= 1;
        Ok(())
    }

    fn array(&mut self) -> Result<(), Raise> {
        self.descend()?;
        let mut token = self.next();
        if !matches!(token.kind, Kind::ArrayEnd) {
            for index in 1.. {
                self.value(token)?;
                self.lua.raw_set_index(-2, index);
                token = self.next();
                match token.kind {
                    Kind::ArrayEnd => break,
                    Kind::Comma => token = self.next(),
                    _ => return Err(self.unexpected("comma or array end", token)),
                }
            }
        }
        self.depth -= 1;
        Ok(())
    }
}
