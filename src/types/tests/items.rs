//! Values as items: what one key holds becomes another's, whole or in parts of any size.

use super::{KEY, OTHER};
use crate::base::random::Random;
use crate::rdb::{CellBuffer, Counters, Item, Key as ItemKey, Kind, StreamId};
use crate::store::testing::TestStore;
use crate::store::{Key, Txn};
use crate::types::items::{self, Assembly};
use crate::types::thresholds::Thresholds;

const LIMITS: Thresholds = Thresholds {
    hash_entries: 16,
    hash_value: 64,
    list_size: 16,
    set_intset: 16,
    set_entries: 16,
    set_value: 64,
    sorted_set_entries: 16,
    sorted_set_value: 64,
    stream_bytes: 512,
    stream_entries: 20,
};

/// Items as texts, those without an order sorted: to be compared.
fn shown(test: &mut TestStore, key: Key) -> Vec<String> {
    test.settle();
    let show = |txn: &mut Txn| {
        txn.prefer_view()?;
        let mut all = Vec::new();
        if let Some(entry) = txn.lookup(key)? {
            items::show(txn, key, entry, &mut |item| {
                let text = match item {
                    Item::Key(key) => format!("{:?} {:?}", key.kind, key.deadline),
                    item => format!("{item:?}"),
                };
                all.push(text);
                Ok(())
            })?;
        }
        if all
            .first()
            .is_some_and(|head| head.starts_with("Set") || head.starts_with("Hash"))
        {
            all.sort();
        }
        Ok(all)
    };
    test.views_for = crate::store::ViewRule::Always;
    let shown = test.run(show).unwrap();
    test.views_for = crate::store::ViewRule::IfItOnlyReads;
    shown
}

/// Writes items as a key's value, in a part whenever so many bytes came.
fn assemble(test: &mut TestStore, key: Key, kind: Kind, pieces: &[Piece], part: usize) -> Result<(), String> {
    let mut assembly = Assembly::begin(ItemKey {
        database: 0,
        name: key.name,
        kind,
        deadline: Some(test.now + 1000),
        idle: None,
        frequency: None,
    });
    for piece in pieces {
        let taken = piece.with(|item| assembly.take(item));
        let is_whole = test.run(|_| match &taken {
            Ok(is_whole) => Ok(*is_whole),
            Err(_) => crate::store::Stop::error("malformed"),
        })?;
        if is_whole || assembly.bytes() > part {
            test.run(|txn| assembly.write(txn, &LIMITS))?;
            assembly.written();
        }
    }
    Ok(())
}

