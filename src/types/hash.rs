//! Hashes: small ones whole in their key's record (`packed`), large ones in records of their own (`large`).
//!
//! A field may have a deadline. One that is past it is not there: no read shows it, and a write to it makes a new field.
//! It is deleted by active expiry, which finds the hash by the earliest deadline in it ([`expire_due`]); a small hash that
//! is written anyway drops all its due fields with that. Only [`Hash::len`] counts a due field until it is deleted.
//!
//! A hash moves from the one encoding to the other with the change that makes it too large, and never back.

mod expiry;
mod large;
mod packed;
mod random;

use super::WRONG_TYPE;
use super::string::Bytes;
use super::thresholds::Thresholds;
use crate::base::events::Events;
use crate::base::extfloat::ExtFloat;
use crate::base::num::parse_i64;
use crate::disk::format::{Header, Kind};
use crate::store::{Entry, Key, Result, Stop, Txn};
use large::{Large, Stored};
use packed::Packed;

pub use super::buckets::Want;
pub use expiry::Expiry;

/// A hash, as it is on record or with changes that [`Hash::save`] puts there.
pub struct Hash {
    entry: Option<Entry>,
    encoding: Encoding,
    is_changed: bool,
    /// A field was given a value or a deadline, maybe the one that it had.
    is_put: bool,
}

/// How the fields are kept.
enum Encoding {
    /// In the key's record.
    Packed(Packed),
    /// In records of their own.
    Large(Large),
}

/// A field that is to be, its value, and its deadline in Unix milliseconds.
pub type FieldToBe<'f> = (&'f [u8], &'f [u8], Option<u64>);

/// What a field holds.
pub struct Held {
    /// Its value.
    pub value: Bytes,
    /// Its deadline in Unix milliseconds, if it has one.
    pub deadline: Option<u64>,
}

/// Whether a key of this kind holds a hash.
pub fn is_hash(kind: Kind) -> bool {
    matches!(kind, Kind::Hash | Kind::ExpiringHash | Kind::LargeHash)
}

impl Hash {
    /// The key's hash, for a command that only reads.
    pub fn to_read(txn: &mut Txn, key: Key) -> Result<Option<Hash>> {
        match txn.lookup_read(key)? {
            Some(entry) => Hash::open(entry).map(Some),
            None => Ok(None),
        }
    }

    /// The key's hash, for a command that changes it; an empty one if there is none.
    pub fn to_write(txn: &mut Txn, key: Key) -> Result<Hash> {
        let Some(entry) = txn.lookup(key)? else {
            return Ok(Hash {
                entry: None,
                encoding: Encoding::Packed(Packed::empty()),
                is_changed: false,
                is_put: false,
            });
        };
        let mut hash = Hash::open(entry)?;
        if let Encoding::Packed(packed) = &mut hash.encoding
            && packed.may_be_due(txn.now)
        {
            fields_expired(txn, key, packed.remove_due(txn.now)?);
            hash.is_changed = true;
        }
        Ok(hash)
    }

    /// The hash in an entry, for a command that only reads.
    pub fn open(entry: Entry) -> Result<Hash> {
        if !is_hash(entry.header.kind) {
            return Stop::error(WRONG_TYPE);
        }
        let encoding = match entry.header.kind {
            Kind::LargeHash => Encoding::Large(Large::decode(&entry)?),
            _ => Encoding::Packed(Packed::decode(&entry)?),
        };
        Ok(Hash {
            encoding,
            entry: Some(entry),
            is_changed: false,
            is_put: false,
        })
    }

    /// A hash of these fields, of which there are some and none twice, in the encoding that it would have had they come one by
    /// one. It is to be [saved](Hash::save_over).
    pub fn build(txn: &mut Txn, fields: &[FieldToBe], limits: &Thresholds) -> Result<Hash> {
        let longest = fields
            .iter()
            .map(|(field, value, _)| field.len().max(value.len()));
        let is_large = fields.len() as u64 > limits.hash_entries
            || longest.max().unwrap_or(0) as u64 > limits.hash_value;
        Ok(Hash {
            entry: None,
            encoding: match is_large {
                true => Encoding::Large(Large::build(txn, fields)?),
                false => Encoding::Packed(Packed::build(fields)),
            },
            is_changed: true,
            is_put: true,
        })
    }

