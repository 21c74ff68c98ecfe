//! DUMP and RESTORE: values as payloads, which Redis and Valkey read and write, too.

use super::arguments::integer;
use super::{Call, is_option, syntax_error};
use crate::base::events::Events;
use crate::disk::format::Kind;
use crate::rdb::{
    Item, Key as ItemKey, Needs, PayloadWriter, ReadOptions, Reader, Sink, WriteError, check_payload,
};
use crate::resp::Reply;
use crate::store::{Entry, Key, Result, Stop, Txn};
use crate::types::items::{Assembly, kind_of, show};

/// What a payload is answered with that makes no value.
const BAD_DATA: &str = "ERR Bad data format";

/// `DUMP key`. Replies with the payload of its value, or null without a key. Its version is the lowest that holds the value, so
/// that as many servers as possible take it.
pub fn dump(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let key = call.key(1);
    let Some(entry) = txn.lookup_read(key)? else {
        return Ok(Reply::Null);
    };
    let kind = kind_of(entry.header.kind);
    let mut needs = Needs::default();
    if matches!(
        entry.header.kind,
        Kind::ExpiringHash | Kind::LargeHash | Kind::Stream
    ) {
        show(txn, key, entry.clone(), &mut |piece| {
            needs.note(&piece);
            Ok(())
        })?;
    }
    let mut writer = PayloadWriter::new(kind, needs.target());
    let mut room = txn.allowance;
    show(txn, key, entry, &mut |piece| {
        room.take(weight(&piece))?;
        writer.put(piece).map_err(unwritable)
    })?;
    txn.allowance = room;
    match writer.finish().map_err(unwritable)? {
        Some(payload) => Ok(Reply::bulk(payload)),
        // All fields of a hash are due.
        None => Ok(Reply::Null),
    }
}

/// What ends a command whose value there is no form for.
pub fn unwritable(error: WriteError) -> Stop {
    Stop::Error(format!("ERR {error}").into())
}

/// About how many bytes a piece takes.
fn weight(piece: &Item<'_>) -> usize {
    let texts = match piece {
        Item::Text(text) | Item::Element(text) | Item::Scored { member: text, .. } => text.len(),
        Item::Field { field, value, .. } => field.len() + value.len(),
        Item::Entry { cells, .. } => cells.iter().map(<[u8]>::len).sum(),
        _ => 0,
    };
    texts + size_of::<Item>()
}

/// What RESTORE is told beside its key.
#[derive(Default)]
struct Options {
    replace: bool,
    /// The time to live is a deadline.
    absolute: bool,
}

fn options(call: &Call) -> Result<Options> {
    let mut options = Options::default();
    let (mut idle, mut frequency) = (false, false);
    let mut at = 4;
    while let Some(option) = call.args.get(at) {
        let has_value = at + 1 < call.args.len();
        if is_option(option, "replace") {
            options.replace = true;
        } else if is_option(option, "absttl") {
            options.absolute = true;
        } else if is_option(option, "idletime") && has_value && !frequency {
            at += 1;
            idle = true;
            if integer(call.arg(at))? < 0 {
                return Stop::error("ERR Invalid IDLETIME value, must be >= 0");
            }
        } else if is_option(option, "freq") && has_value && !idle {
            at += 1;
            frequency = true;
            if !(0..=255).contains(&integer(call.arg(at))?) {
                return Stop::error("ERR Invalid FREQ value, must be >= 0 and <= 255");
            }
        } else {
            return syntax_error();
        }
        at += 1;
    }
    Ok(options)
}

/// `RESTORE key ttl payload [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]`. Makes what DUMP answered, here or in Redis or
/// Valkey, the value of a key. How long it was idle, or how often used, changes nothing: here, a key was used when it was written.
pub fn restore(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let options = options(call)?;
    let key = call.key(1);
    let old = txn.lookup(key)?;
    if old.is_some() && !options.replace {
        return Stop::error("BUSYKEY Target key name already exists.");
    }
    let left = integer(call.arg(2))?;
    if left < 0 {
        return Stop::error("ERR Invalid TTL value, must be >= 0");
    }
    let deadline = match (left, options.absolute) {
        (0, _) => None,
        (left, true) => Some(left as u64),
        // What overflows has passed, as in Redis.
        (left, false) => Some(
            (left as u64)
                .checked_add(txn.now)
                .filter(|at| *at <= i64::MAX as u64)
                .unwrap_or(0),
        ),
    };
    let value = value(txn, key, deadline, call.arg(3))?;
    if deadline.is_some_and(|deadline| deadline <= txn.now) {
        return remove(txn, key, old.as_ref());
    }
    value.write(txn, &call.limits.thresholds).map_err(shortened)?;
    if txn.lookup(key)?.is_none() {
        // All fields of a hash are due.
        return Ok(Reply::Ok);
    }
    if old.is_some() {
        // Redis first deletes what had the name, and does not tell of that.
        txn.notify(Events::NEW, "new", key);
    }
    txn.notify(Events::GENERIC, "restore", key);
    Ok(Reply::Ok)
}

fn remove(txn: &mut Txn, key: Key, old: Option<&Entry>) -> Result<Reply> {
    if let Some(old) = old {
        txn.remove(key, old)?;
    }
    Ok(Reply::Ok)
}

/// What makes no value is not told more of, as in Redis.
fn shortened(stop: Stop) -> Stop {
    match stop {
        Stop::Error(text) if text.starts_with(BAD_DATA) => Stop::Error(BAD_DATA.into()),
        stop => stop,
    }
}

/// What is in a payload, to be the value of a key.
fn value(txn: &mut Txn, key: Key, deadline: Option<u64>, payload: &[u8]) -> Result<Assembly> {
    let Some((version, body)) = check_payload(payload) else {
        return Stop::error("ERR DUMP payload version or checksum are wrong");
    };
    let options = ReadOptions {
        refuse_modules: true,
        ..ReadOptions::default()
    };
    let bad = |_| Stop::Error(BAD_DATA.into());
    let mut reader = Reader::of_payload(version, body, options);
    let mut room = txn.allowance;
    let (mut value, mut pieces) = (None, 0u64);
    while let Some(item) = reader.next().map_err(bad)? {
        match (&mut value, item) {
            (none @ None, Item::Key(there)) => {
                *none = Some(Assembly::begin(ItemKey {
                    database: key.db as u64,
                    name: key.name,
                    deadline,
                    ..there
                }));
            }
            (Some(value), piece) => {
                room.take(weight(&piece))?;
                pieces += u64::from(piece != Item::End);
                value.take(piece).map_err(shortened)?;
            }
            (None, _) => return Stop::error(BAD_DATA),
        }
    }
    txn.allowance = room;
    value
        .filter(|_| pieces > 0)
        .map_or_else(|| Stop::error(BAD_DATA), Ok)
}
