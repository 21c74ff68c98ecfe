//! The differential test: seeded random commands, sent to Redkeep and to a real redis-server, get the same
//! answers.
//!
//! Commands go in pipelines over a few connections that take turns, so that their order is the same on both
//! sides; a transaction of one goes on while others have their turns, and scripts and functions run some of
//! the commands. In between Redkeep's hot tier is emptied, and it is stopped, gently or by `kill -9`, and
//! started again; then, and at the end, all that can be read is compared. A difference is shrunk to a short
//! transcript before it is reported.
//!
//! `REDKEEP_DIFF_SEEDS=20 REDKEEP_DIFF_COMMANDS=50000` make it a million commands; `REDKEEP_DIFF_FIRST=7`
//! starts with seed 7.
//!
//! In runs of their own the keyspace events of both are compared, too.

mod bitmap;
mod connection;
mod expected;
mod generate;
mod generic;
mod geo;
mod hash;
mod hyperloglog;
mod list;
mod pair;
mod program;
mod set;
mod shrink;
mod sort;
mod sorted_set;
mod stream;
mod string;
mod transaction;

use crate::support::server::redis_is_installed;
use crate::support::{Kind, Rng, Server, env_number, heavy};
use generate::{Args, Gen};
use pair::{Pair, Stop};
use std::time::Instant;
use transaction::Transactions;

/// One thing that happens in a run.
#[derive(Clone)]
pub enum Step {
    /// A command, on one of the connections.
    Call(usize, Args),
    DropHot,
    Restart(Stop),
    /// Compares all that both hold.
    Compare,
}

const CONNECTIONS: u64 = 3;
const BATCH: u64 = 50;

#[test]
fn redkeep_answers_as_redis_does() {
    run(false, 4, 20_000);
}

/// Message by message, of what is queued and what scripts call too.
#[test]
fn redkeep_tells_of_the_keyspace_events_that_redis_tells_of() {
    run(true, 2, 5_000);
}

fn run(listens: bool, seeds: u64, commands: u64) {
    if !redis_is_installed() {
        return;
    }
    let _turn = heavy();
    let first = env_number("REDKEEP_DIFF_FIRST", 1);
    let seeds = env_number("REDKEEP_DIFF_SEEDS", seeds);
    let commands = env_number("REDKEEP_DIFF_COMMANDS", commands);
    for seed in first..first + seeds {
        let start = Instant::now();
        let steps = plan(seed, commands as usize);
        let mut pair = Pair::start(
            Server::start(Kind::Redkeep, flags(seed)),
            Server::start(Kind::Redis, &[]),
        );
        if listens {
            pair.listen();
        }
        if let Err(difference) = pair.run(&steps) {
            let report = shrink::report(&mut pair, &steps, &difference);
            panic!("seed {seed}, step {}: {difference}\n\n{report}", difference.step);
        }
        println!(
            "seed {seed}: {} steps, {} restarts, {:.1?}",
            steps.len(),
            pair.restarts(),
            start.elapsed()
        );
    }
}

/// Some seeds have so little memory that hardly anything stays in it.
fn flags(seed: u64) -> &'static [&'static str] {
    match seed % 4 {
        // Then the hot tier has its least, 16 KB.
        0 => &["--maxmemory", "100kb", "--appendfsync", "no"],
        1 => &["--maxmemory", "4mb"],
        2 => &["--maxmemory", "16mb"],
        _ => &["--appendfsync", "always"],
    }
}

/// Everything that a seed makes happen.
fn plan(seed: u64, commands: usize) -> Vec<Step> {
    let mut g = Gen::new(seed);
    let mut course = Rng::new(seed ^ 0xC0_FFEE);
    let mut transactions = Transactions::new(CONNECTIONS);
    let mut steps = Vec::with_capacity(commands + commands / 10);
    let mut left = commands;
    while left > 0 {
        let connection = course.below(CONNECTIONS) as usize;
        for _ in 0..=course.below(BATCH) {
            for args in transactions.commands(connection, &mut g, &mut course) {
                steps.push(Step::Call(connection, args));
                left = left.saturating_sub(1);
            }
        }
        if course.one_in(10) {
            steps.push(Step::DropHot);
        }
        if course.one_in(100) {
            transactions.forget();
            steps.extend([
                Step::Restart(*course.pick(&[Stop::Kill, Stop::Terminate])),
                Step::Compare,
            ]);
        }
    }
    steps.push(Step::Compare);
    steps
}
