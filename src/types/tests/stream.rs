//! Streams against a model: ordered maps of entries and of what is pending go through the same seeded random changes.

use std::collections::BTreeMap;

use super::{KEY, OTHER};
use crate::base::random::Random;
use crate::store::testing::TestStore;
use crate::store::{Entry, Key, Result, Txn};
use crate::types::stream::{self, Bound, Group, Id, NewId, Order, Search, Span, Stream, Trim};
use crate::types::thresholds::Thresholds;

const GROUPS: [&[u8]; 2] = [b"first", b"second"];
const CONSUMERS: [&[u8]; 3] = [b"a", b"b", b"c"];

/// Fields and values in turn.
type Fields = Vec<Vec<u8>>;
/// Consumer and count.
type Pending = BTreeMap<Id, (usize, u64)>;

#[derive(Clone, Default, PartialEq, Debug)]
struct Model {
    entries: BTreeMap<Id, Fields>,
    last: Id,
    added: u64,
    groups: BTreeMap<usize, (Id, Pending)>,
}

fn thresholds(entries: u64, bytes: u64) -> Thresholds {
    Thresholds {
        stream_bytes: bytes,
        stream_entries: entries,
        ..Thresholds::default()
    }
}

fn open(txn: &mut Txn, key: Key) -> Result<(Option<Entry>, Stream)> {
    let found = txn.lookup(key)?;
    let stream = match Stream::open(found.as_ref())? {
        Some(stream) => stream,
        None => Stream::create(txn),
    };
    Ok((found, stream))
}

/// Runs a body over the stream and saves it.
fn change<T>(test: &mut TestStore, mut body: impl FnMut(&mut Txn, &mut Stream) -> Result<T>) -> T {
    let done = test.run(|txn| {
        let (found, mut stream) = open(txn, KEY)?;
        let value = body(txn, &mut stream)?;
        stream.save(txn, KEY, found.as_ref())?;
        Ok(value)
    });
    done.unwrap()
}

/// As [`change`], over one of its groups.
fn change_group<T>(
    test: &mut TestStore,
    name: &[u8],
    mut body: impl FnMut(&mut Txn, &Stream, &mut Group) -> Result<T>,
) -> T {
    change(test, |txn, stream| {
        let mut group = stream.group(txn, name)?.expect("a group of the model");
        let value = body(txn, stream, &mut group)?;
        group.save(txn);
        Ok(value)
    })
}

fn fields(random: &mut Random) -> Fields {
    let mut fields = vec![b"field".to_vec()];
    let len = match random.below(60) {
        0 => 20_000,
        1 => 600,
        _ => random.below(30),
    };
    fields.push(vec![b'v'; len as usize]);
    if random.below(5) == 0 {
        fields.extend([random.below(9).to_string().into_bytes(), b"more".to_vec()]);
    }
    fields
}

/// An ID that may be one of an entry.
fn some_id(random: &mut Random, model: &Model) -> Id {
    let nth = random.below(model.entries.len().max(1) as u64) as usize;
    match model.entries.keys().nth(nth) {
        Some(id) if random.below(4) > 0 => *id,
        _ => Id {
            ms: random.below(model.last.ms + 2),
            seq: random.below(4),
        },
    }
}

fn append(test: &mut TestStore, model: &mut Model, random: &mut Random, limits: &Thresholds) {
    let fields = fields(random);
    let id = Id {
        ms: model.last.ms + random.below(2),
        seq: model.last.seq + 1,
    };
    let parts: Vec<&[u8]> = fields.iter().map(Vec::as_slice).collect();
    let given = change(test, |txn, stream| {
        stream.append(txn, NewId::Exactly(id), &parts, limits)
    });
    assert_eq!(given, id);
    model.entries.insert(id, fields);
    (model.last, model.added) = (id, model.added + 1);
}

fn delete(test: &mut TestStore, model: &mut Model, random: &mut Random) {
    let ids: Vec<Id> = (0..=random.below(6)).map(|_| some_id(random, model)).collect();
    let deleted = change(test, |txn, stream| stream.remove(txn, ids.clone()));
    let gone = ids.iter().filter(|id| model.entries.remove(id).is_some());
    assert_eq!(deleted, gone.count() as u64);
}

