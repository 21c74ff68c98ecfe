//! A full disk: writes fail with an error, reads go on, nothing that was acknowledged is lost, and writes
//! work again once there is room, without a restart.
//!
//! Shown twice: on a small tmpfs, where mounting is allowed, and under a limit of the size of files,
//! everywhere.

use crate::support::server::Setup;
use crate::support::{Client, Kind, Rng, Server, Value, heavy, wait_for};
use std::ffi::CString;
use std::fs::{self, File};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

const TMPFS_SIZE: u64 = 128 << 20;
/// What the ballast, which is deleted to make room, leaves to the server.
const ROOM: u64 = 32 << 20;
/// Smaller than any log the server would start anew by itself.
const FILE_SIZE_LIMIT: u64 = 1 << 20;

const VALUE_SIZE: usize = 4096;
const PIPELINE: u64 = 16;
/// Twice what fits.
const VALUES_AT_MOST: u64 = 2 * TMPFS_SIZE / VALUE_SIZE as u64;
const WRITES_WHILE_FULL: u64 = 100;
const WRITES_AGAIN_WITHIN: Duration = Duration::from_secs(30);

#[test]
fn a_full_disk() {
    let _turn = heavy();
    let home = TempDir::with_prefix("redkeep-full-").expect("a temporary directory");
    // The thread has a view of the file system of its own, so the mount is gone when it ends, however it
    // ends.
    let result = std::thread::scope(|scope| scope.spawn(|| on_a_small_tmpfs(home.path())).join());
    if let Err(panic) = result {
        std::panic::resume_unwind(panic);
    }
}

fn on_a_small_tmpfs(dir: &Path) {
    if let Err(error) = mount_tmpfs(dir, TMPFS_SIZE) {
        println!("skipped: no tmpfs can be mounted here ({error}); the limit of file sizes shows the same");
        return;
    }
    let ballast = dir.join("ballast");
    for appendfsync in modes() {
        let data = dir.join(appendfsync);
        let server = Setup::new(
            Kind::Redkeep,
            &["--appendfsync", appendfsync, "--maxmemory", "32mb"],
        )
        .data(&data)
        .start();
        let mut store = Store::new(server);
        for _ in 0..2 {
            write_ballast(&ballast).expect("room for the ballast");
            store.fill();
            store.check_while_full();
            store.check_a_start_while_full();
            fs::remove_file(&ballast).expect("the ballast is there");
            store.check_with_room();
            store.forget_half();
        }
        store.check_after_restarts();
        drop(store);
        fs::remove_dir_all(&data).expect("the data is ours");
    }
}

#[test]
fn a_limit_of_file_sizes() {
    let _turn = heavy();
    for appendfsync in modes() {
        let flags = ["--appendfsync", appendfsync, "--maxmemory", "64mb"];
        let mut store = Store::new(
            Setup::new(Kind::Redkeep, &flags)
                .file_size_limit(FILE_SIZE_LIMIT)
                .start(),
        );
        store.fill();
        store.check_while_full();
        store.server.lift_file_size_limit();
        store.check_with_room();
        store.check_after_restarts();
    }
}

/// Redis itself, as a test of the test, leaves when it cannot fsync.
fn modes() -> &'static [&'static str] {
    let is_redis = Setup::new(Kind::Redkeep, &[]).is_redis();
    if is_redis {
        &["everysec"]
    } else {
        &["everysec", "always"]
    }
}

/// A server and what it has said about each write. No key is written twice.
struct Store {
    server: Server,
    client: Client,
    acknowledged: Vec<u64>,
    refused: Vec<u64>,
    /// How many had been refused when the server was started: its counts begin there.
    refused_at_start: usize,
    /// What the last refused write was answered.
    refusal: String,
    deleted: Vec<u64>,
    next: u64,
}

impl Store {
    fn new(server: Server) -> Store {
        let client = server.client();
        Store {
            server,
            client,
            acknowledged: vec![],
            refused: vec![],
            refused_at_start: 0,
            refusal: String::new(),
            deleted: vec![],
            next: 0,
        }
    }

