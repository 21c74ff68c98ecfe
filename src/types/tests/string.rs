//! Strings and bitmaps against a model: a `Vec<u8>` goes through the same seeded random changes.

use super::KEY;
use crate::base::random;
use crate::disk::format::SEGMENT;
use crate::store::testing::TestStore;
use crate::store::{Entry, Result, Txn};
use crate::types::bitfield::{self, Action, Field, Operation, Overflow};
use crate::types::{bitmap, string};

/// What changes are made of.
struct Random(random::Random);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0.below(bound)
    }

    fn bool(&mut self) -> bool {
        self.below(2) == 1
    }

    /// Mostly at the border of a segment.
    fn offset(&mut self) -> u64 {
        match self.below(3) {
            0 => self.below(40),
            1 => (self.below(4) * SEGMENT as u64 + self.below(20)).saturating_sub(10),
            _ => self.below(4 * SEGMENT as u64),
        }
    }

    /// Long runs of the same byte, now and then of many segments' length.
    fn bytes(&mut self) -> Vec<u8> {
        let len = match self.below(4) {
            0 => SEGMENT as u64 - 2 + self.below(4),
            1 => self.below(3 * SEGMENT as u64),
            _ => self.below(20),
        };
        let byte = [0, 0xff, self.below(256) as u8][self.below(3) as usize];
        vec![byte; len as usize]
    }

    fn range(&mut self, len: u64) -> std::ops::Range<u64> {
        let (a, b) = (self.offset().min(len), self.offset().min(len));
        a.min(b)..a.max(b)
    }
}

fn entry(txn: &mut Txn) -> Result<Option<Entry>> {
    string::string_entry(txn.lookup(KEY)?)
}

fn bit(model: &[u8], offset: u64) -> bool {
    let byte = model.get((offset / 8) as usize).copied().unwrap_or(0);
    byte >> (7 - offset % 8) & 1 == 1
}

fn overwrite(model: &mut Vec<u8>, at: u64, bytes: &[u8]) {
    let (at, end) = (at as usize, at as usize + bytes.len());
    model.resize(model.len().max(end), 0);
    model[at..end].copy_from_slice(bytes);
}

fn write(test: &mut TestStore, model: &mut Vec<u8>, at: u64, bytes: &[u8]) {
    overwrite(model, at, bytes);
    let length = test.run(|txn| {
        let old = entry(txn)?;
        string::write_at(txn, KEY, old.as_ref(), at, bytes)
    });
    assert_eq!(length, Ok(model.len() as u64));
}

fn set_bit(test: &mut TestStore, model: &mut Vec<u8>, offset: u64, to: bool) {
    let was = test.run(|txn| {
        let old = entry(txn)?;
        bitmap::set(txn, KEY, old.as_ref(), offset, to)
    });
    assert_eq!(was, Ok(bit(model, offset)));
    set_model_bit(model, offset, to);
}

fn set_model_bit(model: &mut Vec<u8>, offset: u64, to: bool) {
    let (at, mask) = ((offset / 8) as usize, 0x80 >> (offset % 8));
    model.resize(model.len().max(at + 1), 0);
    model[at] = model[at] & !mask | if to { mask } else { 0 };
}

fn set_field(test: &mut TestStore, model: &mut Vec<u8>, random: &mut Random) {
    let field = Field {
        signed: false,
        width: 1 + random.below(63) as u32,
        offset: random.offset() * 8 + random.below(8),
    };
    let value = random.below(1 << 62).cast_signed();
    let operation = |action| Operation {
        field,
        action,
        overflow: Overflow::Wrap,
    };
    let operations = [operation(Action::Set(value)), operation(Action::Get)];
    let answers = test.run(|txn| {
        let old = entry(txn)?;
        bitfield::run(txn, KEY, old.as_ref(), &operations)
    });
    let width = u64::from(field.width);
    let bits = field.offset..field.offset + width;
    let before = bits.clone().fold(0, |n, at| n << 1 | i64::from(bit(model, at)));
    let after = value & (u64::MAX >> (64 - width)).cast_signed();
    assert_eq!(answers, Ok(vec![Some(before), Some(after)]));
    for at in bits.clone() {
        set_model_bit(model, at, after >> (bits.end - 1 - at) & 1 == 1);
    }
}

