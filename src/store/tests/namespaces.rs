//! Databases and their namespaces: all that goes over a database goes over each of its keys once, whether it is one namespace
//! or many; and a slot is counted, listed, dropped and moved as a database is.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::base::glob::Pattern;
use crate::base::hash_slot::hash_slot;
use crate::base::random::Random;
use crate::store::layout::Holder;
use crate::types::keys::Selection;

type Model = BTreeMap<String, Vec<u8>>;

fn set(txn: &mut Txn, db: usize, name: &str, value: &[u8]) -> Result<()> {
    let key = Key {
        db,
        name: name.as_bytes(),
    };
    let old = txn.lookup(key)?;
    string::set(txn, key, old.as_ref(), value, None)
}

/// The names in a database from a position on, in steps of so many keys, each step a command of its own.
fn scan(driver: &mut Driver, db: usize, count: usize, mut between: impl FnMut(&mut Driver)) -> Vec<String> {
    let (mut shown, mut from) = (Vec::new(), Vec::new());
    loop {
        let position = from.clone();
        let step = driver.run(move |txn| keys::step(txn, db, &position, Selection::default(), count));
        assert!(step.names.len() <= count);
        shown.extend(
            step.names
                .into_iter()
                .map(|name| String::from_utf8(name).unwrap()),
        );
        match step.next {
            Some(next) => from = next,
            None => return shown,
        }
        between(driver);
    }
}

/// Every name that matches, as KEYS shows them.
fn matching(driver: &mut Driver, pattern: &'static str) -> BTreeSet<String> {
    driver.run(move |txn| {
        let pattern = Pattern::new(pattern.as_bytes(), false);
        let selection = Selection {
            pattern: Some(&pattern),
            type_name: None,
        };
        let mut found = BTreeSet::new();
        keys::walk(txn, 0, b"", selection, usize::MAX, |name| {
            assert!(found.insert(String::from_utf8(name.to_vec()).unwrap()));
            Ok(())
        })?;
        Ok(found)
    })
}

#[test]
fn a_walk_shows_all_that_stays_once_whatever_comes_and_goes() {
    let mut driver = Driver::new(1 << 20);
    for i in 0..300 {
        driver.set(&format!("stays{i}"), b"1", None);
    }
    for count in [1, 7, 100] {
        let mut random = Random::from_seed(count);
        let shown = scan(&mut driver, 0, count as usize, |driver| {
            let name = format!("passes{}", random.below(200));
            if !driver.del(&name) {
                driver.set(&name, b"1", None);
            }
        });
        let unique: BTreeSet<&String> = shown.iter().collect();
        let stays = unique.iter().filter(|name| name.starts_with("stays")).count();
        let shown = shown.iter().filter(|name| name.starts_with("stays")).count();
        assert_eq!((stays, shown), (300, 300), "{count}");
    }
}

#[test]
fn names_that_match_are_found_in_all_namespaces() {
    let mut driver = Driver::new(1 << 20);
    for i in 0..50 {
        driver.set(&format!("a:{i}"), b"1", None);
        driver.set(&format!("b{{tag}}:{i}"), b"1", None);
    }
    let names = |prefix: &str| (0..50).map(|i| format!("{prefix}:{i}")).collect::<BTreeSet<_>>();
    assert_eq!(matching(&mut driver, "a:*"), names("a"));
    assert_eq!(matching(&mut driver, "b{tag}*"), names("b{tag}"));
    assert_eq!(matching(&mut driver, "a:7").len(), 1);
    assert_eq!(matching(&mut driver, "*7").len(), 10);
    assert_eq!(matching(&mut driver, "*").len(), 100);
    // A step with nothing to show comes to an end of its own, too.
    driver.run(|txn| {
        let pattern = Pattern::new(b"absent*", false);
        let selection = Selection {
            pattern: Some(&pattern),
            type_name: None,
        };
        let step = keys::step(txn, 0, b"", selection, 10)?;
        assert!(step.names.is_empty() && step.next.is_some() == (txn.layout() == Layout::Slots));
        Ok(())
    });
}

#[test]
fn a_random_key_is_as_likely_as_any_other_however_full_its_namespace_is() {
    const DRAWN: u64 = 6000;
    // Among many keys of one namespace, crowded branches come less often.
    let many = [[3, 60, 600], [3, 200, 1500]][usize::from(layout() == Layout::Slots)];
    for tags in [[1, 30, 300], many] {
        let mut driver = Driver::new(4 << 20);
        driver.run(move |txn| {
            for (tag, keys) in tags.into_iter().enumerate() {
                (0..keys).try_for_each(|i| set(txn, 0, &format!("{{{tag}}}{i}"), b"1"))?;
            }
            Ok(())
        });
        let drawn = driver.run(move |txn| {
            // Only a view has what it takes.
            txn.view()?;
            let mut drawn = [0u64; 3];
            for seed in 0..DRAWN {
                txn.random = Random::from_seed(seed);
                let name = keys::random(txn, 0)?.unwrap();
                drawn[usize::from(name[1] - b'0')] += 1;
            }
            Ok(drawn)
        });
        let all: u64 = tags.iter().sum();
        for (drawn, keys) in drawn.into_iter().zip(tags) {
            let expected = (DRAWN * keys) as f64 / all as f64;
            let tolerance = 5.0 * expected.sqrt() + 5.0;
            assert!(
                (drawn as f64 - expected).abs() < tolerance,
                "{drawn} of {expected}"
            );
        }
    }
}