    /// Writes values that do not compress, so many at once; returns how many were refused.
    fn write(&mut self, count: u64) -> usize {
        let numbers: Vec<u64> = (self.next..self.next + count).collect();
        self.next += count;
        let commands: Vec<Vec<Vec<u8>>> = numbers
            .iter()
            .map(|&n| vec![b"SET".to_vec(), key(n), value(n)])
            .collect();
        let replies = self
            .client
            .pipeline(&commands)
            .unwrap_or_else(|e| panic!("SET: {e}\n{}", self.server.log()));
        let before = self.refused.len();
        for (number, reply) in numbers.into_iter().zip(replies) {
            match reply {
                Value::Error(text) => {
                    self.refused.push(number);
                    self.refusal = text;
                }
                reply => {
                    assert!(reply.is_ok(), "SET answered {reply:?}");
                    self.acknowledged.push(number);
                }
            }
        }
        self.refused.len() - before
    }

    fn fill(&mut self) {
        let limit = self.next + VALUES_AT_MOST;
        while self.write(PIPELINE) == 0 {
            assert!(
                self.next < limit,
                "{} values fit where there is no room for them",
                self.acknowledged.len()
            );
        }
    }

    /// Writes may be refused or not, reads work, and what was refused is not seen.
    fn check_while_full(&mut self) {
        for _ in 0..WRITES_WHILE_FULL {
            self.write(1);
        }
        let (acknowledged, refused) = (self.acknowledged.len(), self.refused.len());
        println!(
            "full: {acknowledged} acknowledged, {refused} refused, the last with {:?}",
            self.refusal
        );
        assert_eq!(self.client.run(&["ECHO", "alive"]), Value::bulk("alive"));
        self.check_all("while full");
        self.check_refused_are_absent("while full");
        self.check_refusals_are_counted();
    }

    /// Also those that were replies of another kind until their commit failed.
    fn check_refusals_are_counted(&mut self) {
        let refused = self.refused.len() - self.refused_at_start;
        if refused == 0 {
            return;
        }
        let code = self.refusal.split(' ').next().unwrap_or_default();
        let counted = format!("errorstat_{code}:count={refused}\r\n");
        let shown = self.client.run(&["INFO", "stats", "errorstats"]);
        let shown = shown.text().expect("a text");
        assert!(shown.contains(&counted), "not {counted} in {shown}");
        let total = format!("total_error_replies:{refused}\r\n");
        assert!(shown.contains(&total), "not {total} in {shown}");
    }

    /// A start, too, needs no room for what is read.
    fn check_a_start_while_full(&mut self) {
        self.server.kill9();
        self.server.start_again();
        self.refused_at_start = self.refused.len();
        self.client = self.server.client();
        let size = self.client.run(&["DBSIZE"]).integer() as usize;
        assert_eq!(
            size,
            self.acknowledged.len(),
            "DBSIZE after a start on a full disk"
        );
        let keys = self.client.run(&["KEYS", "*"]);
        assert_eq!(keys.items().len(), size, "KEYS after a start on a full disk");
        self.check_while_full();
    }

    fn check_with_room(&mut self) {
        wait_for("writes to work again", WRITES_AGAIN_WITHIN, || {
            (self.write(1) == 0).then_some(())
        });
        assert_eq!(self.write(500), 0, "writes are refused though there is room");
        self.check_all("with room again");
        self.check_refused_are_absent("with room again");
        let size = self.client.run(&["DBSIZE"]).integer() as usize;
        assert_eq!(size, self.acknowledged.len(), "DBSIZE with room again");
    }

    /// Makes the store smaller, so that it can be filled once more.
    fn forget_half(&mut self) {
        let kept = self.acknowledged.len() / 2;
        let gone = self.acknowledged.split_off(kept);
        for chunk in gone.chunks(500) {
            let mut command = vec![b"DEL".to_vec()];
            command.extend(chunk.iter().map(|&number| key(number)));
            assert_eq!(self.client.run(&command), Value::Integer(chunk.len() as i64));
        }
        self.deleted.extend(gone);
    }

