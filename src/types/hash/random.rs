//! Fields chosen at random.

use std::collections::HashSet;

use super::large::Stored;
use super::{Form, Hash, Want};
use crate::store::{Result, Txn};
use crate::types::string::Bytes;

type Pair = (Bytes, Bytes);

/// How many draws in a row may come to fields that are due, or that were drawn before.
const WASTED_DRAWS: usize = 64;
/// A sample of more than this part of a large hash is taken from all of its fields.
const LARGE_PART: u64 = 3;

impl Hash {
    /// So many fields with their values, each chosen independently of the others; none if no field is there.
    pub fn draw(&self, txn: &mut Txn, count: usize) -> Result<Vec<Pair>> {
        if let Form::Large(large) = &self.form {
            large.table.fetch_random(txn, count)?;
            let mut drawn = Vec::new();
            while drawn.len() < count
                && let Some(pair) = self.draw_large(txn, |_| true)?
            {
                drawn.push(pair);
            }
            if drawn.len() == count {
                return Ok(drawn);
            }
        }
        let all = self.all(txn)?;
        if all.is_empty() {
            return Ok(all);
        }
        let draws = (0..count).map(|_| all[txn.random.below(all.len() as u64) as usize].clone());
        Ok(draws.collect())
    }

    /// So many different fields with their values; all if there are no more.
    pub fn sample(&self, txn: &mut Txn, count: usize) -> Result<Vec<Pair>> {
        if let Form::Large(large) = &self.form
            && (count as u64).saturating_mul(LARGE_PART) < large.table.len()
        {
            large.table.fetch_random(txn, count)?;
            let mut seen = HashSet::new();
            let mut drawn = Vec::new();
            while drawn.len() < count
                && let Some(pair) = self.draw_large(txn, |field| !seen.contains(field))?
            {
                seen.insert(pair.0.to_vec());
                drawn.push(pair);
            }
            if drawn.len() == count {
                return Ok(drawn);
            }
        }
        let mut all = self.all(txn)?;
        if count < all.len() {
            // The head of a shuffle.
            for i in 0..count {
                let chosen = i + txn.random.below((all.len() - i) as u64) as usize;
                all.swap(i, chosen);
            }
            all.truncate(count);
        }
        Ok(all)
    }

    /// A field that is there and accepted; `None` if draws come to others only.
    fn draw_large(&self, txn: &mut Txn, accepts: impl Fn(&[u8]) -> bool) -> Result<Option<Pair>> {
        let Form::Large(large) = &self.form else {
            return Ok(None);
        };
        for _ in 0..WASTED_DRAWS {
            let (field, value) = large.table.random(txn)?;
            let stored = Stored::decode(value)?;
            if !stored.is_due(txn.now) && accepts(&field) {
                return Ok(Some((field, stored.value)));
            }
        }
        Ok(None)
    }

    fn all(&self, txn: &mut Txn) -> Result<Vec<Pair>> {
        let mut all = Vec::new();
        self.for_each(txn, Want::Values, |field, value| {
            all.push((Bytes::Owned(field.to_vec()), Bytes::Owned(value.to_vec())));
            Ok(())
        })?;
        Ok(all)
    }
}
