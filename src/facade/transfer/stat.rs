//! `redkeep-tool stat`: what a store holds, and what it takes.

mod gather;

use std::path::Path;
use std::sync::atomic::Ordering;

use serde::Serialize;

use super::{Progress, text_of};
use crate::base::clock::unix_ms;
use crate::disk::TableLevel;
use crate::disk::format::{FORMAT_VERSION, Family};
use crate::facade::check;
use crate::store::{Layout, Reader};
use crate::types::key_walk::{self, Selection};
use crate::types::libraries::Libraries;
use gather::Gathered;

/// What is wanted of a store.
#[derive(Clone, Debug)]
pub struct StatOptions {
    /// What parts of names stand between.
    pub separator: u8,
    /// So many parts make a prefix.
    pub depth: usize,
    /// How many prefixes, and keys, are listed.
    pub listed: usize,
    /// How many records are read of each part of a large collection, to estimate its size.
    pub samples: u64,
}

/// Sums over keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sums {
    /// Keys.
    pub keys: u64,
    /// Elements of collections, entries of streams; a string is one.
    pub elements: u64,
    /// Bytes of their records, before compression. Of large collections an estimate.
    pub bytes: u64,
    /// Bytes that they take in memory when all of them is there.
    pub memory: u64,
}

/// A numbered database.
#[derive(Clone, Debug, Serialize)]
pub struct DatabaseStat {
    /// Its number.
    pub number: usize,
    /// Keys with a deadline.
    pub expiring: u64,
    /// Keys past it, which nobody sees and which are still to be deleted.
    pub expired: u64,
    /// Over those that are there.
    pub sums: Sums,
}

/// All keys of a type.
#[derive(Clone, Debug, Serialize)]
pub struct TypeStat {
    /// What TYPE answers.
    pub name: &'static str,
    /// Over its keys.
    pub sums: Sums,
}

/// All keys whose names begin so.
#[derive(Clone, Debug, Serialize)]
pub struct PrefixStat {
    /// As text, bytes that are none escaped.
    pub prefix: String,
    /// Over its keys.
    pub sums: Sums,
}

/// One of the keys that take most.
#[derive(Clone, Debug, Serialize)]
pub struct BiggestKey {
    /// Its database.
    pub database: usize,
    /// Its name as text, bytes that are none escaped.
    pub key: String,
    /// What TYPE answers.
    pub type_name: &'static str,
    /// How many elements it has.
    pub elements: u64,
    /// Bytes of its records.
    pub bytes: u64,
}

/// A bar of a histogram.
#[derive(Clone, Debug, Serialize)]
pub struct Bar {
    /// What it is about.
    pub label: &'static str,
    /// Keys.
    pub keys: u64,
    /// Bytes of their records.
    pub bytes: u64,
}

/// A level of tables of a family of records.
#[derive(Clone, Debug, Serialize)]
pub struct Level {
    /// What records it has.
    pub family: String,
    /// Its number: higher ones are older.
    pub level: u64,
    /// Its tables.
    pub tables: u64,
    /// Their bytes on disk.
    pub bytes: u64,
    /// Records in them, with those that others have replaced.
    pub entries: u64,
    /// Of these, those that say that a record was deleted.
    pub deletions: u64,
}

/// What a store holds, and what it takes.
#[derive(Clone, Debug, Serialize)]
pub struct Stat {
    /// Where it is.
    pub path: String,
    /// When this was found out, in Unix milliseconds.
    pub at: u64,
    /// The layout of its records.
    pub format: u32,
    /// Whether its databases are divided by slots.
    pub in_slots: bool,
    /// Over all keys.
    pub total: Sums,
    /// Libraries of functions.
    pub libraries: u64,
    /// Those that have keys.
    pub databases: Vec<DatabaseStat>,
    /// Those that have keys.
    pub types: Vec<TypeStat>,
    /// Those that take most.
    pub prefixes: Vec<PrefixStat>,
    /// Those that take most.
    pub biggest: Vec<BiggestKey>,
    /// Keys by the time that they have left.
    pub ttl: Vec<Bar>,
    /// Keys by the bytes of their records.
    pub sizes: Vec<Bar>,
    /// Collections by their elements.
    pub elements: Vec<Bar>,
    /// Tables.
    pub levels: Vec<Level>,
    /// Bytes of all tables.
    pub table_bytes: u64,
    /// Bytes of all files in the directory.
    pub directory_bytes: u64,
    /// About how many bytes of tables hold what was replaced or deleted: compaction gives them back.
    pub reclaimable_bytes: u64,
    /// Values and databases that were dropped, and are still to be deleted.
    pub unreclaimed: u64,
    /// What is wrong with the store, a line each.
    pub faults: Vec<String>,
}

