//! Tests of checkpoints.

use std::sync::atomic::{AtomicBool, AtomicU8};

use super::*;
use crate::disk::delta::Known;
use crate::disk::testing::open;

fn value(n: usize, round: u8) -> Vec<u8> {
    let mut value = vec![n as u8; 600];
    value[n % 600] = round;
    value
}

/// Commits a round of changes of many records in several families: whole at first, then what changed.
fn commit(disk: &Disk, round: u8) {
    let mut batch = disk.journaled_batch(0).unwrap();
    // Enough for tables.
    batch.put(&RecordKey::blob(1, u64::from(round)), &[round; LEAST_IN_TABLES]);
    for n in 0..300 {
        let keys = [
            RecordKey::tree(1, n as u64),
            RecordKey::meta(1, &n.to_string().into_bytes()),
        ];
        for key in keys {
            match Known::Nothing.operand(&value(n, round - 1), &value(n, round), &mut Vec::new()) {
                Some(operand) if round > 1 => batch.merge(&key, operand),
                _ => batch.put(&key, &value(n, round)),
            }
        }
        batch.put(&RecordKey::garbage(n as u64), b"\x03");
        if round.is_multiple_of(2) {
            batch.delete(&RecordKey::garbage(n as u64));
        }
    }
    disk.write(batch.finish(), Durability::Written, Patience::Wait)
        .unwrap();
}

fn check(disk: &Disk, round: u8) {
    for n in 0..300 {
        for key in [
            RecordKey::tree(1, n as u64),
            RecordKey::meta(1, &n.to_string().into_bytes()),
        ] {
            assert_eq!(disk.get(&key).unwrap(), Some(value(n, round)), "{n}");
        }
        let garbage = disk.get(&RecordKey::garbage(n as u64)).unwrap();
        assert_eq!(garbage.is_some(), round % 2 == 1);
    }
    let records = disk.with_view(|view| {
        let mut walk = view.walk(Family::Tree, b"", None).unwrap();
        std::iter::from_fn(|| walk.next_record().unwrap().map(drop)).count()
    });
    assert_eq!(records, 300);
    assert!(disk.prepare_checkpoint().unwrap().is_none());
}

#[test]
fn what_a_large_commit_took_is_given_back() {
    let dir = tempfile::tempdir().unwrap();
    let disk = open(dir.path());
    let held = || disk.scratch.lock().unwrap().bytes();
    for (changes, is_kept) in [(10_000, true), (200_000, false)] {
        let mut batch = disk.journaled_batch(0).unwrap();
        (0..changes).for_each(|n| batch.delete(&RecordKey::garbage(n)));
        disk.write(batch.finish(), Durability::Written, Patience::Wait)
            .unwrap();
        let checkpoint = disk.prepare_checkpoint().unwrap().unwrap();
        disk.install(checkpoint).unwrap();
        assert_eq!(held() > 0, is_kept);
    }
}

#[test]
fn a_checkpoint_does_not_begin_where_the_log_has_failed() {
    let dir = tempfile::tempdir().unwrap();
    let disk = open(dir.path());
    commit(&disk, 1);
    let checkpoint = disk.prepare_checkpoint().unwrap().unwrap();
    assert!(checkpoint.needs_sync());
    disk.failed.store(true, Relaxed);
    assert!(disk.install(checkpoint).is_err());
    // Nothing is half done.
    assert!(
        disk.with_view(|view| view.get(&RecordKey::tree(1, 0)).unwrap())
            .is_none()
    );
    disk.reopen(|close| close()).unwrap();
    check(&disk, 1);
}

#[test]
fn who_reads_while_the_store_is_opened_again_misses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let disk = open(dir.path());
    let key = RecordKey::tree(1, 0);
    let (round, ended) = (AtomicU8::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut reads = 0;
            while !ended.load(Relaxed) {
                let committed = round.load(Relaxed);
                let of_view = disk.with_view(|view| view.get(&key).unwrap());
                for found in [disk.get(&key).unwrap(), of_view] {
                    assert!(committed == 0 || found.is_some_and(|value| value[0] >= committed));
                }
                reads += 1;
            }
            reads
        });
        for n in 1..=20 {
            let mut batch = disk.journaled_batch(0).unwrap();
            batch.put(&key, &[n; 600]);
            batch.put(&RecordKey::blob(1, 0), &[n; LEAST_IN_TABLES]);
            disk.write(batch.finish(), Durability::Written, Patience::Wait)
                .unwrap();
            // As a store is that found no room when it was opened.
            disk.stay_with_reading("no room").unwrap();
            round.store(n, Relaxed);
            disk.reopen(|close| close()).unwrap();
        }
        ended.store(true, Relaxed);
        assert!(reader.join().unwrap() > 20);
    });
}

#[test]
fn a_crash_before_within_and_after_a_checkpoint_loses_nothing_and_does_nothing_twice() {
    let dir = tempfile::tempdir().unwrap();
    let mut round = 0;
    for tables_taken in 0..=5 {
        let disk = open(dir.path());
        for _ in 0..5 {
            round += 1;
            commit(&disk, round);
        }
        let checkpoint = disk.prepare_checkpoint().unwrap().unwrap();
        let Output::Tables(tables) = &checkpoint.output else {
            panic!("a batch of {} changes", checkpoint.changes);
        };
        if tables_taken > tables.len() {
            disk.install(checkpoint).unwrap();
            check(&disk, round);
        } else {
            let db = disk.guard().unwrap();
            let options = IngestExternalFileOptions::default();
            for (family, path) in &tables[..tables_taken] {
                db.ingest_external_file_cf_opts(db.cf(*family), &options, vec![path])
                    .unwrap();
            }
        }
        drop(disk);
        check(&open(dir.path()), round);
    }
}

#[test]
fn small_checkpoints_are_batches_and_large_ones_pass_them() {
    let dir = tempfile::tempdir().unwrap();
    let disk = open(dir.path());
    let key = RecordKey::tree(1, 0);
    for round in 1..10 {
        let mut batch = disk.journaled_batch(0).unwrap();
        batch.put(&key, &[0; 600]);
        disk.write(batch.finish(), Durability::Written, Patience::Wait)
            .unwrap();
        let checkpoint = disk.prepare_checkpoint().unwrap().unwrap();
        assert!(matches!(checkpoint.output, Output::Batch(_)));
        disk.install(checkpoint).unwrap();
        assert_eq!(disk.get(&key).unwrap(), Some(vec![0; 600]));
        commit(&disk, 1);
        disk.checkpoint_all().unwrap();
        check(&disk, 1);
        assert!(disk.committed.load(Relaxed) >= Position::of(round));
    }
}

#[test]
fn there_is_no_view_of_families_of_which_some_are_ahead() {
    let dir = tempfile::tempdir().unwrap();
    let disk = open(dir.path());
    commit(&disk, 1);
    let mut checkpoint = disk.prepare_checkpoint().unwrap().unwrap();
    if let Output::Tables(tables) = &mut checkpoint.output {
        tables[1].1 = dir.path().join("not-there");
    }
    assert!(disk.install(checkpoint).is_err());
    let read = |disk: &Disk| disk.with_view(|view| view.get(&RecordKey::tree(1, 0)));
    assert!(read(&disk).is_err());
    disk.checkpoint_all().unwrap();
    assert_eq!(read(&disk).unwrap(), Some(value(0, 1)));
    check(&disk, 1);
}
