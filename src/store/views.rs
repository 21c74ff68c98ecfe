//! The threads for bodies over views: beside the fetch pool, so that they don't keep faults waiting.
//!
//! A body runs while it has a **place**, of which there are few. One that waits for a client to read gives its place up
//! for that time, and one that others wait for takes turns with them, piece by piece; so neither a slow reader nor a fast
//! one with much to read keeps others from theirs. A body that waits still has its thread, but nobody else needs that: there
//! are as many as are wanted. Where there could be too many, those go that have waited longest.

use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle, Thread};
use std::time::{Duration, Instant};

use super::threads::{Priority, take_priority};
use crate::base::process;

/// How many bodies run at a time; so many threads are kept when nothing is to be done.
const PLACES: usize = 2;
/// How long a body keeps its place at least, though others wait for it: changing threads takes its time, too.
const TURN: Duration = Duration::from_millis(2);
/// Stack of a thread: bodies are loops, not recursions.
const STACK: usize = 512 << 10;
/// A thread that has nothing to do for so long gives memory back.
const LONG_IDLE: Duration = Duration::from_secs(1);
/// So many bodies may wait for their clients.
const MOST_WAITING: usize = 1024;

type Job = Box<dyn FnOnce(&Place) + Send>;

/// The pool. Dropping it ends all bodies that wait for clients, drops those that did not begin, and waits for the others.
pub struct Views(Arc<Shared>);

/// Has the bodies that wait for their clients end: for who has to have no view be in use.
#[derive(Clone)]
pub struct Interrupt(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// For threads without a body: there may be one.
    given: Condvar,
    /// Whether anybody waits for a place: without the lock.
    wanted: AtomicUsize,
    /// Bodies end at the next piece of their replies.
    interrupted: AtomicBool,
}

#[derive(Default)]
struct State {
    taken: usize,
    /// Who waits for a place, in turn.
    queue: VecDeque<Turn>,
    /// Bodies that have a place and get the next thread.
    given: VecDeque<Job>,
    threads: Vec<JoinHandle<()>>,
    idle: usize,
    started: usize,
    /// Bodies that wait for their clients, in the order in which they began to.
    waiting: BTreeMap<u64, Arc<Waiter>>,
    next_waiter: u64,
    closed: bool,
}

enum Turn {
    /// One that has not begun.
    Begin(Job),
    /// One that gave its place up.
    GoOn(Arc<Waiter>),
}

/// A body that has no place at present.
struct Waiter {
    thread: Thread,
    /// It has a place again.
    goes_on: AtomicBool,
    /// It is to end.
    is_given_up: AtomicBool,
}

impl Views {
    /// Starts the threads that are kept.
    pub fn start() -> io::Result<Views> {
        let views = Views(Arc::default());
        let mut state = views.0.lock();
        (0..PLACES).try_for_each(|_| views.0.start_thread(&mut state))?;
        drop(state);
        Ok(views)
    }

    /// Has a body run when it is its turn.
    pub fn run(&self, job: impl FnOnce(&Place) + Send + 'static) {
        let mut state = self.0.lock();
        state.queue.push_back(Turn::Begin(Box::new(job)));
        self.0.give_places(&mut state);
    }

    /// What has bodies end.
    pub fn interrupt(&self) -> Interrupt {
        Interrupt(self.0.clone())
    }

    /// How many bodies wait for their clients.
    pub fn waiting(&self) -> usize {
        self.0.lock().waiting.len()
    }
}

impl Drop for Views {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.closed = true;
        state.queue.retain(|turn| matches!(turn, Turn::GoOn(_)));
        let threads = std::mem::take(&mut state.threads);
        self.0.interrupt(&mut state);
        drop(state);
        self.0.given.notify_all();
        for thread in threads {
            // A body that panicked has said so on stderr already.
            let _ = thread.join();
        }
    }
}

