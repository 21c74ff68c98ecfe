//! Commands over the deadlines of a hash's fields.

use super::{length, value, wrong_arity};
use crate::base::events::Events;
use crate::base::num::parse_i64;
use crate::command::{Call, NOT_AN_INTEGER, is_option};
use crate::resp::{Args, Reply, shown};
use crate::store::{Key, Result, Stop, Txn};
use crate::types::hash::{Expiry, Hash, Held};

/// The latest deadline that a field may have, in Unix milliseconds.
const LATEST: i64 = (1 << 46) - 1;

const NO_FIELDS: &str = "ERR Mandatory argument FIELDS is missing or not at the right position";
const NOT_POSITIVE: &str = "ERR Number of fields must be a positive integer";

/// What the replies of this family say of a field.
const NO_SUCH_FIELD: Reply = Reply::Int(-2);
const NO_DEADLINE: Reply = Reply::Int(-1);
const REFUSED: Reply = Reply::Int(0);
const DONE: Reply = Reply::Int(1);
const DELETED: Reply = Reply::Int(2);

/// How a deadline is told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unit {
    Seconds,
    Milliseconds,
    UnixSeconds,
    UnixMilliseconds,
}

impl Unit {
    /// The unit that an option of HGETEX and HSETEX names.
    fn of_option(option: &[u8]) -> Option<Unit> {
        [
            ("ex", Unit::Seconds),
            ("px", Unit::Milliseconds),
            ("exat", Unit::UnixSeconds),
            ("pxat", Unit::UnixMilliseconds),
        ]
        .into_iter()
        .find(|(name, _)| is_option(option, name))
        .map(|(_, unit)| unit)
    }

    fn is_seconds(self) -> bool {
        matches!(self, Unit::Seconds | Unit::UnixSeconds)
    }

    fn is_relative(self) -> bool {
        matches!(self, Unit::Seconds | Unit::Milliseconds)
    }

    /// The deadline in Unix milliseconds; `command` is whom the error names.
    fn deadline(self, text: &[u8], now: u64, command: &str) -> Result<u64> {
        let Some(amount) = parse_i64(text) else {
            return Stop::error(NOT_AN_INTEGER);
        };
        let Ok(amount) = u64::try_from(amount) else {
            return Stop::error("ERR invalid expire time, must be >= 0");
        };
        let ms = amount.checked_mul(if self.is_seconds() { 1000 } else { 1 });
        ms.and_then(|ms| ms.checked_add(if self.is_relative() { now } else { 0 }))
            .filter(|&deadline| deadline <= LATEST.unsigned_abs())
            .map_or_else(
                || Stop::error(format!("ERR invalid expire time in '{command}' command")),
                Ok,
            )
    }

    /// A deadline as a reply tells it, rounded up.
    fn tell(self, deadline: u64, now: u64) -> Reply {
        let ms = deadline - if self.is_relative() { now } else { 0 };
        length(if self.is_seconds() { ms.div_ceil(1000) } else { ms })
    }
}

/// `FIELDS numfields field ...` at argument `at`, to the end of the arguments.
fn fields<'a>(call: &Call<'a>, at: usize, bad_count: &'static str) -> Result<Args<'a>> {
    if !call.args.get(at).is_some_and(|word| is_option(word, "fields")) {
        return Stop::error(NO_FIELDS);
    }
    let count = call
        .args
        .get(at + 1)
        .and_then(parse_i64)
        .filter(|&count| count > 0);
    let Some(count) = count else {
        return Stop::error(bad_count);
    };
    let fields = call.args.skip(at + 2);
    if usize::try_from(count) != Ok(fields.len()) {
        return Stop::error("ERR The `numfields` parameter must match the number of arguments");
    }
    Ok(fields)
}

/// On what HEXPIRE and its like insist.
#[derive(Clone, Copy)]
enum Condition {
    None,
    /// That there is no deadline.
    Nx,
    /// That there is one.
    Xx,
    /// That there is one, and the new one is later.
    Gt,
    /// That the new one is earlier; none is later than any.
    Lt,
}

impl Condition {
    fn of_option(option: &[u8]) -> Condition {
        [
            ("nx", Condition::Nx),
            ("xx", Condition::Xx),
            ("gt", Condition::Gt),
            ("lt", Condition::Lt),
        ]
        .into_iter()
        .find(|(name, _)| is_option(option, name))
        .map_or(Condition::None, |(_, condition)| condition)
    }

