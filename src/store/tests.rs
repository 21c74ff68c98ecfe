//! The store as a whole: transactions, faults, commits, failures, expiry and reclaim, over a real directory.

mod checkpoint;
mod rehearsal;
mod upkeep;

use std::sync::mpsc;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::*;
use crate::disk::delta::Known;
use crate::disk::format::{self, Header, Kind, LongString, SEGMENT};
use crate::disk::{Compression, Creation};
use crate::types::{keys, string};

const NOW: u64 = 1_000_000;
/// No test waits longer than this for the store's threads.
const PATIENCE: Duration = Duration::from_secs(20);

/// Drives a store as the executor does.
struct Driver {
    store: Store,
    now: u64,
    /// How many runs ended in a fault.
    faults: usize,
    dir: TempDir,
}

fn options(hot_budget: usize) -> StoreOptions {
    StoreOptions {
        disk: DiskOptions {
            write_buffer: 1 << 20,
            block_cache: 1 << 20,
            background_jobs: 1,
            compression: Compression::Lz4,
            open_tables: 1000,
        },
        creation: Creation::default(),
        hot_budget,
        fetch_threads: 2,
        databases: 3,
        durability: Durability::Written,
    }
}

fn open(dir: &TempDir, hot_budget: usize) -> Store {
    Store::open(dir.path(), &options(hot_budget), Arc::new(|| ())).unwrap()
}

impl Driver {
    fn new(hot_budget: usize) -> Driver {
        let dir = TempDir::new().unwrap();
        Driver {
            store: open(&dir, hot_budget),
            now: NOW,
            faults: 0,
            dir,
        }
    }

    /// As after `kill -9`: nothing is closed in order, only what was committed is there.
    fn crash(self) -> Driver {
        let Driver { store, now, dir, .. } = self;
        let budget = store.hot.budget();
        drop(store);
        Driver {
            store: open(&dir, budget),
            now,
            faults: 0,
            dir,
        }
    }

