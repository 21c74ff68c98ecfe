//! Sorted sets: packed members with their scores from the lowest on, or a table from the highest on.

use std::cmp::Ordering;

use super::count_first;
use super::thresholds::{SORTED_SET_BYTES, SORTED_SET_MEMBERS};
use crate::rdb::encode::{Encoder, push_length};
use crate::rdb::error::WriteError;
use crate::rdb::packed::Builder;
use crate::rdb::spill::Spill;
use crate::rdb::target::Target;
use crate::rdb::version::type_byte;
use crate::resp::double::{format_double, format_g17};

/// A score is written as a whole number if it is one not beyond this.
const LARGEST_WHOLE: f64 = (i64::MAX / 2) as f64;

/// A sorted set so far: in memory while it may be packed, then in the body.
#[derive(Default)]
pub struct SortedSetDraft {
    small: Vec<(f64, Vec<u8>)>,
    is_table: bool,
    count: u64,
    /// Where in the body each row of a table ends, while all of it is in memory.
    ends: Vec<usize>,
    /// The one before.
    before: Option<(f64, Vec<u8>)>,
    ascends: bool,
}

impl SortedSetDraft {
    /// Adds a member, which has not come before.
    pub fn put(&mut self, member: &[u8], score: f64, body: &mut Spill, encoder: &mut Encoder) {
        self.count += 1;
        if !self.is_table {
            self.small.push((score, member.to_vec()));
            if self.small.len() <= SORTED_SET_MEMBERS && member.len() <= SORTED_SET_BYTES {
                return;
            }
            (self.is_table, self.ascends) = (true, true);
            for (score, member) in std::mem::take(&mut self.small) {
                self.push_row(&member, score, body, encoder);
            }
            return;
        }
        self.push_row(member, score, body, encoder);
    }

    fn push_row(&mut self, member: &[u8], score: f64, body: &mut Spill, encoder: &mut Encoder) {
        encoder.push_string(body.room(), member);
        body.room().extend_from_slice(&score.to_le_bytes());
        self.ends.push(body.room().len());
        if let Some((before, name)) = &self.before {
            self.ascends &= in_order((*before, name), (score, member)).is_lt();
        }
        let (_, mut name) = self.before.take().unwrap_or_default();
        name.clear();
        name.extend_from_slice(member);
        self.before = Some((score, name));
        // What is not in memory any more is not turned round.
        if body.room().len() + score.to_le_bytes().len() >= crate::rdb::spill::MEMORY {
            self.ascends = false;
            self.ends = Vec::new();
        }
    }

    /// Ends the sorted set; the byte of its type, if it has any member.
    pub fn finish(
        &mut self,
        target: Target,
        body: &mut Spill,
        encoder: &mut Encoder,
    ) -> Result<Option<u8>, WriteError> {
        if self.count == 0 {
            return Ok(None);
        }
        if self.is_table {
            self.finish_table(body)?;
            return Ok(Some(type_byte::ZSET_2));
        }
        self.small
            .sort_by(|one, other| in_order((one.0, &one.1), (other.0, &other.1)));
        let mut packed = Builder::new();
        for (score, member) in &self.small {
            packed.push(member);
            push_score(&mut packed, *score, target.is_72());
        }
        encoder.push_string(body.room(), packed.finish());
        Ok(Some(type_byte::ZSET_LISTPACK))
    }

    fn finish_table(&mut self, body: &mut Spill) -> Result<(), WriteError> {
        let mut table = Spill::default();
        match body.memory() {
            Some(rows) if self.ascends => {
                push_length(table.room(), self.count);
                for (at, end) in self.ends.iter().enumerate().rev() {
                    let from = at.checked_sub(1).map_or(0, |before| self.ends[before]);
                    table.room().extend_from_slice(&rows[from..*end]);
                }
                *body = table;
            }
            _ => count_first(body, self.count)?,
        }
        Ok(())
    }
}

fn in_order(one: (f64, &[u8]), other: (f64, &[u8])) -> Ordering {
    // 0 and -0 are one score.
    let scores = one.0.partial_cmp(&other.0).unwrap_or(Ordering::Equal);
    scores.then_with(|| one.1.cmp(other.1))
}

fn push_score(packed: &mut Builder, score: f64, is_short: bool) {
    if score.abs() <= LARGEST_WHOLE && score.trunc() == score {
        return packed.push_number(score as i64);
    }
    match is_short {
        true => packed.push(&format_double(score)),
        false => packed.push(&format_g17(score)),
    }
}
