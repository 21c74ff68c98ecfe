//! Sets of records to write, all or nothing: made by a [`Builder`], written by [`Disk::write`](super::Disk::write).

use rocksdb::WriteBatch;

use super::format::{Family, RecordKey};
use super::journal::{self, JournalKey, Position};
use super::opened::Held;

/// A set of records to write, all or nothing.
pub struct Batch {
    /// The records, as RocksDB takes them.
    pub(super) inner: WriteBatch,
    records: usize,
    /// Of the journal's record among them.
    pub(super) position: Option<Position>,
    /// The journal's record is longer than RocksDB takes.
    pub(super) too_long: bool,
}

impl Batch {
    /// How many records it changes.
    pub fn len(&self) -> usize {
        self.records
    }

    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// Its bytes, as RocksDB writes them to its log.
    pub fn size(&self) -> usize {
        self.inner.size_in_bytes()
    }
}

/// A batch in the making.
pub struct Builder<'d> {
    db: Held<'d>,
    inner: WriteBatch,
    /// Where the changes of most families go, and the key that they will have.
    journal: Option<(journal::Writer, JournalKey)>,
}

/// Longest journal record, that is most bytes of one commit: RocksDB takes no value of 4 GiB.
pub(super) const MOST_JOURNAL_BYTES: usize = 4 << 30;
/// From so many bytes on, the memory of a journal record is asked for at once: whatever the last one had.
pub(super) const LARGE_RECORD: usize = 1 << 20;

impl<'d> Builder<'d> {
    /// A batch whose changes go to their families at once.
    pub(super) fn over(db: Held<'d>) -> Builder<'d> {
        Builder {
            db,
            inner: WriteBatch::new(),
            journal: None,
        }
    }

    /// A batch whose changes go to the journal, as the record with this key; about `expected` bytes of them are to come.
    pub(super) fn journaled(db: Held<'d>, key: JournalKey, expected: usize) -> Builder<'d> {
        let mut writer = journal::Writer::default();
        writer.bytes.reserve_exact(expected);
        Builder {
            journal: Some((writer, key)),
            ..Builder::over(db)
        }
    }

    /// Writes a record whole.
    pub fn put(&mut self, key: &RecordKey, value: &[u8]) {
        match self.journal_of(key) {
            Some(journal) => journal.put(key, value),
            None => self.inner.put_cf(self.db.cf(key.family()), key.key(), value),
        }
    }

    /// Writes what changed in a record that is there: an operand of [`super::delta`].
    pub fn merge(&mut self, key: &RecordKey, operand: &[u8]) {
        match self.journal_of(key) {
            Some(journal) => journal.merge(key, operand),
            None => self.inner.merge_cf(self.db.cf(key.family()), key.key(), operand),
        }
    }

    /// Deletes a record, which may not be there.
    pub fn delete(&mut self, key: &RecordKey) {
        match self.journal_of(key) {
            Some(journal) => journal.delete(key),
            None => self.inner.delete_cf(self.db.cf(key.family()), key.key()),
        }
    }

    /// Deletes every record of `family` with `from <= key < to`, passing by the journal.
    ///
    /// # Panics
    /// If `from` is behind `to`: RocksDB 11.8 would refuse the batch, and then every write of all families until it is opened
    /// again.
    pub fn delete_range(&mut self, family: Family, from: &[u8], to: &[u8]) {
        assert!(from <= to, "a range of {family:?} that ends before it begins");
        self.inner.delete_range_cf(self.db.cf(family), from, to);
    }

    fn journal_of(&mut self, key: &RecordKey) -> Option<&mut journal::Writer> {
        let (journal, _) = self.journal.as_mut()?;
        Family::JOURNALED.contains(&key.family()).then_some(journal)
    }

    /// How many changes it has.
    pub fn len(&self) -> usize {
        self.inner.len() + self.journal.as_ref().map_or(0, |(journal, _)| journal.changes)
    }

    /// Whether it changes nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The batch, ready to be written.
    pub fn finish(mut self) -> Batch {
        let records = self.len();
        let (mut too_long, mut position) = (false, None);
        if let Some((journal, at)) = self.journal.filter(|(journal, _)| journal.changes > 0) {
            let family = self.db.cf(Family::Journal);
            position = Some(at.position);
            too_long = journal.bytes.len() >= MOST_JOURNAL_BYTES;
            if !too_long {
                self.inner.put_cf(family, at.encode(), journal.bytes);
            }
        }
        Batch {
            inner: self.inner,
            records,
            position,
            too_long,
        }
    }
}
