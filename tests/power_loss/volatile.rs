//! A disk that forgets what was not synced.
//!
//! The server runs with `witness.c` preloaded, which writes down each fsync. After `kill -9`, [`Volatile::lose_power`] makes
//! the data directory what a loss of power could leave at worst: the names that the directory had when it was last synced,
//! each file as long as it was when it was last synced. How much more than that survives is a matter of luck, see [`Luck`].

use crate::support::Rng;
use crate::support::server::Setup;
use std::collections::{BTreeMap, HashMap};
use std::fs::{self, DirEntry};
use std::os::unix::fs::{DirEntryExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

const WITNESS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/power_loss/witness.c");

/// What survives of that which was not synced.
#[derive(Clone, Copy, Debug)]
pub enum Luck {
    /// Nothing: no byte, no new name, and what was deleted is back.
    None,
    /// Of each file's end some bytes, and every deletion.
    Some,
}

/// Names and lengths that are safe, by inode.
#[derive(Default)]
struct Durable {
    names: BTreeMap<String, u64>,
    lengths: HashMap<u64, u64>,
}

pub struct Volatile {
    home: TempDir,
    /// As of the start of the server.
    durable: Durable,
}

impl Volatile {
    /// Compiles the witness. The C compiler is there wherever RocksDB could be built.
    pub fn new() -> Volatile {
        let home = TempDir::with_prefix("redkeep-power-").expect("a temporary directory");
        let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
        let output = Command::new(compiler)
            .args([
                "-Wall", "-Wextra", "-Werror", "-O1", "-shared", "-fPIC", WITNESS, "-o",
            ])
            .arg(home.path().join("witness.so"))
            .output()
            .expect("a C compiler");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let volatile = Volatile {
            home,
            durable: Durable::default(),
        };
        fs::create_dir_all(volatile.data()).expect("a data directory");
        fs::create_dir_all(volatile.kept()).expect("a directory for deleted files");
        volatile
    }

    pub fn setup(&self, setup: Setup) -> Setup {
        setup
            .data(&self.data())
            .environment("LD_PRELOAD", self.home.path().join("witness.so"))
            .environment("REDKEEP_WITNESS_JOURNAL", self.journal())
            .environment("REDKEEP_WITNESS_KEPT", self.kept())
    }

    pub fn data(&self) -> PathBuf {
        self.home.path().join("data")
    }

    fn kept(&self) -> PathBuf {
        self.home.path().join("kept")
    }

    fn journal(&self) -> PathBuf {
        self.home.path().join("journal")
    }

    /// Call when the server was killed, before it is started again. Returns how many bytes went.
    pub fn lose_power(&mut self, luck: Luck, rng: &mut Rng) -> u64 {
        self.read_journal();
        let current: Vec<DirEntry> = entries(&self.data());
        let is_deleted = |name: &String| current.iter().all(|entry| entry.file_name() != name.as_str());
        if let Luck::Some = luck {
            self.durable.names.retain(|name, _| !is_deleted(name));
        }
        let mut files: HashMap<u64, PathBuf> = HashMap::new();
        for entry in current.iter().chain(&entries(&self.kept())) {
            files.insert(entry.ino(), entry.path());
        }
        let after = self.home.path().join("after");
        fs::create_dir(&after).expect("a new directory");
        let mut lost = 0;
        for (name, inode) in &self.durable.names {
            let from = files.get(inode).unwrap_or_else(|| panic!("{name} is gone"));
            let mut bytes = fs::read(from).expect("a readable file");
            let synced = self
                .durable
                .lengths
                .get(inode)
                .map_or(0, |&length| length as usize);
            let survives = match luck {
                Luck::None => synced,
                Luck::Some => rng.between(synced as i64, bytes.len().max(synced) as i64) as usize,
            };
            lost += bytes.len().saturating_sub(survives) as u64;
            bytes.truncate(survives);
            if name == "STORE" {
                note_another_boot(&mut bytes);
            }
            fs::write(after.join(name), bytes).expect("a writable file");
        }
        self.start_over(&after);
        lost
    }

    /// What the last power loss left is all there is, and all of it is safe.
    fn start_over(&mut self, after: &Path) {
        for dir in [self.data(), self.kept()] {
            fs::remove_dir_all(dir).expect("a directory of ours");
        }
        fs::rename(after, self.data()).expect("a directory of ours");
        fs::create_dir(self.kept()).expect("a new directory");
        fs::remove_file(self.journal()).expect("the server synced something");
        self.durable = Durable::default();
        for entry in entries(&self.data()) {
            let name = entry.file_name().to_string_lossy().into_owned();
            let length = entry.metadata().expect("metadata").len();
            self.durable.names.insert(name, entry.ino());
            self.durable.lengths.insert(entry.ino(), length);
        }
    }

    /// Takes in what the witness wrote: see there for the lines.
    fn read_journal(&mut self) {
        let journal = fs::read_to_string(self.journal()).expect("the witness's journal");
        let data = fs::metadata(self.data()).expect("a data directory").ino();
        for line in journal
            .split_inclusive('\n')
            .filter_map(|line| line.strip_suffix('\n'))
        {
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                ["F", inode, length] => {
                    let synced = self.durable.lengths.entry(number(inode)).or_default();
                    *synced = number(length).max(*synced);
                }
                ["D", inode, ..] if number(inode) != data => {}
                ["D", _, ref names @ ..] => {
                    let split = |entry: &&str| {
                        let (name, inode) = entry.rsplit_once(':').expect("name:inode");
                        (name.to_owned(), number(inode))
                    };
                    self.durable.names = names.iter().map(split).collect();
                }
                _ => panic!("a line of the witness: {line:?}"),
            }
        }
    }
}

/// The machine was started again: what a store's file says of it (`src/disk/identity.rs`) is no longer so.
fn note_another_boot(file: &mut [u8]) {
    for slot in file.chunks_mut(512) {
        let (said, checksum) = slot.split_at_mut(508);
        said[32..48].fill(0);
        checksum.copy_from_slice(&crc32c::crc32c(said).to_be_bytes());
    }
}

fn entries(dir: &Path) -> Vec<DirEntry> {
    let entries = fs::read_dir(dir).expect("a directory of ours");
    entries.map(|entry| entry.expect("an entry")).collect()
}

fn number(digits: &str) -> u64 {
    digits.parse().expect("a number")
}
