//! Keys, whatever they hold: names of types, RENAME, COPY and MOVE, conditions on deadlines, walks and random choice.

use super::{hash, list, set, sorted_set, stream};
use crate::base::glob::Pattern;
use crate::base::random::Random;
use crate::disk::format::{
    Family, Header, Kind, LongString, Namespace, RecordKey, namespace_prefix, prefix_end, split_ordered_id,
};
use crate::disk::{View, Walk};
use crate::store::{Entry, Key, Result, Stop, Txn};

/// What TYPE calls the kind.
pub fn type_name(kind: Kind) -> &'static str {
    match kind {
        Kind::String | Kind::LongString => "string",
        Kind::Hash | Kind::ExpiringHash | Kind::LargeHash => "hash",
        Kind::List | Kind::LargeList => "list",
        Kind::Set | Kind::LargeSet => "set",
        Kind::SortedSet | Kind::LargeSortedSet => "zset",
        Kind::Stream => "stream",
    }
}

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
        Some(deadline) => txn.set_deadline(key, &entry, Some(deadline))?,
        None => txn.remove(key, &entry)?,
    }
    Ok(true)
}

/// Which keys a walk shows.
#[derive(Clone, Copy, Default)]
pub struct Selection<'a> {
    /// What names have to match, if anything.
    pub pattern: Option<&'a Pattern<'a>>,
    /// The name of a type, in any case. One that no type has selects nothing.
    pub type_name: Option<&'a [u8]>,
}

impl Selection<'_> {
    fn shows(&self, name: &[u8], kind: Kind) -> bool {
        self.type_name
            .is_none_or(|wanted| wanted.eq_ignore_ascii_case(type_name(kind).as_bytes()))
            && self.pattern.is_none_or(|pattern| pattern.selects(name))
    }
}

/// One step of a walk.
pub struct Step {
    /// The keys that it shows.
    pub names: Vec<Vec<u8>>,
    /// Where the next step begins, if this one did not come to the end.
    pub next: Option<Vec<u8>>,
}

/// Walks over at most `limit` keys of a database in byte order (in one of many namespaces, in each of them by itself), from a
/// position on, and collects those selected that are not past their deadline. A key that is there from the first step of a
/// walk to its last is shown once, as positions are names. Only keys that begin as the pattern does are visited.
pub fn step(txn: &mut Txn, db: usize, from: &[u8], selection: Selection, limit: usize) -> Result<Step> {
    let mut names = Vec::new();
    let next = walk(txn, db, from, selection, limit, |name| {
        names.push(name.to_vec());
        Ok(())
    })?;
    Ok(Step { names, next })
}

/// As [`step`], but shows the names, and returns where the next step begins.
pub fn walk(
    txn: &mut Txn,
    db: usize,
    from: &[u8],
    selection: Selection,
    limit: usize,
    mut show: impl FnMut(&[u8]) -> Result<()>,
) -> Result<Option<Vec<u8>>> {
    let layout = txn.layout();
    let (slot, from) = layout.split_position(from);
    let mut namespaces = txn.namespaces(db, slot)?;
    let mut left = limit;
    while let Some((holder, namespace)) = namespaces.next_one()? {
        if left == 0 {
            return Ok(Some(layout.position(holder.slot, b"")));
        }
        let from = if holder.slot == slot { from } else { b"" };
        let (visited, next) = walk_namespace(txn, namespace.id, from, selection, left, &mut show)?;
        if let Some(name) = next {
            return Ok(Some(layout.position(holder.slot, &name)));
        }
        // One in which nothing begins as the pattern does takes time as well.
        left -= visited.max(1);
    }
    Ok(None)
}

/// Walks over at most `limit` keys of a namespace. Returns how many it visited, and the name where it broke off for that.
fn walk_namespace(
    txn: &Txn,
    namespace: u64,
    from: &[u8],
    selection: Selection,
    limit: usize,
    mut show: impl FnMut(&[u8]) -> Result<()>,
) -> Result<(usize, Option<Vec<u8>>)> {
    let (view, _) = txn.view()?;
    let prefix = namespace_prefix(namespace);
    let (literal, whole) = selection
        .pattern
        .map_or_else(Default::default, Pattern::literal_prefix);
    let first = [&prefix, from.max(&literal)].concat();
    let end = if whole && selection.pattern.is_some() {
        Some([&prefix, &literal[..], b"\0"].concat())
    } else {
        prefix_end(&[&prefix[..], &literal].concat())
    };
    if end.as_ref().is_some_and(|end| *end <= first) {
        return Ok((0, None));
    }
    let mut walk = view.walk(Family::Meta, &first, end.as_deref())?;
    let mut visited = 0;
    while let Some((key, record)) = walk.next_record()? {
        let name = &key[prefix.len()..];
        if visited == limit {
            return Ok((visited, Some(name.to_vec())));
        }
        visited += 1;
        let (header, _) = Header::decode(record)?;
        if is_alive(header, txn.now) && selection.shows(name, header.kind) {
            show(name)?;
        }
    }
    Ok((visited, None))
}

