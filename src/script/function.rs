//! Functions of libraries, as an interpreter knows them (`loading.rs` says how they come to it).

use std::collections::HashMap;
use std::ffi::c_int;
use std::rc::Rc;

use foldhash::fast::RandomState;

use super::Flags;

/// A function that a library has registered.
#[derive(Debug)]
pub struct Function {
    pub(super) name: Rc<[u8]>,
    pub(super) description: Option<Box<[u8]>>,
    pub(super) flags: Flags,
    /// Its number in the registry of the interpreter that loaded it.
    pub(super) number: c_int,
}

impl Function {
    /// What it is called by.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// What its library says about it.
    pub fn description(&self) -> Option<&[u8]> {
        self.description.as_deref()
    }

    /// What it has declared.
    pub fn flags(&self) -> Flags {
        self.flags
    }
}

/// The libraries that an interpreter has loaded, by the numbers that their owner gives them.
pub(super) type Libraries = HashMap<u64, Vec<Rc<Function>>, RandomState>;
