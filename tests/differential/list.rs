//! The commands of the list group.

use super::generate::{Args, Family, Gen, args};

pub const FAMILY: Family = Family {
    commands: &[
        (50, |g| push(g, "LPUSH")),
        (50, |g| push(g, "RPUSH")),
        (10, |g| push(g, "LPUSHX")),
        (10, |g| push(g, "RPUSHX")),
        (20, |g| pop(g, "LPOP")),
        (20, |g| pop(g, "RPOP")),
        (8, |g| args!["LLEN", list(g)]),
        (25, |g| args!["LRANGE", list(g), g.index(), g.index()]),
        (12, |g| args!["LINDEX", list(g), g.index()]),
        (20, |g| args!["LSET", list(g), index(g), element(g)]),
        (15, insert),
        (15, |g| args!["LREM", list(g), count(g), element(g)]),
        (8, |g| args!["LTRIM", list(g), index(g), index(g)]),
        (15, positions),
        (15, |g| {
            let (from, to) = (side(g), side(g));
            args!["LMOVE", list(g), list(g), from, to]
        }),
        (8, |g| args!["RPOPLPUSH", list(g), list(g)]),
        (10, pop_of_many),
        (6, thresholds),
    ],
    state: Some(("list", |key| {
        vec![
            args!["LLEN", key],
            args!["LRANGE", key, "0", "-1"],
            args!["LINDEX", key, "-3"],
        ]
    })),
};

/// Mostly keys that no string is written to, so that lists grow.
fn list(g: &mut Gen) -> Vec<u8> {
    match g.rng.below(8) {
        0 => g.key(),
        n => format!("list{}", n % 4).into(),
    }
}

/// Mostly one of a few, so that they can be found again.
fn element(g: &mut Gen) -> Vec<u8> {
    if g.rng.one_in(3) {
        g.value()
    } else {
        vec![b'a' + g.rng.below(6) as u8]
    }
}

fn index(g: &mut Gen) -> Vec<u8> {
    if g.rng.one_in(4) {
        return g.index();
    }
    g.rng.between(-12, 12).to_string().into()
}

fn count(g: &mut Gen) -> Vec<u8> {
    g.rng.between(-3, 3).to_string().into()
}

fn side(g: &mut Gen) -> Vec<u8> {
    let side = *g.rng.pick(&["LEFT", "RIGHT"]);
    g.cased(side)
}

fn push(g: &mut Gen, name: &str) -> Args {
    let mut args = args![g.cased(name), list(g)];
    let most = if g.rng.one_in(8) { 60 } else { 4 };
    args.extend(g.some(most, element));
    args
}

fn pop(g: &mut Gen, name: &str) -> Args {
    let mut args = args![g.cased(name), list(g)];
    if g.rng.one_in(3) {
        let most = if g.rng.one_in(4) { 200 } else { 5 };
        args.push(g.rng.below(most).to_string().into());
    }
    args
}

fn insert(g: &mut Gen) -> Args {
    let place = *g.rng.pick(&["BEFORE", "AFTER"]);
    args!["LINSERT", list(g), g.cased(place), element(g), element(g)]
}

fn positions(g: &mut Gen) -> Args {
    let mut args = args!["LPOS", list(g), element(g)];
    let groups = vec![
        args![g.cased("RANK"), g.rng.between(-4, 4).to_string()],
        args![g.cased("COUNT"), g.rng.below(5).to_string()],
        args![g.cased("MAXLEN"), g.rng.below(30).to_string()],
    ];
    g.shuffle_in(&mut args, 2, groups);
    args
}

fn pop_of_many(g: &mut Gen) -> Args {
    let keys = g.some(3, list);
    let mut args = args!["LMPOP", keys.len().to_string()];
    args.extend(keys);
    args.push(side(g));
    let count = args![g.cased("COUNT"), (1 + g.rng.below(9)).to_string()];
    g.shuffle_in(&mut args, 2, vec![count]);
    args
}

/// How large a list may be that is kept in one piece.
fn thresholds(g: &mut Gen) -> Args {
    let limit = *g.rng.pick(&["1", "3", "8", "128", "-1", "-2", "-5"]);
    args!["CONFIG", "SET", "list-max-listpack-size", limit]
}
