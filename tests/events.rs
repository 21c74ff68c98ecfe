//! Keyspace events: every command tells of what Redis tells of, in the same order; what expires is told of when it is deleted;
//! and nothing is told that a crash takes back. (`differential` compares the events of random commands with Redis's.)

use crate::support::client::encode;
use crate::support::server::redis_is_installed;
use crate::support::text::split;
use crate::support::{Client, Kind, Server, Value, heavy, wait_for};
use std::thread;
use std::time::{Duration, Instant};

/// What Redis 8.2.3 tells of each command.
const COMMANDS: &str = include_str!("events/commands.txt");

/// All classes, under both names of a channel; the last two are new in Redis 8.2.
const ALL: &str = "KEg$lshzxetdnmoc";
const ALL_OF_7: &str = "KEg$lshzxetdnm";
const NEW_IN_8: [&str; 2] = ["overwritten", "type_changed"];

/// No event comes as late as this.
const PATIENCE: Duration = Duration::from_secs(10);

/// An event as the table has it: its name, its key, and the number of the database if that is not 0.
fn shown(event: &str, database: &str, key: &str) -> String {
    match database {
        "0" => format!("{event} {key}"),
        _ => format!("{event} {key} @{database}"),
    }
}

/// A connection that hears all events, and one that marks how far it has heard.
pub struct Listener {
    hears: Client,
    marks: Client,
    marked: u64,
}

/// A channel of the listener's own.
const MARK: &str = "mark";

impl Listener {
    pub fn new(server: &Server) -> Listener {
        let (mut hears, marks) = (server.client(), server.client());
        hears.run(&["PSUBSCRIBE", "__key*@*__:*"]);
        hears.run(&["SUBSCRIBE", MARK]);
        Listener {
            hears,
            marks,
            marked: 0,
        }
    }

    /// What came since the last call, each event once: under the key's name and under its own it has to be the same.
    pub fn events(&mut self) -> Vec<String> {
        self.marked += 1;
        let mark = self.marked.to_string();
        self.marks.run(&["PUBLISH", MARK, &mark]);
        let (mut of_keys, mut of_events) = (Vec::new(), Vec::new());
        loop {
            let message = self.hears.receive().expect("a message");
            let parts: Vec<String> = message.items().iter().filter_map(Value::text).collect();
            match &parts[..] {
                [kind, channel, text] if kind == "message" && channel == MARK => {
                    assert_eq!(*text, mark);
                    break;
                }
                [kind, _, channel, text] if kind == "pmessage" => {
                    let (family, rest) = channel.split_once('@').expect("a channel of events");
                    let (database, subject) = rest.split_once("__:").expect("a channel of events");
                    match family {
                        "__keyspace" => of_keys.push(shown(text, database, subject)),
                        "__keyevent" => of_events.push(shown(subject, database, text)),
                        _ => panic!("{parts:?}"),
                    }
                }
                _ => panic!("{parts:?}"),
            }
        }
        assert_eq!(of_keys, of_events);
        of_keys
    }

