//! `redkeep-tool dump`: whatever can be read, into a file of one of the formats.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use super::source::Source;
use super::{Choice, Progress, streams};
use crate::formats::{commands, json};
use crate::rdb::{Item, Sink, Target, WriteError, Writer};

/// How many keys that a target cannot hold are named.
const NAMED: u64 = 20;

/// What is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DumpFormat {
    /// Lines of JSON: all of it, and people can read it.
    Json,
    /// Commands in Redis's protocol, for `redis-cli --pipe`.
    Commands,
    /// Redis's own dump, for the server of this name.
    Rdb(String),
}

/// What was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dumped {
    /// Keys.
    pub keys: u64,
    /// Keys that the target cannot hold.
    pub refused: u64,
    /// What the user has to see, a line each.
    pub notes: Vec<String>,
}

/// The targets of RDB files, by name.
pub fn targets() -> Vec<&'static str> {
    Target::ALL.iter().map(|(name, _)| *name).collect()
}

/// Writes what `from` holds into the file `to`, or to standard output for `-`, compressed as its name says. The file bears its name
/// only once it is whole.
///
/// # Errors
/// The source cannot be read to its end; the file cannot be written; it was interrupted.
pub fn dump(
    from: &Path,
    to: &Path,
    format: &DumpFormat,
    choice: &Choice,
    accepts_losses: bool,
    progress: &Arc<Progress>,
) -> Result<Dumped, String> {
    let source = Source::open(from, progress, accepts_losses)?;
    let in_file = |e: &dyn std::fmt::Display| format!("{}: {e}", to.display());
    let mut output = streams::create(to)?;
    let (mut dumped, mut notes) = (Dumped::default(), Vec::new());
    let scratch = std::env::temp_dir();
    match format {
        DumpFormat::Json => {
            let mut writer = json::Writer::new(&mut output).map_err(|e| in_file(&e))?;
            source.read(choice, &scratch, &mut notes, &mut |item| {
                dumped.keys += u64::from(item == Item::End);
                writer.put(item).map_err(|e| in_file(&e))
            })?;
            writer.finish().map_err(|e| in_file(&e))?;
        }
        DumpFormat::Commands => {
            let mut writer = commands::Writer::new(&mut output).map_err(|e| in_file(&e))?;
            source.read(choice, &scratch, &mut notes, &mut |item| {
                dumped.keys += u64::from(item == Item::End);
                writer.put(item).map_err(|e| in_file(&e))
            })?;
            writer.finish().map_err(|e| in_file(&e))?;
        }
        DumpFormat::Rdb(target) => {
            let mut rdb = RdbFile::begin(target, &mut output, &mut dumped)?;
            source.read(choice, &scratch, &mut notes, &mut |item| rdb.put(item))?;
            rdb.writer.finish().map_err(|e| in_file(&e))?;
        }
    }
    output.finish().map_err(|e| in_file(&e))?;
    notes.append(&mut dumped.notes);
    Ok(Dumped { notes, ..dumped })
}

/// An RDB file that lacks what its target cannot hold.
struct RdbFile<'d, W> {
    writer: Writer<W>,
    dumped: &'d mut Dumped,
    /// The key that is being written, for who is told of it.
    key: String,
}

impl<'d, W: Write> RdbFile<'d, W> {
    fn begin(target: &str, output: W, dumped: &'d mut Dumped) -> Result<RdbFile<'d, W>, String> {
        let known = Target::named(target);
        let target = known.ok_or_else(|| format!("there is no target {target}: {}", targets().join(", ")))?;
        Ok(RdbFile {
            writer: Writer::new(output, target).map_err(|e| e.to_string())?,
            dumped,
            key: String::new(),
        })
    }

    fn put(&mut self, item: Item<'_>) -> Result<(), String> {
        if let Item::Key(key) = item {
            self.key = format!("db{} {}", key.database, key.name.escape_ascii());
        }
        match self.writer.put(item) {
            Ok(()) => {
                self.dumped.keys += u64::from(item == Item::End);
                Ok(())
            }
            Err(WriteError::CannotHold { target, why }) => {
                self.dumped.refused += 1;
                if self.dumped.refused <= NAMED {
                    let key = &self.key;
                    self.dumped
                        .notes
                        .push(format!("left out: key {key}, which {target} cannot hold: {why}"));
                }
                Ok(())
            }
            Err(e) => Err(e.to_string()),
        }
    }
}
