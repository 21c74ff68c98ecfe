//! The interpreter: one Lua state, the scripts that it knows, and the runs that wait.

use std::borrow::Cow;
use std::ffi::c_int;
use std::io;
use std::rc::Rc;

use corosensei::CoroutineResult;
use mlua_sys as ffi;

use super::cache::{Cache, Keep, Script, Sha};
use super::context::{Context, GoOn, Shared, Stop};
use super::function::{Function, Libraries};
use super::host::{Fault, Host, LogLevel, Pulse};
use super::lane::{Ended, Failure, Lane};
use super::loading::Loading;
use super::lua::{Lua, REGISTRY, Type};
use super::memory::Memory;
use super::random::Random;
use super::{api, errors, from_lua, library, loading as load, sandbox, shebang};
use crate::resp::{Protocol, Reply};

/// So many lanes are kept for later runs; each has a stack.
const MAX_IDLE_LANES: usize = 4;

/// Where a run has the error handler on its thread's stack.
const HANDLER: c_int = 1;

/// What an interpreter is made with.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// What scripts read as `redis.REDIS_VERSION`.
    pub version: &'a str,
    /// What all scripts together may take of memory; 0: no limit.
    pub memory: usize,
}

/// A Lua state with what belongs to it. It runs on one thread, and several scripts may be in the middle of their runs.
pub struct Interpreter {
    shared: Box<Shared>,
    main: Lua,
    /// Numbers in the registry: of the globals, and of the error handler.
    globals: c_int,
    handler: c_int,
    /// Likewise: of the globals that libraries see while they are loaded.
    library_globals: c_int,
    cache: Cache,
    libraries: Libraries,
    idle: Vec<Lane>,
    waiting: usize,
    /// The heap's size after the last full collection between runs.
    at_rest: usize,
}

/// What a run has come to.
#[must_use]
pub enum Outcome {
    /// It has ended.
    Done(Done),
    /// It waits: go on with [`Interpreter::resume`], or end it with [`Interpreter::abort`].
    Stopped(Run),
}

/// How a run has ended.
#[derive(Debug, PartialEq)]
pub struct Done {
    /// What the client is to get.
    pub reply: Reply,
    /// The script has failed: `reply` is the error that it has raised. (It may return one, too.)
    pub failed: bool,
    /// `reply` is an error that was counted when the command failed which it comes from.
    pub is_counted: bool,
}

/// A run that waits.
#[must_use]
pub struct Run {
    lane: Lane,
    name: Name,
    why: Stop,
}

/// What a run is called in the errors that it ends with.
#[derive(Clone)]
enum Name {
    Script(Sha),
    Function(Rc<[u8]>),
    /// The code of a library: its errors say by themselves where they come from.
    Library,
}

impl Name {
    fn shown(&self) -> Cow<'_, str> {
        match self {
            Name::Script(sha) => String::from_utf8_lossy(sha),
            Name::Function(name) => String::from_utf8_lossy(name),
            Name::Library => "".into(),
        }
    }
}

impl Run {
    /// What it waits for.
    pub fn why(&self) -> Stop {
        self.why
    }
}

