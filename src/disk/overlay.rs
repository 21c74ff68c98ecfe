//! What the journal of a store holds that can only be read: laid over the families, so that reads see what a checkpoint would
//! have brought there.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map::Range;
use std::ops::Bound;

use rocksdb::{DBRawIterator, ReadOptions};

use super::checkpoint::MARK;
use super::delta;
use super::format::{Family, RecordKey};
use super::journal::{Changes, Position, What};
use super::opened::Opened;
use super::{ReadError, Record};

/// Records by family and key, as they are to be; `None`: there is no such record.
#[derive(Default)]
pub struct Overlay(BTreeMap<(Family, Vec<u8>), Option<Vec<u8>>>);

impl Overlay {
    /// Reads what the journal has and the families have not. It takes memory for it: about twice that of the log files.
    pub fn of_journal(opened: &Opened) -> Result<Overlay, ReadError> {
        let marks = opened.marks()?;
        let mut changed: BTreeMap<(Family, Vec<u8>), What<'static>> = BTreeMap::new();
        let mut options = ReadOptions::default();
        options.fill_cache(false);
        let Some(journal) = opened.find_cf(Family::Journal) else {
            return Ok(Overlay::default());
        };
        let mut walk = opened.raw_iterator_cf_opt(journal, options);
        walk.seek([0; 8]);
        while let Some((key, record)) = walk.item() {
            let position = Position::decode(key)?.number;
            let mut changes = Changes::of(record);
            while changes.offset_in(record).is_some() {
                let change = changes.read()?;
                if position <= marks[change.family as usize] {
                    continue;
                }
                let name = (change.family, change.key.to_vec());
                let what = match changed.remove(&name) {
                    Some(earlier) => earlier.then(change.what)?,
                    None => change.what,
                };
                changed.insert(name, what.into_owned());
            }
            walk.next();
        }
        walk.status()?;
        let whole = changed.into_iter().map(|(name, what)| {
            let value = match what {
                What::Delete => None,
                What::Put(value) => Some(value.into_owned()),
                What::Operand(operand) => Some(apply(opened, &name, &operand)?),
            };
            Ok((name, value))
        });
        whole.collect::<Result<_, ReadError>>().map(Overlay)
    }

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

/// A record with what the journal says has changed in it.
fn apply(opened: &Opened, (family, key): &(Family, Vec<u8>), operand: &[u8]) -> Result<Vec<u8>, ReadError> {
    let mut record = opened
        .read(&RecordKey::new(*family, key))?
        .ok_or_else(|| ReadError::damaged("the journal changes a record that is not there"))?;
    delta::apply(&mut record, operand)?;
    Ok(record)
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

    pub fn seek(&mut self, key: &[u8]) {
        self.it.seek(key);
        self.over = self.overlay.range(self.family, key, self.to.as_deref());
        self.pull();
        self.is_taken = false;
    }

    fn pull(&mut self) {
        self.next_over = self.over.next().map(|((_, key), value)| (&key[..], value));
    }

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

impl What<'_> {
    fn into_owned(self) -> What<'static> {
        let own = |bytes: Cow<[u8]>| Cow::Owned(bytes.into_owned());
        match self {
            What::Delete => What::Delete,
            What::Put(value) => What::Put(own(value)),
            What::Operand(operand) => What::Operand(own(operand)),
        }
    }
}
