//! CLIENT: the connections, and what each says of itself.

use crate::command::is_option;
use std::fmt::Write;
use std::rc::Rc;

use super::connection::{check_name, is_printable};
use super::tracking::redirect;
use super::{NOT_AN_INTEGER, SYNTAX, help as help_lines, text};
use crate::base::num::parse_i64;
use crate::exec::pubsub::Kind;
use crate::exec::session::ReplyMode;
use crate::exec::tracks::Mode;
use crate::exec::{Client, Engine, Session, Unblocked};
use crate::resp::{Args, Protocol, Reply, shown};
use crate::store::OUT_OF_MEMORY;

const HELP: &[&str] = &[
    "CACHING (YES|NO)",
    "    Enable/disable tracking of the keys for next command in OPTIN/OPTOUT modes.",
    "GETREDIR",
    "    Return the client ID we are redirecting to when tracking is enabled.",
    "GETNAME",
    "    Return the name of the current connection.",
    "ID",
    "    Return the ID of the current connection.",
    "INFO",
    "    Return information about the current client connection.",
    "KILL <ip:port>",
    "    Kill connection made from <ip:port>.",
    "KILL <option> <value> [<option> <value> [...]]",
    "    Kill connections. Options are:",
    "    * ADDR (<ip:port>|<unixsocket>:0)",
    "      Kill connections made from the specified address",
    "    * LADDR (<ip:port>|<unixsocket>:0)",
    "      Kill connections made to specified local address",
    "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
    "      Kill connections by type.",
    "    * USER <username>",
    "      Kill connections authenticated by <username>.",
    "    * SKIPME (YES|NO)",
    "      Skip killing current connection (default: yes).",
    "    * ID <client-id>",
    "      Kill connections by client id.",
    "    * MAXAGE <maxage>",
    "      Kill connections older than the specified age.",
    "LIST [options ...]",
    "    Return information about client connections. Options:",
    "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
    "      Return clients of specified type.",
    "    * ID <client-id> [<client-id> [...]]",
    "      Return clients of specified ids.",
    "UNPAUSE",
    "    Stop the current client pause, resuming traffic.",
    "PAUSE <timeout> [WRITE|ALL]",
    "    Suspend all, or just write, clients for <timeout> milliseconds.",
    "REPLY (ON|OFF|SKIP)",
    "    Control the replies sent to the current connection.",
    "SETNAME <name>",
    "    Assign the name <name> to the current connection.",
    "SETINFO <option> <value>",
    "    Set client meta attr. Options are:",
    "    * LIB-NAME: the client lib name.",
    "    * LIB-VER: the client lib version.",
    "UNBLOCK <clientid> [TIMEOUT|ERROR]",
    "    Unblock the specified blocked client.",
    "TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]",
    "         [OPTIN] [OPTOUT] [NOLOOP]",
    "    Control server assisted client side caching.",
    "TRACKINGINFO",
    "    Report tracking status for the current connection.",
    "NO-EVICT (ON|OFF)",
    "    Protect current client connection from eviction.",
    "NO-TOUCH (ON|OFF)",
    "    Will not touch LRU/LFU stats when this mode is on.",
];

/// CLIENT HELP: a line about each subcommand, as simple strings.
pub fn help(_: &mut Engine, _: &mut Session, _: Args) -> Reply {
    help_lines("CLIENT", HELP)
}

/// CLIENT ID: an integer that no other connection of this run of the server has had or will have.
pub fn id(_: &mut Engine, session: &mut Session, _: Args) -> Reply {
    Reply::Int(i64::try_from(session.client.id).unwrap_or(i64::MAX))
}

/// CLIENT GETNAME: a bulk string, or null if the connection has no name.
pub fn getname(_: &mut Engine, session: &mut Session, _: Args) -> Reply {
    let name = session.client.name.borrow();
    if name.is_empty() {
        Reply::Null
    } else {
        Reply::bulk(name.clone())
    }
}

/// CLIENT SETNAME: an empty name takes it away. An error if the name would not fit into a line of CLIENT LIST.
pub fn setname(_: &mut Engine, session: &mut Session, args: Args) -> Reply {
    if let Err(error) = check_name(&args[2]) {
        return error;
    }
    *session.client.name.borrow_mut() = args[2].to_vec();
    Reply::Ok
}

