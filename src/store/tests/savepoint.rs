//! Savepoints: after a rollback the transaction is as if it had never done what came after the savepoint.

use std::collections::BTreeMap;

use super::*;
use crate::base::random::Random;
use crate::disk::format::Namespace;
use crate::store::effects::Lookups;
use crate::store::layout::Holder;
use crate::store::staging::TxnEnd;

/// The loose records of the test are under this id.
const ID: u64 = 1 << 40;
const RECORDS: u64 = 10;
const NAMES: u64 = 6;
const DATABASES: u64 = 3;

/// All that counts of a transaction when it ends.
#[derive(PartialEq, Debug)]
struct Seen {
    records: BTreeMap<RecordKey, Option<Vec<u8>>>,
    namespaces: BTreeMap<Holder, Namespace>,
    effects: Vec<Effect>,
    lookups: Lookups,
    ids: u64,
}

impl Seen {
    fn of(work: &Work) -> Seen {
        let (log, namespaces) = (work.writes.log.iter(), work.namespaces.log.iter());
        Seen {
            records: log
                .map(|write| {
                    let value = write.value.value.as_ref().map(|value| value.to_vec());
                    (write.key.clone(), value)
                })
                .collect(),
            namespaces: namespaces.map(|change| (change.key, change.value)).collect(),
            effects: work.effects.clone(),
            lookups: work.lookups,
            ids: work.ids,
        }
    }
}

/// Does one thing of all that a body may do to its transaction.
fn act(txn: &mut Txn, random: &mut Random, depth: u32) -> Result<()> {
    let name = format!("k{}", random.below(NAMES));
    let db = random.below(DATABASES) as usize;
    let key = Key {
        db,
        name: name.as_bytes(),
    };
    let record = RecordKey::blob(ID, random.below(RECORDS));
    match random.below(12) {
        0 => txn.put(record, Value::from(&random.next_u64().to_be_bytes()[..])),
        1 => txn.delete(record),
        2 => drop(txn.get(&record)?),
        // Some are past their deadline already: the next lookup deletes them.
        3..=5 => {
            let value = match random.chance(0.2) {
                true => long(random.next_u64() as u8),
                false => vec![random.next_u64() as u8; 20],
            };
            let deadline = random.chance(0.6).then(|| NOW - 50 + random.below(100));
            let old = txn.lookup(key)?;
            string::set(txn, key, old.as_ref(), &value, deadline)?;
        }
        6 => {
            if let Some(entry) = txn.lookup(key)? {
                txn.remove(key, &entry)?;
            }
        }
        7 => drop(txn.lookup_read(key)?),
        8 if random.chance(0.3) => txn.flush_database(db)?,
        9 if random.chance(0.5) => {
            let other = (db + 1) % DATABASES as usize;
            txn.swap_databases(db, other)?;
        }
        10 => {
            let (id, chosen) = (txn.fresh_id(), txn.random.next_u64());
            txn.put(RecordKey::blob(id, 0), Value::from(&chosen.to_be_bytes()[..]));
        }
        11 if depth > 0 => {
            let before = txn.savepoint();
            act_often(txn, random, depth - 1)?;
            if random.chance(0.5) {
                txn.rollback(before);
            }
        }
        _ => txn.cause_fields_expired(random.below(3)),
    }
    Ok(())
}

fn act_often(txn: &mut Txn, random: &mut Random, depth: u32) -> Result<()> {
    (0..random.below(12)).try_for_each(|_| act(txn, random, depth))
}

/// A transaction that does what three seeds say, the second part being taken back or not done at all.
fn run(driver: &mut Driver, seed: u64, is_tried: bool) -> (Box<Work>, u64) {
    let part = |n: u64| Random::from_seed(seed * 3 + n);
    let mut txn = driver.store.begin(driver.now);
    act_often(&mut txn, &mut part(0), 2).unwrap();
    let before = txn.savepoint();
    if is_tried {
        act_often(&mut txn, &mut part(1), 2).unwrap();
        txn.rollback(before);
    }
    act_often(&mut txn, &mut part(2), 2).unwrap();
    let next = txn.random.next_u64();
    (txn.end().0, next)
}

#[test]
fn what_was_rolled_back_might_as_well_not_have_been_done() {
    let mut driver = Driver::new(64 << 20);
    driver.run(|txn| {
        (0..RECORDS).for_each(|n| txn.put(RecordKey::blob(ID, n), Value::from(&b"first"[..])));
        Ok(())
    });
    for seed in 0..2000 {
        let (mut plain, next) = run(&mut driver, seed, false);
        let expected = Seen::of(&plain);
        plain.retain_expiry_deletes();
        let expired = Seen::of(&plain);
        driver.store.abandon(TxnEnd(plain));

        let (mut work, next_after) = run(&mut driver, seed, true);
        assert_eq!((Seen::of(&work), next_after), (expected, next), "seed {seed}");
        work.retain_expiry_deletes();
        assert_eq!(
            Seen::of(&work),
            expired,
            "seed {seed}: only deletes of expired keys"
        );
        driver.store.abandon(TxnEnd(work));

        let (work, _) = run(&mut driver, seed, true);
        driver.store.stage(TxnEnd(work));
        if seed % 50 == 0 {
            driver.check();
        }
    }
    driver.check();
    assert!(driver.effects.contains(&Effect::KeyExpired));
}
