//! Hashes: small ones whole in their key's record (`packed`), large ones in records of their own (`large`).
//!
//! A field may have a deadline. One that is past it is not there: no read shows it, and a write to it makes a new field.
//! It is deleted by active expiry, which finds the hash by the earliest deadline in it ([`expire_due`]); a small hash that
//! is written anyway drops all its due fields with that. Only [`Hash::len`] counts a due field until it is deleted.
//!
//! A hash moves from the one form to the other with the change that makes it too large, and never back.

mod packed;
mod random;

use super::WRONG_TYPE;
use super::string::Bytes;
use super::thresholds::Thresholds;
use crate::base::extfloat::ExtFloat;
use crate::base::num::parse_i64;
use crate::disk::format::{Header, Kind};
use crate::store::{Entry, Key, Result, Stop, Txn};
use packed::Packed;

/// A hash, as it is on record or with changes that [`Hash::write`] puts there.
pub struct Hash {
    entry: Option<Entry>,
    form: Form,
    is_changed: bool,
}

enum Form {
    Packed(Packed),
}

/// What becomes of a field's deadline when the field gets a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    Clear,
    Keep,
    At(u64),
}

impl Expiry {
    fn apply(self, current: Option<u64>) -> Option<u64> {
        match self {
            Expiry::Clear => None,
            Expiry::Keep => current,
            Expiry::At(deadline) => Some(deadline),
        }
    }
}

/// What a field holds.
pub struct Held {
    pub value: Bytes,
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
            Some(entry) => Hash::decode(entry).map(Some),
            None => Ok(None),
        }
    }

    /// The key's hash, for a command that changes it; an empty one if there is none.
    pub fn to_write(txn: &mut Txn, key: Key) -> Result<Hash> {
        let Some(entry) = txn.lookup(key)? else {
            return Ok(Hash {
                entry: None,
                form: Form::Packed(Packed::empty()),
                is_changed: false,
            });
        };
        let mut hash = Hash::decode(entry)?;
        if let Form::Packed(packed) = &mut hash.form
            && packed.may_be_due(txn.now)
        {
            txn.effects().expired_fields += packed.remove_due(txn.now)?;
            hash.is_changed = true;
        }
        Ok(hash)
    }

    fn decode(entry: Entry) -> Result<Hash> {
        if !is_hash(entry.header.kind) {
            return Stop::error(WRONG_TYPE);
        }
        Ok(Hash {
            form: Form::Packed(Packed::decode(&entry)?),
            entry: Some(entry),
            is_changed: false,
        })
    }

    pub fn exists(&self) -> bool {
        self.entry.is_some()
    }

    /// The number of fields, those included that are due and not yet deleted.
    pub fn len(&self) -> u64 {
        match &self.form {
            Form::Packed(packed) => packed.len() as u64,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Has what these fields need fetched together.
    pub fn prefetch<'f>(&self, _txn: &mut Txn, _fields: impl Iterator<Item = &'f [u8]>) -> Result<()> {
        match &self.form {
            Form::Packed(_) => Ok(()),
        }
    }

    pub fn get(&self, txn: &mut Txn, field: &[u8]) -> Result<Option<Held>> {
        match &self.form {
            Form::Packed(packed) => {
                let slot = packed.find(field)?.filter(|slot| !slot.is_due(txn.now));
                Ok(slot.map(|slot| Held {
                    value: packed.part(slot.value),
                    deadline: slot.deadline,
                }))
            }
        }
    }

    /// Shows every field and its value.
    pub fn for_each(&self, txn: &mut Txn, mut show: impl FnMut(Bytes, Bytes)) -> Result<()> {
        match &self.form {
            Form::Packed(packed) => {
                for slot in packed.slots() {
                    let slot = slot?;
                    if !slot.is_due(txn.now) {
                        show(packed.part(slot.field), packed.part(slot.value));
                    }
                }
                Ok(())
            }
        }
    }

    /// Shows some of the fields, from `cursor` on, and says where to go on; 0: that was all. Whatever is there from the
    /// first call to the last is shown.
    pub fn scan(
        &self,
        txn: &mut Txn,
        _cursor: u64,
        _count: usize,
        show: impl FnMut(Bytes, Bytes),
    ) -> Result<u64> {
        match &self.form {
            Form::Packed(_) => {
                self.for_each(txn, show)?;
                Ok(0)
            }
        }
    }

    /// Gives the field a value, and says whether it is new.
    pub fn set(
        &mut self,
        txn: &mut Txn,
        field: &[u8],
        value: &[u8],
        expiry: Expiry,
        _thresholds: &Thresholds,
    ) -> Result<bool> {
        let _ = txn;
        self.is_changed = true;
        match &mut self.form {
            Form::Packed(packed) => {
                let old = packed.find(field)?;
                let is_new = old.is_none();
                let deadline = expiry.apply(old.as_ref().and_then(|slot| slot.deadline));
                packed.put(old, field, value, deadline)?;
                Ok(is_new)
            }
        }
    }

    /// Gives the field a deadline, or takes it off.
    pub fn set_deadline(&mut self, txn: &mut Txn, field: &[u8], deadline: Option<u64>) -> Result<()> {
        let _ = txn;
        match &mut self.form {
            Form::Packed(packed) => {
                let Some(slot) = packed.find(field)? else {
                    return Ok(());
                };
                let value = packed.bytes()[slot.value.clone()].to_vec();
                packed.put(Some(slot), field, &value, deadline)?;
            }
        }
        self.is_changed = true;
        Ok(())
    }

    /// Deletes the field, and says whether it was there.
    pub fn remove(&mut self, txn: &mut Txn, field: &[u8]) -> Result<bool> {
        let _ = txn;
        match &mut self.form {
            Form::Packed(packed) => {
                let Some(slot) = packed.find(field)? else {
                    return Ok(false);
                };
                packed.remove(slot);
            }
        }
        self.is_changed = true;
        Ok(true)
    }

    /// Puts what was changed. A hash without fields disappears; the key's deadline stays.
    pub fn write(self, txn: &mut Txn, key: Key) -> Result<()> {
        if !self.is_changed {
            return Ok(());
        }
        let old = self.entry.as_ref();
        if self.is_empty() {
            return old.map_or(Ok(()), |entry| txn.remove(key, entry));
        }
        let deadline = old.and_then(|entry| entry.header.deadline);
        match &self.form {
            Form::Packed(packed) => {
                let (kind, head) = packed.encode_head();
                txn.write(key, old, Header { kind, deadline }, &[&head, packed.bytes()])
            }
        }
    }
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
        self.set(txn, field, digits.format(sum).as_bytes(), Expiry::Keep, limits)?;
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
        self.set(txn, field, sum.as_bytes(), Expiry::Keep, limits)?;
        Ok(sum)
    }
}
