//! The hot tier by itself: its budget, what stays, and what leaves.

use super::*;
use crate::disk::format::Namespace;
use crate::store::catalog::Catalog;

fn key(n: u32) -> RecordKey {
    RecordKey::meta(1, &n.to_be_bytes())
}

fn value() -> Option<Value> {
    Some(Value::from(&[0u8; 100][..]))
}

const RECORD: usize = ENTRY + alloc_size(ARC_COUNTS + 100);

fn catalog<const N: usize>(databases: [(u64, u64); N]) -> Catalog {
    let namespaces = databases.map(|(id, keys)| Namespace { id, keys, expires: 0 });
    Catalog::of(&namespaces)
}

/// A checkpoint takes in all that epochs up to this one staged, which is nearly everything.
fn checkpoint(hot: &mut Hot, epoch: Epoch) {
    hot.begin_window(epoch, ENTRY);
    hot.end_window();
    hot.note_checkpointed(epoch);
}

fn sweep_to_the_end(hot: &mut Hot, catalog: &Catalog) {
    let mut rounds = 0;
    while hot.is_sweeping() || hot.wants_sweep(catalog) {
        hot.sweep(catalog, 100);
        rounds += 1;
        assert!(rounds < 100_000, "a sweep that does not end");
    }
}

#[test]
fn the_budget_holds_and_what_is_used_stays() {
    let mut hot = Hot::new(100 * RECORD);
    for n in 0..1000 {
        hot.fill(&key(n), value(), 0);
        hot.get(&key(0));
        hot.make_room(1);
        assert!(hot.bytes() <= hot.budget() + 8 * RECORD);
    }
    while hot.has_excess() {
        hot.go_on_making_room(1);
    }
    assert_eq!(hot.len(), 100);
    assert!(hot.peek(&key(0)).is_some() && hot.peek(&key(1)).is_none());
    assert_eq!(hot.resident(1), 100);
}

#[test]
fn staged_and_pinned_records_outlast_the_budget() {
    let mut hot = Hot::new(0);
    hot.stage(&key(1), value(), Epoch::of(5));
    hot.fill(&key(2), value(), 1);
    hot.fill(&key(3), value(), 0);
    hot.note_checkpointed(Epoch::of(4));
    hot.note_settled(Epoch::of(6));
    assert!(hot.get(&key(1)).is_some());
    hot.make_room(1);
    assert!(hot.peek(&key(1)).is_some() && hot.peek(&key(2)).is_some() && hot.peek(&key(3)).is_none());
    hot.unpin(&key(2));
    checkpoint(&mut hot, Epoch::of(6));
    hot.make_room(1);
    assert_eq!((hot.len(), hot.bytes(), hot.resident(1)), (0, 0, 0));
}

#[test]
fn what_was_fetched_never_overwrites_what_was_written() {
    let mut hot = Hot::new(1 << 20);
    hot.stage(&key(1), None, Epoch::of(5));
    hot.fill(&key(1), value(), 0);
    assert_eq!(hot.peek(&key(1)).and_then(|slot| slot.value.clone()), None);
    assert_eq!(hot.resident(1), 0);
}

#[test]
fn a_tier_over_its_budget_comes_back_to_it_though_nothing_happens_and_a_little_at_a_time() {
    let mut hot = Hot::new(usize::MAX);
    for n in 0..20_000 {
        hot.fill(&key(n), value(), 0);
        // All are in use, and a few thousand in a row are staged.
        if (5000..10_000).contains(&n) {
            hot.stage(&key(n), value(), Epoch::of(7));
        }
    }
    hot.set_budget(8000 * RECORD);
    let mut slices = 0;
    while hot.has_excess() {
        let before = hot.len();
        hot.go_on_making_room(100);
        assert!(before - hot.len() <= 100, "a slice is bounded");
        slices += 1;
        assert!(slices < 2000, "it does not come to an end");
    }
    assert_eq!(hot.len(), 8000);
    assert!((5000..10_000).all(|n| hot.peek(&key(n)).is_some()));
}

