//! The loss of power: what was not fsynced goes. With `appendfsync always` that is nothing that was acknowledged, with
//! `everysec` the last moments, with `no` more; and what is left is always what some first commands of each client gave,
//! no MSET torn, the families of the store agreeing with each other.
//!
//! `REDKEEP_POWER_LOSS_ROUNDS=50` runs more rounds than the three that try each `appendfsync` once.

mod volatile;

use crate::support::server::Setup;
use crate::support::writer::{Writer, verify};
use crate::support::{Kind, Rng, Server, Value, env_number, heavy};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use volatile::{Luck, Volatile};

const WRITERS: usize = 4;
/// Between two pipelines of a writer, so that the load lasts for several syncs of `everysec`.
const PAUSE: Duration = Duration::from_millis(2);
/// How often the writers' progress is noted.
const NOTED_EVERY: Duration = Duration::from_millis(50);
/// What `everysec` may lose: a second, and the time that a sync takes on a machine that is busy with tests.
const EVERYSEC_LOSS: Duration = Duration::from_secs(3);
/// How long the writers write: for `everysec` longer than that.
const ROUND_MS: (i64, i64) = (500, 1500);
const EVERYSEC_ROUND_MS: (i64, i64) = (4000, 5000);
/// Small enough for memtables to be written out in a round.
const MEMORY: &str = "16mb";
const MODES: [&str; 3] = ["always", "everysec", "no"];

#[test]
fn no_more_is_lost_than_appendfsync_allows() {
    if Setup::new(Kind::Redkeep, &[]).is_redis() {
        return;
    }
    let _turn = heavy();
    let rounds = env_number("REDKEEP_POWER_LOSS_ROUNDS", 3) as usize;
    let mut course = Rng::new(env_number("REDKEEP_POWER_LOSS_SEED", 1));
    let flags = |round: usize| ["--appendfsync", MODES[round % MODES.len()], "--maxmemory", MEMORY];
    let mut disk = Volatile::new();
    let mut server = disk.setup(Setup::new(Kind::Redkeep, &flags(0))).start();
    let mut writers: Vec<Writer> = (0..WRITERS)
        .map(|number| Writer::paced(number, course.next(), PAUSE))
        .collect();
    for round in 0..rounds {
        let mode = MODES[round % MODES.len()];
        let (shortest, longest) = if mode == "everysec" {
            EVERYSEC_ROUND_MS
        } else {
            ROUND_MS
        };
        let length = Duration::from_millis(course.between(shortest, longest) as u64);
        let progress = write_until_killed(&mut server, &mut writers, length);
        let luck = *course.pick(&[Luck::None, Luck::Some]);
        let bytes = disk.lose_power(luck, &mut course);
        assert_families_agree(&disk.data());
        server.set_flags(&flags(round + 1));
        server.start_again();
        let acknowledged: Vec<usize> = writers.iter().map(Writer::acknowledged).collect();
        let must_be_kept = if mode == "always" {
            acknowledged.clone()
        } else {
            vec![0; WRITERS]
        };
        let kept = verify(&server, &mut writers, &must_be_kept);
        let time = progress.lost(&kept);
        let total: usize = acknowledged.iter().sum();
        let lost: usize = acknowledged
            .iter()
            .zip(&kept)
            .map(|(a, k)| a.saturating_sub(*k))
            .sum();
        println!(
            "round {round} ({mode}, {luck:?}): {bytes} bytes lost, and {lost} of {total} acknowledged commands, \
             of the last {time:.1?}"
        );
        assert!(total > 0, "no command was acknowledged\n{}", server.log());
        assert!(
            mode != "everysec" || time < EVERYSEC_LOSS,
            "everysec lost {time:?}"
        );
    }
}

/// The simulation itself: what is not synced does go, and what is synced by a command stays.
#[test]
fn an_unsynced_write_is_lost_and_a_synced_one_is_not() {
    if Setup::new(Kind::Redkeep, &[]).is_redis() {
        return;
    }
    let mut disk = Volatile::new();
    let mut server = disk
        .setup(Setup::new(Kind::Redkeep, &["--appendfsync", "no"]))
        .start();
    server.client().ok(&["SET", "lost", "v"]);
    server.kill9();
    assert!(disk.lose_power(Luck::None, &mut Rng::new(1)) > 0);
    server.start_again();
    let mut client = server.client();
    assert_eq!(client.run(&["GET", "lost"]), Value::Nil);
    client.ok(&["SET", "saved", "v"]);
    client.ok(&["SAVE"]);
    client.ok(&["SET", "lost", "w"]);
    client.ok(&["CONFIG", "SET", "appendfsync", "always"]);
    client.ok(&["SET", "synced", "v"]);
    client.ok(&["CONFIG", "SET", "appendfsync", "no"]);
    client.ok(&["SET", "late", "v"]);
    server.kill9();
    disk.lose_power(Luck::None, &mut Rng::new(1));
    server.start_again();
    let kept = server.client().run(&["MGET", "saved", "lost", "synced", "late"]);
    let expected = ["v", "w", "v"].map(Value::bulk);
    assert_eq!(kept.items(), [&expected[..], &[Value::Nil]].concat());
}

/// When each writer had come how far.
struct Progress {
    noted: Vec<(Instant, Vec<usize>)>,
    killed: Instant,
}

impl Progress {
    /// How long before the end everything was kept that had been acknowledged until then.
    fn lost(&self, kept: &[usize]) -> Duration {
        let is_kept = |counts: &[usize]| counts.iter().zip(kept).all(|(count, kept)| count <= kept);
        let last = self.noted.iter().rev().find(|(_, counts)| is_kept(counts));
        last.map_or(Duration::MAX, |(time, _)| self.killed - *time)
    }
}

/// Lets the writers write for so long, and kills the server.
fn write_until_killed(server: &mut Server, writers: &mut [Writer], length: Duration) -> Progress {
    let address = server.address();
    let counters: Vec<Arc<AtomicUsize>> = writers.iter().map(Writer::progress).collect();
    let counts = || counters.iter().map(|c| c.load(Ordering::Relaxed)).collect();
    thread::scope(|scope| {
        for writer in writers.iter_mut() {
            scope.spawn(move || writer.write_until_disconnected(address));
        }
        let start = Instant::now();
        let mut noted = Vec::new();
        while start.elapsed() < length {
            noted.push((Instant::now(), counts()));
            thread::sleep(NOTED_EVERY);
        }
        noted.push((Instant::now(), counts()));
        server.kill9();
        Progress {
            noted,
            killed: Instant::now(),
        }
    })
}

/// Has `redkeep-tool check` look at a copy: it opens the store, which repairs what the server is to find.
fn assert_families_agree(data: &Path) {
    let copy = TempDir::with_prefix("redkeep-power-").expect("a temporary directory");
    for entry in std::fs::read_dir(data).expect("a data directory") {
        let entry = entry.expect("an entry");
        std::fs::copy(entry.path(), copy.path().join(entry.file_name())).expect("a copy");
    }
    let check = Command::new(env!("CARGO_BIN_EXE_redkeep-tool"))
        .arg("check")
        .arg(copy.path())
        .output()
        .expect("redkeep-tool");
    let said = String::from_utf8_lossy(&check.stdout) + String::from_utf8_lossy(&check.stderr);
    assert!(check.status.success(), "{said}");
}
