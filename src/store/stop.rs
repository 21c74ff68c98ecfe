//! Why a body did not come to its end.

use std::borrow::Cow;
use std::ops::Range;

use crate::disk::ReadError;
use crate::disk::format::{Malformed, RecordKey};

/// Why a body did not come to its end.
#[derive(Debug)]
pub enum Stop {
    /// Something is not in memory: records, or a listing. The transaction knows what; the body runs again when it is.
    Fault,
    /// The body needs much, and may go over a view: it runs again there, on the view pool, once all before it is
    /// checkpointed. Who may, and what is much: `allowance.rs`.
    NeedsView,
    /// There is nothing for it yet: its client waits until there is. What the body wrote counts.
    Await(Box<Await>),
    /// The command fails with this text, which begins with its code ("ERR ...").
    Error(Cow<'static, str>),
    /// The same because of the disk, or of what it holds: the operator has to know of it, too.
    Damage(Box<Damage>),
}

/// What a client waits for that is to be given something as soon as there is something. The body runs again then.
#[derive(Debug)]
pub struct Await {
    /// Which arguments name the keys that something may come to.
    pub keys: Range<usize>,
    /// What is looked for in them.
    pub sought: Sought,
    /// Milliseconds; 0 is for ever.
    pub timeout: u64,
    /// Arguments that are others in further runs, and what they are then: what stands for "from now on" means the time of
    /// the first run.
    pub settled: Vec<(usize, Vec<u8>)>,
}

/// What a client waits for in its keys.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sought {
    /// A list.
    List,
    /// A sorted set.
    SortedSet,
    /// A stream.
    Stream,
    /// A stream, or that there is none any more.
    StreamOrNone,
}

/// What could not be read.
#[derive(Debug)]
pub struct Damage {
    /// For the client, as the text of [`Stop::Error`].
    pub text: String,
    /// Where it was found, if that is known.
    pub record: Option<RecordKey>,
}

/// What a body comes to.
pub type Result<T> = std::result::Result<T, Stop>;

impl Stop {
    /// The command fails with this text.
    pub fn error<T>(text: impl Into<Cow<'static, str>>) -> Result<T> {
        Err(Stop::Error(text.into()))
    }
}

impl Stop {
    /// Says which key it is about, if what it has is damaged.
    pub fn in_key(self, name: &[u8]) -> Stop {
        match self {
            Stop::Damage(mut damage) => {
                damage.text = format!("{} (key {})", damage.text, name.escape_ascii());
                Stop::Damage(damage)
            }
            other => other,
        }
    }
}

impl From<Malformed> for Stop {
    fn from(malformed: Malformed) -> Stop {
        Stop::Damage(Box::new(Damage {
            text: format!("ERR the data directory is damaged: {malformed}"),
            record: None,
        }))
    }
}

impl From<ReadError> for Stop {
    fn from(error: ReadError) -> Stop {
        Stop::Damage(Box::new(Damage::unreadable(&error, None)))
    }
}

impl Damage {
    /// A record could not be read, or nobody knows which.
    pub fn unreadable(error: &ReadError, record: Option<RecordKey>) -> Damage {
        Damage {
            text: format!("ERR reading from disk failed: {error}"),
            record,
        }
    }
}
