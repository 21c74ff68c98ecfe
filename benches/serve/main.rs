//! `cargo bench --bench serve`: Redkeep beside redis-server, over the wire, as ratios. `-- --help` lists the options.
//!
//! Both servers run at once, but only one is awake: for each case and round they are measured in turn while the other is
//! stopped with SIGSTOP, so both meet the same machine within seconds and neither takes the other's CPU.
//!
//! - *hot*: Redkeep has memory for the whole data set. *cold*: a larger data set under a small `maxmemory`, so nearly
//!   every key is fetched from the store (whose files the operating system may have cached). redis-server has no cold
//!   state: its hot figures are the base of both.
//! - Latency is from the first byte of a batch to its last reply. redis-benchmark stops its clock at the first bytes of
//!   the reply to a batch, so with a pipeline its percentiles are lower; `--cross-check` shows its throughput.
//! - CPU is user and system time of the server process, not of the children that rewrite redis-server's AOF.
//! - `others` is what other processes (a rewriting child among them) took of the machine: above a few tenths of a core,
//!   on a small machine, the ratios are noise. The CPU ratio suffers least.
//! - With one client both sides sleep between requests, and how long waking up takes depends on which core the kernel
//!   woke them on: `--pin` makes that the same for both servers.
//! - An MSET of 10 keys is one operation, and so are MULTI, INCR and EXEC together.

#[path = "../common/mod.rs"]
mod common;
mod fan_out;
mod load;
mod report;
mod server;
mod wake;
mod workload;

use std::fmt::Display;
use std::path::PathBuf;
use std::process::{self, Command, ExitCode};
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::median;
use fan_out::FanOut;
use load::{Load, Outcome, Until};
use report::{Histogram, Row, Side, percentiles, print_heading, print_row};
use server::{Client, Kind, Program, Result, Server};
use workload::Workload;

const HELP: &str = "\
usage: cargo bench --bench serve -- [options]      (a LIST is separated by commas)
  --only LIST          get,set,incr,mset,multi-incr-exec,evalsha-incr,evalsha-get,blpop-wake,publish   [all]
  --clients LIST       connections                                      [1,50]
  --pipeline LIST      commands a batch                                 [1,32]
  --appendfsync LIST   always,everysec,no                               [all]
  --tiers LIST         hot,cold                                         [all]
  --servers LIST       redkeep,redis                                    [both]
  --keys N             keys of the hot data set                         [1000000]
  --cold-keys N        keys of the cold data set                        [5000000]
  --cold-memory SIZE   Redkeep's maxmemory when cold                    [64mb]
  --hot-memory SIZE    Redkeep's maxmemory when hot                     [4gb]
  --waiters N          clients that wait in blpop-wake, each for a key   [10000]
  --value-size BYTES   bytes a value                                    [100; --big: 1000]
  --seconds S          length of a measurement                          [1]
  --requests N         operations of a measurement, instead of seconds
  --rounds N           measurements of each server for a case           [5]
  --quick              all workloads; 50 clients; everysec; hot; 100000 keys; one short round
  --cross-check        also run redis-benchmark's GET and SET against redis-server, as a check of the load generator
  --pin                this load generator on the last core, each server on the others: steadier for one client, but
                       on few cores the server's background threads get less than they would
  --mixed              p99 of hot GETs: alone, beside cold GETs, beside SETs with appendfsync always
  --subscribers[=N]    N (10000) subscribers of one channel: messages a second, and memory of each
  --big[=SIZE]         load SIZE (4gb) of values under --big-memory (256mb), check them all, RSS peak, and --mixed
  --big-memory SIZE    Redkeep's maxmemory for --big
  --redkeep PATH       server to measure instead of the one just built
  --redis PATH         redis-server to compare with
  --extra-args ARGS    arguments for Redkeep, separated by spaces
  --redis-args ARGS    arguments for redis-server";

