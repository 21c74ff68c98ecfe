//! The server: flags, start, exit.

use std::backtrace::Backtrace;
use std::cell::RefCell;
use std::fs;
use std::future::poll_fn;
use std::io::ErrorKind;
use std::panic::PanicHookInfo;
use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use crate::base::{log, process, service, signals};
use crate::config::{Config, Supervised};
use crate::disk::{Creation, Staged};
use crate::exec::{self, Engine, FilePlan, MemoryPlan, Paused};
use crate::facade::transfer::{Choice, Conflict, RestoreOptions, restore};
use crate::net::{self, SharedEngine};
use crate::store::Store;
use tokio::net::UnixStream;
use tokio::runtime::LocalOptions;
use tokio::sync::Notify;
use tokio::task::coop::unconstrained;
use tokio::{task, time};

/// How many tasks run before the runtime asks for new events: enough for a whole tick of many connections.
const EVENT_INTERVAL: u32 = 256;
/// How soon the heap gives back what is free under a small memory budget.
const SMALL_BUDGET_DECAY: Duration = Duration::from_secs(2);
/// Above so many cores, sockets get threads of their own (`io-threads 0`).
const CORES_FOR_ONE_THREAD: usize = 4;
/// How long the end waits for what is staged to be on disk.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(10);

/// Runs the server as the process's command line says, until a signal or SHUTDOWN ends it. What the process ends with is a
/// failure if it could not start, or could not bring to disk what was staged.
pub fn run() -> ExitCode {
    let mut config = match Config::from_command_line(std::env::args_os()) {
        Ok(config) => config,
        Err(error) => error.exit(),
    };
    if let Err(text) = begin_log(&config).and_then(|()| begin_process(&config)) {
        eprintln!("redkeep-server: {text}");
        return ExitCode::FAILURE;
    }
    tell_what_does_not_count(&config);
    if let Err(text) = limit_clients(&mut config) {
        log::warning(text);
        return ExitCode::FAILURE;
    }
    // The engine decides when it holds enough for them.
    process::use_huge_pages(false);
    process::take_memory_apart();
    if MemoryPlan::of(&config).is_small() {
        process::set_heap_decay(SMALL_BUDGET_DECAY);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .event_interval(EVENT_INTERVAL)
        .build_local(LocalOptions::default());
    let ended = match runtime {
        Ok(runtime) => runtime.block_on(serve(config)),
        Err(e) => Err(format!("the runtime cannot be started: {e}")),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            log::warning(text);
            ExitCode::FAILURE
        }
    }
}

/// From here on everything that is to be said is said in the log, a panic included.
fn begin_log(config: &Config) -> Result<(), String> {
    log::set_level(config.loglevel);
    if !config.logfile.as_os_str().is_empty() {
        let cannot = |e| format!("Can't open the log file {}: {e}", config.logfile.display());
        // Named as in Redis, which makes `dir` its working directory first.
        fs::create_dir_all(&config.dir).map_err(cannot)?;
        log::to_file(config.in_dir(&config.logfile)).map_err(cannot)?;
    }
    std::panic::set_hook(Box::new(|panic| end_of_panic(panic)));
    Ok(())
}

/// Who brings a configuration of Redis may expect something else.
fn tell_what_does_not_count(config: &Config) {
    if config.has_idle_password() {
        log::warning(
            "requirepass does not count: the line 'user default' of the configuration says who may log in",
        );
    }
    let idle = config.without_effect();
    if !idle.is_empty() {
        log::notice(format_args!(
            "these options have no effect here: {}",
            idle.join(", ")
        ));
    }
}

/// A panic on any thread, or in any task, ends the process: without one of its parts the server would be a trap for its
/// clients. Nothing that was acknowledged is lost, as it is in the store's log.
fn end_of_panic(panic: &PanicHookInfo) -> ! {
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("?");
    let message = panic.payload_as_str().unwrap_or("no message");
    match panic.location() {
        Some(place) => log::warning(format_args!("panic at {place} in thread '{name}': {message}")),
        None => log::warning(format_args!("panic in thread '{name}': {message}")),
    }
    for line in Backtrace::force_capture().to_string().lines() {
        log::warning(line);
    }
    signals::abort()
}

