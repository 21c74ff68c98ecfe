//! ZRANGE in all its forms, ZCOUNT and its like, and what removes ranges.

use std::ops::Range;

use super::super::arguments::integer;
use super::super::elements::{beside_others, elements};
use super::super::{Call, is_option, syntax_error};
use super::read;
use crate::base::num::parse_f64;
use crate::resp::{Reply, Shape, c_text};
use crate::store::{Result, Stop, Txn};
use crate::types::keys;
use crate::types::sorted_set::{self, LexBound, LexRange, ScoreRange, SortedSet};

/// By what a range goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Rank,
    Score,
    Lex,
}

/// What a command's name says of it, and what it leaves to options.
#[derive(Clone, Copy)]
struct Variant {
    by: Option<By>,
    reverse: Option<bool>,
    /// It stores the range: its arguments come one later.
    stores: bool,
}

const fn named(by: By, reverse: bool) -> Variant {
    Variant {
        by: Some(by),
        reverse: Some(reverse),
        stores: false,
    }
}

/// `ZRANGE key start stop [BYSCORE|BYLEX] [REV] [LIMIT offset count] [WITHSCORES]`. Replies with an array of members.
pub fn zrange(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let variant = Variant {
        by: None,
        reverse: None,
        stores: false,
    };
    show(txn, call, variant)
}

/// `ZREVRANGE key start stop [WITHSCORES]`. Replies with an array of members, from the highest score down.
pub fn zrevrange(txn: &mut Txn, call: &Call) -> Result<Reply> {
    show(txn, call, named(By::Rank, true))
}

/// `ZRANGEBYSCORE key min max [WITHSCORES] [LIMIT offset count]`. Replies with an array of members.
pub fn zrangebyscore(txn: &mut Txn, call: &Call) -> Result<Reply> {
    show(txn, call, named(By::Score, false))
}

/// `ZREVRANGEBYSCORE key max min [WITHSCORES] [LIMIT offset count]`. Replies with an array of members, from the highest
/// score down.
pub fn zrevrangebyscore(txn: &mut Txn, call: &Call) -> Result<Reply> {
    show(txn, call, named(By::Score, true))
}

/// `ZRANGEBYLEX key min max [LIMIT offset count]`. Replies with an array of members.
pub fn zrangebylex(txn: &mut Txn, call: &Call) -> Result<Reply> {
    show(txn, call, named(By::Lex, false))
}

/// `ZREVRANGEBYLEX key max min [LIMIT offset count]`. Replies with an array of members, in reverse.
pub fn zrevrangebylex(txn: &mut Txn, call: &Call) -> Result<Reply> {
    show(txn, call, named(By::Lex, true))
}

/// The arguments of a range, as given.
struct Query<'a> {
    by: By,
    reverse: bool,
    with_scores: bool,
    offset: i64,
    /// Negative: no limit.
    limit: i64,
    bounds: Bounds<'a>,
}

enum Bounds<'a> {
    Ranks(i64, i64),
    Scores(ScoreRange),
    Lex(LexRange<'a>),
}

impl<'a> Query<'a> {
    fn parse(call: &Call<'a>, variant: Variant) -> Result<Query<'a>> {
        let first = if variant.stores { 3 } else { 2 };
        let mut query = Query {
            by: By::Rank,
            reverse: false,
            with_scores: false,
            offset: 0,
            limit: -1,
            bounds: Bounds::Ranks(0, 0),
        };
        let (mut by, mut reverse) = (variant.by, variant.reverse);
        let mut at = first + 2;
        while let Some(option) = call.args.get(at) {
            if !variant.stores && is_option(option, "withscores") {
                query.with_scores = true;
            } else if is_option(option, "limit") && at + 2 < call.args.len() {
                query.offset = integer(call.arg(at + 1))?;
                query.limit = integer(call.arg(at + 2))?;
                at += 2;
            } else if reverse.is_none() && is_option(option, "rev") {
                reverse = Some(true);
            } else if by.is_none() && is_option(option, "bylex") {
                by = Some(By::Lex);
            } else if by.is_none() && is_option(option, "byscore") {
                by = Some(By::Score);
            } else {
                return syntax_error();
            }
            at += 1;
        }
        (query.by, query.reverse) = (by.unwrap_or(By::Rank), reverse.unwrap_or(false));
        query.check()?;
        query.bounds = query.parse_bounds(call.arg(first), call.arg(first + 1))?;
        Ok(query)
    }

    fn check(&self) -> Result<()> {
        if self.limit != -1 && self.by == By::Rank {
            return Stop::error(
                "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
            );
        }
        if self.with_scores && self.by == By::Lex {
            return Stop::error("ERR syntax error, WITHSCORES not supported in combination with BYLEX");
        }
        Ok(())
    }

    fn parse_bounds(&self, first: &'a [u8], second: &'a [u8]) -> Result<Bounds<'a>> {
        // A reverse range is given from its greater end.
        let (min, max) = if self.reverse {
            (second, first)
        } else {
            (first, second)
        };
        match self.by {
            By::Rank => Ok(Bounds::Ranks(integer(first)?, integer(second)?)),
            By::Score => Ok(Bounds::Scores(score_range(min, max)?)),
            By::Lex => Ok(Bounds::Lex(lex_range(min, max)?)),
        }
    }

