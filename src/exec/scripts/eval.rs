//! EVAL, EVALSHA and their forms that only read: which script is meant.

use super::program::{Code, FIRST_KEY, Program};
use crate::base::num::parse_i64;
use crate::exec::Engine;
use crate::exec::control::NOT_AN_INTEGER;
use crate::resp::{Args, Reply};
use crate::script::{Flags, Keep};

const UNKNOWN: &str = "NOSCRIPT No matching script. Please use EVAL.";

/// `EVAL script numkeys [key ...] [arg ...]`
pub fn eval(engine: &mut Engine, args: Args) -> Result<Program, Reply> {
    let keys = keys(args)?;
    let script = engine.interpreter()?.load(&args[1], Keep::Recent)?;
    Ok(Program::new(script, keys))
}

/// EVAL_RO: as EVAL, and the script must not write.
pub fn eval_ro(engine: &mut Engine, args: Args) -> Result<Program, Reply> {
    that_reads_only(eval(engine, args)?)
}

/// `EVALSHA sha1 numkeys [key ...] [arg ...]`
pub fn evalsha(engine: &mut Engine, args: Args) -> Result<Program, Reply> {
    const DIGITS: usize = 40;
    if args[1].len() != DIGITS {
        return Err(Reply::err(UNKNOWN));
    }
    let keys = keys(args)?;
    match engine.interpreter()?.find(&args[1]) {
        Some(script) => Ok(Program::new(script, keys)),
        None => Err(Reply::err(UNKNOWN)),
    }
}

/// EVALSHA_RO: as EVALSHA, and the script must not write.
pub fn evalsha_ro(engine: &mut Engine, args: Args) -> Result<Program, Reply> {
    that_reads_only(evalsha(engine, args)?)
}

impl Program {
    fn new(script: std::rc::Rc<crate::script::Script>, keys: usize) -> Program {
        Program {
            keys,
            reads_only: script.flags().contains(Flags::NO_WRITES),
            code: Code::Script(script),
        }
    }
}

/// The error of a command that only reads, for what declares that it does not.
pub(super) const NOT_READ_ONLY: &str = "ERR Can not execute a script with write flag using *_ro command.";

/// The program of a script, if a command may run it that only reads.
///
/// # Errors
/// It declares what it does, and not that it only reads.
fn that_reads_only(mut program: Program) -> Result<Program, Reply> {
    if let Code::Script(script) = &program.code
        && !script.flags().intersects(Flags::UNDECLARED | Flags::NO_WRITES)
    {
        return Err(Reply::err(NOT_READ_ONLY));
    }
    program.reads_only = true;
    Ok(program)
}

/// How many keys are named: argument 2 says so.
///
/// # Errors
/// It is no number, or there are fewer arguments.
pub fn keys(args: Args) -> Result<usize, Reply> {
    let number = parse_i64(&args[2]).ok_or(Reply::err(NOT_AN_INTEGER))?;
    let most = args.len() - FIRST_KEY;
    match usize::try_from(number) {
        Ok(keys) if keys <= most => Ok(keys),
        Ok(_) => Err(Reply::err(
            "ERR Number of keys can't be greater than number of args",
        )),
        Err(_) => Err(Reply::err("ERR Number of keys can't be negative")),
    }
}
