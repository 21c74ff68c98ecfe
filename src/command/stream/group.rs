//! XGROUP, XACK and XPENDING.

use super::super::elements::elements;
use super::*;
use crate::base::events::Events;
use crate::resp::Shape;
use crate::store::{self, Key};
use crate::types::stream::{Group, Search, Stream};

/// `XGROUP CREATE key group id|$ [MKSTREAM] [ENTRIESREAD count]`. Replies OK; with an error if the group is there, or
/// without a stream.
pub fn create(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let options = GroupOptions::parse(call, true)?;
    let key = call.key(2);
    let found = txn.lookup(key)?;
    let opened = Stream::open(found.as_ref())?;
    if opened.is_none() && !options.make_stream {
        return no_stream();
    }
    let last = match (call.arg(4), &opened) {
        (b"$", stream) => stream.as_ref().map_or(Id::MIN, |stream| stream.last),
        (id, _) => Id::parse(id, 0)?,
    };
    let mut stream = match opened {
        Some(stream) => {
            leave_watchers(txn);
            stream
        }
        None => Stream::create(txn),
    };
    if !stream.create_group(txn, call.arg(3), last, options.read)? {
        return Stop::error("BUSYGROUP Consumer Group name already exists");
    }
    stream.save(txn, key, found.as_ref())?;
    txn.notify(Events::STREAM, "xgroup-create", key);
    Ok(Reply::Ok)
}

/// `XGROUP SETID key group id|$ [ENTRIESREAD count]`. Replies OK.
pub fn set_id(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let options = GroupOptions::parse(call, false)?;
    let (_, stream, mut group) = existing(txn, call)?;
    group.last = match call.arg(4) {
        b"$" => stream.last,
        id => Id::parse_bound(id, 0)?,
    };
    group.read = options.read;
    group.save(txn);
    txn.notify(Events::STREAM, "xgroup-setid", call.key(2));
    Ok(Reply::Ok)
}

/// `XGROUP DESTROY key group`. Replies with 1 if the group was there, else with 0.
pub fn destroy(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let key = call.key(2);
    let found = txn.lookup(key)?;
    let Some(mut stream) = Stream::open(found.as_ref())? else {
        return no_stream();
    };
    leave_watchers(txn);
    if !stream.destroy_group(txn, call.arg(3))? {
        return Ok(Reply::Int(0));
    }
    stream.save(txn, key, found.as_ref())?;
    txn.notify(Events::STREAM, "xgroup-destroy", key);
    Ok(Reply::Int(1))
}

/// `XGROUP CREATECONSUMER key group consumer`. Replies with 1 if the consumer is new, else with 0.
pub fn create_consumer(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let (_, _, mut group) = existing(txn, call)?;
    if group.find(txn, call.arg(4))?.is_some() {
        return Ok(Reply::Int(0));
    }
    group.create(txn, call.arg(4))?;
    group.save(txn);
    notify_created(txn, call.key(2));
    Ok(Reply::Int(1))
}

/// `XGROUP DELCONSUMER key group consumer`. Replies with the number of entries that were pending for the consumer.
pub fn delete_consumer(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let (_, _, mut group) = existing(txn, call)?;
    let Some(pending) = group.remove(txn, call.arg(4))? else {
        return Ok(Reply::Int(0));
    };
    group.save(txn);
    txn.notify(Events::STREAM, "xgroup-delconsumer", call.key(2));
    Ok(count(pending))
}

fn notify_created(txn: &mut Txn, key: Key) {
    txn.notify(Events::STREAM, "xgroup-createconsumer", key);
}

/// The consumer of this name in the key's group, made if it is not there; it is seen now.
pub(super) fn see(txn: &mut Txn, key: Key, group: &mut Group, name: &[u8]) -> Result<usize> {
    if group.find(txn, name)?.is_none() {
        group.create(txn, name)?;
        notify_created(txn, key);
    }
    group.see(txn, name)
}

/// `XGROUP HELP`. Replies with an array of lines.
pub fn help(_: &mut Txn, _: &Call) -> Result<Reply> {
    Ok(super::help(
        "XGROUP",
        &[
            "CREATE <key> <groupname> <id|$> [option]",
            "    Create a new consumer group. Options are:",
            "    * MKSTREAM",
            "      Create the empty stream if it does not exist.",
            "    * ENTRIESREAD entries_read",
            "      Set the group's entries_read counter (internal use).",
            "CREATECONSUMER <key> <groupname> <consumer>",
            "    Create a new consumer in the specified group.",
            "DELCONSUMER <key> <groupname> <consumer>",
            "    Remove the specified consumer.",
            "DESTROY <key> <groupname>",
            "    Remove the specified group.",
            "SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
            "    Set the current group ID and entries_read counter.",
        ],
    ))
}

/// What follows the ID of CREATE and SETID.
#[derive(Default)]
struct GroupOptions {
    make_stream: bool,
    read: Option<u64>,
}

impl GroupOptions {
    fn parse(call: &Call, is_create: bool) -> Result<GroupOptions> {
        let mut options = GroupOptions::default();
        let mut at = 5;
        while let Some(option) = call.args.get(at) {
            if is_create && is_option(option, "mkstream") {
                options.make_stream = true;
                at += 1;
            } else if is_option(option, "entriesread") && at + 1 < call.args.len() {
                options.read = match integer(call.arg(at + 1))? {
                    -1 => None,
                    ..0 => return Stop::error("ERR value for ENTRIESREAD must be positive or -1"),
                    read => Some(read.cast_unsigned()),
                };
                at += 2;
            } else {
                return subcommand_error(call, "XGROUP");
            }
        }
        // Options may be repeated, but not so often that there are more arguments than all of them once.
        let most = if is_create { 8 } else { 7 };
        if call.args.len() > most {
            return subcommand_error(call, "XGROUP");
        }
        Ok(options)
    }
}

