//! Keyspace events: what becomes of keys, told to whoever has subscribed to that (`notify-keyspace-events`).
//!
//! A transaction notes them where it does what they tell of: new keys, deleted and expired ones here in the store, all else in
//! the commands, in Redis's order. They are [`Effect`]s: they leave when what they tell of cannot be lost any more.

use std::sync::Arc;

use super::effects::{Effect, KeyEvent};
use super::keyspace::{Entry, Key};
use super::stop::Result;
use super::txn::Txn;
use crate::base::events::Events;
use crate::disk::format::Kind;

/// What a key that is missed takes in memory beside its name.
const MISS_BYTES: usize = size_of::<Effect>();

impl Txn<'_> {
    /// Tells of an event of a key, if anybody wants to know of events of its class.
    #[inline]
    pub fn notify(&mut self, class: Events, name: &'static str, key: Key) {
        if self.events.intersects(class) {
            self.cause_event(class, name, key);
        }
    }

    fn cause_event(&mut self, class: Events, name: &'static str, key: Key) {
        let shared = match self.work.effects.last() {
            Some(Effect::KeyEvent(event)) if *event.key == *key.name => event.key.clone(),
            _ => Arc::from(key.name),
        };
        self.cause(Effect::KeyEvent(KeyEvent {
            name,
            db: key.db,
            key: shared,
            in_keyspace: self.events.contains(Events::KEYSPACE),
            in_keyevent: self.events.contains(Events::KEYEVENT),
            is_miss: class == Events::KEY_MISS,
        }));
    }

    /// A key was to be read that is not there. A call may miss any number of them, so they count as gathered.
    ///
    /// # Errors
    /// They are too many.
    #[inline]
    pub fn notify_miss(&mut self, key: Key) -> Result<()> {
        if self.events.intersects(Events::KEY_MISS) {
            self.allowance.take(MISS_BYTES + key.name.len())?;
            self.cause_event(Events::KEY_MISS, "keymiss", key);
        }
        Ok(())
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
