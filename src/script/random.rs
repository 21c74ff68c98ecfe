//! `math.random`: the same numbers for the same seed on every machine, those of C's `lrand48`.

/// The generator: 48 bits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Random(u64);

const MULTIPLIER: u64 = 0x5_deec_e66d;
const INCREMENT: u64 = 0xb;
const LOW: u64 = 0x330e;
const MASK: u64 = (1 << 48) - 1;
/// What a number is below.
pub(super) const RANGE: u64 = 1 << 31;

impl Random {
    /// Before anybody has chosen a seed.
    pub(super) fn unseeded() -> Random {
        Random(0x1234_abcd_330e)
    }

    /// One with a seed.
    pub(super) fn new(seed: i32) -> Random {
        Random((u64::from(seed as u32) << 16) | LOW)
    }

    /// The next number, below [`RANGE`].
    pub(super) fn next(&mut self) -> u64 {
        self.0 = (self.0.wrapping_mul(MULTIPLIER).wrapping_add(INCREMENT)) & MASK;
        self.0 >> 17
    }
}
