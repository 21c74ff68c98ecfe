//! The commands of the sorted_set group.
//!
//! Scores are quarters, so that both servers print them alike. What ZUNIONSTORE and its like store is no source of
//! another, or scores would double until they are beyond what prints alike. Ranges by member are asked of keys whose
//! scores are all 0: elsewhere Redis leaves open what they come to.

use super::generate::{Args, Family, Gen, args};

pub const FAMILY: Family = Family {
    commands: &[
        (60, zadd),
        (6, zadd_many),
        (15, |g| args!["ZINCRBY", key(g), score(g), member(g)]),
        (20, |g| with_members(g, "ZREM", 4)),
        (3, |g| with_members(g, "ZREM", 60)),
        (4, |g| args!["ZCARD", any_key(g)]),
        (8, |g| args!["ZSCORE", any_key(g), member(g)]),
        (4, |g| with_members(g, "ZMSCORE", 8)),
        (10, |g| args!["ZRANK", any_key(g), member(g)]),
        (6, |g| args!["ZREVRANK", any_key(g), member(g)]),
        (40, range),
        (8, rangestore),
        (8, |g| args!["ZCOUNT", any_key(g), bound(g), bound(g)]),
        (8, |g| args!["ZLEXCOUNT", lex_key(g), lex_bound(g), lex_bound(g)]),
        (5, |g| args!["ZREMRANGEBYRANK", any_key(g), rank(g), rank(g)]),
        (5, |g| args!["ZREMRANGEBYSCORE", any_key(g), bound(g), bound(g)]),
        (5, |g| {
            args!["ZREMRANGEBYLEX", lex_key(g), lex_bound(g), lex_bound(g)]
        }),
        (10, pop),
        (5, zmpop),
        (8, zrandmember),
        (4, zscan),
        (30, combine),
        (4, zintercard),
        (6, thresholds),
        (2, |g| args!["OBJECT", "ENCODING", any_key(g)]),
        (4, |g| args!["COPY", key(g), key(g), "REPLACE"]),
        (2, |g| args!["RENAME", key(g), key(g)]),
        (2, |g| args!["EXPIRE", any_key(g), g.seconds_ahead().to_string()]),
        (1, |g| args!["DEL", any_key(g)]),
        (1, |g| args!["MOVE", any_key(g), g.database()]),
    ],
    state: Some(("zset", |key| {
        vec![
            args!["ZRANGE", key, "0", "-1", "WITHSCORES"],
            args!["ZCARD", key],
            args!["ZSCAN", key, "0", "COUNT", "1000"],
        ]
    })),
};

fn key(g: &mut Gen) -> Vec<u8> {
    match g.rng.below(40) {
        0 => g.key(),
        n => format!("z{}", n % 6).into(),
    }
}

/// A key whose scores are all 0.
fn lex_key(g: &mut Gen) -> Vec<u8> {
    format!("l{}", g.rng.below(2)).into()
}

/// A key that only results are stored in.
fn target(g: &mut Gen) -> Vec<u8> {
    format!("zd{}", g.rng.below(3)).into()
}

fn any_key(g: &mut Gen) -> Vec<u8> {
    match g.rng.below(8) {
        0 => lex_key(g),
        1 => target(g),
        _ => key(g),
    }
}

fn source(g: &mut Gen) -> Vec<u8> {
    match g.rng.below(8) {
        0 => lex_key(g),
        1 | 2 => format!("s{}", g.rng.below(7)).into(),
        _ => key(g),
    }
}

fn score(g: &mut Gen) -> Vec<u8> {
    match g.rng.below(40) {
        0 => b"inf".to_vec(),
        1 => b"-inf".to_vec(),
        2 => b"-0".to_vec(),
        3 => b"1e3".to_vec(),
        4..=20 => g.rng.between(-20, 20).to_string().into(),
        _ => (g.rng.between(-80, 80) as f64 / 4.0).to_string().into(),
    }
}

