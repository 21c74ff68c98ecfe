//! Every command over data also runs where no view may be used: as part of a larger transaction, behind writes that are
//! staged with it, over data of which nothing is in memory. What it answers then is what it answers alone, in memory or
//! over a view.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::parking::Wait;
use super::request::{Body, Ran, Request, Waiting};
use super::table::{self, Command, Found, Run, flag};
use super::{Engine, store_options};
use crate::command::Call;
use crate::config::Config;
use crate::resp::{Args, OwnedArgs, Protocol, Reply, encode};
use crate::store::{self, Epoch, Stop, Store, Txn};

/// As `tests/cold.rs` has them: what is there, and what each command does with it.
const TEMPLATES: &str = include_str!("../../tests/cold/templates.txt");
const CASES: &str = include_str!("../../tests/cold/cases.txt");
const WITHOUT_KEYS: &str = include_str!("../../tests/cold/without-keys.txt");
/// Commands whose elements come in no order.
const UNORDERED: [&str; 3] = ["sunion", "sinter", "sdiff"];

/// What is written to each template's copy before the command runs, in its transaction.
const WRITES: &[(&str, &[&str])] = &[
    ("counter", &["INCRBY counter 5"]),
    ("long", &["SETRANGE long 500 staged"]),
    ("other", &["SETRANGE other 900000 staged"]),
    (
        "list",
        &["RPUSH list staged", "LPOP list", "LSET list 4000 staged"],
    ),
    ("mixed", &["LPUSH mixed staged", "RPOP mixed"]),
    ("ids", &["RPUSH ids 77777", "LPOP ids"]),
    ("set", &["SADD set staged", "SREM set m7 m5007"]),
    ("set2", &["SADD set2 staged", "SREM set2 m6007"]),
    ("hash", &["HSET hash staged v", "HDEL hash f7"]),
    ("numbers", &["HINCRBY numbers f1 4", "HDEL numbers f7"]),
    ("timed", &["HSET timed staged v", "HPERSIST timed FIELDS 1 f7"]),
    ("zset", &["ZADD zset 55.5 staged", "ZREM zset m7"]),
    ("zset2", &["ZADD zset2 55.5 staged", "ZREM zset2 m6007"]),
    ("same", &["ZADD same 0 staged", "ZREM same m7"]),
    ("geo", &["GEOADD geo 1.5 2.5 staged", "ZREM geo m7"]),
    ("hll", &["PFADD hll staged"]),
    ("hll2", &["PFADD hll2 staged"]),
    ("stream", &["XDEL stream 7-1 5007-1"]),
];
/// What is written before any command.
const ALWAYS: [&str; 3] = ["SET staged 1", "DEL k3 w3", "SET k4 staged"];

/// No step of a test takes longer.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often a transaction of this test may find something missing.
const MOST_ROUNDS: u64 = 8;

/// As EXEC would be: its arguments are requests, which run one after the other. Replies with what the last one answers,
/// encoded.
static QUEUE: Command = Command::data("queue", -2, run_queue).flags(flag::WRITE);

fn run_queue(txn: &mut Txn, call: &Call) -> store::Result<Reply> {
    let mut last = Vec::new();
    for text in call.args.skip(1) {
        let args = owned(&words(&String::from_utf8_lossy(text)));
        // What a command gathers, it gives back.
        let (before, allowance) = (txn.savepoint(), txn.allowance);
        let run = Call {
            args: args.as_args(),
            ..*call
        };
        let reply = match (handler(find(args.as_args()).command))(txn, &run) {
            Err(Stop::Error(text)) => {
                txn.rollback(before);
                Reply::Error(text)
            }
            reply => reply?,
        };
        txn.allowance = allowance;
        last.clear();
        encode(&reply, Protocol::Resp2, &mut last);
    }
    Ok(Reply::bulk(last))
}

fn handler(row: &Command) -> crate::command::Handler {
    match row.run {
        Run::Data(handler) => handler,
        _ => panic!("{} is no command over data", row.name),
    }
}

fn find(args: Args) -> Found {
    let first = table::find(&args[0]).expect("a command");
    match first.command.run {
        Run::Container(..) => first.subcommand(&args[1]).expect("a subcommand"),
        _ => first,
    }
}

fn owned(words: &[String]) -> OwnedArgs {
    OwnedArgs::new(words).expect("arguments")
}

/// `{a# b#:0..3}` stands for `a0 b0 a1 b1 a2 b2`.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let Some(group) = rest.strip_prefix('{') else {
            let (word, after) = rest.split_once(' ').unwrap_or((rest, ""));
            words.push(word.to_owned());
            rest = after.trim_start();
            continue;
        };
        let (group, after) = group.split_once('}').expect("an end of the group");
        let (pattern, range) = group.rsplit_once(':').expect("a range");
        let (from, to) = range.split_once("..").expect("two numbers");
        let number = |text: &str| text.parse::<u64>().expect("a number");
        for n in number(from)..number(to) {
            let number = n.to_string();
            words.extend(pattern.split(' ').map(|word| word.replace('#', &number)));
        }
        rest = after.trim_start();
    }
    words
}