/// CLIENT SETINFO: the name or the version of the client's library, as CLIENT LIST shows them. An error for any other
/// option, or if the value would not fit there.
pub fn setinfo(_: &mut Engine, session: &mut Session, args: Args) -> Reply {
    let (option, value) = (&args[2], &args[3]);
    let attribute = if is_option(option, "lib-name") {
        &session.client.library
    } else if is_option(option, "lib-ver") {
        &session.client.library_version
    } else {
        return Reply::err(format!("ERR Unrecognized option '{}'", shown(option)));
    };
    if !is_printable(value) {
        return Reply::err(format!(
            "ERR {} cannot contain spaces, newlines or special characters.",
            shown(option)
        ));
    }
    *attribute.borrow_mut() = value.to_vec();
    Reply::Ok
}

/// CLIENT NO-EVICT: while on, the connection does not end because the buffers of all hold too much.
pub fn no_evict(_: &mut Engine, session: &mut Session, args: Args) -> Reply {
    switch(&session.client.no_evict, &args[2])
}

/// CLIENT NO-TOUCH: while on, what the connection reads does not count as used.
pub fn no_touch(_: &mut Engine, session: &mut Session, args: Args) -> Reply {
    switch(&session.client.no_touch, &args[2])
}

fn switch(flag: &std::cell::Cell<bool>, arg: &[u8]) -> Reply {
    if is_option(arg, "on") {
        flag.set(true);
    } else if is_option(arg, "off") {
        flag.set(false);
    } else {
        return Reply::err(SYNTAX);
    }
    Reply::Ok
}

/// CLIENT REPLY: ON is answered, OFF and SKIP are not.
pub fn reply(_: &mut Engine, session: &mut Session, args: Args) -> Reply {
    let mode = &args[2];
    if is_option(mode, "on") {
        session.reply_mode = ReplyMode::On;
        return Reply::Ok;
    }
    if is_option(mode, "off") {
        session.reply_mode = ReplyMode::Off;
    } else if !is_option(mode, "skip") {
        return Reply::err(SYNTAX);
    } else if session.reply_mode != ReplyMode::Off {
        session.reply_mode = ReplyMode::SkipNext;
    }
    Reply::Nothing
}

/// What a subcommand answers to more arguments than it takes.
pub fn too_many(args: Args) -> Reply {
    let name = shown(&args[1]);
    Reply::err(format!(
        "ERR unknown subcommand or wrong number of arguments for '{name}'. Try CLIENT HELP."
    ))
}

/// CLIENT UNBLOCK: ends the wait of a client, as if its time were over or with an error. 1, or 0 if there is no such client or
/// it waits for nothing.
pub fn unblock(engine: &mut Engine, _: &mut Session, args: Args) -> Reply {
    let why = match args.get(3) {
        _ if args.len() > 4 => return too_many(args),
        None => Unblocked::Timeout,
        Some(reason) if is_option(reason, "timeout") => Unblocked::Timeout,
        Some(reason) if is_option(reason, "error") => Unblocked::Error,
        Some(_) => return Reply::err("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR"),
    };
    match parse_i64(&args[2]) {
        Some(id) => Reply::Int(u64::try_from(id).is_ok_and(|id| engine.unblock(id, why)).into()),
        None => Reply::err(NOT_AN_INTEGER),
    }
}

/// CLIENT INFO: the connection's own line of CLIENT LIST.
pub fn info(engine: &mut Engine, session: &mut Session, _: Args) -> Reply {
    let mut line = String::new();
    describe(engine, &session.client, &mut line);
    text(line)
}

/// CLIENT LIST: a line for each connection, of one type or with these ids if they are given; ids of nobody are passed over.
/// An error if the lines would be longer than a command may gather.
pub fn list(engine: &mut Engine, _: &mut Session, args: Args) -> Reply {
    let mut lines = String::new();
    match args.get(2) {
        None => engine
            .clients
            .iter()
            .for_each(|c| describe(engine, c, &mut lines)),
        Some(option) if is_option(option, "type") && args.len() == 4 => match class(&args[3]) {
            Ok(class) => engine
                .clients
                .iter()
                .filter(|client| class.has(client))
                .for_each(|c| describe(engine, c, &mut lines)),
            Err(error) => return error,
        },
        Some(option) if is_option(option, "id") && args.len() > 3 => {
            for id in args.iter().skip(3) {
                let Some(id) = parse_i64(id) else {
                    return Reply::err("ERR Invalid client ID");
                };
                let id = u64::try_from(id).unwrap_or(0);
                if let Some(client) = engine.clients.get(id) {
                    describe(engine, client, &mut lines);
                }
                if lines.len() > engine.limits.gathered {
                    return Reply::err(OUT_OF_MEMORY);
                }
            }
        }
        Some(_) => return Reply::err(SYNTAX),
    }
    text(lines)
}

