//! A consistent view of the store: point reads and ordered walks over one snapshot. These block on the disk, so they
//! belong to the fetch pool, never to the executor.

use std::sync::atomic::{AtomicBool, Ordering};

use rocksdb::{DBRawIterator, ErrorKind, Range, ReadOptions, Snapshot};

use super::format::{Family, RecordKey};
use super::marks::MARK;
use super::opened::{Guard, Held};
use super::overlay::{OverlaidWalk, Record};
use super::{Builder, ReadError};

/// The store as it was at one moment. Where it could not be opened, each read is that error.
pub struct View<'d>(Result<Open<'d>, ReadError>);

struct Open<'d> {
    db: &'d Guard<'d>,
    snapshot: Snapshot<'d>,
    stop: Stop<'d>,
}

/// Reads end with an error once this is set.
#[derive(Clone, Copy)]
struct Stop<'d>(Option<&'d AtomicBool>);

impl Stop<'_> {
    fn check(self) -> Result<(), ReadError> {
        match self.0 {
            Some(stop) if stop.load(Ordering::Relaxed) => {
                Err(ReadError::failed("the store is about to be closed"))
            }
            _ => Ok(()),
        }
    }
}

impl<'d> View<'d> {
    /// A view of a store that is closed answers every read with the error.
    pub(super) fn new(db: Result<&'d Guard<'d>, &ReadError>, stop: Option<&'d AtomicBool>) -> View<'d> {
        View(match db {
            Ok(db) => Ok(Open {
                db,
                snapshot: db.snapshot(),
                stop: Stop(stop),
            }),
            Err(e) => Err(e.clone()),
        })
    }

    fn open(&self) -> Result<&Open<'d>, ReadError> {
        self.0.as_ref().map_err(ReadError::clone)
    }

    /// Begins a batch that is written to its families at once, on what the view shows.
    ///
    /// # Errors
    /// The store is closed.
    pub fn batch(&self) -> Result<Builder<'d>, ReadError> {
        Ok(Builder::over(Held::Shared(self.open()?.db)))
    }

    /// One record.
    ///
    /// # Errors
    /// It cannot be read or is damaged, the view could not be had, or reading was interrupted.
    pub fn get(&self, key: &RecordKey) -> Result<Option<Vec<u8>>, ReadError> {
        let Open { db, snapshot, stop } = self.open()?;
        stop.check()?;
        if db.overlay().is_some() {
            // Nothing changes.
            return db.read(key);
        }
        Ok(snapshot.get_cf(db.cf(key.family()), key.key())?)
    }

    /// The records of `family` with `from <= key < to` (`None`: to the end), in order.
    pub fn walk(&self, family: Family, from: &[u8], to: Option<&[u8]>) -> Result<Walk<'_>, ReadError> {
        self.begin_walk(ReadOptions::default(), family, from, to)
    }

    /// A walk that [gives up](Walk::has_given_up) where it would have to pass so much that was deleted that it takes long.
    pub fn short_walk(&self, family: Family, from: &[u8], to: Option<&[u8]>) -> Result<Walk<'_>, ReadError> {
        let mut options = ReadOptions::default();
        if self.open()?.db.overlay().is_none() {
            options.set_max_skippable_internal_keys(MOST_HIDDEN);
        }
        self.begin_walk(options, family, from, to)
    }

    fn begin_walk(
        &self,
        mut options: ReadOptions,
        family: Family,
        from: &[u8],
        to: Option<&[u8]>,
    ) -> Result<Walk<'_>, ReadError> {
        let Open { db, snapshot, stop } = self.open()?;
        if let Some(to) = to {
            options.set_iterate_upper_bound(to);
        }
        // A walk over much data must not push what others read out of the block cache.
        options.fill_cache(false);
        options.set_auto_readahead_size(true);
        let Some(cf) = db.find_cf(family) else {
            return Ok(Walk(Over::Nothing, *stop));
        };
        let mut it = snapshot.raw_iterator_cf_opt(cf, options);
        it.seek(from);
        if it.key() == Some(MARK) {
            it.next();
        }
        let over = match db.overlay() {
            Some(overlay) => Over::Both(Box::new(OverlaidWalk::new(it, overlay, family, from, to))),
            None => Over::Families { it, started: false },
        };
        Ok(Walk(over, *stop))
    }

    /// About how many bytes of tables the records of `family` with `from <= key < to` have.
    pub fn size(&self, family: Family, from: &[u8], to: &[u8]) -> Result<u64, ReadError> {
        let db = self.open()?.db;
        let sizes = db.get_approximate_sizes_cf(db.cf(family), &[Range::new(from, to)]);
        Ok(sizes.into_iter().sum())
    }

    /// The last key of `family` with `from <= key < to`; `None` also where looking for it would take long.
    pub fn last(&self, family: Family, from: &[u8], to: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        let Open { db, snapshot, .. } = self.open()?;
        if db.overlay().is_some() {
            let mut walk = self.walk(family, from, Some(to))?;
            let mut last = None;
            while let Some((key, _)) = walk.next_record()? {
                last = Some(key.to_vec());
            }
            return Ok(last);
        }
        let mut options = ReadOptions::default();
        options.set_iterate_lower_bound(from);
        options.set_iterate_upper_bound(to);
        options.set_max_skippable_internal_keys(MOST_HIDDEN);
        options.fill_cache(false);
        let mut it = snapshot.raw_iterator_cf_opt(db.cf(family), options);
        it.seek_to_last();
        match it.key() {
            Some(key) => Ok(Some(key.to_vec())),
            None => has_given_up(&it).map(|_| None),
        }
    }
}

