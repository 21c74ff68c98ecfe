//! A small set of integers, sorted: the members of a set while all of them are.
//!
//! ```text
//! integers := width:u8 int*              width is 2, 4 or 8: bytes of each integer, big-endian two's complement;
//!                                        ascending, no two equal
//! ```
//!
//! All are as wide as the widest has to be; the width grows when one comes that needs it, and stays.

use crate::disk::format::Malformed;

/// Integers as they are on record.
#[derive(Clone, Copy, Debug)]
pub struct IntSet<'a> {
    width: usize,
    bytes: &'a [u8],
}

impl<'a> IntSet<'a> {
    /// The integers of a body. One of another width, or whose length is no multiple of it, is damage.
    pub fn decode(body: &'a [u8]) -> Result<IntSet<'a>, Malformed> {
        match body {
            [width @ (2 | 4 | 8), bytes @ ..] if bytes.len() % usize::from(*width) == 0 => Ok(IntSet {
                width: usize::from(*width),
                bytes,
            }),
            _ => Err(Malformed("a set of integers")),
        }
    }

    /// The encoding of ascending integers.
    pub fn encode(integers: &[i64]) -> Vec<u8> {
        let ends = [integers.first(), integers.last()];
        let width = ends
            .into_iter()
            .flatten()
            .map(|&n| width_of(n))
            .max()
            .unwrap_or(2);
        let mut body = Vec::with_capacity(1 + integers.len() * width);
        body.push(width as u8);
        for n in integers {
            body.extend_from_slice(&n.to_be_bytes()[8 - width..]);
        }
        body
    }

    /// The number of integers.
    pub fn len(self) -> usize {
        self.bytes.len() / self.width
    }

    /// The integer at a rank, which is below [`IntSet::len`].
    pub fn at(self, rank: usize) -> i64 {
        let bytes = &self.bytes[rank * self.width..][..self.width];
        let fill = if bytes[0] & 0x80 == 0 { 0 } else { 0xff };
        let mut whole = [fill; 8];
        whole[8 - self.width..].copy_from_slice(bytes);
        i64::from_be_bytes(whole)
    }

    /// The integers, ascending.
    pub fn iter(self) -> impl Iterator<Item = i64> {
        (0..self.len()).map(move |rank| self.at(rank))
    }

    /// The rank of an integer, or where it would be.
    pub fn search(self, n: i64) -> Result<usize, usize> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            match self.at(middle).cmp(&n) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Equal => return Ok(middle),
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Err(low)
    }

    /// The encoding with one integer more, at the rank that [`IntSet::search`] says.
    pub fn with(self, rank: usize, n: i64) -> Vec<u8> {
        if width_of(n) > self.width {
            let mut all: Vec<i64> = self.iter().collect();
            all.insert(rank, n);
            return IntSet::encode(&all);
        }
        let (before, after) = self.bytes.split_at(rank * self.width);
        let integer = &n.to_be_bytes()[8 - self.width..];
        [&[self.width as u8], before, integer, after].concat()
    }

    /// The encoding without the integer at a rank.
    pub fn without(self, rank: usize) -> Vec<u8> {
        let (before, after) = (
            &self.bytes[..rank * self.width],
            &self.bytes[(rank + 1) * self.width..],
        );
        [&[self.width as u8], before, after].concat()
    }
}

/// Bytes that an integer needs.
fn width_of(n: i64) -> usize {
    if i16::try_from(n).is_ok() {
        2
    } else if i32::try_from(n).is_ok() {
        4
    } else {
        8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NUMBERS: [i64; 11] = [
        i64::MIN,
        -1 << 40,
        i32::MIN as i64,
        -40_000,
        i16::MIN as i64,
        -1,
        0,
        7,
        i16::MAX as i64 + 1,
        i32::MAX as i64 + 1,
        i64::MAX,
    ];

    #[test]
    fn integers_come_and_go_in_any_order() {
        let mut body = IntSet::encode(&[]);
        assert_eq!(IntSet::decode(&body).unwrap().len(), 0);
        for n in NUMBERS.iter().cycle().skip(5).step_by(4).take(NUMBERS.len()) {
            let set = IntSet::decode(&body).unwrap();
            let rank = set.search(*n).unwrap_err();
            body = set.with(rank, *n);
        }
        let set = IntSet::decode(&body).unwrap();
        assert_eq!(set.iter().collect::<Vec<_>>(), NUMBERS);
        assert_eq!(IntSet::encode(&NUMBERS), body);
        for (rank, n) in NUMBERS.iter().enumerate() {
            assert_eq!(set.search(*n), Ok(rank));
            let less = set.without(rank);
            let less = IntSet::decode(&less).unwrap();
            assert_eq!((less.len(), less.search(*n)), (NUMBERS.len() - 1, Err(rank)));
        }
    }

    #[test]
    fn integers_are_as_wide_as_the_widest_needs() {
        assert_eq!(IntSet::encode(&[-1, 0, 300]).len(), 7);
        let body = IntSet::encode(&[1, 2]);
        assert_eq!(IntSet::decode(&body).unwrap().with(2, 70_000).len(), 13);
    }

    #[test]
    fn what_is_no_set_of_integers_is_an_error() {
        for body in [&b""[..], b"\x03abc", b"\x02a", b"\x00"] {
            assert!(IntSet::decode(body).is_err());
        }
    }
}
