//! Changes of sorted sets: members given scores, taken out, and whole values made anew.

use std::ops::Range;

use super::{Encoding, SortedSet, decode_score, encode_score, packed, score_in_tree, tree_key, tree_value};
use crate::base::events::Events;
use crate::disk::format::{Header, Kind};
use crate::store::{Entry, Key, Result, Savepoint, Stop, Txn};
use crate::types::buckets::{Buckets, Found, Want};
use crate::types::string::Bytes;
use crate::types::thresholds::Thresholds;
use crate::types::tree::{Part, Path, Tree};

/// Room for the state of nearly any large sorted set.
const STATE_BYTES: usize = 64;

/// When a score may be set.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub struct Condition {
    /// The member is not there.
    pub nx: bool,
    /// It is there.
    pub xx: bool,
    /// If it is there, the new score is greater.
    pub gt: bool,
    /// If it is there, the new score is less.
    pub lt: bool,
    /// Not a condition: what is given is added to the score that is there.
    pub incr: bool,
}

/// What [`add`] did.
#[derive(Clone, Copy, Default, Debug, PartialEq)]
pub struct Added {
    /// New members.
    pub added: u64,
    /// Members whose score changed.
    pub updated: u64,
    /// The score of the last member, unless the condition kept it from being set.
    pub score: Option<f64>,
}

/// A sorted set that is being changed or made.
enum Draft {
    Packed(Vec<u8>),
    Large(Buckets, Tree),
}

/// Where a member is.
enum Place {
    Slot(packed::Slot),
    /// Not among so many packed ones.
    NoSlot(u64),
    Table(Found, Option<f64>, Option<Insertion>),
}

/// Where a member with its new score belongs in the order.
struct Insertion {
    key: Vec<u8>,
    path: Option<Path>,
}

impl Insertion {
    fn find(txn: &mut Txn, table: &Buckets, tree: &Tree, member: &[u8], score: f64) -> Result<Insertion> {
        let key = tree_key(score, member);
        let path = tree.path_to(txn, &key)?;
        if let Some(path) = &path {
            txn.warm_up(&[table.page_with(member), tree.leaf_of(path)]);
        }
        Ok(Insertion { key, path })
    }
}

impl Place {
    fn score(&self) -> Option<f64> {
        match self {
            Place::Slot(slot) => Some(slot.score),
            Place::NoSlot(_) => None,
            Place::Table(_, score, _) => *score,
        }
    }
}

impl Draft {
    fn of(set: Option<&SortedSet>) -> Draft {
        let Some(set) = set else {
            return Draft::Packed(Vec::new());
        };
        match &set.encoding {
            Encoding::Packed => Draft::Packed(set.entry.body().to_vec()),
            Encoding::Large(table, tree) => Draft::Large(table.clone(), tree.clone()),
        }
    }

    /// One of these entries, which are in order.
    fn build(txn: &mut Txn, entries: &[(&[u8], f64)], limits: &Thresholds) -> Draft {
        let longest = entries.iter().map(|(member, _)| member.len()).max().unwrap_or(0);
        if entries.len() as u64 <= limits.sorted_set_entries && longest as u64 <= limits.sorted_set_value {
            let mut body = Vec::new();
            for (member, score) in entries {
                packed::push(&mut body, member, *score);
            }
            return Draft::Packed(body);
        }
        Draft::build_large(txn, entries)
    }

    fn build_large(txn: &mut Txn, entries: &[(&[u8], f64)]) -> Draft {
        let scores: Vec<[u8; 8]> = entries.iter().map(|(_, score)| encode_score(*score)).collect();
        let pairs = entries.iter().zip(&scores);
        let pairs: Vec<(&[u8], &[u8])> = pairs.map(|((member, _), score)| (*member, &score[..])).collect();
        let table = Buckets::build(txn, &pairs);
        let in_order = entries
            .iter()
            .map(|(member, score)| (tree_key(*score, member), tree_value(*score)));
        let tree = Tree::build(txn, table.id(), in_order);
        Draft::Large(table, tree)
    }

    fn is_empty(&self) -> bool {
        match self {
            Draft::Packed(body) => body.is_empty(),
            Draft::Large(table, _) => table.is_empty(),
        }
    }

