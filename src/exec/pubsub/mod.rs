//! Who listens to which channels and patterns.
//!
//! Three tables lead from names to subscribers: channels, patterns, and the channels of slots. Each subscriber knows its
//! names, and its place among the subscribers of each, so that it leaves a channel of many in a moment. One that has very
//! many names and leaves for good is *gone* at once, and its names are forgotten in slices.

mod delivery;
mod leaving;
mod patterns;
mod table;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::rc::Rc;

pub use super::subscriptions::Kind;
use super::subscriptions::{KINDS, Name, Subscriptions};
use super::{Client, Engine};
use crate::command::Audience;
use crate::store::Space;
pub(super) use delivery::{Addressed, Delivery};
use leaving::Leaving;
use patterns::Patterns;
use table::Table;

impl From<Space> for Kind {
    fn from(space: Space) -> Kind {
        match space {
            Space::Global => Kind::Channel,
            Space::Sharded => Kind::Shard,
        }
    }
}

/// What a subscription takes of memory beside its name: its share of two tables, and its place.
const SUBSCRIPTION: usize = 160;

/// A client that listens, with what it listens to.
#[derive(Clone)]
pub struct Subscriber {
    client: Rc<Client>,
    has: Rc<Subscriptions>,
}

/// All subscriptions.
#[derive(Default)]
pub struct PubSub {
    tables: [Table; 3],
    patterns: Patterns,
    leaving: Leaving,
    /// How many clients listen.
    listening: usize,
    /// Messages of the transaction that was staged last, for which it was settled before who gets them.
    pub(super) addressed: VecDeque<Vec<Addressed>>,
}

impl PubSub {
    /// Whether nobody listens.
    pub fn is_empty(&self) -> bool {
        self.listening == 0
    }

    /// How many clients listen.
    pub fn listening(&self) -> usize {
        self.listening
    }

    /// How many names of this kind somebody has subscribed to.
    pub fn count(&self, kind: Kind) -> usize {
        self.tables[kind as usize].len()
    }

    /// How many have subscribed to a name.
    pub fn subscribers(&self, kind: Kind, name: &[u8]) -> usize {
        self.live(self.tables[kind as usize].subscribers(name))
    }

    /// The names of this kind that somebody has subscribed to, in no order.
    pub fn names(&self, kind: Kind) -> impl Iterator<Item = &[u8]> {
        let table = &self.tables[kind as usize];
        let entries = table.iter();
        entries.filter_map(|(name, all)| (self.live(all) > 0).then_some(name))
    }

    /// How many of these are not gone.
    fn live(&self, all: &[Subscriber]) -> usize {
        match self.leaving.is_empty() {
            true => all.len(),
            false => all.iter().filter(|one| !one.has.is_gone.get()).count(),
        }
    }

    /// Has a client listen to a name, if it does not yet.
    pub fn subscribe(&mut self, client: &Rc<Client>, kind: Kind, name: &[u8]) {
        let has = client.subscribed.borrow_mut().get_or_insert_default().clone();
        if has.names(kind).borrow().contains_key(name) {
            return;
        }
        if !client.listens.replace(true) {
            self.listening += 1;
        }
        let subscriber = Subscriber {
            client: client.clone(),
            has: has.clone(),
        };
        let (name, at, is_first) = self.tables[kind as usize].add(name, subscriber);
        let mut bytes = SUBSCRIPTION + name.len();
        if kind == Kind::Pattern {
            bytes += match is_first {
                true => self.patterns.add(&name),
                false => self.patterns.memory(&name),
            };
        }
        has.names(kind).borrow_mut().insert(name, at);
        has.bytes.set(has.bytes.get() + bytes);
    }

    /// Has it no longer listen to a name.
    pub fn unsubscribe(&mut self, client: &Client, kind: Kind, name: &[u8]) {
        let Some(has) = client.subscribed.borrow().clone() else {
            return;
        };
        let removed = has.names(kind).borrow_mut().remove_entry(name);
        let Some((name, at)) = removed else { return };
        let mut bytes = SUBSCRIPTION + name.len();
        if kind == Kind::Pattern {
            bytes += self.patterns.memory(&name);
        }
        has.bytes.set(has.bytes.get().saturating_sub(bytes));
        self.forget(kind, &name, at, &has);
        if has.count_all() == 0 {
            self.leave(client);
        }
    }

    /// Has it no longer listen to anything.
    pub fn leave(&mut self, client: &Client) {
        if client.listens.replace(false) {
            self.listening -= 1;
        }
        if let Some(has) = client.subscribed.take() {
            has.is_gone.set(true);
            self.leaving.add(has);
            self.forget_some();
        }
    }

    /// Takes a subscriber out of a name's, among whom it has, or had, this place.
    fn forget(&mut self, kind: Kind, name: &Name, at: u32, has: &Rc<Subscriptions>) {
        let is_empty = self.tables[kind as usize].remove(kind, name, at, has);
        if is_empty && kind == Kind::Pattern {
            self.patterns.remove(name);
        }
    }

    /// Whether names are to be forgotten of those who are gone.
    pub fn has_work(&self) -> bool {
        !self.leaving.is_empty()
    }

    /// Goes on forgetting the names of those who are gone. Whether there are more of them.
    pub fn forget_some(&mut self) -> bool {
        for _ in 0..leaving::AT_ONCE {
            let Some((kind, name, at, has)) = self.leaving.next() else {
                return false;
            };
            self.forget(kind, &name, at, &has);
        }
        !self.leaving.is_empty()
    }
}

impl Client {
    /// What its subscriptions take of memory, in bytes.
    pub fn subscriptions_memory(&self) -> usize {
        match self.listens.get() {
            true => self.subscribed.borrow().as_ref().map_or(0, |has| has.bytes.get()),
            false => 0,
        }
    }

    /// The names of this kind that it has subscribed to, in no order.
    pub fn subscribed(&self, kind: Kind) -> Vec<Rc<[u8]>> {
        let has = self.subscribed.borrow();
        let Some(has) = &*has else {
            return Vec::new();
        };
        has.names(kind).borrow().keys().cloned().collect()
    }

    /// How many subscriptions of a kind it has.
    pub fn subscriptions(&self, kind: Kind) -> usize {
        let has = self.subscribed.borrow();
        has.as_ref().map_or(0, |has| has.count(kind))
    }
}

impl Engine {
    /// Has a client no longer listen to anything. It is not told.
    pub(super) fn leave_pubsub(&mut self, client: &Client) {
        self.pubsub.leave(client);
        self.choose_events();
        self.want_commit();
    }
}

impl Audience for PubSub {
    fn count(&self, space: Space, channel: &[u8]) -> usize {
        if self.is_empty() {
            return 0;
        }
        let mut count = self.subscribers(space.into(), channel);
        if space == Space::Global {
            self.patterns.matching(channel, |pattern| {
                count += self.subscribers(Kind::Pattern, pattern);
            });
        }
        count
    }
}
