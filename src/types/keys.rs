//! Keys, whatever they hold: RENAME, COPY and MOVE, conditions on deadlines.

use super::{hash, list, set, sorted_set, stream};
use crate::base::events::Events;
use crate::disk::format::{Kind, LongString, RecordKey};
use crate::store::{Entry, Key, Result, Stop, Txn};

/// Looks the keys up together, so that all that are not in memory come with one fault.
pub fn prefetch<'k>(txn: &mut Txn, keys: impl Iterator<Item = Key<'k>>) -> Result<()> {
    for key in keys {
        let record = txn.meta_key(key)?;
        txn.prefetch(record);
    }
    txn.await_prefetched()
}

/// Gives `from`'s value and deadline to `to`, O(1) for values that have an id. `replaced` is what `to` held.
pub fn relocate(txn: &mut Txn, from: Key, entry: &Entry, to: Key, replaced: Option<&Entry>) -> Result<()> {
    txn.forget(from, entry)?;
    txn.write(to, replaced, entry.header, &[entry.body()])
}

/// Gives `to` a value of its own, equal to `entry`, and the same deadline. `replaced` is what `to` held.
pub fn copy(txn: &mut Txn, entry: &Entry, to: Key, replaced: Option<&Entry>) -> Result<()> {
    match entry.header.kind {
        Kind::String | Kind::Hash | Kind::ExpiringHash | Kind::List | Kind::Set | Kind::SortedSet => {
            txn.write(to, replaced, entry.header, &[entry.body()])
        }
        Kind::LargeHash => hash::copy_large(txn, entry, to, replaced),
        Kind::LargeList => list::copy(txn, entry, to, replaced),
        Kind::LargeSet => set::copy(txn, entry, to, replaced),
        Kind::LargeSortedSet => sorted_set::copy(txn, entry, to, replaced),
        Kind::Stream => stream::copy(txn, entry, to, replaced),
        Kind::LongString => {
            let body = copy_segments(txn, LongString::decode(entry.body())?)?.encode();
            txn.write(to, replaced, entry.header, &[&body])
        }
    }
}

fn copy_segments(txn: &mut Txn, long: LongString) -> Result<LongString> {
    for index in 0..long.segments() {
        txn.prefetch(RecordKey::segment(long.id, index));
    }
    txn.await_prefetched()?;
    let copy = LongString {
        id: txn.fresh_id(),
        ..long
    };
    for index in 0..long.segments() {
        // A segment that is not there is all zeros in the copy too.
        if let Some(segment) = txn.get(&RecordKey::segment(long.id, index))? {
            txn.put(RecordKey::segment(copy.id, index), segment);
        }
    }
    Ok(copy)
}

/// On what EXPIRE and its like insist.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct DeadlineCondition {
    /// That there is no deadline.
    pub nx: bool,
    /// That there is one.
    pub xx: bool,
    /// That the new one is later; none is later than any.
    pub gt: bool,
    /// That the new one is earlier.
    pub lt: bool,
}

impl DeadlineCondition {
    /// Whether a key with the current deadline may get the new one, both in Unix milliseconds.
    pub fn allows(self, current: Option<u64>, new: i64) -> bool {
        match current {
            None => !self.xx && !self.gt,
            Some(current) => {
                let (current, new) = (i128::from(current), i128::from(new));
                !self.nx && (!self.gt || new > current) && (!self.lt || new < current)
            }
        }
    }
}

/// Sets the key's deadline, in Unix milliseconds: a past one deletes the key. Whether it was done.
pub fn expire_at(txn: &mut Txn, key: Key, deadline: i64, condition: DeadlineCondition) -> Result<bool> {
    let Some(entry) = txn.lookup(key)? else {
        return Ok(false);
    };
    if !condition.allows(entry.header.deadline, deadline) {
        return Ok(false);
    }
    match u64::try_from(deadline)
        .ok()
        .filter(|&deadline| deadline > txn.now)
    {
        Some(deadline) => {
            txn.set_deadline(key, &entry, Some(deadline))?;
            txn.notify(Events::GENERIC, "expire", key);
        }
        None => txn.remove(key, &entry)?,
    }
    Ok(true)
}

/// A number of a database, as MOVE and COPY take it.
pub fn check_database(number: i64, databases: usize) -> Result<usize> {
    usize::try_from(number)
        .ok()
        .filter(|&number| number < databases)
        .map_or_else(|| Stop::error("ERR DB index is out of range"), Ok)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_compare_with_no_deadline_as_redis_does() {
        let none = DeadlineCondition::default();
        let (nx, xx) = (
            DeadlineCondition { nx: true, ..none },
            DeadlineCondition { xx: true, ..none },
        );
        let (gt, lt) = (
            DeadlineCondition { gt: true, ..none },
            DeadlineCondition { lt: true, ..none },
        );
        for (condition, unset, earlier, same, later) in [
            (none, true, true, true, true),
            (nx, true, false, false, false),
            (xx, false, true, true, true),
            (gt, false, false, false, true),
            (lt, true, true, false, false),
        ] {
            assert_eq!(condition.allows(None, 10), unset, "{condition:?}");
            let found = [9, 10, 11].map(|new| condition.allows(Some(10), new));
            assert_eq!(found, [earlier, same, later], "{condition:?}");
        }
        assert!(lt.allows(Some(0), i64::MIN) && !gt.allows(Some(0), i64::MIN));
    }
}
