//! Sets against a model: `BTreeSet`s go through the same seeded random changes, under thresholds that change too, with a
//! hot tier of a few kilobytes.

use std::collections::BTreeSet;

use super::key;
use crate::base::random::Random;
use crate::disk::format::Kind;
use crate::store::testing::TestStore;
use crate::store::{Result, Txn};
use crate::types::set::{self, Set};
use crate::types::set_algebra::{self, Chosen, Operation};
use crate::types::string::Bytes;
use crate::types::thresholds::Thresholds;

type Model = BTreeSet<Vec<u8>>;

fn limits(intset: u64, entries: u64, value: u64) -> Thresholds {
    Thresholds {
        set_intset: intset,
        set_entries: entries,
        set_value: value,
        ..Thresholds::default()
    }
}

struct Bench {
    test: TestStore,
    models: [Model; 3],
    limits: Thresholds,
    random: Random,
}

impl Bench {
    fn new(seed: u64) -> Bench {
        let mut test = TestStore::for_seed(seed);
        test.store.set_hot_budget(4 << 10);
        Bench {
            test,
            models: Default::default(),
            limits: limits(512, 128, 64),
            random: Random::from_seed(seed),
        }
    }

    fn below(&mut self, bound: u64) -> usize {
        self.random.below(bound) as usize
    }

    /// Runs a body whose random choices are the bench's.
    fn run<T>(&mut self, mut body: impl FnMut(&mut Txn, &Thresholds) -> Result<T>) -> T {
        let (seed, limits) = (self.random.next_u64(), &self.limits);
        self.test
            .run(|txn| {
                txn.random = Random::from_seed(seed);
                body(txn, limits)
            })
            .unwrap()
    }

    fn member(&mut self) -> Vec<u8> {
        match self.below(20) {
            0 => vec![b'x'; 60 + self.below(10)],
            1 => self.random.next_u64().cast_signed().to_string().into_bytes(),
            2..=5 => format!("m{}", self.below(60)).into_bytes(),
            _ => (self.below(150) as i64 - 20).to_string().into_bytes(),
        }
    }

    fn members(&mut self) -> Vec<Vec<u8>> {
        let count = [1, 1, 1, 5, 60][self.below(5)];
        (0..count).map(|_| self.member()).collect()
    }

    fn add(&mut self, at: usize) {
        let members = self.members();
        let added = self.run(|txn, limits| set::add(txn, key(at), members.iter().map(|m| &m[..]), limits));
        let new = members
            .into_iter()
            .filter(|member| self.models[at].insert(member.clone()));
        assert_eq!(added, new.count() as u64);
    }

    fn remove(&mut self, at: usize) {
        let members = self.members();
        let removed = self.run(|txn, _| set::remove(txn, key(at), members.iter().map(|m| &m[..])));
        let old = members
            .iter()
            .filter(|member| self.models[at].remove(&member[..]));
        assert_eq!(removed, old.count() as u64);
    }

    fn move_member(&mut self, from: usize, to: usize) {
        let member = self.member();
        let moved = self.run(|txn, limits| set::move_member(txn, key(from), key(to), &member, limits));
        assert_eq!(moved, self.models[from].contains(&member));
        if moved {
            self.models[from].remove(&member);
            self.models[to].insert(member);
        }
    }

    fn pop(&mut self, at: usize) {
        let count = [None, Some(0), Some(3), Some(50), Some(1000)][self.below(5)];
        let popped = self.run(|txn, limits| match count {
            None => Ok(set::pop(txn, key(at))?.into_iter().collect()),
            Some(count) => set::pop_many(txn, key(at), count, limits),
        });
        let wanted = count.unwrap_or(1).min(self.models[at].len() as u64);
        assert_eq!(popped.len() as u64, wanted);
        for member in popped {
            assert!(self.models[at].remove(&*member));
        }
    }

