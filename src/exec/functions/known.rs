//! Functions on their way to be called: found in the record of the libraries, and loaded when they are first wanted.

use std::rc::Rc;
use std::sync::Arc;

use super::library::read_first_line;
use crate::resp::shown;
use crate::script::{Function, Interpreter, Loading};
use crate::store::{Result, Stop, Txn};
use crate::types::libraries::{Libraries, Library};

/// What is known of the libraries: as the record says that was read last.
#[derive(Default)]
pub struct Known {
    record: Option<Arc<[u8]>>,
    libraries: Libraries,
}

impl Known {
    /// The function of a name, as the transaction sees the libraries; none if there is none.
    ///
    /// # Errors
    /// A fault; the record is damaged; the library cannot be loaded, though it could be once.
    pub fn find(
        &mut self,
        txn: &mut Txn,
        interpreter: &mut Interpreter,
        name: &[u8],
    ) -> Result<Option<Rc<Function>>> {
        self.update(txn, interpreter)?;
        let Some((library, function)) = self.libraries.find(name) else {
            return Ok(None);
        };
        if interpreter.library(library.id).is_none() {
            load(interpreter, library)?;
        }
        let loaded = interpreter.library(library.id).unwrap_or_default();
        Ok(loaded
            .iter()
            .find(|loaded| loaded.name() == &*function.name)
            .cloned())
    }

    /// How many libraries and functions there were when one was looked for last.
    pub fn counts(&self) -> (usize, usize) {
        (self.libraries.iter().len(), self.libraries.count_functions())
    }

    /// Reads the record anew if it is another one.
    fn update(&mut self, txn: &mut Txn, interpreter: &mut Interpreter) -> Result<()> {
        let record = Libraries::record(txn)?.map(Arc::from);
        let is_same = match (&record, &self.record) {
            (Some(record), Some(known)) => Arc::ptr_eq(record, known),
            (record, known) => record.is_none() && known.is_none(),
        };
        if !is_same {
            self.libraries = match &record {
                Some(record) => Libraries::decode(record)?,
                None => Libraries::default(),
            };
            self.record = record;
            let libraries = &self.libraries;
            interpreter.retain_libraries(|id| libraries.iter().any(|library| library.id == id));
        }
        Ok(())
    }
}

/// Has the interpreter run a library's code. It was accepted once, and so is given the time that it needs.
fn load(interpreter: &mut Interpreter, library: &Library) -> Result<()> {
    let name = shown(&library.name);
    let failed = |why: &str| Stop::error(format!("ERR the library {name} cannot be loaded: {why}"));
    let (_, body) = match read_first_line(&library.code) {
        Ok(read) => read,
        Err(failure) => return failed(&failure.0),
    };
    // What it logs was logged when it came.
    let mut loading = Loading::new(None, |_, _| {});
    match interpreter.load_library(body, &mut loading) {
        Ok(functions) => interpreter.keep_library(library.id, functions),
        Err(why) => return failed(&String::from_utf8_lossy(&why)),
    }
    Ok(())
}
