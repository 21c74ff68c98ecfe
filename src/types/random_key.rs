//! A random key of a database.

use std::collections::HashSet;

use foldhash::fast::RandomState;

use super::key_walk::{Selection, is_alive, step};
use crate::base::random::Random;
use crate::disk::format::{Family, Header, Namespace, namespace_prefix, prefix_end, split_ordered_id};
use crate::disk::{ReadError, View, Walk};
use crate::store::{Lister, Result, Txn};

type Read<T> = std::result::Result<T, ReadError>;

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
    txn.prefer_view()?;
    let Some(view) = txn.view() else {
        return random_of_listing(txn, db);
    };
    let mut names = Names { view, given_up: 0 };
    let (mut namespaces, mut walk) = (Vec::new(), txn.namespaces(view, db, 0)?);
    while let Some((_, namespace)) = walk.next_one()? {
        namespaces.push(namespace);
    }
    let found = names.choose(&namespaces, txn.now, &mut txn.random)?;
    if found.is_none() && names.given_up > 0 {
        // There may be some, behind all that is in the way.
        return first(txn, db, LEAF);
    }
    Ok(found.and_then(|(key, _)| split_ordered_id(&key).map(|(_, name)| name.to_vec())))
}

fn total(namespaces: &[Namespace]) -> u64 {
    let keys = namespaces.iter().map(|namespace| namespace.keys);
    keys.fold(0, u64::saturating_add)
}

/// The first key in order, if it is among so many.
fn first(txn: &mut Txn, db: usize, limit: usize) -> Result<Option<Vec<u8>>> {
    let step = step(txn, db, b"", Selection::default(), limit)?;
    Ok(step.names.into_iter().next())
}

/// How many keys are drawn for a transaction that cannot run over a view. It draws from these, however often.
const SAMPLE: usize = 64;

/// As [`random`], for a transaction that cannot run over a view. In a larger database, a key that was staged of late is
/// chosen with its share of all keys, another one from those that were drawn.
fn random_of_listing(txn: &mut Txn, db: usize) -> Result<Option<Vec<u8>>> {
    let (keys, now) = (txn.count_keys(db)?, txn.now);
    if keys <= COUNTED_KEYS {
        let mut names = step(txn, db, b"", Selection::default(), usize::MAX)?.names;
        let count = names.len() as u64;
        return Ok((count > 0).then(|| names.swap_remove(txn.random.below(count) as usize)));
    }
    let mut random = txn.random.clone();
    let listing = txn.list_keys(db, b"sample", move |lister| sample(lister, now, &mut random))?;
    let ids = listing.namespaces.iter().map(|(_, namespace)| namespace.id);
    let ids: HashSet<u64, RandomState> = ids.collect();
    let is_there = |id: u64, header: Header| ids.contains(&id) && is_alive(header, now);
    let (mut staged, mut unchanged): (Vec<&[u8]>, Vec<&[u8]>) = (Vec::new(), Vec::new());
    for ((id, name), header) in &listing.staged {
        if header.is_some_and(|header| is_there(*id, header)) {
            staged.push(name);
        }
    }
    for key in &listing.found.keys {
        let place = (key.namespace, key.name.clone());
        if is_there(key.namespace, key.header) && !listing.staged.contains_key(&place) {
            unchanged.push(&key.name);
        }
    }
    let chosen = txn.random.below(keys) as usize;
    if chosen < staged.len() {
        return Ok(Some(staged[chosen].to_vec()));
    }
    let others = match unchanged.is_empty() {
        true => &staged,
        false => &unchanged,
    };
    if others.is_empty() {
        return first(txn, db, LEAF + listing.staged.len());
    }
    let chosen = txn.random.below(others.len() as u64) as usize;
    Ok(Some(others[chosen].to_vec()))
}

