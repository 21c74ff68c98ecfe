//! Lists: small ones whole in their key's record, large ones with both **ends** there and the middle in a counted tree.
//!
//! ```text
//! body of a list        := ends
//! body of a large list  := id:u64 be middle ends               middle: a tree (`types/tree.rs`), an element each value
//! ends    := head_count:varint tail_count:varint head_bytes:varint head tail
//! head    := element*                      the first elements of the list, in its order
//! tail    := element*                      the last elements, the very last first
//! element := value                         as `types/blob.rs` has it; always in line in a small list
//! ```
//!
//! Both ends have their outermost element first, so a push or a pop at either side touches the first bytes of an end and
//! rewrites one record. Only when an end gets long its inner part moves to the tree, as one leaf, and only when it is
//! empty the next leaf comes out of the tree. So a queue costs about one record a command, and everything is found by
//! point gets, however many elements have passed through.

mod change;
mod end;
mod limit;
mod read;

pub use end::Side;
pub use limit::Limit;

use super::WRONG_TYPE;
use super::blob;
use super::footprint::Footprint;
use super::tree::Tree;
use crate::disk::cells::{Reader, push_varint};
use crate::disk::format::{Header, Kind};
use crate::store::{Entry, Key, Result, Stop, Txn};
use end::{Element, End, encoded_elements, turned};

/// An end of a large list above this many bytes moves its inner part into the tree.
const END_BYTES: usize = 2048;
/// Room for what stands before the ends.
const STATE_BYTES: usize = 64;

/// A list on its way from one record to the next.
#[derive(Default)]
pub struct List<'e> {
    /// What is between the ends; `None` in a small list.
    middle: Option<Tree>,
    head: End<'e>,
    tail: End<'e>,
}

/// Refuses an entry that is there and holds no list.
pub fn list_entry(found: Option<Entry>) -> Result<Option<Entry>> {
    match &found {
        Some(entry) if !matches!(entry.header.kind, Kind::List | Kind::LargeList) => Stop::error(WRONG_TYPE),
        _ => Ok(found),
    }
}

/// Gives `to` a list of its own, equal to `entry`, and the same deadline. `replaced` is what `to` held.
pub fn copy(txn: &mut Txn, entry: &Entry, to: Key, replaced: Option<&Entry>) -> Result<()> {
    let mut list = List::open(Some(entry))?;
    if let Some(middle) = &list.middle {
        let id = txn.fresh_id();
        let copied = middle.copy(txn, id)?;
        list.copy_blobs(txn, id)?;
        list.middle = Some(copied);
    }
    list.write(txn, to, replaced, entry.header)
}

impl<'e> List<'e> {
    /// The list in `entry`; an empty one if there is none.
    pub fn open(entry: Option<&'e Entry>) -> Result<List<'e>> {
        let Some(entry) = entry else {
            return Ok(List::default());
        };
        let mut reader = Reader(entry.body());
        let middle = match entry.header.kind {
            Kind::LargeList => {
                let id = reader.u64()?;
                Some(Tree::decode(id, &mut reader)?)
            }
            _ => None,
        };
        let (head_count, tail_count) = (reader.varint()?, reader.varint()?);
        let head_bytes = reader.varint()?;
        let head = reader.bytes(usize::try_from(head_bytes).unwrap_or(usize::MAX))?;
        Ok(List {
            middle,
            head: End::new(head_count, head),
            tail: End::new(tail_count, reader.0),
        })
    }

    /// The number of elements.
    pub fn len(&self) -> u64 {
        self.head.count() + self.middle_len() + self.tail.count()
    }

    /// What a list takes beside its key's record.
    pub fn footprint(&self, txn: &mut Txn, samples: u64) -> Result<Footprint> {
        let mut footprint = Footprint::default();
        for element in self.head.elements().chain(self.tail.elements()) {
            if let Element::Blob { length, .. } = element? {
                footprint.records += 1;
                footprint.bytes += length;
            }
        }
        match &self.middle {
            Some(middle) => Ok(footprint + middle.footprint(txn, samples)?),
            None => Ok(footprint),
        }
    }

    /// Whether it has no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn middle_len(&self) -> u64 {
        self.middle.as_ref().map_or(0, Tree::len)
    }

    /// The id that the records of a large list are under.
    fn id(&self) -> u64 {
        self.middle.as_ref().map_or(0, Tree::id)
    }

