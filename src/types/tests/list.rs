//! Lists against a model: a `VecDeque` goes through the same seeded random changes.

use std::collections::VecDeque;

use super::{KEY, OTHER};
use crate::base::random::Random;
use crate::disk::format::Kind;
use crate::store::testing::TestStore;
use crate::store::{Key, Result, Txn};
use crate::types::keys;
use crate::types::list::{Limit, List, Side, list_entry};

type Model = VecDeque<Vec<u8>>;

struct Run {
    test: TestStore,
    model: Model,
    random: Random,
    limit: Limit,
}

/// Changes the list at the key as a command does.
fn change<T>(txn: &mut Txn, limit: Limit, body: impl FnOnce(&mut Txn, &mut List) -> Result<T>) -> Result<T> {
    let old = list_entry(txn.lookup(KEY)?)?;
    let mut list = List::open(old.as_ref())?;
    let answer = body(txn, &mut list)?;
    list.save(txn, KEY, old.as_ref(), limit)?;
    Ok(answer)
}

/// The elements of a range, from one side on.
fn read(txn: &mut Txn, key: Key, range: std::ops::Range<u64>, from: Side) -> Result<Vec<Vec<u8>>> {
    let entry = list_entry(txn.lookup(key)?)?;
    let list = List::open(entry.as_ref())?;
    let mut found = Vec::new();
    let mut next = range.clone();
    list.range(txn, range, from, |index, element| {
        let expected = if from == Side::Left {
            next.next()
        } else {
            next.next_back()
        };
        assert_eq!(Some(index), expected);
        found.push(element.to_vec());
        Ok(true)
    })?;
    Ok(found)
}

impl Run {
    fn new(seed: u64, limit: i32) -> Run {
        Run {
            test: TestStore::for_seed(seed),
            model: Model::new(),
            random: Random::from_seed(seed),
            limit: Limit(limit),
        }
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.random.below(bound)
    }

    fn side(&mut self) -> Side {
        if self.below(2) == 0 {
            Side::Left
        } else {
            Side::Right
        }
    }

    fn element(&mut self) -> Vec<u8> {
        let len = match self.below(20) {
            0 => 0,
            1 => 510 + self.below(5),
            2 => self.below(3000),
            3..=8 => self.below(200),
            // A few that come again and again.
            _ => return vec![b'a' + self.below(4) as u8],
        };
        let byte = self.below(256) as u8;
        vec![byte; len as usize]
    }

    /// Mostly near an end.
    fn index(&mut self) -> usize {
        let len = self.model.len() as u64;
        let at = match self.below(4) {
            0 => self.below(4).min(len - 1),
            1 => len - 1 - self.below(4).min(len - 1),
            _ => self.below(len),
        };
        at as usize
    }

    fn push(&mut self) {
        let side = self.side();
        let count = if self.below(30) == 0 {
            300
        } else {
            1 + self.below(4)
        };
        let elements: Vec<_> = (0..count).map(|_| self.element()).collect();
        for element in &elements {
            match side {
                Side::Left => self.model.push_front(element.clone()),
                Side::Right => self.model.push_back(element.clone()),
            }
        }
        let limit = self.limit;
        let len = self.test.run(|txn| {
            change(txn, limit, |txn, list| {
                list.push(txn, side, elements.iter().rev().map(|element| &element[..]));
                Ok(list.len())
            })
        });
        assert_eq!(len, Ok(self.model.len() as u64));
    }

    fn pop(&mut self) {
        let side = self.side();
        let count = if self.below(20) == 0 {
            self.below(400)
        } else {
            1 + self.below(4)
        };
        let taken = (0..count).map_while(|_| match side {
            Side::Left => self.model.pop_front(),
            Side::Right => self.model.pop_back(),
        });
        let expected: Vec<_> = taken.collect();
        let limit = self.limit;
        let popped = self.test.run(|txn| {
            change(txn, limit, |txn, list| {
                let mut popped = Vec::new();
                list.pop(txn, side, count, |element| {
                    popped.push(element.to_vec());
                    Ok(())
                })?;
                Ok(popped)
            })
        });
        assert_eq!(popped, Ok(expected));
    }

    fn set_or_insert(&mut self) {
        if self.model.is_empty() {
            return;
        }
        let (at, element, limit) = (self.index(), self.element(), self.limit);
        if self.below(2) == 0 {
            self.model[at].clone_from(&element);
            let set = |txn: &mut Txn, list: &mut List| list.set(txn, at as u64, &element);
            self.test.run(|txn| change(txn, limit, set)).unwrap();
        } else {
            let at = at + self.below(2) as usize;
            self.model.insert(at, element.clone());
            let insert = |txn: &mut Txn, list: &mut List| list.insert(txn, at as u64, &element);
            self.test.run(|txn| change(txn, limit, insert)).unwrap();
        }
    }

    fn remove(&mut self) {
        let (wanted, side, limit) = (self.element(), self.side(), self.limit);
        let most = if self.below(3) == 0 {
            u64::MAX
        } else {
            1 + self.below(3)
        };
        let mut found: Vec<u64> = (0..self.model.len() as u64)
            .filter(|&at| self.model[at as usize] == wanted)
            .collect();
        if side == Side::Right {
            found.reverse();
        }
        found.truncate(usize::try_from(most).unwrap_or(usize::MAX));
        let removed = self.test.run(|txn| {
            change(txn, limit, |txn, list| {
                let mut positions = list.positions(txn, side, &wanted, most)?;
                let found = positions.clone();
                positions.sort_unstable();
                list.remove(txn, &positions)?;
                Ok(found)
            })
        });
        assert_eq!(removed, Ok(found.clone()));
        found.sort_unstable();
        for at in found.into_iter().rev() {
            self.model.remove(at as usize);
        }
    }

