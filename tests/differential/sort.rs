//! SORT. It has keys of its own, mostly with numbers in them, beside the others.

use super::generate::{Args, Family, Gen, args};

pub const FAMILY: Family = Family {
    commands: &[
        (10, fill),
        (6, |g| args!["SET", weight_key(g), element(g)]),
        (4, |g| {
            let field = *g.rng.pick(&["f", "g"]);
            args!["HSET", hash_key(g), field, element(g)]
        }),
        (20, |g| sort(g, "SORT")),
        (4, |g| sort(g, "SORT_RO")),
        (3, stored),
        (2, |g| args!["DEL", source(g)]),
    ],
    state: None,
};

const SOURCES: [&str; 4] = ["sort-list", "sort-list2", "sort-set", "sort-zset"];

fn source(g: &mut Gen) -> Vec<u8> {
    if g.rng.one_in(20) {
        return g.key();
    }
    Vec::from(*g.rng.pick(&SOURCES))
}

fn element(g: &mut Gen) -> Vec<u8> {
    match g.rng.below(20) {
        0 => Vec::from(*g.rng.pick(&["", "a", "b", " 7", "1e1", "0x10", "inf", "nan"])),
        1..=3 => g.float(),
        _ => g.rng.below(40).to_string().into(),
    }
}

fn weight_key(g: &mut Gen) -> Vec<u8> {
    [b"w_".to_vec(), element(g)].concat()
}

fn hash_key(g: &mut Gen) -> Vec<u8> {
    [b"h_".to_vec(), element(g)].concat()
}

fn fill(g: &mut Gen) -> Args {
    match g.rng.below(4) {
        0 => {
            let mut args = args!["SADD", "sort-set"];
            args.extend(g.some(20, element));
            args
        }
        1 => {
            let mut args = args!["ZADD", "sort-zset"];
            for _ in 0..=g.rng.below(20) {
                args.extend([g.rng.below(30).to_string().into(), element(g)]);
            }
            args
        }
        n => {
            let mut args = args!["RPUSH", SOURCES[n as usize - 2]];
            args.extend(g.some(20, element));
            args
        }
    }
}

fn pattern(g: &mut Gen) -> Vec<u8> {
    Vec::from(
        *g.rng
            .pick(&["w_*", "h_*->f", "h_*->g", "#", "none_*", "*", "fixed", "h_*->"]),
    )
}

/// Not what leaves open which of two comes first: equal bytes by BY ALPHA, and the order of an unsorted set.
fn sort(g: &mut Gen, name: &str) -> Args {
    let key = source(g);
    let mut args = args![name, key.clone()];
    let (alpha, stable) = (g.rng.one_in(3), key.starts_with(b"sort-list"));
    let limit = args![
        g.cased("LIMIT"),
        g.rng.between(-2, 30).to_string(),
        g.rng.between(-2, 30).to_string()
    ];
    let mut options = Vec::new();
    match g.rng.below(4) {
        0 if !alpha => {
            let by = *g.rng.pick(&["w_*", "h_*->f", "h_*->g", "none_*", "*"]);
            options.push(args![g.cased("BY"), by]);
        }
        1 if stable => options.push(args![g.cased("BY"), pattern(g)]),
        _ => options.push(limit),
    }
    if alpha {
        options.push(args![g.cased("ALPHA")]);
    }
    options.push({
        let word = *g.rng.pick(&["ASC", "DESC"]);
        args![g.cased(word)]
    });
    for _ in 0..g.rng.below(3) {
        options.push(args![g.cased("GET"), pattern(g)]);
    }
    if g.rng.one_in(4) {
        options.push(args![g.cased("STORE"), source(g)]);
    }
    g.shuffle_in(&mut args, 2, options);
    args
}

fn stored(g: &mut Gen) -> Args {
    let source = Vec::from(*g.rng.pick(&SOURCES));
    match g.rng.below(3) {
        0 => args!["SORT", source, "STORE", "sort-list"],
        1 => args!["LRANGE", "sort-list", "0", "-1"],
        _ => args!["SORT", "sort-set", "BY", "nosort", "STORE", "sort-list2"],
    }
}
