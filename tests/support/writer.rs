//! Clients that write under load and know what the store must hold after a crash.
//!
//! Each writer owns its keys and one connection, so the store must hold what its commands give up to some
//! point: not before the last one that must be kept, not behind the last one that was sent. That one check
//! covers values, counters, deletes, and that an MSET or a transaction is there as a whole or not at all.

use super::client::encode;
use super::transaction::Transaction;
use super::{Client, Rng, Server, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const KEYS: u64 = 200;
const COUNTERS: u64 = 10;
const GROUPS: u64 = 20;
const KEYS_OF_A_GROUP: u64 = 8;
/// What a writer sends in a round at most; bounds the test's memory.
const COMMANDS_OF_A_ROUND: usize = 200_000;
const PIPELINE: u64 = 64;

/// Only some transactions have more than the few writes of most: they take a server as long as so many commands.
const WRITES_OF_MOST: u64 = 20;
const WRITES_OF_ANY: u64 = 1000;

/// Checks the store against what the writers have sent, `kept` commands of each at least; says for each how many were kept.
pub fn verify(server: &Server, writers: &mut [Writer], kept: &[usize]) -> Vec<usize> {
    let mut client = server.client();
    let mut keys = 0;
    let mut points = Vec::new();
    for (writer, kept) in writers.iter_mut().zip(kept) {
        let mut observed = writer.observe(&mut client);
        keys += observed.len();
        let (transacted, found) = Transaction::observe(writer.number, &mut client);
        keys += found;
        observed.extend(transacted);
        let point = writer.settle(&observed, *kept);
        points.push(point.unwrap_or_else(|report| panic!("{report}")));
    }
    assert_eq!(client.run(&["DBSIZE"]).integer() as usize, keys, "DBSIZE");
    assert_eq!(scanned(&mut client).len(), keys, "keys found by SCAN");
    points
}

fn scanned(client: &mut Client) -> BTreeSet<Vec<u8>> {
    let mut found = BTreeSet::new();
    let mut cursor = String::from("0");
    loop {
        let reply = client.run(&["SCAN", &cursor, "COUNT", "500"]);
        let [next, keys] = reply.items() else {
            panic!("SCAN answered {reply:?}")
        };
        for key in keys.items() {
            let Value::Bulk(key) = key else {
                panic!("SCAN gave {key:?}")
            };
            found.insert(key.clone());
        }
        cursor = next.text().expect("a cursor");
        if cursor == "0" {
            return found;
        }
    }
}

/// One command of a writer.
#[derive(Clone, Copy, Debug)]
enum Change {
    Set(u64, u64),
    Delete(u64),
    Increment(u64),
    SetGroup(u64, u64),
    Transact(Transaction),
}

/// A client, and what its keys must hold.
pub struct Writer {
    number: usize,
    rng: Rng,
    /// What the keys held when the round began: the stamp of the last SET, or the count.
    values: BTreeMap<String, u64>,
    sent: Vec<Change>,
    /// How many of those were answered.
    acknowledged: Arc<AtomicUsize>,
    /// The last stamp; no value is written twice.
    stamp: u64,
    /// Between two pipelines.
    pause: Duration,
}

impl Writer {
    pub fn new(number: usize, seed: u64) -> Writer {
        Writer::paced(number, seed, Duration::ZERO)
    }

    /// One that rests between two pipelines, so that what it may send lasts longer.
    pub fn paced(number: usize, seed: u64, pause: Duration) -> Writer {
        let rng = Rng::new(seed);
        Writer {
            number,
            rng,
            values: BTreeMap::new(),
            sent: Vec::new(),
            acknowledged: Arc::default(),
            stamp: 0,
            pause,
        }
    }

    fn key(&self, kind: char, index: u64) -> String {
        format!("writer{}:{kind}{index}", self.number)
    }

    fn group(&self, group: u64) -> impl Iterator<Item = String> {
        (0..KEYS_OF_A_GROUP).map(move |member| self.key('g', group * KEYS_OF_A_GROUP + member))
    }

    /// How many commands of this round were acknowledged: for one who watches.
    pub fn progress(&self) -> Arc<AtomicUsize> {
        self.acknowledged.clone()
    }

    pub fn acknowledged(&self) -> usize {
        self.acknowledged.load(Ordering::Relaxed)
    }

    pub fn write_until_disconnected(&mut self, address: SocketAddr) {
        if let Err(error) = self.write(address) {
            let expected = [
                io::ErrorKind::UnexpectedEof,
                io::ErrorKind::ConnectionReset,
                io::ErrorKind::BrokenPipe,
            ];
            assert!(
                expected.contains(&error.kind()),
                "writer {}: {error}",
                self.number
            );
        }
    }

    fn write(&mut self, address: SocketAddr) -> io::Result<()> {
        let mut client = Client::connect(address)?;
        while self.sent.len() < COMMANDS_OF_A_ROUND {
            let count = 1 + self.rng.below(PIPELINE);
            let mut bytes = Vec::new();
            for _ in 0..count {
                let change = self.change();
                bytes.extend(self.command(change));
                self.sent.push(change);
            }
            client.send(&bytes)?;
            for at in self.sent.len() - count as usize..self.sent.len() {
                let replies = match self.sent[at] {
                    Change::Transact(transaction) => transaction.replies(),
                    _ => 1,
                };
                for _ in 0..replies {
                    let reply = client.receive()?;
                    let has_failed = match &reply {
                        Value::Array(replies) => replies.iter().any(Value::is_error),
                        reply => reply.is_error(),
                    };
                    assert!(!has_failed, "writer {} was answered {reply:?}", self.number);
                }
                self.acknowledged.fetch_add(1, Ordering::Relaxed);
            }
            std::thread::sleep(self.pause);
        }
        Ok(())
    }

    fn change(&mut self) -> Change {
        self.stamp += 1;
        match self.rng.below(40) {
            0..=19 => Change::Set(self.rng.below(KEYS), self.stamp),
            20..=23 => Change::Delete(self.rng.below(KEYS)),
            24..=30 => Change::Increment(self.rng.below(COUNTERS)),
            31..=37 => Change::SetGroup(self.rng.below(GROUPS), self.stamp),
            _ => {
                let most = if self.rng.one_in(6) {
                    WRITES_OF_ANY
                } else {
                    WRITES_OF_MOST
                };
                Change::Transact(Transaction {
                    writes: 1 + self.rng.below(most),
                    stamp: self.stamp,
                    is_script: self.rng.one_in(2),
                })
            }
        }
    }

    fn command(&self, change: Change) -> Vec<u8> {
        match change {
            Change::Set(key, stamp) => encode(&["SET", &self.key('k', key), &value(stamp)]),
            Change::Delete(key) => encode(&["DEL", &self.key('k', key)]),
            Change::Increment(counter) => encode(&["INCR", &self.key('c', counter)]),
            Change::SetGroup(group, stamp) => {
                let mut args = vec!["MSET".to_string()];
                for key in self.group(group) {
                    args.extend([key, value(stamp)]);
                }
                encode(&args)
            }
            Change::Transact(transaction) => transaction.encode(self.number),
        }
    }

    /// Makes in `values` what `change` makes in the store; returns the keys it touched.
    fn apply(&self, values: &mut BTreeMap<String, u64>, change: Change) -> Vec<String> {
        match change {
            Change::Set(key, stamp) => {
                let key = self.key('k', key);
                values.insert(key.clone(), stamp);
                vec![key]
            }
            Change::Delete(key) => {
                let key = self.key('k', key);
                values.remove(&key);
                vec![key]
            }
            Change::Increment(counter) => {
                let key = self.key('c', counter);
                *values.entry(key.clone()).or_default() += 1;
                vec![key]
            }
            Change::SetGroup(group, stamp) => {
                let keys: Vec<String> = self.group(group).collect();
                values.extend(keys.iter().map(|key| (key.clone(), stamp)));
                keys
            }
            Change::Transact(transaction) => transaction.apply(self.number, values),
        }
    }

    /// What the store holds under this writer's keys.
    fn observe(&self, client: &mut Client) -> BTreeMap<String, u64> {
        let keys = (0..KEYS).map(|key| self.key('k', key));
        let counters = (0..COUNTERS).map(|counter| self.key('c', counter));
        let groups = (0..GROUPS).flat_map(|group| self.group(group));
        let names: Vec<String> = keys.chain(counters).chain(groups).collect();
        let mut command = vec!["MGET".to_string()];
        command.extend(names.iter().cloned());
        let reply = client.run(&command);
        let found = names
            .into_iter()
            .zip(reply.items())
            .filter(|(_, held)| **held != Value::Nil);
        found
            .map(|(name, held)| (stamp_of(&name, held), name))
            .map(|(stamp, name)| (name, stamp))
            .collect()
    }

    /// Finds the point up to which the commands were kept, at least `kept` of them, and goes on from there; or says what
    /// does not fit.
    fn settle(&mut self, observed: &BTreeMap<String, u64>, kept: usize) -> Result<usize, String> {
        let mut values = std::mem::take(&mut self.values);
        let every_key = values.keys().chain(observed.keys());
        let differs = |values: &BTreeMap<String, u64>, key: &String| values.get(key) != observed.get(key);
        let mut wrong: BTreeSet<String> = every_key.filter(|key| differs(&values, key)).cloned().collect();
        let mut report = None;
        for point in 0..=self.sent.len() {
            if point > 0 {
                for key in self.apply(&mut values, self.sent[point - 1]) {
                    if differs(&values, &key) {
                        wrong.insert(key)
                    } else {
                        wrong.remove(&key)
                    };
                }
            }
            if point == kept {
                report = Some(self.report(&values, observed, &wrong, kept));
            }
            if point >= kept && wrong.is_empty() {
                self.values = values;
                self.sent.clear();
                self.acknowledged.store(0, Ordering::Relaxed);
                return Ok(point);
            }
        }
        Err(report.unwrap_or_default())
    }

    fn report(
        &self,
        values: &BTreeMap<String, u64>,
        observed: &BTreeMap<String, u64>,
        wrong: &BTreeSet<String>,
        kept: usize,
    ) -> String {
        let sent = self.sent.len();
        let mut text = format!(
            "writer {}: the store holds no state between command {kept} (which must be kept) and {sent} (sent), \
             {} being acknowledged; {} keys differ from the first of these states:",
            self.number,
            self.acknowledged(),
            wrong.len()
        );
        for key in wrong.iter().take(10) {
            text.push_str(&format!(
                "\n  {key}: must be {:?}, is {:?}",
                values.get(key),
                observed.get(key)
            ));
        }
        let window = &self.sent[kept.saturating_sub(5)..(kept + 20).min(sent)];
        text + &format!("\n  commands around the last that must be kept: {window:?}")
    }
}

/// The value with this stamp; some are long, so that there is something to flush.
pub(super) fn value(stamp: u64) -> String {
    let length = if stamp.is_multiple_of(7) { 1000 } else { 20 };
    format!("{stamp}:{}", "x".repeat(length))
}

pub(super) fn stamp_of(name: &str, held: &Value) -> u64 {
    let text = held.text().unwrap_or_default();
    let stamp = text.split(':').next().and_then(|digits| digits.parse().ok());
    let whole = |stamp: &u64| name.contains(":c") || text == value(*stamp);
    stamp
        .filter(whole)
        .unwrap_or_else(|| panic!("{name} holds what was never written: {text}"))
}

#[test]
fn a_lost_or_torn_write_is_found() {
    let mut writer = Writer::new(0, 1);
    writer.sent = vec![
        Change::Set(1, 1),
        Change::SetGroup(0, 2),
        Change::Increment(0),
        Change::Delete(1),
    ];
    let mut kept = BTreeMap::new();
    for change in &writer.sent[..3] {
        writer.apply(&mut kept, *change);
    }
    let mut torn = kept.clone();
    torn.remove("writer0:g3");
    assert!(writer.settle(&torn, 2).is_err());
    let mut lost = kept.clone();
    lost.remove("writer0:k1");
    lost.remove("writer0:c0");
    assert!(writer.settle(&lost, 2).is_err());
    assert_eq!(writer.settle(&kept, 2), Ok(3));
    assert!(writer.sent.is_empty());
}
