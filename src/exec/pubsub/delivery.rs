//! From a message to the outboxes of those who get it.
//!
//! A message takes its place there at once, and is counted at once; but it may leave only when its epoch is settled, and is
//! lost with it ([`Outbox::push_shared`](crate::exec::outbox::Outbox::push_shared)). So it comes before or behind each reply
//! as it does in Redis, and who subscribes later does not get it. Its bytes are there once for each protocol.

use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use super::{Kind, PubSub, Subscriber};
use crate::exec::{Client, Engine};
use crate::resp::{Blob, Counted, Protocol, encode_push};
use crate::store::{Effect, Epoch, Space, Suspended};

/// A message on its way to one client.
pub(in crate::exec) type Addressed = (Rc<Client>, Blob);

/// What becomes of a message for each client that gets it.
pub(in crate::exec) enum Delivery<'a> {
    /// It may leave once this epoch is settled.
    From(Epoch),
    /// It is kept, to be sent when it is known which epoch it waits for.
    Kept(&'a mut Vec<Addressed>),
}

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
                Effect::Addressed => {
                    for (client, message) in self.pubsub.addressed.pop_front().unwrap_or_default() {
                        self.send_shared(&client, &message, epoch);
                    }
                }
                message => self.publish_effect(&message, &mut Delivery::From(epoch)),
            }
        }
    }

    fn publish_effect(&mut self, effect: &Effect, delivery: &mut Delivery) {
        match effect {
            Effect::Published(message) => {
                self.publish_in(message.space, &message.channel, &message.payload, delivery);
            }
            Effect::KeyEvent(event) => self.publish_event(event, delivery),
            Effect::KeyExpired
            | Effect::FieldsExpired(_)
            | Effect::KeyChanged(_)
            | Effect::KeysReplaced
            | Effect::Addressed => {
                unreachable!("the store keeps what is no message")
            }
        }
    }

    /// Settles who gets the messages that a transaction has caused so far: who listens may become others before its end.
    pub(in crate::exec) fn address_messages(
        &mut self,
        txn: &mut Suspended,
        addressed: &mut VecDeque<Vec<Addressed>>,
    ) {
        let messages = txn.take_messages();
        if messages.is_empty() {
            return;
        }
        let mut kept = Vec::new();
        for message in &messages {
            self.publish_effect(message, &mut Delivery::Kept(&mut kept));
        }
        addressed.push_back(kept);
    }

    /// Sends a message to all who listen to a channel, or keeps it for them. It leaves at the end of the tick at the earliest.
    pub(in crate::exec) fn publish_in(
        &mut self,
        space: Space,
        channel: &[u8],
        payload: &[u8],
        delivery: &mut Delivery,
    ) {
        if self.pubsub.is_empty() {
            return;
        }
        // Sending needs the engine, and changes no subscription.
        let pubsub = std::mem::take(&mut self.pubsub);
        self.publish_to(&pubsub, space, channel, payload, delivery);
        self.pubsub = pubsub;
    }

    fn publish_to(
        &mut self,
        pubsub: &PubSub,
        space: Space,
        channel: &[u8],
        payload: &[u8],
        delivery: &mut Delivery,
    ) {
        let kind = Kind::from(space);
        let word: &[u8] = match space {
            Space::Global => b"message",
            Space::Sharded => b"smessage",
        };
        let subscribers = pubsub.tables[kind as usize].subscribers(channel);
        self.send_to_each(subscribers, &[word, channel, payload], delivery);
        if space == Space::Global {
            pubsub.patterns.matching(channel, |pattern| {
                let subscribers = pubsub.tables[Kind::Pattern as usize].subscribers(pattern);
                let parts = [b"pmessage", pattern, channel, payload];
                self.send_to_each(subscribers, &parts, delivery);
            });
        }
    }

    fn send_to_each(&mut self, subscribers: &[Subscriber], parts: &[&[u8]], delivery: &mut Delivery) {
        let mut message = Message::new(parts, self);
        for subscriber in subscribers.iter().filter(|one| !one.has.is_gone.get()) {
            let client = &subscriber.client;
            if client.killed.get() {
                continue;
            }
            let encoded = message.encoded(client.protocol.get());
            match delivery {
                Delivery::From(epoch) => self.send_shared(client, encoded, *epoch),
                Delivery::Kept(kept) => kept.push((client.clone(), encoded.clone())),
            }
        }
    }

    /// As [`Engine::send`], of a message that is encoded already.
    fn send_shared(&mut self, client: &Rc<Client>, message: &Blob, epoch: Epoch) {
        let settled = self.store.settled();
        self.send_with(client, |outbox| outbox.push_shared(message, epoch, settled));
    }
}
