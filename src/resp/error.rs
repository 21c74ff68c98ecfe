//! What is wrong with a connection's bytes.

use std::fmt;

/// Why a connection's bytes are not a request. Nothing after them can be read; Redis answers and hangs up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtocolError {
    InvalidMultibulkLength,
    InvalidBulkLength,
    UnauthenticatedMultibulkLength,
    UnauthenticatedBulkLength,
    /// The byte that stood where a bulk should begin.
    ExpectedDollar(u8),
    TooBigMultibulkCount,
    TooBigBulkCount,
    TooBigInlineRequest,
    UnbalancedQuotes,
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self {
            ProtocolError::InvalidMultibulkLength => "invalid multibulk length",
            ProtocolError::InvalidBulkLength => "invalid bulk length",
            ProtocolError::UnauthenticatedMultibulkLength => "unauthenticated multibulk length",
            ProtocolError::UnauthenticatedBulkLength => "unauthenticated bulk length",
            // Redis sends the byte as it is. Text can't hold one beyond ASCII.
            ProtocolError::ExpectedDollar(byte) if byte.is_ascii() => {
                return write!(f, "Protocol error: expected '$', got '{}'", char::from(*byte));
            }
            ProtocolError::ExpectedDollar(byte) => {
                return write!(f, "Protocol error: expected '$', got '\\x{byte:02x}'");
            }
            ProtocolError::TooBigMultibulkCount => "too big mbulk count string",
            ProtocolError::TooBigBulkCount => "too big bulk count string",
            ProtocolError::TooBigInlineRequest => "too big inline request",
            ProtocolError::UnbalancedQuotes => "unbalanced quotes in request",
        };
        write!(f, "Protocol error: {what}")
    }
}

impl std::error::Error for ProtocolError {}
