//! A server process of a test's own: started on a free loopback port, ready when it answers PING, gone when
//! dropped.

use super::{Client, Value, wait_for};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Names another binary to test; a path that ends in `redis-server` shows that the tests themselves are
/// right.
const SERVER_VARIABLE: &str = "REDKEEP_TEST_SERVER";
/// Names another reference than the `redis-server` of the path.
const REDIS_VARIABLE: &str = "REDKEEP_TEST_REDIS";

const READY_LIMIT: Duration = Duration::from_secs(30);
const EXIT_LIMIT: Duration = Duration::from_secs(30);
const LOG_LINES_SHOWN: usize = 30;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// The server under test.
    Redkeep,
    /// The reference.
    Redis,
}

impl Kind {
    fn binary(self) -> PathBuf {
        let named = |variable| std::env::var_os(variable).map(PathBuf::from);
        match self {
            Kind::Redkeep => {
                named(SERVER_VARIABLE).unwrap_or_else(|| env!("CARGO_BIN_EXE_redkeep-server").into())
            }
            Kind::Redis => named(REDIS_VARIABLE).unwrap_or_else(|| "redis-server".into()),
        }
    }

    /// Whether the binary is a Redis, which it may be for either kind.
    fn is_redis(self) -> bool {
        self.binary()
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with("redis-server"))
    }
}

/// Whether a redis-server is there to compare with; where it must be (in CI) its absence fails the test.
pub fn redis_is_installed() -> bool {
    let found = Command::new(Kind::Redis.binary())
        .arg("--version")
        .output()
        .is_ok_and(|out| out.status.success());
    found || skip("redis-server is not installed")
}

/// Says why a test does nothing; in CI that is a failure. Returns false, to be returned.
pub fn skip(reason: &str) -> bool {
    assert!(
        std::env::var_os("CI").is_none(),
        "in CI nothing is skipped: {reason}"
    );
    println!("skipped: {reason}");
    false
}

/// How a server is started.
#[derive(Clone)]
pub struct Setup {
    kind: Kind,
    flags: Vec<String>,
    data: Option<PathBuf>,
    environment: Vec<(&'static str, OsString)>,
    file_size_limit: Option<u64>,
}

impl Setup {
    pub fn new(kind: Kind, flags: &[&str]) -> Setup {
        Setup {
            kind,
            flags: owned(flags),
            data: None,
            environment: Vec::new(),
            file_size_limit: None,
        }
    }

    /// Keeps the data in `dir` instead of a temporary directory.
    pub fn data(mut self, dir: &Path) -> Setup {
        self.data = Some(dir.into());
        self
    }

    /// Sets a variable in the server's environment.
    pub fn environment(mut self, name: &'static str, value: impl Into<OsString>) -> Setup {
        self.environment.push((name, value.into()));
        self
    }

    /// Starts the server under a soft RLIMIT_FSIZE of so many bytes.
    pub fn file_size_limit(mut self, bytes: u64) -> Setup {
        self.file_size_limit = Some(bytes);
        self
    }

    pub fn is_redis(&self) -> bool {
        self.kind.is_redis()
    }

    pub fn start(self) -> Server {
        let home = TempDir::with_prefix("redkeep-test-").expect("a temporary directory");
        let data = self.data.clone().unwrap_or_else(|| home.path().join("data"));
        fs::create_dir_all(&data).expect("a data directory");
        let mut server = Server {
            setup: self,
            home,
            data,
            port: 0,
            child: None,
            time_to_ready: Duration::ZERO,
        };
        server.start_again();
        server
    }
}

/// A running server. Start it from the thread that keeps it: the kernel ends it when that thread ends.
pub struct Server {
    setup: Setup,
    home: TempDir,
    data: PathBuf,
    port: u16,
    child: Option<Child>,
    time_to_ready: Duration,
}

impl Server {
    pub fn start(kind: Kind, flags: &[&str]) -> Server {
        Setup::new(kind, flags).start()
    }

    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn pid(&self) -> i32 {
        self.child.as_ref().expect("a running server").id() as i32
    }

