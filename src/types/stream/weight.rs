//! What entries would weigh in Redis's encoding.
//!
//! How many entries `MAXLEN ~` and `MINID ~` spare depends on where the nodes of the stream begin, and so on the size of
//! Redis's nodes in bytes: a chunk is full when Redis's node would be. A node is a listpack: a header of six bytes, elements,
//! an end of one; an element is its encoding, and the length of that once more, to walk backwards.

use super::id::Id;
use crate::base::num::parse_i64;

const EMPTY: u64 = 7;
/// Flags of an entry: that its fields are those of the node.
const SAME_FIELDS: i64 = 2;

/// A node without entries, which has the fields of its first one.
pub fn node(pairs: &[&[u8]]) -> u64 {
    let fields: u64 = pairs.iter().step_by(2).map(|field| string(field)).sum();
    // Entries that live (the first is counted when it comes), entries deleted, number of fields, fields, an end.
    EMPTY + 3 * integer(0) + integer((pairs.len() / 2) as i64) + fields
}

/// An entry in the node that begins with `first`.
pub fn entry(first: Id, id: Id, pairs: &[&[u8]], same_fields: bool) -> u64 {
    let count = (pairs.len() / 2) as i64;
    let ids = integer(id.ms.wrapping_sub(first.ms).cast_signed())
        + integer(id.seq.wrapping_sub(first.seq).cast_signed());
    if same_fields {
        let values: u64 = pairs.iter().skip(1).step_by(2).map(|value| string(value)).sum();
        return integer(SAME_FIELDS) + ids + values + integer(count + 3);
    }
    let all: u64 = pairs.iter().map(|element| string(element)).sum();
    integer(0) + ids + integer(count) + all + integer(2 * count + 4)
}

/// By how much a node grows when one of its counts changes.
pub fn recount(from: u64, to: u64) -> i64 {
    integer(to.cast_signed()).cast_signed() - integer(from.cast_signed()).cast_signed()
}

fn integer(value: i64) -> u64 {
    let bytes = match value {
        0..=127 => 1,
        -4096..=4095 => 2,
        -0x8000..=0x7fff => 3,
        -0x80_0000..=0x7f_ffff => 4,
        -0x8000_0000..=0x7fff_ffff => 5,
        _ => 9,
    };
    bytes + 1
}

fn string(text: &[u8]) -> u64 {
    if let Some(value) = parse_i64(text) {
        return integer(value);
    }
    let len = text.len() as u64;
    let encoded = len
        + match len {
            ..64 => 1,
            64..4096 => 2,
            _ => 5,
        };
    let length_again = match encoded {
        ..=127 => 1,
        128..16_383 => 2,
        16_383..2_097_151 => 3,
        2_097_151..268_435_455 => 4,
        _ => 5,
    };
    encoded + length_again
}
