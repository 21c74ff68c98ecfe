//! Commands over lists.

mod blocking;

use std::ops::Range;

use super::arguments::integer;
use super::elements::{beside_others, elements};
use super::values::length;
use super::{Call, is_option, syntax_error};
use crate::base::events::Events;
use crate::base::num::parse_i64;
use crate::resp::{Aggregate, Reply, Shape};
use crate::store::{Entry, Key, Result, Stop, Txn};
use crate::types::list::{Limit, List, Side, list_entry};

use blocking::Take;
pub use blocking::{blmove, blmpop, blpop, brpop, brpoplpush};

/// `LPUSH key element...`. Replies with the length that the list has then.
pub fn lpush(txn: &mut Txn, call: &Call) -> Result<Reply> {
    push(txn, call, Side::Left, true)
}

/// `RPUSH key element...`. Replies with the length that the list has then.
pub fn rpush(txn: &mut Txn, call: &Call) -> Result<Reply> {
    push(txn, call, Side::Right, true)
}

/// `LPUSHX key element...`. Replies with the length that the list has then; with 0 if there is none.
pub fn lpushx(txn: &mut Txn, call: &Call) -> Result<Reply> {
    push(txn, call, Side::Left, false)
}

/// `RPUSHX key element...`. Replies with the length that the list has then; with 0 if there is none.
pub fn rpushx(txn: &mut Txn, call: &Call) -> Result<Reply> {
    push(txn, call, Side::Right, false)
}

fn push(txn: &mut Txn, call: &Call, side: Side, create: bool) -> Result<Reply> {
    let key = call.key(1);
    let old = list_entry(txn.lookup(key)?)?;
    if old.is_none() && !create {
        return Ok(Reply::Int(0));
    }
    let mut list = List::open(old.as_ref())?;
    list.push(txn, side, call.args.skip(2).iter().rev());
    let len = list.len();
    list.save(txn, key, old.as_ref(), limit(call))?;
    notify_push(txn, key, side);
    Ok(length(len))
}

fn notify_push(txn: &mut Txn, key: Key, side: Side) {
    let event = match side {
        Side::Left => "lpush",
        Side::Right => "rpush",
    };
    txn.notify(Events::LIST, event, key);
}

fn notify_pop(txn: &mut Txn, key: Key, side: Side) {
    let event = match side {
        Side::Left => "lpop",
        Side::Right => "rpop",
    };
    txn.notify(Events::LIST, event, key);
}

fn limit(call: &Call) -> Limit {
    Limit(call.limits.thresholds.list_size)
}

/// `LPOP key [count]`. Replies with the element or, with a count, an array of them; null without a list.
pub fn lpop(txn: &mut Txn, call: &Call) -> Result<Reply> {
    pop(txn, call, Side::Left, "lpop")
}

/// `RPOP key [count]`. Replies with the element or, with a count, an array of them; null without a list.
pub fn rpop(txn: &mut Txn, call: &Call) -> Result<Reply> {
    pop(txn, call, Side::Right, "rpop")
}

fn pop(txn: &mut Txn, call: &Call, side: Side, name: &str) -> Result<Reply> {
    if call.args.len() > 3 {
        return Stop::error(format!("ERR wrong number of arguments for '{name}' command"));
    }
    let count = call.args.get(2).map(positive).transpose()?;
    let key = call.key(1);
    let Some(old) = list_entry(txn.lookup(key)?)? else {
        return Ok(if count.is_some() {
            Reply::NullArray
        } else {
            Reply::Null
        });
    };
    match count {
        None => Ok(pop_one(txn, key, &old, side, limit(call))?.map_or(Reply::Null, Reply::bulk)),
        Some(0) => Ok(Reply::Array(Vec::new())),
        Some(count) => pop_some(txn, key, &old, side, count, call).map(Reply::Aggregate),
    }
}

/// Takes the element at an end off; no list is empty.
fn pop_one(txn: &mut Txn, key: Key, old: &Entry, side: Side, limit: Limit) -> Result<Option<Vec<u8>>> {
    let mut list = List::open(Some(old))?;
    let mut popped = None;
    list.pop(txn, side, 1, |element| {
        popped = Some(element.to_vec());
        Ok(())
    })?;
    notify_pop(txn, key, side);
    list.save(txn, key, Some(old), limit)?;
    Ok(popped)
}

