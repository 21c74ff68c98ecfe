//! What one client has subscribed to. (Who has subscribed to a channel: `exec/pubsub/`.)

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use foldhash::fast::RandomState;

/// What is subscribed to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A channel: SUBSCRIBE.
    Channel,
    /// All channels whose names fit: PSUBSCRIBE.
    Pattern,
    /// A channel of a slot: SSUBSCRIBE.
    Shard,
}

/// All kinds, by their numbers.
pub const KINDS: [Kind; 3] = [Kind::Channel, Kind::Pattern, Kind::Shard];

/// The name of a channel or a pattern, shared by its table and its subscribers.
pub type Name = Rc<[u8]>;

/// The names that a client has of one kind, and its place among the subscribers of each.
pub type Names = HashMap<Name, u32, RandomState>;

/// What a client has subscribed to, until it leaves all of it at once.
#[derive(Default)]
pub struct Subscriptions {
    /// It has left: what is left of it in the tables counts no more.
    pub is_gone: Cell<bool>,
    names: [RefCell<Names>; 3],
    /// What they take of memory.
    pub bytes: Cell<usize>,
}

impl Subscriptions {
    /// The names of one kind.
    pub fn names(&self, kind: Kind) -> &RefCell<Names> {
        &self.names[kind as usize]
    }

    /// How many there are of a kind.
    pub fn count(&self, kind: Kind) -> usize {
        self.names(kind).borrow().len()
    }

    /// How many there are.
    pub fn count_all(&self) -> usize {
        KINDS.into_iter().map(|kind| self.count(kind)).sum()
    }
}