impl Interrupt {
    /// Runs `body` while bodies over views end as soon as they notice: those that wait for clients at once.
    pub fn during<T>(&self, body: impl FnOnce() -> T) -> T {
        let mut state = self.0.lock();
        self.0.interrupt(&mut state);
        drop(state);
        let result = body();
        let state = self.0.lock();
        self.0.interrupted.store(state.closed, Ordering::Release);
        result
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start_thread(self: &Arc<Shared>, state: &mut State) -> io::Result<()> {
        let shared = self.clone();
        let thread = thread::Builder::new()
            .name(format!("view-{}", state.started))
            .stack_size(STACK);
        let thread = thread.spawn(move || {
            take_priority(Priority::Lowest);
            shared.work();
        })?;
        state.threads.retain(|thread| !thread.is_finished());
        state.threads.push(thread);
        state.started += 1;
        Ok(())
    }

    /// Gives free places to those who wait for one.
    fn give_places(self: &Arc<Shared>, state: &mut State) {
        while state.taken < PLACES
            && let Some(turn) = state.queue.pop_front()
        {
            state.taken += 1;
            match turn {
                Turn::Begin(job) => {
                    state.given.push_back(job);
                    if state.given.len() <= state.idle {
                        self.given.notify_one();
                    } else if self.start_thread(state).is_err() {
                        // The next thread that ends its body takes this one.
                        state.give_up_longest();
                    }
                }
                Turn::GoOn(waiter) => {
                    waiter.goes_on.store(true, Ordering::Release);
                    waiter.thread.unpark();
                }
            }
        }
        self.wanted.store(state.queue.len(), Ordering::Release);
    }

    /// What a thread does.
    fn work(self: &Arc<Shared>) {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.given.pop_front() {
                drop(state);
                let place = Place {
                    shared: self.clone(),
                    is_held: Cell::new(true),
                    since: Cell::new(Instant::now()),
                };
                job(&place);
                drop(place);
                state = self.lock();
            } else if state.closed || state.idle >= PLACES {
                return;
            } else {
                state.idle += 1;
                state = self.wait(state);
                state.idle -= 1;
            }
        }
    }

    /// Waits for something to do. What the allocator keeps at hand for this thread goes back if it is long.
    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        let (state, waited) = self
            .given
            .wait_timeout(state, LONG_IDLE)
            .unwrap_or_else(PoisonError::into_inner);
        if !waited.timed_out() || !state.given.is_empty() || state.closed {
            return state;
        }
        process::release_thread_cache();
        self.given.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    fn interrupt(&self, state: &mut State) {
        self.interrupted.store(true, Ordering::Release);
        state.waiting.values().for_each(|waiter| waiter.give_up());
    }
}

impl State {
    fn give_up_longest(&mut self) {
        if let Some((_, waiter)) = self.waiting.pop_first() {
            waiter.give_up();
        }
    }
}

