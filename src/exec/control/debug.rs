//! DEBUG: helpers for tests. `enable-debug-command` says who may use them.

use std::thread;
use std::time::Duration;

use super::{NOT_AN_INTEGER, help as help_lines, random_id};
use crate::base::glob::Pattern;
use crate::base::log;
use crate::base::num::{parse_f64, parse_i64};
use crate::command::is_option;
use crate::exec::{Engine, Session};
use crate::resp::{Args, Reply};

const HELP: &[&str] = &[
    "CHANGE-REPL-ID",
    "    Change the replication IDs of the instance.",
    "DROP-HOT",
    "    Evict everything that is on disk from memory: each next read is a fault.",
    "ERROR <string>",
    "    Return a Redis protocol error with <string> as message.",
    "LOADAOF",
    "    As RELOAD.",
    "LOG <message>",
    "    Write <message> to the server log.",
    "OBJECT <key>",
    "    Show low level info about `key` and associated value.",
    "PANIC [VIEW]",
    "    Crash the server simulating a panic, of a command or of a thread beside it.",
    "PROTOCOL <type>",
    "    Reply with a test value of the specified type. <type> can be: string,",
    "    integer, double, bignum, null, array, set, map, attrib, push, verbatim,",
    "    true, false.",
    "QUICKLIST-PACKED-THRESHOLD <size>",
    "    Accepted and ignored: there are no quicklists.",
    "RELOAD [option ...]",
    "    Wait until everything is where it belongs on disk, and forget what memory holds of it.",
    "SEGFAULT",
    "    Crash the server with sigsegv.",
    "SET-ACTIVE-EXPIRE <0|1>",
    "    Setting it to 0 disables expiring keys in background when they are not",
    "    accessed. Setting it to 1 reenables back the default.",
    "SLEEP <seconds>",
    "    Stop the server for <seconds>. Decimals allowed.",
    "STRINGMATCH-LEN <pattern> <string>",
    "    Whether the glob-like <pattern> matches <string>.",
];

const WRONG_TYPE_NAME: &str = "ERR Wrong protocol type name. Please use one of the following: \
    string|integer|double|bignum|null|array|set|map|attrib|push|verbatim|true|false";

/// Redis's, so not all of pi.
#[allow(clippy::approx_constant)]
const SOME_DOUBLE: f64 = 3.141;

/// A longer sleep is a mistake.
const MAX_SLEEP: f64 = 3600.0;

/// DEBUG HELP: a line about each subcommand, as simple strings.
pub fn help(_: &mut Engine, _: &mut Session, _: Args) -> Reply {
    help_lines("DEBUG", HELP)
}

/// Stops the executor itself: that is what this is for.
pub fn sleep(_: &mut Engine, _: &mut Session, args: Args) -> Reply {
    // As atof in Redis: what is no number is 0.
    let seconds = parse_f64(&args[2]).unwrap_or(0.0).clamp(0.0, MAX_SLEEP);
    thread::sleep(Duration::from_secs_f64(seconds));
    Reply::Ok
}

/// DEBUG SET-ACTIVE-EXPIRE: with 0, keys past their deadline go when they are touched, and not by themselves.
pub fn set_active_expire(engine: &mut Engine, _: &mut Session, args: Args) -> Reply {
    match parse_i64(&args[2]) {
        Some(switch) => {
            engine.expiry.enabled = switch != 0;
            Reply::Ok
        }
        None => Reply::err(NOT_AN_INTEGER),
    }
}

/// DEBUG DROP-HOT: memory forgets what is on disk where it belongs, so that the next read of it is a fault.
pub fn drop_hot(engine: &mut Engine, _: &mut Session, _: Args) -> Reply {
    engine.store.drop_hot();
    Reply::Ok
}

/// What a reload means where the disk is the truth: everything is read from there again.
pub fn reload(engine: &mut Engine, _: &mut Session, _: Args) -> Reply {
    engine.store.drop_hot();
    Reply::Ok
}

