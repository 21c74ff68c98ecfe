//! What the functions that a script calls know of its run: the host, and how to wait for it.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::ptr::{self, NonNull};

use corosensei::Yielder;

use super::function::Function;
use super::host::{Host, Pulse};
use super::lua::Lua;
use super::memory::Memory;
use super::random::Random;
use crate::resp::Protocol;

/// Why a run stops before its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stop {
    /// [`super::Fault`]
    Fault,
    /// [`Pulse::Pause`]
    Pause,
}

/// How a run that has stopped goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum GoOn {
    /// From where it stopped.
    Resume,
    /// It comes to its end by an error that it cannot catch.
    Abort,
}

/// The context of one run.
pub(super) struct Context {
    host: Cell<Option<NonNull<dyn Host>>>,
    pub(super) yielder: Cell<*const Yielder<GoOn, Stop>>,
    /// The thread that the run began on.
    pub(super) base: Lua,
    pub(super) protocol: Cell<Protocol>,
    /// Set when the run has to end: the error is raised again wherever it was caught.
    ending: RefCell<Option<Cow<'static, str>>>,
    is_ending: Cell<bool>,
}

/// The run was aborted while it waited.
pub(super) struct Aborted;

impl Context {
    /// That of a lane, whose thread this is.
    pub(super) fn new(base: Lua) -> Context {
        Context {
            host: Cell::new(None),
            yielder: Cell::new(ptr::null()),
            base,
            protocol: Cell::new(Protocol::Resp2),
            ending: RefCell::new(None),
            is_ending: Cell::new(false),
        }
    }

    /// Makes it that of another run.
    pub(super) fn reset(&self) {
        self.protocol.set(Protocol::Resp2);
        *self.ending.borrow_mut() = None;
        self.is_ending.set(false);
    }

    /// Sets the host for as long as `run` takes.
    pub(super) fn with_host<R>(&self, host: &mut dyn Host, run: impl FnOnce() -> R) -> R {
        // SAFETY: only the lifetime changes; the pointer is taken away before the reference ends.
        let host: NonNull<dyn Host> = unsafe { std::mem::transmute(NonNull::from(host)) };
        self.host.set(Some(host));
        let result = run();
        self.host.set(None);
        result
    }

    /// Uses the host.
    pub(super) fn host<R>(&self, ask: impl FnOnce(&mut dyn Host) -> R) -> R {
        let mut host = self
            .host
            .take()
            .expect("a script runs only while there is a host");
        // SAFETY: it is set only while the reference that it was made of lives, and taken out while it is used.
        let answer = ask(unsafe { host.as_mut() });
        self.host.set(Some(host));
        answer
    }

    /// Stops, and comes back when the run goes on.
    pub(super) fn stop(&self, memory: &Memory, why: Stop) -> Result<(), Aborted> {
        // SAFETY: set when the coroutine began, and alive as long as it runs.
        let yielder = unsafe { &*self.yielder.get() };
        // Others run meanwhile, with a limit of memory or without.
        match memory.unbounded(|| yielder.suspend(why)) {
            GoOn::Resume => Ok(()),
            GoOn::Abort => {
                self.end_with("ERR the script was aborted".into());
                Err(Aborted)
            }
        }
    }

    /// Has the run end with this error.
    pub(super) fn end_with(&self, error: Cow<'static, str>) {
        *self.ending.borrow_mut() = Some(error);
        self.is_ending.set(true);
    }

    /// Whether something ends the run.
    #[inline]
    pub(super) fn is_ending(&self) -> bool {
        self.is_ending.get()
    }

    /// The error that ends the run, if something does.
    pub(super) fn ending(&self) -> Option<Cow<'static, str>> {
        self.ending.borrow().clone()
    }

    /// Asks whether to go on.
    pub(super) fn pulse(&self, memory: &Memory) -> Result<(), Aborted> {
        match self.host(|host| host.pulse()) {
            Pulse::GoOn => Ok(()),
            Pulse::Pause => self.stop(memory, Stop::Pause),
            Pulse::Kill(error) => {
                self.end_with(error);
                Err(Aborted)
            }
        }
    }
}

/// What all runs of an interpreter share; the state's allocator leads to it.
#[repr(C)]
pub(super) struct Shared {
    /// The first, so that the allocator's pointer is one to all of it.
    pub(super) memory: Memory,
    pub(super) context: Cell<*const Context>,
    /// One for all scripts, as Redis has it.
    pub(super) random: Cell<Random>,
    /// The heap's size after the last full collection.
    pub(super) collected: Cell<usize>,
    /// Counts the calls of the hook.
    pub(super) hooks: Cell<u32>,
    /// What the library that is being loaded has registered so far; none: none is.
    pub(super) registering: RefCell<Option<Vec<Function>>>,
}

impl Lua {
    /// What all runs share.
    pub(super) fn shared<'a>(self) -> &'a Shared {
        let memory: *const Memory = self.memory();
        // SAFETY: a state's memory is the first field of its `Shared`, which outlives the state.
        unsafe { &*memory.cast::<Shared>() }
    }

    /// The context of the run that this is called in.
    pub(super) fn context<'a>(self) -> &'a Context {
        let context = self.shared().context.get();
        assert!(!context.is_null(), "nothing runs");
        // SAFETY: set while a run has the processor, whose context lives in its lane.
        unsafe { &*context }
    }
}
