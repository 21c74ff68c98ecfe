//! What a request has run: a script, or a function of a library.

use std::borrow::Cow;
use std::rc::Rc;

use crate::exec::Engine;
use crate::resp::{Args, Reply};
use crate::script::{Function, Script};

/// Where the first key is among the arguments: `EVAL script numkeys key ...`.
pub const FIRST_KEY: usize = 3;

/// Finds what a request has a script do: its arguments as they came.
pub type FindProgram = fn(&mut Engine, Args) -> Result<Program, Reply>;

/// What is to be run.
#[derive(Clone)]
pub struct Program {
    /// What it says.
    pub code: Code,
    /// How many keys are named, from the third argument behind the command's name on.
    pub keys: usize,
    /// It is known to write nothing, and is kept from it.
    pub reads_only: bool,
}

/// The code of a program.
#[derive(Clone)]
pub enum Code {
    /// A script.
    Script(Rc<Script>),
    /// A function of a library, by its name: which one that is, the transaction says that it runs in.
    Function(Wanted),
}

/// A function that is to be called.
#[derive(Clone)]
pub struct Wanted {
    /// Its name.
    pub name: Box<[u8]>,
    /// It was said how many keys are named, but not as it should be: what is answered if there is such a function.
    pub refusal: Option<Reply>,
    /// It has to declare that it only reads.
    pub must_only_read: bool,
    /// The function, once it was found.
    pub found: Option<Rc<Function>>,
}

impl Code {
    /// What it is called in the log.
    pub fn name(&self) -> Cow<'_, str> {
        match self {
            Code::Script(script) => String::from_utf8_lossy(script.sha()),
            Code::Function(wanted) => String::from_utf8_lossy(&wanted.name),
        }
    }
}