    fn allows(self, current: Option<u64>, new: u64) -> bool {
        match self {
            Condition::None => true,
            Condition::Nx => current.is_none(),
            Condition::Xx => current.is_some(),
            Condition::Gt => current.is_some_and(|current| new > current),
            Condition::Lt => current.is_none_or(|current| new < current),
        }
    }
}

/// `HEXPIRE key seconds [condition] FIELDS count field...`. Replies with an array of a code for each field.
pub fn hexpire(txn: &mut Txn, call: &Call) -> Result<Reply> {
    set_deadlines(txn, call, "hexpire", Unit::Seconds)
}

/// `HPEXPIRE key milliseconds [condition] FIELDS count field...`. Replies with an array of a code for each field.
pub fn hpexpire(txn: &mut Txn, call: &Call) -> Result<Reply> {
    set_deadlines(txn, call, "hpexpire", Unit::Milliseconds)
}

/// `HEXPIREAT key unix-seconds [condition] FIELDS count field...`. Replies with an array of a code for each field.
pub fn hexpireat(txn: &mut Txn, call: &Call) -> Result<Reply> {
    set_deadlines(txn, call, "hexpireat", Unit::UnixSeconds)
}

/// `HPEXPIREAT key unix-milliseconds [condition] FIELDS count field...`. Replies with an array of a code for each field.
pub fn hpexpireat(txn: &mut Txn, call: &Call) -> Result<Reply> {
    set_deadlines(txn, call, "hpexpireat", Unit::UnixMilliseconds)
}

fn set_deadlines(txn: &mut Txn, call: &Call, command: &str, unit: Unit) -> Result<Reply> {
    let key = call.key(1);
    let mut hash = Hash::to_write(txn, key)?;
    let deadline = unit.deadline(call.arg(2), txn.now, command)?;
    let condition = Condition::of_option(call.arg(3));
    let at = match condition {
        Condition::None => 3,
        _ => 4,
    };
    let fields = fields(call, at, "ERR Parameter `numFields` should be greater than 0")?;
    hash.prefetch(txn, fields.iter())?;
    let mut replies = Vec::with_capacity(fields.len());
    for field in fields {
        replies.push(match hash.get(txn, field)? {
            None => NO_SUCH_FIELD,
            Some(held) if !condition.allows(held.deadline, deadline) => REFUSED,
            Some(_) if expire(txn, &mut hash, field, deadline)? => DONE,
            Some(_) => DELETED,
        });
    }
    notify_set(txn, key, replies.iter().filter(|reply| **reply == DONE).count());
    notify_deleted(
        txn,
        key,
        replies.iter().filter(|reply| **reply == DELETED).count(),
    );
    hash.save(txn, key)?;
    Ok(Reply::Array(replies))
}

/// So many fields have got deadlines.
fn notify_set(txn: &mut Txn, key: Key, fields: usize) {
    if fields > 0 {
        txn.notify(Events::HASH, "hexpire", key);
    }
}

/// So many fields were deleted.
fn notify_deleted(txn: &mut Txn, key: Key, fields: usize) {
    if fields > 0 {
        txn.notify(Events::HASH, "hdel", key);
    }
}

/// So many fields have no deadlines any more.
fn notify_persisted(txn: &mut Txn, key: Key, fields: usize) {
    if fields > 0 {
        txn.notify(Events::HASH, "hpersist", key);
    }
}

/// Gives a field that is there this deadline. A past one deletes it: false.
fn expire(txn: &mut Txn, hash: &mut Hash, field: &[u8], deadline: u64) -> Result<bool> {
    if deadline <= txn.now {
        hash.remove(txn, field)?;
        txn.cause_fields_expired(1);
        return Ok(false);
    }
    hash.set_deadline(txn, field, Some(deadline))?;
    Ok(true)
}

/// `HTTL key FIELDS count field...`. Replies with an array of the seconds that are left; -1 without a deadline, -2
/// without the field.
pub fn httl(txn: &mut Txn, call: &Call) -> Result<Reply> {
    show_deadlines(txn, call, Unit::Seconds)
}

/// `HPTTL key FIELDS count field...`. Replies with an array of the milliseconds that are left; -1 without a deadline, -2
/// without the field.
pub fn hpttl(txn: &mut Txn, call: &Call) -> Result<Reply> {
    show_deadlines(txn, call, Unit::Milliseconds)
}

