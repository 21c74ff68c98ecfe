//! Tables of pages against a model: a `BTreeMap` goes through the same seeded random changes, with a hot tier of a few
//! kilobytes.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::base::random::Random;
use crate::disk::cells::Reader;
use crate::store::testing::TestStore;
use crate::store::{Result, Txn};
use crate::types::buckets::{Buckets, Want};

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

/// A store whose hot tier holds next to nothing, and a table in it.
struct Bench {
    test: TestStore,
    table: Buckets,
    model: Model,
    random: Random,
}

/// Takes the member out, and returns its value.
fn take(table: &mut Buckets, txn: &mut Txn, member: &[u8]) -> Result<Option<Vec<u8>>> {
    let value = table.get(txn, member)?.map(|value| value.to_vec());
    assert_eq!(table.remove(txn, member)?, value.is_some());
    Ok(value)
}

impl Bench {
    fn new(seed: u64) -> Bench {
        let mut test = TestStore::open();
        test.store.set_hot_budget(4 << 10);
        let table = test.run(|txn| Ok(Buckets::create(txn))).unwrap();
        Bench {
            test,
            table,
            model: Model::new(),
            random: Random::from_seed(seed),
        }
    }

    /// Runs a body on a copy of the table, which becomes the table when the body comes to its end.
    fn run<T>(&mut self, mut body: impl FnMut(&mut Buckets, &mut Txn) -> Result<T>) -> T {
        let before = &self.table;
        let (value, after) = self
            .test
            .run(|txn| {
                let mut table = before.clone();
                let value = body(&mut table, txn)?;
                Ok((value, table))
            })
            .unwrap();
        self.table = after;
        value
    }

    fn member(&mut self, range: u64) -> Vec<u8> {
        let n = self.random.below(range);
        match n % 50 {
            0 => vec![b'm'; n as usize],
            1 => vec![n as u8; 1500],
            _ => format!("member:{n}").into_bytes(),
        }
    }

    fn value(&mut self) -> Vec<u8> {
        let len = [0, 3, 40, 511, 512, 513, 5000][self.random.below(7) as usize];
        vec![self.random.next_u64() as u8; len]
    }

    fn insert(&mut self, member: &[u8], value: &[u8]) {
        let was_new = self.model.insert(member.to_vec(), value.to_vec()).is_none();
        assert_eq!(self.run(|table, txn| table.put(txn, member, value)), was_new);
    }

    fn remove(&mut self, member: &[u8]) {
        let old = self.model.remove(member);
        let removed = self.run(|table, txn| take(table, txn, member));
        assert_eq!(removed, old);
    }

    fn change(&mut self, range: u64, inserts_in_ten: u64) {
        let member = self.member(range);
        if self.random.below(10) < inserts_in_ten {
            let value = self.value();
            self.insert(&member, &value);
        } else if self.random.below(2) == 0 {
            self.remove(&member);
        } else {
            let was_there = self.model.remove(&member).is_some();
            assert_eq!(self.run(|table, txn| table.remove(txn, &member)), was_there);
        }
    }

    fn contents(&mut self) -> Model {
        self.run(|table, txn| {
            let mut found = Model::new();
            table.walk(txn, Want::Values, |member, value| {
                assert_eq!(found.insert(member.to_vec(), value.to_vec()), None);
                Ok(())
            })?;
            Ok(found)
        })
    }

    fn check(&mut self) {
        assert_eq!(self.table.len(), self.model.len() as u64);
        assert_eq!(self.contents(), self.model);
        let member = self.member(400);
        let expected = self.model.get(&member).cloned();
        let found = self.run(|table, txn| Ok(table.get(txn, &member)?.map(|value| value.to_vec())));
        assert_eq!(found, expected);
        assert_eq!(
            self.run(|table, txn| table.contains(txn, &member)),
            expected.is_some()
        );
        let mut state = Vec::new();
        self.table.encode(&mut state);
        assert_eq!(Buckets::decode(&mut Reader(&state)).unwrap(), self.table);
    }
}

#[test]
fn a_table_is_what_a_map_is_through_growth_shrinking_and_restarts() {
    for seed in 0..4 {
        let mut bench = Bench::new(seed);
        for round in 0..12 {
            let inserts = if (round / 3) % 2 == 0 { 9 } else { 2 };
            for _ in 0..120 {
                bench.change(400, inserts);
            }
            match round % 4 {
                0 => bench.test.drop_hot(),
                2 => bench.test.reopen(),
                _ => {}
            }
            bench.test.store.set_hot_budget(4 << 10);
            bench.check();
        }
        assert!(bench.test.faults > 0);
        let members: Vec<_> = bench.model.keys().cloned().collect();
        for member in members {
            bench.remove(&member);
        }
        assert_eq!((bench.table.len(), bench.table.pages()), (0, 1));
    }
}

#[test]
fn a_page_holds_few_members_whatever_their_number() {
    let mut bench = Bench::new(1);
    bench.test.store.set_hot_budget(64 << 20);
    for n in 0..3000u32 {
        bench.run(|table, txn| table.put(txn, &n.to_be_bytes(), b""));
    }
    assert_eq!(bench.table.pages(), 3000u32.div_ceil(16));
    for n in 0..2999u32 {
        assert!(bench.run(|table, txn| table.remove(txn, &n.to_be_bytes())));
    }
    assert_eq!(bench.table.pages(), 1);
    let long = vec![b'x'; 3000];
    for n in 0..100u8 {
        let member = [&[n][..], &long].concat();
        bench.run(|table, txn| table.put(txn, &member, b""));
    }
    assert_eq!(bench.table.pages(), 101);
}

