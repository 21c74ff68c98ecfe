//! Commands over records that are in memory: what they cost but for the wire and the disk.

use redkeep::command::Handler;
use redkeep::command::string::{get, incr, set};
use redkeep::disk::Durability;

use crate::common::Random;
use crate::fixture::{Fixture, Prepared, VALUE_SIZE, key};
use crate::{Micro, Sample};

/// Few enough for the processor's cache to hold most of them, so that it is the code that is measured.
const KEYS: u64 = 1_000;

pub fn run(micro: &Micro) {
    let mut random = Random(2);
    let mut value = vec![0; VALUE_SIZE];
    random.fill(&mut value);
    case(micro, "txn GET hot", get, &[], &value);
    case(micro, "txn GET absent", get, &[], b"");
    case(micro, "txn SET staged", set, &[&value], &value);
    case(micro, "txn INCR staged", incr, &[], b"1000");
}

/// Runs the command over keys that hold `held`, or that do not exist if that is empty.
fn case(micro: &Micro, name: &str, handler: Handler, more: &[&[u8]], held: &[u8]) {
    if !micro.wants(name) {
        return;
    }
    let mut fixture = Fixture::new(Durability::Written);
    let mut commands = Vec::new();
    for number in 0..KEYS {
        let key = key(number);
        if !held.is_empty() {
            fixture.run(&Prepared::new(set, &[b"SET", &key, held]));
        }
        commands.push(Prepared::new(handler, &[&[&b"command"[..], &key], more].concat()));
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
