//! Hashes against a model: a `BTreeMap` goes through the same seeded random changes, time passing, with a hot tier of a
//! few kilobytes.

use std::collections::{BTreeMap, BTreeSet};

use super::{KEY, OTHER};
use crate::base::random::Random;
use crate::disk::format::Kind;
use crate::store::testing::TestStore;
use crate::store::{Key, Result, Txn};
use crate::types::hash::{self, Expiry, Hash, Want};
use crate::types::keys;
use crate::types::string::Bytes;
use crate::types::thresholds::Thresholds;

/// A field's value and deadline.
type Model = BTreeMap<Vec<u8>, (Vec<u8>, Option<u64>)>;

struct Bench {
    test: TestStore,
    limits: Thresholds,
    /// The fields that are there; none is past its deadline.
    model: Model,
    random: Random,
}

impl Bench {
    fn new(seed: u64, entries: u64) -> Bench {
        let mut test = TestStore::for_seed(seed);
        test.store.set_hot_budget(4 << 10);
        Bench {
            test,
            limits: Thresholds {
                hash_entries: entries,
                hash_value: 64,
                ..Thresholds::default()
            },
            model: Model::new(),
            random: Random::from_seed(seed),
        }
    }

    fn field(&mut self) -> Vec<u8> {
        match self.random.below(60) {
            0 => Vec::new(),
            1 => vec![b'f'; 70],
            n => format!("field:{n}").into_bytes(),
        }
    }

    fn value(&mut self) -> Vec<u8> {
        let len = [0, 3, 20, 64, 65, 600][self.random.below(6) as usize];
        vec![self.random.next_u64() as u8; len]
    }

    fn deadline(&mut self) -> u64 {
        self.test.now
            + 1
            + self
                .random
                .below([50, 5000][self.random.clone().below(2) as usize])
    }

    fn change<T>(&mut self, mut body: impl FnMut(&mut Hash, &mut Txn) -> Result<T>) -> T {
        let change = |txn: &mut Txn| {
            let mut hash = Hash::to_write(txn, KEY)?;
            let value = body(&mut hash, txn)?;
            hash.save(txn, KEY)?;
            Ok(value)
        };
        self.test.run(change).unwrap()
    }

    fn read<T: Default>(&mut self, mut body: impl FnMut(&Hash, &mut Txn) -> Result<T>) -> T {
        let read = |txn: &mut Txn| match Hash::to_read(txn, KEY)? {
            Some(hash) => body(&hash, txn),
            None => Ok(T::default()),
        };
        self.test.run(read).unwrap()
    }

    fn set(&mut self) {
        let (field, value) = (self.field(), self.value());
        let expiry = match self.random.below(4) {
            0 => Expiry::At(self.deadline()),
            1 => Expiry::Keep,
            _ => Expiry::Clear,
        };
        let old = self.model.get(&field).map(|(_, deadline)| *deadline);
        let deadline = match expiry {
            Expiry::At(deadline) => Some(deadline),
            Expiry::Keep => old.flatten(),
            Expiry::Clear => None,
        };
        let limits = self.limits;
        let is_new = self.change(|hash, txn| hash.put(txn, &field, &value, expiry, &limits));
        assert_eq!(is_new, old.is_none());
        self.model.insert(field, (value, deadline));
    }

    fn set_deadline(&mut self) {
        let field = self.field();
        let deadline = Some(self.deadline()).filter(|deadline| deadline % 4 != 0);
        self.change(|hash, txn| match hash.get(txn, &field)? {
            Some(_) => hash.set_deadline(txn, &field, deadline),
            None => Ok(()),
        });
        if let Some(held) = self.model.get_mut(&field) {
            held.1 = deadline;
        }
    }

    fn remove(&mut self) {
        let fields = [self.field(), self.field(), self.field()];
        let removed: Vec<bool> = self.change(|hash, txn| {
            hash.prefetch(txn, fields.iter().map(|field| &field[..]))?;
            fields.iter().map(|field| hash.remove(txn, field)).collect()
        });
        let expected: Vec<bool> = fields
            .iter()
            .map(|field| self.model.remove(field).is_some())
            .collect();
        assert_eq!(removed, expected);
    }

    fn pass_time(&mut self) {
        self.test.now += self.random.below(100);
        let now = self.test.now;
        self.model
            .retain(|_, (_, deadline)| deadline.is_none_or(|deadline| deadline > now));
    }

    /// Active expiry, to its end: then nothing is left of what is past its deadline.
    fn expire(&mut self) {
        for name in self.test.due() {
            let key = Key { db: 0, name: &name };
            while self.test.run(|txn| hash::expire_due(txn, key)).unwrap() {}
        }
        assert!(self.test.due().is_empty());
        let len = self.read(|hash, _| Ok(hash.len()));
        assert_eq!(len, self.model.len() as u64);
        let keys = self.test.store.databases()[0].keys;
        assert_eq!(keys, u64::from(!self.model.is_empty()));
    }

    /// The key goes to another name and comes back, or leaves a copy that takes its place.
    fn relocate(&mut self) {
        let copied = self.random.below(2) == 0;
        let go = |txn: &mut Txn, from: Key, to: Key| {
            let Some(entry) = txn.lookup(from)? else {
                return Ok(());
            };
            let there = txn.lookup(to)?;
            if !copied {
                return keys::relocate(txn, from, &entry, to, there.as_ref());
            }
            keys::copy(txn, &entry, to, there.as_ref())?;
            txn.remove(from, &entry)
        };
        self.test.run(|txn| go(txn, KEY, OTHER)).unwrap();
        self.test.run(|txn| go(txn, OTHER, KEY)).unwrap();
    }

