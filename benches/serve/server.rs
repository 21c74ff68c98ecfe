//! The servers under test: start, fill, look into and stop them.

use std::error::Error;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::ops::Range;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::common::{Random, write_digits};
use crate::load::KEY_DIGITS;

pub type Result<T> = std::result::Result<T, Box<dyn Error>>;

const START_LIMIT: Duration = Duration::from_secs(120);
const REPLY_LIMIT: Duration = Duration::from_secs(120);
/// How long background work (compaction, a rewrite of the AOF) may keep a measurement waiting.
const SETTLE_LIMIT: Duration = Duration::from_secs(120);
const SETTLE_WINDOW: Duration = Duration::from_millis(300);
/// More than any workload connects.
const MAX_CLIENTS: &str = "12000";
/// Keys per MSET, MSETs and GETs per batch while filling and checking.
const FILL_KEYS: u64 = 50;
const FILL_COMMANDS: u64 = 20;
const CHECK_COMMANDS: u64 = 100;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Redkeep,
    Redis,
}

impl Kind {
    pub const ALL: [Kind; 2] = [Kind::Redkeep, Kind::Redis];

    pub fn name(self) -> &'static str {
        match self {
            Kind::Redkeep => "redkeep",
            Kind::Redis => "redis",
        }
    }
}

/// How to start a server.
#[derive(Clone)]
pub struct Program {
    pub kind: Kind,
    pub path: PathBuf,
    pub extra_args: Vec<String>,
    /// The cores that it may run on; all when empty.
    pub cores: Range<usize>,
}

/// A running server in a directory of its own; dropping it kills the process and removes the directory.
pub struct Server {
    pub kind: Kind,
    pub address: SocketAddr,
    child: Child,
    launch: Launch,
    paused: bool,
}

/// How to start the same server again.
struct Launch {
    program: Program,
    port: u16,
    dir: PathBuf,
    arguments: Vec<String>,
}

impl Launch {
    fn spawn(&self) -> Result<Child> {
        let log = File::create(self.dir.join("log"))?;
        let mut command = Command::new(&self.program.path);
        command.args(["--port", &self.port.to_string(), "--bind", "127.0.0.1", "--dir"]);
        command.arg(self.dir.join("data")).args(&self.arguments);
        command.args(&self.program.extra_args);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let cores = self.program.cores.clone();
        // SAFETY: between fork and exec only two system calls are made; nothing is allocated, no lock is taken.
        unsafe { command.pre_exec(move || die_with_parent().and_then(|()| pin(&cores))) };
        let child = command.spawn();
        child.map_err(|e| format!("{}: {e}", self.program.path.display()).into())
    }
}

impl Server {
    /// `maxmemory` is for Redkeep alone: redis-server would evict keys, or refuse to write.
    pub fn start(program: &Program, appendfsync: &str, maxmemory: &str) -> Result<Server> {
        let port = free_port()?;
        let dir = scratch_dir()?.join(format!("{}-{port}", program.kind.name()));
        fs::create_dir_all(dir.join("data"))?;
        let own = match program.kind {
            Kind::Redis => ["--appendonly", "yes", "--save", ""].as_slice(),
            Kind::Redkeep => &["--maxmemory", maxmemory],
        };
        let arguments = [&["--appendfsync", appendfsync, "--maxclients", MAX_CLIENTS], own].concat();
        let launch = Launch {
            program: program.clone(),
            port,
            dir,
            arguments: arguments.into_iter().map(str::to_owned).collect(),
        };
        let mut server = Server {
            kind: program.kind,
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            child: launch.spawn()?,
            launch,
            paused: false,
        };
        server.await_ready()?;
        Ok(server)
    }

    /// Kills the process and starts it again on the same data: nothing of it is in its memory then.
    #[allow(dead_code, reason = "for benches/complexity")]
    pub fn restart(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        self.child = self.launch.spawn()?;
        self.await_ready()
    }

