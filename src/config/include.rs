//! The files that an `include` line names, by the rules of glob(3), as in Redis.

use std::ffi::{CStr, CString, OsStr};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// What begins such a line.
pub(super) const INCLUDE: &str = "include";

/// The files of a pattern in the order of their names, or the one file that a path without wildcards names. A pattern may
/// match none; what it matches of directories does not count.
///
/// # Errors
/// The pattern has a zero byte, or a directory that it leads to cannot be read.
pub(super) fn included(path: &Path) -> io::Result<Vec<PathBuf>> {
    let is_pattern = path
        .as_os_str()
        .as_bytes()
        .iter()
        .any(|byte| matches!(byte, b'*' | b'?' | b'['));
    if !is_pattern {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = glob(&CString::new(path.as_os_str().as_bytes())?)?;
    files.retain(|file| !file.is_dir());
    Ok(files)
}

fn glob(pattern: &CStr) -> io::Result<Vec<PathBuf>> {
    // SAFETY: `glob_t` is a C struct for which all zeros is a value; glob fills it in, the paths are read before globfree
    // takes them back, and each is a C string.
    unsafe {
        let mut found: libc::glob_t = std::mem::zeroed();
        let outcome = libc::glob(pattern.as_ptr(), 0, None, &mut found);
        let paths = match outcome {
            0 => (0..found.gl_pathc)
                .map(|at| CStr::from_ptr(*found.gl_pathv.add(at)))
                .map(|path| PathBuf::from(OsStr::from_bytes(path.to_bytes())))
                .collect(),
            _ => Vec::new(),
        };
        libc::globfree(&mut found);
        match outcome {
            0 | libc::GLOB_NOMATCH => Ok(paths),
            libc::GLOB_NOSPACE => Err(io::ErrorKind::OutOfMemory.into()),
            _ => Err(io::Error::last_os_error()),
        }
    }
}
