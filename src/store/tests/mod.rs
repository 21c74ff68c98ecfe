//! The store as a whole: transactions, faults, commits, failures, expiry and reclaim, over a real directory.

mod aside;
mod awaited;
mod checkpoint;
mod driver;
mod effects;
mod listings;
mod namespaces;
mod reclaim;
mod rehearsal;
mod savepoint;
mod tracking;
mod upkeep;
mod watches;

use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::work::ToBe;
use super::*;
use crate::disk::WriteError;
use crate::disk::delta::Known;
use crate::disk::format::{Family, Header, Kind, LongString, RecordKey};
use crate::types::{key_walk, keys, random_key, string};
use driver::{Driver, NOW, PATIENCE, key, layout, long};

#[test]
fn a_transaction_counts_when_it_is_applied_and_not_before() {
    let mut driver = Driver::new(1 << 20);
    let mut txn = driver.store.begin(NOW);
    let header = Header {
        kind: Kind::String,
        deadline: None,
    };
    txn.write(key("a"), None, header, &[b"1"]).unwrap();
    assert_eq!(txn.lookup(key("a")).unwrap().unwrap().body(), b"1");
    let end = txn.end();
    driver.store.abandon(end);
    assert_eq!((driver.get("a"), driver.counts()), (None, (0, 0)));
    driver.set("a", b"2", None);
    assert_eq!((driver.get("a"), driver.counts()), (Some(b"2".to_vec()), (1, 0)));
    driver.check();
}

#[test]
fn a_savepoint_undoes_what_came_after_it() {
    let mut driver = Driver::new(1 << 20);
    driver.run(|txn| {
        let header = Header {
            kind: Kind::String,
            deadline: Some(NOW + 5),
        };
        txn.write(key("a"), None, header, &[b"1"])?;
        let before = txn.savepoint();
        for i in 0..40 {
            txn.write(key(&format!("b{i}")), None, header, &[b"1"])?;
        }
        assert!(txn.lookup(key("b39"))?.is_some());
        txn.rollback(before);
        assert!(txn.lookup(key("b39"))?.is_none());
        for i in 0..20 {
            txn.write(key(&format!("c{i}")), None, header, &[b"1"])?;
        }
        assert!(txn.lookup(key("b0"))?.is_none() && txn.lookup(key("c0"))?.is_some());
        Ok(())
    });
    assert_eq!(driver.counts(), (21, 21));
    driver.check();
}

#[test]
fn cold_keys_are_fetched_and_absent_ones_are_remembered() {
    let mut driver = Driver::new(1 << 20);
    for i in 0..100 {
        driver.set(&format!("k{i}"), format!("v{i}").as_bytes(), None);
    }
    driver.cold();
    for i in 0..100 {
        assert_eq!(driver.get(&format!("k{i}")), Some(format!("v{i}").into_bytes()));
        assert_eq!(driver.get(&format!("absent{i}")), None);
    }
    let fetched = driver.store.faults.fetch.fetched;
    assert!((100..=200).contains(&fetched), "{fetched}");
    // All keys are in memory now: what is not there does not exist, and the disk is not asked.
    assert_eq!(driver.get("another"), None);
    assert_eq!(driver.store.faults.fetch.fetched, fetched);
}

#[test]
fn faults_on_one_record_are_one_read() {
    let mut driver = Driver::new(1 << 20);
    driver.set("a", b"1", None);
    driver.cold();
    let record = driver.store.record_of(key("a"));
    let tickets: Vec<Ticket> = (0..5)
        .map(|_| driver.store.request(vec![record.clone(), record.clone()]))
        .collect();
    let all = tickets.clone();
    driver.end_ticks_until(move |store| all.iter().all(|&ticket| store.is_ready(ticket)));
    assert_eq!(driver.store.faults.fetch.fetched, 1);
    driver.store.drop_hot();
    assert_eq!(driver.store.hot.len(), 1, "pinned for those who wait");
    tickets.iter().for_each(|&ticket| driver.store.finish(ticket));
    driver.store.drop_hot();
    assert_eq!(driver.store.hot.len(), 0, "no pin is left");
}

