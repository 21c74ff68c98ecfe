//! The loss of power: what was not fsynced goes. With `appendfsync always` that is nothing that was acknowledged, with
//! `everysec` the last moments, with `no` more; and what is left is always what some first commands of each client gave,
//! no MSET torn, the families of the store agreeing with each other.
//!
//! `REDKEEP_POWER_LOSS_ROUNDS=50` runs more rounds than the three that try each `appendfsync` once.

mod volatile;

use crate::support::server::Setup;
use crate::support::store::{check_store, copy_store};
use crate::support::writer::{Writer, verify};
use crate::support::{Client, Kind, Rng, Server, Value, env_number, heavy};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use volatile::{Luck, Volatile};

const WRITERS: usize = 4;
/// Between two pipelines of a client, so that the load lasts for several syncs of `everysec`.
const PAUSE: Duration = Duration::from_millis(2);
/// How often the writers' progress is noted.
const NOTED_EVERY: Duration = Duration::from_millis(20);
/// What `everysec` may lose: a second, and the time that a sync takes on a machine that is busy with tests.
const EVERYSEC_LOSS: Duration = Duration::from_secs(3);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mode {
    Always,
    EverySec,
    No,
}

impl Mode {
    const ALL: [Mode; 3] = [Mode::Always, Mode::EverySec, Mode::No];

    fn appendfsync(self) -> &'static str {
        match self {
            Mode::Always => "always",
            Mode::EverySec => "everysec",
            Mode::No => "no",
        }
    }
}

/// How one round goes.
#[derive(Debug)]
struct Round {
    mode: Mode,
    /// With little memory, memtables are written out all the time, and their logs synced: much happens on disk. With much,
    /// only `appendfsync` brings anything there.
    memory: &'static str,
    length: Duration,
    luck: Luck,
}

impl Round {
    fn draw(number: usize, course: &mut Rng) -> Round {
        let mode = Mode::ALL[number % Mode::ALL.len()];
        let (memory, milliseconds) = match mode {
            // Longer than what may be lost.
            Mode::EverySec => ("2gb", course.between(4000, 5000)),
            Mode::Always | Mode::No => (*course.pick(&["16mb", "2gb"]), course.between(500, 1500)),
        };
        Round {
            mode,
            memory,
            length: Duration::from_millis(milliseconds as u64),
            luck: *course.pick(&[Luck::None, Luck::Some]),
        }
    }

    fn flags(&self) -> [&'static str; 6] {
        [
            "--appendfsync",
            self.mode.appendfsync(),
            "--maxmemory",
            self.memory,
            // A memtable may take this much, if it is no more than its share of the memory.
            "--rocksdb-write-buffer-size",
            "128mb",
        ]
    }
}

#[test]
fn no_more_is_lost_than_appendfsync_allows() {
    if Setup::new(Kind::Redkeep, &[]).is_redis() {
        return;
    }
    let _turn = heavy();
    let rounds = env_number("REDKEEP_POWER_LOSS_ROUNDS", 3) as usize;
    let mut course = Rng::new(env_number("REDKEEP_POWER_LOSS_SEED", 1));
    let mut disk = Volatile::new();
    let mut round = Round::draw(0, &mut course);
    let setup = Setup::new(Kind::Redkeep, &round.flags());
    let mut server = disk.setup(setup).start();
    let mut writers: Vec<Writer> = (0..WRITERS)
        .map(|number| Writer::paced(number, course.next(), PAUSE))
        .collect();
    for number in 0..rounds {
        let progress = write_until_killed(&mut server, &mut writers, round.length, course.next());
        let bytes = disk.lose_power(round.luck, &mut course);
        println!("{number}: {round:?}, {bytes} bytes lost");
        assert_families_agree(&disk.data());
        let next = Round::draw(number + 1, &mut course);
        server.set_flags(&next.flags());
        server.start_again();
        check_loss(&round, &server, &mut writers, &progress);
        round = next;
    }
}

fn check_loss(round: &Round, server: &Server, writers: &mut [Writer], progress: &Progress) {
    let acknowledged: Vec<usize> = writers.iter().map(Writer::acknowledged).collect();
    let must_be_kept = match round.mode {
        Mode::Always => acknowledged.clone(),
        Mode::EverySec | Mode::No => vec![0; writers.len()],
    };
    let kept = verify(server, writers, &must_be_kept);
    let time = progress.lost(&kept);
    let total: usize = acknowledged.iter().sum();
    let lost: usize = acknowledged
        .iter()
        .zip(&kept)
        .map(|(a, k)| a.saturating_sub(*k))
        .sum();
    println!("   {lost} of {total} acknowledged commands lost, all from the last {time:.1?}");
    assert!(total > 0, "no command was acknowledged\n{}", server.log());
    assert!(
        round.mode != Mode::EverySec || time < EVERYSEC_LOSS,
        "everysec lost {time:?}"
    );
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
fn write_until_killed(server: &mut Server, writers: &mut [Writer], length: Duration, seed: u64) -> Progress {
    let address = server.address();
    let counters: Vec<Arc<AtomicUsize>> = writers.iter().map(Writer::progress).collect();
    let counts = || counters.iter().map(|c| c.load(Ordering::Relaxed)).collect();
    thread::scope(|scope| {
        for writer in writers.iter_mut() {
            scope.spawn(move || writer.write_until_disconnected(address));
        }
        scope.spawn(move || stir(address, Rng::new(seed)));
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

/// Writes to a database of its own what touches several families at once: deadlines, long strings, what is reclaimed.
/// Whether they agree afterwards is for [`assert_families_agree`]. Ends when it is disconnected.
fn stir(address: SocketAddr, mut rng: Rng) {
    let Ok(mut client) = Client::connect(address) else {
        return;
    };
    client.ok(&["SELECT", "1"]);
    loop {
        let commands: Vec<Vec<String>> = (0..16).map(|_| stirring_command(&mut rng)).collect();
        // The replies are of no interest: a RENAME of a key that is not there is an error, rightly.
        if client.pipeline(&commands).is_err() {
            return;
        }
        thread::sleep(PAUSE);
    }
}

fn stirring_command(rng: &mut Rng) -> Vec<String> {
    let mut key = || format!("key{}", rng.below(50));
    let (key, other) = (key(), key());
    let number = rng.below(60_000);
    let line = match rng.below(100) {
        0..30 => format!("SETRANGE {key} {number} {number}"),
        30..40 => format!("SET {key} {number}"),
        40..50 => format!("SET {key} {number} PX {}", 1 + number / 10),
        50..65 => format!("PEXPIRE {key} {number}"),
        65..70 => format!("PERSIST {key}"),
        70..80 => format!("DEL {key} {other}"),
        80..88 => format!("RENAME {key} {other}"),
        88..96 => format!("COPY {key} {other} REPLACE"),
        96..98 => "SWAPDB 1 2".to_owned(),
        _ => "FLUSHDB".to_owned(),
    };
    line.split(' ').map(str::to_owned).collect()
}

/// Checks a copy: checking opens the store, which repairs what the server is to find.
fn assert_families_agree(data: &Path) {
    let copy = TempDir::with_prefix("redkeep-power-").expect("a temporary directory");
    copy_store(data, copy.path(), |_| true);
    check_store(copy.path());
}
