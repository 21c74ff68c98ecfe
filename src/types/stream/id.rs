//! IDs of entries: a time in milliseconds and a number among the entries of that millisecond.

use std::fmt;

use crate::base::num::parse_i64;
use crate::store::{Result, Stop};

/// What Redis answers to an ID that is none.
pub const INVALID_ID: &str = "ERR Invalid stream ID specified as stream command argument";

/// The longest text that Redis reads as an ID.
const MAX_TEXT: usize = 127;

/// An entry's ID. Its encoding sorts as it does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Debug)]
pub struct Id {
    /// In Unix milliseconds, as far as clients and clocks are right.
    pub ms: u64,
    /// Tells entries of one millisecond apart.
    pub seq: u64,
}

impl Id {
    /// Below every entry's ID.
    pub const MIN: Id = Id { ms: 0, seq: 0 };
    /// The highest one.
    pub const MAX: Id = Id {
        ms: u64::MAX,
        seq: u64::MAX,
    };

    /// Both numbers, big endian.
    pub fn encode(self) -> [u8; 16] {
        (u128::from(self.ms) << 64 | u128::from(self.seq)).to_be_bytes()
    }

    /// The ID that [`Id::encode`] made these bytes of.
    pub fn decode(bytes: [u8; 16]) -> Id {
        let both = u128::from_be_bytes(bytes);
        Id {
            ms: (both >> 64) as u64,
            seq: both as u64,
        }
    }

    /// The ID that follows; `None` after the last.
    pub fn next(self) -> Option<Id> {
        match (self.seq.checked_add(1), self.ms.checked_add(1)) {
            (Some(seq), _) => Some(Id { seq, ..self }),
            (None, Some(ms)) => Some(Id { ms, seq: 0 }),
            (None, None) => None,
        }
    }

    /// The ID that comes before; `None` before the first.
    pub fn previous(self) -> Option<Id> {
        match (self.seq.checked_sub(1), self.ms.checked_sub(1)) {
            (Some(seq), _) => Some(Id { seq, ..self }),
            (None, Some(ms)) => Some(Id { ms, seq: u64::MAX }),
            (None, None) => None,
        }
    }

    /// `ms-seq`, or `ms` alone with `missing` in the place of the other.
    pub fn parse(text: &[u8], missing: u64) -> Result<Id> {
        match parts(text).and_then(|(ms, seq)| Some((unsigned(ms)?, seq.map_or(Some(missing), unsigned)?))) {
            Some((ms, seq)) => Ok(Id { ms, seq }),
            None => Stop::error(INVALID_ID),
        }
    }

    /// As [`Id::parse`], with `-` for the first of all IDs and `+` for the last.
    pub fn parse_bound(text: &[u8], missing: u64) -> Result<Id> {
        match text {
            b"-" => Ok(Id::MIN),
            b"+" => Ok(Id::MAX),
            text => Id::parse(text, missing),
        }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

/// The ID that XADD is to give.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NewId {
    /// `*`
    Now,
    /// `ms-*`: the next in that millisecond.
    In(u64),
    /// This one.
    Exactly(Id),
}

impl NewId {
    /// The ID that an argument names; an error if it names none.
    pub fn parse(text: &[u8]) -> Result<NewId> {
        match parts(text) {
            _ if text == b"*" => Ok(NewId::Now),
            Some((ms, Some(b"*"))) => match unsigned(ms) {
                Some(ms) => Ok(NewId::In(ms)),
                None => Stop::error(INVALID_ID),
            },
            _ => Id::parse(text, 0).map(NewId::Exactly),
        }
    }
}

/// What is before the first `-`, and what is after it. For Redis a text ends at a NUL.
fn parts(text: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    if text.len() > MAX_TEXT {
        return None;
    }
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
    Some(match text.iter().position(|byte| *byte == b'-') {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    })
}

/// A number as Redis reads it: a plain one, or else whatever C's `strtoull` makes of it.
fn unsigned(text: &[u8]) -> Option<u64> {
    if let Some(number) = parse_i64(text) {
        return u64::try_from(number).ok();
    }
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t'..=b'\r');
    let text = &text[text.iter().take_while(|byte| is_space(byte)).count()..];
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() {
        return None;
    }
    let number = digits.iter().try_fold(0u64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })?;
    Some(if negative { number.wrapping_neg() } else { number })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(ms: u64, seq: u64) -> Id {
        Id { ms, seq }
    }

    #[test]
    fn ids_are_read_as_redis_reads_them() {
        for (text, expected) in [
            ("5", Some(id(5, 9))),
            ("5-3", Some(id(5, 3))),
            ("18446744073709551615-18446744073709551615", Some(Id::MAX)),
            ("18446744073709551616", None),
            ("007- 8", Some(id(7, 8))),
            ("1--05", Some(id(1, 5u64.wrapping_neg()))),
            ("1--5", None),
            ("1-5-6", None),
            ("5-", None),
            ("-5", None),
            ("-", None),
            ("+", None),
            ("", None),
            ("1-*", None),
            ("5\0x", Some(id(5, 9))),
        ] {
            assert_eq!(Id::parse(text.as_bytes(), 9).ok(), expected, "{text}");
        }
        assert!(Id::parse(&[b'0'; 128], 0).is_err() && Id::parse(&[b'0'; 127], 0).is_ok());
        assert_eq!(Id::parse_bound(b"-", 9).ok(), Some(Id::MIN));
        assert_eq!(Id::parse_bound(b"+", 9).ok(), Some(Id::MAX));
        assert_eq!(NewId::parse(b"*").ok(), Some(NewId::Now));
        assert_eq!(NewId::parse(b"7-*").ok(), Some(NewId::In(7)));
        assert_eq!(NewId::parse(b"7").ok(), Some(NewId::Exactly(id(7, 0))));
        assert!(NewId::parse(b"*-*").is_err() && NewId::parse(b"7-**").is_err());
    }

    #[test]
    fn neighbours_and_order() {
        assert_eq!(id(1, u64::MAX).next(), Some(id(2, 0)));
        assert_eq!(id(2, 0).previous(), Some(id(1, u64::MAX)));
        assert_eq!((Id::MAX.next(), Id::MIN.previous()), (None, None));
        let ids = [Id::MIN, id(0, 1), id(1, 0), id(255, 3), id(256, 0), Id::MAX];
        assert!(ids.map(Id::encode).is_sorted());
        assert_eq!(ids.map(|id| Id::decode(id.encode())), ids);
        assert_eq!(id(5, 3).to_string(), "5-3");
    }
}
