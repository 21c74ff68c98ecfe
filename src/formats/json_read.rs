//! Lines of JSON, read: `formats/json.rs` has their grammar.

use std::io::{BufRead, Read};

use super::FormatError;
use super::json_text::{FORMAT, VERSION, from_base64, parse_id};
use super::json_value::{Json, parse};
use crate::rdb::{CellBuffer, Counters, Item, Key, Kind, StreamId};

/// The longest line that is read: that of a string of 512 MB, each of whose bytes takes six.
const LONGEST: u64 = 4 << 30;

type Parsed<T> = Result<T, String>;

/// Reads a dump to its end, and gives its items.
///
/// # Errors
/// It cannot be read; a line is not as it should be, which is told with its number; it is cut off; what `take` fails with.
pub fn read<E: From<FormatError>>(
    mut input: impl BufRead,
    take: &mut dyn FnMut(Item<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let mut lines = Lines::default();
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = input.by_ref().take(LONGEST).read_until(b'\n', &mut line);
        if read.map_err(FormatError::from)? == 0 {
            break;
        }
        lines.number += 1;
        let mut failed = None;
        let mut give = |item: Item<'_>| match take(item) {
            Ok(()) => Ok(()),
            Err(e) => {
                failed = Some(e);
                Err(String::new())
            }
        };
        let done = lines.take(&line, &mut give);
        if let Some(failed) = failed {
            return Err(failed);
        }
        done.map_err(|what| lines.fault(&what))?;
    }
    match (&lines.open, lines.has_head && !lines.has_ended) {
        (Some(_), _) | (None, true) => Err(lines.fault("the dump is cut off: its end is missing").into()),
        (None, false) => Ok(()),
    }
}

#[derive(Default)]
struct Lines {
    number: u64,
    has_head: bool,
    has_ended: bool,
    keys: u64,
    /// The key that the next line goes on with.
    open: Option<(u64, Vec<u8>)>,
    cells: CellBuffer,
}

type Give<'g> = dyn FnMut(Item<'_>) -> Parsed<()> + 'g;

impl Lines {
    fn fault(&self, what: &str) -> FormatError {
        FormatError::Malformed(format!("line {}: {what}", self.number))
    }

    fn take(&mut self, line: &[u8], give: &mut Give) -> Parsed<()> {
        let text = str::from_utf8(line).map_err(|_| "it is not UTF-8")?;
        if text.trim().is_empty() {
            return Ok(());
        }
        if self.has_ended {
            return Err("there is more behind the end".to_owned());
        }
        let object = parse(text)?;
        if let Some(format) = object.get("redkeep") {
            return self.head(format, &object);
        }
        if let Some(code) = object.get("library") {
            return give(Item::Library(&bytes(code)?));
        }
        if object.get("end").is_some() {
            self.has_ended = true;
            let keys = number(object.get("keys").ok_or("the end counts no keys")?)?;
            return match keys == self.keys {
                true => Ok(()),
                false => Err(format!("the dump had {keys} keys, and {} were read", self.keys)),
            };
        }
        self.value(&object, give)
    }

    fn head(&mut self, format: &Json, object: &Json) -> Parsed<()> {
        let version = number(object.get("version").ok_or("the head has no version")?)?;
        if self.has_head || self.number != 1 || format.text() != Some(FORMAT) {
            return Err("a head that is none".to_owned());
        }
        if version > VERSION {
            return Err(format!(
                "its schema is version {version}, and this program reads up to {VERSION}: a newer one can read it"
            ));
        }
        self.has_head = true;
        Ok(())
    }

    fn value(&mut self, object: &Json, give: &mut Give) -> Parsed<()> {
        let database = object.get("db").map_or(Ok(0), number)?;
        let name = bytes(object.get("key").ok_or("it has no key")?)?;
        let kind = object.get("type").and_then(Json::text);
        let kind = kind
            .and_then(Kind::named)
            .ok_or("its type is none of string, list, set, hash, zset, stream")?;
        match self.open.take() {
            Some(open) if open != (database, name.clone()) => {
                return Err(format!("more of key {} was to come", open.1.escape_ascii()));
            }
            Some(_) => {}
            None => {
                self.keys += 1;
                give(Item::Key(Key {
                    database,
                    name: &name,
                    kind,
                    deadline: object.get("expires").map(number).transpose()?,
                    idle: None,
                    frequency: None,
                }))?;
            }
        }
        match kind {
            Kind::String => give(Item::Text(&bytes(object.get("value").ok_or("it has no value")?)?))?,
            Kind::Stream => self.stream(object, give)?,
            kind => {
                for piece in array(object.get("value").ok_or("it has no value")?)? {
                    put_piece(kind, piece, give)?;
                }
            }
        }
        match object.get("more") {
            Some(_) if kind == Kind::String => Err("a string is in one line".to_owned()),
            Some(_) => {
                self.open = Some((database, name));
                Ok(())
            }
            None => give(Item::End),
        }
    }