#[test]
fn a_request_that_is_given_up_leaves_no_pin() {
    let mut driver = Driver::new(1 << 20);
    driver.set("a", b"1", None);
    driver.cold();
    let record = driver.store.record_of(key("a"));
    let (gone, stays) = (
        driver.store.request(vec![record.clone()]),
        driver.store.request(vec![record]),
    );
    driver.store.finish(gone);
    driver.end_ticks_until(|store| store.is_ready(stays));
    driver.store.finish(stays);
    driver.cold();
}

#[test]
fn what_was_read_before_a_write_is_not_used_after_it() {
    let mut driver = Driver::new(1 << 20);
    driver.set("a", b"old", None);
    driver.cold();
    let record = driver.store.record_of(key("a"));
    let ticket = driver.store.request(vec![record.clone()]);
    // The read is under way and has seen the old value; the write is committed and leaves memory before its answer.
    driver
        .store
        .faults
        .fetch
        .dispatch(&driver.store.disk, &driver.store.reports.reporter);
    let report = driver.store.reports.incoming.recv_timeout(PATIENCE).unwrap();
    let to_be = ToBe {
        value: Some(Value::from(&b"\x01new"[..])),
        known: Known::Nothing,
        is_unwatched: false,
    };
    let epoch = driver.store.commits.open.epoch;
    driver.store.stage_record(record, to_be, epoch);
    driver.settle();
    driver.store.drop_hot();
    driver.store.handle_report(report, &mut News::default(), NOW);
    assert!(driver.store.is_ready(ticket));
    assert_eq!(driver.store.hot.len(), 0, "the old value is not taken");
    driver.store.finish(ticket);
    assert_eq!(driver.get("a"), Some(b"new".to_vec()));
}

#[test]
fn nothing_staged_is_evicted_however_small_the_budget() {
    let mut driver = Driver::new(0);
    for round in 0..3 {
        for i in 0..300 {
            driver.set(&format!("k{i}"), format!("{round}").as_bytes(), None);
        }
        driver.settle();
        for i in 0..300 {
            assert_eq!(
                driver.get(&format!("k{i}")),
                Some(format!("{round}").into_bytes())
            );
        }
    }
    assert_eq!(driver.counts(), (300, 0));
    driver.check();
}

#[test]
fn one_record_written_often_is_one_put() {
    let mut driver = Driver::new(1 << 20);
    let epoch = driver.set("a", b"0", None);
    for i in 0..1000 {
        assert_eq!(driver.set("a", format!("{i}").as_bytes(), None), epoch);
    }
    let written = driver.store.commits.records_written;
    driver.settle();
    // The key and its namespace's counts; and that ids are taken, of which a slot's first key has one.
    let records = 2 + u64::from(layout() == Layout::Slots);
    assert_eq!(driver.store.commits.records_written - written, records);
    assert_eq!(driver.store.settled(), epoch);
    assert_eq!(driver.get("a"), Some(b"999".to_vec()));
}

#[test]
fn what_changes_in_a_long_record_is_what_is_written() {
    let mut driver = Driver::new(1 << 20);
    let mut value = vec![b'a'; 4000];
    driver.set("a", &value, None);
    driver.settle();
    let written = driver.store.commits.bytes_written;
    for at in 0..400 {
        value.insert(at * 10, b'b');
        value.remove(at * 5);
        driver.set("a", &value, None);
        driver.settle();
        if at % 50 == 0 {
            driver.store.drop_hot();
            assert_eq!(driver.get("a"), Some(value.clone()));
        }
    }
    let share = (driver.store.commits.bytes_written - written) as f64 / (400 * value.len()) as f64;
    // Up to half of it from the one change to the other, and the whole now and then.
    assert!(share < 0.6, "{share}");
    driver.check();
    let mut driver = driver.crash();
    assert_eq!(driver.get("a"), Some(value));
    // What follows a record that went is not a change of it.
    driver.del("a");
    driver.set("a", &[b'c'; 300], None);
    driver.settle();
    driver.store.drop_hot();
    assert_eq!(driver.get("a"), Some(vec![b'c'; 300]));
}