/// `HEXPIRETIME key FIELDS count field...`. Replies with an array of deadlines in Unix seconds; -1 without one, -2
/// without the field.
pub fn hexpiretime(txn: &mut Txn, call: &Call) -> Result<Reply> {
    show_deadlines(txn, call, Unit::UnixSeconds)
}

/// `HPEXPIRETIME key FIELDS count field...`. Replies with an array of deadlines in Unix milliseconds; -1 without one, -2
/// without the field.
pub fn hpexpiretime(txn: &mut Txn, call: &Call) -> Result<Reply> {
    show_deadlines(txn, call, Unit::UnixMilliseconds)
}

fn show_deadlines(txn: &mut Txn, call: &Call, unit: Unit) -> Result<Reply> {
    let hash = Hash::to_read(txn, call.key(1))?;
    let fields = fields(call, 2, NOT_POSITIVE)?;
    let Some(hash) = hash else {
        return Ok(Reply::Array(vec![NO_SUCH_FIELD; fields.len()]));
    };
    hash.prefetch(txn, fields.iter())?;
    let mut replies = Vec::with_capacity(fields.len());
    for field in fields {
        replies.push(match hash.get(txn, field)? {
            None => NO_SUCH_FIELD,
            Some(Held { deadline: None, .. }) => NO_DEADLINE,
            Some(Held {
                deadline: Some(deadline),
                ..
            }) => unit.tell(deadline, txn.now),
        });
    }
    Ok(Reply::Array(replies))
}

/// `HPERSIST key FIELDS count field...`. Replies with an array: 1 where a deadline was taken off, -1 without one, -2
/// without the field.
pub fn hpersist(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let key = call.key(1);
    let mut hash = Hash::to_write(txn, key)?;
    let fields = fields(call, 2, NOT_POSITIVE)?;
    hash.prefetch(txn, fields.iter())?;
    let mut replies = Vec::with_capacity(fields.len());
    for field in fields {
        replies.push(match hash.get(txn, field)? {
            None => NO_SUCH_FIELD,
            Some(held) if held.deadline.is_none() => NO_DEADLINE,
            Some(_) => {
                hash.set_deadline(txn, field, None)?;
                DONE
            }
        });
    }
    notify_persisted(txn, key, replies.iter().filter(|reply| **reply == DONE).count());
    hash.save(txn, key)?;
    Ok(Reply::Array(replies))
}

/// `HGETDEL key FIELDS count field...`. Replies with an array of the values of the fields, which are deleted.
pub fn hgetdel(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let key = call.key(1);
    let mut hash = Hash::to_write(txn, key)?;
    let fields = fields(call, 2, NOT_POSITIVE)?;
    hash.prefetch_to_remove(txn, fields.iter())?;
    let mut values = Vec::with_capacity(fields.len());
    for field in fields {
        values.push(value(txn, &hash, field)?);
        hash.remove(txn, field)?;
    }
    notify_deleted(
        txn,
        key,
        values.iter().filter(|value| **value != Reply::Null).count(),
    );
    hash.save(txn, key)?;
    Ok(Reply::Array(values))
}

/// `HGETEX key [deadline] FIELDS count field...`. Replies with an array of the values, whose fields get the deadline.
pub fn hgetex(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let key = call.key(1);
    let mut hash = Hash::to_write(txn, key)?;
    let option = call.arg(2);
    let (expiry, at) = match Unit::of_option(option) {
        Some(unit) => (Expiry::At(unit.deadline(call.arg(3), txn.now, "hgetex")?), 4),
        None if is_option(option, "persist") => (Expiry::Clear, 3),
        None => (Expiry::Keep, 2),
    };
    let fields = fields(call, at, NOT_POSITIVE)?;
    hash.prefetch(txn, fields.iter())?;
    let mut values = Vec::with_capacity(fields.len());
    let (mut set, mut deleted, mut persisted) = (0, 0, 0);
    for field in fields {
        let value = value(txn, &hash, field)?;
        match expiry {
            _ if value == Reply::Null => {}
            Expiry::At(deadline) if expire(txn, &mut hash, field, deadline)? => set += 1,
            Expiry::At(_) => deleted += 1,
            Expiry::Clear if hash.get(txn, field)?.is_some_and(|held| held.deadline.is_some()) => {
                hash.set_deadline(txn, field, None)?;
                persisted += 1;
            }
            Expiry::Clear | Expiry::Keep => {}
        }
        values.push(value);
    }
    notify_set(txn, key, set);
    notify_deleted(txn, key, deleted);
    notify_persisted(txn, key, persisted);
    hash.save(txn, key)?;
    Ok(Reply::Array(values))
}

