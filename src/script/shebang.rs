//! The first line of a script, if it begins with `#!`: `#!lua flags=no-writes,allow-stale`.

use bitflags::bitflags;

use crate::resp::split_words;

bitflags! {
    /// What a script has declared of itself.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct Flags: u8 {
        /// It only reads.
        const NO_WRITES = 1;
        /// It may write when memory is short.
        const ALLOW_OOM = 1 << 1;
        /// It may run on a replica that is behind.
        const ALLOW_STALE = 1 << 2;
        /// It must not run in a cluster.
        const NO_CLUSTER = 1 << 3;
        /// It may use keys of several slots.
        const ALLOW_CROSS_SLOT_KEYS = 1 << 4;
        /// It has no such line: what it may do, only its commands show.
        const UNDECLARED = 1 << 5;
    }
}

const NAMES: [(&str, Flags); 5] = [
    ("no-writes", Flags::NO_WRITES),
    ("allow-oom", Flags::ALLOW_OOM),
    ("allow-stale", Flags::ALLOW_STALE),
    ("no-cluster", Flags::NO_CLUSTER),
    ("allow-cross-slot-keys", Flags::ALLOW_CROSS_SLOT_KEYS),
];

impl Flags {
    /// The names of those that can be declared.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let declared = NAMES.iter().filter(move |(_, flag)| self.contains(*flag));
        declared.map(|(name, _)| *name)
    }
}

/// A flag by its name.
pub fn flag(name: &[u8]) -> Option<Flags> {
    NAMES
        .iter()
        .find(|(known, _)| known.as_bytes() == name)
        .map(|(_, flag)| *flag)
}

/// The flags that a script declares, and how long the line is that does it; or what is wrong with it.
pub(super) fn parse(script: &[u8]) -> Result<(Flags, usize), String> {
    if !script.starts_with(b"#!") {
        return Ok((Flags::UNDECLARED, 0));
    }
    let Some(end) = memchr::memchr(b'\n', script) else {
        return Err("Invalid script shebang".into());
    };
    let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let words = split_words(&script[..end]).unwrap_or_default();
    let mut words = words.iter().map(|word| &word[..]);
    match words.next() {
        None => return Err("Invalid engine in script shebang".into()),
        Some(b"#!lua") => {}
        Some(other) => return Err(format!("Unexpected engine in script shebang: {}", shown(other))),
    }
    let mut flags = Flags::empty();
    for word in words {
        let Some(names) = word.strip_prefix(b"flags=") else {
            return Err(format!("Unknown lua shebang option: {}", shown(word)));
        };
        for name in names.split(|byte| *byte == b',').filter(|_| !names.is_empty()) {
            match flag(name) {
                Some(one) => flags |= one,
                None => return Err(format!("Unexpected flag in script shebang: {}", shown(name))),
            }
        }
    }
    Ok((flags, end))
}