fn trim(test: &mut TestStore, model: &mut Model, random: &mut Random, most_in_node: usize) {
    let bound = match random.below(2) {
        0 => Bound::Length(random.below(model.entries.len() as u64 + 2)),
        _ => Bound::Id(some_id(random, model)),
    };
    let approximate = random.below(2) == 0;
    let limit = None;
    let dropped = change(test, |txn, stream| {
        stream.trim(
            txn,
            Trim {
                bound,
                approximate,
                limit,
            },
        )
    }) as usize;
    let surplus = match bound {
        Bound::Length(most) => model.entries.len().saturating_sub(most as usize),
        Bound::Id(least) => model.entries.range(..least).count(),
    };
    match approximate {
        true => assert!(dropped <= surplus && surplus - dropped <= most_in_node),
        false => assert_eq!(dropped, surplus),
    }
    for _ in 0..dropped {
        model.entries.pop_first();
    }
}

fn read_for(test: &mut TestStore, model: &mut Model, random: &mut Random) {
    let (at, who, limit) = (
        random.below(2) as usize,
        random.below(3) as usize,
        1 + random.below(9),
    );
    if !model.groups.contains_key(&at) {
        let from = some_id(random, model);
        assert!(change(test, |txn, stream| stream
            .create_group(txn, GROUPS[at], from, None)));
        model.groups.insert(at, (from, Pending::new()));
    }
    let given = change_group(test, GROUPS[at], |txn, stream, group| {
        let consumer = group.see(txn, CONSUMERS[who])?;
        stream.deliver(txn, group, consumer, limit, true, |_, _| Ok(()))
    });
    let (last, pending) = model.groups.get_mut(&at).unwrap();
    let unread = model.entries.range(last.next().unwrap()..).take(limit as usize);
    let unread: Vec<Id> = unread.map(|(id, _)| *id).collect();
    assert_eq!(given, unread.len() as u64);
    for id in unread {
        *last = id;
        pending.insert(id, (who, 1));
    }
}

fn acknowledge(test: &mut TestStore, model: &mut Model, random: &mut Random) {
    let ids: Vec<Id> = (0..8).map(|_| some_id(random, model)).collect();
    let Some((at, (_, pending))) = model.groups.iter_mut().next_back() else {
        return;
    };
    let done = change_group(test, GROUPS[*at], |txn, _, group| {
        let mut done = 0;
        for id in &ids {
            done += usize::from(group.acknowledge(txn, *id)?);
        }
        Ok(done)
    });
    assert_eq!(done, ids.iter().filter(|id| pending.remove(id).is_some()).count());
}

fn assign(test: &mut TestStore, model: &mut Model, random: &mut Random) {
    let (id, who) = (some_id(random, model), random.below(3) as usize);
    let Some((at, (_, pending))) = model.groups.iter_mut().next() else {
        return;
    };
    change_group(test, GROUPS[*at], |txn, _, group| {
        let consumer = group.see(txn, CONSUMERS[who])?;
        group.assign(txn, id, consumer, txn.now, 7)
    });
    pending.insert(id, (who, 7));
}

fn forget(test: &mut TestStore, model: &mut Model, random: &mut Random) {
    let (at, who) = (random.below(2) as usize, random.below(3) as usize);
    let Some((_, pending)) = model.groups.get_mut(&at) else {
        return;
    };
    if random.below(4) == 0 {
        assert!(change(test, |txn, stream| stream.destroy_group(txn, GROUPS[at])));
        model.groups.remove(&at);
        return;
    }
    let removed = change_group(test, GROUPS[at], |txn, _, group| {
        group.remove(txn, CONSUMERS[who])
    });
    let own = pending.values().filter(|(owner, _)| *owner == who).count() as u64;
    assert_eq!(removed.unwrap_or(0), own);
    pending.retain(|_, (owner, _)| *owner != who);
}

/// All of a stream.
fn read(txn: &mut Txn, key: Key) -> Result<Model> {
    let (_, stream) = open(txn, key)?;
    let mut model = Model {
        last: stream.last,
        added: stream.added,
        ..Model::default()
    };
    let all = Span {
        ids: Id::MIN..=Id::MAX,
        order: Order::Forward,
        limit: u64::MAX,
        read_only: true,
    };
    stream.range(txn, all, |_, entry| {
        let parts: std::result::Result<Vec<_>, _> =
            entry.parts().map(|part| part.map(<[u8]>::to_vec)).collect();
        model.entries.insert(entry.id, parts?);
        Ok(())
    })?;
    assert_eq!(stream.length, model.entries.len() as u64);
    assert_eq!(
        stream.first,
        model.entries.keys().next().copied().unwrap_or(Id::MIN)
    );
    for (name, mut group) in stream.groups(txn)? {
        let at = GROUPS.iter().position(|known| *known == name).unwrap();
        let pending = pending(txn, &mut group)?;
        model.groups.insert(at, (group.last, pending));
    }
    Ok(model)
}

