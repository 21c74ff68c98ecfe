//! Commands over sorted sets: scores set, read and taken out. Ranges are in `sorted_set/range.rs`, what pops and draws in
//! `sorted_set/take.rs`, unions and their like in `sorted_set/combine.rs`.

mod combine;
mod range;
mod take;

pub use combine::*;
pub use range::*;
pub use take::*;

use super::elements::elements;
use super::scan;
use super::{Call, NOT_A_FLOAT, is_option, syntax_error};
use crate::base::num::parse_f64;
use crate::resp::{Args, Reply, Shape, format_double, format_g17};
use crate::store::{Key, Result, Stop, Txn};
use crate::types::sorted_set::{self, Added, Condition, SortedSet};

fn read(txn: &mut Txn, key: Key) -> Result<Option<SortedSet>> {
    SortedSet::open(txn.lookup_read(key)?)
}

fn parse_score(arg: &[u8]) -> Result<f64> {
    parse_f64(arg).map_or_else(|| Stop::error(NOT_A_FLOAT), Ok)
}

/// What ZADD's options say.
#[derive(Default)]
struct ZaddOptions {
    condition: Condition,
    /// Whether the reply counts changed members too.
    ch: bool,
}

impl ZaddOptions {
    /// The options, and the index of the argument behind them.
    fn parse(call: &Call) -> (ZaddOptions, usize) {
        let mut options = ZaddOptions::default();
        let mut at = 2;
        while let Some(arg) = call.args.get(at) {
            let condition = &mut options.condition;
            let flags = [
                ("nx", &mut condition.nx),
                ("xx", &mut condition.xx),
                ("gt", &mut condition.gt),
                ("lt", &mut condition.lt),
                ("incr", &mut condition.incr),
                ("ch", &mut options.ch),
            ];
            let Some((_, flag)) = flags.into_iter().find(|(name, _)| is_option(arg, name)) else {
                break;
            };
            *flag = true;
            at += 1;
        }
        (options, at)
    }

    fn check(&self, members: usize) -> Result<()> {
        let Condition { nx, xx, gt, lt, incr } = self.condition;
        if nx && xx {
            return Stop::error("ERR XX and NX options at the same time are not compatible");
        }
        if nx && (gt || lt) || gt && lt {
            return Stop::error("ERR GT, LT, and/or NX options at the same time are not compatible");
        }
        if incr && members > 1 {
            return Stop::error("ERR INCR option supports a single increment-element pair");
        }
        Ok(())
    }
}

/// `ZADD key [option...] score member...`. Replies with the number of members added, with CH of those changed too; with
/// INCR, with the score or null.
pub fn zadd(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let (options, at) = ZaddOptions::parse(call);
    let pairs = call.args.skip(at);
    if pairs.is_empty() || !pairs.len().is_multiple_of(2) {
        return syntax_error();
    }
    options.check(pairs.len() / 2)?;
    let done = add(txn, call, pairs, options.condition)?;
    if options.condition.incr {
        return Ok(done.score.map_or(Reply::Null, Reply::Double));
    }
    let updated = if options.ch { done.updated } else { 0 };
    Ok(Reply::Int((done.added + updated) as i64))
}

/// `ZINCRBY key increment member`. Replies with the score that the member has then.
pub fn zincrby(txn: &mut Txn, call: &Call) -> Result<Reply> {
    // Redis reads ZADD's options here too, and then misses a score.
    if ZaddOptions::parse(call).1 != 2 {
        return syntax_error();
    }
    let condition = Condition {
        incr: true,
        ..Condition::default()
    };
    let done = add(txn, call, call.args.skip(2), condition)?;
    Ok(done.score.map_or(Reply::Null, Reply::Double))
}

