//! Requests decoded and replies encoded.

use std::hint::black_box;

use redkeep::facade::measured::{Answer, Pipeline};

use crate::common::Random;
use crate::fixture::{VALUE_SIZE, key, request};
use crate::{Micro, Sample};

/// Requests in the pipeline that is decoded, replies that are encoded before the buffer is emptied.
const PIPELINE: u64 = 32;

pub fn run(micro: &Micro) {
    let mut random = Random(1);
    let mut value = vec![0; VALUE_SIZE];
    random.fill(&mut value);
    decoding(micro, "codec decode GET", &[b"GET", &key(1)]);
    decoding(micro, "codec decode SET", &[b"SET", &key(1), &value]);
    encoding(micro, "codec encode OK", &Answer::ok());
    encoding(micro, "codec encode integer", &Answer::integer());
    encoding(micro, "codec encode bulk of 100", &Answer::bulk(&value));
    encoding(
        micro,
        "codec encode array of 10 bulks",
        &Answer::bulks(&value, 10),
    );
    encoding(
        micro,
        "codec encode map of 10 doubles, RESP3",
        &Answer::doubles(10),
    );
}

fn decoding(micro: &Micro, name: &str, args: &[&[u8]]) {
    let mut pipeline = Pipeline::new(request(args).repeat(PIPELINE as usize));
    micro.case(name, |operations| {
        let passes = operations.div_ceil(PIPELINE);
        let sample = Sample::of(passes, || pipeline.decode());
        Sample {
            operations: passes * PIPELINE,
            ..sample
        }
    });
}

fn encoding(micro: &Micro, name: &str, answer: &Answer) {
    let mut out = Vec::new();
    micro.case(name, |operations| {
        let passes = operations.div_ceil(PIPELINE);
        let sample = Sample::of(passes, || {
            out.clear();
            for _ in 0..PIPELINE {
                answer.encode(&mut out);
            }
            black_box(&out);
        });
        Sample {
            operations: passes * PIPELINE,
            ..sample
        }
    });
}
