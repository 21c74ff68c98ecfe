//! What the hot tier keeps of a record beside its key.

use crate::store::epoch::Epoch;
use crate::store::value::Value;

/// A record in memory.
#[derive(Debug)]
pub struct Slot {
    /// No value: the record is known not to exist.
    pub value: Option<Value>,
    /// The last epoch that wrote it, or the one settled last when it was used after that (which tells the time); which of
    /// the two; whether that epoch wrote it more than once; how many requests pin it; and whether it was used since eviction
    /// last came by. In one word, so that a node is within one cache line.
    pub(super) state: u64,
}

/// It was used since eviction last came by.
pub(super) const USED: u64 = 1;
/// The disk has it: the epoch tells of a use, not of a write.
pub(super) const CLEAN: u64 = 1 << 1;
/// Its epoch wrote it more than once.
pub(super) const REWRITTEN: u64 = 1 << 2;
const PIN: u64 = 1 << 3;
const PIN_BITS: u32 = 14;
const EPOCH_SHIFT: u32 = 3 + PIN_BITS;
const MAX_PINS: u64 = (1 << PIN_BITS) - 1;

impl Slot {
    /// A record written, or settled last, in this epoch, and pinned so often.
    pub(super) fn new(value: Option<Value>, epoch: Epoch, pins: u32) -> Slot {
        let pins = u64::from(pins).min(MAX_PINS);
        Slot {
            value,
            state: (epoch.number() << EPOCH_SHIFT) | (pins * PIN),
        }
    }

    /// The epoch that wrote it, or that it was used in.
    pub fn epoch(&self) -> Epoch {
        Epoch::of(self.state >> EPOCH_SHIFT)
    }

    /// Whether the epoch that wrote it last did so more than once.
    pub fn was_rewritten(&self) -> bool {
        self.state & REWRITTEN != 0
    }

    /// The same, as it is from now on.
    pub(super) fn set_epoch(&mut self, epoch: Epoch) {
        let rest = self.state & ((1 << EPOCH_SHIFT) - 1);
        self.state = (epoch.number() << EPOCH_SHIFT) | rest;
    }

    /// Whether an epoch after `checkpointed` wrote it.
    pub(super) fn is_staged(&self, checkpointed: Epoch) -> bool {
        self.state & CLEAN == 0 && self.epoch() > checkpointed
    }

    /// Whether nothing is lost, and nobody in the way, if it is forgotten.
    pub(super) fn may_leave(&self, checkpointed: Epoch) -> bool {
        self.pins() == 0 && !self.is_staged(checkpointed)
    }

    /// How many requests pin it.
    pub(super) fn pins(&self) -> u64 {
        (self.state / PIN) & MAX_PINS
    }

    /// A count that reaches its limit sticks there: the record stays for good, which is safe.
    pub(super) fn add_pins(&mut self, pins: u32) {
        let room = MAX_PINS - self.pins();
        self.state += u64::from(pins).min(room) * PIN;
    }

    /// One request less does.
    pub(super) fn remove_pin(&mut self) {
        if (1..MAX_PINS).contains(&self.pins()) {
            self.state -= PIN;
        }
    }
}
