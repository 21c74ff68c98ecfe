//! `redkeep-tool diff`: two sources compared by key, in bounded memory: each key's digest is sorted on disk, and both lists are gone
//! through side by side.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{BufReader, BufWriter, Seek, Write};
use std::path::Path;
use std::sync::Arc;

use super::digest::{Digest, Digester};
use super::source::Source;
use super::{Choice, Progress};

/// Bytes of digests that are sorted in memory.
const RUN: usize = 48 << 20;
/// What one takes beside its name, about.
const OVERHEAD: usize = 96;

/// How a key differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The key's database; none for a library of functions.
    pub database: Option<u64>,
    /// Its name.
    pub key: Vec<u8>,
    /// In words.
    pub what: String,
}

/// What two sources have in common, and what not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Differences {
    /// Keys that are the same.
    pub same: u64,
    /// Keys that only the first one has.
    pub only_first: u64,
    /// Keys that only the second one has.
    pub only_second: u64,
    /// Keys that both have with other types, values or deadlines.
    pub changed: u64,
    /// What the user has to see, a line each.
    pub notes: Vec<String>,
}

impl Differences {
    /// Whether there are none.
    pub fn are_none(&self) -> bool {
        self.only_first + self.only_second + self.changed == 0
    }
}

/// Compares what is chosen of two sources, and shows each key that differs, in order. With `ignores_times`, when entries of streams
/// were given to whom does not count.
///
/// # Errors
/// A source cannot be read to its end; there is no room for temporary files; it was interrupted.
pub fn diff(
    sources: [&Path; 2],
    choice: &Choice,
    ignores_times: bool,
    progress: &Arc<Progress>,
    show: &mut dyn FnMut(Difference),
) -> Result<Differences, String> {
    let mut notes = Vec::new();
    let mut sorted = |path: &Path| {
        let source = Source::open(path, progress, false)?;
        let mut sorter = Sorter::default();
        let mut digester = Digester::default();
        digester.ignores_times = ignores_times;
        source.read(
            choice,
            &std::env::temp_dir(),
            &mut notes,
            &mut |item| match digester.take(item) {
                Some(digest) => sorter.push(digest).map_err(|e| e.to_string()),
                None => Ok(()),
            },
        )?;
        sorter.finish().map_err(|e| e.to_string())
    };
    let (mut first, mut second) = (sorted(sources[0])?, sorted(sources[1])?);
    let mut found = compare(&mut first, &mut second, show).map_err(|e| e.to_string())?;
    found.notes = notes;
    Ok(found)
}

fn compare(
    first: &mut Sorted,
    second: &mut Sorted,
    show: &mut dyn FnMut(Difference),
) -> std::io::Result<Differences> {
    let mut found = Differences::default();
    let (mut one, mut other) = (first.next()?, second.next()?);
    loop {
        let order = match (&one, &other) {
            (None, None) => return Ok(found),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(one), Some(other)) => one.order(other),
        };
        let what = match (order, &one, &other) {
            (Ordering::Less, ..) => {
                found.only_first += 1;
                Some("only in the first".to_owned())
            }
            (Ordering::Greater, ..) => {
                found.only_second += 1;
                Some("only in the second".to_owned())
            }
            (Ordering::Equal, Some(one), Some(other)) => {
                let what = difference(one, other);
                found.changed += u64::from(what.is_some());
                found.same += u64::from(what.is_none());
                what
            }
            (Ordering::Equal, ..) => None,
        };
        let digest = if order == Ordering::Greater { &other } else { &one };
        if let (Some(what), Some(digest)) = (what, digest) {
            show(Difference {
                database: Some(digest.database).filter(|database| *database != u64::MAX),
                key: digest.name.clone(),
                what,
            });
        }
        if order != Ordering::Greater {
            one = first.next()?;
        }
        if order != Ordering::Less {
            other = second.next()?;
        }
    }
}

fn difference(one: &Digest, other: &Digest) -> Option<String> {
    let mut what = Vec::new();
    if one.kind_name() != other.kind_name() {
        what.push(format!("type {} and {}", one.kind_name(), other.kind_name()));
    } else if !one.has_value_of(other) {
        what.push(match one.elements == other.elements {
            true => format!("another {}", one.kind_name()),
            false => format!(
                "a {} of {} and of {} elements",
                one.kind_name(),
                one.elements,
                other.elements
            ),
        });
    }
    if one.deadline != other.deadline {
        let told =
            |deadline: Option<u64>| deadline.map_or("none".to_owned(), |deadline| deadline.to_string());
        what.push(format!(
            "deadline {} and {}",
            told(one.deadline),
            told(other.deadline)
        ));
    }
    (!what.is_empty()).then(|| what.join(", "))
}

/// Sorts digests in runs, which go to temporary files.
#[derive(Default)]
struct Sorter {
    run: Vec<Digest>,
    bytes: usize,
    runs: Vec<File>,
}

impl Sorter {
    fn push(&mut self, digest: Digest) -> std::io::Result<()> {
        self.bytes += OVERHEAD + digest.name.len();
        self.run.push(digest);
        match self.bytes > RUN {
            true => self.spill(),
            false => Ok(()),
        }
    }

    fn spill(&mut self) -> std::io::Result<()> {
        self.run.sort_by(Digest::order);
        let (mut file, mut bytes) = (BufWriter::new(tempfile::tempfile()?), Vec::new());
        for digest in self.run.drain(..) {
            bytes.clear();
            digest.encode(&mut bytes);
            file.write_all(&bytes)?;
        }
        self.bytes = 0;
        let mut file = file.into_inner().map_err(std::io::IntoInnerError::into_error)?;
        file.rewind()?;
        self.runs.push(file);
        Ok(())
    }

    fn finish(mut self) -> std::io::Result<Sorted> {
        self.run.sort_by(Digest::order);
        let mut sources = vec![Run::Memory(std::mem::take(&mut self.run).into_iter())];
        sources.extend(self.runs.into_iter().map(|file| Run::File(BufReader::new(file))));
        let mut sorted = Sorted {
            sources,
            heads: BinaryHeap::new(),
        };
        (0..sorted.sources.len()).try_for_each(|at| sorted.pull(at))?;
        Ok(sorted)
    }
}

enum Run {
    Memory(std::vec::IntoIter<Digest>),
    File(BufReader<File>),
}

/// The next of a run: the least of all is on top of a heap.
struct Head(Digest, usize);

impl Ord for Head {
    fn cmp(&self, other: &Head) -> Ordering {
        other.0.order(&self.0).then(other.1.cmp(&self.1))
    }
}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Head) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Head {
    fn eq(&self, other: &Head) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Head {}

/// All digests of a source in order.
struct Sorted {
    sources: Vec<Run>,
    heads: BinaryHeap<Head>,
}

impl Sorted {
    fn pull(&mut self, at: usize) -> std::io::Result<()> {
        let next = match &mut self.sources[at] {
            Run::Memory(digests) => digests.next(),
            Run::File(file) => match std::io::BufRead::fill_buf(file)?.is_empty() {
                true => None,
                false => Some(Digest::decode(file)?),
            },
        };
        self.heads.extend(next.map(|digest| Head(digest, at)));
        Ok(())
    }

    fn next(&mut self) -> std::io::Result<Option<Digest>> {
        let Some(Head(digest, at)) = self.heads.pop() else {
            return Ok(None);
        };
        self.pull(at)?;
        Ok(Some(digest))
    }
}