    /// Waits for events until they are these.
    fn await_events(&mut self, expected: &[&str]) {
        let (mut heard, begun) = (Vec::new(), Instant::now());
        while heard.len() < expected.len() && begun.elapsed() < PATIENCE {
            heard.extend(self.events());
            thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(heard, expected);
    }
}

/// A command of the table, and what it tells of.
struct Told {
    line: usize,
    args: Vec<Vec<u8>>,
    events: Vec<String>,
    /// Not compared with Redis 7.0.
    is_new: bool,
}

enum Line {
    Section(bool),
    Sleep(u64),
    Command(Told),
}

fn table() -> Vec<Line> {
    let mut lines = Vec::new();
    let (mut is_section_new, mut is_new) = (false, false);
    for (at, text) in COMMANDS.lines().enumerate() {
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        if text.starts_with("== ") {
            is_section_new = false;
            lines.push(Line::Section(false));
        } else if let Some(command) = text.strip_prefix("> ") {
            lines.push(Line::Command(Told {
                line: at + 1,
                args: split(command).unwrap_or_else(|error| panic!("line {}: {error}", at + 1)),
                events: Vec::new(),
                is_new: std::mem::take(&mut is_new) || is_section_new,
            }));
        } else if let Some(time) = text.strip_prefix("@sleep ") {
            lines.push(Line::Sleep(time.parse().expect("milliseconds")));
        } else if text.starts_with("@only-section redkeep ") {
            is_section_new = true;
            lines.push(Line::Section(true));
        } else if text.starts_with("@skip redis-7.0 ") {
            is_new = true;
        } else {
            match lines.last_mut() {
                Some(Line::Command(told)) if !text.starts_with('@') => told.events.push(text.to_owned()),
                _ => panic!("line {}: {text}", at + 1),
            }
        }
    }
    lines
}

/// Runs the table. `before` is done before each command.
fn compare(server: &Server, classes: &str, mut before: impl FnMut(&mut Client)) {
    let mut client = server.client();
    let mut admin = server.client();
    let mut listener = Listener::new(server);
    let (mut compared, mut is_left_out) = (0, false);
    for line in table() {
        match line {
            Line::Section(is_new) => {
                is_left_out = is_new && server.is_redis();
                client = server.client();
                admin.ok(&["CONFIG", "SET", "notify-keyspace-events", ""]);
                admin.ok(&["FLUSHALL"]);
                admin.ok(&["DEBUG", "SET-ACTIVE-EXPIRE", "1"]);
                admin.ok(&["CONFIG", "SET", "notify-keyspace-events", classes]);
                assert_eq!(listener.events(), [""; 0]);
            }
            _ if is_left_out => {}
            Line::Sleep(time) => thread::sleep(Duration::from_millis(time)),
            Line::Command(told) => {
                before(&mut admin);
                client.run(&told.args);
                let heard = listener.events();
                let mut expected = told.events;
                if server.is_redis() {
                    expected.retain(|event| !NEW_IN_8.iter().any(|name| event.starts_with(name)));
                }
                if !(told.is_new && server.is_redis()) {
                    assert_eq!(heard, expected, "line {} of the table", told.line);
                    compared += 1;
                }
            }
        }
    }
    assert!(compared > 400, "{compared}");
}

const DEBUG: [&str; 2] = ["--enable-debug-command", "yes"];

#[test]
fn each_command_tells_of_what_it_does() {
    let server = Server::start(Kind::Redkeep, &DEBUG);
    compare(&server, ALL, |_| ());
}

/// A command that runs again, as it missed something, does not tell twice.
#[test]
fn each_command_tells_the_same_of_what_is_cold() {
    let server = Server::start(
        Kind::Redkeep,
        &["--enable-debug-command", "yes", "--maxmemory", "4mb"],
    );
    compare(&server, ALL, |client| client.ok(&["DEBUG", "DROP-HOT"]));
}

#[test]
fn a_real_server_tells_of_the_same() {
    if redis_is_installed() {
        let server = Server::start(Kind::Redis, &DEBUG);
        compare(&server, ALL_OF_7, |_| ());
    }
}

#[test]
fn only_the_classes_that_are_configured_are_told_of() {
    let server = Server::start(Kind::Redkeep, &[]);
    let mut client = server.client();
    let mut hears = server.client();
    hears.run(&["PSUBSCRIBE", "__key*"]);
    let mut told = |classes: &str| {
        client.ok(&["CONFIG", "SET", "notify-keyspace-events", classes]);
        client.run(&["DEL", "k"]);
        client.run(&["SET", "k", "v", "EX", "1000"]);
        client.run(&["GET", "none"]);
        client.ok(&["CONFIG", "SET", "notify-keyspace-events", ""]);
        client.run(&["SET", "k", "not told"]);
        client.run(&["PUBLISH", "__key-end", ""]);
        let mut heard = Vec::new();
        loop {
            let message = hears.receive().expect("a message");
            let channel = message.items()[2].text().expect("a channel");
            if channel == "__key-end" {
                return heard;
            }
            heard.push(format!(
                "{channel} {}",
                message.items()[3].text().expect("a payload")
            ));
        }
    };
    assert_eq!(told("A"), [""; 0]);
    assert_eq!(told("K"), [""; 0]);
    assert_eq!(told("Kg"), ["__keyspace@0__:k del", "__keyspace@0__:k expire"]);
    assert_eq!(told("E$"), ["__keyevent@0__:set k"]);
    assert_eq!(
        told("KEm"),
        ["__keyspace@0__:none keymiss", "__keyevent@0__:keymiss none"]
    );
    assert_eq!(told("En"), ["__keyevent@0__:new k"]);
}

/// What is past its deadline is told of when it is deleted: soon, though nobody asks for it, but not while clients are paused.
#[test]
fn what_expires_is_told_of_when_it_is_deleted() {
    let server = Server::start(Kind::Redkeep, &["--notify-keyspace-events", "KEx"]);
    let mut client = server.client();
    let mut listener = Listener::new(&server);
    client.ok(&["SET", "a", "v", "PX", "20"]);
    client.ok(&["SET", "b", "v", "PX", "120"]);
    listener.await_events(&["expired a", "expired b"]);
    // A deadline that has passed already.
    client.ok(&["SET", "c", "v", "EXAT", "1"]);
    listener.await_events(&["expired c"]);

    client.ok(&["SET", "d", "v", "PX", "20"]);
    client.ok(&["CLIENT", "PAUSE", "100000", "WRITE"]);
    thread::sleep(Duration::from_millis(300));
    assert_eq!(client.run(&["GET", "d"]), Value::Nil);
    let quiet = listener.hears.is_silent(Duration::from_millis(50));
    assert!(quiet.expect("a connection"));
    client.ok(&["CLIENT", "UNPAUSE"]);
    listener.await_events(&["expired d"]);
}

/// So many that a listener is there before all of them are deleted.
#[test]
fn what_expired_while_the_server_was_down_is_told_of_when_it_is_deleted() {
    const KEYS: usize = 50_000;
    let _turn = heavy();
    let mut server = Server::start(Kind::Redkeep, &["--notify-keyspace-events", "KEx"]);
    let mut client = server.client();
    let soon = "1500";
    let sets: Vec<Vec<String>> = (0..KEYS)
        .map(|n| {
            ["SET", &format!("k{n}"), "v", "PX", soon]
                .map(str::to_owned)
                .to_vec()
        })
        .collect();
    client.pipeline(&sets).expect("replies");
    client.ok(&["SET", "stays", "v"]);
    server.kill9();
    thread::sleep(Duration::from_millis(1500));
    server.start_again();
    let mut listener = Listener::new(&server);
    let mut client = server.client();
    let mut heard = Vec::new();
    wait_for("the keys to expire", PATIENCE, || {
        heard.extend(listener.events());
        (client.run(&["DBSIZE"]).integer() == 1).then_some(())
    });
    heard.extend(listener.events());
    assert!(!heard.is_empty() && heard.len() <= KEYS, "{}", heard.len());
    let unexpected = heard.iter().find(|event| !event.starts_with("expired k"));
    assert_eq!(unexpected, None);
}

#[test]
fn fields_that_expire_are_told_of_once_for_all_that_go_together() {
    let server = Server::start(Kind::Redkeep, &["--notify-keyspace-events", "KEhg"]);
    let mut client = server.client();
    let mut listener = Listener::new(&server);
    client.run(&["HSET", "h", "a", "1", "b", "2", "c", "3"]);
    client.run(&["HPEXPIRE", "h", "20", "FIELDS", "2", "a", "b"]);
    listener.await_events(&["hset h", "hexpire h", "hexpired h"]);
    client.run(&["HPEXPIRE", "h", "20", "FIELDS", "1", "c"]);
    listener.await_events(&["hexpire h", "hexpired h", "del h"]);
}

/// A MULTI that is discarded or refused, and a script that fails, tell of what they have done.
#[test]
fn what_did_not_happen_is_not_told_of() {
    let server = Server::start(Kind::Redkeep, &["--notify-keyspace-events", "AKE"]);
    let mut client = server.client();
    let mut other = server.client();
    let mut listener = Listener::new(&server);
    client.ok(&["MULTI"]);
    client.run(&["SET", "a", "1"]);
    client.ok(&["DISCARD"]);
    client.ok(&["WATCH", "w"]);
    client.ok(&["MULTI"]);
    client.run(&["SET", "a", "1"]);
    other.ok(&["SET", "w", "1"]);
    assert_eq!(client.run(&["EXEC"]), Value::NilArray);
    assert_eq!(listener.events(), ["set w"]);
    client.run(&[
        "EVAL",
        "redis.call('SET', 'a', 1) return redis.call('INCR', 'w', 2)",
        "0",
    ]);
    assert_eq!(listener.events(), ["set a"]);
    client.ok(&["MULTI"]);
    client.run(&["LPUSH", "a", "1"]);
    client.run(&["CONFIG", "SET", "notify-keyspace-events", ""]);
    client.run(&["SET", "a", "2"]);
    client.run(&["CONFIG", "SET", "notify-keyspace-events", "AKE"]);
    client.run(&["SET", "a", "3"]);
    client.run(&["EXEC"]);
    assert_eq!(listener.events(), ["set a"]);
}

/// What is done for who waits is told of behind what has woken them.
#[test]
fn who_waits_is_told_of_behind_what_has_woken_them() {
    let server = Server::start(Kind::Redkeep, &["--notify-keyspace-events", "AKEnm"]);
    tell_of_waiters(&server, &["xgroup-createconsumer s"], &["xadd s"]);
}

#[test]
fn a_real_server_tells_so_of_who_waits() {
    if redis_is_installed() {
        let server = Server::start(Kind::Redis, &["--notify-keyspace-events", "AKEnm"]);
        // It makes no consumer that gets nothing.
        tell_of_waiters(&server, &[], &["xadd s", "xgroup-createconsumer s"]);
    }
}

/// What is told of a consumer while it waits, and when it is given something, differs between versions.
fn tell_of_waiters(server: &Server, consumer_waits: &[&str], consumer_is_given: &[&str]) {
    let mut listener = Listener::new(server);
    let mut told = |waiter: &str, while_it_waits: &[&str], commands: &[&str], then: &[&str]| {
        let mut waits = server.client();
        let waiting = encode(&split(waiter).expect("words"));
        waits.send(&waiting).expect("a connection");
        let mut client = server.client();
        wait_for("it to wait", PATIENCE, || {
            let info = client.run(&["INFO", "clients"]).text().expect("a text");
            info.contains("blocked_clients:1").then_some(())
        });
        assert_eq!(listener.events(), while_it_waits, "{waiter}");
        for command in commands {
            client.run(&split(command).expect("words"));
        }
        waits.receive().expect("a reply");
        assert_eq!(listener.events(), then, "{waiter}");
        client.ok(&["FLUSHALL"]);
    };
    let popped = ["new l", "rpush l", "lpop l", "del l"];
    told("BLPOP none l 0", &[], &["RPUSH l a"], &popped);
    let queue = ["MULTI", "RPUSH l a b", "SET x 1", "EXEC"];
    let after_all = ["new l", "rpush l", "new x", "set x", "lpop l"];
    told("BLPOP l 0", &[], &queue, &after_all);
    let pushed = ["new l", "rpush l", "new m", "rpush m", "lpop l", "del l"];
    told("BLMOVE l m LEFT RIGHT 0", &[], &["RPUSH l a"], &pushed);
    let script = "EVAL \"redis.call('ZADD', 'z', 1, 'a') return redis.call('SET', 'x', 1)\" 0";
    let after_script = ["new z", "zadd z", "new x", "set x", "zpopmin z", "del z"];
    told("BZPOPMIN z 0", &[], &[script], &after_script);
    let missed = ["keymiss s", "keymiss s"];
    let add = ["XADD s 1-1 f v"];
    told("XREAD BLOCK 0 STREAMS s $", &missed, &add, &["new s", "xadd s"]);
    let create = ["XGROUP", "CREATE", "s", "g", "$", "MKSTREAM"];
    server.client().ok(&create);
    let waits = [&["new s", "xgroup-create s"], consumer_waits].concat();
    let read = "XREADGROUP GROUP g c BLOCK 0 STREAMS s >";
    told(read, &waits, &add, consumer_is_given);
}

/// What a script has to tell of waits for its end, so it is refused to go on where that is too much; who does not listen is no
/// reason for it.
#[test]
fn what_one_transaction_has_to_tell_of_is_bounded() {
    let flags = ["--notify-keyspace-events", "AKEm", "--maxmemory", "16mb"];
    let server = Server::start(Kind::Redkeep, &flags);
    let mut client = server.client();
    let script =
        "for i = 1, 200000 do redis.call('INCR', 'n') redis.pcall('LPUSH', 'n', 'x') end return 'done'";
    assert_eq!(client.run(&["EVAL", script, "0"]), Value::bulk("done"));
    let before = server.resident_bytes();
    let _listener = Listener::new(&server);
    let refused = client.run(&["EVAL", script, "0"]);
    assert!(
        refused.is_error() && format!("{refused:?}").contains("OOM"),
        "{refused:?}"
    );
    let grown = server.resident_bytes().saturating_sub(before);
    assert!(grown < 48 << 20, "{grown}");
    // What it has done until then stays, as in Redis. (Who listens may be cut off by so many messages.)
    let sum = client.run(&["GET", "n"]).text().expect("a number");
    let done = sum.parse::<u64>().expect("a number") - 200_000;
    assert!((10_000..200_000).contains(&done), "{done}");
    // What fails takes nothing, however often.
    let script = "for i = 1, 200000 do redis.pcall('LPUSH', 'n', 'x') end return 'done'";
    assert_eq!(client.run(&["EVAL", script, "0"]), Value::bulk("done"));
}

/// The same of what it publishes itself, to others or to whom that is unsettled yet; one message may be as long as it likes.
#[test]
fn what_one_transaction_publishes_is_bounded() {
    let server = Server::start(Kind::Redkeep, &["--maxmemory", "16mb"]);
    let mut client = server.client();
    let script =
        "redis.call('INCR', 'n') for i = 1, 100000 do redis.call('PUBLISH', 'c', ARGV[1]) end return 'done'";
    let run = ["EVAL", script, "0", &"x".repeat(1000)];
    assert_eq!(client.run(&run), Value::bulk("done"));
    let mut listener = server.client();
    listener.run(&["SUBSCRIBE", "c"]);
    let before = server.resident_bytes();
    let refused = client.run(&run);
    assert!(
        refused.is_error() && format!("{refused:?}").contains("OOM"),
        "{refused:?}"
    );
    client.ok(&["MULTI"]);
    client.run(&run);
    client.run(&["CLIENT", "ID"]);
    client.run(&run);
    let replies = client.run(&["EXEC"]);
    let texts = replies.items().iter().map(|reply| format!("{reply:?}"));
    let refused: Vec<bool> = texts.map(|text| text.contains("OOM")).collect();
    assert_eq!(refused, [true, false, true]);
    let grown = server.resident_bytes().saturating_sub(before);
    assert!(grown < 48 << 20, "{grown}");
    assert_eq!(client.run(&["GET", "n"]), Value::bulk("4"));
    let long = "y".repeat(3 << 20);
    let mut listener = server.client();
    listener.run(&["SUBSCRIBE", "c"]);
    assert!(client.run(&["PUBLISH", "c", &long]).integer() >= 1);
}

/// Keys that a call misses are told of though it goes on over a view.
#[test]
fn misses_over_a_view_are_told_of() {
    let server = Server::start(
        Kind::Redkeep,
        &["--notify-keyspace-events", "KEm", "--maxmemory", "4mb"],
    );
    let mut client = server.client();
    let mut listener = Listener::new(&server);
    let keys: Vec<String> = (0..2000).map(|n| format!("k{n}")).collect();
    for key in keys.iter().step_by(2) {
        client.ok(&["SET", key, &"v".repeat(4000)]);
    }
    client.ok(&["DEBUG", "DROP-HOT"]);
    let mut args = vec!["MGET"];
    args.extend(keys.iter().map(String::as_str));
    let found = client.run(&args);
    assert_eq!(
        found.items().iter().filter(|value| **value == Value::Nil).count(),
        1000
    );
    let expected: Vec<String> = keys
        .iter()
        .skip(1)
        .step_by(2)
        .map(|key| format!("keymiss {key}"))
        .collect();
    // They may come behind the reply, which leaves in pieces.
    let expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    listener.await_events(&expected);
}

/// After `kill -9` there is no event of a write that is not there.
#[test]
fn no_event_overtakes_the_commit_of_what_it_tells_of() {
    for mode in ["always", "everysec"] {
        let flags = ["--notify-keyspace-events", "E$", "--appendfsync", mode];
        let mut server = Server::start(Kind::Redkeep, &flags);
        let mut hears = server.client();
        hears.run(&["SUBSCRIBE", "__keyevent@0__:set"]);
        let mut writer = server.client();
        let writes = thread::spawn(move || {
            for n in 0.. {
                let batch: Vec<Vec<String>> = (0..20)
                    .map(|i| ["SET", &format!("k{n}-{i}"), "v"].map(str::to_owned).to_vec())
                    .collect();
                if writer.pipeline(&batch).is_err() {
                    break;
                }
            }
        });
        thread::scope(|scope| {
            let heard = scope.spawn(|| {
                let mut heard = Vec::new();
                while let Ok(message) = hears.receive() {
                    heard.push(message.items()[2].text().expect("a key"));
                }
                heard
            });
            thread::sleep(Duration::from_millis(300));
            server.kill9();
            writes.join().expect("the writer");
            let heard = heard.join().expect("the listener");
            assert!(heard.len() > 20, "{mode}: {}", heard.len());
            server.start_again();
            let mut client = server.client();
            let gets: Vec<Vec<&str>> = heard.iter().map(|key| vec!["GET", key]).collect();
            let found = client.pipeline(&gets).expect("replies");
            let missing = found.iter().filter(|value| **value == Value::Nil).count();
            assert_eq!(missing, 0, "{mode}: of {}", heard.len());
        });
    }
}
