//! The commands of the stream group, on keys of their own beside the others. IDs come from a small space, and XADD mostly
//! asks for the next in one and the same millisecond, so that it seldom fails.

use super::generate::{Args, Family, Gen, args};
use crate::support::Value;

pub const FAMILY: Family = Family {
    commands: &[
        (40, xadd),
        (12, xadd_trimming),
        (2, |g| args!["XLEN", key(g)]),
        (12, |g| interval(g, "XRANGE")),
        (8, |g| interval(g, "XREVRANGE")),
        (8, xdel),
        (8, xtrim),
        (8, xread),
        (10, create),
        (3, set_id),
        (1, |g| args!["XGROUP", "DESTROY", key(g), group(g)]),
        (2, |g| {
            args!["XGROUP", "CREATECONSUMER", key(g), group(g), consumer(g)]
        }),
        (1, |g| {
            args!["XGROUP", "DELCONSUMER", key(g), group(g), consumer(g)]
        }),
        (25, xreadgroup),
        (12, xack),
        (12, xpending),
        (10, xclaim),
        (8, xautoclaim),
        (12, xinfo),
        (1, xsetid),
        (1, node_entries),
        (3, |g| args!["COPY", own_key(g), own_key(g), "REPLACE"]),
        (3, |g| args!["DEL", own_key(g)]),
    ],
    state: Some(("stream", |key| {
        vec![
            args!["XINFO", "STREAM", key, "FULL", "COUNT", "0"],
            args!["XREVRANGE", key, "+", "-"],
            args!["XINFO", "GROUPS", key],
        ]
    })),
};

fn own_key(g: &mut Gen) -> Vec<u8> {
    format!("st{}", g.rng.below(3)).into()
}

fn key(g: &mut Gen) -> Vec<u8> {
    if g.rng.one_in(30) { g.key() } else { own_key(g) }
}

fn group(g: &mut Gen) -> Vec<u8> {
    format!("g{}", g.rng.below(2)).into()
}

fn consumer(g: &mut Gen) -> Vec<u8> {
    format!("c{}", g.rng.below(3)).into()
}

/// Where nearly all entries are.
const MS: u64 = 19;

fn id(g: &mut Gen) -> Vec<u8> {
    let seq = g.rng.below(150);
    match g.rng.below(10) {
        0 => g.rng.below(MS + 2).to_string().into(),
        1 => format!("{}-{seq}", g.rng.below(MS)).into(),
        _ => format!("{MS}-{seq}").into(),
    }
}

fn new_id(g: &mut Gen) -> Vec<u8> {
    match g.rng.below(60) {
        0 => id(g),
        1 => format!("{}-*", i64::MAX).into(),
        2 => b"100-*".to_vec(),
        3..=8 => format!("{}-*", g.rng.below(MS)).into(),
        _ => format!("{MS}-*").into(),
    }
}

fn fields(g: &mut Gen) -> Args {
    if g.rng.one_in(2) {
        return args!["field", g.value(), "other", g.number()];
    }
    let mut fields = Args::new();
    for _ in 0..=g.rng.below(3) {
        fields.extend([format!("f{}", g.rng.below(3)).into(), g.value()]);
    }
    fields
}

fn xadd(g: &mut Gen) -> Args {
    let mut args = args![g.cased("XADD"), key(g)];
    if g.rng.one_in(20) {
        args.push(g.cased("NOMKSTREAM"));
    }
    args.push(new_id(g));
    args.extend(fields(g));
    args
}

fn trim(g: &mut Gen) -> Args {
    let mut args = if g.rng.one_in(2) {
        args![g.cased("MAXLEN")]
    } else {
        args![g.cased("MINID")]
    };
    let sign = *g.rng.pick(&["~", "~", "=", ""]);
    if !sign.is_empty() {
        args.push(sign.into());
    }
    args.push(match args[0].eq_ignore_ascii_case(b"MAXLEN") {
        true => g.rng.below(60).to_string().into(),
        false => id(g),
    });
    if sign == "~" && g.rng.one_in(3) {
        args.extend([g.cased("LIMIT"), g.rng.below(20).to_string().into()]);
    }
    args
}

