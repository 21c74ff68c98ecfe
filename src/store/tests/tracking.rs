//! Tracked keys: who has read one is told of its change when that is settled, once; if it is lost, they are to be told of the
//! next one.

use super::*;
use crate::store::KeyChange;

const ME: u64 = 7;
const OTHER: u64 = 8;

impl Driver {
    /// What is to be told, from now on.
    fn told(&mut self) -> Vec<(String, Vec<u64>)> {
        self.commit();
        let name = |change: &KeyChange| String::from_utf8_lossy(&change.name).into_owned();
        let told = self.effects.drain(..).filter_map(|effect| match effect {
            Effect::KeyChanged(change) => Some((name(&change), change.readers)),
            _ => None,
        });
        told.collect()
    }

    fn expect(&mut self, name: &str, readers: &[u64]) {
        assert_eq!(self.told(), [(name.to_owned(), readers.to_vec())]);
    }
}

/// A driver with a short and a long string.
fn tracking() -> Driver {
    let mut driver = Driver::new(1 << 20);
    driver.set("short", b"1", None);
    driver.set("long", &long(1), None);
    driver.cold();
    driver.store.set_tracking(true);
    driver
}

#[test]
fn who_has_read_a_key_is_told_once_and_only_when_it_is_settled() {
    let mut driver = tracking();
    for client in [OTHER, ME, ME] {
        driver.store.track(b"short", client);
    }
    assert_eq!(driver.store.tracked(), (1, 2, 0));
    driver.set("short", b"2", None);
    driver.set("short", b"3", None);
    assert_eq!((driver.effects.len(), driver.store.tracked()), (0, (0, 0, 0)));
    driver.expect("short", &[ME, OTHER]);
    driver.set("short", b"4", None);
    assert_eq!(driver.told(), []);
}

#[test]
fn a_change_of_what_a_key_owns_is_told_and_a_deadline_that_passes() {
    let mut driver = tracking();
    driver.store.track(b"long", ME);
    driver.run(|txn| {
        let entry = txn.lookup(key("long"))?.unwrap();
        string::write_at(txn, key("long"), Some(&entry), 3, b"x").map(drop)
    });
    driver.expect("long", &[ME]);

    driver.set("short", b"1", Some(NOW + 10));
    driver.store.track(b"short", ME);
    driver.now = NOW + 11;
    assert_eq!(driver.get("short"), None);
    driver.expect("short", &[ME]);
}

#[test]
fn what_is_lost_is_not_told_and_the_next_change_is() {
    let mut driver = tracking();
    driver.store.track(b"short", ME);
    driver.set("short", b"2", None);
    // It has read what is lost.
    driver.store.track(b"short", OTHER);
    driver.fail();
    driver.repair();
    assert_eq!(driver.told(), []);
    assert_eq!(driver.get("short"), Some(b"1".to_vec()));
    driver.set("short", b"3", None);
    driver.expect("short", &[ME, OTHER]);
}

#[test]
fn eviction_from_memory_is_no_change_and_prefixes_are_told_of_any() {
    let mut driver = tracking();
    driver.store.track(b"short", ME);
    driver.store.track_prefix(b"lo", OTHER);
    driver.cold();
    assert_eq!(driver.get("short"), Some(b"1".to_vec()));
    assert_eq!(driver.told(), []);
    driver.set("long", b"2", None);
    driver.expect("long", &[]);
    driver.store.untrack_prefix(b"lo", OTHER);
    driver.set("long", b"3", None);
    assert_eq!(driver.told(), []);
}

#[test]
fn a_request_over_a_view_learns_what_has_changed_meanwhile() {
    let mut driver = tracking();
    let names = ["short", "long"].map(|name| name.as_bytes().into());
    driver.store.begin_tracked_view(ME, names.into_iter());
    let epoch = driver.set("long", b"2", None);
    driver.set("other", b"2", None);
    let changed = driver.store.end_tracked_view(ME);
    assert_eq!(changed, [(b"long"[..].into(), epoch)]);
    assert_eq!(driver.store.end_tracked_view(ME), []);
    driver
        .store
        .begin_tracked_view(ME, [b"short"[..].into()].into_iter());
    driver.run(|txn| txn.flush_database(0));
    assert_eq!(driver.store.end_tracked_view(ME).len(), 1);
}

#[test]
fn the_table_is_kept_small_by_keys_names_and_readers() {
    let mut driver = tracking();
    for name in 0..100u32 {
        driver.store.track(&name.to_be_bytes(), ME);
    }
    assert!(driver.store.tracks_too_much(99));
    assert!(!driver.store.tracks_too_much(100) && !driver.store.tracks_too_much(0));
    let mut left = 100;
    while let Some((_, readers)) = driver.store.untrack_any() {
        left -= 1;
        assert_eq!((readers, driver.store.tracked()), (vec![ME], (left, left, 0)));
    }
    assert_eq!(left, 0);
    driver.store.track(&[b'n'; 10_000], ME);
    assert!(driver.store.tracks_too_much(10) && !driver.store.tracks_too_much(100));
    driver.store.untrack_everything();
    (0..1000).for_each(|client| driver.store.track(b"short", client));
    assert!(driver.store.tracks_too_much(10) && !driver.store.tracks_too_much(100));
    driver.store.set_tracking(false);
    assert_eq!(driver.store.tracked(), (0, 0, 0));
}
