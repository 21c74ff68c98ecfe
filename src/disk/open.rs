//! Opening a store. One that is not whole is refused, with a word on what is wrong, and nothing in its directory is touched:
//! so it is read first, as it is, and opened for writing when all that is known of it holds.
//!
//! ```text
//! lock the directory -> what is in it? (directory.rs) --nothing--> make a store
//!     |--a store--> CURRENT, MANIFEST, logs: whole? (log_file.rs) -> open for reading: format, journal, what was synced
//!                       -> room? --yes--> open for writing, a checkpoint of what the journal holds
//!                                --no---> stay with reading; `reopen` is tried from time to time
//! ```

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Mutex, PoisonError, RwLock};

use rocksdb::{Cache, ReadOptions};

use super::directory::{self, Creation, Found, LogFaults};
use super::format::{FORMAT_VERSION, Family, OLDEST_FORMAT, RecordKey};
use super::identity::{self, Identity, Known, Notes, State};
use super::journal::{JournalKey, Position, SharedPosition};
use super::lock::{self, Lock};
use super::marks::{self, MARK};
use super::opened::Opened;
use super::staged;
use super::{Disk, DiskOptions, Durability, OpenError, Patience, ReadError};
use crate::base::log;

/// What a store has lost of what was written, a line each.
#[derive(Clone, Debug, Default)]
pub struct Lost {
    /// It must not have been lost.
    pub faults: Vec<String>,
    /// It was not on stable storage, and the machine was started again since: such is the loss of power.
    pub with_power: Vec<String>,
}

/// What is to be done with a store that has lost what was acknowledged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Losses {
    Refused,
    /// (What is missing or damaged in tables is refused all the same.)
    Accepted,
}

/// Room beside the log that has to be there before a store is opened for writing, in bytes.
const ROOM: u64 = 4 << 20;
/// So many times the room that is needed is enough not to try whether it can be had.
const PLENTY: u64 = 4;
const MIN_LOG_NUMBER: &str = "rocksdb.min-log-number-to-keep";

impl Disk {
    /// Opens the store in `dir`, or makes one where there is none, if that is allowed. If there is no room to write, or the
    /// file system cannot be written to, the store can be [read](Disk::read_only).
    ///
    /// # Errors
    /// See [`OpenError`]; what was there is left as it is.
    pub fn open(dir: &Path, options: &DiskOptions, creation: &Creation) -> Result<Disk, OpenError> {
        let absent = || OpenError::Absent(format!("{} holds none, and none is to be made", dir.display()));
        if creation.is_refused && !dir.exists() {
            return Err(absent());
        }
        fs::create_dir_all(dir).map_err(|e| io_error(dir, &e))?;
        let lock = lock::take(dir, Lock::Exclusive)?;
        let identity = match directory::examine(dir, creation)? {
            Found::Nothing | Found::HalfMade(_) if creation.is_refused => return Err(absent()),
            Found::Nothing => return Disk::make(dir, lock, options, Identity::new()),
            Found::HalfMade(identity) => {
                directory::clear_half_made(dir)?;
                return Disk::make(dir, lock, options, identity);
            }
            Found::Store(identity) => identity,
        };
        let (disk, journal) = Disk::inspect(dir, lock, options, identity, Losses::Refused)?;
        if let Some(reason) = why_unwritable(dir) {
            disk.stay_with_reading(&reason.to_string())?;
            return Ok(disk);
        }
        if let Err(error) = staged::discard(dir) {
            log::warning(format_args!("what a restore left cannot be removed: {error}"));
        }
        disk.begin_writing(&journal).or_else(|error| {
            // It is damaged where only what writes comes by: what can be read is served.
            disk.stay_with_reading(&error.to_string())
        })?;
        Ok(disk)
    }

