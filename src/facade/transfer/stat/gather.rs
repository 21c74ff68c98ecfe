//! What is summed up while a store's keys pass by.

use std::collections::{BTreeSet, HashMap};

use foldhash::fast::RandomState;

use super::{Bar, BiggestKey, DatabaseStat, PrefixStat, StatOptions, Sums, TypeStat};
use crate::base::size::alloc_size;
use crate::rdb::Kind;
use crate::store::{Entry, Result, Txn};
use crate::types::footprint::Footprint;
use crate::types::items::kind_of;
use crate::types::value_footprint::{elements, footprint};

/// What a record takes beside its bytes in memory, as MEMORY USAGE counts it, ...
const IN_MEMORY: u64 = 128;
/// ... and on disk: the id and the number in its key.
const ON_DISK: u64 = 16;
/// More prefixes than this are not kept: those that take least become one.
const MOST_PREFIXES: usize = 50_000;
/// A prefix is told so far.
const LONGEST_PREFIX: usize = 64;
/// What those prefixes are called that are not kept.
const OTHERS: &str = "(others)";
/// What keys are of that have no separator.
const NO_PREFIX: &str = "(no prefix)";

const SECOND: u64 = 1000;
const HOUR: u64 = 3600 * SECOND;
const DAY: u64 = 24 * HOUR;

/// Milliseconds left, at most; the first bar is for keys without a deadline.
const TTL: [(&str, u64); 8] = [
    ("none", 0),
    ("< 1 min", 60 * SECOND),
    ("< 1 h", HOUR),
    ("< 1 day", DAY),
    ("< 7 days", 7 * DAY),
    ("< 30 days", 30 * DAY),
    ("< 1 year", 365 * DAY),
    ("longer", u64::MAX),
];

const SIZES: [(&str, u64); 10] = [
    ("< 32 B", 32),
    ("< 128 B", 128),
    ("< 512 B", 512),
    ("< 2 KB", 2 << 10),
    ("< 8 KB", 8 << 10),
    ("< 64 KB", 64 << 10),
    ("< 512 KB", 512 << 10),
    ("< 4 MB", 4 << 20),
    ("< 64 MB", 64 << 20),
    ("more", u64::MAX),
];

const ELEMENTS: [(&str, u64); 8] = [
    ("1", 2),
    ("< 10", 10),
    ("< 100", 100),
    ("< 1 000", 1000),
    ("< 10 000", 10_000),
    ("< 100 000", 100_000),
    ("< 1 million", 1_000_000),
    ("more", u64::MAX),
];

