//! The marks of families: how far each has what was in the journal.

use super::format::Family;
use super::journal::{JournalKey, Position};

/// A family's mark: under the one key that no record has, the position up to which the family has what was in the journal.
pub(super) const MARK: &[u8] = b"";

/// A position for each family, by its number.
pub(super) type Marks = [Position; Family::ALL.len()];

/// The journal's mark: up to here nothing is left of it, and families have these marks.
pub(super) fn journal_mark(up_to: JournalKey, marks: &Marks) -> Vec<u8> {
    [up_to.encode(), marks.map(Position::to_be_bytes).concat()].concat()
}