/// What TYPE names.
#[derive(Clone, Copy)]
enum Class {
    /// No other.
    Normal,
    /// Has subscribed to something.
    Pubsub,
    /// There are no replicas or masters among the connections.
    Nobody,
}

impl Class {
    fn has(self, client: &Client) -> bool {
        match self {
            Class::Normal => !client.listens.get(),
            Class::Pubsub => client.listens.get(),
            Class::Nobody => false,
        }
    }
}

fn class(name: &[u8]) -> Result<Class, Reply> {
    match name.to_ascii_lowercase().as_slice() {
        b"normal" => Ok(Class::Normal),
        b"pubsub" => Ok(Class::Pubsub),
        b"master" | b"replica" | b"slave" => Ok(Class::Nobody),
        _ => Err(Reply::err(format!("ERR Unknown client type '{}'", shown(name)))),
    }
}

/// Bytes that a connection takes beside its buffers.
const CONNECTION_SIZE: usize = 1024;

/// Adds the client's line.
fn describe(engine: &Engine, client: &Client, out: &mut String) {
    let now = engine.clock.now_ms();
    let seconds_since = |ms: u64| now.saturating_sub(ms) / 1000;
    let buffers = client.buffers.get();
    let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut field = |name: &str, value: &dyn std::fmt::Display| {
        let space = if name == "id" { "" } else { " " };
        // Writing to a string cannot fail.
        let _ = write!(out, "{space}{name}={value}");
    };
    field("id", &client.id);
    field("addr", &client.address);
    field("laddr", &client.local_address);
    field("fd", &client.fd);
    field("name", &lossy(&client.name.borrow()));
    field("age", &seconds_since(client.created_ms));
    field("idle", &seconds_since(client.active_ms.get()));
    let has_changed = engine.store.watched_change(client.id, now).is_some();
    field("flags", &flags(client, has_changed));
    field("db", &client.db.get());
    let subscriptions = [
        ("sub", Kind::Channel),
        ("psub", Kind::Pattern),
        ("ssub", Kind::Shard),
    ];
    for (name, kind) in subscriptions {
        field(name, &client.subscriptions(kind));
    }
    let queued = client.queued.get().map(|requests| requests.to_string());
    field("multi", &queued.as_deref().unwrap_or("-1"));
    field("watch", &engine.store.watched(client.id));
    field("qbuf", &buffers.input);
    field("qbuf-free", &buffers.input_free());
    field("argv-mem", &buffers.request);
    field("multi-mem", &buffers.queued);
    for name in ["rbs", "rbp", "obl", "oll"] {
        field(name, &0);
    }
    field("omem", &buffers.output);
    field("tot-mem", &(CONNECTION_SIZE + buffers.memory() + buffers.shared));
    field("events", &if buffers.output > 0 { "rw" } else { "r" });
    field("cmd", &command(client));
    field("user", &client.user.borrow());
    field("redir", &redirect(client));
    field(
        "resp",
        &match client.protocol.get() {
            Protocol::Resp2 => 2,
            Protocol::Resp3 => 3,
        },
    );
    field("lib-name", &lossy(&client.library.borrow()));
    field("lib-ver", &lossy(&client.library_version.borrow()));
    field("io-thread", &0);
    field("tot-net-in", &client.traffic.bytes_in.get());
    field("tot-net-out", &client.traffic.bytes_out.get());
    field("tot-cmds", &client.traffic.requests.get());
    out.push('\n');
}

fn flags(client: &Client, what_it_watches_changed: bool) -> String {
    let tracks = client.tracks.borrow();
    let tracks = tracks.as_deref();
    let flags = [
        (client.monitors.get(), 'O'),
        (client.listens.get(), 'P'),
        (client.queued.get().is_some(), 'x'),
        (client.paused.get() || client.blocked.get(), 'b'),
        (tracks.is_some(), 't'),
        (tracks.is_some_and(|tracks| tracks.is_broken), 'R'),
        (tracks.is_some_and(|tracks| tracks.mode == Mode::Broadcast), 'B'),
        (what_it_watches_changed, 'd'),
        (client.is_unix, 'U'),
        (client.no_evict.get(), 'e'),
        (client.no_touch.get(), 'T'),
    ];
    let set: String = flags
        .into_iter()
        .filter(|(is_set, _)| *is_set)
        .map(|(_, letter)| letter)
        .collect();
    if set.is_empty() { "N".to_owned() } else { set }
}

