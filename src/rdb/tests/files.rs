//! Files and payloads of real servers.

use super::model::{Content, Value};
use super::shown::line;
use crate::rdb::{
    Item, Needs, PayloadWriter, ReadOptions, Reader, Sink, Target, WriteError, Writer, check_payload,
};

/// What each server has saved and answered, and the target that is written as it does.
pub const FILES: [(&[u8], &str, Option<Target>); 4] = [
    (
        include_bytes!("../../../tests/rdb/redis-6.2.rdb"),
        include_str!("../../../tests/rdb/redis-6.2.txt"),
        None,
    ),
    (
        include_bytes!("../../../tests/rdb/redis-7.0.rdb"),
        include_str!("../../../tests/rdb/redis-7.0.txt"),
        Some(Target::Redis70),
    ),
    (
        include_bytes!("../../../tests/rdb/redis-8.2.rdb"),
        include_str!("../../../tests/rdb/redis-8.2.txt"),
        Some(Target::Redis8),
    ),
    (
        include_bytes!("../../../tests/rdb/valkey-9.1.rdb"),
        include_str!("../../../tests/rdb/valkey-9.1.txt"),
        Some(Target::Valkey9),
    ),
];

/// A server keeps deleted entries in their nodes, and writes them.
const NOT_OF_THE_VALUE_ALONE: &str = "stream:deleted";

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Text(_) => "string",
        Value::List(_) => "list",
        Value::Set(_) => "set",
        Value::Hash(_) => "hash",
        Value::SortedSet(_) => "zset",
        Value::Stream(..) => "stream",
    }
}

fn unhex(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().chunks(2);
    digits
        .map(|two| u8::from_str_radix(str::from_utf8(two).unwrap(), 16).unwrap())
        .collect()
}

/// The file again, for a target, without what that cannot hold.
pub fn rewritten(file: &[u8], target: Target) -> (Vec<u8>, usize) {
    let mut writer = Writer::new(Vec::new(), target).unwrap();
    let mut reader = Reader::new(file, ReadOptions::default());
    let mut refused = 0;
    while let Some(item) = reader.next().unwrap() {
        match writer.put(item) {
            Ok(()) => {}
            Err(WriteError::CannotHold { .. }) => refused += 1,
            Err(error) => panic!("{error}"),
        }
    }
    (writer.finish().unwrap(), refused)
}

#[test]
fn files_of_real_servers_are_read_value_by_value() {
    for (file, answers, _) in FILES {
        let content = Content::read(file).unwrap();
        let lines = content
            .keys
            .iter()
            .map(|((database, key), (value, deadline))| line(*database, key, kind(value), value, *deadline));
        let answered = answers.lines().map(|line| line.rsplit_once(' ').unwrap().0);
        for (read, answered) in lines.zip(answered) {
            assert_eq!(read, answered);
        }
        assert_eq!(content.keys.len(), answers.lines().count());
        assert!(content.skipped.is_empty() && content.aux.iter().any(|(name, _)| name == b"redis-bits"));
        assert_eq!(
            content.libraries.len(),
            usize::from(!content.aux.iter().any(|(_, value)| value.starts_with(b"6.")))
        );
    }
}

#[test]
fn payloads_of_real_servers_are_read_and_written_byte_by_byte() {
    for (file, answers, target) in FILES {
        let content = Content::read(file).unwrap();
        let (mut read, mut same) = (0, 0);
        for ((at, (value, _)), answer) in content.keys.iter().zip(answers.lines()) {
            let hex = answer.rsplit_once(' ').unwrap().1;
            if hex == "-" {
                continue;
            }
            let payload = unhex(hex);
            let (version, body) = check_payload(&payload).unwrap();
            let reader = || Reader::of_payload(version, body, ReadOptions::default());
            let of_payload = Content::drain(reader()).unwrap();
            assert_eq!(&of_payload.keys.values().next().unwrap().0, value, "{at:?}");
            read += 1;
            let Some(target) = target.filter(|_| at.1 != NOT_OF_THE_VALUE_ALONE.as_bytes()) else {
                continue;
            };
            let mut reader = reader();
            let Some(Item::Key(key)) = reader.next().unwrap() else {
                panic!("no key")
            };
            let mut writer = PayloadWriter::new(key.kind, target);
            while let Some(item) = reader.next().unwrap() {
                writer.put(item).unwrap();
            }
            assert_eq!(writer.finish().unwrap(), Some(payload), "{at:?}");
            same += 1;
        }
        assert!(read >= 30 && (same >= 29 || target.is_none()), "{read} {same}");
    }
}