    /// Opens the store in `dir` for reading: nothing there is written. Others may read it meanwhile. Also returns what it
    /// has lost, which does not keep it from being read.
    ///
    /// # Errors
    /// See [`OpenError`]; lost commits are no reason.
    pub fn open_to_read(dir: &Path, options: &DiskOptions) -> Result<(Disk, Lost), OpenError> {
        let (disk, journal) = Disk::inspect_store(dir, Lock::Shared, options)?;
        disk.stay_with_reading("it was opened for reading")?;
        let lost = match journal.is_excused {
            true => Lost {
                with_power: journal.faults,
                faults: Vec::new(),
            },
            false => Lost {
                with_power: Vec::new(),
                faults: journal.faults,
            },
        };
        Ok((disk, lost))
    }

    /// Opens a store that has lost something, and has it forget that: it goes on from what there is. Returns what was wrong.
    ///
    /// # Errors
    /// See [`OpenError`]. Tables that are missing or damaged are refused all the same.
    pub fn accept_losses(dir: &Path, options: &DiskOptions) -> Result<(Disk, Vec<String>), OpenError> {
        let (disk, journal) = Disk::inspect_store(dir, Lock::Exclusive, options)?;
        disk.begin_writing(&journal)?;
        disk.renew_journal()?;
        Ok((disk, journal.faults))
    }

    fn inspect_store(dir: &Path, lock: Lock, options: &DiskOptions) -> Result<(Disk, Journal), OpenError> {
        let lock = lock::take(dir, lock)?;
        match directory::examine(dir, &Creation::default())? {
            Found::Store(identity) => Disk::inspect(dir, lock, options, identity, Losses::Accepted),
            Found::Nothing | Found::HalfMade(_) => Err(OpenError::Absent(dir.display().to_string())),
        }
    }

    fn make(dir: &Path, lock: File, options: &DiskOptions, identity: Identity) -> Result<Disk, OpenError> {
        let mut notes = Notes::of(identity);
        notes
            .begin(dir, State::BeingMade)
            .map_err(|e| io_error(&dir.join(identity::NAME), &e))?;
        let cache = options.cache();
        let opened = Opened::to_write(dir, options, &cache, true)?;
        let disk = Disk::of(dir, lock, options, cache, opened, notes);
        let mut batch = disk.batch()?;
        batch.put(&RecordKey::format(), &FORMAT_VERSION.to_be_bytes());
        disk.write(batch.finish(), Durability::Synced, Patience::Wait)?;
        disk.begin_notes()?;
        Ok(disk)
    }

    fn of(dir: &Path, lock: File, options: &DiskOptions, cache: Cache, opened: Opened, notes: Notes) -> Disk {
        Disk {
            db: RwLock::new(Some(opened)),
            lacks_journal: RwLock::default(),
            dir: dir.to_owned(),
            _lock: lock,
            options: *options,
            cache,
            tag: notes.identity().tag(),
            notes: Mutex::new(notes),
            manifest_seen: Mutex::default(),
            committed: SharedPosition::default(),
            last_written: AtomicUsize::default(),
            checkpointed: SharedPosition::default(),
            is_partial: RwLock::default(),
            failed: AtomicBool::default(),
            is_ending: AtomicBool::default(),
            scratch: Mutex::default(),
            deletes_in_memtable: AtomicUsize::new(0),
        }
    }

    /// Opens the store for reading, and holds it against what is known of it.
    fn inspect(
        dir: &Path,
        lock: File,
        options: &DiskOptions,
        identity: Option<Identity>,
        losses: Losses,
    ) -> Result<(Disk, Journal), OpenError> {
        directory::check_manifest(dir, identity.as_ref())?;
        let cache = options.cache();
        let opened = Opened::to_read(dir, options, &cache)?;
        let format = format_of(&opened)?;
        if identity.is_none() && format > OLDEST_FORMAT {
            return Err(OpenError::Damaged(format!("{} is missing", identity::NAME)));
        }
        let needed = opened.property(Family::System, MIN_LOG_NUMBER);
        let logs = directory::faults_of_logs(dir, identity.as_ref(), needed)?;
        let journal = Journal::read(&opened, identity.as_ref(), format, logs)?;
        if !journal.is_whole() && losses == Losses::Refused {
            return Err(OpenError::Damaged(format!(
                "{}. All commits up to number {} can be read, those behind would be lost",
                journal.faults.join("; "),
                journal.end
            )));
        }
        let notes = Notes::of(identity.unwrap_or_else(Identity::new));
        let disk = Disk::of(dir, lock, options, cache, opened, notes);
        disk.committed.store(journal.end, Relaxed);
        Ok((disk, journal))
    }