fn is_alive(header: Header, now: u64) -> bool {
    header.deadline.is_none_or(|deadline| deadline > now)
}

/// Up to this many keys a random one is chosen among all of them.
const COUNTED_KEYS: u64 = 1000;
/// A branch of the tree of names with at most so many keys is not divided further.
const LEAF: usize = 64;
/// How often a draw may be refused before one is taken as it is.
const DRAWS: usize = 32;
/// A draw stands for at most this many times the number of keys that are there.
const WEIGHT_LIMIT: f64 = 4.0;
/// How often a walk may give up before no more are begun.
const MOST_GIVEN_UP: usize = 16;

/// A random key that is not past its deadline.
///
/// In a database of up to [`COUNTED_KEYS`] keys, or of one namespace, it is one of all keys. Otherwise a namespace is chosen,
/// each with a probability in proportion to the keys that it has, and a key of it.
pub fn random(txn: &mut Txn, db: usize) -> Result<Option<Vec<u8>>> {
    let (view, _) = txn.view()?;
    let mut names = Names { view, given_up: 0 };
    let (mut namespaces, mut walk) = (Vec::new(), txn.namespaces(db, 0)?);
    while let Some((_, namespace)) = walk.next_one()? {
        namespaces.push(namespace);
    }
    let all = namespaces
        .iter()
        .fold(0u64, |sum, namespace| sum.saturating_add(namespace.keys));
    let mut found = None;
    if namespaces.len() == 1 || all <= COUNTED_KEYS {
        found = random_of(txn, &mut names, &namespaces, all)?;
    } else {
        // One whose keys are all past their deadlines may be chosen first.
        for _ in 0..DRAWS {
            let chosen = weighted(&namespaces, all, &mut txn.random);
            found = random_of(txn, &mut names, &[chosen], chosen.keys)?;
            if found.is_some() {
                break;
            }
        }
    }
    if found.is_none() && names.given_up > 0 {
        // There may be some, behind all that is in the way.
        return Ok(step(txn, db, b"", Selection::default(), LEAF)?
            .names
            .into_iter()
            .next());
    }
    Ok(found)
}

/// A random key of namespaces that have so many in all.
///
/// Up to [`COUNTED_KEYS`] keys are all equally likely. Among more a draw descends the tree of
/// names: at each fork it takes one of the branches, among the last [`LEAF`] keys one of the keys. The probability `q` of
/// that draw is known, and the draw is kept with a probability in proportion to `1 / q`, which makes all keys equally
/// likely, with three exceptions. The weight is capped, so keys whose `q` is less than `1 / (WEIGHT_LIMIT * keys)` (below
/// several forks much more crowded than their neighbours) come less often than others; after [`DRAWS`] draws the
/// last one counts as it is; and a key behind very many that were just deleted may not come before they are compacted. So
/// namespaces in which nearly all keys are past their deadline may seem to have none.
fn random_of(
    txn: &mut Txn,
    names: &mut Names,
    namespaces: &[Namespace],
    all: u64,
) -> Result<Option<Vec<u8>>> {
    if all <= COUNTED_KEYS {
        let (mut keys, is_whole) = names.all(namespaces)?;
        keys.retain(|(_, header)| is_alive(*header, txn.now));
        if is_whole || !keys.is_empty() {
            let count = keys.len() as u64;
            let chosen = (count > 0).then(|| keys.swap_remove(txn.random.below(count) as usize));
            return Ok(chosen.and_then(|(key, _)| name_of(&key)));
        }
    }
    let mut found = None;
    for _ in 0..DRAWS {
        let namespace = weighted(namespaces, all, &mut txn.random);
        let Some(draw) = names.draw(&namespace_prefix(namespace.id), &mut txn.random)? else {
            continue;
        };
        if !is_alive(draw.header, txn.now) {
            continue;
        }
        let kept = txn
            .random
            .chance(1.0 / (draw.probability * namespace.keys as f64 * WEIGHT_LIMIT));
        found = name_of(&draw.key);
        if kept {
            break;
        }
    }
    Ok(found)
}

/// One of the namespaces, of which one has keys: each with a probability in proportion to those it has of all.
fn weighted(namespaces: &[Namespace], all: u64, random: &mut Random) -> Namespace {
    if let [only] = namespaces {
        return *only;
    }
    let mut at = random.below(all);
    let chosen = namespaces.iter().find(|namespace| {
        let is_here = at < namespace.keys;
        at = at.saturating_sub(namespace.keys);
        is_here
    });
    chosen.copied().unwrap_or_default()
}