/// Reads a part in every way there is.
fn check(test: &mut TestStore, model: &[u8], random: &mut Random) {
    let bytes = random.range(model.len() as u64);
    let bits = random.range(model.len() as u64);
    let bits = bits.start * 8 + random.below(8)..bits.end * 8;
    let wanted = random.bool();
    let found = test.run(|txn| {
        let Some(entry) = entry(txn)? else { return Ok(None) };
        Ok(Some((
            string::len(&entry)?,
            string::read_range(txn, &entry, bytes.clone())?.to_vec(),
            bitmap::get(txn, &entry, bits.start)?,
            bitmap::count(txn, &entry, bits.clone())?,
            bitmap::find(txn, &entry, wanted, bits.clone())?,
        )))
    });
    let Some((len, part, first, count, position)) = found.unwrap() else {
        assert!(model.is_empty());
        return;
    };
    assert_eq!(len, model.len() as u64);
    assert_eq!(part, model[bytes.start as usize..bytes.end as usize]);
    assert_eq!(first, bit(model, bits.start));
    let set = bits.clone().filter(|&at| bit(model, at)).count();
    assert_eq!(count, set as u64);
    assert_eq!(position, bits.clone().find(|&at| bit(model, at) == wanted));
}

fn run_model(seed: u64) {
    let mut random = Random(random::Random::from_seed(seed));
    let mut test = TestStore::for_seed(seed);
    let mut model = Vec::new();
    for step in 0..400 {
        match random.below(10) {
            0 if random.below(5) == 0 => {
                model = random.bytes();
                test.run(|txn| {
                    let old = entry(txn)?;
                    string::set(txn, KEY, old.as_ref(), &model, None)
                })
                .unwrap();
            }
            0..=2 => {
                let (at, bytes) = (random.offset(), random.bytes());
                write(&mut test, &mut model, at, &bytes);
            }
            3 if model.len() < 8 * SEGMENT => {
                let (at, bytes) = (model.len() as u64, random.bytes());
                write(&mut test, &mut model, at, &bytes);
            }
            4 | 5 => {
                let offset = random.offset() * 8 + random.below(8);
                let to = random.bool();
                set_bit(&mut test, &mut model, offset, to);
            }
            6 => set_field(&mut test, &mut model, &mut random),
            7 => test.drop_hot(),
            8 if step % 50 == 0 => test.reopen(),
            _ => check(&mut test, &model, &mut random),
        }
    }
    test.drop_hot();
    let read = test.run(|txn| {
        let Some(entry) = entry(txn)? else {
            return Ok(Vec::new());
        };
        Ok(string::read(txn, &entry)?.to_vec())
    });
    assert!(read == Ok(model), "the whole string at the end");
    assert!(test.faults > 0);
}

#[test]
fn strings_are_what_the_model_says() {
    for seed in 1..=6 {
        println!("seed {seed}");
        run_model(seed);
    }
}

