//! A store in a directory of its own, and bodies run to their end: for the tests of the layers above.

use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tempfile::TempDir;

use super::{Allowance, Layout, Result, Stop, Store, StoreOptions, Ticket, Txn, ViewRule};
use crate::disk::{Compression, Creation, DiskOptions, Durability};

/// How long the store's threads may take over anything.
const PATIENCE: Duration = Duration::from_secs(20);
/// How many times a body may fault.
const MAX_RUNS: usize = 100;

/// A store in a directory of its own, and a clock that stands still.
pub struct TestStore {
    /// What bodies run over.
    pub store: Store,
    /// Unix milliseconds, as transactions see them.
    pub now: u64,
    /// How many runs of bodies ended in a fault.
    pub faults: usize,
    /// How many bodies went to a view.
    pub views: usize,
    /// How many writes of records bodies made.
    pub writes: usize,
    /// Which bodies may go over a view.
    pub views_for: ViewRule,
    layout: Layout,
    woken: Receiver<()>,
    dir: TempDir,
}

impl TestStore {
    /// An empty store, that may hold much in memory.
    pub fn open() -> TestStore {
        TestStore::open_as(Layout::One)
    }

    /// The store for a seed of a model test: for some of them its databases are divided by slots.
    pub fn for_seed(seed: u64) -> TestStore {
        TestStore::open_as(match seed.is_multiple_of(3) {
            true => Layout::Slots,
            false => Layout::One,
        })
    }

    /// With databases that are divided so.
    pub fn open_as(layout: Layout) -> TestStore {
        let dir = tempfile::tempdir().unwrap();
        let (store, woken) = open(&dir, layout);
        TestStore {
            store,
            now: 1_700_000_000_000,
            faults: 0,
            views: 0,
            writes: 0,
            views_for: ViewRule::IfItOnlyReads,
            layout,
            woken,
            dir,
        }
    }

    /// Runs a body as the executor does, again after each fault and over a view if it asks for one, and applies what it
    /// did. The error is the text that a client would see.
    pub fn run<T>(&mut self, mut body: impl FnMut(&mut Txn) -> Result<T>) -> std::result::Result<T, String> {
        let mut held: Option<Ticket> = None;
        for _ in 0..MAX_RUNS {
            let mut txn = self.store.begin(self.now);
            txn.allowance = Allowance::ENDLESS.with_views(self.views_for);
            let result = body(&mut txn);
            let end = txn.end();
            let over = match result {
                Ok(value) => {
                    self.writes += end.0.writes.log.len();
                    self.store.stage(end);
                    Ok(value)
                }
                Err(stop @ (Stop::Error(_) | Stop::Damage(_))) => {
                    self.store.abandon(end);
                    Err(stop.text())
                }
                Err(Stop::Await(_)) => {
                    self.store.abandon(end);
                    panic!("nobody is there to wait");
                }
                Err(Stop::NeedsView) => {
                    self.store.abandon(end);
                    self.run_over_view(&mut body)
                }
                Err(Stop::Fault) => {
                    self.faults += 1;
                    let missing = self.store.abandon(end);
                    assert!(missing.is_any(), "a fault that names nothing");
                    let ticket = self.store.retry(missing, held, || None);
                    held = Some(ticket);
                    self.end_ticks_until(|store| store.is_ready(ticket));
                    continue;
                }
            };
            if let Some(ticket) = held {
                self.store.finish(ticket);
            }
            return over;
        }
        panic!("a body that faulted {MAX_RUNS} times");
    }

    fn run_over_view<T>(
        &mut self,
        body: &mut impl FnMut(&mut Txn) -> Result<T>,
    ) -> std::result::Result<T, String> {
        self.views += 1;
        self.settle();
        let (disk, cursors) = (self.store.disk.clone(), self.store.cursors.clone());
        let (layout, now) = (self.layout, self.now);
        match disk.with_view(|view| body(&mut Txn::over_view(view, &cursors, layout, now))) {
            Ok(value) => Ok(value),
            Err(stop @ (Stop::Error(_) | Stop::Damage(_))) => Err(stop.text()),
            Err(stop) => panic!("over a view: {stop:?}"),
        }
    }

    /// Waits until everything is on disk where it belongs.
    pub fn settle(&mut self) {
        self.end_ticks_until(Store::is_idle);
        let epoch = self.store.last_staged();
        self.store.want_checkpointed(epoch);
        self.end_ticks_until(|store| store.checkpointed() >= epoch);
    }

    /// The keys that active expiry finds due.
    pub fn due(&mut self) -> Vec<Vec<u8>> {
        self.settle();
        self.store.look_for_due(self.now);
        self.end_ticks_until(|store| !store.expiry.is_walking());
        self.store.due().drain(..).map(|due| due.name).collect()
    }

    /// Has every record read from disk again.
    pub fn drop_hot(&mut self) {
        self.settle();
        self.store.drop_hot();
    }

    /// Closes the store and opens it again.
    pub fn reopen(&mut self) {
        self.settle();
        self.store.close().unwrap();
        // The directory is locked until the old store is gone, so an empty one stands in for it.
        let spare = tempfile::tempdir().unwrap();
        let old = std::mem::replace(&mut self.store, open(&spare, self.layout).0);
        drop(old);
        (self.store, self.woken) = open(&self.dir, self.layout);
    }

    /// Closes the store, and leaves its directory.
    pub fn close(mut self) -> TempDir {
        self.settle();
        self.store.close().unwrap();
        self.dir
    }

    fn end_ticks_until(&mut self, is_done: impl Fn(&Store) -> bool) {
        loop {
            self.store.end_tick(self.now);
            if is_done(&self.store) {
                return;
            }
            self.woken
                .recv_timeout(PATIENCE)
                .expect("the store's threads answer");
        }
    }
}

fn open(dir: &TempDir, layout: Layout) -> (Store, Receiver<()>) {
    let options = StoreOptions {
        disk: DiskOptions {
            write_buffer: 4 << 20,
            block_cache: 4 << 20,
            background_jobs: 1,
            compression: Compression::Lz4,
            open_tables: 1000,
        },
        creation: Creation::default(),
        hot_budget: 64 << 20,
        fetch_threads: 1,
        databases: 2,
        layout,
        durability: Durability::Written,
    };
    let (wake, woken) = mpsc::channel();
    let wake = Mutex::new(wake);
    let wake = move || {
        // Nobody listens any more once the test is over.
        let _ = wake.lock().unwrap_or_else(PoisonError::into_inner).send(());
    };
    let store = Store::open(dir.path(), &options, Arc::new(wake)).unwrap();
    (store, woken)
}

impl Stop {
    /// What a client would be told.
    pub fn text(self) -> String {
        match self {
            Stop::Error(text) => text.into_owned(),
            Stop::Damage(damage) => damage.text,
            Stop::Fault | Stop::NeedsView | Stop::Await(_) => panic!("not the end of a command: {self:?}"),
        }
    }
}
