//! Changing a store aside, so that all of the change comes to be or nothing of it: whoever is killed in the middle leaves what was
//! there. The store is copied into a directory of its own within the data directory, its tables by linking them; what is to be
//! changed is changed there; then the files go to their places, and one rename makes them count.
//!
//! ```text
//! there is a store:   tables and MANIFEST of the copy come beside its own -> CURRENT is replaced: from here on the copy counts
//!                         -> logs, STORE
//! there is none:      STORE says that one is being made -> all files of the new one -> STORE is replaced: it counts
//! ```
//!
//! What is left of one that was broken off is in nobody's way: tables that no MANIFEST names, which RocksDB removes; a store half
//! made, which opening makes anew; and the copy, which the next start of either program removes.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::OpenError;
use super::directory::{self, Creation, Found, Part};
use super::identity::{self, Identity, Notes, State};
use super::lock::{self, Lock};

/// The directory within the data directory. A store is made beside names that begin so.
const STAGING: &str = ".restoring";

/// A copy of a store, or a new one, which is to take its place. Dropped, it leaves what was there.
pub struct Staged {
    dir: PathBuf,
    staging: PathBuf,
    is_new: bool,
    /// Nobody else opens the store meanwhile.
    _lock: File,
}

fn failed(path: &Path) -> impl Fn(io::Error) -> OpenError {
    move |e| OpenError::Io(format!("{}: {e}", path.display()))
}

impl Staged {
    /// Locks a data directory, which need not be there, and makes a copy of the store in it. Files may be there that are named in
    /// `creation`.
    ///
    /// # Errors
    /// Somebody uses the store; the directory holds something else; files cannot be copied.
    pub fn begin(dir: &Path, creation: &Creation) -> Result<Staged, OpenError> {
        fs::create_dir_all(dir).map_err(failed(dir))?;
        let lock = lock::take(dir, Lock::Exclusive)?;
        discard(dir).map_err(failed(dir))?;
        let staging = dir.join(STAGING);
        let is_new = match directory::examine(dir, creation)? {
            Found::Nothing => true,
            Found::HalfMade(_) => {
                directory::clear_half_made(dir)?;
                true
            }
            Found::Store(_) => false,
        };
        fs::create_dir(&staging).map_err(failed(&staging))?;
        let staged = Staged {
            dir: dir.to_owned(),
            staging,
            is_new,
            _lock: lock,
        };
        if !is_new {
            staged.copy().map_err(failed(dir))?;
        }
        Ok(staged)
    }

    /// Whether there is a store in a directory, which need not be there.
    ///
    /// # Errors
    /// What is there is damaged, or not a store's.
    pub fn is_needless(dir: &Path, creation: &Creation) -> Result<bool, OpenError> {
        let is_there = dir.exists();
        Ok(is_there && matches!(directory::examine(dir, creation)?, Found::Store(_)))
    }

    /// Where the copy is: to be opened, changed, closed in order.
    pub fn path(&self) -> &Path {
        &self.staging
    }

    /// Whether there was no store before.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    fn copy(&self) -> io::Result<()> {
        for (name, part) in directory::parts(&self.dir)? {
            let (from, to) = (self.dir.join(&name), self.staging.join(&name));
            match part {
                Part::Table => link(&from, &to)?,
                Part::Other if name != "IDENTITY" => {}
                _ => drop(fs::copy(&from, &to)?),
            }
        }
        match fs::copy(self.dir.join(identity::NAME), self.staging.join(identity::NAME)) {
            // One that an earlier version made has none.
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        }
    }

    /// Puts the copy, which is closed, in the store's place. On stable storage when it returns.
    ///
    /// # Errors
    /// A file cannot be moved: then what was there counts, or all of the copy.
    pub fn install(self) -> Result<(), OpenError> {
        self.move_files().map_err(failed(&self.dir))
    }

    fn move_files(&self) -> io::Result<()> {
        if self.is_new {
            Notes::of(Identity::new()).begin(&self.dir, State::BeingMade)?;
        }
        let (manifest, _) = directory::manifest(&self.staging)?;
        let (mut logs, mut is_current_there) = (Vec::new(), false);
        for (name, part) in directory::parts(&self.staging)? {
            match part {
                Part::Table => self.take(&name)?,
                Part::Manifest(number) if number == manifest => self.take(&name)?,
                Part::Log(_) => logs.push(name),
                Part::Current => is_current_there = true,
                Part::Manifest(_) | Part::Other => {}
            }
        }
        if !is_current_there {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the copy has no CURRENT"));
        }
        self.sync()?;
        self.take("CURRENT")?;
        self.sync()?;
        // Closed in order, it has nothing in them.
        logs.iter().try_for_each(|log| self.take(log))?;
        self.sync()?;
        self.take(identity::NAME)?;
        self.sync()
    }

    fn take(&self, name: &str) -> io::Result<()> {
        fs::rename(self.staging.join(name), self.dir.join(name))
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.dir)?.sync_all()
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // What cannot be removed now, the next start removes.
        let _ = discard(&self.dir);
    }
}

