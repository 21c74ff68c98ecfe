//! The commands of the generic group that need no other type of key.

use super::generate::{Args, Family, Gen, args};

pub const FAMILY: Family = Family {
    commands: &[
        (15, |g| keys(g, "DEL")),
        (8, |g| keys(g, "UNLINK")),
        (10, |g| keys(g, "EXISTS")),
        (4, |g| keys(g, "TOUCH")),
        (8, |g| args!["TYPE", g.key()]),
        (12, |g| args!["RENAME", g.key(), g.key()]),
        (8, |g| args!["RENAMENX", g.key(), g.key()]),
        (12, copy),
        (10, |g| args!["MOVE", g.key(), g.database()]),
        (10, |g| expire(g, "EXPIRE")),
        (10, |g| expire(g, "PEXPIRE")),
        (8, |g| expire(g, "EXPIREAT")),
        (8, |g| expire(g, "PEXPIREAT")),
        (8, |g| args!["PERSIST", g.key()]),
        (8, |g| args!["TTL", g.key()]),
        (6, |g| args!["PTTL", g.key()]),
        (6, |g| args!["EXPIRETIME", g.key()]),
        (6, |g| args!["PEXPIRETIME", g.key()]),
        (6, |g| args!["KEYS", pattern(g)]),
        (6, scan),
        (3, |_| args!["RANDOMKEY"]),
        (6, object),
    ],
    state: None,
};

fn keys(g: &mut Gen, name: &str) -> Args {
    let mut args = args![g.cased(name)];
    args.extend(g.some(3, Gen::key));
    args
}

fn copy(g: &mut Gen) -> Args {
    let mut args = args!["COPY", g.key(), g.key()];
    let database = args![g.cased("DB"), g.database()];
    let replace = args![g.cased("REPLACE")];
    g.shuffle_in(&mut args, 2, vec![database, replace]);
    args
}

fn expire(g: &mut Gen, name: &str) -> Args {
    let (seconds, moment, below_zero) = (g.seconds_ahead(), g.moment(), g.rng.one_in(12));
    let when = match name {
        _ if below_zero => "-5".into(),
        "EXPIRE" => seconds.to_string(),
        "PEXPIRE" => (seconds * 1000 + 7).to_string(),
        "EXPIREAT" => moment.to_string(),
        _ => (moment * 1000 + 7).to_string(),
    };
    let mut args = args![name, g.key(), when];
    let mut options = Vec::new();
    for word in ["NX", "XX", "GT", "LT"] {
        options.push(args![g.cased(word)]);
    }
    g.shuffle_in(&mut args, 6, options);
    args
}

fn pattern(g: &mut Gen) -> Vec<u8> {
    const PATTERNS: [&str; 12] = [
        "*", "k*", "k?", "k[0-3]", "k[^0-3]", "b*g?", "", "\\k1", "r1*", "*[", "nosuch*", "[b-a]*",
    ];
    Vec::from(*g.rng.pick(&PATTERNS))
}

fn scan(g: &mut Gen) -> Args {
    let mut args = args!["SCAN", "0", g.cased("COUNT"), "100000"];
    let (found, kind) = (pattern(g), *g.rng.pick(&["string", "STRING", "list", "hash"]));
    let groups = vec![args![g.cased("MATCH"), found], args![g.cased("TYPE"), kind]];
    g.shuffle_in(&mut args, 2, groups);
    args
}

fn object(g: &mut Gen) -> Args {
    let subcommand = *g
        .rng
        .pick(&["ENCODING", "ENCODING", "REFCOUNT", "IDLETIME", "FREQ"]);
    args!["OBJECT", g.cased(subcommand), g.key()]
}
