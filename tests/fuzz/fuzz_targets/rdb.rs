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

use rdb::{ReadOptions, Reader, Sink, Target, Writer, check_payload};

fn drain(mut reader: Reader<&[u8]>) {
    let mut writers: Vec<_> = Target::ALL
        .iter()
        .filter_map(|(_, target)| Writer::new(std::io::sink(), *target).ok())
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
    for version in [12u16, 80] {
        let mut payload = [bytes, &version.to_le_bytes()].concat();
        let sum = base::crc64::crc64(&payload);
        payload.extend_from_slice(&sum.to_le_bytes());
        if let Some((version, body)) = check_payload(&payload) {
            drain(Reader::of_payload(version, body, options));
        }
    }
});
