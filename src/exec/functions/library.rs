//! What a library's code says: its first line, and the functions that it registers when it is run.

use std::cell::RefCell;
use std::io;
use std::time::Duration;

use crate::base::log;
use crate::exec::control::REDIS_VERSION;
use crate::resp::{shown, split_words};
use crate::script::{BAD_NAME, Function, Interpreter, Loading, LogLevel, Options, is_name};
use crate::store::Txn;
use crate::types::libraries::{self, Libraries, Library};

/// A library that takes longer to register its functions is refused.
const PATIENCE: Duration = Duration::from_millis(500);
/// What it may take of memory for that, in bytes.
const MEMORY: usize = 64 << 20;

/// Why a library is refused, without a code.
pub struct Failure(pub String);

/// Takes in libraries: an interpreter that nothing else runs in, so that nothing stays of what is refused.
pub struct Loader(RefCell<Interpreter>);

impl Loader {
    /// One that has loaded nothing.
    pub fn new() -> io::Result<Loader> {
        let interpreter = Interpreter::new(Options {
            version: REDIS_VERSION,
            memory: MEMORY,
        })?;
        Ok(Loader(RefCell::new(interpreter)))
    }

    /// Adds the library that has this code, or replaces the one of its name; gives that.
    ///
    /// # Errors
    /// The code is refused; nothing is changed then.
    pub fn add(
        &self,
        libraries: &mut Libraries,
        code: &[u8],
        replaces: bool,
        txn: &mut Txn,
    ) -> Result<Box<[u8]>, Failure> {
        let (name, body) = read_first_line(code)?;
        if !replaces && libraries.get(&name).is_some() {
            return Err(Failure(format!("Library '{}' already exists", shown(&name))));
        }
        let mut loading = Loading::new(Some(PATIENCE), write_to_log);
        let mut interpreter = self.0.borrow_mut();
        let functions = interpreter
            .load_library(body, &mut loading)
            .map_err(|wrong| Failure(String::from_utf8_lossy(&wrong).into_owned()))?;
        if functions.is_empty() {
            return Err(Failure("No functions registered".into()));
        }
        let replaced = libraries.remove(&name);
        let added = libraries.add(Library {
            id: txn.fresh_id(),
            name: name.clone(),
            code: code.into(),
            functions: functions.iter().map(described).collect(),
        });
        if let Err(taken) = added {
            replaced.map_or(Ok(()), |replaced| libraries.add(replaced)).ok();
            return Err(Failure(format!("Function {} already exists", shown(&taken))));
        }
        Ok(name)
    }
}

fn described(function: &Function) -> libraries::Function {
    libraries::Function {
        name: function.name().into(),
        flags: function.flags().bits(),
        description: function.description().map(Box::from),
    }
}

/// Writes what a script has to say to the server's log.
pub fn write_to_log(level: LogLevel, text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    match level {
        LogLevel::Debug => log::debug(text),
        LogLevel::Verbose => log::verbose(text),
        LogLevel::Notice => log::notice(text),
        LogLevel::Warning => log::warning(text),
    }
}

/// What the first line names: the library's name; and the rest, with the end of that line, so that lines keep their numbers.
///
/// # Errors
/// It is none, or not that of a library in Lua.
pub fn read_first_line(code: &[u8]) -> Result<(Box<[u8]>, &[u8]), Failure> {
    let invalid = || Failure("Invalid library metadata".into());
    if !code.starts_with(b"#!") {
        return Err(Failure("Missing library metadata".into()));
    }
    let end = memchr::memchr(b'\n', code).ok_or_else(invalid)?;
    let words = split_words(&code[..end]).ok_or_else(invalid)?;
    let (engine, options) = words.split_first().ok_or_else(invalid)?;
    let mut name: Option<&[u8]> = None;
    for option in options {
        let value = option
            .split_at_checked(5)
            .filter(|(key, _)| key.eq_ignore_ascii_case(b"name="));
        let Some((_, value)) = value else {
            let option = shown(option);
            return Err(Failure(format!("Invalid metadata value given: {option}")));
        };
        if name.replace(value).is_some() {
            return Err(Failure(
                "Invalid metadata value, name argument was given multiple times".into(),
            ));
        }
    }
    let name = name.ok_or_else(|| Failure("Library name was not given".into()))?;
    if !is_name(name) {
        return Err(Failure(BAD_NAME.into()));
    }
    let engine = engine.get(2..).unwrap_or_default();
    if !engine.eq_ignore_ascii_case(b"lua") {
        return Err(Failure(format!("Engine '{}' not found", shown(engine))));
    }
    Ok((name.into(), &code[end..]))
}
