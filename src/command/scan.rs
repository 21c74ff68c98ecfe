//! Commands that walk over the keys of a database: over a view, beside the executor, where they may. And what SCAN shares
//! with the commands that walk over the members of one key.

use std::cell::Cell;

use super::elements::elements;
use super::{Call, NOT_AN_INTEGER, is_option, syntax_error};
use crate::base::glob::Pattern;
use crate::base::num::parse_i64;
use crate::resp::{Args, Reply, Shape, c_text};
use crate::store::{Allowance, Result, Stop, Txn};
use crate::types::key_walk::{self, Selection};
use crate::types::random_key;

/// How many keys a call of SCAN visits unless told.
const DEFAULT_COUNT: usize = 10;
/// A call visits no more, whatever it was told: its reply is made in one piece.
const MOST_COUNT: usize = 1 << 16;
/// A command that has looked at so many bytes and elements of a pattern (see [`Pattern::effort`]) goes on over a view: others
/// would wait for it.
const MOST_LIVE_EFFORT: usize = 2 << 20;

/// `KEYS pattern`. Replies with an array of the names that match.
pub fn keys(txn: &mut Txn, call: &Call) -> Result<Reply> {
    txn.prefer_view()?;
    let pattern = Pattern::new(call.arg(1), false);
    let selection = Selection {
        pattern: Some(&pattern),
        type_name: None,
    };
    elements(txn, call, Shape::Array, None, |txn, out| {
        key_walk::walk(txn, call.db, b"", selection, usize::MAX, |name| out.push(name)).map(|_| ())
    })
}

/// `RANDOMKEY`. Replies with a name, or null if the database is empty.
pub fn randomkey(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let name = random_key::random(txn, call.db)?;
    Ok(name.map_or(Reply::Null, Reply::bulk))
}

/// `SCAN cursor [MATCH pattern] [COUNT count] [TYPE type]`. Replies with the next cursor, 0 at the end, and an array of
/// names.
pub fn scan(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let cursor = cursor(call.arg(1))?;
    let options = ScanOptions::parse(txn, call.args.skip(2), "type")?;
    let selection = Selection {
        pattern: options.pattern.as_ref(),
        type_name: options.type_name,
    };
    txn.prefer_view()?;
    // A cursor that is not remembered means the beginning.
    let from = txn.cursors().position(cursor).unwrap_or_default();
    let step = key_walk::step(txn, call.db, &from, selection, options.count)?;
    let next = step.next.map_or(0, |position| txn.cursors().remember(&position));
    Ok(shown(next, step.names))
}

/// The reply of one step of a walk: where to go on, and what was met.
pub(super) fn shown(next: u64, elements: Vec<Vec<u8>>) -> Reply {
    Reply::Array(vec![Reply::bulk(next.to_string()), names(elements)])
}

/// The cursor that an argument names; an error if it is no number.
pub(super) fn cursor(arg: &[u8]) -> Result<u64> {
    match parse_cursor(arg) {
        Some(cursor) => Ok(cursor),
        None => Stop::error("ERR invalid cursor"),
    }
}

fn names(names: Vec<Vec<u8>>) -> Reply {
    Reply::Array(names.into_iter().map(Reply::bulk).collect())
}

/// As C's `strtoul` reads it, but for leading white space: a sign is taken, and nothing at all is 0.
pub(super) fn parse_cursor(text: &[u8]) -> Option<u64> {
    let text = c_text(text, text.len());
    let (negative, digits) = match text {
        [] => return Some(0),
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() {
        return None;
    }
    let cursor = digits.iter().try_fold(0u64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })?;
    Some(if negative { cursor.wrapping_neg() } else { cursor })
}

/// The options of SCAN and its like.
pub(super) struct ScanOptions<'a> {
    /// MATCH.
    pub pattern: Option<Pattern<'a>>,
    /// COUNT.
    pub count: usize,
    /// TYPE.
    pub type_name: Option<&'a [u8]>,
    /// NOVALUES.
    pub no_values: bool,
    /// What may still be looked at, if the command can go on over a view.
    effort: Option<Cell<usize>>,
    allowance: Allowance,
}

impl<'a> ScanOptions<'a> {
    /// MATCH and COUNT, and `own`, the one that only this command has: TYPE or NOVALUES.
    pub fn parse(txn: &Txn, args: Args<'a>, own: &str) -> Result<ScanOptions<'a>> {
        let mut options = ScanOptions {
            pattern: None,
            count: DEFAULT_COUNT,
            type_name: None,
            no_values: false,
            allowance: txn.allowance,
            effort: txn.allowance.may_use_view().then(|| Cell::new(MOST_LIVE_EFFORT)),
        };
        let mut rest = args.iter();
        while let Some(option) = rest.next() {
            if own == "novalues" && is_option(option, own) {
                options.no_values = true;
                continue;
            }
            let Some(value) = rest.next() else {
                return syntax_error();
            };
            if is_option(option, "count") {
                let Some(number) = parse_i64(value) else {
                    return Stop::error(NOT_AN_INTEGER);
                };
                match usize::try_from(number) {
                    Ok(number) if number > 0 => options.count = number.min(MOST_COUNT),
                    _ => return syntax_error(),
                }
            } else if is_option(option, "match") {
                options.pattern = Some(Pattern::new(value, false));
            } else if own == "type" && is_option(option, own) {
                options.type_name = Some(value);
            } else {
                return syntax_error();
            }
        }
        Ok(options)
    }

    /// Whether MATCH shows the member. Asks for a view if that would take long, with what was asked before.
    pub fn shows(&self, member: &[u8]) -> Result<bool> {
        let pattern = self.pattern.as_ref();
        if let Some(left) = &self.effort {
            let effort = pattern.map_or(member.len(), |pattern| pattern.effort(member.len()));
            let rest = left.get().checked_sub(effort);
            left.set(rest.ok_or_else(|| self.allowance.too_much())?);
        }
        Ok(pattern.is_none_or(|pattern| pattern.selects(member)))
    }
}

#[cfg(test)]
mod tests {
    use super::parse_cursor;

    #[test]
    fn cursors_are_read_as_strtoul_does() {
        for (text, cursor) in [
            ("0", Some(0)),
            ("", Some(0)),
            ("+7", Some(7)),
            ("007", Some(7)),
            ("-1", Some(u64::MAX)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            (" 1", None),
            ("1 ", None),
            ("1a", None),
            ("-", None),
        ] {
            assert_eq!(parse_cursor(text.as_bytes()), cursor, "{text:?}");
        }
    }
}
