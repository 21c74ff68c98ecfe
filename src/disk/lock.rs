//! One process at a time has a store open. The lock is on the directory itself: no name in it that somebody removes frees it,
//! and it is gone with the process, however that ends.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;

use super::OpenError;

/// What is done with the store while the lock is held.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lock {
    /// Nobody else may have it open.
    Exclusive,
    /// Others may read it, too.
    Shared,
}

/// RocksDB's own lock, which earlier versions relied on.
const ROCKSDB_LOCK: &str = "LOCK";

/// Takes the lock, for as long as the file that is returned is open.
///
/// # Errors
/// [`OpenError::InUse`] if another process has it; the directory cannot be opened or locked.
pub fn take(dir: &Path, lock: Lock) -> Result<File, OpenError> {
    let handle = File::open(dir).map_err(|e| OpenError::Io(format!("{}: {e}", dir.display())))?;
    let wanted = match lock {
        Lock::Exclusive => libc::LOCK_EX,
        Lock::Shared => libc::LOCK_SH,
    };
    // SAFETY: a plain system call on a descriptor that is open.
    if unsafe { libc::flock(handle.as_raw_fd(), wanted | libc::LOCK_NB) } != 0 {
        let error = io::Error::last_os_error();
        return Err(match error.kind() {
            io::ErrorKind::WouldBlock => OpenError::InUse(format!("{} is locked", dir.display())),
            _ => OpenError::Io(format!("{} cannot be locked: {error}", dir.display())),
        });
    }
    match holder(&dir.join(ROCKSDB_LOCK)) {
        Some(pid) => Err(OpenError::InUse(format!("process {pid} has it open"))),
        None => Ok(handle),
    }
}

/// The process that has locked a file as RocksDB does. One that cannot be opened is locked by nobody who matters: what
/// keeps from it will be said by what needs it.
fn holder(path: &Path) -> Option<libc::pid_t> {
    let file = File::open(path).ok()?;
    // SAFETY: all zeros is a value of this C struct.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = libc::F_WRLCK as libc::c_short;
    lock.l_whence = libc::SEEK_SET as libc::c_short;
    // SAFETY: the descriptor is open, and the struct lives for the call.
    let asked = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_GETLK, &mut lock) };
    (asked == 0 && i32::from(lock.l_type) != libc::F_UNLCK).then_some(lock.l_pid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_share_a_store_and_a_writer_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let is_in_use = |lock| matches!(take(dir.path(), lock), Err(OpenError::InUse(_)));
        let writer = take(dir.path(), Lock::Exclusive).unwrap();
        assert!(is_in_use(Lock::Exclusive) && is_in_use(Lock::Shared));
        drop(writer);
        let _readers = [(); 2].map(|()| take(dir.path(), Lock::Shared).unwrap());
        assert!(is_in_use(Lock::Exclusive));
    }

    #[test]
    fn a_lock_outlives_every_name_in_the_directory() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(ROCKSDB_LOCK), b"").unwrap();
        let _held = take(dir.path(), Lock::Exclusive).unwrap();
        std::fs::remove_file(dir.path().join(ROCKSDB_LOCK)).unwrap();
        assert!(matches!(
            take(dir.path(), Lock::Exclusive),
            Err(OpenError::InUse(_))
        ));
    }
}