/// Tables are never changed: a link is as good as a copy where the file system has links.
fn link(from: &Path, to: &Path) -> io::Result<()> {
    match fs::hard_link(from, to) {
        Ok(()) => Ok(()),
        Err(_) => fs::copy(from, to).map(drop),
    }
}

/// Removes what a change left in a data directory that was broken off; nobody may be at it.
///
/// # Errors
/// It is there and cannot be removed.
pub fn discard(dir: &Path) -> io::Result<()> {
    match fs::remove_dir_all(dir.join(STAGING)) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::format::RecordKey;
    use crate::disk::testing::open;
    use crate::disk::{Disk, Durability, Patience};

    fn put(disk: &Disk, name: &[u8]) {
        let mut batch = disk.batch().unwrap();
        batch.put(&RecordKey::meta(1, name), b"value");
        disk.write(batch.finish(), Durability::Synced, Patience::Wait)
            .unwrap();
    }

    fn has(dir: &Path, name: &[u8]) -> bool {
        open(dir).get(&RecordKey::meta(1, name)).unwrap().is_some()
    }

    /// A store with one record, and a copy of it with another.
    fn changed(dir: &Path) -> Staged {
        let disk = open(dir);
        put(&disk, b"before");
        drop(disk);
        let staged = Staged::begin(dir, &Creation::default()).unwrap();
        assert!(!staged.is_new());
        change(&staged);
        staged
    }

    fn change(staged: &Staged) {
        let disk = open(staged.path());
        put(&disk, b"new");
        disk.flush().unwrap();
    }

    #[test]
    fn a_change_counts_when_it_is_installed_and_not_before() {
        let dir = tempfile::tempdir().unwrap();
        let staged = changed(dir.path());
        assert!(matches!(
            Staged::begin(dir.path(), &Creation::default()),
            Err(OpenError::InUse(_))
        ));
        drop(staged);
        assert!(has(dir.path(), b"before") && !has(dir.path(), b"new"));
        let staged = Staged::begin(dir.path(), &Creation::default()).unwrap();
        change(&staged);
        staged.install().unwrap();
        assert!(has(dir.path(), b"before") && has(dir.path(), b"new"));
        assert!(!dir.path().join(STAGING).exists());
    }

    #[test]
    fn a_new_store_is_there_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path().join("data");
        let staged = Staged::begin(&dir, &Creation::default()).unwrap();
        assert!(staged.is_new());
        change(&staged);
        staged.install().unwrap();
        assert!(has(&dir, b"new"));
    }

    /// Whatever was moved when it was broken off, one of both stores is there, and a further change goes through.
    #[test]
    fn a_change_that_is_broken_off_leaves_the_one_or_the_other() {
        for moved in 0..12 {
            let dir = tempfile::tempdir().unwrap();
            let staged = changed(dir.path());
            let mut names: Vec<String> = directory::parts(staged.path())
                .unwrap()
                .into_iter()
                .map(|(name, _)| name)
                .collect();
            // In the order in which they are moved.
            let rank = |name: &str| match name {
                "CURRENT" => 1,
                name if name.ends_with(".log") => 2,
                _ => 0,
            };
            names.retain(|name| name.ends_with(".sst") || name.starts_with("MANIFEST") || rank(name) > 0);
            names.sort_by_key(|name| rank(name));
            names
                .iter()
                .take(moved)
                .for_each(|name| staged.take(name).unwrap());
            let is_new = names.iter().take(moved).any(|name| name == "CURRENT");
            drop(staged);
            assert!(has(dir.path(), b"before"), "{moved}");
            assert_eq!(has(dir.path(), b"new"), is_new, "{moved}");
            let staged = Staged::begin(dir.path(), &Creation::default()).unwrap();
            change(&staged);
            staged.install().unwrap();
            assert!(has(dir.path(), b"before") && has(dir.path(), b"new"));
        }
    }
}
