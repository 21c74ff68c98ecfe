//! What SORT does beside reading: the names that patterns make of elements, the order of elements, and which are shown.

use std::cmp::Ordering;
use std::ops::{Deref, Range};

use crate::base::num::parse_f64;
use crate::store::{Result, Stop};

/// A pattern of BY or GET.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern<'a> {
    /// `#`: the element itself.
    Element,
    /// `before*after`: the string at the key that has the element for the star; with `->field` behind, that field of the
    /// hash at the key.
    Key {
        /// What is before the star.
        before: &'a [u8],
        /// What is behind it.
        after: &'a [u8],
        /// The field, if a hash is meant.
        field: Option<&'a [u8]>,
    },
    /// Without a star: nothing.
    Constant,
}

impl<'a> Pattern<'a> {
    /// As Redis reads it, for which special characters behind a NUL are none.
    pub fn parse(text: &'a [u8]) -> Pattern<'a> {
        let visible = text.iter().position(|&byte| byte == 0).unwrap_or(text.len());
        if &text[..visible] == b"#" {
            return Pattern::Element;
        }
        let Some(star) = text[..visible].iter().position(|&byte| byte == b'*') else {
            return Pattern::Constant;
        };
        let arrow = text[star + 1..visible].windows(2).position(|two| two == b"->");
        // An arrow with nothing behind it belongs to the key.
        let field = arrow.map(|at| star + 1 + at).filter(|at| at + 2 < visible);
        Pattern::Key {
            before: &text[..star],
            after: &text[star + 1..field.unwrap_or(text.len())],
            field: field.map(|at| &text[at + 2..]),
        }
    }

    /// The key that the pattern names for an element.
    pub fn key(self, element: &[u8]) -> Option<Vec<u8>> {
        match self {
            Pattern::Key { before, after, .. } => Some([before, element, after].concat()),
            Pattern::Element | Pattern::Constant => None,
        }
    }
}

/// Which part of the sorted elements is shown: LIMIT's offset and count, all of them if the count is negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// How many are left off.
    pub offset: i64,
    /// How many are shown then.
    pub count: i64,
}

impl Limit {
    /// All elements.
    pub const NONE: Limit = Limit { offset: 0, count: -1 };

    /// Which of `len` elements are shown.
    pub fn range(self, len: usize) -> Range<usize> {
        let clamp = |n: i64| usize::try_from(n.max(0)).map_or(len, |n| n.min(len));
        let start = clamp(self.offset);
        let end = match self.count {
            ..0 => len,
            count => len.min(start + clamp(count)),
        };
        start..end
    }
}

/// By what elements are ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// As bytes, not as numbers.
    pub alpha: bool,
    /// The greatest comes first.
    pub descending: bool,
}

impl Order {
    /// The numbers of the elements in their order; those outside `shown` may be in any. `weights` are what BY found, if
    /// there is a BY: a number that is missing counts as 0, and bytes that are missing come before all others.
    pub fn sort(
        self,
        elements: &[impl Deref<Target = [u8]>],
        weights: Option<&[Option<impl Deref<Target = [u8]>>]>,
        shown: Range<usize>,
    ) -> Result<Vec<usize>> {
        if self.alpha {
            return Ok(match weights {
                Some(weights) => {
                    let weight = |i: usize| weights[i].as_deref();
                    self.arrange(elements.len(), shown, |a, b| weight(a).cmp(&weight(b)))
                }
                None => {
                    let bytes = |i: usize| &*elements[i];
                    self.arrange(elements.len(), shown, |a, b| bytes(a).cmp(bytes(b)))
                }
            });
        }
        let numbers = match weights {
            Some(weights) => weights
                .iter()
                .map(|weight| weight.as_deref().map_or(Ok(0.0), number))
                .collect::<Result<Vec<f64>>>()?,
            None => elements
                .iter()
                .map(|element| number(element))
                .collect::<Result<Vec<f64>>>()?,
        };
        Ok(self.arrange(elements.len(), shown, |a, b| {
            // No number is NaN; those that are equal are in the order of their elements.
            let order = numbers[a].partial_cmp(&numbers[b]).unwrap_or(Ordering::Equal);
            order.then_with(|| elements[a].cmp(&*elements[b]))
        }))
    }

