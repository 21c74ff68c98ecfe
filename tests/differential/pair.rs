//! Redkeep and Redis side by side.

use super::Step;
use super::expected::agree;
use super::generate::{Args, DATABASES, FAMILIES, args};
use crate::events::Listener;
use crate::support::text::command_line;
use crate::support::{Client, Server, Value};
use std::fmt;

/// How Redkeep is stopped.
#[derive(Clone, Copy)]
pub enum Stop {
    Kill,
    Terminate,
}

/// What Redis 7.0 can tell of.
const CLASSES: &str = "AKEnm";
/// What says that events differ, rather than replies.
const EVENTS: &str = "events";

/// Where the two disagreed.
pub struct Difference {
    /// The index of the step.
    pub step: usize,
    pub args: Args,
    pub redis: String,
    pub redkeep: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = command_line(&self.args);
        let short: String = line.chars().take(300).collect();
        write!(
            f,
            "> {short}\n  redis:   {}\n  redkeep: {}",
            self.redis, self.redkeep
        )
    }
}

/// One server's connections, and what they carry across a restart.
struct Side {
    server: Server,
    clients: Vec<Option<Client>>,
    databases: Vec<Vec<u8>>,
    protocols: Vec<Vec<u8>>,
    /// What each has queued since MULTI.
    queued: Vec<Vec<Args>>,
    /// The changes of options, which a restart loses.
    settings: Vec<Args>,
    /// What hears all keyspace events, if they are compared.
    listener: Option<Listener>,
}

const CONNECTIONS: usize = super::CONNECTIONS as usize;

impl Side {
    fn new(server: Server) -> Side {
        let mut side = Side {
            server,
            clients: Vec::new(),
            databases: Vec::new(),
            protocols: Vec::new(),
            queued: Vec::new(),
            settings: Vec::new(),
            listener: None,
        };
        side.forget_connections();
        side
    }

    fn forget_connections(&mut self) {
        self.disconnect();
        self.databases = vec![b"0".to_vec(); CONNECTIONS];
        self.protocols = vec![b"2".to_vec(); CONNECTIONS];
    }

    /// The connections end, and what they have queued and watched with them.
    fn disconnect(&mut self) {
        self.clients = (0..CONNECTIONS).map(|_| None).collect();
        self.queued = vec![Vec::new(); CONNECTIONS];
    }

    fn send(&mut self, connection: usize, batch: &[Args]) -> std::io::Result<Vec<Value>> {
        if self.clients[connection].is_none() {
            let mut client = Client::connect(self.server.address())?;
            client.call(&[b"HELLO", &self.protocols[connection][..]])?;
            client.call(&[b"SELECT", &self.databases[connection][..]])?;
            self.clients[connection] = Some(client);
        }
        let client = self.clients[connection].as_mut().expect("just connected");
        let replies = client.pipeline(batch)?;
        Ok(replies)
    }

    /// Notes what a reply means for the connection. Returns what was queued, if the command was EXEC.
    fn note(&mut self, connection: usize, args: &Args, reply: &Value) -> Vec<Args> {
        match reply {
            Value::Simple(text) if text == "QUEUED" => self.queued[connection].push(args.clone()),
            reply if reply.is_error() => {
                // Whatever is wrong with EXEC, the transaction ends.
                if args[0].eq_ignore_ascii_case(b"EXEC") {
                    self.queued[connection].clear();
                }
            }
            reply => match args[0].to_ascii_uppercase().as_slice() {
                b"SELECT" => self.databases[connection] = args[1].clone(),
                b"HELLO" if args.len() > 1 => self.protocols[connection] = args[1].clone(),
                b"CONFIG" if args.len() > 3 => self.settings.push(args.clone()),
                b"DISCARD" => self.queued[connection].clear(),
                b"RESET" => {
                    self.databases[connection] = b"0".to_vec();
                    self.protocols[connection] = b"2".to_vec();
                    self.queued[connection].clear();
                }
                b"EXEC" => {
                    let queued = std::mem::take(&mut self.queued[connection]);
                    if let Value::Array(replies) = reply {
                        for (args, reply) in queued.iter().zip(replies) {
                            self.note(connection, args, reply);
                        }
                    }
                    return queued;
                }
                _ => {}
            },
        }
        Vec::new()
    }

