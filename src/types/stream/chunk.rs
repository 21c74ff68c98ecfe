//! Entries in a row, as one record holds them.
//!
//! ```text
//! chunk   := first:id last:id live:varint dead:varint weight:varint count:varint field:cell*count entry*live
//! id      := ms:varint seq:varint
//! entry   := shape:varint delta:varint seq:varint cell*
//! ```
//!
//! Nearly all entries of a stream have the same fields: a chunk has those of its first entry, and an entry of shape 0 has
//! only the values of these, while one of shape n + 1 has n fields and values in turn. `delta` is the entry's time less the
//! chunk's. An entry that is deleted leaves its chunk at once, but it counts in `dead`, in `weight`
//! (see [`super::weight`]) and, if it was the last one, in `last`: as Redis keeps it until its node goes.

use super::id::Id;
use super::weight;
use crate::disk::cells::{Reader, push_cell, push_varint};
use crate::disk::format::Malformed;

/// A chunk taken apart, its entries still encoded.
#[derive(Clone, Copy, Debug)]
pub struct Chunk<'a> {
    /// The ID that it began with.
    pub first: Id,
    /// The last ID that it got.
    pub last: Id,
    /// How many of its entries are not deleted.
    pub live: u64,
    /// How many of its entries are deleted.
    pub dead: u64,
    /// How many bytes it would take in Redis.
    pub weight: u64,
    field_count: u64,
    fields: &'a [u8],
    entries: &'a [u8],
}

/// When a chunk takes no more entries.
#[derive(Clone, Copy, Debug)]
pub struct ChunkLimits {
    /// As Redis would encode it.
    pub weight: u64,
    /// Deleted ones included.
    pub entries: u64,
}

/// The largest chunk that takes further entries, however far apart the limits are: each rewrites the chunk.
pub const MAX_OPEN: usize = 16 * 1024;

impl<'a> Chunk<'a> {
    /// A chunk's record, taken apart; one that ends early is damage.
    pub fn decode(bytes: &'a [u8]) -> Result<Chunk<'a>, Malformed> {
        let mut reader = Reader(bytes);
        let (first, last) = (read_id(&mut reader)?, read_id(&mut reader)?);
        let (live, dead, weight) = (reader.varint()?, reader.varint()?, reader.varint()?);
        let field_count = reader.varint()?;
        let from = reader.0;
        for _ in 0..field_count {
            reader.cell()?;
        }
        Ok(Chunk {
            first,
            last,
            live,
            dead,
            weight,
            field_count,
            fields: &from[..from.len() - reader.0.len()],
            entries: reader.0,
        })
    }

    /// A chunk of one entry, encoded. `pairs` are fields and values in turn.
    pub fn begin(id: Id, pairs: &[&[u8]]) -> Vec<u8> {
        let mut fields = Vec::new();
        for field in pairs.iter().step_by(2) {
            push_cell(&mut fields, field);
        }
        let empty = Chunk {
            first: id,
            last: id,
            live: 0,
            dead: 0,
            weight: weight::node(pairs),
            field_count: (pairs.len() / 2) as u64,
            fields: &fields,
            entries: b"",
        };
        empty.append(id, pairs)
    }

    /// Whether it takes another entry.
    pub fn has_room(&self, encoded: usize, pairs: &[&[u8]], limits: ChunkLimits) -> bool {
        let more: usize = pairs.iter().map(|part| part.len()).sum();
        encoded + more <= MAX_OPEN
            && self.weight + (more as u64) < limits.weight
            && self.live + self.dead < limits.entries
    }

    /// The chunk with another entry, encoded.
    pub fn append(&self, id: Id, pairs: &[&[u8]]) -> Vec<u8> {
        let same = self.has_fields(pairs);
        let weight = self.weight + weight::entry(self.first, id, pairs, same);
        let grown = Chunk {
            last: id,
            live: self.live + 1,
            weight: weight.saturating_add_signed(weight::recount(self.live, self.live + 1)),
            ..*self
        };
        let more: usize = pairs.iter().map(|part| part.len() + 2).sum();
        let mut out = Vec::with_capacity(80 + self.fields.len() + self.entries.len() + more);
        grown.encode_head(&mut out);
        out.extend_from_slice(self.entries);
        push_varint(&mut out, if same { 0 } else { pairs.len() as u64 / 2 + 1 });
        self.push_delta(&mut out, id);
        for part in pairs
            .iter()
            .skip(usize::from(same))
            .step_by(1 + usize::from(same))
        {
            push_cell(&mut out, part);
        }
        out
    }

    /// The chunk without the entries that are not to be kept, encoded, and how many those are.
    pub fn retain(&self, mut keep: impl FnMut(Id) -> bool) -> Result<(Vec<u8>, u64), Malformed> {
        let mut kept = Vec::with_capacity(self.entries.len());
        let mut entries = self.entries();
        let mut left = *self;
        let mut from = self.entries;
        while let Some(entry) = entries.next().transpose()? {
            let encoded = &from[..from.len() - entries.rest.len()];
            from = entries.rest;
            if keep(entry.id) {
                kept.extend_from_slice(encoded);
                continue;
            }
            let change =
                weight::recount(left.live, left.live - 1) + weight::recount(left.dead, left.dead + 1);
            left.weight = left.weight.saturating_add_signed(change);
            (left.live, left.dead) = (left.live - 1, left.dead + 1);
        }
        let mut out = Vec::with_capacity(80 + self.fields.len() + kept.len());
        left.encode_head(&mut out);
        out.extend_from_slice(&kept);
        Ok((out, self.live - left.live))
    }

    /// Its entries, without the deleted ones.
    pub fn entries(&self) -> Entries<'a> {
        Entries {
            chunk: *self,
            left: self.live,
            rest: self.entries,
        }
    }

