//! Keyspace events: what becomes of keys, told to whoever has subscribed to that (`notify-keyspace-events`).
//!
//! A transaction notes them where it does what they tell of: new keys, deleted and expired ones here in the store, all else in
//! the commands, in Redis's order. They are [`Effect`]s: they leave when what they tell of cannot be lost any more.

use std::sync::Arc;

use super::effects::{Effect, KeyEvent, Publication};
use super::keyspace::{Entry, Key};
use super::stop::Result;
use super::txn::Txn;
use crate::base::events::Events;
use crate::disk::format::Kind;

/// What an event takes in memory beside its key.
const EVENT_BYTES: usize = size_of::<Effect>();

impl Txn<'_> {
    /// Tells of an event of a key, if anybody wants to know of events of its class.
    #[inline]
    pub fn notify(&mut self, class: Events, name: &'static str, key: Key) {
        if self.events.intersects(class) {
            self.cause_event(class, name, key);
        }
    }

    fn cause_event(&mut self, class: Events, name: &'static str, key: Key) {
        let mut bytes = EVENT_BYTES;
        let shared = match self.work.effects.last() {
            Some(Effect::KeyEvent(event)) if *event.key == *key.name => event.key.clone(),
            _ => {
                bytes += key.name.len();
                Arc::from(key.name)
            }
        };
        self.work.events += bytes;
        self.allowance.note(bytes);
        self.cause(Effect::KeyEvent(KeyEvent {
            name,
            db: key.db,
            key: shared,
            in_keyspace: self.events.contains(Events::KEYSPACE),
            in_keyevent: self.events.contains(Events::KEYEVENT),
            is_miss: class == Events::KEY_MISS,
        }));
    }

    /// Publishes a message.
    ///
    /// # Errors
    /// There is more to tell of already than may be gathered.
    pub fn publish(&mut self, message: Publication) -> Result<()> {
        self.allowance.check()?;
        let bytes = EVENT_BYTES + size_of::<Publication>() + message.channel.len() + message.payload.len();
        self.work.events += bytes;
        self.allowance.note(bytes);
        self.cause(Effect::Published(Box::new(message)));
        Ok(())
    }

    /// A key was to be read that is not there.
    #[inline]
    pub fn notify_miss(&mut self, key: Key) {
        self.notify(Events::KEY_MISS, "keymiss", key);
    }

    /// Counts the events and messages that the transaction has to tell of as gathered, as they are until it is staged: for a call within a
    /// transaction that has an allowance of its own.
    pub fn charge_events(&mut self) {
        self.allowance.note(self.work.events);
    }

    /// Refuses to go on where there are more events to tell of than may be gathered.
    ///
    /// # Errors
    /// They are too many.
    #[inline]
    pub(super) fn check_events(&self) -> Result<()> {
        match self.events.is_empty() {
            true => Ok(()),
            false => self.allowance.check(),
        }
    }

    /// A key gets another value, of this kind, whatever it held before.
    pub fn notify_overwritten(&mut self, key: Key, old: Option<&Entry>, kind: Kind) {
        let Some(old) = old else { return };
        self.notify(Events::OVERWRITTEN, "overwritten", key);
        if old.header.kind.type_name() != kind.type_name() {
            self.notify(Events::TYPE_CHANGED, "type_changed", key);
        }
    }

    /// What it causes so far, taken out: for a body over a view, which is not staged.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.work.effects)
    }
}
