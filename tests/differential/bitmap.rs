//! The commands of the bitmap group.

use super::generate::{Args, Family, Gen, args};

pub const FAMILY: Family = Family {
    commands: &[
        (15, setbit),
        (8, getbit),
        (12, bitcount),
        (12, bitpos),
        (10, bitop),
        (20, |g| bitfield(g, "BITFIELD")),
        (4, |g| bitfield(g, "BITFIELD_RO")),
    ],
    state: None,
};

fn setbit(g: &mut Gen) -> Args {
    let key = if g.rng.one_in(4) { g.big_key() } else { g.key() };
    let offset = g.offset(&key) * 8 + g.rng.below(8);
    args!["SETBIT", key, offset.to_string(), g.rng.below(2).to_string()]
}

fn getbit(g: &mut Gen) -> Args {
    let key = g.key();
    let offset = g.offset(&key) * 8 + g.rng.below(8);
    args!["GETBIT", key, offset.to_string()]
}

fn unit(g: &mut Gen) -> Vec<u8> {
    if g.rng.one_in(2) {
        g.cased("BIT")
    } else {
        g.cased("BYTE")
    }
}

fn bitcount(g: &mut Gen) -> Args {
    let mut args = args!["BITCOUNT", g.key()];
    if g.rng.one_in(2) {
        args.extend([g.index(), g.index()]);
        if g.rng.one_in(2) {
            args.push(unit(g));
        }
    }
    args
}

fn bitpos(g: &mut Gen) -> Args {
    let mut args = args!["BITPOS", g.key(), g.rng.below(2).to_string()];
    let given = g.rng.below(4);
    if given > 0 {
        args.push(g.index());
    }
    if given > 1 {
        args.push(g.index());
    }
    if given > 2 {
        args.push(unit(g));
    }
    args
}

fn bitop(g: &mut Gen) -> Args {
    let operation = *g.rng.pick(&["AND", "OR", "XOR", "NOT"]);
    let mut args = args!["BITOP", g.cased(operation), g.key()];
    if operation == "NOT" {
        args.push(g.key());
    } else {
        args.extend(g.some(4, Gen::key));
    }
    args
}

fn bitfield(g: &mut Gen, name: &str) -> Args {
    let key = g.key();
    let mut args = args![name, key.clone()];
    for _ in 0..g.rng.below(5) {
        let operation = if name == "BITFIELD" {
            g.rng.below(4)
        } else {
            g.rng.below(20) / 19
        };
        match operation {
            1 => {
                args.extend([
                    g.cased("SET"),
                    field(g),
                    position(g, &key),
                    not_far_below(g.number()),
                ]);
            }
            2 => {
                args.extend([g.cased("INCRBY"), field(g), position(g, &key), g.number()]);
            }
            3 => {
                let mode = *g.rng.pick(&["WRAP", "SAT", "FAIL"]);
                args.extend([g.cased("OVERFLOW"), g.cased(mode)]);
            }
            _ => {
                args.extend([g.cased("GET"), field(g), position(g, &key)]);
            }
        }
    }
    args
}

fn field(g: &mut Gen) -> Vec<u8> {
    let (sign, most) = if g.rng.one_in(2) { ('u', 63) } else { ('i', 64) };
    let bits = match g.rng.below(4) {
        0 => 8,
        1 => most,
        _ => 1 + g.rng.below(most),
    };
    format!("{sign}{bits}").into()
}

/// Saturation takes a value that is far too low for a signed field for one that is too high in Redis, whose difference
/// of the two wraps around: so there is none here.
fn not_far_below(number: Vec<u8>) -> Vec<u8> {
    let parsed = std::str::from_utf8(&number)
        .ok()
        .and_then(|text| text.parse::<i64>().ok());
    match parsed {
        Some(parsed) if parsed < -(1 << 62) => b"-4611686018427387904".to_vec(),
        _ => number,
    }
}

fn position(g: &mut Gen, key: &[u8]) -> Vec<u8> {
    if g.rng.one_in(3) {
        return format!("#{}", g.rng.below(20)).into();
    }
    (g.offset(key) * 8 + g.rng.below(8)).to_string().into()
}
