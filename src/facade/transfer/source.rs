//! What is read: a store, or a file in any of the formats, told by its first bytes.

use std::io::BufRead;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tempfile::TempDir;

use super::engine::{self, Aof};
use super::load::Loader;
use super::{Choice, Progress, streams, text_of};
use crate::base::clock::unix_ms;
use crate::base::glob::Pattern;
use crate::facade::check;
use crate::formats::{FormatError, json};
use crate::rdb::{Item, ReadOptions, Reader as RdbReader};
use crate::store::{Key, Reader, Stop};
use crate::types::items;
use crate::types::key_walk::{self, Selection};
use crate::types::libraries::Libraries;

/// What takes items.
pub type Take<'t> = dyn FnMut(Item<'_>) -> Result<(), String> + 't;

/// Something that items are read from.
pub struct Source {
    form: Form,
    /// What is told of it in errors.
    name: String,
    progress: Arc<Progress>,
}

enum Form {
    Store(Box<Reader>),
    Rdb(Box<dyn BufRead>),
    Json(Box<dyn BufRead>),
    Commands(Box<dyn BufRead>),
    Aof(Aof),
}

/// Whether there is a store's file in a directory.
fn is_store(dir: &Path) -> bool {
    ["CURRENT", "STORE"].iter().any(|name| dir.join(name).exists())
}

impl Source {
    /// Opens a data directory, the directory of an AOF, a file, or standard input for `-`. A store that has lost commits is
    /// refused, unless that is accepted.
    ///
    /// # Errors
    /// It is not there, in use, damaged or of another kind.
    pub fn open(path: &Path, progress: &Arc<Progress>, accepts_losses: bool) -> Result<Source, String> {
        let name = path.display().to_string();
        let form = if path.is_dir() {
            match Aof::find(path)? {
                Some(aof) if !is_store(path) => Form::Aof(aof),
                _ => Form::Store(Box::new(open_store(path, accepts_losses)?)),
            }
        } else {
            let (stream, head) = streams::open(path, progress)?;
            match &head[..] {
                [b'R', b'E', b'D', b'I', b'S', ..] | [b'V', b'A', b'L', b'K', b'E', b'Y', ..] => {
                    Form::Rdb(stream)
                }
                [b'*', ..] => Form::Commands(stream),
                [] => return Err(format!("{name} is empty")),
                head if head.trim_ascii_start().first() == Some(&b'{') => Form::Json(stream),
                _ => {
                    return Err(format!(
                        "{name} is none of what is read: a data directory, the directory of an AOF, an RDB file, JSON lines, \
                         commands; each as it is, or compressed by gzip or zstd"
                    ));
                }
            }
        };
        Ok(Source {
            form,
            name,
            progress: progress.clone(),
        })
    }

    /// Reads it to its end, and gives what is chosen; lines that the user has to see are added to `notes`. Where commands have
    /// to run first, they make a store in `scratch`.
    ///
    /// # Errors
    /// It cannot be read, is damaged or cut off; it was interrupted; what `take` fails with.
    pub fn read(
        self,
        choice: &Choice,
        scratch: &Path,
        notes: &mut Vec<String>,
        take: &mut Take,
    ) -> Result<(), String> {
        let (name, progress) = (self.name, self.progress);
        let in_name = |e: String| format!("{name}: {e}");
        let mut filter = Filter::new(choice, progress.clone(), notes)?;
        match self.form {
            Form::Store(reader) => read_store(&reader, choice, &progress, take).map_err(in_name),
            Form::Rdb(stream) => read_rdb(stream, &mut |item| filter.pass(item, take)).map_err(in_name),
            Form::Json(stream) => {
                let mut give = |item: Item<'_>| filter.pass(item, take).map_err(Failed);
                json::read(stream, &mut give).map_err(|e: Failed| in_name(e.0))
            }
            Form::Commands(mut stream) => {
                let dir = scratch_dir(scratch)?;
                engine::run_file(dir.path(), &mut stream, &progress).map_err(in_name)?;
                let reader = open_store(dir.path(), false)?;
                read_store(&reader, choice, &progress, take)
            }
            Form::Aof(aof) => {
                let dir = scratch_dir(scratch)?;
                notes.extend(read_aof(&aof, dir.path(), &progress).map_err(in_name)?);
                let reader = open_store(dir.path(), false)?;
                read_store(&reader, choice, &progress, take)
            }
        }
    }
}

/// A text, as an error of readers.
struct Failed(String);

impl From<FormatError> for Failed {
    fn from(error: FormatError) -> Failed {
        Failed(error.to_string())
    }
}

fn scratch_dir(scratch: &Path) -> Result<TempDir, String> {
    let made = tempfile::Builder::new()
        .prefix(".redkeep-tool-")
        .tempdir_in(scratch);
    made.map_err(|e| format!("{}: {e}", scratch.display()))
}

