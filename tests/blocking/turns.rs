//! Clients that wait beside clients that write, in turns: a real redis-server gives the same to the same, and as early.
//!
//! After each step all replies that came are compared. What 7.0 does otherwise than 7.2 is left out: keys that change their
//! type, streams named twice, the texts for those that are gone; and beside a server of 7.0, transactions that feed several
//! keys for which one client may wait. `REDKEEP_TEST_REDIS=PATH` names a newer one, where its own order of keys decides.
//!
//! `REDKEEP_TURNS_SEEDS=20 REDKEEP_TURNS_STEPS=20000` makes it long; `REDKEEP_TURNS_FIRST=7` starts with seed 7.

use super::wait_for_waiters;
use crate::support::client::encode;
use crate::support::server::redis_is_installed;
use crate::support::{Client, Kind, Rng, Server, Value, env_number, heavy};
use std::time::Instant;

type Args = Vec<String>;
/// Commands that a client sends at once.
type Step = Vec<Args>;

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

    fn send(&mut self, client: usize, step: &Step) {
        let ids = &self.ids;
        let named = |word: &String| match word.strip_prefix("id:") {
            Some(number) => ids[number.parse::<usize>().expect("a number")].clone(),
            None => word.clone(),
        };
        let request = |args: &Args| encode(&args.iter().map(named).collect::<Args>());
        let requests: Vec<u8> = step.iter().flat_map(request).collect();
        self.clients[client].send(&requests).expect("a running server");
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
    let is_older = info.contains("redis_version:7.0");
    let target = if is_older { "m" } else { "l" };
    let mut waits = [false; CLIENTS];
    let (mut said, mut given): (Vec<String>, u64) = (Vec::new(), 0);
    for number in 0..steps {
        let free: Vec<usize> = (0..CLIENTS).filter(|&client| !waits[client]).collect();
        let client = *rng.pick(&free);
        // One at least does not wait.
        let step = match free.len() > 1 && rng.one_in(2) {
            true => vec![waiting(&mut rng, target)],
            false => match rng.below(12) {
                0 => several(&mut rng, number, &waits, is_older),
                1 => swap(&mut rng, number),
                _ => vec![other(&mut rng, number, &waits)],
            },
        };
        if rng.one_in(20) {
            let [redkeep, _] = sides;
            redkeep.server.drop_hot(&mut redkeep.watch);
        }
        let shown: Vec<String> = step.iter().map(|args| args.join(" ")).collect();
        said.push(format!("{client}: {}", shown.join("; ")));
        let last = |said: &[String]| said[said.len().saturating_sub(40)..].join("\n");
        sides.iter_mut().for_each(|side| side.send(client, &step));
        for _ in 1..step.len() {
            let [ours, theirs] = [0, 1].map(|side| sides[side].receive(client));
            assert_eq!(ours, theirs, "seed {seed}, step {number}:\n{}", last(&said));
        }
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
                last(&said)
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

/// A transaction. Before 7.2 the key that came first decided what a client gets that waits for several.
fn several(rng: &mut Rng, number: u64, waits: &[bool; CLIENTS], is_older: bool) -> Step {
    let mut step = vec![words("MULTI")];
    if is_older {
        step.extend(one_of_each(rng, number));
    } else {
        for _ in 0..=rng.below(4) {
            let args = other(rng, number, waits);
            // One that unblocks itself would do so before its transaction has touched anything.
            step.push(if args[0] == "CLIENT" { words("PING") } else { args });
        }
    }
    step.push(words("EXEC"));
    step
}

/// Commands that feed a list, a sorted set and a stream, or some of them.
fn one_of_each(rng: &mut Rng, number: u64) -> Step {
    let (list, set, stream) = (key(rng, "l"), key(rng, "z"), key(rng, "x"));
    let mut feeds = vec![
        words(&format!("RPUSH {list} v{number}.0 v{number}.1")),
        words(&format!("ZADD {set} {number} m{number} 1 n{number}")),
        words(&format!("XADD {stream} {}-1 f v", number + 1)),
    ];
    for _ in 0..rng.below(3) {
        feeds.remove(rng.below(feeds.len() as u64) as usize);
    }
    feeds
}

/// Another database takes the place of the one where all wait. It has one key of each type, as the order in which keys are
/// found in it is the server's own.
fn swap(rng: &mut Rng, number: u64) -> Step {
    let mut step = vec![words("SELECT 1"), words("FLUSHDB")];
    if rng.one_in(2) {
        step.push(words(&format!("XGROUP CREATE {} g 0 MKSTREAM", key(rng, "x"))));
    }
    step.extend(one_of_each(rng, number));
    step.push(words("SELECT 0"));
    let (one, other) = if rng.one_in(2) { (0, 1) } else { (1, 0) };
    step.push(words(&format!("SWAPDB {one} {other}")));
    if rng.one_in(2) {
        step.insert(0, words("MULTI"));
        step.push(words("EXEC"));
    }
    step
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
