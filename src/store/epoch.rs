//! Epochs: the numbers of commits, in order.

/// The number of a commit: of all that is staged between two of them, and written at once.
///
/// It begins with the second in which it was opened, counted from the start of the server: so what a record of the hot tier
/// keeps of its last use tells its time, too.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Epoch(u64);

/// How many bits of the number come behind those of the second.
const SEQUENCE_BITS: u32 = 20;
/// Seconds beyond, two years on, no longer count: numbers have to fit into 47 bits.
const LAST_SECOND: u64 = 1 << 26;

impl Epoch {
    /// Before all others: settled from the beginning.
    pub const NONE: Epoch = Epoch(0);

    /// The one with this number.
    pub const fn of(number: u64) -> Epoch {
        Epoch(number)
    }

    /// The one behind which those of this second begin.
    pub fn before(second: u64) -> Epoch {
        Epoch(second.min(LAST_SECOND) << SEQUENCE_BITS)
    }

    /// The one that follows.
    pub fn next(self) -> Epoch {
        Epoch(self.0 + 1)
    }

    /// Its number.
    pub const fn number(self) -> u64 {
        self.0
    }

    /// The second in which it was opened.
    pub fn second(self) -> u64 {
        self.0 >> SEQUENCE_BITS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_tells_its_second_and_epochs_are_in_the_order_of_time() {
        let (early, late) = (Epoch::before(7).next().next(), Epoch::before(8).next());
        assert!(Epoch::NONE < early && early < late);
        assert_eq!((early.second(), late.second()), (7, 8));
        assert!(Epoch::before(u64::MAX).next().number() < 1 << 47);
    }
}