/// Most deleted records that lie between two that are there, or before the first, for a walk that is to be short.
const MOST_HIDDEN: u64 = 4096;

/// Whether it came to an end since too much was in its way.
fn has_given_up(it: &DBRawIterator) -> Result<bool, ReadError> {
    match it.status() {
        Ok(()) => Ok(false),
        Err(e) if e.kind() == ErrorKind::Incomplete => Ok(true),
        Err(e) => Err(e.into()),
    }
}

/// What a body comes to, and how many records it passed that were deleted, or of which there are later ones.
#[cfg(test)]
pub fn passed_over<T>(body: impl FnOnce() -> T) -> (T, u64) {
    use rocksdb::perf::{PerfContext, PerfMetric, PerfStatsLevel, set_perf_stats};

    set_perf_stats(PerfStatsLevel::EnableCount);
    let mut counts = PerfContext::default();
    counts.reset();
    let came_to = body();
    let passed = counts.metric(PerfMetric::InternalDeleteSkippedCount)
        + counts.metric(PerfMetric::InternalKeySkippedCount);
    set_perf_stats(PerfStatsLevel::Disable);
    (came_to, passed)
}

/// An ordered walk. Not a std iterator: what it yields borrows from it.
pub struct Walk<'v>(Over<'v>, Stop<'v>);

/// What it goes over.
enum Over<'v> {
    Families {
        it: DBRawIterator<'v>,
        started: bool,
    },
    /// What the journal holds, too.
    Both(Box<OverlaidWalk<'v>>),
    Nothing,
}

impl Walk<'_> {
    /// Goes on from `key`, which must lie within the walk's bounds.
    pub fn seek(&mut self, key: &[u8]) {
        match &mut self.0 {
            Over::Families { it, started } => {
                it.seek(key);
                *started = false;
            }
            Over::Both(walk) => walk.seek(key),
            Over::Nothing => {}
        }
    }

    /// The next key and value.
    pub fn next_record(&mut self) -> Result<Option<Record<'_>>, ReadError> {
        self.1.check()?;
        let (it, started) = match &mut self.0 {
            Over::Families { it, started } => (it, started),
            Over::Both(walk) => return walk.next_record(),
            Over::Nothing => return Ok(None),
        };
        if *started && it.valid() {
            it.next();
        }
        *started = true;
        if !it.valid() {
            return has_given_up(it).map(|_| None);
        }
        Ok(it.item())
    }

    /// Whether a [short](View::short_walk) walk ended though there may be more.
    pub fn has_given_up(&self) -> Result<bool, ReadError> {
        match &self.0 {
            Over::Families { it, .. } => has_given_up(it),
            Over::Both(_) | Over::Nothing => Ok(false),
        }
    }
}
