//! LCS.

use super::arguments::integer;
use super::{Call, is_option, syntax_error};
use crate::resp::Reply;
use crate::store::{Entry, Result, Stop, Txn};
use crate::types::lcs::{self, Match};
use crate::types::string;

/// From this many cells on the table is not filled on the executor, which others wait for, but over a view.
const CELLS_ON_EXECUTOR: u64 = 1 << 20;

#[derive(Default)]
struct LcsOptions {
    length: bool,
    indexes: bool,
    match_lengths: bool,
    shortest_match: usize,
}

impl LcsOptions {
    fn parse(call: &Call) -> Result<LcsOptions> {
        let mut options = LcsOptions::default();
        let mut rest = call.args.skip(3).iter();
        while let Some(arg) = rest.next() {
            if is_option(arg, "IDX") {
                options.indexes = true;
            } else if is_option(arg, "LEN") {
                options.length = true;
            } else if is_option(arg, "WITHMATCHLEN") {
                options.match_lengths = true;
            } else if is_option(arg, "MINMATCHLEN")
                && let Some(shortest) = rest.next()
            {
                options.shortest_match = integer(shortest)?.try_into().unwrap_or(0);
            } else {
                return syntax_error();
            }
        }
        if options.length && options.indexes {
            return Stop::error("ERR If you want both the length and indexes, please just use IDX.");
        }
        Ok(options)
    }
}

/// `LCS key key [LEN] [IDX] [MINMATCHLEN length] [WITHMATCHLEN]`. Replies with the subsequence, its length, or a map of
/// matches.
pub fn lcs(txn: &mut Txn, call: &Call) -> Result<Reply> {
    for i in [1, 2] {
        let key = txn.meta_key(call.key(i))?;
        txn.prefetch(key);
    }
    txn.await_prefetched()?;
    let entries = [txn.lookup_read(call.key(1))?, txn.lookup_read(call.key(2))?];
    if entries
        .iter()
        .flatten()
        .any(|entry| !string::is_string(entry.header.kind))
    {
        return Stop::error("ERR The specified keys must contain string values");
    }
    let options = LcsOptions::parse(call)?;
    let [a, b] = &entries;
    let len = |entry: &Option<Entry>| entry.as_ref().map_or(Ok(0), string::len);
    if lcs::table_size(len(a)?, len(b)?, call.limits.max_string)? > CELLS_ON_EXECUTOR {
        txn.prefer_view()?;
    }
    let mut parts = Vec::new();
    for entry in entries.iter().flatten() {
        parts.push((entry, 0..string::len(entry)?));
    }
    string::fetch(txn, parts.into_iter())?;
    let mut read = |entry: &Option<Entry>| entry.as_ref().map(|entry| string::read(txn, entry)).transpose();
    let (a, b) = (read(a)?, read(b)?);
    let (a, b) = (a.as_deref().unwrap_or_default(), b.as_deref().unwrap_or_default());
    if options.length {
        return Ok(Reply::Int(i64::from(lcs::length(a, b))));
    }
    let common = lcs::common(a, b);
    if !options.indexes {
        return Ok(Reply::bulk(common.bytes));
    }
    let matches = common
        .matches
        .iter()
        .filter(|found| found.length() >= options.shortest_match);
    let matches = matches.map(|found| shape(*found, &options)).collect();
    Ok(Reply::Map(vec![
        (Reply::bulk("matches"), Reply::Array(matches)),
        (Reply::bulk("len"), Reply::Int(common.bytes.len() as i64)),
    ]))
}

fn shape(found: Match, options: &LcsOptions) -> Reply {
    let range =
        |(first, last): (usize, usize)| Reply::Array(vec![Reply::Int(first as i64), Reply::Int(last as i64)]);
    let mut parts = vec![range(found.a), range(found.b)];
    if options.match_lengths {
        parts.push(Reply::Int(found.length() as i64));
    }
    Reply::Array(parts)
}
