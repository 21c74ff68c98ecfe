//! Items into a store: keys by the hundred in one transaction, as what that takes is fetched and committed together.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};

use super::{Conflict, text_of};
use crate::base::clock::Clock;
use crate::config::Config;
use crate::disk::{Creation, Durability};
use crate::exec::call_limits;
use crate::facade::check;
use crate::rdb::Item;
use crate::store::{Layout, Stop, Store, StoreOptions, Ticket, Txn};
use crate::types::items::Assembly;
use crate::types::keys;
use crate::types::thresholds::Thresholds;

/// Memory for records, which are written to disk in the background.
const HOT_BUDGET: usize = 64 << 20;
/// Bytes of memtables.
const WRITE_BUFFER: usize = 32 << 20;
const FETCH_THREADS: usize = 2;
/// A transaction has no more keys than this, ...
const KEYS: usize = 256;
/// ... and ends when their values have so many bytes.
const BYTES: usize = 1 << 20;
/// A value of more bytes than this is written in parts.
const PART: usize = 32 << 20;
/// How many keys that are in the way are named.
const NAMED: usize = 10;

/// A store that is being filled.
pub struct Loader {
    store: Store,
    woken: Receiver<()>,
    clock: Clock,
    limits: Thresholds,
    databases: usize,
    conflict: Conflict,
    /// Whole values that are not yet written.
    batch: Vec<Assembly>,
    batch_bytes: usize,
    /// The batch before, which is written while what the present one needs is read.
    before: Vec<Assembly>,
    /// The value that is coming.
    open: Option<Assembly>,
    /// Why it is left out, if it is.
    left_out: Option<LeftOut>,
    /// Codes of libraries, which the engine has to load.
    libraries: Vec<Vec<u8>>,
    /// What was done with keys so far.
    pub loaded: Loaded,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum LeftOut {
    Expired,
    InTheWay,
}

/// What became of keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Were written.
    pub written: u64,
    /// Of these, took the place of another.
    pub replaced: u64,
    /// Were left out, as there was one of their name.
    pub skipped: u64,
    /// Were left out, as their deadline had passed.
    pub expired: u64,
    /// Keys that were in the way, some of them.
    pub in_the_way: Vec<String>,
}

/// What a transaction found.
#[derive(Clone, Default)]
struct Outcome {
    replaced: u64,
    /// Which of the batch are to be left out.
    skipped: Vec<bool>,
}