/// An engine without sessions.
struct Server {
    engine: Engine,
    now: u64,
    db: usize,
    _dir: TempDir,
}

impl Server {
    fn new(now: u64) -> Server {
        let dir = tempfile::tempdir().unwrap();
        let arguments = ["redkeep", "--dir"].iter().map(Into::into);
        let config = Config::from_command_line(arguments.chain([dir.path().into()])).unwrap();
        let store = Store::open(dir.path(), &store_options(&config), Arc::new(|| ())).unwrap();
        let mut engine = Engine::new(store, config, Rc::new(|| ()));
        engine.expiry.enabled = false;
        let mut server = Server {
            engine,
            now,
            db: 0,
            _dir: dir,
        };
        for line in TEMPLATES.lines().filter(|line| !line.is_empty()) {
            match line.strip_prefix("SADD ") {
                Some(rest) => server.add_one_by_one(rest),
                None => drop(server.run_alone(line)),
            }
        }
        for n in 1..10_001 {
            server.run_alone(&format!("XADD stream {n}-1 field value{n}"));
        }
        server.run_alone("XREADGROUP GROUP g c COUNT 10000 STREAMS stream >");
        let keys = server.run_alone("KEYS *");
        for key in strings(&keys) {
            server.run_alone(&format!("RENAME {key} template:{key}"));
        }
        server
    }

    /// A set whose members are where they are in any other that was made so.
    fn add_one_by_one(&mut self, key_and_members: &str) {
        let words = words(key_and_members);
        for member in &words[1..] {
            self.run_alone(&format!("SADD {} {member}", words[0]));
        }
    }

    /// A command in a transaction of its own, which may go over a view.
    fn run_alone(&mut self, text: &str) -> Vec<u8> {
        let args = owned(&words(text));
        self.run(find(args.as_args()).command, args.as_args(), true)
    }

    /// Commands in one transaction, which may not. Returns what the last one answers.
    fn run_together(&mut self, commands: &[String]) -> Vec<u8> {
        let all = std::iter::once("queue").chain(commands.iter().map(String::as_str));
        let args = OwnedArgs::new(all).expect("arguments");
        let bulk = self.run(&QUEUE, args.as_args(), false);
        if bulk.starts_with(b"-") {
            return bulk;
        }
        let begin = 1 + bulk.iter().position(|byte| *byte == b'\n').expect("a length");
        bulk[begin..bulk.len() - 2].to_vec()
    }

    fn run(&mut self, row: &'static Command, args: Args, may_use_view: bool) -> Vec<u8> {
        let request = Request {
            body: Body::Command {
                row,
                handler: handler(row),
                args,
            },
            client: 0,
            db: self.db,
            protocol: Protocol::Resp2,
            now: self.now,
            seed: 1,
            touches: true,
            is_heard: true,
            may_use_view,
            waiting: Waiting::Never,
        };
        let (mut ticket, mut sent, mut came) = (None, Vec::new(), None);
        loop {
            let ran = match came.take() {
                Some(Wait::Checkpoint(epoch)) => self.engine.start_over_view(&request, epoch),
                Some(Wait::View(ticket, inflow)) => self.engine.end_over_view(ticket, &inflow),
                _ => self.engine.run(&request, &mut ticket),
            };
            match ran {
                Ran::Ready(result, _) | Ran::Counted(result, _) => {
                    ticket
                        .into_iter()
                        .for_each(|ticket| self.engine.store.finish(ticket));
                    let reply = result.unwrap_or_else(|stop| Reply::err(stop.text()));
                    encode(&reply, Protocol::Resp2, &mut sent);
                    drop(self.engine.commit_and_release());
                    return sent;
                }
                Ran::Waits(wait) => came = Some(self.wait_for(wait, &mut sent)),
                Ran::CutOff(stop) => panic!("{}", stop.text()),
                Ran::Awaits(..) => panic!("it may not wait"),
            }
        }
    }

    fn wait_for(&mut self, mut wait: Wait, sent: &mut Vec<u8>) -> Wait {
        let begin = Instant::now();
        self.engine.park(&wait, 0, Waker::noop());
        loop {
            drop(self.engine.commit_and_release());
            let has_come = self.engine.has_come(&wait);
            if let Wait::View(_, inflow) = &mut wait {
                while let Some(piece) = inflow.take() {
                    sent.extend(piece.to_vec());
                }
            }
            if has_come {
                return wait;
            }
            assert!(begin.elapsed() < PATIENCE, "it takes too long");
            std::thread::sleep(Duration::from_micros(100));
        }
    }

    /// Brings a case's keys about.
    fn prepare(&mut self, before: &str) {
        self.db = 0;
        for step in before.split(';').map(str::trim).filter(|step| !step.is_empty()) {
            match step.split_once(' ') {
                Some(("SELECT", db)) => self.db = db.parse().expect("a number"),
                Some(_) => drop(self.run_alone(step)),
                None => drop(self.run_alone(&format!("COPY template:{step} {step} REPLACE"))),
            }
        }
    }

