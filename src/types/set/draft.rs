//! A set that is being changed: which encoding it takes, and its record.

use std::ops::Range;

use super::{Encoding, LIST, Set, digits};
use crate::base::num::parse_i64;
use crate::disk::cells::{Cells, Reader, push_cell};
use crate::disk::format::{Header, Kind, Malformed};
use crate::store::{Entry, Key, Result, Txn};
use crate::types::buckets::{Buckets, STATE_BYTES};
use crate::types::intset::IntSet;
use crate::types::thresholds::Thresholds;

/// A set that is being changed or made.
pub(super) enum Draft {
    /// The body of an [`IntSet`].
    Integers(Vec<u8>),
    /// The body, and the number of its cells.
    List(Vec<u8>, u64),
    /// In records of its own.
    Table(Buckets),
}

impl Draft {
    /// One that is what the set is.
    pub fn of(set: &Set) -> Result<Draft> {
        Ok(match &set.encoding {
            Encoding::Integers => Draft::Integers(set.entry.body().to_vec()),
            Encoding::List => Draft::List(set.entry.body().to_vec(), set.cardinality()?),
            Encoding::Table(table) => Draft::Table(table.clone()),
        })
    }

    /// An empty one, in the small encoding for about `count` members of which this is one, if there is any.
    pub fn new(first: &[u8], count: u64, limits: &Thresholds) -> Option<Draft> {
        if count <= limits.set_intset && parse_i64(first).is_some() {
            Some(Draft::Integers(IntSet::encode(&[])))
        } else if count <= limits.set_entries {
            Some(Draft::List(vec![LIST], 0))
        } else {
            None
        }
    }

    /// Becomes a table if with `more` members, as may come, it would have to anyway. Whether it did.
    pub fn expect(&mut self, txn: &mut Txn, more: u64, limits: &Thresholds) -> Result<bool> {
        let most = match self {
            Draft::Integers(_) => limits.set_intset,
            Draft::List(..) => limits.set_entries,
            Draft::Table(_) => u64::MAX,
        };
        if more > most {
            *self = Draft::Table(self.to_table(txn)?);
        }
        Ok(more > most)
    }

    /// Adds a member. Whether it is new.
    pub fn add(&mut self, txn: &mut Txn, member: &[u8], limits: &Thresholds) -> Result<bool> {
        match self {
            Draft::Table(table) => return table.put(txn, member, b""),
            Draft::Integers(body) => {
                let integers = IntSet::decode(body)?;
                if let Some(n) = parse_i64(member) {
                    let Err(rank) = integers.search(n) else {
                        return Ok(false);
                    };
                    *body = integers.with(rank, n);
                    if IntSet::decode(body)?.len() as u64 > limits.set_intset {
                        *self = Draft::Table(self.to_table(txn)?);
                    }
                    return Ok(true);
                }
                let longest = integers.iter().map(|n| digits(n).len()).max().unwrap_or(0);
                let len = integers.len() as u64;
                if fits_list(len, member.len().max(longest), limits) {
                    *self = Draft::List(self.to_list()?, len);
                }
            }
            Draft::List(body, _) => {
                for cell in Cells(&body[1..]) {
                    if cell? == member {
                        return Ok(false);
                    }
                }
            }
        }
        match self {
            Draft::List(body, len) if fits_list(*len, member.len(), limits) => {
                push_cell(body, member);
                *len += 1;
                Ok(true)
            }
            _ => {
                let mut table = self.to_table(txn)?;
                table.put(txn, member, b"")?;
                *self = Draft::Table(table);
                Ok(true)
            }
        }
    }

    /// Takes a member out. Whether it was there.
    pub fn remove(&mut self, txn: &mut Txn, member: &[u8]) -> Result<bool> {
        match self {
            Draft::Table(table) => table.remove(txn, member),
            Draft::Integers(body) => {
                let integers = IntSet::decode(body)?;
                match parse_i64(member).map(|n| integers.search(n)) {
                    Some(Ok(rank)) => {
                        *body = integers.without(rank);
                        Ok(true)
                    }
                    _ => Ok(false),
                }
            }
            Draft::List(body, len) => match find_cell(body, member)? {
                Some(cell) => {
                    body.drain(cell);
                    *len -= 1;
                    Ok(true)
                }
                None => Ok(false),
            },
        }
    }

    /// The number of members.
    pub fn len(&self) -> Result<u64> {
        Ok(match self {
            Draft::Integers(body) => IntSet::decode(body)?.len() as u64,
            Draft::List(_, len) => *len,
            Draft::Table(table) => table.len(),
        })
    }

    /// The body of a list with the same members as these integers.
    fn to_list(&self) -> Result<Vec<u8>> {
        let mut list = vec![LIST];
        if let Draft::Integers(body) = self {
            let mut digits = itoa::Buffer::new();
            for n in IntSet::decode(body)?.iter() {
                push_cell(&mut list, digits.format(n).as_bytes());
            }
        }
        Ok(list)
    }

    /// A table with the same members.
    fn to_table(&self, txn: &mut Txn) -> Result<Buckets> {
        let list = self.to_list()?;
        let body = match self {
            Draft::Table(table) => return Ok(table.clone()),
            Draft::Integers(_) => &list,
            Draft::List(body, _) => body,
        };
        let members = Cells(&body[1..])
            .map(|cell| cell.map(|member| (member, &b""[..])))
            .collect::<std::result::Result<Vec<_>, _>>()?;
        Ok(Buckets::build(txn, &members))
    }

    /// Makes this the key's value, `old` being what it held. An empty set leaves no key.
    pub fn save(&self, txn: &mut Txn, key: Key, old: Option<&Entry>, deadline: Option<u64>) -> Result<()> {
        if self.len()? == 0 {
            return old.map_or(Ok(()), |old| txn.remove(key, old));
        }
        let mut state = Vec::with_capacity(STATE_BYTES);
        let (kind, body) = match self {
            Draft::Integers(body) | Draft::List(body, _) => (Kind::Set, body),
            Draft::Table(table) => {
                table.encode(&mut state);
                (Kind::LargeSet, &state)
            }
        };
        txn.write(key, old, Header { kind, deadline }, &[body])
    }
}

/// Whether a list of `len` members takes one more, the longest having `longest` bytes.
fn fits_list(len: u64, longest: usize, limits: &Thresholds) -> bool {
    len < limits.set_entries && longest as u64 <= limits.set_value
}

/// Where in the body of a list a member's cell is.
fn find_cell(body: &[u8], member: &[u8]) -> std::result::Result<Option<Range<usize>>, Malformed> {
    let mut reader = Reader(&body[1..]);
    while !reader.is_empty() {
        let start = body.len() - reader.0.len();
        if reader.cell()? == member {
            return Ok(Some(start..body.len() - reader.0.len()));
        }
    }
    Ok(None)
}
