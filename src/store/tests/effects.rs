//! Effects: they leave in order, and not before the epoch of their transaction is settled.

use super::*;

fn cause(driver: &mut Driver, fields: u64) {
    let mut txn = driver.store.begin(driver.now);
    txn.cause_fields_expired(fields);
    let end = txn.end();
    driver.store.stage(end);
}

/// A driver with a key that is past its deadline.
fn driver_with_due_key() -> Driver {
    let mut driver = Driver::new(1 << 20);
    driver.set("due", b"1", Some(NOW + 1));
    driver.commit();
    driver.now = NOW + 2;
    driver
}

#[test]
fn effects_leave_in_order_once_their_epoch_is_settled() {
    let mut driver = driver_with_due_key();
    assert_eq!(driver.get("due"), None);
    // It depends on nothing, but does not overtake.
    cause(&mut driver, 7);
    assert!(!driver.store.commits.effects.may_leave(driver.store.settled()));
    assert_eq!(driver.effects, []);
    driver.commit();
    assert_eq!(driver.effects, [Effect::KeyExpired, Effect::FieldsExpired(7)]);
    assert!(!driver.store.has_work());
    cause(&mut driver, 8);
    assert!(driver.store.has_work(), "though there is nothing to commit");
    driver.end_tick();
    assert_eq!(driver.effects[2..], [Effect::FieldsExpired(8)]);
}

#[test]
fn effects_of_a_lost_epoch_are_lost_with_it() {
    let mut driver = driver_with_due_key();
    assert_eq!(driver.get("due"), None);
    cause(&mut driver, 7);
    driver.fail();
    driver.repair();
    driver.commit();
    assert_eq!(driver.effects, [Effect::FieldsExpired(7)]);
    assert_eq!(driver.counts(), (1, 1));
    assert_eq!(driver.get("due"), None);
    driver.commit();
    assert_eq!(driver.effects[1..], [Effect::KeyExpired]);
    driver.check();
}

#[test]
fn runs_that_do_not_count_cause_nothing() {
    let mut driver = Driver::new(1 << 20);
    driver.set("there", b"1", None);
    driver.set("due", b"1", Some(NOW + 1));
    driver.cold();
    driver.now = NOW + 2;
    driver.run(|txn| {
        txn.lookup(key("due"))?;
        txn.cause_fields_expired(1);
        let before = txn.savepoint();
        txn.cause_fields_expired(2);
        txn.rollback(before);
        txn.lookup(key("there"))?;
        txn.cause_fields_expired(3);
        Ok(())
    });
    assert!(driver.faults > 1);
    driver.commit();
    let expected = [
        Effect::KeyExpired,
        Effect::FieldsExpired(1),
        Effect::FieldsExpired(3),
    ];
    assert_eq!(driver.effects, expected);
}
