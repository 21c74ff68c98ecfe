//! Writes gathered pieces to the store: as a key's value, or as more of it.

use super::id_here;
use super::pieces::{Extra, Group, Pieces};
use crate::rdb::{Counters, Kind};
use crate::store::{Entry, Key, Result, Stop, Txn};
use crate::types::hash::{Expiry, Hash};
use crate::types::list::{Limit, List, Side};
use crate::types::set::Set;
use crate::types::sorted_set::SortedSet;
use crate::types::stream::{NewId, Stream};
use crate::types::thresholds::Thresholds;
use crate::types::{set, sorted_set, string};

/// What pieces are answered with that make no value: a member twice, entries out of order, pending entries of nobody.
pub const BAD_DATA: &str = "ERR Bad data format";

fn bad<T>() -> Result<T> {
    Stop::error(BAD_DATA)
}

impl Pieces {
    /// Makes the pieces the key's value, `old` being what it held, with this deadline. Whether there is a key then: a hash of
    /// which all fields are due is none.
    ///
    /// # Errors
    /// [`BAD_DATA`] for pieces that make no value.
    pub fn write(
        &self,
        txn: &mut Txn,
        key: Key,
        old: Option<&Entry>,
        deadline: Option<u64>,
        limits: &Thresholds,
    ) -> Result<bool> {
        if self.is_empty() {
            return bad();
        }
        match self.kind {
            Kind::String => string::set(txn, key, old, self.texts().next().unwrap_or_default(), deadline)?,
            Kind::List => {
                let mut list = List::default();
                // What comes last is the outermost.
                list.push(txn, Side::Right, self.texts().rev());
                list.save_until(txn, key, old, Limit(limits.list_size), deadline)?;
            }
            Kind::Set => {
                let mut members: Vec<&[u8]> = self.texts().collect();
                members.sort_unstable();
                if members.windows(2).any(|two| two[0] == two[1]) {
                    return bad();
                }
                let members: Vec<&[u8]> = self.texts().collect();
                set::write_all(txn, key, old, &members, deadline, limits)?;
            }
            Kind::Hash => {
                let mut hash = Hash::in_place_of(old.cloned());
                self.put_fields(txn, &mut hash, limits)?;
                if hash.is_empty() {
                    return Ok(false);
                }
                hash.save_until(txn, key, deadline)?;
            }
            Kind::SortedSet => {
                let members: Vec<(&[u8], f64)> = self.scored().collect();
                let mut names: Vec<&[u8]> = self.texts().collect();
                names.sort_unstable();
                if names.windows(2).any(|two| two[0] == two[1]) {
                    return bad();
                }
                sorted_set::write_all(txn, key, old, members, deadline, limits)?;
            }
            Kind::Stream => {
                let mut stream = Stream::create(txn);
                self.put_entries(txn, &mut stream, limits)?;
                stream.save_until(txn, key, old, deadline)?;
            }
        }
        Ok(true)
    }

    /// Adds the pieces to the key's value, which [`Pieces::write`] has begun with those before.
    ///
    /// # Errors
    /// [`BAD_DATA`] for pieces that make no value together with those before.
    pub fn extend(&self, txn: &mut Txn, key: Key, limits: &Thresholds) -> Result<()> {
        let there = txn.lookup(key)?;
        match self.kind {
            Kind::String => return bad(),
            Kind::List => {
                let mut list = List::open(there.as_ref())?;
                // What comes last is the outermost.
                list.push(txn, Side::Right, self.texts().rev());
                list.save(txn, key, there.as_ref(), Limit(limits.list_size))?;
            }
            Kind::Set => {
                let before = Set::open(there)?.map_or(Ok(0), |set| set.cardinality())?;
                let added = set::add(txn, key, self.texts(), limits)?;
                if added != self.extras.len() as u64 && before > 0 {
                    return bad();
                }
            }
            Kind::Hash => {
                let mut hash = Hash::to_write(txn, key)?;
                hash.prefetch_to_set(txn, self.texts().step_by(2))?;
                self.put_fields(txn, &mut hash, limits)?;
                hash.save(txn, key)?;
            }
            Kind::SortedSet => {
                SortedSet::open(there)?;
                let condition = sorted_set::Condition::default();
                let added = sorted_set::add(txn, key, self.scored(), condition, limits)?;
                if added.added != self.extras.len() as u64 {
                    return bad();
                }
            }
            Kind::Stream => {
                let Some(mut stream) = Stream::open(there.as_ref())? else {
                    return bad();
                };
                self.put_entries(txn, &mut stream, limits)?;
                stream.save(txn, key, there.as_ref())?;
            }
        }
        Ok(())
    }