/// Finds out what a store holds, and changes nothing in it. Memory is bounded, however many keys there are.
///
/// # Errors
/// The store cannot be opened or read; it was interrupted.
pub fn stat(dir: &Path, options: &StatOptions, progress: &Progress) -> Result<Stat, String> {
    let reader = Reader::open(dir, &check::options()).map_err(|e| e.to_string())?;
    let now = unix_ms();
    let mut gathered = Gathered::new(options, now);
    let (databases, libraries) = reader
        .read(now, |txn| {
            let mut databases = Vec::new();
            let counts = (0..reader.databases())
                .map(|db| txn.count_keys(db))
                .collect::<Result<Vec<_>, _>>()?;
            progress
                .keys_expected
                .store(counts.iter().sum(), Ordering::Relaxed);
            for (db, &keys) in counts.iter().enumerate().filter(|(_, keys)| **keys > 0) {
                gathered.begin_database();
                key_walk::entries(txn, db, Selection::default(), |txn, name, entry| {
                    gathered.add(txn, db, name, &entry)?;
                    progress.note_key().or_else(crate::store::Stop::error)
                })?;
                databases.push(gathered.end_database(db, keys));
            }
            Ok((databases, Libraries::read(txn)?.iter().len() as u64))
        })
        .map_err(text_of)?;
    let disk = reader.disk();
    let levels = disk.levels().map_err(|e| e.to_string())?;
    let table_bytes = disk.table_bytes();
    let unreclaimed = disk.with_view(|view| {
        let (mut walk, mut count) = (view.walk(Family::Gc, b"", None)?, 0);
        while walk.next_record()?.is_some() {
            count += 1;
        }
        Ok(count)
    });
    Ok(Stat {
        path: dir.display().to_string(),
        at: now,
        format: FORMAT_VERSION,
        in_slots: reader.layout() == Layout::Slots,
        total: gathered.total,
        libraries,
        databases,
        types: gathered.types(),
        prefixes: gathered.prefixes(),
        biggest: gathered.biggest(),
        ttl: gathered.ttl,
        sizes: gathered.sizes,
        elements: gathered.elements,
        levels: levels.iter().map(level).collect(),
        table_bytes,
        directory_bytes: directory_bytes(dir)?,
        reclaimable_bytes: dead_bytes(&levels, gathered.records),
        unreclaimed: unreclaimed.map_err(|e: crate::disk::ReadError| e.to_string())?,
        faults: reader.faults().to_vec(),
    })
}

/// About how many bytes of tables are of records that nobody sees, there being so many that somebody does.
fn dead_bytes(levels: &[TableLevel], live: u64) -> u64 {
    let of_keys = || {
        let of_system = [Family::System, Family::Expire, Family::Gc, Family::Journal].map(Family::name);
        levels
            .iter()
            .filter(move |level| !of_system.contains(&level.family))
    };
    let entries: u64 = of_keys().map(|level| level.entries).sum();
    let bytes: u64 = of_keys().map(|level| level.bytes).sum();
    let dead = u128::from(entries.saturating_sub(live));
    (u128::from(bytes) * dead / u128::from(entries.max(1))) as u64
}

fn level(level: &TableLevel) -> Level {
    Level {
        family: match level.family {
            "default" => "system".to_owned(),
            family => family.to_owned(),
        },
        level: level.level,
        tables: level.tables,
        bytes: level.bytes,
        entries: level.entries,
        deletions: level.deletions,
    }
}

/// The size of all files in a directory.
fn directory_bytes(dir: &Path) -> Result<u64, String> {
    let failed = |e: std::io::Error| format!("{}: {e}", dir.display());
    let mut bytes = 0;
    for entry in std::fs::read_dir(dir).map_err(failed)? {
        let metadata = entry.and_then(|entry| entry.metadata()).map_err(failed)?;
        bytes += if metadata.is_file() { metadata.len() } else { 0 };
    }
    Ok(bytes)
}
