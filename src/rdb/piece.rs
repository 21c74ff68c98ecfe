//! Pieces of values on their way from the bytes to items: what they borrow from is used again and again.

use super::item::{CellBuffer, Counters, Item, StreamId};
use super::packed::Cell;

/// Where a text of an item is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Place {
    /// All of the text of this number.
    Text(usize),
    /// In the packed collection.
    Packed(Cell),
}

/// A piece of a value; its texts are in the buffers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Piece {
    Text,
    Element(Place),
    Field(Place, Place, Option<u64>),
    Scored(Place, f64),
    Entry(StreamId),
    Counters(Counters),
    Group { last: StreamId, read: Option<u64> },
    Pending { id: StreamId, time: u64, count: u64 },
    Consumer { seen: u64, active: Option<u64> },
    Owned(StreamId),
    End,
}

/// What items borrow from, used again and again.
#[derive(Default)]
pub(super) struct Buffers {
    pub texts: [Vec<u8>; 2],
    /// A packed collection.
    pub packed: Vec<u8>,
    /// What an entry of a stream has.
    pub cells: CellBuffer,
    digits: [itoa::Buffer; 2],
}

impl Buffers {
    /// The item that a piece is.
    pub fn show(&mut self, piece: Piece) -> Item<'_> {
        let (texts, packed) = (&self.texts, &self.packed);
        let [first, second] = &mut self.digits;
        match piece {
            Piece::Text => Item::Text(&texts[0]),
            Piece::Element(place) => Item::Element(bytes(place, texts, packed, first)),
            Piece::Field(field, value, deadline) => Item::Field {
                field: bytes(field, texts, packed, first),
                value: bytes(value, texts, packed, second),
                deadline,
            },
            Piece::Scored(member, score) => Item::Scored {
                member: bytes(member, texts, packed, first),
                score,
            },
            Piece::Entry(id) => Item::Entry {
                id,
                cells: self.cells.cells(),
            },
            Piece::Counters(counters) => Item::Counters(counters),
            Piece::Group { last, read } => Item::Group {
                name: &texts[0],
                last,
                read,
            },
            Piece::Pending { id, time, count } => Item::Pending { id, time, count },
            Piece::Consumer { seen, active } => Item::Consumer {
                name: &texts[0],
                seen,
                active,
            },
            Piece::Owned(id) => Item::Owned(id),
            Piece::End => Item::End,
        }
    }
}

fn bytes<'b>(
    place: Place,
    texts: &'b [Vec<u8>; 2],
    packed: &'b [u8],
    digits: &'b mut itoa::Buffer,
) -> &'b [u8] {
    match place {
        Place::Text(at) => &texts[at],
        Place::Packed(Cell::Bytes(from, to)) => &packed[from..to],
        Place::Packed(Cell::Number(number)) => digits.format(number).as_bytes(),
    }
}
