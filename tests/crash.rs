//! The crash test: writers with pipelines, `kill -9` at a random moment, and everything that was acknowledged
//! is there.
//!
//! `REDKEEP_CRASH_ROUNDS=50` runs more rounds than the three that try each `appendfsync` once.

use crate::support::writer::{Writer, verify};
use crate::support::{Kind, Rng, Server, env_number, heavy};
use std::thread;
use std::time::Duration;

const WRITERS: usize = 4;

/// `kill -9` must lose the same in every mode, nothing: what the operating system was given, it keeps.
const MODES: [&str; 3] = ["always", "everysec", "no"];

/// With little memory there is always a checkpoint under way, with more hardly ever.
const MEMORY: [&str; 4] = ["64mb", "4mb", "16mb", "1mb"];

#[test]
fn kill_9_loses_nothing_that_was_acknowledged() {
    let _turn = heavy();
    let rounds = env_number("REDKEEP_CRASH_ROUNDS", 3) as usize;
    let mut course = Rng::new(env_number("REDKEEP_CRASH_SEED", 1));
    let flags = |round: usize| {
        let memory = MEMORY[round % MEMORY.len()];
        ["--appendfsync", MODES[round % MODES.len()], "--maxmemory", memory]
    };
    let mut server = Server::start(Kind::Redkeep, &flags(0));
    let mut writers: Vec<Writer> = (0..WRITERS)
        .map(|number| Writer::new(number, course.next()))
        .collect();
    for round in 0..rounds {
        let acknowledged = write_until_killed(&mut server, &mut writers, course.between(100, 700));
        assert!(
            acknowledged > 0,
            "round {round}: no command was acknowledged\n{}",
            server.log()
        );
        server.set_flags(&flags(round + 1));
        server.start_again();
        let ready = server.time_to_ready();
        println!(
            "round {round} ({}): {acknowledged} acknowledged, ready in {ready:.1?}",
            flags(round)[1]
        );
        let kept: Vec<usize> = writers.iter().map(Writer::acknowledged).collect();
        verify(&server, &mut writers, &kept);
    }
}

/// Lets the writers write for so many milliseconds, kills the server, and says how much was acknowledged.
fn write_until_killed(server: &mut Server, writers: &mut [Writer], milliseconds: i64) -> usize {
    let address = server.address();
    thread::scope(|scope| {
        for writer in writers.iter_mut() {
            scope.spawn(move || writer.write_until_disconnected(address));
        }
        thread::sleep(Duration::from_millis(milliseconds as u64));
        server.kill9();
    });
    writers.iter().map(Writer::acknowledged).sum()
}