impl Interpreter {
    /// A state with all libraries.
    pub fn new(options: Options) -> io::Result<Interpreter> {
        let shared = Box::new(Shared {
            memory: Memory::default(),
            context: std::ptr::null::<Context>().into(),
            random: Random::unseeded().into(),
            collected: 0.into(),
            hooks: 0.into(),
            registering: None.into(),
        });
        let data: *const Shared = &*shared;
        // SAFETY: the allocator gets what it wants, a `Memory`, which is the first field and outlives the state.
        let state = unsafe { ffi::lua_newstate(Memory::allocate, data.cast_mut().cast()) };
        if state.is_null() {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        let main = Lua(state);
        sandbox::open_libraries(main);
        api::register(main, options.version);
        library::register(main);
        sandbox::set_handler(main);
        let library_globals = load::make_globals(main);
        let globals = sandbox::close(main);
        main.push_function(errors::handle, 0);
        let handler = main.keep();
        main.collect();
        shared.collected.set(shared.memory.used());
        let at_rest = shared.memory.used();
        shared.memory.set_limit(options.memory);
        Ok(Interpreter {
            shared,
            main,
            globals,
            handler,
            library_globals,
            cache: Cache::new(),
            libraries: Libraries::default(),
            idle: Vec::new(),
            waiting: 0,
            at_rest,
        })
    }

    /// Changes the limit of memory; 0: none.
    pub fn set_memory_limit(&mut self, bytes: usize) {
        self.shared.memory.set_limit(bytes);
    }

    /// What Lua holds, in bytes.
    pub fn memory(&self) -> usize {
        self.shared.memory.used()
    }

    /// What the cache of scripts holds beside that.
    pub fn scripts_memory(&self) -> usize {
        self.cache.size()
    }

    /// How many scripts are known.
    pub fn scripts(&self) -> usize {
        self.cache.len()
    }

    /// How many scripts of EVAL had to leave for others.
    pub fn evicted_scripts(&self) -> u64 {
        self.cache.evicted()
    }

    /// How many runs wait.
    #[cfg(test)]
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// Gives back the memory of what no script can reach any more.
    pub fn collect(&mut self) {
        self.main.collect();
        self.at_rest = self.shared.memory.used();
        self.shared.collected.set(self.at_rest);
    }

    /// A script by its SHA-1 in hexadecimal, in letters of any size.
    pub fn find(&mut self, sha: &[u8]) -> Option<Rc<Script>> {
        let mut sha = Sha::try_from(sha).ok()?;
        sha.make_ascii_lowercase();
        self.cache.get(&sha).cloned()
    }

    /// Whether a script is known; it is not used by that.
    pub fn contains(&self, sha: &[u8]) -> bool {
        Sha::try_from(sha).is_ok_and(|mut sha| {
            sha.make_ascii_lowercase();
            self.cache.contains(&sha)
        })
    }

    /// Compiles a script unless it is known; or says what is wrong with it.
    pub fn load(&mut self, source: &[u8], keep: Keep) -> Result<Rc<Script>, Reply> {
        let sha = api::hex_of(source);
        if keep == Keep::Always {
            self.cache.keep_always(&sha);
        }
        if let Some(script) = self.cache.get(&sha) {
            return Ok(script.clone());
        }
        self.collect_if_nearly_full();
        let error = |text: Vec<u8>| from_lua::error_reply([b"ERR ", &text[..]].concat());
        let (flags, skipped) = shebang::parse(source).map_err(|wrong| error(wrong.into_bytes()))?;
        let function = self
            .compile(&source[skipped..], c"@user_script")
            .map_err(|wrong| error([b"Error compiling script (new function): ", &wrong[..]].concat()))?;
        let script = Rc::new(Script {
            sha,
            source: source.into(),
            flags,
            function,
        });
        if let Some(leaving) = self.cache.add(script.clone(), keep) {
            self.main.drop_kept(leaving.function);
        }
        Ok(script)
    }

    /// Compiles text to a function, and gives its number; or the error.
    fn compile(&mut self, text: &[u8], name: &std::ffi::CStr) -> Result<c_int, Vec<u8>> {
        let main = self.main;
        let status = match text.first() {
            // Compiled code could do anything; the parser complains of its first byte.
            Some(0x1b) => None,
            // SAFETY: the text is there, and errors are given back. The limit of memory holds for the compiler, too.
            _ => Some(self.shared.memory.bounded(|| unsafe {
                ffi::luaL_loadbuffer(main.0, text.as_ptr().cast(), text.len(), name.as_ptr())
            })),
        };
        match status {
            Some(ffi::LUA_OK) => Ok(main.keep()),
            None => Err(b"user_script:1: unexpected symbol near 'char(27)'".to_vec()),
            Some(_) => {
                let message = main.bytes(-1).unwrap_or_default().to_vec();
                main.pop(1);
                Err(message)
            }
        }
    }

    /// Begins a run of a script.
    pub fn run<'a>(
        &mut self,
        script: &Script,
        keys: impl IntoIterator<Item = &'a [u8]>,
        arguments: impl IntoIterator<Item = &'a [u8]>,
        host: &mut dyn Host,
    ) -> Outcome {
        self.begin_on_lane(Name::Script(script.sha), host, |lua, [keys_at, arguments_at]| {
            push_array(lua, keys);
            lua.raw_set_index(REGISTRY, keys_at);
            push_array(lua, arguments);
            lua.raw_set_index(REGISTRY, arguments_at);
            lua.push_kept(script.function);
        })
    }

