//! Checkpoints: what is in the journal comes to its families, and leaves the journal.
//!
//! A checkpoint is prepared on any thread, then installed. A large one is a sorted table for each family, which RocksDB
//! takes in as a file: no memtable is searched for the place of each record. A small one is a batch like any other.
//!
//! Families take their tables in one after the other. Each table carries the family's mark, so what a crash in between
//! left undone is done when the store is opened, and nothing twice. Meanwhile no view may begin.

use std::cmp::Ordering;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::slice;
use std::sync::PoisonError;
use std::sync::atomic::Ordering::Relaxed;

use rocksdb::{DBRawIterator, ErrorKind, IngestExternalFileOptions, ReadOptions, SstFileWriter, WriteBatch};

use super::flush::Flush;
use super::format::{Family, Malformed, RecordKey};
use super::journal::{Change, Changes, JournalKey, Position, What};
use super::marks::{MARK, journal_mark};
use super::opened::{Guard, Held};
use super::runs::Runs;
use super::{Batch, Builder, Disk, Durability, Patience, ReadError, WriteError};
use crate::base::warm_up::warm_up;

/// A checkpoint is a batch if it has less than this share of a memtable: 1/32. What tables cost is mostly syncs of files,
/// whatever is in them: so where memtables are small they hold more than that, in bytes.
const SHARE_IN_BATCH: usize = 32;
const LEAST_IN_TABLES: usize = 256 << 10;
/// Or if it has fewer deletes of keys than this ...
const DELETES_IN_TABLES: usize = 1024;
/// ... and the memtable is written out once it has so many: what walks have to pass is not more.
const DELETES_IN_MEMTABLE: usize = 4096;
/// How often a table is offered again that RocksDB could not take at that moment.
const MOST_ATTEMPTS: usize = 20;
/// Where tables are until RocksDB takes them, in the data directory.
const DIRECTORY: &str = "checkpoint";

/// What a checkpoint will do.
pub struct Checkpoint {
    output: Output,
    /// The last record of the journal that it brings to its families.
    last: JournalKey,
    /// There was more in the journal than one checkpoint takes.
    pub more: bool,
    /// How many changes it brings to families.
    pub changes: usize,
    /// Of keys.
    deletes: usize,
}

impl Checkpoint {
    /// Tables are on stable storage at once, and what is in a family must not outlast what is in the journal: not even the
    /// loss of power. So for them the log has to be synced first.
    pub fn needs_sync(&self) -> bool {
        matches!(self.output, Output::Tables(_))
    }
}

enum Output {
    Batch(Batch),
    Tables(Vec<(Family, PathBuf)>),
}

/// A part of the journal: whole records of it, so whole transactions. They are where RocksDB has them.
struct Part<'j> {
    /// With their keys.
    records: Vec<(JournalKey, &'j [u8])>,
    bytes: usize,
    more: bool,
}

/// How much of the journal one checkpoint takes, if it can: it begins at about a memtable's size, and what came meanwhile
/// should not need another one.
fn most_at_once(write_buffer: usize) -> usize {
    write_buffer + write_buffer / 4
}

/// How many write buffers' bytes a checkpoint takes, about: what it is prepared on, and as much of the journal if that is no
/// longer in memtables.
pub const WRITE_BUFFERS: usize = 2;

/// What checkpoints are prepared on: where the changes of each family are. Kept from one to the next, as memory that is
/// new to the process costs more than what is done in it.
#[derive(Default)]
pub(super) struct Scratch([Vec<Place>; Family::ALL.len()]);

impl Scratch {
    /// Makes ready for the next checkpoint. More memory than one should take was needed for very many changes, once: it is
    /// given back.
    fn clear(&mut self, write_buffer: usize) {
        if self.bytes() > write_buffer {
            *self = Scratch::default();
        }
        self.0.iter_mut().for_each(Vec::clear);
    }

