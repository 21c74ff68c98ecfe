//! The longest common subsequence of two byte strings, by the textbook table of prefix lengths.

use crate::store::{Result, Stop};

/// A run of bytes that both strings have: first and last position in each, both included.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Match {
    /// In the first string.
    pub a: (usize, usize),
    /// In the second one.
    pub b: (usize, usize),
}

impl Match {
    /// In bytes.
    pub fn length(self) -> usize {
        self.a.1 - self.a.0 + 1
    }
}

/// A longest common subsequence.
#[derive(Debug)]
pub struct Common {
    /// What both strings have, in its order.
    pub bytes: Vec<u8>,
    /// Runs of it that stand together in both, from the last to the first.
    pub matches: Vec<Match>,
}

/// How many cells the table has for strings of these lengths; an error if it takes more than `limit` bytes.
pub fn table_size(a: u64, b: u64, limit: u64) -> Result<u64> {
    let longest = u64::from(u32::MAX - 1);
    if a >= longest || b >= longest {
        return Stop::error("ERR String too long for LCS");
    }
    let cells = (a + 1) * (b + 1);
    match cells.checked_mul(size_of::<u32>() as u64) {
        Some(bytes) if bytes <= limit => Ok(cells),
        _ => Stop::error("ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len"),
    }
}

/// One row of the table from the row above it: `row[j + 1]` is the length for the first `j + 1` bytes of `b`.
fn fill_row(above: &[u32], row: &mut [u32], byte: u8, b: &[u8]) {
    let mut left = 0;
    for (j, &other) in b.iter().enumerate() {
        left = if byte == other {
            above[j] + 1
        } else {
            left.max(above[j + 1])
        };
        row[j + 1] = left;
    }
}

/// The length alone, which takes two rows.
pub fn length(a: &[u8], b: &[u8]) -> u32 {
    let (mut above, mut row) = (vec![0; b.len() + 1], vec![0; b.len() + 1]);
    for &byte in a {
        fill_row(&above, &mut row, byte, b);
        std::mem::swap(&mut above, &mut row);
    }
    above[b.len()]
}

/// The subsequence and its runs: [`table_size`] has said that the table's size is acceptable.
pub fn common(a: &[u8], b: &[u8]) -> Common {
    let width = b.len() + 1;
    let mut table = vec![0u32; (a.len() + 1) * width];
    for (i, &byte) in a.iter().enumerate() {
        let (above, row) = table[i * width..].split_at_mut(width);
        fill_row(above, row, byte, b);
    }
    walk_back(a, b, &table)
}

/// From the table's last cell to its edge: where the bytes are equal they are common, else the way goes to the larger
/// neighbour, to the left of two equal ones.
fn walk_back(a: &[u8], b: &[u8], table: &[u32]) -> Common {
    let width = b.len() + 1;
    let (mut i, mut j) = (a.len(), b.len());
    let mut bytes = Vec::with_capacity(table[i * width + j] as usize);
    let mut matches = Vec::new();
    let mut run: Option<Match> = None;
    while i > 0 && j > 0 {
        if a[i - 1] == b[j - 1] {
            (i, j) = (i - 1, j - 1);
            bytes.push(a[i]);
            let run = run.get_or_insert(Match { a: (i, i), b: (j, j) });
            (run.a.0, run.b.0) = (i, j);
            continue;
        }
        matches.extend(run.take());
        if table[(i - 1) * width + j] > table[i * width + j - 1] {
            i -= 1;
        } else {
            j -= 1;
        }
    }
    matches.extend(run);
    bytes.reverse();
    Common { bytes, matches }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_subsequence_and_its_runs() {
        let found = common(b"ohmytext", b"mynewtext");
        assert_eq!(found.bytes, b"mytext");
        let runs = [Match { a: (4, 7), b: (5, 8) }, Match { a: (2, 3), b: (0, 1) }];
        assert_eq!(found.matches, runs);
        assert_eq!(length(b"ohmytext", b"mynewtext"), 6);
    }

    #[test]
    fn nothing_in_common() {
        for (a, b) in [(&b""[..], &b""[..]), (b"", b"x"), (b"x", b""), (b"x", b"y")] {
            let found = common(a, b);
            assert!(found.bytes.is_empty() && found.matches.is_empty());
            assert_eq!(length(a, b), 0);
        }
    }

    #[test]
    fn the_table_is_bounded() {
        assert_eq!(table_size(1, 1, 16).ok(), Some(4));
        assert!(table_size(1, 1, 15).is_err());
        assert!(table_size(u64::from(u32::MAX) - 2, u64::from(u32::MAX) - 2, u64::MAX).is_err());
        assert!(table_size(u64::from(u32::MAX), 0, u64::MAX).is_err());
    }
}
