//! Runs a script on any target.

use super::matching::matches;
use super::script::{Action, Condition, Script, Section, Step};
use crate::support::Value;
use crate::support::client::encode;
use crate::support::text::split;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What a script runs on: a server in some mode, or what stands for one.
pub trait Target {
    /// Whether `@skip` and `@only` mean this target by `tag`.
    fn has_tag(&self, tag: &str) -> bool;

    /// Empties the store and drops every connection.
    fn reset(&mut self) -> Result<(), String>;

    fn call(&mut self, connection: usize, args: &[Vec<u8>]) -> Result<Value, String>;

    /// The bytes of a connection.
    fn wire(&mut self, connection: usize) -> Result<Box<dyn Wire + '_>, String>;

    /// Drops a connection, and waits until the server has noticed.
    fn disconnect(&mut self, connection: usize) -> Result<(), String>;

    fn sleep(&mut self, time: Duration) {
        std::thread::sleep(time);
    }

    /// The script says that no connection carries state which a restart would lose.
    fn safe(&mut self) {}
}

/// A connection as bytes, and who its ends are.
pub trait Wire {
    fn send(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// One reply or push.
    fn receive(&mut self) -> io::Result<Value>;

    /// Whether the server has closed the connection, with nothing more to read.
    fn is_closed(&mut self) -> bool;

    /// Whether nothing arrives for `quiet`.
    fn is_silent(&mut self, quiet: Duration) -> io::Result<bool>;

    fn client_address(&self) -> io::Result<SocketAddr>;

    fn server_address(&self) -> io::Result<SocketAddr>;
}

/// What a run has found.
#[derive(Default)]
pub struct Outcome {
    pub failures: Vec<String>,
    /// Replies of the steps that expect nothing yet, by line: for recording.
    pub unexpected: Vec<(usize, Vec<String>)>,
    pub steps: usize,
}

const SHOWN_WIDTH: usize = 200;
const FAILURES_SHOWN: usize = 25;
const SILENCE: Duration = Duration::from_millis(50);

pub fn run(name: &str, script: &Script, target: &mut dyn Target) -> Outcome {
    let mut runner = Runner {
        name,
        target,
        connection: 1,
        saved: BTreeMap::new(),
        outcome: Outcome::default(),
    };
    if runner.applies(&script.conditions) {
        for section in &script.sections {
            if runner.applies(&section.conditions) {
                runner.section(section);
            }
        }
    }
    runner.outcome
}

struct Runner<'a> {
    name: &'a str,
    target: &'a mut dyn Target,
    connection: usize,
    saved: BTreeMap<String, String>,
    outcome: Outcome,
}

