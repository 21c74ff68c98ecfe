//! How a store comes to be read without being written: what its journal holds is laid over its families.

use std::borrow::Cow;
use std::collections::BTreeMap;

use rocksdb::ReadOptions;

use super::format::{Family, RecordKey};
use super::journal::{Changes, JournalKey, What};
use super::opened::{OnlyRead, Opened};
use super::overlay::Overlay;
use super::{ReadError, delta};

impl Opened {
    /// Has readers see what the journal holds, as nothing can be written for this reason.
    ///
    /// # Errors
    /// The journal or a record that it changes cannot be read, or makes no sense.
    pub fn read_journal(&mut self, reason: &str) -> Result<(), ReadError> {
        let overlay = Overlay::of_journal(self)?;
        let reason = reason.to_owned();
        self.only_read = Some(OnlyRead { overlay, reason });
        Ok(())
    }
}

impl Overlay {
    /// Reads what the journal has and the families have not. It takes memory for it: about twice that of the log files.
    fn of_journal(opened: &Opened) -> Result<Overlay, ReadError> {
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
            let position = JournalKey::decode(key)?.position;
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
}

/// A record with what the journal says has changed in it.
fn apply(opened: &Opened, (family, key): &(Family, Vec<u8>), operand: &[u8]) -> Result<Vec<u8>, ReadError> {
    let mut record = opened
        .read(&RecordKey::new(*family, key))?
        .ok_or_else(|| ReadError::damaged("the journal changes a record that is not there"))?;
    delta::apply(&mut record, operand)?;
    Ok(record)
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