    /// Makes this the key's value, whatever it held, with this deadline.
    pub fn save_over(
        &self,
        txn: &mut Txn,
        key: Key,
        old: Option<&Entry>,
        deadline: Option<u64>,
    ) -> Result<()> {
        match &self.encoding {
            Encoding::Packed(packed) => {
                let (kind, head) = packed.encode_head();
                txn.write(key, old, Header { kind, deadline }, &[&head, packed.bytes()])
            }
            Encoding::Large(large) => {
                let header = Header {
                    kind: Kind::LargeHash,
                    deadline,
                };
                txn.write(key, old, header, &[&large.encode()])
            }
        }
    }

    /// The number of fields, those included that are due and not yet deleted.
    pub fn len(&self) -> u64 {
        match &self.encoding {
            Encoding::Packed(packed) => packed.len() as u64,
            Encoding::Large(large) => large.table.len(),
        }
    }

    /// Whether it has no fields at all, due ones included.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the key is not there yet.
    pub fn is_new(&self) -> bool {
        self.entry.is_none()
    }

    /// Has what reading these fields takes fetched together.
    pub fn prefetch<'f>(&self, txn: &mut Txn, fields: impl Iterator<Item = &'f [u8]>) -> Result<()> {
        if let Encoding::Large(large) = &self.encoding {
            for field in fields {
                large.table.prefetch(txn, field);
            }
            txn.await_prefetched()?;
        }
        Ok(())
    }

    /// Likewise what giving values to these fields takes, which may be new.
    pub fn prefetch_to_set<'f>(
        &self,
        txn: &mut Txn,
        fields: impl ExactSizeIterator<Item = &'f [u8]>,
    ) -> Result<()> {
        if let Encoding::Large(large) = &self.encoding {
            large.table.prefetch_moves(txn, fields.len() as u64, 0);
        }
        self.prefetch(txn, fields)
    }

    /// Likewise what deleting these fields takes.
    pub fn prefetch_to_remove<'f>(
        &self,
        txn: &mut Txn,
        fields: impl ExactSizeIterator<Item = &'f [u8]>,
    ) -> Result<()> {
        if let Encoding::Large(large) = &self.encoding {
            large.table.prefetch_moves(txn, 0, fields.len() as u64);
        }
        self.prefetch(txn, fields)
    }

    /// What the field holds, if it is there and not due.
    pub fn get(&self, txn: &mut Txn, field: &[u8]) -> Result<Option<Held>> {
        match &self.encoding {
            Encoding::Packed(packed) => {
                let slot = packed.find(field)?.filter(|slot| !slot.is_due(txn.now));
                Ok(slot.map(|slot| Held {
                    value: packed.part(slot.value),
                    deadline: slot.deadline,
                }))
            }
            Encoding::Large(large) => {
                let stored = large.get(txn, field)?.filter(|stored| !stored.is_due(txn.now));
                Ok(stored.map(|Stored { value, deadline }| Held { value, deadline }))
            }
        }
    }

    /// The number of fields that are there, if it can be told without looking at each.
    pub fn count(&self) -> Option<u64> {
        match &self.encoding {
            Encoding::Large(large) if !large.has_deadlines() => Some(large.table.len()),
            _ => None,
        }
    }

    /// Shows every field and, if wanted, its value.
    pub fn walk(
        &self,
        txn: &mut Txn,
        want: Want,
        mut show: impl FnMut(&[u8], &[u8]) -> Result<()>,
    ) -> Result<()> {
        match &self.encoding {
            Encoding::Packed(packed) => {
                let bytes = packed.bytes();
                for slot in packed.slots() {
                    let slot = slot?;
                    if !slot.is_due(txn.now) {
                        show(&bytes[slot.field], &bytes[slot.value])?;
                    }
                }
                Ok(())
            }
            Encoding::Large(large) => {
                let want = large.wanted(want);
                large.table.walk(txn, want, large.shower(txn.now, show))
            }
        }
    }

    /// Shows every field, its value and its deadline.
    pub fn walk_held(
        &self,
        txn: &mut Txn,
        mut show: impl FnMut(&[u8], &[u8], Option<u64>) -> Result<()>,
    ) -> Result<()> {
        let packed = match &self.encoding {
            Encoding::Packed(packed) => packed,
            Encoding::Large(large) => return large.walk_held(txn, show),
        };
        let bytes = packed.bytes();
        for slot in packed.slots() {
            let slot = slot?;
            if !slot.is_due(txn.now) {
                show(&bytes[slot.field], &bytes[slot.value], slot.deadline)?;
            }
        }
        Ok(())
    }

    /// Shows some of the fields, from `cursor` on, and says where to go on; 0: that was all. Whatever is there from the
    /// first call to the last is shown.
    pub fn scan(
        &self,
        txn: &mut Txn,
        cursor: u64,
        count: usize,
        want: Want,
        show: impl FnMut(&[u8], &[u8]) -> Result<()>,
    ) -> Result<u64> {
        match &self.encoding {
            Encoding::Packed(_) => {
                self.walk(txn, want, show)?;
                Ok(0)
            }
            Encoding::Large(large) => {
                let want = large.wanted(want);
                large
                    .table
                    .scan(txn, cursor, count, want, large.shower(txn.now, show))
            }
        }
    }

    /// Gives the field a value, and says whether it is new.
    pub fn put(
        &mut self,
        txn: &mut Txn,
        field: &[u8],
        value: &[u8],
        expiry: Expiry,
        limits: &Thresholds,
    ) -> Result<bool> {
        (self.is_changed, self.is_put) = (true, true);
        if field.len().max(value.len()) as u64 > limits.hash_value {
            self.enlarge(txn)?;
        }
        let packed = match &mut self.encoding {
            Encoding::Packed(packed) => packed,
            Encoding::Large(large) => return large.put(txn, field, value, expiry),
        };
        let old = packed.find(field)?;
        let is_new = old.is_none();
        let deadline = expiry.apply(old.as_ref().and_then(|slot| slot.deadline));
        packed.put(old, field, value, deadline)?;
        if packed.len() as u64 > limits.hash_entries {
            self.enlarge(txn)?;
        }
        Ok(is_new)
    }

    /// Moves a small hash to records of its own.
    fn enlarge(&mut self, txn: &mut Txn) -> Result<()> {
        if let Encoding::Packed(packed) = &self.encoding {
            self.encoding = Encoding::Large(Large::from_packed(txn, packed)?);
        }
        Ok(())
    }

    /// Gives a field that is there a deadline, or takes it off.
    pub fn set_deadline(&mut self, txn: &mut Txn, field: &[u8], deadline: Option<u64>) -> Result<()> {
        match &mut self.encoding {
            Encoding::Packed(packed) => {
                let Some(slot) = packed.find(field)? else {
                    return Ok(());
                };
                let value = packed.part(slot.value.clone());
                packed.put(Some(slot), field, &value, deadline)?;
            }
            Encoding::Large(large) => {
                let Some(old) = large.get(txn, field)? else {
                    return Ok(());
                };
                large.set_deadline(txn, field, &old, deadline)?;
            }
        }
        (self.is_changed, self.is_put) = (true, true);
        Ok(())
    }

    /// Deletes the field, and says whether it was there.
    pub fn remove(&mut self, txn: &mut Txn, field: &[u8]) -> Result<bool> {
        match &mut self.encoding {
            Encoding::Packed(packed) => {
                let Some(slot) = packed.find(field)? else {
                    return Ok(false);
                };
                packed.remove(slot)?;
                self.is_changed = true;
                Ok(true)
            }
            Encoding::Large(large) => {
                // A field that is due goes too, though it was not there.
                self.is_changed = true;
                large.remove(txn, field)
            }
        }
    }

    /// Puts what was changed. A hash without fields disappears; the key's deadline stays.
    pub fn save(self, txn: &mut Txn, key: Key) -> Result<()> {
        if !self.is_changed {
            return Ok(());
        }
        let old = self.entry.as_ref();
        if self.is_empty() {
            return old.map_or(Ok(()), |entry| txn.remove(key, entry));
        }
        let deadline = old.and_then(|entry| entry.header.deadline);
        match &self.encoding {
            Encoding::Packed(packed) => {
                let (kind, head) = packed.encode_head();
                txn.write(key, old, Header { kind, deadline }, &[&head, packed.bytes()])
            }
            Encoding::Large(large) => {
                let body = large.encode();
                let kind = Kind::LargeHash;
                let is_same = |old: &Entry| old.header.kind == kind && old.body() == body;
                if old.is_some_and(is_same) {
                    // Where a field has what it had before, nothing is written.
                    if self.is_put {
                        txn.touch(key);
                    }
                    return Ok(());
                }
                txn.write(key, old, Header { kind, deadline }, &[&body])
            }
        }
    }
}