    fn await_ready(&mut self) -> Result<()> {
        let begun = Instant::now();
        loop {
            if let Ok(mut client) = Client::connect(self.address)
                && client.command(&["PING"]).is_ok()
            {
                return Ok(());
            }
            let ended = self.child.try_wait()?;
            if ended.is_some() || begun.elapsed() > START_LIMIT {
                let log = fs::read_to_string(self.launch.dir.join("log")).unwrap_or_else(|e| e.to_string());
                return Err(format!("{} did not start:\n{log}", self.kind.name()).into());
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Stops the process in its tracks while the other server is measured, so that it cannot take CPU from it.
    pub fn pause(&mut self) -> Result<()> {
        self.signal(libc::SIGSTOP)?;
        self.paused = true;
        Ok(())
    }

    pub fn resume(&mut self) -> Result<()> {
        if self.paused {
            self.signal(libc::SIGCONT)?;
            self.paused = false;
        }
        Ok(())
    }

    fn signal(&self, signal: libc::c_int) -> Result<()> {
        // SAFETY: takes no pointer. The child has not been waited for, so its id is still its own.
        match unsafe { libc::kill(self.child.id() as libc::pid_t, signal) } {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error().into()),
        }
    }

    pub fn cpu_time(&self) -> Result<Duration> {
        process_cpu_time(self.child.id())
    }

    /// Resident bytes now (`VmRSS`) or at their highest (`VmHWM`).
    pub fn memory(&self, field: &str) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let kibibytes = status
            .lines()
            .find_map(|line| {
                line.strip_prefix(field)?
                    .strip_prefix(':')?
                    .split_whitespace()
                    .next()
            })
            .ok_or_else(|| format!("/proc/PID/status has no {field}"))?;
        Ok(kibibytes.parse::<u64>()? * 1024)
    }

    /// Waits until background work is done: no rewrite of the AOF, and (nearly) no CPU used.
    pub fn settle(&self) -> Result<()> {
        let begun = Instant::now();
        let mut client = Client::connect(self.address)?;
        while begun.elapsed() < SETTLE_LIMIT {
            let before = self.cpu_time()?;
            thread::sleep(SETTLE_WINDOW);
            let rewriting = match client.command(&["INFO", "persistence"]) {
                Ok(info) => info.contains("_rewrite_in_progress:1") || info.contains("_rewrite_scheduled:1"),
                Err(_) => false, // a server without INFO has no AOF to rewrite
            };
            if !rewriting && self.cpu_time()? - before < SETTLE_WINDOW / 10 {
                return Ok(());
            }
        }
        eprintln!(
            "{} is still busy after {SETTLE_LIMIT:?}; measuring all the same",
            self.kind.name()
        );
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Nothing to be done about a failure here: a process that is gone already, a directory that stays.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.launch.dir);
        let _ = self.launch.dir.parent().map(fs::remove_dir); // fails while the other server's directory is in it
    }
}

/// User and system time of all threads of a process since it started.
pub fn process_cpu_time(id: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat"))?;
    // The second field is the program's name, which may hold spaces: count from its closing parenthesis.
    let (_, fields) = stat.rsplit_once(')').ok_or("/proc/PID/stat has no name")?;
    sum_of_ticks(fields.split_whitespace().skip(11).take(2))
}

/// What all processes together have used since the machine started, and what its host took from it.
pub fn machine_cpu_time() -> Result<Duration> {
    let stat = fs::read_to_string("/proc/stat")?;
    let fields = stat.lines().next().ok_or("/proc/stat is empty")?;
    // cpu user nice system idle iowait irq softirq steal
    let fields = fields.split_whitespace().enumerate();
    sum_of_ticks(fields.filter_map(|(at, field)| matches!(at, 1..=3 | 6..=8).then_some(field)))
}

fn sum_of_ticks<'a>(fields: impl Iterator<Item = &'a str>) -> Result<Duration> {
    let ticks = fields
        .map(str::parse::<u64>)
        .sum::<std::result::Result<u64, _>>()?;
    // SAFETY: takes no pointer.
    let a_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    Ok(Duration::from_secs_f64(ticks as f64 / a_second as f64))
}