#[test]
fn nobody_looks_again_and_again_at_what_cannot_leave() {
    let mut hot = Hot::new(0);
    (0..1000).for_each(|n| drop(hot.stage(&key(n), value(), Epoch::of(7))));
    let mut slices = 0;
    while hot.has_excess() {
        hot.go_on_making_room(100);
        slices += 1;
    }
    assert!(slices < 50, "{slices}");
    hot.stage(&key(0), value(), Epoch::of(8));
    assert!(!hot.has_excess());
    checkpoint(&mut hot, Epoch::of(7));
    while hot.has_excess() {
        hot.go_on_making_room(100);
    }
    assert_eq!(hot.len(), 1);
}

#[test]
fn what_is_dead_leaves_though_there_is_room_and_nothing_else_does() {
    let mut hot = Hot::new(usize::MAX);
    for n in 0..3000 {
        hot.fill(&key(n), value(), 0);
        hot.fill(&RecordKey::bucket(2 + u64::from(n % 3), n), value(), 0);
    }
    let databases = catalog([(1, 3001)]);
    assert!(!hot.wants_sweep(&databases));
    hot.bury(3);
    // One that is still staged stays, whatever it belongs to.
    hot.stage(&RecordKey::bucket(3, 1), value(), Epoch::of(5));
    sweep_to_the_end(&mut hot, &databases);
    assert_eq!(hot.len(), 5001);
    assert!(hot.peek(&RecordKey::bucket(3, 1)).is_some() && hot.peek(&RecordKey::bucket(2, 0)).is_some());
    // Until it is no longer.
    hot.note_checkpointed(Epoch::of(5));
    sweep_to_the_end(&mut hot, &databases);
    assert_eq!(hot.len(), 5000);
    // Another namespace takes the place of this one.
    hot.bury(1);
    sweep_to_the_end(&mut hot, &catalog([(9, 1)]));
    assert_eq!((hot.len(), hot.resident(1)), (2000, 0));
}

#[test]
fn of_empty_databases_nothing_stays_in_memory_nor_its_tables() {
    let mut hot = Hot::new(usize::MAX);
    (0..100_000).for_each(|n| hot.fill(&key(n), value(), 0));
    let places = |hot: &Hot| hot.tables.iter().map(Table::capacity).sum::<usize>();
    assert!(places(&hot) >= 100_000);
    let databases = catalog([(2, 0), (3, 0)]);
    hot.stage(&key(0), None, Epoch::of(5));
    sweep_to_the_end(&mut hot, &databases);
    assert_eq!(hot.len(), 1);
    hot.note_checkpointed(Epoch::of(5));
    sweep_to_the_end(&mut hot, &databases);
    assert_eq!((hot.len(), hot.bytes(), hot.absent), (0, 0, 0));
    assert!(places(&hot) <= TABLES * LEAST_PLACES, "{}", places(&hot));
}

#[test]
fn keys_known_not_to_exist_leave_when_nobody_asks_for_them() {
    let mut hot = Hot::new(usize::MAX);
    for n in 0..10_000 {
        hot.fill(&key(n), None, 0);
    }
    hot.fill(&key(10_000), value(), 0);
    // Not all keys are in memory, so each of them is known only by its record.
    let databases = catalog([(1, 5)]);
    for _ in 0..2 {
        hot.get(&key(77));
        hot.sweep(&databases, usize::MAX / RECORD_EFFORT);
    }
    assert_eq!(hot.len(), 2);
    assert!(hot.peek(&key(77)).is_some());
    // With all keys in memory, they are known without.
    (0..2000).for_each(|n| hot.fill(&key(n), None, 0));
    sweep_to_the_end(&mut hot, &catalog([(1, 1)]));
    assert_eq!((hot.len(), hot.absent), (1, 0));
}

#[test]
fn the_entry_constant_covers_the_node() {
    assert_eq!(ENTRY, alloc_size(size_of::<Node>()) + 14);
}
