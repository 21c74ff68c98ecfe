//! Clients that wait beside clients that write, in turns: a real redis-server gives the same to the same, and as early.
//!
//! After each command all replies that came are compared. What 7.0 does otherwise than 7.2 is left out: transactions that
//! feed several keys at once, keys that change their type, streams named twice, and the texts for those that are gone.
//!
//! `REDKEEP_TURNS_SEEDS=20 REDKEEP_TURNS_STEPS=20000` makes it long; `REDKEEP_TURNS_FIRST=7` starts with seed 7.

use super::wait_for_waiters;
use crate::support::client::encode;
use crate::support::server::redis_is_installed;
use crate::support::{Client, Kind, Rng, Server, Value, env_number, heavy};
use std::time::Instant;

type Args = Vec<String>;

const CLIENTS: usize = 8;

/// One server and its clients. The last one never waits.
struct Side {
    server: Server,
    clients: Vec<Client>,
    ids: Vec<String>,
    watch: Client,
}

impl Side {
    fn start(kind: Kind, flags: &[&str]) -> Side {
        let server = Server::start(kind, flags);
        let mut clients: Vec<Client> = (0..CLIENTS).map(|_| server.client()).collect();
        let id = |client: &mut Client| client.run(&["CLIENT", "ID"]).integer().to_string();
        Side {
            ids: clients.iter_mut().map(id).collect(),
            watch: server.client(),
            clients,
            server,
        }
    }

    fn send(&mut self, client: usize, step: &Args) {
        let ids = &self.ids;
        let named = |word: &String| match word.strip_prefix("id:") {
            Some(number) => ids[number.parse::<usize>().expect("a number")].clone(),
            None => word.clone(),
        };
        let words: Args = step.iter().map(named).collect();
        self.clients[client]
            .send(&encode(&words))
            .expect("a running server");
        // Twice: at the first, the command may be read after it.
        self.watch.run(&["PING"]);
        self.watch.run(&["PING"]);
    }

    /// What a client was answered.
    fn reply(&mut self, client: usize) -> Option<Value> {
        let has_come = self.clients[client].has_bytes().expect("a running server");
        has_come.then(|| self.receive(client))
    }

    fn receive(&mut self, client: usize) -> Value {
        self.clients[client].receive().expect("a running server")
    }
}

/// Where there are two texts for one thing.
fn leveled(reply: Value) -> Value {
    match reply {
        Value::Error(text) if text.starts_with("UNBLOCKED the") || text.starts_with("NOGROUP") => {
            Value::Error("it is gone".into())
        }
        reply => reply,
    }
}

#[test]
fn who_waits_gets_what_redis_gives() {
    if !redis_is_installed() {
        return;
    }
    let _turn = heavy();
    let first = env_number("REDKEEP_TURNS_FIRST", 1);
    let seeds = env_number("REDKEEP_TURNS_SEEDS", 2);
    let steps = env_number("REDKEEP_TURNS_STEPS", 1500);
    for seed in first..first + seeds {
        let began = Instant::now();
        let flags: &[&str] = if seed % 2 == 0 {
            &["--maxmemory", "4mb"]
        } else {
            &[]
        };
        let mut sides = [Side::start(Kind::Redkeep, flags), Side::start(Kind::Redis, &[])];
        let given = run(seed, steps, &mut sides);
        assert!(
            given > steps / 20,
            "seed {seed}: only {given} were given something"
        );
        println!(
            "seed {seed}: {given} who waited were given something, {:.1?}",
            began.elapsed()
        );
    }
}

/// Runs so many steps. Returns how many clients were given something that they had waited for.
fn run(seed: u64, steps: u64, sides: &mut [Side; 2]) -> u64 {
    let mut rng = Rng::new(seed);
    // Before 7.2 the key that came first decided, and not the order of the waiter's own.
    let info = sides[1].watch.run(&["INFO", "server"]).text().expect("a text");
    let target = if info.contains("redis_version:7.0") {
        "m"
    } else {
        "l"
    };
    let mut waits = [false; CLIENTS];
    let (mut said, mut given): (Vec<String>, u64) = (Vec::new(), 0);
    for number in 0..steps {
        let free: Vec<usize> = (0..CLIENTS).filter(|&client| !waits[client]).collect();
        let client = *rng.pick(&free);
        // One at least does not wait.
        let step = match free.len() > 1 && rng.one_in(2) {
            true => waiting(&mut rng, target),
            false => other(&mut rng, number, &waits),
        };
        if rng.one_in(20) {
            let [redkeep, _] = sides;
            redkeep.server.drop_hot(&mut redkeep.watch);
        }
        said.push(format!("{client}: {}", step.join(" ")));
        sides.iter_mut().for_each(|side| side.send(client, &step));
        let awaited = |at: usize| waits[at] || at == client;
        let asked: Vec<usize> = (0..CLIENTS).filter(|&at| awaited(at)).collect();
        for at in asked {
            let [redkeep, redis] = sides;
            let theirs = redis.reply(at).map(leveled);
            // Its records may have to be fetched.
            let ours = match theirs {
                Some(_) => Some(redkeep.receive(at)),
                None => redkeep.reply(at),
            };
            let ours = ours.map(leveled);
            assert_eq!(
                ours,
                theirs,
                "seed {seed}, step {number}, client {at} (redkeep left); the last steps:\n{}",
                said[said.len().saturating_sub(40)..].join("\n")
            );
            given += u64::from(waits[at] && ours.is_some());
            waits[at] = ours.is_none();
        }
        // Who waits has a place from when it has found nothing.
        let waiting = waits.iter().filter(|waits| **waits).count() as u64;
        wait_for_waiters(&mut sides[0].watch, waiting);
    }
    given
}