fn xadd_trimming(g: &mut Gen) -> Args {
    let mut args = args!["XADD", key(g)];
    args.extend(trim(g));
    args.push(new_id(g));
    args.extend(fields(g));
    args
}

fn xtrim(g: &mut Gen) -> Args {
    let mut args = args!["XTRIM", key(g)];
    args.extend(trim(g));
    args
}

fn bound(g: &mut Gen, open: &str) -> Vec<u8> {
    match g.rng.below(4) {
        0 => open.into(),
        1 => [&b"("[..], &id(g)].concat(),
        _ => id(g),
    }
}

fn interval(g: &mut Gen, name: &str) -> Args {
    let (low, high) = (bound(g, "-"), bound(g, "+"));
    let mut args = match name {
        "XREVRANGE" => args![g.cased(name), key(g), high, low],
        _ => args![g.cased(name), key(g), low, high],
    };
    if g.rng.one_in(2) {
        args.extend([g.cased("COUNT"), g.rng.below(8).to_string().into()]);
    }
    args
}

fn xdel(g: &mut Gen) -> Args {
    let mut args = args!["XDEL", key(g)];
    args.extend(g.some(6, id));
    args
}

fn count(g: &mut Gen) -> Args {
    if g.rng.one_in(3) {
        return Args::new();
    }
    args![g.cased("COUNT"), g.rng.below(12).to_string()]
}

fn xread(g: &mut Gen) -> Args {
    let mut args = args![g.cased("XREAD")];
    args.extend(count(g));
    args.push(g.cased("STREAMS"));
    let keys = g.some(3, key);
    let len = keys.len();
    args.extend(keys);
    for _ in 0..len {
        let id = if g.rng.one_in(8) { b"$".to_vec() } else { id(g) };
        args.push(id);
    }
    args
}

fn create(g: &mut Gen) -> Args {
    let from = match g.rng.below(4) {
        0 => b"$".to_vec(),
        1 => id(g),
        _ => b"0".to_vec(),
    };
    let mut args = args!["XGROUP", g.cased("CREATE"), key(g), group(g), from];
    let options = vec![args![g.cased("MKSTREAM")], entries_read(g)];
    g.shuffle_in(&mut args, 2, options);
    args
}

fn entries_read(g: &mut Gen) -> Args {
    args![g.cased("ENTRIESREAD"), g.rng.between(-1, 40).to_string()]
}

fn set_id(g: &mut Gen) -> Args {
    let id = if g.rng.one_in(4) { b"$".to_vec() } else { id(g) };
    let mut args = args!["XGROUP", g.cased("SETID"), key(g), group(g), id];
    let options = vec![entries_read(g)];
    g.shuffle_in(&mut args, 2, options);
    args
}

fn xreadgroup(g: &mut Gen) -> Args {
    let mut args = args![g.cased("XREADGROUP"), g.cased("GROUP"), group(g), consumer(g)];
    args.extend(count(g));
    if g.rng.one_in(6) {
        args.push(g.cased("NOACK"));
    }
    args.push(g.cased("STREAMS"));
    let keys = if g.rng.one_in(4) {
        g.some(2, own_key)
    } else {
        args![own_key(g)]
    };
    let len = keys.len();
    args.extend(keys);
    for _ in 0..len {
        let id = if g.rng.one_in(3) { id(g) } else { b">".to_vec() };
        args.push(id);
    }
    args
}

fn xack(g: &mut Gen) -> Args {
    let mut args = args!["XACK", key(g), group(g)];
    args.extend(g.some(8, id));
    args
}

/// Times are milliseconds ago, or eleven days and more.
fn min_idle(g: &mut Gen) -> Vec<u8> {
    Vec::from(*g.rng.pick(&["0", "0", "-1", "1000000000"]))
}

