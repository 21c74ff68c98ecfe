//! Scripts: Redis's Lua 5.1, with the libraries that Redis ships, as a layer that knows no command and no record.
//!
//! ```text
//! Interpreter::load(text) -> Script                 compiled, known by its SHA-1 (cache.rs, shebang.rs)
//! Interpreter::run(script, keys, arguments, host) -> Outcome::Done(reply)
//!      |   redis.call(...) -> Host::call -> Ok(reply): as a value (to_lua.rs), the script goes on
//!      |                                 -> Err(Fault) -> Outcome::Stopped(run)
//! Interpreter::resume(run, host) <- when the record is there: the same call again, then on from there
//! Interpreter::abort(run)        <- when it has to begin anew
//! ```
//!
//! **How a script waits.** Each run has a native stack of its own ([`lane`], with the crate `corosensei`), and is suspended
//! by leaving that stack. Two other ways were weighed: coroutines of Lua cannot be left within `pcall`, metamethods and
//! iterators; replies recorded and replayed from the beginning make a script with n faults take n^2 calls. Suspending and
//! resuming costs less than a hundredth of what reading a record from disk does.
//!
//! **Whose Lua.** `mlua-sys`: the bindings and the vendored sources of the crate `mlua`, without its upper half, whose
//! functions make errors of their own kind, where Redis's scripts see tables and texts. What this needs of C's manners is in
//! [`lua`]; Lua 5.1 with `longjmp` asks for care that is described there.
//!
//! - [`interpreter`]: what the others of the house use. [`host`]: what they give.
//! - [`api`]: the table `redis`; [`arguments`], [`to_lua`], [`from_lua`]: values and replies; [`errors`].
//! - [`sandbox`]: what scripts must not change, and functions of Lua's that are replaced ([`replaced`]); [`proxy`].
//! - [`loading`]: libraries, whose code is run once and registers functions ([`function`]).
//! - [`library`]: cjson, cmsgpack, struct, bit.
//! - [`memory`]: the count and the limit of what scripts take. [`context`]: what a run knows of itself.

mod api;
mod arguments;
mod cache;
mod context;
mod errors;
mod from_lua;
mod function;
mod host;
mod interpreter;
mod lane;
mod library;
mod loading;
mod lua;
mod memory;
mod proxy;
mod random;
mod replaced;
mod sandbox;
mod shebang;
mod to_lua;

#[cfg(test)]
mod tests;

pub use cache::{Keep, Script};
pub use context::Stop;
pub use function::Function;
pub use host::{Fault, Host, LogLevel, Pulse};
pub use interpreter::{Done, Interpreter, Options, Outcome, Run};
pub use loading::{BAD_NAME, Loading, is_name};
pub use shebang::Flags;
