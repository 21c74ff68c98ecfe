//! The keys that a transaction uses, for a client that is to be told when what it has read changes.

use std::collections::HashMap;

use foldhash::fast::RandomState;

/// Different keys that are noted of one transaction. One that uses more has its client forget everything.
const MOST_KEYS_USED: usize = 100_000;

/// The keys that a transaction has used, in which order of reads and writes.
#[derive(Default)]
pub(super) struct KeysUsed {
    keys: HashMap<Box<[u8]>, Used, RandomState>,
    /// There are too many.
    is_too_much: bool,
}

#[derive(Clone, Copy, Default)]
struct Used {
    /// It was read, and not written since.
    read_last: bool,
    /// It was written after it was read.
    read_before: bool,
    /// It was written.
    is_written: bool,
}

impl KeysUsed {
    /// A key is used.
    pub fn note_key(&mut self, key: &[u8], is_read: bool) {
        self.is_too_much |= self.keys.len() >= MOST_KEYS_USED;
        if self.is_too_much {
            self.keys = HashMap::default();
            return;
        }
        let used = self.keys.entry(key.into()).or_default();
        if is_read {
            used.read_last = true;
        } else {
            used.is_written = true;
            used.read_before |= std::mem::take(&mut used.read_last);
        }
    }

    /// Whether there were too many to be noted.
    pub fn is_too_much(&self) -> bool {
        self.is_too_much
    }

    /// Those that were written after they were read.
    pub fn read_before(&self) -> impl Iterator<Item = &[u8]> {
        let before = self.keys.iter().filter(|(_, used)| used.read_before);
        before.map(|(key, _)| &**key)
    }

    /// Those that were read, and not written since.
    pub fn read_last(&self) -> impl Iterator<Item = &[u8]> {
        let last = self.keys.iter().filter(|(_, used)| used.read_last);
        last.map(|(key, _)| &**key)
    }

    /// All of another one's, behind what there is.
    pub fn append(&mut self, other: KeysUsed) {
        self.is_too_much |= other.is_too_much;
        for (key, later) in other.keys {
            let used = self.keys.entry(key).or_default();
            used.read_before |= later.read_before || used.read_last && later.is_written;
            used.read_last = later.read_last || used.read_last && !later.is_written;
            used.is_written |= later.is_written;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is known of one key: whether it was written after it was read, and whether it was read last.
    fn known(used: &KeysUsed) -> (bool, bool) {
        (used.read_before().count() == 1, used.read_last().count() == 1)
    }

    /// Each letter is a read or a write.
    fn used(what: &str) -> KeysUsed {
        let mut used = KeysUsed::default();
        what.bytes().for_each(|use_| used.note_key(b"k", use_ == b'r'));
        used
    }

    #[test]
    fn two_that_are_appended_are_as_one() {
        let all = ["r", "w", "rw", "wr", "rr", "rwr", "wrw", "ww"];
        for (first, then) in all.iter().flat_map(|first| all.map(|then| (first, then))) {
            let mut both = used(first);
            both.append(used(then));
            let expected = known(&used(&format!("{first}{then}")));
            assert_eq!(known(&both), expected, "{first} {then}");
        }
        assert_eq!(
            (known(&used("rw")), known(&used("wr"))),
            ((true, false), (false, true))
        );
    }

    #[test]
    fn too_many_keys_are_not_kept() {
        let mut used = KeysUsed::default();
        for key in 0..=MOST_KEYS_USED {
            used.note_key(&key.to_be_bytes(), true);
        }
        assert!(used.is_too_much() && used.read_last().next().is_none());
    }
}
