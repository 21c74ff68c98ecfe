//! Values of types as replies.

use crate::resp::{Blob, Reply};
use crate::types::string::Bytes;

/// A bulk string of these bytes; what is shared with the hot tier is not copied.
pub(super) fn bulk(bytes: Bytes) -> Reply {
    Reply::Bulk(blob(bytes))
}

/// As [`bulk`], for a reply that is being encoded.
#[inline]
pub(super) fn blob(bytes: Bytes) -> Blob {
    match bytes {
        Bytes::Shared(value, range) => Blob::shared(value.into(), range),
        Bytes::Owned(bytes) => Blob::from(bytes),
    }
}

/// A length, or a position: below 2^63, as all that fits on a disk.
pub(super) fn length(n: u64) -> Reply {
    Reply::Int(n.cast_signed())
}
