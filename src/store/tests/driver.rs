//! Drives a store as the executor does.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::disk::format::{self, Family, Namespace, SEGMENT};
use crate::disk::{Compression, Creation, DiskOptions, Durability};
use crate::store::{
    Allowance, Counts, Effect, Epoch, Key, Layout, News, Rehearsal, Result, Stop, Store, StoreOptions, Txn,
    ViewRule,
};
use crate::types::string;

pub const NOW: u64 = 1_000_000;
/// No test waits longer than this for the store's threads.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Drives a store as the executor does.
pub struct Driver {
    pub store: Store,
    pub now: u64,
    /// What has been caused and is settled.
    pub effects: Vec<Effect>,
    /// How many runs ended in a fault.
    pub faults: usize,
    /// Which bodies may go over a view.
    pub views_for: ViewRule,
    pub dir: TempDir,
}

/// How the tests' databases are divided: all these tests are there twice, see `store/mod.rs`.
pub fn layout() -> Layout {
    match module_path!().contains("tests_in_slots") {
        true => Layout::Slots,
        false => Layout::One,
    }
}

pub fn options(hot_budget: usize) -> StoreOptions {
    StoreOptions {
        disk: DiskOptions {
            write_buffer: 1 << 20,
            block_cache: 1 << 20,
            background_jobs: 1,
            compression: Compression::Lz4,
            open_tables: 1000,
        },
        creation: Creation::default(),
        hot_budget,
        fetch_threads: 2,
        databases: 3,
        layout: layout(),
        durability: Durability::Written,
    }
}

pub fn open(dir: &TempDir, hot_budget: usize) -> Store {
    Store::open(dir.path(), &options(hot_budget), Arc::new(|| ())).unwrap()
}

impl Driver {
    pub fn new(hot_budget: usize) -> Driver {
        let dir = TempDir::new().unwrap();
        Driver {
            store: open(&dir, hot_budget),
            now: NOW,
            effects: Vec::new(),
            faults: 0,
            views_for: ViewRule::IfItOnlyReads,
            dir,
        }
    }

    /// As after `kill -9`: nothing is closed in order, only what was committed is there.
    pub fn crash(self) -> Driver {
        let Driver { store, now, dir, .. } = self;
        let budget = store.hot.budget();
        drop(store);
        Driver {
            store: open(&dir, budget),
            now,
            effects: Vec::new(),
            faults: 0,
            views_for: ViewRule::IfItOnlyReads,
            dir,
        }
    }