#[test]
fn what_is_committed_outlives_a_crash_and_ids_are_never_given_twice() {
    let mut driver = Driver::new(1 << 20);
    let mut ids = Vec::new();
    for round in 1..5u8 {
        driver.set("long", &long(round), Some(NOW + 1_000_000));
        driver.set(&format!("short{round}"), b"x", None);
        driver.set(&format!("gone{round}"), b"x", None);
        driver.del(&format!("gone{round}"));
        ids.push(driver.run(|txn| {
            let entry = txn.lookup(key("long"))?.unwrap();
            Ok(LongString::decode(entry.body())?.id)
        }));
        driver.check();
        driver = driver.crash();
        assert_eq!(driver.get("long"), Some(long(round)));
        assert_eq!(driver.counts(), (1 + u64::from(round), 1));
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 4);
    driver.reclaim_all();
    assert_eq!(driver.records(Family::Segment).len(), 4);
    driver.check();
}

#[test]
fn what_was_not_committed_is_gone_whole_after_a_crash() {
    let mut driver = Driver::new(1 << 20);
    driver.set("a", b"1", None);
    driver.settle();
    driver.set("a", b"2", Some(NOW + 9));
    driver.set("b", b"2", None);
    let mut driver = driver.crash();
    assert_eq!((driver.get("a"), driver.get("b")), (Some(b"1".to_vec()), None));
    assert_eq!(driver.counts(), (1, 0));
    driver.check();
}

#[test]
fn a_failed_commit_takes_back_all_that_was_staged() {
    let mut driver = Driver::new(1 << 20);
    driver.set("a", b"1", Some(NOW + 100));
    driver.set("b", &long(3), None);
    driver.set("c", b"1", None);
    driver.settle();
    let namespace = driver.store.record_of(key("a")).namespace();
    driver.set("a", b"2", None);
    driver.del("b");
    driver.set("new", &long(5), Some(NOW + 7));
    driver.run(|txn| txn.flush_database(0));
    let epoch = driver.set("after", b"1", None);
    assert_ne!(driver.store.record_of(key("a")).namespace(), namespace);
    driver.fail();
    assert!(driver.store.failure(epoch).is_some() && driver.store.settled() == epoch);
    assert_eq!(driver.store.record_of(key("a")).namespace(), namespace);
    assert_eq!(driver.counts(), (3, 1));
    assert_eq!(driver.get("a"), Some(b"1".to_vec()));
    assert_eq!(driver.get("b"), Some(long(3)));
    assert_eq!((driver.get("new"), driver.get("after")), (None, None));
    driver.check();
    let refused = driver.set("new", b"1", None);
    driver.settle();
    assert!(driver.store.failure(refused).is_some());
    driver.repair();
    // Writes go on, with ids that are on disk as taken.
    let epoch = driver.set("new", &long(7), None);
    driver.settle();
    assert!(driver.store.failure(epoch).is_none());
    let id_of = |txn: &mut Txn| Ok(LongString::decode(txn.lookup(key("new"))?.unwrap().body())?.id);
    let id = driver.run(id_of);
    let mut driver = driver.crash();
    assert!(driver.store.catalog.next_id() > id);
    assert_eq!((driver.get("new"), driver.counts()), (Some(long(7)), (4, 1)));
    driver.check();
}

#[test]
fn what_is_written_while_the_log_is_synced_does_not_wait() {
    let mut driver = Driver::new(1 << 20);
    let (release, held) = mpsc::channel::<()>();
    let (commits, ctx) = driver.store.commit_parts();
    commits.hold_syncer(held);
    assert!(commits.sync(&ctx) && !commits.sync(&ctx));
    driver.set("a", b"1", None);
    driver.commit();
    assert!(!driver.store.commits.is_quiet());
    assert_eq!(driver.store.commits.inline_commits, 0);
    // That is to be synced, too.
    driver.store.sync_soon();
    driver.store.end_tick(NOW);
    assert!(driver.store.commits.sync_due);
    release.send(()).unwrap();
    driver.end_ticks_until(|store| !store.commits.sync_due && store.commits.is_quiet());
    driver.set("a", b"2", None);
    driver.commit();
    assert_eq!(driver.store.commits.inline_commits, 1);
}