    fn stream(&mut self, object: &Json, give: &mut Give) -> Parsed<()> {
        for entry in object.get("entries").map_or(Ok(&[][..]), array)? {
            let parts = array(entry)?;
            let (id, cells) = parts.split_first().ok_or("an entry without an ID")?;
            self.cells.clear();
            for cell in cells {
                self.cells.push(&bytes(cell)?);
            }
            give(Item::Entry {
                id: stream_id(id)?,
                cells: self.cells.cells(),
            })?;
        }
        if let Some(length) = object.get("length").map(number).transpose()? {
            let id = |name| object.get(name).map_or(Ok(StreamId::default()), stream_id);
            give(Item::Counters(Counters {
                length,
                added: object.get("added").map_or(Ok(length), number)?,
                last: id("last")?,
                first: id("first")?,
                max_deleted: id("max-deleted")?,
            }))?;
        }
        for group in object.get("groups").map_or(Ok(&[][..]), array)? {
            put_group(group, give)?;
        }
        Ok(())
    }
}

fn put_piece(kind: Kind, piece: &Json, give: &mut Give) -> Parsed<()> {
    match kind {
        Kind::Hash => match array(piece)? {
            [field, value, deadline @ ..] if deadline.len() < 2 => give(Item::Field {
                field: &bytes(field)?,
                value: &bytes(value)?,
                deadline: deadline.first().map(number).transpose()?,
            }),
            _ => Err("a field is to be an array of its name, its value and maybe its deadline".to_owned()),
        },
        Kind::SortedSet => match array(piece)? {
            [member, score] => give(Item::Scored {
                member: &bytes(member)?,
                score: self::score(score)?,
            }),
            _ => Err("a member of a sorted set is to be an array of it and its score".to_owned()),
        },
        _ => give(Item::Element(&bytes(piece)?)),
    }
}

fn put_group(group: &Json, give: &mut Give) -> Parsed<()> {
    give(Item::Group {
        name: &bytes(group.get("name").ok_or("a group without a name")?)?,
        last: stream_id(group.get("last").ok_or("a group without its last ID")?)?,
        read: group.get("read").map(number).transpose()?,
    })?;
    for pending in group.get("pending").map_or(Ok(&[][..]), array)? {
        let [id, time, count] = array(pending)? else {
            return Err("a pending entry is to be an array of its ID, a time and a count".to_owned());
        };
        give(Item::Pending {
            id: stream_id(id)?,
            time: number(time)?,
            count: number(count)?,
        })?;
    }
    for consumer in group.get("consumers").map_or(Ok(&[][..]), array)? {
        give(Item::Consumer {
            name: &bytes(consumer.get("name").ok_or("a consumer without a name")?)?,
            seen: consumer.get("seen").map_or(Ok(0), number)?,
            active: consumer.get("active").map(number).transpose()?,
        })?;
        for id in consumer.get("owns").map_or(Ok(&[][..]), array)? {
            give(Item::Owned(stream_id(id)?))?;
        }
    }
    Ok(())
}

fn array<'j, 'a>(json: &'j Json<'a>) -> Parsed<&'j [Json<'a>]> {
    match json {
        Json::Array(all) => Ok(all),
        _ => Err("an array was expected".to_owned()),
    }
}

fn bytes(json: &Json) -> Parsed<Vec<u8>> {
    match json {
        Json::Text(text) => Ok(text.as_bytes().to_vec()),
        Json::Object(_) => {
            let text = json.get("base64").and_then(Json::text);
            text.and_then(from_base64)
                .ok_or_else(|| "an object that is not {\"base64\":...}".to_owned())
        }
        _ => Err("a text was expected".to_owned()),
    }
}

fn number(json: &Json) -> Parsed<u64> {
    match json {
        Json::Number(digits) => digits
            .parse()
            .map_err(|_| format!("{digits} is out of range here")),
        _ => Err("a number was expected".to_owned()),
    }
}

fn score(json: &Json) -> Parsed<f64> {
    match json {
        Json::Number(digits) => digits.parse().map_err(|_| format!("{digits} is no score")),
        Json::Text(text) if text == "inf" => Ok(f64::INFINITY),
        Json::Text(text) if text == "-inf" => Ok(f64::NEG_INFINITY),
        _ => Err("a score was expected".to_owned()),
    }
}

fn stream_id(json: &Json) -> Parsed<StreamId> {
    let id = json.text().and_then(parse_id);
    id.ok_or_else(|| "an ID was expected, as \"1700000000000-0\"".to_owned())
}
