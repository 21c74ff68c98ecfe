//! When two replies to the same command agree.

use super::program;
use super::stream::without_times;
use crate::support::Value;
use crate::support::text::{command_line, fits};

/// How far apart in seconds the servers may see the same command: relative deadlines differ by as much.
const SECONDS_APART: i64 = 20;

const EXPECTED_DIFFERENCES: &str = include_str!("expected-differences.txt");

/// What two replies must have in common.
#[derive(Clone, Copy, PartialEq)]
enum Rule {
    Same,
    /// Arrays without an order.
    SameElements,
    /// Times or durations, with this many units a second.
    Near(i64),
    /// The same but for times within.
    Timeless,
    /// Values of the server's own: only their kind.
    SameKind,
}

fn rule(name: &str, args: &[Vec<u8>]) -> Rule {
    match name {
        "KEYS" | "HGETALL" | "HKEYS" | "HVALS" | "SMEMBERS" | "SUNION" | "SINTER" | "SDIFF" | "SPOP" => {
            Rule::SameElements
        }
        // All of a small hash or set; of a part each server makes its own choice.
        "HRANDFIELD" | "SRANDMEMBER" | "ZRANDMEMBER" if args.get(2).is_some_and(|count| count == b"1000") => {
            Rule::SameElements
        }
        "HRANDFIELD" | "SRANDMEMBER" | "ZRANDMEMBER" => Rule::SameKind,
        "HSCAN" | "SSCAN" | "ZSCAN"
            if args.get(2).is_some_and(|cursor| cursor == b"0") && args.iter().any(|arg| arg == b"1000") =>
        {
            Rule::SameElements
        }
        "HSCAN" | "SSCAN" | "ZSCAN" => Rule::SameKind,
        // A cursor that was given by one server means nothing to the other; whole scans compare.
        "SCAN" if args.get(1).is_some_and(|cursor| cursor == b"0") => Rule::SameElements,
        "SCAN" | "RANDOMKEY" | "HELLO" => Rule::SameKind,
        // Unsorted, a set has the order of each server's own hashes.
        "SORT" | "SORT_RO" if args.get(1).is_some_and(|key| key == b"sort-set") && is_unsorted(args) => {
            Rule::SameElements
        }
        "XPENDING" | "XINFO" => Rule::Timeless,
        "XGROUP"
            if args
                .get(1)
                .is_some_and(|word| word.eq_ignore_ascii_case(b"CREATECONSUMER")) =>
        {
            Rule::SameKind
        }
        "TTL" | "EXPIRETIME" => Rule::Near(1),
        "PTTL" | "PEXPIRETIME" => Rule::Near(1000),
        "OBJECT"
            if args
                .get(1)
                .is_some_and(|word| word.eq_ignore_ascii_case(b"IDLETIME")) =>
        {
            Rule::SameKind
        }
        _ => Rule::Same,
    }
}

/// Whether SORT's BY names a constant.
fn is_unsorted(args: &[Vec<u8>]) -> bool {
    args.windows(2)
        .any(|pair| pair[0].eq_ignore_ascii_case(b"BY") && !pair[1].contains(&b'*'))
}

pub fn agree(args: &[Vec<u8>], redis: &Value, redkeep: &Value) -> bool {
    program::agree(args, redis, redkeep, agree_to_command)
        .unwrap_or_else(|| agree_to_command(args, redis, redkeep))
}

fn agree_to_command(args: &[Vec<u8>], redis: &Value, redkeep: &Value) -> bool {
    let name = String::from_utf8_lossy(&args[0]).to_uppercase();
    if name.starts_with('Z') {
        let (redis, redkeep) = (plain_scores(redis), plain_scores(redkeep));
        return agree_as_they_are(&name, args, &redis, &redkeep);
    }
    agree_as_they_are(&name, args, redis, redkeep)
}

