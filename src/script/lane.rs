//! Where a script runs: a thread of the Lua state, and a stack of its own for the C and Rust functions under it.
//!
//! A script that has to wait is suspended whole, with all that it is in the middle of: the stack is simply left, and
//! entered again when it goes on. So it can wait anywhere: in `pcall`, in a metamethod, in the comparison of `table.sort`,
//! in a coroutine of its own. Lua's own coroutines cannot do that, for in Lua 5.1 these are C functions that a `yield`
//! cannot cross. Leaving and entering takes some ten nanoseconds, so that a script with 10,000 faults does no more work
//! than one without, and the time that they wait.

use std::ffi::c_int;
use std::io;

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult};
use mlua_sys as ffi;

use super::context::{Context, GoOn, Shared, Stop};
use super::host::Host;
use super::lua::Lua;
use crate::resp::Reply;

/// The size of a stack. It is enough for 200 calls that go through C functions, each with a buffer of 8 KiB (Lua's limit),
/// and for what libraries recurse. Memory is taken for the pages that are touched only.
const STACK: usize = 8 << 20;

/// What a run is, once it has begun.
type Run = Coroutine<GoOn, Stop, Ended, DefaultStack>;

/// How a run has ended, in the state's words and as a reply.
pub(super) struct Ended {
    pub(super) reply: Result<Reply, Failure>,
}

/// The status of a run that has failed; its error is on the stack.
pub(super) struct Failure {
    pub(super) status: c_int,
}

/// A place for one run at a time.
pub(super) struct Lane {
    pub(super) lua: Lua,
    /// The thread's number in the registry.
    thread: c_int,
    /// The numbers of its KEYS and ARGV there.
    pub(super) tables: [c_int; 2],
    pub(super) context: Box<Context>,
    /// At rest between runs.
    stack: Option<DefaultStack>,
    run: Option<Run>,
}

impl Lane {
    /// One on a new thread.
    pub(super) fn new(main: Lua) -> io::Result<Lane> {
        let stack = DefaultStack::new(STACK)?;
        // SAFETY: the state is alive, and lacks no memory outside of scripts.
        let lua = Lua(unsafe { ffi::lua_newthread(main.0) });
        let thread = main.keep();
        let tables = [(); 2].map(|()| {
            main.push_bool(false);
            main.keep()
        });
        Ok(Lane {
            lua,
            thread,
            tables,
            context: Box::new(Context::new(lua)),
            stack: Some(stack),
            run: None,
        })
    }

    /// Gives up what the state keeps for it.
    pub(super) fn close(self, main: Lua) {
        let [keys, arguments] = self.tables;
        for number in [self.thread, keys, arguments] {
            main.drop_kept(number);
        }
    }

    /// Prepares the run of what `body` does; [`Lane::go_on`] begins it.
    pub(super) fn begin(&mut self, body: impl FnOnce(&Context) -> Ended + 'static) {
        let stack = self.stack.take().expect("one run at a time");
        let context: *const Context = &*self.context;
        self.run = Some(Coroutine::with_stack(stack, move |yielder, _| {
            // SAFETY: the lane, and so its context, outlives its run.
            let context = unsafe { &*context };
            context.yielder.set(yielder);
            body(context)
        }));
    }

    /// Runs until the run stops or ends.
    pub(super) fn go_on(
        &mut self,
        shared: &Shared,
        host: &mut dyn Host,
        how: GoOn,
    ) -> CoroutineResult<Stop, Ended> {
        let run = self.run.as_mut().expect("a run that has begun");
        let before = shared.context.replace(&*self.context);
        let result = self.context.with_host(host, || run.resume(how));
        shared.context.set(before);
        if matches!(result, CoroutineResult::Return(_))
            && let Some(run) = self.run.take()
        {
            self.stack = Some(run.into_stack());
        }
        result
    }
}