fn command(client: &Client) -> String {
    match client.subcommand.get() {
        "" => client.command.get().to_owned(),
        sub => format!("{}|{sub}", client.command.get()),
    }
}

/// Whom CLIENT KILL means. What is not given fits everybody.
struct Victims<'a> {
    id: Option<u64>,
    address: Option<&'a [u8]>,
    local_address: Option<&'a [u8]>,
    class: Option<Class>,
    /// In seconds, at least.
    age: Option<u64>,
    skip_me: bool,
}

impl<'a> Victims<'a> {
    fn parse(args: Args<'a>) -> Result<Victims<'a>, Reply> {
        let mut victims = Victims {
            id: None,
            address: None,
            local_address: None,
            class: None,
            age: None,
            skip_me: true,
        };
        if args.len() == 3 {
            victims.address = args.get(2);
            victims.skip_me = false;
            return Ok(victims);
        }
        for at in (2..args.len()).step_by(2) {
            match (args.get(at), args.get(at + 1)) {
                (Some(option), Some(value)) => victims.add(option, value)?,
                _ => return Err(Reply::err(SYNTAX)),
            }
        }
        Ok(victims)
    }

    fn add(&mut self, option: &[u8], value: &'a [u8]) -> Result<(), Reply> {
        let positive = |number: i64, what: &str| match u64::try_from(number) {
            Ok(number @ 1..) => Ok(number),
            _ => Err(Reply::err(format!("ERR {what} should be greater than 0"))),
        };
        match option.to_ascii_lowercase().as_slice() {
            b"id" => self.id = Some(positive(parse_i64(value).unwrap_or(0), "client-id")?),
            b"maxage" => {
                let Some(age) = parse_i64(value) else {
                    return Err(Reply::err("ERR maxage is not an integer or out of range"));
                };
                self.age = Some(positive(age, "maxage")?);
            }
            b"type" => self.class = Some(class(value)?),
            b"addr" => self.address = Some(value),
            b"laddr" => self.local_address = Some(value),
            b"user" if value == b"default" => {}
            b"user" => return Err(Reply::err(format!("ERR No such user '{}'", shown(value)))),
            b"skipme" if is_option(value, "yes") => self.skip_me = true,
            b"skipme" if is_option(value, "no") => self.skip_me = false,
            _ => return Err(Reply::err(SYNTAX)),
        }
        Ok(())
    }

    fn include(&self, client: &Client, me: &Client, now: u64) -> bool {
        let age = now.saturating_sub(client.created_ms) / 1000;
        self.class.is_none_or(|class| class.has(client))
            && self.id.is_none_or(|id| client.id == id)
            && self.address.is_none_or(|a| client.address.as_bytes() == a)
            && self
                .local_address
                .is_none_or(|a| client.local_address.as_bytes() == a)
            && self.age.is_none_or(|least| age >= least)
            && !(self.skip_me && client.id == me.id)
    }
}

/// CLIENT KILL: with an address alone, OK or an error if nobody has it; with options, how many connections all of them fit.
/// The caller's own ends once it has the reply.
pub fn kill(engine: &mut Engine, session: &mut Session, args: Args) -> Reply {
    let victims = match Victims::parse(args) {
        Ok(victims) => victims,
        Err(error) => return error,
    };
    let now = engine.clock.now_ms();
    let killed: Vec<Rc<Client>> = engine
        .clients
        .iter()
        .filter(|client| victims.include(client, &session.client, now))
        .cloned()
        .collect();
    for client in &killed {
        if client.id == session.client.id {
            // It is still to get the reply.
            session.closing = true;
        } else {
            client.kill();
            engine.leave_pubsub(client);
            engine.clients.remove(client.id);
        }
    }
    match (args.len(), killed.len()) {
        (3, 0) => Reply::err("ERR No such client"),
        (3, _) => Reply::Ok,
        (_, count) => Reply::Int(count as i64),
    }
}
