//! Values of keys, piece by piece:
//!
//! ```text
//! string := string                                       0
//! list   := length string*                               1
//!         | packed                                       10 a ziplist
//!         | length packed*                               14 quicklist: of ziplists
//!         | length (length (string | packed))*           18 quicklist 2: 1 and one element, 2 and a listpack
//! set    := length string*                               2
//!         | packed                                       11 an intset, 20 a listpack
//! zset   := length (string score)*                       3
//!         | length (string f64 le)*                      5
//!         | packed                                       12 a ziplist, 17 a listpack: members and scores in turn
//! score  := 253 | 254 | 255 | u8 digits                  NaN, the infinities, or a text and its length
//! hash   := length (string string)*                      4
//!         | packed                                       9 a zipmap, 13 a ziplist, 16 a listpack: fields and values in turn
//!         | i64 le length (length string string)*        Redis 24: the least deadline; of each field 0 or its deadline less
//!                                                        that, plus 1, then field and value. 22: the same, deadlines whole
//!         | i64 le packed                                Redis 25: the same; fields, values, deadlines or 0 in turn. 23: no i64
//!         | length (string string i64 le)*               Valkey 22: field, value, deadline or -1
//! packed := string                                       as `packed.rs` has it
//! ```

use std::io::Read;

use super::error::{Broken, Fault};
use super::input::Input;
use super::item::Kind;
use super::packed::{Cell, Cursor};
use super::piece::{Buffers, Piece, Place};
use super::stream::Stream;
use super::version::type_byte::{self as types, redis, valkey};
use super::version::{Family, Version};
use crate::base::num::parse_f64;

/// How a hash tells deadlines.
#[derive(Clone, Copy)]
pub(super) enum Deadlines {
    None,
    /// Before each field, 0 for none.
    Before,
    /// Before each field, less this one and plus 1.
    Above(u64),
    /// Behind each value, -1 for none.
    Behind,
}

/// What is to come of a value.
pub(super) enum Value {
    Text,
    /// So many elements.
    Elements(u64),
    Fields(u64, Deadlines),
    /// So many members; whether their scores are texts.
    Scores(u64, bool),
    /// A packed collection of elements.
    Packed(Cursor),
    PackedFields(Cursor, bool),
    PackedScores(Cursor),
    /// A list of so many more nodes, tagged or all ziplists, and what is left of one.
    Nodes {
        left: u64,
        tagged: bool,
        node: Option<Cursor>,
    },
    Stream(Stream),
    End,
}

/// What kind of value a type is; none if it is not known.
pub(super) fn kind_of(version: Version, byte: u8) -> Option<Kind> {
    Some(match byte {
        types::STRING => Kind::String,
        types::LIST | types::LIST_ZIPLIST | types::LIST_QUICKLIST | types::LIST_QUICKLIST_2 => Kind::List,
        types::SET | types::SET_INTSET | types::SET_LISTPACK => Kind::Set,
        types::ZSET | types::ZSET_2 | types::ZSET_ZIPLIST | types::ZSET_LISTPACK => Kind::SortedSet,
        types::HASH | types::HASH_ZIPMAP | types::HASH_ZIPLIST | types::HASH_LISTPACK => Kind::Hash,
        types::STREAM | types::STREAM_2 | types::STREAM_3 => Kind::Stream,
        _ => match (version.family, byte) {
            (Family::Valkey, valkey::HASH_2) => Kind::Hash,
            (
                Family::Redis,
                redis::HASH_DEADLINES_PRE_GA
                | redis::HASH_LISTPACK_DEADLINES_PRE_GA
                | redis::HASH_DEADLINES
                | redis::HASH_LISTPACK_DEADLINES,
            ) => Kind::Hash,
            (Family::Redis, redis::STREAM_4 | redis::STREAM_5) => Kind::Stream,
            _ => return None,
        },
    })
}

type Result<T> = std::result::Result<T, Fault>;