fn name_of(key: &[u8]) -> Option<Vec<u8>> {
    split_ordered_id(key).map(|(_, name)| name.to_vec())
}

/// The names, with their namespace before them.
type Keys = Vec<(Vec<u8>, Header)>;

struct Draw {
    key: Vec<u8>,
    header: Header,
    probability: f64,
}

/// The names of keys, looked at here and there. What would have to pass very many deleted ones gives up: so no look takes
/// long.
struct Names<'v> {
    view: &'v View<'v>,
    given_up: usize,
}

impl<'v> Names<'v> {
    fn walk(&self, from: &[u8], prefix: &[u8]) -> Result<Walk<'v>> {
        let end = prefix_end(prefix);
        Ok(self.view.short_walk(Family::Meta, from, end.as_deref())?)
    }

    /// Whether the walk gave up, rather than came to its end.
    fn gave_up(&mut self, walk: &Walk) -> Result<bool> {
        let gave_up = walk.has_given_up()?;
        self.given_up += usize::from(gave_up);
        Ok(gave_up)
    }

    fn draw(&mut self, namespace: &[u8], random: &mut Random) -> Result<Option<Draw>> {
        let mut prefix = namespace.to_vec();
        let mut probability = 1.0;
        loop {
            if self.given_up >= MOST_GIVEN_UP {
                return Ok(None);
            }
            let (mut leaf, all) = self.first(&prefix, LEAF + 1)?;
            let count = leaf.len();
            if count == 0 && all {
                return Ok(None);
            }
            if count > 0 && (count <= LEAF || !all) {
                let (key, header) = leaf.swap_remove(random.below(count as u64) as usize);
                return Ok(Some(Draw {
                    key,
                    header,
                    probability: probability / count as f64,
                }));
            }
            let fork = match leaf.first() {
                Some((first, _)) => self.fork_below(first, &prefix)?,
                None => prefix,
            };
            // A name that ends where the others fork is a branch of its own.
            let ends_here = usize::from(leaf.first().is_some_and(|(first, _)| first.len() == fork.len()));
            let branches = self.branches(&fork)?;
            if branches.len() + ends_here == 0 {
                return Ok(None);
            }
            let chosen = random.below((branches.len() + ends_here) as u64) as usize;
            probability /= (branches.len() + ends_here) as f64;
            let Some(&branch) = branches.get(chosen) else {
                let (key, header) = leaf.swap_remove(0);
                return Ok(Some(Draw {
                    key,
                    header,
                    probability,
                }));
            };
            prefix = fork;
            prefix.push(branch);
        }
    }

    /// What all keys that begin with the prefix share; the prefix itself if that is not easily told. `first` is the first of
    /// them.
    fn fork_below(&self, first: &[u8], prefix: &[u8]) -> Result<Vec<u8>> {
        let end = prefix_end(prefix).unwrap_or_default();
        let last = self.view.last(Family::Meta, prefix, &end)?;
        let last = last.as_deref().unwrap_or(prefix);
        let shared = first.iter().zip(last).take_while(|(a, b)| a == b).count();
        Ok(first[..shared].to_vec())
    }

    /// The bytes that follow the prefix.
    fn branches(&mut self, prefix: &[u8]) -> Result<Vec<u8>> {
        let mut branches = Vec::new();
        let mut from = [prefix, b"\0"].concat();
        let mut walk = self.walk(&from, prefix)?;
        loop {
            let found = walk.next_record()?.map(|(key, _)| key[prefix.len()]);
            branches.extend(found);
            let branch = match found {
                Some(branch) => branch,
                // Nothing is near.
                None if self.gave_up(&walk)? && self.given_up < MOST_GIVEN_UP => from[prefix.len()],
                None => return Ok(branches),
            };
            let Some(above) = branch.checked_add(1) else {
                return Ok(branches);
            };
            from[prefix.len()] = above;
            walk.seek(&from);
        }
    }

    /// The keys of all these namespaces, and whether these are all.
    fn all(&mut self, namespaces: &[Namespace]) -> Result<(Keys, bool)> {
        let (mut keys, mut all) = (Keys::new(), true);
        for namespace in namespaces {
            let (found, is_whole) = self.first(&namespace_prefix(namespace.id), usize::MAX)?;
            keys.extend(found);
            all &= is_whole;
        }
        Ok((keys, all))
    }

    /// The first keys that begin with the prefix, and whether there are no more, or `count` of them.
    fn first(&mut self, prefix: &[u8], count: usize) -> Result<(Keys, bool)> {
        let mut walk = self.walk(prefix, prefix)?;
        let mut keys = Vec::new();
        while keys.len() < count {
            let Some((key, record)) = walk.next_record()? else {
                let gave_up = self.gave_up(&walk)?;
                return Ok((keys, !gave_up));
            };
            keys.push((key.to_vec(), Header::decode(record)?.0));
        }
        Ok((keys, true))
    }
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
