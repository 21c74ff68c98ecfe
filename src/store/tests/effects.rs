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

/// The events that are to be told, each with its epoch.
fn events(driver: &mut Driver) -> Vec<(Epoch, KeyEvent)> {
    let messages = driver.store.take_messages().into_iter();
    let event = |(epoch, effect)| match effect {
        Effect::KeyEvent(event) => (epoch, event),
        other => panic!("{other:?}"),
    };
    messages.map(event).collect()
}

/// They as a test shows them.
fn told(events: &[(Epoch, KeyEvent)]) -> Vec<String> {
    let told =
        |(_, event): &(Epoch, KeyEvent)| format!("{} {}", event.name, String::from_utf8_lossy(&event.key));
    events.iter().map(told).collect()
}

#[test]
fn events_of_keys_come_from_where_keys_come_and_go_and_are_taken_back_with_what_they_tell_of() {
    let mut driver = driver_with_due_key();
    driver.store.set_events(Events::all());
    driver.run(|txn| {
        assert!(txn.lookup_read(key("due"))?.is_none());
        let header = Header {
            kind: Kind::String,
            deadline: None,
        };
        txn.write(key("new"), None, header, &[b"1"])?;
        let before = txn.savepoint();
        let entry = txn.lookup(key("new"))?.expect("it was written");
        txn.remove(key("new"), &entry)?;
        assert!(txn.lookup_read(key("missed"))?.is_none());
        txn.rollback_failure(before);
        txn.notify(Events::STRING, "set", key("new"));
        txn.notify_overwritten(key("new"), Some(&entry), Kind::List);
        Ok(())
    });
    let open = driver.store.last_staged();
    let events = events(&mut driver);
    let expected = [
        "expired due",
        "keymiss due",
        "new new",
        "keymiss missed",
        "set new",
        "overwritten new",
        "type_changed new",
    ];
    assert_eq!(told(&events), expected);
    assert!(events.iter().all(|(epoch, _)| *epoch == open));
    // Those that follow each other share the key's name.
    let keys = events[4..].iter().map(|(_, event)| event.key.as_ptr());
    let keys: Vec<_> = keys.collect();
    assert!(keys.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn nobody_is_told_without_a_way_to_publish() {
    let mut driver = driver_with_due_key();
    driver
        .store
        .set_events(Events::all() - Events::KEYSPACE - Events::KEYEVENT);
    assert_eq!(driver.get("due"), None);
    assert_eq!(told(&events(&mut driver)), [""; 0]);
}

#[test]
fn keys_that_are_missed_are_bounded() {
    let mut driver = Driver::new(1 << 20);
    driver.store.set_events(Events::all());
    let mut txn = driver.store.begin(driver.now);
    txn.allowance = Allowance::at_most(10_000);
    let count = |txn: &mut Txn| {
        (0..1000)
            .take_while(|_| txn.lookup_read(key("missed")).is_ok())
            .count()
    };
    let missed = count(&mut txn);
    assert!((20..500).contains(&missed), "{missed}");
    // A call of its own within the transaction finds them there.
    txn.allowance = Allowance::at_most(20_000);
    txn.charge_events();
    let more = count(&mut txn);
    assert!(missed.abs_diff(more) < 5, "{missed} {more}");
    let end = txn.end();
    driver.store.abandon(end);
}