impl Value {
    /// Reads what stands before the first piece. The type is known.
    pub fn begin<R: Read>(
        version: Version,
        byte: u8,
        input: &mut Input<R>,
        buffers: &mut Buffers,
    ) -> Result<Value> {
        Ok(match byte {
            types::STRING => Value::Text,
            types::LIST | types::SET => Value::Elements(input.number()?),
            types::ZSET | types::ZSET_2 => Value::Scores(input.number()?, byte == types::ZSET),
            types::HASH => Value::Fields(input.number()?, Deadlines::None),
            types::LIST_QUICKLIST | types::LIST_QUICKLIST_2 => Value::Nodes {
                left: input.number()?,
                tagged: byte == types::LIST_QUICKLIST_2,
                node: None,
            },
            types::STREAM => Value::Stream(Stream::begin(1, input)?),
            types::STREAM_2 => Value::Stream(Stream::begin(2, input)?),
            types::STREAM_3 => Value::Stream(Stream::begin(3, input)?),
            types::HASH_ZIPMAP..=types::HASH_ZIPLIST
            | types::HASH_LISTPACK
            | types::ZSET_LISTPACK
            | types::SET_LISTPACK => {
                input.string(&mut buffers.packed)?;
                let packed = &buffers.packed;
                match byte {
                    types::HASH_ZIPMAP => Value::PackedFields(Cursor::zipmap(packed)?, false),
                    types::LIST_ZIPLIST => Value::Packed(Cursor::ziplist(packed)?),
                    types::SET_INTSET => Value::Packed(Cursor::intset(packed)?),
                    types::ZSET_ZIPLIST => Value::PackedScores(Cursor::ziplist(packed)?),
                    types::HASH_ZIPLIST => Value::PackedFields(Cursor::ziplist(packed)?, false),
                    types::HASH_LISTPACK => Value::PackedFields(Cursor::listpack(packed)?, false),
                    types::ZSET_LISTPACK => Value::PackedScores(Cursor::listpack(packed)?),
                    _ => Value::Packed(Cursor::listpack(packed)?),
                }
            }
            _ if version.family == Family::Valkey => Value::Fields(input.number()?, Deadlines::Behind),
            _ => Value::begin_redis(byte, input, buffers)?,
        })
    }

    /// Types that only Redis has.
    fn begin_redis<R: Read>(byte: u8, input: &mut Input<R>, buffers: &mut Buffers) -> Result<Value> {
        let least = match byte {
            redis::HASH_DEADLINES | redis::HASH_LISTPACK_DEADLINES => u64::from_le_bytes(input.array()?),
            _ => 0,
        };
        Ok(match byte {
            redis::STREAM_4 => Value::Stream(Stream::begin(4, input)?),
            redis::STREAM_5 => Value::Stream(Stream::begin(5, input)?),
            redis::HASH_DEADLINES_PRE_GA => Value::Fields(input.number()?, Deadlines::Before),
            redis::HASH_DEADLINES => Value::Fields(input.number()?, Deadlines::Above(least)),
            _ => {
                input.string(&mut buffers.packed)?;
                Value::PackedFields(Cursor::listpack(&buffers.packed)?, true)
            }
        })
    }

    /// The next piece; after the last, [`Piece::End`].
    pub fn next<R: Read>(&mut self, input: &mut Input<R>, buffers: &mut Buffers) -> Result<Piece> {
        match self {
            Value::Text => {
                input.string(&mut buffers.texts[0])?;
                *self = Value::End;
                Ok(Piece::Text)
            }
            Value::Elements(0) | Value::Fields(0, _) | Value::Scores(0, _) | Value::End => Ok(Piece::End),
            Value::Elements(left) => {
                *left -= 1;
                input.string(&mut buffers.texts[0])?;
                Ok(Piece::Element(Place::Text(0)))
            }
            Value::Fields(left, deadlines) => {
                *left -= 1;
                field(*deadlines, input, buffers)
            }
            Value::Scores(left, is_text) => {
                *left -= 1;
                input.string(&mut buffers.texts[0])?;
                let score = match is_text {
                    true => text_score(input, &mut buffers.texts[1])?,
                    false => f64::from_le_bytes(input.array()?),
                };
                scored(Place::Text(0), score)
            }
            Value::Packed(cursor) => match cursor.next(&buffers.packed)? {
                Some(cell) => Ok(Piece::Element(Place::Packed(cell))),
                None => Ok(Piece::End),
            },
            Value::PackedFields(cursor, has_deadlines) => {
                packed_field(cursor, *has_deadlines, &buffers.packed)
            }
            Value::PackedScores(cursor) => packed_score(cursor, &buffers.packed),
            Value::Nodes { left, tagged, node } => next_of_nodes(left, *tagged, node, input, buffers),
            Value::Stream(stream) => stream.next(input, buffers),
        }
    }
}