    /// What the server has of memory, as the system counts it.
    pub fn resident_bytes(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("a running server");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
        kilobytes.expect("a number of kB") << 10
    }

    /// From the last start to the first answer.
    pub fn time_to_ready(&self) -> Duration {
        self.time_to_ready
    }

    pub fn is_redis(&self) -> bool {
        self.setup.is_redis()
    }

    pub fn client(&self) -> Client {
        Client::connect(self.address())
            .unwrap_or_else(|error| panic!("cannot connect: {error}\n{}", self.log()))
    }

    /// Evicts every clean record of Redkeep's hot tier, so that the next reads come from the disk.
    pub fn drop_hot(&self, client: &mut Client) {
        if !self.is_redis() {
            client.ok(&["DEBUG", "DROP-HOT"]);
        }
    }

    /// Flags for the next start.
    pub fn set_flags(&mut self, flags: &[&str]) {
        self.setup.flags = owned(flags);
    }

    /// Stops as an operator does, and starts on the same data.
    pub fn restart(&mut self) {
        self.terminate();
        self.start_again();
    }

    /// SIGTERM; the server must leave by itself, and say that all is well.
    pub fn terminate(&mut self) {
        self.signal(libc::SIGTERM);
        let status = self.wait();
        assert!(
            status.success(),
            "after SIGTERM the server left with {status}\n{}",
            self.log()
        );
    }

    /// `kill -9`: no chance to write anything more.
    pub fn kill9(&mut self) {
        self.signal(libc::SIGKILL);
        self.wait();
    }

    /// Lifts the limit of [`Setup::file_size_limit`], for the running server and those to come.
    pub fn lift_file_size_limit(&mut self) {
        self.setup.file_size_limit = None;
        let unlimited = libc::rlimit {
            rlim_cur: libc::RLIM_INFINITY,
            rlim_max: libc::RLIM_INFINITY,
        };
        // SAFETY: the new limit is a valid rlimit, the old one is not asked for, and the process is our
        // child.
        let result =
            unsafe { libc::prlimit(self.pid(), libc::RLIMIT_FSIZE, &unlimited, std::ptr::null_mut()) };
        assert_eq!(result, 0, "prlimit: {}", io::Error::last_os_error());
    }

    /// Starts a server that has stopped, on its data.
    pub fn start_again(&mut self) {
        assert!(self.child.is_none(), "the server is still running");
        for _ in 0..5 {
            if self.port == 0 {
                self.port = free_port();
            }
            match self.spawn() {
                Ok(()) => return,
                // Somebody took the port between our look and the server's bind.
                Err(log) if log.contains("in use") => self.port = 0,
                Err(log) => panic!("the server does not start:\n{log}"),
            }
        }
        panic!("no free port in five tries");
    }