    fn scored(&self) -> impl Iterator<Item = (&[u8], f64)> + Clone {
        let scores = self.extras.iter().map(|extra| match extra {
            Extra::Score(score) => *score,
            _ => 0.0,
        });
        self.texts().zip(scores)
    }

    fn put_fields(&self, txn: &mut Txn, hash: &mut Hash, limits: &Thresholds) -> Result<()> {
        let mut texts = self.texts();
        for extra in &self.extras {
            let (Some(field), Some(value), Extra::Deadline(deadline)) = (texts.next(), texts.next(), extra)
            else {
                return bad();
            };
            if deadline.is_some_and(|deadline| deadline <= txn.now) {
                continue;
            }
            let expiry = deadline.map_or(Expiry::Clear, Expiry::At);
            if !hash.put(txn, field, value, expiry, limits)? {
                return bad();
            }
        }
        Ok(())
    }

    fn put_entries(&self, txn: &mut Txn, stream: &mut Stream, limits: &Thresholds) -> Result<()> {
        let mut texts = self.texts();
        let mut pairs = Vec::new();
        for extra in &self.extras {
            let Extra::Entry(id, parts) = *extra else {
                return bad();
            };
            pairs.clear();
            pairs.extend(texts.by_ref().take(parts));
            if id_here(id) <= stream.last || parts == 0 || parts % 2 == 1 {
                return bad();
            }
            stream.append(txn, NewId::Exactly(id_here(id)), &pairs, limits)?;
        }
        let Some(counters) = self.counters else {
            return Ok(());
        };
        count(stream, counters)?;
        for group in &self.groups {
            put_group(txn, stream, group)?;
        }
        Ok(())
    }
}

/// Takes over what was counted, if that can be.
fn count(stream: &mut Stream, counters: Counters) -> Result<()> {
    let last = id_here(counters.last);
    if counters.length != stream.length || last < stream.last || counters.added < counters.length {
        return bad();
    }
    stream.last = last;
    stream.added = counters.added;
    stream.max_deleted = id_here(counters.max_deleted);
    Ok(())
}

fn put_group(txn: &mut Txn, stream: &mut Stream, from: &Group) -> Result<()> {
    if !stream.create_group(txn, &from.name, id_here(from.last), from.read)? {
        return bad();
    }
    let Some(mut group) = stream.group(txn, &from.name)? else {
        return bad();
    };
    let mut owned = 0;
    for consumer in &from.consumers {
        if group.find(txn, &consumer.name)?.is_some() {
            return bad();
        }
        let at = group.create(txn, &consumer.name)?;
        group.consumer(at).seen = consumer.seen;
        group.consumer(at).active = consumer.active;
        for id in &consumer.owned {
            let Ok(pending) = from.pending.binary_search_by_key(id, |pending| pending.0) else {
                return bad();
            };
            let (_, time, count) = from.pending[pending];
            if group.delivery(txn, id_here(*id))?.is_some() {
                return bad();
            }
            group.assign(txn, id_here(*id), at, time, count)?;
            owned += 1;
        }
    }
    group.save(txn);
    match owned == from.pending.len() {
        true => Ok(()),
        false => bad(),
    }
}
