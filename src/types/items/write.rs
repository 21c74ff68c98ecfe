//! From items to what a key holds. The pieces of a value are gathered, and written together: as a new value what came first, added
//! to it what comes then. So who writes decides how much memory that takes.

mod stream;

use std::collections::HashSet;

use foldhash::fast::RandomState;

use crate::rdb::{CellBuffer, Item, Key as ItemKey, Kind};
use crate::store::{Entry, Key, Result, Stop, Txn};
use crate::types::hash::{Expiry, FieldToBe, Hash};
use crate::types::list::{Limit, List, Side};
use crate::types::set;
use crate::types::sorted_set::{self, Condition};
use crate::types::string;
use crate::types::thresholds::Thresholds;
use stream::StreamParts;

/// What a piece takes beside its bytes, about.
const OVERHEAD: usize = 24;

/// A value on its way into a store.
///
/// Give it the items of a key with [`Assembly::take`]; when it says that the value is whole, or [`Assembly::bytes`] are many, have
/// a transaction run [`Assembly::write`], and when that is staged, call [`Assembly::written`].
pub struct Assembly {
    database: usize,
    name: Vec<u8>,
    deadline: Option<u64>,
    kind: Kind,
    parts: Parts,
    /// A part of the value has been written: the next is added to it.
    is_begun: bool,
}

/// Pieces that are not yet written.
enum Parts {
    Text(Vec<u8>),
    /// Of a list or a set.
    Elements(CellBuffer),
    /// Fields and values in turn, and the deadline of each field.
    Fields(CellBuffer, Vec<Option<u64>>),
    Scored(CellBuffer, Vec<f64>),
    Stream(StreamParts),
}

impl Parts {
    fn of(kind: Kind) -> Parts {
        match kind {
            Kind::String => Parts::Text(Vec::new()),
            Kind::List | Kind::Set => Parts::Elements(CellBuffer::default()),
            Kind::Hash => Parts::Fields(CellBuffer::default(), Vec::new()),
            Kind::SortedSet => Parts::Scored(CellBuffer::default(), Vec::new()),
            Kind::Stream => Parts::Stream(StreamParts::default()),
        }
    }
}

/// What is not as items come.
fn malformed<T>(what: &'static str) -> Result<T> {
    Stop::error(format!("ERR Bad data format: {what}"))
}

/// Refuses what is there twice.
fn all_different<'m>(members: impl ExactSizeIterator<Item = &'m [u8]>) -> Result<()> {
    let (count, mut seen) = (members.len(), HashSet::with_hasher(RandomState::default()));
    seen.reserve(count);
    seen.extend(members);
    match seen.len() == count {
        true => Ok(()),
        false => malformed("a member or a field is there twice"),
    }
}

impl Assembly {
    /// Begins with a key's first item.
    pub fn begin(key: ItemKey) -> Assembly {
        Assembly {
            database: usize::try_from(key.database).unwrap_or(usize::MAX),
            name: key.name.to_vec(),
            deadline: key.deadline,
            kind: key.kind,
            parts: Parts::of(key.kind),
            is_begun: false,
        }
    }

