//! Commands over keys, whatever they hold.

use super::{Call, NOT_AN_INTEGER, help, is_option, syntax_error};
use crate::base::events::Events;
use crate::base::num::parse_i64;
use crate::disk::format::Kind;
use crate::resp::{Reply, shown};
use crate::store::{Entry, Key, Result, Stop, Txn};
use crate::types::keys::{self, DeadlineCondition};
use crate::types::set;

const NO_SUCH_KEY: &str = "ERR no such key";
const SAME_OBJECT: &str = "ERR source and destination objects are the same";

/// `DEL key...`. Replies with the number of keys that were there.
pub fn del(txn: &mut Txn, call: &Call) -> Result<Reply> {
    for_each_key(txn, call, |txn, key| {
        let Some(entry) = txn.lookup(key)? else {
            return Ok(false);
        };
        txn.remove(key, &entry)?;
        Ok(true)
    })
}

/// DEL never waits for what a key holds to be freed, so this is the same.
pub fn unlink(txn: &mut Txn, call: &Call) -> Result<Reply> {
    del(txn, call)
}

/// `EXISTS key...`. Replies with how many of the names are keys, one that is named twice counting twice.
pub fn exists(txn: &mut Txn, call: &Call) -> Result<Reply> {
    txn.touching(false, |txn| count_existing(txn, call))
}

/// A look-up is all it takes to make a key the most recently used, whatever CLIENT NO-TOUCH says.
pub fn touch(txn: &mut Txn, call: &Call) -> Result<Reply> {
    txn.touching(true, |txn| count_existing(txn, call))
}

fn count_existing(txn: &mut Txn, call: &Call) -> Result<Reply> {
    for_each_key(txn, call, |txn, key| Ok(txn.lookup_read(key)?.is_some()))
}

/// Replies how many of the call's keys `body` is true of. A key that is named twice counts twice.
fn for_each_key(
    txn: &mut Txn,
    call: &Call,
    mut body: impl FnMut(&mut Txn, Key) -> Result<bool>,
) -> Result<Reply> {
    let names = 1..call.args.len();
    keys::prefetch(txn, names.clone().map(|i| call.key(i)))?;
    let mut count = 0;
    for i in names {
        count += i64::from(body(txn, call.key(i))?);
    }
    Ok(Reply::Int(count))
}

