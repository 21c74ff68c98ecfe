//! Every kind of file of a store, damaged in every way: the start refuses it and touches nothing, or nothing is lost that
//! was on stable storage, or what is lost is an error for who reads it and a fault for `redkeep-tool check`.
//!
//! `REDKEEP_DAMAGE_CASES=2000` tries more than the few hundred of each run, `REDKEEP_DAMAGE_SEED` others.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use tempfile::TempDir;

use super::format::{Family, RecordKey};
use super::{Compression, Creation, Disk, DiskOptions, Durability, OpenError, Patience};
use crate::base::random::Random;

/// Commits of a store: up to which each checkpoint goes, up to where an older copy has them, and what is on stable storage.
const COMMITS: u64 = 400;
const CHECKPOINT_EACH: u64 = 100;
const OLDER: u64 = 250;
const SYNCED: u64 = 350;
const CASES: u64 = 300;
const SEED: u64 = 1;

type Files = BTreeMap<String, Vec<u8>>;

fn options() -> DiskOptions {
    DiskOptions {
        write_buffer: 1 << 20,
        block_cache: 1 << 20,
        background_jobs: 1,
        compression: Compression::Lz4,
        open_tables: u64::MAX,
    }
}

fn key(commit: u64) -> RecordKey {
    RecordKey::meta(1, format!("key{commit}").as_bytes())
}

fn value(store: u8, commit: u64) -> Vec<u8> {
    let mut value = vec![store; 4000];
    value[..8].copy_from_slice(&Random::from_seed(commit).next_u64().to_be_bytes());
    value.extend_from_slice(&commit.to_be_bytes());
    value
}

/// The files of a directory: what `kill -9` leaves, if a process has the store open.
fn files(dir: &Path) -> Files {
    loop {
        // RocksDB removes files in the background.
        if let Ok(files) = try_files(dir) {
            return files;
        }
    }
}

fn try_files(dir: &Path) -> io::Result<Files> {
    let mut files = Files::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            let name = entry.file_name().to_string_lossy().into_owned();
            files.insert(name, fs::read(entry.path())?);
        }
    }
    Ok(files)
}

fn lay_out(files: &Files) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        fs::write(dir.path().join(name), bytes).unwrap();
    }
    dir
}

/// A store as it was some time ago, and as it is.
fn make(store: u8) -> (Files, Files) {
    let dir = tempfile::tempdir().unwrap();
    let disk = Disk::open(dir.path(), &options(), &Creation::default()).unwrap();
    let mut older = Files::new();
    for commit in 1..=COMMITS {
        let mut batch = disk.journaled_batch(0).unwrap();
        batch.put(&key(commit), &value(store, commit));
        batch.put(&RecordKey::tree(1, commit % 7), &value(store, commit));
        // Of a family that is not journaled.
        batch.put(&RecordKey::expire(commit, 1, b"key"), b"");
        disk.write(batch.finish(), Durability::Written, Patience::Wait)
            .unwrap();
        if commit.is_multiple_of(CHECKPOINT_EACH) && commit < COMMITS {
            disk.checkpoint_all().unwrap();
        }
        if commit == OLDER || commit == SYNCED {
            // The second time a length that has not changed is noted.
            disk.sync().unwrap();
            disk.sync().unwrap();
        }
        if commit == OLDER {
            older = files(dir.path());
        }
    }
    (older, files(dir.path()))
}

/// A store, and which of its logs has all of the last commits but a few: how they are divided differs from run to run.
fn make_with_long_log() -> (Files, String) {
    loop {
        let (_, files) = make(1);
        let is_long = |(name, bytes): &(&String, &Vec<u8>)| kind(name) == "log" && bytes.len() > 500_000;
        if let Some(log) = files.iter().rfind(is_long).map(|(name, _)| name.clone()) {
            return (files, log);
        }
    }
}

fn pick<'i, T>(items: &'i [T], random: &mut Random) -> &'i T {
    &items[random.below(items.len() as u64) as usize]
}

const WAYS: [&str; 8] = [
    "missing",
    "empty",
    "cut",
    "flipped",
    "zeroed",
    "another store's",
    "an older copy",
    "exchanged",
];

/// What a file is, by its name.
fn kind(name: &str) -> &str {
    match name.rsplit_once('.') {
        Some((_, extension @ ("log" | "sst"))) => extension,
        _ => name.split('-').next().unwrap_or(name),
    }
}

