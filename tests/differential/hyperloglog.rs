//! The commands of the hyperloglog group. They have keys of their own beside the others, which would break them: what is
//! made of elements is then compared byte for byte, through GET.

use super::generate::{Args, Family, Gen, args};

pub const FAMILY: Family = Family {
    commands: &[
        (30, pfadd),
        (15, |g| args!["PFCOUNT", sketch(g)]),
        (6, pfcount_many),
        (10, pfmerge),
        (6, |g| args!["GET", sketch(g)]),
        (4, pfdebug),
        (2, sparse_max),
        (3, |g| {
            args!["COPY", format!("hll{}", g.rng.below(4)), sketch(g), "REPLACE"]
        }),
        (2, |g| args!["DEL", sketch(g)]),
        (2, broken),
        (3, |g| args!["PFADD", g.key(), g.value()]),
    ],
    state: None,
};

fn sketch(g: &mut Gen) -> Vec<u8> {
    if g.rng.one_in(20) {
        return g.key();
    }
    format!("hll{}", g.rng.below(4)).into()
}

fn pfadd(g: &mut Gen) -> Args {
    let mut args = args!["PFADD", format!("hll{}", g.rng.below(4))];
    let most = *g.rng.pick(&[1, 2, 5, 30, 300]);
    let range = *g.rng.pick(&[100, 10_000, u64::MAX]);
    for _ in 0..g.rng.below(most) {
        args.push(g.rng.below(range).to_string().into());
    }
    args
}

fn pfcount_many(g: &mut Gen) -> Args {
    let mut args = args!["PFCOUNT"];
    args.extend(g.some(4, sketch));
    args
}

fn pfmerge(g: &mut Gen) -> Args {
    let mut args = args!["PFMERGE"];
    args.extend(g.some(4, sketch));
    args
}

fn pfdebug(g: &mut Gen) -> Args {
    let subcommand = *g.rng.pick(&["DECODE", "ENCODING", "TODENSE", "GETREG", "FOO"]);
    args!["PFDEBUG", g.cased(subcommand), sketch(g)]
}

fn sparse_max(g: &mut Gen) -> Args {
    let most = *g.rng.pick(&["0", "30", "300", "3000", "3000", "3000", "15000"]);
    args!["CONFIG", "SET", "hll-sparse-max-bytes", most]
}

/// One that is not used with several elements at once: of those Redis keeps what it added before it found the damage.
fn broken(g: &mut Gen) -> Args {
    let key = "broken-hll";
    match g.rng.below(6) {
        0 => args!["COPY", sketch(g), key, "REPLACE"],
        1 => args!["SETRANGE", key, g.rng.below(40).to_string(), g.rng.bytes(2)],
        2 => args!["PFADD", key, g.number()],
        3 => args!["PFMERGE", sketch(g), key],
        4 => args!["GET", key],
        _ => args!["PFCOUNT", key],
    }
}
