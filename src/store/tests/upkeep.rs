//! Upkeep: what is dead leaves memory and disk, whatever else is done.

use super::*;

/// More keys than one step of reclaim looks at.
const MANY: u64 = 40_000;
/// Bytes that the record of a slot takes in a table, at most.
const EMPTY_SLOT: u64 = 48;

impl Driver {
    fn set_many(&mut self, keys: u64) {
        self.run(move |txn| {
            for n in 0..keys {
                let name = format!("k{n}");
                let old = txn.lookup(key(&name))?;
                string::set(txn, key(&name), old.as_ref(), &[7; 100], None)?;
            }
            Ok(())
        });
        self.settle();
    }

    /// Some seconds in which nothing happens.
    fn idle_until(&mut self, done: impl Fn(&Store) -> bool) {
        let start = Instant::now();
        for second in 1.. {
            self.store.note_second(second);
            self.store.reclaim_some();
            self.store.give_back();
            self.store.begin_upkeep();
            while self.store.upkeep() {}
            self.store.end_tick(self.now);
            if done(&self.store) {
                return;
            }
            assert!(start.elapsed() < PATIENCE, "it is not given back");
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

#[test]
fn a_dropped_database_of_plain_keys_is_reclaimed_to_its_end() {
    let mut driver = Driver::new(64 << 20);
    driver.set_many(MANY);
    driver.run(|txn| txn.flush_database(0));
    driver.set("new", b"1", None);
    driver.reclaim_all();
    assert_eq!(driver.records(Family::Meta).len(), 1);
    driver.check();
}

#[test]
fn what_was_flushed_leaves_memory_and_disk_by_itself() {
    let mut driver = Driver::new(64 << 20);
    driver.set_many(MANY);
    assert!(driver.store.hot.len() as u64 >= MANY);
    driver.run(|txn| txn.flush_database(0));
    driver.idle_until(|store| store.hot.len() == 0 && store.upkeep.compactions > 0);
    let tables = driver.store.disk.table_bytes();
    assert!(tables < 100_000, "{tables}");
    driver.check();
}

#[test]
fn what_was_deleted_leaves_memory_and_disk_by_itself_and_nothing_else_does() {
    let mut driver = Driver::new(64 << 20);
    driver.set_many(MANY);
    driver.run(|txn| {
        for n in 10..MANY {
            let name = format!("k{n}");
            if let Some(entry) = txn.lookup(key(&name))? {
                txn.remove(key(&name), &entry)?;
            }
        }
        Ok(())
    });
    driver.commit();
    assert!(driver.store.hot.len() as u64 >= MANY, "known not to exist");
    driver.idle_until(|store| store.hot.len() <= 10 && store.upkeep.compactions > 0);
    assert_eq!(driver.store.hot.len(), 10);
    let tables = driver.store.disk.table_bytes();
    // Slots that had keys keep their namespaces.
    let kept = EMPTY_SLOT * (u64::from(layout().width()) - 1);
    assert!(tables < 100_000 + kept, "{tables}");
    assert_eq!(driver.get("k7"), Some(vec![7; 100]));
    driver.check();
}

#[test]
fn tables_of_which_little_is_dead_are_left_as_they_are() {
    let mut driver = Driver::new(64 << 20);
    driver.set_many(MANY);
    let value = vec![1; 2 << 20];
    driver.set("large", &value, None);
    driver.settle();
    driver.store.disk.flush().unwrap();
    driver.del("large");
    // (How large the tables are says nothing: RocksDB may have compacted some of its own accord.)
    driver.idle_until(|store| store.upkeep.compacted > 0 && !store.upkeep.is_compacting());
    assert_eq!(driver.store.upkeep.compactions, 0);
}

#[test]
fn a_large_commit_is_made_beside_the_executor_and_lost_or_kept_whole() {
    let mut driver = Driver::new(64 << 20);
    driver.set_many(5000);
    driver.set("large", &vec![2; 1 << 20], None);
    driver.store.end_tick(NOW);
    assert!(driver.store.commits.flight.is_some(), "nobody waits for it");
    driver.set("small", b"1", None);
    driver.commit();
    assert!(driver.store.commits.bytes_written > 1 << 20);
    assert_eq!(driver.get("large"), Some(vec![2; 1 << 20]));
    driver = driver.crash();
    assert_eq!(driver.get("large"), Some(vec![2; 1 << 20]));
    assert_eq!(driver.get("small"), Some(b"1".to_vec()));
    driver.check();
}
