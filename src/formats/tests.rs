//! Formats against each other, and against what is none.

use super::{FormatError, commands, json};
use crate::base::random::Random;
use crate::rdb::{CellBuffer, Counters, Item, Key, Kind, Sink, StreamId};

/// Shows one key of each type to a taker.
fn show(sink: &mut impl Sink<Error = FormatError>, elements: u64) {
    let mut put = |item: Item<'_>| sink.put(item).unwrap();
    put(Item::Library(b"#!lua name=x\n\xff"));
    let key = |name: &'static [u8], kind| {
        Item::Key(Key {
            database: 3,
            name,
            kind,
            deadline: Some(1_900_000_000_123),
            idle: None,
            frequency: None,
        })
    };
    put(key(b"\xff\x00", Kind::String));
    put(Item::Text(b"text \"\\\n\x01\xc3\xa4"));
    put(Item::End);
    for (name, kind) in [(&b"l"[..], Kind::List), (b"s", Kind::Set)] {
        put(key(name, kind));
        (0..elements).for_each(|n| put(Item::Element(format!("element {n}").as_bytes())));
        put(Item::End);
    }
    put(key(b"h", Kind::Hash));
    for n in 0..elements {
        put(Item::Field {
            field: &n.to_be_bytes(),
            value: b"v",
            deadline: (n % 3 == 0).then_some(n + 1),
        });
    }
    put(Item::End);
    put(key(b"z", Kind::SortedSet));
    for score in [f64::INFINITY, f64::NEG_INFINITY, 0.1, -0.0, 1e300, 5e-324] {
        let member = score.to_string();
        put(Item::Scored {
            member: member.as_bytes(),
            score,
        });
    }
    put(Item::End);
    show_stream(sink, elements, key(b"x", Kind::Stream));
}

fn show_stream(sink: &mut impl Sink<Error = FormatError>, elements: u64, head: Item) {
    let mut put = |item: Item<'_>| sink.put(item).unwrap();
    put(head);
    let id = |ms| StreamId { ms, seq: 7 };
    for n in 1..=elements {
        let cells: CellBuffer = [&b"f"[..], b"\xff"].into_iter().collect();
        put(Item::Entry {
            id: id(n),
            cells: cells.cells(),
        });
    }
    put(Item::Counters(Counters {
        length: elements,
        added: elements + 2,
        last: id(elements),
        first: id(1),
        max_deleted: StreamId::default(),
    }));
    for (name, read) in [(&b"g"[..], None), (b"\xfe", Some(5))] {
        put(Item::Group {
            name,
            last: id(2),
            read,
        });
        let (time, count) = (99, 2);
        put(Item::Pending {
            id: id(1),
            time,
            count,
        });
        put(Item::Pending {
            id: id(2),
            time,
            count,
        });
        for (name, active) in [(&b"a"[..], None), (b"b", Some(3)), (b"none", None)] {
            put(Item::Consumer {
                name,
                seen: 4,
                active,
            });
            if name.len() == 1 {
                put(Item::Owned(id(u64::from(name[0] - b'a') + 1)));
            }
        }
    }
    put(Item::End);
}

/// What is shown, as texts.
#[derive(Default)]
struct Texts(Vec<String>);

impl Sink for Texts {
    type Error = FormatError;

    fn put(&mut self, item: Item<'_>) -> Result<(), FormatError> {
        self.0.push(format!("{item:?}"));
        Ok(())
    }
}

fn written(elements: u64) -> Vec<u8> {
    let mut writer = json::Writer::new(Vec::new()).unwrap();
    show(&mut writer, elements);
    writer.finish().unwrap()
}

fn read(bytes: &[u8]) -> Result<Vec<String>, FormatError> {
    let mut texts = Texts::default();
    json::read(bytes, &mut |item| texts.put(item))?;
    Ok(texts.0)
}

#[test]
fn lines_of_json_come_back_as_the_items_that_they_were() {
    for elements in [2, 50_000] {
        let mut expected = Texts::default();
        show(&mut expected, elements);
        let bytes = written(elements);
        let text = String::from_utf8(bytes.clone()).unwrap();
        assert_eq!(text.contains("\"more\":true"), elements > 2);
        assert!(text.lines().all(|line| line.len() < 300_000));
        assert!(read(&bytes).unwrap() == expected.0, "{elements}");
    }
}

#[test]
fn what_is_cut_off_or_changed_is_refused_or_read_as_it_is() {
    let whole = written(3);
    for length in 0..whole.len() - 1 {
        // Nothing at all is no dump that was cut off.
        assert_eq!(read(&whole[..length]).is_ok(), length == 0, "{length}");
    }
    let mut random = Random::from_seed(1);
    for _ in 0..20_000 {
        let mut bytes = whole.clone();
        for _ in 0..=random.below(3) {
            let at = random.below(bytes.len() as u64) as usize;
            bytes[at] = random.next_u64() as u8;
        }
        // Whatever it is, it ends.
        let _ = read(&bytes);
    }
}

#[test]
fn commands_are_those_of_redis() {
    let mut writer = commands::Writer::new(Vec::new()).unwrap();
    show(&mut writer, 2);
    let text = writer.finish().unwrap().escape_ascii().to_string();
    let mut words: Vec<&str> = text
        .split("\\r\\n")
        .filter(|word| !word.starts_with(['*', '$']))
        .collect();
    words.pop();
    let text = words.join(" ");
    for command in [
        "SELECT 3",
        "PXAT 1900000000123",
        "RPUSH l element 0 element 1 PEXPIREAT l 1900000000123",
        "HPEXPIREAT h 1 FIELDS 1 \\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00",
        "ZADD z inf inf -inf -inf 0.1 0.1 -0.0 -0",
        "XADD x 1-7 f \\xff XADD x 2-7 f \\xff XSETID x 2-7 ENTRIESADDED 4 MAXDELETEDID 0-0",
        "XGROUP CREATE x g 2-7 ENTRIESREAD -1 XGROUP CREATECONSUMER x g a XCLAIM x g a 0 1-7 TIME 99 RETRYCOUNT 2 FORCE JUSTID",
        "XGROUP CREATECONSUMER x \\xfe none PEXPIREAT x",
    ] {
        assert!(text.contains(command), "{command}\n{text}");
    }
}