#[test]
fn a_part_of_a_database_is_counted_listed_dropped_and_moved_as_a_whole_one_is() {
    let mut driver = Driver::new(1 << 20);
    let holders = [layout().holder(0, b"{a}"), layout().holder(0, b"{b}")];
    for i in 0..40 {
        driver.set(&format!("{{a}}{i}"), &long(3), Some(NOW + 1000));
        driver.set(&format!("{{b}}{i}"), b"1", (i < 10).then_some(NOW + 1000));
    }
    let is_divided = layout() == Layout::Slots;
    let counted = move |txn: &mut Txn| Ok([txn.namespace(holders[0])?, txn.namespace(holders[1])?]);
    let counts = driver
        .run(counted)
        .map(|namespace| (namespace.keys, namespace.expires));
    let expected = [[(80, 50); 2], [(40, 40), (40, 10)]][usize::from(is_divided)];
    assert_eq!(counts, expected);
    let listed = driver.run(move |txn| {
        let from = txn.layout().position(holders[0].slot, b"");
        keys::step(txn, 0, &from, Selection::default(), 40)
    });
    let own = layout().holder(0, &listed.names[0]);
    assert!(listed.names.len() == 40 && listed.names.iter().all(|name| layout().holder(0, name) == own));

    // To another database and back, in two transactions of which the second is lost in a crash.
    let there = Holder { db: 1, ..holders[0] };
    driver.run(move |txn| txn.swap_keys(holders[0], there));
    driver.settle();
    let mut driver = driver.crash();
    let kept = [0, 40][usize::from(is_divided)];
    let counted = |driver: &Driver| [0, 1].map(|db| driver.store.databases()[db].keys);
    assert_eq!(counted(&driver), [kept, 80 - kept]);
    driver.run(move |txn| txn.swap_keys(there, holders[0]));
    let mut driver = driver.crash();
    assert_eq!((counted(&driver), driver.get("{a}7")), ([kept, 80 - kept], None));
    driver.run(move |txn| txn.swap_keys(there, holders[0]));
    assert_eq!((counted(&driver), driver.get("{a}7")), ([80, 0], Some(long(3))));

    driver.run(move |txn| txn.drop_keys(holders[0]));
    assert_eq!((driver.counts().0, driver.get("{a}7")), (kept, None));
    driver.settle();
    let mut driver = driver.crash();
    assert_eq!(driver.counts().0, kept);
    driver.reclaim_all();
    assert!(driver.records(Family::Segment).is_empty());
    assert_eq!(driver.records(Family::Meta).len() as u64, kept);
    driver.check();
}

/// What a random transaction does to the databases.
fn change(txn: &mut Txn, random: &mut Random) -> Result<()> {
    let (db, other) = (random.below(3) as usize, random.below(3) as usize);
    let name = format!("{{{}}}{}", random.below(5), random.below(8));
    let key = Key {
        db,
        name: name.as_bytes(),
    };
    match random.below(40) {
        0 => txn.flush_database(db),
        1 => txn.swap_databases(db, other),
        2 => txn.drop_keys(txn.layout().holder(db, key.name)),
        3 => txn.swap_keys(
            txn.layout().holder(db, key.name),
            txn.layout().holder(other, key.name),
        ),
        4..=12 => match txn.lookup(key)? {
            Some(entry) => txn.remove(key, &entry),
            None => Ok(()),
        },
        13..=18 => {
            let to = format!("{{{}}}{}", random.below(5), random.below(8));
            let to = Key {
                db: other,
                name: to.as_bytes(),
            };
            let Some(entry) = txn.lookup(key)?.filter(|_| key != to) else {
                return Ok(());
            };
            let there = txn.lookup(to)?;
            match random.chance(0.5) {
                true => keys::relocate(txn, key, &entry, to, there.as_ref()),
                false => keys::copy(txn, &entry, to, there.as_ref()),
            }
        }
        _ => set(txn, db, &name, name.as_bytes()),
    }
}

