//! Transactions that are set aside go on if nobody has written what they have read, and only then.

use super::*;
use crate::store::aside::Aside;

type Body = fn(&mut Txn) -> Result<()>;
type Other = fn(&mut Driver);

/// A store with two keys that are in memory, and no other.
fn driver() -> Driver {
    let mut driver = Driver::new(1 << 20);
    driver.set("a", b"1", None);
    driver.set("b", b"1", None);
    driver
}

fn set_aside(driver: &mut Driver, body: Body) -> Aside {
    let mut txn = driver.store.begin(driver.now);
    txn.note_reads();
    body(&mut txn).expect("it is all in memory");
    let suspended = txn.suspend();
    driver.store.set_aside(suspended)
}

/// Whether a body goes on which is set aside while something else happens.
fn goes_on(body: Body, other: Other) -> bool {
    let mut driver = driver();
    let aside = set_aside(&mut driver, body);
    other(&mut driver);
    let suspended = driver.store.take_back(aside);
    let goes_on = suspended.is_some();
    if let Some(suspended) = suspended {
        driver.store.stage(suspended.end());
    }
    assert!(driver.store.asides.is_empty());
    driver.settle();
    driver.check();
    goes_on
}

fn reads(txn: &mut Txn) -> Result<()> {
    txn.lookup(key("a"))?;
    txn.lookup(key("none")).map(drop)
}

fn creates(txn: &mut Txn) -> Result<()> {
    let header = Header {
        kind: Kind::String,
        deadline: None,
    };
    txn.write(key("mine"), None, header, &[b"1"])
}

#[test]
fn what_others_write_elsewhere_does_not_matter() {
    let others: [Other; 3] = [
        |_| {},
        |driver| {
            driver.set("b", b"2", None);
        },
        |driver| {
            driver.del("b");
        },
    ];
    for other in others {
        assert!(goes_on(reads, other));
    }
}

#[test]
fn who_has_read_what_others_write_begins_anew() {
    let others: [Other; 4] = [
        |driver| {
            driver.set("a", b"2", None);
        },
        |driver| {
            driver.del("a");
        },
        |driver| {
            driver.set("none", b"1", None);
        },
        |driver| driver.run(|txn| txn.swap_databases(0, 1)),
    ];
    for other in others {
        assert!(!goes_on(reads, other));
    }
}

#[test]
fn who_has_counted_begins_anew_when_others_add_keys() {
    let adds: Other = |driver| {
        driver.set("b2", b"1", None);
    };
    let counts: Body = |txn| txn.count_keys(0).map(drop);
    assert!(!goes_on(counts, adds));
    assert!(!goes_on(creates, adds));
    assert!(goes_on(creates, |driver| {
        driver.set("b", b"2", None);
    }));
}

#[test]
fn one_that_is_given_up_leaves_nothing() {
    let mut driver = driver();
    let aside = set_aside(&mut driver, creates);
    driver.store.give_up(aside);
    assert!(driver.store.asides.is_empty());
    assert_eq!(driver.get("mine"), None);
}
