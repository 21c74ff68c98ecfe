//! A dump as lines of JSON, one value or a part of one in each. `tools/json-lines.md` has the schema for who reads or writes them
//! with other programs.
//!
//! ```text
//! dump    := head? (library | value)* end?
//! head    := {"redkeep":"json-lines","version":1}          where it is, so is `end`: so a dump that was cut off is told
//! library := {"library":text}
//! value   := {"db":number,"key":text,"type":name,"expires":ms?,PIECES,"more":true?}      more: the next line goes on with it
//! PIECES  := "value":text                                                                of a string
//!          | "value":[text*]                                                             of a list or a set
//!          | "value":[[field:text,value:text,expires:ms?]*]                              of a hash
//!          | "value":[[member:text,score]*]                                              of a sorted set
//!          | "entries":[[id,(field:text,value:text)*]*],                                 of a stream
//!            ("length":number,"added":number?,"last":id,"first":id,"max-deleted":id)?,
//!            "groups":[group*]?
//! group   := {"name":text,"last":id,"read":number?,"pending":[[id,ms,count]*],"consumers":[consumer*]}
//! consumer:= {"name":text,"seen":ms,"active":ms?,"owns":[id*]}
//! text    := string | {"base64":string}
//! score   := number | "inf" | "-inf"
//! id      := "ms-seq"
//! end     := {"end":true,"keys":number}
//! ```

use std::io::Write;

use super::FormatError;
use super::json_text::{FORMAT, VERSION, push_bytes, push_id, push_number, push_score};
use crate::rdb::{Counters, Item, Key, Kind, Sink};

pub use super::json_read::read;

/// A line longer than this ends when its piece does.
const LINE: usize = 256 << 10;

/// Writes items as lines.
pub struct Writer<W> {
    out: W,
    line: Vec<u8>,
    /// The beginning of each line of the present key.
    head: Vec<u8>,
    kind: Option<Kind>,
    place: Place,
    keys: u64,
}

/// Where in a line the next piece comes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Before anything of a value.
    Head,
    /// In the value's array, behind others.
    Pieces,
    /// Behind a stream's counters.
    Counted,
    /// In a group, behind others of what it has.
    Pending,
    /// In a consumer, before or behind IDs.
    Consumers,
    Owns,
}

