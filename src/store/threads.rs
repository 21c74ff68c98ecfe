//! The threads beside the executor that may wait for the disk: the fetch pool, the threads for rehearsals, the committer, the
//! syncer, the checkpoint thread (for views: `store/views.rs`). They report what they did (`store/reports.rs`).

use std::io;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::Report;
use crate::base::process;
use crate::disk::Disk;

/// Wakes the executor from any thread.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

type Job = Box<dyn FnOnce() + Send>;

/// How long a thread waits for the others of its pool, where each is to do the same.
const TO_COME: Duration = Duration::from_millis(10);

/// Where a thread reports to, and how it wakes the executor.
#[derive(Clone)]
pub struct Reporter {
    sender: Sender<Report>,
    wake: Wake,
}

impl Reporter {
    /// Reports on this channel, and wakes the executor by this.
    pub(super) fn new(sender: Sender<Report>, wake: Wake) -> Reporter {
        Reporter { sender, wake }
    }

    /// Hands a report in, and wakes the executor. A closed channel means that the store is being dropped: nobody waits any
    /// more.
    pub(super) fn report(&self, report: Report) {
        let _ = self.sender.send(report);
        (self.wake)();
    }

    /// What wakes the executor.
    pub fn wake(&self) -> &Wake {
        &self.wake
    }
}

/// Threads that run jobs in the order they were given. Dropping the pool finishes what is queued, then ends them.
pub struct Pool {
    jobs: Option<Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
}

/// How much lower than the executor's the priority of a pool's threads is, as niceness. None is so low that the thread would come to
/// nothing while other programs take all processors: what it does is waited for in the end.
#[derive(Clone, Copy)]
pub enum Priority {
    /// Replies wait for each of its jobs.
    Equal = 0,
    /// Replies wait for few of its jobs, or where one takes very long: it takes what the executor and clients on this machine
    /// leave.
    Lower = 5,
    /// A flood of its jobs must not slow replies that need none.
    Lowest = 10,
}

impl Pool {
    /// Starts the threads. They are named after the pool, and numbered.
    pub fn start(name: &'static str, threads: usize, priority: Priority) -> io::Result<Pool> {
        let (jobs, queue) = mpsc::channel();
        let queue = Arc::new(Mutex::new(queue));
        let start_one = |number| {
            let queue = queue.clone();
            let thread = thread::Builder::new().name(format!("{name}-{number}"));
            thread.spawn(move || {
                take_priority(priority);
                while let Some(job) = next_job(&queue) {
                    job();
                }
            })
        };
        Ok(Pool {
            jobs: Some(jobs),
            threads: (0..threads).map(start_one).collect::<io::Result<_>>()?,
        })
    }

    /// Has its threads give back what the allocator keeps at hand for them.
    pub fn release_memory(&self) {
        self.run_on_each(process::release_thread_cache);
    }

    /// Has each of its threads do this: all that come within [`TO_COME`], others perhaps.
    fn run_on_each(&self, job: impl Fn() + Clone + Send + 'static) {
        let missing = Arc::new((Mutex::new(self.threads.len()), Condvar::new()));
        for _ in 0..self.threads.len() {
            let (missing, job) = (missing.clone(), job.clone());
            self.run(move || {
                job();
                let (missing, came) = &*missing;
                let mut missing = missing.lock().unwrap_or_else(PoisonError::into_inner);
                *missing -= 1;
                came.notify_all();
                // Whoever waits leaves the next of these jobs to another thread. That one may be busy: no matter.
                let _ = came.wait_timeout_while(missing, TO_COME, |missing| *missing > 0);
            });
        }
    }

    /// Gives the threads a job.
    pub fn run(&self, job: impl FnOnce() + Send + 'static) {
        let jobs = self
            .jobs
            .as_ref()
            .unwrap_or_else(|| unreachable!("taken only by drop"));
        // The receiver lives as long as the pool's threads.
        let _ = jobs.send(Box::new(job));
    }

    /// Runs a job that waits for the disk, and reports what came of it.
    pub(super) fn ask(
        &self,
        disk: &Arc<Disk>,
        reporter: &Reporter,
        job: impl FnOnce(&Disk) -> Report + Send + 'static,
    ) {
        let (disk, reporter) = (disk.clone(), reporter.clone());
        self.run(move || reporter.report(job(&disk)));
    }
}

fn next_job(queue: &Mutex<Receiver<Job>>) -> Option<Job> {
    queue.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

/// Gives this thread a lower priority.
pub(super) fn take_priority(priority: Priority) {
    process::lower_priority(priority as libc::c_int);
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

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_thread_of_a_pool_is_reached() {
        const THREADS: usize = 3;
        let pool = Pool::start("reached", THREADS, Priority::Equal).unwrap();
        let reached = Arc::new(Mutex::new(HashSet::new()));
        // On a busy machine some may come too late.
        for _ in 0..100 {
            let (done, all_done) = mpsc::channel();
            let ids = reached.clone();
            pool.run_on_each(move || {
                ids.lock().unwrap().insert(thread::current().id());
                done.send(()).unwrap();
            });
            assert_eq!(all_done.iter().count(), THREADS);
            if reached.lock().unwrap().len() == THREADS {
                return;
            }
        }
        panic!("not all threads were reached");
    }
}
