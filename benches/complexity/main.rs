//! `cargo bench --bench complexity`: what commands cost on keys of a million elements. `-- --help` lists the options.
//!
//! - *Latencies*, one command at a time over one connection. Hot: on a server that has just been filled. Cold, Redkeep
//!   alone: the process was killed and started again before the first command of each row, so that nothing is in its
//!   memory (the operating system may still have its files); "next" are commands with other arguments after that one.
//!   redis-server has no cold state.
//! - *Flatness*: commands in pipelines over one connection, the rate in each tenth of the run. A queue (LPUSH and RPOP), a
//!   window over time (ZADD and ZREMRANGEBYSCORE), and keys popped empty.

#[allow(dead_code, reason = "shared with benches/serve, which uses all of it")]
#[path = "../common/mod.rs"]
mod common;
#[allow(dead_code, reason = "shared with benches/serve, which uses all of it")]
#[path = "../serve/load.rs"]
mod load;
#[allow(dead_code, reason = "shared with benches/serve, which uses all of it")]
#[path = "../serve/report.rs"]
mod report;
#[allow(dead_code, reason = "shared with benches/serve, which uses all of it")]
#[path = "../serve/server.rs"]
mod server;
#[allow(dead_code, reason = "shared with benches/serve, which uses all of it")]
#[path = "../serve/workload.rs"]
mod workload;

mod data;
mod flow;
mod probes;

use std::path::PathBuf;
use std::process::ExitCode;

use server::{Kind, Program, Result, Server};

const HELP: &str = "\
usage: cargo bench --bench complexity -- [options]
  --elements N      elements of each key                             [1000000]
  --samples N       commands of a hot latency                        [2000]
  --next N          commands after the first of a cold latency       [50]
  --cold-rounds N   restarts for a cold latency                      [3]
  --operations N    commands of the queue and of the window          [2000000]
  --window N        members in the window                            [100000]
  --pipeline N      commands a batch, for fills and flatness         [50]
  --only LIST       rows that begin with one of these, as \"ZRANK,queue\"
  --servers LIST    redkeep,redis                                    [both]
  --memory SIZE     Redkeep's maxmemory                              [2gb]
  --redkeep PATH    server to measure instead of the one just built
  --redis PATH      redis-server to compare with";

pub struct Options {
    pub elements: u64,
    pub samples: u64,
    pub next: u64,
    pub cold_rounds: u64,
    pub operations: u64,
    pub window: u64,
    pub pipeline: u64,
    only: Vec<String>,
    programs: Vec<Program>,
    memory: String,
}

impl Options {
    /// Whether a row is wanted.
    pub fn wants(&self, row: &str) -> bool {
        let row = row.to_ascii_lowercase();
        self.only.is_empty() || self.only.iter().any(|only| row.starts_with(only.as_str()))
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--help") {
        println!("{HELP}");
        return ExitCode::SUCCESS;
    }
    match parse(&arguments).and_then(|options| run(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("complexity: {e}");
            ExitCode::FAILURE
        }
    }
}

fn parse(arguments: &[String]) -> Result<Options> {
    let program = |kind, path: &str| Program {
        kind,
        path: PathBuf::from(path),
        extra_args: Vec::new(),
        cores: 0..0,
    };
    let mut options = Options {
        elements: 1_000_000,
        samples: 2_000,
        next: 50,
        cold_rounds: 3,
        operations: 2_000_000,
        window: 100_000,
        pipeline: 50,
        only: Vec::new(),
        programs: vec![
            program(Kind::Redkeep, env!("CARGO_BIN_EXE_redkeep-server")),
            program(Kind::Redis, "redis-server"),
        ],
        memory: "2gb".to_owned(),
    };
    let mut rest = arguments.iter().filter(|argument| *argument != "--bench");
    while let Some(name) = rest.next() {
        let value = rest
            .next()
            .ok_or_else(|| format!("{name} needs a value; see --help"))?;
        set(&mut options, name, value)?;
    }
    Ok(options)
}

fn set(options: &mut Options, name: &str, value: &str) -> Result<()> {
    let words = || value.split(',').map(str::to_ascii_lowercase).collect::<Vec<_>>();
    let number = || match value.parse::<u64>() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(format!("{name}: {value} is not a number above zero")),
    };
    let mut path = |kind: Kind| {
        let programs = options.programs.iter_mut();
        programs
            .filter(|program| program.kind == kind)
            .for_each(|program| program.path = PathBuf::from(value));
    };
    match name {
        "--elements" => options.elements = number()?,
        "--samples" => options.samples = number()?,
        "--next" => options.next = number()?,
        "--cold-rounds" => options.cold_rounds = number()?,
        "--operations" => options.operations = number()?,
        "--window" => options.window = number()?,
        "--pipeline" => options.pipeline = number()?,
        "--only" => options.only = words(),
        "--servers" => {
            let wanted = words();
            options
                .programs
                .retain(|program| wanted.iter().any(|name| name == program.kind.name()));
        }
        "--memory" => options.memory = value.to_owned(),
        "--redkeep" => path(Kind::Redkeep),
        "--redis" => path(Kind::Redis),
        _ => return Err(format!("unknown option {name}; see --help").into()),
    }
    Ok(())
}

/// One server after the other, on the machine alone.
fn run(options: &Options) -> Result<()> {
    println!("{} elements a key", options.elements);
    let (mut latencies, mut flows) = (Vec::new(), Vec::new());
    for program in &options.programs {
        let mut server = Server::start(program, "everysec", &options.memory)?;
        latencies.push((program.kind, probes::measure(&mut server, options)?));
        flows.push((program.kind, flow::measure(&server, options)?));
    }
    probes::print(&latencies);
    flow::print(&flows);
    Ok(())
}