#[test]
fn a_bit_at_the_far_end_of_a_new_key_is_one_segment() {
    let mut test = TestStore::open();
    let last = (512 << 23) - 1;
    let was = test.run(|txn| {
        let old = entry(txn)?;
        bitmap::set(txn, KEY, old.as_ref(), last, true)
    });
    assert_eq!(was, Ok(false));
    // The record of the key was known not to exist, and no segment was asked for.
    assert_eq!(test.faults, 0);
    test.drop_hot();
    let read = |txn: &mut Txn| {
        let Some(entry) = entry(txn)? else { return Ok(None) };
        let bits = bitmap::get(txn, &entry, last)? && !bitmap::get(txn, &entry, 0)?;
        Ok(Some((string::len(&entry)?, bits)))
    };
    assert_eq!(test.run(read), Ok(Some((512 << 20, true))));
    assert_eq!(test.faults, 3);
    // More cold segments than a command waits for: over a view.
    let count = |txn: &mut Txn| {
        txn.only_reads();
        let Some(entry) = entry(txn)? else { return Ok(0) };
        bitmap::count(txn, &entry, 0..512 << 23)
    };
    assert_eq!(test.run(count), Ok(1));
    assert_eq!((test.faults, test.views), (3, 1));
    test.run(|txn| {
        txn.only_reads();
        match entry(txn)? {
            Some(entry) => bitmap::find(txn, &entry, true, 0..512 << 23),
            None => Ok(None),
        }
    })
    .map(|found| assert_eq!(found, Some(last)))
    .unwrap();
    assert_eq!(test.views, 2);
}

#[test]
fn what_is_overwritten_whole_is_not_read() {
    let mut test = TestStore::open();
    let set = |txn: &mut Txn| {
        let old = entry(txn)?;
        string::set(txn, KEY, old.as_ref(), &[1; 3 * SEGMENT], None)
    };
    test.run(set).unwrap();
    test.drop_hot();
    let size = SEGMENT as u64;
    let mut write = |at, len| {
        let faults = test.faults;
        test.run(|txn| {
            let old = entry(txn)?;
            string::write_at(txn, KEY, old.as_ref(), at, &vec![2; len])
        })
        .unwrap();
        test.faults - faults
    };
    assert_eq!(write(size, SEGMENT), 1, "the key's own record");
    assert_eq!(write(2 * size, SEGMENT + 5), 0, "to the end and beyond");
    assert_eq!(write(3 * size + 5, 5), 0, "an append to what is in memory");
    assert_eq!(write(9 * size + 5, 5), 0, "beyond the end");
    assert_eq!(write(5, 5), 1, "a part of a cold segment");
    test.drop_hot();
    let faults = test.faults;
    test.run(set).unwrap();
    assert_eq!(test.faults - faults, 1, "SET reads the key's own record only");
}

#[test]
fn a_partial_write_keeps_the_deadline_and_the_id() {
    let mut test = TestStore::open();
    let deadline = Some(test.now + 1000);
    let id = |entry: &Entry| entry.body()[..8].to_vec();
    test.run(|txn| string::set(txn, KEY, None, &[1; SEGMENT], deadline))
        .unwrap();
    let mut append = || {
        test.run(|txn| {
            let old = entry(txn)?;
            let at = old.as_ref().map_or(Ok(0), string::len)?;
            string::write_at(txn, KEY, old.as_ref(), at, &[2; SEGMENT])?;
            Ok(entry(txn)?.map(|entry| (entry.header.deadline, id(&entry))))
        })
        .unwrap()
        .unwrap()
    };
    let (first, second) = (append(), append());
    assert_eq!(first, second);
    assert_eq!(first.0, deadline);
}

#[test]
fn what_changes_nothing_is_not_written() {
    let mut test = TestStore::open();
    let field = Field {
        signed: true,
        width: 5,
        offset: 0,
    };
    let mut writes = |action| {
        let operation = Operation {
            field,
            action,
            overflow: Overflow::Wrap,
        };
        test.run(|txn| {
            let old = entry(txn)?;
            bitfield::run(txn, KEY, old.as_ref(), &[operation])?;
            Ok(txn.has_writes())
        })
    };
    // The first makes the key.
    assert_eq!(writes(Action::Set(0)), Ok(true));
    assert_eq!(writes(Action::Set(0)), Ok(false));
    assert_eq!(writes(Action::Set(1)), Ok(true));
    assert_eq!(writes(Action::Set(1)), Ok(false));
    assert_eq!(writes(Action::IncrBy(0)), Ok(false));
    assert_eq!(writes(Action::IncrBy(1)), Ok(true));
}