    /// The key that the value is for.
    pub fn key(&self) -> Key<'_> {
        Key {
            db: self.database,
            name: &self.name,
        }
    }

    /// Takes the next piece; whether the value is whole with it.
    ///
    /// # Errors
    /// The piece is not one of such a value.
    pub fn take(&mut self, item: Item) -> Result<bool> {
        match (&mut self.parts, item) {
            (Parts::Stream(parts), Item::End) => {
                parts.take(Item::End)?;
                return Ok(true);
            }
            (_, Item::End) => return Ok(true),
            (Parts::Text(text), Item::Text(bytes)) => text.extend_from_slice(bytes),
            (Parts::Elements(elements), Item::Element(element)) => elements.push(element),
            (
                Parts::Fields(cells, deadlines),
                Item::Field {
                    field,
                    value,
                    deadline,
                },
            ) => {
                cells.push(field);
                cells.push(value);
                deadlines.push(deadline);
            }
            (Parts::Scored(members, scores), Item::Scored { member, score }) => {
                if score.is_nan() {
                    return malformed("a score is not a number");
                }
                members.push(member);
                scores.push(score);
            }
            (Parts::Stream(parts), item) => parts.take(item)?,
            _ => return malformed("a piece of another type's value"),
        }
        Ok(false)
    }

    /// About how much memory the pieces take that are not yet written.
    pub fn bytes(&self) -> usize {
        match &self.parts {
            Parts::Text(text) => text.len(),
            Parts::Elements(cells) | Parts::Fields(cells, _) | Parts::Scored(cells, _) => {
                cells.bytes() + OVERHEAD * cells.cells().len()
            }
            Parts::Stream(parts) => parts.bytes(),
        }
    }

    /// Whether a part of the value has been written.
    pub fn is_begun(&self) -> bool {
        self.is_begun
    }

    /// What was gathered is staged.
    pub fn written(&mut self) {
        self.is_begun = true;
        match &mut self.parts {
            Parts::Stream(parts) => parts.written(),
            parts => *parts = Parts::of(self.kind),
        }
    }

    /// Writes what was gathered: over whatever the key held, or behind what was written of the value. It may run any number of
    /// times. A value without elements leaves no key. What is due by now is left out.
    ///
    /// # Errors
    /// A fault; pieces that no such value has, as a member that is there twice.
    pub fn write(&self, txn: &mut Txn, limits: &Thresholds) -> Result<()> {
        let key = self.key();
        let old = txn.lookup(key)?;
        if self.is_begun {
            return self.add(txn, old, limits);
        }
        let (old, deadline) = (old.as_ref(), self.deadline);
        match &self.parts {
            Parts::Text(text) => string::set(txn, key, old, text, deadline),
            Parts::Elements(elements) if self.kind == Kind::List => {
                let mut list = List::open(None)?;
                push(txn, &mut list, elements);
                list.save_until(txn, key, old, Limit(limits.list_size), deadline)
            }
            Parts::Elements(members) => {
                all_different(members.cells().iter())?;
                let members: Vec<&[u8]> = members.cells().iter().collect();
                set::write_all(txn, key, old, &members, deadline, limits)
            }
            Parts::Fields(cells, deadlines) => {
                let fields = fields(cells, deadlines, txn.now);
                if fields.is_empty() {
                    return old.map_or(Ok(()), |old| txn.remove(key, old));
                }
                all_different(fields.iter().map(|(field, ..)| *field))?;
                Hash::build(txn, &fields, limits)?.save_over(txn, key, old, deadline)
            }
            Parts::Scored(members, scores) => {
                all_different(members.cells().iter())?;
                let members = members.cells().iter().zip(scores.iter().copied());
                sorted_set::write_all(txn, key, old, members.collect(), deadline, limits)
            }
            Parts::Stream(parts) => {
                parts.create(txn, key, old, limits)?;
                match txn.lookup(key)? {
                    Some(entry) if entry.header.deadline != deadline => {
                        txn.set_deadline(key, &entry, deadline)
                    }
                    _ => Ok(()),
                }
            }
        }
    }

    fn add(&self, txn: &mut Txn, old: Option<Entry>, limits: &Thresholds) -> Result<()> {
        let key = self.key();
        match &self.parts {
            Parts::Text(text) => {
                let at = old.as_ref().map_or(Ok(0), string::len)?;
                string::write_at(txn, key, old.as_ref(), at, text).map(drop)
            }
            Parts::Elements(elements) if self.kind == Kind::List => {
                let mut list = List::open(old.as_ref())?;
                push(txn, &mut list, elements);
                list.save_until(txn, key, old.as_ref(), Limit(limits.list_size), self.deadline)
            }
            Parts::Elements(members) => {
                let cells = members.cells();
                let added = set::add(txn, key, cells.iter(), limits)?;
                complete(added, cells.len())
            }
            Parts::Fields(cells, deadlines) => {
                let fields = fields(cells, deadlines, txn.now);
                // All that came before may have been due.
                if old.is_none() {
                    if fields.is_empty() {
                        return Ok(());
                    }
                    all_different(fields.iter().map(|(field, ..)| *field))?;
                    return Hash::build(txn, &fields, limits)?.save_over(txn, key, None, self.deadline);
                }
                let mut hash = Hash::to_write(txn, key)?;
                hash.prefetch_to_set(txn, fields.iter().map(|(field, ..)| *field))?;
                let mut added = 0;
                for (field, value, deadline) in &fields {
                    let expiry = deadline.map_or(Expiry::Clear, Expiry::At);
                    added += u64::from(hash.put(txn, field, value, expiry, limits)?);
                }
                hash.save(txn, key)?;
                complete(added, fields.len())
            }
            Parts::Scored(members, scores) => {
                let cells = members.cells();
                let members = cells.iter().zip(scores.iter().copied());
                let added = sorted_set::add(txn, key, members, Condition::default(), limits)?;
                complete(added.added, cells.len())
            }
            Parts::Stream(parts) => parts.add(txn, key, old, limits),
        }
    }
}

/// Adds elements behind all of a list.
fn push(txn: &mut Txn, list: &mut List, elements: &CellBuffer) {
    let elements: Vec<&[u8]> = elements.cells().iter().collect();
    list.push(txn, Side::Right, elements.into_iter().rev());
}

/// Refuses members of which some were there.
fn complete(added: u64, members: usize) -> Result<()> {
    match added == members as u64 {
        true => Ok(()),
        false => malformed("a member or a field is there twice"),
    }
}

/// The fields that are not due.
fn fields<'c>(cells: &'c CellBuffer, deadlines: &[Option<u64>], now: u64) -> Vec<FieldToBe<'c>> {
    let mut cells = cells.cells().iter();
    let fields = deadlines.iter().map_while(|deadline| {
        let field = cells.next()?;
        Some((field, cells.next()?, *deadline))
    });
    fields
        .filter(|(.., deadline)| deadline.is_none_or(|deadline| deadline > now))
        .collect()
}