fn xpending(g: &mut Gen) -> Args {
    let mut args = args![g.cased("XPENDING"), key(g), group(g)];
    if g.rng.one_in(3) {
        return args;
    }
    if g.rng.one_in(3) {
        args.extend([g.cased("IDLE"), min_idle(g)]);
    }
    args.extend([bound(g, "-"), bound(g, "+"), g.rng.below(12).to_string().into()]);
    if g.rng.one_in(2) {
        args.push(consumer(g));
    }
    args
}

fn xclaim(g: &mut Gen) -> Args {
    let mut args = args!["XCLAIM", key(g), group(g), consumer(g), min_idle(g)];
    args.extend(g.some(8, id));
    let options = vec![
        args![g.cased("IDLE"), "2000000000"],
        args![g.cased("TIME"), "1000"],
        args![g.cased("RETRYCOUNT"), g.rng.between(-1, 5).to_string()],
        args![g.cased("FORCE")],
        args![g.cased("JUSTID")],
        args![g.cased("LASTID"), id(g)],
    ];
    g.shuffle_in(&mut args, 5, options);
    args
}

/// Redis 7.0 makes the consumer of a claim or a read only if there is anything for it, 7.2 always: what makes it in both.
pub fn consumers_of(command: &[Vec<u8>]) -> Vec<Args> {
    let name = command[0].to_ascii_uppercase();
    let keys = match &name[..] {
        b"XCLAIM" | b"XAUTOCLAIM" => command.get(1..2).unwrap_or_default(),
        b"XREADGROUP" => {
            let is_word = |arg: &Vec<u8>| arg.eq_ignore_ascii_case(b"STREAMS");
            let streams = command.iter().position(is_word).unwrap_or(command.len() - 1);
            let keys_and_ids = &command[streams + 1..];
            &keys_and_ids[..keys_and_ids.len().div_ceil(2)]
        }
        _ => return Vec::new(),
    };
    let [group, consumer] = command.get(2..4).unwrap_or_default() else {
        return Vec::new();
    };
    let made = |key: &Vec<u8>| args!["XGROUP", "CREATECONSUMER", &key[..], &group[..], &consumer[..]];
    keys.iter().map(made).collect()
}

fn xautoclaim(g: &mut Gen) -> Args {
    let mut args = args![
        "XAUTOCLAIM",
        key(g),
        group(g),
        consumer(g),
        min_idle(g),
        bound(g, "-")
    ];
    let options = vec![
        args![g.cased("COUNT"), g.rng.below(6).to_string()],
        args![g.cased("JUSTID")],
    ];
    g.shuffle_in(&mut args, 2, options);
    args
}

fn xinfo(g: &mut Gen) -> Args {
    match g.rng.below(4) {
        0 => args!["XINFO", g.cased("GROUPS"), key(g)],
        1 => args!["XINFO", g.cased("CONSUMERS"), key(g), group(g)],
        _ => {
            let mut args = args!["XINFO", g.cased("STREAM"), key(g)];
            if g.rng.one_in(2) {
                args.push(g.cased("FULL"));
                args.extend(count(g));
            }
            args
        }
    }
}

/// To what is above any ID that is deleted: before 7.2 Redis did not check that.
fn xsetid(g: &mut Gen) -> Args {
    let mut args = args![
        "XSETID",
        key(g),
        format!("{}-{}", i64::MAX, 150 + g.rng.below(300))
    ];
    let options = vec![
        args![g.cased("ENTRIESADDED"), g.rng.below(300).to_string()],
        args![g.cased("MAXDELETEDID"), id(g)],
    ];
    g.shuffle_in(&mut args, 3, options);
    args
}

fn node_entries(g: &mut Gen) -> Args {
    let most = *g.rng.pick(&["1", "2", "5", "10", "100", "0"]);
    args!["CONFIG", "SET", "stream-node-max-entries", most]
}