/// The same to the model.
fn change_model(models: &mut [Model; 3], random: &mut Random) {
    let (db, other) = (random.below(3) as usize, random.below(3) as usize);
    let name = format!("{{{}}}{}", random.below(5), random.below(8));
    let holder = layout().holder(0, name.as_bytes());
    let is_there = |name: &String| layout().holder(0, name.as_bytes()) == holder;
    match random.below(40) {
        0 => models[db].clear(),
        1 => models.swap(db, other),
        2 => models[db].retain(|name, _| !is_there(name)),
        3 => {
            let [a, b] = [db, other].map(|db| {
                let moved: Model = models[db].extract_if(.., |name, _| is_there(name)).collect();
                moved
            });
            // The first took what both hold, if they are the same.
            models[other].extend(a);
            models[db].extend(b);
        }
        4..=12 => drop(models[db].remove(&name)),
        13..=18 => {
            let to = format!("{{{}}}{}", random.below(5), random.below(8));
            if (db, &name) == (other, &to) || !models[db].contains_key(&name) {
                return;
            }
            let value = match random.chance(0.5) {
                true => models[db].remove(&name),
                false => models[db].get(&name).cloned(),
            };
            models[other].extend(value.map(|value| (to, value)));
        }
        _ => drop(models[db].insert(name.clone(), name.into_bytes())),
    }
}

fn check_model(driver: &mut Driver, models: &[Model; 3]) {
    for (db, model) in models.iter().enumerate() {
        assert_eq!(driver.run(move |txn| txn.count_keys(db)), model.len() as u64);
        let mut shown = scan(driver, db, 9, |_| ());
        shown.sort();
        assert!(shown.iter().eq(model.keys()), "{db}");
        let names = shown.clone();
        let values = driver.run(move |txn| {
            names
                .iter()
                .map(|name| {
                    let name = name.as_bytes();
                    let entry = txn.lookup(Key { db, name })?.unwrap();
                    Ok(string::read(txn, &entry)?.to_vec())
                })
                .collect::<Result<Vec<_>>>()
        });
        assert!(values.iter().eq(model.values()), "{db}");
    }
    driver.check();
}

#[test]
fn databases_are_what_a_model_says_through_crashes_and_lost_commits() {
    for seed in 1..=4 {
        let mut driver = Driver::new([1 << 20, 4 << 10][seed as usize % 2]);
        let (mut models, mut random) = ([const { Model::new() }; 3], Random::from_seed(seed));
        let mut committed = models.clone();
        for _ in 0..60 {
            let faults = driver.faults;
            for _ in 0..random.below(20) {
                // Several changes in one transaction: they see one another.
                let (seed, changes) = (random.next_u64(), 1 + random.below(4));
                driver.run(move |txn| {
                    let mut random = Random::from_seed(seed);
                    (0..changes).try_for_each(|_| change(txn, &mut random))
                });
                let mut same = Random::from_seed(seed);
                (0..changes).for_each(|_| change_model(&mut models, &mut same));
            }
            // What faulted had a tick come to its end, and with it a commit.
            if driver.faults > faults {
                driver.commit();
                committed = models.clone();
            }
            match random.below(6) {
                0 => {
                    driver = driver.crash();
                    models = committed.clone();
                }
                1 => {
                    driver.fail();
                    models = committed.clone();
                    driver.repair();
                }
                2 => driver.cold(),
                3 => driver.reclaim_all(),
                _ => driver.commit(),
            }
            driver.commit();
            committed = models.clone();
            if random.chance(0.2) {
                check_model(&mut driver, &models);
            }
        }
        check_model(&mut driver, &models);
        driver.reclaim_all();
        let keys: usize = models.iter().map(Model::len).sum();
        assert_eq!(driver.records(Family::Meta).len(), keys);
    }
}

#[test]
fn a_store_stays_divided_as_it_was_made() {
    let mut driver = Driver::new(1 << 20);
    for name in ["{a}1", "{a}2", "b"] {
        driver.set(name, b"1", None);
    }
    driver.settle();
    let Driver { store, dir, .. } = driver;
    drop(store);
    let options = StoreOptions {
        layout: [Layout::Slots, Layout::One][usize::from(layout() == Layout::Slots)],
        databases: 5,
        ..driver::options(1 << 20)
    };
    let mut store = Store::open(dir.path(), &options, Arc::new(|| ())).unwrap();
    assert_eq!(store.catalog.layout(), layout());
    let kept = store.databases().iter().map(|counts| counts.keys);
    assert_eq!(kept.collect::<Vec<_>>(), [3, 0, 0, 0, 0]);
    // Databases that come later are as those that were there.
    let mut txn = store.begin(NOW);
    set(&mut txn, 4, "c", b"1").unwrap();
    let end = txn.end();
    store.stage(end);
    while !store.is_idle() {
        store.end_tick(NOW);
    }
    drop(store);
    let store = Store::open(dir.path(), &options, Arc::new(|| ())).unwrap();
    assert_eq!((store.catalog.layout(), store.databases()[4].keys), (layout(), 1));
    let slot = [0, hash_slot(b"c")][usize::from(layout() == Layout::Slots)];
    assert_eq!(store.catalog.namespace(Holder { db: 4, slot }).keys, 1);
}
