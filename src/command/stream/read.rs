//! XRANGE, XREVRANGE, XREAD and XREADGROUP.

use super::super::elements::elements;
use super::group::{leave_watchers, see};
use super::*;
use crate::command::blocking::{await_with, milliseconds};
use crate::resp::Shape;
use crate::store::{Await, Sought};
use crate::types::keys;
use crate::types::stream::{Group, Order, Search, Span, Stream};

/// Room for at most so many entries is made before they are found.
const RESERVED: u64 = 256;

/// `XRANGE key start end [COUNT count]`. Replies with an array of entries: each an ID and an array of fields and
/// values.
pub fn xrange(txn: &mut Txn, call: &Call) -> Result<Reply> {
    interval(txn, call, Order::Forward)
}

/// `XREVRANGE key end start [COUNT count]`. Replies as XRANGE does, from the highest ID down.
pub fn xrevrange(txn: &mut Txn, call: &Call) -> Result<Reply> {
    interval(txn, call, Order::Backward)
}

fn interval(txn: &mut Txn, call: &Call, order: Order) -> Result<Reply> {
    let (start, end) = match order {
        Order::Forward => (2, 3),
        Order::Backward => (3, 2),
    };
    let (start, end) = (parse_start(call.arg(start))?, parse_end(call.arg(end))?);
    let mut limit = u64::MAX;
    let mut at = 4;
    while let Some(option) = call.args.get(at) {
        let (true, Some(number)) = (is_option(option, "count"), call.args.get(at + 1)) else {
            return syntax_error();
        };
        limit = u64::try_from(integer(number)?).unwrap_or(0);
        at += 2;
    }
    let found = txn.lookup_read(call.key(1))?;
    let Some(stream) = Stream::open(found.as_ref())? else {
        return Ok(Reply::Array(Vec::new()));
    };
    if limit == 0 {
        return Ok(Reply::NullArray);
    }
    let span = Span {
        ids: start..=end,
        order,
        limit,
    };
    elements(txn, call, Shape::Array, None, |txn, out| {
        let visit = |record: &Value, entry: &Entry| out.push_reply(&entry_reply(record, entry)?);
        stream.range(txn, span.clone(), visit).map(|_| ())
    })
}

/// The entries of a span, as replies.
pub fn entries(txn: &mut Txn, stream: &Stream, span: Span) -> Result<Vec<Reply>> {
    let mut replies = Vec::with_capacity(span.limit.min(stream.length).min(RESERVED) as usize);
    let mut room = txn.allowance;
    stream.range(txn, span, |record, entry| {
        room.take(reply_size(entry))?;
        replies.push(entry_reply(record, entry)?);
        Ok(())
    })?;
    txn.allowance = room;
    Ok(replies)
}

/// The entry of this ID, if it is there.
pub fn entry(txn: &mut Txn, stream: &Stream, id: Id) -> Result<Option<Reply>> {
    let span = Span {
        ids: id..=id,
        order: Order::Forward,
        limit: 1,
    };
    Ok(entries(txn, stream, span)?.pop())
}

/// XREAD and XREADGROUP, taken apart as far as that goes without looking at a key.
struct Request<'a> {
    /// At most so many entries of each stream.
    limit: u64,
    /// Milliseconds; 0 is for ever.
    block: Option<u64>,
    group: Option<(&'a [u8], &'a [u8])>,
    no_ack: bool,
    /// The first key among the arguments. The IDs follow the keys.
    first: usize,
    keys: usize,
}

