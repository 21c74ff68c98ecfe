//! The arguments of a request: [`Args`], a view into the buffer it was read from, and [`OwnedArgs`], a copy
//! that outlives the buffer (a parked request, a MULTI queue, another thread).

use std::{borrow::Cow, fmt, ops::Index, slice};

/// Where an argument lies in its base buffer. 32 bits each, because a request is kept below 4 GiB.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    start: u32,
    len: u32,
}

impl Span {
    /// None when the argument ends beyond 4 GiB.
    pub(super) fn new(start: usize, len: usize) -> Option<Span> {
        let end = start.checked_add(len)?;
        u32::try_from(end).ok()?;
        Some(Span {
            start: start as u32,
            len: len as u32,
        })
    }

    fn of(self, base: &[u8]) -> &[u8] {
        let start = self.start as usize;
        &base[start..start + self.len as usize]
    }
}

/// The arguments of one request, the command's name included, as a slice of byte slices would show them.
#[derive(Clone, Copy, Default)]
pub struct Args<'a> {
    base: &'a [u8],
    spans: &'a [Span],
}

impl<'a> Args<'a> {
    /// Arguments within `base`; each span has to lie in it.
    pub(super) fn new(base: &'a [u8], spans: &'a [Span]) -> Args<'a> {
        Args { base, spans }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Unlike `args[i]`, this borrows from the buffer and not from `self`.
    pub fn get(&self, i: usize) -> Option<&'a [u8]> {
        self.spans.get(i).map(|span| span.of(self.base))
    }

    /// One after the other.
    pub fn iter(&self) -> ArgsIter<'a> {
        ArgsIter {
            base: self.base,
            spans: self.spans.iter(),
        }
    }

    /// The first `n` arguments, or all when there are fewer.
    pub fn first(&self, n: usize) -> Args<'a> {
        Args {
            base: self.base,
            spans: &self.spans[..n.min(self.spans.len())],
        }
    }

    /// The arguments from the `n`-th on: none when there are fewer.
    pub fn skip(&self, n: usize) -> Args<'a> {
        Args {
            base: self.base,
            spans: self.spans.get(n..).unwrap_or_default(),
        }
    }
}

/// Panics out of range, as slices do.
impl Index<usize> for Args<'_> {
    type Output = [u8];

    fn index(&self, i: usize) -> &[u8] {
        self.spans[i].of(self.base)
    }
}

impl<'a> IntoIterator for Args<'a> {
    type Item = &'a [u8];
    type IntoIter = ArgsIter<'a>;

    fn into_iter(self) -> ArgsIter<'a> {
        self.iter()
    }
}

impl fmt::Debug for Args<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.iter().map(|arg| format!("{}", arg.escape_ascii())))
            .finish()
    }
}

/// See [`Args::iter`].
#[derive(Clone)]
pub struct ArgsIter<'a> {
    base: &'a [u8],
    spans: slice::Iter<'a, Span>,
}

impl<'a> Iterator for ArgsIter<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        self.spans.next().map(|span| span.of(self.base))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.spans.size_hint()
    }
}

impl DoubleEndedIterator for ArgsIter<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.spans.next_back().map(|span| span.of(self.base))
    }
}

impl ExactSizeIterator for ArgsIter<'_> {}

/// Arguments that own their bytes: one buffer for all of them, exactly as large as they are.
#[derive(Clone)]
pub struct OwnedArgs {
    base: Box<[u8]>,
    spans: Box<[Span]>,
}

impl OwnedArgs {
    /// Arguments that came from no request: a script's call, a test. None when they exceed 4 GiB together.
    pub fn new<T, I>(parts: I) -> Option<OwnedArgs>
    where
        T: AsRef<[u8]>,
        I: IntoIterator<Item = T, IntoIter: Clone>,
    {
        let parts = parts.into_iter();
        let bytes = parts.clone().map(|part| part.as_ref().len()).sum();
        let (mut base, mut spans) = (Vec::with_capacity(bytes), Vec::with_capacity(parts.size_hint().0));
        for part in parts {
            let part = part.as_ref();
            spans.push(Span::new(base.len(), part.len())?);
            base.extend_from_slice(part);
        }
        Some(OwnedArgs {
            base: base.into(),
            spans: spans.into(),
        })
    }

