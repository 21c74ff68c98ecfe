//! `cargo bench --bench micro -- [filter...]`: the parts by themselves, without a socket. A filter is a part of a case's name.
//!
//! - *codec*: one request decoded, one reply encoded;
//! - *txn*: one command over records in memory, from `begin` to `stage`, without its commit;
//! - *commit*: one record of an epoch of so many, from the end of the tick until it is decided. The epochs hold 100-byte values.
//!
//! A case is measured in rounds; its figure is their median, and the spread is how far the fastest and the slowest are from
//! it. The allocator is the server's, without huge pages.

mod codec;
mod commit;
#[path = "../common/mod.rs"]
mod common;
mod fixture;
mod txn;

use std::time::{Duration, Instant};

use common::median;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

const ROUNDS: usize = 15;
/// A round takes about so long.
const ROUND: Duration = Duration::from_millis(60);

/// Operations that were done, and how long they took.
pub struct Sample {
    pub operations: u64,
    pub elapsed: Duration,
}

impl Sample {
    /// Does the operation so many times.
    pub fn of(operations: u64, mut operation: impl FnMut()) -> Sample {
        let start = Instant::now();
        for _ in 0..operations {
            operation();
        }
        Sample {
            operations,
            elapsed: start.elapsed(),
        }
    }

    fn nanoseconds(&self) -> f64 {
        self.elapsed.as_nanos() as f64 / self.operations as f64
    }
}

/// Runs the cases that were asked for, and prints a line for each.
pub struct Micro {
    filters: Vec<String>,
}

impl Micro {
    pub fn wants(&self, name: &str) -> bool {
        self.filters.is_empty() || self.filters.iter().any(|filter| name.contains(filter))
    }

    /// Measures one case. `run` does about as many operations as it is told, and says how many they were.
    pub fn case(&self, name: &str, mut run: impl FnMut(u64) -> Sample) {
        if !self.wants(name) {
            return;
        }
        let mut operations = 1;
        loop {
            let sample = run(operations);
            if sample.elapsed * 4 >= ROUND {
                let a_round = sample.operations as f64 * ROUND.as_secs_f64() / sample.elapsed.as_secs_f64();
                operations = (a_round as u64).max(1);
                break;
            }
            operations = sample.operations.max(operations) * 2;
        }
        let rounds: Vec<f64> = (0..ROUNDS).map(|_| run(operations).nanoseconds()).collect();
        let middle = median(&rounds);
        let lowest = rounds.iter().copied().fold(f64::INFINITY, f64::min);
        let highest = rounds.iter().copied().fold(0.0, f64::max);
        println!(
            "{name:<40}{middle:>12.1}{:>14.0}{:>9.0} %{:>+6.0} %",
            1e9 / middle,
            (lowest / middle - 1.0) * 100.0,
            (highest / middle - 1.0) * 100.0,
        );
    }
}

fn main() {
    // cargo adds `--bench`.
    let filters = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with("--"))
        .collect();
    let micro = Micro { filters };
    println!("{:<40}{:>12}{:>14}{:>19}", "", "ns/op", "ops/s", "spread");
    codec::run(&micro);
    txn::run(&micro);
    commit::run(&micro);
}