    fn store(&mut self, to: usize) {
        let operation = [Operation::Union, Operation::Intersection, Operation::Difference][self.below(3)];
        let from: Vec<usize> = (0..1 + self.below(4)).map(|_| self.below(3)).collect();
        let (read, stored) = self.run(|txn, limits| {
            let sets = open(txn, &from)?;
            let read = set_algebra::combine(txn, operation, &sets)?;
            set::replace(txn, key(to), &read, limits, "sunionstore")?;
            Ok((read.len(), read.into_iter().collect::<Model>()))
        });
        let mut sets = from.iter().map(|&at| &self.models[at]);
        let first = sets.next().cloned().unwrap_or_default();
        let expected = sets.fold(first, |left, right| match operation {
            Operation::Union => &left | right,
            Operation::Intersection => &left & right,
            Operation::Difference => &left - right,
        });
        assert_eq!((read, &stored), (expected.len(), &expected));
        self.models[to] = expected;
    }

    /// The first run looks members up, the second remembers what came of it.
    fn show_over_a_view(&mut self) {
        let operation = [Operation::Union, Operation::Intersection, Operation::Difference][self.below(3)];
        let from: Vec<usize> = (0..1 + self.below(4)).map(|_| self.below(3)).collect();
        let (expected, shown) = self.run(|txn, _| {
            txn.only_reads();
            txn.prefer_view()?;
            let sets = open(txn, &from)?;
            let expected: Model = set_algebra::combine(txn, operation, &sets)?.into_iter().collect();
            let (mut chosen, mut shown) = (Chosen::default(), [Vec::new(), Vec::new()]);
            for shown in &mut shown {
                set_algebra::show_combined(txn, operation, &sets, &mut chosen, |member| {
                    shown.push(member.to_vec());
                    Ok(())
                })?;
            }
            Ok((expected, shown))
        });
        assert_eq!(shown[0], shown[1]);
        assert_eq!(shown[0].len(), expected.len());
        assert_eq!(shown.into_iter().flatten().collect::<Model>(), expected);
    }

    fn check(&mut self, at: usize) {
        let model = self.models[at].clone();
        let probe = self.member();
        let (len, members, contains, kind) = self.run(|txn, _| {
            let Some(set) = Set::open(txn.lookup(key(at))?)? else {
                return Ok((0, Model::new(), false, None));
            };
            let members = set.members(txn)?;
            assert_eq!(members.len() as u64, set.cardinality()?);
            let contains = set.contains(txn, &probe)?;
            let kind = set.entry().header.kind;
            Ok((set.cardinality()?, collect(members), contains, Some(kind)))
        });
        assert_eq!(members, model);
        assert_eq!(len, model.len() as u64);
        assert_eq!(contains, model.contains(&probe));
        assert_eq!(kind.is_none(), model.is_empty());
        if kind == Some(Kind::Set) && self.limits == limits(512, 128, 64) {
            assert!(len <= 512);
        }
        if kind.is_some() {
            self.check_choices(at, &model);
        }
    }

    fn check_choices(&mut self, at: usize, model: &Model) {
        for count in [1, 4, model.len() / 2, model.len(), model.len() + 3] {
            let sample = self.run(|txn, _| {
                let mut sample = Vec::new();
                opened(txn, at)?.sample(txn, count as u64, |member| {
                    sample.push(Bytes::Owned(member.to_vec()));
                    Ok(())
                })?;
                Ok(sample)
            });
            assert_eq!(sample.len(), count.min(model.len()));
            let distinct = collect(sample);
            assert!(distinct.is_subset(model) && distinct.len() == count.min(model.len()));
            let draws: Vec<Bytes> = self.run(|txn, _| {
                let set = opened(txn, at)?;
                let draws = set.draws(txn, count as u64)?;
                (0..count).map(|_| draws.draw(txn)).collect()
            });
            assert!(draws.len() == count && collect(draws).is_subset(model));
        }
        let (mut shown, mut cursor) = (Model::new(), 0);
        loop {
            let (step, next) = self.run(|txn, _| {
                let mut step = Vec::new();
                let next = opened(txn, at)?.scan(txn, cursor, 7, |member| {
                    step.push(member.to_vec());
                    Ok(())
                })?;
                Ok((step, next))
            });
            shown.extend(step);
            cursor = next;
            if cursor == 0 {
                break;
            }
        }
        assert_eq!(&shown, model);
    }
}