    fn run<T: Send + 'static>(&mut self, body: impl Fn(&mut Txn) -> Result<T> + Clone + Send + 'static) -> T {
        self.try_run(body).map(|(value, _)| value).unwrap()
    }

    /// Runs a body to its end. Returns the epoch it depends on as well.
    fn try_run<T: Send + 'static>(
        &mut self,
        body: impl Fn(&mut Txn) -> Result<T> + Clone + Send + 'static,
    ) -> std::result::Result<(T, u64), String> {
        let mut last = None;
        let result = loop {
            let mut txn = self.store.begin(self.now);
            let result = body(&mut txn);
            let end = txn.end();
            match result {
                Ok(value) => break Ok((value, self.store.apply(end))),
                Err(Stop::Fault) => {
                    let (now, again) = (self.now, body.clone());
                    let rehearsal = || {
                        Some(Rehearsal {
                            now,
                            writes: true,
                            body: Box::new(move |txn| drop(again(txn))),
                        })
                    };
                    let missing = self.store.abandon(end);
                    let ticket = self.store.retry(missing, last, rehearsal);
                    last = Some(ticket);
                    self.faults += 1;
                    self.pump_until(|store| store.is_ready(ticket));
                }
                Err(Stop::NeedsView) => {
                    self.store.abandon(end);
                    self.settle();
                    let (done, result) = mpsc::channel();
                    let body = body.clone();
                    self.store
                        .run_over_applied(self.now, move |txn, _| done.send(body(txn)).unwrap());
                    break Ok((result.recv_timeout(PATIENCE).unwrap().unwrap(), 0));
                }
                Err(stop @ (Stop::Error(_) | Stop::Damage(_))) => {
                    self.store.apply_expired(end);
                    break Err(stop.text());
                }
            }
        };
        if let Some(ticket) = last {
            self.store.finish(ticket);
        }
        result
    }

    fn pump_until(&mut self, done: impl Fn(&Store) -> bool) {
        let start = Instant::now();
        loop {
            self.store.pump(self.now);
            if done(&self.store) {
                return;
            }
            assert!(start.elapsed() < PATIENCE, "the store's threads do not answer");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn commit(&mut self) {
        self.pump_until(Store::is_idle);
    }

    /// Has everything committed, and brought from the journal to its families.
    fn settle(&mut self) {
        self.commit();
        let epoch = self.store.frontier();
        self.store.want_applied(epoch);
        self.pump_until(|store| store.applied() >= epoch);
    }

    fn reclaim_all(&mut self) {
        let start = Instant::now();
        self.settle();
        while !self.records(Family::Gc).is_empty() || !self.store.is_idle() {
            assert!(start.elapsed() < PATIENCE, "reclaim does not end");
            self.store.reclaim_some();
            self.store.pump(self.now);
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// One round of active expiry, as the executor does it.
    fn expire(&mut self) {
        // What is not on disk is not found before the next look.
        self.settle();
        self.store.look_for_due(self.now);
        self.pump_until(|store| !store.expiry.is_walking());
        while let Some(due) = self.store.due().pop_front() {
            let db = self.store.database_of(due.namespace);
            self.run(move |txn| match db {
                Some(db) => txn.lookup(Key { db, name: &due.name }).map(drop),
                None => Ok(()),
            });
        }
        self.settle();
    }

    fn cold(&mut self) {
        self.settle();
        self.store.drop_hot();
        assert_eq!(self.store.hot.len(), 0);
    }

    fn set(&mut self, name: &str, value: &[u8], deadline: Option<u64>) -> u64 {
        let (name, value) = (name.to_owned(), value.to_vec());
        let body = move |txn: &mut Txn| {
            let old = txn.lookup(key(&name))?;
            string::set(txn, key(&name), old.as_ref(), &value, deadline)
        };
        self.try_run(body).unwrap().1
    }

    fn get(&mut self, name: &str) -> Option<Vec<u8>> {
        let name = name.to_owned();
        self.run(move |txn| match txn.lookup(key(&name))? {
            Some(entry) => Ok(Some(string::read(txn, &entry)?.to_vec())),
            None => Ok(None),
        })
    }

    fn del(&mut self, name: &str) -> bool {
        let name = name.to_owned();
        self.run(move |txn| match txn.lookup(key(&name))? {
            Some(entry) => txn.remove(key(&name), &entry).map(|()| true),
            None => Ok(false),
        })
    }

    fn counts(&self) -> (u64, u64) {
        let database = self.store.database(0);
        (database.keys, database.expires)
    }

    fn records(&self, family: Family) -> Vec<Vec<u8>> {
        self.store.disk.with_view(|view| {
            let mut walk = view.walk(family, b"", None).unwrap();
            let mut keys = Vec::new();
            while let Some((key, _)) = walk.next_record().unwrap() {
                keys.push(key.to_vec());
            }
            keys
        })
    }

    /// What memory says of database 0 is what the disk says, to the record.
    fn check(&mut self) {
        self.settle();
        for database in self.store.databases() {
            let own = format::namespace_prefix(database.namespace);
            let keys = self.records(Family::Meta);
            let keys = keys.iter().filter(|key| key.starts_with(&own)).count();
            let expires = self.records(Family::Expire);
            let expires = expires
                .iter()
                .filter(|key| format::split_expire_key(key).unwrap().1 == database.namespace)
                .count();
            assert_eq!((keys as u64, expires as u64), (database.keys, database.expires));
        }
        let stored: Vec<Database> = (0..self.store.databases().len())
            .map(|n| {
                Database::decode(&self.store.disk.get(&RecordKey::database(n)).unwrap().unwrap()).unwrap()
            })
            .collect();
        assert_eq!(stored, self.store.databases());
    }

    fn fail(&mut self) {
        self.store
            .decide(Err("no space".to_owned()), &mut News::default());
    }

    /// Has the store opened again after [`Driver::fail`].
    fn repair(&mut self) {
        self.store.repair();
        self.pump_until(|store| store.broken().is_none());
    }
}

fn key(name: &str) -> Key<'_> {
    Key {
        db: 0,
        name: name.as_bytes(),
    }
}

fn long(seed: u8) -> Vec<u8> {
    (0..3 * SEGMENT + 5)
        .map(|i| (i as u8).wrapping_mul(seed))
        .collect()
}

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
    let fetched = driver.store.fetch.fetched;
    assert!((100..=200).contains(&fetched), "{fetched}");
    // All keys are in memory now: what is not there does not exist, and the disk is not asked.
    assert_eq!(driver.get("another"), None);
    assert_eq!(driver.store.fetch.fetched, fetched);
}

#[test]
fn faults_on_one_record_are_one_read() {
    let mut driver = Driver::new(1 << 20);
    driver.set("a", b"1", None);
    driver.cold();
    let record = RecordKey::meta(driver.store.database(0).namespace, b"a");
    let tickets: Vec<Ticket> = (0..5)
        .map(|_| driver.store.request(vec![record.clone(), record.clone()]))
        .collect();
    let all = tickets.clone();
    driver.pump_until(move |store| all.iter().all(|&ticket| store.is_ready(ticket)));
    assert_eq!(driver.store.fetch.fetched, 1);
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
    let record = RecordKey::meta(driver.store.database(0).namespace, b"a");
    let (gone, stays) = (
        driver.store.request(vec![record.clone()]),
        driver.store.request(vec![record]),
    );
    driver.store.finish(gone);
    driver.pump_until(|store| store.is_ready(stays));
    driver.store.finish(stays);
    driver.cold();
}

#[test]
fn what_was_read_before_a_write_is_not_used_after_it() {
    let mut driver = Driver::new(1 << 20);
    driver.set("a", b"old", None);
    driver.cold();
    let record = RecordKey::meta(driver.store.database(0).namespace, b"a");
    let ticket = driver.store.request(vec![record.clone()]);
    // The read is under way and has seen the old value; the write is committed and leaves memory before its answer.
    driver
        .store
        .fetch
        .dispatch(&driver.store.disk, &driver.store.done, &driver.store.wake);
    let report = driver.store.reports.recv_timeout(PATIENCE).unwrap();
    let write = Write::new(record, Some(Value::from(&b"\x01new"[..])), Known::Nothing);
    let epoch = driver.store.commit.open.number;
    driver.store.stage_record(write, epoch);
    driver.settle();
    driver.store.drop_hot();
    driver.store.take_in(report, &mut News::default(), NOW);
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
    let written = driver.store.commit.records_written;
    driver.settle();
    // The key and its database's counts.
    assert_eq!(driver.store.commit.records_written - written, 2);
    assert_eq!(driver.store.settled(), epoch);
    assert_eq!(driver.get("a"), Some(b"999".to_vec()));
}

#[test]
fn what_changes_in_a_long_record_is_what_is_written() {
    let mut driver = Driver::new(1 << 20);
    let mut value = vec![b'a'; 4000];
    driver.set("a", &value, None);
    driver.settle();
    let written = driver.store.commit.bytes_written;
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
    let share = (driver.store.commit.bytes_written - written) as f64 / (400 * value.len()) as f64;
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
    let namespace = driver.store.database(0).namespace;
    driver.set("a", b"2", None);
    driver.del("b");
    driver.set("new", &long(5), Some(NOW + 7));
    driver.run(|txn| txn.flush_database(0));
    let epoch = driver.set("after", b"1", None);
    assert_ne!(driver.store.database(0).namespace, namespace);
    driver.fail();
    assert!(driver.store.failure(epoch).is_some() && driver.store.settled() == epoch);
    assert_eq!(driver.store.database(0).namespace, namespace);
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
    assert!(driver.store.next_id > id);
    assert_eq!((driver.get("new"), driver.counts()), (Some(long(7)), (4, 1)));
    driver.check();
}

#[test]
fn what_is_written_while_the_log_is_synced_does_not_wait() {
    let mut driver = Driver::new(1 << 20);
    let (release, held) = mpsc::channel::<()>();
    let (commit, ctx) = driver.store.commit_parts();
    commit.hold_syncer(held);
    assert!(commit.sync(&ctx) && !commit.sync(&ctx));
    driver.set("a", b"1", None);
    driver.commit();
    assert!(!driver.store.commit.is_quiet());
    assert_eq!(driver.store.commit.inline_commits, 0);
    // That is to be synced, too.
    driver.store.sync_soon();
    driver.store.pump(NOW);
    assert!(driver.store.sync_due);
    release.send(()).unwrap();
    driver.pump_until(|store| !store.sync_due && store.commit.is_quiet());
    driver.set("a", b"2", None);
    driver.commit();
    assert_eq!(driver.store.commit.inline_commits, 1);
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
    driver.pump_until(|store| !store.expiry.is_walking());
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
    driver.pump_until(|store| store.reclaim.steps >= 1);
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
    let report = driver.store.reports.recv_timeout(PATIENCE).unwrap();
    driver.del("long");
    driver.settle();
    driver.store.take_in(report, &mut News::default(), NOW);
    driver.reclaim_all();
    assert!(driver.records(Family::Segment).is_empty());
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
    assert_eq!(driver.store.fetch.fetched, 2);
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
    driver.run(|txn| {
        let (a, b) = (txn.database(0)?, txn.database(1)?);
        txn.set_database(0, b)?;
        txn.set_database(1, a)
    });
    driver.set("b", b"1", None);
    assert_eq!((driver.get("a"), driver.counts()), (None, (1, 0)));
    driver.check();
    driver.now = NOW + 5;
    driver.expire();
    assert_eq!(driver.store.database(1).keys, 0);
    driver.check();
}

#[test]
fn a_view_sees_all_that_was_written_before_it() {
    let mut driver = Driver::new(0);
    for i in 0..200 {
        driver.set(&format!("k{i}"), b"1", (i % 2 == 0).then_some(NOW + 1));
    }
    let all = |txn: &mut Txn| {
        Ok(keys::step(txn, 0, b"", Default::default(), usize::MAX)?
            .names
            .len())
    };
    assert_eq!(driver.run(all), 200);
    driver.now = NOW + 1;
    assert_eq!(driver.run(all), 100);
    let found = driver.run(|txn| keys::random(txn, 0));
    assert!(found.is_some());
}
