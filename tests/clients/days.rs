//! Days of jobs and messages, in whose middle the server is killed: BullMQ, rq, Celery and Socket.IO's adapter over streams lose
//! nothing, and do nothing twice that their own contract does not allow; what it allows, each script says.
//!
//! `REDKEEP_JOBS` is the number of jobs or messages, and `REDKEEP_JOB_KILLS` that of kills: 10,000 and 3 make the long day.

use super::{command, finish_watched, is_installed, python, script};
use crate::support::{Kind, Server, env_number, heavy};
use std::time::Duration;

/// What a script writes, on a line of its own, when the server is to be killed.
const REQUEST: &str = "kill the server";

const LIMIT: Duration = Duration::from_secs(120);
const LIMIT_PER_JOB: Duration = Duration::from_millis(100);

#[test]
fn bullmq() {
    if is_installed("node", &["-e", "['ioredis', 'bullmq'].forEach(require)"]) {
        day("node", "bullmq_day.js");
    }
}

#[test]
fn rq() {
    let python = python();
    if is_installed(&python, &["-c", "import rq"]) {
        day(&python, "rq_day.py");
    }
}

#[test]
fn celery() {
    let python = python();
    if is_installed(&python, &["-c", "import celery, kombu.transport.redis"]) {
        day(&python, "celery_day.py");
    }
}

#[test]
fn socket_io() {
    let all = "['ioredis', 'socket.io', 'socket.io-client', '@socket.io/redis-streams-adapter']";
    if is_installed("node", &["-e", &format!("{all}.forEach(require)")]) {
        day("node", "socketio_day.js");
    }
}

/// Runs a script, which is told the port, how many jobs to do and how often to ask for a kill; the server comes back with its data,
/// and on its port.
fn day(program: &str, name: &str) {
    let _turn = heavy();
    let jobs = env_number("REDKEEP_JOBS", 300);
    let kills = env_number("REDKEEP_JOB_KILLS", 1);
    let mut server = Server::start(Kind::Redkeep, &[]);
    let port = server.port();
    let limit = LIMIT + LIMIT_PER_JOB * u32::try_from(jobs).expect("a number of jobs");
    let mut killed = 0;
    let mut command = command(program);
    command.arg(script(name)).arg(port.to_string());
    command.args([jobs, kills].map(|number| number.to_string()));
    let output = finish_watched(&mut command, limit, |output| {
        if output.lines().filter(|line| *line == REQUEST).count() > killed {
            killed += 1;
            server.kill9();
            server.start_again();
            assert_eq!(server.port(), port, "the clients come back to the port they know");
        }
    });
    println!("{output}");
    assert_eq!(killed as u64, kills);
    let result = output.lines().last().unwrap_or_default();
    assert!(result.contains(&format!(": {jobs} ")), "{output}");
    assert!(
        result.contains(&format!(", {kills} kills: 0 lost, 0 twice without reason ")),
        "{output}"
    );
}