fn sample(lister: &mut Lister, now: u64, random: &mut Random) -> Read<()> {
    let namespaces = lister.namespaces.iter().map(|(_, namespace)| *namespace);
    let namespaces: Vec<Namespace> = namespaces.collect();
    let mut names = Names {
        view: lister.view,
        given_up: 0,
    };
    for _ in 0..SAMPLE {
        if let Some((key, header)) = names.choose(&namespaces, now, random)?
            && let Some((namespace, name)) = split_ordered_id(&key)
        {
            lister.add(namespace, name, header);
        }
    }
    Ok(())
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
    fn walk(&self, from: &[u8], prefix: &[u8]) -> Read<Walk<'v>> {
        let end = prefix_end(prefix);
        self.view.short_walk(Family::Meta, from, end.as_deref())
    }

    /// Whether the walk gave up, rather than came to its end.
    fn gave_up(&mut self, walk: &Walk) -> Read<bool> {
        let gave_up = walk.has_given_up()?;
        self.given_up += usize::from(gave_up);
        Ok(gave_up)
    }

    /// A random key of these namespaces that is not past its deadline.
    fn choose(
        &mut self,
        namespaces: &[Namespace],
        now: u64,
        random: &mut Random,
    ) -> Read<Option<(Vec<u8>, Header)>> {
        let all = total(namespaces);
        if namespaces.len() == 1 || all <= COUNTED_KEYS {
            return self.choose_of(namespaces, all, now, random);
        }
        // One whose keys are all past their deadlines may be chosen first.
        for _ in 0..DRAWS {
            let chosen = weighted(namespaces, all, random);
            let found = self.choose_of(&[chosen], chosen.keys, now, random)?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
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
    fn choose_of(
        &mut self,
        namespaces: &[Namespace],
        all: u64,
        now: u64,
        random: &mut Random,
    ) -> Read<Option<(Vec<u8>, Header)>> {
        if all <= COUNTED_KEYS {
            let (mut keys, is_whole) = self.all(namespaces)?;
            keys.retain(|(_, header)| is_alive(*header, now));
            if is_whole || !keys.is_empty() {
                let count = keys.len() as u64;
                return Ok((count > 0).then(|| keys.swap_remove(random.below(count) as usize)));
            }
        }
        let mut found = None;
        for _ in 0..DRAWS {
            let namespace = weighted(namespaces, all, random);
            let Some(draw) = self.draw(&namespace_prefix(namespace.id), random)? else {
                continue;
            };
            if !is_alive(draw.header, now) {
                continue;
            }
            let kept = random.chance(1.0 / (draw.probability * namespace.keys as f64 * WEIGHT_LIMIT));
            found = Some((draw.key, draw.header));
            if kept {
                break;
            }
        }
        Ok(found)
    }

    fn draw(&mut self, namespace: &[u8], random: &mut Random) -> Read<Option<Draw>> {
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
    fn fork_below(&self, first: &[u8], prefix: &[u8]) -> Read<Vec<u8>> {
        let end = prefix_end(prefix).unwrap_or_default();
        let last = self.view.last(Family::Meta, prefix, &end)?;
        let last = last.as_deref().unwrap_or(prefix);
        let shared = first.iter().zip(last).take_while(|(a, b)| a == b).count();
        Ok(first[..shared].to_vec())
    }

    /// The bytes that follow the prefix.
    fn branches(&mut self, prefix: &[u8]) -> Read<Vec<u8>> {
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
    fn all(&mut self, namespaces: &[Namespace]) -> Read<(Keys, bool)> {
        let (mut keys, mut all) = (Keys::new(), true);
        for namespace in namespaces {
            let (found, is_whole) = self.first(&namespace_prefix(namespace.id), usize::MAX)?;
            keys.extend(found);
            all &= is_whole;
        }
        Ok((keys, all))
    }

    /// The first keys that begin with the prefix, and whether there are no more, or so many.
    fn first(&mut self, prefix: &[u8], count: usize) -> Read<(Keys, bool)> {
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
