//! How large a list may be that lives in its key's record: what `list-max-listpack-size` says.

/// The option: the most elements if it is positive, the most bytes if it is negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit(pub i32);

/// Bytes for -1, -2 and so on.
const LEVELS: [usize; 5] = [4096, 8192, 16384, 32768, 65536];
/// The most bytes where the option counts elements.
const SAFETY: usize = 8192;

impl Limit {
    /// Whether a list of `count` elements in `bytes` is too large.
    pub fn is_exceeded(self, count: u64, bytes: usize) -> bool {
        self.exceeds(count, bytes, 1)
    }

    /// Whether a list is small enough to return into its key's record: half of what would have it leave, so that one
    /// around the limit does not come and go.
    pub fn allows_return(self, count: u64, bytes: usize) -> bool {
        !self.exceeds(count, bytes, 2)
    }

    fn exceeds(self, count: u64, bytes: usize, divisor: u8) -> bool {
        match u64::try_from(self.0) {
            Ok(most) => bytes > SAFETY || count > most.max(1) / u64::from(divisor),
            Err(_) => {
                let level = self.0.unsigned_abs() as usize - 1;
                bytes > LEVELS[level.min(LEVELS.len() - 1)] / usize::from(divisor)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_count_elements_or_bytes() {
        for (option, count, bytes, exceeded, returns) in [
            (-1, 1, 4096, false, false),
            (-1, 1, 4097, true, false),
            (-2, 9000, 4096, false, true),
            (-5, 1, 65536, false, false),
            (i32::MIN, 1, 65537, true, false),
            (3, 3, 10, false, false),
            (3, 1, 10, false, true),
            (3, 4, 10, true, false),
            (3, 1, 8193, true, false),
            (0, 1, 10, false, false),
            (0, 2, 10, true, false),
        ] {
            let limit = Limit(option);
            let found = (limit.is_exceeded(count, bytes), limit.allows_return(count, bytes));
            assert_eq!(found, (exceeded, returns), "{option} {count} {bytes}");
        }
    }
}
