//! Changes of a key's set.

use std::collections::HashSet;
use std::ops::Deref;

use foldhash::fast::RandomState;

use super::draft::Draft;
use super::{Encoding, LIST, Set};
use crate::base::events::Events;
use crate::base::num::parse_i64;
use crate::base::random::Random;
use crate::disk::cells::{Reader, push_cell};
use crate::disk::format::Kind;
use crate::store::{Entry, Key, Result, Txn};
use crate::types::buckets::Buckets;
use crate::types::intset::IntSet;
use crate::types::string::Bytes;
use crate::types::thresholds::Thresholds;

/// Adds members to the key's set, which begins with them if it is not there. How many are new.
pub fn add<'m>(
    txn: &mut Txn,
    key: Key,
    members: impl ExactSizeIterator<Item = &'m [u8]> + Clone,
    limits: &Thresholds,
) -> Result<u64> {
    let set = Set::open(txn.lookup(key)?)?;
    let Some(first) = members.clone().next() else {
        return Ok(0);
    };
    let count = members.len() as u64;
    let mut draft = match &set {
        Some(set) => Draft::of(set)?,
        None => match Draft::new(first, count, limits) {
            Some(draft) => draft,
            None => return add_new_table(txn, key, members),
        },
    };
    if let (Draft::Table(table), true) = (&draft, count > 1) {
        members.clone().for_each(|member| {
            table.prefetch(txn, member);
        });
        table.prefetch_moves(txn, count, 0);
        txn.await_prefetched()?;
    }
    let converted = draft.expect(txn, count, limits)?;
    let mut added = 0;
    for member in members {
        added += u64::from(draft.add(txn, member, limits)?);
    }
    if added > 0 || converted {
        let old = set.as_ref().map(Set::entry);
        draft.save(txn, key, old, old.and_then(|old| old.header.deadline))?;
    }
    if added > 0 {
        txn.notify(Events::SET, "sadd", key);
    }
    Ok(added)
}

/// Makes a table of members, which may repeat, the value of a key that is not there. How many it has.
fn add_new_table<'m>(txn: &mut Txn, key: Key, members: impl Iterator<Item = &'m [u8]>) -> Result<u64> {
    let distinct: HashSet<&[u8], RandomState> = members.collect();
    let entries: Vec<_> = distinct.into_iter().map(|member| (member, &b""[..])).collect();
    let table = Buckets::build(txn, &entries);
    Draft::Table(table).save(txn, key, None, None)?;
    txn.notify(Events::SET, "sadd", key);
    Ok(entries.len() as u64)
}

/// Takes members out of the key's set. How many were there.
pub fn remove<'m>(
    txn: &mut Txn,
    key: Key,
    members: impl ExactSizeIterator<Item = &'m [u8]> + Clone,
) -> Result<u64> {
    let Some(set) = Set::open(txn.lookup(key)?)? else {
        return Ok(0);
    };
    let mut draft = Draft::of(&set)?;
    if let (Draft::Table(table), true) = (&draft, members.len() > 1) {
        members.clone().for_each(|member| {
            table.prefetch(txn, member);
        });
        table.prefetch_moves(txn, 0, members.len() as u64);
        txn.await_prefetched()?;
    }
    let mut removed = 0;
    for member in members {
        removed += u64::from(draft.remove(txn, member)?);
    }
    if removed > 0 {
        txn.notify(Events::SET, "srem", key);
        draft.save(txn, key, Some(&set.entry), set.entry.header.deadline)?;
    }
    Ok(removed)
}

/// Moves a member from one set to another. Whether it was there.
pub fn move_member(txn: &mut Txn, from: Key, to: Key, member: &[u8], limits: &Thresholds) -> Result<bool> {
    let Some(source) = Set::open(txn.lookup(from)?)? else {
        return Ok(false);
    };
    let target = Set::open(txn.lookup(to)?)?;
    if from == to {
        return source.contains(txn, member);
    }
    if let Some(target) = &target {
        source.prefetch(txn, member);
        source.prefetch_moves(txn, 0, 1);
        target.prefetch(txn, member);
        target.prefetch_moves(txn, 1, 0);
        txn.await_prefetched()?;
    }
    if remove(txn, from, std::iter::once(member))? == 0 {
        return Ok(false);
    }
    add(txn, to, std::iter::once(member), limits)?;
    Ok(true)
}