impl Loader {
    /// Opens the store in a directory, or makes one, with so many databases.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn open(dir: &Path, databases: usize) -> Result<Loader, String> {
        let (wake, woken) = mpsc::channel();
        let options = StoreOptions {
            disk: crate::disk::DiskOptions {
                write_buffer: WRITE_BUFFER,
                ..check::options()
            },
            creation: Creation::default(),
            hot_budget: HOT_BUDGET,
            fetch_threads: FETCH_THREADS,
            databases,
            layout: Layout::One,
            // All is synced when it is closed, and counts for nothing before.
            durability: Durability::Written,
        };
        let wake = Arc::new(move || {
            // This fails only when the receiver is gone, and with it whoever could go on.
            let _ = wake.send(());
        });
        Ok(Loader {
            store: Store::open(dir, &options, wake).map_err(|e| e.to_string())?,
            woken,
            clock: Clock::new(),
            limits: call_limits(&Config::default()).thresholds,
            databases,
            conflict: Conflict::Fail,
            batch: Vec::new(),
            batch_bytes: 0,
            before: Vec::new(),
            open: None,
            left_out: None,
            libraries: Vec::new(),
            loaded: Loaded::default(),
        })
    }

    /// What is done where there is a key of the same name.
    pub fn on_conflict(mut self, conflict: Conflict) -> Loader {
        self.conflict = conflict;
        self
    }

    /// Takes the next item.
    ///
    /// # Errors
    /// It makes no sense where it comes; a key is in the way, and that is to be an error; the disk.
    pub fn take(&mut self, item: Item<'_>) -> Result<(), String> {
        match item {
            Item::Aux { .. } | Item::Sizes { .. } | Item::Skipped { .. } => Ok(()),
            Item::Database(number) => self.check_database(number),
            Item::Library(code) => {
                self.libraries.push(code.to_vec());
                Ok(())
            }
            Item::Key(key) => {
                self.check_database(key.database)?;
                self.clock.refresh();
                let is_due = key
                    .deadline
                    .is_some_and(|deadline| deadline <= self.clock.now_ms());
                self.left_out = is_due.then_some(LeftOut::Expired);
                self.open = Some(Assembly::begin(key));
                Ok(())
            }
            item => self.take_piece(item),
        }
    }

    fn check_database(&self, number: u64) -> Result<(), String> {
        match number < self.databases as u64 {
            true => Ok(()),
            false => Err(format!(
                "there is a database {number}, and the store is to have {}: --databases says how many",
                self.databases
            )),
        }
    }

    fn take_piece(&mut self, item: Item<'_>) -> Result<(), String> {
        let Some(open) = &mut self.open else {
            return Err("a piece of a value without its key".to_owned());
        };
        if let Some(why) = self.left_out {
            if item == Item::End {
                self.open = None;
                match why {
                    LeftOut::Expired => self.loaded.expired += 1,
                    LeftOut::InTheWay => self.loaded.skipped += 1,
                }
            }
            return Ok(());
        }
        let is_whole = open.take(item).map_err(|stop| told(open, stop))?;
        let bytes = open.bytes();
        if is_whole {
            self.batch.extend(self.open.take());
            self.batch_bytes += bytes;
            if self.batch.len() >= KEYS || self.batch_bytes >= BYTES {
                self.read_ahead()?;
                std::mem::swap(&mut self.batch, &mut self.before);
                self.batch_bytes = 0;
                self.write_batch()?;
            }
        } else if bytes >= PART {
            self.write_part()?;
        }
        Ok(())
    }

    /// Has the records of the batch's keys read: mostly that there are none.
    fn read_ahead(&mut self) -> Result<(), String> {
        let mut txn = self.store.begin(self.clock.now_ms());
        let records = self.batch.iter().map(|assembly| txn.meta_key(assembly.key()));
        let records = records.collect::<Result<Vec<_>, Stop>>();
        let records = records.map(|records| {
            let unknown = records.into_iter().filter(|record| txn.prefetch(record.clone()));
            unknown.collect::<Vec<_>>()
        });
        let end = txn.end();
        self.store.abandon(end);
        self.store.read_ahead(records.map_err(text_of)?);
        self.end_ticks_until(|_| true)
    }

    /// Writes all that is whole.
    fn write_batches(&mut self) -> Result<(), String> {
        std::mem::swap(&mut self.batch, &mut self.before);
        self.write_batch()?;
        std::mem::swap(&mut self.batch, &mut self.before);
        self.write_batch()
    }

    /// Writes what came of the value that is coming.
    fn write_part(&mut self) -> Result<(), String> {
        self.write_batches()?;
        if let Some(open) = self.open.take() {
            self.batch.push(open);
            let outcome = self.run_batch()?;
            self.loaded.replaced += outcome.replaced;
            if outcome.skipped.contains(&true) {
                self.left_out = Some(LeftOut::InTheWay);
            }
            self.open = self.batch.pop();
            if let Some(open) = &mut self.open {
                open.written();
            }
        }
        Ok(())
    }

    fn write_batch(&mut self) -> Result<(), String> {
        if self.batch.is_empty() {
            return Ok(());
        }
        let outcome = self.run_batch()?;
        let skipped = outcome.skipped.iter().filter(|skipped| **skipped).count() as u64;
        self.loaded.skipped += skipped;
        self.loaded.written += self.batch.len() as u64 - skipped;
        self.loaded.replaced += outcome.replaced;
        self.batch.clear();
        self.batch_bytes = 0;
        Ok(())
    }

    fn run_batch(&mut self) -> Result<Outcome, String> {
        let batch = std::mem::take(&mut self.batch);
        let (conflict, limits) = (self.conflict, self.limits);
        let outcome = self.run(|txn| write_all(txn, &batch, conflict, &limits));
        self.batch = batch;
        let outcome = outcome?;
        let in_the_way = self
            .batch
            .iter()
            .zip(&outcome.skipped)
            .filter(|(_, skipped)| **skipped);
        for (assembly, _) in in_the_way {
            if self.loaded.in_the_way.len() < NAMED {
                let key = assembly.key();
                self.loaded
                    .in_the_way
                    .push(format!("db{} {}", key.db, key.name.escape_ascii()));
            }
        }
        match (self.conflict, self.loaded.in_the_way.first()) {
            (Conflict::Fail, Some(key)) => Err(format!(
                "there is a key {key} already: --on-conflict says what is to be done with such keys"
            )),
            _ => Ok(outcome),
        }
    }

    /// Runs a body until it comes to its end, waiting for what it misses, and stages what it did.
    fn run<T>(&mut self, mut body: impl FnMut(&mut Txn) -> Result<T, Stop>) -> Result<T, String> {
        let mut held: Option<Ticket> = None;
        let now = self.clock.now_ms();
        let result = loop {
            let mut txn = self.store.begin(now);
            let result = body(&mut txn);
            let end = txn.end();
            match result {
                Ok(value) => {
                    self.store.stage(end);
                    break Ok(value);
                }
                Err(Stop::Fault) => {
                    let missing = self.store.abandon(end);
                    let ticket = self.store.retry(missing, held, || None);
                    held = Some(ticket);
                    self.end_ticks_until(|store| store.is_ready(ticket))?;
                    if let Some(damage) = self.store.read_error(ticket) {
                        break Err(damage.text);
                    }
                }
                Err(stop) => {
                    self.store.abandon(end);
                    break Err(text_of(stop));
                }
            }
        };
        if let Some(ticket) = held {
            self.store.finish(ticket);
        }
        self.end_ticks_until(|store| !store.is_congested())?;
        result
    }

    fn end_ticks_until(&mut self, is_over: impl Fn(&Store) -> bool) -> Result<(), String> {
        let now = self.clock.now_ms();
        loop {
            self.store.end_tick(now);
            if let Some(reason) = self.store.broken() {
                return Err(format!("it cannot be written: {reason}"));
            }
            if is_over(&self.store) {
                return Ok(());
            }
            self.woken.recv().map_err(|e| e.to_string())?;
        }
    }

    /// Writes what is left, and closes the store in order. Returns what became of keys, and the libraries that are still to be
    /// loaded.
    ///
    /// # Errors
    /// The disk; a value that is not whole.
    pub fn finish(mut self) -> Result<(Loaded, Vec<Vec<u8>>), String> {
        if self.open.is_some() {
            return Err("the last value is not whole".to_owned());
        }
        self.write_batches()?;
        self.end_ticks_until(Store::is_idle)?;
        self.store.close()?;
        Ok((self.loaded, self.libraries))
    }
}

fn told(assembly: &Assembly, stop: Stop) -> String {
    let key = assembly.key();
    format!(
        "key {} in database {}: {}",
        key.name.escape_ascii(),
        key.db,
        text_of(stop)
    )
}

fn write_all(
    txn: &mut Txn,
    batch: &[Assembly],
    conflict: Conflict,
    limits: &Thresholds,
) -> Result<Outcome, Stop> {
    keys::prefetch(txn, batch.iter().map(Assembly::key))?;
    let mut outcome = Outcome::default();
    for assembly in batch {
        let is_there = !assembly.is_begun() && txn.lookup(assembly.key())?.is_some();
        let is_skipped = is_there && conflict != Conflict::Replace;
        outcome.skipped.push(is_skipped);
        if is_skipped {
            continue;
        }
        outcome.replaced += u64::from(is_there);
        assembly.write(txn, limits).map_err(|stop| match stop {
            Stop::Fault => Stop::Fault,
            stop => Stop::Error(told(assembly, stop).into()),
        })?;
    }
    Ok(outcome)
}
