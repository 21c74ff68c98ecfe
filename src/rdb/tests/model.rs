//! All that a dump holds, in memory, to be compared.

use std::collections::BTreeMap;

use crate::rdb::error::Error;
use crate::rdb::{Counters, Item, Kind, ReadOptions, Reader, StreamId};

/// Name, when it was seen, when it got anything, and what it was given.
pub type Consumer = (Vec<u8>, u64, Option<u64>, Vec<StreamId>);

/// A group of a stream: its name, its state, its pending entries, and its consumers with theirs.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Group {
    pub name: Vec<u8>,
    pub last: StreamId,
    pub read: Option<u64>,
    pub pending: Vec<(StreamId, u64, u64)>,
    pub consumers: Vec<Consumer>,
}

/// A value. What has no order is sorted.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Text(Vec<u8>),
    List(Vec<Vec<u8>>),
    Set(Vec<Vec<u8>>),
    Hash(BTreeMap<Vec<u8>, (Vec<u8>, Option<u64>)>),
    SortedSet(BTreeMap<Vec<u8>, f64>),
    Stream(Vec<(StreamId, Vec<Vec<u8>>)>, Counters, Vec<Group>),
}

/// A key's value and deadline.
pub type Held = (Value, Option<u64>);

#[derive(Clone, Debug, PartialEq, Default)]
pub struct Content {
    pub keys: BTreeMap<(u64, Vec<u8>), Held>,
    pub libraries: Vec<Vec<u8>>,
    pub aux: Vec<(Vec<u8>, Vec<u8>)>,
    pub skipped: Vec<String>,
    open: Option<(u64, Vec<u8>)>,
}

impl Content {
    pub fn read(bytes: &[u8]) -> Result<Content, Error> {
        Content::drain(Reader::new(bytes, ReadOptions::default()))
    }

    pub fn drain(mut reader: Reader<&[u8]>) -> Result<Content, Error> {
        let mut content = Content::default();
        while let Some(item) = reader.next()? {
            content.add(item);
        }
        Ok(content)
    }

    pub fn add(&mut self, item: Item<'_>) {
        match item {
            Item::Aux { name, value } => self.aux.push((name.to_vec(), value.to_vec())),
            Item::Library(code) => self.libraries.push(code.to_vec()),
            Item::Database(_) | Item::Sizes { .. } => {}
            Item::Skipped { what, .. } => self.skipped.push(what.to_owned()),
            Item::Key(key) => {
                let value = match key.kind {
                    Kind::String => Value::Text(Vec::new()),
                    Kind::List => Value::List(Vec::new()),
                    Kind::Set => Value::Set(Vec::new()),
                    Kind::Hash => Value::Hash(BTreeMap::new()),
                    Kind::SortedSet => Value::SortedSet(BTreeMap::new()),
                    Kind::Stream => Value::Stream(Vec::new(), Counters::default(), Vec::new()),
                };
                let at = (key.database, key.name.to_vec());
                let before = self.keys.insert(at.clone(), (value, key.deadline));
                assert_eq!(before, None, "a key comes once");
                self.open = Some(at);
            }
            piece => self.add_piece(piece),
        }
    }

    fn add_piece(&mut self, piece: Item<'_>) {
        let at = self.open.clone().expect("a piece of a key");
        let value = &mut self.keys.get_mut(&at).expect("it began").0;
        match (value, piece) {
            (Value::Set(members), Item::End) => {
                members.sort();
                self.open = None;
            }
            (_, Item::End) => self.open = None,
            (Value::Text(text), Item::Text(bytes)) => *text = bytes.to_vec(),
            (Value::List(elements) | Value::Set(elements), Item::Element(bytes)) => {
                elements.push(bytes.to_vec())
            }
            (
                Value::Hash(fields),
                Item::Field {
                    field,
                    value,
                    deadline,
                },
            ) => {
                let before = fields.insert(field.to_vec(), (value.to_vec(), deadline));
                assert_eq!(before, None, "a field comes once");
            }
            (Value::SortedSet(members), Item::Scored { member, score }) => {
                assert_eq!(
                    members.insert(member.to_vec(), score),
                    None,
                    "a member comes once"
                );
            }
            (Value::Stream(entries, ..), Item::Entry { id, cells }) => {
                entries.push((id, cells.iter().map(<[u8]>::to_vec).collect()));
            }
            (Value::Stream(_, counters, _), Item::Counters(all)) => *counters = all,
            (Value::Stream(_, _, groups), piece) => add_to_groups(groups, piece),
            (value, piece) => panic!("{piece:?} in {value:?}"),
        }
    }
}

fn add_to_groups(groups: &mut Vec<Group>, piece: Item<'_>) {
    if let Item::Group { name, last, read } = piece {
        groups.push(Group {
            name: name.to_vec(),
            last,
            read,
            ..Group::default()
        });
        return;
    }
    let group = groups.last_mut().expect("a group");
    match piece {
        Item::Pending { id, time, count } => group.pending.push((id, time, count)),
        Item::Consumer { name, seen, active } => {
            group.consumers.push((name.to_vec(), seen, active, Vec::new()))
        }
        Item::Owned(id) => group.consumers.last_mut().expect("a consumer").3.push(id),
        piece => panic!("{piece:?} in a group"),
    }
}
