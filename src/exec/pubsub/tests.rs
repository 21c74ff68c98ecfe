//! The tables of subscriptions, against a model.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::base::glob::Pattern;
use crate::base::random::Random;
use crate::exec::client::{Clients, Peer};

struct World {
    clients: Clients,
    pubsub: PubSub,
}

impl World {
    fn new() -> World {
        World {
            clients: Clients::default(),
            pubsub: PubSub::default(),
        }
    }

    fn connect(&mut self) -> Rc<Client> {
        let peer = Peer {
            address: String::new(),
            local_address: String::new(),
            is_unix: true,
            fd: -1,
        };
        self.clients.add(peer, 0)
    }
}

#[test]
fn subscriptions_are_those_of_a_model() {
    let mut world = World::new();
    let mut random = Random::from_seed(17);
    let mut clients: Vec<_> = (0..20).map(|_| world.connect()).collect();
    let mut model: BTreeSet<(u64, u8, u64)> = BTreeSet::new();
    for _ in 0..200_000 {
        let who = random.below(clients.len() as u64) as usize;
        let (kind, name) = (KINDS[random.below(3) as usize], random.below(30));
        let client = clients[who].clone();
        let text = format!("{name}");
        match random.below(100) {
            0 => {
                world.pubsub.leave(&client);
                model.retain(|(id, ..)| *id != client.id);
                clients[who] = world.connect();
            }
            1..50 => {
                world.pubsub.subscribe(&client, kind, text.as_bytes());
                model.insert((client.id, kind as u8, name));
            }
            _ => {
                world.pubsub.unsubscribe(&client, kind, text.as_bytes());
                model.remove(&(client.id, kind as u8, name));
            }
        }
        if random.below(100) == 0 {
            check(&world, &clients, &model);
        }
    }
    clients.iter().for_each(|client| world.pubsub.leave(client));
    assert!(world.pubsub.is_empty());
    assert!(KINDS.iter().all(|kind| world.pubsub.count(*kind) == 0));
}

fn check(world: &World, clients: &[Rc<Client>], model: &BTreeSet<(u64, u8, u64)>) {
    let mut by_name: BTreeMap<(u8, u64), usize> = BTreeMap::new();
    for (_, kind, name) in model {
        *by_name.entry((*kind, *name)).or_default() += 1;
    }
    for kind in KINDS {
        for name in 0..30 {
            let expected = by_name.get(&(kind as u8, name)).copied().unwrap_or(0);
            let text = format!("{name}");
            assert_eq!(world.pubsub.subscribers(kind, text.as_bytes()), expected);
        }
        let names = by_name.keys().filter(|(of, _)| *of == kind as u8).count();
        assert_eq!(world.pubsub.count(kind), names);
    }
    let listening: BTreeSet<u64> = model.iter().map(|(id, ..)| *id).collect();
    assert_eq!(world.pubsub.listening(), listening.len());
    for client in clients {
        let count = model.iter().filter(|(id, ..)| *id == client.id).count();
        let counted: usize = KINDS.iter().map(|kind| client.subscriptions(*kind)).sum();
        assert_eq!((counted, client.listens.get()), (count, count > 0));
        assert_eq!(client.subscriptions_memory() > 0, count > 0);
    }
}

#[test]
fn patterns_are_found_by_what_they_begin_with() {
    let mut world = World::new();
    let client = world.connect();
    let patterns = [
        "*",
        "news.*",
        "news.[ab]*",
        "n?ws.a",
        "news.a",
        "\\news.*",
        "x*",
        "",
    ];
    for pattern in patterns {
        world.pubsub.subscribe(&client, Kind::Pattern, pattern.as_bytes());
    }
    let matching = |world: &World, channel: &str| {
        let mut found = BTreeSet::new();
        world.pubsub.patterns.matching(channel.as_bytes(), |pattern| {
            assert!(found.insert(String::from_utf8(pattern.to_vec()).unwrap()));
        });
        found
    };
    for channel in ["news.a", "news.c", "x", "", "other"] {
        let fits = |pattern: &&&str| Pattern::new(pattern.as_bytes(), false).matches(channel.as_bytes());
        let expected: BTreeSet<_> = patterns.iter().filter(fits).map(|one| one.to_string()).collect();
        assert_eq!(matching(&world, channel), expected, "{channel}");
        let count = Audience::count(&world.pubsub, Space::Global, channel.as_bytes());
        assert_eq!(count, expected.len());
    }
    for pattern in patterns {
        world
            .pubsub
            .unsubscribe(&client, Kind::Pattern, pattern.as_bytes());
    }
    assert!(matching(&world, "news.a").is_empty() && world.pubsub.is_empty());
}

#[test]
fn who_leaves_with_very_many_names_is_forgotten_in_slices() {
    let mut world = World::new();
    let (leaves, stays) = (world.connect(), world.connect());
    let names = 10 * leaving::AT_ONCE;
    for name in 0..names {
        let text = format!("{name}");
        world.pubsub.subscribe(&leaves, Kind::Channel, text.as_bytes());
        if name % 3 == 0 {
            world.pubsub.subscribe(&stays, Kind::Channel, text.as_bytes());
        }
    }
    assert!(leaves.subscriptions_memory() > names * SUBSCRIPTION);
    world.pubsub.leave(&leaves);
    assert!(world.pubsub.has_work());
    assert_eq!((leaves.subscriptions_memory(), world.pubsub.listening()), (0, 1));
    // What is left of it counts no more.
    for name in 0..names {
        let expected = usize::from(name % 3 == 0);
        let text = format!("{name}");
        assert_eq!(world.pubsub.subscribers(Kind::Channel, text.as_bytes()), expected);
    }
    let staying = names.div_ceil(3);
    assert_eq!(world.pubsub.names(Kind::Channel).count(), staying);
    let mut slices = 0;
    while world.pubsub.forget_some() {
        slices += 1;
    }
    assert!((8..=10).contains(&slices), "{slices}");
    assert_eq!(world.pubsub.count(Kind::Channel), staying);
    assert_eq!(stays.subscriptions(Kind::Channel), staying);
}