impl<'a> Request<'a> {
    fn parse(call: &Call<'a>, is_group: bool, now: u64) -> Result<Request<'a>> {
        let mut request = Request {
            limit: u64::MAX,
            block: None,
            group: None,
            no_ack: false,
            first: 0,
            keys: 0,
        };
        let mut at = 1;
        while let (Some(option), 0) = (call.args.get(at), request.first) {
            let more = call.args.len() - at - 1;
            if is_option(option, "block") && more > 0 {
                at += 1;
                request.block = Some(milliseconds(call.arg(at), now)?);
            } else if is_option(option, "count") && more > 0 {
                at += 1;
                request.limit = match u64::try_from(integer(call.arg(at))?) {
                    Ok(0) | Err(_) => u64::MAX,
                    Ok(limit) => limit,
                };
            } else if is_option(option, "streams") && more > 0 {
                if more % 2 == 1 {
                    let (name, id) = if is_group {
                        ("xreadgroup", '>')
                    } else {
                        ("xread", '$')
                    };
                    return Stop::error(format!(
                        "ERR Unbalanced '{name}' list of streams: for each stream key an ID or '{id}' must be \
                         specified."
                    ));
                }
                (request.first, request.keys) = (at + 1, more / 2);
            } else if is_option(option, "group") && more > 1 {
                check_for_group("GROUP", is_group)?;
                request.group = Some((call.arg(at + 1), call.arg(at + 2)));
                at += 2;
            } else if is_option(option, "noack") {
                check_for_group("NOACK", is_group)?;
                request.no_ack = true;
            } else {
                return syntax_error();
            }
            at += 1;
        }
        if request.first == 0 {
            return syntax_error();
        }
        if is_group && request.group.is_none() {
            return Stop::error("ERR Missing GROUP option for XREADGROUP");
        }
        Ok(request)
    }

    /// Where each key and its ID are among the arguments.
    fn streams(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let keys = self.keys;
        (self.first..self.first + keys).map(move |at| (at, at + keys))
    }

    /// What is answered where there is nothing to read, unless the client is to wait. `settled` are the IDs that mean now.
    fn nothing(
        &self,
        call: &Call,
        sought: Sought,
        settled: impl FnOnce() -> Vec<(usize, Vec<u8>)>,
    ) -> Result<Reply> {
        let Some(timeout) = self.block else {
            return Ok(Reply::NullArray);
        };
        let wanted = Await {
            keys: self.first..self.first + self.keys,
            sought,
            timeout,
            settled: settled(),
        };
        await_with(call, wanted, Reply::NullArray)
    }
}

fn check_for_group(option: &str, is_group: bool) -> Result<()> {
    if is_group {
        return Ok(());
    }
    Stop::error(format!(
        "ERR The {option} option is only supported by XREADGROUP. You called XREAD instead."
    ))
}

/// `XREAD [COUNT count] [BLOCK milliseconds] STREAMS key... id...`. Replies with the entries behind the IDs by key, or
/// null if there are none.
pub fn xread(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let request = Request::parse(call, false, txn.now)?;
    let mut lasts = Vec::new();
    match read_new(txn, call, &request, &mut lasts)? {
        Some(reply) => Ok(reply),
        None => request.nothing(call, Sought::Stream, || {
            let ids = request.streams().map(|(_, id)| id).zip(lasts);
            ids.filter(|(at, _)| call.arg(*at) == b"$")
                .map(|(at, last)| (at, last.to_string().into_bytes()))
                .collect()
        }),
    }
}

/// The entries behind the IDs, if there are any. The last ID of each stream goes to `lasts`.
fn read_new(txn: &mut Txn, call: &Call, request: &Request, lasts: &mut Vec<Id>) -> Result<Option<Reply>> {
    keys::prefetch(txn, request.streams().map(|(key, _)| call.key(key)))?;
    let mut spans = Vec::with_capacity(request.keys);
    let mut missed = Vec::new();
    for (key, id) in request.streams() {
        let found = txn.lookup_read(call.key(key))?;
        let stream = Stream::open(found.as_ref())?;
        lasts.push(stream.as_ref().map_or(Id::MIN, |stream| stream.last));
        let span = match stream {
            Some(stream) => {
                span_behind(txn, call.arg(id), Some(&stream), request.limit)?.map(|span| (stream, span))
            }
            None => {
                span_behind(txn, call.arg(id), None, request.limit)?;
                missed.push(key);
                None
            }
        };
        spans.push(span);
    }
    // Redis looks twice, so it counts and tells of what is missed twice.
    for key in missed {
        txn.lookup_read(call.key(key))?;
    }
    if call.sink.is_some() {
        return show_spans(txn, call, request, &spans);
    }
    let mut replies = Vec::new();
    for ((key, _), span) in request.streams().zip(spans) {
        let Some((stream, span)) = span else { continue };
        let found = entries(txn, &stream, span)?;
        if !found.is_empty() {
            replies.push((Reply::bulk(call.arg(key).to_vec()), Reply::Array(found)));
        }
    }
    Ok((!replies.is_empty()).then_some(Reply::NestedMap(replies)))
}

/// The entries of these spans, as they are found.
fn show_spans(
    txn: &mut Txn,
    call: &Call,
    request: &Request,
    spans: &[Option<(Stream, Span)>],
) -> Result<Option<Reply>> {
    let mut found = Vec::with_capacity(spans.len());
    for ((key, _), span) in request.streams().zip(spans) {
        if let Some((stream, span)) = span {
            let entries = stream.range(txn, span.clone(), |_, _| Ok(()))?;
            found.push((key, stream, span, entries));
        }
    }
    found.retain(|(_, _, _, entries)| *entries > 0);
    if found.is_empty() {
        return Ok(None);
    }
    let streams = found.len() as u64;
    elements(txn, call, Shape::NestedMap, Some(streams), |txn, out| {
        for (key, stream, span, entries) in &found {
            out.begin_nested(call.arg(*key), *entries)?;
            let visit = |record: &Value, entry: &Entry| out.push_nested(&entry_reply(record, entry)?);
            stream.range(txn, (*span).clone(), visit)?;
        }
        Ok(())
    })
    .map(Some)
}

/// What XREAD reads of a stream. Nothing if the ID is the last one.
fn span_behind(txn: &mut Txn, id: &[u8], stream: Option<&Stream>, limit: u64) -> Result<Option<Span>> {
    let (first, limit) = match id {
        b"$" => (None, limit),
        // The last entry that is there, whatever COUNT says.
        b"+" => match stream {
            Some(stream) => (stream.edge(txn, Order::Backward)?, 1),
            None => (None, limit),
        },
        b">" => {
            return Stop::error(
                "ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> \
                 option.",
            );
        }
        id => (Id::parse(id, 0)?.next(), limit),
    };
    let top = stream.map_or(Id::MIN, |stream| stream.last);
    Ok(first.filter(|first| *first <= top).map(|first| Span {
        ids: first..=Id::MAX,
        order: Order::Forward,
        limit,
    }))
}

/// `XREADGROUP GROUP group consumer [COUNT count] [BLOCK milliseconds] [NOACK] STREAMS key... id...`. Replies as XREAD
/// does.
pub fn xreadgroup(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let request = Request::parse(call, true, txn.now)?;
    leave_watchers(txn);
    match read_for_consumer(txn, call, &request)? {
        Some(reply) => Ok(reply),
        None => request.nothing(call, Sought::StreamOrNone, Vec::new),
    }
}

/// What a consumer reads of a stream.
#[derive(Clone, Copy)]
enum From {
    /// What its group has not read.
    Group,
    /// What is pending with it, from this ID on.
    History(Option<Id>),
}

/// What the consumer asked for, if there is anything.
fn read_for_consumer(txn: &mut Txn, call: &Call, request: &Request) -> Result<Option<Reply>> {
    let Some((group_name, consumer_name)) = request.group else {
        return syntax_error();
    };
    keys::prefetch(txn, request.streams().map(|(key, _)| call.key(key)))?;
    let mut reads = Vec::with_capacity(request.keys);
    for (key, id) in request.streams() {
        let found = txn.lookup_read(call.key(key))?;
        let stream = Stream::open(found.as_ref())?;
        let group = match &stream {
            Some(stream) => stream.group(txn, group_name)?,
            None => None,
        };
        let (Some(stream), Some(group)) = (stream, group) else {
            return no_such_key_or_group(call.arg(key), group_name, " in XREADGROUP with GROUP option");
        };
        reads.push((key, stream, group, parse_from(call.arg(id))?));
    }
    let mut replies = Vec::new();
    for (key, stream, mut group, from) in reads {
        // A stream that is named twice is read on where it was left.
        if (request.first..key).any(|other| call.arg(other) == call.arg(key)) {
            let Some(again) = stream.group(txn, group_name)? else {
                continue;
            };
            group = again;
        }
        let consumer = see(txn, call.key(key), &mut group, consumer_name)?;
        let entries = match from {
            From::Group => deliver(txn, &stream, &mut group, consumer, request)?,
            From::History(from) => Some(history(txn, &stream, &mut group, consumer, from, request.limit)?),
        };
        group.save(txn);
        if let Some(entries) = entries {
            replies.push((Reply::bulk(call.arg(key).to_vec()), Reply::Array(entries)));
        }
    }
    Ok((!replies.is_empty()).then_some(Reply::NestedMap(replies)))
}

fn parse_from(id: &[u8]) -> Result<From> {
    match id {
        b">" => Ok(From::Group),
        b"$" | b"+" => {
            let id = char::from(id[0]);
            Stop::error(format!(
                "ERR The {id} ID is meaningless in the context of XREADGROUP: you want to read the history of this \
                 consumer by specifying a proper ID, or use the > ID to get new messages. The {id} ID would just \
                 return an empty result set."
            ))
        }
        id => match Id::parse(id, 0)? {
            // Redis has this ID stand for `>`.
            Id::MAX => Ok(From::Group),
            id => Ok(From::History(id.next())),
        },
    }
}

fn deliver(
    txn: &mut Txn,
    stream: &Stream,
    group: &mut Group,
    consumer: usize,
    request: &Request,
) -> Result<Option<Vec<Reply>>> {
    let (mut replies, mut room) = (Vec::new(), txn.allowance);
    stream.deliver(
        txn,
        group,
        consumer,
        request.limit,
        !request.no_ack,
        |record, entry| {
            room.take(reply_size(entry))?;
            replies.push(entry_reply(record, entry)?);
            Ok(())
        },
    )?;
    txn.allowance = room;
    Ok((!replies.is_empty()).then_some(replies))
}

/// What is pending with the consumer, from an ID on; each entry is given once more by that. Of those that were deleted
/// there is the ID alone.
fn history(
    txn: &mut Txn,
    stream: &Stream,
    group: &mut Group,
    consumer: usize,
    from: Option<Id>,
    limit: u64,
) -> Result<Vec<Reply>> {
    let Some(from) = from else {
        return Ok(Vec::new());
    };
    let search = Search {
        ids: from..=Id::MAX,
        consumer: Some(consumer),
        given_by: None,
        limit,
    };
    let mut replies = Vec::new();
    let pending = group.search(txn, &search)?;
    stream.prefetch(txn, pending.iter().map(|(id, _)| *id).collect())?;
    for (id, delivery) in pending {
        match entry(txn, stream, id)? {
            Some(reply) => {
                group.assign(txn, id, consumer, txn.now, delivery.count.saturating_add(1))?;
                replies.push(reply);
            }
            None => replies.push(Reply::Array(vec![id_reply(id), Reply::NullArray])),
        }
    }
    Ok(replies)
}
