//! Fields chosen at random.

use super::Hash;
use crate::store::{Result, Txn};
use crate::types::string::Bytes;

type Pair = (Bytes, Bytes);

impl Hash {
    /// So many fields with their values, each chosen independently of the others; none if no field is there.
    pub fn draw(&self, txn: &mut Txn, count: usize) -> Result<Vec<Pair>> {
        let all = self.all(txn)?;
        if all.is_empty() {
            return Ok(all);
        }
        let draws = (0..count).map(|_| all[txn.random.below(all.len() as u64) as usize].clone());
        Ok(draws.collect())
    }

    /// So many different fields with their values; all if there are no more.
    pub fn sample(&self, txn: &mut Txn, count: usize) -> Result<Vec<Pair>> {
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

    fn all(&self, txn: &mut Txn) -> Result<Vec<Pair>> {
        let mut all = Vec::new();
        self.for_each(txn, |field, value| all.push((field, value)))?;
        Ok(all)
    }
}
