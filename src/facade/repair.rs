//! `redkeep-tool repair`: goes on, on purpose, from what a damaged log still gives.

use std::path::Path;

use crate::disk::Disk;

use super::check;

/// Opens a store that lost commits, as its log is damaged, without them, and lets that stand. Says what was wrong, a line each.
///
/// # Errors
/// The store cannot be opened even so, or what it still has cannot be written to its tables.
pub fn repair(dir: &Path) -> Result<String, String> {
    let (disk, faults) = Disk::accept_losses(dir, &check::options()).map_err(|e| e.to_string())?;
    disk.flush().map_err(|e| e.to_string())?;
    Ok(match faults.is_empty() {
        true => "nothing to repair\n".to_owned(),
        false => faults
            .iter()
            .map(|fault| format!("given up: {fault}\n"))
            .collect(),
    })
}
