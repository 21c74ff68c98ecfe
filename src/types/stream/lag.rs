//! How far a group has read, in numbers of entries: what XINFO calls `entries-read` and `lag`.
//!
//! The number is known only while nothing was deleted from among the entries that it counts; Redis's rules for when that
//! is certain are followed to the letter: those of Redis 8, as before entries that were trimmed before a group had read
//! them counted as still to be read.

use super::{Group, Id, Stream};

impl Stream {
    /// How many entries the group has yet to read, if that can be told. Less than none where it was told that it has read
    /// more than there ever were.
    pub fn lag(&self, group: &Group) -> Option<i64> {
        if self.length == 0 {
            return Some(0);
        }
        if group.last < self.first && self.max_deleted < self.first {
            // All that is there.
            return Some(self.length.cast_signed());
        }
        let read = match group.read {
            Some(read) if !self.may_lack_entries_from(group.last) => read,
            _ => self.count_up_to(group.last)?,
        };
        Some(self.added.wrapping_sub(read).cast_signed())
    }

    /// Moves a group on to the entry `id`, which it has now read.
    pub(super) fn advance(&self, group: &mut Group, id: Id) {
        // Those between the two that were trimmed are read, too.
        let is_next = group.last >= self.first && !self.may_lack_entries_from(group.last);
        if let Some(read) = group.read.filter(|_| is_next) {
            group.read = Some(read.wrapping_add(1));
        } else if self.added > 0 {
            group.read = self.count_up_to(id);
        }
        group.last = id;
    }

    /// Whether entries at or after `id` may have been deleted from between others.
    fn may_lack_entries_from(&self, id: Id) -> bool {
        let lacks_any = self.length > 0 && self.max_deleted > Id::MIN && self.first <= self.max_deleted;
        lacks_any && id <= self.max_deleted
    }

    /// How many entries were ever added up to `id`, where that is certain.
    fn count_up_to(&self, id: Id) -> Option<u64> {
        if self.added == 0 {
            return Some(0);
        }
        if id == self.last || self.length == 0 && id < self.last {
            return Some(self.added);
        }
        let is_whole = self.max_deleted == Id::MIN || self.max_deleted < self.first;
        if id > self.last || !is_whole {
            return None;
        }
        let trimmed = self.added.wrapping_sub(self.length);
        match id.cmp(&self.first) {
            std::cmp::Ordering::Less => Some(trimmed),
            std::cmp::Ordering::Equal => Some(trimmed.wrapping_add(1)),
            std::cmp::Ordering::Greater => None,
        }
    }
}