/// `TYPE key`. Replies with the name of the value's type, or "none".
pub fn type_(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let entry = txn.touching(false, |txn| txn.lookup_read(call.key(1)))?;
    Ok(Reply::simple(
        entry.map_or("none", |entry| entry.header.kind.type_name()),
    ))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Unit {
    Seconds,
    Milliseconds,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    Now,
    Epoch,
}

/// `EXPIRE key seconds [NX|XX|GT|LT]`. Replies with 1 if the deadline was set, else 0.
pub fn expire(txn: &mut Txn, call: &Call) -> Result<Reply> {
    set_deadline(txn, call, "expire", Unit::Seconds, Origin::Now)
}

/// `PEXPIRE key milliseconds [NX|XX|GT|LT]`. Replies with 1 if the deadline was set, else 0.
pub fn pexpire(txn: &mut Txn, call: &Call) -> Result<Reply> {
    set_deadline(txn, call, "pexpire", Unit::Milliseconds, Origin::Now)
}

/// `EXPIREAT key unix-seconds [NX|XX|GT|LT]`. Replies with 1 if the deadline was set, else 0.
pub fn expireat(txn: &mut Txn, call: &Call) -> Result<Reply> {
    set_deadline(txn, call, "expireat", Unit::Seconds, Origin::Epoch)
}

/// `PEXPIREAT key unix-milliseconds [NX|XX|GT|LT]`. Replies with 1 if the deadline was set, else 0.
pub fn pexpireat(txn: &mut Txn, call: &Call) -> Result<Reply> {
    set_deadline(txn, call, "pexpireat", Unit::Milliseconds, Origin::Epoch)
}

fn set_deadline(txn: &mut Txn, call: &Call, name: &str, unit: Unit, origin: Origin) -> Result<Reply> {
    let condition = parse_condition(call)?;
    let Some(time) = parse_i64(call.arg(2)) else {
        return Stop::error(NOT_AN_INTEGER);
    };
    let Some(deadline) = unix_ms(time, unit, origin, txn.now) else {
        return Stop::error(format!("ERR invalid expire time in '{name}' command"));
    };
    let done = keys::expire_at(txn, call.key(1), deadline, condition)?;
    Ok(Reply::Int(i64::from(done)))
}

/// The time as Unix milliseconds, which may be negative; `None` where it would overflow.
fn unix_ms(time: i64, unit: Unit, origin: Origin, now: u64) -> Option<i64> {
    let time = match unit {
        Unit::Seconds => time.checked_mul(1000)?,
        Unit::Milliseconds => time,
    };
    match origin {
        Origin::Now => time.checked_add_unsigned(now),
        Origin::Epoch => Some(time),
    }
}

fn parse_condition(call: &Call) -> Result<DeadlineCondition> {
    let mut condition = DeadlineCondition::default();
    for option in call.args.skip(3) {
        let flag = [
            ("nx", &mut condition.nx),
            ("xx", &mut condition.xx),
            ("gt", &mut condition.gt),
            ("lt", &mut condition.lt),
        ]
        .into_iter()
        .find(|(name, _)| is_option(option, name));
        let Some((_, flag)) = flag else {
            return Stop::error(format!("ERR Unsupported option {}", shown(option)));
        };
        *flag = true;
    }
    let DeadlineCondition { nx, xx, gt, lt } = condition;
    if nx && (xx || gt || lt) {
        return Stop::error("ERR NX and XX, GT or LT options at the same time are not compatible");
    }
    if gt && lt {
        return Stop::error("ERR GT and LT options at the same time are not compatible");
    }
    Ok(condition)
}

/// `TTL key`. Replies with the seconds that are left; -1 without a deadline, -2 without a key.
pub fn ttl(txn: &mut Txn, call: &Call) -> Result<Reply> {
    show_deadline(txn, call, Unit::Seconds, Origin::Now)
}

/// `PTTL key`. Replies with the milliseconds that are left; -1 without a deadline, -2 without a key.
pub fn pttl(txn: &mut Txn, call: &Call) -> Result<Reply> {
    show_deadline(txn, call, Unit::Milliseconds, Origin::Now)
}

/// `EXPIRETIME key`. Replies with the deadline in Unix seconds; -1 without a deadline, -2 without a key.
pub fn expiretime(txn: &mut Txn, call: &Call) -> Result<Reply> {
    show_deadline(txn, call, Unit::Seconds, Origin::Epoch)
}

/// `PEXPIRETIME key`. Replies with the deadline in Unix milliseconds; -1 without a deadline, -2 without a key.
pub fn pexpiretime(txn: &mut Txn, call: &Call) -> Result<Reply> {
    show_deadline(txn, call, Unit::Milliseconds, Origin::Epoch)
}

/// -2: no such key; -1: no deadline.
fn show_deadline(txn: &mut Txn, call: &Call, unit: Unit, origin: Origin) -> Result<Reply> {
    let Some(entry) = txn.touching(false, |txn| txn.lookup_read(call.key(1)))? else {
        return Ok(Reply::Int(-2));
    };
    let Some(deadline) = entry.header.deadline else {
        return Ok(Reply::Int(-1));
    };
    let ms = match origin {
        Origin::Now => deadline.saturating_sub(txn.now),
        Origin::Epoch => deadline,
    };
    let shown = match unit {
        Unit::Seconds => ms.saturating_add(500) / 1000,
        Unit::Milliseconds => ms,
    };
    Ok(Reply::Int(i64::try_from(shown).unwrap_or(i64::MAX)))
}

/// `PERSIST key`. Replies with 1 if a deadline was taken off, else 0.
pub fn persist(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let key = call.key(1);
    match txn.lookup(key)? {
        Some(entry) if entry.header.deadline.is_some() => {
            txn.set_deadline(key, &entry, None)?;
            txn.notify(Events::GENERIC, "persist", key);
            Ok(Reply::Int(1))
        }
        _ => Ok(Reply::Int(0)),
    }
}

/// `RENAME key newkey`. Replies OK, or with an error if the key is not there.
pub fn rename(txn: &mut Txn, call: &Call) -> Result<Reply> {
    move_name(txn, call, true)?;
    Ok(Reply::Ok)
}

/// `RENAMENX key newkey`. Replies with 1, or with 0 if the new key is there; with an error if the old one is not.
pub fn renamenx(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let done = move_name(txn, call, false)?;
    Ok(Reply::Int(i64::from(done)))
}

/// Whether the key has its new name now, and had not before.
fn move_name(txn: &mut Txn, call: &Call, replace: bool) -> Result<bool> {
    let (from, to) = (call.key(1), call.key(2));
    keys::prefetch(txn, [from, to].into_iter())?;
    let Some(entry) = txn.lookup(from)? else {
        return Stop::error(NO_SUCH_KEY);
    };
    if from == to {
        return Ok(false);
    }
    let there = txn.lookup(to)?;
    if there.is_some() && !replace {
        return Ok(false);
    }
    keys::relocate(txn, from, &entry, to, there.as_ref())?;
    if there.is_some() {
        // Redis first deletes what had the name, and does not tell of that.
        txn.notify(Events::NEW, "new", to);
    }
    txn.notify(Events::GENERIC, "rename_from", from);
    txn.notify(Events::GENERIC, "rename_to", to);
    txn.notify_overwritten(to, there.as_ref(), entry.header.kind);
    Ok(true)
}

/// `MOVE key database`. Replies with 1 if the key was moved; with 0 if it is not there, or there already.
pub fn move_(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let from = call.key(1);
    let to = Key {
        db: parse_database(call, 2)?,
        ..from
    };
    if from == to {
        return Stop::error(SAME_OBJECT);
    }
    keys::prefetch(txn, [from, to].into_iter())?;
    let Some(entry) = txn.lookup(from)? else {
        return Ok(Reply::Int(0));
    };
    if txn.lookup(to)?.is_some() {
        return Ok(Reply::Int(0));
    }
    keys::relocate(txn, from, &entry, to, None)?;
    txn.notify(Events::GENERIC, "move_from", from);
    txn.notify(Events::GENERIC, "move_to", to);
    Ok(Reply::Int(1))
}

/// `COPY source destination [DB database] [REPLACE]`. Replies with 1 if the value was copied, else 0.
pub fn copy(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let from = call.key(1);
    let mut to = call.key(2);
    let mut replace = false;
    let mut at = 3;
    while let Some(option) = call.args.get(at) {
        if is_option(option, "replace") {
            replace = true;
        } else if is_option(option, "db") && at + 1 < call.args.len() {
            at += 1;
            to.db = parse_database(call, at)?;
        } else {
            return syntax_error();
        }
        at += 1;
    }
    if from == to {
        return Stop::error(SAME_OBJECT);
    }
    keys::prefetch(txn, [from, to].into_iter())?;
    let Some(entry) = txn.lookup_read(from)? else {
        return Ok(Reply::Int(0));
    };
    let there = txn.lookup(to)?;
    if there.is_some() && !replace {
        return Ok(Reply::Int(0));
    }
    keys::copy(txn, &entry, to, there.as_ref())?;
    if there.is_some() {
        // As with RENAME.
        txn.notify(Events::NEW, "new", to);
    }
    txn.notify(Events::GENERIC, "copy_to", to);
    txn.notify_overwritten(to, there.as_ref(), entry.header.kind);
    Ok(Reply::Int(1))
}

fn parse_database(call: &Call, at: usize) -> Result<usize> {
    let Some(number) = parse_i64(call.arg(at)) else {
        return Stop::error(NOT_AN_INTEGER);
    };
    if i32::try_from(number).is_err() {
        return Stop::error("ERR value is out of range, value must between -2147483648 and 2147483647");
    }
    keys::check_database(number, call.limits.databases)
}

/// `OBJECT ENCODING key`. Replies with the name of the encoding that Redis would use, or null without a key.
pub fn object_encoding(txn: &mut Txn, call: &Call) -> Result<Reply> {
    about_object(txn, call, |entry| Ok(Reply::bulk(encoding(entry))))
}

/// Redis's longest string that shares an allocation with its object.
const EMBEDDED: usize = 44;

/// What Redis would call the representation that it gives such a value when it is set.
pub(super) fn encoding(entry: &Entry) -> &'static str {
    match entry.header.kind {
        Kind::String if parse_i64(entry.body()).is_some() => "int",
        Kind::String if entry.body().len() <= EMBEDDED => "embstr",
        Kind::String | Kind::LongString => "raw",
        Kind::Set => set::small_encoding(entry),
        Kind::Hash | Kind::List | Kind::SortedSet => "listpack",
        Kind::ExpiringHash => "listpackex",
        Kind::LargeHash | Kind::LargeSet => "hashtable",
        Kind::LargeList => "quicklist",
        Kind::LargeSortedSet => "skiplist",
        Kind::Stream => "stream",
    }
}

