//! A transaction of up to a thousand writes over several types, by MULTI and EXEC or by a script, all of one stamp: what
//! is there of it after a crash is all of it, or nothing.

use super::client::encode;
use super::writer::{stamp_of, value};
use super::{Client, Value};
use std::collections::BTreeMap;

/// What the list of a writer keeps.
const LIST_KEEPS: &str = "100";
/// How many strings are asked for in one MGET.
const STRINGS: u64 = 1000;

#[derive(Clone, Copy, Debug)]
pub struct Transaction {
    pub writes: u64,
    pub stamp: u64,
    /// Whether a script makes the writes.
    pub is_script: bool,
}

/// Its arguments are commands, each behind the number of its words.
const SCRIPT: &str = "local at = 1 \
    while ARGV[at] do \
        local words = tonumber(ARGV[at]) \
        redis.call(unpack(ARGV, at + 1, at + words)) \
        at = at + words + 1 \
    end \
    return redis.status_reply('OK')";

impl Transaction {
    /// How many replies it has: of MULTI, of each of the writes, of EXEC; or of EVAL.
    pub fn replies(&self) -> u64 {
        match self.is_script {
            true => 1,
            false => self.writes + 2,
        }
    }

    /// The commands on the wire.
    pub fn encode(&self, writer: usize) -> Vec<u8> {
        if self.is_script {
            let mut args = ["EVAL", SCRIPT, "0"].map(str::to_owned).to_vec();
            for at in 0..self.writes {
                let words = self.write(writer, at);
                args.push(words.len().to_string());
                args.extend(words);
            }
            return encode(&args);
        }
        let mut bytes = encode(&["MULTI"]);
        for at in 0..self.writes {
            bytes.extend(encode(&self.write(writer, at)));
        }
        bytes.extend(encode(&["EXEC"]));
        bytes
    }

    fn write(&self, writer: usize, at: u64) -> Vec<String> {
        let stamp = self.stamp;
        let line = match at % 6 {
            0 if self.deletes(at) => format!("DEL writer{writer}:t{at}"),
            0 => format!("SET writer{writer}:t{at} {}", value(stamp)),
            1 => format!("HSET writer{writer}:th {at} {stamp}"),
            2 => format!("ZADD writer{writer}:tz {stamp} {at}"),
            3 => format!("XADD writer{writer}:tx MAXLEN ~ 100 {stamp}-{at} stamp {stamp}"),
            4 => format!("RPUSH writer{writer}:tl {stamp}"),
            _ => format!("LTRIM writer{writer}:tl -{LIST_KEEPS} -1"),
        };
        line.split(' ').map(str::to_owned).collect()
    }

    /// Whether the write deletes what another transaction may have set.
    fn deletes(&self, at: u64) -> bool {
        (at + self.stamp) % 4 == 3
    }

    /// Makes in `values` what it makes in the store; returns the names that it touched.
    pub fn apply(&self, writer: usize, values: &mut BTreeMap<String, u64>) -> Vec<String> {
        let mut names = Vec::new();
        for at in 0..self.writes {
            let name = match at % 6 {
                0 => format!("writer{writer}:t{at}"),
                1 => format!("writer{writer}:th {at}"),
                2 => format!("writer{writer}:tz {at}"),
                3 => format!("writer{writer}:tx"),
                4 => format!("writer{writer}:tl"),
                _ => continue,
            };
            match at % 6 == 0 && self.deletes(at) {
                true => values.remove(&name),
                false => values.insert(name.clone(), self.stamp),
            };
            names.push(name);
        }
        names
    }

    /// What the store holds of the transactions of a writer, and how many keys that is.
    pub fn observe(writer: usize, client: &mut Client) -> (BTreeMap<String, u64>, usize) {
        let name = |part: &str| format!("writer{writer}:{part}");
        let mut values = BTreeMap::new();
        let strings: Vec<String> = (0..STRINGS)
            .step_by(6)
            .map(|at| name(&format!("t{at}")))
            .collect();
        let reply = client.run(&[&["MGET".to_owned()], &strings[..]].concat());
        for (string, held) in strings.into_iter().zip(reply.items()) {
            if *held != Value::Nil {
                values.insert(string.clone(), stamp_of(&string, held));
            }
        }
        let mut keys = values.len();
        let number = |value: &Value| value.text().and_then(|text| text.parse().ok()).expect("a number");
        for (command, key) in [("HGETALL", "th"), ("ZRANGE", "tz")] {
            let mut args = vec![command.to_owned(), name(key)];
            if command == "ZRANGE" {
                args.extend(["0", "-1", "WITHSCORES"].map(str::to_owned));
            }
            let reply = client.run(&args);
            for pair in reply.items().chunks(2) {
                let at = pair[0].text().expect("a field or a member");
                values.insert(name(&format!("{key} {at}")), number(&pair[1]));
            }
            keys += usize::from(!reply.items().is_empty());
        }
        let last = client.run(&["LRANGE", &name("tl"), "-1", "-1"]);
        values.extend(last.items().iter().map(|stamp| (name("tl"), number(stamp))));
        let newest = client.run(&["XREVRANGE", &name("tx"), "+", "-", "COUNT", "1"]);
        for entry in newest.items() {
            let fields = entry.items()[1].items();
            values.insert(name("tx"), number(&fields[1]));
        }
        (values, keys + last.items().len() + newest.items().len())
    }
}
