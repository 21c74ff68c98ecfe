//! Dumps and payloads of arbitrary bytes: read to their end or refused, and what is read is written for every target.

#![no_main]

// The codec knows no store, so it is compiled here by itself.
#[allow(dead_code, unused_imports)]
#[path = "../../../src/base"]
mod base {
    pub mod crc64;
    pub mod lzf;
    pub mod num;
    pub mod random;
}
#[allow(dead_code, unused_imports)]
#[path = "../../../src/rdb/mod.rs"]
mod rdb;
#[allow(dead_code, unused_imports)]
#[path = "../../../src/resp"]
mod resp {
    pub mod double;
}

use rdb::{Family, ReadOptions, Reader, Sink, Target, Version, Writer};

fn drain(mut reader: Reader<&[u8]>) {
    let mut writers: Vec<_> = Target::ALL
        .iter()
        .map(|(_, target)| Writer::new(std::io::sink(), *target))
        .collect();
    while let Ok(Some(item)) = reader.next() {
        for writer in &mut writers {
            // What a target cannot hold is told.
            let _ = writer.put(item);
        }
    }
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let options = ReadOptions {
        ignore_sum: true,
        ..ReadOptions::default()
    };
    drain(Reader::new(bytes, options));
    for (family, number) in [(Family::Redis, 12), (Family::Valkey, 80)] {
        drain(Reader::of_payload(Version { family, number }, bytes, options));
    }
});
