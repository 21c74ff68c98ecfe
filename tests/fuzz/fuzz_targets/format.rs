//! The decoders of the disk's format over arbitrary bytes.

#![no_main]

// The format knows nothing of RocksDB, so it is compiled here by itself.
#[allow(dead_code)]
#[path = "../../../src/disk"]
mod disk {
    pub mod format;
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| disk::format::property::check(bytes));
