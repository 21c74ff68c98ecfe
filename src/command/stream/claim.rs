//! XCLAIM and XAUTOCLAIM: pending entries that go from one consumer to another.

use super::group::{find, find_in, given_by, see};
use super::read::entry;
use super::*;
use crate::types::stream::{Delivery, Group, Search};

/// Redis allows no COUNT for which the IDs would not fit its memory.
const MAX_COUNT: i64 = i64::MAX / 16;
/// How many entries XAUTOCLAIM looks at for each that it may claim.
const ATTEMPTS: u64 = 10;

/// How entries are claimed.
struct Claim {
    /// The place of the new owner.
    consumer: usize,
    min_idle: i64,
    time: u64,
    retries: Option<u64>,
    /// Answer with IDs alone, and don't count this as another delivery.
    just_id: bool,
}

/// `XCLAIM key group consumer min-idle id... [option...]`. Replies with an array of entries that the consumer has got,
/// or of their IDs.
pub fn xclaim(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let Some((stream, mut group)) = find(txn, call)? else {
        return no_such_key_or_group(call.arg(1), call.arg(2), "");
    };
    let min_idle = parse_min_idle(call, "XCLAIM")?;
    let ids: Vec<Id> = call
        .args
        .skip(5)
        .iter()
        .map_while(|id| Id::parse(id, 0).ok())
        .collect();
    let options = ClaimOptions::parse(call, 5 + ids.len(), txn.now)?;
    group.last = group.last.max(options.last);
    let claim = Claim {
        consumer: see(txn, call.key(1), &mut group, call.arg(3))?,
        min_idle,
        time: options.time,
        retries: options.retries,
        just_id: options.just_id,
    };
    stream.prefetch(txn, ids.clone())?;
    let mut replies = Vec::new();
    for id in ids {
        let delivery = group.delivery(txn, id)?;
        if !stream.contains(txn, id)? {
            group.acknowledge(txn, id)?;
            continue;
        }
        let claimed = match delivery {
            Some(delivery) => claim.take(txn, &stream, &mut group, id, delivery)?,
            None if options.force => Some(claim.give(txn, &stream, &mut group, id, 1)?),
            None => None,
        };
        replies.extend(claimed);
    }
    group.save(txn);
    Ok(Reply::Array(replies))
}

/// `XAUTOCLAIM key group consumer min-idle start [COUNT count] [JUSTID]`. Replies with the next start, entries or IDs,
/// and IDs whose entries are gone.
pub fn xautoclaim(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let found = txn.lookup_read(call.key(1))?;
    let min_idle = parse_min_idle(call, "XAUTOCLAIM")?;
    let start = parse_start(call.arg(5))?;
    let (limit, just_id) = parse_auto_options(call)?;
    let Some((stream, mut group)) = find_in(txn, call, found.as_ref())? else {
        return no_such_key_or_group(call.arg(1), call.arg(2), "");
    };
    let claim = Claim {
        consumer: see(txn, call.key(1), &mut group, call.arg(3))?,
        min_idle,
        time: txn.now,
        retries: None,
        just_id,
    };
    let (mut claimed, mut deleted) = (Vec::new(), Vec::new());
    let (mut next, mut left, mut attempts) = (Some(start), limit, limit * ATTEMPTS);
    while let Some(from) = next.filter(|_| left > 0 && attempts > 0) {
        let batch = search(txn, &group, from, left.min(attempts))?;
        stream.prefetch(txn, batch.iter().map(|(id, _)| *id).collect())?;
        next = batch.last().and_then(|(id, _)| id.next());
        attempts -= batch.len() as u64;
        for (id, delivery) in batch {
            if !stream.contains(txn, id)? {
                group.acknowledge(txn, id)?;
                deleted.push(id_reply(id));
                left -= 1;
            } else if let Some(reply) = claim.take(txn, &stream, &mut group, id, delivery)? {
                claimed.push(reply);
                left -= 1;
            }
        }
    }
    let cursor = match next {
        Some(from) => search(txn, &group, from, 1)?.first().map(|(id, _)| *id),
        None => None,
    };
    group.save(txn);
    Ok(Reply::Array(vec![
        id_reply(cursor.unwrap_or(Id::MIN)),
        Reply::Array(claimed),
        Reply::Array(deleted),
    ]))
}

