//! What is wrong with a connection's bytes.

use thiserror::Error;

/// Why a connection's bytes are not a request. Nothing after them can be read; Redis answers and hangs up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ProtocolError {
    /// The count of a request's arguments is no integer, or too large.
    #[error("Protocol error: invalid multibulk length")]
    InvalidMultibulkLength,
    /// The length of an argument is no integer, negative or too large.
    #[error("Protocol error: invalid bulk length")]
    InvalidBulkLength,
    /// More arguments than a client may send before it has logged in.
    #[error("Protocol error: unauthenticated multibulk length")]
    UnauthenticatedMultibulkLength,
    /// A longer argument than a client may send before it has logged in.
    #[error("Protocol error: unauthenticated bulk length")]
    UnauthenticatedBulkLength,
    /// The byte that stood where a bulk should begin.
    #[error("Protocol error: expected '$', got '{}'", shown(*.0))]
    ExpectedDollar(u8),
    /// The header of a request has no end.
    #[error("Protocol error: too big mbulk count string")]
    TooBigMultibulkCount,
    /// The header of an argument has no end.
    #[error("Protocol error: too big bulk count string")]
    TooBigBulkCount,
    /// An inline request has no end.
    #[error("Protocol error: too big inline request")]
    TooBigInlineRequest,
    /// A quote of an inline request is not closed, or a word goes on behind it.
    #[error("Protocol error: unbalanced quotes in request")]
    UnbalancedQuotes,
}

/// Redis sends the byte as it is. Text can't hold one beyond ASCII.
fn shown(byte: u8) -> String {
    match byte.is_ascii() {
        true => char::from(byte).to_string(),
        false => format!("\\x{byte:02x}"),
    }
}