    fn bytes(&self) -> usize {
        self.0.iter().map(Vec::capacity).sum::<usize>() * size_of::<Place>()
    }
}

/// Where in a [`Part`] a change is.
struct Place {
    /// The first bytes of its key behind what all keys share, and in the last of its own how many there are, at most
    /// [`LONG`]: what nearly all comparisons of keys end with.
    head: [u64; 2],
    /// The number of the record, and where in it the change begins. (No record has 4 GiB.)
    at: (u32, u32),
}

/// A key of which more is left than [`Place::head`] has room for.
const LONG: usize = 16;

impl Place {
    fn bytes<'j>(&self, part: &Part<'j>) -> &'j [u8] {
        let (_, record) = part.records[self.at.0 as usize];
        &record[self.at.1 as usize..]
    }

    fn change<'j>(&self, part: &Part<'j>) -> Result<Change<'j>, Malformed> {
        Changes::of(self.bytes(part)).read()
    }

    fn key<'j>(&self, part: &Part<'j>) -> &'j [u8] {
        // What was read before reads again.
        Changes::of(self.bytes(part)).key().unwrap_or_default()
    }

    fn is_long(&self) -> bool {
        self.head[1] as u8 == LONG as u8
    }
}

/// Puts the changes of a family in the order of their keys, and of time.
fn sort(part: &Part, places: &mut [Place]) {
    let key = |place: &Place| place.key(part);
    let first = places.first().map(key).unwrap_or_default();
    let shared = |place: &Place| key(place).iter().zip(first).take_while(|(a, b)| a == b).count();
    let common = places.iter().map(shared).min().unwrap_or(0);
    for place in &mut *places {
        let own = &key(place)[common..];
        let mut head = [0; LONG];
        let len = own.len().min(LONG - 1);
        head[..len].copy_from_slice(&own[..len]);
        head[LONG - 1] = own.len().min(LONG) as u8;
        let head = u128::from_be_bytes(head);
        place.head = [(head >> 64) as u64, head as u64];
    }
    places.sort_unstable_by(|a, b| {
        let rest = || match a.is_long() {
            true => key(a).cmp(key(b)),
            false => Ordering::Equal,
        };
        a.head.cmp(&b.head).then_with(rest).then_with(|| a.at.cmp(&b.at))
    });
}

/// How many changes further on the processor should already load what one is read.
const PREFETCH_DISTANCE: usize = 8;

/// Calls `made` for each key among the changes of a family, in order, with what all changes of it come to.
fn fold(
    part: &Part,
    places: &mut [Place],
    mut made: impl FnMut(&[u8], What) -> Result<(), WriteError>,
) -> Result<(), WriteError> {
    sort(part, places);
    let changes = places.iter().enumerate().map(|(number, place)| {
        if let Some(soon) = places.get(number + PREFETCH_DISTANCE) {
            // In this order they are all over the part.
            warm_up(soon.bytes(part).as_ptr());
        }
        place.change(part)
    });
    let mut changes = changes.peekable();
    while let Some(change) = changes.next() {
        let Change { key, mut what, .. } = change.map_err(damaged)?;
        while let Some(later) = changes.next_if(|next| next.as_ref().is_ok_and(|next| next.key == key)) {
            what = what.then(later.map_err(damaged)?.what).map_err(damaged)?;
        }
        made(key, what)?;
    }
    Ok(())
}

impl Disk {
    /// Prepares to bring to its families what is in the journal. `None`: it is empty.
    ///
    /// # Errors
    /// The journal cannot be read or is damaged, or a table cannot be written. Then all is as it was.
    pub fn prepare_checkpoint(&self) -> Result<Option<Checkpoint>, WriteError> {
        let kept = || self.scratch.lock().unwrap_or_else(PoisonError::into_inner);
        let mut scratch = std::mem::take(&mut *kept());
        let checkpoint = self.prepare_in(&mut scratch);
        scratch.clear(self.options.write_buffer);
        *kept() = scratch;
        checkpoint
    }