impl Runner<'_> {
    fn applies(&self, conditions: &[Condition]) -> bool {
        conditions
            .iter()
            .all(|condition| self.target.has_tag(&condition.tag) == condition.wanted)
    }

    fn section(&mut self, section: &Section) {
        self.connection = 1;
        self.saved.clear();
        if let Err(error) = self.target.reset() {
            return self.fail(0, format!("== {} ==: {error}", section.title));
        }
        for step in &section.steps {
            if !self.applies(&step.conditions) {
                continue;
            }
            self.outcome.steps += 1;
            match self.act(step) {
                Ok(Some(reply)) => self.judge(step, reply),
                Ok(None) => {}
                // The connections are in an unknown state: what follows in this section means nothing.
                Err(error) => return self.fail(step.line, format!("{:?}\n      {error}", step.action)),
            }
        }
    }

    /// The reply, if the step has one that this target can give.
    fn act(&mut self, step: &Step) -> Result<Option<Value>, String> {
        match &step.action {
            Action::Call(line) => self.call(line).map(Some),
            Action::Scan(line) => self.scan(line).map(Some),
            Action::Resp3 => match self.call("HELLO 3")? {
                Value::Map(_) => Ok(None),
                other => Err(format!("answered {other:?}")),
            },
            Action::Connection(number) => {
                self.connection = *number;
                Ok(None)
            }
            Action::Reconnect => {
                self.target.disconnect(self.connection)?;
                Ok(None)
            }
            Action::Sleep(milliseconds) => {
                self.target.sleep(Duration::from_millis(*milliseconds));
                Ok(None)
            }
            Action::Safe => {
                self.target.safe();
                Ok(None)
            }
            action => self.on_wire(action),
        }
    }

    fn on_wire(&mut self, action: &Action) -> Result<Option<Value>, String> {
        let args = match action {
            Action::Send(line) | Action::Bytes(line) | Action::Raw(line) => split(&self.expand(line))?,
            _ => vec![],
        };
        let mut wire = self.target.wire(self.connection)?;
        let answer = match action {
            Action::Send(_) => wire.send(&encode(&args)).map(|()| None),
            Action::Bytes(_) => wire.send(&args.concat()).map(|()| None),
            Action::Raw(_) => wire.send(&args.concat()).and_then(|()| wire.receive().map(Some)),
            Action::Closed if !wire.is_closed() => return Err("the connection is still open".into()),
            Action::Silent if !wire.is_silent(SILENCE).map_err(|e| e.to_string())? => {
                return Err(format!("not silent: {:?}", wire.receive()));
            }
            Action::Receive => wire.receive().map(Some),
            _ => Ok(None),
        };
        answer.map_err(|error| error.to_string())
    }

    fn call(&mut self, line: &str) -> Result<Value, String> {
        let args = split(&self.expand(line))?;
        self.target.call(self.connection, &args)
    }

    /// All that a cursor gives, in one sorted array.
    fn scan(&mut self, line: &str) -> Result<Value, String> {
        let mut cursor = String::from("0");
        let mut found = BTreeSet::new();
        for _ in 0..100_000 {
            let reply = self.call(&line.replace("{cursor}", &cursor))?;
            let Value::Array(parts) = &reply else {
                return Ok(reply);
            };
            let [next, Value::Array(items)] = &parts[..] else {
                return Ok(reply);
            };
            for item in items {
                match item {
                    Value::Bulk(bytes) => found.insert(bytes.clone()),
                    other => return Err(format!("a scan gave {other:?}")),
                };
            }
            cursor = next.text().ok_or("a cursor that is no text")?;
            if cursor == "0" {
                return Ok(Value::Array(found.into_iter().map(Value::Bulk).collect()));
            }
        }
        Err("the cursor does not come back to 0".into())
    }

    fn judge(&mut self, step: &Step, mut reply: Value) {
        if let Some(name) = &step.save_as {
            self.saved.insert(name.clone(), reply.text().unwrap_or_default());
        }
        if step.unordered {
            reply.sort();
        }
        let actual = reply.lines();
        let expected: Vec<String> = step.expected.iter().map(|line| self.expand(line)).collect();
        if expected.is_empty() {
            self.outcome.unexpected.push((step.line, actual));
        } else if !matches(&expected, &actual) {
            let mut report = match &step.action {
                Action::Call(line) | Action::Scan(line) | Action::Raw(line) => shorten(line),
                other => format!("{other:?}"),
            };
            let mut show = |mark: char, lines: &[String]| {
                for line in lines {
                    report.push_str(&format!("\n    {mark} {}", shorten(line)));
                }
            };
            show('-', &expected);
            show('+', &actual);
            self.fail(step.line, report);
        }
    }

    fn fail(&mut self, line: usize, text: String) {
        let failures = &mut self.outcome.failures;
        if failures.len() < FAILURES_SHOWN {
            failures.push(format!("{}:{line}: {text}", self.name));
        } else if failures.len() == FAILURES_SHOWN {
            failures.push(format!("{}: and more", self.name));
        }
    }

    /// Replaces the variables; other braces stay.
    fn expand(&mut self, line: &str) -> String {
        let mut text = String::new();
        let mut rest = line;
        while let Some(start) = rest.find('{') {
            text.push_str(&rest[..start]);
            rest = &rest[start..];
            let value = rest
                .find('}')
                .and_then(|end| Some((end, self.variable(&rest[1..end])?)));
            let (used, value) = value.map_or((1, "{".into()), |(end, value)| (end + 1, value));
            text.push_str(&value);
            rest = &rest[used..];
        }
        text + rest
    }

    fn variable(&mut self, name: &str) -> Option<String> {
        if let Some(saved) = self.saved.get(name) {
            return Some(saved.clone());
        }
        if name == "port" {
            let wire = self.target.wire(self.connection).ok()?;
            return Some(wire.server_address().ok()?.port().to_string());
        }
        if let Some(number) = name.strip_prefix("addr") {
            let number = if number.is_empty() {
                self.connection
            } else {
                number.parse().ok()?
            };
            return Some(self.target.wire(number).ok()?.client_address().ok()?.to_string());
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
        let (now, offset) = match name.strip_prefix("nowms") {
            Some(offset) => (now.as_millis() as i64, offset),
            None => (now.as_secs() as i64, name.strip_prefix("now")?),
        };
        let offset: i64 = if offset.is_empty() {
            0
        } else {
            offset.parse().ok()?
        };
        Some((now + offset).to_string())
    }
}

fn shorten(line: &str) -> String {
    if line.chars().count() <= SHOWN_WIDTH {
        return line.into();
    }
    let start: String = line.chars().take(SHOWN_WIDTH).collect();
    format!("{start}... ({} characters)", line.chars().count())
}
