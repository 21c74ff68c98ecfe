//! What is in a data directory before it is opened: nothing, a store, a store half made, or something else. Nothing here
//! writes but [`clear_half_made`].

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::OpenError;
use super::identity::{self, Identity, State};
use super::log_file::{self, Scan};

/// Whether a store may be made where there is none.
#[derive(Clone, Debug, Default)]
pub struct Creation {
    /// None may be made.
    pub is_refused: bool,
    /// Files that are not in the way: the server's own log and the like.
    pub beside: Vec<PathBuf>,
}

/// What a directory holds.
pub enum Found {
    /// No store, and nothing that is in the way of one.
    Nothing,
    /// The making of a store was broken off: nothing in it was ever acknowledged.
    HalfMade(Identity),
    /// Without an identity: one that an earlier version made.
    Store(Option<Identity>),
}

/// Between the last change of one log and the first of the next so many numbers may be passed over: tables that a checkpoint
/// has families take in get numbers, too, one a family, and it may have been begun a few times.
const MOST_PASSED_OVER: u64 = 64;
/// How many names of files that are in the way are told.
const NAMES_TOLD: usize = 3;

/// A file of RocksDB's, by its name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// Names the MANIFEST.
    Current,
    /// Says which tables there are; with its number.
    Manifest(u64),
    /// What was written and is in no table, with its number.
    Log(u64),
    /// Records, for good.
    Table,
    /// Says nothing about the data.
    Other,
}

impl Part {
    fn of(name: &str) -> Option<Part> {
        if let Some(number) = name.strip_prefix("MANIFEST-") {
            return number.parse().ok().map(Part::Manifest);
        }
        match name {
            "CURRENT" => return Some(Part::Current),
            "IDENTITY" | "LOCK" | "LOG" => return Some(Part::Other),
            _ if name.starts_with("OPTIONS-") || name.starts_with("LOG.old.") => return Some(Part::Other),
            _ => {}
        }
        let (stem, extension) = name.split_once('.')?;
        let number = stem.parse().ok()?;
        match extension {
            "log" => Some(Part::Log(number)),
            "sst" => Some(Part::Table),
            "dbtmp" => Some(Part::Other),
            _ => None,
        }
    }

    fn is_data(self) -> bool {
        self != Part::Other
    }
}

fn io_error(path: &Path) -> impl Fn(io::Error) -> OpenError {
    move |e| OpenError::Io(format!("{}: {e}", path.display()))
}

/// The names in a directory, as far as they are text: no file of ours has another.
fn names(dir: &Path) -> Result<Vec<String>, OpenError> {
    let entries = fs::read_dir(dir).map_err(io_error(dir))?;
    let names = entries.map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()));
    let mut names = names.collect::<io::Result<Vec<_>>>().map_err(io_error(dir))?;
    names.sort_unstable();
    Ok(names)
}

/// Sees what is in the directory, and changes nothing.
///
/// # Errors
/// What is there is damaged, of a newer format, not a store's at all, or cannot be read.
pub fn examine(dir: &Path, creation: &Creation) -> Result<Found, OpenError> {
    let names = names(dir)?;
    let has_data = names.iter().filter_map(|name| Part::of(name)).any(Part::is_data);
    let identity = match Identity::read(dir) {
        Ok(identity) => identity,
        // It came no further than its first file.
        Err(e) if e.kind() == io::ErrorKind::InvalidData && !has_data => Some(Identity::new()),
        Err(e) if e.kind() == io::ErrorKind::InvalidData => {
            return Err(OpenError::Damaged(format!("{}: {e}", identity::NAME)));
        }
        Err(e) => return Err(io_error(&dir.join(identity::NAME))(e)),
    };
    match identity {
        Some(identity) if identity.state == State::BeingMade => Ok(Found::HalfMade(identity)),
        Some(identity) => Ok(Found::Store(Some(identity))),
        None if has_data => Ok(Found::Store(None)),
        None => {
            let is_in_the_way = |name: &&String| !is_beside(dir, name, creation);
            refuse_others(dir, names.iter().filter(is_in_the_way))?;
            Ok(Found::Nothing)
        }
    }
}