    /// Returns when the server answers, or its log if it left before.
    fn spawn(&mut self) -> Result<(), String> {
        let start = Instant::now();
        let child = self.command().spawn();
        let binary = self.setup.kind.binary();
        self.child = Some(child.unwrap_or_else(|error| panic!("cannot run {}: {error}", binary.display())));
        loop {
            if self.answers_ping() {
                self.time_to_ready = start.elapsed();
                return Ok(());
            }
            if self
                .child
                .as_mut()
                .is_some_and(|child| !matches!(child.try_wait(), Ok(None)))
            {
                self.child = None;
                return Err(self.log());
            }
            assert!(
                start.elapsed() < READY_LIMIT,
                "not ready after {READY_LIMIT:?}\n{}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn answers_ping(&self) -> bool {
        let reply = Client::connect(self.address()).and_then(|mut client| client.call(&["PING"]));
        reply.is_ok_and(|reply| match reply {
            Value::Simple(text) => text == "PONG",
            // Ready for whoever has the password.
            Value::Error(text) => text.starts_with("NOAUTH"),
            _ => false,
        })
    }

    fn command(&self) -> Command {
        let log = || {
            File::options()
                .create(true)
                .append(true)
                .open(self.home.path().join("log"))
        };
        let mut command = Command::new(self.setup.kind.binary());
        command
            .args(self.arguments())
            .envs(self.setup.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.data)
            .stdin(Stdio::null())
            .stdout(log().expect("a log file"))
            .stderr(log().expect("a log file"));
        let file_size_limit = self.setup.file_size_limit;
        let is_redis = self.is_redis();
        // SAFETY: between fork and exec only async-signal-safe calls are made, and no memory is allocated.
        unsafe { command.pre_exec(move || prepare_child(file_size_limit, is_redis)) };
        command
    }

    fn arguments(&self) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = vec!["--port".into(), self.port.to_string().into()];
        arguments.extend([
            "--bind".into(),
            "127.0.0.1".into(),
            "--dir".into(),
            self.data.clone().into(),
        ]);
        arguments.extend(["--enable-debug-command".into(), "yes".into()]);
        if self.is_redis() {
            arguments.extend(["--save", "", "--loglevel", "warning"].map(OsString::from));
            let durable = if self.setup.kind == Kind::Redkeep {
                "yes"
            } else {
                "no"
            };
            arguments.extend(["--appendonly", durable].map(OsString::from));
        }
        let mut flags = self.setup.flags.iter();
        while let Some(flag) = flags.next() {
            // Redkeep's budget bounds its memory, not its data; in Redis it would evict.
            if self.is_redis() && flag == "--maxmemory" {
                flags.next();
            } else {
                arguments.push(flag.into());
            }
        }
        arguments
    }

    pub fn signal(&self, signal: i32) {
        // SAFETY: kill takes no memory; the process is our child and not yet waited for, so the id is still
        // its own.
        let result = unsafe { libc::kill(self.pid(), signal) };
        assert_eq!(result, 0, "kill: {}", io::Error::last_os_error());
    }

    /// Returns when the server has left by itself.
    pub fn wait(&mut self) -> ExitStatus {
        let child = self.child.as_mut().expect("a running server");
        let status = wait_for("the server to leave", EXIT_LIMIT, || {
            child.try_wait().expect("wait")
        });
        self.child = None;
        status
    }

    /// The end of what the server has written.
    pub fn log(&self) -> String {
        let text = fs::read(self.home.path().join("log")).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..].join("\n")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let status = child.try_wait();
            // Nothing to do about a failure here: the kernel ends the child with this thread anyway.
            let _ = child.kill();
            let _ = child.wait();
            if std::thread::panicking() {
                println!(
                    "--- log of the {:?} server (status {status:?}) ---\n{}\n---",
                    self.setup.kind,
                    self.log()
                );
            }
        }
    }
}

/// Runs in the child before the server: it must not outlive the test. Redis, other than Redkeep, would die of a file that is
/// too large.
fn prepare_child(file_size_limit: Option<u64>, is_redis: bool) -> io::Result<()> {
    // SAFETY: plain system calls on values of this frame.
    unsafe {
        if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) != 0 {
            return Err(io::Error::last_os_error());
        }
        // A shell keeps it from what runs in its background.
        libc::signal(libc::SIGQUIT, libc::SIG_DFL);
        if let Some(bytes) = file_size_limit {
            if is_redis {
                libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
            }
            let limit = libc::rlimit {
                rlim_cur: bytes,
                rlim_max: libc::RLIM_INFINITY,
            };
            if libc::setrlimit(libc::RLIMIT_FSIZE, &limit) != 0 {
                return Err(io::Error::last_os_error());
            }
        }
    }
    Ok(())
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("its address").port()
}

fn owned(flags: &[&str]) -> Vec<String> {
    flags.iter().map(|flag| flag.to_string()).collect()
}

#[test]
fn a_restarted_server_keeps_its_data_and_a_dropped_one_is_gone() {
    let mut server = Server::start(Kind::Redkeep, &["--appendfsync", "always"]);
    server.client().ok(&["SET", "k", "v"]);
    server.restart();
    assert_eq!(server.client().run(&["GET", "k"]), Value::bulk("v"));
    server.client().ok(&["SET", "k", "w"]);
    server.kill9();
    server.start_again();
    assert_eq!(server.client().run(&["GET", "k"]), Value::bulk("w"));
    let address = server.address();
    drop(server);
    assert!(Client::connect(address).is_err());
}
