//! The threads beside the executor that may wait for the disk: the fetch pool, the view pool, the threads for
//! rehearsals, the committer, the syncer. They answer with values on one channel; a callback wakes the executor.

use std::io;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use super::Done;
use crate::base::process;
use crate::disk::Disk;

/// Wakes the executor from any thread.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

enum Job {
    Run(Box<dyn FnOnce() + Send>),
    /// The thread that takes it ends.
    End,
}

/// Threads that run jobs in the order they were given. Dropping the pool finishes what is queued, then ends them.
pub struct Pool {
    name: &'static str,
    priority: Priority,
    jobs: Option<Sender<Job>>,
    queue: Arc<Mutex<Receiver<Job>>>,
    threads: Vec<JoinHandle<()>>,
    started: usize,
}

/// How much lower than the executor's the priority of a pool's threads is, as niceness.
#[derive(Clone, Copy)]
pub enum Priority {
    /// Replies wait for each of its jobs.
    Equal = 0,
    /// Replies wait for few of its jobs, or where one takes very long: it takes what the executor and clients on this machine
    /// leave.
    Lower = 10,
    /// A flood of its jobs must not slow replies that need none.
    Lowest = 19,
}

impl Pool {
    pub fn start(name: &'static str, threads: usize, priority: Priority) -> io::Result<Pool> {
        let (jobs, queue) = mpsc::channel();
        let mut pool = Pool {
            name,
            priority,
            jobs: Some(jobs),
            queue: Arc::new(Mutex::new(queue)),
            threads: Vec::new(),
            started: 0,
        };
        (0..threads).try_for_each(|_| pool.grow())?;
        Ok(pool)
    }

    /// Adds a thread.
    pub fn grow(&mut self) -> io::Result<()> {
        let (queue, priority) = (self.queue.clone(), self.priority);
        let thread = thread::Builder::new().name(format!("{}-{}", self.name, self.started));
        let thread = thread.spawn(move || {
            take_priority(priority);
            while let Some(Job::Run(job)) = next_job(&queue) {
                job();
            }
        })?;
        self.threads.retain(|thread| !thread.is_finished());
        self.threads.push(thread);
        self.started += 1;
        Ok(())
    }

    /// Takes a thread away, once what is queued has begun.
    pub fn shrink(&self) {
        self.give(Job::End);
    }

    /// Has its threads give back what the allocator keeps at hand for them, about all of them.
    pub fn release_memory(&self) {
        (0..self.threads.len()).for_each(|_| self.run(process::release_thread_cache));
    }

    pub fn run(&self, job: impl FnOnce() + Send + 'static) {
        self.give(Job::Run(Box::new(job)));
    }

    /// Runs a job that waits for the disk, and tells the executor what came of it.
    pub(super) fn ask(
        &self,
        disk: &Arc<Disk>,
        done: &Sender<Done>,
        wake: &Wake,
        job: impl FnOnce(&Disk) -> Done + Send + 'static,
    ) {
        let (disk, done, wake) = (disk.clone(), done.clone(), wake.clone());
        self.run(move || {
            let result = job(&disk);
            // A closed channel means that the store is being dropped, and nobody waits any more.
            let _ = done.send(result);
            wake();
        });
    }

    fn give(&self, job: Job) {
        let jobs = self
            .jobs
            .as_ref()
            .unwrap_or_else(|| unreachable!("taken only by drop"));
        // The receiver lives as long as the pool.
        let _ = jobs.send(job);
    }
}

fn next_job(queue: &Mutex<Receiver<Job>>) -> Option<Job> {
    queue.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

fn take_priority(priority: Priority) {
    // SAFETY: a plain system call, which on Linux is about this thread alone. A refusal leaves the priority as it was:
    // slower, not wrong.
    unsafe { libc::nice(priority as libc::c_int) };
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
    use super::*;

    #[test]
    fn a_pool_that_has_grown_runs_one_job_more_at_a_time_until_it_shrinks() {
        let mut pool = Pool::start("test", 1, Priority::Equal).unwrap();
        let (release, held) = mpsc::channel::<()>();
        let (done, told) = mpsc::channel();
        pool.run(move || held.recv().unwrap_or(()));
        pool.grow().unwrap();
        let second = done.clone();
        pool.run(move || second.send(thread::current().id()).unwrap());
        let other = told.recv().unwrap();
        pool.shrink();
        // The first thread is held, so it is the other that takes the word.
        while !pool.threads.iter().any(JoinHandle::is_finished) {
            thread::yield_now();
        }
        pool.run(move || done.send(thread::current().id()).unwrap());
        release.send(()).unwrap();
        assert_ne!(told.recv().unwrap(), other);
    }
}
