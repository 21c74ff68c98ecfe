//! The commands of the hash group that Redis 7.0 has.
//!
//! What HRANDFIELD shows of a hash is each server's own choice: it is compared when it is all.

use super::generate::{Args, Family, Gen, args};

pub const FAMILY: Family = Family {
    commands: &[
        (50, |g| with_pairs(g, "HSET", 5)),
        (6, |g| with_pairs(g, "HSET", 60)),
        (8, |g| with_pairs(g, "HMSET", 5)),
        (8, |g| args!["HSETNX", key(g), field(g), value(g)]),
        (20, |g| args!["HGET", key(g), field(g)]),
        (10, |g| with_fields(g, "HMGET", 8)),
        (10, |g| args!["HGETALL", key(g)]),
        (5, |g| args!["HKEYS", key(g)]),
        (5, |g| args!["HVALS", key(g)]),
        (6, |g| args!["HLEN", key(g)]),
        (6, |g| args!["HEXISTS", key(g), field(g)]),
        (6, |g| args!["HSTRLEN", key(g), field(g)]),
        (25, |g| with_fields(g, "HDEL", 5)),
        (3, |g| with_fields(g, "HDEL", 60)),
        (15, |g| args!["HINCRBY", key(g), field(g), g.number()]),
        (12, |g| args!["HINCRBYFLOAT", key(g), field(g), g.float()]),
        (3, |g| args!["HRANDFIELD", key(g)]),
        (4, |g| args!["HRANDFIELD", key(g), "1000"]),
        (4, |g| args!["HRANDFIELD", key(g), "1000", g.cased("WITHVALUES")]),
        (3, |g| {
            args!["HRANDFIELD", key(g), g.rng.between(-20, 20).to_string()]
        }),
        (4, |g| args!["HSCAN", key(g), "0", g.cased("COUNT"), "1000"]),
        (3, |g| {
            args!["HSCAN", key(g), "0", g.cased("MATCH"), "*1*", "COUNT", "1000"]
        }),
        (2, |g| {
            args!["HSCAN", key(g), "0", "COUNT", g.rng.below(5).to_string()]
        }),
        (4, thresholds),
        (4, |g| args!["COPY", key(g), key(g), "REPLACE"]),
        (2, |g| args!["RENAME", key(g), key(g)]),
        (2, |g| args!["EXPIRE", key(g), g.seconds_ahead().to_string()]),
        (1, |g| args!["DEL", key(g)]),
        (1, |g| args!["MOVE", key(g), g.database()]),
    ],
    state: Some(("hash", |key| {
        vec![
            args!["HGETALL", key],
            args!["HLEN", key],
            args!["HSCAN", key, "0", "COUNT", "1000"],
        ]
    })),
};

fn key(g: &mut Gen) -> Vec<u8> {
    match g.rng.below(30) {
        0 => g.key(),
        n => format!("h{}", n % 7).into(),
    }
}

fn field(g: &mut Gen) -> Vec<u8> {
    match g.rng.below(40) {
        0 => g.value(),
        1..=3 => g.text(4),
        4 => vec![b'x'; g.rng.between(60, 70) as usize],
        5..=20 => format!("f{}", g.rng.below(12)).into(),
        _ => format!("f{}", g.rng.below(100)).into(),
    }
}

fn value(g: &mut Gen) -> Vec<u8> {
    match g.rng.below(20) {
        0 => vec![b'y'; g.rng.between(60, 70) as usize],
        1 => vec![b'z'; g.rng.between(500, 520) as usize],
        _ => g.value(),
    }
}

fn with_pairs(g: &mut Gen, name: &str, most: u64) -> Args {
    let mut args = args![g.cased(name), key(g)];
    for _ in 0..=g.rng.below(most) {
        args.extend([field(g), value(g)]);
    }
    args
}

fn with_fields(g: &mut Gen, name: &str, most: u64) -> Args {
    let mut args = args![g.cased(name), key(g)];
    args.extend(g.some(most, field));
    args
}

/// Small, so that hashes change their form.
fn thresholds(g: &mut Gen) -> Args {
    let option = *g
        .rng
        .pick(&["hash-max-listpack-entries", "hash-max-listpack-value"]);
    let most = *g.rng.pick(&[0, 4, 20, 64, 512]);
    args!["CONFIG", "SET", option, most.to_string()]
}
