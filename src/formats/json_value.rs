//! JSON, read exactly: numbers stay as they are written, so that scores and IDs lose nothing.

use std::borrow::Cow;

/// How deep values may be within each other: a dump needs seven levels.
const DEPTH: usize = 16;

/// A value. Of an object that has a name twice, the first counts.
#[derive(Debug, PartialEq)]
pub enum Json<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// As it is written.
    Number(&'a str),
    /// A string, without its escapes.
    Text(Cow<'a, str>),
    /// Values in a row.
    Array(Vec<Json<'a>>),
    /// Names and values.
    Object(Vec<(Cow<'a, str>, Json<'a>)>),
}

impl<'a> Json<'a> {
    /// What an object has by this name; `null` is nothing.
    pub fn get(&self, name: &str) -> Option<&Json<'a>> {
        let Json::Object(members) = self else { return None };
        let found = members.iter().find(|(known, _)| known == name);
        found
            .map(|(_, value)| value)
            .filter(|value| **value != Json::Null && **value != Json::Bool(false))
    }

    /// The string, if it is one.
    pub fn text(&self) -> Option<&str> {
        match self {
            Json::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// Reads one value, with nothing but space around it.
///
/// # Errors
/// What is wrong, and at which byte.
pub fn parse(text: &str) -> Result<Json<'_>, String> {
    let mut parser = Parser { text, at: 0 };
    let value = parser.value(DEPTH);
    let value = value.and_then(|value| {
        parser.skip_space();
        match parser.at == text.len() {
            true => Ok(value),
            false => Err("something behind the value"),
        }
    });
    value.map_err(|what| format!("no JSON at byte {}: {what}", parser.at))
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

type Parsed<T> = Result<T, &'static str>;

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a [u8] {
        &self.text.as_bytes()[self.at..]
    }

    fn skip_space(&mut self) {
        let space = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
        self.at += self.rest().iter().take_while(space).count();
    }

    /// The next byte that is no space.
    fn peek(&mut self) -> Parsed<u8> {
        self.skip_space();
        self.rest().first().copied().ok_or("it ends early")
    }

    fn expect(&mut self, byte: u8, what: &'static str) -> Parsed<()> {
        match self.peek()? == byte {
            true => {
                self.at += 1;
                Ok(())
            }
            false => Err(what),
        }
    }

    fn value(&mut self, depth: usize) -> Parsed<Json<'a>> {
        if depth == 0 {
            return Err("too deep");
        }
        match self.peek()? {
            b'"' => Ok(Json::Text(self.string()?)),
            b'[' => self.array(depth),
            b'{' => self.object(depth),
            b't' => self.word("true", Json::Bool(true)),
            b'f' => self.word("false", Json::Bool(false)),
            b'n' => self.word("null", Json::Null),
            _ => self.number(),
        }
    }

    fn word(&mut self, word: &str, value: Json<'a>) -> Parsed<Json<'a>> {
        match self.rest().starts_with(word.as_bytes()) {
            true => {
                self.at += word.len();
                Ok(value)
            }
            false => Err("an unknown word"),
        }
    }

    fn number(&mut self) -> Parsed<Json<'a>> {
        let is_part = |byte: &&u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        let length = self.rest().iter().take_while(is_part).count();
        let digits = &self.text[self.at..self.at + length];
        // What Rust reads and JSON does not have (`inf`, `+1`) has other bytes, or begins with none of these.
        if !digits.starts_with(|c: char| c == '-' || c.is_ascii_digit()) || digits.parse::<f64>().is_err() {
            return Err("a value was expected");
        }
        self.at += length;
        Ok(Json::Number(digits))
    }

    fn array(&mut self, depth: usize) -> Parsed<Json<'a>> {
        self.at += 1;
        let mut all = Vec::new();
        if self.peek()? == b']' {
            self.at += 1;
            return Ok(Json::Array(all));
        }
        loop {
            all.push(self.value(depth - 1)?);
            if self.peek()? == b',' {
                self.at += 1;
                continue;
            }
            self.expect(b']', "a comma or the end of an array was expected")?;
            return Ok(Json::Array(all));
        }
    }

    fn object(&mut self, depth: usize) -> Parsed<Json<'a>> {
        self.at += 1;
        let mut members = Vec::new();
        if self.peek()? == b'}' {
            self.at += 1;
            return Ok(Json::Object(members));
        }
        loop {
            if self.peek()? != b'"' {
                return Err("a name was expected");
            }
            let name = self.string()?;
            self.expect(b':', "a colon was expected")?;
            members.push((name, self.value(depth - 1)?));
            if self.peek()? == b',' {
                self.at += 1;
                continue;
            }
            self.expect(b'}', "a comma or the end of an object was expected")?;
            return Ok(Json::Object(members));
        }
    }

    fn string(&mut self) -> Parsed<Cow<'a, str>> {
        self.at += 1;
        let mut text = Cow::Borrowed("");
        loop {
            let plain = memchr::memchr2(b'"', b'\\', self.rest()).ok_or("a string without an end")?;
            let part = &self.text[self.at..self.at + plain];
            if part.bytes().any(|byte| byte < b' ') {
                return Err("a control character in a string");
            }
            match text.is_empty() {
                true => text = Cow::Borrowed(part),
                false => text.to_mut().push_str(part),
            }
            self.at += plain + 1;
            if self.text.as_bytes()[self.at - 1] == b'"' {
                return Ok(text);
            }
            let escaped = self.escape()?;
            text.to_mut().push(escaped);
        }
    }

    /// What stands behind a backslash.
    fn escape(&mut self) -> Parsed<char> {
        let byte = *self.rest().first().ok_or("a string without an end")?;
        self.at += 1;
        Ok(match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let high = self.four_digits()?;
                if !(0xd800..0xdc00).contains(&high) {
                    return char::from_u32(high).ok_or("half of a character");
                }
                if !self.rest().starts_with(b"\\u") {
                    return Err("half of a character");
                }
                self.at += 2;
                let low = self.four_digits()?.wrapping_sub(0xdc00);
                if low >= 0x400 {
                    return Err("half of a character");
                }
                return char::from_u32(0x10000 + ((high - 0xd800) << 10) + low).ok_or("half of a character");
            }
            _ => return Err("an unknown escape"),
        })
    }

    fn four_digits(&mut self) -> Parsed<u32> {
        let digits = self
            .text
            .get(self.at..self.at + 4)
            .ok_or("four digits were expected")?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err("four digits were expected");
        }
        self.at += 4;
        u32::from_str_radix(digits, 16).map_err(|_| "four digits were expected")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_they_are_written() {
        let json = parse(r#" {"a": [1, -2.50e3, "x\n\u00e4\ud83d\ude00\/", true, null], "b":{}} "#).unwrap();
        let Some(Json::Array(all)) = json.get("a") else {
            panic!("{json:?}");
        };
        assert_eq!(all[..2], [Json::Number("1"), Json::Number("-2.50e3")]);
        assert_eq!(all[2].text(), Some("x\nä😀/"));
        assert_eq!(all[3..], [Json::Bool(true), Json::Null]);
        assert_eq!(json.get("b"), Some(&Json::Object(Vec::new())));
    }

    #[test]
    fn what_is_no_json_is_refused_where_it_is_wrong() {
        for bad in [
            "",
            "{",
            "[1,]",
            "{\"a\"}",
            "{\"a\":1,}",
            "\"",
            "\"\\x\"",
            "\"\\ud800\"",
            "nul",
            "+1",
            "inf",
            "1 2",
            "-",
            "\"\\u00\u{e4}\"",
            "\"\n\"",
        ] {
            assert!(parse(bad).unwrap_err().starts_with("no JSON at byte"), "{bad}");
        }
        let deep = "[".repeat(100_000);
        assert!(parse(&deep).unwrap_err().ends_with("too deep"));
    }
}