    /// Hears all keyspace events from now on.
    fn listen(&mut self) {
        let set = ["CONFIG", "SET", "notify-keyspace-events", CLASSES];
        self.server.client().ok(&set);
        self.listener = Some(Listener::new(&self.server));
    }

    fn restart(&mut self, stop: Stop) {
        self.disconnect();
        match stop {
            Stop::Terminate => self.server.terminate(),
            Stop::Kill => self.server.kill9(),
        }
        self.server.start_again();
        let mut client = self.server.client();
        for args in &self.settings {
            client.run(args);
        }
        if self.listener.is_some() {
            self.listen();
        }
    }
}

pub struct Pair {
    redkeep: Side,
    redis: Side,
    restarts: usize,
}

impl Pair {
    pub fn start(redkeep: Server, redis: Server) -> Pair {
        Pair {
            redkeep: Side::new(redkeep),
            redis: Side::new(redis),
            restarts: 0,
        }
    }

    /// Keyspace events are compared from now on.
    pub fn listen(&mut self) {
        self.redkeep.listen();
        self.redis.listen();
    }

    pub fn restarts(&self) -> usize {
        self.restarts
    }

    /// Empties both; a Redkeep that does not answer is started again.
    pub fn clear(&mut self) {
        for side in [&mut self.redkeep, &mut self.redis] {
            side.forget_connections();
            let emptied = side.send(0, &[args!["FLUSHALL"]]);
            if !emptied.is_ok_and(|replies| replies[0].is_ok()) {
                side.restart(Stop::Kill);
                side.send(0, &[args!["FLUSHALL"]])
                    .expect("a server that has just started");
            }
        }
    }

    /// Runs until the first difference.
    pub fn run(&mut self, steps: &[Step]) -> Result<(), Box<Difference>> {
        let mut at = 0;
        while at < steps.len() {
            match &steps[at] {
                Step::Call(connection, _) => {
                    let batch = batch_from(&steps[at..], *connection);
                    self.exchange(*connection, &batch, at)?;
                    at += batch.len();
                    continue;
                }
                Step::DropHot => {
                    let mut client = self.redkeep.server.client();
                    self.redkeep.server.drop_hot(&mut client);
                }
                // Redis's log leaves out a key that BITFIELD made although its operation failed.
                Step::Restart(_) if self.redkeep.server.is_redis() => {}
                Step::Restart(stop) => {
                    self.redis.disconnect();
                    self.redkeep.restart(*stop);
                    self.restarts += 1;
                }
                Step::Compare => self.compare(at)?,
            }
            self.hear();
            at += 1;
        }
        Ok(())
    }

    /// What both tell of since the last call; nothing if that is not compared.
    fn hear(&mut self) -> Option<[Vec<String>; 2]> {
        let redis = self.redis.listener.as_mut()?.events();
        let redkeep = self.redkeep.listener.as_mut()?.events();
        Some([redis, redkeep])
    }

    fn exchange(&mut self, connection: usize, batch: &[Args], step: usize) -> Result<(), Box<Difference>> {
        let expected = self.redis.send(connection, batch).expect("redis-server answers");
        let difference = |at: usize, (redis, redkeep): (String, String)| {
            let args = batch[at].clone();
            Err(Box::new(Difference {
                step: step + at,
                args,
                redis,
                redkeep,
            }))
        };
        let actual = match self.redkeep.send(connection, batch) {
            Ok(replies) => replies,
            Err(error) => {
                let log = self.redkeep.server.log();
                let lost = format!("{error}, somewhere in this batch\n{log}");
                return difference(batch.len() - 1, ("answers".into(), lost));
            }
        };
        let heard = self.hear();
        for (at, args) in batch.iter().enumerate() {
            let (redis, redkeep) = (&expected[at], &actual[at]);
            self.redkeep.note(connection, args, redkeep);
            let queued = self.redis.note(connection, args, redis);
            let agrees = match (redis, redkeep) {
                (Value::Array(redis), Value::Array(redkeep)) if redis.len() == queued.len() => {
                    let mut each = queued.iter().zip(redis.iter().zip(redkeep));
                    redis.len() == redkeep.len()
                        && each.all(|(args, (redis, redkeep))| agree(args, redis, redkeep))
                }
                _ => agree(args, redis, redkeep),
            };
            if !agrees {
                return difference(at, shown(redis, redkeep));
            }
        }
        match heard {
            Some([redis, redkeep]) if !same_events(&redis, &redkeep) => {
                let common = redis.iter().zip(&redkeep).take_while(|(a, b)| a == b).count();
                let rest = |events: &[String]| format!("{EVENTS} ... {:?}", &events[common..]);
                difference(batch.len() - 1, (rest(&redis), rest(&redkeep)))
            }
            _ => Ok(()),
        }
    }

