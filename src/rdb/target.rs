//! For whom a dump is written, what each can hold, and how each encodes it by default.
//!
//! | target | version | cannot hold |
//! |---|---|---|
//! | `redis-7.0` | 10 | deadlines of fields; when a consumer last got anything is left out |
//! | `redis-7.2` | 11 | deadlines of fields |
//! | `redis-8` | 12 | deadlines of fields behind the year 4199 (2^46 ms) |
//! | `valkey-8` | 11 | deadlines of fields |
//! | `valkey-9` | 80 | |
//!
//! None holds a deadline of 2^63 ms or more, nor values of modules, which there is no form for.

use super::item::Item;
use super::version::type_byte::{self, redis};
use super::version::{Family, Version};

/// Which server is to load a dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// Redis 7.0 and all later ones of Redis and Valkey.
    Redis70,
    /// Redis 7.2 and all later ones of Redis and Valkey.
    Redis72,
    /// Valkey 7.2 and later, and Redis from 7.2 on.
    Valkey8,
    /// Redis 8, and 7.4.
    Redis8,
    /// Valkey 9.
    Valkey9,
}

/// The last deadline of a field that Redis 8 takes.
const LAST_OF_REDIS_8: u64 = (1 << 46) - 1;

impl Target {
    /// All, with their names.
    pub const ALL: [(&'static str, Target); 5] = [
        ("redis-7.0", Target::Redis70),
        ("redis-7.2", Target::Redis72),
        ("redis-8", Target::Redis8),
        ("valkey-8", Target::Valkey8),
        ("valkey-9", Target::Valkey9),
    ];

    /// By its name.
    pub fn named(name: &str) -> Option<Target> {
        Target::ALL
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, target)| *target)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        Target::ALL
            .iter()
            .find(|(_, known)| *known == self)
            .map_or("", |(name, _)| name)
    }

    /// Of what is written for it.
    pub fn version(self) -> Version {
        let (family, number) = match self {
            Target::Redis70 => (Family::Redis, 10),
            Target::Redis72 | Target::Valkey8 => (Family::Redis, 11),
            Target::Redis8 => (Family::Redis, 12),
            Target::Valkey9 => (Family::Valkey, 80),
        };
        Version { family, number }
    }

    /// Why it cannot hold this piece; none if it can.
    pub fn objection(self, item: &Item<'_>) -> Option<&'static str> {
        let deadline = match item {
            Item::Key(key) => {
                return (key.deadline > Some(i64::MAX as u64)).then_some("its deadline is beyond 2^63 ms");
            }
            Item::Field {
                deadline: Some(deadline),
                ..
            } => *deadline,
            _ => return None,
        };
        match self {
            Target::Redis8 if deadline <= LAST_OF_REDIS_8 => None,
            Target::Redis8 => Some("a field's deadline is beyond the year 4199"),
            Target::Valkey9 if deadline <= i64::MAX as u64 => None,
            Target::Valkey9 => Some("a field's deadline is beyond 2^63 ms"),
            _ => Some("fields have deadlines"),
        }
    }

    /// The lowest that knows a type of values.
    pub(super) fn least_for(byte: u8) -> Target {
        match byte {
            redis::HASH_DEADLINES | redis::HASH_LISTPACK_DEADLINES => Target::Redis8,
            type_byte::SET_LISTPACK | type_byte::STREAM_3 => Target::Redis72,
            _ => Target::Redis70,
        }
    }

    /// Whether it knows small sets that are no numbers, two times of a consumer, and texts of doubles that are as short as can be.
    pub(super) fn is_72(self) -> bool {
        self >= Target::Redis72
    }
}

/// Finds the target of the lowest version that holds all of what it is shown.
#[derive(Clone, Copy, Debug)]
pub struct Needs {
    least: Target,
}

impl Default for Needs {
    fn default() -> Needs {
        Needs {
            least: Target::Redis70,
        }
    }
}

impl Needs {
    /// Takes a piece into account.
    pub fn note(&mut self, item: &Item<'_>) {
        let needed = match item {
            Item::Field {
                deadline: Some(deadline),
                ..
            } if *deadline > LAST_OF_REDIS_8 => Target::Valkey9,
            Item::Field {
                deadline: Some(_), ..
            } => Target::Redis8,
            // Who has one time for both takes it for both.
            Item::Consumer { seen, active, .. } if *active != Some(*seen) => Target::Redis72,
            _ => return,
        };
        self.least = self.least.max(needed);
    }

    /// The target that is needed.
    pub fn target(&self) -> Target {
        self.least
    }
}
