//! ZUNION, ZINTER, ZDIFF, and the commands that store or count what these come to.

use super::super::elements::elements;
use super::super::values::bulk;
use super::super::{Call, NOT_AN_INTEGER, is_option, syntax_error};
use crate::base::num::{parse_f64, parse_i64};
use crate::resp::{Reply, Shape};
use crate::store::{Key, Result, Stop, Txn};
use crate::types::keys;
use crate::types::sorted_set::{self, Aggregate, Operation, Source};
use crate::types::string::Bytes;

/// What a command of this file does with its sources.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
    Show,
    Store,
    Count,
}

/// The sources and the options of one call.
struct Query {
    sources: Vec<(Source, f64)>,
    aggregate: Aggregate,
    with_scores: bool,
    limit: u64,
}

/// `ZUNION count key... [WEIGHTS weight...] [AGGREGATE SUM|MIN|MAX] [WITHSCORES]`. Replies with an array in order of
/// scores.
pub fn zunion(txn: &mut Txn, call: &Call) -> Result<Reply> {
    show(txn, call, "zunion", Operation::Union)
}

/// `ZINTER count key... [WEIGHTS weight...] [AGGREGATE SUM|MIN|MAX] [WITHSCORES]`. Replies with an array in order of
/// scores.
pub fn zinter(txn: &mut Txn, call: &Call) -> Result<Reply> {
    show(txn, call, "zinter", Operation::Intersection)
}

/// `ZDIFF count key... [WITHSCORES]`. Replies with an array in order of scores.
pub fn zdiff(txn: &mut Txn, call: &Call) -> Result<Reply> {
    show(txn, call, "zdiff", Operation::Difference)
}

/// `ZUNIONSTORE destination count key... [WEIGHTS weight...] [AGGREGATE SUM|MIN|MAX]`. Replies with the number of
/// members stored.
pub fn zunionstore(txn: &mut Txn, call: &Call) -> Result<Reply> {
    store(txn, call, "zunionstore", Operation::Union)
}

/// `ZINTERSTORE destination count key... [WEIGHTS weight...] [AGGREGATE SUM|MIN|MAX]`. Replies with the number of
/// members stored.
pub fn zinterstore(txn: &mut Txn, call: &Call) -> Result<Reply> {
    store(txn, call, "zinterstore", Operation::Intersection)
}

/// `ZDIFFSTORE destination count key...`. Replies with the number of members stored.
pub fn zdiffstore(txn: &mut Txn, call: &Call) -> Result<Reply> {
    store(txn, call, "zdiffstore", Operation::Difference)
}

fn show(txn: &mut Txn, call: &Call, name: &str, operation: Operation) -> Result<Reply> {
    let query = open(txn, call, name, operation, Use::Show)?;
    let members = sorted_set::combine(txn, operation, query.sources, query.aggregate)?;
    if call.sink.is_some() {
        let shape = match query.with_scores {
            true => Shape::Pairs,
            false => Shape::Array,
        };
        return elements(txn, call, shape, Some(members.len() as u64), |_, out| {
            members
                .iter()
                .try_for_each(|(member, score)| match query.with_scores {
                    true => out.push_scored(member, *score),
                    false => out.push(member),
                })
        });
    }
    let members = members
        .into_iter()
        .map(|(member, score)| (bulk(Bytes::Owned(member)), score));
    if query.with_scores {
        let pairs = members.map(|(member, score)| (member, Reply::Double(score)));
        return Ok(Reply::Pairs(pairs.collect()));
    }
    Ok(Reply::Array(members.map(|(member, _)| member).collect()))
}

fn store(txn: &mut Txn, call: &Call, name: &'static str, operation: Operation) -> Result<Reply> {
    let query = open(txn, call, name, operation, Use::Store)?;
    let members = sorted_set::combine(txn, operation, query.sources, query.aggregate)?;
    sorted_set::replace(txn, call.key(1), &members, &call.limits.thresholds, name)?;
    Ok(Reply::Int(members.len() as i64))
}

/// `ZINTERCARD count key... [LIMIT limit]`. Replies with the number of common members, counted up to the limit.
pub fn zintercard(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let query = open(txn, call, "zintercard", Operation::Intersection, Use::Count)?;
    let sources = query.sources.into_iter().map(|(source, _)| source).collect();
    let count = sorted_set::count_common(txn, sources, query.limit)?;
    Ok(Reply::Int(count as i64))
}

/// Reads the call in Redis's order: the number of keys, the keys, then the options.
fn open(txn: &mut Txn, call: &Call, name: &str, operation: Operation, usage: Use) -> Result<Query> {
    let at = if usage == Use::Store { 2 } else { 1 };
    let Some(number) = parse_i64(call.arg(at)) else {
        return Stop::error(NOT_AN_INTEGER);
    };
    if number < 1 {
        return Stop::error(format!("ERR at least 1 input key is needed for '{name}' command"));
    }
    let first = at + 1;
    let names = match usize::try_from(number) {
        Ok(number) if number <= call.args.len() - first => call.args.skip(first).first(number),
        _ => return syntax_error(),
    };
    let key = |name| Key { db: call.db, name };
    let target = (usage == Use::Store).then(|| call.key(1));
    keys::prefetch(txn, names.iter().map(key).chain(target))?;
    let mut sources = Vec::with_capacity(names.len());
    for name in names {
        let found = txn.lookup_read(key(name))?;
        sources.push((Source::open(found)?, 1.0));
    }
    let mut query = Query {
        sources,
        aggregate: Aggregate::Sum,
        with_scores: false,
        limit: u64::MAX,
    };
    query.take_options(call, first + names.len(), operation, usage)?;
    Ok(query)
}

impl Query {
    fn take_options(&mut self, call: &Call, mut at: usize, operation: Operation, usage: Use) -> Result<()> {
        let aggregates = operation != Operation::Difference && usage != Use::Count;
        let sources = self.sources.len();
        while let Some(option) = call.args.get(at) {
            let left = call.args.len() - at;
            if aggregates && left > sources && is_option(option, "weights") {
                for (source, weight) in self.sources.iter_mut().zip(call.args.skip(at + 1)) {
                    source.1 = match parse_f64(weight) {
                        Some(weight) => weight,
                        None => return Stop::error("ERR weight value is not a float"),
                    };
                }
                at += 1 + sources;
            } else if aggregates && left >= 2 && is_option(option, "aggregate") {
                self.aggregate = match call.arg(at + 1) {
                    word if is_option(word, "sum") => Aggregate::Sum,
                    word if is_option(word, "min") => Aggregate::Min,
                    word if is_option(word, "max") => Aggregate::Max,
                    _ => return syntax_error(),
                };
                at += 2;
            } else if usage == Use::Show && is_option(option, "withscores") {
                self.with_scores = true;
                at += 1;
            } else if usage == Use::Count && left >= 2 && is_option(option, "limit") {
                self.limit = match parse_i64(call.arg(at + 1)) {
                    Some(0) => u64::MAX,
                    Some(limit @ 1..) => limit as u64,
                    _ => return Stop::error("ERR LIMIT can't be negative"),
                };
                at += 2;
            } else {
                return syntax_error();
            }
        }
        Ok(())
    }
}