/// Takes a random member out of the key's set.
pub fn pop(txn: &mut Txn, key: Key) -> Result<Option<Bytes>> {
    let Some(set) = Set::open(txn.lookup(key)?)? else {
        return Ok(None);
    };
    let mut draft = Draft::of(&set)?;
    let member = if let Draft::Table(table) = &mut draft {
        table.pop(txn)?
    } else {
        let member = set.random(txn)?;
        draft.remove(txn, &member)?;
        member
    };
    txn.notify(Events::SET, "spop", key);
    draft.save(txn, key, Some(&set.entry), set.entry.header.deadline)?;
    Ok(Some(member))
}

/// Taking out this many times what is left, a command makes a new set of what is left.
const REBUILT_BELOW: u64 = 5;

/// Takes `count` random members out of the key's set, or all if there are fewer.
pub fn pop_many(txn: &mut Txn, key: Key, count: u64, limits: &Thresholds) -> Result<Vec<Bytes>> {
    let Some(set) = Set::open(txn.lookup(key)?)? else {
        return Ok(Vec::new());
    };
    if count == 0 {
        return Ok(Vec::new());
    }
    let left = set.cardinality()?.saturating_sub(count);
    let deadline = set.entry.header.deadline;
    if let Encoding::Table(table) = &set.encoding
        && left * REBUILT_BELOW > count
    {
        let mut table = table.clone();
        table.prefetch_random(txn, count as usize);
        table.prefetch_moves(txn, 0, count);
        txn.await_prefetched()?;
        txn.allowance
            .take((count as usize).saturating_mul(size_of::<Bytes>()))?;
        let popped = (0..count).map(|_| table.pop(txn)).collect::<Result<Vec<_>>>()?;
        txn.notify(Events::SET, "spop", key);
        Draft::Table(table).save(txn, key, Some(&set.entry), deadline)?;
        return Ok(popped);
    }
    let mut members = set.members(txn)?;
    shuffle_first(&mut members, left as usize, &mut txn.random);
    let popped = members.split_off(left as usize);
    txn.notify(Events::SET, "spop", key);
    if left * REBUILT_BELOW > count {
        let mut draft = Draft::of(&set)?;
        for member in &popped {
            draft.remove(txn, member)?;
        }
        draft.save(txn, key, Some(&set.entry), deadline)?;
    } else {
        write_all(txn, key, Some(&set.entry), &members, deadline, limits)?;
    }
    Ok(popped)
}

/// Makes a set of these members, all different, the key's value, whatever it held. No members leave no key. `event` tells of
/// it.
pub fn replace(
    txn: &mut Txn,
    key: Key,
    members: &[Vec<u8>],
    limits: &Thresholds,
    event: &'static str,
) -> Result<()> {
    let old = txn.lookup(key)?;
    write_all(txn, key, old.as_ref(), members, None, limits)?;
    if !members.is_empty() {
        txn.notify_overwritten(key, old.as_ref(), Kind::Set);
        txn.notify(Events::SET, event, key);
    }
    Ok(())
}

/// Writes a new set of these members, all different, in the encoding that it would have had they come one by one.
pub fn write_all<M: Deref<Target = [u8]>>(
    txn: &mut Txn,
    key: Key,
    old: Option<&Entry>,
    members: &[M],
    deadline: Option<u64>,
    limits: &Thresholds,
) -> Result<()> {
    let len = members.len() as u64;
    let members = members.iter().map(|member| &**member);
    let integers: Option<Vec<i64>> = members.clone().map(parse_i64).collect();
    let longest = members.clone().map(<[u8]>::len).max().unwrap_or(0) as u64;
    let draft = match integers {
        Some(mut integers) if len <= limits.set_intset => {
            integers.sort_unstable();
            Draft::Integers(IntSet::encode(&integers))
        }
        None if len <= limits.set_entries && longest <= limits.set_value => {
            let mut body = vec![LIST];
            members.for_each(|member| push_cell(&mut body, member));
            Draft::List(body, len)
        }
        _ => {
            let entries: Vec<_> = members.map(|member| (member, &b""[..])).collect();
            Draft::Table(Buckets::build(txn, &entries))
        }
    };
    draft.save(txn, key, old, deadline)
}

/// Gives `to` a set of its own, equal to that of `entry`. `replaced` is what `to` held.
pub fn copy(txn: &mut Txn, entry: &Entry, to: Key, replaced: Option<&Entry>) -> Result<()> {
    let table = Buckets::decode(&mut Reader(entry.body()))?.copy(txn)?;
    Draft::Table(table).save(txn, to, replaced, entry.header.deadline)
}

/// Makes the first `count` of the members a random choice of them all.
fn shuffle_first(members: &mut [Bytes], count: usize, random: &mut Random) {
    for at in 0..count {
        let from = at + random.below((members.len() - at) as u64) as usize;
        members.swap(at, from);
    }
}