/// Asks the kernel to kill this process when its parent dies, also when it is paused.
fn die_with_parent() -> io::Result<()> {
    // SAFETY: PR_SET_PDEATHSIG takes a number and no pointer.
    match unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// Keeps this thread, and those it starts, on some cores; no cores stand for all.
pub fn pin(cores: &Range<usize>) -> io::Result<()> {
    if cores.is_empty() {
        return Ok(());
    }
    // SAFETY: a set of cores is plain bits, all zero is the empty set, CPU_SET checks its index, and the kernel only reads.
    let result = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        for core in cores.clone() {
            libc::CPU_SET(core, &mut set);
        }
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set)
    };
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// This run's directory below the target directory; those of runs that were killed are removed.
fn scratch_dir() -> io::Result<PathBuf> {
    let all = Path::new(env!("CARGO_TARGET_TMPDIR"));
    fs::create_dir_all(all)?;
    for entry in fs::read_dir(all)? {
        let entry = entry?;
        if let Some(owner) = entry.file_name().to_string_lossy().strip_prefix("serve-")
            && !Path::new("/proc").join(owner).exists()
        {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(all.join(format!("serve-{}", process::id())))
}

/// A blocking client for everything that is not measured.
pub struct Client {
    reader: BufReader<TcpStream>,
    request: Vec<u8>,
}

/// What became of a data set that was read back.
#[derive(Default)]
pub struct Checked {
    pub absent: u64,
    pub different: u64,
}

impl Client {
    pub fn connect(address: SocketAddr) -> io::Result<Client> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(REPLY_LIMIT))?;
        stream.set_write_timeout(Some(REPLY_LIMIT))?;
        Ok(Client {
            reader: BufReader::with_capacity(256 * 1024, stream),
            request: Vec::new(),
        })
    }

    /// Sends one command; its reply as text, or its error.
    pub fn command(&mut self, arguments: &[&str]) -> Result<String> {
        self.begin(arguments.len() as u64);
        for argument in arguments {
            self.push(argument.as_bytes());
        }
        self.send()?;
        let mut payload = Vec::new();
        self.reply(&mut payload)?;
        Ok(String::from_utf8_lossy(&payload).into_owned())
    }

    /// Sends commands as one pipeline, and reads all their replies.
    #[allow(dead_code, reason = "for benches/complexity")]
    pub fn pipeline(&mut self, commands: &[Vec<String>]) -> Result<()> {
        for command in commands {
            self.begin(command.len() as u64);
            for argument in command {
                self.push(argument.as_bytes());
            }
        }
        self.send()?;
        let mut payload = Vec::new();
        for _ in commands {
            self.reply(&mut payload)?;
        }
        Ok(())
    }

    /// Writes `keys` keys with seeded values of `size` bytes, or with the text of a zero when `size` is 0.
    pub fn fill(&mut self, prefix: &str, keys: u64, size: usize) -> Result<()> {
        let mut key = format!("{prefix}{:0KEY_DIGITS$}", 0).into_bytes();
        let mut value = vec![b'0'; size.max(1)];
        let mut next = 0;
        let mut payload = Vec::new();
        while next < keys {
            let mut commands = 0;
            while next < keys && commands < FILL_COMMANDS {
                let last = keys.min(next + FILL_KEYS);
                self.begin(1 + 2 * (last - next));
                self.push(b"MSET");
                for number in next..last {
                    write_digits(&mut key[prefix.len()..], number);
                    if size > 0 {
                        seeded_value(number, &mut value);
                    }
                    self.push(&key);
                    self.push(&value);
                }
                next = last;
                commands += 1;
            }
            self.send()?;
            for _ in 0..commands {
                self.reply(&mut payload)?;
            }
        }
        Ok(())
    }

    /// Reads everything back that `fill` wrote, and compares.
    pub fn check(&mut self, prefix: &str, keys: u64, size: usize) -> Result<Checked> {
        let mut key = format!("{prefix}{:0KEY_DIGITS$}", 0).into_bytes();
        let (mut expected, mut found) = (vec![0; size], Vec::new());
        let mut checked = Checked::default();
        for first in (0..keys).step_by(CHECK_COMMANDS as usize) {
            let numbers = first..keys.min(first + CHECK_COMMANDS);
            for number in numbers.clone() {
                write_digits(&mut key[prefix.len()..], number);
                self.begin(2);
                self.push(b"GET");
                self.push(&key);
            }
            self.send()?;
            for number in numbers {
                seeded_value(number, &mut expected);
                match self.reply(&mut found)? {
                    false => checked.absent += 1,
                    true if found != expected => checked.different += 1,
                    true => {}
                }
            }
        }
        Ok(checked)
    }

    fn begin(&mut self, arguments: u64) {
        self.request
            .extend_from_slice(format!("*{arguments}\r\n").as_bytes());
    }

    fn push(&mut self, argument: &[u8]) {
        self.request
            .extend_from_slice(format!("${}\r\n", argument.len()).as_bytes());
        self.request.extend_from_slice(argument);
        self.request.extend_from_slice(b"\r\n");
    }

    fn send(&mut self) -> io::Result<()> {
        self.reader.get_mut().write_all(&self.request)?;
        self.request.clear();
        Ok(())
    }

    /// Reads one status, number or bulk reply, or the last element of an array, into `payload`; false for a null.
    fn reply(&mut self, payload: &mut Vec<u8>) -> Result<bool> {
        let mut line = String::new();
        self.reader.read_line(&mut line)?;
        payload.clear();
        let text = line.trim_end();
        match text.as_bytes().first() {
            Some(b'+' | b':') => payload.extend_from_slice(&text.as_bytes()[1..]),
            Some(b'$') if text == "$-1" => return Ok(false),
            Some(b'$') => {
                payload.resize(text[1..].parse::<usize>()? + 2, 0);
                self.reader.read_exact(payload)?;
                payload.truncate(payload.len() - 2);
            }
            Some(b'*') => {
                let mut is_there = true;
                for _ in 0..text[1..].parse::<i64>()? {
                    is_there = self.reply(payload)?;
                }
                return Ok(is_there);
            }
            Some(b'-') => return Err(text[1..].into()),
            _ => return Err(format!("unexpected reply {text:?}").into()),
        }
        Ok(true)
    }
}

/// The value that belongs to a key's number.
fn seeded_value(number: u64, value: &mut [u8]) {
    Random(number.wrapping_mul(0x5851_f42d_4c95_7f2d)).fill(value);
}