    /// Begins a run of a function, which gets its keys and arguments as two tables.
    pub fn run_function<'a>(
        &mut self,
        function: &Function,
        keys: impl IntoIterator<Item = &'a [u8]>,
        arguments: impl IntoIterator<Item = &'a [u8]>,
        host: &mut dyn Host,
    ) -> Outcome {
        self.begin_on_lane(Name::Function(function.name.clone()), host, |lua, _| {
            lua.push_kept(function.number);
            push_array(lua, keys);
            push_array(lua, arguments);
        })
    }

    /// Begins a run of what `push` leaves on the stack; it gets the numbers of the lane's tables of keys and arguments, too.
    fn begin_on_lane(
        &mut self,
        name: Name,
        host: &mut dyn Host,
        push: impl FnOnce(Lua, [c_int; 2]),
    ) -> Outcome {
        match self.lane() {
            Ok(lane) => {
                push(lane.lua, lane.tables);
                self.begin(lane, name, host)
            }
            Err(done) => Outcome::Done(done),
        }
    }

    /// Runs the code of a library (what is behind its first line), and gives the functions that it registers.
    ///
    /// # Errors
    /// It cannot be compiled, or fails, or takes longer than `loading` allows. The text has no code.
    pub fn load_library(&mut self, code: &[u8], loading: &mut Loading) -> Result<Vec<Function>, Vec<u8>> {
        self.collect_if_nearly_full();
        let number = self
            .compile(code, c"@user_function")
            .map_err(|wrong| [b"Error compiling function: ", &wrong[..]].concat())?;
        let (main, outcome) = (self.main, self.lane());
        let outcome = outcome.map_or_else(Outcome::Done, |lane| {
            lane.lua.push_kept(number);
            load::set_globals(main, self.library_globals);
            load::begin(&self.shared);
            let outcome = self.begin(lane, Name::Library, loading);
            load::set_globals(main, self.globals);
            outcome
        });
        main.drop_kept(number);
        let functions = load::end(&self.shared);
        let wrong = match outcome {
            Outcome::Done(Done { failed: false, .. }) => return Ok(functions),
            Outcome::Done(Done {
                reply: Reply::Error(text),
                ..
            }) => text.into_owned().into_bytes(),
            Outcome::Done(_) => b"ERR unknown error".to_vec(),
            Outcome::Stopped(run) => {
                self.abort(run);
                b"ERR a library cannot wait while it is loaded".to_vec()
            }
        };
        self.forget_functions(&functions);
        Err([b"Error registering functions: ", &wrong[..]].concat())
    }

    /// Gives up functions that are not called any more. Those that run go on.
    fn forget_functions(&self, functions: &[Function]) {
        for function in functions {
            self.main.drop_kept(function.number);
        }
    }

    /// Remembers what was loaded, by a number that no other library has.
    pub fn keep_library(&mut self, number: u64, functions: Vec<Function>) {
        let functions = functions.into_iter().map(Rc::new).collect();
        self.libraries.insert(number, functions);
    }

    /// The functions of a library, if it was loaded.
    pub fn library(&self, number: u64) -> Option<&[Rc<Function>]> {
        self.libraries.get(&number).map(|functions| &functions[..])
    }

    /// Forgets the libraries of other numbers than these. Functions that run go on.
    pub fn retain_libraries(&mut self, mut is_kept: impl FnMut(u64) -> bool) {
        let main = self.main;
        self.libraries.retain(|&number, functions| {
            let is_kept = is_kept(number);
            if !is_kept {
                functions
                    .iter()
                    .for_each(|function| main.drop_kept(function.number));
            }
            is_kept
        });
    }

    /// A lane for a run that is about to begin, without keys and arguments among its globals; what is to be called with the
    /// arguments of the call comes on its stack.
    fn lane(&mut self) -> Result<Lane, Done> {
        self.collect_if_nearly_full();
        let lane = match self.idle.pop() {
            Some(lane) => lane,
            None => Lane::new(self.main)
                .map_err(|error| Done::failed(format!("ERR no stack for the script: {error}")))?,
        };
        lane.context.reset();
        self.shared.hooks.set(0);
        if self.waiting == 0 {
            self.shared.collected.set(self.at_rest);
        }
        let lua = lane.lua;
        lua.set_top(0);
        for number in lane.tables {
            lua.push_bool(false);
            lua.raw_set_index(REGISTRY, number);
        }
        lua.push_kept(self.handler);
        Ok(lane)
    }

    /// Begins the call of what is on the lane's stack.
    fn begin(&mut self, mut lane: Lane, name: Name, host: &mut dyn Host) -> Outcome {
        let lua = lane.lua;
        // SAFETY: the thread is alive.
        unsafe {
            ffi::lua_sethook(
                lua.0,
                Some(api::hook),
                ffi::LUA_MASKCOUNT,
                api::INSTRUCTIONS_OF_A_HOOK,
            )
        };
        lane.begin(move |context| body(lua, context));
        self.go_on(lane, name, host, GoOn::Resume)
    }

    /// Goes on with a run that has stopped: the call that it stopped in is made again.
    pub fn resume(&mut self, run: Run, host: &mut dyn Host) -> Outcome {
        self.waiting -= 1;
        self.go_on(run.lane, run.name, host, GoOn::Resume)
    }

    /// Ends a run that has stopped: an error that it cannot catch goes through it. It calls the host no more.
    pub fn abort(&mut self, run: Run) {
        self.waiting -= 1;
        let outcome = self.go_on(run.lane, run.name, &mut Nobody, GoOn::Abort);
        assert!(matches!(outcome, Outcome::Done(_)), "an aborted script has ended");
    }

    fn go_on(&mut self, mut lane: Lane, name: Name, host: &mut dyn Host, how: GoOn) -> Outcome {
        self.set_globals(&lane);
        match lane.go_on(&self.shared, host, how) {
            CoroutineResult::Yield(why) => {
                self.waiting += 1;
                Outcome::Stopped(Run { lane, name, why })
            }
            CoroutineResult::Return(ended) => {
                let done = self.done(&lane, ended, &name);
                lane.lua.set_top(0);
                self.collect_if_nearly_full();
                if self.idle.len() < MAX_IDLE_LANES {
                    self.idle.push(lane);
                } else {
                    lane.close(self.main);
                }
                Outcome::Done(done)
            }
        }
    }

    /// Other scripts may have run since: KEYS and ARGV are those of the one that goes on.
    fn set_globals(&self, lane: &Lane) {
        let main = self.main;
        main.push_kept(self.globals);
        for (name, table) in ["KEYS", "ARGV"].into_iter().zip(lane.tables) {
            main.push_kept(table);
            // A function has none.
            if main.type_of(-1) == Type::Boolean {
                main.pop(1);
                main.push_nil();
            }
            main.set_field(name);
        }
        main.pop(1);
    }

    fn done(&self, lane: &Lane, ended: Ended, name: &Name) -> Done {
        let lua = lane.lua;
        let failure = match ended.reply {
            Ok(reply) => {
                return Done {
                    is_counted: is_counted(lua),
                    reply,
                    failed: false,
                };
            }
            Err(failure) => failure,
        };
        let shown = name.shown();
        if failure.status == ffi::LUA_ERRMEM {
            let limit = self.shared.memory.limit();
            return Done::failed(format!(
                "ERR Error running script {shown}, not enough memory: all scripts together may take {limit} bytes"
            ));
        }
        if lua.type_of(-1) != Type::Table {
            let text = lua
                .bytes(-1)
                .map_or("execution failure".into(), String::from_utf8_lossy);
            return Done::failed(format!("ERR Error running script {shown}, {text}"));
        }
        let info = lua.error_info();
        let mut text = info.text.unwrap_or_else(|| b"ERR unknown error".to_vec());
        let place = info.line.zip(info.source);
        if let Some((line, source)) = place.filter(|_| !matches!(name, Name::Library)) {
            text.extend_from_slice(format!(" script: {shown}, on ").as_bytes());
            text.extend_from_slice(&source);
            text.push(b':');
            text.extend_from_slice(&line);
            text.push(b'.');
        }
        Done {
            reply: from_lua::error_reply(text),
            failed: true,
            is_counted: info.is_counted,
        }
    }

    /// What is garbage counts as long as nobody has collected it.
    fn collect_if_nearly_full(&mut self) {
        let (used, limit) = (self.shared.memory.used(), self.shared.memory.limit());
        if limit != 0 && used > limit / 4 && used > self.at_rest + limit / 8 {
            self.collect();
        }
    }
}