/// Times, and the form of Redis's radix tree: in replies of XINFO.
const VARYING: [&[u8]; 5] = [
    b"radix-tree-nodes",
    b"idle",
    b"inactive",
    b"seen-time",
    b"active-time",
];
/// Came with 7.2.
const NEW: [&[u8]; 2] = [b"inactive", b"active-time"];
/// Redis 8 has another rule for them, which Redkeep follows: see the transcripts in `stream-lag.txt`.
const OF_ANOTHER_RULE: [&[u8]; 2] = [b"entries-read", b"lag"];
/// Before 7.2 a consumer was made only when there was something for it: one that has nothing may not be there.
const CONSUMERS: [&[u8]; 1] = [b"consumers"];

/// The reply without what is each server's own: times, above all.
pub fn without_times(name: &str, value: &Value) -> Value {
    if name == "XPENDING" {
        let Value::Array(items) = value else {
            return value.clone();
        };
        return Value::Array(items.iter().map(without_time).collect());
    }
    match value {
        Value::Map(pairs) => {
            let pairs = pairs.iter().filter(|(key, _)| !is_one_of(key, &NEW));
            Value::Map(
                pairs
                    .map(|(key, value)| (key.clone(), field(key, value)))
                    .collect(),
            )
        }
        Value::Array(items) if items.len().is_multiple_of(2) && items.iter().step_by(2).all(is_name) => {
            let pairs = items.chunks(2).filter(|pair| !is_one_of(&pair[0], &NEW));
            Value::Array(
                pairs
                    .flat_map(|pair| [pair[0].clone(), field(&pair[0], &pair[1])])
                    .collect(),
            )
        }
        Value::Array(items) => {
            let items = items.iter().filter(|item| !is_idle_consumer(item));
            Value::Array(items.map(|item| without_times(name, item)).collect())
        }
        other => other.clone(),
    }
}

fn is_name(value: &Value) -> bool {
    matches!(value, Value::Bulk(bytes) if bytes.first().is_some_and(u8::is_ascii_lowercase))
}

fn is_one_of(key: &Value, names: &[&[u8]]) -> bool {
    matches!(key, Value::Bulk(bytes) if names.contains(&&bytes[..]))
}

fn field(key: &Value, value: &Value) -> Value {
    match value {
        _ if is_one_of(key, &VARYING) || is_one_of(key, &OF_ANOTHER_RULE) => Value::Nil,
        Value::Integer(_) if is_one_of(key, &CONSUMERS) => Value::Nil,
        Value::Array(items) if is_one_of(key, &[b"pending"]) => {
            Value::Array(items.iter().map(without_time).collect())
        }
        Value::Array(_) if is_one_of(key, &[b"entries", b"first-entry", b"last-entry"]) => value.clone(),
        value => without_times("XINFO", value),
    }
}

/// A consumer's description, of one with nothing pending.
fn is_idle_consumer(value: &Value) -> bool {
    let pairs: Vec<(&Value, &Value)> = match value {
        Value::Map(pairs) => pairs.iter().map(|(key, value)| (key, value)).collect(),
        Value::Array(items) => items.chunks_exact(2).map(|pair| (&pair[0], &pair[1])).collect(),
        _ => return false,
    };
    let has = |name: &[u8], value: Option<&Value>| {
        let mut named = pairs.iter().filter(|(key, _)| is_one_of(key, &[name]));
        named.any(|(_, found)| value.is_none_or(|value| *found == value))
    };
    let none = Some(&Value::Integer(0));
    has(b"seen-time", None) && has(b"pel-count", none) || has(b"idle", None) && has(b"pending", none)
}

/// A pending entry: its time is the last number but one.
fn without_time(value: &Value) -> Value {
    let Value::Array(items) = value else {
        return value.clone();
    };
    let mut items = items.clone();
    if let [.., time @ Value::Integer(_), Value::Integer(_)] = &mut items[..] {
        *time = Value::Nil;
    }
    Value::Array(items)
}