/// An item that owns what it has.
#[derive(Clone, Debug)]
enum Piece {
    Text(Vec<u8>),
    Element(Vec<u8>),
    Field(Vec<u8>, Vec<u8>, Option<u64>),
    Scored(Vec<u8>, f64),
    Entry(u64, Vec<Vec<u8>>),
    Counters(u64, u64),
    Group(&'static [u8], u64),
    Pending(u64),
    Consumer(&'static [u8]),
    Owned(u64),
    End,
}

impl Piece {
    fn with<T>(&self, take: impl FnOnce(Item) -> T) -> T {
        let id = |ms: u64| StreamId { ms, seq: 1 };
        let mut cells = CellBuffer::default();
        take(match self {
            Piece::Text(text) => Item::Text(text),
            Piece::Element(element) => Item::Element(element),
            Piece::Field(field, value, deadline) => Item::Field {
                field,
                value,
                deadline: *deadline,
            },
            Piece::Scored(member, score) => Item::Scored {
                member,
                score: *score,
            },
            Piece::Entry(ms, parts) => {
                parts.iter().for_each(|part| cells.push(part));
                Item::Entry {
                    id: id(*ms),
                    cells: cells.cells(),
                }
            }
            Piece::Counters(length, last) => Item::Counters(Counters {
                length: *length,
                added: length + 5,
                last: id(*last),
                ..Counters::default()
            }),
            Piece::Group(name, last) => Item::Group {
                name,
                last: id(*last),
                read: Some(*last),
            },
            Piece::Pending(ms) => Item::Pending {
                id: id(*ms),
                time: 100 + ms,
                count: *ms,
            },
            Piece::Consumer(name) => Item::Consumer {
                name,
                seen: 7,
                active: None,
            },
            Piece::Owned(ms) => Item::Owned(id(*ms)),
            Piece::End => Item::End,
        })
    }
}

/// A value of `count` elements.
fn value(kind: Kind, count: u64, now: u64) -> Vec<Piece> {
    let word = |n: u64| [&b"word \xff"[..], n.to_string().as_bytes()].concat();
    let mut pieces: Vec<Piece> = match kind {
        Kind::String => vec![Piece::Text(word(1).repeat(count as usize))],
        Kind::List => (0..count).map(|n| Piece::Element(word(n % 7))).collect(),
        Kind::Set if count.is_multiple_of(2) => (0..count)
            .map(|n| Piece::Element((n * 3).to_string().into_bytes()))
            .collect(),
        Kind::Set => (0..count).map(|n| Piece::Element(word(n))).collect(),
        Kind::Hash => (0..count)
            .map(|n| Piece::Field(word(n), word(n + 1), (n % 5 == 1).then_some(now + 500 + n)))
            .collect(),
        Kind::SortedSet => (0..count)
            .map(|n| Piece::Scored(word(n), (n % 11) as f64 / 3.0))
            .collect(),
        Kind::Stream => {
            let mut pieces: Vec<Piece> = (0..count)
                .map(|n| Piece::Entry(n + 1, vec![b"f".to_vec(), word(n)]))
                .collect();
            pieces.push(Piece::Counters(count, count + 3));
            for name in [&b"g1"[..], b"g2", b"g3"] {
                pieces.push(Piece::Group(name, count / 2));
                pieces.extend((1..count / 2).map(Piece::Pending));
                pieces.push(Piece::Consumer(b"c1"));
                pieces.extend((1..count / 2).filter(|n| n % 2 == 0).map(Piece::Owned));
                pieces.push(Piece::Consumer(b"c2"));
                pieces.extend((1..count / 2).filter(|n| n % 2 == 1).map(Piece::Owned));
            }
            pieces
        }
    };
    pieces.push(Piece::End);
    pieces
}

#[test]
fn a_value_is_the_same_in_parts_of_any_size_and_whatever_was_there() {
    for seed in 0..2 {
        let mut test = TestStore::for_seed(seed);
        test.store.set_hot_budget(16 << 10);
        let mut random = Random::from_seed(seed);
        for kind in Kind::ALL {
            for count in [1, 7, 16, 17, 400] {
                let pieces = value(kind, count, test.now);
                assemble(&mut test, KEY, kind, &pieces, usize::MAX).unwrap();
                let whole = shown(&mut test, KEY);
                // The key and the end, and all pieces.
                assert_eq!(whole.len(), pieces.len() + 1, "{kind:?} {count}");
                assert!(
                    whole
                        .iter()
                        .any(|head| head.contains(&format!("Some({})", test.now + 1000)))
                );
                let part = [10, 300, 2000][random.below(3) as usize];
                assemble(&mut test, OTHER, kind, &pieces, part).unwrap();
                assert_eq!(
                    shown(&mut test, OTHER),
                    whole,
                    "{kind:?} {count} in parts of {part}"
                );
            }
        }
    }
}

#[test]
fn what_no_value_has_is_refused() {
    let mut test = TestStore::open();
    let twice = |piece: Piece| vec![piece.clone(), piece, Piece::End];
    let word = || b"word".to_vec();
    for (kind, pieces) in [
        (Kind::Set, twice(Piece::Element(word()))),
        (Kind::Hash, twice(Piece::Field(word(), word(), None))),
        (Kind::SortedSet, twice(Piece::Scored(word(), 1.0))),
        (Kind::SortedSet, vec![Piece::Scored(word(), f64::NAN), Piece::End]),
        (Kind::Stream, twice(Piece::Entry(1, vec![word(), word()]))),
        (Kind::Stream, vec![Piece::Entry(1, vec![word()]), Piece::End]),
        (Kind::Stream, vec![Piece::Counters(1, 5), Piece::End]),
        (Kind::Stream, vec![Piece::Group(b"g", 1), Piece::End]),
        (
            Kind::Stream,
            vec![
                Piece::Counters(0, 5),
                Piece::Group(b"g", 1),
                Piece::Pending(1),
                Piece::End,
            ],
        ),
        (
            Kind::Stream,
            vec![
                Piece::Counters(0, 5),
                Piece::Group(b"g", 1),
                Piece::Consumer(b"c"),
                Piece::Owned(1),
                Piece::End,
            ],
        ),
        (Kind::String, vec![Piece::Element(word()), Piece::End]),
        (Kind::List, vec![Piece::Text(word()), Piece::End]),
    ] {
        assert!(
            assemble(&mut test, KEY, kind, &pieces, usize::MAX).is_err(),
            "{kind:?} {pieces:?}"
        );
        assert!(shown(&mut test, KEY).is_empty(), "{kind:?} {pieces:?}");
    }
    // Also where a part that came before has it.
    for (kind, pieces) in [
        (Kind::Set, twice(Piece::Element(word()))),
        (Kind::Hash, twice(Piece::Field(word(), word(), None))),
        (Kind::SortedSet, twice(Piece::Scored(word(), 1.0))),
    ] {
        assert!(assemble(&mut test, KEY, kind, &pieces, 0).is_err(), "{kind:?}");
    }
}

#[test]
fn a_hash_whose_fields_are_due_is_not_there() {
    let mut test = TestStore::open();
    let due = |n: u64| Piece::Field(n.to_string().into_bytes(), b"v".to_vec(), Some(test.now - n));
    let pieces = [due(1), due(2), Piece::End];
    assemble(&mut test, KEY, Kind::Hash, &pieces, 0).unwrap();
    assert!(shown(&mut test, KEY).is_empty());
    let later = |n: u64, now: u64| Piece::Field(n.to_string().into_bytes(), b"v".to_vec(), Some(now + 10));
    let pieces = [later(1, test.now), later(2, test.now), Piece::End];
    assemble(&mut test, KEY, Kind::Hash, &pieces, 0).unwrap();
    assert_eq!(shown(&mut test, KEY).len(), 4);
    test.now += 20;
    assert!(shown(&mut test, KEY).is_empty());
}