fn open_store(dir: &Path, accepts_losses: bool) -> Result<Reader, String> {
    let reader = Reader::open(dir, &check::options()).map_err(|e| e.to_string())?;
    match reader.faults() {
        [] => Ok(reader),
        _ if accepts_losses => Ok(reader),
        faults => Err(format!(
            "the store has lost commits: {}. What is still there can be read with --accept-losses, and `redkeep-tool repair` has \
             the store go on without them",
            faults.join("; ")
        )),
    }
}

fn read_store(reader: &Reader, choice: &Choice, progress: &Progress, take: &mut Take) -> Result<(), String> {
    choice.kind()?;
    let pattern = choice.pattern.as_ref().map(|source| Pattern::new(source, false));
    let selection = Selection {
        pattern: pattern.as_ref(),
        type_name: choice.type_name.as_ref().map(String::as_bytes),
    };
    let databases: Vec<usize> = (0..reader.databases())
        .filter(|number| choice.has_database(*number as u64))
        .collect();
    let mut failed = None;
    let done = reader.read(unix_ms(), |txn| {
        let mut give = |item: Item<'_>| match take(item) {
            Ok(()) => Ok(()),
            Err(e) => {
                failed = Some(e);
                Stop::error("")
            }
        };
        if choice.is_all() {
            for library in Libraries::read(txn)?.iter() {
                give(Item::Library(&library.code))?;
            }
        }
        let counts = databases
            .iter()
            .map(|db| txn.count_keys(*db))
            .collect::<Result<Vec<_>, _>>()?;
        progress
            .keys_expected
            .fetch_add(counts.iter().sum(), Ordering::Relaxed);
        for (&db, keys) in databases.iter().zip(counts).filter(|(_, keys)| *keys > 0) {
            give(Item::Database(db as u64))?;
            give(Item::Sizes { keys, expiring: 0 })?;
            key_walk::entries(txn, db, selection, |txn, name, entry| {
                items::show(txn, Key { db, name }, entry, &mut give)?;
                progress.note_key().or_else(Stop::error)
            })?;
        }
        Ok(())
    });
    match (failed, done) {
        (Some(failed), _) => Err(failed),
        (None, Ok(())) => Ok(()),
        (None, Err(stop)) => Err(format!(
            "{}. `redkeep-tool check` names all that is damaged",
            text_of(stop)
        )),
    }
}

fn read_rdb(stream: Box<dyn BufRead>, give: &mut Take) -> Result<(), String> {
    let mut reader = RdbReader::new(stream, ReadOptions::default());
    loop {
        match reader.next() {
            Ok(Some(item)) => give(item)?,
            Ok(None) => return Ok(()),
            Err(e) => {
                let at = reader.position();
                return Err(format!("at byte {at}: {e}"));
            }
        }
    }
}

/// Runs an AOF into a store in a directory. Returns what the user has to see.
fn read_aof(aof: &Aof, dir: &Path, progress: &Arc<Progress>) -> Result<Vec<String>, String> {
    if let Some(base) = &aof.base {
        let (mut stream, head) = streams::open(base, progress)?;
        if head.starts_with(b"*") || head.is_empty() {
            engine::run_file(dir, &mut stream, progress)?;
        } else {
            let mut loader = Loader::open(dir, engine::MOST_DATABASES)?;
            read_rdb(stream, &mut |item| loader.take(item))?;
            loader.finish()?;
        }
    }
    engine::run_aof(dir, &aof.increments, progress)
}

/// Passes on what is chosen.
struct Filter<'c> {
    choice: &'c Choice,
    pattern: Option<Pattern<'c>>,
    kind: Option<crate::rdb::Kind>,
    progress: Arc<Progress>,
    notes: &'c mut Vec<String>,
    is_passing: bool,
}

impl<'c> Filter<'c> {
    fn new(
        choice: &'c Choice,
        progress: Arc<Progress>,
        notes: &'c mut Vec<String>,
    ) -> Result<Filter<'c>, String> {
        Ok(Filter {
            pattern: choice.pattern.as_ref().map(|source| Pattern::new(source, false)),
            kind: choice.kind()?,
            choice,
            progress,
            notes,
            is_passing: true,
        })
    }

    fn pass(&mut self, item: Item<'_>, take: &mut Take) -> Result<(), String> {
        match item {
            Item::Key(key) => {
                self.is_passing = self.choice.has_database(key.database)
                    && self.kind.is_none_or(|kind| kind == key.kind)
                    && self
                        .pattern
                        .as_ref()
                        .is_none_or(|pattern| pattern.matches(key.name));
            }
            Item::Skipped { key, what, .. } => {
                let key = key.map_or_else(String::new, |key| format!("key {}: ", key.escape_ascii()));
                self.notes.push(format!("left out: {key}{what}"));
                return take(item);
            }
            Item::Sizes { keys, .. } => {
                self.progress.keys_expected.fetch_add(keys, Ordering::Relaxed);
                return take(item);
            }
            Item::Library(_) if !self.choice.is_all() => return Ok(()),
            Item::Database(_) | Item::Aux { .. } | Item::Library(_) => return take(item),
            _ => {}
        }
        if self.is_passing {
            take(item)?;
        }
        match item {
            Item::End => self.progress.note_key(),
            _ => Ok(()),
        }
    }
}
