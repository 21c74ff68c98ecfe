//! Types against models: each goes through seeded random changes side by side with something simple that does the same,
//! mostly with a hot tier of a few kilobytes. And what a change of many elements takes where they are cold (`cold`).

mod buckets;
mod cold;
mod hash;
mod hyperloglog;
mod items;
mod list;
mod set;
mod sorted_set;
mod stream;
mod string;
mod tree;

use crate::store::Key;

/// The key that most tests work on, and another one.
const KEY: Key = Key { db: 0, name: b"key" };
const OTHER: Key = Key {
    db: 0,
    name: b"other",
};

/// The names of [`key`]'s keys.
const NAMES: [&[u8]; 3] = [b"a", b"b", b"c"];

/// One of three keys, for tests of what involves several.
fn key(at: usize) -> Key<'static> {
    Key {
        db: 0,
        name: NAMES[at],
    }
}
