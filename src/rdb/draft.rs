//! A value on its way into a dump: its encoding is known when all of it has come.
//!
//! While it is small it is packed, as servers do by default (`thresholds` below); what gets larger becomes a table. Counts stand
//! before what they count: so all of a value is gathered first, and if it is large, in a file without a name.

mod hash;
mod list;
mod set;
mod sorted_set;
mod stream;

use super::encode::Encoder;
use super::error::WriteError;
use super::item::{Item, Kind};
use super::spill::Spill;
use super::target::Target;
use super::version::type_byte;
use hash::HashDraft;
use list::ListDraft;
use set::SetDraft;
use sorted_set::SortedSetDraft;
use stream::StreamDraft;

/// The thresholds that servers have by default.
mod thresholds {
    /// A listpack of a list, in bytes.
    pub const LIST_BYTES: usize = 8192;
    /// Numbers in a set of them.
    pub const INTSET_MEMBERS: usize = 512;
    /// Members of a set that is not all numbers.
    pub const SET_MEMBERS: usize = 128;
    /// The longest member of such a set.
    pub const SET_BYTES: usize = 64;
    /// Fields of a hash.
    pub const HASH_FIELDS: usize = 512;
    /// The longest field or value of a hash.
    pub const HASH_BYTES: usize = 64;
    /// Members of a sorted set.
    pub const SORTED_SET_MEMBERS: usize = 128;
    /// The longest member of a sorted set.
    pub const SORTED_SET_BYTES: usize = 64;
    /// A node of a stream, in bytes.
    pub const STREAM_BYTES: usize = 4096;
    /// Entries of a node of a stream.
    pub const STREAM_ENTRIES: u64 = 100;
}

/// The value so far.
pub(super) struct Draft {
    target: Target,
    /// What the target cannot hold of it.
    objection: Option<&'static str>,
    body: Spill,
    form: Form,
}

enum Form {
    Text(bool),
    List(ListDraft),
    Set(SetDraft),
    Hash(HashDraft),
    SortedSet(SortedSetDraft),
    Stream(Box<StreamDraft>),
}

const MISPLACED: WriteError = WriteError::Misplaced("a piece of another kind of value");

impl Draft {
    /// A value of which nothing has come; `objection` is what the target has against its key.
    pub fn new(kind: Kind, target: Target, objection: Option<&'static str>) -> Draft {
        let form = match kind {
            Kind::String => Form::Text(false),
            Kind::List => Form::List(ListDraft::new(target)),
            Kind::Set => Form::Set(SetDraft::new(target)),
            Kind::Hash => Form::Hash(HashDraft::default()),
            Kind::SortedSet => Form::SortedSet(SortedSetDraft::default()),
            Kind::Stream => Form::Stream(Box::new(StreamDraft::new(target))),
        };
        Draft {
            target,
            objection,
            body: Spill::default(),
            form,
        }
    }

    /// As [`Draft::new`], for the lowest version of Redis's that holds it.
    pub fn lowest(kind: Kind, objection: Option<&'static str>) -> Draft {
        let target = match kind {
            Kind::Hash => Target::Redis8,
            // Without consumers it is the same in both.
            Kind::Stream => Target::Redis72,
            _ => Target::Redis70,
        };
        let mut draft = Draft::new(kind, target, objection);
        if let Form::Stream(stream) = &mut draft.form {
            stream.prefers_70 = true;
        }
        draft
    }

    /// Takes the next piece.
    pub fn put(&mut self, piece: &Item<'_>, encoder: &mut Encoder) -> Result<(), WriteError> {
        self.objection = self.objection.or_else(|| self.target.objection(piece));
        if self.objection.is_some() {
            // Nothing of it will be written.
            return Ok(());
        }
        let body = &mut self.body;
        match (&mut self.form, *piece) {
            (Form::Text(has_come), Item::Text(text)) if !*has_come => {
                *has_come = true;
                encoder.push_string(body.room(), text);
            }
            (Form::List(list), Item::Element(element)) => list.put(element, body, encoder),
            (Form::Set(set), Item::Element(member)) => set.put(member, body, encoder),
            (
                Form::Hash(hash),
                Item::Field {
                    field,
                    value,
                    deadline,
                },
            ) => {
                hash.put(field, value, deadline, body, encoder);
            }
            (Form::SortedSet(members), Item::Scored { member, score }) => {
                members.put(member, score, body, encoder)
            }
            (Form::Stream(stream), piece) => stream.put(piece, body, encoder)?,
            _ => return Err(MISPLACED),
        }
        body.settle()?;
        Ok(())
    }

    /// Ends the value. The byte of its type; none if nothing has come, and there is no value.
    pub fn finish(&mut self, encoder: &mut Encoder) -> Result<Option<u8>, WriteError> {
        if let Some(why) = self.objection {
            return Err(WriteError::CannotHold {
                target: self.target.name(),
                why,
            });
        }
        let body = &mut self.body;
        match &mut self.form {
            Form::Text(has_come) => Ok(has_come.then_some(type_byte::STRING)),
            Form::List(list) => list.finish(body, encoder),
            Form::Set(set) => set.finish(body, encoder),
            Form::Hash(hash) => hash.finish(self.target, body, encoder),
            Form::SortedSet(members) => members.finish(self.target, body, encoder),
            Form::Stream(stream) => stream.finish(body, encoder),
        }
    }

    /// What it is encoded to, once it is ended.
    pub fn body(&mut self) -> &mut Spill {
        &mut self.body
    }
}

/// Puts a count before what has been gathered.
fn count_first(body: &mut Spill, count: u64) -> std::io::Result<()> {
    let mut counted = Spill::default();
    super::encode::push_length(counted.room(), count);
    counted.append(body)?;
    *body = counted;
    Ok(())
}