/// Scores as numbers: Redis 7.0 prints 17 digits where 7.2 prints as few as tell the number. Without the signs of zeros: a
/// small sorted set loses them, a large one does not, and after a restart, which resets the thresholds, the same sorted
/// set may be small on one side only.
fn plain_scores(value: &Value) -> Value {
    match value {
        Value::Bulk(bytes) => std::str::from_utf8(bytes)
            .ok()
            .and_then(plain_score)
            .map_or_else(|| value.clone(), Value::bulk),
        Value::Double(text) => plain_score(text).map_or_else(|| value.clone(), Value::Double),
        Value::Array(items) => Value::Array(items.iter().map(plain_scores).collect()),
        other => other.clone(),
    }
}

fn plain_score(text: &str) -> Option<String> {
    match text {
        "-0" => Some("0".to_owned()),
        _ if text.contains('.') => text.parse().ok().map(|score: f64| score.to_string()),
        _ => None,
    }
}

fn agree_as_they_are(name: &str, args: &[Vec<u8>], redis: &Value, redkeep: &Value) -> bool {
    let close = match rule(name, args) {
        Rule::Same => redis == redkeep,
        Rule::SameElements => is_partial_scan(name, redis) || sorted(redis) == sorted(redkeep),
        Rule::Timeless => without_times(name, redis) == without_times(name, redkeep),
        Rule::Near(unit) => near(redis, redkeep, unit),
        Rule::SameKind => std::mem::discriminant(redis) == std::mem::discriminant(redkeep),
    };
    close || redis == redkeep || is_expected(args, redis, redkeep)
}

/// Redis stopped within the scan because the count was small.
fn is_partial_scan(name: &str, reply: &Value) -> bool {
    let Value::Array(parts) = reply else { return false };
    name == "SCAN" && parts.first().is_some_and(|cursor| *cursor != Value::bulk("0"))
}

fn sorted(value: &Value) -> Value {
    let mut value = value.clone();
    value.sort();
    if let Value::Array(items) = &mut value
        && items
            .iter()
            .all(|item| matches!(item, Value::Array(pair) if pair.len() == 2))
    {
        items.sort_by_key(|item| format!("{item:?}"));
    }
    value
}

/// Negative numbers say "no such key" or "no deadline", which is not nearly the same as a time.
fn near(redis: &Value, redkeep: &Value, unit: i64) -> bool {
    match (redis, redkeep) {
        (Value::Integer(a), Value::Integer(b)) => {
            *a >= 0 && *b >= 0 && a.abs_diff(*b) as i64 <= SECONDS_APART * unit
        }
        _ => false,
    }
}

fn is_expected(args: &[Vec<u8>], redis: &Value, redkeep: &Value) -> bool {
    let command = command_line(args);
    let (redis, redkeep) = (format!("{redis:?}"), format!("{redkeep:?}"));
    let mut lines = EXPECTED_DIFFERENCES
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.any(|line| {
        let [pattern, a, b, reason] = line.split(" | ").collect::<Vec<_>>()[..] else {
            panic!("four parts are expected: {line}");
        };
        assert!(!reason.trim().is_empty(), "a reason is expected: {line}");
        fits(&pattern.to_lowercase(), &command.to_lowercase())
            && fits(a.trim(), &redis)
            && fits(b.trim(), &redkeep)
    })
}

#[test]
fn replies_agree_as_their_command_says() {
    let check = |line: &str, a: Value, b: Value| agree(&crate::support::text::split(line).unwrap(), &a, &b);
    assert!(!check("GET k", Value::Nil, Value::NilArray));
    assert!(check("ttl k", Value::Integer(100), Value::Integer(99)));
    assert!(!check("TTL k", Value::Integer(0), Value::Integer(-1)));
    let pair = |a: &str, b: &str| Value::Array(vec![Value::bulk(a), Value::bulk(b)]);
    assert!(
        check("KEYS *", pair("a", "b"), pair("b", "a")) && !check("MGET *", pair("a", "b"), pair("b", "a"))
    );
    assert!(check("OBJECT encoding k", Value::bulk("raw"), Value::bulk("int")));
    assert!(!check(
        "OBJECT encoding k",
        Value::bulk("listpack"),
        Value::bulk("intset")
    ));
    assert!(!check("OBJECT encoding k", Value::bulk("int"), Value::Nil));
}
