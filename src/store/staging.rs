//! Staging: what a transaction did becomes part of the open group, in memory. It is committed at the end of the tick.

use super::Store;
use super::allowance::Allowance;
use super::changes::Change;
use super::commit::Written;
use super::effects::Effect;
use super::epoch::Epoch;
use super::layout::Holder;
use super::txn::Txn;
use super::work::{Missing, ToBe, Work};
use crate::base::random::Random;
use crate::disk::format::{Family, Namespace, RecordKey};

/// The end of a transaction: what it gathered, detached from the store.
pub struct TxnEnd(pub(super) Box<Work>);

impl Txn<'_> {
    /// Ends the transaction, for [`Store::stage`], [`Store::stage_expired`] or [`Store::abandon`].
    pub fn end(self) -> TxnEnd {
        TxnEnd(self.into_work())
    }
}

/// A transaction that is set aside, detached from the store: nothing else may run in it meanwhile.
pub struct Suspended {
    pub(super) work: Box<Work>,
    now: u64,
    random: Random,
    touches: bool,
    allowance: Allowance,
}

impl Txn<'_> {
    /// Sets the transaction aside, for [`Store::resume`].
    pub fn suspend(self) -> Suspended {
        Suspended {
            now: self.now,
            random: self.random.clone(),
            touches: self.touches,
            allowance: self.allowance,
            work: self.into_work(),
        }
    }
}

impl Suspended {
    /// Takes out the messages that it has caused so far, for whoever addresses them now; if there are any, one effect stands
    /// for them.
    pub fn take_messages(&mut self) -> Vec<Effect> {
        let effects = &mut self.work.effects;
        let messages: Vec<Effect> = effects.extract_if(.., |effect| effect.is_unaddressed()).collect();
        if !messages.is_empty() {
            effects.push(Effect::Addressed);
        }
        messages
    }

    /// Ends the transaction.
    pub fn end(self) -> TxnEnd {
        TxnEnd(self.work)
    }
}