    fn has_fields(&self, pairs: &[&[u8]]) -> bool {
        let mut own = Reader(self.fields);
        self.field_count == pairs.len() as u64 / 2
            && pairs.iter().step_by(2).all(|field| own.cell() == Ok(*field))
    }

    fn encode_head(&self, out: &mut Vec<u8>) {
        push_id(out, self.first);
        push_id(out, self.last);
        for number in [self.live, self.dead, self.weight, self.field_count] {
            push_varint(out, number);
        }
        out.extend_from_slice(self.fields);
    }

    fn push_delta(&self, out: &mut Vec<u8>, id: Id) {
        push_varint(out, id.ms.wrapping_sub(self.first.ms));
        push_varint(out, id.seq);
    }
}

/// Appends an ID.
pub fn push_id(out: &mut Vec<u8>, id: Id) {
    push_varint(out, id.ms);
    push_varint(out, id.seq);
}

/// Reads the ID at the head of `reader`.
pub fn read_id(reader: &mut Reader) -> Result<Id, Malformed> {
    Ok(Id {
        ms: reader.varint()?,
        seq: reader.varint()?,
    })
}

/// The entries of a chunk, in order.
#[derive(Clone, Copy, Debug)]
pub struct Entries<'a> {
    chunk: Chunk<'a>,
    left: u64,
    rest: &'a [u8],
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<Entry<'a>, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let mut reader = Reader(self.rest);
        let entry = read_entry(&self.chunk, &mut reader);
        if entry.is_err() {
            self.left = 0;
        }
        self.rest = reader.0;
        Some(entry)
    }
}

fn read_entry<'a>(chunk: &Chunk<'a>, reader: &mut Reader<'a>) -> Result<Entry<'a>, Malformed> {
    let (shape, delta, seq) = (reader.varint()?, reader.varint()?, reader.varint()?);
    let (pairs, fields, cells) = match shape.checked_sub(1) {
        None => (chunk.field_count, Some(chunk.fields), chunk.field_count),
        Some(pairs) => (pairs, None, pairs.saturating_mul(2)),
    };
    let from = reader.0;
    for _ in 0..cells {
        reader.cell()?;
    }
    Ok(Entry {
        id: Id {
            ms: chunk.first.ms.wrapping_add(delta),
            seq,
        },
        pairs,
        fields,
        cells: &from[..from.len() - reader.0.len()],
    })
}

/// An entry, its fields and values still encoded.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// Its ID.
    pub id: Id,
    /// How many fields it has.
    pub pairs: u64,
    /// The fields, if they are the chunk's.
    fields: Option<&'a [u8]>,
    /// The values alone, or fields and values in turn.
    cells: &'a [u8],
}