/// What is pending in a group, which is also what is pending with its consumers.
fn pending(txn: &mut Txn, group: &mut Group) -> Result<Pending> {
    let mut search = Search {
        ids: Id::MIN..=Id::MAX,
        consumer: None,
        given_by: None,
        limit: u64::MAX,
        read_only: true,
    };
    let mut all = Pending::new();
    for (id, delivery) in group.search(txn, &search)? {
        let owner = group.numbered(txn, delivery.consumer)?;
        let name = &group.consumer(owner).name;
        all.insert(
            id,
            (
                CONSUMERS.iter().position(|known| known == name).unwrap(),
                delivery.count,
            ),
        );
    }
    let mut owned = 0;
    for consumer in group.consumers(txn)? {
        search.consumer = group.find(txn, &consumer.name)?;
        let who = CONSUMERS
            .iter()
            .position(|known| *known == consumer.name)
            .unwrap();
        let own = group.search(txn, &search)?;
        assert!(own.iter().all(|(id, _)| all[id].0 == who));
        assert_eq!(own.len() as u64, consumer.pending());
        owned += own.len();
    }
    assert_eq!(owned, all.len());
    assert_eq!(group.pending(), owned as u64);
    Ok(all)
}

/// Reads a part, in either order.
fn check_span(test: &mut TestStore, model: &Model, random: &mut Random) {
    let (from, to) = (some_id(random, model), some_id(random, model));
    let limit = 1 + random.below(30);
    let order = [Order::Forward, Order::Backward][random.below(2) as usize];
    let found = test.run(|txn| {
        let (_, stream) = open(txn, KEY)?;
        let mut ids = Vec::new();
        let span = Span {
            ids: from..=to,
            order,
            limit,
            read_only: true,
        };
        stream.range(txn, span, |_, entry| {
            ids.push(entry.id);
            Ok(())
        })?;
        Ok(ids)
    });
    let within = model
        .entries
        .keys()
        .copied()
        .filter(|id| (from..=to).contains(id));
    let expected: Vec<Id> = match order {
        Order::Forward => within.take(limit as usize).collect(),
        Order::Backward => within.rev().take(limit as usize).collect(),
    };
    assert_eq!(found, Ok(expected));
}

fn run_model(seed: u64) {
    let mut random = Random::from_seed(seed);
    let mut test = TestStore::for_seed(seed);
    let mut model = Model::default();
    let most = *[1, 3, 10, 100].get(seed as usize % 4).unwrap_or(&100);
    let limits = thresholds(most, [4096, 0][seed as usize % 2]);
    for step in 0..1500 {
        match random.below(20) {
            0..=7 => append(&mut test, &mut model, &mut random, &limits),
            8 => delete(&mut test, &mut model, &mut random),
            9 if random.below(4) == 0 => trim(&mut test, &mut model, &mut random, most as usize),
            10..=12 => read_for(&mut test, &mut model, &mut random),
            13 => acknowledge(&mut test, &mut model, &mut random),
            14 => assign(&mut test, &mut model, &mut random),
            15 if random.below(8) == 0 => forget(&mut test, &mut model, &mut random),
            16 if step % 3 == 0 => test.drop_hot(),
            17 if step % 200 == 0 => test.reopen(),
            _ => check_span(&mut test, &model, &mut random),
        }
        if step % 100 == 0 {
            assert_eq!(test.run(|txn| read(txn, KEY)), Ok(model.clone()), "step {step}");
        }
    }
    test.drop_hot();
    let copied = test.run(|txn| {
        let found = txn.lookup(KEY)?.expect("the stream");
        let there = txn.lookup(OTHER)?;
        stream::copy(txn, &found, OTHER, there.as_ref())
    });
    assert_eq!(copied, Ok(()));
    test.run(|txn| {
        let found = txn.lookup(KEY)?.expect("the stream");
        txn.remove(KEY, &found)
    })
    .unwrap();
    test.drop_hot();
    assert_eq!(test.run(|txn| read(txn, OTHER)), Ok(model));
    assert!(test.faults > 0);
}

#[test]
fn streams_are_what_the_model_says() {
    for seed in 1..=8 {
        println!("seed {seed}");
        run_model(seed);
    }
}

#[test]
fn what_is_added_at_the_end_writes_one_record() {
    let mut test = TestStore::open();
    let limits = thresholds(100, 4096);
    let mut writes = 0;
    for _ in 0..1000 {
        writes += change(&mut test, |txn, stream| {
            stream.append(txn, NewId::Now, &[b"field", b"value"], &limits)?;
            // The stream's own record comes on top.
            Ok(u32::from(txn.has_writes()))
        });
    }
    assert_eq!(writes, 9, "one for each chunk that was sealed");
}
