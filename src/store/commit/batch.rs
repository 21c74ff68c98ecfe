//! Batches: what a group writes to the journal, each record whole or as what changed in it.

use super::{Context, Group, Size, Written};
use crate::base::random::Random;
use crate::disk::delta::Known;
use crate::disk::format::{Namespace, RecordKey};
use crate::disk::{Batch, Builder, Disk, Durability, Patience};
use crate::store::Report;
use crate::store::catalog::Catalog;
use crate::store::epoch::Epoch;
use crate::store::hot::{Hot, Slot};
use crate::store::layout::Holder;
use crate::store::value::Value;

/// A record is written whole, rather than what changed in it, about each time that its changes have come to so many times
/// its bytes: so nobody who reads it from disk has many to apply. Chosen at random: no pattern of writes can keep it from
/// happening.
const CHANGES_PER_WHOLE: u64 = 4;
/// What a change takes beside its bytes.
const CHANGE_HEAD: usize = 16;
/// A record counts as no longer than this: or there would be very many changes of a long one to apply.
const LONG_RECORD: usize = 16 << 10;
/// Records looked up at once when a batch is built.
const LOOKUPS: usize = 16;

/// The batch of a group.
pub fn build(group: &Group, ctx: &Context) -> Result<Batch, String> {
    let mut batch = ctx.disk.journaled_batch(group.bytes).map_err(|e| e.0)?;
    let mut chooser = Chooser::new(group.epoch.number());
    for (written, slot) in written_with_slots(group, ctx.hot) {
        let before = written.before.as_ref().and_then(|before| before.value.as_ref());
        chooser.push(
            &mut batch,
            &written.key,
            before,
            slot.value.as_ref(),
            known(written, slot),
        );
    }
    for (key, value) in &group.unread {
        put_or_delete(&mut batch, key, value.as_ref());
    }
    for (holder, _) in &group.namespaces {
        let (key, namespace) = held(ctx.catalog, *holder);
        match namespace {
            Some(namespace) => batch.put(&key, &namespace.encode()),
            None => batch.delete(&key),
        }
    }
    Ok(batch.finish())
}

/// What a group writes, as the hot tier has it.
fn written_with_slots<'g>(group: &'g Group, hot: &'g Hot) -> impl Iterator<Item = (&'g Written, &'g Slot)> {
    group.records.chunks(LOOKUPS).flat_map(|records| {
        // All lookups first: so they wait for memory side by side.
        let mut slots = [const { None }; LOOKUPS];
        for (slot, Written { key, .. }) in slots.iter_mut().zip(records) {
            // Staged records are never evicted before their epoch is settled.
            *slot = hot.peek(key);
            assert!(slot.is_some(), "{key:?} was evicted while staged");
        }
        records.iter().zip(slots.into_iter().flatten())
    })
}

fn known(written: &Written, slot: &Slot) -> Known {
    match slot.was_rewritten() {
        true => Known::Nothing,
        false => written.known,
    }
}

/// The record of what has a namespace; there is none of a slot that has none.
fn held(catalog: &Catalog, holder: Holder) -> (RecordKey, Option<Namespace>) {
    let namespace = catalog.namespace(holder);
    (
        catalog.layout().record(holder),
        namespace.is_there().then_some(namespace),
    )
}

/// What a group writes, for another thread to make a batch of: handles of the values, which are shared.
pub struct Draft {
    epoch: Epoch,
    bytes: usize,
    records: Vec<Drafted>,
    others: Vec<(RecordKey, Option<Value>)>,
}

struct Drafted {
    key: RecordKey,
    before: Option<Value>,
    value: Option<Value>,
    known: Known,
}

impl Draft {
    /// Takes handles of what the group writes.
    pub fn of(group: &Group, ctx: &Context) -> Draft {
        let records = written_with_slots(group, ctx.hot).map(|(written, slot)| Drafted {
            key: written.key.clone(),
            before: written.before.as_ref().and_then(|before| before.value.clone()),
            value: slot.value.clone(),
            known: known(written, slot),
        });
        let unread = group
            .unread
            .iter()
            .map(|(key, value)| (key.clone(), value.clone()));
        let namespaces = group.namespaces.iter().map(|(holder, _)| {
            let (key, namespace) = held(ctx.catalog, *holder);
            (
                key,
                namespace.map(|namespace| Value::from(&namespace.encode()[..])),
            )
        });
        Draft {
            epoch: group.epoch,
            bytes: group.bytes,
            records: records.collect(),
            others: unread.chain(namespaces).collect(),
        }
    }

    /// Makes the batch, as [`build`] would have.
    pub fn build(&self, disk: &Disk) -> Result<Batch, String> {
        let mut batch = disk.journaled_batch(self.bytes).map_err(|e| e.0)?;
        let mut chooser = Chooser::new(self.epoch.number());
        for record in &self.records {
            let (before, value) = (record.before.as_ref(), record.value.as_ref());
            chooser.push(&mut batch, &record.key, before, value, record.known);
        }
        for (key, value) in &self.others {
            put_or_delete(&mut batch, key, value.as_ref());
        }
        Ok(batch.finish())
    }
}

/// Chooses between writing a record whole and writing what changed in it.
struct Chooser {
    random: Random,
    operand: Vec<u8>,
}

impl Chooser {
    fn new(seed: u64) -> Chooser {
        Chooser {
            random: Random::from_seed(seed),
            operand: Vec::new(),
        }
    }

    fn push(
        &mut self,
        batch: &mut Builder,
        key: &RecordKey,
        before: Option<&Value>,
        value: Option<&Value>,
        known: Known,
    ) {
        let Chooser { random, operand } = self;
        let change = before.zip(value).and_then(|(before, value)| {
            known.operand(before, value, operand).filter(|change| {
                let most = CHANGES_PER_WHOLE * value.len().min(LONG_RECORD) as u64;
                random.below(most) >= (change.len() + CHANGE_HEAD) as u64
            })
        });
        match change {
            Some(change) => batch.merge(key, change),
            None => put_or_delete(batch, key, value),
        }
    }
}

/// Writes a group's batch, and waits for the disk.
pub fn write(disk: &Disk, epoch: Epoch, batch: Result<Batch, String>, durability: Durability) -> Report {
    let size = batch.as_ref().map_or(Size::default(), Size::from);
    let result = batch.and_then(|batch| {
        let written = match batch.is_empty() {
            true => disk.sync(),
            false => disk.write(batch, durability, Patience::Wait),
        };
        written.map_err(|e| e.to_string())
    });
    Report::Committed { epoch, size, result }
}

fn put_or_delete(batch: &mut Builder, key: &RecordKey, value: Option<&Value>) {
    match value {
        Some(value) => batch.put(key, value),
        None => batch.delete(key),
    }
}