fn begin_process(config: &Config) -> Result<(), String> {
    if config.daemonize && !is_supervised(config) {
        service::daemonize().map_err(|e| format!("cannot go to the background: {e}"))?;
    }
    signals::install().map_err(|e| format!("signals cannot be handled: {e}"))
}

fn is_supervised(config: &Config) -> bool {
    match config.supervised {
        Supervised::No => false,
        Supervised::Systemd => true,
        Supervised::Auto => service::is_notified(),
    }
}

fn tell_supervisor(is_supervised: bool, state: &str) {
    if is_supervised && let Err(e) = service::notify(state) {
        log::warning(format_args!("the service manager cannot be told {state}: {e}"));
    }
}

/// `maxclients` is what the operating system's limit of open files allows.
fn limit_clients(config: &mut Config) -> Result<(), String> {
    let limit = process::file_limit();
    if limit < FilePlan::LEAST {
        return Err(format!(
            "the limit of open files is {limit}, and at least {} are needed: raise it (ulimit -n, LimitNOFILE)",
            FilePlan::LEAST
        ));
    }
    let possible = FilePlan::of(limit, config.maxclients).clients;
    if possible < config.maxclients {
        log::warning(format_args!(
            "the limit of open files ({limit}) is too low for maxclients {}: it is set to {possible}",
            config.maxclients
        ));
        config.maxclients = possible;
    }
    Ok(())
}

/// Starts everything, and returns when the server was asked to end.
async fn serve(config: Config) -> Result<(), String> {
    let commit = Arc::new(Notify::new());
    let (far, near) = (commit.clone(), commit.clone());
    let listeners = net::bind(&config)?;
    let dir = config.dir.clone();
    let started = std::time::Instant::now();
    fill_new_store(&config)?;
    let store = Store::open(
        &dir,
        &exec::store_options(&config),
        Arc::new(move || far.notify_one()),
    )
    .map_err(|e| format!("{}: {e}", dir.display()))?;
    let io_threads = io_threads(&config);
    let port = config.port;
    let pidfile = write_pidfile(&config);
    let is_supervised = is_supervised(&config);
    let engine = Rc::new(RefCell::new(Engine::new(
        store,
        config,
        Rc::new(move || near.notify_one()),
    )));
    let asked = signals::begin_serving()
        .and_then(UnixStream::from_std)
        .map_err(|e| format!("signals cannot be handled: {e}"))?;
    listeners
        .serve(&engine, io_threads)
        .map_err(|e| format!("cannot serve: {e}"))?;
    spawn_work(&engine, commit);
    log::notice(format_args!(
        "redkeep {}: ready to accept connections on port {port} ({} ms)",
        env!("CARGO_PKG_VERSION"),
        started.elapsed().as_millis()
    ));
    tell_supervisor(is_supervised, "STATUS=Ready to accept connections\nREADY=1");
    asked_to_end(&engine, &asked).await;
    signals::begin_ending();
    tell_supervisor(is_supervised, "STOPPING=1");
    log::warning("User requested shutdown...");
    let ended = end(&engine).await;
    if let Some(pidfile) = pidfile {
        // Someone else's removal is as good.
        let _ = fs::remove_file(pidfile);
    }
    if ended.is_ok() {
        log::warning("Redkeep is now ready to exit, bye bye...");
    }
    ended
}

