//! The commands of the geo group. They have keys of their own beside the others.

use super::generate::{Args, Family, Gen, args};

pub const FAMILY: Family = Family {
    commands: &[
        (25, geoadd),
        (6, geodist),
        (4, |g| with_members(g, "GEOHASH")),
        (4, |g| with_members(g, "GEOPOS")),
        (15, geosearch),
        (6, geosearchstore),
        (4, |g| georadius(g, "GEORADIUS")),
        (2, |g| georadius(g, "GEORADIUS_RO")),
        (4, |g| georadiusbymember(g, "GEORADIUSBYMEMBER")),
        (2, |g| georadiusbymember(g, "GEORADIUSBYMEMBER_RO")),
        (2, |g| args!["ZRANGE", distances_key(g), "0", "-1", "WITHSCORES"]),
        (1, |g| args!["DEL", geo_key(g)]),
    ],
    state: None,
};

fn geo_key(g: &mut Gen) -> Vec<u8> {
    if g.rng.one_in(20) {
        return g.key();
    }
    format!("geo{}", g.rng.below(3)).into()
}

/// Of no command that takes scores for places: distances are places that are all close together, and many of them equally
/// far from a third.
fn distances_key(g: &mut Gen) -> Vec<u8> {
    format!("distances{}", g.rng.below(2)).into()
}

fn member(g: &mut Gen) -> Vec<u8> {
    format!("m{}", g.rng.below(60)).into()
}

/// A coordinate with so many digits that two places hardly ever are equally far from a third, where which comes first
/// is left open.
fn degrees(g: &mut Gen, limit: i64) -> Vec<u8> {
    let range = *g.rng.pick(&[1, limit / 8, limit, limit + 1]);
    let (whole, part) = (g.rng.between(-range, range), g.rng.below(10_000_000_000));
    format!("{whole}.{part:010}").into()
}

fn place(g: &mut Gen) -> Args {
    args![degrees(g, 179), degrees(g, 85)]
}

fn geoadd(g: &mut Gen) -> Args {
    let mut args = args!["GEOADD", geo_key(g)];
    let options = ["NX", "XX", "CH"].map(|word| args![g.cased(word)]);
    g.shuffle_in(&mut args, 6, options.into());
    for _ in 0..=g.rng.below(6) {
        args.extend(place(g));
        args.push(member(g));
    }
    args
}

fn unit(g: &mut Gen) -> Vec<u8> {
    let unit = *g.rng.pick(&["m", "km", "ft", "mi"]);
    g.cased(unit)
}

fn geodist(g: &mut Gen) -> Args {
    let mut args = args!["GEODIST", geo_key(g), member(g), member(g)];
    if g.rng.one_in(2) {
        args.push(unit(g));
    }
    args
}

fn with_members(g: &mut Gen, name: &str) -> Args {
    let mut args = args![name, geo_key(g)];
    args.extend(g.some(4, member));
    args
}

fn length(g: &mut Gen) -> Vec<u8> {
    let most = *g.rng.pick(&[10, 1_000, 100_000, 30_000_000]);
    format!("{}.{}", g.rng.below(most), g.rng.below(1000)).into()
}

fn from(g: &mut Gen) -> Args {
    if g.rng.one_in(3) {
        return args![g.cased("FROMMEMBER"), member(g)];
    }
    let mut args = args![g.cased("FROMLONLAT")];
    args.extend(place(g));
    args
}

fn by(g: &mut Gen) -> Args {
    if g.rng.one_in(2) {
        return args![g.cased("BYRADIUS"), length(g), unit(g)];
    }
    args![g.cased("BYBOX"), length(g), length(g), unit(g)]
}

fn count(g: &mut Gen) -> Args {
    let mut args = args![g.cased("COUNT"), (1 + g.rng.below(8)).to_string()];
    if g.rng.one_in(2) {
        args.push(g.cased("ANY"));
    }
    args
}

fn direction(g: &mut Gen) -> Args {
    let word = *g.rng.pick(&["ASC", "DESC"]);
    args![g.cased(word)]
}

fn shown(g: &mut Gen) -> Vec<Args> {
    ["WITHDIST", "WITHCOORD", "WITHHASH"]
        .map(|word| args![g.cased(word)])
        .into()
}

fn geosearch(g: &mut Gen) -> Args {
    let mut args = args!["GEOSEARCH", geo_key(g)];
    args.extend(from(g));
    args.extend(by(g));
    let mut options = shown(g);
    options.extend([count(g), direction(g)]);
    g.shuffle_in(&mut args, 3, options);
    args
}

fn geosearchstore(g: &mut Gen) -> Args {
    let mut options = vec![count(g), direction(g)];
    let to = if g.rng.one_in(2) {
        options.push(args![g.cased("STOREDIST")]);
        distances_key(g)
    } else {
        geo_key(g)
    };
    let mut args = args!["GEOSEARCHSTORE", to, geo_key(g)];
    args.extend(from(g));
    args.extend(by(g));
    g.shuffle_in(&mut args, 3, options);
    args
}

fn radius_options(g: &mut Gen, args: &mut Args) {
    let mut options = vec![count(g), direction(g)];
    if g.rng.one_in(3) {
        let (word, to) = if g.rng.one_in(2) {
            ("STORE", geo_key(g))
        } else {
            ("STOREDIST", distances_key(g))
        };
        options.push(args![g.cased(word), to]);
    } else {
        options.extend(shown(g));
    }
    g.shuffle_in(args, 3, options);
}

fn georadius(g: &mut Gen, name: &str) -> Args {
    let mut args = args![name, geo_key(g)];
    args.extend(place(g));
    args.extend([length(g), unit(g)]);
    radius_options(g, &mut args);
    args
}

fn georadiusbymember(g: &mut Gen, name: &str) -> Args {
    let mut args = args![name, geo_key(g), member(g), length(g), unit(g)];
    radius_options(g, &mut args);
    args
}