/// Integers below this are shared in Redis, which shows their count as the highest there is.
const SHARED_INTEGERS: i64 = 10_000;

/// `OBJECT REFCOUNT key`. Replies with 1, for an integer that Redis would share with 2147483647, or with null without a
/// key.
pub fn object_refcount(txn: &mut Txn, call: &Call) -> Result<Reply> {
    about_object(txn, call, |entry| {
        let is_string = entry.header.kind == Kind::String;
        let number = is_string.then(|| parse_i64(entry.body())).flatten();
        let shared = number.is_some_and(|number| (0..SHARED_INTEGERS).contains(&number));
        Ok(Reply::Int(if shared { i32::MAX.into() } else { 1 }))
    })
}

/// `OBJECT IDLETIME key`. Replies with seconds, or null without a key.
pub fn object_idletime(txn: &mut Txn, call: &Call) -> Result<Reply> {
    if txn
        .touching(false, |txn| txn.lookup_quietly(call.key(2)))?
        .is_none()
    {
        return Ok(Reply::Null);
    }
    let idle = txn.idle_seconds(call.key(2))?;
    Ok(Reply::Int(i64::try_from(idle).unwrap_or(i64::MAX)))
}

/// `OBJECT FREQ key`. Replies with an error, as no frequencies are kept, or with null without a key.
pub fn object_freq(txn: &mut Txn, call: &Call) -> Result<Reply> {
    about_object(txn, call, |_| {
        Stop::error(
            "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note that when \
             switching between policies at runtime LRU and LFU data will take some time to adjust.",
        )
    })
}

