//! From a message to the outboxes of those who get it.
//!
//! A message takes its place there at once, and is counted at once; but it may leave only when its epoch is settled, and is
//! lost with it ([`Outbox::push_shared`](crate::exec::outbox::Outbox::push_shared)). So it comes before or behind each reply
//! as it does in Redis, and who subscribes later does not get it. Its bytes are there once for each protocol.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use super::{Kind, PubSub, Subscriber};
use crate::exec::{Client, Engine};
use crate::resp::{Blob, Counted, Protocol, encode_push};
use crate::store::{Effect, Epoch, Space};

/// A message, encoded for each protocol that somebody speaks who gets it.
struct Message<'a> {
    parts: &'a [&'a [u8]],
    sum: Arc<AtomicUsize>,
    encoded: [Option<Blob>; 2],
}

impl<'a> Message<'a> {
    fn new(parts: &'a [&'a [u8]], engine: &Engine) -> Message<'a> {
        Message {
            parts,
            sum: engine.clients.shared.clone(),
            encoded: [None, None],
        }
    }

    fn encoded(&mut self, protocol: Protocol) -> &Blob {
        self.encoded[protocol as usize].get_or_insert_with(|| {
            let mut bytes = Vec::new();
            encode_push(self.parts, None, protocol, &mut bytes);
            let whole = 0..bytes.len();
            Blob::counted(Counted::new(bytes, &self.sum), whole)
        })
    }
}

impl Engine {
    /// Sends what transactions have caused for clients that are staged. None of it is told before `after` is settled, on
    /// which whoever caused it depends.
    #[inline]
    pub(in crate::exec) fn tell(&mut self, after: Epoch) {
        if self.store.has_messages() {
            self.tell_messages(after);
        }
    }

    #[inline(never)]
    fn tell_messages(&mut self, after: Epoch) {
        for (epoch, effect) in self.store.take_messages() {
            let epoch = epoch.max(after);
            match effect {
                Effect::Published(message) => {
                    self.publish_in(message.space, &message.channel, &message.payload, epoch);
                }
                Effect::KeyEvent(event) => self.publish_event(&event, epoch),
                Effect::KeyExpired
                | Effect::FieldsExpired(_)
                | Effect::KeyChanged(_)
                | Effect::KeysReplaced => {
                    unreachable!("the store keeps what is no message")
                }
            }
        }
    }

    /// Sends a message to all who listen to a channel, once `epoch` is settled. It leaves at the end of the tick at the
    /// earliest. Returns how often it is sent.
    pub fn publish(&mut self, channel: &[u8], payload: &[u8], epoch: Epoch) -> usize {
        self.publish_in(Space::Global, channel, payload, epoch)
    }

    fn publish_in(&mut self, space: Space, channel: &[u8], payload: &[u8], epoch: Epoch) -> usize {
        if self.pubsub.is_empty() {
            return 0;
        }
        // Sending needs the engine, and changes no subscription.
        let pubsub = std::mem::take(&mut self.pubsub);
        let count = self.publish_to(&pubsub, space, channel, payload, epoch);
        self.pubsub = pubsub;
        count
    }

    fn publish_to(
        &mut self,
        pubsub: &PubSub,
        space: Space,
        channel: &[u8],
        payload: &[u8],
        epoch: Epoch,
    ) -> usize {
        let kind = Kind::from(space);
        let word: &[u8] = match space {
            Space::Global => b"message",
            Space::Sharded => b"smessage",
        };
        let subscribers = pubsub.tables[kind as usize].subscribers(channel);
        let mut count = self.send_to_each(subscribers, &[word, channel, payload], epoch);
        if space == Space::Global {
            pubsub.patterns.matching(channel, |pattern| {
                let subscribers = pubsub.tables[Kind::Pattern as usize].subscribers(pattern);
                let parts = [b"pmessage", pattern, channel, payload];
                count += self.send_to_each(subscribers, &parts, epoch);
            });
        }
        count
    }

    fn send_to_each(&mut self, subscribers: &[Subscriber], parts: &[&[u8]], epoch: Epoch) -> usize {
        let mut message = Message::new(parts, self);
        let mut count = 0;
        for subscriber in subscribers.iter().filter(|one| !one.has.is_gone.get()) {
            let client = &subscriber.client;
            count += 1;
            if !client.killed.get() {
                self.send_shared(client, message.encoded(client.protocol.get()), epoch);
            }
        }
        count
    }

    /// As [`Engine::send`], of a message that is encoded already.
    fn send_shared(&mut self, client: &Rc<Client>, message: &Blob, epoch: Epoch) {
        let settled = self.store.settled();
        self.send_with(client, |outbox| outbox.push_shared(message, epoch, settled));
    }
}
