//! Files that take the places of others.

use std::fs::{self, File};
use std::io;
use std::path::Path;

/// Gives a file that is on stable storage another name, for good: a crash later on does not take it back. What had the name is
/// gone.
///
/// # Errors
/// It cannot be renamed, or its folder not be synced.
pub fn put_in_place(from: &Path, to: &Path) -> io::Result<()> {
    fs::rename(from, to)?;
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}
