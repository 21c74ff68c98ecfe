//! Deletes that stand side by side become one: a range tombstone, which a walk passes in one step. Else it would pass each
//! of what was deleted, again and again, until RocksDB has compacted all that is below.
//!
//! A range may be deleted only where nothing lives. What is between the deletes of a checkpoint is on disk, as nothing but
//! checkpoints adds to a family: so the disk is asked, at the price of walking over what is deleted, once.

use rocksdb::{ReadOptions, SstFileWriter};

use super::format::{Family, RecordKey};
use super::opened::Guard;
use super::{Builder, ReadError, WriteError};

/// So few deletes in a row stay what they are.
const SHORTEST: usize = 16;
/// Deletes that are looked at together.
const MOST: usize = 1024;
/// Records that are looked at for so many deletes, at most: where far more lives than is deleted, there are no rows.
const MOST_LOOKED_AT: usize = 2 * MOST;
/// And so many that lie hidden between two of them. RocksDB counts these itself.
const MOST_HIDDEN: u64 = 16 * MOST as u64;

/// Where deletes go.
pub(super) trait Deletes {
    /// Has one record deleted, which need not be there.
    fn delete(&mut self, family: Family, key: &[u8]) -> Result<(), WriteError>;

    /// Of all with `from <= key < to`.
    fn delete_range(&mut self, family: Family, from: &[u8], to: &[u8]) -> Result<(), WriteError>;
}

/// The table of a family.
impl Deletes for SstFileWriter<'_> {
    fn delete(&mut self, _: Family, key: &[u8]) -> Result<(), WriteError> {
        SstFileWriter::delete(self, key).map_err(WriteError::from)
    }

    fn delete_range(&mut self, _: Family, from: &[u8], to: &[u8]) -> Result<(), WriteError> {
        SstFileWriter::delete_range(self, from, to).map_err(WriteError::from)
    }
}

impl Deletes for Builder<'_> {
    fn delete(&mut self, family: Family, key: &[u8]) -> Result<(), WriteError> {
        Builder::delete(self, &RecordKey::new(family, key));
        Ok(())
    }

    fn delete_range(&mut self, family: Family, from: &[u8], to: &[u8]) -> Result<(), WriteError> {
        Builder::delete_range(self, family, from, to);
        Ok(())
    }
}

/// Passes the deletes of one family on.
pub(super) struct Runs<'g, 'd> {
    db: &'g Guard<'d>,
    family: Family,
    /// Deletes without any other change between them, in order.
    keys: Vec<Vec<u8>>,
}

impl<'g, 'd> Runs<'g, 'd> {
    /// No deletes yet.
    pub fn of(db: &'g Guard<'d>, family: Family) -> Runs<'g, 'd> {
        Runs {
            db,
            family,
            keys: Vec::new(),
        }
    }

    /// Has the record deleted, at once or with those that come next. So [`Runs::end`] has to be called.
    ///
    /// # Errors
    /// A run that this ends cannot be written.
    pub fn delete(&mut self, key: &[u8], to: &mut impl Deletes) -> Result<(), WriteError> {
        if self.family != Family::Meta {
            // Only keys are walked over.
            return to.delete(self.family, key);
        }
        self.keys.push(key.to_vec());
        match self.keys.len() == MOST {
            true => self.end(to),
            false => Ok(()),
        }
    }

    /// What is not a delete comes next, or nothing.
    ///
    /// # Errors
    /// The deletes cannot be written, or the disk cannot be asked what lives between them.
    pub fn end(&mut self, to: &mut impl Deletes) -> Result<(), WriteError> {
        let keys = std::mem::take(&mut self.keys);
        let mut rest = &keys[..];
        for length in self.rows(&keys)? {
            let (row, after) = rest.split_at(length);
            rest = after;
            match row {
                [first, .., last] if length >= SHORTEST => {
                    to.delete_range(self.family, first, &above(last))?;
                }
                _ => row.iter().try_for_each(|key| to.delete(self.family, key))?,
            }
        }
        rest.iter().try_for_each(|key| to.delete(self.family, key))
    }

    /// How many of the keys, from the first on, have nothing alive between them; of those behind, how many; and so on, as
    /// far as that was looked at.
    fn rows(&self, keys: &[Vec<u8>]) -> Result<Vec<usize>, ReadError> {
        let mut rows = Vec::new();
        let (Some(first), Some(last)) = (keys.first(), keys.last()) else {
            return Ok(rows);
        };
        if keys.len() < SHORTEST {
            return Ok(rows);
        }
        let mut options = ReadOptions::default();
        options.fill_cache(false);
        options.set_max_skippable_internal_keys(MOST_HIDDEN);
        options.set_iterate_upper_bound(above(last));
        let mut walk = self.db.raw_iterator_cf_opt(self.db.cf(self.family), options);
        walk.seek(first);
        // Where the row under way began, and the first delete behind what was looked at.
        let (mut begin, mut at) = (0, 0);
        for _ in 0..MOST_LOOKED_AT {
            let Some(key) = walk.key() else {
                match walk.status() {
                    Ok(()) => at = keys.len(),
                    Err(e) if e.kind() == rocksdb::ErrorKind::Incomplete => {}
                    Err(e) => return Err(e.into()),
                }
                break;
            };
            at += keys[at..].partition_point(|deleted| &deleted[..] < key);
            match keys.get(at) {
                Some(deleted) if &deleted[..] == key => at += 1,
                // It lives.
                _ => {
                    rows.push(at - begin);
                    begin = at;
                }
            }
            walk.next();
        }
        rows.push(at - begin);
        Ok(rows)
    }
}

