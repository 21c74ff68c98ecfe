//! How the keys of a numbered database are divided among namespaces. All that goes over a database goes over the list of its
//! namespaces, which is one, unless the store's databases are divided by slots.

use crate::base::hash_slot::{HASH_SLOTS, hash_slot};
use crate::disk::format::{Family, Namespace, RecordKey, split_slot_key};
use crate::disk::{ReadError, View, Walk};

/// How the keys of a database are divided among namespaces: chosen when a store is made, for all of its databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// All are in one.
    One,
    /// Each of Redis Cluster's hash slots has one of its own, from its first key on: so a slot is counted, listed, dropped
    /// and moved as a database is.
    Slots,
}

/// What has a namespace: a numbered database or, in a store divided so, one of its slots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Holder {
    /// The number of the database.
    pub db: usize,
    /// 0 where databases are not divided.
    pub slot: u16,
}

impl Layout {
    /// What has the namespace that a key of a database is in.
    #[inline]
    pub fn holder(self, db: usize, name: &[u8]) -> Holder {
        let slot = match self {
            Layout::One => 0,
            Layout::Slots => hash_slot(name),
        };
        Holder { db, slot }
    }

    /// All that may have a namespace in a database.
    pub fn holders(self, db: usize) -> impl Iterator<Item = Holder> {
        (0..self.width()).map(move |slot| Holder { db, slot })
    }

    /// How many namespaces a database can have.
    pub fn width(self) -> u16 {
        match self {
            Layout::One => 1,
            Layout::Slots => HASH_SLOTS,
        }
    }

    /// The record that says which namespace it is.
    pub(super) fn record(self, holder: Holder) -> RecordKey {
        match self {
            Layout::One => RecordKey::database(holder.db),
            Layout::Slots => RecordKey::slot(holder.db, holder.slot),
        }
    }

    /// A place in the order in which walks go over a database: the namespace first, then the name.
    pub fn position(self, slot: u16, name: &[u8]) -> Vec<u8> {
        match self {
            Layout::One => name.to_vec(),
            Layout::Slots => [&slot.to_be_bytes(), name].concat(),
        }
    }

    /// The slot and the name of a position; the beginning if it is none.
    pub fn split_position(self, position: &[u8]) -> (u16, &[u8]) {
        match self {
            Layout::One => (0, position),
            Layout::Slots => position
                .split_first_chunk()
                .map_or((0, b""), |(slot, name)| (u16::from_be_bytes(*slot), name)),
        }
    }
}

/// A walk over namespaces, as a view shows them, in the order of what has them. Those of slots without keys are passed over.
pub enum Namespaces<'v> {
    /// One, until it was shown.
    One(Option<(Holder, Namespace)>),
    /// Those of slots.
    Slots(Walk<'v>),
}

impl<'v> Namespaces<'v> {
    /// Those of the slots from one on, up to the database before `end`.
    pub(super) fn of_slots(
        view: &'v View<'v>,
        from: Holder,
        end: usize,
    ) -> Result<Namespaces<'v>, ReadError> {
        let (from, to) = (RecordKey::slot(from.db, from.slot), RecordKey::slot(end, 0));
        let walk = view.walk(Family::System, from.key(), Some(to.key()))?;
        Ok(Namespaces::Slots(walk))
    }

    /// The next one, and what has it.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn next_one(&mut self) -> Result<Option<(Holder, Namespace)>, ReadError> {
        let walk = match self {
            Namespaces::One(only) => return Ok(only.take()),
            Namespaces::Slots(walk) => walk,
        };
        while let Some((key, value)) = walk.next_record()? {
            let (db, slot) = split_slot_key(key)?;
            let namespace = Namespace::decode(value)?;
            if namespace.keys > 0 {
                return Ok(Some((Holder { db, slot }, namespace)));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_in_the_order_of_walks_and_come_back() {
        let places: [(u16, &[u8]); 5] = [(0, b""), (0, b"a"), (1, b""), (255, b"z"), (256, b"a")];
        let positions = places.map(|(slot, name)| Layout::Slots.position(slot, name));
        assert!(positions.is_sorted());
        for (place, position) in places.iter().zip(&positions) {
            assert_eq!(Layout::Slots.split_position(position), *place);
        }
        assert_eq!(Layout::Slots.split_position(b""), (0, &b""[..]));
        // A name alone, as it always was: numbers of cursors stay.
        assert_eq!(Layout::One.position(0, b"name"), b"name");
        assert_eq!(Layout::One.split_position(b"name"), (0, &b"name"[..]));
    }
}
