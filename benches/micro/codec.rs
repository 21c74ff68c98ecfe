//! Requests decoded and replies encoded.

use std::hint::black_box;
use std::sync::Arc;

use redkeep::resp::{Decoder, Limits, Protocol, Reply, encode};

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
    let shared: Arc<[u8]> = Arc::from(&value[..]);
    encoding(micro, "codec encode OK", Protocol::Resp2, &Reply::Ok);
    encoding(
        micro,
        "codec encode integer",
        Protocol::Resp2,
        &Reply::Int(1_234_567),
    );
    encoding(
        micro,
        "codec encode bulk of 100",
        Protocol::Resp2,
        &Reply::bulk(shared.clone()),
    );
    let ten = Reply::Array(vec![Reply::bulk(shared); 10]);
    encoding(micro, "codec encode array of 10 bulks", Protocol::Resp2, &ten);
    let map = Reply::Map(
        (0..10)
            .map(|i| (Reply::Int(i), Reply::Double(i as f64 / 3.0)))
            .collect(),
    );
    encoding(
        micro,
        "codec encode map of 10 doubles, RESP3",
        Protocol::Resp3,
        &map,
    );
}

fn decoding(micro: &Micro, name: &str, args: &[&[u8]]) {
    let pipeline = request(args).repeat(PIPELINE as usize);
    let limits = Limits::default();
    let mut decoder = Decoder::new();
    micro.case(name, |operations| {
        let passes = operations.div_ceil(PIPELINE);
        let sample = Sample::of(passes, || {
            let mut rest = &pipeline[..];
            while let Ok(Some(width)) = decoder.decode(rest, &limits) {
                black_box(decoder.args(rest).get(1));
                decoder.reset();
                rest = &rest[width..];
            }
            assert!(rest.is_empty(), "the whole pipeline is decoded");
        });
        Sample {
            operations: passes * PIPELINE,
            ..sample
        }
    });
}

fn encoding(micro: &Micro, name: &str, protocol: Protocol, reply: &Reply) {
    let mut out = Vec::new();
    micro.case(name, |operations| {
        let passes = operations.div_ceil(PIPELINE);
        let sample = Sample::of(passes, || {
            out.clear();
            for _ in 0..PIPELINE {
                encode(black_box(reply), protocol, &mut out);
            }
            black_box(&out);
        });
        Sample {
            operations: passes * PIPELINE,
            ..sample
        }
    });
}
