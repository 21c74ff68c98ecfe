//! Bytes in and out: listeners and connections. Knows no command.

mod bind;
mod connection;
mod io_threads;
mod listen;

use std::cell::RefCell;
use std::rc::Rc;

use crate::exec::Engine;

pub use bind::{Listeners, bind};

/// The executor's engine, shared by the tasks of its thread. Borrowed only between two awaits, so never twice.
pub type SharedEngine = Rc<RefCell<Engine>>;