    fn prepare_in(&self, Scratch(places): &mut Scratch) -> Result<Option<Checkpoint>, WriteError> {
        let db = self.guard()?;
        let mut journal = self.walk_journal(&db);
        let part = read_part(&mut journal, most_at_once(self.options.write_buffer))?;
        let Some(&(last, _)) = part.records.last() else {
            return Ok(None);
        };
        let marks = db.marks()?;
        let mut deletes = 0;
        for (number, &(key, record)) in part.records.iter().enumerate() {
            let mut changes = Changes::of(record);
            while let Some(offset) = changes.offset_in(record) {
                let Change { family, what, .. } = changes.read().map_err(damaged)?;
                deletes += usize::from(family == Family::Meta && what == What::Delete);
                let family = family as usize;
                if key.position > marks[family] {
                    let (head, at) = ([0; 2], (number as u32, offset as u32));
                    places[family].push(Place { head, at });
                }
            }
        }
        let changes = places.iter().map(Vec::len).sum();
        let families = Family::ALL.into_iter().zip(places);
        let families = families.filter(|(_, places)| !places.is_empty());
        let least = (self.options.write_buffer / SHARE_IN_BATCH).max(LEAST_IN_TABLES);
        let output = if part.bytes < least && deletes < DELETES_IN_TABLES {
            Output::Batch(as_batch(&db, families, &part, last)?)
        } else {
            let tables = self.as_tables(&db, families, &part, last.position);
            if tables.is_err() {
                // They may be what fills the disk.
                self.remove_tables()?;
            }
            Output::Tables(tables?)
        };
        Ok(Some(Checkpoint {
            output,
            last,
            more: part.more,
            changes,
            deletes,
        }))
    }

    /// Carries a checkpoint out. Nothing else may write meanwhile. If it [needs that](Checkpoint::needs_sync), the log has
    /// been synced since it was prepared.
    ///
    /// # Errors
    /// The batch cannot be written, or a family does not take its table. Families that already have theirs keep it: until
    /// the rest has followed, views are refused.
    pub fn install(&self, checkpoint: Checkpoint) -> Result<(), WriteError> {
        match checkpoint.output {
            Output::Batch(batch) => {
                self.write(batch, Durability::Written, Patience::Wait)?;
                self.note_deletes(checkpoint.deletes)?;
            }
            Output::Tables(tables) => self.ingest_tables(&tables, checkpoint.last)?,
        }
        self.checkpointed.store(checkpoint.last.position, Relaxed);
        Ok(())
    }

    /// The memtable has `deletes` more of keys.
    fn note_deletes(&self, deletes: usize) -> Result<(), WriteError> {
        let before = self.deletes_in_memtable.fetch_add(deletes, Relaxed);
        if before + deletes < DELETES_IN_MEMTABLE {
            return Ok(());
        }
        self.deletes_in_memtable.store(0, Relaxed);
        self.guard()?.flush_families(&[Family::Meta], Flush::Begun)
    }

    fn ingest_tables(&self, tables: &[(Family, PathBuf)], last: JournalKey) -> Result<(), WriteError> {
        let db = self.guard()?;
        if self.failed.load(Relaxed) {
            // RocksDB would still take tables, but not what comes after them.
            return Err(WriteError::Failed("a write failed before".to_owned()));
        }
        db.await_compactions()?;
        let mut is_partial = self.is_partial.write().unwrap_or_else(PoisonError::into_inner);
        *is_partial = true;
        for (family, path) in tables {
            ingest(&db, *family, path)?;
        }
        let journal = db.cf(Family::Journal);
        let mut batch = WriteBatch::default();
        batch.delete_range_cf(journal, [0; 8], last.position.next().to_be_bytes());
        batch.put_cf(journal, MARK, journal_mark(last, &db.marks()?));
        db.write(batch)?;
        *is_partial = false;
        drop(is_partial);
        // Frees the memory, and the log: there is little left to write.
        db.flush_families(&[Family::Journal], Flush::Begun)
    }

