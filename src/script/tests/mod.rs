//! Tests: scripts with the replies that Redis 8.2.3 gave them ([`table`]), waiting and ending ([`waiting`]), limits
//! ([`limits`]), the cache of scripts ([`cache`]), libraries of functions ([`functions`]).

mod cache;
mod functions;
mod limits;
mod table;
mod waiting;

use std::collections::HashMap;

use super::{Done, Fault, Host, Interpreter, Keep, LogLevel, Options, Outcome, Pulse};
use crate::resp::{Blob, Protocol, Reply, encode};

/// A server that knows some commands.
#[derive(Default)]
struct Server {
    keys: HashMap<Vec<u8>, Vec<u8>>,
    /// Calls that find what they want, until one does not; none: all do.
    faults_after: Option<u32>,
    calls: u32,
    logged: Vec<(LogLevel, Vec<u8>)>,
    pulses: u32,
    pulse: Option<fn(u32) -> Pulse>,
}

impl Server {
    fn command(&mut self, arguments: &[&[u8]]) -> Reply {
        let wrong_count = || Reply::err("ERR Wrong number of args calling Redis command from script");
        match (&arguments[0].to_ascii_lowercase()[..], &arguments[1..]) {
            (b"ping", []) => Reply::simple("PONG"),
            (b"ping" | b"echo", [text]) => Reply::bulk(text.to_vec()),
            (b"set", [key, value]) => {
                self.keys.insert(key.to_vec(), value.to_vec());
                Reply::Ok
            }
            (b"get", [key]) => match self.keys.get(*key) {
                Some(value) => Reply::bulk(value.clone()),
                None => Reply::Null,
            },
            (b"del", [key]) => Reply::Int(i64::from(self.keys.remove(*key).is_some())),
            (b"debug", [b"protocol", kind]) => protocol(kind),
            (b"ping" | b"echo" | b"set" | b"get" | b"del", _) => wrong_count(),
            _ => Reply::err("ERR Unknown Redis command called from script"),
        }
    }
}

/// What DEBUG PROTOCOL answers.
fn protocol(kind: &[u8]) -> Reply {
    let numbers = || (0..3).map(Reply::Int);
    let map = || numbers().zip([false, true, false].map(Reply::Bool)).collect();
    match kind {
        b"string" => Reply::bulk("Hello World"),
        b"integer" => Reply::Int(12345),
        b"double" => Reply::Double(3.25),
        b"null" => Reply::Null,
        b"array" => Reply::Array(numbers().collect()),
        b"set" => Reply::Set(numbers().collect()),
        b"map" => Reply::Map(map()),
        b"attrib" => Reply::Attribute(
            vec![(
                Reply::bulk("key-popularity"),
                Reply::Array(vec![Reply::bulk("key:123"), Reply::Int(90)]),
            )],
            Box::new(Reply::bulk("Some real reply following the attribute")),
        ),
        b"verbatim" => Reply::Verbatim(*b"txt", Blob::from("This is a verbatim\nstring")),
        b"true" => Reply::Bool(true),
        b"false" => Reply::Bool(false),
        b"bignum" => Reply::BigNumber("1234567999999999999999999999999999999".into()),
        other => panic!("{}", other.escape_ascii()),
    }
}

impl Host for Server {
    fn call(&mut self, arguments: &[&[u8]], _: Protocol) -> Result<Reply, Fault> {
        self.calls += 1;
        match &mut self.faults_after {
            Some(0) => {
                self.faults_after = None;
                return Err(Fault);
            }
            Some(left) => *left -= 1,
            None => {}
        }
        Ok(self.command(arguments))
    }

    fn may_call(&mut self, arguments: &[&[u8]]) -> Option<bool> {
        (arguments[0] != b"nope").then_some(true)
    }

    fn log(&mut self, level: LogLevel, text: &[u8]) {
        self.logged.push((level, text.to_vec()));
    }

    fn set_replication(&mut self, _: u8) {}

    fn pulse(&mut self) -> Pulse {
        self.pulses += 1;
        self.pulse.map_or(Pulse::GoOn, |pulse| pulse(self.pulses))
    }
}

const MEMORY: usize = 16 << 20;

fn interpreter() -> Interpreter {
    Interpreter::new(Options {
        version: "8.2.3",
        memory: MEMORY,
    })
    .expect("a state")
}

const KEYS: [&[u8]; 2] = [b"k1", b"k2"];
const ARGUMENTS: [&[u8]; 2] = [b"a1", b"a2"];

fn begin(interpreter: &mut Interpreter, script: &[u8], server: &mut Server) -> Outcome {
    match interpreter.load(script, Keep::Recent) {
        Ok(script) => interpreter.run(&script, KEYS, ARGUMENTS, server),
        Err(reply) => Outcome::Done(Done {
            reply,
            failed: true,
            is_counted: false,
        }),
    }
}

/// The reply of a script that does not stop.
fn reply(interpreter: &mut Interpreter, script: &str, server: &mut Server) -> Reply {
    match begin(interpreter, script.as_bytes(), server) {
        Outcome::Done(done) => done.reply,
        Outcome::Stopped(run) => {
            interpreter.abort(run);
            panic!("{script} has stopped")
        }
    }
}

fn encoded(reply: &Reply, protocol: Protocol) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(reply, protocol, &mut bytes);
    bytes
}

/// The reply as RESP2 has it.
fn shown(interpreter: &mut Interpreter, script: &str) -> String {
    let reply = reply(interpreter, script, &mut Server::default());
    encoded(&reply, Protocol::Resp2).escape_ascii().to_string()
}
