//! Epochs on their way to the disk.

use std::time::{Duration, Instant};

use redkeep::facade::measured::Prepared;

use crate::common::Random;
use crate::fixture::{Fixture, VALUE_SIZE, key, request};
use crate::{Micro, Sample};

const EPOCHS: [usize; 3] = [1, 32, 1024];
/// Keys are drawn from so many.
const KEYS: u64 = 100_000;

pub fn run(micro: &Micro) {
    for (synced, degree) in [(false, "written"), (true, "synced")] {
        for records in EPOCHS {
            case(
                micro,
                &format!("commit {degree}, epoch of {records}"),
                synced,
                records,
            );
        }
    }
}

fn case(micro: &Micro, name: &str, synced: bool, records: usize) {
    if !micro.wants(name) {
        return;
    }
    let mut fixture = Fixture::new(synced);
    let mut random = Random(3);
    let mut value = vec![0; VALUE_SIZE];
    random.fill(&mut value);
    let commands: Vec<Prepared> = (0..KEYS)
        .map(|number| Prepared::new(request(&[b"SET", &key(number), &value])))
        .collect();
    micro.case(name, |operations| {
        let epochs = operations.div_ceil(records as u64);
        let mut elapsed = Duration::ZERO;
        for _ in 0..epochs {
            for _ in 0..records {
                fixture.run(&commands[random.below(KEYS) as usize]);
            }
            let start = Instant::now();
            fixture.commit();
            elapsed += start.elapsed();
        }
        Sample {
            operations: epochs * records as u64,
            elapsed,
        }
    });
}
