//! `redkeep-tool check`: reads every record and holds the families against each other.

mod values;

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::path::Path;

use crate::disk::format::{
    Deadlines, Family, Garbage, Header, IN_SLOTS, Namespace, OF_FIELDS, RecordKey, owned, split_expire_key,
    split_ordered_id, split_slot_key,
};
use crate::disk::{Compression, Disk, DiskOptions, View};

/// Most faults that are told one by one.
const FAULTS_TOLD: usize = 100;
/// Tables that are open at a time.
const OPEN_TABLES: u64 = 256;

/// A namespace, and what has it: a numbered database, or a slot of it.
struct Held {
    db: usize,
    slot: Option<u16>,
    namespace: Namespace,
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.slot {
            None => write!(f, "db{}", self.db),
            Some(slot) => write!(f, "db{} slot {slot}", self.db),
        }
    }
}

/// What was found in a store; shown as counts, and a line for each of the first faults.
#[derive(Default)]
pub struct Report {
    held: Vec<Held>,
    keys: BTreeMap<u64, u64>,
    deadlines: BTreeMap<u64, u64>,
    long_strings: u64,
    segments: u64,
    large_collections: u64,
    collection_records: u64,
    unreclaimed: u64,
    tables: usize,
    faults: Vec<String>,
    /// What was lost as it may be when the machine loses its power.
    lost_with_power: Vec<String>,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut databases: BTreeMap<usize, (u64, u64)> = BTreeMap::new();
        for Held { db, namespace, .. } in &self.held {
            let (keys, expires) = databases.entry(*db).or_default();
            *keys = keys.saturating_add(namespace.keys);
            *expires = expires.saturating_add(namespace.expires);
        }
        for (number, (keys, expires)) in databases.iter().filter(|(_, (keys, _))| *keys > 0) {
            writeln!(f, "db{number}: {keys} keys, {expires} with a deadline")?;
        }
        writeln!(
            f,
            "long strings: {}, in {} segments",
            self.long_strings, self.segments
        )?;
        writeln!(
            f,
            "large collections: {}, in {} records",
            self.large_collections, self.collection_records
        )?;
        writeln!(f, "to be reclaimed: {}", self.unreclaimed)?;
        writeln!(f, "tables: {}", self.tables)?;
        for lost in &self.lost_with_power {
            writeln!(
                f,
                "{lost}: it was not on stable storage when the machine was started again, and is no fault"
            )?;
        }
        for fault in self.faults.iter().take(FAULTS_TOLD) {
            writeln!(f, "fault: {fault}")?;
        }
        writeln!(f, "{} faults", self.faults.len())
    }
}

impl Report {
    /// A key of a namespace, for who reads of a fault.
    fn told(&self, namespace: u64, name: &[u8]) -> String {
        let held = self.held.iter().find(|held| held.namespace.id == namespace);
        let holder = held.map_or_else(|| format!("namespace {namespace}"), Held::to_string);
        format!("{holder} key {}", name.escape_ascii())
    }

    /// Whether nothing is damaged, and all agrees.
    pub fn is_whole(&self) -> bool {
        self.faults.is_empty()
    }
}

/// Reads a whole store, and changes nothing in it: every table, every record, and every value as its key's reader would.
///
/// # Errors
/// The store cannot be opened, or RocksDB cannot read a table at all. What is damaged within is in the report.
pub fn check(dir: &Path) -> Result<Report, String> {
    let (disk, lost) = Disk::open_to_read(dir, &options()).map_err(|e| e.to_string())?;
    let mut report = Report {
        faults: lost.faults,
        lost_with_power: lost.with_power,
        ..Report::default()
    };
    let verified = disk.verify().map_err(|e| e.0)?;
    report.tables = verified.tables;
    report.faults.extend(verified.fault);
    // What cannot be read is told, and what can be is held against each other all the same.
    if let Err(fault) = disk.with_view(|view| compare(view, &mut report)) {
        report.faults.push(fault);
    }
    drop(disk);
    values::check(dir, &mut report)?;
    Ok(report)
}

/// How stores are opened that no server uses.
pub(super) fn options() -> DiskOptions {
    DiskOptions {
        write_buffer: 32 << 20,
        block_cache: 64 << 20,
        background_jobs: 2,
        compression: Compression::Lz4,
        open_tables: OPEN_TABLES,
    }
}