/// Damages one file. Returns what was done, or `None` if that way does not change the file.
fn damage(present: &mut Files, older: &Files, other: &Files, random: &mut Random) -> Option<String> {
    let kinds: Vec<String> = present.keys().map(|name| kind(name).to_owned()).collect();
    let wanted = pick(&kinds, random).clone();
    let names: Vec<String> = present
        .keys()
        .filter(|name| kind(name) == wanted)
        .cloned()
        .collect();
    let name = pick(&names, random).clone();
    let way = *pick(&WAYS, random);
    let bytes = present[&name].clone();
    let same_kind = |files: &Files, random: &mut Random| {
        let names: Vec<String> = files
            .keys()
            .filter(|name| kind(name) == wanted)
            .cloned()
            .collect();
        (!names.is_empty()).then(|| files[pick(&names, random)].clone())
    };
    let len = bytes.len() as u64;
    let new = match way {
        "missing" => {
            present.remove(&name);
            return Some(format!("{name} {way}"));
        }
        "empty" => Vec::new(),
        "cut" => bytes[..random.below(len.max(1)) as usize].to_vec(),
        "flipped" if len > 0 => {
            let mut bytes = bytes.clone();
            bytes[random.below(len) as usize] ^= 1 << random.below(8);
            bytes
        }
        "zeroed" if len > 0 => {
            let mut bytes = bytes.clone();
            let at = random.below(len) as usize;
            let end = bytes.len().min(at + 4096);
            bytes[at..end].fill(0);
            bytes
        }
        "another store's" => other.get(&name).cloned().or_else(|| same_kind(other, random))?,
        "an older copy" => older.get(&name).cloned().or_else(|| same_kind(older, random))?,
        "exchanged" => {
            let with = pick(&names, random).clone();
            let theirs = present[&with].clone();
            present.insert(with, bytes.clone());
            theirs
        }
        _ => return None,
    };
    let is_changed = new != bytes;
    present.insert(name.clone(), new);
    is_changed.then(|| format!("{name} {way}"))
}

/// What came of a case.
#[derive(PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Outcome {
    Refused,
    Whole,
    /// Readers get errors, and a check says why.
    Loud,
}

fn try_case(what: &str, damaged: &Files) -> Outcome {
    let dir = lay_out(damaged);
    let disk = match Disk::open(dir.path(), &options(), &Creation::default()) {
        Ok(disk) => disk,
        Err(error) => {
            assert!(!matches!(error, OpenError::InUse(_)), "{what}: {error}");
            assert!(
                files(dir.path()) == *damaged,
                "{what}: refused ({error}), and changed"
            );
            return Outcome::Refused;
        }
    };
    let mut is_loud = false;
    for commit in 1..=SYNCED {
        match disk.get(&key(commit)) {
            Ok(found) => assert!(found == Some(value(1, commit)), "{what}: commit {commit} is lost"),
            Err(_) => is_loud = true,
        }
        match disk.get(&RecordKey::expire(commit, 1, b"key")) {
            Ok(found) => assert!(found.is_some(), "{what}: a deadline of commit {commit} is lost"),
            Err(_) => is_loud = true,
        }
    }
    drop(disk);
    if !is_loud {
        return Outcome::Whole;
    }
    let untouched = lay_out(damaged);
    if let Ok((disk, lost)) = Disk::open_to_read(untouched.path(), &options()) {
        let fault = disk.verify().map(|verified| verified.fault);
        assert!(
            !lost.faults.is_empty() || !matches!(fault, Ok(None)),
            "{what}: a check sees nothing"
        );
    }
    Outcome::Loud
}

#[test]
fn a_damaged_store_is_refused_untouched_or_loses_nothing_silently() {
    let number = |name: &str, default| std::env::var(name).map_or(default, |text| text.parse().unwrap());
    let mut random = Random::from_seed(number("REDKEEP_DAMAGE_SEED", SEED));
    let (older, present) = make(1);
    let (_, other) = make(2);
    assert_eq!(try_case("nothing", &present), Outcome::Whole);
    let mut outcomes = BTreeMap::new();
    for _ in 0..number("REDKEEP_DAMAGE_CASES", CASES) {
        let mut damaged = present.clone();
        if let Some(what) = damage(&mut damaged, &older, &other, &mut random) {
            let outcome = try_case(&what, &damaged);
            println!("{what}: {outcome:?}");
            *outcomes.entry(outcome).or_insert(0) += 1;
        }
    }
    println!("{outcomes:?}");
    assert!(outcomes[&Outcome::Refused] > 0 && outcomes[&Outcome::Whole] > 0);
}

#[test]
fn a_store_without_its_current_file_is_refused_each_time_and_kept() {
    let (_, mut present) = make(1);
    present.remove("CURRENT");
    for without_logs in [false, true] {
        if without_logs {
            present.retain(|name, _| !name.ends_with(".log"));
        }
        let dir = lay_out(&present);
        for _ in 0..3 {
            let refused = Disk::open(dir.path(), &options(), &Creation::default());
            assert!(matches!(refused, Err(OpenError::Damaged(_))));
            assert!(files(dir.path()) == present);
        }
    }
}

