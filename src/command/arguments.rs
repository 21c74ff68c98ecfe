//! Arguments that many commands have.

use std::ops::Range;

use super::NOT_AN_INTEGER;
use crate::base::num::parse_i64;
use crate::store::{Result, Stop};

/// A signed integer of 64 bits; an error says what is none.
pub(super) fn integer(arg: &[u8]) -> Result<i64> {
    match parse_i64(arg) {
        Some(value) => Ok(value),
        None => Stop::error(NOT_AN_INTEGER),
    }
}

/// `start..=end` as clients name it, negative numbers counting from the end, cut to what lies in `len`.
pub(super) fn clamp_range(start: i64, end: i64, len: u64) -> Range<u64> {
    let from_end = |i: i64| match u64::try_from(i) {
        Ok(i) => i,
        Err(_) => len.saturating_sub(i.unsigned_abs()),
    };
    from_end(start)..from_end(end).saturating_add(1).min(len)
}

/// Whether a range with both ends counted from the string's end is empty, whatever clamping makes of it.
pub(super) fn is_crossed(start: i64, end: i64) -> bool {
    start < 0 && end < 0 && start > end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_to_the_string() {
        for (start, end, range) in [
            (0, -1, 0..5),
            (-3, -2, 2..4),
            (-100, 1, 0..2),
            (3, 100, 3..5),
            (i64::MIN, i64::MAX, 0..5),
            (0, i64::MIN, 0..1),
        ] {
            assert_eq!(clamp_range(start, end, 5), range, "{start} {end}");
        }
        for (start, end, len) in [(3, 1, 5), (5, 9, 5), (0, -1, 0), (i64::MAX, i64::MAX, 5)] {
            assert!(clamp_range(start, end, len).is_empty(), "{start} {end} {len}");
        }
        assert!(is_crossed(-1, -2) && !is_crossed(-2, -1) && !is_crossed(1, 0));
    }
}