/// DEBUG CHANGE-REPL-ID: INFO shows another `master_replid` from now on.
pub fn change_repl_id(engine: &mut Engine, _: &mut Session, _: Args) -> Reply {
    engine.identity.replication_id = random_id();
    Reply::Ok
}

/// DEBUG ERROR: an error with the argument as its text.
pub fn error(_: &mut Engine, _: &mut Session, args: Args) -> Reply {
    Reply::err(String::from_utf8_lossy(&args[2]).into_owned())
}

/// DEBUG LOG: writes the argument to the server's log, as a warning.
pub fn log(_: &mut Engine, _: &mut Session, args: Args) -> Reply {
    log::warning(format_args!("DEBUG LOG: {}", String::from_utf8_lossy(&args[2])));
    Reply::Ok
}

/// Ends the server by a panic: of the command itself, or on a thread that walks ranges.
pub fn panic(engine: &mut Engine, _: &mut Session, args: Args) -> Reply {
    match args.get(2) {
        Some(thread) if is_option(thread, "view") => {
            let now = engine.clock.now_ms();
            engine
                .store
                .run_over_view(now, |_, _| panic!("DEBUG PANIC called"));
            Reply::Ok
        }
        _ => panic!("DEBUG PANIC called"),
    }
}

/// Ends the server by a write to memory that cannot be written to.
pub fn segfault(_: &mut Engine, _: &mut Session, _: Args) -> Reply {
    const BYTES: usize = 4096;
    // SAFETY: a new mapping, which nobody else knows. The write to it is what must fail.
    unsafe {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        let memory = libc::mmap(std::ptr::null_mut(), BYTES, libc::PROT_READ, flags, -1, 0);
        memory.cast::<u8>().write_volatile(b'!');
    }
    Reply::err("ERR no memory could be mapped that cannot be written to")
}

/// There are no quicklists.
pub fn quicklist_packed_threshold(_: &mut Engine, _: &mut Session, _: Args) -> Reply {
    Reply::Ok
}

/// DEBUG STRINGMATCH-LEN: 1 if the pattern matches the whole string, case and all; otherwise 0.
pub fn stringmatch_len(_: &mut Engine, _: &mut Session, args: Args) -> Reply {
    Reply::Int(i64::from(Pattern::new(&args[2], false).matches(&args[3])))
}

/// One reply of each type, for the tests of clients.
pub fn protocol(_: &mut Engine, _: &mut Session, args: Args) -> Reply {
    let numbers = || (0..3).map(Reply::Int);
    match args[2].to_ascii_lowercase().as_slice() {
        b"string" => Reply::bulk("Hello World"),
        b"integer" => Reply::Int(12345),
        b"double" => Reply::Double(SOME_DOUBLE),
        b"null" => Reply::Null,
        b"array" => Reply::Array(numbers().collect()),
        b"set" => Reply::Set(numbers().collect()),
        b"map" => Reply::Map(
            numbers()
                .map(|n| (n.clone(), Reply::Bool(n == Reply::Int(1))))
                .collect(),
        ),
        b"attrib" => {
            let popularity = Reply::Array(vec![Reply::bulk("key:123"), Reply::Int(90)]);
            let attributes = vec![(Reply::bulk("key-popularity"), popularity)];
            let reply = Reply::bulk("Some real reply following the attribute");
            Reply::Attribute(attributes, Box::new(reply))
        }
        b"push" => {
            let message = [Reply::bulk("server-cpu-usage"), Reply::Int(42)];
            Reply::Push(message.into())
        }
        b"verbatim" => Reply::Verbatim(*b"txt", "This is a verbatim\nstring".into()),
        b"true" => Reply::Bool(true),
        b"false" => Reply::Bool(false),
        b"bignum" => Reply::BigNumber("1234567999999999999999999999999999999".to_owned()),
        _ => Reply::err(WRONG_TYPE_NAME),
    }
}
