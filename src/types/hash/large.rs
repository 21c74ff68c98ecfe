//! A large hash: its fields in a table of pages, and those that have a deadline in the order of it, in a tree beside.
//!
//! ```text
//! body of a large hash := table tree earliest:u64 be   as `types/buckets.rs` and `types/tree.rs` have their states
//! value in the table   := 0 byte*                      without a deadline
//!                       | 1 deadline:u64 be byte*
//! key in the tree      := deadline:u64 be field        its value is empty
//! ```
//!
//! `earliest` is as `disk/format.rs` says. It may be before the first deadline in the tree, as one that is taken away does
//! not change it: then active expiry comes once in vain, and sets it right.

use super::FieldToBe;
use super::expiry::Expiry;
use super::packed::Packed;
use crate::disk::cells::Reader;
use crate::disk::format::Malformed;
use crate::store::{Entry, Result, Stop, Txn};
use crate::types::buckets::{Buckets, Want};
use crate::types::string::Bytes;
use crate::types::tree::Tree;

const TIMELESS: u8 = 0;
const TIMED: u8 = 1;

/// See the module.
pub struct Large {
    /// Fields and their values, each behind its deadline.
    pub table: Buckets,
    deadlines: Tree,
    /// 0: no field has a deadline.
    earliest: u64,
}

/// A value as it is in the table.
pub struct Stored {
    /// The value alone.
    pub value: Bytes,
    /// In Unix milliseconds.
    pub deadline: Option<u64>,
}

impl Stored {
    /// Whether the deadline has passed at `now`, in Unix milliseconds.
    pub fn is_due(&self, now: u64) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= now)
    }

    /// Takes apart a value of the table; one that ends early is damage.
    pub fn decode(bytes: Bytes) -> Result<Stored> {
        let (deadline, head) = split(&bytes)?;
        let value = match bytes {
            Bytes::Shared(record, range) => Bytes::Shared(record, range.start + head..range.end),
            Bytes::Owned(bytes) => Bytes::Owned(bytes[head..].to_vec()),
        };
        Ok(Stored { value, deadline })
    }
}

/// The deadline before a value, and where the value begins.
fn split(stored: &[u8]) -> Result<(Option<u64>, usize)> {
    match stored {
        [TIMELESS, ..] => Ok((None, 1)),
        [TIMED, rest @ ..] if rest.len() >= 8 => Ok((Some(Reader(rest).u64()?), 9)),
        _ => Err(Stop::from(Malformed("value of a large hash"))),
    }
}

fn encode_value(value: &[u8], deadline: Option<u64>) -> Vec<u8> {
    let mut stored = Vec::with_capacity(9 + value.len());
    match deadline {
        None => stored.push(TIMELESS),
        Some(deadline) => {
            stored.push(TIMED);
            stored.extend_from_slice(&deadline.to_be_bytes());
        }
    }
    stored.extend_from_slice(value);
    stored
}

fn place(deadline: u64, field: &[u8]) -> Vec<u8> {
    [&deadline.to_be_bytes()[..], field].concat()
}

impl Large {
    /// A hash of its own with the fields of a small one.
    pub fn from_packed(txn: &mut Txn, packed: &Packed) -> Result<Large> {
        let bytes = packed.bytes();
        let mut fields = Vec::with_capacity(packed.len());
        for slot in packed.slots() {
            let slot = slot?;
            fields.push((&bytes[slot.field], &bytes[slot.value], slot.deadline));
        }
        Large::build(txn, &fields)
    }

    /// One of these fields with their values and deadlines, no field among them twice.
    pub fn build(txn: &mut Txn, fields: &[FieldToBe]) -> Result<Large> {
        let values: Vec<Vec<u8>> = fields
            .iter()
            .map(|(_, value, deadline)| encode_value(value, *deadline))
            .collect();
        let entries: Vec<(&[u8], &[u8])> = fields
            .iter()
            .zip(&values)
            .map(|((field, ..), value)| (*field, &value[..]))
            .collect();
        let table = Buckets::build(txn, &entries);
        let mut large = Large {
            deadlines: Tree::empty(table.id()),
            table,
            earliest: 0,
        };
        for (field, _, deadline) in fields {
            large.move_deadline(txn, field, None, *deadline)?;
        }
        Ok(large)
    }

    /// The hash in an entry; a body that ends early is damage.
    pub fn decode(entry: &Entry) -> Result<Large> {
        let mut reader = Reader(entry.body());
        let table = Buckets::decode(&mut reader)?;
        let deadlines = Tree::decode(table.id(), &mut reader)?;
        Ok(Large {
            table,
            deadlines,
            earliest: reader.u64()?,
        })
    }

    /// The body of its key's record.
    pub fn encode(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(64);
        self.table.encode(&mut body);
        self.deadlines.encode(&mut body);
        body.extend_from_slice(&self.earliest.to_be_bytes());
        body
    }

    /// One of its own with the same fields. All of it comes into memory.
    pub fn copy(&self, txn: &mut Txn) -> Result<Large> {
        let table = self.table.copy(txn)?;
        Ok(Large {
            deadlines: self.deadlines.copy(txn, table.id())?,
            table,
            earliest: self.earliest,
        })
    }

    /// Whether any field may have a deadline.
    pub fn has_deadlines(&self) -> bool {
        !self.deadlines.is_empty()
    }

    /// What the table has for a field, though it be due.
    pub fn get(&self, txn: &mut Txn, field: &[u8]) -> Result<Option<Stored>> {
        self.table.get(txn, field)?.map(Stored::decode).transpose()
    }

