//! What a command answers: one [`Reply`] for both protocols; `encode` makes the difference.

use std::{borrow::Cow, fmt, ops::Deref, ops::Range, sync::Arc};

use super::aggregate::Aggregate;
use super::decode::ProtocolError;

/// A reply. Where RESP2 lacks a type, the comment says what it becomes there.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// `+OK`
    Ok,
    Simple(Cow<'static, str>),
    /// Its code and its text, without the leading `-`: "ERR syntax error".
    Error(Cow<'static, str>),
    Int(i64),
    /// RESP2: a bulk with the same text.
    Double(f64),
    /// A double with the digits of C's `%.17Lf`, but no zeros at their end. RESP2: a bulk.
    LongDouble(f64),
    /// RESP2: the integer 1 or 0.
    Bool(bool),
    /// Decimal digits, with a sign. RESP2: a bulk.
    BigNumber(String),
    Bulk(Blob),
    /// A bulk in parts, none of which is copied.
    Parts(Vec<Blob>),
    /// The format ("txt", "mkd") and the text. RESP2: a bulk of the text.
    Verbatim([u8; 3], Blob),
    /// RESP2: the null bulk.
    Null,
    /// RESP2: the null array. RESP3: null.
    NullArray,
    Array(Vec<Reply>),
    /// Elements that are encoded already: cheaper where there are many.
    Aggregate(Box<Aggregate>),
    /// RESP2: an array of keys and values in turn.
    Map(Vec<(Reply, Reply)>),
    /// RESP2: an array of arrays of a key and a value.
    NestedMap(Vec<(Reply, Reply)>),
    /// RESP3: an array of arrays of two. RESP2: an array of firsts and seconds in turn.
    Pairs(Vec<(Reply, Reply)>),
    /// RESP2: an array.
    Set(Vec<Reply>),
    /// RESP2: an array.
    Push(Vec<Reply>),
    /// RESP3: attributes in front of a reply. RESP2: the reply alone.
    Attribute(Vec<(Reply, Reply)>, Box<Reply>),
    /// No bytes at all.
    Nothing,
}

impl Reply {
    pub fn bulk(bytes: impl Into<Blob>) -> Reply {
        Reply::Bulk(bytes.into())
    }

    pub fn simple(text: impl Into<Cow<'static, str>>) -> Reply {
        Reply::Simple(text.into())
    }

    /// An error with its code: `Reply::err("ERR syntax error")`.
    pub fn err(text: impl Into<Cow<'static, str>>) -> Reply {
        Reply::Error(text.into())
    }
}

impl From<i64> for Reply {
    fn from(value: i64) -> Reply {
        Reply::Int(value)
    }
}

impl From<ProtocolError> for Reply {
    fn from(error: ProtocolError) -> Reply {
        Reply::err(format!("ERR {error}"))
    }
}

/// Bytes in a reply: a constant, a part of a value that the store holds, or bytes made for this reply.
#[derive(Clone)]
pub enum Blob {
    Static(&'static [u8]),
    Shared { bytes: Arc<[u8]>, start: u32, end: u32 },
    Owned(Vec<u8>),
}

impl Blob {
    /// A part of shared bytes, not copied unless it ends beyond 4 GiB. Panics out of range, as slices do.
    pub fn shared(bytes: Arc<[u8]>, range: Range<usize>) -> Blob {
        let part = &bytes[range.clone()];
        match (u32::try_from(range.start), u32::try_from(range.end)) {
            (Ok(start), Ok(end)) => Blob::Shared { bytes, start, end },
            _ => Blob::Owned(part.to_vec()),
        }
    }

    /// The blob without its first `n` bytes.
    pub(super) fn without(&self, n: usize) -> Blob {
        match self {
            Blob::Static(bytes) => Blob::Static(&bytes[n..]),
            Blob::Shared { bytes, start, end } => {
                Blob::shared(bytes.clone(), *start as usize + n..*end as usize)
            }
            Blob::Owned(bytes) => Blob::Owned(bytes[n..].to_vec()),
        }
    }
}

impl Deref for Blob {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Blob::Static(bytes) => bytes,
            Blob::Shared { bytes, start, end } => &bytes[*start as usize..*end as usize],
            Blob::Owned(bytes) => bytes,
        }
    }
}

impl PartialEq for Blob {
    fn eq(&self, other: &Blob) -> bool {
        **self == **other
    }
}

impl Eq for Blob {}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.escape_ascii())
    }
}

impl From<&'static [u8]> for Blob {
    fn from(bytes: &'static [u8]) -> Blob {
        Blob::Static(bytes)
    }
}

impl<const N: usize> From<&'static [u8; N]> for Blob {
    fn from(bytes: &'static [u8; N]) -> Blob {
        Blob::Static(bytes)
    }
}

impl From<&'static str> for Blob {
    fn from(text: &'static str) -> Blob {
        Blob::Static(text.as_bytes())
    }
}

impl From<Vec<u8>> for Blob {
    fn from(bytes: Vec<u8>) -> Blob {
        Blob::Owned(bytes)
    }
}

impl From<String> for Blob {
    fn from(text: String) -> Blob {
        Blob::Owned(text.into_bytes())
    }
}

impl From<Arc<[u8]>> for Blob {
    fn from(bytes: Arc<[u8]>) -> Blob {
        let whole = 0..bytes.len();
        Blob::shared(bytes, whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_stay_small_and_can_change_threads() {
        fn is_send<T: Send + 'static>() {}
        is_send::<Reply>();
        assert!(size_of::<Blob>() <= 32, "{}", size_of::<Blob>());
        assert!(size_of::<Reply>() <= 40, "{}", size_of::<Reply>());
    }

    #[test]
    fn blobs_are_equal_when_their_bytes_are() {
        let value: Arc<[u8]> = Arc::from(&b"hello"[..]);
        let part = Blob::shared(value.clone(), 1..4);
        assert_eq!(&*part, b"ell");
        assert_eq!(part, Blob::from("ell"));
        assert_eq!(part, Blob::from(String::from("ell")));
        assert_eq!(Blob::from(value), Blob::from(b"hello".to_vec()));
        assert_eq!(Blob::from(b"a\r"), Blob::from(&b"a\r"[..]));
        assert_eq!(format!("{:?}", Reply::bulk(b"a\r\xff")), r#"Bulk("a\r\xff")"#);
    }

    #[test]
    #[should_panic]
    fn a_part_out_of_range_panics() {
        Blob::shared(Arc::from(&b"hello"[..]), 3..6);
    }

    #[test]
    fn a_protocol_error_is_an_error_reply() {
        let reply = Reply::from(ProtocolError::InvalidBulkLength);
        assert_eq!(reply, Reply::err("ERR Protocol error: invalid bulk length"));
    }
}