    /// Equal ones stay as they are.
    fn arrange(
        self,
        len: usize,
        shown: Range<usize>,
        compare: impl Fn(usize, usize) -> Ordering,
    ) -> Vec<usize> {
        let by_order = |&a: &usize, &b: &usize| {
            let order = compare(a, b);
            let order = if self.descending { order.reverse() } else { order };
            order.then(a.cmp(&b))
        };
        let mut numbers: Vec<usize> = (0..len).collect();
        if shown.is_empty() {
            return numbers;
        }
        // Only what is shown is sorted; the rest is parted from it.
        if shown.end < len {
            numbers.select_nth_unstable_by(shown.end, by_order);
        }
        let head = &mut numbers[..shown.end];
        if shown.start > 0 {
            head.select_nth_unstable_by(shown.start, by_order);
        }
        head[shown.start..].sort_unstable_by(by_order);
        numbers
    }
}

/// A number as C's `strtod` reads it: blanks may go before, the text ends at a NUL, and no text at all is 0.
fn number(text: &[u8]) -> Result<f64> {
    let text = text.split(|&byte| byte == 0).next().unwrap_or_default();
    let blanks = text
        .iter()
        .take_while(|byte| matches!(byte, b' ' | b'\t'..=b'\r'))
        .count();
    match parse_f64(&text[blanks..]) {
        Some(number) => Ok(number),
        None if text.is_empty() => Ok(0.0),
        None => Stop::error("ERR One or more scores can't be converted into double"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let key = |before, after, field| Pattern::Key { before, after, field };
        for (text, pattern) in [
            (&b"#"[..], Pattern::Element),
            (b"", Pattern::Constant),
            (b"nosort", Pattern::Constant),
            (b"a->b", Pattern::Constant),
            (b"w_*", key(b"w_", b"", None)),
            (b"w_*_x*", key(b"w_", b"_x*", None)),
            (b"h*->f", key(b"h", b"", Some(b"f"))),
            (b"h*x->f->g", key(b"h", b"x", Some(b"f->g"))),
            (b"h->x*", key(b"h->x", b"", None)),
            (b"h*->", key(b"h", b"->", None)),
            (b"a\0*", Pattern::Constant),
        ] {
            assert_eq!(Pattern::parse(text), pattern, "{}", text.escape_ascii());
        }
        assert_eq!(key(b"w_", b"x", None).key(b"7"), Some(b"w_7x".to_vec()));
    }

    #[test]
    fn limits() {
        for (offset, count, range) in [
            (0, -1, 0..5),
            (0, 2, 0..2),
            (3, 10, 3..5),
            (-2, 2, 0..2),
            (7, 2, 5..5),
            (2, 0, 2..2),
            (i64::MAX, i64::MAX, 5..5),
            (1, i64::MIN, 1..5),
        ] {
            assert_eq!(Limit { offset, count }.range(5), range, "{offset} {count}");
        }
    }

    #[test]
    fn numbers_as_c_reads_them() {
        for (text, value) in [
            (&b""[..], 0.0),
            (b" \t1", 1.0),
            (b"1\0x", 1.0),
            (b"0x10", 16.0),
            (b"-inf", f64::NEG_INFINITY),
        ] {
            assert_eq!(number(text).unwrap(), value);
        }
        for text in [&b" "[..], b"1 ", b"abc", b"nan", b"1e400"] {
            assert!(number(text).is_err());
        }
    }

    #[test]
    fn orders() {
        let sort = |alpha, descending, elements: &[&str], weights: Option<&[Option<&str>]>| {
            let order = Order { alpha, descending };
            let elements: Vec<&[u8]> = elements.iter().map(|element| element.as_bytes()).collect();
            let weights: Option<Vec<_>> =
                weights.map(|weights| weights.iter().map(|weight| weight.map(str::as_bytes)).collect());
            let (elements, weights) = (&elements[..], weights.as_deref());
            let all = order.sort(elements, weights, 0..elements.len()).unwrap();
            for start in 0..elements.len() {
                for end in start + 1..=elements.len() {
                    let part = order.sort(elements, weights, start..end).unwrap();
                    assert_eq!(part[start..end], all[start..end]);
                }
            }
            all
        };
        let numbers = ["10", "9", "1e1", "-3", "9"];
        assert_eq!(sort(false, false, &numbers, None), [3, 1, 4, 0, 2]);
        assert_eq!(sort(false, true, &numbers, None), [2, 0, 1, 4, 3]);
        assert_eq!(sort(true, false, &numbers, None), [3, 0, 2, 1, 4]);
        let elements = ["a", "b", "c", "d"];
        let weights = [Some("2"), None, Some("10"), None];
        assert_eq!(sort(false, false, &elements, Some(&weights)), [1, 3, 0, 2]);
        assert_eq!(sort(true, false, &elements, Some(&weights)), [1, 3, 2, 0]);
        assert_eq!(sort(true, true, &elements, Some(&weights)), [0, 2, 1, 3]);
    }
}