/// Mostly among a hundred, which members of sets are too.
fn member(g: &mut Gen) -> Vec<u8> {
    match g.rng.below(30) {
        0 => g.value(),
        1..=4 => g.text(4),
        5 => vec![b'x'; g.rng.between(60, 70) as usize],
        _ => g.rng.below(100).to_string().into(),
    }
}

fn with_members(g: &mut Gen, name: &str, most: u64) -> Args {
    let mut args = args![name, any_key(g)];
    args.extend(g.some(most, member));
    args
}

fn zadd(g: &mut Gen) -> Args {
    if g.rng.one_in(6) {
        let mut args = args!["ZADD", lex_key(g)];
        for _ in 0..=g.rng.below(6) {
            args.extend(args!["0", member(g)]);
        }
        return args;
    }
    let mut args = args![g.cased("ZADD"), key(g)];
    let words = ["NX", "XX", "GT", "LT", "CH", "INCR"];
    let groups = words.map(|word| args![g.cased(word)]).to_vec();
    g.shuffle_in(&mut args, 12, groups);
    let more = if g.rng.one_in(2) { 0 } else { g.rng.below(6) };
    for _ in 0..=more {
        args.extend([score(g), member(g)]);
    }
    args
}

fn zadd_many(g: &mut Gen) -> Args {
    let mut args = args!["ZADD", key(g)];
    for _ in 0..g.rng.below(150) + 1 {
        args.extend([score(g), member(g)]);
    }
    args
}

fn bound(g: &mut Gen) -> Vec<u8> {
    let mut bound = if g.rng.one_in(4) {
        b"(".to_vec()
    } else {
        Vec::new()
    };
    bound.extend(score(g));
    bound
}

fn lex_bound(g: &mut Gen) -> Vec<u8> {
    let bracket = *g.rng.pick(&["[", "(", "-", "+"]);
    let mut bound = Vec::from(bracket);
    if matches!(bracket, "[" | "(") {
        bound.extend(member(g));
    }
    bound
}

fn rank(g: &mut Gen) -> Vec<u8> {
    let most = *g.rng.pick(&[5, 150]);
    g.rng.between(-most, most).to_string().into()
}

fn limit(g: &mut Gen) -> Args {
    let (offset, count) = (g.rng.between(-1, 20), g.rng.between(-1, 20));
    args![g.cased("LIMIT"), offset.to_string(), count.to_string()]
}

/// Key, bounds and the words that say by what they go.
fn any_range(g: &mut Gen) -> (Args, Args) {
    match g.rng.below(3) {
        0 => (args![any_key(g), rank(g), rank(g)], Args::new()),
        1 => (args![any_key(g), bound(g), bound(g)], args![g.cased("BYSCORE")]),
        _ => (
            args![lex_key(g), lex_bound(g), lex_bound(g)],
            args![g.cased("BYLEX")],
        ),
    }
}

fn range(g: &mut Gen) -> Args {
    let (range, by) = any_range(g);
    let (limit, scores) = (limit(g), args![g.cased("WITHSCORES")]);
    let old = match by.first().map(|word| word.to_ascii_uppercase()) {
        None => "ZREVRANGE",
        Some(word) if word == b"BYLEX" => *g.rng.pick(&["ZRANGEBYLEX", "ZREVRANGEBYLEX"]),
        Some(_) => *g.rng.pick(&["ZRANGEBYSCORE", "ZREVRANGEBYSCORE"]),
    };
    if g.rng.one_in(2) {
        let mut args = args![old];
        args.extend(range);
        g.shuffle_in(&mut args, 2, vec![limit, scores]);
        return args;
    }
    let mut args = args!["ZRANGE"];
    args.extend(range);
    args.extend(by);
    let reverse = args![g.cased("REV")];
    g.shuffle_in(&mut args, 3, vec![limit, scores, reverse]);
    args
}

fn rangestore(g: &mut Gen) -> Args {
    let (range, by) = any_range(g);
    let mut args = args!["ZRANGESTORE", target(g)];
    args.extend(range);
    args.extend(by);
    let (limit, reverse) = (limit(g), args![g.cased("REV")]);
    g.shuffle_in(&mut args, 3, vec![limit, reverse]);
    args
}

