//! The threads beside the executor that may wait for the disk: the fetch pool, the view pool, the committer. They
//! answer with values on one channel; a callback wakes the executor.

use std::io;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

/// Wakes the executor from any thread.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

type Job = Box<dyn FnOnce() + Send>;

/// Threads that run jobs in the order they were given. Dropping the pool finishes what is queued, then ends them.
pub struct Pool {
    jobs: Option<Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
}

/// How much lower than the executor's the priority of pool threads is: a flood of cold reads must not slow hot ones.
const NICENESS: libc::c_int = 19;

impl Pool {
    pub fn start(name: &str, threads: usize, lower_priority: bool) -> io::Result<Pool> {
        let (jobs, queue) = mpsc::channel::<Job>();
        let queue = Arc::new(Mutex::new(queue));
        let start_one = |n| {
            let queue = queue.clone();
            thread::Builder::new().name(format!("{name}-{n}")).spawn(move || {
                if lower_priority {
                    lower_own_priority();
                }
                while let Some(job) = next_job(&queue) {
                    job();
                }
            })
        };
        let threads = (0..threads).map(start_one).collect::<io::Result<_>>()?;
        Ok(Pool {
            jobs: Some(jobs),
            threads,
        })
    }

    pub fn run(&self, job: impl FnOnce() + Send + 'static) {
        let jobs = self
            .jobs
            .as_ref()
            .unwrap_or_else(|| unreachable!("taken only by drop"));
        // The receivers live as long as the threads, and those end only with the pool.
        let _ = jobs.send(Box::new(job));
    }
}

fn next_job(queue: &Mutex<Receiver<Job>>) -> Option<Job> {
    queue.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

fn lower_own_priority() {
    // SAFETY: plain system calls on this thread's own id. A refusal leaves the priority as it was: slower, not wrong.
    unsafe {
        let tid = libc::syscall(libc::SYS_gettid) as libc::id_t;
        libc::setpriority(libc::PRIO_PROCESS, tid, NICENESS);
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.jobs = None;
        for thread in self.threads.drain(..) {
            // A job that panicked has said so on stderr already.
            let _ = thread.join();
        }
    }
}
