//! PING and its like; who a connection is, what protocol it speaks, and which database it uses.

use super::{NOT_A_C_INT, NOT_AN_INTEGER, REDIS_VERSION, SYNTAX};
use crate::base::num::parse_i64;
use crate::command::is_option;
use crate::config::DefaultUser;
use crate::exec::session::ReplyMode;
use crate::exec::{Engine, Session};
use crate::resp::{Args, Protocol, Reply, shown};

const WRONG_PASSWORD: &str = "WRONGPASS invalid username-password pair or user is disabled.";
const NO_PASSWORD_SET: &str = "ERR AUTH <password> called without any password configured for the default user. Are \
    you sure your configuration is correct?";
const HELLO_NEEDS_AUTH: &str = "NOAUTH HELLO must be called with the client already authenticated, otherwise the \
    HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol \
    version at the same time";

/// PING: PONG as a simple string, or the argument as a bulk string; an array of both while a RESP2 client listens.
pub fn ping(_: &mut Engine, session: &mut Session, args: Args) -> Reply {
    let as_message = session.client.listens.get() && session.protocol == Protocol::Resp2;
    match args.len() {
        1 | 2 if as_message => {
            let text = args.get(1).unwrap_or_default();
            Reply::Array(vec![Reply::bulk("pong"), Reply::bulk(text.to_vec())])
        }
        1 => Reply::simple("PONG"),
        2 => Reply::bulk(args[1].to_vec()),
        _ => Reply::err("ERR wrong number of arguments for 'ping' command"),
    }
}

/// ECHO: the argument, as a bulk string.
pub fn echo(_: &mut Engine, _: &mut Session, args: Args) -> Reply {
    Reply::bulk(args[1].to_vec())
}

/// QUIT: OK, and behind it the connection ends.
pub fn quit(_: &mut Engine, session: &mut Session, _: Args) -> Reply {
    session.closing = true;
    Reply::Ok
}

/// SELECT: the commands that follow are about the database with this number. An error if there is none.
pub fn select(engine: &mut Engine, session: &mut Session, args: Args) -> Reply {
    match selected(args, engine.limits.databases) {
        Ok(db) => {
            session.select(db);
            Reply::Ok
        }
        Err(error) => error,
    }
}

/// The number of the database that a SELECT names, of so many.
///
/// # Errors
/// The reply: there is no such database.
pub fn selected(args: Args, databases: usize) -> Result<usize, Reply> {
    let number = parse_i64(&args[1]).ok_or(Reply::err(NOT_AN_INTEGER))?;
    if i32::try_from(number).is_err() {
        return Err(Reply::err(NOT_A_C_INT));
    }
    match usize::try_from(number) {
        Ok(db) if db < databases => Ok(db),
        _ => Err(Reply::err("ERR DB index is out of range")),
    }
}

/// Brings the connection back to what a new one is, except for its id.
pub fn reset(engine: &mut Engine, session: &mut Session, _: Args) -> Reply {
    session.drop_queue(engine);
    engine.end_tracking(&session.client);
    engine.end_monitoring(&session.client);
    engine.leave_pubsub(&session.client);
    session.select(0);
    session.speak(Protocol::Resp2);
    session.reply_mode = ReplyMode::On;
    session.authenticated = engine.config.needs_no_login();
    let client = &session.client;
    client.name.borrow_mut().clear();
    client.no_evict.set(false);
    client.no_touch.set(false);
    Reply::simple("RESET")
}

/// AUTH: a password alone is that of the default user. An error if they do not fit, or if no password is needed.
pub fn auth(engine: &mut Engine, session: &mut Session, args: Args) -> Reply {
    let (user, password) = match args.len() {
        2 if engine.config.is_open() => return Reply::err(NO_PASSWORD_SET),
        2 => (DefaultUser::NAME, &args[1]),
        3 => (&args[1], &args[2]),
        _ => return Reply::err(SYNTAX),
    };
    if !engine.config.admits(user, password) {
        return Reply::err(WRONG_PASSWORD);
    }
    session.authenticated = true;
    Reply::Ok
}