/// `load`: fills a new store. Whoever is killed meanwhile leaves none, and it begins anew; one that is there stays as it is.
fn fill_new_store(config: &Config) -> Result<(), String> {
    if config.load.as_os_str().is_empty() {
        return Ok(());
    }
    let (from, dir) = (&config.load, &config.dir);
    let creation = Creation {
        beside: exec::beside_the_store(config),
        ..Creation::default()
    };
    if Staged::is_needless(dir, &creation).map_err(|e| format!("{}: {e}", dir.display()))? {
        log::notice(format_args!(
            "{} is not loaded, as there is a store in {} already",
            from.display(),
            dir.display()
        ));
        return Ok(());
    }
    log::notice(format_args!("loading {}", from.display()));
    let options = RestoreOptions {
        conflict: Conflict::Fail,
        databases: config.databases as usize,
        choice: Choice::default(),
        accepts_losses: false,
        beside: creation.beside,
    };
    let restored = restore(from, dir, &options, &Arc::default())
        .map_err(|text| format!("nothing was loaded: {text}"))?;
    restored.notes.iter().for_each(log::warning);
    log::notice(format_args!(
        "loaded {} keys, and {} libraries of functions; {} keys had expired",
        restored.written, restored.libraries, restored.expired
    ));
    Ok(())
}

fn io_threads(config: &Config) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    match config.io_threads as usize {
        0 if cores <= CORES_FOR_ONE_THREAD => 1,
        0 => cores / 4 + 1,
        n => n,
    }
}

/// The pid file, if there is to be one. Without it the server is as good for its clients.
fn write_pidfile(config: &Config) -> Option<PathBuf> {
    if config.pidfile.as_os_str().is_empty() {
        return None;
    }
    let path = config.in_dir(&config.pidfile);
    match fs::write(&path, format!("{}\n", std::process::id())) {
        Ok(()) => Some(path),
        Err(e) => {
            log::warning(format_args!(
                "the pid file {} cannot be written: {e}",
                path.display()
            ));
            None
        }
    }
}

/// The tasks beside the connections: the end of each tick, and regular work.
fn spawn_work(engine: &SharedEngine, commit: Arc<Notify>) {
    let committing = engine.clone();
    // One turn of this task may write to every connection: more than the budget that others share fairly.
    task::spawn_local(unconstrained(async move {
        loop {
            commit.notified().await;
            while net::commit_and_release(&committing) {
                // Also to the sockets.
                task::yield_now().await;
            }
        }
    }));
    let ticking = engine.clone();
    task::spawn_local(async move {
        loop {
            let interval = ticking.borrow().tick_interval();
            time::sleep(interval).await;
            ticking.borrow_mut().tick();
        }
    });
    let timing = engine.clone();
    task::spawn_local(async move {
        loop {
            let next = timing.borrow_mut().end_waits_in_time();
            let moved = poll_fn(|cx| timing.borrow_mut().waiters.poll_moved(cx));
            match next {
                // Which of the two it was does not matter.
                Some(next) => drop(time::timeout(next, moved).await),
                None => moved.await,
            }
        }
    });
    let seconds = engine.clone();
    task::spawn_local(async move {
        loop {
            time::sleep(Duration::from_secs(1)).await;
            seconds.borrow_mut().tick_second();
        }
    });
}

/// Waits for a signal that asks for the end, or SHUTDOWN.
async fn asked_to_end(engine: &SharedEngine, signals: &UnixStream) {
    poll_fn(|cx| {
        let mut asked = engine.borrow_mut().shutdown.poll_asked(cx).is_ready();
        while !asked && signals.poll_read_ready(cx).is_ready() {
            // It may be a false alarm.
            asked = !matches!(signals.try_read(&mut [0]), Err(e) if e.kind() == ErrorKind::WouldBlock);
        }
        match asked {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    })
    .await;
}

/// Brings everything that is staged to disk, so that the next start has nothing to replay.
async fn end(engine: &SharedEngine) -> Result<(), String> {
    let deadline = time::Instant::now() + SHUTDOWN_LIMIT;
    // Nobody adds to what is staged any more.
    engine.borrow_mut().pause(Paused::All, u64::MAX);
    while !engine.borrow().store.is_idle() {
        if time::Instant::now() > deadline {
            return Err("the disk does not answer: what was not acknowledged is lost".to_owned());
        }
        // What more there may be to do is not for now.
        let _ = net::commit_and_release(engine);
        time::sleep(Duration::from_millis(1)).await;
    }
    engine.borrow_mut().store.close()
}
