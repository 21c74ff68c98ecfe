//! Expiry and reclaim: what is due, and what was unlinked, is deleted to the last record though nobody asks.

use super::*;

#[test]
fn expired_keys_are_not_there_and_are_deleted_though_nobody_asks() {
    let mut driver = Driver::new(1 << 20);
    for i in 0..50 {
        driver.set(&format!("k{i}"), b"1", Some(NOW + 100 + i));
    }
    driver.set("long", &long(3), Some(NOW + 120));
    driver.set("stays", b"1", None);
    driver.cold();
    driver.now = NOW + 100;
    assert_eq!((driver.get("k0"), driver.counts()), (None, (51, 50)));
    assert_eq!(driver.get("k1"), Some(b"1".to_vec()));
    driver.now = NOW + 130;
    driver.expire();
    assert_eq!(driver.counts(), (20, 19));
    // A deadline that was moved is kept, one set before the walk's place is found.
    driver.set("k49", b"1", None);
    driver.set("early", b"1", Some(1));
    driver.now = NOW + 1000;
    driver.expire();
    assert_eq!(driver.counts(), (2, 0));
    driver.reclaim_all();
    for family in [Family::Expire, Family::Segment, Family::Gc] {
        assert!(driver.records(family).is_empty(), "{family:?}");
    }
    driver.check();
}

#[test]
fn deadlines_outlive_a_crash_and_a_failed_delete() {
    let mut driver = Driver::new(1 << 20);
    driver.set("a", b"1", Some(NOW + 1));
    driver.settle();
    let mut driver = driver.crash();
    driver.now = NOW + 1;
    driver.store.look_for_due(driver.now);
    driver.end_ticks_until(|store| !store.expiry.is_walking());
    driver.store.due().clear();
    assert_eq!(driver.get("a"), None);
    driver.fail();
    driver.repair();
    assert_eq!(driver.counts(), (1, 1));
    driver.expire();
    assert_eq!(driver.counts(), (0, 0));
    driver.check();
}

#[test]
fn a_flushed_database_is_reclaimed_to_the_last_record() {
    for count in [10, 2500, 9000] {
        let mut driver = Driver::new(1 << 20);
        for i in 0..count {
            driver.set(&format!("k{i}"), b"1", (i % 3 == 0).then_some(NOW + 10_000));
            if i % 200 == 0 {
                driver.settle();
            }
        }
        driver.set("long", &long(3), None);
        driver.run(|txn| txn.flush_database(0));
        driver.set("k1", b"new", None);
        driver.settle();
        assert_eq!(driver.counts(), (1, 0));
        driver.reclaim_all();
        assert_eq!(driver.records(Family::Meta).len(), 1, "{count}");
        assert!(driver.records(Family::Expire).is_empty() && driver.records(Family::Segment).is_empty());
        driver.cold();
        assert_eq!(driver.get("k1"), Some(b"new".to_vec()));
        driver.check();
    }
}

#[test]
fn reclaim_goes_on_after_a_crash() {
    let mut driver = Driver::new(1 << 20);
    for i in 0..5000 {
        driver.set(&format!("k{i}"), b"1", None);
    }
    driver.run(|txn| txn.flush_database(0));
    driver.settle();
    let before = driver.records(Family::Meta).len();
    driver.store.reclaim_some();
    driver.end_ticks_until(|store| store.reclaim.steps >= 1);
    let mut driver = driver.crash();
    assert!((1..before).contains(&driver.records(Family::Meta).len()));
    driver.reclaim_all();
    assert!(driver.records(Family::Meta).is_empty());
}

#[test]
fn what_is_unlinked_during_a_reclaim_step_is_reclaimed_too() {
    let mut driver = Driver::new(1 << 20);
    driver.set("long", &long(3), None);
    driver.settle();
    // A step that finds nothing is under way when the key goes.
    driver.store.reclaim_some();
    let report = driver.store.reports.incoming.recv_timeout(PATIENCE).unwrap();
    driver.del("long");
    driver.settle();
    driver.store.handle_report(report, &mut News::default(), NOW);
    driver.reclaim_all();
    assert!(driver.records(Family::Segment).is_empty());
}