    /// Where the member is. `score` is the one that it is likely to get, if that is known: what a change will read is then
    /// loaded side by side.
    fn place(&self, txn: &mut Txn, member: &[u8], score: Option<f64>) -> Result<Place> {
        match self {
            Draft::Packed(body) => Ok(match packed::find(body, member)? {
                Ok((slot, _)) => Place::Slot(slot),
                Err(count) => Place::NoSlot(count),
            }),
            Draft::Large(table, tree) => {
                let insertion = score.map(|score| Insertion::find(txn, table, tree, member, score));
                let insertion = insertion.transpose()?;
                let found = table.find(txn, member)?;
                let score = table.value_of(txn, &found)?;
                let score = score.map(|score| decode_score(&score)).transpose()?;
                Ok(Place::Table(found, score, insertion))
            }
        }
    }

    /// Gives a member, whose place is known, this score.
    fn put(
        &mut self,
        txn: &mut Txn,
        member: &[u8],
        score: f64,
        place: Place,
        limits: &Thresholds,
    ) -> Result<()> {
        match (&mut *self, place) {
            (Draft::Packed(body), Place::Slot(slot)) => {
                body.drain(slot.entry);
                Ok(packed::insert(body, member, score)?)
            }
            (Draft::Packed(body), Place::NoSlot(count))
                if count < limits.sorted_set_entries && member.len() as u64 <= limits.sorted_set_value =>
            {
                Ok(packed::insert(body, member, score)?)
            }
            (Draft::Large(table, tree), Place::Table(found, old, insertion)) => {
                if let Some(old) = old {
                    tree.remove(txn, &tree_key(old, member))?;
                }
                // A path that was found before the tree changed leads elsewhere.
                match insertion.filter(|_| old.is_none()) {
                    Some(Insertion { key, path }) => tree.put_along(txn, path, &key, tree_value(score))?,
                    None => tree.put(txn, &tree_key(score, member), tree_value(score))?,
                };
                table.put_at(txn, found, member, &encode_score(score))?;
                Ok(())
            }
            _ => {
                self.enlarge(txn)?;
                let place = self.place(txn, member, None)?;
                self.put(txn, member, score, place, limits)
            }
        }
    }

    /// Becomes large.
    fn enlarge(&mut self, txn: &mut Txn) -> Result<()> {
        if let Draft::Packed(body) = self {
            let slots: std::result::Result<Vec<_>, _> = packed::slots(body).collect();
            let slots = slots?;
            let entries: Vec<(&[u8], f64)> = slots
                .iter()
                .map(|slot| (&body[slot.member.clone()], slot.score))
                .collect();
            *self = Draft::build_large(txn, &entries);
        }
        Ok(())
    }

