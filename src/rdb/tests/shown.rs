//! Values as lines of text, as `tests/rdb/make.py` shows what a server answers.

use sha1::{Digest, Sha1};

use super::model::{Group, Value};
use crate::rdb::StreamId;

/// Longer texts are shown as their SHA-1.
const SHORT: usize = 600;

fn escaped(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string().replace(' ', "\\x20")
}

fn id(id: &StreamId) -> String {
    format!("{}-{}", id.ms, id.seq)
}

fn joined(parts: impl Iterator<Item = String>, by: &str) -> String {
    parts.collect::<Vec<_>>().join(by)
}

fn group(group: &Group) -> String {
    let owner = |id: &StreamId| {
        let owner = group.consumers.iter().find(|consumer| consumer.3.contains(id));
        escaped(&owner.expect("an owner").0)
    };
    let pending = group
        .pending
        .iter()
        .map(|(entry, time, count)| format!("{}={}/{time}/{count}", id(entry), owner(entry)));
    let names = group.consumers.iter().map(|consumer| escaped(&consumer.0));
    let (pending, names) = (joined(pending, ","), joined(names, ","));
    format!("{}:{}:{pending}:{names}", escaped(&group.name), id(&group.last))
}

fn whole(value: &Value) -> String {
    match value {
        Value::Text(text) => escaped(text),
        Value::List(parts) | Value::Set(parts) => joined(parts.iter().map(|part| escaped(part)), ","),
        Value::Hash(fields) => {
            let shown = fields.iter().map(|(field, (value, deadline))| {
                let deadline = deadline.map_or(String::new(), |deadline| format!("@{deadline}"));
                format!("{}={}{deadline}", escaped(field), escaped(value))
            });
            joined(shown, ",")
        }
        Value::SortedSet(members) => {
            let shown = members
                .iter()
                .map(|(member, score)| format!("{}={:016x}", escaped(member), score.to_bits()));
            joined(shown, ",")
        }
        Value::Stream(entries, counters, groups) => {
            let entries = entries.iter().map(|(entry, cells)| {
                format!(
                    "{}={}",
                    id(entry),
                    joined(cells.iter().map(|cell| escaped(cell)), "+")
                )
            });
            let parts = [joined(entries, ","), id(&counters.last)];
            joined(parts.into_iter().chain(groups.iter().map(group)), ";")
        }
    }
}

/// The line of a key, up to its value.
pub fn line(database: u64, key: &[u8], kind: &str, value: &Value, deadline: Option<u64>) -> String {
    let deadline = deadline.map_or("-".to_owned(), |deadline| deadline.to_string());
    let shown = match whole(value) {
        text if text.is_empty() => "\"\"".to_owned(),
        text if text.len() < SHORT => text,
        text => {
            let sum = Sha1::digest(&text);
            let hex: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("sha1:{hex}")
        }
    };
    format!("{database} {} {kind} {deadline} {shown}", escaped(key))
}
