//! What a database holds, as a stream of items: the form that all formats have in common.
//!
//! ```text
//! content := (aux | library | skipped | database (sizes | aux | key)*)*
//! key     := Key value End
//! value   := Text                                             of a string
//!          | Element*                                         of a list, in its order; of a set, in any
//!          | Field*                                           of a hash, in any order
//!          | Scored*                                          of a sorted set, in any order
//!          | Entry* Counters (Group Pending* (Consumer Owned*)*)*    of a stream: entries and IDs in their order
//! ```
//!
//! A value comes piece by piece, so that nobody has to hold one whole: only single strings, elements and entries are. How many
//! pieces are to come is not told, as not every source knows.

/// Of an entry of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamId {
    /// Unix milliseconds, mostly.
    pub ms: u64,
    /// Tells entries of one millisecond apart.
    pub seq: u64,
}

/// What kind of value a key has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// One text, which may be a number, a bitmap, a HyperLogLog.
    String,
    /// Elements in an order.
    List,
    /// Members, each once.
    Set,
    /// Fields with values, some with deadlines.
    Hash,
    /// Members with scores.
    SortedSet,
    /// Entries and groups of consumers.
    Stream,
}

impl Kind {
    /// All of them, in their order.
    pub const ALL: [Kind; 6] = [
        Kind::String,
        Kind::List,
        Kind::Set,
        Kind::Hash,
        Kind::SortedSet,
        Kind::Stream,
    ];

    /// The one that TYPE answers so.
    pub fn named(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// As TYPE answers.
    pub fn name(self) -> &'static str {
        match self {
            Kind::String => "string",
            Kind::List => "list",
            Kind::Set => "set",
            Kind::Hash => "hash",
            Kind::SortedSet => "zset",
            Kind::Stream => "stream",
        }
    }
}

/// A key, before its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key<'a> {
    /// The number of its database.
    pub database: u64,
    /// Its name.
    pub name: &'a [u8],
    /// What its value is.
    pub kind: Kind,
    /// When it expires, in Unix milliseconds.
    pub deadline: Option<u64>,
    /// For how many seconds nobody has used it, if the server that wrote it evicts by that.
    pub idle: Option<u64>,
    /// How often it is used, on Redis's logarithmic scale, if the server that wrote it evicts by that.
    pub frequency: Option<u8>,
}

/// Byte strings in a row: fields and values of an entry in turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Cells<'a> {
    bytes: &'a [u8],
    /// Where in `bytes` each ends.
    ends: &'a [usize],
}

impl<'a> Cells<'a> {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Each in its turn.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &'a [u8]> + Clone + use<'a> {
        let (bytes, ends) = (self.bytes, self.ends);
        (0..ends.len()).map(move |at| {
            let from = at.checked_sub(1).map_or(0, |before| ends[before]);
            &bytes[from..ends[at]]
        })
    }
}

/// Holds byte strings in a row, to be used again and again.
#[derive(Clone, Debug, Default)]
pub struct CellBuffer {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl CellBuffer {
    /// Forgets what it holds, and keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// Adds one at the end.
    pub fn push(&mut self, cell: &[u8]) {
        self.bytes.extend_from_slice(cell);
        self.ends.push(self.bytes.len());
    }

    /// What it holds.
    pub fn cells(&self) -> Cells<'_> {
        Cells {
            bytes: &self.bytes,
            ends: &self.ends,
        }
    }

    /// How many bytes they have together.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }
}

impl<'c> FromIterator<&'c [u8]> for CellBuffer {
    fn from_iter<I: IntoIterator<Item = &'c [u8]>>(cells: I) -> CellBuffer {
        let mut buffer = CellBuffer::default();
        cells.into_iter().for_each(|cell| buffer.push(cell));
        buffer
    }
}

/// What a stream counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// The number of entries that are there.
    pub length: u64,
    /// How many were ever added.
    pub added: u64,
    /// The highest ID ever given.
    pub last: StreamId,
    /// The first entry that is there; 0-0 if there is none.
    pub first: StreamId,
    /// The highest ID of those deleted by name; 0-0 if none was, as far as is known.
    pub max_deleted: StreamId,
}

/// One piece of what a database holds; the grammar of their order stands above.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Item<'a> {
    /// What the writer says of itself, as `redis-ver` and its version.
    Aux {
        /// Which.
        name: &'a [u8],
        /// Its value.
        value: &'a [u8],
    },
    /// A library of functions: its code, with the line that names engine and library.
    Library(&'a [u8]),
    /// The keys that follow are in this database.
    Database(u64),
    /// How many keys the database has, and how many of them expire: a hint.
    Sizes {
        /// All.
        keys: u64,
        /// Those with deadlines.
        expiring: u64,
    },
    /// Something that was left out, as there is no form for it.
    Skipped {
        /// In which database, if that matters.
        database: u64,
        /// The key whose value it was; none for what belongs to no key.
        key: Option<&'a [u8]>,
        /// What it was, in words.
        what: &'a str,
    },
    /// A key; the pieces of its value follow, then [`Item::End`].
    Key(Key<'a>),
    /// A string, whole.
    Text(&'a [u8]),
    /// An element of a list, or a member of a set.
    Element(&'a [u8]),
    /// A field of a hash.
    Field {
        /// Its name.
        field: &'a [u8],
        /// Its value.
        value: &'a [u8],
        /// When it expires, in Unix milliseconds.
        deadline: Option<u64>,
    },
    /// A member of a sorted set.
    Scored {
        /// The member.
        member: &'a [u8],
        /// Never NaN.
        score: f64,
    },
    /// An entry of a stream.
    Entry {
        /// Higher than those of all before.
        id: StreamId,
        /// Fields and values in turn.
        cells: Cells<'a>,
    },
    /// What the stream counts; behind its last entry.
    Counters(Counters),
    /// A group of consumers.
    Group {
        /// Its name.
        name: &'a [u8],
        /// The last entry that was given to any of its consumers.
        last: StreamId,
        /// How many entries it has read, if that is known.
        read: Option<u64>,
    },
    /// An entry that was given to a consumer of the group and is not acknowledged. By whom, tells [`Item::Owned`].
    Pending {
        /// Which; it need not be there any more.
        id: StreamId,
        /// When it was given last, in Unix milliseconds.
        time: u64,
        /// How often it was given.
        count: u64,
    },
    /// A consumer of the group.
    Consumer {
        /// Its name.
        name: &'a [u8],
        /// When it last asked for anything, in Unix milliseconds.
        seen: u64,
        /// When it last got anything, if ever; `None` also where the source does not know.
        active: Option<u64>,
    },
    /// Of the group's pending entries, one that the consumer was given.
    Owned(StreamId),
    /// The value is whole.
    End,
}

/// Takes items in their order. Readers of files give them one by one instead, as `next` of [`super::Reader`] does.
pub trait Sink {
    /// Why an item is not taken.
    type Error;

    /// Takes the next item.
    ///
    /// # Errors
    /// What the taker cannot do.
    fn put(&mut self, item: Item<'_>) -> Result<(), Self::Error>;
}
