//! FCALL and FCALL_RO: which function is meant. Its name is looked up within the transaction that it runs in: so it sees the
//! libraries as they are there, and begins anew if they change while it waits.

use super::Scripts;
use super::eval::NOT_READ_ONLY;
use super::program::{Code, FIRST_KEY, Program, Wanted};
use crate::base::num::parse_i64;
use crate::exec::Engine;
use crate::resp::{Args, Reply};
use crate::script::{Flags, Interpreter};
use crate::store::{Result, Stop, Txn};

/// `FCALL function numkeys [key ...] [arg ...]`
pub fn fcall(_: &mut Engine, args: Args) -> std::result::Result<Program, Reply> {
    Ok(program(args, false))
}

/// FCALL_RO: as FCALL, and the function has to declare that it only reads.
pub fn fcall_ro(_: &mut Engine, args: Args) -> std::result::Result<Program, Reply> {
    Ok(program(args, true))
}

fn program(args: Args, must_only_read: bool) -> Program {
    let most = args.len() - FIRST_KEY;
    let (keys, refusal) = match parse_i64(&args[2]).map(usize::try_from) {
        None => (0, Some("ERR Bad number of keys provided")),
        Some(Err(_)) => (0, Some("ERR Number of keys can't be negative")),
        Some(Ok(keys)) if keys > most => (0, Some("ERR Number of keys can't be greater than number of args")),
        Some(Ok(keys)) => (keys, None),
    };
    Program {
        code: Code::Function(Wanted {
            name: args[1].into(),
            refusal: refusal.map(Reply::err),
            must_only_read,
            found: None,
        }),
        keys,
        reads_only: false,
    }
}

impl Scripts {
    /// Finds the function that a program calls by its name; one that is a script is left as it is.
    ///
    /// # Errors
    /// A fault; there is no such function, or it must not be called so; its library cannot be loaded.
    pub(super) fn find_function(
        &mut self,
        program: &mut Program,
        txn: &mut Txn,
        interpreter: &mut Interpreter,
    ) -> Result<()> {
        let Code::Function(wanted) = &mut program.code else {
            return Ok(());
        };
        let found = self.functions.find(txn, interpreter, &wanted.name)?;
        let Some(function) = found else {
            return Stop::error("ERR Function not found");
        };
        if let Some(Reply::Error(text)) = &wanted.refusal {
            return Err(Stop::Error(text.clone()));
        }
        program.reads_only = function.flags().contains(Flags::NO_WRITES);
        if wanted.must_only_read && !program.reads_only {
            return Stop::error(NOT_READ_ONLY);
        }
        wanted.found = Some(function);
        Ok(())
    }

    /// What FUNCTION STATS answers while others are answered BUSY.
    pub fn stats_while_busy(&self) -> Option<Reply> {
        let busy = self.busy.as_ref()?;
        let Some((name, request)) = &busy.function else {
            return Some(Reply::err(busy.text()));
        };
        let words = request.as_args().iter().map(|word| Reply::bulk(word.to_vec()));
        let running = Reply::Map(vec![
            (Reply::bulk("name"), Reply::bulk(name.to_vec())),
            (Reply::bulk("command"), Reply::Array(words.collect())),
            (
                Reply::bulk("duration_ms"),
                Reply::Int(busy.began.elapsed().as_millis() as i64),
            ),
        ]);
        // Nobody has changed them since it began.
        let (libraries, functions) = self.functions.counts();
        Some(crate::exec::functions::stats_reply(running, libraries, functions))
    }
}