fn pop(g: &mut Gen) -> Args {
    let mut args = args![*g.rng.pick(&["ZPOPMIN", "ZPOPMAX"]), any_key(g)];
    if g.rng.one_in(2) {
        let most = *g.rng.pick(&[4, 60]);
        args.push(g.rng.below(most).to_string().into());
    }
    args
}

fn zmpop(g: &mut Gen) -> Args {
    let keys = g.some(3, any_key);
    let mut args = args!["ZMPOP", keys.len().to_string()];
    args.extend(keys);
    args.push(Vec::from(*g.rng.pick(&["MIN", "max"])));
    if g.rng.one_in(2) {
        args.extend(args![g.cased("COUNT"), g.rng.below(20).to_string()]);
    }
    args
}

fn zrandmember(g: &mut Gen) -> Args {
    if g.rng.one_in(5) {
        return args!["ZRANDMEMBER", any_key(g)];
    }
    let count = *g.rng.pick(&["1000", "1000", "0", "3", "-5"]);
    let mut args = args!["ZRANDMEMBER", any_key(g), count];
    if g.rng.one_in(2) {
        args.push(g.cased("WITHSCORES"));
    }
    args
}

fn zscan(g: &mut Gen) -> Args {
    let mut args = args!["ZSCAN", any_key(g), "0"];
    let (all, some) = (args!["COUNT", "1000"], args!["MATCH", "*1*"]);
    g.shuffle_in(&mut args, 2, vec![all, some]);
    args
}

fn combine(g: &mut Gen) -> Args {
    let operation = *g.rng.pick(&["ZUNION", "ZINTER", "ZDIFF"]);
    let stores = g.rng.one_in(2);
    let mut args = match stores {
        true => args![format!("{operation}STORE"), target(g)],
        false => args![operation],
    };
    let keys = g.some(4, source);
    let count = keys.len();
    args.push(count.to_string().into());
    args.extend(keys);
    let mut options = Vec::new();
    if operation != "ZDIFF" {
        let weights = ["0", "1", "2", "-1", "0.5", "inf"];
        let mut group = args![g.cased("WEIGHTS")];
        group.extend((0..count).map(|_| Vec::from(*g.rng.pick(&weights))));
        let word = *g.rng.pick(&["SUM", "min", "MAX"]);
        options = vec![group, args![g.cased("AGGREGATE"), word]];
    }
    if !stores {
        options.push(args![g.cased("WITHSCORES")]);
    }
    g.shuffle_in(&mut args, 2, options);
    args
}

fn zintercard(g: &mut Gen) -> Args {
    let keys = g.some(3, source);
    let mut args = args!["ZINTERCARD", keys.len().to_string()];
    args.extend(keys);
    if g.rng.one_in(2) {
        args.extend(args![g.cased("LIMIT"), g.rng.below(20).to_string()]);
    }
    args
}

/// Small, so that sorted sets become large.
fn thresholds(g: &mut Gen) -> Args {
    let most = *g.rng.pick(&[0, 4, 20, 64, 128]);
    let option = *g
        .rng
        .pick(&["zset-max-listpack-entries", "zset-max-listpack-value"]);
    args!["CONFIG", "SET", option, most.to_string()]
}

/// Whether a spoiled command leaves the scores of all keys as this family wants them.
pub fn keeps_scores(name: &str, args: &[Vec<u8>]) -> bool {
    let adds = matches!(name, "ZADD" | "ZINCRBY");
    let stores = name.starts_with('Z') && name.ends_with("STORE");
    let of_results = args.get(1).is_some_and(|key| key.starts_with(b"zd"));
    let of_zeros = args.get(1).is_some_and(|key| key.starts_with(b"l"));
    let prints_alike = |arg: &Vec<u8>| {
        let number = std::str::from_utf8(arg)
            .ok()
            .and_then(|text| text.parse::<f64>().ok());
        number.is_none_or(|number| !number.is_finite() || number.abs() < 1e9)
    };
    (!adds || !of_zeros) && (!stores || of_results) && (!(adds || stores) || args.iter().all(prints_alike))
}
