//! Pieces of a value, gathered until they are written.

use crate::rdb::{Counters, Item, Kind, StreamId};

/// A group of consumers.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub name: Vec<u8>,
    pub last: StreamId,
    pub read: Option<u64>,
    /// ID, time and count, by ID.
    pub pending: Vec<(StreamId, u64, u64)>,
    pub consumers: Vec<Consumer>,
}

/// A consumer, and the IDs that it was given.
#[derive(Debug, Default)]
pub(super) struct Consumer {
    pub name: Vec<u8>,
    pub seen: u64,
    pub active: Option<u64>,
    pub owned: Vec<StreamId>,
}

/// What one piece is beside its texts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Extra {
    /// It has one text, and nothing else.
    None,
    /// Of a field, whose value is the second text.
    Deadline(Option<u64>),
    Score(f64),
    /// Of an entry, with how many texts it has.
    Entry(StreamId, usize),
}

/// Pieces of one value, in their order.
#[derive(Debug)]
pub struct Pieces {
    pub(super) kind: Kind,
    bytes: Vec<u8>,
    ends: Vec<usize>,
    pub(super) extras: Vec<Extra>,
    pub(super) counters: Option<Counters>,
    pub(super) groups: Vec<Group>,
    /// Beside those of the vectors above.
    more: usize,
}

const MISPLACED: &str = "a piece of another kind of value, or out of its place";

impl Pieces {
    /// None yet, of a value of this kind.
    pub fn new(kind: Kind) -> Pieces {
        Pieces {
            kind,
            bytes: Vec::new(),
            ends: Vec::new(),
            extras: Vec::new(),
            counters: None,
            groups: Vec::new(),
            more: 0,
        }
    }

    /// About how many bytes of memory they take.
    pub fn memory(&self) -> usize {
        self.bytes.len() + size_of_val(&self.ends[..]) + size_of_val(&self.extras[..]) + self.more
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.extras.is_empty() && self.counters.is_none()
    }

    /// Whether what comes next may be gathered and written apart from these: not in the midst of what belongs together.
    pub fn may_end_here(&self) -> bool {
        self.counters.is_none()
    }

    /// Forgets them.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.extras.clear();
        self.groups.clear();
        (self.counters, self.more) = (None, 0);
    }

    /// Adds a piece.
    ///
    /// # Errors
    /// What is wrong with it, in words: it is of another kind of value, or not in its order.
    pub fn put(&mut self, piece: &Item<'_>) -> Result<(), &'static str> {
        match (self.kind, *piece) {
            (Kind::String, Item::Text(text)) if self.is_empty() => self.push(&[text], Extra::None),
            (Kind::List | Kind::Set, Item::Element(element)) => self.push(&[element], Extra::None),
            (
                Kind::Hash,
                Item::Field {
                    field,
                    value,
                    deadline,
                },
            ) => self.push(&[field, value], Extra::Deadline(deadline)),
            (Kind::SortedSet, Item::Scored { member, score }) if !score.is_nan() => {
                self.push(&[member], Extra::Score(score))
            }
            (Kind::Stream, Item::Entry { id, cells }) if self.counters.is_none() => {
                for cell in cells.iter() {
                    self.text(cell);
                }
                self.extras.push(Extra::Entry(id, cells.len()));
            }
            (Kind::Stream, piece) => return self.put_of_stream(piece),
            _ => return Err(MISPLACED),
        }
        Ok(())
    }

    fn push(&mut self, texts: &[&[u8]], extra: Extra) {
        texts.iter().for_each(|text| self.text(text));
        self.extras.push(extra);
    }

    fn text(&mut self, text: &[u8]) {
        self.bytes.extend_from_slice(text);
        self.ends.push(self.bytes.len());
    }

    /// What comes behind the entries.
    fn put_of_stream(&mut self, piece: Item<'_>) -> Result<(), &'static str> {
        self.more += 2 * size_of::<Consumer>();
        if let Item::Counters(counters) = piece {
            self.counters = Some(counters);
            return Ok(());
        }
        if let Item::Group { name, last, read } = piece {
            self.groups.push(Group {
                name: name.to_vec(),
                last,
                read,
                ..Group::default()
            });
            return Ok(());
        }
        let group = self.groups.last_mut().ok_or(MISPLACED)?;
        match piece {
            Item::Pending { id, time, count } if group.pending.last().is_none_or(|before| before.0 < id) => {
                group.pending.push((id, time, count));
            }
            Item::Consumer { name, seen, active } => group.consumers.push(Consumer {
                name: name.to_vec(),
                seen,
                active,
                owned: Vec::new(),
            }),
            Item::Owned(id) => group.consumers.last_mut().ok_or(MISPLACED)?.owned.push(id),
            _ => return Err(MISPLACED),
        }
        Ok(())
    }

    /// All texts, one after the other.
    pub(super) fn texts(&self) -> impl ExactSizeIterator<Item = &[u8]> + DoubleEndedIterator + Clone {
        (0..self.ends.len()).map(|at| {
            let from = at.checked_sub(1).map_or(0, |before| self.ends[before]);
            &self.bytes[from..self.ends[at]]
        })
    }
}
