//! A footprint: how many records there are, and how many bytes they take.

/// What something takes in the store.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Footprint {
    /// How many records it has.
    pub records: u64,
    /// The bytes of their values.
    pub bytes: u64,
}

impl Footprint {
    /// That of one record.
    pub fn of_record(record: &[u8]) -> Footprint {
        Footprint {
            records: 1,
            bytes: record.len() as u64,
        }
    }

    /// That of `all`, this being that of `sampled`.
    pub fn scaled(self, all: u64, sampled: u64) -> Footprint {
        let scaled = |n: u64| (u128::from(n) * u128::from(all) / u128::from(sampled.max(1))) as u64;
        Footprint {
            records: scaled(self.records),
            bytes: scaled(self.bytes),
        }
    }
}

impl std::ops::Add for Footprint {
    type Output = Footprint;

    fn add(self, other: Footprint) -> Footprint {
        Footprint {
            records: self.records + other.records,
            bytes: self.bytes + other.bytes,
        }
    }
}

/// Places spread evenly over `0..len`: `samples` of them, but at least one and no more than there are.
pub fn spread(len: u64, samples: u64) -> impl Iterator<Item = u64> {
    let samples = samples.clamp(1, len.max(1)).min(len);
    (0..samples).map(move |n| (u128::from(len) * u128::from(n) / u128::from(samples)) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_spread_and_no_more_than_there_are() {
        let places = |len, samples| spread(len, samples).collect::<Vec<_>>();
        assert!(places(0, 5).is_empty());
        assert_eq!(places(2, 5), [0, 1]);
        assert_eq!(places(10, 0), [0]);
        assert_eq!(places(100, 4), [0, 25, 50, 75]);
        assert_eq!(places(u64::MAX, 2), [0, u64::MAX / 2]);
    }
}