/// So many fields that were due were deleted.
fn fields_expired(txn: &mut Txn, key: Key, fields: u64) {
    txn.cause_fields_expired(fields);
    if fields > 0 {
        txn.notify(Events::HASH, "hexpired", key);
    }
}

/// Fields that one transaction of active expiry deletes at most, of a large hash.
const EXPIRED_AT_ONCE: usize = 256;
/// Where something of it is cold, what so many take is fetched: the transactions to come find it.
const EXPIRED_AFTER_FAULT: usize = 16 * EXPIRED_AT_ONCE;

/// Deletes the key if it is due, or else those of its fields that are: of a large hash some. Whether there are more.
pub fn expire_due(txn: &mut Txn, key: Key) -> Result<bool> {
    let Some(entry) = txn.lookup(key)? else {
        return Ok(false);
    };
    let fields = entry.deadlines()?.fields;
    if fields.is_none_or(|deadline| deadline > txn.now) {
        return Ok(false);
    }
    let mut hash = Hash::to_write(txn, key)?;
    let mut is_more = false;
    if let Encoding::Large(large) = &mut hash.encoding {
        let deleted = large.remove_due(txn, EXPIRED_AT_ONCE);
        if let Err(Stop::Fault) = deleted {
            large.prefetch_due(txn, EXPIRED_AFTER_FAULT)?;
        }
        fields_expired(txn, key, deleted?);
        hash.is_changed = true;
        is_more = large.may_be_due(txn.now);
    }
    hash.save(txn, key)?;
    Ok(is_more)
}