impl Store {
    /// Goes on with a transaction.
    pub fn resume(&mut self, suspended: Suspended) -> Txn<'_> {
        let mut txn = Txn::live(self, suspended.work, suspended.now);
        txn.random = suspended.random;
        txn.touches = suspended.touches;
        txn.allowance = suspended.allowance;
        txn
    }

    /// A transaction at the given time (Unix milliseconds). Nothing it does counts until [`Store::stage`].
    pub fn begin(&mut self, now: u64) -> Txn<'_> {
        let work = self.spare.take().unwrap_or_default();
        Txn::live(self, work, now)
    }

    /// Ends a transaction without its writes, and returns what it missed.
    pub fn abandon(&mut self, end: TxnEnd) -> Missing {
        let mut work = end.0;
        let missing = Missing {
            records: std::mem::take(&mut work.missing),
            listing: work.listing.take(),
        };
        self.keep(work);
        missing
    }

    /// Ends the transaction of a body that failed: of its writes only the deletes of expired keys stay, those that came
    /// before all others. Returns the epoch that must be settled before the error may leave.
    pub fn stage_expired(&mut self, end: TxnEnd) -> Epoch {
        let mut work = end.0;
        work.retain_expiry_deletes();
        self.stage(TxnEnd(work))
    }

    /// Stages what a transaction did, whole: it counts from now on, and is committed at the end of the tick. Returns the
    /// epoch that must be settled before its reply and its effects may leave.
    pub fn stage(&mut self, end: TxnEnd) -> Epoch {
        let mut work = end.0;
        let mut depends = work.depends.max(self.catalog.namespaces_epoch());
        if !work.writes.log.is_empty() || !work.namespaces.log.is_empty() {
            depends = self.commits.open.epoch;
            self.tell_watchers(&work, depends);
            self.touch_written(&work);
            if self.tracking.is_on() {
                self.note_tracked_changes(&mut work, depends);
            }
            if !self.asides.is_empty() {
                let moves = work.namespaces.log.iter().any(|change| self.moves(change));
                self.asides.note(&work, moves);
            }
            self.stage_work(&mut work);
        } else if !work.touched.is_empty() {
            self.tell_watchers(&work, depends);
        }
        self.totals.lookups.add(work.lookups);
        if !work.effects.is_empty() {
            self.commits.effects.add(&mut work.effects, depends);
        }
        if !work.watched.is_empty() {
            work.watched
                .drain(..)
                .for_each(|watched| self.watches.add(watched));
        }
        self.keep(work);
        depends
    }

    /// Whether something gets another namespace than it has.
    pub(super) fn moves(&self, change: &Change<Holder, Namespace>) -> bool {
        self.catalog.namespace(change.key).id != change.value.id
    }

    /// Tells those who watch keys what a transaction changes that is about to be staged.
    fn tell_watchers(&mut self, work: &Work, epoch: Epoch) {
        if self.watches.is_empty() {
            return;
        }
        let mut watches = std::mem::take(&mut self.watches);
        for touched in &work.touched {
            let namespace = self.catalog.namespace(touched.holder);
            watches.note_touch(&RecordKey::meta(namespace.id, &touched.name), epoch);
        }
        let changes = &work.namespaces.log;
        if changes.iter().any(|change| self.moves(change)) {
            for change in changes {
                watches.note_namespace(change.key, epoch, |name| {
                    let record = RecordKey::meta(change.value.id, name);
                    let may_exist = match self.hot.peek(&record) {
                        Some(slot) => slot.value.is_some(),
                        None => change.value.keys > 0 && !self.is_absent(&record),
                    };
                    (record, may_exist)
                });
            }
        }
        // Where records are that are written: in the namespaces as they are to be.
        for write in work.writes.log.iter().filter(|write| !write.value.is_unwatched) {
            watches.note_write(&write.key, write.value.value.is_none(), epoch);
        }
        self.watches = watches;
    }

    fn stage_work(&mut self, work: &mut Work) {
        let epoch = self.commits.open.epoch;
        let mut keys = 0;
        let records = work.writes.log.len();
        for write in work.writes.log.drain(..) {
            keys += u64::from(write.key.family() == Family::Meta);
            self.stage_record(write.key, write.value, epoch);
        }
        // Parts of a key's value, or a whole database, count as one.
        self.totals.changed += keys.max(1);
        for change in work.namespaces.log.drain(..) {
            if let Some(before) = self.catalog.stage(change.key, change.value, epoch) {
                self.commits.open.namespaces.push((change.key, before));
            }
        }
        if work.ids > 0
            && let Some(reserved) = self.catalog.take_ids(work.ids)
        {
            self.commits
                .open
                .unread
                .insert(RecordKey::next_id(), Some(reserved));
        }
        self.hot.make_room(records);
    }

    /// Stages one write in the open group, whose epoch is given.
    pub(super) fn stage_record(&mut self, key: RecordKey, to_be: ToBe, epoch: Epoch) {
        let ToBe { value, known, .. } = to_be;
        let open = &mut self.commits.open;
        open.bytes += key.tagged().len() + value.as_ref().map_or(0, |value| value.len());
        match key.family() {
            // Of what the store knows of itself, transactions write only what is read as any record is.
            Family::System
            | Family::Meta
            | Family::Segment
            | Family::Bucket
            | Family::Tree
            | Family::Blob => {
                self.faults.fetch.invalidate(&key);
                self.faults.listings.note_write(&key, value.as_ref());
                let is_delete = value.is_none();
                let before = self.hot.stage(&key, value, epoch);
                if is_delete && let Some(old) = before.as_ref().and_then(|before| before.value.as_ref()) {
                    self.upkeep.deleted(key.key().len() + old.len());
                }
                if before.as_ref().is_none_or(|before| before.epoch != epoch) {
                    open.records.push(Written { key, before, known });
                }
                return;
            }
            Family::Expire if value.is_some() => {
                if let Some(bytes) = key.key().first_chunk() {
                    let deadline = u64::from_be_bytes(*bytes);
                    open.earliest_deadline = open.earliest_deadline.min(deadline);
                    self.expiry.staged(deadline);
                }
            }
            Family::Gc if value.is_some() => {
                if let Some(bytes) = key.key().first_chunk() {
                    let id = u64::from_be_bytes(*bytes);
                    open.lowest_garbage = open.lowest_garbage.min(id);
                    self.reclaim.staged(id);
                }
            }
            _ => {}
        }
        open.unread.insert(key, value);
    }

    /// Keeps the allocations of a transaction that is over for the next one.
    fn keep(&mut self, mut work: Box<Work>) {
        if work.is_large() {
            self.commits.discard(work);
            return;
        }
        work.clear();
        self.spare = Some(work);
    }
}
