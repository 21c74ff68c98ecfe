//! Deadlines of fields that are given a value.

/// What becomes of a field's deadline when the field gets a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// The field has none from then on.
    Clear,
    /// It stays.
    Keep,
    /// It is this one, in milliseconds since the epoch of Unix.
    At(u64),
}

impl Expiry {
    /// The deadline that the field has from then on.
    pub(super) fn apply(self, current: Option<u64>) -> Option<u64> {
        match self {
            Expiry::Clear => None,
            Expiry::Keep => current,
            Expiry::At(deadline) => Some(deadline),
        }
    }
}
