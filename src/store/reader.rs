//! A store that no server uses, for who only reads it: nothing in its directory is changed.

use std::path::Path;

use super::cursors::Cursors;
use super::layout::Layout;
use super::{StartError, Txn};
use crate::disk::format::{Family, IN_SLOTS, RecordKey};
use crate::disk::{Disk, DiskOptions, ReadError};

/// A store that is open for reading. Others may read it meanwhile, nobody may write it.
pub struct Reader {
    disk: Disk,
    cursors: Cursors,
    layout: Layout,
    databases: usize,
    /// What is wrong with it that does not keep it from being read.
    faults: Vec<String>,
}

impl Reader {
    /// Opens the store in a directory. What its log holds is seen, and takes memory: about twice what the log files have.
    ///
    /// # Errors
    /// There is none, a server has it, or it is damaged; see [`crate::disk::OpenError`]. That it has lost commits is no reason:
    /// that is among the [faults](Reader::faults).
    pub fn open(dir: &Path, options: &DiskOptions) -> Result<Reader, StartError> {
        let (disk, lost) = Disk::open_to_read(dir, options).map_err(StartError::Open)?;
        let damaged = |e: ReadError| StartError::Damaged(e.to_string());
        let first = disk.get(&RecordKey::database(0)).map_err(damaged)?;
        let databases = disk.with_view(|view| {
            let (mut walk, mut count) = (view.walk(Family::System, b"db", Some(b"dc"))?, 0);
            while walk.next_record()?.is_some() {
                count += 1;
            }
            Ok(count)
        });
        Ok(Reader {
            layout: match first.as_deref() {
                Some(IN_SLOTS) => Layout::Slots,
                _ => Layout::One,
            },
            databases: databases.map_err(damaged)?,
            cursors: Cursors::default(),
            disk,
            faults: lost.faults,
        })
    }

    /// What is wrong with the store that does not keep it from being read, a line each: it has lost commits.
    pub fn faults(&self) -> &[String] {
        &self.faults
    }

    /// How many numbered databases it has, with keys or without.
    pub fn databases(&self) -> usize {
        self.databases
    }

    /// How its databases are divided.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// What its files say of themselves.
    pub fn disk(&self) -> &Disk {
        &self.disk
    }

    /// Runs a body that only reads, as it were at this time (Unix milliseconds). It blocks on the disk.
    pub fn read<T>(&self, now: u64, body: impl FnOnce(&mut Txn<'_>) -> T) -> T {
        self.disk
            .with_view(|view| body(&mut Txn::over_view(view, &self.cursors, self.layout, now)))
    }
}