    /// Has nothing in memory.
    fn forget(&mut self) {
        let epoch = self.engine.store.last_staged();
        self.wait_for(Wait::Checkpoint(epoch), &mut Vec::new());
        self.engine.store.drop_hot();
    }
}

/// The strings of a reply.
fn strings(reply: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(reply);
    let lines = text.split("\r\n");
    let is_string = |line: &&str| !line.is_empty() && !line.starts_with(['*', '$', ':']);
    lines.filter(is_string).map(str::to_owned).collect()
}

/// The writes that go before a case's command.
fn writes(before: &str) -> Vec<String> {
    let mut writes: Vec<String> = ALWAYS.map(str::to_owned).into();
    for step in before.split(';').map(str::trim) {
        if let Some((_, commands)) = WRITES.iter().find(|(template, _)| *template == step) {
            writes.extend(commands.iter().map(|&command| command.to_owned()));
        }
    }
    writes
}

/// Whether what a command answers live is what it should be, `alone` being what it answers alone, and `keys` all names.
fn agrees(name: &str, live: &[u8], alone: &[u8], keys: &[String]) -> bool {
    match name {
        "randomkey" => strings(live).iter().all(|key| keys.contains(key)) && !strings(live).is_empty(),
        // How far a step comes is not said.
        "scan" => strings(live)[1..].iter().eq(&keys[..strings(live).len() - 1]),
        _ if UNORDERED.contains(&name) => {
            let sorted = |reply| {
                let mut strings = strings(reply);
                strings.sort();
                strings
            };
            sorted(live) == sorted(alone)
        }
        _ => live == alone,
    }
}

#[test]
fn every_command_answers_in_a_transaction_without_views_what_it_answers_alone() {
    let now = super::Clock::new().now_ms();
    let (mut cold, mut warm) = (Server::new(now), Server::new(now));
    let mut seen: BTreeSet<String> = WITHOUT_KEYS.lines().map(str::to_owned).collect();
    let mut wrong = Vec::new();
    for line in CASES.lines().filter(|line| !line.is_empty()) {
        let (name, rest) = line.split_once(" | ").expect("a name");
        let (before, command) = rest.split_once('|').expect("a command");
        let name = name.trim();
        seen.insert(name.to_owned());
        cold.prepare(before);
        warm.prepare(before);
        let mut all = writes(before);
        all.iter().for_each(|write| drop(warm.run_alone(write)));
        let alone = warm.run_alone(command.trim());
        let keys = match name {
            "randomkey" | "scan" => strings(&warm.run_alone("KEYS *")),
            _ => Vec::new(),
        };
        all.push(command.trim().to_owned());
        cold.forget();
        let (views, faults) = (cold.engine.stats.views, cold.engine.stats.faults);
        let live = cold.run_together(&all);
        assert_eq!(cold.engine.stats.views, views, "{line}: over a view");
        let rounds = cold.engine.stats.faults - faults;
        if !agrees(name, &live, &alone, &keys) || rounds > MOST_ROUNDS {
            let shown = |reply: &[u8]| String::from_utf8_lossy(&reply[..reply.len().min(300)]).into_owned();
            wrong.push(format!(
                "{rounds} rounds: {line}\n  live: {:?}\n  alone: {:?}",
                shown(&live),
                shown(&alone)
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let all: BTreeSet<String> = table::all().flat_map(|found| names(found.command)).collect();
    let differ: Vec<&String> = seen.symmetric_difference(&all).collect();
    assert!(
        differ.is_empty(),
        "without a case, or not in the table: {differ:?}"
    );
}

/// The names of commands over data: a command's own, or those of its subcommands.
fn names(command: &Command) -> Vec<String> {
    let is_data = |command: &&Command| matches!(command.run, Run::Data(_));
    let subcommands = command.subcommands().iter().filter(is_data);
    let mut names: Vec<String> = subcommands
        .map(|sub| format!("{}|{}", command.name, sub.name))
        .collect();
    if is_data(&command) {
        names.push(command.name.to_owned());
    }
    names
}

#[test]
fn what_may_be_gathered_without_a_view_is_bounded() {
    let mut server = Server::new(super::Clock::new().now_ms());
    server.engine.limits.gathered = 50_000;
    server.engine.limits.live_gathered = 10_000;
    server.prepare("set");
    server.forget();
    let queue = |command: &str| ["SADD set staged".to_owned(), command.to_owned()];
    for command in ["SMEMBERS set", "SORT set ALPHA", "SUNION set template:set2"] {
        let refused = server.run_together(&queue(command));
        assert!(refused.starts_with(b"-OOM"), "{command}: {:?}", strings(&refused));
    }
    // Nothing of a transaction that fails as a whole is staged, and no pin is left.
    assert_eq!(server.run_together(&queue("SCARD set")), b":10001\r\n");
    server.forget();
    let epoch = server.engine.store.last_staged();
    assert!(epoch == server.engine.store.settled() && epoch > Epoch::NONE);
}
