//! A small store for tests.

use std::path::Path;

use super::{Compression, Creation, Disk, DiskOptions};

/// Opens the store in `dir`, and makes it if there is none.
pub fn open(dir: &Path) -> Disk {
    let options = DiskOptions {
        write_buffer: 4 << 20,
        block_cache: 1 << 20,
        background_jobs: 1,
        compression: Compression::None,
        open_tables: 1000,
    };
    Disk::open(dir, &options, &Creation::default()).unwrap()
}
