//! Whether a reply is the expected one, line by line in the notation of `Value::lines`.
//!
//! | expected | matches |
//! |---|---|
//! | `(any)` | whatever is in its place, also an array of many lines |
//! | `(integer) ~99..100` | a number in this range; also inside quotes: `"~1..2"` |
//! | `(like) "id=* name=x *"` | a line's rest that fits the pattern of `*` and `?` |
//! | `rep(x,1000)` | the bulk string of a thousand `x` |

use crate::support::text::{expand_repetition, fits, quote};

pub fn matches(expected: &[String], actual: &[String]) -> bool {
    let mut rest = actual;
    for pattern in expected {
        let Some((line, after)) = rest.split_first() else {
            return false;
        };
        if let Some(before) = pattern.strip_suffix("(any)") {
            if !line.starts_with(before.trim_end()) {
                return false;
            }
            // What is in the place of (any) goes on in the lines that are indented at least as far; behind
            // the key of a map it starts on a line of its own, below the key.
            let width = if before.ends_with("=> ") {
                before.rfind("# ").map_or(0, |at| at + 2)
            } else {
                before.len()
            };
            let inside = |line: &&String| line.get(..width).is_some_and(|head| head.trim().is_empty());
            rest = &after[after.iter().take_while(inside).count()..];
        } else if line_matches(pattern, line) {
            rest = after;
        } else {
            return false;
        }
    }
    rest.is_empty()
}

fn line_matches(pattern: &str, line: &str) -> bool {
    if pattern == line {
        return true;
    }
    if let Some((before, glob)) = pattern.split_once("(like) ") {
        return line.strip_prefix(before).is_some_and(|rest| fits(glob, rest));
    }
    if let Some(start) = pattern.find("rep(").filter(|_| pattern.ends_with(')')) {
        let expanded = expand_repetition(&pattern.as_bytes()[start..]).unwrap_or_default();
        return line.strip_prefix(&pattern[..start]) == Some(&quote(&expanded));
    }
    range_matches(pattern, line).unwrap_or(false)
}

/// `before~low..high"after`, or None if the pattern has no range.
fn range_matches(pattern: &str, line: &str) -> Option<bool> {
    let (before, range) = pattern.split_once('~')?;
    let (low, high) = range.split_once("..")?;
    let digits = high
        .find(|c: char| !c.is_ascii_digit() && c != '-')
        .unwrap_or(high.len());
    let (high, after) = high.split_at(digits);
    let number = line.strip_prefix(before)?.strip_suffix(after)?;
    let number: i64 = number.parse().ok()?;
    Some((low.parse().ok()?..=high.parse().ok()?).contains(&number))
}

#[test]
fn wildcards() {
    let check = |expected: &str, actual: &str| {
        let lines = |text: &str| text.lines().map(String::from).collect::<Vec<_>>();
        matches(&lines(expected), &lines(actual))
    };
    assert!(check("OK", "OK") && !check("OK", "OK\nOK") && !check("OK\nOK", "OK"));
    assert!(check("(any)", "1) a\n2) b") && check("1) (any)\n2) b", "1) 1) x\n   2) y\n2) b"));
    assert!(!check("1) (any)", "1) a\n2) b") && check("(error) (any)", "(error) ERR x"));
    assert!(check(
        "1# a => (any)\n2# b => (any)",
        "1# a =>\n   1) x\n   2) y\n2# b => z"
    ));
    assert!(check("(integer) ~99..100", "(integer) 99") && !check("(integer) ~99..100", "(integer) 101"));
    assert!(check("1) \"~-5..5\"", "1) \"-3\"") && !check("1) \"~-5..5\"", "1) \"x\""));
    assert!(check("rep(ab,2)", "\"abab\"") && !check("rep(ab,2)", "\"ab\""));
    assert!(check("1) (like) \"id=* name=? *x\"", "1) \"id=3 name=a y xx\"") && !check("(like) a*b", "abc"));
}
