//! The option that was probably meant.

use super::{ROWS, Row, include::INCLUDE, table::Flags, user::USER};

/// Longer names are no slip of the pen.
const LONGEST: usize = 64;
/// So many letters of a name's beginning say which one is meant.
const PREFIX: usize = 4;
/// One slip is forgiven for each so many letters.
const LETTERS_PER_SLIP: usize = 5;

/// The option whose name is nearest to what was written: a few letters are wrong, or it was cut.
pub(super) fn nearest(written: &str) -> Option<&'static str> {
    if written.len() > LONGEST {
        return None;
    }
    let names = || {
        let shown = ROWS.iter().filter(|row| !row.flags.contains(Flags::HIDDEN));
        shown.flat_map(Row::names).chain([INCLUDE, USER])
    };
    let (distance, name) = names()
        .map(|name| (edit_distance(written, name), name))
        .min_by_key(|(distance, _)| *distance)?;
    let forgiven = 1 + written.len() / LETTERS_PER_SLIP;
    if distance <= forgiven && distance * 2 < written.len() {
        return Some(name);
    }
    let begun = |name: &&str| written.len() >= PREFIX && name.starts_with(written);
    names().filter(begun).min_by_key(|name| name.len())
}

/// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`.
fn edit_distance(a: &str, b: &str) -> usize {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replace = above[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replace.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(before[j - 2] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (a, b, distance) in [
            ("", "", 0),
            ("port", "port", 0),
            ("prot", "port", 1),
            ("", "abc", 3),
            ("kitten", "sitting", 3),
            ("ab", "ba", 1),
        ] {
            assert_eq!(edit_distance(a, b), distance, "{a} {b}");
            assert_eq!(edit_distance(b, a), distance, "{b} {a}");
        }
    }

    #[test]
    fn nearest_names() {
        for (written, meant) in [
            ("prot", "port"),
            ("prt", "port"),
            ("max-memory", "maxmemory"),
            ("maxmem", "maxmemory"),
            ("log-file", "logfile"),
            ("pid-file", "pidfile"),
            ("database", "databases"),
            ("appendfsnyc", "appendfsync"),
            ("slave-readonly", "slave-read-only"),
            ("require-pass", "requirepass"),
            ("includes", "include"),
            ("rocksdb-comp", "rocksdb-compression"),
        ] {
            assert_eq!(nearest(written), Some(meant), "{written}");
        }
    }

    #[test]
    fn far_fetched_names_are_not_named() {
        for written in [
            "frobnicate",
            "usr-x",
            "x",
            "h",
            "",
            "auth",
            "threads",
            "tls",
            "verbose",
            "config",
            "help",
        ] {
            assert_eq!(nearest(written), None, "{written}");
        }
        assert_eq!(nearest(&"x".repeat(100_000)), None);
    }
}
