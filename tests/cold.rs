//! Whatever a command reads of what is cold comes in a few rounds, however much it is: each round runs the command once more
//! from its beginning, on the thread that serves everybody.

use crate::support::server::{Kind, Setup};
use crate::support::{Client, Server, Value};
use redkeep::facade::data_commands;
use std::collections::BTreeSet;

/// How often a command may find records missing.
const MOST_ROUNDS: u64 = 8;

/// Large values, each under the name of its key, that cases copy.
const TEMPLATES: &str = include_str!("cold/templates.txt");

/// Name, what is there before, and the command, which touches 10,000 elements where it can. What is there: names of templates,
/// or commands.
const CASES: &str = include_str!("cold/cases.txt");

/// Commands that read no key, one a line.
const WITHOUT_KEYS: &str = include_str!("cold/without-keys.txt");

/// `{a# b#:0..3}` stands for `a0 b0 a1 b1 a2 b2`.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        if let Some(group) = rest.strip_prefix('{') {
            let (group, after) = group.split_once('}').expect("an end of the group");
            let (pattern, range) = group.rsplit_once(':').expect("a range");
            let (from, to) = range.split_once("..").expect("two numbers");
            let number = |text: &str| text.parse::<u64>().expect("a number");
            for n in number(from)..number(to) {
                let number = n.to_string();
                words.extend(pattern.split(' ').map(|word| word.replace('#', &number)));
            }
            rest = after.trim_start();
        } else {
            let (word, after) = rest.split_once(' ').unwrap_or((rest, ""));
            words.push(word.to_owned());
            rest = after.trim_start();
        }
    }
    words
}

/// The arguments of a command. `@zset` stands for what DUMP gives of a template.
fn arguments(client: &mut Client, text: &str) -> Vec<Vec<u8>> {
    let argument = |word: String| match word.strip_prefix('@') {
        Some(template) => match client.run(&["DUMP", &format!("template:{template}")]) {
            Value::Bulk(payload) => payload,
            other => panic!("DUMP of {template}: {other:?}"),
        },
        None => word.into_bytes(),
    };
    words(text).into_iter().map(argument).collect()
}

fn run(client: &mut Client, text: &str) -> Value {
    let args = arguments(client, text);
    answered(client, text, &args)
}

fn answered(client: &mut Client, text: &str, args: &[Vec<u8>]) -> Value {
    let reply = client.run(args);
    let beginning: String = text.chars().take(100).collect();
    let expected = text.starts_with("OBJECT FREQ");
    assert!(expected || !reply.is_error(), "{beginning}: {reply:?}");
    reply
}

fn make_templates(client: &mut Client) {
    for line in TEMPLATES.lines().map(str::trim).filter(|line| !line.is_empty()) {
        run(client, line);
    }
    for n in 1..10_001 {
        client.run(&[
            "XADD",
            "stream",
            &format!("{n}-1"),
            "field",
            &format!("value {n}"),
        ]);
    }
    run(client, "XREADGROUP GROUP g c COUNT 10000 STREAMS stream >");
    for key in client.run(&["KEYS", "*"]).items() {
        let key = key.text().expect("a name");
        client.ok(&["RENAME", &key, &format!("template:{key}")]);
    }
}

fn cold_server() -> (Server, Client) {
    let flags = ["--enable-debug-command", "yes", "--save", ""];
    let server = Setup::new(Kind::Redkeep, &flags).start();
    let client = server.client();
    (server, client)
}

/// Brings a case's keys about, on disk only.
fn prepare(client: &mut Client, before: &str) {
    run(client, "SELECT 0");
    for step in before.split(';').map(str::trim).filter(|step| !step.is_empty()) {
        match step.contains(' ') {
            true => drop(run(client, step)),
            false => {
                let copied = run(client, &format!("COPY template:{step} {step} REPLACE"));
                assert_eq!(copied, Value::Integer(1), "{step}");
            }
        }
    }
    run(client, "DEBUG DROP-HOT");
}

#[test]
fn commands_on_cold_data_do_not_run_once_for_each_missing_record() {
    let (_server, mut client) = cold_server();
    make_templates(&mut client);
    let mut seen: BTreeSet<String> = WITHOUT_KEYS.lines().map(str::to_owned).collect();
    let mut slow = Vec::new();
    for line in CASES.lines().map(str::trim).filter(|line| !line.is_empty()) {
        // Names of subcommands have a bar, too, but no spaces around it.
        let (name, rest) = line.split_once(" | ").expect("a name");
        let (before, command) = rest.split_once('|').expect("a command");
        seen.insert(name.trim().to_owned());
        prepare(&mut client, before);
        let args = arguments(&mut client, command.trim());
        let rounds = client.figure("faults");
        answered(&mut client, command.trim(), &args);
        let rounds = client.figure("faults") - rounds;
        if rounds > MOST_ROUNDS {
            slow.push(format!("{rounds} rounds: {line}"));
        }
    }
    assert!(slow.is_empty(), "{}", slow.join("\n"));
    let all: BTreeSet<String> = data_commands().into_iter().collect();
    let differ: Vec<&String> = seen.symmetric_difference(&all).collect();
    assert!(
        differ.is_empty(),
        "without a case here, or not in the table: {differ:?}"
    );
}