/// Preloaded integers for INCR, and the few keys that the mixed mode keeps hot.
const DATA: &str = "key:";
const COUNTERS: &str = "ctr:";
const HOT: &str = "hot:";
const HOT_KEYS: u64 = 1_000;
const WARM_UP: Duration = Duration::from_millis(200);
/// The mixed mode's paced load: slow enough that an idle server is never late.
const PACED_CLIENTS: usize = 10;
const PACED_RATE: u64 = 5_000;
const FLAT_OUT_CLIENTS: usize = 50;
const BACKGROUND_CLIENTS: usize = 2;
const BACKGROUND_PIPELINE: usize = 32;
const MIB: f64 = 1024.0 * 1024.0;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Tier {
    Hot,
    Cold,
}

enum Mode {
    Matrix,
    Mixed,
    Big(u64),
    FanOut(usize),
}

struct Options {
    mode: Mode,
    workloads: Vec<Workload>,
    clients: Vec<usize>,
    pipelines: Vec<usize>,
    appendfsync: Vec<String>,
    tiers: Vec<Tier>,
    programs: Vec<Program>,
    keys: u64,
    cold_keys: u64,
    hot_memory: String,
    cold_memory: String,
    big_memory: String,
    waiters: usize,
    value_size: Option<usize>,
    until: Until,
    rounds: usize,
    cross_check: bool,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--help") {
        println!("{HELP}");
        return ExitCode::SUCCESS;
    }
    let ended = parse(&arguments).and_then(|options| match options.mode {
        Mode::Matrix => matrix(&options),
        Mode::Mixed => mixed(&options),
        Mode::Big(bytes) => big(&options, bytes),
        Mode::FanOut(subscribers) => fan_out(&options, subscribers),
    });
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("serve: {e}");
            ExitCode::FAILURE
        }
    }
}

fn default_options() -> Options {
    let program = |kind, path: &str| Program {
        kind,
        path: PathBuf::from(path),
        extra_args: Vec::new(),
        cores: 0..0,
    };
    Options {
        mode: Mode::Matrix,
        workloads: Workload::ALL.to_vec(),
        clients: vec![1, 50],
        pipelines: vec![1, 32],
        appendfsync: ["always", "everysec", "no"].map(str::to_owned).to_vec(),
        tiers: vec![Tier::Hot, Tier::Cold],
        programs: vec![
            program(Kind::Redkeep, env!("CARGO_BIN_EXE_redkeep-server")),
            program(Kind::Redis, "redis-server"),
        ],
        keys: 1_000_000,
        cold_keys: 5_000_000,
        hot_memory: "4gb".to_owned(),
        cold_memory: "64mb".to_owned(),
        big_memory: "256mb".to_owned(),
        waiters: 10_000,
        value_size: None,
        until: Until::Elapsed(Duration::from_secs(1)),
        rounds: 5,
        cross_check: false,
    }
}

impl Options {
    fn make_quick(&mut self) {
        self.clients = vec![50];
        self.appendfsync = vec!["everysec".to_owned()];
        self.tiers = vec![Tier::Hot];
        self.keys = 100_000;
        self.cold_keys = 1_000_000;
        self.until = Until::Elapsed(Duration::from_millis(500));
        self.rounds = 1;
    }

    fn program(&mut self, kind: Kind) -> Result<&mut Program> {
        let found = self.programs.iter_mut().find(|program| program.kind == kind);
        found.ok_or_else(|| format!("{} is not among --servers", kind.name()).into())
    }
}

fn parse(arguments: &[String]) -> Result<Options> {
    let mut options = default_options();
    if arguments.iter().any(|argument| argument == "--quick") {
        options.make_quick();
    }
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let (name, attached) = match argument.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (argument.as_str(), None),
        };
        match name {
            "--quick" | "--bench" => continue, // cargo itself passes --bench
            "--pin" => pin(&mut options)?,
            "--cross-check" => options.cross_check = true,
            "--subscribers" => {
                options.mode = Mode::FanOut(number(attached.as_deref().unwrap_or("10000"))?);
            }
            "--mixed" => options.mode = Mode::Mixed,
            "--big" => options.mode = Mode::Big(bytes(attached.as_deref().unwrap_or("4gb"))?),
            _ => {
                let value = attached.or_else(|| rest.next().cloned());
                let value = value.ok_or_else(|| format!("{name} needs a value; see --help"))?;
                parse_value(&mut options, name, value)?;
            }
        }
    }
    Ok(options)
}