#[test]
fn failures_in_a_row_are_all_remembered() {
    let mut driver = Driver::new(1 << 20);
    let first = driver.set("a", b"1", None);
    driver.fail();
    for _ in 0..3000 {
        driver.set("a", b"1", None);
        driver.fail();
    }
    assert!(driver.store.failure(first).is_some());
    driver.repair();
    driver.set("a", b"1", None);
    driver.settle();
    assert!(driver.store.failure(driver.store.settled()).is_none());
    driver.check();
}

#[test]
fn a_long_string_keeps_its_segments_when_its_key_is_renamed_or_moved() {
    let mut driver = Driver::new(1 << 20);
    driver.set("a", &long(3), Some(NOW + 100));
    driver.set("b", &long(5), None);
    driver.cold();
    driver.run(|txn| {
        let (from, to) = (key("a"), key("b"));
        keys::prefetch(txn, [from, to].into_iter())?;
        let (entry, there) = (txn.lookup(from)?.unwrap(), txn.lookup(to)?);
        keys::relocate(txn, from, &entry, to, there.as_ref())
    });
    driver.settle();
    assert_eq!(driver.counts(), (1, 1));
    // The two header records and no segment were read.
    assert_eq!(driver.store.faults.fetch.fetched, 2);
    driver.run(|txn| {
        let to = Key { db: 1, ..key("b") };
        let entry = txn.lookup(key("b"))?.unwrap();
        assert!(txn.lookup(to)?.is_none());
        keys::relocate(txn, key("b"), &entry, to, None)
    });
    driver.reclaim_all();
    assert_eq!(driver.records(Family::Segment).len(), 4);
    driver.check();
    let read = |txn: &mut Txn| {
        let entry = txn.lookup(Key { db: 1, ..key("b") })?.unwrap();
        Ok((string::read(txn, &entry)?.to_vec(), entry.header.deadline))
    };
    driver.cold();
    assert_eq!(driver.run(read), (long(3), Some(NOW + 100)));
}

#[test]
fn a_copy_lives_on_without_the_original() {
    let mut driver = Driver::new(1 << 20);
    driver.set("a", &long(3), None);
    driver.cold();
    driver.run(|txn| {
        let entry = txn.lookup(key("a"))?.unwrap();
        keys::copy(txn, &entry, key("b"), None)
    });
    driver.del("a");
    driver.reclaim_all();
    assert_eq!(driver.records(Family::Segment).len(), 4);
    driver.cold();
    assert_eq!((driver.get("a"), driver.get("b")), (None, Some(long(3))));
    driver.check();
}

#[test]
fn swapped_databases_swap_their_keys() {
    let mut driver = Driver::new(1 << 20);
    driver.set("a", b"1", Some(NOW + 5));
    driver.run(|txn| txn.swap_databases(0, 1));
    driver.set("b", b"1", None);
    assert_eq!((driver.get("a"), driver.counts()), (None, (1, 0)));
    driver.check();
    driver.now = NOW + 5;
    driver.expire();
    assert_eq!(driver.store.databases()[1].keys, 0);
    driver.check();
}

#[test]
fn a_view_sees_all_that_was_written_before_it() {
    let mut driver = Driver::new(0);
    for i in 0..200 {
        driver.set(&format!("k{i}"), b"1", (i % 2 == 0).then_some(NOW + 1));
    }
    let all = |txn: &mut Txn| {
        txn.only_reads();
        Ok(key_walk::step(txn, 0, b"", Default::default(), usize::MAX)?
            .names
            .len())
    };
    assert_eq!(driver.run(all), 200);
    driver.now = NOW + 1;
    assert_eq!(driver.run(all), 100);
    let found = driver.run(|txn| {
        txn.only_reads();
        random_key::random(txn, 0)
    });
    assert!(found.is_some());
}