    /// Opens the database as it is, with what the journal holds, as nothing can be written for this reason.
    ///
    /// # Errors
    /// It cannot be opened even so: then it is closed.
    pub(super) fn stay_with_reading(&self, reason: &str) -> Result<(), OpenError> {
        let mut db = self.db.write().unwrap_or_else(PoisonError::into_inner);
        // It may have been opened for writing, or closed.
        *db = None;
        let mut opened = Opened::to_read(&self.dir, &self.options, &self.cache)?;
        opened.read_journal(reason)?;
        *db = Some(opened);
        Ok(())
    }

    /// Opens a store that was inspected for writing, and has it go on from what there is.
    fn begin_writing(&self, journal: &Journal) -> Result<(), OpenError> {
        if let Some(last) = journal.last_log {
            directory::drop_logs_behind(&self.dir, last)?;
        }
        self.open_to_write()?;
        if !journal.faults.is_empty() {
            log::warning(format_args!(
                "going on without what was lost: {}",
                journal.faults.join("; ")
            ));
            self.drop_uncommitted()?;
        }
        self.recover()?;
        self.begin_notes()
    }

    /// Closes and opens the store: after a failed write RocksDB takes no more, and its log ends in a torn record, which
    /// opening cuts off. Does nothing while there is too little room for it. Everything that reads waits. No checkpoint may
    /// be under way. If it can only be read then, that goes on.
    ///
    /// `close` is given what waits for all that read to end: it has them do so.
    ///
    /// # Errors
    /// There is no room, it cannot be opened, or what the journal has cannot come to its families. It goes on with reading
    /// if it can.
    pub fn reopen(
        &self,
        close: impl FnOnce(&dyn Fn() -> Result<(), OpenError>) -> Result<(), OpenError>,
    ) -> Result<(), OpenError> {
        if let Some(reason) = why_unwritable(&self.dir) {
            return Err(OpenError::Io(format!("no room: {reason}")));
        }
        close(&|| {
            let _readers_wait = self.lacks_journal.write().unwrap_or_else(PoisonError::into_inner);
            let writing = self.begin_writing_again();
            if let Err(error) = &writing {
                self.stay_with_reading(&error.to_string())?;
            }
            writing
        })
    }

    fn begin_writing_again(&self) -> Result<(), OpenError> {
        self.open_to_write()?;
        self.failed.store(false, Relaxed);
        // The log may have lost what it did not sync, or kept what it could not.
        self.checkpointed.store(Position::NONE, Relaxed);
        self.drop_uncommitted()?;
        self.recover()?;
        self.begin_notes()
    }

    /// What the journal has is missing in the families until [`Disk::recover`] has ended, and if it fails, the store has to
    /// [stay with reading](Disk::stay_with_reading).
    fn open_to_write(&self) -> Result<(), OpenError> {
        let mut db = self.db.write().unwrap_or_else(PoisonError::into_inner);
        // It has to be closed before; families that an earlier version did not have are made.
        *db = None;
        *db = Some(Opened::to_write(&self.dir, &self.options, &self.cache, false)?);
        Ok(())
    }

    /// Brings what a crash left in the journal to its families.
    fn recover(&self) -> Result<(), OpenError> {
        self.find_journal_end()?;
        self.checkpoint_all()?;
        let (committed, db) = (self.committed.load(Relaxed), self.guard()?);
        let is_current =
            format_of(&db)? == FORMAT_VERSION && db.marks()?[Family::Journal as usize] == committed;
        drop(db);
        if is_current { Ok(()) } else { self.raise_format() }
    }