/// What HELLO asks for.
#[derive(Default)]
struct Hello<'a> {
    protocol: Option<Protocol>,
    credentials: Option<(&'a [u8], &'a [u8])>,
    name: Option<&'a [u8]>,
}

impl<'a> Hello<'a> {
    fn parse(args: Args<'a>) -> Result<Hello<'a>, Reply> {
        let mut hello = Hello::default();
        if let Some(version) = args.get(1) {
            hello.protocol = Some(match parse_i64(version) {
                Some(2) => Protocol::Resp2,
                Some(3) => Protocol::Resp3,
                Some(_) => return Err(Reply::err("NOPROTO unsupported protocol version")),
                None => {
                    return Err(Reply::err(
                        "ERR Protocol version is not an integer or out of range",
                    ));
                }
            });
        }
        let mut at = 2;
        while let Some(option) = args.get(at) {
            match (args.get(at + 1), args.get(at + 2)) {
                (Some(user), Some(password)) if is_option(option, "auth") => {
                    hello.credentials = Some((user, password));
                    at += 3;
                }
                (Some(name), _) if is_option(option, "setname") => {
                    check_name(name)?;
                    hello.name = Some(name);
                    at += 2;
                }
                _ => {
                    let option = shown(option);
                    return Err(Reply::err(format!("ERR Syntax error in HELLO option '{option}'")));
                }
            }
        }
        Ok(hello)
    }
}

/// HELLO: a map about the server, in the protocol that is asked for. An error, and nothing is changed, if the protocol is
/// neither 2 nor 3, the password is wrong, or none was given and one is needed.
pub fn hello(engine: &mut Engine, session: &mut Session, args: Args) -> Reply {
    let hello = match Hello::parse(args) {
        Ok(hello) => hello,
        Err(error) => return error,
    };
    if let Some((user, password)) = hello.credentials {
        if !engine.config.admits(user, password) {
            return Reply::err(WRONG_PASSWORD);
        }
        session.authenticated = true;
    }
    if !session.authenticated {
        return Reply::err(HELLO_NEEDS_AUTH);
    }
    if let Some(name) = hello.name {
        *session.client.name.borrow_mut() = name.to_vec();
    }
    if let Some(protocol) = hello.protocol {
        session.speak(protocol);
    }
    greeting(session)
}

fn greeting(session: &Session) -> Reply {
    let version = match session.protocol {
        Protocol::Resp2 => 2,
        Protocol::Resp3 => 3,
    };
    let id = i64::try_from(session.client.id).unwrap_or(i64::MAX);
    let fields = [
        // Clients decide by this name what they may use.
        ("server", Reply::bulk("redis")),
        ("version", Reply::bulk(REDIS_VERSION)),
        ("proto", Reply::Int(version)),
        ("id", Reply::Int(id)),
        ("mode", Reply::bulk("standalone")),
        ("role", Reply::bulk("master")),
        ("modules", Reply::Array(Vec::new())),
    ];
    Reply::Map(
        fields
            .into_iter()
            .map(|(name, value)| (Reply::bulk(name), value))
            .collect(),
    )
}

/// A name has to fit between two spaces of a CLIENT LIST line.
pub fn check_name(name: &[u8]) -> Result<(), Reply> {
    if is_printable(name) {
        Ok(())
    } else {
        Err(Reply::err(
            "ERR Client names cannot contain spaces, newlines or special characters.",
        ))
    }
}

/// Whether all bytes are visible ASCII characters, no space among them; so it is with none at all.
pub fn is_printable(name: &[u8]) -> bool {
    name.iter().all(u8::is_ascii_graphic)
}

impl Session {
    /// Has the commands that follow use the database of this number.
    pub(in crate::exec) fn select(&mut self, db: usize) {
        self.db = db;
        self.client.db.set(db);
    }

    /// Has what follows encoded as this protocol has it.
    pub(in crate::exec) fn speak(&mut self, protocol: Protocol) {
        self.protocol = protocol;
        self.client.protocol.set(protocol);
    }
}
