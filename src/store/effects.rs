//! Effects: what a transaction causes beside its writes and its reply. They leave in the order in which they were caused,
//! once the epoch of their transaction is settled; if it is lost, so are they.
//!
//! What goes to clients (a *message*) is handed out as soon as it is staged, with its epoch: it takes its place among what is
//! to be sent to each of them, and waits there. All other effects wait here.
//!
//! A transaction gathers them as it runs. A run that does not count causes nothing, and what is rolled back takes its effects
//! with it. When it is staged they join those that wait here, and [`News`](super::News) hands them out when they may leave.
//! An effect that belongs to no write goes by the epoch that its transaction depends on, and still leaves behind those that
//! were caused before it.
//!
//! Lookups are no effects. Redis counts one when it is made; it says nothing of what is stored, so it need not wait for that.

use std::collections::VecDeque;
use std::sync::Arc;

use super::epoch::Epoch;

/// One thing that a transaction causes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// A key past its deadline was deleted. It counts once it cannot come back: if the delete is lost, the key is deleted
    /// again.
    KeyExpired,
    /// So many fields of hashes likewise.
    FieldsExpired(u64),
    /// A key has changed that clients keep.
    KeyChanged(Box<KeyChange>),
    /// A database was emptied, or has other keys than it had.
    KeysReplaced,
    /// A message to all who listen to a channel.
    Published(Box<Publication>),
    /// Something happened to a key, or it was asked for and is not there: to be published.
    KeyEvent(KeyEvent),
    /// Messages for which it was settled already who gets them: the next ones that the executor keeps.
    Addressed,
}

impl Effect {
    /// Whether it goes to clients.
    fn is_message(&self) -> bool {
        match self {
            Effect::KeyExpired | Effect::FieldsExpired(_) | Effect::KeyChanged(_) | Effect::KeysReplaced => {
                false
            }
            Effect::Published(_) | Effect::KeyEvent(_) | Effect::Addressed => true,
        }
    }

    /// Whether it goes to clients, and it is not settled yet to whom.
    pub(super) fn is_unaddressed(&self) -> bool {
        self.is_message() && *self != Effect::Addressed
    }

    /// Whether a command that fails has caused it all the same: it tells of what the command saw, not of what it did.
    pub fn outlasts_failure(&self) -> bool {
        matches!(self, Effect::KeyEvent(event) if event.is_miss)
    }
}

/// What happened to a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyEvent {
    /// What it is called.
    pub name: &'static str,
    /// The number of the key's database.
    pub db: usize,
    /// The key. Events that follow each other share it.
    pub key: Arc<[u8]>,
    /// Whether it is published under the key's name.
    pub in_keyspace: bool,
    /// Whether it is published under its own.
    pub in_keyevent: bool,
    /// All that happened is that the key was not there.
    pub is_miss: bool,
}

/// A message to a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// Of which channels it is.
    pub space: Space,
    /// The channel's name.
    pub channel: Vec<u8>,
    /// What is said.
    pub payload: Vec<u8>,
}

/// Channels, all of which have different names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Space {
    /// Those of PUBLISH.
    Global,
    /// Those of SPUBLISH, each at home in one slot.
    Sharded,
}

/// A change of a key that somebody is to be told of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyChange {
    /// The key.
    pub name: Arc<[u8]>,
    /// Whose request has changed it; 0: nobody's.
    pub by: u64,
    /// Who has read it.
    pub readers: Vec<u64>,
    /// It was past its deadline, whoever has seen that.
    pub is_expired: bool,
    /// Somebody wants to be told of all keys with a prefix of it.
    pub has_prefix: bool,
}

/// How many lookups found a key, and how many did not. Counted when the transaction is staged.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Lookups {
    /// Those that found it.
    pub hits: u64,
    /// Those that did not.
    pub misses: u64,
}

impl Lookups {
    /// Adds those of another transaction.
    pub fn add(&mut self, other: Lookups) {
        self.hits += other.hits;
        self.misses += other.misses;
    }
}

/// Effects that wait, in the order in which they were caused, each with the epoch that has to be settled first.
#[derive(Default)]
pub struct Effects {
    waiting: VecDeque<(Epoch, Effect)>,
    /// What was lost, for those who have to take something back.
    lost: Vec<Effect>,
    /// Messages that were not handed out yet.
    messages: Vec<(Epoch, Effect)>,
}

/// Room for more of them is given back when there are none.
const KEPT: usize = 1 << 10;

impl Effects {
    /// Adds those of a transaction, and leaves it none.
    pub fn add(&mut self, effects: &mut Vec<Effect>, epoch: Epoch) {
        for effect in effects.drain(..) {
            match effect.is_message() {
                true => self.messages.push((epoch, effect)),
                false => self.waiting.push_back((epoch, effect)),
            }
        }
    }

    /// Whether there are messages to be handed out.
    pub fn has_messages(&self) -> bool {
        !self.messages.is_empty()
    }

    /// Takes out the messages.
    pub fn take_messages(&mut self) -> Vec<(Epoch, Effect)> {
        std::mem::take(&mut self.messages)
    }

    /// What this epoch and those behind it caused is lost.
    pub fn lose(&mut self, from: Epoch) {
        let waiting = std::mem::take(&mut self.waiting);
        let (lost, kept) = waiting
            .into_iter()
            .partition::<VecDeque<_>, _>(|(epoch, _)| *epoch >= from);
        self.waiting = kept;
        self.lost.extend(lost.into_iter().map(|(_, effect)| effect));
        self.messages.retain(|(epoch, _)| *epoch < from);
    }

    /// Takes out what was lost.
    pub fn take_lost(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.lost)
    }

    /// Whether the first may leave when epochs are settled up to this one.
    pub fn may_leave(&self, settled: Epoch) -> bool {
        let first = self.waiting.front();
        first.is_some_and(|(epoch, _)| *epoch <= settled)
    }

    /// Takes out those that may leave then.
    pub fn take_settled(&mut self, settled: Epoch, into: &mut Vec<Effect>) {
        while let Some((_, effect)) = self.waiting.pop_front_if(|(epoch, _)| *epoch <= settled) {
            into.push(effect);
        }
        if self.waiting.is_empty() && self.waiting.capacity() > KEPT {
            self.waiting = VecDeque::new();
        }
    }
}
