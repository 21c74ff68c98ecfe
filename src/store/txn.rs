//! A transaction: what a command reads and writes through.
//!
//! A body that runs over a [`Txn`] may be run any number of times: its reads come from memory and either hit or stop it
//! with [`Stop::Fault`]; its writes, ids and effects stay on the transaction until [`Store::stage`] takes them, whole.

use std::ops::Range;
use std::rc::Rc;

use super::Store;
use super::allowance::Allowance;
use super::cursors::Cursors;
use super::effects::Effect;
use super::epoch::Epoch;
use super::layout::{Holder, Layout, Namespaces};
use super::recent::Recent;
use super::rehearsal_view::RehearsalView;
use super::stop::{Result, Stop};
use super::value::Value;
use super::work::{Mark, ToBe, Work};
use crate::base::events::Events;
use crate::base::random::Random;
use crate::disk::View;
use crate::disk::delta::{Known, Splice};
use crate::disk::format::{Namespace, RecordKey};

/// Where a transaction reads.
enum Source<'s> {
    /// From memory, which the store knows; for a body that may write.
    Live(&'s mut Store),
    /// From a snapshot of the families; for one that only reads.
    View(&'s View<'s>, &'s Cursors, Rc<Recent>),
    /// From such a snapshot, as if from memory: for a rehearsal.
    Rehearsal(Box<RehearsalView<'s>>),
}

/// A point to which [`Txn::rollback`] returns: whatever the transaction would change is as it was then. Records, with
/// deadlines and what goes to reclaim; namespaces, with their counts; ids; effects, lookups and watched keys; which of the
/// writes are deletes of expired keys; and the random choices to come.
///
/// What the transaction has learned stays: the records it misses, the epochs that it depends on, and what it has taken of
/// its allowance.
#[derive(Clone)]
pub struct Savepoint {
    work: Mark,
    expired: Mark,
    random: Random,
}

/// A transaction: all reads and writes of a body. See the page of this module.
pub struct Txn<'s> {
    source: Source<'s>,
    /// How databases are divided.
    layout: Layout,
    /// What it has gathered.
    pub(super) work: Box<Work>,
    /// Unix time in milliseconds: one and the same throughout the transaction.
    pub now: u64,
    /// For random choices. Every run of a body has to make the same ones, or a body that chose what is not in memory
    /// would choose something else each time it runs: so whoever runs it again gives it the same seed again.
    pub random: Random,
    /// Whether what it reads counts as used.
    pub touches: bool,
    /// For what it gathers in memory.
    pub allowance: Allowance,
    /// What it writes is no change to those who watch the key.
    pub is_unwatched: bool,
    /// The keyspace events that somebody wants to know of.
    pub(super) events: Events,
}

impl<'s> Txn<'s> {
    /// A transaction that reads from memory.
    pub(super) fn live(store: &'s mut Store, mut work: Box<Work>, now: u64) -> Txn<'s> {
        work.author.notes_keys = store.tracking.is_on();
        Txn {
            layout: store.catalog.layout(),
            events: store.events,
            source: Source::Live(store),
            work,
            now,
            random: Random::from_seed(now),
            touches: true,
            allowance: Allowance::ENDLESS,
            is_unwatched: false,
        }
    }

    /// A transaction that reads from a view, and cannot write. It blocks on the disk.
    pub(super) fn over_view(view: &'s View<'s>, cursors: &'s Cursors, layout: Layout, now: u64) -> Txn<'s> {
        Txn {
            layout,
            source: Source::View(view, cursors, Rc::default()),
            work: Box::default(),
            now,
            random: Random::from_seed(now),
            touches: false,
            allowance: Allowance::ENDLESS,
            is_unwatched: false,
            events: Events::empty(),
        }
    }

    /// A transaction that behaves as a live one, but reads from a view. Nothing comes of it but what the rehearsal notes.
    pub(super) fn rehearsing(rehearsal: RehearsalView<'s>, layout: Layout, now: u64) -> Txn<'s> {
        Txn {
            layout,
            source: Source::Rehearsal(Box::new(rehearsal)),
            work: Box::default(),
            now,
            random: Random::from_seed(now),
            touches: false,
            allowance: Allowance::ENDLESS,
            is_unwatched: false,
            events: Events::empty(),
        }
    }

    /// The rehearsal, if it is one.
    pub(super) fn rehearsal(&self) -> Option<&RehearsalView<'s>> {
        match &self.source {
            Source::Rehearsal(rehearsal) => Some(rehearsal),
            Source::Live(_) | Source::View(..) => None,
        }
    }

    /// The same, at its end.
    pub(super) fn into_rehearsal(self) -> Option<RehearsalView<'s>> {
        match self.source {
            Source::Rehearsal(rehearsal) => Some(*rehearsal),
            Source::Live(_) | Source::View(..) => None,
        }
    }

    /// What it has gathered, at its end.
    pub(super) fn into_work(self) -> Box<Work> {
        self.work
    }

    /// Whether expired keys are deleted on sight: not over a view, nor while they are to be kept or nothing may be added to
    /// what is staged.
    pub(super) fn deletes_expired(&self) -> bool {
        match &self.source {
            Source::Live(store) => !store.expiry.hides_only && !store.is_congested(),
            Source::Rehearsal(rehearsal) => rehearsal.deletes_expired,
            Source::View(..) => false,
        }
    }

    /// The view, if the transaction is over one: it can be walked over.
    pub fn view(&self) -> Option<&'s View<'s>> {
        match &self.source {
            Source::View(view, ..) => Some(view),
            Source::Live(_) | Source::Rehearsal(_) => None,
        }
    }

    /// This call changes nothing, though others of its command do: it may go over a view, if its transaction may.
    pub fn only_reads(&mut self) {
        self.allowance.note_only_reads();
    }

    /// For what takes so long that others would wait: goes on over a view, if the transaction may and is not there.
    ///
    /// # Errors
    /// [`Stop::NeedsView`].
    pub fn prefer_view(&self) -> Result<()> {
        self.allowance.prefer_view()
    }

    /// Before a wait for so many records: goes on over a view instead if they are many, and the transaction may.
    ///
    /// # Errors
    /// [`Stop::NeedsView`].
    #[inline]
    pub fn wait_for(&self, missed: usize) -> Result<()> {
        self.allowance.wait_for(missed)
    }

    /// What was read from the view, if the transaction is over one.
    pub fn recent(&self) -> Option<Rc<Recent>> {
        match &self.source {
            Source::View(_, _, recent) => Some(recent.clone()),
            Source::Live(_) | Source::Rehearsal(_) => None,
        }
    }

    /// A record's value as this transaction sees it.
    pub fn get(&mut self, key: &RecordKey) -> Result<Option<Value>> {
        if let Some(write) = self.work.writes.find(key) {
            return Ok(write.value.clone());
        }
        match &mut self.source {
            Source::View(view, _, recent) => {
                if let Some(known) = recent.get(key) {
                    return Ok(known);
                }
                let value = view.get(key)?.map(|bytes| Value::from(&bytes[..]));
                recent.put(key, value.clone());
                Ok(value)
            }
            Source::Rehearsal(rehearsal) => rehearsal.get(key),
            Source::Live(store) => match store.recall(key, self.touches) {
                Some((value, epoch)) => {
                    if let Some(reads) = &mut self.work.reads {
                        reads.note(key);
                    }
                    self.work.depends = self.work.depends.max(epoch);
                    Ok(value)
                }
                None => {
                    self.work.missing.push(key.clone());
                    Err(Stop::Fault)
                }
            },
        }
    }

    /// Has the processor load what memory knows of records that are wanted soon: so they wait for it side by side.
    pub fn warm_up(&self, records: &[RecordKey]) {
        if let Source::Live(store) = &self.source {
            store.warm_up(records);
        }
    }

    /// Notes that the record will be wanted, without stopping: so that one fault fetches all of them. Says whether it has
    /// to be fetched.
    pub fn prefetch(&mut self, key: RecordKey) -> bool {
        match &mut self.source {
            Source::Live(store) if !store.is_known(&key) && self.work.writes.find(&key).is_none() => {
                self.work.missing.push(key);
                true
            }
            Source::Rehearsal(rehearsal) if self.work.writes.find(&key).is_none() => rehearsal.name(key),
            Source::Live(_) | Source::Rehearsal(_) | Source::View(..) => false,
        }
    }

    /// Stops with a fault if [`Txn::prefetch`] noted anything that is not in memory.
    pub fn await_prefetched(&self) -> Result<()> {
        match &self.source {
            Source::Rehearsal(rehearsal) => rehearsal.goes_on(),
            _ if self.work.missing.is_empty() => Ok(()),
            _ => Err(Stop::Fault),
        }
    }

    /// Puts a record, whole.
    pub fn put(&mut self, key: RecordKey, value: Value) {
        self.write_record(key, Some(value), Known::Nothing);
    }

    /// As [`Txn::put`], where something is known of how the value differs from the one that was read.
    pub fn put_changed(&mut self, key: RecordKey, value: Value, known: Known) {
        self.write_record(key, Some(value), known);
    }

    /// Puts the value that was read with some of its bytes replaced.
    pub fn splice(&mut self, key: RecordKey, read: &Value, range: Range<usize>, added: &[u8]) {
        let value = Value::concat(&[&read[..range.start], added, &read[range.end..]]);
        let splice = Splice {
            at: range.start,
            removed: range.len(),
            added: added.len(),
        };
        self.put_changed(key, value, Known::Splice(splice));
    }

    /// Deletes a record.
    pub fn delete(&mut self, key: RecordKey) {
        self.write_record(key, None, Known::Nothing);
    }

    fn write_record(&mut self, key: RecordKey, value: Option<Value>, known: Known) {
        // What was written before to be told is told.
        let is_unwatched =
            self.is_unwatched && (self.work.writes.find(&key)).is_none_or(|earlier| earlier.is_unwatched);
        let to_be = ToBe {
            value,
            known,
            is_unwatched,
        };
        if let Some(write) = self.work.writes.push(key, to_be) {
            // What is known is how it differs from the write there, not from what was before.
            write.known = Known::Nothing;
        }
    }

    /// An id that nothing else has or ever had.
    pub fn fresh_id(&mut self) -> u64 {
        let next = match &self.source {
            Source::Live(store) => store.catalog.next_id(),
            Source::Rehearsal(rehearsal) => rehearsal.next_id,
            Source::View(..) => unreachable!("a view is read-only"),
        };
        let id = next + self.work.ids;
        self.work.ids += 1;
        id
    }

    /// Runs a body whose reads count as uses, or don't, whatever holds for the rest of the transaction.
    pub fn touching<T>(&mut self, touches: bool, body: impl FnOnce(&mut Self) -> T) -> T {
        let before = std::mem::replace(&mut self.touches, touches);
        let result = body(self);
        self.touches = before;
        result
    }

    /// The rehearsal, if it is one, for what it does not read record by record.
    pub(super) fn rehearsal_mut(&mut self) -> Option<&mut RehearsalView<'s>> {
        match &mut self.source {
            Source::Rehearsal(rehearsal) => Some(rehearsal),
            Source::Live(_) | Source::View(..) => None,
        }
    }

    /// What SCAN's cursors stand for.
    pub fn cursors(&self) -> &Cursors {
        match &self.source {
            Source::Live(store) => &store.cursors,
            Source::View(_, cursors, _) => cursors,
            Source::Rehearsal(rehearsal) => &rehearsal.cursors,
        }
    }

    /// The store, if the transaction reads from its memory.
    pub(super) fn live_store(&self) -> Option<&Store> {
        match &self.source {
            Source::Live(store) => Some(store),
            Source::View(..) | Source::Rehearsal(_) => None,
        }
    }

    /// How databases are divided among namespaces.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// The namespace that something has.
    ///
    /// # Errors
    /// Its record cannot be read, over a view.
    pub fn namespace(&mut self, holder: Holder) -> Result<Namespace> {
        if let Some(namespace) = self.work.namespaces.find(&holder) {
            return Ok(*namespace);
        }
        let record = match &self.source {
            Source::Live(store) => return Ok(store.catalog.namespace(holder)),
            Source::Rehearsal(rehearsal) => return rehearsal.namespace(&self.layout.record(holder)),
            Source::View(..) => self.get(&self.layout.record(holder))?,
        };
        Ok(match record {
            Some(record) => Namespace::decode(&record)?,
            None => Namespace::default(),
        })
    }

    /// Changes a namespace's counts, or gives something another one.
    pub(super) fn set_namespace(&mut self, holder: Holder, namespace: Namespace) {
        self.work.namespaces.push(holder, namespace);
    }

    /// The namespaces of a database from a slot on, for a body that walks over its keys in the view that it is over.
    ///
    /// # Errors
    /// The view cannot be read.
    pub fn namespaces(&mut self, view: &'s View<'s>, db: usize, slot: u16) -> Result<Namespaces<'s>> {
        let from = Holder { db, slot };
        match self.layout {
            Layout::One => Ok(Namespaces::One(Some((from, self.namespace(from)?)))),
            Layout::Slots => Ok(Namespaces::of_slots(view, from, db + 1)?),
        }
    }

    /// How many keys a database has, for a body whose reply shows that.
    ///
    /// # Errors
    /// As [`Txn::namespace`].
    pub fn count_keys(&mut self, db: usize) -> Result<u64> {
        if let Source::Live(store) = &self.source {
            if let Some(reads) = &mut self.work.reads {
                reads.note_everything();
            }
            self.work.depends = self.work.depends.max(store.catalog.counts_epoch());
            if self.work.namespaces.log.is_empty() {
                return Ok(store.databases()[db].keys);
            }
        }
        let mut holders = self.layout.holders(db);
        holders.try_fold(0, |sum: u64, holder| {
            Ok(sum.saturating_add(self.namespace(holder)?.keys))
        })
    }

    /// Causes something beside its writes and its reply.
    pub fn cause(&mut self, effect: Effect) {
        self.work.effects.push(effect);
    }

    /// Fields of a hash past their deadline were deleted.
    pub fn cause_fields_expired(&mut self, fields: u64) {
        if fields > 0 {
            self.cause(Effect::FieldsExpired(fields));
        }
    }

    /// Whether it has changed anything.
    #[cfg(test)]
    pub fn has_writes(&self) -> bool {
        !self.work.writes.log.is_empty() || !self.work.namespaces.log.is_empty()
    }

    /// Marks where [`Txn::rollback`] can return to: one command's failure inside a larger transaction undoes that
    /// command only.
    pub fn savepoint(&mut self) -> Savepoint {
        Savepoint {
            work: self.work.mark(),
            expired: self.work.expired_to,
            random: self.random.clone(),
        }
    }

    /// Returns to a savepoint of this transaction, which none before it was returned to since.
    pub fn rollback(&mut self, to: Savepoint) {
        self.work.return_to(to.work);
        self.work.expired_to = to.expired;
        self.random = to.random;
    }

    /// As [`Txn::rollback`], as what came after the savepoint has failed for good: the keys that it missed stay told of.
    pub fn rollback_failure(&mut self, to: Savepoint) {
        self.work.return_from_failure(to.work);
        self.work.expired_to = to.expired;
        self.random = to.random;
    }

    /// Whether nothing was written but deletes of expired keys.
    pub(super) fn only_expired(&self) -> bool {
        self.work.writes.log.len() == self.work.expired_to.writes
            && self.work.namespaces.log.len() == self.work.expired_to.namespaces
    }

    /// Marks all writes so far as deletes of expired keys.
    pub(super) fn mark_expired(&mut self) {
        self.work.expired_to = self.work.mark();
    }
}

impl Store {
    /// The record as memory knows it, and an epoch that is settled when the one that wrote it is; `None` if only the disk
    /// knows.
    fn recall(&mut self, key: &RecordKey, touches: bool) -> Option<(Option<Value>, Epoch)> {
        let found = match touches {
            true => self.hot.get(key),
            false => self.hot.peek(key),
        };
        if let Some(slot) = found {
            return Some((slot.value.clone(), slot.epoch()));
        }
        self.is_absent(key).then_some((None, Epoch::NONE))
    }
}
