//! `redkeep-server`: flags, start, exit.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use redkeep::config::Config;
use redkeep::disk::{Compression, DiskOptions};
use redkeep::exec::{self, Engine};
use redkeep::net;
use redkeep::store::{Store, StoreOptions};
use tokio::sync::Notify;
use tokio::task::LocalSet;

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() {
    let config = Config::parse();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let local = LocalSet::new();
    runtime.block_on(local.run_until(serve(config)));
}

async fn serve(config: Config) {
    let options = StoreOptions {
        disk: DiskOptions {
            write_buffer: config.wb,
            block_cache: 64 << 20,
            background_jobs: 2,
            compression: Compression::Lz4,
        },
        hot_budget: config.maxmemory as usize,
        fetch_threads: 2,
        databases: 16,
        durability: exec::durability(config.appendfsync),
    };
    let notify = Arc::new(Notify::new());
    let remote = notify.clone();
    let store = Store::open(
        Path::new(&config.dir),
        &options,
        Arc::new(move || remote.notify_one()),
    )
    .unwrap();
    let near = notify.clone();
    let listeners = net::bind(&[format!("127.0.0.1:{}", config.port).parse().unwrap()], 511).unwrap();
    let engine = Rc::new(RefCell::new(Engine::new(
        store,
        config,
        Rc::new(move || near.notify_one()),
    )));
    listeners.serve(&engine).unwrap();
    let ticking = engine.clone();
    tokio::task::spawn_local(async move {
        let interval = ticking.borrow().tick_interval();
        loop {
            tokio::time::sleep(interval).await;
            ticking.borrow_mut().tick();
        }
    });
    let second = engine.clone();
    tokio::task::spawn_local(async move {
        loop {
            tokio::time::sleep(Duration::from_secs(1)).await;
            second.borrow_mut().tick_second();
        }
    });
    loop {
        notify.notified().await;
        engine.borrow_mut().pump();
    }
}
