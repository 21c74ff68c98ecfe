//! Checkpoints: what only the journal has is nowhere lost, and nobody reads a family that is behind.

use super::*;

#[test]
fn what_only_the_journal_has_outlives_a_crash() {
    let mut driver = Driver::new(1 << 20);
    for round in 0..3u8 {
        for i in 0..1000 {
            driver.set(&format!("k{i}"), &[round; 300], (i % 2 == 0).then_some(NOW + 9));
        }
        driver.set("long", &long(round), None);
        driver.del(&format!("k{round}"));
        driver.commit();
        assert!(driver.store.checkpointed() < driver.store.settled());
        driver = driver.crash();
        assert!(driver.store.disk.prepare_checkpoint().unwrap().is_none());
        assert_eq!(
            (driver.get("k999"), driver.get("long")),
            (Some(vec![round; 300]), Some(long(round)))
        );
        assert_eq!(
            (driver.get(&format!("k{round}")), driver.counts().0),
            (None, 1000)
        );
        driver.check();
    }
}

#[test]
fn views_of_a_store_that_was_just_opened_wait_for_nothing() {
    let mut driver = Driver::new(1 << 20);
    driver.set("a", b"1", None);
    driver.commit();
    driver = driver.crash();
    let epoch = driver.store.last_staged();
    assert!(driver.store.want_checkpointed(epoch));
    driver.set("a", b"2", None);
    driver.commit();
    let epoch = driver.store.last_staged();
    assert!(!driver.store.want_checkpointed(epoch));
}

#[test]
fn a_failed_commit_takes_back_no_more_than_itself() {
    let mut driver = Driver::new(1 << 20);
    driver.set("a", b"1", None);
    driver.settle();
    driver.set("a", b"2", None);
    driver.set("b", b"2", None);
    driver.commit();
    driver.set("a", b"3", None);
    driver.set("a", b"4", None);
    driver.del("b");
    driver.set("c", b"3", None);
    driver.fail();
    // The families of "a" and "b" are behind: only memory has what the journal has.
    let now = |driver: &mut Driver| ["a", "b", "c"].map(|name| driver.get(name));
    let expected = [Some(b"2".to_vec()), Some(b"2".to_vec()), None];
    driver.store.drop_hot();
    assert_eq!(now(&mut driver), expected);
    driver.repair();
    assert_eq!(now(&mut driver), expected);
    driver.cold();
    assert_eq!(now(&mut driver), expected);
    driver.check();
}

#[test]
fn what_a_failed_checkpoint_left_in_the_journal_stays_in_memory() {
    let mut driver = Driver::new(1 << 20);
    driver.set("a", b"1", None);
    driver.settle();
    driver.set("a", b"2", None);
    driver.commit();
    driver.store.want_checkpointed(driver.store.settled());
    driver.store.begin_checkpoint();
    // The disk did what it was told, but nobody heard of it.
    let report = driver.store.reports.incoming.recv_timeout(PATIENCE).unwrap();
    assert!(matches!(report, Report::Prepared(Ok(Some(_)))));
    let failed = Err(WriteError::Failed("no space".to_owned()));
    driver
        .store
        .handle_report(Report::Prepared(failed), &mut News::default(), NOW);
    driver.store.end_tick(NOW);
    assert!(driver.store.broken().is_some() && driver.store.checkpointed() < driver.store.settled());
    assert!(!driver.store.is_congested() && !driver.store.has_work());
    driver.store.drop_hot();
    assert_eq!(driver.get("a"), Some(b"2".to_vec()));
    driver.repair();
    assert_eq!(driver.store.checkpointed(), driver.store.settled());
    driver.cold();
    assert_eq!(driver.get("a"), Some(b"2".to_vec()));
    driver.check();
}

#[test]
fn a_checkpoint_that_waits_for_a_sync_ends_if_that_fails() {
    let mut driver = Driver::new(1 << 20);
    driver.set("a", &[1; 300_000], None);
    driver.commit();
    driver.store.want_checkpointed(driver.store.settled());
    driver.store.begin_checkpoint();
    let report = driver.store.reports.incoming.recv_timeout(PATIENCE).unwrap();
    let Report::Prepared(Ok(Some(checkpoint))) = report else {
        panic!("no checkpoint");
    };
    assert!(checkpoint.needs_sync());
    driver
        .store
        .note_synced(Err("no space".to_owned()), Some(checkpoint));
    assert!(driver.store.broken().is_some() && !driver.store.checkpoints.is_running());
    driver.repair();
    driver.cold();
    assert_eq!(driver.get("a"), Some(vec![1; 300_000]));
    driver.check();
}

#[test]
fn a_commit_that_failed_is_not_there_though_the_log_has_it() {
    let mut driver = Driver::new(1 << 20);
    driver.set("a", b"1", None);
    driver.commit();
    driver.set("a", b"2", None);
    driver.run(|txn| txn.flush_database(0));
    // It is written, and only then fails.
    let (commits, ctx) = driver.store.commit_parts();
    assert!(matches!(commits.seal(&ctx), Some(Ok(()))));
    driver.store.disk.forget_last_commit();
    driver.fail();
    driver.repair();
    driver.reclaim_all();
    assert_eq!(driver.get("a"), Some(b"1".to_vec()));
    driver.cold();
    assert_eq!((driver.get("a"), driver.counts()), (Some(b"1".to_vec()), (1, 0)));
    driver.check();
}

#[test]
fn a_record_stays_in_memory_until_its_family_has_it() {
    let mut driver = Driver::new(0);
    for i in 0..100 {
        driver.set(&format!("k{i}"), b"1", None);
        driver.commit();
        driver.store.drop_hot();
        assert_eq!(driver.store.hot.len(), i + 1);
    }
    assert_eq!(driver.store.faults.fetch.fetched, 0);
    driver.cold();
    driver.check();
    // Enough of it, and that happens by itself.
    let checkpoints = driver.store.checkpoints.finished;
    for i in 0..1000 {
        driver.set(&format!("k{i}"), &[7; 1000], None);
    }
    driver
        .end_ticks_until(|store| store.checkpoints.finished > checkpoints && !store.checkpoints.is_running());
    assert!(driver.store.hot.staged() < 500_000);
    driver.check();
}

#[test]
fn what_is_unlinked_is_reclaimed_though_no_checkpoint_is_due() {
    let mut driver = Driver::new(1 << 20);
    driver.set("long", &long(3), None);
    driver.settle();
    driver.del("long");
    driver.commit();
    // A step sees what is applied only: nothing.
    driver.store.reclaim_some();
    let report = driver.store.reports.incoming.recv_timeout(PATIENCE).unwrap();
    driver.store.handle_report(report, &mut News::default(), NOW);
    driver.store.end_tick(NOW);
    assert!(driver.store.checkpointed() < driver.store.settled());
    driver.store.note_second(2);
    driver.store.reclaim_some();
    driver.end_ticks_until(|store| store.checkpointed() == store.settled());
    driver.reclaim_all();
    assert!(driver.records(Family::Segment).is_empty());
}
