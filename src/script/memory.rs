//! What the interpreter takes of memory: counted, and bounded while a script runs.
//!
//! Lua gets its memory by one function. It refuses what would go above the limit, and Lua makes of this the error "not
//! enough memory", which unwinds the script by `longjmp`. That must not happen in Rust code, whose values would not be
//! dropped; so the limit holds only while Lua's own code runs: what the host and the libraries put into the state is
//! [`Memory::unbounded`], and the next allocation of the script sees it.

use std::cell::Cell;
use std::ffi::c_void;
use std::ptr;

/// The count and the limit of one interpreter.
#[derive(Debug, Default)]
pub(super) struct Memory {
    used: Cell<usize>,
    limit: Cell<usize>,
    is_bounded: Cell<bool>,
}

impl Memory {
    /// What is taken.
    pub(super) fn used(&self) -> usize {
        self.used.get()
    }

    /// What may be taken; 0: all.
    pub(super) fn limit(&self) -> usize {
        self.limit.get()
    }

    /// 0: none.
    pub(super) fn set_limit(&self, bytes: usize) {
        self.limit.set(bytes);
    }

    /// Whether so much more can be taken.
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        self.limit.get() == 0 || self.used.get().saturating_add(bytes) <= self.limit.get()
    }

    /// Has Lua's own code run, to which the limit applies.
    pub(super) fn bounded<R>(&self, run: impl FnOnce() -> R) -> R {
        self.with(true, run)
    }

    /// Has Rust code run, in which Lua must not fail.
    pub(super) fn unbounded<R>(&self, run: impl FnOnce() -> R) -> R {
        self.with(false, run)
    }

    fn with<R>(&self, is_bounded: bool, run: impl FnOnce() -> R) -> R {
        let before = self.is_bounded.replace(is_bounded);
        let result = run();
        self.is_bounded.set(before);
        result
    }

    /// What `lua_newstate` takes.
    ///
    /// # Safety
    /// `data` is a [`Memory`], `block` null or a block of `old` bytes that this function gave.
    pub(super) unsafe extern "C" fn allocate(
        data: *mut c_void,
        block: *mut c_void,
        old: usize,
        new: usize,
    ) -> *mut c_void {
        // SAFETY: the caller's promise.
        let memory = unsafe { &*data.cast::<Memory>() };
        let old = if block.is_null() { 0 } else { old };
        if new == 0 {
            memory.used.set(memory.used.get() - old);
            // SAFETY: it was given by `realloc` below, or is null.
            unsafe { libc::free(block) };
            return ptr::null_mut();
        }
        if new > old && memory.is_bounded.get() && !memory.has_room(new - old) {
            return ptr::null_mut();
        }
        // SAFETY: as above.
        let block = unsafe { libc::realloc(block, new) };
        if !block.is_null() {
            memory.used.set(memory.used.get() - old + new);
        }
        block
    }
}