#[test]
fn a_store_whose_making_was_broken_off_is_made_again() {
    let made = {
        let dir = tempfile::tempdir().unwrap();
        drop(Disk::open(dir.path(), &options(), &Creation::default()).unwrap());
        files(dir.path())
    };
    let dir = lay_out(&made);
    let mut notes = super::Notes::of(super::identity::Identity::new());
    notes
        .begin(dir.path(), super::identity::State::BeingMade)
        .unwrap();
    fs::remove_file(dir.path().join("CURRENT")).unwrap();
    let disk = Disk::open(dir.path(), &options(), &Creation::default()).unwrap();
    assert!(disk.get(&RecordKey::format()).unwrap().is_some());
    // A first file that was not finished is no store either.
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("STORE"), b"redk").unwrap();
    Disk::open(dir.path(), &options(), &Creation::default()).unwrap();
}

#[test]
fn no_store_is_made_where_one_is_required() {
    let dir = tempfile::tempdir().unwrap();
    let creation = Creation {
        is_refused: true,
        ..Creation::default()
    };
    for dir in [dir.path().to_owned(), dir.path().join("not-there")] {
        assert!(matches!(
            Disk::open(&dir, &options(), &creation),
            Err(OpenError::Absent(_))
        ));
        assert!(!dir.join("STORE").exists());
    }
    assert!(files(dir.path()).is_empty());
}

#[test]
fn losses_that_are_accepted_leave_a_store_that_goes_on() {
    let (mut present, log) = make_with_long_log();
    // In the middle of what was synced.
    let middle = present[&log].len() / 2;
    present.get_mut(&log).unwrap()[middle] ^= 1;
    let dir = lay_out(&present);
    assert!(matches!(
        Disk::open(dir.path(), &options(), &Creation::default()),
        Err(OpenError::Damaged(_))
    ));
    let (_, faults) = Disk::accept_losses(dir.path(), &options()).unwrap();
    assert!(!faults.is_empty());
    let disk = Disk::open(dir.path(), &options(), &Creation::default()).unwrap();
    let kept = (1..=COMMITS)
        .take_while(|&commit| disk.get(&key(commit)).unwrap().is_some())
        .count() as u64;
    assert!((CHECKPOINT_EACH..COMMITS).contains(&kept), "{kept}");
    let mut batch = disk.journaled_batch(0).unwrap();
    batch.put(&key(COMMITS + 1), b"new");
    disk.write(batch.finish(), Durability::Synced, Patience::Wait)
        .unwrap();
    drop(disk);
    let disk = Disk::open(dir.path(), &options(), &Creation::default()).unwrap();
    assert_eq!(disk.get(&key(COMMITS + 1)).unwrap(), Some(b"new".to_vec()));
}

#[test]
fn checking_a_store_changes_nothing() {
    let (_, present) = make(1);
    let dir = lay_out(&present);
    let (disk, lost) = Disk::open_to_read(dir.path(), &options()).unwrap();
    assert!(lost.faults.is_empty() && lost.with_power.is_empty());
    assert!(disk.verify().unwrap().fault.is_none());
    for commit in 1..=COMMITS {
        // Of the journal, too.
        assert_eq!(disk.get(&key(commit)).unwrap(), Some(value(1, commit)));
    }
    let walked = disk.with_view(|view| {
        let mut walk = view.walk(Family::Meta, b"", None).unwrap();
        std::iter::from_fn(|| walk.next_record().unwrap().map(|(key, _)| key.to_vec())).collect::<Vec<_>>()
    });
    assert_eq!(walked.len() as u64, COMMITS);
    assert!(walked.is_sorted());
    drop(disk);
    assert!(files(dir.path()) == present);
}

#[test]
fn what_a_loss_of_power_takes_is_no_fault() {
    let (mut present, log) = make_with_long_log();
    // Behind what was synced.
    let late = present[&log].len() * 9 / 10;
    present.get_mut(&log).unwrap()[late] ^= 1;
    let dir = lay_out(&present);
    let (_, lost) = Disk::open_to_read(dir.path(), &options()).unwrap();
    assert!(!lost.faults.is_empty() && lost.with_power.is_empty());
    // The machine was started again (`identity.rs`).
    for slot in present.get_mut("STORE").unwrap().chunks_mut(512) {
        let (said, checksum) = slot.split_at_mut(508);
        said[32..48].fill(0);
        checksum.copy_from_slice(&crc32c::crc32c(said).to_be_bytes());
    }
    let dir = lay_out(&present);
    let (disk, lost) = Disk::open_to_read(dir.path(), &options()).unwrap();
    assert!(lost.faults.is_empty() && !lost.with_power.is_empty());
    drop(disk);
    let disk = Disk::open(dir.path(), &options(), &Creation::default()).unwrap();
    assert!((1..=SYNCED).all(|commit| disk.get(&key(commit)).unwrap().is_some()));
}
