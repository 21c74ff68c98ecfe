//! Sorted sets against a model: maps from member to score go through the same seeded random changes, under thresholds
//! that change too, with a hot tier of a few kilobytes.

use std::collections::{BTreeMap, BTreeSet};

use super::key;
use crate::base::random::Random;
use crate::disk::format::Kind;
use crate::store::testing::TestStore;
use crate::store::{Result, Txn};
use crate::types::keys;
use crate::types::sorted_set::{
    self, Aggregate, Condition, LexBound, LexRange, Operation, ScoreRange, SortedSet, Source,
};
use crate::types::thresholds::Thresholds;

type Model = BTreeMap<Vec<u8>, f64>;
type Pairs = Vec<(Vec<u8>, f64)>;

fn limits(entries: u64, value: u64) -> Thresholds {
    Thresholds {
        sorted_set_entries: entries,
        sorted_set_value: value,
        ..Thresholds::default()
    }
}

/// The model's members in order.
fn sorted(model: &Model) -> Pairs {
    let mut pairs: Pairs = model
        .iter()
        .map(|(member, score)| (member.clone(), *score))
        .collect();
    pairs.sort_by(|a, b| a.1.partial_cmp(&b.1).unwrap().then_with(|| a.0.cmp(&b.0)));
    pairs
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
            limits: limits(128, 64),
            random: Random::from_seed(seed),
        }
    }

    fn below(&mut self, bound: u64) -> usize {
        self.random.below(bound) as usize
    }

    fn run<T>(&mut self, mut body: impl FnMut(&mut Txn, &Thresholds) -> Result<T>) -> T {
        let limits = &self.limits;
        self.test.run(|txn| body(txn, limits)).unwrap()
    }

    fn member(&mut self) -> Vec<u8> {
        match self.below(20) {
            0 => vec![b'x'; 55 + self.below(20)],
            _ => format!("m{}", self.below(300)).into_bytes(),
        }
    }

    fn score(&mut self) -> f64 {
        match self.below(12) {
            0 => f64::INFINITY,
            1 => f64::NEG_INFINITY,
            _ => self.below(40) as f64 / 4.0 - 5.0,
        }
    }

    fn pairs(&mut self) -> Pairs {
        let count = [1, 1, 1, 5, 100][self.below(5)];
        (0..count).map(|_| (self.member(), self.score())).collect()
    }

    fn add(&mut self, at: usize) {
        let pairs = self.pairs();
        let mut condition = Condition::default();
        match self.below(12) {
            0 => condition.nx = true,
            1 => condition.xx = true,
            2 => condition.gt = true,
            3 => condition.lt = true,
            _ => {}
        }
        let done = self.run(|txn, limits| {
            let members = pairs.iter().map(|(member, score)| (&member[..], *score));
            sorted_set::add(txn, key(at), members, condition, limits)
        });
        let (mut added, mut updated) = (0, 0);
        for (member, score) in pairs {
            match self.models[at].get_mut(&member) {
                None if condition.xx => {}
                None => {
                    self.models[at].insert(member, score);
                    added += 1;
                }
                Some(old) => {
                    let allowed = !condition.nx
                        && (!condition.gt || score > *old)
                        && (!condition.lt || score < *old)
                        && score != *old;
                    if allowed {
                        *old = score;
                        updated += 1;
                    }
                }
            }
        }
        assert_eq!((done.added, done.updated), (added, updated), "{condition:?}");
    }

    fn remove(&mut self, at: usize) {
        let members: Vec<Vec<u8>> = self.pairs().into_iter().map(|(member, _)| member).collect();
        let removed = self.run(|txn, _| sorted_set::remove(txn, key(at), members.iter().map(|m| &m[..])));
        let old = members
            .iter()
            .filter(|member| self.models[at].remove(&member[..]).is_some());
        assert_eq!(removed, old.count() as u64);
    }

    fn pop(&mut self, at: usize) {
        let (count, from_end) = ([1, 3, 40, 1000][self.below(4)], self.below(2) == 1);
        let popped = self.run(|txn, _| {
            let Some(set) = SortedSet::open(txn.lookup(key(at))?)? else {
                return Ok(Vec::new());
            };
            sorted_set::pop(txn, key(at), &set, count, from_end)
        });
        let mut expected = sorted(&self.models[at]);
        if from_end {
            expected.reverse();
        }
        expected.truncate(count as usize);
        let popped: Pairs = popped
            .into_iter()
            .map(|(member, score)| (member.to_vec(), score))
            .collect();
        assert_eq!(popped, expected);
        for (member, _) in popped {
            self.models[at].remove(&member);
        }
    }

    fn score_range(&mut self) -> ScoreRange {
        ScoreRange {
            min: self.score(),
            max: self.score(),
            min_exclusive: self.below(2) == 1,
            max_exclusive: self.below(2) == 1,
        }
    }

    fn remove_range(&mut self, at: usize) {
        let range = self.score_range();
        let removed = self.run(|txn, _| {
            let Some(set) = SortedSet::open(txn.lookup(key(at))?)? else {
                return Ok(0);
            };
            let ranks = set.ranks_by_score(txn, &range)?;
            sorted_set::remove_ranks(txn, key(at), &set, ranks, "zremrangebyrank")
        });
        let before = self.models[at].len();
        self.models[at].retain(|_, score| !includes(&range, *score));
        assert_eq!(removed, (before - self.models[at].len()) as u64);
    }

    fn store(&mut self, to: usize) {
        let operation = [Operation::Union, Operation::Intersection, Operation::Difference][self.below(3)];
        let aggregate = [Aggregate::Sum, Aggregate::Min, Aggregate::Max][self.below(3)];
        let from: Vec<(usize, f64)> = (0..1 + self.below(3))
            .map(|_| (self.below(3), 0.5 + self.below(4) as f64))
            .collect();
        let stored = self.run(|txn, limits| {
            let mut sources = Vec::new();
            for (at, weight) in &from {
                sources.push((Source::open(txn.lookup(key(*at))?)?, *weight));
            }
            let members = sorted_set::combine(txn, operation, sources, aggregate)?;
            sorted_set::replace(txn, key(to), &members, limits, "zunionstore")?;
            Ok(members)
        });
        let expected = combined(&self.models, operation, aggregate, &from);
        assert_eq!(stored, sorted(&expected), "{operation:?} {aggregate:?} {from:?}");
        self.models[to] = expected;
    }

    fn copy(&mut self, from: usize, to: usize) {
        if from == to {
            return;
        }
        self.run(|txn, _| {
            let Some(entry) = txn.lookup(key(from))? else {
                return Ok(());
            };
            let there = txn.lookup(key(to))?;
            keys::copy(txn, &entry, key(to), there.as_ref())
        });
        if !self.models[from].is_empty() {
            self.models[to] = self.models[from].clone();
        }
    }

    /// Reads in every way there is.
    fn check(&mut self, at: usize) {
        let expected = sorted(&self.models[at]);
        let (member, range) = (self.member(), self.score_range());
        let (from, to) = (self.below(100) as u64, self.below(200) as u64);
        let reverse = self.below(2) == 1;
        let found = self.run(|txn, _| {
            let Some(set) = SortedSet::open(txn.lookup(key(at))?)? else {
                return Ok(None);
            };
            let mut slice = Pairs::new();
            set.range(txn, from..to, reverse, |member, score| {
                slice.push((member.to_vec(), score));
                Ok(true)
            })?;
            let rank = set.rank(txn, &member)?;
            let score = set.score(txn, &member)?;
            let by_score = set.ranks_by_score(txn, &range)?;
            Ok(Some((set.len(), slice, rank, score, by_score)))
        });
        let Some((len, slice, rank, score, by_score)) = found else {
            assert!(expected.is_empty());
            return;
        };
        assert_eq!(len, expected.len() as u64);
        let to = (to as usize).min(expected.len());
        let mut part = expected[(from as usize).min(to)..to].to_vec();
        if reverse {
            part.reverse();
        }
        assert_eq!(slice, part);
        assert_eq!(score, self.models[at].get(&member).copied());
        let position = expected.iter().position(|(found, _)| *found == member);
        assert_eq!(rank, position.map(|at| (at as u64, expected[at].1)));
        let included = expected.iter().filter(|(_, score)| includes(&range, *score));
        assert_eq!(
            by_score.end - by_score.start,
            included.count() as u64,
            "{range:?}"
        );
        if !by_score.is_empty() {
            assert!(includes(&range, expected[by_score.start as usize].1));
        }
    }

    /// A walk shows each member once, as nothing changes meanwhile.
    fn scan(&mut self, at: usize) {
        let (mut cursor, mut seen) = (0, BTreeSet::new());
        loop {
            let (next, found) = self.run(|txn, _| {
                let mut found = Pairs::new();
                let next = match SortedSet::open(txn.lookup(key(at))?)? {
                    Some(set) => set.scan(txn, cursor, 10, |member, score| {
                        found.push((member.to_vec(), score));
                        Ok(())
                    })?,
                    None => 0,
                };
                Ok((next, found))
            });
            for (member, score) in found {
                assert_eq!(self.models[at].get(&member), Some(&score));
                assert!(seen.insert(member));
            }
            if next == 0 {
                break;
            }
            cursor = next;
        }
        assert_eq!(seen.len(), self.models[at].len());
    }

    fn step(&mut self, step: usize) {
        let (at, other) = (self.below(3), self.below(3));
        match self.below(30) {
            0..=9 => self.add(at),
            10..=12 => self.remove(at),
            13 | 14 => self.pop(at),
            15 => self.remove_range(at),
            16 | 17 => self.store(at),
            18 => self.copy(at, other),
            19 => self.scan(at),
            20 => self.test.drop_hot(),
            21 if step.is_multiple_of(10) => self.test.reopen(),
            22 => self.limits = limits([0, 5, 128][self.below(3)], [3, 64][self.below(2)]),
            _ => self.check(at),
        }
    }
}

