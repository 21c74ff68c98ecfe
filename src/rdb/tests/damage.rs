//! Damaged files and payloads are refused, or read as what they are. `REDKEEP_LONG` has more of them.

use super::files::{FILES, rewritten};
use crate::base::crc64::crc64;
use crate::base::random::Random;
use crate::rdb::error::Error;
use crate::rdb::{Item, ReadOptions, Reader, Sink, Target, WriteError, Writer, check_payload};

/// How many damages of each kind are tried, in all files together; with the variable set, the latter.
const DAMAGES: u64 = 400;
const MANY_DAMAGES: u64 = 10_000;
/// A text may be longer than the file it was in, if it was compressed, but not by more than this factor.
const GROWTH: usize = 100;

/// Reads and writes all that comes; how it ends, and the bytes of all texts.
fn drain(mut reader: Reader<&[u8]>, target: Target) -> (Result<(), Error>, usize) {
    let mut writer = Writer::new(std::io::sink(), target).unwrap();
    let mut longest = 0;
    loop {
        let item = match reader.next() {
            Ok(Some(item)) => item,
            Ok(None) => return (Ok(()), longest),
            Err(error) => return (Err(error), longest),
        };
        if let Item::Text(text) | Item::Element(text) | Item::Scored { member: text, .. } = item {
            longest = longest.max(text.len());
        }
        match writer.put(item) {
            Ok(()) | Err(WriteError::CannotHold { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

fn damages() -> u64 {
    match std::env::var_os("REDKEEP_LONG") {
        Some(_) => MANY_DAMAGES,
        None => DAMAGES,
    }
}

/// Changes a byte, cuts something off, or puts a part somewhere else.
fn damage(bytes: &mut Vec<u8>, random: &mut Random) {
    let at = random.below(bytes.len() as u64) as usize;
    match random.below(6) {
        0 => bytes[at] = random.next_u64() as u8,
        1 => bytes[at] ^= 1 << random.below(8),
        2 => bytes[at] = [0, 0x7f, 0x80, 0x81, 0xc3, 0xff][random.below(6) as usize],
        3 => bytes.truncate(at),
        4 => drop(bytes.remove(at)),
        _ => {
            let part: Vec<u8> = bytes[at..]
                .iter()
                .copied()
                .take(1 + random.below(20) as usize)
                .collect();
            let to = random.below(bytes.len() as u64) as usize;
            bytes.splice(to..to, part);
        }
    }
}

#[test]
fn damaged_files_are_refused() {
    let mut random = Random::from_seed(11);
    let mut passed = 0;
    for round in 0..damages() {
        let file = FILES[round as usize % FILES.len()].0;
        let mut bytes = file.to_vec();
        damage(&mut bytes, &mut random);
        if bytes == file {
            continue;
        }
        let (read, _) = drain(Reader::new(&bytes[..], ReadOptions::default()), Target::Valkey9);
        match read {
            Err(error) => assert!(!error.to_string().is_empty()),
            // What comes behind the end is not looked at.
            Ok(()) => {
                assert!(
                    bytes.starts_with(&file[..file.len() - 8]) || bytes.len() < 20,
                    "{round}"
                );
                passed += 1;
            }
        }
    }
    assert!(passed < 10, "{passed}");
}

/// Without their sums, so that the damage comes to where the values are taken apart.
#[test]
fn damaged_values_are_refused_or_read_as_what_they_are() {
    let mut random = Random::from_seed(12);
    let mut refused = 0;
    for round in 0..damages() {
        let (name, target) = Target::ALL[round as usize % Target::ALL.len()];
        let (mut bytes, _) = rewritten(FILES[round as usize % FILES.len()].0, target);
        for _ in 0..1 + random.below(3) {
            damage(&mut bytes, &mut random);
        }
        let options = ReadOptions {
            ignore_sum: true,
            ..ReadOptions::default()
        };
        let (read, longest) = drain(Reader::new(&bytes[..], options), target);
        assert!(longest <= GROWTH * bytes.len(), "{round} for {name}");
        refused += u64::from(read.is_err());
    }
    assert!(refused > damages() / 2, "{refused}");
}

#[test]
fn damaged_payloads_are_refused_or_read_as_what_they_are() {
    let mut random = Random::from_seed(13);
    let payloads: Vec<Vec<u8>> = FILES
        .iter()
        .flat_map(|(_, answers, _)| answers.lines())
        .filter_map(|line| line.rsplit_once(' ').filter(|(_, hex)| *hex != "-"))
        .map(|(_, hex)| {
            hex.as_bytes()
                .chunks(2)
                .map(|two| u8::from_str_radix(str::from_utf8(two).unwrap(), 16).unwrap())
                .collect()
        })
        .collect();
    let (mut refused, rounds) = (0, damages() * 5);
    for round in 0..rounds {
        let mut payload = payloads[random.below(payloads.len() as u64) as usize].clone();
        payload.truncate(payload.len() - 8);
        if round % 2 == 0 {
            damage(&mut payload, &mut random);
        } else {
            let at = random.below(payload.len() as u64) as usize;
            payload[at] = random.next_u64() as u8;
        }
        let sum = crc64(&payload);
        payload.extend_from_slice(&sum.to_le_bytes());
        let Some((version, body)) = check_payload(&payload) else {
            refused += 1;
            continue;
        };
        let (read, longest) = drain(
            Reader::of_payload(version, body, ReadOptions::default()),
            Target::Valkey9,
        );
        assert!(longest <= GROWTH * payload.len());
        refused += u64::from(read.is_err());
    }
    assert!(refused > rounds / 4 && refused < rounds, "{refused}");
}

#[test]
fn each_end_of_a_file_is_seen() {
    let file = FILES[2].0;
    for end in (0..file.len()).step_by(97).chain(file.len() - 9..file.len()) {
        let (read, _) = drain(Reader::new(&file[..end], ReadOptions::default()), Target::Redis8);
        assert!(read.is_err(), "{end}");
    }
}

#[test]
fn what_is_not_known_is_named() {
    let refused = |bytes: &[u8]| match drain(Reader::new(bytes, ReadOptions::default()), Target::Redis8).0 {
        Ok(()) => panic!("{bytes:?} is read"),
        Err(error) => error.to_string(),
    };
    assert!(refused(b"").contains("does not begin with REDIS"));
    assert!(refused(b"PK\x03\x04 and so on").contains("does not begin with REDIS"));
    assert!(refused(b"REDIS0099").contains("version 99 of Redis"));
    assert!(refused(b"REDIS0080").contains("version 80 of Redis"));
    assert!(refused(b"VALKEY011").contains("version 11 of Valkey"));
    assert!(refused(b"REDIS0012\x1e\x01k").contains("type 30"));
    // 24 is a hash for Redis, and nothing for Valkey.
    assert!(refused(b"VALKEY080\x18\x01k").contains("type 24"));
    assert!(refused(b"REDIS0003\x06\x01k").contains("before Redis 4.0"));
    assert!(refused(b"REDIS0011\x03\x01k\x01\x01m\xfd").contains("not a number"));
    let refusing = ReadOptions {
        refuse_modules: true,
        ..ReadOptions::default()
    };
    let module = b"REDIS0009\x07\x01k\x81\x04\x08\x0c\x10\x14\x18\x1c\x20\x02\x05\x00\xff\0\0\0\0\0\0\0\0";
    let error = drain(Reader::new(&module[..], refusing), Target::Redis8)
        .0
        .unwrap_err();
    assert!(
        error.to_string().contains("a value of the module BAgMEBQYH"),
        "{error}"
    );
}