    /// The journal is empty, so nothing in the store is of an older format: from here on its positions have no gaps.
    fn raise_format(&self) -> Result<(), OpenError> {
        let mut batch = self.batch()?;
        let up_to = JournalKey {
            position: self.committed.load(Relaxed),
            store: Some(self.tag),
        };
        let mark = marks::journal_mark(up_to, &self.guard()?.marks()?);
        batch.put(&RecordKey::new(Family::Journal, MARK), &mark);
        batch.put(&RecordKey::format(), &FORMAT_VERSION.to_be_bytes());
        Ok(self.write(batch.finish(), Durability::Synced, Patience::Wait)?)
    }

    /// Makes the journal's family anew: all it holds has come to its families, and damage in its tables would end every write.
    fn renew_journal(&self) -> Result<(), OpenError> {
        let mut db = self.db.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(opened) = db.as_mut() {
            opened.renew(Family::Journal, &self.options, &self.cache)?;
        }
        drop(db);
        self.raise_format()
    }

    /// From now on it is noted what is on stable storage.
    fn begin_notes(&self) -> Result<(), OpenError> {
        let committed = self.committed.load(Relaxed);
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = notes
            // What was lost, and is accepted, is no longer known.
            .note(|known| known.synced = known.synced.min(committed.number()))
            .and_then(|()| notes.begin(&self.dir, State::Ready));
        drop(notes);
        begun.map_err(|e| io_error(&self.dir.join(identity::NAME), &e))?;
        self.note_files();
        Ok(())
    }

    /// Notes that commits up to this one are on stable storage.
    pub(super) fn note_synced(&self, position: Position) {
        self.note(|known| known.synced = known.synced.max(position.number()));
    }

    /// Notes which files are in use. Called when what was written is on stable storage.
    pub(super) fn note_files(&self) {
        let mut seen = self.manifest_seen.lock().unwrap_or_else(PoisonError::into_inner);
        let manifest = directory::manifest(&self.dir);
        if let Ok(manifest) = manifest {
            // One that grew since may be in the middle of a record.
            let is_steady = std::mem::replace(&mut *seen, manifest) == manifest;
            self.note(|known| {
                if is_steady || manifest.0 > known.manifest {
                    let length = if is_steady { manifest.1 } else { 0 };
                    (known.manifest, known.manifest_length) = (manifest.0, length);
                }
            });
        }
        if let Ok(log) = directory::newest_log(&self.dir) {
            self.note(|known| known.log = known.log.max(log));
        }
    }

    /// What cannot be noted is not known, which is true as well.
    fn note(&self, change: impl FnOnce(&mut Known)) {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = notes.note(change) {
            log::verbose(format_args!("{} cannot be written: {error}", identity::NAME));
        }
    }
}

fn io_error(path: &Path, error: &io::Error) -> OpenError {
    OpenError::Io(format!("{}: {error}", path.display()))
}

/// The format of a store. One whose making an earlier version broke off has no record of it, and nothing else.
fn format_of(opened: &Opened) -> Result<u32, OpenError> {
    let Some(version) = opened.read(&RecordKey::format())? else {
        return match is_empty(opened)? {
            true => Ok(OLDEST_FORMAT),
            false => Err(OpenError::Foreign("it has no format record".to_owned())),
        };
    };
    let Ok(version) = version.try_into().map(u32::from_be_bytes) else {
        return Err(OpenError::Damaged("its format record".to_owned()));
    };
    if !(OLDEST_FORMAT..=FORMAT_VERSION).contains(&version) {
        return Err(OpenError::Foreign(format!(
            "its format is {version}, this program reads formats {OLDEST_FORMAT} to {FORMAT_VERSION}"
        )));
    }
    Ok(version)
}

fn is_empty(opened: &Opened) -> Result<bool, ReadError> {
    for family in Family::ALL
        .into_iter()
        .filter_map(|family| opened.find_cf(family))
    {
        let mut it = opened.raw_iterator_cf(family);
        it.seek_to_first();
        if it.valid() {
            return Ok(false);
        }
        it.status()?;
    }
    Ok(true)
}

