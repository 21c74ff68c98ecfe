//! Random numbers for RANDOMKEY, SPOP and their like: fast, evenly spread, not for secrets.

use std::hash::{BuildHasher, RandomState};

/// SplitMix64.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// Seeded by the operating system.
    pub fn new() -> Random {
        Random(RandomState::new().hash_one(0u8))
    }

    /// The sequence of a seed, always the same.
    pub fn from_seed(seed: u64) -> Random {
        Random(seed)
    }

    /// The next number, any of 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`, which is not 0.
    pub fn below(&mut self, n: u64) -> u64 {
        scaled(self.next_u64(), n)
    }

    /// True with the given probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        (self.next_u64() >> 11) as f64 / ((1u64 << 53) as f64) < probability
    }
}

/// Chooses so many of things that come one after the other, each choice being equally likely.
pub struct Selection {
    wanted: u64,
    /// How many are still to come.
    left: u64,
}

impl Selection {
    /// Chooses `wanted` of `all` things.
    pub fn new(wanted: u64, all: u64) -> Selection {
        Selection { wanted, left: all }
    }

    /// Whether the next thing is chosen.
    pub fn takes_next(&mut self, random: &mut Random) -> bool {
        let takes = self.left > 0 && random.below(self.left) < self.wanted;
        self.left = self.left.saturating_sub(1);
        self.wanted -= u64::from(takes);
        takes
    }
}

/// The number below `n`, which is not 0, that is as far on the way to it as `random` is on its way to 2^64.
pub fn scaled(random: u64, n: u64) -> u64 {
    // The high half of the product: off from even by at most n in 2^64.
    ((u128::from(random) * u128::from(n)) >> 64) as u64
}

impl Default for Random {
    fn default() -> Random {
        Random::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selection_has_as_many_as_are_wanted_and_each_about_equally_often() {
        let mut random = Random::from_seed(1);
        let mut chosen = [0; 10];
        for _ in 0..10_000 {
            let mut selection = Selection::new(3, 10);
            let taken: Vec<usize> = (0..10).filter(|_| selection.takes_next(&mut random)).collect();
            assert_eq!(taken.len(), 3);
            taken.iter().for_each(|n| chosen[*n] += 1);
        }
        assert!(chosen.iter().all(|n| (2700..3300).contains(n)), "{chosen:?}");
    }

    #[test]
    fn numbers_are_in_range_and_evenly_spread() {
        let mut random = Random::from_seed(1);
        let mut counts = [0; 7];
        for _ in 0..70_000 {
            counts[random.below(7) as usize] += 1;
        }
        assert!(
            counts.iter().all(|count| (9_500..10_500).contains(count)),
            "{counts:?}"
        );
        let hits = (0..10_000).filter(|_| random.chance(0.25)).count();
        assert!((2_300..2_700).contains(&hits), "{hits}");
    }
}
