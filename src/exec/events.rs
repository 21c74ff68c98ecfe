//! Keyspace events, as messages to who has subscribed to them.

use super::Engine;
use crate::base::events::Events;
use crate::store::{Effect, Epoch, KeyEvent};

impl Engine {
    /// Has transactions tell of the events that are configured, while somebody listens to anything. To be called when either
    /// changes.
    pub(super) fn choose_events(&mut self) {
        self.store.set_events(match self.pubsub.is_empty() {
            true => Events::empty(),
            false => self.config.notify_keyspace_events,
        });
    }

    /// Publishes an event: under the key's name, under its own, or both. It leaves once `epoch` is settled.
    pub(super) fn publish_event(&mut self, event: &KeyEvent, epoch: Epoch) {
        if self.pubsub.is_empty() {
            return;
        }
        let KeyEvent { name, db, key, .. } = event;
        if event.in_keyspace {
            let channel = [format!("__keyspace@{db}__:").as_bytes(), key].concat();
            self.publish(&channel, name.as_bytes(), epoch);
        }
        if event.in_keyevent {
            self.publish(format!("__keyevent@{db}__:{name}").as_bytes(), key, epoch);
        }
    }

    /// Publishes what a request over a view has missed. It saw nothing that could still be lost.
    pub(super) fn publish_misses(&mut self, effects: &[Effect]) {
        for effect in effects {
            if let Effect::KeyEvent(event) = effect {
                self.publish_event(event, Epoch::NONE);
            }
        }
    }
}