    fn check_field(&mut self) {
        let field = self.field();
        let held = self.read(|hash, txn| {
            let held = hash.get(txn, &field)?;
            Ok(held.map(|held| (held.value.to_vec(), held.deadline)))
        });
        assert_eq!(held.as_ref(), self.model.get(&field));
    }

    fn check_all(&mut self) {
        let mut shown = BTreeMap::new();
        self.read(|hash, txn| {
            shown.clear();
            hash.walk(txn, Want::Values, |field, value| {
                assert!(shown.insert(field.to_vec(), value.to_vec()).is_none());
                Ok(())
            })
        });
        let values = |model: &Model| {
            let pairs = model
                .iter()
                .map(|(field, (value, _))| (field.clone(), value.clone()));
            pairs.collect::<BTreeMap<_, _>>()
        };
        assert_eq!(shown, values(&self.model));
        let (mut scanned, mut cursor) = (BTreeSet::new(), 0);
        loop {
            let mut fields = Vec::new();
            cursor = self.read(|hash, txn| {
                fields.clear();
                hash.scan(txn, cursor, 3, Want::Members, |field, _| {
                    fields.push(field.to_vec());
                    Ok(())
                })
            });
            scanned.extend(fields);
            if cursor == 0 {
                break;
            }
        }
        assert!(scanned.iter().eq(self.model.keys()));
    }

    fn check_random(&mut self) {
        let (count, seed) = (self.random.below(80) as usize, self.random.next_u64());
        let chosen = self.read(|hash, txn| {
            txn.random = Random::from_seed(seed);
            let drawn = match hash.draws(txn, count as u64, Want::Values)? {
                Some(draws) => (0..count).map(|_| draws.draw(txn)).collect::<Result<_>>()?,
                None => Vec::new(),
            };
            let mut sampled = Vec::new();
            let present = hash.present(txn)?;
            let wanted = present.min(count as u64);
            hash.sample(txn, wanted, present, Want::Values, |field, value| {
                sampled.push((Bytes::Owned(field.to_vec()), Bytes::Owned(value.to_vec())));
                Ok(())
            })?;
            let to_vecs = |pairs: Vec<(Bytes, Bytes)>| {
                let pairs = pairs
                    .iter()
                    .map(|(field, value)| (field.to_vec(), value.to_vec()));
                pairs.collect::<Vec<_>>()
            };
            Ok((to_vecs(drawn), to_vecs(sampled)))
        });
        for (field, value) in chosen.0.iter().chain(&chosen.1) {
            assert_eq!(self.model.get(field).map(|(value, _)| value), Some(value));
        }
        let draws = if self.model.is_empty() { 0 } else { count };
        assert_eq!(chosen.0.len(), draws);
        let different: BTreeSet<_> = chosen.1.iter().map(|(field, _)| field).collect();
        assert_eq!(different.len(), chosen.1.len());
        assert_eq!(chosen.1.len(), count.min(self.model.len()));
    }
}

fn run_model(seed: u64, entries: u64) {
    let mut bench = Bench::new(seed, entries);
    for step in 0..1500 {
        match bench.random.below(40) {
            0..=12 => bench.set(),
            13..=17 => bench.set_deadline(),
            18..=20 => bench.remove(),
            21..=23 => bench.pass_time(),
            24 | 25 => bench.expire(),
            26 => bench.relocate(),
            27 => bench.test.drop_hot(),
            28 if step % 20 == 0 => bench.test.reopen(),
            29..=31 => bench.check_all(),
            32 | 33 => bench.check_random(),
            34 if bench.random.below(20) == 0 => {
                let drop = |txn: &mut Txn| match txn.lookup(KEY)? {
                    Some(entry) => txn.remove(KEY, &entry),
                    None => Ok(()),
                };
                bench.test.run(drop).unwrap();
                bench.model.clear();
            }
            _ => bench.check_field(),
        }
    }
    bench.check_all();
    bench.expire();
    assert!(bench.test.faults > 0);
}

#[test]
fn hashes_are_what_the_model_says() {
    for seed in 1..=6 {
        for entries in [4, 512] {
            println!("seed {seed}, up to {entries} fields in a record");
            run_model(seed, entries);
        }
    }
}

#[test]
fn many_fields_that_are_due_together_go_in_steps() {
    let mut bench = Bench::new(1, 4);
    let (limits, deadline) = (bench.limits, bench.test.now + 10);
    for n in 0..1000u32 {
        let field = n.to_string();
        let expiry = if n < 900 {
            Expiry::At(deadline)
        } else {
            Expiry::Clear
        };
        bench.change(|hash, txn| hash.put(txn, field.as_bytes(), b"", expiry, &limits));
    }
    let kind = |txn: &mut Txn| Ok(txn.lookup(KEY)?.map(|entry| entry.header.kind));
    assert_eq!(bench.test.run(kind), Ok(Some(Kind::LargeHash)));
    bench.test.now = deadline;
    assert_eq!(bench.test.due(), [KEY.name]);
    let mut steps = 1;
    while bench.test.run(|txn| hash::expire_due(txn, KEY)).unwrap() {
        steps += 1;
    }
    assert_eq!(steps, 4);
    assert_eq!(bench.read(|hash, _| Ok(hash.len())), 100);
    assert!(bench.test.due().is_empty());
}