fn field<R: Read>(deadlines: Deadlines, input: &mut Input<R>, buffers: &mut Buffers) -> Result<Piece> {
    let before = match deadlines {
        Deadlines::Before | Deadlines::Above(_) => input.number()?,
        Deadlines::None | Deadlines::Behind => 0,
    };
    for text in &mut buffers.texts {
        input.string(text)?;
    }
    let deadline = match deadlines {
        Deadlines::None => None,
        Deadlines::Before => (before > 0).then_some(before),
        Deadlines::Above(least) => match before.checked_sub(1) {
            None => None,
            Some(more) => Some(
                least
                    .checked_add(more)
                    .ok_or(Broken("a deadline of a field beyond all time"))?,
            ),
        },
        Deadlines::Behind => match i64::from_le_bytes(input.array()?) {
            -1 => None,
            deadline => {
                Some(u64::try_from(deadline).map_err(|_| Broken("a deadline of a field before all time"))?)
            }
        },
    };
    Ok(Piece::Field(Place::Text(0), Place::Text(1), deadline))
}

fn scored(member: Place, score: f64) -> Result<Piece> {
    match score.is_nan() {
        true => Err(Broken("a score that is not a number").into()),
        false => Ok(Piece::Scored(member, score)),
    }
}

/// A score as Redis before 4 wrote it.
fn text_score<R: Read>(input: &mut Input<R>, text: &mut Vec<u8>) -> Result<f64> {
    let length = match input.byte()? {
        253 => return Ok(f64::NAN),
        254 => return Ok(f64::INFINITY),
        255 => return Ok(f64::NEG_INFINITY),
        length => length,
    };
    text.clear();
    for _ in 0..length {
        text.push(input.byte()?);
    }
    Ok(parse_f64(text).ok_or(Broken("a score that is not a number"))?)
}

fn packed_field(cursor: &mut Cursor, has_deadlines: bool, packed: &[u8]) -> Result<Piece> {
    let Some(field) = cursor.next(packed)? else {
        return Ok(Piece::End);
    };
    const ODD: Broken = Broken("a packed hash ends within a field");
    let value = cursor.next(packed)?.ok_or(ODD)?;
    let deadline = match has_deadlines {
        false => None,
        true => match cursor.next(packed)?.ok_or(ODD)? {
            Cell::Number(0) => None,
            Cell::Number(deadline @ 1..) => Some(deadline as u64),
            _ => return Err(Broken("a deadline of a field that is no time").into()),
        },
    };
    Ok(Piece::Field(Place::Packed(field), Place::Packed(value), deadline))
}

fn packed_score(cursor: &mut Cursor, packed: &[u8]) -> Result<Piece> {
    let Some(member) = cursor.next(packed)? else {
        return Ok(Piece::End);
    };
    let score = match cursor
        .next(packed)?
        .ok_or(Broken("a packed sorted set ends within a member"))?
    {
        Cell::Number(score) => score as f64,
        Cell::Bytes(from, to) => {
            parse_f64(&packed[from..to]).ok_or(Broken("a score that is not a number"))?
        }
    };
    scored(Place::Packed(member), score)
}

fn next_of_nodes<R: Read>(
    left: &mut u64,
    tagged: bool,
    node: &mut Option<Cursor>,
    input: &mut Input<R>,
    buffers: &mut Buffers,
) -> Result<Piece> {
    loop {
        if let Some(cursor) = node {
            if let Some(cell) = cursor.next(&buffers.packed)? {
                return Ok(Piece::Element(Place::Packed(cell)));
            }
            *node = None;
        }
        let Some(fewer) = left.checked_sub(1) else {
            return Ok(Piece::End);
        };
        *left = fewer;
        let container = if tagged { input.number()? } else { 0 };
        input.string(&mut buffers.packed)?;
        *node = Some(match container {
            0 if !tagged => Cursor::ziplist(&buffers.packed)?,
            1 => {
                return Ok(Piece::Element(Place::Packed(Cell::Bytes(
                    0,
                    buffers.packed.len(),
                ))));
            }
            2 => Cursor::listpack(&buffers.packed)?,
            _ => return Err(Broken("a node of a list is of an unknown kind").into()),
        });
    }
}
