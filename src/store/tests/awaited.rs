//! Awaited keys: whatever may have brought something into one touches it, in order, and nothing else does.

use super::*;
use crate::disk::format::Kind;
use crate::store::{AwaitedKey, Presence};

fn awaited(db: usize, name: &str) -> AwaitedKey {
    AwaitedKey {
        db,
        name: name.as_bytes().into(),
    }
}

impl Driver {
    fn await_keys(&mut self, names: &[&str]) {
        for name in names {
            self.store.await_key(awaited(0, name));
        }
    }

    fn touched(&mut self) -> Vec<String> {
        let mut touched = Vec::new();
        while let Some(key) = self.store.take_touched() {
            touched.push(format!("{}:{}", key.db, String::from_utf8_lossy(&key.name)));
        }
        touched
    }

    fn presence(&self, name: &str) -> Presence {
        self.store.presence(&awaited(0, name), self.now)
    }
}

#[test]
fn what_is_written_is_touched_in_order_and_once() {
    let mut driver = Driver::new(1 << 20);
    driver.set("c", b"1", None);
    driver.await_keys(&["a", "b", "c"]);
    assert!(!driver.store.has_touched());
    driver.set("other", b"1", None);
    assert!(driver.touched().is_empty());
    driver.set("b", b"1", None);
    driver.set("a", b"1", None);
    driver.set("b", b"2", None);
    driver.del("c");
    assert!(driver.store.has_touched());
    assert_eq!(driver.touched(), ["0:b", "0:a", "0:c"]);
    driver.set("b", b"3", None);
    assert_eq!(driver.touched(), ["0:b"]);
    driver.store.leave_key(&awaited(0, "b"));
    driver.set("b", b"4", None);
    driver.set("a", b"4", None);
    assert_eq!(driver.touched(), ["0:a"]);
}

#[test]
fn what_is_put_off_is_touched_again_in_order_and_once() {
    let mut driver = Driver::new(1 << 20);
    driver.await_keys(&["a", "b", "c"]);
    for name in ["b", "a", "b"] {
        driver.store.put_off_touched(awaited(0, name));
    }
    assert!(!driver.store.has_touched());
    driver.set("c", b"1", None);
    driver.set("a", b"1", None);
    driver.store.touch_put_off();
    assert_eq!(driver.touched(), ["0:c", "0:a", "0:b"]);
    driver.store.touch_put_off();
    assert!(!driver.store.has_touched());
}

#[test]
fn what_comes_or_goes_with_a_whole_database_is_touched() {
    let mut driver = Driver::new(1 << 20);
    driver.await_keys(&["b", "a"]);
    driver.set("x", b"1", None);
    driver.run(|txn| txn.swap_databases(0, 1));
    // In a store that is divided by slots, those of theirs have not moved.
    let touched = driver.touched();
    assert!(touched.is_empty() || touched == ["0:b", "0:a"], "{touched:?}");
    // They are where their database is now.
    driver.set("a", b"1", None);
    assert!(driver.touched().contains(&"0:a".to_owned()));
    driver.run(|txn| txn.flush_database(0));
    assert!(driver.touched().contains(&"0:a".to_owned()));
    driver.set("a", b"1", None);
    driver.set("b", b"1", None);
    assert_eq!(driver.touched(), ["0:a", "0:b"]);
    // There and back again in one transaction.
    driver.run(|txn| {
        txn.swap_databases(0, 1)?;
        txn.swap_databases(0, 1)
    });
    driver.touched();
    driver.set("b", b"2", None);
    assert_eq!(driver.touched(), ["0:b"]);
    driver.store.leave_key(&awaited(0, "a"));
    driver.store.leave_key(&awaited(0, "b"));
    driver.set("a", b"2", None);
    assert!(driver.touched().is_empty());
}

#[test]
fn what_there_is_of_a_key_is_told_as_far_as_memory_knows() {
    let mut driver = Driver::new(1 << 20);
    assert_eq!(driver.presence("a"), Presence::Absent);
    driver.set("a", b"1", Some(NOW + 10));
    driver.set("b", b"1", None);
    assert_eq!(driver.presence("a"), Presence::Holds(Kind::String));
    driver.del("b");
    assert_eq!(driver.presence("b"), Presence::Absent);
    driver.now = NOW + 10;
    assert_eq!(driver.presence("a"), Presence::Absent);
    driver.now = NOW;
    driver.cold();
    assert_eq!(driver.presence("a"), Presence::Unknown);
}

#[test]
fn after_a_loss_any_of_them_may_be_there_again() {
    let mut driver = Driver::new(1 << 20);
    driver.await_keys(&["b", "a"]);
    driver.set("a", b"1", None);
    driver.commit();
    driver.del("a");
    assert_eq!(driver.touched(), ["0:a"]);
    assert_eq!(driver.presence("a"), Presence::Absent);
    driver.fail();
    assert_eq!(driver.touched(), ["0:b", "0:a"]);
    assert_eq!(driver.presence("a"), Presence::Holds(Kind::String));
}

#[test]
fn what_was_synced_is_known_of_every_epoch() {
    let mut driver = Driver::new(1 << 20);
    let first = driver.set("a", b"1", None);
    driver.commit();
    assert!(driver.store.synced() < first);
    driver.store.sync_soon();
    driver.store.end_tick(NOW);
    driver.end_ticks_until(|store| store.synced() >= first);
    let second = driver.set("a", b"2", None);
    driver.commit();
    assert!(driver.store.synced() < second && driver.store.settled() >= second);
    driver.store.set_durability(Durability::Synced);
    let third = driver.set("a", b"3", None);
    driver.commit();
    assert!(driver.store.synced() >= third);
}
