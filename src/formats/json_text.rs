//! Byte strings, IDs and scores as JSON has them.

use crate::rdb::StreamId;

/// What the head calls the format.
pub const FORMAT: &str = "json-lines";
/// The schema that is written, and the latest that is read.
pub const VERSION: u64 = 1;

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const HEX: &[u8; 16] = b"0123456789abcdef";

/// Appends bytes: as a string if they are UTF-8, else as `{"base64":"..."}`.
pub fn push_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else {
        out.extend_from_slice(b"{\"base64\":\"");
        push_base64(out, bytes);
        out.extend_from_slice(b"\"}");
        return;
    };
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut plain = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        if byte >= b' ' && byte != b'"' && byte != b'\\' && byte != 0x7f {
            continue;
        }
        out.extend_from_slice(&bytes[plain..at]);
        plain = at + 1;
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            _ => {
                out.extend_from_slice(b"\\u00");
                out.push(HEX[usize::from(byte >> 4)]);
                out.push(HEX[usize::from(byte & 15)]);
            }
        }
    }
    out.extend_from_slice(&bytes[plain..]);
    out.push(b'"');
}

fn push_base64(out: &mut Vec<u8>, bytes: &[u8]) {
    for group in bytes.chunks(3) {
        let mut three = [0; 3];
        three[..group.len()].copy_from_slice(group);
        let bits = u32::from_be_bytes([0, three[0], three[1], three[2]]);
        for at in 0..4 {
            out.push(match at <= group.len() {
                true => BASE64[(bits >> (18 - 6 * at)) as usize & 63],
                false => b'=',
            });
        }
    }
}

/// The bytes that a text in base64 stands for; `None` if it is none.
pub fn from_base64(text: &str) -> Option<Vec<u8>> {
    let text = text.as_bytes();
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    if !text.len().is_multiple_of(4) {
        return None;
    }
    let padding = text.iter().rev().take_while(|byte| **byte == b'=').count();
    if padding > 2 {
        return None;
    }
    for group in text.chunks(4) {
        let mut bits = 0;
        for &digit in group {
            let value = match digit {
                b'A'..=b'Z' => digit - b'A',
                b'a'..=b'z' => digit - b'a' + 26,
                b'0'..=b'9' => digit - b'0' + 52,
                b'+' => 62,
                b'/' => 63,
                b'=' => 0,
                _ => return None,
            };
            bits = bits << 6 | u32::from(value);
        }
        bytes.extend_from_slice(&bits.to_be_bytes()[1..]);
    }
    let inner = &text[..text.len() - padding];
    if inner.contains(&b'=') {
        return None;
    }
    bytes.truncate(bytes.len() - padding);
    Some(bytes)
}

/// Appends an ID, as a string.
pub fn push_id(out: &mut Vec<u8>, id: StreamId) {
    let mut digits = itoa::Buffer::new();
    out.push(b'"');
    out.extend_from_slice(digits.format(id.ms).as_bytes());
    out.push(b'-');
    out.extend_from_slice(digits.format(id.seq).as_bytes());
    out.push(b'"');
}

/// The ID that a text names; `None` if it names none.
pub fn parse_id(text: &str) -> Option<StreamId> {
    let (ms, seq) = text.split_once('-')?;
    Some(StreamId {
        ms: ms.parse().ok()?,
        seq: seq.parse().ok()?,
    })
}

/// Appends a score: a number that reads back the same, or `"inf"` or `"-inf"`.
pub fn push_score(out: &mut Vec<u8>, score: f64) {
    let text = match score {
        f64::INFINITY => "\"inf\"".to_owned(),
        f64::NEG_INFINITY => "\"-inf\"".to_owned(),
        // Shortest digits that read back the same; whole numbers without a point.
        score
            if score == score.trunc()
                && score.abs() < 1e15
                && !(score == 0.0 && score.is_sign_negative()) =>
        {
            format!("{}", score as i64)
        }
        score => format!("{score:?}"),
    };
    out.extend_from_slice(text.as_bytes());
}

/// Appends a number.
pub fn push_number(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(bytes: &[u8]) -> String {
        let mut out = Vec::new();
        push_bytes(&mut out, bytes);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn texts_are_strings_and_other_bytes_base64() {
        assert_eq!(json(b"plain \xc3\xa4"), "\"plain ä\"");
        assert_eq!(json(b"a\"\\\n\x01\x7f"), "\"a\\\"\\\\\\n\\u0001\\u007f\"");
        for bytes in [&b"\xff"[..], b"\xff\xfe", b"\xff\xfe\xfd", b"\x80abcdefg"] {
            let text = json(bytes);
            let inner = text
                .strip_prefix("{\"base64\":\"")
                .and_then(|text| text.strip_suffix("\"}"));
            assert_eq!(from_base64(inner.unwrap()).unwrap(), bytes);
        }
        for bad in ["a", "====", "=aaa", "a=aa", "aa!a", "aaa=aaaa"] {
            assert_eq!(from_base64(bad), None, "{bad}");
        }
    }

    #[test]
    fn scores_read_back_the_same() {
        for score in [
            0.0,
            -0.0,
            1.0,
            -3.5,
            1e300,
            5e-324,
            0.1,
            1e15,
            123_456_789_012_345_680.0,
        ] {
            let mut out = Vec::new();
            push_score(&mut out, score);
            let read: f64 = serde_json::from_slice(&out).unwrap();
            assert_eq!(read.to_bits(), score.to_bits(), "{score}");
        }
    }

    #[test]
    fn ids_come_back() {
        let id = StreamId { ms: u64::MAX, seq: 0 };
        let mut out = Vec::new();
        push_id(&mut out, id);
        let text = String::from_utf8(out).unwrap();
        assert_eq!(parse_id(text.trim_matches('"')), Some(id));
        assert_eq!(parse_id("1"), None);
    }
}