#[test]
fn a_walk_shows_what_stays_exactly_once_whatever_comes_and_goes() {
    for seed in 0..6 {
        let mut bench = Bench::new(seed);
        let staying: BTreeSet<Vec<u8>> = (0..80).map(|n| format!("stays:{n}").into_bytes()).collect();
        for member in &staying {
            bench.insert(member, b"v");
        }
        for _ in 0..seed * 100 {
            bench.change(400, 9);
        }
        let mut shown: HashMap<Vec<u8>, usize> = HashMap::new();
        let mut cursor = 0;
        let mut steps = 0;
        loop {
            let (page, next) = bench.run(|table, txn| {
                let mut page = Vec::new();
                let next = table.scan(txn, cursor, 5, Want::Values, |member, value| {
                    page.push((member.to_vec(), value.to_vec()));
                    Ok(())
                })?;
                Ok((page, next))
            });
            for (member, value) in page {
                assert_eq!(bench.model.get(&member), Some(&value));
                *shown.entry(member).or_default() += 1;
            }
            if next == 0 {
                break;
            }
            assert!(next > cursor);
            cursor = next;
            steps += 1;
            // First more members, then fewer, so that pages are split and merged behind and before the cursor.
            let inserts = [10, 0][usize::from((seed + steps) % 16 > 7)];
            for _ in 0..30 {
                bench.change(600, inserts);
            }
        }
        for member in &staying {
            assert_eq!(shown.get(member), Some(&1));
        }
    }
}

#[test]
fn random_members_are_about_equally_likely() {
    let mut test = TestStore::open();
    // Just before a doubling, where pages differ most in what they hold.
    let members: Vec<Vec<u8>> = (0..1000u32).map(|n| n.to_string().into_bytes()).collect();
    let entries: Vec<(&[u8], &[u8])> = members.iter().map(|member| (&member[..], &b"v"[..])).collect();
    let table = test.run(|txn| Ok(Buckets::build(txn, &entries))).unwrap();
    let mut counts: HashMap<Vec<u8>, u32> = HashMap::new();
    test.run(|txn| {
        for _ in 0..200_000 {
            let (member, value) = table.random(txn)?;
            assert_eq!(&*value, b"v");
            *counts.entry(member.to_vec()).or_default() += 1;
        }
        Ok(())
    })
    .unwrap();
    assert_eq!(counts.len(), members.len());
    let (least, most) = (counts.values().min().unwrap(), counts.values().max().unwrap());
    assert!(*least > 110 && *most < 290, "{least} {most} of 200 on average");
}

#[test]
fn a_table_is_popped_empty_and_each_member_comes_once() {
    let mut bench = Bench::new(3);
    for n in 0..300u32 {
        bench.insert(&n.to_be_bytes(), b"");
    }
    bench.insert(&[b'x'; 4000], b"");
    for _ in 0..=300 {
        let seed = bench.random.next_u64();
        let member = bench.run(|table, txn| {
            txn.random = Random::from_seed(seed);
            Ok(table.pop(txn)?.to_vec())
        });
        assert!(bench.model.remove(&member).is_some());
    }
    assert_eq!((bench.table.len(), bench.table.pages()), (0, 1));
}

#[test]
fn tables_are_built_and_copied_whole() {
    let mut test = TestStore::open();
    let model: Model = (0..500u32)
        .map(|n| (n.to_string().into_bytes(), vec![n as u8; 10 * n as usize % 700]))
        .collect();
    let entries: Vec<(&[u8], &[u8])> = model.iter().map(|(m, v)| (&m[..], &v[..])).collect();
    let table = test.run(|txn| Ok(Buckets::build(txn, &entries))).unwrap();
    test.drop_hot();
    let mut copy = test.run(|txn| table.copy(txn)).unwrap();
    assert_ne!(copy.id(), table.id());
    // What happens to the original is not the copy's concern.
    let mut emptied = table.clone();
    test.run(|txn| {
        emptied = table.clone();
        emptied.fetch_all(txn, Want::Members)?;
        for (member, _) in &entries {
            emptied.remove(txn, member)?;
        }
        Ok(())
    })
    .unwrap();
    assert!(emptied.is_empty());
    test.drop_hot();
    let before = copy.clone();
    test.run(|txn| {
        copy = before.clone();
        copy.fetch_all(txn, Want::Values)?;
        for (member, value) in &entries {
            assert_eq!(take(&mut copy, txn, member)?.as_deref(), Some(*value));
        }
        Ok(())
    })
    .unwrap();
    assert!(copy.is_empty());
}

#[test]
fn a_large_cold_table_is_walked_over_a_view_and_a_hot_one_is_not() {
    let mut test = TestStore::open();
    let members: Vec<[u8; 4]> = (0..10_000u32).map(u32::to_be_bytes).collect();
    let entries: Vec<(&[u8], &[u8])> = members.iter().map(|member| (&member[..], &b""[..])).collect();
    let table = test.run(|txn| Ok(Buckets::build(txn, &entries))).unwrap();
    let count = |test: &mut TestStore| {
        test.run(|txn| {
            txn.only_reads();
            let mut count = 0;
            table.walk(txn, Want::Members, |_, _| {
                count += 1;
                Ok(())
            })?;
            Ok(count)
        })
    };
    assert_eq!((count(&mut test), test.views), (Ok(10_000), 0));
    test.drop_hot();
    assert_eq!((count(&mut test), test.views), (Ok(10_000), 1));
    test.run(|txn| table.fetch_all(txn, Want::Members)).unwrap();
    assert_eq!((count(&mut test), test.views), (Ok(10_000), 1));
}
