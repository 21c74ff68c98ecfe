//! Streams: entries added, counted, deleted and trimmed; other files here read them, share them out, and tell about them.

pub mod claim;
pub mod group;
pub mod info;
pub mod read;

use super::arguments::integer;
use super::{Call, help, is_option, syntax_error};
use crate::base::events::Events;
use crate::base::num::parse_i64;
use crate::resp::{Blob, Reply, c_text};
use crate::store::{Result, Stop, Txn, Value};
use crate::types::stream::{Bound, Entry, Id, NewId, Stream, Trim};

/// Redis's cost of a command that trims approximately and was given no limit, whatever a node holds.
const DEFAULT_LIMIT: u64 = 10_000;
const MAX_LIMIT: u64 = 1_000_000;

/// Bytes of an ID's text, unless its number in the millisecond is large.
const ID_TEXT: usize = 16;

const NO_SUCH_KEY: &str = "ERR no such key";

/// `XADD key [NOMKSTREAM] [trimming] *|id field value...`. Replies with the new entry's ID, or null if there is no
/// stream to add to.
pub fn xadd(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let options = AddOptions::parse(call, true)?;
    let Some(id) = options.id else {
        return wrong_number_of_arguments("xadd");
    };
    let pairs: Vec<&[u8]> = call.args.skip(options.end).iter().collect();
    if pairs.is_empty() || pairs.len() % 2 == 1 {
        return wrong_number_of_arguments("xadd");
    }
    if id == NewId::Exactly(Id::MIN) {
        return Stop::error("ERR The ID specified in XADD must be greater than 0-0");
    }
    let key = call.key(1);
    let found = txn.lookup(key)?;
    let mut stream = match Stream::open(found.as_ref())? {
        Some(stream) => stream,
        None if options.no_create => return Ok(Reply::Null),
        None => Stream::create(txn),
    };
    let id = stream.append(txn, id, &pairs, &call.limits.thresholds)?;
    let trimmed = match options.trim {
        Some(trim) => stream.trim(txn, trim)?,
        None => 0,
    };
    stream.save(txn, key, found.as_ref())?;
    txn.notify(Events::STREAM, "xadd", key);
    if trimmed > 0 {
        txn.notify(Events::STREAM, "xtrim", key);
    }
    Ok(id_reply(id))
}

/// `XLEN key`. Replies with the number of entries.
pub fn xlen(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let found = txn.lookup_read(call.key(1))?;
    let stream = Stream::open(found.as_ref())?;
    Ok(count(stream.map_or(0, |stream| stream.length)))
}

/// `XDEL key id...`. Replies with the number of entries that were there.
pub fn xdel(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let key = call.key(1);
    let found = txn.lookup(key)?;
    let Some(mut stream) = Stream::open(found.as_ref())? else {
        return Ok(Reply::Int(0));
    };
    let ids = parse_ids(call, 2)?;
    let deleted = stream.remove(txn, ids)?;
    if deleted > 0 {
        stream.save(txn, key, found.as_ref())?;
        txn.notify(Events::STREAM, "xdel", key);
    }
    Ok(count(deleted))
}

/// `XTRIM key trimming`. Replies with the number of entries dropped.
pub fn xtrim(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let Some(trim) = AddOptions::parse(call, false)?.trim else {
        return Stop::error("ERR syntax error, XTRIM must be called with a trimming strategy");
    };
    let key = call.key(1);
    let found = txn.lookup(key)?;
    let Some(mut stream) = Stream::open(found.as_ref())? else {
        return Ok(Reply::Int(0));
    };
    let deleted = stream.trim(txn, trim)?;
    if deleted > 0 {
        stream.save(txn, key, found.as_ref())?;
        txn.notify(Events::STREAM, "xtrim", key);
    }
    Ok(count(deleted))
}