fn no_stream<T>() -> Result<T> {
    Stop::error(
        "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM \
         option to create an empty stream automatically.",
    )
}

/// The group that arguments 2 and 3 name.
fn existing(txn: &mut Txn, call: &Call) -> Result<(store::Entry, Stream, Group)> {
    let found = txn.lookup(call.key(2))?;
    let (Some(stream), Some(found)) = (Stream::open(found.as_ref())?, found) else {
        return no_stream();
    };
    leave_watchers(txn);
    match stream.group(txn, call.arg(3))? {
        Some(group) => Ok((found, stream, group)),
        None => no_such_group(call.arg(2), call.arg(3)),
    }
}

/// `XACK key group id...`. Replies with the number of entries that were pending.
pub fn xack(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let Some((_, mut group)) = find(txn, call)? else {
        return Ok(Reply::Int(0));
    };
    let mut acknowledged = 0;
    for id in parse_ids(call, 3)? {
        acknowledged += i64::from(group.acknowledge(txn, id)?);
    }
    if acknowledged > 0 {
        group.save(txn);
    }
    Ok(Reply::Int(acknowledged))
}

/// What follows writes about groups, and not to the stream itself: as in Redis, whoever watches that is not told.
pub(super) fn leave_watchers(txn: &mut Txn) {
    txn.is_unwatched = true;
}

/// The stream and the group that arguments 1 and 2 name.
pub(super) fn find(txn: &mut Txn, call: &Call) -> Result<Option<(Stream, Group)>> {
    let found = txn.lookup_read(call.key(1))?;
    find_in(txn, call, found.as_ref())
}

/// The same, of a key that was looked up already.
pub(super) fn find_in(
    txn: &mut Txn,
    call: &Call,
    found: Option<&store::Entry>,
) -> Result<Option<(Stream, Group)>> {
    let Some(stream) = Stream::open(found)? else {
        return Ok(None);
    };
    leave_watchers(txn);
    let group = stream.group(txn, call.arg(2))?;
    Ok(group.map(|group| (stream, group)))
}

/// `XPENDING key group [[IDLE min-idle] start end count [consumer]]`. Replies with a summary, or with an array of
/// deliveries.
pub fn xpending(txn: &mut Txn, call: &Call) -> Result<Reply> {
    if call.args.len() == 3 {
        return match find(txn, call)? {
            Some((_, group)) => summary(txn, &group),
            None => no_such_key_or_group(call.arg(1), call.arg(2), ""),
        };
    }
    if !(6..=9).contains(&call.args.len()) {
        return syntax_error();
    }
    let mut at = 3;
    let mut min_idle = 0;
    if is_option(call.arg(3), "idle") {
        min_idle = integer(call.arg(4))?;
        if call.args.len() < 8 {
            return syntax_error();
        }
        at = 5;
    }
    let limit = u64::try_from(integer(call.arg(at + 2))?).unwrap_or(0);
    let ids = parse_start(call.arg(at))?..=parse_end(call.arg(at + 1))?;
    let Some((_, mut group)) = find(txn, call)? else {
        return no_such_key_or_group(call.arg(1), call.arg(2), "");
    };
    let consumer = match call.args.get(at + 3) {
        None => None,
        Some(name) => match group.find(txn, name)? {
            None => return Ok(Reply::Array(Vec::new())),
            found => found,
        },
    };
    let search = Search {
        ids,
        consumer,
        given_by: given_by(txn.now, min_idle),
        limit,
    };
    deliveries(txn, call, &mut group, &search)
}

/// The latest time at which what is idle for so long was given; `None` where any will do.
pub(super) fn given_by(now: u64, min_idle: i64) -> Option<i64> {
    (min_idle > 0).then(|| now.cast_signed() - min_idle)
}

fn summary(txn: &mut Txn, group: &Group) -> Result<Reply> {
    let Some((first, last)) = group.pending_bounds(txn)? else {
        return Ok(Reply::Array(vec![
            Reply::Int(0),
            Reply::Null,
            Reply::Null,
            Reply::NullArray,
        ]));
    };
    let consumers = group.consumers(txn)?;
    let busy = consumers.into_iter().filter(|consumer| consumer.pending() > 0);
    let shown = busy.map(|consumer| {
        let pending = consumer.pending().to_string();
        Reply::Array(vec![Reply::bulk(consumer.name), Reply::bulk(pending)])
    });
    Ok(Reply::Array(vec![
        count(group.pending()),
        id_reply(first),
        id_reply(last),
        Reply::Array(shown.collect()),
    ]))
}

fn deliveries(txn: &mut Txn, call: &Call, group: &mut Group, search: &Search) -> Result<Reply> {
    let found = group.search(txn, search)?;
    elements(txn, call, Shape::Array, Some(found.len() as u64), |txn, out| {
        for &(id, delivery) in &found {
            let owner = group.numbered(txn, delivery.consumer)?;
            out.push_reply(&Reply::Array(vec![
                id_reply(id),
                Reply::bulk(group.consumer(owner).name.clone()),
                count(txn.now.saturating_sub(delivery.time)),
                count(delivery.count),
            ]))?;
        }
        Ok(())
    })
}
