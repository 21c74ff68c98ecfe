//! Which entries of a stream are read, and in which order.

use std::ops::RangeInclusive;

use super::Id;

/// In which direction entries are read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// From the lowest ID up.
    Forward,
    /// From the highest ID down.
    Backward,
}

/// Which entries are read.
#[derive(Clone, Debug)]
pub struct Span {
    /// The lowest ID and the highest one, both included.
    pub ids: RangeInclusive<Id>,
    /// From which end on.
    pub order: Order,
    /// The most entries that are read.
    pub limit: u64,
}
