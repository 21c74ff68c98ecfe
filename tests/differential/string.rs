//! The commands of the string group.

use super::generate::{Args, Family, Gen, args};

pub const FAMILY: Family = Family {
    commands: &[
        (60, set),
        (10, set_large),
        (30, |g| args!["GET", g.key()]),
        (8, |g| args!["GETSET", g.key(), g.value()]),
        (8, |g| args!["GETDEL", g.key()]),
        (15, getex),
        (6, |g| args!["SETNX", g.key(), g.value()]),
        (5, |g| {
            args!["SETEX", g.key(), g.seconds_ahead().to_string(), g.value()]
        }),
        (5, |g| {
            args![
                "PSETEX",
                g.key(),
                (g.seconds_ahead() * 1000).to_string(),
                g.value()
            ]
        }),
        (10, |g| pairs(g, "MSET")),
        (6, |g| pairs(g, "MSETNX")),
        (8, mget),
        (15, append),
        (6, |g| args!["STRLEN", g.key()]),
        (12, setrange),
        (12, |g| args!["GETRANGE", g.key(), g.index(), g.index()]),
        (3, |g| args!["SUBSTR", g.key(), g.index(), g.index()]),
        (12, |g| args!["INCR", g.key()]),
        (6, |g| args!["DECR", g.key()]),
        (8, |g| args!["INCRBY", g.key(), g.number()]),
        (6, |g| args!["DECRBY", g.key(), g.number()]),
        (8, |g| args!["INCRBYFLOAT", g.key(), g.float()]),
        (6, lcs),
    ],
    state: Some(("string", |key| vec![args!["GET", key], args!["STRLEN", key]])),
};

fn set(g: &mut Gen) -> Args {
    let mut args = args![g.cased("SET"), g.key(), g.value()];
    let deadline = if g.rng.one_in(3) {
        args![g.cased("KEEPTTL")]
    } else {
        g.deadline()
    };
    let condition = if g.rng.one_in(2) {
        args![g.cased("NX")]
    } else {
        args![g.cased("XX")]
    };
    let get = args![g.cased("GET")];
    g.shuffle_in(&mut args, 4, vec![deadline, condition, get]);
    args
}

fn set_large(g: &mut Gen) -> Args {
    args!["SET", g.big_key(), g.large()]
}

fn getex(g: &mut Gen) -> Args {
    let mut args = args!["GETEX", g.key()];
    let (deadline, persist) = (g.deadline(), args![g.cased("PERSIST")]);
    g.shuffle_in(&mut args, 3, vec![deadline, persist]);
    args
}

fn pairs(g: &mut Gen, name: &str) -> Args {
    let mut args = args![name];
    for _ in 0..=g.rng.below(6) {
        args.extend([g.key(), g.value()]);
    }
    args
}

fn mget(g: &mut Gen) -> Args {
    let mut args = args!["MGET"];
    args.extend(g.some(6, Gen::key));
    args
}

fn append(g: &mut Gen) -> Args {
    if g.rng.one_in(20) {
        args!["APPEND", g.big_key(), g.large()]
    } else {
        args!["APPEND", g.key(), g.value()]
    }
}

fn setrange(g: &mut Gen) -> Args {
    let key = if g.rng.one_in(4) { g.big_key() } else { g.key() };
    let offset = g.offset(&key).to_string();
    args!["SETRANGE", key, offset, g.value()]
}

fn lcs(g: &mut Gen) -> Args {
    let mut args = args!["LCS", g.key(), g.key()];
    let minimum = args![g.cased("MINMATCHLEN"), g.rng.below(6).to_string()];
    let words = [g.cased("LEN"), g.cased("IDX"), g.cased("WITHMATCHLEN")];
    let mut groups: Vec<Args> = words.into_iter().map(|word| args![word]).collect();
    groups.push(minimum);
    g.shuffle_in(&mut args, 3, groups);
    args
}