/// Whether a file is one that every directory may have: what starts with a dot, what a file system puts into its root, what
/// RocksDB writes beside its data, and what the server itself has there.
fn is_beside(dir: &Path, name: &str, creation: &Creation) -> bool {
    let path = dir.join(name);
    let is_own = |own: &PathBuf| *own == path || own.file_name() == Some(OsStr::new(name));
    name.starts_with('.')
        || name == "lost+found"
        || Part::of(name).is_some()
        || creation.beside.iter().any(is_own)
}

fn refuse_others<'n>(dir: &Path, others: impl Iterator<Item = &'n String>) -> Result<(), OpenError> {
    let others: Vec<&str> = others.map(String::as_str).collect();
    if others.is_empty() {
        return Ok(());
    }
    let mut told = others[..others.len().min(NAMES_TOLD)].join(", ");
    if others.len() > NAMES_TOLD {
        told.push_str(", ...");
    }
    let is_of_redis = |name: &&str| name.ends_with(".rdb") || *name == "appendonlydir";
    let hint = match others.iter().find(|name| is_of_redis(name)) {
        Some(name) => format!(": --load fills a new one from {name}"),
        None => String::new(),
    };
    Err(OpenError::Foreign(format!(
        "{} has files that are not a store's ({told}), and a store is made in an empty directory only{hint}",
        dir.display()
    )))
}

/// Removes what the making of a store left that was broken off.
///
/// # Errors
/// The directory cannot be read, or a file in it cannot be removed.
pub fn clear_half_made(dir: &Path) -> Result<(), OpenError> {
    for name in names(dir)?.iter().filter(|name| Part::of(name).is_some()) {
        let path = dir.join(name);
        fs::remove_file(&path).map_err(io_error(&path))?;
    }
    Ok(())
}

/// RocksDB's files in a directory, by name.
///
/// # Errors
/// The directory cannot be read.
pub fn parts(dir: &Path) -> io::Result<Vec<(String, Part)>> {
    let mut parts = Vec::new();
    for entry in fs::read_dir(dir)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        parts.extend(Part::of(&name).map(|part| (name, part)));
    }
    Ok(parts)
}

/// The number of the newest log file, 0 if there is none.
///
/// # Errors
/// The directory cannot be read.
pub fn newest_log(dir: &Path) -> io::Result<u64> {
    let mut newest = 0;
    for entry in fs::read_dir(dir)? {
        if let Some(Part::Log(number)) = Part::of(&entry?.file_name().to_string_lossy()) {
            newest = newest.max(number);
        }
    }
    Ok(newest)
}

/// The number of the MANIFEST that is in use, and its length.
///
/// # Errors
/// CURRENT or the MANIFEST cannot be read; one of kind `InvalidData` if CURRENT names none.
pub fn manifest(dir: &Path) -> io::Result<(u64, u64)> {
    let current = fs::read_to_string(dir.join("CURRENT"))?;
    let number = current.strip_suffix('\n').and_then(Part::of);
    let Some(Part::Manifest(number)) = number else {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "CURRENT is damaged"));
    };
    let length = fs::metadata(manifest_path(dir, number))?.len();
    Ok((number, length))
}

fn manifest_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("MANIFEST-{number:06}"))
}

fn log_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:06}.log"))
}

/// Holds CURRENT and the MANIFEST against what is known of them.
///
/// # Errors
/// They are missing or damaged, or older or shorter than they were; or they cannot be read.
pub fn check_manifest(dir: &Path, identity: Option<&Identity>) -> Result<(), OpenError> {
    let missing = |name: &str| OpenError::Damaged(format!("{name} is missing"));
    if !dir.join("CURRENT").exists() {
        return Err(missing("CURRENT"));
    }
    let (number, _) = manifest(dir).map_err(|e| match e.kind() {
        io::ErrorKind::NotFound => missing("the MANIFEST that CURRENT names"),
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
            OpenError::Damaged("CURRENT: it is damaged".to_owned())
        }
        _ => io_error(dir)(e),
    })?;
    let path = manifest_path(dir, number);
    let name = path.file_name().unwrap_or_default().display();
    let scan = log_file::scan(&path).map_err(io_error(&path))?;
    if let Some(damage) = damage(&scan) {
        return Err(OpenError::Damaged(format!("{name} {damage}")));
    }
    let known = identity.map(|identity| identity.known).unwrap_or_default();
    if number < known.manifest {
        return Err(OpenError::Damaged(format!(
            "CURRENT names {name}, and MANIFEST-{:06} was in use",
            known.manifest
        )));
    }
    if number == known.manifest && scan.whole < known.manifest_length {
        return Err(OpenError::Damaged(format!(
            "{name} ends after {} bytes, and had {}",
            scan.whole, known.manifest_length
        )));
    }
    Ok(())
}