fn pin(options: &mut Options) -> Result<()> {
    let last = thread::available_parallelism()?.get() - 1;
    if last == 0 {
        return Err("--pin needs two cores".into());
    }
    for program in &mut options.programs {
        program.cores = 0..last;
    }
    Ok(server::pin(&(last..last + 1))?)
}

fn parse_value(options: &mut Options, name: &str, value: String) -> Result<()> {
    let words = || value.split_whitespace().map(str::to_owned).collect();
    match name {
        "--only" => options.workloads = choices(&value, &Workload::ALL.map(|w| (w.name(), w)))?,
        "--clients" => options.clients = numbers(&value)?,
        "--pipeline" => options.pipelines = numbers(&value)?,
        "--appendfsync" => {
            options.appendfsync = choices(&value, &["always", "everysec", "no"].map(|s| (s, s.to_owned())))?;
        }
        "--tiers" => options.tiers = choices(&value, &[("hot", Tier::Hot), ("cold", Tier::Cold)])?,
        "--servers" => {
            let kinds = choices(&value, &Kind::ALL.map(|kind| (kind.name(), kind)))?;
            options.programs.retain(|program| kinds.contains(&program.kind));
        }
        "--keys" => options.keys = number(&value)?,
        "--cold-keys" => options.cold_keys = number(&value)?,
        "--hot-memory" => options.hot_memory = value,
        "--cold-memory" => options.cold_memory = value,
        "--big-memory" => options.big_memory = value,
        "--waiters" => options.waiters = number(&value)?,
        "--value-size" => options.value_size = Some(number(&value)?),
        "--seconds" => options.until = Until::Elapsed(Duration::try_from_secs_f64(number(&value)?)?),
        "--requests" => options.until = Until::Operations(number(&value)?),
        "--rounds" => options.rounds = number(&value)?,
        "--redkeep" => options.program(Kind::Redkeep)?.path = PathBuf::from(value),
        "--redis" => options.program(Kind::Redis)?.path = PathBuf::from(value),
        "--extra-args" => options.program(Kind::Redkeep)?.extra_args = words(),
        "--redis-args" => options.program(Kind::Redis)?.extra_args = words(),
        _ => return Err(format!("unknown option {name}; see --help").into()),
    }
    Ok(())
}

fn number<T: FromStr<Err: Display> + PartialOrd + Default>(text: &str) -> Result<T> {
    match text.parse::<T>() {
        Ok(value) if value > T::default() => Ok(value),
        Ok(_) => Err(format!("{text} is not above zero").into()),
        Err(e) => Err(format!("{text}: {e}").into()),
    }
}

fn numbers(list: &str) -> Result<Vec<usize>> {
    list.split(',').map(number).collect()
}

fn choices<T: Clone>(list: &str, known: &[(&str, T)]) -> Result<Vec<T>> {
    let find = |word: &str| known.iter().find(|(name, _)| name.eq_ignore_ascii_case(word));
    list.split(',')
        .map(|word| match find(word) {
            Some((_, choice)) => Ok(choice.clone()),
            None => Err(format!(
                "{word} is none of {}",
                known.iter().map(|k| k.0).collect::<Vec<_>>().join(", ")
            )),
        })
        .map(|choice| choice.map_err(Into::into))
        .collect()
}

/// `100`, `64kb`, `256mb`, `4gb`.
fn bytes(size: &str) -> Result<u64> {
    let lower = size.to_ascii_lowercase();
    let (digits, shift) = [("kb", 10), ("mb", 20), ("gb", 30)]
        .iter()
        .find_map(|(unit, shift)| Some((lower.strip_suffix(unit)?, *shift)))
        .unwrap_or((&lower, 0));
    number::<u64>(digits)?
        .checked_mul(1 << shift)
        .ok_or_else(|| format!("{size} is too large").into())
}

/// A server with its data in it, and how many keys that is.
struct Subject {
    server: Server,
    keys: u64,
}

const MATRIX_VALUE: usize = 100;
const BIG_VALUE: usize = 1000;

fn matrix(options: &Options) -> Result<()> {
    for appendfsync in &options.appendfsync {
        for &tier in &options.tiers {
            matrix_part(options, appendfsync, tier)?;
        }
    }
    Ok(())
}