    /// The ranks, counted from the beginning whatever the direction.
    fn ranks(&self, txn: &mut Txn, set: &SortedSet) -> Result<Range<u64>> {
        let found = match &self.bounds {
            Bounds::Ranks(start, stop) => {
                let len = set.len();
                let ranks = ranks(*start, *stop, len);
                return Ok(match self.reverse {
                    true => len - ranks.end..len - ranks.start,
                    false => ranks,
                });
            }
            Bounds::Scores(range) => set.ranks_by_score(txn, range)?,
            Bounds::Lex(range) => set.ranks_by_lex(txn, range)?,
        };
        // A negative offset is beyond the end.
        let offset = u64::try_from(self.offset).unwrap_or(u64::MAX);
        let count = (found.end - found.start).saturating_sub(offset);
        let count = u64::try_from(self.limit).map_or(count, |limit| count.min(limit));
        if count == 0 {
            return Ok(0..0);
        }
        Ok(match self.reverse {
            true => found.end - offset - count..found.end - offset,
            false => found.start + offset..found.start + offset + count,
        })
    }
}

/// Ranks from one to another, both included, negative ones counted from the end.
fn ranks(start: i64, stop: i64, len: u64) -> Range<u64> {
    let from_end = |rank: i64| match u64::try_from(rank) {
        Ok(rank) => rank,
        Err(_) => len.saturating_sub(rank.unsigned_abs()),
    };
    let start = from_end(start);
    let end = if stop < 0 && stop.unsigned_abs() > len {
        0
    } else {
        from_end(stop).saturating_add(1).min(len)
    };
    if start < end { start..end } else { 0..0 }
}

fn score_range(min: &[u8], max: &[u8]) -> Result<ScoreRange> {
    let (Some((min, min_exclusive)), Some((max, max_exclusive))) = (score_bound(min), score_bound(max))
    else {
        return Stop::error("ERR min or max is not a float");
    };
    Ok(ScoreRange {
        min,
        max,
        min_exclusive,
        max_exclusive,
    })
}

/// A score, and whether it is excluded. It is read as C's `strtod` does: spaces may come before it, nothing at all is 0,
/// and what is too great is infinite.
fn score_bound(arg: &[u8]) -> Option<(f64, bool)> {
    let (text, exclusive) = match arg {
        [b'(', rest @ ..] => (rest, true),
        rest => (rest, false),
    };
    let text = c_text(text, text.len());
    if text.is_empty() {
        return Some((0.0, exclusive));
    }
    let text = text.trim_ascii_start();
    let score = match parse_f64(text) {
        Some(score) => score,
        None => str::from_utf8(text).ok()?.parse().ok()?,
    };
    (!score.is_nan()).then_some((score, exclusive))
}

fn lex_range<'a>(min: &'a [u8], max: &'a [u8]) -> Result<LexRange<'a>> {
    match (lex_bound(min), lex_bound(max)) {
        (Some(min), Some(max)) => Ok(LexRange { min, max }),
        _ => Stop::error("ERR min or max not valid string range item"),
    }
}

fn lex_bound(arg: &[u8]) -> Option<LexBound<'_>> {
    match arg {
        [b'-'] | [b'-', 0, ..] => Some(LexBound::Least),
        [b'+'] | [b'+', 0, ..] => Some(LexBound::Greatest),
        [b'[', member @ ..] => Some(LexBound::Including(member)),
        [b'(', member @ ..] => Some(LexBound::Excluding(member)),
        _ => None,
    }
}

fn show(txn: &mut Txn, call: &Call, variant: Variant) -> Result<Reply> {
    let query = Query::parse(call, variant)?;
    let Some(set) = read(txn, call.key(1))? else {
        return Ok(Reply::Array(Vec::new()));
    };
    let ranks = query.ranks(txn, &set)?;
    let count = ranks.end - ranks.start;
    beside_others(txn, count)?;
    let shape = match query.with_scores {
        true => Shape::Pairs,
        false => Shape::Array,
    };
    elements(txn, call, shape, Some(count), |txn, out| {
        let ranks = ranks.clone();
        set.range(txn, ranks, query.reverse, |member, score| {
            match query.with_scores {
                true => out.push_scored(&member, score)?,
                false => out.push(&member)?,
            }
            Ok(true)
        })
    })
}