#[test]
fn each_file_is_written_for_each_target() {
    for (file, ..) in FILES {
        let content = Content::read(file).unwrap();
        let of_fields = content.keys.values().filter(|(value, _)| match value {
            Value::Hash(fields) => fields.values().any(|(_, deadline)| deadline.is_some()),
            _ => false,
        });
        let of_fields = of_fields.count();
        for (name, target) in Target::ALL {
            assert_eq!((Target::named(name), target.name()), (Some(target), name));
            let (written, refused) = rewritten(file, target);
            let holds_them = matches!(target, Target::Redis8 | Target::Valkey9);
            assert_eq!(refused, if holds_them { 0 } else { of_fields });
            let again = Content::read(&written).unwrap();
            assert_eq!(again.keys.len(), content.keys.len() - refused);
            for (at, (mut value, deadline)) in again.keys {
                let before = &content.keys[&at];
                if let (Value::Stream(_, _, groups), Value::Stream(_, _, before), Target::Redis70) =
                    (&mut value, &before.0, target)
                {
                    // There is one time for both there.
                    for (group, before) in groups.iter_mut().zip(before) {
                        for (consumer, before) in group.consumers.iter_mut().zip(&before.consumers) {
                            assert_eq!(consumer.2, Some(consumer.1));
                            consumer.2 = before.2;
                        }
                    }
                }
                assert_eq!(before, &(value, deadline), "{at:?} for {name}");
            }
            assert_eq!(again.libraries, content.libraries);
        }
    }
}

#[test]
fn what_a_dump_needs_is_the_lowest_version() {
    let needed = FILES.map(|(file, ..)| {
        let mut needs = Needs::default();
        let mut reader = Reader::new(file, ReadOptions::default());
        while let Some(item) = reader.next().unwrap() {
            needs.note(&item);
        }
        needs.target()
    });
    assert_eq!(needed[..2], [Target::Redis70, Target::Redis70]);
    assert_eq!(needed[2..], [Target::Redis8, Target::Redis8]);
}

#[test]
fn a_file_of_the_lowest_version_begins_with_that() {
    for (at, (file, ..)) in FILES.iter().enumerate() {
        let mut writer = Writer::lowest(std::io::Cursor::new(Vec::new())).unwrap();
        let mut reader = Reader::new(*file, ReadOptions::default());
        while let Some(item) = reader.next().unwrap() {
            writer.put(item).unwrap();
        }
        let written = writer.finish_lowest().unwrap().into_inner();
        assert!(written.starts_with([b"REDIS0011", b"REDIS0011", b"REDIS0012", b"REDIS0012"][at]));
        // The sum is right, too.
        let again = Content::read(&written).unwrap();
        assert_eq!(again.keys, Content::read(file).unwrap().keys);
    }
    let mut writer = Writer::lowest(std::io::Cursor::new(Vec::new())).unwrap();
    writer
        .put(Item::Aux {
            name: b"a",
            value: b"b",
        })
        .unwrap();
    let written = writer.finish_lowest().unwrap().into_inner();
    assert!(written.starts_with(b"REDIS0010\xfa\x01a\x01b\xff"));
    assert_eq!(Content::read(&written).unwrap().aux.len(), 1);
}