/// What the logs and the journal of a store that was not opened for writing hold.
#[derive(Default)]
struct Journal {
    /// The number of the last commit of those that follow each other without a gap.
    end: Position,
    /// What is missing or damaged.
    faults: Vec<String>,
    /// The number of the last log that counts, if there are others behind it.
    last_log: Option<u64>,
    /// The machine was started again, and all that was on stable storage is there: then what else is missing is what a loss of
    /// power takes, any part of it. (A process that is killed loses nothing but the end of what it was just writing.)
    is_excused: bool,
}

impl Journal {
    fn is_whole(&self) -> bool {
        self.faults.is_empty() || self.is_excused
    }

    fn read(
        opened: &Opened,
        identity: Option<&Identity>,
        format: u32,
        logs: LogFaults,
    ) -> Result<Journal, OpenError> {
        let mut faults = logs.lines;
        let marks = opened.marks()?;
        for (family, (has, had)) in Family::ALL
            .iter()
            .zip(marks.iter().zip(opened.marks_that_were()?))
        {
            if *has < had && *family != Family::Journal {
                let name = family.name();
                return Err(OpenError::Damaged(format!(
                    "tables are missing that family {name} had at commit {had}"
                )));
            }
        }
        let mut end = marks[Family::Journal as usize];
        let mut options = ReadOptions::default();
        options.fill_cache(false);
        let Some(family) = opened.find_cf(Family::Journal) else {
            // One that an earlier version made.
            return Ok(Journal::default());
        };
        let mut walk = opened.raw_iterator_cf_opt(family, options);
        walk.seek([0; 8]);
        while let Some(key) = walk.key() {
            let JournalKey { position, store } = JournalKey::decode(key).map_err(ReadError::from)?;
            if format > OLDEST_FORMAT {
                if store != identity.map(Identity::tag) {
                    return Err(OpenError::Damaged("a log file is of another store".to_owned()));
                }
                if position != end.next() {
                    faults.push(format!(
                        "the log lacks what is between commits {end} and {position}"
                    ));
                    break;
                }
            }
            end = position;
            walk.next();
        }
        // Opening for writing looks for the end, too.
        walk.seek_to_last();
        walk.status()?;
        let end = marks.into_iter().max().unwrap_or_default().max(end);
        let synced = Position::of(identity.map_or(0, |identity| identity.known.synced));
        if end < synced {
            faults.push(format!(
                "commits {} to {synced}, which were on stable storage, are missing",
                end.next()
            ));
        }
        let is_excused = end >= synced && identity.is_some_and(|identity| identity.boot != identity::boot());
        Ok(Journal {
            end,
            faults,
            last_log: logs.last,
            is_excused,
        })
    }
}

/// Why there is no writing to the directory, if so: what is in the log could not be written out again, which opening does.
fn why_unwritable(dir: &Path) -> Option<io::Error> {
    match try_room(dir) {
        Err(e) if matches!(e.raw_os_error(), Some(libc::ENOSPC | libc::EDQUOT | libc::EROFS)) => Some(e),
        // Whatever else it is, opening will say it.
        _ => None,
    }
}

fn try_room(dir: &Path) -> io::Result<()> {
    let mut needed = ROOM;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry
            .path()
            .extension()
            .is_some_and(|extension| extension == "log")
        {
            // What it holds of the journal is written twice: as it is, and brought to its families.
            needed += 2 * entry.metadata()?.len();
        }
    }
    let probe = tempfile::tempfile_in(dir)?;
    if free_bytes(&probe).is_some_and(|free| free / PLENTY > needed) {
        return Ok(());
    }
    // SAFETY: a plain system call on a descriptor that is open; the file has no name and goes with it.
    match unsafe { libc::posix_fallocate(probe.as_raw_fd(), 0, needed as libc::off_t) } {
        0 => Ok(()),
        code => Err(io::Error::from_raw_os_error(code)),
    }
}

/// What the file system has left for everybody.
fn free_bytes(file: &File) -> Option<u64> {
    // SAFETY: all zeros is a value of this C struct; the descriptor is open, and the struct lives for the call.
    let mut stat: libc::statvfs = unsafe { std::mem::zeroed() };
    let told = unsafe { libc::fstatvfs(file.as_raw_fd(), &mut stat) };
    (told == 0).then_some(stat.f_bavail * stat.f_frsize)
}