impl Waiter {
    fn give_up(&self) {
        self.is_given_up.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

/// What a body needs to run: it has it at its beginning.
pub struct Place {
    shared: Arc<Shared>,
    is_held: Cell<bool>,
    since: Cell<Instant>,
}

/// The body is to end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct GivenUp;

impl Place {
    /// Lets others go on who have waited for a place, if there are any and this turn has lasted.
    pub fn take_turns(&self) -> Result<(), GivenUp> {
        if self.shared.interrupted.load(Ordering::Acquire) {
            return Err(GivenUp);
        }
        if self.is_turn_over() {
            self.give_back(&mut self.shared.lock());
            self.take_again();
        }
        Ok(())
    }

    /// Whether others are to have the place.
    pub fn is_turn_over(&self) -> bool {
        self.shared.wanted.load(Ordering::Acquire) > 0 && self.since.get().elapsed() >= TURN
    }

    /// Set when bodies over views are to end.
    pub fn interrupted(&self) -> &AtomicBool {
        &self.shared.interrupted
    }

    /// Waits until `is_over` says so, which is asked whenever this thread is unparked or the time has passed that it wants
    /// to be asked after. Others have the place meanwhile.
    pub fn wait_until(&self, mut is_over: impl FnMut() -> Wait) -> Result<(), GivenUp> {
        let waiter = Arc::new(Waiter {
            thread: thread::current(),
            goes_on: AtomicBool::new(false),
            is_given_up: AtomicBool::new(self.shared.interrupted.load(Ordering::Acquire)),
        });
        let mut state = self.shared.lock();
        let number = state.next_waiter;
        state.next_waiter += 1;
        state.waiting.insert(number, waiter.clone());
        if state.waiting.len() > MOST_WAITING {
            state.give_up_longest();
        }
        self.give_back(&mut state);
        drop(state);
        let result = loop {
            // Interrupted before it was among those who wait, or since.
            let is_interrupted = self.shared.interrupted.load(Ordering::Acquire);
            if is_interrupted || waiter.is_given_up.load(Ordering::Acquire) {
                break Err(GivenUp);
            }
            match is_over() {
                Wait::Over => break Ok(()),
                Wait::GivenUp => break Err(GivenUp),
                Wait::AtMost(time) => thread::park_timeout(time),
            }
        };
        self.shared.lock().waiting.remove(&number);
        if result.is_ok() {
            self.take_again();
        }
        result
    }

    fn give_back(&self, state: &mut State) {
        if self.is_held.replace(false) {
            state.taken -= 1;
            self.shared.give_places(state);
        }
    }

    /// Waits for a place.
    fn take_again(&self) {
        let waiter = Arc::new(Waiter {
            thread: thread::current(),
            goes_on: AtomicBool::new(false),
            is_given_up: AtomicBool::new(false),
        });
        let mut state = self.shared.lock();
        state.queue.push_back(Turn::GoOn(waiter.clone()));
        self.shared.give_places(&mut state);
        drop(state);
        while !waiter.goes_on.load(Ordering::Acquire) {
            thread::park();
        }
        self.is_held.set(true);
        self.since.set(Instant::now());
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let shared = self.shared.clone();
        self.give_back(&mut shared.lock());
    }
}

/// Whether a body has to wait any longer.
pub enum Wait {
    /// No.
    Over,
    /// No, and it is to end.
    GivenUp,
    /// Yes, but it asks again after this time.
    AtMost(Duration),
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    /// Has a body wait for a client that reads when the sender says so.
    fn stall(views: &Views) -> (Arc<AtomicBool>, mpsc::Receiver<Result<(), GivenUp>>) {
        let reads = Arc::new(AtomicBool::new(false));
        let (done, ended) = mpsc::channel();
        let has_read = reads.clone();
        views.run(move |place| {
            let result = place.wait_until(|| match has_read.load(Ordering::Acquire) {
                true => Wait::Over,
                false => Wait::AtMost(Duration::from_millis(5)),
            });
            done.send(result).unwrap();
        });
        (reads, ended)
    }

    fn await_stalled(views: &Views, n: usize) {
        while views.waiting() != n {
            thread::yield_now();
        }
    }

    #[test]
    fn bodies_that_wait_for_their_clients_keep_no_others_waiting() {
        let views = Views::start().unwrap();
        let stalled: Vec<_> = (0..200).map(|_| stall(&views)).collect();
        await_stalled(&views, stalled.len());
        let (done, ended) = mpsc::channel();
        for n in 0..10 {
            let done = done.clone();
            views.run(move |_| done.send(n).unwrap());
        }
        let ran: Vec<i32> = (0..10).map(|_| ended.recv_timeout(LONG).unwrap()).collect();
        assert_eq!(ran.len(), 10);
        for (reads, ended) in stalled {
            reads.store(true, Ordering::Release);
            assert_eq!(ended.recv_timeout(LONG), Ok(Ok(())));
        }
        assert_eq!(views.waiting(), 0);
    }

    #[test]
    fn a_body_that_never_ends_takes_turns_with_others() {
        let views = Views::start().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        for _ in 0..2 * PLACES {
            let stop = stop.clone();
            views.run(move |place| {
                while !stop.load(Ordering::Acquire) {
                    place.take_turns().unwrap();
                }
            });
        }
        let (done, ended) = mpsc::channel();
        views.run(move |_| done.send(()).unwrap());
        assert_eq!(ended.recv_timeout(LONG), Ok(()));
        stop.store(true, Ordering::Release);
    }

    #[test]
    fn no_more_bodies_run_at_a_time_than_there_are_places() {
        let views = Views::start().unwrap();
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (done, ended) = mpsc::channel();
        for _ in 0..20 {
            let (running, most, done) = (running.clone(), most.clone(), done.clone());
            views.run(move |place| {
                for _ in 0..100 {
                    most.fetch_max(running.fetch_add(1, Ordering::AcqRel) + 1, Ordering::AcqRel);
                    running.fetch_sub(1, Ordering::AcqRel);
                    place.take_turns().unwrap();
                }
                done.send(()).unwrap();
            });
        }
        (0..20).for_each(|_| ended.recv_timeout(LONG).unwrap());
        assert!(most.load(Ordering::Acquire) <= PLACES);
    }

    #[test]
    fn who_needs_that_no_view_is_in_use_has_those_end_that_wait() {
        let views = Views::start().unwrap();
        let stalled: Vec<_> = (0..5).map(|_| stall(&views)).collect();
        await_stalled(&views, stalled.len());
        views.interrupt().during(|| {
            for (_, ended) in &stalled {
                assert_eq!(ended.recv_timeout(LONG), Ok(Err(GivenUp)));
            }
            let (_, ended) = stall(&views);
            assert_eq!(ended.recv_timeout(LONG), Ok(Err(GivenUp)));
        });
        let (reads, ended) = stall(&views);
        await_stalled(&views, 1);
        reads.store(true, Ordering::Release);
        assert_eq!(ended.recv_timeout(LONG), Ok(Ok(())));
    }

    #[test]
    fn the_end_of_the_pool_waits_for_no_client() {
        let views = Views::start().unwrap();
        let stalled: Vec<_> = (0..5).map(|_| stall(&views)).collect();
        await_stalled(&views, stalled.len());
        drop(views);
        for (_, ended) in stalled {
            assert_eq!(ended.recv_timeout(LONG), Ok(Err(GivenUp)));
        }
    }
}
