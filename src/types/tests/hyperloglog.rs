//! HyperLogLogs against a model: a plain array of registers goes through the same seeded random changes.

use super::key;
use crate::base::random::Random;
use crate::store::testing::TestStore;
use crate::store::{Result, Txn};
use crate::types::hyperloglog::{self, Encoding, Header, REGISTERS, Registers, Sketch};
use crate::types::string::{self, string_entry};

struct Model {
    registers: Box<Registers>,
    /// What GET should show as long as no command changes it.
    bytes: Vec<u8>,
}

fn add(txn: &mut Txn, at: usize, elements: &[Vec<u8>], sparse_max: u64) -> Result<bool> {
    let (old, mut sketch) = match hyperloglog::lookup(txn, key(at))? {
        Some((entry, sketch)) => (Some(entry), sketch),
        None => (None, Sketch::new()),
    };
    let mut changed = old.is_none();
    for element in elements {
        changed |= sketch.add(element, sparse_max)?;
    }
    if changed {
        sketch.forget_count();
        sketch.save(txn, key(at), old.as_ref())?;
    }
    Ok(changed)
}

fn merge(txn: &mut Txn, to: usize, from: usize, sparse_max: u64) -> Result<()> {
    let entries = [txn.lookup(key(to))?, txn.lookup(key(from))?];
    let (registers, any_dense) = hyperloglog::union(txn, &entries)?;
    let mut sketch = match &entries[0] {
        Some(entry) => Sketch::read(txn, entry)?,
        None => Sketch::new(),
    };
    if any_dense {
        sketch.make_dense()?;
    }
    sketch.raise_all(&registers, sparse_max)?;
    sketch.forget_count();
    sketch.save(txn, key(to), entries[0].as_ref())
}

/// What can be read of a sketch.
struct State {
    registers: Box<Registers>,
    count: u64,
    bytes: Vec<u8>,
}

fn read(txn: &mut Txn, at: usize) -> Result<Option<State>> {
    let Some(entry) = string_entry(txn.lookup(key(at))?)? else {
        return Ok(None);
    };
    let (registers, _) = hyperloglog::union(txn, &[Some(entry.clone())])?;
    let count = hyperloglog::count(txn, key(at), &entry)?;
    let again = string_entry(txn.lookup(key(at))?)?.unwrap_or(entry);
    assert_eq!(Header::read(txn, &again)?.count, Some(count));
    let bytes = string::read(txn, &again)?.to_vec();
    Ok(Some(State {
        registers,
        count,
        bytes,
    }))
}

fn random_elements(random: &mut Random) -> Vec<Vec<u8>> {
    let most = [1, 3, 100, 2000][random.below(4) as usize];
    let range = [50, 5_000, 1 << 40][random.below(3) as usize];
    let one = |random: &mut Random| random.below(range).to_string().into_bytes();
    (0..random.below(most)).map(|_| one(random)).collect()
}

fn run(seed: u64) {
    let mut random = Random::from_seed(seed);
    let mut test = TestStore::for_seed(seed);
    let mut models: [Option<Model>; 3] = [None, None, None];
    let mut sparse_max = 3000;
    let mut dense = 0;
    for step in 0..400 {
        let at = random.below(3) as usize;
        match random.below(12) {
            0..=5 => {
                let elements = random_elements(&mut random);
                let before = models[at].as_ref().map(|model| model.registers.clone());
                let mut registers = before.clone().unwrap_or_else(|| Box::new([0; REGISTERS]));
                let mut alone = Sketch::new();
                alone.make_dense().unwrap();
                for element in &elements {
                    alone.add(element, 0).unwrap();
                }
                alone.merge_into(&mut registers).unwrap();
                let changed = test.run(|txn| add(txn, at, &elements, sparse_max));
                assert_eq!(changed, Ok(before.as_ref() != Some(&registers)));
                let bytes = Vec::new();
                models[at] = Some(Model { registers, bytes });
            }
            6 | 7 => {
                let from = random.below(3) as usize;
                test.run(|txn| merge(txn, at, from, sparse_max)).unwrap();
                let mut registers = Box::new([0; REGISTERS]);
                for model in [&models[at], &models[from]].into_iter().flatten() {
                    let pairs = registers.iter_mut().zip(model.registers.iter());
                    pairs.for_each(|(to, &value)| *to = value.max(*to));
                }
                let bytes = Vec::new();
                models[at] = Some(Model { registers, bytes });
            }
            8 => test.drop_hot(),
            9 if step % 40 == 0 => test.reopen(),
            10 => sparse_max = [30, 500, 3000, 20_000][random.below(4) as usize],
            11 if random.below(4) == 0 => {
                test.run(|txn| match txn.lookup(key(at))? {
                    Some(entry) => txn.remove(key(at), &entry),
                    None => Ok(()),
                })
                .unwrap();
                models[at] = None;
            }
            _ => dense += usize::from(check(&mut test, at, models[at].as_mut())),
        }
    }
    test.drop_hot();
    for (at, model) in models.iter_mut().enumerate() {
        check(&mut test, at, model.as_mut());
    }
    assert!(dense > 0 && test.faults > 0);
}

/// Whether the sketch is dense.
fn check(test: &mut TestStore, at: usize, model: Option<&mut Model>) -> bool {
    let found = test.run(|txn| read(txn, at)).unwrap();
    let Some(model) = model else {
        assert!(found.is_none());
        return false;
    };
    let State {
        registers,
        count,
        bytes,
    } = found.expect("a sketch that the model has");
    assert!(registers == model.registers);
    assert_eq!(count, hyperloglog::estimate(&model.registers));
    assert!(model.bytes.is_empty() || model.bytes == bytes);
    let is_dense = bytes[4] == 0;
    model.bytes = bytes;
    let encoding = test.run(|txn| match txn.lookup(key(at))? {
        Some(entry) => Ok(Some(Header::read(txn, &entry)?.encoding)),
        None => Ok(None),
    });
    assert_eq!(encoding.unwrap() == Some(Encoding::Dense), is_dense);
    is_dense
}

#[test]
fn sketches_are_what_the_model_says() {
    for seed in 1..=4 {
        println!("seed {seed}");
        run(seed);
    }
}