fn compare(view: &View, report: &mut Report) -> Result<(), String> {
    read_databases(view, report)?;
    let mut ids = HashSet::new();
    read_keys(view, report, &mut ids)?;
    read_deadlines(view, report)?;
    let dead = read_garbage(view, report)?;
    report.segments = read_values(view, report, Family::Segment, &ids, &dead)?;
    for family in Family::OF_COLLECTIONS {
        report.collection_records += read_values(view, report, family, &ids, &dead)?;
    }
    compare_counts(report, &dead);
    Ok(())
}

fn read_databases(view: &View, report: &mut Report) -> Result<(), String> {
    let mut walk = view.walk(Family::System, b"db", Some(b"dc")).map_err(|e| e.0)?;
    while let Some((key, value)) = walk.next_record().map_err(|e| e.0)? {
        let number = key[2..].try_into().map_or(0, u32::from_be_bytes) as usize;
        // Its slots have records of their own.
        if value != IN_SLOTS {
            hold(report, number, None, value);
        }
    }
    let mut walk = view
        .walk(Family::System, b"slot", Some(b"slou"))
        .map_err(|e| e.0)?;
    while let Some((key, value)) = walk.next_record().map_err(|e| e.0)? {
        match split_slot_key(key) {
            Ok((db, slot)) => hold(report, db, Some(slot), value),
            Err(e) => report.faults.push(e.to_string()),
        }
    }
    Ok(())
}

fn hold(report: &mut Report, db: usize, slot: Option<u16>, record: &[u8]) {
    let (namespace, fault) = match Namespace::decode(record) {
        Ok(namespace) => (namespace, None),
        Err(e) => (Namespace::default(), Some(e)),
    };
    let held = Held { db, slot, namespace };
    match fault {
        None => report.held.push(held),
        Some(e) => report.faults.push(format!("{held}: {e}")),
    }
}

fn read_keys(view: &View, report: &mut Report, ids: &mut HashSet<u64>) -> Result<(), String> {
    let mut walk = view.walk(Family::Meta, b"", None).map_err(|e| e.0)?;
    while let Some((key, record)) = walk.next_record().map_err(|e| e.0)? {
        let Some((namespace, name)) = split_ordered_id(key) else {
            report
                .faults
                .push(format!("meta record without a namespace: {}", key.escape_ascii()));
            continue;
        };
        *report.keys.entry(namespace).or_default() += 1;
        let told = report.told(namespace, name);
        let (header, body) = match Header::decode(record) {
            Ok(decoded) => decoded,
            Err(e) => {
                report.faults.push(format!("{told}: {e}"));
                continue;
            }
        };
        if header.deadline.is_some() {
            *report.deadlines.entry(namespace).or_default() += 1;
        }
        match Deadlines::of(header, &record[body..]) {
            Ok(deadlines) => check_indexed(view, report, namespace, name, deadlines)?,
            Err(e) => report.faults.push(format!("{told}: {e}")),
        }
        match owned(header, &record[body..]) {
            Ok(None) => {}
            Ok(Some((id, garbage))) => {
                match garbage {
                    Garbage::Segments { .. } => report.long_strings += 1,
                    Garbage::Collection | Garbage::Namespace { .. } => report.large_collections += 1,
                }
                if !ids.insert(id) {
                    report.faults.push(format!("{told} shares id {id} with another"));
                }
            }
            Err(e) => report.faults.push(format!("{told}: {e}")),
        }
    }
    Ok(())
}

fn check_indexed(
    view: &View,
    report: &mut Report,
    namespace: u64,
    name: &[u8],
    deadlines: Deadlines,
) -> Result<(), String> {
    for (deadline, value) in [(deadlines.key, &b""[..]), (deadlines.fields, OF_FIELDS)] {
        let Some(deadline) = deadline else { continue };
        let indexed = view
            .get(&RecordKey::expire(deadline, namespace, name))
            .map_err(|e| e.0)?;
        if indexed.is_none_or(|indexed| indexed[..] != *value) {
            let told = report.told(namespace, name);
            report
                .faults
                .push(format!("{told} has a deadline that is not indexed"));
        }
    }
    Ok(())
}

fn read_deadlines(view: &View, report: &mut Report) -> Result<(), String> {
    let mut walk = view.walk(Family::Expire, b"", None).map_err(|e| e.0)?;
    while let Some((key, of)) = walk.next_record().map_err(|e| e.0)? {
        let (deadline, namespace, name) = match split_expire_key(key) {
            Ok(parts) => parts,
            Err(e) => {
                report.faults.push(e.to_string());
                continue;
            }
        };
        let record = view.get(&RecordKey::meta(namespace, name)).map_err(|e| e.0)?;
        let holds = record.is_some_and(|record| {
            let deadlines = Header::decode(&record)
                .and_then(|(header, body)| Deadlines::of(header, &record[body..]))
                .unwrap_or_default();
            let held = match of {
                b"" => deadlines.key,
                _ => deadlines.fields,
            };
            held == Some(deadline)
        });
        if !holds {
            let told = report.told(namespace, name);
            report
                .faults
                .push(format!("{told}: deadline {deadline} of it is out of date"));
        }
    }
    Ok(())
}

