//! Watched keys: every change that another command could see is told, and nothing else.

use super::*;
use crate::disk::format::SEGMENT;
use crate::store::watches::Watcher;

const ME: Watcher = 7;

impl Driver {
    fn watch(&mut self, db: usize, name: &'static str) {
        let key = Key {
            db,
            name: name.as_bytes(),
        };
        self.run(move |txn| txn.watch(ME, key));
    }

    fn change(&self) -> Option<Epoch> {
        self.store.watched_change(ME, self.now)
    }

    /// Swaps the namespaces of two databases.
    fn swap(&mut self, a: usize, b: usize) {
        self.run(move |txn| txn.swap_databases(a, b));
    }
}

/// A driver with a short and a long string, both watched; and a key that is not there likewise.
fn watching() -> Driver {
    let mut driver = Driver::new(1 << 20);
    driver.set("short", b"1", Some(NOW + 10));
    driver.set("long", &long(1), None);
    driver.set("other", b"1", None);
    driver.cold();
    for name in ["short", "long", "none"] {
        driver.watch(0, name);
    }
    assert_eq!(driver.change(), None);
    driver
}

#[test]
fn a_write_to_a_watched_key_is_told_with_its_epoch() {
    let mut driver = watching();
    let epoch = driver.set("short", b"1", None);
    assert_eq!(driver.change(), Some(epoch));
    driver.commit();
    let later = driver.set("short", b"2", None);
    assert_eq!((driver.change(), later > epoch), (Some(epoch), true));
    driver.store.unwatch(ME);
    assert_eq!(driver.change(), None);

    for name in ["long", "none"] {
        let mut driver = watching();
        let epoch = driver.set(name, b"1", None);
        assert_eq!(driver.change(), Some(epoch), "{name}");
    }
    let mut driver = watching();
    driver.del("short");
    assert!(driver.change().is_some());
}

#[test]
fn a_write_to_a_part_of_a_watched_key_is_told() {
    let mut driver = watching();
    let meta = |driver: &mut Driver| {
        driver.run(|txn| {
            let name = txn.meta_key(key("long"))?;
            txn.get(&name)
        })
    };
    let before = meta(&mut driver);
    driver.run(|txn| {
        let entry = txn.lookup(key("long"))?.unwrap();
        string::write_at(txn, key("long"), Some(&entry), SEGMENT as u64, b"!").map(drop)
    });
    assert!(
        meta(&mut driver) == before,
        "only a segment was written, which the key's record does not tell"
    );
    assert!(driver.change().is_some());
}

#[test]
fn what_changes_nothing_that_is_watched_is_not_told() {
    let mut driver = watching();
    driver.set("other", b"2", None);
    driver.set("yet another", &long(2), None);
    driver.get("short");
    assert!(!driver.del("none"));
    driver.run(|txn| {
        txn.flush_database(1)?;
        txn.flush_database(2)
    });
    driver.run(|txn| {
        let before = txn.savepoint();
        let header = Header {
            kind: Kind::String,
            deadline: None,
        };
        txn.write(key("none"), None, header, &[b"1"])?;
        txn.rollback(before);
        txn.write(key("other still"), None, header, &[b"1"])
    });
    driver.commit();
    assert_eq!(driver.change(), None);
}

#[test]
fn a_deadline_that_passes_is_a_change_once() {
    let mut driver = watching();
    driver.now = NOW + 10;
    assert_eq!(driver.change(), Some(Epoch::NONE));
    driver.store.unwatch(ME);
    // It is not there any more, though its record is.
    driver.store.hide_expired(true);
    driver.watch(0, "short");
    driver.store.hide_expired(false);
    assert_eq!(driver.get("short"), None);
    driver.commit();
    assert_eq!((driver.counts().1, driver.change()), (0, None));
    driver.set("short", b"1", None);
    assert!(driver.change().is_some());
}

#[test]
fn another_namespace_is_a_change_to_what_was_or_will_be_there() {
    let mut driver = watching();
    driver.run(|txn| txn.flush_database(0));
    assert!(driver.change().is_some());

    let mut driver = Driver::new(1 << 20);
    driver.set("only here", b"1", None);
    driver.watch(1, "nowhere");
    driver.swap(0, 1);
    driver.run(|txn| txn.flush_database(1));
    assert_eq!(driver.change(), None);
    // It is still watched, in the database of that number.
    let body = |txn: &mut Txn| {
        let name = Key {
            db: 1,
            name: b"nowhere",
        };
        string::set(txn, name, None, b"1", None)
    };
    driver.run(body);
    assert!(driver.change().is_some());

    for db in [0, 1] {
        let mut driver = Driver::new(1 << 20);
        driver.set("only here", b"1", None);
        driver.watch(db, "only here");
        driver.swap(0, 1);
        assert!(driver.change().is_some(), "{db}");
    }
}

#[test]
fn what_is_lost_is_a_change_to_whoever_watches() {
    let mut driver = watching();
    driver.fail();
    assert!(driver.change().is_some());
}

#[test]
fn a_watch_that_is_rolled_back_is_none() {
    let mut driver = Driver::new(1 << 20);
    driver.run(|txn| {
        let before = txn.savepoint();
        txn.watch(ME, key("a"))?;
        txn.rollback(before);
        txn.watch(ME, key("b"))
    });
    driver.set("a", b"1", None);
    assert_eq!(driver.change(), None);
    driver.set("b", b"1", None);
    assert!(driver.change().is_some());
}

#[test]
fn a_touched_key_has_changed_though_nothing_is_written() {
    let mut driver = watching();
    driver.run(|txn| {
        txn.touch(key("other"));
        let before = txn.savepoint();
        txn.touch(key("short"));
        txn.rollback(before);
        Ok(())
    });
    assert_eq!(driver.change(), None);
    driver.run(|txn| {
        txn.touch(key("short"));
        Ok(())
    });
    assert!(driver.change().is_some());
}

#[test]
fn what_either_of_two_databases_holds_has_changed_when_they_are_swapped() {
    let mut driver = Driver::new(1 << 20);
    driver.set("in the first", b"1", None);
    driver.cold();
    driver.watch(1, "in the first");
    driver.swap(0, 1);
    assert!(driver.change().is_some());
    driver.store.unwatch(ME);
    // Whether it is in the other one, the disk is asked.
    driver.set("another", b"1", None);
    driver.commit();
    driver.cold();
    driver.watch(0, "in neither");
    driver.swap(0, 1);
    assert_eq!(driver.change(), None);
    driver.watch(0, "in the first");
    driver.swap(0, 1);
    driver.swap(0, 1);
    assert!(driver.change().is_some());
}