fn damage(scan: &Scan) -> Option<String> {
    let resumes = scan.resumes?;
    Some(format!(
        "is damaged at byte {}: whole records follow from byte {resumes} on",
        scan.whole
    ))
}

/// What is wrong with log files.
#[derive(Default)]
pub struct LogFaults {
    /// Told to who is to decide, one line each.
    pub lines: Vec<String>,
    /// The number of the last one that what was written can be read from: it ends early, or is not followed by what came
    /// next.
    pub last: Option<u64>,
}

impl LogFaults {
    fn push(&mut self, last: u64, line: String) {
        self.last.get_or_insert(last);
        self.lines.push(line);
    }
}

/// Why log files cannot be trusted to hold all that was written to them. From the number `needed` on they are wanted.
///
/// # Errors
/// The directory or a log cannot be read.
pub fn faults_of_logs(dir: &Path, identity: Option<&Identity>, needed: u64) -> Result<LogFaults, OpenError> {
    let mut faults = LogFaults::default();
    let names = names(dir)?;
    let numbers = names.iter().filter_map(|name| match Part::of(name) {
        Some(Part::Log(number)) if number >= needed => Some(number),
        _ => None,
    });
    let mut numbers: Vec<u64> = numbers.collect();
    numbers.sort_unstable();
    if let Some(identity) = identity
        && identity.known.log >= needed
        && !numbers.contains(&identity.known.log)
    {
        faults.push(u64::MAX, format!("{:06}.log is missing", identity.known.log));
    }
    let mut before: Option<(u64, u64)> = None;
    for (at, &number) in numbers.iter().enumerate() {
        let path = log_path(dir, number);
        let scan = log_file::scan(&path).map_err(io_error(&path))?;
        if let Some((first, next)) = scan.changes {
            if let Some((log, expected)) = before
                && !(expected..=expected + MOST_PASSED_OVER).contains(&first)
            {
                faults.push(
                    log,
                    format!("{number:06}.log does not go on where {log:06}.log ends"),
                );
            }
            before = Some((number, next));
        }
        if let Some(damage) = damage(&scan) {
            faults.push(number, format!("{number:06}.log {damage}"));
        } else if scan.whole < scan.length && at + 1 < numbers.len() {
            let end = scan.whole;
            faults.push(
                number,
                format!("{number:06}.log is damaged at byte {end}: a later log follows"),
            );
        }
    }
    Ok(faults)
}

/// Removes the log files behind one: where its end was lost, nothing that came later counts.
///
/// # Errors
/// The directory cannot be read, or a log cannot be removed.
pub fn drop_logs_behind(dir: &Path, last: u64) -> Result<(), OpenError> {
    for name in names(dir)? {
        if matches!(Part::of(&name), Some(Part::Log(number)) if number > last) {
            let path = dir.join(name);
            fs::remove_file(&path).map_err(io_error(&path))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_what_a_file_is() {
        for (name, kind) in [
            ("CURRENT", Some(Part::Current)),
            ("MANIFEST-000005", Some(Part::Manifest(5))),
            ("000017.log", Some(Part::Log(17))),
            ("000018.sst", Some(Part::Table)),
            ("LOG.old.1700000000", Some(Part::Other)),
            ("redkeep.log", None),
            ("dump.rdb", None),
            ("MANIFEST-x", None),
        ] {
            assert_eq!(Part::of(name), kind, "{name}");
        }
    }

    #[test]
    fn a_directory_of_another_program_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let put = |name: &str| fs::write(dir.path().join(name), b"x").unwrap();
        for name in [".hidden", "lost+found", "server.log"] {
            put(name);
        }
        let creation = Creation {
            beside: vec![dir.path().join("server.log")],
            ..Creation::default()
        };
        assert!(matches!(examine(dir.path(), &creation), Ok(Found::Nothing)));
        for name in ["a", "b", "dump.rdb", "e"] {
            put(name);
        }
        let Err(OpenError::Foreign(text)) = examine(dir.path(), &creation) else {
            panic!("not refused");
        };
        assert!(text.contains("(a, b, dump.rdb, ...)"), "{text}");
    }
}
