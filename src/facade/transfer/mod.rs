//! `redkeep-tool`'s ways in and out of a store, and from one format to another: whatever is read is a stream of items, and whatever
//! is written takes one.
//!
//! ```text
//! source.rs: store | RDB | JSON lines | commands | AOF -> items -> dump.rs: RDB | JSON lines | commands
//!                                                               -> load.rs, restore.rs: store
//!                                                               -> diff.rs: digests
//! ```

mod diff;
mod digest;
mod dump;
mod engine;
mod load;
mod restore;
mod source;
mod stat;
mod streams;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::rdb::Kind;
use crate::store::Stop;

pub use diff::{Difference, Differences, diff};
pub use dump::{DumpFormat, Dumped, dump};
pub use restore::{RestoreOptions, Restored, restore};
pub use stat::{Bar, BiggestKey, DatabaseStat, Level, PrefixStat, Stat, StatOptions, Sums, TypeStat, stat};
pub use streams::{Compression, create};

/// What somebody has ended, who is asked for it: by a signal.
pub const INTERRUPTED: &str = "it was interrupted";

/// How far something has come: told while it runs, and asked to end.
#[derive(Default)]
pub struct Progress {
    /// Keys that are through.
    pub keys: AtomicU64,
    /// How many there will be; 0 where nobody knows.
    pub keys_expected: AtomicU64,
    /// Bytes that were read of a file.
    pub bytes: AtomicU64,
    /// How many it has; 0 where nobody knows.
    pub bytes_expected: AtomicU64,
    /// Set by who wants it to end: it does so soon, and leaves nothing half done.
    pub stop: AtomicBool,
}

impl Progress {
    fn note_key(&self) -> Result<(), String> {
        self.keys.fetch_add(1, Ordering::Relaxed);
        self.goes_on()
    }

    /// An error once it is to end.
    fn goes_on(&self) -> Result<(), String> {
        match self.stop.load(Ordering::Relaxed) {
            true => Err(INTERRUPTED.to_owned()),
            false => Ok(()),
        }
    }
}

/// Why a body did not come to its end, for a user.
fn text_of(stop: Stop) -> String {
    match stop {
        Stop::Error(text) => text.trim_start_matches("ERR ").to_owned(),
        Stop::Damage(damage) => damage.text.trim_start_matches("ERR ").to_owned(),
        stop @ (Stop::Fault | Stop::NeedsView | Stop::Await(_)) => format!("a body ends with {stop:?}"),
    }
}

/// What is done with a key where there is one of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conflict {
    /// Nothing is restored.
    Fail,
    /// The one that is there stays.
    Skip,
    /// The one that comes takes its place.
    Replace,
}

/// Which keys are wanted. The default is all.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// Those of these databases; empty: of all.
    pub databases: Vec<u64>,
    /// Those whose names match this glob.
    pub pattern: Option<Vec<u8>>,
    /// Those of this type, by the name that TYPE answers.
    pub type_name: Option<String>,
}

impl Choice {
    /// The type, if one is chosen.
    fn kind(&self) -> Result<Option<Kind>, String> {
        let Some(name) = &self.type_name else {
            return Ok(None);
        };
        Kind::named(name).map(Some).ok_or_else(|| {
            format!("there is no type {name}: one of string, list, set, hash, zset, stream is meant")
        })
    }

    fn has_database(&self, number: u64) -> bool {
        self.databases.is_empty() || self.databases.contains(&number)
    }

    /// Whether all of a source is wanted: libraries of functions belong to no key.
    fn is_all(&self) -> bool {
        self.databases.is_empty() && self.pattern.is_none() && self.type_name.is_none()
    }
}
