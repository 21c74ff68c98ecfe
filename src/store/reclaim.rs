//! Reclaim: what was unlinked in O(1) is deleted in the background, a bounded step at a time.
//!
//! A step runs on the view pool: it reads the first `gc` record and builds the batch that deletes what the record
//! names, or a part of it; the record itself goes with the last part. So a crash at any point only repeats deletes.

use super::{Done, Store};
use crate::disk::format::{
    Family, Garbage, Header, Kind, LongString, RecordKey, namespace_prefix, prefix_end, split_ordered_id,
};
use crate::disk::{Batch, Builder, Disk, ReadError, View};

/// Most records that one step visits or deletes one by one.
const RECORDS_PER_STEP: usize = 2000;
/// From this many records on, a range tombstone is cheaper than deletes one by one.
const RANGE_DELETE_FROM: u64 = 4 * RECORDS_PER_STEP as u64;

#[derive(Default)]
pub struct Reclaim {
    /// `gc` records may exist.
    wanted: bool,
    running: bool,
    /// Set once the store was asked at start, when only the disk knows what is left.
    asked: bool,
    /// Where in the namespace under way the next step goes on.
    resume: Vec<u8>,
    next_resume: Vec<u8>,
    pub steps: u64,
    pub records: u64,
}

pub struct Step {
    batch: Option<Batch>,
    resume: Vec<u8>,
    error: Option<ReadError>,
}

impl Reclaim {
    pub fn staged(&mut self) {
        self.wanted = true;
    }

    pub fn written(&mut self, ok: bool) {
        self.running = false;
        if ok {
            self.resume = std::mem::take(&mut self.next_resume);
        }
    }
}

impl Store {
    /// Starts the next step, if there may be something to reclaim and nothing is under way.
    pub fn reclaim_some(&mut self) {
        let reclaim = &mut self.reclaim;
        let wanted = reclaim.wanted || !std::mem::replace(&mut reclaim.asked, true);
        if !wanted || reclaim.running || !self.commit.is_idle() {
            return;
        }
        // What is unlinked from here on, the step may not see: it sets the mark again.
        reclaim.wanted = false;
        reclaim.running = true;
        let (resume, done, disk) = (reclaim.resume.clone(), self.done.clone(), self.disk.clone());
        self.run_over_view(move |view| {
            let step = step(&disk, view, &resume).unwrap_or_else(|error| Step {
                batch: None,
                resume,
                error: Some(error),
            });
            // A closed channel means that the store is being dropped.
            let _ = done.send(Done::ReclaimStep(step));
        });
    }

    pub(super) fn accept_reclaim(&mut self, step: Step) {
        if let Some(error) = step.error {
            eprintln!("redkeep: reclaiming space failed: {error}");
        }
        match step.batch {
            Some(batch) => {
                self.reclaim.wanted = true;
                self.reclaim.steps += 1;
                self.reclaim.records += batch.len() as u64;
                self.reclaim.next_resume = step.resume;
                let (commit, ctx) = self.commit_parts();
                commit.background(&ctx, batch);
            }
            None => self.reclaim.running = false,
        }
    }
}

fn step(disk: &Disk, view: &View, resume: &[u8]) -> Result<Step, ReadError> {
    let mut records = view.walk(Family::Gc, b"", None)?;
    let Some((id, garbage)) = records.next_record()? else {
        return Ok(Step {
            batch: None,
            resume: Vec::new(),
            error: None,
        });
    };
    let damaged = |text: &str| ReadError(text.to_owned());
    let id = id
        .try_into()
        .map(u64::from_be_bytes)
        .map_err(|_| damaged("malformed gc key"))?;
    let mut batch = disk.batch()?;
    let resume = match Garbage::decode(garbage).map_err(|e| damaged(e.0))? {
        Garbage::Segments { count } => {
            delete_segments(&mut batch, id, count);
            None
        }
        Garbage::Namespace { keys } => delete_keys(view, &mut batch, id, keys, resume)?,
    };
    if resume.is_none() {
        batch.delete(&RecordKey::garbage(id));
    }
    Ok(Step {
        batch: Some(batch.finish()),
        resume: resume.unwrap_or_default(),
        error: None,
    })
}

fn delete_segments(batch: &mut Builder, id: u64, count: u32) {
    if u64::from(count) < RANGE_DELETE_FROM / 4 {
        (0..count).for_each(|index| batch.delete(&RecordKey::segment(id, index)));
        return;
    }
    let (from, to) = (RecordKey::segment(id, 0), RecordKey::segment(id, u32::MAX));
    batch.delete_range(Family::Segment, from.key(), to.key());
}

/// Deletes some keys of a dead namespace with all they own, from `resume` on. Returns where to go on, if not at the end.
fn delete_keys(
    view: &View,
    batch: &mut Builder,
    namespace: u64,
    keys: u64,
    resume: &[u8],
) -> Result<Option<Vec<u8>>, ReadError> {
    let prefix = namespace_prefix(namespace);
    let end = prefix_end(&prefix);
    let from = if resume.starts_with(&prefix) {
        resume
    } else {
        &prefix
    };
    let one_by_one = keys < RANGE_DELETE_FROM;
    let mut walk = view.walk(Family::Meta, from, end.as_deref())?;
    let mut visited = 0;
    while let Some((key, record)) = walk.next_record()? {
        // Without deletes a step is light, so it may go further.
        if visited == RECORDS_PER_STEP * if one_by_one { 1 } else { 16 } {
            return Ok(Some(key.to_vec()));
        }
        visited += 1;
        let damaged = |e: crate::disk::format::Malformed| ReadError(e.to_string());
        let (header, body) = Header::decode(record).map_err(damaged)?;
        if header.kind == Kind::LongString {
            let long = LongString::decode(&record[body..]).map_err(damaged)?;
            delete_segments(batch, long.id, long.segments());
        }
        if let (Some(deadline), Some((_, name))) = (header.deadline, split_ordered_id(key)) {
            batch.delete(&RecordKey::expire(deadline, namespace, name));
        }
        if one_by_one {
            batch.delete(&RecordKey::new(Family::Meta, key));
        }
    }
    if let (false, Some(end)) = (one_by_one, end) {
        batch.delete_range(Family::Meta, &prefix, &end);
    }
    Ok(None)
}