    /// Gives the field a value, and says whether it is new.
    pub fn put(&mut self, txn: &mut Txn, field: &[u8], value: &[u8], expiry: Expiry) -> Result<bool> {
        let old = match self.has_deadlines() {
            true => self.get(txn, field)?,
            false => None,
        };
        let was_due = old.as_ref().is_some_and(|old| old.is_due(txn.now));
        let before = old.and_then(|old| old.deadline);
        let deadline = expiry.apply(before.filter(|_| !was_due));
        let is_new = self.table.put(txn, field, &encode_value(value, deadline))?;
        self.move_deadline(txn, field, before, deadline)?;
        Ok(is_new || was_due)
    }

    /// Gives a field this deadline; `old` is what [`Large::get`] found.
    pub fn set_deadline(
        &mut self,
        txn: &mut Txn,
        field: &[u8],
        old: &Stored,
        deadline: Option<u64>,
    ) -> Result<()> {
        self.table.put(txn, field, &encode_value(&old.value, deadline))?;
        self.move_deadline(txn, field, old.deadline, deadline)
    }

    /// Deletes the field, and says whether it was there.
    pub fn remove(&mut self, txn: &mut Txn, field: &[u8]) -> Result<bool> {
        if !self.has_deadlines() {
            return self.table.remove(txn, field);
        }
        let Some(old) = self.get(txn, field)? else {
            return Ok(false);
        };
        self.table.remove(txn, field)?;
        self.move_deadline(txn, field, old.deadline, None)?;
        Ok(!old.is_due(txn.now))
    }

    /// Deletes up to `limit` fields that are due, and says how many they were. No more are if `earliest` is in the future
    /// then.
    pub fn remove_due(&mut self, txn: &mut Txn, limit: usize) -> Result<u64> {
        let (due, next) = self.due(txn, limit)?;
        for field in &due {
            self.table.prefetch(txn, field);
        }
        self.table.prefetch_moves(txn, 0, due.len() as u64);
        txn.await_prefetched()?;
        for field in &due {
            self.table.remove(txn, field)?;
        }
        self.deadlines
            .remove_range(txn, 0..due.len() as u64, |_, _| Ok(()))?;
        self.earliest = next;
        Ok(due.len() as u64)
    }

    /// Up to `limit` fields that are due, and the first deadline behind them; 0 if there is none.
    fn due(&self, txn: &mut Txn, limit: usize) -> Result<(Vec<Vec<u8>>, u64)> {
        let (mut due, mut next, now) = (Vec::new(), 0, txn.now);
        self.deadlines.range(txn, 0..limit as u64 + 1, false, |key, _| {
            let (deadline, field) = split_place(&key)?;
            if deadline > now || due.len() == limit {
                next = deadline;
                return Ok(false);
            }
            due.push(field.to_vec());
            Ok(true)
        })?;
        Ok((due, next))
    }

    /// Notes what deleting up to `limit` fields that are due will want.
    pub fn prefetch_due(&self, txn: &mut Txn, limit: usize) -> Result<()> {
        let (due, _) = self.due(txn, limit)?;
        for field in &due {
            self.table.prefetch(txn, field);
        }
        self.table.prefetch_moves(txn, 0, due.len() as u64);
        Ok(())
    }

    /// Whether a field may be due.
    pub fn may_be_due(&self, now: u64) -> bool {
        self.earliest != 0 && self.earliest <= now
    }

    fn move_deadline(
        &mut self,
        txn: &mut Txn,
        field: &[u8],
        from: Option<u64>,
        to: Option<u64>,
    ) -> Result<()> {
        if from == to {
            return Ok(());
        }
        if let Some(deadline) = from {
            self.deadlines.remove(txn, &place(deadline, field))?;
            if self.deadlines.is_empty() {
                self.earliest = 0;
            }
        }
        if let Some(deadline) = to {
            self.deadlines.put(txn, &place(deadline, field), b"")?;
            if self.earliest == 0 || deadline < self.earliest {
                self.earliest = deadline;
            }
        }
        Ok(())
    }

    /// Shows every field that is not due, its value and its deadline.
    pub fn walk_held(
        &self,
        txn: &mut Txn,
        mut show: impl FnMut(&[u8], &[u8], Option<u64>) -> Result<()>,
    ) -> Result<()> {
        let now = txn.now;
        self.table.walk(txn, Want::Values, |field, stored| {
            let (deadline, head) = split(stored)?;
            match deadline {
                Some(deadline) if deadline <= now => Ok(()),
                _ => show(field, &stored[head..], deadline),
            }
        })
    }

    /// Adapts what shows fields and values to what the table shows.
    pub fn shower(
        &self,
        now: u64,
        mut show: impl FnMut(&[u8], &[u8]) -> Result<()>,
    ) -> impl FnMut(&[u8], &[u8]) -> Result<()> {
        move |field, stored| {
            if stored.is_empty() {
                // Values were not asked for, and no field has a deadline.
                return show(field, b"");
            }
            let (deadline, head) = split(stored)?;
            match deadline {
                Some(deadline) if deadline <= now => Ok(()),
                _ => show(field, &stored[head..]),
            }
        }
    }

    /// What of the table is needed to show this: a deadline is in the value.
    pub fn wanted(&self, want: Want) -> Want {
        match self.has_deadlines() {
            true => Want::Values,
            false => want,
        }
    }
}

fn split_place(key: &[u8]) -> Result<(u64, &[u8])> {
    let mut reader = Reader(key);
    Ok((reader.u64()?, reader.0))
}