/// Takes up to `count` elements off.
fn pop_some(
    txn: &mut Txn,
    key: Key,
    old: &Entry,
    side: Side,
    count: u64,
    call: &Call,
) -> Result<Box<Aggregate>> {
    let mut list = List::open(Some(old))?;
    let mut popped = Box::new(Aggregate::new(Shape::Array, call.protocol));
    let mut room = txn.allowance;
    list.pop(txn, side, count, |element| {
        room.take(element.len())?;
        popped.push(element);
        Ok(())
    })?;
    notify_pop(txn, key, side);
    list.save(txn, key, Some(old), limit(call))?;
    Ok(popped)
}

fn positive(arg: &[u8]) -> Result<u64> {
    match parse_i64(arg).map(u64::try_from) {
        Some(Ok(value)) => Ok(value),
        _ => Stop::error("ERR value is out of range, must be positive"),
    }
}

/// `LLEN key`. Replies with the number of elements.
pub fn llen(txn: &mut Txn, call: &Call) -> Result<Reply> {
    match list_entry(txn.lookup_read(call.key(1))?)? {
        Some(entry) => Ok(length(List::open(Some(&entry))?.len())),
        None => Ok(Reply::Int(0)),
    }
}

/// `LINDEX key index`. Replies with the element, or null.
pub fn lindex(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let Some(entry) = list_entry(txn.lookup_read(call.key(1))?)? else {
        return Ok(Reply::Null);
    };
    let list = List::open(Some(&entry))?;
    let Some(index) = index_in(integer(call.arg(2))?, list.len()) else {
        return Ok(Reply::Null);
    };
    let found = list.get(txn, index)?;
    Ok(found.map_or(Reply::Null, Reply::bulk))
}

/// A position as clients name it, negative numbers counting from the end.
fn index_in(index: i64, len: u64) -> Option<u64> {
    match u64::try_from(index) {
        Ok(index) => Some(index).filter(|&index| index < len),
        Err(_) => len.checked_sub(index.unsigned_abs()),
    }
}

/// `LRANGE key start stop`. Replies with an array of elements.
pub fn lrange(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let (start, end) = (integer(call.arg(2))?, integer(call.arg(3))?);
    let Some(entry) = list_entry(txn.lookup_read(call.key(1))?)? else {
        return Ok(Reply::Array(Vec::new()));
    };
    let list = List::open(Some(&entry))?;
    let range = range_in(start, end, list.len());
    let count = range.end - range.start;
    beside_others(txn, count)?;
    elements(txn, call, Shape::Array, Some(count), |txn, out| {
        list.range(txn, range.clone(), Side::Left, |_, element| {
            out.push(element).map(|()| true)
        })
    })
}

/// `start..=end` as clients name it, cut to what lies in `len`.
fn range_in(start: i64, end: i64, len: u64) -> Range<u64> {
    let from_end = |i: i64| match u64::try_from(i) {
        Ok(i) => Some(i),
        Err(_) => len.checked_sub(i.unsigned_abs()),
    };
    let start = from_end(start).unwrap_or(0);
    let end = from_end(end).map_or(0, |end| end.saturating_add(1).min(len));
    start..end.max(start)
}

/// `LSET key index element`. Replies OK; with an error without a list, or if the index is beyond it.
pub fn lset(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let key = call.key(1);
    let Some(old) = list_entry(txn.lookup(key)?)? else {
        return Stop::error("ERR no such key");
    };
    let mut list = List::open(Some(&old))?;
    let Some(index) = index_in(integer(call.arg(2))?, list.len()) else {
        return Stop::error("ERR index out of range");
    };
    list.set(txn, index, call.arg(3))?;
    list.save(txn, key, Some(&old), limit(call))?;
    txn.notify(Events::LIST, "lset", key);
    Ok(Reply::Ok)
}

/// `LINSERT key BEFORE|AFTER pivot element`. Replies with the length that the list has then; -1 without the pivot, 0
/// without a list.
pub fn linsert(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let after = match call.arg(2) {
        word if is_option(word, "after") => 1,
        word if is_option(word, "before") => 0,
        _ => return syntax_error(),
    };
    let key = call.key(1);
    let Some(old) = list_entry(txn.lookup(key)?)? else {
        return Ok(Reply::Int(0));
    };
    let mut list = List::open(Some(&old))?;
    let pivot = call.arg(3);
    let Some(index) = list.positions(txn, Side::Left, pivot, 1)?.pop() else {
        return Ok(Reply::Int(-1));
    };
    list.insert(txn, index + after, call.arg(4))?;
    let len = list.len();
    list.save(txn, key, Some(&old), limit(call))?;
    txn.notify(Events::LIST, "linsert", key);
    Ok(length(len))
}

