//! The payload of FUNCTION DUMP and FUNCTION RESTORE, which Redis reads and writes:
//!
//! ```text
//! payload  := item* version:u16 le crc64:u64 le     the sum of all before it
//! item     := 245 string                            the code of a library, with the line that names it
//!           | 246 string string length [string] string
//!                                                   older: name, engine, whether there is a description, it, the code
//! string   := length byte*
//!           | 0xc0 i8 | 0xc1 i16 le | 0xc2 i32 le   a number's digits
//!           | 0xc3 length length byte*              LZF: lengths compressed and not
//! length   := 00LLLLLL | 01LLLLLL LLLLLLLL | 0x80 u32 be | 0x81 u64 be
//! ```

use crate::base::crc64::crc64;
use crate::base::lzf;

/// The version that is written: the oldest that has functions, so that every server that knows them reads it.
const VERSION: u16 = 10;
/// The last version that is read: what Redis 8 writes.
const LAST_VERSION: u16 = 12;
/// What Valkey 9 writes. Libraries are in it as they are in the others.
const VALKEY_VERSION: u16 = 80;

const FUNCTION2: u8 = 245;
const FUNCTION: u8 = 246;

/// Longest text in a payload: more than any library may take.
const MOST_TEXT: u64 = 512 << 20;
/// A compressed text grows by no more than this factor: a copy of 264 bytes takes three.
const MOST_GROWTH: u64 = 88;

/// The version and the sum.
const FOOTER: usize = 10;

/// What a payload is answered with whose end is wrong.
const WRONG_FOOTER: &str = "DUMP payload version or checksum are wrong";

/// The payload of libraries, by their codes.
pub fn dump<'a>(codes: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    for code in codes {
        out.push(FUNCTION2);
        put_length(&mut out, code.len());
        out.extend_from_slice(code);
    }
    out.extend_from_slice(&VERSION.to_le_bytes());
    let sum = crc64(&out);
    out.extend_from_slice(&sum.to_le_bytes());
    out
}

fn put_length(out: &mut Vec<u8>, length: usize) {
    match length {
        0..0x40 => out.push(length as u8),
        0x40..0x4000 => out.extend_from_slice(&(length as u16 | 0x4000).to_be_bytes()),
        _ => {
            out.push(0x80);
            out.extend_from_slice(&(length as u32).to_be_bytes());
        }
    }
}

/// Whether the payload ends as it should.
///
/// # Errors
/// What is wrong, without a code.
pub fn check(payload: &[u8]) -> Result<(), &'static str> {
    let (body, footer) = payload.split_last_chunk::<FOOTER>().ok_or(WRONG_FOOTER)?;
    let [low, high, sum @ ..] = *footer;
    let version = u16::from_le_bytes([low, high]);
    let is_known = version <= LAST_VERSION || version == VALKEY_VERSION;
    match is_known && u64::from_le_bytes(sum) == crc64(&payload[..body.len() + 2]) {
        true => Ok(()),
        false => Err(WRONG_FOOTER),
    }
}

/// The codes of the libraries in a payload that was checked, in their order.
pub struct Codes<'a>(Reader<'a>);

impl<'a> Codes<'a> {
    /// Those of a payload.
    pub fn of(payload: &'a [u8]) -> Codes<'a> {
        Codes(Reader(&payload[..payload.len().saturating_sub(FOOTER)]))
    }
}

impl Iterator for Codes<'_> {
    /// What is wrong, without a code of errors.
    type Item = Result<Vec<u8>, &'static str>;

    fn next(&mut self) -> Option<Result<Vec<u8>, &'static str>> {
        let kind = self.0.byte()?;
        let read = match kind {
            FUNCTION2 => self.0.text().ok_or("Failed loading library payload"),
            FUNCTION => self.0.older(),
            _ => Err("given type is not a function"),
        };
        if read.is_err() {
            self.0 = Reader(b"");
        }
        Some(read)
    }
}

/// The rest of a payload.
struct Reader<'a>(&'a [u8]);

/// What stands before a string.
enum Length {
    Plain(u64),
    /// How it is encoded.
    Encoded(u8),
}

impl<'a> Reader<'a> {
    fn bytes(&mut self, count: u64) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(usize::try_from(count).ok()?)?;
        self.0 = rest;
        Some(bytes)
    }

    fn byte(&mut self) -> Option<u8> {
        self.bytes(1).map(|byte| byte[0])
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bytes(N as u64)?.try_into().ok()
    }

    fn length(&mut self) -> Option<Length> {
        let first = self.byte()?;
        Some(match (first >> 6, first) {
            (0, _) => Length::Plain(u64::from(first)),
            (1, _) => Length::Plain(u64::from(first & 0x3f) << 8 | u64::from(self.byte()?)),
            (2, 0x80) => Length::Plain(u64::from(u32::from_be_bytes(self.array()?))),
            (2, 0x81) => Length::Plain(u64::from_be_bytes(self.array()?)),
            (2, _) => return None,
            _ => Length::Encoded(first & 0x3f),
        })
    }

    fn plain(&mut self) -> Option<u64> {
        match self.length()? {
            Length::Plain(length) => Some(length),
            Length::Encoded(_) => None,
        }
    }

    fn text(&mut self) -> Option<Vec<u8>> {
        let number = match self.length()? {
            Length::Plain(length) => return self.bytes(length).map(<[u8]>::to_vec),
            Length::Encoded(0) => i64::from(i8::from_le_bytes(self.array()?)),
            Length::Encoded(1) => i64::from(i16::from_le_bytes(self.array()?)),
            Length::Encoded(2) => i64::from(i32::from_le_bytes(self.array()?)),
            Length::Encoded(3) => {
                let (compressed, length) = (self.plain()?, self.plain()?);
                let compressed = self.bytes(compressed)?;
                let most = MOST_TEXT.min(MOST_GROWTH * compressed.len() as u64);
                let length = usize::try_from(Some(length).filter(|&length| length <= most)?).ok()?;
                return lzf::decompress(compressed, length);
            }
            Length::Encoded(_) => return None,
        };
        Some(number.to_string().into_bytes())
    }

    /// As release candidates of 7.0 had it: what the first line says now was beside the code.
    fn older(&mut self) -> Result<Vec<u8>, &'static str> {
        let name = self.text().ok_or("Failed loading library name")?;
        let engine = self.text().ok_or("Failed loading engine name")?;
        let described = self.plain();
        if described.ok_or("Failed loading library description indicator")? != 0 {
            self.text().ok_or("Failed loading library description")?;
        }
        let code = self.text().ok_or("Failed loading library blob")?;
        Ok([b"#!", &engine[..], b" name=", &name, b"\n", &code].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::random::Random;

    fn codes(payload: &[u8]) -> Result<Vec<Vec<u8>>, &'static str> {
        check(payload)?;
        Codes::of(payload).collect()
    }

    /// With an end as it should be.
    fn ended(body: &[u8], version: u16) -> Vec<u8> {
        let mut payload = [body, &version.to_le_bytes()].concat();
        let sum = crc64(&payload);
        payload.extend_from_slice(&sum.to_le_bytes());
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
                *first = if random.chance(0.5) { FUNCTION2 } else { FUNCTION };
            }
            if let Ok(codes) = codes(&ended(&body, 10)) {
                assert!(codes.iter().map(Vec::len).sum::<usize>() <= MOST_GROWTH as usize * body.len());
            }
        }
    }
}
