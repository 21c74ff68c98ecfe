//! The commands over lists that wait for an element.

use super::{at_least_one, limit, move_element, pop_one, pop_some, side};
use crate::command::blocking::{await_keys, last_timeout, seconds};
use crate::command::{Call, is_option, syntax_error};
use crate::resp::Reply;
use crate::store::{Result, Sought, Txn};
use crate::types::keys;
use crate::types::list::{Side, list_entry};

/// `BLPOP key... timeout`. Replies with the key and the element; null after the timeout.
pub fn blpop(txn: &mut Txn, call: &Call) -> Result<Reply> {
    pop_or_wait(txn, call, Side::Left)
}

/// `BRPOP key... timeout`. Replies with the key and the element; null after the timeout.
pub fn brpop(txn: &mut Txn, call: &Call) -> Result<Reply> {
    pop_or_wait(txn, call, Side::Right)
}

fn pop_or_wait(txn: &mut Txn, call: &Call, side: Side) -> Result<Reply> {
    let timeout = last_timeout(txn, call)?;
    let names = 1..call.args.len() - 1;
    keys::prefetch(txn, names.clone().map(|at| call.key(at)))?;
    for at in names.clone() {
        let key = call.key(at);
        let Some(old) = list_entry(txn.lookup(key)?)? else {
            continue;
        };
        if let Some(popped) = pop_one(txn, key, &old, side, limit(call))? {
            let name = Reply::bulk(key.name.to_vec());
            return Ok(Reply::Array(vec![name, Reply::bulk(popped)]));
        }
    }
    await_keys(call, names, Sought::List, timeout, Reply::NullArray)
}

/// `BLMOVE source destination LEFT|RIGHT LEFT|RIGHT timeout`. Replies with the element that was moved; null after the
/// timeout.
pub fn blmove(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let (from, to) = (side(call.arg(3))?, side(call.arg(4))?);
    move_or_wait(txn, call, from, to)
}

/// `BRPOPLPUSH source destination timeout`. Replies with the element that was moved; null after the timeout.
pub fn brpoplpush(txn: &mut Txn, call: &Call) -> Result<Reply> {
    move_or_wait(txn, call, Side::Right, Side::Left)
}

fn move_or_wait(txn: &mut Txn, call: &Call, from: Side, to: Side) -> Result<Reply> {
    let timeout = last_timeout(txn, call)?;
    match move_element(txn, call, from, to)? {
        // No element is null.
        Reply::Null => await_keys(call, 1..2, Sought::List, timeout, Reply::Null),
        moved => Ok(moved),
    }
}

/// `BLMPOP timeout count key... LEFT|RIGHT [COUNT count]`. Replies as LMPOP does; null after the timeout.
pub fn blmpop(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let take = Take::parse(call, 2)?;
    let timeout = seconds(call.arg(1), txn.now)?;
    match take.run(txn, call)? {
        Some(reply) => Ok(reply),
        None => await_keys(call, take.keys, Sought::List, timeout, Reply::NullArray),
    }
}

/// What LMPOP and its waiting form ask for.
pub(super) struct Take {
    /// Which arguments name keys.
    keys: std::ops::Range<usize>,
    side: Side,
    count: u64,
}

impl Take {
    /// Parses from the number of keys on, which is argument `at`.
    pub fn parse(call: &Call, at: usize) -> Result<Take> {
        let keys = at_least_one(call.arg(at), "ERR numkeys should be greater than 0")?;
        let first = at + 1;
        let Some(at) = usize::try_from(keys)
            .ok()
            .and_then(|keys| keys.checked_add(first))
            .filter(|&at| at < call.args.len())
        else {
            return syntax_error();
        };
        let side = side(call.arg(at))?;
        let count = match (call.args.get(at + 1), call.args.get(at + 2)) {
            (None, _) => 1,
            // The count is refused before what follows it.
            (Some(word), Some(count)) if is_option(word, "count") => {
                let count = at_least_one(count, "ERR count should be greater than 0")?;
                if call.args.len() > at + 3 {
                    return syntax_error();
                }
                count
            }
            _ => return syntax_error(),
        };
        Ok(Take {
            keys: first..at,
            side,
            count,
        })
    }

    /// Pops from the first list that is there: `None` if none is.
    pub fn run(&self, txn: &mut Txn, call: &Call) -> Result<Option<Reply>> {
        for at in self.keys.clone() {
            let key = call.key(at);
            if let Some(old) = list_entry(txn.lookup(key)?)? {
                let popped = pop_some(txn, key, &old, self.side, self.count, call)?;
                let name = Reply::bulk(key.name.to_vec());
                return Ok(Some(Reply::Array(vec![name, Reply::Aggregate(popped)])));
            }
        }
        Ok(None)
    }
}
