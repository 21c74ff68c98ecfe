//! Latencies of single commands on large keys.

use std::time::{Duration, Instant};

use crate::Options;
use crate::data::{Data, element, words};
use crate::load::Random;
use crate::report::{Histogram, median};
use crate::server::{Client, Kind, Result, Server};

/// A row: a command on a key of some type, its arguments drawn from the key's `elements`.
struct Probe {
    row: &'static str,
    data: Data,
    command: fn(&mut Random, u64) -> Vec<String>,
    /// It takes the key away, so it is measured once for each time that the key is made.
    once: bool,
}

const fn probe(row: &'static str, data: Data, command: fn(&mut Random, u64) -> Vec<String>) -> Probe {
    Probe {
        row,
        data,
        command,
        once: false,
    }
}

const fn last(row: &'static str, data: Data, command: fn(&mut Random, u64) -> Vec<String>) -> Probe {
    Probe {
        once: true,
        ..probe(row, data, command)
    }
}

/// A range of ten from a rank on.
fn ranks(key: &str, from: u64) -> Vec<String> {
    words(&["ZRANGE", key, &from.to_string(), &(from + 9).to_string()])
}

fn by_member(name: &str, random: &mut Random, n: u64) -> Vec<String> {
    words(&[name, "zset", &element(random.below(n))])
}

/// Two numbers of elements in their order.
fn bounds(random: &mut Random, n: u64) -> (u64, u64) {
    let (a, b) = (random.below(n), random.below(n));
    (a.min(b), a.max(b))
}

/// Those that end a key are the last on it.
const PROBES: &[Probe] = &[
    probe("ZRANK", Data::SortedSet, |r, n| by_member("ZRANK", r, n)),
    probe("ZREVRANK", Data::SortedSet, |r, n| by_member("ZREVRANK", r, n)),
    probe("ZSCORE", Data::SortedSet, |r, n| by_member("ZSCORE", r, n)),
    probe("ZCOUNT", Data::SortedSet, |r, n| {
        let (min, max) = bounds(r, n);
        words(&["ZCOUNT", "zset", &min.to_string(), &max.to_string()])
    }),
    probe("ZLEXCOUNT", Data::Lexical, |r, n| {
        let (min, max) = bounds(r, n);
        let [min, max] = [min, max].map(|number| format!("[{}", element(number)));
        words(&["ZLEXCOUNT", "lex", &min, &max])
    }),
    probe("ZRANGE first 10", Data::SortedSet, |_, _| ranks("zset", 0)),
    probe("ZRANGE middle 10", Data::SortedSet, |r, n| {
        ranks("zset", n / 4 + r.below((n / 2).max(1)))
    }),
    probe("ZRANGE last 10", Data::SortedSet, |_, n| {
        ranks("zset", n.saturating_sub(10))
    }),
    probe("ZRANDMEMBER", Data::SortedSet, |_, _| words(&["ZRANDMEMBER", "zset"])),
    probe("ZREMRANGEBYRANK 1", Data::SortedSet, |r, n| {
        let rank = r.below(n - n / 10).to_string();
        words(&["ZREMRANGEBYRANK", "zset", &rank, &rank])
    }),
    probe("LINDEX", Data::List, |r, n| {
        words(&["LINDEX", "list", &r.below(n).to_string()])
    }),
    probe("LSET", Data::List, |r, n| {
        words(&["LSET", "list", &r.below(n).to_string(), &element(r.below(n))])
    }),
    probe("SRANDMEMBER", Data::Set, |_, _| words(&["SRANDMEMBER", "set"])),
    probe("SPOP", Data::Set, |_, _| words(&["SPOP", "set"])),
    probe("HRANDFIELD", Data::Hash, |_, _| words(&["HRANDFIELD", "hash"])),
    probe("RENAME", Data::Set, |_, _| words(&["RENAME", "set", "set"])),
    last("RENAME zset", Data::SortedSet, |_, _| words(&["RENAME", "zset", "other"])),
    last("DEL zset", Data::SortedSet, |_, _| words(&["DEL", "zset"])),
    last("DEL list", Data::List, |_, _| words(&["DEL", "list"])),
    last("DEL hash", Data::Hash, |_, _| words(&["DEL", "hash"])),
    last("UNLINK set", Data::Set, |_, _| words(&["UNLINK", "set"])),
];

/// One server's latencies of one row. Cold ones in microseconds.
pub struct Latency {
    row: &'static str,
    hot: Histogram,
    cold_first: Vec<f64>,
    cold_next: Histogram,
}