    /// Compares what can be read of all databases, on connections of its own.
    fn compare(&mut self, step: usize) -> Result<(), Box<Difference>> {
        let mut redis = self.redis.server.client();
        let mut redkeep = self.redkeep.server.client();
        let mut ask = |args: &Args| {
            let (a, b) = (redis.run(args), redkeep.run(args));
            if agree(args, &a, &b) {
                return Ok(a);
            }
            let (redis, redkeep) = shown(&a, &b);
            Err(Box::new(Difference {
                step,
                args: args.clone(),
                redis,
                redkeep,
            }))
        };
        for database in 0..DATABASES {
            ask(&args!["SELECT", database.to_string()])?;
            let keys = ask(&args!["KEYS", "*"])?;
            ask(&args!["DBSIZE"])?;
            for key in keys.items() {
                let Value::Bulk(key) = key else {
                    panic!("KEYS answered {key:?}")
                };
                let key = &key[..];
                let kind = ask(&args!["TYPE", key])?.text().unwrap_or_default();
                ask(&args!["PEXPIRETIME", key])?;
                let states = FAMILIES.iter().filter_map(|family| family.state);
                for (_, reads) in states.filter(|(name, _)| *name == kind) {
                    for args in reads(key) {
                        ask(&args)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// What Redis answers to each call, for the report.
    pub fn redis_replies(&mut self, steps: &[Step]) -> Vec<Option<Value>> {
        let mut reply = |step: &Step| match step {
            Step::Call(connection, args) => self
                .redis
                .send(*connection, std::slice::from_ref(args))
                .ok()?
                .pop(),
            _ => None,
        };
        steps.iter().map(&mut reply).collect()
    }
}

/// Whether both tell of the same, in the same order. Of those in a row that are alike the order is not looked at: SORT meets the
/// elements of a set in the order of each server's own hashes, and Redis 7.0 makes a consumer only with the first entry
/// that it gets, which here is the next command at the latest.
fn same_events(redis: &[String], redkeep: &[String]) -> bool {
    let is_either = |a: &str, b: &str| {
        let each = ["keymiss ", "xgroup-createconsumer "];
        each.iter().any(|name| a.starts_with(name) && b.starts_with(name))
    };
    let in_order = |events: &[String]| {
        let mut events = events.to_vec();
        events
            .chunk_by_mut(|a, b| is_either(a, b))
            .for_each(<[String]>::sort);
        events
    };
    in_order(redis) == in_order(redkeep)
}

/// The calls in a row on one connection.
fn batch_from(steps: &[Step], connection: usize) -> Vec<Args> {
    let of_connection = |step: &Step| match step {
        Step::Call(number, args) if *number == connection => Some(args.clone()),
        _ => None,
    };
    steps.iter().map_while(of_connection).collect()
}

/// Both replies as text; of long ones the part around the first place where they differ.
fn shown(redis: &Value, redkeep: &Value) -> (String, String) {
    const BEFORE: usize = 40;
    const SHOWN: usize = 400;
    let texts = [format!("{redis:?}"), format!("{redkeep:?}")];
    let common = texts[0]
        .bytes()
        .zip(texts[1].bytes())
        .take_while(|(a, b)| a == b)
        .count();
    let [redis, redkeep] = texts.map(|text| {
        if text.len() <= SHOWN {
            return text;
        }
        // The texts of replies are all ASCII but for what errors and simple strings quote.
        let from = text.floor_char_boundary(common.saturating_sub(BEFORE));
        let to = text.floor_char_boundary(from + SHOWN);
        format!(
            "({} characters, from {from}:) ...{}...",
            text.len(),
            &text[from..to]
        )
    });
    (redis, redkeep)
}