    /// What they take of memory, in bytes.
    pub fn memory(&self) -> usize {
        self.base.len() + size_of_val(&*self.spans)
    }

    /// A view of them.
    pub fn as_args(&self) -> Args<'_> {
        Args::new(&self.base, &self.spans)
    }
}

impl From<Args<'_>> for OwnedArgs {
    fn from(args: Args<'_>) -> OwnedArgs {
        let mut base = Vec::with_capacity(args.iter().map(<[u8]>::len).sum());
        let mut spans = Vec::with_capacity(args.len());
        for (arg, span) in args.iter().zip(args.spans) {
            // Arguments don't overlap, so this lies no further from the start than it did in the request.
            spans.push(Span {
                start: base.len() as u32,
                len: span.len,
            });
            base.extend_from_slice(arg);
        }
        OwnedArgs {
            base: base.into(),
            spans: spans.into(),
        }
    }
}

impl fmt::Debug for OwnedArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_args().fmt(f)
    }
}

/// An error message shows this much of an argument, as in Redis.
pub const SHOWN: usize = 128;

/// An argument as an error message shows it.
pub fn shown(arg: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(c_text(arg, SHOWN))
}

/// What C prints of an argument where `limit` bytes are allowed: it ends at a NUL.
pub fn c_text(arg: &[u8], limit: usize) -> &[u8] {
    let arg = &arg[..arg.len().min(limit)];
    arg.split(|byte| *byte == 0).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn args_read_like_a_slice() {
        let owned = OwnedArgs::new(["SET", "k", "", "EX"]).unwrap();
        let args = owned.as_args();
        assert_eq!((args.len(), args.is_empty()), (4, false));
        assert_eq!((&args[0], &args[2]), (&b"SET"[..], &b""[..]));
        assert_eq!((args.get(1), args.get(4)), (Some(&b"k"[..]), None));
        assert!(args.iter().rev().eq([&b"EX"[..], b"", b"k", b"SET"]));
        assert_eq!(args.iter().len(), 4);
        assert_eq!(format!("{args:?}"), r#"["SET", "k", "", "EX"]"#);
    }

    #[test]
    fn skip_leaves_the_rest() {
        let owned = OwnedArgs::new(["a", "b", "c"]).unwrap();
        let rest = owned.as_args().skip(1);
        assert!(rest.iter().eq([&b"b"[..], b"c"]));
        assert_eq!(&rest.skip(1)[0], b"c");
        assert!(rest.skip(2).is_empty() && rest.skip(9).is_empty());
    }

    #[test]
    fn owned_args_are_a_compact_copy_and_send() {
        fn sent<T: Send + 'static>(value: T) -> T {
            value
        }
        let base = b"..SET....key.value";
        let spans = [Span::new(2, 3), Span::new(9, 3), Span::new(13, 5)].map(Option::unwrap);
        let owned = sent(OwnedArgs::from(Args::new(base, &spans)));
        assert_eq!(&*owned.base, b"SETkeyvalue");
        assert!(owned.as_args().into_iter().eq([&b"SET"[..], b"key", b"value"]));
    }

    #[test]
    fn a_span_ends_below_4_gib() {
        let max = u32::MAX as usize;
        assert!(Span::new(max - 5, 5).is_some());
        assert!(Span::new(max - 5, 6).is_none());
        assert!(Span::new(usize::MAX, 1).is_none());
    }

    #[test]
    #[should_panic]
    fn an_index_out_of_range_panics() {
        let owned = OwnedArgs::new(["a"]).unwrap();
        let _ = &owned.as_args()[1];
    }
}