    /// Takes a member out. Whether it was there.
    fn remove(&mut self, txn: &mut Txn, member: &[u8]) -> Result<bool> {
        let place = self.place(txn, member, None)?;
        match (self, place) {
            (Draft::Packed(body), Place::Slot(slot)) => drop(body.drain(slot.entry)),
            (Draft::Large(table, tree), Place::Table(found, Some(score), _)) => {
                tree.remove(txn, &tree_key(score, member))?;
                table.remove_at(txn, &found)?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Makes this the key's value, `old` being what it held. An empty one leaves no key.
    fn save(&self, txn: &mut Txn, key: Key, old: Option<&Entry>, deadline: Option<u64>) -> Result<()> {
        if self.is_empty() {
            return old.map_or(Ok(()), |old| txn.remove(key, old));
        }
        let mut state = Vec::with_capacity(STATE_BYTES);
        let (kind, body) = match self {
            Draft::Packed(body) => (Kind::SortedSet, body),
            Draft::Large(table, tree) => {
                table.encode(&mut state);
                tree.encode(&mut state);
                (Kind::LargeSortedSet, &state)
            }
        };
        txn.write(key, old, Header { kind, deadline }, &[body])
    }

    /// As [`Draft::save`], the deadline staying as it was.
    fn save_back(&self, txn: &mut Txn, key: Key, old: Option<&Entry>) -> Result<()> {
        self.save(txn, key, old, old.and_then(|old| old.header.deadline))
    }
}

/// What a change of these members met was a fault: undoes what it did, and notes all that the others will want too.
/// With each member comes the score that it may get.
fn fetch<'m>(
    txn: &mut Txn,
    set: Option<&SortedSet>,
    before: Savepoint,
    members: impl Iterator<Item = (&'m [u8], Option<f64>)>,
) -> Result<()> {
    txn.rollback(before);
    let Some(Encoding::Large(table, tree)) = set.map(|set| &set.encoding) else {
        return Ok(());
    };
    let (mut come, mut leave) = (0, 0);
    for (member, score) in members {
        come += u64::from(score.is_some());
        leave += u64::from(score.is_none());
        if !table.prefetch(txn, member)
            && let Some(old) = table.get(txn, member)?
        {
            tree.prefetch(txn, &tree_key(decode_score(&old)?, member))?;
        }
        if let Some(score) = score {
            tree.prefetch(txn, &tree_key(score, member))?;
        }
    }
    table.prefetch_moves(txn, come, leave);
    Ok(())
}

/// Gives members scores as far as the condition allows.
pub fn add<'m>(
    txn: &mut Txn,
    key: Key,
    members: impl Iterator<Item = (&'m [u8], f64)> + Clone,
    condition: Condition,
    limits: &Thresholds,
) -> Result<Added> {
    let set = SortedSet::open(txn.lookup(key)?)?;
    if set.is_none() && condition.xx {
        return Ok(Added::default());
    }
    let (before, mut draft) = (txn.savepoint(), Draft::of(set.as_ref()));
    let mut added = Added::default();
    for (member, score) in members.clone() {
        match add_one(txn, &mut draft, member, score, condition, limits, &mut added) {
            Err(Stop::Fault) => {
                let members = members.map(|(member, score)| (member, Some(score)));
                fetch(txn, set.as_ref(), before, members)?;
                return Err(Stop::Fault);
            }
            done => done?,
        }
    }
    if added.added + added.updated > 0 {
        draft.save_back(txn, key, set.as_ref().map(SortedSet::entry))?;
        let event = match condition.incr {
            true => "zincr",
            false => "zadd",
        };
        txn.notify(Events::SORTED_SET, event, key);
    }
    Ok(added)
}

fn add_one(
    txn: &mut Txn,
    draft: &mut Draft,
    member: &[u8],
    score: f64,
    condition: Condition,
    limits: &Thresholds,
    added: &mut Added,
) -> Result<()> {
    // With a condition it is likelier that nothing changes.
    let known = (condition == Condition::default()).then_some(score);
    let place = draft.place(txn, member, known)?;
    added.score = None;
    let Some(old) = place.score() else {
        if !condition.xx {
            draft.put(txn, member, score, place, limits)?;
            added.added += 1;
            added.score = Some(score);
        }
        return Ok(());
    };
    if condition.nx {
        return Ok(());
    }
    let new = if condition.incr { old + score } else { score };
    if new.is_nan() {
        return Stop::error("ERR resulting score is not a number (NaN)");
    }
    if (condition.gt && new <= old) || (condition.lt && new >= old) {
        return Ok(());
    }
    added.score = Some(new);
    if new != old {
        draft.put(txn, member, new, place, limits)?;
        added.updated += 1;
    }
    Ok(())
}

/// Takes members out of the key's sorted set. How many were there.
pub fn remove<'m>(txn: &mut Txn, key: Key, members: impl Iterator<Item = &'m [u8]> + Clone) -> Result<u64> {
    let Some(set) = SortedSet::open(txn.lookup(key)?)? else {
        return Ok(0);
    };
    let (before, mut draft) = (txn.savepoint(), Draft::of(Some(&set)));
    let mut removed = 0;
    for member in members.clone() {
        match draft.remove(txn, member) {
            Err(Stop::Fault) => {
                fetch(txn, Some(&set), before, members.map(|member| (member, None)))?;
                return Err(Stop::Fault);
            }
            was_there => removed += u64::from(was_there?),
        }
    }
    if removed > 0 {
        txn.notify(Events::SORTED_SET, "zrem", key);
        draft.save_back(txn, key, Some(set.entry()))?;
    }
    Ok(removed)
}

/// Takes up to `count` members, and their scores, from the beginning of the key's sorted set, or from its end.
pub fn pop(
    txn: &mut Txn,
    key: Key,
    set: &SortedSet,
    count: u64,
    from_end: bool,
) -> Result<Vec<(Bytes, f64)>> {
    let len = set.len();
    let count = count.min(len);
    let ranks = if from_end { len - count..len } else { 0..count };
    txn.allowance
        .take((count as usize).saturating_mul(size_of::<(Bytes, f64)>()))?;
    let event = match from_end {
        true => "zpopmax",
        false => "zpopmin",
    };
    txn.notify(Events::SORTED_SET, event, key);
    let mut popped = Vec::new();
    let mut keep = |member: Part, score| popped.push((member.to_bytes(), score));
    if count == len {
        set.range(txn, ranks, false, |member, score| {
            keep(member, score);
            Ok(true)
        })?;
        txn.remove(key, set.entry())?;
    } else {
        cut(txn, key, set, ranks, keep)?;
    }
    if from_end {
        popped.reverse();
    }
    Ok(popped)
}

/// Takes the members of these ranks out of the key's sorted set; `event` tells of it. How many there were.
pub fn remove_ranks(
    txn: &mut Txn,
    key: Key,
    set: &SortedSet,
    ranks: Range<u64>,
    event: &'static str,
) -> Result<u64> {
    let len = set.len();
    let end = ranks.end.min(len);
    let ranks = ranks.start.min(end)..end;
    let count = ranks.end - ranks.start;
    if count > 0 {
        txn.notify(Events::SORTED_SET, event, key);
    }
    if count == len {
        txn.remove(key, set.entry())?;
    } else if count > 0 {
        cut(txn, key, set, ranks, |_, _| ())?;
    }
    Ok(count)
}

/// A cut of more than one in so many members has all of the table fetched, as most of its pages will change.
const DENSE_CUT: u64 = 1024;

/// Takes some of the members out, and not all.
fn cut(
    txn: &mut Txn,
    key: Key,
    set: &SortedSet,
    ranks: Range<u64>,
    mut removed: impl FnMut(Part, f64),
) -> Result<()> {
    let mut draft = Draft::of(Some(set));
    match &mut draft {
        Draft::Packed(body) => {
            let (mut from, mut to) = (body.len(), 0);
            set.range(txn, ranks.clone(), false, |member, score| {
                removed(member, score);
                Ok(true)
            })?;
            let count = (ranks.end - ranks.start) as usize;
            for slot in packed::slots(body).skip(ranks.start as usize).take(count) {
                let slot = slot?;
                (from, to) = (from.min(slot.entry.start), slot.entry.end);
            }
            body.drain(from..to.max(from));
        }
        Draft::Large(table, tree) => {
            let mut members = Vec::new();
            tree.remove_range(txn, ranks, |key, value| {
                let score = score_in_tree(&key, &value)?;
                let member = key.skip(super::ORDER);
                removed(member, score);
                members.push(member.to_bytes());
                Ok(())
            })?;
            let whole = table.clone();
            for member in &members {
                match table.remove(txn, member) {
                    Err(Stop::Fault) if members.len() as u64 * DENSE_CUT > whole.len() => {
                        whole.fetch_all(txn, Want::Members)?;
                        return Err(Stop::Fault);
                    }
                    Err(Stop::Fault) => {
                        members.iter().for_each(|member| {
                            whole.prefetch(txn, member);
                        });
                        whole.prefetch_moves(txn, 0, members.len() as u64);
                        return Err(Stop::Fault);
                    }
                    done => done?,
                };
            }
        }
    }
    draft.save_back(txn, key, Some(set.entry()))
}

/// Makes a sorted set of these members, each once, the key's value, whatever it held; `event` tells of it. Without members
/// there is no key.
pub fn replace(
    txn: &mut Txn,
    key: Key,
    members: &[(Vec<u8>, f64)],
    limits: &Thresholds,
    event: &'static str,
) -> Result<()> {
    let old = txn.lookup(key)?;
    let entries = members.iter().map(|(member, score)| (&member[..], *score));
    write_all(txn, key, old.as_ref(), entries.collect(), None, limits)?;
    if !members.is_empty() {
        txn.notify_overwritten(key, old.as_ref(), Kind::SortedSet);
        txn.notify(Events::SORTED_SET, event, key);
    }
    Ok(())
}

/// Writes a new sorted set of these members, each once, over what the key held, with this deadline.
pub fn write_all(
    txn: &mut Txn,
    key: Key,
    old: Option<&Entry>,
    mut members: Vec<(&[u8], f64)>,
    deadline: Option<u64>,
    limits: &Thresholds,
) -> Result<()> {
    members.sort_by(|a, b| packed::compare((a.1, a.0), (b.1, b.0)));
    Draft::build(txn, &members, limits).save(txn, key, old, deadline)
}

/// Gives `to` a sorted set of its own, equal to the large one of `entry`. `replaced` is what `to` held.
pub fn copy(txn: &mut Txn, entry: &Entry, to: Key, replaced: Option<&Entry>) -> Result<()> {
    let (table, tree) = super::decode_large(entry.body())?;
    let table = table.copy(txn)?;
    let tree = tree.copy(txn, table.id())?;
    Draft::Large(table, tree).save(txn, to, replaced, entry.header.deadline)
}