/// All cases of one `appendfsync` and tier, on a pair of freshly filled servers.
fn matrix_part(options: &Options, appendfsync: &str, tier: Tier) -> Result<()> {
    let (memory, redkeep_keys, name) = match tier {
        Tier::Hot => (&options.hot_memory, options.keys, "hot"),
        Tier::Cold => (&options.cold_memory, options.cold_keys, "cold"),
    };
    let value_size = options.value_size.unwrap_or(MATRIX_VALUE);
    let mut subjects = Vec::new();
    for program in &options.programs {
        let server = Server::start(program, appendfsync, memory)?;
        let keys = match program.kind {
            Kind::Redkeep => redkeep_keys,
            Kind::Redis => options.keys,
        };
        let mut client = Client::connect(server.address)?;
        client.fill(DATA, keys, value_size)?;
        if options.workloads.iter().any(|workload| workload.counts()) {
            client.fill(COUNTERS, keys, 0)?;
        }
        for script in options.workloads.iter().filter_map(|workload| workload.script()) {
            client.command(&["SCRIPT", "LOAD", script.text])?;
        }
        server.settle()?;
        subjects.push(Subject { server, keys });
    }
    for subject in &mut subjects {
        subject.server.pause()?;
    }
    print_heading(&format!(
        "appendfsync {appendfsync}, {name}: {redkeep_keys} keys (redis: {}), values of {value_size} bytes",
        options.keys
    ));
    for &workload in &options.workloads {
        for &clients in &options.clients {
            for &pipeline in &options.pipelines {
                if workload == Workload::Wake && pipeline > 1 {
                    // Who is pushed to is to wait.
                    continue;
                }
                let load = Load {
                    workload,
                    clients,
                    pipeline,
                    prefix: if workload.counts() { COUNTERS } else { DATA },
                    keys: 0, // each server has its own number
                    value_size,
                    pace: None,
                    seed: 1,
                };
                measure_case(options, &mut subjects, &load)?;
            }
        }
    }
    if options.cross_check {
        cross_check(options, &mut subjects, value_size)?;
    }
    Ok(())
}

