//! Commands about connections and the server that change what the others see.

use super::generate::{Args, Family, Gen, args};

pub const FAMILY: Family = Family {
    commands: &[
        (10, |g| args!["SELECT", g.database()]),
        (2, |g| args!["SWAPDB", g.database(), g.database()]),
        (1, flush),
        (5, |_| args!["DBSIZE"]),
        (2, |g| args!["PING", g.value()]),
        (2, |g| args!["ECHO", g.value()]),
        (1, |g| args!["HELLO", if g.rng.one_in(2) { "3" } else { "2" }]),
        (1, |g| args!["PUBLISH", g.value(), g.value()]),
        (1, |g| args!["NOSUCH", g.value(), g.value()]),
    ],
    state: None,
};

fn flush(g: &mut Gen) -> Args {
    let mut args = args![if g.rng.one_in(5) { "FLUSHALL" } else { "FLUSHDB" }];
    let how = if g.rng.one_in(2) { "ASYNC" } else { "SYNC" };
    let how = args![g.cased(how)];
    g.shuffle_in(&mut args, 2, vec![how]);
    args
}