/// `LREM key count element`. Replies with the number of elements removed.
pub fn lrem(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let count = not_minimum(call.arg(2))?;
    let key = call.key(1);
    let Some(old) = list_entry(txn.lookup(key)?)? else {
        return Ok(Reply::Int(0));
    };
    let mut list = List::open(Some(&old))?;
    let side = if count < 0 { Side::Right } else { Side::Left };
    let most = if count == 0 {
        u64::MAX
    } else {
        count.unsigned_abs()
    };
    let mut found = list.positions(txn, side, call.arg(3), most)?;
    if found.is_empty() {
        return Ok(Reply::Int(0));
    }
    found.sort_unstable();
    list.remove(txn, &found)?;
    txn.notify(Events::LIST, "lrem", key);
    list.save(txn, key, Some(&old), limit(call))?;
    Ok(length(found.len() as u64))
}

/// An integer that has a negative.
fn not_minimum(arg: &[u8]) -> Result<i64> {
    match integer(arg)? {
        i64::MIN => Stop::error(format!(
            "ERR value is out of range, value must between {} and {}",
            -i64::MAX,
            i64::MAX
        )),
        value => Ok(value),
    }
}

/// `LTRIM key start stop`. Replies OK.
pub fn ltrim(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let (start, end) = (integer(call.arg(2))?, integer(call.arg(3))?);
    let key = call.key(1);
    let Some(old) = list_entry(txn.lookup(key)?)? else {
        return Ok(Reply::Ok);
    };
    let mut list = List::open(Some(&old))?;
    let len = list.len();
    let kept = range_in(start, end, len);
    txn.notify(Events::LIST, "ltrim", key);
    if kept.is_empty() {
        txn.remove(key, &old)?;
    } else if kept != (0..len) {
        list.trim(txn, kept)?;
        list.save(txn, key, Some(&old), limit(call))?;
    } else {
        txn.touch(key);
    }
    Ok(Reply::Ok)
}

/// What LPOS is asked for.
struct Search {
    /// The first match that counts, from 1; from the right if `side` says so.
    rank: u64,
    side: Side,
    /// `Some(0)`: all matches.
    count: Option<u64>,
    /// 0: all elements.
    compared: u64,
}

impl Search {
    fn parse(call: &Call) -> Result<Search> {
        let mut search = Search {
            rank: 1,
            side: Side::Left,
            count: None,
            compared: 0,
        };
        let mut options = call.args.skip(3).iter();
        while let Some(option) = options.next() {
            let Some(value) = options.next() else {
                return syntax_error();
            };
            if is_option(option, "rank") {
                let rank = not_minimum(value)?;
                if rank == 0 {
                    return Stop::error(
                        "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use \
                         negative to start from the end of the list",
                    );
                }
                search.rank = rank.unsigned_abs();
                search.side = if rank < 0 { Side::Right } else { Side::Left };
            } else if is_option(option, "count") {
                search.count = Some(not_negative(value, "ERR COUNT can't be negative")?);
            } else if is_option(option, "maxlen") {
                search.compared = not_negative(value, "ERR MAXLEN can't be negative")?;
            } else {
                return syntax_error();
            }
        }
        Ok(search)
    }
}

fn not_negative(arg: &[u8], error: &'static str) -> Result<u64> {
    match parse_i64(arg).map(u64::try_from) {
        Some(Ok(value)) => Ok(value),
        _ => Stop::error(error),
    }
}