impl<W: Write> Writer<W> {
    /// Writes the head.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn new(mut out: W) -> Result<Writer<W>, FormatError> {
        writeln!(out, "{{\"redkeep\":\"{FORMAT}\",\"version\":{VERSION}}}")?;
        Ok(Writer {
            out,
            line: Vec::new(),
            head: Vec::new(),
            kind: None,
            place: Place::Head,
            keys: 0,
        })
    }

    /// Writes the end.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn finish(mut self) -> Result<W, FormatError> {
        writeln!(self.out, "{{\"end\":true,\"keys\":{}}}", self.keys)?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn begin(&mut self, key: Key) {
        let head = &mut self.head;
        head.clear();
        head.extend_from_slice(b"{\"db\":");
        push_number(head, key.database);
        head.extend_from_slice(b",\"key\":");
        push_bytes(head, key.name);
        head.extend_from_slice(b",\"type\":\"");
        head.extend_from_slice(key.kind.name().as_bytes());
        head.push(b'"');
        if let Some(deadline) = key.deadline {
            head.extend_from_slice(b",\"expires\":");
            push_number(head, deadline);
        }
        self.line.clear();
        self.line.extend_from_slice(&self.head);
        (self.kind, self.place) = (Some(key.kind), Place::Head);
        self.keys += 1;
    }

    /// What stands before the next piece of an array. A line that is long ends before it.
    fn next_piece(&mut self) -> Result<(), FormatError> {
        if self.line.len() > LINE && self.place == Place::Pieces {
            self.line.extend_from_slice(b"],\"more\":true}\n");
            self.out.write_all(&self.line)?;
            self.line.clear();
            self.line.extend_from_slice(&self.head);
            self.place = Place::Head;
        }
        match self.place {
            Place::Head => self.open_pieces(),
            _ => self.line.push(b','),
        }
        self.place = Place::Pieces;
        Ok(())
    }

    fn open_pieces(&mut self) {
        self.line.extend_from_slice(match self.kind {
            Some(Kind::Stream) => b",\"entries\":[",
            _ => b",\"value\":[",
        });
    }

    fn counters(&mut self, counters: &Counters) {
        if self.place == Place::Head {
            self.open_pieces();
        }
        let line = &mut self.line;
        line.extend_from_slice(b"],\"length\":");
        push_number(line, counters.length);
        line.extend_from_slice(b",\"added\":");
        push_number(line, counters.added);
        for (name, id) in [
            (&b",\"last\":"[..], counters.last),
            (b",\"first\":", counters.first),
            (b",\"max-deleted\":", counters.max_deleted),
        ] {
            line.extend_from_slice(name);
            push_id(line, id);
        }
        self.place = Place::Counted;
    }

    /// Ends what is open of a group, if one is.
    fn end_group(&mut self) {
        let end: &[u8] = match self.place {
            Place::Pending => b"],\"consumers\":[]}",
            Place::Consumers => b"]}]}",
            Place::Owns => b"]}]}",
            _ => b"",
        };
        self.line.extend_from_slice(end);
    }

    /// A group in a line of its own, as all that is pending in it may be much.
    fn group(&mut self, item: Item) -> Result<(), FormatError> {
        match item {
            Item::Group { name, last, read } => {
                self.end_group();
                if matches!(self.place, Place::Counted) {
                    self.line.extend_from_slice(b",\"groups\":[");
                } else if self.line.len() > LINE {
                    self.line.extend_from_slice(b"],\"more\":true}\n");
                    self.out.write_all(&self.line)?;
                    self.line.clear();
                    self.line.extend_from_slice(&self.head);
                    self.line.extend_from_slice(b",\"groups\":[");
                } else {
                    self.line.push(b',');
                }
                self.line.extend_from_slice(b"{\"name\":");
                push_bytes(&mut self.line, name);
                self.line.extend_from_slice(b",\"last\":");
                push_id(&mut self.line, last);
                if let Some(read) = read {
                    self.line.extend_from_slice(b",\"read\":");
                    push_number(&mut self.line, read);
                }
                self.line.extend_from_slice(b",\"pending\":[");
                self.place = Place::Pending;
            }
            Item::Pending { id, time, count } => {
                self.comma();
                self.line.push(b'[');
                push_id(&mut self.line, id);
                for number in [time, count] {
                    self.line.push(b',');
                    push_number(&mut self.line, number);
                }
                self.line.push(b']');
            }
            Item::Consumer { name, seen, active } => {
                self.line.extend_from_slice(match self.place {
                    Place::Pending => b"],\"consumers\":[{\"name\":",
                    _ => b"]},{\"name\":",
                });
                push_bytes(&mut self.line, name);
                self.line.extend_from_slice(b",\"seen\":");
                push_number(&mut self.line, seen);
                if let Some(active) = active {
                    self.line.extend_from_slice(b",\"active\":");
                    push_number(&mut self.line, active);
                }
                self.line.extend_from_slice(b",\"owns\":[");
                self.place = Place::Consumers;
            }
            Item::Owned(id) => {
                self.comma();
                push_id(&mut self.line, id);
                self.place = Place::Owns;
            }
            _ => {}
        }
        Ok(())
    }

    /// Between two of an array.
    fn comma(&mut self) {
        if self.line.last() != Some(&b'[') {
            self.line.push(b',');
        }
    }

    fn end(&mut self) -> Result<(), FormatError> {
        self.end_group();
        let end: &[u8] = match self.place {
            Place::Head if self.kind == Some(Kind::String) => b"}\n",
            Place::Head => {
                self.open_pieces();
                b"]}\n"
            }
            Place::Counted => b"}\n",
            Place::Pieces | Place::Pending | Place::Consumers | Place::Owns => b"]}\n",
        };
        self.line.extend_from_slice(end);
        self.out.write_all(&self.line)?;
        self.line.clear();
        self.kind = None;
        Ok(())
    }
}

impl<W: Write> Sink for Writer<W> {
    type Error = FormatError;

    fn put(&mut self, item: Item<'_>) -> Result<(), FormatError> {
        match item {
            Item::Aux { .. } | Item::Database(_) | Item::Sizes { .. } | Item::Skipped { .. } => {}
            Item::Library(code) => {
                self.line.clear();
                self.line.extend_from_slice(b"{\"library\":");
                push_bytes(&mut self.line, code);
                self.line.extend_from_slice(b"}\n");
                self.out.write_all(&self.line)?;
            }
            Item::Key(key) => self.begin(key),
            Item::Text(text) => {
                self.line.extend_from_slice(b",\"value\":");
                push_bytes(&mut self.line, text);
            }
            Item::Element(element) => {
                self.next_piece()?;
                push_bytes(&mut self.line, element);
            }
            Item::Field {
                field,
                value,
                deadline,
            } => {
                self.next_piece()?;
                self.line.push(b'[');
                push_bytes(&mut self.line, field);
                self.line.push(b',');
                push_bytes(&mut self.line, value);
                if let Some(deadline) = deadline {
                    self.line.push(b',');
                    push_number(&mut self.line, deadline);
                }
                self.line.push(b']');
            }
            Item::Scored { member, score } => {
                self.next_piece()?;
                self.line.push(b'[');
                push_bytes(&mut self.line, member);
                self.line.push(b',');
                push_score(&mut self.line, score);
                self.line.push(b']');
            }
            Item::Entry { id, cells } => {
                self.next_piece()?;
                self.line.push(b'[');
                push_id(&mut self.line, id);
                for cell in cells.iter() {
                    self.line.push(b',');
                    push_bytes(&mut self.line, cell);
                }
                self.line.push(b']');
            }
            Item::Counters(counters) => self.counters(&counters),
            Item::Group { .. } | Item::Pending { .. } | Item::Consumer { .. } | Item::Owned(_) => {
                self.group(item)?
            }
            Item::End => self.end()?,
        }
        Ok(())
    }
}