/// Measures both servers in turn, a round each, and prints the case's line. Every other round begins with the other one.
fn measure_case(options: &Options, subjects: &mut [Subject], load: &Load) -> Result<()> {
    let mut sides: Vec<Side> = subjects.iter().map(|_| Side::default()).collect();
    let count = subjects.len();
    for round in 0..options.rounds {
        for turn in 0..count {
            let index = (round + turn) % count;
            let subject = &mut subjects[index];
            subject.server.resume()?;
            if round == 0 {
                subject.server.settle()?;
            }
            let seed = (round as u64 + 1) << 32 | turn as u64;
            measure(options, subject, load, seed, &mut sides[index])?;
            subject.server.pause()?;
        }
    }
    let mut row = Row {
        label: format!(
            "{} P{} {} client{}",
            load.workload.name(),
            load.pipeline,
            load.clients,
            plural(load.clients)
        ),
        redkeep: None,
        redis: None,
    };
    for (subject, side) in subjects.iter().zip(sides) {
        match subject.server.kind {
            Kind::Redkeep => row.redkeep = Some(side),
            Kind::Redis => row.redis = Some(side),
        }
    }
    print_row(&row);
    Ok(())
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

fn measure(options: &Options, subject: &Subject, load: &Load, seed: u64, side: &mut Side) -> Result<()> {
    let server = &subject.server;
    let mut load = load.clone();
    load.keys = subject.keys;
    load.seed = seed;
    run(options, server, &load, &Until::Elapsed(WARM_UP))?;
    load.seed = !seed;
    let meter = Meter::start(server)?;
    let outcome = run(options, server, &load, &options.until)?;
    let (cpu, others) = meter.read(server)?;
    require_success(server.kind, &load, &outcome)?;
    side.rates
        .push(outcome.operations as f64 / outcome.elapsed.as_secs_f64());
    side.cpu.push(cpu.as_secs_f64() * 1e6 / outcome.operations as f64);
    side.others.push(others);
    side.latency.merge(&outcome.latency);
    side.resident = server.memory("VmRSS")?;
    Ok(())
}

/// Runs a load of any kind.
fn run(options: &Options, server: &Server, load: &Load, until: &Until) -> Result<Outcome> {
    if load.workload != Workload::Wake {
        return Ok(load.run(server.address, until)?);
    }
    let Until::Elapsed(length) = until else {
        return Err("blpop-wake takes --seconds, not --requests".into());
    };
    let clients = (options.waiters, load.clients);
    Ok(wake::run(server.address, clients, load.value_size, *length)?)
}

/// Who used how much CPU since it was started.
struct Meter {
    begun: Instant,
    server: Duration,
    own: Duration,
    machine: Duration,
}

impl Meter {
    fn start(server: &Server) -> Result<Meter> {
        Ok(Meter {
            begun: Instant::now(),
            server: server.cpu_time()?,
            own: server::process_cpu_time(process::id())?,
            machine: server::machine_cpu_time()?,
        })
    }

    /// The server's CPU time, and how many cores all but the server and this process kept busy.
    fn read(&self, server: &Server) -> Result<(Duration, f64)> {
        let now = Meter::start(server)?;
        let used = now.server - self.server;
        let own = now.own - self.own;
        let others = (now.machine - self.machine).saturating_sub(used + own);
        Ok((used, others.as_secs_f64() / self.begun.elapsed().as_secs_f64()))
    }
}

/// A figure for errors, or for keys that are not there, would be a figure for something else.
fn require_success(kind: Kind, load: &Load, outcome: &Outcome) -> Result<()> {
    let (server, command) = (kind.name(), load.workload.name());
    if let Some(error) = &outcome.first_error {
        return Err(format!(
            "{server} answered {command} with {} errors: {error}",
            outcome.errors
        )
        .into());
    }
    match outcome.absent {
        0 => Ok(()),
        absent => Err(format!("{server}: {absent} of {} keys were not found", outcome.operations).into()),
    }
}

/// redis-benchmark's throughput beside ours, for GET and SET on redis-server.
fn cross_check(options: &Options, subjects: &mut [Subject], value_size: usize) -> Result<()> {
    let Some(subject) = subjects
        .iter_mut()
        .find(|subject| subject.server.kind == Kind::Redis)
    else {
        return Ok(());
    };
    subject.server.resume()?;
    println!("\nredis-server, ops/s   this load generator   redis-benchmark   ratio");
    for workload in [Workload::Get, Workload::Set] {
        for &clients in &options.clients {
            for &pipeline in &options.pipelines {
                let load = Load {
                    workload,
                    clients,
                    pipeline,
                    prefix: DATA,
                    keys: subject.keys,
                    value_size,
                    pace: None,
                    seed: 7,
                };
                let outcome = load.run(subject.server.address, &options.until)?;
                require_success(Kind::Redis, &load, &outcome)?;
                let ours = outcome.operations as f64 / outcome.elapsed.as_secs_f64();
                let theirs = redis_benchmark(&load, subject.server.address.port(), outcome.operations)?;
                let label = format!(
                    "{} P{pipeline} {clients} client{}",
                    workload.name(),
                    plural(clients)
                );
                println!(
                    "{label:<20}  {ours:>19.0}  {theirs:>16.0}  {:>6.2}",
                    ours / theirs
                );
            }
        }
    }
    subject.server.pause()
}

fn redis_benchmark(load: &Load, port: u16, operations: u64) -> Result<f64> {
    let output = Command::new("redis-benchmark")
        .args(["--csv", "-h", "127.0.0.1", "-p", &port.to_string()])
        .args(["-t", &load.workload.name().to_ascii_lowercase()])
        .args(["-n", &operations.to_string(), "-r", &load.keys.to_string()])
        .args([
            "-d",
            &load.value_size.to_string(),
            "-c",
            &load.clients.to_string(),
        ])
        .args(["-P", &load.pipeline.to_string()])
        .output()
        .map_err(|e| format!("redis-benchmark: {e}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    // "GET","123456.78",...
    let rate = text.lines().find_map(|line| {
        line.strip_prefix(&format!("\"{}\",\"", load.workload.name()))?
            .split('"')
            .next()
    });
    let rate = rate.ok_or_else(|| format!("redis-benchmark printed no rate: {text}"))?;
    Ok(rate.parse()?)
}

fn fan_out(options: &Options, subscribers: usize) -> Result<()> {
    let Until::Elapsed(time) = options.until else {
        return Err("--subscribers is measured by --seconds".into());
    };
    let fan_out = FanOut {
        subscribers,
        value_size: options.value_size.unwrap_or(MATRIX_VALUE),
        pipelines: options.pipelines.clone(),
        rounds: options.rounds,
        time,
    };
    fan_out.run(&options.programs, &options.hot_memory)
}

/// What runs beside the hot GETs.
#[derive(Clone, Copy)]
enum Beside {
    Nothing,
    ColdGets,
    Sets,
}

impl Beside {
    const ALL: [Beside; 3] = [Beside::Nothing, Beside::ColdGets, Beside::Sets];

    fn label(self) -> &'static str {
        match self {
            Beside::Nothing => "alone",
            Beside::ColdGets => "beside cold GETs",
            Beside::Sets => "beside synced SETs",
        }
    }
}

fn mixed(options: &Options) -> Result<()> {
    let value_size = options.value_size.unwrap_or(MATRIX_VALUE);
    for program in &options.programs {
        let server = Server::start(program, "always", &options.cold_memory)?;
        let mut client = Client::connect(server.address)?;
        client.fill(DATA, options.cold_keys, value_size)?;
        println!(
            "\n{}: {} keys of {value_size} bytes",
            program.kind.name(),
            options.cold_keys
        );
        mixed_table(options, &server, options.cold_keys, value_size)?;
    }
    Ok(())
}

/// Hot GETs, paced and flat out, alone and beside other work. Their keys are filled last and read first: they are hot.
fn mixed_table(options: &Options, server: &Server, cold_keys: u64, value_size: usize) -> Result<()> {
    Client::connect(server.address)?.fill(HOT, HOT_KEYS, value_size)?;
    server.settle()?;
    println!(
        "appendfsync always; {HOT_KEYS} hot keys; beside: {BACKGROUND_CLIENTS} connections, P{BACKGROUND_PIPELINE}"
    );
    println!(
        "{:<32}  {:>9}  {:>21}  {:>12}  {:>13}  {:>13}  {:>13}",
        "hot GETs",
        "ops/s",
        "us p50/p99/p99.9",
        "p99 to alone",
        "round min-max",
        "beside, ops/s",
        "others, cores"
    );
    for (pace, clients) in [(Some(PACED_RATE), PACED_CLIENTS), (None, FLAT_OUT_CLIENTS)] {
        let load = Load {
            workload: Workload::Get,
            clients,
            pipeline: 1,
            prefix: HOT,
            keys: HOT_KEYS,
            value_size,
            pace,
            seed: 1,
        };
        mixed_rows(options, server, &load, cold_keys)?;
    }
    Ok(())
}

/// One shape of hot load: its three lines. Each round measures all three, so a ratio compares neighbours in time.
fn mixed_rows(options: &Options, server: &Server, load: &Load, cold_keys: u64) -> Result<()> {
    let mut latency = Beside::ALL.map(|_| Histogram::default());
    let mut rates = Beside::ALL.map(|_| Vec::new());
    let mut background = Beside::ALL.map(|_| Vec::new());
    let mut ratios = Beside::ALL.map(|_| Vec::new());
    let mut others = Beside::ALL.map(|_| Vec::new());
    for round in 0..options.rounds {
        let mut alone = 0.0;
        for (index, beside) in Beside::ALL.into_iter().enumerate() {
            let seed = (round * Beside::ALL.len() + index) as u64;
            let meter = Meter::start(server)?;
            let (hot, other) = run_beside(options, server, load, beside, cold_keys, seed)?;
            others[index].push(meter.read(server)?.1);
            server.settle()?;
            let p99 = hot.latency.percentile(0.99);
            if index == 0 {
                alone = p99;
            }
            ratios[index].push(p99 / alone);
            rates[index].push(hot.operations as f64 / hot.elapsed.as_secs_f64());
            background[index].push(other);
            latency[index].merge(&hot.latency);
        }
    }
    let shape = match load.pace {
        Some(rate) => format!("{rate}/s"),
        None => format!("{} clients", load.clients),
    };
    for (index, beside) in Beside::ALL.into_iter().enumerate() {
        let lowest = ratios[index].iter().copied().fold(f64::INFINITY, f64::min);
        let highest = ratios[index].iter().copied().fold(0.0, f64::max);
        println!(
            "{:<32}  {:>9.0}  {:>21}  {:>12.2}  {:>13}  {:>13.0}  {:>13.1}",
            format!("{shape}, {}", beside.label()),
            median(&rates[index]),
            percentiles(&latency[index]),
            median(&ratios[index]),
            format!("{lowest:.2}-{highest:.2}"),
            median(&background[index]),
            median(&others[index]),
        );
    }
    Ok(())
}

/// Runs the hot load with the other work on a thread of its own; the hot outcome, and the other work's ops/s.
fn run_beside(
    options: &Options,
    server: &Server,
    hot: &Load,
    beside: Beside,
    cold_keys: u64,
    seed: u64,
) -> Result<(Outcome, f64)> {
    let mut hot = hot.clone();
    hot.seed = seed;
    let workload = match beside {
        Beside::Nothing => None,
        Beside::ColdGets => Some(Workload::Get),
        Beside::Sets => Some(Workload::Set),
    };
    let stop = Arc::new(AtomicBool::new(false));
    let other = workload.map(|workload| {
        let load = Load {
            workload,
            clients: BACKGROUND_CLIENTS,
            pipeline: BACKGROUND_PIPELINE,
            prefix: DATA,
            keys: cold_keys,
            pace: None,
            seed: !seed,
            ..hot.clone()
        };
        let (address, until) = (server.address, Until::Told(stop.clone()));
        thread::spawn(move || load.run(address, &until).map(|outcome| (load, outcome)))
    });
    let measured = hot
        .run(server.address, &Until::Elapsed(WARM_UP))
        .and_then(|_| hot.run(server.address, &options.until));
    stop.store(true, Ordering::Relaxed);
    let rate = match other {
        None => 0.0,
        Some(thread) => {
            let (load, outcome) = thread.join().map_err(|_| "the other load's thread panicked")??;
            require_success(server.kind, &load, &outcome)?;
            outcome.operations as f64 / outcome.elapsed.as_secs_f64()
        }
    };
    let outcome = measured?;
    require_success(server.kind, &hot, &outcome)?;
    Ok((outcome, rate))
}

/// More data than memory: load, read everything back, see what memory it took, and what the hot keys feel.
fn big(options: &Options, size: u64) -> Result<()> {
    let value_size = options.value_size.unwrap_or(BIG_VALUE);
    let keys = size.div_ceil(value_size as u64);
    let program = options
        .programs
        .iter()
        .find(|program| program.kind == Kind::Redkeep);
    let program = program.ok_or("--big is for Redkeep")?;
    let server = Server::start(program, "always", &options.big_memory)?;
    let peak = || server.memory("VmHWM").map(|bytes| bytes as f64 / MIB);
    println!(
        "{keys} keys of {value_size} bytes under --maxmemory {}",
        options.big_memory
    );

    let mut client = Client::connect(server.address)?;
    let begun = Instant::now();
    client.fill(DATA, keys, value_size)?;
    println!(
        "loaded in {:.0} s; RSS peak {:.0} MB",
        begun.elapsed().as_secs_f64(),
        peak()?
    );
    let begun = Instant::now();
    let checked = client.check(DATA, keys, value_size)?;
    let seconds = begun.elapsed().as_secs_f64();
    println!(
        "read back in {seconds:.0} s: {} absent, {} different; RSS peak {:.0} MB",
        checked.absent,
        checked.different,
        peak()?
    );
    mixed_table(options, &server, keys, value_size)?;
    println!("RSS peak {:.0} MB", peak()?);
    match checked.absent + checked.different {
        0 => Ok(()),
        wrong => Err(format!("{wrong} of {keys} values were not what was written").into()),
    }
}
