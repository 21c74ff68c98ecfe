//! Commands over HyperLogLogs.

use super::string::prefetch_keys;
use super::{Call, is_option};
use crate::base::events::Events;
use crate::resp::{Reply, c_text};
use crate::store::{Entry, Result, Stop, Txn};
use crate::types::hyperloglog::{self, Encoding, Header, Opcode, Sketch};
use crate::types::string::string_entry;

/// How many elements PFSELFTEST adds.
const TESTED_ELEMENTS: u64 = 10_000_000;

/// `PFADD key element...`. Replies with 1 if the key is new or a register changed, else with 0.
pub fn pfadd(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let key = call.key(1);
    let (old, mut sketch) = match hyperloglog::lookup(txn, key)? {
        Some((entry, sketch)) => (Some(entry), sketch),
        None => (None, Sketch::new()),
    };
    let mut changed = old.is_none();
    for element in call.args.skip(2) {
        changed |= sketch.add(element, call.limits.hll_sparse)?;
    }
    if changed {
        sketch.forget_count();
        sketch.save(txn, key, old.as_ref())?;
        txn.notify(Events::STRING, "pfadd", key);
    }
    Ok(Reply::Int(i64::from(changed)))
}

/// Of one key, the count is noted in its value, though this is a command that reads: as in Redis, whose GET shows it.
pub fn pfcount(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let count = match call.args.len() {
        2 => {
            let key = call.key(1);
            match txn.lookup_read(key)? {
                Some(entry) => hyperloglog::count(txn, key, &entry)?,
                None => 0,
            }
        }
        _ => {
            let sketches = entries(txn, call)?;
            let (registers, _) = hyperloglog::union(txn, &sketches)?;
            hyperloglog::estimate(&registers)
        }
    };
    Ok(Reply::Int(count.cast_signed()))
}

/// `PFMERGE destination source...`. Replies OK.
pub fn pfmerge(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let mut sketches = entries(txn, call)?;
    let (registers, any_dense) = hyperloglog::union(txn, &sketches)?;
    let old = sketches.swap_remove(0);
    let mut sketch = match &old {
        Some(entry) => Sketch::read(txn, entry)?,
        None => Sketch::new(),
    };
    if any_dense {
        sketch.make_dense()?;
    }
    sketch.raise_all(&registers, call.limits.hll_sparse)?;
    sketch.forget_count();
    sketch.save(txn, call.key(1), old.as_ref())?;
    txn.notify(Events::STRING, "pfadd", call.key(1));
    Ok(Reply::Ok)
}

/// What all keys hold.
fn entries(txn: &mut Txn, call: &Call) -> Result<Vec<Option<Entry>>> {
    prefetch_keys(txn, call, 1, 1)?;
    let keys = || (1..call.args.len()).map(|i| call.key(i));
    let entries = keys()
        .map(|key| txn.lookup_quietly(key))
        .collect::<Result<Vec<_>>>()?;
    hyperloglog::check(txn, keys(), &entries)?;
    Ok(entries)
}

/// `PFDEBUG subcommand key`. Replies with registers, opcodes, the name of the encoding, or whether the sketch became
/// dense.
pub fn pfdebug(txn: &mut Txn, call: &Call) -> Result<Reply> {
    let (subcommand, key) = (call.arg(1), call.key(2));
    let Some(entry) = string_entry(txn.lookup(key)?)? else {
        return Stop::error("ERR The specified key does not exist");
    };
    let header = Header::read(txn, &entry)?;
    // As in Redis, whoever watches the key is told of no change.
    txn.is_unwatched = true;
    match subcommand {
        _ if is_option(subcommand, "GETREG") => {
            let mut sketch = Sketch::read(txn, &entry)?;
            if sketch.make_dense()? {
                sketch.save(txn, key, Some(&entry))?;
            }
            let mut registers = Box::new([0; hyperloglog::REGISTERS]);
            sketch.merge_into(&mut registers)?;
            let values = registers.iter().map(|&value| Reply::Int(i64::from(value)));
            Ok(Reply::Array(values.collect()))
        }
        _ if is_option(subcommand, "DECODE") => {
            if header.encoding != Encoding::Sparse {
                return Stop::error("ERR HLL encoding is not sparse");
            }
            let sketch = Sketch::read(txn, &entry)?;
            let words: Vec<String> = sketch.opcodes().map(spelled).collect();
            Ok(Reply::bulk(words.join(" ")))
        }
        _ if is_option(subcommand, "ENCODING") => Ok(Reply::simple(match header.encoding {
            Encoding::Dense => "dense",
            Encoding::Sparse => "sparse",
        })),
        _ if is_option(subcommand, "TODENSE") => {
            let mut sketch = Sketch::read(txn, &entry)?;
            let converted = sketch.make_dense()?;
            if converted {
                sketch.save(txn, key, Some(&entry))?;
            }
            Ok(Reply::Int(i64::from(converted)))
        }
        other => {
            let name = String::from_utf8_lossy(c_text(other, other.len()));
            Stop::error(format!("ERR Unknown PFDEBUG subcommand '{name}'"))
        }
    }
}

fn spelled(opcode: Opcode) -> String {
    match opcode {
        Opcode::Zero { run } => format!("z:{run}"),
        Opcode::LongZero { run } => format!("Z:{run}"),
        Opcode::Value { value, run } => format!("v:{value},{run}"),
    }
}

/// Beside all others, on the view pool: it takes seconds.
pub fn pfselftest(txn: &mut Txn, call: &Call) -> Result<Reply> {
    txn.only_reads();
    txn.prefer_view()?;
    hyperloglog::self_test::self_test(&mut txn.random, TESTED_ELEMENTS, call.limits.hll_sparse)?;
    Ok(Reply::Ok)
}
