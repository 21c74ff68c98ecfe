//! What a request is likely to read beside its key's own record, told from its arguments alone. Nothing depends on it but
//! time.

use super::buckets::Buckets;
use crate::disk::format::{Header, Kind, RecordKey};

/// Arguments that may name an element of the key's value.
#[derive(Clone, Copy, Default)]
pub struct Elements<'a> {
    /// The one behind the key.
    pub first: &'a [u8],
    /// The last one.
    pub last: &'a [u8],
}

/// The page of a large collection where the element is, or belongs. `record` is the key's own.
pub fn page_with(record: &[u8], elements: Elements) -> Option<RecordKey> {
    let (header, body) = Header::decode(record).ok()?;
    let element = match header.kind {
        // Members may follow, or a field's value.
        Kind::LargeSet | Kind::LargeHash => elements.first,
        // A score may come before.
        Kind::LargeSortedSet => elements.last,
        _ => return None,
    };
    let table = Buckets::decode(&record[body..]).ok()?;
    Some(table.page_with(element))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::testing::TestStore;
    use crate::store::{Key, Result, Txn};
    use crate::types::set;
    use crate::types::sorted_set::{self, Condition};
    use crate::types::thresholds::Thresholds;

    const KEY: Key = Key { db: 0, name: b"key" };

    /// Has a body make the key of 100 members and tells which page each is expected in; they have to be there.
    fn check<'e>(
        add: impl Fn(&mut Txn, &[Vec<u8>]) -> Result<()>,
        elements: impl Fn(&'e [u8]) -> Elements<'e>,
        members: &'e [Vec<u8>],
    ) {
        let mut test = TestStore::open();
        test.run(|txn| add(txn, members)).unwrap();
        let record = test.store.record_of(KEY);
        for member in members {
            let key = test.store.value_in_memory(&record).unwrap();
            let page = page_with(key, elements(member)).unwrap();
            let page = test.store.value_in_memory(&page).unwrap();
            assert!(page.windows(member.len()).any(|part| part == member));
        }
    }

    #[test]
    fn the_page_is_the_one_with_the_element() {
        // All are large.
        let limits = Thresholds::default();
        let members: Vec<Vec<u8>> = (100..200).map(|n| format!("member:{n}").into_bytes()).collect();
        check(
            |txn, members| set::add(txn, KEY, members.iter().map(|m| &m[..]), &limits).map(drop),
            |member| Elements {
                first: member,
                last: b"another",
            },
            &members,
        );
        check(
            |txn, members| {
                let scored = members.iter().map(|member| (&member[..], 1.5));
                sorted_set::add(txn, KEY, scored, Condition::default(), &limits).map(drop)
            },
            |member| Elements {
                first: b"1.5",
                last: member,
            },
            &members,
        );
    }

    #[test]
    fn small_collections_have_no_pages() {
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
        assert_eq!(page_with(key, Elements::default()), None);
        assert_eq!(page_with(b"", Elements::default()), None);
        assert_eq!(page_with(b"\xff", Elements::default()), None);
    }
}
