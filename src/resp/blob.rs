//! Bytes that a reply is made of, which may be shared with the store.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{fmt, ops::Deref, ops::Range};

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
    /// A part of bytes that many are to be sent, and that are counted once for all of them.
    Counted {
        /// All of them.
        bytes: Arc<Counted>,
        /// Where the part begins.
        start: u32,
        /// Where it ends.
        end: u32,
    },
}

/// Bytes that are counted as long as anybody holds them.
pub struct Counted {
    bytes: Box<[u8]>,
    sum: Arc<AtomicUsize>,
}

impl Counted {
    /// Adds the bytes to a sum, for as long as they are there.
    pub fn new(bytes: Vec<u8>, sum: &Arc<AtomicUsize>) -> Arc<Counted> {
        sum.fetch_add(bytes.len(), Ordering::Relaxed);
        Arc::new(Counted {
            bytes: bytes.into(),
            sum: sum.clone(),
        })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.sum.fetch_sub(self.bytes.len(), Ordering::Relaxed);
    }
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

    /// A part of counted bytes, not copied unless it ends beyond 4 GiB. Panics out of range, as slices do.
    pub fn counted(bytes: Arc<Counted>, range: Range<usize>) -> Blob {
        let part = &bytes.bytes[range.clone()];
        match (u32::try_from(range.start), u32::try_from(range.end)) {
            (Ok(start), Ok(end)) => Blob::Counted { bytes, start, end },
            _ => Blob::Owned(part.to_vec()),
        }
    }

    /// The blob without its first `n` bytes.
    pub(super) fn without(&self, n: usize) -> Blob {
        self.part(n..self.len())
    }

    /// A part of the blob, which shares its bytes. Panics out of range, as slices do.
    pub fn part(&self, range: Range<usize>) -> Blob {
        let behind = |start: u32| start as usize + range.start..start as usize + range.end;
        match self {
            Blob::Static(bytes) => Blob::Static(&bytes[range]),
            Blob::Shared { bytes, start, .. } => Blob::shared(bytes.clone(), behind(*start)),
            Blob::Owned(bytes) => Blob::Owned(bytes[range].to_vec()),
            Blob::Counted { bytes, start, .. } => Blob::counted(bytes.clone(), behind(*start)),
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
            Blob::Counted { bytes, start, end } => &bytes.bytes[*start as usize..*end as usize],
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
