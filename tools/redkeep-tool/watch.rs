//! What is seen of a long run: a bar on a terminal, a line from time to time elsewhere. And its end at Ctrl-C.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use redkeep::facade::transfer::Progress;

/// How often a bar is drawn.
const DRAWN: Duration = Duration::from_millis(100);
/// How often a line is written where there is no terminal.
const TOLD: Duration = Duration::from_secs(10);

/// Set by a signal.
static ASKED: AtomicBool = AtomicBool::new(false);

extern "C" fn ask(_: libc::c_int) {
    // A second one does not wait.
    if ASKED.swap(true, Ordering::Relaxed) {
        // SAFETY: this is one of the calls that a handler may make.
        unsafe { libc::_exit(130) };
    }
}

/// Somebody who watches.
pub struct Watch {
    progress: Arc<Progress>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Begins to watch; quietly, only signals are seen.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub fn begin(what: &'static str, quiet: bool) -> Result<Watch, String> {
        let handler = ask as extern "C" fn(libc::c_int);
        for signal in [libc::SIGINT, libc::SIGTERM] {
            // SAFETY: the handler only does what a handler may.
            unsafe { libc::signal(signal, handler as libc::sighandler_t) };
        }
        let (progress, is_over) = (Arc::new(Progress::default()), Arc::new(AtomicBool::new(false)));
        let (seen, over) = (progress.clone(), is_over.clone());
        let thread = thread::Builder::new().name("watch".to_owned());
        let thread = thread
            .spawn(move || watch(what, quiet, &seen, &over))
            .map_err(|e| e.to_string())?;
        Ok(Watch {
            progress,
            is_over,
            thread: Some(thread),
        })
    }

    /// What is watched.
    pub fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }

    /// Ends watching.
    pub fn end(self) {}
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // One that panicked has said so.
            let _ = thread.join();
        }
    }
}

fn watch(what: &'static str, quiet: bool, progress: &Progress, is_over: &AtomicBool) {
    let is_terminal = std::io::stderr().is_terminal();
    let bar = (is_terminal && !quiet).then(ProgressBar::new_spinner);
    let (begin, mut told) = (Instant::now(), Instant::now());
    while !is_over.load(Ordering::Relaxed) {
        if ASKED.load(Ordering::Relaxed) {
            progress.stop.store(true, Ordering::Relaxed);
        }
        if let Some(bar) = &bar {
            draw(bar, what, progress);
        } else if !quiet && told.elapsed() >= TOLD {
            told = Instant::now();
            eprintln!("{what}: {}", line(progress, begin));
        }
        thread::park_timeout(DRAWN);
    }
    if let Some(bar) = bar {
        bar.finish_and_clear();
    }
}

fn load(progress: &Progress) -> [u64; 4] {
    [
        &progress.keys,
        &progress.keys_expected,
        &progress.bytes,
        &progress.bytes_expected,
    ]
    .map(|count| count.load(Ordering::Relaxed))
}

fn draw(bar: &ProgressBar, what: &'static str, progress: &Progress) {
    let [keys, expected, bytes, all_bytes] = load(progress);
    // What is known better: how many bytes a file has, or how many keys a store.
    let (at, of, template) = if all_bytes > 0 {
        let shown = "{msg} {wide_bar:.green} {bytes}/{total_bytes}  {binary_bytes_per_sec}  {eta} left";
        (bytes, all_bytes, shown)
    } else if expected > 0 {
        let shown = "{msg} {wide_bar:.green} {human_pos}/{human_len} keys  {per_sec}  {eta} left";
        (keys, expected, shown)
    } else {
        (keys, 0, "{msg} {spinner} {human_pos} keys  {per_sec}")
    };
    if bar.length() != Some(of) {
        bar.set_length(of);
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(what);
    }
    bar.set_position(at.min(of.max(keys)));
}

fn line(progress: &Progress, begin: Instant) -> String {
    let [keys, expected, bytes, all_bytes] = load(progress);
    let rate = keys as f64 / begin.elapsed().as_secs_f64();
    let share = match (bytes, all_bytes, expected) {
        (bytes, all, _) if all > 0 => format!(", {} % of the file", bytes * 100 / all),
        (_, _, expected) if expected > 0 => format!(", {} % of all", keys * 100 / expected),
        _ => String::new(),
    };
    format!("{keys} keys{share}, {rate:.0} keys/s")
}
