//! From registers to a number of elements: Otmar Ertl, "New cardinality estimation algorithms for HyperLogLog sketches"
//! (arXiv:1702.01284), in the very order of floating-point operations in which Redis does it.

use super::hash::{INDEX_BITS, REGISTERS};

/// 1 / (2 ln 2).
const ALPHA_INFINITY: f64 = 0.721_347_520_444_481_7;
/// The largest value that an element can give a register, less one.
const Q: usize = 64 - INDEX_BITS as usize;
/// How many values a register has room for: a broken sketch may hold any.
const VALUES: usize = 64;

/// How many registers have each value.
pub struct Histogram([u64; VALUES]);

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram([0; VALUES])
    }
}

impl Histogram {
    /// Adds a number of registers that have this value.
    pub fn add(&mut self, value: u8, registers: usize) {
        self.0[usize::from(value)] += registers as u64;
    }

    /// The number of different elements, estimated.
    pub fn estimate(&self) -> u64 {
        let share = |registers: f64| registers / REGISTERS as f64;
        let m = REGISTERS as f64;
        let mut z = m * tau(share(m - self.0[Q + 1] as f64));
        for value in (1..=Q).rev() {
            z += self.0[value] as f64;
            z *= 0.5;
        }
        z += m * sigma(share(self.0[0] as f64));
        let estimate = (ALPHA_INFINITY * m * m / z).round();
        // Registers that no elements can make give infinity, which C turns into this number.
        if estimate < i64::MAX as f64 {
            estimate as u64
        } else {
            1 << 63
        }
    }
}

fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if before == z {
            return z;
        }
    }
}

fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x) * (1.0 - x) * y;
        if before == z {
            return z / 3.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extremes() {
        let mut empty = Histogram::default();
        empty.add(0, REGISTERS);
        assert_eq!(empty.estimate(), 0);
        let mut one = Histogram::default();
        one.add(0, REGISTERS - 1);
        one.add(3, 1);
        assert_eq!(one.estimate(), 1);
        let mut impossible = Histogram::default();
        impossible.add(63, REGISTERS);
        assert_eq!(impossible.estimate(), 1 << 63);
    }
}
