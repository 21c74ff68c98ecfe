//! The request decoder over arbitrary bytes in arbitrary pieces. A case that fails is minimised with
//! `cargo +nightly fuzz tmin --fuzz-dir tests/fuzz decode FILE`.

#![no_main]

// The layer `resp` is a leaf, so it is compiled here by itself: fuzzing does not need RocksDB, nor its compile time.
#[allow(dead_code, unused_imports)]
#[path = "../../../src/resp/mod.rs"]
mod resp;

libfuzzer_sys::fuzz_target!(|case: &[u8]| resp::decode::property::check(case));
