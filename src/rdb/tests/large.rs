//! Values that are not kept in memory.

use std::io::Read;

use super::model::{Content, Value};
use crate::base::random::Random;
use crate::rdb::{
    CellBuffer, Counters, Item, Key, Kind, ReadOptions, Reader, Sink, StreamId, Target, Writer,
};

const ELEMENTS: u64 = 150_000;

/// Shows the pieces of a value of many elements, which do not compress.
fn pieces(kind: Kind, take: &mut dyn FnMut(Item<'_>)) {
    let mut random = Random::from_seed(5);
    for at in 0..ELEMENTS {
        let element = format!(
            "{at:x}-{:016x}{:016x}{:016x}",
            random.next_u64(),
            random.next_u64(),
            random.next_u64()
        );
        let element = element.as_bytes();
        match kind {
            Kind::Hash => take(Item::Field {
                field: element,
                value: &element[..10],
                deadline: (at % 3 == 0).then_some(4_000_000_000_000 + at),
            }),
            Kind::SortedSet => take(Item::Scored {
                member: element,
                score: at as f64,
            }),
            Kind::Stream => {
                let cells: CellBuffer = [&b"f"[..], element].into_iter().collect();
                let id = StreamId {
                    ms: at + 1,
                    seq: at % 2,
                };
                take(Item::Entry {
                    id,
                    cells: cells.cells(),
                });
            }
            _ => take(Item::Element(element)),
        }
    }
    if kind == Kind::Stream {
        behind_the_entries(take);
    }
}

/// One group, one consumer that was given all, and nothing acknowledged.
fn behind_the_entries(take: &mut dyn FnMut(Item<'_>)) {
    take(Item::Counters(Counters {
        length: ELEMENTS,
        added: ELEMENTS,
        last: StreamId { ms: ELEMENTS, seq: 1 },
        first: StreamId { ms: 1, seq: 0 },
        max_deleted: StreamId::default(),
    }));
    take(Item::Group {
        name: b"g",
        last: StreamId { ms: ELEMENTS, seq: 1 },
        read: Some(ELEMENTS),
    });
    (0..ELEMENTS).for_each(|at| {
        take(Item::Pending {
            id: StreamId {
                ms: at + 1,
                seq: at % 2,
            },
            time: at,
            count: 1,
        })
    });
    take(Item::Consumer {
        name: b"c",
        seen: 7,
        active: None,
    });
    (0..ELEMENTS).for_each(|at| {
        take(Item::Owned(StreamId {
            ms: at + 1,
            seq: at % 2,
        }))
    });
}

#[test]
fn large_values_come_back_whole() {
    for kind in [Kind::List, Kind::Set, Kind::Hash, Kind::SortedSet, Kind::Stream] {
        let key = Item::Key(Key {
            database: 2,
            name: b"large",
            kind,
            deadline: Some(9),
            idle: None,
            frequency: None,
        });
        for target in [Target::Redis8, Target::Valkey9] {
            let mut writer = Writer::new(Vec::new(), target).unwrap();
            let mut expected = Content::default();
            let mut both = |item: Item<'_>| {
                expected.add(item);
                writer.put(item).unwrap();
            };
            both(key);
            pieces(kind, &mut both);
            both(Item::End);
            let file = writer.finish().unwrap();
            assert!(file.len() > 5 << 20, "{} bytes", file.len());
            let read = Content::read(&file).unwrap();
            assert_eq!(read.keys.len(), 1);
            let is_equal = read.keys == expected.keys;
            assert!(is_equal, "{kind:?}");
            let Some((
                Value::SortedSet(_) | Value::List(_) | Value::Set(_) | Value::Hash(_) | Value::Stream(..),
                Some(9),
            )) = read.keys.values().next()
            else {
                panic!("another value")
            };
        }
    }
}

/// Gives bytes without an end, after a beginning.
struct Endless(Vec<u8>, usize);

impl Read for Endless {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let rest = &self.0[self.1.min(self.0.len())..];
        let count = rest.len().min(out.len());
        out[..count].copy_from_slice(&rest[..count]);
        out[count..].fill(0);
        self.1 += out.len();
        Ok(out.len())
    }
}

#[test]
fn a_set_without_an_end_takes_no_memory() {
    // 2^62 members, each of which is an empty text.
    let mut file = b"REDIS0011\x02\x01k\x81\x40".to_vec();
    file.extend_from_slice(&[0; 7]);
    let mut reader = Reader::new(Endless(file, 0), ReadOptions::default());
    let Some(Item::Key(key)) = reader.next().unwrap() else {
        panic!("no key")
    };
    assert_eq!((key.name, key.kind), (&b"k"[..], Kind::Set));
    for _ in 0..1_000_000 {
        assert_eq!(reader.next().unwrap(), Some(Item::Element(b"")));
    }
}
