//! What a request that names an element is likely to read beside its key's own record: so that it can be loaded before the
//! request runs. Nothing depends on it but time.

use super::buckets::Buckets;
use crate::disk::cells::Reader;
use crate::disk::format::{Header, Kind};

/// The table that a key's elements are in, if it has one. `record` is the key's own.
pub fn table(record: &[u8]) -> Option<Buckets> {
    let (header, body) = Header::decode(record).ok()?;
    match header.kind {
        Kind::LargeSet | Kind::LargeHash | Kind::LargeSortedSet => {
            Buckets::decode(&mut Reader(&record[body..])).ok()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::TestStore;
    use crate::store::{Key, Result, Txn};
    use crate::types::hash::{Expiry, Hash};
    use crate::types::set;
    use crate::types::sorted_set::{self, Condition};
    use crate::types::thresholds::Thresholds;

    const KEY: Key = Key { db: 0, name: b"key" };

    /// Has a body make the key of 100 members: each has to be in the page in which it is expected.
    fn check(add: impl Fn(&mut Txn, &[Vec<u8>]) -> Result<()>) {
        let members: Vec<Vec<u8>> = (100..200).map(|n| format!("member:{n}").into_bytes()).collect();
        let mut test = TestStore::open();
        test.run(|txn| add(txn, &members)).unwrap();
        let key = test.store.record_of(KEY);
        for member in &members {
            let key = test.store.value_in_memory(&key).unwrap();
            let page = table(key).unwrap().page_with(member);
            let page = test.store.value_in_memory(&page).unwrap();
            assert!(page.windows(member.len()).any(|part| part == member));
        }
    }

    #[test]
    fn the_page_is_the_one_with_the_element() {
        // All are large.
        let limits = Thresholds::default();
        check(|txn, members| set::add(txn, KEY, members.iter().map(|m| &m[..]), &limits).map(drop));
        check(|txn, members| {
            let mut hash = Hash::to_write(txn, KEY)?;
            for member in members {
                hash.put(txn, member, b"value", Expiry::Clear, &limits)?;
            }
            hash.save(txn, KEY)
        });
        check(|txn, members| {
            let scored = members.iter().map(|member| (&member[..], 1.5));
            sorted_set::add(txn, KEY, scored, Condition::default(), &limits).map(drop)
        });
    }

    #[test]
    fn small_collections_have_no_table() {
        let mut test = TestStore::open();
        let members = [&b"a"[..], b"b"];
        let limits = Thresholds {
            set_entries: 9,
            set_value: 9,
            ..Thresholds::default()
        };
        test.run(|txn| set::add(txn, KEY, members.into_iter(), &limits))
            .unwrap();
        let key = test.store.value_in_memory(&test.store.record_of(KEY)).unwrap();
        assert_eq!(table(key), None);
        assert_eq!(table(b""), None);
        assert_eq!(table(b"\xff"), None);
    }
}