/// Adds pairs of a score and a member.
fn add(txn: &mut Txn, call: &Call, pairs: Args, condition: Condition) -> Result<Added> {
    let (key, limits) = (call.key(1), &call.limits.thresholds);
    if pairs.len() == 2 {
        let pair = (&pairs[1], parse_score(&pairs[0])?);
        return sorted_set::add(txn, key, std::iter::once(pair), condition, limits);
    }
    let scores = pairs.iter().step_by(2).map(parse_score);
    let scores = scores.collect::<Result<Vec<f64>>>()?;
    let members = pairs.iter().skip(1).step_by(2);
    sorted_set::add(txn, key, members.zip(scores.iter().copied()), condition, limits)
}

/// `ZREM key member...`. Replies with the number of members that were there.
pub fn zrem(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let removed = sorted_set::remove(txn, call.key(1), call.args.skip(2).iter())?;
    Ok(Reply::Int(removed as i64))
}

/// `ZCARD key`. Replies with the number of members.
pub fn zcard(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let len = read(txn, call.key(1))?.map_or(0, |set| set.len());
    Ok(Reply::Int(len as i64))
}

/// `ZSCORE key member`. Replies with the score, or null.
pub fn zscore(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let score = match read(txn, call.key(1))? {
        Some(set) => set.score(txn, call.arg(2))?,
        None => None,
    };
    Ok(score.map_or(Reply::Null, Reply::Double))
}

/// `ZMSCORE key member...`. Replies with an array of scores, null for each member that is not there.
pub fn zmscore(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let members = call.args.skip(2);
    let Some(set) = read(txn, call.key(1))? else {
        return Ok(Reply::Array(vec![Reply::Null; members.len()]));
    };
    for member in members {
        set.prefetch(txn, member);
    }
    txn.await_prefetched()?;
    elements(txn, call, Shape::Array, Some(members.len() as u64), |txn, out| {
        for member in members {
            let score = set.score(txn, member)?;
            out.push_reply(&score.map_or(Reply::Null, Reply::Double))?;
        }
        Ok(())
    })
}

/// `ZRANK key member [WITHSCORE]`. Replies with the rank from the lowest score, counted from 0, or null; with its score
/// in an array.
pub fn zrank(txn: &mut Txn, call: &Call) -> Result<Reply> {
    rank(txn, call, false)
}

/// `ZREVRANK key member [WITHSCORE]`. Replies as ZRANK does, with the rank from the highest score.
pub fn zrevrank(txn: &mut Txn, call: &Call) -> Result<Reply> {
    rank(txn, call, true)
}

fn rank(txn: &mut Txn, call: &Call, reverse: bool) -> Result<Reply> {
    let with_score = match call.args.len() {
        3 => false,
        4 if is_option(call.arg(3), "withscore") => true,
        4 => return syntax_error(),
        _ => {
            let name = if reverse { "zrevrank" } else { "zrank" };
            return Stop::error(format!("ERR wrong number of arguments for '{name}' command"));
        }
    };
    let found = match read(txn, call.key(1))? {
        Some(set) => set.rank(txn, call.arg(2))?.map(|found| (set.len(), found)),
        None => None,
    };
    let Some((len, (rank, score))) = found else {
        return Ok(if with_score { Reply::NullArray } else { Reply::Null });
    };
    let rank = Reply::Int(if reverse { len - 1 - rank } else { rank } as i64);
    if with_score {
        return Ok(Reply::Array(vec![rank, Reply::Double(score)]));
    }
    Ok(rank)
}

/// `ZSCAN key cursor [MATCH pattern] [COUNT count]`. Replies with the next cursor, 0 at the end, and an array of
/// members and scores.
pub fn zscan(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let cursor = scan::cursor(call.arg(2))?;
    let Some(set) = read(txn, call.key(1))? else {
        return Ok(scan::shown(0, Vec::new()));
    };
    let options = scan::ScanOptions::parse(txn, call.args.skip(3), "")?;
    // Redis writes what it has as a double otherwise than what it keeps as text.
    let text = if set.is_large() { format_g17 } else { format_double };
    let mut shown = Vec::new();
    let next = set.scan(txn, cursor, options.count, |member, score| {
        if options.shows(member)? {
            shown.push(member.to_vec());
            shown.push(text(score).to_vec());
        }
        Ok(())
    })?;
    Ok(scan::shown(next, shown))
}