    fn end(&mut self, side: Side) -> &mut End<'e> {
        match side {
            Side::Left => &mut self.head,
            Side::Right => &mut self.tail,
        }
    }

    /// Appends an element's encoding; in a large list a long one is put into a record of its own.
    fn encode(&self, txn: &mut Txn, element: &[u8], out: &mut Vec<u8>) {
        match &self.middle {
            Some(middle) => blob::push(txn, middle.id(), element, out),
            None => blob::push_inline(element, out),
        }
    }

    /// Puts elements at an end; the first one is to be the outermost.
    pub fn push<'a>(&mut self, txn: &mut Txn, side: Side, outermost_first: impl Iterator<Item = &'a [u8]>) {
        let (mut count, mut encoded) = (0, Vec::new());
        for element in outermost_first {
            self.encode(txn, element, &mut encoded);
            count += 1;
        }
        self.end(side).push(count, encoded);
    }

    /// Takes up to `count` elements off an end, and shows them from the outside in.
    pub fn pop(
        &mut self,
        txn: &mut Txn,
        side: Side,
        count: u64,
        mut show: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let mut left = count.min(self.len());
        while left > 0 {
            self.refill(txn, side, left)?;
            let id = self.id();
            let end = self.end(side);
            let taken = left.min(end.count());
            end.take(taken, |element| {
                element.with(txn, id, &mut show)??;
                element.delete(txn, id);
                Ok(())
            })?;
            left -= taken;
        }
        Ok(())
    }

    /// Makes sure that an end of a list that is not empty is not either, by what is next to it. `wanted` is how many
    /// elements will be asked for.
    fn refill(&mut self, txn: &mut Txn, side: Side, wanted: u64) -> Result<()> {
        if self.end(side).count() > 0 {
            return Ok(());
        }
        if let Some(middle) = self.middle.as_mut().filter(|middle| !middle.is_empty()) {
            let mut elements = middle.pop_leaf(txn, side == Side::Right)?;
            if side == Side::Right {
                elements.reverse();
            }
            let mut encoded = Vec::with_capacity(elements.iter().map(|element| element.len()).sum());
            elements
                .iter()
                .for_each(|element| encoded.extend_from_slice(element));
            self.end(side).push(elements.len() as u64, encoded);
            return Ok(());
        }
        // The inner half of the other end, or more of it; the innermost there is the outermost here.
        let other = self.end(side.other());
        let moved = wanted.max(other.count().div_ceil(2)).min(other.count());
        let encoded = turned(&other.split_inside(moved)?)?;
        self.end(side).push(moved, encoded);
        Ok(())
    }

    /// Makes this the list at `key`, `old` being what [`Txn::lookup`] found, whose deadline stays; a list without elements is
    /// none.
    pub fn save(self, txn: &mut Txn, key: Key, old: Option<&Entry>, limit: Limit) -> Result<()> {
        let deadline = old.and_then(|old| old.header.deadline);
        self.save_until(txn, key, old, limit, deadline)
    }

    /// As [`List::save`], whatever the key held, with this deadline.
    pub fn save_until(
        mut self,
        txn: &mut Txn,
        key: Key,
        old: Option<&Entry>,
        limit: Limit,
        deadline: Option<u64>,
    ) -> Result<()> {
        if self.is_empty() {
            return old.map_or(Ok(()), |old| txn.remove(key, old));
        }
        self.fit(txn, limit)?;
        let header = Header {
            kind: match self.middle {
                Some(_) => Kind::LargeList,
                None => Kind::List,
            },
            deadline,
        };
        self.write(txn, key, old, header)
    }

    fn write(&self, txn: &mut Txn, key: Key, old: Option<&Entry>, header: Header) -> Result<()> {
        let mut state = Vec::with_capacity(STATE_BYTES);
        if let Some(middle) = &self.middle {
            state.extend_from_slice(&middle.id().to_be_bytes());
            middle.encode(&mut state);
        }
        push_varint(&mut state, self.head.count());
        push_varint(&mut state, self.tail.count());
        push_varint(&mut state, self.head.bytes() as u64);
        let ([a, b], [c, d]) = (self.head.pieces(), self.tail.pieces());
        txn.write(key, old, header, &[&state, a, b, c, d])
    }

    /// Makes a small list large if it has grown over the limit, a large one small again if little is left of it, and
    /// keeps the ends of a large one short.
    fn fit(&mut self, txn: &mut Txn, limit: Limit) -> Result<()> {
        let count = self.head.count() + self.tail.count();
        let bytes = self.head.bytes() + self.tail.bytes();
        match &self.middle {
            None if !limit.is_exceeded(count, bytes) => return Ok(()),
            None => self.make_large(txn)?,
            Some(middle) => {
                if middle.is_empty() && limit.allows_return(count, bytes) && self.is_all_inline()? {
                    self.middle = None;
                    return Ok(());
                }
            }
        }
        self.shorten(txn, Side::Left)?;
        self.shorten(txn, Side::Right)
    }

    fn is_all_inline(&self) -> Result<bool> {
        for element in self.head.elements().chain(self.tail.elements()) {
            if let Element::Blob { .. } = element? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Gives the list an id, and long elements records of their own.
    fn make_large(&mut self, txn: &mut Txn) -> Result<()> {
        let id = txn.fresh_id();
        self.middle = Some(Tree::empty(id));
        for end in [&mut self.head, &mut self.tail] {
            let mut encoded = Vec::with_capacity(end.bytes());
            for element in end.elements() {
                if let Element::Inline(bytes) = element? {
                    blob::push(txn, id, bytes, &mut encoded);
                }
            }
            end.replace(end.count(), encoded);
        }
        Ok(())
    }

    /// Moves all of a long end but its outermost element into the tree.
    fn shorten(&mut self, txn: &mut Txn, side: Side) -> Result<()> {
        let end = self.end(side);
        if end.bytes() <= END_BYTES || end.count() < 2 {
            return Ok(());
        }
        let moved = end.split_inside(end.count() - 1)?;
        let mut elements = Vec::new();
        for found in encoded_elements(&moved) {
            elements.push(found?.1);
        }
        if side == Side::Right {
            elements.reverse();
        }
        match &mut self.middle {
            Some(middle) => middle.push_leaves(txn, side == Side::Right, &elements, END_BYTES),
            None => Ok(()),
        }
    }
}