fn about_object(txn: &mut Txn, call: &Call, tell: fn(&Entry) -> Result<Reply>) -> Result<Reply> {
    match txn.touching(false, |txn| txn.lookup_quietly(call.key(2)))? {
        Some(entry) => tell(&entry),
        None => Ok(Reply::Null),
    }
}

/// `OBJECT HELP`. Replies with an array of lines.
pub fn object_help(_: &mut Txn, _: &Call) -> Result<Reply> {
    let lines = [
        "ENCODING <key>",
        "    Return the kind of internal representation used in order to store the value",
        "    associated with a <key>.",
        "FREQ <key>",
        "    Return the access frequency index of the <key>. The returned integer is",
        "    proportional to the logarithm of the recent access frequency of the key.",
        "IDLETIME <key>",
        "    Return the idle time of the <key>, that is the approximated number of",
        "    seconds elapsed since the last access to the key.",
        "REFCOUNT <key>",
        "    Return the number of references of the value associated with the specified",
        "    <key>.",
    ];
    Ok(help("OBJECT", &lines))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_overflow_where_redis_says_so() {
        let max = i64::MAX;
        assert_eq!(
            unix_ms(max / 1000, Unit::Seconds, Origin::Epoch, 5),
            Some(max / 1000 * 1000)
        );
        assert_eq!(unix_ms(max / 1000 + 1, Unit::Seconds, Origin::Epoch, 5), None);
        assert_eq!(
            unix_ms(i64::MIN / 1000 - 1, Unit::Seconds, Origin::Epoch, 5),
            None
        );
        assert_eq!(unix_ms(max - 5, Unit::Milliseconds, Origin::Now, 5), Some(max));
        assert_eq!(unix_ms(max - 4, Unit::Milliseconds, Origin::Now, 5), None);
        assert_eq!(
            unix_ms(i64::MIN, Unit::Milliseconds, Origin::Now, 5),
            Some(i64::MIN + 5)
        );
    }
}
