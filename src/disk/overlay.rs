//! What the journal of a store holds that can only be read: laid over the families, so that reads see what a checkpoint would
//! have brought there.

use std::collections::BTreeMap;
use std::collections::btree_map::Range;
use std::ops::Bound;

use rocksdb::DBRawIterator;

use super::ReadError;
use super::format::{Family, RecordKey};
use super::marks::MARK;

/// A record's key in its family, and its value.
pub type Record<'w> = (&'w [u8], &'w [u8]);

/// Records by family and key, as they are to be; `None`: there is no such record.
#[derive(Default)]
pub struct Overlay(pub(super) BTreeMap<(Family, Vec<u8>), Option<Vec<u8>>>);

impl Overlay {
    /// What the record is to be; `None` if the overlay says nothing about it, so that its family is to be asked.
    pub fn get(&self, key: &RecordKey) -> Option<&Option<Vec<u8>>> {
        // Stores that can only be read are not fast.
        self.0.get(&(key.family(), key.key().to_vec()))
    }

    fn range(
        &self,
        family: Family,
        from: &[u8],
        to: Option<&[u8]>,
    ) -> Range<'_, (Family, Vec<u8>), Option<Vec<u8>>> {
        let from = (family, from.to_vec());
        match to {
            Some(to) if from.1[..] >= *to => self.0.range(from.clone()..from),
            Some(to) => self.0.range(from..(family, to.to_vec())),
            None => {
                let next = Family::from_number(family as u8 + 1).map(|next| (next, Vec::new()));
                self.0.range((
                    Bound::Included(from),
                    next.map_or(Bound::Unbounded, Bound::Excluded),
                ))
            }
        }
    }
}

/// An ordered walk over a family with the overlay on it.
pub struct OverlaidWalk<'v> {
    it: DBRawIterator<'v>,
    overlay: &'v Overlay,
    family: Family,
    to: Option<Vec<u8>>,
    /// The least record of the overlay that was not yet passed.
    over: Range<'v, (Family, Vec<u8>), Option<Vec<u8>>>,
    next_over: Option<(&'v [u8], &'v Option<Vec<u8>>)>,
    /// The iterator's record was given out.
    is_taken: bool,
}

impl<'v> OverlaidWalk<'v> {
    /// A walk from `from` up to before `to`, or to the family's end; `it` is one over this family.
    pub fn new(
        it: DBRawIterator<'v>,
        overlay: &'v Overlay,
        family: Family,
        from: &[u8],
        to: Option<&[u8]>,
    ) -> OverlaidWalk<'v> {
        let mut walk = OverlaidWalk {
            it,
            overlay,
            family,
            to: to.map(<[u8]>::to_vec),
            over: overlay.range(family, from, to),
            next_over: None,
            is_taken: false,
        };
        walk.pull();
        walk
    }

    /// Goes on with the first record that is not before `key`, which is not before where the walk began.
    pub fn seek(&mut self, key: &[u8]) {
        self.it.seek(key);
        self.over = self.overlay.range(self.family, key, self.to.as_deref());
        self.pull();
        self.is_taken = false;
    }

    fn pull(&mut self) {
        self.next_over = self.over.next().map(|((_, key), value)| (&key[..], value));
    }

    /// The next record, in the order of keys; `None` at the end.
    ///
    /// # Errors
    /// The family cannot be read, or a block of it is damaged.
    pub fn next_record(&mut self) -> Result<Option<Record<'_>>, ReadError> {
        loop {
            if std::mem::take(&mut self.is_taken) {
                self.it.next();
            }
            while self.it.key() == Some(MARK) {
                self.it.next();
            }
            if !self.it.valid() {
                self.it.status()?;
            }
            let Some((over, value)) = self.next_over else {
                self.is_taken = self.it.valid();
                return Ok(self.it.item());
            };
            match self.it.key() {
                Some(key) if key < over => {
                    self.is_taken = true;
                    return Ok(self.it.item());
                }
                // It stands in the family's record's place.
                Some(key) if key == over => self.is_taken = true,
                _ => {}
            }
            self.pull();
            if let Some(value) = value {
                return Ok(Some((over, value)));
            }
        }
    }
}