/// Gives `to` a hash of its own, equal to `entry`, which holds a large one. `replaced` is what `to` held.
pub fn copy_large(txn: &mut Txn, entry: &Entry, to: Key, replaced: Option<&Entry>) -> Result<()> {
    let copy = Large::decode(entry)?.copy(txn)?;
    txn.write(to, replaced, entry.header, &[&copy.encode()])
}

impl Hash {
    /// Adds to the integer that a field's value is the text of; a field that is not there counts as 0. Its deadline stays.
    pub fn add(&mut self, txn: &mut Txn, field: &[u8], increment: i64, limits: &Thresholds) -> Result<i64> {
        let value = match self.get(txn, field)? {
            None => Some(0),
            Some(held) => parse_i64(&held.value),
        };
        let Some(value) = value else {
            return Stop::error("ERR hash value is not an integer");
        };
        let Some(sum) = value.checked_add(increment) else {
            return Stop::error("ERR increment or decrement would overflow");
        };
        let mut digits = itoa::Buffer::new();
        self.put(txn, field, digits.format(sum).as_bytes(), Expiry::Keep, limits)?;
        Ok(sum)
    }

    /// As [`Hash::add`], with long doubles. Returns the text of the sum.
    pub fn add_float(
        &mut self,
        txn: &mut Txn,
        field: &[u8],
        increment: ExtFloat,
        limits: &Thresholds,
    ) -> Result<String> {
        let value = match self.get(txn, field)? {
            None => Some(ExtFloat::from_i64(0)),
            Some(held) => ExtFloat::parse(&held.value),
        };
        let Some(value) = value else {
            return Stop::error("ERR hash value is not a float");
        };
        let Some(sum) = value.checked_add(increment).and_then(ExtFloat::to_human) else {
            return Stop::error("ERR increment would produce NaN or Infinity");
        };
        self.put(txn, field, sum.as_bytes(), Expiry::Keep, limits)?;
        Ok(sum)
    }
}