impl Drop for Interpreter {
    fn drop(&mut self) {
        assert!(
            self.waiting == 0 || std::thread::panicking(),
            "a run was neither resumed nor aborted"
        );
        // SAFETY: nothing uses the state after that. Its memory is freed later.
        unsafe { ffi::lua_close(self.main.0) };
    }
}

impl Done {
    fn failed(text: String) -> Done {
        Done {
            reply: from_lua::error_reply(text.into_bytes()),
            failed: true,
            is_counted: false,
        }
    }
}

/// What runs on a lane's stack: the script, and the making of its reply, which recurses as its tables do.
fn body(lua: Lua, context: &Context) -> Ended {
    let memory = lua.memory();
    let arguments = lua.top() - HANDLER - 1;
    // SAFETY: the handler, the function and its arguments are on the stack; errors are given back.
    let status = memory.bounded(|| unsafe { ffi::lua_pcall(lua.0, arguments, 1, HANDLER) });
    if status != ffi::LUA_OK {
        return Ended {
            reply: Err(Failure { status }),
        };
    }
    let protocol = context.protocol.get();
    lua.push_copy(-1);
    Ended {
        reply: Ok(from_lua::take(lua, protocol)),
    }
}

/// Whether what a script returned, on top of its stack, is an error of a command.
fn is_counted(lua: Lua) -> bool {
    lua.type_of(-1) == Type::Table && lua.error_info().is_counted
}

fn push_array<'a>(lua: Lua, items: impl IntoIterator<Item = &'a [u8]>) {
    let items = items.into_iter();
    lua.push_table(items.size_hint().0, 0);
    for (item, index) in items.zip(1..) {
        lua.push_bytes(item);
        lua.raw_set_index(-2, index);
    }
}

/// The host of a script that is aborted: it is never asked, as what runs is the unwinding.
struct Nobody;

impl Host for Nobody {
    fn call(&mut self, _: &[&[u8]], _: Protocol) -> Result<Reply, Fault> {
        Ok(Reply::err("ERR the script was aborted"))
    }

    fn may_call(&mut self, _: &[&[u8]]) -> Option<bool> {
        None
    }

    fn log(&mut self, _: LogLevel, _: &[u8]) {}

    fn set_replication(&mut self, _: u8) {}

    fn pulse(&mut self) -> Pulse {
        Pulse::Kill("ERR the script was aborted".into())
    }
}
