//! Bytes in and out: listeners and connections. Knows no command.

mod bind;
mod connection;
mod input;
mod io_threads;
mod listen;
mod pipe;

use std::cell::RefCell;
use std::rc::Rc;

use crate::exec::{Engine, Released};

pub use bind::bind;

/// The executor's engine, shared by the tasks of its thread. Borrowed only between two awaits, so never twice.
pub type SharedEngine = Rc<RefCell<Engine>>;

/// The end of a tick: commits what it staged, and sends what waited for a commit, or for that end. True: there is more to do,
/// once others had their turn.
pub fn commit_and_release(engine: &SharedEngine) -> bool {
    let Released { outlets, more } = engine.borrow_mut().commit_and_release();
    for outlet in outlets {
        if let Some(line) = outlet.upgrade() {
            line.flush();
        }
    }
    more
}