/// `ZRANGESTORE destination source min max [BYSCORE|BYLEX] [REV] [LIMIT offset count]`. Replies with the number of
/// members stored.
pub fn zrangestore(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let variant = Variant {
        by: None,
        reverse: None,
        stores: true,
    };
    let query = Query::parse(call, variant)?;
    keys::prefetch(txn, [call.key(1), call.key(2)].into_iter())?;
    let mut members = Vec::new();
    if let Some(set) = read(txn, call.key(2))? {
        let ranks = query.ranks(txn, &set)?;
        set.range(txn, ranks, false, |member, score| {
            members.push((member.to_vec(), score));
            Ok(true)
        })?;
    }
    sorted_set::replace(txn, call.key(1), &members, &call.limits.thresholds, "zrangestore")?;
    Ok(Reply::Int(members.len() as i64))
}

fn count(ranks: Range<u64>) -> Reply {
    Reply::Int((ranks.end - ranks.start) as i64)
}

/// `ZCOUNT key min max`. Replies with the number of members whose scores are in the range.
pub fn zcount(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let range = score_range(call.arg(2), call.arg(3))?;
    match read(txn, call.key(1))? {
        Some(set) => set.ranks_by_score(txn, &range).map(count),
        None => Ok(Reply::Int(0)),
    }
}

/// `ZLEXCOUNT key min max`. Replies with the number of members in the range of names.
pub fn zlexcount(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let range = lex_range(call.arg(2), call.arg(3))?;
    match read(txn, call.key(1))? {
        Some(set) => set.ranks_by_lex(txn, &range).map(count),
        None => Ok(Reply::Int(0)),
    }
}

/// `ZREMRANGEBYRANK key start stop`. Replies with the number of members removed.
pub fn zremrangebyrank(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let (start, stop) = (integer(call.arg(2))?, integer(call.arg(3))?);
    remove(txn, call, "zremrangebyrank", |_, set| {
        Ok(ranks(start, stop, set.len()))
    })
}

/// `ZREMRANGEBYSCORE key min max`. Replies with the number of members removed.
pub fn zremrangebyscore(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let range = score_range(call.arg(2), call.arg(3))?;
    remove(txn, call, "zremrangebyscore", |txn, set| {
        set.ranks_by_score(txn, &range)
    })
}

/// `ZREMRANGEBYLEX key min max`. Replies with the number of members removed.
pub fn zremrangebylex(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let range = lex_range(call.arg(2), call.arg(3))?;
    remove(txn, call, "zremrangebylex", |txn, set| {
        set.ranks_by_lex(txn, &range)
    })
}

fn remove(
    txn: &mut Txn,
    call: &Call,
    event: &'static str,
    ranks: impl FnOnce(&mut Txn, &SortedSet) -> Result<Range<u64>>,
) -> Result<Reply> {
    let key = call.key(1);
    let Some(set) = SortedSet::open(txn.lookup(key)?)? else {
        return Ok(Reply::Int(0));
    };
    let ranks = ranks(txn, &set)?;
    let removed = sorted_set::remove_ranks(txn, key, &set, ranks, event)?;
    Ok(Reply::Int(removed as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_count_from_either_end() {
        for (start, stop, expected) in [
            (0, -1, 0..5),
            (1, 2, 1..3),
            (-2, -1, 3..5),
            (-9, 1, 0..2),
            (0, -6, 0..0),
            (3, 2, 0..0),
            (5, 9, 0..0),
            (0, i64::MAX, 0..5),
            (i64::MIN, i64::MIN, 0..0),
        ] {
            assert_eq!(ranks(start, stop, 5), expected, "{start} {stop}");
        }
        assert_eq!(ranks(0, -1, 0), 0..0);
    }

    #[test]
    fn bounds_of_scores_are_read_as_strtod_does() {
        for (text, expected) in [
            ("1.5", Some((1.5, false))),
            ("(1.5", Some((1.5, true))),
            ("", Some((0.0, false))),
            ("(", Some((0.0, true))),
            (" 1", Some((1.0, false))),
            ("1 ", None),
            (" ", None),
            ("((1", None),
            ("-inf", Some((f64::NEG_INFINITY, false))),
            ("(+inf", Some((f64::INFINITY, true))),
            ("1e400", Some((f64::INFINITY, false))),
            ("1e-400", Some((0.0, false))),
            ("0x10", Some((16.0, false))),
            ("1\0x", Some((1.0, false))),
            ("nan", None),
            ("abc", None),
        ] {
            assert_eq!(score_bound(text.as_bytes()), expected, "{text:?}");
        }
    }

    #[test]
    fn bounds_of_members_need_their_bracket() {
        assert_eq!(lex_bound(b"-"), Some(LexBound::Least));
        assert_eq!(lex_bound(b"[-"), Some(LexBound::Including(b"-")));
        assert_eq!(lex_bound(b"("), Some(LexBound::Excluding(b"")));
        for bad in [&b"a"[..], b"", b"++", b"-a"] {
            assert_eq!(lex_bound(bad), None);
        }
    }
}
