//! `redkeep-tool restore`: whatever can be read, into a new store or one that is there; all of it, or nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::engine;
use super::load::Loader;
use super::source::Source;
use super::{Choice, Conflict, Progress};
use crate::disk::{Creation, Staged};
use crate::facade::check;
use crate::store::Reader;

/// How a store is restored.
#[derive(Clone, Debug)]
pub struct RestoreOptions {
    /// What is done with keys that are there.
    pub conflict: Conflict,
    /// How many databases the store is to have at least.
    pub databases: usize,
    /// What of the source is wanted.
    pub choice: Choice,
    /// A source that is a store may have lost commits.
    pub accepts_losses: bool,
    /// Files in the data directory that are not in the way.
    pub beside: Vec<PathBuf>,
}

/// What was restored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// Keys that were written.
    pub written: u64,
    /// Of these, those that took the place of another.
    pub replaced: u64,
    /// Keys that were left out, as there was one of their name.
    pub skipped: u64,
    /// Keys that were left out, as their deadline had passed.
    pub expired: u64,
    /// Libraries of functions.
    pub libraries: u64,
    /// What the user has to see, a line each.
    pub notes: Vec<String>,
}

/// Restores into the data directory `to` what `from` holds. Until all of it is there, what was there before counts, whoever is
/// killed.
///
/// # Errors
/// The source cannot be read to its end; the directory is in use or cannot be written; a key is in the way that must not be; it
/// was interrupted. Then nothing in the store has changed.
pub fn restore(
    from: &Path,
    to: &Path,
    options: &RestoreOptions,
    progress: &Arc<Progress>,
) -> Result<Restored, String> {
    let source = Source::open(from, progress, options.accepts_losses)?;
    let creation = Creation {
        beside: options.beside.clone(),
        ..Creation::default()
    };
    let staged = Staged::begin(to, &creation).map_err(|e| e.to_string())?;
    let dir = staged.path();
    let databases = match staged.is_new() {
        true => options.databases,
        false => {
            let there = Reader::open(dir, &check::options()).map_err(|e| e.to_string())?;
            options.databases.max(there.databases())
        }
    };
    let mut notes = Vec::new();
    let mut loader = Loader::open(dir, databases)?.on_conflict(options.conflict);
    // Where nothing stays that is not installed.
    let scratch = dir.join(".scratch");
    fs::create_dir(&scratch).map_err(|e| format!("{}: {e}", scratch.display()))?;
    source.read(&options.choice, &scratch, &mut notes, &mut |item| {
        loader.take(item)
    })?;
    let (loaded, libraries) = loader.finish()?;
    let (replaces, passes_over) = (
        options.conflict == Conflict::Replace,
        options.conflict == Conflict::Skip,
    );
    engine::load_libraries(dir, &libraries, replaces, passes_over)?;
    progress.goes_on()?;
    staged.install().map_err(|e| e.to_string())?;
    Ok(Restored {
        written: loaded.written,
        replaced: loaded.replaced,
        skipped: loaded.skipped,
        expired: loaded.expired,
        libraries: libraries.len() as u64,
        notes,
    })
}