    pub fn run<T: Send + 'static>(
        &mut self,
        body: impl Fn(&mut Txn) -> Result<T> + Clone + Send + 'static,
    ) -> T {
        self.try_run(body).map(|(value, _)| value).unwrap()
    }

    /// Runs a body to its end. Returns the epoch it depends on as well.
    pub fn try_run<T: Send + 'static>(
        &mut self,
        body: impl Fn(&mut Txn) -> Result<T> + Clone + Send + 'static,
    ) -> std::result::Result<(T, Epoch), String> {
        let mut last = None;
        let result = loop {
            let mut txn = self.store.begin(self.now);
            txn.allowance = Allowance::ENDLESS.with_views(self.views_for);
            let result = body(&mut txn);
            let end = txn.end();
            match result {
                Ok(value) => break Ok((value, self.store.stage(end))),
                Err(Stop::Fault) => {
                    let (now, again) = (self.now, body.clone());
                    let rehearsal = || {
                        Some(Rehearsal {
                            now,
                            may_use_view: false,
                            body: Box::new(move |txn| drop(again(txn))),
                        })
                    };
                    let missing = self.store.abandon(end);
                    let ticket = self.store.retry(missing, last, rehearsal);
                    last = Some(ticket);
                    self.faults += 1;
                    self.end_ticks_until(|store| store.is_ready(ticket));
                }
                Err(Stop::Await(_)) => panic!("nobody is there to wait"),
                Err(Stop::NeedsView) => {
                    self.store.abandon(end);
                    self.settle();
                    let (done, result) = mpsc::channel();
                    let body = body.clone();
                    self.store
                        .run_over_view(self.now, move |txn, _| done.send(body(txn)).unwrap());
                    break Ok((result.recv_timeout(PATIENCE).unwrap().unwrap(), Epoch::NONE));
                }
                Err(stop @ (Stop::Error(_) | Stop::Damage(_))) => {
                    self.store.stage_expired(end);
                    break Err(stop.text());
                }
            }
        };
        if let Some(ticket) = last {
            self.store.finish(ticket);
        }
        result
    }

    pub fn end_tick(&mut self) {
        let news = self.store.end_tick(self.now);
        self.effects.extend(news.effects);
    }

    pub fn end_ticks_until(&mut self, done: impl Fn(&Store) -> bool) {
        let start = Instant::now();
        loop {
            self.end_tick();
            if done(&self.store) {
                return;
            }
            assert!(start.elapsed() < PATIENCE, "the store's threads do not answer");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    pub fn commit(&mut self) {
        self.end_ticks_until(Store::is_idle);
    }

    /// Has everything committed, and brought from the journal to its families.
    pub fn settle(&mut self) {
        self.commit();
        let epoch = self.store.last_staged();
        self.store.want_checkpointed(epoch);
        self.end_ticks_until(|store| store.checkpointed() >= epoch);
    }

    pub fn reclaim_all(&mut self) {
        let start = Instant::now();
        self.settle();
        while !self.records(Family::Gc).is_empty() || !self.store.is_idle() {
            assert!(start.elapsed() < PATIENCE, "reclaim does not end");
            self.store.reclaim_some();
            self.end_tick();
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// One round of active expiry, as the executor does it.
    pub fn expire(&mut self) {
        // What is not on disk is not found before the next look.
        self.settle();
        self.store.look_for_due(self.now);
        self.end_ticks_until(|store| !store.expiry.is_walking());
        while let Some(due) = self.store.due().pop_front() {
            let db = self.store.database_of(due.namespace);
            self.run(move |txn| match db {
                Some(db) => txn.lookup(Key { db, name: &due.name }).map(drop),
                None => Ok(()),
            });
        }
        self.settle();
    }

    pub fn cold(&mut self) {
        self.settle();
        self.store.drop_hot();
        assert_eq!(self.store.hot.len(), 0);
    }

    pub fn set(&mut self, name: &str, value: &[u8], deadline: Option<u64>) -> Epoch {
        let (name, value) = (name.to_owned(), value.to_vec());
        let body = move |txn: &mut Txn| {
            let old = txn.lookup(key(&name))?;
            string::set(txn, key(&name), old.as_ref(), &value, deadline)
        };
        self.try_run(body).unwrap().1
    }

    pub fn get(&mut self, name: &str) -> Option<Vec<u8>> {
        let name = name.to_owned();
        self.run(move |txn| match txn.lookup(key(&name))? {
            Some(entry) => Ok(Some(string::read(txn, &entry)?.to_vec())),
            None => Ok(None),
        })
    }

    pub fn del(&mut self, name: &str) -> bool {
        let name = name.to_owned();
        self.run(move |txn| match txn.lookup(key(&name))? {
            Some(entry) => txn.remove(key(&name), &entry).map(|()| true),
            None => Ok(false),
        })
    }

    pub fn counts(&self) -> (u64, u64) {
        let Counts { keys, expires } = self.store.databases()[0];
        (keys, expires)
    }

    pub fn records(&self, family: Family) -> Vec<Vec<u8>> {
        self.store.disk.with_view(|view| {
            let mut walk = view.walk(family, b"", None).unwrap();
            let mut keys = Vec::new();
            while let Some((key, _)) = walk.next_record().unwrap() {
                keys.push(key.to_vec());
            }
            keys
        })
    }

    /// What memory says of the databases is what the disk says, to the record.
    pub fn check(&mut self) {
        self.settle();
        // First, as a step of reclaim may be under way.
        let garbage = self.records(Family::Gc);
        let (mut left, records) = (self.namespaces_on_disk(), self.held_on_disk());
        for db in 0..self.store.databases().len() {
            let mut counts = Counts::default();
            for holder in layout().holders(db) {
                let namespace = self.store.catalog.namespace(holder);
                let found = left.remove(&namespace.id).unwrap_or_default();
                assert_eq!(found, (namespace.keys, namespace.expires), "{holder:?}");
                // That of a slot without keys may be there, and need not.
                if namespace.keys > 0 || layout() == Layout::One {
                    let key = layout().record(holder);
                    assert_eq!(records.get(key.key()), Some(&namespace), "{holder:?}");
                }
                counts.keys += namespace.keys;
                counts.expires += namespace.expires;
            }
            assert_eq!(counts, self.store.databases()[db]);
        }
        // What nobody has is to be reclaimed.
        for id in left.into_keys() {
            assert!(garbage.contains(&id.to_be_bytes().to_vec()), "namespace {id}");
        }
    }

    /// The records of the catalog that name a namespace.
    fn held_on_disk(&self) -> HashMap<Vec<u8>, Namespace> {
        let mut found = HashMap::new();
        self.store.disk.with_view(|view| {
            let mut walk = view.walk(Family::System, b"", None).unwrap();
            while let Some((key, value)) = walk.next_record().unwrap() {
                if let Ok(namespace) = Namespace::decode(value) {
                    found.insert(key.to_vec(), namespace);
                }
            }
        });
        found
    }

    /// How many keys each namespace has, and how many have a deadline. Each key is in the slot that it belongs to.
    fn namespaces_on_disk(&self) -> HashMap<u64, (u64, u64)> {
        let mut found: HashMap<u64, (u64, u64)> = HashMap::new();
        for key in self.records(Family::Meta) {
            let (id, name) = format::split_ordered_id(&key).unwrap();
            found.entry(id).or_default().0 += 1;
            if let Some(db) = self.store.database_of(id) {
                let holder = layout().holder(db, name);
                assert_eq!(self.store.catalog.namespace(holder).id, id);
            }
        }
        for key in self.records(Family::Expire) {
            let (_, id, _) = format::split_expire_key(&key).unwrap();
            found.entry(id).or_default().1 += 1;
        }
        found
    }

    pub fn fail(&mut self) {
        self.store
            .decide(Err("no space".to_owned()), &mut News::default());
    }

    /// Has the store opened again after [`Driver::fail`].
    pub fn repair(&mut self) {
        self.store.repair();
        self.end_ticks_until(|store| store.broken().is_none());
    }
}

pub fn key(name: &str) -> Key<'_> {
    Key {
        db: 0,
        name: name.as_bytes(),
    }
}

pub fn long(seed: u8) -> Vec<u8> {
    (0..3 * SEGMENT + 5)
        .map(|i| (i as u8).wrapping_mul(seed))
        .collect()
}