    /// Brings all that is in the journal to its families. Blocks.
    ///
    /// # Errors
    /// As of the two; what is in its families by then stays there.
    pub fn checkpoint_all(&self) -> Result<(), WriteError> {
        while let Some(checkpoint) = self.prepare_checkpoint()? {
            if checkpoint.needs_sync() {
                self.sync()?;
            }
            self.install(checkpoint)?;
        }
        *self.is_partial.write().unwrap_or_else(PoisonError::into_inner) = false;
        Ok(())
    }

    /// Takes out of the journal what was never acknowledged as committed: the log may have it after a failed sync.
    ///
    /// # Errors
    /// The store is closed, or nothing can be written.
    pub(super) fn drop_uncommitted(&self) -> Result<(), WriteError> {
        let mut batch = self.batch()?;
        let from = self.committed.load(Relaxed).next();
        batch.delete_range(Family::Journal, &from.to_be_bytes(), &u64::MAX.to_be_bytes());
        self.write(batch.finish(), Durability::Written, Patience::Wait)
    }

    /// As if the last commit had been refused.
    #[cfg(test)]
    pub fn forget_last_commit(&self) {
        let before = Position::of(self.committed.load(Relaxed).number() - 1);
        self.committed.store(before, Relaxed);
    }

    /// Removes tables that no family took in.
    fn remove_tables(&self) -> Result<(), ReadError> {
        match fs::remove_dir_all(self.dir.join(DIRECTORY)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                Err(ReadError::failed(format!("{DIRECTORY}: {e}")))
            }
            _ => Ok(()),
        }
    }

    /// Removes what a crash left of tables, and finds where the journal goes on.
    ///
    /// # Errors
    /// A table cannot be removed, or the journal or a family's mark cannot be read.
    pub(super) fn find_journal_end(&self) -> Result<(), ReadError> {
        self.remove_tables()?;
        let db = self.guard()?;
        let mut it = db.raw_iterator_cf(db.cf(Family::Journal));
        it.seek_to_last();
        let last = it
            .key()
            .filter(|key| *key != MARK)
            .map(JournalKey::decode)
            .transpose()?;
        it.status()?;
        let last = last.map(|key| key.position);
        let end = db.marks()?.into_iter().chain(last).max().unwrap_or_default();
        self.committed.store(end, Relaxed);
        Ok(())
    }

    /// A walk over what of the journal is not in its families. Each value is where it is for as long as the walk lives.
    fn walk_journal<'d>(&self, db: &'d Guard) -> JournalWalk<'d> {
        let mut options = ReadOptions::default();
        options.fill_cache(false);
        options.set_pin_data(true);
        let mut walk = db.raw_iterator_cf_opt(db.cf(Family::Journal), options);
        walk.seek(self.checkpointed.load(Relaxed).next().to_be_bytes());
        JournalWalk(walk)
    }

    fn as_tables<'p>(
        &self,
        db: &Guard,
        families: impl Iterator<Item = (Family, &'p mut Vec<Place>)>,
        part: &Part,
        last: Position,
    ) -> Result<Vec<(Family, PathBuf)>, WriteError> {
        let dir = self.dir.join(DIRECTORY);
        fs::create_dir_all(&dir).map_err(|e| WriteError::Failed(format!("{}: {e}", dir.display())))?;
        let mut tables = Vec::new();
        for (family, places) in families {
            // No name comes twice: RocksDB may hold the file under another.
            let path = dir.join(format!("{}-{last}.sst", family.name()));
            self.write_table(db, family, places, part, last, &path)?;
            // A table cannot pass what the memtable has of its keys: better that is written now than while all wait.
            let has = |name: &str| db.property(family, name) > 0;
            if has("rocksdb.num-entries-active-mem-table") || has("rocksdb.num-immutable-mem-table") {
                db.flush_families(&[family], Flush::Ended)?;
            }
            tables.push((family, path));
        }
        Ok(tables)
    }

    fn write_table(
        &self,
        db: &Guard,
        family: Family,
        places: &mut [Place],
        part: &Part,
        last: Position,
        path: &Path,
    ) -> Result<(), WriteError> {
        let options = self.options.table(family, &self.cache);
        let mut table = SstFileWriter::create(&options);
        table.open(path)?;
        table.put(MARK, last.to_be_bytes())?;
        let mut deletes = Runs::of(db, family);
        fold(part, places, |key, what| {
            if what != What::Delete {
                deletes.end(&mut table)?;
            }
            match what {
                What::Delete => deletes.delete(key, &mut table)?,
                What::Put(value) => table.put(key, value)?,
                What::Operand(operand) => table.merge(key, operand)?,
            }
            Ok(())
        })?;
        deletes.end(&mut table)?;
        table.finish().map_err(WriteError::from)
    }
}

