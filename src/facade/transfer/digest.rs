//! What a key holds as a digest, whatever the order of what has none: so two sources are compared without holding either.

use std::cmp::Ordering;
use std::hash::Hasher;

use siphasher::sip128::{Hasher128, SipHasher13};

use crate::rdb::{Cells, Item, Kind};

/// A key, and the digest of its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digest {
    /// Its database.
    pub database: u64,
    /// Its name.
    pub name: Vec<u8>,
    /// Its type, as a number; see [`Digest::kind_name`].
    kind: u8,
    /// Its deadline, in Unix milliseconds.
    pub deadline: Option<u64>,
    /// How many elements it has.
    pub elements: u64,
    sum: u128,
}

impl Digest {
    /// By database and name.
    pub fn order(&self, other: &Digest) -> Ordering {
        (self.database, &self.name).cmp(&(other.database, &other.name))
    }

    /// What TYPE answers.
    pub fn kind_name(&self) -> &'static str {
        Kind::ALL
            .get(usize::from(self.kind))
            .map_or("library", |kind| kind.name())
    }

    /// Whether both hold the same value.
    pub fn has_value_of(&self, other: &Digest) -> bool {
        (self.kind, self.elements, self.sum) == (other.kind, other.elements, other.sum)
    }

    /// Appends its encoding: database, length of the name, name, kind, deadline (0: none, else one more), elements, sum.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.database.to_be_bytes());
        out.extend_from_slice(&(self.name.len() as u64).to_be_bytes());
        out.extend_from_slice(&self.name);
        out.push(self.kind);
        out.extend_from_slice(
            &self
                .deadline
                .map_or(0, |deadline| deadline.saturating_add(1))
                .to_be_bytes(),
        );
        out.extend_from_slice(&self.elements.to_be_bytes());
        out.extend_from_slice(&self.sum.to_be_bytes());
    }

    /// Reads what [`Digest::encode`] has written.
    ///
    /// # Errors
    /// The source cannot be read, or ends within one.
    pub fn decode(source: &mut impl std::io::Read) -> std::io::Result<Digest> {
        let mut number = [0; 8];
        let mut next = |source: &mut dyn std::io::Read| {
            source
                .read_exact(&mut number)
                .map(|()| u64::from_be_bytes(number))
        };
        let database = next(source)?;
        let mut name = vec![0; next(source)? as usize];
        source.read_exact(&mut name)?;
        let mut kind = [0];
        source.read_exact(&mut kind)?;
        let (deadline, elements) = (next(source)?, next(source)?);
        let mut sum = [0; 16];
        source.read_exact(&mut sum)?;
        Ok(Digest {
            database,
            name,
            kind: kind[0],
            deadline: deadline.checked_sub(1),
            elements,
            sum: u128::from_be_bytes(sum),
        })
    }
}

/// Makes digests of items.
#[derive(Default)]
pub struct Digester {
    open: Option<Digest>,
    /// How many pieces came in an order.
    place: u64,
    /// The group that pieces are of, and the consumer.
    group: u64,
    within: u64,
    /// When entries were given to consumers, and these were last seen, does not count: not all formats say it.
    pub ignores_times: bool,
}

/// The hash of byte strings, and where one ends.
fn hash(tag: u8, parts: &[&[u8]]) -> u128 {
    let mut hasher = SipHasher13::new();
    hasher.write_u8(tag);
    for part in parts {
        hasher.write_u64(part.len() as u64);
        hasher.write(part);
    }
    hasher.finish128().as_u128()
}

impl Digester {
    /// Takes an item; the digest of a key with its last. A library of functions is one of a database that there is not.
    pub fn take(&mut self, item: Item<'_>) -> Option<Digest> {
        match item {
            Item::Key(key) => {
                (self.place, self.group, self.within) = (0, 0, 0);
                self.open = Some(Digest {
                    database: key.database,
                    name: key.name.to_vec(),
                    kind: key.kind as u8,
                    deadline: key.deadline,
                    elements: 0,
                    sum: 0,
                });
                None
            }
            Item::Library(code) => Some(Digest {
                database: u64::MAX,
                name: code
                    .split(|byte| *byte == b'\n')
                    .next()
                    .unwrap_or_default()
                    .to_vec(),
                kind: u8::MAX,
                deadline: None,
                elements: 1,
                sum: hash(0, &[code]),
            }),
            Item::End => self.open.take(),
            item => {
                self.add(item);
                None
            }
        }
    }

    fn add(&mut self, item: Item<'_>) {
        let (sum, elements) = match item {
            Item::Text(text) => (hash(1, &[text]), 1),
            Item::Element(element) => {
                let is_list = self
                    .open
                    .as_ref()
                    .is_some_and(|open| open.kind_name() == Kind::List.name());
                let place = self.place.to_be_bytes();
                self.place += 1;
                (hash(2, &[element, if is_list { &place } else { b"" }]), 1)
            }
            Item::Field {
                field,
                value,
                deadline,
            } => (hash(3, &[field, value, &one_more(deadline).to_be_bytes()]), 1),
            // -0 and 0 are the same score.
            Item::Scored { member, score } => (hash(4, &[member, &(score + 0.0).to_bits().to_be_bytes()]), 1),
            Item::Entry { id, cells } => (hash_cells(5, &[id.ms, id.seq], cells), 1),
            item => (self.beside_entries(item), 0),
        };
        if let Some(open) = &mut self.open {
            open.sum = open.sum.wrapping_add(sum);
            open.elements += elements;
        }
    }

    /// Of a stream, what is no entry.
    fn beside_entries(&mut self, item: Item<'_>) -> u128 {
        let (group, counts) = (self.group.to_be_bytes(), !self.ignores_times);
        let time = |time: u64| if counts { time } else { 0 };
        match item {
            Item::Counters(counters) => {
                let (last, deleted) = (counters.last, counters.max_deleted);
                let counted = [counters.length, counters.added];
                let ids = [last.ms, last.seq, deleted.ms, deleted.seq];
                hash_cells(6, &[&counted[..], &ids].concat(), Cells::default())
            }
            Item::Group { name, last, read } => {
                self.group = hash(12, &[name]) as u64;
                let numbers = [last.ms, last.seq, one_more(read)].map(u64::to_be_bytes);
                hash(7, &[name, numbers.as_flattened()])
            }
            Item::Pending {
                id,
                time: given,
                count,
            } => hash_cells(
                8,
                &[self.group, id.ms, id.seq, time(given), count],
                Cells::default(),
            ),
            Item::Consumer { name, seen, active } => {
                self.within = hash(10, &[name, &group]) as u64;
                let times = [time(seen), time(one_more(active))].map(u64::to_be_bytes);
                hash(9, &[name, &group, times.as_flattened()])
            }
            Item::Owned(id) => hash_cells(11, &[self.within, id.ms, id.seq], Cells::default()),
            _ => 0,
        }
    }
}

/// Tells none from 0.
fn one_more(number: Option<u64>) -> u64 {
    number.map_or(0, |number| number.saturating_add(1))
}

fn hash_cells(tag: u8, numbers: &[u64], cells: Cells) -> u128 {
    let mut hasher = SipHasher13::new();
    hasher.write_u8(tag);
    numbers.iter().for_each(|number| hasher.write_u64(*number));
    for cell in cells.iter() {
        hasher.write_u64(cell.len() as u64);
        hasher.write(cell);
    }
    hasher.finish128().as_u128()
}
