//! All that is seen of the crate from outside: what its programs do, and what its tests and benches hold on to.
//!
//! Everything else is private to the crate, so that the compiler tells what nobody uses. For the same reason no type of a
//! layer is passed on from here that has methods: they would count as used.

mod check;
pub mod embedded;
pub mod measured;
mod reference;
mod repair;
pub mod server;
pub mod transfer;

pub use crate::base::signals::{EFFECTS, Effect};
pub use crate::disk::format::{FORMAT_VERSION, SEGMENT};
pub use check::{Report, check};
pub use reference::{data_commands, reference};
pub use repair::repair;