fn words(text: &str) -> Args {
    text.split(' ').map(str::to_owned).collect()
}

fn key(rng: &mut Rng, kind: &str) -> String {
    format!("{kind}{}", rng.below(4))
}

fn side(rng: &mut Rng) -> &'static str {
    ["LEFT", "RIGHT"][rng.below(2) as usize]
}

/// One to three keys of a kind.
fn keys(rng: &mut Rng, kind: &str) -> Args {
    (0..=rng.below(3)).map(|_| key(rng, kind)).collect()
}

/// A command that waits where there is nothing. `target` is the kind of the keys to which elements are moved.
fn waiting(rng: &mut Rng, target: &str) -> Args {
    let timeout = "0";
    let source = *rng.pick(&["l", target]);
    match rng.below(10) {
        0 => words(&format!("BLPOP {} {timeout}", key(rng, target))),
        1 => {
            let names = keys(rng, "l").join(" ");
            words(&format!("{} {names} {timeout}", rng.pick(&["BLPOP", "BRPOP"])))
        }
        2 => words(&format!(
            "BLMOVE {} {} {} {} {timeout}",
            key(rng, source),
            key(rng, target),
            side(rng),
            side(rng)
        )),
        3 => words(&format!(
            "BRPOPLPUSH {} {} {timeout}",
            key(rng, source),
            key(rng, target)
        )),
        4 => {
            let names = keys(rng, "l");
            let (count, names) = (names.len(), names.join(" "));
            let most = 1 + rng.below(3);
            words(&format!(
                "BLMPOP {timeout} {count} {names} {} COUNT {most}",
                side(rng)
            ))
        }
        5 => {
            let names = keys(rng, "z").join(" ");
            words(&format!(
                "{} {names} {timeout}",
                rng.pick(&["BZPOPMIN", "BZPOPMAX"])
            ))
        }
        6 => {
            let names = keys(rng, "z");
            let (count, names) = (names.len(), names.join(" "));
            words(&format!(
                "BZMPOP {timeout} {count} {names} {} COUNT 2",
                rng.pick(&["MIN", "MAX"])
            ))
        }
        7 | 8 => {
            let mut names = keys(rng, "x");
            names.sort();
            names.dedup();
            let ids = vec!["$"; names.len()].join(" ");
            words(&format!("XREAD BLOCK 0 STREAMS {} {ids}", names.join(" ")))
        }
        _ => words(&format!(
            "XREADGROUP GROUP g c{} BLOCK 0 STREAMS {} >",
            rng.below(3),
            key(rng, "x")
        )),
    }
}

/// A command that does not wait: one that gives to who does, mostly.
fn other(rng: &mut Rng, number: u64, waits: &[bool; CLIENTS]) -> Args {
    let (list, set, stream) = (key(rng, "l"), key(rng, "z"), key(rng, "x"));
    let values: Args = (0..=rng.below(3)).map(|n| format!("v{number}.{n}")).collect();
    let values = values.join(" ");
    match rng.below(26) {
        0..=4 => words(&format!("{} {list} {values}", rng.pick(&["RPUSH", "LPUSH"]))),
        5 => words(&format!(
            "LMOVE {list} {} {} {}",
            key(rng, "l"),
            side(rng),
            side(rng)
        )),
        6 => words(&format!("RENAME {list} {}", key(rng, "l"))),
        7 => words(&format!("COPY {list} {} REPLACE", key(rng, "l"))),
        8 => words(&format!("SORT {list} ALPHA STORE {}", key(rng, "l"))),
        9 => words(&format!("{} {list}", rng.pick(&["LPOP", "DEL", "LLEN"]))),
        10 if rng.one_in(2) => words(&format!("RPUSH {} {values}", key(rng, "m"))),
        10..=12 => words(&format!("ZADD {set} {number} m{number} 1 n{number}")),
        13 => words(&format!(
            "ZUNIONSTORE {} 2 {set} {}",
            key(rng, "z"),
            key(rng, "z")
        )),
        14 => words(&format!("ZRANGESTORE {} {set} 0 0", key(rng, "z"))),
        15 => words(&format!("{} {set}", rng.pick(&["ZPOPMIN", "DEL", "ZCARD"]))),
        16..=18 => words(&format!("XADD {stream} {}-1 f v", number + 1)),
        19 => words(&format!("XGROUP CREATE {stream} g $ MKSTREAM")),
        20 => words(&format!("XGROUP DESTROY {stream} g")),
        21 if rng.one_in(3) => words(&format!("DEL {stream}")),
        22 => {
            let mut args = words("EVAL");
            args.push("return redis.call('rpush', KEYS[1], unpack(ARGV))".into());
            args.extend(words(&format!("1 {list} {values}")));
            args
        }
        23 => {
            let mut args = words("EVAL");
            args.push("redis.call('rpush', KEYS[1], ARGV[1]) return redis.call('rpop', KEYS[1])".into());
            args.extend(words(&format!("1 {list} v{number}")));
            args
        }
        24 => {
            let waiters: Vec<usize> = (0..CLIENTS).filter(|&client| waits[client]).collect();
            match waiters.is_empty() {
                true => words("PING"),
                false => words(&format!(
                    "CLIENT UNBLOCK id:{} {}",
                    rng.pick(&waiters),
                    rng.pick(&["TIMEOUT", "ERROR"])
                )),
            }
        }
        _ => words(&format!("RPUSH {list} {values}")),
    }
}