/// Made by [`Disk::walk_journal`] alone: it pins data.
struct JournalWalk<'d>(DBRawIterator<'d>);

/// Reads at most `most` bytes of the journal, or one record.
fn read_part<'j>(JournalWalk(walk): &'j mut JournalWalk, most: usize) -> Result<Part<'j>, ReadError> {
    let (mut records, mut bytes, mut more) = (Vec::new(), 0, false);
    while let Some((key, record)) = walk.item() {
        if bytes + record.len() > most && !records.is_empty() {
            more = true;
            break;
        }
        bytes += record.len();
        // SAFETY: RocksDB leaves the value of a record that was put, as all of this family are, where it is until an
        // iterator that pins data ends ("rocksdb.iterator.is-value-pinned"), not until it moves; and this one is borrowed
        // for as long as what is read here.
        let pinned = unsafe { slice::from_raw_parts(record.as_ptr(), record.len()) };
        records.push((JournalKey::decode(key)?, pinned));
        walk.next();
    }
    walk.status()?;
    Ok(Part { records, bytes, more })
}

/// Has a family take a table in.
fn ingest(db: &Guard, family: Family, path: &Path) -> Result<(), WriteError> {
    let mut options = IngestExternalFileOptions::default();
    options.set_move_files(true);
    let mut attempts = 0;
    loop {
        match db.ingest_external_file_cf_opts(db.cf(family), &options, vec![path]) {
            // A memtable that the table has to pass was not written out in time.
            Err(e) if e.kind() == ErrorKind::TryAgain && attempts < MOST_ATTEMPTS => {
                db.flush_families(&[family], Flush::Ended)?;
                attempts += 1;
            }
            result => return result.map_err(WriteError::from),
        }
    }
}

fn as_batch<'p>(
    db: &Guard,
    families: impl Iterator<Item = (Family, &'p mut Vec<Place>)>,
    part: &Part,
    last: JournalKey,
) -> Result<Batch, WriteError> {
    let mut batch = Builder::over(Held::Shared(db));
    for (family, places) in families {
        let mut deletes = Runs::of(db, family);
        fold(part, places, |key, what| {
            if what != What::Delete {
                deletes.end(&mut batch)?;
            }
            let record = RecordKey::new(family, key);
            match what {
                What::Delete => deletes.delete(key, &mut batch)?,
                What::Put(value) => batch.put(&record, &value),
                What::Operand(operand) => batch.merge(&record, &operand),
            }
            Ok(())
        })?;
        deletes.end(&mut batch)?;
    }
    for (key, _) in &part.records {
        batch.delete(&RecordKey::new(Family::Journal, &key.encode()));
    }
    let mark = journal_mark(last, &db.marks()?);
    batch.put(&RecordKey::new(Family::Journal, MARK), &mark);
    Ok(batch.finish())
}

fn damaged(malformed: Malformed) -> WriteError {
    WriteError::Damaged(malformed.to_string())
}

#[cfg(test)]
mod tests;
