//! Trees against a model: a sorted `Vec` goes through the same seeded random changes.

use crate::base::random::Random;
use crate::disk::cells::Reader;
use crate::disk::format::RecordKey;
use crate::store::testing::TestStore;
use crate::store::{Result, Txn, Value};
use crate::types::tree::Tree;

type Entries = Vec<(Vec<u8>, Vec<u8>)>;

const ID: u64 = 1 << 40;
const STATE: u64 = 1 << 41;

/// Runs a body over the tree, whose state is kept in a record.
fn with<T>(test: &mut TestStore, mut body: impl FnMut(&mut Txn, &mut Tree) -> Result<T>) -> T {
    let key = RecordKey::blob(STATE, 0);
    let run = |txn: &mut Txn| {
        let mut tree = match txn.get(&key)? {
            Some(state) => Tree::decode(ID, &mut Reader(&state))?,
            None => Tree::empty(ID),
        };
        let before = tree.clone();
        let result = body(txn, &mut tree)?;
        if tree != before {
            let mut state = Vec::new();
            tree.encode(&mut state);
            txn.put(key.clone(), Value::from(&state[..]));
        }
        Ok(result)
    };
    test.run(run).unwrap()
}

/// Keys that share long prefixes, so that nodes hold few.
fn key(random: &mut Random) -> Vec<u8> {
    let n = random.below(3000);
    let mut key = vec![b'k'; 230];
    key.extend_from_slice(&n.to_be_bytes()[5..]);
    key
}

/// Values of any length, those that leave the node among them.
fn value(random: &mut Random) -> Vec<u8> {
    let len = match random.below(40) {
        0 => 513 + random.below(1000),
        1 => 500 + random.below(20),
        2..=9 => random.below(200),
        _ => random.below(6),
    };
    vec![b'a' + random.below(26) as u8; len as usize]
}

fn span(random: &mut Random, len: usize) -> std::ops::Range<u64> {
    let from = random.below(len as u64 + 1);
    let most = [3, 20, 400][random.below(3) as usize];
    from..(from + random.below(most)).min(len as u64 + 1)
}

fn slice(model: &Entries, ranks: &std::ops::Range<u64>) -> Entries {
    let to = model.len().min(ranks.end as usize);
    model[to.min(ranks.start as usize)..to].to_vec()
}

fn check(test: &mut TestStore, model: &Entries, random: &mut Random, by_key: bool) {
    let ranks = span(random, model.len());
    for reverse in [false, true] {
        let found = with(test, |txn, tree| {
            assert_eq!(tree.len(), model.len() as u64);
            let mut found = Entries::new();
            tree.range(txn, ranks.clone(), reverse, |key, value| {
                found.push((key.to_vec(), value.to_vec()));
                Ok(found.len() < 300)
            })?;
            Ok(found)
        });
        let mut expected = slice(model, &ranks);
        if reverse {
            expected.reverse();
        }
        expected.truncate(300);
        assert!(found == expected, "{ranks:?} of {}", model.len());
    }
    let rank = random.below(model.len() as u64 + 2);
    let found = with(test, |txn, tree| tree.at(txn, rank));
    let found = found.map(|(key, value)| (key.to_vec(), value.to_vec()));
    assert_eq!(found, model.get(rank as usize).cloned());
    if by_key {
        let key = key(random);
        let position = model.binary_search_by(|(k, _)| k.cmp(&key));
        let expected = position.map_or_else(|at| (at as u64, false), |at| (at as u64, true));
        assert_eq!(with(test, |txn, tree| tree.rank(txn, &key)), expected);
        let found = with(test, |txn, tree| tree.get(txn, &key)).map(|value| value.to_vec());
        assert_eq!(found, position.ok().map(|at| model[at].1.clone()));
    }
}

fn remove_range(test: &mut TestStore, model: &mut Entries, random: &mut Random) {
    let mut ranks = span(random, model.len());
    match random.below(20) {
        0 => ranks = 0..ranks.end,
        1 => ranks.end = u64::MAX,
        2..=6 => ranks = 0..random.below(30),
        7..=11 => ranks.start = (model.len() as u64).saturating_sub(random.below(30)),
        _ => {}
    }
    let removed = with(test, |txn, tree| {
        let mut removed = Entries::new();
        tree.remove_range(txn, ranks.clone(), |key, value| {
            removed.push((key.to_vec(), value.to_vec()));
            Ok(())
        })?;
        Ok(removed)
    });
    let expected = slice(model, &ranks);
    assert!(removed == expected, "{ranks:?} of {}", model.len());
    let from = model.len().min(ranks.start as usize);
    model.drain(from..from + expected.len());
}

