//! What a command answers: one [`Reply`] for both protocols; `encode` makes the difference.

use std::borrow::Cow;

use super::aggregate::Aggregate;
use super::blob::Blob;
use super::error::ProtocolError;
use super::wire::Protocol;

/// A reply. Where RESP2 lacks a type, the comment says what it becomes there.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// `+OK`
    Ok,
    /// One line; CR and LF in it become spaces.
    Simple(Cow<'static, str>),
    /// Its code and its text, without the leading `-`: "ERR syntax error".
    Error(Cow<'static, str>),
    /// In both protocols.
    Int(i64),
    /// RESP2: a bulk with the same text.
    Double(f64),
    /// A double with the digits of C's `%.17Lf`, but no zeros at their end. RESP2: a bulk.
    LongDouble(f64),
    /// RESP2: the integer 1 or 0.
    Bool(bool),
    /// Decimal digits, with a sign. RESP2: a bulk.
    BigNumber(String),
    /// A byte string.
    Bulk(Blob),
    /// A bulk in parts, none of which is copied.
    Parts(Vec<Blob>),
    /// The format ("txt", "mkd") and the text. RESP2: a bulk of the text.
    Verbatim([u8; 3], Blob),
    /// RESP2: the null bulk.
    Null,
    /// RESP2: the null array. RESP3: null.
    NullArray,
    /// Replies, one after the other.
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
    /// In this protocol, whatever is spoken otherwise: what was answered before HELLO in one transaction with it.
    Spoken(Protocol, Box<Reply>),
    /// Pushes that are encoded already, one behind the other, as one request may be answered several. They are sent whatever
    /// CLIENT REPLY says.
    Pushes(Vec<u8>),
    /// No bytes at all.
    Nothing,
}

impl Reply {
    /// A byte string.
    pub fn bulk(bytes: impl Into<Blob>) -> Reply {
        Reply::Bulk(bytes.into())
    }

    /// One line.
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
    fn a_protocol_error_is_an_error_reply() {
        let reply = Reply::from(ProtocolError::InvalidBulkLength);
        assert_eq!(reply, Reply::err("ERR Protocol error: invalid bulk length"));
    }
}
