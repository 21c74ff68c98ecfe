//! Many reads with one wait.

use crate::store::{Result, Stop, Txn};

/// A command that only reads waits for at most so many records; with more of them cold it runs over a view.
const MAX_COLD: usize = 256;

/// Reads something for each item, and goes on after a fault, so that one wait brings all that is missing. A command that
/// also `writes` cannot run over a view.
pub fn together<I, T>(
    txn: &mut Txn,
    writes: bool,
    items: impl IntoIterator<Item = I>,
    mut read: impl FnMut(&mut Txn, I) -> Result<T>,
) -> Result<Vec<T>> {
    let mut results = Vec::new();
    let mut cold = 0;
    for item in items {
        match read(txn, item) {
            Err(Stop::Fault) => {
                cold += 1;
                if !writes && cold > MAX_COLD {
                    txn.view()?;
                }
            }
            result => results.push(result?),
        }
    }
    if cold == 0 { Ok(results) } else { Err(Stop::Fault) }
}
