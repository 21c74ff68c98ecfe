//! Which register an element raises, and to what: from MurmurHash64A of its bytes, with Redis's seed.

/// So many bits of the hash name the register; the others are counted.
pub const INDEX_BITS: u32 = 14;
/// How many registers a sketch has.
pub const REGISTERS: usize = 1 << INDEX_BITS;
const COUNTED_BITS: u32 = 64 - INDEX_BITS;

const SEED: u64 = 0xadc8_3b19;
const MULTIPLIER: u64 = 0xc6a4_a793_5bd1_e995;
const SHIFT: u32 = 47;

/// The register of an element, and the value to raise it to: where the lowest 1 of the hash's other bits is, counted
/// from 1.
pub fn register(element: &[u8]) -> (usize, u8) {
    let hash = murmur(element);
    let index = hash & ((1 << INDEX_BITS) - 1);
    let counted = hash >> INDEX_BITS | 1 << COUNTED_BITS;
    (index as usize, counted.trailing_zeros() as u8 + 1)
}

fn murmur(bytes: &[u8]) -> u64 {
    let mut hash = SEED ^ (bytes.len() as u64).wrapping_mul(MULTIPLIER);
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        let mut word = u64::from_le_bytes(*word).wrapping_mul(MULTIPLIER);
        word ^= word >> SHIFT;
        hash = (hash ^ word.wrapping_mul(MULTIPLIER)).wrapping_mul(MULTIPLIER);
    }
    if !rest.is_empty() {
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        hash = (hash ^ u64::from_le_bytes(last)).wrapping_mul(MULTIPLIER);
    }
    hash ^= hash >> SHIFT;
    hash = hash.wrapping_mul(MULTIPLIER);
    hash ^ hash >> SHIFT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_register_and_value_is_in_range() {
        for n in 0..100_000u32 {
            let (index, value) = register(&n.to_le_bytes());
            assert!(index < 1 << INDEX_BITS);
            assert!((1..=51).contains(&value));
        }
    }
}