fn search(txn: &mut Txn, group: &Group, from: Id, limit: u64) -> Result<Vec<(Id, Delivery)>> {
    let search = Search {
        ids: from..=Id::MAX,
        consumer: None,
        given_by: None,
        limit,
    };
    group.search(txn, &search)
}

fn parse_min_idle(call: &Call, name: &str) -> Result<i64> {
    match parse_i64(call.arg(4)) {
        Some(ms) => Ok(ms),
        None => Stop::error(format!("ERR Invalid min-idle-time argument for {name}")),
    }
}

fn parse_auto_options(call: &Call) -> Result<(u64, bool)> {
    let (mut limit, mut just_id) = (100, false);
    let mut at = 6;
    while let Some(option) = call.args.get(at) {
        if is_option(option, "count") && at + 1 < call.args.len() {
            at += 1;
            limit = match parse_i64(call.arg(at)) {
                Some(count @ 1..=MAX_COUNT) => count.cast_unsigned(),
                _ => return Stop::error("ERR COUNT must be > 0"),
            };
        } else if is_option(option, "justid") {
            just_id = true;
        } else {
            return syntax_error();
        }
        at += 1;
    }
    Ok((limit, just_id))
}

/// What follows the IDs of XCLAIM.
struct ClaimOptions {
    force: bool,
    just_id: bool,
    time: u64,
    retries: Option<u64>,
    last: Id,
}

impl ClaimOptions {
    fn parse(call: &Call, from: usize, now: u64) -> Result<ClaimOptions> {
        let mut options = ClaimOptions {
            force: false,
            just_id: false,
            time: now,
            retries: None,
            last: Id::MIN,
        };
        let signed_now = now.cast_signed();
        let mut time = -1;
        let mut at = from;
        while let Some(option) = call.args.get(at) {
            let value = call.args.get(at + 1);
            at += 2;
            match value {
                _ if is_option(option, "force") => {
                    options.force = true;
                    at -= 1;
                }
                _ if is_option(option, "justid") => {
                    options.just_id = true;
                    at -= 1;
                }
                Some(value) if is_option(option, "idle") => {
                    time = signed_now.wrapping_sub(parse_value(value, "IDLE")?);
                }
                Some(value) if is_option(option, "time") => time = parse_value(value, "TIME")?,
                Some(value) if is_option(option, "retrycount") => {
                    options.retries = u64::try_from(parse_value(value, "RETRYCOUNT")?).ok();
                }
                Some(value) if is_option(option, "lastid") => options.last = Id::parse(value, 0)?,
                _ => {
                    let option = whole(option);
                    return Stop::error(format!("ERR Unrecognized XCLAIM option '{option}'"));
                }
            }
        }
        // A time that has not come yet, or is none, is taken for now.
        options.time = u64::try_from(time)
            .ok()
            .filter(|time| *time <= now)
            .unwrap_or(now);
        Ok(options)
    }
}

fn parse_value(text: &[u8], option: &str) -> Result<i64> {
    match parse_i64(text) {
        Some(value) => Ok(value),
        None => Stop::error(format!("ERR Invalid {option} option argument for XCLAIM")),
    }
}

impl Claim {
    /// Takes an entry from its owner, if it has had it long enough.
    fn take(
        &self,
        txn: &mut Txn,
        stream: &Stream,
        group: &mut Group,
        id: Id,
        delivery: Delivery,
    ) -> Result<Option<Reply>> {
        if given_by(txn.now, self.min_idle).is_some_and(|time| delivery.time.cast_signed() > time) {
            return Ok(None);
        }
        self.give(txn, stream, group, id, delivery.count).map(Some)
    }

    /// Gives an entry, delivered `count` times before, to the new owner.
    fn give(&self, txn: &mut Txn, stream: &Stream, group: &mut Group, id: Id, count: u64) -> Result<Reply> {
        let count = match self.retries {
            Some(retries) => retries,
            None => count.saturating_add(u64::from(!self.just_id)),
        };
        group.assign(txn, id, self.consumer, self.time, count)?;
        group.consumer(self.consumer).active = Some(txn.now);
        if self.just_id {
            return Ok(id_reply(id));
        }
        Ok(entry(txn, stream, id)?.unwrap_or(Reply::Null))
    }
}
