//! Keyspace events, as messages to who has subscribed to them.

use super::Engine;
use super::pubsub::Delivery;
use crate::base::events::Events;
use crate::store::{Effect, Epoch, KeyEvent, Space};

impl Engine {
    /// Has transactions tell of the events that are configured, while somebody listens to anything. To be called when either
    /// changes.
    pub(super) fn choose_events(&mut self) {
        self.store.set_events(match self.pubsub.is_empty() {
            true => Events::empty(),
            false => self.config.notify_keyspace_events,
        });
    }

    /// Publishes an event: under the key's name, under its own, or both.
    pub(super) fn publish_event(&mut self, event: &KeyEvent, delivery: &mut Delivery) {
        if self.pubsub.is_empty() {
            return;
        }
        let KeyEvent { name, db, key, .. } = event;
        if event.in_keyspace {
            let channel = [format!("__keyspace@{db}__:").as_bytes(), key].concat();
            self.publish_in(Space::Global, &channel, name.as_bytes(), delivery);
        }
        if event.in_keyevent {
            let channel = format!("__keyevent@{db}__:{name}");
            self.publish_in(Space::Global, channel.as_bytes(), key, delivery);
        }
    }

    /// Publishes what a request over a view has missed. It saw nothing that could still be lost.
    pub(super) fn publish_misses(&mut self, effects: &[Effect]) {
        for effect in effects {
            if let Effect::KeyEvent(event) = effect {
                self.publish_event(event, &mut Delivery::From(Epoch::NONE));
            }
        }
    }
}