pub fn measure(server: &mut Server, options: &Options) -> Result<Vec<Latency>> {
    let wanted: Vec<&Probe> = PROBES.iter().filter(|probe| options.wants(probe.row)).collect();
    let mut latencies = Vec::new();
    for data in Data::ALL {
        let rows: Vec<_> = wanted.iter().filter(|probe| probe.data == data).collect();
        if rows.is_empty() {
            continue;
        }
        eprintln!("{}: {}", server.kind.name(), data.key());
        fill(server, data, options)?;
        let mut found: Vec<Latency> = Vec::new();
        // All hot ones before the first restart.
        for probe in &rows {
            found.push(Latency {
                row: probe.row,
                hot: hot(server, probe, options)?,
                cold_first: Vec::new(),
                cold_next: Histogram::default(),
            });
        }
        if server.kind == Kind::Redkeep {
            for (probe, latency) in rows.iter().zip(&mut found) {
                cold(server, probe, options, latency)?;
            }
        }
        latencies.extend(found);
    }
    Ok(latencies)
}

fn fill(server: &Server, data: Data, options: &Options) -> Result<()> {
    data.fill(&mut Client::connect(server.address)?, options)?;
    server.settle()
}

fn timed(client: &mut Client, command: &[String]) -> Result<Duration> {
    let words: Vec<&str> = command.iter().map(String::as_str).collect();
    let begun = Instant::now();
    client.command(&words)?;
    Ok(begun.elapsed())
}

fn hot(server: &Server, probe: &Probe, options: &Options) -> Result<Histogram> {
    let mut latency = Histogram::default();
    let mut client = Client::connect(server.address)?;
    let mut random = Random(1);
    let samples = if probe.once { 1 } else { options.samples };
    for _ in 0..samples {
        let command = (probe.command)(&mut random, options.elements);
        latency.record(timed(&mut client, &command)?, 1);
    }
    if probe.once {
        fill(server, probe.data, options)?;
    }
    Ok(latency)
}

fn cold(server: &mut Server, probe: &Probe, options: &Options, latency: &mut Latency) -> Result<()> {
    let mut random = Random(2);
    let rounds = if probe.once { 1 } else { options.cold_rounds };
    for _ in 0..rounds {
        server.settle()?;
        server.restart()?;
        let mut client = Client::connect(server.address)?;
        let mut draw = || (probe.command)(&mut random, options.elements);
        let first = timed(&mut client, &draw())?;
        latency.cold_first.push(first.as_secs_f64() * 1e6);
        let next = if probe.once { 0 } else { options.next };
        for _ in 0..next {
            latency.cold_next.record(timed(&mut client, &draw())?, 1);
        }
    }
    if probe.once {
        fill(server, probe.data, options)?;
    }
    Ok(())
}

pub fn print(servers: &[(Kind, Vec<Latency>)]) {
    let of = |kind: Kind| servers.iter().find(|(other, _)| *other == kind).map(|(_, rows)| rows);
    let (redkeep, redis) = (of(Kind::Redkeep), of(Kind::Redis));
    let Some(rows) = redkeep.or(redis) else { return };
    println!("\nlatency in microseconds");
    println!(
        "{:<20} {:>16} {:>16} {:>6} {:>10} {:>16}",
        "", "redkeep p50/p99", "redis p50/p99", "ratio", "cold first", "next p50/p99"
    );
    let find = |rows: Option<&'_ Vec<Latency>>, at: usize| rows.and_then(|rows| rows.get(at));
    for (at, row) in rows.iter().enumerate() {
        let (mine, theirs) = (find(redkeep, at), find(redis, at));
        let p50 = |latency: Option<&Latency>| latency.map_or(f64::NAN, |latency| latency.hot.percentile(0.5));
        let cold = mine.filter(|latency| !latency.cold_first.is_empty());
        println!(
            "{:<20} {:>16} {:>16} {:>6.2} {:>10} {:>16}",
            row.row,
            percentiles(mine.map(|latency| &latency.hot)),
            percentiles(theirs.map(|latency| &latency.hot)),
            p50(mine) / p50(theirs),
            cold.map_or_else(|| "-".to_owned(), |latency| format!("{:.0}", median(&latency.cold_first))),
            percentiles(cold.map(|latency| &latency.cold_next)),
        );
    }
}

fn percentiles(latency: Option<&Histogram>) -> String {
    match latency {
        Some(latency) if latency.percentile(0.5) > 0.0 => {
            let [middle, high] = [0.5, 0.99].map(|fraction| latency.percentile(fraction));
            format!("{middle:.0}/{high:.0}")
        }
        _ => "-".to_owned(),
    }
}
