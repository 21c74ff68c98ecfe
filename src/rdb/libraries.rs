//! The payload of FUNCTION DUMP and FUNCTION RESTORE, which Redis reads and writes:
//!
//! ```text
//! payload  := item* version:u16 le crc64:u64 le     the sum of all before it
//! item     := 245 string                            the code of a library, with the line that names it
//!           | 246 string string length [string] string
//!                                                   older: name, engine, whether there is a description, it, the code
//! ```
//!
//! `input.rs` has the grammar of strings and lengths.

use super::encode::push_length;
use super::input::Input;
use super::payload;
use super::version::opcode;

/// The version that is written: the oldest that has functions, so that every server that knows them reads it.
const VERSION: u16 = 10;
/// The last version that is read: what Redis 8 writes.
const LAST_VERSION: u16 = 12;
/// What Valkey 9 writes. Libraries are in it as they are in the others.
const VALKEY_VERSION: u16 = 80;

/// Longest text in a payload: more than any library may take.
const MOST_TEXT: u64 = 512 << 20;

/// What a payload is answered with whose end is wrong.
const WRONG_FOOTER: &str = "DUMP payload version or checksum are wrong";

/// The payload of libraries, by their codes.
pub fn dump<'a>(codes: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    for code in codes {
        out.push(opcode::FUNCTION2);
        push_length(&mut out, code.len() as u64);
        out.extend_from_slice(code);
    }
    payload::end(&mut out, VERSION);
    out
}

/// Whether the payload ends as it should.
///
/// # Errors
/// What is wrong, without a code.
pub fn check(payload: &[u8]) -> Result<(), &'static str> {
    let is_known = |version| version <= LAST_VERSION || version == VALKEY_VERSION;
    match payload::ended(payload) {
        Some((version, _)) if is_known(version) => Ok(()),
        _ => Err(WRONG_FOOTER),
    }
}

/// The codes of the libraries in a payload that was checked, in their order.
pub struct Codes<'a> {
    input: Input<&'a [u8]>,
    is_over: bool,
}

impl<'a> Codes<'a> {
    /// Those of a payload.
    pub fn of(payload: &'a [u8]) -> Codes<'a> {
        Codes {
            input: Input::new(payload::body(payload)).with_longest(MOST_TEXT),
            is_over: false,
        }
    }

    fn text(&mut self) -> Option<Vec<u8>> {
        let mut text = Vec::new();
        self.input.string(&mut text).ok().map(|()| text)
    }

    /// As release candidates of 7.0 had it: what the first line says now was beside the code.
    fn older(&mut self) -> Result<Vec<u8>, &'static str> {
        let name = self.text().ok_or("Failed loading library name")?;
        let engine = self.text().ok_or("Failed loading engine name")?;
        let described = self.input.number();
        if described.map_err(|_| "Failed loading library description indicator")? != 0 {
            self.text().ok_or("Failed loading library description")?;
        }
        let code = self.text().ok_or("Failed loading library blob")?;
        Ok(with_first_line(&name, &engine, &code))
    }
}

/// What the code of a library begins with since 7.0, and the code.
pub(super) fn with_first_line(name: &[u8], engine: &[u8], code: &[u8]) -> Vec<u8> {
    [b"#!", engine, b" name=", name, b"\n", code].concat()
}

impl Iterator for Codes<'_> {
    /// What is wrong, without a code of errors.
    type Item = Result<Vec<u8>, &'static str>;

    fn next(&mut self) -> Option<Result<Vec<u8>, &'static str>> {
        if self.is_over {
            return None;
        }
        // All is in memory: that nothing comes is its end.
        let read = match self.input.byte().ok()? {
            opcode::FUNCTION2 => self.text().ok_or("Failed loading library payload"),
            opcode::FUNCTION_PRE_GA => self.older(),
            _ => Err("given type is not a function"),
        };
        self.is_over = read.is_err();
        Some(read)
    }
}

#[cfg(test)]
mod tests {
    use super::super::input::MOST_GROWTH;
    use super::*;
    use crate::base::random::Random;