    fn trim(&mut self) {
        let len = self.model.len() as u64;
        let cut = |run: &mut Run| match run.below(6) {
            0 => run.below(len + 1),
            _ => run.below(10).min(len),
        };
        let start = cut(self);
        let end = (len - cut(self)).max(start);
        self.model = self.model.range(start as usize..end as usize).cloned().collect();
        let limit = self.limit;
        self.test
            .run(|txn| change(txn, limit, |txn, list| list.trim(txn, start..end)))
            .unwrap();
    }

    fn copy(&mut self) {
        let copied = self.test.run(|txn| {
            let Some(entry) = list_entry(txn.lookup(KEY)?)? else {
                return Ok(Vec::new());
            };
            let there = txn.lookup(OTHER)?;
            keys::copy(txn, &entry, OTHER, there.as_ref())?;
            // The original goes: what the copy shares with it would be missed.
            txn.remove(KEY, &entry)?;
            let Some(entry) = txn.lookup(OTHER)? else {
                return Ok(Vec::new());
            };
            keys::relocate(txn, OTHER, &entry, KEY, None)?;
            read(txn, KEY, 0..u64::MAX, Side::Left)
        });
        assert_eq!(copied.map(Model::from), Ok(self.model.clone()));
    }

    fn check(&mut self) {
        let (len, from) = (self.model.len() as u64, self.side());
        let (a, b) = (self.below(len + 1), self.below(len + 1));
        let range = a.min(b)..a.max(b);
        let mut expected: Vec<_> = self
            .model
            .range(range.start as usize..range.end as usize)
            .cloned()
            .collect();
        if from == Side::Right {
            expected.reverse();
        }
        let found = self.test.run(|txn| read(txn, KEY, range.clone(), from));
        assert_eq!(found, Ok(expected));
        if len > 0 {
            let at = self.index();
            let found = self.test.run(|txn| {
                let entry = list_entry(txn.lookup(KEY)?)?;
                List::open(entry.as_ref())?.get(txn, at as u64)
            });
            assert_eq!(found, Ok(Some(self.model[at].clone())));
        }
    }

    fn steps(&mut self, count: u64) {
        for step in 0..count {
            match self.below(40) {
                0..=12 => self.push(),
                13..=19 => self.pop(),
                20..=24 => self.set_or_insert(),
                25 | 26 => self.remove(),
                27 | 28 => self.trim(),
                29 => self.copy(),
                30 | 31 => self.test.drop_hot(),
                32 if step % 10 == 0 => self.test.reopen(),
                _ => self.check(),
            }
        }
        self.test.drop_hot();
        let all = self.test.run(|txn| read(txn, KEY, 0..u64::MAX, Side::Left));
        assert_eq!(all.map(Model::from), Ok(self.model.clone()));
    }
}

#[test]
fn lists_are_what_the_model_says() {
    for (seed, limit) in [
        (1, 3),
        (2, -1),
        (3, -2),
        (4, 128),
        (5, 0),
        (6, -5),
        (7, 10),
        (8, 3),
    ] {
        println!("seed {seed}");
        Run::new(seed, limit).steps(500);
    }
}

fn kind(test: &mut TestStore) -> Option<Kind> {
    let found = test.run(|txn| Ok(txn.lookup(KEY)?.map(|entry| entry.header.kind)));
    found.unwrap()
}

#[test]
fn a_queue_writes_about_one_record_a_command_and_ends_as_it_began() {
    let mut test = TestStore::open();
    let limit = Limit(-2);
    let push = |test: &mut TestStore, n: u32| {
        let element = format!("{n:0100}");
        test.run(|txn| {
            change(txn, limit, |txn, list| {
                list.push(txn, Side::Left, std::iter::once(element.as_bytes()));
                Ok(())
            })
        })
        .unwrap();
    };
    let pop = |test: &mut TestStore| {
        test.run(|txn| {
            change(txn, limit, |txn, list| {
                let mut popped = None;
                list.pop(txn, Side::Right, 1, |element| {
                    popped = Some(element.to_vec());
                    Ok(())
                })?;
                Ok(popped)
            })
        })
        .unwrap()
    };
    let count = 3000;
    (0..count).for_each(|n| push(&mut test, n));
    assert_eq!(kind(&mut test), Some(Kind::LargeList));
    let (writes, faults) = (test.writes, test.faults);
    for n in 0..count {
        push(&mut test, count + n);
        assert_eq!(pop(&mut test), Some(format!("{n:0100}").into_bytes()));
    }
    let writes = (test.writes - writes) as f64 / f64::from(2 * count);
    assert!(writes < 1.4, "{writes} writes a command");
    assert_eq!(test.faults, faults, "all is in memory");
    for n in count..2 * count {
        assert!(pop(&mut test) == Some(format!("{n:0100}").into_bytes()));
    }
    assert_eq!((pop(&mut test), kind(&mut test)), (None, None));
}