/// `XSETID key id [ENTRIESADDED count] [MAXDELETEDID id]`. Replies OK.
pub fn xsetid(txn: &mut Txn, call: &Call) -> Result<Reply> {
    group::leave_watchers(txn);
    let last = Id::parse(call.arg(2), 0)?;
    let (mut added, mut max_deleted) = (None, None);
    let mut at = 3;
    while let Some(option) = call.args.get(at) {
        let Some(value) = call.args.get(at + 1) else {
            return syntax_error();
        };
        if is_option(option, "entriesadded") {
            let Ok(number) = u64::try_from(integer(value)?) else {
                return Stop::error("ERR entries_added must be positive");
            };
            added = Some(number);
        } else if is_option(option, "maxdeletedid") {
            let id = Id::parse(value, 0)?;
            if last < id {
                return Stop::error(
                    "ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id",
                );
            }
            max_deleted = Some(id).filter(|id| *id != Id::MIN);
        } else {
            return syntax_error();
        }
        at += 2;
    }
    let key = call.key(1);
    let found = txn.lookup(key)?;
    let Some(mut stream) = Stream::open(found.as_ref())? else {
        return Stop::error(NO_SUCH_KEY);
    };
    stream.set_id(txn, last, added, max_deleted)?;
    stream.save(txn, key, found.as_ref())?;
    txn.notify(Events::STREAM, "xsetid", key);
    Ok(Reply::Ok)
}

/// What is before the fields of XADD, and all of XTRIM behind the key.
#[derive(Default)]
struct AddOptions {
    no_create: bool,
    trim: Option<Trim>,
    /// XADD's.
    id: Option<NewId>,
    /// Behind the last argument that was read.
    end: usize,
}

impl AddOptions {
    fn parse(call: &Call, is_add: bool) -> Result<AddOptions> {
        let mut options = AddOptions::default();
        let mut limit = None;
        let mut at = 2;
        while let (Some(option), None) = (call.args.get(at), options.id) {
            let has_more = at + 1 < call.args.len();
            if is_add && option == b"*" {
                options.id = Some(NewId::Now);
            } else if has_more && (is_option(option, "maxlen") || is_option(option, "minid")) {
                if options.trim.is_some() {
                    return Stop::error(
                        "ERR syntax error, MAXLEN and MINID options at the same time are not compatible",
                    );
                }
                let (trim, value) = parse_trim(call, at, is_option(option, "maxlen"))?;
                options.trim = Some(trim);
                at = value;
            } else if has_more && is_option(option, "limit") {
                at += 1;
                let Ok(number) = u64::try_from(integer(call.arg(at))?) else {
                    return Stop::error("ERR The LIMIT argument must be >= 0.");
                };
                limit = Some(number);
            } else if is_add && is_option(option, "nomkstream") {
                options.no_create = true;
            } else if is_add {
                options.id = Some(NewId::parse(option)?);
            } else {
                return syntax_error();
            }
            at += 1;
        }
        options.end = at;
        options.set_limit(limit, call, is_add)?;
        Ok(options)
    }

    fn set_limit(&mut self, limit: Option<u64>, call: &Call, is_add: bool) -> Result<()> {
        let Some(trim) = &mut self.trim else {
            if limit.is_some_and(|limit| limit > 0) {
                return Stop::error(
                    "ERR syntax error, LIMIT cannot be used without specifying a trimming strategy",
                );
            }
            if !is_add {
                return Stop::error("ERR syntax error, XTRIM must be called with a trimming strategy");
            }
            return match limit {
                Some(_) => limit_without_approximation(),
                None => Ok(()),
            };
        };
        trim.limit = match limit {
            Some(_) if !trim.approximate => return limit_without_approximation(),
            Some(limit) => Some(limit).filter(|limit| *limit > 0),
            None if trim.approximate => {
                let nodes = call.limits.thresholds.stream_entries.saturating_mul(100);
                Some(if nodes == 0 {
                    DEFAULT_LIMIT
                } else {
                    nodes.min(MAX_LIMIT)
                })
            }
            None => None,
        };
        Ok(())
    }
}

fn limit_without_approximation<T>() -> Result<T> {
    Stop::error("ERR syntax error, LIMIT cannot be used without the special ~ option")
}

