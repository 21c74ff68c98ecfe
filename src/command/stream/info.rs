//! XINFO.

use super::read::{entries, entry};
use super::*;
use crate::types::stream::{Consumer, Group, Order, Search, Span, Stream};

/// How many entries FULL shows unless told.
const SHOWN: u64 = 10;

/// `XINFO STREAM key [FULL [COUNT count]]`. Replies with a map.
pub fn stream(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let stream = existing(txn, call)?;
    let mut fields = vec![
        ("length", count(stream.length)),
        ("radix-tree-keys", count(stream.chunks())),
        ("radix-tree-nodes", count(radix_nodes(stream.chunks()))),
        ("last-generated-id", id_reply(stream.last)),
        ("max-deleted-entry-id", id_reply(stream.max_deleted)),
        ("entries-added", count(stream.added)),
        ("recorded-first-entry-id", id_reply(stream.first)),
    ];
    match parse_full(call)? {
        None => {
            let mut edge = |order| match stream.edge(txn, order)? {
                Some(id) => entry(txn, &stream, id),
                None => Ok(None),
            };
            let (first, last) = (edge(Order::Forward)?, edge(Order::Backward)?);
            fields.extend([
                ("groups", count(stream.group_count())),
                ("first-entry", first.unwrap_or(Reply::Null)),
                ("last-entry", last.unwrap_or(Reply::Null)),
            ]);
        }
        Some(limit) => {
            let all = Span {
                ids: Id::MIN..=Id::MAX,
                order: Order::Forward,
                limit,
            };
            let entries = entries(txn, &stream, all)?;
            let groups = stream.groups(txn)?.into_iter();
            let groups: Result<Vec<_>> = groups
                .map(|(name, group)| full_group(txn, &stream, name, group, limit))
                .collect();
            fields.extend([
                ("entries", Reply::Array(entries)),
                ("groups", Reply::Array(groups?)),
            ]);
        }
    }
    Ok(map(fields))
}

/// How many nodes Redis's radix tree has at least: there is one below each key, and a common root.
fn radix_nodes(keys: u64) -> u64 {
    keys + 1
}

/// `XINFO GROUPS key`. Replies with an array of a map for each group.
pub fn groups(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let stream = existing(txn, call)?;
    let groups = stream.groups(txn)?.into_iter().map(|(name, group)| {
        map(vec![
            ("name", Reply::bulk(name)),
            ("consumers", count(group.consumer_count())),
            ("pending", count(group.pending())),
            ("last-delivered-id", id_reply(group.last)),
            ("entries-read", maybe(group.read.map(u64::cast_signed))),
            ("lag", maybe(stream.lag(&group))),
        ])
    });
    Ok(Reply::Array(groups.collect()))
}

/// `XINFO CONSUMERS key group`. Replies with an array of a map for each consumer.
pub fn consumers(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let stream = existing(txn, call)?;
    let Some(group) = stream.group(txn, call.arg(3))? else {
        return no_such_group(call.arg(2), call.arg(3));
    };
    let now = txn.now.cast_signed();
    let shown = group.consumers(txn)?.into_iter().map(|consumer| {
        let inactive = consumer.active.map_or(-1, |time| now - time.cast_signed());
        map(vec![
            ("name", Reply::bulk(consumer.name.clone())),
            ("pending", count(consumer.pending())),
            ("idle", count(txn.now.saturating_sub(consumer.seen))),
            ("inactive", Reply::Int(inactive)),
        ])
    });
    Ok(Reply::Array(shown.collect()))
}

/// `XINFO HELP`. Replies with an array of lines.
pub fn help(_: &mut Txn, _: &Call) -> Result<Reply> {
    Ok(super::help(
        "XINFO",
        &[
            "CONSUMERS <key> <groupname>",
            "    Show consumers of <groupname>.",
            "GROUPS <key>",
            "    Show the stream consumer groups.",
            "STREAM <key> [FULL [COUNT <count>]",
            "    Show information about the stream.",
        ],
    ))
}

fn existing(txn: &mut Txn, call: &Call) -> Result<Stream> {
    let found = txn.lookup_read(call.key(2))?;
    match Stream::open(found.as_ref())? {
        Some(stream) => Ok(stream),
        None => Stop::error(NO_SUCH_KEY),
    }
}

/// With FULL: how many entries of each list are shown.
fn parse_full(call: &Call) -> Result<Option<u64>> {
    let options: Vec<&[u8]> = call.args.skip(3).iter().collect();
    match options[..] {
        [] => Ok(None),
        [full] if is_option(full, "full") => Ok(Some(SHOWN)),
        [full, word, number] if is_option(full, "full") && is_option(word, "count") => {
            Ok(Some(match u64::try_from(integer(number)?) {
                Ok(0) => u64::MAX,
                Ok(limit) => limit,
                Err(_) => SHOWN,
            }))
        }
        _ => subcommand_error(call, "XINFO"),
    }
}

fn full_group(txn: &mut Txn, stream: &Stream, name: Vec<u8>, mut group: Group, limit: u64) -> Result<Reply> {
    let mut pending = Vec::new();
    for (id, delivery) in group.search(txn, &all_pending(None, limit))? {
        txn.allowance.take(PENDING)?;
        let owner = group.numbered(txn, delivery.consumer)?;
        pending.push(Reply::Array(vec![
            id_reply(id),
            Reply::bulk(group.consumer(owner).name.clone()),
            count(delivery.time),
            count(delivery.count),
        ]));
    }
    let consumers: Result<Vec<_>> = group
        .consumers(txn)?
        .into_iter()
        .map(|consumer| full_consumer(txn, &mut group, consumer, limit))
        .collect();
    Ok(map(vec![
        ("name", Reply::bulk(name)),
        ("last-delivered-id", id_reply(group.last)),
        ("entries-read", maybe(group.read.map(u64::cast_signed))),
        ("lag", maybe(stream.lag(&group))),
        ("pel-count", count(group.pending())),
        ("pending", Reply::Array(pending)),
        ("consumers", Reply::Array(consumers?)),
    ]))
}

fn full_consumer(txn: &mut Txn, group: &mut Group, consumer: Consumer, limit: u64) -> Result<Reply> {
    let place = group.find(txn, &consumer.name)?;
    let mut pending = Vec::new();
    for (id, delivery) in group.search(txn, &all_pending(place, limit))? {
        txn.allowance.take(PENDING)?;
        pending.push(Reply::Array(vec![
            id_reply(id),
            count(delivery.time),
            count(delivery.count),
        ]));
    }
    Ok(map(vec![
        ("name", Reply::bulk(consumer.name.clone())),
        ("seen-time", count(consumer.seen)),
        (
            "active-time",
            Reply::Int(consumer.active.map_or(-1, u64::cast_signed)),
        ),
        ("pel-count", count(consumer.pending())),
        ("pending", Reply::Array(pending)),
    ]))
}

/// What an entry that is pending takes of a reply in the making.
const PENDING: usize = 8 * size_of::<Reply>();

fn all_pending(consumer: Option<usize>, limit: u64) -> Search {
    Search {
        ids: Id::MIN..=Id::MAX,
        consumer,
        given_by: None,
        limit,
    }
}

fn map(fields: Vec<(&'static str, Reply)>) -> Reply {
    let named = |(name, value): (&'static str, Reply)| (Reply::bulk(name), value);
    Reply::Map(fields.into_iter().map(named).collect())
}

fn maybe(number: Option<i64>) -> Reply {
    number.map_or(Reply::Null, Reply::Int)
}
