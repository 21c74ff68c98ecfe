//! Reclaim: what was unlinked in O(1) is deleted in the background, a bounded step at a time.
//!
//! A step runs on the view pool: it reads the first `gc` record and builds the batch that deletes what the record
//! names, or a part of it; the record itself goes with the last part. So a crash at any point only repeats deletes.

use super::{Report, Store};
use crate::base::log;
use crate::disk::format::{
    Deadlines, Family, Garbage, Header, RecordKey, SEGMENT, namespace_prefix, owned, prefix_end,
    split_ordered_id,
};
use crate::disk::{Batch, Builder, ReadError, View};

/// Most records that one step visits or deletes one by one.
const RECORDS_PER_STEP: usize = 2000;
/// From this many records on, a range tombstone is cheaper than deletes one by one.
const RANGE_DELETE_FROM: u64 = 4 * RECORDS_PER_STEP as u64;

/// Where the deletion of what was unlinked goes on.
#[derive(Default)]
pub struct Reclaim {
    /// `gc` records may exist: nothing says otherwise at the start, when only the disk knows.
    done: bool,
    running: bool,
    /// No `gc` record with a lower id is left: the next step does not walk over those deleted before.
    low: u64,
    /// The lowest id staged that the running step cannot see.
    staged: u64,
    /// Where in the namespace under way the next step goes on.
    resume: Vec<u8>,
    /// `low` and `resume` once the running step's batch is written.
    next: (u64, Vec<u8>),
    /// Steps made.
    pub steps: u64,
    /// Deletes in them.
    pub records: u64,
    /// Tells of steps that failed: they are tried again each tick.
    failures: log::Seldom,
}

/// What one step came to: the deletes, and where the next one begins.
pub struct Step {
    batch: Batch,
    low: u64,
    resume: Vec<u8>,
    dead: Dead,
}

/// What a step came by that is dead.
#[derive(Default)]
struct Dead {
    /// Ids and namespaces.
    ids: Vec<u64>,
    /// About how many bytes their records have on disk.
    bytes: u64,
}

impl Reclaim {
    /// Whether there is nothing to reclaim.
    pub fn is_idle(&self) -> bool {
        self.done && !self.running
    }

    /// An id was put to reclaim.
    pub fn staged(&mut self, id: u64) {
        self.done = false;
        self.low = self.low.min(id);
        self.staged = self.staged.min(id);
    }

    /// The running step's batch was written, or lost.
    fn written(&mut self, ok: bool) {
        self.running = false;
        if ok {
            let (low, resume) = std::mem::take(&mut self.next);
            self.low = low.min(self.staged);
            self.resume = resume;
        }
    }
}

impl Store {
    /// Starts the next step, if there may be something to reclaim and none is under way.
    pub fn reclaim_some(&mut self) {
        if self.reclaim.done || self.reclaim.running || self.hot.has_buried_many() {
            return;
        }
        self.checkpoint_garbage();
        self.reclaim.staged = self.lowest_unseen_garbage();
        self.reclaim.running = true;
        let (low, resume) = (self.reclaim.low, self.reclaim.resume.clone());
        self.walk_view(move |view| Report::ReclaimStep(step(view, low, &resume)));
    }

    /// A step was made: its batch is to be written.
    pub(super) fn accept_reclaim(&mut self, step: std::result::Result<Step, ReadError>) {
        match step {
            // It came by nothing that had to be deleted, and there is more.
            Ok(step) if step.batch.is_empty() && !step.resume.is_empty() => {
                self.note_step(step);
                self.reclaim_written(true);
            }
            Ok(step) if step.batch.is_empty() => {
                self.reclaim.running = false;
                // Unless something was staged that the step could not see.
                self.reclaim.done = self.reclaim.staged == u64::MAX;
            }
            Ok(step) => {
                let batch = self.note_step(step);
                let (commits, ctx) = self.commit_parts();
                commits.background(&ctx, batch);
            }
            Err(error) => {
                let message = format_args!("reclaiming space failed: {error}");
                self.reclaim.failures.warning(message);
                self.reclaim.running = false;
            }
        }
    }

