//! `redkeep-tool repair`: goes on, on purpose, from what a damaged log still gives.

use std::path::Path;

use redkeep::disk::Disk;

use super::check;

/// Says what was wrong, a line each.
pub fn run(dir: &Path) -> Result<String, String> {
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