fn includes(range: &ScoreRange, score: f64) -> bool {
    let above = score > range.min || (score == range.min && !range.min_exclusive);
    let below = score < range.max || (score == range.max && !range.max_exclusive);
    above && below
}

fn combined(models: &[Model; 3], operation: Operation, aggregate: Aggregate, from: &[(usize, f64)]) -> Model {
    let number = |score: f64| if score.is_nan() { 0.0 } else { score };
    let weighted = |&(at, weight): &(usize, f64)| -> Model {
        let pairs = models[at].iter();
        pairs
            .map(|(member, score)| (member.clone(), number(weight * score)))
            .collect()
    };
    if operation == Operation::Difference {
        let mut left = models[from[0].0].clone();
        left.retain(|member, _| from[1..].iter().all(|(at, _)| !models[*at].contains_key(member)));
        return left;
    }
    let mut sources: Vec<(usize, Model)> = from
        .iter()
        .map(|source| (models[source.0].len(), weighted(source)))
        .collect();
    sources.sort_by_key(|(len, _)| *len);
    let mut all = Model::new();
    for (_, source) in &sources {
        for (member, score) in source {
            let sum = match (all.get(member), aggregate) {
                (None, _) => *score,
                (Some(old), Aggregate::Sum) => number(old + score),
                (Some(old), Aggregate::Min) => old.min(*score),
                (Some(old), Aggregate::Max) => old.max(*score),
            };
            all.insert(member.clone(), sum);
        }
    }
    if operation == Operation::Intersection {
        all.retain(|member, _| sources.iter().all(|(_, source)| source.contains_key(member)));
    }
    all
}