/// `LPOS key element [RANK rank] [COUNT count] [MAXLEN length]`. Replies with an index or null; with a count, with an
/// array of them.
pub fn lpos(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let search = Search::parse(call)?;
    let Some(entry) = list_entry(txn.lookup_read(call.key(1))?)? else {
        return Ok(search.count.map_or(Reply::Null, |_| Reply::Array(Vec::new())));
    };
    let list = List::open(Some(&entry))?;
    let len = list.len();
    let compared = if search.compared == 0 {
        len
    } else {
        search.compared.min(len)
    };
    let range = match search.side {
        Side::Left => 0..compared,
        Side::Right => len - compared..len,
    };
    let most = match search.count {
        None => 1,
        Some(0) => u64::MAX,
        Some(count) => count,
    };
    let (mut matches, mut found) = (0, Vec::new());
    let wanted = call.arg(2);
    list.range(txn, range, search.side, |index, element| {
        if element == wanted {
            matches += 1;
            if matches >= search.rank {
                found.push(length(index));
            }
        }
        Ok((found.len() as u64) < most)
    })?;
    match search.count {
        None => Ok(found.pop().unwrap_or(Reply::Null)),
        Some(_) => Ok(Reply::Array(found)),
    }
}

/// `LMOVE source destination LEFT|RIGHT LEFT|RIGHT`. Replies with the element that was moved, or null.
pub fn lmove(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let (from, to) = (side(call.arg(3))?, side(call.arg(4))?);
    move_element(txn, call, from, to)
}

/// `RPOPLPUSH source destination`. Replies with the element that was moved, or null.
pub fn rpoplpush(txn: &mut Txn, call: &Call) -> Result<Reply> {
    move_element(txn, call, Side::Right, Side::Left)
}

fn side(arg: &[u8]) -> Result<Side> {
    match arg {
        _ if is_option(arg, "left") => Ok(Side::Left),
        _ if is_option(arg, "right") => Ok(Side::Right),
        _ => syntax_error(),
    }
}

fn move_element(txn: &mut Txn, call: &Call, from: Side, to: Side) -> Result<Reply> {
    let (source, target) = (call.key(1), call.key(2));
    super::string::prefetch_keys(txn, call, 1, 1)?;
    let Some(old) = list_entry(txn.lookup(source)?)? else {
        return Ok(Reply::Null);
    };
    if source == target {
        let mut list = List::open(Some(&old))?;
        let mut moved = Vec::new();
        list.pop(txn, from, 1, |element| {
            moved = element.to_vec();
            Ok(())
        })?;
        list.push(txn, to, std::iter::once(&moved[..]));
        list.save(txn, source, Some(&old), limit(call))?;
        notify_push(txn, source, to);
        notify_pop(txn, source, from);
        return Ok(Reply::bulk(moved));
    }
    let there = list_entry(txn.lookup(target)?)?;
    let mut popped_from = List::open(Some(&old))?;
    let mut moved = Vec::new();
    popped_from.pop(txn, from, 1, |element| {
        moved = element.to_vec();
        Ok(())
    })?;
    let mut list = List::open(there.as_ref())?;
    list.push(txn, to, std::iter::once(&moved[..]));
    list.save(txn, target, there.as_ref(), limit(call))?;
    notify_push(txn, target, to);
    notify_pop(txn, source, from);
    popped_from.save(txn, source, Some(&old), limit(call))?;
    Ok(Reply::bulk(moved))
}

/// `LMPOP count key... LEFT|RIGHT [COUNT count]`. Replies with the key and an array of elements, or null if all lists
/// are empty.
pub fn lmpop(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let popped = Take::parse(call, 1)?.run(txn, call)?;
    Ok(popped.unwrap_or(Reply::NullArray))
}

fn at_least_one(arg: &[u8], error: &'static str) -> Result<u64> {
    match parse_i64(arg).map(u64::try_from) {
        Some(Ok(value)) if value > 0 => Ok(value),
        _ => Stop::error(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_from_either_end() {
        for (index, found) in [
            (0, Some(0)),
            (2, Some(2)),
            (3, None),
            (-1, Some(2)),
            (-3, Some(0)),
            (-4, None),
        ] {
            assert_eq!(index_in(index, 3), found, "{index}");
        }
        assert_eq!(index_in(i64::MIN, 3), None);
        for (start, end, range) in [
            (0, -1, 0..3),
            (-2, -1, 1..3),
            (-9, 9, 0..3),
            (i64::MIN, i64::MAX, 0..3),
            (1, 1, 1..2),
        ] {
            assert_eq!(range_in(start, end, 3), range, "{start} {end}");
        }
        for (start, end) in [(2, 1), (3, 9), (0, -4), (i64::MAX, i64::MAX), (0, i64::MIN)] {
            assert!(range_in(start, end, 3).is_empty(), "{start} {end}");
        }
    }
}