/// The first key behind this one that could be.
fn above(key: &[u8]) -> Vec<u8> {
    [key, b"\0"].concat()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::base::random::Random;
    use crate::disk::testing::open;
    use crate::disk::{Disk, Durability, Patience, passed_over};

    fn key(n: u64) -> RecordKey {
        RecordKey::meta(1, format!("key:{n:06}").as_bytes())
    }

    /// Commits some changes of keys, and brings them to their family.
    fn change(disk: &Disk, changes: impl Iterator<Item = (u64, bool)>) {
        let mut batch = disk.journaled_batch(0).unwrap();
        for (n, is_put) in changes {
            match is_put {
                true => batch.put(&key(n), b"\x01value"),
                false => batch.delete(&key(n)),
            }
        }
        disk.write(batch.finish(), Durability::Written, Patience::Wait)
            .unwrap();
        disk.checkpoint_all().unwrap();
    }

    /// The keys that a walk meets, and how many records that were deleted, or of which there is a later one, it passed.
    fn walk(disk: &Disk) -> (Vec<u64>, u64) {
        passed_over(|| {
            disk.with_view(|view| {
                let mut walk = view.walk(Family::Meta, b"", None).unwrap();
                let mut met = Vec::new();
                while let Some((key, _)) = walk.next_record().unwrap() {
                    met.push(std::str::from_utf8(&key[6..]).unwrap().parse().unwrap());
                }
                met
            })
        })
    }

    #[test]
    fn a_walk_passes_what_is_there_and_not_what_was() {
        let dir = tempfile::tempdir().unwrap();
        let disk = open(dir.path());
        const KEYS: u64 = 60_000;
        const EACH: u64 = 500;
        change(&disk, (0..KEYS).map(|n| (n, true)));
        let deleted: Vec<u64> = (0..KEYS).filter(|n| n % EACH != 0).collect();
        // At once, and in steps as small as those of one who deletes what SCAN shows.
        let (first, rest) = deleted.split_at(deleted.len() / 2);
        change(&disk, first.iter().map(|&n| (n, false)));
        for some in rest.chunks(200) {
            change(&disk, some.iter().map(|&n| (n, false)));
        }
        let (met, passed) = walk(&disk);
        assert_eq!(met.len() as u64, KEYS / EACH);
        assert!(passed < 40 * KEYS / EACH, "{passed} were passed");
    }

    #[test]
    fn deletes_in_ones_do_not_gather_in_memory() {
        let dir = tempfile::tempdir().unwrap();
        let disk = open(dir.path());
        change(&disk, (0..6000).map(|n| (n, true)));
        for n in 0..6000 {
            let mut batch = disk.journaled_batch(0).unwrap();
            batch.delete(&key(n));
            disk.write(batch.finish(), Durability::Written, Patience::Wait)
                .unwrap();
            disk.checkpoint_all().unwrap();
            let held = disk.property(Family::Meta, "rocksdb.num-deletes-active-mem-table");
            assert!(held <= 4096, "{held} deletes are in the memtable");
        }
        assert!(walk(&disk).0.is_empty());
    }

    #[test]
    fn random_changes_leave_what_a_model_has() {
        const KEYS: u64 = 4000;
        let dir = tempfile::tempdir().unwrap();
        let mut random = Random::from_seed(3);
        let mut model = BTreeSet::new();
        let mut disk = open(dir.path());
        for round in 0..120 {
            // Some rows, of some density, of puts or of deletes.
            let mut changes = Vec::new();
            for _ in 0..=random.below(6) {
                let (from, length) = (random.below(KEYS), random.below(1500));
                let (one_in, is_put) = (1 + random.below(3), random.below(5) < 2);
                changes.extend(
                    (from..KEYS.min(from + length))
                        .filter(|_| random.below(one_in) == 0)
                        .map(|n| (n, is_put)),
                );
            }
            for &(n, is_put) in &changes {
                match is_put {
                    true => model.insert(n),
                    false => model.remove(&n),
                };
            }
            change(&disk, changes.into_iter());
            let (met, _) = walk(&disk);
            assert!(met.iter().eq(&model), "round {round}");
            for n in (0..KEYS).filter(|n| n % 97 == round % 97) {
                assert_eq!(disk.get(&key(n)).unwrap().is_some(), model.contains(&n));
            }
            if round % 40 == 39 {
                drop(disk);
                disk = open(dir.path());
            }
        }
    }
}