impl<'a> Entry<'a> {
    /// How many fields and values there are.
    pub fn parts_len(&self) -> usize {
        // Each takes a byte at least, so what damage says does not take memory.
        let bytes = self.cells.len() + self.fields.map_or(0, <[u8]>::len);
        usize::try_from(self.pairs.saturating_mul(2)).map_or(bytes, |parts| parts.min(bytes))
    }

    /// Fields and values in turn.
    pub fn parts(&self) -> impl Iterator<Item = Result<&'a [u8], Malformed>> + use<'a> {
        let (mut fields, mut cells) = (self.fields.map(Reader), Reader(self.cells));
        let mut is_field = false;
        std::iter::from_fn(move || {
            is_field = !is_field;
            match &mut fields {
                // Both end together: there is a value to each field.
                Some(fields) if is_field => (!fields.is_empty()).then(|| fields.cell()),
                _ => (!cells.is_empty()).then(|| cells.cell()),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(ms: u64, seq: u64) -> Id {
        Id { ms, seq }
    }

    fn shown(bytes: &[u8]) -> Vec<String> {
        let text = |entry: Entry| {
            let parts: Vec<_> = entry
                .parts()
                .map(|part| String::from_utf8_lossy(part.unwrap()).into_owned())
                .collect();
            assert_eq!(parts.len() as u64, entry.pairs * 2);
            format!("{} {}", entry.id, parts.join(","))
        };
        let chunk = Chunk::decode(bytes).unwrap();
        chunk.entries().map(|entry| text(entry.unwrap())).collect()
    }

    #[test]
    fn entries_share_the_fields_of_the_first() {
        let first = Chunk::begin(id(5, 9), &[b"a", b"1", b"b", b"2"]);
        let add = |bytes: &[u8], id, pairs: &[&[u8]]| Chunk::decode(bytes).unwrap().append(id, pairs);
        let same = add(&first, id(5, 10), &[b"a", b"3", b"b", b"4"]);
        assert_eq!(same.len() - first.len(), 3 + 4, "only the values");
        let other = add(&same, id(6, 0), &[b"b", b"5"]);
        let all = add(&other, id(u64::MAX, u64::MAX), &[b"a", b"", b"c", b"6"]);
        let expected = ["5-9 a,1,b,2", "5-10 a,3,b,4", "6-0 b,5"].map(String::from);
        assert_eq!(shown(&all)[..3], expected);
        assert_eq!(shown(&all)[3], format!("{} a,,c,6", Id::MAX));
    }

    #[test]
    fn what_is_deleted_still_counts() {
        let mut bytes = Chunk::begin(id(1, 0), &[b"f", b"v"]);
        for seq in 1..4 {
            bytes = Chunk::decode(&bytes).unwrap().append(id(1, seq), &[b"f", b"v"]);
        }
        let (bytes, removed) = Chunk::decode(&bytes)
            .unwrap()
            .retain(|id| id.seq % 3 != 0)
            .unwrap();
        let chunk = Chunk::decode(&bytes).unwrap();
        assert_eq!((removed, chunk.live, chunk.dead), (2, 2, 2));
        assert_eq!((chunk.first, chunk.last), (id(1, 0), id(1, 3)));
        assert_eq!(shown(&bytes), ["1-1 f,v", "1-2 f,v"]);
        let limits = |weight, entries| ChunkLimits { weight, entries };
        assert!(chunk.has_room(bytes.len(), &[b"f", b"v"], limits(u64::MAX, 5)));
        assert!(!chunk.has_room(bytes.len(), &[b"f", b"v"], limits(u64::MAX, 4)));
        assert!(!chunk.has_room(bytes.len(), &[b"f", b"v"], limits(chunk.weight + 2, 5)));
        assert!(chunk.has_room(bytes.len(), &[b"f", b"v"], limits(chunk.weight + 3, 5)));
        assert!(!chunk.has_room(MAX_OPEN, &[b"f", b"v"], limits(u64::MAX, 5)));
    }

    #[test]
    fn damage_is_named() {
        let bytes = Chunk::begin(id(1, 0), &[b"field", b"value"]);
        for end in 0..bytes.len() {
            let cut =
                Chunk::decode(&bytes[..end]).and_then(|chunk| chunk.entries().collect::<Result<Vec<_>, _>>());
            assert!(cut.is_err(), "{end} bytes");
        }
    }
}