    fn check_after_restarts(&mut self) {
        self.server.kill9();
        self.server.start_again();
        self.client = self.server.client();
        self.check_all("after kill -9");
        self.server.restart();
        self.client = self.server.client();
        self.check_all("after a restart");
        let deleted = self.deleted.clone();
        self.check_absent(&deleted, "after a restart");
        assert_eq!(self.write(PIPELINE), 0, "writes are refused after a restart");
    }

    fn check_all(&mut self, when: &str) {
        for chunk in self.acknowledged.chunks(200) {
            let commands: Vec<Vec<Vec<u8>>> = chunk.iter().map(|&n| vec![b"GET".to_vec(), key(n)]).collect();
            let replies = self
                .client
                .pipeline(&commands)
                .unwrap_or_else(|e| panic!("GET {when}: {e}"));
            for (number, reply) in chunk.iter().zip(replies) {
                let right = reply == Value::Bulk(value(*number));
                let shown: String = format!("{reply:?}").chars().take(100).collect();
                assert!(right, "{when} acknowledged value {number} is {shown}");
            }
        }
    }

    fn check_refused_are_absent(&mut self, when: &str) {
        let refused = self.refused.clone();
        self.check_absent(&refused, when);
    }

    fn check_absent(&mut self, numbers: &[u64], when: &str) {
        let commands: Vec<Vec<Vec<u8>>> = numbers
            .iter()
            .map(|&n| vec![b"EXISTS".to_vec(), key(n)])
            .collect();
        let replies = self
            .client
            .pipeline(&commands)
            .unwrap_or_else(|e| panic!("EXISTS {when}: {e}"));
        for (number, reply) in numbers.iter().zip(replies) {
            assert_eq!(
                reply,
                Value::Integer(0),
                "{when} value {number} is seen though it was refused or deleted"
            );
        }
    }
}

fn key(number: u64) -> Vec<u8> {
    format!("key:{number}").into()
}

fn value(number: u64) -> Vec<u8> {
    Rng::new(number).bytes(VALUE_SIZE)
}

/// Takes all the room but [`ROOM`].
fn write_ballast(path: &Path) -> io::Result<()> {
    let mut file = File::create(path)?;
    let size = free_bytes(path)?.saturating_sub(ROOM);
    io::copy(&mut io::Read::take(io::repeat(1), size), &mut file)?;
    Ok(())
}

fn free_bytes(path: &Path) -> io::Result<u64> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    // SAFETY: a statvfs of zeros is a valid one, and the call fills it from a path that ends in NUL.
    let (result, figures) = unsafe {
        let mut figures: libc::statvfs = std::mem::zeroed();
        (libc::statvfs(path.as_ptr(), &mut figures), figures)
    };
    if result == 0 {
        Ok(figures.f_bavail * figures.f_frsize)
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Mounts a tmpfs that only this thread and its children see.
fn mount_tmpfs(dir: &Path, bytes: u64) -> io::Result<()> {
    let path = CString::new(dir.as_os_str().as_bytes())?;
    let options = CString::new(format!("size={bytes}"))?;
    let check = |result| {
        if result == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    };
    // SAFETY: all strings end in NUL and outlive the calls; null stands for what a call does not use.
    unsafe {
        check(libc::unshare(libc::CLONE_NEWNS))?;
        let everything = libc::MS_REC | libc::MS_PRIVATE;
        let null = std::ptr::null();
        check(libc::mount(null, c"/".as_ptr(), null, everything, null.cast()))?;
        check(libc::mount(
            c"tmpfs".as_ptr(),
            path.as_ptr(),
            c"tmpfs".as_ptr(),
            0,
            options.as_ptr().cast(),
        ))
    }
}
