//! What was measured, and how it is printed: a latency histogram, one server's figures for a case, the table of ratios.

use std::time::Duration;

use crate::common::median;

/// Counts of latencies in buckets that are never wider than 1/64 of their value, so a percentile is within 1.6 %.
#[derive(Clone, Default)]
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

/// Below this many bits a bucket is one nanosecond wide; each further bit doubles the width.
const EXACT_BITS: u32 = 6;

impl Histogram {
    pub fn record(&mut self, latency: Duration, times: u64) {
        let nanoseconds = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        let bucket = bucket_of(nanoseconds);
        if bucket >= self.counts.len() {
            self.counts.resize(bucket + 1, 0);
        }
        self.counts[bucket] += times;
        self.total += times;
    }

    pub fn merge(&mut self, other: &Histogram) {
        if other.counts.len() > self.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
        self.total += other.total;
    }

    /// The latency in microseconds that a `fraction` of all operations stayed within; 0 when nothing was recorded.
    pub fn percentile(&self, fraction: f64) -> f64 {
        let wanted = ((self.total as f64 * fraction).ceil() as u64).max(1);
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return middle_of(bucket) / 1000.0;
            }
        }
        0.0
    }
}

fn bucket_of(value: u64) -> usize {
    let bits = u64::BITS - value.leading_zeros();
    let shift = bits.saturating_sub(EXACT_BITS + 1);
    ((u64::from(shift) << EXACT_BITS) + (value >> shift)) as usize
}

fn middle_of(bucket: usize) -> f64 {
    let shift = (bucket >> EXACT_BITS).saturating_sub(1);
    let lowest = ((bucket - (shift << EXACT_BITS)) as u64) << shift;
    lowest as f64 + ((1u64 << shift) - 1) as f64 / 2.0
}

/// One server's figures for one case, over all rounds.
#[derive(Default)]
pub struct Side {
    /// Operations per second, a round each.
    pub rates: Vec<f64>,
    /// Microseconds of the server's CPU per operation, a round each.
    pub cpu: Vec<f64>,
    /// Cores that other processes kept busy meanwhile, a round each.
    pub others: Vec<f64>,
    pub latency: Histogram,
    /// Resident bytes after the last round.
    pub resident: u64,
}

/// One line of the table.
pub struct Row {
    pub label: String,
    pub redkeep: Option<Side>,
    pub redis: Option<Side>,
}

const MIB: f64 = 1024.0 * 1024.0;
/// A figure of a server that did not run.
const ABSENT: &str = "-";

/// Width of each column, its heading and its second heading line.
const COLUMNS: [(usize, &str, &str); 13] = [
    (20, "", ""),
    (9, "redkeep", "ops/s"),
    (9, "redis", "ops/s"),
    (6, "", "ratio"),
    (12, "ratio", "min-max"),
    (21, "redkeep us", "p50/p99/p99.9"),
    (21, "redis us", "p50/p99/p99.9"),
    (8, "redkeep", "CPU us"),
    (8, "redis", "CPU us"),
    (6, "CPU", "ratio"),
    (8, "redkeep", "RSS MB"),
    (8, "redis", "RSS MB"),
    (6, "others", "cores"),
];

pub fn print_heading(title: &str) {
    println!("\n{title}");
    print_cells(&COLUMNS.map(|(_, first, _)| first.to_owned()));
    print_cells(&COLUMNS.map(|(_, _, second)| second.to_owned()));
}

pub fn print_row(row: &Row) {
    let figure = |side: &Option<Side>, show: fn(&Side) -> String| match side {
        Some(side) => show(side),
        None => ABSENT.to_owned(),
    };
    let rate = |side: &Side| format!("{:.0}", median(&side.rates));
    let cpu = |side: &Side| format!("{:.2}", median(&side.cpu));
    let resident = |side: &Side| format!("{:.0}", side.resident as f64 / MIB);
    let latency = |side: &Side| percentiles(&side.latency);
    let (ratio, range, cpu_ratio) = ratios(row);
    let sides = [&row.redkeep, &row.redis].into_iter().flatten();
    let others = sides.map(|side| median(&side.others)).fold(0.0, f64::max);
    print_cells(&[
        row.label.clone(),
        figure(&row.redkeep, rate),
        figure(&row.redis, rate),
        ratio,
        range,
        figure(&row.redkeep, latency),
        figure(&row.redis, latency),
        figure(&row.redkeep, cpu),
        figure(&row.redis, cpu),
        cpu_ratio,
        figure(&row.redkeep, resident),
        figure(&row.redis, resident),
        format!("{others:.1}"),
    ]);
}

/// Ratios are taken round by round, where both servers met the same machine, and then the median of those.
fn ratios(row: &Row) -> (String, String, String) {
    let (Some(redkeep), Some(redis)) = (&row.redkeep, &row.redis) else {
        return (ABSENT.to_owned(), ABSENT.to_owned(), ABSENT.to_owned());
    };
    let of =
        |mine: &[f64], theirs: &[f64]| -> Vec<f64> { mine.iter().zip(theirs).map(|(a, b)| a / b).collect() };
    let rates = of(&redkeep.rates, &redis.rates);
    let lowest = rates.iter().copied().fold(f64::INFINITY, f64::min);
    let highest = rates.iter().copied().fold(0.0, f64::max);
    (
        format!("{:.2}", median(&rates)),
        format!("{lowest:.2}-{highest:.2}"),
        format!("{:.2}", median(&of(&redkeep.cpu, &redis.cpu))),
    )
}

/// `p50/p99/p99.9` in microseconds.
pub fn percentiles(latency: &Histogram) -> String {
    let shown = [0.5, 0.99, 0.999].map(|fraction| match latency.percentile(fraction) {
        value if value < 100.0 => format!("{value:.1}"),
        value => format!("{value:.0}"),
    });
    shown.join("/")
}

/// The first cell to the left, the others to the right of their columns.
fn print_cells(cells: &[String; COLUMNS.len()]) {
    let mut line = String::new();
    for (cell, (width, ..)) in cells.iter().zip(COLUMNS) {
        match line.is_empty() {
            true => line.push_str(&format!("{cell:<width$}")),
            false => line.push_str(&format!("  {cell:>width$}")),
        }
    }
    println!("{}", line.trim_end());
}