fn read_garbage(view: &View, report: &mut Report) -> Result<HashSet<u64>, String> {
    let mut dead = HashSet::new();
    let mut walk = view.walk(Family::Gc, b"", None).map_err(|e| e.0)?;
    while let Some((key, _)) = walk.next_record().map_err(|e| e.0)? {
        report.unreclaimed += 1;
        match key.try_into() {
            Ok(id) => drop(dead.insert(u64::from_be_bytes(id))),
            Err(_) => report.faults.push("malformed gc key".to_owned()),
        }
    }
    Ok(dead)
}

/// Counts the records of a family that are named by an id, each of which a key owns or owned.
fn read_values(
    view: &View,
    report: &mut Report,
    family: Family,
    owned: &HashSet<u64>,
    dead: &HashSet<u64>,
) -> Result<u64, String> {
    let mut count = 0;
    let mut walk = view.walk(family, b"", None).map_err(|e| e.0)?;
    while let Some((key, _)) = walk.next_record().map_err(|e| e.0)? {
        count += 1;
        let id = key.first_chunk().copied().map(u64::from_be_bytes);
        if !id.is_some_and(|id| owned.contains(&id) || dead.contains(&id)) {
            report.faults.push(format!(
                "{} record {} belongs to no key",
                family.name(),
                key.escape_ascii()
            ));
        }
    }
    Ok(count)
}

fn compare_counts(report: &mut Report, dead: &HashSet<u64>) {
    for held in &report.held {
        let Namespace { id, keys, expires } = held.namespace;
        let found = report.keys.remove(&id).unwrap_or(0);
        let deadlines = report.deadlines.remove(&id).unwrap_or(0);
        if (found, deadlines) != (keys, expires) {
            report.faults.push(format!(
                "{held} counts {keys} keys, {expires} with a deadline; there are {found}, {deadlines}"
            ));
        }
    }
    for namespace in report.keys.keys().filter(|namespace| !dead.contains(namespace)) {
        report
            .faults
            .push(format!("keys of namespace {namespace} belong to no database"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::{Creation, Durability, Patience};
    use crate::store::testing::TestStore;
    use crate::store::{Key, Layout};
    use crate::types::{set, string};

    #[test]
    fn slots_count_for_the_databases_that_they_are_of() {
        let mut test = TestStore::open_as(Layout::Slots);
        test.run(|txn| {
            (0..20).try_for_each(|n| {
                let (db, name) = (n % 2, n.to_string());
                let name = name.as_bytes();
                string::set(txn, Key { db, name }, None, b"value", None)
            })
        })
        .unwrap();
        let report = check(test.close().path()).unwrap();
        let text = report.to_string();
        assert!(
            text.starts_with("db0: 10 keys, 0 with a deadline\ndb1: 10 keys"),
            "{text}"
        );
        assert!(report.faults.is_empty(), "{text}");
        assert!(report.held.len() > 2 && report.held.iter().all(|held| held.slot.is_some()));
    }

    #[test]
    fn a_value_that_lacks_a_part_is_named_by_its_key() {
        let mut test = TestStore::open();
        let members: Vec<Vec<u8>> = (0..2000).map(|n| format!("member {n}").into_bytes()).collect();
        for name in [&b"whole"[..], b"broken"] {
            let key = Key { db: 1, name };
            let members = members.iter().map(|member| &member[..]);
            test.run(|txn| set::add(txn, key, members.clone(), &Default::default()).map(drop))
                .unwrap();
        }
        let dir = test.close();
        let disk = Disk::open(dir.path(), &options(), &Creation::default()).unwrap();
        let last = disk.with_view(|view| view.last(Family::Bucket, b"", &[255; 8]).unwrap());
        let mut batch = disk.batch().unwrap();
        batch.delete(&RecordKey::new(Family::Bucket, &last.unwrap()));
        disk.write(batch.finish(), Durability::Synced, Patience::Wait)
            .unwrap();
        drop(disk);
        let faults = check(dir.path()).unwrap().faults;
        let [fault] = &faults[..] else {
            panic!("{faults:?}");
        };
        assert!(
            fault.starts_with(
                "db1 key broken: its set cannot be read whole: it counts 2000 elements, and has"
            ),
            "{fault}"
        );
    }
}
