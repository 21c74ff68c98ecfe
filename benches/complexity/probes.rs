//! Latencies of single commands on large keys.

use std::time::{Duration, Instant};

use crate::Options;
use crate::data::{Data, element, words};
use crate::load::Random;
use crate::report::{Histogram, median};
use crate::server::{Client, Kind, Result, Server};

/// From what arguments are drawn.
struct Draw {
    random: Random,
    elements: u64,
    /// How many commands were drawn before.
    turn: u64,
}

impl Draw {
    fn new(seed: u64, options: &Options) -> Draw {
        Draw {
            random: Random(seed),
            elements: options.elements,
            turn: 0,
        }
    }

    fn command(&mut self, probe: &Probe) -> Vec<String> {
        let command = (probe.command)(self);
        self.turn += 1;
        command
    }

    fn number(&mut self) -> u64 {
        self.random.below(self.elements)
    }

    /// Two numbers of elements in their order.
    fn bounds(&mut self) -> (u64, u64) {
        let (a, b) = (self.number(), self.number());
        (a.min(b), a.max(b))
    }

    fn by_member(&mut self, name: &str) -> Vec<String> {
        words(&[name, "zset", &element(self.number())])
    }
}

type Command = fn(&mut Draw) -> Vec<String>;

/// A row: a command on a key of some type.
struct Probe {
    row: &'static str,
    data: Data,
    command: Command,
    /// It takes the key away, so it is measured once for each time that the key is made.
    once: bool,
}

const fn probe(row: &'static str, data: Data, command: Command) -> Probe {
    Probe {
        row,
        data,
        command,
        once: false,
    }
}

const fn last(row: &'static str, data: Data, command: Command) -> Probe {
    Probe {
        once: true,
        ..probe(row, data, command)
    }
}

/// A range of ten from a rank on.
fn ranks(from: u64) -> Vec<String> {
    words(&["ZRANGE", "zset", &from.to_string(), &(from + 9).to_string()])
}

/// Those that end a key are the last on it.
const PROBES: &[Probe] = &[
    probe("ZRANK", Data::SortedSet, |draw| draw.by_member("ZRANK")),
    probe("ZREVRANK", Data::SortedSet, |draw| draw.by_member("ZREVRANK")),
    probe("ZSCORE", Data::SortedSet, |draw| draw.by_member("ZSCORE")),
    probe("ZCOUNT", Data::SortedSet, |draw| {
        let (min, max) = draw.bounds();
        words(&["ZCOUNT", "zset", &min.to_string(), &max.to_string()])
    }),
    probe("ZLEXCOUNT", Data::Lexical, |draw| {
        let (min, max) = draw.bounds();
        let [min, max] = [min, max].map(|number| format!("[{}", element(number)));
        words(&["ZLEXCOUNT", "lex", &min, &max])
    }),
    probe("ZRANGE first 10", Data::SortedSet, |_| ranks(0)),
    probe("ZRANGE any 10", Data::SortedSet, |draw| ranks(draw.number())),
    probe("ZRANGE last 10", Data::SortedSet, |_| {
        words(&["ZRANGE", "zset", "-10", "-1"])
    }),
    probe("ZRANDMEMBER", Data::SortedSet, |_| {
        words(&["ZRANDMEMBER", "zset"])
    }),
    probe("ZREMRANGEBYRANK 1", Data::SortedSet, |draw| {
        let rank = draw.number().to_string();
        words(&["ZREMRANGEBYRANK", "zset", &rank, &rank])
    }),
    probe("LINDEX", Data::List, |draw| {
        words(&["LINDEX", "list", &draw.number().to_string()])
    }),
    probe("LSET", Data::List, |draw| {
        words(&[
            "LSET",
            "list",
            &draw.number().to_string(),
            &element(draw.number()),
        ])
    }),
    probe("SRANDMEMBER", Data::Set, |_| words(&["SRANDMEMBER", "set"])),
    probe("SPOP", Data::Set, |_| words(&["SPOP", "set"])),
    probe("HRANDFIELD", Data::Hash, |_| words(&["HRANDFIELD", "hash"])),
    probe("RENAME", Data::Hash, |draw| match draw.turn % 2 {
        0 => words(&["RENAME", "hash", "other"]),
        _ => words(&["RENAME", "other", "hash"]),
    }),
    last("DEL zset", Data::SortedSet, |_| words(&["DEL", "zset"])),
    last("DEL list", Data::List, |_| words(&["DEL", "list"])),
    last("DEL hash", Data::Hash, |_| words(&["DEL", "hash"])),
    last("UNLINK set", Data::Set, |_| words(&["UNLINK", "set"])),
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
    let mut draw = Draw::new(1, options);
    // An even number, so that what is renamed has its name back.
    let samples = if probe.once {
        1
    } else {
        options.samples.next_multiple_of(2)
    };
    for _ in 0..samples {
        let command = draw.command(probe);
        latency.record(timed(&mut client, &command)?, 1);
    }
    if probe.once {
        fill(server, probe.data, options)?;
    }
    Ok(latency)
}

fn cold(server: &mut Server, probe: &Probe, options: &Options, latency: &mut Latency) -> Result<()> {
    let mut draw = Draw::new(2, options);
    let rounds = if probe.once { 1 } else { options.cold_rounds };
    for _ in 0..rounds {
        server.settle()?;
        server.restart()?;
        let mut client = Client::connect(server.address)?;
        let first = timed(&mut client, &draw.command(probe))?;
        latency.cold_first.push(first.as_secs_f64() * 1e6);
        let next = if probe.once { 0 } else { options.next | 1 };
        for _ in 0..next {
            latency
                .cold_next
                .record(timed(&mut client, &draw.command(probe))?, 1);
        }
    }
    if probe.once {
        fill(server, probe.data, options)?;
    }
    Ok(())
}

pub fn print(servers: &[(Kind, Vec<Latency>)]) {
    let of = |kind: Kind| {
        servers
            .iter()
            .find(|(other, _)| *other == kind)
            .map(|(_, rows)| rows)
    };
    let (redkeep, redis) = (of(Kind::Redkeep), of(Kind::Redis));
    let Some(rows) = redkeep.or(redis) else { return };
    println!("\nlatency in microseconds");
    println!(
        "{:<20} {:>16} {:>16} {:>6} {:>10} {:>16}",
        "", "redkeep p50/p99", "redis p50/p99", "ratio", "cold first", "next p50/p99"
    );
    for (at, row) in rows.iter().enumerate() {
        let [mine, theirs] = [redkeep, redis].map(|rows| rows.and_then(|rows| rows.get(at)));
        let p50 = |latency: Option<&Latency>| latency.map_or(f64::NAN, |latency| latency.hot.percentile(0.5));
        let cold = mine.filter(|latency| !latency.cold_first.is_empty());
        println!(
            "{:<20} {:>16} {:>16} {:>6.2} {:>10} {:>16}",
            row.row,
            percentiles(mine.map(|latency| &latency.hot)),
            percentiles(theirs.map(|latency| &latency.hot)),
            p50(mine) / p50(theirs),
            cold.map_or_else(
                || "-".to_owned(),
                |latency| format!("{:.0}", median(&latency.cold_first))
            ),
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
