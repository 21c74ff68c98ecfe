//! How many entries are below the children of an inner node.

/// How a node's counts are to be read: its level (1: above leaves), its entries, and, in the root, those of its first
/// child.
#[derive(Clone, Copy, Debug)]
pub struct Totals {
    /// 1 for a node above leaves, 0 for a leaf.
    pub level: u32,
    /// How many entries are below the node.
    pub total: u64,
    /// In the root: how many are below its first child.
    pub first: Option<u64>,
}

impl Totals {
    /// Those of a child with `count` entries.
    pub fn below(self, count: u64) -> Totals {
        Totals {
            level: self.level - 1,
            total: count,
            first: None,
        }
    }
}

/// How many bytes a count takes in a node of this level.
pub fn count_width(level: u32) -> usize {
    match level {
        1 => 2,
        2 => 4,
        _ => 8,
    }
}

/// A count as it is written.
pub fn read_count(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |count, &byte| count << 8 | u64::from(byte))
}

/// The counts of an inner node's children.
#[derive(Clone, Copy)]
pub struct Counts<'a> {
    /// All counts as they are written.
    pub written: &'a [u8],
    /// How many bytes each of them takes.
    pub width: usize,
    /// Children whose written counts say nothing, one or two of them, and how many entries are below each.
    pub known: [(usize, u64); 2],
}

impl Counts<'_> {
    /// How many entries are below this child.
    pub fn get(&self, index: usize) -> u64 {
        let known = self.known.iter().find(|(child, _)| *child == index);
        known.map_or_else(|| self.read(index), |(_, count)| *count)
    }

    fn read(&self, index: usize) -> u64 {
        read_count(&self.written[index * self.width..][..self.width])
    }

    /// How many entries are below the children before this one.
    pub fn before(&self, index: usize) -> u64 {
        let mut sum = sum(&self.written[..index * self.width], self.width);
        let [a, b] = self.known;
        for (child, count) in [a, b].into_iter().take(if a.0 == b.0 { 1 } else { 2 }) {
            if child < index {
                sum = sum.wrapping_sub(self.read(child)).wrapping_add(count);
            }
        }
        sum
    }
}

/// The sum of counts of this width.
fn sum(bytes: &[u8], width: usize) -> u64 {
    // Eight bytes at a time: each lane of a word adds up counts of its own.
    const LANES: u64 = 0x0000_ffff_0000_ffff;
    let (words, rest) = bytes.as_chunks();
    let words = words.iter().map(|word| u64::from_be_bytes(*word));
    let sum = match width {
        2 => {
            // A node has less than 2^16 children, so no lane overflows.
            let add = |sum: u64, word| sum.wrapping_add(word & LANES).wrapping_add(word >> 16 & LANES);
            let lanes = words.fold(0, add);
            (lanes >> 32) + (lanes & 0xffff_ffff)
        }
        4 => words.fold(0, |sum: u64, word| {
            sum.wrapping_add(word >> 32).wrapping_add(word & 0xffff_ffff)
        }),
        _ => words.fold(0, u64::wrapping_add),
    };
    rest.chunks(width)
        .fold(sum, |sum, count| sum.wrapping_add(read_count(count)))
}
