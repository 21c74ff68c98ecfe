//! The commands of the set group.
//!
//! What SPOP takes out is each server's own choice, so it is asked for more than there is; what SRANDMEMBER shows of a
//! set is compared when it is all.

use super::generate::{Args, Family, Gen, args};

pub const FAMILY: Family = Family {
    commands: &[
        (60, |g| with_members(g, "SADD", 8)),
        (6, |g| with_members(g, "SADD", 100)),
        (25, |g| with_members(g, "SREM", 4)),
        (3, |g| with_members(g, "SREM", 60)),
        (8, |g| args!["SISMEMBER", key(g), member(g)]),
        (6, |g| with_members(g, "SMISMEMBER", 12)),
        (6, |g| args!["SCARD", key(g)]),
        (10, |g| args!["SMEMBERS", key(g)]),
        (15, |g| args!["SMOVE", key(g), key(g), member(g)]),
        (4, |g| args!["SPOP", key(g), "1000"]),
        (2, |g| args!["SPOP", key(g), "0"]),
        (4, |g| args!["SRANDMEMBER", key(g)]),
        (4, |g| {
            args!["SRANDMEMBER", key(g), g.rng.between(-20, 20).to_string()]
        }),
        (4, |g| args!["SRANDMEMBER", key(g), "1000"]),
        (4, |g| args!["SSCAN", key(g), "0", g.cased("COUNT"), "1000"]),
        (2, |g| {
            args!["SSCAN", key(g), "0", g.cased("MATCH"), "*1*", "COUNT", "1000"]
        }),
        (2, |g| {
            args!["SSCAN", key(g), "0", "COUNT", g.rng.below(5).to_string()]
        }),
        (6, |g| with_keys(g, "SUNION")),
        (6, |g| with_keys(g, "SINTER")),
        (8, |g| with_keys(g, "SDIFF")),
        (8, |g| with_keys(g, "SUNIONSTORE")),
        (8, |g| with_keys(g, "SINTERSTORE")),
        (8, |g| with_keys(g, "SDIFFSTORE")),
        (8, sintercard),
        (4, thresholds),
        (2, |g| args!["OBJECT", "ENCODING", key(g)]),
        (4, |g| args!["COPY", key(g), key(g), "REPLACE"]),
        (2, |g| args!["RENAME", key(g), key(g)]),
        (2, |g| args!["EXPIRE", key(g), g.seconds_ahead().to_string()]),
        (1, |g| args!["DEL", key(g)]),
        (1, |g| args!["MOVE", key(g), g.database()]),
    ],
    state: Some(("set", |key| {
        vec![
            args!["SMEMBERS", key],
            args!["SCARD", key],
            args!["SSCAN", key, "0", "COUNT", "1000"],
        ]
    })),
};

fn key(g: &mut Gen) -> Vec<u8> {
    match g.rng.below(30) {
        0 => g.key(),
        n => format!("s{}", n % 7).into(),
    }
}

/// Mostly among a hundred integers and a few texts, so that sets have members in common.
fn member(g: &mut Gen) -> Vec<u8> {
    match g.rng.below(30) {
        0 => g.value(),
        1..=4 => g.text(4),
        5 => vec![b'x'; g.rng.between(60, 70) as usize],
        6..=15 => g.rng.below(100).to_string().into(),
        _ => g.number(),
    }
}

fn with_members(g: &mut Gen, name: &str, most: u64) -> Args {
    let mut args = args![name, key(g)];
    args.extend(g.some(most, member));
    args
}

fn with_keys(g: &mut Gen, name: &str) -> Args {
    let mut args = args![name, key(g)];
    args.extend(g.some(4, key));
    args
}

fn sintercard(g: &mut Gen) -> Args {
    let keys = g.some(4, key);
    let mut args = args!["SINTERCARD", keys.len().to_string()];
    args.extend(keys);
    if g.rng.one_in(2) {
        args.extend(args![g.cased("LIMIT"), g.rng.below(20).to_string()]);
    }
    args
}

/// Small, so that sets change their form; the older Redis has only the first of these options.
fn thresholds(g: &mut Gen) -> Args {
    let option = *g.rng.pick(&[
        "set-max-intset-entries",
        "set-max-listpack-entries",
        "set-max-listpack-value",
    ]);
    let most = *g.rng.pick(&[0, 4, 20, 64, 512]);
    args!["CONFIG", "SET", option, most.to_string()]
}

/// Whether the outcome is not a server's own choice.
pub fn is_determined(args: &[Vec<u8>]) -> bool {
    let count = args.get(2).and_then(|arg| std::str::from_utf8(arg).ok());
    match count.map(str::parse) {
        None => false,
        Some(Ok(count)) => !(1..1000).contains(&count),
        Some(Err(_)) => true,
    }
}
