//! What changes many elements of a cold collection asks for all that it takes together, without a rehearsal.

use super::KEY;
use crate::store::testing::TestStore;
use crate::store::{Result, Txn};
use crate::types::hash::{self, Expiry, Hash};
use crate::types::set;
use crate::types::sorted_set::{self, Condition};
use crate::types::thresholds::Thresholds;

const COUNT: usize = 10_000;

fn members(from: usize) -> Vec<Vec<u8>> {
    (from..from + COUNT)
        .map(|n| format!("member:{n}").into_bytes())
        .collect()
}

/// A store where a body has made the key, which is cold.
fn cold(make: impl Fn(&mut Txn, &[Vec<u8>]) -> Result<()>) -> TestStore {
    let mut test = TestStore::open();
    let members = members(0);
    test.run(|txn| make(txn, &members)).unwrap();
    test.drop_hot();
    test.faults = 0;
    test
}

fn cold_set() -> TestStore {
    cold(|txn, members| add_to_set(txn, members).map(drop))
}

fn add_to_set(txn: &mut Txn, members: &[Vec<u8>]) -> Result<u64> {
    set::add(
        txn,
        KEY,
        members.iter().map(|member| &member[..]),
        &Thresholds::default(),
    )
}

fn cold_hash(expiry: Expiry) -> TestStore {
    cold(|txn, members| set_fields(txn, members, expiry).map(drop))
}

fn set_fields(txn: &mut Txn, fields: &[Vec<u8>], expiry: Expiry) -> Result<()> {
    let mut hash = Hash::to_write(txn, KEY)?;
    hash.prefetch_to_set(txn, fields.iter().map(|field| &field[..]))?;
    for field in fields {
        hash.put(txn, field, b"value", expiry, &Thresholds::default())?;
    }
    hash.save(txn, KEY)
}

#[test]
fn random_members_of_a_cold_set_are_not_missed_one_by_one() {
    for count in [10, 2000, 6000, COUNT as u64 - 1] {
        let mut test = cold_set();
        let popped = test.run(|txn| set::pop_many(txn, KEY, count, &Thresholds::default()));
        assert_eq!(popped.unwrap().len() as u64, count);
        assert!(test.faults <= 3, "{count}: {} faults", test.faults);
    }
}

#[test]
fn pages_that_a_large_change_divides_or_merges_are_not_missed_one_by_one() {
    let mut test = cold_set();
    assert_eq!(test.run(|txn| add_to_set(txn, &members(COUNT))), Ok(COUNT as u64));
    assert_eq!(test.faults, 2);
    test.drop_hot();
    test.faults = 0;
    let gone = members(5);
    let removed = test.run(|txn| set::remove(txn, KEY, gone.iter().map(|member| &member[..])));
    assert_eq!(removed, Ok(COUNT as u64));
    assert_eq!(test.faults, 2);

    let mut test = cold_hash(Expiry::Clear);
    test.run(|txn| set_fields(txn, &members(COUNT), Expiry::Clear))
        .unwrap();
    assert_eq!(test.faults, 2);
    test.drop_hot();
    test.faults = 0;
    test.run(|txn| {
        let mut hash = Hash::to_write(txn, KEY)?;
        hash.prefetch_to_remove(txn, gone.iter().map(|field| &field[..]))?;
        for field in &gone {
            hash.remove(txn, field)?;
        }
        hash.save(txn, KEY)
    })
    .unwrap();
    assert_eq!(test.faults, 2);
}

#[test]
fn fields_that_are_due_in_a_cold_hash_are_not_fetched_a_few_at_a_time() {
    let mut test = cold_hash(Expiry::At(1_700_000_000_001));
    test.now = 1_700_000_000_002;
    let mut transactions = 1;
    while test.run(|txn| hash::expire_due(txn, KEY)).unwrap() {
        transactions += 1;
    }
    assert!(transactions > 30);
    assert!(test.faults <= 16, "{} faults", test.faults);
    assert_eq!(test.run(|txn| txn.lookup(KEY)).unwrap().map(drop), None);
}

#[test]
fn a_cut_through_a_cold_sorted_set_takes_few_rounds() {
    let mut test = cold(|txn, members| {
        let scored = (0..).zip(members).map(|(n, member)| (&member[..], f64::from(n)));
        sorted_set::add(txn, KEY, scored, Condition::default(), &Thresholds::default()).map(drop)
    });
    let removed = test.run(|txn| {
        let Some(set) = sorted_set::SortedSet::open(txn.lookup(KEY)?)? else {
            return Ok(0);
        };
        sorted_set::remove_ranks(txn, KEY, &set, 10..9000, "zremrangebyrank")
    });
    assert_eq!(removed, Ok(8990));
    assert!(test.faults <= 6, "{} faults", test.faults);
}