#[test]
fn sorted_sets_are_what_the_model_says() {
    for seed in 1..=6 {
        println!("seed {seed}");
        let mut bench = Bench::new(seed);
        for step in 0..500 {
            bench.step(step);
        }
        assert!(bench.test.faults > 0);
    }
}

#[test]
fn ranges_of_members_are_what_comparing_them_says() {
    for small in [true, false] {
        let mut bench = Bench::new(1);
        bench.limits = limits(if small { 1000 } else { 0 }, 64);
        let names: Vec<Vec<u8>> = (0..200).map(|n| format!("{:x}", n * 37).into_bytes()).collect();
        bench.run(|txn, limits| {
            let members = names.iter().map(|name| (&name[..], 1.5));
            sorted_set::add(txn, key(0), members, Condition::default(), limits)
        });
        let members: BTreeSet<&[u8]> = names.iter().map(|name| &name[..]).collect();
        for _ in 0..300 {
            let (a, b) = (bench.below(300), bench.below(300));
            let texts = [format!("{:x}", a * 25), format!("{:x}", b * 25)];
            let mut bound = |text: &'static str| match bench.below(6) {
                0 => LexBound::Least,
                1 => LexBound::Greatest,
                2 | 3 => LexBound::Including(text.as_bytes()),
                _ => LexBound::Excluding(text.as_bytes()),
            };
            let [a, b] = texts.map(|text| &*text.leak());
            let range = LexRange {
                min: bound(a),
                max: bound(b),
            };
            let count = bench.run(|txn, _| match SortedSet::open(txn.lookup(key(0))?)? {
                Some(set) => set.ranks_by_lex(txn, &range),
                None => Ok(0..0),
            });
            let is_in = |member: &&&[u8]| {
                let above = match range.min {
                    LexBound::Least => true,
                    LexBound::Greatest => false,
                    LexBound::Including(bound) => **member >= bound,
                    LexBound::Excluding(bound) => **member > bound,
                };
                let below = match range.max {
                    LexBound::Least => false,
                    LexBound::Greatest => true,
                    LexBound::Including(bound) => **member <= bound,
                    LexBound::Excluding(bound) => **member < bound,
                };
                above && below
            };
            let expected = members.iter().filter(is_in).count() as u64;
            assert_eq!(count.end - count.start, expected, "{range:?}");
        }
    }
}

#[test]
fn a_sorted_set_becomes_large_and_stays_so() {
    let mut bench = Bench::new(1);
    bench.limits = limits(3, 64);
    let kind = |bench: &mut Bench| bench.run(|txn, _| Ok(txn.lookup(key(0))?.map(|entry| entry.header.kind)));
    let add = |bench: &mut Bench, name: &str| {
        let name = name.as_bytes();
        bench.run(|txn, limits| {
            sorted_set::add(
                txn,
                key(0),
                std::iter::once((name, 1.0)),
                Condition::default(),
                limits,
            )
        })
    };
    for name in ["a", "b", "c"] {
        add(&mut bench, name);
        assert_eq!(kind(&mut bench), Some(Kind::SortedSet));
    }
    add(&mut bench, "d");
    assert_eq!(kind(&mut bench), Some(Kind::LargeSortedSet));
    let all = ["a", "b", "c", "d"].map(str::as_bytes);
    bench.run(|txn, _| sorted_set::remove(txn, key(0), all[1..].iter().copied()));
    assert_eq!(kind(&mut bench), Some(Kind::LargeSortedSet));
    bench.run(|txn, _| sorted_set::remove(txn, key(0), all.iter().copied()));
    assert_eq!(kind(&mut bench), None);
    add(&mut bench, &"x".repeat(65));
    assert_eq!(kind(&mut bench), Some(Kind::LargeSortedSet));
}