fn open(txn: &mut Txn, from: &[usize]) -> Result<Vec<Option<Set>>> {
    from.iter().map(|&at| Set::open(txn.lookup(key(at))?)).collect()
}

fn opened(txn: &mut Txn, at: usize) -> Result<Set> {
    Ok(Set::open(txn.lookup(key(at))?)?.expect("a set that is there"))
}

fn collect(members: Vec<Bytes>) -> Model {
    members.into_iter().map(|member| member.to_vec()).collect()
}

#[test]
fn sets_are_what_their_models_are_in_every_encoding() {
    for seed in 0..6 {
        let mut bench = Bench::new(seed);
        for round in 0..60 {
            if round % 7 == 0 {
                bench.limits = [
                    limits(512, 128, 64),
                    limits(8, 8, 5),
                    limits(0, 0, 0),
                    limits(20, 4, 64),
                ][bench.below(4)];
            }
            for _ in 0..12 {
                let at = bench.below(3);
                match bench.below(16) {
                    0..=7 => bench.add(at),
                    8..=10 => bench.remove(at),
                    11 | 12 => {
                        let to = bench.below(3);
                        bench.move_member(at, to);
                    }
                    13 => bench.pop(at),
                    14 => bench.show_over_a_view(),
                    _ => bench.store(at),
                }
            }
            match round % 10 {
                3 => bench.test.drop_hot(),
                8 => bench.test.reopen(),
                _ => {}
            }
            bench.test.store.set_hot_budget(4 << 10);
            (0..3).for_each(|at| bench.check(at));
        }
        assert!(bench.test.faults > 0);
    }
}

#[test]
fn a_set_takes_the_encoding_that_redis_gives_it() {
    let mut bench = Bench::new(0);
    bench.limits = limits(4, 3, 5);
    let mut encoding = |text: &str| {
        let members: Vec<&[u8]> = text.split(' ').map(str::as_bytes).collect();
        bench.run(|txn, limits| {
            if let Some(entry) = txn.lookup(key(0))? {
                txn.remove(key(0), &entry)?;
            }
            let (first, rest) = members.split_at(2);
            set::add(txn, key(0), first.iter().copied(), limits)?;
            for member in rest {
                set::add(txn, key(0), std::iter::once(*member), limits)?;
            }
            let entry = opened(txn, 0)?.entry().clone();
            Ok(match entry.header.kind {
                Kind::Set => set::small_encoding(&entry),
                _ => "hashtable",
            })
        })
    };
    for (members, expected) in [
        ("1 2 3 4", "intset"),
        ("1 2 3 4 5", "hashtable"),
        ("1 2 a", "listpack"),
        ("a 1 2", "listpack"),
        ("1 2 3 a", "hashtable"),
        ("a b c d", "hashtable"),
        ("a b abcde", "listpack"),
        ("a b abcdef", "hashtable"),
        ("123456 1", "intset"),
        ("123456 1 a", "hashtable"),
    ] {
        assert_eq!(encoding(members), expected, "{members}");
    }
}

#[test]
fn a_cold_table_is_popped_and_sampled_with_few_faults() {
    let mut test = TestStore::open();
    let members: Vec<Vec<u8>> = (0..2000u32).map(|n| n.to_be_bytes().to_vec()).collect();
    let limits = limits(0, 0, 0);
    test.run(|txn| set::replace(txn, key(0), &members, &limits, "sunionstore"))
        .unwrap();
    for count in [1, 20, 100] {
        test.drop_hot();
        let before = test.faults;
        let sampled = test.run(|txn| {
            let mut sampled = 0;
            opened(txn, 0)?.sample(txn, count, |_| {
                sampled += 1;
                Ok(())
            })?;
            Ok(sampled)
        });
        assert_eq!(sampled, Ok(count));
        assert!(test.faults - before <= 4, "{}", test.faults - before);
        test.drop_hot();
        let before = test.faults;
        let popped = test
            .run(|txn| set::pop_many(txn, key(0), count, &limits))
            .unwrap();
        assert_eq!(popped.len() as u64, count);
        assert!(test.faults - before <= 12, "{}", test.faults - before);
    }
}