fn bars(labels: &[(&'static str, u64)]) -> Vec<Bar> {
    let bar = |(label, _): &(&'static str, u64)| Bar {
        label,
        keys: 0,
        bytes: 0,
    };
    labels.iter().map(bar).collect()
}

/// Counts a key in the first bar whose limit it is below.
fn count(bars: &mut [Bar], labels: &[(&str, u64)], value: u64, bytes: u64) {
    let at = labels
        .iter()
        .position(|(_, limit)| value < *limit)
        .unwrap_or(labels.len() - 1);
    bars[at].keys += 1;
    bars[at].bytes += bytes;
}

impl Sums {
    fn add(&mut self, other: Sums) {
        self.keys += other.keys;
        self.elements += other.elements;
        self.bytes += other.bytes;
        self.memory += other.memory;
    }
}

/// See the module.
pub struct Gathered<'o> {
    options: &'o StatOptions,
    now: u64,
    /// Over all keys.
    pub total: Sums,
    /// About how many records all of them have.
    pub records: u64,
    database: Sums,
    expiring: u64,
    kinds: [Sums; Kind::ALL.len()],
    by_prefix: HashMap<Vec<u8>, Sums, RandomState>,
    other_prefixes: Sums,
    /// By size, then by place; with type and elements.
    largest: BTreeSet<(u64, usize, Vec<u8>, Kind, u64)>,
    /// See [`super::Stat`].
    pub ttl: Vec<Bar>,
    /// See [`super::Stat`].
    pub sizes: Vec<Bar>,
    /// See [`super::Stat`].
    pub elements: Vec<Bar>,
}

impl<'o> Gathered<'o> {
    /// Nothing yet, as it is at this time.
    pub fn new(options: &'o StatOptions, now: u64) -> Gathered<'o> {
        Gathered {
            options,
            now,
            total: Sums::default(),
            records: 0,
            database: Sums::default(),
            expiring: 0,
            kinds: [Sums::default(); Kind::ALL.len()],
            by_prefix: HashMap::default(),
            other_prefixes: Sums::default(),
            largest: BTreeSet::new(),
            ttl: bars(&TTL),
            sizes: bars(&SIZES),
            elements: bars(&ELEMENTS),
        }
    }

    /// The keys that follow are another database's.
    pub fn begin_database(&mut self) {
        (self.database, self.expiring) = (Sums::default(), 0);
    }

    /// What the database has; it counts so many keys.
    pub fn end_database(&mut self, number: usize, keys: u64) -> DatabaseStat {
        DatabaseStat {
            number,
            expiring: self.expiring,
            expired: keys.saturating_sub(self.database.keys),
            sums: self.database,
        }
    }

    /// Takes a key into account.
    ///
    /// # Errors
    /// What it holds is damaged.
    pub fn add(&mut self, txn: &mut Txn, db: usize, name: &[u8], entry: &Entry) -> Result<()> {
        let Footprint { records, bytes } = footprint(txn, entry, self.options.samples)?;
        let (kind, elements) = (kind_of(entry.header.kind), elements(entry)?);
        let value = usize::try_from(bytes).unwrap_or(usize::MAX / 2);
        let sums = Sums {
            keys: 1,
            elements,
            bytes: bytes + name.len() as u64 + ON_DISK * records,
            memory: IN_MEMORY * records + alloc_size(name.len()) as u64 + alloc_size(value) as u64,
        };
        self.records += records;
        self.total.add(sums);
        self.database.add(sums);
        self.kinds[kind as usize].add(sums);
        self.expiring += u64::from(entry.header.deadline.is_some());
        match entry.header.deadline {
            None => {
                self.ttl[0].keys += 1;
                self.ttl[0].bytes += sums.bytes;
            }
            Some(deadline) => count(
                &mut self.ttl,
                &TTL,
                deadline.saturating_sub(self.now).max(1),
                sums.bytes,
            ),
        }
        count(&mut self.sizes, &SIZES, sums.bytes, sums.bytes);
        if kind != Kind::String {
            count(&mut self.elements, &ELEMENTS, elements, sums.bytes);
        }
        self.add_prefix(name, sums);
        if self.largest.len() < self.options.listed
            || self
                .largest
                .first()
                .is_some_and(|(least, ..)| *least < sums.bytes)
        {
            self.largest
                .insert((sums.bytes, db, name.to_vec(), kind, elements));
            if self.largest.len() > self.options.listed {
                self.largest.pop_first();
            }
        }
        Ok(())
    }

    fn add_prefix(&mut self, name: &[u8], sums: Sums) {
        let mut ends = memchr::memchr_iter(self.options.separator, name);
        let end = ends.nth(self.options.depth.saturating_sub(1));
        // One with fewer parts is of the last that it has.
        let end = end.or_else(|| memchr::memrchr(self.options.separator, name));
        let prefix = end.map_or(&b""[..], |end| &name[..=end]);
        let prefix = &prefix[..prefix.len().min(LONGEST_PREFIX)];
        match self.by_prefix.get_mut(prefix) {
            Some(known) => known.add(sums),
            None => {
                self.by_prefix.insert(prefix.to_vec(), sums);
                if self.by_prefix.len() > MOST_PREFIXES {
                    self.fold_prefixes();
                }
            }
        }
    }

    /// Keeps the half of the prefixes that takes more.
    fn fold_prefixes(&mut self) {
        let mut bytes: Vec<u64> = self.by_prefix.values().map(|sums| sums.bytes).collect();
        bytes.sort_unstable();
        let least = bytes[bytes.len() / 2];
        let others = &mut self.other_prefixes;
        self.by_prefix.retain(|_, sums| {
            let stays = sums.bytes > least;
            if !stays {
                others.add(*sums);
            }
            stays
        });
    }

    /// The types that have keys.
    pub fn types(&self) -> Vec<TypeStat> {
        let all = Kind::ALL.iter().zip(&self.kinds).map(|(kind, sums)| TypeStat {
            name: kind.name(),
            sums: *sums,
        });
        all.filter(|stat| stat.sums.keys > 0).collect()
    }

    /// The prefixes that take most, and the others in one.
    pub fn prefixes(&self) -> Vec<PrefixStat> {
        let mut all: Vec<(&Vec<u8>, &Sums)> = self.by_prefix.iter().collect();
        all.sort_by(|a, b| b.1.bytes.cmp(&a.1.bytes).then(a.0.cmp(b.0)));
        let mut others = self.other_prefixes;
        let listed = self.options.listed.min(all.len());
        all[listed..].iter().for_each(|(_, sums)| others.add(**sums));
        let mut prefixes: Vec<PrefixStat> = all[..listed]
            .iter()
            .map(|(prefix, sums)| PrefixStat {
                prefix: match prefix.is_empty() {
                    true => NO_PREFIX.to_owned(),
                    false => String::from_utf8_lossy(prefix).escape_debug().to_string(),
                },
                sums: **sums,
            })
            .collect();
        if others.keys > 0 {
            prefixes.push(PrefixStat {
                prefix: OTHERS.to_owned(),
                sums: others,
            });
        }
        prefixes
    }

    /// The keys that take most.
    pub fn biggest(&self) -> Vec<BiggestKey> {
        let key = |(bytes, database, name, kind, elements): &(u64, usize, Vec<u8>, Kind, u64)| BiggestKey {
            database: *database,
            key: String::from_utf8_lossy(name).escape_debug().to_string(),
            type_name: kind.name(),
            elements: *elements,
            bytes: *bytes,
        };
        self.largest.iter().rev().map(key).collect()
    }
}
