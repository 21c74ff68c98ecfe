//! Damage, told with the key of the record that it was found in: so that the operator learns which.

use crate::disk::format::{Malformed, RecordKey};
use crate::store::{Result, Stop};

/// Something that may find damage.
pub trait InRecord<T> {
    /// Names the record that damage was found in, unless that is known.
    fn in_record(self, key: impl FnOnce() -> RecordKey) -> Result<T>;
}

impl<T, E: Into<Stop>> InRecord<T> for std::result::Result<T, E> {
    #[inline]
    fn in_record(self, key: impl FnOnce() -> RecordKey) -> Result<T> {
        self.map_err(|error| named(error.into(), key))
    }
}

/// A record that is not there, though another says that it is.
pub fn missing(key: RecordKey, what: Malformed) -> Stop {
    named(what.into(), || key)
}

#[cold]
fn named(mut stop: Stop, key: impl FnOnce() -> RecordKey) -> Stop {
    if let Stop::Damage(damage) = &mut stop {
        damage.record.get_or_insert_with(key);
    }
    stop
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(stop: Result<()>) -> Option<RecordKey> {
        match stop {
            Err(Stop::Damage(damage)) => damage.record,
            _ => None,
        }
    }

    #[test]
    fn damage_is_told_with_the_innermost_record_and_other_stops_are_left_alone() {
        let (inner, outer) = (RecordKey::tree(1, 2), RecordKey::tree(1, 1));
        let damage: std::result::Result<(), _> = Err(Malformed("a record"));
        let located = damage.in_record(|| inner.clone()).in_record(|| outer.clone());
        assert!(record(located) == Some(inner.clone()));
        assert!(record(Err(missing(inner.clone(), Malformed("a record")))) == Some(inner));
        let fault: Result<()> = Err(Stop::Fault);
        assert!(matches!(fault.in_record(|| outer), Err(Stop::Fault)));
    }
}