fn run_keys(seed: u64) {
    let (mut random, mut test, mut model) = (Random::from_seed(seed), TestStore::open(), Entries::new());
    if seed.is_multiple_of(2) {
        test.store.set_hot_budget(8 << 10);
    }
    for step in 0..4500 {
        let grows = step % 1500 < 1000;
        match random.below(20) {
            0..=9 if grows || random.below(5) == 0 => {
                let (key, value) = (key(&mut random), value(&mut random));
                let is_new = with(&mut test, |txn, tree| tree.put(txn, &key, &value));
                let at = model.binary_search_by(|(k, _)| k.cmp(&key));
                assert_eq!(is_new, at.is_err());
                match at {
                    Ok(at) => model[at].1 = value,
                    Err(at) => model.insert(at, (key, value)),
                }
            }
            10 | 11 => {
                let key = match model.get(random.below(model.len() as u64 + 1) as usize) {
                    Some((key, _)) => key.clone(),
                    None => key(&mut random),
                };
                let removed = with(&mut test, |txn, tree| tree.remove(txn, &key)).map(|v| v.to_vec());
                let at = model.binary_search_by(|(k, _)| k.cmp(&key));
                assert_eq!(removed, at.ok().map(|at| model.remove(at).1));
            }
            0..=9 => {
                let rank = random.below(model.len() as u64 + 1);
                let removed = with(&mut test, |txn, tree| tree.remove_at(txn, rank));
                let at = (removed.is_some()).then(|| model.remove(rank as usize));
                assert_eq!(removed.map(|(key, value)| (key.to_vec(), value.to_vec())), at);
            }
            13 if step % 3 == 0 => remove_range(&mut test, &mut model, &mut random),
            14 if step % 7 == 0 => test.drop_hot(),
            15 if step % 300 == 0 => test.reopen(),
            _ => check(&mut test, &model, &mut random, true),
        }
    }
    assert!(test.faults > 0);
}

fn run_positions(seed: u64) {
    let (mut random, mut test, mut model) = (Random::from_seed(seed), TestStore::open(), Entries::new());
    if seed.is_multiple_of(2) {
        test.store.set_hot_budget(8 << 10);
    }
    for step in 0..3000 {
        let len = model.len() as u64;
        let value = value(&mut random);
        let entry = || (Vec::new(), value.clone());
        match random.below(24) {
            0..=3 => {
                with(&mut test, |txn, tree| tree.insert_at(txn, tree.len(), &value));
                model.push(entry());
            }
            4..=7 => {
                with(&mut test, |txn, tree| tree.insert_at(txn, 0, &value));
                model.insert(0, entry());
            }
            8..=11 => {
                let rank = random.below(len + 1);
                with(&mut test, |txn, tree| tree.insert_at(txn, rank, &value));
                model.insert(rank as usize, entry());
            }
            12 | 13 if len > 0 => {
                let rank = random.below(len);
                with(&mut test, |txn, tree| tree.put_at(txn, rank, &value));
                model[rank as usize] = entry();
            }
            14..=17 if len > 0 => {
                let rank = [0, len - 1, random.below(len)][random.below(3) as usize];
                let removed = with(&mut test, |txn, tree| tree.remove_at(txn, rank));
                let removed = removed.map(|(_, value)| value.to_vec());
                assert_eq!(removed, Some(model.remove(rank as usize).1));
            }
            18 if step % 5 == 0 => remove_range(&mut test, &mut model, &mut random),
            19 if step % 7 == 0 => test.drop_hot(),
            20 if step % 300 == 0 => test.reopen(),
            _ => check(&mut test, &model, &mut random, false),
        }
    }
}

#[test]
fn trees_of_keys_are_what_the_model_says() {
    for seed in 1..=6 {
        println!("seed {seed}");
        run_keys(seed);
    }
}

#[test]
fn trees_of_positions_are_what_the_model_says() {
    for seed in 1..=6 {
        println!("seed {seed}");
        run_positions(seed);
    }
}

#[test]
fn copies_share_nothing() {
    let (mut random, mut test, mut model) = (Random::from_seed(1), TestStore::open(), Entries::new());
    for n in 0..500u32 {
        let (key, value) = (n.to_be_bytes().to_vec(), value(&mut random));
        with(&mut test, |txn, tree| tree.put(txn, &key, &value));
        model.push((key, value));
    }
    test.drop_hot();
    let copied = with(&mut test, |txn, tree| {
        let copy = tree.copy(txn, ID + 1)?;
        tree.remove_range(txn, 0..u64::MAX, |_, _| Ok(()))?;
        let mut entries = Entries::new();
        copy.range(txn, 0..u64::MAX, false, |key, value| {
            entries.push((key.to_vec(), value.to_vec()));
            Ok(true)
        })?;
        Ok(entries)
    });
    assert!(copied == model);
}

#[test]
fn a_queue_rewrites_leaves_at_its_ends_only() {
    let mut test = TestStore::open();
    for _ in 0..5000 {
        with(&mut test, |txn, tree| {
            tree.insert_at(txn, tree.len(), &[b'v'; 50])
        });
    }
    test.writes = 0;
    for _ in 0..2000 {
        with(&mut test, |txn, tree| {
            tree.insert_at(txn, tree.len(), &[b'v'; 50])?;
            tree.remove_at(txn, 0).map(drop)
        });
    }
    // Two leaves and the state; now and then a leaf that is new or gone, and the node above.
    assert!(test.writes < 2000 * 35 / 10, "{}", test.writes);
}
