//! Commands over records that are in memory: what they cost but for the wire and the disk.

use redkeep::facade::measured::Prepared;

use crate::common::Random;
use crate::fixture::{Fixture, VALUE_SIZE, key, request};
use crate::{Micro, Sample};

/// Few enough for the processor's cache to hold most of them, so that it is the code that is measured.
const KEYS: u64 = 1_000;

pub fn run(micro: &Micro) {
    let mut random = Random(2);
    let mut value = vec![0; VALUE_SIZE];
    random.fill(&mut value);
    case(micro, "txn GET hot", "GET", &[], &value);
    case(micro, "txn GET absent", "GET", &[], b"");
    case(micro, "txn SET staged", "SET", &[&value], &value);
    case(micro, "txn INCR staged", "INCR", &[], b"1000");
}

/// Runs the command over keys that hold `held`, or that do not exist if that is empty.
fn case(micro: &Micro, name: &str, command: &str, more: &[&[u8]], held: &[u8]) {
    if !micro.wants(name) {
        return;
    }
    let mut fixture = Fixture::new(false);
    let mut commands = Vec::new();
    for number in 0..KEYS {
        let key = key(number);
        if !held.is_empty() {
            fixture.run(&Prepared::new(request(&[b"SET", &key, held])));
        }
        let args = [&[command.as_bytes(), &key], more].concat();
        commands.push(Prepared::new(request(&args)));
    }
    fixture.commit();
    let mut turn = (0..commands.len()).cycle();
    micro.case(name, |operations| {
        let sample = Sample::of(operations, || {
            if let Some(index) = turn.next() {
                fixture.run(&commands[index]);
            }
        });
        fixture.commit();
        sample
    });
}