/// The options of HSETEX.
struct SetOptions<'a> {
    expiry: Expiry,
    /// That each of the fields is there, or that none is.
    wants_all: bool,
    wants_none: bool,
    /// Fields and values in turn.
    pairs: Args<'a>,
}

impl<'a> SetOptions<'a> {
    fn parse(call: &Call<'a>, now: u64) -> Result<SetOptions<'a>> {
        let mut options = SetOptions {
            expiry: Expiry::Clear,
            wants_all: false,
            wants_none: false,
            pairs: call.args.skip(call.args.len()),
        };
        let mut at = 2;
        while let Some(option) = call.args.get(at) {
            at += 1;
            let (fxx, fnx) = (is_option(option, "fxx"), is_option(option, "fnx"));
            if is_option(option, "fields") {
                options.pairs = pairs(call, at)?;
                return Ok(options);
            } else if fxx || fnx {
                if options.wants_all || options.wants_none {
                    return Stop::error("ERR Only one of FXX or FNX arguments can be specified");
                }
                (options.wants_all, options.wants_none) = (fxx, fnx);
            } else if is_option(option, "keepttl") {
                options.set_expiry(|| Ok(Expiry::Keep))?;
            } else if let Some(unit) = Unit::of_option(option) {
                let amount = call.args.get(at);
                at += 1;
                options.set_expiry(|| match amount {
                    Some(amount) => Ok(Expiry::At(unit.deadline(amount, now, "hsetex")?)),
                    None => Stop::error("ERR missing expire time"),
                })?;
            } else {
                return Stop::error(format!("ERR unknown argument: {}", shown(option)));
            }
        }
        // Redis has no answer for options alone: it stops.
        wrong_arity("hsetex")
    }

    fn set_expiry(&mut self, parse: impl FnOnce() -> Result<Expiry>) -> Result<()> {
        if self.expiry != Expiry::Clear {
            return Stop::error("ERR Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified");
        }
        self.expiry = parse()?;
        Ok(())
    }
}

/// `numfields field value ...` at argument `at`, to the end of the arguments.
fn pairs<'a>(call: &Call<'a>, at: usize) -> Result<Args<'a>> {
    let pairs = call.args.skip(at + 1);
    if pairs.len() < 2 {
        return wrong_arity("hsetex");
    }
    let count = parse_i64(call.arg(at)).and_then(|count| i32::try_from(count).ok());
    let Some(count) = count
        .and_then(|count| usize::try_from(count).ok())
        .filter(|&n| n > 0)
    else {
        return Stop::error("ERR invalid number of fields");
    };
    if pairs.len() != 2 * count {
        return wrong_arity("hsetex");
    }
    Ok(pairs)
}

/// `HSETEX key [FNX|FXX] [deadline] FIELDS count field value...`. Replies with 1 if all fields were set, with 0 if none
/// was.
pub fn hsetex(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let SetOptions {
        expiry,
        wants_all,
        wants_none,
        pairs,
    } = SetOptions::parse(call, txn.now)?;
    let key = call.key(1);
    let mut hash = Hash::to_write(txn, key)?;
    hash.prefetch_to_set(txn, pairs.iter().step_by(2))?;
    if wants_all || wants_none {
        for field in pairs.iter().step_by(2) {
            let is_there = hash.get(txn, field)?.is_some();
            if wants_all && !is_there || wants_none && is_there {
                return Ok(REFUSED);
            }
        }
    }
    let is_past = matches!(expiry, Expiry::At(deadline) if deadline <= txn.now);
    for i in (0..pairs.len()).step_by(2) {
        if is_past {
            hash.remove(txn, &pairs[i])?;
        } else {
            hash.put(txn, &pairs[i], &pairs[i + 1], expiry, &call.limits.thresholds)?;
        }
    }
    if !is_past {
        hash.save(txn, key)?;
        txn.notify(Events::HASH, "hset", key);
        notify_set(txn, key, usize::from(matches!(expiry, Expiry::At(_))));
        return Ok(DONE);
    }
    // What is told is what Redis does: it sets the fields first, and then deletes them.
    let is_new = hash.is_new();
    if is_new {
        txn.notify(Events::NEW, "new", key);
    }
    txn.notify(Events::HASH, "hset", key);
    txn.notify(Events::HASH, "hdel", key);
    hash.save(txn, key)?;
    if is_new {
        txn.notify(Events::GENERIC, "del", key);
    }
    Ok(DONE)
}