    /// Takes in what a step came to. Returns its batch.
    fn note_step(&mut self, step: Step) -> Batch {
        self.reclaim.steps += 1;
        self.reclaim.records += step.batch.len() as u64;
        self.reclaim.next = (step.low, step.resume);
        self.upkeep.deleted(step.dead.bytes as usize);
        step.dead.ids.into_iter().for_each(|id| self.hot.bury(id));
        step.batch
    }

    /// A step's batch was written, or lost. The next step follows at once; after a loss, at the next tick.
    pub(super) fn reclaim_written(&mut self, ok: bool) {
        self.reclaim.written(ok);
        if ok {
            self.reclaim_some();
        }
    }
}

/// Deletes what the first `gc` records name, up to about [`RECORDS_PER_STEP`] records.
fn step(view: &View, mut low: u64, resume: &[u8]) -> Result<Step, ReadError> {
    let damaged = |text: &str| ReadError::damaged(text);
    let mut batch = view.batch()?;
    let mut records = view.walk(Family::Gc, &low.to_be_bytes(), None)?;
    let (mut resume, mut dead) = (resume, Dead::default());
    while batch.len() < RECORDS_PER_STEP
        && let Some((id, garbage)) = records.next_record()?
    {
        let id = id
            .try_into()
            .map(u64::from_be_bytes)
            .map_err(|_| damaged("malformed gc key"))?;
        match Garbage::decode(garbage).map_err(|e| damaged(e.0))? {
            garbage @ (Garbage::Segments { .. } | Garbage::Collection) => {
                delete_value(view, &mut batch, &mut dead, id, garbage)?;
            }
            Garbage::Namespace { keys } => {
                if let Some(resume) = delete_keys(view, &mut batch, &mut dead, id, keys, resume)? {
                    return Ok(Step {
                        batch: batch.finish(),
                        low: id,
                        resume,
                        dead,
                    });
                }
                dead.ids.push(id);
            }
        }
        batch.delete(&RecordKey::garbage(id));
        (low, resume) = (id + 1, b"");
    }
    Ok(Step {
        batch: batch.finish(),
        low,
        resume: Vec::new(),
        dead,
    })
}

/// Deletes what one key owned. A namespace is no key's.
fn delete_value(
    view: &View,
    batch: &mut Builder,
    dead: &mut Dead,
    id: u64,
    garbage: Garbage,
) -> Result<(), ReadError> {
    dead.ids.push(id);
    match garbage {
        Garbage::Segments { count } => {
            dead.bytes += u64::from(count) * SEGMENT as u64;
            delete_segments(batch, id, count);
        }
        Garbage::Collection => {
            for family in Family::OF_COLLECTIONS {
                dead.bytes += delete_collection(view, batch, family, id)?;
            }
        }
        Garbage::Namespace { .. } => {}
    }
    Ok(())
}

/// Deletes one family's records of a collection: one by one if they are few. Returns about how many bytes they have.
fn delete_collection(view: &View, batch: &mut Builder, family: Family, id: u64) -> Result<u64, ReadError> {
    let (from, to) = (id.to_be_bytes(), (id + 1).to_be_bytes());
    let (mut few, mut bytes) = (Vec::new(), 0);
    let mut records = view.walk(family, &from, Some(&to))?;
    while let Some((key, value)) = records.next_record()? {
        if few.len() == RECORDS_PER_STEP {
            batch.delete_range(family, &from, &to);
            return view.size(family, &from, &to);
        }
        bytes += (key.len() + value.len()) as u64;
        few.push(RecordKey::new(family, key));
    }
    few.iter().for_each(|key| batch.delete(key));
    Ok(bytes)
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
    dead: &mut Dead,
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
        dead.bytes += (key.len() + record.len()) as u64;
        let damaged = |e: crate::disk::format::Malformed| ReadError::from(e);
        let (header, body) = Header::decode(record).map_err(damaged)?;
        if let Some((id, garbage)) = owned(header, &record[body..]).map_err(damaged)? {
            delete_value(view, batch, dead, id, garbage)?;
        }
        if let Some((_, name)) = split_ordered_id(key) {
            let Deadlines { key, fields } = Deadlines::of(header, &record[body..]).map_err(damaged)?;
            for deadline in [key, fields].into_iter().flatten() {
                batch.delete(&RecordKey::expire(deadline, namespace, name));
            }
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
