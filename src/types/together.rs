//! Many reads with one wait.

use crate::store::{Result, Stop, Txn};

/// Reads something for each item, and goes on after a fault, so that one wait brings all that is missing.
pub fn together<I, T>(
    txn: &mut Txn,
    items: impl IntoIterator<Item = I>,
    mut read: impl FnMut(&mut Txn, I) -> Result<T>,
) -> Result<Vec<T>> {
    let mut results = Vec::new();
    let mut cold = 0;
    for item in items {
        match read(txn, item) {
            Err(Stop::Fault) => {
                cold += 1;
                txn.wait_for(cold)?;
            }
            result => results.push(result?),
        }
    }
    if cold == 0 { Ok(results) } else { Err(Stop::Fault) }
}
