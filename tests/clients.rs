//! The clients people use, unmodified: redis-cli, redis-benchmark, redis-py and ioredis, and what is built on these: rq, which
//! lives on transactions; BullMQ, redlock and rate-limiter-flexible, which live on scripts; Socket.IO, which lives on messages; and
//! [`days`] of these and of Celery, in which the server is killed.
//!
//! `REDKEEP_CLIENTS_DIR` names a folder where Python's clients (`venv/`) and Node's clients (`node_modules/`) are installed;
//! without it they are looked for where Python and Node look by themselves. What is not installed is skipped,
//! but not in CI.

mod days;

use crate::support::server::skip;
use crate::support::{Kind, Server, heavy};
use std::fs::File;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(120);

#[test]
fn redis_cli() {
    if is_installed("redis-cli", &["--version"]) {
        run("sh", &[&script("redis_cli.sh")]);
    }
}

#[test]
fn redis_benchmark() {
    let _turn = heavy();
    if !is_installed("redis-benchmark", &["--version"]) {
        return;
    }
    let tests = ["ping", "set", "get", "incr", "mset"];
    for more in [
        &[][..],
        &["-P", "16"],
        &["-c", "1"],
        &["-r", "1000", "-d", "1000"],
    ] {
        let server = Server::start(Kind::Redkeep, &[]);
        let port = server.port().to_string();
        let names = tests.join(",");
        let mut args = vec!["-h", "127.0.0.1", "-p", &port, "-t", &names, "-n", "2000", "-q"];
        args.extend(more);
        let output = finish(Command::new("redis-benchmark").args(&args));
        for name in tests {
            let reported = |line: &str| {
                line.trim().to_lowercase().starts_with(name) && line.contains("requests per second")
            };
            let lines = output.split(['\r', '\n']);
            assert!(lines.clone().any(reported), "no figure for {name} in:\n{output}");
        }
        assert!(!output.to_lowercase().contains("error"), "{output}");
    }
}

#[test]
fn redis_py() {
    let python = python();
    if is_installed(&python, &["-c", "import redis"]) {
        run(&python, &[&script("redis_py.py")]);
    }
}

#[test]
fn rq() {
    let python = python();
    if is_installed(&python, &["-c", "import rq"]) {
        run(&python, &[&script("rq_jobs.py")]);
    }
}

/// The Python that has the clients.
fn python() -> String {
    let in_folder = clients_dir()
        .map(|dir| dir.join("venv/bin/python3"))
        .filter(|path| path.exists());
    let python = in_folder.unwrap_or_else(|| "python3".into());
    python.to_string_lossy().into_owned()
}

#[test]
fn ioredis() {
    if is_installed("node", &["-e", "require('ioredis')"]) {
        run("node", &[&script("ioredis.js")]);
    }
}

#[test]
fn libraries_on_scripts() {
    let all = "['bullmq', 'redlock', 'rate-limiter-flexible'].forEach(require)";
    if is_installed("node", &["-e", all]) {
        run("node", &[&script("on_scripts.js")]);
    }
}

#[test]
fn messages() {
    let all =
        "['socket.io', 'socket.io-client', '@socket.io/redis-adapter', '@socket.io/redis-streams-adapter']";
    if is_installed("node", &["-e", &format!("{all}.forEach(require)")]) {
        run("node", &[&script("messages.js")]);
    }
}

/// Runs a script, which is told the port of a new server, and shows what it says.
fn run(program: &str, args: &[&str]) {
    let server = Server::start(Kind::Redkeep, &[]);
    let output = finish(command(program).args(args).arg(server.port().to_string()));
    println!("{output}");
}

/// What the program has written; it must end in time, and well.
fn finish(command: &mut Command) -> String {
    finish_watched(command, LIMIT, |_| ())
}

/// The same, where somebody else watches what it has written so far.
fn finish_watched(command: &mut Command, limit: Duration, mut watch: impl FnMut(&str)) -> String {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let path = folder.path().join("output");
    let file = File::create(&path).expect("a file for the output");
    let output = || file.try_clone().expect("the same file");
    command.stdin(Stdio::null()).stdout(output()).stderr(output());
    let mut child = command
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let read = || std::fs::read_to_string(&path).unwrap_or_default();
    let start = Instant::now();
    let status = loop {
        match child.try_wait().expect("a child to wait for") {
            Some(status) => break status,
            None if start.elapsed() < limit => {
                watch(&read());
                thread::sleep(Duration::from_millis(5));
            }
            None => {
                child.kill().expect("a child to kill");
                break child.wait().expect("a child to wait for");
            }
        }
    };
    assert!(
        status.success(),
        "{command:?} left with {status} after {:.1?}:\n{}",
        start.elapsed(),
        read()
    );
    read()
}

fn is_installed(program: &str, args: &[&str]) -> bool {
    let output = command(program).args(args).stdin(Stdio::null()).output();
    output.is_ok_and(|output| output.status.success())
        || skip(&format!("{program} {} does not work", args.join(" ")))
}

fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    // The folder of the scripts is the source's.
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    if let Some(dir) = clients_dir() {
        command.env("NODE_PATH", dir.join("node_modules"));
    }
    command
}

fn clients_dir() -> Option<PathBuf> {
    std::env::var_os("REDKEEP_CLIENTS_DIR").map(PathBuf::from)
}

fn script(name: &str) -> String {
    format!("{}/tests/clients/{name}", env!("CARGO_MANIFEST_DIR"))
}