    fn codes(payload: &[u8]) -> Result<Vec<Vec<u8>>, &'static str> {
        check(payload)?;
        Codes::of(payload).collect()
    }

    /// With an end as it should be.
    fn ended(body: &[u8], version: u16) -> Vec<u8> {
        let mut payload = body.to_vec();
        payload::end(&mut payload, version);
        payload
    }

    #[test]
    fn what_is_dumped_is_read_again() {
        for lengths in [&[][..], &[0, 1], &[63, 64], &[16_383, 16_384], &[70_000]] {
            let texts: Vec<Vec<u8>> = lengths.iter().map(|&length| vec![b'x'; length]).collect();
            let payload = dump(texts.iter().map(|text| &text[..]));
            assert_eq!(codes(&payload), Ok(texts));
        }
        // As Redis 7.0 has it.
        let payload = dump([&b"#!lua name=q7\nredis.register_function('z7', redis.log)"[..]].into_iter());
        assert!(payload.starts_with(b"\xf56#!lua name=q7\n"), "{payload:?}");
        assert_eq!(dump(std::iter::empty()), b"\n\x00]\x9b\\@\x0f\x7f\xa2\xda");
    }

    #[test]
    fn what_redis_has_dumped_is_read() {
        let empty = b"\x0c\x00\x96\xedh\x80\xf5U<\x93";
        assert_eq!(codes(empty), Ok(Vec::new()));
        let compressed = b"\xf5\xc3@G@Q\x1f#!lua name=q2\nredis.register_fun\x06ction({\xc0\x09\x00_`)\x0b12,callback=\xc0\x19\x07() end})";
        let code = b"#!lua name=q2\nredis.register_function({function_name=12,callback=function() end})";
        for version in [10, 11, 12, 80] {
            assert_eq!(codes(&ended(compressed, version)), Ok(vec![code.to_vec()]));
        }
        let older = b"\xf6\x01a\x03LUA\x01\x04text\x04code\xf6\x01b\x03lua\x00\xc0\x05";
        let read = [&b"#!LUA name=a\ncode"[..], b"#!lua name=b\n5"].map(<[u8]>::to_vec);
        assert_eq!(codes(&ended(older, 10)), Ok(read.to_vec()));
    }

    #[test]
    fn what_is_wrong_is_refused() {
        for payload in [&b""[..], b"x", b"0123456789", &ended(b"", 13), &ended(b"", 79)] {
            assert_eq!(codes(payload), Err(WRONG_FOOTER), "{payload:?}");
        }
        for (body, error) in [
            (&b"\x00\x01a\x01b"[..], "given type is not a function"),
            (b"\xf5\x05abcd", "Failed loading library payload"),
            (b"\xf5", "Failed loading library payload"),
            (b"\xf5\x82", "Failed loading library payload"),
            (b"\xf5\xc4", "Failed loading library payload"),
            (
                b"\xf5\x81\xff\xff\xff\xff\xff\xff\xff\xff",
                "Failed loading library payload",
            ),
            (
                b"\xf5\xc3\x03\x81\x7f\xff\xff\xff\xff\xff\xff\xff\x00ab",
                "Failed loading library payload",
            ),
            (b"\xf6\x01", "Failed loading library name"),
            (b"\xf6\x01a\x01", "Failed loading engine name"),
            (b"\xf6\x01a\x01b", "Failed loading library description indicator"),
            (b"\xf6\x01a\x01b\x01", "Failed loading library description"),
            (b"\xf6\x01a\x01b\x00", "Failed loading library blob"),
        ] {
            assert_eq!(codes(&ended(body, 10)), Err(error), "{body:?}");
        }
        let mut random = Random::from_seed(2);
        for _ in 0..20_000 {
            let mut body: Vec<u8> = (0..random.below(40)).map(|_| random.next_u64() as u8).collect();
            if let Some(first) = body.first_mut() {
                *first = if random.chance(0.5) {
                    opcode::FUNCTION2
                } else {
                    opcode::FUNCTION_PRE_GA
                };
            }
            if let Ok(codes) = codes(&ended(&body, 10)) {
                assert!(codes.iter().map(Vec::len).sum::<usize>() <= MOST_GROWTH as usize * body.len());
            }
        }
    }
}