/// `MAXLEN` or `MINID` at argument `at`, and where its value is.
fn parse_trim(call: &Call, at: usize, by_length: bool) -> Result<(Trim, usize)> {
    let sign = call.arg(at + 1);
    let has_sign = at + 2 < call.args.len() && matches!(sign, b"~" | b"=");
    let value = at + 1 + usize::from(has_sign);
    let bound = if by_length {
        let Ok(most) = u64::try_from(integer(call.arg(value))?) else {
            return Stop::error("ERR The MAXLEN argument must be >= 0.");
        };
        Bound::Length(most)
    } else {
        Bound::Id(Id::parse(call.arg(value), 0)?)
    };
    let trim = Trim {
        bound,
        approximate: has_sign && sign == b"~",
        limit: None,
    };
    Ok((trim, value))
}

fn wrong_number_of_arguments<T>(name: &str) -> Result<T> {
    Stop::error(format!("ERR wrong number of arguments for '{name}' command"))
}

/// What Redis answers to options of a subcommand that make no sense.
fn subcommand_error<T>(call: &Call, container: &str) -> Result<T> {
    let name = crate::resp::shown(call.arg(1));
    Stop::error(format!(
        "ERR unknown subcommand or wrong number of arguments for '{name}'. Try {container} HELP."
    ))
}

/// All arguments from the given one on.
fn parse_ids(call: &Call, from: usize) -> Result<Vec<Id>> {
    call.args.skip(from).iter().map(|id| Id::parse(id, 0)).collect()
}

/// The first ID of an interval: `(` in front leaves the ID itself out.
fn parse_start(text: &[u8]) -> Result<Id> {
    let Some(excluded) = text.strip_prefix(b"(").filter(|id| !id.is_empty()) else {
        return Id::parse_bound(text, 0);
    };
    match Id::parse(excluded, 0)?.next() {
        Some(id) => Ok(id),
        None => Stop::error("ERR invalid start ID for the interval"),
    }
}

/// The last one.
fn parse_end(text: &[u8]) -> Result<Id> {
    let Some(excluded) = text.strip_prefix(b"(").filter(|id| !id.is_empty()) else {
        return Id::parse_bound(text, u64::MAX);
    };
    match Id::parse(excluded, u64::MAX)?.previous() {
        Some(id) => Ok(id),
        None => Stop::error("ERR invalid end ID for the interval"),
    }
}

/// An argument in an error's text: all that C would print of it.
fn whole(arg: &[u8]) -> String {
    String::from_utf8_lossy(c_text(arg, arg.len())).into_owned()
}

fn no_such_group<T>(key: &[u8], group: &[u8]) -> Result<T> {
    let (key, group) = (whole(key), whole(group));
    Stop::error(format!(
        "NOGROUP No such consumer group '{group}' for key name '{key}'"
    ))
}

fn no_such_key_or_group<T>(key: &[u8], group: &[u8], end: &str) -> Result<T> {
    let (key, group) = (whole(key), whole(group));
    Stop::error(format!(
        "NOGROUP No such key '{key}' or consumer group '{group}'{end}"
    ))
}

fn count(number: u64) -> Reply {
    Reply::Int(number.cast_signed())
}

fn id_reply(id: Id) -> Reply {
    let mut text = Vec::with_capacity(ID_TEXT);
    text.extend_from_slice(itoa::Buffer::new().format(id.ms).as_bytes());
    text.push(b'-');
    text.extend_from_slice(itoa::Buffer::new().format(id.seq).as_bytes());
    Reply::bulk(text)
}

/// What the reply takes in memory beside the entry's record.
fn reply_size(entry: &Entry) -> usize {
    (entry.parts_len() + 4) * size_of::<Reply>() + ID_TEXT
}

/// The ID, and fields and values in turn.
fn entry_reply(record: &Value, entry: &Entry) -> Result<Reply> {
    let mut parts = Vec::with_capacity(entry.parts_len());
    for part in entry.parts() {
        parts.push(Reply::Bulk(shared(record, part?)));
    }
    Ok(Reply::Array(vec![id_reply(entry.id), Reply::Array(parts)]))
}

/// A part of a record, which the reply shares.
fn shared(record: &Value, part: &[u8]) -> Blob {
    let start = part.as_ptr().addr().wrapping_sub(record.as_ptr().addr());
    match start.checked_add(part.len()) {
        Some(end) if end <= record.len() => Blob::shared(record.share(), start..end),
        _ => Blob::Owned(part.to_vec()),
    }
}
