//! Bytes that a reply is made of, which may be shared with the store.

use std::{fmt, ops::Deref, ops::Range, sync::Arc};

/// Bytes in a reply: a constant, a part of a value that the store holds, or bytes made for this reply.
#[derive(Clone)]
pub enum Blob {
    /// Bytes that are in the program.
    Static(&'static [u8]),
    /// A part of bytes that others hold too.
    Shared {
        /// All of them.
        bytes: Arc<[u8]>,
        /// Where the part begins.
        start: u32,
        /// Where it ends.
        end: u32,
    },
    /// Bytes made for this reply.
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
    fn blobs_are_equal_when_their_bytes_are() {
        let value: Arc<[u8]> = Arc::from(&b"hello"[..]);
        let part = Blob::shared(value.clone(), 1..4);
        assert_eq!(&*part, b"ell");
        assert_eq!(part, Blob::from("ell"));
        assert_eq!(part, Blob::from(String::from("ell")));
        assert_eq!(Blob::from(value), Blob::from(b"hello".to_vec()));
        assert_eq!(Blob::from(b"a\r"), Blob::from(&b"a\r"[..]));
        assert_eq!(format!("{:?}", Blob::from(b"a\r\xff")), r#""a\r\xff""#);
    }

    #[test]
    #[should_panic]
    fn a_part_out_of_range_panics() {
        Blob::shared(Arc::from(&b"hello"[..]), 3..6);
    }
}
