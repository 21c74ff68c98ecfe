//! PING and its like.

use crate::exec::{Engine, Session};
use crate::resp::{Args, Reply};

pub fn ping(_: &mut Engine, _: &mut Session, args: Args) -> Reply {
    match args.len() {
        1 => Reply::simple("PONG"),
        2 => Reply::bulk(args[1].to_vec()),
        _ => Reply::err("ERR wrong number of arguments for 'ping' command"),
    }
}

pub fn select(_: &mut Engine, session: &mut Session, args: Args) -> Reply {
    session.db = std::str::from_utf8(&args[1]).unwrap().parse().unwrap();
    Reply::Ok
}
